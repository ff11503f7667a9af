"""The runs behind a free-energy profile across a bilayer: what is asked, what is stored, what is still to be done.

A bilayer with the solute in its water is built and equilibrated; the solute is pulled through it downwards and back up, and every
window is then run twice, from where it came by on either way. Each window is thus reached once from the water of its own side and
once from inside, which shows hysteresis. Every run is kept in the run store under the hash of all that decides it, so that a
command that was stopped, or asks for longer runs, only does what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np

from topdown.building.bilayer import Leaflets, Placement, Solvent, build_bilayer
from topdown.engine import engine_version
from topdown.errors import SettingsError, SimulationError
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray, IntArray
from topdown.properties.membrane import index_membrane
from topdown.properties.sampler import Progress, warm_up
from topdown.sampling.executors import run_tasks
from topdown.sampling.fingerprints import describe_molecule, describe_table, hash_of
from topdown.sampling.run_store import RunStore
from topdown.sampling.umbrella import DENSITY_BIN, Umbrella, equilibrated, pulled, run_umbrella, umbrella_settings

#: Changes when the way runs are made changes, so that older runs are not taken for new ones.
PROTOCOL: Final = "umbrella-3"
#: Groups whose densities are kept beside the frames.
GROUPS: Final = ("lipids", "heads", "water")
#: Ways a window was reached.
DOWN, UP = 0, 1
_WAYS: Final = ("down", "up")


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileRequest:
    """Everything that decides the runs of a profile.

    Attributes
    ----------
    solute : CGMolecule
    lipids : tuple of (CGMolecule, float)
        And their shares, alike in both leaflets.
    water, cation, anion : CGMolecule
    table : BeadTable
        Holds the types of all of them.
    size : (float, float, float)
        Edges of the box at the start [nm].
    temperature : float
        [K]
    pressure : float
        [bar]
    salt : float
        [mol/l]
    targets : tuple of float
        Heights of the windows, rising [nm].
    spring : float
        k of :mod:`topdown.sampling.umbrella` [kJ/mol/nm²].
    membrane_steps : int
        Steps of 20 fs that the bilayer is equilibrated.
    pull_steps : int
        Steps for each 0.1 nm of pulling.
    settling_steps, part_steps, every : int
        Of a window: steps before the first frame, of one part, and between frames.
    parts : int
        Parts of each run.
    seed : int
    """

    solute: CGMolecule
    lipids: tuple[tuple[CGMolecule, float], ...]
    water: CGMolecule
    cation: CGMolecule
    anion: CGMolecule
    table: BeadTable
    size: tuple[float, float, float]
    temperature: float
    pressure: float = 1.0
    salt: float = 0.0
    targets: tuple[float, ...]
    spring: float = 200.0
    membrane_steps: int = 250_000
    pull_steps: int = 1000
    settling_steps: int = 25_000
    part_steps: int = 25_000
    every: int = 50
    parts: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if len(self.targets) < 3 or any(b <= a for a, b in zip(self.targets, self.targets[1:])):
            raise SettingsError("a profile needs at least three windows with rising heights")
        if max(abs(self.targets[0]), abs(self.targets[-1])) > self.size[2] / 2:
            raise SettingsError(
                f"windows reach {self.targets[-1]:g} nm, beyond half of a box of {self.size[2]:g} nm", where="--size"
            )
        for name in ("temperature", "spring"):
            if not 0 < getattr(self, name) < 1e6:
                raise SettingsError(f"{name} must be a positive number, got {getattr(self, name):g}")
        if self.parts < 1:
            raise SettingsError(f"a window needs at least one part, got {self.parts}")

    @property
    def lipid_names(self) -> tuple[str, ...]:
        """Names of the lipids."""
        return tuple(lipid.name for lipid, _ in self.lipids)

    @cached_property
    def built(self) -> System:
        """The system of :func:`build_start`, built once for all windows."""
        return build_start(self)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many of each component there are; part of every key, since a stored run is read back into this system."""
        return tuple(count for _, count in self.built.components)

    def stage_key(self, stage: str) -> str:
        """Name in the run store of what comes before the windows: ``equilibrated``, ``down`` or ``up``."""
        return hash_of({"pull": self.pull_key(), "stage": stage})

    def pull_key(self) -> str:
        """Hash of all that decides the equilibrated and pulled systems."""
        molecules = [self.solute, *(lipid for lipid, _ in self.lipids), self.water, self.cation, self.anion]
        return hash_of(
            {
                "protocol": PROTOCOL,
                "engine": engine_version(),
                "molecules": [describe_molecule(molecule) for molecule in molecules],
                "shares": [share for _, share in self.lipids],
                "table": describe_table(self.table, molecules),
                "size": list(self.size),
                "counts": list(self.counts),
                "state": [self.temperature, self.pressure, self.salt],
                "targets": list(self.targets),
                "spring": self.spring,
                "steps": [self.membrane_steps, self.pull_steps],
                "seed": self.seed,
            }
        )

    def window_key(self, window: int, way: int, part: int) -> str:
        """Name of one part of a window's run."""
        steps = [self.settling_steps, self.part_steps, self.every]
        return hash_of({"pull": self.pull_key(), "window": window, "way": way, "part": part, "steps": steps})


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowRun:
    """All parts of one run.

    Attributes
    ----------
    target : float
        q [nm].
    way : int
        :data:`DOWN` or :data:`UP`.
    frames : (n_frames, 3) float64
        See :class:`topdown.sampling.umbrella.UmbrellaSamples`.
    """

    target: float
    way: int
    frames: FloatArray

    @property
    def pulled_in(self) -> bool:
        """Whether the solute came from the water of its own side."""
        return (self.way == DOWN) == (self.target >= 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileSamples:
    """What the runs left.

    Attributes
    ----------
    runs : tuple of WindowRun
        Two of every window.
    densities : dict of str to (n_bins,) float64
        Mean number density [nm⁻³] of :data:`GROUPS` in bins of ``DENSITY_BIN``, over all runs.
    n_lipids : int
        In both leaflets.
    spring : float
        k [kJ/mol/nm²].
    """

    runs: tuple[WindowRun, ...]
    densities: dict[str, FloatArray]
    n_lipids: int
    spring: float


def build_start(request: ProfileRequest) -> System:
    """The bilayer with the solute in its water at the highest target, as built."""
    return build_bilayer(
        Leaflets(upper=request.lipids),
        request.size,
        request.table,
        Solvent(water=request.water, cation=request.cation, anion=request.anion, salt_molarity=request.salt),
        rng=np.random.default_rng(np.random.SeedSequence([request.seed, 0])),
        placements=[Placement(solute=request.solute, count=1, depth=request.targets[-1])],
    )


def _beads_of(system: System, names: Collection[str]) -> tuple[int, ...]:
    """All beads of the molecules of these names."""
    return tuple(
        bead
        for molecule, start in system.molecules()
        if molecule.name in names
        for bead in range(start, start + molecule.n_beads)
    )


def umbrella_of(system: System, request: ProfileRequest) -> Umbrella:
    """All beads of the solute, against all beads of all lipids."""
    return Umbrella(
        solute=_beads_of(system, {request.solute.name}),
        lipids=_beads_of(system, request.lipid_names),
        spring=request.spring,
    )


def _groups(system: System, request: ProfileRequest) -> tuple[IntArray, ...]:
    index = index_membrane(system, set(request.lipid_names), water=request.water.name)
    return np.array(_beads_of(system, request.lipid_names), dtype=np.int64), index.markers, index.water


def _staged(store: RunStore, key: str, built: System, run: Callable[[], Sequence[System]]) -> list[System]:
    """The systems ``run`` leaves, from the run store where they are in it already."""
    found = store.load(key)
    if found is None:
        reached = run()
        arrays = {
            "positions": np.array([system.positions for system in reached]),
            "velocities": np.array([system.velocities for system in reached]),
            "boxes": np.array([system.box for system in reached]),
        }
        store.save(key, arrays, {"system": built.title})
        return list(reached)
    arrays = found[0]
    return [
        built.with_coordinates(x, box, v)
        for x, box, v in zip(arrays["positions"], arrays["boxes"], arrays["velocities"], strict=True)
    ]


def _prepare(request: ProfileRequest, store: RunStore, tell: Callable[[str], None]) -> None:
    """Equilibrate the bilayer, pull the solute down through it and back up; each stage is stored when it is done."""
    built, rising = request.built, request.targets
    umbrella = umbrella_of(built, request)
    pull = partial(
        pulled,
        umbrella=umbrella,
        temperature=request.temperature,
        pressure=request.pressure,
        steps=request.pull_steps,
    )

    def equilibrate() -> list[System]:
        return [
            equilibrated(
                built,
                umbrella,
                rising[-1],
                temperature=request.temperature,
                pressure=request.pressure,
                n_steps=request.membrane_steps,
                seed=request.seed,
            )
        ]

    tell("equilibrating the bilayer")
    start = _staged(store, request.stage_key("equilibrated"), built, equilibrate)[0]
    tell("pulling the solute through")
    key = request.stage_key(_WAYS[DOWN])
    end = _staged(store, key, built, lambda: pull(start, targets=rising[::-1], seed=request.seed))[-1]
    tell("pulling it back")
    _staged(store, request.stage_key(_WAYS[UP]), built, lambda: pull(end, targets=rising, seed=request.seed + 1))


def _window(task: tuple[ProfileRequest, int, int, Path]) -> tuple[int, int]:
    """Worker: run the parts of one window that are missing, one after the other."""
    request, window, way, folder = task
    store, built = RunStore(folder), request.built
    umbrella, groups = umbrella_of(built, request), _groups(built, request)
    settings = umbrella_settings(request.temperature, request.pressure)
    system: System | None = None
    for part in range(request.parts):
        key = request.window_key(window, way, part)
        found = store.load(key)
        if found is not None:
            arrays, _ = found
            system = built.with_coordinates(arrays["positions"], arrays["box"], arrays["velocities"])
            continue
        if system is None:
            system = _start(request, built, window, way, store)
        seed = np.random.SeedSequence([request.seed, 3, window, way, part])
        samples = run_umbrella(
            system,
            umbrella,
            request.targets[window],
            settings=settings,
            n_equilibration=request.settling_steps if part == 0 else 0,
            n_steps=request.part_steps,
            every=request.every,
            groups=groups,
            seed=int(np.random.default_rng(seed).integers(2**62)),
        )
        end = samples.end
        assert end.velocities is not None
        kept = {"frames": samples.frames, "densities": samples.densities}
        store.save(
            key, kept | {"positions": end.positions, "velocities": end.velocities, "box": end.box}, {"part": part}
        )
        system = end
    return window, way


def _start(request: ProfileRequest, built: System, window: int, way: int, store: RunStore) -> System:
    found = store.load(request.stage_key(_WAYS[way]))
    if found is None:
        raise SimulationError("the pulled system has gone from the run store", where=str(store.folder))
    arrays, _ = found
    row = window if way == UP else len(request.targets) - 1 - window
    return built.with_coordinates(arrays["positions"][row], arrays["boxes"][row], arrays["velocities"][row])


def _runs(request: ProfileRequest) -> Iterator[tuple[int, int]]:
    for window in range(len(request.targets)):
        for way in (DOWN, UP):
            yield window, way


def missing_parts(request: ProfileRequest, folder: Path) -> int:
    """How many parts of windows would have to be run."""
    store = RunStore(folder)
    return sum(
        request.window_key(window, way, part) not in store
        for window, way in _runs(request)
        for part in range(request.parts)
    )


def sample_profile(
    request: ProfileRequest,
    folder: Path,
    *,
    workers: int = 0,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> ProfileSamples:
    """Do the runs that are not in the run store, and gather all of them.

    Parameters
    ----------
    request : ProfileRequest
    folder : Path
        Of the run store.
    workers : int
        Processes; 0 for one per available processor.
    executor : Executor, optional
        Any ``concurrent.futures.Executor`` in place of a pool of our own.
    progress : callable, optional
        Called with (runs done, runs to do, what).

    Raises
    ------
    SimulationError
        A run that failed, or a store that cannot be read back.
    """
    tell = progress or (lambda done, total, what: None)
    store = RunStore(folder)
    built = request.built
    todo = [
        (window, way)
        for window, way in _runs(request)
        if any(store.load(request.window_key(window, way, part)) is None for part in range(request.parts))
    ]
    if todo:
        tell(0, len(todo), "compiling")
        warm_up()
        _prepare(request, store, lambda what: tell(0, len(todo), what))
        steps = request.settling_steps + request.parts * request.part_steps
        tasks = [(request, window, way, folder) for window, way in todo]
        cost = float(built.n_beads * steps * len(tasks))
        for done, (index, _) in enumerate(
            run_tasks(_window, tasks, workers=workers, executor=executor, cost=cost), start=1
        ):
            tell(done, len(todo), f"window at {request.targets[todo[index][0]]:.2f} nm")
    return _gathered(request, store, built)


def _gathered(request: ProfileRequest, store: RunStore, built: System) -> ProfileSamples:
    runs, counts, volumes = [], np.zeros((len(GROUPS), 0)), 0.0
    for window, way in _runs(request):
        frames = []
        for part in range(request.parts):
            found = store.load(request.window_key(window, way, part))
            if found is None:
                raise SimulationError(
                    "a stored run cannot be read back", where=str(store.folder), hint="is the disk full?"
                )
            arrays, _ = found
            frames.append(arrays["frames"])
            counts = arrays["densities"] + (counts if counts.size else 0.0)
            volumes += float(arrays["frames"][:, 1].sum())
        runs.append(WindowRun(target=request.targets[window], way=way, frames=np.concatenate(frames)))
    return ProfileSamples(
        runs=tuple(runs),
        densities={name: counts[k] / (volumes * DENSITY_BIN) for k, name in enumerate(GROUPS)},
        n_lipids=index_membrane(built, set(request.lipid_names), water=request.water.name).n_lipids,
        spring=request.spring,
    )
