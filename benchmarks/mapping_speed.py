"""Speed and coverage of ``topdown map``, graph-only and with conformers, its growth with size, and the gate under abuse.

    python benchmarks/mapping_speed.py [--list benchmarks/druglike.smi.gz] [--conformers 100]

Times are processor times of one process. Molecules per second do not count the start, which is printed by itself.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from collections import Counter
from pathlib import Path

from rdkit import Chem

from topdown.errors import MoleculeError
from topdown.mapping.smiles import parse_smiles
from topdown.workflows.map_lists import MoleculeRequest, read_requests
from topdown.workflows.map_molecules import Mapper, MapSettings
from topdown.workflows.mapping_json import mapping_json

#: Texts that break naive readers; the gate must answer each within a second and 200 MB.
ABUSE = {
    "C x 100,000": "C" * 100_000,
    "C x 10,000,000": "C" * 10_000_000,
    "( x 200,000": "(" * 200_000,
    "nested 200,000 deep": "C" + "(C" * 200_000 + ")" * 200_000,
    "nested 500 deep": "C" + "(C" * 499 + ")" * 499,
    "[ x 4,096": "[" * 4096,
    "ring closures at one atom": "C" + "".join(f"%{k}" for k in range(10, 99)) + "C" * 89,
    "4,000 ring numbers": "C1" * 2000,
    "200 ring closures": "C1CC1" * 200,
    "1,000 aromatic atoms in one ring": "c1" + "c" * 998 + "1",
    "160 phenyls": "c1ccccc1" * 160,
    "1,000 stereo centres": "[C@@](F)" * 500,
    "300 double bonds": "C/C=C/" * 300 + "C",
    "dots": "C." * 2000,
    "10 MB of zero bytes": "\x00" * 10_000_000,
    "10 MB of blanks": " " * 10_000_000,
    "10 MB of Cyrillic": "\u041e" * 10_000_000,
    "long bracket": "[" + "9" * 4000 + "C]",
    "emoji": "\U0001f600" * 4000,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path, default=Path(__file__).parent / "druglike.smi.gz")
    parser.add_argument("--conformers", type=int, default=0, help="also map so many of them with conformers")
    parser.add_argument("--every", type=int, default=1, help="only each so-manieth molecule")
    options = parser.parse_args()
    gate()
    requests = read_requests(options.list)[:: options.every]
    start = time.process_time()
    mapper = Mapper(MapSettings(conformers=False))
    mapper.map(MoleculeRequest(smiles="CC(=O)Nc1ccc(O)cc1"))
    print(f"start: {time.process_time() - start:.2f} s")
    coverage("graph-only", mapper, requests)
    if options.conformers:
        chosen = random.Random(1).sample(list(requests), options.conformers)
        coverage("with conformers", Mapper(MapSettings(conformers=True)), chosen)
    growth(mapper)


def gate() -> None:
    """Every abusive text through the gate."""
    worst = 0.0
    for name, text in ABUSE.items():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        try:
            answer = parse_smiles(text).canonical_smiles[:20]
        except MoleculeError as error:
            answer = error.code
        spent = time.process_time() - start
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        worst = max(worst, spent)
        print(f"gate  {name:34s} {answer:22s} {1000 * spent:7.1f} ms  +{grown:.0f} MB")
    print(f"gate: slowest {worst:.3f} s")


def coverage(title: str, mapper: Mapper, requests: list[MoleculeRequest] | tuple[MoleculeRequest, ...]) -> None:
    """Fraction mapped, molecules per second, and the slowest."""
    times: list[tuple[float, str]] = []
    codes: Counter[str] = Counter()
    estimates = beads = 0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for request in requests:
        start = time.process_time()
        result = mapper.map(request)
        if result.molecule is not None:
            found = mapping_json(result.molecule, mapper.table, request)
            beads += len(found["beads"])
            estimates += sum("unknown to" in bead["reason"] for bead in found["beads"])
        times.append((time.process_time() - start, request.smiles))
        codes[result.error_code or "mapped"] += 1
    spent = [t for t, _ in times]
    quantiles = statistics.quantiles(spent, n=20)
    print(
        f"{title}: {len(requests)} molecules, {codes['mapped'] / len(requests):.2%} mapped {dict(codes)}, "
        f"{len(requests) / sum(spent):.0f} molecules/s, median {1000 * quantiles[9]:.2f} ms, p95 {1000 * quantiles[18]:.2f} ms, "
        f"max {1000 * max(spent):.1f} ms; {estimates / max(beads, 1):.1%} of {beads} bead types are estimates; "
        f"memory +{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024:.0f} MB"
    )
    for t, smiles in sorted(times, reverse=True)[:3]:
        print(f"  slowest: {1000 * t:.0f} ms  {smiles}")


def growth(mapper: Mapper) -> None:
    """Time against size for chains, peptides and fused rings."""
    kinds = {
        "alkane": lambda n: "C" * n,
        "peptide": lambda n: "C" + "NC(CC(C)C)C(=O)" * (n // 8) + "O",
        "acene": lambda n: acene(max(1, (n - 2) // 4)),
        "PEG": lambda n: "OCC" * (n // 3) + "O",
    }
    for name, make in kinds.items():
        cells = []
        for n in (10, 25, 50, 100, 200, 400, 800, 1000):
            smiles = make(n)
            atoms = Chem.MolFromSmiles(smiles).GetNumAtoms()
            start = time.process_time()
            result = mapper.map(MoleculeRequest(smiles=smiles))
            spent = time.process_time() - start
            cells.append(f"{atoms}: {spent:.3f} s{'' if result.molecule else ' ' + result.error_code}")
            if spent > 20:
                break
        print(f"growth {name:8s} " + "  ".join(cells), flush=True)


def acene(rings: int) -> str:
    """Benzene rings fused in a line."""
    mol = Chem.RWMol()
    row = 2 * rings + 1
    for _ in range(2 * row):
        atom = Chem.Atom(6)
        atom.SetIsAromatic(True)
        mol.AddAtom(atom)
    for k in range(row - 1):
        mol.AddBond(k, k + 1, Chem.BondType.AROMATIC)
        mol.AddBond(row + k, row + k + 1, Chem.BondType.AROMATIC)
    for k in range(0, row, 2):
        mol.AddBond(k, row + k, Chem.BondType.AROMATIC)
    Chem.SanitizeMol(mol)
    return str(Chem.MolToSmiles(mol))


if __name__ == "__main__":
    main()
