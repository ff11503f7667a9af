"""Classes of beads on made-up samples: derivatives, recovery of known strengths, and the table they make."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_classes import BASE, PARENT, SOLVENTS, problem, true_places

from topdown.calibration.class_fit import (
    PLACE_DIGITS,
    _cosines,
    _precision,
    assign_classes,
    class_metric,
    cluster,
    fit_continuous,
    refine_classes,
)
from topdown.calibration.class_table import (
    PairFactors,
    class_bead_table,
    class_names,
    class_volumes,
    largest_like_epsilon,
    likeness,
    places_of,
)
from topdown.mapping.bead_volume import VOLUME_STEP, VOLUME_SUFFIXES
from topdown.model import BeadTable
from topdown.model.bead import SIZES
from topdown.model.bead_table import Provenance
from topdown.model.type_volumes import with_volumes
from topdown.properties.shapes import neutral_types, place_range


def test_the_jacobian_is_the_derivative() -> None:
    asked = problem()
    rng = np.random.default_rng(2)
    design = rng.standard_normal((asked.n_beads, 2))
    x = 0.1 * rng.standard_normal((2, 2))
    jacobian = asked.evaluate(0.5 + design @ x.T).jacobian(design)
    for v in range(2):
        for f in range(2):
            step = np.zeros((2, 2))
            step[v, f] = 2e-3
            up, down = (asked.evaluate(0.5 + design @ (x + s * step).T).calculated() for s in (1, -1))
            np.testing.assert_allclose(jacobian[:, 2 * v + f], (up - down) / 4e-3, rtol=2e-3, atol=2e-3)


def test_known_strengths_are_recovered() -> None:
    exact = problem().evaluate(true_places()).calculated()
    asked = problem(exact)
    fit = fit_continuous(asked, BASE, width=3.0)
    assert np.abs(fit.evaluation.calculated() - exact).max() < 0.2
    np.testing.assert_allclose(fit.places, true_places(), atol=0.02)
    shrunk = fit_continuous(asked, BASE, width=0.0001)
    assert np.abs(shrunk.weights).max() < 0.5 * np.abs(fit.weights).max(), "a narrow prior holds the weights"


def test_a_solvent_without_data_learns_from_the_others() -> None:
    """In truth what is drawn to one solvent is not to the other; in oil only molecules of one kind of bead are known."""
    places = true_places()
    asked = problem(problem().evaluate(places).calculated())
    one = asked.with_observations(
        [replace(o, calibration=o.phase == "gas" or o.molecule < 2) for o in asked.observations]
    )
    alone, together = (fit_continuous(one, BASE, width=0.3, correlated=flag) for flag in (False, True))
    off = [np.abs(fit.places - places)[:, 1].mean() for fit in (alone, together)]
    assert off[1] < 0.8 * off[0]


def test_uncorrelated_weights_have_no_correlations() -> None:
    rng = np.random.default_rng(5)
    np.testing.assert_allclose(_cosines(rng.standard_normal((3, 40_000))), np.eye(3), atol=0.03)
    x = rng.standard_normal((1, 50))
    np.testing.assert_allclose(_cosines(np.concatenate([x, 2.0 * x, -x])), [[1, 1, -1], [1, 1, -1], [-1, -1, 1]])


def test_precision_is_the_inverse_of_the_prior_covariance() -> None:
    """Of V solvents and two features and three intercepts, element by element."""
    correlations = np.array([[1.0, 0.4], [0.4, 1.0]])
    covariance = np.linalg.inv(_precision(correlations, 2, 5)).reshape(2, 5, 2, 5)
    for f in range(5):
        for g in range(5):
            wanted = np.zeros((2, 2)) if f != g else correlations if f < 2 else np.eye(2)
            np.testing.assert_allclose(covariance[:, f, :, g], wanted, atol=1e-12)


def test_classes_are_found_and_refined() -> None:
    places = true_places()
    exact = problem().evaluate(places).calculated()
    asked = problem(exact)
    evaluation = asked.evaluate(places)
    metric = class_metric(evaluation, ["oil"])
    centres = cluster(places, asked.sizes, metric, 3, np.random.default_rng(0))
    owner = assign_classes(asked, places, centres, metric)
    assert len(set(owner.tolist())) == 3
    np.testing.assert_allclose(centres[owner], places, atol=1e-9)
    off = centres + 0.08
    refined = refine_classes(asked, owner, off, width=0.5)
    np.testing.assert_array_equal(refined.places, refined.places.round(PLACE_DIGITS))
    np.testing.assert_allclose(refined.places[owner], places, atol=0.02)
    assert np.all(refined.errors < 0.5)
    held = refine_classes(asked, owner, off, width=0.001)
    np.testing.assert_allclose(held.places, off, atol=0.02)


def test_classes_stay_what_they_were_where_a_fit_starts_from_them() -> None:
    """Numbers and places, though most of these beads have one place and some class none."""
    places = np.array([[0.5, 0.5]] * 6 + [[0.1, 0.9]])
    metric = np.tile(np.array([[3.0, 0.0], [0.0, 2.0]]), (3, 1, 1))
    start = np.array([[2.0, 2.0], [0.12, 0.88], [0.45, 0.5]])
    found = cluster(places, np.array(["S"] * 7), metric, 3, np.random.default_rng(0), start=start)
    np.testing.assert_allclose(found, [[2.0, 2.0], [0.1, 0.9], [0.5, 0.5]], atol=1e-12)


def test_molecules_that_are_not_fitted_have_no_say_in_the_distance_of_classes() -> None:
    asked, places = problem(), true_places()
    held = asked.with_observations([replace(o, calibration=o.molecule != 1) for o in asked.observations])
    moved = places.copy()
    moved[asked.first[1] : asked.first[2]] += 0.3
    of_all = [class_metric(asked.evaluate(x), ["oil"]) for x in (places, moved)]
    of_fitted = [class_metric(held.evaluate(x), ["oil"]) for x in (places, moved)]
    assert np.abs(of_all[0] - of_all[1]).max() > 1e-3
    np.testing.assert_array_equal(*of_fitted)


def test_the_posterior_covers_the_truth() -> None:
    places = true_places()
    exact = problem().evaluate(places).calculated()
    metric = class_metric(problem().evaluate(places), ["oil"])
    centres = cluster(places, problem().sizes, metric, 3, np.random.default_rng(0))
    owner = assign_classes(problem(), places, centres, metric)
    z = []
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        prior = centres + 0.05 * rng.standard_normal(centres.shape)
        fit = refine_classes(problem(exact, noise=0.5, seed=seed), owner, prior, width=0.05)
        z.append((fit.places - centres) / fit.errors)
    inside = float(np.mean(np.abs(z) < 1.96))
    assert 0.90 < inside < 0.99


def test_the_table_holds_what_was_fitted_and_what_was_kept() -> None:
    places = np.array([[0.9, 0.2], [0.1, 0.9]])
    names = class_names(places, np.tile(np.array([[-20.0, 18.0]]), (3, 1, 1)), ("oil→water",), "oil→water")
    assert names == ("P01", "C01")
    metric = np.tile(np.array([[-20.0, 18.0]]), (3, 1, 1))
    about = {"name": "mine", "version": "1", "provenance": Provenance(parent="martini3")}
    table = class_bead_table(PARENT, names, places, SOLVENTS, ("a", "b"), metric, **about)
    for size in SIZES:
        low, span = place_range(PARENT, size, "W")
        name = "P01" if size == "R" else f"{size}P01"
        assert table.pair(name, "W")[1] == pytest.approx(low + 0.9 * span, abs=1e-4)
    assert table.pair("W", "C1") == PARENT.pair("W", "C1")
    assert table.pair("TQ5", "W") == PARENT.pair("TQ5", "W")
    assert table.pair("SP01", "TC01") == table.pair("TC01", "SP01")
    assert table.pair("SC01", "TC01")[0] == 0.365
    assert table.pair("C01", "C01")[1] > table.pair("C01", "P01")[1], "like attracts like"


def test_beads_of_other_solvents_are_kept_and_met_as_by_like_types() -> None:
    """A class meets toluene's beads as the types it is like do on average; the beads themselves stay as they are."""
    solvents, names = ("W", "C1", "SC2", "SP1", "X2"), ("C01", "N01")
    regular = [t for t in neutral_types(PARENT) if t.size == "R"]
    known = places_of(PARENT, regular, solvents)
    places = known[[[t.name for t in regular].index(name) for name in ("C3", "N4")]]
    metric = np.tile(np.array([[-18.0, 4.0, 2.0, 6.0, 1.0], [-18.0, 16.0, 0.0, 0.0, 0.0]]), (3, 1, 1))
    about = {"name": "mine", "version": "1", "provenance": Provenance(parent="martini3")}
    alone = class_bead_table(PARENT, names, places, solvents, ("a", "b"), metric, **about)
    table = class_bead_table(PARENT, names, places, solvents, ("a", "b"), metric, **about, kept=("SC4", "TC5"))
    assert "TC5" not in alone
    assert table.pair("SC4", "TC5") == PARENT.pair("SC4", "TC5")
    assert table.pair("TC5", "Q5") == PARENT.pair("TC5", "Q5")
    weights = likeness(places, known, metric[0])
    for bead in ("SC4", "TC5"):
        theirs = [PARENT.pair(t.name, bead)[1] for t in regular]
        assert np.allclose([table.pair(name, bead)[1] for name in names], weights @ theirs, atol=1e-4)
        assert table.pair("C01", bead)[1] > table.pair("N01", bead)[1], "apolar beads like C3 more than N4"
    rows = table.indices([t.name for t in alone.bead_types])
    np.testing.assert_array_equal(table.epsilon[np.ix_(rows, rows)], alone.epsilon)
    np.testing.assert_array_equal(table.sigma[np.ix_(rows, rows)], alone.sigma)


