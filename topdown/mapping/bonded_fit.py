"""Force constants from samples: Boltzmann inversion with the right Jacobians.

A term with energy U(q) gives samples P(q) ∝ J(q) exp(-U/kT), J = r² for a distance, sin θ for an angle, 1 for a
dihedral. Harmonic forms are fitted by matching mean and variance of P, Fourier series by moments of cos nφ and sin nφ.

The angle forms that are quadratic in the cosine need no numbers for J: with c = cos θ, sin θ dθ = dc, so that c of a G96
angle is a normal distribution cut off at ±1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topdown.model._arrays import FloatArray

#: Points of the grids over which distributions are integrated.
_GRID = 2001
#: Least standard deviations taken seriously: 1e-4 nm, 0.01 degrees, in a cosine, in radians.
_LEAST_SD_NM, _LEAST_SD_COSINE, _LEAST_SD_RAD = 1e-4, 1e-4, 1.7e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicFit:
    """Where the minimum is, and the force constant; ``kt`` over the variance for stiff terms.

    Attributes
    ----------
    center : float
        [nm] or [degrees].
    force_constant : float
        [kJ/mol/nm²], [kJ/mol] or [kJ/mol/rad²].
    mean, sd : float
        Of the samples, in the unit of ``center``.
    """

    center: float
    force_constant: float
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FourierTerm:
    """k (1 + cos(n φ - φ0)): multiplicity n, φ0 [degrees], k ≥ 0 [kJ/mol]."""

    multiplicity: int
    angle: float
    force_constant: float


def weighted_moments(values: FloatArray, weights: FloatArray | None = None) -> tuple[float, float]:
    """Mean and variance."""
    if weights is None:
        return float(np.mean(values)), float(np.var(values))
    mean = float(weights @ values)
    return mean, float(weights @ (values - mean) ** 2)


def fit_bond(distances: FloatArray, kt: float, weights: FloatArray | None = None) -> HarmonicFit:
    """Length [nm] and k [kJ/mol/nm²] of k/2 (r - r0)² whose r² exp(-U/kT) has the mean and variance of ``distances``."""
    mean, variance = weighted_moments(distances, weights)
    variance = max(variance, _LEAST_SD_NM**2)

    def moments(center: float, spread: float) -> tuple[float, float]:
        low = max(1e-6, center - 8 * spread)
        r = np.linspace(low, center + 8 * spread, _GRID)
        p = r**2 * np.exp(-0.5 * ((r - center) / spread) ** 2)
        p /= p.sum()
        m = float(p @ r)
        return m, float(p @ (r - m) ** 2)

    center, spread = _match(moments, mean, variance)
    return HarmonicFit(center=center, force_constant=kt / spread**2, mean=mean, sd=math.sqrt(variance))


def fit_g96_angle(cosines: FloatArray, kt: float, weights: FloatArray | None = None) -> HarmonicFit:
    """θ0 [degrees] and k [kJ/mol] of k/2 (cos θ - cos θ0)²: a normal distribution of the cosine between -1 and 1.

    A minimum beyond a straight angle is put at 180 degrees, and k follows from the mean there.
    """
    mean, variance = weighted_moments(cosines, weights)
    variance = max(variance, _LEAST_SD_COSINE**2)
    c = np.linspace(-1.0, 1.0, 4 * _GRID)

    def moments(center: float, spread: float) -> tuple[float, float]:
        p = np.exp(-0.5 * ((c - center) / spread) ** 2)
        p /= p.sum()
        m = float(p @ c)
        return m, float(p @ (c - m) ** 2)

    narrow = math.sqrt(variance) < 6.0 * (c[1] - c[0])
    center, spread = (mean, math.sqrt(variance)) if narrow else _match(moments, mean, variance)
    if abs(center) > 1.0:
        center = math.copysign(1.0, center)
        spread = _spread_for_mean(lambda s: moments(center, s)[0], mean)
    sd = math.degrees(math.sqrt(variance)) / max(math.sqrt(1.0 - min(mean**2, 0.9999)), 1e-2)
    return HarmonicFit(
        center=math.degrees(math.acos(center)),
        force_constant=kt / spread**2,
        mean=math.degrees(math.acos(min(max(mean, -1.0), 1.0))),
        sd=sd,
    )


def fit_harmonic_angle(angles_rad: FloatArray, kt: float, weights: FloatArray | None = None) -> HarmonicFit:
    """θ0 [degrees] and k [kJ/mol/rad²] of k/2 (θ - θ0)² whose sin θ exp(-U/kT) has the samples' mean and variance."""
    mean, variance = weighted_moments(angles_rad, weights)
    variance = max(variance, _LEAST_SD_RAD**2)

    def moments(center: float, spread: float) -> tuple[float, float]:
        t = np.linspace(max(0.0, center - 8 * spread), min(math.pi, center + 8 * spread), _GRID)
        p = np.sin(t) * np.exp(-0.5 * ((t - center) / spread) ** 2)
        p /= p.sum()
        m = float(p @ t)
        return m, float(p @ (t - m) ** 2)

    center, spread = _match(moments, mean, variance, low=0.0, high=math.pi)
    return HarmonicFit(
        center=math.degrees(center),
        force_constant=kt / spread**2,
        mean=math.degrees(mean),
        sd=math.degrees(math.sqrt(variance)),
    )


