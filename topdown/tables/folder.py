"""Where bead tables live: the shipped ones by name, anybody's by path, and their ``table.toml``.

A table is a folder of plain text files, described in ``docs/bead_tables.md``.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from topdown.errors import BeadTableError
from topdown.model.bead import SIZES
from topdown.model.bead_table import BondLengths, NonbondedScheme, Provenance
from topdown.model.type_volumes import TypeVolumes
from topdown.resources import bead_tables_folder

TABLE_FILE = "table.toml"
TYPES_FILE = "bead_types.csv"
PAIRS_FILE = "pairs.csv"
PACKED_PAIRS_FILE = "pairs.csv.gz"
BLOCKS_FILE = "building_blocks.csv"
MOLECULES_FOLDER = "molecules"
#: Reduced sums of shapes, for tables that ship them (:mod:`topdown.properties.instant`).
SUMS_FOLDER = "sums"

#: The unit system every table declares; anything else is refused, never converted silently.
UNITS = {"length": "nm", "energy": "kJ/mol", "mass": "u", "charge": "e"}
#: The functional forms every table declares.
FORMS = {"lennard_jones": "12-6", "coulomb": "reaction-field"}
#: What may be done to Lennard-Jones at the cut-off.
MODIFIERS: tuple[Literal["potential-shift", "force-shift", "none"], ...] = ("potential-shift", "force-shift", "none")
#: How long bonds of mapped molecules may be made.
BOND_LENGTHS: tuple[BondLengths, ...] = ("centres", "surface")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHeader:
    """What ``table.toml`` says, without bead types or pairs.

    Attributes
    ----------
    name, version, description : str
    scheme : NonbondedScheme
    provenance : Provenance
    bond_lengths : {"centres", "surface"}
    volumes : TypeVolumes, optional
        Of types that are written once and come in several volumes.
    folder : Path
    """

    name: str
    version: str
    description: str
    scheme: NonbondedScheme
    provenance: Provenance
    bond_lengths: BondLengths
    volumes: TypeVolumes | None
    folder: Path


def shipped_table_names() -> tuple[str, ...]:
    """Names of the tables that come with the package, sorted."""
    return tuple(sorted(path.parent.name for path in bead_tables_folder().glob(f"*/{TABLE_FILE}")))


def table_folder(name_or_path: str | Path) -> Path:
    """Folder of a bead table.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a shipped table, or a folder. A name wins over a folder of the same name; write ``./martini2`` for the folder.

    Raises
    ------
    BeadTableError
        Neither a shipped table nor a folder that holds a ``table.toml``.
    """
    if isinstance(name_or_path, str) and name_or_path in shipped_table_names():
        return bead_tables_folder() / name_or_path
    path = Path(name_or_path).expanduser()
    if (path / TABLE_FILE).is_file():
        return path
    if path.is_dir() and str(name_or_path).strip():
        raise BeadTableError(
            f"the folder holds no {TABLE_FILE}", where=str(path), hint="docs/bead_tables.md says what a bead table is"
        )
    if path.name == TABLE_FILE and path.is_file():
        return path.parent
    names = shipped_table_names()
    near = get_close_matches(str(name_or_path).lower(), names, n=1, cutoff=0.5)
    known = (
        f"did you mean {near[0]}? A folder will do, too" if near else f"there are {', '.join(names)}; or give a folder"
    )
    raise BeadTableError(f"no bead table called {str(name_or_path)!r}", hint=known)


def calibrated_phases(table_name: str | Path) -> tuple[str, ...]:
    """Phases a table ships sums of, which are those it was calibrated on; none for most tables."""
    files = sorted((table_folder(table_name) / SUMS_FOLDER).glob("*.npz"))
    return tuple(file.stem.replace("_", " ") for file in files)


def read_text(path: Path) -> str:
    """The UTF-8 text of ``path``; :class:`BeadTableError` when it is missing, unreadable or not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise BeadTableError(
            "the file is missing", where=str(path), hint="docs/bead_tables.md lists the files"
        ) from None
    except UnicodeDecodeError as error:
        raise BeadTableError(f"not UTF-8 text (byte {error.start})", where=str(path), hint="save it as UTF-8") from None
    except OSError as error:
        raise BeadTableError(f"cannot be read: {error.strerror}", where=str(path)) from None


@lru_cache(maxsize=512)
def _parsed(text: str) -> dict[str, Any]:
    """TOML, parsed once: the curated models of a table are asked for again and again."""
    return tomllib.loads(text)


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """The content of a TOML file, not to be changed, and its text; a syntax error becomes ``file:line``."""
    text = read_text(path)
    try:
        return _parsed(text), text
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        message = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise BeadTableError(f"broken TOML: {message}", where=f"{path}:{line}", hint="correct this line") from None


