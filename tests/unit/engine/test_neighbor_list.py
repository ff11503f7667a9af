"""The cell-built list holds exactly the pairs an O(n²) search finds, and no pair is missed while it is in use."""

from __future__ import annotations

import numpy as np
import pytest
from engine_systems import CUTOFF, DIMER, LIPID, THREE_TYPES, W, everything, water

from topdown.engine import Simulation, SimulationSettings
from topdown.engine.neighbor_list import NeighborList
from topdown.engine.observables import fresh_list
from topdown.engine.parameters import build_parameters
from topdown.engine.reference import pairs_within
from topdown.model import System

BOXES = {
    "2.01": (2.01, 2.01, 2.01),
    "2.4": (2.4, 2.4, 2.4),
    "3.0": (3.0, 3.0, 3.0),
    "4.5": (4.5, 4.5, 4.5),
    "8.0": (8.0, 8.0, 8.0),
    "flat": (5.2, 6.1, 2.01),
    "long": (2.05, 2.3, 8.0),
    "three cells": (3.69, 3.7, 3.72),
    "odd": (3.999, 4.001, 7.1),
}


def listed_pairs(near: NeighborList) -> set[tuple[int, int]]:
    """The pairs of a list whose rows are in sorted order, as bead numbers."""
    assert sorted(near.order.tolist()) == list(range(len(near.order)))
    rows = np.repeat(np.arange(len(near.start) - 1), np.diff(near.start.astype(np.int64)))
    ends = near.order[rows], near.order[near.neighbors[: near.start[-1]]]
    pairs = [(min(i, j), max(i, j)) for i, j in zip(ends[0].tolist(), ends[1].tolist())]
    assert len(pairs) == len(set(pairs)), "a pair is listed twice"
    return set(pairs)


def _built(system: System, radius: float, solute_component: int) -> tuple[set, set]:
    parameters = build_parameters(system, solute_component=solute_component)
    box, x = np.array(system.box), np.array(system.positions)
    near = fresh_list(parameters, x, box, radius)
    assert near.pair.types.tolist() == parameters.pair.types[near.order].tolist()
    return listed_pairs(near), {tuple(p) for p in pairs_within(x, box, radius, parameters.pair).tolist()}


@pytest.mark.parametrize("solute_component", [-1, 0, 2])
@pytest.mark.parametrize("buffer", [0.0, 0.25])
@pytest.mark.parametrize("box", list(BOXES))
def test_list_equals_all_pairs(box, buffer, solute_component):
    """Beads anywhere, in other images and on the faces of the box too."""
    edges = CUTOFF * np.array(BOXES[box])
    for seed in range(3):
        rng = np.random.default_rng(seed)
        components = ((LIPID, 6), (DIMER, 10), (W, 200 - 30 * seed))
        n = sum(m.n_beads * count for m, count in components)
        positions = rng.uniform(-1.5, 2.5, (n, 3)) * edges
        positions[::17] = np.rint(positions[::17] / edges) * edges + 1e-3 * rng.standard_normal(
            (len(positions[::17]), 3)
        )
        positions[5, 0], positions[6, 1], positions[7, 2] = 0.0, edges[1], -edges[2]
        system = System(table=THREE_TYPES, components=components, positions=positions, box=edges)
        found, expected = _built(system, CUTOFF + buffer, solute_component)
        assert found == expected
        assert len(expected) > 50


def test_excluded_and_solute_solvent_pairs_are_left_out():
    system = everything(1)
    found, _ = _built(system, 1.35, 0)
    n_solute = 4 * LIPID.n_beads
    assert not {(0, 1), (1, 2), (2, 4)} & found  # bonded and explicitly excluded
    assert (0, 3) in _built(system, 1.35, -1)[0]  # bond of function 6
    assert all((i < n_solute) == (j < n_solute) for i, j in found)
    assert any(i < n_solute for i, _ in found)


@pytest.mark.parametrize("barostat", [None, "isotropic", "semiisotropic"])
def test_no_pair_is_missed_in_a_hot_run(barostat):
    system = water(110, aspect=1.1)
    settings = SimulationSettings(
        temperature=900.0, barostat=barostat, pressure=3000.0, tau_p=1.0, time_step=0.02, list_buffer=0.15
    )
    simulation = Simulation(system, settings, seed=4)
    simulation.minimize(max_steps=50)
    builds, volumes = [], []

    def check(running: Simulation) -> None:
        needed = pairs_within(running.positions, running.box, CUTOFF, running.parameters.pair)
        assert {tuple(p) for p in needed.tolist()} <= listed_pairs(running.state.neighbor_list)
        builds.append(int(running.state.scratch.counters[3]))
        volumes.append(running.volume)

    simulation.run(250, every=1, observe=check)
    assert 10 < builds[-1] < 300, "the list was never renewed, or always"
    assert (np.ptp(volumes) > 0.03 * volumes[0]) == (barostat is not None)


def test_a_list_that_outgrows_its_rows_changes_nothing():
    """A run whose list arrays start too short equals one with room."""
    roomy, cramped = (Simulation(water(), SimulationSettings(), seed=2) for _ in range(2))
    near = cramped.state.neighbor_list
    cramped.state.neighbor_list = near._replace(neighbors=near.neighbors[: near.start[-1]].copy())
    roomy.run(300)
    cramped.run(300)
    assert len(cramped.state.neighbor_list.neighbors) > near.start[-1], "the list never had to grow"
    assert roomy.positions.tobytes() == cramped.positions.tobytes()
