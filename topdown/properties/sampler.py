"""Requests in, samples out: boxes are built and equilibrated once, windows run in parallel, everything is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from topdown.engine import Coupling
from topdown.errors import PhaseChangeError, SettingsError, SimulationError, StorageError
from topdown.model import BeadTable, CGMolecule, System, WindowFailure, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import (
    BilayerRequest,
    CouplingRequest,
    DiffusionRequest,
    GasRequest,
    InsertionRequest,
    LiquidRequest,
    MeltingRequest,
    SampleRequest,
    SlabRequest,
)
from topdown.properties.planned_runs import Window, windows_of
from topdown.properties.window_runs import load_box, make_box, run_window
from topdown.resources import cache_folder
from topdown.sampling.executors import DeadWorker, attempt_tasks
from topdown.sampling.run_store import RunStore

#: Told how far long work has come: runs done, runs to do, what is being done.
Progress = Callable[[int, int, str], None]


class EngineSampler:
    """Samples from the bundled engine, each run only once.

    Parameters
    ----------
    folder : Path, optional
        Of the run store; default the user's cache folder.
    workers : int
        Processes; 0 for one per available processor.
    executor : Executor, optional
        Any ``concurrent.futures.Executor`` in place of a pool of our own.
    progress : callable, optional
        Called with (runs done, runs to do, what) whenever something finished.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        workers: int = 0,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> None:
        if workers < 0:
            raise SettingsError(f"workers must not be negative, got {workers}")
        self.store = RunStore(folder or cache_folder() / "runs")
        self._workers = workers
        self._executor = executor
        self._progress = progress or (lambda done, total, what: None)

    def missing(self, requests: Sequence[SampleRequest]) -> int:
        """How many windows would have to be run."""
        keys = {w.key() for request in requests for w in windows_of(request)}
        return sum(key not in self.store for key in keys)

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        """Samples of every request in order, a coupling request giving one per λ; see ``calibration.sampler``.

        Raises
        ------
        SimulationError
            A run failed; the others were run and are kept.
        """
        found = self.attempt(requests)
        for window in found:
            if isinstance(window, WindowFailure):
                if window.kind:
                    raise PhaseChangeError(window.reason, kind=window.kind, where=window.system, hint=window.hint)
                raise SimulationError(window.reason, where=window.system, hint=window.hint)
        return [window for window in found if isinstance(window, WindowSamples)]

    def attempt(self, requests: Sequence[SampleRequest]) -> list[WindowSamples | WindowFailure]:
        """As :meth:`sample`, but a run that fails costs itself only and says why in its place.

        Raises
        ------
        StorageError
            Runs cannot be written to the store, twice in a row or once more when tried again.
        """
        solvents = [run for request in requests if isinstance(request, InsertionRequest) for run in request.solvent]
        if solvents:
            self.sample(solvents)
        windows = [window for request in requests for window in windows_of(request)]
        keys = [window.key() for window in windows]
        todo = {key: window for key, window in zip(keys, windows) if self.store.load_window(key) is None}
        boxes = {window.box.key(): window.box for window in todo.values() if window.box is not None}
        missing_boxes = [box for key, box in boxes.items() if self.store.load(key) is None]
        count = _Count(len(missing_boxes) + len(todo), self._progress)
        if count.total:
            self._progress(0, count.total, "compiling")
            warm_up()
        cost = sum(box.cost() for box in missing_boxes)
        lost_boxes = {
            missing_boxes[index].key(): error
            for index, error in self._run(
                make_box, missing_boxes, cost, lambda k: count.add(1, f"equilibrated {missing_boxes[k].name}")
            )
        }
        failed = {
            key: lost_boxes[window.box.key()]
            for key, window in todo.items()
            if window.box is not None and window.box.key() in lost_boxes
        }
        # a part is made on the way to the one after it
        on_the_way = {before.key() for window in todo.values() if (before := window.before()) is not None}
        tasks = {key: w for key, w in todo.items() if key not in on_the_way and key not in failed}
        names, runs = list(tasks), list(tasks.values())
        cost = sum(window.cost() for window in todo.values())
        for index, error in self._run(
            run_window, runs, cost, lambda k: count.add(1 + _parts_made(runs[k], on_the_way), runs[k].label)
        ):
            failed[names[index]] = error
        gone = SimulationError("a stored run cannot be read back", hint="is the disk full?")
        return [
            self.store.load_window(key) or _failure(window, failed.get(key, gone)) for key, window in zip(keys, windows)
        ]

    def _run(
        self,
        function: Callable[[Any], object],
        things: Sequence[Any],
        cost: float,
        finished: Callable[[int], None],
    ) -> list[tuple[int, SimulationError]]:
        """Do ``function`` for everything, and say what failed; what could not be stored is tried once more."""
        attempt = partial(_tried, function)
        failed: list[tuple[int, SimulationError]] = []
        unstored: list[int] = []
        before: SimulationError | None = None
        for index, found in attempt_tasks(
            attempt,
            [(t, self.store.folder) for t in things],
            workers=self._workers,
            executor=self._executor,
            cost=cost,
        ):
            error = found.error() if isinstance(found, DeadWorker) else found
            if isinstance(error, StorageError):
                if isinstance(before, StorageError):
                    raise error
                unstored.append(index)
            elif error is not None:
                failed.append((index, error))
            else:
                finished(index)
            before = error
        for index in sorted(unstored):
            error = attempt((things[index], self.store.folder))
            if isinstance(error, StorageError):
                raise error
            if error is not None:
                failed.append((index, error))
            else:
                finished(index)
        return failed

    def key(self, request: LiquidRequest | SlabRequest | GasRequest) -> str:
        """Name of the samples of a request without λ."""
        return windows_of(request)[0].key()

    def solvent_box(self, request: CouplingRequest) -> System:
        """The equilibrated box of solvent that the windows of ``request`` start from, with its table; made if need be."""
        (window, *_) = windows_of(request)
        assert window.box is not None
        if self.store.load(window.box.key()) is None:
            make_box((window.box, self.store.folder))
        return load_box(window.box, self.store, request.table)

    def record(
        self, request: LiquidRequest | SlabRequest | DiffusionRequest | BilayerRequest | MeltingRequest
    ) -> dict[str, FloatArray]:
        """What is kept beside the samples of a part, by name: where it ended, a slab's profile, paths of molecules, frames of a
        bilayer, what a crystal did; empty if not run."""
        found = self.store.load(windows_of(request)[0].end_key())
        return {} if found is None else found[0]


