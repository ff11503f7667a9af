"""Covariances of residuals, and fits with parts left out."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_targets import BASE, FAMILIES, SOLVENTS, TYPES, molecule, transfer
from synthetic_calibration import start_table

from topdown.calibration.campaign import OptimizerSettings, SamplingSettings, ValidationSettings
from topdown.calibration.cross_validation import chemotype_parts, leave_out, molecule_folds
from topdown.calibration.error_model import (
    CostSettings,
    blocks_of,
    calculate_targets,
    learn_errors,
    model_correlation,
)
from topdown.calibration.fit import cost_parts, fit_targets
from topdown.calibration.parameters import ParameterSpace, SharedParameter
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem

PHASES = ("hexadecane", "dodecane", "octanol")
SPACE = ParameterSpace(
    shared=tuple(
        SharedParameter(name="-".join(p), rows=((p, 1.0),), prior_width=0.2, lower=-1, upper=1)
        for p in sorted({tuple(sorted((t, s))) for t in TYPES for s in SOLVENTS.values()})
    ),
    starts=BASE,
)


def targets_of(names: str, truth: dict, *, noise: dict[str, float] | None = None, kinds: dict | None = None) -> list:
    return [
        transfer(
            molecule(f"{types} {k}", *types),
            phase,
            truth,
            noise=(noise or {}).get(f"{types} {k}", 0.0),
            model_error=1.0,
            chemotype=(kinds or {}).get(types, types),
        )
        for k, types in enumerate(names.split())
        for phase in PHASES
    ]


def test_one_molecule_is_one_block_and_shares_its_hydration() -> None:
    targets = targets_of("C N", BASE)
    blocks = blocks_of(targets)
    assert blocks == ((0, 1, 2), (3, 4, 5))
    assert blocks_of(targets, correlated=False) == tuple((i,) for i in range(6))
    found = model_correlation(targets, blocks)
    expected = [[1.0, 0.9, 0.5], [0.9, 1.0, 0.5], [0.5, 0.5, 1.0]]
    np.testing.assert_allclose(found[:3, :3], expected)
    assert not found[:3, 3:].any()


def test_the_covariance_is_experiment_and_simulation_and_model() -> None:
    solute = molecule("C 0", "C")
    legs = {f"C 0 in {phase}": (se, 0.0) for phase, se in zip(("water", *PHASES), (0.3, 0.4, 0.5, 0.6))}
    targets = [transfer(solute, p, BASE, errors=legs, model_error=1.0, uncertainty=0.2) for p in PHASES]
    values = calculate_targets(targets, {}, SPACE, SPACE.start())
    errors = learn_errors(targets, values, SPACE, SPACE.start(), CostSettings(loss="gauss"))
    correlation = model_correlation(targets, blocks_of(targets))
    simulation = 0.09 + np.diag([0.16, 0.25, 0.36])
    np.testing.assert_allclose(errors.covariance(), 0.04 * np.eye(3) + simulation + correlation)
    whitener = errors.whitener()
    np.testing.assert_allclose(whitener.T @ whitener, np.linalg.inv(errors.covariance()))
    assert errors.learnt == {}, "given model errors are not learnt"


def test_loss_is_quadratic_in_the_middle_and_logarithmic_outside() -> None:
    targets = targets_of("C", BASE)
    values = calculate_targets(targets, {}, SPACE, SPACE.start())
    errors = learn_errors(targets, values, SPACE, SPACE.start(), CostSettings())
    direction = np.ones(3)
    unit = direction / np.sqrt(errors.distances(direction)[0])
    for q in (0.5, 2.9, 40.0):
        cost = errors.costs(np.sqrt(q) * unit)[0]
        assert cost == pytest.approx(0.5 * q if q <= 3 else 1.5 + 4.0 * np.log((5 + q) / 8.0))
    # the weight is the slope of the loss over that of q/2
    h = 1e-4
    slope = (errors.costs(np.sqrt(40 + h) * unit)[0] - errors.costs(np.sqrt(40 - h) * unit)[0]) / (2 * h)
    assert slope == pytest.approx(0.5 * (5 + 3) / (5 + 40.0), rel=1e-5)


def test_costs_add_up_and_a_class_with_few_targets_is_not_taken_for_perfect() -> None:
    targets = [transfer(molecule("C 0", "C"), p, BASE, learn=True, uncertainty=0.1) for p in PHASES]
    values = calculate_targets(targets, {}, SPACE, SPACE.start())
    errors = learn_errors(targets, values, SPACE, SPACE.start(), CostSettings())
    assert set(errors.learnt) == {"transfer_free_energy alkane", "transfer_free_energy alcohol"}
    assert all(0.3 < tau < 2.0 for tau in errors.learnt.values()), "residuals are 0, the prior median is 2"
    parts = cost_parts(SPACE, targets, values, errors, SPACE.start() + 0.02)
    assert set(parts) == {"transfer_free_energy", "prior"}
    assert parts["prior"] == pytest.approx(0.5 * len(SPACE) * 0.01)


def problem_of(targets: list) -> CalibrationProblem:
    oil = molecule("oil", "C")
    systems = {s: SimulatedSystem(name=s, liquid=oil, n_molecules=100) for t in targets for s in t.systems}
    return CalibrationProblem(
        name="analytic",
        table=start_table(),
        temperature=298.15,
        pressure=1.0,
        space=SPACE,
        targets=tuple(targets),
        systems=systems,
        sampling=SamplingSettings(),
        optimizer=OptimizerSettings(),
        cost=CostSettings(loss="gauss"),
        validation=ValidationSettings(),
    )


def test_molecules_are_left_out_whole() -> None:
    targets = targets_of("C N P CC CN CP NP NN PP CNP", BASE)
    folds = molecule_folds(targets, 5, seed=3)
    assert sorted(i for fold in folds for i in fold) == list(range(len(targets)))
    assert [len(fold) for fold in folds] == [6] * 5
    for fold in folds:
        inside = {targets[i].molecule_key for i in fold}
        assert not inside & {t.molecule_key for i, t in enumerate(targets) if i not in fold}
    assert molecule_folds(targets, 5, seed=3) == folds != molecule_folds(targets, 5, seed=4)
    assert len(molecule_folds(targets, 50, seed=3)) == 10


def test_what_was_left_out_is_as_if_it_had_never_been_there() -> None:
    """Values of a part come from the other parts alone: they do not change with what was measured of it."""
    truth = {**BASE, ("C", "W"): 3.3}
    targets = targets_of("C N P CC CN CP", truth)
    parts = chemotype_parts(targets)
    assert len(parts) == 6
    spoilt = targets_of("C N P CC CN CP", truth, noise={"CP 5": 50.0})
    place = [i for i, t in enumerate(targets) if t.molecule_key == "CP 5"]
    ends = []
    for given in (targets, spoilt):
        task = problem_of(given)
        fit = fit_targets(SPACE, given, {}, SPACE.start(), lambda _: True, task.cost, tolerance=1e-4)
        found = leave_out(task, {}, fit.x, parts, lambda _: True)
        assert found is not None
        assert (found.n_parts, found.limited) == (6, 0)
        ends.append((fit.x, found.values))
    assert np.abs(ends[0][0] - ends[1][0]).max() > 0.05, "the spoilt molecule does move the fit"
    np.testing.assert_allclose(ends[0][1][place], ends[1][1][place], atol=0.05)
    others = [i for i in range(len(targets)) if i not in place]
    assert np.abs(ends[0][1][others] - ends[1][1][others]).max() > 0.5, "and those of the parts it was not left out of"


def test_a_fit_that_its_samples_hold_says_nothing_of_what_was_left_out() -> None:
    """Where the samples end at the fit with all targets, the others are fitted from the start table, not read off there."""
    targets = targets_of("C N P CC CN CP", {**BASE, ("C", "W"): 3.3}, noise={"CP 5": 50.0})
    task = problem_of(targets)
    fit = fit_targets(SPACE, targets, {}, SPACE.start(), lambda _: True, task.cost, tolerance=1e-4)
    end, way = fit.x, np.linalg.norm(fit.x - SPACE.start())

    def on_the_way(x: np.ndarray) -> bool:
        """From the end one can go nowhere; from the start half as far as the end is, in any direction."""
        return bool(np.array_equal(x, end) or np.linalg.norm(x - SPACE.start()) < 0.5 * way)

    found = leave_out(task, {}, end, chemotype_parts(targets), on_the_way)
    assert found is not None
    place = [i for i, t in enumerate(targets) if t.molecule_key == "CP 5"]
    measured = np.array([t.measured for t in targets])
    fitted = fit.values.differences[place] + measured[place]
    assert np.abs(found.values[place] - fitted).max() > 0.5, "what was left out was read off the fit that had seen it"
    nowhere = leave_out(task, {}, end, chemotype_parts(targets), lambda x: bool(np.array_equal(x, end)))
    assert nowhere is not None
    assert np.isnan(nowhere.values).all()
    assert nowhere.limited == nowhere.n_parts


def test_fits_without_a_kind_of_molecule_know_less_of_it() -> None:
    """Only one kind holds P: without it its ε stay at their start."""
    truth = {**BASE, **{tuple(sorted(("P", s))): 3.4 for s in ("W", "O", "O2")}}  # type: ignore[misc]
    targets = targets_of("C CC N NN P PP", truth, kinds={"P": "polar", "PP": "polar"})
    task = problem_of(targets)
    fit = fit_targets(SPACE, targets, {}, SPACE.start(), lambda _: True, task.cost, tolerance=1e-3)
    out = leave_out(task, {}, fit.x, chemotype_parts(targets), lambda _: True)
    start = calculate_targets(targets, {}, SPACE, SPACE.start(), error=False).differences
    assert out is not None
    polar = [i for i, t in enumerate(targets) if t.chemotype == "polar"]
    measured = np.array([t.measured for t in targets])
    np.testing.assert_allclose(out.values[polar] - measured[polar], start[polar], atol=0.05)
    assert np.abs(fit.values.differences[polar]).max() < 0.5 * np.abs(start[polar]).max()
    assert leave_out(task, {}, fit.x, (tuple(range(len(targets))),), lambda _: True) is None
    assert FAMILIES["hexadecane"] == FAMILIES["dodecane"]
