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
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from topdown.mapping.vectors import Vector, cross, difference, dihedral, dot, middle, norm
from topdown.model import Constraint, Dihedral, VirtualSite
from topdown.model._arrays import FloatArray

#: Positions of beads [nm].
Places = dict[int, list[float]]

#: Force constants of the impropers over hinges [kJ/mol/rad²]: in a plane, and in space.
PLANAR_HINGE, BENT_HINGE = 200.0, 100.0
#: Beads within this distance of a line or plane are on it [nm].
LINE_TOLERANCE, PLANE_TOLERANCE = 0.02, 0.03
#: Height of a triangle over its longest side below which its constraints are as good as collinear.
_FLAT_TRIANGLE = 0.25
#: The same for the three carriers of a site, and for those of ribbons so long that no three do better.
_USEFUL_TRIANGLE, _ANY_TRIANGLE = 0.05, 1e-6
#: A site this close to the centre of its hinge is put there, as in the published models [nm].
_AT_CENTRE = 0.02
#: Lengths less than this short of halfway between two digits are rounded up [nm].
_HALFWAY = 1e-9
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

    @cached_property
    def places(self) -> Places:
        """Reference position of each bead [nm]."""
        return _places(self.beads, self.shape)


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
    shape = np.asarray(shape, dtype=np.float64)
    at = _places(beads, shape)
    kept = set(keep) & set(beads)
    if len(beads) == 2:
        return _held(beads, shape, beads, at)
    points = list(at.values())
    if _off_line(points) < LINE_TOLERANCE:
        return _line(beads, shape, at, kept)
    if len(beads) == 3:
        return _held(beads, shape, beads, at)
    planar = _off_plane(points) < PLANE_TOLERANCE
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
            weights = [max(w, 0.0) for w in site_weights(site)]
            total = sum(weights)
            for atom, weight in zip(site.atoms, weights):
                result[atom] += masses[site.site] * (weight / total)
            result[site.site] = 0.0
    return tuple(round(m, 4) for m in result)


def site_weights(site: VirtualSite) -> tuple[float, ...]:
    """Weights of the linear part of a site, one for each of its atoms, sum 1."""
    p = site.parameters
    if site.construction == "n":
        total = sum(p)
        return tuple(w / total for w in p)
    own = p[: len(site.atoms) - 1]
    return (1.0 - sum(own), *own)


def place_site(site: VirtualSite, x: Sequence[Vector] | FloatArray) -> tuple[float, float, float]:
    """Position [nm] of a site of construction 2, 3, 3out or n from the positions of the beads."""
    weights = site_weights(site)
    atoms: list[Vector] = [x[a] for a in site.atoms]
    r = tuple(sum(w * a[k] for w, a in zip(weights, atoms)) for k in range(3))
    if site.construction == "3out":
        i, j, k = atoms
        normal = cross(difference(j, i), difference(k, i))
        r = tuple(place + site.parameters[2] * out for place, out in zip(r, normal))
    return r[0], r[1], r[2]


def _places(beads: Sequence[int], shape: FloatArray) -> Places:
    """Where each bead is, as plain numbers."""
    return dict(zip(beads, shape.tolist()))


def _is_drawing(points: Sequence[Vector]) -> bool:
    """Whether all points have the same height, as in a drawing."""
    height = points[0][2]
    return all(point[2] == height for point in points)


def _off_line(points: Sequence[Vector]) -> float:
    """Largest distance of a point from the best line through all [nm]."""
    if _is_drawing(points):
        centre = middle(points)
        arms = [(p[0] - centre[0], p[1] - centre[1]) for p in points]
        xx, xy, yy = sum(x * x for x, _ in arms), sum(x * y for x, y in arms), sum(y * y for _, y in arms)
        turn = 0.5 * math.atan2(2.0 * xy, xx - yy)
        sine, cosine = math.sin(turn), math.cos(turn)
        return max(abs(cosine * y - sine * x) for x, y in arms)
    x = np.array(points)
    x -= x.mean(axis=0)
    axis = np.linalg.svd(x)[2][0]
    return float(np.linalg.norm(x - np.outer(x @ axis, axis), axis=1).max())


