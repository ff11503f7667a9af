"""Scalar potentials: a few lines under an equation each; everything that loops calls these.

Distances in nm, energies in kJ/mol. ``force_over_r`` is -(dU/dr)/r, so that the force on i is ``force_over_r * (r_i - r_j)``.
"""

from __future__ import annotations

import math

from topdown.engine._jit import kernel

#: Squares of distances below this [nm²] are taken as this, so that overlapping starts give huge but finite forces.
SMALLEST_R2 = 1e-4
#: Soft-core strength α (Beutler et al. 1994, doi:10.1016/0009-2614(94)00397-1), with λ-power 1 and r^6.
SOFT_CORE_ALPHA = 0.5


@kernel
def lennard_jones(r2: float, c6: float, c12: float) -> tuple[float, float]:
    """U = C12/r^12 - C6/r^6, without shift."""
    inverse_r2 = 1.0 / r2
    inverse_r6 = inverse_r2 * inverse_r2 * inverse_r2
    dispersion = c6 * inverse_r6
    repulsion = c12 * inverse_r6 * inverse_r6
    return repulsion - dispersion, (12.0 * repulsion - 6.0 * dispersion) * inverse_r2


@kernel
def reaction_field(r2: float, qq: float, k_rf: float, c_rf: float) -> tuple[float, float]:
    """U = qq (1/r + k_rf r² - c_rf), qq = f q_i q_j / ε_r (Tironi et al. 1995)."""
    inverse_r = 1.0 / math.sqrt(r2)
    return qq * (inverse_r + k_rf * r2 - c_rf), qq * (inverse_r * inverse_r * inverse_r - 2.0 * k_rf)


@kernel
def soft_core(r2: float, c6: float, c12: float, sigma6: float, lam: float) -> tuple[float, float]:
    """U = λ (C12/s² - C6/s), s = α(1-λ)σ0^6 + r^6, without shift."""
    r4 = r2 * r2
    inverse_s = 1.0 / (SOFT_CORE_ALPHA * (1.0 - lam) * sigma6 + r4 * r2)
    dispersion = c6 * inverse_s
    repulsion = c12 * inverse_s * inverse_s
    return lam * (repulsion - dispersion), lam * 6.0 * r4 * (2.0 * repulsion - dispersion) * inverse_s


@kernel
def harmonic_bond(r: float, length: float, k: float) -> tuple[float, float]:
    """U = k/2 (r - r0)²."""
    stretch = r - length
    return 0.5 * k * stretch * stretch, -k * stretch / r


@kernel
def harmonic_angle(cosine: float, theta0: float, k: float) -> tuple[float, float]:
    """U = k/2 (θ - θ0)²; returns U and dU/dcos θ."""
    sine = math.sqrt(max(1.0 - cosine * cosine, 1e-14))
    bend = math.atan2(sine, cosine) - theta0
    return 0.5 * k * bend * bend, -k * bend / sine


@kernel
def cosine_angle(cosine: float, cosine0: float, k: float) -> tuple[float, float]:
    """U = k/2 (cos θ - cos θ0)² (GROMOS-96); returns U and dU/dcos θ."""
    bend = cosine - cosine0
    return 0.5 * k * bend * bend, k * bend


@kernel
def proper_dihedral(phi: float, phi0: float, k: float, multiplicity: float) -> tuple[float, float]:
    """U = k (1 + cos(n φ - φ0)); returns U and dU/dφ."""
    argument = multiplicity * phi - phi0
    return k * (1.0 + math.cos(argument)), -k * multiplicity * math.sin(argument)


@kernel
def improper_dihedral(phi: float, phi0: float, k: float) -> tuple[float, float]:
    """U = k/2 (φ - φ0)², the difference taken in (-π, π]; returns U and dU/dφ."""
    turn = phi - phi0
    turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi) + 0.5)
    return 0.5 * k * turn * turn, k * turn
