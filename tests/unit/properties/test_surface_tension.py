"""γ from virials is the engine's pressure tensor, test areas agree with it, and both reweight as a model with known γ does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import dimer, single, small_table

import topdown.properties.planned_runs as planned_runs
import topdown.properties.sampler as sampler_module
from topdown.building.liquid import build_mixture
from topdown.building.slab import build_slab
from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reweighting import pool_samples
from topdown.model import PairSums, WindowSamples
from topdown.model.requests import SlabRequest
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import find_phase, pure_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.surface_tension import (
    area_energies,
    fit_profile,
    free_changes,
    linear_test_area,
    measure_surface_tension,
    reweighted_surface_tension,
    reweighted_test_area,
    slab_request,
    tension_of_frames,
)
from topdown.sampling.liquid_runs import TEST_AREA, TEST_AREA_SCALINGS
from topdown.tables import load_bead_table
from topdown.units import BAR_NM_TO_MN_M, KJ_MOL_NM3_TO_BAR, kt

PER_AREA = KJ_MOL_NM3_TO_BAR * BAR_NM_TO_MN_M
AREA, BASE, SLOPE, N_MODES = 20.0, 30.0, 6.0, 24
PAIR = ("A", "A")


def test_tension_is_that_of_the_engines_pressure_tensor() -> None:
    """One frame of charged dimers on springs and single beads, far from isotropic; the kinetic part taken off both."""
    liquid = build_mixture(((dimer(0.5), 70), (single("A"), 40)), small_table(), rng=np.random.default_rng(3))
    slab = build_slab(liquid, width=2.2, height=8.0)
    simulation = Simulation(slab, SimulationSettings(thermostat="langevin", temperature=300.0), seed=2)
    simulation.minimize(max_steps=50)
    simulation.run(40)
    sums = simulation.pair_sums(virials=True, scalings=TEST_AREA_SCALINGS)
    epsilon = np.array([slab.table.pair(*pair)[1] for pair in sums.pairs])
    assert len(sums.pairs) == 3
    found = tension_of_frames(sums, epsilon, 2.2**2)[0]
    pressure = np.diag(simulation.energies().pressure)
    kinetic = 2.0 * np.asarray(sums.kinetic)[0] / np.prod(slab.box) * KJ_MOL_NM3_TO_BAR
    bare = pressure - kinetic
    expected = 0.5 * slab.box[2] * (bare[2] - 0.5 * (bare[0] + bare[1])) * BAR_NM_TO_MN_M
    assert abs(expected) > 5.0
    assert found == pytest.approx(expected, rel=1e-9)
    change, delta = area_energies(sums, epsilon)
    assert delta == pytest.approx(TEST_AREA)
    central = (change[0, 0] - change[0, 1]) / (4.0 * 2.2**2 * delta) * PER_AREA
    assert central == pytest.approx(found, rel=0.02), "of one frame, but for pairs that cross the cut-off"


def model_slab(epsilon: float, seed: int, n_frames: int = 4000, temperature: float = 300.0) -> WindowSamples:
    """Modes of energy ε x²/2 whose virial anisotropy is BASE + SLOPE Σx²/2: γ = (ε BASE + SLOPE n kT/2)/2A exactly."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_frames, N_MODES)) * np.sqrt(kt(temperature) / epsilon)
    s = 0.5 * (x**2).sum(axis=1)
    w = BASE + SLOPE * s
    virials = np.zeros((n_frames, 1, 3))
    virials[:, 0, 2], virials[:, 0, 0] = 0.5 * w, -0.6 * w
    virials[:, 0, 1] = -0.4 * w
    sums = PairSums(
        pairs=(PAIR,), sums=s[:, None], rest_energy=np.zeros(n_frames), volume=np.full(n_frames, 100.0),
        virials=virials, solute_virials=np.zeros((n_frames, 0, 3)), rest_virial=np.zeros((n_frames, 3)),
        kinetic=np.zeros((n_frames, 3)), scalings=np.array(TEST_AREA_SCALINGS),
        scaled_sums=s[:, None, None] + TEST_AREA * w[:, None, None] * np.array([1.0, -1.0])[None, :, None],
        scaled_solute_sums=np.zeros((n_frames, 2, 0)), scaled_solute_coulomb=np.zeros((n_frames, 2)),
        scaled_rest_energy=np.zeros((n_frames, 2)),
    )  # fmt: skip
    return WindowSamples(
        key=str(seed), system="model", sums=sums, epsilon=(epsilon,), temperature=temperature, pressure=None,
        n_molecules=100,
    )  # fmt: skip


