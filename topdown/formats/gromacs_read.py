"""GROMACS topologies of Martini systems, read strictly: what is not understood is an error with file and line.

The sections and interaction functions that are read stand in two tables, ``SECTIONS`` and ``BONDED``. A molecule that uses
anything else can be in an included file, but not in ``[ molecules ]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from topdown.errors import TopologyError
from topdown.formats.gro import GroFile, read_gro
from topdown.formats.pair_parameters import combined, converted
from topdown.formats.preprocessor import SourceLine, preprocess
from topdown.model import Angle, Bead, BeadTable, BeadType, Bond, CGMolecule, Constraint, Dihedral, Provenance, System
from topdown.model.bead import Size

Components = tuple[tuple[CGMolecule, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Topology:
    """A topology without coordinates.

    Attributes
    ----------
    table : BeadTable
        The bead types in use.
    components : tuple of (CGMolecule, int)
        One for each line of ``[ molecules ]``.
    title : str
    """

    table: BeadTable
    components: Components
    title: str


@dataclass(frozen=True, slots=True)
class _Fields:
    """The words of one line."""

    words: tuple[str, ...]
    section: str
    where: str

    def error(self, message: str, hint: str = "") -> TopologyError:
        return TopologyError(f"[ {self.section} ] {message}", where=self.where, hint=hint)

    def check_count(self, least: int, most: int) -> None:
        if not least <= len(self.words) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"needs {wanted} columns, found {len(self.words)}: {' '.join(self.words)!r}")

    def integer(self, k: int) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", self.words[k]):
            raise self.error(f"column {k + 1} must be a whole number, found {self.words[k]!r}")
        return int(self.words[k])

    def number(self, k: int) -> float:
        try:
            value = float(self.words[k].replace("_", "?"))
        except ValueError:
            raise self.error(f"column {k + 1} must be a number, found {self.words[k]!r}") from None
        if not np.isfinite(value):
            raise self.error(f"column {k + 1} must be finite, found {self.words[k]!r}")
        return value


@dataclass(frozen=True, slots=True)
class _AtomType:
    mass: float
    charge: float
    parameters: tuple[float, float]


@dataclass(slots=True)
class _Molecule:
    """A moleculetype while it is read; ``obstacle`` is the first thing in it that cannot be simulated."""

    name: str
    nrexcl: int
    beads: list[Bead] = field(default_factory=list)
    terms: dict[str, list[Any]] = field(default_factory=lambda: {section: [] for section in BONDED})
    exclusions: dict[tuple[int, int], None] = field(default_factory=dict)
    obstacle: TopologyError | None = None

    def refuse(self, error: TopologyError) -> None:
        self.obstacle = self.obstacle or error


@dataclass(slots=True)
class _Contents:
    """Everything read so far."""

    rule: int = 0
    atom_types: dict[str, _AtomType] = field(default_factory=dict)
    pairs: dict[tuple[str, str], tuple[tuple[float, float], str]] = field(default_factory=dict)
    molecule_types: dict[str, _Molecule] = field(default_factory=dict)
    current: _Molecule | None = None
    title: list[str] = field(default_factory=list)
    counts: list[tuple[str, int, str]] = field(default_factory=list)


Parser = Callable[[_Contents, _Fields], None]


@dataclass(frozen=True, slots=True)
class _Bonded:
    """How the lines of one bonded section are read: function number → number of parameters and constructor."""

    n_atoms: int
    functions: Mapping[int, tuple[int, Callable[..., Any]]]


def _bond(function: int) -> Callable[..., Bond]:
    return lambda atoms, p: Bond(atoms=atoms, length=p[0], force_constant=p[1], function=function)


def _angle(function: int) -> Callable[..., Angle]:
    return lambda atoms, p: Angle(atoms=atoms, angle=p[0], force_constant=p[1], function=function)


def _proper(function: int) -> Callable[..., Dihedral]:
    return lambda atoms, p: Dihedral(
        atoms=atoms, angle=p[0], force_constant=p[1], multiplicity=round(p[2]), function=function
    )


def _improper(atoms: Any, p: Any) -> Dihedral:
    return Dihedral(atoms=atoms, angle=p[0], force_constant=p[1], multiplicity=0, function=2)


BONDED: Mapping[str, _Bonded] = {
    "bonds": _Bonded(2, {1: (2, _bond(1)), 6: (2, _bond(6))}),
    "constraints": _Bonded(2, {1: (1, lambda atoms, p: Constraint(atoms=atoms, length=p[0]))}),
    "angles": _Bonded(3, {1: (2, _angle(1)), 2: (2, _angle(2))}),
    "dihedrals": _Bonded(4, {1: (3, _proper(1)), 2: (2, _improper), 9: (3, _proper(9))}),
}


def _read_defaults(contents: _Contents, line: _Fields) -> None:
    line.check_count(2, 5)
    if contents.rule:
        raise line.error("stands twice")
    if line.integer(0) != 1:
        raise line.error(f"only Lennard-Jones (1) is supported, found function {line.words[0]}")
    if line.integer(1) not in (1, 2, 3):
        raise line.error(f"the combination rule must be 1, 2 or 3, found {line.words[1]}")
    contents.rule = line.integer(1)


def _read_atom_type(contents: _Contents, line: _Fields) -> None:
    line.check_count(6, 8)
    if not contents.rule:
        raise line.error("needs [ defaults ] before it")
    name, particle = line.words[0], line.words[-3]
    if particle not in ("A", "V", "D"):
        raise line.error(f"the particle type must be A, D or V, found {particle!r}")
    if name in contents.atom_types:
        raise line.error(f"{name!r} stands twice")
    last = len(line.words)
    contents.atom_types[name] = _AtomType(
        mass=line.number(last - 5),
        charge=line.number(last - 4),
        parameters=(line.number(last - 2), line.number(last - 1)),
    )


def _read_pair(contents: _Contents, line: _Fields) -> None:
    line.check_count(5, 5)
    a, b = line.words[:2]
    for name in (a, b):
        if name not in contents.atom_types:
            raise line.error(f"unknown atom type {name!r}")
    if line.integer(2) != 1:
        raise line.error(f"only function 1 is supported, found {line.words[2]}")
    key = (a, b) if a <= b else (b, a)
    values = (line.number(3), line.number(4))
    known = contents.pairs.setdefault(key, (values, line.where))
    if known[0] != values:
        raise line.error(f"the pair {a} {b} has other parameters at {known[1]}")


def _read_molecule_type(contents: _Contents, line: _Fields) -> None:
    line.check_count(2, 2)
    if line.words[0] in contents.molecule_types:
        raise line.error(f"{line.words[0]!r} stands twice")
    if contents.current is not None and contents.current.name not in contents.molecule_types:
        raise line.error("holds two lines")
    contents.current = _Molecule(line.words[0], line.integer(1))
    if contents.current.nrexcl < 0:
        raise line.error("nrexcl must not be negative")
    contents.molecule_types[line.words[0]] = contents.current


def _molecule(contents: _Contents, line: _Fields) -> _Molecule:
    if contents.current is None:
        raise line.error("needs [ moleculetype ] before it")
    return contents.current


def _read_atom(contents: _Contents, line: _Fields) -> None:
    line.check_count(6, 11)
    molecule = _molecule(contents, line)
    if line.integer(0) != len(molecule.beads) + 1:
        raise line.error(f"number {len(molecule.beads) + 1} must follow, found {line.words[0]}")
    atom_type = contents.atom_types.get(line.words[1])
    if atom_type is None:
        raise line.error(f"unknown atom type {line.words[1]!r}")
    charge = line.number(6) if len(line.words) > 6 else atom_type.charge
    mass = line.number(7) if len(line.words) > 7 else atom_type.mass
    if len(line.words) > 8:
        molecule.refuse(line.error("a second state (typeB, chargeB, massB) is not supported"))
    if not mass > 0:
        molecule.refuse(line.error(f"bead {line.words[4]!r} has mass {mass:g}", "virtual sites are not supported"))
    molecule.beads.append(Bead(name=line.words[4], bead_type=line.words[1], charge=charge, mass=mass))


def _atoms_of(molecule: _Molecule, line: _Fields, count: int) -> tuple[int, ...]:
    atoms = tuple(line.integer(k) - 1 for k in range(count))
    if any(not 0 <= atom < len(molecule.beads) for atom in atoms) or len(set(atoms)) != count:
        raise line.error(f"atoms {' '.join(line.words[:count])} do not fit a molecule of {len(molecule.beads)} beads")
    return atoms


def _read_bonded(contents: _Contents, line: _Fields) -> None:
    molecule, kind = _molecule(contents, line), BONDED[line.section]
    n = kind.n_atoms
    if len(line.words) <= n:
        raise line.error(f"needs {n} atoms and a function, found {' '.join(line.words)!r}")
    atoms = _atoms_of(molecule, line, n)
    function = line.integer(n)
    if function not in kind.functions:
        known = ", ".join(map(str, kind.functions))
        molecule.refuse(line.error(f"function {function} is not supported", f"functions {known} are"))
        return
    n_parameters, build = kind.functions[function]
    if len(line.words) == n + 1:
        raise line.error("has no parameters", "parameters by atom type are not supported: write them out")
    line.check_count(n + 1 + n_parameters, n + 1 + n_parameters)
    parameters = [line.number(n + 1 + k) for k in range(n_parameters)]
    if n == 2 and parameters[0] <= 0:
        raise line.error(f"the length must be positive, found {parameters[0]:g}")
    if n_parameters == 3 and not (parameters[2] == round(parameters[2]) and parameters[2] >= 0):
        raise line.error(f"the multiplicity must be a whole number, found {line.words[-1]}")
    molecule.terms[line.section].append(build(atoms, parameters))


def _read_exclusion(contents: _Contents, line: _Fields) -> None:
    molecule = _molecule(contents, line)
    if len(line.words) < 2:
        raise line.error("needs a bead and the beads it ignores")
    first, *others = (_atoms_of(molecule, _Fields((word,), line.section, line.where), 1)[0] for word in line.words)
    for other in others:
        if other != first:
            molecule.exclusions[min(first, other), max(first, other)] = None


def _read_title(contents: _Contents, line: _Fields) -> None:
    contents.title.append(" ".join(line.words))


def _read_count(contents: _Contents, line: _Fields) -> None:
    line.check_count(2, 2)
    if line.integer(1) < 0:
        raise line.error(f"the number of molecules must not be negative, found {line.words[1]}")
    contents.counts.append((line.words[0], line.integer(1), line.where))


def _refuse_for_molecule(contents: _Contents, line: _Fields) -> None:
    _molecule(contents, line).refuse(line.error("is not supported"))


def _refuse_always(contents: _Contents, line: _Fields) -> None:
    raise line.error("is not supported", "write the parameters out in every molecule")


SECTIONS: Mapping[str, Parser] = {
    "defaults": _read_defaults,
    "atomtypes": _read_atom_type,
    "nonbond_params": _read_pair,
    "moleculetype": _read_molecule_type,
    "atoms": _read_atom,
    **dict.fromkeys(BONDED, _read_bonded),
    "exclusions": _read_exclusion,
    "system": _read_title,
    "molecules": _read_count,
    **dict.fromkeys(
        (
            *("pairs", "pairs_nb", "settles", "position_restraints", "distance_restraints", "orientation_restraints"),
            *(
                "dihedral_restraints",
                "angle_restraints",
                "angle_restraints_z",
                "cmap",
                "polarization",
                "water_polarization",
            ),
            *("thole_polarization", "virtual_sites1", "virtual_sites2", "virtual_sites3", "virtual_sites4"),
            *("virtual_sitesn", "dummies2", "dummies3", "dummies4", "dummiesn"),
        ),
        _refuse_for_molecule,
    ),
    **dict.fromkeys(
        (
            *("bondtypes", "constrainttypes", "pairtypes", "angletypes", "dihedraltypes", "cmaptypes"),
            *("implicit_genborn_params", "intermolecular_interactions"),
        ),
        _refuse_always,
    ),
}


def _section_name(line: SourceLine) -> str:
    name = line.text.strip("[] \t").lower()
    if not line.text.endswith("]") or name not in SECTIONS:
        raise TopologyError(f"unknown section {line.text!r}", where=line.where)
    return name


def _read_contents(top: Path, defines: Mapping[str, str] | None) -> _Contents:
    contents, section = _Contents(), ""
    for line in preprocess(top, defines):
        if line.text.startswith("["):
            section = _section_name(line)
        elif not section:
            raise TopologyError(f"text before the first section: {line.text!r}", where=line.where)
        else:
            SECTIONS[section](contents, _Fields(tuple(line.text.split()), section, line.where))
    if not contents.rule:
        raise TopologyError("no [ defaults ]: it does not include a force field", where=str(top))
    if not contents.counts:
        raise TopologyError("no [ molecules ]", where=str(top))
    return contents


def _named(contents: _Contents, name: str, where: str) -> _Molecule:
    """The moleculetype ``name``: an exact match, or as in GROMACS the only one when case is ignored."""
    if name in contents.molecule_types:
        return contents.molecule_types[name]
    near = [m for key, m in contents.molecule_types.items() if key.lower() == name.lower()]
    if len(near) != 1:
        known = ", ".join(list(contents.molecule_types)[:20])
        raise TopologyError(f"[ molecules ] no moleculetype {name!r}", where=where, hint=f"there are {known}")
    return near[0]


def _size(name: str) -> Size:
    """Size of a bead type by Martini's naming: S and T before a class letter, U a dummy, all others regular."""
    if name.startswith(("S", "T")) and name[1:2] in tuple("CNPQXDW"):
        return "S" if name[0] == "S" else "T"
    return "U" if name.startswith("U") else "R"


