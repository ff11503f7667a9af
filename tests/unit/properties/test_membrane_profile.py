"""Profiles and partition coefficients from made-up umbrella samples whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.errors import SamplingError
from topdown.properties.membrane_profile import PartitionProfile, lipid_reach, partition_profile
from topdown.properties.membrane_umbrella import DOWN, UP, ProfileSamples, WindowRun
from topdown.sampling.umbrella import DENSITY_BIN, DENSITY_REACH
from topdown.units import NM3_TO_CM3_MOL, kt

TEMPERATURE, SPRING, HEIGHT = 300.0, 60.0, 8.4
RT = kt(TEMPERATURE)
TARGETS = np.round(np.arange(-4.0, 4.01, 0.4), 6)


def landscape(z: np.ndarray, skew: float = 0.0) -> np.ndarray:
    """ΔG [kJ/mol]: wells of -9 at the interfaces, a barrier of 10 in the core; ``skew`` deepens the upper well."""
    wells = -9.0 * np.exp(-(((np.abs(z) - 1.7) / 0.5) ** 2))
    return wells + 10.0 * np.exp(-(z**2)) - skew * np.exp(-(((z - 1.7) / 0.5) ** 2))


def draw(target: float, n: int, rng: np.random.Generator, *, skew: float = 0.0) -> np.ndarray:
    """Independent frames of one window in a periodic box: density exp(-β [ΔG(z) + k/2 (z - q)²])."""
    z = np.linspace(target - HEIGHT / 2, target + HEIGHT / 2, 8401)
    folded = z - HEIGHT * np.round(z / HEIGHT)
    log_p = -(landscape(folded, skew) + 0.5 * SPRING * (z - target) ** 2) / RT
    cumulative = np.cumsum(np.exp(log_p - log_p.max()))
    chosen = np.interp(rng.random(n) * cumulative[-1], cumulative, z)
    area = 21.0 + 0.3 * rng.standard_normal(n)
    return np.column_stack([chosen, area, np.full(n, HEIGHT)])


def samples(n: int = 300, *, seed: int = 1, skew: float = 0.0, shift: float = 0.0) -> ProfileSamples:
    """Two runs of every window; ``shift`` [nm] moves what the runs from inside say of the wells."""
    rng = np.random.default_rng(seed)
    runs = []
    for target in TARGETS:
        for way in (DOWN, UP):
            frames = draw(float(target), n, rng, skew=skew)
            run = WindowRun(target=float(target), way=way, frames=frames)
            if shift and not run.pulled_in:
                frames[:, 0] += shift * np.exp(-(((np.abs(frames[:, 0]) - 2.2) / 0.4) ** 2)) * np.sign(frames[:, 0])
            runs.append(run)
    z = (np.arange(round(2 * DENSITY_REACH / DENSITY_BIN)) + 0.5) * DENSITY_BIN - DENSITY_REACH
    return ProfileSamples(
        runs=tuple(runs), densities={"lipids": (np.abs(z) < 2.6).astype(float)}, n_lipids=64, spring=SPRING
    )


def log_k(depth: float, skew: float = 0.0) -> float:
    z = np.linspace(-depth, depth, 4001)
    water = np.mean(np.exp(-landscape(np.linspace(3.2, 3.6, 401)) / RT))
    return float(np.log10(np.mean(np.exp(-landscape(z, skew) / RT)) / water))


@pytest.fixture(scope="module")
def seen() -> PartitionProfile:
    return partition_profile(samples(), temperature=TEMPERATURE, molar_mass=760.0, replicates=20)


def test_profile_is_the_landscape(seen: PartitionProfile) -> None:
    inside = np.abs(seen.profile.z) < 3.1
    z = seen.profile.z[inside]
    fine = (np.arange(20) + 0.5) / 200 - 0.05
    truth = np.array([-RT * np.log(np.mean(np.exp(-landscape(at + fine) / RT))) for at in z])
    scores = (seen.profile.delta_g[inside] - truth) / seen.standard_error[inside]
    assert np.abs(seen.profile.delta_g[inside] - truth).max() < 1.5
    assert 0.5 < np.sqrt(np.mean(scores**2)) < 1.6
    assert abs(seen.minimum) == pytest.approx(1.7, abs=0.11)
    assert seen.delta_g_centre.value == pytest.approx(float(landscape(np.array(0.0))), abs=1.0)


def test_partition_coefficient_and_its_units(seen: PartitionProfile) -> None:
    assert seen.depth == pytest.approx(2.6, abs=1e-6)
    assert abs(seen.log_k_v.value - log_k(2.6)) < 3.5 * seen.log_k_v.standard_error
    assert 0.001 < seen.log_k_v.standard_error < 0.1
    assert seen.area_per_lipid.value == pytest.approx(21.0 / 32, rel=1e-3)
    assert seen.log_k_m is not None
    # One lipid per 21/32 nm² and leaflet weighs 760 g/mol; d A nm³ of water are 0.6022 d A L/mol.
    expected = np.log10(2.6 * 21.0 / 32 * 0.602214076 / 0.760)
    assert pytest.approx(602.214076) == NM3_TO_CM3_MOL
    assert seen.log_k_m.value - seen.log_k_v.value == pytest.approx(expected, abs=1e-3)
    assert seen.comparisons[0].names == ("pulled in", "pulled out")
    assert all(comparison.agrees for comparison in seen.comparisons)
    assert seen.overlap > 0.1
    assert seen.remarks == ()


def test_depth_can_be_chosen(seen: PartitionProfile) -> None:
    other = partition_profile(samples(), temperature=TEMPERATURE, molar_mass=0.0, depth=2.0, replicates=5)
    assert other.log_k_v.value - seen.log_k_v.value == pytest.approx(log_k(2.0) - log_k(2.6), abs=0.03)
    assert other.log_k_m is None


def test_leaflets_that_differ_are_told() -> None:
    found = partition_profile(samples(skew=5.0), temperature=TEMPERATURE, molar_mass=0.0, replicates=10)
    leaflets = found.comparisons[2]
    assert not leaflets.agrees
    z = np.linspace(0.0, 2.6, 2001)
    upper, lower = (np.log10(np.mean(np.exp(-landscape(side * z, 5.0) / RT))) for side in (1, -1))
    assert upper - lower > 0.2
    assert leaflets.difference == pytest.approx(upper - lower, abs=4 * leaflets.standard_error)
    assert any("upper leaflet and lower leaflet disagree" in remark for remark in found.remarks)
    assert abs(found.log_k_v.value - log_k(2.6, 5.0)) < 3.5 * found.log_k_v.standard_error
    assert found.log_k_v.standard_error < 0.1


def test_hysteresis_is_told_and_enters_the_error() -> None:
    found = partition_profile(samples(shift=0.12), temperature=TEMPERATURE, molar_mass=0.0, replicates=10)
    ways = found.comparisons[0]
    assert not ways.agrees
    assert found.log_k_v.standard_error == pytest.approx(0.5 * abs(ways.difference))
    assert any("pulled in and pulled out disagree" in remark for remark in found.remarks)


def test_windows_apart_few_samples_and_no_room_are_refused() -> None:
    whole = samples(40)
    apart = replace(whole, runs=tuple(run for run in whole.runs if not 0.5 < run.target < 1.9))
    with pytest.raises(SamplingError, match="weakest overlap between windows"):
        partition_profile(apart, temperature=TEMPERATURE, molar_mass=0.0, replicates=5)
    few = replace(whole, runs=tuple(replace(run, frames=run.frames[:4]) for run in whole.runs))
    with pytest.raises(SamplingError, match=r"effective samples in bulk water|overlap"):
        partition_profile(few, temperature=TEMPERATURE, molar_mass=0.0, replicates=5)
    with pytest.raises(SamplingError, match="leaves no bulk water"):
        partition_profile(whole, temperature=TEMPERATURE, molar_mass=0.0, depth=3.7, replicates=5)
    low = replace(whole, runs=tuple(replace(run, frames=run.frames * [1, 1, 6.2 / HEIGHT]) for run in whole.runs))
    with pytest.raises(SamplingError, match="leaves no bulk water"):  # half of a box of 6.2 nm
        partition_profile(low, temperature=TEMPERATURE, molar_mass=0.0, depth=2.8, replicates=5)


def test_windows_all_round_the_box_close_the_profile() -> None:
    """Windows above half the box are those below the other face; without the link, errors add up from one side to the other."""
    whole = samples()
    open_ended = replace(whole, runs=tuple(run for run in whole.runs if abs(run.target) < 3.5))
    ring, chain = (
        partition_profile(s, temperature=TEMPERATURE, molar_mass=0.0, depth=2.6, replicates=20)
        for s in (whole, open_ended)
    )
    ends = [np.interp([-3.1, 3.1], found.profile.z, found.standard_error).mean() for found in (ring, chain)]
    assert ends[0] < 0.85 * ends[1]
    shifted = tuple(
        replace(run, target=run.target + HEIGHT, frames=run.frames + np.array([HEIGHT, 0.0, 0.0]))
        if run.target < 0.0
        else run
        for run in whole.runs
    )
    again = partition_profile(
        replace(whole, runs=shifted), temperature=TEMPERATURE, molar_mass=0.0, depth=2.6, replicates=5
    )
    np.testing.assert_allclose(
        again.profile.z[2:-2], ring.profile.z, atol=1e-9
    )  # the box is 0.2 nm taller than the windows reach
    difference = again.profile.delta_g[2:-2] - ring.profile.delta_g  # their bulk water is not the same bins
    assert np.ptp(difference) < 1e-6


def test_reach_of_lipids_is_where_one_percent_is_left() -> None:
    z = (np.arange(160) + 0.5) * 0.1 - 8.0
    assert lipid_reach(np.exp(-((z / 1.2) ** 2))) == pytest.approx(1.2 * np.sqrt(np.log(100)), abs=0.1)


def test_every_window_is_reached_from_both_sides() -> None:
    """From above downwards the upper windows are reached from their water, the lower ones from inside."""
    empty = np.zeros((0, 3))
    for target, way, pulled_in in ((1.0, DOWN, True), (-1.0, DOWN, False), (1.0, UP, False), (-1.0, UP, True)):
        assert WindowRun(target=target, way=way, frames=empty).pulled_in is pulled_in
