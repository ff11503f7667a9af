"""A molecule as the partition sees it: a plain graph of its atoms, with what each atom and each cut bond counts for.

A *unit* is a set of atoms that no bead may part: an atom with its terminal =O, #N, -O(-) and halogens, and a functional
group of up to four heavy atoms outside rings (amide, ester, carbamate, nitro, guanidinium) or of five around one centre
(phosphate, sulfate, sulfonamide with its substituent). The choline of a phosphocholine is one too, as in every published lipid.
Rings of more than eight atoms are chains here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from rdkit import Chem

from topdown.mapping.atom_roles import LARGEST_RING, AtomFacts, BondFacts, known_bonds, known_facts, known_rings
from topdown.mapping.bit_masks import bits, pieces_of
from topdown.mapping.descriptions import HALOGENS, atom_share, cut_share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoleculeGraph:
    """A molecule as plain tuples and bit masks over atoms, and over units (module docstring).

    Attributes
    ----------
    n_atoms : int
    neighbors : tuple of int
        Bit mask of the neighbours of each atom.
    units : tuple of int
        Bit masks of the atoms of each unit.
    classes : tuple of int
        Symmetry class of each atom.
    repeated : frozenset of int
        Classes of more than one atom.
    counts, flags : tuple of int
        What each atom adds to the counts and flags of its group, its own bonds not cut.
    cluster : tuple of int
        Functional group each atom belongs to, -1 for none.
    bonds : tuple of (int, str, int)
        For each atom its bonds: mask of the other atom, name of the feature that counts the cut, what the cut adds to the counts.
    single_rings : tuple of tuple of int
        Aromatic rings of six that are fused to no other, their atoms in turn.
    may_be_shared : tuple of bool
    """

    n_atoms: int
    neighbors: tuple[int, ...]
    units: tuple[int, ...]
    classes: tuple[int, ...]
    repeated: frozenset[int]
    counts: tuple[int, ...]
    flags: tuple[int, ...]
    cluster: tuple[int, ...]
    bonds: tuple[tuple[tuple[int, str, int], ...], ...]
    single_rings: tuple[tuple[int, ...], ...]
    may_be_shared: tuple[bool, ...]

    @classmethod
    def of(cls, mol: Any) -> MoleculeGraph:
        """The graph of an RDKit molecule without hydrogens, which may not change any more."""
        return _graph_of(mol)

    def free_units(self, taken: int) -> list[int]:
        """The units outside the atoms ``taken``, a unit cut by them falling to pieces."""
        if not taken:
            return list(self.units)
        return [piece for unit in self.units for piece in self.pieces(unit & ~taken)]

    def pieces(self, mask: int) -> list[int]:
        """Connected components of the atoms in ``mask``."""
        return pieces_of(mask, self.neighbors)


@lru_cache(maxsize=2)
def _graph_of(mol: Any) -> MoleculeGraph:
    atoms, bonds = known_facts(mol), known_bonds(mol)
    rings = [r for r in known_rings(mol) if len(r) <= LARGEST_RING or all(atoms[i].aromatic for i in r)]
    ring_sizes, rings_of_bonds = _ring_counts(rings, len(atoms), bonds)
    neighbors, highest = [0] * len(atoms), [0.0] * len(atoms)
    for i, j, order, _, _ in bonds:
        neighbors[i] |= 1 << j
        neighbors[j] |= 1 << i
        if order > highest[i]:
            highest[i] = order
        if order > highest[j]:
            highest[j] = order
    polar = _polar_atoms(atoms, bonds)
    cluster = [-1] * len(atoms)
    for number, piece in enumerate(pieces_of(polar, neighbors)):
        for i in bits(piece):
            cluster[i] = number
    flat = _flat_atoms(atoms, rings, highest)
    substitution, single_rings = _ring_substitution(neighbors, rings, ring_sizes, flat)
    carbonyl, double = _double_bonded_carbons(atoms, bonds, rings_of_bonds)
    # In order, not by name: that takes most of the time of a look-up in the cache.
    shares = [
        atom_share(
            atom.element,
            ring_sizes[i],
            substitution[i],
            i in flat,
            polar >> i & 1,
            i in carbonyl,
            i in double,
            len(atom.neighbours) == 1,
        )
        for i, atom in enumerate(atoms)
    ]
    ends = [
        _End(
            atom.element == 6,
            atom.aromatic,
            len(atom.neighbours) == 1,
            cluster[i] >= 0,
            i in carbonyl,
            atom.element == 6 and highest[i] == 1 and [z for _, z, _, _ in atom.neighbours].count(8) > 1,
        )
        for i, atom in enumerate(atoms)
    ]
    classes = tuple(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    return MoleculeGraph(
        n_atoms=len(atoms),
        neighbors=tuple(neighbors),
        units=tuple(_units(atoms, bonds, rings_of_bonds, polar, neighbors)),
        classes=classes,
        repeated=frozenset(number for number, times in Counter(classes).items() if times > 1),
        counts=tuple(counts for counts, _ in shares),
        flags=tuple(flags for _, flags in shares),
        cluster=tuple(cluster),
        bonds=_cuts(bonds, rings_of_bonds, ends, cluster, flat, polar),
        single_rings=single_rings,
        may_be_shared=tuple(a.element == 6 and not polar >> i & 1 for i, a in enumerate(atoms)),
    )


def _ring_counts(
    rings: Sequence[tuple[int, ...]], n_atoms: int, bonds: Sequence[BondFacts]
) -> tuple[list[tuple[int, ...]], list[int]]:
    """The sizes of the rings of each atom, and how many rings each bond is in."""
    sizes: list[tuple[int, ...]] = [()] * n_atoms
    rings_of: dict[tuple[int, int], int] = {}
    for ring in rings:
        before = ring[-1]
        for i in ring:
            sizes[i] += (len(ring),)
            pair = (before, i) if before < i else (i, before)
            rings_of[pair] = rings_of.get(pair, 0) + 1
            before = i
    return sizes, [rings_of.get((i, j) if i < j else (j, i), 0) for i, j, _, _, _ in bonds]


def _flat_atoms(atoms: Sequence[AtomFacts], rings: Sequence[tuple[int, ...]], highest: Sequence[float]) -> set[int]:
    """Aromatic atoms, and those of quinones; ``highest`` is the largest order of a bond of each atom."""
    flat = {i for i, atom in enumerate(atoms) if atom.aromatic}
    for ring in rings:
        # Quinones count as aromatic: every atom of the ring has a double bond.
        if 5 <= len(ring) <= 6 and all(highest[i] > 1 for i in ring):
            flat |= set(ring)
    return flat


def _double_bonded_carbons(
    atoms: Sequence[AtomFacts], bonds: Sequence[BondFacts], rings_of_bonds: Sequence[int]
) -> tuple[set[int], set[int]]:
    """Carbons of C=O, C=N and C=S, and those of C=C, outside rings."""
    carbonyl, double = set(), set()
    for (i, j, order, _, _), rings in zip(bonds, rings_of_bonds):
        if order == 2 and not rings:
            pair = atoms[i].element, atoms[j].element
            if pair == (6, 6):
                double |= {i, j}
            elif pair[0] == 6 and pair[1] in (7, 8, 16):
                carbonyl.add(i)
            elif pair[1] == 6 and pair[0] in (7, 8, 16):
                carbonyl.add(j)
    return carbonyl, double


class _End(NamedTuple):
    """One end of a bond, as far as the kind of a cut through it depends on it; ``polar`` is "in a functional group"."""

    carbon: bool
    aromatic: bool
    terminal: bool
    polar: bool
    carbonyl: bool
    acetal: bool


def _cuts(
    bonds: Sequence[BondFacts],
    rings_of_bonds: Sequence[int],
    ends: Sequence[_End],
    cluster: Sequence[int],
    flat: set[int],
    polar: int,
) -> tuple[tuple[tuple[int, str, int], ...], ...]:
    """For each atom its bonds: mask of the other atom, name of the feature that counts the cut, what it adds to the counts."""
    found: list[list[tuple[int, str, int]]] = [[] for _ in ends]
    for (i, j, order, aromatic, _), rings in zip(bonds, rings_of_bonds):
        name = _cut_name(ends[i], ends[j], order, aromatic, rings, cluster[i] == cluster[j] >= 0)
        found[i].append((1 << j, name, _CUT_SHARES[not rings and i in flat, polar >> j & 1]))
        found[j].append((1 << i, name, _CUT_SHARES[not rings and j in flat, polar >> i & 1]))
    return tuple(map(tuple, found))


_CUT_SHARES = {
    (outside, to_polar): cut_share(outside=bool(outside), to_polar=bool(to_polar))
    for outside in (0, 1)
    for to_polar in (0, 1)
}


@lru_cache(maxsize=1 << 12)
def _cut_name(a: _End, b: _End, order: float, aromatic: bool, rings: int, same_group: bool) -> str:
    """Name of the feature that counts a cut through a bond."""
    elements = "".join(sorted("C" if end.carbon else "X" for end in (a, b)))
    if elements == "CX" and (a.acetal or b.acetal):
        return "cut:acetal ring" if rings else "cut:acetal"
    if rings:
        ring = "fused" if rings > 1 else "ring"
        unsaturated = "" if aromatic or order == 1 else "="
        return f"cut:{'arom' if aromatic else 'aliph'} {ring} {elements}{unsaturated}"
    if a.aromatic and b.aromatic:
        return "cut:biaryl"
    if a.aromatic or b.aromatic:
        outside = b if a.aromatic else a
        if outside.carbon and not outside.polar:
            return "cut:aryl-CH3" if outside.terminal else "cut:aryl-C"
        return "cut:aryl-XH" if outside.terminal else "cut:aryl-polar"
    if order > 1:
        return f"cut:multiple {elements}"
    if same_group:
        return f"cut:in group {elements}"
    if not a.polar and not b.polar:
        return "cut:C-C"
    if a.terminal or b.terminal:
        return f"cut:polar end {elements}"
    if a.carbonyl or b.carbonyl:
        return "cut:carbonyl"
    return f"cut:polar {elements}"


def _ring_substitution(
    neighbors: Sequence[int], rings: Sequence[tuple[int, ...]], ring_sizes: Sequence[tuple[int, ...]], flat: set[int]
) -> tuple[list[str], tuple[tuple[int, ...], ...]]:
    """For each atom of one flat six-ring how many substituents that ring has, ``2p`` for two of up to three atoms in para, ``f``
    when fused; and the flat six-rings that are not fused."""
    substitution = [""] * len(neighbors)
    single = []
    for ring in rings:
        if len(ring) != 6 or not all(i in flat for i in ring):
            continue
        if any(len(ring_sizes[i]) > 1 for i in ring):
            word = "f"
        else:
            single.append(ring)
            places = [place for place, i in enumerate(ring) if neighbors[i].bit_count() > 2]
            is_para = len(places) == 2 and places[1] - places[0] == 3
            light = is_para and all(_branch_size(neighbors, ring[p], ring) <= 3 for p in places)
            word = "2p" if light else str(min(len(places), 4))
        for i in ring:
            if len(ring_sizes[i]) == 1:
                substitution[i] = word
    return substitution, tuple(single)


def _branch_size(neighbors: Sequence[int], start: int, ring: Sequence[int]) -> int:
    """Atoms of the substituent on ``start``, counted up to 4."""
    inside = sum(1 << i for i in ring)
    branch = neighbors[start] & ~inside
    for _ in range(3):
        for i in bits(branch):
            branch |= neighbors[i] & ~inside
    return min(branch.bit_count(), 4)


def _polar_atoms(atoms: Sequence[AtomFacts], bonds: Sequence[BondFacts]) -> int:
    """Atoms of functional groups: N, O, S, P…, and the carbons of C=O, C=N, C#N outside aromatic rings."""
    mask = 0
    for i, atom in enumerate(atoms):
        if atom.element != 6 and atom.element not in HALOGENS:
            mask |= 1 << i
    for i, j, order, _, _ in bonds:
        if order >= 2:
            if atoms[i].element != 6:
                mask |= 1 << j
            if atoms[j].element != 6:
                mask |= 1 << i
    return mask


