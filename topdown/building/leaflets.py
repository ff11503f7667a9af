"""The two leaflets of a bilayer: how many lipids of each kind, where they stand, and the heights that matter to what is put in.

The normal is z and the middle plane lies at L_z/2. The lipids of the upper leaflet come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from topdown.building.lipids import HALF_GAP, hanging_lipid, is_apolar
from topdown.building.packing import rotated_copies
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray

_MINIMUM_WATER_LAYER: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaflets:
    """Composition of a bilayer.

    Attributes
    ----------
    upper, lower : tuple of (CGMolecule, float)
        Lipids and their shares of the leaflet in any proportion, for instance 7 and 3; ``lower`` empty: as ``upper``.
    """

    upper: tuple[tuple[CGMolecule, float], ...]
    lower: tuple[tuple[CGMolecule, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.upper:
            raise SettingsError("a bilayer needs at least one lipid")
        for lipid, share in (*self.upper, *self.lower):
            if not (np.isfinite(share) and share > 0):
                raise SettingsError(f"the share of {lipid.name} must be positive, got {share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """What stands in a leaflet beside its lipids: how many places it needs, and their area together [nm²]."""

    number: int = 0
    area: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Bilayer:
    """Two leaflets as built.

    Attributes
    ----------
    components : tuple of (CGMolecule, int)
        The lipids of the upper leaflet, then those of the lower one.
    positions : (n_beads, 3) float64 [nm]
    border : float
        Mean height of the lowest polar bead of a lipid above the middle plane: where tails begin [nm].
    top : float
        Height of the highest polar bead [nm].
    free_sites : ((n, 2), (m, 2)) float64 [nm]
        Places left for guests in the upper and the lower leaflet.
    """

    components: tuple[tuple[CGMolecule, int], ...]
    positions: FloatArray
    border: float
    top: float
    free_sites: tuple[FloatArray, FloatArray]


def leaflet_counts(lipids: Sequence[tuple[CGMolecule, float]], area: float, areas: Mapping[str, float]) -> list[int]:
    """How many of each lipid fill ``area`` [nm²], each taking the area ``areas`` gives its name: shares kept by largest
    remainders, at least one of each.

    Raises
    ------
    SettingsError
        The area holds fewer lipids than there are kinds, or nothing is left of it beside solutes.
    """
    if area <= 0.0:
        raise SettingsError("the molecules leave no area for lipids", hint="enlarge --size, or lower --count")
    shares = np.array([share for _, share in lipids], dtype=float)
    shares /= shares.sum()
    mean_area = float(sum(s * areas[lipid.name] for (lipid, _), s in zip(lipids, shares)))
    total = max(round(area / mean_area), 0)
    if total < len(lipids):
        raise SettingsError(f"{area:.2f} nm² hold {total} lipids, fewer than kinds of lipid", hint="enlarge --size")
    counts = np.maximum(np.floor(shares * total).astype(int), 1)
    while counts.sum() != total:
        rest = shares * total - counts
        step = 1 if counts.sum() < total else -1
        counts[int(np.argmax(rest * step + np.where((step < 0) & (counts <= 1), -np.inf, 0.0)))] += step
    return [int(n) for n in counts]


def staggered_grid(n: int, width: float, depth: float) -> FloatArray:
    """``n`` points on a periodic rectangle in rows as even as possible, every other row shifted: near-hexagonal.

    Returns
    -------
    (n, 2) float64 [nm]
    """
    rows = max(1, round(np.sqrt(n * depth / width * 2 / np.sqrt(3))))
    rows = min(rows + rows % 2 if rows > 1 else rows, n)
    per_row = np.diff(np.round(np.linspace(0, n, rows + 1)).astype(int))
    points = [
        ((column + 0.25 + 0.5 * (row % 2)) * width / in_row, (row + 0.5) * depth / rows)
        for row, in_row in enumerate(per_row)
        for column in range(in_row)
    ]
    grid: FloatArray = np.asarray(points, dtype=float).reshape(n, 2)
    return grid


def stand_leaflets(
    leaflets: Leaflets,
    box: FloatArray,
    table: BeadTable,
    areas: Mapping[str, float],
    guests: tuple[Guests, Guests],
    rng: np.random.Generator,
) -> Bilayer:
    """Lipids on a staggered grid in each leaflet, kinds mixed at random, with places left for guests.

    Parameters
    ----------
    leaflets : Leaflets
    box : (3,) float64 [nm]
    table : BeadTable
    areas : mapping of str to float
        Area [nm²] of each lipid by its name.
    guests : (Guests, Guests)
        Of the upper and the lower leaflet.
    rng : numpy.random.Generator

    Raises
    ------
    SettingsError
        No room for the lipids, or for a nanometre of water above and below them.
    TopologyError
        A lipid without head or tails.
    """
    components: list[tuple[CGMolecule, int]] = []
    blocks: list[FloatArray] = []
    free: list[FloatArray] = []
    shapes: dict[int, FloatArray] = {}
    sides = ((1, leaflets.upper, guests[0]), (-1, leaflets.lower or leaflets.upper, guests[1]))
    for side, lipids, beside in sides:
        counts = leaflet_counts(lipids, float(box[0] * box[1]) - beside.area, areas)
        sites = staggered_grid(sum(counts) + beside.number, float(box[0]), float(box[1]))
        sites = sites[rng.permutation(len(sites))] + rng.uniform(-0.04, 0.04, size=sites.shape)
        used = 0
        for (lipid, _), count in zip(lipids, counts):
            if id(lipid) not in shapes:
                shapes[id(lipid)] = hanging_lipid(lipid, table, areas[lipid.name])
            shape = shapes[id(lipid)]
            blocks.append(_standing(shape, sites[used : used + count], side, float(box[2]), rng))
            components.append((lipid, count))
            used += count
        free.append(sites[used:])
    positions = np.concatenate(blocks)
    border, top = _levels(positions, components, box, table)
    needed = 2 * top + _MINIMUM_WATER_LAYER
    if box[2] < needed:
        raise SettingsError(
            f"a box {box[2]:g} nm tall leaves no room for water: the two leaflets are {2 * top:.1f} nm thick",
            where="size",
            hint=f"at least {np.ceil(10 * needed) / 10:g} nm in z",
        )
    return Bilayer(
        components=tuple(components), positions=positions, border=border, top=top, free_sites=(free[0], free[1])
    )


def _levels(
    positions: FloatArray, components: Sequence[tuple[CGMolecule, int]], box: FloatArray, table: BeadTable
) -> tuple[float, float]:
    """Mean height of the lowest polar bead of each lipid, and the height of the highest of all [nm]."""
    heights = np.abs(positions[:, 2] - box[2] / 2)
    floors, top, start = [], 0.0, 0
    for lipid, count in components:
        stop = start + lipid.n_beads * count
        polar = [not is_apolar(name, table) for name in lipid.type_names]
        of_polar = heights[start:stop].reshape(count, lipid.n_beads)[:, polar]
        floors.append(of_polar.min(axis=1))
        top, start = max(top, float(of_polar.max())), stop
    return float(np.concatenate(floors).mean()), top


def _standing(shape: FloatArray, sites: FloatArray, side: int, height: float, rng: np.random.Generator) -> FloatArray:
    """Lipids at ``sites`` (n, 2), turned about z at random; the lower leaflet is turned over, not mirrored."""
    turns = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi, (len(sites), 1)))
    if side < 0:
        turns = turns * Rotation.from_euler("x", np.pi)
    centre = shape.mean(axis=0)
    middle = height / 2 + side * (HALF_GAP + centre[2])
    offsets = np.column_stack([sites, np.full(len(sites), middle)])
    return rotated_copies(shape, turns, offsets)
