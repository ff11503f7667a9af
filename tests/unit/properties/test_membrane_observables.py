"""Membrane observables on made-up bilayers whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import SamplingError, SettingsError, TopologyError
from topdown.model import System
from topdown.properties.membrane import (
    CORE_HALF_WIDTH,
    PROFILE_BIN,
    MembraneIndex,
    MembraneSeries,
    analyse_membrane,
    density_profile,
    empty_series,
    heights,
    index_membrane,
    join_series,
    luzzati_thickness,
    middle_plane,
    observe_membrane,
    orientations,
    peak_distance,
)
from topdown.tables import load_bead_table, load_molecule

TABLE = load_bead_table("martini2")
DPPC, WATER = load_molecule("martini2", "DPPC"), load_molecule("martini2", "W")
#: Height of each bead of a lipid above the middle plane: head out, two tails in.
STATURE = np.array([2.3, 2.0, 1.6, 1.5, 1.3, 0.9, 0.6, 0.3, 1.2, 0.8, 0.5, 0.25])


def bilayer(n: int = 20, *, n_water: int = 200, middle: float = 4.0, seed: int = 0) -> System:
    """``n`` upright lipids per leaflet around ``middle`` in a 5 x 5 x 8 nm box, water evenly 2.5 nm and more away."""
    rng = np.random.default_rng(seed)
    box = np.array([5.0, 5.0, 8.0])
    lipids = np.zeros((2 * n, 12, 3))
    lipids[:, :, :2] = rng.uniform(0, 5, size=(2 * n, 1, 2))
    lipids[:n, :, 2], lipids[n:, :, 2] = middle + STATURE, middle - STATURE
    water = rng.uniform(0, 5, size=(n_water, 3))
    water[:, 2] = middle + np.where(np.arange(n_water) % 2, 1, -1) * rng.uniform(2.5, 4.0, n_water)
    water[:, 2] -= np.floor(water[:, 2] / 8.0) * 8.0
    components = ((DPPC, n), (DPPC, n), (WATER, n_water))
    return System(table=TABLE, components=components, positions=np.concatenate([lipids.reshape(-1, 3), water]), box=box)


def series_of(area: np.ndarray, *, n_lipids: int, **changes: np.ndarray) -> MembraneSeries:
    """Frames with given areas per lipid [nm²] and profiles of an ideal bilayer with phosphates at ±1.95 nm."""
    n = len(area)
    edge = np.sqrt(area * n_lipids / 2)
    z = density_profile(observe_once()).z
    heads = np.zeros((n, len(z)), np.uint16)
    heads[:, np.abs(np.abs(z) - 1.975) < 0.06] = 5
    arrays = empty_series().arrays() | {
        "time": 10.0 * np.arange(1, n + 1),
        "box": np.column_stack([edge, edge, np.full(n, 8.0)]),
        "heads": heads,
        "tails": np.zeros_like(heads),
        "water": np.zeros_like(heads),
        **{name: np.zeros(n) for name in ("upturned", "upper", "core_water")},
        "farthest_head": np.full(n, 2.2),
    }
    return MembraneSeries(**(arrays | changes))


def observe_once() -> MembraneSeries:
    system = bilayer()
    return observe_membrane(system.positions, system.box, 10.0, index_membrane(system, {"DPPC"}))


def index_of(n_lipids: int = 40) -> MembraneIndex:
    return index_membrane(bilayer(n_lipids // 2), {"DPPC"})


def test_index_finds_phosphates_tails_and_water() -> None:
    system = bilayer(3, n_water=5)
    index = index_membrane(system, {"DPPC"})
    assert index.n_lipids == 6
    np.testing.assert_array_equal(index.markers, 12 * np.arange(6) + 1)
    np.testing.assert_array_equal(index.tails[:8], np.arange(4, 12))
    np.testing.assert_array_equal(index.ends[:2], [7, 11])
    np.testing.assert_array_equal(index.water, 72 + np.arange(5))
    with pytest.raises(TopologyError, match="none of the lipids POPC"):
        index_membrane(system, {"POPC"})


@pytest.mark.parametrize("middle", [4.0, 0.3, 7.9, 0.0])
def test_middle_plane_is_found_across_the_boundary(middle: float) -> None:
    system = bilayer(middle=middle)
    index = index_membrane(system, {"DPPC"})
    off = middle_plane(system.positions, system.box, index) - middle
    assert off - 8.0 * round(off / 8.0) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(np.abs(heights(system.positions, system.box, index)[index.markers]), 2.0, atol=1e-9)


def test_middle_plane_is_the_mean_also_when_the_leaflets_differ() -> None:
    system = bilayer()
    moved = system.positions.copy()
    moved[:12, 2] += 0.7
    index = index_membrane(system, {"DPPC"})
    assert middle_plane(moved, system.box, index) == pytest.approx(4.0 + 0.7 * 8 / len(index.tails))


def test_leaflets_and_a_lipid_that_stands_on_its_head() -> None:
    system = bilayer(5)
    index = index_membrane(system, {"DPPC"})
    assert np.all(orientations(system.positions, index)[:5] > 0)
    upset = system.positions.copy()
    upset[:12, 2] = 4.0 + 2.3 - STATURE + 0.25
    seen = observe_membrane(upset, system.box, 0.0, index)
    assert seen.upturned[0] == 1
    assert observe_membrane(system.positions, system.box, 0.0, index).upturned[0] == 0


def test_one_frame_counts_every_bead_once() -> None:
    system = bilayer(middle=7.0)
    index = index_membrane(system, {"DPPC"})
    seen = observe_membrane(system.positions, system.box, 30.0, index)
    assert (seen.heads.sum(), seen.tails.sum(), seen.water.sum()) == (40, 320, 200)
    assert (seen.upper[0], seen.core_water[0], seen.time[0]) == (20, 0, 30.0)
    assert seen.farthest_head[0] == pytest.approx(2.0)


def test_water_in_the_core_is_counted() -> None:
    system = bilayer()
    index = index_membrane(system, {"DPPC"})
    wet = system.positions.copy()
    wet[index.water[:3], 2] = 4.0 + np.array([0.0, 0.9 * CORE_HALF_WIDTH, 1.1 * CORE_HALF_WIDTH])
    assert observe_membrane(wet, system.box, 0.0, index).core_water[0] == 2


def test_peak_distance_of_two_gaussians() -> None:
    rng = np.random.default_rng(11)
    index, frames = index_of(), []
    base = bilayer(20)
    for frame in range(150):
        moved = base.positions.copy()
        noise = rng.normal(0.0, 0.25, size=40)
        moved[index.markers, 2] = 4.0 + np.where(np.arange(40) < 20, 1.93, -1.93) + noise
        frames.append(observe_membrane(moved, base.box, float(frame), index))
    # 3000 heads a side: the peak of the smoothed profile is good to a few hundredths.
    assert peak_distance(density_profile(join_series(frames))) == pytest.approx(3.86, abs=0.08)


def test_peak_needs_two_leaflets() -> None:
    one_sided = series_of(np.full(3, 0.63), n_lipids=40)
    heads = one_sided.heads.copy()
    heads[:, : heads.shape[1] // 2] = 0
    with pytest.raises(SamplingError, match="no bilayer"):
        peak_distance(density_profile(MembraneSeries(**(one_sided.arrays() | {"heads": heads}))))


def test_density_profile_integrates_to_the_number_of_beads() -> None:
    profile = density_profile(observe_once())
    for values, n in ((profile.heads, 40), (profile.tails, 320), (profile.water, 200)):
        assert values.sum() * PROFILE_BIN * 25.0 == pytest.approx(n)


def test_luzzati_thickness_of_a_step_profile() -> None:
    series = series_of(np.full(4, 0.625), n_lipids=40)
    z = density_profile(series).z
    water = np.where((np.abs(z) > 2.0) & (np.abs(z) < 4.0), 5, 0).astype(np.uint16)
    filled = MembraneSeries(**(series.arrays() | {"water": np.tile(water, (4, 1))}))
    n_water = int(water.sum())
    assert luzzati_thickness(filled, n_water) == pytest.approx(4.0)
    sloping = np.where(np.abs(z) < 4.0, 10 * np.abs(z), 0).astype(np.uint16)
    assert luzzati_thickness(MembraneSeries(**(filled.arrays() | {"water": np.tile(sloping, (4, 1))})), n_water) is None
    assert luzzati_thickness(series, 0) is None


def correlated(n: int, mean: float, spread: float, tau: float, rng: np.random.Generator) -> np.ndarray:
    keep = np.exp(-1.0 / tau)
    values, x = np.empty(n), rng.normal()
    for k in range(n):
        x = keep * x + np.sqrt(1 - keep**2) * rng.normal()
        values[k] = mean + spread * x
    return values


def test_area_error_covers_the_truth_for_correlated_frames() -> None:
    rng, index = np.random.default_rng(21), index_of()
    scores = []
    for _ in range(40):
        seen = analyse_membrane(series_of(correlated(400, 0.63, 0.01, 5.0, rng), n_lipids=40), index)
        scores.append((seen.area_per_lipid.value - 0.63) / seen.area_per_lipid.standard_error)
    # Five-block errors scatter, so the spread of z is near, not at, 1; half of an honest error would give 2.
    assert 0.6 < np.std(scores) < 1.5
    assert abs(np.mean(scores)) < 0.6


def test_relaxation_at_the_start_is_left_out() -> None:
    rng, index = np.random.default_rng(3), index_of()
    steady = correlated(400, 0.63, 0.004, 2.0, rng)
    relaxing = steady + 0.1 * np.exp(-np.arange(400) / 20.0)
    seen = analyse_membrane(series_of(relaxing, n_lipids=40), index)
    assert seen.equilibration_ps > 300.0
    assert seen.area_per_lipid.value == pytest.approx(0.63, abs=4 * seen.area_per_lipid.standard_error)
    assert seen.thickness.value == pytest.approx(2 * 1.975, abs=0.01)
    assert seen.problems == ()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("core_water", 3.0, "water beads on average"),
        ("upturned", 4.0, "wrong way round"),
        ("farthest_head", 4.5, "left its leaflet"),
    ],
)
def test_a_broken_membrane_is_reported(name: str, value: float, message: str) -> None:
    area = correlated(50, 0.63, 0.01, 1.0, np.random.default_rng(1))
    seen = analyse_membrane(series_of(area, n_lipids=40, **{name: np.full(50, value)}), index_of())
    assert len(seen.problems) == 1
    assert message in seen.problems[0]


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(SamplingError, match="too few"):
        analyse_membrane(series_of(np.full(9, 0.63), n_lipids=40), index_of())


def test_series_are_cut_and_joined() -> None:
    series = series_of(np.linspace(0.6, 0.7, 10), n_lipids=40)
    assert series.until(50.0).n_frames == 5
    both = join_series([series.until(30.0), series])
    np.testing.assert_array_equal(both.time, [10, 20, 30, *series.time])
    assert join_series([empty_series(), series]).n_frames == 10
    with pytest.raises(SettingsError, match="shape"):
        MembraneSeries(**(series.arrays() | {"upper": np.zeros(3)}))
