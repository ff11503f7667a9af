"""The molecule that is mapped: built anew from its canonical SMILES, whatever was written.

Canonical numbers of the atoms are not enough. RDKit draws, embeds and looks for symmetries in the order of the bonds and
rings as well, which renumbering leaves as they were written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rdkit import Chem, rdBase

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
    """

    mol: Any
    order: list[int]
    as_read: Any
    places: list[int]

    @classmethod
    def of(cls, parsed: ParsedMolecule) -> CanonicalMolecule:
        """The canonical molecule of one that has just passed the gate, which has left its output order in it."""
        text, written = parsed.canonical_smiles, output_order(parsed.mol)
        with rdBase.BlockLogs():
            fresh = Chem.MolFromSmiles(text)
            if fresh is not None and "[H]" in text:
                fresh = Chem.RemoveAllHs(fresh)
        if fresh is None or fresh.GetNumAtoms() != len(written):
            # RDKit does not read what it wrote: its atoms at least come in canonical order.
            order = canonical_order(parsed.mol, text)
            mol = Chem.RenumberAtoms(parsed.mol, order)
            return cls(mol=mol, order=order, as_read=mol, places=list(range(len(order))))
        if not any(mark in text for mark in "/\\@"):
            return cls(mol=fresh, order=written, as_read=fresh, places=list(range(len(written))))
        places = canonical_order(fresh)
        return cls(
            mol=Chem.RenumberAtoms(fresh, places),
            order=[written[place] for place in places],
            as_read=fresh,
            places=places,
        )
