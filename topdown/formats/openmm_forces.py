"""The forces of a serialised OpenMM system, as XML elements, one function for each kind of term.

Everything is a stock OpenMM force, periodic, and exact: the expressions are those of ``topdown.model.bonded`` and of the
bead table's scheme. A force without terms is left out. Element and attribute names are those that OpenMM 8 itself
serialises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from topdown.errors import TopologyError
from topdown.model import CGMolecule, Dihedral, NonbondedScheme, System, TabulatedPotential
from topdown.model._arrays import FloatArray
from topdown.units import COULOMB_CONSTANT

#: Force group of each term. ``pairs`` holds Lennard-Jones and the reaction field of pairs that are not excluded,
#: ``charges`` the reaction field of excluded pairs and of each charge with itself.
FORCE_GROUPS: Final = {"bond": 1, "angle": 2, "dihedral": 3, "pairs": 4, "charges": 5, "restraint": 6}

#: GROMACS function numbers that are written, and how many coefficients they take.
_BONDS, _CONSTRAINTS, _ANGLES = (1, 6), (1, 2), (1, 2, 8, 10)
_DIHEDRALS: Final = {1: 0, 2: 0, 3: 6, 9: 0, 11: 5}

#: Beads of a term and its parameters.
Row = tuple[tuple[int, ...], tuple[float, ...]]

#: Directions that count for the distance in a flat-bottomed restraint, by GROMACS's geometry number.
_DIRECTIONS: Final = {
    1: (1.0, 1.0, 1.0),
    2: (1.0, 1.0, 0.0),
    3: (1.0, 0.0, 0.0),
    4: (0.0, 1.0, 0.0),
    5: (0.0, 0.0, 1.0),
    6: (0.0, 1.0, 1.0),
    7: (1.0, 0.0, 1.0),
    8: (1.0, 1.0, 0.0),
}


def number(value: float) -> str:
    """The shortest text that gives the same bits back."""
    return repr(float(value))


def _rows(system: System, rows_of: Callable[[CGMolecule], Sequence[Row]]) -> Iterator[Row]:
    """The rows of every molecule, bead indices counted over the whole system."""
    known: dict[int, Sequence[Row]] = {}
    for molecule, start in system.molecules():
        if id(molecule) not in known:
            known[id(molecule)] = rows_of(molecule)
        for atoms, values in known[id(molecule)]:
            yield tuple(start + atom for atom in atoms), values


def check_terms(molecule: CGMolecule) -> None:
    """Refuse what would otherwise be left out or taken for something else.

    Raises
    ------
    TopologyError
        An interaction function or flat-bottom geometry that is not written, a wrong number of coefficients, or an angle of
        function 8 without a table from 0 to 180 degrees.
    """
    where = molecule.name
    used = (
        ("bond", _BONDS, [bond.function for bond in molecule.bonds]),
        ("constraint", _CONSTRAINTS, [constraint.function for constraint in molecule.constraints]),
        ("angle", _ANGLES, [angle.function for angle in molecule.angles]),
        ("dihedral", tuple(_DIHEDRALS), [dihedral.function for dihedral in molecule.dihedrals]),
    )
    for kind, known, functions in used:
        for function in functions:
            if function not in known:
                hint = f"functions {', '.join(map(str, known))} are"
                raise TopologyError(f"{kind} function {function} is not written for OpenMM", where=where, hint=hint)
    for dihedral in molecule.dihedrals:
        wanted, found = _DIHEDRALS[dihedral.function], len(dihedral.coefficients)
        if wanted != found:
            raise TopologyError(f"a dihedral of function {dihedral.function} has {found} coefficients", where=where)
    for angle in molecule.angles:
        if angle.function == 8 and (angle.table is None or angle.table.x[0] > 1e-6 or angle.table.x[-1] < 180.0 - 1e-6):
            raise TopologyError("an angle of function 8 needs a table from 0 to 180 degrees", where=where)
    for restraint in molecule.flat_bottom_restraints:
        if restraint.geometry not in _DIRECTIONS:
            raise TopologyError(f"flat-bottom geometry {restraint.geometry} is not one of 1 to 8", where=where)


def _force(kind: str, version: int, term: str, name: str, **attributes: str) -> Element:
    group = str(FORCE_GROUPS[term])
    return Element("Force", {"type": kind, "version": str(version), "forceGroup": group, "name": name, **attributes})


def _beads(atoms: Sequence[int]) -> dict[str, str]:
    return {f"p{k}": str(atom) for k, atom in enumerate(atoms, start=1)}


def _parameters(values: Iterable[float]) -> dict[str, str]:
    return {f"param{k}": number(value) for k, value in enumerate(values, start=1)}


def _names(force: Element, tag: str, names: Sequence[str]) -> None:
    holder = SubElement(force, tag)
    for name in names:
        SubElement(holder, "Parameter", {"name": name})


def _stock(kind: str, term: str, name: str, tag: str, keys: Sequence[str], rows: Iterable[Row]) -> list[Element]:
    """A force with a built-in functional form, whose parameters are called ``keys``."""
    force = _force(kind, 2, term, name, usesPeriodic="1")
    holder = SubElement(force, f"{tag}s")
    for atoms, values in rows:
        SubElement(holder, tag, _beads(atoms) | {key: number(value) for key, value in zip(keys, values)})
    return [force] if len(holder) else []


def _custom(
    kind: str,
    term: str,
    name: str,
    tag: str,
    energy: str,
    names: Sequence[str],
    rows: Iterable[Row],
    *,
    functions: Element | None = None,
) -> list[Element]:
    """A force with an expression of its own: ``kind`` is CustomBondForce, CustomAngleForce, …"""
    rows = list(rows)
    if not rows:
        return []
    force = _force(kind, 3, term, name, energy=energy, usesPeriodic="1")
    if kind == "CustomCompoundBondForce":
        force.set("particles", str(len(rows[0][0])))
    _names(force, f"Per{tag}Parameters", names)
    SubElement(force, "GlobalParameters")
    SubElement(force, "EnergyParameterDerivatives")
    holder = SubElement(force, f"{tag}s")
    for atoms, values in rows:
        SubElement(holder, tag, _beads(atoms) | _parameters(values))
    if kind == "CustomCompoundBondForce":
        force.append(Element("Functions") if functions is None else functions)
    return [force]


def _discrete(functions: Element, name: str, values: Iterable[float], *, size: int = 0) -> None:
    """A table: one-dimensional, or ``size`` × ``size``."""
    shape = {"xsize": str(size), "ysize": str(size)} if size else {}
    kind = "Discrete2DFunction" if size else "Discrete1DFunction"
    table = SubElement(functions, "Function", {"name": name, "type": kind, "version": "1", **shape})
    holder = SubElement(table, "Values")
    for value in values:
        SubElement(holder, "Value", {"v": number(value)})


# -- non-bonded ----------------------------------------------------------------------------------------------------------


def _cut_power(power: int, scheme: NonbondedScheme) -> str:
    """r^-n as it is cut off, an expression in r and ``x`` = r^-6.

    Force-shift takes off the tangent at the cut-off, so that energy and force vanish there.
    """
    plain, at_cutoff = "x" if power == 6 else "x^2", scheme.cutoff**-power
    if scheme.lj_modifier == "none":
        return plain
    if scheme.lj_modifier == "potential-shift":
        return f"({plain}-{number(at_cutoff)})"
    return f"({plain}-{number((power + 1) * at_cutoff)}+{number(power * at_cutoff / scheme.cutoff)}*r)"


def _reaction_field(scheme: NonbondedScheme) -> tuple[str, str]:
    """f/ε_r [kJ/mol nm e⁻²], and k_rf r² - c_rf as an expression in r."""
    k_rf, c_rf = scheme.reaction_field
    return number(COULOMB_CONSTANT / scheme.epsilon_r), f"({number(k_rf)})*r^2-{number(c_rf)}"


def pair_force(system: System) -> list[Element]:
    """Lennard-Jones from tables of C6 and C12 by type, and the reaction field where there are charges."""
    scheme = system.table.scheme
    types = sorted({bead.bead_type for molecule, _ in system.components for bead in molecule.beads})
    index = {name: k for k, name in enumerate(types)}
    charged = _is_charged(system)
    energy = (
        f"c12(type1,type2)*{_cut_power(12, scheme)}-c6(type1,type2)*{_cut_power(6, scheme)}"
        + ("+{}*q1*q2*(1/r+{})".format(*_reaction_field(scheme)) if charged else "")
        + ";x=1/r^6"
    )
    cut = {"method": "2", "cutoff": number(scheme.cutoff)}
    plain = {"useSwitchingFunction": "0", "switchingDistance": "-1", "useLongRangeCorrection": "0"}
    force = _force("CustomNonbondedForce", 3, "pairs", "pairs", energy=energy, **cut, **plain)
    _names(force, "PerParticleParameters", ("type", "q") if charged else ("type",))
    for empty in ("GlobalParameters", "ComputedValues", "EnergyParameterDerivatives"):
        SubElement(force, empty)
    particles = SubElement(force, "Particles")
    for molecule, count in system.components:
        beads = [
            _parameters((index[bead.bead_type], bead.charge) if charged else (index[bead.bead_type],))
            for bead in molecule.beads
        ]
        for bead in beads * count:
            SubElement(particles, "Particle", bead)
    exclusions = SubElement(force, "Exclusions")
    for atoms, _ in _rows(system, lambda m: [(pair, ()) for pair in m.excluded_pairs()]):
        SubElement(exclusions, "Exclusion", _beads(atoms))
    force.append(_lennard_jones_tables(system, types))
    SubElement(force, "InteractionGroups")
    return [force]


def _lennard_jones_tables(system: System, types: Sequence[str]) -> Element:
    rows = system.table.indices(types)
    block = np.ix_(rows, rows)
    c6 = 4.0 * system.table.epsilon[block] * system.table.sigma[block] ** 6
    functions = Element("Functions")
    _discrete(functions, "c6", c6.ravel(), size=len(types))
    _discrete(functions, "c12", (c6 * system.table.sigma[block] ** 6).ravel(), size=len(types))
    return functions


def _is_charged(system: System) -> bool:
    return any(bead.charge for molecule, count in system.components if count for bead in molecule.beads)


def _charged_exclusions(molecule: CGMolecule) -> list[Row]:
    products = {(i, j): molecule.beads[i].charge * molecule.beads[j].charge for i, j in molecule.excluded_pairs()}
    return [(pair, (product,)) for pair, product in products.items() if product]


def charge_corrections(system: System) -> list[Element]:
    """What GROMACS counts besides pairs: the reaction field of excluded pairs, and of each charge with itself.

    The latter is a constant. OpenMM has no term without particles; a field on the first bead that is equal everywhere
    adds it and exerts no force.
    """
    if not _is_charged(system):
        return []
    scheme = system.table.scheme
    factor, field = _reaction_field(scheme)
    energy = f"step({number(scheme.cutoff)}-r)*{factor}*qq*({field})"
    rows = _rows(system, _charged_exclusions)
    name = "reaction field of excluded pairs"
    forces = _custom("CustomBondForce", "charges", name, "Bond", energy, ("qq",), rows)
    squares = sum(count * sum(bead.charge**2 for bead in m.beads) for m, count in system.components)
    own = -0.5 * COULOMB_CONSTANT / scheme.epsilon_r * squares * scheme.reaction_field[1]
    name = "reaction field of each charge with itself"
    return [*forces, *_external("charges", name, "energy0", ("energy0",), [((0,), (own,))])]


# -- bonded --------------------------------------------------------------------------------------------------------------


def bond_forces(system: System) -> list[Element]:
    """Harmonic bonds, functions 1 and 6 alike."""
    rows = _rows(system, lambda m: [(b.atoms, (b.length, b.force_constant)) for b in m.bonds])
    return _stock("HarmonicBondForce", "bond", "bonds", "Bond", ("d", "k"), rows)


def _angles(system: System, function: int) -> Iterator[Row]:
    def rows_of(molecule: CGMolecule) -> list[Row]:
        angles = [a for a in molecule.angles if a.function == function]
        if function == 1:
            return [(a.atoms, (math.radians(a.angle), a.force_constant)) for a in angles]
        return [(a.atoms, (a.force_constant, math.cos(math.radians(a.angle)))) for a in angles]

    return _rows(system, rows_of)


def angle_forces(system: System) -> list[Element]:
    """Functions 1, 2, 10 and 8."""
    names = ("k", "c0")
    g96 = "0.5*k*(cos(theta)-c0)^2"
    restricted = f"{g96}/sin(theta)^2"
    return [
        *_stock("HarmonicAngleForce", "angle", "angles 1", "Angle", ("a", "k"), _angles(system, 1)),
        *_custom("CustomAngleForce", "angle", "angles 2", "Angle", g96, names, _angles(system, 2)),
        *_custom("CustomAngleForce", "angle", "angles 10", "Angle", restricted, names, _angles(system, 10)),
        *_tabulated_angles(system),
    ]


def _hermite_coefficients(table: TabulatedPotential) -> FloatArray:
    """(4, n-1): value, slope, second and third coefficient in e = 0…1 of every interval."""
    spacing = (table.x[-1] - table.x[0]) / (len(table.x) - 1)
    v0, v1 = table.energy[:-1], table.energy[1:]
    s0, s1 = table.slope[:-1] * spacing, table.slope[1:] * spacing
    return np.stack([v0, s0, 3.0 * (v1 - v0) - 2.0 * s0 - s1, 2.0 * (v0 - v1) + s0 + s1])


def _tabulated_angles(system: System) -> list[Element]:
    """Function 8: the cubic of each interval, its coefficients in four tables that hold all potentials in a row.

    OpenMM's own splines know only values, not slopes; looked up by interval the potential is the very same one.
    """
    tables = {id(a.table): a.table for m, _ in system.components for a in m.angles if a.table is not None}
    if not tables:
        return []
    sizes = [len(table.x) - 1 for table in tables.values()]
    firsts = dict(zip(tables, np.cumsum([0, *sizes]).tolist()))

    def rows_of(molecule: CGMolecule) -> list[Row]:
        rows: list[Row] = []
        for angle in molecule.angles:
            if angle.function == 8 and (table := angle.table) is not None:
                last = len(table.x) - 2
                per_degree = (last + 1) / (table.x[-1] - table.x[0])
                place = (firsts[id(table)], last, math.degrees(per_degree), table.x[0] * per_degree)
                rows.append((angle.atoms, (angle.force_constant, *place)))
        return rows

    functions = Element("Functions")
    joined = np.concatenate([_hermite_coefficients(table) for table in tables.values()], axis=1)
    for k, values in enumerate(joined):
        _discrete(functions, f"a{k}", values)
    energy = (
        "k*(a0(j)+e*(a1(j)+e*(a2(j)+e*a3(j))));"
        "e=u-i;j=first+i;i=max(0,min(last,floor(u)));u=per_radian*angle(p1,p2,p3)-start"
    )
    names = ("k", "first", "last", "per_radian", "start")
    rows = _rows(system, rows_of)
    return _custom("CustomCompoundBondForce", "angle", "angles 8", "Bond", energy, names, rows, functions=functions)


def _proper(dihedral: Dihedral) -> tuple[float, ...]:
    """Periodicity, phase and k; OpenMM wants a positive periodicity, and cos(-nφ - φ0) = cos(nφ + φ0)."""
    sign = 1.0 if dihedral.multiplicity > 0 else -1.0
    return (abs(dihedral.multiplicity), sign * math.radians(dihedral.angle), dihedral.force_constant)


def _polynomial(dihedral: Dihedral) -> tuple[float, ...]:
    """Six Ryckaert-Bellemans coefficients; a proper dihedral of multiplicity 0 is a constant."""
    if dihedral.function == 3:
        return dihedral.coefficients
    return (dihedral.force_constant * (1.0 + math.cos(math.radians(dihedral.angle))), 0.0, 0.0, 0.0, 0.0, 0.0)


def dihedral_forces(system: System) -> list[Element]:
    """Functions 1 and 9, 2, 3 and 11."""

    def rows(wanted: Callable[[Dihedral], bool], values: Callable[[Dihedral], tuple[float, ...]]) -> Iterator[Row]:
        return _rows(system, lambda m: [(d.atoms, values(d)) for d in m.dihedrals if wanted(d)])

    proper = rows(lambda d: d.function in (1, 9) and d.multiplicity != 0, _proper)
    polynomial = rows(lambda d: d.function == 3 or (d.function in (1, 9) and d.multiplicity == 0), _polynomial)
    improper = rows(lambda d: d.function == 2, lambda d: (d.force_constant, math.radians(d.angle)))
    combined = rows(lambda d: d.function == 11, lambda d: tuple(d.force_constant * a for a in d.coefficients))
    turn = f"0.5*k*turn^2;turn=d-{2.0 * math.pi!r}*floor(d/{2.0 * math.pi!r}+0.5);d=theta-theta0"
    bend = "sin(angle(p1,p2,p3))^3*sin(angle(p2,p3,p4))^3*(a0+c*(a1+c*(a2+c*(a3+c*a4))));c=cos(dihedral(p1,p2,p3,p4))"
    phase = ("periodicity", "phase", "k")
    periodic = _stock("PeriodicTorsionForce", "dihedral", "dihedrals 1 and 9", "Torsion", phase, proper)
    for torsion in periodic[0].iter("Torsion") if periodic else ():
        torsion.set("periodicity", str(round(float(torsion.attrib["periodicity"]))))
    ryckaert = ("c0", "c1", "c2", "c3", "c4", "c5")
    names = ("a0", "a1", "a2", "a3", "a4")
    return [
        *periodic,
        *_custom("CustomTorsionForce", "dihedral", "dihedrals 2", "Torsion", turn, ("k", "theta0"), improper),
        *_stock("RBTorsionForce", "dihedral", "dihedrals 3", "Torsion", ryckaert, polynomial),
        *_custom("CustomCompoundBondForce", "dihedral", "dihedrals 11", "Bond", bend, names, combined),
    ]


# -- restraints ----------------------------------------------------------------------------------------------------------


def _external(term: str, name: str, energy: str, names: Sequence[str], rows: Iterable[Row]) -> list[Element]:
    force = _force("CustomExternalForce", 1, term, name, energy=energy)
    _names(force, "PerParticleParameters", names)
    SubElement(force, "GlobalParameters")
    holder = SubElement(force, "Particles")
    for (atom,), values in rows:
        SubElement(holder, "Particle", {"index": str(atom), **_parameters(values)})
    return [force] if len(holder) else []


def restraint_forces(system: System) -> list[Element]:
    """Position and flat-bottomed restraints, to the nearest image of their reference points."""
    points = (system.positions if system.reference_positions is None else system.reference_positions).tolist()
    position = _rows(system, lambda m: [((r.atom,), r.force_constants) for r in m.position_restraints])
    flat = _rows(
        system,
        lambda m: [
            ((r.atom,), (r.force_constant, abs(r.radius), math.copysign(1.0, r.radius), *_DIRECTIONS[r.geometry]))
            for r in m.flat_bottom_restraints
        ],
    )
    spring = "0.5*({})".format(
        "+".join(
            f"k{d}*periodicdistance({here},{there})^2"
            for d, here, there in (("x", "x,0,0", "x0,0,0"), ("y", "0,y,0", "0,y0,0"), ("z", "0,0,z", "0,0,z0"))
        )
    )
    wall = "0.5*k*max(0,side*(d-radius))^2;d=periodicdistance(wx*x,wy*y,wz*z,wx*x0,wy*y0,wz*z0)"
    reference = ("x0", "y0", "z0")
    names = ("k", "radius", "side", "wx", "wy", "wz", *reference)
    springs, walls = (
        [(atoms, (*values, *points[atoms[0]])) for atoms, values in restraints] for restraints in (position, flat)
    )
    return [
        *_external("restraint", "position restraints", spring, ("kx", "ky", "kz", *reference), springs),
        *_external("restraint", "flat-bottomed restraints", wall, names, walls),
    ]


def all_forces(system: System) -> list[Element]:
    """Every force of the system, ordered by force group."""
    return [
        *bond_forces(system),
        *angle_forces(system),
        *dihedral_forces(system),
        *pair_force(system),
        *charge_corrections(system),
        *restraint_forces(system),
    ]
