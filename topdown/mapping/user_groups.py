"""Whether groups of atoms that a user gives can be beads of a molecule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from topdown.errors import MappingError


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
    for number, group in enumerate(groups, start=1):
        if all(count[atom] > 1 for atom in group):
            raise MappingError("it shares all its atoms with others", where=f"bead {number} of the mapping")
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
