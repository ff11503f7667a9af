"""A solute put into frames of its solvent leaves what a run at λ = 0 would: frame by frame, and in distribution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import COUNTER_ION, DIMER, ION, LIPID, THREE_TYPES, W, molecule, placed

from topdown.building.single import single_molecule
from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.errors import SettingsError
from topdown.model import Angle, Bond, System
from topdown.model.requests import GasRequest
from topdown.model.samples import join_frames
from topdown.sampling.insertions import Trajectory, draw_poses, inserted_samples, trajectory_of
from topdown.sampling.liquid_runs import run_gas
from topdown.units import kt

PATH = Coupling.charges_last((0.0, 0.2, 1.0), (1.0,), index=0)
TABLE = THREE_TYPES


def solvent_frames(n_frames: int) -> Trajectory:
    system = placed(((W, 50), (DIMER, 20), (ION, 5), (COUNTER_ION, 5)), (2.9, 2.9, 3.0), table=TABLE, seed=4)
    run = Simulation(system, SimulationSettings(time_step=0.01), seed=2)
    run.minimize(max_steps=100)
    frames, positions = [], []

    def keep(running: Simulation) -> None:
        frames.append(running.pair_sums())
        positions.append(np.array(running.positions))

    run.run(20 * n_frames, every=20, observe=keep)
    return Trajectory(
        system=run.system(),
        positions=np.stack(positions),
        boxes=np.repeat(run.box[None], n_frames, axis=0),
        sums=join_frames(frames),
    )


def alone(solute, n_frames: int = 20) -> Trajectory:
    start = single_molecule(solute, TABLE, rim=2.5)
    request = GasRequest(
        molecule=solute,
        table=start.table,
        temperature=300.0,
        n_equilibration=1000,
        n_steps=20 * n_frames,
        every=20,
        seed=1,
    )
    return trajectory_of(run_gas(request, start, key="k", seed=1), start)


def test_frames_are_those_of_a_simulation_that_holds_the_solute_there() -> None:
    solvent, shapes = solvent_frames(3), alone(LIPID)
    settings = {"key": "k", "name": "n", "temperature": 300.0, "pressure": 1.0, "n_poses": 2}
    found = inserted_samples(LIPID, shapes, solvent, PATH, rng=np.random.default_rng(9), **settings)
    _, poses = draw_poses(shapes, solvent, 2, np.random.default_rng(9))
    assert found.lambda_index == 0
    assert found.sums.n_frames == 6
    assert found.n_molecules == 80
    for row in range(6):
        n, m = divmod(row, 2)
        system = System(
            table=TABLE,
            components=((LIPID, 1), *solvent.system.components),
            positions=np.concatenate([poses[n, m], solvent.positions[n]]),
            box=solvent.boxes[n],
        )
        direct = Simulation(system, SimulationSettings(), coupling=PATH).pair_sums()
        assert found.sums.pairs == direct.pairs
        assert found.sums.solute_pairs == direct.solute_pairs
        here, there = found.sums.frames(slice(row, row + 1)).arrays(), direct.arrays()
        assert here.keys() == there.keys()
        for name, value in there.items():
            scale = np.abs(value).max(initial=1.0)
            np.testing.assert_allclose(here[name], value, atol=2e-6 * scale, err_msg=name)
    assert np.abs(found.sums.solute_coulomb).max() > 0.1


def test_lone_solute_keeps_its_temperature_and_shape() -> None:
    """Bond and angle of three beads without other forces: Boltzmann's distribution, Jacobian and all."""
    bent = molecule(
        "BEN",
        "AAA",
        bonds=(
            Bond(atoms=(0, 1), length=0.4, force_constant=2000.0),
            Bond(atoms=(1, 2), length=0.4, force_constant=2000.0),
        ),
        angles=(Angle(atoms=(0, 1, 2), angle=120.0, force_constant=30.0, function=2),),
        exclusions=((0, 2),),
    )
    run = alone(bent, n_frames=4000)
    x = run.positions
    arms = x[:, [0, 2]] - x[:, [1]]
    lengths = np.linalg.norm(arms, axis=2)
    # ⟨r⟩ of r² exp(-k (r - r0)²/2kT) lies 2 kT/(k r0) above r0
    assert lengths.mean() == pytest.approx(0.4 + 2.0 * kt(300.0) / (2000.0 * 0.4), abs=0.001)
    cosine = np.einsum("nd,nd->n", arms[:, 0], arms[:, 1]) / lengths.prod(axis=1)
    grid = np.linspace(-1.0, 1.0, 4001)
    weight = np.exp(-0.5 * 30.0 * (grid + 0.5) ** 2 / kt(300.0))
    mean = float((grid * weight).sum() / weight.sum())
    spread = float(np.sqrt((grid**2 * weight).sum() / weight.sum() - mean**2))
    assert cosine.mean() == pytest.approx(mean, abs=4.0 * spread / np.sqrt(1000.0))
    assert cosine.std() == pytest.approx(spread, rel=0.1)


def test_places_are_uniform() -> None:
    bead = molecule("ONE", "B")
    shapes = alone(bead)
    solvent = solvent_frames(2)
    _, poses = draw_poses(shapes, solvent, 4000, np.random.default_rng(3))
    scaled = poses[:, :, 0] / solvent.boxes[:, None]
    assert scaled.min() >= 0.0
    assert scaled.max() <= 1.0
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0.5, atol=0.02)


def test_turns_are_uniform_and_keep_shapes() -> None:
    solvent, shapes = solvent_frames(1), alone(LIPID)
    drawn, poses = draw_poses(shapes, solvent, 3000, np.random.default_rng(3))
    ends = poses[0, :, -1] - poses[0, :, 0]
    own = shapes.positions[drawn[0], -1] - shapes.positions[drawn[0], 0]
    np.testing.assert_allclose(np.linalg.norm(ends, axis=1), np.linalg.norm(own, axis=1), rtol=1e-6)
    directions = ends / np.linalg.norm(ends, axis=1, keepdims=True)
    np.testing.assert_allclose(directions.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(directions.T @ directions / len(ends), np.eye(3) / 3.0, atol=0.04)


def test_a_trajectory_that_does_not_fit_is_refused() -> None:
    found = solvent_frames(2)
    with pytest.raises(SettingsError, match="do not fit 2 frames"):
        replace(found, boxes=found.boxes[:1])
