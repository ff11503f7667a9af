"""The Lennard-Jones fluid in reduced units (nm, u, kJ/mol stand for σ, m, ε). Run with ``pytest --validate``."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_systems import bead_table, molecule
from statistical_checks import block_mean, check

from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR

pytestmark = pytest.mark.validate

ATOM = molecule("LJ", "A", masses=[1.0])


def _settings(temperature: float) -> SimulationSettings:
    return SimulationSettings(temperature=temperature / GAS_CONSTANT, time_step=0.005, tau_t=0.5)


def _lattice(n: int, box: np.ndarray, seed: int = 1) -> np.ndarray:
    """``n`` jittered sites of a simple lattice that fills ``box``."""
    spacing = (float(np.prod(box)) / n) ** (1 / 3)
    counts = np.ceil(box / spacing - 1e-9).astype(int)
    axes = [(np.arange(c) + 0.5) * edge / c for c, edge in zip(counts, box)]
    sites = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    return sites[np.sort(rng.permutation(len(sites))[:n])] + rng.uniform(-0.05, 0.05, (n, 3))


def _tail(density: float, cutoff: float) -> tuple[float, float]:
    """Energy per particle and pressure of a uniform fluid beyond the cut-off (Allen and Tildesley, section 2.8)."""
    c3, c9 = cutoff**-3, cutoff**-9
    energy = 8.0 / 3.0 * math.pi * density * (c9 / 3.0 - c3)
    pressure = 16.0 / 3.0 * math.pi * density**2 * (2.0 / 3.0 * c9 - c3)
    return energy, pressure


# -- one phase -----------------------------------------------------------------------------------------------------------

#: ρ*: (U*/N, p*) at T* = 0.85, cut at 3σ with the standard tail correction: NIST Standard Reference Simulation Website,
#: "Lennard-Jones fluid properties", Monte Carlo (doi:10.18434/T4M88Q).
NIST_LIQUID = {
    0.776: (-5.5121, 0.0067714),
    0.780: (-5.5386, 0.047924),
    0.820: (-5.7947, 0.55355),
    0.860: (-6.0305, 1.2660),
}


@pytest.mark.parametrize("density", NIST_LIQUID)
def test_energy_and_pressure_of_the_liquid(density):
    n, cutoff = 864, 3.0
    edge = (n / density) ** (1 / 3)
    system = System(
        table=bead_table([[1.0]], [[1.0]], cutoff=cutoff, lj_modifier="none"),
        components=((ATOM, n),),
        positions=_lattice(n, np.full(3, edge)),
        box=[edge] * 3,
    )
    run = Simulation(system, _settings(0.85), seed=3)
    run.minimize(max_steps=200)
    run.run(10000)
    energies: list[float] = []
    pressures: list[float] = []

    def look(s: Simulation) -> None:
        terms = s.energies()
        energies.append(terms.potential / n)
        pressures.append(float(np.trace(terms.pressure)) / 3.0 / KJ_MOL_NM3_TO_BAR)

    run.run(60000, every=40, observe=look)
    energy, pressure = _tail(density, cutoff)
    expected = NIST_LIQUID[density]
    check(f"LJ rho* {density} U*", block_mean(np.array(energies) + energy), expected[0], limit=0.0, margin=0.010)
    check(f"LJ rho* {density} p*", block_mean(np.array(pressures) + pressure), expected[1], limit=0.0, margin=0.030)


# -- two phases ----------------------------------------------------------------------------------------------------------

#: T*: (γ*, ρ*_liquid) of the fluid cut and shifted at 2.5σ: Vrabec, Kedia, Fuchs and Hasse, Mol. Phys. 104, 1509 (2006),
#: γ* = 2.08 (1 - T*/1.0779)^1.21.
VRABEC = {0.70: (0.585, 0.787), 0.80: (0.403, 0.730), 0.90: (0.235, 0.663)}
EDGE, HEIGHT, THICKNESS = 10.0, 42.0, 19.0


def _slab(density: float) -> System:
    liquid = np.array([EDGE, EDGE, THICKNESS])
    n = round(density * float(np.prod(liquid)))
    positions = _lattice(n, liquid) + np.array([0.0, 0.0, 0.5 * (HEIGHT - THICKNESS)])
    table = bead_table([[1.0]], [[1.0]], cutoff=2.5)
    return System(table=table, components=((ATOM, n),), positions=positions, box=[EDGE, EDGE, HEIGHT])


def _density_inside(z: np.ndarray, half_width: float) -> float:
    """Density within ``half_width`` of the middle of the slab, found as the circular mean of all heights."""
    angle = 2.0 * math.pi * z / HEIGHT
    middle = math.atan2(float(np.sin(angle).mean()), float(np.cos(angle).mean())) * HEIGHT / (2.0 * math.pi)
    distance = z - middle
    distance -= HEIGHT * np.rint(distance / HEIGHT)
    return float((np.abs(distance) < half_width).sum()) / (EDGE * EDGE * 2.0 * half_width)


@pytest.mark.parametrize("temperature", VRABEC)
def test_surface_tension_and_density_of_a_slab(temperature):
    """γ = L_z/2 ⟨P_zz - (P_xx + P_yy)/2⟩ for the two surfaces; 5 % or two standard errors."""
    tension, density = VRABEC[temperature]
    run = Simulation(_slab(density), _settings(temperature), seed=7)
    run.minimize(max_steps=200)
    run.run(40000)
    tensions: list[float] = []
    densities: list[float] = []

    def look(s: Simulation) -> None:
        p = s.energies().pressure / KJ_MOL_NM3_TO_BAR
        tensions.append(0.5 * HEIGHT * float(p[2, 2] - 0.5 * (p[0, 0] + p[1, 1])))
        densities.append(_density_inside(s.positions[:, 2], 4.0))

    run.run(400000, every=20, observe=look)
    check(f"slab T* {temperature} gamma*", block_mean(tensions), tension, limit=2.0, margin=0.05 * tension)
    check(f"slab T* {temperature} rho*_l", block_mean(densities), density, limit=0.0, margin=0.01 * density)
