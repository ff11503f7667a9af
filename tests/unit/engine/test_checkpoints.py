"""A run that was stopped anywhere and continued anywhere equals one that never stopped, byte for byte."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import engine_restart
import numpy as np
import pytest
from engine_systems import W, everything, water

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SimulationError

PROGRAM = Path(engine_restart.__file__)
REPOSITORY = PROGRAM.parents[2]


def state_bytes(simulation: Simulation) -> tuple[bytes, ...]:
    state = simulation.state
    arrays = (state.positions, state.velocities, state.forces, state.box, *state.scratch)
    random = json.dumps(simulation.rng.bit_generator.state).encode()
    return (*(a.tobytes() for a in arrays), random, repr(simulation.time).encode())


def _program(case: str, path: Path, n_steps: int, every: int) -> subprocess.Popen:
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(PROGRAM), case, str(path), str(n_steps), str(every)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("case", list(engine_restart.CASES))
def test_restart_is_bit_identical(case, tmp_path):
    rng = np.random.default_rng(len(case))
    # three threads wait for one another where there are two processors
    n_steps = 120 if case.startswith("three") else 260
    straight = engine_restart.simulation(case)
    straight.run(n_steps)
    expected = state_bytes(straight)
    for stop in sorted({1, *rng.integers(2, n_steps - 1, size=3).tolist()}):
        first = engine_restart.simulation(case)
        first.run(stop)
        first.save_checkpoint(tmp_path / "run.cpt")
        before = state_bytes(first)
        second = engine_restart.simulation(case, seed=99)
        second.load_checkpoint(tmp_path / "run.cpt")
        assert second.step == stop
        assert state_bytes(second) == before
        second.run(n_steps - stop)
        assert state_bytes(second) == expected, f"stopped at step {stop}"


def test_restart_in_a_new_process_is_bit_identical(tmp_path):
    case, path = "v-rescale c-rescale constraints", tmp_path / "run.cpt"
    straight = engine_restart.simulation(case)
    straight.run(37)
    straight.save_checkpoint(path)
    straight.run(163)
    assert _program(case, path, 200, 163).wait(timeout=120) == 0
    other = engine_restart.simulation(case)
    other.load_checkpoint(path)
    assert state_bytes(other) == state_bytes(straight)


def test_a_killed_process_leaves_a_checkpoint_to_continue_from(tmp_path):
    """SIGKILL at whatever moment it falls, in the middle of a step or of writing."""
    case, path = "langevin constraints", tmp_path / "run.cpt"
    running = _program(case, path, 10**7, 20)
    deadline = time.monotonic() + 120
    while not path.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(float(np.random.default_rng().uniform(0.05, 0.4)))
    running.kill()
    running.wait()
    assert path.exists(), running.stderr.read()
    continued = engine_restart.simulation(case)
    continued.load_checkpoint(path)
    assert continued.step % 20 == 0
    n_steps = continued.step + 50
    continued.run(50)
    straight = engine_restart.simulation(case)
    straight.run(n_steps)
    assert state_bytes(straight) == state_bytes(continued)


def test_the_checkpoint_before_is_kept(tmp_path):
    simulation = engine_restart.simulation("nve")
    path = tmp_path / "deep" / "run.cpt"
    simulation.run(3)
    simulation.save_checkpoint(path)
    first = path.read_bytes()
    simulation.run(3)
    simulation.save_checkpoint(path)
    assert path.with_name("run.cpt.previous").read_bytes() == first
    assert path.read_bytes() != first
    assert sorted(p.name for p in path.parent.iterdir()) == ["run.cpt", "run.cpt.previous"]


def test_a_file_system_without_links_keeps_it_too(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    simulation = engine_restart.simulation("nve")
    for _ in range(2):
        simulation.run(2)
        simulation.save_checkpoint(tmp_path / "run.cpt")
    older, newer = engine_restart.simulation("nve"), engine_restart.simulation("nve")
    older.load_checkpoint(tmp_path / "run.cpt.previous")
    newer.load_checkpoint(tmp_path / "run.cpt")
    assert (older.step, newer.step) == (2, 4)


def test_a_crash_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    simulation = engine_restart.simulation("nve")
    path = tmp_path / "run.cpt"
    simulation.save_checkpoint(path)
    before = path.read_bytes()
    simulation.run(2)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        simulation.save_checkpoint(path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_damaged_files_are_reported_with_their_path(tmp_path):
    """Cut anywhere, or any byte changed: an error that names the file, or the very same state; never something else."""
    simulation = engine_restart.simulation("nve")
    simulation.run(5)
    good = tmp_path / "good.cpt"
    simulation.save_checkpoint(good)
    expected, content = state_bytes(simulation), good.read_bytes()
    rng = np.random.default_rng(8)
    reader = engine_restart.simulation("nve", seed=99)
    before = state_bytes(reader)
    assert before != expected
    damaged = [b"", b"no checkpoint", content[:1000] + content[1500:]]
    damaged += [content[:n] for n in rng.integers(1, len(content) - 1, 15)]
    for place in [*rng.integers(0, len(content), 40), *range(0, 60, 2), *range(len(content) - 120, len(content), 2)]:
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        damaged.append(bytes(changed))
    path, n_refused = tmp_path / "bad name [1].cpt", 0
    for data in damaged:
        path.write_bytes(data)
        try:
            reader.load_checkpoint(path)
        except SimulationError as error:  # any other kind of error fails the test
            n_refused += 1
            assert str(path) in str(error)  # noqa: PT017
            assert state_bytes(reader) == before, "what was refused has left something behind"
        else:
            assert state_bytes(reader) == expected
            reader = engine_restart.simulation("nve", seed=99)
    assert n_refused > 60


def _rewritten(content: bytes, **changes: object) -> bytes:
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    header = {**json.loads(arrays["header"].tobytes()), **changes}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_checkpoints_of_another_version_or_system_are_refused(tmp_path):
    settings = SimulationSettings()
    simulation = Simulation(water(), settings)
    path = tmp_path / "run.cpt"
    simulation.save_checkpoint(path)
    simulation.load_checkpoint(path)
    heavier = replace(W, beads=(replace(W.beads[0], mass=71.0),))
    system = water()
    others = {
        "another system": [
            Simulation(everything(), settings),
            Simulation(water(101), settings),
            Simulation(water(), replace(settings, tau_t=2.0)),
            Simulation(replace(system, components=((heavier, 100),)), settings),
            Simulation(replace(system, table=system.table.with_epsilon({("A", "A"): 4.64})), settings),
        ]
    }
    for other in others["another system"]:
        with pytest.raises(SimulationError, match=r"run\.cpt.*another system or other settings"):
            other.load_checkpoint(path)
    path.write_bytes(_rewritten(path.read_bytes(), engine="0123456789abcdef"))
    with pytest.raises(SimulationError, match=r"run\.cpt.*another engine version"):
        simulation.load_checkpoint(path)
    with pytest.raises(SimulationError, match=r"none\.cpt.*no such checkpoint"):
        simulation.load_checkpoint(tmp_path / "none.cpt")
    with pytest.raises(SimulationError, match="damaged"):
        simulation.load_checkpoint(tmp_path)
