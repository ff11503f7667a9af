"""One fit by reweighting alone: parameters, model errors and outliers together, inside what the samples support.

The parameters are moved with the error model held, the error model is learnt anew where they ended, and so on until neither
changes. Statistical errors of the calculated values are taken where the fit starts and held, so that the cost cannot be
lowered by losing precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.calibration.cost import PriorCost, SumCost, TargetCost
from topdown.calibration.error_model import CostSettings, ErrorModel, TargetValues, calculate_targets, learn_errors
from topdown.calibration.optimizer import minimize_least_squares
from topdown.calibration.parameters import ParameterSpace
from topdown.calibration.targets import Target
from topdown.estimators.reweighting import PooledSamples

FloatArray = npt.NDArray[np.float64]

#: Most turns between parameters and error model; each ends within the tolerance or the last is taken.
MOST_TURNS = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """Where a fit ended.

    Attributes
    ----------
    x : (P,) float64
    values, start_values : TargetValues
        At ``x``, and where the fit started.
    errors : ErrorModel
    limited : bool
        The samples, not the cost, ended it.
    """

    x: FloatArray
    values: TargetValues
    start_values: TargetValues
    errors: ErrorModel
    limited: bool


def fit_targets(
    space: ParameterSpace,
    targets: Sequence[Target],
    samples: Mapping[str, PooledSamples],
    start: FloatArray,
    trusted: Callable[[FloatArray], bool],
    settings: CostSettings,
    *,
    tolerance: float,
    most_turns: int = MOST_TURNS,
) -> Fit:
    """Move from ``start`` to the minimum of the cost of ``targets`` and prior.

    Parameters
    ----------
    space, targets, samples : as of :class:`~topdown.calibration.cost.TargetCost`
    start : (P,) float64
        A trusted point.
    trusted : function of (P,) array
        Whether samples support a point.
    settings : CostSettings
    tolerance : float
        A turn ends when its step is shorter than this many posterior standard deviations.
    most_turns : int

    Raises
    ------
    SamplingError
        ``start`` is not trusted, or there is too little overlap along λ.
    """
    lower, upper = space.bounds()
    x = np.clip(start, lower, upper)
    first = calculate_targets(targets, samples, space, x)
    errors = learn_errors(targets, first, space, x, settings)
    limited = False
    values = first
    for _ in range(most_turns):
        cost = SumCost(
            (
                TargetCost(space, targets, samples, errors.target_errors(), whitener=errors.whitener()),
                PriorCost(space),
            )
        )
        found = minimize_least_squares(cost, x, lower, upper, trusted, tolerance=tolerance)
        moved = float(np.linalg.norm(found.residuals.jacobian @ (found.x - x)))
        x, limited = found.x, found.limited
        here = calculate_targets(targets, samples, space, x, error=False)
        values = replace(here, legs=first.legs, standard_errors=first.standard_errors)
        before, errors = errors, learn_errors(targets, values, space, x, settings, start=errors)
        if errors.resembles(before, 0.02) and moved < 0.1:
            break
    return Fit(x=x, values=values, start_values=first, errors=errors, limited=limited)


def cost_parts(
    space: ParameterSpace, targets: Sequence[Target], values: TargetValues, errors: ErrorModel, x: FloatArray
) -> dict[str, float]:
    """The cost at ``x`` by quantity, and ``prior``; they add up to the whole."""
    parts: dict[str, float] = {}
    for block, cost in zip(errors.blocks, errors.costs(values.differences)):
        quantity = targets[block[0]].quantity
        parts[quantity] = parts.get(quantity, 0.0) + float(cost)
    return {**dict(sorted(parts.items())), "prior": PriorCost(space)(x).cost}


def posterior_covariance(
    space: ParameterSpace, values: TargetValues, errors: ErrorModel, *, simulation: bool = True
) -> FloatArray:
    """(JᵀJ)⁻¹ of targets and prior (P, P); without ``simulation`` as endless runs would have it."""
    whitened = errors.whitener(simulation=simulation) @ values.jacobian
    precision = whitened.T @ whitened + np.diag(space.prior_widths() ** -2.0)
    return np.asarray(np.linalg.inv(precision), dtype=np.float64)


def left_out_residuals(space: ParameterSpace, values: TargetValues, errors: ErrorModel) -> FloatArray:
    """Differences (n,) of each block from a fit without it, by linear algebra: (1 - H_bb)⁻¹ d_b.

    H = J V Jᵀ C⁻¹ is how much each target pulls the fit towards itself. Exact for a linear problem; the full answer, with
    the fit made anew, is :mod:`topdown.calibration.cross_validation`.
    """
    whitened = errors.whitener()
    projected = whitened @ values.jacobian
    leverage = projected @ posterior_covariance(space, values, errors) @ projected.T
    residuals = whitened @ values.differences
    out = np.empty_like(values.differences)
    for block in errors.blocks:
        rows = list(block)
        at = np.ix_(block, block)
        left_out = np.linalg.solve(np.eye(len(rows)) - leverage[at], residuals[rows])
        out[rows] = np.linalg.solve(whitened[at], left_out)
    return out
