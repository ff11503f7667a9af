"""Whole campaigns on a model with known answers: recovery, the trust region, resuming, and what held-out means."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_calibration import (
    MIXED,
    OTHER,
    SMALL,
    SyntheticSampler,
    exact_density,
    exact_transfer,
    problem,
    start_table,
)

from topdown.calibration.journal import Journal
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.errors import InputFileError, SamplingError, SettingsError, SimulationError
from topdown.report.calibration_text import calibration_json, calibration_text

NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
FAR = {("A", "W"): 9.0, ("B", "W"): 0.8, ("C", "C"): 8.5}


def run(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler | None = None, *, resume: bool = False
) -> CalibrationResult:
    journal = Journal(folder / "journal.jsonl", task.digest(), resume=resume)
    return run_calibration(task, sampler or SyntheticSampler(), journal)


def test_recovers_a_known_epsilon(tmp_path: Path) -> None:
    """Over many campaigns the ε found scatter about the truth as the posterior says, prior pull aside."""
    z = []
    for seed in range(6):
        task = problem(NEAR, width=20.0)
        task = replace(task, sampling=replace(task.sampling, seed=seed))
        result = run(task, tmp_path / str(seed))
        assert result.converged
        found = np.array([p.value for p in result.parameters])
        deviation = found - np.array(list(NEAR.values()))
        z.append(deviation @ np.linalg.solve(result.covariance, deviation))
        assert np.all([p.shrinkage > 0.9 for p in result.parameters])
    assert 0.1 < np.mean(z) / 3 < 2.0, "χ² per parameter"


def test_moves_far_by_simulating_again(tmp_path: Path) -> None:
    sampler = SyntheticSampler()
    result = run(problem(FAR, width=20.0, max_rounds=12, ess_threshold=100.0), tmp_path, sampler)
    assert result.converged
    assert 3 <= len(result.rounds) < 12
    assert result.rounds[0].limited
    for parameter in result.parameters:
        truth = FAR[parameter.parameter.pair]
        assert abs(parameter.value - truth) < 4 * parameter.posterior_width
        assert abs(parameter.value - truth) < 0.2 * abs(parameter.parameter.start - truth)
    for record in result.rounds:
        assert min(n for _, n in record.n_effective) >= 100, "no step leaves the region samples support"
    first = {r.system: r.seed for r in sampler.asked[0]}
    second = {r.system: r.seed for r in sampler.asked[1]}
    assert all(first[s] != second[s] for s in second), "another round draws other numbers"
    oil = next(r for r in sampler.asked[1] if r.system == "100 oil")
    assert oil.table.pair("C", "C")[1] == result.rounds[1].theta[2]


def test_only_stale_systems_are_simulated_again(tmp_path: Path) -> None:
    """ε of the oil moves within the reach of the samples, but far enough to leave its boxes few of them."""
    sampler = SyntheticSampler()
    truth = {("A", "W"): 2.0, ("B", "W"): 2.5, ("C", "C"): 7.2}
    result = run(problem(truth, width=20.0, ess_threshold=20.0), tmp_path, sampler)
    first = result.rounds[0]
    assert not first.limited
    assert set(first.stale) == {"small in 100 oil", "mixed in 100 oil", "100 oil"}
    assert not first.converged
    assert result.rounds[1].sampled == first.stale
    assert tuple(r.system for r in sampler.asked[1]) == first.stale
    assert result.converged


def test_predictions_before_and_after(tmp_path: Path) -> None:
    result = run(problem(NEAR, width=20.0), tmp_path)
    table, start = start_table(), {}
    solutes = {"small": SMALL, "mixed": MIXED, "other": OTHER}
    for target in result.targets:
        name = target.label.split()[0]
        if name in solutes:
            solute = solutes[name]
            final = {p.parameter.pair: p.value for p in result.parameters}
            for estimate, theta in ((target.before, start), (target.after, final)):
                z = (estimate.value - exact_transfer(solute, table, theta)) / estimate.standard_error
                assert abs(z) < 4
        else:
            assert abs(target.before.value - exact_density(start)) < 4 * target.before.standard_error
        assert target.after.standard_error > 0
        assert target.after.n_effective >= 50
    scores = {(s.quantity, s.split): s for s in result.scores()}
    fitted = scores["transfer_free_energy", "calibration"]
    assert fitted.n_targets == 2
    assert fitted.rms_after < 0.1 < 0.3 < fitted.rms_before
    held_out = scores["transfer_free_energy", "held-out"]
    assert held_out.n_targets == 1
    assert held_out.rms_after < held_out.rms_before
    assert held_out.error_after > 0


def test_held_out_targets_take_no_part(tmp_path: Path) -> None:
    task = problem(NEAR)
    wrong = [t if t.split == "calibration" else replace(t, measured=500.0) for t in task.targets]
    sampler = SyntheticSampler()
    a = run(task, tmp_path / "a", sampler)
    b = run(replace(task, targets=tuple(wrong)), tmp_path / "b")
    assert [p.value for p in a.parameters] == [p.value for p in b.parameters]
    np.testing.assert_array_equal(a.covariance, b.covariance)
    rounds = len(a.rounds)
    assert not [r for asked in sampler.asked[:rounds] for r in asked if "other" in r.system]
    assert [r.system for r in sampler.asked[rounds] if "other" in r.system]


def test_a_tight_prior_holds(tmp_path: Path) -> None:
    result = run(problem(NEAR, width=1e-3, uncertainty=1.0), tmp_path)
    for p in result.parameters:
        assert p.value == pytest.approx(p.parameter.start, abs=1e-3)
        assert p.posterior_width == pytest.approx(1e-3, rel=0.01)
        assert p.shrinkage == pytest.approx(0.0, abs=0.01)


def test_log_scale_finds_the_same(tmp_path: Path) -> None:
    linear = run(problem(NEAR, width=20.0), tmp_path / "a")
    log = run(problem(NEAR, width=20.0, scale="log"), tmp_path / "b")
    for a, b in zip(linear.parameters, log.parameters):
        assert b.value == pytest.approx(a.value, abs=0.2 * a.posterior_width)
        assert b.posterior_width == pytest.approx(a.posterior_width, rel=0.1)


def test_a_bound_holds_and_is_reported(tmp_path: Path) -> None:
    task = problem(NEAR, width=20.0)
    first = replace(task.space.parameters[0], upper=2.2)
    space = replace(task.space, parameters=(first, *task.space.parameters[1:]))
    result = run(replace(task, space=space), tmp_path)
    assert result.parameters[0].value == 2.2
    assert result.parameters[0].at_bound
    assert not result.parameters[1].at_bound
    assert "at its bound" in calibration_text(result)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> CalibrationResult:
    """A campaign that was never stopped."""
    task = problem(FAR, width=20.0, max_rounds=5, ess_threshold=100.0)
    return run(task, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_stopped_campaign_resumes_to_the_same_end(tmp_path: Path, whole: CalibrationResult, stop_after: int) -> None:
    task = problem(FAR, width=20.0, max_rounds=5, ess_threshold=100.0)
    with pytest.raises(KeyboardInterrupt):
        run(task, tmp_path / "cut", SyntheticSampler(stop_after=stop_after))
    journal = tmp_path / "cut" / "journal.jsonl"
    assert len(Journal(journal, task.digest(), resume=True).rounds()) == stop_after
    with journal.open("ab") as file:
        file.write(b'{"event": "round", "round": 2, "the')
    again = run(task, tmp_path / "cut", resume=True)
    assert calibration_json(again) == calibration_json(whole)


def test_a_resumed_campaign_takes_its_decisions_from_the_journal(tmp_path: Path) -> None:
    task = problem(NEAR, max_rounds=1)
    run(task, tmp_path)
    journal = tmp_path / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "sample", "round", "finish"]
    lines[2]["x_proposal"] = [2.111, 2.499, 5.001]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines[:3]))
    again = run(task, tmp_path, resume=True)
    assert [p.value for p in again.parameters] == [2.111, 2.499, 5.001]
    lines[2]["x"] = [9.0, 9.0, 9.0]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines[:3]))
    with pytest.raises(InputFileError, match="did not start"):
        run(task, tmp_path, resume=True)
    del lines[2]["stale"]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines[:3]))
    with pytest.raises(InputFileError, match="damaged"):
        run(task, tmp_path, resume=True)


def test_a_budget_goes_to_the_runs_that_narrow_the_posterior_and_is_replayed(tmp_path: Path) -> None:
    task = replace(problem(NEAR, uncertainty=0.02, n_steps=10_000, ess_threshold=20.0, width=2.0), budget=None)
    first = task.bead_steps(task.systems_of("calibration"))
    rich = replace(task, budget=int(2.4 * first))
    sampler = SyntheticSampler()
    result = run(rich, tmp_path / "a", sampler)
    spent = [record.spent for record in result.rounds]
    assert len(result.rounds) >= 2
    assert spent == sorted(spent)
    assert spent[-1] <= rich.budget  # type: ignore[operator]
    refined = result.rounds[1]
    assert 0 < len(refined.sampled) < len(task.systems_of("calibration")), "some runs are worth more than others"
    assert refined.sampled == result.rounds[0].next_systems
    assert result.rounds[-1].md_share < result.rounds[0].md_share
    before, after = (dict(record.n_effective) for record in result.rounds[:2])
    assert all(after[system] > 1.3 * before[system] for system in refined.sampled)
    with pytest.raises(KeyboardInterrupt):
        run(rich, tmp_path / "c", SyntheticSampler(stop_after=1))
    again = run(rich, tmp_path / "c", resume=True)
    assert [r.sampled for r in again.rounds] == [r.sampled for r in result.rounds]
    assert calibration_json(again) == calibration_json(result)
    with pytest.raises(SettingsError, match="does not pay for the first round"):
        replace(task, budget=first - 1)


def test_the_new_table_says_where_it_comes_from(tmp_path: Path) -> None:
    result = run(problem(NEAR), tmp_path)
    table, start = result.table, start_table()
    assert table.name == "synthetic"
    assert table.provenance.parent == "start"
    for text in ("A-W", "small", result.digest, "seed 7"):
        assert text in table.provenance.source
    for p in result.parameters:
        assert table.pair(*p.parameter.pair) == (0.47, p.value)
    assert table.pair("A", "A") == start.pair("A", "A")
    assert table.pair("C", "W") == start.pair("C", "W")


def test_too_short_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplingError, match="at the ε just simulated"):
        run(problem(NEAR, n_steps=10_000, ess_threshold=400.0), tmp_path)


def test_a_sampler_that_loses_windows_is_noticed(tmp_path: Path) -> None:
    class Losing(SyntheticSampler):
        def sample(self, requests):  # type: ignore[no-untyped-def]
            return super().sample(requests)[:-1]

    with pytest.raises(SimulationError, match="came back"):
        run(problem(NEAR), tmp_path, Losing())


def test_the_digest_knows_what_matters() -> None:
    task = problem(NEAR)
    other = [
        replace(task, temperature=301.0),
        replace(task, sampling=replace(task.sampling, n_steps=50_001)),
        replace(task, table=task.table.with_epsilon({("C", "W"): 2.51})),
        replace(task, targets=(replace(task.targets[0], uncertainty=0.06), *task.targets[1:])),
    ]
    digests = {t.digest() for t in (task, *other)}
    assert len(digests) == 5
    assert task.digest() == problem(NEAR).digest()


def test_problems_that_make_no_sense_are_refused() -> None:
    task = problem(NEAR)
    lonely = replace(task.space.parameters[0], pair=("A", "Q"))
    with pytest.raises(SettingsError, match="A-Q"):
        replace(task, space=replace(task.space, parameters=(lonely,)))
    with pytest.raises(SettingsError, match="twice"):
        replace(task, targets=(*task.targets, task.targets[0]))


def test_a_request_holds_only_the_types_in_the_box() -> None:
    task = problem(NEAR)
    request = task.request("small in 100 water", {("A", "W"): 3.3, ("C", "C"): 9.0}, 0)
    assert [t.name for t in request.table.bead_types] == ["A", "W"]
    assert request.table.pair("A", "W")[1] == 3.3
    same = task.request("small in 100 water", {("A", "W"): 3.3, ("C", "C"): 4.0}, 0)
    np.testing.assert_array_equal(request.table.epsilon, same.table.epsilon)
    assert request.seed == same.seed != task.request("small in 100 water", {}, 1).seed


def test_the_report_tells_the_splits_apart(tmp_path: Path) -> None:
    result = run(problem(NEAR), tmp_path)
    text = calibration_text(result)
    assert text.index("calibration targets") < text.index("held-out targets") < text.index("root mean square")
    data = json.loads(json.dumps(calibration_json(result)))
    assert {t["split"] for t in data["targets"]} == {"calibration", "held-out"}
    assert data["parameters"][0]["value_kJ_mol"] == result.parameters[0].value
    assert len(data["runs"]) == len(result.runs) == len(set(result.runs))
