"""Errors of averages count correlation, and say so when they rest on too little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from topdown.errors import SamplingError
from topdown.properties.averages import average_runs, join_parts, series_estimate, trust_remarks


def autoregression(rng: np.random.Generator, n: int, phi: float, mean: float = 0.0) -> np.ndarray:
    noise = rng.standard_normal(n) * np.sqrt(1.0 - phi**2)
    noise[0] /= np.sqrt(1.0 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise) + mean


def test_errors_of_correlated_runs_are_right() -> None:
    """200 pairs of runs with inefficiency 19: z of unit variance, or the intervals are too narrow."""
    rng = np.random.default_rng(7)
    z = []
    for _ in range(200):
        average = average_runs([autoregression(rng, 1500, 0.9, 5.0), autoregression(rng, 900, 0.9, 5.0)])
        z.append((average.estimate.value - 5.0) / average.estimate.standard_error)
    assert 0.75 < np.std(z) < 1.15
    assert np.mean(np.abs(z) < 1.96) > 0.9
    assert average.estimate.n_effective == pytest.approx(2400 / 19.0, rel=0.6)


def test_runs_count_by_their_length() -> None:
    average = average_runs([np.tile([1.0, 1.2], 300), np.tile([2.0, 2.2], 100)])
    assert average.estimate.value == pytest.approx((600 * 1.1 + 200 * 2.1) / 800)
    first, second = average.runs
    assert average.estimate.standard_error == pytest.approx(
        np.hypot(0.75 * first.standard_error, 0.25 * second.standard_error)
    )


def test_runs_that_disagree_and_errors_that_are_hardly_known_are_told() -> None:
    rng = np.random.default_rng(2)
    same = average_runs([rng.normal(5.0, 1.0, 400), rng.normal(5.0, 1.0, 400)])
    assert same.disagreement < 3.0
    assert trust_remarks(same, "density") == ()
    apart = average_runs([rng.normal(5.0, 1.0, 400), rng.normal(6.0, 1.0, 400)])
    assert apart.disagreement > 5.0
    assert "disagree on the density" in trust_remarks(apart, "density")[0]
    short = average_runs([rng.normal(5.0, 1.0, 8)])
    assert "lower bound" in trust_remarks(short, "density")[0]
    assert short.disagreement == 0.0


def test_what_gives_no_error_is_refused() -> None:
    with pytest.raises(SamplingError, match="no error"):
        series_estimate(np.array([1.0, 2.0]))
    with pytest.raises(SamplingError, match="no runs"):
        average_runs([])


def test_parts_join_in_order() -> None:
    from harmonic_liquid import HarmonicLiquid

    model = HarmonicLiquid("W")
    parts = [model.sample({("W", "W"): 5.0}, np.random.default_rng(k), n_frames=10)[0] for k in range(3)]
    whole = join_parts(parts)
    np.testing.assert_array_equal(whole.sums.volume, np.concatenate([p.sums.volume for p in parts]))
    assert whole.epsilon == parts[0].epsilon
