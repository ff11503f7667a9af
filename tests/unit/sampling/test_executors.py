"""The pool: all results arrive, a dying worker takes only its own task along."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from topdown.errors import SettingsError, SimulationError
from topdown.sampling.executors import MOST_THREADS, SHORT, DeadWorker, attempt_tasks, run_tasks

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


def test_a_task_that_always_kills_its_worker_takes_no_other_along(importable: str) -> None:
    import pool_tasks

    found = dict(attempt_tasks(pool_tasks.die_if_two, [0, 1, 2, 3, 4], workers=2))
    assert found == {0: 0, 1: 1, 2: DeadWorker(3), 3: 3, 4: 4}


def test_errors_of_tasks_come_through(importable: str) -> None:
    import pool_tasks

    with pytest.raises(SimulationError, match="blew up"):
        list(run_tasks(pool_tasks.blow_up, [1, 2], workers=2))


def test_negative_workers() -> None:
    with pytest.raises(SettingsError, match="workers"):
        list(run_tasks(square, [1], workers=-1))


# -- threads -----------------------------------------------------------------------------------------------------------


def test_short_tasks_are_done_by_threads_of_this_process(importable: str) -> None:
    import pool_tasks

    found = dict(run_tasks(pool_tasks.square_and_process, [2, 3, 4], workers=2, cost=SHORT / 2))
    assert found == {k: (v, os.getpid()) for k, v in enumerate((4, 9, 16))}


def test_long_tasks_and_many_workers_get_processes(importable: str) -> None:
    import pool_tasks

    for workers, cost in ((2, SHORT), (MOST_THREADS + 1, 1.0)):
        found = dict(
            run_tasks(pool_tasks.square_and_process, list(range(MOST_THREADS + 1)), workers=workers, cost=cost)
        )
        assert all(process != os.getpid() for _, process in found.values())


def test_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(2)

    def meet(_: int) -> int:
        return together.wait(timeout=30)

    assert sorted(arrived for _, arrived in run_tasks(meet, [0, 1], workers=2, cost=1.0)) == [0, 1]


def test_an_error_in_a_thread_comes_through_and_stops_the_others() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise SimulationError("blew up")
        time.sleep(0.01)
        return number

    with pytest.raises(SimulationError, match="blew up"):
        list(run_tasks(work, list(range(1000)), workers=2, cost=1.0))
    time.sleep(0.1)
    assert len(begun) < 1000


def test_whoever_stops_listening_stops_the_threads() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        return number

    results = run_tasks(work, list(range(1000)), workers=2, cost=1.0)
    next(results)
    results.close()
    time.sleep(0.1)
    assert len(begun) < 1000
