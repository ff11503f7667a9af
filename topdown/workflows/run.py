"""Dynamics of a system in GROMACS files on the bundled engine: energies, trajectory, checkpoints, and going on after a stop."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown import __version__
from topdown.engine import (
    EnergyTerms,
    MinimizationResult,
    Simulation,
    engine_hash,
    engine_version,
    processor,
)
from topdown.errors import InputFileError, SettingsError, SimulationError
from topdown.formats.gro import gro_text
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.formats.preprocessor import preprocess
from topdown.model import System
from topdown.units import U_NM3_TO_KG_M3
from topdown.workflows.run_failure import worst_place
from topdown.workflows.run_files import (
    CHECKPOINT_FILE,
    ENERGY_FILE,
    FINAL_FILE,
    RunFolder,
    RunOutput,
    load_checkpoint,
    read_run,
    request_of_run,
)
from topdown.workflows.run_request import RunRequest
from topdown.workflows.stopping import StopFlag, StopNow, stop_signals

_TERMS: Final = ("bond", "angle", "dihedral", "restraint", "lj", "coulomb")
#: Columns of ``energies.csv``.
COLUMNS: Final = (
    *("step", "time_ps", *(f"{term}_kJ_mol" for term in _TERMS), "potential_kJ_mol", "kinetic_kJ_mol", "total_kJ_mol"),
    *("temperature_K", "pressure_bar", "pressure_xx_bar", "pressure_yy_bar", "pressure_zz_bar"),
    *("box_x_nm", "box_y_nm", "box_z_nm", "volume_nm3", "density_kg_m3"),
)
#: Time between two looks at whether to stop [s].
_LOOK_EVERY: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    stage : str
    done_ns, total_ns : float
    ns_per_day : float
        Of this process; 0 until it is known.
    seconds_left : float
        At that speed.
    note : str
        Something to be told once.
    """

    stage: str
    done_ns: float = 0.0
    total_ns: float = 0.0
    ns_per_day: float = 0.0
    seconds_left: float = 0.0
    note: str = ""


