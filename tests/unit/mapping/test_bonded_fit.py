"""Force constants recovered from samples of known terms, within their statistical errors."""

import math

import numpy as np
import pytest

from topdown.mapping.bonded_fit import (
    fit_bond,
    fit_fourier,
    fit_g96_angle,
    fit_harmonic_angle,
    fit_improper,
    fit_restricted_angle,
)
from topdown.units import kt

KT = kt(300.0)
N = 40_000


def drawn(grid, energy, jacobian, seed, n=N):
    """Samples of jacobian · exp(-energy/kT) by inversion on a fine grid."""
    p = jacobian * np.exp(-(energy - energy.min()) / KT)
    c = np.cumsum(p)
    return np.interp(np.random.default_rng(seed).uniform(0, c[-1], n), c, grid)


@pytest.mark.parametrize(("r0", "k"), [(0.47, 1250.0), (0.28, 25000.0), (0.25, 300.0)])
def test_bond(r0, k):
    spread = math.sqrt(KT / k)
    r = np.linspace(max(0.01, r0 - 8 * spread), r0 + 8 * spread, 100_001)
    fit = fit_bond(drawn(r, 0.5 * k * (r - r0) ** 2, r**2, 1), KT)
    # standard error of a mean and of a variance of N samples
    assert fit.center == pytest.approx(r0, abs=5 * spread / math.sqrt(N))
    assert fit.force_constant == pytest.approx(k, rel=5 * math.sqrt(2 / N))


def test_the_jacobian_of_a_soft_bond_matters():
    r = np.linspace(0.01, 1.2, 100_001)
    samples = drawn(r, 0.5 * 300.0 * (r - 0.25) ** 2, r**2, 2)
    assert samples.mean() > 0.29
    assert fit_bond(samples, KT).center == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize(("theta0", "k"), [(120.0, 80.0), (150.0, 25.0), (90.0, 250.0), (60.0, 40.0)])
def test_g96_angle(theta0, k):
    t = np.linspace(0, math.pi, 100_001)
    samples = drawn(t, 0.5 * k * (np.cos(t) - math.cos(math.radians(theta0))) ** 2, np.sin(t), 3)
    fit = fit_g96_angle(np.cos(samples), KT)
    assert fit.center == pytest.approx(theta0, abs=2.0)
    assert fit.force_constant == pytest.approx(k, rel=0.06)


def test_a_straight_g96_angle():
    t = np.linspace(0, math.pi, 100_001)
    samples = drawn(t, 0.5 * 25.0 * (np.cos(t) + 1.0) ** 2, np.sin(t), 4)
    fit = fit_g96_angle(np.cos(samples), KT)
    assert fit.center == pytest.approx(180.0, abs=8.0)
    assert fit.force_constant == pytest.approx(25.0, rel=0.1)


@pytest.mark.parametrize(("theta0", "k"), [(125.0, 100.0), (160.0, 60.0)])
def test_harmonic_angle(theta0, k):
    t = np.linspace(0, math.pi, 100_001)
    samples = drawn(t, 0.5 * k * (t - math.radians(theta0)) ** 2, np.sin(t), 5)
    fit = fit_harmonic_angle(samples, KT)
    assert fit.center == pytest.approx(theta0, abs=1.0)
    assert fit.force_constant == pytest.approx(k, rel=0.06)


@pytest.mark.parametrize(("theta0", "k"), [(110.0, 60.0), (140.0, 40.0)])
def test_restricted_angle(theta0, k):
    t = np.linspace(1e-4, math.pi - 1e-4, 100_001)
    away = np.cos(t) - math.cos(math.radians(theta0))
    samples = drawn(t, 0.5 * k * away**2 / np.sin(t) ** 2, np.sin(t), 6)
    fit = fit_restricted_angle(np.cos(samples), KT)
    assert fit.center == pytest.approx(theta0, abs=1.5)
    assert fit.force_constant == pytest.approx(k, rel=0.08)


@pytest.mark.parametrize("phi0", [0.0, 30.0, 179.0, -175.0])
def test_improper_over_the_edge_of_the_circle(phi0):
    a = np.linspace(-math.pi, math.pi, 100_001)
    samples = drawn(a, 0.5 * 50.0 * a**2, 1.0, 7) + math.radians(phi0)
    fit = fit_improper(np.angle(np.exp(1j * samples)), KT)
    assert math.remainder(fit.center - phi0, 360.0) == pytest.approx(0.0, abs=0.4)
    assert fit.force_constant == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize(
    "terms", [((2, 180.0, 4.0),), ((1, 30.0, 3.0),), ((1, 0.0, 2.0), (3, 60.0, 3.5)), ((2, 10.0, 5.0), (4, 180.0, 2.0))]
)
def test_fourier_series(terms):
    phi = np.linspace(-math.pi, math.pi, 100_001)
    energy = sum(k * (1 + np.cos(n * phi - math.radians(p))) for n, p, k in terms)
    found = fit_fourier(drawn(phi, energy, np.ones_like(phi), 8), KT)
    assert [t.multiplicity for t in found] == [n for n, _, _ in terms]
    for term, (_, p, k) in zip(found, terms):
        assert term.force_constant == pytest.approx(k, rel=0.06)
        assert math.remainder(term.angle - p, 360.0) == pytest.approx(0.0, abs=4.0)


def test_a_free_rotation_has_no_terms():
    assert fit_fourier(np.random.default_rng(9).uniform(-math.pi, math.pi, N), KT) == ()


def test_weights_count():
    x = np.array([0.30, 0.40])
    heavy = fit_bond(x, KT, np.array([0.9, 0.1]))
    assert heavy.mean == pytest.approx(0.31)
    assert heavy.sd == pytest.approx(0.03)


def test_one_sample_gives_stiff_terms_not_errors():
    assert fit_bond(np.array([0.3]), KT).force_constant > 1e6
    assert fit_g96_angle(np.array([-0.5]), KT).center == pytest.approx(120.0)
    (term,) = fit_fourier(np.array([1.0]), KT, most=1)
    assert math.isfinite(term.force_constant)
