"""GROMACS beside the engine: builds and their kernels, timings by its own log, forces and energies out of its files."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from engine_cases import MIDDLE, TIME_STEP, Case, mdp_text
from engine_peers import Timing, Unavailable, wait_for

from topdown.formats import write_gromacs
from topdown.formats.naming import component_names
from topdown.model import System

Floats = npt.NDArray[np.float64]
#: What forces a kernel where a build has both: ``4xN`` and ``2xNN`` clusters.
KERNELS = {"": {}, "4xN": {"GMX_NBNXN_SIMD_4XN": "1"}, "2xNN": {"GMX_NBNXN_SIMD_2XNN": "1"}}
#: SIMD levels of builds that have both kernels.
_WIDE = ("AVX_256", "AVX2_256", "AVX_512", "ARM_SVE")
#: Variants this close to the fastest in a short trial take part in the timing.
_KEPT = 0.9


@dataclass(frozen=True)
class Build:
    """One GROMACS program."""

    name: str
    program: str
    version: str
    simd: str

    @classmethod
    def find(cls, name: str, program: str) -> Build:
        """Ask a program what it is.

        Raises
        ------
        Unavailable
            When there is no such program or it does not run.
        """
        path = shutil.which(program)
        if path is None:
            raise Unavailable(f"there is no program {program}")
        done = subprocess.run([path, "--version"], capture_output=True, text=True)
        found = dict(re.findall(r"^(GROMACS version|SIMD instructions):\s*(.*?)\s*$", done.stdout, re.MULTILINE))
        if done.returncode != 0 or len(found) < 2:
            raise Unavailable(f"{program} --version fails")
        return cls(name, path, found["GROMACS version"], found["SIMD instructions"])

    def kernels(self) -> Sequence[str]:
        """Choices of non-bonded kernels; one, the default, where there is no choice."""
        return ("4xN", "2xNN") if self.simd in _WIDE else ("",)


@dataclass(frozen=True)
class Variant:
    """How one mdrun is called: kernel, and threads over ranks and OpenMP."""

    kernel: str
    ranks: int
    threads: int

    @property
    def arguments(self) -> tuple[str, ...]:
        if self.ranks * self.threads == 1:
            return ("-nt", "1")
        return ("-ntmpi", str(self.ranks), "-ntomp", str(self.threads))

    def __str__(self) -> str:
        layout = f"{self.ranks} x {self.threads}" if self.ranks * self.threads > 1 else ""
        return ", ".join(filter(None, (self.kernel, layout))) or "default"


@dataclass
class GromacsCase:
    """One case written for GROMACS in a folder of its own."""

    build: Build
    case: Case
    folder: Path
    solute: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def write(cls, build: Build, case: Case, system: System, folder: Path) -> GromacsCase:
        """Write topology and coordinates, the latter with twelve decimals."""
        written = write_gromacs(system, folder, decimals=12)
        solute = component_names(system)[0] if case.coupled else ""
        return cls(build, case, folder, solute, {key: path.name for key, path in written.items()})

    def call(self, *arguments: str, answer: str = "") -> float:
        """Run a tool; its processor seconds.

        Raises
        ------
        Unavailable
            When it fails, with its own message.
        """
        return self.finish(self.start(*arguments, answer=answer), arguments[0])

    def start(self, *arguments: str, answer: str = "", kernel: str = "") -> subprocess.Popen[bytes]:
        """Start a tool; its output goes to a file, so that nothing waits for a reader."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GMX_NBNXN")}
        with tempfile.TemporaryFile() as question, (self.folder / f"{_stem(arguments)}.out").open("wb") as output:
            question.write(answer.encode())
            question.seek(0)
            return subprocess.Popen(
                [self.build.program, "-nobackup", *arguments],
                cwd=self.folder,
                stdin=question,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment | KERNELS[kernel],
            )

    def finish(self, process: subprocess.Popen[bytes], tool: str) -> float:
        """Wait for a tool; its processor seconds."""
        code, cpu = wait_for(process)
        if code != 0:
            said = (self.folder / f"{_stem(process.args[2:])}.out").read_text(errors="replace")
            error = re.search(r"Fatal error:\s*(.*?)\n\n", said, re.DOTALL)
            reason = " ".join(error[1].split()) if error else said.strip()[-300:]
            raise Unavailable(f"gmx {tool} fails: {reason}")
        return cpu

    def prepare(self, name: str, *, index: int = MIDDLE, ensemble: str = "npt", **options: object) -> float:
        """``NAME.tpr`` of :func:`mdp_text`; processor seconds."""
        text = mdp_text(self.case, solute=self.solute, ensemble=ensemble, index=index, **options)
        (self.folder / f"{name}.mdp").write_text(text)
        names = ("-f", f"{name}.mdp", "-c", self.files["gro"], "-p", self.files["top"], "-o", f"{name}.tpr")
        return self.call("grompp", *names, "-po", f"{name}_out.mdp", "-maxwarn", "3")

    def mdrun(self, name: str, *arguments: str, kernel: str = "", tpr: str = "") -> subprocess.Popen[bytes]:
        """Start ``mdrun`` of ``NAME.tpr``, or of another ``tpr`` with output to ``NAME``."""
        inputs = ("-s", f"{tpr or name}.tpr", "-deffnm", name, "-pin", "off", "-noconfout")
        return self.start("mdrun", *inputs, *arguments, kernel=kernel)

    def run(self, name: str, *arguments: str, tpr: str = "") -> float:
        """``mdrun`` on one thread, to its end; processor seconds."""
        return self.finish(self.mdrun(name, "-nt", "1", *arguments, tpr=tpr), "mdrun")


