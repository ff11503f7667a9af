"""Independent tasks on several processors.

Any ``concurrent.futures.Executor`` will do. The default is a pool of spawned processes with one thread each; a worker that
dies takes only its own task with it, which is tried again in a new pool, at last alone, so that a task that kills whoever takes
it on is known and the others go on. A process takes a second or two to load the engine, so short tasks are done by threads of
this process instead: the engine's kernels run side by side there.
"""

from __future__ import annotations

import importlib
import itertools
import math
import multiprocessing
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar, cast

from topdown.errors import SettingsError, SimulationError
from topdown.resources import available_processors

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TRIES = 3
#: Tasks that all together cost less than this, in beads times steps, are done by threads: about a minute of one processor.
SHORT = 4e8
#: Most threads that share one interpreter without waiting for it: between two of their calls a kernel runs for milliseconds.
MOST_THREADS = 8


def _one_thread() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"


@dataclass(frozen=True, slots=True)
class DeadWorker:
    """What comes of a task whose worker died every time it was tried."""

    tries: int

    def error(self) -> SimulationError:
        """The same as an error to be raised."""
        return SimulationError(
            f"a worker process died {self.tries} times", hint="is memory short? finished windows are kept; run again"
        )


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 0,
    executor: Executor | None = None,
    cost: float = math.inf,
) -> Iterator[tuple[int, Result]]:
    """Yield (index of the task, its result) as tasks finish.

    Parameters are those of :func:`attempt_tasks`.

    Raises
    ------
    SimulationError
        A task's worker died ``3`` times over.
    """
    for index, result in attempt_tasks(function, tasks, workers=workers, executor=executor, cost=cost):
        if isinstance(result, DeadWorker):
            raise result.error()
        yield index, result


def attempt_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 0,
    executor: Executor | None = None,
    cost: float = math.inf,
) -> Iterator[tuple[int, Result | DeadWorker]]:
    """Yield (index of the task, its result) as tasks finish, :class:`DeadWorker` for those that kill their workers.

    Parameters
    ----------
    function : callable
        Importable by workers (a module-level function).
    tasks : sequence
        Anything that pickles.
    workers : int
        Tasks at a time; 0 for one per available processor, 1 to run them one after the other.
    executor : Executor, optional
        Use this instead of workers of our own.
    cost : float
        Of all tasks together, in beads times steps of the engine. Below :data:`SHORT` the workers are threads, else processes.

    Raises
    ------
    SettingsError
        A negative number of workers.
    """
    if workers < 0:
        raise SettingsError(f"workers must not be negative, got {workers}")
    if not tasks:
        return
    workers = workers or available_processors()
    if executor is not None:
        yield from _collect(executor, function, tasks, list(range(len(tasks))))
        return
    if workers == 1 or len(tasks) == 1:
        for index, task in enumerate(tasks):
            yield index, function(task)
        return
    workers = min(workers, len(tasks))
    if cost < SHORT and workers <= MOST_THREADS:
        yield from _threads(function, tasks, workers)
        return
    left, deaths = list(range(len(tasks))), Counter[int]()
    while left:
        # whoever was under way twice when a worker died is tried alone, so that nobody pays for another's death
        suspects = [index for index in left if deaths[index] == _TRIES - 1]
        batch = suspects[:1] or left
        under_way: set[int] = set()
        try:
            for index, result in _pool(function, tasks, list(batch), workers, under_way):
                left.remove(index)
                yield index, result
        except BrokenProcessPool:
            deaths.update(under_way)
            for index in [index for index in left if deaths[index] == _TRIES]:
                left.remove(index)
                yield index, DeadWorker(_TRIES)


def named_executor(name: str, workers: int = 0) -> Executor | None:
    """The executor a user names, None for workers of our own.

    Parameters
    ----------
    name : str
        ``""`` or ``"processes"``: workers of our own; ``"threads"``: threads of this process only; ``"dask://HOST:PORT"``: the
        workers of a Dask cluster; ``"mpi"``: ``mpi4py.futures``, in a program started by ``python -m mpi4py.futures``.
        Workers on other machines need the run store in a folder that all of them see.
    workers : int
        Threads at a time; 0 for one per available processor.

    Raises
    ------
    SettingsError
        An unknown name, a package that is not installed, or a cluster that does not answer.
    """
    if name in ("", "processes"):
        return None
    if name == "threads":
        return ThreadPoolExecutor(workers or available_processors(), thread_name_prefix="topdown")
    if name == "mpi":
        try:
            futures = importlib.import_module("mpi4py.futures")
        except ImportError:
            raise SettingsError("the executor mpi needs mpi4py", hint="pip install mpi4py") from None
        return cast(Executor, futures.MPIPoolExecutor())
    if name.startswith("dask://"):
        return _dask_executor(name.removeprefix("dask://"))
    raise SettingsError(f"no executor {name!r}", hint="processes, threads, dask://HOST:PORT or mpi")


def _dask_executor(address: str) -> Executor:
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise SettingsError(
            "an executor dask://… needs Dask", hint="pip install 'topdown[dask]', here and for its workers"
        ) from None
    try:
        client = distributed.Client(f"tcp://{address}", timeout=10)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsError(f"no Dask scheduler answers: {first}", where=f"dask://{address}") from None
    # a task whose worker died is run again by another; pure=False: equal tasks are not run once for several askers
    return cast(Executor, client.get_executor(retries=_TRIES, pure=False))


def _pool(
    function: Callable[[Task], Result], tasks: Sequence[Task], left: list[int], workers: int, under_way: set[int]
) -> Iterator[tuple[int, Result]]:
    """Results of a pool of our own; ``under_way`` holds what its workers are at, and no more than one task for each."""
    workers = min(workers, len(left))
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread)
    futures: dict[Future[Result], int] = {}
    waiting = iter(left)
    try:
        while True:
            for index in itertools.islice(waiting, workers - len(futures)):
                futures[pool.submit(function, tasks[index])] = index
                under_way.add(index)
            if not futures:
                break
            finished, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=lambda f: futures[f]):
                result, index = future.result(), futures.pop(future)
                under_way.discard(index)
                yield index, result
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        raise
    pool.shutdown()


def _threads(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[tuple[int, Result]]:
    """Threads that neither outlive an error, beyond the tasks they are at, nor keep the program from ending."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Result | None, BaseException | None]] = queue.SimpleQueue()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                index = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((index, function(tasks[index]), None))
            except BaseException as error:
                done.put((index, None, error))

    for index in range(len(tasks)):
        todo.put(index)
    for number in range(workers):
        threading.Thread(target=work, daemon=True, name=f"topdown-{number}").start()
    try:
        for _ in tasks:
            index, result, error = done.get()
            if error is not None:
                raise error
            yield index, cast(Result, result)
    finally:
        stopped.set()


def _collect(
    pool: Executor, function: Callable[[Task], Result], tasks: Sequence[Task], indices: list[int]
) -> Iterator[tuple[int, Result | DeadWorker]]:
    futures = {pool.submit(function, tasks[index]): index for index in indices}
    for future in as_completed(futures):
        try:
            yield futures[future], future.result()
        except Exception as error:
            # Dask gives up a task whose worker died again and again; its class is known only where Dask is installed
            if type(error).__name__ != "KilledWorker":
                raise
            yield futures[future], DeadWorker(_TRIES + 1)
