"""Names for the fragment a bead stands for: canonical strings that building blocks are looked up by.

A fragment is written as SMILES whose atoms carry all their hydrogens, with a mark after a colon:

====== =============================================================================
mark   meaning
====== =============================================================================
none   atom of the bead, in a chain or an aromatic ring
``:3`` atom of the bead, in a ring that is not aromatic
``:2`` atom shared with a neighbouring bead (``:4`` in a ring that is not aromatic)
``:1`` atom of a neighbouring bead, where this one is attached (element and aromaticity only)
``:5`` the same, a carbon of C=O
``:6`` the same, another carbon bonded to N or O outside the bead
``:7`` the same, another carbon with a double bond outside aromatic rings
====== =============================================================================

``[CH3][c]([cH:2])([cH:2])…`` is the methyl bead of toluene. This is the fragment in its *surroundings*; with all attached
atoms marked ``:1`` it is the fragment in its *environment*, and two coarser levels follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rdkit import Chem, rdBase

from topdown.mapping.atom_roles import AtomFacts, atom_facts, atoms_of, bonds_of

#: Levels of detail, finest first.
LEVELS = ("surroundings", "environment", "fragment", "skeleton")

_OUTSIDE, _SHARED, _RING, _SHARED_RING = 1, 2, 3, 4
_BESIDE_CARBONYL, _BESIDE_POLAR, _BESIDE_ALKENE = 5, 6, 7
_ATTACHED = frozenset({_OUTSIDE, _BESIDE_CARBONYL, _BESIDE_POLAR, _BESIDE_ALKENE})
_BOND_TYPES = {
    1.0: Chem.BondType.SINGLE,
    1.5: Chem.BondType.AROMATIC,
    2.0: Chem.BondType.DOUBLE,
    3.0: Chem.BondType.TRIPLE,
}
#: Element, charge, hydrogens, aromatic, mark.
_Atom = tuple[int, int, int, bool, int]


def surroundings_of(mol: Any, group: Iterable[int], shared: Iterable[int] = ()) -> str:
    """The fragment string of ``group`` in the molecule, at the finest level.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only, sanitised.
    group : iterable of int
        Atoms of the bead.
    shared : iterable of int
        Those that stand in another bead too.
    """
    return in_surroundings(atom_facts(mol), group, frozenset(shared))


def in_surroundings(facts: Sequence[AtomFacts], group: Iterable[int], shared: frozenset[int]) -> str:
    """The same from the facts of the molecule's atoms."""
    new: dict[int, int] = {}
    atoms: list[_Atom] = []
    members = sorted(group)
    for index in members:
        atom = facts[index]
        in_ring = atom.in_ring and not atom.aromatic
        mark = (_SHARED_RING if in_ring else _SHARED) if index in shared else _RING if in_ring else 0
        new[index] = len(atoms)
        atoms.append((atom.element, atom.charge, atom.hydrogens, atom.aromatic, mark))
    bonds = []
    for index in members:
        for other, element, order, aromatic in facts[index].neighbours:
            known = new.get(other)
            if known is None:
                known = new[other] = len(atoms)
                atoms.append((element, 0, 0, aromatic, _mark_of_attached(facts[other], members)))
            if known >= len(members) or index < other:
                bonds.append((new[index], known, order))
    sequence = _in_order(atoms, bonds)
    place = {old: number for number, old in enumerate(sequence)}
    moved = sorted((min(place[i], place[j]), max(place[i], place[j]), order) for i, j, order in bonds)
    return _written(tuple(atoms[old] for old in sequence), tuple(moved))


def _mark_of_attached(atom: AtomFacts, members: Sequence[int]) -> int:
    """The mark of an atom that a bead of ``members`` is attached to."""
    if atom.element != 6:
        return _OUTSIDE
    if atom.doubly_bonded(8):
        return _BESIDE_CARBONYL
    if any(z in (7, 8) and j not in members for j, z, _, _ in atom.neighbours):
        return _BESIDE_POLAR
    return _BESIDE_ALKENE if atom.has_double_bond else _OUTSIDE


def _in_order(atoms: Sequence[_Atom], bonds: Iterable[tuple[int, int, float]]) -> list[int]:
    """Atoms sorted by what they are and what they are bonded to, whatever their numbers.

    RDKit's canonical SMILES breaks ties by number between atoms that differ only in what it does not rank by, such as
    aromatic and other carbons outside rings.
    """
    near: list[list[tuple[float, int]]] = [[] for _ in atoms]
    for i, j, order in bonds:
        near[i].append((order, j))
        near[j].append((order, i))
    ranks = _ranked(atoms)
    for _ in range(2):
        ranks = _ranked([(ranks[a], sorted((order, ranks[b]) for order, b in found)) for a, found in enumerate(near)])
    return sorted(range(len(atoms)), key=ranks.__getitem__)


