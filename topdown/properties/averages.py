"""Averages over independent runs of one state, with errors that count correlation and say when they cannot be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from topdown.errors import SamplingError
from topdown.estimators.time_series import block_average, detect_equilibration, statistical_inefficiency
from topdown.model import Estimate, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.samples import join_frames

#: Most blocks of one run, and how many statistical inefficiencies a block is to be long.
MOST_BLOCKS: Final = 20
_BLOCK_LENGTH: Final = 5.0
#: Fewer independent values than this make an error that is itself hardly known.
FEW_EFFECTIVE: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsAverage:
    """Mean of one observable over several runs of one state.

    Attributes
    ----------
    estimate : Estimate
        Over all runs, weighted by their length; ``n_effective`` is Σ n/g.
    runs : tuple of Estimate
        Of each run by itself.
    """

    estimate: Estimate
    runs: tuple[Estimate, ...]

    @property
    def disagreement(self) -> float:
        """Largest difference between two runs in their standard errors; 0 for one run."""
        return max(
            (
                abs(a.value - b.value) / max(math.hypot(a.standard_error, b.standard_error), 1e-300)
                for i, a in enumerate(self.runs)
                for b in self.runs[:i]
            ),
            default=0.0,
        )


def join_parts(parts: Sequence[WindowSamples]) -> WindowSamples:
    """The parts of one run as one, in order."""
    return replace(parts[-1], sums=join_frames([part.sums for part in parts]))


def stationary_start(series: FloatArray) -> int:
    """First frame of a run from which on a series is stationary (Chodera 2016); never more than half is left out."""
    return detect_equilibration(series).start


def series_estimate(series: FloatArray, provenance: str = "") -> Estimate:
    """Mean of one stationary series.

    The error is the larger of two: that of at most ``MOST_BLOCKS`` blocks, each five inefficiencies long where the series
    allows, and σ √(g/n).
    """
    n = len(series)
    if n < 4:
        raise SamplingError(f"{n} frames give no error", hint="run longer")
    g = statistical_inefficiency(series)
    n_blocks = int(min(max(n / (_BLOCK_LENGTH * g), 4), MOST_BLOCKS, n))
    error = max(block_average(series, n_blocks).standard_error, float(np.std(series, ddof=1)) * math.sqrt(g / n))
    return Estimate(
        value=float(series.mean()),
        standard_error=error,
        n_effective=n / g,
        provenance=provenance or f"{n} frames, {n_blocks} blocks",
    )


def average_runs(series: Sequence[FloatArray], provenance: str = "block averages") -> RunsAverage:
    """Mean over the stationary series of several independent runs.

    Raises
    ------
    SamplingError
        No runs, or one of fewer than four frames.
    """
    if not series:
        raise SamplingError("there are no runs to average")
    runs = tuple(series_estimate(np.asarray(values, dtype=np.float64)) for values in series)
    lengths = np.array([len(values) for values in series], dtype=np.float64)
    share = lengths / lengths.sum()
    estimate = Estimate(
        value=float(share @ [run.value for run in runs]),
        standard_error=float(np.sqrt(share**2 @ np.array([run.standard_error for run in runs]) ** 2)),
        n_effective=sum(run.n_effective for run in runs),
        provenance=f"{provenance} over {len(runs)} runs, {int(lengths.sum())} frames",
    )
    return RunsAverage(estimate=estimate, runs=runs)


def trust_remarks(average: RunsAverage, what: str) -> tuple[str, ...]:
    """What makes an average doubtful: few independent values, or runs that disagree."""
    remarks = []
    if average.estimate.n_effective < FEW_EFFECTIVE:
        remarks.append(
            f"the {what} rests on {average.estimate.n_effective:.0f} independent values: its error is a lower bound"
        )
    if average.disagreement > 3.0:
        values = " and ".join(f"{run.value:.5g} ± {run.standard_error:.2g}" for run in average.runs)
        remarks.append(f"independent runs disagree on the {what} ({values}): longer runs are needed")
    return tuple(remarks)
