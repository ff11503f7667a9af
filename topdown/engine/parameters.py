"""The border between names and numbers: a :class:`System` flattened into the arrays the kernels read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._lent import lent
from topdown.engine.bead_order import loose_beads
from topdown.engine.centre_restraint import CentreParameters, CentreRestraint, centre_parameters
from topdown.errors import TopologyError
from topdown.model import Angle, Bond, CGMolecule, Constraint, Dihedral, System, TabulatedPotential, VirtualSite
from topdown.units import COULOMB_CONSTANT

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]
Components = Sequence[tuple[CGMolecule, int]]
LJModifier = Literal["potential-shift", "force-shift", "none"]
ReferenceScaling = Literal["no", "all"]

#: GROMACS function numbers the kernels have.
FUNCTIONS = {"bond": (1, 6), "constraint": (1, 2), "angle": (1, 2, 8, 10), "dihedral": (1, 2, 3, 9, 11)}
#: Functions of angles in the order in which the kernels work through them.
ANGLE_KINDS = (1, 2, 8, 10)
#: Order of the energies the kernels gather.
TERMS = ("lj", "coulomb", "bond", "angle", "dihedral", "restraint")
#: Kinds of virtual sites: all weighted means are one, the others are not linear in the positions.
LINEAR, FIXED_DISTANCE, FIXED_DISTANCE_3, FIXED_ANGLE_3, OUT_OF_PLANE_3, NORMAL_4 = 0, 1, 2, 3, 4, 5
_KINDS = {
    "2": LINEAR, "3": LINEAR, "n": LINEAR, "2fd": FIXED_DISTANCE, "3fd": FIXED_DISTANCE_3,
    "3fad": FIXED_ANGLE_3, "3out": OUT_OF_PLANE_3, "4fdn": NORMAL_4,
}  # fmt: skip
#: Directions in which a flat-bottomed restraint of GROMACS's geometry g acts.
_FLAT_AXES = {
    1: (1, 1, 1), 2: (1, 1, 0), 3: (1, 0, 0), 4: (0, 1, 0), 5: (0, 0, 1), 6: (0, 1, 1), 7: (1, 0, 1), 8: (1, 1, 0)
}  # fmt: skip


@lent
class PairParameters(NamedTuple):
    """Non-bonded parameters.

    ``lj`` is (n_types, n_types, 4): C6, C12, the unshifted energy at the cut-off (0 where Lennard-Jones is only cut), σ^6;
    ``force_shift`` takes the force at the cut-off off as well. ``coulomb`` is f/ε_r, k_rf, c_rf.
    ``solute`` marks the beads whose interaction with all others runs along the soft-core path, ``solute_block`` (2,) holds the
    first of them and one past the last. Exclusions are a two-way list in compressed rows, ``excluded_pairs`` the same once each;
    ``charged_exclusions`` those of them whose beads both have a charge, ``charged`` all beads that have one.
    ``loose`` (2,) are the first and one past the last of a row of beads on which nothing but listed pairs acts; ``alike`` (n,)
    is for each bead the first of the row of molecules of one bead which nothing tells from one another, itself where it stands
    alone, or empty where a run has no use for it.
    """

    types: Indices
    charges: Floats
    lj: Floats
    cutoff: float
    coulomb: Floats
    solute: npt.NDArray[np.bool_]
    solute_block: Indices
    exclusion_start: Indices
    exclusions: Indices
    excluded_pairs: Indices
    charged_exclusions: Indices
    charged: Indices
    loose: Indices
    alike: Indices
    force_shift: bool


@lent
class TableParameters(NamedTuple):
    """Tabulated potentials over angles [rad].

    Table t is rows ``start[t]`` to ``start[t + 1]`` of ``points`` (n, 2), U and dU/dθ; ``grid`` (n_tables, 2): first θ, spacing.
    """

    start: Indices
    grid: Floats
    points: Floats


@lent
class SiteParameters(NamedTuple):
    """Virtual sites in the order of their construction.

    The bead placed, the kind of construction, the beads it is built from (``atoms[start[n] : start[n + 1]]``) with their weights,
    or the ``values`` (n, 3) of a construction that is not linear.
    """

    beads: Indices
    kinds: Indices
    start: Indices
    atoms: Indices
    weights: Floats
    values: Floats


@lent
class RestraintParameters(NamedTuple):
    """Position restraints (``constants`` along x, y, z) and flat-bottomed ones.

    ``flat_values``: radius and force constant; ``flat_axes``: 1 for directions that count. Reference ``points`` in nm, or in
    fractions of the box when ``scaled``.
    """

    scaled: bool
    beads: Indices
    constants: Floats
    points: Floats
    flat_beads: Indices
    flat_values: Floats
    flat_axes: Floats
    flat_points: Floats


@lent
class BondedParameters(NamedTuple):
    """Bonded terms: bead indices (n, 2 | 3 | 4) and parameters (n, …); angles in radians, functions as integers.

    Angles and dihedrals are sorted by function: angles of the k-th of :data:`ANGLE_KINDS` are the rows from ``angle_kinds[k]`` to
    ``angle_kinds[k + 1]``. Most bonds lie along the arm of an angle, whose kernel computes their forces on its way:
    ``angle_bonds`` (n, 4) holds length and k of the bonds along arms i-j and k-j, zeros where there is none or another angle has
    it. The others are once more in ``lone_bonds``.

    ``angle_values``: θ0, cos θ0 or the number of the table, and k. ``dihedral_values`` (n, 6): φ0, k, multiplicity, or six
    coefficients. ``bending_torsion_values`` (n, 5): coefficients times k.
    """

    bonds: Indices
    bond_values: Floats
    lone_bonds: Indices
    lone_bond_values: Floats
    angles: Indices
    angle_values: Floats
    angle_functions: Indices
    angle_kinds: Indices
    angle_bonds: Floats
    tables: TableParameters
    dihedrals: Indices
    dihedral_values: Floats
    dihedral_functions: Indices
    bending_torsions: Indices
    bending_torsion_values: Floats
    sites: SiteParameters
    restraints: RestraintParameters
    centres: CentreParameters


@lent
class ConstraintParameters(NamedTuple):
    """Distance constraints; those that share beads, however indirectly, form a group and follow one another."""

    pairs: Indices
    lengths: Floats
    group_start: Indices


@lent
class MoleculeParameters(NamedTuple):
    """``start`` (n_molecules + 1,) first bead of each molecule; masses [u], 0 for virtual sites, whose inverse mass is 0 too."""

    start: Indices
    masses: Floats
    inverse_masses: Floats
    molecule_masses: Floats


class Parameters(NamedTuple):
    """Everything about a system that does not move."""

    pair: PairParameters
    bonded: BondedParameters
    constraints: ConstraintParameters
    molecules: MoleculeParameters
    type_names: tuple[str, ...]


def lennard_jones_table(
    epsilon: Floats, sigma: Floats, cutoff: float, modifier: LJModifier = "potential-shift"
) -> Floats:
    """(n, n, 4) array of C6 = 4εσ^6, C12 = 4εσ^12, U(r_c) and σ^6; a potential that is only cut has U(r_c) = 0 here."""
    sigma6 = sigma**6
    c6 = 4.0 * epsilon * sigma6
    c12 = c6 * sigma6
    at_cutoff = c12 / cutoff**12 - c6 / cutoff**6
    if modifier == "none":
        at_cutoff = np.zeros_like(c6)
    return np.ascontiguousarray(np.stack([c6, c12, at_cutoff, sigma6], axis=-1))


def _gather(components: Components, width: int, rows_of: dict[int, list[tuple[int, ...]]]) -> Indices:
    """Bead indices of one kind of term over all molecules, (n, width), in order of molecules."""
    parts = []
    start = 0
    for molecule, count in components:
        rows = np.array(rows_of[id(molecule)], dtype=np.uint32).reshape(-1, width)
        offsets = start + molecule.n_beads * np.arange(count, dtype=np.uint32)
        parts.append((rows[None, :, :] + offsets[:, None, None]).reshape(-1, width))
        start += molecule.n_beads * count
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, width)), dtype=np.uint32)


def _repeat(components: Components, width: int, rows_of: dict[int, list[tuple[float, ...]]]) -> Floats:
    """Parameters that belong to :func:`_gather`'s rows, (n, width)."""
    parts = [
        np.tile(np.array(rows_of[id(molecule)], dtype=np.float64).reshape(-1, width), (count, 1))
        for molecule, count in components
    ]
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, width)))


