"""The reaction field of excluded pairs and of each charge with itself, in ``energies[1]``; ``virial`` as in ``pair_forces``."""

from __future__ import annotations

from typing import Any

from topdown.engine._arrays import first_of, first_row_of
from topdown.engine._jit import helper
from topdown.engine.neighbor_list import minimum_image
from topdown.engine.pair_forces import add_virial


@helper
def excluded_pair_forces(
    own: tuple[int, int], x: Any, box: Any, pair: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """Reaction field of excluded pairs inside the cut-off and of each charge with itself, as GROMACS counts them.

    Of the molecules of beads ``own[0]`` … ``own[1] - 1``.
    """
    cutoff2 = pair.cutoff * pair.cutoff
    f, k_rf, c_rf = pair.coulomb[0], pair.coulomb[1], pair.coulomb[2]
    pairs, charges, charged = pair.charged_exclusions, pair.charges, pair.charged
    n_pairs = pairs.shape[0]
    for n in range(first_row_of(own[0], pairs, 0, n_pairs), first_row_of(own[1], pairs, 0, n_pairs)):
        i, j = pairs[n, 0], pairs[n, 1]
        qq = f * charges[i] * charges[j]
        dx = minimum_image(x[i, 0] - x[j, 0], box[0])
        dy = minimum_image(x[i, 1] - x[j, 1], box[1])
        dz = minimum_image(x[i, 2] - x[j, 2], box[2])
        r2 = dx * dx + dy * dy + dz * dz
        if r2 >= cutoff2:
            continue
        g = -2.0 * k_rf * qq
        forces[i, 0] += g * dx
        forces[i, 1] += g * dy
        forces[i, 2] += g * dz
        forces[j, 0] -= g * dx
        forces[j, 1] -= g * dy
        forces[j, 2] -= g * dz
        if measure:
            energies[1] += qq * (k_rf * r2 - c_rf)
            add_virial(virial, dx, dy, dz, g * dx, g * dy, g * dz)
    if measure:
        for n in range(first_of(own[0], charged), first_of(own[1], charged)):
            q = charges[charged[n]]
            energies[1] -= 0.5 * f * q * q * c_rf
