"""Partition of the heavy atoms into connected beads: the cheapest of all partitions.

Every connected group of at most six heavy atoms has a cost, the sum of the costs of its features (its size and make-up,
and the bonds it cuts; :mod:`topdown.mapping.candidate_groups`, :mod:`topdown.mapping.group_features`).
A partition costs the sum of its groups, plus a penalty for every set of symmetry-equivalent atoms that ends up in
different kinds of beads. The cheapest sum of groups is found exactly (:mod:`topdown.mapping.partition_search`); where it
breaks a symmetry, as many of the next ones are looked at as it takes to prove that none is better.

Costs are integers, so that ties are exact; ties go by canonical ranks, so that the order in which the atoms were
written cannot matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rdkit import Chem

from topdown.errors import SettingsError
from topdown.mapping.bit_masks import pieces_of
from topdown.mapping.candidate_groups import Candidates
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_costs import PARTITION_COSTS
from topdown.mapping.partition_symmetry import (
    MOST_BEFORE_SHARING,
    BeadKinds,
    Groups,
    SymmetricSharing,
    automorphisms,
    share_in_rings,
)

#: Lists of partitions looked at, one after the other, until the symmetry penalty is decided.
LIST_LENGTHS = (10, 50, 250)
#: How often the atoms around which groups are varied may become more.
MAX_WIDENINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Groups of atoms, one per bead.

    Attributes
    ----------
    groups : tuple of tuple of int
        Sorted atom indices of each bead, sorted; an atom shared by two beads stands in both.
    cost : int
        Cost, in the units of ``partition_costs``; groups that were given count nothing.
    exact : bool
        Whether it is proven to be the cheapest (for the k-th alternative: the k-th cheapest).
    bound : int or None
        No partition costs less than this; ``cost - bound`` is the optimality gap, 0 where ``exact``.
    """

    groups: tuple[tuple[int, ...], ...]
    cost: int
    exact: bool = True
    bound: int | None = None

    @property
    def shared(self) -> frozenset[int]:
        """Atoms that stand in more than one bead."""
        seen: set[int] = set()
        twice: set[int] = set()
        for group in self.groups:
            twice |= seen & set(group)
            seen |= set(group)
        return frozenset(twice)


def partition_atoms(
    mol: Any,
    style: str = "martini3",
    *,
    costs: Mapping[str, int] | None = None,
    fixed: Sequence[Sequence[int]] = (),
) -> Partition:
    """The cheapest partition of the heavy atoms of ``mol``, with atoms shared where symmetry asks for it.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only, in canonical order (see :func:`canonical_order`).
    style : {"martini3", "martini2"}
        Which costs, and which beads share atoms.
    costs : mapping, optional
        Feature costs to use instead.
    fixed : sequence of sequence of int
        Groups that are kept as they are; the other atoms are divided around them.

    Raises
    ------
    SettingsError
        The fixed groups are no beads: see :func:`checked_groups`.
    """
    return best_partitions(mol, style, 1, costs=costs, fixed=fixed)[0]


def best_partitions(
    mol: Any,
    style: str = "martini3",
    count: int = 1,
    *,
    costs: Mapping[str, int] | None = None,
    fixed: Sequence[Sequence[int]] = (),
) -> tuple[Partition, ...]:
    """Up to ``count`` partitions of ``mol``, cheapest first, no two alike but for a symmetry of the molecule.

    Parameters are those of :func:`partition_atoms`, which returns the first.
    """
    if count < 1:
        raise SettingsError(f"at least one partition must be asked for, got {count}")
    weights = PARTITION_COSTS[style] if costs is None else costs
    graph = MoleculeGraph.of(mol)
    kept = checked_groups(fixed, graph.n_atoms, graph.neighbors)
    candidates = Candidates.of(graph, weights, taken=sum(1 << a for a in set().union(*kept)))
    search = _Search(
        mol=mol,
        graph=graph,
        kept=kept,
        candidates=candidates,
        penalty=weights.get("asymmetry", 0),
        most_before_sharing=MOST_BEFORE_SHARING[style],
    )
    return (search.best(),) if count == 1 else search.ranked(count)


