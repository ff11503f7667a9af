"""From a membrane as built to an equilibrated one: minimise, short steps, then the run that is measured.

State is kept in two files of the output folder: ``series.npz`` holds the frames for the averages and
``relax.checkpoint`` the state of the engine. The series is written before the checkpoint, so that after a kill it holds
at least the frames the checkpoint needs; what is beyond is cut off.
"""

from __future__ import annotations

import io
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from topdown.engine import Simulation
from topdown.errors import InputFileError, TopdownError
from topdown.model import System
from topdown.properties.membrane import MembraneIndex, MembraneSeries, empty_series, join_series, observe_membrane
from topdown.properties.membrane_steadiness import Steadiness, steadiness
from topdown.resources import atomic_write_bytes
from topdown.sampling.bilayer_stages import bilayer_run, minimised, softened
from topdown.workflows.membrane_request import MembraneRequest
from topdown.workflows.stopping import StopFlag, stop_signals

SERIES_FILE: Final = "series.npz"
CHECKPOINT_FILE: Final = "relax.checkpoint"
#: Frames between two checkpoints.
_CHECKPOINT_EVERY: Final = 50
#: Time between two looks at whether the area is steady, and the shortest run that may be [ns].
_LOOK_EVERY: Final = 0.25
_SHORTEST_STEADY: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    stage : str
    done_ns, total_ns : float
    ns_per_day : float
        Of this process so far; 0 before the first frame.
    area : float
        Area per lipid of the current frame [nm²].
    drift : float or None
        Change of the area that the run shows, as a part of it; None before it can be told.
    """

    stage: str
    done_ns: float = 0.0
    total_ns: float = 0.0
    ns_per_day: float = 0.0
    area: float = 0.0
    drift: float | None = None


Report = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Relaxation:
    """A membrane after its relaxation.

    Attributes
    ----------
    simulation : Simulation
        At the end of the run.
    series : MembraneSeries
        All frames since the run at the full time step began; empty when nothing was simulated.
    minimized_force : float
        Largest force on a bead after minimisation [kJ/mol/nm]; NaN for a run that was continued.
    steadiness : Steadiness
    """

    simulation: Simulation
    series: MembraneSeries
    minimized_force: float
    steadiness: Steadiness


def relaxed(
    system: System,
    index: MembraneIndex,
    request: MembraneRequest,
    folder: Path,
    *,
    resume: bool,
    tell: Report,
) -> Relaxation:
    """Minimise and run ``system`` as asked, or go on from the checkpoint in ``folder``.

    Raises
    ------
    SimulationError
        A run that failed, or a checkpoint of another system or engine.
    InputFileError
        Stored frames that cannot be read.
    KeyboardInterrupt
        After Ctrl-C, with the checkpoint written if the run at the full time step had begun.
    """
    temperature, seed = request.temperature, request.seed
    checkpoint = folder / CHECKPOINT_FILE
    force = float("nan")
    with stop_signals(("SIGINT",)) as stopped:
        if resume and checkpoint.exists():
            simulation = bilayer_run(system, temperature=temperature, seed=seed)
            simulation.load_checkpoint(checkpoint)
            series = _load_series(folder / SERIES_FILE).until(simulation.time)
        else:
            tell(Progress(stage="minimise", total_ns=request.relax_ns))
            simulation, force = minimised(system, temperature=temperature, seed=seed)
            series = empty_series()
            if request.relax_ns > 0:
                soft = softened(
                    simulation.system(),
                    temperature=temperature,
                    seed=seed,
                    entering=lambda name: tell(Progress(stage=name, total_ns=request.relax_ns)),
                    watch=lambda: _stop_if(stopped),
                )
                simulation = bilayer_run(soft, temperature=temperature, seed=seed)
        if request.relax_ns > 0:
            series = _run(simulation, index, series, request, folder, stopped, tell)
    areas = series.box[:, 0] * series.box[:, 1]
    return Relaxation(simulation=simulation, series=series, minimized_force=force, steadiness=steadiness(areas))


def _stop_if(stopped: StopFlag) -> None:
    if stopped.requested:
        raise KeyboardInterrupt


def _run(
    simulation: Simulation,
    index: MembraneIndex,
    earlier: MembraneSeries,
    request: MembraneRequest,
    folder: Path,
    stopped: StopFlag,
    tell: Report,
) -> MembraneSeries:
    """The run at the full time step; frames, checkpoints and progress on the way."""
    frames: list[MembraneSeries] = [earlier]
    step = simulation.settings.time_step
    every = max(round(request.frame_ps / step), 1)
    total = round(request.relax_ns * 1000.0 / step)
    look = max(round(_LOOK_EVERY * 1000.0 / step / every), 1) * every
    started, first = time.perf_counter(), simulation.time
    drift: float | None = None

    def save() -> None:
        frames[:] = [join_series(frames)]
        _save_series(folder / SERIES_FILE, frames[0])
        simulation.save_checkpoint(folder / CHECKPOINT_FILE)

    def observe(running: Simulation) -> None:
        frames.append(observe_membrane(running.positions, running.box, running.time, index))
        spent = time.perf_counter() - started
        tell(
            Progress(
                stage="relax, 20 fs",
                done_ns=running.time / 1000.0,
                total_ns=request.relax_ns,
                ns_per_day=(running.time - first) / 1000.0 / spent * 86400.0,
                area=float(running.box[0] * running.box[1]) / (index.n_lipids / 2),
                drift=drift,
            )
        )
        if len(frames) > _CHECKPOINT_EVERY:
            save()
        if stopped.requested:
            save()
            raise KeyboardInterrupt

    while simulation.step < total:
        if simulation.step % look == 0 and simulation.step:
            areas = np.concatenate([part.box[:, 0] * part.box[:, 1] for part in frames])
            seen = steadiness(areas)
            drift = seen.drift if seen.n_effective > 0 else None
            if request.until_steady and seen.steady and simulation.time >= 1000.0 * _SHORTEST_STEADY - 1e-6:
                break
        # Up to the next look, wherever a continued run begins.
        simulation.run(min(total, (simulation.step // look + 1) * look) - simulation.step, every=every, observe=observe)
    save()
    return frames[0]


def _save_series(path: Path, series: MembraneSeries) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **series.arrays())
    atomic_write_bytes(path, buffer.getvalue())


def _load_series(path: Path) -> MembraneSeries:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return MembraneSeries(**{name: stored[name] for name in stored.files})
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputFileError(f"the stored frames cannot be read: {error}", where=str(path)) from None
    except TopdownError as error:
        raise InputFileError(error.message, where=str(path)) from None