def _per_molecule(sizes: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """The number of every molecule out of (number, count) of every component."""
    numbers = np.array(sizes, dtype=np.int64).reshape(-1, 2)
    return np.repeat(numbers[:, 0], numbers[:, 1])


def _bonded(
    system: System,
    molecules: dict[int, CGMolecule],
    constraint_stiffness: float,
    refcoord_scaling: ReferenceScaling,
    centres: CentreParameters,
) -> BondedParameters:
    bonds: dict[int, list[tuple[int, ...]]] = {}
    bond_values: dict[int, list[tuple[float, ...]]] = {}
    for key, m in molecules.items():
        stiff = m.constraints if constraint_stiffness > 0 else ()
        bonds[key] = [*(b.atoms for b in m.bonds), *(c.atoms for c in stiff)]
        bond_values[key] = [(b.length, b.force_constant) for b in m.bonds]
        bond_values[key] += [(c.length, constraint_stiffness) for c in stiff]
    tables = list({id(a.table): a.table for m in molecules.values() for a in m.angles if a.table is not None}.values())
    number = {id(table): k for k, table in enumerate(tables)}
    arms = {k: _bonds_along_arms(m.angles, bonds[k], bond_values[k]) for k, m in molecules.items()}
    lone = {k: [n for n in range(len(bonds[k])) if n not in arm.taken] for k, arm in arms.items()}
    angle_rows = {
        k: [(*arm, *_angle_values(a, number)) for a, arm in zip(m.angles, arms[k].values, strict=True)]
        for k, m in molecules.items()
    }
    angles, angle_rest, angle_functions = _by_function(
        _gather(system.components, 3, {k: [a.atoms for a in m.angles] for k, m in molecules.items()}),
        _repeat(system.components, 7, angle_rows),
    )
    plain = {k: [d for d in m.dihedrals if d.function != 11] for k, m in molecules.items()}
    combined = {k: [d for d in m.dihedrals if d.function == 11] for k, m in molecules.items()}
    dihedrals, dihedral_values, dihedral_functions = _by_function(
        _gather(system.components, 4, {k: [d.atoms for d in row] for k, row in plain.items()}),
        _repeat(system.components, 7, {k: [_dihedral_values(d) for d in row] for k, row in plain.items()}),
    )
    coefficients = {
        k: [tuple(d.force_constant * a for a in d.coefficients) for d in row] for k, row in combined.items()
    }
    return BondedParameters(
        bonds=_gather(system.components, 2, bonds),
        bond_values=_repeat(system.components, 2, bond_values),
        lone_bonds=_gather(system.components, 2, {k: [bonds[k][n] for n in rows] for k, rows in lone.items()}),
        lone_bond_values=_repeat(
            system.components, 2, {k: [bond_values[k][n] for n in rows] for k, rows in lone.items()}
        ),
        angles=angles,
        angle_values=np.ascontiguousarray(angle_rest[:, 4:]),
        angle_functions=angle_functions,
        angle_kinds=np.searchsorted(angle_functions, [*ANGLE_KINDS, ANGLE_KINDS[-1] + 1]).astype(np.uint32),
        angle_bonds=np.ascontiguousarray(angle_rest[:, :4]),
        tables=_tables(tables),
        dihedrals=dihedrals,
        dihedral_values=dihedral_values,
        dihedral_functions=dihedral_functions,
        bending_torsions=_gather(system.components, 4, {k: [d.atoms for d in row] for k, row in combined.items()}),
        bending_torsion_values=_repeat(system.components, 5, coefficients),
        sites=site_parameters(system.components),
        restraints=_restraints(system, molecules, refcoord_scaling),
        centres=centres,
    )


def _by_function(beads: Indices, rows: Floats) -> tuple[Indices, Floats, Indices]:
    """Terms sorted by function, the last of ``rows``' columns, and otherwise in order: beads, the other columns, functions."""
    order = np.argsort(rows[:, -1], kind="stable")
    return (
        np.ascontiguousarray(beads[order]),
        np.ascontiguousarray(rows[order, :-1]),
        rows[order, -1].astype(np.uint32),
    )


class _ArmBonds(NamedTuple):
    """Lengths and force constants of the bonds along both arms of each angle, and the numbers of the bonds that are so used."""

    values: list[tuple[float, ...]]
    taken: set[int]


def _bonds_along_arms(
    angles: Sequence[Angle], bonds: list[tuple[int, ...]], bond_values: list[tuple[float, ...]]
) -> _ArmBonds:
    """Give each bond to the first angle with an arm along it."""
    free: dict[frozenset[int], list[int]] = {}
    for n, atoms in enumerate(bonds):
        free.setdefault(frozenset(atoms), []).append(n)
    found = _ArmBonds([], set())
    for angle in angles:
        i, j, k = angle.atoms
        values: tuple[float, ...] = ()
        for arm in (frozenset((i, j)), frozenset((k, j))):
            if free.get(arm):
                n = free[arm].pop(0)
                found.taken.add(n)
                values += bond_values[n]
            else:
                values += (0.0, 0.0)
        found.values.append(values)
    return found


def _angle_values(angle: Angle, table_number: dict[int, int]) -> tuple[float, ...]:
    theta0 = math.radians(angle.angle)
    reference = (
        table_number[id(angle.table)] if angle.function == 8 else theta0 if angle.function == 1 else math.cos(theta0)
    )
    return reference, angle.force_constant, angle.function


def _dihedral_values(dihedral: Dihedral) -> tuple[float, ...]:
    if dihedral.function == 3:
        return (*dihedral.coefficients, 3)
    phi0, function = math.radians(dihedral.angle), 2 if dihedral.function == 2 else 1
    return phi0, dihedral.force_constant, dihedral.multiplicity, 0.0, 0.0, 0.0, function


def _tables(tables: list[TabulatedPotential]) -> TableParameters:
    """Tables over degrees as tables over radians, one after the other."""
    degree = math.pi / 180.0
    points = [np.stack([t.energy, t.slope / degree], axis=-1) for t in tables]
    grid = [(t.x[0] * degree, (t.x[-1] - t.x[0]) * degree / (len(t.x) - 1)) for t in tables]
    return TableParameters(
        start=np.cumsum([0, *(len(t.x) for t in tables)]).astype(np.uint32),
        grid=np.array(grid).reshape(-1, 2),
        points=np.concatenate(points) if points else np.zeros((0, 2)),
    )


def _weights(site: VirtualSite) -> tuple[float, ...]:
    """Weights, adding up to 1, of the beads a linear site is built from; zeros for the others."""
    p = site.parameters
    if site.construction == "n":
        return tuple(w / sum(p) for w in p)
    return (1.0 - sum(p), *p) if _KINDS[site.construction] == LINEAR else (0.0,) * len(site.atoms)


def _site_values(site: VirtualSite) -> tuple[float, ...]:
    p = site.parameters
    if _KINDS[site.construction] == LINEAR:
        return 0.0, 0.0, 0.0
    if site.construction == "3fad":
        angle, distance = math.radians(p[0]), p[1]
        return distance * math.cos(angle), distance * math.sin(angle), 0.0
    return (*p, 0.0, 0.0)[:3]


def site_parameters(components: Components) -> SiteParameters:
    """The virtual sites of ``components`` (molecule, count), beads numbered in the order of the coordinates."""
    order = {id(m): m.construction_order() for m, _ in components}
    sizes = _repeat(components, 1, {k: [(len(v.atoms),) for v in row] for k, row in order.items()})
    return SiteParameters(
        beads=_gather(components, 1, {k: [(v.site,) for v in row] for k, row in order.items()}).ravel(),
        kinds=_repeat(components, 1, {k: [(_KINDS[v.construction],) for v in row] for k, row in order.items()})
        .ravel()
        .astype(np.uint32),
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32),
        atoms=_gather(components, 1, {k: [(a,) for v in row for a in v.atoms] for k, row in order.items()}).ravel(),
        weights=_repeat(
            components, 1, {k: [(w,) for v in row for w in _weights(v)] for k, row in order.items()}
        ).ravel(),
        values=_repeat(components, 3, {k: [_site_values(v) for v in row] for k, row in order.items()}),
    )


