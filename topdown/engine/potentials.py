"""Scalar potentials: a few lines under an equation each; everything that loops calls these.

Distances in nm, energies in kJ/mol. ``force_over_r`` is -(dU/dr)/r, so that the force on i is ``force_over_r * (r_i - r_j)``.
"""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._jit import helper

#: Squares of distances below this [nm²] are taken as this, so that overlapping starts give huge but finite forces.
SMALLEST_R2 = 1e-4
#: Soft-core strength α (Beutler et al. 1994, doi:10.1016/0009-2614(94)00397-1), with λ-power 1 and r^6.
SOFT_CORE_ALPHA = 0.5
#: Restricted bending goes on as a straight line in cos θ beyond this |cos θ| (0.06° from a line), where it would diverge.
LARGEST_COSINE = 1.0 - 5e-7
#: (asin y / y - 1)/y² as a polynomial in y², exact at the Chebyshev nodes of 0 ≤ y² ≤ 1/4; lowest power first.
_ARC_SINE = (
    0.1666666666666665, 0.07500000000020764, 0.044642857103423646, 0.03038194736709848, 0.02237204763174451,
    0.01735525995578633, 0.013929652902326577, 0.011875494382637216, 0.007802949477352493, 0.016035514349149713,
    -0.010749050339696914, 0.02816921806087918,
)  # fmt: skip


@helper
def lennard_jones(r2: float, c6: float, c12: float) -> tuple[float, float]:
    """U = C12/r^12 - C6/r^6, without shift."""
    inverse_r2 = 1.0 / r2
    inverse_r6 = inverse_r2 * inverse_r2 * inverse_r2
    dispersion = c6 * inverse_r6
    repulsion = c12 * inverse_r6 * inverse_r6
    return repulsion - dispersion, (12.0 * repulsion - 6.0 * dispersion) * inverse_r2


@helper
def reaction_field(r2: float, qq: float, k_rf: float, c_rf: float) -> tuple[float, float]:
    """U = qq (1/r + k_rf r² - c_rf), qq = f q_i q_j / ε_r (Tironi et al. 1995)."""
    inverse_r = 1.0 / math.sqrt(r2)
    return qq * (inverse_r + k_rf * r2 - c_rf), qq * (inverse_r * inverse_r * inverse_r - 2.0 * k_rf)


@helper
def soft_core(r2: float, c6: float, c12: float, sigma6: float, lam: float) -> tuple[float, float]:
    """U = λ (C12/s² - C6/s), s = α(1-λ)σ0^6 + r^6, without shift."""
    r4 = r2 * r2
    inverse_s = 1.0 / (SOFT_CORE_ALPHA * (1.0 - lam) * sigma6 + r4 * r2)
    dispersion = c6 * inverse_s
    repulsion = c12 * inverse_s * inverse_s
    return lam * (repulsion - dispersion), lam * 6.0 * r4 * (2.0 * repulsion - dispersion) * inverse_s


@helper
def harmonic_bond(r: float, length: float, k: float) -> tuple[float, float]:
    """U = k/2 (r - r0)²."""
    stretch = r - length
    return 0.5 * k * stretch * stretch, -k * stretch / r


@helper
def arc_cosine(cosine: float) -> float:
    """The angle to 6e-16, without branches or calls, so that loops over it compile to vector instructions.

    Below 60° from a line it is 2 asin √((1 - |c|)/2), elsewhere 90° - asin c.
    """
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11 = _ARC_SINE
    size = abs(cosine)
    is_small = size < 0.5
    z = cosine * cosine if is_small else 0.5 - 0.5 * size
    y = cosine if is_small else math.sqrt(z)
    low = a0 + z * (a1 + z * (a2 + z * (a3 + z * (a4 + z * a5))))
    high = a6 + z * (a7 + z * (a8 + z * (a9 + z * (a10 + z * a11))))
    z3 = z * z * z
    arc = y + y * z * (low + z3 * z3 * high)
    aside = math.pi - 2.0 * arc if cosine < 0.0 else 2.0 * arc
    return 0.5 * math.pi - arc if is_small else aside


@helper
def harmonic_angle(cosine: float, theta0: float, k: float) -> tuple[float, float]:
    """U = k/2 (θ - θ0)²; returns U and dU/dcos θ."""
    sine = math.sqrt(max(1.0 - cosine * cosine, 1e-14))
    bend = arc_cosine(cosine) - theta0
    return 0.5 * k * bend * bend, -k * bend / sine


