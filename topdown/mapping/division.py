"""Partitions in order of cost, with groups the user has decided on kept as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from topdown.errors import MappingError
from topdown.mapping import fragmenting
from topdown.mapping.fragmenting import Partition

Groups = tuple[tuple[int, ...], ...]


def check_groups(groups: Sequence[Sequence[int]], n_atoms: int, neighbors: Sequence[Iterable[int]]) -> None:
    """That groups given by a user are beads of this molecule: atoms that exist, at most two beads each, connected.

    Raises
    ------
    MappingError
        Naming the bead (counted from 1) and its atoms.
    """
    count: dict[int, int] = {}
    for number, group in enumerate(groups, start=1):
        where = f"bead {number} of the mapping"
        if not group:
            raise MappingError("it has no heavy atom of the molecule", where=where)
        wrong = sorted(a for a in group if not 0 <= a < n_atoms)
        if wrong:
            raise MappingError(
                f"heavy atom {wrong[0]} does not exist", where=where, hint=f"there are 0 to {n_atoms - 1}"
            )
        if not _connected(set(group), neighbors):
            raise MappingError(
                f"its heavy atoms {', '.join(map(str, sorted(group)))} are not joined by bonds", where=where
            )
        for atom in set(group):
            count[atom] = count.get(atom, 0) + 1
    crowded = sorted(atom for atom, times in count.items() if times > 2)
    if crowded:
        raise MappingError(f"heavy atom {crowded[0]} stands in {count[crowded[0]]} beads", hint="at most two share one")
    if len({frozenset(group) for group in groups}) < len(groups):
        raise MappingError("two beads of the mapping hold the same atoms")


def _connected(group: set[int], neighbors: Sequence[Iterable[int]]) -> bool:
    reached, waiting = set(), [min(group)]
    while waiting:
        atom = waiting.pop()
        if atom not in reached:
            reached.add(atom)
            waiting += [other for other in neighbors[atom] if other in group]
    return reached == group


def ranked_partitions(mol: Any, style: str, count: int = 1, *, fixed: Groups = ()) -> tuple[Partition, ...]:
    """The ``count`` cheapest partitions, cheapest first, that hold every group of ``fixed`` as a bead.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only, in canonical order.
    style : {"martini3", "martini2"}
    count : int
        Fewer come back when there are no more.
    fixed : tuple of tuple of int
        Beads the user has decided on; the rest is divided around them.

    Raises
    ------
    MappingError
        The rest cannot be divided into beads.
    """
    if count == 1 and not fixed:
        return (fragmenting.partition_atoms(mol, style),)
    graph = fragmenting.MoleculeGraph.of(mol)
    weights = fragmenting.PARTITION_COSTS[style]
    taken = sum(1 << a for a in {a for group in fixed for a in group})
    rest = ((1 << graph.n_atoms) - 1) & ~taken
    candidates = [item for item in fragmenting._priced_groups(graph, weights) if not item[1] & taken]
    keep = max(fragmenting.MAX_KEPT if graph.n_atoms <= 40 else 6, 2 * count)
    solver = fragmenting._Solver(graph, candidates, keep)
    solutions: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    for piece in graph.pieces(rest):
        found = solver.solve(piece)
        solutions = sorted((c1 + c2, g1 + g2) for c1, g1 in solutions for c2, g2 in found)[:keep]
    if not solutions:
        raise MappingError("what the mapping leaves over cannot be divided into beads", hint="give those beads too")
    symmetries = [] if fixed else fragmenting.automorphisms(mol)
    ranked: dict[tuple[tuple[int, ...], ...], int] = {}
    for cost, masks in solutions:
        groups = tuple(sorted([*(fragmenting._members(m) for m in masks), *fixed]))
        merged = fragmenting.share_by_symmetry(graph, groups, symmetries) if symmetries else groups
        total = cost + weights.get("asymmetry", 0) * fragmenting.asymmetry(graph, merged)
        key = tuple(sorted(merged))
        ranked[key] = min(total, ranked.get(key, total))
    best = sorted(ranked.items(), key=lambda item: (item[1], item[0]))[:count]
    return tuple(Partition(groups=groups, cost=cost) for groups, cost in best)
