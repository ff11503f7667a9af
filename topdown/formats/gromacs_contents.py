"""What has been read of a GROMACS topology so far: force field, molecule types, and the counts of ``[ molecules ]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topdown.errors import TopologyError
from topdown.formats.angle_tables import read_table, table_name
from topdown.formats.gromacs_lines import Fields
from topdown.model import Bead, TabulatedPotential

Atoms = tuple[int, ...]

#: Attributes of a molecule that are filled line by line.
TERMS = (
    *("bonds", "constraints", "angles", "dihedrals", "virtual_sites"),
    *("position_restraints", "flat_bottom_restraints"),
)


@dataclass(frozen=True, slots=True)
class AtomType:
    """A line of ``[ atomtypes ]``; ``bonded`` is the name parameters of bonded terms are looked up by."""

    mass: float
    charge: float
    parameters: tuple[float, float]
    bonded: str


@dataclass(slots=True)
class MoleculeDraft:
    """A moleculetype while it is read; ``obstacle`` is the first thing in it that cannot be simulated."""

    name: str
    nrexcl: int
    where: str
    beads: list[Bead] = field(default_factory=list)
    bead_places: list[str] = field(default_factory=list)
    terms: dict[str, list[Any]] = field(default_factory=lambda: {kind: [] for kind in TERMS})
    exclusions: dict[tuple[int, int], None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    obstacle: TopologyError | None = None

    def refuse(self, error: TopologyError) -> None:
        """Remember ``error`` for the case that the molecule is used."""
        self.obstacle = self.obstacle or error

    def add(self, kind: str, term: object) -> None:
        """Add a term to the attribute ``kind`` of the molecule to be built."""
        self.terms[kind].append(term)

    def atoms(self, line: Fields, columns: range) -> Atoms:
        """Bead indices (from 0) in the given columns, different from one another."""
        atoms = tuple(line.integer(k) - 1 for k in columns)
        if any(not 0 <= atom < len(self.beads) for atom in atoms) or len(set(atoms)) != len(atoms):
            text = " ".join(line.words[k] for k in columns)
            raise line.error(f"atoms {text} do not fit a molecule of {len(self.beads)} beads")
        return atoms


#: (section, function) → bonded types → parameter sets in the order of the file.
ParameterTypes = dict[tuple[str, int], dict[tuple[str, ...], list[tuple[float, ...]]]]


@dataclass(slots=True)
class Contents:
    """Everything read so far; ``folder`` holds the tables of tabulated potentials."""

    folder: Path
    rule: int = 0
    force_field: str = ""
    atom_types: dict[str, AtomType] = field(default_factory=dict)
    lower_types: dict[str, list[str]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], tuple[tuple[float, float], str]] = field(default_factory=dict)
    parameter_types: ParameterTypes = field(default_factory=dict)
    molecule_types: dict[str, MoleculeDraft] = field(default_factory=dict)
    current: MoleculeDraft | None = None
    title: list[str] = field(default_factory=list)
    counts: list[tuple[str, int, str]] = field(default_factory=list)
    tables: dict[int, TabulatedPotential] = field(default_factory=dict)

    def molecule(self, line: Fields) -> MoleculeDraft:
        """The moleculetype being read."""
        if self.current is None:
            raise line.error("needs [ moleculetype ] before it")
        return self.current

    def type_name(self, word: str, line: Fields) -> str:
        """The atom type ``word``: an exact match, or as in GROMACS the only one when case is ignored."""
        if word in self.atom_types:
            return word
        near = self.lower_types.get(word.lower(), [])
        if len(near) != 1:
            raise line.error(f"unknown atom type {word!r}")
        return near[0]

    def table(self, number: int) -> TabulatedPotential:
        """Angle table ``number``, read from beside the topology when first asked for."""
        if number not in self.tables:
            self.tables[number] = read_table(self.folder / table_name(number), number)
        return self.tables[number]


def named(molecules: Mapping[str, MoleculeDraft], name: str, where: str) -> MoleculeDraft:
    """The moleculetype ``name``: an exact match, or as in GROMACS the only one when case is ignored.

    Raises
    ------
    TopologyError
        No such moleculetype.
    """
    if name in molecules:
        return molecules[name]
    near = [molecule for key, molecule in molecules.items() if key.lower() == name.lower()]
    if len(near) != 1:
        known = ", ".join(list(molecules)[:20])
        raise TopologyError(f"[ molecules ] no moleculetype {name!r}", where=where, hint=f"there are {known}")
    return near[0]
