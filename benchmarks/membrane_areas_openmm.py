"""Simulate exported bilayers with OpenMM, all of them equally long, within a given time. Needs OpenMM and numpy only.

    python benchmarks/membrane_areas_openmm.py SETS OUT --ns 12 --jobs 14 --platform CUDA --seconds 500

``SETS`` is what ``membrane_areas.py export`` wrote, ``OUT`` what ``membrane_areas.py collect`` reads: ``frames_*.tar`` with the
box and the heights z of all beads, a small file for each segment of each row, and ``log.json``. Processes run side by side;
the row that is shortest so far goes next, for one segment. What is finished is in ``OUT`` once a minute.

On one NVIDIA GPU the processes share it through the Multi-Process Service where its daemon can be started; a service that
does not work is left out.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

#: Heights are stored as whole multiples of this [nm].
RESOLUTION = 1e-3
#: Files and their sizes that one result may have [bytes].
LARGEST_FILE, MOST_FILES = 15 * 2**20, 6
#: Part of two bytes per height that compression leaves, rounded up from what was seen.
COMPRESSED = 0.85
PACK_EVERY, TELL_EVERY = 60.0, 10.0
#: Failures of a row, and of a worker's start, after which it is given up.
PATIENCE = 2


def script_of(sets: Path) -> ModuleType:
    """The run script that was exported with the rows: integrator, barostat and platform are what it sets up."""
    spec = importlib.util.spec_from_file_location("run_openmm", sets / "run_openmm.py")
    if spec is None or spec.loader is None or not (sets / "run_openmm.py").is_file():
        sys.exit(f"{sets} holds no run_openmm.py: it is not what membrane_areas.py export wrote")
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_openmm"] = module
    spec.loader.exec_module(module)
    return module


def unpacked(path: Path) -> str:
    """Text of a compressed file."""
    return gzip.decompress(path.read_bytes()).decode()


# -- the workers ---------------------------------------------------------------------------------------------------------


class Bilayer:
    """One row in a worker: its context, and how many frames it has."""

    def __init__(self, sets: Path, scratch: Path, key: str, frames: int, options: argparse.Namespace) -> None:
        import openmm

        script = script_of(sets)
        row = json.loads((sets / f"{key}.json").read_text())
        system = openmm.XmlSerializer.deserialize(unpacked(sets / f"{key}.system.xml.gz"))
        # A row that goes on elsewhere, or again, must not repeat its random numbers.
        seed = 1 + frames + 100_003 * int(row["number"]) + 50_021 * options.attempt
        settings = argparse.Namespace(
            pressure=1.0, temperature=row["temperature"], barostat="semiisotropic", surface_tension=0.0, seed=seed,
            friction=1.0, time_step=options.time_step, platform=options.platform, threads=1, device=None,
            precision=options.precision if options.platform in ("CUDA", "OpenCL", "HIP") else None,
        )  # fmt: skip
        self.context = script.new_context(system, settings)
        self.frames, self.key, self.store = frames, key, scratch
        saved = scratch / f"{key}.state.xml"
        state = openmm.XmlSerializer.deserialize(
            saved.read_text() if frames else unpacked(sets / f"{key}.state.xml.gz")
        )
        self.context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        self.context.setPositions(state.getPositions())
        self.context.setVelocities(state.getVelocities())
        self.context.applyConstraints(1e-6)

    def run(self, n_frames: int, options: argparse.Namespace) -> tuple[int, float]:
        """Up to ``n_frames`` more, stored with the state at their end; how many, and the seconds they took."""
        boxes, heights, first = [], [], self.frames
        began = time.perf_counter()
        steps = round(options.every / options.time_step)
        while len(boxes) < n_frames and time.time() < options.deadline:
            self.context.getIntegrator().step(steps)
            # Molecules stay whole: a height that counts is that of a bead from its neighbours, not its image.
            state = self.context.getState(getPositions=True, enforcePeriodicBox=True)
            z = np.asarray(state.getPositions(asNumpy=True)._value)[:, 2] / RESOLUTION
            box = np.diag(np.asarray(state.getPeriodicBoxVectors(asNumpy=True)._value))
            if not (np.all(np.isfinite(z)) and np.all(np.isfinite(box)) and np.abs(z).max() < np.iinfo(np.int16).max):
                raise ArithmeticError(f"a position is no number, or out of reach, after {first + len(boxes)} frames")
            boxes.append(box.astype(np.float32))
            heights.append(np.round(z).astype(np.int16))
        spent = time.perf_counter() - began
        if boxes:
            self._keep(np.array(boxes), np.array(heights), options.every)
        return len(boxes), spent

    def _keep(self, boxes: np.ndarray, heights: np.ndarray, every: float) -> None:
        """The segment, then the state to go on from; each appears in one step."""
        import openmm

        times = every * (self.frames + 1 + np.arange(len(boxes)))
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, time=times, box=boxes, low=heights.astype(np.uint8), high=(heights >> 8).astype(np.int8)
        )
        replace(self.store / f"{self.key}.{self.frames:06d}.npz", buffer.getvalue())
        state = self.context.getState(getPositions=True, getVelocities=True)
        replace(self.store / f"{self.key}.state.xml", openmm.XmlSerializer.serialize(state).encode())
        self.frames += len(boxes)


def replace(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    fresh = path.with_name(path.name + ".part")
    fresh.write_bytes(data)
    os.replace(fresh, path)


def work(pipe: Connection, sets: Path, scratch: Path, options: argparse.Namespace) -> None:
    """A worker: rows come as (key, frames it has, frames to add, failures so far), answers go back as dictionaries."""
    held: dict[str, Bilayer] = {}
    while (task := pipe.recv()) is not None:
        key, frames, more, options.attempt = task
        began = time.perf_counter()
        try:
            bilayer = held.pop(key, None)
            if bilayer is None or bilayer.frames != frames:
                bilayer = None  # frees its context first
                while len(held) >= options.contexts:
                    del held[next(iter(held))]
                bilayer = Bilayer(sets, scratch, key, frames, options)
            ready = time.perf_counter() - began
            added, spent = bilayer.run(more, options)
            held[key] = bilayer
            pipe.send({"key": key, "added": added, "seconds": spent, "setting_up": ready, "held": list(held)})
        except Exception as error:
            # One row's trouble is not the others': whatever it is, it is told and the worker takes the next row.
            pipe.send({"key": key, "problem": f"{type(error).__name__}: {error}"[:300], "held": list(held)})


# -- the schedule --------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """How far a row is.

    ``seconds`` and ``frames`` are those of the segments, without the time for setting up.
    """

    key: str
    beads: int
    leaflet: int
    frames: int = 0
    seconds: float = 0.0
    setting_up: float = 0.0
    running: bool = False
    failures: list[str] = field(default_factory=list)

    @property
    def given_up(self) -> bool:
        """Failed too often."""
        return len(self.failures) >= PATIENCE


@dataclass
class Worker:
    """A process, what it holds and what it does."""

    process: Any
    pipe: Connection
    held: list[str] = field(default_factory=list)
    row: Row | None = None


def next_row(rows: list[Row], worker: Worker, target: int, segment: int) -> Row | None:
    """The shortest row; one that the worker holds goes first unless another is a whole segment behind it."""
    free = [row for row in rows if not row.running and not row.given_up and row.frames < target]
    if not free:
        return None
    mine = [row for row in free if row.key in worker.held]
    shortest = min(free, key=lambda row: row.frames)
    own = min(mine, key=lambda row: row.frames, default=None)
    return own if own is not None and own.frames < shortest.frames + segment else shortest


class Schedule:
    """Workers, rows and files of a run."""

    def __init__(self, options: argparse.Namespace, rows: list[Row], scratch: Path) -> None:
        self.options, self.rows, self.scratch = options, rows, scratch
        self.target = round(1000.0 * options.ns / options.every)
        self.segment = max(1, round(1000.0 * options.segment / options.every))
        self.spawn = multiprocessing.get_context("spawn")
        self.began, self.lost = time.time(), 0
        self.engine = "OpenMM"

    def start_worker(self) -> Worker:
        """A fresh process."""
        ours, theirs = self.spawn.Pipe()
        process = self.spawn.Process(
            target=work, args=(theirs, self.options.sets, self.scratch, self.options), daemon=True
        )
        process.start()
        theirs.close()
        return Worker(process, ours)

    def give(self, worker: Worker) -> None:
        """The next segment, if there is one and time for it."""
        row = None if time.time() >= self.options.deadline else next_row(self.rows, worker, self.target, self.segment)
        if row is None:
            return
        more = min(self.segment, self.target - row.frames)
        worker.pipe.send((row.key, row.frames, more, len(row.failures)))
        worker.row, row.running = row, True

    def take(self, worker: Worker) -> bool:
        """What a worker answers; False when the process has died."""
        row, worker.row = worker.row, None
        assert row is not None
        row.running = False
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(5.0)
            answer, self.lost = {"problem": f"the process ended with {worker.process.exitcode}"}, self.lost + 1
        if "problem" in answer:
            row.failures.append(answer["problem"])
            print(f"{row.key}: {answer['problem']}{'; given up' if row.given_up else ''}", flush=True)
        else:
            row.frames += answer["added"]
            row.seconds += answer["seconds"]
            row.setting_up += answer["setting_up"]
        worker.held = answer.get("held", [])
        return "held" in answer

    def run(self) -> None:
        """Until all rows are as long as asked for, or time is up."""
        workers = [self.start_worker() for _ in range(min(self.options.jobs, len(self.rows)))]
        told, packed = 0.0, time.time()
        for worker in workers:
            self.give(worker)
        while busy := {worker.pipe: worker for worker in workers if worker.row is not None}:
            for pipe in wait(list(busy), timeout=1.0):
                worker = busy[pipe]
                if self.take(worker):
                    self.give(worker)
                    continue
                workers.remove(worker)
                if self.lost < PATIENCE * len(self.rows):
                    workers.append(self.start_worker())
                    self.give(workers[-1])
            # Rows that came free again go to whoever has nothing to do.
            for worker in workers:
                if worker.row is None:
                    self.give(worker)
            if time.time() > told + TELL_EVERY:
                told = time.time()
                self.tell()
            if time.time() > packed + PACK_EVERY:
                packed = time.time()
                self.pack()
            if time.time() > self.options.deadline + self.options.grace:
                print("some segments did not end in time and are left out", flush=True)
                break
        for worker in workers:
            worker.process.terminate()
        self.pack()
        self.tell()

    def tell(self) -> None:
        """One line of progress."""
        ns = [row.frames * self.options.every / 1000.0 for row in self.rows]
        spent = time.time() - self.began
        steps = sum(row.frames for row in self.rows) * self.options.every / self.options.time_step
        given_up = sum(row.given_up for row in self.rows)
        print(
            f"{spent:5.0f} s  shortest {min(ns):.2f}  mean {sum(ns) / len(ns):.2f}  longest {max(ns):.2f} ns  "
            f"{steps / spent:.0f} steps/s together  {sum(row.running for row in self.rows)} running  {given_up} given up",
            flush=True,
        )

    def pack(self) -> None:
        """All segments so far into a few files, and the log."""
        groups: list[list[Path]] = [[]]
        size = 0
        for path in sorted(self.scratch.glob("*.npz")):
            needed = path.stat().st_size + 1024  # header and padding in the archive
            if size + needed > LARGEST_FILE and len(groups) < MOST_FILES:
                groups.append([])
                size = 0
            groups[-1].append(path)
            size += needed
        for k, group in enumerate(groups):
            fresh = self.options.out / f"frames_{k}.part"
            with tarfile.open(fresh, "w") as archive:
                for path in group:
                    archive.add(path, arcname=path.name)
            os.replace(fresh, self.options.out / f"frames_{k}.tar")
        replace(self.options.out / "log.json", json.dumps(self.log(), indent=1).encode())

    def log(self) -> dict[str, Any]:
        """What was run, row by row."""
        options = self.options
        steps = options.every / options.time_step
        return {
            "engine": f"OpenMM {options.version}",
            "platform": options.platform,
            "precision": options.precision,
            "sharing": options.sharing,
            "jobs": options.jobs,
            "time_step_ps": options.time_step,
            "frame_ps": options.every,
            "wall_seconds": round(time.time() - self.began, 1),
            "rows": {
                row.key: {
                    "beads": row.beads,
                    "leaflet": row.leaflet,
                    "ns": round(row.frames * options.every / 1000.0, 4),
                    "steps_per_second": round(row.frames * steps / row.seconds, 1) if row.seconds else 0.0,
                    "setting_up_seconds": round(row.setting_up, 2),
                    "problems": row.failures,
                }
                for row in self.rows
            },
        }


# -- the machine ---------------------------------------------------------------------------------------------------------

_PROBE = """
import openmm
system = openmm.System()
system.addParticle(1.0)
context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("CUDA"))
context.setPositions([openmm.Vec3(0, 0, 0)])
context.getIntegrator().step(1)
"""


def probe() -> str:
    """What keeps a process from using CUDA, or nothing."""
    try:
        done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=90.0, check=False)
    except subprocess.TimeoutExpired:
        return "no answer in 90 s"
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"exit status {done.returncode}")


def start_sharing(folder: Path) -> str:
    """Start NVIDIA's Multi-Process Service; what became of it."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        return "none: no nvidia-cuda-mps-control"
    folder.mkdir()
    places = {"CUDA_MPS_PIPE_DIRECTORY": str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    os.environ.update(places)
    try:
        subprocess.run([control, "-d"], check=True, timeout=30.0, stdin=subprocess.DEVNULL)
        problem = probe()
    except (OSError, subprocess.SubprocessError) as error:
        problem = str(error)
    if not problem:
        return "MPS"
    stop_sharing()
    for name in places:
        os.environ.pop(name, None)
    return f"none: MPS does not work here: {problem}"


def stop_sharing() -> None:
    """End the daemon that was started."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        return
    try:
        subprocess.run([control], input="quit\n", text=True, timeout=20.0, check=False, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"the daemon of MPS does not end: {error}", flush=True)


def arguments() -> argparse.Namespace:
    """The command line; lengths in ns, frames in ps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("sets", type=Path)
    add("out", type=Path)
    add("--ns", type=float, default=10.0, help="longest run of every row")
    add("--jobs", type=int, default=14, help="processes side by side")
    add("--contexts", type=int, default=3, help="rows that a process keeps ready; MPS serves 48 of all processes")
    add("--platform", default="CUDA")
    add("--precision", default="mixed", choices=("single", "mixed", "double"), help="of CUDA, OpenCL and HIP")
    add("--seconds", type=float, default=480.0, help="from the start of the program to the end of the last step")
    add("--grace", type=float, default=30.0, help="seconds that workers get to end after that")
    add("--segment", type=float, default=0.5, help="length of one turn of a row [ns]")
    add("--every", type=float, default=25.0, help="between frames [ps]")
    add("--time-step", type=float, default=0.02, help="[ps]")
    add("--only", default="", help="rows, by their names, between commas")
    add("--megabytes", type=float, default=58.0, help="room for the frames")
    options = parser.parse_args()
    if min(options.ns, options.jobs, options.contexts, options.seconds, options.segment, options.every) <= 0:
        parser.error("lengths and numbers must be positive")
    return options


def main() -> int:
    """Read the rows, set up the machine, run."""
    began = time.time()
    options = arguments()
    import openmm

    options.deadline, options.attempt = began + options.seconds, 0
    options.version = openmm.__version__
    known = [openmm.Platform.getPlatform(k).getName() for k in range(openmm.Platform.getNumPlatforms())]
    if options.platform not in known:
        failures = "; ".join(openmm.Platform.getPluginLoadFailures())
        sys.exit(f"OpenMM has no platform {options.platform} here, only {', '.join(known)}. {failures}")
    wanted = set(filter(None, options.only.split(",")))
    found = [json.loads(path.read_text()) for path in sorted(options.sets.glob("*.json"))]
    rows = [
        Row(row["key"], int(row["beads"]), int(row["leaflet"])) for row in found if not wanted or row["key"] in wanted
    ]
    if not rows:
        sys.exit(f"no rows in {options.sets}")
    room = COMPRESSED * sum(2 * row.beads for row in rows) * 1000.0 * options.ns / options.every / 1e6
    if room > options.megabytes:
        sys.exit(f"the frames may need {room:.0f} MB of {options.megabytes:g}: a larger --every or a smaller --ns")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="areas-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        options.sharing = start_sharing(scratch / "mps") if options.platform == "CUDA" else "none"
        print(
            f"OpenMM {options.version}, {options.platform}, {len(rows)} rows, {options.jobs} processes, sharing: "
            f"{options.sharing}; frames need at most {room:.0f} MB",
            flush=True,
        )
        schedule = Schedule(options, rows, scratch)
        try:
            schedule.run()
        finally:
            if options.sharing == "MPS":
                stop_sharing()
    for row in sorted(rows, key=lambda row: row.frames):
        entry = schedule.log()["rows"][row.key]
        print(
            f"{row.key:12s} {row.beads:5d} beads {entry['ns']:7.3f} ns {entry['steps_per_second']:8.1f} steps/s  "
            + "; ".join(row.failures)
        )
    return 0 if any(row.frames for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
