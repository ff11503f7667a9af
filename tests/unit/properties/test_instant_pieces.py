"""Molecules put together from parts: exact for what is a sum over beads and bonds, and refused where a bond is not covered."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.properties.instant_pieces import connected_parts, parts_with_counts
from topdown.properties.shapes import Shape, match_shapes


def part(*beads: int) -> frozenset[int]:
    return frozenset(beads)


def test_a_chain_is_its_bonds_less_the_beads_between():
    counts = parts_with_counts(4, [(0, 1), (1, 2), (2, 3)], lambda p: len(p) <= 2)
    assert counts == {part(0, 1): 1, part(1, 2): 1, part(2, 3): 1, part(1): -1, part(2): -1}


def test_larger_parts_are_taken_where_they_are_known():
    counts = parts_with_counts(4, [(0, 1), (1, 2), (2, 3)], lambda p: p != part(1, 2, 3))
    assert counts == {part(0, 1, 2): 1, part(2, 3): 1, part(2): -1}


def test_the_whole_is_no_part_of_itself():
    counts = parts_with_counts(3, [(0, 1), (1, 2), (0, 2)], lambda p: True)
    assert counts is not None
    assert max(map(len, counts)) == 2


def test_an_intersection_in_two_pieces_counts_as_both():
    # a ring of four from two halves that share opposite beads
    ring = [(0, 1), (1, 2), (2, 3), (0, 3)]
    counts = parts_with_counts(4, ring, lambda p: p in {part(0, 1, 2), part(0, 2, 3)} or len(p) == 1)
    assert counts == {part(0, 1, 2): 1, part(0, 2, 3): 1, part(0): -1, part(2): -1}


@pytest.mark.parametrize(
    "known",
    [
        lambda p: len(p) == 1,  # no bond
        lambda p: p <= part(0, 1),  # bead 2 with nothing
        lambda p: p in {part(0, 1), part(1, 2)},  # no intersection
    ],
)
def test_what_is_not_covered_is_not_put_together(known):
    assert parts_with_counts(3, [(0, 1), (1, 2)], known) is None


def test_parts_are_connected():
    assert connected_parts([5, 1, 2, 7], [(1, 2), (2, 3), (3, 5)]) == [part(1, 2), part(5), part(7)]


@pytest.mark.parametrize("largest", [2, 3, 4])
def test_sums_over_beads_and_bonds_are_met_exactly(largest):
    rng = np.random.default_rng(largest)
    for _ in range(60):
        n = int(rng.integers(3, 10))
        tree = [(int(rng.integers(k)), k) for k in range(1, n)]
        more = [tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(rng.integers(4))]
        bonds = sorted({*tree, *more})
        of_bead, of_bond = rng.normal(size=n), dict(zip(bonds, rng.normal(size=len(bonds))))

        def value(beads, of_bead=of_bead, of_bond=of_bond):
            return sum(of_bead[k] for k in beads) + sum(v for bond, v in of_bond.items() if {*bond} <= set(beads))

        counts = parts_with_counts(n, bonds, lambda p: len(p) <= largest)
        assert counts is not None
        assert all(len(p) < n for p in counts)
        assert all(connected_parts(p, bonds) == [p] for p in counts)
        assert sum(count * value(p) for p, count in counts.items()) == pytest.approx(value(range(n)), abs=1e-9)


def test_part_of_a_shape_keeps_sizes_bonds_and_distances():
    x = np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.3, 0.4, 0.0], [0.9, 0.4, 0.1]])
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1)
    shape = Shape(sizes=tuple("RSTR"), bonds=frozenset({(0, 1), (1, 2), (2, 3)}), distances=distances)
    found = shape.part([3, 1, 2])
    assert found.sizes == ("R", "S", "T")
    assert found.bonds == frozenset({(1, 2), (0, 2)})
    assert found.distances[0, 2] == distances[3, 2]
    other = Shape(
        sizes=tuple("TSR"), bonds=frozenset({(0, 1), (0, 2)}), distances=distances[np.ix_([2, 1, 3], [2, 1, 3])]
    )
    match = match_shapes(found, other)
    assert match is not None
    assert match[1] == pytest.approx(0.0)
