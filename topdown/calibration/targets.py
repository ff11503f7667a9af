"""Measured numbers a calibration is judged by, each with the way to calculate it from stored samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from topdown.errors import SettingsError
from topdown.estimators.reweighting import Pair, PooledSamples
from topdown.model.molecule import CGMolecule
from topdown.model.samples import PairSums
from topdown.units import U_NM3_TO_KG_M3

FloatArray = npt.NDArray[np.float64]
Split = Literal["calibration", "held-out"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CalculatedValue:
    """A target as calculated at some ε.

    Attributes
    ----------
    value, standard_error : float
        In the target's unit; the error is nan when it was not asked for.
    gradient : (P,) float64
        ∂value/∂ε of the pairs asked for.
    n_effective : float
        Independent samples behind the worst state involved.
    """

    value: float
    standard_error: float
    gradient: FloatArray
    n_effective: float


class Target(Protocol):
    """One measured number.

    Attributes
    ----------
    label, quantity, unit : str
    measured, uncertainty : float
        In ``unit``.
    model_error : float
        How far a model of this resolution may be expected to stay from the truth, in ``unit``; widens the error that the
        residual is measured in.
    split : {"calibration", "held-out"}
    reference : str
        Where the measured value is from.
    systems : tuple of str
        Names of the systems to be sampled.
    """

    @property
    def label(self) -> str: ...
    @property
    def quantity(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def measured(self) -> float: ...
    @property
    def uncertainty(self) -> float: ...
    @property
    def model_error(self) -> float: ...
    @property
    def split(self) -> Split: ...
    @property
    def reference(self) -> str: ...
    @property
    def systems(self) -> tuple[str, ...]: ...

    def calculate(
        self,
        samples: Mapping[str, PooledSamples],
        theta: Mapping[Pair, float],
        pairs: tuple[Pair, ...],
        *,
        min_effective: float,
        error: bool,
    ) -> CalculatedValue:
        """The target at the ε of ``theta``, with its derivatives along ``pairs``."""
        ...


def _check(target: Target) -> None:
    if not target.uncertainty > 0:
        raise SettingsError(
            f"the uncertainty must be positive, got {target.uncertainty:g} {target.unit}", where=target.label
        )
    if not target.model_error >= 0:
        raise SettingsError(f"model_error must not be negative, got {target.model_error:g}", where=target.label)


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferTarget:
    """ΔG(origin→destination) of a solute [kJ/mol], negative when it prefers the destination.

    Attributes
    ----------
    molecule : CGMolecule
    origin, destination : str
        Names of the phases.
    origin_system, destination_system : str
        Systems in which the solute is coupled to them.
    measured, uncertainty, model_error : float
        [kJ/mol]
    split, reference : str
    """

    molecule: CGMolecule
    origin: str
    destination: str
    origin_system: str
    destination_system: str
    measured: float
    uncertainty: float
    split: Split
    model_error: float = 0.0
    reference: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def label(self) -> str:
        """``"butane water→hexadecane"``."""
        return f"{self.molecule.name} {self.origin}→{self.destination}"

    @property
    def quantity(self) -> str:
        """Name of the measured quantity."""
        return "transfer_free_energy"

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return "kJ/mol"

    @property
    def systems(self) -> tuple[str, ...]:
        """The solute in each phase."""
        return (self.origin_system, self.destination_system)

    def calculate(
        self,
        samples: Mapping[str, PooledSamples],
        theta: Mapping[Pair, float],
        pairs: tuple[Pair, ...],
        *,
        min_effective: float,
        error: bool,
    ) -> CalculatedValue:
        """ΔG of coupling in the destination less that in the origin."""
        ends = [
            samples[system].coupling_free_energy(theta, min_effective=min_effective, error=error)
            for system in self.systems
        ]
        origin, destination = ends
        gradient = np.array([destination.gradient_of(p) - origin.gradient_of(p) for p in pairs])
        return CalculatedValue(
            value=destination.value - origin.value,
            standard_error=float(np.hypot(origin.standard_error, destination.standard_error)),
            gradient=gradient,
            n_effective=min(e.n_effective for e in ends),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityTarget:
    """Density of a liquid [kg/m³]: molecules per volume times the real molar mass of what a model stands for.

    Attributes
    ----------
    molecule : CGMolecule
        With its ``molar_mass``; bead masses are conventions and are not used.
    n_molecules : int
        Molecules in the box.
    system : str
    measured, uncertainty, model_error : float
        [kg/m³]
    split, reference : str
    """

    molecule: CGMolecule
    n_molecules: int
    system: str
    measured: float
    uncertainty: float
    split: Split
    model_error: float = 0.0
    reference: str = ""

    def __post_init__(self) -> None:
        _check(self)
        if not self.molecule.molar_mass > 0:
            raise SettingsError("a density needs the molar mass of the molecule", where=self.label)

    @property
    def label(self) -> str:
        """``"hexadecane density"``."""
        return f"{self.molecule.name} density"

    @property
    def quantity(self) -> str:
        """Name of the measured quantity."""
        return "density"

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return "kg/m3"

    @property
    def systems(self) -> tuple[str, ...]:
        """The liquid."""
        return (self.system,)

    def calculate(
        self,
        samples: Mapping[str, PooledSamples],
        theta: Mapping[Pair, float],
        pairs: tuple[Pair, ...],
        *,
        min_effective: float,
        error: bool,
    ) -> CalculatedValue:
        """⟨n M/V⟩."""
        mass = self.n_molecules * self.molecule.molar_mass * U_NM3_TO_KG_M3

        def density(sums: PairSums) -> FloatArray:
            return np.asarray(mass / sums.volume)

        found = samples[self.system].average(density, theta, min_effective=min_effective, error=error)
        return CalculatedValue(
            value=found.value,
            standard_error=found.standard_error,
            gradient=np.array([found.gradient_of(p) for p in pairs]),
            n_effective=found.n_effective,
        )
