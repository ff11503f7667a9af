"""Requests in, samples out: boxes are built and equilibrated once, windows run in parallel, everything is stored.

Liquids and slabs are run in parts. Where a part ended is stored beside its samples, and a later part makes what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from topdown import __version__
from topdown.building.conformation import conformation_of
from topdown.building.liquid import build_mixture
from topdown.building.single import single_molecule
from topdown.building.slab import build_slab
from topdown.engine import Coupling, engine_version
from topdown.errors import PhaseChangeError, SettingsError, SimulationError, StorageError
from topdown.model import BeadTable, CGMolecule, System, WindowFailure, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import (
    Components,
    CouplingRequest,
    GasRequest,
    InsertionRequest,
    LiquidRequest,
    SampleRequest,
    SlabRequest,
    contents_text,
)
from topdown.resources import cache_folder
from topdown.sampling.equilibrate import equilibrate_liquid, settle
from topdown.sampling.executors import DeadWorker, attempt_tasks
from topdown.sampling.fingerprints import describe_molecule, describe_table, hash_of
from topdown.sampling.insertions import Trajectory, inserted_samples, join_trajectories, trajectory_of
from topdown.sampling.liquid_runs import TEST_AREA_SCALINGS, RunPart, run_coupled, run_gas, run_liquid, run_slab
from topdown.sampling.run_store import RunStore

#: Changes when the way runs are made changes, so that older runs are not taken for new ones.
PROTOCOL = "windows-2"
#: Steps of 20 fs a freshly built liquid is run before it is stored as equilibrated.
LIQUID_EQUILIBRATION = 25_000
#: Steps between two shapes of a solute alone.
SHAPE_EVERY = 25


@dataclass(frozen=True, kw_only=True, eq=False)
class _Box:
    """An equilibrated box of one liquid or mixture, shared by all windows that start from it."""

    components: Components
    table: BeadTable
    temperature: float
    pressure: float
    seed: int
    n_steps: int
    time_step: float | None = None

    def key(self) -> str:
        (molecule, n_molecules), *others = self.components
        description: dict[str, Any] = {
            "protocol": PROTOCOL,
            "engine": engine_version(),
            "box": describe_molecule(molecule),
            "table": describe_table(self.table, [m for m, _ in self.components]),
            "n": n_molecules,
            "temperature": self.temperature,
            "pressure": self.pressure,
            "steps": self.n_steps,
            "seed": self.seed,
        }
        if self.time_step is not None:
            description["time_step"] = self.time_step
        if others:
            description["others"] = [[describe_molecule(m), n] for m, n in others]
        return hash_of(description)

    @property
    def name(self) -> str:
        return contents_text(self.components)

    def cost(self) -> float:
        """Beads times steps."""
        return float(sum(molecule.n_beads * count for molecule, count in self.components) * self.n_steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Window:
    """One run: a request, which λ of it (-1 where there is none), and the box it starts from (a gas has none)."""

    request: SampleRequest
    lambda_index: int
    box: _Box | None

    def key(self) -> str:
        request = self.request
        if isinstance(request, InsertionRequest):
            return hash_of(_describe_insertion(request))
        description: dict[str, Any] = {
            "lambda_index": self.lambda_index,
            "steps": [request.n_equilibration, request.n_steps, request.every],
            "seed": request.seed,
            "system": request.system,
        }
        if self.box is not None:
            description["box"] = self.box.key()
        if isinstance(request, CouplingRequest):
            description["solute"] = describe_molecule(request.solute)
            description["lambdas"] = list(request.lambdas)
            if request.charge_lambdas is not None:
                description["charge_lambdas"] = list(request.charge_lambdas)
            molecules = [request.solute, *(molecule for molecule, _ in request.components)]
            description["table"] = describe_table(request.table, molecules)
            if request.core is not None:
                radii = describe_table(request.core, molecules)["pairs"]
                description["core"] = [[a, b, sigma] for a, b, sigma, _ in radii]
        elif isinstance(request, GasRequest):
            description["gas"] = describe_molecule(request.molecule)
            description["table"] = describe_table(request.table, [request.molecule])
            description["state"] = [PROTOCOL, engine_version(), request.temperature]
        if isinstance(request, LiquidRequest) and request.keep_positions:
            description["positions"] = True
        if not isinstance(request, GasRequest) and request.part:
            description["part"] = request.part
        if not isinstance(request, GasRequest) and request.time_step is not None:
            description["time_step"] = request.time_step
        if isinstance(request, SlabRequest):
            description["slab"] = [request.width, request.height, *TEST_AREA_SCALINGS]
            description["masses"] = [molecule.molar_mass for molecule, _ in request.components]
        return hash_of(description)

    def end_key(self) -> str:
        """Under which the end of a part is kept, and a slab's profile."""
        return hash_of({"end": self.key()})

    def before(self) -> _Window | None:
        """The part that this one goes on from."""
        request = self.request
        if isinstance(request, GasRequest | InsertionRequest) or request.part == 0:
            return None
        return replace(self, request=replace(request, part=request.part - 1))

    def cost(self) -> float:
        """Beads times steps of this part; a solute's beads are not worth counting."""
        request = self.request
        if isinstance(request, InsertionRequest):
            return float(request.coupling.solute.n_beads * request.n_shapes * SHAPE_EVERY)
        n_beads = sum(molecule.n_beads * count for molecule, count in request.components)
        return float(n_beads * (request.n_equilibration * (self.before() is None) + request.n_steps))


