"""Stochastic cell rescaling (Bernetti & Bussi 2020, doi:10.1063/5.0020514), moving whole molecules by their centres of mass.

With the molecular pressure tensor constraints and bonded terms drop out, and constrained molecules stay constrained. In the
variable ε = ln V the volume-dependent noise leaves no drift of its own, so the update is a plain Euler step.
"""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._jit import kernel

NO_BAROSTAT, ISOTROPIC, SEMI_ISOTROPIC = 0, 1, 2
#: Largest drift of ln V (or of ln area, ln height) in one application; only a box far from equilibrium meets it. The noise is
#: never bounded: that would narrow the fluctuations of small boxes.
LARGEST_STEP = 0.05


@kernel
def _center(values: Any, masses: Any, first: int, last: int, total: float, d: int) -> float:
    s = 0.0
    for i in range(first, last):
        s += masses[i] * values[i, d]
    return s / total


@kernel
def kinetic_tensor(v: Any, molecules: Any, kinetic: Any) -> None:
    """``kinetic`` (3, 3) = 1/2 Σ_molecules M V ⊗ V of the centre-of-mass velocities [kJ/mol]."""
    kinetic[:, :] = 0.0
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        total = molecules.molecule_masses[n]
        vx = _center(v, molecules.masses, first, last, total, 0)
        vy = _center(v, molecules.masses, first, last, total, 1)
        vz = _center(v, molecules.masses, first, last, total, 2)
        half = 0.5 * total
        kinetic[0, 0] += half * vx * vx
        kinetic[1, 1] += half * vy * vy
        kinetic[2, 2] += half * vz * vz
        kinetic[0, 1] += half * vx * vy
        kinetic[0, 2] += half * vx * vz
        kinetic[1, 2] += half * vy * vz
    kinetic[1, 0], kinetic[2, 0], kinetic[2, 1] = kinetic[0, 1], kinetic[0, 2], kinetic[1, 2]


@kernel
def molecular_virial(x: Any, forces: Any, molecules: Any, virial: Any, result: Any) -> None:
    """Turn the atomic virial into the molecular one: Ξ_mol = Ξ + 1/2 Σ (r_i - R_mol(i)) ⊗ f_i; molecules whole."""
    result[:, :] = virial
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        if last - first == 1:
            continue
        total = molecules.molecule_masses[n]
        for a in range(3):
            center = _center(x, molecules.masses, first, last, total, a)
            for i in range(first, last):
                arm = 0.5 * (x[i, a] - center)
                result[a, 0] += arm * forces[i, 0]
                result[a, 1] += arm * forces[i, 1]
                result[a, 2] += arm * forces[i, 2]


@kernel
def pressure_tensor(
    x: Any, forces: Any, box: Any, molecules: Any, molecular_kinetic: Any, virial: Any, pressure: Any
) -> None:
    """``pressure`` (3, 3) = 2/V (K_mol - Ξ_mol) [kJ/mol/nm³]."""
    molecular_virial(x, forces, molecules, virial, pressure)
    factor = 2.0 / (box[0] * box[1] * box[2])
    for a in range(3):
        for b in range(3):
            pressure[a, b] = factor * (molecular_kinetic[a, b] - pressure[a, b])


@kernel
def _bounded(change: float) -> float:
    return min(LARGEST_STEP, max(-LARGEST_STEP, change))


@kernel
def apply_barostat(
    x: Any, v: Any, box: Any, molecules: Any, neighbor_list: Any, settings: Any, pressure: Any, rng: Any
) -> None:
    """One update of the box, of the molecules' centres and of their velocities."""
    volume = box[0] * box[1] * box[2]
    dt = settings.time_step * settings.barostat_every
    if settings.barostat == ISOTROPIC:
        mean = (pressure[0, 0] + pressure[1, 1] + pressure[2, 2]) / 3.0
        mobility = settings.compressibility_xy * dt / settings.tau_p
        noise = math.sqrt(2.0 * settings.kt * mobility / volume) * rng.standard_normal()
        change = _bounded(mobility * (mean - settings.pressure_xy)) + noise
        xy = z = math.exp(change / 3.0)
    else:
        lateral = 0.5 * (pressure[0, 0] + pressure[1, 1])
        mobility = settings.compressibility_xy * dt / (3.0 * settings.tau_p)
        noise = math.sqrt(4.0 * settings.kt * mobility / volume) * rng.standard_normal()
        area = _bounded(2.0 * mobility * (lateral - settings.pressure_xy)) + noise
        mobility = settings.compressibility_z * dt / (3.0 * settings.tau_p)
        noise = math.sqrt(2.0 * settings.kt * mobility / volume) * rng.standard_normal()
        height = _bounded(mobility * (pressure[2, 2] - settings.pressure_z)) + noise
        xy, z = math.exp(0.5 * area), math.exp(height)
    scale_molecules(x, v, molecules, xy, z)
    for d in range(3):
        factor = z if d == 2 else xy
        box[d] *= factor
        for i in range(x.shape[0]):
            neighbor_list.reference[i, d] *= factor
    neighbor_list.radius[0] *= min(xy, z)


@kernel
def scale_molecules(x: Any, v: Any, molecules: Any, xy: float, z: float) -> None:
    """Scale centres of mass by (xy, xy, z) and their velocities by the inverse; molecules keep their shape."""
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        total = molecules.molecule_masses[n]
        for d in range(3):
            factor = z if d == 2 else xy
            shift = (factor - 1.0) * _center(x, molecules.masses, first, last, total, d)
            gain = (1.0 / factor - 1.0) * _center(v, molecules.masses, first, last, total, d)
            for i in range(first, last):
                x[i, d] += shift
                v[i, d] += gain
