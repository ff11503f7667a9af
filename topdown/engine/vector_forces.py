"""Non-bonded forces in mixed precision: pairs in float32, a register at a time; their sums over one step in float32.

The loops run over the lists of :mod:`neighbor_list` and gather the *negative* of each force: what is to be taken from the j bead
is added, so that the processor reads, adds and writes in two instructions. ``forces`` is laid out as ``NeighborList.slots`` are,
or, where several threads each have their own (``alone``), has four words to a slot.

What limits the innermost loop is how many results the processor can keep in flight. So each pack of j beads goes through three
stages, distances, their inverses, forces, and while one pack is in the last stage those behind it are in the others: no stage
waits for results of its own turn of the loop.

Lengths along each edge are in that edge over 2^32, as the positions are, squares in the first edge's: a product less to wait for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine._jit import inlined, uncounted
from topdown.engine._registers import LANES
from topdown.engine._simd import (
    add,
    div,
    fma,
    isub,
    lane0,
    lane1,
    lane2,
    less,
    maximum,
    mul,
    prefetch,
    quad,
    set_bits,
    splat,
    square_root,
    sub,
    to_float,
    total,
    where,
)
from topdown.engine._slots import (
    add_to_lone_rows,
    add_to_rows,
    cluster_positions,
    gather,
    gather_by_kind,
    gather_values,
    subtract_from_cluster,
    subtract_from_lone_cluster,
)
from topdown.engine.neighbor_list import TURN, prefetch_cluster
from topdown.engine.potentials import SMALLEST_R2

# The stages take and give registers only: an array handed on to them would have its references counted.


@inlined
def _apart(j: Any, at: Any, constants: Any) -> Any:
    """First stage: a cluster from a pack of j beads; dx, dy, dz and r², each in its unit."""
    dx = to_float(isub(at[0], lane0(j)))
    dy = to_float(isub(at[1], lane1(j)))
    dz = to_float(isub(at[2], lane2(j)))
    return dx, dy, dz, fma(dz, mul(dz, constants[1]), fma(dy, mul(dy, constants[0]), mul(dx, dx)))


@inlined
def _inverse(r2: Any, constants: Any) -> Any:
    """Second stage: 1/r² [1/nm²]; zero beyond the cut-off."""
    return div(where(less(r2, constants[2]), constants[3], constants[5]), maximum(r2, constants[4]))


@inlined
def _cube(a: Any) -> Any:
    return mul(mul(a, a), a)


def _last_stage(charged: bool, measured: bool) -> tuple[Any, Any]:
    """Last stage: the force on each pair over its distance, and the sums of the cluster with that pack's part."""

    @inlined
    def force_over_r(inverse: Any, inverse6: Any, c6: Any, c12: Any, qq: Any, constants: Any) -> Any:
        force = mul(mul(inverse6, inverse), sub(mul(c12, inverse6), c6))
        if charged:
            force = fma(qq, sub(mul(square_root(inverse), inverse), constants[6]), force)
        return force

    @inlined
    def with_pack(
        sums: Any, apart: Any, f: Any, inverse: Any, inverse6: Any, c6: Any, c12: Any, qq: Any, constants: Any
    ) -> Any:
        if measured:
            shift6, shift12, sixth, twelfth, k_rf, c_rf = constants[7:]
            dx, dy, dz, r2 = apart
            attraction = mul(c6, sub(mul(inverse6, sixth), shift6))
            repulsion = mul(c12, sub(mul(mul(inverse6, inverse6), twelfth), shift12))
            # pairs that do not count have an inverse of zero
            lj = where(less(constants[5], inverse), sub(repulsion, attraction), constants[5])
            coulomb = sums[4]
            if charged:
                coulomb = fma(qq, sub(fma(k_rf, r2, square_root(inverse)), c_rf), coulomb)
            result: Any = (
                add(sums[0], f[0]), add(sums[1], f[1]), add(sums[2], f[2]), add(sums[3], lj), coulomb,
                fma(dx, f[0], sums[5]), fma(dy, f[1], sums[6]), fma(dz, f[2], sums[7]),
                fma(dx, f[1], sums[8]), fma(dx, f[2], sums[9]), fma(dy, f[2], sums[10])
            )  # fmt: skip
        else:
            result = (add(sums[0], f[0]), add(sums[1], f[1]), add(sums[2], f[2]))
        return result

    return force_over_r, with_pack


