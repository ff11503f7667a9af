"""Stochastic cell rescaling (Bernetti & Bussi 2020, doi:10.1063/5.0020514) with a Metropolis test, so that it is exact.

Whole molecules move by their centres of mass: with the molecular pressure tensor constraints and bonded terms drop out, and
constrained molecules stay constrained. Velocities are left alone: their distribution does not depend on the box, and the kinetic
part of the pressure is its average, N kT/V of N molecules.

The move proposed is an Euler step, drift dt + √(2D dt) noise, of logarithms ε of volume, area or edges. The density wanted is

    p ∝ V^(N+1) exp(-[U + P0 V - Γ A]/kT)   over ε, at fixed scaled positions,

P0 the pressure, Γ = γ n the tension of n surfaces over the area A = L_x L_y. With M = β_T/τ_p (β_T compressibility):

    isotropic           ε = ln V          D = M kT/V        drift = M (tr P/3 - P0)
    semi-isotropic      ε = ln A          D = 2M kT/(3V)    drift = 2M/3 [(P_xx + P_yy)/2 - P0 + Γ/L_z]
                        ε = ln L_z        D = M kT/(3V)     drift = M/3 (P_zz - P0)
    anisotropic         ε = ln L_k        D = M kT/(3V)     drift = M/3 (P_kk - P0), k = x, y, z

An Euler step alone widens the fluctuations of the volume: a liquid answers a sudden change of its box many times as stiffly as
a slow one, and M times that stiffness times dt is not small. So a step from box B to B' is accepted with the probability
min(1, p(B') q(B|B') / [p(B) q(B'|B)]), q the Gaussian of the proposal (Roberts & Tweedie 1996), which costs one evaluation of
energy and forces. Of short steps nearly all are accepted, and what remains is cell rescaling.

Surface tension is semi-isotropic with Γ ≠ 0. Directions may have mobilities M of their own, which moves no average, and M = 0
holds them. They may have pressures P0 of their own too, but unless one of them is held no density belongs to that: work then
depends on the path.
"""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._arrays import copy_rows, fill, zero_matrix
from topdown.engine._jit import helper, kernel, shared

NO_BAROSTAT, ISOTROPIC, SEMI_ISOTROPIC, ANISOTROPIC = 0, 1, 2, 3
#: Largest drift of ln V (or of ln area, ln height) in one application; only a box far from equilibrium meets it.
LARGEST_STEP = 0.05


@helper
def _center(values: Any, masses: Any, first: int, last: int, total: float, d: int) -> float:
    s = 0.0
    for i in range(first, last):
        s += masses[i] * values[i, d]
    return s / total


@helper
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


@shared
def molecular_virial(x: Any, forces: Any, molecules: Any, virial: Any, result: Any) -> None:
    """Turn the atomic virial into the molecular one: Ξ_mol = Ξ + 1/2 Σ (r_i - R_mol(i)) ⊗ f_i; molecules whole."""
    copy_rows(virial, result)
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
def molecular_offsets(x: Any, molecules: Any, offset: Any) -> None:
    """``offset`` (n, 3) = r_i - R_mol(i), from the centre of mass of each bead's molecule; molecules whole."""
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        for d in range(3):
            center = _center(x, molecules.masses, first, last, molecules.molecule_masses[n], d)
            for i in range(first, last):
                offset[i, d] = x[i, d] - center


@shared
def pressure_tensor(
    x: Any, forces: Any, box: Any, molecules: Any, molecular_kinetic: Any, virial: Any, pressure: Any
) -> None:
    """``pressure`` (3, 3) = 2/V (K_mol - Ξ_mol) [kJ/mol/nm³]."""
    molecular_virial(x, forces, molecules, virial, pressure)
    factor = 2.0 / (box[0] * box[1] * box[2])
    for a in range(3):
        for b in range(3):
            pressure[a, b] = factor * (molecular_kinetic[a, b] - pressure[a, b])


@helper
def expected_pressure(x: Any, forces: Any, box: Any, molecules: Any, kt: float, virial: Any, pressure: Any) -> None:
    """As :func:`pressure_tensor`, with the average of the kinetic part over velocities."""
    kinetic = zero_matrix(3, 3)
    for d in range(3):
        kinetic[d, d] = 0.5 * kt * (molecules.start.shape[0] - 1)
    pressure_tensor(x, forces, box, molecules, kinetic, virial, pressure)


@helper
def _variable(mobility: float, excess: float, kt_v: float) -> tuple[float, float]:
    """Drift and variance of one logarithm in one step."""
    return min(LARGEST_STEP, max(-LARGEST_STEP, mobility * excess)), 2.0 * mobility * kt_v


