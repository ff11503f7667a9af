"""A campaign with its molecules and measured values in place: what to simulate at any ε, and what to compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from topdown.calibration.campaign import OptimizerSettings, SamplingSettings, ValidationSettings
from topdown.calibration.error_model import CostSettings
from topdown.calibration.parameters import FloatArray, Pair, Parameter, ParameterSpace
from topdown.calibration.planned_checks import BilayerPlan, DiffusionPlan, MeltingPlan, MixturePlan
from topdown.calibration.targets import Split, Target
from topdown.calibration.type_blocks import TypeSettings
from topdown.errors import SettingsError
from topdown.estimators.retyping import own_names
from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule
from topdown.model.requests import (
    Components,
    CouplingRequest,
    LiquidRequest,
    SampleRequest,
    SlabRequest,
    charges_last,
)
from topdown.sampling.fingerprints import describe_molecule, hash_of

#: Factors of a solute's Coulomb energy, on from λ = 1 without it.
CHARGES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedSystem:
    """One box to be sampled.

    Attributes
    ----------
    name : str
        The ``system`` of its request.
    liquid : CGMolecule
        What fills the box: solvent, or the liquid itself.
    n_molecules : int
        How many of them.
    solute : CGMolecule or None
    cosolvents : tuple of (CGMolecule, int)
        What else is in a mixture.
    slab : (float, float) or None
        L_x = L_y and L_z of a slab between vapours [nm]; None for a box full of liquid.
    temperature : float or None
        [K]; that of the campaign when None.
    """

    name: str
    liquid: CGMolecule
    n_molecules: int
    solute: CGMolecule | None = None
    cosolvents: Components = ()
    slab: tuple[float, float] | None = None
    temperature: float | None = None

    def components(self) -> Components:
        """Every molecule in the box but the solute."""
        return ((self.liquid, self.n_molecules), *self.cosolvents)

    def bead_types(self) -> set[str]:
        """Names of the bead types in the box."""
        solvent = {name for molecule, _ in self.components() for name in molecule.type_names}
        return solvent | set(self.solute.type_names if self.solute else ())

    def meetings(self) -> set[Pair]:
        """Pairs of bead types that interact between molecules; what a solute does with itself is not counted."""
        solvent = {name for molecule, _ in self.components() for name in molecule.type_names}
        every = solvent | set(self.solute.type_names if self.solute else ())
        return {(min(a, b), max(a, b)) for a in solvent for b in every}

    def n_beads(self) -> int:
        """Beads in the box."""
        solvent = sum(count * molecule.n_beads for molecule, count in self.components())
        return solvent + (self.solute.n_beads if self.solute else 0)

    @property
    def is_charged(self) -> bool:
        """Whether the solute carries charges, which are grown after everything else."""
        return self.solute is not None and any(bead.charge for bead in self.solute.beads)


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationProblem:
    """All a calibration needs but the samples.

    Attributes
    ----------
    name : str
    table : BeadTable
        The start table.
    temperature, pressure : float
        [K], [bar]
    space : ParameterSpace
    targets : tuple of Target
    systems : mapping of name to SimulatedSystem
    sampling : SamplingSettings
    optimizer : OptimizerSettings
    cost : CostSettings
    validation : ValidationSettings
    budget : int or None
        Most beads × steps of all rounds together.
    warnings : tuple of str
        What the user should know before believing the outcome.
    types : TypeSettings or None
        Beads whose type may change; every bead of a solute is then summed by itself.
    checks : tuple of str
        Labels of held-out targets that nobody asked for: another property than is fitted. They do not make another campaign.
    diffusion : tuple of DiffusionPlan
        Liquids whose self-diffusion is measured with the new table. They do not make another campaign either.
    mixtures : tuple of MixturePlan
        Pairs of liquids that are mixed with both tables; neither do they.
    bilayers : tuple of BilayerPlan
        Bilayers whose area is measured with both tables; nor do they.
    melting : tuple of MeltingPlan
        Liquids whose melting point is looked for with both tables; nor do they.
    lost : tuple of str
        Labels of targets that cannot be calculated because their simulations failed; they take no part in anything.
    """

    name: str
    table: BeadTable
    temperature: float
    pressure: float
    space: ParameterSpace
    targets: tuple[Target, ...]
    systems: Mapping[str, SimulatedSystem]
    sampling: SamplingSettings
    optimizer: OptimizerSettings
    cost: CostSettings = field(default_factory=CostSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    budget: int | None = None
    warnings: tuple[str, ...] = ()
    types: TypeSettings | None = None
    checks: tuple[str, ...] = ()
    diffusion: tuple[DiffusionPlan, ...] = ()
    mixtures: tuple[MixturePlan, ...] = ()
    bilayers: tuple[BilayerPlan, ...] = ()
    melting: tuple[MeltingPlan, ...] = ()
    lost: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks: tuple[DiffusionPlan | MixturePlan | BilayerPlan | MeltingPlan, ...] = (
            *self.diffusion,
            *self.mixtures,
            *self.bilayers,
            *self.melting,
        )
        for what, labels in (("target", [t.label for t in self.targets]), ("check", [c.label for c in checks])):
            twice = next((x for i, x in enumerate(labels) if x in labels[:i]), None)
            if twice is not None:
                raise SettingsError(f"the {what} {twice!r} is given twice", where=self.name, hint="keep one of them")
        used = {s for t in self.targets if t.split == "calibration" for s in t.systems}
        present = [self.systems[s].bead_types() for s in sorted(used)]
        for parameter in self.space.parameters:
            if not any(set(parameter.pair) <= types for types in present):
                raise SettingsError(
                    f"no calibration target holds both bead types of {parameter.label}",
                    where=self.name,
                    hint="add a target that depends on it, or drop the parameter",
                )
        first = self.bead_steps(self.systems_of("calibration"))
        if self.budget is not None and self.budget < first:
            raise SettingsError(
                f"the budget of {self.budget:.3g} beads × steps does not pay for the first round, {first:.3g}",
                where=self.name,
                hint="raise budget.bead_steps, or lower sampling.steps",
            )

    def targets_of(self, split: Split) -> tuple[Target, ...]:
        """The targets of one split, without those that are lost."""
        return tuple(t for t in self.targets if t.split == split and t.label not in self.lost)

    def systems_of(self, split: Split) -> tuple[str, ...]:
        """Names of the systems the targets of one split need, in order and once each."""
        return tuple(dict.fromkeys(s for t in self.targets_of(split) for s in t.systems))

    def check_systems(self) -> tuple[str, ...]:
        """Systems that only :attr:`checks` need."""
        wanted = {s for t in self.targets if t.label not in self.checks for s in t.systems}
        return tuple(s for s in self.systems_of("held-out") if s not in wanted)

    def mixture_systems(self) -> tuple[str, ...]:
        """Systems that only :attr:`mixtures` need, in order and once each."""
        used = {*self.systems_of("calibration"), *self.systems_of("held-out")}
        return tuple(dict.fromkeys(s for plan in self.mixtures for s in plan.systems if s not in used))

    def systems_in_use(self) -> tuple[str, ...]:
        """Systems of every target that is not lost, in the order of :attr:`systems`."""
        used = {*self.systems_of("calibration"), *self.systems_of("held-out")}
        return tuple(s for s in self.systems if s in used)

    def losing(self, systems: Collection[str]) -> tuple[CalibrationProblem, tuple[str, ...]]:
        """The problem without the targets that rest on ``systems``, and the labels of those, in order."""
        gone = tuple(
            t.label for t in self.targets if t.label not in self.lost and not set(t.systems).isdisjoint(systems)
        )
        return replace(self, lost=(*self.lost, *gone)), gone

    def temperature_of(self, system: str) -> float:
        """Temperature of a box [K]."""
        own = self.systems[system].temperature
        return self.temperature if own is None else own

    def request_at(self, system: str, x: FloatArray, round_index: int) -> SampleRequest:
        """What to sample for ``system`` at the parameters ``x``."""
        theta = self.space.theta(x, self.temperature_of(system))
        return self.request(system, theta, round_index, self.space.sigma_ratios(x))

    def request(
        self,
        system: str,
        theta: Mapping[Pair, float],
        round_index: int,
        ratios: Mapping[Pair, float] | None = None,
    ) -> SampleRequest:
        """What to sample for ``system`` at the ε of ``theta``, which are those at its temperature, and at σ times ``ratios``.

        The table holds only the bead types in the box, so that a run is known again whatever happens to other pairs. Soft
        cores keep the radii of the start table, so that all runs of a solute are on one path.
        """
        box = self.systems[system]
        start = self.table.subset(box.bead_types())
        table, scaled = _moved(start, theta, ratios or {})
        seed = derived_seed(self.sampling.seed, round_index, system)
        temperature = self.temperature_of(system)
        if box.slab is not None:
            return self._slab_request(box, box.slab, table, temperature, seed)
        if box.solute is None:
            return self._liquid_request(box, table, temperature, seed)
        return self._coupling_request(box, box.solute, table, start if scaled else None, temperature, seed)

    def _slab_request(
        self, box: SimulatedSystem, edges: tuple[float, float], table: BeadTable, temperature: float, seed: int
    ) -> SlabRequest:
        """A slab of a liquid between its vapour, ``edges`` being width and height of its box [nm]."""
        sampling = self.sampling
        return SlabRequest(
            molecule=box.liquid,
            n_molecules=box.n_molecules,
            cosolvents=box.cosolvents,
            table=table,
            temperature=temperature,
            pressure=self.pressure,
            width=edges[0],
            height=edges[1],
            n_equilibration=sampling.slab_equilibration,
            n_steps=sampling.slab_steps,
            every=sampling.every,
            seed=seed,
            virial_halves=not box.meetings().isdisjoint(self.space.size_pairs),
        )

    def _liquid_request(self, box: SimulatedSystem, table: BeadTable, temperature: float, seed: int) -> LiquidRequest:
        """A pure liquid, or a mixture, at constant pressure."""
        sampling = self.sampling
        return LiquidRequest(
            molecule=box.liquid,
            n_molecules=box.n_molecules,
            cosolvents=box.cosolvents,
            table=table,
            temperature=temperature,
            pressure=self.pressure,
            n_equilibration=sampling.n_equilibration,
            n_steps=sampling.n_steps,
            every=sampling.every,
            seed=seed,
        )

    def _coupling_request(
        self,
        box: SimulatedSystem,
        solute: CGMolecule,
        table: BeadTable,
        core: BeadTable | None,
        temperature: float,
        seed: int,
    ) -> CouplingRequest:
        """A solute along its path in a liquid; ``core`` has the radii of soft cores where they are not those of ``table``."""
        sampling = self.sampling
        lambdas, charges = charges_last(sampling.lambdas, CHARGES) if box.is_charged else (sampling.lambdas, None)
        if self.types is not None:
            core = core and own_names(solute, core)[1]
            solute, table = own_names(solute, table)
        return CouplingRequest(
            solute=solute,
            solvent=box.liquid,
            n_solvent=box.n_molecules,
            cosolvents=box.cosolvents,
            table=table,
            temperature=temperature,
            pressure=self.pressure,
            lambdas=lambdas,
            charge_lambdas=charges,
            n_equilibration=sampling.n_equilibration,
            n_steps=sampling.n_steps,
            every=sampling.every,
            seed=seed,
            core=core,
        )

    def table_at(self, types: set[str], x: FloatArray, temperature: float) -> BeadTable:
        """The table of some bead types at the parameters ``x`` and a temperature [K]."""
        return _moved(self.table.subset(types), self.space.theta(x, temperature), self.space.sigma_ratios(x))[0]

    def n_windows(self, system: str) -> int:
        """Runs that sampling a box once takes."""
        box = self.systems[system]
        return (len(self.sampling.lambdas) + len(CHARGES) * box.is_charged) if box.solute else 1

    def bead_steps(self, systems: Sequence[str]) -> int:
        """Cost of sampling ``systems`` once, in beads × steps."""
        return sum(self.window_bead_steps(s) * self.n_windows(s) for s in systems)

    def window_bead_steps(self, system: str) -> int:
        """Cost of one window of a box, in beads × steps."""
        box, sampling = self.systems[system], self.sampling
        bulk, slab = sampling.n_steps + sampling.n_equilibration, sampling.slab_steps + sampling.slab_equilibration
        return box.n_beads() * (slab if box.slab else bulk)

    def digest(self) -> str:
        """Hash of everything that decides the outcome, 16 hexadecimal digits."""
        targets = [t for t in self.targets if t.label not in self.checks]
        used = {name for t in targets for name in t.systems}
        systems = [s for name, s in sorted(self.systems.items()) if name in used]
        types = sorted(set().union(*(s.bead_types() for s in systems)))
        content = {
            "name": self.name,
            "state": [self.temperature, self.pressure],
            "parameters": [_described(p) for p in self.space.all],
            "targets": [
                [
                    *(t.label, t.measured, t.uncertainty, t.model_error, t.learn_model_error, t.error_class),
                    *(t.temperature, t.chemotype, t.split, list(t.systems)),
                ]
                for t in targets
            ],
            "systems": [
                [
                    *(s.name, s.slab, s.temperature, _shape(s.solute) if s.solute else None),
                    [[n, _shape(molecule)] for molecule, n in s.components()],
                ]
                for s in systems
            ],
            "pairs": [[a, b, *self.table.pair(a, b)] for a in types for b in types if a <= b],
            "scheme": asdict(self.table.scheme),
            "sampling": asdict(self.sampling),
            "optimizer": asdict(self.optimizer),
            "cost": asdict(self.cost),
            "validation": asdict(self.validation),
            "budget": self.budget,
        }
        if self.types is not None:
            content["types"] = asdict(self.types)
        return hash_of(content)[:16]


def _moved(
    start: BeadTable, theta: Mapping[Pair, float], ratios: Mapping[Pair, float]
) -> tuple[BeadTable, dict[Pair, float]]:
    """A table with the ε of ``theta`` and σ times ``ratios``, as far as it has the pairs, and the σ/σ⁰ that are not 1."""
    types = {t.name for t in start.bead_types}
    moved = {pair: value for pair, value in theta.items() if set(pair) <= types}
    scaled = {pair: value for pair, value in ratios.items() if set(pair) <= types and value != 1.0}
    return start.with_epsilon(moved).with_scaled_sigma(scaled), scaled


def _described(parameter: Parameter) -> dict[str, object]:
    """A parameter as plain data; what does not move σ does not mention it."""
    found = asdict(parameter)
    if not found.get("of_sigma", True):
        del found["of_sigma"]
    return found


def _shape(molecule: CGMolecule) -> list[object]:
    """What of a molecule decides its simulation and its density."""
    return [describe_molecule(molecule), molecule.molar_mass]


def derived_seed(seed: int, round_index: int, system: str) -> int:
    """A seed below 2³¹ for one system in one round, from the seed of the campaign."""
    text = json.dumps([seed, round_index, system])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