def _masked(charged: bool, measured: bool, alone: bool) -> Any:
    """One i-cluster against its masked packs ``first`` … ``last - 1``: a few, one after the other."""
    add_forces = add_to_lone_rows if alone else add_to_rows
    force_over_r, with_pack = _last_stage(charged, measured)

    @inlined
    def packs(
        first: int, last: int, at: Any, charges: Any, lj: Any, constants: Any, near: Any, forces: Any, sums: Any
    ) -> Any:
        slots, rows, table, masks, charge_of = near.slots, near.masked_rows, near.table, near.masks, near.charges
        zero = constants[5]
        qq = zero
        for pack in range(first, last):
            start = pack * LANES
            apart = _apart(gather(slots, rows, start), at, constants)
            inverse = where(set_bits(masks[pack]), _inverse(apart[3], constants), zero)
            inverse6 = _cube(inverse)
            c6 = gather_by_kind(table, slots, rows, start, lj)
            c12 = gather_by_kind(table, slots, rows, start, lj + 4)
            if charged:
                qq = where(less(zero, inverse), mul(charges, gather_values(charge_of, rows, start)), zero)
            force = force_over_r(inverse, inverse6, c6, c12, qq, constants)
            f = (mul(force, apart[0]), mul(force, apart[1]), mul(force, apart[2]))
            add_forces(forces, rows, start, f[0], f[1], f[2])
            sums = with_pack(sums, apart, f, inverse, inverse6, c6, c12, qq, constants)
        return sums

    return packs


def _plain(charged: bool, uniform: bool, measured: bool, alone: bool) -> Any:
    """One i-cluster against its packs ``first`` … ``last - 1`` of the inner list: several kernels from one text."""
    add_forces = add_to_lone_rows if alone else add_to_rows
    force_over_r, with_pack = _last_stage(charged, measured)

    @inlined
    def packs(
        first: int, last: int, at: Any, charges: Any, lj: Any, constants: Any, near: Any, forces: Any, sums: Any
    ) -> Any:
        slots, rows, table, charge_of = near.slots, near.inner_rows, near.table, near.charges
        zero = constants[5]
        qq = zero
        if uniform:
            c6, c12 = lj
        start = first * LANES
        apart = _apart(gather(slots, rows, start), at, constants)
        inverse = _inverse(apart[3], constants)
        inverse6 = _cube(inverse)
        second = _apart(gather(slots, rows, start + LANES), at, constants)
        for pack in range(first, last):
            start = pack * LANES
            third = _apart(gather(slots, rows, start + 2 * LANES), at, constants)
            next_inverse = _inverse(second[3], constants)
            if not uniform:
                c6 = gather_by_kind(table, slots, rows, start, lj)
                c12 = gather_by_kind(table, slots, rows, start, lj + 4)
            if charged:
                qq = where(less(zero, inverse), mul(charges, gather_values(charge_of, rows, start)), zero)
            force = force_over_r(inverse, inverse6, c6, c12, qq, constants)
            f = (mul(force, apart[0]), mul(force, apart[1]), mul(force, apart[2]))
            add_forces(forces, rows, start, f[0], f[1], f[2])
            sums = with_pack(sums, apart, f, inverse, inverse6, c6, c12, qq, constants)
            apart, second = second, third
            inverse, inverse6 = next_inverse, _cube(next_inverse)
        return sums

    return packs


@uncounted
def force_units(box: Any) -> tuple[float, float, float]:
    """What the forces in the slots are in along each edge [kJ/mol/nm]."""
    return box[0] / TURN, box[1] / TURN, box[2] / TURN


@uncounted
def _constants(box: Any, pair: Any) -> Any:
    """What :func:`vector_forces` needs of box and potential, in its units."""
    unit2 = (box[0] / TURN) ** 2
    return (
        splat(np.float32((box[1] / box[0]) ** 2)), splat(np.float32((box[2] / box[0]) ** 2)),
        splat(np.float32(pair.cutoff * pair.cutoff / unit2)), splat(np.float32(1.0 / unit2)),
        splat(np.float32(SMALLEST_R2 / unit2)), splat(np.float32(0.0)), splat(np.float32(2.0 * pair.coulomb[1])),
    )  # fmt: skip


@uncounted
def _is_shifted(lj: Any) -> bool:
    for a in range(lj.shape[0]):
        for b in range(lj.shape[1]):
            if lj[a, b, 2] != 0.0:
                return True
    return False


