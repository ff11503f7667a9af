"""What a user decides on, as written on the command line: ``--mapping FILE|CGSMILES`` and ``--types 1=SC3,B2=P4``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from topdown.errors import InputFileError, MappingError
from topdown.formats import read_ndx
from topdown.formats.mapping_files import mapping_file_text, read_backward_map
from topdown.mapping.mapper import UserChoices
from topdown.mapping.smiles import ParsedMolecule
from topdown.mapping.user_beads import choices_from_cgsmiles, choices_from_groups
from topdown.model import BeadTable


def read_choices(mapping: str, types: str, parsed: ParsedMolecule, table: BeadTable) -> UserChoices:
    """Beads and bead types that are to be kept.

    Parameters
    ----------
    mapping : str
        A CGsmiles string with definitions of its fragments, or the name of a file: ``.ndx`` or ``.map`` with all atoms as
        ``topdown map -o`` writes them, ``.json`` of ``topdown map --json``, or any other with a CGsmiles string. May be empty.
    types : str
        ``BEAD=TYPE,BEAD=TYPE``; may be empty.
    parsed : ParsedMolecule
    table : BeadTable

    Raises
    ------
    MappingError
        They cannot be read or do not fit the molecule.
    InputFileError
        The file cannot be read.
    """
    beads = _beads(mapping, parsed, table) if mapping else UserChoices()
    return UserChoices(groups=beads.groups, group_types=beads.group_types, types=_types(types))


def _types(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        bead, equals, bead_type = (piece.strip() for piece in part.partition("="))
        if not equals or not bead or not bead_type:
            raise MappingError(f"{part!r} is not BEAD=TYPE", where="--types", hint="for instance --types 1=SC3,B2=P4")
        if bead in found:
            raise MappingError(f"two types are given for bead {bead}", where="--types")
        found[bead] = bead_type
    return found


def _beads(mapping: str, parsed: ParsedMolecule, table: BeadTable) -> UserChoices:
    if mapping.lstrip().startswith("{"):
        return choices_from_cgsmiles(mapping, parsed, table)
    path = Path(mapping)
    kind = path.suffix.lower()
    if kind == ".ndx":
        groups = {name: [int(atom) for atom in atoms] for name, atoms in read_ndx(path).items()}
        return choices_from_groups(groups, parsed, all_atoms=True)
    if kind == ".map":
        return choices_from_groups(read_backward_map(path), parsed, all_atoms=True)
    text = mapping_file_text(path)
    if kind == ".json":
        groups, types = _json_beads(text, path, table)
        return choices_from_groups(groups, parsed, types=types)
    if not text.lstrip().startswith("{"):
        raise InputFileError("not a mapping", where=str(path), hint="give .ndx, .map, .json, or a CGsmiles string")
    return choices_from_cgsmiles(text, parsed, table)


def _json_beads(text: str, path: Path, table: BeadTable) -> tuple[dict[str, list[int]], list[str]]:
    """Atoms and type of each bead of a mapping as ``--json`` prints it; beads without atoms are skipped."""
    try:
        found: Any = json.loads(text)
        beads = [(bead.get("name", ""), bead["atoms"], bead.get("type") or "") for bead in found["beads"]]
        whole = all(isinstance(a, int) and not isinstance(a, bool) for _, atoms, _ in beads for a in atoms)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise InputFileError(
            "not a mapping", where=str(path), hint='expected {"beads": [{"atoms": [0, 1], "type": "SC3"}, …]}'
        )
    groups: dict[str, list[int]] = {}
    types: list[str] = []
    for number, (_, atoms, bead_type) in enumerate(beads, start=1):
        if atoms:
            if bead_type and bead_type not in table:
                raise MappingError(f"{bead_type!r} is no bead type of {table.name}", where=str(path))
            groups[str(number)] = list(atoms)
            types.append(str(bead_type))
    return groups, types
