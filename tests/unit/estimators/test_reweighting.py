"""Reweighting on the harmonic model liquid: values, errors and derivatives against closed forms and direct runs."""

from dataclasses import replace

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.model.samples import PairSums, WindowSamples
from topdown.units import KJ_MOL_NM3_TO_BAR, kt

LAMBDAS = (0.0, 0.15, 0.4, 1.0)
MODEL = HarmonicLiquid("W", ("A", "B"))
START = {("W", "W"): 5.0, ("A", "W"): 4.0, ("B", "W"): 2.0}
MOVED = {("W", "W"): 5.4, ("A", "W"): 6.0, ("B", "W"): 1.5}


def pooled(seed: int, *, at: dict = START, n_frames: int = 800, **options: float) -> PooledSamples:
    rng = np.random.default_rng(seed)
    runs = MODEL.sample(at, rng, lambdas=LAMBDAS, n_frames=n_frames, **options)
    return pool_samples(runs, rng, n_replicates=30)


def volume(sums: PairSums) -> np.ndarray:
    return np.asarray(sums.volume)


@pytest.mark.parametrize("at", [START, MOVED])
def test_coupling_free_energy_is_right_within_its_error(at: dict) -> None:
    results = [pooled(seed).coupling_free_energy(at) for seed in range(16)]
    values = np.array([r.value for r in results])
    z = (values - MODEL.delta_g(at)) / np.array([r.standard_error for r in results])
    assert abs(z.mean()) * np.sqrt(len(z)) < 3.0
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.6


def test_errors_count_correlation() -> None:
    results = [pooled(40 + seed, correlation=0.8).coupling_free_energy(MOVED) for seed in range(16)]
    z = np.array([(r.value - MODEL.delta_g(MOVED)) / r.standard_error for r in results])
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.7
    plain = np.mean([pooled(80 + seed).coupling_free_energy(MOVED).standard_error for seed in range(6)])
    assert np.mean([r.standard_error for r in results]) > 1.8 * plain


def test_reweighted_equals_direct() -> None:
    far = pooled(1).coupling_free_energy(MOVED)
    direct = pooled(2, at=MOVED).coupling_free_energy()
    assert abs(far.value - direct.value) < 2 * np.hypot(far.standard_error, direct.standard_error)
    assert abs(far.value - pooled(1).coupling_free_energy().value) > 5 * far.standard_error


def test_derivatives_are_those_of_the_reweighted_value() -> None:
    samples = pooled(3)
    result = samples.coupling_free_energy(MOVED)
    h = 1e-4
    for p, pair in enumerate(result.pairs):
        up = samples.coupling_free_energy({**MOVED, pair: MOVED[pair] + h}, error=False)
        down = samples.coupling_free_energy({**MOVED, pair: MOVED[pair] - h}, error=False)
        assert result.gradient[p] == pytest.approx((up.value - down.value) / (2 * h), rel=1e-6, abs=1e-9)
        np.testing.assert_allclose(result.hessian[p], (up.gradient - down.gradient) / (2 * h), rtol=1e-5, atol=1e-8)


def test_the_pure_solvent_term_cancels() -> None:
    """∂ΔG/∂ε_ss without the λ = 0 term would be ⟨S_ss⟩, a hundred times larger and of the other sign."""
    results = [pooled(60 + seed).coupling_free_energy(START) for seed in range(8)]
    thermal, ss = 0.0083144626 * 300, START["W", "W"]
    exact = sum(2 * thermal * (1 / (ss + START[p]) - 1 / ss) for p in (("A", "W"), ("B", "W")))
    slope = np.array([r.gradient_of(("W", "W")) for r in results])
    error = np.array([r.gradient_error[r.pairs.index(("W", "W"))] for r in results])
    z = (slope - exact) / error
    assert abs(z.mean()) * np.sqrt(len(z)) < 3.0
    assert error.mean() < abs(exact)
    exact_a = 2 * thermal / (ss + START["A", "W"])
    assert np.mean([r.gradient_of(("W", "A")) for r in results]) == pytest.approx(exact_a, rel=0.05)
    assert results[0].gradient_of(("Q", "Q")) == 0.0


