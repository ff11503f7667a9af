"""Mixtures as a check of a campaign: model liquids whose activity coefficients are known in closed form."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid
from synthetic_calibration import (
    KAPPA,
    OIL,
    PRESSURE,
    SMALL,
    TEMPERATURE,
    FailingSampler,
    SyntheticSampler,
    measured,
    molecule,
    problem,
    start_table,
)

from topdown.calibration.journal import Journal
from topdown.calibration.mixtures import MixtureCheck, check_mixtures
from topdown.calibration.planned_checks import MixturePlan
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.model import BeadTable, BeadType
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text
from topdown.units import GAS_CONSTANT

NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
N = 100
#: D is another name for the beads of oil (C), E is what oil does not like.
TWIN, POOR = molecule("twin", "D"), molecule("poor", "E")


def table() -> BeadTable:
    start = start_table()
    epsilon = np.full((6, 6), 2.0)
    epsilon[:4, :4] = start.epsilon
    epsilon[3, 3] = 6.0
    epsilon[2, 4] = epsilon[4, 2] = epsilon[4, 4] = start.epsilon[2, 2]
    epsilon[2, 5] = epsilon[5, 2] = 8.0
    epsilon[5, 5] = 0.5
    types = (*start.bead_types, *(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in "DE"))
    return replace(start, bead_types=types, epsilon=epsilon, sigma=np.full((6, 6), 0.47))


def plan(solvent: str, **changes: object) -> MixturePlan:
    known = MixturePlan(
        solute="oil",
        solvent=solvent,
        systems=(f"oil in {N} oil", f"oil in {N} {solvent}"),
        real_molecules=(N, N),
        n_real=1,
        temperature=TEMPERATURE,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


IN_WATER = plan("water", solute="small", systems=(f"small in {N} small", f"small in {N} water"))


def mixed(*plans: MixturePlan) -> CalibrationProblem:
    task = problem(NEAR, width=20.0, n_steps=20_000, ess_threshold=20.0)
    systems = dict(task.systems)
    for liquid in (OIL, TWIN, POOR):
        name = f"oil in {N} {liquid.name}"
        systems[name] = SimulatedSystem(name=name, liquid=liquid, n_molecules=N, solute=OIL)
    name = f"small in {N} small"
    systems[name] = SimulatedSystem(name=name, liquid=SMALL, n_molecules=N, solute=SMALL)
    return replace(task, table=table(), systems=systems, mixtures=plans)


def exact_ln_gamma(solvent: str, theta: dict[tuple[str, str], float], solute: str = "oil") -> float:
    """ln of (V_A/V_B) exp(ΔΔG/RT) of the model liquids in closed form."""
    letters = {"oil": "C", "twin": "D", "poor": "E", "small": "A", "water": "W"}
    at, own = table().with_epsilon(theta), letters[solute]
    models = [HarmonicLiquid(t, (own,), kappa=KAPPA, temperature=TEMPERATURE) for t in (own, letters[solvent])]
    energies = [{p: at.pair(*p)[1] for p in (*m.pairs(), *m.solute_pairs())} for m in models]
    (g_a, g_b), (v_a, v_b) = (
        [m.delta_g(e) for m, e in zip(models, energies)],
        [m.mean_volume(e, PRESSURE) for m, e in zip(models, energies)],
    )
    return math.log(v_a / v_b) + (g_b - g_a) / (GAS_CONSTANT * TEMPERATURE)


def checks_of(task: CalibrationProblem, folder: Path, sampler: SyntheticSampler) -> tuple[MixtureCheck, ...]:
    pool = SamplePool(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=False))
    return check_mixtures(task, pool, np.array([2.6, 2.5, 5.3]), lambda _: None)


def test_closed_forms_are_found_and_a_twin_is_ideal(tmp_path: Path) -> None:
    """The twin has the oil's ε in the start table: γ∞ = 1. With C-C 6 % stronger it is the oil that prefers itself."""
    found = checks_of(mixed(plan("twin"), plan("poor"), IN_WATER), tmp_path, SyntheticSampler())
    twin, poor, small = found
    start, new = {("A", "W"): 2.0, ("C", "C"): 5.0}, {("A", "W"): 2.6, ("C", "C"): 5.3}
    assert exact_ln_gamma("twin", start) == pytest.approx(0.0)
    assert math.exp(exact_ln_gamma("poor", start)) > 20.0
    for check in found:
        for mixing, theta in ((check.before, start), (check.after, new)):
            assert mixing is not None
            assert 0.0 < mixing.ln_gamma.standard_error < 0.3
            exact = exact_ln_gamma(check.solvent, theta, check.solute)
            assert abs(mixing.ln_gamma.value - exact) < 4.0 * mixing.ln_gamma.standard_error
    # A-W is 30 % stronger in the new table; both are from the same samples, so that they differ by what they should
    change = exact_ln_gamma("water", new, "small") - exact_ln_gamma("water", start, "small")
    assert change == pytest.approx(0.145, abs=0.001)
    assert small.before is not None
    assert small.after is not None
    assert small.after.ln_gamma.value - small.before.ln_gamma.value == pytest.approx(change, abs=0.04)
    assert twin.after is not None
    assert not twin.after.is_dilute
    assert "no solubility" in twin.remarks[0]
    assert poor.after is not None
    assert poor.after.is_dilute
    assert not poor.remarks
    # c = x/V_B with V_B of the closed form, mol/l
    model = HarmonicLiquid("E", kappa=KAPPA, temperature=TEMPERATURE)
    litres = model.mean_volume({("E", "E"): 0.5}, PRESSURE) / N * 0.602214076
    expected = math.log10(math.exp(-poor.after.ln_gamma.value) / litres)
    assert poor.after.log10_c.value == pytest.approx(expected, abs=0.01)


