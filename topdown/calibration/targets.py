"""Measured numbers a calibration is judged by, each with the way to calculate it from stored samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from topdown.errors import SettingsError
from topdown.estimators.reweighting import Pair, PooledSamples, ReweightedValue
from topdown.model.molecule import CGMolecule
from topdown.properties.density import reweighted_density
from topdown.properties.surface_tension import reweighted_surface_tension

FloatArray = npt.NDArray[np.float64]
Split = Literal["calibration", "held-out"]


def key_of(molecule: CGMolecule) -> str:
    """What a molecule is known by: its canonical SMILES, or its name where it has none."""
    return molecule.canonical_smiles or molecule.name


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
    legs : tuple of (str, float, float)
        The systems behind it: name, sign with which each enters, statistical error of each.
    """

    value: float
    standard_error: float
    gradient: FloatArray
    n_effective: float
    legs: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Target(ABC):
    """One measured number.

    Attributes
    ----------
    quantity, unit : str
    molecule : CGMolecule
    measured, uncertainty : float
        In ``unit``.
    model_error : float
        How far a model of this resolution may be expected to stay from the truth, in ``unit``; widens the error that the
        residual is measured in.
    learn_model_error : bool
        Whether that is to be learnt from the residuals of all targets of its :attr:`error_class` instead.
    temperature : float, optional
        [K]; that of the campaign when not given.
    chemotype : str
        Kind of molecule, for validation with whole kinds left out.
    split : {"calibration", "held-out"}
    reference : str
        Where the measured value is from.

    Raises
    ------
    SettingsError
        An uncertainty that is not positive, or a negative model error.
    """

    quantity: ClassVar[str]
    unit: ClassVar[str]

    molecule: CGMolecule
    measured: float
    uncertainty: float
    split: Split
    model_error: float = 0.0
    learn_model_error: bool = False
    temperature: float | None = None
    chemotype: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        if not self.uncertainty > 0:
            raise SettingsError(
                f"the uncertainty must be positive, got {self.uncertainty:g} {self.unit}", where=self.label
            )
        if not self.model_error >= 0:
            raise SettingsError(f"model_error must not be negative, got {self.model_error:g}", where=self.label)

    @property
    @abstractmethod
    def label(self) -> str:
        """What is measured, for tables and messages."""

    @property
    def error_class(self) -> str:
        """Targets whose model errors are of one size."""
        return self.quantity

    @property
    def error_scale(self) -> float:
        """Model errors of a class are in proportion to this [``unit``]: the measured value of a property that is positive."""
        return self.measured

    @property
    def molecule_key(self) -> str:
        """What tells molecules apart in validation: the canonical SMILES, or the name where there is none."""
        return key_of(self.molecule)

    def at(self, temperature: float | None) -> str:
        """``" at 330 K"`` for a target with a temperature of its own, to end a label with."""
        return "" if temperature is None else f" at {temperature:g} K"

    @property
    @abstractmethod
    def systems(self) -> tuple[str, ...]:
        """Names of the systems to be sampled."""

    @abstractmethod
    def calculate(
        self,
        samples: Mapping[str, PooledSamples],
        theta: Mapping[Pair, float],
        pairs: tuple[Pair, ...],
        *,
        min_effective: float,
        error: bool,
    ) -> CalculatedValue:
        """The target at the ε of ``theta``, with its derivatives along ``pairs``; where σ is free, these are coefficients and
        columns of :mod:`topdown.estimators.size_terms`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferTarget(Target):
    """ΔG(origin→destination) of a solute [kJ/mol], negative when it prefers the destination.

    Attributes
    ----------
    origin, destination : str
        Names of the phases.
    origin_system, destination_system : str
        Systems in which the solute is coupled to them.
    origin_family, destination_family : str
        Kinds of phase, such as alkane, whose model errors are alike.
    """

    quantity: ClassVar[str] = "transfer_free_energy"
    unit: ClassVar[str] = "kJ/mol"

    origin: str
    destination: str
    origin_system: str
    destination_system: str
    origin_family: str = ""
    destination_family: str = ""

    @property
    def label(self) -> str:
        """``"butane water→hexadecane"``."""
        return f"{self.molecule.name} {self.origin}→{self.destination}{self.at(self.temperature)}"

    @property
    def error_class(self) -> str:
        """Transfer free energies, by the kinds of phase other than water."""
        families = sorted({self.origin_family or self.origin, self.destination_family or self.destination} - {"water"})
        return f"{self.quantity} {'-'.join(families)}"

    @property
    def error_scale(self) -> float:
        """1 kJ/mol: model errors of free energies do not grow with their size."""
        return 1.0

    def phase_legs(self) -> tuple[tuple[str, str, float], tuple[str, str, float]]:
        """(phase, family, sign) of both ends."""
        return (
            (self.origin, self.origin_family or self.origin, -1.0),
            (self.destination, self.destination_family or self.destination, 1.0),
        )

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
            legs=tuple(
                (system, sign, end.standard_error) for system, sign, end in zip(self.systems, (-1.0, 1.0), ends)
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class OneSystemTarget(Target):
    """A property of one box.

    Attributes
    ----------
    system : str
    """

    system: str

    @property
    def systems(self) -> tuple[str, ...]:
        """The box."""
        return (self.system,)

    def _calculated(self, found: ReweightedValue, pairs: tuple[Pair, ...]) -> CalculatedValue:
        return CalculatedValue(
            value=found.value,
            standard_error=found.standard_error,
            gradient=np.array([found.gradient_of(p) for p in pairs]),
            n_effective=found.n_effective,
            legs=((self.system, 1.0, found.standard_error),),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityTarget(OneSystemTarget):
    """Density of a liquid [kg/m³]: molecules per volume times the real molar mass of what a model stands for.

    Attributes
    ----------
    molecule : CGMolecule
        With its ``molar_mass``; bead masses are conventions and are not used.
    n_molecules : int
        Molecules in the box.
    """

    quantity: ClassVar[str] = "density"
    unit: ClassVar[str] = "kg/m3"

    n_molecules: int

    def __post_init__(self) -> None:
        Target.__post_init__(self)
        if not self.molecule.molar_mass > 0:
            raise SettingsError("a density needs the molar mass of the molecule", where=self.label)

    @property
    def label(self) -> str:
        """``"hexadecane density"``."""
        return f"{self.molecule.name} density{self.at(self.temperature)}"

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
        mass = self.n_molecules * self.molecule.molar_mass
        found = reweighted_density(samples[self.system], mass, theta, min_effective=min_effective, error=error)
        return self._calculated(found, pairs)


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceTensionTarget(OneSystemTarget):
    """Surface tension of a liquid [mN/m], by the pressure tensor of a slab of it.

    Attributes
    ----------
    area : float
        L_x L_y of the box [nm²].
    """

    quantity: ClassVar[str] = "surface_tension"
    unit: ClassVar[str] = "mN/m"

    area: float

    @property
    def label(self) -> str:
        """``"hexadecane surface tension"``."""
        return f"{self.molecule.name} surface tension{self.at(self.temperature)}"

    def calculate(
        self,
        samples: Mapping[str, PooledSamples],
        theta: Mapping[Pair, float],
        pairs: tuple[Pair, ...],
        *,
        min_effective: float,
        error: bool,
    ) -> CalculatedValue:
        """γ, with the explicit term of its derivative."""
        found = reweighted_surface_tension(
            samples[self.system], self.area, theta, min_effective=min_effective, error=error
        )
        return self._calculated(found, pairs)
