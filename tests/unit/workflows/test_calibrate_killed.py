"""A campaign that is killed, robbed of its files or run twice: nothing is lost, and the end is the same to the byte."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from killed_campaigns import StoredSampler, contents, kill_until_done
from synthetic_calibration import problem

from topdown.calibration.journal import is_locked, locked
from topdown.calibration.problem import CalibrationProblem
from topdown.errors import InputFileError, SimulationError
from topdown.tables import load_bead_table
from topdown.workflows import calibrate as workflow
from topdown.workflows.calibration_status import calibration_status, status_text

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
TRUTH = {("A", "W"): 4.0, ("B", "W"): 1.6, ("C", "C"): 6.5}


def small() -> CalibrationProblem:
    """A campaign of two rounds."""
    return problem(TRUTH, width=20.0, n_steps=10_000, max_rounds=2, ess_threshold=15.0)


@pytest.fixture(autouse=True)
def synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands for whatever the file says."""
    monkeypatch.setattr(workflow, "read_problem", lambda _: small())


def go(folder: Path, store: Path) -> StoredSampler:
    sampler = StoredSampler(store)
    resume = (folder / "journal.jsonl").exists()
    workflow.calibrate("campaign.toml", folder, sampler=sampler, resume=resume)
    return sampler


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder and store of an undisturbed campaign."""
    folder = tmp_path_factory.mktemp("straight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "read_problem", lambda _: small())
        go(folder / "out", folder / "store")
    return folder


@pytest.fixture(scope="module")
def straight(whole: Path) -> dict[str, bytes]:
    """What it left."""
    return contents(whole / "out")


def killed(folder: Path, straight: dict[str, bytes], seed: int, longest: int, most: int) -> int:
    kills = kill_until_done(
        lambda: go(folder / "out", folder / "store"), np.random.default_rng(seed), longest, most=most
    )
    assert contents(folder / "out") == straight
    assert not is_locked(folder / "out"), "a lock dies with its process"
    return kills


def test_killed_a_few_times_it_ends_the_same(tmp_path: Path, straight: dict[str, bytes]) -> None:
    assert {"journal.jsonl", "report.json", "report.html", "report.txt", "synthetic/pairs.csv"} <= straight.keys()
    assert killed(tmp_path, straight, seed=4, longest=50, most=3) >= 2


@pytest.mark.validate
def test_killed_a_hundred_times_it_ends_the_same(tmp_path: Path, straight: dict[str, bytes]) -> None:
    kills, campaign = 0, 0
    while kills < 100:
        campaign += 1
        kills += killed(tmp_path / str(campaign), straight, seed=campaign, longest=50, most=60)
    print(f"{kills} kills in {campaign} campaigns")


def test_what_a_killed_process_was_writing_is_swept_up(tmp_path: Path, whole: Path, straight: dict[str, bytes]) -> None:
    """Killed while reports, pictures or a table that was there already were written again."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    for torn in ("out/.report.txt.x.tmp", "out/report/.matrix.png.x.tmp", "out/synthetic/.pairs.csv.x.tmp"):
        (tmp_path / torn).write_bytes(b"half a f")
    (tmp_path / "out" / ".synthetic.x.tmp" / "sub").mkdir(parents=True)
    (tmp_path / "out" / ".synthetic.x.tmp" / ".pairs.csv.x.tmp").write_bytes(b"half")
    go(tmp_path / "out", tmp_path / "store")
    assert contents(tmp_path / "out") == straight


def test_two_campaigns_share_a_store_and_a_damaged_result_is_made_again(
    tmp_path: Path, whole: Path, straight: dict[str, bytes]
) -> None:
    shutil.copytree(whole / "store", tmp_path / "store")
    runs = sorted((tmp_path / "store").rglob("*.npz"))
    data = runs[3].read_bytes()
    runs[3].write_bytes(data[: len(data) // 2])
    runs[5].write_bytes(b"")
    runs[7].unlink()
    second = go(tmp_path / "out", tmp_path / "store")
    assert second.drawn == 3, "what another campaign stored is found, but for what is damaged"
    assert contents(tmp_path / "out") == straight


def test_a_full_disk_is_one_line_and_nothing_is_lost(
    tmp_path: Path, straight: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.fsync, [9]

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SimulationError, match="No space left on device") as caught:
        go(tmp_path / "out", tmp_path / "store")
    assert "kept" in str(caught.value)
    left[0] = -1
    with pytest.raises(SimulationError, match="No space left on device"):
        go(tmp_path / "out", tmp_path / "store")
    monkeypatch.setattr(os, "fsync", real)
    assert len(list((tmp_path / "store").rglob("*.npz"))) == 7, "two touches were the journal's"
    lines = (tmp_path / "out" / "journal.jsonl").read_bytes().splitlines()
    assert lines == straight["journal.jsonl"].splitlines()[:2]


def test_one_folder_holds_one_running_campaign(tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        assert is_locked(tmp_path / "out")
        with pytest.raises(InputFileError, match="another process is running a campaign"):
            go(tmp_path / "out", tmp_path / "store")
    assert not is_locked(tmp_path / "out")
    assert not list(tmp_path.rglob("*.npz"))


def test_status_before_and_after_the_end(tmp_path: Path, straight: dict[str, bytes]) -> None:
    with pytest.raises(InputFileError, match="no campaign here"):
        calibration_status(tmp_path)
    (tmp_path / "out").mkdir()
    lines = straight["journal.jsonl"].splitlines(keepends=True)
    (tmp_path / "out" / "journal.jsonl").write_bytes(b"".join(lines[:4]) + b'{"event": "ro')
    found = calibration_status(tmp_path / "out")
    assert (found["rounds"], found["finished"], found["running"], found["name"]) == (1, False, False, "synthetic")
    assert found["sampling"]["round"] == 1
    text = status_text(found)
    assert "stopped" in text
    assert "of molecules left out" in text
    (tmp_path / "out" / "journal.jsonl").write_bytes(straight["journal.jsonl"])
    done = calibration_status(tmp_path / "out")
    assert done["finished"]
    assert done["sampling"] is None
    assert "finished" in status_text(done)


def test_the_table_of_a_resumed_campaign_is_the_table(tmp_path: Path, straight: dict[str, bytes]) -> None:
    for name, data in straight.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    table = load_bead_table(tmp_path / "synthetic")
    assert table.provenance.parent == "start"
