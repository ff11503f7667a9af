"""How fast and how well a bilayer is built: topdown beside insane and COBY, the same POPC in the same box.

    python benchmarks/membrane_building.py [--peers PYTHON] [--edge 10] [--repeats 3] [--json]

PYTHON is an interpreter that has insane and COBY (``python -m venv peers; peers/bin/pip install insane COBY matplotlib``). Each
program starts anew for each repeat, in turn with the others, and runs on one thread; times are processor times of the whole
program and from its libraries loaded to its files written. What it wrote is read back and judged alike: closest distance
of two beads that are not bonded, largest force in Martini 3 as it stands, water within 1 nm of the middle plane, and area per
lipid; of several repeats the shortest time and the worst quality count. Versions and the load of the machine stand below.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topdown.building.packing import closest_distance
from topdown.engine import potential_energy
from topdown.formats import read_gro
from topdown.model import System
from topdown.tables import load_bead_table, load_molecule

CORE = 1.0
BUILDERS = {
    "topdown": """
import sys, time
import numpy as np
from topdown.building.bilayer import Leaflets, Solvent, build_bilayer
from topdown.formats import write_gromacs
from topdown.tables import load_bead_table, load_molecule
edge = float(sys.argv[1])
popc, water, sodium, chloride = (load_molecule("martini3", name) for name in ("POPC", "W", "NA", "CL"))
table = load_bead_table("martini3").subset({b for m in (popc, water, sodium, chloride) for b in m.type_names})
loaded = time.process_time()
system = build_bilayer(
    Leaflets(upper=((popc, 1.0),)), (edge, edge, edge), table,
    Solvent(water=water, cation=sodium, anion=chloride, salt_molarity=0.15), rng=np.random.default_rng(int(sys.argv[2])),
)
write_gromacs(system, ".", name="built")
print(time.process_time() - loaded)
""",
    "insane": """
import os, sys, time
edge = sys.argv[1]
import insane.cli
loaded = time.process_time()
box = ["-x", edge, "-y", edge, "-z", edge]
files = ["-o", "built.gro", "-p", "built.top"]
insane.cli.main(["insane", "-l", "POPC", *box, "-sol", "W", "-salt", "0.15", *files])
print(time.process_time() - loaded)
""",
    "COBY": """
import contextlib, io, sys, time
edge = float(sys.argv[1])
import COBY
loaded = time.process_time()
with contextlib.redirect_stdout(io.StringIO()):
    COBY.COBY(
        box=[edge] * 3, membrane="lipid:POPC", solvation="default", out_sys="built.gro", out_top="built.top",
        randseed=int(sys.argv[2]), verbose=0,
    )
print(time.process_time() - loaded)
""",
}


@dataclass(frozen=True, kw_only=True)
class Built:
    """What one program built, and what it cost [s of processor time]."""

    program: str
    building: float
    whole: float
    system: System


def run(program: str, python: str, edge: float, seed: int, folder: Path) -> Built:
    """Build once in a process of its own."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [python, "-c", BUILDERS[program], f"{edge:g}", str(seed)], cwd=folder, capture_output=True, text=True,
        env={**os.environ, **threads},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr[-1500:]}")
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Built(program=program, building=float(done.stdout.split()[-1]), whole=whole, system=read_built(folder))


def read_built(folder: Path) -> System:
    """The coordinates with the shipped Martini 3 models: molecules are told by their residue and bead names."""
    gro = read_gro(folder / "built.gro")
    models = {name: load_molecule("martini3", name) for name in ("POPC", "W", "NA", "CL")}
    labels = {"NA+": "NA", "CL-": "CL"}
    components: list[list] = []
    k = 0
    while k < len(gro.names):
        label = gro.residue_names[k] if gro.residue_names[k] not in ("ION",) else gro.names[k]
        model = models[labels.get(label, label)]
        if model.n_beads > 1 and gro.names[k : k + model.n_beads] != tuple(bead.name for bead in model.beads):
            raise RuntimeError(f"beads {gro.names[k : k + model.n_beads]} are not those of {model.name}")
        if components and components[-1][0] is model:
            components[-1][1] += 1
        else:
            components.append([model, 1])
        k += model.n_beads
    table = load_bead_table("martini3").subset({b for model in models.values() for b in model.type_names})
    return System(table=table, components=tuple((m, n) for m, n in components), positions=gro.positions, box=gro.box)


