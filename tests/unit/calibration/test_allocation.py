"""The next simulations: where they lower the posterior variance most for their cost, within a budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from analytic_targets import BASE, molecule, transfer

from topdown.calibration.allocation import Offer, choose_runs, md_share, relative_variance
from topdown.calibration.error_model import CostSettings, TargetValues, calculate_targets, learn_errors
from topdown.calibration.parameters import ParameterSpace, SharedParameter

SPACE = ParameterSpace(
    shared=tuple(
        SharedParameter(name="-".join(p), rows=((p, 1.0),), prior_width=0.2, lower=-1, upper=1)
        for p in (("C", "W"), ("N", "W"))
    ),
    starts=BASE,
)
#: Two solutes; the water leg of "b" is known ten times worse.
ERRORS = {"a in water": 0.2, "a in octanol": 0.2, "b in water": 2.0, "b in octanol": 0.2}


def situation(errors: dict[str, float] = ERRORS):  # type: ignore[no-untyped-def]
    legs = {system: (spread, 0.0) for system, spread in errors.items()}
    targets = [transfer(molecule(n, t), "octanol", BASE, errors=legs) for n, t in (("a", "C"), ("b", "N"))]
    values = calculate_targets(targets, {}, SPACE, SPACE.start())
    return values, learn_errors(targets, values, SPACE, SPACE.start(), CostSettings(loss="gauss"))


def offers(cost: dict[str, int] | None = None) -> dict[str, Offer]:
    return {system: Offer(cost=(cost or {}).get(system, 100), fresh=1.0) for system in ERRORS}


def test_the_leg_that_limits_most_is_repeated_first() -> None:
    values, errors = situation()
    assert choose_runs(SPACE, values, errors, offers(), 100) == ("b in water",)
    assert choose_runs(SPACE, values, errors, offers(), 99) == (), "nothing can be paid"
    dear = offers({"b in water": 100_000_000})
    assert choose_runs(SPACE, values, errors, dear, 10**9)[0] != "b in water", "gain per cost counts"


def test_the_gain_foretold_is_the_gain_of_a_longer_run() -> None:
    """A second run of the same length halves the variance of its leg."""
    values, errors = situation()
    from topdown.calibration.allocation import _with_run

    after = _with_run(values, errors, "b in water", Offer(cost=1, fresh=1.0))
    again_values, again_errors = situation({**ERRORS, "b in water": 2.0 / np.sqrt(2.0)})
    np.testing.assert_allclose(after.simulation, again_errors.simulation)
    assert relative_variance(SPACE, values, after) == relative_variance(SPACE, again_values, again_errors)


def test_nothing_is_repeated_where_simulations_are_not_what_limits() -> None:
    values, errors = situation(dict.fromkeys(ERRORS, 0.01))
    assert md_share(SPACE, values, errors) < 0.01
    assert choose_runs(SPACE, values, errors, offers(), 10**9) == ()
    must = choose_runs(SPACE, values, errors, offers(), 250, only=["a in water", "b in water", "b in octanol"])
    assert len(must) == 2, "what has to be simulated is, as far as the budget reaches"


def test_systems_no_target_sees_gain_nothing() -> None:
    values, errors = situation()
    stranger: TargetValues = replace(values, legs={**values.legs})
    more = {**offers(), "elsewhere": Offer(cost=1, fresh=10.0)}
    assert "elsewhere" not in choose_runs(SPACE, stranger, errors, more, 10**9)
