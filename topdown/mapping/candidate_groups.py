"""All groups of atoms that may be beads, with what each costs.

Every connected group of at most :data:`MAX_GROUP` heavy atoms, of which at most :data:`MAX_AROMATIC` are aromatic, is a
candidate; a unit that is larger by itself is one, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import or_
from typing import NamedTuple

from topdown.mapping.bit_masks import bits
from topdown.mapping.descriptions import Description, count_mask, packed
from topdown.mapping.group_features import shape_features
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_search import Divisions, FewRemainders, PricedGroup, cheapest_divisions
from topdown.mapping.partition_symmetry import Groups

#: Largest group considered [heavy atoms], and the most of them aromatic; a unit may be larger.
MAX_GROUP = 6
MAX_AROMATIC = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Units of a molecule, numbered outwards from its edge, and every group of them that may be a bead.

    Attributes
    ----------
    units : tuple of int
        Mask of the atoms of each unit.
    neighbors : tuple of int
        Mask over units of the neighbours of each.
    priced : tuple of PricedGroup
        Cost of each group, its units and those beside it.
    searched : dict
        What the first search has found out, for the lists that may follow.
    """

    units: tuple[int, ...]
    neighbors: tuple[int, ...]
    priced: tuple[PricedGroup, ...]
    searched: dict[int, FewRemainders] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: MoleculeGraph, weights: Mapping[str, int], *, taken: int = 0) -> Candidates:
        """All connected groups of the atoms outside the mask ``taken``, priced."""
        units, neighbors = _walked(graph, graph.free_units(taken), taken)
        return cls(
            units=tuple(units),
            neighbors=tuple(neighbors),
            priced=tuple(_priced_groups(graph, units, neighbors, weights)),
        )

    def cheapest(self, count: int, *, relevant: int = -1, ceiling: int | None = None) -> Divisions:
        """The ``count`` cheapest divisions of the units into groups, see :func:`cheapest_divisions`."""
        return cheapest_divisions(
            self.neighbors, self.priced, count, relevant=relevant, ceiling=ceiling, known=self.searched
        )

    def atoms(self, groups: Iterable[int]) -> Groups:
        """Sorted atoms of each group of units."""
        return tuple(sorted(tuple(bits(sum(self.units[u] for u in bits(group)))) for group in groups))

    def holding(self, graph: MoleculeGraph, classes: Collection[int]) -> int:
        """Mask of the units with atoms of the given symmetry classes."""
        return sum(1 << u for u, mask in enumerate(self.units) if any(graph.classes[a] in classes for a in bits(mask)))


def _walked(graph: MoleculeGraph, units: list[int], taken: int) -> tuple[list[int], list[int]]:
    """The units breadth first from a peripheral one, component by component, and their neighbours in that numbering."""
    bit_of = {a: 1 << u for u, mask in enumerate(units) for a in bits(mask)}
    near = []
    for mask in units:
        around = beside = 0
        for a in bits(mask):
            around |= graph.neighbors[a]
        for b in bits(around & ~(taken | mask)):
            beside |= bit_of[b]
        near.append(beside)
    order: list[int] = []
    left = (1 << len(units)) - 1
    while left:
        queue = [(left & -left).bit_length() - 1]
        for _ in range(2):
            queue, seen = [queue[-1]], 1 << queue[-1]
            for u in queue:
                fresh = near[u] & ~seen
                seen |= fresh
                queue += bits(fresh)
        order += queue
        left &= ~seen
    place = [0] * len(units)
    for number, u in enumerate(order):
        place[u] = 1 << number
    return [units[u] for u in order], [sum([place[v] for v in bits(near[u])]) for u in order]


#: Shift that keeps a cost above the packed counts of a description in one integer.
_SHIFT = 96
_COUNTS = (1 << _SHIFT) - 1
_AROMATIC, _FULL = count_mask("aromatic"), packed("aromatic", MAX_AROMATIC)
#: The five entries of a :class:`Description`.
_Shape = tuple[int, int, int, int, bool]
#: Descriptions whose cost is remembered; one takes about 250 bytes, and drug-like molecules bring some four each.
_MOST_SHAPES = 50_000
#: Cost of the shape features of a description, per table of costs.
_SHAPE_COSTS: dict[int, tuple[Mapping[str, int], dict[_Shape, int]]] = {}


def _shape_costs(weights: Mapping[str, int]) -> dict[_Shape, int]:
    known = _SHAPE_COSTS.get(id(weights))
    # The table is kept beside its costs, so that another table cannot come to have its identity.
    if known is None or known[0] is not weights:
        if len(_SHAPE_COSTS) > 8:
            _SHAPE_COSTS.clear()
        known = _SHAPE_COSTS[id(weights)] = (weights, {})
    if len(known[1]) > _MOST_SHAPES:
        known[1].clear()
    return known[1]