def exact(epsilon: float, temperature: float = 300.0) -> float:
    return (epsilon * BASE + SLOPE * N_MODES * 0.5 * kt(temperature)) / (2 * AREA) * PER_AREA


def test_both_methods_give_the_tension_of_the_model() -> None:
    window = model_slab(4.0, 1)
    epsilon = np.array(window.epsilon)
    tension = tension_of_frames(window.sums, epsilon, AREA)
    assert tension.mean() == pytest.approx(exact(4.0), abs=4 * tension.std() / 60)
    change, delta = area_energies(window.sums, epsilon)
    free = free_changes(change, kt(300.0))
    by_area = linear_test_area(change, delta, AREA, kt(300.0), free)
    assert by_area.mean() == pytest.approx((free[0] - free[1]) / (4 * AREA * delta) * PER_AREA, rel=1e-12)
    assert by_area.mean() == pytest.approx(tension.mean(), rel=1e-3)


def test_reweighting_has_the_explicit_term() -> None:
    """∂γ/∂ε = BASE/2A: of the explicit term and the covariance each alone would be wrong by SLOPE n kT/2ε."""
    pooled = pool_samples([model_slab(4.0, 1), model_slab(4.0, 2)], np.random.default_rng(1), n_replicates=30)
    for epsilon in (4.0, 4.3):
        theta = {PAIR: epsilon}
        found = reweighted_surface_tension(pooled, AREA, theta)
        assert found.value == pytest.approx(exact(epsilon), abs=4 * found.standard_error)
        assert found.standard_error < 0.3
        slope, error = found.gradient_of(PAIR), float(found.gradient_error[0])
        assert slope == pytest.approx(BASE / (2 * AREA) * PER_AREA, abs=4 * error)
        h = 1e-4
        high, low = (reweighted_surface_tension(pooled, AREA, {PAIR: epsilon + d}, error=False).value for d in (h, -h))
        assert slope == pytest.approx((high - low) / (2 * h), rel=1e-5)
        by_area = reweighted_test_area(pooled, AREA, theta)
        assert by_area.value == pytest.approx(found.value, rel=2e-3)
        assert by_area.standard_error == pytest.approx(found.standard_error, rel=0.2)
    warmer = reweighted_surface_tension(pooled, AREA, temperature=315.0)
    assert warmer.value == pytest.approx(exact(4.0, 315.0), abs=4 * warmer.standard_error)
    assert exact(4.0, 315.0) - exact(4.0) > 2 * warmer.standard_error
    warm_area = reweighted_test_area(pooled, AREA, temperature=315.0)
    assert warm_area.value == pytest.approx(warmer.value, rel=2e-3)
    with pytest.raises(SamplingError, match="effective samples"):
        reweighted_surface_tension(pooled, AREA, {PAIR: 12.0})


def test_samples_without_virials_or_test_areas_are_refused() -> None:
    sums = model_slab(4.0, 1, n_frames=5).sums
    bare = PairSums(pairs=sums.pairs, sums=sums.sums, rest_energy=sums.rest_energy, volume=sums.volume)
    with pytest.raises(SettingsError, match="no virials"):
        tension_of_frames(bare, np.array([4.0]), AREA)
    with pytest.raises(SettingsError, match="no test areas"):
        area_energies(bare, np.array([4.0]))
    with pytest.raises(SettingsError, match="δ and -δ"):
        area_energies(replace(sums, scalings=np.array([[1.1, 1.0, 0.9], [1.0, 1.0, 1.0]])), np.array([4.0]))


