"""The processes that map long lists: one molecule at a time, each within a limit of processor time.

A worker that exceeds the limit in Python gets an exception and goes on with the next molecule. One that is stuck inside compiled
code cannot be interrupted: a second timer, whose signal kills the process, ends it at twice the limit, and the parent starts
another. Where there are no such timers (Windows) the parent kills workers by the clock, at ten times the limit.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topdown.errors import MoleculeError, SettingsError, TopdownError
from topdown.workflows.map_lists import MoleculeRequest

if TYPE_CHECKING:
    from topdown.workflows.map_molecules import Mapper, MapSettings

#: Molecules handed to a worker at a time, and chunks computed ahead of the first unfinished one, per worker.
CHUNK = 32
AHEAD = 32
_CLOCK_FACTOR = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How a list is mapped and what is kept of it.

    Attributes
    ----------
    mapping : dict
        Keywords of :class:`topdown.workflows.map_molecules.MapSettings`, without ``limits``.
    max_atoms, max_length : int
        Largest input.
    alternatives : int
        Next-best types listed per bead.
    endings : tuple of str
        Files written for each molecule.
    time_limit : float
        Processor time for one molecule [s].
    """

    mapping: dict[str, Any] = field(default_factory=dict)
    max_atoms: int = 1000
    max_length: int = 4096
    alternatives: int = 3
    endings: tuple[str, ...] = ()
    time_limit: float = 30.0

    def map_settings(self) -> MapSettings:
        """The settings of the mapper."""
        from topdown.mapping.smiles import SmilesLimits
        from topdown.workflows.map_molecules import MapSettings

        return MapSettings(limits=SmilesLimits(length=self.max_length, atoms=self.max_atoms), **self.mapping)

    def identity(self) -> dict[str, Any]:
        """What two runs must share for one to go on with the results of the other."""
        return dict(json.loads(json.dumps(asdict(self))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One molecule of a list: its place from 0, and the names of its files and inside them."""

    number: int
    request: MoleculeRequest
    slug: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a job: its JSON line, the code of a refusal, and the files written."""

    number: int
    text: str
    code: str = ""
    files: tuple[str, ...] = ()


#: Processor time between two alarms of a limit that has passed [s]: much longer than it takes to leave what was interrupted.
_ALARM_EVERY = 0.25


@contextlib.contextmanager
def time_limit(seconds: float, *, deadly: bool = False) -> Iterator[None]:
    """Refuse what takes more processor time than ``seconds`` with E_LIMIT.

    Only the main thread of a process can be interrupted, and only where the system has timers of processor time; elsewhere
    there is no limit. With ``deadly`` the process dies at twice the limit, should it be stuck in compiled code. The alarm is
    repeated, because one that rings within a callback of the garbage collector is lost: nothing can be raised from there.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise MoleculeError("E_LIMIT", f"it took more than {seconds:g} s of processor time")

    try:
        before = signal.signal(signal.SIGPROF, stop)
    except ValueError:  # not the main thread
        yield
        return
    if deadly:
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_VIRTUAL, 2.0 * seconds)
    signal.setitimer(signal.ITIMER_PROF, seconds, _ALARM_EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        if deadly:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGPROF, before)


def in_process(jobs: Iterator[Job], settings: BatchSettings, folder: Path | None) -> Iterator[Answer]:
    """Do the jobs one after the other in this process."""
    from topdown.workflows.map_molecules import Mapper

    mapper = Mapper(settings.map_settings())
    for job in jobs:
        yield _answer(job, mapper, settings, folder, deadly=False)


def _answer(job: Job, mapper: Mapper, settings: BatchSettings, folder: Path | None, *, deadly: bool) -> Answer:
    from topdown.workflows.map_files import write_mapping
    from topdown.workflows.mapping_json import error_code, mapping_json, refusal_json

    files: tuple[Path, ...] = ()
    try:
        with time_limit(settings.time_limit, deadly=deadly):
            result = mapper.map(job.request)
            if result.molecule is not None:
                found = mapping_json(
                    result.molecule,
                    mapper.table,
                    job.request,
                    alternatives=settings.alternatives,
                    other_mappings=result.others,
                    seed=mapper.settings.seed,
                )
                if folder is not None and settings.endings:
                    files = write_mapping(
                        result.molecule,
                        mapper.table,
                        job.request,
                        folder,
                        slug=job.slug,
                        label=job.label,
                        endings=settings.endings,
                        seed=mapper.settings.seed,
                        alternatives=settings.alternatives,
                        other_mappings=result.others,
                    )
    except MoleculeError as error:
        return _refused(job, error)
    except (TopdownError, OSError):
        raise
    except Exception as error:
        # A bug must not cost a long list: this molecule is refused, and the message says what to report.
        what = f"internal error, please report it: {type(error).__name__}: {str(error)[:200]}"
        return _refused(job, MoleculeError("E_LIMIT", what))
    if result.error is not None:
        text = json.dumps(refusal_json(job.request, result.error))
        return Answer(number=job.number, text=text, code=error_code(result.error))
    return Answer(number=job.number, text=json.dumps(found, allow_nan=False), files=tuple(map(str, files)))


def _refused(job: Job, error: MoleculeError) -> Answer:
    from topdown.workflows.mapping_json import refusal_json

    return Answer(number=job.number, text=json.dumps(refusal_json(job.request, error)), code=error.code)


def _work(connection: Connection, settings: BatchSettings, folder: Path | None) -> None:
    """The life of a worker: chunks of jobs come in, answers go out one by one, until nothing more comes."""
    from topdown.workflows.map_molecules import Mapper

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            mapper = Mapper(settings.map_settings())
            connection.send(None)
            while True:
                jobs: list[Job] = connection.recv()
                for job in jobs:
                    connection.send(_answer(job, mapper, settings, folder, deadly=True))
        except TopdownError as error:  # a table that cannot be read, a full disk: nothing another molecule would change
            connection.send(error)


class _Worker:
    """A process, the pipe to it, and what it is doing."""

    def __init__(self, settings: BatchSettings, folder: Path | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, settings, folder), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.todo: deque[Job] = deque()
        self.since = time.monotonic()

    def give(self, jobs: list[Job]) -> None:
        self.todo = deque(jobs)
        self.since = time.monotonic()
        self.connection.send(jobs)

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


def in_workers(jobs: Iterator[Job], settings: BatchSettings, folder: Path | None, *, workers: int) -> Iterator[Answer]:
    """Do the jobs in ``workers`` processes; answers in the order of the jobs.

    Raises
    ------
    SettingsError
        Workers do not start.
    """
    if workers < 1:
        raise SettingsError(f"at least one worker is needed, got {workers}")
    team: list[_Worker] = []
    try:
        yield from _Team(team, jobs, settings, folder, workers).answers()
    finally:
        for worker in team:
            worker.end()


class _Team:
    """The workers of one list, the chunks waiting for them, and the answers waiting for their turn."""

    def __init__(
        self, team: list[_Worker], jobs: Iterator[Job], settings: BatchSettings, folder: Path | None, workers: int
    ) -> None:
        self.team, self.jobs, self.settings, self.folder, self.workers = team, jobs, settings, folder, workers
        self.again: deque[list[Job]] = deque()
        self.waiting: dict[int, Answer] = {}
        self.handed_out = 0
        self.given = 0
        self.start: int | None = None
        self.exhausted = False

    def answers(self) -> Iterator[Answer]:
        while True:
            self._employ()
            busy = [worker for worker in self.team if worker.todo or not worker.ready]
            if not self.team or not busy:
                break
            ready = wait([w.connection for w in busy], timeout=1.0)
            for worker in busy:
                if worker.connection in ready:
                    self._hear(worker)
                elif time.monotonic() - worker.since > _CLOCK_FACTOR * self.settings.time_limit + 60.0:
                    self._bury(worker, hung=True)
            while (answer := self.waiting.pop((self.start or 0) + self.given, None)) is not None:
                self.given += 1
                yield answer

    def _next_chunk(self) -> list[Job]:
        if self.again:
            return self.again.popleft()
        chunk: list[Job] = []
        if not self.exhausted and self.handed_out - self.given < AHEAD * CHUNK * self.workers:
            for job in self.jobs:
                self.start = job.number if self.start is None else self.start
                chunk.append(job)
                if len(chunk) == CHUNK:
                    break
            else:
                self.exhausted = True
            self.handed_out += len(chunk)
        return chunk

    def _employ(self) -> None:
        """Give work to workers that have none, and hire as long as there is work."""
        for worker in [w for w in self.team if w.ready and not w.todo]:
            chunk = self._next_chunk()
            if not chunk:
                return
            try:
                worker.give(chunk)
            except (BrokenPipeError, ConnectionResetError):
                self._bury(worker)
        hiring = sum(not worker.ready for worker in self.team)
        while len(self.team) < self.workers and (self.again or not self.exhausted) and hiring < self.workers:
            self.team.append(_Worker(self.settings, self.folder))
            hiring += 1

    def _hear(self, worker: _Worker) -> None:
        try:
            answer = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._bury(worker)
            return
        if isinstance(answer, TopdownError):
            raise answer
        worker.since = time.monotonic()
        if answer is None:
            worker.ready = True
            return
        worker.todo.popleft()
        self.waiting[answer.number] = answer

    def _bury(self, worker: _Worker, *, hung: bool = False) -> None:
        """A worker died or hangs: refuse the molecule it was at, and give the rest of its chunk to another."""
        worker.process.join(timeout=1.0)
        worker.end()
        self.team.remove(worker)
        if not worker.ready:
            raise SettingsError(
                "a worker did not start", hint="try --workers 1 with a short list to see the error it stops with"
            )
        if worker.todo:
            job = worker.todo.popleft()
            worker_limit = -int(getattr(signal, "SIGVTALRM", 0))
            timed_out = hung or (worker_limit and worker.process.exitcode == worker_limit)
            what = (
                f"it took more than {2 * self.settings.time_limit:g} s of processor time"
                if timed_out
                else f"the process that worked on it died (exit status {worker.process.exitcode})"
            )
            self.waiting[job.number] = _refused(job, MoleculeError("E_LIMIT", what))
            if worker.todo:
                self.again.append(list(worker.todo))
