"""Slow physics: ensembles with answers in closed form, and liquids against GROMACS. Run with ``pytest --validate``.

Every comparison is a z-score: errors from blocks, fixed seeds. ``-s`` prints the numbers that ``docs/validation.md`` lists.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from engine_systems import NO_LENNARD_JONES, W, bead_table, constrained, molecule, read_reference_gro, water
from scipy import stats
from scipy.integrate import quad
from statistical_checks import at_most, block_mean, check

from topdown.engine import Simulation, SimulationSettings
from topdown.model import Bond, System
from topdown.tables import load_bead_table, load_molecule
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR, U_NM3_TO_KG_M3

pytestmark = pytest.mark.validate

KT = 300.0 * GAS_CONSTANT


# -- closed forms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thermostat", ["langevin", "v-rescale"])
def test_ideal_gas_volume(thermostat):
    """⟨V⟩ = (N+1) kT/P and variance (N+1) (kT/P)², with the centre of mass held (v-rescale) or not."""
    n, volume = 60, 27.0
    pressure = n * KT / volume
    system = System(
        table=NO_LENNARD_JONES,
        components=((W, n),),
        positions=np.random.default_rng(1).uniform(0, 3, (n, 3)),
        box=[3.0] * 3,
    )
    settings = SimulationSettings(
        time_step=0.02,
        thermostat=thermostat,
        tau_t=1.0,
        barostat="isotropic",
        pressure=pressure * KJ_MOL_NM3_TO_BAR,
        compressibility=1.0 / (pressure * KJ_MOL_NM3_TO_BAR),
        tau_p=4.0,
        barostat_every=2,
        list_buffer=2.0,
    )
    run = Simulation(system, settings, seed=3)
    run.run(5000)
    volumes: list[float] = []
    run.run(800000, every=40, observe=lambda s: volumes.append(s.volume))
    degrees = n + 1
    v = np.array(volumes)
    expected = degrees * KT / pressure
    check(f"ideal gas {thermostat} <V>/nm3", block_mean(v), expected)
    check(f"ideal gas {thermostat} var V", block_mean((v - expected) ** 2), expected**2 / degrees)


def test_oscillator_positions_and_velocities():
    """Diatomic springs in a Langevin bath: ⟨(r - r0)²⟩ from the exact radial weight, velocities Maxwell's."""
    length, k, n = 0.5, 1500.0, 60
    pair = molecule("DIA", "AB", masses=[72.0, 36.0], bonds=(Bond(atoms=(0, 1), length=length, force_constant=k),))
    start = np.random.default_rng(1).uniform(0, 3, (n, 1, 3)) + np.array([[[0, 0, 0], [length, 0, 0]]])
    system = System(table=NO_LENNARD_JONES, components=((pair, n),), positions=start.reshape(-1, 3), box=[3.0] * 3)
    run = Simulation(system, SimulationSettings(thermostat="langevin", tau_t=0.2, time_step=0.01), seed=5)
    run.run(2000)
    stretch: list[np.ndarray] = []
    velocities: list[np.ndarray] = []

    def look(s: Simulation) -> None:
        r = np.linalg.norm(s.positions[::2] - s.positions[1::2], axis=1)
        stretch.append((r - length) ** 2)
        velocities.append(s.velocities[::2].copy())

    run.run(150000, every=50, observe=look)

    def weight(r: float) -> float:
        return r * r * math.exp(-0.5 * k * (r - length) ** 2 / KT)

    mean = quad(lambda r: weight(r) * (r - length) ** 2, 0.1, 0.9)[0] / quad(weight, 0.1, 0.9)[0]
    check("diatomic <(r-r0)^2>/nm2", block_mean(np.mean(stretch, axis=1)), mean)
    v = np.array(velocities)[::4].ravel() / math.sqrt(KT / 72.0)
    # whole-step velocities of a harmonic mode are colder by (ω dt/2)²
    reduced = 72.0 * 36.0 / 108.0
    cold = 1.0 - k / reduced * 0.01**2 / 4.0 * 36.0 / 108.0 / 3.0
    p = stats.kstest(v / math.sqrt(cold), "norm").pvalue
    print(f"\nvelocity distribution: p = {p:.3f}")
    assert p > 0.01