def _bead_table(contents: _Contents, used: set[str], top: Path) -> BeadTable:
    names = [name for name in contents.atom_types if name in used]
    sigma = np.zeros((len(names), len(names)))
    epsilon = np.zeros_like(sigma)
    for i, a in enumerate(names):
        for j, b in enumerate(names[: i + 1]):
            key = (a, b) if a <= b else (b, a)
            types = contents.atom_types[a].parameters, contents.atom_types[b].parameters
            values, where = contents.pairs.get(key, (None, str(top)))
            values = combined(contents.rule, *types) if values is None else values
            sigma[i, j], epsilon[i, j] = converted(contents.rule, values, pair=f"{a} {b}", where=where)
            sigma[j, i], epsilon[j, i] = sigma[i, j], epsilon[i, j]
    bead_types = []
    for name in names:
        size, atom_type = _size(name), contents.atom_types[name]
        short = name[1:] if size in ("S", "T") else name
        bead_types.append(
            BeadType(name=name, chemical_class=short, size=size, mass=atom_type.mass, charge=atom_type.charge)
        )
    return BeadTable(
        name=top.stem,
        bead_types=tuple(bead_types),
        epsilon=epsilon,
        sigma=sigma,
        provenance=Provenance(source=f"read from {top.name}"),
    )


