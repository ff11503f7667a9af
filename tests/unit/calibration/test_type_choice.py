"""Bead types as part of a campaign: the right one is found by reweighting, and only what helps elsewhere is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid
from synthetic_calibration import KAPPA, PRESSURE, TEMPERATURE, SyntheticSampler, molecule

from topdown.calibration.campaign import OptimizerSettings, SamplingSettings
from topdown.calibration.error_model import CostSettings
from topdown.calibration.journal import Journal
from topdown.calibration.parameters import FreeParameter, ParameterSpace
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.targets import TransferTarget
from topdown.calibration.type_blocks import TypeBlock, TypeSettings
from topdown.calibration.type_choice import with_chosen_types
from topdown.calibration.type_results import TypeOutcome, TypeResult
from topdown.mapping import map_molecule
from topdown.model import BeadTable, BeadType
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.report.calibration_types import types_csv
from topdown.tables import load_bead_table, write_bead_table

NAMES = ("A", "B", "C", "D", "F", "Q", "S", "W")
#: D sticks to oil as A does not; F is far from everything sampled, Q is charged and S small.
WITH_OIL = {"A": 3.0, "B": 3.5, "C": 5.0, "D": 4.6, "F": 300.0, "Q": 3.0, "S": 3.0, "W": 2.0}
WITH_WATER = {"A": 2.0, "B": 2.5, "C": 2.0, "D": 1.4, "F": 2.0, "Q": 2.0, "S": 2.0, "W": 6.0}


def table() -> BeadTable:
    epsilon, sigma = np.full((8, 8), 3.0), np.full((8, 8), 0.47)
    for other, values in (("C", WITH_OIL), ("W", WITH_WATER)):
        k = NAMES.index(other)
        epsilon[k, :] = epsilon[:, k] = [values[name] for name in NAMES]
    sigma[NAMES.index("S"), :] = sigma[:, NAMES.index("S")] = 0.43
    types = tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0, charge=float(n == "Q")) for n in NAMES)
    return BeadTable(name="start", bead_types=types, epsilon=epsilon, sigma=sigma)


def exact(types: str) -> float:
    """ΔG(water→oil) of a solute of these beads."""
    values = []
    for solvent, of in (("W", WITH_WATER), ("C", WITH_OIL)):
        pairs = {tuple(sorted((t, solvent))): of[t] for t in (*types, solvent)}
        values.append(HarmonicLiquid(solvent, tuple(types), kappa=KAPPA, temperature=TEMPERATURE).delta_g(pairs))
    return float(values[1] - values[0])


def build(
    solutes: dict[str, tuple[str, str, float, str]],
    blocks: tuple[TypeBlock, ...] | None,
    **alternatives: tuple[str, ...],
) -> CalibrationProblem:
    """``solutes``: name → (beads as they are, beads as measured, uncertainty, split)."""
    systems: dict[str, SimulatedSystem] = {}
    targets = []
    liquids = {"water": molecule("water", "W"), "oil": molecule("oil", "C")}
    for name, (now, truth, uncertainty, split) in solutes.items():
        solute = molecule(name, *now)
        solute = replace(
            solute,
            beads=tuple(replace(b, alternatives=alternatives.get(name, ()), confidence=0.6) for b in solute.beads),
        )
        for phase, liquid in liquids.items():
            system = f"{name} in 100 {phase}"
            systems[system] = SimulatedSystem(name=system, liquid=liquid, n_molecules=100, solute=solute)
        targets.append(
            TransferTarget(
                molecule=solute,
                origin="water",
                destination="oil",
                origin_system=f"{name} in 100 water",
                destination_system=f"{name} in 100 oil",
                measured=exact(truth),
                uncertainty=uncertainty,
                split=split,  # type: ignore[arg-type]
            )
        )
    parameter = FreeParameter(pair=("C", "C"), start=5.0, prior_width=0.01, lower=4.0, upper=6.0)
    return CalibrationProblem(
        name="typed",
        table=table(),
        temperature=TEMPERATURE,
        pressure=PRESSURE,
        space=ParameterSpace(parameters=(parameter,)),
        targets=tuple(targets),
        systems=systems,
        sampling=SamplingSettings(lambdas=(0.0, 0.3, 1.0), n_steps=30_000, n_equilibration=0, every=100, seed=7),
        optimizer=OptimizerSettings(),
        cost=CostSettings(loss="gauss"),
        types=None if blocks is None else TypeSettings(least_gain=2.0, blocks=blocks),
    )


def block(name: str, now: str, candidates: str, *beads: tuple[str, int]) -> TypeBlock:
    return TypeBlock(
        name=name,
        environments=(f"{name}[C:1]",),
        beads=beads,
        labels=tuple(f"{key}:B{place}" for key, place in beads),
        bead_type=now,
        candidates=tuple(candidates),
    )


def run(task: CalibrationProblem, folder: Path) -> CalibrationResult:
    return run_calibration(task, SyntheticSampler(), Journal(folder / "j.jsonl", task.digest(), resume=True))


@pytest.fixture(scope="module")
def task() -> CalibrationProblem:
    """A is really D, in every molecule; B is what it is."""
    solutes = {
        "one": ("A", "D", 0.1, "calibration"),
        "two": ("AB", "DB", 0.1, "calibration"),
        "three": ("AA", "DD", 0.1, "calibration"),
        "seen": ("AB", "DB", 0.1, "held-out"),
    }
    blocks = (
        block("alpha", "A", "BDQSF", ("one", 0), ("two", 0), ("three", 0), ("three", 1), ("seen", 0)),
        block("beta", "B", "AD", ("two", 1), ("seen", 1)),
    )
    return build(solutes, blocks, one=("D",), two=("D",), three=("S",))


@pytest.fixture(scope="module")
def result(task: CalibrationProblem, tmp_path_factory: pytest.TempPathFactory) -> CalibrationResult:
    return run(task, tmp_path_factory.mktemp("types"))


def types_of(result: CalibrationResult) -> dict[str, TypeResult]:
    assert result.types is not None
    return {b.name: b for b in result.types.blocks}


def test_the_type_behind_the_measured_values_is_found_and_kept(result: CalibrationResult) -> None:
    found = types_of(result)["alpha"]
    assert (found.chosen, found.adopted, found.n_tested) == ("D", True, 4)
    assert found.gain > 20.0
    assert found.gain_left_out is not None
    assert found.gain_left_out > 20.0
    outcome = result.types
    assert outcome is not None
    assert outcome.rms_before > 1.0 > 0.3 > outcome.rms_left_out
    assert types_of(result)["beta"].chosen == "B", "nothing is moved that is right already"


def test_a_candidate_is_scored_as_its_own_model_would_be(result: CalibrationResult) -> None:
    """The cost of D in closed form: residuals go from exact(A) - exact(D) to 0, in errors of 0.1 and of the simulation."""
    (candidate,) = (c for c in types_of(result)["alpha"].candidates if c.bead_type == "D")
    by_label = {t.label.split()[0]: t for t in result.targets}
    cost = 0.0
    for name, (now, truth) in {"one": ("A", "D"), "two": ("AB", "DB"), "three": ("AA", "DD")}.items():
        t = by_label[name]
        total = t.uncertainty**2 + t.after.standard_error**2
        cost -= 0.5 * (exact(now) - exact(truth)) ** 2 / total
    assert candidate.cost_change == pytest.approx(cost, rel=0.25)
    assert candidate.n_effective is not None
    assert candidate.n_effective > 50


def test_what_samples_do_not_support_is_refused(result: CalibrationResult) -> None:
    candidates = {c.bead_type: c for c in types_of(result)["alpha"].candidates}
    assert "effective samples" in candidates["F"].reason
    assert "charge" in candidates["Q"].reason
    assert "σ" in candidates["S"].reason
    assert all(candidates[name].cost_change is None for name in "FQS")


def test_what_overfits_one_molecule_is_not_kept(tmp_path: Path) -> None:
    """Of two molecules one says D clearly and the other A: D wins, but not for whoever did not vote for it."""
    solutes = {
        "one": ("A", "D", 0.05, "calibration"),
        "two": ("AB", "AB", 0.5, "calibration"),
        "rare": ("B", "D", 0.1, "calibration"),
    }
    blocks = (block("alpha", "A", "D", ("one", 0), ("two", 0)), block("lone", "B", "D", ("rare", 0)))
    result = run(build(solutes, blocks), tmp_path)
    alpha, lone = types_of(result)["alpha"], types_of(result)["lone"]
    assert alpha.chosen == "D"
    assert alpha.gain > 2.0
    assert alpha.gain_left_out is not None
    assert alpha.gain_left_out < 0.0
    assert not alpha.adopted
    assert (lone.chosen, lone.gain_left_out, lone.n_tested, lone.adopted) == ("D", None, 0, False)
    assert result.types is not None
    assert result.types.gain_kept == 0.0
    assert result.types.rms_left_out > result.types.rms_chosen
    assert not result.table.building_blocks
    assert "not known" in calibration_text(result)


def test_beads_of_a_typed_campaign_are_summed_apart_and_nothing_else_changes(task: CalibrationProblem) -> None:
    request = task.request("three in 100 oil", {}, 0)
    assert request.solute.type_names == ("A~1", "A~2")  # type: ignore[union-attr]
    assert request.table.pair("A~1", "C") == request.table.pair("A", "C")
    plain = replace(task, types=None)
    assert plain.request("three in 100 oil", {}, 0).solute.type_names == ("A", "A")  # type: ignore[union-attr]
    assert plain.digest() != task.digest()


def test_runner_ups_are_scored_with_types_or_without(
    task: CalibrationProblem, result: CalibrationResult, tmp_path: Path
) -> None:
    rows = {(r.molecule, r.bead): r for r in result.runner_ups}
    assert {key for key, r in rows.items() if r.least_sure} == {("one", "B0"), ("two", "B0"), ("three", "B0")}
    assert rows["one", "B0"].cost_change < -5.0  # type: ignore[operator]
    assert rows["two", "B0"].runner_up == "D"
    assert "σ" in rows["three", "B1"].reason
    plain = {(r.molecule, r.bead): r for r in run(replace(task, types=None), tmp_path).runner_ups}
    assert plain["one", "B0"].cost_change == pytest.approx(rows["one", "B0"].cost_change, rel=0.3)
    assert plain["two", "B1"].cost_change == pytest.approx(rows["two", "B1"].cost_change, rel=0.3)
    assert "sampled together" in plain["three", "B0"].reason or "σ" in plain["three", "B0"].reason


def test_it_is_reported_and_written(result: CalibrationResult, task: CalibrationProblem, tmp_path: Path) -> None:
    text, page = calibration_text(result), calibration_html(result, {})
    for words in ("1 of 2 building blocks would take another type, 1 are kept", "runner-up mappings: of 3 molecules"):
        assert words in text
        assert words in page
    assert "Bead types</h2>" in page
    data = calibration_json(result)
    assert data["types"]["blocks"][0]["chosen"] == "D"
    assert len(data["runner_ups"]) == 5
    lines = types_csv(result.types).splitlines()  # type: ignore[arg-type]
    assert lines[1].startswith("alpha[C:1],alpha,one:B0 two:B0 three:B0 three:B1 seen:B0,A,D,True,")
    (rule,) = result.table.building_blocks
    assert (rule.fragment, rule.bead_type) == ("alpha[C:1]", "D")
    assert "campaign typed" in rule.source
    again = run_calibration(task, SyntheticSampler(), Journal(tmp_path / "j.jsonl", task.digest(), resume=False))
    assert calibration_json(again) == data


def test_a_table_maps_by_the_types_it_was_given(tmp_path: Path) -> None:
    """The rule of a campaign decides against those of the parent, also after it was written and read again."""
    parent = load_bead_table("martini2")
    before = map_molecule("CCCCCO", parent)
    assert before.type_names == ("C1", "P2")
    chosen = TypeResult(
        name="OC (P2)", beads=("pentanol:B2",), environments=("OC[C:1]",), start="P2", chosen="Nda", gain=5.0,
        gain_left_out=3.0, n_tested=2, adopted=True, candidates=(),
    )  # fmt: skip
    outcome = TypeOutcome(
        blocks=(chosen, replace(chosen, name="not kept", environments=("CCCC[C:1]",), chosen="C2", adopted=False)),
        gain=5.0, gain_kept=5.0, gain_left_out=3.0, rms_before=2.0, rms_chosen=1.0, rms_left_out=1.5, n_targets=2,
    )  # fmt: skip
    new = with_chosen_types(replace(parent, name="new"), outcome, "campaign new (0)")
    assert map_molecule("CCCCCO", new).type_names == ("C1", "Nda")
    write_bead_table(replace(new, provenance=replace(new.provenance, parent="martini2")), tmp_path / "new")
    assert map_molecule("CCCCCO", load_bead_table(tmp_path / "new")).type_names == ("C1", "Nda")
