"""Self-diffusion as a check of a campaign: paths of known coefficients in, corrected coefficients and factors out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_calibration import OIL, TEMPERATURE, WATER, FailingSampler, SyntheticSampler, measured, problem

from topdown.calibration.dynamics import DIFFUSION_ROUND, DiffusionCheck, check_diffusion
from topdown.calibration.journal import Journal
from topdown.calibration.planned_checks import DiffusionPlan
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SettingsError
from topdown.model.requests import DiffusionRequest, SampleRequest
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR

NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
EDGE, D_BOX, VISCOSITY = 4.0, 2.0, 0.6
#: Decay time of the stress [ps].
DECAY = 0.8


@dataclass
class MovingSampler(SyntheticSampler):
    """Molecules walk with D_BOX [10⁻⁹ m²/s] in a cube of EDGE, under a stress whose correlation integrates to VISCOSITY."""

    cage: float = 0.0
    quiet: bool = False

    def record(self, request: DiffusionRequest) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(request.seed)
        n_frames, interval = request.n_steps // request.every, request.every * 0.02
        steps = rng.normal(0.0, math.sqrt(2e-3 * D_BOX * interval), (n_frames, request.n_molecules, 3))
        centers = np.cumsum(steps, axis=0) + self.cage * rng.normal(size=steps.shape)
        stress = np.zeros((0, 3))
        if request.stress_every:
            stress = self._stress(n_frames * request.every // request.stress_every, request.stress_every * 0.02, rng)
        return {"centers": centers.astype(np.float32), "stress": stress, "box": np.full(3, EDGE)}

    def _stress(self, n: int, interval: float, rng: np.random.Generator) -> np.ndarray:
        # η = V/kT ∫ s² exp(-t/τ) dt; 1 mPa s is 602.2 kJ/mol ps/nm³
        variance = VISCOSITY * 602.214076 * GAS_CONSTANT * TEMPERATURE / EDGE**3 / DECAY
        if self.quiet:
            # what one sample adds the next takes away: the integral is zero
            return np.diff(rng.normal(size=(n + 1, 3)), axis=0)
        keep = math.exp(-interval / DECAY)
        noise = rng.normal(0.0, math.sqrt(variance * (1.0 - keep**2)), (n, 3))
        values = np.zeros((n, 3))
        for k in range(1, n):
            values[k] = keep * values[k - 1] + noise[k]
        return values * KJ_MOL_NM3_TO_BAR


def plan(**changes: object) -> DiffusionPlan:
    known = DiffusionPlan(
        liquid="water",
        molecule=WATER,
        n_molecules=100,
        n_real=4,
        temperature=TEMPERATURE,
        n_steps=100_000,
        measured=measured(0.5, 0.05),
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def checked(*plans: DiffusionPlan) -> CalibrationProblem:
    return replace(problem(NEAR, width=20.0, n_steps=10_000, ess_threshold=20.0), diffusion=plans)


def run(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, resume: bool = False
) -> CalibrationResult:
    return run_calibration(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))


def checks_of(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, resume: bool = False
) -> tuple[DiffusionCheck, ...]:
    """The checks alone, at the start table."""
    pool = SamplePool(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))
    return check_diffusion(task, pool, task.space.start(), lambda _: None)


def test_coefficient_correction_and_factor_come_out_of_known_paths(tmp_path: Path) -> None:
    task = checked(plan(), plan(liquid="oil", molecule=OIL, n_real=1, measured=None))
    water, oil = checks_of(task, tmp_path, MovingSampler())
    assert water.in_box is not None
    assert water.infinite is not None
    assert water.viscosity is not None
    assert abs(water.in_box.value - D_BOX) < 4.0 * water.in_box.standard_error
    assert water.in_box.standard_error < 0.03 * D_BOX
    assert abs(water.viscosity.value - VISCOSITY) < 4.0 * water.viscosity.standard_error
    # Yeh and Hummer by hand: 2.837297 k T/(6 π η L) with k in J/K, in 10⁻⁹ m²/s
    by_hand = 2.837297 * 1.380649e-23 * TEMPERATURE / (6.0 * math.pi * water.viscosity.value * 1e-3 * EDGE * 1e-9) * 1e9
    assert water.infinite.value - water.in_box.value == pytest.approx(by_hand, rel=1e-5)
    assert water.exponent == pytest.approx(1.0, abs=0.05)
    assert not water.reason
    factor, group = water.speed_up, water.group_speed_up
    assert factor is not None
    assert group is not None
    assert factor.value == pytest.approx(water.infinite.value / 0.5)
    relative = math.hypot(water.infinite.standard_error / water.infinite.value, 0.1)
    assert factor.standard_error == pytest.approx(relative * factor.value)
    assert group.value == pytest.approx(4.0 * factor.value)
    assert oil.in_box is not None
    assert oil.speed_up is None
    assert oil.group_speed_up is None


def test_the_new_table_is_followed_and_decides_nothing(tmp_path: Path) -> None:
    task = checked(plan(liquid="oil", molecule=OIL, n_real=1))
    assert task.digest() == checked().digest()
    without = run(checked(), tmp_path, SyntheticSampler())
    assert not without.diffusion
    # a finished campaign may be asked for it later
    sampler = MovingSampler()
    result = run(task, tmp_path, sampler, resume=True)
    assert [p.value for p in result.parameters] == [p.value for p in without.parameters]
    assert result.bead_steps - without.bead_steps == 100 * 100_000
    (request,) = (r for asked in sampler.asked for r in asked if isinstance(r, DiffusionRequest))
    new = next(e for e in result.epsilons if e.pair == ("C", "C"))
    assert abs(new.value - new.start) > 0.1
    assert request.table.pair("C", "C")[1] == new.value
    assert (request.temperature, request.pressure, request.n_steps) == (TEMPERATURE, 1.0, 100_000)
    assert result.diffusion[0].speed_up is not None
    assert result.ledger[-1] == ("self-diffusion of oil at 300 K", 1, 1000, 10_000_000)
    assert set(result.runs) - set(without.runs) == {result.diffusion[0].run}
    _reports(replace(result, diffusion=(replace(result.diffusion[0], liquid="<b>oil", n_real=4),)))


def _reports(result: CalibrationResult) -> None:
    """Text, page and data show the factors."""
    factor = result.diffusion[0].speed_up
    assert factor is not None
    text = calibration_text(result)
    row = next(line for line in text.splitlines() if line.startswith("<b>oil"))
    assert f"{factor.value:.3g} ± {factor.standard_error:.2g}" in row
    assert "centre of 4 independent molecules" in row
    assert "none is divided" in text
    page = calibration_html(result, {})
    assert "Self-diffusion" in page
    assert "<b>oil" not in page
    assert "&lt;b&gt;oil" in page
    data = json.loads(json.dumps(calibration_json(result), allow_nan=False))
    first = data["self_diffusion"][0]
    assert first["speed_up"]["value"] == factor.value
    assert first["unit"] == "1e-9 m2/s"


def test_a_given_viscosity_is_used_and_no_stress_recorded(tmp_path: Path) -> None:
    sampler = MovingSampler()
    (found,) = checks_of(checked(plan(viscosity=1.2)), tmp_path, sampler)
    assert [r.stress_every for asked in sampler.asked for r in asked if isinstance(r, DiffusionRequest)] == [0]
    assert found.viscosity is not None
    assert found.viscosity.value == 1.2
    assert found.in_box is not None
    assert found.infinite is not None
    by_hand = 2.837297 * 1.380649e-23 * TEMPERATURE / (6.0 * math.pi * 1.2e-3 * EDGE * 1e-9) * 1e9
    assert found.infinite.value - found.in_box.value == pytest.approx(by_hand, rel=1e-5)


def test_what_is_wrong_with_a_number_stands_beside_it(tmp_path: Path) -> None:
    """Molecules that rattle in cages of 0.5 nm have hardly left them after 80 ps; a stress that is noise gives no viscosity."""
    (caged,) = checks_of(checked(plan()), tmp_path / "a", MovingSampler(cage=0.5))
    assert "not yet diffusive" in caged.reason
    (quiet,) = checks_of(checked(plan()), tmp_path / "b", MovingSampler(quiet=True))
    assert "not corrected" in quiet.reason
    assert quiet.in_box is not None
    assert quiet.infinite is None
    assert quiet.speed_up is None, "nothing uncorrected is compared with experiment"


@dataclass
class Frozen(FailingSampler, MovingSampler):
    """Runs of molecules fail; ``refused`` counts them."""

    refused: int = 0
    second_works: bool = False

    def sample(self, requests: Sequence[SampleRequest]):  # type: ignore[no-untyped-def]
        moving = [r for r in requests if isinstance(r, DiffusionRequest)]
        self.refused += len(moving)
        works = self.second_works
        self.fails = lambda system, window, careful: "diffusion" in system and not (works and careful)
        return super().sample(requests)


def test_a_run_that_fails_is_tried_again_and_said(tmp_path: Path) -> None:
    sampler = Frozen()
    found = checks_of(checked(plan()), tmp_path / "a", sampler)
    assert found[0].in_box is None
    assert "blew up" in found[0].reason
    assert sampler.refused == 2
    journal = Journal(tmp_path / "a" / "j.jsonl", checked().digest(), resume=True)
    assert [(f.round, f.attempt) for f in journal.failures()] == [(DIFFUSION_ROUND, 0), (DIFFUSION_ROUND, 1)]
    again = Frozen()
    assert checks_of(checked(plan()), tmp_path / "a", again, resume=True) == found
    assert again.refused == 0, "the journal knows"
    (other,) = checks_of(checked(plan()), tmp_path / "b", Frozen(second_works=True))
    assert other.in_box is not None


def test_a_sampler_without_paths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="keeps no frames"):
        checks_of(checked(plan()), tmp_path, SyntheticSampler())


def test_no_factor_without_a_measured_value() -> None:
    assert DiffusionCheck(liquid="oil", temperature=300.0, n_real=1).speed_up is None
