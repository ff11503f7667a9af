"""Costs of the form ½ Σ r², which add: targets and prior give one stack of residuals and its Jacobian.

    r = A (calculated(x) - measured),   (AᵀA)⁻¹ = covariance of measured, model and calculated errors,
    r_p = (x_p - x0_p)/width_p

so that the cost is minus the logarithm of a posterior probability, and (JᵀJ)⁻¹ its covariance in Gauss-Newton's
approximation. The statistical error of the calculated value is taken where the fit starts and held, so that the cost
cannot be lowered by losing precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from topdown.calibration.error_model import calculate_targets
from topdown.calibration.parameters import ParameterSpace
from topdown.calibration.targets import Target
from topdown.estimators.reweighting import PooledSamples

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Residuals:
    """Residuals r (m,) and their Jacobian ∂r/∂x (m, P)."""

    values: FloatArray
    jacobian: FloatArray

    @property
    def cost(self) -> float:
        """½ Σ r²."""
        return 0.5 * float(self.values @ self.values)


class Cost(Protocol):
    """Residuals as a function of the parameter vector."""

    def __call__(self, x: FloatArray) -> Residuals:
        """Residuals at ``x`` (P,)."""
        ...


@dataclass(frozen=True, slots=True)
class PriorCost:
    """(x - x0)/width of every parameter."""

    space: ParameterSpace

    def __call__(self, x: FloatArray) -> Residuals:
        """Residuals at ``x`` (P,)."""
        widths = self.space.prior_widths()
        return Residuals(values=(x - self.space.start()) / widths, jacobian=np.diag(1.0 / widths))


@dataclass(frozen=True, eq=False)
class TargetCost:
    """(calculated - measured)/σ of every target, or A (calculated - measured), by reweighting stored samples.

    Attributes
    ----------
    space : ParameterSpace
    targets : sequence of Target
    samples : mapping of system to PooledSamples
    sigmas : (n_targets,) float64
        Total errors; not looked at when there is a whitener.
    whitener : (n_targets, n_targets) float64, optional
        A, see :meth:`topdown.calibration.error_model.ErrorModel.whitener`.
    """

    space: ParameterSpace
    targets: Sequence[Target]
    samples: Mapping[str, PooledSamples]
    sigmas: FloatArray
    whitener: FloatArray | None = None

    def __call__(self, x: FloatArray) -> Residuals:
        """Residuals at ``x`` (P,)."""
        found = calculate_targets(self.targets, self.samples, self.space, x, error=False)
        if self.whitener is not None:
            return Residuals(values=self.whitener @ found.differences, jacobian=self.whitener @ found.jacobian)
        return Residuals(values=found.differences / self.sigmas, jacobian=found.jacobian / self.sigmas[:, None])


@dataclass(frozen=True, slots=True)
class SumCost:
    """Several costs as one."""

    parts: tuple[Cost, ...]

    def __call__(self, x: FloatArray) -> Residuals:
        """Residuals at ``x`` (P,), stacked."""
        found = [part(x) for part in self.parts]
        return Residuals(
            values=np.concatenate([f.values for f in found]), jacobian=np.concatenate([f.jacobian for f in found])
        )
