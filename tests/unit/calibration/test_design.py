"""Shared parameters: ε and its derivatives through a design, and the matrices built from a table."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.calibration.design import MatrixSettings, matrix_space
from topdown.calibration.parameters import FreeParameter, ParameterSpace, SharedParameter
from topdown.errors import SettingsError
from topdown.model import BeadTable, BeadType

AB, AW, BB, WW = ("A", "B"), ("A", "W"), ("B", "B"), ("W", "W")


def mixed_space() -> ParameterSpace:
    """A linear and a log single, a factor over a single and two others, and a slope."""
    return ParameterSpace(
        parameters=(
            FreeParameter(pair=AB, start=2.0, prior_width=0.5, lower=1.0, upper=4.0),
            FreeParameter(pair=BB, start=3.0, prior_width=0.6, lower=1.0, upper=4.0, scale="log"),
        ),
        shared=(
            SharedParameter(name="all", rows=((AB, 1.0), (AW, 2.0), (WW, 1.0)), prior_width=0.1, lower=-1, upper=1),
            SharedParameter(name="heat", rows=((AW, 1.0),), prior_width=1e-3, lower=-0.01, upper=0.01, per_kelvin=True),
        ),
        starts={AW: 2.5, WW: 5.0},
        temperature=300.0,
    )


def test_epsilon_of_a_design_is_the_formula() -> None:
    space = mixed_space()
    assert space.pairs == (AB, BB, AW, WW)
    x = np.array([2.2, np.log(2.7), 0.05, 0.002])
    at = space.theta(x, 320.0)
    assert at[AB] == pytest.approx(2.2 * np.exp(0.05))
    assert at[BB] == pytest.approx(2.7)
    assert at[AW] == pytest.approx(2.5 * np.exp(0.10 + 20 * 0.002))
    assert at[WW] == pytest.approx(5.0 * np.exp(0.05))
    assert space.theta(x)[AW] == pytest.approx(2.5 * np.exp(0.10)), "no slope at T0"
    assert space.theta(space.start()) == space.start_theta() == {AB: 2.0, BB: 3.0, AW: 2.5, WW: 5.0}
    np.testing.assert_allclose(space.prior_widths(), [0.5, 0.2, 0.1, 1e-3])
    assert space.parameters_of(AB) == ("A-B", "all")


@pytest.mark.parametrize("temperature", [None, 325.0])
def test_the_jacobian_is_the_derivative(temperature: float | None) -> None:
    space = mixed_space()
    x, h = np.array([2.2, np.log(2.7), 0.05, 0.002]), 1e-6
    found = space.jacobian(x, temperature)
    for k in range(len(space)):
        step = h * np.eye(len(space))[k]
        ends = [np.array(list(space.theta(x + s, temperature).values())) for s in (step, -step)]
        np.testing.assert_allclose(found[:, k], (ends[0] - ends[1]) / (2 * h), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"prior_width": 0.0}, "prior_width"),
        ({"lower": 0.1}, "must hold 0"),
        ({"rows": ()}, "sorted and once"),
        ({"rows": ((("B", "A"), 1.0),)}, "sorted and once"),
        ({"rows": ((AB, 1.0), (AB, 1.0))}, "sorted and once"),
    ],
)
def test_shared_parameters_that_make_no_sense_are_refused(wrong: dict, words: str) -> None:
    right = {"name": "z", "rows": ((AB, 1.0),), "prior_width": 0.1, "lower": -1.0, "upper": 1.0}
    with pytest.raises(SettingsError, match=words):
        SharedParameter(**{**right, **wrong})
    good = SharedParameter(**right)
    with pytest.raises(SettingsError, match="start value"):
        ParameterSpace(shared=(good,))
    with pytest.raises(SettingsError, match="two parameters are called 'z'"):
        ParameterSpace(shared=(good, good), starts={AB: 1.0})


def table() -> BeadTable:
    """Classes C and P in two sizes, a charged one, and water."""
    rows = [("C", "C", "R"), ("P", "P", "R"), ("SC", "C", "S"), ("SP", "P", "S"), ("Q", "Qa", "R"), ("W", "W", "R")]
    types = tuple(BeadType(name=n, chemical_class=c, size=s, mass=72.0) for n, c, s in rows)  # type: ignore[arg-type]
    epsilon = np.full((6, 6), 3.0)
    epsilon[0, 0] = epsilon[2, 2] = 3.5
    return BeadTable(name="t", bead_types=types, epsilon=epsilon, sigma=np.full((6, 6), 0.47))


EVERY = [(a, b) for a in ("C", "P", "SC", "SP", "Q", "W") for b in ("C", "P", "SC", "SP", "Q", "W")]


def build(**settings: object) -> ParameterSpace:
    chosen = MatrixSettings(**{"form": "classes", **settings})  # type: ignore[arg-type]
    return matrix_space(table(), chosen, present=EVERY, water=["W"], temperature=298.15)


def test_classes_times_sizes() -> None:
    space = build()
    names = [p.name for p in space.shared]
    assert names == ["class C-C", "class C-P", "class C-W", "class P-P", "class P-W", "size R-S", "size S-S"]
    rows = {p.name: dict(p.rows) for p in space.shared}
    assert set(rows["class C-P"]) == {("C", "P"), ("C", "SP"), ("P", "SC"), ("SC", "SP")}
    assert set(rows["size S-S"]) == {("SC", "SC"), ("SC", "SP"), ("SP", "SP")}
    x = np.zeros(len(space))
    x[names.index("class C-P")], x[names.index("size S-S")], x[names.index("size R-S")] = 0.1, -0.03, 0.02
    theta = space.theta(x)
    assert theta[("C", "P")] == pytest.approx(3.0 * np.exp(0.1))
    assert theta[("SC", "SP")] == pytest.approx(3.0 * np.exp(0.07))
    assert theta[("C", "SP")] == pytest.approx(3.0 * np.exp(0.12))


def test_charged_rows_and_water_with_itself_stay_unless_they_are_named() -> None:
    pairs = build().pairs
    assert not [p for p in pairs if "Q" in p]
    assert ("W", "W") not in pairs
    freed = build(also=(("W", "W"), ("C", "Q")))
    assert {("W", "W"), ("C", "Q")} <= set(freed.pairs)
    assert ("Q", "W") not in freed.pairs
    assert "class C-Qa" in [p.name for p in freed.shared]
    with pytest.raises(SettingsError, match="X-Y"):
        build(also=(("X", "Y"),))


def test_levels_and_pairs_and_slopes() -> None:
    levels = build(form="levels")
    assert {p.name: len(p.rows) for p in levels.shared} == {"level 3": 12, "level 3.5": 2}
    pairs = build(form="pairs", slope_prior_width=1e-3)
    plain, slopes = pairs.shared[: len(pairs) // 2], pairs.shared[len(pairs) // 2 :]
    assert [s.name for s in slopes] == [f"slope {p.name}" for p in plain]
    assert all(s.per_kelvin and s.prior_width == 1e-3 for s in slopes)
    assert pairs.shared[0].bounds_x == pytest.approx((np.log(0.5), np.log(2.0)))
    assert slopes[0].bounds_x == pytest.approx((0.01 * np.log(0.5), 0.01 * np.log(2.0)))


def test_parameters_given_one_by_one_keep_their_pairs_to_themselves() -> None:
    own = FreeParameter(pair=("C", "P"), start=3.0, prior_width=0.2, lower=1.0, upper=5.0)
    chosen = MatrixSettings(form="classes")
    space = matrix_space(table(), chosen, present=EVERY, water=["W"], named=(own,), temperature=298.15)
    assert space.parameters_of(("C", "P")) == ("C-P",)
    assert space.parameters_of(("SC", "SP")) == ("class C-P", "size S-S")
    with pytest.raises(SettingsError, match="no pair is left"):
        matrix_space(table(), chosen, present=[("W", "W")], water=["W"], temperature=298.15)
