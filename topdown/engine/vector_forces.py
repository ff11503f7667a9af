"""Non-bonded forces in mixed precision: pairs in float32, a register at a time; their sums over one step in float32.

The loops run over the lists of :mod:`neighbor_list` and gather the *negative* of each force: what is to be taken from the j bead
is added, so that the processor reads, adds and writes in two instructions. ``forces`` is laid out as ``NeighborList.slots`` are.

What limits the innermost loop is how many results the processor can keep in flight, so while the forces of one pack are
worked out the distances of the next one are on their way. The unit of length there is the first edge over 2^32: a product less.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine._jit import helper, inlined
from topdown.engine._simd import (
    LANES,
    add,
    add_to_rows,
    both,
    cluster_positions,
    div,
    fma,
    gather,
    gather_by_kind,
    gather_values,
    in_order,
    inverse_root,
    isub,
    lane0,
    lane1,
    lane2,
    less,
    maximum,
    mul,
    quad,
    reciprocal,
    set_bits,
    splat,
    square_root,
    sub,
    subtract_from_cluster,
    to_float,
    total,
    where,
)
from topdown.engine.neighbor_list import TURN, scales
from topdown.engine.potentials import SMALLEST_R2

_EVERY_BIT = np.uint32(0xFFFFFFFF)


def _packs(masked: bool, charged: bool) -> Any:
    """One i-cluster against its packs ``first`` … ``last - 1``: four kernels from one text, without branches inside."""

    @inlined
    def packs(
        first: int, last: int, rows: Any, at: Any, charges: Any, offset: int, constants: Any, near: Any, forces: Any,
        total_force: Any
    ) -> Any:  # fmt: skip
        slots, table, masks = near.slots, near.table, near.masks
        xi, yi, zi = at
        fx, fy, fz = total_force
        ratio_y, ratio_z, cutoff2, per_unit2, smallest, two_k = constants
        zero = splat(np.float32(0.0))
        j = gather(slots, rows, first * LANES)
        dx = to_float(isub(xi, lane0(j)))
        dy = mul(to_float(isub(yi, lane1(j))), ratio_y)
        dz = mul(to_float(isub(zi, lane2(j))), ratio_z)
        r2 = fma(dx, dx, fma(dy, dy, mul(dz, dz)))
        inverse = div(where(less(r2, cutoff2), per_unit2, zero), maximum(r2, smallest))
        for pack in range(first, last):
            start = pack * LANES
            j = gather(slots, rows, start + LANES)
            next_x = to_float(isub(xi, lane0(j)))
            next_y = mul(to_float(isub(yi, lane1(j))), ratio_y)
            next_z = mul(to_float(isub(zi, lane2(j))), ratio_z)
            next_r2 = fma(next_x, next_x, fma(next_y, next_y, mul(next_z, next_z)))
            next_inverse = div(where(less(next_r2, cutoff2), per_unit2, zero), maximum(next_r2, smallest))
            inverse = in_order(next_inverse, inverse)
            c6 = gather_by_kind(table, slots, rows, start, offset)
            c12 = gather_by_kind(table, slots, rows, start, offset + 4)
            if charged:
                inverse_r = square_root(inverse)
            if masked:
                inverse = where(set_bits(masks[pack]), inverse, zero)
            inverse6 = mul(mul(inverse, inverse), inverse)
            force = mul(mul(inverse6, inverse), sub(mul(c12, inverse6), c6))
            if charged:
                # pairs that do not count have an inverse of zero
                qq = where(less(zero, inverse), mul(charges, gather_values(near.charges, rows, start)), zero)
                force = fma(qq, sub(mul(inverse_r, inverse), two_k), force)
            gx, gy, gz = mul(force, dx), mul(force, dy), mul(force, dz)
            fx, fy, fz = add(fx, gx), add(fy, gy), add(fz, gz)
            add_to_rows(forces, rows, start, gx, gy, gz)
            dx, dy, dz, inverse = next_x, next_y, next_z, next_inverse
        return fx, fy, fz

    return packs


_masked_neutral, _masked_charged = _packs(True, False), _packs(True, True)
_plain_neutral, _plain_charged = _packs(False, False), _packs(False, True)


@helper
def force_unit(box: Any, measured: bool) -> float:
    """What the sums of :func:`vector_forces` are in, or of :func:`vector_forces_and_energies` when ``measured`` [kJ/mol/nm]."""
    return 1.0 if measured else box[0] / TURN


@helper
def vector_forces(first: int, last: int, box: Any, pair: Any, near: Any, forces: Any) -> None:
    """Subtract the forces of the lists of clusters ``first`` … ``last - 1`` from ``forces``; positions must be placed.

    Times :func:`force_unit` they are in kJ/mol/nm.
    """
    slots, charged = near.slots, near.charged
    masked_start, masked_rows = near.masked_start, near.masked_rows
    start, end, rows = near.outer_start, near.inner_end, near.inner_rows
    stride = 8 * (pair.lj.shape[0] + 1)
    unit2 = (box[0] / TURN) ** 2
    constants = (
        splat(np.float32(box[1] / box[0])), splat(np.float32(box[2] / box[0])),
        splat(np.float32(pair.cutoff * pair.cutoff / unit2)), splat(np.float32(1.0 / unit2)),
        splat(np.float32(SMALLEST_R2 / unit2)),
        splat(np.float32(2.0 * pair.coulomb[1])),
    )  # fmt: skip
    f_r, zero = splat(np.float32(pair.coulomb[0])), splat(np.float32(0.0))
    for q in range(first, last):
        at = cluster_positions(slots, q)
        f = (zero, zero, zero)
        own = stride * q
        m0, m1, p0, p1 = masked_start[q], masked_start[q + 1], start[q], end[q]
        if charged[q]:
            charges = mul(f_r, quad(near.charges, 4 * q))
            f = _masked_charged(m0, m1, masked_rows, at, charges, own, constants, near, forces, f)
            f = _plain_charged(p0, p1, rows, at, charges, own, constants, near, forces, f)
        else:
            f = _masked_neutral(m0, m1, masked_rows, at, zero, own, constants, near, forces, f)
            f = _plain_neutral(p0, p1, rows, at, zero, own, constants, near, forces, f)
        subtract_from_cluster(forces, q, f[0], f[1], f[2])


@inlined
def _measured_packs(
    first: int, last: int, rows: Any, masked: bool, at: Any, charges: Any, offset: int, constants: Any, near: Any, forces: Any,
    sums: Any
) -> Any:  # fmt: skip
    """As ``_packs``, and adds to ``sums`` (forces, Lennard-Jones and Coulomb energy, Σ d ⊗ f as xx, yy, zz, xy, xz, yz)."""
    slots, table, masks = near.slots, near.table, near.masks
    xi, yi, zi = at
    fx, fy, fz, lj, coulomb, xx, yy, zz, xy, xz, yz = sums
    scale_x, scale_y, scale_z, cutoff2, smallest, two_k, k_rf, c_rf, shift6, shift12, sixth, twelfth = constants
    zero = splat(np.float32(0.0))
    for pack in range(first, last):
        start = pack * LANES
        j = gather(slots, rows, start)
        dx = mul(to_float(isub(xi, lane0(j))), scale_x)
        dy = mul(to_float(isub(yi, lane1(j))), scale_y)
        dz = mul(to_float(isub(zi, lane2(j))), scale_z)
        distance2 = fma(dx, dx, fma(dy, dy, mul(dz, dz)))
        inside = both(less(distance2, cutoff2), set_bits(masks[pack] if masked else _EVERY_BIT))
        r2 = maximum(distance2, smallest)
        inverse_r = inverse_root(r2)
        inverse = reciprocal(r2)
        inverse6 = mul(mul(inverse, inverse), inverse)
        c6 = gather_by_kind(table, slots, rows, start, offset)
        c12 = gather_by_kind(table, slots, rows, start, offset + 4)
        qq = mul(charges, gather_values(near.charges, rows, start))
        force = mul(mul(inverse6, inverse), sub(mul(c12, inverse6), c6))
        force = where(inside, fma(qq, sub(mul(inverse_r, inverse), two_k), force), zero)
        energy = sub(
            mul(c12, sub(mul(mul(inverse6, inverse6), twelfth), shift12)), mul(c6, sub(mul(inverse6, sixth), shift6))
        )
        lj = add(lj, where(inside, energy, zero))
        coulomb = add(coulomb, where(inside, mul(qq, sub(fma(k_rf, r2, inverse_r), c_rf)), zero))
        gx, gy, gz = mul(force, dx), mul(force, dy), mul(force, dz)
        fx, fy, fz = add(fx, gx), add(fy, gy), add(fz, gz)
        xx, yy, zz = fma(dx, gx, xx), fma(dy, gy, yy), fma(dz, gz, zz)
        xy, xz, yz = fma(dx, gy, xy), fma(dx, gz, xz), fma(dy, gz, yz)
        add_to_rows(forces, rows, start, gx, gy, gz)
    return fx, fy, fz, lj, coulomb, xx, yy, zz, xy, xz, yz


@helper
def _is_shifted(lj: Any) -> bool:
    for a in range(lj.shape[0]):
        for b in range(lj.shape[1]):
            if lj[a, b, 2] != 0.0:
                return True
    return False


@helper
def vector_forces_and_energies(
    first: int, last: int, box: Any, pair: Any, near: Any, forces: Any, energies: Any, virial: Any
) -> None:
    """As :func:`vector_forces`, with energies and virial; sums over a cluster in float32, over clusters in float64."""
    slots = near.slots
    stride = 8 * (pair.lj.shape[0] + 1)
    k_rf, c_rf = pair.coulomb[1], pair.coulomb[2]
    at_cutoff6 = pair.cutoff**-6 if _is_shifted(pair.lj) else 0.0
    scale_x, scale_y, scale_z = scales(box)
    constants = (
        scale_x, scale_y, scale_z,
        splat(np.float32(pair.cutoff * pair.cutoff)), splat(np.float32(SMALLEST_R2)), splat(np.float32(2.0 * k_rf)),
        splat(np.float32(k_rf)), splat(np.float32(c_rf)),
        splat(np.float32(at_cutoff6 / 6.0)), splat(np.float32(at_cutoff6 * at_cutoff6 / 12.0)),
        splat(np.float32(1.0 / 6.0)), splat(np.float32(1.0 / 12.0)),
    )  # fmt: skip
    f_r, zero = splat(np.float32(pair.coulomb[0])), splat(np.float32(0.0))
    for q in range(first, last):
        at = cluster_positions(slots, q)
        s = (zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero)
        charges = mul(f_r, quad(near.charges, 4 * q))
        s = _measured_packs(
            near.masked_start[q], near.masked_start[q + 1], near.masked_rows, True, at, charges, stride * q, constants, near,
            forces, s
        )  # fmt: skip
        s = _measured_packs(
            near.outer_start[q], near.inner_end[q], near.inner_rows, False, at, charges, stride * q, constants, near, forces, s
        )  # fmt: skip
        subtract_from_cluster(forces, q, s[0], s[1], s[2])
        energies[0] += total(s[3])
        energies[1] += total(s[4])
        xy, xz, yz = 0.5 * total(s[8]), 0.5 * total(s[9]), 0.5 * total(s[10])
        virial[0, 0] -= 0.5 * total(s[5])
        virial[1, 1] -= 0.5 * total(s[6])
        virial[2, 2] -= 0.5 * total(s[7])
        virial[0, 1] -= xy
        virial[1, 0] -= xy
        virial[0, 2] -= xz
        virial[2, 0] -= xz
        virial[1, 2] -= yz
        virial[2, 1] -= yz
