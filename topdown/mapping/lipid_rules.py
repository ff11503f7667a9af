"""The lipid rules that travel with a bead table: ``lipids.toml`` and ``sterols.toml`` in its folder.

A *kind* of lipid is a fixed core of beads (head, phosphate, linkers) with tails on it. The core is a list of terms by bead
name; the terms of the tails follow from the kinds of bead they join, so that one short table covers every tail.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from topdown.resources import bead_tables_folder

LIPIDS_FILE = "lipids.toml"
STEROLS_FILE = "sterols.toml"
#: Stands for the head bead of a phospholipid in the ``order`` of a kind.
HEAD = "HEAD"
_TAIL = "tail "


@dataclass(frozen=True, kw_only=True)
class LipidRules:
    """The rules of one table style, as read.

    Attributes
    ----------
    source, citation : str
    angle_function : int
        Function of angles that do not say otherwise.
    first_bead : str
        ``small or five`` (Martini 3) or ``four`` (Martini 2): where a tail takes up what does not divide by four.
    heads, tails, kinds : mapping
        Tables of the same name in ``lipids.toml``.
    tail_bonds, tail_angles : mapping of str to (value, force constant)
    """

    source: str
    citation: str
    angle_function: int
    first_bead: str
    heads: Mapping[str, Mapping[str, Any]]
    tails: Mapping[str, Mapping[str, str]]
    tail_bonds: Mapping[str, tuple[float, float]]
    tail_angles: Mapping[str, tuple[float, float]]
    kinds: Mapping[str, Mapping[str, Any]]

    def bond(self, one: str, two: str, place: str) -> tuple[float, float] | None:
        """(length [nm], force constant) between two kinds of bead; ``None`` when nobody published it."""
        keys = (f"{one} {two} {place}", f"{two} {one} {place}", f"{one} {two}", f"{two} {one}", "*")
        return next((self.tail_bonds[key] for key in keys if key in self.tail_bonds), None)

    def angle(self, before: str, middle: str, after: str) -> tuple[float, float] | None:
        """(angle [degrees], force constant) at ``middle``, towards the end of the tail."""
        keys = (
            f"{before} {middle} {after}",
            f"* {middle} {after}",
            f"* {middle} *",
        )
        return next((self.tail_angles[key] for key in keys if key in self.tail_angles), None)


def tail_label(entry: str) -> str:
    """``A`` for the entry ``tail A``, empty for the name of a bead."""
    return entry[len(_TAIL) :] if entry.startswith(_TAIL) else ""


@lru_cache(maxsize=8)
def lipid_rules(style: str) -> LipidRules:
    """The rules of a shipped table (``martini3`` or ``martini2``)."""
    data = _read(style, LIPIDS_FILE)
    return LipidRules(
        source=data["source"],
        citation=data["citation"],
        angle_function=data["angle_function"],
        first_bead=data["first_bead"],
        heads=data["heads"],
        tails=data["tails"],
        tail_bonds={key: (value[0], value[1]) for key, value in data["tail_bonds"].items()},
        tail_angles={key: (value[0], value[1]) for key, value in data["tail_angles"].items()},
        kinds=data["kinds"],
    )


@lru_cache(maxsize=8)
def sterol_models(style: str) -> tuple[Mapping[str, Any], ...]:
    """The sterol models of a shipped table, as in ``sterols.toml``."""
    return tuple(_read(style, STEROLS_FILE)["sterols"])


def _read(style: str, name: str) -> dict[str, Any]:
    with open(bead_tables_folder() / style / name, "rb") as file:
        return tomllib.load(file)