def test_a_pair_both_in_the_solvent_and_with_the_solute_moves_together() -> None:
    model = HarmonicLiquid("C1", ("C1",))
    rng = np.random.default_rng(5)
    samples = pool_samples(model.sample({("C1", "C1"): 5.0}, rng, lambdas=LAMBDAS, n_frames=1500), rng)
    assert samples.pairs == (("C1", "C1"),)
    result = samples.coupling_free_energy({("C1", "C1"): 5.5})
    assert abs(result.value - model.delta_g({("C1", "C1"): 5.5})) < 3 * result.standard_error
    assert abs(result.gradient[0]) < 3.5 * result.gradient_error[0]


def test_runs_at_several_epsilon_pool_and_sharpen() -> None:
    rng = np.random.default_rng(9)
    first, second = (MODEL.sample(at, rng, lambdas=LAMBDAS) for at in (START, MOVED))
    both = pool_samples([*first, *second], rng)
    alone = pool_samples(first, rng)
    a, b = both.coupling_free_energy(MOVED), alone.coupling_free_energy(MOVED)
    assert a.n_effective > 1.5 * b.n_effective
    assert a.standard_error < b.standard_error
    assert both.coupling_free_energy().value == a.value, "what is not given keeps the values of the last run"
    assert len(both.solution.n_k) == 8
    repeated = pool_samples([*first, *MODEL.sample(START, rng, lambdas=LAMBDAS)], rng, n_replicates=0)
    assert len(repeated.solution.n_k) == 4, "runs of one state are one state"


def test_average_volume_its_slope_and_error() -> None:
    model = HarmonicLiquid("W")
    at = {("W", "W"): 5.5}
    z, slopes = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        samples = pool_samples(model.sample({("W", "W"): 5.0}, rng, n_frames=1500), rng, n_replicates=40)
        result = samples.average(volume, at)
        z.append((result.value - model.mean_volume(at, 1.0)) / result.standard_error)
        slopes.append(result.gradient[0])
    assert abs(np.mean(z)) * 4 < 3.0
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.6
    error = np.std(slopes, ddof=1) / 4
    assert abs(np.mean(slopes) + 1 / model.kappa) < 3 * error
    h = 1e-4
    near = [samples.average(volume, {("W", "W"): 5.5 + s}, error=False).value for s in (-h, h)]
    assert result.gradient[0] == pytest.approx((near[1] - near[0]) / (2 * h), rel=1e-5)


def test_average_with_its_own_dependence_on_epsilon() -> None:
    """⟨U⟩ = ⟨Σ ε S⟩ has the explicit term ⟨S_p⟩."""
    samples = pooled(4)
    at = np.array([MOVED[p] for p in samples.pairs])

    def energy(sums: PairSums) -> np.ndarray:
        return sums.sums[:, 0] * MOVED["W", "W"] + sums.solute_sums[:, 3] @ at[:2]

    def slope(sums: PairSums) -> dict:
        return {
            ("W", "W"): sums.sums[:, 0],
            ("A", "W"): sums.solute_sums[:, 3, 0],
            ("W", "B"): sums.solute_sums[:, 3, 1],
        }

    result = samples.average(energy, MOVED, lambda_index=3, explicit_gradient=slope)
    h = 1e-4

    def shifted(by: float) -> float:
        ww = MOVED["W", "W"] + by
        u = lambda sums: sums.sums[:, 0] * ww + sums.solute_sums[:, 3] @ at[:2]  # noqa: E731
        return samples.average(u, {**MOVED, ("W", "W"): ww}, lambda_index=3, error=False).value

    assert result.gradient_of(("W", "W")) == pytest.approx((shifted(h) - shifted(-h)) / (2 * h), rel=1e-5)


def test_pressure_is_in_bar() -> None:
    model = HarmonicLiquid("W")
    rng = np.random.default_rng(12)
    at = {("W", "W"): 5.0}
    high = model.sample(at, rng, n_frames=3000, pressure=100.0)
    low = pool_samples([*model.sample(at, rng, n_frames=3000), *high], rng)
    shift = low.average(volume).value - model.mean_volume(at, 1.0)
    assert shift == pytest.approx(-99.0 / KJ_MOL_NM3_TO_BAR / model.kappa, rel=0.15)


