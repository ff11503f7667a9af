"""Melting points as a check of a campaign: crystals that melt where their ε says, points with both tables out, nothing fitted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from killed_campaigns import StoredSampler, contents, kill_until_done
from known_melting import crystal_record, crystal_samples
from synthetic_calibration import OIL, TEMPERATURE, WATER, SyntheticSampler, measured, molecule, problem

from topdown.calibration.journal import Journal
from topdown.calibration.melting_checks import MELTING_ROUND, MeltingCheck, check_melting, melting_ledger, supercooling
from topdown.calibration.parameters import FloatArray
from topdown.calibration.planned_checks import DiffusionPlan, MeltingPlan
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.calibration.targets import SurfaceTensionTarget, TransferTarget
from topdown.errors import SettingsError
from topdown.model import CGMolecule, WindowFailure, WindowSamples
from topdown.model.requests import MeltingRequest, SampleRequest
from topdown.properties.melting_runs import bead_steps
from topdown.properties.melting_search import MeltingSettings
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_melting import melting_json, melting_line
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.units import GAS_CONSTANT
from topdown.workflows import calibrate as workflow

NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
#: Melting point of the model crystals in ε/R.
REDUCED = 0.62


def melts_at(request: MeltingRequest) -> float:
    bead = request.molecule.beads[0].bead_type
    return REDUCED * request.table.pair(bead, bead)[1] / GAS_CONSTANT


def plan(liquid: CGMolecule = OIL, **changes: object) -> MeltingPlan:
    known = MeltingPlan(
        liquid=liquid.name,
        molecule=liquid,
        n_real=1,
        table=problem(NEAR).table,
        settings=MeltingSettings(n_across=4),
        measured=measured(250.0, 0.5),
    )
    return replace(known, **changes)  # type: ignore[arg-type]


@dataclass
class CrystalSampler(SyntheticSampler):
    """Crystals that melt at REDUCED ε/R; runs of which ``fails`` holds leave nothing and are counted in ``tried``."""

    fails: Callable[[MeltingRequest], bool] = lambda request: False
    tried: int = 0

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples | WindowFailure]:  # type: ignore[override]
        found: list[WindowSamples | WindowFailure] = []
        self.asked.append(list(requests))
        for request in requests:
            if not isinstance(request, MeltingRequest):
                found += self._asked_for(request)
            elif self.fails(request):
                self.tried += 1
                found.append(WindowFailure(system=request.system, lambda_index=-1, reason="it blew up <here>"))
            else:
                key = f"{request.system} {request.seed} {melts_at(request)}"
                found.append(replace(crystal_samples(request), key=key))
        return found

    def record(self, request: MeltingRequest) -> dict[str, FloatArray]:
        assert not self.fails(request), "it left nothing"
        return crystal_record(request, melts_at(request))


def checked(*plans: MeltingPlan) -> CalibrationProblem:
    return replace(problem(NEAR, width=20.0, n_steps=10_000, ess_threshold=20.0), melting=plans)


def run(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, resume: bool = False
) -> CalibrationResult:
    return run_calibration(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))


def pool_of(task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, resume: bool = False) -> SamplePool:
    return SamplePool(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))


def checks_of(pool: SamplePool, *, by: float = 0.4) -> tuple[MeltingCheck, ...]:
    """The checks alone, at the start table but for C-C, which is stronger ``by`` so much [kJ/mol]."""
    task = pool.problem
    return check_melting(task, pool, np.asarray(task.space.start() + np.array([0.0, 0.0, by])), lambda _: None)


def crystals_in(sampler: SyntheticSampler) -> list[MeltingRequest]:
    return [r for asked in sampler.asked for r in asked if isinstance(r, MeltingRequest)]


def assert_melts_at(check: MeltingCheck, before: float, after: float) -> None:
    """Both points are those of the ε [kJ/mol]."""
    for point, epsilon in ((check.before, before), (check.after, after)):
        assert point is not None
        found, truth = point.temperature, REDUCED * epsilon / GAS_CONSTANT
        assert abs(found.value - truth) < 4.0 * found.standard_error
        assert 0.0 < found.standard_error < 2.0


def test_melting_points_with_both_tables_and_how_far_the_liquid_is_below(tmp_path: Path) -> None:
    sampler = CrystalSampler()
    pool = pool_of(checked(plan()), tmp_path, sampler)
    (check,) = checks_of(pool)
    assert_melts_at(check, 5.0, 5.4)
    assert not check.same
    assert check.remarks == ()
    assert check.after is not None
    (state,) = check.states
    assert (state.temperature, set(state.roles), state.kind) == (TEMPERATURE, {"solvent", "density"}, "supercooled")
    assert state.below is not None
    assert state.below.value == pytest.approx(check.after.temperature.value - TEMPERATURE)
    assert state.below.standard_error == check.after.temperature.standard_error
    asked = crystals_in(sampler)
    assert len(check.runs) == len({r.key for r in check.runs}) == len(asked)
    assert pool.spent == sum(bead_steps(r) for r in asked) == sum(r.bead_steps for r in check.runs)
    assert pool.spent <= 2 * plan().most_bead_steps
    by_table = {e: {r.seed for r in asked if r.table.pair("C", "C")[1] == e} for e in (5.0, 5.4)}
    assert not by_table[5.0] & by_table[5.4], "runs of two tables are independent"
    # both tables are searched side by side
    assert len(sampler.asked[0]) == 2


def test_what_has_not_moved_is_looked_for_once(tmp_path: Path) -> None:
    sampler = CrystalSampler()
    (check,) = checks_of(pool_of(checked(plan()), tmp_path, sampler), by=0.0)
    assert check.same
    assert check.before is check.after
    assert len({r.seed for r in crystals_in(sampler)}) == 3
    assert "neither ε nor σ of this bead has moved" in check.remarks


def test_liquids_of_one_bead_type_are_one_search_and_paid_for_once(tmp_path: Path) -> None:
    task = checked(plan(), plan(molecule("petrol", "C"), n_real=2))
    sampler = CrystalSampler()
    pool = pool_of(task, tmp_path, sampler)
    oil, petrol = checks_of(pool)
    assert oil.after is petrol.after
    assert {r.molecule.name for r in crystals_in(sampler)} == {"oil"}
    rows = melting_ledger(task.melting, (oil, petrol))
    assert [row[0] for row in rows] == ["melting point of oil"]
    assert rows[0][3] == pool.spent
    assert "one bead stands for 2 molecules" in petrol.remarks
    # the campaign does not use it
    (state,) = petrol.states
    assert (state.temperature, state.roles) == (TEMPERATURE, ())
    assert "which does not use it" in melting_line([petrol])


@pytest.mark.parametrize(("epsilon", "kind"), [(6.0, "supercooled"), (3.0, "liquid")])
def test_a_liquid_above_its_melting_point_is_told_from_one_below(tmp_path: Path, epsilon: float, kind: str) -> None:
    (check,) = checks_of(pool_of(checked(plan()), tmp_path, CrystalSampler()), by=epsilon - 5.0)
    (state,) = check.states
    assert state.kind == kind
    text = melting_line([check])
    assert ("IS SUPERCOOLED" in text) == (kind == "supercooled")
    assert ("above its melting point" in text) == (kind == "liquid")
    assert "-" not in text.removeprefix("melting points:"), "how far is a size"


def test_within_its_errors_nothing_is_claimed(tmp_path: Path) -> None:
    at_300 = TEMPERATURE * GAS_CONSTANT / REDUCED
    (check,) = checks_of(pool_of(checked(plan()), tmp_path, CrystalSampler()), by=at_300 - 5.0)
    (state,) = check.states
    assert state.below is not None
    near = replace(state, below=replace(state.below, value=1.9 * state.below.standard_error))
    beyond = replace(state, below=replace(state.below, value=-2.1 * state.below.standard_error))
    assert (near.kind, beyond.kind) == ("unclear", "liquid")
    assert "it is not told whether" in melting_line([replace(check, states=(near,))])
    assert supercooling(checked(plan()), [replace(check, states=(near,))]) == {}


def test_every_temperature_at_which_the_campaign_uses_it_is_looked_at(tmp_path: Path) -> None:
    task = checked(plan())
    slab = SimulatedSystem(name="slab of 400 oil", liquid=OIL, n_molecules=400, slab=(4.0, 12.0), temperature=340.0)
    mixed = SimulatedSystem(
        name="80 oil, 20 water", liquid=OIL, n_molecules=80, cosolvents=((WATER, 20),), temperature=250.0
    )
    moving = DiffusionPlan(liquid="oil", molecule=OIL, n_molecules=100, n_real=1, temperature=420.0, n_steps=100_000)
    gamma = SurfaceTensionTarget(
        molecule=OIL, area=16.0, system=slab.name, measured=20.0, uncertainty=1.0, temperature=340.0, split="held-out"
    )
    first = task.targets[0]
    assert isinstance(first, TransferTarget)
    dissolved = replace(first, molecule=OIL, split="held-out")
    task = replace(
        task,
        systems={**task.systems, slab.name: slab, mixed.name: mixed},
        diffusion=(moving,),
        targets=(*task.targets, gamma, dissolved),
    )
    (check,) = checks_of(pool_of(task, tmp_path, CrystalSampler()))
    assert [(s.temperature, s.kind) for s in check.states] == [
        (300.0, "supercooled"),
        (340.0, "supercooled"),
        (420.0, "liquid"),
    ], "a mixture melts elsewhere"
    assert [s.roles[-1] for s in check.states][1:] == ["surface tension", "self-diffusion"]
    found = supercooling(task, [check])
    assert found.keys() == {"oil density", gamma.label}, "only of the liquid itself"
    assert found["oil density"] - found[gamma.label] == pytest.approx(40.0)


def test_points_decide_nothing_and_are_reported(tmp_path: Path) -> None:
    task = checked(plan(), plan(WATER, n_real=4, measured=None))
    assert task.digest() == checked().digest()
    without = run(checked(), tmp_path, SyntheticSampler())
    assert not without.melting_points
    # a finished campaign may be asked for it later
    sampler = CrystalSampler()
    result = run(task, tmp_path, sampler, resume=True)
    assert [p.value for p in result.parameters] == [p.value for p in without.parameters]
    oil, water = result.melting_points
    new = next(e for e in result.epsilons if e.pair == ("C", "C"))
    assert_melts_at(oil, new.start, new.value)
    assert_melts_at(water, 6.0, 6.0)
    assert water.same
    cost = sum(bead_steps(r) for r in crystals_in(sampler))
    assert result.bead_steps - without.bead_steps == cost == sum(row[3] for row in result.ledger[-2:])
    assert [row[0] for row in result.ledger[-2:]] == ["melting point of oil", "melting point of water"]
    assert set(result.runs) - set(without.runs) == {r.key for c in result.melting_points for r in c.runs}
    assert len(result.runs) == len(set(result.runs))
    cold = {t.label: t.supercooled_by for t in result.targets if t.supercooled_by is not None}
    assert oil.states[0].below is not None
    assert cold == {"oil density": oil.states[0].below.value}
    assert all(t.supercooled_by is None for t in without.targets)
    _reports(replace(result, melting_points=(replace(oil, liquid="<b>oil"), water)))
    assert "supercooled by" not in calibration_text(without)
    assert "<th>liquid</th>" not in calibration_html(without, {})


def _reports(result: CalibrationResult) -> None:
    """Text, page and data show both points, what is supercooled, and by how much."""
    oil, _ = result.melting_points
    assert oil.before is not None
    assert oil.after is not None
    both = [f"{p.temperature.value:.1f} ± {p.temperature.standard_error:.1f}" for p in (oil.before, oil.after)]
    text = calibration_text(result)
    row = next(line for line in text.splitlines() if line.startswith("<b>oil"))
    places = [row.index(words) for words in (*both, "250 ± 0.5", "300 K: supercooled, ")]
    assert places == sorted(places)
    assert "<b>oil IS SUPERCOOLED at 300 K (solvent, density), " in text
    assert f"(at {300.0 / oil.after.temperature.value:.2f} of it), and must not meet a crystal there" in text
    target = next(line for line in text.splitlines() if line.startswith("oil density"))
    assert target.endswith(f"supercooled by {oil.after.temperature.value - 300.0:.0f} K")
    assert "no target was refused for it" in text
    page = calibration_html(result, {})
    assert "<h2>Melting points</h2>" in page
    assert "<b>oil" not in page
    assert f"<td>{both[1]}</td>" in page
    assert f"<td>supercooled by {oil.after.temperature.value - 300.0:.0f} K</td>" in page
    first, second = json.loads(json.dumps(calibration_json(result), allow_nan=False))["melting_points"]
    assert first["after"]["melting_temperature_K"]["value"] == oil.after.temperature.value
    assert len(first["after"]["runs"]) == 15
    assert (first["measured_K"], first["uncertainty_K"], second["measured_K"]) == (250.0, 0.5, None)
    (state,) = first["states"]
    assert (state["temperature_K"], state["state"], state["used_as"]) == (300.0, "supercooled", ["solvent", "density"])
    assert state["below_melting_point_K"]["value"] == oil.after.temperature.value - 300.0
    assert second["one_search"]
    assert "one bead stands for 4 molecules" in second["remarks"]


def first_tries_of_the_new_table(request: MeltingRequest) -> bool:
    """Their seeds are three neighbours; that of a second try is another."""
    return request.table.pair("C", "C")[1] > 5.0


def test_a_run_that_fails_is_tried_again_and_said(tmp_path: Path) -> None:
    sampler = CrystalSampler(fails=first_tries_of_the_new_table)
    pool = pool_of(checked(plan()), tmp_path, sampler)
    (check,) = checks_of(pool)
    assert check.before is not None
    assert check.after is None
    assert check.reasons == ("new table: it blew up <here>",)
    assert check.states[0].kind == "not known"
    assert "oil has no melting point with the new table" in melting_line([check])
    assert sampler.tried == 2
    (data,) = melting_json([check])
    assert data["after"] is None
    assert data["states"][0]["below_melting_point_K"] is None
    assert [(f.round, f.attempt) for f in pool.journal.failures()] == [(MELTING_ROUND, 0), (MELTING_ROUND, 1)]
    again = CrystalSampler(fails=first_tries_of_the_new_table)
    later = pool_of(checked(plan()), tmp_path, again, resume=True)
    assert checks_of(later) == (check,)
    assert again.tried == 0, "the journal knows"
    assert (later.spent, later.failures) == (pool.spent, pool.failures)


def test_a_second_try_stands_in_for_the_first(tmp_path: Path) -> None:
    lost: list[MeltingRequest] = []

    def one_fails(request: MeltingRequest) -> bool:
        """One of the last fifteen, the first time."""
        mine = request.table.pair("C", "C")[1] > 5.0 and abs(request.temperature - melts_at(request)) < 4.0
        if mine and not lost:
            lost.append(request)
        return request in lost

    sampler = CrystalSampler(fails=one_fails)
    pool = pool_of(checked(plan()), tmp_path, sampler)
    (check,) = checks_of(pool)
    assert_melts_at(check, 5.0, 5.4)
    assert check.reasons == ()
    assert len(lost) == 1
    there = {r.seed for r in crystals_in(sampler) if r.system == lost[0].system}
    assert len(there) == 4, "three runs, and a second try of one of them"
    used = {int(r.key.split()[-2]) for r in check.runs if r.key.startswith(lost[0].system)}
    assert used == there - {lost[0].seed}


def test_a_search_that_finds_nothing_says_so_and_stops_nothing(tmp_path: Path) -> None:
    class Hard(CrystalSampler):
        def record(self, request: MeltingRequest) -> dict[str, FloatArray]:
            return crystal_record(request, 5000.0 if request.molecule.name == "water" else melts_at(request))

    oil, water = checks_of(pool_of(checked(plan(), plan(WATER)), tmp_path, Hard()))
    assert oil.after is not None
    assert water.after is None
    assert "the crystal still grows at" in "; ".join(water.remarks)
    assert "--" not in water.remarks[0], "no words of another command"
    assert len(water.runs) == 11, "they were run and are counted"


def test_what_helps_is_said(tmp_path: Path) -> None:
    class Flat(CrystalSampler):
        def record(self, request: MeltingRequest) -> dict[str, FloatArray]:
            """Crystals that grow or melt as chance has it."""
            return crystal_record(request, request.temperature + (-1.0) ** request.seed)

    oil, *_ = checks_of(pool_of(checked(plan()), tmp_path, Flat()))
    assert oil.after is None
    assert "(longer runs, or more seeds" in "; ".join(oil.reasons)


def test_a_sampler_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"keeps no frames.*checks\.melting"):
        checks_of(pool_of(checked(plan()), tmp_path, SyntheticSampler()))


def test_a_liquid_that_is_asked_for_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="the check 'melting point of oil' is given twice"):
        checked(plan(), plan(n_real=2))


class StoredCrystals(StoredSampler):
    """Kept one by one; crystals of the new table at one temperature blow up."""

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples | WindowFailure]:  # type: ignore[override]
        return [
            WindowFailure(system=r.system, lambda_index=-1, reason="it blew up")
            if isinstance(r, MeltingRequest) and r.molecule.name == "water" and r.temperature > 1.005 * melts_at(r)
            else run
            for r in requests
            for run in super(StoredCrystals, self).sample([r])
        ]

    def _windows(self, request: SampleRequest) -> list[WindowSamples]:
        return [crystal_samples(request)] if isinstance(request, MeltingRequest) else super()._windows(request)

    def record(self, request: MeltingRequest) -> dict[str, FloatArray]:
        return crystal_record(request, melts_at(request))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_in_the_middle_of_a_search_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(
        problem(NEAR, width=20.0, n_steps=5_000, max_rounds=1, ess_threshold=5.0),
        melting=(plan(), plan(WATER)),
    )
    monkeypatch.setattr(workflow, "read_problem", lambda _: task)

    def go(folder: Path) -> None:
        resume = (folder / "out" / "journal.jsonl").exists()
        workflow.calibrate("campaign.toml", folder / "out", sampler=StoredCrystals(folder / "store"), resume=resume)

    go(tmp_path / "whole")
    straight = contents(tmp_path / "whole" / "out")
    report = json.loads(straight["report.json"])
    assert [found["after"] is not None for found in report["melting_points"]] == [True, False]
    assert len(report["failed_windows"]) > 1
    kills = kill_until_done(lambda: go(tmp_path / "killed"), np.random.default_rng(3), 120, most=4)
    assert kills >= 3
    assert contents(tmp_path / "killed" / "out") == straight