def _off_plane(points: Sequence[Vector]) -> float:
    """Largest distance of a point from the best plane through all [nm]."""
    if _is_drawing(points):
        return 0.0
    x = np.array(points)
    x -= x.mean(axis=0)
    return float(np.abs(x @ np.linalg.svd(x)[2][2]).max())


def _area_of(x: float, y: float, z: float) -> float:
    """Area of a triangle from its sides by Heron's formula."""
    half = 0.5 * (x + y + z)
    return math.sqrt(max(half * (half - x) * (half - y) * (half - z), 0.0))


def _flatness_of(x: float, y: float, z: float) -> float:
    """Height of a triangle over its longest side, relative to that side; 0.87 when equilateral."""
    return 2.0 * _area_of(x, y, z) / max(x, y, z, 1e-6) ** 2


def _flatness(a: Vector, b: Vector, c: Vector) -> float:
    """The same from the corners."""
    return _flatness_of(math.dist(a, b), math.dist(b, c), math.dist(c, a))


class _Triangles:
    """Triangles of some beads, each worked out once: sets of carriers have most of theirs in common."""

    def __init__(self, at: Places) -> None:
        self.at = at
        self._known: dict[tuple[int, int, int], tuple[float, float]] = {}

    def seen(self, i: int, j: int, k: int) -> tuple[float, float]:
        """Area [nm²] and flatness (:func:`_flatness_of`)."""
        found = self._known.get((i, j, k))
        if found is None:
            a, b, c = self.at[i], self.at[j], self.at[k]
            x, y, z = math.dist(a, b), math.dist(b, c), math.dist(c, a)
            found = self._known[i, j, k] = _area_of(x, y, z), _flatness_of(x, y, z)
        return found


def _is_inside(bead: int, beads: Sequence[int], at: Places) -> bool:
    """Whether a bead lies well inside the triangle of the three others."""
    others = [b for b in beads if b != bead]
    a, b, c = (at[b] for b in others)
    weights = _in_triangle(at[bead], a, b, c)
    return weights is not None and min(weights) > 0.12


def _in_triangle(
    x: Vector, a: Vector, b: Vector, c: Vector, least: float = _USEFUL_TRIANGLE
) -> tuple[float, float, float] | None:
    """Weights of a, b, c that give the projection of ``x`` on their plane; None where they are flatter than ``least``."""
    if _flatness(a, b, c) < least:
        return None
    u, v, d = difference(b, a), difference(c, a), difference(x, a)
    uu, uv, vv, du, dv = dot(u, u), dot(u, v), dot(v, v), dot(d, u), dot(d, v)
    determinant = uu * vv - uv * uv
    q, r = (du * vv - dv * uv) / determinant, (dv * uu - du * uv) / determinant
    return 1.0 - q - r, q, r


def _line(beads: tuple[int, ...], shape: FloatArray, at: Places, kept: set[int]) -> RigidBody:
    """Beads in a line: those at the ends (and those kept) have mass, the rest are sites between two of them."""
    centred = shape - shape.mean(axis=0)
    along = dict(zip(beads, (centred @ np.linalg.svd(centred)[2][0]).tolist()))
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
        sites.append(VirtualSite(site=bead, construction="2", atoms=(left, right), parameters=(round(a, 4),)))
    straight = tuple(zip(carriers, carriers[1:], carriers[2:]))
    return RigidBody(
        beads=beads,
        shape=shape,
        carriers=tuple(sorted(carriers)),
        constraints=tuple(constraints),
        sites=tuple(sites),
        straight=straight,
    )


def _constraint(i: int, j: int, at: Places) -> Constraint:
    # Drawings are regular: lengths halfway between two digits are common, and must not be rounded by their last bits.
    length = norm(difference(at[i], at[j])) + _HALFWAY
    return Constraint(atoms=(min(i, j), max(i, j)), length=round(length, 4))


