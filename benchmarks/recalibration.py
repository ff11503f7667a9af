"""What a finished campaign is worth to the next one: evaluation of all targets at a new matrix, and warm recalibration.

    python benchmarks/recalibration.py CAMPAIGN.toml -o FOLDER --store STORE      of a campaign that has run there
    python benchmarks/recalibration.py --small FOLDER                             of a small one, which is run first (a minute)

Evaluation: runs are read from the store and pooled once; then all calibration targets, with their derivatives along every
parameter, are calculated at matrices near the last one. Warm recalibration: the campaign anew with one measured value moved by
its total error, with one target less, with one row of the matrix (every parameter that moves one bead type) held, and, of the
small one, with a molecule more. Runs of the finished campaign are found in the store, and what is missing is simulated unless
``--no-runs`` (then one round is fitted from what there is). Times are of the processor; the process runs everything itself.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from topdown.calibration.error_model import calculate_targets
from topdown.calibration.journal import Journal, read_events
from topdown.calibration.parameters import ParameterSpace
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.model import WindowFailure, WindowSamples
from topdown.model.requests import SampleRequest
from topdown.properties.sampler import EngineSampler
from topdown.workflows.calibrate import calibrate, engine_sampler
from topdown.workflows.calibration_problem import read_problem

SMALL = """
name = "small"
table = "martini2"
[[parameters]]
pair = ["C1", "P4"]
prior_width = 0.3
[[parameters]]
pair = ["C1", "C1"]
prior_width = 0.2
[[targets.transfer]]
smiles = "CCCC"
name = "butane"
from = "water"
to = "hexadecane"
model_error = 1.0
[[targets.transfer]]
smiles = "CCCCCCCC"
name = "octane"
from = "water"
to = "hexadecane"
model_error = 1.0
[[targets.transfer]]
smiles = "CCCCCC"
name = "hexane"
from = "water"
to = "hexadecane"
model_error = 1.0
[[targets.density]]
liquid = "hexadecane"
model_error = 40.0
{more}
[sampling]
lambdas = [0.0, 0.1, 0.2, 0.3, 0.45, 0.65, 1.0]
steps = 10_000
equilibration_steps = 1_000
every = 25
n_beads = 300
[optimizer]
max_rounds = 2
ess_threshold = 20
"""


MORE = """
[[targets.transfer]]
smiles = "CCCCCCC"
name = "heptane"
from = "water"
to = "hexadecane"
model_error = 1.0
"""


class CountingSampler:
    """The engine's sampler, counting what it found and what it had to run; ``runs`` False runs nothing."""

    def __init__(self, store: Path | None, *, runs: bool) -> None:
        self.engine, self.runs = EngineSampler(store, workers=1), runs
        self.found = self.made = 0
        self.seconds = 0.0

    def sample(self, requests: Sequence[SampleRequest]) -> Sequence[WindowSamples | WindowFailure]:
        """As of a campaign."""
        missing = self.engine.missing(requests)
        if missing and not self.runs:
            raise SystemExit(f"{missing} runs are not in the store: name the --store of a finished campaign")
        begun = time.process_time()
        samples = self.engine.attempt(requests)
        self.seconds += time.process_time() - begun
        self.found, self.made = self.found + len(samples) - missing, self.made + missing
        return samples


def evaluation(problem: CalibrationProblem, folder: Path, store: Path | None) -> np.ndarray:
    """Time reading, pooling and evaluation; the last x."""
    rounds = [e for e in read_events(folder / "journal.jsonl") if e["event"] == "round"]
    sampler = CountingSampler(store, runs=False)
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) / "journal.jsonl"
        kept.write_bytes((folder / "journal.jsonl").read_bytes())  # it knows which runs failed
        pool = SamplePool(problem, sampler, Journal(kept, problem.digest(), resume=True))
        begun = time.process_time()
        for index, record in enumerate(rounds):
            pool.sample(record["sampled"], np.array(record["x"]), index)
    read = time.process_time()
    systems, targets = problem.systems_of("calibration"), problem.targets_of("calibration")
    samples = pool.pool(systems)
    pooled = time.process_time()
    x = np.array(rounds[-1]["x_proposal"])
    rng, widths, times = np.random.default_rng(1), problem.space.prior_widths(), []
    for _ in range(5):
        start = time.process_time()
        calculate_targets(targets, samples, problem.space, x + 0.02 * widths * rng.normal(size=len(x)), error=False)
        times.append(time.process_time() - start)
    start = time.process_time()
    calculate_targets(targets, samples, problem.space, x)
    frames = sum(p.n_frames for p in samples.values())
    print(f"{len(targets)} targets, {len(systems)} systems, {sampler.found} runs, {frames} frames, {len(x)} parameters")
    print(f"read {read - begun:.2f} s, pooled (MBAR and 50 replicates) {pooled - read:.2f} s")
    print(f"evaluation of all targets with derivatives: median {np.median(times):.3f} s, longest {max(times):.3f} s")
    print(f"the same with bootstrap errors: {time.process_time() - start:.2f} s")
    return x


