"""Triangles, braced squares, fused rings and long chains stay within 1e-5 of their lengths at 20 fs, whatever couples."""

from __future__ import annotations

import numpy as np
import pytest
from engine_systems import CHAIN, THREE_TYPES, TRIANGLE, constrained, gate

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SimulationError
from topdown.model import System
from topdown.units import GAS_CONSTANT


def worst_deviation(simulation: Simulation) -> float:
    """Largest relative error of a constrained distance."""
    i, j = simulation.parameters.constraints.pairs.T
    r = np.linalg.norm(simulation.positions[i] - simulation.positions[j], axis=1)
    return float(np.abs(r / simulation.parameters.constraints.lengths - 1.0).max())


def fastest_along(simulation: Simulation) -> float:
    """Largest speed of a constrained pair along its own direction, in units of the thermal speed."""
    i, j = simulation.parameters.constraints.pairs.T
    d = simulation.positions[i] - simulation.positions[j]
    along = (d * (simulation.velocities[i] - simulation.velocities[j])).sum(axis=1) / np.linalg.norm(d, axis=1)
    return float(np.abs(along).max() / np.sqrt(GAS_CONSTANT * 300.0 / 36.0))


@pytest.mark.parametrize(
    ("thermostat", "barostat"),
    [("v-rescale", None), ("v-rescale", "isotropic"), ("v-rescale", "semiisotropic"), ("langevin", "isotropic")],
)
def test_constraints_hold_at_every_step_of_20_fs(thermostat, barostat):
    system = constrained()
    simulation = Simulation(
        system, SimulationSettings(time_step=0.02, thermostat=thermostat, barostat=barostat, pressure=50.0), seed=3
    )
    assert simulation.minimize().converged
    assert worst_deviation(simulation) < 1e-8
    found = []
    simulation.run(600, every=3, observe=lambda s: found.append((worst_deviation(s), fastest_along(s))))
    assert len(found) == 200
    lengths, speeds = np.max(found, axis=0)
    gate(f"constrained lengths, {thermostat} {barostat}, relative", float(lengths), 1e-5)
    gate(f"speed along constraints, {thermostat} {barostat}, thermal units", float(speeds), 1e-5)
    assert np.linalg.norm(simulation.positions - system.positions, axis=1).max() > 0.1, "nothing moved"


def test_starting_velocities_have_the_temperature_on_the_constraints():
    settings = SimulationSettings(temperature=300.0)
    temperatures = []
    for seed in range(60):
        simulation = Simulation(constrained(), settings, seed=seed)
        assert fastest_along(simulation) < 1e-5
        temperatures.append(simulation.temperature)
    degrees = simulation._dynamics.degrees_of_freedom
    assert degrees == 3 * simulation.system().n_beads - len(simulation.parameters.constraints.pairs) - 3
    error = 300.0 * np.sqrt(2.0 / degrees / 60)
    assert abs(np.mean(temperatures) - 300.0) < 3.5 * error


def test_lengths_that_cannot_be_met_are_an_error():
    """A bead on top of its partner leaves no direction to move along."""
    positions = np.array([[1.5, 1.5, 1.5], [1.5, 1.5, 1.5], [1.6, 1.75, 1.5]])
    system = System(table=THREE_TYPES, components=((TRIANGLE, 1),), positions=positions, box=[3.0] * 3)
    with pytest.raises(SimulationError, match="constraints"):
        Simulation(system, SimulationSettings())


def test_stretched_molecules_are_put_on_their_constraints():
    system = constrained()
    simulation = Simulation(system.with_coordinates(system.positions), SimulationSettings())
    rng = np.random.default_rng(1)
    bent = simulation.positions + rng.normal(0, 0.02, simulation.positions.shape)
    again = Simulation(system.with_coordinates(bent), SimulationSettings())
    assert worst_deviation(again) < 1e-8
    assert len(again.parameters.constraints.group_start) == 1 + 2 + 3 + 4 + 5
    assert CHAIN.n_beads - 1 == again.parameters.constraints.group_start[1]
