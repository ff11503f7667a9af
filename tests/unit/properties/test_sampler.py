"""The engine sampler: stores, reuses, resumes; its sums reproduce the engine's energies and its free energies are right."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import single, small_table

import topdown.properties.planned_runs as planned_runs
import topdown.properties.sampler as sampler_module
from topdown.errors import SimulationError, StorageError
from topdown.estimators.reweighting import pool_samples
from topdown.model import WindowFailure, WindowSamples
from topdown.model.requests import CouplingRequest, GasRequest, LiquidRequest
from topdown.properties.sampler import EngineSampler
from topdown.properties.window_runs import insert_solute, load_box


def coupling(epsilon: float = 1.2, **changes: object) -> CouplingRequest:
    request = CouplingRequest(
        solute=single("B"), solvent=single("A"), n_solvent=60, table=small_table(epsilon), temperature=320.0,
        pressure=1.0, lambdas=(0.0, 0.5, 1.0), n_equilibration=200, n_steps=400, every=20, seed=5,
    )  # fmt: skip
    return replace(request, **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _short_equilibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 300)


def test_windows_are_stored_and_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = EngineSampler(tmp_path, workers=1)
    first = sampler.sample([coupling()])
    assert [w.lambda_index for w in first] == [0, 1, 2]
    assert first[0].sums.n_frames == 20
    assert first[1].n_molecules == 60
    monkeypatch.setattr(sampler_module, "run_window", lambda task: pytest.fail("ran again"))
    again = EngineSampler(tmp_path, workers=1).sample([coupling()])
    for a, b in zip(first, again):
        np.testing.assert_array_equal(np.asarray(a.sums.solute_sums), np.asarray(b.sums.solute_sums))
    assert sampler.missing([coupling()]) == 0
    assert sampler.missing([coupling(epsilon=1.3)]) == 3
    assert sampler.missing([coupling(seed=6)]) == 3
    monkeypatch.setattr(planned_runs, "engine_version", lambda: "another")
    assert sampler.missing([coupling()]) == 3


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = EngineSampler(tmp_path / "whole", workers=1).sample([coupling()])
    done: list[int] = []
    real = sampler_module.run_window

    def interrupted(task: tuple[object, Path]) -> str:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return real(task)  # type: ignore[arg-type]

    monkeypatch.setattr(sampler_module, "run_window", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EngineSampler(tmp_path / "cut", workers=1).sample([coupling()])
    assert EngineSampler(tmp_path / "cut").missing([coupling()]) == 1
    monkeypatch.setattr(sampler_module, "run_window", real)
    resumed = EngineSampler(tmp_path / "cut", workers=1).sample([coupling()])
    for a, b in zip(whole, resumed):
        np.testing.assert_array_equal(a.sums.sums, b.sums.sums)
        np.testing.assert_array_equal(np.asarray(a.sums.solute_sums), np.asarray(b.sums.solute_sums))


def test_processes_give_the_same_bytes(tmp_path: Path) -> None:
    request = coupling(n_steps=40, every=20, lambdas=(0.0, 1.0))
    alone = EngineSampler(tmp_path / "one", workers=1).sample([request])
    pool = EngineSampler(tmp_path / "two", workers=2).sample([request])
    for a, b in zip(alone, pool):
        np.testing.assert_array_equal(a.sums.sums, b.sums.sums)
        np.testing.assert_array_equal(np.asarray(a.sums.solute_sums), np.asarray(b.sums.solute_sums))


def test_liquid_request(tmp_path: Path) -> None:
    request = LiquidRequest(
        molecule=single("A"), n_molecules=64, table=small_table(), temperature=320.0, pressure=1.0,
        n_equilibration=100, n_steps=200, every=20, seed=2,
    )  # fmt: skip
    (window,) = EngineSampler(tmp_path, workers=1).sample([request])
    assert window.lambda_index == -1
    assert window.sums.pairs == (("A", "A"),)
    assert window.epsilon == (3.6,)
    assert window.sums.n_frames == 10


def test_ideal_solute_costs_nothing(tmp_path: Path) -> None:
    """A solute that interacts with nothing has ΔG = 0 exactly; one that is repelled costs something."""
    ideal = EngineSampler(tmp_path, workers=1).sample([coupling(epsilon=0.0, n_steps=4000)])
    pooled = pool_samples(ideal, np.random.default_rng(1), n_replicates=10)
    value = pooled.coupling_free_energy(min_effective=5.0, error=False)
    assert abs(value.value) < 1e-9


def test_insertion_puts_the_solute_first_and_in_the_roomiest_place() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(4) * 0.5 + 0.1] * 3), axis=-1).reshape(-1, 3)
    hole = np.linalg.norm(grid - [0.6, 0.6, 0.6], axis=1) > 0.6
    from topdown.model import System

    liquid = System(
        table=small_table(), components=((single("A"), int(hole.sum())),), positions=grid[hole], box=np.full(3, 2.0)
    )
    whole = insert_solute(liquid, single("B"), np.random.default_rng(4))
    assert whole.components[0][0].name == "B"
    assert whole.components[1][1] == int(hole.sum())
    gap = whole.positions[1:] - whole.positions[0]
    gap -= 2.0 * np.rint(gap / 2.0)
    assert np.linalg.norm(gap, axis=1).min() > 0.45


def test_a_solute_in_a_mixture(tmp_path: Path) -> None:
    """The box holds both solvents, mixed; its sums hold every pair of types; another composition is another run."""
    mixed = coupling(n_solvent=40, cosolvents=((single("B"), 20),), lambdas=(0.0, 1.0), n_steps=40)
    assert mixed.system == "B in 40 A, 20 B"
    sampler = EngineSampler(tmp_path, workers=1)
    _, coupled = sampler.sample([mixed])
    assert coupled.n_molecules == 60
    assert coupled.sums.pairs == (("A", "A"), ("A", "B"), ("B", "B"))
    assert coupled.sums.solute_pairs == (("A", "B"), ("B", "B"))
    box = planned_runs.windows_of(mixed)[0].box
    system = load_box(box, sampler.store, mixed.table)
    x = system.positions % system.box
    middle = [np.abs(part.mean(axis=0) / system.box - 0.5).max() for part in (x[:40], x[40:])]
    assert max(middle) < 0.25, "neither keeps to one side"
    assert sampler.missing([mixed]) == 0
    assert sampler.missing([replace(mixed, cosolvents=((single("B"), 21),))]) == 2
    assert sampler.missing([replace(mixed, cosolvents=())]) == 2


def test_runs_stored_before_mixtures_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a pure liquid's window, as the version before mixtures wrote it."""
    monkeypatch.setattr(planned_runs, "engine_version", lambda: "some engine")
    assert planned_runs.windows_of(coupling())[1].key() == "035129a6070d8ae304853ecf8a8083602d117896"


