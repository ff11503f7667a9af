"""Make ``druglike.smi.gz``: drug-like molecules put together at random from pieces of measured and published ones.

The molecules of ``data/partition`` and of the files given with ``--source`` are cut at BRICS bonds (Degen et al.,
ChemMedChem 3, 1503 (2008), as RDKit has it), and the pieces are joined at random by the same rules. Kept are molecules of 150 to
600 g/mol, at most 12 rotatable bonds and a Crippen logP of -2 to 7, as their canonical SMILES, sorted. Same seed, same list.

    python benchmarks/druglike_list.py --source CURATED.csv --count 5000 --output benchmarks/druglike.smi.gz

Longer lists are made of one that is there by putting one to three substituents on its molecules, which is a hundred times
quicker; they come in random order:

    python benchmarks/druglike_list.py --substitute benchmarks/druglike.smi.gz --count 100000 --output long.smi.gz
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rdkit import Chem, rdBase
from rdkit.Chem import BRICS, Crippen, Descriptors, rdMolDescriptors

from topdown.errors import MoleculeError
from topdown.mapping import parse_smiles
from topdown.resources import data_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--source", type=Path, action="append", default=[], help="further CSV files with a column smiles"
    )
    parser.add_argument("--substitute", type=Path, help="make the list of the molecules of this one")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    rdBase.DisableLog("rdApp.*")
    if options.substitute is not None:
        write(options.output, substituted(options.substitute, options.count, random.Random(options.seed)))
        return
    molecules = read_molecules([*sorted((data_folder() / "partition").glob("*.csv")), *options.source])
    found = {Chem.MolToSmiles(mol) for mol in molecules if is_druglike(mol)}
    print(f"{len(molecules)} molecules read, {len(found)} of them drug-like")
    pieces = sorted({piece for mol in molecules for piece in BRICS.BRICSDecompose(mol)})
    pieces = [piece for piece in pieces if 2 <= Chem.MolFromSmiles(piece).GetNumHeavyAtoms() <= 20]
    print(f"{len(pieces)} pieces")
    rng = random.Random(options.seed)
    by_label: dict[int, list[Chem.Mol]] = {}
    mols = [Chem.MolFromSmiles(piece) for piece in pieces]
    for mol in mols:
        for label in {a.GetIsotope() for a in mol.GetAtoms() if a.GetAtomicNum() == 0}:
            by_label.setdefault(label, []).append(mol)
    while len(found) < options.count:
        mol = joined(rng, mols, by_label)
        if mol is not None and is_druglike(mol):
            found.add(Chem.MolToSmiles(mol))
    write(options.output, sorted(found))


def write(path: Path, found: Sequence[str]) -> None:
    """The list, each molecule named by its number."""
    width = len(str(len(found)))
    text = "".join(f"{smiles} d{number:0{width}d}\n" for number, smiles in enumerate(found, start=1))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(found)} molecules, {path.stat().st_size} bytes")


#: What takes the place of a hydrogen on carbon.
SUBSTITUENTS: Final = (
    "C",
    "F",
    "Cl",
    "O",
    "N",
    "CC",
    "OC",
    "C#N",
    "C(F)(F)F",
    "C(=O)N",
    "NC(=O)C",
    "S(=O)(=O)C",
    "C1CC1",
    "CO",
)


def substituted(path: Path, count: int, rng: random.Random) -> list[str]:
    """``count`` different molecules of a list, itself included, with substituents put on."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        parents = [line.split()[0] for line in file]
    found = dict.fromkeys(parents[:count])
    groups = [Chem.MolFromSmiles(text) for text in SUBSTITUENTS]
    while len(found) < count:
        grown = Chem.RWMol(Chem.MolFromSmiles(rng.choice(parents)))
        for _ in range(rng.randint(1, 3)):
            places = [a.GetIdx() for a in grown.GetAtoms() if a.GetAtomicNum() == 6 and a.GetTotalNumHs() > 0]
            if not places:
                break
            place, first = rng.choice(places), grown.GetNumAtoms()
            grown.InsertMol(rng.choice(groups))
            grown.AddBond(place, first, Chem.BondType.SINGLE)
            atom = grown.GetAtomWithIdx(place)
            if atom.GetNoImplicit():
                atom.SetNumExplicitHs(max(atom.GetNumExplicitHs() - 1, 0))
            Chem.SanitizeMol(grown)
        found.setdefault(Chem.MolToSmiles(grown))
    listed = list(found)
    rng.shuffle(listed)
    return listed


def joined(rng: random.Random, mols: list[Chem.Mol], by_label: dict[int, list[Chem.Mol]]) -> Chem.Mol | None:
    """A molecule grown from a random piece; ends that stay open get a hydrogen."""
    grown = Chem.RWMol(rng.choice(mols))
    for _ in range(rng.randint(1, 4)):
        ends = [a for a in grown.GetAtoms() if a.GetAtomicNum() == 0]
        if not ends:
            break
        end = rng.choice(ends)
        labels = [label for label in PARTNERS.get(end.GetIsotope(), ()) if label in by_label]
        if not labels:
            break
        label = rng.choice(labels)
        piece = rng.choice(by_label[label])
        shift = grown.GetNumAtoms()
        first = end.GetIdx()
        second = shift + next(a.GetIdx() for a in piece.GetAtoms() if a.GetAtomicNum() == 0 and a.GetIsotope() == label)
        grown = Chem.RWMol(Chem.CombineMols(grown, piece))
        i, j = (grown.GetAtomWithIdx(k).GetNeighbors()[0].GetIdx() for k in (first, second))
        order = Chem.BondType.DOUBLE if label == 7 else Chem.BondType.SINGLE
        grown.AddBond(i, j, order)
        for k in sorted((first, second), reverse=True):
            grown.RemoveAtom(k)
    for atom in grown.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetAtomicNum(1)
            atom.SetIsotope(0)
    mol = Chem.MolFromSmiles(Chem.MolToSmiles(grown))
    return mol if mol is None or mol.GetNumHeavyAtoms() <= 60 else None


def _partners() -> dict[int, list[int]]:
    """Which ends of pieces BRICS joins."""
    found: dict[int, set[int]] = {}
    for group in BRICS.reactionDefs:
        for one, other, _ in group:
            a, b = (int(str(label).rstrip("ab")) for label in (one, other))
            found.setdefault(a, set()).add(b)
            found.setdefault(b, set()).add(a)
    return {label: sorted(others) for label, others in found.items()}


PARTNERS = _partners()


def read_molecules(paths: list[Path]) -> list[Chem.Mol]:
    """The molecules of CSV files that the gate lets pass, each once."""
    smiles: set[str] = set()
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                try:
                    smiles.add(parse_smiles(row.get("smiles") or "").canonical_smiles)
                except MoleculeError:
                    continue
    return [Chem.MolFromSmiles(text) for text in sorted(smiles)]


def is_druglike(mol: Chem.Mol) -> bool:
    """Size, flexibility and lipophilicity of oral drugs, generously, and nothing that the gate refuses."""
    if not 150 <= Descriptors.MolWt(mol) <= 600 or not -2 <= Crippen.MolLogP(mol) <= 7:
        return False
    return bool(rdMolDescriptors.CalcNumRotatableBonds(mol) <= 12 and Chem.GetFormalCharge(mol) in (-1, 0, 1))


if __name__ == "__main__":
    main()
