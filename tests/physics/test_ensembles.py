"""Ensembles judged by the package physical_validation (Merz and Shirts, PLoS ONE 13, e0202764, 2018).

Kinetic energies against their distribution, equipartition inside constrained molecules, and the ratio of the distributions of two
state points, which depends on nothing but the ensemble. Run with ``pytest --validate``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from engine_systems import constrained, water

from topdown.engine import Simulation, SimulationSettings
from topdown.units import GAS_CONSTANT

pv = pytest.importorskip("physical_validation", reason="physical_validation is not installed")

pytestmark = pytest.mark.validate

THERMOSTATS = ("v-rescale", "langevin")
#: [K], both above the melting point of W, 340 K at 1 bar: below it a box at 150 bar froze after 3.5 ns.
LOW, HIGH = 360.0, 375.0
UNITS = pv.data.UnitData(
    kb=GAS_CONSTANT,
    energy_conversion=1.0,
    length_conversion=1.0,
    volume_conversion=1.0,
    temperature_conversion=1.0,
    pressure_conversion=1.0,
    time_conversion=1.0,
    energy_str="kJ/mol",
    length_str="nm",
    volume_str="nm^3",
    temperature_str="K",
    pressure_str="bar",
    time_str="ps",
)
N = 400


@cache
def water_at(thermostat: str, temperature: float, pressure: float | None):
    """Kinetic and potential energy and volume of 400 W, 6 ns; coupled fast, which the averages must not mind.

    At the density of a given volume both temperatures are above freezing.
    """
    settings = SimulationSettings(
        thermostat=thermostat,
        temperature=temperature,
        tau_t=0.5,
        barostat=None if pressure is None else "isotropic",
        pressure=0.0 if pressure is None else pressure,
        tau_p=1.0,
    )
    run = Simulation(
        water(N, density=7.8), settings, seed=int(temperature) + (0 if pressure is None else int(pressure))
    )
    run.minimize(max_steps=100)
    run.run(10000)
    rows: list[tuple[float, float, float]] = []

    def look(s: Simulation) -> None:
        terms = s.energies()
        rows.append((terms.kinetic, terms.potential, s.volume))

    run.run(300_000, every=50, observe=look)
    kinetic, potential, volume = np.array(rows).T
    if pressure is None:
        ensemble = pv.data.EnsembleData("NVT", natoms=N, volume=float(volume[0]), temperature=temperature)
    else:
        ensemble = pv.data.EnsembleData("NPT", natoms=N, pressure=pressure, temperature=temperature)
    return pv.data.SimulationData(
        units=UNITS,
        dt=1.0,
        system=pv.data.SystemData(
            natoms=N, nconstraints=0, ndof_reduction_tra=0 if thermostat == "langevin" else 3, ndof_reduction_rot=0
        ),
        ensemble=ensemble,
        observables=pv.data.ObservableData(
            kinetic_energy=kinetic, potential_energy=potential, total_energy=kinetic + potential, volume=volume
        ),
    )


def within_three(what: str, quantiles: list[float]) -> None:
    print(f"\n{what}: {', '.join(f'{q:.2f}' for q in quantiles)} standard errors from the expected slope")
    assert max(abs(q) for q in quantiles) <= 3.0


@pytest.mark.parametrize("thermostat", THERMOSTATS)
@pytest.mark.parametrize("pressure", [None, 1.0])
def test_kinetic_energy_follows_its_distribution(thermostat, pressure):
    p = pv.kinetic_energy.distribution(water_at(thermostat, LOW, pressure), strict=True, verbosity=0)
    print(
        f"\nkinetic energy, {thermostat}, {'constant volume' if pressure is None else 'constant pressure'}: p = {p:.3f}"
    )
    assert p >= 0.01


@pytest.mark.parametrize("thermostat", THERMOSTATS)
def test_energies_at_two_temperatures_and_one_volume(thermostat):
    low, high = (water_at(thermostat, t, None) for t in (LOW, HIGH))
    within_three(
        f"NVT, {thermostat}, {LOW:g} and {HIGH:g} K", pv.ensemble.check(low, high, verbosity=0, bootstrap_seed=1)
    )


@pytest.mark.parametrize("thermostat", THERMOSTATS)
def test_volumes_at_two_pressures(thermostat):
    low, high = (water_at(thermostat, LOW, p) for p in (1.0, 150.0))
    within_three(f"NPT, {thermostat}, 1 and 150 bar", pv.ensemble.check(low, high, verbosity=0, bootstrap_seed=1))


@pytest.mark.parametrize("thermostat", THERMOSTATS)
def test_energies_and_volumes_at_two_temperatures_and_pressures(thermostat):
    low, high = water_at(thermostat, LOW, 1.0), water_at(thermostat, HIGH, 150.0)
    within_three(
        f"NPT, {thermostat}, {LOW:g} K and 1 bar, {HIGH:g} K and 150 bar",
        pv.ensemble.check(low, high, verbosity=0, bootstrap_seed=1),
    )


def test_equipartition_in_constrained_molecules():
    """Translation, rotation and internal motion of every kind of molecule, each against its own distribution.

    Velocities at whole steps are colder by (ω dt/2)², so that the step is short.
    """
    system = constrained()
    run = Simulation(system, SimulationSettings(thermostat="langevin", tau_t=0.1, time_step=0.004), seed=6)
    run.minimize()
    run.run(5000)
    positions: list[np.ndarray] = []
    velocities: list[np.ndarray] = []

    def look(s: Simulation) -> None:
        positions.append(s.positions.copy())
        velocities.append(s.velocities.copy())

    run.run(200_000, every=100, observe=look)
    molecules = [(m, start) for m, start in system.molecules()]
    n_constraints = [len(m.constraints) for m, _ in molecules]
    data = pv.data.SimulationData(
        units=UNITS,
        dt=0.4,
        system=pv.data.SystemData(
            natoms=system.n_beads,
            nconstraints=sum(n_constraints),
            ndof_reduction_tra=0,
            ndof_reduction_rot=0,
            mass=np.array([b.mass for m, _ in molecules for b in m.beads]),
            molecule_idx=np.array([start for _, start in molecules]),
            nconstraints_per_molecule=np.array(n_constraints),
        ),
        ensemble=pv.data.EnsembleData("NVT", natoms=system.n_beads, volume=run.volume, temperature=300.0),
        trajectory=pv.data.TrajectoryData(position=np.array(positions), velocity=np.array(velocities)),
    )
    names = sorted({m.name for m, _ in molecules if m.n_beads > 1})
    groups = [[k for k, (m, _) in enumerate(molecules) if m.name == name] for name in names]
    values = pv.kinetic_energy.equipartition(data, strict=True, molec_groups=groups, verbosity=0)
    print(f"\nequipartition, all and {', '.join(names)}: p = {', '.join(f'{p:.3f}' for p in values)}")
    # the smallest of so many p values: one in a hundred runs may fall below by chance
    assert min(values) >= 0.01 / len(values)
