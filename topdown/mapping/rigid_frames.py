"""Rigid bodies: few beads with mass held by constraints, the others virtual sites.

The style is that of the published Martini 3 ring models (Alessandri et al., Adv. Theory Simul. 5, 2100391 (2022),
doi:10.1002/adts.202100391; the hinge after Melo et al., J. Chem. Phys. 143, 243152 (2015)):

- three beads: a triangle of constraints;
- four beads: two triangles over a common side, five constraints, and an improper dihedral over that side;
- five or more in a plane: such a hinge of the four beads that span it best, the others virtual sites in its plane;
- five or more in space (sterols): a triangle of constraints, the others out-of-plane sites (Borges-Araújo et al.,
  J. Chem. Theory Comput. 19, 7387 (2023));
- in a line: one constraint between the ends, the others sites between them.

A site's mass goes to the beads it is built from, in proportion to its positive weights, so that the total is kept. Carriers are
chosen so that no triangle is flat and sites lie inside or near their frame: large weights would amplify forces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from topdown.model import Constraint, Dihedral, VirtualSite
from topdown.model._arrays import FloatArray

#: Force constants of the impropers over hinges [kJ/mol/rad²]: in a plane, and in space.
PLANAR_HINGE, BENT_HINGE = 200.0, 100.0
#: Beads within this distance of a line or plane are on it [nm].
LINE_TOLERANCE, PLANE_TOLERANCE = 0.02, 0.03
#: Height of a triangle over its longest side below which its constraints are as good as collinear.
_FLAT_TRIANGLE = 0.25
#: A site this close to the centre of its hinge is put there, as in the published models [nm].
_AT_CENTRE = 0.02
#: Most candidates for carriers whose combinations are all looked at.
_MOST_CANDIDATES = 12
#: Most sets of carriers whose sites are compared.
_MOST_COMPARED = 20


@dataclass(frozen=True, kw_only=True)
class RigidBody:
    """Beads that move as one.

    Attributes
    ----------
    beads : tuple of int
        All of them, sorted.
    shape : (n, 3) float64 [nm]
        Their reference positions, in that order.
    carriers : tuple of int
        Those with mass.
    constraints : tuple of Constraint
    sites : tuple of VirtualSite
    impropers : tuple of Dihedral
        Over the hinges.
    straight : tuple of (int, int, int)
        Three beads nearly in line that two constraints hold: an angle term has to keep them so.
    """

    beads: tuple[int, ...]
    shape: FloatArray
    carriers: tuple[int, ...]
    constraints: tuple[Constraint, ...]
    sites: tuple[VirtualSite, ...] = ()
    impropers: tuple[Dihedral, ...] = ()
    straight: tuple[tuple[int, int, int], ...] = ()

    def at(self, bead: int) -> FloatArray:
        """Reference position of a bead, (3,) [nm]."""
        return np.asarray(self.shape[self.beads.index(bead)])


def rigid_body(beads: Sequence[int], shape: FloatArray, *, keep: Iterable[int] = ()) -> RigidBody:
    """Carriers, constraints and sites of a set of beads.

    Parameters
    ----------
    beads : sequence of int
        At least two, sorted.
    shape : (n, 3) float64 [nm]
        Where they are.
    keep : iterable of int
        Beads that need mass: those that belong to another body as well.
    """
    beads = tuple(beads)
    at = dict(zip(beads, np.asarray(shape, dtype=np.float64)))
    kept = set(keep) & set(beads)
    if len(beads) == 2:
        return _held(beads, shape, beads, at)
    if _off_line(shape) < LINE_TOLERANCE:
        return _line(beads, shape, at, kept)
    if len(beads) == 3:
        return _held(beads, shape, beads, at)
    planar = _off_plane(shape) < PLANE_TOLERANCE
    count = max(len(kept), 4 if planar or len(beads) == 4 else 3)
    if planar and len(beads) == 4 and not kept:
        inner = [b for b in beads if _is_inside(b, beads, at)]
        count -= bool(inner)
    carriers = beads if len(beads) <= count else _best_carriers(beads, at, kept, count)
    return _held(beads, shape, carriers, at)


def shared_masses(masses: Sequence[float], bodies: Iterable[RigidBody]) -> tuple[float, ...]:
    """Masses [u] after each site has given its own to the beads it is built from."""
    result = list(masses)
    for body in bodies:
        for site in body.sites:
            weights = np.maximum(site_weights(site), 0.0)
            for atom, share in zip(site.atoms, weights / weights.sum()):
                result[atom] += masses[site.site] * float(share)
            result[site.site] = 0.0
    return tuple(round(m, 4) for m in result)


def site_weights(site: VirtualSite) -> FloatArray:
    """Weights (n_atoms,) of the linear part of a site, sum 1."""
    p = site.parameters
    if site.construction == "n":
        return np.asarray(p) / sum(p)
    return np.array([1.0 - sum(p[: len(site.atoms) - 1]), *p[: len(site.atoms) - 1]])


def place_site(site: VirtualSite, x: FloatArray) -> FloatArray:
    """Position (3,) of a site of construction 2, 3, 3out or n from bead positions (n_beads, 3)."""
    atoms = list(site.atoms)
    r = np.asarray(site_weights(site) @ x[atoms])
    if site.construction == "3out":
        i, j, k = atoms
        r = r + site.parameters[2] * np.cross(x[j] - x[i], x[k] - x[i])
    return r


def _off_line(shape: FloatArray) -> float:
    """Largest distance of a point from the best line through all [nm]."""
    x = shape - shape.mean(axis=0)
    axis = np.linalg.svd(x)[2][0]
    return float(np.linalg.norm(x - np.outer(x @ axis, axis), axis=1).max())


def _off_plane(shape: FloatArray) -> float:
    """Largest distance of a point from the best plane through all [nm]."""
    x = shape - shape.mean(axis=0)
    return float(np.abs(x @ np.linalg.svd(x)[2][2]).max())


def _area(a: FloatArray, b: FloatArray, c: FloatArray) -> float:
    """Area of a triangle by Heron's formula: much quicker than a cross product of arrays."""
    x, y, z = math.dist(a, b), math.dist(b, c), math.dist(c, a)
    half = 0.5 * (x + y + z)
    return math.sqrt(max(half * (half - x) * (half - y) * (half - z), 0.0))


