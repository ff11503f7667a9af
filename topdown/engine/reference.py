"""The plain NumPy twin of the kernels: the physics without lists, loops or compiler, to test the fast code against.

Pairs are all pairs, O(n²). The twins read the kernels' parameter arrays, so that only the arithmetic is done twice, and where
there is more than one way to write an equation they take the other one. A force field is a sum, and so is this module: every
term returns a :class:`Contribution`, contributions add, and :func:`total` adds them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.engine.parameters import BondedParameters, MoleculeParameters, PairParameters, Parameters
from topdown.engine.potentials import SMALLEST_R2, SOFT_CORE_ALPHA

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: Order of ``Contribution.energies``.
TERMS = ("lj", "coulomb", "bond", "angle", "dihedral")
_LJ, _COULOMB, _BOND, _ANGLE, _DIHEDRAL = range(5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contribution:
    """What some terms add to the energies (5,) [kJ/mol], forces (n, 3) [kJ/mol/nm] and virial (3, 3) [kJ/mol]."""

    energies: Floats
    forces: Floats
    virial: Floats

    def __add__(self, other: Contribution) -> Contribution:
        return Contribution(
            energies=self.energies + other.energies,
            forces=self.forces + other.forces,
            virial=self.virial + other.virial,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Arm:
    """Forces (m, 3) on the beads ``head`` and their opposites on ``tail``; ``lever`` (m, 3) = x_head - x_tail."""

    head: Indices
    tail: Indices
    lever: Floats
    force: Floats


def _gather(n_beads: int, energies: dict[int, Floats], *arms: _Arm) -> Contribution:
    """Sum per-term energies and arms; Ξ = -1/2 Σ lever ⊗ force."""
    sums, forces, virial = np.zeros(5), np.zeros((n_beads, 3)), np.zeros((3, 3))
    for term, values in energies.items():
        sums[term] = values.sum()
    for arm in arms:
        np.add.at(forces, arm.head, arm.force)
        np.add.at(forces, arm.tail, -arm.force)
        virial -= 0.5 * arm.lever.T @ arm.force
    return Contribution(energies=sums, forces=forces, virial=virial)


def minimum_image(d: Floats, box: Floats) -> Floats:
    """Coordinate differences (…, 3) [nm] in their shortest periodic image."""
    return np.asarray(d - box * np.rint(d / box))


def _columns(rows: npt.NDArray[np.uint32]) -> tuple[Indices, ...]:
    return tuple(rows.astype(np.int64).T)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(axis=-1))


# -- pairs ---------------------------------------------------------------------------------------------------------------


def pairs_within(x: Floats, box: Floats, radius: float, pair: PairParameters) -> Indices:
    """(m, 2) pairs i < j within ``radius`` [nm], sorted, without excluded and without solute-solvent pairs."""
    i, j = np.triu_indices(len(x), k=1)
    listed = pair.solute[i] == pair.solute[j]
    excluded = np.zeros((len(x), len(x)), dtype=bool)
    rows, columns = _columns(pair.excluded_pairs.reshape(-1, 2))
    excluded[rows, columns] = excluded[columns, rows] = True
    listed &= ~excluded[i, j]
    listed &= _dot(d := minimum_image(x[i] - x[j], box), d) <= radius * radius
    return np.stack([i[listed], j[listed]], axis=-1)


def crossing_pairs(x: Floats, box: Floats, pair: PairParameters) -> Indices:
    """(m, 2) pairs of one solute and one solvent bead inside the cut-off."""
    i, j = (
        side.ravel() for side in np.meshgrid(np.flatnonzero(pair.solute), np.flatnonzero(~pair.solute), indexing="ij")
    )
    near = _dot(d := minimum_image(x[i] - x[j], box), d) < pair.cutoff**2
    return np.stack([i[near], j[near]], axis=-1)


def _separations(x: Floats, box: Floats, pairs: Indices, cutoff: float) -> tuple[Indices, Indices, Floats, Floats]:
    """i, j, x_i - x_j and its square of the pairs inside the cut-off."""
    i, j = pairs[:, 0], pairs[:, 1]
    d = minimum_image(x[i] - x[j], box)
    r2 = _dot(d, d)
    near = r2 < cutoff * cutoff
    return i[near], j[near], d[near], np.maximum(r2[near], SMALLEST_R2)


def _pair_arm(x: Floats, box: Floats, pair: PairParameters) -> tuple[dict[int, Floats], _Arm]:
    i, j, d, r2 = _separations(x, box, pairs_within(x, box, pair.cutoff, pair), pair.cutoff)
    c6, c12, at_cutoff, _ = np.moveaxis(pair.lj[pair.types[i], pair.types[j]], -1, 0)
    r = np.sqrt(r2)
    lj = c12 / r**12 - c6 / r**6 - at_cutoff
    force = 12.0 * c12 / r**14 - 6.0 * c6 / r**8
    scale, k_rf, c_rf = pair.coulomb
    qq = scale * pair.charges[i] * pair.charges[j]
    coulomb = qq * (1.0 / r + k_rf * r2 - c_rf)
    force = force + qq * (1.0 / r**3 - 2.0 * k_rf)
    return {_LJ: lj, _COULOMB: coulomb}, _Arm(head=i, tail=j, lever=d, force=force[:, None] * d)


def _solute_arm(x: Floats, box: Floats, pair: PairParameters, lam: float) -> tuple[dict[int, Floats], _Arm]:
    i, j, d, r2 = _separations(x, box, crossing_pairs(x, box, pair), pair.cutoff)
    c6, c12, _, sigma6 = np.moveaxis(pair.lj[pair.types[i], pair.types[j]], -1, 0)
    soft = SOFT_CORE_ALPHA * (1.0 - lam) * sigma6
    s, s_cutoff = soft + r2**3, soft + pair.cutoff**6
    energy = lam * (c12 / s**2 - c6 / s - c12 / s_cutoff**2 + c6 / s_cutoff)
    slope = lam * (c6 / s**2 - 2.0 * c12 / s**3) * 6.0 * r2**2
    return {_LJ: energy}, _Arm(head=i, tail=j, lever=d, force=-slope[:, None] * d)


def pair_terms(x: Floats, box: Floats, pair: PairParameters) -> Contribution:
    """Lennard-Jones and reaction field of all pairs that :func:`pairs_within` lists."""
    energies, arm = _pair_arm(x, box, pair)
    return _gather(len(x), energies, arm)


def solute_terms(x: Floats, box: Floats, pair: PairParameters, lam: float) -> Contribution:
    """Soft-core Lennard-Jones between solute and solvent at one λ (Beutler et al. 1994)."""
    energies, arm = _solute_arm(x, box, pair, lam)
    return _gather(len(x), energies, arm)


def excluded_terms(x: Floats, box: Floats, pair: PairParameters) -> Contribution:
    """Reaction field of excluded pairs inside the cut-off, and of each charge with itself."""
    i, j, d, r2 = _separations(x, box, pair.excluded_pairs.reshape(-1, 2).astype(np.int64), pair.cutoff)
    scale, k_rf, c_rf = pair.coulomb
    qq = scale * pair.charges[i] * pair.charges[j]
    own = -0.5 * scale * pair.charges**2 * c_rf
    energies = {_COULOMB: np.concatenate([qq * (k_rf * r2 - c_rf), own])}
    return _gather(len(x), energies, _Arm(head=i, tail=j, lever=d, force=(-2.0 * k_rf * qq)[:, None] * d))


# -- bonded --------------------------------------------------------------------------------------------------------------


def bond_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """U = k/2 (r - r0)²."""
    i, j = _columns(bonded.bonds)
    length, k = bonded.bond_values.T
    d = minimum_image(x[i] - x[j], box)
    r = np.linalg.norm(d, axis=1)
    force = -k * (r - length)
    return _gather(
        len(x), {_BOND: 0.5 * k * (r - length) ** 2}, _Arm(head=i, tail=j, lever=d, force=(force / r)[:, None] * d)
    )


def angle_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """U = k/2 (θ - θ0)² or, for function 2, k/2 (cos θ - cos θ0)²; from dθ/dx = ê/r with ê normal to the arm."""
    i, j, k = _columns(bonded.angles)
    reference, strength = bonded.angle_values.T
    a, b = minimum_image(x[i] - x[j], box), minimum_image(x[k] - x[j], box)
    normal = np.cross(a, b)
    sine = np.linalg.norm(normal, axis=1)
    theta = np.arctan2(sine, _dot(a, b))
    by_cosine = bonded.angle_functions == 2
    bend = np.where(by_cosine, np.cos(theta) - reference, theta - reference)
    slope = strength * bend * np.where(by_cosine, -np.sin(theta), 1.0)
    forces = [
        (-slope / (_dot(arm, arm) * sine))[:, None] * direction
        for arm, direction in ((a, np.cross(a, normal)), (b, np.cross(normal, b)))
    ]
    return _gather(
        len(x),
        {_ANGLE: 0.5 * strength * bend**2},
        _Arm(head=i, tail=j, lever=a, force=forces[0]),
        _Arm(head=k, tail=j, lever=b, force=forces[1]),
    )


def dihedral_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """U = k (1 + cos(n φ - φ0)) or, for function 2, k/2 (φ - φ0)²; forces by Bekker's scheme along the three bonds."""
    i, j, k, m = _columns(bonded.dihedrals)
    phi0, strength, multiplicity = bonded.dihedral_values.T
    first, axis, last = (minimum_image(x[q] - x[p], box) for p, q in ((i, j), (j, k), (k, m)))
    n1, n2 = np.cross(first, axis), np.cross(axis, last)
    length2 = _dot(axis, axis)
    length = np.sqrt(length2)
    phi = np.arctan2(length * _dot(first, n2), _dot(n1, n2))
    improper = bonded.dihedral_functions == 2
    turn = np.mod(phi - phi0 + np.pi, 2.0 * np.pi) - np.pi
    argument = multiplicity * phi - phi0
    energy = np.where(improper, 0.5 * strength * turn**2, strength * (1.0 + np.cos(argument)))
    slope = np.where(improper, strength * turn, -strength * multiplicity * np.sin(argument))
    on_i = (slope * length / _dot(n1, n1))[:, None] * n1
    on_m = (-slope * length / _dot(n2, n2))[:, None] * n2
    before, after = (_dot(first, axis) / length2)[:, None], (_dot(last, axis) / length2)[:, None]
    on_k = before * on_i - (1.0 + after) * on_m
    return _gather(
        len(x),
        {_DIHEDRAL: energy},
        _Arm(head=i, tail=j, lever=-first, force=on_i),
        _Arm(head=m, tail=k, lever=last, force=on_m),
        _Arm(head=k, tail=j, lever=axis, force=on_k + on_m),
    )


