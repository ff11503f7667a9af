"""Processor time of a solvation free energy with an error of 0.3 kJ/mol: this package beside GROMACS's own workflow.

    python benchmarks/free_energy_cost.py [--cases C1:water,OCO:octanol] [--gmx gmx] [--ns 0.6] [--json FILE]

Ours: everything a new solute costs once its solvent's run is stored (that is timed apart), to the error aimed at. GROMACS:
grompp, eleven soft-core windows and gmx bar on the same box as our writer exports it. Times are scaled to an error of exactly
0.3 kJ/mol by the square of the error each program states. One process, one thread each. Then the time of a new matrix ε.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from bead_transfer import one_bead
from gromacs_bar import solvation_free_energy

from topdown.estimators.reweighting import pool_samples
from topdown.formats.mdp import CouplingSettings
from topdown.model import BeadTable, CGMolecule, Estimate, System, WindowSamples
from topdown.model.requests import CouplingRequest
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, measure_solvation, sample_solvation, solvation_request
from topdown.properties.window_runs import insert_solute
from topdown.resources import atomic_write_bytes
from topdown.tables import load_bead_table, load_molecule

CASES = "C1:water,C1:octanol,C1:hexadecane,OCO:water,OCO:octanol,OCO:hexadecane"
WANTED = 0.3


def children() -> float:
    """Processor time of finished child processes [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def new_matrix_time(runs: list[WindowSamples]) -> float:
    """Processor time of ΔG, its gradient and Hessian at an ε never asked for, from samples in memory [ms]."""
    pooled = pool_samples(runs, np.random.default_rng(1), n_replicates=0)
    changes = np.random.default_rng(2).uniform(-0.02, 0.02, (20, len(pooled.pairs)))
    began = time.process_time()
    for change in changes:
        theta = dict(zip(pooled.pairs, pooled.epsilon() + change))
        pooled.coupling_free_energy(theta, min_effective=0.0, error=False)
    return 1000.0 * (time.process_time() - began) / len(changes)


def solute_of(name: str, table: BeadTable) -> CGMolecule:
    """A bead type by itself, else a curated model; under a name that no solvent has, since GROMACS couples what is called so."""
    return one_bead(name, table) if name in table else replace(load_molecule("martini3", name), name="SOLU")


def by_gromacs(
    request: CouplingRequest, sampler: EngineSampler, folder: Path, *, nanoseconds: float, program: str
) -> tuple[Estimate, float]:
    """ΔG of the same solute in the same box by grompp, mdrun and gmx bar, and their processor time [s]."""
    system = insert_solute(sampler.solvent_box(request), request.solute, np.random.default_rng(1))
    small = system.table.subset({n for m, _ in system.components for n in m.type_names})
    system = System(table=small, components=system.components, positions=system.positions, box=system.box)
    settings = CouplingSettings(molecule="", temperature=request.temperature, length=nanoseconds, seed=request.seed)
    before = children()
    found = solvation_free_energy(system, folder, settings=settings, program=program)
    return found, children() - before


def case_row(case: str, table: BeadTable, *, seed: int, nanoseconds: float, program: str) -> dict[str, float | str]:
    """Both programs on one solute and solvent, times scaled to an error of ``WANTED``."""
    name, solvent = case.split(":")
    phase = find_phase(solvent, "martini3")
    request = solvation_request(solute_of(name, table), phase, table, temperature=298.15, seed=seed)
    other = solvation_request(one_bead("C1", table), phase, table, temperature=298.15, seed=seed)
    other = replace(other, solute=replace(other.solute, name="other"))
    with tempfile.TemporaryDirectory() as folder:
        sampler = EngineSampler(Path(folder) / "store", workers=1)
        began = time.process_time()
        measure_solvation(other, solvent, sampler, Effort(target_error=50.0))  # solvent, its frames, compilation
        start_up = time.process_time() - began
        began = time.process_time()
        ours = measure_solvation(request, solvent, sampler, Effort(target_error=WANTED)).delta_g
        our_time = time.process_time() - began
        milliseconds = new_matrix_time(sample_solvation(request, sampler, Effort(target_error=WANTED)))
        theirs, their_time = by_gromacs(
            request, sampler, Path(folder) / "gmx", nanoseconds=nanoseconds, program=program
        )
    return {
        "case": case,
        "ours_kJ_mol": ours.value,
        "our_error": ours.standard_error,
        "our_cpu_s": our_time * (ours.standard_error / WANTED) ** 2,
        "solvent_cpu_s": start_up,
        "new_matrix_ms": milliseconds,
        "gromacs_kJ_mol": theirs.value,
        "gromacs_error": theirs.standard_error,
        "gromacs_cpu_s": their_time * (theirs.standard_error / WANTED) ** 2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=CASES, help="solute:solvent; a curated model or a bead type, and a phase")
    parser.add_argument("--gmx", default="gmx")
    parser.add_argument("--ns", type=float, default=0.6, help="of each of GROMACS's windows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table, rows = load_bead_table("martini3"), []
    for case in options.cases.split(","):
        row = case_row(case, table, seed=options.seed, nanoseconds=options.ns, program=options.gmx)
        rows.append(row)
        print(
            f"{case:16s} ours {row['ours_kJ_mol']:7.2f} ± {row['our_error']:.2f}: {row['our_cpu_s']:6.1f} CPU s for ± {WANTED}   "
            f"(solvent, once: {row['solvent_cpu_s']:.0f}; a new matrix {row['new_matrix_ms']:.1f} ms)   "
            f"gmx bar {row['gromacs_kJ_mol']:7.2f} ± {row['gromacs_error']:.2f}: {row['gromacs_cpu_s']:7.1f} CPU s",
            flush=True,
        )
        if options.json:
            atomic_write_bytes(options.json, json.dumps(rows, indent=1).encode())


if __name__ == "__main__":
    main()
