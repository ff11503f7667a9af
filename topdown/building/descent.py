"""A minimiser for preparing coordinates: limited-memory BFGS (Nocedal and Wright, Numerical Optimization, 2006, ch. 7) with a
backtracking line search and a longest step.

Vectors here are short or of middle length; sums over them are taken without BLAS, whose threads cost more than they bring and
compete with everything else on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.model._arrays import FloatArray

EnergyAndGradient = Callable[[FloatArray], tuple[float, FloatArray]]

#: Pairs of steps and changes of gradient that are kept.
_MEMORY: Final = 10
#: Part of the decrease promised by the slope that a step must bring, and how often it may be shortened.
_ARMIJO: Final = 1e-4
_MOST_CUTS: Final = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Descent:
    """Where a descent ended: positions, energy there, and number of steps taken."""

    positions: FloatArray
    energy: float
    n_steps: int


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.multiply(a, b).sum())


def descend(
    start: FloatArray,
    energy_and_gradient: EnergyAndGradient,
    *,
    max_steps: int,
    longest_move: float,
    energy_tolerance: float = 0.0,
    gradient_tolerance: float = 0.0,
) -> Descent:
    """Go downhill from ``start``; the energy never rises.

    Parameters
    ----------
    start : (n, 3) float64 [nm]
    energy_and_gradient : callable
        Positions (n, 3) → energy [kJ/mol] and its gradient (n, 3) [kJ/mol/nm].
    max_steps : int
    longest_move : float
        No coordinate moves farther in one step [nm].
    energy_tolerance : float
        Stop once five steps in a row have not lowered the energy by more [kJ/mol].
    gradient_tolerance : float
        Stop once no component of the gradient is larger [kJ/mol/nm].
    """
    x = np.array(start, dtype=float)
    energy, gradient = energy_and_gradient(x)
    steps: list[FloatArray] = []
    changes: list[FloatArray] = []
    idle = 0
    for taken in range(max_steps):
        if float(np.abs(gradient).max(initial=0.0)) <= gradient_tolerance or idle >= 5:
            return Descent(positions=x, energy=energy, n_steps=taken)
        direction = _direction(gradient, steps, changes)
        slope = _dot(direction, gradient)
        if not slope < 0.0:
            steps, changes, direction = [], [], -gradient
            slope = _dot(direction, gradient)
        # The first step of a fresh memory has no scale of its own: a tenth of the longest move.
        reach = longest_move if steps else 0.1 * longest_move
        largest = float(np.abs(direction).max())
        length = min(1.0, reach / largest) if steps else reach / largest
        found = _along(x, energy, direction, slope, length, energy_and_gradient)
        if found is None:
            if not steps:
                return Descent(positions=x, energy=energy, n_steps=taken)
            steps, changes = [], []
            continue
        there, lower, its_gradient = found
        step, change = there - x, its_gradient - gradient
        if _dot(step, change) > 1e-12 * _dot(change, change):
            steps, changes = [*steps[1 - _MEMORY :], step], [*changes[1 - _MEMORY :], change]
        idle = idle + 1 if energy - lower <= energy_tolerance else 0
        x, energy, gradient = there, lower, its_gradient
    return Descent(positions=x, energy=energy, n_steps=max_steps)


def _direction(gradient: FloatArray, steps: list[FloatArray], changes: list[FloatArray]) -> FloatArray:
    """Minus the approximate inverse Hessian times the gradient: the two-loop recursion."""
    q = gradient.copy()
    curvatures = [1.0 / _dot(s, y) for s, y in zip(steps, changes)]
    weights = []
    for s, y, rho in zip(reversed(steps), reversed(changes), reversed(curvatures)):
        weight = rho * _dot(s, q)
        weights.append(weight)
        q -= weight * y
    if steps:
        q *= _dot(steps[-1], changes[-1]) / _dot(changes[-1], changes[-1])
    for s, y, rho, weight in zip(steps, changes, curvatures, reversed(weights)):
        q += (weight - rho * _dot(y, q)) * s
    return -q


def _along(
    x: FloatArray, energy: float, direction: FloatArray, slope: float, length: float, evaluate: EnergyAndGradient
) -> tuple[FloatArray, float, FloatArray] | None:
    """The first of ever shorter steps that lowers the energy enough, or None."""
    for _ in range(_MOST_CUTS):
        there = x + length * direction
        lower, gradient = evaluate(there)
        if np.isfinite(lower) and lower <= energy + _ARMIJO * length * slope:
            return there, lower, gradient
        # The minimum of the parabola through both energies and the slope, kept within a tenth and a half of the step.
        bend = lower - energy - length * slope
        best = -0.5 * length * length * slope / bend if np.isfinite(bend) and bend > 0 else 0.5 * length
        length = min(max(best, 0.1 * length), 0.5 * length)
    return None
