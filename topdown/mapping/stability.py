"""How fast a molecule vibrates, and force constants small enough for the time step.

Frequencies are those of the normal modes at a reference geometry: each harmonic term with force constant k and coordinate q adds
k ∇q ∇qᵀ to the Hessian (exact where every q is at its minimum), virtual sites hand their gradients to the beads they are built
from, and motion along constraints is projected out. This counts all springs on a bead together, and the levers of sites.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from topdown.mapping.rigid_frames import site_weights
from topdown.mapping.vectors import Vector, cross, difference, dot, norm
from topdown.model import Angle, Bond, Constraint, Dihedral, VirtualSite
from topdown.model._arrays import FloatArray

#: The fastest vibration must last at least this many steps of 20 fs [ps].
SHORTEST_PERIOD = 10 * 0.02
#: Largest number of beads whose modes are computed; beyond it force constants are bounded pair by pair.
_MOST_BEADS = 250
#: Singular values of unit-length constraint gradients below this mean constraints that say the same.
SMALLEST_SINGULAR = 0.08

Terms = tuple[tuple[Bond, ...], tuple[Angle, ...], tuple[Dihedral, ...]]
#: Gradient of a coordinate on each of the beads it depends on.
_Gradient = tuple[tuple[int, Vector], ...]


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """What does not change while force constants are tuned.

    Attributes
    ----------
    positions : (n_beads, 3) float64 [nm]
    masses : tuple of float
        [u]; 0 for virtual sites.
    constraints : tuple of Constraint
    sites : tuple of VirtualSite
    """

    positions: FloatArray
    masses: tuple[float, ...]
    constraints: tuple[Constraint, ...]
    sites: tuple[VirtualSite, ...]


def shortest_period(skeleton: Skeleton, terms: Terms) -> float:
    """Period [ps] of the fastest normal mode; infinite without springs."""
    gradients, stiffness = _gradients(skeleton, terms)
    if not gradients:
        return math.inf
    rows, constants = _without_constrained(skeleton, _mass_weighted(skeleton, gradients)), np.array(stiffness)
    largest = float(np.linalg.svd(rows * np.sqrt(constants)[:, None], compute_uv=False)[0])
    return 2 * math.pi / largest if largest > 0 else math.inf


def softened(skeleton: Skeleton, terms: Terms, *, shortest: float = SHORTEST_PERIOD) -> Terms:
    """The same terms with force constants lowered until no mode is faster than ``shortest`` [ps].

    Only the terms that make the fastest modes stiff are lowered, each in proportion to its part in them.
    """
    if len(skeleton.masses) > _MOST_BEADS:
        return _bounded(skeleton, terms, shortest)
    limit = (2 * math.pi / shortest) ** 2
    gradients, stiffness = _gradients(skeleton, terms)
    # Mostly this settles it without any modes.
    if not gradients or _largest_square(skeleton, gradients, stiffness) <= limit:
        return terms
    rows, wanted = _mass_weighted(skeleton, gradients), np.array(stiffness)
    weighted = rows * np.sqrt(wanted)[:, None]
    # Nor need they be known where the sums of the scalar products themselves are small.
    if float(np.abs(weighted @ weighted.T).sum(axis=1).max()) <= limit:
        return terms
    rows = _without_constrained(skeleton, rows)
    for _ in range(200):
        weighted = rows * np.sqrt(wanted)[:, None]
        u, s, _ = np.linalg.svd(weighted, full_matrices=False)
        fast = s**2 > limit
        if not fast.any():
            break
        for mode in np.flatnonzero(fast):
            part = u[:, mode] ** 2
            excess = limit / s[mode] ** 2
            # A term that makes up the whole mode goes straight to the limit; bystanders stay as they are.
            wanted *= 1.0 - part / part.max() * (1.0 - 0.995 * excess)
    return _with_constants(terms, wanted)


def independent_constraints(
    positions: FloatArray, masses: Sequence[float], constraints: Sequence[Constraint]
) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
    """(constraints that are linearly independent at these positions, those that repeat others), in their order."""
    x = positions.tolist()
    if _largest_overlap(x, masses, constraints) <= 1.0 - SMALLEST_SINGULAR**2:
        return tuple(constraints), ()
    kept: list[Constraint] = []
    redundant: list[Constraint] = []
    for group in _connected(constraints):
        rows = [_constraint_row(x, masses, constraint) for constraint in group]
        # Fewer rows have no smaller singular value: where all are independent, so are the first of them.
        if np.linalg.svd(np.array(rows), compute_uv=False)[-1] >= SMALLEST_SINGULAR and len(rows) <= positions.size:
            kept += group
            continue
        basis: list[FloatArray] = []
        for constraint, row in zip(group, rows):
            trial = np.array([*basis, row])
            if np.linalg.svd(trial, compute_uv=False)[-1] < SMALLEST_SINGULAR:
                redundant.append(constraint)
            else:
                basis.append(row)
                kept.append(constraint)
    order = {id(c): k for k, c in enumerate(constraints)}
    return tuple(sorted(kept, key=lambda c: order[id(c)])), tuple(sorted(redundant, key=lambda c: order[id(c)]))


def _largest_overlap(x: Sequence[Vector], masses: Sequence[float], constraints: Sequence[Constraint]) -> float:
    """How much of one constraint's gradient the others may repeat: the largest sum of scalar products of unit gradients.

    No eigenvalue of the matrix of scalar products is below 1 less this (Gershgorin), and those are the squares of the
    singular values: mostly it settles that constraints are independent.
    """
    ends = []
    for constraint in constraints:
        i, j = constraint.atoms
        along = difference(x[j], x[i])
        scale = max(norm(along), 1e-9) * math.sqrt(1.0 / masses[i] + 1.0 / masses[j])
        ends.append((i, j, [d / scale for d in along]))
    sums = [0.0] * len(ends)
    for (one, (i, j, u)), (other, (k, m, v)) in combinations(enumerate(ends), 2):
        # Two constraints share one bead, or both and repeat each other, or none.
        if i in (k, m) or j in (k, m):
            overlap = abs(dot(u, v)) * sum(1.0 / masses[bead] for bead in (i, j) if bead in (k, m))
            sums[one] += overlap
            sums[other] += overlap
    return max(sums, default=0.0)


def _connected(constraints: Sequence[Constraint]) -> list[list[Constraint]]:
    """Constraints in sets that share beads."""
    groups: list[tuple[set[int], list[Constraint]]] = []
    for constraint in constraints:
        beads, members = set(constraint.atoms), [constraint]
        rest = []
        for other_beads, other in groups:
            if other_beads & beads:
                beads |= other_beads
                members = other + members
            else:
                rest.append((other_beads, other))
        groups = [*rest, (beads, members)]
    return [members for _, members in groups]


def _constraint_row(x: Sequence[Vector], masses: Sequence[float], constraint: Constraint) -> FloatArray:
    """Mass-weighted gradient of a constrained distance, of unit length, (3 n_beads,)."""
    i, j = constraint.atoms
    along = difference(x[j], x[i])
    length = max(norm(along), 1e-9)
    # A direction over the root of either mass: the sum of its squares is that of the inverse masses.
    scale = length * math.sqrt(1.0 / masses[i] + 1.0 / masses[j])
    on_i, on_j = -1.0 / (scale * math.sqrt(masses[i])), 1.0 / (scale * math.sqrt(masses[j]))
    row = np.zeros(3 * len(x))
    row[3 * i : 3 * i + 3], row[3 * j : 3 * j + 3] = [on_i * d for d in along], [on_j * d for d in along]
    return row


def _gradients(skeleton: Skeleton, terms: Terms) -> tuple[list[_Gradient], list[float]]:
    """Gradients of the terms' coordinates, and their constants."""
    x = skeleton.positions.tolist()
    bonds, angles, dihedrals = terms
    gradients: list[_Gradient] = []
    constants: list[float] = []
    for bond in bonds:
        gradients.append(_bond_gradient(x, bond.atoms))
        constants.append(bond.force_constant)
    for angle in angles:
        gradient, sine = _angle_gradient(x, angle.atoms)
        # The cosine's gradient is -sin θ times the angle's; restricted bending divides by sin² again.
        if angle.function == 2:
            gradient = tuple((bead, [sine * g for g in of_bead]) for bead, of_bead in gradient)
        gradients.append(gradient)
        constants.append(angle.force_constant)
    for dihedral in dihedrals:
        gradients.append(_dihedral_gradient(x, dihedral.atoms))
        n = max(dihedral.multiplicity, 1) if dihedral.function in (1, 9) else 1
        constants.append(abs(dihedral.force_constant) * n**2)
    return gradients, constants