def total(parameters: Parameters, x: Floats, box: Floats, *, lam: float = 1.0) -> Contribution:
    """Everything: the twin of ``integrators.total_forces``."""
    return (
        pair_terms(x, box, parameters.pair)
        + excluded_terms(x, box, parameters.pair)
        + solute_terms(x, box, parameters.pair, lam)
        + bond_terms(x, box, parameters.bonded)
        + angle_terms(x, box, parameters.bonded)
        + dihedral_terms(x, box, parameters.bonded)
    )


# -- sums the energy is linear in ----------------------------------------------------------------------------------------


def _per_type_pair(pair: PairParameters, i: Indices, j: Indices, values: Floats) -> Floats:
    a, b = pair.types[i].astype(np.int64), pair.types[j].astype(np.int64)
    sums = np.zeros(pair.lj.shape[:2])
    np.add.at(sums, (np.minimum(a, b), np.maximum(a, b)), values)
    return sums


def pair_sums(x: Floats, box: Floats, pair: PairParameters) -> Floats:
    """(n_types, n_types) shifted Lennard-Jones energy per ε of the pairs :func:`pairs_within` lists; upper triangle."""
    i, j, _, r2 = _separations(x, box, pairs_within(x, box, pair.cutoff, pair), pair.cutoff)
    sigma6 = pair.lj[pair.types[i], pair.types[j], 3]
    near, far = sigma6 / r2**3, sigma6 / pair.cutoff**6
    return _per_type_pair(pair, i, j, 4.0 * (near**2 - near - far**2 + far))


