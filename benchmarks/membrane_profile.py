"""Profiles of single Martini 3 beads across a small POPC bilayer, beside transfer and beside counting without a bias.

    python benchmarks/membrane_profile.py profile C1 --store DIR [--length 0.5] [--workers 1]      umbrella windows and ΔG(z)
    python benchmarks/membrane_profile.py transfer C1 --store DIR [--error 0.4]                    from water to hexadecane
    python benchmarks/membrane_profile.py count N1 --store DIR [--length 50]                       free run with three beads

2 x 18 POPC, 310 K, 1 bar, windows 0.3 nm apart. ``ideal`` in place of a bead type is a bead that meets nothing.
Runs are stored: interrupt and repeat, or ask for longer ones. ``--json`` adds what was found to a file of all results.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from topdown.building.bilayer import Leaflets, Placement, Solvent, build_bilayer
from topdown.engine import Simulation
from topdown.model import Bead, BeadTable, BeadType, CGMolecule, System
from topdown.properties.membrane_profile import partition_profile
from topdown.properties.membrane_umbrella import ProfileRequest, sample_profile, umbrella_of
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, measure_solvation, solvation_request
from topdown.properties.umbrella_pool import BULK, PROFILE_STEP
from topdown.report.membrane_profile_text import profile_lines
from topdown.resources import atomic_write_bytes
from topdown.sampling.equilibrate import TIME_STEP
from topdown.sampling.fingerprints import hash_of
from topdown.sampling.run_store import RunStore
from topdown.sampling.umbrella import equilibrated, umbrella_settings
from topdown.tables import load_bead_table, load_molecule
from topdown.units import kt

TEMPERATURE = 310.0
COPIES = 3
EVERY = 50


def with_ideal(table: BeadTable) -> BeadTable:
    """``table`` and a type that meets no other."""
    n = len(table.bead_types)
    epsilon, sigma = np.zeros((n + 1, n + 1)), np.full((n + 1, n + 1), 0.47)
    epsilon[:n, :n], sigma[:n, :n] = table.epsilon, table.sigma
    ideal = BeadType(name="ideal", chemical_class="ideal", size="R", mass=72.0)
    return replace(table, bead_types=(*table.bead_types, ideal), epsilon=epsilon, sigma=sigma)


def request(bead_type: str, length_ns: float, settling_ns: float) -> ProfileRequest:
    """Windows of half-nanosecond parts, so that longer runs go on from shorter ones."""
    lipid, water, sodium, chloride = (load_molecule("martini3", name) for name in ("POPC", "W", "NA", "CL"))
    types = {name for molecule in (lipid, water, sodium, chloride) for name in molecule.type_names}
    table = load_bead_table("martini3").subset(types | ({bead_type} - {"ideal"}))
    part = round(min(0.5, length_ns) * 1000.0 / TIME_STEP)
    return ProfileRequest(
        solute=CGMolecule(name="MOL", beads=(Bead(name="S", bead_type=bead_type, mass=72.0),)),
        lipids=((lipid, 1.0),), water=water, cation=sodium, anion=chloride,
        table=with_ideal(table) if bead_type == "ideal" else table, size=(3.4, 3.4, 8.0), temperature=TEMPERATURE,
        targets=tuple(np.round(0.3 * np.arange(-13, 14), 6).tolist()), spring=100.0, membrane_steps=150_000, pull_steps=1000,
        settling_steps=round(settling_ns * 1000.0 / TIME_STEP), part_steps=part,
        parts=max(1, round(length_ns * 1000.0 / TIME_STEP / part)),
    )  # fmt: skip


def profile(options: argparse.Namespace) -> dict[str, Any]:
    """ΔG(z), log K and the checks."""
    asked = request(options.bead, options.length or 0.5, options.settling)
    samples = sample_profile(
        asked,
        options.store,
        workers=options.workers,
        progress=lambda done, total, what: print(f"{time.strftime('%H:%M:%S')} {done}/{total} {what}", flush=True),
    )
    found = partition_profile(samples, temperature=TEMPERATURE, molar_mass=asked.lipids[0][0].molar_mass)
    print("\n".join(profile_lines(found)))
    for z, value, error in zip(found.profile.z, found.profile.delta_g, found.standard_error):
        print(f"{z:6.2f} {value:8.2f} ± {error:.2f}")
    core = np.abs(found.profile.z) < 0.3
    return {
        "n_beads": asked.built.n_beads,
        "length_ns": asked.parts * asked.part_steps * TIME_STEP / 1000.0,
        "log_k_v": [found.log_k_v.value, found.log_k_v.standard_error],
        "log_k_m": None if found.log_k_m is None else [found.log_k_m.value, found.log_k_m.standard_error],
        "d_nm": found.depth,
        "area_nm2": [found.area_per_lipid.value, found.area_per_lipid.standard_error],
        "core_kJ_mol": [float(found.profile.delta_g[core].mean()), float(found.standard_error[core].mean())],
        "checks": [[*c.names, *c.log_k, c.standard_error, c.rms, c.largest, c.agrees] for c in found.comparisons],
        "overlap": found.overlap,
        "n_effective": found.n_effective,
        "remarks": list(found.remarks),
        "z_nm": found.profile.z.tolist(),
        "delta_g_kJ_mol": found.profile.delta_g.tolist(),
        "standard_error_kJ_mol": found.standard_error.tolist(),
    }


def transfer(options: argparse.Namespace) -> dict[str, Any]:
    """ΔG from water to hexadecane by the coupling path."""
    table, sampler = load_bead_table("martini3"), EngineSampler(options.store, workers=options.workers)
    solute = CGMolecule(name="MOL", beads=(Bead(name="S", bead_type=options.bead, mass=72.0),))
    legs = {}
    for name in ("water", "hexadecane"):
        asked = solvation_request(solute, find_phase(name, "martini3"), table, temperature=TEMPERATURE, seed=1)
        legs[name] = measure_solvation(asked, name, sampler, Effort(target_error=options.error / 2**0.5)).delta_g
    value = legs["hexadecane"].value - legs["water"].value
    error = float(np.hypot(*(leg.standard_error for leg in legs.values())))
    print(f"{options.bead} water → hexadecane {value:.2f} ± {error:.2f} kJ/mol")
    return {"delta_g_kJ_mol": [value, error]}


def free_system(asked: ProfileRequest) -> System:
    """The same bilayer with :data:`COPIES` of the bead in its water."""
    return build_bilayer(
        Leaflets(upper=asked.lipids), asked.size, asked.table,
        Solvent(water=asked.water, cation=asked.cation, anion=asked.anion),
        rng=np.random.default_rng(7), placements=[Placement(solute=asked.solute, count=COPIES, depth=3.2)],
    )  # fmt: skip


def count(options: argparse.Namespace) -> dict[str, Any]:
    """Where the beads are in a run without any restraint; ΔG from counts, error from ten blocks."""
    asked = request(options.bead, 0.5, options.settling)
    built, store = free_system(asked), RunStore(options.store)
    umbrella, settings = umbrella_of(built, asked), umbrella_settings(TEMPERATURE, 1.0)
    lipids, solutes = list(umbrella.lipids), list(umbrella.solute)
    masses = np.array([bead.mass for m, n in built.components for _ in range(n) for bead in m.beads])[lipids]
    key, system, heights = {"free": asked.pull_key(), "copies": COPIES}, None, []
    for part in range(round(options.length or 50.0)):
        name = hash_of({**key, "part": part})
        stored = store.load(name)
        if stored is not None:
            arrays = stored[0]
            system = built.with_coordinates(arrays["positions"], arrays["box"], arrays["velocities"])
            heights.append(arrays["heights"])
            continue
        if system is None:  # settled with all copies held together in the water, then let go
            system = equilibrated(
                built, replace(umbrella, solute=umbrella.solute[:1]), 3.2, temperature=TEMPERATURE, pressure=1.0,
                n_steps=asked.membrane_steps, seed=11,
            )  # fmt: skip
        run, seen = Simulation(system, settings, seed=1000 + part), []

        def look(s: Simulation, seen: list[np.ndarray] = seen) -> None:
            z = s.positions[solutes, 2] - np.average(s.positions[lipids, 2], weights=masses)
            seen.append(z - s.box[2] * np.round(z / s.box[2]))

        run.run(50_000, every=EVERY, observe=look)
        system, found = run.system(), np.array(seen)
        assert system.velocities is not None
        heights.append(found)
        store.save(
            name,
            {"heights": found, "positions": system.positions, "velocities": system.velocities, "box": system.box},
            {"part": part},
        )
    z = np.concatenate(heights[1:])  # the first nanosecond is left out
    reach = max(asked.targets)
    edges = np.round(np.arange(-reach, reach + 1e-9, PROFILE_STEP), 6)
    n_blocks = 10
    blocks = np.array([np.histogram(block, bins=edges)[0] for block in np.array_split(z, n_blocks)], dtype=float)

    def delta_g(counts: np.ndarray) -> np.ndarray:
        n = round(BULK / PROFILE_STEP)
        water = np.concatenate([counts[:n], counts[-n:]]).mean()
        with np.errstate(divide="ignore"):
            return np.asarray(-kt(TEMPERATURE) * np.log(counts / water))

    whole = delta_g(blocks.sum(axis=0))
    left_out = np.array([delta_g(blocks.sum(axis=0) - block) for block in blocks])  # jackknife
    errors = np.sqrt((n_blocks - 1) / n_blocks * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    middle = 0.5 * (edges[1:] + edges[:-1])
    for at, value, error in zip(middle, whole, errors):
        print(f"{at:6.2f} {value:8.2f} ± {error:.2f}")
    return {
        "frames": len(z), "length_ns": len(z) * EVERY * TIME_STEP / 1000.0, "z_nm": middle.tolist(),
        "delta_g_kJ_mol": whole.tolist(), "standard_error_kJ_mol": errors.tolist(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("profile", "transfer", "count"))
    parser.add_argument("bead")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--length", type=float, help="of each window, or of the free run [ns]")
    parser.add_argument("--settling", type=float, default=0.2, help="before the first frame of a window [ns]")
    parser.add_argument("--error", type=float, default=0.4, help="of the transfer [kJ/mol]")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    began = time.process_time()
    found = {"profile": profile, "transfer": transfer, "count": count}[options.what](options)
    print(f"{time.process_time() - began:.0f} s of this process")
    if options.json:
        every = json.loads(options.json.read_text()) if options.json.exists() else {}
        every[f"{options.what} {options.bead}"] = found
        atomic_write_bytes(options.json, (json.dumps(every, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
