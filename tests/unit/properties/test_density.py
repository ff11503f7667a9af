"""Densities from molecules per volume and real molar masses, energies of vaporisation, and reweighting of both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reweighting import pool_samples
from topdown.model import Bead, CGMolecule, WindowSamples
from topdown.properties.density import (
    box_mass,
    gas_request,
    liquid_request,
    measure_density,
    reweighted_density,
    run_seed,
)
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import Phase, PhaseComponent, find_phase, pure_phase
from topdown.tables import load_bead_table
from topdown.units import KJ_MOL_NM3_TO_BAR, kt

MODEL = HarmonicLiquid("W", v_0=12.0, kappa=10.0)
EPSILON = {("W", "W"): 4.0}


def exact_density(mass: float, epsilon: dict[tuple[str, str], float], pressure: float) -> float:
    """⟨mass/V⟩ [kg/m³] over the model's normal distribution of V."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    volume = MODEL.mean_volume(epsilon, pressure) + np.sqrt(kt(MODEL.temperature) / MODEL.kappa) * nodes
    return float(mass * 1.66053906717 * (weights / volume).sum() / weights.sum())


def molecule(molar_mass: float = 72.06, name: str = "W") -> CGMolecule:
    return CGMolecule(name=name, beads=(Bead(name="W", bead_type="W", mass=99.0),), molar_mass=molar_mass)


def phase(n_real: int = 1) -> Phase:
    return pure_phase("water", MoleculeModel(molecule=molecule(), origin="test", n_real=n_real))


def run(seed: int, n_frames: int = 2000, temperature: float = 300.0) -> WindowSamples:
    model = replace(MODEL, temperature=temperature)
    (window,) = model.sample(EPSILON, np.random.default_rng(seed), n_frames=n_frames, pressure=1.0)
    return replace(window, temperature=temperature)


def test_density_counts_real_masses() -> None:
    """100 molecules of 72.06 g/mol in 11.9 nm³; the mass of the bead, 99 u, must not matter."""
    runs = [[run(1), run(2)], [run(3)]]
    result = measure_density(phase(4), ((molecule(), 100),), runs, temperature=300.0, pressure=1.0)
    volume = MODEL.mean_volume(EPSILON, 1.0)
    expected = exact_density(7206.0, EPSILON, 1.0)
    assert result.density.value == pytest.approx(expected, abs=4 * result.density.standard_error)
    spread = expected / volume * np.sqrt(kt(300.0) / MODEL.kappa)
    assert result.density.standard_error == pytest.approx(spread / np.sqrt(6000), rel=0.5)
    assert result.molar_volume.value == pytest.approx(volume * 602.214 / 400, rel=1e-3)
    assert result.energy.value * 100 == pytest.approx(12 * kt(300.0) + 4.0 * volume + 0.5 * kt(300.0), rel=0.01)
    assert result.vaporization_enthalpy is None
    assert len(result.runs) == 2
    assert result.experiment is None
    assert result.z_score is None


def test_vaporisation_enthalpy() -> None:
    """⟨U⟩ alone - ⟨U⟩/N + RT - pV/N with the energies of the model known."""
    alone = replace(run(9, 400), sums=replace(run(9, 400).sums, sums=np.zeros((400, 1)), rest_energy=np.full(400, 3.0)))
    result = measure_density(phase(), ((molecule(), 100),), [[run(1)]], temperature=300.0, pressure=50.0, gas=alone)
    volume = MODEL.mean_volume(EPSILON, 1.0)
    found = result.vaporization_enthalpy
    assert found is not None
    expected = 3.0 - result.energy.value + kt(300.0) - 50.0 / KJ_MOL_NM3_TO_BAR * volume / 100
    assert found.value == pytest.approx(expected, rel=1e-3)
    assert found.standard_error == pytest.approx(result.energy.standard_error)


