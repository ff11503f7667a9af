"""Another property than is fitted: measured densities of the solvents are calculated as a check, unless that is turned off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_calibration import WATER, FailingSampler, SyntheticSampler, problem

from topdown.calibration.campaign_file import read_campaign
from topdown.calibration.journal import Journal
from topdown.calibration.planned_checks import MeltingPlan
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.targets import DensityTarget
from topdown.errors import InputFileError
from topdown.properties.phases import Phase, find_phase
from topdown.report.calibration_plan import plan_json, plan_text
from topdown.tables import load_bead_table
from topdown.workflows.calibrate import plan_calibration
from topdown.workflows.calibration_bilayers import bilayer_plan
from topdown.workflows.calibration_melting import melting_plans
from topdown.workflows.calibration_problem import _Resolver, read_problem

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "martini2_alkanes.toml"


def test_solvents_without_a_density_target_are_checked(tmp_path: Path) -> None:
    with_check = read_problem(EXAMPLE)
    assert with_check.checks == ("water density",), "hexadecane's is fitted, dodecane's and octane's held out"
    (check,) = (t for t in with_check.targets if t.label in with_check.checks)
    assert (check.split, check.unit) == ("held-out", "kg/m3")
    assert 990.0 < check.measured < 1000.0
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + "\n[validation]\nother_properties = false\n")
    without = read_problem(path)
    assert not without.checks
    assert without.digest() == with_check.digest(), "a campaign that is under way may be resumed"
    assert len(without.targets) == len(with_check.targets) - 1


NEAR = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}


def checked() -> CalibrationProblem:
    """The model campaign with the density of its water as a check."""
    task = problem(NEAR, width=20.0, n_steps=10_000, ess_threshold=20.0)
    density = DensityTarget(
        molecule=WATER, n_molecules=100, system="100 water", measured=280.0, uncertainty=1.0, split="held-out"
    )
    systems = {**task.systems, "100 water": SimulatedSystem(name="100 water", liquid=WATER, n_molecules=100)}
    return replace(task, targets=(*task.targets, density), systems=systems, checks=(density.label,))


def run(task: CalibrationProblem, folder: Path, sampler: SyntheticSampler) -> CalibrationResult:
    return run_calibration(task, sampler, Journal(folder / "j.jsonl", task.digest(), resume=False))


def test_a_check_is_reported_and_decides_nothing(tmp_path: Path) -> None:
    task = checked()
    plain = problem(NEAR, width=20.0, n_steps=10_000, ess_threshold=20.0)
    assert task.digest() == plain.digest()
    result = run(task, tmp_path / "a", SyntheticSampler())
    found = {t.label: t for t in result.targets}["water density"]
    assert found.split == "held-out"
    assert found.after.standard_error > 0
    assert ("density", "held-out") in {(s.quantity, s.split) for s in result.scores()}
    alone = run(plain, tmp_path / "b", SyntheticSampler())
    assert [p.value for p in result.parameters] == [p.value for p in alone.parameters]


def test_a_check_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    sampler = FailingSampler(fails=lambda system, window, careful: system == "100 water")
    result = run(checked(), tmp_path / "a", sampler)
    assert [label for label, _ in result.lost_targets] == ["water density"]
    assert result.converged

    class Short(SyntheticSampler):
        """Water's runs hold a handful of frames."""

        def _windows(self, request):  # type: ignore[no-untyped-def]
            few = request.system == "100 water"
            return super()._windows(replace(request, n_steps=1000) if few else request)

    result = run(checked(), tmp_path / "b", Short())
    assert [label for label, _ in result.lost_targets] == ["water density"]
    assert "effective samples" in result.lost_targets[0][1]


