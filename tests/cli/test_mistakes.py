"""What users get wrong, command by command: one line that says what and where, exit code 2, and nothing computed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from topdown.resources import bead_tables_folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a file where folders are wanted and some files of the wrong kind."""
    monkeypatch.chdir(tmp_path)
    for name in ("file", "list.txt", "model.itp"):
        Path(name).write_text("CCO\n")
    for name, text in (("no.json", "CCO"), ("number.json", "3"), ("empty.json", "{}")):
        Path(name).write_text(text)
    Path("latin.smi").write_bytes("CCO éthanol\n".encode("latin-1"))
    return tmp_path


def refused(topdown, *arguments: object) -> str:
    """What is said, which must be one line."""
    code, out, err = topdown(*arguments)
    assert (code, out) == (2, ""), err
    assert err.count("\n") == 1, err
    return err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["map", "CCO", "--time-limit", "nan"], "'--time-limit': nan is not a number"),
        (["map", "CCO", "--time-limit", "inf"], "not in the range"),
        (
            ["map", "list.txt"],
            "list.txt: a .txt file is no list of molecules (lists end in .smi, .csv, .smi.gz, .csv.gz)",
        ),
        (["map", "CCO", "-o", ""], "'-o' / '--output': an empty text names no folder"),
        (["map", "CCO", "--fit-temperature", "310"], "--fit-temperature go with --fit-bonded"),
        (["map", "nowhere.sdf"], "nowhere.sdf: neither a SMILES nor a list of molecules (lists end in .smi"),
        (["map", "latin.smi"], "latin.smi: not UTF-8 text (byte 0xe9) (save it as UTF-8)"),
        (
            ["map", "CCO", "--table", "martini4"],
            "no bead table called 'martini4' (did you mean martini3? A folder will do",
        ),
        (["transfer", "model.itp"], "model.itp: a .itp file is no list of molecules"),
        (["transfer", "CCO", "--to", ""], "--to names no phase in ''"),
        (["transfer", "CCO", "--to", "octanol,"], "--to names no phase in 'octanol,'"),
        (["transfer", "CCO", "--from", " "], "--from names no phase"),
        (["transfer", "CCO", "--instant", "--plot", "figures"], "--instant simulates nothing"),
        (["transfer", "CCO", "--error", "-1"], "--error: -1 kJ/mol cannot be aimed at (0.02 to 100)"),
        (["transfer", "CCO", "--simulate", "--instant"], "--instant and --simulate exclude each other"),
        (
            ["density", "ethanol:1e-9,water:1"],
            "with 1 ETO would hold 250,000,001 beads, more than the 1,000,000 allowed",
        ),
        (["run", "a.top", "a.gro", "--threads", "100000"], "100000 is not in the range 1<=x<=256"),
        (["melting", "octanol"], "error: octanol: a melting point is that of a pure liquid"),
        (["density", "[Na+]"], "error: [Na+]: NA carries a net charge"),
        (["transfer", "O"], "E_SETTING O: a W bead stands for four waters"),
        (["density", "nowhere.itp"], "a name such as octanol, a SMILES, a model of the bead table"),
        (["density", ""], "error: E_EMPTY"),
        (
            ["membrane", "--lipids", "POPC", "--continue", "-o", "nowhere"],
            "nowhere: there is no membrane run to continue (start",
        ),
        (["map-trajectory", "no.json", "a.gro"], "no.json: not JSON (a model as topdown map -o DIR writes it)"),
        (["map-trajectory", "number.json", "a.gro"], "number.json: not a model as topdown map writes it (map"),
        (
            ["map-trajectory", "empty.json", "a.gro"],
            "empty.json: not a model as topdown map writes it: it lacks 'beads' (map",
        ),
        (["window", "run", "no.json"], "no.json: no JSON (topdown calibrate plan CAMPAIGN.toml --specs FOLDER"),
        (
            ["membrane", "--lipids", "POPC", "--temperature", "37"],
            "a temperature of 37 K is out of range (200 to 500 K)",
        ),
        (
            ["membrane", "--lipids", "POPC", "--relax", "5"],
            "--relax '5' is not a length of time (for instance steady, 5ns or 0)",
        ),
        (["help"], "no command 'help'; there are map,"),
        (["calibrate", "paln", "campaign.toml"], 'no command "calibrate paln"; did you mean "calibrate plan"?'),
    ],
)
def test_mistakes_are_one_line(topdown, arguments: list[str], message: str) -> None:
    assert message in refused(topdown, *arguments)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["map", "CCO"], "-o"),
        (["map-trajectory", "model.json", "a.xtc"], "-o"),
        (["transfer", "CCO"], "--store"),
        (["transfer", "CCO", "--simulate"], "--plot"),
        (["density", "octane"], "--store"),
        (["surface-tension", "octane"], "--store"),
        (["calibrate", "campaign.toml"], "-o"),
        (["calibrate", "campaign.toml"], "--store"),
        (["window", "run", "spec.json"], "--store"),
        (["membrane", "--lipids", "POPC"], "-o"),
        (["membrane", "analyse", "a.top", "a.xtc"], "-o"),
        (["membrane", "profile", "CCO", "--lipids", "POPC"], "-o"),
        (["membrane", "profile", "CCO", "--lipids", "POPC"], "--store"),
        (["run", "a.top", "a.gro"], "-o"),
        (["export", "POPC", "--to", "pdb"], "-o"),
    ],
)
def test_folders_that_cannot_be_are_found_before_anything_is_computed(
    topdown, arguments: list[str], option: str
) -> None:
    """Not when the first result is to be written: these commands may take hours."""
    assert "cannot write there" in refused(topdown, *arguments, option, Path("file") / "below")
    assert "file" in refused(topdown, *arguments, option, "file")


