"""Distance constraints: SHAKE for positions (Ryckaert 1977), its velocity counterpart RATTLE (Andersen 1983).

Constraints that share beads form a group, and groups are independent. With d_n the arm of constraint n, the multipliers of a
group obey linear equations with the matrix J M⁻¹ Jᵀ: entries d_n·d_m times Σ ± 1/mass over the beads that n and m share. Up to
:data:`LARGEST_DIRECT` constraints are solved by its Cholesky factor; for positions again and again with the factor at the
reference, which shrinks the error by about the relative displacement each time (M-SHAKE of Kräutler, van Gunsteren & Hünenberger
2001 has a fresh matrix each time). Larger groups, redundant ones and those far from their lengths are swept: one constraint
corrected after the other until all are met.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from topdown.engine._arrays import first_at_least, first_row_of
from topdown.engine._jit import helper, shared

#: Relative tolerance of constrained distances; the promise to users is 1e-5.
TOLERANCE = 1e-9
MAX_SWEEPS = 1000
#: Most constraints of a group whose equations are solved together; beyond it the matrix costs more than sweeps.
LARGEST_DIRECT = 24
#: Direct solutions before sweeps take over: displacements of a tenth need nine.
MAX_TURNS = 20
#: Pivots below this part of the diagonal mean constraints that say the same.
SMALLEST_PIVOT = 1e-6


@helper
def _coupling(pairs: Any, n: int, m: int, inverse_masses: Any) -> float:
    """Σ ± 1/mass over the beads that constraints n and m share."""
    i, j, p, q = pairs[n, 0], pairs[n, 1], pairs[m, 0], pairs[m, 1]
    total = 0.0
    if i == p:
        total += inverse_masses[i]
    if j == q:
        total += inverse_masses[j]
    if i == q:
        total -= inverse_masses[i]
    if j == p:
        total -= inverse_masses[j]
    return total


@helper
def _arm(x: Any, i: int, j: int) -> tuple[float, float, float]:
    return x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]


@helper
def _factorise(x: Any, pairs: Any, inverse_masses: Any, arms: Any, matrix: Any) -> bool:
    """Arms (n, 3) of a group at ``x`` and the Cholesky factor of J M⁻¹ Jᵀ, its diagonal inverted; False if it is singular."""
    for n in range(pairs.shape[0]):
        ax, ay, az = _arm(x, pairs[n, 0], pairs[n, 1])
        arms[n, 0], arms[n, 1], arms[n, 2] = ax, ay, az
        for m in range(n + 1):
            entry = _coupling(pairs, n, m, inverse_masses) * (ax * arms[m, 0] + ay * arms[m, 1] + az * arms[m, 2])
            smallest = SMALLEST_PIVOT * entry
            for k in range(m):
                entry -= matrix[n, k] * matrix[m, k]
            if m < n:
                matrix[n, m] = entry * matrix[m, m]
            elif entry > smallest:
                matrix[n, n] = 1.0 / math.sqrt(entry)
            else:
                return False
    return True


@helper
def _solve(matrix: Any, count: int, values: Any) -> None:
    """Replace the right-hand sides in ``values`` by the solution."""
    for n in range(count):
        for k in range(n):
            values[n] -= matrix[n, k] * values[k]
        values[n] *= matrix[n, n]
    for n in range(count - 1, -1, -1):
        for k in range(n + 1, count):
            values[n] -= matrix[k, n] * values[k]
        values[n] *= matrix[n, n]


@helper
def _correct(x: Any, pairs: Any, inverse_masses: Any, arms: Any, values: Any) -> None:
    """x -= M⁻¹ Jᵀ ``values``, of positions or velocities."""
    for n in range(pairs.shape[0]):
        i, j = pairs[n, 0], pairs[n, 1]
        gi, gj = values[n] * inverse_masses[i], values[n] * inverse_masses[j]
        for d in range(3):
            x[i, d] -= gi * arms[n, d]
            x[j, d] += gj * arms[n, d]


@helper
def _solve_positions(x: Any, reference: Any, pairs: Any, lengths: Any, inverse_masses: Any, room: Any) -> bool:
    """Put a group on its lengths; if that does not work its beads are left where they were."""
    matrix, arms, values, start = room
    count = pairs.shape[0]
    for turn in range(MAX_TURNS):
        met = True
        for n in range(count):
            dx, dy, dz = _arm(x, pairs[n, 0], pairs[n, 1])
            target = lengths[n] * lengths[n]
            excess = dx * dx + dy * dy + dz * dz - target
            met = met and abs(excess) <= 2.0 * TOLERANCE * target
            values[n] = 0.5 * excess
        if met:
            return True
        if turn == 0:
            if not _factorise(reference, pairs, inverse_masses, arms, matrix):
                return False
            for n in range(count):
                for d in range(3):
                    start[n, 0, d], start[n, 1, d] = x[pairs[n, 0], d], x[pairs[n, 1], d]
        _solve(matrix, count, values)
        _correct(x, pairs, inverse_masses, arms, values)
    for n in range(count):
        for d in range(3):
            x[pairs[n, 0], d], x[pairs[n, 1], d] = start[n, 0, d], start[n, 1, d]
    return False


@helper
def _solve_velocities(v: Any, x: Any, pairs: Any, lengths: Any, inverse_masses: Any, room: Any) -> bool:
    """Take the velocities along the constraints of a group away; False if there is no solution yet."""
    matrix, arms, values, _ = room
    count = pairs.shape[0]
    for turn in range(MAX_TURNS):
        met = True
        for n in range(count):
            dx, dy, dz = _arm(x, pairs[n, 0], pairs[n, 1])
            ux, uy, uz = _arm(v, pairs[n, 0], pairs[n, 1])
            values[n] = dx * ux + dy * uy + dz * uz
            met = met and abs(values[n]) <= TOLERANCE * lengths[n] * lengths[n]
        if met:
            return True
        if turn == 0 and not _factorise(x, pairs, inverse_masses, arms, matrix):
            return False
        _solve(matrix, count, values)
        _correct(v, pairs, inverse_masses, arms, values)
    return False


@helper
def _pull(values: Any, i: int, j: int, on_i: float, on_j: float, dx: float, dy: float, dz: float) -> None:
    """Move the values of two beads against one another along d."""
    values[i, 0] -= on_i * dx
    values[i, 1] -= on_i * dy
    values[i, 2] -= on_i * dz
    values[j, 0] += on_j * dx
    values[j, 1] += on_j * dy
    values[j, 2] += on_j * dz


@helper
def _sweep_positions(x: Any, reference: Any, pairs: Any, lengths: Any, inverse_masses: Any) -> bool:
    """SHAKE: correct one constraint of a group after the other."""
    for _ in range(MAX_SWEEPS):
        met = True
        for n in range(pairs.shape[0]):
            i, j = pairs[n, 0], pairs[n, 1]
            target = lengths[n] * lengths[n]
            dx, dy, dz = _arm(x, i, j)
            excess = dx * dx + dy * dy + dz * dz - target
            if abs(excess) <= 2.0 * TOLERANCE * target:
                continue
            met = False
            rx, ry, rz = _arm(reference, i, j)
            along = dx * rx + dy * ry + dz * rz
            if not along > 1e-6 * target:
                return False
            g = excess / (2.0 * along * (inverse_masses[i] + inverse_masses[j]))
            gi, gj = g * inverse_masses[i], g * inverse_masses[j]
            _pull(x, i, j, gi, gj, rx, ry, rz)
        if met:
            return True
    return False


@helper
def _sweep_velocities(v: Any, x: Any, pairs: Any, lengths: Any, inverse_masses: Any) -> bool:
    """RATTLE: correct one constraint of a group after the other."""
    for _ in range(MAX_SWEEPS):
        met = True
        for n in range(pairs.shape[0]):
            i, j = pairs[n, 0], pairs[n, 1]
            target = lengths[n] * lengths[n]
            dx, dy, dz = _arm(x, i, j)
            ux, uy, uz = _arm(v, i, j)
            along = dx * ux + dy * uy + dz * uz
            if abs(along) <= TOLERANCE * target:
                continue
            met = False
            g = along / (target * (inverse_masses[i] + inverse_masses[j]))
            gi, gj = g * inverse_masses[i], g * inverse_masses[j]
            _pull(v, i, j, gi, gj, dx, dy, dz)
        if met:
            return True
    return False


@helper
def _room() -> tuple[Any, Any, Any, Any]:
    """For one group at a time: matrix, arms, right-hand sides and first positions."""
    return (
        np.empty((LARGEST_DIRECT, LARGEST_DIRECT)),
        np.empty((LARGEST_DIRECT, 3)),
        np.empty(LARGEST_DIRECT),
        np.empty((LARGEST_DIRECT, 2, 3)),
    )


@helper
def _group_at(bead: int, constraints: Any) -> int:
    """The first group of ``bead``, the first of a molecule, and those after it."""
    n_pairs, n_groups = constraints.pairs.shape[0], constraints.group_start.shape[0] - 1
    return first_at_least(first_row_of(bead, constraints.pairs, 0, n_pairs), constraints.group_start, 0, n_groups)


@shared
def constrain_positions(x: Any, reference: Any, constraints: Any, inverse_masses: Any) -> bool:
    """Move ``x`` along the bond directions of ``reference`` until every constraint holds; False if one does not.

    Molecules must be whole in both arrays.
    """
    return constrain_some_positions(0, x.shape[0], x, reference, constraints, inverse_masses)


@helper
def constrain_some_positions(
    first_bead: int, last_bead: int, x: Any, reference: Any, constraints: Any, inverse_masses: Any
) -> bool:
    """As :func:`constrain_positions`, of the molecules of beads ``first_bead`` … ``last_bead - 1``."""
    room = _room()
    for group in range(_group_at(first_bead, constraints), _group_at(last_bead, constraints)):
        first, last = int(constraints.group_start[group]), int(constraints.group_start[group + 1])
        pairs, lengths = constraints.pairs[first:last], constraints.lengths[first:last]
        if last - first <= LARGEST_DIRECT and _solve_positions(x, reference, pairs, lengths, inverse_masses, room):
            continue
        if not _sweep_positions(x, reference, pairs, lengths, inverse_masses):
            return False
    return True


@shared
def constrain_velocities(v: Any, x: Any, constraints: Any, inverse_masses: Any) -> bool:
    """Remove the velocity components along the constraints; False if that does not converge."""
    return constrain_some_velocities(0, v.shape[0], v, x, constraints, inverse_masses)


@helper
def constrain_some_velocities(
    first_bead: int, last_bead: int, v: Any, x: Any, constraints: Any, inverse_masses: Any
) -> bool:
    """As :func:`constrain_velocities`, of the molecules of beads ``first_bead`` … ``last_bead - 1``."""
    room = _room()
    for group in range(_group_at(first_bead, constraints), _group_at(last_bead, constraints)):
        first, last = int(constraints.group_start[group]), int(constraints.group_start[group + 1])
        pairs, lengths = constraints.pairs[first:last], constraints.lengths[first:last]
        if last - first <= LARGEST_DIRECT and _solve_velocities(v, x, pairs, lengths, inverse_masses, room):
            continue
        if not _sweep_velocities(v, x, pairs, lengths, inverse_masses):
            return False
    return True