def variants(problem: CalibrationProblem) -> dict[str, CalibrationProblem]:
    """Campaigns that differ a little from a finished one."""
    first, *others = problem.targets
    moved = replace(first, measured=first.measured + np.hypot(first.uncertainty, first.model_error or 1.0))
    found = {
        "one measured value moved": replace(problem, targets=(moved, *others)),
        "one target less": replace(problem, targets=tuple(others)),
    }
    row = problem.space.pairs[0][0]
    singles = tuple(p for p in problem.space.parameters if row not in p.pair)
    shared = tuple(p for p in problem.space.shared if all(row not in pair for pair, _ in p.rows))
    if singles or shared:
        kept = {pair for p in shared for pair, _ in p.rows}
        space = ParameterSpace(
            parameters=singles,
            shared=shared,
            starts={pair: e for pair, e in problem.space.starts.items() if pair in kept},
            temperature=problem.space.temperature,
        )
        found[f"the row of {row} held"] = replace(problem, space=space)
    return found


def recalibration(
    problem: CalibrationProblem, store: Path | None, more: Mapping[str, CalibrationProblem], *, runs: bool
) -> None:
    """Time campaigns that differ a little from the finished one."""
    for name, task in {**variants(problem), **more}.items():
        if not runs:
            task = replace(
                task, optimizer=replace(task.optimizer, max_rounds=1), targets=task.targets_of("calibration")
            )
        sampler = CountingSampler(store, runs=runs)
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as scratch:
            journal = Journal(Path(scratch) / "j.jsonl", task.digest(), resume=False)
            result = run_calibration(task, sampler, journal)
        seconds = time.process_time() - begun
        print(
            f"{name}: {seconds:.1f} s, {sampler.seconds:.1f} s of them for runs: {sampler.found} found, {sampler.made} made; "
            f"{len(result.rounds)} rounds, cost {sum(result.cost_start.values()):.2f} to {sum(result.cost_end.values()):.2f}"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", type=Path, nargs="?")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--small", type=Path, metavar="FOLDER")
    parser.add_argument("--no-runs", action="store_true")
    options = parser.parse_args()
    more: dict[str, CalibrationProblem] = {}
    if options.small is not None:
        options.small.mkdir(parents=True, exist_ok=True)
        options.campaign, options.output = options.small / "small.toml", options.small / "out"
        options.store = options.small / "store"
        options.campaign.write_text(SMALL.format(more=""), encoding="utf-8")
        grown = options.small / "grown.toml"
        grown.write_text(SMALL.format(more=MORE), encoding="utf-8")
        more["one molecule more"] = read_problem(grown)
        begun = time.process_time()
        sampler = engine_sampler(workers=1, store=options.store)
        goes_on = (options.output / "journal.jsonl").exists()
        calibrate(options.campaign, options.output, sampler=sampler, resume=goes_on)
        report = json.loads((options.output / "report.json").read_text(encoding="utf-8"))
        print(f"the campaign itself: {time.process_time() - begun:.1f} s, {len(report['runs'])} runs")
    if options.campaign is None or options.output is None:
        parser.error("name a campaign and its -o, or --small FOLDER")
    problem = read_problem(options.campaign)
    evaluation(problem, options.output, options.store)
    # checks are runs of their own, which a new matrix asks for anew
    problem = replace(problem, diffusion=(), mixtures=(), bilayers=(), melting=())
    recalibration(problem, options.store, more, runs=not options.no_runs)


if __name__ == "__main__":
    main()
