"""Independent tasks on several processors.

Any ``concurrent.futures.Executor`` will do. The default is a pool of spawned processes with one thread each; a worker that
dies takes only its own task with it, which is tried again in a new pool. A process takes a second or two to load the engine, so
short tasks are done by threads of this process instead: the engine's kernels run side by side there.
"""

from __future__ import annotations

import importlib
import math
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar, cast

from topdown.errors import SettingsError, SimulationError

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TRIES = 3
#: Tasks that all together cost less than this, in beads times steps, are done by threads: about a minute of one processor.
SHORT = 4e8
#: Most threads that share one interpreter without waiting for it: between two of their calls a kernel runs for milliseconds.
MOST_THREADS = 8


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
    cost: float = math.inf,
) -> Iterator[tuple[int, Result]]:
    """Yield (index of the task, its result) as tasks finish.

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
    workers = min(workers, len(tasks))
    if cost < SHORT and workers <= MOST_THREADS:
        yield from _threads(function, tasks, workers)
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
        return ThreadPoolExecutor(workers or default_workers(), thread_name_prefix="topdown")
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
) -> Iterator[tuple[int, Result]]:
    futures = {pool.submit(function, tasks[index]): index for index in indices}
    for future in as_completed(futures):
        yield futures[future], future.result()
