"""Bead types in several volumes, told by a rule: one type written down stands for compact, usual and bulky ones.

A calibrated table of 72 classes in three sizes and seven volumes has over a million pairs, which follow from those of the usual
types and a few slopes: between two such types of sizes s and t, whose diameters are x and y above the usual ones (in their
natural logarithm),

    σ = σ(usual) exp((a_s x + a_t y)/2),     ε = ε(usual) exp((b_s x + b_t y)/2),

and ε of two types that differ in volume alone has an upper limit. Pairs with all other types do not know of volumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from topdown.errors import BeadTableError
from topdown.model._arrays import FloatArray
from topdown.model.bead import BeadType
from topdown.model.bead_table import BeadTable

#: Decimals of ε [kJ/mol] and σ [nm] of pairs that follow from the rule.
EPSILON_DIGITS: Final = 4
SIGMA_DIGITS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeVolumes:
    """The rule.

    Attributes
    ----------
    classes : tuple of str
        Chemical classes whose types come in several volumes.
    steps : mapping of str to float
        What is put behind the name of a type, and ln of its diameter above the usual one; usual is the type as it is written.
    sigma, epsilon : mapping of str to float
        Slopes a and b by size.
    like_limit : float
        Largest ε [kJ/mol] between types that differ in volume alone; the usual one with itself is among them.
    """

    classes: tuple[str, ...]
    steps: Mapping[str, float]
    sigma: Mapping[str, float]
    epsilon: Mapping[str, float]
    like_limit: float


def with_volumes(table: BeadTable, rule: TypeVolumes) -> BeadTable:
    """The whole table: behind one another the volumes of every type that has several, the most compact first.

    Parameters
    ----------
    table : BeadTable
        The usual types, and all others.
    rule : TypeVolumes
    """
    types, rows, away = _in_volumes(table.bead_types, rule)
    apart = np.isin([t.chemical_class for t in types], rule.classes)
    both = apart[:, None] & apart
    matrices = {}
    for name, slopes, digits in (("epsilon", rule.epsilon, EPSILON_DIGITS), ("sigma", rule.sigma, SIGMA_DIGITS)):
        matrix = getattr(table, name).take(rows, axis=0).take(rows, axis=1)
        half = np.exp(0.5 * away * [slopes.get(t.size, 0.0) for t in types])
        changed = np.multiply.outer(half, half)
        changed *= matrix
        if name == "epsilon":
            np.minimum(changed, rule.like_limit, out=changed, where=rows[:, None] == rows)
        np.copyto(matrix, np.round(changed, digits, out=changed), where=both)
        matrices[name] = matrix
    return replace(table, bead_types=types, **matrices)


def types_in_volumes(types: Sequence[BeadType], rule: TypeVolumes) -> tuple[BeadType, ...]:
    """The bead types of :func:`with_volumes`.

    Raises
    ------
    BeadTableError
        A class of the rule has no type.
    """
    return _in_volumes(types, rule)[0]


def _in_volumes(
    types: Sequence[BeadType], rule: TypeVolumes
) -> tuple[tuple[BeadType, ...], np.ndarray[tuple[int], np.dtype[np.int64]], FloatArray]:
    """Types, the row of the usual one of each, and ln of its diameter above that."""
    if unknown := sorted(set(rule.classes) - {t.chemical_class for t in types}):
        raise BeadTableError(f"no bead type has the class {unknown[0]!r}", where="volumes.classes")
    volumes = sorted([("", 0.0), *rule.steps.items()], key=lambda volume: volume[1])
    several = set(rule.classes)
    found, rows, away = [], [], []
    for row, bead_type in enumerate(types):
        for suffix, above in volumes if bead_type.chemical_class in several else [("", 0.0)]:
            found.append(replace(bead_type, name=bead_type.name + suffix) if suffix else bead_type)
            rows.append(row)
            away.append(above)
    return tuple(found), np.array(rows, dtype=np.int64), np.array(away)
