"""The kind of a molecule, by the functional group that decides its polarity: for validation with whole kinds left out."""

from __future__ import annotations

from functools import cache
from typing import Final

from rdkit import Chem

from topdown.mapping.smiles import parse_smiles

#: Kinds and the SMARTS of their groups, most polar first: a molecule is of the first kind whose group it has.
CHEMOTYPES: Final[tuple[tuple[str, str], ...]] = (
    ("ion", "[+,-;!$([+]~[-]);!$([-]~[+])]"),
    ("acid", "[CX3](=O)[OX2H1]"),
    ("amide", "[NX3][CX3]=[OX1,SX1]"),
    ("ester", "[CX3](=O)[OX2][#6]"),
    ("nitro", "[$([NX3](=O)=O),$([NX3+](=O)[O-])]"),
    ("nitrile", "[NX1]#[CX2]"),
    ("carbonyl", "[CX3]=[OX1]"),
    ("phenol", "[OX2H]c"),
    ("alcohol", "[OX2H][#6]"),
    ("heteroaromatic", "[n,o,s]"),
    ("amine", "[NX3;!$(N-C=[O,S,N]);!$(N=*)]"),
    ("ether", "[#6][OX2][#6]"),
    ("sulfur", "[#16]"),
    ("halogenated", "[F,Cl,Br,I]"),
    ("aromatic", "c"),
    ("unsaturated", "[#6]=,#[#6]"),
    ("alkane", "[#6]"),
)


@cache
def chemotype(smiles: str) -> str:
    """``"alcohol"``, ``"alkane"``… of a molecule; ``"water"``, and ``"other"`` for what has no carbon and no such group.

    Raises
    ------
    MoleculeError
        A SMILES that is refused.
    """
    if smiles == "O":
        return "water"
    mol = parse_smiles(smiles).mol
    for name, pattern in _patterns():
        if mol.HasSubstructMatch(pattern):
            return name
    return "other"


@cache
def _patterns() -> tuple[tuple[str, Chem.Mol], ...]:
    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in CHEMOTYPES)
