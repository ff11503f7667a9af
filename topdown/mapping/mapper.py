"""SMILES to :class:`~topdown.model.CGMolecule`: partition, bead types, bonded terms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors

from topdown.errors import BeadTableError, SettingsError
from topdown.mapping.bead_typing import TypeChoice, choose_type
from topdown.mapping.conformers import bead_ensemble
from topdown.mapping.fragmenting import canonical_order, partition_atoms
from topdown.mapping.geometry import BondedTerms, bonded_terms
from topdown.mapping.lipids import recognise
from topdown.mapping.published import fits_table, given_choices, published_molecule
from topdown.mapping.smiles import ParsedMolecule, parse_smiles
from topdown.mapping.type_estimate import table_style
from topdown.model import Bead, BeadTable, CGMolecule

_WATERS_PER_BEAD = 4
#: Bead that stands for four waters, first that exists.
_WATER_TYPES = ("W", "P4")


def map_molecule(
    smiles: str, table: BeadTable, *, name: str = "", conformers: bool = True, seed: int = 1
) -> CGMolecule:
    """Coarse-grain one molecule.

    Parameters
    ----------
    smiles : str
        One closed-shell molecule without metals, at most 200 heavy atoms.
    table : BeadTable
        Bead types and the building blocks they are chosen by.
    name : str
        Any text; the canonical SMILES when empty.
    conformers : bool
        Lengths, angles and coordinates from conformers; otherwise estimates from the graph and no coordinates.
    seed : int
        Seed of the conformers.

    Returns
    -------
    CGMolecule
        Beads in the order in which their atoms come in ``smiles``. The same for every way of writing the molecule, up
        to that order. Lipids and sterols that the rules of the table cover come out as the published models, with their
        names and in their order (:mod:`topdown.mapping.lipids`).

    Raises
    ------
    MoleculeError
        The SMILES is refused (:func:`topdown.mapping.smiles.parse_smiles`).
    BeadTableError
        The table has no bead type for one of the fragments.
    """
    if seed < 0:
        raise SettingsError(f"the seed must not be negative, got {seed}")
    parsed = parse_smiles(smiles)
    if parsed.canonical_smiles == "O":
        return _water(parsed, table, name, conformers)
    order = canonical_order(parsed.mol)
    mol = Chem.RenumberAtoms(parsed.mol, order)
    blocks = recognise(mol, table_style(table))
    if blocks is not None and fits_table(blocks, table):
        return published_molecule(parsed, order, blocks, table, name, conformers)
    given = given_choices(blocks, table)
    partition = partition_atoms(mol, table_style(table), fixed=list(given))
    choices = [
        given.get(group) or choose_type(mol, group, table, shared=partition.shared) for group in partition.groups
    ]
    terms, warnings = _geometry(parsed, mol, order, partition.groups, choices, table, conformers, seed)
    if not partition.exact:
        warnings.insert(0, "too many ways to divide this molecule: its partition is good but not proven the best")
    unsure = sum(choice.level == "estimate" for choice in choices)
    if unsure:
        warnings.append(f"{unsure} of {len(choices)} bead types are estimates: no building block knows the fragment")
    beads, terms = _in_written_order(mol, order, partition.groups, choices, terms, table)
    return CGMolecule(
        name=name or parsed.canonical_smiles,
        beads=beads,
        bonds=terms.bonds,
        constraints=terms.constraints,
        angles=terms.angles,
        dihedrals=terms.dihedrals,
        exclusions=terms.exclusions,
        positions=terms.positions,
        smiles=smiles,
        canonical_smiles=parsed.canonical_smiles,
        table=table.name,
        molar_mass=float(Descriptors.MolWt(mol)),
        warnings=tuple(warnings),
    )


def _geometry(
    parsed: ParsedMolecule,
    mol: Any,
    order: list[int],
    groups: tuple[tuple[int, ...], ...],
    choices: list[TypeChoice],
    table: BeadTable,
    conformers: bool,
    seed: int,
) -> tuple[BondedTerms, list[str]]:
    """Bonded terms of the groups (indices of ``mol``), and what there is to say about them."""
    warnings = []
    ensemble = None
    if conformers:
        # Conformers are made of the molecule as its canonical SMILES is read, so that they do not depend on the
        # order of atoms and bonds in which it was written.
        with rdBase.BlockLogs():
            fresh = Chem.RemoveAllHs(Chem.MolFromSmiles(parsed.canonical_smiles))
        place = {old: new for new, old in enumerate(_output_order(parsed.mol))}
        assert fresh.GetNumAtoms() == mol.GetNumAtoms()
        relabelled = tuple(tuple(place[order[a]] for a in group) for group in groups)
        ensemble = bead_ensemble(fresh, relabelled, seed=seed, with_hydrogens=table_style(table) == "martini3")
        if ensemble is None:
            warnings.append("no conformer could be made: lengths and angles are estimates from the molecular graph")
    masses = [table.bead_type(choice.bead_type).mass for choice in choices]
    return bonded_terms(mol, groups, masses, ensemble), warnings


def _output_order(mol: Any) -> list[int]:
    """Atom indices in the order of the canonical SMILES of ``mol``."""
    Chem.MolToSmiles(mol)
    return [int(i) for i in mol.GetProp("_smilesAtomOutputOrder").strip("[],").split(",") if i]


def _in_written_order(
    mol: Any,
    order: list[int],
    groups: tuple[tuple[int, ...], ...],
    choices: list[TypeChoice],
    terms: BondedTerms,
    table: BeadTable,
) -> tuple[tuple[Bead, ...], BondedTerms]:
    """Beads and terms renumbered so that beads follow the SMILES as written."""
    written = [tuple(sorted(order[a] for a in group)) for group in groups]
    sequence = sorted(range(len(groups)), key=written.__getitem__)
    new = {old: place for place, old in enumerate(sequence)}
    counted: set[int] = set()
    beads = []
    for place, old in enumerate(sequence):
        choice = choices[old]
        bead_type = table.bead_type(choice.bead_type)
        charge = sum(mol.GetAtomWithIdx(a).GetFormalCharge() for a in groups[old] if a not in counted)
        counted |= set(groups[old])
        beads.append(
            Bead(
                name=f"B{place + 1}",
                bead_type=bead_type.name,
                charge=float(charge),
                mass=bead_type.mass,
                atoms=written[old],
                reason=choice.reason,
                confidence=choice.confidence,
                alternatives=choice.alternatives,
            )
        )

    def moved(atoms: tuple[int, ...]) -> tuple[int, ...]:
        images = tuple(new[a] for a in atoms)
        return images if images[0] < images[-1] else images[::-1]

    def move(items: Any) -> Any:
        return tuple(sorted((replace(t, atoms=moved(t.atoms)) for t in items), key=lambda t: t.atoms))

    return tuple(beads), BondedTerms(
        bonds=move(terms.bonds),
        constraints=move(terms.constraints),
        angles=move(terms.angles),
        dihedrals=move(terms.dihedrals),
        exclusions=tuple(sorted((min(p), max(p)) for p in ((new[i], new[j]) for i, j in terms.exclusions))),
        positions=None if terms.positions is None else terms.positions[sequence],
    )


def _water(parsed: ParsedMolecule, table: BeadTable, name: str, conformers: bool) -> CGMolecule:
    """One bead for four waters."""
    water = next((w for w in _WATER_TYPES if w in table), None)
    if water is None:
        raise BeadTableError("no water bead (W or P4)", where=f"bead table {table.name}")
    bead = Bead(
        name="W",
        bead_type=water,
        mass=table.bead_type(water).mass,
        atoms=(0,),
        reason="water: one bead stands for four molecules",
    )
    return CGMolecule(
        name=name or "W",
        beads=(bead,),
        positions=np.zeros((1, 3)) if conformers else None,
        smiles=parsed.smiles,
        canonical_smiles=parsed.canonical_smiles,
        table=table.name,
        molar_mass=_WATERS_PER_BEAD * float(Descriptors.MolWt(parsed.mol)),
        warnings=("one bead stands for four water molecules",),
    )
