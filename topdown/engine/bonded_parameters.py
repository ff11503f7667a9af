"""Bonded terms, virtual sites and restraints of all molecules as arrays for the kernels.

What a molecule has once, the arrays have once for each copy of it: :func:`gather` repeats rows of bead indices, :func:`repeat`
the parameters that belong to them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from topdown.engine.centre_restraint import CentreParameters
from topdown.engine.parameter_arrays import (
    ANGLE_KINDS,
    FIXED_ANGLE_3,
    FIXED_DISTANCE,
    FIXED_DISTANCE_3,
    LINEAR,
    NORMAL_4,
    OUT_OF_PLANE_3,
    BondedParameters,
    Floats,
    Indices,
    RestraintParameters,
    SiteParameters,
    TableParameters,
)
from topdown.model import Angle, CGMolecule, Dihedral, System, TabulatedPotential, VirtualSite

Components = Sequence[tuple[CGMolecule, int]]
ReferenceScaling = Literal["no", "all"]

_KINDS = {
    "2": LINEAR, "3": LINEAR, "n": LINEAR, "2fd": FIXED_DISTANCE, "3fd": FIXED_DISTANCE_3,
    "3fad": FIXED_ANGLE_3, "3out": OUT_OF_PLANE_3, "4fdn": NORMAL_4,
}  # fmt: skip
#: Directions in which a flat-bottomed restraint of GROMACS's geometry g acts.
FLAT_AXES = {
    1: (1, 1, 1), 2: (1, 1, 0), 3: (1, 0, 0), 4: (0, 1, 0), 5: (0, 0, 1), 6: (0, 1, 1), 7: (1, 0, 1), 8: (1, 1, 0)
}  # fmt: skip


def gather(components: Components, width: int, rows_of: dict[int, list[tuple[int, ...]]]) -> Indices:
    """Bead indices of one kind of term over all molecules, (n, width), in order of molecules."""
    parts = []
    start = 0
    for molecule, count in components:
        rows = np.array(rows_of[id(molecule)], dtype=np.uint32).reshape(-1, width)
        offsets = start + molecule.n_beads * np.arange(count, dtype=np.uint32)
        parts.append((rows[None, :, :] + offsets[:, None, None]).reshape(-1, width))
        start += molecule.n_beads * count
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, width)), dtype=np.uint32)


def repeat(components: Components, width: int, rows_of: dict[int, list[tuple[float, ...]]]) -> Floats:
    """Parameters that belong to :func:`gather`'s rows, (n, width)."""
    parts = [
        np.tile(np.array(rows_of[id(molecule)], dtype=np.float64).reshape(-1, width), (count, 1))
        for molecule, count in components
    ]
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, width)))


def bonded_parameters(
    system: System,
    molecules: dict[int, CGMolecule],
    constraint_stiffness: float,
    refcoord_scaling: ReferenceScaling,
    centres: CentreParameters,
) -> BondedParameters:
    """Everything but pairs and constraints that acts on the beads of ``system``; ``molecules`` are its different ones by id.

    With a ``constraint_stiffness`` above 0 constraints are bonds of that force constant [kJ/mol/nm²] as well.
    """
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
        gather(system.components, 3, {k: [a.atoms for a in m.angles] for k, m in molecules.items()}),
        repeat(system.components, 7, angle_rows),
    )
    plain = {k: [d for d in m.dihedrals if d.function != 11] for k, m in molecules.items()}
    combined = {k: [d for d in m.dihedrals if d.function == 11] for k, m in molecules.items()}
    dihedrals, dihedral_values, dihedral_functions = _by_function(
        gather(system.components, 4, {k: [d.atoms for d in row] for k, row in plain.items()}),
        repeat(system.components, 7, {k: [_dihedral_values(d) for d in row] for k, row in plain.items()}),
    )
    coefficients = {
        k: [tuple(d.force_constant * a for a in d.coefficients) for d in row] for k, row in combined.items()
    }
    return BondedParameters(
        bonds=gather(system.components, 2, bonds),
        bond_values=repeat(system.components, 2, bond_values),
        lone_bonds=gather(system.components, 2, {k: [bonds[k][n] for n in rows] for k, rows in lone.items()}),
        lone_bond_values=repeat(
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
        bending_torsions=gather(system.components, 4, {k: [d.atoms for d in row] for k, row in combined.items()}),
        bending_torsion_values=repeat(system.components, 5, coefficients),
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
    sizes = repeat(components, 1, {k: [(len(v.atoms),) for v in row] for k, row in order.items()})
    return SiteParameters(
        beads=gather(components, 1, {k: [(v.site,) for v in row] for k, row in order.items()}).ravel(),
        kinds=repeat(components, 1, {k: [(_KINDS[v.construction],) for v in row] for k, row in order.items()})
        .ravel()
        .astype(np.uint32),
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32),
        atoms=gather(components, 1, {k: [(a,) for v in row for a in v.atoms] for k, row in order.items()}).ravel(),
        weights=repeat(
            components, 1, {k: [(w,) for v in row for w in _weights(v)] for k, row in order.items()}
        ).ravel(),
        values=repeat(components, 3, {k: [_site_values(v) for v in row] for k, row in order.items()}),
    )


def _restraints(
    system: System, molecules: dict[int, CGMolecule], refcoord_scaling: ReferenceScaling
) -> RestraintParameters:
    held = {k: m.position_restraints for k, m in molecules.items()}
    flat = {k: m.flat_bottom_restraints for k, m in molecules.items()}
    scaled = refcoord_scaling == "all"
    points = system.positions if system.reference_positions is None else system.reference_positions
    points = points / system.box if scaled else points
    beads = gather(system.components, 1, {k: [(r.atom,) for r in row] for k, row in held.items()}).ravel()
    flat_beads = gather(system.components, 1, {k: [(r.atom,) for r in row] for k, row in flat.items()}).ravel()
    return RestraintParameters(
        scaled=scaled,
        beads=beads,
        constants=repeat(system.components, 3, {k: [r.force_constants for r in row] for k, row in held.items()}),
        points=np.ascontiguousarray(points[beads]),
        flat_beads=flat_beads,
        flat_values=repeat(
            system.components, 2, {k: [(r.radius, r.force_constant) for r in row] for k, row in flat.items()}
        ),
        flat_axes=repeat(system.components, 3, {k: [FLAT_AXES[r.geometry] for r in row] for k, row in flat.items()}),
        flat_points=np.ascontiguousarray(points[flat_beads]),
    )
