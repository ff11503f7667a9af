"""Transfer free energies of single Martini 3 beads from octanol to water against the published bead table.

    python benchmarks/bead_transfer.py --source martini3_bead_dG.csv [--error 0.45] [--beads C1,SP2,…] [--json FILE]

``--source`` is a CSV of columns bead and dG_octanol_to_water_kJ_mol (Souza et al. 2021, supporting information,
doi:10.1038/s41592-021-01098-3). Octanol is saturated with water, mole fraction 0.27, as in the published set-up; 298.15 K, 1 bar,
400 beads of solvent or more. Runs are stored: interrupt and repeat.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from pathlib import Path

import numpy as np

from topdown.model import Bead, BeadTable, CGMolecule
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, measure_solvation, solvation_request
from topdown.resources import atomic_write_bytes
from topdown.tables import load_bead_table

#: Eight of each size, from the apolar to the polar end.
BEADS = (
    "C1", "C3", "C5", "N1", "N4", "N6", "P2", "P4",
    "SC1", "SC3", "SC6", "SN2", "SN5", "SP1", "SP3", "SP5",
    "TC2", "TC4", "TC5", "TN1", "TN4", "TN6", "TP2", "TP4",
)  # fmt: skip


def published(path: Path) -> dict[str, float]:
    """ΔG(octanol → water) by bead type [kJ/mol]."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {r["bead"]: float(r["dG_octanol_to_water_kJ_mol"]) for r in rows if r["dG_octanol_to_water_kJ_mol"]}


def one_bead(bead_type: str, table: BeadTable) -> CGMolecule:
    """A molecule of one bead."""
    return CGMolecule(
        name=bead_type, beads=(Bead(name="S", bead_type=bead_type, mass=table.bead_type(bead_type).mass),)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--error", type=float, default=0.45, help="of each ΔG of transfer [kJ/mol]")
    parser.add_argument("--beads", default=",".join(BEADS))
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table, reference = load_bead_table("martini3"), published(options.source)
    sampler = EngineSampler(options.store, workers=options.workers)
    phases = {name: find_phase(name, "martini3") for name in ("water", "octanol")}
    effort = Effort(target_error=options.error / math.sqrt(2.0))
    rows = []
    for bead in options.beads.split(","):
        began, legs = time.perf_counter(), {}
        for name, phase in phases.items():
            request = solvation_request(one_bead(bead, table), phase, table, temperature=298.15, seed=options.seed)
            legs[name] = measure_solvation(request, name, sampler, effort)
        value = legs["water"].delta_g.value - legs["octanol"].delta_g.value
        error = math.hypot(*(leg.delta_g.standard_error for leg in legs.values()))
        rows.append(
            {
                "bead": bead,
                "delta_g_kJ_mol": value,
                "standard_error": error,
                "published_kJ_mol": reference[bead],
                "hydration_kJ_mol": legs["water"].delta_g.value,
                "hydration_error": legs["water"].delta_g.standard_error,
                "wall_s": time.perf_counter() - began,
            }
        )
        gap = value - reference[bead]
        print(
            f"{bead:5s} {value:8.2f} ± {error:.2f}   published {reference[bead]:7.1f}   difference {gap:+6.2f}   "
            f"({gap / error:+.1f} errors)   hydration {legs['water'].delta_g.value:7.2f} ± "
            f"{legs['water'].delta_g.standard_error:.2f}",
            flush=True,
        )
    gaps = np.array([row["delta_g_kJ_mol"] - row["published_kJ_mol"] for row in rows])
    errors = np.array([row["standard_error"] for row in rows])
    inside = (np.abs(gaps) <= 1.0) | (np.abs(gaps) <= 2.0 * errors)
    print(
        f"{len(rows)} beads: mean difference {gaps.mean():+.2f}, mean absolute difference {np.abs(gaps).mean():.2f} kJ/mol, "
        f"{inside.sum()} within 1 kJ/mol or two errors"
    )
    if options.json:
        atomic_write_bytes(options.json, json.dumps(rows, indent=1).encode())


if __name__ == "__main__":
    main()
