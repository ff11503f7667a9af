"""Partition of the heavy atoms into connected beads: the cheapest of all partitions.

Every connected group of at most :data:`MAX_GROUP` heavy atoms has a cost, the sum of the costs of its features (its
size and make-up, and the bonds it cuts; :mod:`topdown.mapping.partition_costs`). A partition costs the sum of its
groups, plus a penalty for every set of symmetry-equivalent atoms that ends up in different kinds of beads. Because the
first part is a sum over groups, the best ``k`` partitions are found exactly by dynamic programming over connected
remainders: the first uncovered atom must be in some group; removing it leaves smaller connected pieces, solved once
each. The penalty then decides among those ``k``. Where the number of remainders exceeds a bound (cage-like
molecules), a beam search takes over and says so.

Costs are integers, so that ties are exact; ties go by canonical ranks, so that the order in which the atoms were
written cannot matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

from rdkit import Chem

from topdown.errors import SettingsError
from topdown.mapping.group_features import MoleculeGraph, group_features, pieces_of
from topdown.mapping.partition_costs import PARTITION_COSTS

#: Largest group considered [heavy atoms].
MAX_GROUP = 6
#: Most remainders solved exactly, and width of the beam beyond that.
MAX_STATES = 6000
BEAM_WIDTH = 60
#: Partitions kept for the symmetry penalty.
MAX_KEPT = 24
#: Most automorphisms looked at.
MAX_SYMMETRIES = 48


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
        Which costs.
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
    taken = sum(1 << a for a in set().union(*kept))
    symmetries = automorphisms(mol)
    for keep in (max(MAX_KEPT, 4 * count), 16 * max(MAX_KEPT, count)):
        ranked, exact = cheapest_covers(graph, weights, keep=keep, taken=taken)
        # What is not on the list costs no less than its last entry.
        limit = None if len(ranked) < keep else ranked[-1][0]
        found = _ranked_with_symmetry(graph, kept, ranked, symmetries, weights.get("asymmetry", 0))[:count]
        if not exact or limit is None or found[-1][0] <= limit:
            break
    answers = []
    for total, _, groups in found:
        proven = exact and (limit is None or total <= limit)
        answers.append(Partition(groups=groups, cost=total, exact=proven, bound=total if proven else ranked[0][0]))
    return tuple(answers)


def _ranked_with_symmetry(
    graph: MoleculeGraph,
    kept: tuple[tuple[int, ...], ...],
    ranked: Sequence[tuple[int, tuple[tuple[int, ...], ...]]],
    symmetries: Sequence[tuple[int, ...]],
    penalty: int,
) -> list[tuple[int, Any, tuple[tuple[int, ...], ...]]]:
    """(cost with the penalty, kinds, groups), cheapest first, of those partitions that no symmetry makes alike."""
    identity = tuple(range(graph.n_atoms))
    found: dict[Any, tuple[int, Any, tuple[tuple[int, ...], ...]]] = {}
    for cost, groups in ranked:
        merged = tuple(sorted((*kept, *share_by_symmetry(graph, groups, symmetries))))
        total = cost + penalty * asymmetry(graph, merged)
        tie = (total, sorted(tuple(sorted(graph.classes[a] for a in g)) for g in merged), merged)
        image = min(tuple(sorted(tuple(sorted(s[a] for a in g)) for g in merged)) for s in [identity, *symmetries])
        found[image] = min(found.get(image, tie), tie)
    return sorted(found.values())


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


def cheapest_covers(
    graph: MoleculeGraph, weights: Mapping[str, int], *, keep: int | None = None, taken: int = 0
) -> tuple[list[tuple[int, tuple[tuple[int, ...], ...]]], bool]:
    """The ``keep`` cheapest partitions by group costs alone, cheapest first, and whether the list is exact.

    ``taken`` is the mask of the atoms that are in beads already.
    """
    if keep is None:
        keep = MAX_KEPT if graph.n_atoms <= 40 else 6
    candidates = _priced_groups(graph, weights, taken)
    solver = _Solver(graph, candidates, keep)
    ranked: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    exact = True
    for piece in graph.pieces(((1 << graph.n_atoms) - 1) & ~taken):
        try:
            solutions = solver.solve(piece)
        except _TooManyStates:
            solutions, exact = _beam(graph, candidates, piece), False
        ranked = sorted(((c1 + c2, g1 + g2) for c1, g1 in ranked for c2, g2 in solutions), key=_by_cost)[:keep]
    return [(cost, tuple(_members(g) for g in groups)) for cost, groups in ranked], exact


def connected_groups(graph: MoleculeGraph, largest: int = MAX_GROUP, taken: int = 0) -> list[int]:
    """All connected groups of units with at most ``largest`` atoms, as bit masks of atoms, each once."""
    found: list[int] = []
    units, unit_neighbors = graph.free_units(taken)
    for seed in range(len(units)):
        stack = [(1 << seed, unit_neighbors[seed] & ~((1 << (seed + 1)) - 1), 0)]
        while stack:
            group, frontier, closed = stack.pop()
            atoms = sum(units[u] for u in _members(group))
            if atoms.bit_count() > largest and group.bit_count() > 1:
                continue
            found.append(atoms)
            while frontier:
                low = frontier & -frontier
                frontier &= ~low
                closed |= low
                new = unit_neighbors[low.bit_length() - 1] & ~((1 << (seed + 1)) - 1) & ~group & ~closed
                stack.append((group | low, frontier | new, closed))
    return found


def _priced_groups(graph: MoleculeGraph, weights: Mapping[str, int], taken: int) -> list[tuple[int, int]]:
    """(cost, atoms) of every candidate group, cheapest first."""
    priced = []
    for atoms in connected_groups(graph, taken=taken):
        cost = sum(weights.get(name, 0) * count for name, count in group_features(graph, atoms).items())
        priced.append((cost, atoms))
    return sorted(priced)


class _TooManyStates(Exception):
    """The exact search would take too long."""


class _Solver:
    """Dynamic programming over connected remainders (module docstring)."""

    def __init__(self, graph: MoleculeGraph, candidates: list[tuple[int, int]], keep: int) -> None:
        self.graph = graph
        self.keep = keep
        self.memo: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        self.by_pivot: list[list[tuple[int, int]]] = [[] for _ in range(graph.n_atoms)]
        for cost, atoms in candidates:
            for atom in _members(atoms):
                self.by_pivot[atom].append((cost, atoms))

    def solve(self, mask: int) -> list[tuple[int, tuple[int, ...]]]:
        """Up to ``keep`` cheapest partitions of the connected set ``mask``."""
        known = self.memo.get(mask)
        if known is not None:
            return known
        if len(self.memo) >= MAX_STATES:
            raise _TooManyStates
        pivot = self.graph.first_atom(mask)
        options: list[tuple[int, tuple[int, ...]]] = []
        for cost, atoms in self.by_pivot[pivot]:
            if atoms & ~mask:
                continue
            partial: list[tuple[int, tuple[int, ...]]] = [(cost, (atoms,))]
            for piece in self.graph.pieces(mask & ~atoms):
                partial = sorted(
                    ((c1 + c2, g1 + g2) for c1, g1 in partial for c2, g2 in self.solve(piece)), key=_by_cost
                )[: self.keep]
            options.extend(partial)
        options.sort(key=_by_cost)
        self.memo[mask] = options[: self.keep]
        return self.memo[mask]


def _by_cost(option: tuple[int, tuple[int, ...]]) -> tuple[int, list[int]]:
    return option[0], sorted(option[1])


def _beam(graph: MoleculeGraph, candidates: list[tuple[int, int]], full: int) -> list[tuple[int, tuple[int, ...]]]:
    """Cover atom after atom, keeping the cheapest partial covers per number of atoms covered."""
    by_pivot: list[list[tuple[int, int]]] = [[] for _ in range(graph.n_atoms)]
    for cost, atoms in candidates:
        for atom in _members(atoms):
            by_pivot[atom].append((cost, atoms))
    levels: list[dict[int, tuple[int, tuple[int, ...]]]] = [{} for _ in range(full.bit_count() + 1)]
    levels[0][0] = (0, ())
    for level in levels[:-1]:
        for covered, (cost, groups) in sorted(level.items(), key=lambda item: (item[1][0], item[0]))[:BEAM_WIDTH]:
            pivot = graph.first_atom(full & ~covered)
            for extra, atoms in by_pivot[pivot]:
                if atoms & (covered | ~full):
                    continue
                key = covered | atoms
                target = levels[key.bit_count()]
                new = (cost + extra, (*groups, atoms))
                if key not in target or new < target[key]:
                    target[key] = new
    return [levels[-1][full]]


def _members(mask: int) -> tuple[int, ...]:
    members = []
    while mask:
        low = mask & -mask
        members.append(low.bit_length() - 1)
        mask ^= low
    return tuple(members)


def automorphisms(mol: Any) -> list[tuple[int, ...]]:
    """Permutations of the atoms that leave the molecular graph (without stereo) unchanged, identity excluded."""
    matches = mol.GetSubstructMatches(mol, uniquify=False, useChirality=False, maxMatches=MAX_SYMMETRIES)
    identity = tuple(range(mol.GetNumAtoms()))
    return sorted(m for m in matches if m != identity)


def asymmetry(graph: MoleculeGraph, groups: Iterable[tuple[int, ...]]) -> int:
    """How many times equivalent atoms stand in beads of different kinds, summed over classes of atoms."""
    kinds: dict[int, set[tuple[tuple[int, ...], ...]]] = {}
    memberships: dict[int, list[tuple[int, ...]]] = {}
    for group in groups:
        kind = tuple(sorted(graph.classes[a] for a in group))
        for atom in group:
            memberships.setdefault(atom, []).append(kind)
    for atom, found in memberships.items():
        kinds.setdefault(graph.classes[atom], set()).add(tuple(sorted(found)))
    return sum(len(found) - 1 for found in kinds.values())


def share_by_symmetry(
    graph: MoleculeGraph, groups: tuple[tuple[int, ...], ...], symmetries: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """Average a partition with its mirror image where that makes it symmetric.

    Toluene as C-c-c | cc | cc breaks the molecule's mirror; merged with its image it becomes the published
    (C, c, ½ ortho, ½ ortho), (½ ortho, meta, ½ para) twice. Only carbons of rings are shared, by two beads each.
    """
    before = asymmetry(graph, groups)
    if not before:
        return groups
    best = (before, 0, groups)
    for symmetry in symmetries:
        image = [frozenset(symmetry[a] for a in group) for group in groups]
        changed = [i for i, group in enumerate(groups) if frozenset(group) not in image]
        if not 2 <= len(changed) <= 6:
            continue
        targets = [group for group in image if tuple(sorted(group)) not in groups]
        for order in permutations(targets):
            merged = list(groups)
            if not all(set(groups[i]) & target for i, target in zip(changed, order)):
                continue
            for i, target in zip(changed, order):
                merged[i] = tuple(sorted(set(groups[i]) | target))
            if not _shareable(graph, merged):
                continue
            found = (asymmetry(graph, merged), sum(map(len, merged)), tuple(merged))
            best = min(best, found, key=lambda t: (t[0], t[1], sorted(t[2])))
    return best[2]


def _shareable(graph: MoleculeGraph, groups: list[tuple[int, ...]]) -> bool:
    count: dict[int, int] = {}
    for group in groups:
        if len(group) > 4 or len(graph.pieces(sum(1 << a for a in group))) > 1:
            return False
        for atom in group:
            count[atom] = count.get(atom, 0) + 1
    if not all(times == 1 or (times == 2 and graph.may_be_shared[atom]) for atom, times in count.items()):
        return False
    # Two beads meet in one atom, or in two if each keeps as many of its own: they must stay different beads.
    own = [sum(count[a] == 1 for a in group) for group in groups]
    return all(
        (common := len(set(groups[i]) & set(groups[j]))) < 2 or (common == 2 and min(own[i], own[j]) >= 2)
        for i, j in combinations(range(len(groups)), 2)
    )


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


def canonical_order(mol: Any) -> list[int]:
    """Atom indices in an order that does not depend on how the molecule was written (stereo ignored)."""

    bare = Chem.Mol(mol)
    Chem.RemoveStereochemistry(bare)
    Chem.MolToSmiles(bare)
    return [int(i) for i in bare.GetProp("_smilesAtomOutputOrder").strip("[],").split(",") if i]
