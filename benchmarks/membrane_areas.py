"""Area per lipid and thicknesses of one-lipid bilayers against the measured rows of data/membranes. Runs for hours; goes on where
it was stopped.

    python benchmarks/membrane_areas.py run FOLDER [--until 20] [--leaflet 32]     simulate every row, a bit longer in every round
    python benchmarks/membrane_areas.py reduce FOLDER -o FILE.csv                  average what there is and print the deviations

Each row is a bilayer of 2 x ``leaflet`` lipids of martini3 in water without salt, counter-ions where the lipid is charged, at
the temperature of the measurement. Models are the curated ones, or those that the lipid rules of the table give the SMILES.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import numpy as np

from topdown.building.bilayer import Leaflets, Solvent, build_bilayer
from topdown.building.lipids import starting_area
from topdown.model import CGMolecule, Measurement, System
from topdown.properties.measurements import find_measurement, load_measurements
from topdown.properties.membrane import MembraneSeries, index_membrane, membrane_problems
from topdown.properties.membrane_averages import basic_estimates, series_estimate, settled_from
from topdown.tables import load_bead_table, load_molecule
from topdown.tables.molecules import find_molecule
from topdown.workflows.membrane_relaxation import relaxed
from topdown.workflows.membrane_request import MembraneRequest

TABLE = "martini3"
HEIGHT = 7.4
ROUNDS_NS = (5.0, 10.0, 20.0, 40.0, 80.0)
#: Published Martini 3 benchmark over 66 state points: RMS deviation of the area [nm²] and of thicknesses [nm].
PUBLISHED = {"area": 0.041, "DHH": 0.22, "DB": 0.17, "2DC": 0.13}


def lipid_model(row: Measurement) -> CGMolecule:
    """The curated model of a lipid, or the one its SMILES is given by rule."""
    found = find_molecule(TABLE, row.canonical_smiles)
    if found is not None:
        return found
    from topdown.mapping import map_molecule

    return map_molecule(row.smiles, load_bead_table(TABLE), name=row.name, conformers=False)


def build(lipid: CGMolecule, leaflet: int, seed: int) -> System:
    """2 x ``leaflet`` lipids in water, neutral."""
    water, cation, anion = (load_molecule(TABLE, name) for name in ("W", "NA", "CL"))
    types = {name for molecule in (lipid, water, cation, anion) for name in molecule.type_names}
    area = starting_area(lipid)
    edge = float(np.sqrt(leaflet * area))
    return build_bilayer(
        Leaflets(upper=((lipid, 1.0),)),
        (edge, edge, HEIGHT),
        load_bead_table(TABLE).subset(types),
        Solvent(water=water, cation=cation, anion=anion),
        rng=np.random.default_rng(seed),
        area_per_lipid={lipid.name: area},
    )


def rows() -> list[Measurement]:
    """Measured areas of the calibration and validation rows; one temperature of every lipid comes before the others."""
    found = [row for row in load_measurements("area_per_lipid") if row.split in ("calibration", "validation")]
    by_lipid: dict[str, list[Measurement]] = {}
    for row in found:
        by_lipid.setdefault(row.name, []).append(row)
    first = [of_one[len(of_one) // 2] for of_one in by_lipid.values()]
    return first + [row for row in found if row not in first]


def folder_of(root: Path, row: Measurement) -> Path:
    """Where a row's run is kept."""
    return root / f"{row.name}_{row.temperature:.0f}K"


def run(root: Path, until: float, leaflet: int) -> None:
    """Simulate all rows in rounds, each a bit longer than the one before."""
    for target in [t for t in ROUNDS_NS if t < until] + [until]:
        for row in rows():
            folder = folder_of(root, row)
            folder.mkdir(parents=True, exist_ok=True)
            state = folder / "done.json"
            done = json.loads(state.read_text())["ns"] if state.exists() else 0.0
            if done >= target:
                continue
            lipid = lipid_model(row)
            system = build(lipid, leaflet, seed=7)
            request = MembraneRequest(
                lipids=((lipid.name, 1.0),), table=TABLE, salt=0.0, temperature=row.temperature, relax_ns=target, seed=7
            )
            started = time.process_time()
            relaxed(system, index_membrane(system, {lipid.name}), request, folder, resume=done > 0, tell=lambda _: None)
            state.write_text(json.dumps({"ns": target, "leaflet": leaflet}))
            print(
                f"{row.name} {row.temperature:.2f} K: {target:g} ns, {time.process_time() - started:.0f} s", flush=True
            )


def reduce(root: Path, output: Path) -> None:
    """Averages of every row that has frames, and the deviations from experiment."""
    table: list[dict[str, str]] = []
    deviations: dict[str, list[float]] = {name: [] for name in PUBLISHED}
    for row in rows():
        stored, done = folder_of(root, row) / "series.npz", folder_of(root, row) / "done.json"
        if not (stored.exists() and done.exists()):
            continue
        with np.load(stored, allow_pickle=False) as arrays:
            series = MembraneSeries(**{name: arrays[name] for name in arrays.files})
        lipid = lipid_model(row)
        system = build(lipid, int(json.loads(done.read_text())["leaflet"]), seed=7)
        index = index_membrane(system, {lipid.name})
        start = settled_from(series)
        kept = MembraneSeries(**{name: array[start:] for name, array in series.arrays().items()})
        area = series_estimate(kept.box[:, 0] * kept.box[:, 1] / (index.n_lipids / 2), "")
        d_hh, d_b, d_c = basic_estimates(kept, len(index.tails), len(index.water))
        found = {"area": area, "DHH": d_hh, "DB": d_b, "2DC": d_c}
        entry = {
            "name": row.name,
            "model": "curated" if find_molecule(TABLE, row.canonical_smiles) else "by rule",
            "temperature_K": f"{row.temperature:g}",
            "split": row.split,
            "averaged_ns": f"{(kept.time[-1] - kept.time[0]) / 1000.0:.2f}",
            "problems": "; ".join(membrane_problems(kept, index, d_hh.value)),
        }
        for name, estimate in found.items():
            measured = row if name == "area" else _thickness(row, name)
            entry[name] = "" if estimate is None else f"{estimate.value:.4f}"
            entry[f"{name}_error"] = "" if estimate is None else f"{estimate.standard_error:.4f}"
            entry[f"{name}_measured"] = "" if measured is None else f"{measured.value:g}"
            if estimate is not None and measured is not None:
                deviations[name].append(estimate.value - measured.value)
        table.append(entry)
    if not table:
        raise SystemExit(f"no finished run in {root}")
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    for name, values in deviations.items():
        off = np.array(values)
        if len(off):
            print(
                f"{name:5s} {len(off):3d} rows  RMS {np.sqrt(np.mean(off**2)):.3f}  mean {off.mean():+.3f}  "
                f"(published Martini 3: RMS {PUBLISHED[name]:g})"
            )


def _thickness(row: Measurement, kind: str) -> Measurement | None:
    return find_measurement("thickness", row.canonical_smiles, kind, row.temperature, tolerance=0.5)


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "reduce"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", type=float, default=20.0, help="length of each run [ns]")
    parser.add_argument("--leaflet", type=int, default=32, help="lipids per leaflet")
    parser.add_argument("-o", "--output", type=Path, help="CSV of the averages")
    options = parser.parse_args()
    if options.what == "run":
        run(options.folder, options.until, options.leaflet)
    else:
        reduce(options.folder, options.output or options.folder / "membrane_areas.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
