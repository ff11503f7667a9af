"""Areas per lipid as a check of a campaign: frames of known areas in, areas with both tables out, and nothing fitted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_calibration import TEMPERATURE, WATER, SyntheticSampler, measured, molecule, problem

from topdown.calibration.bilayers import BILAYER_ROUND, BilayerCheck, check_bilayers
from topdown.calibration.journal import Journal
from topdown.calibration.parameters import FloatArray
from topdown.calibration.planned_checks import BilayerPlan
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SettingsError
from topdown.model import Bead, Bond, CGMolecule, WindowFailure, WindowSamples
from topdown.model.requests import BilayerRequest, LiquidRequest, SampleRequest
from topdown.properties.membrane import PROFILE_BIN, PROFILE_REACH, empty_series
from topdown.report.calibration_checks import bilayer_json
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text

NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
LIPID = replace(
    molecule("lipid", "A", "C", "C"),
    bonds=tuple(Bond(atoms=(k, k + 1), length=0.47, force_constant=1250.0) for k in (0, 1)),
)
N, SOLVENT, PARTS, STEPS, EVERY = 40, 60, 2, 10_000, 100


def ion(name: str, charge: float) -> CGMolecule:
    return CGMolecule(name=name, beads=(Bead(name=name, bead_type="B", charge=charge),))


def plan(how: str = "measured", **changes: object) -> BilayerPlan:
    table = problem(NEAR).table
    request = BilayerRequest(
        lipid=LIPID,
        n_lipids=N,
        area=0.6,
        height=8.0,
        water=WATER,
        cation=ion("NA", 1.0),
        anion=ion("CL", -1.0),
        n_solvent=SOLVENT,
        table=table,
        temperature=TEMPERATURE,
        pressure=1.0,
        n_steps=STEPS,
        every=EVERY,
        seed=1,
    )
    return BilayerPlan(
        lipid=LIPID.name,
        request=replace(request, **changes),
        n_parts=PARTS,
        measured=measured(0.6, 0.01, how),  # type: ignore[arg-type]
    )


def area_of(request: BilayerRequest) -> float:
    """What the model bilayer has with a table: tails that stick more stand closer."""
    return 0.6 - 0.05 * (request.table.pair("C", "C")[1] - 5.0)


@dataclass
class BilayerSampler(SyntheticSampler):
    """Bilayers of the area of :func:`area_of`, which a ``drift`` may change over the run [nm²]; ``spilt`` beads of water in the
    core."""

    drift: float = 0.0
    spilt: float = 0.0

    def _windows(self, request: SampleRequest) -> list[WindowSamples]:
        if not isinstance(request, BilayerRequest):
            return super()._windows(request)
        water = LiquidRequest(
            molecule=WATER,
            n_molecules=SOLVENT,
            table=request.table,
            temperature=request.temperature,
            pressure=request.pressure,
            n_equilibration=0,
            n_steps=100,
            every=100,
            seed=request.seed + request.part,
        )
        run, *_ = super()._windows(water)
        return [replace(run, system=request.system, key=f"{request.seed} {request.part} {area_of(request)}")]

    def record(self, request: BilayerRequest) -> dict[str, FloatArray]:
        n = request.n_steps // request.every
        rng = np.random.default_rng([request.seed, request.part])
        along = (np.arange(n) + request.part * n) / (PARTS * n)
        areas = area_of(request) + self.drift * (along - 0.5) + 0.004 * rng.normal(size=n)
        edges = np.sqrt(areas * N / 2)
        heads = np.zeros((n, round(2 * PROFILE_REACH / PROFILE_BIN)), dtype=np.uint16)
        heads[:, [round((PROFILE_REACH + z) / PROFILE_BIN) for z in (-2.0, 2.0)]] = N // 2
        series = {name: np.zeros((n, *array.shape[1:])) for name, array in empty_series().arrays().items()}
        series |= {
            "time": 0.02 * request.every * (np.arange(n) + 1 + request.part * n),
            "box": np.column_stack([edges, edges, np.full(n, 8.0)]),
            "upper": np.full(n, N / 2),
            "core_water": np.full(n, self.spilt),
            "farthest_head": np.full(n, 2.0),
            **dict.fromkeys(("heads", "tails", "water"), heads),
        }
        n_beads = 3 * N + SOLVENT
        end = {"positions": np.zeros((n_beads, 3)), "velocities": np.zeros((n_beads, 3)), "box": np.full(3, 8.0)}
        return (
            {f"series_{name}": array for name, array in series.items()} | end | {"counts": np.array([N, SOLVENT, 0, 0])}
        )


def checked(*plans: BilayerPlan) -> CalibrationProblem:
    return replace(problem(NEAR, width=20.0, n_steps=10_000, ess_threshold=20.0), bilayers=plans)


def run(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, resume: bool = False
) -> CalibrationResult:
    return run_calibration(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))


def checks_of(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, by: float = 0.4, resume: bool = False
) -> tuple[BilayerCheck, ...]:
    """The checks alone, at the start table but for C-C, which is stronger ``by`` so much [kJ/mol]."""
    pool = SamplePool(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))
    return check_bilayers(task, pool, np.asarray(task.space.start() + np.array([0.0, 0.0, by])), lambda _: None)


def bilayers_in(sampler: SyntheticSampler) -> list[BilayerRequest]:
    return [r for asked in sampler.asked for r in asked if isinstance(r, BilayerRequest)]


def test_areas_with_both_tables_come_out_of_known_frames(tmp_path: Path) -> None:
    sampler = BilayerSampler()
    (check,) = checks_of(checked(plan()), tmp_path, sampler)
    assert check.before is not None
    assert check.after is not None
    for state, area in ((check.before, 0.6), (check.after, 0.58)):
        assert abs(state.area.value - area) < 4.0 * state.area.standard_error
        assert 0.0 < state.area.standard_error < 0.002
        assert state.thickness.value == pytest.approx(4.0, abs=PROFILE_BIN)
        assert state.steadiness.steady
    assert check.remarks == ()
    assert check.nanoseconds == 0.4
    asked = bilayers_in(sampler)
    assert [(r.part, r.table.pair("C", "C")[1]) for r in asked] == [(0, 5.0), (1, 5.0), (0, 5.4), (1, 5.4)]
    assert len({r.seed for r in asked}) == 2, "runs of two tables are independent"
    assert len(set(check.runs)) == 2 * PARTS


def test_a_bilayer_that_nothing_moved_is_run_once(tmp_path: Path) -> None:
    sampler = BilayerSampler()
    (check,) = checks_of(checked(plan()), tmp_path, sampler, by=0.0)
    assert len(bilayers_in(sampler)) == PARTS
    assert check.before is not None
    assert check.before == check.after
    assert "no ε or σ of this bilayer has moved" in check.remarks


def test_areas_decide_nothing_and_are_reported(tmp_path: Path) -> None:
    task = checked(plan())
    assert task.digest() == checked().digest()
    without = run(checked(), tmp_path, SyntheticSampler())
    assert not without.bilayers
    # a finished campaign may be asked for it later
    sampler = BilayerSampler()
    result = run(task, tmp_path, sampler, resume=True)
    assert [p.value for p in result.parameters] == [p.value for p in without.parameters]
    cost = PARTS * STEPS * (3 * N + SOLVENT)
    assert result.bead_steps - without.bead_steps == 2 * cost
    assert result.ledger[-1] == ("area per lipid of lipid at 300 K", 2, 2 * PARTS * STEPS // EVERY, 2 * cost)
    (check,) = result.bilayers
    assert set(result.runs) - set(without.runs) == set(check.runs)
    new = next(e for e in result.epsilons if e.pair == ("C", "C"))
    assert {r.table.pair("C", "C")[1] for r in bilayers_in(sampler)} == {new.start, new.value}
    _reports(replace(result, bilayers=(replace(check, lipid="<b>lipid"),)))


def _reports(result: CalibrationResult) -> None:
    """Text, page and data show both areas beside the measured one."""
    (check,) = result.bilayers
    assert check.before is not None
    assert check.after is not None
    text = calibration_text(result)
    row = next(line for line in text.splitlines() if line.startswith("<b>lipid"))
    both = [f"{s.area.value:.3f} ± {s.area.standard_error:.3f}" for s in (check.before, check.after)]
    assert [row.index(words) for words in (*both, "0.600 ± 0.010")] == sorted(
        row.index(words) for words in (*both, "0.600 ± 0.010")
    )
    off = abs(check.after.area.value - 0.6)
    assert f"{off:.3f} nm2 after" in text
    assert "nothing was fitted to them" in text
    page = calibration_html(result, {})
    assert "<h2>Bilayers</h2>" in page
    assert "<b>lipid" not in page
    assert f"<td>{both[1]}</td>" in page
    (data,) = json.loads(json.dumps(calibration_json(result), allow_nan=False))["bilayers"]
    assert data["after"]["area_per_lipid_nm2"]["value"] == check.after.area.value
    assert (data["measured_area_per_lipid_nm2"], data["uncertainty_nm2"]) == (0.6, 0.01)
    assert data["after"]["intact"]


def test_what_is_wrong_with_a_bilayer_stands_beside_its_area(tmp_path: Path) -> None:
    sampler = BilayerSampler(drift=0.1, spilt=5.0)
    task = checked(plan("interpolated between 293 and 303 K"))
    (check,) = checks_of(task, tmp_path, sampler)
    told = "; ".join(check.remarks)
    assert "start table: the area is not steady" in told
    assert "5.0 water beads on average within 0.5 nm of the middle plane" in told
    assert "measured value interpolated" in told
    assert check.after is not None
    (data,) = bilayer_json([check])
    assert data["after"]["intact"] is False


@dataclass
class Broken(BilayerSampler):
    """Bilayers whose tails stick by more than 5.2 kJ/mol blow up; ``tried`` counts them."""

    tried: int = 0
    second_works: bool = False

    def sample(self, requests: Sequence[SampleRequest]):  # type: ignore[no-untyped-def]
        return [self._broken(request) or run for request in requests for run in super(Broken, self).sample([request])]

    def _broken(self, request: SampleRequest) -> WindowFailure | None:
        if not isinstance(request, BilayerRequest) or request.table.pair("C", "C")[1] < 5.2:
            return None
        self.tried += request.part == 0
        if self.second_works and request.time_step is not None:
            return None
        return WindowFailure(system=request.system, lambda_index=-1, reason=f"it blew up <{request.part}>")


def test_a_run_that_fails_is_tried_again_and_said(tmp_path: Path) -> None:
    sampler = Broken()
    (check,) = checks_of(checked(plan()), tmp_path / "a", sampler)
    assert check.before is not None
    assert check.after is None
    assert check.reasons == ("new table: it blew up <1>",)
    assert sampler.tried == 2
    assert "new table: it blew up" in "; ".join(check.remarks)
    journal = Journal(tmp_path / "a" / "j.jsonl", checked().digest(), resume=True)
    assert [(f.round, f.attempt) for f in journal.failures()] == [(BILAYER_ROUND, 0), (BILAYER_ROUND, 1)]
    again = Broken()
    assert checks_of(checked(plan()), tmp_path / "a", again, resume=True) == (check,)
    assert again.tried == 0, "the journal knows"
    (other,) = checks_of(checked(plan()), tmp_path / "b", Broken(second_works=True))
    assert other.after is not None


def test_a_bilayer_that_is_asked_for_twice_is_refused() -> None:
    """In the file one temperature may be given and the other be that of the campaign."""
    with pytest.raises(SettingsError, match="the check 'area per lipid of lipid at 300 K' is given twice"):
        checked(plan(), plan(n_lipids=60))


def test_a_sampler_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="keeps no frames"):
        checks_of(checked(plan()), tmp_path, SyntheticSampler())


@pytest.mark.parametrize("changes", [{"n_lipids": 41}, {"n_lipids": 0}, {"area": 0.0}, {"n_steps": 50}])
def test_requests_that_make_no_bilayer_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        plan(**changes)