def _flatness(a: FloatArray, b: FloatArray, c: FloatArray) -> float:
    """Height of a triangle over its longest side, relative to that side; 0.87 when equilateral."""
    longest = max(math.dist(a, b), math.dist(b, c), math.dist(c, a))
    return 2.0 * _area(a, b, c) / max(longest, 1e-6) ** 2


def _is_inside(bead: int, beads: Sequence[int], at: dict[int, FloatArray]) -> bool:
    """Whether a bead lies well inside the triangle of the three others."""
    others = [b for b in beads if b != bead]
    weights = _in_triangle(at[bead], *(at[b] for b in others))
    return weights is not None and min(weights) > 0.12


def _in_triangle(x: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray) -> tuple[float, float, float] | None:
    """Weights of a, b, c that give the projection of ``x`` on their plane."""
    sides = np.column_stack([b - a, c - a])
    if _flatness(a, b, c) < 0.05:
        return None
    q, r = np.linalg.lstsq(sides, x - a, rcond=None)[0]
    return 1.0 - float(q) - float(r), float(q), float(r)


def _line(beads: tuple[int, ...], shape: FloatArray, at: dict[int, FloatArray], kept: set[int]) -> RigidBody:
    """Beads in a line: those at the ends (and those kept) have mass, the rest are sites between two of them."""
    centred = shape - shape.mean(axis=0)
    along = dict(zip(beads, centred @ np.linalg.svd(centred)[2][0]))
    order = sorted(beads, key=lambda b: (along[b], b))
    carriers = [b for b in order if b in kept or b in (order[0], order[-1])]
    constraints = [_constraint(i, j, at) for i, j in pairwise(carriers)]
    sites = []
    for bead in order:
        if bead in carriers:
            continue
        left = max((c for c in carriers if along[c] <= along[bead]), key=lambda c: along[c])
        right = min((c for c in carriers if along[c] > along[bead]), key=lambda c: along[c])
        a = (along[bead] - along[left]) / (along[right] - along[left])
        sites.append(VirtualSite(site=bead, construction="2", atoms=(left, right), parameters=(round(float(a), 4),)))
    straight = tuple(zip(carriers, carriers[1:], carriers[2:]))
    return RigidBody(
        beads=beads,
        shape=shape,
        carriers=tuple(sorted(carriers)),
        constraints=tuple(constraints),
        sites=tuple(sites),
        straight=straight,
    )


