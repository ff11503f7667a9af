"""topdown transfer: what a user types wrong is one line and exit code 2; JSON holds what the contract says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import topdown.properties.phases as phases_module
import topdown.properties.planned_runs as planned_runs
import topdown.properties.solvation as solvation_module


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["C1CC", "--to", "octanol"], "E_SYNTAX"),
        (["CCO", "--to", "octanoll"], "did you mean octanol"),
        (["CCO", "--to", "water"], "phases must differ"),
        (["CCO", "--table", "martini4"], "martini4"),
        (["CCO", "--temperature", "-3"], "temperature"),
        (["CCO", "--error", "0"], "cannot be aimed at"),
        (["CCO", "--budget", "soon"], "--budget must be a time"),
        (["CC[NH3+]"], "net charge of +1"),
        (["O"], "four waters"),
        (["nowhere.csv"], "nowhere.csv"),
    ],
)
def test_mistakes_are_one_line(topdown, arguments: list[str], message: str) -> None:
    code, out, err = topdown("transfer", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_refused_molecule_as_json(topdown) -> None:
    code, out, _ = topdown("transfer", "C1CC", "--json")
    assert code == 2
    found = json.loads(out)
    assert found["error"]["code"] == "E_SYNTAX"
    assert found["smiles"] == "C1CC"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far too short for a good number, enough for the contract."""
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 500)
    monkeypatch.setattr(phases_module, "MIN_BEADS", 100)
    for name, value in {"PART_STEPS": 1000, "SETTLING_STEPS": 200, "SOLVENT_STEPS": 5000, "SOLVENT_PARTS": 1}.items():
        monkeypatch.setattr(solvation_module, name, value)
    monkeypatch.setattr(solvation_module, "MIN_EFFECTIVE", 1.0)
    monkeypatch.setattr(solvation_module, "MIN_OVERLAP", 0.0)


@pytest.mark.usefixtures("hasty")
def test_json_and_figure_of_a_short_run(topdown, tmp_path: Path) -> None:
    """The real engine on butane from the gas into hexadecane."""
    arguments = ["transfer", "CCCC", "--from", "gas", "--to", "hexadecane", "--table", "martini2", "--error", "8",
                 "--budget", "5s", "--store", str(tmp_path), "--workers", "1", "--json"]  # fmt: skip
    code, out, err = topdown(*arguments)
    assert code == 0, err
    found = json.loads(out)
    assert (found["from"], found["to"], found["smiles"]) == ("gas", "hexadecane", "CCCC")
    assert found["standard_error"] > 0
    (leg,) = found["phases"]
    assert leg["phase"] == "hexadecane"
    assert leg["n_windows"] == len(leg["lambdas"]) == len(leg["frames_per_state"]) == len(leg["overlap_matrix"])
    assert leg["lambdas"][0] == 0.0
    assert leg["convergence"]["forward_kJ_mol"][-1] == pytest.approx(found["delta_g_kJ_mol"], abs=1e-6)
    assert found["log_p"] == pytest.approx(-found["delta_g_kJ_mol"] / 5.708, rel=1e-3)
    assert found["diagnostics"]["n_effective"] > 0
    assert found["model"].startswith("published model BUT")
    # everything is stored: again, and drawn
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    again = json.loads(topdown(*arguments, "--plot", str(tmp_path / "plots"))[1])
    assert again["delta_g_kJ_mol"] == found["delta_g_kJ_mol"]
    (figure,) = (tmp_path / "plots").iterdir()
    assert figure.name == "001-gas-hexadecane.png"
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("hasty")
def test_a_list_comes_in_order_with_its_refusals_and_goes_on_from_the_store(topdown, tmp_path: Path) -> None:
    """A molecule written in two ways among three that are refused; repeated, nothing is run anew."""
    names = ["butane", "broken", "ammonium", "", "butane, again"]
    rows = list(zip(["CCCC", "C1CC", "CC[NH3+]", "", "C(C)CC"], names))
    source = tmp_path / "solutes.csv"
    source.write_text("name,smiles\n" + "".join(f'"{name}",{smiles}\n' for smiles, name in rows))
    arguments = ["transfer", str(source), "--from", "gas", "--to", "hexadecane,dodecane", "--table", "martini2", "--error", "8",
                 "--budget", "5s", "--store", str(tmp_path / "runs"), "--workers", "1", "--json"]  # fmt: skip
    code, out, err = topdown(*arguments)
    assert code == 3, err
    found = [json.loads(line) for line in out.splitlines()]
    assert [(f["smiles"], f["name"]) for f in found] == [row for row in rows for _ in range(2)]
    assert [f["to"] for f in found] == ["hexadecane", "dodecane"] * 5
    assert {f["from"] for f in found} == {"gas"}
    assert [f.get("error", {}).get("code") for f in found][::2] == [None, "E_SYNTAX", "E_SETTING", "E_EMPTY", None]
    assert found[0]["delta_g_kJ_mol"] == found[8]["delta_g_kJ_mol"]
    refused = [line for line in err.splitlines() if "E_" in line]
    assert [line.split()[0] for line in refused] == ["E_SYNTAX", "E_SETTING", "E_EMPTY"]
    assert "[broken]" in refused[0]
    assert "net charge" in refused[1]
    runs = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.npz")}
    assert len(runs) > 10
    _, again, _ = topdown(*arguments)
    assert [{**json.loads(line), "wall_s": 0} for line in again.splitlines()] == [{**f, "wall_s": 0} for f in found]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.npz")} == runs


def test_a_phase_that_fails_leaves_the_others(topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import topdown.workflows.transfer as workflow
    from topdown.errors import SimulationError
    from topdown.model import Estimate
    from topdown.properties.transfer import SolvationResult

    def measured(request, phase_name, sampler, effort):
        if phase_name == "hexadecane" or (phase_name == "water" and request.solute.name == "CCO"):
            raise SimulationError("the liquid froze", where=request.system)
        value = Estimate(value=-3.0, standard_error=0.2, n_effective=90.0)
        return SolvationResult(phase=phase_name, delta_g=value, overlap=0.1, n_windows=9, n_frames=900, n_solvent=400)

    monkeypatch.setattr(workflow, "measure_solvation", measured)
    source = tmp_path / "solutes.smi"
    source.write_text("CCCCCC hexane\nCCO\n")
    code, out, err = topdown("transfer", str(source), "--to", "hexadecane,octanol", "--simulate", "--json")
    assert code == 3
    first, second, *others = [json.loads(line) for line in out.splitlines()]
    assert first["error"]["code"] == "E_RUN"
    assert (second["to"], second["delta_g_kJ_mol"]) == ("octanol", 0.0)
    assert [other["error"]["code"] for other in others] == ["E_RUN", "E_RUN"], (
        "without water there is no transfer from it"
    )
    lines = [line for line in err.splitlines() if line.startswith("E_RUN")]
    assert len(lines) == 2
    assert lines[0].endswith("[hexane, to hexadecane]")
    source.write_text("CCO\n")
    assert topdown("transfer", str(source), "--to", "octanol", "--simulate")[0] == 1, (
        "a run that failed, not wrong input"
    )


def test_help_names_the_options() -> None:
    from topdown.cli.transfer_command import command

    text = CliRunner().invoke(command, ["--help"]).output
    for option in ("--from", "--to", "--table", "--error", "--budget", "--plot", "--json", "--store"):
        assert option in text
