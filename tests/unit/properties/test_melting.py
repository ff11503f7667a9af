"""Melting points: rates from paths of both phases, their zero and its error, and a crystal that really grows or melts."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import SamplingError, SettingsError, SimulationError
from topdown.properties.melting import (
    GrowthRate,
    fine_temperatures,
    first_temperature,
    fit_melting_point,
    growth_rate,
    melting_request,
    rough_search,
)
from topdown.properties.melting_runs import Coexistence, coexistence_of, run_coexistence
from topdown.properties.planned_runs import windows_of
from topdown.tables import load_molecule


def request_at(water, table, temperature, **options):
    return melting_request(water, table, temperature=temperature, n_across=4, **options)


def rates(speed, temperatures, rng, noise):
    return [
        GrowthRate(temperature=t, seed=k, speed=speed(t) + noise * rng.normal(), first=0.5, last=0.5, nanoseconds=0.4)
        for t in temperatures
        for k in range(3)
    ]


def test_speed_is_that_of_each_of_two_faces(water, table):
    times = np.arange(0.0, 100.0, 2.0)
    heights = 8.0 + 0.001 * times
    thickness = 4.0 + 0.012 * times  # both faces together
    seen = Coexistence(times=times, crystalline=thickness / heights, heights=heights)
    found = growth_rate(request_at(water, table, 300.0), seen)
    assert found.speed == pytest.approx(6.0, rel=1e-9)
    assert (found.first, found.last) == (seen.crystalline[0], seen.crystalline[-1])
    assert found.nanoseconds == pytest.approx(0.098)


def test_a_phase_that_is_gone_at_once_gives_no_speed(water, table):
    seen = Coexistence(times=np.array([0.0, 2.0]), crystalline=np.array([0.3, 0.05]), heights=np.array([8.0, 8.1]))
    with pytest.raises(SamplingError, match="gone after 2 ps"):
        growth_rate(request_at(water, table, 300.0), seen)


@pytest.mark.parametrize("curvature", [0.0, -0.03])
def test_zero_and_its_error_cover_the_truth(curvature):
    truth, rng = 338.0, np.random.default_rng(3)
    z = []
    for _ in range(400):
        found = fit_melting_point(
            rates(lambda t: -0.8 * (t - truth) + curvature * (t - truth) ** 2, fine_temperatures(340.0), rng, 2.0)
        )
        z.append((found.temperature.value - truth) / found.temperature.standard_error)
        assert found.slope < 0.0
    # Student's t of 12 degrees of freedom: 95 % within 2.18
    assert 0.90 < np.mean(np.abs(z) < 2.18) < 0.99
    assert abs(np.mean(z)) < 0.2


def test_without_noise_a_parabola_is_met_exactly():
    found = fit_melting_point(
        rates(
            lambda t: -0.8 * (t - 338.0) - 0.03 * (t - 338.0) ** 2,
            fine_temperatures(340.0),
            np.random.default_rng(1),
            0.0,
        )
    )
    assert found.temperature.value == pytest.approx(338.0, abs=1e-8)
    assert found.slope == pytest.approx(-0.8, abs=1e-8)


@pytest.mark.parametrize(
    ("speed", "message", "hint"),
    [
        (lambda t: 5.0 - 0.4 * (t - 340.0), "grows at all temperatures from 330 to 350 K", "higher"),
        (lambda t: -5.0 - 0.4 * (t - 340.0), "melts at all temperatures", "lower"),
        (lambda t: 0.1 * (t - 340.0), "does not grow more slowly", "longer"),
    ],
)
def test_rates_that_give_no_melting_point(speed, message, hint):
    with pytest.raises(SamplingError, match=message) as error:
        fit_melting_point(rates(speed, fine_temperatures(340.0), np.random.default_rng(1), 0.01))
    assert hint in (error.value.hint or "")


def test_noise_larger_than_the_trend_is_refused():
    with pytest.raises(SamplingError, match="clearly"):
        fit_melting_point(rates(lambda t: -0.2 * (t - 340.0), fine_temperatures(340.0), np.random.default_rng(6), 6.0))
    with pytest.raises(SamplingError, match="four runs"):
        fit_melting_point(rates(lambda t: 340.0 - t, [330.0], np.random.default_rng(1), 0.0))


def follow(search, speed):
    """Answer a search with a speed at every temperature; what it found, and where it looked."""
    asked = [next(search)]
    try:
        while True:
            asked.append(search.send(speed(asked[-1])))
    except StopIteration as end:
        return end.value, asked


@pytest.mark.parametrize("truth", [250.0, 340.0, 450.0])
def test_the_search_goes_up_or_down(truth):
    found, asked = follow(rough_search(336.0), lambda t: truth - t)
    assert found == pytest.approx(truth)
    assert len(asked) < 9
    assert len(set(asked)) == len(asked)


def test_a_search_that_finds_nothing_says_so():
    with pytest.raises(SamplingError, match="still melts at"):
        follow(rough_search(336.0), lambda t: -1.0)
    with pytest.raises(SamplingError, match="still grows at 336 K"):
        follow(rough_search(336.0, highest=340.0), lambda t: 1.0)


def test_a_crystal_grows_in_the_cold_and_melts_in_the_heat(water, table):
    speeds = {}
    for temperature in (310.0, 375.0):
        request = request_at(water, table, temperature, nanoseconds=0.03)
        part = run_coexistence(request, key="k", seed=5)
        seen = coexistence_of(request, part.extra)
        assert 0.3 < seen.crystalline[0] < 0.65
        assert part.samples.n_molecules == 1024
        assert part.end is None
        assert len(part.samples.sums.sums) == len(seen.times)
        speeds[temperature] = growth_rate(request, seen).speed
    assert speeds[310.0] > 5.0
    assert speeds[375.0] < -5.0


def test_what_cannot_be_watched_is_said(water, table):
    with pytest.raises(SimulationError, match="does not last"):
        run_coexistence(request_at(water, table, 600.0), key="k", seed=1)
    with pytest.raises(SimulationError, match="gone from the run store"):
        coexistence_of(request_at(water, table, 300.0), {})
    with pytest.raises(SettingsError, match="one bead only, OCO has 3"):
        request_at(load_molecule("martini3", "OCO"), table, 300.0)


def test_runs_are_stored_under_what_decides_them(water, table):
    def key(**options):
        (window,) = windows_of(melting_request(water, table, **({"temperature": 300.0} | options)))
        assert window.box is None
        assert window.before() is None
        return window.key()

    ways = [{}, {"temperature": 301.0}, {"pressure": 2.0}, {"nanoseconds": 0.5}, {"n_across": 6}, {"seed": 2}]
    assert len({key(**options) for options in ways}) == len(ways)
    assert key() == key()


def test_the_search_begins_where_lennard_jones_crystals_melt(water, table):
    assert 320.0 < first_temperature(water, table) < 350.0
