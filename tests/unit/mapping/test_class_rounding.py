"""Classes for a molecule as a whole: the least sum of all choices, beads alike, and what no bead may be asked to do."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdown.mapping.class_rounding import MOST_CANDIDATES, OWN_WEIGHT, SLACK, round_together


def cost(deviations: np.ndarray, chosen: np.ndarray) -> float:
    picked = deviations[np.arange(len(chosen)), chosen]
    return float((picked.sum(axis=0) ** 2).sum() + OWN_WEIGHT * (picked**2).sum())


def random_deviations(seed: int, n_beads: int, n_classes: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 1.5, (n_beads, n_classes, 3))


def test_a_bead_alone_gets_the_nearest_class() -> None:
    off = random_deviations(1, 1, 20)
    assert round_together(off)[0] == np.linalg.norm(off[0], axis=1).argmin()


def test_what_is_left_over_cancels() -> None:
    """Two beads between the same two classes: one takes the upper, one the lower."""
    first = np.array([[0.4], [-0.6]])
    second = np.array([[0.5], [-0.5]])
    chosen = round_together(np.stack([first, second]))
    assert sorted(chosen.tolist()) == [0, 1]
    assert round_together(first[None]).tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_no_other_choice_of_near_classes_is_better(seed: int, n_beads: int) -> None:
    off = random_deviations(seed, n_beads, 12)
    found = round_together(off)
    distances = np.linalg.norm(off, axis=2)
    allowed = []
    for row in distances:
        order = np.argsort(row)[:MOST_CANDIDATES]
        allowed.append([k for k in order if row[k] <= row.min() + SLACK])
    best = min(cost(off, np.array(choice)) for choice in product(*allowed))
    assert cost(off, found) == pytest.approx(best, abs=1e-9)
    assert all(k in own for k, own in zip(found, allowed)), "no bead goes further than the slack allows"


@pytest.mark.parametrize("n_beads", [6, 7, 8, 9, 10, 40])
def test_large_molecules_are_no_worse_than_the_nearest_and_do_not_take_long(n_beads: int) -> None:
    off = random_deviations(5, n_beads, 72)
    nearest = np.linalg.norm(off, axis=2).argmin(axis=1)
    found = round_together(off)
    assert cost(off, found) < 0.5 * cost(off, nearest)
    # and no single bead could do better
    for bead in range(n_beads):
        row = np.linalg.norm(off[bead], axis=1)
        for k in np.argsort(row)[:MOST_CANDIDATES]:
            if row[k] <= row.min() + SLACK:
                other = found.copy()
                other[bead] = k
                assert cost(off, other) >= cost(off, found) - 1e-9


@pytest.mark.parametrize("n_beads", range(5, 13))
def test_every_bead_of_a_large_molecule_is_chosen_with_others(n_beads: int) -> None:
    """One bead leaves something over that nothing but another, wherever it stands, can make up for."""
    for odd in range(n_beads):
        off = np.full((n_beads, 2, 1), 9.0)
        off[:, 0] = np.linspace(0.001, 0.002, n_beads)[:, None]
        off[odd - 1, 0] = 0.9
        off[odd] = [[1.0], [-1.2]]
        assert round_together(off)[odd] == 1, f"{odd} of {n_beads}"


def test_equivalent_beads_stay_alike_and_the_order_does_not_matter() -> None:
    off = random_deviations(3, 4, 30)
    off[2] = off[0]
    found = round_together(off)
    assert found[0] == found[2]
    turned = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(round_together(off[turned]), found[turned])
