"""Block errors and z-scores for the slow physics tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from topdown.estimators.time_series import block_average


def block_mean(samples: Sequence[float] | np.ndarray, *, n_blocks: int = 20) -> tuple[float, float]:
    """Mean and standard error from ``n_blocks`` blocks."""
    result = block_average(samples, n_blocks)
    return result.mean, result.standard_error


def check(
    what: str,
    found: tuple[float, float],
    expected: float,
    own_error: float = 0.0,
    *,
    limit: float = 3.0,
    margin: float = 0.0,
) -> None:
    """Print and compare: within ``limit`` standard errors, or within ``margin`` where one is given."""
    value, error = found
    z = (value - expected) / math.hypot(error, own_error)
    print(f"\n{what}: {value:.5g} ± {error:.2g}, expected {expected:.5g} ± {own_error:.2g}, z = {z:+.2f}")
    assert abs(z) < limit or abs(value - expected) <= margin


def at_most(what: str, value: float, limit: float) -> None:
    """Print and compare a number that has no error of its own."""
    print(f"\n{what}: {value:.3g} (limit {limit:.3g})")
    assert abs(value) <= limit
