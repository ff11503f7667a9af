"""The journal of a campaign: one JSON object per line, on disk before the next step begins.

A resumed campaign reads its decisions here instead of making them again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from topdown.errors import InputFileError


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

    Raises
    ------
    InputFileError
        A journal exists and ``resume`` is off, belongs to another campaign, or is damaged before its last line.
    """

    def __init__(self, path: Path, digest: str, *, resume: bool) -> None:
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
            self.append({"event": "start", "campaign": digest})
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
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.events.append(dict(event))

    def rounds(self) -> list[dict[str, Any]]:
        """The rounds finished so far, in order."""
        return [event for event in self.events if event.get("event") == "round"]
