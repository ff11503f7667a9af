"""Correlated series against first-order autoregressions, whose g is (1 + a)/(1 - a), and against pymbar."""

import numpy as np
import pytest

from topdown.errors import SettingsError
from topdown.estimators.time_series import (
    autocorrelation,
    block_average,
    block_bootstrap_counts,
    block_bootstrap_indices,
    detect_equilibration,
    statistical_inefficiency,
)


def autoregression(a: float, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = rng.normal()
    for i in range(1, n):
        x[i] = a * x[i - 1] + np.sqrt(1 - a**2) * rng.normal()
    return x


def test_autocorrelation_is_the_plain_sum() -> None:
    x = autoregression(0.7, 60, 1)
    d = x - x.mean()
    plain = [np.mean(d[: len(d) - t] * d[t:]) / np.mean(d * d) for t in range(len(d))]
    np.testing.assert_allclose(autocorrelation(x), plain, atol=1e-12)


@pytest.mark.parametrize("a", [0.0, 0.5, 0.9])
def test_inefficiency_of_an_autoregression(a: float) -> None:
    exact = (1 + a) / (1 - a)
    found = np.array([statistical_inefficiency(autoregression(a, 20_000, seed)) for seed in range(12)])
    standard_error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - exact) < 3 * standard_error + 0.06 * exact
    assert standard_error < 0.15 * exact


def test_inefficiency_equals_pymbar() -> None:
    timeseries = pytest.importorskip("pymbar.timeseries", reason="pymbar is not installed")
    for a in (0.2, 0.8):
        x = autoregression(a, 2000, 5)
        assert statistical_inefficiency(x) == pytest.approx(timeseries.statistical_inefficiency(x), rel=1e-9)


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0], np.full(50, 7.25), np.full(50, 1e9)])
def test_constant_and_short_series_count_fully(values: np.ndarray) -> None:
    assert statistical_inefficiency(values) == 1.0


def test_equilibration_finds_a_transient_and_spares_a_stationary_series() -> None:
    x = autoregression(0.5, 4000, 3)
    drifting = x + 25.0 * np.exp(-np.arange(4000) / 150.0)
    found = detect_equilibration(drifting)
    assert 400 < found.start < 1500
    assert found.n_effective == pytest.approx((4000 - found.start) / found.inefficiency)
    assert detect_equilibration(x).start < 400
    assert abs(drifting[found.start :].mean() - x.mean()) < 0.15 < abs(drifting.mean() - x.mean())


def test_block_average_error_is_the_scatter_of_repeats() -> None:
    results = [block_average(autoregression(0.8, 4000, seed), 20) for seed in range(60)]
    scatter = np.std([r.mean for r in results], ddof=1)
    claimed = np.sqrt(np.mean([r.standard_error**2 for r in results]))
    assert claimed == pytest.approx(scatter, rel=0.3)
    exact = np.sqrt(9.0 / 4000)
    assert claimed == pytest.approx(exact, rel=0.15)


def test_block_bootstrap_keeps_neighbours_together_and_draws_evenly() -> None:
    rng = np.random.default_rng(2)
    indices = block_bootstrap_indices(100, 10, rng)
    assert len(indices) == 100
    steps = np.diff(indices).reshape(-1)
    assert np.count_nonzero((steps != 1) & (steps != -99)) <= 9
    drawn = np.mean([block_bootstrap_counts(30, 7, rng) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(drawn, 1.0, atol=0.15)
    assert block_bootstrap_counts(30, 7, rng).sum() == 30


def test_bootstrap_error_of_a_correlated_mean() -> None:
    rng = np.random.default_rng(8)
    ratios = []
    for seed in range(10):
        x = autoregression(0.8, 4000, 100 + seed)
        means = [x[block_bootstrap_indices(len(x), 45, rng)].mean() for _ in range(200)]
        ratios.append(np.std(means) / np.sqrt(9.0 / 4000))
    assert np.mean(ratios) == pytest.approx(0.95, abs=0.1)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], np.zeros((3, 3))])
def test_what_is_not_a_series_is_refused(values: list[float]) -> None:
    with pytest.raises(SettingsError):
        statistical_inefficiency(values)


def test_options_out_of_range_are_refused() -> None:
    x = np.arange(10.0)
    for wrong in (
        lambda: block_average(x, 1),
        lambda: block_average(x, 11),
        lambda: block_bootstrap_indices(5, 6, np.random.default_rng(1)),
        lambda: detect_equilibration(x, latest_fraction=1.0),
    ):
        with pytest.raises(SettingsError):
            wrong()
