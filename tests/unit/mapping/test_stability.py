"""Normal modes against formulas, and force constants lowered to what 20 fs resolves."""

import math
from itertools import combinations

import numpy as np
import pytest

from topdown.mapping import stability
from topdown.mapping.stability import SHORTEST_PERIOD, Skeleton, independent_constraints, shortest_period, softened
from topdown.model import Angle, Bond, Constraint, Dihedral, VirtualSite

LINE = np.array([[0.0, 0, 0], [0.3, 0, 0], [0.6, 0, 0], [0.9, 0.1, 0.1]])


def skeleton(x, masses, constraints=(), sites=()):
    return Skeleton(positions=np.asarray(x), masses=tuple(masses), constraints=constraints, sites=sites)


def test_two_beads_vibrate_with_their_reduced_mass():
    period = shortest_period(
        skeleton(LINE[:2], (72.0, 36.0)), ((Bond(atoms=(0, 1), length=0.3, force_constant=5000.0),), (), ())
    )
    assert period == pytest.approx(2 * math.pi * math.sqrt(24.0 / 5000.0))


def test_a_bond_along_a_constraint_does_not_vibrate():
    bond = Bond(atoms=(0, 1), length=0.3, force_constant=5000.0)
    fixed = (Constraint(atoms=(0, 1), length=0.3),)
    assert shortest_period(skeleton(LINE[:2], (72.0, 36.0), fixed), ((bond,), (), ())) > 1e3


def test_a_chain_of_springs_is_stiffer_than_one():
    bonds = tuple(Bond(atoms=(k, k + 1), length=0.3, force_constant=5000.0) for k in range(2))
    three = shortest_period(skeleton(LINE[:3], (72.0,) * 3), (bonds, (), ()))
    # Modes of a linear symmetric triatomic: ω² = k/m and 3k/m.
    assert three == pytest.approx(2 * math.pi / math.sqrt(3 * 5000.0 / 72.0))


def test_an_angle_against_its_formula():
    x = np.array([[0.3, 0, 0], [0, 0, 0], [0, 0.4, 0]])
    heavy = 1e9
    angle = Angle(atoms=(0, 1, 2), angle=90.0, force_constant=100.0, function=1)
    # Middle and last bead immobile: the first swings on an arm of 0.3 nm, ω² = k/(m a²).
    period = shortest_period(skeleton(x, (50.0, heavy, heavy)), ((), (angle,), ()))
    assert period == pytest.approx(2 * math.pi / math.sqrt(100.0 / (50.0 * 0.09)), rel=1e-6)
    # G96 at a right angle is as stiff, since sin² = 1; at 120 degrees it is 3/4.
    wide = np.array([[0.3, 0, 0], [0, 0, 0], [-0.2, 0.2 * math.sqrt(3), 0]])
    cosine = Angle(atoms=(0, 1, 2), angle=120.0, force_constant=100.0, function=2)
    period = shortest_period(skeleton(wide, (50.0, heavy, heavy)), ((), (cosine,), ()))
    assert period == pytest.approx(2 * math.pi / math.sqrt(75.0 / (50.0 * 0.09)), rel=1e-6)


def test_a_proper_dihedral_counts_its_multiplicity():
    x = np.array([[0.3, 0, 0], [0, 0, 0], [0, 0, 0.3], [0.3, 0, 0.3]])
    heavy = 1e9

    def period(multiplicity, function):
        term = Dihedral(
            atoms=(0, 1, 2, 3), angle=0.0, force_constant=10.0, multiplicity=multiplicity, function=function
        )
        return shortest_period(skeleton(x, (50.0, heavy, heavy, heavy)), ((), (), (term,)))

    assert period(0, 2) == pytest.approx(2 * math.pi / math.sqrt(10.0 / (50.0 * 0.09)), rel=1e-6)
    assert period(3, 1) == pytest.approx(period(0, 2) / 3)


@pytest.mark.parametrize("construction", ["2", "n", "3out"])
def test_sites_hand_their_springs_on(construction):
    """A spring on a site against one on the place where it stands, by differences of energies."""
    x = np.array([[0.0, 0, 0], [0.4, 0, 0], [0.1, 0.4, 0], [0, 0, 0], [0.3, 0.3, 0.5]])
    parameters = {"2": (0.3,), "n": (1.0, 2.0, 1.0), "3out": (0.3, 0.4, 0.5)}[construction]
    atoms = (0, 1) if construction == "2" else (0, 1, 2)
    site = VirtualSite(site=3, construction=construction, atoms=atoms, parameters=parameters)
    from topdown.mapping.rigid_frames import place_site

    x[3] = place_site(site, x)
    length = float(np.linalg.norm(x[3] - x[4]))
    masses = (30.0, 40.0, 50.0, 0.0, 60.0)
    bond = Bond(atoms=(3, 4), length=length, force_constant=4000.0)
    period = shortest_period(skeleton(x, masses, sites=(site,)), ((bond,), (), ()))
    massive = [0, 1, 2, 4]
    gradient = []
    for bead in massive:
        for axis in range(3):
            values = []
            for step in (1e-6, -1e-6):
                y = x.copy()
                y[bead, axis] += step
                y[3] = place_site(site, y)
                values.append(float(np.linalg.norm(y[3] - y[4])))
            gradient.append((values[0] - values[1]) / 2e-6 / math.sqrt(masses[bead]))
    expected = 2 * math.pi / math.sqrt(4000.0 * float(np.dot(gradient, gradient)))
    assert period == pytest.approx(expected, rel=1e-5)