def _restraints(
    system: System, molecules: dict[int, CGMolecule], refcoord_scaling: ReferenceScaling
) -> RestraintParameters:
    held = {k: m.position_restraints for k, m in molecules.items()}
    flat = {k: m.flat_bottom_restraints for k, m in molecules.items()}
    scaled = refcoord_scaling == "all"
    points = system.positions if system.reference_positions is None else system.reference_positions
    points = points / system.box if scaled else points
    beads = _gather(system.components, 1, {k: [(r.atom,) for r in row] for k, row in held.items()}).ravel()
    flat_beads = _gather(system.components, 1, {k: [(r.atom,) for r in row] for k, row in flat.items()}).ravel()
    return RestraintParameters(
        scaled=scaled,
        beads=beads,
        constants=_repeat(system.components, 3, {k: [r.force_constants for r in row] for k, row in held.items()}),
        points=np.ascontiguousarray(points[beads]),
        flat_beads=flat_beads,
        flat_values=_repeat(
            system.components, 2, {k: [(r.radius, r.force_constant) for r in row] for k, row in flat.items()}
        ),
        flat_axes=_repeat(system.components, 3, {k: [_FLAT_AXES[r.geometry] for r in row] for k, row in flat.items()}),
        flat_points=np.ascontiguousarray(points[flat_beads]),
    )


