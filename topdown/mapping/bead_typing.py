"""Bead types for fragments: votes of published models over what chemistry makes probable.

The votes are looked up from coarse to fine (:data:`topdown.mapping.fragments.LEVELS`): the skeleton of the fragment, the
fragment, the fragment with the elements it is attached to, and with what those atoms are part of. Each level starts from the
probabilities of the one before and moves them towards its own votes, the more the more there are (a Dirichlet prior whose
weight is :data:`PRIOR_VOTES`); the first starts from the estimate of :mod:`topdown.mapping.type_estimate`. So one vote
against chemistry does not decide, five do. Where votes contradict each other the estimate decides, which sees more of the
surroundings than the fragment shows: it counts once more, to the power :data:`ESTIMATE_POWER`. Confidence comes from the
probability of the winner, what chemistry alone gave it and the number of votes, brought onto the hit rate of held-out beads
(:data:`CALIBRATION`; ``benchmarks/mapping_types.py`` shows it in bins).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log
from types import MappingProxyType
from typing import Any

import numpy as np

from topdown.errors import BeadTableError
from topdown.mapping.atom_roles import AtomRoles, atom_roles
from topdown.mapping.fragment_keys import Keys, stored_keys
from topdown.mapping.fragments import LEVELS, coarser, in_surroundings
from topdown.mapping.functional_groups import FunctionalGroup
from topdown.mapping.ions import published_ion
from topdown.mapping.remembered import Remembered
from topdown.mapping.surroundings import Surroundings
from topdown.mapping.type_estimate import (
    FloatArray,
    TypeModel,
    free_energy,
    table_style,
    type_model,
    type_parts,
    type_probabilities,
    weighted_by_free_energy,
)
from topdown.mapping.type_features import bead_features, bead_size, effective_atoms
from topdown.model import BeadTable, BuildingBlock

#: Votes the probabilities of the next coarser level are worth, per level of LEVELS.
PRIOR_VOTES = (1.0, 0.5, 2.0, 5.0)
#: Where the type with most votes leads by less than this many, the estimate multiplies what votes have made of it, to this
#: power, after this much has been added so that no type is ruled out by the estimate alone.
LEAD, ESTIMATE_POWER, ESTIMATE_FLOOR = 3, 0.45, 1e-3
#: Style and level → (a, b, c, d): the share of right types among held-out beads is 1 / (1 + exp(-z)) with
#: z = a + b logit p + c logit q + d log(1 + n): the winner's probability p, what chemistry alone gave it (q), and the number n
#: of votes at the finest level. Few votes against chemistry have moved p far, which is why q says more where they contradict it.
#: c and d are 0 where they do not help for sources left out. Written by ``scripts/fit_type_weights.py``.
CALIBRATION: Mapping[tuple[str, str], tuple[float, float, float, float]] = {
    ("martini3", "known"): (-0.15, 0.21, 0.28, 0.48),
    ("martini3", "unseen"): (-0.05, 0.11, 0.7, 0.16),
    ("martini2", "known"): (0.58, 0.61, 0.0, 0.0),
    ("martini2", "unseen"): (-0.47, 0.77, 0.0, 0.0),
}
#: What the probability by chemistry alone is taken to be at least, and one less it at most: beyond, its odds say no more.
LEAST_CHEMISTRY = 1e-3
#: Levels at which the fragment itself is known, and not only what it has in common with others.
KNOWN_LEVELS = ("surroundings", "environment")
MAX_ALTERNATIVES = 5
#: Choices remembered per table, of either kind; one takes about 2 kB.
_MOST_KNOWN = 16_000
_LEVEL_NAMES = ("fragment in its surroundings", "fragment in its environment", "fragment", "skeleton")
_SIZE_NAMES = {"R": "regular", "S": "small", "T": "tiny"}


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
        Finest level with votes, one of :data:`topdown.mapping.fragments.LEVELS`; ``estimate`` without any; ``published`` for
        recognised lipids; ``given`` for the user's own.
    support : str
        Of the votes: ``unanimous`` (several), ``single``, ``split``; empty without any.
    probabilities : tuple of float
        Of the winner and the alternatives, before calibration.
    chemistry : float
        Probability of the winner by chemistry alone.
    n_votes : int
        Votes at the finest level with votes, for any type.
    """

    bead_type: str
    reason: str
    confidence: float
    alternatives: tuple[str, ...]
    level: str
    support: str
    probabilities: tuple[float, ...] = ()
    chemistry: float = 0.0
    n_votes: int = 0


