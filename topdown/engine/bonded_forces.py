"""Bonded forces. ``energies[2:5]`` gather bonds, angles and dihedrals; ``virial`` as in ``pair_forces``.

Bonds and angles are worked through in blocks of :data:`BLOCK`. A first loop gathers the arms of the terms, differences of
positions that may lie anywhere in memory, into rows of ``room``; the loops that hold the physics run along these rows, without
branches, and compile to vector instructions; a last loop scatters the forces. A kernel does the terms of the molecules of beads
``own[0]`` … ``own[1] - 1``. Arrays are read as flat ones, so that the compiler
knows how far their rows are apart.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from topdown.engine._arrays import first_row_of
from topdown.engine._jit import helper
from topdown.engine.pair_forces import add_virial
from topdown.engine.parameter_arrays import ANGLE_KINDS
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

#: Terms worked on at once: all their rows fit the first-level cache.
BLOCK = 64
_HARMONIC, _COSINE, _TABULATED, _RESTRICTED = (ANGLE_KINDS.index(function) for function in (1, 2, 8, 10))


@helper
def _between(x: Any, i: int, j: int) -> tuple[float, float, float]:
    """r_i - r_j in whatever image; ``x`` (3 n,) holds the positions bead by bead."""
    p, q = 3 * np.uint64(i), 3 * np.uint64(j)
    return x[p] - x[q], x[p + 1] - x[q + 1], x[p + 2] - x[q + 2]


@helper
def _nearest(dx: float, dy: float, dz: float, edges: Any) -> tuple[float, float, float]:
    """The minimum image of three differences, without divisions: ``edges`` holds those of the box and their inverses."""
    lx, ly, lz, per_x, per_y, per_z = edges
    return dx - lx * np.rint(dx * per_x), dy - ly * np.rint(dy * per_y), dz - lz * np.rint(dz * per_z)


@helper
def _add(forces: Any, i: int, fx: float, fy: float, fz: float) -> None:
    """Add to the force on bead i; ``forces`` (3 n,) holds them bead by bead."""
    p = 3 * np.uint64(i)
    forces[p] += fx
    forces[p + 1] += fy
    forces[p + 2] += fz


@helper
def bond_forces(
    own: tuple[int, int], x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Harmonic bonds i-j that lie along no arm of an angle."""
    edges = (box[0], box[1], box[2], 1.0 / box[0], 1.0 / box[1], 1.0 / box[2])
    positions, onto = x.reshape(-1), forces.reshape(-1)
    bonds, values = bonded.lone_bonds.reshape(-1), bonded.lone_bond_values.reshape(-1)
    room = np.empty((7, BLOCK))
    dx, dy, dz, fx, fy, fz, energy = room[0], room[1], room[2], room[3], room[4], room[5], room[6]
    n_bonds = bonded.lone_bonds.shape[0]
    end = first_row_of(own[1], bonded.lone_bonds, 0, n_bonds)
    for first in range(first_row_of(own[0], bonded.lone_bonds, 0, n_bonds), end, BLOCK):
        last = min(first + BLOCK, end)
        beads, value, count = bonds[2 * first : 2 * last], values[2 * first : 2 * last], last - first
        for n in range(count):
            dx[n], dy[n], dz[n] = _between(positions, beads[2 * n], beads[2 * n + 1])
        for n in range(count):
            dx[n], dy[n], dz[n] = _nearest(dx[n], dy[n], dz[n], edges)
            r = math.sqrt(max(dx[n] * dx[n] + dy[n] * dy[n] + dz[n] * dz[n], 1e-12))
            energy[n], force = harmonic_bond(r, value[2 * n], value[2 * n + 1])
            fx[n], fy[n], fz[n] = force * dx[n], force * dy[n], force * dz[n]
        for n in range(count):
            px, py, pz = fx[n], fy[n], fz[n]
            _add(onto, beads[2 * n], px, py, pz)
            _add(onto, beads[2 * n + 1], -px, -py, -pz)
            if measure:
                energies[2] += energy[n]
                add_virial(virial, dx[n], dy[n], dz[n], px, py, pz)


