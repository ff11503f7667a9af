"""PDB coordinates: written for viewers (molecules whole, bonds as CONECT records), read strictly. Files hold Å, we nm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from topdown.errors import SettingsError, TopologyError
from topdown.formats.gro import wrapped_positions
from topdown.formats.naming import bead_names, component_names, one_line, plain, residue_names, residue_numbers
from topdown.model import CGMolecule, System
from topdown.model._arrays import FloatArray, frozen_array
from topdown.resources import atomic_write_text

#: PDB numbers have five digits; beyond this many beads CONECT could not name them.
_MOST_NUMBERED = 99999


def _partners(molecule: CGMolecule) -> list[tuple[int, ...]]:
    """Bonded and constrained neighbours of each bead, sorted."""
    pairs = [bond.atoms for bond in molecule.bonds] + [constraint.atoms for constraint in molecule.constraints]
    found: list[set[int]] = [set() for _ in molecule.beads]
    for i, j in pairs:
        found[i].add(j)
        found[j].add(i)
    return [tuple(sorted(partners)) for partners in found]


def _conect(first: int, partners: list[tuple[int, ...]]) -> list[str]:
    """Four partners a record, for a molecule whose first bead has the number ``first``."""
    return [
        f"CONECT{first + i:5d}" + "".join(f"{first + j:5d}" for j in others[k : k + 4])
        for i, others in enumerate(partners)
        for k in range(0, len(others), 4)
    ]


def _formal_charge(charge: float) -> str:
    whole = round(charge)
    return f"{abs(whole)}{'+' if whole > 0 else '-'}" if 0 < abs(whole) < 10 else "  "


def pdb_text(system: System) -> str:
    """The system as a PDB file.

    Names are cut to four characters, uniquely within a molecule. The element is left blank: a bead has none. Bonds and
    constraints become CONECT records for the molecules within the first 99,999 beads; the format has no numbers beyond.

    Returns
    -------
    str
        TITLE, CRYST1, one HETATM for each bead, CONECT, END.

    Raises
    ------
    SettingsError
        A coordinate or box edge too large for its column.
    """
    positions = wrapped_positions(system) * 10.0
    if positions.size and not -999.0 < positions.min() <= positions.max() < 9999.0:
        raise SettingsError(
            "a coordinate does not fit the columns of a pdb file", hint="boxes up to 999 nm can be written"
        )
    edges = "".join(f"{edge * 10:9.3f}" for edge in system.box)
    lines = [f"TITLE     {one_line(system.title, limit=60)}", f"CRYST1{edges}  90.00  90.00  90.00 P 1           1"]
    conect: list[str] = []
    index = 0
    numbers = residue_numbers(system)
    for (molecule, count), label in zip(system.components, component_names(system)):
        names, residues = bead_names(molecule, length=4), residue_names(molecule, label)
        partners = _partners(molecule)
        for _ in range(count):
            if index + molecule.n_beads <= _MOST_NUMBERED:
                conect += _conect(index + 1, partners)
            for name, residue, number, bead in zip(names, residues, next(numbers), molecule.beads):
                x, y, z = positions[index]
                index += 1
                lines.append(
                    f"HETATM{index % 100000:5d} {name:^4s} {residue[:4]:<4s} {number % 10000:4d}    "
                    f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00{'':12s}{_formal_charge(bead.charge)}"
                )
    return "\n".join([*lines, *conect, "END"]) + "\n"


@dataclass(frozen=True, kw_only=True, eq=False)
class PdbFile:
    """What a PDB file says.

    Attributes
    ----------
    title : str
    residue_numbers : tuple of int
        Per bead, as written (they wrap at 10,000).
    residue_names, names : tuple of str
        Per bead.
    positions : (n, 3) float64 [nm]
    box : (3,) float64 [nm] or None
        From CRYST1; None without one, or with the 1 Å placeholder of structures without a cell.
    bonds : tuple of (int, int)
        From CONECT, bead indices from 0, i < j, each once.
    """

    title: str
    residue_numbers: tuple[int, ...]
    residue_names: tuple[str, ...]
    names: tuple[str, ...]
    positions: FloatArray
    box: FloatArray | None = None
    bonds: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", frozen_array("positions", self.positions, (len(self.names), 3)))
        if self.box is not None:
            object.__setattr__(self, "box", frozen_array("box", self.box, (3,)))


@dataclass(slots=True)
class _Records:
    """What has been read so far; ``serials``: number in the file → index, or None where several beads have it."""

    title: list[str] = field(default_factory=list)
    rows: list[tuple[int, str, str, float, float, float]] = field(default_factory=list)
    serials: dict[str, int | None] = field(default_factory=dict)
    box: list[float] | None = None
    bonds: dict[tuple[int, int], None] = field(default_factory=dict)


def read_pdb(path: Path | str) -> PdbFile:
    """Read a PDB file of one model: ATOM and HETATM, CRYST1, TITLE and CONECT records; all others are left aside.

    Raises
    ------
    TopologyError
        With file and line: unreadable numbers, a cell that is not rectangular, a second model, a CONECT record that names no
        bead, or several.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise TopologyError(f"cannot read the coordinates: {error.strerror or 'not a file'}", where=str(path)) from None
    found, models = _Records(), 0
    for count, line in enumerate(lines, start=1):
        record, where = line[:6].strip(), f"{path}:{count}"
        if record in ("ATOM", "HETATM"):
            _read_bead(found, line, where)
        elif record == "CRYST1":
            found.box = _cell(line, where)
        elif record == "TITLE":
            found.title.append(line[10:].strip())
        elif record == "CONECT":
            _read_conect(found, line, where)
        elif record == "MODEL":
            models += 1
            if models > 1:
                raise TopologyError("a second model: a file of one frame is expected", where=where)
    if not found.rows:
        raise TopologyError("no ATOM or HETATM record", where=str(path))
    return PdbFile(
        title=" ".join(found.title),
        residue_numbers=tuple(row[0] for row in found.rows),
        residue_names=tuple(row[1] for row in found.rows),
        names=tuple(row[2] for row in found.rows),
        positions=np.array([row[3:] for row in found.rows]) / 10.0,
        box=None if found.box is None else np.array(found.box) / 10.0,
        bonds=tuple(sorted(found.bonds)),
    )


