"""Symmetry of molecules and their partitions: how far a partition breaks it, and atoms shared to keep it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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


class BeadKinds:
    """What the beads of one molecule are made of: symmetry classes of their atoms, worked out once for each group.

    Parameters
    ----------
    graph : MoleculeGraph
    """

    def __init__(self, graph: MoleculeGraph) -> None:
        self._graph = graph
        self._known: dict[tuple[int, ...], tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {}
        self._numbers: dict[tuple[int, ...], int] = {}

    def of(self, group: tuple[int, ...]) -> tuple[int, ...]:
        """The sorted classes of the atoms of a group."""
        return self._described(group)[0]

    def _described(self, group: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Classes of a group, their number among all kinds met so far, and its atoms that have equivalent ones."""
        found = self._known.get(group)
        if found is None:
            classes, repeated = self._graph.classes, self._graph.repeated
            kind = tuple(sorted(map(classes.__getitem__, group)))
            number = self._numbers.setdefault(kind, len(self._numbers))
            found = kind, (number,), tuple(a for a in group if classes[a] in repeated)
            self._known[group] = found
        return found

    def asymmetries(self, groups: Iterable[tuple[int, ...]]) -> dict[int, int]:
        """Classes of equivalent atoms that stand in beads of different kinds, each with how many kinds too many."""
        if not self._graph.repeated:
            return {}
        memberships: dict[int, tuple[int, ...]] = {}
        for group in groups:
            _, number, own = self._described(group)
            for atom in own:
                before = memberships.get(atom)
                memberships[atom] = number if before is None else tuple(sorted(before + number))
        kinds: dict[int, set[tuple[int, ...]]] = {}
        classes = self._graph.classes
        for atom, found in memberships.items():
            kinds.setdefault(classes[atom], set()).add(found)
        return {number: len(found) - 1 for number, found in kinds.items() if len(found) > 1}


def asymmetry(graph: MoleculeGraph, groups: Iterable[tuple[int, ...]]) -> int:
    """How many times equivalent atoms stand in beads of different kinds, summed over classes of atoms."""
    return sum(BeadKinds(graph).asymmetries(groups).values())


class SymmetricSharing:
    """Atoms shared between beads so that symmetries of a molecule are kept; what it takes is worked out once per group.

    Parameters
    ----------
    graph : MoleculeGraph
    symmetries : sequence of tuple of int
        As :func:`automorphisms` gives them.
    """

    def __init__(self, graph: MoleculeGraph, symmetries: Sequence[tuple[int, ...]]) -> None:
        self.kinds = BeadKinds(graph)
        self._mirrors = [_Mirror(graph, symmetry) for symmetry in symmetries]

    def averaged(self, groups: Groups) -> Groups:
        """Average a partition with its mirror image where that makes it symmetric.

        Heptane as three carbons and four breaks the molecule's mirror; merged with its image it becomes two beads of three
        and a half, which share the middle carbon. Carbons of aromatic rings are shared, and those on which the mirror lies.
        """
        before = self._asymmetry(groups) if self._mirrors else 0
        if not before:
            return groups
        best = (before, 0, groups)
        for mirror in self._mirrors:
            for merged in mirror.merged(groups):
                if _shareable(merged):
                    best = min(best, (self._asymmetry(merged), sum(map(len, merged)), tuple(sorted(merged))))
        return best[2]

    def bridged(self, groups: Groups) -> Groups:
        """Give a heteroatom on a mirror a bead of its own, which shares the branched carbons at its sides.

        Diisopropyl ether as C3 and C3O breaks its mirror; as published it is C3, COC and C3, where the beads at the ends
        share their middle carbons with that of the oxygen. Straight chains leave room for a bead of their own there: dipropyl
        ether is C2, COC, C2. What breaks no symmetry is left as it is.
        """
        bridges = [mirror for mirror in self._mirrors if mirror.middle]
        before = self._asymmetry(groups) if bridges else 0
        if not before:
            return groups
        best = (before, groups)
        for mirror in bridges:
            if bridged := mirror.bridged(groups):
                best = min(best, (self._asymmetry(bridged), bridged))
        return best[1]

    def _asymmetry(self, groups: Iterable[tuple[int, ...]]) -> int:
        return sum(self.kinds.asymmetries(groups).values())


