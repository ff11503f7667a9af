"""Densities, enthalpies of vaporisation and surface tensions of organic liquids from bead tables, beside measured values.

    python benchmarks/liquids_of_table.py run results.jsonl --tables topdown1,martini3 [--what density|surface-tension] [--ns 1]
    python benchmarks/liquids_of_table.py report results.jsonl

Every molecule is mapped with the table (or is its published model there) and simulated as a pure liquid at 298.15 K and 1 bar,
as ``topdown density`` and ``topdown surface-tension`` do. One JSON object per liquid and table is appended to the file; what is
there is not computed again. ``--share`` takes every n-th calibration liquid; validation liquids are all taken. ``report`` puts a
ridge regression on counts of atom groups beside them, of molar volumes and surface tensions of the calibration liquids.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rdkit.Chem import MolFromSmiles
from rdkit.Chem.Descriptors import MolWt
from topdown1 import ridge

from topdown.properties.measurements import load_measurements
from topdown.workflows.liquids import (
    Effort,
    LiquidSettings,
    densities,
    density_json,
    surface_tension_json,
    surface_tensions,
)

TEMPERATURE = 298.15
QUANTITY = {"density": "density", "surface-tension": "surface_tension"}


def liquids(what: str, share: int) -> Iterator[tuple[str, float, str]]:
    """Canonical SMILES, measured value at 298.15 K and split of every liquid wanted."""
    rows = [r for r in load_measurements(QUANTITY[what]) if r.temperature and abs(r.temperature - TEMPERATURE) < 0.01]
    number = 0
    for row in sorted(rows, key=lambda r: r.canonical_smiles):
        if row.canonical_smiles == "O":
            continue
        number += row.split == "calibration"
        if row.split == "validation" or number % share == 0:
            yield row.canonical_smiles, row.value, row.split


def run(options: argparse.Namespace) -> None:
    done = {(r["table"], r["what"], r["smiles"]) for r in read(options.file)}
    settings = LiquidSettings(
        temperatures=(TEMPERATURE,), effort=Effort(nanoseconds=options.ns), match_surface=options.match_surface
    )
    wanted = list(liquids(options.what, options.share))
    if options.shuffle is not None:
        np.random.default_rng(options.shuffle).shuffle(wanted)
    for smiles, measured, split in wanted:
        for table in options.tables.split(","):
            label = f"{table}, surface matched" if options.match_surface else table
            if (label, options.what, smiles) in done:
                continue
            common = {"store": options.store, "workers": options.workers}
            if options.what == "density":
                found = density_json(next(densities([smiles], table, settings, **common)))
            else:
                found = surface_tension_json(next(surface_tensions([smiles], table, settings, **common)))
                found.pop("profile", None)
            row = {"table": label, "what": options.what, "smiles": smiles, "measured": measured, "split": split} | found
            with options.file.open("a") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            value = found.get("density_kg_m3", found.get("surface_tension_mN_m"))
            told = found["error"]["message"] if "error" in found else f"{value:.1f} ± {found['standard_error']:.1f}"
            print(f"{label} {smiles}: {told}, measured {measured:.1f} {' '.join(found.get('alarms', []))}", flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a results file; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def ridge_values(what: str) -> dict[str, float]:
    """What group counts say of every liquid with a measured value."""
    rows = list(liquids(what, 1))
    weight = {smiles: MolWt(MolFromSmiles(smiles)) if what == "density" else 1.0 for smiles, _, _ in rows}
    invert = -1 if what == "density" else 1
    measured = {(s, what): (weight[s] * value**invert, split) for s, value, split in rows}
    return {s: (found / weight[s]) ** invert for (s, _), found in ridge(measured, what).items()}


def report(options: argparse.Namespace) -> None:
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    failed: dict[tuple[str, str], int] = defaultdict(int)
    alarms: dict[tuple[str, str], int] = defaultdict(int)
    by_groups = {what: ridge_values(what) for what in QUANTITY}
    seen = set()
    for row in read(options.file):
        key = "density_kg_m3" if row["what"] == "density" else "surface_tension_mN_m"
        if "error" in row or row.get("alarms"):
            (failed if "error" in row else alarms)[row["what"], row["table"]] += 1
            continue
        beads = row["components"][0]["model"].partition(":")[2].split()
        size = "one bead" if len(beads) == 1 else "more beads"
        off = 100.0 * (row[key] / row["measured"] - 1.0)
        groups[row["what"], row["table"], row["split"], size].append(off)
        if (row["what"], row["smiles"]) not in seen:
            seen.add((row["what"], row["smiles"]))
            off = 100.0 * (by_groups[row["what"]][row["smiles"]] / row["measured"] - 1.0)
            groups[row["what"], "group counts, ridge", row["split"], size].append(off)
        heat, measured = row.get("vaporization_enthalpy_kJ_mol"), row.get("vaporization_enthalpy_experiment")
        if heat is not None and measured is not None:
            off = 100.0 * (heat / measured["vaporization_enthalpy_kJ_mol"] - 1.0)
            groups["vaporization enthalpy", row["table"], row["split"], size].append(off)
    print(
        "| property | table | split | liquids of | n | mean of |error| [%] | mean error [%] | median of |error| [%] |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for names, found in sorted(groups.items()):
        off = np.array(found)
        print(
            f"| {' | '.join(names)} | {len(off)} | {np.abs(off).mean():.1f} | {off.mean():+.1f} | {np.median(np.abs(off)):.1f} |"
        )
    print("refused:", dict(failed), "alarms:", dict(alarms))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("run", "report"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--tables", default="topdown1,martini3")
    parser.add_argument("--what", choices=tuple(QUANTITY), default="density")
    parser.add_argument("--ns", type=float, default=1.0)
    parser.add_argument("--share", type=int, default=3)
    parser.add_argument(
        "--shuffle", type=int, metavar="SEED", help="random order: a run that is stopped is a fair sample"
    )
    parser.add_argument("--match-surface", action="store_true", help="bonds of mapped molecules lengthened")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    (run if options.do == "run" else report)(options)


if __name__ == "__main__":
    main()
