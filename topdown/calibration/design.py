"""A whole matrix as a few shared numbers: every pair on its own, levels, or a class matrix times size factors.

With A, B the chemical classes of a pair of bead types and s, t their sizes,

    pairs     ln ε = ln ε⁰ + z_pair
    levels    ln ε = ln ε⁰ + z_level            level: all pairs that share one value in the start table
    classes   ln ε = ln ε⁰ + z_{A,B} + z_{s,t}  z = 0 for the size pair R-R, which fixes the gauge

σ may move as well, by sizes s and t of the two beads,

    sizes       ln σ = ln σ⁰ + (y_s + y_t)/2
    size-pairs  ln σ = ln σ⁰ + y_{s,t}

Only pairs that meet in a box of a calibration target are reached. Rows of charged types and water with itself keep the
start table's values: transfer of neutral molecules says nothing about the first, and the second sets the scale of all else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from topdown.calibration.parameters import FreeParameter, Pair, ParameterSpace, SharedParameter
from topdown.errors import SettingsError
from topdown.model.bead_table import BeadTable

Form = Literal["pairs", "levels", "classes"]
SigmaForm = Literal["off", "sizes", "size-pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSettings:
    """The ``[matrix]`` section.

    Attributes
    ----------
    form : {"pairs", "levels", "classes"}
    prior_width : float
        Prior standard deviation of each z, a relative change of ε.
    size_prior_width : float
        The same of size factors; 0 leaves them out.
    slope_prior_width : float
        Prior standard deviation of the relative change of ε per kelvin [1/K]; 0 leaves slopes out.
    factors : (float, float)
        Lowest and highest factor exp z.
    also : tuple of pairs
        Frozen pairs that are to move after all.
    sigma : {"off", "sizes", "size-pairs"}
        What moves σ.
    sigma_prior_width : float
        Prior standard deviation of each y, a relative change of σ.
    sigma_factors : (float, float)
        Lowest and highest factor exp y.
    sigma_held : tuple of pairs
        Pairs whose σ is held though their ε moves.
    """

    form: Form
    prior_width: float = 0.1
    size_prior_width: float = 0.05
    slope_prior_width: float = 0.0
    factors: tuple[float, float] = (0.5, 2.0)
    also: tuple[Pair, ...] = ()
    sigma: SigmaForm = "off"
    sigma_prior_width: float = 0.02
    sigma_factors: tuple[float, float] = (0.9, 1.1)
    sigma_held: tuple[Pair, ...] = ()


def is_charged(table: BeadTable, name: str) -> bool:
    """Whether a bead type is of a charged class: Q, or D of divalent ions, or with a charge of its own."""
    bead_type = table.bead_type(name)
    return bead_type.chemical_class[:1] in ("Q", "D") or bead_type.charge != 0.0


def matrix_space(
    table: BeadTable,
    settings: MatrixSettings,
    *,
    present: Iterable[Pair],
    water: Iterable[str],
    named: Sequence[FreeParameter] = (),
    groups: Sequence[SharedParameter] = (),
    temperature: float,
) -> ParameterSpace:
    """The parameters of a matrix over the pairs that meet.

    Parameters
    ----------
    table : BeadTable
        The start table.
    settings : MatrixSettings
    present : iterable of pairs
        Pairs of bead types that meet in a box of a calibration target.
    water : iterable of str
        Bead types of water.
    named, groups : sequences
        Parameters given one by one; their pairs are theirs alone.
    temperature : float
        T₀ [K].

    Raises
    ------
    SettingsError
        Nothing is left to move, or ``also`` or ``sigma_held`` names a pair that does not meet, or does not move.
    """
    meeting = sorted({(min(pair), max(pair)) for pair in present})
    strangers = [pair for pair in settings.also if pair not in meeting]
    if strangers:
        raise SettingsError(
            f"no calibration target holds both bead types of {'-'.join(strangers[0])}",
            where="matrix.also",
            hint="add a target that depends on it, or drop the pair",
        )
    taken = {p.pair for p in named} | {pair for g in groups for pair, _ in g.rows}
    wet = set(water)

    def thawed(pair: Pair) -> bool:
        frozen = any(is_charged(table, name) for name in pair) or set(pair) <= wet
        return (not frozen or pair in settings.also) and table.pair(*pair)[1] > 0.0

    pairs = [pair for pair in meeting if pair not in taken and thawed(pair)]
    if not pairs:
        raise SettingsError("no pair is left for the matrix to move", hint="name frozen pairs in matrix.also")
    sizes = _size_columns(table, [pair for pair in meeting if thawed(pair)], settings)
    shared = [*groups, *_columns(pairs, _first_key(table, settings.form), settings.prior_width, settings)]
    if settings.form == "classes" and settings.size_prior_width > 0.0:
        off_gauge = [pair for pair in pairs if _sizes(table, pair) != "R-R"]
        key = _named("size", lambda pair: _sizes(table, pair))
        shared += _columns(off_gauge, key, settings.size_prior_width, settings)
    if settings.slope_prior_width > 0.0:
        key = _first_key(table, settings.form)
        shared += _columns(pairs, lambda pair: f"slope {key(pair)}", settings.slope_prior_width, settings, slope=True)
    reached = {pair for p in shared for pair, _ in p.rows} - {p.pair for p in named}
    starts = {pair: table.pair(*pair)[1] for pair in sorted(reached)}
    return ParameterSpace(
        parameters=tuple(named), shared=tuple(shared), starts=starts, temperature=temperature, sizes=sizes
    )


def _size_columns(table: BeadTable, pairs: Sequence[Pair], settings: MatrixSettings) -> tuple[SharedParameter, ...]:
    """What moves σ of ``pairs``, those held left out."""
    if settings.sigma == "off":
        return ()
    unknown = [pair for pair in settings.sigma_held if pair not in pairs]
    if unknown:
        raise SettingsError(f"σ of {'-'.join(unknown[0])} does not move anyway", where="matrix.sigma_held")
    rows: dict[str, dict[Pair, float]] = {}
    for pair in pairs:
        if pair in settings.sigma_held or not table.pair(*pair)[0] > 0.0:
            continue
        sizes = [table.bead_type(name).size for name in pair]
        parts = {"-".join(sorted(sizes)): 1.0} if settings.sigma == "size-pairs" else {}
        if settings.sigma == "sizes":
            parts = {size: 0.5 * sizes.count(size) for size in sizes}
        for name, coefficient in parts.items():
            rows.setdefault(name, {})[pair] = coefficient
    if not rows:
        raise SettingsError("no pair is left whose σ could move", where="matrix.sigma")
    low, high = settings.sigma_factors
    return tuple(
        SharedParameter(
            name=f"sigma {name}",
            rows=tuple(sorted(found.items())),
            prior_width=settings.sigma_prior_width,
            lower=math.log(low),
            upper=math.log(high),
            of_sigma=True,
        )
        for name, found in sorted(rows.items())
    )


def _first_key(table: BeadTable, form: Form) -> Callable[[Pair], str]:
    keys: dict[Form, Callable[[Pair], str]] = {
        "pairs": _named("pair", "-".join),
        "levels": _named("level", lambda pair: f"{table.pair(*pair)[1]:.4g}"),
        "classes": _named("class", lambda pair: "-".join(sorted(table.bead_type(n).chemical_class for n in pair))),
    }
    return keys[form]


def _named(kind: str, key: Callable[[Pair], str]) -> Callable[[Pair], str]:
    return lambda pair: f"{kind} {key(pair)}"


def _sizes(table: BeadTable, pair: Pair) -> str:
    return "-".join(sorted(table.bead_type(name).size for name in pair))


def _columns(
    pairs: Sequence[Pair], key: Callable[[Pair], str], width: float, settings: MatrixSettings, *, slope: bool = False
) -> list[SharedParameter]:
    """One parameter for each key, reaching the pairs that have it."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(key(pair), []).append(pair)
    low, high = math.log(settings.factors[0]), math.log(settings.factors[1])
    # a slope may change ε by no more than its factors over a hundred kelvin
    scale = 0.01 if slope else 1.0
    return [
        SharedParameter(
            name=name,
            rows=tuple((pair, 1.0) for pair in sorted(found)),
            prior_width=width,
            lower=scale * low,
            upper=scale * high,
            per_kelvin=slope,
        )
        for name, found in sorted(groups.items())
    ]
