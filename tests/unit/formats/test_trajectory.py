"""Trajectories: what is written comes back, files are continued byte by byte, and GROMACS reads the same numbers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from topdown.errors import InputFileError, SettingsError
from topdown.formats.trajectory import TrajectoryWriter, read_trajectory
from topdown.formats.trajectory_frames import scan_frames
from topdown.model import Bead, CGMolecule, System
from topdown.tables import load_bead_table, load_molecule

KINDS = ("xtc", "trr", "dcd")
#: Largest rounding of a position [nm]: XTC keeps thousandths, TRR and DCD single precision.
ROUNDING = {"xtc": 0.00051, "trr": 5e-7, "dcd": 5e-7}


def _system(n_molecules: int = 20) -> System:
    model = load_molecule("martini3", "OCO")
    table = load_bead_table("martini3").subset(model.type_names)
    rng = np.random.default_rng(1)
    centres = rng.random((n_molecules, 1, 3)) * [3.0, 3.1, 3.2]
    positions = (centres + 0.3 * np.arange(model.n_beads)[None, :, None]).reshape(-1, 3)
    return System(table=table, components=((model, n_molecules),), positions=positions, box=[3.0, 3.1, 3.2])


def _frame(system: System, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions that wander out of the box, a growing box, velocities."""
    rng = np.random.default_rng(k)
    return system.positions + 0.8 * k, system.box + 0.01 * k, rng.standard_normal((system.n_beads, 3))


def _write(path: Path, system: System, frames: range, **options) -> None:
    with TrajectoryWriter(path, system, every=500, time_step=0.02, **options) as file:
        for k in frames:
            positions, box, velocities = _frame(system, k)
            file.write(positions, box, step=500 * k, time=10.0 * k, velocities=velocities)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_back(tmp_path: Path, kind: str) -> None:
    system, path = _system(), tmp_path / f"a.{kind}"
    _write(path, system, range(3), wrap="none")
    frames = list(read_trajectory(path, n_beads=system.n_beads))
    assert len(frames) == 3
    for k, frame in enumerate(frames):
        positions, box, velocities = _frame(system, k)
        np.testing.assert_allclose(frame.positions, positions, atol=ROUNDING[kind])
        np.testing.assert_allclose(frame.box, box, rtol=2e-7)
        assert frame.step == 500 * k
        assert frame.time == pytest.approx(10.0 * k, rel=1e-6)
        if kind == "trr":
            np.testing.assert_allclose(frame.velocities, velocities, rtol=1e-6)
        else:
            assert frame.velocities is None


