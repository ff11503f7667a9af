"""A written system in other programs: GROMACS, OpenMM and LAMMPS, where they are installed, must find the energy we find.

Each program is asked for one point in a folder of its own, with the files as they were written. GROMACS also has to take every
``.mdp`` without a warning. A program that cannot be started is noted; one that refuses the files, or finds another energy, is
an error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from topdown.engine import potential_energy
from topdown.errors import SimulationError
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.model import System

Terms = dict[str, float]
TERMS: Final = ("bond", "angle", "dihedral", "restraint", "lj", "coulomb", "potential")
#: What GROMACS calls the parts of each term.
GROMACS_NAMES: Final = {
    "bond": ("Bond", "Harmonic Pot."),
    "angle": ("Angle", "G96Angle", "Restricted Angles", "Tab. Angles"),
    "dihedral": ("Proper Dih.", "Improper Dih.", "Ryckaert-Bell.", "CBT Dih.", "Per. Imp. Dih."),
    "restraint": ("Position Rest.", "Flat-bottom posres", "Flat-b. P-R."),
    "lj": ("LJ (SR)",),
    "coulomb": ("Coulomb (SR)",),
    "potential": ("Potential",),
}
#: Largest difference as a part of the potential energy: programs in double precision, and GROMACS in mixed.
_DOUBLE: Final = 2e-6
_MIXED: Final = 1e-4
_PATIENCE: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One program's energies beside ours.

    Attributes
    ----------
    program : str
        With its version.
    ours, theirs : dict of str to float
        By term [kJ/mol]; ``ours`` at the very coordinates that program was given.
    largest : float
        Largest difference of a term, as a part of the potential energy.
    """

    program: str
    ours: Terms
    theirs: Terms
    largest: float

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "program": self.program,
            "ours": self.ours,
            "theirs": self.theirs,
            "largest_relative_difference": self.largest,
        }


class _CannotRun(Exception):
    """The program is there, but does not start."""


