"""topdown transfer: what a user types wrong is one line and exit code 2; JSON holds what the contract says."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import topdown.properties.phases as phases_module
import topdown.properties.sampler as sampler_module
import topdown.properties.transfer as transfer_module
import topdown.workflows.transfer as workflow_module
from topdown.properties.transfer import coupling_request


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["C1CC", "--to", "octanol"], "E_SYNTAX"),
        (["CCO", "--to", "octanoll"], "did you mean octanol"),
        (["CCO", "--to", "water"], "phases must differ"),
        (["CCO", "--table", "martini4"], "martini4"),
        (["CCO", "--temperature", "-3"], "temperature"),
        (["CCO", "--ns", "0"], "sampling"),
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


def test_json_of_a_short_run(topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine on butane from the gas into hexadecane; far too short for a good number, enough for the contract."""
    monkeypatch.setattr(sampler_module, "LIQUID_EQUILIBRATION", 500)
    monkeypatch.setattr(phases_module, "MIN_BEADS", 100)
    monkeypatch.setattr(workflow_module, "coupling_request", partial(coupling_request, lambdas=(0.0, 0.4, 1.0)))
    real = transfer_module.pool_samples

    def lenient(*args: Any, **kwargs: Any) -> Any:
        pooled = real(*args, **kwargs)
        answer = pooled.coupling_free_energy(min_effective=1.0, min_overlap=0.0)
        monkeypatch.setattr(type(pooled), "coupling_free_energy", lambda self, **_: answer)
        return pooled

    monkeypatch.setattr(transfer_module, "pool_samples", lenient)
    arguments = ["transfer", "CCCC", "--from", "gas", "--to", "hexadecane", "--table", "martini2", "--ns", "0.02",
                 "--store", str(tmp_path), "--workers", "1", "--json"]  # fmt: skip
    code, out, err = topdown(*arguments)
    assert code == 0, err
    found = json.loads(out)
    assert (found["from"], found["to"], found["smiles"]) == ("gas", "hexadecane", "CCCC")
    assert found["standard_error"] > 0
    assert found["phases"][0]["phase"] == "hexadecane"
    assert found["log_p"] == pytest.approx(-found["delta_g_kJ_mol"] / 5.708, rel=1e-3)
    assert found["diagnostics"]["n_effective"] > 0
    assert found["model"].startswith("published model BUT")
    again = json.loads(topdown(*arguments)[1])
    assert again["delta_g_kJ_mol"] == found["delta_g_kJ_mol"]


def test_help_names_the_options() -> None:
    from topdown.cli.transfer_command import command

    text = CliRunner().invoke(command, ["--help"]).output
    for option in ("--from", "--to", "--table", "--ns", "--json", "--store"):
        assert option in text
