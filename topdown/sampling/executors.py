"""Independent tasks on several processors.

Any ``concurrent.futures.Executor`` will do. The default is a pool of spawned processes with one thread each; a worker that
dies takes only its own task with it, which is tried again in a new pool.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from topdown.errors import SettingsError, SimulationError

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TRIES = 3


def default_workers() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _one_thread() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 0,
    executor: Executor | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield (index of the task, its result) as tasks finish.

    Parameters
    ----------
    function : callable
        Importable by workers (a module-level function).
    tasks : sequence
        Anything that pickles.
    workers : int
        Processes; 0 for one per available processor, 1 to run in this process.
    executor : Executor, optional
        Use this instead of a pool of our own.

    Raises
    ------
    SimulationError
        When a worker died ``3`` times over.
    """
    if workers < 0:
        raise SettingsError(f"workers must not be negative, got {workers}")
    if not tasks:
        return
    workers = workers or default_workers()
    if executor is not None:
        yield from _collect(executor, function, tasks, list(range(len(tasks))))
        return
    if workers == 1 or len(tasks) == 1:
        for index, task in enumerate(tasks):
            yield index, function(task)
        return
    left = list(range(len(tasks)))
    for _ in range(_TRIES):
        try:
            for index, result in _pool(function, tasks, left, workers):
                left.remove(index)
                yield index, result
            return
        except BrokenProcessPool:
            continue
    raise SimulationError(
        f"a worker process died {_TRIES} times", hint="is memory short? finished windows are kept; run again"
    )


def _pool(
    function: Callable[[Task], Result], tasks: Sequence[Task], left: list[int], workers: int
) -> Iterator[tuple[int, Result]]:
    pool = ProcessPoolExecutor(
        min(workers, len(left)), mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
    )
    try:
        yield from _collect(pool, function, tasks, list(left))
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        raise
    pool.shutdown()


def _collect(
    pool: Executor, function: Callable[[Task], Result], tasks: Sequence[Task], indices: list[int]
) -> Iterator[tuple[int, Result]]:
    futures = {pool.submit(function, tasks[index]): index for index in indices}
    for future in as_completed(futures):
        yield futures[future], future.result()