def compare_engines(
    system: System, gromacs: Mapping[str, Path], openmm: Mapping[str, Path], lammps: Mapping[str, Path]
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Ask every installed program for the energy of the files written for it.

    Parameters
    ----------
    system : System
        What was written.
    gromacs, openmm, lammps : mapping of str to Path
        The files of each, by the keys of their writers; an empty one leaves the program out.

    Returns
    -------
    comparisons : tuple of Comparison
    notes : tuple of str
        Programs that could not be asked, and why.

    Raises
    ------
    SimulationError
        A program that refuses its files, warns of them, or finds another energy.
    """
    askers: tuple[tuple[Mapping[str, Path], Callable[[Mapping[str, Path]], tuple[str, Terms] | None], bool], ...] = (
        (gromacs, _ask_gromacs, True),
        (openmm, _ask_openmm, False),
        (lammps, _ask_lammps, False),
    )
    found: list[Comparison] = []
    notes: list[str] = []
    exact: Terms | None = None
    for files, ask, rounded in askers:
        if not files:
            continue
        try:
            answer = ask(files)
        except (_CannotRun, OSError, subprocess.TimeoutExpired) as error:
            notes.append(str(error))
            continue
        if answer is None:
            continue
        if rounded:
            ours = _ours(read_gromacs_topology(files["top"], files["gro"]))
        else:
            ours = exact = exact or _ours(system)
        found.append(_compared(answer[0], ours, answer[1]))
    return tuple(found), tuple(notes)


def _ours(system: System) -> Terms:
    point = potential_energy(system)
    return {term: float(getattr(point, term)) for term in TERMS}


def _compared(program: str, ours: Terms, theirs: Terms) -> Comparison:
    scale = max(abs(ours["potential"]), 1.0)
    off = {term: abs(theirs.get(term, 0.0) - ours[term]) / scale for term in TERMS}
    worst = max(off, key=lambda term: off[term])
    allowed = _MIXED if program.endswith("mixed precision") else _DOUBLE
    if not off[worst] <= allowed:
        raise SimulationError(
            f"{program} finds {theirs.get(worst, 0.0):.4f} kJ/mol for {worst}, we find {ours[worst]:.4f}",
            hint="please report this; --no-compare leaves other programs out",
        )
    kept = {term: theirs.get(term, 0.0) for term in TERMS}
    return Comparison(program=program, ours=ours, theirs=kept, largest=off[worst])


def _call(
    command: list[str], folder: Path, *, text: str = "", environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    done = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def _copied(files: Mapping[str, Path], folder: str) -> Path:
    for path in files.values():
        shutil.copy(path, folder)
    return Path(folder)


# -- GROMACS ---------------------------------------------------------------------------------------------------------


def gromacs_program() -> str:
    """``gmx_d``, in double precision, or else ``gmx``, where one is on the path; else empty."""
    return next((name for name in ("gmx_d", "gmx") if shutil.which(name)), "")


def _ask_gromacs(files: Mapping[str, Path]) -> tuple[str, Terms] | None:
    """Double precision where it is installed; every ``.mdp`` must pass the preprocessor without a warning."""
    program = gromacs_program()
    if not program:
        return None
    with tempfile.TemporaryDirectory(prefix="topdown-gromacs-") as name:
        folder = _copied(files, name)
        for key in ("em", "eq", "md", "single_point"):
            _preprocess(program, files, key, folder)
        code, said, complained = _call(
            [program, "-nobackup", "mdrun", "-s", "single_point.tpr", "-deffnm", "point", "-nt", "1", "-pin", "off"],
            folder,
        )
        if code:  # a build without thread-MPI has no -nt
            code, said, complained = _call(
                [program, "-nobackup", "mdrun", "-s", "single_point.tpr", "-deffnm", "point", "-ntomp", "1"], folder
            )
        if code:
            raise _CannotRun(f"{program} mdrun does not run here: {_last(complained or said)}")
        everything = "\n".join(map(str, range(1, 100))) + "\n0\n"
        _call([program, "-nobackup", "energy", "-f", "point.edr", "-o", "point.xvg", "-dp"], folder, text=everything)
        lines = (folder / "point.xvg").read_text(encoding="utf-8").splitlines()
        version = re.search(r"GROMACS\S* version:?\s*(\S+)|VERSION (\S+)|, (20\d\d\S*)", said + complained)
    legends = [line.split('"')[1] for line in lines if re.match(r"@ s\d+ legend", line)]
    values = dict(zip(legends, map(float, lines[-1].split()[1:]), strict=True))
    terms = {term: sum(values.get(part, 0.0) for part in parts) for term, parts in GROMACS_NAMES.items()}
    number = next((group for group in version.groups() if group), "") if version else ""
    precision = "double" if program == "gmx_d" else "mixed"
    return f"GROMACS {number.split('-')[0].rstrip(',')} {precision} precision".replace("  ", " "), terms


def _preprocess(program: str, files: Mapping[str, Path], key: str, folder: Path) -> None:
    """``grompp``, whose warnings and notes count as errors; only a note that Debian's versions give to everybody is let pass."""
    restrained = ("-r", files["reference"].name) if "reference" in files else ()
    code, said, complained = _call(
        [program, "-nobackup", "grompp", "-f", files[key].name, "-c", files["gro"].name, "-p", files["top"].name,
         "-n", files["ndx"].name, *restrained, "-o", f"{key}.tpr", "-po", f"{key}_out.mdp"],
        folder,
    )  # fmt: skip
    text = said + complained
    if code and "Fatal error" not in text and "ERROR" not in text:
        raise _CannotRun(f"{program} grompp does not run here: {_last(text)}")
    complaint = re.search(r"(?:Fatal error:|(?:WARNING|ERROR) \d+ \[[^\]]*\]:)\s*(.+?)(?:\n\s*\n|$)", text, re.DOTALL)
    if code or complaint:
        what = " ".join(complaint[1].split()) if complaint else _last(text)
        raise SimulationError(f"GROMACS does not take {files[key].name} with {files['top'].name}: {what[:300]}")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it says nothing"


# -- OpenMM and LAMMPS -----------------------------------------------------------------------------------------------


def _ask_openmm(files: Mapping[str, Path]) -> tuple[str, Terms] | None:
    """The run script's own ``--terms`` on the Reference platform, which computes in double precision."""
    if importlib.util.find_spec("openmm") is None:
        return None
    version = "import openmm; print(openmm.version.short_version)"
    with tempfile.TemporaryDirectory(prefix="topdown-openmm-") as name:
        folder = _copied(files, name)
        code, said, complained = _call([sys.executable, "-c", version], folder)
        if code:
            raise _CannotRun(f"OpenMM does not start here: {_last(complained)}")
        code, answer, complained = _call(
            [sys.executable, files["script"].name, "--terms", "--platform", "Reference"], folder
        )
    if code:
        raise SimulationError(f"OpenMM does not take {files['system'].name}: {_last(complained)}")
    return f"OpenMM {said.strip()}", json.loads(answer)


def lammps_command() -> list[str] | None:
    """``lmp`` on the path or beside this Python, or nothing."""
    beside = f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}"
    found = shutil.which("lmp", path=beside)
    return [found] if found else None


def _ask_lammps(files: Mapping[str, Path]) -> tuple[str, Terms] | None:
    """The written ``in.single_point``; LAMMPS of the Python index finds its MPI library in the prefix."""
    command = lammps_command()
    if command is None:
        return None
    environment = {"LD_LIBRARY_PATH": f"{sys.prefix}/lib:{os.environ.get('LD_LIBRARY_PATH', '')}"}
    with tempfile.TemporaryDirectory(prefix="topdown-lammps-") as name:
        folder = _copied(files, name)
        code, said, complained = _call(
            [*command, "-in", files["single_point"].name, "-log", "none"], folder, environment=environment
        )
        text = said + complained
        if code and "ERROR" not in text:
            raise _CannotRun(f"LAMMPS does not run here: {_last(text)}")
        missing = re.search(r"ERROR: Unrecognized \w+ style.*", text)
        if code and missing:
            raise _CannotRun(f"this LAMMPS lacks a package: {missing[0][:200]}")
        if code:
            raise SimulationError(f"LAMMPS does not take {files['data'].name}: {_last(text)}")
        written = json.loads((folder / "single_point.json").read_text(encoding="utf-8"))
    version = re.search(r"LAMMPS \(([^)]+)\)", said)
    return f"LAMMPS {version[1] if version else ''}".strip(), {term: float(written[term]) for term in TERMS}
