"""Self-diffusion of Martini 3 water in two boxes. Run with ``pytest --validate``."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from engine_systems import water
from statistical_checks import check

from topdown.engine import Simulation, SimulationSettings
from topdown.properties.diffusion import Trajectory, green_kubo_viscosity, run_diffusion, self_diffusion

pytestmark = pytest.mark.validate

#: Times over which the slope is taken, beyond the first rattling [ps].
LAGS = (5.0, 25.0)


@cache
def path_of(n: int, thermostat: str | None, n_steps: int, stress_every: int = 0) -> Trajectory:
    settled = Simulation(water(n, density=8.26), SimulationSettings(tau_t=0.5), seed=n)
    settled.minimize(max_steps=100)
    settled.run(10_000)
    run = Simulation(settled.system(), SimulationSettings(thermostat=thermostat, tau_t=2.0), seed=2)
    return run_diffusion(run, n_steps, every=20, stress_every=stress_every, temperature=300.0)


def test_two_boxes_agree_once_corrected() -> None:
    """400 and 1,600 W at 300 K: 3.65 and 5.79 nm, with the viscosity of Green and Kubo from the smaller box."""
    small, large = path_of(400, "v-rescale", 250_000, stress_every=4), path_of(1600, "v-rescale", 60_000)
    eta = green_kubo_viscosity(small, longest=10.0)
    print(f"\nviscosity of W, 300 K: {eta.value:.3f} ± {eta.standard_error:.3f} mPa s")
    found = [
        self_diffusion(path, lags=LAGS, viscosity=eta.value, viscosity_error=eta.standard_error)
        for path in (small, large)
    ]
    for result in found:
        assert result.infinite is not None
        print(
            f"L = {result.edge:.2f} nm: D = {result.in_box.value:.3f} ± {result.in_box.standard_error:.3f}, corrected "
            f"{result.infinite.value:.3f} ± {result.infinite.standard_error:.3f} e-9 m2/s"
        )
    one, two = found
    # the error of the viscosity is common to both: only its part in the difference counts
    difference = two.infinite.value - one.infinite.value
    common = abs(two.infinite.value - two.in_box.value - one.infinite.value + one.in_box.value) * (
        eta.standard_error / eta.value
    )
    error = math.sqrt(one.in_box.standard_error**2 + two.in_box.standard_error**2 + common**2)
    check("D of W, large minus small box, corrected", (difference, error), 0.0)
    assert two.in_box.value > one.in_box.value


def test_a_weak_thermostat_leaves_diffusion_alone() -> None:
    with_thermostat = self_diffusion(path_of(400, "v-rescale", 250_000, 4), lags=LAGS).in_box
    # the closed system keeps the energy it starts with: several starts, corrected to first order for their temperature
    closed = [closed_run(seed) for seed in range(4)]
    value, error = float(np.mean(closed)), float(np.std(closed, ddof=1) / 2.0)
    check("D of W, closed system", (value, error), with_thermostat.value, with_thermostat.standard_error)


def closed_run(seed: int) -> float:
    """D of a closed run brought to 300 K by D ∝ exp(-E/kT) with E of 9 kJ/mol, a correction of a percent or less."""
    settled = Simulation(water(400, density=8.26), SimulationSettings(tau_t=0.5), seed=100 + seed)
    settled.minimize(max_steps=100)
    settled.run(8000 + 1000 * seed)
    run = Simulation(settled.system(), SimulationSettings(thermostat=None), seed=1)
    temperatures: list[float] = []
    run.run(4000, every=20, observe=lambda s: temperatures.append(s.temperature))
    mean = float(np.mean(temperatures))
    d = self_diffusion(run_diffusion(run, 60_000, every=20, temperature=mean), lags=LAGS).in_box.value
    return d * math.exp(9.0 / 8.314462618e-3 * (1.0 / mean - 1.0 / 300.0))
