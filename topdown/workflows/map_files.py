"""The files of one mapped molecule."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from topdown.errors import InputFileError
from topdown.formats import gro_text, molecule_itp
from topdown.formats.mapping_files import all_atom_groups, backward_map_text, mapping_index_text
from topdown.model import BeadTable, CGMolecule
from topdown.resources import atomic_write_bytes
from topdown.workflows.file_endings import ALL_FILES
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.mapping_json import mapping_json

_EMPTY_RIM_NM = 1.5


def write_mapping(
    molecule: CGMolecule,
    table: BeadTable,
    request: MoleculeRequest,
    folder: Path,
    *,
    slug: str,
    label: str,
    endings: Sequence[str] = ALL_FILES,
    seed: int = 1,
    alternatives: int = 3,
    other_mappings: Sequence[CGMolecule] | None = None,
) -> tuple[Path, ...]:
    """Write the files of one molecule, each whole or not at all.

    Parameters
    ----------
    molecule : CGMolecule
    table : BeadTable
    request : MoleculeRequest
        For the JSON, which echoes it.
    folder : Path
        Made if missing.
    slug : str
        File name without its ending.
    label : str
        Name inside itp and gro, at most five characters.
    endings : sequence of str
        Which of :data:`ALL_FILES`; ``gro`` and ``html`` need coordinates and are left out without.
    seed : int
        Seed of the conformers, for the atoms of ``html`` and for ``json``, which names it.
    alternatives, other_mappings
        As in :func:`topdown.workflows.mapping_json.mapping_json`.

    Raises
    ------
    InputFileError
        The folder cannot be written.
    """

    def json_text() -> str:
        found = mapping_json(
            molecule, table, request, alternatives=alternatives, other_mappings=other_mappings, seed=seed
        )
        return json.dumps(found, indent=1, allow_nan=False) + "\n"

    makers = {"json": json_text, **_makers(molecule, table, label, seed)}
    contents = {ending: makers[ending]() for ending in sorted(endings) if ending in makers}
    try:
        return tuple(
            atomic_write_bytes(folder / f"{slug}.{ending}", text if isinstance(text, bytes) else text.encode("utf-8"))
            for ending, text in contents.items()
        )
    except OSError as error:
        raise InputFileError(f"cannot write there: {error.strerror}", where=str(folder)) from None


def _makers(molecule: CGMolecule, table: BeadTable, label: str, seed: int) -> dict[str, Callable[[], str | bytes]]:
    """What makes the content of each file but the JSON, by ending."""
    from topdown.mapping.all_atoms import all_atoms
    from topdown.report.cgsmiles import cgsmiles_with_fragments
    from topdown.report.mapping_html import mapping_html
    from topdown.report.mapping_png import mapping_png
    from topdown.report.mapping_svg import mapping_svg

    atoms = all_atoms(molecule)
    groups = all_atom_groups(molecule, atoms.parents, atoms.places)
    makers: dict[str, Callable[[], str | bytes]] = {
        "itp": lambda: molecule_itp(molecule, table, name=label),
        "svg": lambda: mapping_svg(molecule),
        "png": lambda: mapping_png(molecule),
        "cgsmiles": lambda: cgsmiles_with_fragments(molecule) + "\n",
        "ndx": lambda: mapping_index_text(molecule, groups),
        "map": lambda: backward_map_text(molecule, label, atoms.elements, groups),
    }
    if molecule.positions is not None:
        makers["gro"] = lambda: _gro(replace(molecule, name=label), table)
        makers["html"] = lambda: mapping_html(molecule, seed=seed)
    return makers


def _gro(molecule: CGMolecule, table: BeadTable) -> str:
    # Builders bring the engine along, which takes longer to load than to map a molecule.
    from topdown.building.single import single_molecule

    return gro_text(single_molecule(molecule, table, rim=_EMPTY_RIM_NM))