def _best_carriers(beads: tuple[int, ...], at: Places, kept: set[int], count: int) -> tuple[int, ...]:
    """The ``count`` beads that make the best frame: triangles that are not flat, and sites with small weights.

    Among sets whose smallest triangle is at least 0.7 times the best one's, the one with the smallest largest weight.
    """
    candidates = list(beads)
    if len(candidates) > _MOST_CANDIDATES:
        centre = middle([at[b] for b in beads])
        outer = sorted(set(beads) - kept, key=lambda b: (-math.dist(at[b], centre), b))
        candidates = sorted([*kept, *outer[: max(_MOST_CANDIDATES - len(kept), 3)]])
    sets = [c for c in combinations(candidates, count) if kept.issubset(c)]
    known = _Triangles(at)
    quality = {c: _frame_quality(c, known) for c in sets}
    best = max(quality.values())
    good = sorted((c for c in sets if quality[c] >= 0.7 * best), key=lambda c: (-round(quality[c], 5), c))

    def lever(chosen: tuple[int, ...]) -> tuple[float, float, tuple[int, ...]]:
        largest = max(
            (max(map(abs, site_weights(_site(b, chosen, at)))) for b in beads if b not in chosen), default=0.0
        )
        return round(largest, 2), -round(quality[chosen], 5), chosen

    return min(good[:_MOST_COMPARED], key=lever)


def _frame_quality(chosen: tuple[int, ...], known: _Triangles) -> float:
    """Area of the smallest triangle that the constraints of ``chosen`` make [nm²], less when flat."""
    worst = math.inf
    for triangle, _ in _triangles(chosen, known):
        area, flatness = known.seen(*triangle)
        worst = min(worst, area * min(1.0, flatness / 0.4))
    return worst


def _triangles(carriers: Sequence[int], known: _Triangles) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Triangles that hold the carriers one after the other: each new bead with the two it is held by.

    The second value is that common side. Of all ways to begin and to go on, the best conditioned is taken at each step.
    """
    if len(carriers) == 3:
        i, j, k = carriers
        return [((i, j, k), (i, j))]
    if len(carriers) == 4:
        return _best_hinge(carriers, known)
    first = max(combinations(carriers, 3), key=lambda t: (round(known.seen(*t)[1], 4), tuple(-b for b in t)))
    held, found = set(first), [(first, (first[0], first[1]))]
    while len(held) < len(carriers):
        options = [
            (round(known.seen(b, i, j)[1], 4), -b, (i, j))
            for b in sorted(set(carriers) - held)
            for i, j in combinations(sorted(held), 2)
        ]
        _, minus, side = max(options)
        found.append(((*side, -minus), side))
        held.add(-minus)
    return found


def _best_hinge(four: Sequence[int], known: _Triangles) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Two triangles of four beads on either side of a common side: the pairing whose flatter triangle is least flat."""
    best: tuple[float, tuple[int, int]] | None = None
    at, corners = known.at, sorted(four)
    for side in combinations(corners, 2):
        i, j = side
        one, two = (b for b in corners if b != i and b != j)
        worst = min(known.seen(i, j, one)[1], known.seen(i, j, two)[1])
        if best is not None and round(worst, 4) <= round(best[0], 4):
            continue
        axis, left, right = (difference(at[b], at[i]) for b in (j, one, two))
        # Wings that point the same way, the parts along the common side taken out, would fold onto one another.
        if dot(left, right) - dot(left, axis) * dot(right, axis) / max(dot(axis, axis), 1e-18) > 0.0:
            worst *= 0.3
        if best is None or round(worst, 4) > round(best[0], 4):
            best = worst, side
    assert best is not None
    i, j = best[1]
    one, two = sorted(set(four) - {i, j})
    return [((i, j, one), (i, j)), ((i, j, two), (i, j))]


def _held(beads: tuple[int, ...], shape: FloatArray, carriers: tuple[int, ...], at: Places) -> RigidBody:
    """The body whose carriers are held by constraints and whose other beads are sites."""
    if len(carriers) == 2:
        return RigidBody(beads=beads, shape=shape, carriers=carriers, constraints=(_constraint(*carriers, at),))
    if len(carriers) == 3 and _flatness(*(at[b] for b in carriers)) < _FLAT_TRIANGLE and len(beads) == 3:
        ends = max(combinations(carriers, 2), key=lambda p: (norm(difference(at[p[0]], at[p[1]])), p))
        (middle,) = set(carriers) - set(ends)
        return RigidBody(
            beads=beads,
            shape=shape,
            carriers=carriers,
            constraints=tuple(_constraint(middle, end, at) for end in ends),
            straight=((ends[0], middle, ends[1]),),
        )
    triangles = _triangles(carriers, _Triangles(at))
    pairs = {tuple(sorted(triangles[0][0][:2]))}
    for triangle, side in triangles:
        (new,) = set(triangle) - set(side)
        pairs |= {tuple(sorted((new, end))) for end in side}
    impropers = []
    for triangle, side in triangles[1:]:
        (new,) = set(triangle) - set(side)
        before = next(t for t, _ in triangles if set(side) <= set(t) or t is triangles[0][0])
        third = min(set(before) - set(side) - {new})
        angle = dihedral(at[third], at[side[0]], at[side[1]], at[new])
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


