"""When the area of a membrane counts as steady: correlated series with and without a drift."""

from __future__ import annotations

import math

import numpy as np
import pytest

from topdown.properties.membrane_steadiness import steadiness


def correlated(n: int, seed: int, *, spread: float = 0.015, time: float = 5.0) -> np.ndarray:
    """An autoregressive series of mean 20 nm² and a correlation time of ``time`` values."""
    rng, keep = np.random.default_rng(seed), math.exp(-1.0 / time)
    noise = rng.normal(0.0, 20.0 * spread * math.sqrt(1 - keep * keep), n)
    series = np.zeros(n)
    for k in range(1, n):
        series[k] = keep * series[k - 1] + noise[k]
    return 20.0 + series


def test_most_series_at_rest_are_steady() -> None:
    found = [steadiness(correlated(400, seed)).steady for seed in range(40)]
    # Two standard errors leave out one in twenty, and correlation makes that a few more.
    assert 28 <= sum(found) < 40


@pytest.mark.parametrize("drift", [0.1, -0.1])
def test_a_series_that_drifts_is_not(drift: float) -> None:
    ramp = 1.0 + drift * np.linspace(-0.5, 0.5, 400)
    seen = [steadiness(correlated(400, seed) * ramp) for seed in range(20)]
    assert sum(one.steady for one in seen) <= 1
    assert all(one.drift * drift > 0 for one in seen)


def test_the_start_is_left_out() -> None:
    start = 6.0 * np.exp(-np.arange(600) / 15.0)
    found = [steadiness(correlated(600, seed) + start).steady for seed in range(20)]
    assert sum(found) >= 16


def test_too_little_is_never_steady() -> None:
    few = steadiness(np.full(19, 20.0) + np.linspace(0, 1e-3, 19))
    assert not few.steady
    assert few.as_json() == {"steady": False, "drift": None, "drift_error": None, "n_effective": 0.0}
    # Forty values, but with a correlation time of thirty they are hardly two: short series hide their correlation now and then.
    assert sum(steadiness(correlated(40, seed, time=30.0)).steady for seed in range(20)) <= 2
    # A small patch with a wild area: the mean is not known to a hundredth.
    assert not any(steadiness(correlated(60, seed, spread=0.15)).steady for seed in range(10))