def read_topology(top: Path | str, defines: Mapping[str, str] | None = None) -> Topology:
    """Read a GROMACS topology with everything it includes.

    Parameters
    ----------
    top : path
        ``.top`` file.
    defines : mapping, optional
        Macros such as ``{"FLEXIBLE": ""}``; none are set by default.

    Raises
    ------
    TopologyError
        With file and line, for anything malformed, and for anything the engine does not simulate in a molecule of
        ``[ molecules ]``.
    """
    top = Path(top)
    contents = _read_contents(top, defines)
    built: dict[str, CGMolecule] = {}
    components = []
    for name, count, where in contents.counts:
        draft = _named(contents, name, where)
        if count and draft.obstacle is not None:
            raise draft.obstacle
        if not draft.beads:
            raise TopologyError(f"moleculetype {name!r} has no [ atoms ]", where=where)
        if count and draft.name not in built:
            built[draft.name] = CGMolecule(
                name=draft.name,
                beads=tuple(draft.beads),
                bonds=tuple(draft.terms["bonds"]),
                constraints=tuple(draft.terms["constraints"]),
                angles=tuple(draft.terms["angles"]),
                dihedrals=tuple(draft.terms["dihedrals"]),
                exclusions=tuple(sorted(draft.exclusions)),
                nrexcl=draft.nrexcl,
                table=top.stem,
            )
        if count:
            components.append((built[draft.name], count))
    used = {bead.bead_type for molecule in built.values() for bead in molecule.beads}
    return Topology(
        table=_bead_table(contents, used, top),
        components=tuple(components),
        title=" ".join(contents.title) or top.stem,
    )


