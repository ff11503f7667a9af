"""Bead types for fragments: looked up among the building blocks of the table, else estimated from logP and chemistry.

Look-up goes from fine to coarse (:data:`topdown.mapping.fragments.LEVELS`): the fragment with what it is attached to,
the fragment alone, its skeleton. The first level at which the table knows the fragment decides, by majority of the
curated beads behind it. Confidence is the share of curated beads whose type is found this way when their own molecule
is left out, for the same level and support (``benchmarks/mapping.py`` measures it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from topdown.errors import BeadTableError
from topdown.mapping.fragments import LEVELS, coarser, distance, environment_of
from topdown.mapping.type_estimate import estimate_types
from topdown.model import BeadTable, BuildingBlock

#: Leave-one-molecule-out accuracy of the look-up given the published partition: (level, agreement of the votes) ->
#: share of exact types, 1,126 Martini 3 beads (Martini 2 has too few of most kinds). Written from the benchmark.
CONFIDENCE: Mapping[tuple[str, str], float] = {
    ("environment", "unanimous"): 0.96,
    ("environment", "single"): 0.83,
    ("environment", "split"): 0.77,
    ("fragment", "unanimous"): 0.77,
    ("fragment", "single"): 0.75,
    ("fragment", "split"): 0.70,
    ("skeleton", "unanimous"): 0.75,
    ("skeleton", "single"): 0.35,
    ("skeleton", "split"): 0.40,
    ("similar", ""): 0.34,
    ("estimate", ""): 0.40,
}
#: Farthest fragment (:func:`topdown.mapping.fragments.distance`) whose type is taken over.
MAX_DISTANCE = 3.0
MAX_ALTERNATIVES = 5
_LEVEL_NAMES = ("fragment in its environment", "fragment", "skeleton")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeChoice:
    """The bead type of one fragment.

    Attributes
    ----------
    bead_type : str
    reason : str
    confidence : float
        0 to 1.
    alternatives : tuple of str
        Next-best types, best first.
    level : str
        ``environment``, ``fragment``, ``skeleton``, ``similar`` or ``estimate``; ``published`` for recognised lipids.
    support : str
        ``unanimous`` (several votes), ``single``, ``split``, or empty for an estimate.
    """

    bead_type: str
    reason: str
    confidence: float
    alternatives: tuple[str, ...]
    level: str
    support: str


class BuildingBlockIndex:
    """Votes for bead types by fragment key, one mapping per level.

    Parameters
    ----------
    blocks : iterable of BuildingBlock
        ``fragment`` in the notation of :mod:`topdown.mapping.fragments`.
    """

    def __init__(self, blocks: tuple[BuildingBlock, ...]) -> None:
        self._votes: tuple[dict[str, dict[str, int]], ...] = tuple({} for _ in LEVELS)
        self.blocks = tuple((coarser(block.fragment)[0], block.bead_type, block.n_seen) for block in blocks)
        self._sources: dict[tuple[int, str, str], str] = {}
        for block in blocks:
            for level, key in enumerate(coarser(block.fragment)):
                votes = self._votes[level].setdefault(key, {})
                votes[block.bead_type] = votes.get(block.bead_type, 0) + block.n_seen
                self._sources.setdefault((level, key, block.bead_type), block.source)

    def votes(self, level: int, key: str) -> Mapping[str, int]:
        """How many curated beads support each type for ``key``."""
        return self._votes[level].get(key, {})

    def nearest(self, environment: str, allowed: Callable[[str], bool]) -> list[tuple[float, str, str]]:
        """(distance, fragment, type) of the known fragments most like ``environment``, nearest first."""
        found = (
            (distance(environment, fragment), -n_seen, fragment, bead_type)
            for fragment, bead_type, n_seen in self.blocks
            if allowed(bead_type)
        )
        return [(d, fragment, bead_type) for d, _, fragment, bead_type in sorted(found)[:5]]

    def source(self, level: int, key: str, bead_type: str) -> str:
        """Where the first of those votes comes from."""
        return self._sources.get((level, key, bead_type), "")


@lru_cache(maxsize=8)
def building_block_index(blocks: tuple[BuildingBlock, ...]) -> BuildingBlockIndex:
    """The index of building blocks, made once."""
    return BuildingBlockIndex(blocks)


def choose_type(
    mol: Any,
    group: tuple[int, ...],
    table: BeadTable,
    *,
    shared: frozenset[int] = frozenset(),
    index: BuildingBlockIndex | None = None,
) -> TypeChoice:
    """The bead type of ``group``.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only.
    group : tuple of int
        Atoms of the bead.
    table : BeadTable
        Only types it holds are given.
    shared : frozenset of int
        Atoms that stand in more than one bead of the molecule.
    index : BuildingBlockIndex, optional
        Use these building blocks instead of the table's.

    Raises
    ------
    BeadTableError
        The table holds no type that could stand for the fragment.
    """
    index = building_block_index(table.building_blocks) if index is None else index
    environment = environment_of(mol, group, shared)
    charge = sum(mol.GetAtomWithIdx(a).GetFormalCharge() for a in group)
    estimates = estimate_types(mol, group, shared, table)
    for level, key in enumerate(coarser(environment)):
        votes = {
            name: count
            for name, count in index.votes(level, key).items()
            if name in table and _fits_charge(name, charge, table)
        }
        if votes:
            return _by_vote(level, key, votes, index, estimates)
    near = index.nearest(environment, lambda name: name in table and _fits_charge(name, charge, table))
    if near and near[0][0] <= MAX_DISTANCE:
        return _by_likeness(environment, near, estimates)
    if not estimates:
        raise BeadTableError(
            f"no bead type for the fragment {environment}",
            where=f"bead table {table.name}",
            hint="add a line for it to building_blocks.csv",
        )
    return TypeChoice(
        bead_type=estimates[0],
        reason=f"fragment {coarser(environment)[1]} unknown to {table.name}: estimated from logP and chemical class",
        confidence=CONFIDENCE["estimate", ""],
        alternatives=tuple(estimates[1 : MAX_ALTERNATIVES + 1]),
        level="estimate",
        support="",
    )


def _fits_charge(name: str, charge: int, table: BeadTable) -> bool:
    """Charged fragments take Q (or D) types, neutral ones do not: what one level says must not change the charge."""
    is_ionic = table.bead_type(name).chemical_class[:1] in ("Q", "D")
    return is_ionic == (charge != 0)


def _by_likeness(environment: str, near: list[tuple[float, str, str]], estimates: list[str]) -> TypeChoice:
    """The type of the most similar known fragment."""
    _, fragment, best = near[0]
    rest = [name for name in [*(name for _, _, name in near[1:]), *estimates] if name != best]
    return TypeChoice(
        bead_type=best,
        reason=f"fragment {coarser(environment)[1]} unknown, most like {fragment} -> {best}",
        confidence=CONFIDENCE["similar", ""],
        alternatives=tuple(dict.fromkeys(rest))[:MAX_ALTERNATIVES],
        level="similar",
        support="",
    )


def _by_vote(
    level: int, key: str, votes: Mapping[str, int], index: BuildingBlockIndex, estimates: list[str]
) -> TypeChoice:
    preferred = {name: place for place, name in enumerate(estimates)}
    ranked = sorted(votes, key=lambda name: (-votes[name], preferred.get(name, len(preferred)), name))
    best, total = ranked[0], sum(votes.values())
    support = "single" if total == 1 else "unanimous" if len(votes) == 1 else "split"
    count = f"{votes[best]} of {total}" if len(votes) > 1 else str(total)
    times = "time" if votes[best] == 1 and len(votes) == 1 else "times"
    source = index.source(level, key, best)
    rest = [name for name in [*ranked[1:], *estimates] if name != best]
    return TypeChoice(
        bead_type=best,
        reason=f"{_LEVEL_NAMES[level]} {key} seen {count} {times} in published models -> {best}"
        + (f" [{source}]" if source else ""),
        confidence=CONFIDENCE[LEVELS[level], support],
        alternatives=tuple(dict.fromkeys(rest))[:MAX_ALTERNATIVES],
        level=LEVELS[level],
        support=support,
    )
