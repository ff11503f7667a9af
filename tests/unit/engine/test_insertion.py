"""Solutes put into frames of a solvent: the same sums as of a simulation that holds them there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import COUNTER_ION, DIMER, ION, LIPID, THREE_TYPES, W, placed

from topdown.engine import Coupling, reference_sums
from topdown.engine.insertion import insertion_sums
from topdown.engine.parameters import build_parameters
from topdown.errors import SettingsError, SimulationError
from topdown.model import System

PATH = Coupling.charges_last((0.0, 0.05, 0.3, 1.0), (0.35, 1.0), index=0)


def system(seed: int) -> System:
    components = ((LIPID, 1), (ION, 5), (COUNTER_ION, 6), (DIMER, 9), (W, 25))
    return placed(components, (2.9, 3.0, 3.1), table=THREE_TYPES, seed=seed)


def frames(n_frames: int, n_poses: int) -> tuple[System, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    found = [system(seed) for seed in range(n_frames)]
    n = LIPID.n_beads
    solvent = np.stack([s.positions[n:] for s in found])
    boxes = np.stack([s.box + 0.05 * k for k, s in enumerate(found)])
    poses = np.stack([s.positions[:n] + rng.uniform(-4.0, 4.0, (n_poses, 1, 3)) for s in found])
    return found[0], solvent, boxes, poses


def test_sums_are_those_of_the_numpy_twins():
    start, solvent, boxes, poses = frames(3, 2)
    found = insertion_sums(start, PATH, solvent, boxes, poses)
    parameters = build_parameters(start, solute_component=0)
    names, lambdas = parameters.type_names, np.array([state.lj for state in PATH.states])
    a, b = (np.array([names.index(pair[side]) for pair in found.solute_pairs]) for side in (0, 1))
    largest = 0.0
    for row in range(6):
        n, m = divmod(row, 2)
        x = np.concatenate([poses[n, m], solvent[n]])
        repulsion, dispersion = reference_sums.solute_sums(x, boxes[n], parameters.pair, lambdas)
        slopes = reference_sums.solute_slopes(x, boxes[n], parameters.pair, 0.0)
        np.testing.assert_allclose(found.solute_repulsion[row], repulsion[:, a, b], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.solute_sums[row], (repulsion - dispersion)[:, a, b], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.solute_slopes[row], slopes[a, b], rtol=1e-10, atol=1e-10)
        coulomb = reference_sums.solute_coulomb(x, boxes[n], parameters.pair)
        assert found.solute_coulomb[row] == pytest.approx(coulomb, rel=1e-10)
        largest = max(largest, abs(coulomb))
    assert largest > 1.0


def test_periodic_images_do_not_matter():
    start, solvent, boxes, poses = frames(1, 1)
    here = insertion_sums(start, PATH, solvent, boxes, poses)
    there = insertion_sums(start, PATH, solvent + 2.0 * boxes[:, None], boxes, poses - boxes[:, None, None])
    np.testing.assert_allclose(there.solute_sums, here.solute_sums, rtol=1e-8, atol=1e-8)


def test_arrays_that_do_not_fit_are_refused():
    start, solvent, boxes, poses = frames(1, 1)
    with pytest.raises(SettingsError, match="do not fit"):
        insertion_sums(start, PATH, solvent[:, 1:], boxes, poses)
    with pytest.raises(SettingsError, match="do not fit"):
        insertion_sums(start, PATH, solvent, boxes, poses[0])
    with pytest.raises(SimulationError):
        insertion_sums(replace(start), PATH, solvent, boxes * 0.5, poses)
