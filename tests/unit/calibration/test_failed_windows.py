"""Runs that fail: each costs itself only, is tried once more, and is said; a target without its runs is left out loudly."""

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic_calibration import FailingSampler, SyntheticSampler, problem

from topdown.calibration.failures import FailedWindow
from topdown.calibration.journal import Journal
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import CAREFUL_STEP
from topdown.errors import InputFileError, SimulationError
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.workflows.calibration_status import calibration_status, status_text

NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
TASK = problem(NEAR, width=20.0, n_steps=10_000, ess_threshold=20.0, max_rounds=3)


def run(
    folder: Path, sampler: SyntheticSampler, *, resume: bool = False, said: list[str] | None = None
) -> CalibrationResult:
    journal = Journal(folder / "journal.jsonl", TASK.digest(), resume=resume, name="synthetic")
    return run_calibration(TASK, sampler, journal, progress=(said if said is not None else []).append)


def one_window(system: str, window: int, careful: bool) -> bool:
    return (system, window, careful) == ("small in 100 water", 1, False)


def one_window_for_good(system: str, window: int, careful: bool) -> bool:
    return (system, window) == ("small in 100 water", 1)


def one_box(system: str, window: int, careful: bool) -> bool:
    return system == "mixed in 100 oil"


def test_a_failed_window_is_tried_again_with_another_seed_and_a_smaller_step(tmp_path: Path) -> None:
    sampler = FailingSampler(fails=one_window)
    said: list[str] = []
    result = run(tmp_path, sampler, said=said)
    first = [r for (r,) in sampler.asked if r.system == "small in 100 water"]
    assert (first[1].sampled, first[1].time_step) == ((1,), CAREFUL_STEP)  # type: ignore[union-attr]
    assert first[0].seed != first[1].seed
    assert first[0].time_step is None  # type: ignore[union-attr]
    (failure, *others) = result.failed_windows
    assert failure == FailedWindow(system="small in 100 water", window=1, round=0, attempt=0, reason="it blew up <1>")
    assert all(f.round > 0 for f in others)
    assert not result.lost_targets
    assert len(result.targets) == len(TASK.targets)
    assert not any("LEFT OUT" in line for line in said)
    assert "done at the second try" in calibration_text(result)
    windows = {system: n for system, n, _, _ in result.ledger}
    assert windows["small in 100 water"] % 4 == 0


def test_a_window_that_always_fails_costs_itself_only(tmp_path: Path) -> None:
    said: list[str] = []
    result = run(tmp_path, FailingSampler(fails=one_window_for_good), said=said)
    whole = run(tmp_path / "whole", SyntheticSampler())
    assert not result.lost_targets
    assert any("small in 100 water, window 2: failed 2 times, at last because it blew up <1>" in line for line in said)
    windows = {system: n for system, n, _, _ in result.ledger}
    assert windows["small in 100 water"] % 3 == 0
    assert windows["small in 100 oil"] % 4 == 0
    for a, b in zip(result.parameters, whole.parameters):
        assert abs(a.value - b.value) < 4 * np.hypot(a.posterior_width, b.posterior_width)
    assert result.parameters[0].posterior_width > 0


def test_a_target_whose_box_fails_is_left_out_loudly(tmp_path: Path) -> None:
    said: list[str] = []
    result = run(tmp_path, FailingSampler(fails=one_box), said=said)
    assert [label for label, _ in result.lost_targets] == ["mixed water→oil"]
    assert "every window failed: it blew up" in result.lost_targets[0][1]
    assert "mixed water→oil" not in {t.label for t in result.targets}
    assert any("WARNING: the target mixed water→oil is LEFT OUT" in line for line in said)
    lost = result.parameters[1]
    assert lost.parameter.label == "B-W"
    assert lost.value == pytest.approx(lost.parameter.start, abs=1e-6), "nothing is left that sees it"
    assert lost.verdict == "data-limited"
    assert abs(result.parameters[0].value - 2.6) < 4 * result.parameters[0].posterior_width
    text = calibration_text(result)
    assert "WARNING: the target mixed water→oil is left out" in text.splitlines()[2]
    page = calibration_html(result, {})
    assert '<p class="bad"><b>the target mixed water→oil is left out' in page
    assert "Failed windows" in page
    assert "it blew up &lt;0&gt;" in page
    data = json.loads(json.dumps(calibration_json(result)))
    assert len([f for f in data["failed_windows"] if f["round"] == 0]) == 8, "four windows, two tries"
    assert data["lost_targets"][0]["target"] == "mixed water→oil"
    status = calibration_status(tmp_path)
    assert list(status["lost_systems"]) == ["mixed in 100 oil"]
    shown = status_text(status)
    assert "LOST" in shown
    assert "mixed in 100 oil, window 3, round 1: lost: it blew up <2>" in shown


def test_a_held_out_target_whose_box_fails_is_left_out_too(tmp_path: Path) -> None:
    result = run(tmp_path, FailingSampler(fails=lambda system, window, careful: system == "other in 100 oil"))
    assert [label for label, _ in result.lost_targets] == ["other water→oil"]
    whole = run(tmp_path / "whole", SyntheticSampler())
    assert [p.value for p in result.parameters] == [p.value for p in whole.parameters]
    assert "report" in calibration_text(result).splitlines()[-1]


def test_nothing_left_to_fit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="the runs of every calibration target failed: every window failed"):
        run(tmp_path, FailingSampler(fails=lambda system, window, careful: True))


def test_failures_are_replayed_not_run_again(tmp_path: Path) -> None:
    """The journal, not chance, decides: runs that would go well now stay failed, and the end is the same."""

    def fails(system: str, window: int, careful: bool) -> bool:
        return one_window(system, window, careful) or one_box(system, window, careful)

    whole = calibration_json(run(tmp_path / "whole", FailingSampler(fails=fails)))
    lines = (tmp_path / "whole" / "journal.jsonl").read_text().splitlines(keepends=True)
    kinds = [json.loads(line)["event"] for line in lines]
    for kept in (3, kinds.index("round"), kinds.index("round") + 1, len(kinds)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        (folder / "journal.jsonl").write_text("".join(lines[:kept]))
        sampler = FailingSampler(fails=fails)
        assert calibration_json(run(folder, sampler, resume=True)) == whole
        assert (folder / "journal.jsonl").read_text() == "".join(lines)
        gone = [json.loads(line) for line in lines[:kept] if json.loads(line)["event"] == "failed"]
        asked = [(r.system, k, r.time_step) for (r,) in sampler.asked for k in getattr(r, "indices", (-1,))]
        for f in gone:
            if f["round"] == 0:
                assert (f["system"], f["window"], CAREFUL_STEP if f["attempt"] else None) not in asked[:20]
    all_well = SyntheticSampler()
    assert calibration_json(run(tmp_path / str(len(kinds)), all_well, resume=True)) == whole


def test_a_damaged_failure_is_one_line(tmp_path: Path) -> None:
    run(tmp_path, FailingSampler(fails=one_window))
    journal = tmp_path / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"window": 1', '"window": "x"'))
    with pytest.raises(InputFileError, match="damaged"):
        run(tmp_path, SyntheticSampler(), resume=True)
