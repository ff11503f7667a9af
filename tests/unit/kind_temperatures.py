"""Kinetic temperature of every kind of molecule, free of the leading error of the time step.

A mode of frequency ω under leap-frog is canonical in a shadow energy: its velocities at whole steps are colder by (ω dt)²/6,
those at mid-steps, which the thermostat sees, hotter by (ω dt)²/12. Two thirds of the mid-step and one third of the whole-step
kinetic energy are right to fourth order (Eastwood et al., J. Chem. Theory Comput. 6, 2045, 2010).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from topdown.engine import Simulation
from topdown.engine.constraints import constrain_velocities
from topdown.units import GAS_CONSTANT


def mid_step_velocities(run: Simulation) -> np.ndarray:
    """The last half kick taken back."""
    p, state = run.parameters, run.state
    kick = 0.5 * run.settings.time_step * state.forces * p.molecules.inverse_masses[:, None]
    if len(p.constraints.pairs):
        assert constrain_velocities(kick, state.positions, p.constraints, p.molecules.inverse_masses)
    return state.velocities - kick


def degrees_of_freedom(run: Simulation) -> dict[str, float]:
    """Degrees of freedom of each kind of molecule: beads with mass, less constraints and its share of the held centre of mass."""
    system, held = run.system(), 3.0 if run.settings.removes_com_motion else 0.0
    total = sum(m.mass * count for m, count in system.components)
    degrees: dict[str, float] = {}
    for molecule, count in system.components:
        heavy = sum(bead.mass > 0 for bead in molecule.beads)
        own = count * (3.0 * heavy - len(molecule.constraints)) - held * molecule.mass * count / total
        degrees[molecule.name] = degrees.get(molecule.name, 0.0) + own
    return degrees


def kinetic_temperatures(run: Simulation, degrees: Mapping[str, float]) -> dict[str, float]:
    """Temperature [K] of each kind of molecule."""
    middle, whole = ((v**2).sum(axis=1) for v in (mid_step_velocities(run), run.velocities))
    energy = run.parameters.molecules.masses * (middle / 3.0 + whole / 6.0)
    found, start = dict.fromkeys(degrees, 0.0), 0
    for molecule, count in run.system().components:
        stop = start + molecule.n_beads * count
        found[molecule.name] += float(energy[start:stop].sum())
        start = stop
    return {name: 2.0 * value / (degrees[name] * GAS_CONSTANT) for name, value in found.items()}


def constraint_error(run: Simulation) -> float:
    """Largest relative deviation of a constrained length."""
    constraints = run.parameters.constraints
    i, j = constraints.pairs[:, 0], constraints.pairs[:, 1]
    length = np.linalg.norm(run.positions[i] - run.positions[j], axis=1)
    return float(np.abs(length / constraints.lengths - 1.0).max())
