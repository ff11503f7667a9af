"""A bilayer with cholesterol, constraints and virtual sites, at 20 fs. Run with ``pytest --validate``."""

from __future__ import annotations

import numpy as np
import pytest
from kind_temperatures import constraint_error, degrees_of_freedom, kinetic_temperatures
from statistical_checks import at_most, block_mean, check

from topdown.engine import Simulation, SimulationSettings

pytestmark = pytest.mark.validate


def test_every_kind_of_molecule_has_the_temperature_at_20_fs(reference):
    """88 POPC, 38 cholesterol, water and salt, 310 K, semi-isotropic: temperatures, constraints, and no blow-up in 1 ns."""
    system = reference("popcchol").system
    run = Simulation(system, SimulationSettings(temperature=310.0, barostat="semiisotropic"), seed=11)
    run.minimize(max_steps=50)
    run.run(5000)
    degrees = degrees_of_freedom(run)
    assert sum(degrees.values()) == pytest.approx(3 * (88 * 12 + 38 * 4 + 1791 + 40) - 38 * 3 - 3)
    shares = np.array(list(degrees.values())) / sum(degrees.values())
    temperatures: list[list[float]] = []
    seen_by_thermostat: list[float] = []
    worst: list[float] = []

    def look(s: Simulation) -> None:
        temperatures.append(list(kinetic_temperatures(s, degrees).values()))
        seen_by_thermostat.append(s.temperature)
        worst.append(constraint_error(s))

    run.run(50_000, every=25, observe=look)
    check("temperature of all at mid-step, 20 fs, K", block_mean(seen_by_thermostat), 310.0)
    of_all = np.array(temperatures) @ shares
    for name, values in zip(degrees, np.array(temperatures).T):
        check(f"temperature of {name} less that of all, 20 fs, K", block_mean(values - of_all), 0.0)
    at_most("constrained lengths of cholesterol at 20 fs, relative error", max(worst), 1e-5)
