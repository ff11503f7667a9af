"""The sections of a GROMACS topology, each with the function that reads a line of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from topdown.errors import TopologyError
from topdown.formats.gromacs_bonded import BONDED, TYPES, read_bonded, read_dihedral_restraint, read_parameter_type
from topdown.formats.gromacs_contents import AtomType, Contents, MoleculeDraft
from topdown.formats.gromacs_lines import Fields
from topdown.formats.gromacs_sites import SITES, read_exclusion, read_restraint, read_site, read_site_n
from topdown.formats.preprocessor import SourceLine, preprocess
from topdown.model import Bead

Parser = Callable[[Contents, Fields], None]


def _read_defaults(contents: Contents, line: Fields) -> None:
    line.check_count(2, 5)
    if contents.rule:
        raise line.error("stands twice")
    if line.integer(0) != 1:
        raise line.error(f"only Lennard-Jones (1) is supported, found function {line.words[0]}")
    if line.integer(1) not in (1, 2, 3):
        raise line.error(f"the combination rule must be 1, 2 or 3, found {line.words[1]}")
    contents.rule = line.integer(1)
    contents.force_field = Path(line.where.rpartition(":")[0]).stem.removesuffix("_forcefield")


def _read_atom_type(contents: Contents, line: Fields) -> None:
    line.check_count(6, 8)
    if not contents.rule:
        raise line.error("needs [ defaults ] before it")
    name, particle, last = line.words[0], line.words[-3], len(line.words)
    if particle not in ("A", "V", "D"):
        raise line.error(f"the particle type must be A, D or V, found {particle!r}")
    bonded = line.words[1] if last > 6 and line.words[1][0].isalpha() else name
    atom_type = AtomType(
        mass=line.number(last - 5),
        charge=line.number(last - 4),
        parameters=(line.number(last - 2), line.number(last - 1)),
        bonded=bonded,
    )
    if contents.atom_types.setdefault(name, atom_type) != atom_type:
        raise line.error(f"{name!r} stands twice, with other numbers before")
    near = contents.lower_types.setdefault(name.lower(), [])
    if name not in near:
        near.append(name)


def _read_pair(contents: Contents, line: Fields) -> None:
    line.check_count(5, 5)
    a, b = (contents.type_name(word, line) for word in line.words[:2])
    if line.integer(2) != 1:
        raise line.error(f"only function 1 is supported, found {line.words[2]}")
    key, values = ((a, b) if a <= b else (b, a)), (line.number(3), line.number(4))
    before, where = contents.pairs.setdefault(key, (values, line.where))
    if before != values:
        raise line.error(f"{a} {b} has other parameters in {where}")


def _read_molecule_type(contents: Contents, line: Fields) -> None:
    line.check_count(2, 2)
    if line.words[0] in contents.molecule_types:
        raise line.error(f"{line.words[0]!r} stands twice")
    contents.current = MoleculeDraft(line.words[0], line.integer(1), line.where)
    if contents.current.nrexcl < 0:
        raise line.error("nrexcl must not be negative")
    contents.molecule_types[line.words[0]] = contents.current


def _read_atom(contents: Contents, line: Fields) -> None:
    line.check_count(5, 11)
    molecule = contents.molecule(line)
    if line.integer(0) != len(molecule.beads) + 1:
        raise line.error(f"number {len(molecule.beads) + 1} must follow, found {line.words[0]}")
    name = contents.type_name(line.words[1], line)
    atom_type = contents.atom_types[name]
    if re.fullmatch(r"-?[0-9]+[A-Za-z]", line.words[2]):
        raise line.error(f"residue number {line.words[2]!r}: insertion codes are not supported")
    if len(line.words) > 5:
        line.integer(5)  # the charge group
    charge = line.number(6) if len(line.words) > 6 else atom_type.charge
    mass = line.number(7) if len(line.words) > 7 else atom_type.mass
    if mass < 0:
        raise line.error(f"bead {line.words[4]!r} has mass {mass:g}")
    if _has_second_state(contents, line, name, charge, mass):
        molecule.refuse(line.error("a second state (typeB, chargeB, massB) is not supported"))
    residue = "" if line.words[3] == molecule.name else line.words[3]
    molecule.beads.append(
        Bead(
            name=line.words[4],
            bead_type=name,
            charge=charge,
            mass=mass,
            residue=residue,
            residue_number=line.integer(2),
        )
    )
    molecule.bead_places.append(line.where)


def _has_second_state(contents: Contents, line: Fields, name: str, charge: float, mass: float) -> bool:
    if len(line.words) <= 8:
        return False
    other = contents.type_name(line.words[8], line)
    other_charge = line.number(9) if len(line.words) > 9 else charge
    other_mass = line.number(10) if len(line.words) > 10 else mass
    return (other, other_charge, other_mass) != (name, charge, mass)


def _read_title(contents: Contents, line: Fields) -> None:
    contents.title.append(" ".join(line.words))


def _read_count(contents: Contents, line: Fields) -> None:
    line.check_count(2, 2)
    if line.integer(1) < 0:
        raise line.error(f"the number of molecules must not be negative, found {line.words[1]}")
    contents.counts.append((line.words[0], line.integer(1), line.where))


def _refuse_for_molecule(contents: Contents, line: Fields) -> None:
    contents.molecule(line).refuse(line.error("is not supported", "molecules that are not used may have it"))


def _refuse_always(_: Contents, line: Fields) -> None:
    raise line.error("is not supported")


#: Interactions the engine does not have; a molecule with such lines cannot be used.
_UNSUPPORTED = (
    *("pairs", "pairs_nb", "settles", "distance_restraints", "orientation_restraints"),
    *("angle_restraints", "angle_restraints_z", "cmap", "polarization", "water_polarization", "thole_polarization"),
)

SECTIONS: Mapping[str, Parser] = {
    "defaults": _read_defaults,
    "atomtypes": _read_atom_type,
    "nonbond_params": _read_pair,
    **dict.fromkeys(TYPES, read_parameter_type),
    "moleculetype": _read_molecule_type,
    "atoms": _read_atom,
    **dict.fromkeys(BONDED, read_bonded),
    **dict.fromkeys(SITES, read_site),
    **dict.fromkeys(("dummies1", "dummies2", "dummies3", "dummies4"), read_site),
    **dict.fromkeys(("virtual_sitesn", "dummiesn"), read_site_n),
    "position_restraints": read_restraint,
    "dihedral_restraints": read_dihedral_restraint,
    "exclusions": read_exclusion,
    "system": _read_title,
    "molecules": _read_count,
    **dict.fromkeys(_UNSUPPORTED, _refuse_for_molecule),
    **dict.fromkeys(
        ("pairtypes", "cmaptypes", "implicit_genborn_params", "intermolecular_interactions"), _refuse_always
    ),
}


def _section(line: SourceLine) -> str:
    from difflib import get_close_matches

    name = line.text.strip("[] \t").lower()
    if not line.text.endswith("]") or name not in SECTIONS:
        near = get_close_matches(name, list(SECTIONS), n=1)
        hint = f"did you mean [ {near[0]} ]?" if near else "no such section in GROMACS topologies"
        raise TopologyError(f"unknown section {line.text!r}", where=line.where, hint=hint)
    return name


def read_contents(top: Path, defines: Mapping[str, str] | None, include: Sequence[Path | str]) -> Contents:
    """Everything in the topology ``top`` and what it includes.

    Raises
    ------
    TopologyError
        With file and line, for anything that is malformed.
    """
    contents, section = Contents(top.parent), ""
    for line in preprocess(top, defines, include=include):
        if line.text.startswith("["):
            section = _section(line)
        elif not section:
            raise TopologyError(f"text before the first section: {line.text!r}", where=line.where)
        else:
            SECTIONS[section](contents, Fields(tuple(line.text.split()), section, line.where))
    if not contents.rule:
        raise TopologyError("no [ defaults ]: it does not include a force field", where=str(top))
    if not contents.counts:
        raise TopologyError("no [ molecules ]", where=str(top))
    return contents
