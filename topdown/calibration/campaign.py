"""What a campaign file says, section by section (:mod:`topdown.calibration.campaign_file` reads it)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from topdown.calibration.campaign_checks import ChecksEntry
from topdown.calibration.design import MatrixSettings
from topdown.calibration.error_model import CostSettings
from topdown.calibration.parameters import Pair, Scale
from topdown.calibration.targets import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterEntry:
    """A ``[[parameters]]`` section: one free ε."""

    pair: tuple[str, str]
    prior_width: float
    bounds: tuple[float, float] | None
    scale: Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """A ``[[parameters]]`` section with ``pairs``: one factor that several ε share."""

    name: str
    pairs: tuple[Pair, ...]
    prior_width: float
    factors: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEntry:
    """A ``[[targets.transfer]]`` section: ΔG(from→to) of one solute [kJ/mol]."""

    name: str
    smiles: str
    model: str
    origin: str
    destination: str
    value: float | None
    uncertainty: float | None
    model_error: float | None
    temperature: float | None
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidEntry:
    """A ``[[targets.density]]`` or ``[[targets.surface_tension]]`` section: one liquid [kg/m³] or [mN/m]."""

    liquid: str
    value: float | None
    uncertainty: float | None
    model_error: float | None
    temperature: float | None
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """The ``[sampling]`` section.

    Attributes
    ----------
    lambdas : tuple of float
    n_steps, n_equilibration, every : int
        Steps of production and equilibration of each λ window or liquid, and between stored frames.
    n_beads : int
        Size of every box: as many solvent molecules as make at least this many beads.
    seed : int
    slab_steps, slab_equilibration : int
        The steps of a slab.
    """

    lambdas: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
    n_steps: int = 40_000
    n_equilibration: int = 10_000
    every: int = 50
    n_beads: int = 400
    seed: int = 1
    slab_steps: int = 100_000
    slab_equilibration: int = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """The ``[optimizer]`` section.

    Attributes
    ----------
    max_rounds : int
        Most rounds of simulation.
    ess_threshold : float
        Effective samples every phase must keep for a step to be trusted.
    tolerance : float
        A fit ends when its step is shorter than this many posterior standard deviations.
    """

    max_rounds: int = 4
    ess_threshold: float = 50.0
    tolerance: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSettings:
    """The ``[validation]`` section.

    Attributes
    ----------
    folds : int
        Parts the molecules are divided into, each left out of a fit in turn.
    chemotypes : bool
        Whether every kind of molecule is left out in turn, too.
    """

    folds: int = 5
    chemotypes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEntry:
    """A ``[[types.block]]`` section: beads of one type that change together.

    Attributes
    ----------
    name : str
    beads : tuple of (str, str)
        Name of the solute and of its bead.
    candidates : tuple of str
    """

    name: str
    beads: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypesEntry:
    """The ``[types]`` section.

    Attributes
    ----------
    runners_up : int
        How many of the mapper's next-best types each building block may take.
    least_gain : float
        By how much a change must lower the cost.
    blocks : tuple of BlockEntry
    """

    runners_up: int = 2
    least_gain: float = 2.0
    blocks: tuple[BlockEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What a campaign file says, checked but not yet resolved into molecules and numbers.

    Attributes
    ----------
    path : Path
    name : str
        Also the name of the table that results.
    table : str
        Start table, by name or folder.
    temperature, pressure : float
        [K], [bar]
    phases : tuple of (str, str)
        Names of phases and the curated models that stand for them, where the names alone do not tell.
    parameters, groups, transfers, densities, tensions : tuples of entries
    matrix : MatrixSettings or None
    sampling : SamplingSettings
    optimizer : OptimizerSettings
    cost : CostSettings
    validation : ValidationSettings
    budget : int or None
        Most beads × steps of all rounds together.
    types : TypesEntry or None
    other_properties : bool
        Whether measured densities of the solvents that are no targets are calculated as a check.
    checks : ChecksEntry
    """

    path: Path
    name: str
    table: str
    temperature: float
    pressure: float
    phases: tuple[tuple[str, str], ...]
    parameters: tuple[ParameterEntry, ...]
    groups: tuple[GroupEntry, ...]
    matrix: MatrixSettings | None
    transfers: tuple[TransferEntry, ...]
    densities: tuple[LiquidEntry, ...]
    tensions: tuple[LiquidEntry, ...]
    sampling: SamplingSettings
    optimizer: OptimizerSettings
    cost: CostSettings
    validation: ValidationSettings
    budget: int | None
    types: TypesEntry | None
    other_properties: bool
    checks: ChecksEntry

    @property
    def targets(self) -> tuple[TransferEntry | LiquidEntry, ...]:
        """Every target."""
        return (*self.transfers, *self.densities, *self.tensions)
