"""Runs of one system brought to a common form: the state of each, and its sums in the order of one list of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.time_series import detect_equilibration, statistical_inefficiency
from topdown.model.samples import PairSums, WindowSamples
from topdown.units import KJ_MOL_NM3_TO_BAR, kt

FloatArray = npt.NDArray[np.float64]
Pair = tuple[str, str]


def sorted_pair(a: str, b: str) -> Pair:
    """The pair of bead types in the order used as a key."""
    return (a, b) if a <= b else (b, a)


@dataclass(frozen=True, slots=True)
class State:
    """Thermodynamic state: λ index, temperature [K], pressure [bar], and ε [kJ/mol] of the union of pairs."""

    lambda_index: int
    temperature: float
    pressure: float | None
    epsilon: tuple[float, ...]


def reduced_energy(
    state: State,
    coupled: FloatArray,
    solute: FloatArray,
    charging: FloatArray,
    rest: FloatArray,
    volume: FloatArray,
) -> FloatArray:
    """u of every frame (N,) in ``state``, from S (N, P), T (n_lambda, N, P), λ^c C (n_lambda, N), U_rest and V (N,)."""
    epsilon = np.asarray(state.epsilon)
    energy = coupled @ epsilon + rest
    if state.lambda_index >= 0:
        energy = energy + solute[state.lambda_index] @ epsilon + charging[state.lambda_index]
    if state.pressure is not None:
        energy = energy + state.pressure / KJ_MOL_NM3_TO_BAR * volume
    return np.asarray(energy / kt(state.temperature))


def common_pairs(runs: Sequence[WindowSamples]) -> tuple[Pair, ...]:
    """Every pair of bead types that occurs in the runs, sorted.

    Raises
    ------
    SamplingError
        No runs.
    SettingsError
        Runs that are not of one system, or not on one path.
    """
    if not runs:
        raise SamplingError("there are no runs to pool")
    first = runs[0]
    for run in runs[1:]:
        if run.system != first.system:
            raise SettingsError(f"runs of {first.system!r} and of {run.system!r} cannot be pooled")
        if (run.sums.pairs, run.sums.solute_pairs) != (first.sums.pairs, first.sums.solute_pairs):
            raise SettingsError("runs hold sums of different bead-type pairs", where=first.system)
        if _path(run) != _path(first):
            grids = f"{_path(first)} and {_path(run)}"
            raise SettingsError(
                f"runs have different λ grids: {grids}", where=first.system, hint="use one grid for a system"
            )
        if (run.pressure is None) != (first.pressure is None):
            raise SettingsError("runs at constant volume and at constant pressure together", where=first.system)
    return tuple(sorted({sorted_pair(*p) for p in (*first.sums.pairs, *first.sums.solute_pairs)}))


def _path(run: WindowSamples) -> list[list[float]]:
    """λ and charge λ of every state."""
    return [np.asarray(run.sums.lambdas).tolist(), np.asarray(run.sums.charge_lambdas).tolist()]


def state_of_run(run: WindowSamples, pairs: tuple[Pair, ...]) -> State:
    """The state of a run, its ε in the order of ``pairs``."""
    keys = [sorted_pair(*p) for p in (*run.sums.pairs, *run.sums.solute_pairs)]
    if len(keys) != len(run.epsilon):
        raise SettingsError(f"{len(run.epsilon)} values of ε for {len(keys)} pairs", where=run.system)
    epsilon: dict[Pair, float] = {}
    for key, value in zip(keys, run.epsilon):
        if epsilon.setdefault(key, float(value)) != float(value):
            raise SettingsError(f"two values of ε for {key[0]}-{key[1]} in one run", where=run.system)
    return State(run.lambda_index, run.temperature, run.pressure, tuple(epsilon[p] for p in pairs))


def aligned_sums(frames: PairSums, pairs: tuple[Pair, ...]) -> tuple[FloatArray, FloatArray]:
    """S (n, P) and T (n_lambda, n, P) in the order of ``pairs``; a pair that one of them lacks is zero there."""
    solute_sums = np.asarray(frames.solute_sums)
    coupled = np.zeros((frames.n_frames, len(pairs)))
    solute = np.zeros((solute_sums.shape[1], frames.n_frames, len(pairs)))
    for column, pair in enumerate(frames.pairs):
        coupled[:, pairs.index(sorted_pair(*pair))] += frames.sums[:, column]
    for column, pair in enumerate(frames.solute_pairs):
        solute[:, :, pairs.index(sorted_pair(*pair))] += solute_sums[:, :, column].T
    return coupled, solute


def charging_energy(frames: PairSums) -> FloatArray:
    """λ^c C (n_lambda, n)."""
    return np.outer(np.asarray(frames.charge_lambdas), np.asarray(frames.solute_coulomb))


def stationary_frames(run: WindowSamples, state: State, discard_transient: bool) -> tuple[PairSums, float]:
    """The frames of a run to use, and their statistical inefficiency.

    The inefficiency is the worst of two series: the run's own reduced enthalpy, and its difference between the
    neighbouring λ, which is what the free energy rests on.
    """
    frames = run.sums
    pairs = tuple(sorted({sorted_pair(*p) for p in (*frames.pairs, *frames.solute_pairs)}))
    coupled, solute = aligned_sums(frames, pairs)

    def reduced(lambda_index: int) -> FloatArray:
        at = State(lambda_index, state.temperature, state.pressure, state.epsilon)
        return reduced_energy(at, coupled, solute, charging_energy(frames), frames.rest_energy, frames.volume)

    series = [reduced(run.lambda_index)]
    n_lambda, k = len(np.asarray(frames.lambdas)), run.lambda_index
    if k >= 0 and n_lambda > 1:
        series.append(reduced(min(k + 1, n_lambda - 1)) - reduced(max(k - 1, 0)))
    start = detect_equilibration(series[0]).start if discard_transient else 0
    g = max(statistical_inefficiency(values[start:]) for values in series)
    if start == 0:
        return frames, g
    return frames.frames(slice(start, None)), g
