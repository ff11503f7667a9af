"""``topdown membrane analyse``: what a trajectory of a bilayer shows, in numbers with errors, profiles and plots.

Any topology and trajectory of a bilayer with its normal along z will do: GROMACS's own, or those that ``topdown membrane`` and
``topdown run`` wrote. A folder is searched for both; one that ``topdown membrane`` has just made holds no trajectory, but areas
and densities of every frame, and those are then averaged.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown import __version__
from topdown.errors import InputFileError, SettingsError, TopdownError
from topdown.formats.gromacs_read import Topology, read_topology
from topdown.formats.trajectory import TrajectoryFrame, read_trajectory
from topdown.model import Estimate, System
from topdown.properties.membrane import MembraneSeries
from topdown.properties.membrane_averages import MembraneStructure, analyse_structure
from topdown.properties.membrane_diffusion import LateralDiffusion
from topdown.properties.membrane_parts import MembraneParts, find_lipids, membrane_parts
from topdown.properties.membrane_structure import (
    StructureSeries,
    join_structures,
    observe_structure,
    without_coordinates,
)
from topdown.resources import atomic_write_bytes, atomic_write_text
from topdown.workflows.membrane_relaxation import SERIES_FILE
from topdown.workflows.run_files import RUN_FILE, request_of_run
from topdown.workflows.run_request import RunRequest

_TRAJECTORIES: Final = (".xtc", ".trr", ".dcd")
_STRUCTURES: Final = (".gro", ".pdb")
_MOST_NAMED: Final = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneAnalysis:
    """An analysed trajectory.

    Attributes
    ----------
    topology, trajectory : Path
    lipids : tuple of str
    structure : MembraneStructure
    files : dict of str to Path
        What was written.
    """

    topology: Path
    trajectory: Path
    lipids: tuple[str, ...]
    structure: MembraneStructure
    files: dict[str, Path]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for files and programs."""
        return analysis_data(self)


def analyse_membrane_run(
    target: Path,
    trajectory: Path | None = None,
    *,
    lipids: Sequence[str] = (),
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    output: Path | None = None,
    plots: bool = True,
) -> MembraneAnalysis:
    """Analyse a bilayer and write ``analysis.json``, ``profiles.csv`` and, with ``plots``, PNG figures.

    Parameters
    ----------
    target : Path
        A topology (``.top``), or a folder that holds one and a trajectory.
    trajectory : Path, optional
        ``.xtc``, ``.trr``, ``.dcd`` or a ``.gro`` of many frames; to be given with a topology.
    lipids : sequence of str
        Molecules that make up the bilayer; those that look like lipids where none are named.
    start, stop, stride : int
        Which frames, as in a slice.
    output : Path, optional
        Folder for the results; by default ``target``, or the folder of the trajectory.
    plots : bool

    Raises
    ------
    TopdownError
        Files that are missing, unreadable or of another system, or too few frames.
    """
    if plots:
        from topdown.report.coupling_plots import require_matplotlib

        require_matplotlib()
    run = request_of_run(target) if (target / RUN_FILE).is_file() else None
    top, path = find_inputs(target, trajectory, run)
    if run is not None:
        topology = read_topology(top, dict(run.defines), include=run.include, scheme=run.scheme)
    else:
        topology = read_topology(top)
    if path.name == SERIES_FILE:
        series, parts, names = read_stored(topology, path, lipids=lipids, frames=slice(start, stop, stride))
    else:
        series, parts, names = read_structure(topology, path, lipids=lipids, start=start, stop=stop, stride=stride)
    structure = analyse_structure(series, parts)
    folder = output or (target if target.is_dir() else path.parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"cannot write there: {error.strerror}", where=str(folder)) from None
    result = MembraneAnalysis(topology=top, trajectory=path, lipids=names, structure=structure, files={})
    result.files["profiles"] = atomic_write_text(folder / "profiles.csv", profiles_csv(structure))
    if plots:
        from topdown.report.membrane_plots import order_figure, profile_figure, time_figure

        figures = {"density": profile_figure(series, structure), "time": time_figure(series, structure)}
        if any(lipid.order for lipid in structure.lipids):
            figures["order"] = order_figure(structure)
        for name, figure in figures.items():
            result.files[name] = folder / f"{name}.png"
            atomic_write_bytes(result.files[name], figure)
    result.files["json"] = folder / "analysis.json"
    atomic_write_text(result.files["json"], json.dumps(result.as_json(), indent=1, allow_nan=False) + "\n")
    return result


