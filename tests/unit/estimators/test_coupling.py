"""Diagnostics of a coupling free energy on a liquid whose every answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid

from topdown.estimators.coupling import coupling_diagnostics, coupling_variances
from topdown.estimators.reweighting import pool_samples
from topdown.units import kt

LIQUID = HarmonicLiquid(solvent_type="W", solute_types=("A", "B"))
EPSILON = {("W", "W"): 4.0, ("A", "W"): 6.0, ("B", "W"): 3.0}
LAMBDAS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def sampled(seed: int, *, n_frames: int = 600, correlation: float = 0.0, skip: tuple[int, ...] = ()):
    rng = np.random.default_rng(seed)
    runs = LIQUID.sample(EPSILON, rng, lambdas=LAMBDAS, n_frames=n_frames, correlation=correlation)
    runs = [run for run in runs if run.lambda_index not in skip]
    return runs, pool_samples(runs, rng, n_replicates=40, discard_transient=False)


def mean_slope(lam: float) -> float:
    """⟨∂U/∂λ⟩ = Σ_b (m/2) kT ε_bs/(ε_ss + λ ε_bs)."""
    m, ss = LIQUID.modes_per_bead, EPSILON["W", "W"]
    return sum(0.5 * m * kt(LIQUID.temperature) * e / (ss + lam * e) for e in (6.0, 3.0))


def test_slopes_are_the_derivative_of_the_free_energy() -> None:
    found = coupling_diagnostics(*sampled(1, n_frames=4000))
    np.testing.assert_array_equal(found.lambdas, LAMBDAS)
    np.testing.assert_array_equal(found.n_frames, 4000)
    z = (found.slopes - [mean_slope(lam) for lam in LAMBDAS]) / found.slope_errors
    assert np.abs(z).max() < 3.5
    assert found.slope_errors.min() > 0.0


def test_overlap_is_that_of_mbar_and_says_which_states_are_neighbours() -> None:
    found = coupling_diagnostics(*sampled(2, skip=(2, 3)))
    np.testing.assert_allclose(found.overlap.sum(axis=1), 1.0, atol=1e-8)
    assert found.lambdas.tolist() == [0.0, 0.1, 0.75, 1.0]
    assert found.overlap[0, 1] > found.overlap[0, 3]


def test_error_is_that_of_repeats_and_of_the_bootstrap() -> None:
    exact = LIQUID.delta_g(EPSILON)
    values, errors, others = [], [], []
    for seed in range(40):
        runs, pooled = sampled(100 + seed, n_frames=300, correlation=0.7)
        value = pooled.coupling_free_energy(EPSILON)
        values.append(value.value)
        others.append(value.standard_error)
        errors.append(np.sqrt(coupling_variances(pooled, [run.lambda_index for run in runs]).sum()))
    z = (np.array(values) - exact) / np.array(errors)
    assert abs(z.mean()) < 3.5 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1.0, abs=0.3)
    assert np.mean(errors) == pytest.approx(np.mean(others), rel=0.25)


def test_error_elsewhere_is_that_of_repeats() -> None:
    """At another ε and temperature the influence of frames still gives the scatter of repeats."""
    there, warm = {**EPSILON, ("A", "W"): 8.0, ("W", "W"): 3.2}, HarmonicLiquid("W", ("A", "B"), temperature=312.0)
    z, errors, at_home = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(400 + seed)
        runs = LIQUID.sample(EPSILON, rng, lambdas=LAMBDAS, n_frames=500, correlation=0.7)
        pooled = pool_samples(runs, rng, n_replicates=0, discard_transient=False)
        states = [run.lambda_index for run in runs]
        value = pooled.coupling_free_energy(there, temperature=312.0, min_effective=0.0, error=False).value
        errors.append(np.sqrt(coupling_variances(pooled, states, there, temperature=312.0).sum()))
        at_home.append(np.sqrt(coupling_variances(pooled, states).sum()))
        z.append((value - warm.delta_g(there)) / errors[-1])
    assert abs(np.mean(z)) < 3.5 / np.sqrt(len(z))
    assert np.std(z) == pytest.approx(1.0, abs=0.3)
    assert np.mean(errors) > 1.3 * np.mean(at_home)


@pytest.mark.parametrize("state", [0, 1])
def test_part_of_a_state_is_the_scatter_when_it_alone_is_sampled_anew(state: int) -> None:
    rng = np.random.default_rng(7)
    path = (0.0, 1.0)
    runs = LIQUID.sample(EPSILON, rng, lambdas=path, n_frames=500)
    parts, values = [], []
    for _ in range(150):
        runs[state] = LIQUID.sample(EPSILON, rng, lambdas=path, n_frames=500)[state]
        pooled = pool_samples(runs, rng, n_replicates=0, discard_transient=False)
        values.append(pooled.coupling_free_energy(EPSILON, error=False).value)
        parts.append(coupling_variances(pooled, [0, 1])[state])
    assert np.mean(parts) == pytest.approx(np.var(values, ddof=1), rel=0.4)


def test_halves_of_a_run_that_drifts_disagree_and_those_of_a_steady_one_do_not() -> None:
    runs, pooled = sampled(11, n_frames=2000)
    steady = coupling_diagnostics(runs, pooled, fractions=(0.5, 1.0))
    gap = steady.forward[0] - steady.backward[0]
    assert abs(gap) < 4.0 * np.hypot(steady.forward_errors[0], steady.backward_errors[0])
    assert steady.forward[1] == pytest.approx(steady.backward[1])
    assert steady.forward[1] == pytest.approx(pooled.coupling_free_energy(EPSILON).value, abs=1e-6)
    other = LIQUID.sample({**EPSILON, ("A", "W"): 14.0}, np.random.default_rng(3), lambdas=LAMBDAS, n_frames=2000)
    drifting = [_joined(run, late) for run, late in zip(runs, other)]
    found = coupling_diagnostics(
        drifting,
        pool_samples(drifting, np.random.default_rng(1), n_replicates=0, discard_transient=False),
        fractions=(0.5, 1.0),
    )
    gap = found.forward[0] - found.backward[0]
    assert abs(gap) > 6.0 * np.hypot(found.forward_errors[0], found.backward_errors[0])


def _joined(early, late):
    from dataclasses import replace

    from topdown.model.samples import join_frames

    return replace(early, sums=join_frames([early.sums, late.sums]))
