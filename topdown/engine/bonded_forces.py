"""Bonded forces. ``energies[2:5]`` gather bonds, angles and dihedrals; ``virial`` as in ``pair_forces``."""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._jit import helper
from topdown.engine.neighbor_list import minimum_image
from topdown.engine.pair_forces import add_virial
from topdown.engine.potentials import (
    bending_torsion,
    cosine_angle,
    harmonic_angle,
    harmonic_bond,
    improper_dihedral,
    proper_dihedral,
    restricted_angle,
    ryckaert_bellemans,
    tabulated_angle,
)


@helper
def _difference(x: Any, i: int, j: int, box: Any) -> tuple[float, float, float]:
    return (
        minimum_image(x[i, 0] - x[j, 0], box[0]),
        minimum_image(x[i, 1] - x[j, 1], box[1]),
        minimum_image(x[i, 2] - x[j, 2], box[2]),
    )


@helper
def _add(forces: Any, i: int, fx: float, fy: float, fz: float) -> None:
    forces[i, 0] += fx
    forces[i, 1] += fy
    forces[i, 2] += fz


@helper
def bond_forces(x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool) -> None:
    """Harmonic bonds."""
    for n in range(bonded.bonds.shape[0]):
        i, j = bonded.bonds[n, 0], bonded.bonds[n, 1]
        dx, dy, dz = _difference(x, i, j, box)
        r = math.sqrt(max(dx * dx + dy * dy + dz * dz, 1e-12))
        energy, force = harmonic_bond(r, bonded.bond_values[n, 0], bonded.bond_values[n, 1])
        fx, fy, fz = force * dx, force * dy, force * dz
        _add(forces, i, fx, fy, fz)
        _add(forces, j, -fx, -fy, -fz)
        if measure:
            energies[2] += energy
            add_virial(virial, dx, dy, dz, fx, fy, fz)


@helper
def angle_forces(x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool) -> None:
    """Harmonic (1), cosine (2), tabulated (8) and restricted (10) angles i-j-k."""
    tables = bonded.tables
    for n in range(bonded.angles.shape[0]):
        i, j, k = bonded.angles[n, 0], bonded.angles[n, 1], bonded.angles[n, 2]
        ax, ay, az = _difference(x, i, j, box)
        bx, by, bz = _difference(x, k, j, box)
        a2 = max(ax * ax + ay * ay + az * az, 1e-12)
        b2 = max(bx * bx + by * by + bz * bz, 1e-12)
        inverse_ab = 1.0 / math.sqrt(a2 * b2)
        cosine = min(1.0, max(-1.0, (ax * bx + ay * by + az * bz) * inverse_ab))
        function, reference, strength = bonded.angle_functions[n], bonded.angle_values[n, 0], bonded.angle_values[n, 1]
        if function == 2:
            energy, slope = cosine_angle(cosine, reference, strength)
        elif function == 1:
            energy, slope = harmonic_angle(cosine, reference, strength)
        elif function == 10:
            energy, slope = restricted_angle(cosine, reference, strength)
        else:
            t = int(reference)
            points = tables.points[tables.start[t] : tables.start[t + 1]]
            energy, slope = tabulated_angle(cosine, strength, tables.grid[t, 0], tables.grid[t, 1], points)
        fx = -slope * (bx * inverse_ab - cosine * ax / a2)
        fy = -slope * (by * inverse_ab - cosine * ay / a2)
        fz = -slope * (bz * inverse_ab - cosine * az / a2)
        gx = -slope * (ax * inverse_ab - cosine * bx / b2)
        gy = -slope * (ay * inverse_ab - cosine * by / b2)
        gz = -slope * (az * inverse_ab - cosine * bz / b2)
        _add(forces, i, fx, fy, fz)
        _add(forces, k, gx, gy, gz)
        _add(forces, j, -fx - gx, -fy - gy, -fz - gz)
        if measure:
            energies[3] += energy
            add_virial(virial, ax, ay, az, fx, fy, fz)
            add_virial(virial, bx, by, bz, gx, gy, gz)


