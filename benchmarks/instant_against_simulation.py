"""Instant free energies of transfer against full simulation of the same molecules.

    python benchmarks/instant_against_simulation.py run results.jsonl --molecules 50 --seed 1 [--to octanol,hexadecane]
    python benchmarks/instant_against_simulation.py report results.jsonl [--csv FILE]

Molecules are drawn at random, without replacement, of those that have a measured value in one of the phases and a shape of their
own in all of them: none is put together from parts. Each is predicted as ``topdown transfer --instant`` does and simulated as
``topdown transfer --simulate --error 1`` does. One JSON object per molecule is appended; what is there is not computed again. The
report counts values that differ within two joint standard errors.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from topdown.properties.measurements import load_measurements
from topdown.workflows.instant import instant_transfer
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.transfer import TransferOutcome, TransferSettings, simulated_transfer

COLUMNS = ("smiles", "to", "instant", "instant_error", "simulated", "simulated_error", "z")


def measured_molecules(phases: Sequence[str]) -> list[str]:
    """Canonical SMILES, sorted, of molecules with a measured free energy of transfer between water and one of ``phases``."""
    wanted = {f"{phase}/water" for phase in phases}
    rows = load_measurements("transfer_free_energy")
    return sorted({r.canonical_smiles for r in rows if r.phase in wanted and r.canonical_smiles != "O"})


def instant(smiles: str, options: argparse.Namespace, settings: TransferSettings) -> list[TransferOutcome] | None:
    """Instant outcomes of one molecule in every phase; None where it has no shape of its own or a value is refused."""
    outcomes = list(instant_transfer([MoleculeRequest(smiles=smiles, name=smiles)], options.table, settings))
    for outcome in outcomes:
        if outcome.result is None or any(leg.pieced for leg in outcome.result.legs):
            return None
    return outcomes


def drawn(
    options: argparse.Namespace, settings: TransferSettings
) -> Iterator[tuple[str, list[TransferOutcome], float]]:
    """The molecules in random order, with instant outcomes and the seconds these took."""
    molecules = measured_molecules(settings.to_phases)
    np.random.default_rng(options.seed).shuffle(molecules)
    instant(molecules[0], options, settings)  # what is loaded once does not count
    count = 0
    for smiles in molecules:
        if count == options.molecules:
            return
        began = time.perf_counter()
        outcomes = instant(smiles, options, settings)
        if outcomes is not None:
            count += 1
            yield smiles, outcomes, time.perf_counter() - began


def run(options: argparse.Namespace) -> None:
    settings = TransferSettings(to_phases=tuple(options.to.split(",")), target_error=options.error)
    done = {row["smiles"] for row in read(options.file)}
    for smiles, outcomes, seconds in drawn(options, settings):
        if smiles in done:
            continue
        began = time.perf_counter()
        simulated = list(
            simulated_transfer(
                [MoleculeRequest(smiles=smiles, name=smiles)],
                options.table,
                settings,
                store=options.store,
                workers=options.workers,
            )
        )
        row: dict[str, Any] = {"smiles": smiles, "model": outcomes[0].model, "instant_s": round(seconds, 4)}
        row |= {"simulated_s": round(time.perf_counter() - began, 1), "values": []}
        for fast, slow in zip(outcomes, simulated, strict=True):
            assert fast.result is not None
            a = fast.result.delta_g
            value: dict[str, Any] = {"to": fast.to_phase, "instant": a.value, "instant_error": a.standard_error}
            if slow.result is None:
                value["refused"] = str(slow.error)
            else:
                b = slow.result.delta_g
                value |= {"simulated": b.value, "simulated_error": b.standard_error}
            row["values"].append(value)
        with options.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(json.dumps(row, ensure_ascii=False), flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a results file; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def compared(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, float, float, float, float, float]]:
    """One row of ``COLUMNS`` for every value that was simulated [kJ/mol], z last."""
    found = []
    for row in rows:
        for v in row["values"]:
            if "simulated" in v:
                joint = float(np.hypot(v["instant_error"], v["simulated_error"]))
                z = (v["instant"] - v["simulated"]) / joint
                numbers = (v["instant"], v["instant_error"], v["simulated"], v["simulated_error"], z)
                found.append((row["smiles"], v["to"], *numbers))
    return found


def report(options: argparse.Namespace) -> None:
    rows = read(options.file)
    values = compared(rows)
    print("| to | values | within 2 joint errors | rms z | rms difference [kJ/mol] | mean difference [kJ/mol] |")
    print("|---|---|---|---|---|---|")
    for phase in ("all", *dict.fromkeys(v[1] for v in values)):
        chosen = [v for v in values if phase in ("all", v[1])]
        z, off = np.array([v[6] for v in chosen]), np.array([v[2] - v[4] for v in chosen])
        within = int(np.sum(np.abs(z) <= 2.0))
        print(
            f"| {phase} | {len(chosen)} | {within} ({within / len(chosen):.0%}) | {np.sqrt(np.mean(z**2)):.2f} "
            f"| {np.sqrt(np.mean(off**2)):.2f} | {off.mean():+.2f} |"
        )
    for v in sorted(values, key=lambda v: -abs(v[6])):
        if abs(v[6]) > 2.0:
            print(f"  {v[0]} → {v[1]}: {v[2]:.2f} ± {v[3]:.2f}, simulated {v[4]:.2f} ± {v[5]:.2f}, z {v[6]:+.1f}")
    refused = [v["refused"] for row in rows for v in row["values"] if "refused" in v]
    seconds = np.array([row["instant_s"] for row in rows])
    print(f"{len(rows)} molecules; refused by simulation: {refused}")
    print(f"instant: {1.0 / seconds.mean():.1f} molecules a second, mapping with conformers included")
    print(f"simulation: {np.mean([row['simulated_s'] for row in rows]):.0f} s a molecule")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([*v[:2], *(f"{x:.3f}" for x in v[2:])] for v in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("run", "report"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--molecules", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--to", default="octanol,hexadecane")
    parser.add_argument("--error", type=float, default=1.0, help="of the simulation [kJ/mol]")
    parser.add_argument("--table", default="topdown1")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="report: write the values here")
    options = parser.parse_args()
    (run if options.do == "run" else report)(options)


if __name__ == "__main__":
    main()
