"""The sums the energy is linear in, measured on one frame: U = Σ_p ε_p S_p + Σ_q ε_q T_{k,q} + U_rest.

Both are matrices over bead types (upper triangle used), made dimensionless by ε = 1: S is the Lennard-Jones energy per ε of
the listed pairs, T the soft-core energy per ε of solute-solvent pairs at each λ_k.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.engine._jit import kernel
from topdown.engine.neighbor_list import minimum_image
from topdown.engine.parameters import PairParameters, lennard_jones_table
from topdown.engine.potentials import SMALLEST_R2, lennard_jones, soft_core


@kernel
def pair_sums(x: Any, box: Any, pair: Any, unit_lj: Any, start: Any, neighbors: Any, sums: Any) -> None:
    """Add to ``sums`` (n_types, n_types) the Lennard-Jones energy per ε of listed pairs; row ≤ column."""
    cutoff2 = pair.cutoff * pair.cutoff
    for i in range(x.shape[0]):
        for n in range(start[i], start[i + 1]):
            j = neighbors[n]
            dx = minimum_image(x[i, 0] - x[j, 0], box[0])
            dy = minimum_image(x[i, 1] - x[j, 1], box[1])
            dz = minimum_image(x[i, 2] - x[j, 2], box[2])
            r2 = dx * dx + dy * dy + dz * dz
            if r2 >= cutoff2:
                continue
            a, b = min(pair.types[i], pair.types[j]), max(pair.types[i], pair.types[j])
            values = unit_lj[a, b]
            energy, _ = lennard_jones(max(r2, SMALLEST_R2), values[0], values[1])
            sums[a, b] += energy - values[2]


@kernel
def solute_sums(x: Any, box: Any, pair: Any, unit_lj: Any, lambdas: Any, sums: Any) -> None:
    """Add to ``sums`` (n_lambda, n_types, n_types) the soft-core energy per ε of solute-solvent pairs; row ≤ column."""
    cutoff2 = pair.cutoff * pair.cutoff
    for i in range(x.shape[0]):
        if not pair.solute[i]:
            continue
        for j in range(x.shape[0]):
            if pair.solute[j]:
                continue
            dx = minimum_image(x[i, 0] - x[j, 0], box[0])
            dy = minimum_image(x[i, 1] - x[j, 1], box[1])
            dz = minimum_image(x[i, 2] - x[j, 2], box[2])
            r2 = dx * dx + dy * dy + dz * dz
            if r2 >= cutoff2:
                continue
            r2 = max(r2, SMALLEST_R2)
            a, b = min(pair.types[i], pair.types[j]), max(pair.types[i], pair.types[j])
            values = unit_lj[a, b]
            for k in range(lambdas.shape[0]):
                energy, _ = soft_core(r2, values[0], values[1], values[3], lambdas[k])
                shift, _ = soft_core(cutoff2, values[0], values[1], values[3], lambdas[k])
                sums[k, a, b] += energy - shift


def used_pairs(types: Any, solute: Any) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Type pairs that can occur among coupled beads, and between solute and solvent; each row ≤ column, sorted."""
    inside = sorted({int(t) for t in types[solute]})
    outside = sorted({int(t) for t in types[~solute]})
    coupled = {(a, b) for group in (inside, outside) for a in group for b in group if a <= b}
    crossing = {(min(a, b), max(a, b)) for a in inside for b in outside}
    return sorted(coupled), sorted(crossing)


def unit_lennard_jones(pair: PairParameters) -> npt.NDArray[np.float64]:
    """The (n_types, n_types, 4) pair table for ε = 1: C6, C12, energy at the cut-off, σ^6."""
    sigma = pair.lj[..., 3] ** (1.0 / 6.0)
    return lennard_jones_table(np.ones_like(sigma), sigma, pair.cutoff)
