"""Whether a molecule's partition depends on how its SMILES is written.

    python benchmarks/mapping_invariance.py [--molecules 1000] [--spellings 20] [--table martini3] [--source DIR]

Molecules are drawn (fixed seed) from ``data/partition/partition.csv``, ``benchmarks/drug_like.smi`` and, with
``--source``, the curated CSV files in ``DIR``. Each is written in ``--spellings`` random ways, read again and divided;
all divisions must be one and the same up to the symmetry of the molecule. For that the beads are drawn into the
molecule – every atom labelled by the beads it is in, through bonds to one extra atom per bead – and compared as
canonical SMILES.

``drug_like.smi``: 700 molecules of at least 14 heavy atoms of the NCI Open Database (Developmental Therapeutics Program,
public domain), evenly drawn from those the mapper accepts among the first 5,000 that RDKit ships (``Data/NCI``).

Prints how many molecules have one division, whether every atom is in a bead and every bead connected, in how many
equivalent atoms are in unlike beads, and the processor time.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path

from rdkit import Chem, RDLogger

from topdown.errors import MoleculeError
from topdown.mapping.fragmenting import Partition, canonical_order, partition_atoms
from topdown.mapping.group_features import MoleculeGraph
from topdown.mapping.partition_symmetry import asymmetry
from topdown.mapping.smiles import parse_smiles

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


def divided(smiles: str, style: str) -> tuple[Chem.Mol, Partition]:
    """A molecule as the mapper reads it, and its partition."""
    mol = parse_smiles(smiles).mol
    mol = Chem.RenumberAtoms(mol, canonical_order(mol))
    return mol, partition_atoms(mol, style)


def drawing(mol: Chem.Mol, partition: Partition) -> str:
    """Canonical SMILES of the molecule with one more atom per bead, bonded to the atoms of the bead."""
    drawn = Chem.RWMol(mol)
    Chem.RemoveStereochemistry(drawn)
    for group in partition.groups:
        bead = drawn.AddAtom(Chem.Atom(_BEAD))
        for atom in group:
            drawn.AddBond(bead, atom, Chem.BondType.ZERO)
    return Chem.MolToSmiles(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--molecules", type=int, default=1000)
    parser.add_argument("--spellings", type=int, default=20)
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    chosen = molecules(arguments.source)
    if len(chosen) > arguments.molecules:
        chosen = sorted(random.Random(arguments.seed).sample(chosen, arguments.molecules))
    one = covered = connected = proven = uneven = 0
    seconds = []
    for number, smiles in enumerate(chosen):
        mol = Chem.MolFromSmiles(smiles)
        drawings = set()
        for spelling in Chem.MolToRandomSmilesVect(mol, arguments.spellings, randomSeed=number + 1):
            start = time.process_time()
            other, partition = divided(spelling, arguments.table)
            seconds.append(time.process_time() - start)
            drawings.add((partition.cost, drawing(other, partition)))
        graph = MoleculeGraph.of(other)
        one += len(drawings) == 1
        covered += set().union(*partition.groups) == set(range(graph.n_atoms))
        connected += all(len(graph.pieces(sum(1 << a for a in group))) == 1 for group in partition.groups)
        proven += partition.exact
        uneven += asymmetry(graph, partition.groups) > 0
        if len(drawings) > 1:
            print(f"{len(drawings)} partitions of {smiles}: costs {sorted({cost for cost, _ in drawings})}")
    n = len(chosen)
    print(f"{arguments.table}: {n} molecules, {arguments.spellings} random SMILES each")
    print(f"one partition          {one}/{n}")
    print(f"every atom in a bead   {covered}/{n}")
    print(f"every bead connected   {connected}/{n}")
    print(f"proven cheapest        {proven}/{n}")
    print(f"unlike equivalents     {uneven}/{n}")
    seconds.sort()
    middle, tail = (seconds[int(len(seconds) * part)] * 1e3 for part in (0.5, 0.95))
    mean = sum(seconds) / len(seconds) * 1e3
    print(
        f"CPU ms per SMILES      mean {mean:.1f}, median {middle:.1f}, 95 % {tail:.1f}, largest {seconds[-1] * 1e3:.0f}"
    )


if __name__ == "__main__":
    main()
