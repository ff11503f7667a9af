"""A known matrix is found again, as often as the error bars say, and what is not determined is called by its reason."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_targets import BASE, TYPES, molecule, transfer

from topdown.calibration.error_model import CostSettings, model_correlation
from topdown.calibration.fit import fit_targets, left_out_residuals, posterior_covariance
from topdown.calibration.parameters import ParameterSpace, SharedParameter
from topdown.calibration.verdicts import verdicts

PHASES = ("hexadecane", "dodecane", "octanol")
#: Two molecules of each of a few compositions, so that residuals can be told from model errors.
SOLUTES = [
    molecule(f"{'-'.join(types)} {k}", *types)
    for types in (("C",), ("N",), ("P",), ("C", "N"), ("C", "P"), ("N", "P"), ("C", "C"), ("C", "N", "P"))
    for k in range(2)
]
ANYWHERE = lambda _: True  # noqa: E731


def space(width: float = 0.15) -> ParameterSpace:
    pairs = sorted({tuple(sorted((t, s))) for t in TYPES for s in ("W", "O", "O2", "A")})
    shared = tuple(
        SharedParameter(name="-".join(p), rows=((p, 1.0),), prior_width=width, lower=-1.0, upper=1.0) for p in pairs
    )
    return ParameterSpace(shared=shared, starts=BASE)


def campaign(rng: np.random.Generator, *, tau: float, md: float, learn: bool = True, uncertainty: float = 0.5):  # type: ignore[no-untyped-def]
    """A truth drawn from the prior and targets with measurement, model and simulation errors as the error model has them."""
    around = space()
    x = around.prior_widths() * rng.normal(size=len(around))
    truth = {**BASE, **around.theta(x)}
    targets = []
    for solute in SOLUTES:
        legs = {f"{solute.name} in {phase}": (md, md * rng.normal()) for phase in ("water", *PHASES)}
        bare = [transfer(solute, phase, truth, errors=legs) for phase in PHASES]
        spread = tau**2 * model_correlation(bare, [(0, 1, 2)])
        noise = rng.multivariate_normal(np.zeros(3), spread) + uncertainty * rng.normal(size=3)
        targets += [
            transfer(
                solute,
                phase,
                truth,
                noise=float(n),
                uncertainty=uncertainty,
                errors=legs,
                learn=learn,
                model_error=0.0 if learn else tau,
            )
            for phase, n in zip(PHASES, noise)
        ]
    return around, x, targets


def cover(tau: float, loss: str, n: int) -> None:
    """95 % intervals of 12 parameters over ``n`` campaigns, model errors not known but learnt."""
    rng = np.random.default_rng(11)
    inside, z, learnt = 0, [], []
    for _ in range(n):
        around, x, targets = campaign(rng, tau=tau, md=0.4)
        fit = fit_targets(around, targets, {}, around.start(), ANYWHERE, CostSettings(loss=loss), tolerance=0.01)
        width = np.sqrt(np.diag(posterior_covariance(around, fit.values, fit.errors)))
        z.append((fit.x - x) / width)
        inside += int(np.sum(np.abs(z[-1]) < 1.96))
        learnt.append(list(fit.errors.learnt.values()))
        assert set(fit.errors.learnt) == {"transfer_free_energy alkane", "transfer_free_energy alcohol"}
    coverage = inside / (n * len(around))
    assert 0.90 <= coverage <= 0.99, f"coverage {coverage:.3f}"
    assert 0.8 < np.std(np.concatenate(z)) < 1.2
    if tau == 1.0:
        assert np.exp(np.mean(np.log(learnt))) == pytest.approx(tau, rel=0.25)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    cover(1.0, "student", 12)


@pytest.mark.validate
@pytest.mark.parametrize(("tau", "loss"), [(1.0, "gauss"), (1.0, "student"), (0.2, "student")])
def test_intervals_cover_the_truth_over_many_campaigns(tau: float, loss: str) -> None:
    cover(tau, loss, 100)


def test_residuals_taken_as_independent_make_error_bars_too_narrow() -> None:
    """They count the hydration of a molecule, and its error, once for each oil."""
    around, _, targets = campaign(np.random.default_rng(5), tau=1.5, md=0.8, learn=False)
    spread = {}
    for correlated in (True, False):
        settings = CostSettings(loss="gauss", correlated=correlated)
        fit = fit_targets(around, targets, {}, around.start(), ANYWHERE, settings, tolerance=0.01)
        # what all solvents share cannot be seen: ε with water is compared with the mean of the others of its type
        seen = _differences(around) @ posterior_covariance(around, fit.values, fit.errors) @ _differences(around).T
        spread[correlated] = np.sqrt(np.diag(seen))[[p.name.endswith("W") for p in around.shared]]
    assert np.all(spread[False] < 0.85 * spread[True])


def _differences(around: ParameterSpace) -> np.ndarray:
    """Rows: each parameter less the mean of all of its bead type."""
    kinds = [next(t for t in TYPES if t in p.name.split("-")) for p in around.shared]
    same = np.array([[a == b for b in kinds] for a in kinds], dtype=float)
    return np.eye(len(kinds)) - same / same.sum(axis=1, keepdims=True)


def test_an_outlier_is_given_less_weight_and_moves_less() -> None:
    rng = np.random.default_rng(2)
    around, x, targets = campaign(rng, tau=0.5, md=0.1, learn=False)
    wrong = targets[4].molecule.name
    spoilt = [
        transfer(
            t.molecule,
            t.destination,
            {**BASE, **around.theta(x)},
            noise=15.0 if t.molecule.name == wrong else float(t.measured - _exact(t, around, x)),
            errors=t.errors,
            model_error=0.5,
        )
        for t in targets
    ]
    ends = {}
    for loss in ("gauss", "student"):
        fit = fit_targets(around, spoilt, {}, around.start(), ANYWHERE, CostSettings(loss=loss), tolerance=0.01)
        ends[loss] = np.linalg.norm((fit.x - x) / around.prior_widths())
        weights = {spoilt[b[0]].molecule.name: w for b, w in zip(fit.errors.blocks, fit.errors.weights)}
        assert (weights[wrong] < 0.2) == (loss == "student")
        assert np.median(list(weights.values())) > 0.9
    assert ends["student"] < 0.8 * ends["gauss"]


def _exact(target, around, x):  # type: ignore[no-untyped-def]
    truth = {**BASE, **around.theta(x)}
    return transfer(target.molecule, target.destination, truth).measured


def test_too_narrow_a_budget_is_md_limited_and_missing_chemistry_data_limited() -> None:
    rng = np.random.default_rng(3)
    water = tuple(p for p in space().shared if p.name.endswith("W"))
    more = SharedParameter(name="W-Z", rows=((("W", "Z"), 1.0),), prior_width=0.15, lower=-1, upper=1)
    around = ParameterSpace(shared=(*water, more), starts=BASE)
    for md, expected in ((0.05, "determined"), (30.0, "MD-limited")):
        _, _, targets = campaign(rng, tau=0.3, md=md, learn=False)
        fit = fit_targets(around, targets, {}, around.start(), ANYWHERE, CostSettings(), tolerance=0.01)
        widths = [
            np.sqrt(np.diag(posterior_covariance(around, fit.values, fit.errors, simulation=simulation)))
            for simulation in (True, False)
        ]
        found = verdicts(around.prior_widths(), widths[0], widths[1], np.zeros(len(around)))
        assert found[-1] == "data-limited", "no target holds Z"
        assert set(found[:-1]) == {expected}


def test_a_fit_that_was_stopped_on_its_way_is_md_limited() -> None:
    one = np.ones(1)
    assert verdicts(one, 0.1 * one, 0.1 * one, 0.05 * one) == ["determined"]
    assert verdicts(one, 0.1 * one, 0.1 * one, 0.3 * one) == ["MD-limited"]
    assert verdicts(one, 0.9 * one, 0.8 * one, 2.0 * one) == ["data-limited"]


def test_residuals_left_out_are_those_of_a_fit_without_the_molecule() -> None:
    rng = np.random.default_rng(8)
    around, _, targets = campaign(rng, tau=0.5, md=0.2, learn=False)
    settings = CostSettings(loss="gauss")
    whole = fit_targets(around, targets, {}, around.start(), ANYWHERE, settings, tolerance=1e-6)
    by_algebra = left_out_residuals(around, whole.values, whole.errors)
    for block in (whole.errors.blocks[0], whole.errors.blocks[9]):
        kept = [t for i, t in enumerate(targets) if i not in block]
        fit = fit_targets(around, kept, {}, whole.x, ANYWHERE, settings, tolerance=1e-6)
        out = [targets[i] for i in block]
        again = [
            t.calculate({}, around.theta(fit.x), around.pairs, min_effective=0.0, error=False).value - t.measured
            for t in out
        ]
        np.testing.assert_allclose(by_algebra[list(block)], again, atol=0.05)
        fitted = whole.values.differences[list(block)]
        assert np.abs(by_algebra[list(block)] - fitted).max() > 0.02, "leaving it out makes a difference"