def _describe_insertion(request: InsertionRequest) -> dict[str, Any]:
    first = replace(request.coupling, part=0, sampled=(0,), n_equilibration=0, n_steps=1, every=1)
    return {
        "coupled": [window.key() for window in _windows(first)],
        "frames": [window.key() for run in request.solvent for window in _windows(run)],
        "numbers": [request.n_poses, request.n_shapes],
    }


def _windows(request: SampleRequest) -> list[_Window]:
    if isinstance(request, GasRequest):
        return [_Window(request=request, lambda_index=-1, box=None)]
    if isinstance(request, InsertionRequest):
        return [_Window(request=request, lambda_index=0, box=None)]
    box = _Box(
        components=request.components,
        table=request.table.subset({name for molecule, _ in request.components for name in molecule.type_names}),
        temperature=request.temperature,
        pressure=request.pressure,
        seed=request.seed,
        n_steps=LIQUID_EQUILIBRATION,
        time_step=request.time_step,
    )
    indices = request.indices if isinstance(request, CouplingRequest) else (-1,)
    return [_Window(request=request, lambda_index=k, box=box) for k in indices]


def _make_box(task: tuple[_Box, Path]) -> str:
    """Worker: build and equilibrate a box and store its coordinates."""
    box, folder = task
    key = box.key()
    built = build_mixture(box.components, box.table, rng=np.random.default_rng(box.seed), title=box.name)
    system = equilibrate_liquid(
        built,
        temperature=box.temperature,
        pressure=box.pressure,
        n_steps=box.n_steps,
        seed=box.seed,
        time_step=box.time_step,
    )
    assert system.velocities is not None
    arrays = {"positions": system.positions, "velocities": system.velocities, "box": system.box}
    RunStore(folder).save(key, arrays, {"liquid": box.name})
    return key


def _load_box(box: _Box, store: RunStore, table: BeadTable) -> System:
    found = store.load(box.key())
    if found is None:
        raise SimulationError("the equilibrated box has gone from the run store", where=str(store.folder))
    arrays, _ = found
    return System(
        table=table,
        components=box.components,
        positions=arrays["positions"],
        velocities=arrays["velocities"],
        box=arrays["box"],
    )


def insert_solute(solvent: System, solute: CGMolecule, rng: np.random.Generator) -> System:
    """Put one ``solute`` as first component where the solvent leaves it most room, among 200 random poses.

    Velocities are dropped; overlaps are for the soft core and the minimiser to resolve.
    """
    from scipy.spatial import cKDTree
    from scipy.spatial.transform import Rotation

    shape = conformation_of(solute)
    shape = shape - shape.mean(axis=0)
    tree = cKDTree(np.mod(solvent.positions, solvent.box), boxsize=solvent.box)
    best, best_room = shape, -1.0
    for _ in range(200):
        turned = Rotation.random(random_state=rng).apply(shape)
        placed = turned + rng.random(3) * solvent.box
        room = float(tree.query(np.mod(placed, solvent.box))[0].min())
        if room > best_room:
            best, best_room = placed, room
    return System(
        table=solvent.table,
        components=((solute, 1), *solvent.components),
        positions=np.concatenate([best, solvent.positions]),
        box=solvent.box,
        title=f"{solute.name} in {', '.join(f'{n} {m.name}' for m, n in solvent.components)}",
    )


