"""Free energies between two ends: BAR, thermodynamic integration, and derivatives along linear parameters.

Energies are *reduced*, u = βU without a unit, except where a unit is given. MBAR has its own file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit, logsumexp

from topdown.errors import SettingsError
from topdown.estimators.time_series import statistical_inefficiency

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeEnergyDifference:
    """A reduced free-energy difference and one standard error."""

    delta_f: float
    standard_error: float


def kish_effective_samples(weights: npt.ArrayLike, inefficiency: npt.ArrayLike = 1.0) -> float:
    """(Σw)²/Σ g w²: how many independent, equally weighted frames are worth the weighted ones (Kish 1965).

    Parameters
    ----------
    weights : (N,) array
        Need not be normalised.
    inefficiency : scalar or (N,) array
        Statistical inefficiency g of the run each frame is from.
    """
    w = np.asarray(weights, dtype=np.float64)
    square = float(np.sum(np.asarray(inefficiency, dtype=np.float64) * w**2))
    return float(np.sum(w)) ** 2 / square if square > 0 else 0.0


def bar(
    work_forward: npt.ArrayLike, work_reverse: npt.ArrayLike, *, inefficiency: tuple[float, float] = (1.0, 1.0)
) -> FreeEnergyDifference:
    """Bennett's acceptance ratio between two states (Bennett, J. Comput. Phys. 1976, 22, 245).

    Parameters
    ----------
    work_forward : (n_0,) array
        u_1 - u_0 on frames of state 0.
    work_reverse : (n_1,) array
        u_0 - u_1 on frames of state 1.
    inefficiency : (float, float)
        g of the two series; widens the error.

    Returns
    -------
    FreeEnergyDifference
        f_1 - f_0.
    """
    forward, reverse = np.asarray(work_forward, dtype=np.float64), np.asarray(work_reverse, dtype=np.float64)
    if forward.ndim != 1 or reverse.ndim != 1 or not len(forward) or not len(reverse):
        raise SettingsError(f"BAR needs two series of work values, got shapes {forward.shape} and {reverse.shape}")
    m = float(np.log(len(forward) / len(reverse)))

    def unbalance(delta_f: float) -> float:
        left = logsumexp(log_expit(-(m + forward - delta_f)))
        right = logsumexp(log_expit(-(-m + reverse + delta_f)))
        return float(left - right)

    every = np.concatenate([forward, -reverse])
    low, high = float(every.min()) - abs(m) - 50.0, float(every.max()) + abs(m) + 50.0
    from scipy.optimize import brentq  # slow to load, as are splines

    delta_f = float(brentq(unbalance, low, high, xtol=1e-12, rtol=1e-14))
    variance = 0.0
    for argument, g in ((m + forward - delta_f, inefficiency[0]), (-m + reverse + delta_f, inefficiency[1])):
        fermi = np.exp(log_expit(-argument))
        variance += g * (float(np.mean(fermi**2)) / float(np.mean(fermi)) ** 2 - 1.0) / len(fermi)
    return FreeEnergyDifference(delta_f=delta_f, standard_error=float(np.sqrt(max(variance, 0.0))))


def thermodynamic_integration(
    lambdas: npt.ArrayLike, derivatives: Sequence[npt.ArrayLike], *, rule: str = "trapezoid"
) -> FreeEnergyDifference:
    """∫⟨du/dλ⟩ dλ with the statistical error (the error of the quadrature itself is not in it).

    Parameters
    ----------
    lambdas : (K,) array
        Increasing.
    derivatives : K series
        du/dλ (reduced) on the frames of each λ.
    rule : {"trapezoid", "spline"}
        Straight lines or a natural cubic spline between the λ's.
    """
    grid = np.asarray(lambdas, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2 or len(grid) != len(derivatives) or np.any(np.diff(grid) <= 0):
        raise SettingsError(f"{len(derivatives)} series do not fit λ = {grid.tolist()}, which must increase")
    if rule == "trapezoid":
        weights = np.zeros(len(grid))
        weights[:-1] += 0.5 * np.diff(grid)
        weights[1:] += 0.5 * np.diff(grid)
    elif rule == "spline":
        from scipy.interpolate import CubicSpline

        unit = CubicSpline(grid, np.eye(len(grid)), bc_type="natural")
        weights = np.asarray(unit.integrate(grid[0], grid[-1]))
    else:
        raise SettingsError(f"unknown rule {rule!r}", hint="trapezoid or spline")
    total = variance = 0.0
    for weight, values in zip(weights, derivatives):
        series = np.asarray(values, dtype=np.float64)
        total += float(weight * series.mean())
        variance += float(weight**2 * series.var(ddof=1)) * statistical_inefficiency(series) / len(series)
    return FreeEnergyDifference(delta_f=total, standard_error=float(np.sqrt(variance)))


def coupling_derivatives(
    weights_0: FloatArray, weights_1: FloatArray, sums_0: FloatArray, sums_1: FloatArray, beta: float
) -> tuple[FloatArray, FloatArray]:
    """First and second derivatives of ΔG = G_1 - G_0 with respect to the linear parameters of U = Σ_p ε_p S_p.

        ∂ΔG/∂ε_p = ⟨S_p⟩_1 - ⟨S_p⟩_0,   ∂²ΔG/∂ε_p∂ε_q = -β [Cov_1(S_p, S_q) - Cov_0(S_p, S_q)].

    Parameters
    ----------
    weights_0, weights_1 : (N,) float64
        Normalised weights of the frames in the two states.
    sums_0, sums_1 : (N, P) float64
        S_p of every frame as the two states count it.
    beta : float
        1/kT [mol/kJ].

    Returns
    -------
    (P,) and (P, P) float64
    """
    gradient: FloatArray = np.zeros(sums_0.shape[1])
    hessian: FloatArray = np.zeros((sums_0.shape[1],) * 2)
    for sign, weights, sums in ((-1.0, weights_0, sums_0), (1.0, weights_1, sums_1)):
        mean = weighted_mean(weights, sums)
        centred = _centred(weights, sums, mean)
        gradient += sign * mean
        hessian -= sign * beta * (weights[:, None] * centred).T @ centred
    return gradient, hessian


def weighted_mean(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Σ_n w_n x_n over frames that carry weight: a decoupled frame may hold 1e30 with weight zero."""
    held = weights > 0
    return np.asarray(weights[held] @ values[held])


def _centred(weights: FloatArray, values: FloatArray, mean: FloatArray) -> FloatArray:
    """Deviations from the mean, zero where the weight is zero so that 0 · overflow cannot arise."""
    centred: FloatArray = np.where((weights > 0)[:, None], values - mean, 0.0)
    return centred
