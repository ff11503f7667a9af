"""Lateral diffusion of lipids from a trajectory of a bilayer.

Steps of wrapped centres between frames are taken to the nearest image with the box of the later frame and added up, which
leaves diffusion at constant pressure unbiased (von Bülow, Bullerjahn and Hummer, J. Chem. Phys. 153, 021101, 2020,
doi:10.1063/5.0008316). The drift of each leaflet against the other is taken out. In the plane,

    ⟨|R(t) - R(0)|²⟩ = 4 D t.

What the number is not: D of a periodic patch depends strongly on its width and on the height of the box (Vögele and Hummer,
J. Phys. Chem. B 120, 8722, 2016, doi:10.1021/acs.jpcb.6b05102). The correction needs the viscosity of the membrane, which such a
trajectory does not give, and is not made: compare boxes of equal size. Langevin friction slows diffusion further, and times are
simulated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from topdown.errors import SamplingError
from topdown.estimators.time_series import block_average
from topdown.model import Estimate
from topdown.model._arrays import FloatArray, IntArray
from topdown.properties.diffusion import mean_squared_displacement

N_BLOCKS: Final = 5
#: Fewest frames in a block: the slope needs a few lags.
_BLOCK_FRAMES: Final = 10
#: 1 nm²/ps in µm²/s.
NM2_PS_TO_UM2_S: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class LateralDiffusion:
    """Lateral diffusion of one species in the box as simulated.

    Attributes
    ----------
    coefficient : Estimate
        [µm²/s]
    lags : (float, float)
        Range of times the slope was taken over [ps].
    edge : float
        Mean lateral edge of the box [nm], on which the value depends.
    """

    coefficient: Estimate
    lags: tuple[float, float]
    edge: float


def unwrapped(points: FloatArray, edges: FloatArray) -> FloatArray:
    """Paths without jumps: (n_frames, n, d) points in any image, (n_frames, d) edges [nm]."""
    steps = np.diff(points, axis=0)
    steps -= edges[1:, None] * np.round(steps / edges[1:, None])
    paths: FloatArray = points[:1] + np.concatenate([np.zeros_like(points[:1]), np.cumsum(steps, axis=0)])
    return paths


def lateral_diffusion(
    centres: FloatArray,
    upper: np.ndarray[Any, np.dtype[np.bool_]],
    edges: FloatArray,
    times: FloatArray,
    species_of: IntArray,
    species: Sequence[str],
) -> dict[str, LateralDiffusion]:
    """D of every species, from the slope of the mean squared displacement over a twentieth to a fifth of each of five blocks.

    Parameters
    ----------
    centres : (n_frames, n_lipids, 2) float64 [nm]
        In any image.
    upper : (n_frames, n_lipids) bool
        Leaflet of each lipid; those that change sides are left out.
    edges : (n_frames, 2) float64 [nm]
    times : (n_frames,) float64 [ps]
    species_of : (n_lipids,) int64
        Index into ``species``.
    species : sequence of str

    Raises
    ------
    SamplingError
        Too few frames, frames that are not equally far apart in time, or so far apart that lipids cross half the box.
    """
    interval = _interval(centres, times)
    paths = _paths_in_leaflets(centres, upper, edges)
    stays = upper.all(axis=0) | (~upper).all(axis=0)
    length = len(times) // N_BLOCKS
    first, last = max(1, length // 20), max(3, length // 5)
    found = {}
    for k, name in enumerate(species):
        mine = stays & (species_of == k)
        # The mean of a leaflet's paths was taken out, and with it the n-th part of what each of its n lipids moves (exact
        # where all move alike).
        together = np.array([(stays & (upper[0] == upper[0, i])).sum() for i in np.flatnonzero(mine)])
        if not mine.any() or together.min() < 2:
            continue
        kept = float(np.mean(1.0 - 1.0 / together))
        slopes = []
        for b in range(N_BLOCKS):
            moved = mean_squared_displacement(paths[b * length : (b + 1) * length, mine], last + 1).mean(axis=1)
            slopes.append(np.polyfit(np.arange(first, last + 1), moved[first:], 1)[0])
        blocks = block_average(np.array(slopes) / (4.0 * interval * kept) * NM2_PS_TO_UM2_S, N_BLOCKS)
        found[name] = LateralDiffusion(
            coefficient=Estimate(
                value=blocks.mean,
                standard_error=blocks.standard_error,
                n_effective=float(N_BLOCKS),
                provenance=f"Einstein in the plane, {first * interval:g} to {last * interval:g} ps, not corrected for the box",
            ),
            lags=(first * interval, last * interval),
            edge=float(edges.mean()),
        )
    return found


def _interval(centres: FloatArray, times: FloatArray) -> float:
    """Time between frames [ps]; refused where there are too few of them, or not equally far apart."""
    n = len(times)
    if centres.shape[1] == 0:
        raise SamplingError("it needs the coordinates of a trajectory")
    if n < N_BLOCKS * _BLOCK_FRAMES:
        raise SamplingError(f"{n} frames are fewer than the {N_BLOCKS * _BLOCK_FRAMES} it needs")
    interval = float(np.mean(np.diff(times)))
    if not (interval > 0 and np.allclose(np.diff(times), interval, rtol=0.01)):
        raise SamplingError("the frames are not equally far apart in time")
    return interval


def _paths_in_leaflets(
    centres: FloatArray, upper: np.ndarray[Any, np.dtype[np.bool_]], edges: FloatArray
) -> FloatArray:
    """Paths of lipids without jumps, those that stay in a leaflet less the mean path of all that stay in it."""
    paths = unwrapped(centres, edges)
    steps = np.diff(paths, axis=0)
    if float(np.sqrt((steps**2).sum(axis=2).mean())) > 0.2 * float(edges.min()):
        raise SamplingError(
            "lipids move by more than a fifth of the box between frames", hint="write frames more often"
        )
    for side in (upper, ~upper):
        always = side.all(axis=0)
        if always.any():
            paths[:, always] -= paths[:, always].mean(axis=1, keepdims=True)
    return paths
