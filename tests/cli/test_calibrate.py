"""``topdown calibrate`` as a user runs it; the simulations themselves come from a model with known answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_calibration import FailingSampler, SyntheticSampler

from topdown.tables import load_bead_table
from topdown.workflows import calibrate as workflow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "martini2_alkanes.toml"
CAMPAIGN = """
name = "tiny"
table = "martini2"
temperature = 300.0
[[parameters]]
pair = ["C1", "P4"]
prior_width = 0.5
[[targets.transfer]]
smiles = "CCCC"
name = "butane"
from = "water"
to = "hexadecane"
value = 1.7
uncertainty = 0.05
model_error = 0.0
[[targets.transfer]]
model = "OCT"
name = "octane"
from = "hexadecane"
to = "water"
value = -3.4
uncertainty = 0.1
split = "held-out"
[sampling]
lambdas = [0.0, 0.3, 1.0]
steps = 30_000
every = 100
[validation]
other_properties = false
"""


@pytest.fixture
def campaign(tmp_path):
    path = tmp_path / "campaign.toml"
    path.write_text(CAMPAIGN)
    return path


@pytest.fixture
def model(monkeypatch):
    """Puts the model liquid in place of the engine; the list holds the samplers made."""
    made = []

    def engine_sampler(**options):
        made.append(SyntheticSampler())
        made[-1].options = options
        return made[-1]

    monkeypatch.setattr(workflow, "engine_sampler", engine_sampler)
    return made


def test_a_campaign_writes_table_report_and_journal(topdown, campaign, model, tmp_path):
    folder = tmp_path / "out"
    code, out, err = topdown("calibrate", campaign, "-o", folder, "--workers", "3", "--store", tmp_path / "runs")
    assert code == 0
    assert (model[0].options["workers"], model[0].options["store"]) == (3, tmp_path / "runs")
    assert "C1-P4" in out
    assert "held-out targets" in out
    assert "round 1" in err
    assert "round 1" not in out
    report = json.loads((folder / "report.json").read_text())
    table, start = load_bead_table(folder / "tiny"), load_bead_table("martini2")
    assert table.provenance.parent == "martini2"
    found = report["parameters"][0]["value_kJ_mol"]
    assert table.pair("C1", "P4") == (start.pair("C1", "P4")[0], found)
    assert abs(found - start.pair("C1", "P4")[1]) > 0.01
    assert table.pair("P4", "P4") == start.pair("P4", "P4")
    assert (folder / "report.txt").read_text() in out
    code, out, _ = topdown("table", "diff", "martini2", folder / "tiny", "--json")
    assert [change["types"] for change in json.loads(out)["changes"]] == [["C1", "P4"]]


def test_json_is_one_object_on_stdout(topdown, campaign, model, tmp_path):
    code, out, _ = topdown("calibrate", campaign, "-o", tmp_path / "out", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["converged"] is True
    scores = {s["split"]: s for s in found["scores"]}
    assert scores["calibration"]["rms_after"] < scores["calibration"]["rms_before"]
    assert set(scores) == {"calibration", "held-out"}
    assert Path(found["table_folder"]).is_dir()


def test_ctrl_c_then_resume(topdown, campaign, model, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    whole, stopped = SyntheticSampler(), SyntheticSampler(stop_after=1)
    monkeypatch.setattr(workflow, "engine_sampler", lambda **_: stopped)
    code, _, err = topdown("calibrate", campaign, "-o", folder)
    assert code == 130
    assert "--resume" in err
    monkeypatch.setattr(workflow, "engine_sampler", lambda **_: whole)
    code, _, err = topdown("calibrate", campaign, "-o", folder)
    assert code == 2
    assert "--resume" in err
    code, resumed, _ = topdown("calibrate", campaign, "-o", folder, "--resume", "--json")
    assert code == 0
    code, straight, _ = topdown("calibrate", campaign, "-o", tmp_path / "straight", "--json")
    strip = [{k: v for k, v in json.loads(text).items() if k != "table_folder"} for text in (resumed, straight)]
    assert strip[0] == strip[1]
    campaign.write_text(CAMPAIGN.replace("value = 1.7", "value = 1.9"))
    code, _, err = topdown("calibrate", campaign, "-o", folder, "--resume")
    assert code == 2
    assert "another campaign" in err


def test_nothing_to_resume_is_said(topdown, campaign, model, tmp_path):
    code, out, err = topdown("calibrate", campaign, "-o", tmp_path / "typo", "--resume")
    assert (code, out) == (2, "")
    assert "typo: there is no campaign to continue (start it without --resume" in err
    assert not (tmp_path / "typo").exists()


def test_plan_counts_without_simulating(topdown, campaign, model):
    code, out, _ = topdown("calibrate", campaign, "--plan", "--json")
    assert code == 0
    plan = json.loads(out)
    assert plan["windows_per_round"] == 6
    assert plan["bead_steps_per_round"] == 3 * (401 + 401) * 40_000
    assert plan["bead_steps_held_out"] == 3 * (402 + 402) * 40_000
    assert {s["name"]: s["beads"] for s in plan["systems"]}["butane in 100 hexadecane"] == 401
    code, out, _ = topdown("calibrate", campaign, "--plan")
    assert code == 0
    assert "butane water→hexadecane" in out
    assert not model


def test_plan_and_dry_run_are_one_thing(topdown, campaign, model):
    code, plan, _ = topdown("calibrate", "plan", campaign, "--workers", "2")
    assert code == 0
    assert "time on 2 processors, roughly" in plan
    assert topdown("calibrate", campaign, "--dry-run", "--workers", "2")[1] == plan
    code, out, _ = topdown("calibrate", "plan", campaign, "--workers", "4", "--json")
    found = json.loads(out)
    assert found["bead_steps_at_most"] == 4 * found["bead_steps_per_round"] + found["bead_steps_held_out"]
    assert found["hours_at_most"] > found["hours_first_round"] > 0
    assert topdown("calibrate", "plan", campaign.with_name("none.toml"))[0] == 2
    campaign.write_text(CAMPAIGN + "[budget]\nbead_steps = 1e6\n")
    code, _, err = topdown("calibrate", "plan", campaign)
    assert code == 2
    assert "does not pay for the first round" in err
    assert not model


def test_a_matrix_over_what_the_targets_hold(topdown, campaign, model):
    text = CAMPAIGN.replace('[[parameters]]\npair = ["C1", "P4"]\nprior_width = 0.5\n', '[matrix]\nform = "classes"\n')
    text = text.replace('to = "hexadecane"', 'to = "octanol"', 1)
    campaign.write_text(text + '[[targets.surface_tension]]\nliquid = "octanol"\nmodel_error = 1.0\n')
    code, out, err = topdown("calibrate", "plan", campaign, "--json")
    assert code == 0, err
    plan = json.loads(out)
    names = {p["label"] for p in plan["parameters"]}
    assert {"class C1-P4", "class C1-P1"} <= names
    assert "class P4-P4" not in names, "water with itself stays"
    systems = {s["name"]: s["windows"] for s in plan["systems"]}
    wet = next(name for name in systems if name.startswith("butane in 1"))
    assert ", " in wet, f"octanol is saturated with water: {wet}"
    assert any(name.startswith("slab of ") and n == 1 for name, n in systems.items())
    assert {t["error_class"] for t in plan["targets"]} >= {"transfer_free_energy alcohol", "surface_tension"}


def test_slopes_need_two_temperatures(topdown, campaign, model):
    slopes = '[matrix]\nform = "pairs"\nslope_prior_width = 1e-3\n'
    campaign.write_text(CAMPAIGN.replace('[[parameters]]\npair = ["C1", "P4"]\nprior_width = 0.5\n', slopes))
    code, _, err = topdown("calibrate", "plan", campaign)
    assert code == 2
    assert "all calibration targets are at one" in err
    second = '[[targets.density]]\nliquid = "octane"\ntemperature = 320\nvalue = 680\nuncertainty = 3\n'
    campaign.write_text(campaign.read_text() + second)
    code, out, err = topdown("calibrate", "plan", campaign, "--json")
    assert code == 0, err
    assert "200 octane at 320 K" in {s["name"] for s in json.loads(out)["systems"]}
    assert any(p.get("per_kelvin") for p in json.loads(out)["parameters"])


def test_status_says_how_far_a_campaign_has_come(topdown, campaign, model, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    code, _, err = topdown("calibrate", "status", folder)
    assert code == 2
    assert "no campaign here" in err
    monkeypatch.setattr(workflow, "engine_sampler", lambda **_: SyntheticSampler(stop_after=0))
    assert topdown("calibrate", campaign, "-o", folder)[0] == 130
    code, out, _ = topdown("calibrate", "status", folder, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["rounds"], found["finished"], found["running"]) == (0, False, False)
    assert found["sampling"]["windows"] == 6
    assert "stopped" in topdown("calibrate", "status", folder)[1]


def test_windows_of_a_round_run_by_themselves(topdown, campaign, model, tmp_path, monkeypatch):
    """A job array in place of the campaign's own workers: the campaign then finds everything in the store."""
    from killed_campaigns import StoredSampler

    monkeypatch.setattr(workflow, "engine_sampler", lambda **o: model.append(StoredSampler(o["store"])) or model[-1])
    store, specs, folder = tmp_path / "runs", tmp_path / "specs", tmp_path / "out"
    code, _, err = topdown("calibrate", "plan", campaign, "--specs", specs)
    assert code == 0
    assert "2 systems" in err
    assert topdown("window", "run", specs / "1.json", "--store", store)[:2] == (0, "3 windows stored\n")
    code, out, _ = topdown("window", "run", specs / "2.json", "--store", store, "--json")
    assert (code, json.loads(out)) == (0, {"spec": str(specs / "2.json"), "windows": 3})
    assert [s.drawn for s in model] == [3, 3]
    assert topdown("calibrate", campaign, "-o", folder, "--store", store)[0] == 0
    first = len(json.loads((folder / "journal.jsonl").read_text().splitlines()[1])["systems"]) * 3
    assert model[-1].drawn == len(json.loads((folder / "report.json").read_text())["runs"]) - first
    code, _, err = topdown("calibrate", "plan", campaign, "--specs", specs, "-o", folder)
    assert code == 2
    assert "rounds of this campaign are over" in err
    spec = json.loads((specs / "1.json").read_text())
    for wrong, words in (
        ({**spec, "digest": "0"}, "changed since"),
        ({**spec, "system": "../etc"}, "does not fit"),
        ({**spec, "x": ["a"]}, "wrong kind"),
        ({**spec, "more": 1}, "missing keys: more"),
    ):
        (specs / "bad.json").write_text(json.dumps(wrong))
        code, _, err = topdown("window", "run", specs / "bad.json")
        assert (code, err.count("\n")) == (2, 1)
        assert words in err


