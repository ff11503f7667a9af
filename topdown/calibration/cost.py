"""Costs of the form ½ Σ r², which add: targets and prior give one stack of residuals and its Jacobian.

    r_i = (calculated_i(x) - measured_i)/σ_i,   σ_i² = measured² + model² + calculated² errors;   r_p = (x_p - x0_p)/width_p

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
    """(calculated - measured)/σ of every target, by reweighting stored samples.

    Attributes
    ----------
    space : ParameterSpace
    targets : sequence of Target
    samples : mapping of system to PooledSamples
    sigmas : (n_targets,) float64
        Total errors, see :func:`total_errors`.
    """

    space: ParameterSpace
    targets: Sequence[Target]
    samples: Mapping[str, PooledSamples]
    sigmas: FloatArray

    def __call__(self, x: FloatArray) -> Residuals:
        """Residuals at ``x`` (P,)."""
        theta, pairs = self.space.theta(x), self.space.pairs
        found = [t.calculate(self.samples, theta, pairs, min_effective=0.0, error=False) for t in self.targets]
        differences = np.array([f.value - t.measured for f, t in zip(found, self.targets)])
        slopes = np.stack([f.gradient for f in found]) * self.space.slopes(x)
        return Residuals(values=differences / self.sigmas, jacobian=slopes / self.sigmas[:, None])


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


def total_errors(
    targets: Sequence[Target], samples: Mapping[str, PooledSamples], space: ParameterSpace, x: FloatArray
) -> FloatArray:
    """σ_i of every target, (n_targets,), with the statistical error of the calculated value at ``x``.

    Raises
    ------
    SamplingError
        Too little overlap along λ.
    """
    theta = space.theta(x)
    found = [t.calculate(samples, theta, space.pairs, min_effective=0.0, error=True) for t in targets]
    squares = [t.uncertainty**2 + t.model_error**2 + f.standard_error**2 for t, f in zip(targets, found)]
    return np.sqrt(np.array(squares, dtype=np.float64))
