"""The border between names and numbers: a :class:`System` flattened into the arrays the kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.errors import TopologyError
from topdown.model import CGMolecule, System
from topdown.units import COULOMB_CONSTANT

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]

#: GROMACS function numbers the kernels have.
FUNCTIONS = {"bond": (1, 6), "angle": (1, 2), "dihedral": (1, 2, 9)}


class PairParameters(NamedTuple):
    """Non-bonded parameters.

    ``lj`` is (n_types, n_types, 4): C6, C12, the unshifted energy at the cut-off, σ^6. ``coulomb`` is f/ε_r, k_rf, c_rf.
    ``solute`` marks the beads whose interaction with all others runs along the soft-core path. Exclusions are a
    two-way list in compressed rows, ``excluded_pairs`` the same once each.
    """

    types: Indices
    charges: Floats
    lj: Floats
    cutoff: float
    coulomb: Floats
    solute: npt.NDArray[np.bool_]
    exclusion_start: Indices
    exclusions: Indices
    excluded_pairs: Indices


class BondedParameters(NamedTuple):
    """Bonded terms: bead indices (n, 2 | 3 | 4) and parameters (n, …); angles in radians, functions as integers."""

    bonds: Indices
    bond_values: Floats
    angles: Indices
    angle_values: Floats
    angle_functions: Indices
    dihedrals: Indices
    dihedral_values: Floats
    dihedral_functions: Indices


class ConstraintParameters(NamedTuple):
    """Distance constraints, grouped so that those of one molecule follow one another."""

    pairs: Indices
    lengths: Floats
    group_start: Indices


class MoleculeParameters(NamedTuple):
    """``start`` (n_molecules + 1,) first bead of each molecule; masses [u]."""

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


def lennard_jones_table(epsilon: Floats, sigma: Floats, cutoff: float, *, shifted: bool = True) -> Floats:
    """(n, n, 4) array of C6 = 4εσ^6, C12 = 4εσ^12, U(r_c) and σ^6; a truncated potential has U(r_c) = 0 here."""
    sigma6 = sigma**6
    c6 = 4.0 * epsilon * sigma6
    c12 = c6 * sigma6
    at_cutoff = c12 / cutoff**12 - c6 / cutoff**6
    return np.ascontiguousarray(np.stack([c6, c12, at_cutoff if shifted else np.zeros_like(c6), sigma6], axis=-1))


def _gather(system: System, width: int, rows_of: dict[int, list[tuple[int, ...]]]) -> Indices:
    """Bead indices of one kind of term over all molecules, (n, width), in order of molecules."""
    parts = []
    start = 0
    for molecule, count in system.components:
        rows = np.array(rows_of[id(molecule)], dtype=np.uint32).reshape(-1, width)
        offsets = start + molecule.n_beads * np.arange(count, dtype=np.uint32)
        parts.append((rows[None, :, :] + offsets[:, None, None]).reshape(-1, width))
        start += molecule.n_beads * count
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, width)), dtype=np.uint32)


def _repeat(system: System, width: int, rows_of: dict[int, list[tuple[float, ...]]]) -> Floats:
    """Parameters that belong to :func:`_gather`'s rows, (n, width)."""
    parts = [
        np.tile(np.array(rows_of[id(molecule)], dtype=np.float64).reshape(-1, width), (count, 1))
        for molecule, count in system.components
    ]
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, width)))


def _bonded(system: System, molecules: dict[int, CGMolecule], constraint_stiffness: float) -> BondedParameters:
    radians = np.pi / 180.0
    bonds: dict[int, list[tuple[int, ...]]] = {}
    bond_values: dict[int, list[tuple[float, ...]]] = {}
    angle_values: dict[int, list[tuple[float, ...]]] = {}
    dihedral_values: dict[int, list[tuple[float, ...]]] = {}
    for key, m in molecules.items():
        stiff = m.constraints if constraint_stiffness > 0 else ()
        bonds[key] = [*(b.atoms for b in m.bonds), *(c.atoms for c in stiff)]
        bond_values[key] = [(b.length, b.force_constant) for b in m.bonds]
        bond_values[key] += [(c.length, constraint_stiffness) for c in stiff]
        angle_values[key] = [
            (a.angle * radians if a.function == 1 else np.cos(a.angle * radians), a.force_constant, a.function)
            for a in m.angles
        ]
        dihedral_values[key] = [
            (d.angle * radians, d.force_constant, d.multiplicity, 2 if d.function == 2 else 1) for d in m.dihedrals
        ]
    angles = _repeat(system, 3, angle_values)
    dihedrals = _repeat(system, 4, dihedral_values)
    return BondedParameters(
        bonds=_gather(system, 2, bonds),
        bond_values=_repeat(system, 2, bond_values),
        angles=_gather(system, 3, {k: [a.atoms for a in m.angles] for k, m in molecules.items()}),
        angle_values=np.ascontiguousarray(angles[:, :2]),
        angle_functions=angles[:, 2].astype(np.uint32),
        dihedrals=_gather(system, 4, {k: [d.atoms for d in m.dihedrals] for k, m in molecules.items()}),
        dihedral_values=np.ascontiguousarray(dihedrals[:, :3]),
        dihedral_functions=dihedrals[:, 3].astype(np.uint32),
    )


