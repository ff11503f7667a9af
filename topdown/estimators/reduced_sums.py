"""What is left of the runs of one solute in one solvent when only its free energy at other ε is wanted.

After MBAR, ΔG at any ε of the solute's beads is

    ΔG(ε) = -kT ln Σ_n e^{-a_n - β Σ_q ε_q T_qn - β Σ_p ε_p S_pn} + kT ln Σ_m e^{-b_m - β Σ_p ε_p S_pm},

with T_q the sum over bead q of the solute and one kind of solvent bead at full coupling, S_p the sums inside the solute,
and a_n = ln D_n + β(U_rest + pV) of the frames pooled: one number for each frame, and one for each pair of types. The
second term is the decoupled end; b_m are its frames. The solvent's own ε cannot change any more. Frames that carry no
weight at any ε of interest are dropped, and all numbers of frames are kept as whole multiples of ``QUANTUM``, which files take
less room for: what remains of minutes of simulation is some ten kilobytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from topdown.errors import SettingsError
from topdown.estimators.planning import influence, variance_by_segment
from topdown.estimators.reweighting import Pair, PooledSamples, sorted_pair
from topdown.units import kt

FloatArray = npt.NDArray[np.float64]

#: Steps in which sums are kept, in units of ε, and offsets; and the largest of sums: a frame beyond it has no weight.
QUANTUM: Final = 1.0 / 256.0
_LARGEST: Final = 32767
#: Frames whose weight stays below this part of the mean everywhere are dropped.
NEGLIGIBLE: Final = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class CouplingValue:
    """ΔG of coupling at some ε.

    Attributes
    ----------
    value, standard_error : float
        [kJ/mol]
    gradient : (Q + P,) float64
        ∂ΔG/∂ε in the order of ``pairs`` then ``inner_pairs``.
    n_effective : float
        Independent samples at the coupled end.
    """

    value: float
    standard_error: float
    gradient: FloatArray
    n_effective: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ReducedSums:
    """The reduced samples of one solute in one solvent.

    Attributes
    ----------
    pairs : tuple of (str, str)
        (bead type of the solute, bead type of the solvent), Q of them.
    inner_pairs : tuple of (str, str)
        Pairs of types inside the solute that are not excluded, P of them.
    sums : (N, Q + P) int16
        T_q and S_p of the frames kept of the coupled end, in steps of :data:`QUANTUM`.
    offsets : (N,) float32
        a_n.
    inefficiency : (N,) float32
        How many frames make one independent sample.
    free_sums : (M, P) int16
        S_p of the decoupled end.
    free_offsets : (M,) float32
        b_m.
    temperature : float
        [K]
    path_error : float
        Standard error of ΔG from the path, at ε in the middle of those sampled [kJ/mol].
    n_frames : int
        Frames there were before any were dropped.
    """

    pairs: tuple[Pair, ...]
    inner_pairs: tuple[Pair, ...]
    sums: npt.NDArray[np.int16]
    offsets: npt.NDArray[np.float32]
    inefficiency: npt.NDArray[np.float32]
    free_sums: npt.NDArray[np.int16]
    free_offsets: npt.NDArray[np.float32]
    temperature: float
    path_error: float
    n_frames: int

    def __post_init__(self) -> None:
        n, m, p = len(self.offsets), len(self.free_offsets), len(self.inner_pairs)
        expected = {
            "sums": (n, len(self.pairs) + p),
            "inefficiency": (n,),
            "free_sums": (m, p),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise SettingsError(f"{name} must have shape {shape}, not {getattr(self, name).shape}")
        if n == 0 or m == 0:
            raise SettingsError("reduced sums without frames")

    def coupling(self, epsilon: FloatArray) -> CouplingValue:
        """ΔG at the given ε, as MBAR over all frames kept gives it.

        Parameters
        ----------
        epsilon : (Q + P,) float64
            Of ``pairs`` then ``inner_pairs`` [kJ/mol].

        Raises
        ------
        SettingsError
            The wrong number of ε.
        """
        values, gradients, n_effective = self.couplings(np.asarray(epsilon, dtype=np.float64)[None])
        importance = kt(self.temperature) / np.sqrt(n_effective[0])
        return CouplingValue(
            value=float(values[0]),
            standard_error=float(np.hypot(self.path_error, importance)),
            gradient=gradients[0],
            n_effective=float(n_effective[0]),
        )

    def couplings(self, epsilon: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """ΔG at many sets of ε at once.

        Parameters
        ----------
        epsilon : (M, Q + P) float64
            [kJ/mol]

        Returns
        -------
        values : (M,) float64 [kJ/mol]
        gradients : (M, Q + P) float64
        n_effective : (M,) float64
        """
        n_pairs = len(self.pairs)
        if epsilon.ndim != 2 or epsilon.shape[1] != n_pairs + len(self.inner_pairs):
            raise SettingsError(f"{n_pairs + len(self.inner_pairs)} ε are needed, got an array {epsilon.shape}")
        energy = kt(self.temperature)
        reduced = (epsilon / energy).astype(np.float32)
        sums, inner = self.sums * np.float32(QUANTUM), self.free_sums * np.float32(QUANTUM)
        coupled = -(self.offsets + reduced @ sums.T).astype(np.float64)
        free = -(self.free_offsets + reduced[:, n_pairs:] @ inner.T).astype(np.float64)
        f_1, f_0 = -logsumexp(coupled, axis=1), -logsumexp(free, axis=1)
        weights = np.exp(coupled + f_1[:, None])
        gradients = weights @ sums
        gradients[:, n_pairs:] -= np.exp(free + f_0[:, None]) @ inner
        return energy * (f_1 - f_0), np.asarray(gradients), 1.0 / (weights**2 @ self.inefficiency)


def reduce_sums(
    pooled: PooledSamples,
    states: Sequence[int],
    outer: Sequence[Pair],
    probes: Sequence[Mapping[Pair, float]],
) -> ReducedSums:
    """Keep of ``pooled`` what ΔG at other ε of ``outer`` needs.

    Parameters
    ----------
    pooled : PooledSamples
        All runs of one solute in one solvent.
    states : sequence of int
        λ index of every run, in the order of ``pooled.segments``.
    outer : sequence of (str, str)
        (solute type, solvent type) of the pairs whose ε will change.
    probes : sequence of mapping of pair to float
        ε that span those of interest: frames without weight at all of them are dropped. The middle one gives ``path_error``.

    Raises
    ------
    SettingsError
        A solute type that is among the solvent's.
    """
    own, others = {a for a, _ in outer}, {b for _, b in outer}
    if own & others:
        raise SettingsError(f"types of both solute and solvent: {', '.join(sorted(own & others))}")
    last = len(pooled.lambdas) - 1
    columns = [pooled.pairs.index(sorted_pair(*pair)) for pair in outer]
    inside = [k for k, pair in enumerate(pooled.pairs) if set(pair) <= own and np.any(pooled.coupled_sums[:, k])]
    coupled, solute = pooled.coupled_sums, pooled.solute_sums[last]
    energy = kt(pooled.reference.temperature)
    nothing = {pair: 0.0 for pair in pooled.pairs if set(pair) & own}
    bare = pooled.reduced_energy(0, nothing)
    log_denominator = pooled.solution.log_denominator
    sums = np.concatenate([solute[:, columns], coupled[:, inside]], axis=1)
    offsets = bare + log_denominator
    keep = np.zeros(len(offsets), dtype=bool)
    free = np.zeros(len(offsets), dtype=bool)
    for probe in probes:
        values = np.array([probe[sorted_pair(*pooled.pairs[k])] for k in (*columns, *inside)])
        exponent = -(offsets + sums @ values / energy)
        weights = np.exp(exponent - logsumexp(exponent))
        keep |= weights * np.count_nonzero(weights > 1e-12) > NEGLIGIBLE
        exponent = -(offsets + coupled[:, inside] @ values[len(columns) :] / energy)
        weights = np.exp(exponent - logsumexp(exponent))
        free |= weights * np.count_nonzero(weights > 1e-12) > NEGLIGIBLE
    keep &= np.abs(sums).max(axis=1) < _LARGEST * QUANTUM
    middle = probes[len(probes) // 2]
    u_1, u_0 = pooled.reduced_energy(last, middle), pooled.reduced_energy(0, middle)
    phi = influence(pooled.solution, u_1) - influence(pooled.solution, u_0)
    path = float(np.sqrt(variance_by_segment(phi, pooled.segments, states).sum()))
    if inside:
        free_offsets, free_sums = _in_steps(offsets[free]), coupled[free][:, inside]
    else:
        free_offsets, free_sums = np.array([-logsumexp(-offsets)]), np.zeros((1, 0))
    shift = float(_in_steps(offsets[keep].mean()))
    return ReducedSums(
        pairs=tuple(outer),
        inner_pairs=tuple(pooled.pairs[k] for k in inside),
        sums=np.rint(sums[keep] / QUANTUM).astype(np.int16),
        offsets=_in_steps(offsets[keep] - shift).astype(np.float32),
        inefficiency=pooled.inefficiency[keep].astype(np.float32),
        free_sums=np.rint(np.clip(free_sums / QUANTUM, -_LARGEST, _LARGEST)).astype(np.int16),
        free_offsets=(free_offsets - shift).astype(np.float32),
        temperature=pooled.reference.temperature,
        path_error=energy * path,
        n_frames=len(offsets),
    )


def _in_steps(offsets: npt.ArrayLike) -> FloatArray:
    return np.asarray(np.rint(np.asarray(offsets) / QUANTUM) * QUANTUM)