def liquid(**changes: object) -> LiquidRequest:
    request = LiquidRequest(
        molecule=single("A"), n_molecules=64, table=small_table(), temperature=320.0, pressure=1.0,
        n_equilibration=100, n_steps=200, every=20, seed=2,
    )  # fmt: skip
    return replace(request, **changes)  # type: ignore[arg-type]


def test_parts_go_on_where_the_one_before_ended(tmp_path: Path) -> None:
    """One by one, all at once, or only the last asked for: the same runs."""
    parts = [liquid(part=k) for k in range(3)]
    stepwise = EngineSampler(tmp_path / "a", workers=1)
    windows = [stepwise.sample([part])[0] for part in parts]
    ends = [stepwise.record(part) for part in parts]
    last = EngineSampler(tmp_path / "b", workers=1)
    together = EngineSampler(tmp_path / "c", workers=2).sample(parts)
    np.testing.assert_array_equal(last.sample([parts[2]])[0].sums.sums, windows[2].sums.sums)
    assert last.missing(parts) == 0, "what it went on from is kept"
    for window, other in zip(windows, together):
        np.testing.assert_array_equal(window.sums.sums, other.sums.sums)
    assert ends[0]["velocities"].shape == (64, 3)
    volumes = [window.sums.volume for window in windows]
    for end, volume in zip(ends, volumes):
        assert float(np.prod(end["box"])) == pytest.approx(volume[-1]), "a part ends with its last frame"
    assert abs(volumes[1][0] / volumes[0][-1] - 1.0) < 0.05
    assert len({window.key for window in windows}) == 3