def test_groups_of_molecules_are_counted_one_by_one(tmp_path: Path) -> None:
    grouped = plan("poor", real_molecules=(N, 4 * N))
    (plain,) = checks_of(mixed(plan("poor")), tmp_path / "a", SyntheticSampler())
    (fourfold,) = checks_of(mixed(grouped), tmp_path / "c", SyntheticSampler())
    assert plain.after is not None
    assert fourfold.after is not None
    assert fourfold.after.ln_gamma.value - plain.after.ln_gamma.value == pytest.approx(math.log(4.0))
    assert fourfold.after.log10_c.value == plain.after.log10_c.value
    (solute,) = checks_of(mixed(plan("poor", n_real=4)), tmp_path / "b", SyntheticSampler())
    assert "groups of 4: no γ∞" in solute.remarks[0]


def run(
    task: CalibrationProblem, folder: Path, sampler: SyntheticSampler, *, resume: bool = False
) -> CalibrationResult:
    return run_calibration(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=resume))


def test_a_check_decides_nothing_and_may_come_later(tmp_path: Path) -> None:
    task = mixed(plan("twin"), plan("poor", measured=measured(1.0, 0.1)), plan("<i>poor", n_real=4))
    twin, poor, grouped = task.mixtures
    task = replace(task, mixtures=(twin, poor, replace(grouped, systems=poor.systems), IN_WATER))
    assert task.digest() == mixed().digest()
    plain = SyntheticSampler()
    without = run(mixed(), tmp_path, plain)
    assert not without.mixtures
    sampler = SyntheticSampler()
    result = run(task, tmp_path, sampler, resume=True)
    assert [p.value for p in result.parameters] == [p.value for p in without.parameters]
    assert result.digest == without.digest
    extra = {name for name, *_ in result.ledger} - {name for name, *_ in without.ledger}
    assert extra == {f"oil in {N} oil", f"oil in {N} twin", f"oil in {N} poor", f"small in {N} small"}
    runs = [r.system for asked in sampler.asked for r in asked]
    assert [runs.count(name) for name in sorted(extra)] == [1] * 4, "what two pairs share is run once"
    known = [r.system for asked in plain.asked for r in asked]
    assert runs.count(f"small in {N} water") == known.count(f"small in {N} water"), "what targets need is there"
    _reports(result)


def _reports(result: CalibrationResult) -> None:
    """Text, page and data say where a number stands for nothing."""
    twin, poor, grouped, _ = result.mixtures
    assert poor.after is not None
    text = calibration_text(result)
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert rows["oil in twin"].partition("not known")[0].count("  large") == 2
    assert f"{poor.after.log10_c.value:.2f} ± {poor.after.log10_c.standard_error:.2f}" in rows["oil in poor"]
    assert f"{poor.after.ln_gamma.value:.2f} ±" in rows["oil in poor"]
    assert f"{poor.after.ln_gamma.value:.2f} ±" not in rows["oil in <i>poor"]
    off = abs(poor.after.log10_c.value - 1.0)
    assert "solubilities of 1 of 4 pairs of liquids are off by" in text
    assert f"{off:.2f} after" in text
    page = calibration_html(result, {})
    assert "<h2>Mixtures</h2>" in page
    assert "<i>poor" not in page
    data = json.loads(json.dumps(calibration_json(result), allow_nan=False))["mixtures"]
    assert data[0]["solubility_after_log10_mol_L"] is None
    assert data[1]["solubility_after_log10_mol_L"]["value"] == poor.after.log10_c.value
    assert data[2]["ln_gamma_after"] is None
    assert twin.after is not None
    assert data[0]["ln_gamma_after"]["value"] == twin.after.ln_gamma.value
    assert grouped.n_real == 4


def test_what_fails_says_why_and_stops_nothing(tmp_path: Path) -> None:
    sampler = FailingSampler(fails=lambda system, window, careful: system == f"oil in {N} poor")
    twin, poor = checks_of(mixed(plan("twin"), plan("poor")), tmp_path, sampler)
    assert twin.after is not None
    assert poor.after is None
    assert poor.before is None
    assert "every window failed" in poor.reason
