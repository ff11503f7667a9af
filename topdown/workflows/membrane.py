"""A membrane system, from names of lipids to a relaxed box in files: build, minimise, relax in stages, measure, write.

The run keeps ``request.json`` in the output folder, which says what was asked, beside the state of
:mod:`topdown.workflows.membrane_relaxation`, so that it can be continued.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from topdown import __version__
from topdown.building.bilayer import Leaflets, Placement, Solvent, build_bilayer
from topdown.building.packing import closest_distance
from topdown.engine import SimulationSettings, potential_energy
from topdown.errors import SettingsError, SimulationError
from topdown.formats.atomic import atomic_write_text
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.formats.gromacs_write import write_gromacs
from topdown.formats.mdp import RunSettings
from topdown.formats.pdb import pdb_text
from topdown.model import CGMolecule, Measurement, System
from topdown.properties.measurements import find_measurement
from topdown.properties.membrane import MembraneObservables, analyse_membrane, index_membrane
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows.membrane_relaxation import CHECKPOINT_FILE, SERIES_FILE, Progress, Report, generator, relaxed
from topdown.workflows.membrane_request import MembraneRequest, request_from_json

REQUEST_FILE: Final = "request.json"
#: A start whose beads are closer than this is refused [nm].
_CLOSEST_START: Final = 0.28
_TOLERANCE: Final = 60.0


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneResult:
    """A membrane system and what was measured on it.

    Attributes
    ----------
    request : MembraneRequest
    system : System
        Final coordinates and velocities.
    start_distance : float
        Closest distance of two beads as built [nm].
    observables : MembraneObservables or None
        None when nothing was simulated.
    simulated_ns : float
        Length of the run at 20 fs.
    measured_area, measured_thickness : Measurement or None
        From experiment, for a bilayer of one lipid, at the nearest temperature.
    files : dict of str to Path
    """

    request: MembraneRequest
    system: System
    start_distance: float
    observables: MembraneObservables | None
    simulated_ns: float
    measured_area: Measurement | None
    measured_thickness: Measurement | None
    files: dict[str, Path]


def prepare_membrane(
    request: MembraneRequest,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Report | None = None,
) -> MembraneResult:
    """Build, relax and write a membrane system.

    Parameters
    ----------
    request : MembraneRequest
    folder : Path
        Made when missing.
    resume : bool
        Continue the run in ``folder``; ``request.relax_ns`` may be longer than before.
    overwrite : bool
        Start anew although ``folder`` holds a run.
    progress : callable, optional
        Called with a :class:`Progress` now and then.

    Raises
    ------
    TopdownError
        Input that cannot be used, or a run that failed.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    tell = progress or (lambda _: None)
    request = _begun(request, folder, resume=resume, overwrite=overwrite)
    tell(Progress(stage="build", total_ns=request.relax_ns))
    system = build_membrane(request)
    start_distance = check_start(system)
    lipids = {molecule.name for molecule in _lipid_models(request)}
    index = index_membrane(system, lipids)
    _begin(request, folder, resume=resume)
    simulation, series = relaxed(system, index, request, folder, resume=resume, tell=tell)
    final = simulation.system()
    files = write_gromacs(final, folder, name="system", groups=_groups(final, lipids), settings=_run_settings(request))
    check_written(final, files["top"], files["gro"])
    files["pdb"] = atomic_write_text(folder / "system.pdb", pdb_text(final))
    area, thickness = measured_for(request)
    result = MembraneResult(
        request=request,
        system=final,
        start_distance=start_distance,
        observables=analyse_membrane(series, index) if request.relax_ns > 0 else None,
        simulated_ns=simulation.time / 1000.0 if request.relax_ns > 0 else 0.0,
        measured_area=area,
        measured_thickness=thickness,
        files={**files, "report": folder / "report.json"},
    )
    text = json.dumps(report_data(result), indent=2, allow_nan=False)
    atomic_write_text(result.files["report"], text + "\n")
    return result


# -- asking and building ---------------------------------------------------------------------------------------------


