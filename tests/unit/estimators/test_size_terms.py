"""σ as one more coefficient: against sums taken to the other σ frame by frame, and against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.calibration.parameters import FreeParameter, ParameterSpace, SharedParameter
from topdown.errors import SettingsError
from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.estimators.size_terms import at_sizes, coefficients, repulsion_of, with_size_terms
from topdown.model.samples import PairSums, WindowSamples
from topdown.units import kt

AA, AB, BB = ("A", "A"), ("A", "B"), ("B", "B")
EPSILON = {AA: 1.3, AB: 2.1, BB: 3.0}
LAMBDAS = (0.0, 0.4, 1.0)


def window(index: int, *, seed: int = 0, n: int = 300) -> WindowSamples:
    """A solute A in B whose repulsion and dispersion fluctuate apart; a chain, so that A meets A."""
    rng = np.random.default_rng([seed, index])
    grown = np.array(LAMBDAS)[:, None]
    repulsion, dispersion = 0.2 * rng.normal(size=(2, n, 2)) + np.array([[9.0, 30.0], [14.0, 52.0]])[:, None]
    soft = [grown * (mean + 0.3 * rng.normal(size=(n, 1, 1))) for mean in (5.0, 9.0)]
    sums = PairSums(
        pairs=(AA, BB),
        sums=repulsion - dispersion,
        repulsion=repulsion,
        solute_pairs=(AB,),
        solute_sums=soft[0] - soft[1],
        solute_repulsion=soft[0],
        lambdas=np.array(LAMBDAS),
        rest_energy=rng.normal(size=n),
        volume=50.0 + rng.normal(size=n),
    )
    return WindowSamples(
        key=f"{seed}-{index}",
        system="A in B",
        sums=sums,
        epsilon=tuple(EPSILON[p] for p in (AA, BB, AB)),
        lambda_index=index,
        temperature=300.0,
        pressure=1.0,
        n_molecules=40,
    )


def pooled(ratios: dict | None = None, free: tuple = (AA, AB, BB)) -> PooledSamples:
    runs = [with_size_terms(window(k), free, {}) for k in range(3)]
    if ratios:
        runs += [with_size_terms(window(k, seed=1), free, ratios) for k in range(3)]
    return pool_samples(runs, np.random.default_rng(1), n_replicates=0, discard_transient=False)


def terms(epsilon: dict, ratios: dict) -> dict:
    found = {}
    for pair, value in epsilon.items():
        found[pair], found[repulsion_of(pair)] = coefficients(value, ratios.get(pair, 1.0))
    return found


def test_the_energy_of_a_frame_is_that_at_the_other_sigma() -> None:
    """λ = 0.4 and 1, three pairs with three ratios: S taken there by ``with_sigma`` and by coefficients."""
    ratios, run = {AA: 1.03, AB: 0.95, BB: 1.01}, window(1)
    there, grown = run.sums.with_sigma(ratios), with_size_terms(run, (AA, AB, BB), {})
    at = terms(EPSILON, ratios)
    for k in (1, 2):
        expected = there.sums @ [EPSILON[AA], EPSILON[BB]] + there.solute_sums[:, k, 0] * EPSILON[AB]
        found = grown.sums.sums @ [at[p] for p in grown.sums.pairs]
        found = found + grown.sums.solute_sums[:, k] @ [at[p] for p in grown.sums.solute_pairs]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.abs(there.sums - run.sums.sums).max() > 1.0


def test_a_run_at_another_sigma_has_its_own_energy() -> None:
    """Sums come at the σ of the run and are kept at that of the start table: the energy of the run itself is the same."""
    ratios, run = {AA: 1.03, AB: 0.95}, window(2)
    kept = with_size_terms(run, (AA, AB), ratios)
    assert kept.sums.pairs == (AA, BB, repulsion_of(AA))
    assert kept.sums.solute_pairs == (AB, repulsion_of(AB))
    own = run.sums.sums @ [EPSILON[AA], EPSILON[BB]] + run.sums.solute_sums[:, 2, 0] * EPSILON[AB]
    weights = np.array(kept.epsilon)
    found = kept.sums.sums @ weights[:3] + kept.sums.solute_sums[:, 2] @ weights[3:]
    np.testing.assert_allclose(found, own, rtol=1e-12)
    np.testing.assert_allclose(kept.sums.sums[:, 0], run.sums.with_sigma({AA: 1 / 1.03}).sums[:, 0])


def test_without_free_sigma_nothing_changes() -> None:
    run = window(0)
    assert with_size_terms(run, (), {}) is run
    assert with_size_terms(run, (("C", "D"),), {}) is run


def test_the_free_energy_at_another_sigma_is_that_of_the_frames() -> None:
    """From one state at each end, by the exponential average written out."""
    ratios, beta = {AA: 1.004, AB: 0.99, BB: 1.003}, 1.0 / kt(300.0)
    ends = []
    for k in (0, 2):
        run = window(k)
        here, there = run.sums, run.sums.with_sigma(ratios)
        change = (there.sums - here.sums) @ [EPSILON[AA], EPSILON[BB]]
        change = change + (there.solute_sums - here.solute_sums)[:, k, 0] * EPSILON[AB]
        runs = [with_size_terms(run, (AA, AB, BB), {})]
        found = pool_samples(runs, np.random.default_rng(1), n_replicates=0, discard_transient=False)
        u = found.reduced_energy(k, terms(EPSILON, ratios))
        ends.append((found.solution.perturb(u).f, -np.log(np.mean(np.exp(-beta * change)))))
        base = found.solution.perturb(found.reduced_energy(k)).f
        assert ends[-1][0] - base == pytest.approx(ends[-1][1], abs=1e-9)
        assert abs(ends[-1][1]) > 0.05


def space() -> ParameterSpace:
    return ParameterSpace(
        parameters=(
            FreeParameter(pair=AB, start=2.1, prior_width=0.5, lower=1.0, upper=4.0),
            FreeParameter(pair=BB, start=3.0, prior_width=0.5, lower=1.0, upper=4.0, scale="log"),
        ),
        shared=(
            SharedParameter(name="all", rows=((AA, 1.0), (AB, 1.0)), prior_width=0.1, lower=-1, upper=1),
            SharedParameter(name="heat", rows=((AA, 1.0),), prior_width=1e-3, lower=-1, upper=1, per_kelvin=True),
        ),
        starts={AA: 1.3},
        temperature=300.0,
        sizes=(
            SharedParameter(
                name="sigma S", rows=((AA, 1.0), (AB, 0.5)), prior_width=0.02, lower=-0.1, upper=0.1, of_sigma=True
            ),
            SharedParameter(
                name="sigma R", rows=((AB, 0.5), (BB, 1.0)), prior_width=0.02, lower=-0.1, upper=0.1, of_sigma=True
            ),
        ),
    )


def test_the_jacobian_of_reweighted_values_is_their_derivative() -> None:
    """ΔG and a density, along every ε and σ parameter, at a point where all have moved and at another temperature."""
    parameters, samples = space(), pooled({AA: 1.002, AB: 0.999, BB: 0.998})
    x, temperature = np.array([2.102, np.log(2.995), 0.002, 1e-4, 0.0015, -0.001]), 304.0

    def values(at: np.ndarray) -> np.ndarray:
        theta = parameters.coefficients(at, temperature)
        delta_g = samples.coupling_free_energy(theta, temperature=temperature, min_effective=0.0, error=False)
        density = samples.average(
            lambda s: 1.0 / s.volume, theta, lambda_index=2, temperature=temperature, min_effective=0.0, error=False
        )
        return np.array([delta_g.value, 1e3 * density.value])

    theta = parameters.coefficients(x, temperature)
    at = {"temperature": temperature, "min_effective": 0.0, "error": False}
    found = [
        samples.coupling_free_energy(theta, **at),
        samples.average(lambda s: 1e3 / s.volume, theta, lambda_index=2, **at),
    ]
    outer = np.array([[value.gradient_of(p) for p in parameters.terms] for value in found])
    jacobian = outer @ parameters.coefficient_jacobian(x, temperature)
    for k, h in enumerate((1e-5, 1e-5, 1e-5, 1e-5, 1e-6, 1e-6)):
        step = h * np.eye(6)[k]
        numeric = (values(x + step) - values(x - step)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, k], numeric, rtol=2e-5, atol=1e-7)
        assert np.abs(jacobian[:, k]).min() > 1e-4


def test_coefficients_without_sizes_are_epsilon() -> None:
    plain = replace(space(), sizes=())
    x = np.array([2.2, np.log(2.7), 0.05, 0.002])
    assert plain.coefficients(x, 310.0) == plain.theta(x, 310.0)
    assert plain.terms == plain.pairs
    np.testing.assert_array_equal(plain.coefficient_jacobian(x, 310.0), plain.jacobian(x, 310.0))
    assert plain.sigma_ratios(x) == {}


def test_samples_folded_to_one_sigma_go_on_in_epsilon() -> None:
    """ΔG at σ' and another ε is the same by both ways, and at the run's own state by default."""
    ratios, samples = {AA: 1.003, AB: 0.998, BB: 1.001}, pooled()
    folded = at_sizes(samples, ratios)
    assert folded.pairs == (AA, AB, BB)
    there = {**EPSILON, AB: 2.12}
    options = {"min_effective": 0.0, "error": False}
    expected = samples.coupling_free_energy(terms(there, ratios), **options).value
    assert folded.coupling_free_energy(there, **options).value == pytest.approx(expected, abs=1e-10)
    assert at_sizes(folded, ratios) is folded
    last = at_sizes(pooled(ratios), ratios)
    np.testing.assert_allclose(last.reference.epsilon, [EPSILON[p] for p in (AA, AB, BB)])


def test_what_cannot_be_taken_to_another_sigma_is_refused() -> None:
    run = window(0)
    bare = replace(run, sums=replace(run.sums, repulsion=None, solute_repulsion=None))
    with pytest.raises(SettingsError, match="no repulsion apart"):
        with_size_terms(bare, (AA,), {})
    n = run.sums.n_frames
    virials = {
        "virials": np.zeros((n, 2, 3)),
        "solute_virials": np.zeros((n, 1, 3)),
        "rest_virial": np.zeros((n, 3)),
        "kinetic": np.zeros((n, 3)),
    }
    slab = replace(run, sums=replace(run.sums, **virials))
    with pytest.raises(SettingsError, match="virials"):
        with_size_terms(slab, (AA,), {})
    assert with_size_terms(slab, (("C", "C"),), {}) is slab


def test_sigma_of_a_pair_whose_epsilon_is_held_is_refused() -> None:
    right = space()
    stray = SharedParameter(
        name="sigma T", rows=((("C", "C"), 1.0),), prior_width=0.02, lower=-0.1, upper=0.1, of_sigma=True
    )
    with pytest.raises(SettingsError, match="ε does not"):
        replace(right, sizes=(*right.sizes, stray))
    with pytest.raises(SettingsError, match="mixed up"):
        replace(right, shared=right.sizes, sizes=())
    with pytest.raises(SettingsError, match="temperature"):
        replace(stray, per_kelvin=True)
