"""Runs behind a profile, on a bilayer of a few lipids: what is stored, what is repeated, what goes on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.errors import SettingsError, SimulationError
from topdown.model import Bead, CGMolecule
from topdown.properties import membrane_umbrella
from topdown.properties.membrane_umbrella import (
    DOWN,
    UP,
    ProfileRequest,
    build_start,
    missing_parts,
    sample_profile,
    umbrella_of,
)
from topdown.sampling.run_store import RunStore
from topdown.sampling.umbrella import pulled
from topdown.tables import load_bead_table, load_molecule

DPPC, WATER, SODIUM, CHLORIDE = (load_molecule("martini2", name) for name in ("DPPC", "W", "NA", "CL"))
TABLE = load_bead_table("martini2")
SOLUTE = CGMolecule(name="MOL", beads=(Bead(name="P", bead_type="P1", mass=72.0),))
REQUEST = ProfileRequest(
    solute=SOLUTE, lipids=((DPPC, 1.0),), water=WATER, cation=SODIUM, anion=CHLORIDE,
    table=TABLE.subset({"P1", *(n for m in (DPPC, WATER, SODIUM, CHLORIDE) for n in m.type_names)}),
    size=(3.2, 3.2, 7.4), temperature=323.0, targets=(2.9, 3.1, 3.3), membrane_steps=100, pull_steps=30, settling_steps=40,
    part_steps=100, every=20, parts=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    sample_profile(REQUEST, folder, workers=1)
    return folder


def test_runs_are_stored_and_not_repeated(store: Path) -> None:
    told: list[tuple[int, int, str]] = []
    samples = sample_profile(REQUEST, store, workers=1, progress=lambda *words: told.append(words))
    assert told == []
    assert missing_parts(REQUEST, store) == 0
    assert [(run.target, run.way) for run in samples.runs] == [(q, way) for q in REQUEST.targets for way in (DOWN, UP)]
    for run in samples.runs:
        assert run.frames.shape == (5, 3)
        assert abs(run.frames[:, 0].mean() - run.target) < 0.4
    assert samples.spring == 200.0
    z = (np.arange(len(samples.densities["water"])) + 0.5) * 0.1 - 8.0
    assert samples.densities["water"][np.abs(z) < 0.5].max() < 0.3
    assert samples.densities["lipids"][np.abs(z) < 0.5].mean() > 5.0
    area = np.mean([run.frames[:, 1].mean() for run in samples.runs])
    assert samples.densities["lipids"].sum() * 0.1 * area == pytest.approx(12 * samples.n_lipids, rel=0.01)


def _copy(store: Path, to: Path, key: str) -> None:
    there = RunStore(to).path(key)
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(RunStore(store).path(key), there)


def test_pulling_goes_on_after_the_stages_that_are_stored(store: Path, tmp_path: Path, monkeypatch) -> None:
    """Stopped on the way up: neither the bilayer nor the way down is made again, and the windows start from the same bytes."""
    for stage in ("equilibrated", "down"):
        _copy(store, tmp_path, REQUEST.stage_key(stage))
    monkeypatch.setattr(membrane_umbrella, "equilibrated", None)
    seen = []
    monkeypatch.setattr(membrane_umbrella, "pulled", lambda *a, **k: seen.append(k["targets"]) or pulled(*a, **k))
    monkeypatch.setattr(membrane_umbrella, "run_tasks", lambda *a, **k: iter(()))
    with pytest.raises(SimulationError, match="cannot be read back"):
        sample_profile(REQUEST, tmp_path, workers=1)
    assert seen == [REQUEST.targets]
    stored = [RunStore(folder).load(REQUEST.stage_key("up")) for folder in (store, tmp_path)]
    for name in ("positions", "velocities", "boxes"):
        np.testing.assert_array_equal(*(arrays[name] for arrays, _ in stored))


def test_windows_start_where_the_solute_came_by(store: Path) -> None:
    """On the way down the highest window comes first, on the way up the lowest."""
    for stage, way, order in (("down", DOWN, (2, 1, 0)), ("up", UP, (0, 1, 2))):
        found = RunStore(store).load(REQUEST.stage_key(stage))
        assert found is not None
        for row, window in enumerate(order):
            start = membrane_umbrella._start(REQUEST, REQUEST.built, window, way, RunStore(store))
            np.testing.assert_array_equal(start.positions, found[0]["positions"][row])


def test_longer_runs_go_on_where_they_ended_bit_by_bit(store: Path, tmp_path: Path) -> None:
    twice = replace(REQUEST, parts=2)
    assert missing_parts(twice, store) == 6
    for name in ("continued", "at once"):
        for stage in ("equilibrated", "down", "up"):
            _copy(store, tmp_path / name, REQUEST.stage_key(stage))
    first = REQUEST.window_key(1, UP, 0)
    _copy(store, tmp_path / "continued", first)
    assert missing_parts(twice, tmp_path / "continued") == 11
    results = [sample_profile(twice, tmp_path / name, workers=1) for name in ("continued", "at once")]
    for one, other in zip(*(result.runs for result in results), strict=True):
        assert len(one.frames) == 10
        np.testing.assert_array_equal(one.frames, other.frames)


def test_what_decides_a_run_is_in_its_name() -> None:
    changes = {"temperature": 324.0, "spring": 900.0, "salt": 0.3, "targets": (2.9, 3.1, 3.2), "seed": 2}
    keys = {REQUEST.pull_key()} | {replace(REQUEST, **{name: value}).pull_key() for name, value in changes.items()}
    assert len(keys) == 1 + len(changes)
    windows = {REQUEST.window_key(window, way, part) for window in (0, 1) for way in (DOWN, UP) for part in (0, 1)}
    assert len(windows) == 8
    assert replace(REQUEST, every=10).window_key(0, 0, 0) not in windows


def test_the_whole_solute_is_held_against_all_lipids() -> None:
    chain = load_molecule("martini2", "DEC")
    request = replace(REQUEST, solute=replace(chain, name="MOL"), table=TABLE)
    system = build_start(request)
    umbrella = umbrella_of(system, request)
    names = [bead.name for m, count in system.components for _ in range(count) for bead in m.beads]
    assert [names[bead] for bead in umbrella.solute] == [bead.name for bead in chain.beads]
    n_lipids = sum(count for molecule, count in system.components if molecule.name == "DPPC")
    assert len(umbrella.lipids) == 12 * n_lipids
    assert [names[bead] for bead in umbrella.lipids] == n_lipids * [bead.name for bead in DPPC.beads]
    restraint = umbrella.at(-1.2)
    assert (restraint.distance, restraint.force_constant) == (-1.2, 200.0)


def test_requests_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="rising heights"):
        replace(REQUEST, targets=(1.0, 0.5, 2.0))
    with pytest.raises(SettingsError, match="beyond half of a box"):
        replace(REQUEST, targets=(1.0, 2.0, 4.0))
    with pytest.raises(SettingsError, match="spring must be a positive number"):
        replace(REQUEST, spring=0.0)