def _read_bead(found: _Records, line: str, where: str) -> None:
    try:
        number = int(line[22:26])
        x, y, z = (float(line[k : k + 8]) for k in (30, 38, 46))
    except ValueError:
        raise TopologyError(f"not a bead record of a PDB file: {line.rstrip()!r}", where=where) from None
    if not np.all(np.isfinite([x, y, z])):
        raise TopologyError("a coordinate is not a finite number", where=where)
    serial = line[6:11].strip()
    found.serials[serial] = None if serial in found.serials else len(found.rows)
    found.rows.append((number, line[17:21].strip(), line[12:16].strip(), x, y, z))


def _cell(line: str, where: str) -> list[float] | None:
    try:
        edges = [float(line[k : k + 9]) for k in (6, 15, 24)]
        angles = [float(line[k : k + 7]) for k in (33, 40, 47)]
    except ValueError:
        raise TopologyError(f"not a CRYST1 record: {line.rstrip()!r}", where=where) from None
    if edges == [1.0, 1.0, 1.0]:
        return None
    if any(angle != 90.0 for angle in angles):
        raise TopologyError("the box is not rectangular", where=where, hint="only rectangular boxes are supported")
    if not (np.all(np.isfinite(edges)) and min(edges) > 0):
        raise TopologyError(f"box edges must be positive, found {line[6:33].strip()!r}", where=where)
    return edges


def _read_conect(found: _Records, line: str, where: str) -> None:
    text = line.rstrip()
    serials = [text[k : k + 5].strip() for k in range(6, len(text), 5)]
    beads = []
    for serial in filter(None, serials):
        index = found.serials.get(serial)
        if index is None:
            how = "several beads have" if serial in found.serials else "no bead has"
            raise TopologyError(f"CONECT: {how} the number {serial}", where=where)
        beads.append(index)
    for other in beads[1:]:
        if other != beads[0]:
            found.bonds[min(beads[0], other), max(beads[0], other)] = None


def write_pdb(system: System, folder: Path | str, *, name: str = "system") -> dict[str, Path]:
    """Write ``NAME.pdb`` with the text of :func:`pdb_text`; ``{"pdb": path}``.

    Raises
    ------
    SettingsError
        As :func:`pdb_text`.
    """
    return {"pdb": atomic_write_text(Path(folder) / f"{plain(name, default='system')}.pdb", pdb_text(system))}
