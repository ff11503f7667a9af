"""Speed of the engine beside GROMACS, in the same run on the same core.

    python benchmarks/engine.py [--seconds 5] [--repeats 3] [--systems water_solute,window,water,octanol] [--program gmx]

Both start from the stored coordinates of ``tests/reference_data/gromacs`` and do the same dynamics: 20 fs, v-rescale, c-rescale,
cut-off 1.1 nm with potential shift and reaction field, one thread; ``window`` adds a solute half coupled along a soft-core path,
with what reweighting needs stored every 100 steps. Repeats take turns, so that a busy machine slows both; the median counts.
Compilation and set-up are not timed. Without GROMACS only the engine's own column is printed.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.formats import read_gro, write_gromacs
from topdown.formats.naming import component_names
from topdown.model import Bead, CGMolecule, System
from topdown.tables import load_bead_table, load_molecule

REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "reference_data" / "gromacs"
TIME_STEP = 0.02
LAMBDAS = (0.0, 0.5, 1.0)

MDP = """integrator = md
dt = 0.02
nsteps = -1
nstcalcenergy = 100
nstenergy = 1000
nstlog = 0
nstxout-compressed = 0
cutoff-scheme = Verlet
nstlist = 20
verlet-buffer-tolerance = 0.005
coulombtype = reaction-field
rcoulomb = 1.1
epsilon_r = 15
epsilon_rf = 0
vdw-modifier = Potential-shift-verlet
rvdw = 1.1
tcoupl = v-rescale
tc-grps = System
tau_t = 1.0
ref_t = 300
pcoupl = C-rescale
pcoupltype = isotropic
tau_p = 4.0
compressibility = 3e-4
ref_p = 1.0
gen_vel = yes
gen_temp = 300
gen_seed = 1
"""
WINDOW = """free-energy = yes
init-lambda-state = 1
vdw-lambdas = 0.0 0.5 1.0
couple-moltype = {name}
couple-lambda0 = none
couple-lambda1 = vdw
couple-intramol = no
sc-alpha = 0.5
sc-power = 1
calc-lambda-neighbors = -1
nstdhdl = 100
"""


@dataclass(frozen=True)
class Case:
    """One system and how it is run."""

    label: str
    folder: str
    coupled: bool = False

    def system(self) -> System:
        """The stored coordinates with molecules and pairs of the shipped Martini 3 table."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "conf.gro"
            path.write_bytes(gzip.decompress((REFERENCE / self.folder / "conf.gro.gz").read_bytes()))
            gro = read_gro(path)
        solute = CGMolecule(name="SLT", beads=(Bead(name="C1", bead_type="C1"),))
        label = "OCO" if self.folder.startswith("oco") else "W"
        liquid = load_molecule("martini3", label)
        solutes = ((solute, 1),) if self.folder == "w400c1" else ()
        rest = len(gro.positions) - len(solutes)
        components = (*solutes, (liquid, rest // liquid.n_beads))
        table = load_bead_table("martini3").subset({t for m, _ in components for t in m.type_names})
        return System(table=table, components=components, positions=gro.positions, box=gro.box)


CASES = {
    "water_solute": Case("400 W + C1", "w400c1"),
    "window": Case("400 W + C1, window at 0.5", "w400c1", coupled=True),
    "water": Case("1,600 W", "w1600"),
    "octanol": Case("2,000 octanol (6,000 beads)", "oco2000"),
}


class Engine:
    """The bundled engine, compiled and equilibrated a little."""

    def __init__(self, case: Case, system: System) -> None:
        settings = SimulationSettings(time_step=TIME_STEP, barostat="isotropic")
        coupling = Coupling(lambdas=LAMBDAS, index=1) if case.coupled else None
        self.simulation = Simulation(system, settings, coupling=coupling)
        self.every = 100 if case.coupled else 0
        self.simulation.pair_sums()
        self.simulation.run(300)

    def steps_per_second(self, seconds: float) -> float:
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            self.simulation.run(200, every=self.every, observe=(lambda s: s.pair_sums()) if self.every else None)
            done += 200
        return done / (time.perf_counter() - start)


class Gromacs:
    """The same dynamics by ``mdrun -nt 1``, its own timing of the steps taken."""

    def __init__(self, case: Case, system: System, folder: Path, program: str) -> None:
        self.folder, self.program = folder, program
        files = write_gromacs(system, folder)
        name = component_names(system)[0] if case.coupled else ""
        (folder / "bench.mdp").write_text(MDP + (WINDOW.format(name=name) if case.coupled else ""))
        gro, top = files["gro"].name, files["top"].name
        self._call("grompp", "-f", "bench.mdp", "-c", gro, "-p", top, "-o", "bench.tpr", "-maxwarn", "2")

    def _call(self, *arguments: str) -> None:
        command = [self.program, "-nobackup", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")

    def steps_per_second(self, seconds: float) -> float:
        self._call(
            "mdrun", "-s", "bench.tpr", "-deffnm", "bench", "-nt", "1", "-pin", "off", "-maxh", f"{seconds / 3564:.8f}"
        )
        log = (self.folder / "bench.log").read_text()
        ns_per_day = float(re.findall(r"^Performance:\s+(\S+)", log, re.MULTILINE)[-1])
        return ns_per_day * 1000.0 / TIME_STEP / 86400.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one timing")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--systems", default=",".join(CASES))
    parser.add_argument("--program", default="gmx")
    arguments = parser.parse_args()
    unknown = set(arguments.systems.split(",")) - set(CASES)
    if unknown:
        parser.error(f"unknown systems {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    peer = shutil.which(arguments.program)
    print(f"{'system':<30}{'engine steps/s':>16}{'ns/bead/step':>14}{'GROMACS steps/s':>17}{'ratio':>8}")
    for name in arguments.systems.split(","):
        case = CASES[name]
        system = case.system()
        engine = Engine(case, system)
        with tempfile.TemporaryDirectory() as folder:
            gromacs = Gromacs(case, system, Path(folder), peer) if peer else None
            ours, theirs = [], []
            for _ in range(arguments.repeats):
                ours.append(engine.steps_per_second(arguments.seconds))
                if gromacs:
                    theirs.append(gromacs.steps_per_second(arguments.seconds))
        rate = statistics.median(ours)
        line = f"{case.label:<30}{rate:>16,.0f}{1e9 / rate / system.n_beads:>14.0f}"
        if theirs:
            other = statistics.median(theirs)
            line += f"{other:>17,.0f}{rate / other:>8.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
