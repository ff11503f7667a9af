"""Runs that follow the molecules of a liquid: even frames, the mean volume, alarms, names, the way through the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_systems import W, water

from topdown.errors import PhaseChangeError, SettingsError, SimulationError
from topdown.model.requests import DiffusionRequest
from topdown.properties import diffusion_runs, planned_runs
from topdown.properties.diffusion import Trajectory
from topdown.properties.diffusion_runs import motion_of, run_motion
from topdown.properties.planned_runs import windows_of
from topdown.properties.sampler import EngineSampler
from topdown.sampling.equilibrate import settle
from topdown.sampling.liquid_state import Alarm

N = 400


def request(**changes: object) -> DiffusionRequest:
    known = DiffusionRequest(
        molecule=W,
        n_molecules=N,
        table=water(N).table,
        temperature=310.0,
        pressure=1.0,
        n_equilibration=1000,
        n_steps=6000,
        every=100,
        stress_every=50,
        seed=3,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def motion() -> Trajectory:
    asked = request()
    start = settle(water(N, density=7.4), temperature=310.0, seed=1)
    part = run_motion(asked, start, key="run", seed=5)
    assert part.samples.n_molecules == N
    assert part.samples.pressure is None
    assert np.all(part.samples.sums.volume == np.prod(part.extra["box"])), "the volume is held"
    return motion_of(asked, part.extra)


def test_frames_and_stress_are_even_over_all_stretches(motion: Trajectory) -> None:
    assert motion.centers.shape == (60, N, 3)
    assert motion.shear_stress.shape == (120, 3)
    assert (motion.interval, motion.stress_interval) == (2.0, 1.0)
    # the run is watched after 5000 steps: no frame is missing and none comes twice there
    moved = np.square(np.diff(motion.centers, axis=0)).sum(axis=2).mean(axis=1)
    assert moved.min() > 0.6 * moved.mean()
    assert moved.max() < 1.5 * moved.mean()
    assert np.all(motion.masses == 72.0)


def test_the_volume_is_that_of_the_liquid_at_its_pressure(motion: Trajectory) -> None:
    """The box is built at 7.4 beads per nm³ and shrinks to 8.2 to 8.5 before molecules are followed."""
    density = N / np.prod(motion.box)
    assert 8.0 < density < 8.8


def test_a_liquid_that_freezes_gives_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = Alarm(kind="froze", time=1.0, last_good=0, message="a crystal")
    monkeypatch.setattr(diffusion_runs.LiquidWatch, "look", lambda self, simulation: alarm)
    start = settle(water(N), temperature=310.0, seed=1)
    with pytest.raises(PhaseChangeError, match="froze while its molecules were followed: a crystal") as caught:
        run_motion(request(n_steps=1000), start, key="run", seed=5)
    assert caught.value.kind == "froze"


def test_a_run_is_named_by_all_that_decides_it() -> None:
    names = {
        windows_of(r)[0].key()
        for r in (request(), request(stress_every=0), request(every=200), request(seed=4), request(temperature=320.0))
    }
    assert len(names) == 5
    assert windows_of(request())[0].key() in names


@pytest.mark.parametrize("changes", [{"stress_every": 30}, {"stress_every": -1}, {"n_steps": 50}, {"n_molecules": 0}])
def test_requests_that_make_no_run_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(SettingsError):
        request(**changes)


def test_paths_come_back_through_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 500)
    sampler = EngineSampler(tmp_path, workers=1)
    asked = request(n_steps=1000, n_equilibration=100)
    assert sampler.record(asked) == {}
    with pytest.raises(SimulationError, match="gone from the run store"):
        motion_of(asked, sampler.record(asked))
    (samples,) = sampler.sample([asked])
    assert samples.system == "self-diffusion of 400 W"
    first = motion_of(asked, sampler.record(asked))
    assert first.centers.shape == (10, N, 3)
    again = EngineSampler(tmp_path / "elsewhere", workers=1)
    again.sample([asked])
    np.testing.assert_array_equal(motion_of(asked, again.record(asked)).centers, first.centers)
