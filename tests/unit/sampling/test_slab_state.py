"""Profiles are measured from the centre of mass; broken, pierced, evaporated and frozen slabs raise an alarm, whole ones none."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import dimer, single, small_table

from topdown.model import System
from topdown.sampling.slab_state import ProfileRecorder, SlabState, centred_heights, slab_alarm, slab_state

BOX = np.array([4.4, 4.4, 14.0])


def disordered(n: int, low: float, high: float, seed: int = 1) -> np.ndarray:
    """Points of a jammed disordered layer: random, then pushed apart a little."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    x = rng.random((n, 3)) * [BOX[0], BOX[1], high - low]
    for _ in range(60):
        tree = cKDTree(np.mod(x, [BOX[0], BOX[1], 1e3]), boxsize=[BOX[0], BOX[1], 1e3])
        pairs = tree.query_pairs(0.46, output_type="ndarray")
        gap = x[pairs[:, 0]] - x[pairs[:, 1]]
        gap[:, :2] -= BOX[:2] * np.rint(gap[:, :2] / BOX[:2])
        length = np.linalg.norm(gap, axis=1, keepdims=True)
        push = 0.25 * (0.46 - length) * gap / np.maximum(length, 1e-6)
        np.add.at(x, pairs[:, 0], push)
        np.subtract.at(x, pairs[:, 1], push)
        x[:, 2] = np.clip(x[:, 2], 0.0, high - low)
    return x + np.array([0.0, 0.0, low])


def test_heights_are_from_the_centre_of_mass_wherever_the_slab_is() -> None:
    """A lopsided slab, whose direction on the circle is not yet its centre of mass."""
    rng = np.random.default_rng(4)
    z = np.concatenate([rng.uniform(-3.0, 0.0, 100), rng.uniform(0.0, 1.0, 400)])
    weights = rng.uniform(0.5, 2.0, len(z))
    expected = z - weights @ z / weights.sum()
    for shift in (0.0, 3.3, 6.9, 14.0 * 5 + 1.0):
        np.testing.assert_allclose(centred_heights((z + shift) % 14.0, weights, 14.0), expected, atol=1e-9)
    with_vapour = np.concatenate([z, rng.uniform(-6.9, 6.9, 10)])
    found = centred_heights(with_vapour, np.ones(510), 14.0)
    assert abs(found.mean()) < 0.05, "but for beads that wrap around"
    assert np.abs(found).max() <= 7.0 + 1e-9


def test_profile_adds_up_to_the_real_mass() -> None:
    """Beads carry their share of the molar mass, not of the mass by convention; both components are kept apart."""
    molecule = dimer()
    rng = np.random.default_rng(2)
    slab = System(
        table=small_table(), components=((molecule, 50), (single("A"), 30)), box=BOX,
        positions=np.concatenate([rng.normal(0, 0.8, (130, 2)).cumsum(axis=1), rng.normal(2.0, 0.7, (130, 1))], axis=1),
    )  # fmt: skip

    class Frame:
        positions = slab.positions

    recorder = ProfileRecorder(slab)
    recorder.look(Frame())  # type: ignore[arg-type]
    recorder.look(Frame())  # type: ignore[arg-type]
    profile = recorder.mean(float(BOX[0] * BOX[1]))
    assert profile.shape == (2, 140)
    masses = profile.sum(axis=1) * BOX[0] * BOX[1] * (recorder.edges[1] - recorder.edges[0])
    assert masses == pytest.approx([50 * 100.0, 30 * 72.0]), "a molar mass that is not known is the mass of the beads"
    heights = 0.5 * (recorder.edges[1:] + recorder.edges[:-1])
    assert abs((profile.sum(axis=0) * heights).sum()) / profile.sum() < 0.1
    recorder.reset()
    assert recorder.mean(1.0).sum() == 0.0


def test_a_whole_slab() -> None:
    state = slab_state(disordered(760, 4.7, 9.3), BOX)
    assert state.n_layers == 1
    assert state.density == pytest.approx(8.5, rel=0.15)
    assert state.pore_radius < 0.6
    assert state.crystalline_fraction < 0.05
    assert slab_alarm([state, state]) is None
    across = disordered(760, 12.0, 16.6)
    assert slab_state(across, BOX).n_layers == 1, "also where it lies across the boundary"


def test_two_layers_and_a_pore() -> None:
    whole = slab_state(disordered(760, 4.7, 9.3), BOX)
    halves = np.concatenate([disordered(380, 1.0, 3.3), disordered(380, 7.0, 9.3, 2)])
    broken = slab_state(halves, BOX, time=2000.0)
    assert broken.n_layers == 2
    alarm = slab_alarm([whole, whole, broken])
    assert alarm is not None
    assert (alarm.kind, alarm.last_good, alarm.time) == ("broke", 1, 2000.0)
    assert "2 layers at 2 ns" in alarm.message
    x = disordered(900, 4.7, 9.3)
    pierced = x[np.linalg.norm(x[:, :2] - 2.2, axis=1) > 1.1]
    alarm = slab_alarm([whole, slab_state(pierced, BOX)])
    assert alarm is not None
    assert alarm.kind == "broke"
    assert "pore" in alarm.message


def test_a_crystal() -> None:
    cell = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    grid = np.stack(np.meshgrid(range(6), range(6), range(6), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    x = ((grid + cell).reshape(-1, 3)) * (4.4 / 6) + np.random.default_rng(1).normal(0, 0.02, (864, 3))
    frozen = slab_state(x + np.array([0, 0, 4.5]), BOX)
    alarm = slab_alarm([slab_state(disordered(760, 4.7, 9.3), BOX), frozen])
    assert alarm is not None
    assert (alarm.kind, alarm.last_good) == ("froze", 0)


def test_alarms_keep_what_was_good() -> None:
    def state(density: float = 8.4, crystal: float = 0.0, pore: float = 0.4, layers: int = 1) -> SlabState:
        return SlabState(time=0.0, crystalline_fraction=crystal, density=density, n_layers=layers, pore_radius=pore)

    thin = slab_alarm([state(), state(8.0), state(7.0), state(6.0)])
    assert thin is not None
    assert (thin.kind, thin.last_good) == ("evaporated", 1)
    icy = slab_alarm([state(), state(crystal=0.02), state(crystal=0.1), state(crystal=0.3)])
    assert icy is not None
    assert icy.last_good == 1
    pore = slab_alarm([state(), state(pore=0.7), state(pore=0.9)])
    assert pore is not None
    assert pore.last_good == 0
    assert slab_alarm([state(), state(pore=0.7)]) is None