def _largest_square(skeleton: Skeleton, gradients: Sequence[_Gradient], constants: Sequence[float]) -> float:
    """No mode has a larger squared frequency than this [1/ps²]; infinite with sites out of the plane of their beads.

    No eigenvalue of the matrix of the scalar products of weighted gradients exceeds the largest sum of sizes in one of its
    rows (Gershgorin), no product that of the lengths on each bead, and taking constrained motion out raises none.
    """
    carriers = {v.site: tuple(zip(v.atoms, site_weights(v))) for v in skeleton.sites}
    if any(v.construction == "3out" or not carriers.keys().isdisjoint(v.atoms) for v in skeleton.sites):
        return math.inf
    total = [0.0] * len(skeleton.masses)
    lengths: list[list[tuple[int, float]]] = []
    for gradient, constant in zip(gradients, constants):
        of_term = []
        for bead, of_bead in gradient:
            size = norm(of_bead) * math.sqrt(constant)
            for carrier, weight in carriers.get(bead, ((bead, 1.0),)):
                length = abs(weight) * size / math.sqrt(skeleton.masses[carrier])
                total[carrier] += length
                of_term.append((carrier, length))
        lengths.append(of_term)
    return max(sum(length * total[bead] for bead, length in of_term) for of_term in lengths)


