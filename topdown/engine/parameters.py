"""The border between names and numbers: a :class:`System` flattened into the arrays the kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from topdown.engine.bead_order import loose_beads
from topdown.engine.bonded_parameters import FLAT_AXES, Components, ReferenceScaling, bonded_parameters, gather, repeat
from topdown.engine.centre_restraint import CentreRestraint, centre_parameters
from topdown.engine.parameter_arrays import (
    BondedParameters,
    ConstraintParameters,
    Floats,
    Indices,
    MoleculeParameters,
    PairParameters,
)
from topdown.errors import TopologyError
from topdown.model import Angle, Bond, CGMolecule, Constraint, Dihedral, System, TabulatedPotential
from topdown.units import COULOMB_CONSTANT

LJModifier = Literal["potential-shift", "force-shift", "none"]

#: GROMACS function numbers the kernels have.
FUNCTIONS = {"bond": (1, 6), "constraint": (1, 2), "angle": (1, 2, 8, 10), "dihedral": (1, 2, 3, 9, 11)}


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


def _connected(constraints: Sequence[Constraint]) -> list[list[Constraint]]:
    """The constraints in groups that share no bead, otherwise in order."""
    groups: list[list[Constraint]] = []
    for constraint in constraints:
        linked = [g for g in groups if any(set(constraint.atoms) & set(other.atoms) for other in g)]
        groups = [g for g in groups if g not in linked]
        groups.append([*(c for g in linked for c in g), constraint])
    return groups


def _constraints(components: Components, molecules: dict[int, CGMolecule]) -> ConstraintParameters:
    groups = {k: _connected(m.constraints) for k, m in molecules.items()}
    ordered = {k: [c for group in row for c in group] for k, row in groups.items()}
    sizes = repeat(components, 1, {k: [(len(group),) for group in row] for k, row in groups.items()})
    lengths = repeat(components, 1, {k: [(c.length,) for c in row] for k, row in ordered.items()})
    return ConstraintParameters(
        pairs=gather(components, 2, {k: [c.atoms for c in row] for k, row in ordered.items()}),
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
        if restraint.geometry not in FLAT_AXES:
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
    components = system.components
    names = sorted({bead.bead_type for molecule, _ in components for bead in molecule.beads})
    number = {name: k for k, name in enumerate(names)}
    molecules = {id(molecule): molecule for molecule, _ in components}
    beads: dict[int, list[tuple[float, ...]]] = {
        k: [(number[b.bead_type], b.charge, b.mass) for b in m.beads] for k, m in molecules.items()
    }
    types, charges, masses = (np.ascontiguousarray(column) for column in repeat(components, 3, beads).T)
    sizes, counts = np.array([(m.n_beads, count) for m, count in components], dtype=np.int64).reshape(-1, 2).T
    start = np.concatenate([[0], np.cumsum(np.repeat(sizes, counts))]).astype(np.uint32)
    centres = centre_parameters(restraint, system, masses, start)
    return Parameters(
        pair=_pair_parameters(system, names, types.astype(np.uint32), charges, solute_component, restraint),
        bonded=bonded_parameters(system, molecules, constraint_stiffness, refcoord_scaling, centres),
        constraints=_constraints(components, molecules),
        molecules=MoleculeParameters(
            start=start,
            masses=masses,
            inverse_masses=np.divide(1.0, masses, out=np.zeros_like(masses), where=masses > 0.0),
            molecule_masses=np.add.reduceat(masses, start[:-1]) if len(masses) else np.zeros(0),
        ),
        type_names=tuple(names),
    )


def _pair_parameters(
    system: System,
    names: Sequence[str],
    types: Indices,
    charges: Floats,
    solute_component: int,
    restraint: CentreRestraint | None,
) -> PairParameters:
    """All that acts between beads of ``types``, numbers of the bead types in ``names``."""
    scheme, rows = system.table.scheme, system.table.indices(names)
    k_rf, c_rf = scheme.reaction_field
    excluded = gather(system.components, 2, {id(m): list(m.excluded_pairs()) for m, _ in system.components})
    exclusion_start, exclusions = _exclusion_rows(excluded, len(types))
    component_of = np.repeat(np.arange(len(system.components)), [m.n_beads * count for m, count in system.components])
    loose, alike = loose_beads(system, solute_component, restraint)
    return PairParameters(
        types=types,
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
