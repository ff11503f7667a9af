"""Any of our models, or any Martini system in GROMACS files, as the files of another program."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from topdown.building.single import single_molecule
from topdown.errors import BeadTableError, InputFileError, SettingsError, TopologyError
from topdown.formats.gro import read_gro
from topdown.formats.gromacs_read import read_gromacs_topology, read_topology
from topdown.formats.gromacs_write import force_field_itp
from topdown.formats.mdp import RunSettings
from topdown.formats.naming import plain
from topdown.formats.preprocessor import preprocess
from topdown.formats.registry import export_format
from topdown.model import BeadTable, CGMolecule, System
from topdown.tables import load_bead_table, load_bead_types, load_molecule
from topdown.tables.molecules import read_molecule
from topdown.workflows.run_files import FINAL_FILE, RUN_FILE, request_of_run

_DEFAULT_TABLE = "martini3"
Box = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class ExportSource:
    """What is to be exported.

    Attributes
    ----------
    source : str
        A ``.top`` file; an ``.itp`` file or a molecule ``.toml``; a folder written by ``topdown membrane``, ``map``, ``run`` or
        ``export``; or the name of a curated model.
    coordinates : Path or None
        ``.gro`` file of a topology.
    table : str
        Bead table of a single molecule, by name or folder; empty for the one it names itself, or martini3.
    box : (float, float, float) or None
        Edges for a single molecule [nm].
    defines : mapping
    include : sequence of Path
    reference : Path or None
        As for :func:`topdown.formats.read_gromacs_topology`.
    """

    source: str
    coordinates: Path | None = None
    table: str = ""
    box: Box | None = None
    defines: Mapping[str, str] | None = None
    include: Sequence[Path] = ()
    reference: Path | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportResult:
    """What was written.

    Attributes
    ----------
    system : System
    to : str
        Name of the format.
    folder : Path
    files : dict of str to Path
    notes : tuple of str
        What is not exactly the model.
    """

    system: System
    to: str
    folder: Path
    files: dict[str, Path]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "to": self.to,
            "title": self.system.title,
            "molecules": [[molecule.name, count] for molecule, count in self.system.components],
            "n_beads": self.system.n_beads,
            "box_nm": [float(edge) for edge in self.system.box],
            "files": {what: str(path) for what, path in self.files.items()},
            "notes": list(self.notes),
        }


def export(
    source: ExportSource, to: str, folder: Path | None = None, *, settings: RunSettings | None = None
) -> ExportResult:
    """Read a system or a molecule and write it in another format.

    Parameters
    ----------
    source : ExportSource
    to : str
        A format of :data:`topdown.formats.registry.EXPORT_FORMATS`.
    folder : Path, optional
        Made when missing; by default named after source and format, in the current one.
    settings : RunSettings, optional
        Temperature and pressure coupling of the run parameters that are written along.

    Raises
    ------
    TopdownError
        A source that cannot be read, a format that does not exist or cannot hold the system, or a folder that holds the source.
    """
    chosen = export_format(to)
    name, system, origin = _read(source)
    target = folder or Path(f"{_stem(source.source) or name}-{chosen.name}")
    if target.resolve() == origin:
        raise SettingsError(f"{target} holds what is to be exported", hint="choose another folder with -o")
    try:
        files = chosen.write(system, target, name=name, settings=settings)
    except OSError as error:
        raise InputFileError(f"cannot write there: {error.strerror}", where=str(target)) from None
    return ExportResult(system=system, to=chosen.name, folder=target, files=files, notes=chosen.notes(system))


def _stem(source: str) -> str:
    """What a file or folder is called; nothing for the name of a model."""
    path = Path(source).resolve()
    if path.is_dir():
        return path.name
    return path.stem if path.is_file() else ""


def _read(source: ExportSource) -> tuple[str, System, Path | None]:
    """Stem of the files to write, the system, and the folder it was read from."""
    path = Path(source.source)
    if path.is_dir():
        return _from_folder(source, path)
    if path.is_file() and path.suffix == ".top":
        if source.coordinates is None:
            raise SettingsError(f"{path.name} needs coordinates", hint="give --conf CONF.gro")
        return _from_topology(source, path, source.coordinates)
    if source.coordinates is not None or source.reference is not None or source.defines or source.include:
        raise SettingsError("coordinates, macros and include folders go with a .top file", where=source.source)
    if path.is_file() and path.suffix in (".itp", ".toml"):
        molecule, table = (molecule_of_itp if path.suffix == ".itp" else _molecule_of_toml)(path, source.table)
        return _alone(source, molecule, table, path.resolve().parent)
    if path.is_file() or path.suffix in (".top", ".itp", ".toml") or path.name != source.source:
        reason = f"{path.suffix or 'this'} is nothing to export" if path.is_file() else "no such file or folder"
        raise InputFileError(
            reason, where=source.source, hint="a .top, .itp or .toml file, a folder, or the name of a model"
        )
    table_name = source.table or _DEFAULT_TABLE
    try:
        model = load_molecule(table_name, source.source)
    except BeadTableError as error:
        raise InputFileError(f"no such file or folder; {error}", where=source.source) from None
    return _alone(source, model, load_bead_table(table_name), None)


def _alone(
    source: ExportSource, molecule: CGMolecule, table: BeadTable, origin: Path | None
) -> tuple[str, System, Path | None]:
    """One molecule in a box wide enough that it does not see its own image."""
    reach = 2.0 * table.scheme.cutoff
    if source.box is not None and min(source.box) < reach:
        raise SettingsError(
            f"a box edge of {min(source.box):g} nm is shorter than twice the cut-off, {reach:g} nm", where="--box"
        )
    system = single_molecule(molecule, table, rim=1.1 * table.scheme.cutoff, box=source.box)
    return plain(molecule.name, default="molecule"), system, origin


def _from_topology(source: ExportSource, top: Path, gro: Path) -> tuple[str, System, Path | None]:
    if source.box is not None or source.table:
        raise SettingsError("--box and --table are for single molecules", where=str(top))
    system = read_gromacs_topology(top, gro, defines=source.defines, include=source.include, reference=source.reference)
    return plain(top.stem, default="system"), system, top.resolve().parent


def _from_folder(source: ExportSource, folder: Path) -> tuple[str, System, Path | None]:
    """A system in ``.top`` and ``.gro``, a run and its final coordinates, or a single mapped molecule."""
    if (folder / RUN_FILE).is_file():
        return _from_run(source, folder)
    tops, itps = sorted(folder.glob("*.top")), sorted(folder.glob("*.itp"))
    if len(tops) == 1:
        return _from_topology(source, tops[0], source.coordinates or tops[0].with_suffix(".gro"))
    if not tops and len(itps) == 1:
        return _read(replace(source, source=str(itps[0])))
    found = ", ".join(path.name for path in (tops or itps)[:5])
    raise InputFileError(
        f"the folder holds {f'several: {found}' if found else 'no topology'}",
        where=str(folder),
        hint="name the .top or .itp file",
    )


def _from_run(source: ExportSource, folder: Path) -> tuple[str, System, Path | None]:
    request = request_of_run(folder)
    final = source.coordinates or folder / FINAL_FILE
    if not final.is_file():
        raise InputFileError(f"there is no {final.name}: is the run finished?", where=str(folder))
    if source.box is not None or source.table:
        raise SettingsError("--box and --table are for single molecules", where=str(folder))
    system = read_gromacs_topology(
        request.topology,
        final,
        defines={**dict(request.defines), **(source.defines or {})},
        include=(*source.include, *request.include),
        reference=source.reference or request.reference or request.coordinates,
        scheme=request.scheme,
    )
    return plain(request.topology.stem, default="system"), system, folder.resolve()


def _molecule_of_toml(path: Path, table: str) -> tuple[CGMolecule, BeadTable]:
    """A molecule file; its table is the one it lies in, unless another is named."""
    around = path.resolve().parent.parent
    chosen: str | Path = table or (around if (around / "table.toml").is_file() else _DEFAULT_TABLE)
    loaded = load_bead_table(chosen)
    return read_molecule(path, load_bead_types(chosen), table=loaded.name).model, loaded


def molecule_of_itp(path: Path, table: str) -> tuple[CGMolecule, BeadTable]:
    """The one molecule of an ``.itp`` file, with the coordinates and the table of the files ``topdown map`` writes beside it."""
    loaded = load_bead_table(table or _table_beside(path) or _DEFAULT_TABLE)
    names, types, section = [], set(), ""
    for line in preprocess(path):
        words = line.text.split()
        if words[0] == "[":
            section = words[1]
        elif section == "moleculetype":
            names.append(words[0])
        elif section == "atoms" and len(words) > 1:
            types.add(words[1])
    if len(names) != 1:
        raise TopologyError(
            f"{len(names)} molecules, one is expected", where=str(path), hint="a .top file holds several"
        )
    used = loaded.subset(types)
    with tempfile.TemporaryDirectory(prefix="topdown-export-") as folder:
        top = Path(folder) / "molecule.top"
        (Path(folder) / "force_field.itp").write_text(force_field_itp(used), encoding="utf-8")
        lines = ['#include "force_field.itp"', f'#include "{path.resolve()}"']
        top.write_text("\n".join([*lines, "[ system ]", "x", "[ molecules ]", f"{names[0]} 1", ""]), encoding="utf-8")
        molecule = read_topology(top).components[0][0]
    molecule = replace(molecule, table=loaded.name)
    gro = path.with_suffix(".gro")
    if gro.is_file():
        coordinates = read_gro(gro)
        if len(coordinates.names) != molecule.n_beads:
            raise TopologyError(f"{len(coordinates.names)} beads, the molecule has {molecule.n_beads}", where=str(gro))
        molecule = molecule.with_positions(coordinates.positions)
    return molecule, loaded


def _table_beside(itp: Path) -> str:
    """The bead table that the JSON of the same molecule names."""
    try:
        data = json.loads(itp.with_suffix(".json").read_text(encoding="utf-8"))
        return str(data["table"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
