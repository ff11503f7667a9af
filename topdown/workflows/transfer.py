"""The job ``topdown transfer``: SMILES in, free energies of transfer out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.errors import SettingsError, TopdownError
from topdown.estimators.reweighting import MIN_EFFECTIVE
from topdown.mapping import canonical_smiles, map_molecule
from topdown.mapping.class_typing import class_model_of
from topdown.model import BeadTable, CGMolecule
from topdown.properties.molecule_models import molecule_model
from topdown.properties.phases import Phase, plain_name, solvent_phase
from topdown.properties.sampler import EngineSampler, Progress
from topdown.properties.solvation import NOMINAL_SPEED, Effort, measure_solvation, solvation_request
from topdown.properties.transfer import (
    SolvationResult,
    TransferResult,
    check_neutral,
    transfer_free_energy,
)
from topdown.resources import atomic_write_bytes
from topdown.tables import load_bead_table
from topdown.tables.folder import calibrated_phases
from topdown.workflows.made_with import made_with
from topdown.workflows.map_molecules import MoleculeRequest
from topdown.workflows.refusals import refusal_object


@dataclass(frozen=True, kw_only=True)
class TransferOutcome:
    """One molecule and one target phase: a result or the error that stopped it.

    Attributes
    ----------
    request : MoleculeRequest
    from_phase, to_phase : str
    table : str
        Bead table.
    seed : int
    canonical_smiles : str
    model : str
        How the solute is represented, for the user.
    result : TransferResult or None
    error : TopdownError or None
    wall_s : float
        Wall time [s] spent on this molecule so far.
    """

    request: MoleculeRequest
    from_phase: str
    to_phase: str
    table: str = ""
    seed: int = 1
    canonical_smiles: str = ""
    model: str = ""
    result: TransferResult | None = None
    error: TopdownError | None = None
    wall_s: float = 0.0


#: Standard error at which sampling ends when none is asked for [kJ/mol].
DEFAULT_ERROR: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """How to compute.

    Attributes
    ----------
    from_phase, to_phases
        As :func:`topdown.properties.phases.find_phase` reads them.
    temperature : float
        [K]
    target_error : float, optional
        Standard error of each ΔG of transfer at which sampling ends [kJ/mol]; default 0.5, and whatever stored sums have where
        they answer (:func:`topdown.workflows.instant.stored_solvation`).
    budget_s : float, optional
        Seconds of all processors together for one molecule, at a nominal speed
        (:data:`topdown.properties.solvation.NOMINAL_SPEED`), shared evenly by its phases.
    seed : int

    Raises
    ------
    SettingsError
        A value out of range, or phases that are not different.

    Notes
    -----
    1-octanol is taken for ``octanol``, which is saturated with water.
    """

    from_phase: str = "water"
    to_phases: tuple[str, ...] = ("octanol",)
    temperature: float = 298.15
    target_error: float | None = None
    budget_s: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        if not 200.0 <= self.temperature <= 500.0:
            raise SettingsError(f"a temperature of {self.temperature:g} K is out of range", hint="200 to 500 K")
        if self.target_error is not None and not 0.02 <= self.target_error <= 100.0:
            raise SettingsError(f"--error: {self.target_error:g} kJ/mol cannot be aimed at", hint="0.02 to 100")
        if self.budget_s is not None and not self.budget_s > 0.0:
            raise SettingsError(f"--budget: {self.budget_s:g} s is no time")
        if self.seed < 0:
            raise SettingsError(f"the seed must not be negative, got {self.seed}")
        object.__setattr__(self, "from_phase", _partition_phase(self.from_phase))
        object.__setattr__(self, "to_phases", tuple(_partition_phase(name) for name in self.to_phases))
        names = [name.strip().lower() for name in (self.from_phase, *self.to_phases)]
        if len(set(names)) != len(names) or len(names) < 2:
            raise SettingsError(f"phases must differ, got {', '.join(names)}")

    @property
    def _target(self) -> float:
        return DEFAULT_ERROR if self.target_error is None else self.target_error

    def effort(self, n_legs: int) -> Effort:
        """What each of the liquids a molecule is put into may cost; the errors of two add up in squares."""
        target = self._target / math.sqrt(min(n_legs, 2))
        if self.budget_s is None:
            return Effort(target_error=target)
        return Effort(target_error=target, budget=self.budget_s * NOMINAL_SPEED / n_legs)


def _partition_phase(name: str) -> str:
    """A phase as asked for; whoever asks for a partition into 1-octanol means the phase that log P is measured in."""
    return "octanol" if name.strip().lower() in ("1-octanol", "octan-1-ol") else name


#: The table of our own calibration, and the one for everything else.
CALIBRATED_TABLE, PUBLISHED_TABLE = "topdown1", "martini3"


def default_table(phases: Sequence[str]) -> str:
    """The table that free energies between ``phases`` are best taken from: topdown1 where it was calibrated on all of them."""
    known = {"gas", *calibrated_phases(CALIBRATED_TABLE)}
    return CALIBRATED_TABLE if all(plain_name(name) in known for name in phases) else PUBLISHED_TABLE


def simulated_transfer(
    requests: Sequence[MoleculeRequest],
    table_name: str | Path,
    settings: TransferSettings,
    *,
    store: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
    stored: Callable[[CGMolecule, Phase], SolvationResult | None] | None = None,
) -> Iterator[TransferOutcome]:
    """Free energies of transfer of several molecules, one outcome per molecule and target phase, in order.

    Parameters
    ----------
    requests : sequence of MoleculeRequest
    table_name : str or Path
        Bead table.
    settings : TransferSettings
    store : Path, optional
        Folder of the run store; runs found there are not repeated.
    workers : int
        Processes; 0 for one per available processor.
    progress : callable, optional
        Called with (runs done, runs to do, what).
    stored : callable, optional
        What is known of a molecule in a phase without a run (:func:`topdown.workflows.instant.stored_solvation`); None of it is
        simulated.

    Raises
    ------
    SettingsError, BeadTableError
        Phases or table that do not exist. Errors of single molecules, and of single phases of a molecule, are part of their
        outcome.
    """
    table = load_bead_table(table_name)
    start = solvent_phase(settings.from_phase, str(table_name))
    ends = [solvent_phase(name, str(table_name)) for name in settings.to_phases]
    sampler = EngineSampler(store, workers=workers, progress=progress)
    effort = settings.effort(sum(bool(phase.components) for phase in (start, *ends)))

    def solvation(solute: CGMolecule, phase: Phase) -> SolvationResult:
        found = None if stored is None else stored(solute, phase)
        if found is not None:
            return found
        asked = solvation_request(solute, phase, table, temperature=settings.temperature, seed=settings.seed)
        return measure_solvation(asked, phase.name, sampler, effort)

    for request in requests:
        yield from transfer_outcomes(request, table, table_name, start, ends, settings, solvation)


def transfer_outcomes(
    request: MoleculeRequest,
    table: BeadTable,
    table_name: str | Path,
    start: Phase,
    ends: Sequence[Phase],
    settings: TransferSettings,
    solvation: Callable[[CGMolecule, Phase], SolvationResult],
) -> Iterator[TransferOutcome]:
    """One molecule into every phase of ``ends``, however its free energies of solvation are found.

    Parameters
    ----------
    request : MoleculeRequest
    table : BeadTable
    table_name : str or Path
        The same by name or folder.
    start, ends : Phase, sequence of Phase
    settings : TransferSettings
        Temperature, and the seed of the conformers.
    solvation : callable
        ΔG(gas → phase) of a molecule; not called for the gas.
    """

    def leg(phase: Phase) -> dict[str, SolvationResult]:
        return {phase.name: solvation(solute, phase)} if phase.components else {}

    began = time.perf_counter()

    def outcome(end: Phase, **found: Any) -> TransferOutcome:
        spent = time.perf_counter() - began
        return TransferOutcome(
            request=request,
            from_phase=start.name,
            to_phase=end.name,
            table=table.name,
            seed=settings.seed,
            wall_s=spent,
            **found,
        )

    try:
        canonical = canonical_smiles(request.smiles)
        solute, model = _solute(request, canonical, table, table_name, settings.seed)
        legs = leg(start)
    except TopdownError as error:
        yield from (outcome(end, error=error) for end in ends)
        return
    fitted = calibrated_phases(table_name)
    for end in ends:
        named = {"canonical_smiles": canonical, "model": model}
        try:
            both = legs | leg(end)
        except TopdownError as error:
            yield outcome(end, error=error, **named)
            continue
        result = transfer_free_energy(start, end, both, temperature=settings.temperature, canonical_smiles=canonical)
        yield outcome(end, result=replace(result, remarks=_remarks(result, solute, table_name, fitted)), **named)


def _remarks(
    result: TransferResult, solute: CGMolecule, table_name: str | Path, fitted: Sequence[str]
) -> tuple[str, ...]:
    """Those of result and mapping; phases that a calibrated table was not ``fitted`` to; what stored sums gave, and whether
    fewer effective samples than usual support it."""
    remarks = (*result.remarks, *solute.warnings)
    others = [leg.phase for leg in result.legs if fitted and leg.phase not in fitted]
    if others:
        name, where = Path(table_name).name, " and ".join(others)
        remarks = (
            *remarks,
            f"{name} was not fitted to free energies in {where}: --table {PUBLISHED_TABLE} is nearer there",
        )
    stored = [leg.phase for leg in result.legs if leg.n_windows == 0]
    if not stored:
        return remarks
    which = "" if len(stored) == len(result.legs) else f" in {stored[0]}"
    remarks = (f"reweighted from stored sums{which}, not simulated", *remarks)
    if result.delta_g.n_effective < MIN_EFFECTIVE:
        remarks = (*remarks, f"only {result.delta_g.n_effective:.0f} effective samples: --simulate to be sure")
    return remarks


def _solute(
    request: MoleculeRequest, canonical: str, table: BeadTable, table_name: str | Path, seed: int
) -> tuple[CGMolecule, str]:
    """The published model of a molecule where the table has one, else our own mapping."""
    if canonical == "O":
        raise SettingsError(
            "a W bead stands for four waters, so one water molecule has no free energy of transfer here",
            where=request.smiles,
        )
    if class_model_of(table) is not None:
        # A table of classes has been calibrated with molecules as they are mapped.
        mapped = map_molecule(request.smiles, table, name=canonical, seed=seed)
        check_neutral(mapped)
        return mapped, f"mapped: {' '.join(mapped.type_names)}"
    found = molecule_model(request.smiles, table, table_name, name=canonical, seed=seed)
    check_neutral(found.molecule)
    return found.molecule, found.origin


class TransferPlots:
    """Figures of free energies as they come, one file for each molecule and pair of phases.

    Parameters
    ----------
    folder : Path
        Made when first written to.

    Raises
    ------
    SettingsError
        matplotlib is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from topdown.report.coupling_plots import require_matplotlib

        require_matplotlib()
        self._folder = folder
        self._number = 0

    def add(self, outcome: TransferOutcome) -> Path:
        """Draw one outcome; the file is named by its number and phases, never by what a user calls a molecule."""
        from topdown.report.coupling_plots import coupling_figure

        assert outcome.result is not None
        self._number += 1
        legs = [(leg.phase, leg.diagnostics) for leg in outcome.result.legs if leg.diagnostics is not None]
        names = (outcome.result.from_phase, outcome.result.to_phase)
        plain = "-".join(re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:30] for name in names)
        path = self._folder / f"{self._number:03d}-{plain}.png"
        title = f"{outcome.request.name}, {names[0]} → {names[1]}"
        atomic_write_bytes(path, coupling_figure(legs, title=title))
        return path


