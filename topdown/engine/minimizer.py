"""FIRE minimiser (Bitzek et al. 2006, doi:10.1103/PhysRevLett.97.170201) with a capped displacement per step.

The cap lets it start from overlaps. ``energy_and_forces`` may put the positions it is given onto constraints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Force constant of constraints while they are springs [kJ/mol/nm²].
CONSTRAINT_STIFFNESS = 3.0e4
_LARGEST_MOVE = 0.03
_FIRST_STEP, _LONGEST_STEP = 0.002, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimizationResult:
    """Where a minimisation ended: steps, potential energy [kJ/mol], largest force on a bead [kJ/mol/nm]."""

    n_steps: int
    potential: float
    max_force: float
    converged: bool


def fire(
    positions: Floats,
    energy_and_forces: Callable[[Floats], tuple[float, Floats]],
    *,
    max_steps: int,
    force_tolerance: float,
) -> tuple[Floats, MinimizationResult]:
    """Follow damped dynamics downhill (unit masses of 72 u) until the largest force is below ``force_tolerance``."""
    x = positions.copy()
    v = np.zeros_like(x)
    dt, mixing, uphill_free = _FIRST_STEP, 0.1, 0
    energy, forces = energy_and_forces(x)
    best_x, best_energy = x.copy(), energy
    largest = float(np.sqrt((forces**2).sum(axis=1).max()))
    step = 0
    while step < max_steps and largest > force_tolerance:
        power = float((forces * v).sum())
        if power > 0.0:
            norm = np.linalg.norm(forces)
            v = (1.0 - mixing) * v + mixing * forces * (np.linalg.norm(v) / norm if norm > 0 else 0.0)
            uphill_free += 1
            if uphill_free > 5:
                dt = min(dt * 1.1, _LONGEST_STEP)
                mixing *= 0.99
        else:
            v[:] = 0.0
            dt, mixing, uphill_free = max(dt * 0.5, 1e-5), 0.1, 0
        v += dt / 72.0 * forces
        move = dt * v
        length = np.sqrt((move**2).sum(axis=1))
        too_far = length > _LARGEST_MOVE
        if too_far.any():
            scale = (_LARGEST_MOVE / length[too_far])[:, None]
            move[too_far] *= scale
            v[too_far] *= scale
        x += move
        energy, forces = energy_and_forces(x)
        largest = float(np.sqrt((forces**2).sum(axis=1).max()))
        if energy < best_energy:
            best_x, best_energy = x.copy(), energy
        step += 1
    if not np.isfinite(energy) or energy > best_energy + 1e-9 * abs(best_energy):
        x = best_x
        energy, forces = energy_and_forces(x)
        largest = float(np.sqrt((forces**2).sum(axis=1).max()))
    return x, MinimizationResult(
        n_steps=step, potential=float(energy), max_force=largest, converged=largest <= force_tolerance
    )
