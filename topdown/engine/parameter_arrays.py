"""What the kernels read: the arrays and numbers of a system that do not move, as named tuples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._lent import lent
from topdown.engine.centre_restraint import CentreParameters

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]

#: Functions of angles in the order in which the kernels work through them.
ANGLE_KINDS = (1, 2, 8, 10)
#: Order of the energies the kernels gather.
TERMS = ("lj", "coulomb", "bond", "angle", "dihedral", "restraint")
#: Kinds of virtual sites: all weighted means are one, the others are not linear in the positions.
LINEAR, FIXED_DISTANCE, FIXED_DISTANCE_3, FIXED_ANGLE_3, OUT_OF_PLANE_3, NORMAL_4 = 0, 1, 2, 3, 4, 5


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
