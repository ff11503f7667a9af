"""Virials whose repulsive half is known: taken to another σ they are those of the other σ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_systems import DIMER, THREE_TYPES, W, placed
from small_world import single, small_table

from topdown.engine import Simulation, SimulationSettings
from topdown.estimators.reweighting import pool_samples
from topdown.estimators.size_terms import coefficients, repulsion_of, with_size_terms
from topdown.model.requests import SlabRequest
from topdown.properties import planned_runs
from topdown.properties.planned_runs import windows_of
from topdown.properties.sampler import EngineSampler
from topdown.properties.surface_tension import reweighted_surface_tension
from topdown.sampling.virial_halves import HalvedVirialSimulation

AA = ("A", "A")
RATIOS = {("A", "A"): 0.98, ("A", "B"): 1.05, ("A", "C"): 0.96, ("B", "C"): 1.03}


def test_at_another_sigma_they_are_those_of_the_other_sigma() -> None:
    """The same frame with the table of either σ; molecules of two beads, so that the virial is that of their centres."""
    system = placed(((DIMER, 30), (W, 60)), (3.0, 2.9, 3.1))
    run = HalvedVirialSimulation(system, SimulationSettings(), seed=1)
    run.minimize(max_steps=60)
    here, plain = run.pair_sums(virials=True), Simulation.pair_sums(run, virials=True)
    np.testing.assert_array_equal(here.virials, plain.virials)
    other = replace(run.system(), table=THREE_TYPES.with_scaled_sigma(RATIOS))
    there = HalvedVirialSimulation(other, SimulationSettings(), seed=1).pair_sums(virials=True)
    found = here.with_sigma(RATIOS)
    assert here.virials is not None
    assert found.virials is not None
    assert np.abs(found.virials / here.virials - 1.0).max() > 0.1
    for name in ("sums", "repulsion", "virials", "virial_repulsion", "rest_virial"):
        expected = getattr(there, name)
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
    back = found.with_sigma({pair: 1.0 / ratio for pair, ratio in RATIOS.items()})
    np.testing.assert_allclose(back.virials, here.virials, rtol=1e-9, atol=1e-8 * np.abs(here.virials).max())


def test_without_virials_nothing_is_measured_twice() -> None:
    run = HalvedVirialSimulation(placed(((W, 60),), (3.0, 2.9, 3.1)), SimulationSettings(), seed=1)
    assert run.pair_sums().virial_repulsion is None


def slab(seed: int, ratio: float = 1.0) -> SlabRequest:
    return SlabRequest(
        molecule=replace(single("A"), molar_mass=50.0), n_molecules=250, table=small_table().with_scaled_sigma({AA: ratio}),
        temperature=250.0, width=2.4, height=8.0, n_equilibration=1500, n_steps=120_000, every=20, seed=seed,
        virial_halves=True,
    )  # fmt: skip


def test_slabs_that_keep_halves_are_other_runs() -> None:
    (halves,), (whole,) = windows_of(slab(1)), windows_of(replace(slab(1), virial_halves=False))
    assert halves.key() != whole.key()


@pytest.mark.validate
def test_a_slab_at_another_sigma_by_reweighting_and_by_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """γ at σ 0.4 % larger from runs at the old σ, back again from runs there, and from both pooled."""
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 500)
    ratio, area, rng = 1.004, 2.4**2, np.random.default_rng(1)
    first, second = (EngineSampler(tmp_path, workers=1).sample([slab(k, r)]) for k, r in ((1, 1.0), (2, ratio)))
    old = [with_size_terms(run, [AA], {}) for run in first]
    new = [with_size_terms(run, [AA], {AA: ratio}) for run in second]
    here, there = (dict(zip((AA, repulsion_of(AA)), coefficients(small_table().pair(*AA)[1], r))) for r in (1.0, ratio))
    for runs, theta, direct in ((old, there, second), (new, here, first), (old + new, there, second)):
        by_weights = reweighted_surface_tension(pool_samples(runs, rng), area, theta, min_effective=10.0)
        by_running = reweighted_surface_tension(pool_samples(direct, rng), area, min_effective=10.0)
        print(by_weights.value, by_weights.standard_error, by_weights.n_effective, by_running.value)
        error = float(np.hypot(by_weights.standard_error, by_running.standard_error))
        assert abs(by_weights.value - by_running.value) < 4.0 * error
        assert error < 0.2 * by_running.value