def fit_restricted_angle(cosines: FloatArray, kt: float, weights: FloatArray | None = None) -> HarmonicFit:
    """θ0 [degrees] and k [kJ/mol] of restricted bending, k/2 (cos θ - cos θ0)²/sin² θ (Bulacu 2013), by its moments."""
    mean, variance = weighted_moments(cosines, weights)
    variance = max(variance, _LEAST_SD_COSINE**2)
    c = np.linspace(-0.99999, 0.99999, 4 * _GRID)

    def moments(center: float, spread: float) -> tuple[float, float]:
        p = np.exp(-0.5 * ((c - center) / spread) ** 2 / (1.0 - c**2))
        p /= p.sum()
        m = float(p @ c)
        return m, float(p @ (c - m) ** 2)

    sine = max(1.0 - mean**2, 1e-3)
    center, spread = _match(moments, mean, variance, start=math.sqrt(variance / sine), low=-0.999, high=0.999)
    return HarmonicFit(
        center=math.degrees(math.acos(center)),
        force_constant=kt / spread**2,
        mean=math.degrees(math.acos(min(max(mean, -1.0), 1.0))),
        sd=math.degrees(math.sqrt(variance) / math.sqrt(sine)),
    )


def fit_improper(angles_rad: FloatArray, kt: float, weights: FloatArray | None = None) -> HarmonicFit:
    """φ0 [degrees] and k [kJ/mol/rad²] of k/2 (φ - φ0)², on the circle."""
    share = np.full(len(angles_rad), 1.0 / len(angles_rad)) if weights is None else weights
    middle = float(np.angle(share @ np.exp(1j * angles_rad)))
    away = np.angle(np.exp(1j * (angles_rad - middle)))
    shift, variance = weighted_moments(away, share)
    center = math.degrees(math.remainder(middle + shift, 2 * math.pi))
    variance = max(variance, _LEAST_SD_RAD**2)
    return HarmonicFit(center=center, force_constant=kt / variance, mean=center, sd=math.degrees(math.sqrt(variance)))


