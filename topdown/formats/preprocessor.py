"""The preprocessor of GROMACS topologies: ``#include``, ``#define`` with substitution, conditionals, continuation lines.

Out of it comes one stream of lines without comments, each knowing the file and line it was written in, so that every later
error can name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from topdown.errors import TopologyError

_WORD = re.compile(r"[A-Za-z0-9_]+")
_INCLUDE = re.compile(r"""["<]([^">]+)[">]""")


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the topology after preprocessing, and where it stood (``file:line``)."""

    text: str
    where: str


@dataclass(slots=True)
class _Preprocessor:
    defines: dict[str, str]
    root: Path
    include: tuple[Path, ...] = ()
    open_files: list[Path] = field(default_factory=list)

    def lines(self, path: Path, included_from: str) -> Iterator[SourceLine]:
        resolved = path.resolve()
        if resolved in self.open_files:
            raise TopologyError(f"{path.name} includes itself", where=included_from)
        self.open_files.append(resolved)
        conditions: list[_Condition] = []
        for number, text in _logical_lines(path, included_from):
            where = f"{path}:{number}"
            if text.startswith("#"):
                yield from self._directive(text, path, where, conditions)
            elif text and all(condition.active for condition in conditions):
                yield SourceLine(self._expanded(text, where), where)
        if conditions:
            raise TopologyError(f"{conditions[-1].directive} without #endif", where=conditions[-1].where)
        self.open_files.pop()

    def _directive(self, text: str, path: Path, where: str, conditions: list[_Condition]) -> Iterator[SourceLine]:
        name, _, rest = text[1:].strip().partition(" ")
        rest = rest.strip()
        if name in ("ifdef", "ifndef"):
            if not _WORD.fullmatch(rest):
                raise TopologyError(f"#{name} needs one name, found {rest!r}", where=where)
            conditions.append(_Condition(f"#{name}", where, (rest in self.defines) == (name == "ifdef")))
        elif name in ("else", "endif"):
            _end_or_turn(name, where, conditions)
        elif not all(condition.active for condition in conditions):
            return
        elif name == "include":
            yield from self.lines(self._found(rest, path, where), where)
        elif name == "define":
            key, _, value = rest.partition(" ")
            if not _WORD.fullmatch(key):
                raise TopologyError(f"#define needs a plain name, found {key!r}", where=where)
            self.defines[key] = value.strip()
        elif name == "undef":
            self.defines.pop(rest, None)
        else:
            raise TopologyError(f"#{name} is not a directive of GROMACS topologies", where=where)

    def _found(self, argument: str, path: Path, where: str) -> Path:
        match = _INCLUDE.fullmatch(argument)
        if match is None:
            raise TopologyError(f'#include needs "a file name", found {argument!r}', where=where)
        folders = (path.parent, self.root, *self.include)
        for folder in folders:
            if (folder / match[1]).is_file():
                return folder / match[1]
        looked = ", ".join(dict.fromkeys(str(folder) for folder in folders))
        raise TopologyError(f"the included file {match[1]!r} is not there", where=where, hint=f"looked in {looked}")

    def _expanded(self, text: str, where: str, depth: int = 0) -> str:
        expanded = _WORD.sub(lambda match: self.defines.get(match[0]) or match[0], text)
        if expanded == text:
            return text
        if depth > 20:
            raise TopologyError("a #define refers to itself", where=where)
        return self._expanded(expanded, where, depth + 1)


@dataclass(slots=True)
class _Condition:
    directive: str
    where: str
    active: bool
    turned: bool = False


def _end_or_turn(name: str, where: str, conditions: list[_Condition]) -> None:
    if not conditions:
        raise TopologyError(f"#{name} without #ifdef", where=where)
    if name == "endif":
        conditions.pop()
        return
    condition = conditions[-1]
    if condition.turned:
        raise TopologyError("a second #else", where=where)
    condition.active, condition.turned = not condition.active, True


def _logical_lines(path: Path, included_from: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments and outer blanks; a backslash at the end joins the next line."""
    try:
        raw = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise TopologyError(
            f"cannot read {path.name if included_from else 'the topology'}: {error.strerror or 'not a file'}",
            where=included_from or str(path),
        ) from None
    pending, start = "", 0
    for number, line in enumerate(raw, start=1):
        start = start if pending else number
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        yield start, " ".join((pending + line).split(";", 1)[0].split())
        pending = ""
    if pending:
        yield start, " ".join(pending.split(";", 1)[0].split())


def preprocess(
    path: Path | str, defines: Mapping[str, str] | None = None, *, include: Sequence[Path | str] = ()
) -> Iterator[SourceLine]:
    """All active lines of the topology at ``path`` and of what it includes.

    Parameters
    ----------
    path : path
        The ``.top`` file.
    defines : mapping, optional
        Macros defined from outside, as ``define = -D…`` does in a ``.mdp`` file; an empty value only switches ``#ifdef``.
    include : paths, optional
        Folders searched for ``#include`` after that of the including file and that of ``path``, as ``-I`` and ``GMXLIB`` are.

    Yields
    ------
    SourceLine

    Raises
    ------
    TopologyError
        With file and line: an include that is missing or circular, unbalanced conditionals, an unknown directive.
    """
    path = Path(path)
    for name in defines or {}:
        if not _WORD.fullmatch(name):
            raise TopologyError(f"a macro needs a plain name, found {name!r}", hint="letters, digits and _ only")
    yield from _Preprocessor(dict(defines or {}), path.parent, tuple(map(Path, include))).lines(path, "")