class _Section:
    """Typed access to one section of a TOML file, whose complaints name the line."""

    def __init__(self, data: dict[str, Any], text: str, path: Path, section: str) -> None:
        values = data.get(section, {}) if section else data
        if not isinstance(values, dict):
            raise BeadTableError(f"[{section}] is not a section", where=str(path))
        self.values, self.path, self.section = values, path, section
        self.lines = text.splitlines()

    def where(self, key: str) -> str:
        """``file:line`` of ``key``, or the file alone when the key does not stand there."""
        here = not self.section
        for number, line in enumerate(self.lines, start=1):
            if line.strip().startswith("["):
                here = line.strip() == f"[{self.section}]"
            if here and re.match(rf"\s*{re.escape(key)}\s*=", line):
                return f"{self.path}:{number}"
        return str(self.path)

    def label(self, key: str) -> str:
        return f"{self.section}.{key}" if self.section else key

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if value is None:
            raise BeadTableError(f"{self.label(key)} is missing", where=str(self.path), hint="add it")
        if not isinstance(value, str):
            raise BeadTableError(f"{self.label(key)} must be text in quotes, not {value!r}", where=self.where(key))
        return value

    def number(self, key: str, *, above: float) -> float:
        value = self.values.get(key)
        if value is None:
            raise BeadTableError(f"{self.label(key)} is missing", where=str(self.path), hint="add it")
        ok = isinstance(value, int | float) and not isinstance(value, bool) and above <= value < float("inf")
        if not ok:
            raise BeadTableError(
                f"{self.label(key)} must be a number not below {above:g}, not {value!r}", where=self.where(key)
            )
        return float(value)

    def require(self, expected: dict[str, str]) -> None:
        for key, want in expected.items():
            have = self.text(key)
            if have != want:
                raise BeadTableError(
                    f"{self.label(key)} is {have!r}, but only {want!r} is understood",
                    where=self.where(key),
                    hint="convert the values and declare it",
                )


def read_header(folder: Path) -> TableHeader:
    """Read and check ``table.toml``: name, declared units and functional forms, cut-off scheme, provenance.

    Raises
    ------
    BeadTableError
        With ``file:line`` of the entry that is missing or wrong.
    """
    path = folder / TABLE_FILE
    data, text = read_toml(path)
    top = _Section(data, text, path, "")
    nonbonded = _Section(data, text, path, "nonbonded")
    origin = _Section(data, text, path, "provenance")
    _Section(data, text, path, "units").require(UNITS)
    nonbonded.require(FORMS)
    name = top.text("name")
    if not name.strip():
        raise BeadTableError("name is empty", where=top.where("name"), hint="give the table a name")
    cutoff = nonbonded.number("cutoff", above=0.0)
    epsilon_rf = nonbonded.number("epsilon_rf", above=0.0)
    modifier = next((known for known in MODIFIERS if known == nonbonded.text("modifier")), None)
    if modifier is None:
        raise BeadTableError(
            f"nonbonded.modifier is {nonbonded.text('modifier')!r}",
            where=nonbonded.where("modifier"),
            hint=f"{', '.join(MODIFIERS)} are understood",
        )
    lengths = next((known for known in BOND_LENGTHS if known == top.text("bond_lengths", "centres")), None)
    if lengths is None:
        raise BeadTableError(
            f"bond_lengths is {top.text('bond_lengths')!r}",
            where=top.where("bond_lengths"),
            hint=f"{', '.join(BOND_LENGTHS)} are understood",
        )
    if cutoff == 0.0:
        raise BeadTableError("nonbonded.cutoff must be positive", where=nonbonded.where("cutoff"))
    return TableHeader(
        name=name,
        version=top.text("version"),
        description=top.text("description", ""),
        scheme=NonbondedScheme(
            cutoff=cutoff,
            epsilon_r=nonbonded.number("epsilon_r", above=1.0),
            epsilon_rf=epsilon_rf,
            lj_modifier=modifier,
        ),
        provenance=Provenance(
            source=origin.text("source", ""),
            licence=origin.text("licence", ""),
            citation=origin.text("citation", ""),
            parent=origin.text("parent", ""),
        ),
        bond_lengths=lengths,
        volumes=_volumes(data, text, path) if "volumes" in data else None,
        folder=folder,
    )


def _volumes(data: dict[str, Any], text: str, path: Path) -> TypeVolumes:
    """The section ``[volumes]``."""
    section = _Section(data, text, path, "volumes")
    tables = {}
    for key in ("steps", "sigma", "epsilon"):
        found = section.values.get(key)
        numbers = isinstance(found, dict) and all(type(x) in (int, float) and abs(x) < math.inf for x in found.values())
        if not numbers:
            raise BeadTableError(
                f"volumes.{key} must be a section of numbers, not {found!r}",
                where=section.where(key),
                hint="docs/bead_tables.md says what it holds",
            )
        tables[key] = {name: float(x) for name, x in found.items()}  # type: ignore[union-attr]
    for key in ("sigma", "epsilon"):
        if unknown := sorted(set(tables[key]) - set(SIZES)):
            raise BeadTableError(f"volumes.{key} has the size {unknown[0]!r}", where=str(path), hint="R, S or T")
    if wrong := [name for name in tables["steps"] if not re.fullmatch(r"[A-Za-z0-9]+", name)]:
        raise BeadTableError(
            f"volumes.steps: {wrong[0]!r} cannot end a name", where=str(path), hint="letters and digits"
        )
    classes = section.values.get("classes")
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise BeadTableError(
            f"volumes.classes must be a list of classes, not {classes!r}", where=section.where("classes")
        )
    return TypeVolumes(classes=tuple(classes), like_limit=section.number("like_limit", above=0.0), **tables)


def ancestors(folder: Path, header: TableHeader) -> tuple[Path, ...]:
    """The table's own folder, then those of the shipped tables it was derived from, nearest first."""
    folders, shipped = [folder], set(shipped_table_names())
    parent = header.provenance.parent
    while parent in shipped:
        shipped.discard(parent)
        folders.append(bead_tables_folder() / parent)
        parent = read_header(folders[-1]).provenance.parent
    return tuple(folders)


def list_bead_tables() -> tuple[TableHeader, ...]:
    """Headers of the shipped tables, by name."""
    return tuple(read_header(bead_tables_folder() / name) for name in shipped_table_names())
