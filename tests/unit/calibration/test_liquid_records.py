"""Liquids that freeze: refused as targets, and said; what is only a solute's solvent, or boils, is not refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_calibration import FailingSampler, SyntheticSampler, problem

from topdown.calibration.failures import FailedWindow, failed_windows
from topdown.calibration.journal import Journal
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SimulationError
from topdown.model import WindowFailure, WindowSamples
from topdown.model.requests import CouplingRequest, SampleRequest
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.workflows.calibration_status import calibration_status, status_text

TASK = problem({("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}, width=20.0, n_steps=10_000, ess_threshold=20.0)


@dataclass
class FreezingSampler(SyntheticSampler):
    """Runs end in an alarm of the kind that ``alarm`` names; ``at_once`` names those that leave no frame."""

    alarm: Callable[[SampleRequest, int], str] = lambda request, window: ""
    at_once: Callable[[SampleRequest, int], str] = lambda request, window: ""

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples | WindowFailure]:  # type: ignore[override]
        return [
            self._ended(request, run) for request in requests for run in super(FreezingSampler, self).sample([request])
        ]

    def _ended(self, request: SampleRequest, run: WindowSamples) -> WindowSamples | WindowFailure:
        lost, kind = self.at_once(request, run.lambda_index), self.alarm(request, run.lambda_index)
        if lost:
            return WindowFailure(
                system=request.system, lambda_index=run.lambda_index, reason=f"the liquid {lost} at once", kind=lost
            )
        text = f"{request.system} {kind}: seen at 0.3 ns" if kind else ""
        return replace(run, alarm=text, alarm_kind=kind)


def run(folder: Path, sampler: SyntheticSampler, said: list[str] | None = None, **more) -> CalibrationResult:  # type: ignore[no-untyped-def]
    journal = Journal(folder / "journal.jsonl", TASK.digest(), name="synthetic", **{"resume": False, **more})
    return run_calibration(TASK, sampler, journal, progress=(said if said is not None else []).append)


def oil(kind: str) -> Callable[[SampleRequest, int], str]:
    return lambda request, window: kind if request.system == "100 oil" else ""


def test_a_liquid_that_froze_is_no_target(tmp_path: Path) -> None:
    said: list[str] = []
    result = run(tmp_path, FreezingSampler(alarm=oil("froze")), said)
    ((label, reason),) = result.lost_targets
    assert label == "oil density"
    assert "refused, it is no liquid: 100 oil froze: seen at 0.3 ns" in reason
    assert "oil density" not in {t.label for t in result.targets}
    assert any("WARNING: the target oil density is LEFT OUT" in line for line in said)
    text = calibration_text(result)
    assert "WARNING: the target oil density is left out" in text.splitlines()[2]
    seen = "freezing: oil at 300 K froze in 1 of "
    assert seen in text
    assert "at the last parameters it was sampled at, too" in text
    assert seen in calibration_html(result, {})
    data = json.loads(json.dumps(calibration_json(result), allow_nan=False))
    lost = replace(result, temperature=math.inf, covariance=np.full_like(result.covariance, np.nan))
    holes = json.loads(json.dumps(calibration_json(lost), allow_nan=False))
    assert holes["temperature_K"] is None
    assert {value for row in holes["covariance_kJ2_mol2"] for value in row} == {None}
    same = ("liquids", "rounds", "parameters", "converged")
    assert [holes[key] for key in same] == [data[key] for key in same]
    entry = next(e for e in data["liquids"] if e["name"] == "oil")
    assert (entry["n_froze"], entry["at_the_end"], entry["temperature"]) == (1, True, 300.0)
    assert next(e for e in data["liquids"] if e["name"] == "water")["n_froze"] == 0
    assert "refused, it is no liquid" in status_text(calibration_status(tmp_path))


@pytest.mark.parametrize("kind", ["evaporated", ""])
def test_other_alarms_do_not_refuse(tmp_path: Path, kind: str) -> None:
    result = run(tmp_path, FreezingSampler(alarm=oil(kind)))
    assert not result.lost_targets
    assert "freezing: none of 2 liquids was seen to freeze" in calibration_text(result)


def test_a_solvent_that_froze_in_one_window_is_reported(tmp_path: Path) -> None:
    def one(request: SampleRequest, window: int) -> str:
        return "froze" if isinstance(request, CouplingRequest) and (request.solvent.name, window) == ("oil", 2) else ""

    result = run(tmp_path, FreezingSampler(alarm=one))
    assert not result.lost_targets
    record = next(r for r in result.liquids if r.name == "oil")
    assert record.n_froze == len(result.failed) >= 3
    assert record.n_runs == sum(n for system, n, _, _ in result.ledger if system.endswith("oil"))
    assert record.seen in {text for _, text in result.failed}


def test_freezing_before_a_frame_is_freezing_though_the_second_try_went_well(tmp_path: Path) -> None:
    def first(request: SampleRequest, window: int) -> str:
        return "froze" if request.system == "100 oil" and request.time_step is None else ""  # type: ignore[union-attr]

    result = run(tmp_path, FreezingSampler(at_once=first))
    assert [label for label, _ in result.lost_targets] == ["oil density"]
    assert "the liquid froze at once" in result.lost_targets[0][1]
    journal = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [e["kind"] for e in journal if e["event"] == "failed" and e["round"] == 0] == ["froze"]
    again = run(tmp_path, FreezingSampler(at_once=first), resume=True)
    assert calibration_json(again) == calibration_json(result)


def test_only_liquids_that_freeze_at_the_new_parameters_are_refused(tmp_path: Path) -> None:
    """Freezing with a table that is only compared with is reported; the last parameters decide."""
    samples = SamplePool(TASK, FreezingSampler(alarm=oil("froze")), Journal(tmp_path / "j.jsonl", "x", resume=False))
    x = TASK.space.start()
    samples.sample(["100 oil", "small in 100 oil"], x, 0, judged=False)
    assert samples.unusable(["100 oil"], x) == {}
    samples.sample(["100 oil"], x, 1)
    assert list(samples.unusable(["100 oil", "small in 100 oil"], x)) == ["100 oil"]
    samples.sampler = FreezingSampler()
    samples.sample(["100 oil"], x, 2)
    assert samples.unusable(["100 oil"], x) == {}
    assert sum(bool(r.alarm) for r in samples.runs["100 oil"]) == 2


def test_runs_that_failed_otherwise_have_seen_no_liquid(tmp_path: Path) -> None:
    """They are not among those that did not freeze."""
    sampler = FailingSampler(fails=lambda system, window, careful: system.endswith("water"))
    result = run_calibration(TASK, sampler, Journal(tmp_path / "journal.jsonl", TASK.digest(), resume=False))
    (record,) = result.liquids
    assert record.name == "oil"
    assert record.n_runs == sum(n for _, n, _, _ in result.ledger)


def test_nothing_but_frozen_liquids_is_an_error(tmp_path: Path) -> None:
    density = tuple(t for t in TASK.targets if t.label == "oil density")
    space = replace(TASK.space, parameters=TASK.space.parameters[2:])
    task = replace(TASK, targets=density, space=space)
    journal = Journal(tmp_path / "journal.jsonl", task.digest(), resume=False)
    with pytest.raises(SimulationError, match="refused, it is no liquid"):
        run_calibration(task, FreezingSampler(alarm=oil("froze")), journal)


def test_journals_without_kinds_are_read() -> None:
    window = FailedWindow(system="s", window=1, round=0, attempt=0, reason="it blew up")
    assert "kind" not in window.event()
    frozen = replace(window, kind="froze")
    assert frozen.event()["kind"] == "froze"
    assert failed_windows([window.event(), frozen.event()], Path("j")) == (window, frozen)
