"""Area per lipid and thicknesses of one-lipid bilayers against the measured rows of data/membranes. Runs for hours; goes on where
it was stopped.

    python benchmarks/membrane_areas.py run FOLDER [--until 20] [--leaflet 32] [--table topdown1] [--only DOPC_303K,POPC_323K]
    python benchmarks/membrane_areas.py reduce FOLDER [--table topdown1] -o FILE.csv

The first simulates every row, a bit longer in every round; the second averages what there is and prints the deviations.
On another machine, one with a GPU, between the first and the last of

    python benchmarks/membrane_areas.py export SETS [--leaflet 32]                 build and settle every row, write it for OpenMM
    python benchmarks/membrane_areas_openmm.py SETS OUT --ns 10 --seconds 500      there: OpenMM and numpy are all it needs
    python benchmarks/membrane_areas.py collect FOLDER --frames OUT                turn its frames into what reduce reads

Each row is a bilayer of 2 x ``leaflet`` lipids of the table in water without salt, counter-ions where the lipid is charged, at
the temperature of the measurement. Models are the curated ones, or those that the lipid rules of the table give the SMILES.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from topdown.building.bilayer import Leaflets, Solvent, build_bilayer
from topdown.building.lipids import starting_area
from topdown.engine import potential_energy
from topdown.formats.mdp import RunSettings
from topdown.formats.openmm import state_xml, system_xml, write_openmm
from topdown.model import CGMolecule, Measurement, System
from topdown.properties.measurements import find_measurement, load_measurements
from topdown.properties.membrane import (
    MembraneSeries,
    empty_series,
    index_membrane,
    membrane_problems,
    observe_membrane,
)
from topdown.properties.membrane_averages import basic_estimates, series_estimate, settled_from
from topdown.resources import atomic_write_bytes, atomic_write_text
from topdown.tables import load_bead_table, load_molecule
from topdown.tables.molecules import find_molecule
from topdown.workflows.membrane_relaxation import relaxed
from topdown.workflows.membrane_request import MembraneRequest

HEIGHT = 7.4
SEED = 7
#: Length of the run at 20 fs that an exported bilayer has behind it [ns].
SETTLED_NS = 0.08
BUNDLED = "topdown"
#: Heights in frames of OpenMM are whole multiples of this [nm], as membrane_areas_openmm.py writes them.
RESOLUTION = 1e-3
ROUNDS_NS = (5.0, 10.0, 20.0, 40.0, 80.0)
#: Published Martini 3 benchmark over 66 state points: RMS deviation of the area [nm²] and of thicknesses [nm].
PUBLISHED = {"area": 0.041, "DHH": 0.22, "DB": 0.17, "2DC": 0.13}


def lipid_model(row: Measurement, table: str) -> CGMolecule:
    """The curated model of a lipid, or the one its SMILES is given by rule."""
    found = find_molecule(table, row.canonical_smiles)
    if found is not None:
        return found
    from topdown.mapping import map_molecule

    return map_molecule(row.smiles, load_bead_table(table), name=row.name, conformers=False)


def build(lipid: CGMolecule, leaflet: int, table: str) -> System:
    """2 x ``leaflet`` lipids in water, neutral."""
    water, cation, anion = (load_molecule(table, name) for name in ("W", "NA", "CL"))
    types = {name for molecule in (lipid, water, cation, anion) for name in molecule.type_names}
    area = starting_area(lipid)
    edge = float(np.sqrt(leaflet * area))
    return build_bilayer(
        Leaflets(upper=((lipid, 1.0),)),
        (edge, edge, HEIGHT),
        load_bead_table(table).subset(types),
        Solvent(water=water, cation=cation, anion=anion),
        rng=np.random.default_rng(SEED),
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


def request_of(lipid: CGMolecule, row: Measurement, table: str, length: float) -> MembraneRequest:
    """What is asked of the relaxation; ``length`` in ns at 20 fs."""
    return MembraneRequest(
        lipids=((lipid.name, 1.0),), table=table, salt=0.0, temperature=row.temperature, relax_ns=length, seed=SEED
    )


def run(root: Path, table: str, until: float, leaflet: int, only: set[str]) -> None:
    """Simulate rows in rounds, each a bit longer than the one before."""
    for target in [t for t in ROUNDS_NS if t < until] + [until]:
        for row in rows():
            folder = folder_of(root, row)
            if only and folder.name not in only:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            state = folder / "done.json"
            known: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {"ns": 0.0}
            done = known["ns"]
            if done >= target or known.get("engine", BUNDLED) != BUNDLED:
                continue
            lipid = lipid_model(row, table)
            system = build(lipid, leaflet, table)
            request = request_of(lipid, row, table, target)
            started = time.process_time()
            relaxed(system, index_membrane(system, {lipid.name}), request, folder, resume=done > 0, tell=lambda _: None)
            state.write_text(json.dumps({"ns": target, "leaflet": leaflet}))
            print(
                f"{row.name} {row.temperature:.2f} K: {target:g} ns, {time.process_time() - started:.0f} s", flush=True
            )


def export(sets: Path, table: str, leaflet: int, only: set[str]) -> None:
    """Every row built and settled with the bundled engine, as OpenMM reads it; rows that are there are left as they are."""
    sets.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows()):
        key = folder_of(sets, row).name
        described = sets / f"{key}.json"
        if described.exists() or (only and key not in only):
            continue
        started = time.process_time()
        lipid = lipid_model(row, table)
        system = build(lipid, leaflet, table)
        index = index_membrane(system, {lipid.name})
        with tempfile.TemporaryDirectory(prefix="topdown-areas-") as name:
            request = request_of(lipid, row, table, SETTLED_NS)
            simulation = relaxed(system, index, request, Path(name), resume=False, tell=lambda _: None).simulation
            settled = simulation.system()
            # The script is the same for all rows; what differs between them stands in their descriptions.
            script = write_openmm(settled, Path(name) / "set", settings=RunSettings(coupling="semiisotropic"))["script"]
            if not (sets / script.name).exists():
                atomic_write_text(sets / script.name, script.read_text(encoding="utf-8"))
        for kind, text in (("system", system_xml(settled)), ("state", state_xml(settled))):
            atomic_write_bytes(sets / f"{key}.{kind}.xml.gz", gzip.compress(text.encode(), mtime=0))
        seconds = time.process_time() - started
        description = {
            "key": key,
            "number": number,
            "temperature": row.temperature,
            "leaflet": leaflet,
            "beads": settled.n_beads,
            "settled_ns": SETTLED_NS,
            "area": float(settled.box[0] * settled.box[1]) / leaflet,
            "potential_kj_mol": float(potential_energy(settled).potential),
        }
        atomic_write_text(described, json.dumps(description, indent=1) + "\n")
        print(f"{key}: {settled.n_beads} beads, {description['area']:.3f} nm², {seconds:.0f} s", flush=True)


def frames_of(archives: list[Path], key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (n_frames,) [ps], boxes (n_frames, 3) [nm] and heights of all beads (n_frames, n_beads) [nm] of one row."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for path in archives:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.rsplit(".", 2)[0] == key and (file := archive.extractfile(member)) is not None:
                    with np.load(io.BytesIO(file.read()), allow_pickle=False) as stored:
                        parts[member.name] = {name: stored[name] for name in stored.files}
    ordered = [parts[name] for name in sorted(parts)]
    if not ordered:
        return np.zeros(0), np.zeros((0, 3)), np.zeros((0, 0))
    time_, box, low, high = (
        np.concatenate([part[name] for part in ordered]) for name in ("time", "box", "low", "high")
    )
    heights = (high.astype(np.int16) << 8 | low) * RESOLUTION
    return time_, box.astype(np.float64), heights


def collect(root: Path, table: str, frames: Path) -> None:
    """Frames of OpenMM as the series of each row."""
    log = json.loads((frames / "log.json").read_text())
    archives = sorted(frames.glob("frames_*.tar"))
    for row in rows():
        folder = folder_of(root, row)
        times, boxes, heights = frames_of(archives, folder.name)
        if not len(times):
            continue
        lipid = lipid_model(row, table)
        leaflet = int(log["rows"][folder.name]["leaflet"])
        system = build(lipid, leaflet, table)
        if heights.shape[1] != system.n_beads:
            raise SystemExit(f"{folder.name}: frames of {heights.shape[1]} beads, but the system has {system.n_beads}")
        index = index_membrane(system, {lipid.name})
        # Nothing that is kept of a frame needs x and y of beads.
        positions = np.zeros((len(times), system.n_beads, 3))
        positions[:, :, 2] = heights
        seen = [observe_membrane(*frame, index) for frame in zip(positions, boxes, times.tolist())]
        arrays = {name: np.concatenate([getattr(one, name) for one in seen]) for name in empty_series().arrays()}
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        atomic_write_bytes(folder / "series.npz", buffer.getvalue())
        engine = f"{log['engine']} {log['platform']}"
        done = {"ns": float(times[-1]) / 1000.0, "leaflet": leaflet, "engine": engine}
        atomic_write_text(folder / "done.json", json.dumps(done))
        print(f"{folder.name}: {len(times)} frames, {done['ns']:.2f} ns", flush=True)


def reduce(root: Path, table: str, output: Path) -> None:
    """Averages of every row that has frames, and the deviations from experiment."""
    entries: list[dict[str, str]] = []
    deviations: dict[str, list[float]] = {name: [] for name in PUBLISHED}
    for row in rows():
        stored, done = folder_of(root, row) / "series.npz", folder_of(root, row) / "done.json"
        if not (stored.exists() and done.exists()):
            continue
        with np.load(stored, allow_pickle=False) as arrays:
            series = MembraneSeries(**{name: arrays[name] for name in arrays.files})
        lipid = lipid_model(row, table)
        about = json.loads(done.read_text())
        system = build(lipid, int(about["leaflet"]), table)
        index = index_membrane(system, {lipid.name})
        start = settled_from(series)
        kept = MembraneSeries(**{name: array[start:] for name, array in series.arrays().items()})
        area = series_estimate(kept.box[:, 0] * kept.box[:, 1] / (index.n_lipids / 2), "")
        d_hh, d_b, d_c = basic_estimates(kept, len(index.tails), len(index.water))
        found = {"area": area, "DHH": d_hh, "DB": d_b, "2DC": d_c}
        entry = {
            "name": row.name,
            "model": "curated" if find_molecule(table, row.canonical_smiles) else "by rule",
            "temperature_K": f"{row.temperature:g}",
            "split": row.split,
            "engine": about.get("engine", BUNDLED),
            "simulated_ns": f"{series.time[-1] / 1000.0:.2f}",
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
        entries.append(entry)
    if not entries:
        raise SystemExit(f"no finished run in {root}")
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)
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
    parser.add_argument("what", choices=("run", "reduce", "export", "collect"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", default="martini3", help="bead table")
    parser.add_argument("--until", type=float, default=20.0, help="length of each run [ns]")
    parser.add_argument("--leaflet", type=int, default=32, help="lipids per leaflet")
    parser.add_argument("--only", default="", help="rows to run or export, as DOPC_303K,POPC_323K")
    parser.add_argument("--frames", type=Path, help="what membrane_areas_openmm.py wrote, for collect")
    parser.add_argument("-o", "--output", type=Path, help="CSV of the averages")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    if options.what == "run":
        run(options.folder, options.table, options.until, options.leaflet, only)
    elif options.what == "export":
        export(options.folder, options.table, options.leaflet, only)
    elif options.what == "collect":
        if options.frames is None:
            parser.error("collect needs --frames")
        collect(options.folder, options.table, options.frames)
    else:
        reduce(options.folder, options.table, options.output or options.folder / "membrane_areas.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
