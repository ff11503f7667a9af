"""One molecule file, entry by entry: typed access, and complaints that name file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.errors import BeadTableError
from topdown.model._arrays import FloatArray
from topdown.model.bead import Bead, BeadType
from topdown.model.bonded import CONSTRUCTIONS, Angle, Bond, Constraint, Dihedral, VirtualSite
from topdown.tables.folder import read_toml
from topdown.tables.reader import unknown_type

#: Keys of a molecule file: those that say what it is, and the lists of entries with the keys an entry may have.
FACTS: Final = (
    "name", "group", "description", "smiles", "canonical_smiles", "molar_mass", "n_molecules", "nrexcl",
    "source", "licence", "cite", "note",
)  # fmt: skip
ENTRIES: Final[dict[str, tuple[str, ...]]] = {
    "beads": ("name", "type", "charge", "mass", "residue", "residue_number"),
    "bonds": ("atoms", "length", "force_constant", "function"),
    "constraints": ("atoms", "length", "function"),
    "virtual_sites": ("site", "construction", "atoms", "parameters"),
    "angles": ("atoms", "angle", "force_constant", "function"),
    "dihedrals": ("atoms", "angle", "force_constant", "multiplicity", "function", "coefficients"),
}
_LISTS: Final = ("exclusions", "positions")

BOND_FUNCTIONS: Final = (1, 6)
CONSTRAINT_FUNCTIONS: Final = (1, 2)
ANGLE_FUNCTIONS: Final = (1, 2, 10)
#: What a dihedral of each function must say, and how many coefficients it has.
DIHEDRAL_FUNCTIONS: Final[dict[int, tuple[tuple[str, ...], int]]] = {
    1: (("angle", "force_constant", "multiplicity"), 0),
    2: (("angle", "force_constant"), 0),
    3: ((), 6),
    9: (("angle", "force_constant", "multiplicity"), 0),
    11: (("force_constant",), 5),
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


class MoleculeReader:
    """The content of a molecule file; every method raises :class:`BeadTableError` with the line of the entry that is wrong.

    Parameters
    ----------
    path : Path
    types : tuple of BeadType
        Bead types the molecule may use; they give masses and charges that the file leaves out.

    Raises
    ------
    BeadTableError
        No such file, broken TOML, or a key that means nothing.
    """

    def __init__(self, path: Path, types: tuple[BeadType, ...]) -> None:
        self.path = path
        self.data, text = read_toml(path)
        self.lines = text.splitlines()
        self.types = {bead_type.name: bead_type for bead_type in types}
        self.index: dict[str, int] = {}
        for key in self.data:
            if key not in FACTS and key not in ENTRIES and key not in _LISTS:
                raise self.fail(f"{key!r} is no key of a molecule", key)

    def where(self, key: str, entry: int | None = None) -> str:
        """``file:line`` of ``key``, or of its ``entry``-th entry (0-based), or the file alone."""
        start = next((k for k, line in enumerate(self.lines) if re.match(rf"\s*{re.escape(key)}\s*=", line)), None)
        if start is None:
            return str(self.path)
        if entry is not None:
            opened = [k for k in range(start, len(self.lines)) if self.lines[k].lstrip().startswith("{")]
            start = opened[entry] if entry < len(opened) else start
        return f"{self.path}:{start + 1}"

    def fail(self, message: str, key: str, entry: int | None = None) -> BeadTableError:
        """The error for what is wrong with ``key``."""
        return BeadTableError(message, where=self.where(key, entry), hint="correct this entry")

    def text(self, key: str, default: str | None = None) -> str:
        """A text of the file."""
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.fail(f"{key} is missing or not text", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty when it is not there."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.fail(f"{key} must be a list of texts", key)
        return tuple(value)

    def whole_number(self, key: str, default: int, *, at_least: int) -> int:
        """A whole number of the file."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            raise self.fail(f"{key} must be a whole number of {at_least} or more", key)
        return value

    def molar_masses(self) -> tuple[float, ...]:
        """Molar masses [g/mol]."""
        values = self.data.get("molar_mass", [])
        if not isinstance(values, list) or not all(_is_number(v) and 0 <= v < 1e6 for v in values):
            raise self.fail("molar_mass must be a list of numbers [g/mol]", "molar_mass")
        return tuple(float(v) for v in values)

    def entries(self, key: str) -> list[dict[str, Any]]:
        """The entries of ``key``, with known keys only."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.fail(f"{key} must be a list of {{ … }} entries", key)
        for k, row in enumerate(value):
            strange = next((name for name in row if name not in ENTRIES[key]), None)
            if strange is not None:
                raise self.fail(f"{key}[{k + 1}] has an unknown key {strange!r}", key, k)
        return value

    def terms(self, key: str, make: Callable[[dict[str, Any], int], Any]) -> tuple[Any, ...]:
        """``make(entry, number)`` of every entry of ``key``."""
        return tuple(make(row, k) for k, row in enumerate(self.entries(key)))

    # -- beads -------------------------------------------------------------------------------------------------------

    def beads(self) -> tuple[Bead, ...]:
        """All beads; remembers their names, which the terms refer to."""
        sites = {row.get("site") for row in self.entries("virtual_sites") if isinstance(row.get("site"), str)}
        beads = tuple(self._bead(row, k, sites) for k, row in enumerate(self.entries("beads")))
        if not beads:
            raise self.fail("beads is missing or empty", "beads")
        return beads

    def _bead(self, row: dict[str, Any], k: int, sites: set[Any]) -> Bead:
        name, kind, residue = row.get("name"), row.get("type"), row.get("residue", "")
        if not isinstance(name, str) or not 1 <= len(name) <= 5 or name in self.index:
            raise self.fail(f"bead name {name!r} must be unique and of 1 to 5 characters", "beads", k)
        if not isinstance(kind, str) or kind not in self.types:
            raise unknown_type(str(kind), set(self.types), self.where("beads", k))
        mass = self._number(row, "mass", "beads", k, default=0.0 if name in sites else self.types[kind].mass)
        if name in sites and mass != 0.0:
            raise self.fail(f"bead {name} is a virtual site and cannot have mass", "beads", k)
        if name not in sites and mass <= 0:
            raise self.fail(f"mass of bead {name} must be positive, as it is no virtual site", "beads", k)
        number = row.get("residue_number", 1)
        if not isinstance(residue, str) or isinstance(number, bool) or not isinstance(number, int):
            raise self.fail(f"bead {name} needs a text as residue and a whole residue_number", "beads", k)
        self.index[name] = k
        return Bead(
            name=name,
            bead_type=kind,
            charge=self._number(row, "charge", "beads", k, default=self.types[kind].charge),
            mass=mass,
            reason="curated model",
            residue=residue,
            residue_number=number,
        )

    def _number(self, row: dict[str, Any], name: str, key: str, k: int, *, default: float | None = None) -> float:
        value = row.get(name, default)
        if value is None or not _is_number(value):
            raise self.fail(f"{name} of {key}[{k + 1}] is missing or not a number", key, k)
        return float(value)

    def _positive(self, row: dict[str, Any], name: str, key: str, k: int) -> float:
        value = self._number(row, name, key, k)
        if value <= 0:
            raise self.fail(f"{name} of {key}[{k + 1}] must be positive", key, k)
        return value

    def _numbers(self, row: dict[str, Any], name: str, n: int, key: str, k: int) -> tuple[float, ...]:
        values = row.get(name, [])
        if not isinstance(values, list) or len(values) != n or not all(map(_is_number, values)):
            raise self.fail(f"{name} of {key}[{k + 1}] must be a list of {n} numbers", key, k)
        return tuple(float(v) for v in values)

    # -- terms -------------------------------------------------------------------------------------------------------

    def _function(self, row: dict[str, Any], key: str, k: int, allowed: tuple[int, ...], default: int) -> int:
        value = row.get("function", default)
        if isinstance(value, bool) or value not in allowed:
            known = ", ".join(map(str, allowed))
            raise self.fail(f"function {value!r} of {key}[{k + 1}] is none of {known}", key, k)
        return int(value)

    def _atoms(self, names: object, n: int, key: str, k: int | None = None) -> tuple[int, ...]:
        if not isinstance(names, list) or len(names) != n or len(set(map(str, names))) != n:
            raise self.fail(f"{key} needs {n} different bead names", key, k)
        for name in names:
            if not isinstance(name, str) or name not in self.index:
                raise self.fail(f"{key} names a bead {name!r} that the molecule does not have", key, k)
        return tuple(self.index[name] for name in names)

    def bond(self, row: dict[str, Any], k: int) -> Bond:
        """One entry of ``bonds``."""
        a, b = self._atoms(row.get("atoms"), 2, "bonds", k)
        return Bond(
            atoms=(a, b),
            length=self._positive(row, "length", "bonds", k),
            force_constant=self._positive(row, "force_constant", "bonds", k),
            function=self._function(row, "bonds", k, BOND_FUNCTIONS, 1),
        )

    def constraint(self, row: dict[str, Any], k: int) -> Constraint:
        """One entry of ``constraints``."""
        a, b = self._atoms(row.get("atoms"), 2, "constraints", k)
        function = self._function(row, "constraints", k, CONSTRAINT_FUNCTIONS, 1)
        return Constraint(atoms=(a, b), length=self._positive(row, "length", "constraints", k), function=function)

    def angle(self, row: dict[str, Any], k: int) -> Angle:
        """One entry of ``angles``."""
        a, b, c = self._atoms(row.get("atoms"), 3, "angles", k)
        return Angle(
            atoms=(a, b, c),
            angle=self._number(row, "angle", "angles", k),
            force_constant=self._positive(row, "force_constant", "angles", k),
            function=self._function(row, "angles", k, ANGLE_FUNCTIONS, 2),
        )

    def dihedral(self, row: dict[str, Any], k: int) -> Dihedral:
        """One entry of ``dihedrals``, with what its function needs and nothing else."""
        a, b, c, d = self._atoms(row.get("atoms"), 4, "dihedrals", k)
        function = self._function(row, "dihedrals", k, tuple(DIHEDRAL_FUNCTIONS), 2)
        needed, n = DIHEDRAL_FUNCTIONS[function]
        for name in ("angle", "force_constant", "multiplicity", "coefficients"):
            if name in row and name not in needed and not (name == "coefficients" and n):
                raise self.fail(f"dihedrals[{k + 1}] of function {function} has no {name}", "dihedrals", k)
        values = {name: self._number(row, name, "dihedrals", k) for name in needed}
        multiplicity = values.get("multiplicity", 0.0)
        if multiplicity < 0 or multiplicity != int(multiplicity):
            raise self.fail(f"multiplicity of dihedrals[{k + 1}] is not a whole number", "dihedrals", k)
        return Dihedral(
            atoms=(a, b, c, d),
            angle=values.get("angle", 0.0),
            force_constant=values.get("force_constant", 0.0),
            multiplicity=int(multiplicity),
            function=function,
            coefficients=self._numbers(row, "coefficients", n, "dihedrals", k),
        )

    def virtual_site(self, row: dict[str, Any], k: int) -> VirtualSite:
        """One entry of ``virtual_sites``."""
        key, atoms = "virtual_sites", row.get("atoms")
        kind = next((known for known in CONSTRUCTIONS if known == row.get("construction")), None)
        if kind is None:
            known = ", ".join(CONSTRUCTIONS)
            raise self.fail(f"construction {row.get('construction')!r} of {key}[{k + 1}] is none of {known}", key, k)
        n_atoms, n_parameters = CONSTRUCTIONS[kind]
        if kind == "n":
            n_atoms = n_parameters = len(atoms) if isinstance(atoms, list) and atoms else 1
        (site,) = self._atoms([row.get("site")], 1, key, k)
        built_from = self._atoms(atoms, n_atoms, key, k)
        if site in built_from:
            raise self.fail(f"{key}[{k + 1}] is built from itself", key, k)
        parameters = self._numbers(row, "parameters", n_parameters, key, k)
        return VirtualSite(site=site, construction=kind, atoms=built_from, parameters=parameters)

    def exclusions(self) -> tuple[tuple[int, int], ...]:
        """Excluded pairs i < j, sorted."""
        value = self.data.get("exclusions", [])
        if not isinstance(value, list):
            raise self.fail("exclusions must be a list of pairs of bead names", "exclusions")
        pairs = [self._atoms(pair, 2, "exclusions") for pair in value]
        return tuple(sorted({(min(i, j), max(i, j)) for i, j in pairs}))

    def positions(self) -> FloatArray | None:
        """One conformation, (n_beads, 3) float64 [nm], or None."""
        value = self.data.get("positions")
        if value is None:
            return None
        rows = value if isinstance(value, list) else []
        good = all(isinstance(row, list) and len(row) == 3 and all(map(_is_number, row)) for row in rows)
        if len(rows) != len(self.index) or not good:
            raise self.fail(f"positions must be {len(self.index)} lists of three numbers [nm]", "positions")
        return np.array(rows, dtype=np.float64)
