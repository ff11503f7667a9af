"""The mean of measurements that differ by more than their errors: intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from topdown.errors import SettingsError
from topdown.estimators.random_effects import common_mean


def covered(n: int, own: float, between: float, draws: int = 400) -> tuple[float, float]:
    """Shares of ``draws`` in which the mean of ``n`` measurements is within one and two errors of the truth."""
    rng = np.random.default_rng([n, round(100 * between)])
    measured = 5.0 + np.hypot(own, between) * rng.standard_normal((draws, n))
    found = [common_mean(values, np.full(n, own), scale=1.0) for values in measured]
    z = np.array([abs(each.value - 5.0) / each.standard_error for each in found])
    return float(np.mean(z < 1.0)), float(np.mean(z < 2.0))


@pytest.mark.parametrize("n", [3, 4, 8])
@pytest.mark.parametrize("between", [0.0, 0.5, 1.0, 2.0])
def test_intervals_hold_the_truth_whatever_the_spread_between_measurements(n: int, between: float) -> None:
    one, two = covered(n, own=0.5, between=between)
    assert one > 0.64
    assert two > 0.91


def test_a_spread_as_the_prior_has_it_is_covered_as_often_as_stated() -> None:
    """Drawn from the very model, intervals are right on average; a normal posterior would give 95 % for two errors."""
    rng = np.random.default_rng(3)
    z = []
    for _ in range(600):
        between = abs(rng.standard_cauchy())
        values = np.hypot(0.5, between) * rng.standard_normal(6)
        found = common_mean(values, np.full(6, 0.5), scale=1.0)
        z.append(abs(found.value) / found.standard_error)
    assert 0.93 < np.mean(np.array(z) < 2.0) < 0.99
    assert 0.66 < np.mean(np.array(z) < 1.0) < 0.82


def test_the_posterior_is_that_of_quadrature() -> None:
    y, s, scale = np.array([1.0, 2.5, -0.4, 1.9]), np.array([0.3, 0.6, 0.4, 0.5]), 0.8

    def moments(tau: float) -> tuple[float, float, float]:
        variance = s**2 + tau**2
        m = np.average(y, weights=1.0 / variance)
        v = 1.0 / np.sum(1.0 / variance)
        density = np.prod(np.exp(-0.5 * (y - m) ** 2 / variance) / np.sqrt(variance)) * np.sqrt(v)
        return density / (1.0 + (tau / scale) ** 2), m, v

    def integral(which) -> float:  # type: ignore[no-untyped-def]
        return sum(quad(lambda t: which(*moments(t)), *ends, epsabs=0.0)[0] for ends in ((0.0, 2.0), (2.0, np.inf)))

    norm = integral(lambda p, m, v: p)
    mean = integral(lambda p, m, v: p * m) / norm
    variance = integral(lambda p, m, v: p * (v + (m - mean) ** 2)) / norm
    found = common_mean(y, s, scale=scale)
    assert found.value == pytest.approx(mean, abs=2e-3)
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=2e-3)


def test_measurements_that_cannot_differ_are_weighed_by_their_errors() -> None:
    y, s = np.array([1.0, 1.3, 0.8]), np.array([0.2, 0.4, 0.1])
    found = common_mean(y, s, scale=1e-7)
    assert found.value == pytest.approx(np.average(y, weights=s**-2.0))
    assert found.standard_error == pytest.approx(np.sum(s**-2.0) ** -0.5)
    assert found.spread < 1e-6


def test_many_measurements_tell_their_spread_themselves() -> None:
    y = np.random.default_rng(8).normal(0.0, 3.0, size=200)
    found = common_mean(y, np.full(200, 0.1), scale=1.0)
    assert found.spread == pytest.approx(y.std(), rel=0.03)
    assert found.standard_error == pytest.approx(y.std(ddof=1) / np.sqrt(200), rel=0.03)
    assert found.value == pytest.approx(y.mean(), abs=1e-3)


def test_it_goes_with_unit_and_origin() -> None:
    y, s = np.array([1.0, 2.5, -0.4]), np.array([0.3, 0.6, 0.4])
    here, there = common_mean(y, s, scale=1.0), common_mean(7.0 + 4.184 * y, 4.184 * s, scale=4.184)
    assert there.value == pytest.approx(7.0 + 4.184 * here.value)
    assert there.standard_error == pytest.approx(4.184 * here.standard_error)
    assert there.spread == pytest.approx(4.184 * here.spread)


@pytest.mark.parametrize(
    ("values", "errors", "scale"),
    [
        ([1.0, 2.0], [0.1, 0.1], 1.0),
        ([1.0, 2.0, 3.0], [0.1, 0.1], 1.0),
        ([1.0, 2.0, 3.0], [0.1, 0.0, 0.1], 1.0),
        ([1.0, np.nan, 3.0], [0.1, 0.1, 0.1], 1.0),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], 0.0),
    ],
)
def test_what_is_no_set_of_measurements_is_refused(values: list[float], errors: list[float], scale: float) -> None:
    with pytest.raises(SettingsError, match="measurements"):
        common_mean(values, errors, scale=scale)
