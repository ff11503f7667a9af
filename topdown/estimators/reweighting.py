"""From the stored sums of all runs of one system to free energies and averages at any other ε.

With σ held, the energy is linear in ε (:mod:`topdown.model.samples`): in the state (ε, λ, T, p) a pooled frame has

    u = β [Σ_p ε_p S_p(λ) + λ^c C + U_rest + p V],   S_p(λ) = S_p + T_p(λ),

λ^c being the factor of the solute's Coulomb energy C at this λ, S_p over the coupled beads (solvent-solvent pairs included) and
T_p along the soft-core path of the solute. MBAR over all sampled states gives weights in any other. The coupling free energy is
ΔG(ε) = [f(λ=1, ε) - f(λ=0, ε)]/β: since both ends carry the same solvent-solvent ε, the free energy of the pure solvent cancels,
in the value and the derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.free_energy import coupling_derivatives, kish_effective_samples, weighted_mean
from topdown.estimators.mbar import (
    MbarReplicates,
    MbarResult,
    Perturbation,
    Segment,
    bootstrap_mbar,
    mbar,
    pairwise_overlap,
    weakest_link,
)
from topdown.estimators.run_states import (
    Pair,
    State,
    aligned_sums,
    charging_energy,
    common_pairs,
    reduced_energy,
    sorted_pair,
    state_of_run,
    stationary_frames,
)
from topdown.model.samples import PairSums, WindowSamples
from topdown.units import kt

__all__ = [
    "MIN_EFFECTIVE",
    "MIN_OVERLAP",
    "Pair",
    "PooledSamples",
    "ReweightedValue",
    "pool_samples",
    "sorted_pair",
]

FloatArray = npt.NDArray[np.float64]
Observable = Callable[[PairSums], FloatArray]
ObservableGradient = Callable[[PairSums], Mapping[Pair, FloatArray]]

#: Fewer effective samples than this give no number (PHYSICS: "trust ≥ 50").
MIN_EFFECTIVE = 50.0
#: Pairwise overlap below which a chain of states counts as broken (Klimovich, Shirts, Mobley 2015).
MIN_OVERLAP = 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class ReweightedValue:
    """A number at some ε with its derivatives.

    Attributes
    ----------
    value, standard_error : float
        The error is from the block bootstrap; nan when it was not asked for.
    pairs : tuple of (str, str)
        Bead-type pairs the derivatives are with respect to.
    gradient, gradient_error : (P,) float64
        ∂value/∂ε_p, and its standard error (nan when not asked for).
    hessian : (P, P) float64 or None
        Second derivatives, for free energies.
    n_effective : float
        Independent samples behind the worse of the states involved.
    overlap : float
        Weakest pairwise overlap on the best chain between the two ends; 1 when only one state is involved.
    """

    value: float
    standard_error: float
    pairs: tuple[Pair, ...]
    gradient: FloatArray
    gradient_error: FloatArray
    n_effective: float
    hessian: FloatArray | None = None
    overlap: float = 1.0

    def gradient_of(self, pair: Pair) -> float:
        """∂value/∂ε of ``pair``; 0 for a pair that does not occur in the system."""
        key = sorted_pair(*pair)
        return float(self.gradient[self.pairs.index(key)]) if key in self.pairs else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class PooledSamples:
    """All frames of one system, with the MBAR solution over every state sampled. Made by :func:`pool_samples`.

    Attributes
    ----------
    system : str
    pairs : tuple of (str, str)
        Union of solvent and solute pairs, sorted.
    lambdas : (n_lambda,) float64
    coupled_sums : (N, P) float64
        S_p.
    solute_sums : (n_lambda, N, P) float64
        T_p(λ).
    charging : (n_lambda, N) float64
        λ^c C.
    rest_energy, volume, inefficiency : (N,) float64
        Inefficiency is the g of the run a frame is from.
    segments : tuple of Segment
        Columns of each run.
    frames : tuple of PairSums
        The frames kept of each run, for other observables.
    reference : State
        ε, temperature and pressure of the last run: what is not given to a method keeps these values.
    sampled : tuple of State
        The states of ``solution``.
    solution : MbarResult
    replicates : MbarReplicates or None
    """

    system: str
    pairs: tuple[Pair, ...]
    lambdas: FloatArray
    coupled_sums: FloatArray
    solute_sums: FloatArray
    charging: FloatArray
    rest_energy: FloatArray
    volume: FloatArray
    inefficiency: FloatArray
    segments: tuple[Segment, ...]
    frames: tuple[PairSums, ...]
    reference: State
    sampled: tuple[State, ...]
    solution: MbarResult
    replicates: MbarReplicates | None = field(default=None)

    @property
    def n_frames(self) -> int:
        """Frames pooled."""
        return len(self.volume)

    @property
    def states(self) -> tuple[int, ...]:
        """λ index of every state of ``solution``."""
        return tuple(state.lambda_index for state in self.sampled)

    def reduced_energy(
        self,
        lambda_index: int,
        theta: Mapping[Pair, float] | None = None,
        *,
        temperature: float | None = None,
        pressure: float | None = None,
    ) -> FloatArray:
        """u of every frame (N,) in one state, for the estimators of :mod:`topdown.estimators.planning`; what is not given
        is that of the last run."""
        return self._reduced_in(self._state(self.epsilon(theta), lambda_index, temperature, pressure))

    def epsilon(self, theta: Mapping[Pair, float] | None = None) -> FloatArray:
        """ε of ``pairs`` (P,) [kJ/mol]: those in ``theta``, the others as in the last run.

        Pairs of ``theta`` that do not occur in this system are ignored.
        """
        given = {sorted_pair(*pair): value for pair, value in (theta or {}).items()}
        return np.array([given.get(p, e) for p, e in zip(self.pairs, self.reference.epsilon)], dtype=np.float64)

    def coupling_free_energy(
        self,
        theta: Mapping[Pair, float] | None = None,
        *,
        temperature: float | None = None,
        pressure: float | None = None,
        min_effective: float = MIN_EFFECTIVE,
        min_overlap: float = MIN_OVERLAP,
        error: bool = True,
    ) -> ReweightedValue:
        """ΔG of coupling the solute, G(λ=1) - G(λ=0) [kJ/mol], at the ε of ``theta`` and any temperature and pressure.

        Parameters
        ----------
        theta : mapping of pair to float, optional
            ε [kJ/mol]; pairs not given keep the values of the last run.
        temperature, pressure : float, optional
            [K], [bar]; default those of the last run. The derivatives are those along ε at this temperature and pressure.
        min_effective : float
            Refuse with fewer effective samples in either end state.
        min_overlap : float
            Refuse when no chain of sampled states with at least this overlap joins the ends; only with ``error``.
        error : bool
            Also compute overlap and bootstrap errors.

        Raises
        ------
        SamplingError
            No solute, too few effective samples, or too little overlap.
        SettingsError
            A temperature that is not positive, or a pressure for runs at constant volume.
        """
        if len(self.lambdas) < 2 or self.lambdas[0] != 0.0 or self.lambdas[-1] != 1.0:
            raise SamplingError(
                f"a coupling free energy needs runs from λ = 0 to λ = 1, got {self.lambdas.tolist()}", where=self.system
            )
        epsilon, last = self.epsilon(theta), len(self.lambdas) - 1
        at = self._state(epsilon, last, temperature, pressure)
        u_0, u_1 = self._reduced_in(replace(at, lambda_index=0)), self._reduced_in(at)
        end_0, end_1 = self._perturb(u_0), self._perturb(u_1)
        n_effective = min(self._effective(end_0), self._effective(end_1))
        self._require(n_effective, min_effective, at)
        sums_0, sums_1 = self._sums(0), self._sums(last)
        energy = kt(at.temperature)
        gradient, hessian = coupling_derivatives(end_0.weights, end_1.weights, sums_0, sums_1, 1.0 / energy)
        standard_error, gradient_error, overlap = float("nan"), np.full(len(self.pairs), np.nan), 1.0
        if error:
            overlap = self._path_overlap(end_0, end_1)
            if overlap < min_overlap:
                raise SamplingError(
                    f"the weakest overlap between λ = 0 and λ = 1 is {overlap:.3f}, below {min_overlap:g}",
                    where=self.system,
                    hint="add λ values between",
                )
            replicates = self._require_replicates()
            (f_0, w_0), (f_1, w_1) = replicates.perturb(u_0), replicates.perturb(u_1)
            standard_error = energy * float(np.std(f_1 - f_0, ddof=1))
            slopes = np.stack([weighted_mean(b, sums_1) - weighted_mean(a, sums_0) for a, b in zip(w_0, w_1)])
            gradient_error = np.std(slopes, axis=0, ddof=1)
        return ReweightedValue(
            value=energy * (end_1.f - end_0.f),
            standard_error=standard_error,
            pairs=self.pairs,
            gradient=gradient,
            gradient_error=gradient_error,
            hessian=hessian,
            n_effective=n_effective,
            overlap=overlap,
        )

    def average(
        self,
        observable: Observable,
        theta: Mapping[Pair, float] | None = None,
        *,
        lambda_index: int = -1,
        temperature: float | None = None,
        pressure: float | None = None,
        explicit_gradient: ObservableGradient | None = None,
        min_effective: float = MIN_EFFECTIVE,
        error: bool = True,
    ) -> ReweightedValue:
        """⟨O⟩ at the ε of ``theta`` and at any temperature and pressure, with ∂⟨O⟩/∂ε_p = ⟨∂O/∂ε_p⟩ - β Cov(O, S_p).

        Parameters
        ----------
        observable : function of PairSums
            O of every frame, (n_frames,).
        theta : mapping of pair to float, optional
            ε [kJ/mol]; pairs not given keep the values of the last run.
        lambda_index : int
            Which λ; -1 in a liquid.
        temperature, pressure : float, optional
            [K], [bar]; default those of the last run.
        explicit_gradient : function of PairSums, optional
            ∂O/∂ε of every frame for the pairs O itself depends on.
        min_effective : float
            Refuse with fewer effective samples.
        error : bool
            Also compute bootstrap errors.

        Raises
        ------
        SamplingError
            Too few effective samples.
        SettingsError
            A λ index that does not exist, a temperature that is not positive, or a pressure for runs at constant volume.
        """
        if not (lambda_index == -1 and not len(self.lambdas)) and not 0 <= lambda_index < len(self.lambdas):
            raise SettingsError(f"λ index {lambda_index} does not exist", where=self.system)
        epsilon = self.epsilon(theta)
        at = self._state(epsilon, lambda_index, temperature, pressure)
        u = self._reduced_in(at)
        state = self._perturb(u)
        n_effective = self._effective(state)
        self._require(n_effective, min_effective, at)
        values = np.concatenate([observable(frames) for frames in self.frames])
        explicit = self._explicit(explicit_gradient)
        sums, beta = self._sums(lambda_index), 1.0 / kt(at.temperature)
        value, gradient = _mean_and_slope(state.weights, values, sums, explicit, beta)
        standard_error, gradient_error = float("nan"), np.full(len(self.pairs), np.nan)
        if error:
            _, weights = self._require_replicates().perturb(u)
            again = [_mean_and_slope(w, values, sums, explicit, beta) for w in weights]
            standard_error = float(np.std([v for v, _ in again], ddof=1))
            gradient_error = np.std([g for _, g in again], axis=0, ddof=1)
        return ReweightedValue(
            value=value,
            standard_error=standard_error,
            pairs=self.pairs,
            gradient=gradient,
            gradient_error=gradient_error,
            n_effective=n_effective,
        )

    def effective_samples(self, theta: Mapping[Pair, float] | None = None) -> float:
        """Independent samples at the ε of ``theta``: the smaller of both ends with a solute, else of the liquid."""
        ends = (0, len(self.lambdas) - 1) if len(self.lambdas) else (-1,)
        return min(self.effective_samples_at(k, theta) for k in ends)

    def effective_samples_at(self, lambda_index: int, theta: Mapping[Pair, float] | None = None) -> float:
        """Independent samples at one λ and the ε of ``theta``."""
        return self._effective(self._perturb(self.reduced_energy(lambda_index, theta)))

    def last_overlaps(self) -> tuple[tuple[int, ...], FloatArray]:
        """λ indices (K) of the states sampled at the ε, temperature and pressure of the last run, in order, and the pairwise
        overlap (K, K) of each with each."""
        last = self.reference
        chosen = sorted(
            (state.lambda_index, k)
            for k, state in enumerate(self.sampled)
            if (state.epsilon, state.temperature, state.pressure) == (last.epsilon, last.temperature, last.pressure)
        )
        weights = self.solution.weights[[k for _, k in chosen]]
        return tuple(index for index, _ in chosen), pairwise_overlap(weights)

    def _sums(self, lambda_index: int) -> FloatArray:
        return self.coupled_sums if lambda_index < 0 else self.coupled_sums + self.solute_sums[lambda_index]

    def _state(
        self, epsilon: FloatArray, lambda_index: int, temperature: float | None = None, pressure: float | None = None
    ) -> State:
        at_temperature = self.reference.temperature if temperature is None else temperature
        at_pressure = self.reference.pressure if pressure is None else pressure
        if not 0.0 < at_temperature < np.inf:
            raise SettingsError(f"a temperature must be positive, got {at_temperature} K", where=self.system)
        if pressure is not None and (self.reference.pressure is None or not np.isfinite(pressure)):
            raise SettingsError(
                f"runs at constant volume, or no number: {pressure} bar cannot be gone to", where=self.system
            )
        return State(lambda_index, at_temperature, at_pressure, tuple(epsilon))

    def _reduced_in(self, state: State) -> FloatArray:
        return reduced_energy(state, self.coupled_sums, self.solute_sums, self.charging, self.rest_energy, self.volume)

    def _perturb(self, u_n: FloatArray) -> Perturbation:
        return self.solution.perturb(u_n)

    def _effective(self, state: Perturbation) -> float:
        return kish_effective_samples(state.weights, self.inefficiency)

    def _require(self, n_effective: float, least: float, state: State) -> None:
        if n_effective < least:
            at = ", ".join(f"{a}-{b} {e:.4g}" for (a, b), e in zip(self.pairs, state.epsilon))
            here, away, what = self.reference, "", "ε"
            if (state.temperature, state.pressure) != (here.temperature, here.pressure):
                away = f", {state.temperature:g} K" + ("" if state.pressure is None else f", {state.pressure:g} bar")
                what = "state"
            raise SamplingError(
                f"only {n_effective:.1f} effective samples, {least:g} are needed, at ε = {at}{away}",
                where=self.system,
                hint=f"simulate at this {what}, or longer",
            )

    def _require_replicates(self) -> MbarReplicates:
        if self.replicates is None:
            raise SamplingError("the samples were pooled without bootstrap replicates", where=self.system)
        return self.replicates

    def _path_overlap(self, end_0: Perturbation, end_1: Perturbation) -> float:
        weights = np.vstack([end_0.weights, end_1.weights, self.solution.weights])
        return weakest_link(pairwise_overlap(weights), 0, 1)

    def _explicit(self, gradient: ObservableGradient | None) -> FloatArray | None:
        if gradient is None:
            return None
        table = np.zeros((self.n_frames, len(self.pairs)))
        for segment, frames in zip(self.segments, self.frames):
            for pair, column in gradient(frames).items():
                table[segment.start : segment.stop, self.pairs.index(sorted_pair(*pair))] = column
        return table


def _mean_and_slope(
    weights: FloatArray, values: FloatArray, sums: FloatArray, explicit: FloatArray | None, beta: float
) -> tuple[float, FloatArray]:
    held = weights > 0
    w, o, s = weights[held], values[held], sums[held]
    mean = float(w @ o)
    slope: FloatArray = -beta * ((w * (o - mean)) @ s)
    return mean, slope if explicit is None else slope + w @ explicit[held]


def pool_samples(
    runs: Sequence[WindowSamples],
    rng: np.random.Generator,
    *,
    n_replicates: int = 50,
    discard_transient: bool = True,
) -> PooledSamples:
    """Pool every run of one system and solve MBAR over all states sampled.

    Parameters
    ----------
    runs : sequence of WindowSamples
        Of one system and one λ grid; any ε, λ, temperature and pressure. The last one sets the reference state.
    rng : numpy.random.Generator
        Draws the bootstrap.
    n_replicates : int
        Bootstrap replicates; 0 leaves all errors out.
    discard_transient : bool
        Drop the start of each run that is not yet stationary (at most half).

    Raises
    ------
    SettingsError
        Runs of different systems, pairs or λ grids, or at constant volume and at constant pressure together.
    SamplingError
        No runs, or MBAR failed.
    """
    pairs = common_pairs(runs)
    kept = [stationary_frames(run, state_of_run(run, pairs), discard_transient) for run in runs]
    segments, start = [], 0
    for frames, g in kept:
        segments.append(Segment(start=start, stop=start + frames.n_frames, inefficiency=g))
        start += frames.n_frames
    aligned = [aligned_sums(frames, pairs) for frames, _ in kept]
    coupled = np.concatenate([a for a, _ in aligned])
    solute = np.concatenate([t for _, t in aligned], axis=1)
    charging = np.concatenate([charging_energy(frames) for frames, _ in kept], axis=1)
    rest = np.concatenate([frames.rest_energy for frames, _ in kept])
    volume = np.concatenate([frames.volume for frames, _ in kept])
    run_states = [state_of_run(run, pairs) for run in runs]
    states = list(dict.fromkeys(run_states))
    n_k = np.array([sum(s.stop - s.start for s, of in zip(segments, run_states) if of == k) for k in states])
    u_kn = np.stack([reduced_energy(state, coupled, solute, charging, rest, volume) for state in states])
    solution = mbar(u_kn, n_k)
    replicates = bootstrap_mbar(solution, segments, rng, n_replicates=n_replicates) if n_replicates else None
    inefficiency = np.concatenate([np.full(s.stop - s.start, s.inefficiency) for s in segments])
    return PooledSamples(
        system=runs[0].system,
        pairs=pairs,
        lambdas=np.asarray(runs[0].sums.lambdas),
        coupled_sums=coupled,
        solute_sums=solute,
        charging=charging,
        rest_energy=rest,
        volume=volume,
        inefficiency=inefficiency,
        segments=tuple(segments),
        frames=tuple(frames for frames, _ in kept),
        reference=run_states[-1],
        sampled=tuple(states),
        solution=solution,
        replicates=replicates,
    )
