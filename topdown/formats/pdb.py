"""PDB coordinates for viewers: molecules whole, bonds as CONECT records, Å."""

from __future__ import annotations

from topdown.errors import SettingsError
from topdown.formats.gro import wrapped_positions
from topdown.formats.naming import component_names, one_line, short_names
from topdown.model import CGMolecule, System

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
    index = residue = 0
    for (molecule, count), residue_name in zip(system.components, component_names(system)):
        names = short_names((bead.name for bead in molecule.beads), default="B", length=4)
        partners = _partners(molecule)
        for _ in range(count):
            residue += 1
            if index + molecule.n_beads <= _MOST_NUMBERED:
                conect += _conect(index + 1, partners)
            for name, bead in zip(names, molecule.beads):
                x, y, z = positions[index]
                index += 1
                lines.append(
                    f"HETATM{index % 100000:5d} {name:^4s} {residue_name[:4]:<4s} {residue % 10000:4d}    "
                    f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00{'':12s}{_formal_charge(bead.charge)}"
                )
    return "\n".join([*lines, *conect, "END"]) + "\n"