class _Mirror:
    """One symmetry of a molecule, with the images of groups met so far.

    Attributes
    ----------
    middle : tuple of int
        The only heteroatom that it leaves in place and the two branched carbons beside it, or empty.
    """

    def __init__(self, graph: MoleculeGraph, symmetry: tuple[int, ...]) -> None:
        self._symmetry = symmetry
        self._images: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._may_share = [
            bool(graph.may_be_shared[a] and (graph.flags[a] & FLAT or (symmetry[a] == a and not graph.flags[a])))
            for a in range(graph.n_atoms)
        ]
        self.middle = _middle(graph, symmetry)

    def _image(self, group: tuple[int, ...]) -> tuple[int, ...]:
        found = self._images.get(group)
        if found is None:
            found = self._images[group] = tuple(sorted(map(self._symmetry.__getitem__, group)))
        return found

    def merged(self, groups: Groups) -> Iterable[list[tuple[int, ...]]]:
        """Every way to join each group that has another image with one image that overlaps it, at most four atoms together."""
        image = list(map(self._image, groups))
        present, mirrored = set(groups), set(image)
        changed = [i for i, group in enumerate(groups) if group not in mirrored]
        if not 2 <= len(changed) <= 6:
            return
        targets = [group for group in image if group not in present]
        options = []
        for i in changed:
            found = [(k, union) for k, target in enumerate(targets) if (union := self._union(groups[i], target))]
            if not found:
                return
            options.append(found)
        waiting: list[tuple[list[tuple[int, ...]], int]] = [(list(groups), 0)]
        for i, found in zip(changed, options):
            further = []
            for merged, taken in waiting:
                for k, union in found:
                    if not taken >> k & 1:
                        joined = merged.copy()
                        joined[i] = union
                        further.append((joined, taken | 1 << k))
            waiting = further
        for merged, _ in waiting:
            yield merged

    def _union(self, group: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
        """Both together, or nothing where they do not overlap, are too large, or differ in atoms that may not be shared."""
        one, other = set(group), set(target)
        union = one | other
        if len(union) > 4 or not one & other or not all(self._may_share[a] for a in one ^ other):
            return ()
        return tuple(sorted(union))

    def bridged(self, groups: Groups) -> Groups:
        """The two groups that are mirror images but for the heteroatom in the middle, and that atom with its neighbours."""
        x, *ends = self.middle
        mirrored = set(map(self._image, groups))
        changed = sorted((group for group in groups if group not in mirrored), key=len)
        if len(changed) != 2 or len(changed[0]) < 3 or x not in changed[1]:
            return ()
        rest = tuple(a for a in changed[1] if a != x)
        if self._image(rest) != changed[0] or not all(a in changed[0] or a in rest for a in ends):
            return ()
        others = (group for group in groups if group not in changed)
        return tuple(sorted([*others, changed[0], rest, tuple(sorted(self.middle))]))


def _middle(graph: MoleculeGraph, symmetry: Sequence[int]) -> tuple[int, ...]:
    """The heteroatom of ethers, sulfides and amines on a mirror and the two branched carbons beside it, or empty."""
    for x in range(graph.n_atoms):
        if symmetry[x] == x and graph.cluster[x] >= 0 and graph.neighbors[x].bit_count() == 2:
            ends = bits(graph.neighbors[x])
            if symmetry[ends[0]] == ends[1] and all(
                graph.may_be_shared[a] and not graph.flags[a] and graph.neighbors[a].bit_count() > 2 for a in ends
            ):
                return (x, *ends)
    return ()


def _shareable(groups: Sequence[tuple[int, ...]]) -> bool:
    """Whether no atom is in three beads, and beads that meet in more than one atom stay different ones."""
    owners: dict[int, tuple[int, ...]] = {}
    for i, group in enumerate(groups):
        for atom in group:
            owners[atom] = (*owners.get(atom, ()), i)
    shared = [found for found in owners.values() if len(found) > 1]
    if any(len(found) > 2 for found in shared):
        return False
    # Two beads meet in one atom, or in two if each keeps as many of its own.
    for pair, common in Counter(shared).items():
        if common > 1 and (common > 2 or any(sum(len(owners[a]) == 1 for a in groups[i]) < 2 for i in pair)):
            return False
    return True


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
