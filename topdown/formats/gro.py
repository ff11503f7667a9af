"""GROMACS coordinate files (``.gro``): fixed columns, nm and nm/ps, any number of decimals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topdown.errors import SettingsError, TopologyError
from topdown.formats.naming import bead_names, component_names, one_line, residue_names, residue_numbers
from topdown.model import System
from topdown.model._arrays import FloatArray, frozen_array


@dataclass(frozen=True, kw_only=True, eq=False)
class GroFile:
    """What a ``.gro`` file says.

    Attributes
    ----------
    title : str
    residue_numbers : tuple of int
        Per bead, as written (they wrap at 100,000).
    residue_names, names : tuple of str
        Per bead.
    positions : (n, 3) float64 [nm]
    velocities : (n, 3) float64 [nm/ps] or None
    box : (3,) float64 [nm]
    """

    title: str
    residue_numbers: tuple[int, ...]
    residue_names: tuple[str, ...]
    names: tuple[str, ...]
    positions: FloatArray
    box: FloatArray
    velocities: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        object.__setattr__(self, "positions", frozen_array("positions", self.positions, (n, 3)))
        object.__setattr__(self, "box", frozen_array("box", self.box, (3,)))
        if self.velocities is not None:
            object.__setattr__(self, "velocities", frozen_array("velocities", self.velocities, (n, 3)))


def wrapped_positions(system: System) -> FloatArray:
    """Positions with the centre of every molecule inside the box and every molecule whole, (n, 3) float64 [nm]."""
    positions = np.array(system.positions)
    start = 0
    for molecule, count in system.components:
        stop = start + molecule.n_beads * count
        if stop > start:
            block = positions[start:stop].reshape(count, molecule.n_beads, 3)
            block -= np.floor(block.mean(axis=1, keepdims=True) / system.box) * system.box
        start = stop
    return positions


def gro_text(system: System, *, decimals: int = 3) -> str:
    """The system as a ``.gro`` file, molecules whole and wrapped by their centres.

    Parameters
    ----------
    system : System
        Its title becomes the first line.
    decimals : int
        Decimals of the positions [nm], 3 to 12; velocities get one more. Three is the usual number; GROMACS reads any.

    Raises
    ------
    SettingsError
        ``decimals`` out of range, or a coordinate too large for its column.
    """
    return _text(system, wrapped_positions(system), system.velocities, decimals)


def reference_gro_text(system: System, *, decimals: int = 3) -> str:
    """The reference points of position restraints as a ``.gro`` file, in the images :func:`gro_text` puts the beads in."""
    if system.reference_positions is None:
        return _text(system, wrapped_positions(system), None, decimals)
    images = np.round((wrapped_positions(system) - system.positions) / system.box)
    return _text(system, system.reference_positions + images * system.box, None, decimals)


def _text(system: System, positions: FloatArray, velocities: FloatArray | None, decimals: int) -> str:
    if not 3 <= decimals <= 12:
        raise SettingsError(f"decimals must be 3 to 12, got {decimals}")
    width = decimals + 5
    if positions.size and not -999.0 < positions.min() <= positions.max() < 9999.0:
        raise SettingsError(
            "a coordinate does not fit the columns of a gro file", hint="boxes up to 9999 nm can be written"
        )
    columns, rows = f"%{width}.{decimals}f" * 3, positions.tolist()
    if velocities is not None:
        columns += f"%{width}.{decimals + 1}f" * 3
        rows = np.hstack([positions, velocities]).tolist()
    lines = [one_line(system.title, limit=120) or "topdown", f"{system.n_beads:5d}"]
    numbers = residue_numbers(system)
    index = 0
    for (molecule, count), label in zip(system.components, component_names(system)):
        names, residues = bead_names(molecule), residue_names(molecule, label)
        for _ in range(count):
            for name, residue, number in zip(names, residues, next(numbers)):
                start = f"{number % 100000:5d}{residue:<5s}{name:>5s}{(index + 1) % 100000:5d}"
                lines.append(start + columns % tuple(rows[index]))
                index += 1
    lines.append("".join(f"{edge:{width + 3}.{max(decimals, 5)}f}" for edge in system.box))
    return "\n".join(lines) + "\n"


def read_gro(path: Path | str) -> GroFile:
    """Read a ``.gro`` file of one frame with a rectangular box.

    The number of decimals is taken from the distance between the first two decimal points, as GROMACS does.

    Raises
    ------
    TopologyError
        With file and line: unreadable numbers, a wrong bead count, a missing or triclinic box, a second frame.
    """
    path = Path(path)
    lines = _lines(path)
    n = _bead_count(path, lines)
    width = _column_width(path, lines[2]) if n else 8
    residues: list[int] = []
    residue_names: list[str] = []
    names: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(lines[2 : n + 2], start=3):
        try:
            residues.append(int(line[0:5]))
            row = [float(line[20 + width * k : 20 + width * (k + 1)]) for k in range(3)]
            rest = line[20 + 3 * width :].rstrip()
            row += [float(rest[width * k : width * (k + 1)]) for k in range(3)] if rest else []
        except ValueError:
            raise TopologyError(f"not a bead line of a gro file: {line!r}", where=f"{path}:{number}") from None
        if rows and len(row) != len(rows[0]):
            raise TopologyError("velocities for some beads only", where=f"{path}:{number}")
        residue_names.append(line[5:10].strip())
        names.append(line[10:15].strip())
        rows.append(row)
    data = np.array(rows, dtype=np.float64).reshape(n, -1)
    if not np.all(np.isfinite(data)):
        number = 3 + int(np.flatnonzero(~np.isfinite(data).all(axis=1))[0])
        raise TopologyError("a coordinate is not a finite number", where=f"{path}:{number}")
    return GroFile(
        title=lines[0].strip(),
        residue_numbers=tuple(residues),
        residue_names=tuple(residue_names),
        names=tuple(names),
        positions=data[:, :3] if n else np.zeros((0, 3)),
        velocities=data[:, 3:6] if data.shape[1] == 6 else None,
        box=np.array(_box(path, lines, n)),
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text file"
        raise TopologyError(f"cannot read the coordinates: {reason}", where=str(path)) from None


def _bead_count(path: Path, lines: list[str]) -> int:
    try:
        n = int(lines[1])
    except (IndexError, ValueError):
        raise TopologyError("the second line must be the number of beads", where=f"{path}:2") from None
    if n < 0 or len(lines) < n + 3:
        raise TopologyError(
            f"{n} beads announced, but {max(len(lines) - 3, 0)} bead lines and a box line follow", where=f"{path}:2"
        )
    return n


def _column_width(path: Path, line: str) -> int:
    first = line.find(".", 20)
    second = line.find(".", first + 1)
    if first < 0 or second < 0:
        raise TopologyError(f"not a bead line of a gro file: {line!r}", where=f"{path}:3")
    return second - first


def _box(path: Path, lines: list[str], n: int) -> list[float]:
    where = f"{path}:{n + 3}"
    try:
        numbers = [float(word) for word in lines[n + 2].split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (3, 9) or not np.all(np.isfinite(numbers)):
        raise TopologyError(
            f"expected the box, three numbers in nm, found {lines[n + 2]!r}",
            where=where,
            hint="is the bead count right?",
        )
    if any(numbers[3:]):
        raise TopologyError("the box is not rectangular", where=where, hint="only rectangular boxes are supported")
    if min(numbers[:3]) <= 0:
        raise TopologyError(f"box edges must be positive, found {lines[n + 2].strip()!r}", where=where)
    extra = next((k for k in range(n + 3, len(lines)) if lines[k].strip()), None)
    if extra is not None:
        raise TopologyError("text after the box: a file of one frame is expected", where=f"{path}:{extra + 1}")
    return numbers[:3]