def test_mixtures_and_what_evaporates_alone() -> None:
    table = load_bead_table("martini3")
    assert gas_request(find_phase("W", "martini3"), table, temperature=300.0, seed=1) is None, "four waters in a bead"
    assert gas_request(find_phase("octanol", "martini3"), table, temperature=300.0, seed=1) is None
    alone = gas_request(find_phase("HD", "martini3"), table, temperature=300.0, seed=1)
    assert alone is not None
    assert alone.system == "HD alone"
    wet = find_phase("octanol", "martini3")
    request = liquid_request(wet, table, temperature=300.0, pressure=1.0, seed=1, run=0, part=2)
    assert request.part == 2
    assert [m.name for m, _ in request.components] == ["OCO", "W"]
    n_octanol, n_water = (n for _, n in request.components)
    assert box_mass(request.components) == pytest.approx(n_octanol * 130.231 + n_water * 72.06)
    result = measure_density(wet, request.components, [[run(1)]], temperature=300.0, pressure=1.0)
    volume = MODEL.mean_volume(EPSILON, 1.0)
    assert result.molar_volume.value == pytest.approx(volume * 602.214 / (n_octanol + 4 * n_water), rel=1e-3)


def test_seeds_and_refusals() -> None:
    assert run_seed(5, 0) == 5
    assert len({run_seed(5, k) for k in range(4)} | {run_seed(6, k) for k in range(4)}) == 8
    table = load_bead_table("martini3")
    nameless = Phase(name="x", components=(PhaseComponent(model=MoleculeModel(molecule=molecule(0.0), origin="")),))
    with pytest.raises(SettingsError, match="molar mass of model W is not known"):
        liquid_request(nameless, table, temperature=300.0, pressure=1.0, seed=1, run=0, part=0)
    with pytest.raises(SettingsError, match=r"net charge of \+1"):
        liquid_request(
            find_phase("model:NA", "martini3"), table, temperature=300.0, pressure=1.0, seed=1, run=0, part=0
        )


def test_reweighting_in_epsilon_pressure_and_temperature() -> None:
    """The volume of the model is known at any state; the gradient is that of the reweighted value."""
    pooled = pool_samples([run(1, 4000), run(2, 4000)], np.random.default_rng(1), n_replicates=30)
    plain = reweighted_density(pooled, 7206.0)
    for theta, pressure in (({("W", "W"): 4.4}, 1.0), (EPSILON, 9.0)):
        found = reweighted_density(pooled, 7206.0, theta, pressure=pressure)
        expected = exact_density(7206.0, theta, pressure)
        assert found.value == pytest.approx(expected, abs=3.5 * found.standard_error)
        assert abs(plain.value - expected) > 5 * plain.standard_error, "the test can tell"
    h = 1e-4
    high, low = (reweighted_density(pooled, 7206.0, {("W", "W"): 4.1 + d}, error=False).value for d in (h, -h))
    slope = reweighted_density(pooled, 7206.0, {("W", "W"): 4.1}, error=False).gradient_of(("W", "W"))
    assert slope == pytest.approx((high - low) / (2 * h), rel=1e-5)


def test_averages_at_another_temperature() -> None:
    """⟨S⟩ = n kT/2ε + ⟨V⟩ at 310 K from frames at 300 K, and the gradient with the β of 310 K."""
    pooled = pool_samples([run(1, 4000), run(2, 4000)], np.random.default_rng(1), n_replicates=20)
    found = pooled.average(lambda sums: sums.sums[:, 0], temperature=310.0)
    expected = 12 * kt(310.0) / 4.0 + MODEL.mean_volume(EPSILON, 1.0)
    assert found.value == pytest.approx(expected, abs=4 * found.standard_error)
    assert abs(found.value - (12 * kt(300.0) / 4.0 + MODEL.mean_volume(EPSILON, 1.0))) > 3 * found.standard_error
    h = 1e-4
    high, low = (
        pooled.average(lambda sums: sums.sums[:, 0], {("W", "W"): 4.0 + d}, temperature=310.0, error=False).value
        for d in (h, -h)
    )
    assert found.gradient_of(("W", "W")) == pytest.approx((high - low) / (2 * h), rel=1e-4)


def test_reweighting_refuses_what_samples_do_not_support() -> None:
    pooled = pool_samples([run(1, 400)], np.random.default_rng(1), n_replicates=5)
    with pytest.raises(SamplingError, match="effective samples"):
        reweighted_density(pooled, 7206.0, {("W", "W"): 9.0})
    with pytest.raises(SamplingError, match="effective samples"):
        reweighted_density(pooled, 7206.0, temperature=600.0)
    with pytest.raises(SettingsError, match="temperature must be positive"):
        reweighted_density(pooled, 7206.0, temperature=0.0)
    closed = pool_samples([replace(run(1, 400), pressure=None)], np.random.default_rng(1), n_replicates=5)
    with pytest.raises(SettingsError, match="constant volume"):
        reweighted_density(closed, 7206.0, pressure=1.0)