def test_profile_is_recovered() -> None:
    edges = np.linspace(-7.0, 7.0, 141)
    z = 0.5 * (edges[1:] + edges[:-1])
    rng = np.random.default_rng(5)
    true = 0.5 * (800 + 6) - 0.5 * (800 - 6) * np.tanh(2 * (np.abs(z) - 2.3) / 0.9)
    blocks = true + rng.normal(0.0, 8.0, (24, 140))
    fit = fit_profile(edges, blocks)
    for found, expected in ((fit.liquid, 800), (fit.vapour, 6), (fit.half_thickness, 2.3), (fit.width, 0.9)):
        assert found.value == pytest.approx(expected, abs=4.5 * found.standard_error)
        assert 0 < found.standard_error < 0.02 * 800
    assert fit.liquid.standard_error == pytest.approx(8.0 / np.sqrt(24 * 10), rel=0.8), "ten bins are inside"
    shoulder = true + 15.0 * np.exp(-(((np.abs(z) - 1.7) / 0.2) ** 2))
    assert fit_profile(edges, np.array([shoulder, shoulder])).liquid.value == pytest.approx(800, abs=1.5)
    wide = 0.5 * (800 + 60) - 0.5 * (800 - 60) * np.tanh(2 * (np.abs(z) - 2.3) / 2.0)
    no_plateau = fit_profile(edges, np.array([wide, wide]))
    assert no_plateau.liquid.value == pytest.approx(800, rel=0.01)
    assert no_plateau.width.value == pytest.approx(2.0, rel=0.02)


def test_a_slab_from_request_to_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine, briefly: both methods agree within the error of their difference, parts continue, nothing is rerun."""
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 500)
    molecule = replace(single("A"), molar_mass=50.0)
    request = SlabRequest(
        molecule=molecule, n_molecules=250, table=small_table(), temperature=250.0, width=2.4, height=8.0,
        n_equilibration=1500, n_steps=5000, every=20, seed=2,
    )  # fmt: skip
    requests = [request, replace(request, part=1)]
    sampler = EngineSampler(tmp_path, workers=1)
    windows = sampler.sample(requests)
    records = [sampler.record(r) for r in requests]
    assert np.array_equal(records[0]["box"], [2.4, 2.4, 8.0])
    assert records[0]["profile"].shape == (1, 1, 80)
    phase = pure_phase("A", MoleculeModel(molecule=molecule, origin=""))
    result = measure_surface_tension(phase, request, [windows], [records], frame_every=20)
    assert 4.0 < result.pressure_tensor.value < 25.0
    assert abs(result.difference.value) < 3.5 * result.difference.standard_error + 0.02
    assert result.difference.standard_error < 0.1 * result.pressure_tensor.standard_error
    total = result.profile.density.sum() * (result.profile.heights[1] - result.profile.heights[0]) * 2.4**2
    assert total == pytest.approx(250 * 50.0 * 1.66054, rel=1e-6)
    assert result.profile.vapour.value < 0.1 * result.profile.liquid.value
    assert any("they may feel each other" in remark for remark in result.remarks) == (
        2 * result.profile.half_thickness.value - result.profile.width.value < 2.5 * 0.75
    )
    monkeypatch.setattr(sampler_module, "run_window", lambda task: pytest.fail("ran again"))
    again = EngineSampler(tmp_path, workers=1).sample(requests)
    np.testing.assert_array_equal(again[1].sums.sums, windows[1].sums.sums)


def test_slab_of_a_liquid() -> None:
    table = load_bead_table("martini3")
    request = slab_request(find_phase("HD", "martini3"), table, temperature=300.0, seed=1, run=0, part=0)
    assert request.width >= max(4 * 1.1, 8 * 0.47)
    assert request.height == pytest.approx(3 * 4.2 * 1.1)
    beads = 4 * request.n_molecules
    assert beads == pytest.approx(request.width**2 * 4.62 / 0.121, rel=0.01)
    other = slab_request(find_phase("HD", "martini3"), table, temperature=300.0, seed=1, run=1, part=0)
    assert (other.n_molecules, other.system) == (request.n_molecules, request.system), "runs of one slab pool"
    assert other.seed != request.seed
