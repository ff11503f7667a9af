"""Speed and accuracy of the engine beside GROMACS, OpenMM and LAMMPS, in one go on the same inputs.

    python benchmarks/engine.py [--cases water,popc] [--peers topdown,gromacs,openmm,openmm-lj,lammps] [--threads 1,2]
        [--gromacs Debian=gmx --gromacs AVX2=/opt/gromacs/bin/gmx] [--seconds 5] [--repeats 3] [--parts speed,accuracy]
        [--scaling] [--json FILE] [--markdown FILE]

All start from the stored coordinates of ``tests/reference_data/gromacs``, boxes of water repeated from 1,600 beads, and do
Martini's usual dynamics: 20 fs, cut-off 1.1 nm with potential shift and reaction field, 300 K and 1 bar; plane and normal of the
bilayer are scaled apart. ``window`` is a solute half coupled along a soft-core path, with what reweighting needs stored every
100 steps. Peers run what topdown exports for them; GROMACS with nstlist 20 and a buffer tolerance of 0.005, v-rescale and
c-rescale; OpenMM with its Langevin integrator and Monte Carlo barostat; LAMMPS with nph and csvr.

Engines take turns, so that a busy machine slows all; medians count, ratios are medians over turns, by wall and by processor time.
Compilation, set-up and running in are not timed; GROMACS is timed by its log, its processor time is that of the whole process. Of
a GROMACS build with several kernels (or ways to use two threads) the best is reported. Peers that are missing, or cannot do a
case, are named and left out. Parts: ``speed``, ``accuracy`` (forces, lists, energy drift),
``throughput`` (two windows on two cores), ``windows`` (40 short ones, whole process), ``start`` (warm and cold).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from engine_accuracy import accuracies
from engine_cases import CASES, Case, pair_count
from engine_gromacs import Build, GromacsCase, best_runners
from engine_jobs import Job, scaling, short_windows, start_up, throughput
from engine_peers import LABELS, Runner, Timing, Unavailable, Worker, has_field, reason_against
from engine_report import SPEED_HEAD, Report, Row, fastest, markdown, ours_among, speed_line
from engine_worker import lorentz_berthelot

from topdown.model import System
from topdown.resources import atomic_write_text

PARTS = ("speed", "accuracy", "throughput", "windows", "start")


def turns(
    runners: Sequence[Runner], seconds: float, repeats: int
) -> tuple[list[tuple[Runner, list[Timing]]], list[tuple[Runner, str]]]:
    """Timings of each runner, each turn beginning with another one; and those that failed, with what they said."""
    found: list[list[Timing]] = [[] for _ in runners]
    failed: dict[int, str] = {}
    for turn in range(repeats):
        for k in range(len(runners)):
            place = (k + turn) % len(runners)
            if place in failed:
                continue
            try:
                found[place].append(runners[place].timed(seconds))
            except Unavailable as error:
                failed[place] = str(error)
    done = [(runner, timings) for k, (runner, timings) in enumerate(zip(runners, found)) if k not in failed]
    return done, [(runners[k], message) for k, message in failed.items()]


class Benchmark:
    """One run: who takes part, and what has been found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.report = Report(
            builds=[], options={k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
        )
        self.builds = self._builds(options.gromacs) if "gromacs" in options.peers else []
        self.report.builds = self.builds

    def skip(self, message: str) -> None:
        """Name what is left out."""
        self.report.skipped.append(message)
        print(f"left out: {message}", flush=True)

    def _builds(self, named: Iterable[str]) -> list[Build]:
        builds = []
        for text in named:
            name, _, program = text.partition("=")
            try:
                builds.append(Build.find(name, program or name))
            except Unavailable as error:
                self.skip(f"GROMACS {name}: {error}")
        return builds

    def _runners(self, case: Case, system: System, threads: int, stack: ExitStack) -> list[Runner]:
        """Everybody who can do the case, set up."""
        runners: list[Runner] = []

        def add(runner: Runner) -> None:
            stack.callback(runner.close)
            runners.append(runner)

        uniform = lorentz_berthelot(system)
        where = f"{case.label}, {threads} thread{'s' * (threads > 1)}"
        for peer in (peer for peer in self.options.peers if peer != "gromacs"):
            against = reason_against(peer, case, threads, uniform)
            if against:
                self.skip(f"{LABELS[peer]}, {where}: {against}")
                continue
            for precision in self.options.precisions if peer == "topdown" else ("mixed",):
                try:
                    add(Worker(peer, case, threads=threads, precision=precision))
                except Unavailable as error:
                    self.skip(f"{LABELS[peer]}, {where}: {error}")
        for build in self.builds:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                prepared = GromacsCase.write(build, case, system, folder)
                for runner in best_runners(prepared, threads, self.options.seconds):
                    add(runner)
            except Unavailable as error:
                self.skip(f"GROMACS {build.name}, {where}: {error}")
        return runners

    def speed(self, case: Case, threads: int) -> None:
        """All engines on one case, printed when done."""
        system = case.system()
        facts = {"case": case.name, "case_label": case.label, "threads": threads, "beads": system.n_beads}
        with ExitStack() as stack:
            runners = self._runners(case, system, threads, stack)
            found, failed = turns(runners, self.options.seconds, self.options.repeats)
        for runner, message in failed:
            self.skip(f"{runner.label}, {case.label}: {message}")
        pairs = pair_count(system)
        rows = fastest(
            Row(**facts, pairs=pairs, label=runner.label, detail=runner.detail, timings=tuple(timings))
            for runner, timings in found
        )
        self.report.speed += rows
        for row in rows:
            print("  ".join(speed_line(row, ours_among(rows))), flush=True)

    def accuracy(self, case: Case) -> None:
        """Errors of all engines on one case."""
        double = None
        if self.builds and self.options.gromacs_double:
            try:
                double = Build.find("in double precision", self.options.gromacs_double)
            except Unavailable as error:
                self.skip(f"GROMACS in double precision: {error}")
        found = accuracies(case, self.options.precisions, self.builds, double, drift_ps=self.options.drift_ps)
        self.report.accuracy += found
        for accuracy in found:
            print(f"    {accuracy}", flush=True)

    def _keep(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self.report.jobs.append(job)
            print(f"    {job}", flush=True)

    def run(self) -> Report:
        """All parts asked for."""
        options, first = self.options, self.options.precisions[0]
        cases = [CASES[name] for name in options.cases]
        if "speed" in options.parts:
            print("  ".join(SPEED_HEAD))
            for threads in options.threads:
                for case in cases:
                    self.speed(case, threads)
        if "accuracy" in options.parts:
            for case in cases:
                self.accuracy(case)
        jobs = {
            "throughput": lambda: throughput(self.builds, first, options.seconds, options.repeats),
            "windows": lambda: short_windows(self.builds, first, options.repeats),
            "start": lambda: start_up(self.builds, first, options.repeats),
        }
        for part in (part for part in jobs if part in options.parts):
            try:
                self._keep(jobs[part]())
            except Unavailable as error:
                self.skip(f"{part}: {error}")
        if options.scaling:
            self.report.sizes = scaling(first, options.seconds, max(options.threads))
        return self.report


def _names(known: Iterable[str]):
    """A parser of comma-separated names out of ``known``."""
    allowed = list(known)

    def parse(text: str) -> list[str]:
        found = [word.strip() for word in text.split(",") if word.strip()]
        if unknown := [word for word in found if word not in allowed]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(allowed)}")
        return found

    return parse


def _positive(kind: type):
    def parse(text: str):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"must be positive, got {text}")
        return value

    return parse


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    peers = ("topdown", "gromacs", "openmm", "openmm-lj", "lammps")
    add("--cases", type=_names(CASES), default=list(CASES))
    add("--peers", type=_names(peers), default=list(peers))
    add("--parts", type=_names(PARTS), default=list(PARTS))
    add("--threads", type=lambda text: [_positive(int)(word) for word in text.split(",")], default=[1])
    add("--gromacs", action="append", metavar="NAME=PATH", help="a build; may come again  [default: Debian=gmx]")
    add("--gromacs-double", default="gmx_d", metavar="PATH", help="checks the yardstick of forces")
    add("--precisions", type=_names(("mixed", "double")), default=["mixed"], help="of the engine, the first compared")
    add("--seconds", type=_positive(float), default=5.0, help="length of one timing")
    add("--repeats", type=_positive(int), default=3, help="turns")
    add("--drift-ps", type=_positive(float), default=100.0, help="length of the runs without thermostat")
    add("--scaling", action="store_true", help="also 10^3 to 10^6 beads of water")
    add("--json", type=Path, metavar="FILE")
    add("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    options.gromacs = options.gromacs or ["Debian=gmx"]
    if not has_field("precision"):
        options.precisions = options.precisions[:1]
    return options


def main() -> None:
    import json

    options = arguments()
    report = Benchmark(options).run()
    if options.json:
        atomic_write_text(options.json, json.dumps(report.as_json(), indent=1) + "\n")
    if options.markdown:
        atomic_write_text(options.markdown, markdown(report))


if __name__ == "__main__":
    main()
