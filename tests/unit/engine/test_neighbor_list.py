"""The cell-built list holds exactly the pairs an O(n²) search finds, and no pair is missed while it is in use."""

from __future__ import annotations

import numpy as np
import pytest
from engine_systems import CUTOFF, DIMER, LIPID, THREE_TYPES, W, everything, water

from topdown.engine import Simulation, SimulationSettings
from topdown.engine._jit import kernel
from topdown.engine._registers import LANES
from topdown.engine.neighbor_list import NeighborList, empty_neighbor_list, prune, restored, stored
from topdown.engine.observables import fresh_list
from topdown.engine.pair_forces import most_partners, partners_of
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


@kernel
def _listed(near, owner, partner):
    """Slot and partner of every pair of the inner list; their number. The last partners of ``partner`` are room."""
    n = 0
    for slot in near.slot_of:
        found = partners_of(slot, near, partner[n:])
        owner[n : n + found] = slot
        n += found
    return n


def as_set(i: np.ndarray, j: np.ndarray) -> set[tuple[int, int]]:
    return set(zip(i.tolist(), j.tolist()))


def listed_pairs(near: NeighborList) -> set[tuple[int, int]]:
    """The pairs of the inner list as bead numbers, each of them once."""
    n = len(near.slot_of)
    beads = near.order[: 4 * int(near.counts[0])]
    assert sorted(beads[beads < n].tolist()) == list(range(n))
    assert beads[near.slot_of].tolist() == list(range(n))
    longest = most_partners(near)
    owner, partner = np.zeros(n * longest, np.uint32), np.zeros((n + 1) * longest, np.uint32)
    n_pairs = _listed(near, owner, partner)
    i, j = near.order[owner[:n_pairs]], partner[:n_pairs]
    pairs = as_set(np.minimum(i, j), np.maximum(i, j))
    assert len(pairs) == n_pairs, "a pair is listed twice"
    return pairs


@kernel
def _pruned(first_cluster, last_cluster, box, radius, near):
    prune(first_cluster, last_cluster, box, radius, near)


def _as_inner(near: NeighborList) -> NeighborList:
    """The same list with the outer one in the place of the inner one, which leaves nothing over for the masked packs."""
    masks = near.masks.copy()
    masks[near.masked_start[1 : int(near.counts[0]) + 1].astype(int) - 1] &= 15
    return near._replace(
        inner_start=near.outer_start[:-1], inner_end=near.outer_start[1:], inner_rows=near.outer_rows, masks=masks
    )


def _built(system: System, radius: float, solute_component: int, longer: float = 0.3) -> tuple[NeighborList, set]:
    parameters = build_parameters(system, solute_component=solute_component)
    box, x = np.array(system.box), np.array(system.positions)
    near = fresh_list(parameters, x, box, radius + longer, radius)
    return near, as_set(*pairs_within(x, box, radius, parameters.pair).T)


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
        near, expected = _built(system, CUTOFF + buffer, solute_component)
        found, outer = listed_pairs(near), listed_pairs(_as_inner(near))
        assert expected <= found <= outer
        assert len(expected) > 50
        allowed = build_parameters(system, solute_component=solute_component).pair
        everything_counted = as_set(*pairs_within(positions, edges, 1e3, allowed).T)
        assert outer <= everything_counted, "an excluded or a solute-solvent pair"


def test_excluded_and_solute_solvent_pairs_are_left_out():
    system = everything(1)
    found = listed_pairs(_built(system, 1.35, 0)[0])
    n_solute = 4 * LIPID.n_beads
    assert not {(0, 1), (1, 2), (2, 4)} & found  # bonded and explicitly excluded
    assert (0, 3) in listed_pairs(_built(system, 1.35, -1)[0])  # bond of function 6
    assert all((i < n_solute) == (j < n_solute) for i, j in found)
    assert any(i < n_solute for i, _ in found)


@pytest.mark.parametrize("longer", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("make", [everything, water, lambda: water(40, density=1.5)], ids=["mixture", "water", "gas"])
def test_clusters_can_be_pruned_in_any_order(make, longer):
    """Threads prune at once, each its own clusters: nothing may be written to the rows of another cluster."""
    near, expected = _built(make(), CUTOFF, -1, longer)
    box = np.array(make().box)
    straight, n_clusters = listed_pairs(near), int(near.counts[0])
    for q in range(n_clusters - 1, -1, -1):
        _pruned(q, q + 1, box, CUTOFF, near)
    assert expected <= straight
    assert listed_pairs(near) == straight


@pytest.mark.parametrize("barostat", [None, "isotropic", "semiisotropic"])
def test_no_pair_is_missed_in_a_hot_run(barostat):
    system = water(110, aspect=1.1)
    settings = SimulationSettings(
        temperature=900.0, barostat=barostat, pressure=3000.0, tau_p=1.0, time_step=0.02, list_buffer=0.2
    )
    simulation = Simulation(system, settings, seed=4)
    simulation.minimize(max_steps=50)
    builds, volumes = [], []

    def check(running: Simulation) -> None:
        needed = pairs_within(running.positions, running.box, CUTOFF, running.parameters.pair)
        assert as_set(*needed.T) <= listed_pairs(running.state.neighbor_list)
        builds.append(running.state.neighbor_list.counts[1:3].tolist())
        volumes.append(running.volume)

    simulation.run(250, every=1, observe=check)
    (first, _), (outer, inner) = builds[0], builds[-1]
    assert 5 < outer - first < inner < 300, "the lists were never renewed, or always"
    assert (np.ptp(volumes) > 0.03 * volumes[0]) == (barostat is not None)


@pytest.mark.parametrize("short", ["outer_rows", "masked_rows"])
def test_a_list_that_outgrows_its_rows_changes_nothing(short):
    """A run whose list arrays start too short equals one with room."""
    roomy, cramped = (Simulation(water(), SimulationSettings(), seed=2) for _ in range(2))
    near = cramped.state.neighbor_list
    room = {"outer_rows": len(near.outer_rows), "masked_rows": len(near.masked_rows)}
    starts = {"outer_rows": near.outer_start, "masked_rows": near.masked_start}
    room[short] = LANES * int(starts[short][near.counts[0]])
    arrays = stored(near) | {"room": np.array([len(near.charged), room["masked_rows"], room["outer_rows"]])}
    cramped.state.neighbor_list = restored(arrays, cramped.parameters.pair)
    roomy.run(300)
    cramped.run(300)
    assert len(getattr(cramped.state.neighbor_list, short)) > room[short], "the list never had to grow"
    assert roomy.positions.tobytes() == cramped.positions.tobytes()


def test_a_list_with_room_for_too_few_clusters_grows():
    system = everything(2)
    parameters, box, x = build_parameters(system), np.array(system.box), np.array(system.positions)
    tiny = empty_neighbor_list(parameters.pair, box, 1.4, room=0.1)
    grown = fresh_list(parameters, x, box, 1.4, 1.3, tiny)
    assert len(grown.charged) > len(tiny.charged)
    assert listed_pairs(grown) == listed_pairs(fresh_list(parameters, x, box, 1.4, 1.3))


def test_lists_survive_being_stored():
    near = Simulation(everything(2), SimulationSettings(), seed=2).state.neighbor_list
    again = restored(stored(near), build_parameters(everything(2)).pair)
    for name in (
        "order",
        "slot_of",
        "table",
        "charges",
        "charged",
        "uniform",
        "masked_start",
        "outer_start",
        "inner_start",
        "inner_end",
    ):
        assert getattr(near, name).tobytes() == getattr(again, name).tobytes(), name
    assert listed_pairs(near) == listed_pairs(again)
