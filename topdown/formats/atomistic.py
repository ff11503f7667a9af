"""All-atom structures and trajectories, in any format chemfiles reads: elements, bonds, and positions frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.errors import InputFileError, SettingsError
from topdown.formats.trajectory import chemfiles_failures, chemfiles_module
from topdown.model._arrays import FloatArray, IntArray

_ANGSTROM_PER_NM: Final = 10.0
#: Elements of organic molecules whose symbols have two letters, as atom names of force fields begin with them.
_TWO_LETTERS: Final = {"CL": 17, "BR": 35, "SI": 14, "SE": 34, "NA": 11}
_ONE_LETTER: Final = {"H": 1, "B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "P": 15, "S": 16, "I": 53, "K": 19}


@dataclass(frozen=True, kw_only=True, eq=False)
class AtomFile:
    """What a structure says of its atoms.

    Attributes
    ----------
    elements : (n_atoms,) int64
        Atomic numbers; 0 where neither element nor name tells.
    bonds : (n_bonds, 2) int64
        As the file lists them, or guessed from distances.
    names : tuple of str
    """

    elements: IntArray
    bonds: IntArray
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class AtomFrame:
    """One frame.

    Attributes
    ----------
    positions : (n_atoms, 3) float64 [nm]
    cell : (3, 3) float64 [nm] or None
        Rows are the edges of the periodic cell.
    time : float
        [ps]; NaN where the file does not say.
    step : int
    """

    positions: FloatArray
    cell: FloatArray | None
    time: float
    step: int


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise InputFileError("no such file", where=str(path))
    with chemfiles_failures(path, "cannot be read"):
        return chemfiles_module().Trajectory(str(path))


def read_atoms(path: Path | str, *, guess_bonds: bool = True) -> AtomFile:
    """Atoms and bonds of the first frame of a structure or trajectory.

    Parameters
    ----------
    path : path
    guess_bonds : bool
        Where the file lists no bonds (``.gro``, ``.xyz``), guess them from distances.

    Raises
    ------
    InputFileError
        A file that is missing, unreadable or empty.
    """
    path = Path(path)
    with _opened(path) as file, chemfiles_failures(path, "cannot be read"):
        if not file.nsteps:
            raise InputFileError("there is no frame in it", where=str(path))
        frame = file.read_step(0)
        atoms = list(frame.atoms)
        if not len(frame.topology.bonds) and guess_bonds and len(atoms):
            _name_elements(frame, path)
            frame.guess_bonds()
        names = tuple(str(atom.name) for atom in frame.atoms)
        elements = [_element(atom) for atom in frame.atoms]
        bonds = np.array(frame.topology.bonds, dtype=np.int64).reshape(-1, 2)
    return AtomFile(elements=np.array(elements, dtype=np.int64), bonds=bonds, names=names)


def _element(atom: Any) -> int:
    """Atomic number of a chemfiles atom: its type where that is an element, else by the letters its name begins with."""
    letters = "".join(c for c in str(atom.name) if c.isalpha()).upper()
    by_name = _TWO_LETTERS.get(letters[:2]) or _ONE_LETTER.get(letters[:1], 0)
    number = int(atom.atomic_number or 0)
    # A type "CA" or "HG" is calcium or mercury to chemfiles, an α-carbon or a hydrogen to a force field.
    return by_name if number == 0 or (number not in (*_TWO_LETTERS.values(), *_ONE_LETTER.values())) else number


def _name_elements(frame: Any, path: Path) -> None:
    """Set the types by which chemfiles guesses bonds; refuse atoms without an element, of which it knows no radius."""
    symbols = {number: symbol for symbol, number in (*_ONE_LETTER.items(), *_TWO_LETTERS.items())}
    for k in range(len(frame.atoms)):
        atom = frame.atoms[k]
        number = _element(atom)
        if number:
            atom.type = symbols[number].capitalize()
        elif not int(atom.atomic_number or 0):
            what = f"atom {k + 1} is called {str(atom.name)!r}" if str(atom.name) else "atoms have no names"
            raise InputFileError(
                f"the elements are not known: {what}",
                where=str(path),
                hint="give a structure with all atoms, --topology FILE, beside a trajectory",
            )


def read_atom_frames(
    path: Path | str, *, n_atoms: int, start: int = 0, stop: int | None = None, stride: int = 1
) -> Iterator[AtomFrame]:
    """Frames of a trajectory.

    Parameters
    ----------
    path : path
    n_atoms : int
        Frames with another number of atoms are refused.
    start, stop, stride : int
        As in a slice, not negative.

    Raises
    ------
    InputFileError
        A file that is missing or damaged, or a frame of another system.
    SettingsError
        A negative ``start`` or ``stop``, or a ``stride`` below 1.
    """
    path = Path(path)
    if start < 0 or stride < 1 or (stop is not None and stop < 0):
        raise SettingsError(f"no frames {start}:{stop}:{stride}", hint="start and stop from 0, stride from 1")
    with _opened(path) as file, chemfiles_failures(path, "cannot be read"):
        last = file.nsteps if stop is None else min(stop, file.nsteps)
        for number in range(start, last, stride):
            frame = file.read_step(number)
            positions = np.array(frame.positions, dtype=np.float64) / _ANGSTROM_PER_NM
            if len(positions) != n_atoms:
                raise InputFileError(
                    f"frame {number} holds {len(positions)} atoms, the topology {n_atoms}",
                    where=str(path),
                    hint="give the structure it belongs to with --topology",
                )
            cell = np.array(frame.cell.matrix, dtype=np.float64).T / _ANGSTROM_PER_NM
            yield AtomFrame(
                positions=positions,
                cell=cell if abs(np.linalg.det(cell)) > 1e-9 else None,
                time=float(frame["time"]) if "time" in frame.list_properties() else float("nan"),
                step=int(frame.step) or number,
            )
