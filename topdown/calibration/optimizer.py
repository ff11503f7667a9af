"""Gauss-Newton with Levenberg's damping, bounds, and a trust region that is a question: "can this point be trusted?"

Reweighting is only valid where enough effective samples are left. A step that leaves that region is cut back along its
own direction to the last trusted point, and the result says that it was limited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.calibration.cost import Cost, Residuals
from topdown.errors import SamplingError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LeastSquaresResult:
    """Where a fit ended.

    Attributes
    ----------
    x : (P,) float64
    residuals : Residuals
        At ``x``.
    covariance : (P, P) float64
        (JᵀJ)⁻¹ at ``x``: posterior covariance when the prior is among the residuals.
    limited : bool
        The trust region, not the cost, ended the fit.
    converged : bool
        The last step was below the tolerance.
    n_iterations : int
    """

    x: FloatArray
    residuals: Residuals
    covariance: FloatArray
    limited: bool
    converged: bool
    n_iterations: int


def minimize_least_squares(
    cost: Cost,
    start: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    trusted: Callable[[FloatArray], bool],
    *,
    tolerance: float = 1e-3,
    max_iterations: int = 50,
) -> LeastSquaresResult:
    """Minimise ½ Σ r² inside bounds and trust region.

    Parameters
    ----------
    cost : Cost
        Residuals and Jacobian.
    start : (P,) float64
        A trusted point.
    lower, upper : (P,) float64
        Bounds.
    trusted : function of (P,) array
        Whether the cost may be believed there.
    tolerance : float
        Stop when a step is shorter than this many posterior standard deviations, √(δᵀJᵀJδ).
    max_iterations : int
        Steps tried before giving up.

    Raises
    ------
    SamplingError
        ``start`` itself is not trusted.
    """
    x = np.clip(start, lower, upper)
    if not trusted(x):
        raise SamplingError("the point simulated has too few effective samples itself", hint="sample longer")
    here = cost(x)
    damping, limited, converged, iteration = 0.0, False, False, 0
    while iteration < max_iterations and not converged:
        iteration += 1
        wanted = np.clip(x + _step(here, x, lower, upper, damping), lower, upper)
        reached, limited = _cut_back(x, wanted, trusted)
        step = reached - x
        length = float(np.linalg.norm(here.jacobian @ step))
        if length < tolerance:
            converged = True
            break
        there = cost(reached)
        if there.cost <= here.cost:
            x, here, damping = reached, there, damping / 10.0 if damping > 1e-6 else 0.0
        else:
            damping = max(10.0 * damping, 1e-3)
            limited = False
    covariance: FloatArray = np.asarray(
        np.linalg.pinv(here.jacobian.T @ here.jacobian, hermitian=True), dtype=np.float64
    )
    return LeastSquaresResult(
        x=x,
        residuals=here,
        covariance=covariance,
        limited=limited,
        converged=converged,
        n_iterations=iteration,
    )


def _step(here: Residuals, x: FloatArray, lower: FloatArray, upper: FloatArray, damping: float) -> FloatArray:
    """The damped Gauss-Newton step over parameters that are not held by a bound they push against."""
    jacobian = here.jacobian
    gradient = jacobian.T @ here.values
    free = ~(((x <= lower) & (gradient > 0)) | ((x >= upper) & (gradient < 0)))
    step = np.zeros_like(x)
    if free.any():
        curvature = jacobian[:, free].T @ jacobian[:, free]
        damped = curvature + damping * np.diag(np.diag(curvature)) + 1e-12 * np.trace(curvature) * np.eye(free.sum())
        step[free] = -np.linalg.solve(damped, gradient[free]) if np.trace(curvature) > 0 else 0.0
    return step


def _cut_back(x: FloatArray, wanted: FloatArray, trusted: Callable[[FloatArray], bool]) -> tuple[FloatArray, bool]:
    """The farthest trusted point on the way to ``wanted`` (to 1 % of the way), and whether it is short of it."""
    if trusted(wanted):
        return wanted, False
    inside, outside = 0.0, 1.0
    while outside - inside > 0.01:
        middle = 0.5 * (inside + outside)
        if trusted(x + middle * (wanted - x)):
            inside = middle
        else:
            outside = middle
    return x + inside * (wanted - x), True