def test_a_run_that_met_an_alarm_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from topdown.sampling import liquid_runs
    from topdown.sampling.liquid_state import Alarm, LiquidWatch

    monkeypatch.setattr(liquid_runs, "CHECK_EVERY", 100)
    alarm = Alarm(kind="froze", time=0.0, last_good=1, message="it snowed")
    monkeypatch.setattr(
        LiquidWatch, "look", lambda self, s: self.states.append(None) or (alarm if len(self.states) == 3 else None)
    )
    sampler = EngineSampler(tmp_path, workers=1)
    (window,) = sampler.sample([liquid()])
    assert window.sums.n_frames == 5
    assert "it snowed" in window.alarm
    assert window.alarm_kind == "froze"
    with pytest.raises(SimulationError, match="cannot go on"):
        sampler.sample([liquid(part=1)])
    # as stored before kinds were
    arrays, header = sampler.store.load(window.key)  # type: ignore[misc]
    assert header.pop("alarm_kind") == "froze"
    sampler.store.save(window.key, arrays, header)
    assert sampler.store.load_window(window.key).alarm_kind == "froze"  # type: ignore[union-attr]
    sampler.store.save(window.key, arrays, {**header, "alarm": ""})
    assert sampler.store.load_window(window.key).alarm_kind == ""  # type: ignore[union-attr]