def _site(bead: int, carriers: Sequence[int], at: Places) -> VirtualSite:
    """A site at the place of ``bead``: a weighted mean of a hinge, in the plane of three carriers, or out of it."""
    x = at[bead]
    if len(carriers) == 4:
        corners = [at[c] for c in carriers]
        weights = _hinge_weights(x, corners)
        if min(weights) > 0.02 and _off_plane([*corners, x]) < PLANE_TOLERANCE:
            at_centre = math.dist(middle(corners), x) < _AT_CENTRE
            return VirtualSite(
                site=bead,
                construction="n",
                atoms=tuple(carriers),
                parameters=(1.0,) * 4 if at_centre else tuple(round(w, 4) for w in weights),
            )
    best = _best_three(x, carriers, at, _USEFUL_TRIANGLE) or _best_three(x, carriers, at, _ANY_TRIANGLE)
    assert best is not None, "carriers in one line"
    _, three, (p, q), out = best
    area = norm(cross(difference(at[three[1]], at[three[0]]), difference(at[three[2]], at[three[0]])))
    if abs(out) * area < PLANE_TOLERANCE:
        return VirtualSite(site=bead, construction="3", atoms=three, parameters=(round(p, 4), round(q, 4)))
    return VirtualSite(
        site=bead, construction="3out", atoms=three, parameters=(round(p, 4), round(q, 4), round(out, 4))
    )


def _best_three(
    x: Vector, carriers: Sequence[int], at: Places, least: float
) -> tuple[float, tuple[int, int, int], tuple[float, float], float] | None:
    """(lever, three carriers, weights of the second and third, part out of their plane) for a site at ``x``, lever least."""
    best: tuple[float, tuple[int, int, int], tuple[float, float], float] | None = None
    for three in combinations(sorted(carriers), 3):
        a, b, c = (at[k] for k in three)
        weights = _in_triangle(x, a, b, c, least)
        if weights is None:
            continue
        normal = cross(difference(b, a), difference(c, a))
        out = dot(difference(x, a), normal) / dot(normal, normal)
        lever = max(max(abs(w) for w in weights), abs(out) * math.sqrt(norm(normal)))
        if best is None or lever < best[0] - 1e-3:
            best = lever, three, weights[1:], out
    return best


def _hinge_weights(x: Vector, corners: Sequence[Vector]) -> list[float]:
    """The weights of four corners, sum 1 and of least squares, whose mean is the projection of ``x`` on their plane.

    With the corners relative to their centre as rows of C = U S Vᵀ, they are 1/4 + U S⁻¹ Vᵀ (x - centre), of which the two
    largest singular values are kept.
    """
    centre = middle(corners)
    arms, d = [difference(c, centre) for c in corners], difference(x, centre)
    if not any(arm[2] for arm in arms):
        # In a drawing the plane is known, and S² = CᵀC has two rows.
        xx, xy, yy = sum(a[0] * a[0] for a in arms), sum(a[0] * a[1] for a in arms), sum(a[1] * a[1] for a in arms)
        determinant = xx * yy - xy * xy
        p, q = (d[0] * yy - d[1] * xy) / determinant, (d[1] * xx - d[0] * xy) / determinant
        return [0.25 + a[0] * p + a[1] * q for a in arms]
    u, s, vt = np.linalg.svd(np.array(arms), full_matrices=False)
    return [float(w) for w in 0.25 + u[:, :2] @ (vt[:2] @ d / s[:2])]
