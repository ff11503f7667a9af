"""Influence of frames on free energies, parts of the variance, distances along a path, allocation."""

from itertools import pairwise

import numpy as np
import pytest

from topdown.errors import SettingsError
from topdown.estimators.mbar import MbarResult, Segment, mbar
from topdown.estimators.planning import (
    allocate,
    influence,
    spread_out,
    state_distances,
    variance_after,
    variance_by_segment,
)

STIFFNESS = np.array([1.0, 2.0, 4.5, 9.0])
CENTRE = np.array([0.0, 0.4, 0.7, 0.9])
LENGTHS = (400, 300, 500, 350)


def reduced(x: np.ndarray, stiffness: np.ndarray = STIFFNESS, centre: np.ndarray = CENTRE) -> np.ndarray:
    return 0.5 * stiffness[:, None] * (x - centre[:, None]) ** 2


def frames(rng: np.random.Generator, correlation: float = 0.0) -> np.ndarray:
    parts = []
    for k, n in enumerate(LENGTHS):
        y = rng.normal(size=n)
        for i in range(1, n):
            y[i] = correlation * y[i - 1] + np.sqrt(1.0 - correlation**2) * y[i]
        parts.append(CENTRE[k] + y / np.sqrt(STIFFNESS[k]))
    return np.concatenate(parts)


def segments() -> tuple[Segment, ...]:
    ends = np.concatenate([[0], np.cumsum(LENGTHS)])
    return tuple(Segment(start=int(a), stop=int(b)) for a, b in pairwise(ends))


def solve(x: np.ndarray) -> MbarResult:
    return mbar(reduced(x), np.array(LENGTHS))


def unsampled(x: np.ndarray) -> np.ndarray:
    return reduced(x, np.array([6.0]), np.array([0.2]))[0]


def test_influence_is_the_derivative_with_respect_to_the_count_of_a_frame() -> None:
    x = frames(np.random.default_rng(1))
    solution = solve(x)
    phi = influence(solution, unsampled(x)) - influence(solution, reduced(x)[0])
    step = 1e-4
    labels = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    for n in (0, 410, 900, 1500):
        # one frame counts more, all others of its state a little less: the state keeps its number of frames
        found = []
        for sign in (1.0, -1.0):
            counts = np.ones(len(x))
            own = labels == labels[n]
            counts[n] += sign * step
            counts[own] *= own.sum() / counts[own].sum()
            again = mbar(reduced(x), np.array(LENGTHS), counts=counts, tolerance=1e-13)
            found.append(again.perturb(unsampled(x)).f - again.f_k[0])
        slope = (found[0] - found[1]) / (2.0 * step)
        assert slope == pytest.approx(phi[n] - phi[labels == labels[n]].mean(), rel=2e-4)


def test_variance_of_independent_frames_is_the_asymptotic_covariance() -> None:
    x = frames(np.random.default_rng(2))
    solution = solve(x)
    phi = influence(solution, reduced(x)[3]) - influence(solution, reduced(x)[0])
    found = variance_by_segment(phi, segments(), range(4)).sum()
    # g is estimated, and never below one
    assert found == pytest.approx(solution.difference(0, 3).standard_error ** 2, rel=0.25)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_errors_are_those_of_repeats_correlated_or_not(correlation: float) -> None:
    rng = np.random.default_rng(5)
    values, errors = [], []
    for _ in range(200):
        x = frames(rng, correlation)
        solution = solve(x)
        phi = influence(solution, unsampled(x)) - influence(solution, reduced(x)[0])
        values.append(solution.perturb(unsampled(x)).f - solution.f_k[0])
        errors.append(np.sqrt(variance_by_segment(phi, segments(), range(4)).sum()))
    exact = 0.5 * np.log(6.0)
    z = (np.array(values) - exact) / np.array(errors)
    assert abs(z.mean()) < 3.5 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1.0, abs=0.2)
    assert 0.90 <= np.mean(np.abs(z) < 1.96) <= 0.99


def test_runs_of_one_state_share_its_mean() -> None:
    phi = np.concatenate([np.full(50, 1.0), np.full(50, -1.0)])
    halves = (Segment(start=0, stop=50), Segment(start=50, stop=100))
    together = variance_by_segment(phi, halves, (0, 0)).sum()
    apart = variance_by_segment(phi, halves, (0, 1)).sum()
    assert together > 99.0
    assert apart == 0.0
    with pytest.raises(SettingsError, match="do not fit"):
        variance_by_segment(phi, halves, (0,))


def test_distance_of_shifted_gaussians_is_their_shift_in_standard_deviations() -> None:
    x = np.linspace(-9.0, 9.0, 20001)
    weights = np.stack([np.exp(-0.5 * (x - shift) ** 2) for shift in (0.0, 0.1, 0.4)])
    weights /= weights.sum(axis=1, keepdims=True)
    exact = 2.0 * np.arccos(np.exp(-(np.array([0.1, 0.3]) ** 2) / 8.0))
    np.testing.assert_allclose(state_distances(weights), exact, rtol=1e-9)
    np.testing.assert_allclose(state_distances(weights), [0.1, 0.3], rtol=5e-3)


def test_states_are_spread_evenly_over_the_path() -> None:
    assert spread_out(np.full(10, 0.3), 1.5) == (0, 5, 10)
    assert spread_out(np.full(10, 0.3), 3.1) == (0, 10)
    assert spread_out([2.0, 0.1, 0.1, 0.1], 1.0) == (0, 1, 4)
    with pytest.raises(SettingsError):
        spread_out([], 1.0)


def test_sampling_goes_where_it_lowers_the_variance_most() -> None:
    tens, ones = [10, 10, 10], [1.0, 1.0, 1.0]
    given = allocate([4.0, 1.0, 0.0], tens, tens, ones, n_chunks=30)
    # the best shares are in proportion to (v n)^½
    assert given[2] == 0
    assert (given[0] + 1) / (given[1] + 1) == pytest.approx(2.0, abs=0.15)
    assert variance_after([4.0, 1.0, 0.0], tens, tens, given) == pytest.approx(
        4.0 / (1 + given[0]) + 1.0 / (1 + given[1])
    )
    dear = allocate([4.0, 1.0], [10, 10], [10, 10], [16.0, 1.0], n_chunks=30)
    assert (dear[0] + 1) / (dear[1] + 1) == pytest.approx(0.5, abs=0.1)
    assert allocate([4.0, 1.0], [10, 10], [10, 10], [np.inf, 1.0], n_chunks=5).tolist() == [0, 5]
    with pytest.raises(SettingsError):
        allocate([1.0], [0], [1], [1.0], n_chunks=1)
