"""What surrounds the steps: windows side by side, many short windows from process start to end, start-up, cost against size."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from engine_cases import CASES, LAMBDAS, SCALING, TIME_STEP
from engine_gromacs import Build, GromacsCase, GromacsRunner, Variant
from engine_peers import Finished, Timing, Unavailable, Worker, run_worker

#: Windows, picoseconds of each, and how many run at a time.
WINDOWS, WINDOW_PS, AT_A_TIME = 40, 50.0, 2
_WINDOW_STEPS = round(WINDOW_PS / TIME_STEP)


@dataclass(frozen=True)
class Job:
    """One measured job: medians over repeats, and what is worth knowing besides."""

    name: str
    label: str
    value: float
    unit: str
    cpu: float | None = None
    detail: str = ""


def _together(runners: Sequence[Worker | GromacsRunner], seconds: float) -> list[Timing]:
    for runner in runners:
        runner.request(seconds)
    return [runner.result() for runner in runners]


def _throughput_of(label: str, pair: Sequence[Worker | GromacsRunner], seconds: float, repeats: int) -> Job:
    """Rate of two at once over the rate of one, alone and together taking turns."""
    ratios, by_cpu, rates = [], [], []
    for _ in range(repeats):
        alone, both = pair[0].timed(seconds), _together(pair, seconds)
        ratios.append(sum(timing.rate for timing in both) / alone.rate)
        by_cpu.append(sum(timing.steps / timing.cpu for timing in both) * alone.cpu / alone.steps)
        rates.append(alone.rate)
    detail = f"one: {median(rates):,.0f} steps/s; steps per CPU second of both over those of one: {median(by_cpu):.2f}"
    return Job("two windows at once", label, median(ratios), "x one", detail=detail)


def throughput(builds: Sequence[Build], precision: str, seconds: float, repeats: int) -> list[Job]:
    """Two independent one-thread windows of 401 beads on two cores against one alone."""
    case, jobs = CASES["window"], []
    pair: list[Worker] = []
    try:
        for _ in range(2):
            pair.append(Worker("topdown", case, precision=precision))
        jobs.append(_throughput_of(pair[0].label, pair, seconds, repeats))
    finally:
        for worker in pair:
            worker.close()
    for build in builds:
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            runners = []
            for folder in (first, second):
                prepared = GromacsCase.write(build, case, case.system(), Path(folder))
                prepared.prepare("bench")
                runners.append(GromacsRunner(prepared, Variant("", 1, 1)))
            jobs.append(_throughput_of(f"GROMACS {build.name}", runners, seconds, repeats))
    return jobs


def _gromacs_windows(build: Build) -> tuple[float, float]:
    """Wall and processor seconds of grompp and mdrun of every window, ``AT_A_TIME`` at a time."""
    case = CASES["window"]
    with tempfile.TemporaryDirectory() as folder:
        prepared = GromacsCase.write(build, case, case.system(), Path(folder))

        def window(number: int) -> float:
            name = f"window{number}"
            index = number % len(LAMBDAS)
            used = prepared.prepare(name, index=index, nsteps=_WINDOW_STEPS, gen_seed=number + 1)
            return used + prepared.run(name)

        start = time.perf_counter()
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            cpu = sum(pool.map(window, range(WINDOWS)))
        return time.perf_counter() - start, cpu


def short_windows(builds: Sequence[Build], precision: str, repeats: int) -> list[Job]:
    """Many short windows, everything from the start of the process to its end; compiled code is in the cache."""
    spec = {"task": "windows", "windows": WINDOWS, "steps": _WINDOW_STEPS, "workers": AT_A_TIME, "precision": precision}
    run_worker(spec | {"windows": AT_A_TIME, "steps": 100})

    def ours() -> tuple[float, float]:
        finished = run_worker(spec)
        expected = WINDOWS * (_WINDOW_STEPS // 100)
        if finished.answer["frames"] != expected:
            raise Unavailable(f"{finished.answer['frames']} frames of {expected} were stored")
        return finished.wall, finished.cpu

    takers: list[tuple[str, Callable[[], tuple[float, float]]]] = [("topdown", ours)]
    takers += [(f"GROMACS {build.name}", lambda build=build: _gromacs_windows(build)) for build in builds]
    spent: dict[str, list[tuple[float, float]]] = {label: [] for label, _ in takers}
    for _ in range(repeats):
        for label, take in takers:
            spent[label].append(take())
    name = f"{WINDOWS} windows of {WINDOW_PS:g} ps, {AT_A_TIME} at a time"
    return [
        Job(name, label, median(w for w, _ in times), "s", median(c for _, c in times))
        for label, times in spent.items()
    ]


def start_up(builds: Sequence[Build], precision: str, repeats: int) -> list[Job]:
    """From the start of a process to the end of its first step: with compiled code in the cache, and with an empty cache."""
    spec = {"task": "start", "precision": precision}
    jobs = []
    for case in ("window", "popc"):
        run_worker(spec | {"case": case})
        found = [run_worker(spec | {"case": case}) for _ in range(repeats)]
        jobs.append(_start_job(f"warm start, {CASES[case].label}", found))
    with tempfile.TemporaryDirectory() as empty:
        cold = run_worker(spec | {"case": "window"}, TOPDOWN_CACHE=empty, NUMBA_CACHE_DIR="")
    jobs.append(_start_job(f"cold start, {CASES['window'].label}", [cold]))
    case = CASES["window"]
    for build in builds:
        with tempfile.TemporaryDirectory() as folder:
            prepared = GromacsCase.write(build, case, case.system(), Path(folder))
            spent = []
            for _ in range(repeats):
                start = time.perf_counter()
                cpu = prepared.prepare("first", nsteps=1) + prepared.run("first")
                spent.append((time.perf_counter() - start, cpu))
        wall, cpu = (median(values) for values in zip(*spent))
        name = f"warm start, {case.label}"
        jobs.append(Job(name, f"GROMACS {build.name}", wall, "s", cpu, "grompp and mdrun of one step"))
    return jobs


def _start_job(name: str, found: Sequence[Finished]) -> Job:
    parts = {part: median(f.answer[part] for f in found) for part in found[0].answer}
    detail = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
    return Job(name, "topdown", median(f.first_answer for f in found), "s", median(f.cpu for f in found), detail)


@dataclass(frozen=True)
class Size:
    """Cost of one box of water."""

    beads: int
    ns_per_bead: float
    cpu_ns_per_bead: float
    bytes_per_bead: float


def scaling(precision: str, seconds: float, threads: int) -> list[Size]:
    """Cost per bead and step, and memory, of boxes of 10³ to 10⁶ water beads."""
    sizes = []
    for beads in SCALING:
        spec = {"task": "scaling", "beads": beads, "seconds": seconds, "precision": precision, "threads": threads}
        answer = run_worker(spec, threads=threads).answer
        per = 1e9 / (answer["steps"] * beads)
        sizes.append(Size(beads, answer["wall"] * per, answer["cpu"] * per, answer["bytes"] / beads))
        print(f"    {beads:>9,} beads: {sizes[-1].ns_per_bead:.0f} ns per bead and step", flush=True)
    return sizes
