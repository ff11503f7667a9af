"""Whether mapped models stand 20 fs: ``topdown map --check`` over many molecules, one line of a log for each.

    python benchmarks/mapping_check.py LOG [--source DIR] [--count 100] [--table martini3]

Molecules are the distinct ones of the curated files in ``DIR`` and ``benchmarks/drug_like.smi``, in an order drawn with a fixed
seed. A run that is stopped goes on when it is repeated: molecules in ``LOG`` are not done again. Prints, over the whole log,
how many are stable, those that are not and why, the largest drift and constraint error, and the processor time.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from pathlib import Path
from typing import Any

from topdown.errors import TopdownError
from topdown.mapping import map_molecule
from topdown.tables import load_bead_table
from topdown.workflows.check_molecule import check_molecule

ROOT = Path(__file__).resolve().parents[1]
#: Sterols first: their side chains have terms of ours on a published frame.
FIRST = (
    "C[C@H](/C=C/[C@H](C)C(C)C)[C@H]1CC[C@H]2C3=CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C",
    "CC[C@H](CC[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C)C(C)C",
    "CC[C@H](/C=C/[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C)C(C)C",
    "CC(C)[C@H](C)CC[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C",
    "CCCCCCC",
    "CCCCCCCCCCCCCCC",
)


def molecules(source: Path | None, table: str) -> list[str]:
    """SMILES in the order in which they are checked."""
    found: set[str] = set()
    if source is not None:
        with (source / f"{table}_curated.csv").open(newline="", encoding="utf-8") as file:
            found |= {row["smiles"] for row in csv.DictReader(file)}
    found |= {line.split()[0] for line in (ROOT / "benchmarks" / "drug_like.smi").read_text("utf-8").splitlines()}
    order = sorted(found - set(FIRST))
    random.Random(1).shuffle(order)
    return [*FIRST, *order]


def checked(smiles: str, table_name: str) -> dict[str, Any]:
    """One line of the log."""
    start = time.process_time()
    table = load_bead_table(table_name)
    try:
        molecule = map_molecule(smiles, table, conformers=True)
        report = check_molecule(molecule, table, table_name)
    except TopdownError as error:
        return {"smiles": smiles, "error": str(error), "cpu_s": round(time.process_time() - start, 2)}
    return {"smiles": smiles, "n_beads": molecule.n_beads, **report.as_json()}


def summary(lines: list[dict[str, Any]]) -> str:
    """The figures of a log."""
    done = [line for line in lines if "stable" in line]
    text = [f"{sum(line['stable'] for line in done)} of {len(done)} stable, {len(lines) - len(done)} refused or failed"]
    text += [f"  not stable: {line['smiles']}: {line['reason']}" for line in done if not line["stable"]]
    text += [f"  refused: {line['smiles']}: {line['error']}" for line in lines if "error" in line]
    if done:
        drift = max(abs(line["energy_drift_kT_ns_dof"] or 0.0) for line in done)
        error = max(line["constraint_error"] for line in done)
        text.append(f"largest drift {drift:.3f} kT/ns per degree of freedom, largest constraint error {error:.1e}")
        text.append(f"{sum(line['cpu_s'] for line in done) / len(done):.1f} s of processor time each")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--count", type=int, default=100, help="molecules in the log when it stops")
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.log.read_text("utf-8").splitlines()] if options.log.exists() else []
    known = {line["smiles"] for line in lines}
    for smiles in molecules(options.source, options.table):
        if len(lines) >= options.count:
            break
        if smiles not in known:
            lines.append(checked(smiles, options.table))
            with options.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    print(summary(lines))


if __name__ == "__main__":
    main()