def _run_window(task: tuple[_Window, Path]) -> str:
    """Worker: run one window and store it, and before it the parts it goes on from that are not there."""
    window, folder = task
    store, request, key = RunStore(folder), window.request, window.key()
    if isinstance(request, InsertionRequest):
        samples = _insert(request, key, store)
    elif isinstance(request, GasRequest):
        start = _alone(request.molecule, request.table)
        samples = run_gas(request, start, key=key, seed=_seed(request.seed, 0, 0, 2)).samples
    else:
        if isinstance(request, CouplingRequest):
            part = _couple(window, request, store)
        else:
            part = _run_part(window, request, store)
        arrays = dict(part.extra)
        if part.end is not None:
            arrays |= {"positions": part.end.positions, "box": part.end.box}
            arrays["velocities"] = np.asarray(part.end.velocities)
        store.save(window.end_key(), arrays, {"system": request.system, "part": request.part})
        samples = part.samples
    store.save_window(
        samples, {"protocol": PROTOCOL, "version": __version__, "engine": engine_version(), "seed": request.seed}
    )
    return key


def _seed(*numbers: int) -> int:
    return int(np.random.default_rng(np.random.SeedSequence(numbers)).integers(2**62))


def _alone(molecule: CGMolecule, table: BeadTable) -> System:
    """One molecule in a box in which it cannot meet itself."""
    stretched = 0.5 * molecule.n_beads  # no conformation is longer [nm]
    return single_molecule(molecule, table, rim=table.scheme.cutoff + 0.5 * stretched)


def _couple(window: _Window, request: CouplingRequest, store: RunStore) -> RunPart:
    assert window.box is not None
    numbers = [request.seed, window.lambda_index + 1, *([request.part] if request.part else [])]
    rng = np.random.default_rng(np.random.SeedSequence(numbers))
    system = _start_of_part(window, request, store)
    if request.part == 0:
        system = insert_solute(system, request.solute, rng)
    return run_coupled(request, window.lambda_index, system, key=window.key(), seed=int(rng.integers(2**62)))


def _insert(request: InsertionRequest, key: str, store: RunStore) -> WindowSamples:
    coupling = request.coupling
    rng = np.random.default_rng(np.random.SeedSequence([coupling.seed, 0, 0, 3]))
    start = _alone(coupling.solute, coupling.table)
    alone = run_gas(
        GasRequest(
            molecule=coupling.solute,
            table=start.table,
            temperature=coupling.temperature,
            n_equilibration=2500,
            n_steps=SHAPE_EVERY * request.n_shapes,
            every=SHAPE_EVERY,
            seed=coupling.seed,
        ),
        start,
        key=key,
        seed=int(rng.integers(2**62)),
    )
    frames = join_trajectories([_frames_of(run, coupling.table, store) for run in request.solvent])
    path = Coupling(lambdas=coupling.lambdas, charge_lambdas=coupling.charge_lambdas, index=0)
    return inserted_samples(
        coupling.solute,
        trajectory_of(alone, start),
        frames,
        path,
        key=key,
        name=coupling.system,
        temperature=coupling.temperature,
        pressure=coupling.pressure,
        n_poses=request.n_poses,
        rng=rng,
    )


def _frames_of(request: LiquidRequest, table: BeadTable, store: RunStore) -> Trajectory:
    """Stored frames of a solvent, with the table of the solute that is to be put into them."""
    (window,) = _windows(request)
    samples, kept = store.load_window(window.key()), store.load(window.end_key())
    if samples is None or kept is None or "frame_positions" not in kept[0]:
        raise SimulationError("frames of the solvent have gone from the run store", where=str(store.folder))
    positions, boxes = kept[0]["frame_positions"], kept[0]["frame_boxes"]
    system = System(table=table, components=request.components, positions=positions[-1], box=boxes[-1])
    return trajectory_of(RunPart(samples=samples, end=None, extra=kept[0]), system)


