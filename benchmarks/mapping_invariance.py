"""Whether a molecule's mapping depends on how its SMILES is written.

    python benchmarks/mapping_invariance.py LOG [--molecules 1000] [--spellings 20] [--table martini3] [--source DIR]

Molecules are drawn (fixed seed) from ``data/partition/partition.csv``, ``benchmarks/drug_like.smi`` and, with
``--source``, the curated CSV files in ``DIR``. Each is written in ``--spellings`` random ways, read again and mapped from the
graph alone; all mappings must be one and the same up to the symmetry of the molecule. For that the beads are drawn into the
molecule – every atom labelled by the beads it is in, through bonds to one extra atom per bead that carries the bead type –
and compared as canonical SMILES, and with them the sorted lists of bonded terms by bead types and numbers.

A run that is stopped goes on when it is repeated: molecules in ``LOG``, one JSON line each, are not done again.

``drug_like.smi``: 700 molecules of at least 14 heavy atoms of the NCI Open Database (Developmental Therapeutics Program,
public domain), evenly drawn from those the mapper accepts among the first 5,000 that RDKit ships (``Data/NCI``).

Prints, over the whole log, how many molecules have one partition, one set of bead types and one of bonded terms, whether
every atom is in a bead and every bead connected, how many partitions are proven the cheapest, in how many equivalent atoms
are in unlike beads, and the processor time.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from pathlib import Path
from typing import Any

from rdkit import Chem, RDLogger

from topdown.errors import MoleculeError
from topdown.mapping.fragmenting import canonical_order, partition_atoms
from topdown.mapping.mapper import map_parsed
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_symmetry import asymmetry
from topdown.mapping.smiles import parse_smiles
from topdown.model import BeadTable, CGMolecule
from topdown.tables import load_bead_table

ROOT = Path(__file__).resolve().parents[1]
#: Element that stands for a bead in the drawing; no molecule of the tables holds it.
_BEAD = 54


def molecules(source: Path | None) -> list[str]:
    """Distinct canonical SMILES of all sources, sorted."""
    texts = []
    with (ROOT / "data" / "partition" / "partition.csv").open(newline="", encoding="utf-8") as file:
        texts += [row["smiles"] for row in csv.DictReader(file)]
    texts += [line.split()[0] for line in (ROOT / "benchmarks" / "drug_like.smi").read_text("utf-8").splitlines()]
    for path in sorted(source.glob("*curated.csv")) if source else ():
        with path.open(newline="", encoding="utf-8") as file:
            texts += [row["smiles"] for row in csv.DictReader(file)]
    found = set()
    for text in texts:
        try:
            found.add(Chem.MolToSmiles(parse_smiles(text).mol, isomericSmiles=False))
        except MoleculeError:
            continue
    return sorted(found)


def drawing(mol: Chem.Mol, molecule: CGMolecule, table: BeadTable, *, typed: bool) -> str:
    """Canonical SMILES of the molecule with one more atom per bead, bonded to the atoms of the bead."""
    drawn = Chem.RWMol(mol)
    Chem.RemoveStereochemistry(drawn)
    for bead in molecule.beads:
        extra = Chem.Atom(_BEAD)
        if typed:
            extra.SetIsotope(table.index(bead.bead_type) + 1)
        place = drawn.AddAtom(extra)
        for atom in bead.atoms:
            drawn.AddBond(place, atom, Chem.BondType.ZERO)
    return str(Chem.MolToSmiles(drawn))


def terms(molecule: CGMolecule) -> str:
    """Bonded terms by the types of their beads and their numbers, sorted."""

    def kinds(atoms: tuple[int, ...]) -> tuple[str, ...]:
        names = tuple(molecule.beads[a].bead_type for a in atoms)
        return min(names, names[::-1])

    found = [("bond", kinds(b.atoms), b.length, b.force_constant) for b in molecule.bonds]
    found += [("constraint", kinds(c.atoms), c.length, 0.0) for c in molecule.constraints]
    found += [("angle", kinds(a.atoms), a.angle, a.force_constant) for a in molecule.angles]
    found += [("dihedral", kinds(d.atoms), abs(d.angle), d.force_constant) for d in molecule.dihedrals]
    found += [("site", (molecule.beads[v.site].bead_type,), 0.0, 0.0) for v in molecule.virtual_sites]
    found += [("exclusion", kinds(pair), 0.0, 0.0) for pair in molecule.exclusions]
    return json.dumps(sorted(found))


def examined(smiles: str, table: BeadTable, style: str, spellings: int, seed: int) -> dict[str, Any]:
    """One line of the log."""
    partitions, types, bonded = set(), set(), set()
    seconds = []
    for spelling in Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), spellings, randomSeed=seed):
        start = time.process_time()
        parsed = parse_smiles(spelling)
        molecule = map_parsed(parsed, table, conformers=False)[0]
        seconds.append(round(1e3 * (time.process_time() - start), 2))
        partitions.add(drawing(parsed.mol, molecule, table, typed=False))
        types.add(drawing(parsed.mol, molecule, table, typed=True))
        bonded.add(terms(molecule))
    mol = Chem.RenumberAtoms(parsed.mol, canonical_order(parsed.mol))
    graph, partition = MoleculeGraph.of(mol), partition_atoms(mol, style)
    return {
        "smiles": smiles,
        "partitions": len(partitions),
        "types": len(types),
        "terms": len(bonded),
        "covered": set().union(*(b.atoms for b in molecule.beads)) == set(range(graph.n_atoms)),
        "connected": all(len(graph.pieces(sum(1 << a for a in group))) == 1 for group in partition.groups),
        "proven": partition.exact,
        "uneven": asymmetry(graph, partition.groups) > 0,
        "cpu_ms": seconds,
    }


def summary(lines: list[dict[str, Any]]) -> str:
    """The figures of a log."""
    n = len(lines)
    text = [f"several mappings of {line['smiles']}" for line in lines if max(map(line.get, _KINDS)) > 1]
    text += [f"one {what:<19}{sum(line[key] == 1 for line in lines)}/{n}" for key, what in _KINDS.items()]
    for key, what in (
        ("covered", "every atom in a bead"),
        ("connected", "every bead connected"),
        ("proven", "proven cheapest"),
        ("uneven", "unlike equivalents"),
    ):
        text.append(f"{what:<23}{sum(line[key] for line in lines)}/{n}")
    spent = sorted(ms for line in lines for ms in line["cpu_ms"])
    middle, tail = (spent[int(len(spent) * part)] for part in (0.5, 0.95))
    mean = sum(spent) / len(spent)
    text.append(
        f"CPU ms per SMILES      mean {mean:.1f}, median {middle:.1f}, 95 % {tail:.1f}, largest {spent[-1]:.0f} ({len(spent)})"
    )
    return "\n".join(text)


_KINDS = {"partitions": "partition", "types": "set of bead types", "terms": "set of terms"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--molecules", type=int, default=1000)
    parser.add_argument("--spellings", type=int, default=20)
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    table = load_bead_table(arguments.table)
    chosen = molecules(arguments.source)
    if len(chosen) > arguments.molecules:
        chosen = sorted(random.Random(arguments.seed).sample(chosen, arguments.molecules))
    log: Path = arguments.log
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
    known = {line["smiles"] for line in lines}
    for number, smiles in enumerate(chosen, start=1):
        if smiles not in known:
            lines.append(examined(smiles, table, arguments.table, arguments.spellings, number))
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    print(f"{arguments.table}: {len(lines)} molecules, {arguments.spellings} random SMILES each")
    print(summary(lines))


if __name__ == "__main__":
    main()
