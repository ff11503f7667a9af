"""Coordinates of a lipid from its own bonded terms: a stretched conformation, without conformers.

Bonds, constraints and the distances that angles imply are targets; all other pairs are kept apart. From the distances along the
graph (classical scaling), a majorisation (SMACOF: de Leeuw, 1977) brings the beads there. The same terms give the same
coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from topdown.mapping.recognised import PublishedTerms
from topdown.model import Angle, Bond, Constraint, VirtualSite
from topdown.model._arrays import FloatArray

#: Closest approach of beads that no term joins [nm].
_APART = 0.5
_STEPS = 150
#: Weight of a bonded target against that of keeping apart.
_BONDED, _ANGLE = 1.0, 0.5
_SPREAD = 0.02


def extended(n_beads: int, terms: PublishedTerms) -> FloatArray:
    """Positions, (n_beads, 3) [nm], centred.

    Parameters
    ----------
    n_beads : int
    terms : PublishedTerms
        Virtual sites are placed by their own rule.
    """
    sites = {v.site for v in terms.virtual_sites}
    beads = [k for k in range(n_beads) if k not in sites]
    place = {bead: k for k, bead in enumerate(beads)}
    links = [(b.atoms, b.length) for b in terms.bonds] + [(c.atoms, c.length) for c in terms.constraints]
    joined = {(place[i], place[j]): length for (i, j), length in links if i in place and j in place}
    targets, weights = _targets(len(beads), joined, terms.angles, place)
    path = _paths(len(beads), joined)
    floor = np.minimum(np.maximum(_APART, 0.8 * path), 5.0)
    x = _scaled(path)
    for _ in range(_STEPS):
        x = _majorise(x, targets, weights, floor)
    positions = np.zeros((n_beads, 3))
    positions[beads] = x
    _satisfy(positions, terms.bonds, terms.constraints)
    for site in terms.virtual_sites:
        positions[site.site] = _site(site, positions)
    return np.asarray(positions - positions.mean(axis=0))


def _targets(
    n: int, joined: dict[tuple[int, int], float], angles: Sequence[Angle], place: dict[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Wanted distances and their weights; weight 0 where nothing is wanted."""
    targets, weights = np.zeros((n, n)), np.zeros((n, n))

    def want(i: int, j: int, distance: float, weight: float) -> None:
        if weight > weights[i, j]:
            targets[i, j] = targets[j, i] = distance
            weights[i, j] = weights[j, i] = weight

    for (i, j), length in joined.items():
        want(i, j, length, _BONDED)
    for angle in angles:
        if any(a not in place for a in angle.atoms):
            continue
        i, j, k = (place[a] for a in angle.atoms)
        one, two = joined.get((min(i, j), max(i, j))), joined.get((min(j, k), max(j, k)))
        if one is not None and two is not None:
            cosine = math.cos(math.radians(angle.angle))
            want(i, k, math.sqrt(one * one + two * two - 2.0 * one * two * cosine), _ANGLE)
    return targets, weights


def _paths(n: int, joined: dict[tuple[int, int], float]) -> FloatArray:
    """Shortest distances along bonds (Floyd and Warshall)."""
    path = np.full((n, n), np.inf)
    np.fill_diagonal(path, 0.0)
    for (i, j), length in joined.items():
        path[i, j] = path[j, i] = length
    for k in range(n):
        path = np.minimum(path, path[:, k : k + 1] + path[k : k + 1, :])
    return path


def _scaled(path: FloatArray) -> FloatArray:
    """Classical scaling to three dimensions, with a fixed small spread so that nothing starts in a plane."""
    n = len(path)
    centre = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(-0.5 * centre @ path**2 @ centre)
    order = np.argsort(values)[::-1][:3]
    columns = vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0))
    # The sign of an eigenvector is arbitrary: its largest component is made positive.
    columns = columns * np.sign(columns[np.argmax(np.abs(columns), axis=0), np.arange(columns.shape[1])])
    x = np.zeros((n, 3))
    x[:, : columns.shape[1]] = columns
    phase = np.arange(n)
    return np.asarray(
        x + _SPREAD * np.column_stack([np.sin(1.3 * phase), np.sin(2.1 * phase + 1.0), np.cos(1.7 * phase)])
    )


def _majorise(x: FloatArray, targets: FloatArray, weights: FloatArray, floor: FloatArray) -> FloatArray:
    """One SMACOF step; pairs nearer than ``floor`` are pushed to it."""
    difference = x[:, None, :] - x[None, :, :]
    r = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    close = (weights == 0.0) & (r < floor)
    np.fill_diagonal(close, False)
    w = np.where(close, 0.05, weights)
    wanted = np.where(close, floor, targets)
    ratio = np.where(r > 1e-9, wanted / np.maximum(r, 1e-9), 0.0)
    b = -w * ratio
    np.fill_diagonal(b, 0.0)
    np.fill_diagonal(b, -b.sum(axis=1))
    v = np.diag(w.sum(axis=1)) - w
    n = len(x)
    return np.asarray(np.linalg.solve(v + np.ones((n, n)) / n, b @ x))


def _satisfy(positions: FloatArray, bonds: Sequence[Bond], constraints: Sequence[Constraint]) -> None:
    """Bring bonds to their length and constraints to 1e-9 nm, in place."""
    links = [(b.atoms, b.length) for b in bonds] + [(c.atoms, c.length) for c in constraints]
    rigid = len(bonds)
    for _ in range(2000):
        worst = 0.0
        for k, ((i, j), length) in enumerate(links):
            d = positions[j] - positions[i]
            r = max(float(np.linalg.norm(d)), 1e-9)
            if k >= rigid:
                worst = max(worst, abs(r - length))
            step = 0.5 * (r - length) / r * d
            positions[i] += step
            positions[j] -= step
        if worst < 1e-9:
            break


def _site(site: VirtualSite, positions: FloatArray) -> FloatArray:
    """Position of a virtual site that is a weighted mean of others."""
    weights = np.asarray(site.parameters)
    return np.asarray(weights @ positions[list(site.atoms)] / weights.sum())
