"""A bilayer frame by frame: areas by leaflet and species, order of bonds, densities, and where solutes are.

Definitions, with z normal to the bilayer and measured from the centre of the tails in each frame:

- areas per leaflet: L_x L_y over the lipids whose marker bead is on that side; per species and leaflet: mean area of the
  Voronoi cells of the marker beads of all lipids of the leaflet, in the plane, periodic;
- order of a bond: P2 = ⟨3 cos² θ - 1⟩/2, θ between bond and normal: 1 along it, 0 without order, -1/2 in the plane;
- depth of a solute: |z| of the centre of its beads; orientation: P2 of its longest axis (largest eigenvector of the gyration
  tensor), and for molecules with polar and apolar beads the cosine between the outward normal and the line from the centre
  of the apolar to that of the polar beads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.spatial import QhullError, Voronoi

from topdown.model._arrays import FloatArray
from topdown.properties.membrane import (
    PROFILE_BIN,
    PROFILE_REACH,
    MembraneSeries,
    heights,
    observe_membrane,
)
from topdown.properties.membrane_parts import MembraneParts, Solute

_N_BINS = 2 * round(PROFILE_REACH / PROFILE_BIN)


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureSeries:
    """What is kept of each frame beside :class:`topdown.properties.membrane.MembraneSeries`.

    Attributes
    ----------
    basic : MembraneSeries
    counts : (n_frames, n_species, 2) float64
        Lipids of each species in the upper and the lower leaflet.
    cell_areas : (n_frames, n_species, 2) float64 [nm²]
        Mean Voronoi area per lipid of a species in a leaflet; NaN where it has none.
    head_height : (n_frames,) float64 [nm]
        Mean distance of the marker beads from the middle plane.
    order : (n_frames, n_bond_kinds) float64
        P2 of each kind of bond.
    densities : (n_frames, n_groups, n_bins) uint16
        Beads of each group in bins of ``PROFILE_BIN`` from -``PROFILE_REACH`` on.
    centres : (n_frames, n_lipids, 2) float64 [nm]
        Lateral centres of mass of the lipids, in whatever image they came.
    upper : (n_frames, n_lipids) bool
    depth, axis_order, outward : (n_frames, n_solutes) float64
        Signed height [nm] of the centre, P2 of the long axis, and cosine of the polar end with the outward normal of each solute
        molecule; NaN where it has no such axis.
    """

    basic: MembraneSeries
    counts: FloatArray
    cell_areas: FloatArray
    head_height: FloatArray
    order: FloatArray
    densities: np.ndarray[tuple[int, int, int], np.dtype[np.uint16]]
    centres: FloatArray
    upper: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    depth: FloatArray
    axis_order: FloatArray
    outward: FloatArray

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.basic.n_frames

    def since(self, start: int) -> StructureSeries:
        """The frames from number ``start`` on."""
        return self.rows(np.arange(start, self.n_frames))

    def rows(self, rows: np.ndarray[Any, Any]) -> StructureSeries:
        """Some of the frames."""
        basic = MembraneSeries(**{name: array[rows] for name, array in self.basic.arrays().items()})
        others = {field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name != "basic"}
        return StructureSeries(basic=basic, **others)


def observe_structure(positions: FloatArray, box: FloatArray, time: float, parts: MembraneParts) -> StructureSeries:
    """One frame as a series of one.

    Parameters
    ----------
    positions : (n_beads, 3) float64 [nm]
        Whole molecules.
    box : (3,) float64 [nm]
    time : float
        [ps]
    parts : MembraneParts
    """
    z = heights(positions, box, parts.index)
    upper = z[parts.index.markers] >= 0
    n_species = len(parts.species)
    counts = np.stack([np.bincount(parts.species_of[side], minlength=n_species) for side in (upper, ~upper)], axis=1)
    area = np.full((n_species, 2), np.nan)
    for column, side in enumerate((upper, ~upper)):
        cells = voronoi_areas(positions[parts.index.markers[side], :2], box[:2])
        total = np.bincount(parts.species_of[side], weights=cells, minlength=n_species)
        np.divide(total, counts[:, column], out=area[:, column], where=counts[:, column] > 0)
    kinds = len(parts.bond_kinds)
    order = np.bincount(parts.bond_kind, weights=bond_order(positions, parts.bonds), minlength=kinds)
    per_kind = np.bincount(parts.bond_kind, minlength=kinds)
    weight = np.bincount(parts.lipid_owner, weights=parts.lipid_masses)
    centres = [
        np.bincount(parts.lipid_owner, weights=parts.lipid_masses * positions[parts.lipid_beads, d]) / weight
        for d in range(2)
    ]
    solutes = [_solute_state(solute, positions, z, box) for solute in parts.solutes]
    depth, axis_order, outward = (
        np.concatenate([state[k] for state in solutes]) if solutes else np.zeros(0) for k in range(3)
    )
    return StructureSeries(
        basic=observe_membrane(positions, box, time, parts.index),
        counts=counts[None].astype(float),
        cell_areas=area[None],
        head_height=np.array([np.abs(z[parts.index.markers]).mean()]),
        order=(order / per_kind)[None] if kinds else np.zeros((1, 0)),
        densities=np.stack([_histogram(z[rows]) for rows in parts.groups.values()])[None],
        centres=np.stack(centres, axis=1)[None],
        upper=upper[None],
        depth=depth[None],
        axis_order=axis_order[None],
        outward=outward[None],
    )


def join_structures(parts: Sequence[StructureSeries]) -> StructureSeries:
    """All frames of several series, in order."""
    basic = [part.basic.arrays() for part in parts]
    joined = MembraneSeries(**{name: np.concatenate([arrays[name] for arrays in basic]) for name in basic[0]})
    others = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(StructureSeries)
        if field.name != "basic"
    }
    return StructureSeries(basic=joined, **others)


def without_coordinates(series: MembraneSeries, parts: MembraneParts) -> tuple[StructureSeries, MembraneParts]:
    """Frames of which only areas and densities were kept, as :func:`topdown.properties.membrane_averages.analyse_structure`
    takes them: all lipids as one species, without bonds, centres and solutes."""
    n, nothing = series.n_frames, np.zeros((series.n_frames, 0))
    z = (np.arange(_N_BINS) + 0.5) * PROFILE_BIN - PROFILE_REACH
    heads = series.heads.astype(float)
    structure = StructureSeries(
        basic=series,
        counts=np.stack([series.upper, parts.index.n_lipids - series.upper], axis=1)[:, None, :],
        cell_areas=np.full((n, 1, 2), np.nan),
        head_height=(heads @ np.abs(z)) / np.maximum(heads.sum(axis=1), 1.0),
        order=nothing,
        densities=np.stack([series.heads, series.tails, series.water], axis=1),
        centres=np.zeros((n, 0, 2)),
        upper=np.zeros((n, 0), dtype=bool),
        depth=nothing,
        axis_order=nothing,
        outward=nothing,
    )
    heads_name = next(name for name in parts.groups if name in ("phosphates", "heads"))
    fewer = replace(
        parts,
        species=(" + ".join(parts.species),),
        species_of=np.zeros(parts.index.n_lipids, dtype=np.int64),
        bond_kinds=(),
        bonds=np.zeros((0, 2), dtype=np.int64),
        bond_kind=np.zeros(0, dtype=np.int64),
        groups={heads_name: parts.groups[heads_name], "tails": parts.index.tails, "water": parts.index.water},
        solutes=(),
    )
    return structure, fewer


def _histogram(z: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    counts, _ = np.histogram(z, bins=_N_BINS, range=(-PROFILE_REACH, PROFILE_REACH))
    row: np.ndarray[tuple[int], np.dtype[np.uint16]] = np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16)
    return row


def bond_order(positions: FloatArray, bonds: np.ndarray[Any, Any]) -> FloatArray:
    """(3 cos² θ - 1)/2 of each bond (n, 2) with the normal, (n,)."""
    along = positions[bonds[:, 1]] - positions[bonds[:, 0]]
    square: FloatArray = along[:, 2] ** 2 / np.maximum((along**2).sum(axis=1), 1e-12)
    return 1.5 * square - 0.5


def voronoi_areas(points: FloatArray, edges: FloatArray) -> FloatArray:
    """Area of the Voronoi cell of each point on a periodic rectangle, (n,) [nm²]; they add up to the whole area.

    Parameters
    ----------
    points : (n, 2) float64 [nm]
        In any image; points on the same spot share its cell.
    edges : (2,) float64 [nm]
    """
    n = len(points)
    whole = float(edges[0] * edges[1])
    if n == 0:
        return np.zeros(0)
    inside = points - np.floor(points / edges) * edges
    spots, owner, sharing = np.unique(np.round(inside, 9), axis=0, return_inverse=True, return_counts=True)
    images = np.array([(i, j) for i in (0, -1, 1) for j in (0, -1, 1)], dtype=float) * edges
    try:
        cells = Voronoi((spots[None, :, :] + images[:, None, :]).reshape(-1, 2))
    except QhullError:
        return np.full(n, whole / n)
    areas = np.array([_polygon_area(cells.vertices[cells.regions[cells.point_region[k]]]) for k in range(len(spots))])
    shared: FloatArray = areas[owner.ravel()] / sharing[owner.ravel()]
    return shared


def _polygon_area(corners: FloatArray) -> float:
    """Area of a convex polygon whose corners come in any order (n, 2)."""
    away = corners - corners.mean(axis=0)
    x, y = away[np.argsort(np.arctan2(away[:, 1], away[:, 0]))].T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _solute_state(
    solute: Solute, positions: FloatArray, z: FloatArray, box: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Signed height, P2 of the long axis and outward cosine of the polar end of every copy."""
    places = positions[solute.beads]
    # Whole molecules: heights of the beads follow the first one, whatever image that is in.
    height = z[solute.beads[:, 0]] + (places[:, :, 2] - places[:, :1, 2]).mean(axis=1)
    height -= box[2] * np.round(height / box[2])
    nothing = np.full(solute.n_copies, np.nan)
    axis_order, outward = nothing, nothing
    if places.shape[1] > 1:
        away = places - places.mean(axis=1, keepdims=True)
        _, vectors = np.linalg.eigh(np.einsum("nka,nkb->nab", away, away))
        axis_order = 1.5 * vectors[:, 2, -1] ** 2 - 0.5
    if solute.apolar.any() and not solute.apolar.all():
        line = places[:, ~solute.apolar].mean(axis=1) - places[:, solute.apolar].mean(axis=1)
        outward = line[:, 2] / np.maximum(np.linalg.norm(line, axis=1), 1e-12) * np.where(height >= 0, 1.0, -1.0)
    return height, axis_order, outward
