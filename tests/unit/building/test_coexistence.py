"""Crystals, and a crystal and a melt in one box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from topdown.building.coexistence import build_crystal, stack_phases
from topdown.errors import SettingsError
from topdown.sampling.liquid_state import local_order
from topdown.tables import load_bead_table, load_molecule


@pytest.fixture(scope="module")
def table():
    return load_bead_table("martini3").subset({"W"})


@pytest.fixture(scope="module")
def water():
    return load_molecule("martini3", "W")


def test_every_bead_of_a_crystal_has_twelve_neighbours_where_the_pair_is_lowest(table, water):
    crystal = build_crystal(water, table, across=4, along=5)
    assert len(crystal.positions) == 4 * 4 * 4 * 5
    assert np.all(crystal.positions >= 0.0)
    assert np.all(crystal.positions < crystal.box)
    distances, _ = cKDTree(crystal.positions, boxsize=crystal.box).query(crystal.positions, k=14)
    lowest = 2.0 ** (1.0 / 6.0) * table.pair("W", "W")[0]
    np.testing.assert_allclose(distances[:, 1:13], lowest, rtol=1e-12)
    np.testing.assert_allclose(distances[:, 13], np.sqrt(2.0) * lowest, rtol=1e-12)
    # 0.5745 is q6 of a perfect fcc crystal (Lechner and Dellago 2008, table I)
    np.testing.assert_allclose(local_order(crystal.positions, crystal.box), 0.5745, atol=1e-4)


def test_a_stack_holds_both_phases_and_no_bead_too_near(table, water):
    crystal = build_crystal(water, table, across=4, along=4)
    shift = np.array([0.3, 0.1, 5.0])
    stacked = stack_phases(crystal, replace(crystal, positions=crystal.positions + shift))
    n = len(crystal.positions)
    assert stacked.components == ((water, 2 * n),)
    np.testing.assert_array_equal(stacked.positions[:n], crystal.positions)
    upper = stacked.positions[n:]
    assert upper[:, 2].min() > crystal.box[2]
    assert upper[:, 2].max() < stacked.box[2]
    # inside the second phase every distance is as it was
    moved = upper - (crystal.positions + shift)
    assert np.ptp(np.mod(moved + 0.25 * crystal.box, crystal.box), axis=0).max() < 1e-9
    distances, _ = cKDTree(stacked.positions, boxsize=stacked.box).query(stacked.positions, k=2)
    assert distances[:, 1].min() > 0.3


def test_what_does_not_fit_is_refused(table, water):
    octanol = load_molecule("martini3", "OCO")
    with pytest.raises(SettingsError, match="single beads"):
        build_crystal(octanol, load_bead_table("martini3"), across=4, along=4)
    with pytest.raises(SettingsError, match="one unit cell"):
        build_crystal(water, table, across=0, along=4)
    with pytest.raises(SettingsError, match="equally wide"):
        stack_phases(build_crystal(water, table, across=4, along=4), build_crystal(water, table, across=5, along=4))
