"""Rigid bodies: shapes kept, masses kept, constraints that say something."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdown.mapping.rigid_frames import place_site, rigid_body, shared_masses, site_weights
from topdown.mapping.stability import independent_constraints

#: Bead centres of naphthalene in Alessandri et al. 2022 [nm]: four corners and the bead in the middle.
NAPHTHALENE = np.array([[-0.208, 0.147, 0], [-0.208, -0.147, 0], [0, 0, 0], [0.208, 0.147, 0], [0.208, -0.147, 0]])


def rebuilt(body, n):
    """All positions from those of the carriers alone."""
    x = np.full((n, 3), np.nan)
    x[list(body.carriers)] = [body.places[c] for c in body.carriers]
    for site in body.sites:
        x[site.site] = place_site(site, x)
    return x


def test_naphthalene_is_the_published_hinge():
    body = rigid_body(range(5), NAPHTHALENE)
    assert body.carriers == (0, 1, 3, 4)
    assert len(body.constraints) == 5
    (site,) = body.sites
    assert (site.site, site.construction, site.parameters) == (2, "n", (1.0,) * 4)
    assert shared_masses([36.0] * 5, [body]) == (45.0, 45.0, 0.0, 45.0, 45.0)
    (improper,) = body.impropers
    assert (improper.angle, improper.force_constant, improper.function) == (180.0, 200.0, 2)


def test_three_beads_are_a_triangle_and_two_a_rod():
    triangle = rigid_body([4, 7, 9], np.array([[0, 0, 0], [0.29, 0, 0], [0.145, 0.25, 0.0]]))
    assert len(triangle.constraints) == 3
    assert not triangle.sites
    rod = rigid_body([1, 2], np.array([[0, 0, 0], [0.3, 0, 0]]))
    assert [c.length for c in rod.constraints] == [0.3]


def test_beads_in_a_line_are_sites_between_the_ends():
    body = rigid_body([0, 1, 2, 3], np.array([[0, 0, 0], [0.2, 0.005, 0], [0.45, 0, 0], [0.6, 0, 0]]))
    assert body.carriers == (0, 3)
    assert len(body.constraints) == 1
    assert [(s.site, s.construction) for s in body.sites] == [(1, "2"), (2, "2")]
    np.testing.assert_allclose(rebuilt(body, 4), body.shape, atol=0.01)


def test_a_nearly_straight_triangle_gets_an_angle_in_place_of_a_constraint():
    body = rigid_body([0, 1, 2], np.array([[-0.28, 0, 0], [0, 0.06, 0], [0.28, 0, 0]]))
    assert len(body.constraints) == 2
    assert body.straight == ((0, 1, 2),)


def test_four_beads_in_space_have_a_bent_hinge():
    tetrahedron = 0.3 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3)
    body = rigid_body(range(4), tetrahedron)
    assert len(body.constraints) == 5
    assert abs(abs(body.impropers[0].angle) - 70.5) < 0.2


def test_many_beads_in_space_hang_on_a_triangle():
    rng = np.random.default_rng(2)
    shape = rng.uniform(-0.4, 0.4, (7, 3))
    body = rigid_body(range(7), shape)
    assert len(body.carriers) == 3
    assert {s.construction for s in body.sites} <= {"3", "3out"}
    np.testing.assert_allclose(rebuilt(body, 7), shape, atol=0.035)


def test_beads_of_two_bodies_keep_their_mass():
    body = rigid_body(range(5), NAPHTHALENE, keep=[2])
    assert 2 in body.carriers


@given(seed=st.integers(0, 10_000), n=st.integers(2, 10), planar=st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_body_keeps_mass_shape_and_independent_constraints(seed, n, planar):
    rng = np.random.default_rng(seed)
    shape = np.zeros((n, 3))
    for k in range(n):  # no two beads nearer than in any model
        while True:
            shape[k] = rng.uniform(-0.15 * n, 0.15 * n, 3) * [1, 1, 0 if planar else 1]
            if all(np.linalg.norm(shape[k] - shape[j]) > 0.18 for j in range(k)):
                break
    body = rigid_body(range(n), shape)
    masses = shared_masses([36.0] * n, [body])
    assert sum(masses) == pytest.approx(36.0 * n, abs=0.01)
    assert all((m == 0.0) == (k not in body.carriers) for k, m in enumerate(masses))
    assert {s.site for s in body.sites} | set(body.carriers) == set(range(n))
    for site in body.sites:
        assert sum(site_weights(site)) == pytest.approx(1.0)
    # The shape is kept to within what counts as lying on a line or plane.
    assert np.abs(rebuilt(body, n) - shape).max() < 0.05
    kept, redundant = independent_constraints(shape, masses, body.constraints)
    assert kept == body.constraints
    assert not redundant


def test_a_ribbon_of_any_length_has_a_frame():
    """A long acene: all triangles of its beads are flat, and sites keep their places all the same."""
    row = np.arange(40) * 0.245
    ribbon = np.array([[x, y, 0.0] for x in row for y in (-0.15, 0.15)])
    body = rigid_body(range(len(ribbon)), ribbon)
    assert np.allclose(rebuilt(body, len(ribbon)), ribbon, atol=0.01)
    assert max(abs(w) for site in body.sites for w in site_weights(site)) < 1.5