def _begun(request: MembraneRequest, folder: Path, *, resume: bool, overwrite: bool) -> MembraneRequest:
    """The request as it will run, after a look at what ``folder`` already holds."""
    if resume:
        earlier = request_from_json(folder / REQUEST_FILE)
        request = replace(request, frame_ps=earlier.frame_ps)
        different = request.same_run(earlier)
        if different:
            theirs = earlier.as_json()[different]
            raise SettingsError(
                f"the run in {folder} was started with another {different}: {theirs}",
                hint="give the same settings, only --relax may change",
            )
        return request
    if (folder / CHECKPOINT_FILE).exists() and not overwrite:
        raise SettingsError(
            f"{folder} already holds a membrane run", hint="--continue it, --overwrite it, or choose another folder"
        )
    # Short runs keep more frames, so that the averages always have some two hundred.
    frame_ps = min(request.frame_ps, max(request.relax_ns * 1000.0 / 200.0, 0.1)) if request.relax_ns else 10.0
    return replace(request, frame_ps=max(round(frame_ps / 0.02), 1) * 0.02)


def _begin(request: MembraneRequest, folder: Path, *, resume: bool) -> None:
    """Write down what runs; a new run removes the state of an older one first."""
    if not resume:
        for name in (CHECKPOINT_FILE, CHECKPOINT_FILE + ".previous", SERIES_FILE):
            (folder / name).unlink(missing_ok=True)
    text = json.dumps({"topdown": __version__, "request": request.as_json()}, indent=2)
    atomic_write_text(folder / REQUEST_FILE, text + "\n")


def _lipid_models(request: MembraneRequest) -> tuple[CGMolecule, ...]:
    names = dict.fromkeys(name for name, _ in (*request.lipids, *request.lower_lipids))
    return tuple(load_molecule(request.table, name) for name in names)


def build_membrane(request: MembraneRequest) -> System:
    """The system a request asks for, before any dynamics; the same request gives the same system.

    Raises
    ------
    TopdownError
        An unknown table, lipid or molecule, or a box too small for the cut-off or the bilayer.
    """
    table = load_bead_table(request.table)
    reach = table.scheme.cutoff + SimulationSettings().list_buffer
    if min(request.size) < 2 * reach:
        raise SettingsError(
            f"a box edge of {min(request.size):g} nm is shorter than twice the cut-off with its buffer, {2 * reach:g} nm",
            where="--size",
        )
    models = {name: load_molecule(request.table, name) for name, _ in (*request.lipids, *request.lower_lipids)}
    upper, lower = (
        tuple((models[name], share) for name, share in shares) for shares in (request.lipids, request.lower_lipids)
    )
    placements = []
    if request.smiles:
        from topdown.mapping import map_molecule

        solute = map_molecule(request.smiles, table, name=request.solute_name, conformers=True, seed=request.seed)
        placements.append(Placement(solute=solute, count=request.count, depth=request.depth()))
    water, cation, anion = (load_molecule(request.table, name) for name in ("W", "NA", "CL"))
    used = {bead for m in (*models.values(), water, cation, anion) for bead in m.type_names}
    used |= {bead for placement in placements for bead in placement.solute.type_names}
    return build_bilayer(
        Leaflets(upper=upper, lower=lower),
        request.size,
        table.subset(used),
        Solvent(water=water, cation=cation, anion=anion, salt_molarity=request.salt),
        rng=generator(request, 0),
        placements=placements,
    )


def check_start(system: System) -> float:
    """Gate before any dynamics: no overlap, no net charge, finite energy. Returns the closest distance [nm].

    Raises
    ------
    SimulationError
        The system as built cannot be run.
    """
    distance = closest_distance(system)
    if distance < _CLOSEST_START:
        raise SimulationError(
            f"two beads are only {distance:.3f} nm apart after building", hint="try a larger box or another --seed"
        )
    charge = sum(molecule.charge * count for molecule, count in system.components)
    if abs(charge) > 1e-4:
        raise SimulationError(f"the system has a net charge of {charge:g} e", hint="ions of the table do not fit")
    terms = potential_energy(system)
    if not (np.isfinite(terms.potential) and np.all(np.isfinite(terms.forces))):
        raise SimulationError("the energy of the system as built is not a finite number", hint="try another --seed")
    return distance


