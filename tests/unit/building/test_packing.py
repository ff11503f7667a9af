"""Contacts under periodic boundaries, wrapping by whole molecules, and pushing apart."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.building.bonded_energy import bonded_terms
from topdown.building.packing import (
    close_pairs,
    closest_distance,
    push_apart,
    random_rotations,
    rotated_copies,
    wrap_molecules,
)
from topdown.model import System
from topdown.tables import load_bead_table, load_molecule

TABLE = load_bead_table("martini2")


@pytest.mark.parametrize("seed", range(3))
def test_close_pairs_are_those_of_the_minimum_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    box = np.array([2.0, 2.5, 3.0])
    x = rng.uniform(-3, 6, size=(60, 3))
    x[0] = [0.0, -1e-18, 0.0]
    vectors = x[:, None] - x[None]
    vectors -= np.round(vectors / box) * box
    near = np.argwhere(np.triu(np.linalg.norm(vectors, axis=2) < 0.6, 1))
    found = close_pairs(x, box, 0.6, np.zeros(0, dtype=np.int64))
    assert {tuple(p) for p in np.sort(found, axis=1)} == {tuple(p) for p in near}


def test_excluded_pairs_are_left_out() -> None:
    octane = load_molecule("martini2", "OCT")
    x = np.array([[0.1, 1.0, 1.0], [3.9, 1.0, 1.0], [0.45, 1.0, 1.0], [0.55, 1.3, 1.0]])
    terms = bonded_terms([(octane, 2)])
    pairs = close_pairs(x, np.full(3, 4.0), 0.4, terms.excluded)
    assert {tuple(sorted(p)) for p in pairs.tolist()} == {(0, 2)}


def test_wrapping_keeps_molecules_whole() -> None:
    hexadecane = load_molecule("martini2", "HD")
    box = np.array([3.0, 3.0, 3.0])
    one = np.column_stack([np.arange(4) * 0.47, np.zeros(4), np.zeros(4)])
    x = np.concatenate([one + np.array([-1.2, 7.0, 0.1]), one + np.array([2.2, -0.1, 2.9])])
    wrapped = wrap_molecules(x, box, [(hexadecane, 2)])
    centres = wrapped.reshape(2, 4, 3).mean(axis=1)
    assert np.all((centres >= 0) & (centres < box))
    np.testing.assert_allclose(np.diff(wrapped.reshape(2, 4, 3), axis=1), np.diff(x.reshape(2, 4, 3), axis=1))
    np.testing.assert_allclose((wrapped - x) / box, np.round((wrapped - x) / box), atol=1e-12)


def test_rotated_copies_keep_distances_and_centres() -> None:
    rng = np.random.default_rng(3)
    shape, centres = rng.normal(size=(5, 3)), rng.uniform(0, 9, size=(7, 3))
    copies = rotated_copies(shape, random_rotations(7, rng), centres).reshape(7, 5, 3)
    np.testing.assert_allclose(copies.mean(axis=1), centres, atol=1e-12)
    spans = np.linalg.norm(copies[:, :, None] - copies[:, None], axis=-1)
    np.testing.assert_allclose(spans, np.broadcast_to(spans[0], spans.shape), atol=1e-12)
    assert not np.allclose(copies[0] - centres[0], copies[1] - centres[1])


def test_random_rotations_are_uniform_on_the_sphere() -> None:
    ends = random_rotations(4000, np.random.default_rng(5)).apply([0.0, 0.0, 1.0])
    # Mean of each component 0 and of its square 1/3; standard errors 1/sqrt(3n) and sqrt(4/45/n).
    assert np.all(np.abs(ends.mean(axis=0)) < 4 / np.sqrt(3 * 4000))
    assert np.all(np.abs((ends**2).mean(axis=0) - 1 / 3) < 4 * np.sqrt(4 / 45 / 4000))


def test_overlapping_chains_come_apart_without_tearing() -> None:
    hexadecane = load_molecule("martini2", "HD")
    rng = np.random.default_rng(7)
    box = np.full(3, 3.2)
    shape = np.column_stack([np.zeros(4), np.zeros(4), 0.47 * np.arange(4)])
    x = rotated_copies(shape, random_rotations(60, rng), rng.uniform(0, 3.2, size=(60, 3)))
    components = ((hexadecane, 60),)
    before = System(table=TABLE, components=components, positions=x, box=box)
    after = before.with_coordinates(push_apart(x, box, components, TABLE))
    assert closest_distance(before) < 0.15
    assert closest_distance(after) >= 0.40
    bonds = np.linalg.norm(np.diff(after.positions.reshape(60, 4, 3), axis=1), axis=2)
    np.testing.assert_allclose(bonds, 0.47, atol=0.09)


def test_only_beads_that_touch_are_moved() -> None:
    water = load_molecule("martini2", "W")
    x = np.array([[1.0, 1.0, 1.0], [1.2, 1.0, 1.0], [2.5, 2.5, 2.5]])
    moved = push_apart(x, np.full(3, 3.0), ((water, 3),), TABLE)
    assert moved[1, 0] - moved[0, 0] >= 0.40
    np.testing.assert_allclose(moved[:2].mean(axis=0), x[:2].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(moved[2], x[2])