def test_a_class_interacts_as_the_types_it_is_like() -> None:
    solvents = ("W", "C1", "SC2", "SP1", "X2")
    regular = [t for t in neutral_types(PARENT) if t.size == "R"][:120]
    places = places_of(PARENT, regular, solvents)
    metric = np.array([[-18.0, 4.0, 2.0, 6.0, 1.0], [-18.0, 16.0, 0.0, 0.0, 0.0], [-18.0, 0.0, 0.0, 0.0, 14.0]])
    weights = likeness(places, places, metric)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    index = PARENT.indices([t.name for t in regular])
    epsilon = PARENT.epsilon[np.ix_(index, index)]
    others = weights * (1.0 - np.eye(len(regular)))
    others /= others.sum(axis=1, keepdims=True)
    assert np.sqrt(np.mean((others @ epsilon - epsilon) ** 2)) < 0.6 * epsilon.std(), "each left out of its own average"
    far = likeness(places[:1] + 3.0, places, metric)
    assert far.max() <= 1.0
    assert np.isfinite(far).all()


def test_factors_change_pairs_of_classes_alone() -> None:
    places, names = np.array([[0.9, 0.2], [0.1, 0.9]]), ("P01", "C01")
    metric = np.tile(np.array([[-20.0, 18.0]]), (3, 1, 1))

    def table(factors: PairFactors | None) -> BeadTable:
        about = {"name": "mine", "version": "1", "provenance": Provenance(parent="martini3")}
        return class_bead_table(PARENT, names, places, SOLVENTS, ("a", "b"), metric, factors, **about)

    none = PairFactors.none(2)
    sizes = {**none.sigma_sizes, "RS": 0.05}
    factors = replace(none, sigma=np.array([0.02, 0.0]), epsilon=np.array([0.0, -0.1]), sigma_sizes=sizes)
    before, after = table(None), table(factors)
    assert np.array_equal(table(none).sigma, before.sigma)
    for pair, sigma, epsilon in [
        (("P01", "P01"), 0.02, 0.0),
        (("P01", "C01"), 0.01, -0.05),
        (("P01", "SC01"), 0.06, -0.05),
        (("SC01", "TC01"), 0.0, -0.1),
        (("P01", "W"), 0.0, 0.0),
        (("P01", "Q5"), 0.0, 0.0),
    ]:
        assert after.pair(*pair)[0] == pytest.approx(before.pair(*pair)[0] * np.exp(sigma), abs=2e-5)
        assert after.pair(*pair)[1] == pytest.approx(before.pair(*pair)[1] * np.exp(epsilon), abs=2e-4)
    np.testing.assert_array_equal(after.sigma, after.sigma.T)
    np.testing.assert_array_equal(after.epsilon, after.epsilon.T)


