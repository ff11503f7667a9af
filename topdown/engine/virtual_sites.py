"""Virtual sites: beads without mass that follow from others. They are placed from those, and their forces handed on to those.

With the site at r_s(r_1 … r_n), bead k receives (∂r_s/∂r_k)ᵀ f_s. Sites may be built from sites: they are placed in the order in
which they are stored and give their forces away in the reverse order. Molecules must be whole.

Constructions (GROMACS manual, "Virtual interaction sites"; :class:`topdown.model.VirtualSite`): all weighted means are one kind,
the five others are not linear in the positions.
"""

from __future__ import annotations

import math
from typing import Any

from topdown.engine._arrays import first_of
from topdown.engine._jit import helper, shared
from topdown.engine.pair_forces import add_virial
from topdown.engine.parameter_arrays import FIXED_ANGLE_3, FIXED_DISTANCE, FIXED_DISTANCE_3, LINEAR, OUT_OF_PLANE_3

_SHORTEST = 1e-12

Vector = tuple[float, float, float]


@helper
def _between(x: Any, i: int, j: int) -> Vector:
    return x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]


@helper
def _combined(p: float, a: Vector, q: float, b: Vector) -> Vector:
    return p * a[0] + q * b[0], p * a[1] + q * b[1], p * a[2] + q * b[2]


@helper
def _scaled(p: float, a: Vector) -> Vector:
    return p * a[0], p * a[1], p * a[2]


@helper
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@helper
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@helper
def _length(a: Vector) -> float:
    return max(math.sqrt(_dot(a, a)), _SHORTEST)


@helper
def _through_unit(scale: float, m: Vector, f: Vector) -> Vector:
    """(∂(s m/|m|)/∂m)ᵀ f = s/|m| (f - (f·n) n), n = m/|m|."""
    length = _length(m)
    n = _scaled(1.0 / length, m)
    return _scaled(scale / length, _combined(1.0, f, -_dot(f, n), n))


@helper
def _displacement(kind: int, x: Any, atoms: Any, first: int, p: Vector) -> Vector:
    """r_s - r_i of a construction that is not linear, from the beads at ``first`` in ``atoms`` and after."""
    i = atoms[first]
    u = _between(x, i, atoms[first + 1])
    if kind == FIXED_DISTANCE:
        return _scaled(p[0] / _length(u), u)
    w = _between(x, i, atoms[first + 2])
    if kind == FIXED_DISTANCE_3:
        m = _combined(1.0 - p[0], u, p[0], w)
        return _scaled(p[1] / _length(m), m)
    if kind == FIXED_ANGLE_3:
        n = _scaled(1.0 / _length(u), u)
        step = _combined(1.0, w, -1.0, u)
        aside = _combined(1.0, step, -_dot(step, n), n)
        return _combined(p[0], n, p[1] / _length(aside), aside)
    if kind == OUT_OF_PLANE_3:
        return _combined(1.0, _combined(p[0], u, p[1], w), p[2], _cross(u, w))
    z = _between(x, i, atoms[first + 3])
    m = _cross(_combined(p[0], w, -1.0, u), _combined(p[1], z, -1.0, u))
    return _scaled(p[2] / _length(m), m)


@helper
def _shares(kind: int, x: Any, atoms: Any, first: int, p: Vector, f: Vector) -> tuple[Vector, Vector, Vector]:
    """What beads j, k and l receive of the force ``f`` on a site that is not linear; bead i receives the rest."""
    nothing = (0.0, 0.0, 0.0)
    i = atoms[first]
    u = _between(x, i, atoms[first + 1])
    if kind == FIXED_DISTANCE:
        return _through_unit(p[0], u, f), nothing, nothing
    w = _between(x, i, atoms[first + 2])
    if kind == FIXED_DISTANCE_3:
        g = _through_unit(p[1], _combined(1.0 - p[0], u, p[0], w), f)
        return _scaled(1.0 - p[0], g), _scaled(p[0], g), nothing
    if kind == FIXED_ANGLE_3:
        n = _scaled(1.0 / _length(u), u)
        step = _combined(1.0, w, -1.0, u)
        along = _dot(step, n)
        h = _through_unit(p[1], _combined(1.0, step, -along, n), f)
        on_k = _combined(1.0, h, -_dot(h, n), n)
        turn = _combined(-along, h, -_dot(h, n), step)
        on_u = _through_unit(1.0, u, _combined(p[0], f, 1.0, turn))
        return _combined(1.0, on_u, -1.0, on_k), on_k, nothing
    if kind == OUT_OF_PLANE_3:
        return _combined(p[0], f, p[2], _cross(w, f)), _combined(p[1], f, p[2], _cross(f, u)), nothing
    a, b = _combined(p[0], w, -1.0, u), _combined(p[1], _between(x, i, atoms[first + 3]), -1.0, u)
    g = _through_unit(p[2], _cross(a, b), f)
    on_a, on_b = _cross(b, g), _cross(g, a)
    return _combined(-1.0, on_a, -1.0, on_b), _scaled(p[0], on_a), _scaled(p[1], on_b)