def _mass_weighted(skeleton: Skeleton, gradients: Sequence[_Gradient]) -> FloatArray:
    """Gradients over the roots of the masses, (n_terms, 3 n_massive), those on sites handed on."""
    moved = np.zeros((len(gradients), 3 * len(skeleton.masses)))
    for row, gradient in zip(moved, gradients):
        for bead, of_bead in gradient:
            row[3 * bead : 3 * bead + 3] = of_bead
    massive = _massive(skeleton)
    if skeleton.sites:
        moved = moved @ _site_jacobian(skeleton, massive)
    return np.asarray(moved * np.repeat(1.0 / np.sqrt([skeleton.masses[k] for k in massive]), 3))


def _massive(skeleton: Skeleton) -> list[int]:
    return [k for k, m in enumerate(skeleton.masses) if m > 0.0]


def _without_constrained(skeleton: Skeleton, weighted: FloatArray) -> FloatArray:
    """Mass-weighted gradients less the motion that constraints forbid."""
    if not skeleton.constraints:
        return weighted
    x = skeleton.positions.tolist()
    fixed = np.array([_constraint_row(x, skeleton.masses, c) for c in skeleton.constraints])
    fixed = fixed[:, np.concatenate([np.arange(3 * k, 3 * k + 3) for k in _massive(skeleton)])]
    _, s, vt = np.linalg.svd(fixed, full_matrices=False)
    vt = vt[s > 1e-6 * s[0]]
    return np.asarray(weighted - (weighted @ vt.T) @ vt)


def _site_jacobian(skeleton: Skeleton, massive: list[int]) -> FloatArray:
    """∂(all beads)/∂(beads with mass), (3 n_beads, 3 n_massive)."""
    n = len(skeleton.masses)
    place = {bead: k for k, bead in enumerate(massive)}
    jacobian = np.zeros((3 * n, 3 * len(massive)))
    for bead, k in place.items():
        for axis in range(3):
            jacobian[3 * bead + axis, 3 * k + axis] = 1.0
    x = skeleton.positions
    for site in skeleton.sites:
        s = site.site
        for atom, weight in zip(site.atoms, site_weights(site)):
            jacobian[3 * s : 3 * s + 3] += weight * jacobian[3 * atom : 3 * atom + 3]
        if site.construction == "3out":
            i, j, k = site.atoms
            c, u, w = site.parameters[2], x[j] - x[i], x[k] - x[i]
            d_u, d_w = -c * _cross_matrix(w), c * _cross_matrix(u)
            rows = {a: jacobian[3 * a : 3 * a + 3] for a in site.atoms}
            jacobian[3 * s : 3 * s + 3] += d_u @ (rows[j] - rows[i]) + d_w @ (rows[k] - rows[i])
    return jacobian


