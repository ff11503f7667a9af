"""What a group of atoms looks like to the partition: its features, counted from a plain graph of the molecule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rdkit import Chem

_HALOGENS = frozenset({9, 17, 35, 53})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoleculeGraph:
    """A molecule as plain tuples and bit masks over atoms, and over *units* that are never cut.

    Attributes
    ----------
    n_atoms : int
    neighbors : tuple of int
        Bit mask of the neighbours of each atom.
    units : tuple of int
        Bit masks of atoms that always stay together: an atom with its terminal =O, #N, -O(-) and halogens.
    unit_neighbors : tuple of int
        Bit mask over units.
    order : tuple of int
        Place of each atom in a walk from the edge of the molecule inwards; the search covers atoms in this order.
    classes : tuple of int
        Symmetry class of each atom.
    kind : tuple of str
        ``a`` aromatic (quinones included), ``r`` other ring, ``c`` chain.
    substitution : tuple of str
        For atoms of one aromatic six-ring: how many substituents that ring has, ``2p`` for two in para; else empty.
    element, charge, degree : tuples of int
    polar : int
        Mask of the atoms of functional groups.
    cluster : tuple of int
        Functional group each atom belongs to, -1 for none.
    bonds : tuple of (int, int, str)
        Each bond with its kind, the name of the feature that counts its cut.
    may_be_shared : tuple of bool
    """

    n_atoms: int
    neighbors: tuple[int, ...]
    units: tuple[int, ...]
    unit_neighbors: tuple[int, ...]
    order: tuple[int, ...]
    classes: tuple[int, ...]
    kind: tuple[str, ...]
    substitution: tuple[str, ...]
    element: tuple[int, ...]
    charge: tuple[int, ...]
    degree: tuple[int, ...]
    polar: int
    cluster: tuple[int, ...]
    bonds: tuple[tuple[tuple[int, str], ...], ...]
    may_be_shared: tuple[bool, ...]

    @classmethod
    def of(cls, mol: Any) -> MoleculeGraph:
        """The graph of an RDKit molecule without hydrogens."""
        atoms = list(mol.GetAtoms())
        n = len(atoms)
        neighbors = [0] * n
        for bond in mol.GetBonds():
            i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            neighbors[i] |= 1 << j
            neighbors[j] |= 1 << i
        polar = _polar_atoms(mol)
        cluster = [-1] * n
        for number, piece in enumerate(pieces_of(polar, neighbors)):
            for atom in _bits(piece):
                cluster[atom] = number
        flat = _flat_ring_atoms(mol)
        units = _units(mol)
        unit_of = {a: u for u, mask in enumerate(units) for a in _bits(mask)}
        unit_neighbors = [
            sum(1 << v for v in {unit_of[b] for a in _bits(mask) for b in _bits(neighbors[a])} - {u})
            for u, mask in enumerate(units)
        ]
        bonds: list[list[tuple[int, str]]] = [[] for _ in range(n)]
        for bond in mol.GetBonds():
            i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            name = _bond_kind(bond, cluster)
            bonds[i].append((1 << j, name))
            bonds[j].append((1 << i, name))
        return cls(
            n_atoms=n,
            neighbors=tuple(neighbors),
            units=tuple(units),
            unit_neighbors=tuple(unit_neighbors),
            order=tuple(_walk(neighbors)),
            classes=tuple(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False)),
            kind=tuple("a" if i in flat else "r" if a.IsInRing() else "c" for i, a in enumerate(atoms)),
            substitution=tuple(_substitution(mol, i, flat) for i in range(n)),
            element=tuple(a.GetAtomicNum() for a in atoms),
            charge=tuple(a.GetFormalCharge() for a in atoms),
            degree=tuple(a.GetDegree() for a in atoms),
            polar=polar,
            cluster=tuple(cluster),
            bonds=tuple(tuple(b) for b in bonds),
            may_be_shared=tuple(a.IsInRing() and a.GetAtomicNum() == 6 for a in atoms),
        )

    def free_units(self, taken: int) -> tuple[list[int], list[int]]:
        """The units outside the atoms ``taken``, a unit cut by them falling to pieces, and their neighbours."""
        if not taken:
            return list(self.units), list(self.unit_neighbors)
        units = [piece for unit in self.units for piece in self.pieces(unit & ~taken)]
        unit_of = {a: u for u, mask in enumerate(units) for a in _bits(mask)}
        near = [{unit_of[b] for a in _bits(m) for b in _bits(self.neighbors[a] & ~taken)} for m in units]
        return units, [sum(1 << v for v in found - {u}) for u, found in enumerate(near)]

    def first_atom(self, mask: int) -> int:
        """The atom of ``mask`` that is covered first."""
        return min(_bits(mask), key=self.order.__getitem__)

    def pieces(self, mask: int) -> list[int]:
        """Connected components of the atoms in ``mask``."""
        return pieces_of(mask, self.neighbors)


def _bits(mask: int) -> list[int]:
    out = []
    while mask:
        low = mask & -mask
        out.append(low.bit_length() - 1)
        mask ^= low
    return out


def pieces_of(mask: int, neighbors: Any) -> list[int]:
    """Connected components of the atoms in ``mask``, given the bit mask of the neighbours of each atom."""
    pieces = []
    while mask:
        piece = frontier = mask & -mask
        while frontier:
            reached = 0
            for atom in _bits(frontier):
                reached |= neighbors[atom]
            frontier = reached & mask & ~piece
            piece |= frontier
        pieces.append(piece)
        mask &= ~piece
    return pieces


def _walk(neighbors: list[int]) -> list[int]:
    """Breadth-first order from a peripheral atom: remainders of the search then stay few."""
    last = 0
    for _ in range(2):
        order, seen, queue = [0] * len(neighbors), 1 << last, [last]
        for place, atom in enumerate(queue):
            order[atom] = place
            for other in _bits(neighbors[atom] & ~seen):
                seen |= 1 << other
                queue.append(other)
        last = queue[-1]
    return order


def _flat_ring_atoms(mol: Any) -> set[int]:
    """Aromatic atoms, and those of rings of up to six atoms that are all sp2, as in quinones."""
    flat = {a.GetIdx() for a in mol.GetAtoms() if a.GetIsAromatic()}
    for ring in mol.GetRingInfo().AtomRings():
        if 5 <= len(ring) <= 6 and all(
            any(b.GetBondTypeAsDouble() > 1 for b in mol.GetAtomWithIdx(i).GetBonds()) for i in ring
        ):
            flat |= set(ring)
    return flat


def _substitution(mol: Any, atom: int, flat: set[int]) -> str:
    rings = [ring for ring in mol.GetRingInfo().AtomRings() if atom in ring]
    if atom not in flat or len(rings) != 1 or len(rings[0]) != 6:
        return ""
    ring = rings[0]
    if any(mol.GetRingInfo().NumAtomRings(i) > 1 for i in ring):
        return "f"
    places = [place for place, i in enumerate(ring) if mol.GetAtomWithIdx(i).GetDegree() > 2]
    is_para = len(places) == 2 and places[1] - places[0] == 3
    return f"{min(len(places), 4)}{'p' if is_para else ''}"


def _is_terminal_partner(atom: Any, bond: Any) -> bool:
    """Whether a terminal atom is never cut from its neighbour: =O, =S, =N, #N, O(-), halogens."""
    if atom.GetDegree() != 1:
        return False
    if atom.GetAtomicNum() in _HALOGENS:
        return True
    is_bound = bond.GetBondTypeAsDouble() >= 2 or atom.GetFormalCharge() < 0
    return bool(atom.GetAtomicNum() != 6 and is_bound)


