"""Searches for melting points over crystals whose growth is known: where they look, what they find, and what a failure costs."""

from __future__ import annotations

import numpy as np
import pytest
from known_melting import KnownCrystals

from topdown.errors import SamplingError, SettingsError, SimulationError
from topdown.properties.melting import first_temperature
from topdown.properties.melting_search import MeltingSettings, melting_point, melting_points, melting_search
from topdown.tables import load_molecule


@pytest.fixture(scope="module")
def methanol(water):
    from dataclasses import replace

    return replace(water, name="methanol", beads=(replace(water.beads[0], bead_type="SP2r"),))


def truth(request):
    """A crystal that melts 4 % above where the search begins."""
    return 1.04 * first_temperature(request.molecule, request.table)


def test_a_melting_point_is_found_from_nowhere(water, table):
    sampler = KnownCrystals(truth)
    settings = MeltingSettings(seed=5)
    found = melting_point(water, table, settings, sampler)
    expected = 1.04 * first_temperature(water, table)
    assert abs(found.temperature.value - expected) < 4.0 * found.temperature.standard_error
    assert found.temperature.standard_error < 2.0
    coarse, fine = sampler.asked[:-1], sampler.asked[-1]
    assert [len(batch) for batch in coarse] == [1, 1]
    assert coarse[1][0].temperature > coarse[0][0].temperature, "it grew, so that it melts higher up"
    assert len(fine) == 15
    assert {r.seed for r in fine} == {5, 6, 7}
    assert len({r.temperature for r in fine}) == 5
    assert sum(len(batch) for batch in sampler.asked) <= settings.most_runs


def test_no_search_takes_more_runs_than_it_says(water, table):
    for sign in (1.0, -1.0):
        sampler = KnownCrystals(lambda _, sign=sign: 500.0 + sign * 2000.0)
        with pytest.raises(SamplingError, match="still"):
            melting_point(water, table, MeltingSettings(), sampler)
        assert len(sampler.asked) <= MeltingSettings().most_runs - 15
    assert MeltingSettings(temperatures=(300.0, 310.0)).most_runs == 6


def test_searches_go_side_by_side_and_end_as_alone(water, methanol, table):
    both = KnownCrystals(truth)
    settings = MeltingSettings()
    found = melting_points(
        {"water": melting_search(water, table, settings), "other": melting_search(methanol, table, settings)}, both
    )
    assert [len(batch) for batch in both.asked] == [2, 2, 30]
    for name, molecule in (("water", water), ("other", methanol)):
        alone = melting_point(molecule, table, settings, KnownCrystals(truth))
        assert found[name].point == alone
        assert len(found[name].requests) == 17
        assert all(request.molecule is molecule for request in found[name].requests)


def test_a_search_that_fails_costs_itself_only(water, methanol, table):
    sampler = KnownCrystals(truth, fails=lambda r: r.molecule is methanol and r.seed == 3)
    settings = MeltingSettings()
    searches = {"other": melting_search(methanol, table, settings), "water": melting_search(water, table, settings)}
    found = melting_points(searches, sampler)
    assert list(found) == ["other", "water"]
    assert found["other"].point is None
    assert str(found["other"].error).endswith("it blew up")
    assert isinstance(found["other"].error, SimulationError)
    assert len(found["other"].requests) == 17, "it had got to its last batch"
    assert found["water"].point is not None
    lost = melting_points({"water": melting_search(water, table, settings)}, KnownCrystals(lambda _: 5000.0))["water"]
    assert isinstance(lost.error, SamplingError)
    with pytest.raises(SimulationError, match="it blew up"):
        melting_point(water, table, settings, KnownCrystals(truth, fails=lambda r: True))


def test_larger_molecules_are_refused_before_anything_is_asked(table):
    with pytest.raises(SettingsError, match="liquids of one bead, OCO has 3"):
        melting_search(load_molecule("martini3", "OCO"), table, MeltingSettings())


def test_cost_counts_each_phase_until_they_meet(water, table):
    from topdown.properties.melting import melting_request
    from topdown.properties.melting_runs import bead_steps

    request = melting_request(water, table, temperature=300.0, n_across=5, nanoseconds=0.4)
    assert bead_steps(request) == 1000 * (2_500 + 2_500 + 1_500) + 2000 * (250 + 20_000)
    assert np.isclose(bead_steps(request) / (2000 * 20_000), 1.175)