@helper
def _angle_potential(kind: int, count: int, cosine: Any, value: Any, tables: Any, energy: Any, slope: Any) -> None:
    """Energies and dU/dcos θ of ``count`` angles of one kind; ``value`` holds their references and force constants in turn."""
    if kind == _COSINE:
        for n in range(count):
            energy[n], slope[n] = cosine_angle(cosine[n], value[2 * n], value[2 * n + 1])
    elif kind == _HARMONIC:
        for n in range(count):
            energy[n], slope[n] = harmonic_angle(cosine[n], value[2 * n], value[2 * n + 1])
    elif kind == _RESTRICTED:
        for n in range(count):
            energy[n], slope[n] = restricted_angle(cosine[n], value[2 * n], value[2 * n + 1])
    else:
        for n in range(count):
            t = int(value[2 * n])
            points = tables.points[tables.start[t] : tables.start[t + 1]]
            first, spacing = tables.grid[t, 0], tables.grid[t, 1]
            energy[n], slope[n] = tabulated_angle(cosine[n], value[2 * n + 1], first, spacing, points)


@helper
def angle_forces(
    own: tuple[int, int], x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Harmonic (1), cosine (2), tabulated (8) and restricted (10) angles i-j-k, a kind at a time, and the bonds along their arms.

    The arms are a = r_i - r_j and b = r_k - r_j.
    """
    edges = (box[0], box[1], box[2], 1.0 / box[0], 1.0 / box[1], 1.0 / box[2])
    positions, onto = x.reshape(-1), forces.reshape(-1)
    angles, values, kinds = bonded.angles.reshape(-1), bonded.angle_values.reshape(-1), bonded.angle_kinds
    bonds = bonded.angle_bonds.reshape(-1)
    room = np.empty((21, BLOCK))
    ax, ay, az, bx, by, bz = room[0], room[1], room[2], room[3], room[4], room[5]
    fx, fy, fz, gx, gy, gz = room[6], room[7], room[8], room[9], room[10], room[11]
    cosine, per_ab, per_a2, per_b2, energy, slope = room[12], room[13], room[14], room[15], room[16], room[17]
    pull_a, pull_b, bond_energy = room[18], room[19], room[20]
    for kind in range(len(ANGLE_KINDS)):
        of_kind, past = np.int64(kinds[kind]), np.int64(kinds[kind + 1])
        end = first_row_of(own[1], bonded.angles, of_kind, past)
        for first in range(first_row_of(own[0], bonded.angles, of_kind, past), end, BLOCK):
            last = min(first + BLOCK, end)
            beads, bond, count = angles[3 * first : 3 * last], bonds[4 * first : 4 * last], last - first
            for n in range(count):
                i, j, k = beads[3 * n], beads[3 * n + 1], beads[3 * n + 2]
                ax[n], ay[n], az[n] = _between(positions, i, j)
                bx[n], by[n], bz[n] = _between(positions, k, j)
            for n in range(count):
                ax[n], ay[n], az[n] = _nearest(ax[n], ay[n], az[n], edges)
                bx[n], by[n], bz[n] = _nearest(bx[n], by[n], bz[n], edges)
                a2 = max(ax[n] * ax[n] + ay[n] * ay[n] + az[n] * az[n], 1e-12)
                b2 = max(bx[n] * bx[n] + by[n] * by[n] + bz[n] * bz[n], 1e-12)
                inverse = 1.0 / (a2 * b2)
                per_a2[n], per_b2[n], per_ab[n] = b2 * inverse, a2 * inverse, math.sqrt(inverse)
                projection = (ax[n] * bx[n] + ay[n] * by[n] + az[n] * bz[n]) * per_ab[n]
                cosine[n] = min(1.0, max(-1.0, projection))
                energy_a, pull_a[n] = harmonic_bond(math.sqrt(a2), bond[4 * n], bond[4 * n + 1])
                energy_b, pull_b[n] = harmonic_bond(math.sqrt(b2), bond[4 * n + 2], bond[4 * n + 3])
                bond_energy[n] = energy_a + energy_b
            _angle_potential(kind, count, cosine, values[2 * first : 2 * last], bonded.tables, energy, slope)
            for n in range(count):
                across = -slope[n] * per_ab[n]
                along_a = pull_a[n] + slope[n] * cosine[n] * per_a2[n]
                along_b = pull_b[n] + slope[n] * cosine[n] * per_b2[n]
                fx[n], gx[n] = across * bx[n] + along_a * ax[n], across * ax[n] + along_b * bx[n]
                fy[n], gy[n] = across * by[n] + along_a * ay[n], across * ay[n] + along_b * by[n]
                fz[n], gz[n] = across * bz[n] + along_a * az[n], across * az[n] + along_b * bz[n]
            for n in range(count):
                px, py, pz, qx, qy, qz = fx[n], fy[n], fz[n], gx[n], gy[n], gz[n]
                _add(onto, beads[3 * n], px, py, pz)
                _add(onto, beads[3 * n + 1], -px - qx, -py - qy, -pz - qz)
                _add(onto, beads[3 * n + 2], qx, qy, qz)
                if measure:
                    energies[2] += bond_energy[n]
                    energies[3] += energy[n]
                    add_virial(virial, ax[n], ay[n], az[n], px, py, pz)
                    add_virial(virial, bx[n], by[n], bz[n], qx, qy, qz)


@helper
def _difference(x: Any, i: int, j: int, edges: Any) -> tuple[float, float, float]:
    dx, dy, dz = _between(x, i, j)
    return _nearest(dx, dy, dz, edges)


@helper
def dihedral_forces(
    own: tuple[int, int], x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Proper (1), improper (2) and Ryckaert-Bellemans (3) dihedrals i-j-k-l (Blondel & Karplus 1996)."""
    edges = (box[0], box[1], box[2], 1.0 / box[0], 1.0 / box[1], 1.0 / box[2])
    positions, onto = x.reshape(-1), forces.reshape(-1)
    for n in range(bonded.dihedrals.shape[0]):
        i, j = bonded.dihedrals[n, 0], bonded.dihedrals[n, 1]
        if not own[0] <= i < own[1]:  # they are sorted by function
            continue
        k, m = bonded.dihedrals[n, 2], bonded.dihedrals[n, 3]
        fx, fy, fz = _difference(positions, i, j, edges)
        gx, gy, gz = _difference(positions, j, k, edges)
        hx, hy, hz = _difference(positions, m, k, edges)
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
        _add(onto, i, px, py, pz)
        _add(onto, j, -px - sx, -py - sy, -pz - sz)
        _add(onto, k, -qx + sx, -qy + sy, -qz + sz)
        _add(onto, m, qx, qy, qz)
        if measure:
            energies[4] += energy
            add_virial(virial, fx, fy, fz, px, py, pz)
            add_virial(virial, gx, gy, gz, -sx, -sy, -sz)
            add_virial(virial, hx, hy, hz, qx, qy, qz)


@helper
def bending_torsion_forces(
    own: tuple[int, int], x: Any, box: Any, bonded: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Combined bending-torsion (11) of i-j-k-l.

    With f = r_i - r_j, g = r_j - r_k, h = r_l - r_k, a = f × g, b = h × g and L = |f| |g|² |h|: t = sin θ1 sin θ2 = |a| |b|/L and
    p = t cos φ = a·b/L. U is homogeneous of degree 3 in p and t, so that ∂U/∂ln L = -3 U.
    """
    edges = (box[0], box[1], box[2], 1.0 / box[0], 1.0 / box[1], 1.0 / box[2])
    positions, onto = x.reshape(-1), forces.reshape(-1)
    n_terms = bonded.bending_torsions.shape[0]
    begin, end = (
        first_row_of(own[0], bonded.bending_torsions, 0, n_terms), first_row_of(own[1], bonded.bending_torsions, 0, n_terms)
    )  # fmt: skip
    for n in range(begin, end):
        i, j = bonded.bending_torsions[n, 0], bonded.bending_torsions[n, 1]
        k, m = bonded.bending_torsions[n, 2], bonded.bending_torsions[n, 3]
        fx, fy, fz = _difference(positions, i, j, edges)
        gx, gy, gz = _difference(positions, j, k, edges)
        hx, hy, hz = _difference(positions, m, k, edges)
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
        _add(onto, i, px, py, pz)
        _add(onto, j, sx - px, sy - py, sz - pz)
        _add(onto, k, -sx - qx, -sy - qy, -sz - qz)
        _add(onto, m, qx, qy, qz)
        if measure:
            energies[4] += energy
            add_virial(virial, fx, fy, fz, px, py, pz)
            add_virial(virial, gx, gy, gz, sx, sy, sz)
            add_virial(virial, hx, hy, hz, qx, qy, qz)
