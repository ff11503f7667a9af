"""The mean atomic pressure is the mean molecular one. Run with ``pytest --validate``.

The engine keeps the molecular pressure, from which bonded and constraint forces drop out. The atomic one is made here from the
atomic virial, the kinetic energy of all beads and the constraint forces, solved for frame by frame in plain linear algebra.
"""

from __future__ import annotations

import numpy as np
import pytest
from engine_systems import CHOLESTEROL, W, constrained, everything, placed
from statistical_checks import block_mean, check

from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.units import KJ_MOL_NM3_TO_BAR

pytestmark = pytest.mark.validate


def sterols() -> System:
    """Rigid frames with charged sites out of their plane, in a thin liquid."""
    return placed(((CHOLESTEROL, 6), (W, 50)), (2.9, 2.9, 2.9), closest=0.36)


def constraint_virial(
    system: System, x: np.ndarray, v: np.ndarray, forces: np.ndarray, masses: np.ndarray
) -> np.ndarray:
    """Diagonal of Ξ of the constraint forces: those that keep d²/dt² |r_ij|² at zero, r·(a_i - a_j) + |v_ij|² = 0."""
    total = np.zeros(3)
    for molecule, start in system.molecules():
        if not molecule.constraints:
            continue
        i, j = (start + np.array([c.atoms for c in molecule.constraints])).T
        r, relative = x[i] - x[j], v[i] - v[j]
        # response of each r·(a_i - a_j) to each multiplier; the force of multiplier m on bead i_m is r_m, on j_m -r_m
        shared = (
            (i[:, None] == i) / masses[i][:, None]
            - (i[:, None] == j) / masses[i][:, None]
            - (j[:, None] == i) / masses[j][:, None]
            + (j[:, None] == j) / masses[j][:, None]
        )
        free = (r * (forces[i] / masses[i, None] - forces[j] / masses[j, None])).sum(axis=1) + (relative**2).sum(axis=1)
        multipliers = np.linalg.solve(shared * (r @ r.T), -free)
        total -= 0.5 * (multipliers[:, None] * r * r).sum(axis=0)
    return total


def pressures(system: System, *, n_steps: int, time_step: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Atomic and molecular pressure along x, y and z of each frame [bar]."""
    run = Simulation(system, SimulationSettings(thermostat="langevin", tau_t=0.5, time_step=time_step), seed=seed)
    run.minimize()
    run.run(5000)
    masses = run.parameters.molecules.masses
    atomic: list[np.ndarray] = []
    molecular: list[np.ndarray] = []

    def look(s: Simulation) -> None:
        terms = s.energies()
        kinetic = 0.5 * (masses[:, None] * s.velocities**2).sum(axis=0)
        virial = np.diag(terms.virial) + constraint_virial(system, s.positions, s.velocities, terms.forces, masses)
        atomic.append(2.0 / s.volume * (kinetic - virial) * KJ_MOL_NM3_TO_BAR)
        molecular.append(np.diag(terms.pressure))

    run.run(n_steps, every=50, observe=look)
    return np.array(atomic), np.array(molecular)


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("charged lipids and ions", everything),
        ("constrained rings and chains, some charged", constrained),
        ("rigid frames with charged virtual sites", sterols),
    ],
)
def test_atomic_and_molecular_pressure_have_the_same_mean(what, make):
    atomic, molecular = pressures(make(), n_steps=300_000, time_step=0.004, seed=4)
    difference = atomic - molecular
    print(f"\n{what}: molecular {molecular.mean():.1f} bar, atomic {atomic.mean():.1f} bar")
    check(f"{what}: atomic minus molecular pressure bar", block_mean(difference.mean(axis=1)), 0.0)
    for d in range(3):
        check(f"{what}: the same along {'xyz'[d]} bar", block_mean(difference[:, d]), 0.0)