def _connected(constraints: Sequence[Constraint]) -> list[list[Constraint]]:
    """The constraints in groups that share no bead, otherwise in order."""
    groups: list[list[Constraint]] = []
    for constraint in constraints:
        linked = [g for g in groups if any(set(constraint.atoms) & set(other.atoms) for other in g)]
        groups = [g for g in groups if g not in linked]
        groups.append([*(c for g in linked for c in g), constraint])
    return groups


def _constraints(system: System, molecules: dict[int, CGMolecule]) -> ConstraintParameters:
    groups = {k: _connected(m.constraints) for k, m in molecules.items()}
    ordered = {k: [c for group in row for c in group] for k, row in groups.items()}
    sizes = _repeat(system.components, 1, {k: [(len(group),) for group in row] for k, row in groups.items()})
    lengths = _repeat(system.components, 1, {k: [(c.length,) for c in row] for k, row in ordered.items()})
    return ConstraintParameters(
        pairs=_gather(system.components, 2, {k: [c.atoms for c in row] for k, row in ordered.items()}),
        lengths=np.ascontiguousarray(lengths[:, 0]),
        group_start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32),
    )


def _exclusion_rows(pairs: Indices, n_beads: int) -> tuple[Indices, Indices]:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    start = np.searchsorted(both[:, 0], np.arange(n_beads + 1)).astype(np.uint32)
    return start, np.ascontiguousarray(both[:, 1], dtype=np.uint32)