# -- finding and reading ---------------------------------------------------------------------------------------------


def find_inputs(target: Path, trajectory: Path | None, run: RunRequest | None = None) -> tuple[Path, Path]:
    """Topology and trajectory of what the user named; ``run``, what the run in that folder was asked to do, if there was one.

    Raises
    ------
    InputFileError
        Nothing there, or more than one candidate.
    """
    if not target.exists():
        raise InputFileError("no such file or folder", where=str(target))
    if target.is_dir():
        top = run.topology if run is not None else _topology_of(target)
        stored = target / SERIES_FILE
        if trajectory is None and stored.is_file() and not _of_kind(target, _TRAJECTORIES):
            return top, stored
        return top, trajectory or _only(target, _TRAJECTORIES, "trajectory")
    if target.suffix.lower() != ".top":
        raise InputFileError(
            "this is no topology", where=str(target), hint="name a .top and a trajectory, or a folder that holds both"
        )
    if trajectory is None:
        raise InputFileError(
            "a topology needs a trajectory beside it",
            where=str(target),
            hint=f"topdown membrane analyse {target} TRAJECTORY",
        )
    if trajectory.suffix.lower() not in (*_TRAJECTORIES, *_STRUCTURES):
        raise InputFileError(
            "this is no trajectory", where=str(trajectory), hint=f"of kind {', '.join((*_TRAJECTORIES, '.gro'))}"
        )
    return target, trajectory


def _topology_of(folder: Path) -> Path:
    """``system.top``, or the only one there is."""
    known = folder / "system.top"
    return known if known.is_file() else _only(folder, (".top",), "topology")


def _of_kind(folder: Path, endings: Sequence[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings and path.is_file())


def _only(folder: Path, endings: Sequence[str], what: str) -> Path:
    found = _of_kind(folder, endings)
    if len(found) == 1:
        return found[0]
    if not found:
        hint = "run the system first, for instance with topdown run or gmx mdrun" if what == "trajectory" else ""
        raise InputFileError(f"the folder holds no {what} ({', '.join(endings)})", where=str(folder), hint=hint)
    names = ", ".join(path.name for path in found[:_MOST_NAMED]) + (" …" if len(found) > _MOST_NAMED else "")
    raise InputFileError(
        f"the folder holds more than one {what}: {names}", where=str(folder), hint="name the one you mean"
    )


def read_structure(
    topology: Topology,
    trajectory: Path,
    *,
    lipids: Sequence[str] = (),
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
) -> tuple[StructureSeries, MembraneParts, tuple[str, ...]]:
    """Every frame reduced to what is measured; also the parts that were looked at, and the lipids.

    Raises
    ------
    TopdownError
        A trajectory that cannot be read, of another system, or without a rectangular box.
    """
    n_beads = sum(molecule.n_beads * count for molecule, count in topology.components)
    frames: list[StructureSeries] = []
    system: System | None = None
    parts: MembraneParts | None = None
    names: tuple[str, ...] = tuple(lipids)
    last = -np.inf
    for frame in _frames(trajectory, n_beads, start, stop, stride):
        if system is None:
            system = System(
                table=topology.table, components=topology.components, positions=frame.positions, box=frame.box
            )
            names = names or find_lipids(system)
            parts = membrane_parts(system, names)
        assert parts is not None
        time = frame.time if np.isfinite(frame.time) else float(frame.step)
        if time <= last:
            continue  # frames that a run which was continued wrote twice
        last = time
        whole = system.with_coordinates(frame.positions, frame.box).whole()
        frames.append(observe_structure(whole.positions, frame.box, time, parts))
    if parts is None:
        raise InputFileError("there is no frame in it", where=str(trajectory), hint="is it empty, or --start too late?")
    return join_structures(frames), parts, names


def read_stored(
    topology: Topology, path: Path, *, lipids: Sequence[str], frames: slice
) -> tuple[StructureSeries, MembraneParts, tuple[str, ...]]:
    """The frames that ``topdown membrane`` kept while it relaxed a bilayer: areas and densities, no coordinates.

    Raises
    ------
    TopdownError
        A file that cannot be read, or lipids that the system does not hold.
    """
    n_beads = sum(molecule.n_beads * count for molecule, count in topology.components)
    system = System(
        table=topology.table, components=topology.components, positions=np.zeros((n_beads, 3)), box=np.ones(3)
    )
    names = tuple(lipids) or find_lipids(system)
    try:
        with np.load(path, allow_pickle=False) as stored:
            series = MembraneSeries(**{name: stored[name][frames] for name in stored.files})
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, TopdownError) as error:
        raise InputFileError(f"the stored frames cannot be read: {error}", where=str(path)) from None
    structure, parts = without_coordinates(series, membrane_parts(system, names))
    return structure, parts, names


