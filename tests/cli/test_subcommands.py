"""Commands beside a command: ``topdown membrane WORD``, where the command itself takes SMILES in that place."""

from __future__ import annotations

from pathlib import Path

import pytest

from topdown.cli.commands import SUBCOMMANDS


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """``topdown membrane energy``: a command that exists, in a place where there is none."""
    monkeypatch.setitem(SUBCOMMANDS, "membrane", {"energy": ("topdown.cli.energy_command", "Energies of a membrane.")})


@pytest.mark.usefixtures("beside")
def test_the_word_after_a_command_finds_the_one_beside_it(topdown) -> None:
    code, out, _ = topdown("membrane", "energy", "--help")
    assert code == 0
    assert out.startswith("Usage: topdown membrane energy [OPTIONS]")
    assert "--forces" in out
    code, _, err = topdown("membrane", "energy", "none.top", "none.gro")
    assert code == 2
    assert "none.top" in err


@pytest.mark.usefixtures("beside")
def test_help_lists_what_is_beside_and_a_typo_is_told(topdown) -> None:
    code, out, _ = topdown("membrane", "--help")
    assert code == 0
    assert "membrane energy  Energies of a membrane." in out
    code, _, err = topdown("membrane", "energie", "--lipids", "POPC")
    assert code == 2
    assert 'did you mean "membrane energy"?' in err


@pytest.mark.usefixtures("beside")
def test_smiles_are_still_smiles(topdown, tmp_path: Path) -> None:
    code, _, err = topdown("membrane", "C1CC", "--lipids", "POPC", "-o", str(tmp_path / "out"))
    assert code == 2
    assert "E_SYNTAX" in err