def _stem(arguments: Sequence[str]) -> str:
    """Of the file a call's output goes to: tool, and name of the run where there is one."""
    name = next((arguments[k + 1] for k, a in enumerate(arguments) if a in ("-deffnm", "-o")), "")
    return f"{arguments[0]}_{Path(name).stem}"


class GromacsRunner:
    """Timings of one case by one variant of one build."""

    def __init__(self, prepared: GromacsCase, variant: Variant) -> None:
        self.prepared, self.variant = prepared, variant
        self.label, self.detail = f"GROMACS {prepared.build.name}", str(variant)
        self.name = f"bench_{variant.kernel or 'default'}_{variant.ranks}x{variant.threads}"
        self._process: subprocess.Popen[bytes] | None = None

    def request(self, seconds: float) -> None:
        """Start a timing; :meth:`result` waits for it."""
        limit = ("-maxh", f"{seconds / 3564:.8f}")
        arguments = (*self.variant.arguments, *limit)
        self._process = self.prepared.mdrun(self.name, *arguments, kernel=self.variant.kernel, tpr="bench")

    def result(self) -> Timing:
        """Steps and wall time of the loop by the log; processor time is that of the whole process."""
        cpu = self.prepared.finish(self._process, "mdrun")
        log = (self.prepared.folder / f"{self.name}.log").read_text(errors="replace")
        timing = loop_timing(log, TIME_STEP, cpu)
        kernel = re.search(r"Using SIMD (\S+) nonbonded", log)
        self.detail = str(Variant(kernel[1] if kernel else "", self.variant.ranks, self.variant.threads))
        return timing

    def timed(self, seconds: float) -> Timing:
        self.request(seconds)
        return self.result()

    def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self._process.wait()


def loop_timing(log: str, time_step: float, cpu: float) -> Timing:
    """Out of the end of a log: wall seconds, and steps by ns/day."""
    wall = float(re.findall(r"^\s*Time:\s+\S+\s+(\S+)", log, re.MULTILINE)[-1])
    ns_per_day = float(re.findall(r"^Performance:\s+(\S+)", log, re.MULTILINE)[-1])
    return Timing(steps=ns_per_day * 1000.0 / time_step / 86400.0 * wall, wall=wall, cpu=cpu)


def best_runners(prepared: GromacsCase, threads: int, seconds: float) -> list[GromacsRunner]:
    """The variants of a build worth timing: in a short trial, taking turns, no more than a tenth behind the fastest.

    On more than one thread they are OpenMP threads of one rank or ranks of one thread.
    """
    prepared.prepare("bench")
    layouts = [(1, threads)] if threads == 1 else [(1, threads), (threads, 1)]
    runners = [GromacsRunner(prepared, Variant(k, *layout)) for k in prepared.build.kernels() for layout in layouts]
    if len(runners) == 1:
        return runners
    rates: dict[int, float] = {}
    for turn in range(2):
        for place, runner in enumerate(runners):
            try:
                rates[place] = max(rates.get(place, 0.0), runner.timed(seconds / 2).rate)
            except Unavailable as error:  # a box too small to be shared among ranks
                if turn == 0:
                    print(f"    {runner.label} {runner.variant}: {error}")
    if not rates:
        raise Unavailable("no variant of it runs")
    best = max(rates.values())
    return [runner for place, runner in enumerate(runners) if rates.get(place, 0.0) >= _KEPT * best]


def trr_forces(path: Path) -> Iterator[Floats]:
    """Forces (n, 3) [kJ/mol/nm] of every frame of a ``.trr`` that holds them.

    A frame is an XDR header (magic 1993, a version string, thirteen integers: sizes in bytes of ten blocks, beads, step and
    a counter; two reals) and the blocks: box, virial, pressure, positions, velocities, forces (GROMACS manual, file formats).
    """
    data, place = path.read_bytes(), 0
    while place < len(data):
        magic, _, length = struct.unpack_from(">3i", data, place)
        if magic != 1993:
            raise ValueError(f"{path.name} is not a trajectory in full precision")
        place += 12 + (length + 3) // 4 * 4
        sizes = struct.unpack_from(">13i", data, place)
        blocks, beads = sizes[:10], sizes[10]
        real = max(blocks[7:10]) // (3 * beads)
        place += 13 * 4 + 2 * real
        end = place + sum(blocks)
        if blocks[9]:
            yield np.frombuffer(data[end - blocks[9] : end], dtype=f">f{real}").reshape(beads, 3).astype(np.float64)
        place = end
