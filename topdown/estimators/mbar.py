"""MBAR: free energies and weights of many states from the frames of all of them.

All energies here are *reduced*: u = β(U + pV), without a unit; f = -ln Z. MBAR (Shirts and Chodera, JCP 2008, 129,
124105; doi:10.1063/1.2978177): with N_k of the N frames drawn from state k,

    f_k = -ln Σ_n e^{-u_k(x_n)} / D_n,   D_n = Σ_j N_j e^{f_j - u_j(x_n)}.

These are the stationary points of the convex function Σ_n ln D_n - Σ_k N_k f_k, which :func:`mbar` minimises by
Newton's method with the exact Hessian. Any other state θ is reached with weights w_n = e^{f_θ - u_θ(x_n)}/D_n.

Frames of a simulation are correlated. Errors therefore come from a block bootstrap of every run
(:func:`bootstrap_mbar`); the analytic covariance, which takes frames as independent, is there for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.free_energy import FreeEnergyDifference, kish_effective_samples
from topdown.estimators.time_series import block_bootstrap_counts

FloatArray = npt.NDArray[np.float64]
#: Exponentials are taken anew when a free energy has moved by more: terms lost to underflow stay below e^-600 of the largest.
_FAR: Final = 100.0
#: Shortest part of a Newton step that is tried.
_SMALLEST_STEP: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Columns ``start`` … ``stop`` of a pooled matrix that are one run, ``inefficiency`` of which make one sample."""

    start: int
    stop: int
    inefficiency: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Perturbation:
    """A state that was not sampled, seen from the pooled frames.

    Attributes
    ----------
    f : float
        Reduced free energy on the scale of ``MbarResult.f_k``.
    weights : (N,) float64
        Normalised to 1.
    """

    f: float
    weights: FloatArray

    @property
    def n_effective(self) -> float:
        """Kish's number of frames that carry the weight, correlation not yet counted."""
        return kish_effective_samples(self.weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class MbarResult:
    """Solution of the MBAR equations.

    Attributes
    ----------
    f_k : (K,) float64
        Reduced free energies, 0 for the first state.
    n_k : (K,) float64
        Frames per state; 0 for states only evaluated.
    u_kn : (K, N) float64
        Reduced energies.
    counts : (N,) float64
        How often each frame is counted: 1, or a bootstrap's count.
    log_denominator : (N,) float64
        ln D_n.
    residual : float
        Largest |Σ_n W_kn - 1| over the sampled states.
    n_iterations : int
    """

    f_k: FloatArray
    n_k: FloatArray
    u_kn: FloatArray
    counts: FloatArray
    log_denominator: FloatArray
    residual: float
    n_iterations: int

    @cached_property
    def weights(self) -> FloatArray:
        """W_kn, (K, N): weight of frame n in state k; each row sums to 1."""
        matrix: FloatArray = self.counts * np.exp(self.f_k[:, None] - self.u_kn - self.log_denominator)
        return matrix

    def overlap_matrix(self) -> FloatArray:
        """O_ij = N_j Σ_n W_in W_jn, (K, K): probability that a frame of state i could have come from state j."""
        w = self.weights
        inverse = np.divide(1.0, self.counts, out=np.zeros_like(self.counts), where=self.counts > 0)
        overlap: FloatArray = (w * inverse) @ w.T * self.n_k
        return overlap

    def pairwise_overlap(self) -> FloatArray:
        """∫ ρ_i ρ_j/(ρ_i + ρ_j) for every two states, (K, K): what :meth:`overlap_matrix` would be with only those two.

        1/2 for equal states, whatever else was sampled, so that pooling many runs does not make it small. It is
        estimated from all frames as Σ_n W_in W_jn/(W_in + W_jn).
        """
        return pairwise_overlap(self.weights)

    def bottleneck_overlap(self) -> float:
        """Pairwise overlap of the weakest link needed to join all sampled states, in whatever order they come."""
        sampled = np.flatnonzero(self.n_k > 0)
        return weakest_link(self.pairwise_overlap()[np.ix_(sampled, sampled)])

    def perturb(self, u_n: npt.ArrayLike) -> Perturbation:
        """Free energy and weights of the state with reduced energies ``u_n`` (N,).

        Raises
        ------
        SamplingError
            When no frame has any weight there.
        """
        f, weights = _perturb(np.asarray(u_n, dtype=np.float64), self.log_denominator, self.counts)
        return Perturbation(f=f, weights=weights)

    def analytic_covariance(self) -> FloatArray:
        """Asymptotic covariance of f_k for independent frames, (K, K) (Shirts and Chodera 2008, eq. 8, by SVD).

        Only differences have meaning: var(f_i - f_j) = C_ii + C_jj - 2 C_ij. With correlated frames it is too small:
        multiply by the statistical inefficiency, or better use :func:`bootstrap_mbar`.
        """
        w = self.weights.T
        values, vectors = np.linalg.eigh(w.T @ w)
        root = np.sqrt(np.clip(values, 0.0, None))
        inner = np.eye(len(self.n_k)) - (root[:, None] * vectors.T) @ np.diag(self.n_k) @ (vectors * root)
        covariance: FloatArray = (vectors * root) @ np.linalg.pinv(inner, rcond=1e-10) @ (root[:, None] * vectors.T)
        return covariance

    def difference(self, i: int, j: int) -> FreeEnergyDifference:
        """f_j - f_i with the analytic error."""
        c = self.analytic_covariance()
        variance = c[i, i] + c[j, j] - 2.0 * c[i, j]
        return FreeEnergyDifference(
            delta_f=float(self.f_k[j] - self.f_k[i]), standard_error=float(np.sqrt(max(variance, 0.0)))
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MbarReplicates:
    """Bootstrap replicates of one MBAR solution.

    Attributes
    ----------
    f_bk : (B, K) float64
    log_denominator : (B, N) float64
    counts : (B, N) float64
    """

    f_bk: FloatArray
    log_denominator: FloatArray
    counts: FloatArray

    def standard_error(self, i: int, j: int) -> float:
        """Standard error of f_j - f_i."""
        return float(np.std(self.f_bk[:, j] - self.f_bk[:, i], ddof=1))

    def perturb(self, u_n: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """f (B,) and weights (B, N) of the state with reduced energies ``u_n`` (N,), in every replicate."""
        return _reweighted(np.asarray(u_n, dtype=np.float64), self.log_denominator, self.counts)


def pairwise_overlap(weights: FloatArray) -> FloatArray:
    """Σ_n W_in W_jn/(W_in + W_jn), (K, K), from normalised weights (K, N) of K states on the same frames."""
    n_states = len(weights)
    overlap = np.empty((n_states, n_states))
    for i in range(n_states):
        total = weights[i] + weights[i:]
        ratio = np.divide(weights[i] * weights[i:], total, out=np.zeros_like(total), where=total > 0)
        overlap[i, i:] = overlap[i:, i] = ratio.sum(axis=1)
    return overlap


def weakest_link(overlap: FloatArray, start: int = 0, end: int | None = None) -> float:
    """Smallest overlap on the best chain of states from ``start`` to ``end``, or to all states when ``end`` is None.

    A maximum spanning tree grown from ``start`` (Prim); 1 when there is nothing to join.
    """
    reach, joined, weakest = overlap[start].copy(), {start}, 1.0
    while len(joined) < len(overlap) and (end is None or end not in joined):
        best = max((i for i in range(len(overlap)) if i not in joined), key=lambda i: float(reach[i]))
        weakest = min(weakest, float(reach[best]))
        joined.add(best)
        reach = np.maximum(reach, overlap[best])
    return weakest


def _reweighted(u_n: FloatArray, log_denominator: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """f = -ln Σ_n c_n e^{-u_n}/D_n and the weight of each frame in it, along the last axis; not a number where none has any."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.log(counts) - u_n - log_denominator
        top = exponent.max(axis=-1, keepdims=True)
        weights = np.exp(exponent - top)
    total = weights.sum(axis=-1, keepdims=True)
    return -(top + np.log(total))[..., 0], weights / total


def _perturb(u_n: FloatArray, log_denominator: FloatArray, counts: FloatArray) -> tuple[float, FloatArray]:
    f, weights = _reweighted(u_n, log_denominator, counts)
    if not np.isfinite(f):
        raise SamplingError("no frame has any weight in the state asked for", hint="sample nearer to it")
    return float(f), weights


def _check_mbar(u_kn: npt.ArrayLike, n_k: npt.ArrayLike, counts: npt.ArrayLike | None) -> tuple[FloatArray, ...]:
    u = np.ascontiguousarray(u_kn, dtype=np.float64)
    n = np.asarray(n_k, dtype=np.float64)
    if u.ndim != 2 or n.shape != (len(u),):
        raise SettingsError(f"u_kn has shape {u.shape} and n_k {n.shape}, expected (K, N) and (K,)")
    c = np.ones(u.shape[1]) if counts is None else np.asarray(counts, dtype=np.float64)
    if np.any(n < 0) or not np.any(n > 0) or abs(n.sum() - c.sum()) > 1e-9 * max(1.0, n.sum()):
        raise SettingsError(f"n_k sums to {n.sum():g}, but there are {c.sum():g} frames")
    if np.isnan(u).any():
        k, i = (int(x) for x in np.argwhere(np.isnan(u))[0])
        raise SamplingError(f"reduced energy of frame {i} in state {k} is not a number")
    return u, n, c


class _Mixture:
    """D_n of the MBAR equations for changing f, with exponentials taken once and not for every f.

    D_n = e^{top_n} Σ_k a_k e_kn with e_kn = N_k e^{g_k - u_kn - top_n}, a_k = e^{f_k - g_k}: for f near g, where they were
    taken, a product of matrix and vector.
    """

    def __init__(self, log_terms: FloatArray, f: FloatArray) -> None:
        self._log_terms = log_terms
        self._take(f)

    def _take(self, f: FloatArray) -> None:
        terms = self._log_terms + f[:, None]
        self.top = terms.max(axis=0)
        terms -= self.top
        self.e, self.g = np.exp(terms, out=terms), f.copy()

    def at(self, f: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(a (K,), Σ_k a_k e_kn (N,)) at ``f``, the exponentials taken anew where it is far away."""
        if float(np.max(np.abs(f - self.g))) > _FAR:
            self._take(f)
        a = np.exp(f - self.g)
        return a, a @ self.e

    def log_denominator(self, d: FloatArray) -> FloatArray:
        """ln D_n (N,) of what :meth:`at` gave."""
        found: FloatArray = self.top + np.log(d)
        return found


def mbar(
    u_kn: npt.ArrayLike,
    n_k: npt.ArrayLike,
    *,
    counts: npt.ArrayLike | None = None,
    initial: npt.ArrayLike | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> MbarResult:
    """Solve the MBAR equations.

    Parameters
    ----------
    u_kn : (K, N) array
        Reduced energy of every frame in every state.
    n_k : (K,) array
        How many frames were drawn from each state; their order among the columns does not matter.
    counts : (N,) array, optional
        Weight of each frame, as drawn by a bootstrap; sums to ``n_k.sum()``.
    initial : (K,) array, optional
        Where to start.
    tolerance : float
        Largest residual |Σ_n W_kn - 1| accepted.
    max_iterations : int
        Newton steps before giving up.

    Raises
    ------
    SettingsError
        Shapes that do not fit.
    SamplingError
        Energies that are not numbers, or no convergence.
    """
    u, n, c = _check_mbar(u_kn, n_k, counts)
    sampled = np.flatnonzero(n > 0)
    n_s = n[sampled]
    log_terms = np.log(n_s)[:, None] - u[sampled]
    start = np.zeros(len(n_s)) if initial is None else np.asarray(initial, dtype=np.float64)[sampled]
    mixture = _Mixture(log_terms, start - start[0])
    f = _self_consistent(mixture, n_s, c, mixture.g, n_iterations=5) if initial is None else mixture.g
    f, log_d, residual, iterations = _newton(mixture, n_s, c, f, tolerance, max_iterations)
    if residual > tolerance:
        raise SamplingError(
            f"MBAR did not converge: residual {residual:.1e} after {iterations} iterations",
            hint="neighbouring states may not overlap at all",
        )
    f_k = np.empty(len(n))
    f_k[sampled] = f
    for k in np.flatnonzero(n == 0):
        f_k[k] = _perturb(u[k], log_d, c)[0]
    shift = f_k[0]
    return MbarResult(
        f_k=f_k - shift,
        n_k=n,
        u_kn=u,
        counts=c,
        log_denominator=log_d - shift,
        residual=residual,
        n_iterations=iterations,
    )


def _self_consistent(mixture: _Mixture, n_s: FloatArray, c: FloatArray, f: FloatArray, n_iterations: int) -> FloatArray:
    """A few fixed-point iterations, which cannot diverge, to come near the minimum."""
    for _ in range(n_iterations):
        _, d = mixture.at(f)
        total = mixture.e @ (c / d)
        if not np.all(total > 0.0):  # a state that no frame of the others has any weight in
            break
        f = np.log(n_s) + mixture.g - np.log(total)
        f -= f[0]
    return f


def _newton(
    mixture: _Mixture, n_s: FloatArray, c: FloatArray, f: FloatArray, tolerance: float, max_iterations: int
) -> tuple[FloatArray, FloatArray, float, int]:
    """Damped Newton on Σ c ln D - Σ N f over f[1:]; every accepted step lowers it or the gradient."""

    def at(f: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
        a, d = mixture.at(f)
        log_d = mixture.log_denominator(d)
        expected = a * (mixture.e @ (c / d))
        return float(c @ log_d - n_s @ f), expected, log_d, a, d

    objective, expected, log_d, a, d = at(f)
    root = np.sqrt(c)
    iteration = 0
    while (residual := float(np.max(np.abs(expected - n_s) / n_s))) > tolerance and iteration < max_iterations:
        iteration += 1
        scaled = mixture.e * (root / d)
        hessian = np.diag(expected) - np.outer(a, a) * (scaled @ scaled.T)
        gradient = expected - n_s
        ridge = 1e-14 * float(np.trace(hessian)) + 1e-300
        step = np.zeros_like(f)
        step[1:] = -np.linalg.solve(hessian[1:, 1:] + ridge * np.eye(len(f) - 1), gradient[1:])
        step *= min(1.0, 50.0 / max(1e-300, float(np.max(np.abs(step)))))
        slope, scale = float(gradient @ step), 1.0
        while True:
            trial = f + scale * step
            new = at(trial)
            lower = new[0] <= objective + 1e-4 * scale * slope
            flatter = float(np.max(np.abs(new[1] - n_s) / n_s)) < residual
            if lower or flatter:
                break
            scale *= 0.5
            if scale < _SMALLEST_STEP or slope >= 0.0:
                # So far away that the Hessian is all rounding: the fixed-point iteration comes back from anywhere.
                trial = _self_consistent(mixture, n_s, c, f, n_iterations=1)
                new = at(trial)
                if new[0] >= objective:
                    return f, log_d, residual, iteration
                break
        f, (objective, expected, log_d, a, d) = trial, new
    return f, log_d, residual, iteration


def bootstrap_mbar(
    result: MbarResult,
    segments: Sequence[Segment],
    rng: np.random.Generator,
    *,
    n_replicates: int = 50,
    blocks_per_inefficiency: float = 5.0,
) -> MbarReplicates:
    """Solve again on block-bootstrapped frames, each run redrawn within itself in blocks of about 5 g.

    Parameters
    ----------
    result : MbarResult
        The solution on the frames as they are.
    segments : sequence of Segment
        The runs; together they cover all columns once, in order.
    rng : numpy.random.Generator
        Source of the draws.
    n_replicates : int
        How many times to draw and solve.
    blocks_per_inefficiency : float
        Block length in units of g, at most a quarter of the run.

    Raises
    ------
    SettingsError
        Segments that do not tile the columns.
    """
    n = result.u_kn.shape[1]
    ends = [0, *(s.stop for s in segments)]
    if [s.start for s in segments] != ends[:-1] or ends[-1] != n:
        raise SettingsError(f"the segments do not tile the {n} frames")
    counts = np.empty((n_replicates, n))
    for b in range(n_replicates):
        for s in segments:
            length = s.stop - s.start
            block = min(max(1, round(blocks_per_inefficiency * s.inefficiency)), max(1, length // 4))
            counts[b, s.start : s.stop] = block_bootstrap_counts(length, block, rng)
    f_bk, log_d = np.empty((n_replicates, len(result.f_k))), np.empty((n_replicates, n))
    for b in range(n_replicates):
        again = mbar(result.u_kn, result.n_k, counts=counts[b], initial=result.f_k, tolerance=1e-7)
        f_bk[b], log_d[b] = again.f_k, again.log_denominator
    return MbarReplicates(f_bk=f_bk, log_denominator=log_d, counts=counts)
