"""Listing, showing, checking and comparing bead tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from topdown.errors import BeadTableError
from topdown.model.bead_table import BeadTable
from topdown.report.table_text import core_types
from topdown.tables import (
    BeadTableDifference,
    CuratedMolecule,
    TableHeader,
    diff_bead_tables,
    list_bead_tables,
    list_molecules,
    load_all_molecules,
    load_bead_table,
    load_bead_types,
    load_building_blocks,
    load_curated_molecule,
    table_folder,
)
from topdown.tables.folder import read_header


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """A table in numbers.

    Attributes
    ----------
    header : TableHeader
    n_types, n_pairs, n_building_blocks, n_molecules : int
        Building blocks and curated molecules include those handed down by the parent table.
    """

    header: TableHeader
    n_types: int
    n_pairs: int
    n_building_blocks: int
    n_molecules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A part of a table to be drawn.

    Attributes
    ----------
    header : TableHeader
    table : BeadTable
    types : tuple of str
        Chosen types, in the order asked for.
    n_hidden : int
        How many types of the table are not among them.
    """

    header: TableHeader
    table: BeadTable
    types: tuple[str, ...]
    n_hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCheck:
    """Result of checking a table that holds together.

    Attributes
    ----------
    summary : TableSummary
    remarks : tuple of str
        What is allowed but unusual.
    """

    summary: TableSummary
    remarks: tuple[str, ...]


def summarize_table(name_or_path: str | Path) -> TableSummary:
    """Count what a table holds, without reading its pairs; their number is that of a complete table."""
    folder = table_folder(name_or_path)
    n = len(load_bead_types(folder))
    return TableSummary(
        header=read_header(folder),
        n_types=n,
        n_pairs=n * (n + 1) // 2,
        n_building_blocks=len(load_building_blocks(folder)),
        n_molecules=len(list_molecules(folder)),
    )


def list_tables() -> tuple[TableSummary, ...]:
    """The shipped tables, by name."""
    return tuple(summarize_table(header.folder) for header in list_bead_tables())


def show_table(name_or_path: str | Path, types: tuple[str, ...] = ()) -> TableView:
    """Choose what of a table to draw: ``types``, or its unlabelled regular ones.

    Raises
    ------
    BeadTableError
        An unknown table or bead type (the hint names the nearest).
    """
    folder = table_folder(name_or_path)
    table = load_bead_table(folder)
    chosen = tuple(dict.fromkeys(types)) or core_types(table)
    table.indices(chosen)
    return TableView(
        header=read_header(folder), table=table, types=chosen, n_hidden=len(table.bead_types) - len(chosen)
    )


def show_molecules(name_or_path: str | Path, molecule: str | None = None) -> tuple[CuratedMolecule, ...]:
    """The curated models of a table, its own or its parent's, sorted by name; or the one called ``molecule``.

    Raises
    ------
    BeadTableError
        An unknown table or model (the hint names the nearest).
    """
    if molecule is not None:
        return (load_curated_molecule(name_or_path, molecule),)
    return load_all_molecules(name_or_path)


def check_table(name_or_path: str | Path) -> TableCheck:
    """Read everything in a table folder: types, all pairs, building blocks, curated molecules.

    Raises
    ------
    BeadTableError
        The first thing that is wrong, with ``file:line``.
    """
    folder = table_folder(name_or_path)
    table = load_bead_table(folder)
    molecules = load_all_molecules(folder)
    remarks = []
    diagonal_zero = [t.name for i, t in enumerate(table.bead_types) if table.epsilon[i, i] == 0.0]
    if diagonal_zero:
        remarks.append(f"no attraction among beads of type {', '.join(diagonal_zero)}")
    flat = [t.name for i, t in enumerate(table.bead_types) if (table.sigma[i] == 0.0).any()]
    if flat:
        raise BeadTableError(
            f"sigma of {', '.join(flat[:3])} with some type is 0", where=str(folder), hint="sigma must be positive"
        )
    remarks += [f"bead type {t.name} has no mass" for t in table.bead_types if t.mass == 0.0]
    remarks += [f"molecule {m.model.name} has no SMILES" for m in molecules if not m.smiles]
    remarks += [
        f"molecule {m.model.name} has {len(m.model.virtual_sites)} virtual sites"
        for m in molecules
        if m.model.virtual_sites
    ]
    if not table.building_blocks and not (folder / "classes.csv").is_file():
        remarks.append("no building blocks: molecules cannot be mapped with this table")
    for key, text in (("source", table.provenance.source), ("licence", table.provenance.licence)):
        if not text:
            remarks.append(f"provenance.{key} is empty")
    return TableCheck(summary=summarize_table(folder), remarks=tuple(remarks))


def diff_tables(a: str | Path, b: str | Path) -> BeadTableDifference:
    """What changed from table ``a`` to table ``b``."""
    return diff_bead_tables(load_bead_table(a), load_bead_table(b))