@helper
def step_distribution(box: Any, settings: Any, pressure: Any, drift: Any, variance: Any) -> None:
    """Drift (3,) and variance (3,) of the logarithms a step changes: volume; area, height; or three edges. The rest is 0."""
    kt_v = settings.kt / (box[0] * box[1] * box[2])
    step = settings.time_step * settings.barostat_every / (3.0 * settings.tau_p)
    mobility_xy, mobility_z = settings.compressibility_xy * step, settings.compressibility_z * step
    fill(drift, 0.0)
    fill(variance, 0.0)
    if settings.barostat == ISOTROPIC:
        mean = (pressure[0, 0] + pressure[1, 1] + pressure[2, 2]) / 3.0
        drift[0], variance[0] = _variable(3.0 * mobility_xy, mean - settings.pressure_xy, kt_v)
    elif settings.barostat == SEMI_ISOTROPIC:
        lateral = 0.5 * (pressure[0, 0] + pressure[1, 1]) + settings.tension / box[2]
        drift[0], variance[0] = _variable(2.0 * mobility_xy, lateral - settings.pressure_xy, kt_v)
        drift[1], variance[1] = _variable(mobility_z, pressure[2, 2] - settings.pressure_z, kt_v)
    else:
        drift[0], variance[0] = _variable(mobility_xy, pressure[0, 0] - settings.pressure_xy, kt_v)
        drift[1], variance[1] = _variable(mobility_xy, pressure[1, 1] - settings.pressure_xy, kt_v)
        drift[2], variance[2] = _variable(mobility_z, pressure[2, 2] - settings.pressure_z, kt_v)


@helper
def draw_step(drift: Any, variance: Any, rng: Any, changes: Any) -> None:
    """Draw the changes (3,) of the logarithms."""
    for k in range(3):
        changes[k] = drift[k] + math.sqrt(variance[k]) * rng.standard_normal() if variance[k] > 0.0 else 0.0


@helper
def log_probability(drift: Any, variance: Any, changes: Any, sign: float) -> float:
    """Logarithm of the Gaussian of ``sign`` times the changes."""
    total = 0.0
    for k in range(3):
        if variance[k] > 0.0:
            away = sign * changes[k] - drift[k]
            total -= 0.5 * (away * away / variance[k] + math.log(variance[k]))
    return total


@helper
def edge_factors(settings: Any, changes: Any) -> tuple[float, float, float]:
    """The factors by which the changes of the logarithms scale the three edges; a held edge gets exactly 1."""
    if settings.barostat == ISOTROPIC:
        factor = math.exp(changes[0] / 3.0)
        return factor, factor, factor
    if settings.barostat == SEMI_ISOTROPIC:
        factor = math.exp(0.5 * changes[0])
        return factor, factor, math.exp(changes[1])
    return math.exp(changes[0]), math.exp(changes[1]), math.exp(changes[2])


@helper
def box_work(box: Any, factors: tuple[float, float, float], settings: Any) -> float:
    """Work against pressure and tension when the edges are scaled."""
    volume, area = box[0] * box[1] * box[2], box[0] * box[1]
    wider = factors[0] * factors[1]
    more = volume * (wider * factors[2] - 1.0)
    work: float = -settings.tension * area * (wider - 1.0)
    if wider == 1.0:
        work += settings.pressure_z * more
    elif factors[2] == 1.0 or settings.pressure_xy == settings.pressure_z:
        work += settings.pressure_xy * more
    else:  # along the path on which both logarithms grow alike
        along = settings.pressure_xy * math.log(wider) + settings.pressure_z * math.log(factors[2])
        work += along * (volume + 0.5 * more)
    return work


@helper
def is_accepted(
    energy_change: float, n_molecules: float, box: Any, factors: tuple[float, float, float], settings: Any,
    log_forward: float, log_backward: float, rng: Any
) -> bool:  # fmt: skip
    """The Metropolis test of a step of the box from ``box``."""
    larger = math.log(factors[0] * factors[1] * factors[2])
    log_ratio = (n_molecules + 1.0) * larger - (energy_change + box_work(box, factors, settings)) / settings.kt
    log_ratio += log_backward - log_forward
    return bool(log_ratio >= 0.0 or rng.random() < math.exp(log_ratio))


@helper
def scale_list(neighbor_list: Any, factors: tuple[float, float, float]) -> None:
    """Let what the neighbour list was made at follow the box."""
    outer, inner = neighbor_list.reference, neighbor_list.inner_reference
    for i in range(outer.shape[0]):
        for d in range(3):
            outer[i, d] *= factors[d]
            inner[i, d] *= factors[d]
    neighbor_list.radii[0] *= min(factors)
    neighbor_list.radii[1] *= min(factors)


@shared
def scale_molecules(x: Any, molecules: Any, factors: tuple[float, float, float]) -> None:
    """Scale centres of mass by ``factors``; molecules keep their shape."""
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        total = molecules.molecule_masses[n]
        for d in range(3):
            shift = (factors[d] - 1.0) * _center(x, molecules.masses, first, last, total, d)
            for i in range(first, last):
                x[i, d] += shift
