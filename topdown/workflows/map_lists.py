"""Lists of molecules: ``.smi`` and ``.csv`` files, plain or gzipped, read as a stream."""

from __future__ import annotations

import csv
import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from topdown.errors import InputFileError

#: Files that ``map`` reads many molecules from.
LIST_SUFFIXES = (".smi", ".csv", ".smi.gz", ".csv.gz")
#: Endings of other files; no SMILES has them (in capitals one would be: CC.CIF).
_OTHER_SUFFIX = re.compile(r"\.(txt|tsv|dat|xlsx?|sdf|mol2?|pdb|cif|xyz|gro|itp|top|toml|jsonl?)(\.gz)?\Z")
_WITH_EXTENSION = re.compile(r"(\S+[ \t]+\|[^|]*\|)(?:\s+(.*))?\Z", re.DOTALL)
_HINT = {".smi": "one line per molecule: SMILES name", ".csv": "one row per molecule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MoleculeRequest:
    """One molecule to map, as the user wrote it."""

    smiles: str
    name: str = ""


def list_file(what: str) -> Path | None:
    """The list of molecules that ``what`` names, or ``None`` for what can only be a SMILES.

    Raises
    ------
    InputFileError
        A file of another kind is named.
    """
    if len(what) >= 1000 or "\0" in what:
        return None
    path = Path(what)
    if _OTHER_SUFFIX.search(path.name):
        raise InputFileError(
            f"a {path.suffix} file is no list of molecules"
            if path.exists()
            else "neither a SMILES nor a list of molecules",
            where=what,
            hint=f"lists end in {', '.join(LIST_SUFFIXES)}",
        )
    return path if path.name.lower().endswith(LIST_SUFFIXES) else None


def read_requests(path: Path) -> tuple[MoleculeRequest, ...]:
    """All molecules of a list at once; see :func:`iterate_requests`.

    Raises
    ------
    InputFileError
        As :func:`iterate_requests`; also when there is no molecule in it.
    """
    requests = tuple(iterate_requests(path))
    if not requests:
        raise _nothing_in(path)
    return requests


def count_requests(path: Path) -> int:
    """How many molecules a list holds, having read it once to the end.

    Raises
    ------
    InputFileError
        As :func:`read_requests`.
    """
    count = sum(1 for _ in iterate_requests(path))
    if not count:
        raise _nothing_in(path)
    return count


def _nothing_in(path: Path) -> InputFileError:
    return InputFileError("there is no molecule in it", where=str(path), hint=_HINT[_kind(path)])


def iterate_requests(path: Path) -> Iterator[MoleculeRequest]:
    """The molecules of a ``.smi`` file (``SMILES name`` per line, no header) or of a CSV with columns smiles and name.

    In a ``.smi`` file the name is everything after the first blank – or after a CXSMILES extension ``|…|`` –, blank lines and
    lines that start with ``#`` are skipped, and a line that starts with a tab lacks its SMILES. In a CSV the columns may come
    in any order and among others; names of columns are read without regard to case.

    Raises
    ------
    InputFileError
        The file is missing, is not UTF-8 text, or a CSV without a column ``smiles`` or with unclosed quotes.
    """
    kind = _kind(path)
    try:
        with _opened(path, newline="" if kind == ".csv" else None) as file:
            yield from _csv_requests(file, path) if kind == ".csv" else _smi_requests(file)
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        raise InputFileError(f"not UTF-8 text (byte {byte})", where=str(path), hint="save it as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputFileError("not a complete gzip file", where=str(path)) from None
    except OSError as error:
        raise InputFileError(error.strerror or "cannot be read", where=str(path)) from None


def _kind(path: Path) -> str:
    return path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _opened(path: Path, *, newline: str | None) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline=newline)
    return path.open(encoding="utf-8-sig", newline=newline)


def _smi_requests(file: IO[str]) -> Iterator[MoleculeRequest]:
    for line in file:
        text = line.rstrip("\n")
        if not text.strip() or text.startswith("#"):
            continue
        if text.startswith("\t"):
            yield MoleculeRequest(smiles="", name=text.strip())
            continue
        text = text.strip()
        extended = _WITH_EXTENSION.match(text)
        smiles, name = extended.groups() if extended else (*text.split(None, 1), "")[:2]
        yield MoleculeRequest(smiles=smiles, name=name or "")


def _csv_requests(file: IO[str], path: Path) -> Iterator[MoleculeRequest]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        reader = csv.DictReader(file, strict=True)
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        for wanted in ("smiles", "name"):
            if names.count(wanted) > 1:
                raise InputFileError(f"there are {names.count(wanted)} columns {wanted!r}", where=str(path))
        columns = dict(zip(names, reader.fieldnames or ()))
        if "smiles" not in columns:
            found = ", ".join(filter(None, columns)) or "none"
            hint = "the first line names the columns, separated by commas"
            raise InputFileError(f"no column 'smiles' (columns found: {found})", where=str(path), hint=hint)
        smiles, name = columns["smiles"], columns.get("name")
        for row in reader:
            yield MoleculeRequest(smiles=row[smiles] or "", name=(row[name] or "") if name is not None else "")
    except csv.Error as error:
        raise InputFileError(f"not readable as CSV: {error}", where=str(path)) from None