def fit_fourier(
    angles_rad: FloatArray,
    kt: float,
    weights: FloatArray | None = None,
    *,
    highest: int = 4,
    most: int = 2,
    least_gain: float = 0.02,
) -> tuple[FourierTerm, ...]:
    """Proper dihedral terms Σ k_n (1 + cos(nφ - φ_n)) whose exp(-U/kT) has the sampled averages of cos nφ and sin nφ.

    Those averages are sufficient statistics of the series: the fit is the maximum of the likelihood, a convex problem,
    found by Newton's method. Multiplicities come one at a time, the one that raises the log-likelihood most first, until
    the next gains less than ``least_gain`` per sample or ``most`` are there.
    """
    share = np.full(len(angles_rad), 1.0 / len(angles_rad)) if weights is None else weights
    chosen: list[int] = []
    best = (0.0, np.zeros(0))
    while len(chosen) < most:
        trials = [(*_likelihood(angles_rad, share, [*chosen, n]), n) for n in range(1, highest + 1) if n not in chosen]
        gain, series, n = max(trials, key=lambda t: (t[0], -t[2]))
        if gain - best[0] < least_gain:
            break
        best, chosen = (gain, series), [*chosen, n]
    terms = []
    for k, n in enumerate(chosen):
        a, b = best[1][2 * k], best[1][2 * k + 1]
        terms.append(
            FourierTerm(
                multiplicity=n,
                # -U/kT = a cos nφ + b sin nφ, so that U = kT hypot(a, b) cos(nφ - φ0) with φ0 opposite to (a, b)
                angle=math.degrees(math.atan2(-b, -a)),
                force_constant=kt * math.hypot(a, b),
            )
        )
    return tuple(sorted(terms, key=lambda t: t.multiplicity))


def _likelihood(angles: FloatArray, weights: FloatArray, orders: list[int]) -> tuple[float, FloatArray]:
    """(gain in log-likelihood per sample over the flat distribution, coefficients) of exp(Σ a cos nφ + b sin nφ)."""
    grid = np.linspace(-math.pi, math.pi, 720, endpoint=False)

    def features(phi: FloatArray) -> FloatArray:
        return np.column_stack([f(n * phi) for n in orders for f in (np.cos, np.sin)])

    basis, target = features(grid), weights @ features(angles)
    # A single conformer would ask for an infinite constant.
    target = target * min(1.0, 0.999 / max(float(np.max(np.hypot(target[::2], target[1::2]))), 1e-12))
    series = np.zeros(2 * len(orders))

    def value(at: FloatArray) -> tuple[float, FloatArray]:
        exponent = basis @ at
        top = exponent.max()
        p = np.exp(exponent - top)
        total = p.sum()
        return float(target @ at - top - math.log(total / len(grid))), p / total

    gain, p = value(series)
    for _ in range(50):
        mean = p @ basis
        hessian = (basis * p[:, None]).T @ basis - np.outer(mean, mean) + 1e-9 * np.eye(len(series))
        step = np.linalg.solve(hessian, target - mean)
        scale = 1.0
        while scale > 1e-6:
            trial, weights_there = value(series + scale * step)
            if trial >= gain:
                break
            scale *= 0.5
        else:
            break
        series = series + scale * step
        converged = trial - gain < 1e-10
        gain, p = trial, weights_there
        if converged:
            break
    return gain, series


def _match(
    moments: object, mean: float, variance: float, *, start: float | None = None, low: float = -4.0, high: float = 4.0
) -> tuple[float, float]:
    """(centre, spread) for which ``moments`` returns this mean and variance, by damped Newton-like corrections."""
    assert callable(moments)
    spread = math.sqrt(variance) if start is None else start
    center = mean
    for _ in range(200):
        m, v = moments(center, spread)
        center = min(max(center + 0.7 * (mean - m), low), high)
        spread = spread * min(max((variance / max(v, 1e-12)) ** 0.35, 0.7), 1.4)
        spread = min(spread, 2.0)
        if abs(m - mean) < 1e-7 and abs(v / variance - 1.0) < 1e-5:
            break
    return center, spread


def _spread_for_mean(mean_of: object, mean: float) -> float:
    """Spread about a fixed centre at ±1 that gives this mean, by bisection."""
    assert callable(mean_of)
    low, high = 1e-3, 10.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        # The mean moves towards 0 as the distribution spreads.
        if abs(mean_of(middle)) > abs(mean):
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