def check_written(system: System, top: Path, gro: Path) -> None:
    """Gate after writing: what was written is read back, and must be the same molecules with nearly the same energy.

    Raises
    ------
    SimulationError
        The files do not say what the system is.
    """
    back = read_gromacs_topology(top, gro)
    mine = [(m.n_beads, m.type_names, m.charge) for m, count in system.components for _ in range(count)]
    theirs = [(m.n_beads, m.type_names, m.charge) for m, count in back.components for _ in range(count)]
    if mine != theirs:
        raise SimulationError(f"{top} and {gro} do not hold the molecules that were built")
    here, there = potential_energy(system).potential, potential_energy(back).potential
    # Coordinates are rounded to 0.001 nm in the file.
    if not abs(here - there) <= 0.02 * abs(here):
        raise SimulationError(f"energy {there:.1f} kJ/mol read back from {gro}, {here:.1f} kJ/mol before")


# -- telling ---------------------------------------------------------------------------------------------------------


def _run_settings(request: MembraneRequest) -> RunSettings:
    return RunSettings(temperature=request.temperature, coupling="semiisotropic", seed=request.seed)


def _groups(system: System, lipids: set[str]) -> dict[str, list[int]]:
    """Index groups that membrane runs couple: ``Membrane``, ``Solvent``, and ``Solute`` when there is one."""
    groups: dict[str, list[int]] = {"Membrane": [], "Solute": [], "Solvent": []}
    for molecule, start in system.molecules():
        solvent = molecule.n_beads == 1 and molecule.name in ("W", "NA", "CL")
        name = "Membrane" if molecule.name in lipids else "Solvent" if solvent else "Solute"
        groups[name] += range(start, start + molecule.n_beads)
    return {name: beads for name, beads in groups.items() if beads}


def measured_for(request: MembraneRequest) -> tuple[Measurement | None, Measurement | None]:
    """Measured area per lipid and D_HH of a bilayer of one lipid, at the nearest temperature within 60 K."""
    models = _lipid_models(request)
    if len(models) != 1 or not models[0].canonical_smiles:
        return None, None
    key, temperature = models[0].canonical_smiles, request.temperature
    return (
        find_measurement("area_per_lipid", key, "bilayer", temperature, tolerance=_TOLERANCE),
        find_measurement("thickness", key, "DHH", temperature, tolerance=_TOLERANCE),
    )


def _measured_json(row: Measurement | None) -> dict[str, object] | None:
    if row is None:
        return None
    return {
        "value": row.value,
        "uncertainty": row.uncertainty,
        "unit": row.unit,
        "temperature_K": row.temperature,
        "reference": row.reference,
    }


def report_data(result: MembraneResult) -> dict[str, object]:
    """The contents of ``report.json``; nothing in it depends on the machine's speed."""
    request, seen, system = result.request, result.observables, result.system
    data: dict[str, object] = {
        "topdown": __version__,
        "request": request.as_json(),
        "table": {"name": system.table.name, "version": system.table.version},
        "molecules": [[molecule.name, count] for molecule, count in system.components],
        "n_beads": system.n_beads,
        "box_nm": [float(edge) for edge in system.box],
        "start_min_distance_nm": result.start_distance,
        "simulated_ns": result.simulated_ns,
    }
    if seen is not None:
        data |= {
            "area_per_lipid_nm2": seen.area_per_lipid.value,
            "standard_error": seen.area_per_lipid.standard_error,
            "n_effective": seen.area_per_lipid.n_effective,
            "thickness_nm": seen.thickness.value,
            "thickness_error_nm": seen.thickness.standard_error,
            "luzzati_thickness_nm": None if seen.luzzati is None else seen.luzzati.value,
            "luzzati_error_nm": None if seen.luzzati is None else seen.luzzati.standard_error,
            "equilibration_ns": seen.equilibration_ps / 1000.0,
            "averaged_ns": seen.simulated_ps / 1000.0,
            "intact": not seen.problems,
            "problems": list(seen.problems),
        }
    data["measured"] = {
        "area_per_lipid": _measured_json(result.measured_area),
        "thickness_DHH": _measured_json(result.measured_thickness),
    }
    data["files"] = sorted(path.name for path in result.files.values())
    return data
