"""Averages of liquids and of a bilayer against long GROMACS 2022.5 runs of the same systems. Run with ``pytest --validate``.

GROMACS: 20 fs, v-rescale, stochastic cell rescaling at 1 bar; its errors are from blocks of 10 ns (hexadecane) and of 24 ns
(POPC). These runs are shorter; ``docs/validation.md`` has the long ones.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from topdown.engine import Simulation, SimulationSettings
from topdown.estimators.time_series import block_average
from topdown.model import System
from topdown.units import U_NM3_TO_KG_M3

pytestmark = pytest.mark.validate

#: Standard deviation of the mean area per lipid [nm²] and height [nm] over 2 ns of this bilayer, from a run of 24 ns: far longer
#: than the blocks that fit a short run, whose scatter would pretend more.
POPC_2NS = (0.0065, 0.086)


def _series(system: System, settings: SimulationSettings, *, settle: int, n_steps: int) -> np.ndarray:
    """Box edges, potential energy and mean pressure of every 100th step, (n, 5)."""
    run = Simulation(system, settings, seed=11)
    run.run(settle)
    rows: list[tuple[float, ...]] = []

    def look(s: Simulation) -> None:
        terms = s.energies()
        rows.append((*s.box, terms.potential, float(np.trace(terms.pressure)) / 3.0))

    run.run(n_steps, every=100, observe=look)
    return np.array(rows)


def _check(what: str, value: float, error: float, expected: float, own_error: float) -> None:
    z = (value - expected) / math.hypot(error, own_error)
    print(f"\n{what}: {value:.6g} ± {error:.2g}, GROMACS {expected:.6g} ± {own_error:.2g}, z = {z:+.2f}")
    assert abs(z) < 3.0


def test_hexadecane_density_and_energy(reference):
    """1,000 molecules, 300 K, 1 bar; density by bead masses."""
    system = reference("hd1000").system
    rows = _series(system, SimulationSettings(barostat="isotropic"), settle=8000, n_steps=60_000)
    mass = sum(m.mass * count for m, count in system.components) * U_NM3_TO_KG_M3
    density, energy = block_average(mass / rows[:, :3].prod(axis=1)), block_average(rows[:, 3])
    _check("hexadecane density kg/m3", density.mean, density.standard_error, 1018.66, 0.19)
    _check("hexadecane energy kJ/mol", energy.mean, energy.standard_error, -55_995.0, 15.0)


def test_popc_area_per_lipid_and_height(reference):
    """128 POPC, water and salt, 310 K, semi-isotropic."""
    system = reference("popc128").system
    settings = SimulationSettings(temperature=310.0, barostat="semiisotropic")
    rows = _series(system, settings, settle=20_000, n_steps=100_000)
    area, height = rows[:, 0] * rows[:, 1] / 64.0, rows[:, 2]
    _check("POPC area per lipid nm2", float(area.mean()), POPC_2NS[0], 0.6647, 0.0010)
    _check("POPC box height nm", float(height.mean()), POPC_2NS[1], 8.705, 0.013)
    # the volume does not wander as the shape does
    volume = block_average(rows[:, :3].prod(axis=1))
    _check("POPC volume nm3", volume.mean, volume.standard_error, 370.35, 0.05)