def _run_part(window: _Window, request: LiquidRequest | SlabRequest, store: RunStore) -> RunPart:
    start = _start_of_part(window, request, store)
    numbers = (request.seed, 0, request.part) if request.part else (request.seed, 0)
    if isinstance(request, SlabRequest):
        seed = _seed(request.seed, 0, request.part, 1)
        if request.part == 0:
            slab = build_slab(start, width=request.width, height=request.height)
            start = settle(slab, temperature=request.temperature, seed=seed)
        return run_slab(request, start, key=window.key(), seed=seed)
    return run_liquid(request, start, key=window.key(), seed=_seed(*numbers))


def _start_of_part(window: _Window, request: CouplingRequest | LiquidRequest | SlabRequest, store: RunStore) -> System:
    """The box, or where the part before this one ended; that part is run here if it has not been."""
    before = window.before()
    if before is None:
        assert window.box is not None
        return _load_box(window.box, store, request.table)
    found = store.load(before.end_key())
    if found is None:
        _run_window((before, store.folder))
        found = store.load(before.end_key())
    if found is None or "positions" not in found[0]:
        raise SimulationError("the run cannot go on: its liquid froze, evaporated or broke", where=request.system)
    arrays, _ = found
    solute = ((request.solute, 1),) if isinstance(request, CouplingRequest) else ()
    return System(
        table=request.table,
        components=(*solute, *request.components),
        positions=arrays["positions"],
        velocities=arrays["velocities"],
        box=arrays["box"],
        title=request.system,
    )


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
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        if workers < 0:
            raise SettingsError(f"workers must not be negative, got {workers}")
        self.store = RunStore(folder or cache_folder() / "runs")
        self._workers = workers
        self._executor = executor
        self._progress = progress or (lambda done, total, what: None)

    def missing(self, requests: Sequence[SampleRequest]) -> int:
        """How many windows would have to be run."""
        keys = {w.key() for request in requests for w in _windows(request)}
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
        windows = [window for request in requests for window in _windows(request)]
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
                _make_box, missing_boxes, cost, lambda k: count.add(1, f"equilibrated {missing_boxes[k].name}")
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
            _run_window, runs, cost, lambda k: count.add(1 + _parts_made(runs[k], on_the_way), _label(runs[k]))
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
        return _windows(request)[0].key()

    def solvent_box(self, request: CouplingRequest) -> System:
        """The equilibrated box of solvent that the windows of ``request`` start from, with its table; made if need be."""
        (window, *_) = _windows(request)
        assert window.box is not None
        if self.store.load(window.box.key()) is None:
            _make_box((window.box, self.store.folder))
        return _load_box(window.box, self.store, request.table)

    def record(self, request: LiquidRequest | SlabRequest) -> dict[str, FloatArray]:
        """What is kept beside the samples of a part, by name: where it ended, and a slab's profile; empty if not run."""
        found = self.store.load(_windows(request)[0].end_key())
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


def _failure(window: _Window, error: SimulationError) -> WindowFailure:
    return WindowFailure(
        system=window.request.system,
        lambda_index=window.lambda_index,
        reason=error.message,
        hint=error.hint,
        kind=error.kind if isinstance(error, PhaseChangeError) else "",
    )


class _Count:
    """How many runs are done, told as they finish."""

    def __init__(self, total: int, tell: Callable[[int, int, str], None]) -> None:
        self.total, self.done, self._tell = total, 0, tell

    def add(self, number: int, what: str) -> None:
        self.done += number
        self._tell(self.done, self.total, what)


def _parts_made(window: _Window, on_the_way: set[str]) -> int:
    """How many of the parts that were wanted have been made before this one."""
    number, before = 0, window.before()
    while before is not None and before.key() in on_the_way:
        number, before = number + 1, before.before()
    return number


def _label(window: _Window) -> str:
    request = window.request
    if isinstance(request, InsertionRequest):
        return f"{request.coupling.solute.name} put into {contents_text(request.coupling.components)}"
    if not isinstance(request, CouplingRequest):
        return request.system
    charge = 0.0 if request.charge_lambdas is None else request.charge_lambdas[window.lambda_index]
    state = f"λ = {request.lambdas[window.lambda_index]:g}" + (f", charges {charge:g}" if charge else "")
    return f"{request.solute.name} in {' + '.join(m.name for m, _ in request.components)}, {state}"


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
