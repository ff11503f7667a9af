"""Names for the fragment a bead stands for: canonical strings that building blocks are looked up by.

A fragment is written as SMILES whose atoms carry all their hydrogens, with a mark after a colon:

====== =============================================================================
mark   meaning
====== =============================================================================
none   atom of the bead, in a chain or an aromatic ring
``:3`` atom of the bead, in a ring that is not aromatic
``:2`` atom shared with a neighbouring bead (``:4`` in a ring that is not aromatic)
``:1`` atom of a neighbouring bead, where this one is attached (element and aromaticity only)
====== =============================================================================

``[CH3][c]([cH:2])([cH:2])…`` is the methyl bead of toluene. From this *environment* the two coarser levels follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from rdkit import Chem, rdBase

#: Levels of detail, finest first.
LEVELS = ("environment", "fragment", "skeleton")

_OUTSIDE, _SHARED, _RING, _SHARED_RING = 1, 2, 3, 4


def environment_of(mol: Any, group: Iterable[int], shared: Iterable[int] = ()) -> str:
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
    members = sorted(group)
    inside, both = set(members), set(shared)
    fragment = Chem.RWMol()
    new: dict[int, int] = {}
    for index in members:
        atom = mol.GetAtomWithIdx(index)
        in_ring = atom.IsInRing() and not atom.GetIsAromatic()
        copy = Chem.Atom(atom.GetAtomicNum())
        copy.SetFormalCharge(atom.GetFormalCharge())
        copy.SetNumExplicitHs(atom.GetTotalNumHs())
        copy.SetIsAromatic(atom.GetIsAromatic())
        copy.SetNoImplicit(True)
        copy.SetAtomMapNum((_SHARED_RING if in_ring else _SHARED) if index in both else _RING if in_ring else 0)
        new[index] = fragment.AddAtom(copy)
    for index in members:
        for bond in mol.GetAtomWithIdx(index).GetBonds():
            other = bond.GetOtherAtomIdx(index)
            if other not in new:
                outside = mol.GetAtomWithIdx(other)
                copy = Chem.Atom(outside.GetAtomicNum())
                copy.SetIsAromatic(outside.GetIsAromatic())
                copy.SetNoImplicit(True)
                copy.SetAtomMapNum(_OUTSIDE)
                new[other] = fragment.AddAtom(copy)
            if (other in inside and index < other) or other not in inside:
                fragment.AddBond(new[index], new[other], bond.GetBondType())
    with rdBase.BlockLogs():
        return str(Chem.MolToSmiles(fragment))


@lru_cache(maxsize=20000)
def coarser(environment: str) -> tuple[str, str, str]:
    """The three keys of a fragment string, one per level.

    Itself in canonical form; without what it is attached to; and the bare skeleton, whose carbons have neither
    hydrogens nor attachments. A string that is not SMILES stands for itself on every level.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(environment, sanitize=False)
        if mol is None:
            return environment, environment, environment
        mol.UpdatePropertyCache(strict=False)
        canonical = Chem.MolToSmiles(mol)
        attached = Chem.RWMol(mol)
        for atom in attached.GetAtoms():
            if atom.GetAtomMapNum() == _OUTSIDE:
                atom.SetAtomicNum(0)
                atom.SetIsAromatic(False)
        for bond in attached.GetBonds():
            ends = (bond.GetBeginAtom().GetAtomicNum(), bond.GetEndAtom().GetAtomicNum())
            if 0 in ends and bond.GetBondType() == Chem.BondType.AROMATIC:
                bond.SetBondType(Chem.BondType.SINGLE)
        skeleton = Chem.RWMol(attached)
        for atom in skeleton.GetAtoms():
            if atom.GetAtomMapNum() != _OUTSIDE:
                atom.SetAtomMapNum(_RING if atom.GetAtomMapNum() in (_RING, _SHARED_RING) else 0)
                if atom.GetAtomicNum() == 6:
                    atom.SetNumExplicitHs(0)
                    atom.SetNoImplicit(True)
        for atom in reversed(list(skeleton.GetAtoms())):
            if atom.GetAtomMapNum() == _OUTSIDE and any(n.GetAtomicNum() == 6 for n in atom.GetNeighbors()):
                skeleton.RemoveAtom(atom.GetIdx())
        return canonical, str(Chem.MolToSmiles(attached)), str(Chem.MolToSmiles(skeleton))