def _check_terms(molecule: CGMolecule) -> None:
    """Refuse what the kernels would take for something else."""
    terms: dict[str, Sequence[Bond | Constraint | Angle | Dihedral]] = {
        "bond": molecule.bonds,
        "constraint": molecule.constraints,
        "angle": molecule.angles,
        "dihedral": molecule.dihedrals,
    }
    for kind, known in FUNCTIONS.items():
        for term in terms[kind]:
            if term.function not in known:
                raise TopologyError(
                    f"{kind} function {term.function} is not simulated",
                    where=molecule.name,
                    hint=f"functions {', '.join(map(str, known))} are",
                )
    for angle in molecule.angles:
        if angle.function == 8:
            _check_table(angle.table, molecule.name)
    for dihedral in molecule.dihedrals:
        wanted = {3: 6, 11: 5}.get(dihedral.function, 0)
        if len(dihedral.coefficients) != wanted:
            raise TopologyError(
                f"dihedral function {dihedral.function} has {wanted} coefficients, not {len(dihedral.coefficients)}",
                where=molecule.name,
            )
    for restraint in molecule.flat_bottom_restraints:
        if restraint.geometry not in _FLAT_AXES:
            raise TopologyError(f"flat-bottom geometry {restraint.geometry} is not one of 1 to 8", where=molecule.name)
    sites = {v.site for v in molecule.virtual_sites}
    for k, bead in enumerate(molecule.beads):
        if k not in sites and not bead.mass > 0.0:
            raise TopologyError(
                f"bead {bead.name} has no mass and is no virtual site",
                where=molecule.name,
                hint="give it a positive mass",
            )


