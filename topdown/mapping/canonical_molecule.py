"""The molecule that is mapped: built anew from its canonical SMILES, whatever was written.

Canonical numbers of the atoms are not enough. RDKit draws, embeds and looks for symmetries in the order of the bonds and
rings as well, which renumbering leaves as they were written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rdkit import Chem, rdBase

from topdown.mapping.conformers import Conformers, conformers
from topdown.mapping.fragmenting import canonical_order, output_order
from topdown.mapping.smiles import ParsedMolecule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CanonicalMolecule:
    """A molecule whose atoms, bonds and rings come in an order that does not depend on how it was written.

    Attributes
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only, in an order that ignores stereo: mirror images are divided alike.
    order : list of int
        Index in ``ParsedMolecule.mol`` of each atom of ``mol``.
    as_read : rdkit.Chem.Mol
        The molecule as its canonical SMILES is read; ``mol`` itself where nothing marks stereo.
    places : list of int
        Index in ``as_read`` of each atom of ``mol``.
    text : str
        What ``as_read`` was read from; empty where RDKit does not read what it wrote.
    """

    mol: Any
    order: list[int]
    as_read: Any
    places: list[int]
    text: str = ""

    @classmethod
    def of(cls, parsed: ParsedMolecule) -> CanonicalMolecule:
        """The canonical molecule of one that has just passed the gate, which has left its output order in it."""
        text, written = parsed.canonical_smiles, output_order(parsed.mol)
        fresh = _read(text)
        if fresh is None or fresh.GetNumAtoms() != len(written):
            # RDKit does not read what it wrote: its atoms at least come in canonical order.
            order = canonical_order(parsed.mol, text)
            mol = _renumbered(parsed.mol, order)
            return cls(mol=mol, order=order, as_read=mol, places=list(range(len(order))))
        if not any(mark in text for mark in "/\\@"):
            return cls(mol=fresh, order=written, as_read=fresh, places=list(range(len(written))), text=text)
        places = canonical_order(fresh)
        return cls(
            mol=_renumbered(fresh, places),
            order=[written[place] for place in places],
            as_read=fresh,
            places=places,
            text=text,
        )

    def conformers(self, seed: int) -> Conformers | None:
        """Conformers of ``as_read``, see :func:`conformers_of`."""
        return conformers_of(self.text, seed) if self.text else conformers(self.as_read, seed=seed)


@lru_cache(maxsize=2)
def conformers_of(canonical_smiles: str, seed: int) -> Conformers | None:
    """Conformers of a molecule as its canonical SMILES is read; ``None`` without any.

    Those of the last molecules are remembered: their beads, their surface and their pictures ask for the same ones. Nobody
    may change them.
    """
    mol = _read(canonical_smiles)
    made = None if mol is None else conformers(mol, seed=seed)
    if made is not None:
        for values in made[1:]:
            values.flags.writeable = False
    return made


def _renumbered(mol: Any, order: list[int]) -> Any:
    """The molecule with its atoms in another order, and its rings in that which follows from it."""
    renumbered = Chem.RenumberAtoms(mol, order)
    Chem.GetSymmSSSR(renumbered)
    return renumbered


def _read(canonical_smiles: str) -> Any:
    """A molecule of heavy atoms, or None where RDKit does not read what it wrote."""
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(canonical_smiles)
        return Chem.RemoveAllHs(mol) if mol is not None and "[H]" in canonical_smiles else mol
