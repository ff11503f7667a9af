"""Short names for files with fixed columns: at most five plain characters, unique without regard to case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from topdown.model import CGMolecule, System

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


def plain(text: str, *, default: str) -> str:
    """``text`` reduced to ASCII letters, digits and underscores, or ``default`` when nothing is left of it.

    The result is safe as a file name, as a group name, and inside a topology.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return _UNSAFE.sub("", ascii_text).strip("_") or default


def one_line(text: str, *, limit: int = 400) -> str:
    """``text`` fit for a comment: control characters become spaces, long text is cut, and no backslash ends the line.

    A trailing backslash would make the next line part of the comment.
    """
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(flat) > limit:
        flat = flat[: limit - 3] + "..."
    return flat + " ." if flat.endswith("\\") else flat


def short_names(names: Iterable[str], *, default: str = "MOL", length: int = 5) -> tuple[str, ...]:
    """One name of at most ``length`` plain characters for each of ``names``, all different when case is ignored.

    GROMACS compares molecule and group names without case, so ``Na`` and ``NA`` in one system would be one name. A name
    that is already short, plain and free is kept; of two that collide the second ends in a number.
    """
    taken: set[str] = set()
    chosen: list[str] = []
    for name in names:
        stem = plain(name, default=default)
        if stem[0].isdigit():
            stem = "M" + stem
        candidate, count = stem[:length].rstrip("_"), 0
        while candidate.lower() in taken:
            count += 1
            tail = str(count)
            candidate = stem[: length - len(tail)] + tail
        taken.add(candidate.lower())
        chosen.append(candidate)
    return tuple(chosen)


def bead_names(molecule: CGMolecule, *, length: int = 5) -> tuple[str, ...]:
    """Names of the beads as written to files, in order: at most ``length`` characters, unique within a residue."""
    rows: dict[int, list[int]] = {}
    for k, bead in enumerate(molecule.beads):
        rows.setdefault(bead.residue_number, []).append(k)
    names = [""] * molecule.n_beads
    for members in rows.values():
        for k, name in zip(members, short_names((molecule.beads[k].name for k in members), default="B", length=length)):
            names[k] = name
    return tuple(names)


def residue_names(molecule: CGMolecule, label: str) -> tuple[str, ...]:
    """Residue name of each bead as written to files; ``label`` is the name the molecule is written under."""
    return tuple(plain(bead.residue, default=label)[:5] if bead.residue else label for bead in molecule.beads)


def residue_numbers(system: System) -> Iterator[tuple[int, ...]]:
    """Residue numbers of each molecule in turn, as GROMACS gives them in coordinate files.

    Molecules of several residues keep the numbers of their topology; those of one are counted on from the largest of these.
    """
    own = [tuple(bead.residue_number for bead in molecule.beads) for molecule, _ in system.components]
    several = [len(set(numbers)) > 1 for numbers in own]
    used = zip(own, several, system.components)
    last = max((max(numbers) for numbers, many, (_, count) in used if many and count), default=0)
    for numbers, many, (molecule, count) in zip(own, several, system.components):
        for _ in range(count):
            if not many:
                last += 1
            yield numbers if many else (last,) * molecule.n_beads


def topology_key(molecule: CGMolecule) -> tuple[object, ...]:
    """What two molecules must share to be one entry of a topology: name, beads and every term, not the coordinates."""
    beads = tuple(
        (bead.name, bead.bead_type, bead.charge, bead.mass, bead.residue, bead.residue_number)
        for bead in molecule.beads
    )
    terms = (
        *(molecule.bonds, molecule.constraints, molecule.angles, molecule.dihedrals, molecule.virtual_sites),
        *(molecule.position_restraints, molecule.flat_bottom_restraints),
    )
    return (molecule.name, beads, *terms, tuple(sorted(molecule.exclusions)), molecule.nrexcl)


def component_names(system: System) -> tuple[str, ...]:
    """Residue and molecule name of each component of ``system``; components of the same molecule share one."""
    keys = [topology_key(molecule) for molecule, _ in system.components]
    distinct = list(dict.fromkeys(keys))
    names = dict(zip(distinct, short_names(str(key[0]) for key in distinct)))
    return tuple(names[key] for key in keys)
