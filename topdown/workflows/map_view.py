"""``topdown.map("CCO")``: a mapped molecule that a notebook shows as picture and table."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from topdown.model import BeadTable, CGMolecule


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedMolecule:
    """A mapped molecule with its bead table; a notebook shows it as picture and table.

    Attributes
    ----------
    molecule : CGMolecule
    table : BeadTable
    smiles, name : str
        As given.
    seed : int
        Of the conformers.
    """

    molecule: CGMolecule
    table: BeadTable
    smiles: str
    name: str = ""
    seed: int = 1

    def to_json(self) -> dict[str, Any]:
        """What ``topdown map --json`` prints."""
        from topdown.workflows.map_lists import MoleculeRequest
        from topdown.workflows.mapping_json import mapping_json

        request = MoleculeRequest(smiles=self.smiles, name=self.name)
        return mapping_json(self.molecule, self.table, request, seed=self.seed)

    def write(self, folder: Path | str) -> tuple[Path, ...]:
        """Write the files of ``topdown map -o``; returns their paths."""
        from topdown.workflows.file_names import FileNames
        from topdown.workflows.map_files import write_mapping
        from topdown.workflows.map_lists import MoleculeRequest

        slug, label = FileNames().next(self.smiles, self.name)
        request = MoleculeRequest(smiles=self.smiles, name=self.name)
        return write_mapping(self.molecule, self.table, request, Path(folder), slug=slug, label=label, seed=self.seed)

    def __repr__(self) -> str:
        what = self.name or self.smiles
        return f"<MappedMolecule {what!r}, {self.table.name}: {' '.join(self.molecule.type_names)}>"

    def __str__(self) -> str:
        """Beads with their reasons, and bonded terms, as ``topdown map`` prints them."""
        from topdown.report.mapping_text import mapping_text

        return mapping_text(self.molecule, 3).rstrip()

    def _repr_svg_(self) -> str:
        from topdown.report.mapping_svg import mapping_svg

        return mapping_svg(self.molecule)

    def _repr_html_(self) -> str:
        """Picture and table of beads; every text that came from outside is escaped."""
        picture = self._repr_svg_().split("?>", 1)[-1]
        rows = "".join(
            f"<tr><td>{html.escape(bead.name)}</td><td><b>{html.escape(bead.bead_type)}</b></td>"
            f"<td>{', '.join(str(a) for a in bead.atoms) or 'none'}</td><td>{f'{bead.charge:+g}' if bead.charge else '0'}</td>"
            f"<td>{bead.confidence:.0%}</td><td>{html.escape(', '.join(bead.alternatives[:3]))}</td>"
            f'<td style="text-align:left">{html.escape(bead.reason)}</td></tr>'
            for bead in self.molecule.beads
        )
        notes = "".join(f"<p>{html.escape(warning)}</p>" for warning in self.molecule.warnings)
        head = "".join(f"<th>{text}</th>" for text in ("bead", "type", "atoms", "charge", "confidence", "or", "reason"))
        return f"<div>{picture}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}</div>"


def map(
    smiles: str,
    *,
    table: str = "martini3",
    name: str = "",
    conformers: bool = True,
    seed: int = 1,
    mapping: str = "",
    types: str = "",
    largest_fragment: bool = False,
) -> MappedMolecule:
    """Coarse-grain one molecule; a notebook shows the result as picture and table.

    Parameters
    ----------
    smiles : str
    table : str
        Name of a shipped bead table, or a table folder.
    name : str
        Any text.
    conformers : bool
        Lengths and coordinates from conformers, or estimates from the graph.
    seed : int
        Seed of the conformers.
    mapping, types : str
        Beads and bead types to keep, as ``--mapping`` and ``--types`` of ``topdown map`` have them.
    largest_fragment : bool
        Of salts and mixtures map the largest component.

    Returns
    -------
    MappedMolecule

    Raises
    ------
    MoleculeError, BeadTableError, MappingError
        The SMILES is refused; the table lacks a type; the beads or types to keep do not fit.
    """
    from topdown.mapping.smiles import parse_smiles
    from topdown.workflows.map_lists import MoleculeRequest
    from topdown.workflows.map_molecules import Mapper, MapSettings
    from topdown.workflows.user_mapping import read_choices

    settings = MapSettings(table=table, conformers=conformers, seed=seed, largest_fragment=largest_fragment)
    mapper = Mapper(settings)
    if mapping or types:
        parsed = parse_smiles(smiles, largest_fragment=largest_fragment)
        mapper.settings = replace(settings, choices=read_choices(mapping, types, parsed, mapper.table))
    result = mapper.map(MoleculeRequest(smiles=smiles, name=name))
    if result.error is not None:
        raise result.error
    assert result.molecule is not None
    return MappedMolecule(molecule=result.molecule, table=mapper.table, smiles=smiles, name=name, seed=seed)
