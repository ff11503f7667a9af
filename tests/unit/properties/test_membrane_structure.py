"""Areas, order, solutes and diffusion of made-up bilayers whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdown.errors import SamplingError, TopologyError
from topdown.model import System
from topdown.properties.membrane_averages import analyse_structure, hydrocarbon_thickness, series_estimate
from topdown.properties.membrane_diffusion import lateral_diffusion, unwrapped
from topdown.properties.membrane_parts import MembraneParts, find_lipids, membrane_parts
from topdown.properties.membrane_structure import (
    StructureSeries,
    bond_order,
    join_structures,
    observe_structure,
    voronoi_areas,
)
from topdown.tables import load_bead_table, load_molecule

TABLE = load_bead_table("martini2")
DPPC, DOPC, WATER, OCTANOL = (load_molecule("martini2", name) for name in ("DPPC", "DOPC", "W", "OCO"))
#: Height of each bead of a lipid above the middle plane: head out, two tails in.
STATURE = np.array([2.3, 2.0, 1.6, 1.5, 1.3, 0.9, 0.6, 0.3, 1.2, 0.8, 0.5, 0.25])
BOX = np.array([6.0, 5.0, 8.0])


def grid(n: int, box: np.ndarray = BOX) -> np.ndarray:
    """``n`` distinct points in the plane."""
    columns = int(np.ceil(np.sqrt(n)))
    k = np.arange(n)
    return np.column_stack([(k % columns + 0.5) / columns * box[0], (k // columns + 0.5) / columns * box[1]])


def bilayer(upper: int, lower: int, *, middle: float = 4.0, solute: np.ndarray | None = None) -> System:
    """Upright DPPC, water outside, and one octanol with its two beads at the heights ``solute``."""
    lipids = np.zeros((upper + lower, 12, 3))
    lipids[:upper, :, :2], lipids[upper:, :, :2] = grid(upper)[:, None], grid(lower)[:, None]
    lipids[:upper, :, 2], lipids[upper:, :, 2] = middle + STATURE, middle - STATURE
    rng = np.random.default_rng(3)
    water = rng.uniform(0, 1, size=(300, 3)) * BOX
    water[:, 2] = middle + np.where(np.arange(300) % 2, 1, -1) * rng.uniform(2.5, 4.0, 300)
    parts = [lipids.reshape(-1, 3)]
    components = [(DPPC, upper), (DPPC, lower)]
    if solute is not None:
        parts.append(solute)
        components.append((OCTANOL, 1))
    components.append((WATER, 300))
    return System(table=TABLE, components=tuple(components), positions=np.concatenate([*parts, water]), box=BOX)


def observed(system: System, time: float = 0.0) -> tuple[StructureSeries, MembraneParts]:
    parts = membrane_parts(system, ["DPPC"])
    return observe_structure(system.positions, system.box, time, parts), parts


# -- Voronoi cells ---------------------------------------------------------------------------------------------------


def test_cells_of_a_lattice_are_equal_and_of_a_defect_are_not() -> None:
    edges = np.array([6.0, 4.0])
    lattice = np.array([(i + 0.5, j + 0.5) for i in range(6) for j in range(4)])
    np.testing.assert_allclose(voronoi_areas(lattice, edges), 1.0)
    np.testing.assert_allclose(voronoi_areas(lattice + np.array([100.3, -7.9]), edges), 1.0)
    without = voronoi_areas(lattice[1:], edges)
    assert without.sum() == pytest.approx(24.0)
    # The four neighbours share the hole: 1/4 each on a square lattice.
    np.testing.assert_allclose(np.sort(without)[-4:], 1.25)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 10**6), copies=st.integers(1, 3))
def test_cells_fill_the_plane_wherever_the_points_are(n: int, seed: int, copies: int) -> None:
    rng = np.random.default_rng(seed)
    edges = rng.uniform(2.0, 9.0, 2)
    points = np.repeat(rng.uniform(-20, 20, size=(n, 2)), copies, axis=0)
    areas = voronoi_areas(points, edges)
    assert areas.sum() == pytest.approx(edges.prod(), rel=1e-9)
    assert np.all(areas > 0)
    moved = voronoi_areas(points + rng.uniform(-5, 5, 2), edges)
    np.testing.assert_allclose(moved, areas, rtol=1e-5, atol=1e-6)


# -- one frame -------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(theta=st.floats(0.0, np.pi), phi=st.floats(0.0, 2 * np.pi), length=st.floats(0.1, 1.0))
def test_order_of_a_bond_is_the_second_legendre_polynomial(theta: float, phi: float, length: float) -> None:
    end = length * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    positions = np.stack([np.ones(3), np.ones(3) + end])
    (order,) = bond_order(positions, np.array([[0, 1]]))
    assert order == pytest.approx((3 * np.cos(theta) ** 2 - 1) / 2, abs=1e-9)


@pytest.mark.parametrize("middle", [4.0, 0.2, 7.7])
def test_leaflets_are_counted_and_measured_apart(middle: float) -> None:
    series, parts = observed(bilayer(25, 20, middle=middle))
    np.testing.assert_array_equal(series.counts[0, 0], [25, 20])
    np.testing.assert_allclose(series.cell_areas[0, 0], [30 / 25, 30 / 20], rtol=1e-6)
    assert [kind.name for kind in parts.bond_kinds][:3] == ["NC3-PO4", "PO4-GL1", "GL1-GL2"]
    np.testing.assert_allclose(series.order[0], 1.0)
    assert parts.groups["phosphates"].size == 45
    assert parts.groups["tails"].size == 45 * 8


def test_a_mixture_has_cells_by_species() -> None:
    system = bilayer(16, 16)
    mixed = System(
        table=TABLE, components=((DPPC, 8), (DOPC, 8), (DPPC, 16), (WATER, 300)), positions=system.positions, box=BOX
    )
    parts = membrane_parts(mixed, ["DPPC", "DOPC"])
    series = observe_structure(mixed.positions, mixed.box, 0.0, parts)
    np.testing.assert_array_equal(series.counts[0], [[8, 16], [8, 0]])
    assert series.cell_areas[0, 1, 0] == pytest.approx(30 / 16)
    assert np.isnan(series.cell_areas[0, 1, 1])


@pytest.mark.parametrize("side", [1, -1])
def test_depth_and_orientation_of_a_solute(side: int) -> None:
    """Octanol: an apolar and a polar bead, here 0.4 nm apart, 60 degrees from the normal, polar end outwards."""
    apolar = [name for name in OCTANOL.type_names if name.startswith("C")]
    assert len(apolar) == 1
    where = OCTANOL.type_names.index(apolar[0])
    beads = np.empty((2, 3))
    beads[where] = [1.0, 1.0, 4.0 + side * 1.0]
    beads[1 - where] = beads[where] + [0.4 * np.sin(np.pi / 3), 0.0, side * 0.2]
    series, parts = observed(bilayer(16, 16, solute=beads))
    assert [solute.name for solute in parts.solutes] == ["OCO"]
    assert series.depth[0, 0] == pytest.approx(side * 1.1)
    assert series.outward[0, 0] == pytest.approx(0.5)
    assert series.axis_order[0, 0] == pytest.approx((3 * 0.25 - 1) / 2)


def test_depth_of_a_solute_across_the_boundary() -> None:
    """Middle plane at 0.2 nm: a solute 1.1 nm below stands at the top of the box."""
    beads = np.array([[1.0, 1.0, 7.2], [1.2, 1.0, 7.0]])
    series, _ = observed(bilayer(16, 16, middle=0.2, solute=beads))
    assert series.depth[0, 0] == pytest.approx(-1.1)


def test_lipids_are_told_from_solutes() -> None:
    assert find_lipids(bilayer(12, 12, solute=np.zeros((2, 3)))) == ("DPPC",)
    few = bilayer(4, 4)
    with pytest.raises(TopologyError, match="no molecule looks like a lipid among DPPC, W"):
        find_lipids(few)
    with pytest.raises(TopologyError, match="no molecule 'POPC'"):
        membrane_parts(few, ["POPC"])


# -- averages --------------------------------------------------------------------------------------------------------


def breathing(
    n_frames: int, *, seed: int = 5, upper: int = 20, lower: int = 16
) -> tuple[StructureSeries, MembraneParts]:
    """Frames of a bilayer whose area follows an AR(1) process of correlation time 5 frames around 30 nm²."""
    rng = np.random.default_rng(seed)
    keep = np.exp(-1 / 5)
    swing = 0.0
    system = bilayer(upper, lower, solute=np.array([[1.0, 1.0, 5.0], [1.0, 1.0, 5.4]]))
    parts = membrane_parts(system, ["DPPC"])
    frames = []
    for k in range(n_frames):
        swing = keep * swing + np.sqrt(1 - keep**2) * 0.02 * rng.standard_normal()
        scale = np.array([1 + swing, 1.0, 1.0])
        frames.append(observe_structure(system.positions * scale, system.box * scale, 100.0 * k, parts))
    return join_structures(frames), parts


def test_averages_of_a_breathing_bilayer() -> None:
    series, parts = breathing(150)
    seen = analyse_structure(series, parts)
    # Relative spread 0.02, about 150/10 independent values.
    assert 0.5 < seen.area_per_lipid.standard_error / (30 / 18 * 0.02 * np.sqrt(10 / 150)) < 2.5
    for found, truth in ((seen.area_per_lipid, 30 / 18), (seen.area_upper, 30 / 20), (seen.area_lower, 30 / 16)):
        assert abs(found.value - truth) < 3.5 * found.standard_error
    # z counts from the centre of all tails, which with unequal leaflets is not the middle of the phosphates; distances stay.
    assert seen.d_hh.value == pytest.approx(4.0, abs=0.06)
    assert seen.lipids[0].upper == 20
    assert dict(seen.lipids[0].order)["NC3-PO4"].value == pytest.approx(1.0)
    assert seen.solutes[0].name == "OCO"
    assert seen.solutes[0].axis_order is not None
    assert seen.solutes[0].axis_order.value == pytest.approx(1.0)
    for name, profile in seen.profiles.items():
        n_beads = len(parts.groups[name])
        assert profile.density.sum() * 0.05 * 30 == pytest.approx(n_beads, rel=0.02)


def test_the_relaxation_at_the_start_is_left_out() -> None:
    series, parts = breathing(120)
    box = series.basic.box.copy()
    box[:40, 0] *= np.linspace(1.5, 1.0, 40)
    from dataclasses import replace

    drifting = replace(series, basic=replace(series.basic, box=box))
    seen = analyse_structure(drifting, parts)
    assert seen.left_out_ps >= 2500.0
    assert abs(seen.area_per_lipid.value - 30 / 18) < 4 * seen.area_per_lipid.standard_error


def test_too_few_frames_and_no_bilayer_are_refused() -> None:
    series, parts = breathing(9)
    with pytest.raises(SamplingError, match="9 frames are too few"):
        analyse_structure(series, parts)
    series, parts = breathing(12, upper=20, lower=0)
    with pytest.raises(SamplingError, match="no bilayer"):
        analyse_structure(series, parts)


def test_error_of_a_correlated_series_is_not_that_of_independent_values() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal(40), 25)
    found = series_estimate(values, "")
    assert found.standard_error > 0.8 * np.std(values) / np.sqrt(40)


def test_hydrocarbon_thickness_of_a_slab_of_tails() -> None:
    """Tails spread evenly over 2.8 nm."""
    system = bilayer(20, 20)
    parts = membrane_parts(system, ["DPPC"])
    rng = np.random.default_rng(1)
    positions = system.positions.copy()
    frames = []
    for k in range(20):
        n_tails = len(parts.index.tails)
        positions[parts.index.tails, 2] = 4.0 + (rng.permutation(n_tails) + 0.5) / n_tails * 2.8 - 1.4
        frames.append(observe_structure(positions, system.box, float(k), parts))
    series = join_structures(frames).basic
    assert hydrocarbon_thickness(series, len(parts.index.tails)) == pytest.approx(2.8, rel=0.01)


# -- diffusion -------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_paths_are_put_together_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.tile(rng.uniform(3.0, 6.0, 2), (50, 1))
    path = np.cumsum(rng.normal(0, 0.3, size=(50, 7, 2)), axis=0)
    wrapped = path - np.floor(path / edges[:, None]) * edges[:, None]
    found = unwrapped(wrapped, edges)
    np.testing.assert_allclose(found - found[0], path - path[0], atol=1e-9)


def test_diffusion_of_walkers_is_found_for_each_species_in_spite_of_drift() -> None:
    """Two species with D = 20 and 80 µm²/s, leaflets that slide past each other."""
    rng = np.random.default_rng(11)
    n_frames, n, interval = 1500, 60, 100.0
    truth = np.where(np.arange(n) % 2, 80.0, 20.0) * 1e-6
    steps = rng.standard_normal((n_frames, n, 2)) * np.sqrt(2 * truth * interval)[None, :, None]
    upper = np.tile(np.arange(n) < n // 2, (n_frames, 1))
    steps[:, :, 0] += np.where(upper, 0.02, -0.03)
    edges = np.full((n_frames, 2), 6.0)
    path = np.cumsum(steps, axis=0)
    wrapped = path - np.floor(path / edges[:, None]) * edges[:, None]
    times = interval * np.arange(n_frames)
    found = lateral_diffusion(wrapped, upper, edges, times, np.arange(n) % 2, ("slow", "fast"))
    for name, expected in (("slow", 20.0), ("fast", 80.0)):
        d = found[name].coefficient
        assert d.standard_error < 0.1 * expected
        assert d.value == pytest.approx(expected, rel=0.15)
        assert found[name].lags == (1500.0, 6000.0)


def test_diffusion_needs_even_frames_and_enough_of_them() -> None:
    times = np.arange(60.0)
    still = np.zeros((60, 4, 2))
    upper = np.ones((60, 4), bool)
    edges = np.full((60, 2), 5.0)
    kinds = np.zeros(4, np.int64)
    with pytest.raises(SamplingError, match="49 frames"):
        lateral_diffusion(still[:49], upper[:49], edges[:49], times[:49], kinds, ("A",))
    with pytest.raises(SamplingError, match="equally far apart"):
        lateral_diffusion(still, upper, edges, times**2, kinds, ("A",))
    far = np.random.default_rng(0).uniform(0, 5, size=(60, 4, 2))
    with pytest.raises(SamplingError, match="a fifth of the box"):
        lateral_diffusion(far, upper, edges, times, kinds, ("A",))
