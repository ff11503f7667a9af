"""Beads that change rows within a run: nobody who looks at it sees that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import DIMER, THREE_TYPES, W, everything, rms, water

from topdown.engine import CentreRestraint, Simulation, SimulationSettings, bead_order
from topdown.engine.bead_order import REORDER_EVERY, loose_beads
from topdown.model import PositionRestraint, System


@pytest.fixture
def always(monkeypatch):
    """Small systems are ordered too."""
    monkeypatch.setattr(bead_order, "FEWEST", 1)


def settings(threads: int = 1, **other) -> SimulationSettings:
    return SimulationSettings(thermostat="v-rescale", barostat="isotropic", threads=threads, **other)


def test_which_beads_are_loose(always):
    held = replace(W, position_restraints=(PositionRestraint(atom=0, force_constants=(1.0, 1.0, 1.0)),))
    parts = ((W, 3), (DIMER, 2), (W, 5), (held, 4), (W, 2))
    system = System(
        table=THREE_TYPES, components=parts, positions=np.random.default_rng(1).uniform(0, 3, (18, 3)), box=[3.0] * 3
    )
    loose, alike = loose_beads(system, -1, None)
    assert loose.tolist() == [7, 12]
    assert alike.tolist() == [0, 0, 0, 3, 4, 5, 6, 7, 7, 7, 7, 7, 12, 13, 14, 15, 16, 16]
    loose, alike = loose_beads(
        system, -1, CentreRestraint(group=(8,), reference=(3,), distance=1.0, force_constant=1.0)
    )
    assert loose.tolist() == [0, 3]
    assert alike[7:12].tolist() == [7, 8, 9, 10, 11]
    loose, alike = loose_beads(system, 2, None)
    assert loose.tolist() == [0, 0], "a coupled solute acts on all others"
    assert len(alike) == 0


def test_small_systems_keep_their_order():
    assert len(Simulation(water(300), settings()).parameters.pair.alike) == 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("system", [water(400), everything(3)], ids=["water", "everything"])
def test_a_run_is_the_same_in_any_order(system, threads, monkeypatch):
    plain = Simulation(system, settings(threads), seed=2)
    monkeypatch.setattr(bead_order, "FEWEST", 1)
    ordered = Simulation(system, settings(threads), seed=2)
    for run in (plain, ordered):
        run.run(30)
    labels = ordered.state.neighbor_list.labels
    assert sorted(labels) == list(range(system.n_beads))
    alike = ordered.parameters.pair.alike
    assert (labels != np.arange(system.n_beads)).any()
    assert (alike[labels] == alike).all(), "only beads that are alike change rows"
    np.testing.assert_allclose(ordered.positions, plain.positions, atol=1e-5)
    np.testing.assert_allclose(ordered.velocities, plain.velocities, atol=1e-3)
    np.testing.assert_allclose(ordered.box, plain.box, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_looking_at_a_run_and_stopping_it_change_nothing(always, threads, tmp_path):
    """Over two changes of the order, byte for byte."""
    n = REORDER_EVERY + 60
    straight, watched, again = (Simulation(water(400), settings(threads), seed=seed) for seed in (2, 2, 7))
    straight.run(n)
    watched.run(n - 100, every=70, observe=lambda s: s.positions.sum())
    watched.save_checkpoint(tmp_path / "run.cpt")
    again.load_checkpoint(tmp_path / "run.cpt")
    for run in (watched, again):
        run.run(100)
        for name in ("positions", "velocities", "forces"):
            assert getattr(run.state, name).tobytes() == getattr(straight.state, name).tobytes(), name
        assert run.state.neighbor_list.labels.tobytes() == straight.state.neighbor_list.labels.tobytes()


def test_forces_and_lists_are_those_of_the_beads(always):
    run = Simulation(everything(3), settings(), seed=2)
    run.run(REORDER_EVERY + 20)
    assert (run.state.neighbor_list.labels != np.arange(len(run.positions))).any()
    run.run(2)  # on from the order of the system, by the same lists
    state = run.state
    near = state.neighbor_list
    assert near.order[near.slot_of].tolist() == list(range(len(near.slot_of)))
    found = run.energies().forces
    assert rms(state.forces - found) < 1e-5 * rms(found)