def _constraint(i: int, j: int, at: dict[int, FloatArray]) -> Constraint:
    return Constraint(atoms=(min(i, j), max(i, j)), length=round(float(np.linalg.norm(at[i] - at[j])), 4))


def _best_carriers(beads: tuple[int, ...], at: dict[int, FloatArray], kept: set[int], count: int) -> tuple[int, ...]:
    """The ``count`` beads that make the best frame: triangles that are not flat, and sites with small weights.

    Among sets whose smallest triangle is at least 0.7 times the best one's, the one with the smallest largest weight.
    """
    candidates = list(beads)
    if len(candidates) > _MOST_CANDIDATES:
        middle = np.mean([at[b] for b in beads], axis=0)
        outer = sorted(set(beads) - kept, key=lambda b: (-float(np.linalg.norm(at[b] - middle)), b))
        candidates = sorted([*kept, *outer[: max(_MOST_CANDIDATES - len(kept), 3)]])
    sets = [c for c in combinations(candidates, count) if kept.issubset(c)]
    quality = {c: _frame_quality(c, at) for c in sets}
    best = max(quality.values())
    good = sorted((c for c in sets if quality[c] >= 0.7 * best), key=lambda c: (-round(quality[c], 5), c))

    def lever(chosen: tuple[int, ...]) -> tuple[float, float, tuple[int, ...]]:
        largest = max(
            (float(np.abs(site_weights(_site(b, chosen, at))).max()) for b in beads if b not in chosen), default=0.0
        )
        return round(largest, 2), -round(quality[chosen], 5), chosen

    return min(good[:_MOST_COMPARED], key=lever)


def _frame_quality(chosen: tuple[int, ...], at: dict[int, FloatArray]) -> float:
    """Area of the smallest triangle that the constraints of ``chosen`` make [nm²], less when flat."""
    triangles = [t for t, _ in _triangles(chosen, at)]
    return min(_area(*(at[b] for b in t)) * min(1.0, _flatness(*(at[b] for b in t)) / 0.4) for t in triangles)


def _triangles(
    carriers: Sequence[int], at: dict[int, FloatArray]
) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Triangles that hold the carriers one after the other: each new bead with the two it is held by.

    The second value is that common side. Of all ways to begin and to go on, the best conditioned is taken at each step.
    """
    first = max(
        combinations(carriers, 3), key=lambda t: (round(_flatness(*(at[b] for b in t)), 4), tuple(-b for b in t))
    )
    if len(carriers) == 4:
        return _best_hinge(carriers, at)
    held, found = set(first), [(first, (first[0], first[1]))]
    while len(held) < len(carriers):
        options = [
            (round(_flatness(at[b], at[i], at[j]), 4), -b, (i, j))
            for b in sorted(set(carriers) - held)
            for i, j in combinations(sorted(held), 2)
        ]
        _, minus, side = max(options)
        found.append(((*side, -minus), side))
        held.add(-minus)
    return found


def _best_hinge(four: Sequence[int], at: dict[int, FloatArray]) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Two triangles of four beads on either side of a common side: the pairing whose flatter triangle is least flat."""
    best: tuple[float, tuple[int, int]] | None = None
    for side in combinations(sorted(four), 2):
        i, j = side
        one, two = sorted(set(four) - set(side))
        worst = min(_flatness(at[i], at[j], at[one]), _flatness(at[i], at[j], at[two]))
        axis = at[j] - at[i]
        axis = axis / max(float(np.linalg.norm(axis)), 1e-9)
        arms = [(v := at[b] - at[i]) - (v @ axis) * axis for b in (one, two)]
        # Wings that point the same way would fold onto one another.
        if float(arms[0] @ arms[1]) > 0.0:
            worst *= 0.3
        if best is None or round(worst, 4) > round(best[0], 4):
            best = worst, side
    assert best is not None
    i, j = best[1]
    one, two = sorted(set(four) - {i, j})
    return [((i, j, one), (i, j)), ((i, j, two), (i, j))]


