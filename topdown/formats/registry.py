"""The formats a system can be exported to: one writer each, loaded when it is used, and what it does not carry over exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from topdown.errors import SettingsError
from topdown.formats.mdp import RunSettings
from topdown.model import CGMolecule, System

Notes = Callable[[System], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """A format to export to.

    Attributes
    ----------
    name, summary : str
    module, function : str
        Where its writer is: ``function(system, folder, *, name, settings) -> {what: path}``.
    has_settings : bool
        Whether temperature and pressure coupling go into its files; without, the writer takes no ``settings``.
    notes : callable
        What is not exactly the model for a given system, one sentence each.
    """

    name: str
    summary: str
    module: str
    function: str
    has_settings: bool
    notes: Notes

    def write(self, system: System, folder: Path, *, name: str, settings: RunSettings | None) -> dict[str, Path]:
        """Write all files; what → path.

        Raises
        ------
        TopdownError
            A system this format cannot hold, or settings for a format without any.
        """
        writer = getattr(import_module(self.module), self.function)
        if self.has_settings:
            files: dict[str, Path] = writer(system, folder, name=name, settings=settings)
            return files
        if settings is not None:
            raise SettingsError(f"{self.name} files hold no temperature or pressure", hint="leave those options out")
        files = writer(system, folder, name=name)
        return files


def _molecules(system: System) -> Iterable[CGMolecule]:
    return (molecule for molecule, count in system.components if count)


def _restrained(system: System) -> bool:
    return any(m.position_restraints or m.flat_bottom_restraints for m in _molecules(system))


def _restricted_bending(system: System) -> tuple[str, ...]:
    if any(angle.function == 10 for m in _molecules(system) for angle in m.angles):
        return ("restricted bending diverges in a straight line, where the bundled engine goes on with a finite force",)
    return ()


def _gromacs_notes(system: System) -> tuple[str, ...]:
    return (
        "coordinates are rounded to 0.001 nm in the .gro file",
        *_restricted_bending(system),
    )


def _openmm_notes(system: System) -> tuple[str, ...]:
    notes = ["the run script uses Langevin dynamics and Monte Carlo barostats: the same ensembles, another dynamics"]
    if _restrained(system):
        notes.append("reference points of restraints stay where they are when a barostat scales the box")
    return (*notes, *_restricted_bending(system))


def _lammps_notes(system: System) -> tuple[str, ...]:
    from topdown.formats.lammps_rigid import constraint_clusters

    clusters = [(m.name, c) for m in _molecules(system) if m.constraints for c in constraint_clusters(m)]
    held = {(name, c.holding) for name, c in clusters}
    notes = [
        f"some constraints of {name} become stiff bonds, which ask for a shorter time step (in.run sets it)"
        for name, holding in sorted(held)
        if holding == "stiff"
    ]
    notes += [
        f"{name} is a rigid body although its frame is a hinge, held by an improper dihedral: the hinge does not swing"
        for name in sorted({name for name, c in clusters if c.closed})
    ]
    if any(angle.function == 8 for m in _molecules(system) for angle in m.angles):
        notes.append("tabulated angles are written as tables of 18001 points, with splines between them")
    return (*notes, *_restricted_bending(system))


def _pdb_notes(system: System) -> tuple[str, ...]:
    notes = ["coordinates, names and bonds only: no interactions"]
    if system.n_beads > 99999:
        notes.append("bonds of the first 99,999 beads only, which is as far as the format can number them")
    return tuple(notes)


_FORMATS = (
    ExportFormat(
        name="gromacs",
        summary="GROMACS: top, itp, gro, ndx, mdp",
        module="topdown.formats.gromacs_write",
        function="write_gromacs",
        has_settings=True,
        notes=_gromacs_notes,
    ),
    ExportFormat(
        name="openmm",
        summary="OpenMM: serialised system and state, run script",
        module="topdown.formats.openmm",
        function="write_openmm",
        has_settings=True,
        notes=_openmm_notes,
    ),
    ExportFormat(
        name="lammps",
        summary="LAMMPS: data file, styles, inputs",
        module="topdown.formats.lammps",
        function="write_lammps",
        has_settings=True,
        notes=_lammps_notes,
    ),
    ExportFormat(
        name="pdb",
        summary="PDB coordinates with bonds, for viewers",
        module="topdown.formats.pdb",
        function="write_pdb",
        has_settings=False,
        notes=_pdb_notes,
    ),
)
EXPORT_FORMATS: dict[str, ExportFormat] = {entry.name: entry for entry in _FORMATS}


def export_format(name: str) -> ExportFormat:
    """The format of that name.

    Raises
    ------
    SettingsError
        No such format; the nearest, or all of them, are named.
    """
    if name.lower() in EXPORT_FORMATS:
        return EXPORT_FORMATS[name.lower()]
    near = get_close_matches(name.lower(), list(EXPORT_FORMATS), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(EXPORT_FORMATS)}"
    raise SettingsError(f"no format {name!r} to export to", hint=hint)