def _constraints(system: System, molecules: dict[int, CGMolecule]) -> ConstraintParameters:
    sizes = [len(m.constraints) for m, count in system.components for _ in range(count) if m.constraints]
    lengths = _repeat(system, 1, {k: [(c.length,) for c in m.constraints] for k, m in molecules.items()})
    return ConstraintParameters(
        pairs=_gather(system, 2, {k: [c.atoms for c in m.constraints] for k, m in molecules.items()}),
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
    for kind, terms in (("bond", molecule.bonds), ("angle", molecule.angles), ("dihedral", molecule.dihedrals)):
        for term in terms:
            if term.function not in FUNCTIONS[kind]:
                known = ", ".join(map(str, FUNCTIONS[kind]))
                raise TopologyError(
                    f"{kind} function {term.function} is not simulated",
                    where=molecule.name,
                    hint=f"functions {known} are",
                )
    for bead in molecule.beads:
        if not bead.mass > 0.0:
            raise TopologyError(f"bead {bead.name} has no mass", where=molecule.name, hint="give it a positive mass")


def build_parameters(
    system: System, *, solute_component: int = -1, constraint_stiffness: float = 0.0, shifted: bool = True
) -> Parameters:
    """Flatten ``system`` into kernel arrays.

    Parameters
    ----------
    system : System
    solute_component : int
        Component whose interaction with all others is taken along the soft-core path; -1 for none.
    constraint_stiffness : float
        When positive, constraints are kept as harmonic bonds of this force constant [kJ/mol/nm²] as well (minimisation).
    shifted : bool
        Shift the Lennard-Jones energy to zero at the cut-off (the Martini convention).

    Raises
    ------
    TopologyError
        A bonded function the kernels do not have, or a bead without mass.
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
    per_bead = _repeat(system, 3, beads)
    n_beads = len(per_bead)
    excluded = _gather(system, 2, {k: list(m.excluded_pairs()) for k, m in molecules.items()})
    exclusion_start, exclusions = _exclusion_rows(excluded, n_beads)
    component_of = np.repeat(np.arange(len(system.components)), [m.n_beads * count for m, count in system.components])
    k_rf, c_rf = reaction_field_constants(scheme.cutoff, scheme.epsilon_r, scheme.epsilon_rf)
    pair = PairParameters(
        types=per_bead[:, 0].astype(np.uint32),
        charges=np.ascontiguousarray(per_bead[:, 1]),
        lj=lennard_jones_table(
            system.table.epsilon[np.ix_(rows, rows)],
            system.table.sigma[np.ix_(rows, rows)],
            scheme.cutoff,
            shifted=shifted,
        ),
        cutoff=float(scheme.cutoff),
        coulomb=np.array([COULOMB_CONSTANT / scheme.epsilon_r, k_rf, c_rf]),
        solute=np.ascontiguousarray(component_of == solute_component),
        exclusion_start=exclusion_start,
        exclusions=exclusions,
        excluded_pairs=excluded,
    )
    sizes = [m.n_beads for m, count in system.components for _ in range(count)]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)
    masses = np.ascontiguousarray(per_bead[:, 2])
    return Parameters(
        pair=pair,
        bonded=_bonded(system, molecules, constraint_stiffness),
        constraints=_constraints(system, molecules),
        molecules=MoleculeParameters(
            start=start,
            masses=masses,
            inverse_masses=1.0 / masses,
            molecule_masses=np.add.reduceat(masses, start[:-1]) if n_beads else np.zeros(0),
        ),
        type_names=tuple(names),
    )


def reaction_field_constants(cutoff: float, epsilon_r: float, epsilon_rf: float) -> tuple[float, float]:
    """k_rf [nm^-3] and c_rf [nm^-1] of the reaction field; ``epsilon_rf`` 0 means infinite."""
    if epsilon_rf == 0.0:
        k_rf = 0.5 / cutoff**3
    else:
        k_rf = (epsilon_rf - epsilon_r) / ((2.0 * epsilon_rf + epsilon_r) * cutoff**3)
    return k_rf, 1.0 / cutoff + k_rf * cutoff**2
