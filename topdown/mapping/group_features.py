"""What a group of atoms looks like to the partition: its features, counted from a plain graph of the molecule.

A *unit* is a set of atoms that no bead may part: an atom with its terminal =O, #N, -O(-) and halogens, and a functional
group of up to four heavy atoms outside rings (amide, ester, carbamate, nitro, guanidinium) or of five around one centre
(phosphate, sulfate, sulfonamide with its substituent).

All that the features of a group depend on, but for the kinds of bonds it cuts, is its *description*: counts that add up
over atoms and bonds, flags that are joined by "or", and two numbers. Equal descriptions have equal features, so that
their cost is worked out once per table of costs and not once per group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from rdkit import Chem

from topdown.mapping.atom_roles import known_bonds, known_facts

_HALOGENS = frozenset({9, 17, 35, 53})
#: Bits of one count in the packed counts of a group.
_WIDTH = 8
_FIELDS = (
    "n",
    "aromatic",
    "ring",
    "polar",
    "halogen",
    "fused",
    "ring_hetero",
    "cuts",
    "outside",
    "to_polar",
    "carbonyl",
)
_ONE = {name: 1 << _WIDTH * place for place, name in enumerate(_FIELDS)}
#: Flags: how the aromatic ring is substituted, the size of the smallest ring, the elements other than carbon.
_SUBSTITUTION = ("f", "0", "1", "2", "2p", "3", "4")
_RING_SIZE = ("3", "5", "6", "7")
_ELEMENTS = {7: "N", 8: "O", 16: "S", 15: "P"}
_FLAGS = (
    *(f"of {s}" for s in _SUBSTITUTION),
    *(f"size {s}" for s in _RING_SIZE),
    *"NOSPX",
    "terminal",
    "double",
    "flat",
)
_FLAG = {name: 1 << place for place, name in enumerate(_FLAGS)}
#: The flag of atoms of aromatic rings, quinones included.
FLAT = _FLAG["flat"]


def count_mask(name: str) -> int:
    """The bits of one of the counts in :data:`_FIELDS` within the packed counts of a description."""
    return ((1 << _WIDTH) - 1) * _ONE[name]


def packed(name: str, count: int) -> int:
    """A count in its place within the packed counts of a description."""
    return count * _ONE[name]


class Description(NamedTuple):
    """All that the features of a group depend on, but for the bonds it cuts (module docstring)."""

    counts: int
    flags: int
    clusters: int
    branching: int
    whole: bool

    def count(self, name: str) -> int:
        """One of the counts in :data:`_FIELDS`."""
        return self.counts >> _WIDTH * _FIELDS.index(name) & (1 << _WIDTH) - 1

    def has(self, flag: str) -> bool:
        """Whether an atom carries one of :data:`_FLAGS`."""
        return bool(self.flags & _FLAG[flag])


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


@lru_cache(maxsize=1 << 15)
def bits(mask: int) -> tuple[int, ...]:
    """Places of the bits set in ``mask``, lowest first; remembered, since the same masks come back again and again."""
    out = []
    while mask:
        low = mask & -mask
        out.append(low.bit_length() - 1)
        mask ^= low
    return tuple(out)


def pieces_of(mask: int, neighbors: Sequence[int]) -> list[int]:
    """Connected components of the atoms in ``mask``, given the bit mask of the neighbours of each atom."""
    pieces = []
    while mask:
        piece = frontier = mask & -mask
        while frontier:
            reached = 0
            for atom in bits(frontier):
                reached |= neighbors[atom]
            frontier = reached & mask & ~piece
            piece |= frontier
        pieces.append(piece)
        mask &= ~piece
    return pieces


class _Atom(NamedTuple):
    """What is asked of an RDKit atom more than once."""

    element: int
    degree: int
    charge: int
    hydrogens: int
    aromatic: bool
    ring_sizes: tuple[int, ...]


class _Bond(NamedTuple):
    i: int
    j: int
    order: float
    aromatic: bool
    rings: int


@lru_cache(maxsize=2)
def _graph_of(mol: Any) -> MoleculeGraph:
    # Symmetrised, so that equivalent rings of cages are all found; renumbered molecules have no rings until asked.
    rings = [tuple(ring) for ring in Chem.GetSymmSSSR(mol)]
    sizes: list[tuple[int, ...]] = [() for _ in range(mol.GetNumAtoms())]
    rings_of: dict[tuple[int, int], int] = {}
    for ring in rings:
        before = ring[-1]
        for i in ring:
            sizes[i] += (len(ring),)
            pair = (before, i) if before < i else (i, before)
            rings_of[pair] = rings_of.get(pair, 0) + 1
            before = i
    atoms = [
        _Atom(a.element, len(a.neighbours), a.charge, a.hydrogens, a.aromatic, size)
        for a, size in zip(known_facts(mol), sizes)
    ]
    bonds = [
        _Bond(i, j, order, aromatic, rings_of.get((i, j) if i < j else (j, i), 0))
        for i, j, order, aromatic, _ in known_bonds(mol)
    ]
    n = len(atoms)
    neighbors = [0] * n
    highest = [0.0] * n
    for bond in bonds:
        neighbors[bond.i] |= 1 << bond.j
        neighbors[bond.j] |= 1 << bond.i
        highest[bond.i] = max(highest[bond.i], bond.order)
        highest[bond.j] = max(highest[bond.j], bond.order)
    polar = _polar_atoms(atoms, bonds)
    cluster = [-1] * n
    for number, piece in enumerate(pieces_of(polar, neighbors)):
        for i in bits(piece):
            cluster[i] = number
    flat = {i for i, atom in enumerate(atoms) if atom.aromatic}
    for ring in rings:
        # Quinones count as aromatic: every atom of the ring has a double bond.
        if 5 <= len(ring) <= 6 and all(highest[i] > 1 for i in ring):
            flat |= set(ring)
    substitution, single_rings = _ring_substitution(atoms, neighbors, rings, flat)
    carbonyl = {
        i
        for bond in bonds
        if bond.order == 2 and not bond.rings
        for i, hetero in ((bond.i, bond.j), (bond.j, bond.i))
        if atoms[i].element == 6 and atoms[hetero].element in (7, 8, 16)
    }
    double = {
        i
        for bond in bonds
        if bond.order == 2 and not bond.rings and atoms[bond.i].element == atoms[bond.j].element == 6
        for i in (bond.i, bond.j)
    }
    acetal = {
        i
        for i, atom in enumerate(atoms)
        if atom.element == 6 and highest[i] == 1 and sum(atoms[j].element == 8 for j in bits(neighbors[i])) > 1
    }
    counts, flags = [], []
    for i, atom in enumerate(atoms):
        in_flat, in_ring = i in flat, bool(atom.ring_sizes)
        count = _ONE["n"]
        count += _ONE["aromatic"] if in_flat else _ONE["ring"] if in_ring else 0
        count += _ONE["polar"] * (polar >> i & 1) + _ONE["halogen"] * (atom.element in _HALOGENS)
        count += _ONE["fused"] * (len(atom.ring_sizes) > 1) + _ONE["ring_hetero"] * (in_ring and atom.element != 6)
        count += _ONE["carbonyl"] * (i in carbonyl)
        counts.append(count)
        flag = _FLAG[f"of {substitution[i]}"] if substitution[i] else 0
        if in_flat:
            flag |= FLAT
        if in_ring:
            size = min(atom.ring_sizes)
            flag |= _FLAG["size " + ("3" if size < 5 else str(size) if size < 7 else "7")]
        if atom.element != 6:
            flag |= _FLAG[_ELEMENTS.get(atom.element, "X")]
            flag |= _FLAG["terminal"] if atom.degree == 1 and atom.element not in _HALOGENS else 0
        flag |= _FLAG["double"] if i in double else 0
        flags.append(flag)
    ends: list[list[tuple[int, str, int]]] = [[] for _ in range(n)]
    for bond in bonds:
        name = "cut:" + _bond_kind(atoms, bond, cluster, carbonyl, acetal)
        for i, j in ((bond.i, bond.j), (bond.j, bond.i)):
            change = _ONE["cuts"] + _ONE["outside"] * (i in flat and not bond.rings)
            ends[i].append((1 << j, name, change + _ONE["to_polar"] * (polar >> j & 1)))
    classes = tuple(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    return MoleculeGraph(
        n_atoms=n,
        neighbors=tuple(neighbors),
        units=tuple(_units(atoms, bonds, polar, neighbors)),
        classes=classes,
        repeated=frozenset(number for number, times in Counter(classes).items() if times > 1),
        counts=tuple(counts),
        flags=tuple(flags),
        cluster=tuple(cluster),
        bonds=tuple(map(tuple, ends)),
        single_rings=single_rings,
        may_be_shared=tuple(a.element == 6 and not polar >> i & 1 for i, a in enumerate(atoms)),
    )


def _ring_substitution(
    atoms: Sequence[_Atom], neighbors: Sequence[int], rings: Sequence[tuple[int, ...]], flat: set[int]
) -> tuple[list[str], tuple[tuple[int, ...], ...]]:
    """For each atom of one flat six-ring how many substituents that ring has, ``2p`` for two of up to three atoms in para, ``f``
    when fused; and the flat six-rings that are not fused."""
    substitution = [""] * len(atoms)
    single = []
    for ring in rings:
        if len(ring) != 6 or not all(i in flat for i in ring):
            continue
        if any(len(atoms[i].ring_sizes) > 1 for i in ring):
            word = "f"
        else:
            single.append(ring)
            places = [place for place, i in enumerate(ring) if atoms[i].degree > 2]
            is_para = len(places) == 2 and places[1] - places[0] == 3
            light = is_para and all(_branch_size(neighbors, ring[p], ring) <= 3 for p in places)
            word = "2p" if light else str(min(len(places), 4))
        for i in ring:
            if len(atoms[i].ring_sizes) == 1:
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


def _polar_atoms(atoms: Sequence[_Atom], bonds: Sequence[_Bond]) -> int:
    """Atoms of functional groups: N, O, S, P…, and the carbons of C=O, C=N, C#N outside aromatic rings."""
    mask = 0
    for i, atom in enumerate(atoms):
        if atom.element != 6 and atom.element not in _HALOGENS:
            mask |= 1 << i
    for bond in bonds:
        if bond.order >= 2:
            if atoms[bond.i].element != 6:
                mask |= 1 << bond.j
            if atoms[bond.j].element != 6:
                mask |= 1 << bond.i
    return mask


