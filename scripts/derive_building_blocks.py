"""Write the building blocks of the shipped bead tables from expert-mapped molecules.

    python scripts/derive_building_blocks.py --source DIR [--tables DIR]

``DIR`` holds ``martini3_curated.csv``, ``martini2_curated.csv`` and ``martini2_labelled.csv``; single-bead solvents
and ions are read from ``DIR/../lipids/lipids.csv`` where it exists, amino-acid residues from ``published_blocks.csv``
beside this script. Each bead with a
published mapping gives one fact, fragment → bead type, in the notation of :mod:`topdown.mapping.fragments`; equal
facts are counted over distinct molecules, homologues that the labelled set makes of one molecule as one. The same input
gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curated_mappings import SOURCES, MappedRow, published_rows, read_rows
from rdkit import Chem

from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.fragments import coarser, surroundings_of
from topdown.mapping.functional_groups import functional_group
from topdown.mapping.smiles import parse_smiles
from topdown.model import BuildingBlock
from topdown.resources import atomic_write_text

_CITATIONS: dict[str, Any] = {
    "lipids.csv": {
        "martini3": "Souza 2021 doi:10.1038/s41592-021-01098-3",
        "martini2": "Marrink 2007 doi:10.1021/jp071097f",
    },
    "marrink-lab/martini-forcefields": "Souza 2021 doi:10.1038/s41592-021-01098-3",
    "ricalessandri": "Alessandri 2022 doi:10.1002/adts.202100391",
    "Martini-Force-Field-Initiative": "Martini 3 Bible (Martini Force Field Initiative)",
    "JiangGroup": "AMOFMS doi:10.1021/acs.jctc.4c00041",
    "GMPavanLab": "Marrink 2007 doi:10.1021/jp071097f",
    "Marrink": "Marrink 2007 doi:10.1021/jp071097f",
    "marrink-lab/vermouth": "vermouth martini22 side chains",
    "MayLab": "martini_v2.0_lipids_all_201506",
}
#: The labelled set lengthens molecules by C1 beads and says so in the file's name: TYR.json, TYRC1.json, TYRC1C1.json.
_HOMOLOGUE = re.compile(r"(JiangGroup/.*?)(?:[0-9a-z]?C1)*\.json$")


@dataclass(frozen=True)
class Observation:
    """One published bead.

    Attributes
    ----------
    surroundings : str
        Notation of :mod:`topdown.mapping.fragments`, finest level.
    fragment : str
        The same in its environment.
    bead_type : str
    molecule : str
        Canonical SMILES without stereochemistry.
    source : str
        Citation.
    origin : str
        Collection the row was taken from.
    parent : str
        The molecule, or what the labelled set made it from by adding alkyl beads.
    mol : Chem.Mol
    group : tuple of int
        Atoms of the bead.
    shared : frozenset of int
        Atoms of ``mol`` in more than one bead.
    """

    surroundings: str
    fragment: str
    bead_type: str
    molecule: str
    source: str
    origin: str
    parent: str
    mol: Any
    group: tuple[int, ...]
    shared: frozenset[int]


def observations(source: Path, style: str) -> list[Observation]:
    """Every typed bead with a published mapping for one of the two tables."""
    found = [fact for row in read_rows(source, style) for fact in observed(row) if not _mislabelled(fact)]
    found += _single_beads(source.parent / "lipids" / "lipids.csv", style)
    return found + [fact for row in published_rows(style) for fact in observed(row)]


def observed(row: MappedRow) -> list[Observation]:
    """The beads of one published mapping."""
    name = Chem.MolToSmiles(row.mol, isomericSmiles=False)
    citation = next((text for start, text in _CITATIONS.items() if row.source.startswith(start)), row.source)
    origin, shared = row.source.split(":")[0], row.shared
    homologue = _HOMOLOGUE.match(row.source)
    parent = homologue[1] if homologue else name
    found = []
    for bead, bead_type in row.beads:
        around, fragment, *_ = coarser(surroundings_of(row.mol, bead, shared))
        found.append(Observation(around, fragment, bead_type, name, citation, origin, parent, row.mol, bead, shared))
    return found


def _mislabelled(fact: Observation) -> bool:
    """Slips of the machine-made Martini 2 labels.

    A polar type on carbons alone, an apolar one on oxygen or nitrogen, that of an alkane or alkene on aromatic carbons,
    which published models give C4 or C5, and N on a carboxylic acid, which they give P.
    """
    if not fact.origin.startswith("JiangGroup"):
        return False
    atoms = [fact.mol.GetAtomWithIdx(a) for a in fact.group]
    elements = {atom.GetAtomicNum() for atom in atoms}
    core = fact.bead_type.removeprefix("S")
    family = core[0]
    if core in ("C1", "C2", "C3") and elements == {6} and all(atom.GetIsAromatic() for atom in atoms):
        return True
    chemistry = functional_group(atom_roles(fact.mol), fact.group, fact.shared, "martini2")
    if family == "N" and chemistry.name == "carboxylic acid":
        return True
    return (elements == {6} and family in "PNQ") or (
        not elements.isdisjoint({7, 8}) and 16 not in elements and family == "C"
    )


def _single_beads(path: Path, style: str) -> list[Observation]:
    """Solvents and ions published as one bead that stands for one molecule."""
    if not path.is_file():
        return []
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["ff"] != {"martini3": "M3", "martini2": "M2"}[style] or row["n_beads"] != "1":
                continue
            try:
                mol = parse_smiles(row["smiles"]).mol
            except ValueError:
                continue
            if mol.GetNumAtoms() > 1:
                bead_type = row["beads_idx_name_type_charge"].split(":")[2]
                whole = tuple(range(mol.GetNumAtoms()))
                citation = _CITATIONS["lipids.csv"][style]
                found += observed(MappedRow(row["name"], row["smiles"], citation, mol, ((whole, bead_type),)))
    return found


def building_blocks(observed: Iterable[Observation]) -> tuple[BuildingBlock, ...]:
    """Facts counted over distinct molecules, homologues as one, sorted by fragment and count."""
    molecules: dict[tuple[str, str], set[str]] = {}
    sources: dict[tuple[str, str], set[str]] = {}
    for fact in observed:
        key = (fact.surroundings, fact.bead_type)
        molecules.setdefault(key, set()).add(fact.parent)
        sources.setdefault(key, set()).add(fact.source)
    blocks = [
        BuildingBlock(fragment=f, bead_type=t, source="; ".join(sorted(sources[f, t])), n_seen=len(names))
        for (f, t), names in molecules.items()
    ]
    return tuple(sorted(blocks, key=lambda b: (b.fragment, -b.n_seen, b.bead_type)))


def to_csv(blocks: Iterable[BuildingBlock]) -> str:
    """The text of ``building_blocks.csv``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["fragment", "bead_type", "n_seen", "source"])
    writer.writerows([b.fragment, b.bead_type, b.n_seen, b.source] for b in blocks)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder with the curated CSV files")
    parser.add_argument("--tables", type=Path, default=Path(__file__).resolve().parents[1] / "bead_tables")
    arguments = parser.parse_args()
    for style in SOURCES:
        blocks = building_blocks(observations(arguments.source, style))
        path = atomic_write_text(arguments.tables / style / "building_blocks.csv", to_csv(blocks))
        print(f"{path}: {len(blocks)} building blocks")


if __name__ == "__main__":
    main()