@pytest.mark.parametrize("thermostat", ["v-rescale", "langevin"])
def test_kinetic_energy_distribution_with_constraints(thermostat):
    """Mid-step kinetic energy follows the gamma distribution of the free degrees (3N - constraints - 3)."""
    run = Simulation(constrained(), SimulationSettings(thermostat=thermostat, tau_t=0.2, time_step=0.01), seed=2)
    run.minimize()
    run.run(2000)
    kinetic: list[float] = []
    run.run(120000, every=80, observe=lambda s: kinetic.append(float(s.state.scratch.kinetic[0])))
    n = run.system().n_beads
    degrees = 3 * n - len(run.parameters.constraints.pairs) - (3 if thermostat == "v-rescale" else 0)
    p = stats.kstest(kinetic, stats.gamma(0.5 * degrees, scale=KT).cdf).pvalue
    check(f"{thermostat} <K>/kT", block_mean(np.array(kinetic) / KT), 0.5 * degrees)
    print(f"kinetic distribution {thermostat}: p = {p:.3f}")
    assert p > 0.01


def test_pair_distance_gives_the_second_virial_coefficient():
    """Two beads in a box: the chance to be within r_c is ∫ 4πr² e^{-U/kT} over that of the whole box; hence B2."""
    sigma, epsilon, edge, cutoff = 0.47, 4.0, 2.3, 1.1
    table = bead_table([[epsilon]], [[sigma]])
    bead = molecule("W", "A")
    system = System(table=table, components=((bead, 2),), positions=[[0.5, 0.5, 0.5], [1.5, 1.5, 1.5]], box=[edge] * 3)
    run = Simulation(
        system, SimulationSettings(thermostat="langevin", tau_t=0.3, time_step=0.02, list_buffer=0.9), seed=9
    )
    run.run(1000)
    inside: list[bool] = []

    def look(s: Simulation) -> None:
        d = s.positions[0] - s.positions[1]
        d -= edge * np.rint(d / edge)
        inside.append(bool(d @ d < cutoff**2))

    run.run(4_000_000, every=20, observe=look)

    def energy(r: float) -> float:
        s6 = (sigma / r) ** 6
        c6 = (sigma / cutoff) ** 6
        return 4.0 * epsilon * (s6 * s6 - s6 - c6 * c6 + c6)

    well = quad(lambda r: 4 * math.pi * r * r * math.exp(-energy(r) / KT), 1e-3, cutoff, limit=200)[0]
    ball = 4.0 / 3.0 * math.pi * cutoff**3
    fraction, error = block_mean(np.array(inside, dtype=float))
    # p = well / (V - ball + well), B2 = -(well - ball) / 2
    outside = edge**3 - ball
    b2 = -0.5 * (outside * fraction / (1.0 - fraction) - ball)
    b2_error = 0.5 * outside * error / (1.0 - fraction) ** 2
    check("LJ dimer B2/nm3", (b2, b2_error), -0.5 * (well - ball))


# -- liquids -------------------------------------------------------------------------------------------------------------


