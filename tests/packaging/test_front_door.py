"""Importing topdown or asking for help loads none of the heavy packages; every listed command works at least that far."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from topdown.cli.commands import SUBCOMMANDS
from topdown.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "scipy", "pandas", "rdkit", "numba", "rich")
#: Of the standard library, what costs milliseconds and no help needs.
SPARED = ("dataclasses", "difflib", "json", "tempfile")


def loaded_after(code: str) -> set[str]:
    """Which of the heavy modules ``code`` loads that the start of Python had not loaded."""
    names = HEAVY + SPARED
    program = (
        f"import sys\nbefore = set(sys.modules)\n{code}\n"
        f"print('loaded:', *set({names!r}) & (sys.modules.keys() - before))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_import_is_light() -> None:
    assert loaded_after("import topdown") == set()


def test_help_is_light() -> None:
    """Of every command."""
    helps = [
        [],
        *([name] for name in COMMANDS),
        *([name, beside] for name in SUBCOMMANDS for beside in SUBCOMMANDS[name]),
    ]
    code = (
        "from topdown.cli.main import main\n"
        f"for words in {helps!r}:\n    try:\n        main([*words, '--help'])\n    except SystemExit:\n        pass"
    )
    assert loaded_after(code) == set()


def test_front_door_opens() -> None:
    import topdown

    assert len(topdown.__all__) <= 13
    for name in topdown.__all__:
        assert getattr(topdown, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = topdown.nonsense


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"topdown {name}" in capsys.readouterr().out


def all_commands() -> list[tuple[str, click.Command]]:
    """Every command with its full name, those of groups too."""
    modules = {name: module for name, (module, _) in COMMANDS.items()}
    modules |= {
        f"{name} {beside}": module for name, found in SUBCOMMANDS.items() for beside, (module, _) in found.items()
    }
    commands = {name: import_module(module).command for name, module in modules.items()}
    for name, group in list(commands.items()):
        commands |= {f"{name} {beside}": command for beside, command in getattr(group, "commands", {}).items()}
    return sorted(commands.items())


@pytest.mark.parametrize(("name", "command"), all_commands())
def test_every_option_says_what_it_is(name: str, command: click.Command) -> None:
    """In words of one kind: a sentence, and the default in brackets at its end."""
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts}"
            assert "default" not in option.help.split("[default: ")[0].lower(), f"{name} {option.opts}"


@pytest.mark.parametrize(("name", "command"), all_commands())
def test_every_option_says_what_it_takes(name: str, command: click.Command) -> None:
    """A unit, a kind of file, a form: not the name of a type of Python's."""
    context = click.Context(command)
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag:
            taken = option.make_metavar(context)
            assert not set(taken.split()) & {"TEXT", "FLOAT", "INTEGER", "PATH", "FILENAME", "DIRECTORY"}, (
                f"{name} {option.opts} {taken}"
            )


def test_every_command_prints_json() -> None:
    groups = ("calibrate", "table", "window")
    for name, command in all_commands():
        if name not in groups:
            assert any("--json" in option.opts for option in command.params), name


def test_a_typo_is_answered_with_the_nearest_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["transfr", "CCO"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "did you mean 'transfer'" in error
    assert error.count("\n") == 1


def test_version_is_the_same_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    import topdown

    project = (ROOT / "pyproject.toml").read_text()
    declared = re.search(r'^version = "([^"]+)"', project, re.MULTILINE)
    assert declared is not None
    assert declared.group(1) == topdown.__version__
    with pytest.raises(SystemExit):
        main(["--version"])
    assert topdown.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", [*COMMANDS, *(f"{name} {beside}" for name in SUBCOMMANDS for beside in SUBCOMMANDS[name])]
)
def test_examples_in_the_help_can_be_typed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = name.split()
    module = COMMANDS[name][0] if len(words) == 1 else SUBCOMMANDS[words[0]][words[1]][0]
    command = import_module(module).command
    shown = re.search(r"Examples:\n((?: +topdown .*\n?)+)", command.help or "")
    if name in ("calibrate", "window", "table"):
        assert shown is None  # groups, whose commands say for themselves what they take
        return
    assert shown is not None
    for line in shown[1].splitlines():
        program, *given = shlex.split(line)
        assert [program, *given[: len(words)]] == ["topdown", *words]
        command.make_context(name, given[len(words) :])  # refuses options that do not exist
