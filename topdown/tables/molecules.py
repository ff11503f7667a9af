"""Curated models that travel with a bead table: solvents, ions, lipids, one TOML file each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from topdown.errors import BeadTableError, TopologyError
from topdown.model.bead import Bead, BeadType
from topdown.model.bonded import Angle, Bond, Constraint, Dihedral
from topdown.model.molecule import CGMolecule
from topdown.tables.folder import MOLECULES_FOLDER, ancestors, read_header, read_toml, table_folder
from topdown.tables.reader import load_bead_types, unknown_type

_BOND_FUNCTIONS = (1, 6)
_ANGLE_FUNCTIONS = (1, 2)
_DIHEDRAL_FUNCTIONS = (1, 2, 9)


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
    from dataclasses import replace

    return replace(
        curated.model,
        smiles=curated.smiles[which],
        canonical_smiles=curated.canonical_smiles[which],
        molar_mass=curated.molar_masses[which],
    )


def _molecule_files(table_name: str | Path) -> dict[str, Path]:
    """Name → file of the table's own models, or else those of its nearest shipped ancestor that has any."""
    folder = table_folder(table_name)
    for place in ancestors(folder, read_header(folder)):
        found = {path.stem: path for path in sorted((place / MOLECULES_FOLDER).glob("*.toml"))}
        if found:
            return found
    return {}