def test_a_liquid_lost_at_once_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error carries its kind, whatever its text says."""
    from topdown.errors import PhaseChangeError
    from topdown.sampling import liquid_runs
    from topdown.sampling.liquid_state import Alarm, LiquidWatch

    monkeypatch.setattr(liquid_runs, "CHECK_EVERY", 100)
    alarm = Alarm(kind="evaporated", time=0.0, last_good=-1, message="nothing froze")
    monkeypatch.setattr(LiquidWatch, "look", lambda self, s: alarm)
    sampler = EngineSampler(tmp_path, workers=1)
    (failure,) = sampler.attempt([liquid()])
    assert (failure.kind, failure.lambda_index) == ("evaporated", -1)  # type: ignore[union-attr]
    with pytest.raises(PhaseChangeError) as caught:
        sampler.sample([liquid()])
    assert pickle.loads(pickle.dumps(caught.value)).kind == "evaporated"


def test_a_molecule_alone(tmp_path: Path) -> None:
    """A dimer on a spring has kT/2 in it, and one bead has nothing; neither meets its image."""
    from small_world import dimer

    request = GasRequest(
        molecule=dimer(), table=small_table(), temperature=300.0, n_equilibration=500, n_steps=40_000, every=20, seed=4
    )
    (window,) = EngineSampler(tmp_path, workers=1).sample([request])
    assert window.pressure is None
    assert not np.asarray(window.sums.sums).any(), "bonded beads are excluded, and there is nothing else"
    # 3000 kJ/mol/nm² about 0.3 nm: the length enters the mean energy as kT/2 (1 + small terms)
    assert window.sums.rest_energy.mean() == pytest.approx(0.5 * 8.314e-3 * 300, rel=0.12)
    other = replace(request, temperature=350.0)
    assert EngineSampler(tmp_path).missing([request, other]) == 1


# -- runs that fail ----------------------------------------------------------------------------------------------------


def stiff() -> CouplingRequest:
    """A dimer whose bond no step of 20 fs can follow."""
    from small_world import dimer

    solute = dimer()
    hard = replace(solute, bonds=(replace(solute.bonds[0], force_constant=5e8),))
    return coupling(solute=hard, lambdas=(0.0, 1.0))


def test_a_run_that_blows_up_costs_itself_only(tmp_path: Path) -> None:
    sampler = EngineSampler(tmp_path, workers=1)
    found = sampler.attempt([stiff(), coupling(lambdas=(0.0, 1.0))])
    assert [type(w) for w in found] == [WindowFailure, WindowFailure, WindowSamples, WindowSamples]
    first = found[0]
    assert isinstance(first, WindowFailure)
    assert (first.system, first.lambda_index) == (stiff().system, 0)
    assert first.reason
    assert sampler.missing([coupling(lambdas=(0.0, 1.0))]) == 0
    with pytest.raises(SimulationError, match=r".") as caught:
        sampler.sample([stiff()])
    assert caught.value.where == stiff().system


def test_campaigns_are_given_failures_as_answers(tmp_path: Path) -> None:
    from topdown.workflows.calibrate import engine_sampler

    found = engine_sampler(workers=1, store=tmp_path).sample([stiff()])
    assert [type(w) for w in found] == [WindowFailure, WindowFailure]


def test_a_box_that_fails_costs_the_windows_that_start_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sampler_module.make_box

    def make(task):  # type: ignore[no-untyped-def]
        if task[0].seed == 5:
            raise SimulationError("the liquid froze", where="60 A", hint="warm it")
        return real(task)

    monkeypatch.setattr(sampler_module, "make_box", make)
    found = EngineSampler(tmp_path, workers=1).attempt([coupling(), liquid(seed=9, n_steps=200)])
    assert [isinstance(w, WindowFailure) for w in found] == [True, True, True, False]
    assert {(w.reason, w.hint) for w in found[:3]} == {("the liquid froze", "warm it")}  # type: ignore[union-attr]


def test_what_could_not_be_stored_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tried = sampler_module.run_window, []
    fails = {1: 1}

    def run(task):  # type: ignore[no-untyped-def]
        k = task[0].lambda_index
        tried.append(k)
        if fails.get(k, 0) > 0:
            fails[k] -= 1
            raise StorageError("a finished run cannot be stored: No space left on device")
        return real(task)

    monkeypatch.setattr(sampler_module, "run_window", run)
    found = EngineSampler(tmp_path / "a", workers=1).attempt([coupling(n_steps=100)])
    assert all(isinstance(w, WindowSamples) for w in found)
    assert tried == [0, 1, 2, 1]
    fails.update({1: 2})
    with pytest.raises(StorageError):
        EngineSampler(tmp_path / "b", workers=1).attempt([coupling(n_steps=100)])
    fails.update({0: 9, 1: 9, 2: 9})
    tried.clear()
    with pytest.raises(StorageError):
        EngineSampler(tmp_path / "c", workers=1).attempt([coupling(n_steps=100)])
    assert tried == [0, 1], "a disk that is full for two is full for all"


def test_a_result_that_is_damaged_after_it_was_written_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sampler_module.run_window

    def run(task):  # type: ignore[no-untyped-def]
        key = real(task)
        if task[0].lambda_index == 2:
            path = task[0] and sampler_module.RunStore(task[1]).path(key)
            path.write_bytes(path.read_bytes()[:200])
        return key

    monkeypatch.setattr(sampler_module, "run_window", run)
    found = EngineSampler(tmp_path, workers=1).attempt([coupling(n_steps=100)])
    assert [isinstance(w, WindowFailure) for w in found] == [False, False, True]
    monkeypatch.setattr(sampler_module, "run_window", real)
    assert EngineSampler(tmp_path, workers=1).missing([coupling(n_steps=100)]) == 0
    again = EngineSampler(tmp_path, workers=1).sample([coupling(n_steps=100)])
    assert [w.lambda_index for w in again] == [0, 1, 2]


def test_a_run_with_a_smaller_step_is_another_run(tmp_path: Path) -> None:
    sampler = EngineSampler(tmp_path, workers=1)
    runs = [sampler.sample([liquid(time_step=step, n_steps=400)])[0] for step in (None, 0.01, 0.02)]
    assert len({run.key for run in runs}) == 3
    assert not np.array_equal(runs[0].sums.volume, runs[1].sums.volume)
    np.testing.assert_array_equal(runs[0].sums.volume, runs[2].sums.volume)