@shared
def place_sites(x: Any, sites: Any) -> None:
    """Put every virtual site of ``x`` (n, 3) where its construction says."""
    _place_some_sites(0, sites.beads.shape[0], x, sites)


@helper
def _place_some_sites(first_site: int, last_site: int, x: Any, sites: Any) -> None:
    """Sites ``first_site`` … ``last_site - 1``."""
    beads, kinds, start, atoms, weights, values = (
        sites.beads, sites.kinds, sites.start, sites.atoms, sites.weights, sites.values
    )  # fmt: skip
    for n in range(first_site, last_site):
        s, first, last = beads[n], int(start[n]), int(start[n + 1])
        if kinds[n] == LINEAR:
            for d in range(3):
                mean = 0.0
                for k in range(first, last):
                    mean += weights[k] * x[atoms[k], d]
                x[s, d] = mean
        else:
            away = _displacement(kinds[n], x, atoms, first, (values[n, 0], values[n, 1], values[n, 2]))
            for d in range(3):
                x[s, d] = x[atoms[first], d] + away[d]


@helper
def settle_sites(first_bead: int, last_bead: int, x: Any, v: Any, sites: Any) -> None:
    """Place the sites of some molecules after a move, and take their velocities away: they carry neither momentum nor energy."""
    beads = sites.beads
    first, last = first_of(first_bead, beads), first_of(last_bead, beads)
    _place_some_sites(first, last, x, sites)
    for n in range(first, last):
        v[beads[n], 0], v[beads[n], 1], v[beads[n], 2] = 0.0, 0.0, 0.0


@shared
def spread_forces(x: Any, sites: Any, forces: Any, virial: Any, measure: bool) -> None:
    """Hand the forces on sites to the beads they are built from and leave zeros.

    ``virial`` becomes that of the forces on beads with mass, Ξ -= 1/2 Σ_k (r_k - r_s) ⊗ f_k: half the strain derivative of the
    energy when sites follow strained beads. For weighted means this changes nothing.
    """
    _spread_some_forces(0, sites.beads.shape[0], x, sites, forces, virial, measure)


@helper
def spread_molecule_forces(
    first_bead: int, last_bead: int, x: Any, sites: Any, forces: Any, virial: Any, measure: bool
) -> None:
    """As :func:`spread_forces`, of the molecules of beads ``first_bead`` … ``last_bead - 1``."""
    first, last = first_of(first_bead, sites.beads), first_of(last_bead, sites.beads)
    _spread_some_forces(first, last, x, sites, forces, virial, measure)


@helper
def _spread_some_forces(
    first_site: int, last_site: int, x: Any, sites: Any, forces: Any, virial: Any, measure: bool
) -> None:
    beads, kinds, start, atoms, weights, values = (
        sites.beads, sites.kinds, sites.start, sites.atoms, sites.weights, sites.values
    )  # fmt: skip
    for n in range(last_site - 1, first_site - 1, -1):
        s, first, last = beads[n], int(start[n]), int(start[n + 1])
        f = (forces[s, 0], forces[s, 1], forces[s, 2])
        forces[s, 0], forces[s, 1], forces[s, 2] = 0.0, 0.0, 0.0
        if kinds[n] == LINEAR:
            for k in range(first, last):
                for d in range(3):
                    forces[atoms[k], d] += weights[k] * f[d]
            continue
        on_j, on_k, on_l = _shares(kinds[n], x, atoms, first, (values[n, 0], values[n, 1], values[n, 2]), f)
        on_i = _combined(1.0, f, -1.0, _combined(1.0, on_j, 1.0, _combined(1.0, on_k, 1.0, on_l)))
        shares = (on_i, on_j, on_k, on_l)
        for k in range(last - first):
            i, share = atoms[first + k], shares[k]
            for d in range(3):
                forces[i, d] += share[d]
            if measure:
                arm = _between(x, s, i)
                add_virial(virial, arm[0], arm[1], arm[2], share[0], share[1], share[2])
