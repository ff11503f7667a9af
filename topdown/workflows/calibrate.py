"""``topdown calibrate``: a campaign file becomes a new bead table and a report of what it is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from topdown.calibration.campaign import Campaign, DensityEntry, ParameterEntry, TransferEntry, read_campaign
from topdown.calibration.journal import Journal
from topdown.calibration.parameters import FreeParameter, ParameterSpace
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sampler import Sampler
from topdown.calibration.targets import DensityTarget, Target, TransferTarget
from topdown.errors import InputFileError, MoleculeError, SettingsError
from topdown.mapping import canonical_smiles, map_molecule
from topdown.model import BeadTable, CGMolecule, Measurement
from topdown.properties.measurements import find_measurement, load_measurements
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.resources import atomic_write_text
from topdown.tables import find_molecule, load_bead_table, load_molecule, write_bead_table

_WATER = "water"
#: Measured values within this of the campaign's temperature are taken as they are [K].
_TEMPERATURE_TOLERANCE = 5.0


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationPlan:
    """What a campaign would simulate.

    Attributes
    ----------
    problem : CalibrationProblem
    n_windows : int
        Windows and liquids of the first round.
    bead_steps : int
        Their cost in beads × steps.
    held_out_bead_steps : int
        Cost of the systems only held-out targets need, once.
    """

    problem: CalibrationProblem
    n_windows: int
    bead_steps: int
    held_out_bead_steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationOutcome:
    """A finished campaign and the files it left.

    Attributes
    ----------
    result : CalibrationResult
    folder : Path
        Where everything is.
    table_folder : Path
        The new bead table.
    files : tuple of Path
        Reports.
    """

    result: CalibrationResult
    folder: Path
    table_folder: Path
    files: tuple[Path, ...]


def engine_sampler(
    *, workers: int = 0, store: Path | None = None, progress: Callable[[int, int, str], None] | None = None
) -> Sampler:
    """The sampler on the bundled engine, with its store of runs.

    Parameters
    ----------
    workers : int
        Processes; 0 for one per available processor.
    store : Path, optional
        Folder of the run store; default the user's cache folder.
    progress : callable, optional
        Called with (runs done, runs to do, what).
    """
    return EngineSampler(store, workers=workers, progress=progress)


def plan_calibration(path: Path | str) -> CalibrationPlan:
    """Read and check a campaign and count what it would simulate, without simulating.

    Raises
    ------
    TopdownError
        Anything wrong in the campaign, its table, molecules or data.
    """
    problem = read_problem(path)
    systems = problem.systems_of("calibration")
    held_out = tuple(s for s in problem.systems_of("held-out") if s not in systems)
    n_lambdas = len(problem.sampling.lambdas)
    return CalibrationPlan(
        problem=problem,
        n_windows=sum(n_lambdas if problem.systems[s].solute else 1 for s in systems),
        bead_steps=problem.bead_steps(systems),
        held_out_bead_steps=problem.bead_steps(held_out),
    )


def calibrate(
    path: Path | str,
    folder: Path | str,
    *,
    sampler: Sampler,
    resume: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> CalibrationOutcome:
    """Run a campaign and write its journal, its reports and the new bead table into ``folder``.

    Parameters
    ----------
    path : Path or str
        The campaign file.
    folder : Path or str
        Holds ``journal.jsonl``, ``report.txt``, ``report.json`` and a folder with the name of the campaign: the table.
    sampler : Sampler
        Runs the simulations.
    resume : bool
        Continue the campaign whose journal is in ``folder``.
    progress : function of str
        Told one line about each step.

    Raises
    ------
    TopdownError
        Wrong input, or a run that failed; what was sampled is kept.
    """
    problem, folder = read_problem(path), Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(folder / "journal.jsonl", problem.digest(), resume=resume)
    except OSError as error:
        raise InputFileError(
            f"cannot be written: {error.strerror}", where=str(folder), hint="choose another -o"
        ) from None
    for warning in problem.warnings:
        progress(f"warning: {warning}")
    result = run_calibration(problem, sampler, journal, progress=progress)
    table_folder = write_bead_table(
        result.table, folder / result.name, description=f"{result.parent} calibrated by campaign {result.name}"
    )
    text = atomic_write_text(folder / "report.txt", calibration_text(result))
    data = json.dumps(calibration_json(result), indent=1, ensure_ascii=False) + "\n"
    return CalibrationOutcome(
        result=result,
        folder=folder,
        table_folder=table_folder,
        files=(text, atomic_write_text(folder / "report.json", data)),
    )


def read_problem(path: Path | str) -> CalibrationProblem:
    """A campaign file with its table, molecules and measured values found.

    Raises
    ------
    TopdownError
        Anything wrong in the file, its table, molecules or data.
    """
    campaign = read_campaign(path)
    table = load_bead_table(_table_place(campaign))
    if campaign.name == table.name:
        raise InputFileError(
            f"name {campaign.name!r} is that of the start table", where=str(campaign.path), hint="choose another name"
        )
    resolver = _Resolver(campaign, table)
    targets: list[Target] = [resolver.transfer(entry) for entry in campaign.transfers]
    targets += [resolver.density(entry) for entry in campaign.densities]
    return CalibrationProblem(
        name=campaign.name,
        table=table,
        temperature=campaign.temperature,
        pressure=campaign.pressure,
        space=ParameterSpace(parameters=tuple(_free_parameter(entry, table) for entry in campaign.parameters)),
        targets=tuple(targets),
        systems=resolver.systems,
        sampling=campaign.sampling,
        optimizer=campaign.optimizer,
        warnings=tuple(resolver.warnings),
    )


def _table_place(campaign: Campaign) -> str | Path:
    """The start table: a folder is meant relative to the campaign file."""
    beside = campaign.path.parent / campaign.table
    return beside if "/" in campaign.table and beside.is_dir() else campaign.table


def _free_parameter(entry: ParameterEntry, table: BeadTable) -> FreeParameter:
    _, start = table.pair(*entry.pair)
    lower, upper = entry.bounds or (0.2 * start, 2.0 * start)
    return FreeParameter(
        pair=entry.pair, start=start, prior_width=entry.prior_width, lower=lower, upper=upper, scale=entry.scale
    )


class _Resolver:
    """Finds the molecules and measured values a campaign names, and collects the systems they need."""

    def __init__(self, campaign: Campaign, table: BeadTable) -> None:
        self.campaign, self.table = campaign, table
        self.place = _table_place(campaign)
        self.phase_models = dict(campaign.phases)
        self.systems: dict[str, SimulatedSystem] = {}
        self.warnings: list[str] = []

    def transfer(self, entry: TransferEntry) -> TransferTarget:
        """The target of a ``[[targets.transfer]]`` section."""
        solute = self._solute(entry)
        where = f"{self.campaign.path}: {solute.name} {entry.origin}→{entry.destination}"
        value, uncertainty, reference = entry.value, entry.uncertainty, ""
        if value is None or uncertainty is None:
            oil, sign = self._oil(entry, where)
            phase = f"{oil}/{_WATER}"
            found = self._measured("transfer_free_energy", solute.canonical_smiles, phase, entry.split, where)
            value, uncertainty = sign * found.value, entry.uncertainty or found.uncertainty
            reference = found.reference
        return TransferTarget(
            molecule=solute,
            origin=entry.origin,
            destination=entry.destination,
            origin_system=self._coupling(solute, entry.origin),
            destination_system=self._coupling(solute, entry.destination),
            measured=value,
            uncertainty=uncertainty,
            model_error=entry.model_error,
            split=entry.split,
            reference=reference,
        )

    def density(self, entry: DensityEntry) -> DensityTarget:
        """The target of a ``[[targets.density]]`` section."""
        liquid = self._phase(entry.liquid)
        where = f"{self.campaign.path}: density of {entry.liquid}"
        value, uncertainty, reference = entry.value, entry.uncertainty, ""
        if value is None or uncertainty is None:
            found = self._measured("density", liquid.canonical_smiles, "liquid", entry.split, where)
            value, uncertainty, reference = found.value, entry.uncertainty or found.uncertainty, found.reference
        n = self._count(liquid)
        return DensityTarget(
            molecule=liquid,
            n_molecules=n,
            system=self._add(SimulatedSystem(name=f"{n} {liquid.name}", liquid=liquid, n_molecules=n)),
            measured=value,
            uncertainty=uncertainty,
            model_error=entry.model_error,
            split=entry.split,
            reference=reference,
        )

    def _solute(self, entry: TransferEntry) -> CGMolecule:
        if entry.model:
            molecule = load_molecule(self.place, entry.model)
            return replace(molecule, name=entry.name or entry.model)
        try:
            canonical = canonical_smiles(entry.smiles)
        except MoleculeError as error:
            raise InputFileError(str(error), where=str(self.campaign.path)) from None
        name = entry.name or canonical
        curated = find_molecule(self.place, canonical)
        if curated is not None:
            return replace(curated, name=name)
        return map_molecule(entry.smiles, self.table, name=name)

    def _phase(self, phase: str) -> CGMolecule:
        """The molecule of a phase, named like it: by ``[phases]``, as a known phase, or as a liquid with a known density."""
        if phase in self.phase_models:
            return replace(load_molecule(self.place, self.phase_models[phase]), name=phase)
        try:
            # calibration is against the model's dry octanol: docs/calibration.md
            found = find_phase("dry octanol" if phase == "octanol" else phase, self.place)
        except (SettingsError, MoleculeError):
            solvent: CGMolecule | None = self._liquid(phase)
        else:
            if len(found.components) > 1:
                raise InputFileError(
                    f"the phase {phase!r} is a mixture", where=str(self.campaign.path), hint="choose a pure liquid"
                )
            solvent = found.solvent
        if solvent is None:
            raise InputFileError(
                f"the phase {phase!r} is not simulated", where=str(self.campaign.path), hint="choose a liquid"
            )
        return replace(solvent, name=phase)

    def _liquid(self, phase: str) -> CGMolecule:
        """The model of a liquid that the density data know by name."""
        canonical = _canonical_of_liquid(phase)
        if canonical is None:
            known = sorted({_WATER, *_liquids()})
            near = get_close_matches(phase, known, n=1, cutoff=0.7)
            hint = f"did you mean {near[0]!r}?" if near else f'say which model it is: [phases] {phase} = "MODEL"'
            raise InputFileError(f"unknown phase {phase!r}", where=str(self.campaign.path), hint=hint)
        curated = find_molecule(self.place, canonical)
        return curated if curated is not None else map_molecule(canonical, self.table)

    def _coupling(self, solute: CGMolecule, phase: str) -> str:
        solvent = self._phase(phase)
        n = self._count(solvent)
        name = f"{solute.name} in {n} {solvent.name}"
        return self._add(SimulatedSystem(name=name, liquid=solvent, n_molecules=n, solute=solute))

    def _count(self, molecule: CGMolecule) -> int:
        return -(-self.campaign.sampling.n_beads // molecule.n_beads)

    def _add(self, system: SimulatedSystem) -> str:
        known = self.systems.setdefault(system.name, system)
        if (known.solute and known.solute.canonical_smiles) != (system.solute and system.solute.canonical_smiles):
            raise InputFileError(
                f"two different molecules are called {system.solute.name if system.solute else system.name!r}",
                where=str(self.campaign.path),
                hint="give each target its own name",
            )
        for bead_type in system.bead_types():
            self.table.index(bead_type)
        return system.name

    def _oil(self, entry: TransferEntry, where: str) -> tuple[str, float]:
        """The phase that is not water, and the sign that turns the stored ΔG(oil→water) into ΔG(from→to)."""
        if entry.destination == _WATER:
            return entry.origin, 1.0
        if entry.origin == _WATER:
            return entry.destination, -1.0
        raise InputFileError(
            "the data know transfer from and to water only", where=where, hint="give value and uncertainty"
        )

    def _measured(self, quantity: str, canonical: str, phase: str, split: str, where: str) -> Measurement:
        temperature = self.campaign.temperature
        found = find_measurement(quantity, canonical, phase, temperature, tolerance=_TEMPERATURE_TOLERANCE)
        if found is None:
            raise InputFileError(
                f"there is no measured {quantity.replace('_', ' ')} of {canonical} for {phase} near {temperature:g} K",
                where=where,
                hint="give value and uncertainty",
            )
        if found.flag:
            raise InputFileError(
                f"the measured value is suspect: {found.flag}",
                where=where,
                hint="give value and uncertainty, or drop it",
            )
        if split == "calibration" and found.split == "validation":
            self.warnings.append(
                f"{found.name} ({phase}) belongs to the validation part of the data, and is fitted here"
            )
        return found


def _liquids() -> dict[str, str]:
    """Canonical SMILES of every liquid with a measured density, by lower-case name."""
    return {m.name.casefold(): m.canonical_smiles for m in load_measurements("density")}


def _canonical_of_liquid(name: str) -> str | None:
    return "O" if name == _WATER else _liquids().get(name.casefold())
