"""The coupling path of a solute: soft-core Lennard-Jones and linearly scaled charges between it and everything else.

Interactions inside the solute stay on in full, reaction field and self terms included. Neither the pair loop nor its
lists hold a solute-solvent pair: the solute is a block of few beads, and each looks at all that ``near_solute`` lists.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from topdown.engine._jit import helper
from topdown.engine._lent import lent
from topdown.engine.neighbor_list import minimum_image
from topdown.engine.pair_forces import add_virial
from topdown.engine.potentials import SMALLEST_R2, SOFT_CORE_ALPHA, reaction_field, soft_core


@lent
class Lambda(NamedTuple):
    """A point of the path: λ of the soft-core Lennard-Jones and the factor of the solute-solvent Coulomb energy."""

    lj: float
    charge: float


COUPLED = Lambda(1.0, 1.0)


def as_lambda(lam: Lambda | float) -> Lambda:
    """``lam`` itself, or a plain number taken for both."""
    return lam if isinstance(lam, Lambda) else Lambda(float(lam), float(lam))


@helper
def soft_core_powers(r2: float, sigma6: float, lam: float) -> tuple[float, float]:
    """Repulsion 4λ u² and dispersion 4λ u of U/ε, u = σ0^6/s, s = α(1-λ)σ0^6 + r^6; without shift."""
    u = sigma6 / (SOFT_CORE_ALPHA * (1.0 - lam) * sigma6 + r2 * r2 * r2)
    return 4.0 * lam * u * u, 4.0 * lam * u


@helper
def soft_core_slope(r2: float, sigma6: float, lam: float) -> float:
    """∂/∂λ of 4λ (u² - u), with ∂u/∂λ = α u²; without shift."""
    u = sigma6 / (SOFT_CORE_ALPHA * (1.0 - lam) * sigma6 + r2 * r2 * r2)
    gain = lam * SOFT_CORE_ALPHA * u
    return 4.0 * u * (u * (1.0 + 2.0 * gain) - (1.0 + gain))


@helper
def near_solvent(x: Any, box: Any, near: Any, i: int, cutoff: float, partner: Any, apart: Any) -> int:
    """Pack what solute bead ``i`` sees: indices in ``partner``, x_i - x_j and its square in ``apart`` (4, n); their number."""
    cutoff2 = cutoff * cutoff
    x_i, y_i, z_i = x[i, 0], x[i, 1], x[i, 2]
    edge_x, edge_y, edge_z = box[0], box[1], box[2]
    listed = near.near_solute
    inside = 0
    for n in range(near.counts[3]):
        j = listed[n]
        dx = minimum_image(x_i - x[j, 0], edge_x)
        dy = minimum_image(y_i - x[j, 1], edge_y)
        dz = minimum_image(z_i - x[j, 2], edge_z)
        square = dx * dx + dy * dy + dz * dz
        partner[inside] = j
        apart[0, inside], apart[1, inside], apart[2, inside] = dx, dy, dz
        apart[3, inside] = max(square, SMALLEST_R2)
        inside += square < cutoff2
    return inside


@helper
def solute_forces(
    x: Any, box: Any, pair: Any, lam: Any, near: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Forces between the solute and everything else at one point of the path; ``near`` must list its neighbourhood."""
    block = pair.solute_block
    if block[0] == block[1] or (lam.lj == 0.0 and lam.charge == 0.0):
        return
    room = near.counts[3] + 1
    partner, apart, slope = np.empty(room, np.uint32), np.empty((4, room)), np.empty(room)
    lj, types, charges = pair.lj, pair.types, pair.charges
    scale, k_rf, c_rf = lam.charge * pair.coulomb[0], pair.coulomb[1], pair.coulomb[2]
    cutoff2 = pair.cutoff * pair.cutoff
    for i in range(np.int64(block[0]), np.int64(block[1])):
        inside = near_solvent(x, box, near, i, pair.cutoff, partner, apart)
        for k in range(inside):
            values = lj[types[i], types[partner[k]]]
            energy, slope[k] = soft_core(apart[3, k], values[0], values[1], values[3], lam.lj)
            if measure:
                shift, _ = soft_core(cutoff2, values[0], values[1], values[3], lam.lj)
                energies[0] += energy - shift
        q = scale * charges[i]
        if q != 0.0:
            for k in range(inside):
                coulomb, extra = reaction_field(apart[3, k], q * charges[partner[k]], k_rf, c_rf)
                slope[k] += extra
                if measure:
                    energies[1] += coulomb
        for k in range(inside):
            j = partner[k]
            gx, gy, gz = slope[k] * apart[0, k], slope[k] * apart[1, k], slope[k] * apart[2, k]
            forces[i, 0] += gx
            forces[i, 1] += gy
            forces[i, 2] += gz
            forces[j, 0] -= gx
            forces[j, 1] -= gy
            forces[j, 2] -= gz
            if measure:
                add_virial(virial, apart[0, k], apart[1, k], apart[2, k], gx, gy, gz)
