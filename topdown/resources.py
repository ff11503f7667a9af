"""Where the files that travel with the package are – inside it when installed, beside it in a checkout – and how files are
written: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from topdown.errors import InputFileError, ResourceError

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    """The folder ``name`` inside the package, or else at the root of the checkout that holds it."""
    inside = _PACKAGE / name
    if inside.is_dir():
        return inside
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise ResourceError(f"the folder {name!r} that ships with topdown is missing", hint="reinstall topdown")


def bead_tables_folder() -> Path:
    """Folder that holds one sub-folder per shipped bead table."""
    return _folder("bead_tables")


def data_folder() -> Path:
    """Folder of measured values, one sub-folder per property."""
    return _folder("data")


def cache_folder() -> Path:
    """Folder for what can be made again: binary table caches, solvent boxes, stored runs (``TOPDOWN_CACHE`` overrides)."""
    chosen = os.environ.get("TOPDOWN_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "topdown"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "topdown"


def available_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed_version(package: str) -> str:
    """Release of an installed distribution; empty where it is not there."""
    from importlib.metadata import PackageNotFoundError, version  # not for every start

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def check_writable(folder: Path | str) -> None:
    """See whether files can be written to ``folder``, which need not be there yet; nothing is made.

    Raises
    ------
    InputFileError
        A file is in the way, or there is no permission.
    """
    nearest = Path(folder).absolute()
    try:
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        reason = "" if nearest.is_dir() else f"{nearest} is no folder"
    except OSError as error:
        reason = error.strerror or "no such folder"
    if not reason and not os.access(nearest, os.W_OK | os.X_OK):
        reason = f"no permission in {nearest}"
    if reason:
        raise InputFileError(f"cannot write there: {reason}", where=str(folder), hint="choose another folder")


@contextlib.contextmanager
def atomic_file(
    path: Path | str, mode: Literal["w", "wb"] = "wb", *, encoding: str | None = None, newline: str | None = None
) -> Iterator[IO[Any]]:
    """A file to write that takes the place of ``path`` when the block ends, by fsync and rename; parent folders are made.

    A reader, or a crash at any moment, sees the old content or the new one, never a part. After an error the old one stays.
    """
    import tempfile  # with all it imports in turn: not for every start

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def atomic_write_bytes(path: Path | str, data: bytes) -> Path:
    """Write ``data`` to ``path``, whole or not at all; see :func:`atomic_file`."""
    path = Path(path)
    with atomic_file(path) as file:
        file.write(data)
    return path


def atomic_write_text(path: Path | str, text: str) -> Path:
    """Write ``text`` as UTF-8 with ``\\n`` line ends; see :func:`atomic_write_bytes`."""
    return atomic_write_bytes(path, text.encode("utf-8"))
