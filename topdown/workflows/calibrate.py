"""``topdown calibrate``: a campaign file becomes a new bead table and a report of what it is worth."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topdown.calibration.journal import JOURNAL_FILE, Journal, locked
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sampler import Sampler
from topdown.calibration.stickiness import VirialComparison, compare_second_virials
from topdown.errors import InputFileError, SimulationError
from topdown.model import WindowFailure, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import BilayerRequest, DiffusionRequest, MeltingRequest, SampleRequest
from topdown.properties.planned_runs import LIQUID_EQUILIBRATION
from topdown.properties.sampler import EngineSampler, Progress
from topdown.report.calibration_figures import figure_pngs
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.report.calibration_types import types_csv
from topdown.resources import atomic_write_bytes, atomic_write_text
from topdown.sampling.executors import named_executor
from topdown.tables import write_bead_table
from topdown.workflows.calibration_problem import read_problem
from topdown.workflows.calibration_status import PROGRESS_FILE

#: Beads × steps per second of one processor, for estimates of time until a campaign has measured its own: about 7e6 for 400 beads
#: of a liquid on a Zen 4 core (benchmarks/RESULTS.md); half of that is assumed.
TYPICAL_SPEED = 3.5e6


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationPlan:
    """What a campaign would simulate.

    Attributes
    ----------
    problem : CalibrationProblem
    n_windows : int
        Windows, liquids and slabs of the first round.
    bead_steps : int
        Their cost in beads × steps.
    held_out_bead_steps : int
        Cost of the systems only held-out targets need, once.
    check_bead_steps : int
        Cost of what ``[checks]`` asks for, once; at most, where it depends on what is seen.
    box_bead_steps : int
        Cost of equilibrating the boxes all of them start from, once per round for those that are simulated.
    """

    problem: CalibrationProblem
    n_windows: int
    bead_steps: int
    held_out_bead_steps: int
    check_bead_steps: int
    box_bead_steps: int

    @property
    def most_bead_steps(self) -> int:
        """Cost of all rounds if each simulated everything, at most the budget, with the held-out systems and the checks."""
        rounds = self.bead_steps * self.problem.optimizer.max_rounds
        budget = self.problem.budget
        return (rounds if budget is None else min(rounds, budget)) + self.held_out_bead_steps + self.check_bead_steps

    def hours(self, bead_steps: int, workers: int) -> float:
        """A guess at the time on so many processors, equilibration of the boxes included."""
        whole = bead_steps * (
            1.0 + self.box_bead_steps / max(self.bead_steps + self.held_out_bead_steps + self.check_bead_steps, 1)
        )
        return whole / (TYPICAL_SPEED * max(workers, 1) * 3600.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationOutcome:
    """A finished campaign and the files it left.

    Attributes
    ----------
    result : CalibrationResult
    stickiness : tuple of VirialComparison
        Second virial coefficients of the solutes with both tables.
    folder : Path
        Where everything is.
    table_folder : Path
        The new bead table.
    files : tuple of Path
        Reports.
    """

    result: CalibrationResult
    stickiness: tuple[VirialComparison, ...]
    folder: Path
    table_folder: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Tolerant:
    """A sampler of the engine whose failed runs are answers, not errors."""

    engine: EngineSampler

    def sample(self, requests: Sequence[SampleRequest]) -> Sequence[WindowSamples | WindowFailure]:
        return self.engine.attempt(requests)

    def record(self, request: DiffusionRequest | BilayerRequest | MeltingRequest) -> Mapping[str, FloatArray]:
        """The paths of molecules, the frames of a bilayer, or what a crystal did, that a run left in the store."""
        return self.engine.record(request)


def engine_sampler(
    *,
    workers: int = 0,
    store: Path | None = None,
    executor: str = "",
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Sampler:
    """The sampler on the bundled engine, with its store of runs.

    Parameters
    ----------
    workers : int
        Processes; 0 for one per available processor.
    store : Path, optional
        Folder of the run store; default the user's cache folder.
    executor : str
        ``""`` or ``"processes"``, ``"threads"``, ``"dask://HOST:PORT"`` or ``"mpi"``; see
        :func:`topdown.sampling.executors.named_executor`.
    progress : callable, optional
        Called with (runs done, runs to do, what).
    folder : Path, optional
        Of the campaign: how many runs are done is kept there for ``calibrate status``.

    Raises
    ------
    SettingsError
        An executor that is unknown, not installed, or not reached.
    """

    def tell(done: int, total: int, what: str) -> None:
        if folder is not None and folder.is_dir():
            with contextlib.suppress(OSError):
                atomic_write_text(folder / PROGRESS_FILE, json.dumps({"done": done, "total": total, "what": what}))
        if progress is not None:
            progress(done, total, what)

    return _Tolerant(EngineSampler(store, workers=workers, executor=named_executor(executor, workers), progress=tell))


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
    mixed = problem.mixture_systems()
    return CalibrationPlan(
        problem=problem,
        n_windows=sum(problem.n_windows(s) for s in systems),
        bead_steps=problem.bead_steps(systems),
        held_out_bead_steps=problem.bead_steps(held_out),
        check_bead_steps=sum(plan.bead_steps(problem.sampling.n_equilibration) for plan in problem.diffusion)
        + problem.bead_steps(mixed)
        + sum(2 * plan.bead_steps for plan in problem.bilayers)
        + sum(2 * plan.most_bead_steps for plan in problem.melting),
        box_bead_steps=LIQUID_EQUILIBRATION
        * (
            sum(problem.systems[s].n_beads() for s in (*systems, *held_out, *mixed))
            + sum(plan.n_beads for plan in problem.diffusion)
        ),
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
    folder = Path(folder)
    if resume and not (folder / JOURNAL_FILE).exists():
        raise InputFileError(
            "there is no campaign to continue",
            where=str(folder),
            hint="start it without --resume, or choose another -o",
        )
    problem = read_problem(path)
    with locked(folder):
        journal = Journal(folder / JOURNAL_FILE, problem.digest(), resume=resume, name=problem.name)
        for warning in problem.warnings:
            progress(f"warning: {warning}")
        result = run_calibration(problem, sampler, journal, progress=progress)
        try:
            _drop_torn(folder)
            return _write(problem, result, folder)
        except OSError as error:
            raise SimulationError(
                f"the reports cannot be written: {error.strerror}",
                where=str(folder),
                hint="nothing is lost: make room and --resume",
            ) from None


def _drop_torn(folder: Path) -> None:
    """Remove what a killed process of this campaign was writing, wherever in its folder; the caller holds the lock."""
    for torn in list(folder.rglob(".*.tmp")):
        if torn.is_dir():
            shutil.rmtree(torn)
        else:
            torn.unlink(missing_ok=True)  # one inside a folder that is gone already


def _write(problem: CalibrationProblem, result: CalibrationResult, folder: Path) -> CalibrationOutcome:
    """Table and reports of a finished campaign."""
    stickiness = compare_second_virials(problem.targets, problem.table, result.table, problem.temperature)
    table_folder = write_bead_table(
        result.table, folder / result.name, description=f"{result.parent} calibrated by campaign {result.name}"
    )
    if result.types is not None:
        atomic_write_text(folder / "types.csv", types_csv(result.types))
    text = atomic_write_text(folder / "report.txt", calibration_text(result, stickiness))
    data = json.dumps(calibration_json(result, stickiness), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    molecules = {t.label: t.molecule for t in problem.targets}
    least = problem.optimizer.ess_threshold
    page = calibration_html(result, molecules, stickiness, least=least)
    for name, picture in figure_pngs(result, molecules, least).items():
        atomic_write_bytes(folder / "report" / name, picture)
    return CalibrationOutcome(
        result=result,
        stickiness=stickiness,
        folder=folder,
        table_folder=table_folder,
        files=(
            text,
            atomic_write_text(folder / "report.json", data),
            atomic_write_text(folder / "report.html", page),
        ),
    )
