"""Stochastic cell rescaling (Bernetti & Bussi 2020, doi:10.1063/5.0020514), moving whole molecules by their centres of mass.

With the molecular pressure tensor constraints and bonded terms drop out, and constrained molecules stay constrained.

Every coupling is an Euler step of dε = drift dt + √(2D) dW in logarithms ε of volume, area or edges. The density wanted is

    p ∝ |∂(edges)/∂ε| exp(-[H + P0 V - Γ A]/kT),   H over scaled positions and inversely scaled momenta,

P0 the pressure, Γ = γ n the tension of n surfaces over the area A = L_x L_y. It is stationary without currents if
drift = D ∂ln p/∂ε + ∂D/∂ε. With g = ∂ln V/∂ε, the Jacobian gives ∂ln p/∂ε a term g; D ∝ 1/V gives ∂D/∂ε = -g D. They cancel:
the noise leaves no drift of its own. What remains is the mechanical part, with M = β_T/τ_p (β_T compressibility):

    isotropic           ε = ln V          D = M kT/V        drift = M (tr P/3 - P0)
    semi-isotropic      ε = ln A          D = 2M kT/(3V)    drift = 2M/3 [(P_xx + P_yy)/2 - P0 + Γ/L_z]
                        ε = ln L_z        D = M kT/(3V)     drift = M/3 (P_zz - P0)
    anisotropic         ε = ln L_k        D = M kT/(3V)     drift = M/3 (P_kk - P0), k = x, y, z

(∂(V P0)/∂ln A = V P0 and ∂(Γ A)/∂ln A = Γ A = V Γ/L_z; V (P_xx + P_yy)/2 = -∂H/∂ln A.) Surface tension is semi-isotropic with
Γ ≠ 0. Directions may have mobilities M of their own, which moves no average, and M = 0 holds them. They may have pressures P0 of
their own too, but unless one of them is held no density exp(-…) belongs to that: work then depends on the path.
"""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._jit import kernel

NO_BAROSTAT, ISOTROPIC, SEMI_ISOTROPIC, ANISOTROPIC = 0, 1, 2, 3
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
def molecular_offsets(x: Any, molecules: Any, offset: Any) -> None:
    """``offset`` (n, 3) = r_i - R_mol(i), from the centre of mass of each bead's molecule; molecules whole."""
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        for d in range(3):
            center = _center(x, molecules.masses, first, last, molecules.molecule_masses[n], d)
            for i in range(first, last):
                offset[i, d] = x[i, d] - center


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
def _change(mobility: float, excess: float, kt: float, volume: float, rng: Any) -> float:
    """Euler step with drift ``mobility`` · ``excess`` and noise of variance 2 ``mobility`` kT/V."""
    noise: float = math.sqrt(2.0 * mobility * kt / volume) * rng.standard_normal()
    return _bounded(mobility * excess) + noise


@kernel
def box_factors(box: Any, settings: Any, pressure: Any, rng: Any) -> tuple[float, float, float]:
    """The factors by which one application scales the three edges."""
    kt, volume = settings.kt, box[0] * box[1] * box[2]
    step = settings.time_step * settings.barostat_every / (3.0 * settings.tau_p)
    mobility_xy, mobility_z = settings.compressibility_xy * step, settings.compressibility_z * step
    if settings.barostat == ISOTROPIC:
        mean = (pressure[0, 0] + pressure[1, 1] + pressure[2, 2]) / 3.0
        factor = math.exp(_change(3.0 * mobility_xy, mean - settings.pressure_xy, kt, volume, rng) / 3.0)
        return factor, factor, factor
    if settings.barostat == ANISOTROPIC:
        x = math.exp(_change(mobility_xy, pressure[0, 0] - settings.pressure_xy, kt, volume, rng))
        y = math.exp(_change(mobility_xy, pressure[1, 1] - settings.pressure_xy, kt, volume, rng))
    else:
        lateral = 0.5 * (pressure[0, 0] + pressure[1, 1]) + settings.tension / box[2]
        x = y = math.exp(0.5 * _change(2.0 * mobility_xy, lateral - settings.pressure_xy, kt, volume, rng))
    z = math.exp(_change(mobility_z, pressure[2, 2] - settings.pressure_z, kt, volume, rng))
    return x, y, z


@kernel
def apply_barostat(
    x: Any, v: Any, box: Any, molecules: Any, neighbor_list: Any, settings: Any, pressure: Any, rng: Any
) -> None:
    """One update of the box, of the molecules' centres and of their velocities."""
    factors = box_factors(box, settings, pressure, rng)
    scale_molecules(x, v, molecules, factors)
    for d in range(3):
        box[d] *= factors[d]
        for i in range(x.shape[0]):
            neighbor_list.reference[i, d] *= factors[d]
    neighbor_list.radius[0] *= min(factors)


@kernel
def scale_molecules(x: Any, v: Any, molecules: Any, factors: tuple[float, float, float]) -> None:
    """Scale centres of mass by ``factors`` and their velocities by the inverse; molecules keep their shape."""
    for n in range(molecules.start.shape[0] - 1):
        first, last = molecules.start[n], molecules.start[n + 1]
        total = molecules.molecule_masses[n]
        for d in range(3):
            shift = (factors[d] - 1.0) * _center(x, molecules.masses, first, last, total, d)
            gain = (1.0 / factors[d] - 1.0) * _center(v, molecules.masses, first, last, total, d)
            for i in range(first, last):
                x[i, d] += shift
                v[i, d] += gain