class _Entry(NamedTuple):
    """A partition on a list; compared by cost, then by what its beads are, then by canonical ranks."""

    cost: int
    kinds: list[tuple[int, ...]]
    groups: Groups
    floor: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """The cheapest partitions including the penalty for broken symmetry."""

    mol: Any
    graph: MoleculeGraph
    kept: Groups
    candidates: Candidates
    penalty: int
    most_before_sharing: int

    def best(self) -> Partition:
        """The cheapest partition.

        Only the groups around atoms whose symmetry the cheapest sum of groups breaks are varied: a list has one entry
        for each way to divide those, the cheapest. An entry's floor counts the penalty of those atoms alone, which
        every partition of its kind pays; the answer is proven once no floor and nothing beyond the list is lower.
        """
        first = self.candidates.cheapest(1)
        cost, division = first.ranked[0]
        groups = self._shared(division)
        broken = frozenset(BeadKinds(self.graph).asymmetries(groups))
        if not broken:
            return Partition(groups=groups, cost=cost, exact=first.exact, bound=first.bound)
        sharing = SymmetricSharing(self.graph, automorphisms(self.mol, leaves=False))
        answer, floor = self._entry(cost, division, sharing, broken), first.bound
        for length in LIST_LENGTHS if first.exact else ():
            for _ in range(MAX_WIDENINGS):
                relevant = self.candidates.holding(self.graph, broken)
                divisions = self.candidates.cheapest(length, relevant=relevant, ceiling=answer.cost)
                entries = [self._entry(*division, sharing, broken) for division in divisions.ranked]
                answer = min(answer, *entries)
                also = frozenset(sharing.kinds.asymmetries(answer.groups))
                if also <= broken or not divisions.exact:
                    break
                broken |= also
            if not divisions.exact:
                break
            # What is on no list costs no less than the last entry of a full one, or else more than the answer.
            limit = divisions.ranked[-1][0] if len(divisions.ranked) == length else answer.cost
            floor = max(floor, min(limit, *(entry.floor for entry in entries)))
            if answer.cost <= floor:
                return Partition(groups=answer.groups, cost=answer.cost, exact=True, bound=answer.cost)
        return Partition(groups=answer.groups, cost=answer.cost, exact=False, bound=min(floor, answer.cost))

    def ranked(self, count: int) -> tuple[Partition, ...]:
        """Up to ``count`` partitions, cheapest first, one of those that a symmetry makes alike."""
        symmetries = automorphisms(self.mol, leaves=False)
        identity = tuple(range(self.graph.n_atoms))
        sharing = SymmetricSharing(self.graph, symmetries)
        first = self.best()
        for length in LIST_LENGTHS:
            divisions = self.candidates.cheapest(max(length, count))
            found: dict[Groups, _Entry] = {}
            for cost, groups in divisions.ranked:
                entry = self._entry(cost, groups, sharing, frozenset())
                image = min(
                    tuple(sorted(tuple(sorted(s[a] for a in g)) for g in entry.groups)) for s in (identity, *symmetries)
                )
                found[image] = min(found.get(image, entry), entry)
            entries = [entry for entry in sorted(found.values()) if entry.groups != first.groups][: count - 1]
            # What is not on the list costs no less than its last entry.
            limit = divisions.ranked[-1][0] if len(divisions.ranked) == max(length, count) else None
            enough = len(entries) == count - 1 and (limit is None or all(e.cost <= limit for e in entries))
            if enough or limit is None or not divisions.exact:
                break
        answers = [first]
        for entry in entries:
            proven = first.exact and divisions.exact and (limit is None or entry.cost <= limit)
            bound = entry.cost if proven else min(divisions.bound, entry.cost)
            answers.append(Partition(groups=entry.groups, cost=entry.cost, exact=proven, bound=bound))
        return tuple(sorted(answers, key=lambda partition: partition.cost))

    def _shared(self, division: Sequence[int], sharing: SymmetricSharing | None = None) -> Groups:
        """All groups of a division once atoms are shared."""
        groups = share_in_rings(self.graph, self.candidates.atoms(division), self.most_before_sharing)
        if sharing is not None:
            groups = sharing.bridged(sharing.averaged(groups))
        return tuple(sorted((*self.kept, *groups)))

    def _entry(self, cost: int, division: Sequence[int], sharing: SymmetricSharing, broken: frozenset[int]) -> _Entry:
        groups = self._shared(division, sharing)
        uneven = sharing.kinds.asymmetries(groups)
        return _Entry(
            cost=cost + self.penalty * sum(uneven.values()),
            kinds=sorted(map(sharing.kinds.of, groups)),
            groups=groups,
            floor=cost + self.penalty * sum(n for kind, n in uneven.items() if kind in broken),
        )


