"""Free energies of coupling from the runs at one matrix against the runs at another, for every system a run store has both of.

    python benchmarks/stored_matrices.py STORE [--systems 'octanol in .*'] [--most 40] [--json FILE]

A calibration leaves such a store. Nothing is simulated and nothing written there. Systems are told apart by their names, type
pairs and path, as pooling does: a store in which one name stands for two molecules is no use here. Systems are taken in the
order of their names; each matrix whose runs include both ends of the path is predicted from each other one. Moves that leave
fewer than 50 effective samples are refused and counted.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from dataclasses import asdict
from itertools import permutations
from pathlib import Path

import numpy as np
from reweighting import Row, free_energy, predicted_row, print_row

from topdown.errors import SamplingError
from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.model import WindowSamples
from topdown.resources import atomic_write_bytes
from topdown.sampling.run_store import RunStore

System = tuple[str, tuple[tuple[str, str], ...], tuple[float, ...], float, float]


def coupled_systems(folder: Path, wanted: str) -> dict[System, dict[tuple[float, ...], list[WindowSamples]]]:
    """Runs with a solute at constant pressure, by system and ε."""
    store, pattern = RunStore(folder), re.compile(wanted)
    found: dict[System, dict[tuple[float, ...], list[WindowSamples]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("??/*.npz")):
        kept = store.load(path.stem)
        if kept is None or kept[1].get("lambda_index", -1) < 0 or not pattern.fullmatch(kept[1]["system"]):
            continue
        run = store.load_window(path.stem)
        if run is None or run.pressure is None or run.alarm:
            continue
        pairs = (*run.sums.pairs, *run.sums.solute_pairs)
        lambdas = tuple(np.asarray(run.sums.lambdas).tolist())
        found[(run.system, pairs, lambdas, run.temperature, run.pressure)][run.epsilon].append(run)
    return found


def rows_of(matrices: dict[tuple[float, ...], list[WindowSamples]], system: System) -> tuple[list[Row], int]:
    """Every matrix from every other one, and how many moves are refused."""
    name, pairs, lambdas, temperature, pressure = system
    pools: dict[tuple[float, ...], tuple[PooledSamples, tuple[int, ...]]] = {}
    for epsilon, runs in matrices.items():
        if {0, len(lambdas) - 1} <= {run.lambda_index for run in runs}:
            pooled = pool_samples(runs, np.random.default_rng(1), n_replicates=0, discard_transient=False)
            pools[epsilon] = pooled, tuple(run.lambda_index for run in runs)
    rows, refused = [], 0
    for here, there in permutations(sorted(pools), 2):
        try:
            before, _ = free_energy(*pools[here], {}, temperature, pressure)
            direct = free_energy(*pools[there], {}, temperature, pressure)
            theta = dict(zip(pairs, there))
            rows.append(predicted_row(name, pools[here], theta, before, direct, temperature, pressure))
        except SamplingError:
            refused += 1
    return rows, refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--systems", default=".*", help="regular expression for the names of systems")
    parser.add_argument("--most", type=int, default=1000, help="systems, the first by name")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    systems = coupled_systems(options.store, options.systems)
    several = sorted(system for system, matrices in systems.items() if len(matrices) > 1)[: options.most]
    rows: list[Row] = []
    refused = 0
    for system in several:
        found, not_supported = rows_of(systems[system], system)
        refused += not_supported
        rows += found
        for row in found:
            print_row(row)
        if options.json:
            text = json.dumps([{**asdict(row), "z": row.z} for row in rows], indent=1)
            atomic_write_bytes(options.json, text.encode())
    if not rows:
        print(f"no moves between matrices are supported, {refused} refused")
        return
    z = np.array([row.z for row in rows])
    gaps, moves = (np.array([row.value - other for row, other in zip(rows, o)]) for o in (
        [row.direct for row in rows], [row.before for row in rows]))  # fmt: skip
    print(
        f"{len(several)} systems, {len(rows)} moves of {np.abs(moves).mean():.2f} kJ/mol on average, {refused} refused; "
        f"{(np.abs(z) < 2).sum()} within two errors, root mean square z {np.sqrt(np.mean(z**2)):.2f}, "
        f"mean absolute difference {np.abs(gaps).mean():.2f} kJ/mol"
    )


if __name__ == "__main__":
    main()