def section(kind: str, **values: object) -> str:
    """A check as a campaign file has it."""
    return "\n".join([f"[[checks.{kind}]]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])


DIFFUSION = "\n[checks]\ndiffusion_steps = 50_000\n" + "".join(
    section("diffusion", **values)
    for values in ({"liquid": "water"}, {"liquid": "octanol"}, {"liquid": "dodecane", "temperature": 303.15})
)
MIXTURES = "\n" + "".join(
    section("mixture", solute=solute, solvent=solvent)
    for solute, solvent in (("octane", "water"), ("water", "octanol"), ("dodecane", "octane"))
)
DSPC = "CCCCCCCCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCCCCCCCC"
BILAYERS = "\n[checks]\nbilayer_steps = 120_000\n" + "".join(
    section("bilayer", **values)
    for values in (
        {"lipid": "dppc", "temperature": 323.15, "n_lipids": 36},
        {"lipid": "DSPC", "smiles": DSPC, "temperature": 330, "n_lipids": 40},
        {"lipid": "POPG", "temperature": 308.15, "n_lipids": 40, "value": 0.66, "uncertainty": 0.02},
    )
)


def test_pairs_of_liquids_are_found_and_planned(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + MIXTURES)
    plan = plan_calibration(path)
    octane, water, dodecane = plan.problem.mixtures
    assert octane.systems == ("octane in 200 octane", "octane in 400 water")
    assert octane.real_molecules == (200, 1600), "a W bead is four waters"
    assert octane.measured is not None
    assert octane.measured.value < -5.0
    assert water.n_real == 4
    assert water.systems[1].startswith("water in"), water.systems
    assert "water" not in water.systems[1].removeprefix("water in"), "the pure octanol"
    assert water.measured is not None
    assert 0.3 < water.measured.value < 0.4
    assert dodecane.measured is None
    # the campaign has dodecane in dodecane and in water, octane in water, and they are paid for there
    assert set(plan.problem.mixture_systems()) == {
        "octane in 200 octane",
        "water in 400 water",
        water.systems[1],
        "dodecane in 200 octane",
    }
    assert plan.check_bead_steps == plan.problem.bead_steps(plan.problem.mixture_systems())
    assert plan.problem.digest() == plan_calibration(EXAMPLE).problem.digest()
    text = plan_text(plan, 1)
    assert "check:  octane in water at 298.15 K  measured solubility log10(mol/l) = -5.24 ± 0.30" in text
    assert [c["label"] for c in plan_json(plan, 1)["checks"]] == [p.label for p in plan.problem.mixtures]


@pytest.mark.parametrize(
    ("solute", "solvent", "words"),
    [("1-octanol", "octanol", "same liquid"), ("octane", "octane:0.5,water:0.5", "mixture"), ("octane", "gas", "gas")],
)
def test_pairs_that_make_no_mixture_are_refused(tmp_path: Path, solute: str, solvent: str, words: str) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + "\n" + section("mixture", solute=solute, solvent=solvent))
    with pytest.raises(InputFileError, match=words):
        read_problem(path)


def test_one_name_for_two_models_of_the_solute_is_refused(tmp_path: Path) -> None:
    """Solvation in itself and in the solvent must be of one model: here the octane of the target has a P4 end."""
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + MIXTURES)
    resolver = _Resolver(read_campaign(path), load_bead_table("martini2"))
    octane, *_ = resolver.campaign.checks.mixtures
    resolver.mixture(octane)
    name = "octane in 400 water"
    box = resolver.systems[name]
    assert box.solute is not None
    first, *others = box.solute.beads
    other = replace(box.solute, beads=(replace(first, bead_type="P4"), *others))
    resolver.systems[name] = replace(box, solute=other)
    with pytest.raises(InputFileError, match="another model"):
        resolver.mixture(octane)


def test_liquids_to_be_followed_are_found_and_planned(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + DIFFUSION)
    plan = plan_calibration(path)
    water, octanol, dodecane = plan.problem.diffusion
    assert water.measured is not None
    assert (water.n_real, water.n_beads, water.measured.value) == (4, 400, 2.299)
    assert "Holz" in water.measured.reference
    assert octanol.molecule.n_beads > 1, "the pure liquid, not the one that is saturated with water"
    assert octanol.measured is None
    assert dodecane.measured is not None
    assert (dodecane.measured.value, dodecane.measured.how) == (0.871, "nearest temperature measured")
    assert plan.check_bead_steps == sum(p.n_beads * 55_000 for p in plan.problem.diffusion)
    without = plan_calibration(EXAMPLE)
    assert plan.most_bead_steps - without.most_bead_steps == plan.check_bead_steps
    assert plan.problem.digest() == without.problem.digest(), "a campaign that is under way may be resumed"
    text = plan_text(plan, 1)
    assert "check:  self-diffusion of octanol at 298.15 K  measured not known" in text
    assert "check:  self-diffusion of water at 298.15 K  measured 2.299 ± 0.023e-9 m2/s, 400 beads, 2.20e+07" in text
    assert [c["label"] for c in plan_json(plan, 1)["checks"]] == [p.label for p in plan.problem.diffusion]