def transfer_json(outcome: TransferOutcome) -> dict[str, Any]:
    """The object ``--json`` prints for one outcome."""
    head: dict[str, Any] = {"name": outcome.request.name, "smiles": outcome.request.smiles}
    if outcome.error is not None:
        phases = {"from": outcome.from_phase, "to": outcome.to_phase}
        return {**head, **phases, "error": refusal_object(outcome.error)}
    result = outcome.result
    assert result is not None
    measured = result.experiment
    return {
        **head,
        "canonical_smiles": outcome.canonical_smiles,
        "table": outcome.table,
        "model": outcome.model,
        "from": result.from_phase,
        "to": result.to_phase,
        "temperature_K": result.temperature,
        "delta_g_kJ_mol": result.delta_g.value,
        "standard_error": result.delta_g.standard_error,
        "log_p": result.log_p,
        "log_p_error": result.log_p_error,
        "experiment": None
        if measured is None
        else {
            "delta_g_kJ_mol": measured.value,
            "uncertainty_kJ_mol": measured.uncertainty,
            "temperature_K": measured.temperature,
            "flag": measured.flag,
            "reference": measured.reference,
        },
        "phases": [
            {
                "phase": leg.phase,
                "delta_g_solvation_kJ_mol": leg.delta_g.value,
                "standard_error": leg.delta_g.standard_error,
                "n_solvent": leg.n_solvent,
                "n_windows": leg.n_windows,
                "n_frames": leg.n_frames,
                "bead_steps": leg.cost,
                **_diagnostics_json(leg),
            }
            for leg in result.legs
        ],
        "diagnostics": {
            "overlap": min((leg.overlap for leg in result.legs if leg.n_windows), default=None),
            "n_effective": result.delta_g.n_effective,
        },
        "remarks": list(result.remarks),
        "made_with": made_with(outcome.seed),
        "wall_s": round(outcome.wall_s, 2),
    }


def _diagnostics_json(leg: SolvationResult) -> dict[str, Any]:
    """What a leg rests on, as plain lists; NaN, which JSON does not have, as null."""
    found = leg.diagnostics
    if found is None:
        return {}

    def plain(values: Any) -> list[Any]:
        return [None if value != value else value for value in np.asarray(values).tolist()]

    return {
        "lambdas": plain(found.lambdas),
        "charge_lambdas": plain(found.charge_lambdas),
        "frames_per_state": plain(found.n_frames),
        "overlap_matrix": np.round(found.overlap, 6).tolist(),
        "du_dlambda_kJ_mol": plain(found.slopes),
        "variance_by_state": plain(found.variances),
        "convergence": {
            "fraction": plain(found.fractions),
            "forward_kJ_mol": plain(found.forward),
            "forward_error": plain(found.forward_errors),
            "backward_kJ_mol": plain(found.backward),
            "backward_error": plain(found.backward_errors),
        },
    }