def test_softening_reaches_ten_steps_and_spares_slow_terms():
    bonds = (
        Bond(atoms=(0, 1), length=0.3, force_constant=60_000.0),
        Bond(atoms=(2, 3), length=0.3, force_constant=1250.0),
    )
    body = skeleton(LINE, (36.0,) * 4)
    assert shortest_period(body, (bonds, (), ())) < SHORTEST_PERIOD
    softer = softened(body, (bonds, (), ()))
    period = shortest_period(body, softer)
    assert SHORTEST_PERIOD <= period < 1.02 * SHORTEST_PERIOD
    assert softer[0][1] == bonds[1]


def test_many_springs_on_one_bead_are_softened_together():
    x = np.vstack([np.zeros(3), 0.3 * np.eye(3), -0.3 * np.eye(3)])
    bonds = tuple(Bond(atoms=(0, k), length=0.3, force_constant=17_000.0) for k in range(1, 7))
    alone = shortest_period(skeleton(x[:2], (36.0, 36.0)), (bonds[:1], (), ()))
    assert alone > SHORTEST_PERIOD
    body = skeleton(x, (36.0,) * 7)
    assert shortest_period(body, (bonds, (), ())) < SHORTEST_PERIOD
    softer = softened(body, (bonds, (), ()))
    assert shortest_period(body, softer) >= SHORTEST_PERIOD
    assert len({b.force_constant for b in softer[0]}) == 1


def test_redundant_constraints_are_found():
    square = 0.3 * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    constraints = tuple(Constraint(atoms=p, length=float(np.linalg.norm(square[p[0]] - square[p[1]]))) for p in pairs)
    kept, redundant = independent_constraints(square, (36.0,) * 4, constraints)
    # Six distances of four points in one plane: five say everything.
    assert (len(kept), len(redundant)) == (5, 1)
    collinear = (
        Constraint(atoms=(0, 1), length=0.3),
        Constraint(atoms=(1, 2), length=0.3),
        Constraint(atoms=(0, 2), length=0.6),
    )
    assert independent_constraints(LINE, (36.0,) * 4, collinear)[1] == (collinear[2],)


def test_a_quick_look_at_constraints_settles_only_what_is_so():
    """Unit gradients that overlap little have no small singular value; a regular triangle of equal masses overlaps by half."""
    triangle = 0.3 * np.array([[0.0, 0, 0], [1, 0, 0], [0.5, math.sqrt(0.75), 0]])
    sides = [Constraint(atoms=pair, length=0.3) for pair in ((0, 1), (0, 2), (1, 2))]
    assert stability._largest_overlap(triangle, (36.0,) * 3, sides) == pytest.approx(0.5)
    rng = np.random.default_rng(5)
    settled = 0
    for _ in range(200):
        x, masses = rng.normal(size=(5, 3)), rng.uniform(20.0, 100.0, 5)
        pairs = rng.permutation(list(combinations(range(5), 2)))[: rng.integers(2, 6)]
        group = [Constraint(atoms=(int(i), int(j)), length=0.3) for i, j in pairs]
        rows = np.array([stability._constraint_row(x, masses, constraint) for constraint in group])
        overlap = stability._largest_overlap(x, masses, group)
        assert np.linalg.svd(rows, compute_uv=False)[-1] ** 2 >= 1.0 - overlap - 1e-12
        assert overlap == pytest.approx(np.abs(rows @ rows.T - np.eye(len(rows))).sum(axis=1).max())
        settled += overlap < 1.0 - stability.SMALLEST_SINGULAR**2
    assert settled > 20


def test_a_quick_look_at_springs_never_understates_the_fastest_mode():
    rng = np.random.default_rng(7)
    for trial in range(100):
        x, masses = rng.normal(scale=0.3, size=(6, 3)), rng.uniform(20.0, 100.0, 6)
        sites: tuple[VirtualSite, ...] = ()
        if trial % 2:
            sites = (VirtualSite(site=5, construction="3", atoms=(0, 1, 2), parameters=(0.7, -0.4)),)
            masses[5] = 0.0
        pairs = rng.permutation(list(combinations(range(6), 2)))[:4]
        bonds = tuple(Bond(atoms=(int(i), int(j)), length=0.3, force_constant=5000.0) for i, j in pairs)
        angles = tuple(Angle(atoms=t, angle=120.0, force_constant=100.0) for t in ((0, 1, 2), (3, 4, 5)))
        hinges = (Dihedral(atoms=(1, 2, 3, 4), angle=0.0, force_constant=50.0),)
        body, terms = skeleton(x, masses, sites=sites), (bonds, angles, hinges)
        largest = stability._largest_square(body, *stability._gradients(body, terms))
        fastest = (2 * math.pi / shortest_period(body, terms)) ** 2
        assert fastest <= largest <= 30 * fastest
    out_of_plane = VirtualSite(site=5, construction="3out", atoms=(0, 1, 2), parameters=(0.3, 0.4, 0.5))
    body = skeleton(x, masses, sites=(out_of_plane,))
    assert stability._largest_square(body, *stability._gradients(body, terms)) == math.inf
