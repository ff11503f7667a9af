"""The graph of beads: which are neighbours, which move together, which lie on cycles, what constraints join."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from rdkit import Chem

from topdown.mapping.atom_roles import LARGEST_RING, known_bonds, known_rings
from topdown.mapping.bit_masks import bits

#: Most constraints joined to one another: more converge slowly in LINCS.
_LARGEST_NETWORK = 12


@dataclass(frozen=True, kw_only=True)
class Connectivity:
    """Which beads are joined, and which move together.

    Attributes
    ----------
    edges : tuple of (int, int)
        Neighbouring beads, i < j, sorted.
    frames : dict of tuple of int to frozenset of int
        Beads of each rigid ring system, sorted, and the atoms of its rings; a bead may belong to two.
    """

    edges: tuple[tuple[int, int], ...]
    frames: dict[tuple[int, ...], frozenset[int]]


def connectivity(mol: Any, groups: Sequence[Sequence[int]]) -> Connectivity:
    """Neighbouring beads and rigid frames of a partition."""
    owners = _owners(mol.GetNumAtoms(), groups)
    frames: dict[tuple[int, ...], frozenset[int]] = {}
    for system in ring_systems(mol):
        beads = tuple(sorted({b for atom in system for b in owners[atom]}))
        if len(beads) > 1:
            frames.setdefault(beads, system)
    return Connectivity(edges=_edges(owners, known_bonds(mol)), frames=frames)


def bead_edges(mol: Any, groups: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """The edges alone, for a molecule of which nothing else is asked."""
    starts, ends = np.nonzero(Chem.GetAdjacencyMatrix(mol))
    bonds = (pair for pair in zip(starts.tolist(), ends.tolist()) if pair[0] < pair[1])
    return _edges(_owners(mol.GetNumAtoms(), groups), bonds)


def _owners(n_atoms: int, groups: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Beads of each atom."""
    owners: list[tuple[int, ...]] = [()] * n_atoms
    for bead, group in enumerate(groups):
        for atom in group:
            owners[atom] += (bead,)
    return owners


def _edges(owners: Sequence[tuple[int, ...]], bonds: Iterable[Sequence[Any]]) -> tuple[tuple[int, int], ...]:
    """Beads that share an atom or a bond, which begins with its two atoms."""
    edges = {pair for beads in owners if len(beads) > 1 for pair in combinations(beads, 2)}
    for start, end, *_ in bonds:
        left, right = owners[start], owners[end]
        if len(left) == 1 == len(right):
            (i,), (j,) = left, right
            if i != j:
                edges.add((i, j) if i < j else (j, i))
        elif not set(left) & set(right):
            edges |= {(min(i, j), max(i, j)) for i in left for j in right}
    return tuple(sorted(edges))


@lru_cache(maxsize=2)
def ring_systems(mol: Any) -> tuple[frozenset[int], ...]:
    """Atoms of each set of fused small rings of a molecule that no longer changes."""
    systems: list[int] = []
    for ring in known_rings(mol):
        if len(ring) > LARGEST_RING:
            continue
        joined = sum([1 << atom for atom in ring])
        for other in [s for s in systems if (s & joined).bit_count() >= 2]:
            systems.remove(other)
            joined |= other
        systems.append(joined)
    return tuple([frozenset(bits(system)) for system in systems])


def cycle_edges(edges: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Edges that lie on a cycle of the bead graph: all but its bridges (Tarjan 1974)."""
    near: dict[int, list[int]] = {}
    for i, j in edges:
        near.setdefault(i, []).append(j)
        near.setdefault(j, []).append(i)
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    bridges: set[tuple[int, int]] = set()
    for root in near:
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack = [(root, -1, iter(near[root]))]
        while stack:
            node, parent, rest = stack[-1]
            child = next(rest, None)
            if child is None:
                stack.pop()
                if parent >= 0:
                    low[parent] = min(low[parent], low[node])
                    if low[node] > order[parent]:
                        bridges.add((min(node, parent), max(node, parent)))
            elif child not in order:
                order[child] = low[child] = len(order)
                stack.append((child, node, iter(near[child])))
            elif child != parent:
                low[node] = min(low[node], order[child])
    return set(edges) - bridges


class Networks:
    """Sets of beads that constraints join, and how many constraints each has."""

    def __init__(self, constraints: Iterable[tuple[int, int]]) -> None:
        self._sets: list[tuple[set[int], int]] = []
        for pair in constraints:
            self._add(pair)

    def _add(self, pair: tuple[int, int]) -> None:
        touching = [s for s in self._sets if s[0] & set(pair)]
        rest = [s for s in self._sets if not s[0] & set(pair)]
        self._sets = [*rest, (set(pair).union(*(s[0] for s in touching)), 1 + sum(s[1] for s in touching))]

    def joins(self, pair: tuple[int, int]) -> bool:
        """Add a constraint if its network stays small; whether it was added."""
        size = 1 + sum(n for beads, n in self._sets if beads & set(pair))
        if size > _LARGEST_NETWORK:
            return False
        self._add(pair)
        return True