def _held(beads: tuple[int, ...], shape: FloatArray, carriers: tuple[int, ...], at: dict[int, FloatArray]) -> RigidBody:
    """The body whose carriers are held by constraints and whose other beads are sites."""
    if len(carriers) == 2:
        return RigidBody(beads=beads, shape=shape, carriers=carriers, constraints=(_constraint(*carriers, at),))
    if len(carriers) == 3 and _flatness(*(at[b] for b in carriers)) < _FLAT_TRIANGLE and len(beads) == 3:
        ends = max(combinations(carriers, 2), key=lambda p: (float(np.linalg.norm(at[p[0]] - at[p[1]])), p))
        (middle,) = set(carriers) - set(ends)
        return RigidBody(
            beads=beads,
            shape=shape,
            carriers=carriers,
            constraints=tuple(_constraint(middle, end, at) for end in ends),
            straight=((ends[0], middle, ends[1]),),
        )
    triangles = _triangles(carriers, at)
    pairs = {tuple(sorted(triangles[0][0][:2]))}
    for triangle, side in triangles:
        (new,) = set(triangle) - set(side)
        pairs |= {tuple(sorted((new, end))) for end in side}
    impropers = []
    for triangle, side in triangles[1:]:
        (new,) = set(triangle) - set(side)
        before = next(t for t, _ in triangles if set(side) <= set(t) or t is triangles[0][0])
        third = min(set(before) - set(side) - {new})
        angle = _dihedral(at[third], at[side[0]], at[side[1]], at[new])
        flat = min(abs(angle), 180.0 - abs(angle)) < 15.0
        impropers.append(
            Dihedral(
                atoms=(third, side[0], side[1], new),
                angle=(180.0 if abs(angle) > 90.0 else 0.0) if flat else round(angle, 1),
                force_constant=PLANAR_HINGE if flat else BENT_HINGE,
                function=2,
            )
        )
    return RigidBody(
        beads=beads,
        shape=shape,
        carriers=tuple(sorted(carriers)),
        constraints=tuple(_constraint(i, j, at) for i, j in sorted(pairs)),
        sites=tuple(_site(b, carriers, at) for b in beads if b not in carriers),
        impropers=tuple(impropers),
    )


def _site(bead: int, carriers: Sequence[int], at: dict[int, FloatArray]) -> VirtualSite:
    """A site at the place of ``bead``: a weighted mean of a hinge, in the plane of three carriers, or out of it."""
    x = at[bead]
    if len(carriers) == 4:
        corners = np.array([at[c] for c in carriers])
        centred = corners - corners.mean(axis=0)
        # In units of the frame's size and in its plane: three equations for four weights, the solution of least norm.
        plane = np.linalg.svd(centred)[2][:2] / float(np.abs(centred).max())
        rows = np.vstack([plane @ centred.T, np.ones(4)])
        flat = _off_plane(np.vstack([corners, x])) < PLANE_TOLERANCE
        weights = np.linalg.lstsq(rows, np.append(plane @ (x - corners.mean(axis=0)), 1.0), rcond=None)[0]
        if flat and weights.min() > 0.02:
            weights = weights / weights.sum()
            if float(np.linalg.norm(corners.mean(axis=0) - x)) < _AT_CENTRE:
                return VirtualSite(site=bead, construction="n", atoms=tuple(carriers), parameters=(1.0,) * 4)
            return VirtualSite(
                site=bead,
                construction="n",
                atoms=tuple(carriers),
                parameters=tuple(round(float(w), 4) for w in weights),
            )
    best: tuple[float, tuple[int, int, int], tuple[float, float], float] | None = None
    for three in combinations(sorted(carriers), 3):
        a, b, c = (at[k] for k in three)
        weights3 = _in_triangle(x, a, b, c)
        if weights3 is None:
            continue
        normal = np.cross(b - a, c - a)
        out = float((x - a) @ normal / (normal @ normal))
        lever = max(max(abs(w) for w in weights3), abs(out) * math.sqrt(float(np.linalg.norm(normal))))
        if best is None or lever < best[0] - 1e-3:
            best = lever, three, weights3[1:], out
    assert best is not None, "carriers in one line"
    _, three, (p, q), out = best
    area = float(np.linalg.norm(np.cross(at[three[1]] - at[three[0]], at[three[2]] - at[three[0]])))
    if abs(out) * area < PLANE_TOLERANCE:
        return VirtualSite(site=bead, construction="3", atoms=three, parameters=(round(p, 4), round(q, 4)))
    return VirtualSite(
        site=bead, construction="3out", atoms=three, parameters=(round(p, 4), round(q, 4), round(out, 4))
    )


def _dihedral(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> float:
    """IUPAC dihedral angle [degrees]."""
    b1, b2, b3 = b - a, c - b, d - c
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    return math.degrees(
        math.atan2(float(np.cross(n1, n2) @ b2) / max(float(np.linalg.norm(b2)), 1e-12), float(n1 @ n2))
    )