def test_types_in_several_volumes_differ_in_pairs_of_classes_alone() -> None:
    places, names = np.array([[0.9, 0.2], [0.1, 0.9]]), ("P01", "C01")
    metric = np.tile(np.array([[-20.0, 18.0]]), (3, 1, 1))
    about = {"name": "mine", "version": "1", "provenance": Provenance(parent="martini3")}
    slopes = {"R": 0.8, "S": 0.7, "T": 0.6}
    factors = replace(PairFactors.none(2), sigma_volumes=slopes, epsilon_volumes={"R": 0.5, "S": 1.0, "T": 2.0})
    one = class_bead_table(PARENT, names, places, SOLVENTS, ("a", "b"), metric, factors, **about, like_limit=4.0)
    written = class_bead_table(PARENT, names, places, SOLVENTS, ("a", "b"), metric, factors, **about)
    table = with_volumes(written, class_volumes(names, factors, 4.0))
    usual = [t.name for t in one.bead_types]
    np.testing.assert_array_equal(table.sigma[np.ix_(rows := table.indices(usual), rows)], one.sigma)
    np.testing.assert_array_equal(table.epsilon[np.ix_(rows, rows)], one.epsilon)
    assert len(table.bead_types) == len(usual) + 6 * 6
    for pair, alike, sigma, epsilon in [
        (("P01b", "C01b"), ("P01", "C01"), 0.8, 0.5),
        (("P01b", "SC01"), ("P01", "SC01"), 0.4, 0.25),
        (("P01b", "SC01c"), ("P01", "SC01"), 0.05, -0.25),
        (("TP01c", "TC01c"), ("TP01", "TC01"), -0.6, -2.0),
        (("SC01c4", "SP01b2"), ("SC01", "SP01"), -0.7, -1.0),
        (("P01b", "W"), ("P01", "W"), 0.0, 0.0),
        (("SC01c", "Q5"), ("SC01", "Q5"), 0.0, 0.0),
    ]:
        for k, power in enumerate((sigma, epsilon)):
            assert table.pair(*pair)[k] == pytest.approx(one.pair(*alike)[k] * np.exp(VOLUME_STEP * power), rel=2e-4)
    for name in ("P01", "TP01"):
        kinds = [f"{name}{suffix}" for suffix in VOLUME_SUFFIXES.values()]
        assert max(table.pair(a, b)[1] for a in kinds for b in kinds) <= 4.0, "no bead attracts its own kind more"
    assert table.pair("P01b", "P01b")[1] == 4.0


def test_no_type_attracts_its_own_kind_more_than_a_liquid_bears() -> None:
    places, names = np.array([[0.9, 0.2], [0.1, 0.9]]), ("P01", "C01")
    metric = np.tile(np.array([[-20.0, 18.0]]), (3, 1, 1))
    about = {"name": "mine", "version": "1", "provenance": Provenance(parent="martini3")}
    free, held = (
        class_bead_table(PARENT, names, places, SOLVENTS, ("a", "b"), metric, **about, like_limit=limit)
        for limit in (np.inf, 3.0)
    )
    like = np.arange(6)
    assert free.epsilon[like, like].max() > 3.0
    np.testing.assert_array_equal(held.epsilon[like, like], np.minimum(free.epsilon[like, like], 3.0))
    unlike = ~np.eye(len(free.epsilon), dtype=bool)
    np.testing.assert_array_equal(held.epsilon[unlike], free.epsilon[unlike])
    water = PARENT.pair("W", "W")[1]
    assert largest_like_epsilon(298.15) == pytest.approx(water, rel=0.005), "which is supercooled, and stays liquid"
