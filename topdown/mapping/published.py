"""A recognised molecule as :class:`~topdown.model.CGMolecule`: names, beads and terms of the published model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rdkit.Chem import rdMolDescriptors

from topdown.mapping.bead_typing import TypeChoice
from topdown.mapping.class_typing import ClassModel, choose_classes, class_model_of, size_of_type
from topdown.mapping.lipid_layout import extended
from topdown.mapping.recognised import RecognisedBead, RecognisedBlocks
from topdown.mapping.smiles import ParsedMolecule
from topdown.model import Bead, BeadTable, CGMolecule


def fits_table(blocks: RecognisedBlocks, table: BeadTable) -> bool:
    """Whether the whole molecule is recognised and the table holds every bead type of its model."""
    return blocks.whole and all(bead.bead_type in table for bead in blocks.beads)


def typed_by_classes(mol: Any, blocks: RecognisedBlocks, table: BeadTable, model: ClassModel) -> RecognisedBlocks:
    """A wholly recognised molecule with the classes of a table in place of the types of its parent.

    Beads, sizes and bonded terms stay those of the published model; neutral beads get the class nearest to what their
    atoms say, charged ones keep the type of the parent. Beads without atoms of their own keep theirs too.
    """
    own = [bead for bead in blocks.beads if bead.atoms]
    sizes = [size_of_type(bead.bead_type) for bead in own]
    # Each bead by itself: a tail is the same in every lipid.
    choices = choose_classes(mol, [bead.atoms for bead in own], table, model, sizes=sizes, together=False)
    chosen = dict(zip(own, choices))

    def typed(bead: RecognisedBead) -> RecognisedBead:
        choice = chosen.get(bead)
        if choice is None or (bead.charge and bead.bead_type in table):
            return bead
        said = bead.reason.partition(" -> ")[0]
        return replace(
            bead,
            bead_type=choice.bead_type,
            reason=f"{said}: {choice.reason}",
            confidence=choice.confidence,
            alternatives=choice.alternatives,
        )

    return replace(blocks, beads=tuple(map(typed, blocks.beads)))


def given_choices(blocks: RecognisedBlocks | None, table: BeadTable) -> dict[tuple[int, ...], TypeChoice]:
    """Groups and types that a partly recognised molecule brings along; empty when the table lacks one of the types, or has
    classes, beside which types of the parent are those of solvents."""
    if blocks is None or class_model_of(table) is not None or any(bead.bead_type not in table for bead in blocks.beads):
        return {}
    return {
        bead.atoms: TypeChoice(
            bead_type=bead.bead_type,
            reason=bead.reason,
            confidence=bead.confidence,
            alternatives=(),
            level="published",
            support="",
        )
        for bead in blocks.beads
        if bead.atoms
    }


def published_molecule(
    parsed: ParsedMolecule, order: list[int], blocks: RecognisedBlocks, table: BeadTable, name: str, coordinates: bool
) -> CGMolecule:
    """The model of a wholly recognised molecule.

    Parameters
    ----------
    parsed : ParsedMolecule
    order : list of int
        Index in ``parsed.mol`` of each atom that ``blocks`` counts.
    blocks : RecognisedBlocks
        With terms.
    table : BeadTable
    name : str
    coordinates : bool
        Whether to give positions: those of the model at rest, else a stretched conformation.
    """
    terms = blocks.terms
    assert terms is not None
    atoms = parsed.written_atoms(order, (bead.atoms for bead in blocks.beads))
    beads = tuple(
        Bead(
            name=bead.name,
            bead_type=bead.bead_type,
            charge=float(bead.charge),
            mass=terms.masses.get(place, table.bead_type(bead.bead_type).mass),
            atoms=atoms[place],
            reason=bead.reason,
            confidence=bead.confidence,
            alternatives=bead.alternatives,
        )
        for place, bead in enumerate(blocks.beads)
    )
    positions: Any = None
    if coordinates:
        positions = terms.positions if terms.positions is not None else extended(len(beads), terms)
    return CGMolecule(
        name=name or parsed.canonical_smiles,
        beads=beads,
        bonds=terms.bonds,
        constraints=terms.constraints,
        angles=terms.angles,
        dihedrals=terms.dihedrals,
        virtual_sites=terms.virtual_sites,
        exclusions=terms.exclusions,
        positions=positions,
        smiles=parsed.smiles,
        canonical_smiles=parsed.canonical_smiles,
        table=table.name,
        molar_mass=float(rdMolDescriptors._CalcMolWt(parsed.mol)),
    )
