"""Bead matrices and their differences as plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from topdown.model.bead_table import BeadTable
from topdown.tables.difference import BeadTableDifference

#: Turns a finished cell and its value into what is printed; the command line colours with it.
Paint = Callable[[str, float], str]

#: A matrix of up to this many types is drawn whole when nobody chose the types.
MANY_TYPES = 24


def core_types(table: BeadTable) -> tuple[str, ...]:
    """The types worth drawing when nobody chose: regular beads without labels or prefixes, in table order.

    A type is a variant, and left out, when it is another regular type with a letter in front (``AC1``) or with letters behind
    the digit (``C4h``). When more than 24 remain, charged and divalent classes (Q, D) go too.
    """
    regular = [t.name for t in table.bead_types if t.size == "R"]
    known = set(regular)

    def is_variant(name: str) -> bool:
        labelled = re.fullmatch(r"(.*\d)[a-z]+", name)
        return name[1:] in known or (labelled is not None and labelled.group(1) in known)

    core = [name for name in regular if not is_variant(name)]
    if len(core) > MANY_TYPES:
        core = [name for name in core if table.bead_type(name).chemical_class[:1] not in ("Q", "D")]
    return tuple(core or [t.name for t in table.bead_types][:MANY_TYPES])


def matrix_text(
    table: BeadTable,
    types: Sequence[str],
    *,
    quantity: str = "epsilon",
    width: int = 120,
    paint: Paint | None = None,
) -> str:
    """Draw ε [kJ/mol] or σ [nm] between ``types``, in blocks of columns where the whole does not fit into ``width`` characters.

    Parameters
    ----------
    table : BeadTable
    types : sequence of str
        Rows and columns, in this order.
    quantity : {"epsilon", "sigma"}
    width : int
        Characters in a line; at least one column is drawn.
    paint : callable, optional
        Given each cell (already padded) and its value.

    Returns
    -------
    str
        Lines ended by ``\\n``.
    """
    rows = table.indices(types)
    values = (table.epsilon if quantity == "epsilon" else table.sigma)[np.ix_(rows, rows)]
    decimals = 2 if quantity == "epsilon" else 3
    label = max(len(name) for name in types)
    cell = 1 + max([*(len(name) for name in types), *(len(f"{v:.{decimals}f}") for v in values.flat)])
    per_block = max(1, (width - label) // cell)
    lines: list[str] = []
    for start in range(0, len(types), per_block):
        columns = range(start, min(start + per_block, len(types)))
        if lines:
            lines.append("")
        lines.append(" " * label + "".join(f"{types[j]:>{cell}}" for j in columns))
        for i, name in enumerate(types):
            cells = ((f"{values[i, j]:>{cell}.{decimals}f}", float(values[i, j])) for j in columns)
            drawn = "".join(paint(text, value) if paint else text for text, value in cells)
            lines.append(f"{name:<{label}}{drawn}")
    return "\n".join(lines) + "\n"


def difference_text(difference: BeadTableDifference, *, limit: int | None = None) -> str:
    """The differences of two tables, largest |Δε| first; ``limit`` rows at most, and how many were not shown."""
    d = difference
    lines = [f"{d.name_a} -> {d.name_b}: {len(d.changes)} of {d.n_common_pairs} common pairs changed"]
    lines += [f"scheme: {change}" for change in d.scheme_changes]
    lines += [
        f"only in {name}: {_some(only)}" for name, only in ((d.name_a, d.only_in_a), (d.name_b, d.only_in_b)) if only
    ]
    shown = d.changes if limit is None else d.changes[:limit]
    if shown:
        label = max(len(f"{c.type_a} {c.type_b}") for c in shown)
        lines.append(f"{'pair':<{label}}  {'epsilon':>9} {'->':^4} {'epsilon':<9} {'change':>9}   sigma [nm]")
    for change in shown:
        same = change.sigma_a == change.sigma_b
        sigma = f"{change.sigma_a:.4g}" if same else f"{change.sigma_a:.4g} -> {change.sigma_b:.4g}"
        lines.append(
            f"{change.type_a + ' ' + change.type_b:<{label}}  {change.epsilon_a:>9.4f} {'->':^4} {change.epsilon_b:<9.4f} "
            f"{change.epsilon_change:>+9.4f}   {sigma}"
        )
    if len(shown) < len(d.changes):
        lines.append(f"… and {len(d.changes) - len(shown)} more")
    return "\n".join(lines) + "\n"


def _some(names: Sequence[str], most: int = 24) -> str:
    """The first names of a long list, and how many follow."""
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")