class BuildingBlockIndex:
    """Votes for bead types by fragment key, one mapping per level.

    Parameters
    ----------
    blocks : tuple of BuildingBlock
        ``fragment`` in the notation of :mod:`topdown.mapping.fragments`.
    keys : sequence of (str, str, str), optional
        What :func:`topdown.mapping.fragments.coarser` gives for each block, if it is known already.
    """

    def __init__(self, blocks: tuple[BuildingBlock, ...], keys: Sequence[Keys] | None = None) -> None:
        self._votes: tuple[dict[str, dict[str, int]], ...] = tuple({} for _ in LEVELS)
        self._sources: dict[tuple[int, str, str], str] = {}
        for block, levels in zip(blocks, [coarser(b.fragment) for b in blocks] if keys is None else keys):
            for level, key in enumerate(levels):
                votes = self._votes[level].setdefault(key, {})
                votes[block.bead_type] = votes.get(block.bead_type, 0) + block.n_seen
                self._sources.setdefault((level, key, block.bead_type), block.source)

    def votes(self, level: int, key: str) -> Mapping[str, int]:
        """How many curated beads support each type for ``key``."""
        return self._votes[level].get(key, {})

    def source(self, level: int, key: str, bead_type: str) -> str:
        """Where the first of those votes comes from."""
        return self._sources.get((level, key, bead_type), "")


