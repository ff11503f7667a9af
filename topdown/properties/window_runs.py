"""What a worker does: make an equilibrated box, or run one window, and put it into the run store.

Liquids and slabs are run in parts. Where a part ended is stored beside its samples, and a later part makes what it needs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from topdown import __version__
from topdown.building.conformation import conformation_of
from topdown.building.liquid import build_mixture
from topdown.building.single import single_molecule
from topdown.building.slab import build_slab
from topdown.engine import Coupling, engine_version
from topdown.errors import SimulationError
from topdown.model import BeadTable, CGMolecule, System, WindowSamples
from topdown.model.requests import (
    BilayerRequest,
    CouplingRequest,
    DiffusionRequest,
    GasRequest,
    InsertionRequest,
    LiquidRequest,
    MeltingRequest,
    SlabRequest,
)
from topdown.properties.diffusion_runs import run_motion
from topdown.properties.melting_runs import run_coexistence
from topdown.properties.planned_runs import PROTOCOL, SHAPE_EVERY, Box, Window, windows_of
from topdown.sampling.equilibrate import equilibrate_liquid, settle
from topdown.sampling.insertions import Trajectory, inserted_samples, join_trajectories, trajectory_of
from topdown.sampling.liquid_runs import RunPart, run_coupled, run_gas, run_liquid, run_slab
from topdown.sampling.run_store import Arrays, RunStore


def make_box(task: tuple[Box, Path]) -> str:
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


def load_box(box: Box, store: RunStore, table: BeadTable) -> System:
    """A stored box with ``table``, which may hold other types besides those of its beads."""
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


def run_window(task: tuple[Window, Path]) -> str:
    """Worker: run one window and store it, and before it the parts it goes on from that are not there."""
    window, folder = task
    store, request, key = RunStore(folder), window.request, window.key()
    if isinstance(request, InsertionRequest):
        samples = _insert(request, key, store)
    elif isinstance(request, GasRequest):
        start = _alone(request.molecule, request.table)
        samples = run_gas(request, start, key=key, seed=_seed(request.seed, 0, 0, 2)).samples
    elif isinstance(request, DiffusionRequest):
        assert window.box is not None
        start = load_box(window.box, store, request.table)
        motion = run_motion(request, start, key=key, seed=_seed(request.seed, 0, 0, 4))
        store.save(window.end_key(), dict(motion.extra), {"system": request.system})
        samples = motion.samples
    elif isinstance(request, MeltingRequest):
        coexistence = run_coexistence(request, key=key, seed=_seed(request.seed, 0, 0, 5))
        store.save(window.end_key(), dict(coexistence.extra), {"system": request.system})
        samples = coexistence.samples
    else:
        if isinstance(request, CouplingRequest):
            part = _couple(window, request, store)
        elif isinstance(request, BilayerRequest):
            # loads SciPy's trees, which no other run needs
            from topdown.properties.bilayer_runs import run_bilayer

            part = run_bilayer(request, _end_before(window, store), key=key)
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


def _couple(window: Window, request: CouplingRequest, store: RunStore) -> RunPart:
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
    (window,) = windows_of(request)
    samples, kept = store.load_window(window.key()), store.load(window.end_key())
    if samples is None or kept is None or "frame_positions" not in kept[0]:
        raise SimulationError("frames of the solvent have gone from the run store", where=str(store.folder))
    positions, boxes = kept[0]["frame_positions"], kept[0]["frame_boxes"]
    system = System(table=table, components=request.components, positions=positions[-1], box=boxes[-1])
    return trajectory_of(RunPart(samples=samples, end=None, extra=kept[0]), system)


def _run_part(window: Window, request: LiquidRequest | SlabRequest, store: RunStore) -> RunPart:
    start = _start_of_part(window, request, store)
    numbers = (request.seed, 0, request.part) if request.part else (request.seed, 0)
    if isinstance(request, SlabRequest):
        seed = _seed(request.seed, 0, request.part, 1)
        if request.part == 0:
            slab = build_slab(start, width=request.width, height=request.height)
            start = settle(slab, temperature=request.temperature, seed=seed)
        return run_slab(request, start, key=window.key(), seed=seed)
    return run_liquid(request, start, key=window.key(), seed=_seed(*numbers))


def _end_before(window: Window, store: RunStore) -> Arrays | None:
    """What the part before this one left, which is run here if it has not been; None for the first."""
    before = window.before()
    if before is None:
        return None
    found = store.load(before.end_key())
    if found is None:
        run_window((before, store.folder))
        found = store.load(before.end_key())
    if found is None or "positions" not in found[0]:
        raise SimulationError(
            "the run cannot go on: its liquid froze, evaporated or broke", where=window.request.system
        )
    return found[0]


def _start_of_part(window: Window, request: CouplingRequest | LiquidRequest | SlabRequest, store: RunStore) -> System:
    """The box, or where the part before this one ended."""
    arrays = _end_before(window, store)
    if arrays is None:
        assert window.box is not None
        return load_box(window.box, store, request.table)
    solute = ((request.solute, 1),) if isinstance(request, CouplingRequest) else ()
    return System(
        table=request.table,
        components=(*solute, *request.components),
        positions=arrays["positions"],
        velocities=arrays["velocities"],
        box=arrays["box"],
        title=request.system,
    )
