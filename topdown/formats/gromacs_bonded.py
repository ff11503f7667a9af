"""Bonded terms of GROMACS topologies: ``[ bonds ]`` to ``[ dihedrals ]``, the ``[ …types ]`` they may refer to, and dihedral
restraints that are impropers.

Function numbers and parameter order: GROMACS reference manual, "Topology file formats", table of interactions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from topdown.errors import TopologyError
from topdown.formats.gromacs_contents import Atoms, Contents, MoleculeDraft
from topdown.formats.gromacs_lines import Fields
from topdown.model import Angle, Bond, Constraint, Dihedral

Values = tuple[float, ...]
Term = Bond | Constraint | Angle | Dihedral
Builder = Callable[[Contents, Atoms, Values], Term]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one section is read: atoms per line, and function number → number of parameters and constructor."""

    n_atoms: int
    functions: Mapping[int, tuple[int, Builder]]


def _bond(function: int) -> tuple[int, Builder]:
    return 2, lambda _, a, p: Bond(atoms=(a[0], a[1]), length=p[0], force_constant=p[1], function=function)


def _constraint(function: int) -> tuple[int, Builder]:
    return 1, lambda _, a, p: Constraint(atoms=(a[0], a[1]), length=p[0], function=function)


def _angle(function: int) -> tuple[int, Builder]:
    return 2, lambda _, a, p: Angle(atoms=(a[0], a[1], a[2]), angle=p[0], force_constant=p[1], function=function)


def _tabulated_angle(contents: Contents, a: Atoms, p: Values) -> Angle:
    table = contents.table(round(p[0]))
    return Angle(atoms=(a[0], a[1], a[2]), angle=0.0, force_constant=p[1], function=8, table=table)


def _proper(function: int) -> tuple[int, Builder]:
    return 3, lambda _, a, p: Dihedral(
        atoms=(a[0], a[1], a[2], a[3]), angle=p[0], force_constant=p[1], multiplicity=round(p[2]), function=function
    )


def _improper(_: Contents, a: Atoms, p: Values) -> Dihedral:
    return Dihedral(atoms=(a[0], a[1], a[2], a[3]), angle=p[0], force_constant=p[1], function=2)


def _polynomial(_: Contents, a: Atoms, p: Values) -> Dihedral:
    return Dihedral(atoms=(a[0], a[1], a[2], a[3]), angle=0.0, force_constant=0.0, function=3, coefficients=p)


def _bending_torsion(_: Contents, a: Atoms, p: Values) -> Dihedral:
    return Dihedral(atoms=(a[0], a[1], a[2], a[3]), angle=0.0, force_constant=p[0], function=11, coefficients=p[1:])


BONDED: Mapping[str, _Kind] = {
    "bonds": _Kind(2, {1: _bond(1), 6: _bond(6)}),
    "constraints": _Kind(2, {1: _constraint(1), 2: _constraint(2)}),
    "angles": _Kind(3, {1: _angle(1), 2: _angle(2), 8: (2, _tabulated_angle), 10: _angle(10)}),
    "dihedrals": _Kind(
        4,
        {
            1: _proper(1),
            2: (2, _improper),
            3: (6, _polynomial),
            4: _proper(1),  # the same potential, counted among the impropers by GROMACS
            9: _proper(9),
            11: (6, _bending_torsion),
        },
    ),
}

#: Section of parameters by type → section that uses them.
TYPES = {"bondtypes": "bonds", "constrainttypes": "constraints", "angletypes": "angles", "dihedraltypes": "dihedrals"}


def _check(line: Fields, section: str, function: int, values: Values) -> None:
    """Values no term can have; ``values`` are the last columns of ``line``."""
    if section in ("bonds", "constraints") and values[0] <= 0:
        raise line.error(f"the length must be positive, found {values[0]:g}")
    if section == "dihedrals" and function in (1, 4, 9) and not (values[2] == round(values[2]) and values[2] >= 0):
        raise line.error(f"the multiplicity must be a whole number, found {values[2]:g}")
    if section == "angles" and function == 8 and not (values[0] == round(values[0]) and values[0] >= 0):
        raise line.error(f"the number of the table must be a whole number, found {values[0]:g}")