def test_molecules_stay_whole_or_every_bead_is_wrapped(tmp_path: Path) -> None:
    system = _system()
    box = _frame(system, 4)[1]
    found = {}
    for wrap in ("molecules", "beads", "none"):
        _write(tmp_path / f"{wrap}.trr", system, range(4, 5), wrap=wrap)
        found[wrap] = next(read_trajectory(tmp_path / f"{wrap}.trr")).positions
    molecules = found["molecules"].reshape(20, -1, 3)
    assert np.all((molecules.mean(axis=1) > -1e-6) & (molecules.mean(axis=1) < box + 1e-6))
    np.testing.assert_allclose(np.diff(molecules, axis=1), 0.3, atol=1e-5)
    assert np.any(molecules > box)
    assert np.all((found["beads"] > -1e-6) & (found["beads"] < box + 1e-6))
    for wrap in ("molecules", "beads"):
        images = (found[wrap] - found["none"]) / box
        np.testing.assert_allclose(images, np.rint(images), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_continued_after_a_cut_the_bytes_are_those_of_one_go(tmp_path: Path, kind: str, kept: int) -> None:
    system = _system()
    whole, parts = tmp_path / f"whole.{kind}", tmp_path / f"parts.{kind}"
    _write(whole, system, range(6))
    _write(parts, system, range(5))
    parts.write_bytes(parts.read_bytes()[:-11])  # as a full disk leaves it
    _write(parts, system, range(kept, 6), keep=kept)
    assert parts.read_bytes() == whole.read_bytes()
    once = tmp_path / f"once.{kind}"
    _write(once, system, range(kept + 1))
    _write(parts, system, range(kept, kept + 1), keep=kept)
    assert parts.read_bytes() == once.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_cut_short_is_left_out(tmp_path: Path, kind: str) -> None:
    system, path = _system(), tmp_path / f"a.{kind}"
    _write(path, system, range(4))
    data = path.read_bytes()
    ends = scan_frames(path).ends
    assert ends[-1] == len(data)
    for cut in (ends[-1] - 1, ends[2] + 60, ends[2] + 3, ends[2]):
        path.write_bytes(data[:cut])
        assert [frame.step for frame in read_trajectory(path)] == [0, 500, 1000]
    path.write_bytes(data[: ends[0] - 1])
    assert list(read_trajectory(path)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_write_leaves_the_frames_before(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system, path = _system(), tmp_path / f"a.{kind}"
    real = os.pwrite

    def full(handle: int, data: bytes, offset: int) -> int:
        if offset >= len(before):
            real(handle, bytes(data)[:40], offset)
            raise OSError(28, "No space left on device")
        return real(handle, data, offset)

    _write(path, system, range(2))
    before = path.read_bytes()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(InputFileError, match="No space left"):
        _write(path, system, range(2, 3), keep=2)
    assert path.read_bytes() == before


@pytest.mark.parametrize("n", [1, 9, 10, 11])
@pytest.mark.parametrize("kind", KINDS)
def test_small_systems(tmp_path: Path, kind: str, n: int) -> None:
    """XTC does not pack nine beads or fewer."""
    table = load_bead_table("martini3").subset(["W"])
    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    positions = np.random.default_rng(2).random((n, 3)) * 3
    system = System(table=table, components=((water, n),), positions=positions, box=[3.0] * 3)
    path = tmp_path / f"a.{kind}"
    _write(path, system, range(3))
    assert scan_frames(path).n_frames == 3
    assert len(list(read_trajectory(path))) == 3


def test_a_slice_of_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.xtc"
    _write(path, _system(), range(7))
    assert [frame.step for frame in read_trajectory(path, start=1, stop=6, stride=2)] == [500, 1500, 2500]
    with pytest.raises(SettingsError, match="no frames"):
        list(read_trajectory(path, start=-1))


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    system = _system()
    with pytest.raises(SettingsError, match=r"\.xtc, \.trr, \.dcd"):
        TrajectoryWriter(tmp_path / "a.txt", system)
    with pytest.raises(SettingsError, match="wrap"):
        TrajectoryWriter(tmp_path / "a.xtc", system, wrap="whole")
    with pytest.raises(InputFileError, match="cannot write"):
        TrajectoryWriter(tmp_path / "no" / "a.xtc", system)
    with pytest.raises(InputFileError, match="no such"):
        list(read_trajectory(tmp_path / "none.xtc"))
    _write(tmp_path / "a.xtc", system, range(2))
    with pytest.raises(InputFileError, match="holds 2 whole frames; 3 are needed"):
        TrajectoryWriter(tmp_path / "a.xtc", system, keep=3)
    with pytest.raises(InputFileError, match="60 beads, the system 61"):
        list(read_trajectory(tmp_path / "a.xtc", n_beads=61))
    for kind in KINDS:
        (tmp_path / f"bad.{kind}").write_bytes(b"this is a text and not a trajectory " * 20)
        with pytest.raises(InputFileError, match="damaged or of another kind"):
            list(read_trajectory(tmp_path / f"bad.{kind}"))


@pytest.mark.skipif(shutil.which("gmx") is None, reason="gmx is not installed")
@pytest.mark.parametrize("kind", ["xtc", "trr"])
def test_gromacs_reads_the_same(tmp_path: Path, kind: str) -> None:
    system, path = _system(), tmp_path / f"a.{kind}"
    _write(path, system, range(3), wrap="none")
    dump = subprocess.run(["gmx", "dump", "-f", path], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"step= *(\d+) +time=(\S+)", dump) == [
        ("0", "0.0000000e+00"), ("500", "1.0000000e+01"), ("1000", "2.0000000e+01")
    ]  # fmt: skip
    number = r"\{ *(\S+), +(\S+), +(\S+)\}"
    boxes = np.array(re.findall(r"box\[ *\d\]=" + number, dump), dtype=float).reshape(3, 3, 3)
    positions = np.array(re.findall(r" x\[ *\d+\]=" + number, dump), dtype=float).reshape(3, -1, 3)
    velocities = np.array(re.findall(r" v\[ *\d+\]=" + number, dump), dtype=float).reshape(-1, system.n_beads, 3)
    for k in range(3):
        expected, box, speeds = _frame(system, k)
        np.testing.assert_allclose(boxes[k], np.diag(box), rtol=1e-5, atol=0)
        np.testing.assert_allclose(positions[k], expected, atol=6e-4 if kind == "xtc" else 1e-5)
        if kind == "trr":
            np.testing.assert_allclose(velocities[k], speeds, rtol=1e-5, atol=1e-7)
    check = subprocess.run(["gmx", "check", "-f", path], capture_output=True, text=True, check=True).stderr
    assert re.search(r"Coords +3 +10\b", check)