def _frames(trajectory: Path, n_beads: int, start: int, stop: int | None, stride: int) -> Iterator[TrajectoryFrame]:
    for number, frame in enumerate(read_trajectory(trajectory, n_beads=n_beads, start=start, stop=stop, stride=stride)):
        if not (np.all(np.isfinite(frame.positions)) and np.all(np.isfinite(frame.box))):
            raise InputFileError(
                f"frame {start + number * stride} holds numbers that are not finite", where=str(trajectory)
            )
        if float(frame.box.min()) <= 0:
            raise InputFileError(f"frame {start + number * stride} has no box", where=str(trajectory))
        yield frame


def parse_names(text: str) -> tuple[str, ...]:
    """``"POPC,CHOL"`` → names.

    Raises
    ------
    SettingsError
        An empty name.
    """
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise SettingsError(f"--lipids {text!r} has an empty entry", hint="for instance POPC,CHOL")
    return names


# -- telling ---------------------------------------------------------------------------------------------------------


def _plain(estimate: Estimate | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {
        "value": estimate.value,
        "standard_error": estimate.standard_error,
        "n_effective": estimate.n_effective,
    }


def _diffusion_data(found: LateralDiffusion | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        **(_plain(found.coefficient) or {}),
        "lags_ps": list(found.lags),
        "box_edge_nm": found.edge,
        "corrected_for_box": False,
    }


def analysis_data(result: MembraneAnalysis) -> dict[str, Any]:
    """The contents of ``analysis.json``."""
    seen = result.structure
    return {
        "topdown": __version__,
        "topology": str(result.topology),
        "trajectory": str(result.trajectory),
        "lipids": list(result.lipids),
        "frames": seen.n_frames,
        "from_ns": seen.first_ps / 1000.0,
        "to_ns": seen.last_ps / 1000.0,
        "equilibration_ns": seen.left_out_ps / 1000.0,
        "area_per_lipid_nm2": _plain(seen.area_per_lipid),
        "area_per_lipid_upper_nm2": _plain(seen.area_upper),
        "area_per_lipid_lower_nm2": _plain(seen.area_lower),
        "thickness_nm": {"DHH": _plain(seen.d_hh), "DB": _plain(seen.d_b), "2DC": _plain(seen.d_c)},
        "species": [
            {
                "name": lipid.name,
                "upper": lipid.upper,
                "lower": lipid.lower,
                "voronoi_area_upper_nm2": _plain(lipid.cell_area_upper),
                "voronoi_area_lower_nm2": _plain(lipid.cell_area_lower),
                "order_P2": {bond: _plain(order) for bond, order in lipid.order},
                "lateral_diffusion_um2_s": _diffusion_data(lipid.diffusion),
            }
            for lipid in seen.lipids
        ],
        "solutes": [
            {
                "name": solute.name,
                "copies": solute.n_copies,
                "depth_nm": _plain(solute.depth),
                "axis_P2": _plain(solute.axis_order),
                "polar_end_outward_cosine": _plain(solute.outward),
            }
            for solute in seen.solutes
        ],
        "intact": not seen.problems,
        "problems": list(seen.problems),
        "notes": list(seen.notes),
        "files": sorted(path.name for path in result.files.values()),
    }


def profiles_csv(structure: MembraneStructure) -> str:
    """Number densities [nm⁻³] along z [nm], each with its standard error, over the part of z where anything is."""
    total = np.sum([profile.density for profile in structure.profiles.values()], axis=0)
    shown = np.flatnonzero(total > 0)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["z_nm", *(column for name in structure.profiles for column in (name, f"{name} error"))])
    for k in range(int(shown[0]), int(shown[-1]) + 1):
        values = [v for p in structure.profiles.values() for v in (p.density[k], p.standard_error[k])]
        writer.writerow([f"{structure.z[k]:.3f}", *(f"{value:.5g}" for value in values)])
    return buffer.getvalue()