def _unmeasured(alone: bool) -> Any:
    subtract = subtract_from_lone_cluster if alone else subtract_from_cluster
    masked_neutral, masked_charged = _masked(False, False, alone), _masked(True, False, alone)
    plain_neutral, plain_charged = _plain(False, False, False, alone), _plain(True, False, False, alone)
    plain_uniform = _plain(False, True, False, alone)

    @uncounted
    def forces_of_clusters(first: int, last: int, box: Any, pair: Any, near: Any, forces: Any) -> None:
        """Subtract the forces of the lists of clusters ``first`` … ``last - 1`` from ``forces``; positions must be placed.

        Times :func:`force_units` they are in kJ/mol/nm.
        """
        slots, table, charged, uniform, ahead = near.slots, near.table, near.charged, near.uniform, near.counts[4]
        masked_start, start, end = near.masked_start, near.inner_start, near.inner_end
        stride = 8 * (pair.lj.shape[0] + 1)
        constants = _constants(box, pair)
        f_r, zero = splat(np.float32(pair.coulomb[0])), splat(np.float32(0.0))
        for q in range(first, last):
            prefetch_cluster(slots, min(q + ahead, last - 1))
            if alone:
                prefetch(forces, 16 * min(q + ahead, last - 1))
            at = cluster_positions(slots, q)
            f = (zero, zero, zero)
            own = stride * q
            m0, m1, p0, p1 = masked_start[q], masked_start[q + 1], start[q], end[q]
            if charged[q]:
                charges = mul(f_r, quad(near.charges, 4 * q))
                f = masked_charged(m0, m1, at, charges, own, constants, near, forces, f)
                f = plain_charged(p0, p1, at, charges, own, constants, near, forces, f)
            else:
                f = masked_neutral(m0, m1, at, zero, own, constants, near, forces, f)
                if uniform[q] >= 0:
                    place = own + np.int64(uniform[q])
                    lj = quad(table, place), quad(table, place + 4)
                    f = plain_uniform(p0, p1, at, zero, lj, constants, near, forces, f)
                else:
                    f = plain_neutral(p0, p1, at, zero, own, constants, near, forces, f)
            subtract(forces, q, f[0], f[1], f[2])

    return forces_of_clusters


def _measured(alone: bool) -> Any:
    subtract = subtract_from_lone_cluster if alone else subtract_from_cluster
    # measuring is rare: fewer kernels to compile
    masked, plain_neutral = _masked(True, True, alone), _plain(False, False, True, alone)
    plain_charged = _plain(True, False, True, alone)

    @uncounted
    def forces_and_energies(
        first: int, last: int, box: Any, pair: Any, near: Any, forces: Any, energies: Any, virial: Any
    ) -> None:
        """As :func:`vector_forces`, with energies and virial; sums over a cluster in float32, over clusters in float64."""
        slots, ahead = near.slots, near.counts[4]
        masked_start, start, end = near.masked_start, near.inner_start, near.inner_end
        stride = 8 * (pair.lj.shape[0] + 1)
        unit_x, unit_y, unit_z = force_units(box)
        at_cutoff6 = pair.cutoff**-6 if _is_shifted(pair.lj) else 0.0
        constants = (
            *_constants(box, pair),
            splat(np.float32(at_cutoff6 / 6.0)), splat(np.float32(at_cutoff6 * at_cutoff6 / 12.0)),
            splat(np.float32(1.0 / 6.0)), splat(np.float32(1.0 / 12.0)),
            splat(np.float32(pair.coulomb[1] * unit_x * unit_x)), splat(np.float32(pair.coulomb[2])),
        )  # fmt: skip
        f_r, zero = splat(np.float32(pair.coulomb[0])), splat(np.float32(0.0))
        for q in range(first, last):
            prefetch_cluster(slots, min(q + ahead, last - 1))
            if alone:
                prefetch(forces, 16 * min(q + ahead, last - 1))
            at = cluster_positions(slots, q)
            s = (zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero)
            own, p0, p1 = stride * q, start[q], end[q]
            charges = mul(f_r, quad(near.charges, 4 * q))
            s = masked(masked_start[q], masked_start[q + 1], at, charges, own, constants, near, forces, s)
            if near.charged[q]:
                s = plain_charged(p0, p1, at, charges, own, constants, near, forces, s)
            else:
                s = plain_neutral(p0, p1, at, charges, own, constants, near, forces, s)
            subtract(forces, q, s[0], s[1], s[2])
            energies[0] += total(s[3])
            energies[1] += total(s[4])
            xy, xz, yz = (
                0.5 * unit_x * unit_y * total(s[8]), 0.5 * unit_x * unit_z * total(s[9]), 0.5 * unit_y * unit_z * total(s[10])
            )  # fmt: skip
            virial[0, 0] -= 0.5 * unit_x * unit_x * total(s[5])
            virial[1, 1] -= 0.5 * unit_y * unit_y * total(s[6])
            virial[2, 2] -= 0.5 * unit_z * unit_z * total(s[7])
            virial[0, 1] -= xy
            virial[1, 0] -= xy
            virial[0, 2] -= xz
            virial[2, 0] -= xz
            virial[1, 2] -= yz
            virial[2, 1] -= yz

    return forces_and_energies


vector_forces, team_vector_forces = _unmeasured(False), _unmeasured(True)
vector_forces_and_energies, team_vector_forces_and_energies = _measured(False), _measured(True)
