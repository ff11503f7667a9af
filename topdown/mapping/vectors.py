"""Vectors of three plain numbers: many times quicker than arrays where there are only a few of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: A point or a direction in space, usually [nm].
Vector = Sequence[float]


def difference(a: Vector, b: Vector) -> tuple[float, float, float]:
    """a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> tuple[float, float, float]:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def norm(a: Vector) -> float:
    """Length."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


def middle(points: Sequence[Vector]) -> tuple[float, float, float]:
    """Mean of points."""
    n = len(points)
    return sum(p[0] for p in points) / n, sum(p[1] for p in points) / n, sum(p[2] for p in points) / n


def cosine(a: Vector, b: Vector) -> float:
    """Cosine of the angle between two directions, from -1 to 1; 0 when one has no length."""
    return min(max(dot(a, b) / max(norm(a) * norm(b), 1e-12), -1.0), 1.0)


def dihedral(a: Vector, b: Vector, c: Vector, d: Vector) -> float:
    """IUPAC dihedral angle of four points [degrees]."""
    b1, b2, b3 = difference(b, a), difference(c, b), difference(d, c)
    n1, n2 = cross(b1, b2), cross(b2, b3)
    return math.degrees(math.atan2(dot(cross(n1, n2), b2) / max(norm(b2), 1e-12), dot(n1, n2)))
