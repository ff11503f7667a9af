"""topdown transfer: what a user types wrong is one line and exit code 2; JSON holds what the contract says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import topdown.properties.phases as phases_module
import topdown.properties.sampler as sampler_module
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
    monkeypatch.setattr(sampler_module, "LIQUID_EQUILIBRATION", 500)
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


def test_help_names_the_options() -> None:
    from topdown.cli.transfer_command import command

    text = CliRunner().invoke(command, ["--help"]).output
    for option in ("--from", "--to", "--table", "--error", "--budget", "--plot", "--json", "--store"):
        assert option in text
