"""Surface and volume of spheres against geometry."""

import math

import numpy as np
import pytest

from topdown.mapping import map_molecule
from topdown.mapping.surface import accessible_surface, excluded_volume, surface_check
from topdown.tables import load_bead_table

M3 = load_bead_table("martini3")


def test_one_sphere():
    x = np.zeros((1, 3))
    assert accessible_surface(x, np.array([0.2]), probe=0.1) == pytest.approx(4 * math.pi * 0.09)
    assert excluded_volume(x, [0.2]) == pytest.approx(4 / 3 * math.pi * 0.008, rel=0.06)


def test_two_spheres_hide_a_cap_of_each_other():
    r, d = 0.5, 0.6
    x = np.array([[0.0, 0, 0], [d, 0, 0]])
    cap = 2 * math.pi * r * (r - d / 2)
    expected = 2 * (4 * math.pi * r**2 - cap)
    assert accessible_surface(x, np.array([0.3, 0.3]), probe=0.2, points=4000) == pytest.approx(expected, rel=2e-3)


def test_far_spheres_add_up_and_a_buried_one_is_not_seen():
    alone = accessible_surface(np.zeros((1, 3)), np.array([0.2]))
    far = np.array([[0.0, 0, 0], [3.0, 0, 0]])
    assert accessible_surface(far, np.array([0.2, 0.2])) == pytest.approx(2 * alone)
    assert accessible_surface(np.zeros((2, 3)), np.array([0.2, 0.1])) == pytest.approx(alone)


def test_martini_beads_are_as_large_as_their_atoms():
    """Ethylnaphthalene: the published check finds the beads' surface 5 % below that of the atoms."""
    check = surface_check(map_molecule("CCc1cccc2ccccc12", M3), M3)
    assert check.sasa_ratio == pytest.approx(0.95, abs=0.03)
    assert not check.is_off
    assert surface_check(map_molecule("C" * 120, M3), M3) is None