def _check_table(table: TabulatedPotential | None, where: str) -> None:
    if table is None:
        raise TopologyError("an angle of function 8 has no table", where=where)
    if table.x[0] > 1e-6 or table.x[-1] < 180.0 - 1e-6:
        raise TopologyError(
            f"table {table.number} reaches from {table.x[0]:g} to {table.x[-1]:g} degrees", where=where, hint="0 to 180"
        )


def build_parameters(
    system: System,
    *,
    solute_component: int = -1,
    constraint_stiffness: float = 0.0,
    refcoord_scaling: ReferenceScaling = "no",
    restraint: CentreRestraint | None = None,
) -> Parameters:
    """Flatten ``system`` into kernel arrays.

    Parameters
    ----------
    system : System
    solute_component : int
        Component whose interaction with all others is taken along the soft-core path; -1 for none.
    constraint_stiffness : float
        When positive, constraints are kept as harmonic bonds of this force constant [kJ/mol/nm²] as well (minimisation).
    refcoord_scaling : {"no", "all"}
        Whether reference points of restraints stay where they are when the box changes, or scale with it.
    restraint : CentreRestraint, optional
        Holds the centres of two groups of beads.

    Raises
    ------
    SettingsError
        Groups of ``restraint`` that the system has not got, or that have no centre.
    TopologyError
        A bonded function the kernels do not have, one with the wrong number of coefficients or a table that does not reach
        from 0 to 180 degrees, a flat-bottom geometry outside 1 to 8, or a bead without mass that is no virtual site.
    """
    for molecule, _ in system.components:
        _check_terms(molecule)
    names = sorted({bead.bead_type for molecule, _ in system.components for bead in molecule.beads})
    rows = system.table.indices(names)
    number = {name: k for k, name in enumerate(names)}
    scheme = system.table.scheme
    molecules = {id(molecule): molecule for molecule, _ in system.components}
    beads: dict[int, list[tuple[float, ...]]] = {
        k: [(number[b.bead_type], b.charge, b.mass) for b in m.beads] for k, m in molecules.items()
    }
    per_bead = _repeat(system.components, 3, beads)
    n_beads = len(per_bead)
    excluded = _gather(system.components, 2, {k: list(m.excluded_pairs()) for k, m in molecules.items()})
    exclusion_start, exclusions = _exclusion_rows(excluded, n_beads)
    component_of = np.repeat(np.arange(len(system.components)), [m.n_beads * count for m, count in system.components])
    k_rf, c_rf = scheme.reaction_field
    charges = np.ascontiguousarray(per_bead[:, 1])
    loose, alike = loose_beads(system, solute_component, restraint)
    pair = PairParameters(
        types=per_bead[:, 0].astype(np.uint32),
        charges=charges,
        lj=lennard_jones_table(
            system.table.epsilon[np.ix_(rows, rows)],
            system.table.sigma[np.ix_(rows, rows)],
            scheme.cutoff,
            scheme.lj_modifier,
        ),
        cutoff=float(scheme.cutoff),
        coulomb=np.array([COULOMB_CONSTANT / scheme.epsilon_r, k_rf, c_rf]),
        solute=np.ascontiguousarray(component_of == solute_component),
        solute_block=np.searchsorted(component_of, [solute_component, solute_component + 1]).astype(np.uint32),
        exclusion_start=exclusion_start,
        exclusions=exclusions,
        excluded_pairs=excluded,
        charged_exclusions=np.ascontiguousarray(excluded[(charges[excluded] != 0.0).all(axis=1)]),
        charged=np.flatnonzero(charges).astype(np.uint32),
        loose=loose,
        alike=alike,
        force_shift=scheme.lj_modifier == "force-shift",
    )
    sizes = _per_molecule([(m.n_beads, count) for m, count in system.components])
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)
    masses = np.ascontiguousarray(per_bead[:, 2])
    return Parameters(
        pair=pair,
        bonded=_bonded(
            system,
            molecules,
            constraint_stiffness,
            refcoord_scaling,
            centre_parameters(restraint, system, masses, start),
        ),
        constraints=_constraints(system, molecules),
        molecules=MoleculeParameters(
            start=start,
            masses=masses,
            inverse_masses=np.divide(1.0, masses, out=np.zeros_like(masses), where=masses > 0.0),
            molecule_masses=np.add.reduceat(masses, start[:-1]) if n_beads else np.zeros(0),
        ),
        type_names=tuple(names),
    )