def test_coupling_at_another_temperature_is_that_of_the_closed_form() -> None:
    """ΔG of the oscillators is proportional to T; so are its derivatives."""
    warm = replace(MODEL, temperature=318.0)
    results = [pooled(100 + seed).coupling_free_energy(START, temperature=318.0) for seed in range(16)]
    typical = np.mean([r.standard_error for r in results])
    assert warm.delta_g(START) - MODEL.delta_g(START) > 3.0 * typical, "the test can tell"
    z = np.array([(r.value - warm.delta_g(START)) / r.standard_error for r in results])
    assert abs(z.mean()) * 4 < 3.0
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.6
    exact = 2 * kt(318.0) / (START["W", "W"] + START["A", "W"])
    assert np.mean([r.gradient_of(("A", "W")) for r in results]) == pytest.approx(exact, rel=0.05)


def swelling_solute(pressure: float, rng: np.random.Generator, n_frames: int = 1500) -> list[WindowSamples]:
    """U = κ(V - V0)²/2 + λ ε V, κ = 20, V0 = 12, ε = 3: ΔG = ε V0 - ε²/2κ - ε p/κ at any temperature, and ΔV = -ε/κ."""
    kappa, v_0, epsilon, lambdas = 20.0, 12.0, 3.0, np.array([0.0, 0.5, 1.0])
    windows = []
    for k, lam in enumerate(lambdas):
        mean = v_0 - (lam * epsilon + pressure / KJ_MOL_NM3_TO_BAR) / kappa
        v = mean + np.sqrt(kt(300.0) / kappa) * rng.normal(size=n_frames)
        sums = PairSums(
            pairs=(), sums=np.zeros((n_frames, 0)), rest_energy=0.5 * kappa * (v - v_0) ** 2, volume=v,
            solute_pairs=(("A", "W"),), solute_sums=v[:, None, None] * lambdas[:, None], lambdas=lambdas,
        )  # fmt: skip
        windows.append(
            WindowSamples(
                key=f"{k}",
                system="swelling",
                sums=sums,
                epsilon=(epsilon,),
                lambda_index=k,
                temperature=300.0,
                pressure=pressure,
                n_molecules=1,
            )
        )
    return windows


@pytest.mark.parametrize(("temperature", "pressure"), [(300.0, 60.0), (315.0, 1.0), (290.0, 90.0)])
def test_coupling_at_another_pressure_and_temperature(temperature: float, pressure: float) -> None:
    exact = 3.0 * 12.0 - 9.0 / 40.0 - 3.0 * pressure / KJ_MOL_NM3_TO_BAR / 20.0
    there = {"temperature": temperature, "pressure": pressure}
    z = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        samples = pool_samples(swelling_solute(1.0, rng), rng, n_replicates=40)
        found = samples.coupling_free_energy(**there)
        z.append((found.value - exact) / found.standard_error)
    assert abs(np.mean(z)) * np.sqrt(8) < 3.0
    assert 0.5 < np.sqrt(np.mean(np.square(z))) < 1.8
    h = 1e-4
    near = [samples.coupling_free_energy({("A", "W"): 3.0 + s}, **there, error=False) for s in (-h, h)]
    assert found.gradient[0] == pytest.approx((near[1].value - near[0].value) / (2 * h), rel=1e-6)
    assert found.hessian[0, 0] == pytest.approx((near[1].gradient[0] - near[0].gradient[0]) / (2 * h), rel=1e-5)


def test_coupling_in_a_state_that_was_sampled_is_what_mbar_says_of_it() -> None:
    """Runs at two temperatures and two pressures in one pool: no reweighting is left to do, and pymbar agrees."""
    rng = np.random.default_rng(31)
    warm = replace(MODEL, temperature=312.0)
    options = {"lambdas": LAMBDAS, "n_frames": 400}
    runs = [
        *warm.sample(START, rng, pressure=80.0, **options),
        *MODEL.sample(START, rng, **options),
    ]
    samples = pool_samples(runs, rng, n_replicates=0, discard_transient=False)
    found = samples.coupling_free_energy(temperature=312.0, pressure=80.0, error=False)
    f = samples.solution.f_k
    assert found.value == pytest.approx(kt(312.0) * (f[3] - f[0]), abs=1e-9)
    assert samples.coupling_free_energy(error=False).value == pytest.approx(kt(300.0) * (f[7] - f[4]), abs=1e-9)
    pymbar = pytest.importorskip("pymbar")
    theirs = pymbar.MBAR(samples.solution.u_kn, samples.solution.n_k, solver_protocol="robust").f_k
    assert found.value == pytest.approx(kt(312.0) * (theirs[3] - theirs[0]), abs=1e-6)


