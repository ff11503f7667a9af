"""Factors of pairs of classes as one vector: its order, its volumes, and what is believed of them beforehand."""

from dataclasses import replace

import numpy as np
import pytest
from two_classes import ALONE, PLACES, SPACE, TYPES

from topdown.calibration.class_liquids import FactorPrior, FactorSpace, LiquidValue, next_factors
from topdown.calibration.class_table import PairFactors
from topdown.mapping.bead_volume import VOLUME_STEP
from topdown.model import BeadTable, BeadType


def test_a_vector_is_sigma_then_epsilon_classes_then_sizes() -> None:
    x = np.arange(2.0 * SPACE.n_half)
    factors = SPACE.factors(x)
    parts = (factors.sigma, factors.sigma_sizes.values(), factors.epsilon, factors.epsilon_sizes.values())
    np.testing.assert_array_equal(np.concatenate([list(part) for part in parts]), x)
    none, found = PairFactors.none(2), SPACE.factors(0.0 * x)
    assert (found.sigma_sizes, found.epsilon_sizes) == (none.sigma_sizes, none.epsilon_sizes)
    assert not np.concatenate([found.sigma, found.epsilon]).any()
    assert not SPACE.row([("W", "C01")], [1.0]).any(), "beads of solvents stay as they are"


def test_slopes_by_volume_follow_the_sizes_of_beads() -> None:
    """Where types come in several volumes: a row holds what the volumes of its beads do, and the factors give it back."""
    types = (*TYPES, ("C01b", "C01", "R"), ("SP01c", "P01", "S"))
    beads = tuple(BeadType(name=n, chemical_class=c, size=s, mass=72.0) for n, c, s in types)  # type: ignore[arg-type]
    table = BeadTable(name="t", bead_types=beads, epsilon=np.full((7, 7), 3.0), sigma=np.full((7, 7), 0.45))
    space = FactorSpace(("C01", "P01"), table, PLACES, ALONE)
    assert space.labels == (*SPACE.labels, "volume R", "volume S", "volume T")
    assert space.widths[[SPACE.n_half, space.n_half + SPACE.n_half]] == pytest.approx(ALONE.volumes)
    row = space.row([("C01b", "SP01c"), ("C01", "C01")], [2.0, 4.0])
    np.testing.assert_allclose(row[SPACE.n_half :], [VOLUME_STEP, -VOLUME_STEP, 0.0])
    np.testing.assert_allclose(row[: SPACE.n_half], SPACE.row([("C01", "SP01"), ("C01", "C01")], [2.0, 4.0]))
    factors = space.factors(np.arange(2.0 * space.n_half))
    n = SPACE.n_half
    assert factors.sigma_volumes == {"R": n, "S": n + 1, "T": n + 2}
    assert factors.epsilon_volumes == {"R": 2 * n + 3, "S": 2 * n + 4, "T": 2 * n + 5}


def test_classes_without_data_follow_those_like_them() -> None:
    """The prior of a class is a linear function of its place and something of its own."""
    places = np.array([[0.0], [0.4], [0.6], [1.0]])
    prior = FactorPrior(places=(0.02, 0.3), classes=(0.01, 0.1), sizes=(0.02, 0.05))
    covariance = prior.covariance(places)
    n_half = len(covariance) // 2
    np.testing.assert_allclose(covariance[4:n_half, 4:n_half], 0.02**2 * np.eye(n_half - 4))
    assert not covariance[:n_half, n_half:].any(), "σ says nothing about ε"
    epsilon = covariance[n_half : n_half + 4, n_half : n_half + 4]
    # in standard deviations, which are √0.13, from the mean
    away = (places[:, 0] - 0.5) / np.sqrt(0.13)
    np.testing.assert_allclose(epsilon, 0.3**2 * np.outer(away, away) + 0.1**2 * np.eye(4), atol=1e-12)
    assert prior.covariance(np.zeros((3, 2)))[0, 0] == pytest.approx(0.01**2), "places that are all alike say nothing"
    names = ("C01", "C02", "C03", "C04")
    types = tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in names)
    table = BeadTable(name="t", bead_types=types, epsilon=np.full((4, 4), 3.0), sigma=np.full((4, 4), 0.45))
    space = FactorSpace(names, table, places, prior)
    asked = [
        LiquidValue(
            smiles=name,
            quantity="surface_tension",
            value=20.0,
            error=0.1,
            alarm="",
            pairs=((name, name),),
            by_epsilon=(2.9,),
            by_sigma=(-2.0,),
        )
        for name in names[1:3]
    ]
    measured = {("C02", "surface_tension"): (25.0, 0.1), ("C03", "surface_tension"): (16.0, 0.1)}
    found = space.factors(next_factors(space, np.zeros(2 * n_half), asked, measured, table, 298.15).x).epsilon
    assert found[0] > found[1] > 0.02
    assert found[3] < found[2] < -0.02
    alone = FactorSpace(names, table, places, replace(prior, places=(0.0, 0.0)))
    found = alone.factors(next_factors(alone, np.zeros(2 * n_half), asked, measured, table, 298.15).x).epsilon
    assert found[0] == found[3] == 0.0
