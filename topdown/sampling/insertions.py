"""Frames of the decoupled end of a path without a run of their own: a solute alone, put into stored frames of its solvent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.engine import Coupling
from topdown.engine.insertion import InsertionSums, insertion_sums
from topdown.errors import SettingsError
from topdown.model import CGMolecule, PairSums, System, WindowSamples
from topdown.model.samples import join_frames
from topdown.sampling.liquid_runs import RunPart

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """Frames with their sums.

    Attributes
    ----------
    system : System
        What moves, at its last frame.
    positions : (n_frames, n_beads, 3) float32 or float64 [nm]
    boxes : (n_frames, 3) float64 [nm]
    sums : PairSums
        Of the same frames.
    """

    system: System
    positions: npt.NDArray[np.floating]
    boxes: Floats
    sums: PairSums

    def __post_init__(self) -> None:
        n = self.sums.n_frames
        if self.positions.shape != (n, self.system.n_beads, 3) or self.boxes.shape != (n, 3):
            raise SettingsError(
                f"positions {self.positions.shape} and boxes {self.boxes.shape} do not fit {n} frames of "
                f"{self.system.n_beads} beads"
            )


def join_trajectories(parts: Sequence[Trajectory]) -> Trajectory:
    """Parts of one run as one."""
    return Trajectory(
        system=parts[-1].system,
        positions=np.concatenate([part.positions for part in parts]),
        boxes=np.concatenate([part.boxes for part in parts]),
        sums=join_frames([part.sums for part in parts]),
    )


def trajectory_of(run: RunPart, system: System) -> Trajectory:
    """The frames of a run that kept its positions."""
    positions, boxes = run.extra["frame_positions"], run.extra["frame_boxes"]
    return Trajectory(system=system, positions=positions, boxes=boxes, sums=run.samples.sums)


def _turned(shapes: Floats, rng: np.random.Generator) -> Floats:
    """Shapes (n, n_beads, 3) about their centres, each turned at random (Shoemake 1992: a uniform unit quaternion)."""
    q = rng.standard_normal((len(shapes), 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
    turns = np.moveaxis(np.array(rows), 2, 0)
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    return np.asarray(np.einsum("nab,nkb->nka", turns, centred))


def draw_poses(
    alone: Trajectory, solvent: Trajectory, n_poses: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Shapes, turns and places at random.

    Returns
    -------
    (n_frames, n_poses) int64
        Which frame of ``alone`` each shape is.
    (n_frames, n_poses, n_solute, 3) float64 [nm]
    """
    n_frames = solvent.sums.n_frames
    drawn = rng.integers(alone.sums.n_frames, size=(n_frames, n_poses))
    turned = _turned(np.asarray(alone.positions, dtype=np.float64)[drawn.ravel()], rng)
    centres = rng.random((n_frames, n_poses, 3)) * solvent.boxes[:, None]
    return drawn, turned.reshape(n_frames, n_poses, -1, 3) + centres[:, :, None]


def inserted_samples(
    solute: CGMolecule,
    alone: Trajectory,
    solvent: Trajectory,
    coupling: Coupling,
    *,
    key: str,
    name: str,
    temperature: float,
    pressure: float,
    n_poses: int,
    rng: np.random.Generator,
) -> WindowSamples:
    """Samples of the state λ = 0 of ``coupling``: the solute put at random into every frame of its solvent.

    Parameters
    ----------
    solute : CGMolecule
    alone : Trajectory
        Of the solute in the gas.
    solvent : Trajectory
        Of the solvent without it, at constant pressure.
    coupling : Coupling
        The path, component 0 coupled.
    key, name : str
        Of the samples made.
    temperature, pressure : float
        Of ``solvent`` [K], [bar]
    n_poses : int
        In each frame.
    rng : numpy.random.Generator
        Draws shapes, turns and places.

    Returns
    -------
    WindowSamples
        ``n_poses`` frames for each of the solvent's, pose by pose, as a run at λ = 0 would leave them.
    """
    drawn, poses = draw_poses(alone, solvent, n_poses, rng)
    table = solvent.system.table
    system = System(
        table=table,
        components=((solute, 1), *solvent.system.components),
        positions=np.concatenate([poses[0, 0], solvent.positions[0]]),
        box=solvent.boxes[0],
    )
    found = insertion_sums(system, replace(coupling, index=0, component=0), solvent.positions, solvent.boxes, poses)
    whole = _whole(found, solvent.sums, alone.sums, drawn, coupling)
    return WindowSamples(
        key=key,
        system=name,
        sums=whole,
        epsilon=tuple(table.pair(a, b)[1] for a, b in (*whole.pairs, *whole.solute_pairs)),
        lambda_index=0,
        temperature=temperature,
        pressure=pressure,
        n_molecules=sum(count for _, count in solvent.system.components),
    )


def _whole(
    found: InsertionSums, solvent: PairSums, alone: PairSums, drawn: npt.NDArray[np.int64], coupling: Coupling
) -> PairSums:
    """Sums of the solvent and of the solute's shapes ``drawn`` (n_frames, n_poses), beside what was ``found`` between them."""
    shapes = drawn.ravel()
    frame = np.repeat(np.arange(len(drawn)), drawn.shape[1])
    pairs, (sums, repulsion) = _added(solvent, frame, alone, shapes)
    charges = (0.0,) * len(coupling.lambdas) if coupling.charge_lambdas is None else coupling.charge_lambdas
    return PairSums(
        pairs=pairs,
        sums=sums,
        repulsion=repulsion,
        rest_energy=solvent.rest_energy[frame] + alone.rest_energy[shapes],
        volume=solvent.volume[frame],
        solute_pairs=found.solute_pairs,
        solute_sums=found.solute_sums,
        solute_repulsion=found.solute_repulsion,
        solute_slopes=found.solute_slopes,
        solute_coulomb=found.solute_coulomb,
        lambdas=np.array(coupling.lambdas),
        charge_lambdas=np.array(charges),
    )


def _added(
    solvent: PairSums, frames: npt.NDArray[np.int64], solute: PairSums, shapes: npt.NDArray[np.int64]
) -> tuple[tuple[tuple[str, str], ...], tuple[Floats, Floats]]:
    """Sums of the solvent plus those inside the solute over the type pairs of both, and the repulsive half of them."""
    pairs = tuple(sorted({*solvent.pairs, *solute.pairs}))
    halves = []
    for part in ("sums", "repulsion"):
        total = np.zeros((len(frames), len(pairs)))
        for owner, rows in ((solvent, frames), (solute, shapes)):
            values: Sequence[Floats] | Floats | None = getattr(owner, part)
            assert values is not None
            columns = [pairs.index(pair) for pair in owner.pairs]
            total[:, columns] += np.asarray(values)[rows]
        halves.append(total)
    return pairs, (halves[0], halves[1])
