"""The plain NumPy twin of the kernels: the physics without lists, loops or compiler, to test the fast code against.

Pairs are all pairs, O(n²). The twins read the kernels' parameter arrays, so that only the arithmetic is done twice, and where
there is more than one way to write an equation they take the other one. A force field is a sum, and so is this module: every
term returns a :class:`Contribution`, contributions add, and :func:`total` adds them all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topdown.engine.parameter_arrays import TERMS, MoleculeParameters, PairParameters
from topdown.engine.parameters import Parameters
from topdown.engine.potentials import SMALLEST_R2, SOFT_CORE_ALPHA
from topdown.engine.reference_bonded import (
    Arm,
    Contribution,
    angle_terms,
    bending_torsion_terms,
    bond_terms,
    centre_terms,
    columns,
    dihedral_terms,
    dot,
    gathered,
    minimum_image,
    place_sites,
    restraint_terms,
    spread_forces,
)
from topdown.engine.soft_core import COUPLED, Lambda, as_lambda

__all__ = ["TERMS", "minimum_image", "place_sites"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_LJ, _COULOMB = (TERMS.index(name) for name in ("lj", "coulomb"))


# -- pairs ---------------------------------------------------------------------------------------------------------------


def pairs_within(x: Floats, box: Floats, radius: float, pair: PairParameters) -> Indices:
    """(m, 2) pairs i < j within ``radius`` [nm], sorted, without excluded and without solute-solvent pairs."""
    i, j = np.triu_indices(len(x), k=1)
    listed = pair.solute[i] == pair.solute[j]
    excluded = np.zeros((len(x), len(x)), dtype=bool)
    first, second = columns(pair.excluded_pairs.reshape(-1, 2))
    excluded[first, second] = excluded[second, first] = True
    listed &= ~excluded[i, j]
    listed &= dot(d := minimum_image(x[i] - x[j], box), d) <= radius * radius
    return np.stack([i[listed], j[listed]], axis=-1)


def crossing_pairs(x: Floats, box: Floats, pair: PairParameters) -> Indices:
    """(m, 2) pairs of one solute and one solvent bead inside the cut-off."""
    i, j = (
        side.ravel() for side in np.meshgrid(np.flatnonzero(pair.solute), np.flatnonzero(~pair.solute), indexing="ij")
    )
    near = dot(d := minimum_image(x[i] - x[j], box), d) < pair.cutoff**2
    return np.stack([i[near], j[near]], axis=-1)


def _separations(x: Floats, box: Floats, pairs: Indices, cutoff: float) -> tuple[Indices, Indices, Floats, Floats]:
    """i, j, x_i - x_j and its square of the pairs inside the cut-off."""
    i, j = pairs[:, 0], pairs[:, 1]
    d = minimum_image(x[i] - x[j], box)
    r2 = dot(d, d)
    near = r2 < cutoff * cutoff
    return i[near], j[near], d[near], np.maximum(r2[near], SMALLEST_R2)


def _pair_arm(x: Floats, box: Floats, pair: PairParameters) -> tuple[dict[int, Floats], Arm]:
    i, j, d, r2 = _separations(x, box, pairs_within(x, box, pair.cutoff, pair), pair.cutoff)
    c6, c12, at_cutoff, _ = np.moveaxis(pair.lj[pair.types[i], pair.types[j]], -1, 0)
    r = np.sqrt(r2)
    lj = c12 / r**12 - c6 / r**6 - at_cutoff
    force = 12.0 * c12 / r**14 - 6.0 * c6 / r**8
    if pair.force_shift:
        slope = 6.0 * c6 / pair.cutoff**7 - 12.0 * c12 / pair.cutoff**13
        lj -= slope * (r - pair.cutoff)
        force += slope / r
    scale, k_rf, c_rf = pair.coulomb
    qq = scale * pair.charges[i] * pair.charges[j]
    coulomb = qq * (1.0 / r + k_rf * r2 - c_rf)
    force = force + qq * (1.0 / r**3 - 2.0 * k_rf)
    return {_LJ: lj, _COULOMB: coulomb}, Arm(head=i, tail=j, lever=d, force=force[:, None] * d)


def _solute_arm(x: Floats, box: Floats, pair: PairParameters, lam: Lambda | float) -> tuple[dict[int, Floats], Arm]:
    lam, charge = as_lambda(lam)
    i, j, d, r2 = _separations(x, box, crossing_pairs(x, box, pair), pair.cutoff)
    c6, c12, _, sigma6 = np.moveaxis(pair.lj[pair.types[i], pair.types[j]], -1, 0)
    soft = SOFT_CORE_ALPHA * (1.0 - lam) * sigma6
    s, s_cutoff = soft + r2**3, soft + pair.cutoff**6
    energy = lam * (c12 / s**2 - c6 / s - c12 / s_cutoff**2 + c6 / s_cutoff)
    slope = lam * (c6 / s**2 - 2.0 * c12 / s**3) * 6.0 * r2**2
    scale, k_rf, c_rf = pair.coulomb
    qq, r = charge * scale * pair.charges[i] * pair.charges[j], np.sqrt(r2)
    force = qq * (1.0 / r**3 - 2.0 * k_rf) - slope
    return {_LJ: energy, _COULOMB: qq * (1.0 / r + k_rf * r2 - c_rf)}, Arm(
        head=i, tail=j, lever=d, force=force[:, None] * d
    )


def pair_terms(x: Floats, box: Floats, pair: PairParameters) -> Contribution:
    """Lennard-Jones and reaction field of all pairs that :func:`pairs_within` lists."""
    energies, arm = _pair_arm(x, box, pair)
    return gathered(len(x), energies, arm)


def solute_terms(x: Floats, box: Floats, pair: PairParameters, lam: Lambda | float) -> Contribution:
    """Soft-core Lennard-Jones (Beutler et al. 1994) and scaled charges between solute and solvent at one point of the path."""
    energies, arm = _solute_arm(x, box, pair, lam)
    return gathered(len(x), energies, arm)


def excluded_terms(x: Floats, box: Floats, pair: PairParameters) -> Contribution:
    """Reaction field of excluded pairs inside the cut-off, and of each charge with itself."""
    i, j, d, r2 = _separations(x, box, pair.excluded_pairs.reshape(-1, 2).astype(np.int64), pair.cutoff)
    scale, k_rf, c_rf = pair.coulomb
    qq = scale * pair.charges[i] * pair.charges[j]
    own = -0.5 * scale * pair.charges**2 * c_rf
    energies = {_COULOMB: np.concatenate([qq * (k_rf * r2 - c_rf), own])}
    return gathered(len(x), energies, Arm(head=i, tail=j, lever=d, force=(-2.0 * k_rf * qq)[:, None] * d))


def total(parameters: Parameters, x: Floats, box: Floats, *, lam: Lambda | float = COUPLED) -> Contribution:
    """Everything: the twin of ``observables.measure``."""
    x = place_sites(x, parameters.bonded.sites)
    terms = (
        pair_terms(x, box, parameters.pair)
        + excluded_terms(x, box, parameters.pair)
        + solute_terms(x, box, parameters.pair, lam)
        + bond_terms(x, box, parameters.bonded)
        + angle_terms(x, box, parameters.bonded)
        + dihedral_terms(x, box, parameters.bonded)
        + bending_torsion_terms(x, box, parameters.bonded)
        + restraint_terms(x, box, parameters.bonded.restraints)
        + centre_terms(x, box, parameters.bonded.centres)
    )
    return spread_forces(x, parameters.bonded.sites, terms)


# -- molecules -----------------------------------------------------------------------------------------------------------


def centers_of_mass(values: Floats, molecules: MoleculeParameters) -> Floats:
    """(n_molecules, 3) mass-weighted means of whole molecules' positions or velocities."""
    weighted = np.add.reduceat(molecules.masses[:, None] * values, molecules.start[:-1].astype(np.int64))
    return np.asarray(weighted / molecules.molecule_masses[:, None])


def molecular_virial(parameters: Parameters, x: Floats, box: Floats, *, lam: Lambda | float = COUPLED) -> Floats:
    """Ξ_mol = -1/2 Σ D_IJ ⊗ f_ij over pairs of beads of different molecules, D_IJ between the centres of mass; (3, 3)."""
    molecules, pair = parameters.molecules, parameters.pair
    owner = np.searchsorted(molecules.start, np.arange(len(x)), side="right") - 1
    offset = x - centers_of_mass(x, molecules)[owner]
    virial = np.zeros((3, 3))
    for _, arm in (_pair_arm(x, box, pair), _solute_arm(x, box, pair, lam)):
        between = owner[arm.head] != owner[arm.tail]
        lever = arm.lever - offset[arm.head] + offset[arm.tail]
        virial -= 0.5 * lever[between].T @ arm.force[between]
    return virial
