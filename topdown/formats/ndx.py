"""GROMACS index files (``.ndx``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from topdown.errors import InputFileError, SettingsError
from topdown.formats.naming import component_names, plain
from topdown.model import System
from topdown.model._arrays import IntArray


def index_groups(system: System, groups: Mapping[str, Sequence[int]] | None = None) -> dict[str, IntArray]:
    """``System``, one group per molecule name, and ``groups``; bead indices counted from 0.

    Raises
    ------
    SettingsError
        A group that is empty, out of range, or whose name is taken (GROMACS compares names without case).
    """
    n = system.n_beads
    found: dict[str, IntArray] = {"System": np.arange(n, dtype=np.int64)}
    parts: dict[str, list[IntArray]] = {}
    start = 0
    for (molecule, count), name in zip(system.components, component_names(system)):
        stop = start + molecule.n_beads * count
        parts.setdefault(name, []).append(np.arange(start, stop, dtype=np.int64))
        start = stop
    found.update((name, np.concatenate(blocks)) for name, blocks in parts.items() if sum(map(len, blocks)))
    for given, beads in (groups or {}).items():
        name = plain(given.replace(" ", "_").replace("-", "_"), default="Group")
        members = np.unique(np.asarray(beads, dtype=np.int64))
        if not members.size:
            raise SettingsError(f"index group {given!r} is empty")
        if members[0] < 0 or members[-1] >= n:
            raise SettingsError(f"index group {given!r} names a bead outside 0…{n - 1}")
        if name.lower() in {taken.lower() for taken in found}:
            raise SettingsError(f"index group {given!r} is there already", hint="choose another name")
        found[name] = members
    return found


def index_text(system: System, groups: Mapping[str, Sequence[int]] | None = None) -> str:
    """The groups of :func:`index_groups` as an ``.ndx`` file, bead numbers counted from 1, 15 a line."""
    lines: list[str] = []
    for name, members in index_groups(system, groups).items():
        lines.append(f"[ {name} ]")
        numbers = [str(int(k) + 1) for k in members]
        lines += [" ".join(numbers[k : k + 15]) for k in range(0, len(numbers), 15)]
    return "\n".join(lines) + "\n"


def read_ndx(path: Path | str) -> dict[str, IntArray]:
    """Read an index file.

    Returns
    -------
    dict of str to (n,) int64
        Bead indices counted from 0, in the order of the file; a group written twice in the same way is there once.

    Raises
    ------
    InputFileError
        With file and line: a number that is not whole or below 1, numbers before the first group, or two groups of one name.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise InputFileError(f"cannot read the index: {error.strerror or 'not a file'}", where=str(path)) from None
    groups: list[tuple[str, list[int], str]] = []
    for count, line in enumerate(lines, start=1):
        text, where = line.split(";", 1)[0].strip(), f"{path}:{count}"
        if text.startswith("["):
            name = text.strip("[] \t")
            if not name or not text.endswith("]"):
                raise InputFileError(f"expected [ NAME ], found {text!r}", where=where)
            groups.append((name, [], where))
            continue
        for word in text.split():
            if not groups:
                raise InputFileError(f"text before the first group: {text!r}", where=where)
            if not word.isdecimal() or int(word) < 1:
                raise InputFileError(f"bead numbers are whole and count from 1, found {word!r}", where=where)
            groups[-1][1].append(int(word) - 1)
    found: dict[str, list[int]] = {}
    for name, members, where in groups:
        if found.setdefault(name, members) != members:
            raise InputFileError(f"a second group {name!r} with other beads", where=where)
    return {name: np.array(members, dtype=np.int64) for name, members in found.items()}