Report = Callable[[RunProgress], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """How a run ended.

    Attributes
    ----------
    request : RunRequest
    folder : Path
    n_beads : int
    step : int
        Steps done in all.
    stopped : str
        Name of the signal that stopped it, or ``""`` when it is finished.
    minimization : MinimizationResult or None
    energies : dict of str to float
        The last row of the energies, by column.
    ns_per_day : float
        Of this process; 0 when too short to say.
    notes : tuple of str
    files : dict of str to Path
    """

    request: RunRequest
    folder: Path
    n_beads: int
    step: int
    stopped: str
    minimization: MinimizationResult | None
    energies: dict[str, float]
    ns_per_day: float
    notes: tuple[str, ...]
    files: dict[str, Path]

    def as_json(self) -> dict[str, Any]:
        """Plain values; ``finished`` says whether the whole run is done."""
        done = self.minimization
        return {
            "finished": not self.stopped,
            "stopped_by": self.stopped or None,
            "step": self.step,
            "n_steps": self.request.n_steps,
            "time_ps": self.step * self.request.settings.time_step,
            "n_beads": self.n_beads,
            "minimization": None
            if done is None
            else {
                "n_steps": done.n_steps,
                "potential_kJ_mol": done.potential,
                "max_force_kJ_mol_nm": done.max_force,
                "converged": done.converged,
            },
            "energies": self.energies,
            "ns_per_day": self.ns_per_day,
            "notes": list(self.notes),
            "files": {name: str(path) for name, path in self.files.items()},
        }


def earlier_request(folder: Path) -> RunRequest:
    """What the run in ``folder`` was asked to do.

    Raises
    ------
    InputFileError
        There is no run in it, or its record cannot be read.
    """
    path = folder / "run.json"
    if not path.exists():
        raise SettingsError(f"there is no run to continue in {folder}", hint="start it without --continue")
    with RunFolder(folder, resume=True, overwrite=False) as home:
        return request_of_run(home.folder)


def run(
    request: RunRequest,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Report | None = None,
) -> RunResult:
    """Minimise where asked, and run.

    ``folder`` gets ``run.json`` (what ran, on what, with which versions), ``energies.csv``, ``trajectory.xtc`` (or trr, dcd),
    ``state.ckpt`` with the checkpoint before it, ``final.gro`` once the run is finished, and ``run.log``. A run that was
    stopped or killed and then continued leaves the same bytes as one that was not.

    Parameters
    ----------
    request : RunRequest
    folder : Path
        Made when missing.
    resume : bool
        Go on with the run in ``folder``; :func:`topdown.workflows.run_request.continued_request` makes its request.
    overwrite : bool
        Remove the files of the run in ``folder`` first.
    progress : callable, optional
        Called with a :class:`RunProgress` a few times a second.

    Raises
    ------
    TopdownError
        Input that cannot be used, a folder that cannot be written or holds another run, or a run that blew up; the last good
        checkpoint stays.
    """
    tell = progress or (lambda _: None)
    with RunFolder(folder, resume=resume, overwrite=overwrite) as home, stop_signals() as stop:
        record = _checked_record(request, home, resume)
        tell(RunProgress(stage="read", total_ns=request.length_ns))
        try:
            stop.immediate = True
            system = _read(request)
            home.check_space(request, system.n_beads, request.n_steps)
            home.write_record(record)
            simulation, step, minimized, notes = _prepared(system, request, home, resume, tell)
        except StopNow as now:
            return _result(request, home, 0, 0, now.signal.name, None, {}, 0.0, ())
        stop.immediate = False
        for note in (*request.notes, *notes):
            home.log(f"note: {note}")
            tell(RunProgress(stage="", note=note))
        try:
            with RunOutput(home, request, system, COLUMNS, step=step) as output:
                ns_per_day, last = _dynamics(simulation, request, output, home, stop, tell)
        except SimulationError as error:
            home.write_record({**record, "status": "failed", "step": simulation.step})
            raise _explained(error, simulation, system, home) from None
        stopped = stop.signal.name if stop.signal is not None and simulation.step < request.n_steps else ""
        done = simulation.step if not stopped else output.saved_step
        if not stopped:
            home.write_text(FINAL_FILE, gro_text(simulation.system()))
        home.write_record({**record, "status": stopped or "finished", "step": done})
        home.log(f"{f'stopped by {stopped}' if stopped else 'finished'} at step {done}, {ns_per_day:.4g} ns/day")
        every_note = (*request.notes, *notes)
        return _result(request, home, system.n_beads, done, stopped, minimized, last, ns_per_day, every_note)


def _result(
    request: RunRequest,
    home: RunFolder,
    n_beads: int,
    step: int,
    stopped: str,
    minimized: MinimizationResult | None,
    last: dict[str, float],
    ns_per_day: float,
    notes: tuple[str, ...],
) -> RunResult:
    names = {
        "energies": ENERGY_FILE,
        "trajectory": f"trajectory.{request.trajectory}",
        "checkpoint": CHECKPOINT_FILE,
        "final": FINAL_FILE,
        "record": "run.json",
        "log": "run.log",
    }
    return RunResult(
        request=request,
        folder=home.folder,
        n_beads=n_beads,
        step=step,
        stopped=stopped,
        minimization=minimized,
        energies=last,
        ns_per_day=ns_per_day,
        notes=notes,
        files={key: home.path(name) for key, name in names.items() if home.path(name).exists()},
    )


# -- before the first step -------------------------------------------------------------------------------------------


def _inputs(request: RunRequest) -> dict[str, dict[str, str]]:
    """Files and hashes of what is in them; of the topology after preprocessing, so that its includes count."""
    lines = preprocess(request.topology, dict(request.defines), include=request.include)
    text = "\n".join(line.text for line in lines)
    found = {"topology": (request.topology, text.encode())}
    for name, path in (("coordinates", request.coordinates), ("reference", request.reference)):
        if path is not None:
            try:
                found[name] = (path, path.read_bytes())
            except OSError as error:
                raise InputFileError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return {
        name: {"path": str(path), "sha256": hashlib.sha256(data).hexdigest()} for name, (path, data) in found.items()
    }


def _checked_record(request: RunRequest, home: RunFolder, resume: bool) -> dict[str, Any]:
    """The contents of ``run.json``; for a run that goes on, after comparing with what began."""
    names, packages = platform.uname(), ("numpy", "numba", "llvmlite", "chemfiles")
    cpu, instructions = processor()
    record: dict[str, Any] = {
        "topdown": __version__,
        "status": "running",
        "step": 0,
        "request": request.as_json(),
        "inputs": _inputs(request),
        "engine": {
            "version": engine_version(),
            "build": engine_hash(),
            "precision": "double",
            "threads": 1,
            "processor": cpu,
            "instruction_sets": " ".join(sorted(w[1:] for w in instructions.split(",") if w.startswith("+"))),
        },
        "system": {"os": names.system, "machine": names.machine, "python": platform.python_version()},
        "packages": {name: version(name) for name in packages},
    }
    if not resume:
        return record
    earlier, asked = read_run(home.folder)
    different = request.difference(asked)
    if different:
        raise SettingsError(f"the run was started with another {different}", hint="only its length may change")
    before = earlier.get("inputs", {})
    for name, entry in record["inputs"].items():
        if before.get(name, {}).get("sha256") != entry["sha256"]:
            raise InputFileError(
                f"the {name} file is not what it was when the run began",
                where=entry["path"],
                hint="start a new run in another folder",
            )
    return record


def _read(request: RunRequest) -> System:
    system = read_gromacs_topology(
        request.topology,
        request.coordinates,
        defines=dict(request.defines),
        include=request.include,
        reference=request.reference,
        scheme=request.scheme,
    )
    return replace(system, velocities=None) if request.new_velocities else system


def _prepared(
    system: System, request: RunRequest, home: RunFolder, resume: bool, tell: Report
) -> tuple[Simulation, int | None, MinimizationResult | None, tuple[str, ...]]:
    """The simulation at its first step or at a checkpoint, and the step of that checkpoint."""
    home.log(f"{system.title}: {system.n_molecules} molecules, {system.n_beads} beads, box {_edges(system.box)} nm")
    tell(RunProgress(stage="compile", total_ns=request.length_ns))
    simulation = Simulation(system, request.settings, seed=request.seed)
    if resume:
        source = load_checkpoint(simulation, home)
        if simulation.step > request.n_steps:
            raise SettingsError(
                f"the run is at step {simulation.step} already, {request.n_steps} are asked for", hint="ask for more"
            )
        if source:
            home.log(f"continues from step {simulation.step}")
            notes = (
                () if source == CHECKPOINT_FILE else (f"{CHECKPOINT_FILE} is damaged: went back to the one before it",)
            )
            return simulation, simulation.step, None, notes
    minimized = None
    if request.minimize:
        tell(RunProgress(stage="minimise", total_ns=request.length_ns))
        minimized = simulation.minimize(max_steps=request.minimize_steps, force_tolerance=request.force_tolerance)
        home.log(
            f"minimised in {minimized.n_steps} steps: {minimized.potential:.8g} kJ/mol, "
            f"largest force {minimized.max_force:.4g} kJ/mol/nm"
        )
    return simulation, None, minimized, ()


def _edges(box: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    return " x ".join(f"{edge:.4g}" for edge in box)


# -- the run ---------------------------------------------------------------------------------------------------------


def _dynamics(
    simulation: Simulation, request: RunRequest, output: RunOutput, home: RunFolder, stop: StopFlag, tell: Report
) -> tuple[float, dict[str, float]]:
    """Step to the end or until told to stop; the speed [ns/day], and the energies where it ended.

    The number of steps between two looks at the flag follows the clock. It changes no number: the engine's steps do not depend on
    how many are asked for at once.
    """
    if output.saved_step < 0:
        _write(simulation, output)
        output.save(simulation)
    begun, first, chunk, spent = time.perf_counter(), simulation.step, 1, 0.0
    while simulation.step < request.n_steps and not stop.requested:
        now = min(simulation.step + chunk, output.next_event(simulation.step), request.n_steps)
        n_steps, tick = now - simulation.step, time.perf_counter()
        if not spent:  # compiles, and can take a minute: nothing is lost when it is broken off
            if not _first_step(simulation, n_steps, stop):
                return 0.0, {}
            begun, first = time.perf_counter(), simulation.step
        else:
            simulation.run(n_steps)
        spent = max(time.perf_counter() - tick, 1e-6)
        chunk = min(max(int(n_steps * _LOOK_EVERY / spent), 1), 2 * chunk)
        _write(simulation, output)
        if output.checkpoint_is_due(simulation.step):
            _save(simulation, output, home)
        speed = _speed(simulation, first, time.perf_counter() - begun)
        tell(_progress(simulation, request, speed))
    _save(simulation, output, home)
    return _speed(simulation, first, time.perf_counter() - begun), _named_row(simulation)


def _first_step(simulation: Simulation, n_steps: int, stop: StopFlag) -> bool:
    try:
        stop.immediate = True
        simulation.run(n_steps)
    except StopNow:
        return False
    stop.immediate = False
    return True


def _speed(simulation: Simulation, first: int, spent: float) -> float:
    """[ns/day]; 0 while there is too little to say."""
    if simulation.step == first or spent <= 0.0:
        return 0.0
    return (simulation.step - first) * simulation.settings.time_step / 1000.0 / spent * 86400.0


def _progress(simulation: Simulation, request: RunRequest, speed: float) -> RunProgress:
    done = simulation.time / 1000.0
    left = (request.length_ns - done) / speed * 86400.0 if speed else 0.0
    return RunProgress(
        stage="run", done_ns=done, total_ns=request.length_ns, ns_per_day=speed, seconds_left=max(left, 0.0)
    )


def _write(simulation: Simulation, output: RunOutput) -> None:
    """The row and the frame of this step, where one is due."""
    step = simulation.step
    if output.energies is not None and output.row_is_due(step):
        output.energies.write(step, energy_row(simulation))
    if output.trajectory is not None and output.frame_is_due(step):
        output.trajectory.write(
            simulation.positions, simulation.box, step=step, time=simulation.time, velocities=simulation.velocities
        )


def _save(simulation: Simulation, output: RunOutput, home: RunFolder) -> None:
    """A checkpoint, unless the state is beyond repair."""
    if simulation.step == output.saved_step:
        return
    if not (np.isfinite(simulation.positions).all() and np.isfinite(simulation.velocities).all()):
        raise SimulationError(f"the simulation blew up at step {simulation.step}")
    output.save(simulation)
    home.log(f"checkpoint at step {simulation.step}")


def energy_row(simulation: Simulation) -> tuple[float, ...]:
    """The numbers of :data:`COLUMNS` behind the step.

    The temperature is that of the mid-step velocities, the kinetic energy that of the velocities at the step, so that ``total``
    is conserved where there is neither thermostat nor barostat.

    Raises
    ------
    SimulationError
        A term is not a finite number.
    """
    terms: EnergyTerms = simulation.energies()
    masses = simulation.parameters.molecules.masses
    kinetic = 0.5 * float((masses[:, None] * simulation.velocities**2).sum())
    pressures = [float(p) for p in np.diag(terms.pressure)]
    row = (
        simulation.time,
        *(getattr(terms, term) for term in _TERMS),
        terms.potential,
        kinetic,
        terms.potential + kinetic,
        terms.temperature,
        sum(pressures) / 3.0,
        *pressures,
        *(float(edge) for edge in simulation.box),
        simulation.volume,
        float(masses.sum()) / simulation.volume * U_NM3_TO_KG_M3,
    )
    if not np.isfinite(row).all():
        wrong = ", ".join(name for name, value in zip(COLUMNS[1:], row) if not np.isfinite(value))
        raise SimulationError(f"{wrong} is not a finite number at step {simulation.step}")
    return row


def _named_row(simulation: Simulation) -> dict[str, float]:
    return dict(zip(COLUMNS[1:], energy_row(simulation)))


def _explained(error: SimulationError, simulation: Simulation, system: System, home: RunFolder) -> SimulationError:
    """The same error with the worst bond and the checkpoint one can go back to."""
    place = worst_place(system, simulation.positions, simulation.box)
    message = f"{error.message}; {place}" if place else error.message
    checkpoint = home.path(CHECKPOINT_FILE)
    if checkpoint.exists():
        message += f"; the last good checkpoint is {checkpoint}"
    home.log(f"failed: {message}")
    return SimulationError(message, where=error.where, hint=error.hint)
