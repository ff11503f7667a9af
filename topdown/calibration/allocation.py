"""Which simulations to repeat: those that lower the posterior variance most for their beads × steps.

The variance of the parameters, A = Σ_j V_jj/W_jj with V the posterior and W the prior variance, depends on the statistical
errors through S = Σ_s l_s l_sᵀ, a sum over simulated systems. One more run of system s, worth f times the effective samples
there are now, takes l_s l_sᵀ to l_s l_sᵀ/(1 + f). Systems are taken one after the other by gain per cost; ties go to the name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.calibration.error_model import ErrorModel, TargetValues
from topdown.calibration.fit import posterior_covariance
from topdown.calibration.parameters import ParameterSpace

FloatArray = npt.NDArray[np.float64]

#: Nothing is repeated when endless runs would lower A by less than this part.
ENOUGH = 0.1
#: A round takes every system whose gain per cost is at least this part of the best one's.
WORTH = 0.25


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one more run of a system costs and brings.

    Attributes
    ----------
    cost : int
        Beads × steps.
    fresh : float
        Effective samples a new run adds, in those there are now.
    """

    cost: int
    fresh: float


def relative_variance(
    space: ParameterSpace, values: TargetValues, errors: ErrorModel, *, simulation: bool = True
) -> float:
    """A: posterior variances in prior variances, added up."""
    covariance = posterior_covariance(space, values, errors, simulation=simulation)
    return float(np.sum(np.diag(covariance) / space.prior_widths() ** 2))


def md_share(space: ParameterSpace, values: TargetValues, errors: ErrorModel) -> float:
    """By which part endless simulations would lower A."""
    now = relative_variance(space, values, errors)
    return 1.0 - relative_variance(space, values, errors, simulation=False) / now


def choose_runs(
    space: ParameterSpace,
    values: TargetValues,
    errors: ErrorModel,
    offers: Mapping[str, Offer],
    budget: int,
    *,
    only: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Systems to run once more, best first.

    Parameters
    ----------
    space, values, errors
        Of a fit.
    offers : mapping of system to Offer
    budget : int
        Beads × steps that may be spent.
    only : sequence of str, optional
        Choose among these, and take all that can be paid; else stop where little is gained.
    """
    if only is None and md_share(space, values, errors) < ENOUGH:
        return ()
    left = sorted(set(offers) if only is None else set(only))
    chosen: list[str] = []
    best_rate = 0.0
    while True:
        affordable = [s for s in left if offers[s].cost <= budget]
        if not affordable:
            return tuple(chosen)
        now = relative_variance(space, values, errors)
        gains = {s: now - relative_variance(space, values, _with_run(values, errors, s, offers[s])) for s in affordable}
        rates = {s: gains[s] / offers[s].cost for s in affordable}
        best = max(affordable, key=lambda s: (rates[s], s))
        best_rate = max(best_rate, rates[best])
        if only is None and (gains[best] <= 0.0 or rates[best] < WORTH * best_rate):
            return tuple(chosen)
        chosen.append(best)
        left.remove(best)
        budget -= offers[best].cost
        errors = _with_run(values, errors, best, offers[best])


def _with_run(values: TargetValues, errors: ErrorModel, system: str, offer: Offer) -> ErrorModel:
    """The error model after one more run of ``system``."""
    leg = values.legs.get(system)
    if leg is None:
        return errors
    saved = np.zeros_like(errors.simulation)
    for block in errors.blocks:
        at = np.ix_(block, block)
        saved[at] = np.outer(leg[list(block)], leg[list(block)]) * offer.fresh / (1.0 + offer.fresh)
    return replace(errors, simulation=errors.simulation - saved)