def _stored(name: str) -> System:
    positions, box = read_reference_gro(name)
    label = {"w1600": "W", "oco2000": "OCO"}[name]
    m = load_molecule("martini3", label)
    table = load_bead_table("martini3").subset(m.type_names)
    return System(table=table, components=((m, len(positions) // m.n_beads),), positions=positions, box=box)


def _sample(system: System, settings: SimulationSettings, *, settle: int, n_steps: int, every: int = 50, seed: int = 1):
    """Density [kg/m³], potential per molecule [kJ/mol] and molecular pressure tensor [bar] of each frame."""
    run = Simulation(system, settings, seed=seed)
    run.run(settle)
    mass = sum(m.mass * count for m, count in system.components)
    rows: list[tuple[float, float]] = []
    pressures: list[np.ndarray] = []

    def look(s: Simulation) -> None:
        terms = s.energies()
        rows.append((mass * U_NM3_TO_KG_M3 / s.volume, terms.potential / system.n_molecules))
        pressures.append(terms.pressure)

    run.run(n_steps, every=every, observe=look)
    density, energy = np.array(rows).T
    return density, energy, np.array(pressures)


def test_martini3_water_density_energy_and_pressure():
    """GROMACS 2022.5: 987.58 ± 0.14 kg/m³, -24.585 ± 0.005 kJ/mol per bead at 300 K, 1 bar."""
    settings = SimulationSettings(barostat="isotropic")
    density, energy, pressure = _sample(_stored("w1600"), settings, settle=4000, n_steps=60000)
    check("W density kg/m3", block_mean(density), 987.58, 0.14)
    check("W energy kJ/mol", block_mean(energy), -24.585, 0.005)
    check("W pressure bar", block_mean(np.trace(pressure, axis1=1, axis2=2) / 3.0), 1.0)


def test_martini3_octanol_density():
    """GROMACS 2022.5: 1086.43 ± 0.18 kg/m³ at 300 K, 1 bar, bead masses."""
    settings = SimulationSettings(barostat="isotropic")
    density, _, pressure = _sample(_stored("oco2000"), settings, settle=5000, n_steps=18000, every=60)
    check("octanol density kg/m3", block_mean(density), 1086.43, 0.18)
    check("octanol pressure bar", block_mean(np.trace(pressure, axis1=1, axis2=2) / 3.0), 1.0)


def test_semi_isotropic_and_langevin_coupling_give_the_same_liquid():
    """Another ensemble's path to the same density; each pressure component reaches its target."""
    base = {"time_step": 0.02, "pressure": 1.0}
    liquids = {
        "isotropic": SimulationSettings(barostat="isotropic", **base),
        "semiisotropic": SimulationSettings(barostat="semiisotropic", **base),
        "langevin": SimulationSettings(barostat="isotropic", thermostat="langevin", **base),
    }
    found = {}
    for name, settings in liquids.items():
        # a liquid does not hold the shape of its box: coupled in two directions it wanders, so that this run must be short
        n_steps = 30000 if name == "semiisotropic" else 60000
        density, energy, pressure = _sample(water(400, density=8.26), settings, settle=5000, n_steps=n_steps)
        found[name] = (block_mean(density), block_mean(energy))
        for d in range(3):
            check(f"{name} P_{'xyz'[d] * 2} bar", block_mean(pressure[:, d, d]), 1.0, limit=3.5)
    for name in ("semiisotropic", "langevin"):
        for k, what in enumerate(("density kg/m3", "energy kJ/mol")):
            check(f"{name} {what}", found[name][k], *found["isotropic"][k])


def test_constant_volume_pressure_is_the_target_at_the_npt_density():
    """Mid-step velocities and molecular virial at 20 fs, without a barostat to correct them."""
    system = _stored("w1600")
    scale = (system.n_molecules * 72.0 * U_NM3_TO_KG_M3 / 987.58 / float(np.prod(system.box))) ** (1 / 3)
    _, energy, pressure = _sample(
        system.with_coordinates(system.positions * scale, system.box * scale),
        SimulationSettings(),
        settle=4000,
        n_steps=30000,
    )
    # 0.14 kg/m³ are 2.5 bar at the compressibility of this liquid
    check("W pressure at fixed volume bar", block_mean(np.trace(pressure, axis1=1, axis2=2) / 3.0), 1.0, 2.5)
    check("W energy at fixed volume kJ/mol", block_mean(energy), -24.585, 0.006)


@pytest.mark.parametrize(("modifier", "limit"), [("potential-shift", 5e-3), ("force-shift", 1e-3)])
def test_closed_system_drift_at_20_fs(modifier, limit):
    """kT per ns and degree of freedom, 1,600 W for 1.6 ns."""
    stored = _stored("w1600")
    table = replace(stored.table, scheme=replace(stored.table.scheme, lj_modifier=modifier))
    run = Simulation(replace(stored, table=table), SimulationSettings(tau_t=0.5), seed=4)
    run.run(3000)
    run = Simulation(run.system(), SimulationSettings(thermostat=None, remove_com_motion_every=0))
    masses = run.parameters.molecules.masses[:, None]
    times, energies = [], []

    def look(s: Simulation) -> None:
        times.append(s.time)
        kinetic = 0.5 * float((masses * s.velocities**2).sum())
        energies.append((s.energies().potential + kinetic) / (3 * 1600 - 3) / KT)

    run.run(80000, every=100, observe=look)
    slope = float(np.polyfit(times, energies, 1)[0]) * 1000.0
    at_most(f"NVE drift at 20 fs, {modifier}, kT/ns/dof", slope, limit)