def _cross_matrix(v: FloatArray) -> FloatArray:
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def _bond_gradient(x: Sequence[Vector], atoms: tuple[int, int]) -> _Gradient:
    """Gradient of a distance."""
    i, j = atoms
    along = difference(x[j], x[i])
    length = max(norm(along), 1e-3)
    return (i, [-d / length for d in along]), (j, [d / length for d in along])


def _angle_gradient(x: Sequence[Vector], atoms: tuple[int, int, int]) -> tuple[_Gradient, float]:
    """Gradient of an angle and its sine; near a straight angle that of a bend of unit sine in any direction."""
    i, j, k = atoms
    u, v = difference(x[i], x[j]), difference(x[k], x[j])
    a, b = max(norm(u), 0.05), max(norm(v), 0.05)
    cosine = min(max(dot(u, v) / (a * b), -1.0), 1.0)
    sine = math.sqrt(1.0 - cosine**2)
    bent = max(sine, 0.05)
    on_i = [(cosine * p / a - q / b) / (a * bent) for p, q in zip(u, v)]
    on_k = [(cosine * q / b - p / a) / (b * bent) for p, q in zip(u, v)]
    on_j = [-p - q for p, q in zip(on_i, on_k)]
    return ((i, on_i), (j, on_j), (k, on_k)), sine


def _dihedral_gradient(x: Sequence[Vector], atoms: tuple[int, int, int, int]) -> _Gradient:
    """Gradient of a dihedral angle (Blondel & Karplus, J. Comput. Chem. 17, 1132 (1996))."""
    i, j, k, last = atoms
    b1, b2, b3 = difference(x[j], x[i]), difference(x[k], x[j]), difference(x[last], x[k])
    m, n = cross(b1, b2), cross(b2, b3)
    axis = max(norm(b2), 1e-3)
    mm, nn = max(dot(m, m), 1e-6), max(dot(n, n), 1e-6)
    on_i, on_l = [-axis * g / mm for g in m], [axis * g / nn for g in n]
    p, q = dot(b1, b2) / axis**2, dot(b3, b2) / axis**2
    on_j = [-(1.0 + p) * first + q * fourth for first, fourth in zip(on_i, on_l)]
    on_k = [-first - second - fourth for first, second, fourth in zip(on_i, on_j, on_l)]
    return (i, on_i), (j, on_j), (k, on_k), (last, on_l)


def _with_constants(terms: Terms, constants: FloatArray) -> Terms:
    """The terms with these stiffnesses, rounded down to two or three digits where they changed."""
    bonds, angles, dihedrals = terms
    values = iter(constants)

    def changed(old: float, new: float, step: float) -> float:
        return old if new >= old * (1 - 1e-9) else max(math.floor(new / step) * step, step)

    new_bonds = tuple(replace(b, force_constant=changed(b.force_constant, next(values), 10.0)) for b in bonds)
    new_angles = tuple(replace(a, force_constant=changed(a.force_constant, next(values), 1.0)) for a in angles)
    new_dihedrals = []
    for d in dihedrals:
        n = max(d.multiplicity, 1) if d.function in (1, 9) else 1
        size = changed(abs(d.force_constant), next(values) / n**2, 0.1)
        new_dihedrals.append(replace(d, force_constant=math.copysign(round(size, 4), d.force_constant)))
    return new_bonds, new_angles, tuple(new_dihedrals)


def _bounded(skeleton: Skeleton, terms: Terms, shortest: float) -> Terms:
    """Bonds no stiffer than n springs on one bead allow: the highest frequency is at most sqrt(n k (1/m_i + 1/m_j))."""
    bonds, angles, dihedrals = terms
    count = [0] * len(skeleton.masses)
    for pair in (*(b.atoms for b in bonds), *(c.atoms for c in skeleton.constraints)):
        for atom in pair:
            count[atom] += 1
    limit = (2 * math.pi / shortest) ** 2
    result = []
    for bond in bonds:
        i, j = bond.atoms
        inverse = sum(1.0 / (skeleton.masses[a] or 36.0) for a in (i, j))
        most = limit / inverse / max(1.0, 0.5 * (count[i] + count[j]))
        result.append(
            bond if bond.force_constant <= most else replace(bond, force_constant=math.floor(most / 10) * 10.0)
        )
    return tuple(result), angles, dihedrals
