"""Self-diffusion: displacements against plain sums, walks and stresses of known constants, runs that are refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from engine_systems import everything, water
from scipy.signal import lfilter

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SamplingError, SettingsError
from topdown.properties.diffusion import (
    Trajectory,
    green_kubo_viscosity,
    mean_squared_displacement,
    run_diffusion,
    self_diffusion,
    yeh_hummer_correction,
)
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR


def trajectory(centers: np.ndarray, stress: np.ndarray | None = None, interval: float = 0.5) -> Trajectory:
    return Trajectory(
        centers=centers,
        masses=np.full(centers.shape[1], 72.0),
        interval=interval,
        box=np.full(3, 4.0),
        temperature=300.0,
        shear_stress=np.zeros((0, 3)) if stress is None else stress,
        stress_interval=0.1,
    )


def walk(diffusion: float, n_frames: int, n: int, interval: float = 0.5, seed: int = 3) -> np.ndarray:
    """Brownian paths of ``diffusion`` [10⁻⁹ m²/s]."""
    step = math.sqrt(2.0 * diffusion * 1e-3 * interval)
    return np.cumsum(np.random.default_rng(seed).normal(0.0, step, (n_frames, n, 3)), axis=0)


def test_displacements_are_the_plain_averages() -> None:
    x = walk(2.0, 57, 4) + 100.0
    found = mean_squared_displacement(x, 20)
    for lag in range(20):
        plain = ((x[lag:] - x[: len(x) - lag]) ** 2).sum(axis=2).mean(axis=0)
        np.testing.assert_allclose(found[lag], plain, rtol=1e-9, atol=1e-10)


def test_a_walk_gives_its_constant_whatever_the_drift() -> None:
    n_frames = 4000
    paths = walk(2.3, n_frames, 50)
    drift = np.arange(n_frames)[:, None, None] * np.array([0.1, -0.2, 0.3])
    result = self_diffusion(trajectory(paths + drift), lags=(2.0, 20.0))
    assert abs(result.in_box.value - 2.3) < 3.5 * result.in_box.standard_error + 2.3 / 50
    assert 0.005 < result.in_box.standard_error < 0.1
    assert result.infinite is None


def test_a_free_langevin_particle_diffuses_by_einsteins_relation() -> None:
    """Velocities of Ornstein and Uhlenbeck, friction time τ: D = kT τ/m, square displacement 6 D [t - τ (1 - exp(-t/τ))]."""
    rng = np.random.default_rng(5)
    tau, mass, temperature, step, n_frames, n = 0.5, 72.0, 300.0, 0.05, 20_000, 30
    spread = math.sqrt(GAS_CONSTANT * temperature / mass)
    keep = math.exp(-step / tau)
    noise = rng.normal(0.0, spread * math.sqrt(1.0 - keep**2), (n_frames, n, 3))
    velocity = lfilter([1.0], [1.0, -keep], noise, axis=0)
    frames = np.cumsum(0.5 * step * (velocity[1:] + velocity[:-1]), axis=0)
    path = trajectory(frames, interval=step)
    # kT in J, m in kg, τ in s
    by_hand = 1.380649e-23 * temperature * tau * 1e-12 / (mass * 1.66053907e-27) * 1e9
    late = self_diffusion(path, lags=(10.0, 40.0))
    assert abs(late.in_box.value - by_hand) < 3.5 * late.in_box.standard_error + by_hand / n
    assert late.exponent == pytest.approx(math.log(39.5 / 9.5) / math.log(4.0), abs=0.03)
    early = self_diffusion(path, lags=(0.05, 0.1))
    ballistic = [t - tau * (1.0 - math.exp(-t / tau)) for t in (0.05, 0.1)]
    assert early.exponent == pytest.approx(math.log(ballistic[1] / ballistic[0]) / math.log(2.0), abs=0.02)
    assert early.exponent > 1.8, "nothing diffuses before it has met friction"


def test_correction_for_the_box_adds_to_value_and_error() -> None:
    """For water's 0.9 mPa s and 4 nm at 300 K the correction is 1.73e-10 m²/s (k_B in J/K, by hand)."""
    by_hand = 2.837297 * 1.380649e-23 * 300.0 / (6.0 * math.pi * 0.9e-3 * 4e-9) * 1e9
    assert yeh_hummer_correction(np.full(3, 4.0), 300.0, 0.9) == pytest.approx(by_hand, rel=1e-6)
    path = trajectory(walk(2.3, 4000, 20))
    result = self_diffusion(path, lags=(2.0, 20.0), viscosity=0.9, viscosity_error=0.09)
    assert result.infinite is not None
    assert result.infinite.value - result.in_box.value == pytest.approx(by_hand, rel=1e-6)
    assert result.infinite.standard_error == pytest.approx(math.hypot(result.in_box.standard_error, 0.1 * by_hand))


