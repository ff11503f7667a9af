"""Places of classes with the beads of further solvents, on made-up samples."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_classes import PARENT, SOLVENTS, made_up_sums, molecules, true_places

from topdown.calibration.class_fit import ClassProblem, Observation
from topdown.calibration.class_further import FurtherFit, fit_further, parent_map
from topdown.calibration.class_table import class_bead_table, places_of
from topdown.model.bead_table import Provenance
from topdown.properties.shapes import neutral_types, place_range

FURTHER = "X1"
#: Of the map, and what each class deviates from it.
TRUE_MAP = np.array([[0.1], [0.3], [0.5]])
DEVIATIONS = np.array([0.06, -0.04, 0.0])


def further_problem(truth: np.ndarray, error: float = 0.05, noise: float = 0.0, seed: int = 0) -> ClassProblem:
    """The molecules of the other fit with free energies from a third solvent, at ``truth`` (n_beads, 3)."""
    rng = np.random.default_rng(5)
    sums = {
        phase: {"one": made_up_sums(rng, "R", other), "two": made_up_sums(rng, "RS", other)}
        for phase, other in (("water", "W"), ("more", FURTHER))
    }
    n = len(molecules())
    wanted = [Observation(molecule=k, phase="more", value=0.0, error=error, calibration=True) for k in range(n)]
    asked = ClassProblem(molecules(), wanted, sums, PARENT, (*SOLVENTS, FURTHER))
    values = asked.evaluate(truth).calculated() + noise * np.random.default_rng(seed).standard_normal(n)
    return asked.with_observations([replace(o, value=float(v)) for o, v in zip(wanted, values)])


def classes() -> tuple[np.ndarray, np.ndarray]:
    """Class of every bead, and places (3, 2) of the classes: one for each kind of bead."""
    places, owner = np.unique(true_places(), axis=0, return_inverse=True)
    return owner.ravel(), places


def fitted(asked: ClassProblem, start: np.ndarray = TRUE_MAP, **widths: float) -> FurtherFit:
    owner, places = classes()
    return fit_further(asked, owner, places, start, **{"map_width": 0.3, "class_width": 0.1} | widths)


def truth(deviations: np.ndarray = DEVIATIONS) -> tuple[np.ndarray, np.ndarray]:
    """Further places of the classes, and all places of the beads."""
    owner, places = classes()
    more = np.column_stack([np.ones(3), places]) @ TRUE_MAP + deviations[:, None]
    return more, np.hstack([places, more])[owner]


def test_known_places_are_recovered_and_the_others_are_held() -> None:
    more, places = truth()
    found = fitted(further_problem(places))
    assert found.solvents == (FURTHER,)
    np.testing.assert_allclose(found.places, more, atol=0.01)
    np.testing.assert_allclose(
        found.evaluation.calculated(), found.evaluation.problem.measured, atol=0.1, err_msg="of the places returned"
    )


def test_without_a_say_of_the_data_places_are_those_of_the_map() -> None:
    held = fitted(further_problem(truth()[1], error=0.5), map_width=1e-4, class_width=1e-4)
    np.testing.assert_allclose(held.places, truth(np.zeros(3))[0], atol=1e-3)
    np.testing.assert_allclose(held.errors, 1e-4 * np.sqrt(2 + (classes()[1] ** 2).sum(axis=1))[:, None], rtol=0.05)


def test_a_class_without_data_follows_the_map_that_the_others_tell() -> None:
    """The map starts 0.2 too high; the class that no fitted molecule has moves with those that have."""
    more, places = truth(np.zeros(3))
    asked = further_problem(places)
    owner, _ = classes()
    lone = 2
    holds = [lone in owner[a:b] for a, b in zip(asked.first[:-1], asked.first[1:])]
    without = asked.with_observations([replace(o, calibration=not holds[o.molecule]) for o in asked.observations])
    start = TRUE_MAP + np.array([[0.2], [0.0], [0.0]])
    found = fitted(without, start, class_width=0.02)
    assert abs(found.places[lone, 0] - more[lone, 0]) < 0.1
    assert found.errors[lone, 0] > 2.0 * np.delete(found.errors[:, 0], lone).max()


def test_the_posterior_covers_the_truth() -> None:
    """Noise drawn anew: errors stated are those made."""
    widths = {"map_width": 0.3, "class_width": 0.1}
    off = []
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        start = TRUE_MAP + widths["map_width"] * rng.standard_normal((3, 1))
        more, places = truth(widths["class_width"] * rng.standard_normal(3))
        found = fitted(further_problem(places, error=0.5, noise=0.5, seed=seed), start, **widths)
        off.append((found.places - more) / found.errors)
    assert 0.75 < float(np.std(off)) < 1.25


def test_the_map_of_the_parent_is_that_of_its_types() -> None:
    """Where the place asked for is one of those known, the map finds it exactly; else far nearer than the mean is."""
    known = ("W", "C1", "SC2", "SP1", "X2")
    exact = parent_map(PARENT, known, ("C1",))
    np.testing.assert_allclose(exact[:, 0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0], atol=1e-12)
    types = neutral_types(PARENT)
    asked = places_of(PARENT, types, (FURTHER,))
    rows = np.column_stack([np.ones(len(types)), places_of(PARENT, types, known)])
    assert (rows @ parent_map(PARENT, known, (FURTHER,)) - asked).std() < 0.3 * asked.std()


def test_the_table_holds_further_places() -> None:
    places = np.array([0.3, 0.8])
    about = {"name": "mine", "version": "1", "provenance": Provenance(parent="martini3")}
    table = class_bead_table(
        PARENT,
        ("C01", "P01"),
        np.array([[0.2, 0.6], [0.7, 0.4]]),
        SOLVENTS,
        ("a", "b"),
        np.tile(np.array([[-20.0, 18.0]]), (3, 1, 1)),
        **about,
        kept=(FURTHER, "SC4"),
        further={FURTHER: places},
    )
    for k, name in enumerate(("C01", "P01")):
        for size in ("", "S", "T"):
            low, span = place_range(PARENT, size or "R", FURTHER)
            assert table.pair(f"{size}{name}", FURTHER)[1] == pytest.approx(low + places[k] * span, abs=1e-4)
    assert table.pair(FURTHER, "SC4") == PARENT.pair(FURTHER, "SC4")
    assert [t.name for t in table.bead_types].count(FURTHER) == 1
