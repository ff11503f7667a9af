"""The pool: all results arrive, a dying worker takes only its own task along."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from topdown.errors import SettingsError, SimulationError
from topdown.sampling.executors import default_workers, run_tasks

HERE = Path(__file__).parent


def square(x: int) -> int:
    return x * x


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Make this folder importable by spawned workers."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    return "pool_tasks"


def test_in_this_process() -> None:
    assert sorted(run_tasks(square, [1, 2, 3], workers=1)) == [(0, 1), (1, 4), (2, 9)]


def test_no_tasks() -> None:
    assert list(run_tasks(square, [], workers=2)) == []


def test_any_executor() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert sorted(run_tasks(square, [1, 2, 3], executor=pool)) == [(0, 1), (1, 4), (2, 9)]


def test_a_pool_of_processes(importable: str) -> None:
    import pool_tasks

    found = dict(run_tasks(pool_tasks.square_and_process, [2, 3, 4], workers=2))
    assert {k: v for k, (v, _) in found.items()} == {0: 4, 1: 9, 2: 16}
    assert all(process != os.getpid() for _, process in found.values())


def test_a_dead_worker_is_replaced(importable: str, tmp_path: Path) -> None:
    import pool_tasks

    tasks = [(n, str(tmp_path / "died")) for n in range(4)]
    assert sorted(run_tasks(pool_tasks.die_once, tasks, workers=2)) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert (tmp_path / "died").exists()


def test_a_task_that_always_kills_its_worker_is_reported(importable: str) -> None:
    import pool_tasks

    with pytest.raises(SimulationError, match="worker process died"):
        list(run_tasks(pool_tasks.die, [1, 2], workers=2))


def test_errors_of_tasks_come_through(importable: str) -> None:
    import pool_tasks

    with pytest.raises(SimulationError, match="blew up"):
        list(run_tasks(pool_tasks.blow_up, [1, 2], workers=2))


def test_negative_workers() -> None:
    with pytest.raises(SettingsError, match="workers"):
        list(run_tasks(square, [1], workers=-1))
    assert default_workers() >= 1
