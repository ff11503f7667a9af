"""The job ``topdown map-trajectory``: an all-atom trajectory to one of beads, with the distributions of bonds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from topdown.errors import InputFileError, SettingsError, TopdownError
from topdown.formats import gro_text
from topdown.formats.atomistic import AtomFile, AtomFrame, read_atom_frames, read_atoms
from topdown.formats.ndx import read_ndx
from topdown.formats.trajectory import TrajectoryWriter
from topdown.mapping.atom_matching import match_copies, spanning_walk
from topdown.mapping.distributions import Distribution, csv_text, distributions
from topdown.mapping.operators import Center, atom_weights, bead_positions, mapping_operator
from topdown.mapping.rigid_frames import place_site
from topdown.model import (
    Angle,
    Bead,
    BeadTable,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    System,
    VirtualSite,
)
from topdown.model._arrays import FloatArray, IntArray
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table
from topdown.workflows.export import molecule_of_itp

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Trajectories that can be written.
OUTPUTS: Final = ("xtc", "trr", "dcd")
#: Rim about a system that has no box [nm].
_RIM: Final = 2.0
_MOST_SAMPLES: Final = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class TrajectoryMapping:
    """How beads follow from the atoms of a system.

    Attributes
    ----------
    molecule : CGMolecule
    atoms : (n_copies, n_atoms) int64
        System indices of the atoms of every copy.
    operator : (n_mapped, n_atoms) csr_array
        Rows of the beads that stand for atoms.
    mapped : tuple of int
        Which beads these are; the others are virtual sites without atoms.
    tree : tuple of (int, int)
        Walk along the bonds that makes a copy whole.
    n_system : int
        Atoms of the whole system.
    note : str
    """

    molecule: CGMolecule
    atoms: IntArray
    operator: csr_array
    mapped: tuple[int, ...]
    tree: tuple[tuple[int, int], ...]
    n_system: int
    note: str

    @property
    def n_copies(self) -> int:
        """Copies of the molecule."""
        return len(self.atoms)

    def beads(self, frame: AtomFrame) -> FloatArray:
        """Bead positions (n_copies, n_beads, 3) [nm] of one frame, every copy whole."""
        x = frame.positions[self.atoms]
        if frame.cell is not None:
            inverse = np.linalg.inv(frame.cell)
            for parent, child in self.tree:
                apart = x[:, child] - x[:, parent]
                x[:, child] -= np.round(apart @ inverse) @ frame.cell
        found = np.zeros((self.n_copies, self.molecule.n_beads, 3))
        found[:, list(self.mapped)] = bead_positions(self.operator, x)
        for site in self.molecule.construction_order():
            if site.site not in self.mapped:
                for copy in found:
                    copy[site.site] = place_site(site, copy)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedTrajectory:
    """What was written.

    Attributes
    ----------
    molecule : CGMolecule
    n_copies, n_frames : int
    center : str
    found : tuple of Distribution
    files : dict of str to Path
    notes : tuple of str
    """

    molecule: CGMolecule
    n_copies: int
    n_frames: int
    center: str
    found: tuple[Distribution, ...]
    files: dict[str, Path]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.molecule.name,
            "copies": self.n_copies,
            "frames": self.n_frames,
            "center": self.center,
            "distributions": [d.as_json(self.molecule) for d in self.found],
            "files": {name: str(path) for name, path in self.files.items()},
            "notes": list(self.notes),
        }


def read_model(path: Path, table: str = "") -> CGMolecule:
    """A model from the ``.json`` that ``topdown map`` wrote, or from an ``.itp``.

    Raises
    ------
    InputFileError
        A file that is missing or not one of these.
    """
    if path.suffix == ".itp":
        if not path.is_file():
            raise InputFileError("no such file", where=str(path))
        return molecule_of_itp(path, table)[0]
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputFileError(error.strerror or "cannot be read", where=str(path)) from None
    except ValueError:
        raise InputFileError("not JSON", where=str(path), hint="a model as topdown map -o DIR writes it") from None
    try:
        return model_from_json(data)
    except TopdownError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        lacks = f": it lacks {error}" if isinstance(error, KeyError) else ""
        raise InputFileError(
            f"not a model as topdown map writes it{lacks}", where=str(path), hint="map the molecule with -o DIR"
        ) from None


def model_from_json(data: Mapping[str, Any]) -> CGMolecule:
    """The model of one JSON object of ``topdown map --json``.

    Raises
    ------
    KeyError, TypeError, ValueError
        Something is missing or of the wrong kind.
    """
    beads = tuple(
        Bead(
            name=str(b["name"]),
            bead_type=str(b["type"]),
            charge=float(b["charge"]),
            mass=float(b["mass"]),
            atoms=tuple(int(a) for a in b["atoms"]),
        )
        for b in data["beads"]
    )

    def terms(key: str, kind: Any) -> Any:
        return tuple(
            kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in term.items()})
            for term in data.get(key, ())
        )

    return CGMolecule(
        name=str(data.get("name") or data["canonical_smiles"]),
        beads=beads,
        bonds=terms("bonds", Bond),
        constraints=terms("constraints", Constraint),
        angles=terms("angles", Angle),
        dihedrals=terms("dihedrals", Dihedral),
        virtual_sites=terms("virtual_sites", VirtualSite),
        exclusions=tuple((int(i), int(j)) for i, j in data.get("exclusions", ())),
        smiles=str(data["smiles"]),
        canonical_smiles=str(data["canonical_smiles"]),
        table=str(data["table"]),
    )


def trajectory_mapping(
    molecule: CGMolecule, atoms: AtomFile, *, groups: Mapping[str, IntArray] | None, center: Center | None, where: str
) -> TrajectoryMapping:
    """Find the copies of a molecule in a system, and the operator that turns their atoms into beads.

    Parameters
    ----------
    molecule : CGMolecule
        With its SMILES and the atoms of its beads, unless ``groups`` are given.
    atoms : AtomFile
    groups : mapping of str to (n,) int64, optional
        Atoms of each bead, by its name, counted from 0 within one copy; a system of several copies repeats them. An atom
        written twice counts twice, as in the mapping files of the published models.
    center : {"geometry", "mass", "charge"}, optional
        Default: that of the model's family, geometry with hydrogens for Martini 3, mass without for Martini 2.
    where : str
        For errors.

    Raises
    ------
    InputFileError, SettingsError
        No copy, groups that do not fit, or a model that does not know its atoms.
    """
    hydrogens = "2" not in molecule.table
    how: Center = center or ("geometry" if hydrogens else "mass")
    sites = {v.site for v in molecule.virtual_sites}
    if groups is not None:
        return _by_groups(molecule, atoms, groups, how, sites, where)
    if not molecule.smiles or not any(bead.atoms for bead in molecule.beads):
        raise SettingsError(
            "the model does not say which atoms its beads stand for",
            where=molecule.name,
            hint="give --mapping FILE.ndx, or the .json that topdown map wrote",
        )
    matched = match_copies(molecule.smiles, atoms.elements, atoms.bonds, where=where)
    mapped = _mapped_beads(molecule, {k for k, bead in enumerate(molecule.beads) if bead.atoms}, sites)
    heavy = [molecule.beads[k].atoms for k in mapped]
    operator = mapping_operator(matched.groups(heavy), atom_weights(matched.mol, how, hydrogens=hydrogens))
    return TrajectoryMapping(
        molecule=molecule,
        atoms=matched.atoms,
        operator=operator,
        mapped=mapped,
        tree=matched.tree,
        n_system=len(atoms.elements),
        note=f"{len(matched.atoms)} copies, {matched.note}",
    )


def _mapped_beads(molecule: CGMolecule, known: set[int], sites: set[int]) -> tuple[int, ...]:
    lost = [molecule.beads[k].name for k in range(molecule.n_beads) if k not in known and k not in sites]
    if lost:
        raise SettingsError(f"no atoms are known for bead {', '.join(lost[:5])}", where=molecule.name)
    return tuple(sorted(known))


def _by_groups(
    molecule: CGMolecule,
    atoms: AtomFile,
    groups: Mapping[str, IntArray],
    how: Center,
    sites: set[int],
    where: str,
) -> TrajectoryMapping:
    """As the user wrote it: group k stands for bead k where the names are not those of the beads."""
    names = [bead.name for bead in molecule.beads]
    if set(groups) <= set(names):
        members = {names.index(name): group for name, group in groups.items()}
    elif len(groups) == molecule.n_beads:
        members = dict(enumerate(groups.values()))
    else:
        raise InputFileError(
            f"{len(groups)} groups for {molecule.n_beads} beads", where=where, hint="name the groups as the beads"
        )
    mapped = _mapped_beads(molecule, set(members), sites)
    top = 1 + max(int(group.max(initial=0)) for group in members.values())
    n_copies, size = _repetition(atoms, top, where)
    weights = np.ones(size)
    if how != "geometry":
        if how == "charge":
            raise SettingsError(
                "charge-weighted centres need the SMILES of the molecule", hint="give the .json of topdown map"
            )
        masses = np.array([_MASSES.get(int(z), 12.0) for z in atoms.elements[:size]])
        weights = masses
    return TrajectoryMapping(
        molecule=molecule,
        atoms=np.arange(n_copies * size, dtype=np.int64).reshape(n_copies, size),
        operator=mapping_operator([[int(a) for a in members[k]] for k in mapped], weights, divide_shared=False),
        mapped=mapped,
        tree=spanning_walk(size, [(int(i), int(j)) for i, j in atoms.bonds if max(i, j) < size]),
        n_system=len(atoms.elements),
        note=f"{n_copies} copies of {size} atoms, beads by index groups",
    )


#: Standard atomic weights [u] of the elements of organic molecules (IUPAC 2021).
_MASSES: Final = {
    1: 1.008, 5: 10.81, 6: 12.011, 7: 14.007, 8: 15.999, 9: 18.998, 11: 22.990, 14: 28.085, 15: 30.974, 16: 32.06,
    17: 35.45, 19: 39.098, 34: 78.971, 35: 79.904, 53: 126.904,
}  # fmt: skip


def _repetition(atoms: AtomFile, least: int, where: str) -> tuple[int, int]:
    """(copies, atoms of each): the bonded set that the first atom is in, as often as the whole system repeats it."""
    n = len(atoms.elements)
    if least > n:
        raise InputFileError(f"an index group names atom {least} of {n}", where=where)
    size = least
    for i, j in sorted((int(min(p)), int(max(p))) for p in atoms.bonds):
        if i < size:
            size = max(size, j + 1)
    first = atoms.elements[:size]
    count = 0
    while (count + 1) * size <= n and np.array_equal(atoms.elements[count * size : (count + 1) * size], first):
        count += 1
    return max(count, 1), size


def mapped_frames(
    mapping: TrajectoryMapping, trajectory: Path, *, start: int = 0, stop: int | None = None, stride: int = 1
) -> Iterator[tuple[FloatArray, AtomFrame]]:
    """(bead positions (n_copies, n_beads, 3) [nm], frame) one after the other."""
    for frame in read_atom_frames(trajectory, n_atoms=mapping.n_system, start=start, stop=stop, stride=stride):
        yield mapping.beads(frame), frame


def map_trajectory(
    molecule: CGMolecule,
    trajectory: Path,
    folder: Path,
    *,
    topology: Path | None = None,
    groups_file: Path | None = None,
    center: Center | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    output: str = "xtc",
    table: BeadTable | None = None,
) -> MappedTrajectory:
    """Map an all-atom trajectory.

    ``folder`` gets ``mapped.gro`` (the first frame), ``mapped.xtc`` (or trr, dcd), ``distributions.json``, ``.csv`` and ``.svg``.

    Parameters
    ----------
    molecule : CGMolecule
    trajectory : Path
    folder : Path
        Made when missing.
    topology : Path, optional
        A structure of the same system with its atoms (and bonds), for trajectories that hold positions alone.
    groups_file : Path, optional
        ``.ndx`` with the atoms of each bead.
    center, start, stop, stride
        As in :func:`trajectory_mapping` and :func:`mapped_frames`.
    output : {"xtc", "trr", "dcd"}
    table : BeadTable, optional
        Holds the model's bead types; its own by default.

    Raises
    ------
    TopdownError
        Files that cannot be read or written, or atoms that do not fit the model.
    """
    if output not in OUTPUTS:
        raise SettingsError(f"cannot write a trajectory {output!r}", hint=", ".join(OUTPUTS))
    structure = topology or trajectory
    atoms = read_atoms(structure)
    groups = None if groups_file is None else read_ndx(groups_file)
    mapping = trajectory_mapping(molecule, atoms, groups=groups, center=center, where=str(groups_file or structure))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"cannot write there: {error.strerror}", where=str(folder)) from None
    samples, files, notes = _written(
        mapping, trajectory, folder, output, table or load_bead_table(molecule.table), (start, stop, stride)
    )
    n_frames = len(samples)
    found = distributions(molecule, np.concatenate(samples))
    hydrogens = "2" not in molecule.table
    result = MappedTrajectory(
        molecule=molecule,
        n_copies=mapping.n_copies,
        n_frames=n_frames,
        center=center or ("geometry" if hydrogens else "mass"),
        found=found,
        files=files,
        notes=(mapping.note, *notes),
    )
    _write_distributions(result, folder)
    return result


def _write_distributions(result: MappedTrajectory, folder: Path) -> None:
    """``distributions.csv``, ``.svg`` and ``.json``, entered into the files of ``result``."""
    from topdown.report.distributions_svg import distributions_svg

    texts = {
        "csv": csv_text(result.molecule, result.found),
        "svg": distributions_svg(result.molecule, result.found),
    }
    for ending, text in texts.items():
        result.files[ending] = atomic_write_text(folder / f"distributions.{ending}", text)
    result.files["json"] = folder / "distributions.json"
    atomic_write_text(result.files["json"], json.dumps(result.as_json(), allow_nan=False, indent=1) + "\n")


def _written(
    mapping: TrajectoryMapping,
    trajectory: Path,
    folder: Path,
    output: str,
    table: BeadTable,
    frames: tuple[int, int | None, int],
) -> tuple[list[FloatArray], dict[str, Path], list[str]]:
    """Map frame by frame; (bead positions, files, notes)."""
    molecule = mapping.molecule
    components = ((replace(molecule, positions=None), mapping.n_copies),)
    small = table.subset(molecule.type_names)
    samples: list[FloatArray] = []
    notes: list[str] = []
    files: dict[str, Path] = {}
    writer: TrajectoryWriter | None = None
    start, stop, stride = frames
    try:
        for x, frame in mapped_frames(mapping, trajectory, start=start, stop=stop, stride=stride):
            samples.append(x)
            if len(samples) * x.shape[0] > _MOST_SAMPLES:
                raise SettingsError(f"more than {_MOST_SAMPLES} samples", hint="take fewer frames with --stride")
            box, shift, note = _box(x, frame)
            if note and note not in notes:
                notes.append(note)
            if box is None:
                continue
            system = System(table=small, components=components, positions=(x + shift).reshape(-1, 3), box=box)
            if writer is None:
                files["gro"] = atomic_write_text(folder / "mapped.gro", gro_text(system))
                files["trajectory"] = folder / f"mapped.{output}"
                writer = TrajectoryWriter(files["trajectory"], system)
            time = frame.time if np.isfinite(frame.time) else float(len(samples) - 1)
            writer.write(system.positions, box, step=frame.step, time=time)
    finally:
        if writer is not None:
            writer.close()
    if not samples:
        raise InputFileError("there is no frame to map", where=str(trajectory))
    return samples, files, notes


def _box(x: FloatArray, frame: AtomFrame) -> tuple[FloatArray | None, FloatArray, str]:
    """(edges or None, shift of the beads, note): a box is made where there is none, a skewed one has no edges."""
    if frame.cell is None:
        low, high = x.min(axis=(0, 1)), x.max(axis=(0, 1))
        edges = high - low + 2 * _RIM
        return edges, edges / 2 - (low + high) / 2, "the trajectory has no box: one with a rim of 2 nm was made"
    off = frame.cell - np.diag(np.diag(frame.cell))
    if np.abs(off).max() > 1e-4:
        return None, np.zeros(3), "the cell is not rectangular: distributions only, no trajectory"
    return np.asarray(np.diag(frame.cell)), np.zeros(3), ""


def bead_samples(
    molecule: CGMolecule,
    trajectory: Path,
    *,
    topology: Path | None = None,
    groups_file: Path | None = None,
    center: Center | None = None,
    frames: Sequence[int | None] = (0, None, 1),
) -> FloatArray:
    """Bead positions (n_samples, n_beads, 3) [nm] of every copy in every frame, for a fit.

    Raises
    ------
    TopdownError
        As :func:`map_trajectory`.
    """
    structure = topology or trajectory
    groups = None if groups_file is None else read_ndx(groups_file)
    mapping = trajectory_mapping(
        molecule, read_atoms(structure), groups=groups, center=center, where=str(groups_file or structure)
    )
    start, stop, stride = frames
    found = [x for x, _ in mapped_frames(mapping, trajectory, start=start or 0, stop=stop, stride=stride or 1)]
    if not found:
        raise InputFileError("there is no frame to map", where=str(trajectory))
    return np.concatenate(found)
