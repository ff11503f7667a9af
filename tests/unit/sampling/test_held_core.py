"""A path whose soft core has another radius than σ: forces and energy against the sums, and free energies from pooled runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_systems import DIMER, THREE_TYPES, W, placed
from small_world import single, small_table

from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.errors import SettingsError
from topdown.estimators.reweighting import pool_samples
from topdown.estimators.size_terms import coefficients, repulsion_of, with_size_terms
from topdown.model import PairSums
from topdown.model.requests import CouplingRequest, InsertionRequest, LiquidRequest
from topdown.properties import planned_runs
from topdown.properties.sampler import EngineSampler
from topdown.sampling.held_core import HeldCoreSimulation

PATH = (0.0, 0.3, 1.0)
RATIOS = {("A", "A"): 0.98, ("A", "B"): 1.05, ("A", "C"): 0.96, ("B", "C"): 1.03}


def held(index: int) -> HeldCoreSimulation:
    system = placed(((DIMER, 1), (W, 40)), (3.0, 2.9, 3.1), table=THREE_TYPES.with_scaled_sigma(RATIOS))
    coupling = Coupling(lambdas=PATH, index=index)
    run = HeldCoreSimulation(system, SimulationSettings(time_step=0.005), coupling=coupling, core=THREE_TYPES, seed=1)
    run.minimize(max_steps=60)
    run.run(20)
    return run


def energy(sums: PairSums, state: int) -> float:
    lj = sum(s * THREE_TYPES.pair(*p)[1] for p, s in zip(sums.pairs, sums.sums[0]))
    lj += sum(s * THREE_TYPES.pair(*p)[1] for p, s in zip(sums.solute_pairs, sums.solute_sums[0, state]))
    return float(lj + sums.rest_energy[0])


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_energy_of_the_run_is_that_of_its_sums(index: int) -> None:
    """Kernels with C6, C12 and radius apart, against sums at σ₀ taken to σ."""
    run = held(index)
    assert energy(run.pair_sums(), index) == pytest.approx(run.energies().potential, rel=1e-9)


def test_the_radius_is_that_of_the_other_table_and_nothing_else() -> None:
    """Against the system's own path at the same place: ends alike, and between them the path written out."""
    run = held(1)
    plain = Simulation(run.system(), SimulationSettings(), coupling=Coupling(lambdas=PATH, index=1))
    found, own = run.pair_sums(), plain.pair_sums()
    np.testing.assert_allclose(found.sums, own.sums, rtol=1e-9)
    np.testing.assert_allclose(found.solute_sums[:, [0, 2]], own.solute_sums[:, [0, 2]], rtol=1e-9)
    assert np.abs(found.solute_sums[:, 1] / own.solute_sums[:, 1] - 1.0).max() > 1e-3
    x, box, lam, cutoff = run.positions, run.box, PATH[1], run.parameters.pair.cutoff
    for k, (a, b) in enumerate(found.solute_pairs):
        bead = DIMER.type_names.index(b if b != "A" else a)
        d = x[bead] - x[2:]
        d -= box * np.rint(d / box)
        r6 = (d**2).sum(axis=1) ** 3
        sigma6, core6 = (table.pair(a, b)[0] ** 6 for table in (run.system().table, THREE_TYPES))
        soft = 0.5 * (1.0 - lam) * core6
        u, far = sigma6 / (soft + r6[r6 < cutoff**6]), sigma6 / (soft + cutoff**6)
        expected = 4.0 * lam * ((u**2 - u) - (far**2 - far)).sum()
        assert found.solute_sums[0, 1, k] == pytest.approx(expected, rel=1e-9)


def test_what_holds_dispersion_and_repulsion_together_is_refused() -> None:
    with pytest.raises(SettingsError, match="another σ"):
        held(2).pair_sums(virials=True)
    flat = replace(THREE_TYPES, sigma=np.zeros((3, 3)))
    system = placed(((DIMER, 1), (W, 10)), (3.0, 2.9, 3.1))
    with pytest.raises(SettingsError, match="without a radius"):
        HeldCoreSimulation(system, SimulationSettings(), coupling=Coupling(lambdas=PATH, index=1), core=flat, seed=1)


START = small_table(1.6)
MOVED = {("A", "B"): 1.08, ("A", "A"): 1.002}


def request(seed: int, *, moved: bool, core: bool) -> CouplingRequest:
    table = START.with_scaled_sigma(MOVED) if moved else START
    return CouplingRequest(
        solute=single("B"), solvent=single("A"), n_solvent=64, table=table, temperature=285.0, pressure=1.0,
        lambdas=(0.0, 0.15, 0.4, 0.7, 1.0), n_equilibration=400, n_steps=20_000, every=20, seed=seed,
        core=START if core else None,
    )  # fmt: skip


@pytest.mark.validate
def test_runs_at_two_sigmas_are_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ΔG at the new σ by reweighting runs at the old one, by runs there with their own radius, and by both on one path."""
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 1500)
    sampler, free = EngineSampler(tmp_path, workers=1), tuple(MOVED)
    first, own, second = (
        sampler.sample([request(seed, moved=moved, core=core)])
        for seed, moved, core in ((1, False, False), (2, True, False), (3, True, True))
    )
    there = {}
    for pair, ratio in MOVED.items():
        there[pair], there[repulsion_of(pair)] = coefficients(START.pair(*pair)[1], ratio)
    rng = np.random.default_rng(1)
    direct = pool_samples(own, rng).coupling_free_energy(min_effective=10.0)
    old = [with_size_terms(run, free, {}) for run in first]
    both = [*old, *(with_size_terms(run, free, MOVED) for run in second)]
    before = pool_samples(old, rng).coupling_free_energy(min_effective=10.0)
    for runs in (old, both):
        found = pool_samples(runs, rng).coupling_free_energy(there, min_effective=10.0)
        error = float(np.hypot(found.standard_error, direct.standard_error))
        assert abs(found.value - direct.value) < 3.5 * error
        assert abs(before.value - direct.value) > 3.5 * error, "the change is seen"


def test_the_radius_is_part_of_a_runs_name(tmp_path: Path) -> None:
    sampler = EngineSampler(tmp_path)
    keys = [
        {w.key() for w in planned_runs.windows_of(r)}
        for r in (
            request(1, moved=True, core=False),
            request(1, moved=True, core=True),
            replace(request(1, moved=True, core=True), core=START.with_epsilon({("A", "B"): 9.0})),
        )
    ]
    assert keys[0].isdisjoint(keys[1])
    assert keys[1] == keys[2], "ε of that table does not count"
    frames = LiquidRequest(
        molecule=single("A"), n_molecules=64, table=START, temperature=285.0, pressure=1.0, n_equilibration=0,
        n_steps=100, every=10, seed=1, keep_positions=True,
    )  # fmt: skip
    with pytest.raises(SettingsError, match="path of their own table"):
        InsertionRequest(coupling=request(1, moved=True, core=True), solvent=(frames,))
    assert sampler.missing([frames]) == 1