def test_coupling_elsewhere_is_refused_where_samples_do_not_reach() -> None:
    samples = pooled(6)
    with pytest.raises(SamplingError, match=r"effective samples.* 600 K, 1 bar.*this state"):
        samples.coupling_free_energy(temperature=600.0)
    with pytest.raises(SettingsError, match="temperature must be positive"):
        samples.coupling_free_energy(temperature=0.0)
    with pytest.raises(SettingsError, match="cannot be gone to"):
        samples.coupling_free_energy(pressure=float("nan"))
    rng = np.random.default_rng(8)
    runs = [replace(run, pressure=None) for run in MODEL.sample(START, rng, lambdas=LAMBDAS, n_frames=50)]
    with pytest.raises(SettingsError, match="constant volume"):
        pool_samples(runs, rng, n_replicates=0).coupling_free_energy(pressure=2.0)


def test_too_few_effective_samples_are_refused() -> None:
    samples = pooled(6)
    away = {("W", "W"): 15.0}
    assert samples.effective_samples(away) < 50 < samples.effective_samples(START)
    with pytest.raises(SamplingError, match="effective samples"):
        samples.coupling_free_energy(away)
    with pytest.raises(SamplingError, match="effective samples"):
        samples.average(volume, away, lambda_index=0)
    assert samples.coupling_free_energy(away, min_effective=0, error=False).n_effective < 50


def test_a_gap_between_the_lambdas_is_refused() -> None:
    model = HarmonicLiquid("W", ("A",), n_modes=400, modes_per_bead=300)
    rng = np.random.default_rng(3)
    runs = model.sample({("W", "W"): 5.0, ("A", "W"): 5.0}, rng, lambdas=(0.0, 1.0), n_frames=300)
    with pytest.raises(SamplingError, match="overlap"):
        pool_samples(runs, rng).coupling_free_energy()


def test_an_unequilibrated_start_is_dropped() -> None:
    rng = np.random.default_rng(14)
    runs = MODEL.sample(START, rng, lambdas=LAMBDAS)
    bad = runs[2].sums
    drift = bad.rest_energy + 400.0 * np.exp(-np.arange(800) / 20.0)
    runs[2] = replace(runs[2], sums=replace(bad, rest_energy=drift))
    sizes = [s.stop - s.start for s in pool_samples(runs, rng, n_replicates=0).segments]
    assert sizes[2] < 760 <= min(sizes[0], sizes[1], sizes[3])
    assert pool_samples(runs, rng, n_replicates=0, discard_transient=False).n_frames == 3200


def test_what_cannot_be_pooled_is_refused() -> None:
    rng = np.random.default_rng(15)
    runs = MODEL.sample(START, rng, lambdas=LAMBDAS, n_frames=20)
    other_grid = MODEL.sample(START, rng, lambdas=(0.0, 0.5, 1.0), n_frames=20)
    for wrong, words in (
        ([*runs, replace(runs[0], system="else")], "cannot be pooled"),
        ([*runs, *other_grid], "λ grids"),
        ([*runs, replace(runs[0], pressure=None)], "constant volume"),
        ([replace(runs[0], epsilon=(1.0,))], "values of ε"),
    ):
        with pytest.raises(SettingsError, match=words):
            pool_samples(wrong, rng)
    with pytest.raises(SamplingError, match="no runs"):
        pool_samples([], rng)
    without = pool_samples(runs, rng, n_replicates=0)
    with pytest.raises(SamplingError, match="bootstrap"):
        without.coupling_free_energy(min_effective=0)
    with pytest.raises(SettingsError, match="λ index"):
        without.average(volume, lambda_index=9)
    liquid = pool_samples(HarmonicLiquid("W").sample(START, rng, n_frames=20), rng, n_replicates=0)
    with pytest.raises(SamplingError, match="λ = 0"):
        liquid.coupling_free_energy()