@helper
def cosine_angle(cosine: float, cosine0: float, k: float) -> tuple[float, float]:
    """U = k/2 (cos θ - cos θ0)² (GROMOS-96); returns U and dU/dcos θ."""
    bend = cosine - cosine0
    return 0.5 * k * bend * bend, k * bend


@helper
def restricted_angle(cosine: float, cosine0: float, k: float) -> tuple[float, float]:
    """U = k/2 (cos θ - cos θ0)²/sin² θ (Bulacu et al. 2013, doi:10.1021/ct400219n); returns U and dU/dcos θ."""
    c = min(LARGEST_COSINE, max(-LARGEST_COSINE, cosine))
    inverse_sine2 = 1.0 / ((1.0 - c) * (1.0 + c))
    bend = c - cosine0
    slope = k * bend * (1.0 - c * cosine0) * inverse_sine2 * inverse_sine2
    return 0.5 * k * bend * bend * inverse_sine2 + slope * (cosine - c), slope


@helper
def hermite(x: float, spacing: float, points: Any) -> tuple[float, float]:
    """Value and slope at ``x`` of the cubic through ``points`` (n, 2): values and slopes at 0, ``spacing``, 2 ``spacing`` …"""
    n = min(max(int(x / spacing), 0), points.shape[0] - 2)
    t = x / spacing - n
    rise, left, right = points[n + 1, 0] - points[n, 0], points[n, 1] * spacing, points[n + 1, 1] * spacing
    square, cube = 3.0 * rise - 2.0 * left - right, left + right - 2.0 * rise
    value = points[n, 0] + t * (left + t * (square + t * cube))
    return value, (left + t * (2.0 * square + 3.0 * t * cube)) / spacing


@helper
def tabulated_angle(cosine: float, k: float, first: float, spacing: float, points: Any) -> tuple[float, float]:
    """U = k f(θ), f tabulated from θ = ``first`` on; returns U and dU/dcos θ."""
    sine = math.sqrt(max(1.0 - cosine * cosine, 1e-14))
    value, slope = hermite(math.atan2(sine, cosine) - first, spacing, points)
    return k * value, -k * slope / sine


@helper
def ryckaert_bellemans(phi: float, c: Any) -> tuple[float, float]:
    """U = Σ_n C_n cos^n ψ, ψ = φ - 180°, n = 0…5; returns U and dU/dφ."""
    z = -math.cos(phi)
    energy = c[0] + z * (c[1] + z * (c[2] + z * (c[3] + z * (c[4] + z * c[5]))))
    slope = c[1] + z * (2.0 * c[2] + z * (3.0 * c[3] + z * (4.0 * c[4] + z * 5.0 * c[5])))
    return energy, slope * math.sin(phi)


@helper
def bending_torsion(p: float, t: float, a: Any) -> tuple[float, float, float]:
    """U = sin³ θ1 sin³ θ2 Σ_n a_n cos^n φ, n = 0…4 (Bulacu et al. 2013, doi:10.1021/ct400219n).

    In ``t`` = sin θ1 sin θ2 and ``p`` = t cos φ it is Σ_n a_n p^n t^(3-n), smooth when three beads line up; returns U, ∂U/∂p and
    ∂U/∂t.
    """
    c = p / max(t, 1e-15)
    energy = a[0] * t * t * t + p * (a[1] * t * t + p * (a[2] * t + p * (a[3] + a[4] * c)))
    by_p = a[1] * t * t + p * (2.0 * a[2] * t + p * (3.0 * a[3] + 4.0 * a[4] * c))
    by_t = 3.0 * a[0] * t * t + p * (2.0 * a[1] * t + p * (a[2] - a[4] * c * c))
    return energy, by_p, by_t


@helper
def proper_dihedral(phi: float, phi0: float, k: float, multiplicity: float) -> tuple[float, float]:
    """U = k (1 + cos(n φ - φ0)); returns U and dU/dφ."""
    argument = multiplicity * phi - phi0
    return k * (1.0 + math.cos(argument)), -k * multiplicity * math.sin(argument)


@helper
def improper_dihedral(phi: float, phi0: float, k: float) -> tuple[float, float]:
    """U = k/2 (φ - φ0)², the difference taken in (-π, π]; returns U and dU/dφ."""
    turn = phi - phi0
    turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi) + 0.5)
    return 0.5 * k * turn * turn, k * turn