def _units(atoms: Sequence[_Atom], bonds: Sequence[_Bond], polar: int, neighbors: Sequence[int]) -> list[int]:
    """Sets of atoms that are never parted (module docstring)."""
    parent = list(range(len(atoms)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    inside = [0] * len(atoms)
    for bond in bonds:
        a, b = atoms[bond.i], atoms[bond.j]
        if _is_terminal_partner(a, bond) or _is_terminal_partner(b, bond):
            parent[root(bond.i)] = root(bond.j)
        if not bond.rings and polar >> bond.i & polar >> bond.j & 1:
            inside[bond.i] |= 1 << bond.j
            inside[bond.j] |= 1 << bond.i
    for group in pieces_of(polar, inside):
        members = bits(group)
        # Halogens stay with the centre of their group and count as its members.
        halogens = sum(1 for i in members for j in bits(neighbors[i]) if atoms[j].element in _HALOGENS)
        whole = len(members) + halogens <= 4 or (
            len(members) + halogens == 5 and max(inside[i].bit_count() for i in members) >= 3
        )
        for i in members:
            for j in bits(inside[i]):
                bridging = (inside[j] & ~(1 << i)) != 0
                if whole or (atoms[i].element == 15 and not bridging):
                    parent[root(i)] = root(j)
    masks: dict[int, int] = {}
    for atom in range(len(atoms)):
        masks[root(atom)] = masks.get(root(atom), 0) | 1 << atom
    return sorted(masks.values(), key=lambda mask: mask & -mask)


def _is_terminal_partner(atom: _Atom, bond: _Bond) -> bool:
    """Whether a terminal atom is never cut from its neighbour: =O, =S, =N, #N, O(-), halogens."""
    if atom.degree != 1:
        return False
    return atom.element in _HALOGENS or (atom.element != 6 and (bond.order >= 2 or atom.charge < 0))


def _bond_kind(
    atoms: Sequence[_Atom], bond: _Bond, cluster: Sequence[int], carbonyl: set[int], acetal: set[int]
) -> str:
    """Name of the feature that counts a cut through ``bond``, without its "cut:"."""
    a, b = atoms[bond.i], atoms[bond.j]
    elements = "".join(sorted("C" if x.element == 6 else "X" for x in (a, b)))
    if elements == "CX" and (bond.i in acetal or bond.j in acetal):
        return "acetal ring" if bond.rings else "acetal"
    if bond.rings:
        ring = "fused" if bond.rings > 1 else "ring"
        unsaturated = "" if bond.aromatic or bond.order == 1 else "="
        return f"{'arom' if bond.aromatic else 'aliph'} {ring} {elements}{unsaturated}"
    if a.aromatic and b.aromatic:
        return "biaryl"
    if a.aromatic or b.aromatic:
        outside, number = (b, bond.j) if a.aromatic else (a, bond.i)
        if outside.element == 6 and cluster[number] < 0:
            return "aryl-C" if outside.degree > 1 else "aryl-CH3"
        return "aryl-polar" if outside.degree > 1 else "aryl-XH"
    if bond.order > 1:
        return f"multiple {elements}"
    if cluster[bond.i] >= 0 and cluster[bond.i] == cluster[bond.j]:
        return f"in group {elements}"
    if cluster[bond.i] < 0 and cluster[bond.j] < 0:
        return "C-C"
    if min(a.degree, b.degree) == 1:
        return f"polar end {elements}"
    if bond.i in carbonyl or bond.j in carbonyl:
        return "carbonyl"
    return f"polar {elements}"


def describe(graph: MoleculeGraph, atoms: int) -> Description:
    """The description of the group in the bit mask ``atoms``."""
    counts = flags = clusters = branching = 0
    for atom in bits(atoms):
        counts += graph.counts[atom]
        flags |= graph.flags[atom]
        if graph.cluster[atom] >= 0:
            clusters |= 1 << graph.cluster[atom]
        counts += sum(change for other, _, change in graph.bonds[atom] if not other & atoms)
        branching += max((graph.neighbors[atom] & atoms).bit_count() - 2, 0)
    return Description(counts, flags, clusters.bit_count(), branching, atoms.bit_count() == graph.n_atoms)


def group_features(graph: MoleculeGraph, atoms: int) -> dict[str, int]:
    """Counts of the features of one group.

    Parameters
    ----------
    graph : MoleculeGraph
    atoms : int
        Bit mask of the group.

    Returns
    -------
    dict of str to int
        A cut bond counts once in each of the two groups it parts.
    """
    features = dict.fromkeys(shape_features(describe(graph, atoms)), 1)
    for atom in bits(atoms):
        for other, name, _ in graph.bonds[atom]:
            if not other & atoms:
                features[name] = features.get(name, 0) + 1
    return features


def shape_features(group: Description) -> Iterable[str]:
    """Names of the features of a group other than the bonds it cuts; each counts once."""
    n, a, r = group.count("n"), group.count("aromatic"), group.count("ring")
    c = n - a - r
    polar, halogen, cuts = group.count("polar"), group.count("halogen"), group.count("cuts")
    if group.clusters > 1:
        yield f"several groups {min(group.clusters, 4)}"
    if group.branching and n > 3:
        yield f"branched {n} {min(group.branching, 3)}"
    if group.whole:
        yield f"whole {n}"
        yield f"whole {n} {'branched' if group.branching else 'straight'}"
        if group.has("terminal") and not group.branching:
            yield f"whole {n} polar end"
    if a == r == 0:
        kind = f"polar{min(polar, 5)}" if polar else "halogen" if halogen else "alkyl"
        yield f"chain {n}"
        yield f"{kind} {n}"
        if kind == "alkyl":
            yield f"alkyl {n} {('whole', 'end', 'inner')[min(cuts, 2)]} {min(group.count('to_polar'), 2)}"
            if group.has("double"):
                yield f"alkene {n}"
        elif group.has("double"):
            yield f"polar alkene {n}"
        if group.count("carbonyl"):
            yield f"carbonyl {n}"
    elif r == 0:
        words = [s for s in _SUBSTITUTION if group.has(f"of {s}")]
        yield f"arom {a}+{c}"
        if words and a < 4 and c < 4:
            yield f"arom {a}+{c} of {words[-1]}"
        yield f"arom {a} fused {min(group.count('fused'), 3)}"
        yield f"arom {a}+{c} outside {min(group.count('outside'), 2)}"
        hetero = group.count("ring_hetero")
        if n == 1:
            element = next((e for e in "NOSPX" if group.has(e)), "C")
            yield f"arom one {element} {'5' if group.has('size 5') else '6'}"
        elif hetero:
            yield f"arom {a} hetero {min(hetero, 3)} {'5' if group.has('size 5') else '6'}"
    elif a == 0:
        size = next((s for s in _RING_SIZE if group.has(f"size {s}")), "")
        yield f"ring {r}+{c}"
        yield f"ring {r} of {size}"
        yield f"ring {r} fused {min(group.count('fused'), 3)}"
        if group.count("ring_hetero"):
            yield f"ring {r} hetero {min(group.count('ring_hetero'), 2)}"
        yield f"ring {n} polar {min(polar, 4)}"
    else:
        yield f"mixed {a + r}+{c}"
    if polar and a:
        yield "arom polar"
