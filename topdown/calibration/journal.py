"""The journal of a campaign: one JSON object per line, on disk before the next step begins.

A resumed campaign reads its decisions here instead of making them again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from topdown.calibration.failures import FailedWindow, failed_windows
from topdown.errors import InputFileError, SimulationError

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing keeps two campaigns apart there
    fcntl = None  # type: ignore[assignment]


#: In the folder of a campaign.
JOURNAL_FILE: Final = "journal.jsonl"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep ``folder`` for this process; the lock goes with the process, however it ends.

    Raises
    ------
    InputFileError
        Another process runs a campaign there, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise InputFileError(
            f"cannot be written: {error.strerror}", where=str(folder), hint="choose another -o"
        ) from None
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputFileError(
                    "another process is running a campaign in this folder",
                    where=str(folder),
                    hint="wait for it, or choose another -o; campaigns may share a --store",
                ) from None
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process runs a campaign in ``folder``."""
    try:
        file = (folder / ".lock").open("rb")
    except OSError:
        return False
    with file:
        if fcntl is None:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


class Journal:
    """Append-only list of events on disk.

    Parameters
    ----------
    path : Path
        The file; made, with its folder, when absent.
    digest : str
        Hash of the campaign; a journal of another campaign is refused.
    resume : bool
        Whether an existing journal may be continued.
    name : str
        Of the campaign, for those who read the journal.

    Raises
    ------
    InputFileError
        A journal exists and ``resume`` is off, belongs to another campaign, or is damaged before its last line.
    """

    def __init__(self, path: Path, digest: str, *, resume: bool, name: str = "") -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        if path.exists() and path.stat().st_size:
            if not resume:
                raise InputFileError(
                    "this folder holds a campaign already",
                    where=str(path),
                    hint="--resume continues it; or choose another -o",
                )
            self.events = self._read()
        if not self.events:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.append({"event": "start", "campaign": digest, "name": name})
        elif self.events[0].get("campaign") != digest:
            raise InputFileError(
                "the journal is of another campaign, or the campaign file or its data changed since",
                where=str(path),
                hint="choose another -o",
            )

    def _read(self) -> list[dict[str, Any]]:
        raw = self.path.read_bytes()
        whole, _, torn = raw.rpartition(b"\n")
        events: list[dict[str, Any]] = []
        for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                raise InputFileError(
                    "this line is not a JSON object", where=f"{self.path}:{number}", hint="choose another -o"
                )
            events.append(event)
        if torn:
            # a line without its end was being written when the run was killed: it was never acted on
            os.truncate(self.path, len(raw) - len(torn))
        return events

    def append(self, event: Mapping[str, Any]) -> None:
        """Write one event and wait until it is on disk."""
        line = json.dumps(event, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            with self.path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SimulationError(
                f"the journal cannot be written: {error.strerror}",
                where=str(self.path),
                hint="nothing is lost: make room and --resume",
            ) from None
        # as it will be read again: tuples become lists
        self.events.append(json.loads(line))

    def append_once(self, event: Mapping[str, Any]) -> None:
        """Write an event unless the journal has it: a resumed campaign comes by the same places again."""
        if dict(event) not in self.events:
            self.append(event)

    def failures(self) -> tuple[FailedWindow, ...]:
        """The windows that failed so far, in order.

        Raises
        ------
        InputFileError
            One is damaged.
        """
        return failed_windows(self.events, self.path)

    def rounds(self) -> list[dict[str, Any]]:
        """The rounds finished so far, in order."""
        return [event for event in self.events if event.get("event") == "round"]


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a journal as far as they are whole, without changing the file.

    Raises
    ------
    InputFileError
        There is none.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputFileError(
            f"no campaign here: {error.strerror}", where=str(path), hint="name the folder given with -o"
        ) from None
    events = []
    for line in raw.split(b"\n"):
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events