@helper
def dihedral_forces(x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool) -> None:
    """Proper (1), improper (2) and Ryckaert-Bellemans (3) dihedrals i-j-k-l (Blondel & Karplus 1996)."""
    for n in range(bonded.dihedrals.shape[0]):
        i, j = bonded.dihedrals[n, 0], bonded.dihedrals[n, 1]
        k, m = bonded.dihedrals[n, 2], bonded.dihedrals[n, 3]
        fx, fy, fz = _difference(x, i, j, box)
        gx, gy, gz = _difference(x, j, k, box)
        hx, hy, hz = _difference(x, m, k, box)
        ax, ay, az = fy * gz - fz * gy, fz * gx - fx * gz, fx * gy - fy * gx
        bx, by, bz = hy * gz - hz * gy, hz * gx - hx * gz, hx * gy - hy * gx
        a2 = max(ax * ax + ay * ay + az * az, 1e-16)
        b2 = max(bx * bx + by * by + bz * bz, 1e-16)
        g = math.sqrt(max(gx * gx + gy * gy + gz * gz, 1e-12))
        sine = ((by * az - bz * ay) * gx + (bz * ax - bx * az) * gy + (bx * ay - by * ax) * gz) / g
        phi = math.atan2(sine, ax * bx + ay * by + az * bz)
        values = bonded.dihedral_values[n]
        if bonded.dihedral_functions[n] == 1:
            energy, slope = proper_dihedral(phi, values[0], values[1], values[2])
        elif bonded.dihedral_functions[n] == 2:
            energy, slope = improper_dihedral(phi, values[0], values[1])
        else:
            energy, slope = ryckaert_bellemans(phi, values)
        end = slope * g / a2
        px, py, pz = end * ax, end * ay, end * az
        end = -slope * g / b2
        qx, qy, qz = end * bx, end * by, end * bz
        u = (fx * gx + fy * gy + fz * gz) * slope / (a2 * g)
        w = (hx * gx + hy * gy + hz * gz) * slope / (b2 * g)
        sx, sy, sz = u * ax - w * bx, u * ay - w * by, u * az - w * bz
        _add(forces, i, px, py, pz)
        _add(forces, j, -px - sx, -py - sy, -pz - sz)
        _add(forces, k, -qx + sx, -qy + sy, -qz + sz)
        _add(forces, m, qx, qy, qz)
        if measure:
            energies[4] += energy
            add_virial(virial, fx, fy, fz, px, py, pz)
            add_virial(virial, gx, gy, gz, -sx, -sy, -sz)
            add_virial(virial, hx, hy, hz, qx, qy, qz)


@helper
def bending_torsion_forces(
    x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Combined bending-torsion (11) of i-j-k-l.

    With f = r_i - r_j, g = r_j - r_k, h = r_l - r_k, a = f × g, b = h × g and L = |f| |g|² |h|: t = sin θ1 sin θ2 = |a| |b|/L and
    p = t cos φ = a·b/L. U is homogeneous of degree 3 in p and t, so that ∂U/∂ln L = -3 U.
    """
    for n in range(bonded.bending_torsions.shape[0]):
        i, j = bonded.bending_torsions[n, 0], bonded.bending_torsions[n, 1]
        k, m = bonded.bending_torsions[n, 2], bonded.bending_torsions[n, 3]
        fx, fy, fz = _difference(x, i, j, box)
        gx, gy, gz = _difference(x, j, k, box)
        hx, hy, hz = _difference(x, m, k, box)
        f2 = max(fx * fx + fy * fy + fz * fz, 1e-12)
        g2 = max(gx * gx + gy * gy + gz * gz, 1e-12)
        h2 = max(hx * hx + hy * hy + hz * hz, 1e-12)
        ax, ay, az = fy * gz - fz * gy, fz * gx - fx * gz, fx * gy - fy * gx
        bx, by, bz = hy * gz - hz * gy, hz * gx - hx * gz, hx * gy - hy * gx
        a, b = math.sqrt(ax * ax + ay * ay + az * az), math.sqrt(bx * bx + by * by + bz * bz)
        scale = 1.0 / (math.sqrt(f2 * h2) * g2)
        energy, by_p, by_t = bending_torsion(
            (ax * bx + ay * by + az * bz) * scale, a * b * scale, bonded.bending_torsion_values[n]
        )
        on_a, on_b = by_t * scale * b / max(a, 1e-15), by_t * scale * a / max(b, 1e-15)
        by_p *= scale
        ux, uy, uz = by_p * bx + on_a * ax, by_p * by + on_a * ay, by_p * bz + on_a * az
        wx, wy, wz = by_p * ax + on_b * bx, by_p * ay + on_b * by, by_p * az + on_b * bz
        along = 3.0 * energy
        px = along * fx / f2 - (gy * uz - gz * uy)
        py = along * fy / f2 - (gz * ux - gx * uz)
        pz = along * fz / f2 - (gx * uy - gy * ux)
        sx = 2.0 * along * gx / g2 - (uy * fz - uz * fy) - (wy * hz - wz * hy)
        sy = 2.0 * along * gy / g2 - (uz * fx - ux * fz) - (wz * hx - wx * hz)
        sz = 2.0 * along * gz / g2 - (ux * fy - uy * fx) - (wx * hy - wy * hx)
        qx = along * hx / h2 - (gy * wz - gz * wy)
        qy = along * hy / h2 - (gz * wx - gx * wz)
        qz = along * hz / h2 - (gx * wy - gy * wx)
        _add(forces, i, px, py, pz)
        _add(forces, j, sx - px, sy - py, sz - pz)
        _add(forces, k, -sx - qx, -sy - qy, -sz - qz)
        _add(forces, m, qx, qy, qz)
        if measure:
            energies[4] += energy
            add_virial(virial, fx, fy, fz, px, py, pz)
            add_virial(virial, gx, gy, gz, sx, sy, sz)
            add_virial(virial, hx, hy, hz, qx, qy, qz)
