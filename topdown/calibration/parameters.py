"""What a calibration may move: single ε, and numbers that move many ε at once.

A shared parameter z multiplies every ε it reaches, so that a whole matrix may hang on a few numbers:

    ε_p(x, T) = ε_p⁰(x) · exp[Σ_j D_pj z_j + (T - T₀) Σ_k S_pk s_k]

ε_p⁰ is the single ε of the pair where it has one, else the value of the start table; D and S are sparse. A class matrix with
size factors (:mod:`topdown.calibration.design`), levels and slopes of ε with temperature are all of this form, and
∂ε_p/∂x follows from it exactly.
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
    """One number z with prior mean 0 that moves the ln ε of several pairs, or their slope with temperature.

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
    """

    name: str
    rows: tuple[tuple[Pair, float], ...]
    prior_width: float
    lower: float
    upper: float
    per_kelvin: bool = False

    def __post_init__(self) -> None:
        where = f"parameter {self.name}"
        if not self.prior_width > 0:
            raise SettingsError(f"prior_width must be positive, got {self.prior_width:g}", where=where)
        if not self.lower < 0.0 < self.upper:
            raise SettingsError(f"bounds {self.lower:g} to {self.upper:g} must hold 0, the start table", where=where)
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
    """All free parameters, as the vector x the optimiser moves: ε, or ln ε of parameters on the log scale, then shared ones.

    Attributes
    ----------
    parameters : tuple of FreeParameter
    shared : tuple of SharedParameter
    starts : mapping of pair to float
        Start table's ε [kJ/mol] of every pair a shared parameter reaches.
    temperature : float
        T₀ [K], at which slopes count for nothing.

    Raises
    ------
    SettingsError
        No parameters, a pair or name given twice, or a shared pair without a start value above 0.
    """

    parameters: tuple[FreeParameter, ...] = ()
    shared: tuple[SharedParameter, ...] = ()
    starts: Mapping[Pair, float] = field(default_factory=dict)
    temperature: float = 298.15

    def __post_init__(self) -> None:
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

    def __len__(self) -> int:
        return len(self.parameters) + len(self.shared)

    @property
    def all(self) -> tuple[Parameter, ...]:
        """Every parameter, in the order of x."""
        return (*self.parameters, *self.shared)

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

    def vector(self, theta: Mapping[Pair, float]) -> FloatArray:
        """x of the given ε [kJ/mol] of single parameters, shared ones at 0."""
        singles = [np.log(theta[p.pair]) if p.scale == "log" else theta[p.pair] for p in self.parameters]
        return np.array([*singles, *(0.0 for _ in self.shared)], dtype=np.float64)

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
        table[:, len(self.parameters) :] = values[:, None] * design * heat
        return table

    def _lag(self, temperature: float | None) -> float:
        return 0.0 if temperature is None else temperature - self.temperature

    @cached_property
    def _design(self) -> FloatArray:
        """Coefficients (pairs, shared)."""
        place = {pair: i for i, pair in enumerate(self.pairs)}
        table = np.zeros((len(place), len(self.shared)))
        for k, parameter in enumerate(self.shared):
            for pair, coefficient in parameter.rows:
                table[place[pair], k] = coefficient
        return table

    def _exponents(self, x: FloatArray, temperature: float | None) -> FloatArray:
        lag = self._lag(temperature)
        heat = np.array([lag if p.per_kelvin else 1.0 for p in self.shared])
        return np.asarray(self._design @ (x[len(self.parameters) :] * heat), dtype=np.float64)
