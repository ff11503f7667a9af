"""Where virtual sites are: the constructions of :class:`topdown.model.VirtualSite` for many copies of a molecule at once."""

from __future__ import annotations

import numpy as np

from topdown.model import CGMolecule, VirtualSite
from topdown.model._arrays import FloatArray


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _placed(site: VirtualSite, x: FloatArray) -> FloatArray:
    """Positions (n_copies, 3) of ``site`` from those of its beads, ``x`` (n_copies, n_atoms, 3)."""
    kind, p = site.construction, site.parameters
    if kind == "n":
        return np.asarray(np.einsum("k,nkd->nd", np.array(p) / sum(p), x))
    origin, u = x[:, 0], x[:, 1] - x[:, 0]
    if kind == "2":
        return np.asarray(origin + p[0] * u)
    if kind == "2fd":
        return np.asarray(origin + p[0] * _unit(u))
    w = x[:, 2] - origin
    if kind == "3":
        return np.asarray(origin + p[0] * u + p[1] * w)
    if kind == "3fd":
        return np.asarray(origin + p[1] * _unit((1.0 - p[0]) * u + p[0] * w))
    if kind == "3fad":
        n, theta = _unit(u), np.radians(p[0])
        aside = (w - u) - np.einsum("nd,nd->n", w - u, n)[:, None] * n
        return np.asarray(origin + p[1] * (np.cos(theta) * n + np.sin(theta) * _unit(aside)))
    if kind == "3out":
        return np.asarray(origin + p[0] * u + p[1] * w + p[2] * np.cross(u, w))
    z = x[:, 3] - origin
    return np.asarray(origin + p[2] * _unit(np.cross(p[0] * w - u, p[1] * z - u)))


def with_sites_placed(positions: FloatArray, molecule: CGMolecule) -> FloatArray:
    """``positions`` (n_copies, n_beads, 3) [nm] of whole molecules, with every virtual site where its construction puts it."""
    result = np.array(positions)
    for site in molecule.construction_order():
        result[:, site.site] = _placed(site, result[:, list(site.atoms)])
    return result
