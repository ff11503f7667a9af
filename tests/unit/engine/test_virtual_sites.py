"""Virtual sites in a run: always in their places, without motion of their own, and no burden on frames that are rigid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import STEROL, W, gate, rare, sterols

from topdown.engine import Simulation, SimulationSettings, place_virtual_sites, potential_energy, reference
from topdown.units import GAS_CONSTANT

N_SITES = len(STEROL.virtual_sites)


def out_of_place(simulation: Simulation) -> float:
    """Largest distance of a site from where its construction puts it [nm]."""
    placed = reference.place_sites(np.array(simulation.positions), simulation.parameters.bonded.sites)
    return float(np.abs(placed - simulation.positions).max())


def worst_deviation(simulation: Simulation) -> float:
    i, j = simulation.parameters.constraints.pairs.T
    r = np.linalg.norm(simulation.positions[i] - simulation.positions[j], axis=1)
    return float(np.abs(r / simulation.parameters.constraints.lengths - 1.0).max())


@pytest.mark.parametrize(
    ("thermostat", "barostat"), [("v-rescale", None), ("v-rescale", "semiisotropic"), ("langevin", "isotropic")]
)
def test_sites_and_constraints_hold_at_every_step(thermostat, barostat):
    """At 10 fs: this frame carries more sites, on longer levers, than any real sterol, and half of its runs fail at 20 fs."""
    system = sterols()
    settings = SimulationSettings(time_step=0.01, thermostat=thermostat, barostat=barostat, pressure=50.0)
    run = Simulation(system, settings, seed=4)
    run.minimize()
    assert out_of_place(run) < 1e-12
    massless = run.parameters.molecules.masses == 0.0
    assert np.count_nonzero(massless) == 5 * N_SITES
    found = []

    def look(s: Simulation) -> None:
        found.append((worst_deviation(s), out_of_place(s)))
        assert np.all(s.velocities[massless] == 0.0)
        assert np.all(s.state.forces[massless] == 0.0)

    run.run(600, every=3, observe=look)
    lengths, places = np.max(found, axis=0)
    gate(f"constrained lengths of frames with sites, {thermostat} {barostat}, relative", float(lengths), 1e-5)
    gate(f"sites out of place, {thermostat} {barostat}, nm", float(places), 1e-12)
    assert np.linalg.norm(run.positions - system.positions, axis=1)[massless].max() > 0.1, "nothing moved"


def test_degrees_of_freedom_are_those_of_beads_with_mass():
    run = Simulation(sterols(), SimulationSettings())
    n_constraints = 5 * 3
    assert run._dynamics.degrees_of_freedom == 3 * (5 * 4 + 40) - n_constraints - 3
    langevin = Simulation(sterols(), SimulationSettings(thermostat="langevin"))
    assert langevin._dynamics.degrees_of_freedom == 3 * (5 * 4 + 40) - n_constraints


def test_starting_velocities_have_the_temperature():
    temperatures = []
    for seed in range(60):
        run = Simulation(sterols(), SimulationSettings(temperature=300.0), seed=seed)
        temperatures.append(run.temperature)
    degrees = run._dynamics.degrees_of_freedom
    assert abs(np.mean(temperatures) - 300.0) < 3.5 * 300.0 * np.sqrt(2.0 / degrees / 60)
    masses = run.parameters.molecules.masses
    momentum = (masses[:, None] * run.velocities).sum(axis=0)
    assert np.abs(momentum).max() < 1e-9 * np.sqrt(masses.sum() * GAS_CONSTANT * 300.0)


def test_stored_velocities_of_sites_are_dropped():
    system = sterols()
    velocities = np.random.default_rng(1).normal(0.0, 0.1, system.positions.shape)
    run = Simulation(replace(system, velocities=velocities), SimulationSettings(thermostat=None))
    massless = run.parameters.molecules.masses == 0.0
    assert np.all(run.velocities[massless] == 0.0)
    np.testing.assert_array_equal(run.velocities[-40:], velocities[-40:])


def test_a_minimisation_takes_the_sites_along():
    run = Simulation(rare(2), SimulationSettings())
    before = run.energies().potential
    result = run.minimize(max_steps=3000)
    assert result.potential < before
    assert out_of_place(run) < 1e-12
    massless = run.parameters.molecules.masses == 0.0
    assert np.all(run.energies().forces[massless] == 0.0)


def test_where_the_sites_of_a_system_are_stored_does_not_matter():
    system = sterols(3)
    massless = np.array([b.mass == 0.0 for m, count in system.components for _ in range(count) for b in m.beads])
    rng = np.random.default_rng(2)
    spoilt = system.positions + np.where(massless, 1.0, 0.0)[:, None] * rng.normal(0.0, 0.1, system.positions.shape)
    good, bad = potential_energy(system), potential_energy(system.with_coordinates(spoilt))
    assert bad.potential == pytest.approx(good.potential, rel=1e-12)
    np.testing.assert_allclose(bad.forces, good.forces, atol=1e-9 * np.abs(good.forces).max())
    np.testing.assert_allclose(
        place_virtual_sites(system.with_coordinates(spoilt)).positions, system.positions, atol=1e-12
    )


def test_a_system_without_sites_is_handed_back():
    water = replace(sterols(), components=((W, 5),), positions=np.eye(5, 3))
    assert place_virtual_sites(water) is water