def test_viscosity_of_a_stress_of_known_correlation() -> None:
    """⟨P(0)P(t)⟩ = s² exp(-t/τ) integrates to s² τ."""
    n, tau, s = 200_000, 1.5, 40.0
    keep = math.exp(-0.1 / tau)
    noise = np.random.default_rng(8).normal(0.0, s * math.sqrt(1 - keep**2), (n, 3))
    stress = np.zeros((n, 3))
    for k in range(1, n):
        stress[k] = keep * stress[k - 1] + noise[k]
    found = green_kubo_viscosity(trajectory(walk(1.0, 10, 2), stress), longest=12.0)
    internal = 4.0**3 / (300.0 * GAS_CONSTANT) * (s / KJ_MOL_NM3_TO_BAR) ** 2 * tau
    expected = internal * 1e3 / 6.02214076e23 / 1e-27 * 1e-12 * 1e3
    assert abs(found.value - expected) < 3.5 * found.standard_error
    assert found.standard_error < 0.06 * expected


def test_viscosity_is_the_trapezium_over_plain_correlations() -> None:
    stress = np.random.default_rng(4).normal(0.0, 30.0, (500, 3))
    found = green_kubo_viscosity(trajectory(walk(1.0, 10, 2), stress), longest=0.3)
    blocks = stress.reshape(10, 50, 3) / KJ_MOL_NM3_TO_BAR
    c = [(blocks[:, lag:] * blocks[:, : 50 - lag]).mean() for lag in range(4)]
    integral = 0.1 * (0.5 * c[0] + c[1] + c[2] + 0.5 * c[3])
    factor = 4.0**3 / (300.0 * GAS_CONSTANT) / 6.02214076e23 / 1e-27 * 1e-12 * 1e6
    assert found.value == pytest.approx(integral * factor, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"thermostat": "langevin"}, "friction"),
        ({"tau_t": 0.1}, "disturbs"),
        ({"barostat": "isotropic"}, "constant volume"),
    ],
)
def test_runs_that_are_not_newtons_are_refused(changes: dict[str, object], words: str) -> None:
    run = Simulation(water(400), replace(SimulationSettings(), **changes))
    with pytest.raises(SettingsError, match=words):
        run_diffusion(run, 100, every=10)


def test_recorded_centres_are_those_of_whole_molecules_never_wrapped() -> None:
    system = everything()
    run = Simulation(system, SimulationSettings(time_step=0.005), seed=3)
    run.minimize()
    run.run(7)
    path = run_diffusion(run, 300, every=20, stress_every=10)
    assert path.centers.shape == (15, system.n_molecules, 3)
    assert path.shear_stress.shape == (30, 3)
    assert run.step == 320
    for k, (molecule, start) in enumerate(run.system().molecules()):
        beads = slice(start, start + molecule.n_beads)
        centre = np.average(run.positions[beads], axis=0, weights=[b.mass for b in molecule.beads])
        np.testing.assert_allclose(path.centers[-1, k], centre, atol=1e-12)
    np.testing.assert_allclose(path.shear_stress[-1], run.energies().pressure[[0, 0, 1], [1, 2, 2]])


def test_what_cannot_be_computed_is_refused() -> None:
    path = trajectory(walk(1.0, 400, 5))
    with pytest.raises(SamplingError, match="need a run"):
        self_diffusion(path, lags=(2.0, 50.0))
    with pytest.raises(SettingsError, match="no two frames"):
        self_diffusion(path, lags=(0.6, 0.7))
    with pytest.raises(SamplingError, match="do not give a viscosity"):
        green_kubo_viscosity(path, longest=1.0)
    with pytest.raises(SettingsError, match="cubic"):
        yeh_hummer_correction(np.array([4.0, 4.0, 8.0]), 300.0, 1.0)
    with pytest.raises(SettingsError, match="set temperature"):
        run_diffusion(Simulation(water(400), SimulationSettings(thermostat=None)), 100, every=10)
