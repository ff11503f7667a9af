"""Umbrella windows pooled without their biases: weights of frames, and the profile and K they give with replicates.

Equations and names are those of :mod:`topdown.properties.membrane_profile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from topdown.errors import SamplingError
from topdown.estimators.free_energy import kish_effective_samples
from topdown.estimators.mbar import MbarResult, Segment, bootstrap_mbar, mbar
from topdown.estimators.reweighting import MIN_OVERLAP
from topdown.estimators.time_series import statistical_inefficiency
from topdown.model._arrays import FloatArray
from topdown.properties.membrane_umbrella import WindowRun
from topdown.units import kt

#: Width of the bins of a profile [nm].
PROFILE_STEP: Final = 0.1
#: The outermost part of the windows on either side, taken for bulk water [nm].
BULK: Final = 0.4
#: Columns of the frames of a run.
ZETA, AREA, HEIGHT = range(3)


def reduced_biases(runs: Sequence[WindowRun], targets: FloatArray, spring: float, beta: float) -> FloatArray:
    """β k/2 (ζ - q)² of every frame of ``runs`` in every window, (n_windows, n_frames); distances to nearest images."""
    frames = np.concatenate([run.frames for run in runs])
    away = frames[:, ZETA] - targets[:, None]
    away -= frames[:, HEIGHT] * np.round(away / frames[:, HEIGHT])
    biases: FloatArray = 0.5 * beta * spring * away**2
    return biases


def _folded(frames: FloatArray) -> FloatArray:
    """ζ of every frame in the image between -L_z/2 and L_z/2."""
    folded: FloatArray = frames[:, ZETA] - frames[:, HEIGHT] * np.round(frames[:, ZETA] / frames[:, HEIGHT])
    return folded


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Runs solved together."""

    solution: MbarResult
    centres: FloatArray
    segments: tuple[Segment, ...]

    @cached_property
    def overlap(self) -> float:
        """Of the two neighbouring windows that overlap least; a way round the box does not make up for a gap."""
        return float(np.diag(self.solution.pairwise_overlap(), 1).min())


def _pool(runs: Sequence[WindowRun], spring: float, temperature: float) -> Pool:
    targets = np.array(sorted({run.target for run in runs}))
    biases = reduced_biases(runs, targets, spring, 1.0 / kt(temperature))
    counts = np.array([sum(len(run.frames) for run in runs if run.target == target) for target in targets])
    segments, start = [], 0
    for run in runs:
        segments.append(Segment(start=start, stop=start + len(run.frames), inefficiency=_inefficiency(run)))
        start += len(run.frames)
    return Pool(
        solution=mbar(biases, counts),
        centres=np.concatenate([_folded(run.frames) for run in runs]),
        segments=tuple(segments),
    )


class Bins:
    """What turns weights of frames into a profile and a partition coefficient."""

    def __init__(self, centres: FloatArray, reach: float, depth: float, temperature: float) -> None:
        n_half = int(np.floor(reach / PROFILE_STEP + 1e-9))
        self.edges = PROFILE_STEP * np.arange(-n_half, n_half + 1)
        self.z = 0.5 * (self.edges[1:] + self.edges[:-1])
        self._in_bin = np.digitize(centres, self.edges) - 1
        self._bulk = (np.abs(centres) > reach - BULK) & (np.abs(centres) <= reach)
        self._sides = [(centres > 0) & (centres <= depth), (centres <= 0) & (centres >= -depth)]
        self._depth, self._kt = depth, kt(temperature)

    def _water(self, weights: FloatArray) -> float:
        """Density in bulk water [1/nm]."""
        return float(weights[self._bulk].sum()) / (2.0 * BULK)

    def profile(self, weights: FloatArray) -> FloatArray:
        """ΔG of the bins, NaN where there is no frame."""
        inside = (self._in_bin >= 0) & (self._in_bin < len(self.z))
        density = np.bincount(self._in_bin[inside], weights=weights[inside], minlength=len(self.z)) / PROFILE_STEP
        with np.errstate(divide="ignore", invalid="ignore"):
            delta_g: FloatArray = -self._kt * np.log(density / self._water(weights))
        return np.where(density > 0, delta_g, np.nan)

    def k_sides(self, weights: FloatArray) -> tuple[float, float]:
        """K_V of the upper and of the lower leaflet."""
        water = self._water(weights)
        upper, lower = (float(weights[side].sum()) / (self._depth * water) for side in self._sides)
        return upper, lower

    def log_k(self, weights: FloatArray) -> float:
        """log10 K_V of both."""
        return float(np.log10(0.5 * sum(self.k_sides(weights))))

    def bulk_effective(self, weights: FloatArray) -> float:
        """Frames that carry the weight of bulk water."""
        here = weights[self._bulk]
        return kish_effective_samples(here / here.sum()) if here.sum() > 0 else 0.0


def _unbiased(solution: MbarResult) -> FloatArray:
    return solution.perturb(np.zeros(solution.u_kn.shape[1])).weights


@dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """One part of the data: profile and K with their replicates."""

    delta_g: FloatArray
    log_k: float
    sides: tuple[float, float]
    delta_g_replicates: FloatArray
    log_k_replicates: FloatArray
    side_replicates: FloatArray
    pool: Pool
    bins: Bins
    weights: FloatArray


def solve(
    runs: Sequence[WindowRun], *, spring: float, temperature: float, reach: float, depth: float, replicates: int
) -> Solved:
    """Profile and K of ``runs``, with ``replicates`` of the block bootstrap.

    Raises
    ------
    SamplingError
        Two neighbouring windows hardly overlap.
    """
    pool = _pool(runs, spring, temperature)
    if pool.overlap < MIN_OVERLAP:
        raise SamplingError(
            f"the weakest overlap between windows is {pool.overlap:.3f}, below {MIN_OVERLAP:g}",
            hint="closer windows (--spacing) or longer ones (--length)",
        )
    bins = Bins(pool.centres, reach, depth, temperature)
    weights = _unbiased(pool.solution)
    drawn = bootstrap_mbar(pool.solution, pool.segments, np.random.default_rng(0), n_replicates=replicates)
    _, of_replicates = drawn.perturb(np.zeros(len(weights)))
    return Solved(
        delta_g=bins.profile(weights),
        log_k=bins.log_k(weights),
        sides=bins.k_sides(weights),
        delta_g_replicates=np.array([bins.profile(w) for w in of_replicates]),
        log_k_replicates=np.array([bins.log_k(w) for w in of_replicates]),
        side_replicates=np.array([bins.k_sides(w) for w in of_replicates]),
        pool=pool,
        bins=bins,
        weights=weights,
    )


def _inefficiency(run: WindowRun) -> float:
    return statistical_inefficiency(run.frames[:, ZETA])


def thinned(run: WindowRun) -> WindowRun:
    """Every so many frames, two to a correlation time: more would cost time and say nothing new."""
    stride = max(1, int(_inefficiency(run) / 2))
    return WindowRun(target=run.target, way=run.way, frames=run.frames[::stride])


def half_of(run: WindowRun, second: bool) -> WindowRun:
    """The first half of the frames of a run, or the ``second``."""
    middle = len(run.frames) // 2
    return WindowRun(target=run.target, way=run.way, frames=run.frames[middle:] if second else run.frames[:middle])