class _Reader:
    """Typed access to a molecule file; complaints name the line of the entry."""

    def __init__(self, path: Path, types: tuple[BeadType, ...]) -> None:
        self.path = path
        self.data, text = read_toml(path)
        self.lines = text.splitlines()
        self.types = {bead_type.name: bead_type for bead_type in types}
        self.index: dict[str, int] = {}

    def where(self, key: str, entry: int | None = None) -> str:
        start = next((k for k, line in enumerate(self.lines) if re.match(rf"\s*{re.escape(key)}\s*=", line)), None)
        if start is None:
            return str(self.path)
        if entry is not None:
            opened = [k for k in range(start, len(self.lines)) if self.lines[k].lstrip().startswith("{")]
            start = opened[entry] if entry < len(opened) else start
        return f"{self.path}:{start + 1}"

    def fail(self, message: str, key: str, entry: int | None = None) -> BeadTableError:
        return BeadTableError(message, where=self.where(key, entry), hint="correct this entry")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.fail(f"{key} is missing or not text", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.fail(f"{key} must be a list of texts", key)
        return tuple(value)

    def entries(self, key: str) -> list[dict[str, Any]]:
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.fail(f"{key} must be a list of {{ … }} entries", key)
        return value

    def number(self, row: dict[str, Any], name: str, key: str, entry: int, *, default: float | None = None) -> float:
        value = row.get(name, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or value != value
            or abs(value) == float("inf")
        ):
            raise self.fail(f"{name} of {key}[{entry + 1}] is missing or not a number", key, entry)
        return float(value)

    def function(self, row: dict[str, Any], key: str, entry: int, allowed: tuple[int, ...], default: int) -> int:
        value = row.get("function", default)
        if value not in allowed:
            known = ", ".join(map(str, allowed))
            raise self.fail(f"function {value!r} of {key}[{entry + 1}] is none of {known}", key, entry)
        return int(value)

    def atoms(self, names: object, n: int, key: str, entry: int | None = None) -> tuple[int, ...]:
        if not isinstance(names, list) or len(names) != n or len(set(map(str, names))) != n:
            raise self.fail(f"{key} needs {n} different bead names", key, entry)
        for name in names:
            if name not in self.index:
                raise self.fail(f"{key} names a bead {name!r} that the molecule does not have", key, entry)
        return tuple(self.index[name] for name in names)

    def beads(self) -> tuple[Bead, ...]:
        beads = []
        for k, row in enumerate(self.entries("beads")):
            name, kind = row.get("name"), row.get("type")
            if not isinstance(name, str) or not 1 <= len(name) <= 5 or name in self.index:
                raise self.fail(f"bead name {name!r} must be unique and of 1 to 5 characters", "beads", k)
            if kind not in self.types:
                raise unknown_type(str(kind), set(self.types), self.where("beads", k))
            mass = self.number(row, "mass", "beads", k, default=self.types[kind].mass)
            if mass <= 0:
                raise self.fail(f"mass of bead {name} must be positive", "beads", k)
            self.index[name] = k
            charge = self.number(row, "charge", "beads", k, default=self.types[kind].charge)
            beads.append(Bead(name=name, bead_type=kind, charge=charge, mass=mass, reason="curated model"))
        if not beads:
            raise self.fail("beads is missing or empty", "beads")
        return tuple(beads)

    def terms(self, key: str, make: Callable[[dict[str, Any], int], Any]) -> tuple[Any, ...]:
        return tuple(make(row, k) for k, row in enumerate(self.entries(key)))

    def bond(self, row: dict[str, Any], k: int) -> Bond:
        a, b = self.atoms(row.get("atoms"), 2, "bonds", k)
        return Bond(
            atoms=(a, b),
            length=self._positive(row, "length", "bonds", k),
            force_constant=self._positive(row, "force_constant", "bonds", k),
            function=self.function(row, "bonds", k, _BOND_FUNCTIONS, 1),
        )

    def constraint(self, row: dict[str, Any], k: int) -> Constraint:
        a, b = self.atoms(row.get("atoms"), 2, "constraints", k)
        return Constraint(atoms=(a, b), length=self._positive(row, "length", "constraints", k))

    def angle(self, row: dict[str, Any], k: int) -> Angle:
        a, b, c = self.atoms(row.get("atoms"), 3, "angles", k)
        return Angle(
            atoms=(a, b, c),
            angle=self.number(row, "angle", "angles", k),
            force_constant=self._positive(row, "force_constant", "angles", k),
            function=self.function(row, "angles", k, _ANGLE_FUNCTIONS, 2),
        )

    def dihedral(self, row: dict[str, Any], k: int) -> Dihedral:
        a, b, c, d = self.atoms(row.get("atoms"), 4, "dihedrals", k)
        return Dihedral(
            atoms=(a, b, c, d),
            angle=self.number(row, "angle", "dihedrals", k),
            force_constant=self.number(row, "force_constant", "dihedrals", k),
            multiplicity=int(self.number(row, "multiplicity", "dihedrals", k, default=0)),
            function=self.function(row, "dihedrals", k, _DIHEDRAL_FUNCTIONS, 2),
        )

    def exclusions(self) -> tuple[tuple[int, int], ...]:
        value = self.data.get("exclusions", [])
        if not isinstance(value, list):
            raise self.fail("exclusions must be a list of pairs of bead names", "exclusions")
        pairs = [self.atoms(pair, 2, "exclusions") for pair in value]
        return tuple(sorted({(min(i, j), max(i, j)) for i, j in pairs}))

    def _positive(self, row: dict[str, Any], name: str, key: str, k: int) -> float:
        value = self.number(row, name, key, k)
        if value <= 0:
            raise self.fail(f"{name} of {key}[{k + 1}] must be positive", key, k)
        return value

    def molar_masses(self) -> tuple[float, ...]:
        values = self.data.get("molar_mass", [])
        if not isinstance(values, list) or any(
            isinstance(v, bool) or not isinstance(v, int | float) or not 0 <= v < 1e6 for v in values
        ):
            raise self.fail("molar_mass must be a list of numbers [g/mol]", "molar_mass")
        return tuple(float(v) for v in values)


def read_molecule(path: Path, types: tuple[BeadType, ...], *, table: str = "") -> CuratedMolecule:
    """Read and check one molecule file against the bead types of a table.

    Raises
    ------
    BeadTableError
        With ``file:line`` of the entry that is missing or wrong.
    """
    reader = _Reader(path, types)
    name = reader.text("name")
    if name != path.stem:
        raise reader.fail(f"name is {name!r} but the file is {path.name}", "name")
    smiles, canonical, masses = reader.texts("smiles"), reader.texts("canonical_smiles"), reader.molar_masses()
    if not len(smiles) == len(canonical) == len(masses):
        raise reader.fail("smiles, canonical_smiles and molar_mass must be of the same length", "smiles")
    n_molecules = reader.data.get("n_molecules", 1)
    if isinstance(n_molecules, bool) or not isinstance(n_molecules, int) or n_molecules < 1:
        raise reader.fail("n_molecules must be a whole number of 1 or more", "n_molecules")
    beads = reader.beads()
    try:
        model = CGMolecule(
            name=name,
            beads=beads,
            bonds=reader.terms("bonds", reader.bond),
            constraints=reader.terms("constraints", reader.constraint),
            angles=reader.terms("angles", reader.angle),
            dihedrals=reader.terms("dihedrals", reader.dihedral),
            exclusions=reader.exclusions(),
            smiles=smiles[0] if smiles else "",
            canonical_smiles=canonical[0] if canonical else "",
            table=table,
            molar_mass=masses[0] if masses else 0.0,
        )
    except TopologyError as error:
        raise BeadTableError(error.message, where=str(path), hint="correct the file") from None
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