def test_a_campaign_of_classes_runs_here(topdown) -> None:
    """Its runs are not handed to an executor, so that one asked for would be ignored."""
    campaign = bead_tables_folder() / "topdown1" / "campaign.toml"
    assert "--executor is not for it" in refused(topdown, "calibrate", campaign, "--executor", "threads")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(topdown, here: Path) -> None:
    here.chmod(0o500)
    assert "no permission" in refused(topdown, "density", "octane", "--store", "runs")


def test_a_group_alone_shows_its_help(topdown) -> None:
    for arguments in ([], ["table"], ["calibrate"], ["window"]):
        code, out, err = topdown(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith(" ".join(["Usage: topdown", *arguments]))
        assert "error" not in err.split("Options:")[0]


def test_a_run_that_did_not_begin_is_not_in_the_way(topdown, here: Path) -> None:
    """A wrong name of a file, put right and repeated."""
    assert "wrong.top" in refused(topdown, "run", "wrong.top", "a.gro", "--steps", "1", "-o", "out")
    assert "right.top" in refused(topdown, "run", "right.top", "a.gro", "--steps", "1", "-o", "out")
    (here / "out" / "run.json").write_text("{}")
    assert "already holds run.json" in refused(topdown, "run", "right.top", "a.gro", "--steps", "1", "-o", "out")


@pytest.mark.usefixtures("here")
def test_what_the_disk_says_is_one_line_and_bugs_keep_their_traceback(topdown, monkeypatch: pytest.MonkeyPatch) -> None:
    import topdown.workflows.energy as workflow

    def fails_with(error: OSError):
        def fail(*arguments, **options):
            raise error

        monkeypatch.setattr(workflow, "single_point", fail)

    fails_with(OSError(errno.ENOSPC, "No space left on device", "some/file"))
    assert refused(topdown, "energy", "a.top", "a.gro") == "error: some/file: No space left on device\n"
    fails_with(OSError(errno.EIO, "Input/output error"))
    assert refused(topdown, "energy", "a.top", "a.gro") == "error: Input/output error\n"
    fails_with(FileNotFoundError(errno.ENOENT, "No such file or directory", "ours"))
    with pytest.raises(FileNotFoundError):
        topdown("energy", "a.top", "a.gro")
