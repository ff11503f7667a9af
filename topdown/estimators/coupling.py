"""Is a coupling free energy to be trusted? What every λ contributes, how states overlap, whether time has converged it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.estimators.planning import influence, variance_by_segment
from topdown.estimators.reweighting import Pair, PooledSamples, pool_samples, sorted_pair
from topdown.estimators.time_series import statistical_inefficiency
from topdown.model.samples import WindowSamples
from topdown.units import kt

FloatArray = npt.NDArray[np.float64]

#: Parts of the data at which convergence is judged (Klimovich, Shirts, Mobley, J. Comput.-Aided Mol. Des. 29, 397, 2015).
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class CouplingDiagnostics:
    """What a coupling free energy rests on. K states were sampled.

    Attributes
    ----------
    lambdas, charge_lambdas : (K,) float64
    n_frames : (K,) int64
        Frames used of each state.
    overlap : (K, K) float64
        O_ij of MBAR: the probability that a frame of state i could have come from state j.
    slopes, slope_errors : (K,) float64 [kJ/mol]
        ⟨∂U/∂λ⟩ along the branch of the path (Lennard-Jones, then charges), nan at λ where it was not stored.
    variances : (K,) float64 [(kJ/mol)²]
        Part of every state in the variance of ΔG.
    standard_error : float [kJ/mol]
        Root of their sum.
    fractions : (F,) float64
    forward, forward_errors, backward, backward_errors : (F,) float64 [kJ/mol]
        ΔG from the first, and from the last, part of every run; nan where a part does not support a number.
    """

    lambdas: FloatArray
    charge_lambdas: FloatArray
    n_frames: npt.NDArray[np.int64]
    overlap: FloatArray
    slopes: FloatArray
    slope_errors: FloatArray
    variances: FloatArray
    standard_error: float
    fractions: FloatArray
    forward: FloatArray
    forward_errors: FloatArray
    backward: FloatArray
    backward_errors: FloatArray


def coupling_variances(
    pooled: PooledSamples,
    states: Sequence[int],
    theta: Mapping[Pair, float] | None = None,
    *,
    temperature: float | None = None,
    pressure: float | None = None,
) -> FloatArray:
    """Part of every run in the variance of ΔG = G(λ=1) - G(λ=0) [(kJ/mol)²], from the influence of its frames.

    Parameters
    ----------
    pooled : PooledSamples
    states : sequence of int
        λ index of every run, in the order of ``pooled.segments``.
    theta, temperature, pressure
        Where ΔG is reweighted to, as for :meth:`PooledSamples.coupling_free_energy`; default the state of the last run.
    """
    last = len(pooled.lambdas) - 1
    at = {"temperature": temperature, "pressure": pressure}
    start, end = (influence(pooled.solution, pooled.reduced_energy(k, theta, **at)) for k in (0, last))
    energy = kt(pooled.reference.temperature if temperature is None else temperature)
    return np.asarray(energy**2 * variance_by_segment(end - start, pooled.segments, states))


def coupling_diagnostics(
    runs: Sequence[WindowSamples], pooled: PooledSamples, *, fractions: Sequence[float] = FRACTIONS
) -> CouplingDiagnostics:
    """Judge the coupling free energy of one solute in one solvent.

    Parameters
    ----------
    runs : sequence of WindowSamples
        What ``pooled`` was made of, in the same order; one matrix ε throughout.
    pooled : PooledSamples
    fractions : sequence of float
        Parts of the data for the convergence in time, rising to 1.
    """
    indices = [run.lambda_index for run in runs]
    sampled = sorted(set(indices))
    by_run = coupling_variances(pooled, indices)
    kept = [replace(run, sums=frames) for run, frames in zip(runs, pooled.frames)]
    slopes, errors, counts = [], [], []
    for k in sampled:
        own = [run for run in kept if run.lambda_index == k]
        series = [s for s in map(_slopes, own) if s is not None]
        counts.append(sum(run.sums.n_frames for run in own))
        values = np.concatenate(series) if series else np.full(1, np.nan)
        slopes.append(float(values.mean()))
        variance = sum(s.var() * len(s) * statistical_inefficiency(s) for s in series) / len(values) ** 2
        errors.append(float(np.sqrt(variance)) if series else float("nan"))
    order = np.array([sampled.index(k) for k in indices])
    variances = np.asarray(np.bincount(order, weights=by_run, minlength=len(sampled)), dtype=np.float64)
    path = np.asarray(runs[0].sums.lambdas), np.asarray(runs[0].sums.charge_lambdas)
    forward = [_part(kept, f, from_end=False) for f in fractions]
    backward = [_part(kept, f, from_end=True) for f in fractions]
    return CouplingDiagnostics(
        lambdas=path[0][sampled],
        charge_lambdas=path[1][sampled],
        n_frames=np.array(counts, dtype=np.int64),
        overlap=_overlap(pooled, sampled),
        slopes=np.array(slopes),
        slope_errors=np.array(errors),
        variances=variances,
        standard_error=float(np.sqrt(by_run.sum())),
        fractions=np.array(fractions, dtype=np.float64),
        forward=np.array([value for value, _ in forward]),
        forward_errors=np.array([error for _, error in forward]),
        backward=np.array([value for value, _ in backward]),
        backward_errors=np.array([error for _, error in backward]),
    )


def _slopes(run: WindowSamples) -> FloatArray | None:
    """∂U/∂λ of every frame at the λ sampled [kJ/mol], of the charges' branch where they are being grown; None if not stored."""
    charges = np.asarray(run.sums.charge_lambdas)
    if len(charges) and charges[run.lambda_index] > 0.0:
        return np.asarray(run.sums.solute_coulomb)
    if run.sums.solute_slopes is None:
        return None
    keys = [sorted_pair(*p) for p in (*run.sums.pairs, *run.sums.solute_pairs)]
    epsilon = dict(zip(keys, run.epsilon))
    return np.asarray(run.sums.solute_slopes @ np.array([epsilon[sorted_pair(*p)] for p in run.sums.solute_pairs]))


def _overlap(pooled: PooledSamples, sampled: Sequence[int]) -> FloatArray:
    """Overlap matrix of the λ sampled, in their order; states of one λ at other ε or temperatures are left out."""
    columns = [pooled.states.index(k) for k in sampled]
    return pooled.solution.overlap_matrix()[np.ix_(columns, columns)]


def _part(runs: Sequence[WindowSamples], fraction: float, *, from_end: bool) -> tuple[float, float]:
    """ΔG and its error from the first or the last ``fraction`` of every run."""
    parts = []
    for run in runs:
        n = max(2, round(fraction * run.sums.n_frames))
        which = slice(run.sums.n_frames - n, None) if from_end else slice(0, n)
        parts.append(replace(run, sums=run.sums.frames(which)))
    pooled = pool_samples(parts, np.random.default_rng(0), n_replicates=0, discard_transient=False)
    last = len(pooled.lambdas) - 1
    ends = (pooled.solution.perturb(pooled.reduced_energy(k)).f for k in (0, last))
    start, end = ends
    error = float(np.sqrt(coupling_variances(pooled, [run.lambda_index for run in parts]).sum()))
    return kt(pooled.reference.temperature) * (end - start), error