@lru_cache(maxsize=8)
def building_block_index(table: BeadTable) -> BuildingBlockIndex:
    """The index of a table's building blocks, made once."""
    blocks = table.building_blocks
    return BuildingBlockIndex(blocks, stored_keys(tuple(block.fragment for block in blocks)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the beads of one molecule have in common."""

    roles: AtomRoles
    shared: frozenset[int]
    table: BeadTable
    index: BuildingBlockIndex
    model: TypeModel
    surroundings: Surroundings
    mol: Any
    known: _Known


def choose_type(
    mol: Any,
    group: tuple[int, ...],
    table: BeadTable,
    *,
    shared: frozenset[int] = frozenset(),
    index: BuildingBlockIndex | None = None,
    model: TypeModel | None = None,
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
    model : TypeModel, optional
        Use these weights instead of the shipped ones of the table's style.

    Raises
    ------
    BeadTableError
        The table holds no type that could stand for the fragment.
    """
    return choose_types(mol, (group,), table, shared=shared, index=index, model=model)[0]


def choose_types(
    mol: Any,
    groups: Sequence[tuple[int, ...]],
    table: BeadTable,
    *,
    shared: frozenset[int] = frozenset(),
    index: BuildingBlockIndex | None = None,
    model: TypeModel | None = None,
    fixed: Mapping[int, str] = MappingProxyType({}),
) -> tuple[TypeChoice, ...]:
    """The bead types of a whole molecule, one per group.

    Parameters
    ----------
    mol, table, shared, index, model
        As for :func:`choose_type`.
    groups : sequence of tuple of int
        Atoms of each bead.
    fixed : mapping of int to str
        Bead types the user has decided on, by place in ``groups``: they are kept, with confidence 1.

    Raises
    ------
    BeadTableError
        A fixed type is not in the table or its place is not that of a group; no type fits one of the other groups.
    """
    for place, name in fixed.items():
        if not 0 <= place < len(groups):
            raise BeadTableError(
                f"type {name!r} is meant for bead {place}, but there are only {len(groups)} beads, counted from 0",
                where=f"bead table {table.name}",
            )
        table.index(name)
    roles = atom_roles(mol)
    # Choices made with somebody's own votes would keep those alive.
    known = _known_choices(table) if index is None and model is None else _Known()
    context = _Context(
        roles=roles,
        shared=shared,
        table=table,
        index=building_block_index(table) if index is None else index,
        model=type_model(table_style(table)) if model is None else model,
        surroundings=Surroundings(roles, shared),
        mol=mol,
        known=known,
    )
    return tuple(
        _given(table, fixed[place]) if place in fixed else _choose(context, tuple(group))
        for place, group in enumerate(groups)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What speaks for the types of a fragment, but for its free energy.

    Attributes
    ----------
    keys : tuple of str
        Of the fragment, one per level.
    published : tuple of dict
        Votes of published beads, one per level.
    votes : tuple of dict
        The same once classes that the fragment alone cannot tell apart are settled by the rules.
    probabilities : (n_types,) float64
        By chemistry alone.
    by_rule : str
        The rules, in words.
    by_energy : bool
        Whether its free energy counts: it is neutral and nobody has published it.
    charged : bool
    """

    keys: Keys
    published: tuple[dict[str, int], ...]
    votes: tuple[dict[str, int], ...]
    probabilities: FloatArray
    by_rule: str
    by_energy: bool
    charged: bool


#: Stands for the choice of a bead whose free energy counts, which is remembered under that as well.
_BY_ENERGY = TypeChoice(bead_type="", reason="", confidence=0.0, alternatives=(), level="", support="")


@dataclass(frozen=True, slots=True)
class _Known:
    """Choices for beads met before, by :meth:`Surroundings.bead_key`.

    Attributes
    ----------
    choices : Remembered
        ``_BY_ENERGY`` where the free energy counts.
    by_energy : Remembered
        Choices by key and free energy [kJ/mol].
    """

    choices: Remembered[tuple[int, ...], TypeChoice] = field(default_factory=lambda: Remembered(_MOST_KNOWN))
    by_energy: Remembered[tuple[tuple[int, ...], float], TypeChoice] = field(
        default_factory=lambda: Remembered(_MOST_KNOWN)
    )


@lru_cache(maxsize=8)
def _known_choices(table: BeadTable) -> _Known:
    """The types given so far with the table's own building blocks."""
    return _Known()


def ion_choice(canonical_smiles: str, table: BeadTable) -> TypeChoice | None:
    """The bead of a monatomic ion, or ``None`` when it is none, or none that ``table`` has the type of."""
    model = published_ion(canonical_smiles, table_style(table))
    if model is None or model[0] not in table:
        return None
    bead_type, confidence, reason = model
    return TypeChoice(
        bead_type=bead_type, reason=reason, confidence=confidence, alternatives=(), level="ion", support=""
    )


def _given(table: BeadTable, name: str) -> TypeChoice:
    return TypeChoice(
        bead_type=table.bead_type(name).name,
        reason="given by the user",
        confidence=1.0,
        alternatives=(),
        level="given",
        support="",
    )


def _choose(context: _Context, group: tuple[int, ...]) -> TypeChoice:
    known = context.known
    group = context.surroundings.in_order(group)
    key = context.surroundings.bead_key(group)
    choice = known.choices.get(key)
    evidence = None
    if choice is None:
        evidence = _evidence(context, group)
        choice = _BY_ENERGY if evidence.by_energy else _decided(context, evidence, evidence.probabilities)
        known.choices[key] = choice
    if choice is not _BY_ENERGY:
        return choice
    energy = free_energy(context.mol, group, context.shared, context.surroundings)
    choice = known.by_energy.get((key, energy))
    if choice is None:
        # Kept by itself, evidence would be the largest part of what is remembered, and is hardly ever asked for again.
        evidence = evidence or _evidence(context, group)
        probabilities = weighted_by_free_energy(evidence.probabilities, energy, context.table)
        choice = known.by_energy[key, energy] = _decided(context, evidence, probabilities)
    return choice


def _evidence(context: _Context, group: tuple[int, ...]) -> _Evidence:
    """Votes and chemistry of a fragment in its surroundings."""
    roles, shared, table, model = context.roles, context.shared, context.table, context.model
    charge = roles.charge(group)
    keys = coarser(in_surroundings(roles.facts, group, shared))
    features, chemistry = bead_features(roles, group, shared, model.style)
    published = tuple(_votes(table, context.index, level, key, charge) for level, key in enumerate(keys))
    if published[0] == published[1]:
        # What surrounds the fragment tells no votes apart: they count once.
        published = ({}, *published[1:])
    votes = tuple(_settled(found, chemistry, table, model.style) for found in published)
    atoms = effective_atoms(roles, group, shared)
    size = bead_size(chemistry, roles, group, shared, model.style)
    return _Evidence(
        keys=keys,
        published=published,
        votes=votes,
        probabilities=type_probabilities(model, features, chemistry, charge, table),
        by_rule=(
            f"{chemistry.name} (usually {chemistry.core}{chemistry.labels}), {atoms:g} heavy atoms "
            f"({_SIZE_NAMES[size]} by rule), and its neighbours"
        ),
        by_energy=not charge and not votes[1],
        charged=charge != 0,
    )


def _decided(context: _Context, evidence: _Evidence, probabilities: FloatArray) -> TypeChoice:
    """The choice once the votes have moved the probabilities of chemistry."""
    table, votes, keys = context.table, evidence.votes, evidence.keys
    estimate = probabilities
    for level in reversed(range(len(LEVELS))):
        probabilities = _moved_by_votes(probabilities, votes[level], PRIOR_VOTES[level], table)
    finest = next((found for found in votes if found), None)
    if finest is not None and not evidence.charged:
        probabilities = _weighed_again(probabilities, estimate, finest)
    ranked = _ranked(probabilities, table)
    if not ranked:
        raise BeadTableError(
            f"no bead type for the fragment {keys[0]}",
            where=f"bead table {table.name}",
            hint="add a line for it to building_blocks.csv",
        )
    found = next((level for level in range(len(LEVELS)) if votes[level]), None)
    level_name = "estimate" if found is None else LEVELS[found]
    best, probability = ranked[0]
    by_chemistry, n_votes = float(estimate[table.index(best)]), sum(finest.values()) if finest else 0
    return TypeChoice(
        bead_type=best,
        reason=_reason(context, evidence, found, best),
        confidence=_calibrated(context.model.style, level_name, probability, by_chemistry, n_votes),
        alternatives=tuple(name for name, _ in ranked[1:]),
        level=level_name,
        support="" if found is None else _support(votes[found]),
        probabilities=tuple(p for _, p in ranked),
        chemistry=by_chemistry,
        n_votes=n_votes,
    )


def _votes(table: BeadTable, index: BuildingBlockIndex, level: int, key: str, charge: int) -> dict[str, int]:
    """Votes for types of the table that carry a charge when the fragment does, and only then."""
    return {
        name: count
        for name, count in index.votes(level, key).items()
        if name in table and _is_ionic(name, table) == (charge != 0)
    }


def _settled(votes: dict[str, int], chemistry: FunctionalGroup, table: BeadTable, style: str) -> dict[str, int]:
    """Votes with those for the classes the rule stands ``instead_of`` given to its own, of the same size."""
    if not chemistry.instead_of:
        return votes
    found: dict[str, int] = {}
    for name, count in votes.items():
        parts = type_parts(name, style)
        size = "" if parts.size == "R" else parts.size
        own = f"{size}{chemistry.core}{chemistry.labels}"
        name = own if parts.core in chemistry.instead_of and own in table else name
        found[name] = found.get(name, 0) + count
    return found


def _is_ionic(name: str, table: BeadTable) -> bool:
    return table.bead_type(name).chemical_class[:1] in ("Q", "D")


def _moved_by_votes(
    probabilities: FloatArray, votes: Mapping[str, int], prior_votes: float, table: BeadTable
) -> FloatArray:
    if not votes:
        return probabilities
    found = probabilities * prior_votes
    for name, count in votes.items():
        found[table.index(name)] += count
    return np.asarray(found / (prior_votes + sum(votes.values())))


def _weighed_again(probabilities: FloatArray, estimate: FloatArray, votes: Mapping[str, int]) -> FloatArray:
    """What votes have made of the estimate, times the estimate where the votes do not decide."""
    first, second = sorted((*votes.values(), 0), reverse=True)[:2]
    if first - second >= LEAD:
        return probabilities
    found = probabilities * (estimate + ESTIMATE_FLOOR) ** ESTIMATE_POWER
    return np.asarray(found / found.sum())


def _ranked(probabilities: FloatArray, table: BeadTable) -> list[tuple[str, float]]:
    """(type, probability) of the winner and the alternatives, most probable first; equals in the order of the table."""
    rounded = np.round(probabilities, 12)
    wanted = MAX_ALTERNATIVES + 1
    least = np.partition(rounded, -wanted)[-wanted] if len(rounded) > wanted else 0.0
    near = np.flatnonzero(rounded >= least)
    order = near[np.argsort(-rounded[near], kind="stable")][:wanted]
    return [(table.bead_types[i].name, float(probabilities[i])) for i in order if probabilities[i] > 0.0]


def calibration_terms(probability: float, chemistry: float, n_votes: int) -> tuple[float, float, float, float]:
    """What the four numbers of :data:`CALIBRATION` are multiplied by."""
    q = min(max(chemistry, LEAST_CHEMISTRY), 1.0 - LEAST_CHEMISTRY)
    p = min(max(probability, 1e-6), 1.0 - 1e-6)
    return 1.0, log(p / (1.0 - p)), log(q / (1.0 - q)), log(1.0 + n_votes)


def _calibrated(style: str, level: str, probability: float, chemistry: float, n_votes: int) -> float:
    numbers = CALIBRATION[style, "known" if level in KNOWN_LEVELS else "unseen"]
    z = sum(number * term for number, term in zip(numbers, calibration_terms(probability, chemistry, n_votes)))
    return round(1.0 / (1.0 + exp(-z)), 3)


def _support(votes: Mapping[str, int]) -> str:
    return "single" if sum(votes.values()) == 1 else "unanimous" if len(votes) == 1 else "split"


def _reason(context: _Context, evidence: _Evidence, found: int | None, best: str) -> str:
    """What decided, in a sentence."""
    keys, by_rule = evidence.keys, evidence.by_rule
    if found is None:
        return f"fragment {keys[2]} unknown to {context.table.name}: {by_rule} -> {best}"
    here = evidence.published[found]
    total = sum(here.values())
    name = f"{_LEVEL_NAMES[found]} {keys[found]}"
    source = context.index.source(found, keys[found], best)
    cited = f" -> {best} [{source}]" if source else f" -> {best}"
    if best in here and here == evidence.votes[found]:
        count = f"{here[best]} of {total}" if len(here) > 1 else str(total)
        times = "time" if count == "1" else "times"
        text = f"{name} seen {count} {times} in published models{cited}"
        return text if LEVELS[found] in KNOWN_LEVELS else f"{text}; {by_rule}"
    listed = ", ".join(f"{t} ({n} of {total})" for t, n in sorted(here.items(), key=lambda item: (-item[1], item[0])))
    but = "and" if best in here else "but"
    return f"{name} is published as {listed}, {but} {by_rule}{cited}"
