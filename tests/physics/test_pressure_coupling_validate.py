"""Slow: whole runs under every coupling of the box reach the volumes, areas and pressures they are set to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_systems import NO_LENNARD_JONES, W, water

from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR, U_NM3_TO_KG_M3

pytestmark = pytest.mark.validate

KT = 300.0 * GAS_CONSTANT


def agree(what: str, samples: list[float] | np.ndarray, expected: float, own_error: float = 0.0) -> None:
    """Within three standard errors from 20 blocks."""
    values = np.asarray(samples, dtype=float)
    blocks = values[len(values) % 20 :].reshape(20, -1).mean(axis=1)
    error = math.hypot(float(blocks.std(ddof=1)) / math.sqrt(20.0), own_error)
    z = (blocks.mean() - expected) / error
    print(f"\n{what}: {blocks.mean():.5g} ± {error:.2g}, expected {expected:.5g}, z = {z:+.2f}")
    assert abs(z) < 3.0


@pytest.mark.parametrize("kind", ["anisotropic", "semiisotropic", "surface-tension"])
def test_ideal_gas(kind):
    """⟨V⟩ = (N+1) kT/P0 and its variance, whatever the shape does; ⟨A⟩ = (N+1) kT/(P0 L_z - Γ) at fixed height under tension."""
    # nothing holds a shape: it wanders the less the more particles there are
    n, edge, n_steps = (60, 4.0, 200_000) if kind == "surface-tension" else (400, 8.0, 50_000)
    pressure = n * KT / edge**3
    bar = pressure * KJ_MOL_NM3_TO_BAR
    gas = System(
        table=NO_LENNARD_JONES,
        components=((W, n),),
        positions=np.random.default_rng(1).uniform(0, edge, (n, 3)),
        box=[edge] * 3,
    )
    under_tension = {"surface_tension": 0.25 * bar * edge / 20.0, "compressibility_z": 0.0}
    settings = SimulationSettings(
        thermostat="langevin", tau_t=1.0, barostat=kind, pressure=bar, compressibility=1.0 / bar, tau_p=4.0,
        barostat_every=2, list_buffer=2.0, **(under_tension if kind == "surface-tension" else {}),
    )  # fmt: skip
    run = Simulation(gas, settings, seed=4)
    run.run(3000)
    sizes: list[float] = []

    def look(s: Simulation) -> None:
        sizes.append(float(s.box[0] * s.box[1]) if kind == "surface-tension" else s.volume)

    run.run(n_steps, every=40, observe=look)
    mean = (n + 1.0) * KT / (0.75 * pressure * edge if kind == "surface-tension" else pressure)
    agree(f"ideal gas, {kind}: mean", sizes, mean)
    agree(f"ideal gas, {kind}: variance", (np.array(sizes) - mean) ** 2, mean**2 / (n + 1.0))


LIQUIDS = {
    "anisotropic": ({"barostat": "anisotropic"}, (1.0, 1.0, 1.0)),
    "fixed area": ({"barostat": "semiisotropic", "compressibility": 0.0, "compressibility_z": 3e-4}, (None, None, 1.0)),
    "fixed height under tension": (
        {"barostat": "surface-tension", "surface_tension": 3.0, "compressibility_z": 0.0},
        "tension",
    ),
}


@pytest.mark.parametrize("kind", list(LIQUIDS))
def test_every_pressure_component_reaches_its_target(kind):
    """Martini 3 water: 1 bar in each coupled direction, 1 bar - Γ/L_z laterally under tension, the density of GROMACS."""
    changes, target = LIQUIDS[kind]
    run = Simulation(water(400, density=8.26), SimulationSettings(**changes), seed=2)
    run.minimize(max_steps=200)
    run.run(4000)
    height = float(run.box[2])
    if target == "tension":
        lateral = 1.0 - 2.0 * 3.0 * 10.0 / height
        assert lateral < -10.0
        target = (lateral, lateral, None)
    pressures: list[np.ndarray] = []
    densities: list[float] = []

    def look(s: Simulation) -> None:
        pressures.append(np.diag(s.energies().pressure))
        densities.append(400 * 72.0 * U_NM3_TO_KG_M3 / s.volume)

    run.run(25_000, every=50, observe=look)
    measured = np.array(pressures)
    coupled = [d for d in range(3) if target[d] is not None]
    for d in coupled:
        if kind != "fixed height under tension":
            agree(f"{kind}: P_{'xyz'[d] * 2}/bar", measured[:, d], target[d])
    if kind == "fixed height under tension":
        agree(f"{kind}: (P_xx + P_yy)/2 /bar", measured[:, :2].mean(axis=1), target[0])
    if kind == "anisotropic":
        agree(f"{kind}: density", densities, 987.58, 0.14)
