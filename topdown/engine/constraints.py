"""Distance constraints: SHAKE for positions (Ryckaert 1977), its velocity counterpart RATTLE (Andersen 1983).

Constraints of a molecule are solved together, one after the other until all are met; molecules are independent.
"""

from __future__ import annotations

from typing import Any

from topdown.engine._jit import kernel

#: Relative tolerance of constrained distances; the promise to users is 1e-5.
TOLERANCE = 1e-9
MAX_SWEEPS = 1000


@kernel
def constrain_positions(x: Any, reference: Any, constraints: Any, inverse_masses: Any) -> bool:
    """Move ``x`` along the bond directions of ``reference`` until every constraint holds; False if one does not.

    Molecules must be whole in both arrays.
    """
    for group in range(constraints.group_start.shape[0] - 1):
        first, last = constraints.group_start[group], constraints.group_start[group + 1]
        met = False
        for _ in range(MAX_SWEEPS):
            met = True
            for n in range(first, last):
                i, j = constraints.pairs[n, 0], constraints.pairs[n, 1]
                target = constraints.lengths[n] * constraints.lengths[n]
                dx, dy, dz = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
                excess = dx * dx + dy * dy + dz * dz - target
                if abs(excess) <= 2.0 * TOLERANCE * target:
                    continue
                met = False
                rx = reference[i, 0] - reference[j, 0]
                ry = reference[i, 1] - reference[j, 1]
                rz = reference[i, 2] - reference[j, 2]
                along = dx * rx + dy * ry + dz * rz
                if not along > 1e-6 * target:
                    return False
                g = excess / (2.0 * along * (inverse_masses[i] + inverse_masses[j]))
                gi, gj = g * inverse_masses[i], g * inverse_masses[j]
                x[i, 0] -= gi * rx
                x[i, 1] -= gi * ry
                x[i, 2] -= gi * rz
                x[j, 0] += gj * rx
                x[j, 1] += gj * ry
                x[j, 2] += gj * rz
            if met:
                break
        if not met:
            return False
    return True


@kernel
def constrain_velocities(v: Any, x: Any, constraints: Any, inverse_masses: Any) -> bool:
    """Remove the velocity components along the constraints; False if that does not converge."""
    for group in range(constraints.group_start.shape[0] - 1):
        first, last = constraints.group_start[group], constraints.group_start[group + 1]
        met = False
        for _ in range(MAX_SWEEPS):
            met = True
            for n in range(first, last):
                i, j = constraints.pairs[n, 0], constraints.pairs[n, 1]
                dx, dy, dz = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
                target = constraints.lengths[n] * constraints.lengths[n]
                along = dx * (v[i, 0] - v[j, 0]) + dy * (v[i, 1] - v[j, 1]) + dz * (v[i, 2] - v[j, 2])
                if abs(along) <= TOLERANCE * target:
                    continue
                met = False
                g = along / (target * (inverse_masses[i] + inverse_masses[j]))
                gi, gj = g * inverse_masses[i], g * inverse_masses[j]
                v[i, 0] -= gi * dx
                v[i, 1] -= gi * dy
                v[i, 2] -= gi * dz
                v[j, 0] += gj * dx
                v[j, 1] += gj * dy
                v[j, 2] += gj * dz
            if met:
                break
        if not met:
            return False
    return True
