"""Non-bonded forces over the pair lists.

``energies[0]`` gathers Lennard-Jones, ``energies[1]`` Coulomb; ``virial`` is Ξ = -1/2 Σ r ⊗ f, (3, 3), as GROMACS defines it.
Energies and virial are only accumulated when ``measure`` is set. In mixed precision :mod:`vector_forces` does the work; in
double precision the same lists are walked bead by bead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine._jit import helper
from topdown.engine._registers import LANES
from topdown.engine._simd import prefetch
from topdown.engine.potentials import SMALLEST_R2, lennard_jones, reaction_field
from topdown.engine.vector_forces import force_units


@helper
def add_virial(virial: Any, dx: float, dy: float, dz: float, fx: float, fy: float, fz: float) -> None:
    """Ξ -= 1/2 d ⊗ f for a force f on the bead at the head of d."""
    virial[0, 0] -= 0.5 * dx * fx
    virial[0, 1] -= 0.5 * dx * fy
    virial[0, 2] -= 0.5 * dx * fz
    virial[1, 0] -= 0.5 * dy * fx
    virial[1, 1] -= 0.5 * dy * fy
    virial[1, 2] -= 0.5 * dy * fz
    virial[2, 0] -= 0.5 * dz * fx
    virial[2, 1] -= 0.5 * dz * fy
    virial[2, 2] -= 0.5 * dz * fz


@helper
def partners_of(slot: int, near: Any, partner: Any) -> int:
    """Write the beads listed for the bead of one slot into ``partner``; their number. Each pair is listed for one of the two."""
    q, bit = slot // 4, np.uint32(slot % 4)
    rows, order, n_beads = near.inner_rows, near.order, near.slot_of.shape[0]
    four = np.uint32(4)
    n = 0
    for entry in range(LANES * near.masked_start[q], LANES * near.masked_start[q + 1]):
        bits = near.masks[entry // LANES] >> np.uint32(4 * (entry % LANES))
        partner[n] = order[near.masked_rows[entry] // four]
        n += (bits >> bit) & np.uint32(1)
    for entry in range(LANES * near.inner_start[q], LANES * near.inner_end[q]):
        partner[n] = order[rows[entry] // four]
        n += partner[n] < n_beads
    return n


@helper
def most_partners(near: Any) -> int:
    """Room that :func:`partners_of` needs."""
    longest = 0
    for q in range(near.counts[0]):
        packs = np.int64(near.masked_start[q + 1] - near.masked_start[q]) + near.inner_end[q] - near.inner_start[q]
        longest = max(longest, packs * LANES + 1)
    return longest


@helper
def pair_forces(
    x: Any, box: Any, pair: Any, near: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:  # fmt: skip
    """Add Lennard-Jones and reaction-field forces of all listed pairs inside the cut-off, in double precision.

    Bead by bead: the pairs inside the cut-off are first packed without branches (whether a listed pair is inside is a coin
    toss that no processor predicts), then their forces computed in a loop that compiles to vector instructions.
    """
    cutoff2 = pair.cutoff * pair.cutoff
    scale, k_rf, c_rf = pair.coulomb[0], pair.coulomb[1], pair.coulomb[2]
    lj, types, charges, force_shift = pair.lj, pair.types, pair.charges, pair.force_shift
    bx, by, bz = box[0], box[1], box[2]
    inv_x, inv_y, inv_z = 1.0 / bx, 1.0 / by, 1.0 / bz
    # F(r_c) = 12 C12/r_c^13 - 6 C6/r_c^7
    steepest, flattest = 12.0 / pair.cutoff**13, 6.0 / pair.cutoff**7
    longest = most_partners(near)
    partner, listed = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    apart = np.empty((4, longest))
    values = np.empty((4, longest))
    for slot in range(4 * near.counts[0]):
        i = near.order[slot]
        if i >= x.shape[0]:
            continue
        xi, yi, zi = x[i, 0], x[i, 1], x[i, 2]
        inside = 0
        for n in range(partners_of(slot, near, listed)):
            j = listed[n]
            dx = xi - x[j, 0]
            dy = yi - x[j, 1]
            dz = zi - x[j, 2]
            dx -= bx * np.rint(dx * inv_x)
            dy -= by * np.rint(dy * inv_y)
            dz -= bz * np.rint(dz * inv_z)
            r2 = dx * dx + dy * dy + dz * dz
            partner[inside] = j
            apart[0, inside] = dx
            apart[1, inside] = dy
            apart[2, inside] = dz
            apart[3, inside] = max(r2, SMALLEST_R2)
            inside += r2 < cutoff2
        ti = types[i]
        for k in range(inside):
            tj = types[partner[k]]
            values[0, k] = lj[ti, tj, 0]
            values[1, k] = lj[ti, tj, 1]
            values[3, k] = lj[ti, tj, 2]
        row_energy = 0.0
        for k in range(inside):
            energy, force = lennard_jones(apart[3, k], values[0, k], values[1, k])
            if force_shift:
                r = np.sqrt(apart[3, k])
                at_cutoff = steepest * values[1, k] - flattest * values[0, k]
                force -= at_cutoff / r
                energy += at_cutoff * (r - pair.cutoff)
            values[2, k] = force
            row_energy += energy - values[3, k]
        if measure:
            energies[0] += row_energy
        qi = charges[i] * scale
        if qi != 0.0:
            for k in range(inside):
                coulomb, extra = reaction_field(apart[3, k], qi * charges[partner[k]], k_rf, c_rf)
                values[2, k] += extra
                if measure:
                    energies[1] += coulomb
        fx = fy = fz = 0.0
        for k in range(inside):
            j = partner[k]
            gx, gy, gz = values[2, k] * apart[0, k], values[2, k] * apart[1, k], values[2, k] * apart[2, k]
            fx += gx
            fy += gy
            fz += gz
            forces[j, 0] -= gx
            forces[j, 1] -= gy
            forces[j, 2] -= gz
            if measure:
                add_virial(virial, apart[0, k], apart[1, k], apart[2, k], gx, gy, gz)
        forces[i, 0] += fx
        forces[i, 1] += fy
        forces[i, 2] += fz


@helper
def add_vector_forces(first: int, last: int, single: Any, box: Any, slot_of: Any, forces: Any, row: int) -> None:
    """Add the forces of beads ``first`` … ``last - 1`` in the slots [kJ/mol/nm] to ``forces``, whose rows begin with ``row``."""
    unit_x, unit_y, unit_z = force_units(box)
    for i in range(first, last):
        k = 8 * np.int64(slot_of[i]) + 4
        forces[row, 0] -= unit_x * single[k]
        forces[row, 1] -= unit_y * single[k + 1]
        forces[row, 2] -= unit_z * single[k + 2]
        row += 1


@helper
def prefetch_slots(first: int, last: int, near: Any, team: Any) -> None:
    """Have fetched what :func:`add_vector_forces` or :func:`add_team_forces` will need for beads ``first`` … ``last - 1``.

    Slots lie anywhere, and of several threads' forces other processors hold much.
    """
    slot_of, split, parts = near.slot_of, team.split, team.forces
    n = parts.shape[0] if parts.shape[0] > 1 else 0
    for i in range(first, last):
        slot = np.int64(slot_of[i])
        prefetch(near.slots, 8 * slot)
        for thread in range(n):
            if 4 * split[thread] <= slot:
                prefetch(parts, thread * parts.shape[1] + 4 * slot)


@helper
def add_team_forces(first: int, last: int, team: Any, box: Any, slot_of: Any, forces: Any, row: int) -> None:
    """As :func:`add_vector_forces` from the buffers of every thread that has written there, which are left zero.

    No thread writes to slots before its first cluster.
    """
    unit_x, unit_y, unit_z = force_units(box)
    split, parts, n = team.split, team.forces, team.forces.shape[0]
    none = np.float32(0.0)
    for i in range(first, last):
        slot = np.int64(slot_of[i])
        k = 4 * slot
        x, y, z = parts[0, k], parts[0, k + 1], parts[0, k + 2]
        parts[0, k] = parts[0, k + 1] = parts[0, k + 2] = parts[0, k + 3] = none
        for thread in range(1, n):
            if 4 * split[thread] > slot:
                break
            x += parts[thread, k]
            y += parts[thread, k + 1]
            z += parts[thread, k + 2]
            parts[thread, k] = parts[thread, k + 1] = parts[thread, k + 2] = parts[thread, k + 3] = none
        forces[row, 0] -= unit_x * x
        forces[row, 1] -= unit_y * y
        forces[row, 2] -= unit_z * z
        row += 1
