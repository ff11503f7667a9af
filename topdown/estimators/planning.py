"""Where the error of a free energy comes from, and where to sample next.

*Influence.* To first order a free energy f_θ from MBAR is a sum over frames. With p_kn = N_k e^{f_k - u_kn}/D_n, the Hessian
H = Σ_n (diag p_n - p_n p_nᵀ) of MBAR's convex objective and the weights w_n of state θ,

    δf_θ = Σ_n [φ_n - ⟨φ⟩_k(n)],   φ_n = -w_n - o·H⁻¹ p_n,   o_k = Σ_n w_n p_kn,

the mean being taken over the frames of the state that frame n was drawn from (one f_k is held, so that H can be inverted; it
drops out of differences). Each run adds n g Var(φ) to the variance, g being the statistical inefficiency of the series φ itself:
correlated frames are counted rightly, and the error falls into parts that belong to runs. The same expression without
correlation is the asymptotic covariance of Shirts and Chodera (2008).

*Path.* The distance of two states is 2 arccos Σ_n (w_an w_bn)^½, which is Fisher's metric for near ones: a Gaussian work of
standard deviation d has the distance d. States at equal steps of it overlap alike; the path's length says how many are
needed.

*Allocation.* A run of n frames with variance v adds v n/(n + m) with m more, so sampling goes, chunk by chunk, where the
variance falls most for the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.mbar import MbarResult, Segment
from topdown.estimators.time_series import statistical_inefficiency

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def influence(solution: MbarResult, u_n: npt.ArrayLike) -> FloatArray:
    """φ_n, (N,): what each frame does to the reduced free energy of the state with reduced energies ``u_n``.

    Parameters
    ----------
    solution : MbarResult
        Without bootstrap counts.
    u_n : (N,) array
        Of a state that need not have been sampled.

    Raises
    ------
    SamplingError
        When no frame has any weight there, or the sampled states do not hang together.
    """
    weights = solution.perturb(u_n).weights
    sampled = np.flatnonzero(solution.n_k > 0)
    if len(sampled) == 1:
        return -weights
    p = np.exp(
        np.log(solution.n_k[sampled])[:, None]
        + solution.f_k[sampled][:, None]
        - solution.u_kn[sampled]
        - solution.log_denominator
    )[1:]
    hessian = np.diag(p.sum(axis=1)) - p @ p.T
    try:
        slope = np.linalg.solve(hessian, p @ weights)
    except np.linalg.LinAlgError:
        raise SamplingError("the sampled states do not overlap, so that no error can be given") from None
    phi: FloatArray = -weights - slope @ p
    return phi


def variance_by_segment(phi: npt.ArrayLike, segments: Sequence[Segment], states: Sequence[int]) -> FloatArray:
    """What every run adds to the variance of the quantity with influence ``phi``, (n_segments,).

    Parameters
    ----------
    phi : (N,) array
        From :func:`influence`, or a linear combination of several.
    segments : sequence of Segment
        The runs; they tile the frames.
    states : sequence of int
        Which state each run was drawn from: runs of one state share their mean.

    Raises
    ------
    SettingsError
        Lengths that do not fit.
    """
    values = np.asarray(phi, dtype=np.float64)
    if len(states) != len(segments) or not segments or segments[-1].stop != len(values):
        raise SettingsError(f"{len(segments)} runs, {len(states)} states and {len(values)} frames do not fit")
    labels = np.concatenate([np.full(s.stop - s.start, k) for s, k in zip(segments, states)])
    means = {k: float(values[labels == k].mean()) for k in dict.fromkeys(states)}
    variances = np.zeros(len(segments))
    for row, (segment, k) in enumerate(zip(segments, states)):
        series = values[segment.start : segment.stop]
        n = len(series)
        spread = float(np.mean((series - means[k]) ** 2)) * n / max(n - 1, 1)
        variances[row] = n * spread * statistical_inefficiency(series)
    return variances


def state_distances(weights: npt.ArrayLike) -> FloatArray:
    """Distances 2 arccos Σ_n (w_an w_bn)^½ between successive states, (K - 1,), from normalised weights (K, N)."""
    root = np.sqrt(np.asarray(weights, dtype=np.float64))
    overlap = np.einsum("kn,kn->k", root[:-1], root[1:])
    distances: FloatArray = 2.0 * np.arccos(np.clip(overlap, 0.0, 1.0))
    return distances


def spread_out(distances: npt.ArrayLike, largest_step: float) -> tuple[int, ...]:
    """Fewest states of a path, both ends among them, no two successive ones further apart than ``largest_step``, evenly spread.

    Parameters
    ----------
    distances : (K - 1,) array
        Between successive states of the path, :func:`state_distances`.
    largest_step : float
        A step of the path that is longer by itself stays one step.

    Returns
    -------
    tuple of int
        Indices 0 … K - 1, rising.
    """
    steps = np.asarray(distances, dtype=np.float64)
    if largest_step <= 0.0 or steps.ndim != 1 or not len(steps):
        raise SettingsError(f"a path needs states and a positive step, got {steps.shape} and {largest_step}")
    along = np.concatenate([[0.0], np.cumsum(steps)])
    n_steps = max(1, int(np.ceil(along[-1] / largest_step - 1e-9)))
    wanted = along[-1] * np.arange(1, n_steps) / n_steps
    inner = {int(np.argmin(np.abs(along - at))) for at in wanted}
    return tuple(sorted({0, len(steps)} | inner))


def allocate(
    variances: npt.ArrayLike, lengths: npt.ArrayLike, chunks: npt.ArrayLike, costs: npt.ArrayLike, *, n_chunks: int
) -> IntArray:
    """Where ``n_chunks`` more pieces lower the total variance most for their cost.

    Parameters
    ----------
    variances : (n,) array
        Each state's part of the variance at its present length.
    lengths : (n,) array
        Frames there are; at least one each.
    chunks : (n,) array
        Frames of one more piece.
    costs : (n,) array
        Of one more piece, in any unit; infinite where there can be none.
    n_chunks : int

    Returns
    -------
    (n,) int64
        Pieces for each state.
    """
    v, n, m, c = (np.asarray(a, dtype=np.float64) for a in (variances, lengths, chunks, costs))
    if np.any(n < 1) or np.any(m < 1) or np.any(c <= 0) or np.any(v < 0):
        raise SettingsError("every state needs frames, a positive cost, and a variance that is not negative")
    given = np.zeros(len(v), dtype=np.int64)
    for _ in range(n_chunks):
        now = n + given * m
        gain = v * n / now * m / (now + m) / c
        given[int(np.argmax(gain))] += 1
    return given


def variance_after(
    variances: npt.ArrayLike, lengths: npt.ArrayLike, chunks: npt.ArrayLike, given: npt.ArrayLike
) -> float:
    """Total variance to be expected with ``given`` more pieces; see :func:`allocate`."""
    v, n, m, k = (np.asarray(a, dtype=np.float64) for a in (variances, lengths, chunks, given))
    return float((v * n / (n + k * m)).sum())
