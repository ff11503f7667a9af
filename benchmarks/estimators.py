"""The estimators beside pymbar on the same numbers: f_k, errors, overlap, convergence in time, inefficiency, processor time.

    python benchmarks/estimators.py [--bead C1] [--phase water] [--store DIR] [--error 0.5] [--json FILE]

One case is harmonic oscillators (20 states, 2,000 frames each), the other the stored runs of one Martini 3 bead in a liquid, made
where they are missing. pymbar's solver is "robust"; its convergence is MBAR solved anew for every part of the data.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pymbar
from bead_transfer import one_bead

from topdown.estimators.coupling import coupling_diagnostics
from topdown.estimators.mbar import mbar
from topdown.estimators.reweighting import pool_samples
from topdown.estimators.time_series import statistical_inefficiency
from topdown.model._arrays import FloatArray
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, sample_solvation, solvation_request
from topdown.resources import atomic_write_bytes
from topdown.tables import load_bead_table
from topdown.units import kt


def timed(what: Callable[[], Any]) -> tuple[Any, float]:
    """A result and its processor time [s]."""
    began = time.process_time()
    return what(), time.process_time() - began


def oscillators(n_states: int = 20, n_frames: int = 2000) -> tuple[FloatArray, np.ndarray]:
    """Reduced energies (K, N) and counts of oscillators whose stiffness and place move along a path."""
    rng = np.random.default_rng(1)
    stiffness, centre = np.geomspace(1.0, 16.0, n_states), np.linspace(0.0, 6.0, n_states)
    x = np.concatenate([c + rng.normal(size=n_frames) / np.sqrt(k) for k, c in zip(stiffness, centre)])
    return 0.5 * stiffness[:, None] * (x - centre[:, None]) ** 2, np.full(n_states, n_frames)


def compared(u_kn: FloatArray, n_k: np.ndarray) -> dict[str, float]:
    """Largest differences of f_k, its errors, and the overlap matrix, and both times."""
    ours, our_time = timed(lambda: mbar(u_kn, n_k))
    oracle, their_time = timed(lambda: pymbar.MBAR(u_kn, n_k, solver_protocol="robust"))
    theirs = oracle.compute_free_energy_differences(compute_uncertainty=True)
    errors = np.array([ours.difference(0, k).standard_error for k in range(1, len(n_k))])
    return {
        "n_states": len(n_k),
        "n_frames": int(n_k.sum()),
        "f_k": float(np.abs(ours.f_k - ours.f_k[0] - theirs["Delta_f"][0]).max()),
        "errors": float(np.abs(errors / theirs["dDelta_f"][0, 1:] - 1.0).max()),
        "overlap": float(np.abs(ours.overlap_matrix() - oracle.compute_overlap()["matrix"]).max()),
        "our_cpu_s": our_time,
        "pymbar_cpu_s": their_time,
    }


def solvation(bead: str, phase_name: str, sampler: EngineSampler, error: float) -> dict[str, Any]:
    """The same on real samples, with the convergence in time of ΔG [kJ/mol] and the inefficiency of every run."""
    table, phase = load_bead_table("martini3"), find_phase(phase_name, "martini3")
    request = solvation_request(one_bead(bead, table), phase, table, temperature=298.15, seed=1)
    runs = sample_solvation(request, sampler, Effort(target_error=error))
    pooled = pool_samples(runs, np.random.default_rng(1), n_replicates=0)
    found = compared(np.asarray(pooled.solution.u_kn), np.asarray(pooled.solution.n_k))
    ours = coupling_diagnostics(runs, pooled)
    last, starts = len(pooled.lambdas) - 1, [segment.start for segment in pooled.segments]
    ends = np.stack([pooled.reduced_energy(k) for k in (0, last)])
    gaps = []
    for backward, values in ((False, ours.forward), (True, ours.backward)):
        for fraction, value in zip(ours.fractions, values):
            chosen, counts = [], []
            for start, frames in zip(starts, pooled.frames):
                n = max(2, round(fraction * frames.n_frames))
                counts.append(n)
                offset = start + (frames.n_frames - n if backward else 0)
                chosen.append(np.arange(offset, offset + n))
            columns = np.concatenate(chosen)
            part = pymbar.MBAR(pooled.solution.u_kn[:, columns], np.array(counts), solver_protocol="robust")
            moved = part.compute_perturbed_free_energies(ends[:, columns], compute_uncertainty=False)["Delta_f"]
            gaps.append(abs(kt(298.15) * moved[0, 1] - value))
    series = [pooled.reduced_energy(k)[s.start : s.stop] for k, s in zip(pooled.states, pooled.segments)]
    ratio = [statistical_inefficiency(u) / pymbar.timeseries.statistical_inefficiency(u) for u in series]
    return {**found, "convergence_kJ_mol": float(max(gaps)), "inefficiency": float(np.abs(np.array(ratio) - 1.0).max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bead", default="C1")
    parser.add_argument("--phase", default="water")
    parser.add_argument("--error", type=float, default=0.5 / np.sqrt(2.0), help="of the stored free energy [kJ/mol]")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = {
        "oscillators": compared(*oscillators()),
        f"{options.bead} in {options.phase}": solvation(
            options.bead, options.phase, EngineSampler(options.store, workers=1), options.error
        ),
    }
    for name, row in rows.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in row.items()), flush=True)
    if options.json:
        atomic_write_bytes(options.json, json.dumps(rows, indent=1).encode())


if __name__ == "__main__":
    main()
