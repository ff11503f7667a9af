"""The free ε of a calibration: where each starts, how far it may be trusted to move, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpace:
    """All free parameters, as the vector x the optimiser moves: ε, or ln ε of parameters on the log scale."""

    parameters: tuple[FreeParameter, ...]

    def __post_init__(self) -> None:
        pairs = [p.pair for p in self.parameters]
        twice = next((p for i, p in enumerate(pairs) if p in pairs[:i]), None)
        if twice is not None:
            raise SettingsError(f"the pair {twice[0]}-{twice[1]} is free twice", hint="keep one of them")
        if not pairs:
            raise SettingsError("there are no free parameters", hint="add a [[parameters]] section")

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The free pairs, in order."""
        return tuple(p.pair for p in self.parameters)

    def vector(self, theta: Mapping[Pair, float]) -> FloatArray:
        """x of the given ε [kJ/mol]."""
        return np.array([np.log(theta[p.pair]) if p.scale == "log" else theta[p.pair] for p in self.parameters])

    def theta(self, x: FloatArray) -> dict[Pair, float]:
        """ε [kJ/mol] of each free pair."""
        return {p.pair: float(np.exp(v) if p.scale == "log" else v) for p, v in zip(self.parameters, x)}

    def start_theta(self) -> dict[Pair, float]:
        """ε of the start table, to the last bit also on the log scale, so that its runs are known again."""
        return {p.pair: p.start for p in self.parameters}

    def start(self) -> FloatArray:
        """x of the start table: the prior mean."""
        return self.vector(self.start_theta())

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper x."""
        lower = self.vector({p.pair: p.lower for p in self.parameters})
        return lower, self.vector({p.pair: p.upper for p in self.parameters})

    def prior_widths(self) -> FloatArray:
        """Prior standard deviations in x."""
        return np.array([p.prior_width / (p.start if p.scale == "log" else 1.0) for p in self.parameters])

    def slopes(self, x: FloatArray) -> FloatArray:
        """∂ε/∂x of each parameter."""
        theta = self.theta(x)
        return np.array([theta[p.pair] if p.scale == "log" else 1.0 for p in self.parameters])