def _check_names(components: Components, gro: GroFile, path: Path) -> None:
    expected = sum(molecule.n_beads * count for molecule, count in components)
    if expected != len(gro.names):
        raise TopologyError(
            f"{len(gro.names)} beads, but the topology has {expected}", where=str(path), hint="do the counts agree?"
        )
    index = 0
    for molecule, count in components:
        names = tuple(bead.name for bead in molecule.beads)
        for _ in range(count):
            if gro.names[index : index + len(names)] != names:
                k = next(k for k, name in enumerate(names) if gro.names[index + k] != name)
                raise TopologyError(
                    f"bead {gro.names[index + k]!r}, but the topology has {names[k]!r} of {molecule.name}",
                    where=f"{path}:{index + k + 3}",
                    hint="is the order of the molecules the same?",
                )
            index += len(names)


def read_gromacs_topology(top: Path | str, gro: Path | str, *, defines: Mapping[str, str] | None = None) -> System:
    """Read a topology and its coordinates.

    Parameters
    ----------
    top, gro : path
        ``.top`` and ``.gro`` files.
    defines : mapping, optional
        Macros such as ``{"FLEXIBLE": ""}``.

    Returns
    -------
    System
        Molecules made whole along their bonds; residues are not kept.

    Raises
    ------
    TopologyError
        As :func:`read_topology`, and when number or names of the beads differ between the two files.
    """
    topology, coordinates = read_topology(top, defines), read_gro(gro)
    _check_names(topology.components, coordinates, Path(gro))
    return System(
        table=topology.table,
        components=topology.components,
        positions=coordinates.positions,
        box=coordinates.box,
        velocities=coordinates.velocities,
        title=topology.title,
    ).whole()