def solute_sums(x: Floats, box: Floats, pair: PairParameters, lambdas: Floats) -> Floats:
    """(n_lambda, n_types, n_types) soft-core energy per ε of solute-solvent pairs at each λ; upper triangle."""
    i, j, _, r2 = _separations(x, box, crossing_pairs(x, box, pair), pair.cutoff)
    sigma6 = pair.lj[pair.types[i], pair.types[j], 3]
    rows = []
    for lam in lambdas:
        soft = SOFT_CORE_ALPHA * (1.0 - lam)
        near, far = 1.0 / (soft + r2**3 / sigma6), 1.0 / (soft + pair.cutoff**6 / sigma6)
        rows.append(_per_type_pair(pair, i, j, 4.0 * lam * (near**2 - near - far**2 + far)))
    return np.array(rows).reshape(len(lambdas), *pair.lj.shape[:2])


# -- molecules -----------------------------------------------------------------------------------------------------------


def centers_of_mass(values: Floats, molecules: MoleculeParameters) -> Floats:
    """(n_molecules, 3) mass-weighted means of whole molecules' positions or velocities."""
    weighted = np.add.reduceat(molecules.masses[:, None] * values, molecules.start[:-1].astype(np.int64))
    return np.asarray(weighted / molecules.molecule_masses[:, None])


def molecular_virial(parameters: Parameters, x: Floats, box: Floats, *, lam: float = 1.0) -> Floats:
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