def judged(system: System) -> dict[str, float]:
    """Quality of a start."""
    z = np.abs(system.positions[:, 2] - middle(system))
    z = np.minimum(z, system.box[2] - z)
    solvent = np.concatenate([np.full(m.n_beads * n, m.n_beads == 1) for m, n in system.components])
    lipids = sum(n for m, n in system.components if m.n_beads > 1)
    charge = sum(m.charge * n for m, n in system.components)
    forces = potential_energy(system).forces
    return {
        "closest_nm": closest_distance(system),
        "largest_force": float(np.sqrt((forces**2).sum(axis=1).max())),
        "water_in_core": int(np.sum(solvent & (z < CORE))),
        "area_per_lipid": float(system.box[0] * system.box[1] / (lipids / 2)),
        "beads": system.n_beads,
        "charge": charge,
    }


def middle(system: System) -> float:
    """Height of the middle plane: the mean of all beads of lipids, which nobody puts across the boundary [nm]."""
    lipid = np.concatenate([np.full(m.n_beads * n, m.n_beads > 1) for m, n in system.components])
    return float(system.positions[lipid, 2].mean())


def conditions(programs: dict[str, str]) -> str:
    """Versions of the programs, and how busy the machine is: processor times too are longer when others use its caches."""
    versions = []
    for program, python in programs.items():
        ask = f"from importlib.metadata import version; print(version({program!r}))"
        found = subprocess.run([python, "-c", ask], capture_output=True, text=True)
        versions.append(f"{program} {found.stdout.strip() or '?'}")
    return (
        f"{', '.join(versions)}; {os.cpu_count()} processors, load {os.getloadavg()[1]:.1f} over the last five minutes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="", metavar="PYTHON", help="interpreter that has insane and COBY")
    parser.add_argument("--edge", type=float, default=10.0, help="of the cubic box [nm]")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one object a program")
    options = parser.parse_args()
    programs = {"topdown": sys.executable}
    if options.peers:
        programs |= {"insane": options.peers, "COBY": options.peers}
    found: dict[str, list[Built]] = {}
    for seed in range(1, options.repeats + 1):
        for program, python in programs.items():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found.setdefault(program, []).append(run(program, python, options.edge, seed, Path(folder)))
                except RuntimeError as error:
                    print(f"{program} cannot be measured: {error}", file=sys.stderr)
    if not options.json:
        columns = "program | building [s] | whole program [s] | closest [nm] | F_max [kJ/mol/nm] | water in core"
        print(f"| {columns} | area/lipid [nm²] | beads |\n|---|---|---|---|---|---|---|---|")
    for program, runs in found.items():
        quality = [judged(built.system) for built in runs]
        worst = {
            "closest_nm": min(q["closest_nm"] for q in quality),
            "largest_force": max(q["largest_force"] for q in quality),
            "water_in_core": max(q["water_in_core"] for q in quality),
        }
        times = {"building_s": min(b.building for b in runs), "whole_s": min(b.whole for b in runs)}
        row = {"program": program, **times, **quality[-1], **worst}
        if options.json:
            print(json.dumps(row))
            continue
        speed = f"{row['building_s']:.1f} | {row['whole_s']:.1f}"
        start = f"{row['closest_nm']:.3f} | {row['largest_force']:.1e} | {row['water_in_core']}"
        print(f"| {program} | {speed} | {start} | {row['area_per_lipid']:.3f} | {row['beads']} |")
    if not options.json:
        print(f"\n{conditions(programs)}")


if __name__ == "__main__":
    main()