def checked_groups(
    fixed: Sequence[Sequence[int]], n_atoms: int, neighbors: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """The groups a user or a template insists on, sorted, once they are known to be possible beads.

    Every group must be connected, hold atoms of the molecule, and at least one atom of its own; an atom may be shared
    by two groups at most. ``neighbors`` holds the bit mask of the neighbours of each atom.
    """
    groups = []
    for group in fixed:
        where = "bead " + ",".join(map(str, group))
        if not group or len(set(group)) < len(group):
            raise SettingsError("a bead needs at least one atom, and each atom once", where=where)
        if min(group) < 0 or max(group) >= n_atoms:
            raise SettingsError(f"there are {n_atoms} heavy atoms, counted from 0", where=where)
        if len(pieces_of(sum(1 << a for a in group), neighbors)) > 1:
            raise SettingsError("the atoms of the bead are not bonded to each other", where=where)
        groups.append(tuple(sorted(group)))
    owners = Counter(a for group in groups for a in group)
    for group in groups:
        where = "bead " + ",".join(map(str, group))
        if any(owners[a] > 2 for a in group):
            raise SettingsError("an atom may be shared by two beads, not more", where=where)
        if all(owners[a] > 1 for a in group):
            raise SettingsError("the bead shares all its atoms with others", where=where)
    return tuple(sorted(groups))


def partition_agrees(
    groups: Iterable[Iterable[int]], published: Iterable[Iterable[int]], symmetries: Iterable[tuple[int, ...]] = ()
) -> bool:
    """Whether two partitions are the same up to molecular symmetry, a shared atom being right in either bead."""
    ours = [frozenset(g) for g in groups]
    theirs = [frozenset(g) for g in published]
    n = 1 + max((a for g in [*ours, *theirs] for a in g), default=0)
    return any(_same([frozenset(s[a] for a in g) for g in ours], theirs) for s in [tuple(range(n)), *symmetries])


def _same(ours: list[frozenset[int]], theirs: list[frozenset[int]]) -> bool:
    if len(ours) != len(theirs):
        return False
    return correct_atoms(ours, theirs) == len(frozenset().union(*ours))


def correct_atoms(ours: list[frozenset[int]], theirs: list[frozenset[int]]) -> int:
    """Atoms in the right bead under the best one-to-one pairing of beads (atoms missing from ``theirs`` count as right)."""
    from numpy import array
    from scipy.optimize import linear_sum_assignment

    everywhere = frozenset().union(*theirs)
    free = len(frozenset().union(*ours) - everywhere)
    shared_ours = {a for a in everywhere if sum(a in g for g in ours) > 1}
    shared_theirs = {a for a in everywhere if sum(a in g for g in theirs) > 1}
    # A shared atom counts a little less, so that the pairing is decided by the others.
    overlap = array(
        [[sum(1.0 if a not in shared_ours | shared_theirs else 0.4 for a in g & t) for t in theirs] for g in ours]
    )
    rows, columns = linear_sum_assignment(-overlap)
    right: frozenset[int] = frozenset()
    for i, j in zip(rows, columns):
        right |= ours[i] & theirs[j]
    return len(right) + free


def canonical_order(mol: Any, canonical_smiles: str = "/") -> list[int]:
    """Atom indices in an order that does not depend on how the molecule was written (stereo ignored).

    ``canonical_smiles``, if it was made of ``mol`` just before, saves making it again where it has no marks of stereo.
    """
    if any(mark in canonical_smiles for mark in "/\\@"):
        mol = Chem.Mol(mol)
        Chem.RemoveStereochemistry(mol)
        Chem.MolToSmiles(mol)
    return output_order(mol)


def output_order(mol: Any) -> list[int]:
    """Atom indices in the order of the SMILES that was last made of ``mol``."""
    return list(map(int, filter(None, mol.GetProp("_smilesAtomOutputOrder")[1:-1].split(","))))
