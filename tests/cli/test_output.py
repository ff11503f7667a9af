"""What programs that read us see: JSON in plain ASCII, pipes that close, terminals that lack characters."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from topdown.cli.main import main

CLI = Path(__file__).resolve().parents[2] / "topdown" / "cli"


def run(*arguments: str, encoding: str = "utf-8", **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "topdown.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(CLI.parents[1]), "PYTHONIOENCODING": encoding}
    return subprocess.run(command, env=environment, check=False, stderr=subprocess.PIPE, **options)


def test_a_terminal_that_lacks_characters_gets_question_marks() -> None:
    done = run("calibrate", "--help", encoding="latin-1", stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Fit the ? of a bead table" in done.stdout


def test_json_can_be_read_whatever_the_encoding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = tmp_path / "names.smi"
    names.write_text("XX Bénzène → β\n", encoding="utf-8")
    for arguments in (["map", names, "--json"], ["table", "show", "martini2", "--json"], ["transfer", names, "--json"]):
        with pytest.raises(SystemExit):
            main([str(argument) for argument in arguments])
        out = capsys.readouterr().out
        assert out.isascii()
        found = json.loads(out)
        assert found["name"] in ("Bénzène → β", "martini2")


def test_all_json_of_the_command_line_goes_one_way() -> None:
    """Through :func:`topdown.cli.printing.echo_json`, which writes no NaN: no command prints the text of ``json.dumps``."""
    for path in sorted(CLI.glob("*.py")):
        if path.name == "printing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.echo":
                assert "json.dumps" not in ast.unparse(node), f"{path.name}:{node.lineno}"


def test_a_number_that_json_does_not_have_is_a_bug_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from topdown.cli.printing import echo_json

    with pytest.raises(ValueError):
        echo_json({"value": float("nan")})
    assert capsys.readouterr().out == ""


def test_a_reader_that_goes_away_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run("table", "show", "martini2", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_streams_that_cannot_be_told_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert "version" in out.getvalue()