def _values(line: Fields, start: int, wanted: int) -> tuple[Values, bool]:
    """The parameters from column ``start``, and whether a second state that differs from the first is given."""
    if len(line.words) == start + 2 * wanted:
        both = line.numbers(start)
        return both[:wanted], both[:wanted] != both[wanted:]
    line.check_count(start + wanted, start + wanted)
    return line.numbers(start), False


def read_bonded(contents: Contents, line: Fields) -> None:
    """A line of one of the sections of :data:`BONDED`."""
    molecule, kind = contents.molecule(line), BONDED[line.section]
    n = kind.n_atoms
    if len(line.words) <= n:
        raise line.error(f"needs {n} atoms and a function, found {' '.join(line.words)!r}")
    atoms, function = molecule.atoms(line, range(n)), line.integer(n)
    if function not in kind.functions:
        known = ", ".join(map(str, kind.functions))
        molecule.refuse(line.error(f"function {function} is not supported", f"functions {known} are"))
        return
    wanted, build = kind.functions[function]
    if len(line.words) == n + 1:
        sets = _looked_up(contents, molecule, line, atoms, function)
    else:
        values, two_states = _values(line, n + 1, wanted)
        sets = [values]
        if two_states and line.section == "constraints":
            # Martini 2 writes a force constant there, for use as [ bonds ] with FLEXIBLE
            molecule.warnings["[ constraints ] the number after a length has no effect, as in GROMACS"] = None
        elif two_states:
            molecule.refuse(line.error("a second state (free energy) is not supported"))
    for values in sets:
        _check(line, line.section, function, values)
        try:
            molecule.add(line.section, build(contents, atoms, values))
        except TopologyError as error:  # a table that is missing or malformed
            molecule.refuse(line.error(str(error), "tables are read from beside the .top file"))


def read_dihedral_restraint(contents: Contents, line: Fields) -> None:
    """A line of ``[ dihedral_restraints ]``: without a free range (Martini 3 sugars) it is a harmonic improper dihedral."""
    molecule = contents.molecule(line)
    line.check_count(8, 8)
    atoms, function = molecule.atoms(line, range(4)), line.integer(4)
    angle, free, constant = line.numbers(5)
    if function != 1 or free != 0.0:
        molecule.refuse(line.error("is supported without a free range only", "function 1 with Δφ = 0"))
        return
    molecule.add("dihedrals", _improper(contents, atoms, (angle, constant)))


def _looked_up(contents: Contents, molecule: MoleculeDraft, line: Fields, atoms: Atoms, function: int) -> list[Values]:
    """Parameter sets by bonded type, forwards or backwards; of several matches the one with the fewest wildcards."""
    types = tuple(contents.atom_types[molecule.beads[atom].bead_type].bonded for atom in atoms)
    best: list[Values] = []
    fewest = len(types) + 1
    for pattern, sets in contents.parameter_types.get((line.section, function), {}).items():
        for way in (types, types[::-1]):
            wild = pattern.count("X")
            if wild < fewest and all(p in (t, "X") for p, t in zip(pattern, way)):
                best, fewest = sets, wild
    if not best:
        section = next(name for name, user in TYPES.items() if user == line.section)
        raise line.error("has no parameters", f"none for {' '.join(types)} with function {function} in [ {section} ]")
    return best


def read_parameter_type(contents: Contents, line: Fields) -> None:
    """A line of ``[ bondtypes ]`` and its like; several lines of one dihedral of function 9 add up."""
    section = TYPES[line.section]
    kind = BONDED[section]
    n = kind.n_atoms
    if len(line.words) <= n:
        raise line.error(f"needs {n} types and a function, found {' '.join(line.words)!r}")
    function = line.integer(n)
    if function not in kind.functions:
        return  # a molecule that needs it is refused at the line that does
    values, two_states = _values(line, n + 1, kind.functions[function][0])
    if two_states:
        raise line.error("a second state (free energy) is not supported")
    _check(line, section, function, values)
    known = contents.parameter_types.setdefault((section, function), {})
    types = line.words[:n]
    sets = known.setdefault(types[::-1] if types[::-1] in known else types, [])
    if sets and function != 9 and sets != [values]:
        raise line.error(f"{' '.join(types)} has other parameters before")
    if not sets or function == 9:
        sets.append(values)
