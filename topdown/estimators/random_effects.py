"""The mean of a few measurements that may differ by more than the errors they state.

Measurements y_k with errors s_k scatter about μ with variance s_k² + τ²; τ is what none of them sees of itself: which molecules
are near a solute, say, where that changes more slowly than a run lasts. A handful of measurements hardly tells τ. Putting in an
estimate of it (Birge 1932) gives errors that are far too small whenever measurements agree by chance: with two, the interval of
two errors holds μ in 70 % of cases at most. τ is therefore integrated over. With a flat prior of μ,

    p(τ | y) ∝ p(τ) Π_k w_k^½ W^-½ exp[-½ Σ_k w_k (y_k - m)²],   w_k = 1/(s_k² + τ²),  W = Σ w_k,  m = Σ w_k y_k / W,

and μ given τ is normal with mean m and variance 1/W (Röver, J. Stat. Softw. 93(6), 2020, doi:10.18637/jss.v093.i06). p(τ) is half
a Cauchy distribution, 1/(1 + τ²/A²), which has its median at A and leaves room for any τ (Gelman, Bayesian Anal. 1, 515, 2006,
doi:10.1214/06-BA117A).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from topdown.errors import SettingsError

#: Fewest measurements: of two, the posterior of μ has no variance.
FEWEST: Final = 3
#: τ/A at which the posterior is summed; what lies outside has 0.1 % of the prior.
_STEPS: Final = np.geomspace(1e-3, 1e3, 241)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonMean:
    """What several measurements have in common.

    Attributes
    ----------
    value, standard_error : float
        Mean and standard deviation of the posterior of μ.
    spread : float
        Median of the posterior of τ, the standard deviation between measurements beyond their errors. With few measurements it
        is largely that of the prior.
    """

    value: float
    standard_error: float
    spread: float


def common_mean(values: npt.ArrayLike, errors: npt.ArrayLike, *, scale: float) -> CommonMean:
    """Mean of independent measurements of one quantity, with an error that holds what they disagree by.

    Parameters
    ----------
    values, errors : (K,) array
        Measurements and their own standard errors, in any one unit; K of at least three.
    scale : float
        A, the standard deviation between measurements that is as likely exceeded as not, in the same unit.

    Raises
    ------
    SettingsError
        Fewer than three measurements, shapes that do not fit, or errors or a scale that are not positive.
    """
    y, s = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or len(y) < FEWEST:
        raise SettingsError(f"a common mean takes {FEWEST} measurements with their errors, got {y.shape} and {s.shape}")
    if not (np.isfinite(y).all() and np.all(s > 0.0) and np.isfinite(s).all() and 0.0 < scale < np.inf):
        raise SettingsError("measurements must be numbers, their errors and the scale positive")
    tau = scale * _STEPS
    weights = 1.0 / (s[:, None] ** 2 + tau**2)
    total = weights.sum(axis=0)
    means = (weights * y[:, None]).sum(axis=0) / total
    misfit = (weights * (y[:, None] - means) ** 2).sum(axis=0)
    # steps are even in ln τ: dτ = τ d(ln τ)
    log_p = 0.5 * (np.log(weights).sum(axis=0) - np.log(total) - misfit) + np.log(_STEPS / (1.0 + _STEPS**2))
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    value = float(p @ means)
    variance = float(p @ (1.0 / total + (means - value) ** 2))
    return CommonMean(value=value, standard_error=variance**0.5, spread=float(np.interp(0.5, np.cumsum(p), tau)))
