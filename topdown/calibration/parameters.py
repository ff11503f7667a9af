"""What a calibration may move: single ε, and numbers that move many ε at once.

A shared parameter z multiplies every ε it reaches, so that a whole matrix may hang on a few numbers:

    ε_p(x, T) = ε_p⁰(x) · exp[Σ_j D_pj z_j + (T - T₀) Σ_k S_pk s_k]

ε_p⁰ is the single ε of the pair where it has one, else the value of the start table; D and S are sparse. A class matrix with
size factors (:mod:`topdown.calibration.design`), levels and slopes of ε with temperature are all of this form, and
∂ε_p/∂x follows from it exactly. σ may hang on numbers of its own, at every temperature alike:

    σ_p(x) = σ_p⁰ ρ_p,    ρ_p = exp[Σ_j C_pj y_j].

Samples see both through the coefficients of their sums (:mod:`topdown.estimators.size_terms`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from topdown.errors import SettingsError
from topdown.estimators.size_terms import coefficients, repulsion_of

FloatArray = npt.NDArray[np.float64]
Pair = tuple[str, str]
Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeParameter:
    """ε of one pair of bead types, with a normal prior around its value in the start table.

    Attributes
    ----------
    pair : (str, str)
        Bead types, sorted.
    start : float
        Prior mean: the value of the start table [kJ/mol].
    prior_width : float
        Prior standard deviation [kJ/mol].
    lower, upper : float
        Bounds [kJ/mol].
    scale : {"linear", "log"}
        Whether the optimiser moves, and the prior is normal in, ε or ln ε.
    """

    pair: Pair
    start: float
    prior_width: float
    lower: float
    upper: float
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        where = f"parameter {self.label}"
        if not self.prior_width > 0:
            raise SettingsError(f"prior_width must be positive, got {self.prior_width:g} kJ/mol", where=where)
        if not 0 <= self.lower < self.upper:
            raise SettingsError(f"bounds {self.lower:g} to {self.upper:g} kJ/mol are no range", where=where)
        if not self.lower <= self.start <= self.upper:
            raise SettingsError(
                f"the start value {self.start:g} kJ/mol is outside the bounds {self.lower:g} to {self.upper:g}",
                where=where,
                hint="widen the bounds",
            )
        if self.scale == "log" and not self.lower > 0:
            raise SettingsError("a log scale needs a lower bound above 0", where=where)

    @property
    def label(self) -> str:
        """``"C1-P4"``."""
        return "-".join(self.pair)

    @property
    def start_x(self) -> float:
        """Prior mean of x."""
        return math.log(self.start) if self.scale == "log" else self.start

    @property
    def bounds_x(self) -> tuple[float, float]:
        """Bounds of x."""
        return (math.log(self.lower), math.log(self.upper)) if self.scale == "log" else (self.lower, self.upper)

    @property
    def width_x(self) -> float:
        """Prior standard deviation of x."""
        return self.prior_width / (self.start if self.scale == "log" else 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParameter:
    """One number z with prior mean 0 that moves the ln ε of several pairs, their slope with temperature, or their ln σ.

    Attributes
    ----------
    name : str
        ``"class C1-P4"``, ``"size R-S"``…
    rows : tuple of (pair, float)
        The pairs it reaches, sorted bead types, and the coefficient of each.
    prior_width : float
        Prior standard deviation of z: relative change of ε, or change per kelvin.
    lower, upper : float
        Bounds of z.
    per_kelvin : bool
        Whether z counts times T - T₀.
    of_sigma : bool
        Whether z moves σ, not ε.
    """

    name: str
    rows: tuple[tuple[Pair, float], ...]
    prior_width: float
    lower: float
    upper: float
    per_kelvin: bool = False
    of_sigma: bool = False

    def __post_init__(self) -> None:
        where = f"parameter {self.name}"
        if not self.prior_width > 0:
            raise SettingsError(f"prior_width must be positive, got {self.prior_width:g}", where=where)
        if not self.lower < 0.0 < self.upper:
            raise SettingsError(f"bounds {self.lower:g} to {self.upper:g} must hold 0, the start table", where=where)
        if self.of_sigma and self.per_kelvin:
            raise SettingsError("σ does not change with temperature", where=where)
        pairs = [pair for pair, _ in self.rows]
        if not pairs or len(set(pairs)) < len(pairs) or any(a > b for a, b in pairs):
            raise SettingsError("needs pairs of bead types, sorted and once each", where=where)

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    @property
    def start_x(self) -> float:
        """0."""
        return 0.0

    @property
    def bounds_x(self) -> tuple[float, float]:
        """Bounds of z."""
        return self.lower, self.upper

    @property
    def width_x(self) -> float:
        """Prior standard deviation of z."""
        return self.prior_width


Parameter = FreeParameter | SharedParameter


@dataclass(frozen=True, kw_only=True, eq=False)
class ParameterSpace:
    """All free parameters, as the vector x the optimiser moves: ε, or ln ε of parameters on the log scale, then shared ones,
    then those of σ.

    Attributes
    ----------
    parameters : tuple of FreeParameter
    shared : tuple of SharedParameter
    starts : mapping of pair to float
        Start table's ε [kJ/mol] of every pair a shared parameter reaches.
    temperature : float
        T₀ [K], at which slopes count for nothing.
    sizes : tuple of SharedParameter
        Those of σ; they reach only pairs whose ε moves as well.

    Raises
    ------
    SettingsError
        No parameters, a pair or name given twice, a shared pair without a start value above 0, or σ of a pair whose ε is held.
    """

    parameters: tuple[FreeParameter, ...] = ()
    shared: tuple[SharedParameter, ...] = ()
    starts: Mapping[Pair, float] = field(default_factory=dict)
    temperature: float = 298.15
    sizes: tuple[SharedParameter, ...] = ()

    def __post_init__(self) -> None:
        if any(p.of_sigma for p in self.shared) or not all(p.of_sigma for p in self.sizes):
            raise SettingsError("parameters of ε and of σ are mixed up")
        pairs = [p.pair for p in self.parameters]
        twice = next((p for i, p in enumerate(pairs) if p in pairs[:i]), None)
        if twice is not None:
            raise SettingsError(f"the pair {twice[0]}-{twice[1]} is free twice", hint="keep one of them")
        names = [p.label for p in self.all]
        again = next((n for i, n in enumerate(names) if n in names[:i]), None)
        if again is not None:
            raise SettingsError(f"two parameters are called {again!r}", hint="give each its own name")
        if not names:
            raise SettingsError("there are no free parameters", hint="add a [[parameters]] section, or [matrix]")
        for pair, _ in (row for p in self.shared for row in p.rows):
            if pair not in pairs and not self.starts.get(pair, 0.0) > 0.0:
                raise SettingsError("a shared parameter needs a start value above 0", where="-".join(pair))
        held = next((pair for p in self.sizes for pair, _ in p.rows if pair not in self.pairs), None)
        if held is not None:
            raise SettingsError("σ moves and ε does not", where="-".join(held), hint="free its ε too")

    def __len__(self) -> int:
        return len(self.parameters) + len(self.shared) + len(self.sizes)

    @property
    def all(self) -> tuple[Parameter, ...]:
        """Every parameter, in the order of x."""
        return (*self.parameters, *self.shared, *self.sizes)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair whose ε moves: those of single parameters in order, then the others, sorted."""
        singles = tuple(p.pair for p in self.parameters)
        others = {pair for p in self.shared for pair, _ in p.rows} - set(singles)
        return (*singles, *sorted(others))

    def parameters_of(self, pair: Pair) -> tuple[str, ...]:
        """Labels of the parameters that move ε of ``pair``."""
        singles = tuple(p.label for p in self.parameters if p.pair == pair)
        return (*singles, *(p.label for p in self.shared if pair in dict(p.rows)))

    def theta(self, x: FloatArray, temperature: float | None = None) -> dict[Pair, float]:
        """ε [kJ/mol] of each pair in :attr:`pairs`, at T₀ or another temperature.

        At the start, to the last bit that of the start table, so that its runs are known again.
        """
        start = self.start_theta()
        singles = {p.pair: float(np.exp(v) if p.scale == "log" else v) for p, v in zip(self.parameters, x)}
        if np.array_equal(x[: len(self.parameters)], self.start()[: len(self.parameters)]):
            singles = {}
        factors = np.exp(self._exponents(x, temperature))
        return {p: singles.get(p, start[p]) * float(f) for p, f in zip(self.pairs, factors)}

    def start_theta(self) -> dict[Pair, float]:
        """ε of the start table."""
        singles = {p.pair: p.start for p in self.parameters}
        return {pair: singles[pair] if pair in singles else float(self.starts[pair]) for pair in self.pairs}

    def start(self) -> FloatArray:
        """x of the start table: the prior mean."""
        return np.array([p.start_x for p in self.all], dtype=np.float64)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper x."""
        return np.array([p.bounds_x[0] for p in self.all]), np.array([p.bounds_x[1] for p in self.all])

    def prior_widths(self) -> FloatArray:
        """Prior standard deviations in x."""
        return np.array([p.width_x for p in self.all])

    def slopes(self, x: FloatArray) -> FloatArray:
        """∂ε/∂x of each single parameter, shared ones left aside."""
        theta = self.theta(x)
        return np.array([theta[p.pair] if p.scale == "log" else 1.0 for p in self.parameters])

    def jacobian(self, x: FloatArray, temperature: float | None = None) -> FloatArray:
        """∂ε/∂x (pairs, parameters) of :meth:`theta`."""
        theta = self.theta(x, temperature)
        values = np.array([theta[pair] for pair in self.pairs])
        table = np.zeros((len(values), len(self)))
        factors = np.exp(self._exponents(x, temperature))
        for k, parameter in enumerate(self.parameters):
            table[k, k] = values[k] if parameter.scale == "log" else factors[k]
        design, lag = self._design, self._lag(temperature)
        heat = np.array([lag if p.per_kelvin else 1.0 for p in self.shared])
        first = len(self.parameters)
        table[:, first : first + len(self.shared)] = values[:, None] * design * heat
        return table

    @cached_property
    def size_pairs(self) -> tuple[Pair, ...]:
        """Every pair whose σ moves, sorted."""
        return tuple(sorted({pair for p in self.sizes for pair, _ in p.rows}))

    def sigma_ratios(self, x: FloatArray) -> dict[Pair, float]:
        """ρ = σ/σ⁰ of each pair in :attr:`size_pairs`."""
        exponents = self._size_design @ x[len(self) - len(self.sizes) :]
        return {pair: float(v) for pair, v in zip(self.size_pairs, np.exp(exponents))}

    def sigma_jacobian(self, x: FloatArray) -> FloatArray:
        """∂ρ/∂x (size_pairs, parameters)."""
        table = np.zeros((len(self.size_pairs), len(self)))
        ratios = np.array(list(self.sigma_ratios(x).values()))
        table[:, len(self) - len(self.sizes) :] = ratios[:, None] * self._size_design
        return table

    @property
    def terms(self) -> tuple[Pair, ...]:
        """Columns of stored sums that the parameters act on: :attr:`pairs`, then the repulsion of :attr:`size_pairs`."""
        return (*self.pairs, *(repulsion_of(pair) for pair in self.size_pairs))

    def coefficients(self, x: FloatArray, temperature: float | None = None) -> dict[Pair, float]:
        """What multiplies each of :attr:`terms` [kJ/mol]: ε, where σ is held."""
        found = self.theta(x, temperature)
        for pair, ratio in self.sigma_ratios(x).items():
            found[pair], found[repulsion_of(pair)] = coefficients(found[pair], ratio)
        return found

    def coefficient_jacobian(self, x: FloatArray, temperature: float | None = None) -> FloatArray:
        """∂coefficient/∂x (terms, parameters) of :meth:`coefficients`."""
        by_epsilon = self.jacobian(x, temperature)
        if not self.sizes:
            return by_epsilon
        theta, ratios = self.theta(x, temperature), self.sigma_ratios(x)
        rows = [self.pairs.index(pair) for pair in self.size_pairs]
        epsilon, ratio = np.array([theta[pair] for pair in ratios]), np.array(list(ratios.values()))
        unit, by_ratio = self.sigma_jacobian(x), epsilon[:, None] * ratio[:, None] ** 5
        table = np.concatenate([by_epsilon, np.zeros((len(rows), len(self)))])
        sixth = ratio[:, None] ** 6
        table[rows] = sixth * by_epsilon[rows] + 6.0 * by_ratio * unit
        table[len(by_epsilon) :] = (sixth**2 - sixth) * by_epsilon[rows] + by_ratio * (12.0 * sixth - 6.0) * unit
        return table

    @cached_property
    def _size_design(self) -> FloatArray:
        """Coefficients (size_pairs, sizes)."""
        return _table(self.size_pairs, self.sizes)

    def _lag(self, temperature: float | None) -> float:
        return 0.0 if temperature is None else temperature - self.temperature

    @cached_property
    def _design(self) -> FloatArray:
        """Coefficients (pairs, shared)."""
        return _table(self.pairs, self.shared)

    def _exponents(self, x: FloatArray, temperature: float | None) -> FloatArray:
        lag = self._lag(temperature)
        heat = np.array([lag if p.per_kelvin else 1.0 for p in self.shared])
        first = len(self.parameters)
        return np.asarray(self._design @ (x[first : first + len(self.shared)] * heat), dtype=np.float64)


def _table(pairs: tuple[Pair, ...], parameters: tuple[SharedParameter, ...]) -> FloatArray:
    """Coefficients (pairs, parameters)."""
    place = {pair: i for i, pair in enumerate(pairs)}
    table = np.zeros((len(place), len(parameters)))
    for k, parameter in enumerate(parameters):
        for pair, coefficient in parameter.rows:
            table[place[pair], k] = coefficient
    return table