def test_failed_windows_are_said_and_the_campaign_goes_on(topdown, campaign, tmp_path, monkeypatch):
    def fails(system, window, careful):
        return system.startswith("octane in") or (window == 1 and not careful)

    monkeypatch.setattr(workflow, "engine_sampler", lambda **_: FailingSampler(fails=fails))
    folder, specs = tmp_path / "out", tmp_path / "specs"
    code, out, err = topdown("calibrate", campaign, "-o", folder)
    assert code == 0
    assert "WARNING: the target octane hexadecane→water is LEFT OUT: its simulations failed" in err
    assert "WARNING: the target octane hexadecane→water is left out" in out
    assert "failed windows" in out
    assert "done at the second try" in out
    code, out, _ = topdown("calibrate", "status", folder)
    assert code == 0
    assert "failed windows:" in out
    assert topdown("calibrate", "plan", campaign, "--specs", specs)[0] == 0
    code, out, err = topdown("window", "run", specs / "1.json")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "1 of 3 windows failed: it blew up" in err


def test_executors_that_cannot_be_are_refused(topdown, campaign, tmp_path):
    code, _, err = topdown("calibrate", campaign, "-o", tmp_path / "out", "--executor", "cloud")
    assert code == 2
    assert "processes, threads, dask://HOST:PORT or mpi" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(
    not (EXAMPLE.parents[1] / "data" / "partition" / "solvatum.csv").exists(), reason="share-alike data not present"
)
def test_the_example_is_a_valid_campaign_with_measured_values(topdown):
    code, out, _ = topdown("calibrate", EXAMPLE, "--plan", "--json")
    assert code == 0
    plan = json.loads(out)
    measured = {t["label"]: t["measured"] for t in plan["targets"]}
    assert -25 < measured["butane water→hexadecane"] < -15, "butane prefers the oil"
    assert 750 < measured["hexadecane density"] < 790
    assert {t["split"] for t in plan["targets"]} == {"calibration", "held-out"}
    assert [p["pair"] for p in plan["parameters"]] == [["C1", "P4"], ["C1", "C1"]]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('pair = ["C1", "P4"]', 'pair = ["C1", "P44"]', "unknown bead type 'P44'"),
        ('pair = ["C1", "P4"]', 'pair = ["Q0", "P4"]', "no calibration target holds both bead types of P4-Q0"),
        ("prior_width = 0.5", "prior_width = 0.5\nbounds = [3.0, 4.0]", "outside the bounds"),
        ('table = "martini2"', 'table = "martini22"', "martini2"),
        ('name = "tiny"', 'name = "martini2"', "that of the start table"),
        ('smiles = "CCCC"', 'smiles = "CC(C"', "E_SYNTAX"),
        ('smiles = "CCCC"', 'smiles = "[Na+].[Cl-]"', "E_"),
        ('to = "hexadecane"', 'to = "hexadecan"', "hexadecane"),
        ('to = "hexadecane"', 'to = "gas"', "not simulated"),
        ("value = 1.7\nuncertainty = 0.05\n", "", "for hexadecane/water"),
        ('model = "OCT"', 'model = "OCTT"', "did you mean OCT"),
        ('name = "octane"', 'name = "butane"', "two different molecules"),
        ("temperature = 300.0", "temperature = = 3", "broken TOML"),
    ],
)
def test_bad_campaigns_are_one_line_and_exit_2(topdown, campaign, model, tmp_path, old, new, words):
    assert old in CAMPAIGN
    text = CAMPAIGN.replace(old, new, 1)
    if words.startswith("for hexadecane/water"):
        text = text.replace('smiles = "CCCC"', 'smiles = "CCCCC#CCC"').replace('"butane"', '"octyne"')
    campaign.write_text(text)
    code, out, err = topdown("calibrate", campaign, "-o", tmp_path / "out")
    assert code == 2
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_failures_of_a_run_exit_1(topdown, campaign, model, tmp_path):
    campaign.write_text(CAMPAIGN + "[optimizer]\ness_threshold = 100000\n")
    code, _, err = topdown("calibrate", campaign, "-o", tmp_path / "out")
    assert code == 1
    assert "effective samples" in err
    assert "raise sampling.steps" in err


def test_an_output_that_is_a_file_is_refused(topdown, campaign, model, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = topdown("calibrate", campaign, "-o", tmp_path / "file")
    assert code == 2
    assert "-o" in err


def test_help_loads_no_engine():
    script = (
        "import sys; from topdown.cli.main import main\n"
        "try: main(['calibrate', '--help'])\nexcept SystemExit: pass\n"
        "bad = [m for m in ('numpy', 'numba', 'rdkit') if m in sys.modules]\nassert not bad, bad"
    )
    env = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1])}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False)
    assert result.returncode == 0, result.stderr
    assert "CAMPAIGN" in result.stdout


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.026, "1.6 min"),
        (0.5, "30 min"),
        (1.4, "84 min"),
        (2.5, "2.5 h"),
        (20.0, "20 h"),
        (75.0, "3.1 days"),
        (480.0, "20 days"),
    ],
)
def test_times_are_told_in_units_that_suit(hours, text):
    from topdown.report.calibration_plan import time_text

    assert time_text(hours) == text
