"""Position and flat-bottom restraints. ``energies[5]`` gathers both; ``virial`` as in ``pair_forces``.

Displacements d are taken to the nearest image of the reference point p. Points stay where they are, and then the virial holds
-1/2 (p + d) ⊗ f, or scale with the box, and then it holds -1/2 d ⊗ f: half the strain derivative of the energy in either case,
and on the diagonal what GROMACS prints for ``refcoord-scaling`` ``no`` and ``all`` (off the diagonal it prints nothing).
"""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._arrays import first_of
from topdown.engine._jit import helper
from topdown.engine.neighbor_list import minimum_image
from topdown.engine.pair_forces import add_virial


@helper
def _from_reference(x: Any, i: int, point: Any, box: Any, scaled: bool) -> Any:
    """Displacement from the reference point, and the lever its force has on the box."""
    px, py, pz = point[0], point[1], point[2]
    if scaled:
        px, py, pz = px * box[0], py * box[1], pz * box[2]
    away = (
        minimum_image(x[i, 0] - px, box[0]),
        minimum_image(x[i, 1] - py, box[1]),
        minimum_image(x[i, 2] - pz, box[2]),
    )
    lever = away if scaled else (away[0] + px, away[1] + py, away[2] + pz)
    return away, lever


@helper
def _push(forces: Any, virial: Any, i: int, lever: Any, fx: float, fy: float, fz: float, measure: bool) -> None:
    forces[i, 0] += fx
    forces[i, 1] += fy
    forces[i, 2] += fz
    if measure:
        add_virial(virial, lever[0], lever[1], lever[2], fx, fy, fz)


@helper
def restraint_forces(
    own: tuple[int, int], x: Any, box: Any, restraints: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:
    """U = Σ_d k_d/2 d_d² of position restraints; U = k/2 (d - |r|)² outside (r < 0: inside) a flat-bottomed region.

    Of the molecules of beads ``own[0]`` … ``own[1] - 1``.
    """
    for n in range(first_of(own[0], restraints.beads), first_of(own[1], restraints.beads)):
        i, k = restraints.beads[n], restraints.constants[n]
        away, lever = _from_reference(x, i, restraints.points[n], box, restraints.scaled)
        _push(forces, virial, i, lever, -k[0] * away[0], -k[1] * away[1], -k[2] * away[2], measure)
        if measure:
            energies[5] += 0.5 * (k[0] * away[0] ** 2 + k[1] * away[1] ** 2 + k[2] * away[2] ** 2)
    for n in range(first_of(own[0], restraints.flat_beads), first_of(own[1], restraints.flat_beads)):
        i, axes = restraints.flat_beads[n], restraints.flat_axes[n]
        away, lever = _from_reference(x, i, restraints.flat_points[n], box, restraints.scaled)
        dx, dy, dz = axes[0] * away[0], axes[1] * away[1], axes[2] * away[2]
        distance = math.sqrt(dx * dx + dy * dy + dz * dz)
        radius, k = restraints.flat_values[n, 0], restraints.flat_values[n, 1]
        beyond = distance - abs(radius)
        if distance == 0.0 or (beyond > 0.0) == (radius < 0.0):
            continue
        force = -k * beyond / distance
        _push(forces, virial, i, lever, force * dx, force * dy, force * dz, measure)
        if measure:
            energies[5] += 0.5 * k * beyond * beyond