def _tried(function: Callable[[Any], object], task: Any) -> SimulationError | None:
    """Worker: do a task; the error, if it fails."""
    try:
        function(task)
    except SimulationError as error:
        return error
    except MemoryError:
        return SimulationError("memory ran out", hint="use fewer workers, or smaller boxes")
    return None


def _failure(window: Window, error: SimulationError) -> WindowFailure:
    return WindowFailure(
        system=window.request.system,
        lambda_index=window.lambda_index,
        reason=error.message,
        hint=error.hint,
        kind=error.kind if isinstance(error, PhaseChangeError) else "",
    )


class _Count:
    """How many runs are done, told as they finish."""

    def __init__(self, total: int, tell: Progress) -> None:
        self.total, self.done, self._tell = total, 0, tell

    def add(self, number: int, what: str) -> None:
        self.done += number
        self._tell(self.done, self.total, what)


def _parts_made(window: Window, on_the_way: set[str]) -> int:
    """How many of the parts that were wanted have been made before this one."""
    number, before = 0, window.before()
    while before is not None and before.key() in on_the_way:
        number, before = number + 1, before.before()
    return number


@cache
def warm_up() -> None:
    """Compile the engine in this process, so that workers find the kernels in the cache."""
    from topdown.engine import Simulation, SimulationSettings
    from topdown.model import Bead, BeadType

    water = CGMolecule(name="warm-up", beads=(Bead(name="W", bead_type="W"),))
    table = BeadTable(
        name="warm-up",
        bead_types=(BeadType(name="W", chemical_class="W", size="R", mass=72.0),),
        epsilon=np.array([[1.0]]),
        sigma=np.array([[0.47]]),
    )
    positions = np.array([[0.5, 0.5, 0.5], [1.5, 1.5, 1.5]])
    system = System(table=table, components=((water, 2),), positions=positions, box=np.full(3, 3.0))
    settings = SimulationSettings(thermostat="langevin", barostat="isotropic")
    simulation = Simulation(system, settings, coupling=None)
    simulation.minimize(max_steps=2)
    simulation.run(20)
    coupled = replace(system, components=((water, 1), (water, 1)))
    Simulation(coupled, settings, coupling=Coupling(lambdas=(0.0, 1.0), index=1)).pair_sums()
