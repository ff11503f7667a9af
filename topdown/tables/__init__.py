"""Bead tables: folders of plain text files, read, checked, compared and written."""

from topdown.tables.difference import BeadTableDifference, PairChange, diff_bead_tables
from topdown.tables.folder import TableHeader, list_bead_tables, table_folder
from topdown.tables.molecule_writer import molecule_toml, write_molecule
from topdown.tables.molecules import (
    CuratedMolecule,
    find_molecule,
    list_molecules,
    load_all_molecules,
    load_curated_molecule,
    load_molecule,
)
from topdown.tables.reader import load_bead_table, load_bead_types, load_building_blocks
from topdown.tables.writer import write_bead_table

__all__ = [
    "BeadTableDifference",
    "CuratedMolecule",
    "PairChange",
    "TableHeader",
    "diff_bead_tables",
    "find_molecule",
    "list_bead_tables",
    "list_molecules",
    "load_all_molecules",
    "load_bead_table",
    "load_bead_types",
    "load_building_blocks",
    "load_curated_molecule",
    "load_molecule",
    "molecule_toml",
    "table_folder",
    "write_bead_table",
    "write_molecule",
]
