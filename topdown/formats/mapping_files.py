"""Files that say which atoms make up which bead: a GROMACS index and a ``.map`` as Backward and VerMoUTH read them.

Both number all atoms from 1: first the heavy atoms in the order of the SMILES, then the hydrogens, those of the first heavy
atom first. An atom is named by its element and its number among the atoms of that element: C1, C2, H1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from topdown.errors import InputFileError
from topdown.formats.naming import bead_names, one_line
from topdown.model import CGMolecule

#: Largest mapping file read [bytes].
MAX_BYTES = 4_000_000


def all_atom_groups(molecule: CGMolecule, parents: Sequence[int], places: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """All atoms of each bead, numbered from 0: hydrogens go with their heavy atom, into each of its beads.

    Parameters
    ----------
    molecule : CGMolecule
    parents : sequence of int
        For each atom the heavy atom it belongs to: itself, or the one a hydrogen is bound to.
    places : sequence of int
        For each heavy atom its number as the beads count it.
    """
    groups = []
    for bead in molecule.beads:
        members = set(bead.atoms)
        groups.append(tuple(atom for atom, parent in enumerate(parents) if places[parent] in members))
    return tuple(groups)


def mapping_index_text(molecule: CGMolecule, groups: Sequence[Sequence[int]]) -> str:
    """A ``.ndx`` file with one group of all-atom numbers per bead; beads without atoms are left out."""
    lines = [
        f"; atoms of each bead of {one_line(molecule.name)}: heavy atoms in the order of the SMILES, then hydrogens"
    ]
    for name, group in zip(bead_names(molecule), groups):
        if group:
            lines.append(f"[ {name} ]")
            numbers = [str(atom + 1) for atom in group]
            lines += [" ".join(numbers[k : k + 15]) for k in range(0, len(numbers), 15)]
    return "\n".join(lines) + "\n"


def atom_names(elements: Sequence[str]) -> tuple[str, ...]:
    """C1, C2, H1…: element and number among the atoms of the element."""
    count: dict[str, int] = {}
    names = []
    for element in elements:
        count[element] = count.get(element, 0) + 1
        names.append(f"{element}{count[element]}")
    return tuple(names)


def backward_map_text(
    molecule: CGMolecule, label: str, elements: Sequence[str], groups: Sequence[Sequence[int]]
) -> str:
    """A ``.map`` file: every atom with the beads it belongs to.

    Parameters
    ----------
    molecule : CGMolecule
    label : str
        Residue name, at most five characters.
    elements : sequence of str
        Of all atoms.
    groups : sequence of sequence of int
        Atoms of each bead, from 0 (:func:`all_atom_groups`).
    """
    beads = bead_names(molecule)
    lines = [
        f"; {one_line(molecule.name)}",
        f"; SMILES {one_line(molecule.smiles, limit=4200)}",
        "; atoms: heavy atoms in the order of the SMILES, then the hydrogens of each",
        "[ molecule ]",
        label,
        "",
        "[ martini ]",
        " ".join(name for name, group in zip(beads, groups) if group),
        "",
        "[ atoms ]",
    ]
    for atom, name in enumerate(atom_names(elements)):
        members = " ".join(beads[k] for k, group in enumerate(groups) if atom in group)
        lines.append(f"{atom + 1:5d} {name:>6s}  {members}".rstrip())
    return "\n".join(lines) + "\n"


def read_backward_map(path: Path) -> dict[str, tuple[int, ...]]:
    """Atoms of each bead, numbered from 0, out of the ``[ atoms ]`` of a ``.map`` file; beads in the order of the file.

    Marks of chirality and of other sections are skipped; a bead that is named twice for an atom counts once.

    Raises
    ------
    InputFileError
        The file cannot be read, or a line of ``[ atoms ]`` is not ``number name bead…``.
    """
    section = ""
    groups: dict[str, list[int]] = {}
    for count, line in enumerate(mapping_file_text(path).splitlines(), start=1):
        text = line.split(";", 1)[0].strip()
        if text.startswith("["):
            section = text.strip("[] \t").lower()
        elif text and section == "martini":
            for bead in text.split():
                groups.setdefault(bead, [])
        elif text and section == "atoms":
            words = text.split()
            if len(words) < 2 or not words[0].isdecimal() or int(words[0]) < 1:
                raise InputFileError(
                    f"expected NUMBER NAME BEAD…, found {text[:60]!r}",
                    where=f"{path}:{count}",
                    hint="atoms count from 1",
                )
            for bead in dict.fromkeys(words[2:]):
                groups.setdefault(bead.lstrip("!"), []).append(int(words[0]) - 1)
    found = {bead: tuple(atoms) for bead, atoms in groups.items() if atoms}
    if not found:
        raise InputFileError("there is no bead in it", where=str(path), hint="[ atoms ] lists NUMBER NAME BEAD…")
    return found


def mapping_file_text(path: Path) -> str:
    """The text of a mapping file of reasonable size.

    Raises
    ------
    InputFileError
        It cannot be read, is too large, or is not UTF-8 text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputFileError(f"larger than {MAX_BYTES // 1_000_000} MB", where=str(path))
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputFileError(error.strerror or "cannot be read", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"not UTF-8 text (byte {error.start})", where=str(path), hint="save it as UTF-8") from None
