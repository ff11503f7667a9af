"""Long lists of molecules: mapped by several processes, each molecule within a time limit, and resumable.

The parent reads the list as a stream and hands out chunks; workers answer molecule by molecule, so that when one dies – RDKit
stuck or crashed – it is known which molecule it died of: that one is refused, the rest of its chunk goes to a new worker.
Answers are given out in the order of the list. With a folder they are appended to ``mappings.jsonl`` a chunk at a time, with
fsync; what a killed run has finished is read back, its torn last line cut off, and not computed again.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from topdown import __version__
from topdown.errors import InputFileError
from topdown.resources import atomic_file, atomic_write_text, available_processors
from topdown.workflows.map_lists import MoleculeRequest, count_requests, iterate_requests
from topdown.workflows.map_workers import BatchSettings, Job, in_process, in_workers

#: Lists up to this long are mapped in this process unless workers are asked for: starting one takes longer.
SHORT_LIST = 16
LINES_FILE, CSV_FILE, REJECTS_FILE, RUN_FILE = "mappings.jsonl", "mappings.csv", "rejects.csv", "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """One finished molecule of a list.

    Attributes
    ----------
    text : str
        Its JSON object, one line without line end.
    code : str
        E_… of a refusal, else empty.
    files : tuple of str
        Files written for it in this run.
    number : int
        Place in the list, from 1.
    total : int
        Molecules in the list.
    """

    text: str
    code: str = ""
    files: tuple[str, ...] = ()
    number: int = 0
    total: int = 0


def map_list(
    path: Path, settings: BatchSettings, *, workers: int | None = None, folder: Path | None = None
) -> Iterator[BatchLine]:
    """Map the molecules of a list in order.

    Parameters
    ----------
    path : Path
    settings : BatchSettings
    workers : int, optional
        Processes; by default one for each processor, none for lists of up to :data:`SHORT_LIST`.
    folder : Path, optional
        Write ``mappings.jsonl`` (every molecule, in order), ``mappings.csv`` and ``rejects.csv`` there, and the files of each
        molecule that ``settings`` asks for. If it holds a part of the same list mapped with the same settings, go on from there.

    Raises
    ------
    InputFileError
        The list cannot be read, or the folder cannot be written or holds the results of another list or other settings.
    """
    total = count_requests(path)
    store = _Store(folder, settings) if folder is not None else None
    done = 0
    try:
        if store is not None:
            for text in store.finished(iterate_requests(path)):
                done += 1
                yield BatchLine(text=text, code=_code(text), number=done, total=total)
        jobs = _jobs(path, settings, done)
        if workers is None and total - done <= SHORT_LIST:
            answers = in_process(jobs, settings, folder)
        else:
            answers = in_workers(jobs, settings, folder, workers=workers or available_processors())
        for answer in answers:
            done += 1
            if store is not None:
                store.append(answer.text)
            yield BatchLine(text=answer.text, code=answer.code, files=answer.files, number=done, total=total)
        if store is not None:
            store.flush()
            store.write_tables()
    finally:
        if store is not None:
            store.close()


def _jobs(path: Path, settings: BatchSettings, skip: int) -> Iterator[Job]:
    """The molecules after the first ``skip``, numbered from 0, with names that are unique in the whole list."""
    from topdown.workflows.file_names import FileNames

    names = FileNames()
    for number, request in enumerate(iterate_requests(path)):
        slug, label = names.next(request.smiles, request.name) if settings.endings else ("", "")
        if number >= skip:
            yield Job(number=number, request=request, slug=slug, label=label)


def _code(text: str) -> str:
    found = json.loads(text)
    return str(found["error"]["code"]) if "error" in found else ""


class _Store:
    """``mappings.jsonl`` and the tables made of it in one folder."""

    def __init__(self, folder: Path, settings: BatchSettings) -> None:
        self.folder = folder
        self.lines = folder / LINES_FILE
        self._waiting: list[str] = []
        self._file: IO[bytes] | None = None
        made_with = {"topdown": __version__, "settings": settings.identity()}
        text = json.dumps(made_with, indent=1, sort_keys=True) + "\n"
        run = folder / RUN_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if run.exists() and self.lines.exists():
                self._check(run, made_with)
            else:
                atomic_write_text(run, text)
            self._cut_torn_line()
            self._file = self.lines.open("ab")
        except OSError as error:
            raise InputFileError(f"cannot write there: {error.strerror}", where=str(folder)) from None

    def _check(self, run: Path, made_with: dict[str, Any]) -> None:
        try:
            before = json.loads(run.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            before = {}
        if before != made_with:
            old, new = before.get("settings", {}), made_with["settings"]
            names = [name for name in new if old.get(name) != new[name]]
            other = f"{names[0]} was {old.get(names[0])!r}" if names and old else "made by another version of topdown"
            raise InputFileError(
                f"it holds mappings made otherwise: {other}",
                where=str(self.folder),
                hint="repeat the command as it was, or choose another folder",
            )

    def _cut_torn_line(self) -> None:
        """Cut off what stands behind the last line end: a line that a kill has torn."""
        if not self.lines.exists():
            return
        with self.lines.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - 65536)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    end = start + found + 1
                    break
                end = start
            file.truncate(end)

    def finished(self, requests: Iterator[MoleculeRequest]) -> Iterator[str]:
        """The finished lines, having checked that they are those of the first molecules of the list."""
        for number, line in enumerate(self._read_lines(), start=1):
            request = next(requests, None)
            try:
                found = json.loads(line)
                same = request is not None and (found["smiles"], found["name"]) == (request.smiles, request.name)
            except (ValueError, KeyError, TypeError):
                same = False
            if not same:
                raise InputFileError(
                    f"line {number} is not molecule {number} of the list",
                    where=str(self.lines),
                    hint="choose another folder for another list",
                )
            yield line

    def _read_lines(self) -> Iterator[str]:
        with self.lines.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\n")

    def append(self, text: str) -> None:
        """Add a line; it reaches the disk with its chunk."""
        self._waiting.append(text)
        if len(self._waiting) >= 64:
            self.flush()

    def flush(self) -> None:
        """Write the waiting lines in one piece and make sure that they are on the disk."""
        if self._waiting and self._file is not None:
            data = "".join(f"{line}\n" for line in self._waiting).encode("utf-8")
            self._waiting = []
            try:
                self._file.write(data)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise InputFileError(f"cannot write there: {error.strerror}", where=str(self.lines)) from None

    def close(self) -> None:
        """Write what waits – also after Ctrl-C – and close."""
        if self._file is not None:
            self.flush()
            self._file.close()
            self._file = None

    def write_tables(self) -> None:
        """``mappings.csv`` and ``rejects.csv``, whole or not at all, as a stream from the lines."""
        from topdown.workflows.mapping_table import CSV_COLUMNS, REJECT_COLUMNS, csv_row, reject_row

        table = partial(atomic_file, mode="w", encoding="utf-8", newline="")
        with table(self.folder / CSV_FILE) as good, table(self.folder / REJECTS_FILE) as bad:
            mapped, refused = csv.writer(good), csv.writer(bad)
            mapped.writerow(CSV_COLUMNS)
            refused.writerow(REJECT_COLUMNS)
            for number, line in enumerate(self._read_lines(), start=1):
                found = json.loads(line)
                if "error" in found:
                    refused.writerow(reject_row(number, found))
                else:
                    mapped.writerow(csv_row(found))