class _UnitShares(NamedTuple):
    """What each unit brings to a group.

    Attributes
    ----------
    totals : list of int
        Packed counts with the cost of cutting all its bonds above them.
    flags : list of int
    clusters : list of int
        Masks of functional groups.
    links : list of dict of int to int
        For the bit of each neighbouring unit what both count for the bonds between them.
    """

    totals: list[int]
    flags: list[int]
    clusters: list[int]
    links: list[dict[int, int]]


def _unit_shares(graph: MoleculeGraph, units: Sequence[int], weights: Mapping[str, int]) -> _UnitShares:
    shares = _UnitShares([], [], [], [])
    unit_of = {a: u for u, mask in enumerate(units) for a in bits(mask)}
    for mask in units:
        total = flag = cluster = 0
        link: dict[int, int] = {}
        for a in bits(mask):
            total += graph.counts[a]
            flag |= graph.flags[a]
            if graph.cluster[a] >= 0:
                cluster |= 1 << graph.cluster[a]
            for other, name, change in graph.bonds[a]:
                if not other & mask:
                    end = (weights.get(name, 0) << _SHIFT) + change
                    total += end
                    v = unit_of.get(other.bit_length() - 1)
                    if v is not None:
                        link[1 << v] = link.get(1 << v, 0) + end
        shares.totals.append(total)
        shares.flags.append(flag)
        shares.clusters.append(cluster)
        shares.links.append(link)
    for u, link in enumerate(shares.links):
        for one in link:
            if one > 1 << u:
                other_way = shares.links[one.bit_length() - 1]
                link[one] = other_way[1 << u] = link[one] + other_way[1 << u]
    return shares


def _masks_by_size(units: Sequence[int], shares: _UnitShares) -> tuple[list[int], int]:
    """The units that a group of 0, 1, … atoms has room for, and those without aromatic atoms."""
    of_size = [0] * (MAX_GROUP + 1)
    not_aromatic = 0
    for u, (mask, own) in enumerate(zip(units, shares.totals)):
        size = mask.bit_count()
        if size <= MAX_GROUP:
            of_size[size] |= 1 << u
        if not own & _AROMATIC:
            not_aromatic |= 1 << u
    fitting = list(accumulate(of_size, or_))
    return fitting[::-1], not_aromatic


def _priced_groups(
    graph: MoleculeGraph, units: Sequence[int], neighbors: Sequence[int], weights: Mapping[str, int]
) -> list[PricedGroup]:
    """All connected groups of at most :data:`MAX_GROUP` atoms, each once.

    Counts and the cost of cut bonds add up while a group grows: what the new unit brings, less the bonds by which it
    is attached, which both sides had counted as cut.
    """
    shares = _unit_shares(graph, units, weights)
    shapes = _shape_costs(weights)
    everything = (1 << graph.n_atoms) - 1
    fitting, not_aromatic = _masks_by_size(units, shares)
    # Only these atoms can have three neighbours in a group.
    forks = sum(1 << a for a, near in enumerate(graph.neighbors) if near.bit_count() > 2)
    of_unit = {1 << u: own for u, own in enumerate(zip(units, neighbors, *shares))}
    priced: list[PricedGroup] = []
    unmet = (1 << len(units)) - 1
    for seed, (atoms, near, total, flag, cluster, _) in of_unit.items():
        unmet ^= seed
        # Units of the group, those to grow by, those it may still meet, and those beside it and in it; its atoms and counts.
        stack = [(seed, near & unmet, unmet, near, atoms, total, flag, cluster)]
        while stack:
            group, frontier, ahead, near, atoms, total, flag, cluster = stack.pop()
            n = atoms.bit_count()
            branching = 0
            if n > 3 and atoms & forks:
                for a in bits(atoms & forks):
                    inner = (graph.neighbors[a] & atoms).bit_count()
                    if inner > 2:
                        branching += inner - 2
            # A plain tuple finds the description it is equal to, and is quicker to make.
            shape = (total & _COUNTS, flag, cluster.bit_count(), branching, atoms == everything)
            cost = shapes.get(shape)
            if cost is None:
                cost = shapes[shape] = sum(weights.get(name, 0) for name in shape_features(Description(*shape)))
            priced.append((cost + (total >> _SHIFT), group, near & ~group))
            if n >= MAX_GROUP:
                continue
            fit = fitting[n]
            if total & _AROMATIC >= _FULL:
                fit &= not_aromatic
            frontier &= fit
            ahead &= fit
            while frontier:
                low = frontier & -frontier
                frontier ^= low
                ahead ^= low
                its_atoms, beside, its_total, its_flag, its_cluster, links = of_unit[low]
                grown = total + its_total
                inner = beside & group
                if inner & (inner - 1):
                    for u in bits(inner):
                        grown -= links[1 << u]
                else:
                    grown -= links[inner]
                counted = atoms | its_atoms, grown, flag | its_flag, cluster | its_cluster
                stack.append((group | low, frontier | beside & ahead, ahead, near | beside, *counted))
    return priced
