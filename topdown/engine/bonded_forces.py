"""Bonded forces. ``energies[2:5]`` gather bonds, angles and dihedrals; ``virial`` as in ``pair_forces``."""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._jit import kernel
from topdown.engine.neighbor_list import minimum_image
from topdown.engine.pair_forces import add_virial
from topdown.engine.potentials import (
    cosine_angle,
    harmonic_angle,
    harmonic_bond,
    improper_dihedral,
    proper_dihedral,
)


@kernel
def _difference(x: Any, i: int, j: int, box: Any) -> tuple[float, float, float]:
    return (
        minimum_image(x[i, 0] - x[j, 0], box[0]),
        minimum_image(x[i, 1] - x[j, 1], box[1]),
        minimum_image(x[i, 2] - x[j, 2], box[2]),
    )


@kernel
def _add(forces: Any, i: int, fx: float, fy: float, fz: float) -> None:
    forces[i, 0] += fx
    forces[i, 1] += fy
    forces[i, 2] += fz


@kernel
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


@kernel
def angle_forces(x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool) -> None:
    """Harmonic (1) and cosine (2) angles i-j-k."""
    for n in range(bonded.angles.shape[0]):
        i, j, k = bonded.angles[n, 0], bonded.angles[n, 1], bonded.angles[n, 2]
        ax, ay, az = _difference(x, i, j, box)
        bx, by, bz = _difference(x, k, j, box)
        a2 = max(ax * ax + ay * ay + az * az, 1e-12)
        b2 = max(bx * bx + by * by + bz * bz, 1e-12)
        inverse_ab = 1.0 / math.sqrt(a2 * b2)
        cosine = min(1.0, max(-1.0, (ax * bx + ay * by + az * bz) * inverse_ab))
        if bonded.angle_functions[n] == 1:
            energy, slope = harmonic_angle(cosine, bonded.angle_values[n, 0], bonded.angle_values[n, 1])
        else:
            energy, slope = cosine_angle(cosine, bonded.angle_values[n, 0], bonded.angle_values[n, 1])
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


@kernel
def dihedral_forces(x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool) -> None:
    """Proper (1) and improper (2) dihedrals i-j-k-l (Blondel & Karplus 1996)."""
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
        else:
            energy, slope = improper_dihedral(phi, values[0], values[1])
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
