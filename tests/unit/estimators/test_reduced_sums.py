"""Reduced sums on the harmonic model liquid: the closed form, the full samples they come from, and their own derivatives."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid

from topdown.errors import SettingsError
from topdown.estimators.reduced_sums import QUANTUM, ReducedSums, reduce_sums
from topdown.estimators.reweighting import PooledSamples, pool_samples

LAMBDAS = (0.0, 0.15, 0.4, 1.0)
MODEL = HarmonicLiquid("W", ("A", "B"))
SOLVENT = {("W", "W"): 5.0}
STICKY = {("A", "W"): 6.0, ("B", "W"): 4.0}
WEAK = {("A", "W"): 3.0, ("B", "W"): 1.5}
OUTER = (("A", "W"), ("B", "W"))


@cache
def pooled(seed: int, n_frames: int = 800) -> tuple[PooledSamples, list[int]]:
    rng = np.random.default_rng(seed)
    runs = [
        run for at in (STICKY, WEAK) for run in MODEL.sample({**SOLVENT, **at}, rng, lambdas=LAMBDAS, n_frames=n_frames)
    ]
    labels = [run.lambda_index + 10 * (k // len(LAMBDAS)) for k, run in enumerate(runs)]
    return pool_samples(runs, rng, n_replicates=0), labels


def probes() -> list[dict]:
    return [
        {**SOLVENT, **{pair: s * STICKY[pair] + (1 - s) * WEAK[pair] for pair in OUTER}}
        for s in (-0.1, 0.0, 0.25, 0.5, 0.75, 1.0, 1.1)
    ]


@cache
def reduced(seed: int, n_frames: int = 800) -> tuple[ReducedSums, PooledSamples]:
    samples, labels = pooled(seed, n_frames)
    return reduce_sums(samples, labels, OUTER, probes()), samples


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_they_give_what_the_full_samples_give(share: float) -> None:
    sums, samples = reduced(1)
    theta = {pair: share * STICKY[pair] + (1 - share) * WEAK[pair] for pair in OUTER}
    found = sums.coupling(np.array([theta[pair] for pair in OUTER]))
    full = samples.coupling_free_energy(theta, min_effective=1.0, error=False)
    assert found.value == pytest.approx(full.value, abs=0.02)
    assert found.gradient == pytest.approx([full.gradient_of(pair) for pair in OUTER], rel=0.01)


def test_frames_without_weight_anywhere_are_dropped() -> None:
    samples, labels = pooled(1)
    strong = {**SOLVENT, ("A", "W"): 40.0, ("B", "W"): 30.0}
    kept = reduce_sums(samples, labels, OUTER, [strong])
    assert len(kept.offsets) < samples.n_frames
    at = np.array([40.0, 30.0])
    full = samples.coupling_free_energy(strong, min_effective=1.0, error=False)
    assert kept.coupling(at).value == pytest.approx(full.value, abs=0.05)


def test_numbers_of_frames_are_whole_steps() -> None:
    """Files take a quarter less room for it."""
    sums, _ = reduced(1)
    steps = sums.offsets / QUANTUM
    np.testing.assert_array_equal(steps, np.rint(steps))


def test_the_closed_form_within_the_error_they_state() -> None:
    theta = {("A", "W"): 4.2, ("B", "W"): 2.2}
    z = []
    for seed in range(12):
        found = reduced(seed, 500)[0].coupling(np.array([4.2, 2.2]))
        z.append((found.value - MODEL.delta_g({**SOLVENT, **theta})) / found.standard_error)
    assert abs(np.mean(z)) * np.sqrt(len(z)) < 3.5
    assert 0.4 < np.sqrt(np.mean(np.square(z))) < 1.6


def test_gradient_is_that_of_the_value_and_many_are_one_by_one() -> None:
    """Exponents are added up in single precision, in an order that differs between one and many."""
    sums, _ = reduced(3)
    points = np.array([[4.0, 2.0], [5.0, 3.5]])
    values, gradients, effective = sums.couplings(points)
    for k, point in enumerate(points):
        alone = sums.coupling(point)
        assert alone.value == pytest.approx(values[k], abs=1e-6)
        assert alone.n_effective == pytest.approx(effective[k])
        for p in range(2):
            step = np.eye(2)[p] * 0.02
            slope = (sums.coupling(point + step).value - sums.coupling(point - step).value) / 0.04
            assert gradients[k, p] == pytest.approx(slope, rel=2e-3)


def test_far_away_few_samples_are_left() -> None:
    sums, _ = reduced(4)
    inside = sums.coupling(np.array([4.5, 2.5])).n_effective
    assert sums.coupling(np.array([30.0, 20.0])).n_effective < 0.2 * inside


def test_what_does_not_fit_is_refused() -> None:
    sums, _ = reduced(5, 200)
    with pytest.raises(SettingsError, match="2 ε are needed"):
        sums.coupling(np.zeros(3))
    with pytest.raises(SettingsError, match="must have shape"):
        replace(sums, inefficiency=sums.inefficiency[:-1])
    samples, labels = pooled(5, 200)
    with pytest.raises(SettingsError, match="both solute and solvent"):
        reduce_sums(samples, labels, [("A", "W"), ("W", "A")], probes())
