"""Residuals and Jacobians against finite differences, and the optimiser on functions with known minima."""

import numpy as np
import pytest
from synthetic_calibration import SyntheticSampler, problem

from topdown.calibration.cost import PriorCost, Residuals, SumCost, TargetCost
from topdown.calibration.optimizer import minimize_least_squares
from topdown.calibration.parameters import FreeParameter, ParameterSpace
from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reweighting import pool_samples

NOWHERE = np.full(2, -np.inf), np.full(2, np.inf)


def everywhere(_: np.ndarray) -> bool:
    return True


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_jacobian_is_the_derivative_of_the_residuals(scale: str) -> None:
    task = problem({}, scale=scale)
    names = task.systems_of("calibration")
    start = task.space.theta(task.space.start())
    runs = {n: SyntheticSampler().sample([task.request(n, start, 0)]) for n in names}
    pooled = {n: pool_samples(r, np.random.default_rng(1), n_replicates=10) for n, r in runs.items()}
    targets = task.targets_of("calibration")
    sigmas = np.array([0.5 + t.uncertainty for t in targets])
    cost = SumCost((TargetCost(task.space, targets, pooled, sigmas), PriorCost(task.space)))
    x = task.space.start() * 1.02
    found = cost(x)
    assert found.jacobian.shape == (len(targets) + 3, 3)
    assert found.cost == pytest.approx(0.5 * np.sum(found.values**2))
    h = 1e-5
    for p in range(3):
        step = h * np.eye(3)[p]
        slope = (cost(x + step).values - cost(x - step).values) / (2 * h)
        np.testing.assert_allclose(found.jacobian[:, p], slope, rtol=1e-5, atol=1e-7)


def test_a_target_far_from_its_measured_value_pulls_by_its_total_error() -> None:
    space = ParameterSpace(parameters=(FreeParameter(pair=("A", "B"), start=2.0, prior_width=0.5, lower=1, upper=4),))
    prior = PriorCost(space)(np.array([3.0]))
    assert prior.values == pytest.approx([2.0])
    assert prior.cost == pytest.approx(2.0)


def linear(matrix: np.ndarray, goal: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda x: Residuals(values=matrix @ x - goal, jacobian=matrix)


def rosenbrock(x: np.ndarray) -> Residuals:
    values = np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    return Residuals(values=values, jacobian=np.array([[-20 * x[0], 10.0], [-1.0, 0.0]]))


def test_a_linear_problem_takes_one_step_and_has_the_textbook_covariance() -> None:
    matrix = np.array([[1.0, 0.5], [0.0, 2.0], [1.0, 1.0]])
    goal = np.array([1.0, -1.0, 0.5])
    result = minimize_least_squares(linear(matrix, goal), np.zeros(2), *NOWHERE, everywhere)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(matrix, goal, rcond=None)[0], atol=1e-8)
    np.testing.assert_allclose(result.covariance, np.linalg.inv(matrix.T @ matrix))
    assert result.converged
    assert not result.limited
    assert result.n_iterations <= 3


def test_a_curved_valley_is_followed() -> None:
    result = minimize_least_squares(rosenbrock, np.array([-1.2, 1.0]), *NOWHERE, everywhere, tolerance=1e-8)
    np.testing.assert_allclose(result.x, [1.0, 1.0], atol=1e-6)


def test_bounds_hold_and_the_others_still_move() -> None:
    matrix = np.array([[1.0, 0.9], [0.0, 1.0]])
    bounded = minimize_least_squares(
        linear(matrix, np.array([5.0, 1.0])), np.zeros(2), np.zeros(2), np.array([2.0, 10.0]), everywhere
    )
    assert bounded.x[0] == 2.0
    free = ((5.0 - 2.0) * 0.9 + 1.0) / (0.81 + 1.0)
    assert bounded.x[1] == pytest.approx(free, abs=1e-3)


def test_the_trust_region_cuts_the_step_back_and_says_so() -> None:
    goal = np.array([3.0, 0.0])
    result = minimize_least_squares(
        linear(np.eye(2), goal), np.zeros(2), *NOWHERE, lambda x: bool(np.linalg.norm(x) <= 1.0)
    )
    assert result.limited
    assert 0.97 < np.linalg.norm(result.x) <= 1.0
    inside = minimize_least_squares(
        linear(np.eye(2), goal), np.zeros(2), *NOWHERE, lambda x: bool(np.linalg.norm(x) <= 3.5)
    )
    assert not inside.limited
    np.testing.assert_allclose(inside.x, goal, atol=1e-3)


def test_a_start_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(SamplingError, match="effective samples"):
        minimize_least_squares(rosenbrock, np.zeros(2), *NOWHERE, lambda _: False)


def test_parameter_space_round_trip_and_slopes() -> None:
    space = ParameterSpace(
        parameters=(
            FreeParameter(pair=("A", "B"), start=2.0, prior_width=0.5, lower=1.0, upper=4.0),
            FreeParameter(pair=("B", "B"), start=3.0, prior_width=0.6, lower=1.0, upper=4.0, scale="log"),
        )
    )
    theta = {("A", "B"): 2.5, ("B", "B"): 1.7}
    x = np.array([2.5, np.log(1.7)])
    assert space.theta(x) == pytest.approx(theta)
    np.testing.assert_allclose(space.slopes(x), [1.0, 1.7])
    np.testing.assert_allclose(space.prior_widths(), [0.5, 0.2])
    np.testing.assert_allclose(space.bounds()[1], [4.0, np.log(4.0)])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"prior_width": 0.0}, "prior_width"),
        ({"lower": 3.0}, "outside the bounds"),
        ({"lower": 5.0}, "no range"),
        ({"lower": 0.0, "scale": "log"}, "log scale"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict, words: str) -> None:
    right = {"pair": ("A", "B"), "start": 2.0, "prior_width": 0.5, "lower": 1.0, "upper": 4.0}
    with pytest.raises(SettingsError, match=words):
        FreeParameter(**{**right, **wrong})
    one = FreeParameter(**right)
    for parameters, text in (((one, one), "twice"), ((), "no free parameters")):
        with pytest.raises(SettingsError, match=text):
            ParameterSpace(parameters=parameters)
