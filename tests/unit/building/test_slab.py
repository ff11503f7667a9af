"""A slab keeps the volume and the shapes of the liquid it is cut from, and stands in the middle of its box."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import dimer, single, small_table

from topdown.building.liquid import build_mixture
from topdown.building.slab import build_slab
from topdown.errors import SettingsError


def test_a_slab_of_whole_molecules() -> None:
    liquid = build_mixture(((dimer(), 60), (single("A"), 20)), small_table(), rng=np.random.default_rng(3))
    slab = build_slab(liquid, width=2.0, height=8.0)
    assert slab.box.tolist() == [2.0, 2.0, 8.0]
    assert slab.components == liquid.components
    assert slab.velocities is None
    thickness = np.prod(liquid.box) / 4.0
    bonds = [slab.positions[k + 1] - slab.positions[k] for k in range(0, 120, 2)]
    before = [liquid.positions[k + 1] - liquid.positions[k] for k in range(0, 120, 2)]
    np.testing.assert_allclose(bonds, before, atol=1e-12)
    centres = np.concatenate([slab.positions[:120].reshape(60, 2, 3).mean(axis=1), slab.positions[120:]])
    assert (centres[:, :2] >= 0).all()
    assert (centres[:, :2] <= 2.0).all()
    assert np.abs(centres[:, 2] - 4.0).max() <= thickness / 2 + 1e-12
    assert np.ptp(centres[:, 2]) > 0.8 * thickness
    old = np.concatenate([liquid.positions[:120].reshape(60, 2, 3).mean(axis=1), liquid.positions[120:]])
    np.testing.assert_allclose(centres[:, 0] / 2.0, (old[:, 0] / liquid.box[0]) % 1.0, atol=1e-9)


def test_there_must_be_room_for_vapour() -> None:
    liquid = build_mixture(((single("A"), 100),), small_table(), rng=np.random.default_rng(3))
    thickness = float(np.prod(liquid.box)) / 4.0
    with pytest.raises(SettingsError, match="no room for vapour"):
        build_slab(liquid, width=2.0, height=1.4 * thickness)