def _units(mol: Any) -> list[int]:
    parent = list(range(mol.GetNumAtoms()))
    for bond in mol.GetBonds():
        a, b = bond.GetBeginAtom(), bond.GetEndAtom()
        if _is_terminal_partner(a, bond):
            parent[a.GetIdx()] = b.GetIdx()
        elif _is_terminal_partner(b, bond):
            parent[b.GetIdx()] = a.GetIdx()
    masks: dict[int, int] = {}
    for atom, root in enumerate(parent):
        masks[root] = masks.get(root, 0) | 1 << atom
    return [masks[root] for root in sorted(masks)]


def _polar_atoms(mol: Any) -> int:
    """Atoms of functional groups: N, O, S, P…, and the carbons of C=O, C=N, C#N outside aromatic rings."""
    mask = 0
    for atom in mol.GetAtoms():
        number = atom.GetAtomicNum()
        partners = [b.GetOtherAtom(atom).GetAtomicNum() for b in atom.GetBonds() if b.GetBondTypeAsDouble() >= 2]
        if number not in (6, *_HALOGENS) or (number == 6 and any(partner != 6 for partner in partners)):
            mask |= 1 << atom.GetIdx()
    return mask


def _bond_kind(bond: Any, cluster: list[int]) -> str:
    """Name of the feature that counts a cut through ``bond``."""
    a, b = bond.GetBeginAtom(), bond.GetEndAtom()
    i, j = a.GetIdx(), b.GetIdx()
    elements = "".join(sorted("C" if x.GetAtomicNum() == 6 else "X" for x in (a, b)))
    if bond.IsInRing():
        fused = bond.GetOwningMol().GetRingInfo().NumBondRings(bond.GetIdx()) > 1
        ring = "fused" if fused else "ring"
        unsaturated = "" if bond.GetIsAromatic() or bond.GetBondTypeAsDouble() == 1 else "="
        return f"cut:{'arom' if bond.GetIsAromatic() else 'aliph'} {ring} {elements}{unsaturated}"
    if a.GetIsAromatic() or b.GetIsAromatic():
        if a.GetIsAromatic() and b.GetIsAromatic():
            return "cut:biaryl"
        outside = b if a.GetIsAromatic() else a
        if outside.GetAtomicNum() == 6 and cluster[outside.GetIdx()] < 0:
            return "cut:aryl-C" if outside.GetDegree() > 1 else "cut:aryl-CH3"
        return "cut:aryl-polar" if outside.GetDegree() > 1 else "cut:aryl-XH"
    if bond.GetBondTypeAsDouble() > 1:
        return f"cut:multiple {elements}"
    if cluster[i] >= 0 and cluster[i] == cluster[j]:
        return f"cut:in group {elements}"
    if elements == "CC" and cluster[i] < 0 and cluster[j] < 0:
        return "cut:C-C"
    return f"cut:polar {elements}" if min(a.GetDegree(), b.GetDegree()) > 1 else f"cut:polar end {elements}"


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
    members = _bits(atoms)
    kinds = {"a": 0, "r": 0, "c": 0}
    clusters = set()
    features: dict[str, int] = {}
    for atom in members:
        kinds[graph.kind[atom]] += 1
        if graph.cluster[atom] >= 0:
            clusters.add(graph.cluster[atom])
        for other, name in graph.bonds[atom]:
            if not other & atoms:
                features[name] = features.get(name, 0) + 1
    a, r, c = kinds["a"], kinds["r"], kinds["c"]
    n = len(members)
    polar = atoms & graph.polar
    if a == r == 0:
        halogen = any(graph.element[m] in _HALOGENS for m in members)
        what = f"polar{min(polar.bit_count(), 5)}" if polar else "halogen" if halogen else "alkyl"
        features[f"{what} {n}"] = 1
        inner = max(sum(1 for other, _ in graph.bonds[m] if other & atoms) for m in members) if n > 1 else 0
        if inner >= 3:
            features[f"branched {n} {inner}"] = 1
        if atoms.bit_count() == graph.n_atoms:
            features[f"whole {n}"] = 1
    elif r == 0:
        features[f"arom {a}+{c}"] = 1
        substituted = max(graph.substitution[m] for m in members)
        if substituted and a < 4 and c < 4:
            features[f"arom {a}+{c} of {substituted}"] = 1
    elif a == 0:
        features[f"ring {r}+{c}"] = 1
    else:
        features[f"mixed {a + r}+{c}"] = 1
    if polar and a:
        features["arom polar"] = 1
    if len(clusters) > 1:
        features["several groups"] = len(clusters) - 1
    return features
