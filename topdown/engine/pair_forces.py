"""Non-bonded forces over the neighbour list.

``energies[0]`` gathers Lennard-Jones, ``energies[1]`` Coulomb; ``virial`` is Ξ = -1/2 Σ r ⊗ f, (3, 3), as GROMACS defines it.
Energies and virial are only accumulated when ``measure`` is set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine._jit import kernel
from topdown.engine.potentials import SMALLEST_R2, lennard_jones, reaction_field


@kernel
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


def _pair_loop(measure: bool, force_shift: bool = False) -> Any:
    """The pair loop with or without energies and virial, or force-shifted: several compiled kernels from one text.

    Row by row: the pairs inside the cut-off are first packed without branches (whether a listed pair is inside is a coin
    toss that no processor predicts), then their forces computed in a loop that compiles to vector instructions.
    """

    @kernel
    def loop(x: Any, box: Any, pair: Any, start: Any, neighbors: Any, forces: Any, energies: Any, virial: Any) -> None:
        cutoff2 = pair.cutoff * pair.cutoff
        scale, k_rf, c_rf = pair.coulomb[0], pair.coulomb[1], pair.coulomb[2]
        lj, types, charges = pair.lj, pair.types, pair.charges
        bx, by, bz = box[0], box[1], box[2]
        inv_x, inv_y, inv_z = 1.0 / bx, 1.0 / by, 1.0 / bz
        # F(r_c) = 12 C12/r_c^13 - 6 C6/r_c^7
        steepest, flattest = 12.0 / pair.cutoff**13, 6.0 / pair.cutoff**7
        longest: Any = 1
        for i in range(x.shape[0]):
            longest = max(longest, np.int64(start[i + 1]) - np.int64(start[i]))
        partner = np.empty(longest, np.uint32)
        apart = np.empty((4, longest))
        values = np.empty((4, longest))
        for i in range(x.shape[0]):
            xi, yi, zi = x[i, 0], x[i, 1], x[i, 2]
            inside = 0
            for n in range(start[i], start[i + 1]):
                j = neighbors[n]
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

    return loop


_forces_only = _pair_loop(False)
_forces_and_energies = _pair_loop(True)
_force_shifted = _pair_loop(True, force_shift=True)


@kernel
def pair_forces(
    x: Any, box: Any, pair: Any, start: Any, neighbors: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Add Lennard-Jones and reaction-field forces of all listed pairs inside the cut-off."""
    if pair.force_shift:
        # never on the way of production: one kernel will do, its sums left aside where they are not asked for
        if measure:
            _force_shifted(x, box, pair, start, neighbors, forces, energies, virial)
        else:
            _force_shifted(x, box, pair, start, neighbors, forces, np.zeros_like(energies), np.zeros_like(virial))
    elif measure:
        _forces_and_energies(x, box, pair, start, neighbors, forces, energies, virial)
    else:
        _forces_only(x, box, pair, start, neighbors, forces, energies, virial)
