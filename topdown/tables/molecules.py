"""Curated models that travel with a bead table: solvents, ions, lipids, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from topdown.errors import BeadTableError, TopologyError
from topdown.model.bead import BeadType
from topdown.model.molecule import CGMolecule
from topdown.tables.folder import MOLECULES_FOLDER, ancestors, read_header, table_folder
from topdown.tables.molecule_reader import MoleculeReader
from topdown.tables.reader import load_bead_types


@dataclass(frozen=True, slots=True, kw_only=True)
class CuratedMolecule:
    """A curated model and what is known about it.

    Attributes
    ----------
    model : CGMolecule
        Of the first SMILES; the bead masses are those of the file or of the bead types.
    group : str
        ``"PC"``, ``"PE"``, ``"solvent"``, ``"ion"``…
    smiles, canonical_smiles : tuple of str
        Every molecule the model stands for, the main one first; coarse models may stand for several.
    molar_masses : tuple of float [g/mol]
        Real molar mass of each, for all molecules one model holds (four waters in a W bead).
    n_molecules : int
        How many real molecules one model stands for.
    description, source, licence, citation, note : str
    path : Path
        The file it was read from.
    """

    model: CGMolecule
    group: str
    smiles: tuple[str, ...]
    canonical_smiles: tuple[str, ...]
    molar_masses: tuple[float, ...]
    n_molecules: int
    description: str
    source: str
    licence: str
    citation: str
    note: str
    path: Path


def load_molecule(table_name: str | Path, molecule_name: str) -> CGMolecule:
    """A curated model by its name.

    Parameters
    ----------
    table_name : str or Path
        Bead table, by name or folder; a table without curated models has those of its parent.
    molecule_name : str
        For instance ``"DPPC"`` or ``"w"``; case does not matter.

    Raises
    ------
    BeadTableError
        No such model (the hint names the nearest), or a file that cannot be used, with ``file:line``.
    """
    return load_curated_molecule(table_name, molecule_name).model


def load_curated_molecule(table_name: str | Path, molecule_name: str) -> CuratedMolecule:
    """As :func:`load_molecule`, with source, licence and everything the model stands for."""
    files = _molecule_files(table_name)
    chosen = next((path for stem, path in files.items() if stem.casefold() == molecule_name.casefold()), None)
    if chosen is None:
        near = get_close_matches(molecule_name.upper(), list(files), n=3, cutoff=0.5)
        known = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(files) or 'none'}"
        raise BeadTableError(f"no molecule {molecule_name!r}", where=f"bead table {table_name}", hint=known)
    return read_molecule(chosen, load_bead_types(table_name), table=read_header(table_folder(table_name)).name)


def list_molecules(table_name: str | Path) -> tuple[str, ...]:
    """Names of the curated models a table has, or inherits from its parent, sorted."""
    return tuple(_molecule_files(table_name))


def load_all_molecules(table_name: str | Path) -> tuple[CuratedMolecule, ...]:
    """Every curated model of a table that its bead types allow, sorted by name."""
    types, name = load_bead_types(table_name), read_header(table_folder(table_name)).name
    return tuple(read_molecule(path, types, table=name) for path in _molecule_files(table_name).values())


def find_molecule(table_name: str | Path, canonical_smiles: str) -> CGMolecule | None:
    """The curated model that stands for a molecule.

    Parameters
    ----------
    table_name : str or Path
    canonical_smiles : str
        RDKit's canonical isomeric SMILES; compared as text.

    Returns
    -------
    CGMolecule or None
        With the SMILES and molar mass of the molecule asked for, also where the model is shared (martini2's DPPC also stands
        for DSPC). The first by name when several models match.
    """
    for curated in load_all_molecules(table_name):
        if canonical_smiles in curated.canonical_smiles:
            return standing_for(curated, curated.canonical_smiles.index(canonical_smiles))
    return None


def standing_for(curated: CuratedMolecule, which: int) -> CGMolecule:
    """The model with the identity of its ``which``-th molecule."""
    return replace(
        curated.model,
        smiles=curated.smiles[which],
        canonical_smiles=curated.canonical_smiles[which],
        molar_mass=curated.molar_masses[which],
    )


def _stem(path: Path) -> str:
    """Sort key of molecule files: a name comes before longer ones that begin with it, so ``POPC`` before ``POPC_2021``."""
    return path.stem


def _molecule_files(table_name: str | Path) -> dict[str, Path]:
    """Name → file of the table's own models, or else those of its nearest shipped ancestor that has any."""
    folder = table_folder(table_name)
    for place in ancestors(folder, read_header(folder)):
        found = {path.stem: path for path in sorted((place / MOLECULES_FOLDER).glob("*.toml"), key=_stem)}
        if found:
            return found
    return {}


def read_molecule(path: Path, types: tuple[BeadType, ...], *, table: str = "") -> CuratedMolecule:
    """Read and check one molecule file against the bead types of a table.

    Raises
    ------
    BeadTableError
        With ``file:line`` of the entry that is missing or wrong.
    """
    reader = MoleculeReader(path, types)
    name = reader.text("name")
    if name != path.stem:
        raise reader.fail(f"name is {name!r} but the file is {path.name}", "name")
    smiles, canonical, masses = reader.texts("smiles"), reader.texts("canonical_smiles"), reader.molar_masses()
    if not len(smiles) == len(canonical) == len(masses):
        raise reader.fail("smiles, canonical_smiles and molar_mass must be of the same length", "smiles")
    n_molecules = reader.whole_number("n_molecules", 1, at_least=1)
    beads = reader.beads()
    try:
        model = CGMolecule(
            name=name,
            beads=beads,
            bonds=reader.terms("bonds", reader.bond),
            constraints=reader.terms("constraints", reader.constraint),
            angles=reader.terms("angles", reader.angle),
            dihedrals=reader.terms("dihedrals", reader.dihedral),
            virtual_sites=reader.terms("virtual_sites", reader.virtual_site),
            exclusions=reader.exclusions(),
            nrexcl=reader.whole_number("nrexcl", 1, at_least=0),
            positions=reader.positions(),
            smiles=smiles[0] if smiles else "",
            canonical_smiles=canonical[0] if canonical else "",
            table=table,
            molar_mass=masses[0] if masses else 0.0,
        )
    except TopologyError as error:
        where = reader.where("virtual_sites") if "virtual site" in error.message else str(path)
        raise BeadTableError(error.message, where=where, hint="correct the file") from None
    return CuratedMolecule(
        model=model,
        group=reader.text("group", ""),
        smiles=smiles,
        canonical_smiles=canonical,
        molar_masses=masses,
        n_molecules=n_molecules,
        description=reader.text("description", ""),
        source=reader.text("source", ""),
        licence=reader.text("licence", ""),
        citation=reader.text("cite", ""),
        note=reader.text("note", ""),
        path=path,
    )
