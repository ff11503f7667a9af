"""GROMACS index files (``.ndx``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from topdown.errors import SettingsError
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
