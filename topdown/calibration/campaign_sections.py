"""Sections of a TOML file whose keys are taken one by one, so that a key nobody knows is refused with the nearest known one."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from topdown.errors import InputFileError

T = TypeVar("T")


class Section:
    """One table of the file: keys are taken one by one, and :meth:`close` refuses what nobody took."""

    def __init__(self, data: dict[str, Any], path: Path, title: str) -> None:
        self.data, self.path, self.title = data, path, title
        self.taken: list[str] = []

    def fail(self, key: str, message: str, hint: str = "") -> InputFileError:
        label = f"{self.title}.{key}" if self.title else key
        return InputFileError(f"{label} {message}", where=str(self.path), hint=hint)

    def take(self, key: str, check: Callable[[Any], T | None], expected: str, default: T | None = None) -> T:
        """The value of ``key`` after ``check``, which returns None for a wrong value; required without ``default``."""
        self.taken.append(key)
        if key not in self.data:
            if default is None:
                near = get_close_matches(key, [k for k in self.data if k not in self.taken], n=1, cutoff=0.7)
                raise self.fail(key, "is missing", f"is {near[0]!r} meant?" if near else f"give {expected}")
            return default
        value = check(self.data[key])
        if value is None:
            raise self.fail(key, f"must be {expected}, not {self.data[key]!r}")
        return value

    def optional(self, key: str, check: Callable[[Any], T | None], expected: str) -> T | None:
        """As :meth:`take`, None when the key is absent."""
        if key not in self.data:
            self.taken.append(key)
            return None
        return self.take(key, check, expected)

    def text(self, key: str, default: str | None = None) -> str:
        return self.take(key, lambda v: v if isinstance(v, str) and (v or default == "") else None, "text", default)

    def number(self, key: str, default: float | None = None, *, above: float = -math.inf) -> float:
        expected = "a number" if above == -math.inf else f"a number above {above:g}"
        return self.take(key, lambda v: real_number(v, above), expected, default)

    def whole(self, key: str, default: int, *, least: int = 1) -> int:
        def check(value: Any) -> int | None:
            ok = isinstance(value, int) and not isinstance(value, bool) and value >= least
            return value if ok else None

        return self.take(key, check, f"a whole number of at least {least}", default)

    def choice(self, key: str, options: tuple[str, ...], default: str) -> str:
        return self.take(key, lambda v: v if v in options else None, " or ".join(map(repr, options)), default)

    def flag(self, key: str, default: bool) -> bool:
        return self.take(key, lambda v: v if isinstance(v, bool) else None, "true or false", default)

    def section(self, key: str) -> Section:
        nothing: dict[str, Any] = {}
        found = self.take(key, lambda v: v if isinstance(v, dict) else None, f"a section [{key}]", nothing)
        return Section(found, self.path, f"{self.title}.{key}" if self.title else key)

    def sections(self, key: str) -> list[Section]:
        title = f"{self.title}.{key}" if self.title else key
        nothing: list[dict[str, Any]] = []

        def check(value: Any) -> list[dict[str, Any]] | None:
            return value if isinstance(value, list) and all(isinstance(v, dict) for v in value) else None

        found = self.take(key, check, f"sections [[{title}]]", nothing)
        return [Section(entry, self.path, f"{title}[{i + 1}]") for i, entry in enumerate(found)]

    def close(self) -> None:
        refuse_unknown(self.data, self.taken, self.path, self.title)


def refuse_unknown(data: Mapping[str, Any], known: Sequence[str], path: Path, title: str) -> None:
    """Refuse the first key of a section that is not known, with the nearest one that is."""
    for key in data:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise InputFileError(f"unknown key {key!r}{f' in {title}' if title else ''}", where=str(path), hint=hint)


def load_toml(path: Path) -> dict[str, Any]:
    """The content of a campaign file.

    Raises
    ------
    InputFileError
        Missing or unreadable file, or broken TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise InputFileError("no such file", where=str(path), hint="see examples/ for campaigns") from None
    except OSError as error:
        raise InputFileError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"not UTF-8 text (byte {error.start})", where=str(path), hint="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputFileError(f"broken TOML: {error}", where=str(path), hint="correct this line") from None


def real_number(value: Any, above: float = -math.inf) -> float | None:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > above
    return float(value) if ok else None