def _ranked(keys: Sequence[Any]) -> list[int]:
    """The place of each key among the distinct ones."""
    distinct: list[Any] = []
    for key in sorted(keys):
        if not distinct or distinct[-1] != key:
            distinct.append(key)
    return [distinct.index(key) for key in keys]


@lru_cache(maxsize=20000)
def _written(atoms: tuple[_Atom, ...], bonds: tuple[tuple[int, int, float], ...]) -> str:
    """SMILES of a fragment; most fragments of a molecule have been met before."""
    fragment = Chem.RWMol()
    for element, charge, hydrogens, aromatic, mark in atoms:
        copy = Chem.Atom(element)
        copy.SetFormalCharge(charge)
        copy.SetNumExplicitHs(hydrogens)
        copy.SetIsAromatic(aromatic)
        copy.SetNoImplicit(True)
        copy.SetAtomMapNum(mark)
        fragment.AddAtom(copy)
    for i, j, order in bonds:
        fragment.AddBond(i, j, _BOND_TYPES[order])
    with rdBase.BlockLogs():
        return str(Chem.MolToSmiles(fragment))


def _read(mol: Any) -> tuple[list[_Atom], list[tuple[int, int, float]]]:
    """Atoms and bonds of a fragment string that was read without sanitising."""
    atoms = [
        (a.GetAtomicNum(), a.GetFormalCharge(), a.GetTotalNumHs(), a.GetIsAromatic(), a.GetAtomMapNum())
        for a in atoms_of(mol)
    ]
    return atoms, [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b.GetBondTypeAsDouble()) for b in bonds_of(mol)]


@lru_cache(maxsize=20000)
def coarser(fragment: str) -> tuple[str, str, str, str]:
    """The four keys of a fragment string, one per level.

    Itself in canonical form; with nothing but elements of what it is attached to; without what it is attached to; and the
    bare skeleton, whose carbons have neither hydrogens nor attachments. A string that is not SMILES stands for itself on
    every level.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(fragment, sanitize=False)
        if mol is None:
            return fragment, fragment, fragment, fragment
        mol.UpdatePropertyCache(strict=False)
        mol = Chem.RenumberAtoms(mol, _in_order(*_read(mol)))
        surroundings = environment = Chem.MolToSmiles(mol)
        atoms = atoms_of(mol)
        special = [atom for atom in atoms if atom.GetAtomMapNum() in _ATTACHED - {_OUTSIDE}]
        if special:
            for atom in special:
                atom.SetAtomMapNum(_OUTSIDE)
            mol = Chem.RenumberAtoms(mol, _in_order(*_read(mol)))
            environment = Chem.MolToSmiles(mol)
            atoms = atoms_of(mol)
        marks = [atom.GetAtomMapNum() for atom in atoms]
        carbon = [atom.GetAtomicNum() == 6 for atom in atoms]
        outside = [i for i, mark in enumerate(marks) if mark == _OUTSIDE]
        attached = Chem.RWMol(mol)
        hidden = []
        for i in outside:
            atom = attached.GetAtomWithIdx(i)
            atom.SetAtomicNum(0)
            atom.SetIsAromatic(False)
            on_carbon = False
            for bond in atom.GetBonds():
                on_carbon |= carbon[bond.GetOtherAtomIdx(i)] and marks[bond.GetOtherAtomIdx(i)] != _OUTSIDE
                if bond.GetBondType() == Chem.BondType.AROMATIC:
                    bond.SetBondType(Chem.BondType.SINGLE)
            if on_carbon:
                hidden.append(i)
        skeleton = Chem.RWMol(attached)
        for i, mark in enumerate(marks):
            if mark == _OUTSIDE or not (mark or carbon[i]):
                continue
            atom = skeleton.GetAtomWithIdx(i)
            if mark:
                atom.SetAtomMapNum(_RING if mark in (_RING, _SHARED_RING) else 0)
            if carbon[i]:
                atom.SetNumExplicitHs(0)
                atom.SetNoImplicit(True)
        for i in reversed(hidden):
            skeleton.RemoveAtom(i)
        return surroundings, environment, str(Chem.MolToSmiles(attached)), str(Chem.MolToSmiles(skeleton))
