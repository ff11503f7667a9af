"""Water beside oils: whether they keep apart, and the tension between them.

    python benchmarks/interfaces.py results.jsonl --table topdown1 [--oils octane,toluene] [--ns 3]
    python benchmarks/interfaces.py report results.jsonl

A slab of the table's water and one of the oil, 4.2 cut-offs thick each, face to face in a periodic box of fixed width; normal to
the faces 1 bar. A tenth of the run is left out at its start. Beads of the other liquid are counted in the middle third of each
slab. One JSON object per oil is appended; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from topdown.building.liquid import build_liquid
from topdown.building.slab import reshape_liquid
from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.properties.averages import series_estimate
from topdown.properties.phases import box_components, find_phase
from topdown.properties.surface_tension import THICKNESS_CUTOFFS, WIDTH_CUTOFFS, tension_of_frames
from topdown.sampling.equilibrate import equilibrate_liquid, settle
from topdown.tables import load_bead_table

OILS = ("octane", "hexadecane", "toluene", "chloroform", "dry octanol")
TEMPERATURE, PRESSURE, SEED = 298.15, 1.0, 1
EQUILIBRATION_STEPS, FRAME_EVERY = 5_000, 50
#: Room between the slabs before they are relaxed [nm].
GAP = 0.3


def slab(name: str, table_name: str, width: float, thickness: float) -> System:
    """An equilibrated liquid, molecules moved whole into a box ``width`` wide that its volume fills."""
    table = load_bead_table(table_name)
    phase = find_phase(name, table_name)
    ((molecule, count), *others) = box_components(phase, table, volume=width**2 * thickness, min_beads=1)
    if others:
        raise SystemExit(f"{name} is a mixture; give a pure liquid")
    types = table.subset(set(molecule.type_names))
    built = build_liquid(molecule, count, types, rng=np.random.default_rng(SEED))
    liquid = equilibrate_liquid(
        built, temperature=TEMPERATURE, pressure=PRESSURE, n_steps=EQUILIBRATION_STEPS, seed=SEED
    )
    return reshape_liquid(liquid, np.array([width, width, float(np.prod(liquid.box)) / width**2]))


def beside(water: System, oil: System, table_name: str) -> System:
    """Water below, oil above."""
    positions = np.concatenate([water.positions, oil.positions + np.array([0.0, 0.0, water.box[2] + GAP])])
    components = (*water.components, *oil.components)
    types = {name for molecule, _ in components for name in molecule.type_names}
    return System(
        table=load_bead_table(table_name).subset(types),
        components=components,
        positions=positions,
        box=np.array([*water.box[:2], water.box[2] + oil.box[2] + 2.0 * GAP]),
        title=f"{water.title} beside {oil.title}",
    )


def foreign(z: np.ndarray, height: float, n_water: int, share_water: float) -> tuple[float, float]:
    """Oil's share of the beads in the middle third of the water, and water's in that of the oil."""
    angle = z[:n_water] * (2.0 * np.pi / height)
    middle = np.arctan2(np.sin(angle).mean(), np.cos(angle).mean()) * height / (2.0 * np.pi)
    # from the middle of the water, into half a box either way
    distance = np.abs(np.mod(z - middle + 0.5 * height, height) - 0.5 * height)
    in_water = distance < share_water * height / 6.0
    in_oil = distance > (0.5 - (1.0 - share_water) / 6.0) * height
    of_water = np.arange(len(z)) < n_water
    return float(np.mean(~of_water[in_water])), float(np.mean(of_water[in_oil]))


def one(table_name: str, oil_name: str, nanoseconds: float) -> dict[str, object]:
    """Simulate one oil beside water."""
    started = time.process_time()
    cutoff = load_bead_table(table_name).scheme.cutoff
    width, thickness = WIDTH_CUTOFFS * cutoff, THICKNESS_CUTOFFS * cutoff
    water, oil = (slab(name, table_name, width, thickness) for name in ("water", oil_name))
    system = settle(beside(water, oil, table_name), temperature=TEMPERATURE, seed=SEED)
    settings = SimulationSettings(
        temperature=TEMPERATURE,
        thermostat="langevin",
        pressure=PRESSURE,
        barostat="semiisotropic",
        compressibility=0.0,
        compressibility_z=3e-4,
    )
    simulation = Simulation(system, settings, seed=SEED + 1)
    n_frames = round(nanoseconds * 1000.0 / (settings.time_step * FRAME_EVERY))
    n_water = water.n_beads
    share = float(water.box[2] / (water.box[2] + oil.box[2]))
    tensions, seen = [], []
    for _ in range(n_frames):
        simulation.run(FRAME_EVERY)
        sums = simulation.pair_sums(virials=True)
        epsilon = np.array([system.table.pair(*pair)[1] for pair in sums.pairs])
        # of two faces: the formula is that of a slab, which has two as well
        tensions.append(tension_of_frames(sums, epsilon, width**2)[0])
        seen.append(foreign(simulation.positions[:, 2], float(simulation.box[2]), n_water, share))
    start = n_frames // 10
    estimate = series_estimate(np.array(tensions[start:]))
    oil_in_water, water_in_oil = np.mean(seen[start:], axis=0)
    return {
        "table": table_name,
        "oil": oil_name,
        "interfacial_tension_mN_m": estimate.value,
        "standard_error": estimate.standard_error,
        "oil_beads_in_water": float(oil_in_water),
        "water_beads_in_oil": float(water_in_oil),
        "ns": nanoseconds,
        "cpu_s": round(time.process_time() - started, 1),
    }


def report(path: Path) -> None:
    """What the file holds, a line each."""
    for line in path.read_text(encoding="utf-8").splitlines():
        r = json.loads(line)
        tension = f"{r['interfacial_tension_mN_m']:6.1f} ± {r['standard_error']:.1f} mN/m"
        strangers = (
            f"{r['oil_beads_in_water']:.2%} oil beads in water, {r['water_beads_in_oil']:.2%} water beads in oil"
        )
        print(f"{r['table']:10s} {r['oil']:12s} {tension}; {strangers} ({r['ns']:g} ns, {r['cpu_s']} s)")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="[report] FILE")
    parser.add_argument("--table", default="topdown1")
    parser.add_argument("--oils", default=",".join(OILS))
    parser.add_argument("--ns", type=float, default=3.0)
    options = parser.parse_args()
    path = Path(options.words[-1])
    if options.words[:-1] == ["report"]:
        report(path)
        return 0
    done = set()
    if path.exists():
        done = {(r["table"], r["oil"]) for r in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    for oil in options.oils.split(","):
        if (options.table, oil) in done:
            continue
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one(options.table, oil, options.ns)) + "\n")
    report(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
