"""A membrane system, from names of lipids to a relaxed box in files: build, minimise, relax in stages, measure, write, compare.

The run keeps ``request.json`` in the output folder, which says what was asked, beside the state of
:mod:`topdown.workflows.membrane_relaxation`, so that it can be continued.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from topdown import __version__
from topdown.building.bilayer import build_bilayer
from topdown.errors import SettingsError
from topdown.model import Measurement, System
from topdown.properties.bilayer_runs import least_edge
from topdown.properties.measurements import find_measurement
from topdown.properties.membrane import MembraneObservables, analyse_membrane, index_membrane
from topdown.resources import atomic_write_text
from topdown.sampling.bilayer_stages import stream
from topdown.workflows.engine_comparison import Comparison, compare_engines
from topdown.workflows.membrane_files import PROVENANCE_FILE, MembraneFiles, write_membrane, write_provenance
from topdown.workflows.membrane_gates import check_constraints, check_finite, check_models, check_start, check_written
from topdown.workflows.membrane_models import MembraneModels, membrane_models
from topdown.workflows.membrane_relaxation import (
    CHECKPOINT_FILE,
    SERIES_FILE,
    Progress,
    Relaxation,
    Report,
    relaxed,
)
from topdown.workflows.membrane_request import MembraneRequest, request_from_json

REQUEST_FILE: Final = "request.json"
_TOLERANCE: Final = 60.0


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneResult:
    """A membrane system and what was measured on it.

    Attributes
    ----------
    request : MembraneRequest
    models : MembraneModels
    system : System
        Final coordinates and velocities.
    start_distance : float
        Closest distance of two beads as built [nm].
    start_force : float
        Largest force on a bead as built [kJ/mol/nm].
    relaxation : Relaxation
    observables : MembraneObservables or None
        None when nothing was simulated.
    simulated_ns : float
        Length of the run at 20 fs.
    constraint_error : float
        Largest relative deviation of a constraint at the end.
    measured_area, measured_thickness : Measurement or None
        From experiment, for a bilayer of one lipid, at the nearest temperature.
    files : dict of str to Path
    comparisons : tuple of Comparison
        Energies of other programs for the files.
    notes : tuple of str
        What was not written or not compared, and why.
    seconds : dict of str to float
        Wall time of each stage; in no file, since it is never the same twice.
    """

    request: MembraneRequest
    models: MembraneModels
    system: System
    start_distance: float
    start_force: float
    relaxation: Relaxation
    observables: MembraneObservables | None
    simulated_ns: float
    constraint_error: float
    measured_area: Measurement | None
    measured_thickness: Measurement | None
    files: dict[str, Path]
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


class _Clock:
    """Passes progress on and sums up the wall time between changes of stage."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._stage, self._since = "", time.perf_counter()
        self.seconds: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            self.stop()
            self._stage = progress.stage
        if self._report is not None:
            self._report(progress)

    def stop(self) -> None:
        """End the present stage."""
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = "", now