def test_bilayers_are_found_and_planned(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + BILAYERS)
    plan = plan_calibration(path)
    dppc, dspc, popg = plan.problem.bilayers
    assert (dppc.measured.value, dppc.measured.how) == (0.631, "measured")
    assert (dppc.request.n_lipids, dppc.n_parts, dppc.n_steps) == (36, 3, 150_000), "whole nanoseconds"
    assert dppc.request.size[0] == pytest.approx((18 * dppc.request.area) ** 0.5)
    assert dppc.n_beads == 36 * 12 + dppc.request.n_solvent
    assert 150 < dppc.request.n_solvent < 400
    # a model that stands for two lipids is compared with the one it was asked for
    assert dspc.request.lipid.type_names == dppc.request.lipid.type_names
    assert (dspc.measured.value, dspc.measured.how) == (0.638, "nearest temperature measured")
    assert (popg.measured.value, popg.measured.reference) == (0.66, "the campaign file")
    assert popg.request.lipid.charge == -1.0
    without = plan_calibration(EXAMPLE)
    assert plan.check_bead_steps == sum(2 * p.n_beads * 150_000 for p in plan.problem.bilayers)
    assert plan.most_bead_steps - without.most_bead_steps == plan.check_bead_steps
    assert plan.problem.digest() == without.problem.digest(), "a campaign that is under way may be resumed"
    text = plan_text(plan, 1)
    line = f"check:  area per lipid of dppc at 323.15 K  measured 0.631 ± 0.013 nm2, 36 lipids, {dppc.n_beads} beads"
    assert line in text
    assert [c["label"] for c in plan_json(plan, 1)["checks"]] == [p.label for p in plan.problem.bilayers]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lipid": "DPPX", "temperature": 323}, "DPPX"),
        (
            {"lipid": "DPPC"},
            "no measured area per lipid of DPPC near 298.15 K .it is known from 323.15 to 333.15 K, or give",
        ),
        ({"lipid": "CHOL", "temperature": 310}, "no measured area per lipid of CHOL near 310 K .give value and unc"),
        ({"lipid": "DPPC", "temperature": 323, "n_lipids": 37}, "even number of lipids"),
        (
            {"lipid": "DPPC", "temperature": 323, "n_lipids": 20},
            "shorter than twice the cut-off.*at least 34 lipids",
        ),
        ({"lipid": "MINE", "smiles": "CCX", "temperature": 323}, "bilayer of MINE"),
        ({"lipid": "W", "smiles": "CCCCCCCC", "temperature": 323}, "cannot be called W"),
        ({"lipid": "HD", "temperature": 323}, "polar"),
    ],
)
def test_bilayers_that_cannot_be_checked_are_refused(tmp_path: Path, values: dict[str, object], words: str) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + "\n" + section("bilayer", **values))
    campaign = read_campaign(path)
    (entry,) = campaign.checks.bilayers
    with pytest.raises(InputFileError, match=words) as caught:
        bilayer_plan(entry, campaign, "martini2", 25_000)
    assert "--" not in str(caught.value), "no words of another command"


MELTING = """
[checks]
melting_runs = 2
melting_steps = 10_000
[[checks.melting]]
liquid = "water"
value = 273.15
uncertainty = 0.01
[[checks.melting]]
liquid = "chloroform"
"""


