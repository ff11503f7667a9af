"""A surface tension as target: its value and derivative from frames with virials, and its request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_calibration import OIL, problem

from topdown.calibration.problem import SimulatedSystem
from topdown.calibration.targets import SurfaceTensionTarget
from topdown.estimators.reweighting import pool_samples
from topdown.estimators.size_terms import coefficients, repulsion_of, with_size_terms
from topdown.model.requests import SlabRequest
from topdown.model.samples import PairSums, WindowSamples
from topdown.units import BAR_NM_TO_MN_M, GAS_CONSTANT, KJ_MOL_NM3_TO_BAR

AREA = 19.36
TARGET = SurfaceTensionTarget(
    molecule=OIL, area=AREA, system="slab", measured=25.0, uncertainty=0.5, split="calibration", temperature=310.0
)


def slab_samples(n: int = 600) -> WindowSamples:
    rng = np.random.default_rng(6)
    sums = PairSums(
        pairs=(("C", "C"),),
        sums=-200.0 + rng.normal(size=(n, 1)),
        rest_energy=np.zeros(n),
        volume=np.full(n, 250.0),
        virials=rng.normal(size=(n, 1, 3)) + np.array([1.0, 2.0, 9.0]),
        solute_virials=np.zeros((n, 0, 3)),
        rest_virial=rng.normal(size=(n, 3)),
        kinetic=np.zeros((n, 3)),
    )
    return WindowSamples(
        key="k", system="slab", sums=sums, epsilon=(5.0,), temperature=310.0, pressure=None, n_molecules=100
    )


def test_value_and_derivative() -> None:
    run = slab_samples()
    pooled = {"slab": pool_samples([run], np.random.default_rng(1), discard_transient=False)}
    pairs = (("A", "W"), ("C", "C"))
    found = TARGET.calculate(pooled, {("C", "C"): 5.0}, pairs, min_effective=10.0, error=True)
    w = run.sums.virials[:, 0] * 5.0 + run.sums.rest_virial  # type: ignore[index]
    by_hand = np.mean(w[:, 2] - 0.5 * (w[:, 0] + w[:, 1])) / (2 * AREA) * KJ_MOL_NM3_TO_BAR * BAR_NM_TO_MN_M
    assert found.value == pytest.approx(by_hand)
    assert found.legs == (("slab", 1.0, found.standard_error),)
    assert found.gradient[0] == 0.0
    h = 1e-4
    ends = [
        TARGET.calculate(pooled, {("C", "C"): 5.0 + s}, pairs, min_effective=0.0, error=False).value for s in (h, -h)
    ]
    assert found.gradient[1] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)
    assert TARGET.label == "oil surface tension at 310 K"
    assert TARGET.error_scale == 25.0


def sized_samples() -> WindowSamples:
    """Frames with the repulsive halves of energy and virial."""
    run, rng = slab_samples(), np.random.default_rng(7)
    halves = {"repulsion": 150.0 + rng.normal(size=(600, 1)), "virial_repulsion": 20.0 + rng.normal(size=(600, 1, 3))}
    return replace(run, sums=replace(run.sums, solute_repulsion=np.zeros((600, 0, 0)), **halves))


def tension_by_hand(run: WindowSamples, ratio: float) -> float:
    """γ at σ times ``ratio``: every frame's energy and virial written out, and Boltzmann weights."""
    s, r, w, wr = (getattr(run.sums, name)[:, 0] for name in ("sums", "repulsion", "virials", "virial_repulsion"))
    energy = 5.0 * (ratio**12 * r - ratio**6 * (r - s))
    virial = 5.0 * (ratio**12 * wr - ratio**6 * (wr - w)) + run.sums.rest_virial
    weights = np.exp(-(energy - 5.0 * s - np.mean(energy - 5.0 * s)) / (GAS_CONSTANT * 310.0))
    tension = (virial[:, 2] - 0.5 * (virial[:, 0] + virial[:, 1])) / (2 * AREA) * KJ_MOL_NM3_TO_BAR * BAR_NM_TO_MN_M
    return float(np.average(tension, weights=weights))


@pytest.mark.parametrize("ratio", [1.0, 1.004, 0.995])
def test_value_and_derivative_at_another_sigma(ratio: float) -> None:
    run, free = sized_samples(), ("C", "C")
    sized = with_size_terms(run, [free], {})
    pooled = {"slab": pool_samples([sized], np.random.default_rng(1), discard_transient=False)}
    terms = (free, repulsion_of(free))
    found = TARGET.calculate(pooled, dict(zip(terms, coefficients(5.0, ratio))), terms, min_effective=10.0, error=True)
    assert found.value == pytest.approx(tension_by_hand(run, ratio), rel=1e-9)
    h = 1e-5
    slope = np.subtract(coefficients(5.0, ratio + h), coefficients(5.0, ratio - h)) / (2 * h)
    by_hand = (tension_by_hand(run, ratio + h) - tension_by_hand(run, ratio - h)) / (2 * h)
    assert found.gradient @ slope == pytest.approx(by_hand, rel=1e-5)
    assert abs(by_hand) > 1.0
    # a run made there comes back to the σ of the start
    there = replace(run, sums=run.sums.with_sigma({free: ratio}))
    back = with_size_terms(there, [free], {free: ratio})
    np.testing.assert_allclose(back.sums.virials, sized.sums.virials, rtol=1e-10)
    np.testing.assert_allclose(back.sums.sums, sized.sums.sums, rtol=1e-10)
    assert back.epsilon == pytest.approx(coefficients(5.0, ratio))


def test_its_system_is_a_slab_at_its_own_temperature() -> None:
    task = problem({})
    slab = SimulatedSystem(name="slab", liquid=OIL, n_molecules=100, slab=(4.4, 13.9), temperature=310.0)
    sampling = replace(task.sampling, slab_steps=20_000, slab_equilibration=500)
    task = replace(task, targets=(*task.targets, TARGET), systems={**task.systems, "slab": slab}, sampling=sampling)
    request = task.request("slab", {("C", "C"): 5.5}, 0)
    assert isinstance(request, SlabRequest)
    assert (request.width, request.height, request.temperature) == (4.4, 13.9, 310.0)
    assert (request.n_steps, request.n_equilibration) == (20_000, 500)
    assert request.table.pair("C", "C")[1] == 5.5
    assert task.bead_steps(["slab"]) == 100 * OIL.n_beads * 20_500
    assert task.n_windows("slab") == 1
