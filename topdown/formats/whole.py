"""Molecules put together again after wrapping."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from topdown.model import CGMolecule
from topdown.model._arrays import FloatArray


def spanning_tree(molecule: CGMolecule) -> tuple[tuple[int, int], ...]:
    """(parent, child) pairs that reach every bead from the first: along bonds and constraints, then other terms.

    Beads that no term connects hang on the first one.
    """
    neighbours: list[list[int]] = [[] for _ in molecule.beads]
    links: list[tuple[int, ...]] = [
        *(bond.atoms for bond in molecule.bonds),
        *(constraint.atoms for constraint in molecule.constraints),
        *(angle.atoms for angle in molecule.angles),
        *(dihedral.atoms for dihedral in molecule.dihedrals),
    ]
    for atoms in links:
        for i, j in pairwise(atoms):
            neighbours[i].append(j)
            neighbours[j].append(i)
    tree: list[tuple[int, int]] = []
    reached: set[int] = set()
    for root in range(molecule.n_beads):
        if root in reached:
            continue
        if root:
            tree.append((0, root))
        reached.add(root)
        frontier = [root]
        for parent in frontier:
            for child in neighbours[parent]:
                if child not in reached:
                    reached.add(child)
                    tree.append((parent, child))
                    frontier.append(child)
    return tuple(tree)


def whole_positions(components: Iterable[tuple[CGMolecule, int]], positions: FloatArray, box: FloatArray) -> FloatArray:
    """Positions with every bead at the image nearest to its neighbour in the molecule, (n, 3) float64 [nm].

    Beads that are in place already keep their bits. Right for molecules whose bonds are shorter than half the box.
    """
    result = np.array(positions)
    start = 0
    for molecule, count in components:
        stop = start + molecule.n_beads * count
        block = result[start:stop].reshape(count, molecule.n_beads, 3)
        for parent, child in spanning_tree(molecule):
            block[:, child] -= box * np.round((block[:, child] - block[:, parent]) / box)
        start = stop
    return result