def _units(
    atoms: Sequence[AtomFacts],
    bonds: Sequence[BondFacts],
    rings_of_bonds: Sequence[int],
    polar: int,
    neighbors: Sequence[int],
) -> list[int]:
    """Sets of atoms that are never parted (module docstring)."""
    parent = list(range(len(atoms)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i, atom in enumerate(atoms):
        if len(atom.neighbours) == 1 and _stays_with_neighbour(atom):
            parent[root(i)] = root(atom.neighbours[0][0])
    inside = [0] * len(atoms)
    for (i, j, _, _, _), rings in zip(bonds, rings_of_bonds):
        if not rings and polar >> i & polar >> j & 1:
            inside[i] |= 1 << j
            inside[j] |= 1 << i
    for group in pieces_of(polar, inside):
        members = bits(group)
        # Halogens stay with the centre of their group and count as its members.
        halogens = sum(1 for i in members for j in bits(neighbors[i]) if atoms[j].element in HALOGENS)
        whole = len(members) + halogens <= 4 or (
            len(members) + halogens == 5 and max(inside[i].bit_count() for i in members) >= 3
        )
        for i in members:
            for j in bits(inside[i]):
                bridging = (inside[j] & ~(1 << i)) != 0
                if whole or (atoms[i].element == 15 and not bridging):
                    parent[root(i)] = root(j)
    for choline in _phosphocholines(atoms, neighbors):
        for i in choline[1:]:
            parent[root(i)] = root(choline[0])
    masks: dict[int, int] = {}
    for i in range(len(atoms)):
        masks[root(i)] = masks.get(root(i), 0) | 1 << i
    return sorted(masks.values(), key=lambda mask: mask & -mask)


def _phosphocholines(atoms: Sequence[AtomFacts], neighbors: Sequence[int]) -> list[list[int]]:
    """N, three methyls and two methylenes of every -O-CH2-CH2-N(CH3)3 whose oxygen is a phosphate's."""

    def onwards(i: int, came_from: int) -> int:
        """The other neighbour of an atom that has two, else -1."""
        others = neighbors[i] & ~(1 << came_from)
        return others.bit_length() - 1 if neighbors[i].bit_count() == 2 and others.bit_count() == 1 else -1

    found = []
    for n, atom in enumerate(atoms):
        if atom.element != 7 or atom.charge != 1 or len(atom.neighbours) != 4:
            continue
        methyls = [i for i in bits(neighbors[n]) if atoms[i].element == 6 and len(atoms[i].neighbours) == 1]
        if len(methyls) != 3:
            continue
        (first,) = [i for i in bits(neighbors[n]) if i not in methyls]
        second = onwards(first, n)
        oxygen = onwards(second, first) if second >= 0 else -1
        phosphorus = onwards(oxygen, second) if oxygen >= 0 else -1
        elements = [atoms[i].element if i >= 0 else 0 for i in (first, second, oxygen, phosphorus)]
        if elements == [6, 6, 8, 15]:
            found.append([n, *methyls, first, second])
    return found


def _stays_with_neighbour(atom: AtomFacts) -> bool:
    """Whether an atom of one neighbour is never cut from it: =O, =S, =N, #N, O(-), halogens."""
    return atom.element in HALOGENS or (atom.element != 6 and (atom.neighbours[0][2] >= 2 or atom.charge < 0))
