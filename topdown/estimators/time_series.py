"""Correlated series: statistical inefficiency, where equilibration ends, block averages, block bootstrap.

Definitions. For a stationary series of n values with normalised autocorrelation C(t),

    g = 1 + 2 Σ_{t≥1} (1 - t/n) C(t)

values count as one independent one, so that the variance of the mean is g σ²/n. The sum is cut at the first C(t) ≤ 0
after ``minimum_lag`` (Chodera, Swope, Pitera, Seok, Dill, JCTC 2007, 3, 26; doi:10.1021/ct0502864). Equilibration ends
where the number of independent values left, (n - t0)/g(t0), is largest (Chodera, JCTC 2016, 12, 1799;
doi:10.1021/acs.jctc.5b00784).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.errors import SettingsError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equilibration:
    """Where a series becomes stationary.

    Attributes
    ----------
    start : int
        First value of the production part.
    inefficiency : float
        g of the production part.
    n_effective : float
        (n - start)/g.
    """

    start: int
    inefficiency: float
    n_effective: float


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockAverage:
    """Means over equal consecutive blocks.

    Attributes
    ----------
    blocks : (n_blocks,) float64
    mean : float
    standard_error : float
        Standard deviation of the blocks over √n_blocks; right once blocks are longer than the correlation time.
    """

    blocks: FloatArray
    mean: float
    standard_error: float


def _series(values: npt.ArrayLike, least: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < least:
        raise SettingsError(f"a series of at least {least} values is needed, got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise SettingsError(f"value {int(np.argmin(np.isfinite(array)))} of the series is not a finite number")
    return array


def autocorrelation(values: npt.ArrayLike) -> FloatArray:
    """Normalised autocorrelation C(t), t = 0 … n-1, with the unbiased 1/(n - t); zeros but for C(0) if constant.

    Parameters
    ----------
    values : (n,) array
        The series.

    Returns
    -------
    (n,) float64
    """
    series = _series(values, 1)
    n = len(series)
    centred = series - series.mean()
    variance = float(np.mean(centred**2))
    scale = float(np.max(np.abs(series)))
    if variance <= (1e-14 * scale) ** 2:
        return np.concatenate([[1.0], np.zeros(n - 1)])
    spectrum = np.fft.rfft(centred, n=1 << (2 * n - 1).bit_length())
    products = np.fft.irfft(spectrum * spectrum.conj())[:n]
    correlation: FloatArray = products / (n - np.arange(n)) / variance
    return correlation


def statistical_inefficiency(values: npt.ArrayLike, *, minimum_lag: int = 3) -> float:
    """How many successive values are worth one independent value, 1 ≤ g ≤ n.

    Parameters
    ----------
    values : (n,) array
        The series.
    minimum_lag : int
        Lags up to this one enter the sum even where C(t) ≤ 0.

    Raises
    ------
    SettingsError
        An empty series or one that holds a number that is not finite.
    """
    series = _series(values, 1)
    n = len(series)
    if n < 3:
        return 1.0
    correlation = autocorrelation(series)
    lags = np.arange(1, n - 1)
    ended = np.flatnonzero((correlation[1 : n - 1] <= 0.0) & (lags > minimum_lag))
    last = int(ended[0]) if len(ended) else len(lags)
    total = float(np.sum(correlation[1 : 1 + last] * (1.0 - lags[:last] / n)))
    return float(min(max(1.0, 1.0 + 2.0 * total), n))


def detect_equilibration(
    values: npt.ArrayLike, *, n_candidates: int = 25, latest_fraction: float = 0.5
) -> Equilibration:
    """The start that leaves most independent values.

    Parameters
    ----------
    values : (n,) array
        The series.
    n_candidates : int
        Starts tried, evenly spaced from the first value on.
    latest_fraction : float
        No more than this part of the series is ever given up.

    Raises
    ------
    SettingsError
        Fewer than one value, or options out of range.
    """
    series = _series(values, 1)
    if n_candidates < 1 or not 0.0 <= latest_fraction < 1.0:
        raise SettingsError(f"n_candidates = {n_candidates} or latest_fraction = {latest_fraction} is out of range")
    n = len(series)
    best: Equilibration | None = None
    for start in np.unique(np.linspace(0, int(latest_fraction * n), n_candidates).astype(int)):
        g = statistical_inefficiency(series[start:])
        left = (n - int(start)) / g
        if best is None or left > best.n_effective:
            best = Equilibration(start=int(start), inefficiency=g, n_effective=left)
    assert best is not None
    return best


def block_average(values: npt.ArrayLike, n_blocks: int = 10) -> BlockAverage:
    """Mean and its error from ``n_blocks`` equal blocks; values that do not fill a block are left out at the start.

    Raises
    ------
    SettingsError
        Fewer than two blocks, or fewer values than blocks.
    """
    if n_blocks < 2:
        raise SettingsError(f"an error needs at least 2 blocks, got {n_blocks}")
    series = _series(values, n_blocks)
    length = len(series) // n_blocks
    blocks = series[len(series) - length * n_blocks :].reshape(n_blocks, length).mean(axis=1)
    error = float(np.std(blocks, ddof=1) / np.sqrt(n_blocks))
    return BlockAverage(blocks=blocks, mean=float(blocks.mean()), standard_error=error)


def block_bootstrap_indices(n: int, block_length: int, rng: np.random.Generator) -> IntArray:
    """One circular block bootstrap of a series: ``n`` indices in runs of ``block_length`` that start anywhere.

    Blocks keep the correlation of neighbours; circular, so that every value is drawn equally often (Politis and Romano
    1992). Blocks of five times g underestimate a standard error by about 5 %.

    Parameters
    ----------
    n : int
        Length of the series.
    block_length : int
        Length of a run of neighbours.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    (n,) int64
    """
    if n < 1 or not 1 <= block_length <= n:
        raise SettingsError(f"blocks of {block_length} do not fit a series of {n} values")
    starts = rng.integers(0, n, size=-(-n // block_length))
    indices: IntArray = ((starts[:, None] + np.arange(block_length)) % n).ravel()[:n].astype(np.int64)
    return indices


def block_bootstrap_counts(n: int, block_length: int, rng: np.random.Generator) -> FloatArray:
    """How often each value is drawn in one circular block bootstrap, (n,) float64 that sums to n."""
    drawn = np.bincount(block_bootstrap_indices(n, block_length, rng), minlength=n)
    return drawn.astype(np.float64)