def prepare_membrane(
    request: MembraneRequest,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    compare: bool = True,
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
    compare : bool
        Ask GROMACS, OpenMM and LAMMPS, where they are installed, for the energy of the files.
    progress : callable, optional
        Called with a :class:`Progress` now and then.

    Raises
    ------
    TopdownError
        Input that cannot be used, a run that failed, or a gate that was not passed.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    tell = _Clock(progress)
    request = _begun(request, folder, resume=resume, overwrite=overwrite)
    tell(Progress(stage="build", total_ns=request.relax_ns))
    models = membrane_models(request)
    system = build_membrane(request, models)
    check_models(system)
    start_distance = check_start(system, models.lipid_names)
    start_force = check_finite(system, "as built")
    index = index_membrane(system, models.lipid_names)
    _begin(request, folder, resume=resume)
    relaxation = relaxed(system, index, request, folder, resume=resume, tell=tell)
    tell(Progress(stage="write"))
    final = relaxation.simulation.system()
    check_finite(final, "as relaxed")
    simulated = relaxation.simulation.time / 1000.0 if request.relax_ns > 0 else 0.0
    note = f"After {simulated:.3g} ns at {request.temperature:g} K." if simulated else "As built and minimised."
    files = write_membrane(final, models, request, folder, viewer_note=note)
    check_written(final, files.gromacs)
    comparisons, notes = _compared(final, files, tell) if compare else ((), ())
    area, thickness = measured_for(request, models)
    result = MembraneResult(
        request=request,
        models=models,
        system=final,
        start_distance=start_distance,
        start_force=start_force,
        relaxation=relaxation,
        observables=analyse_membrane(relaxation.series, index) if request.relax_ns > 0 else None,
        simulated_ns=simulated,
        constraint_error=check_constraints(final),
        measured_area=area,
        measured_thickness=thickness,
        files={**files.all(), "report": folder / "report.json", "provenance": folder / PROVENANCE_FILE},
        comparisons=comparisons,
        notes=(*files.notes, *notes),
        seconds=tell.seconds,
    )
    text = json.dumps(report_data(result, folder), indent=2, allow_nan=False)
    atomic_write_text(result.files["report"], text + "\n")
    write_provenance(final, models, request, result.files, folder)
    tell.stop()
    return result


def _compared(system: System, files: MembraneFiles, tell: _Clock) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Energies of what was written in other programs, and which of these could not be asked."""
    tell(Progress(stage="compare"))
    return compare_engines(system, files.gromacs, files.openmm, files.lammps)


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


def build_membrane(request: MembraneRequest, models: MembraneModels | None = None) -> System:
    """The system a request asks for, before any dynamics; the same request gives the same system.

    Parameters
    ----------
    request : MembraneRequest
    models : MembraneModels, optional
        Those of the request, when they are loaded already.

    Raises
    ------
    TopdownError
        An unknown table, lipid or molecule, or a box too small for the cut-off or the bilayer.
    """
    models = models or membrane_models(request)
    if min(request.size) < (least := least_edge(models.table)):
        raise SettingsError(
            f"a box edge of {min(request.size):g} nm is shorter than twice the cut-off with its buffer, {least:g} nm",
            where="--size",
        )
    return build_bilayer(
        models.leaflets,
        request.size,
        models.table,
        models.solvent,
        rng=stream(request.seed, 0),
        placements=models.placements,
        area_per_lipid=models.areas,
    )


# -- telling ---------------------------------------------------------------------------------------------------------


def measured_for(
    request: MembraneRequest, models: MembraneModels | None = None
) -> tuple[Measurement | None, Measurement | None]:
    """Measured area per lipid and D_HH of a bilayer of one lipid, at the nearest temperature within 60 K."""
    lipids = list((models or membrane_models(request)).lipids.values())
    if len(lipids) != 1 or not lipids[0].canonical_smiles:
        return None, None
    key, temperature = lipids[0].canonical_smiles, request.temperature
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


def report_data(result: MembraneResult, folder: Path) -> dict[str, object]:
    """The contents of ``report.json``; nothing in it depends on the machine's speed or on where ``folder`` is."""
    request, seen, system = result.request, result.observables, result.system
    data: dict[str, object] = {
        "topdown": __version__,
        "request": request.as_json(),
        "table": {"name": system.table.name, "version": system.table.version},
        "molecules": [[molecule.name, count] for molecule, count in system.components],
        "n_beads": system.n_beads,
        "box_nm": [float(edge) for edge in system.box],
        "start_min_distance_nm": result.start_distance,
        "start_max_force_kJ_mol_nm": result.start_force,
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
    if request.relax_ns > 0:
        data["relaxation"] = result.relaxation.steadiness.as_json()
    data["gates"] = {
        "constraint_error": result.constraint_error,
        "engines": [comparison.as_json() for comparison in result.comparisons],
    }
    data["notes"] = list(result.notes)
    data["measured"] = {
        "area_per_lipid": _measured_json(result.measured_area),
        "thickness_DHH": _measured_json(result.measured_thickness),
    }
    data["files"] = sorted(str(path.relative_to(folder)) for path in result.files.values())
    return data
