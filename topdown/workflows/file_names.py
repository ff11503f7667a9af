"""Names for the files of many molecules, and inside them: safe, short and unique."""

from __future__ import annotations

from collections.abc import Callable

from topdown.formats.naming import plain

_MAX_SLUG = 60
_MAX_LABEL = 5
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class FileNames:
    """Names for the molecules of a list, in its order: of their files, and inside itp and gro.

    File names have plain characters, at most 60; names inside files at most five; both are unique without regard to case.
    Time does not grow with how many share a name.
    """

    def __init__(self) -> None:
        self._slugs: set[str] = set()
        self._labels: set[str] = set()
        self._next: dict[tuple[str, str], int] = {}
        self._number = 0

    def next(self, smiles: str, name: str) -> tuple[str, str]:
        """(file name without ending, name inside files) of the next molecule."""
        self._number += 1
        stem = plain(name or smiles[:_MAX_SLUG], default=f"molecule{self._number}")[:_MAX_SLUG]
        slug = self._unique("file", stem, self._slugs, lambda k: f"{stem}_{k + 1}")
        start = plain(name or slug, default="MOL")
        start = f"M{start}" if start[0].isdigit() else start
        start = start[:_MAX_LABEL].rstrip("_") or "MOL"
        label = self._unique("label", start, self._labels, lambda k: _numbered(start, k))
        return slug, label

    def _unique(self, kind: str, stem: str, taken: set[str], numbered: Callable[[int], str]) -> str:
        name, key = stem, (kind, stem.lower())
        count = self._next.get(key, 0)
        while count or name.lower() in taken:
            count += 1
            name = numbered(count - 1) if count > 1 else name
            if name.lower() not in taken:
                break
        self._next[key] = count
        taken.add(name.lower())
        return name


def _numbered(stem: str, number: int) -> str:
    """``stem`` cut so that a number fits; ten digits first, then letters too, and a letter at the start."""
    tail = str(number)
    if len(tail) > 3:
        tail, rest = "", number - 1000
        while rest or not tail:
            rest, digit = divmod(rest, 36)
            tail = _DIGITS[digit] + tail
        return "M" + tail.rjust(_MAX_LABEL - 1, "0")
    return stem[: _MAX_LABEL - len(tail)] + tail
