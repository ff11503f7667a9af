"""BAR, TI and MBAR on harmonic oscillators (f = ½ ln(k/2π) exactly), and MBAR against pymbar."""

import numpy as np
import pytest

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.free_energy import (
    bar,
    coupling_derivatives,
    kish_effective_samples,
    thermodynamic_integration,
)
from topdown.estimators.mbar import (
    MbarResult,
    Segment,
    bootstrap_mbar,
    mbar,
    pairwise_overlap,
    weakest_link,
)

STIFFNESS = np.array([1.0, 2.0, 4.5, 9.0])
CENTRE = np.array([0.0, 0.4, 0.7, 0.9])
OFFSET = np.array([0.0, 3.0, -1.0, 0.5])
EXACT = 0.5 * np.log(STIFFNESS / STIFFNESS[0]) + OFFSET


def reduced(x: np.ndarray) -> np.ndarray:
    return 0.5 * STIFFNESS[:, None] * (x - CENTRE[:, None]) ** 2 + OFFSET[:, None]


def oscillator_frames(n_k: list[int], seed: int, correlation: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = []
    for k, n in enumerate(n_k):
        y = rng.normal(size=n)
        for i in range(1, n):
            y[i] = correlation * y[i - 1] + np.sqrt(1 - correlation**2) * y[i]
        parts.append(CENTRE[k] + y / np.sqrt(STIFFNESS[k]))
    return np.concatenate(parts)


def solve(seed: int, n_k: tuple[int, ...] = (300, 200, 250, 400)) -> MbarResult:
    return mbar(reduced(oscillator_frames(list(n_k), seed)), np.array(n_k))


def test_mbar_equals_pymbar() -> None:
    pymbar = pytest.importorskip("pymbar", reason="pymbar is not installed")
    n_k = np.array([300, 0, 250, 400])
    u_kn = reduced(oscillator_frames(list(n_k), 11))
    ours = mbar(u_kn, n_k)
    oracle = pymbar.MBAR(u_kn, n_k, solver_protocol="robust")
    theirs = oracle.compute_free_energy_differences(compute_uncertainty=True)
    np.testing.assert_allclose(ours.f_k, theirs["Delta_f"][0], atol=1e-8)
    np.testing.assert_allclose(ours.overlap_matrix(), oracle.compute_overlap()["matrix"], atol=1e-8)
    np.testing.assert_allclose(ours.weights.sum(axis=1), 1.0, atol=1e-10)
    assert ours.residual <= 1e-10
    assert ours.difference(0, 3).standard_error == pytest.approx(theirs["dDelta_f"][0, 3], rel=1e-6)
    assert ours.difference(1, 2).standard_error == pytest.approx(theirs["dDelta_f"][1, 2], rel=1e-6)


def test_mbar_solves_its_own_equations_from_any_start() -> None:
    result = solve(3)
    denominator = np.sum(result.n_k[:, None] * np.exp(result.f_k[:, None] - result.u_kn), axis=0)
    np.testing.assert_allclose(result.log_denominator, np.log(denominator), atol=1e-10)
    again = -np.log(np.sum(np.exp(-result.u_kn) / denominator, axis=1))
    np.testing.assert_allclose(again, result.f_k, atol=1e-9)
    far = mbar(result.u_kn, result.n_k, initial=[0.0, 80.0, -60.0, 200.0])
    np.testing.assert_allclose(far.f_k, result.f_k, atol=1e-8)


def test_mbar_is_right_within_its_errors_and_the_errors_within_the_scatter() -> None:
    results = [solve(seed) for seed in range(80)]
    f = np.array([r.f_k for r in results])
    errors = np.array([[r.difference(0, k).standard_error for k in (1, 2, 3)] for r in results])
    z_mean = (f.mean(axis=0) - EXACT)[1:] / (f.std(axis=0, ddof=1)[1:] / np.sqrt(len(f)))
    assert np.all(np.abs(z_mean) < 3.5)
    np.testing.assert_allclose(np.sqrt(np.mean(errors**2, axis=0)), f.std(axis=0, ddof=1)[1:], rtol=0.3)


def test_bootstrap_error_counts_correlation_where_the_analytic_one_does_not() -> None:
    n_k, a = [600, 600, 600, 600], 0.85
    f, booted, analytic = [], [], []
    for seed in range(24):
        frames = oscillator_frames(n_k, 500 + seed, a)
        result = mbar(reduced(frames), n_k)
        segments = [Segment(start=600 * k, stop=600 * (k + 1), inefficiency=(1 + a) / (1 - a)) for k in range(4)]
        replicates = bootstrap_mbar(result, segments, np.random.default_rng(seed), n_replicates=40)
        f.append(result.f_k[3])
        booted.append(replicates.standard_error(0, 3))
        analytic.append(result.difference(0, 3).standard_error)
    scatter = np.std(f, ddof=1)
    assert np.sqrt(np.mean(np.square(booted))) == pytest.approx(scatter, rel=0.35)
    assert np.mean(analytic) < 0.6 * scatter


def test_perturbing_to_a_state_equals_having_it_in_the_matrix() -> None:
    x = oscillator_frames([300, 0, 250, 400], 4)
    whole = mbar(reduced(x), [300, 0, 250, 400])
    part = mbar(reduced(x)[[0, 2, 3]], [300, 250, 400])
    state = part.perturb(reduced(x)[1])
    assert state.f == pytest.approx(whole.f_k[1], abs=1e-10)
    np.testing.assert_allclose(state.weights, whole.weights[1], atol=1e-12)
    assert state.n_effective == pytest.approx(1.0 / np.sum(state.weights**2))


def test_energies_that_overflow_are_weightless() -> None:
    x = oscillator_frames([300, 200, 250, 400], 6)
    u = reduced(x)
    u[3, :300] = 1e30
    assert np.all(np.isfinite(mbar(u, [300, 200, 250, 400]).f_k))
    with pytest.raises(SamplingError, match="not a number"):
        mbar(np.where(u > 1e29, np.nan, u), [300, 200, 250, 400])


def test_overlaps_tell_a_gap() -> None:
    u_kn = 0.5 * (np.random.default_rng(1).normal(size=(1, 400)) - np.array([[0.0], [0.0]])) ** 2
    same = mbar(u_kn, [200, 200])
    assert same.bottleneck_overlap() == pytest.approx(0.5)
    rng = np.random.default_rng(2)
    centres = np.array([0.0, 1.0, 9.0])
    x = np.concatenate([c + rng.normal(size=200) for c in centres])
    gap = mbar(0.5 * (x - centres[:, None]) ** 2, [200, 200, 200])
    assert gap.bottleneck_overlap() < 0.01 < 0.2 < gap.overlap_matrix()[0, 1]
    np.testing.assert_allclose(gap.overlap_matrix().sum(axis=1), 1.0, atol=1e-9)


def test_pairwise_overlap_ignores_how_many_other_states_there_are() -> None:
    rng = np.random.default_rng(3)
    centres = np.repeat([0.0, 1.0], [1, 7])
    x = np.concatenate([c + rng.normal(size=500) for c in centres])
    result = mbar(0.5 * (x - centres[:, None]) ** 2, [500] * 8)
    grid = np.linspace(-12, 12, 20001)
    a, b = np.exp(-0.5 * grid**2), np.exp(-0.5 * (grid - 1) ** 2)
    exact = np.trapezoid(a * b / (a + b), grid) / np.sqrt(2 * np.pi)
    assert result.pairwise_overlap()[0, 1] == pytest.approx(exact, abs=0.02)
    assert result.overlap_matrix()[0, 1] < 0.5 * exact
    assert pairwise_overlap(result.weights)[2, 5] == pytest.approx(0.5)


def test_weakest_link_goes_round_a_gap() -> None:
    overlap = np.array([[0.5, 0.1, 0.4], [0.1, 0.5, 0.3], [0.4, 0.3, 0.5]])
    assert weakest_link(overlap) == 0.3
    assert weakest_link(overlap, 0, 1) == 0.3
    assert weakest_link(overlap, 0, 2) == 0.4


def test_bar_equals_mbar_of_two_states_and_pymbar() -> None:
    x = oscillator_frames([300, 200, 0, 0], 12)
    u = reduced(x)[:2]
    forward, reverse = (u[1] - u[0])[:300], (u[0] - u[1])[300:]
    found = bar(forward, reverse)
    solution = mbar(u, [300, 200])
    assert found.delta_f == pytest.approx(solution.f_k[1], abs=1e-9)
    assert found.standard_error == pytest.approx(solution.difference(0, 1).standard_error, rel=0.1)
    pymbar = pytest.importorskip("pymbar", reason="pymbar is not installed")
    oracle = pymbar.bar(forward, reverse)
    assert found.delta_f == pytest.approx(oracle["Delta_f"], abs=1e-7)
    assert found.standard_error == pytest.approx(oracle["dDelta_f"], rel=0.05)


def test_bar_error_and_inefficiency() -> None:
    values = []
    for seed in range(80):
        x = oscillator_frames([300, 200, 0, 0], 900 + seed)
        w = reduced(x)[1] - reduced(x)[0]
        values.append(bar(w[:300], -w[300:]))
    differences = np.array([v.delta_f for v in values])
    scatter = differences.std(ddof=1)
    assert abs(differences.mean() - EXACT[1]) < 3.5 * scatter / np.sqrt(80)
    assert np.sqrt(np.mean([v.standard_error**2 for v in values])) == pytest.approx(scatter, rel=0.3)
    wide = bar(w[:300], -w[300:], inefficiency=(4.0, 4.0)).standard_error
    assert wide == pytest.approx(2 * values[-1].standard_error)


@pytest.mark.parametrize(("rule", "bias"), [("trapezoid", 0.05), ("spline", 0.005)])
def test_thermodynamic_integration_of_a_stiffening_spring(rule: str, bias: float) -> None:
    grid = np.linspace(0.0, 1.0, 9)
    exact = 0.5 * np.log(6.0)
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        series = [2.5 * rng.normal(size=1000) ** 2 / (1 + 5 * g) for g in grid]
        found.append(thermodynamic_integration(grid, series, rule=rule))
    values = np.array([f.delta_f for f in found])
    scatter = values.std(ddof=1)
    assert abs(values.mean() - exact) < 3.5 * scatter / np.sqrt(150) + bias
    assert np.sqrt(np.mean([f.standard_error**2 for f in found])) == pytest.approx(scatter, rel=0.2)


def test_coupling_derivatives_against_finite_differences_of_the_weights() -> None:
    rng = np.random.default_rng(7)
    s_0, s_1 = rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + 0.5
    beta, at, base = 0.4, np.array([1.0, 0.3]), rng.normal(size=500)

    def free_energy(sums: np.ndarray, epsilon: np.ndarray) -> tuple[float, np.ndarray]:
        boltzmann = np.exp(-beta * (sums @ epsilon) - base)
        return -np.log(boltzmann.sum()) / beta, boltzmann / boltzmann.sum()

    gradient, hessian = coupling_derivatives(free_energy(s_0, at)[1], free_energy(s_1, at)[1], s_0, s_1, beta)

    def delta_g(epsilon: np.ndarray) -> float:
        return free_energy(s_1, epsilon)[0] - free_energy(s_0, epsilon)[0]

    h = 1e-4
    for p in range(2):
        step = h * np.eye(2)[p]
        assert gradient[p] == pytest.approx((delta_g(at + step) - delta_g(at - step)) / (2 * h), rel=1e-6)
        second = (delta_g(at + step) - 2 * delta_g(at) + delta_g(at - step)) / h**2
        assert hessian[p, p] == pytest.approx(second, rel=1e-4)
    cross = sum(i * j * delta_g(at + h * np.array([i, j])) for i in (-1, 1) for j in (-1, 1)) / (4 * h**2)
    np.testing.assert_allclose([hessian[0, 1], hessian[1, 0]], cross, rtol=1e-4)


def test_kish() -> None:
    assert kish_effective_samples(np.full(7, 0.3)) == pytest.approx(7.0)
    assert kish_effective_samples([1.0, 0.0, 0.0]) == 1.0
    assert kish_effective_samples(np.ones(6), [1, 1, 1, 3, 3, 3]) == pytest.approx(3.0)
    assert kish_effective_samples(np.zeros(3)) == 0.0


def test_wrong_input_is_refused() -> None:
    u = reduced(oscillator_frames([5, 5, 5, 5], 1))
    solution = mbar(u, [5, 5, 5, 5])
    rng = np.random.default_rng(1)
    for wrong in (
        lambda: mbar(u, [5, 5, 5]),
        lambda: mbar(u, [5, 5, 5, 6]),
        lambda: bar([], [1.0]),
        lambda: thermodynamic_integration([0.0, 1.0], [[1.0]]),
        lambda: thermodynamic_integration([0.0, 1.0], [[1.0, 2.0], [1.0, 2.0]], rule="guess"),
        lambda: bootstrap_mbar(solution, [Segment(start=0, stop=10)], rng),
    ):
        with pytest.raises(SettingsError):
            wrong()
    with pytest.raises(SamplingError, match="no frame has any weight"):
        solution.perturb(np.full(20, np.inf))