def test_melting_points_are_found_and_planned(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + MELTING)
    plan = plan_calibration(path)
    water, chloroform = plan.problem.melting
    assert (water.n_real, water.molecule.type_names, water.n_beads) == (4, ("P4",), 2000)
    assert chloroform.molecule.n_beads == 1
    assert water.measured is not None
    assert (water.measured.value, water.measured.reference) == (273.15, "the campaign file")
    assert chloroform.measured is None
    # eleven coarse runs at most, then two at each of five temperatures; half of the beads each until crystal and melt meet
    most = 21 * (1000 * (2_500 + 4_000) + 2000 * (250 + 10_000))
    assert [p.most_bead_steps for p in plan.problem.melting] == [most, most]
    assert plan.check_bead_steps == 4 * most
    without = plan_calibration(EXAMPLE)
    assert plan.most_bead_steps - without.most_bead_steps == plan.check_bead_steps
    assert plan.problem.digest() == without.problem.digest(), "a campaign that is under way may be resumed"
    text = plan_text(plan, 1)
    assert "check:  melting point of water  measured 273.15 ± 0.01 K, 2000 beads, both tables at most" in text
    assert "check:  melting point of chloroform  measured not known" in text
    assert f"checks, once: at most {4 * most:.2e}" in text
    assert "at most" not in next(line for line in plan_text(without, 1).splitlines() if line.startswith("held-out"))
    checks = plan_json(plan, 1)["checks"]
    assert [(c["label"], c["bead_steps"]) for c in checks] == [(p.label, 2 * most) for p in plan.problem.melting]


def test_all_liquids_of_one_bead_are_found(tmp_path: Path) -> None:
    """The solvents, liquids and other checks of a campaign that are one bead, each once."""
    path = tmp_path / "campaign.toml"
    more = section("diffusion", liquid="chloroform") + section("mixture", solute="octane", solvent="O")
    density = '[[targets.density]]\nliquid = "methanol"\nvalue = 787\nuncertainty = 1\nsplit = "held-out"\n'
    path.write_text(EXAMPLE.read_text() + density + '[checks]\nmelting = "all"\n' + more)
    found = read_problem(path).melting
    assert [p.liquid for p in found] == ["water", "methanol", "chloroform"]
    assert found[0].n_real == 4
    assert all(p.measured is None for p in found)


def planned_melting(path: Path) -> tuple[MeltingPlan, ...]:
    """The melting points of a campaign, without its targets."""
    campaign, table = read_campaign(path), load_bead_table("martini2")
    resolver = _Resolver(campaign, table)
    return melting_plans(campaign, table, resolver.phase, resolver.pure)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"liquid": "octane"}, "liquids of one bead, octane has 2"),
        ({"liquid": "wate"}, "did you mean 'water'"),
        ({"liquid": "ethanol:0.4,water:0.6"}, "is a mixture"),
        ({"liquid": "gas"}, "not simulated"),
        ({"liquid": "model:NA"}, "net charge"),
    ],
)
def test_liquids_that_have_no_melting_point_are_refused(tmp_path: Path, values: dict[str, object], words: str) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + "\n" + section("melting", **values))
    with pytest.raises(InputFileError, match=words):
        planned_melting(path)


def test_one_liquid_under_two_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text() + "\n" + section("melting", liquid="water") + section("melting", liquid="O"))
    with pytest.raises(InputFileError, match="melting point of O: water is the same liquid"):
        planned_melting(path)


def tiny_liquid(_: str, where: str = "") -> Phase:
    """Water of tiny beads: fewer of them fill the cut-off, which is that of all."""
    known = find_phase("water", "martini3")
    component = known.components[0]
    (bead,) = component.molecule.beads
    tiny = replace(component.molecule, beads=(replace(bead, bead_type="TP1"),))
    return replace(known, components=(replace(component, model=replace(component.model, molecule=tiny)),))


def test_settings_that_make_no_crystal_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    table = load_bead_table("martini3")
    for settings, words in (
        ("melting_runs = 200", "200 runs at each temperature are out of range"),
        ("melting_cells = 40", "40 unit cells are out of range"),
        ("melting_cells = 4", r"4 unit cells .* too thin for twice the cut-off .checks.melting_cells = 5"),
    ):
        path.write_text(EXAMPLE.read_text() + f"[checks]\n{settings}\n" + section("melting", liquid="water"))
        with pytest.raises(InputFileError, match=words):
            melting_plans(read_campaign(path), table, tiny_liquid, tiny_liquid)
    path.write_text(EXAMPLE.read_text() + "\n" + section("melting", liquid="water"))
    (plan,) = melting_plans(read_campaign(path), table, tiny_liquid, tiny_liquid)
    assert plan.settings.n_across == 5, "the default fits the smallest beads"


def test_all_of_no_liquid_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(EXAMPLE.read_text().replace('from = "water"', 'from = "octane"') + '[checks]\nmelting = "all"\n')
    with pytest.raises(InputFileError, match="no liquid of the campaign is of single beads"):
        planned_melting(path)
