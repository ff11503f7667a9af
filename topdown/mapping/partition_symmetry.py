"""Symmetry of molecules and their partitions: how far a partition breaks it, and atoms shared to keep it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from topdown.mapping.bit_masks import bits
from topdown.mapping.descriptions import FLAT
from topdown.mapping.molecule_graph import MoleculeGraph

#: Most automorphisms looked at.
MAX_SYMMETRIES = 48
MAX_SYMMETRY_STEPS = 20_000
#: Largest bead that may share atoms of its ring, counted before it does. In Martini 2 beads are larger: substituents of up to
#: three atoms, as of anisole and benzoic acid, stay with two atoms of the ring, which leaves its mirror whole only if shared.
MOST_BEFORE_SHARING = {"martini3": 3, "martini2": 5}

Groups = tuple[tuple[int, ...], ...]


def automorphisms(mol: Any, *, leaves: bool = True) -> list[tuple[int, ...]]:
    """Permutations of the atoms that leave the molecular graph (without stereo) unchanged, identity excluded.

    At most :data:`MAX_SYMMETRIES`, and no more than :data:`MAX_SYMMETRY_STEPS` atoms tried. Without ``leaves``, of those
    that differ only in equivalent end atoms of one atom (the methyls of tert-butyl) one is returned.
    """
    graph = MoleculeGraph.of(mol)
    order: list[int] = []
    parent: dict[int, int] = {}
    for root in range(graph.n_atoms):
        if root not in parent:
            parent[root] = -1
            queue = [root]
            for atom in queue:
                fresh = [b for b in bits(graph.neighbors[atom]) if b not in parent]
                parent.update(dict.fromkeys(fresh, atom))
                queue += fresh
            order += queue
    before = [graph.neighbors[atom] & sum(1 << b for b in order[:step]) for step, atom in enumerate(order)]
    image = [-1] * graph.n_atoms
    found: list[tuple[int, ...]] = []
    steps = 0
    stack = [(0, iter(_images(graph, order[0], -1, 0, image)))] if order else []
    used = 0
    while stack and len(found) <= MAX_SYMMETRIES and steps < MAX_SYMMETRY_STEPS:
        step, choices = stack[-1]
        atom = order[step]
        if image[atom] >= 0:
            used &= ~(1 << image[atom])
            image[atom] = -1
            if not leaves and graph.neighbors[atom].bit_count() == 1 and step:
                stack.pop()
                continue
        choice = next((c for c in choices if not used >> c & 1 and _fits(graph, before[step], c, image)), None)
        steps += 1
        if choice is None:
            stack.pop()
            continue
        image[atom] = choice
        used |= 1 << choice
        if step + 1 == len(order):
            found.append(tuple(image))
        else:
            following = order[step + 1]
            stack.append((step + 1, iter(_images(graph, following, parent[following], used, image))))
    identity = tuple(range(graph.n_atoms))
    return sorted(m for m in found if m != identity)


def _images(graph: MoleculeGraph, atom: int, parent: int, used: int, image: Sequence[int]) -> list[int]:
    """Atoms that ``atom`` may become: unused, of its class, and next to where its parent went."""
    near = (1 << graph.n_atoms) - 1 if parent < 0 else graph.neighbors[image[parent]]
    return [b for b in bits(near & ~used) if graph.classes[b] == graph.classes[atom]]


def _fits(graph: MoleculeGraph, before: int, choice: int, image: Sequence[int]) -> bool:
    """Whether all neighbours placed before are neighbours of ``choice`` where they went."""
    return all(graph.neighbors[choice] >> image[b] & 1 for b in bits(before))


def asymmetries(graph: MoleculeGraph, groups: Iterable[tuple[int, ...]]) -> dict[int, int]:
    """Classes of equivalent atoms that stand in beads of different kinds, each with how many kinds too many."""
    if not graph.repeated:
        return {}
    kinds: dict[int, set[tuple[tuple[int, ...], ...]]] = {}
    memberships: dict[int, list[tuple[int, ...]]] = {}
    class_of = graph.classes.__getitem__
    for group in groups:
        own = [atom for atom in group if class_of(atom) in graph.repeated]
        if own:
            kind = tuple(sorted(map(class_of, group)))
            for atom in own:
                memberships.setdefault(atom, []).append(kind)
    for atom, found in memberships.items():
        kinds.setdefault(class_of(atom), set()).add(tuple(sorted(found)))
    return {number: len(found) - 1 for number, found in kinds.items() if len(found) > 1}


def asymmetry(graph: MoleculeGraph, groups: Iterable[tuple[int, ...]]) -> int:
    """How many times equivalent atoms stand in beads of different kinds, summed over classes of atoms."""
    return sum(asymmetries(graph, groups).values())


def share_by_symmetry(graph: MoleculeGraph, groups: Groups, symmetries: Sequence[tuple[int, ...]]) -> Groups:
    """Average a partition with its mirror image where that makes it symmetric.

    Heptane as three carbons and four breaks the molecule's mirror; merged with its image it becomes two beads of three
    and a half, which share the middle carbon. Carbons of aromatic rings are shared, and those on which the mirror lies.
    """
    before = asymmetry(graph, groups) if symmetries else 0
    if not before:
        return groups
    best = (before, 0, groups)
    for symmetry in symmetries:
        image = [tuple(sorted(symmetry[a] for a in group)) for group in groups]
        targets = [group for group in image if group not in groups]
        changed = [i for i, group in enumerate(groups) if group not in image]
        if not 2 <= len(changed) <= 6:
            continue
        may_share = [
            bool(graph.may_be_shared[a] and (graph.flags[a] & FLAT or (symmetry[a] == a and not graph.flags[a])))
            for a in range(graph.n_atoms)
        ]
        for merged in _merged_pairs(groups, changed, targets, may_share):
            if _shareable(graph, merged):
                best = min(best, (asymmetry(graph, merged), sum(map(len, merged)), tuple(sorted(merged))))
    return best[2]


def bridge_by_symmetry(graph: MoleculeGraph, groups: Groups, symmetries: Sequence[tuple[int, ...]]) -> Groups:
    """Give a heteroatom on a mirror a bead of its own, which shares the branched carbons at its sides.

    Diisopropyl ether as C3 and C3O breaks its mirror; as published it is C3, COC and C3, where the beads at the ends share
    their middle carbons with that of the oxygen. Straight chains leave room for a bead of their own there: dipropyl ether is
    C2, COC, C2. What breaks no symmetry is left as it is.
    """
    before = asymmetry(graph, groups) if symmetries else 0
    if not before:
        return groups
    best = (before, groups)
    for symmetry in symmetries:
        image = {tuple(sorted(symmetry[a] for a in group)) for group in groups}
        changed = [group for group in groups if group not in image]
        if len(changed) == 2 and (middle := _bridge(graph, *sorted(changed, key=len), symmetry)):
            parts = (tuple(a for a in group if a != middle[0]) for group in groups)
            bridged = tuple(sorted([*parts, tuple(sorted(middle))]))
            best = min(best, (asymmetry(graph, bridged), bridged))
    return best[1]


def _bridge(
    graph: MoleculeGraph, smaller: tuple[int, ...], larger: tuple[int, ...], symmetry: Sequence[int]
) -> tuple[int, ...]:
    """The heteroatom in which ``larger`` exceeds the mirror image of ``smaller``, and its two carbons; else empty."""
    (x, *others) = [a for a in larger if symmetry[a] == a] or [-1]
    if x < 0 or others or graph.cluster[x] < 0 or len(smaller) < 3:
        return ()
    ends = bits(graph.neighbors[x])
    mirrored = sorted(symmetry[a] for a in larger if a != x)
    if len(ends) != 2 or mirrored != sorted(smaller) or not all(a in smaller or a in larger for a in ends):
        return ()
    branched = all(graph.may_be_shared[a] and not graph.flags[a] and graph.neighbors[a].bit_count() > 2 for a in ends)
    return (x, *ends) if branched else ()


def _merged_pairs(
    groups: Groups, changed: Sequence[int], targets: Sequence[tuple[int, ...]], may_share: Sequence[bool]
) -> Iterable[list[tuple[int, ...]]]:
    """Every way to join each changed group with one image that overlaps it, at most four atoms together."""
    waiting: list[tuple[int, list[tuple[int, ...]], list[tuple[int, ...]]]] = [(0, list(groups), list(targets))]
    while waiting:
        step, merged, left = waiting.pop()
        if step == len(changed):
            yield merged
            continue
        group = set(groups[changed[step]])
        for target in left:
            union = group | set(target)
            if group & set(target) and len(union) <= 4 and all(may_share[a] for a in group ^ set(target)):
                joined = merged.copy()
                joined[changed[step]] = tuple(sorted(union))
                others = left.copy()
                others.remove(target)
                waiting.append((step + 1, joined, others))


def _shareable(graph: MoleculeGraph, groups: Sequence[tuple[int, ...]]) -> bool:
    count = Counter(atom for group in groups for atom in group)
    if max(count.values()) > 2 or any(len(graph.pieces(sum(1 << a for a in group))) > 1 for group in groups):
        return False
    # Two beads meet in one atom, or in two if each keeps as many of its own: they must stay different beads.
    own = [sum(count[a] == 1 for a in group) for group in groups]
    return all(
        (common := len(set(groups[i]) & set(groups[j]))) < 2 or (common == 2 and min(own[i], own[j]) >= 2)
        for i, j in combinations(range(len(groups)), 2)
        if count.total() > len(count)
    )


def share_in_rings(graph: MoleculeGraph, groups: Groups, largest: int = MOST_BEFORE_SHARING["martini3"]) -> Groups:
    """Let three beads of a benzene ring share the atoms between them.

    Where a six-ring falls into three pairs, and its small substituents and heteroatoms leave every other place free,
    the published models take the three places in between as centres and share the carbons between them:
    chlorobenzene is (Cl, c, ½ ortho, ½ ortho) and twice (½ ortho, meta, ½ para). Which way the pairs were cut then makes
    no difference. A bead of more than ``largest`` atoms shares none.
    """
    for ring in graph.single_rings:
        owners = [[g for g, group in enumerate(groups) if atom in group] for atom in ring]
        beads = sorted({g for found in owners for g in found})
        if len(beads) != 3 or any(len(found) != 1 for found in owners):
            continue
        inside = set(ring)
        if any(len(set(groups[g]) & inside) != 2 or len(groups[g]) > largest for g in beads):
            continue
        bound = [
            not graph.may_be_shared[atom] or any(graph.neighbors[atom] >> b & 1 for b in groups[g] if b not in inside)
            for atom, (g,) in zip(ring, owners)
        ]
        bare = [graph.neighbors[atom].bit_count() == 2 for atom in ring]
        choices = [start for start in (0, 1) if not any(bound[(1 - start) :: 2])]
        if len(choices) == 2:
            # Nothing is bound to a place: take the one whose centres carry nothing, if there is just one such.
            choices = [start for start in (0, 1) if all(bare[start::2])]
        if len(choices) != 1:
            continue
        shared = list(groups)
        for centre in range(choices[0], 6, 2):
            (g,) = owners[centre]
            shared[g] = tuple(sorted({*groups[g], ring[centre - 1], ring[(centre + 1) % 6]}))
        groups = tuple(sorted(shared))
    return groups
