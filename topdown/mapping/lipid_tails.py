"""Fatty tails: where a molecule has them, and how many carbons each of their beads holds.

A tail is an unbranched, open chain of carbons down to its methyl group, with single and double bonds only. It is counted
from the atom after the carbonyl carbon; carbon numbers in reasons are those of the acid, the carbonyl being 1.

Martini 3 (lipidome): n carbons, n mod 4 = 3 → the first bead holds three and is small, n mod 4 = 1 → it holds five.
Martini 2: fours from the carbonyl; three left over end the tail, one left over makes the third bead five.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rdkit import Chem

from topdown.mapping.atom_roles import atoms_of, known_facts

#: Shortest tail taken for one [carbons after the carbonyl]: that of octanoyl, the shortest published.
MIN_TAIL = 7


class MoleculeGraph:
    """Plain lists of what recognition asks about the heavy atoms of a molecule, read once.

    Attributes
    ----------
    symbols, charges, neighbours, hydrogens, ring : lists over atoms
    """

    def __init__(self, mol: Any) -> None:
        facts = known_facts(mol)
        self.symbols: list[str] = [_symbol(a.element) for a in facts]
        self.charges: list[int] = [a.charge for a in facts]
        self.hydrogens: list[int] = [a.hydrogens for a in facts]
        self.ring: list[bool] = [a.IsInRing() for a in atoms_of(mol)]
        self.neighbours: list[list[int]] = [sorted(j for j, *_ in a.neighbours) for a in facts]
        self._mol = mol
        self._orders = {(i, j): order for i, a in enumerate(facts) for j, _, order, _ in a.neighbours}

    def __len__(self) -> int:
        return len(self.symbols)

    def order(self, i: int, j: int) -> float:
        """Bond order between two neighbours."""
        return self._orders[i, j]

    def side(self, i: int, j: int) -> str:
        """``cis``, ``trans``, or empty when the double bond does not say."""
        stereo = str(self._mol.GetBondBetweenAtoms(i, j).GetStereo())
        return "trans" if stereo in ("STEREOE", "STEREOTRANS") else "cis" if stereo in ("STEREOZ", "STEREOCIS") else ""

    def others(self, atom: int, *without: int) -> list[int]:
        """Neighbours of ``atom`` but for those named."""
        return [x for x in self.neighbours[atom] if x not in without]

    def is_chain_carbon(self, atom: int, *, hydrogens: int | None = None) -> bool:
        """A neutral carbon outside rings."""
        return (
            self.symbols[atom] == "C"
            and not self.ring[atom]
            and self.charges[atom] == 0
            and (hydrogens is None or self.hydrogens[atom] == hydrogens)
        )


@lru_cache(maxsize=128)
def _symbol(element: int) -> str:
    return str(Chem.GetPeriodicTable().GetElementSymbol(element))


def may_have_tails(mol: Any) -> bool:
    """Whether there are enough carbons for a tail: a quick look, before the molecular graph is made."""
    found = 0
    for a in known_facts(mol):
        found += a.element == 6 and not a.in_ring and len(a.neighbours) < 3 and not a.charge
    return found >= MIN_TAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """One tail.

    Attributes
    ----------
    carbons : tuple of int
        Atoms from the carbonyl down.
    doubles : tuple of (int, str)
        Position in ``carbons`` of the first carbon of each double bond, and ``cis``, ``trans`` or empty.
    """

    carbons: tuple[int, ...]
    doubles: tuple[tuple[int, str], ...]


def walk_tail(graph: MoleculeGraph, start: int, before: int) -> Tail | None:
    """The tail that starts at ``start``, seen from ``before``; ``None`` if it branches, carries anything or is short."""
    carbons: list[int] = []
    doubles: list[tuple[int, str]] = []
    previous, current = before, start
    while True:
        if not graph.is_chain_carbon(current):
            return None
        carbons.append(current)
        onward = graph.others(current, previous)
        if not onward:
            break
        if len(onward) > 1:
            return None
        order = graph.order(current, onward[0])
        if order == 2.0:
            if doubles and doubles[-1][0] == len(carbons) - 2:
                return None
            doubles.append((len(carbons) - 1, graph.side(current, onward[0])))
        elif order != 1.0:
            return None
        previous, current = current, onward[0]
    return Tail(carbons=tuple(carbons), doubles=tuple(doubles)) if len(carbons) >= MIN_TAIL else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DividedTail:
    """A tail in beads.

    Attributes
    ----------
    groups : tuple of tuple of int
        Atoms of each bead, from the carbonyl down.
    letters : str
        One per bead: C D F T, lower case for three carbons where the table has small tail beads.
    published : bool
        Whether published models have tails divided like this.
    assumed_cis : bool
        Whether a double bond without stereo was taken for cis.
    """

    groups: tuple[tuple[int, ...], ...]
    letters: str
    published: bool
    assumed_cis: bool

    @property
    def sizes(self) -> str:
        """For instance ``3-4-4-4``."""
        return "-".join(str(len(group)) for group in self.groups)


def divide_tail(tail: Tail, first_bead: str, *, sphingoid: bool = False) -> DividedTail:
    """Divide a tail by the rule of a table.

    Parameters
    ----------
    tail : Tail
    first_bead : str
        :attr:`topdown.mapping.lipid_rules.LipidRules.first_bead`.
    sphingoid : bool
        The chain of a sphingoid base, counted from the carbon after the hydroxyl; its first double bond is trans.
    """
    n = len(tail.carbons)
    doubles = list(tail.doubles)
    if sphingoid and doubles and doubles[0] == (0, ""):
        doubles[0] = (0, "trans")
    if first_bead == "four":
        sizes = _sizes_sphingoid_2(n) if sphingoid else _sizes_2(n)
        published = n % 2 == 1
    else:
        sizes, published = _sizes_3(n), n % 4 in (1, 3)
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    groups = tuple(tail.carbons[s : s + size] for s, size in zip(starts, sizes))
    bead_of = [k for k, size in enumerate(sizes) for _ in range(size)]
    letters = _letters_2(doubles, bead_of) if first_bead == "four" else _letters_3(doubles, bead_of, sizes)
    return DividedTail(
        groups=groups, letters=letters, published=published, assumed_cis=any(not side for _, side in doubles)
    )


def _sizes_3(n: int) -> list[int]:
    fours = [4] * (n // 4)
    match n % 4:
        case 3:
            return [3, *fours]
        case 1:
            return [5, *fours[1:]]
        case 2:  # not published: small beads at both ends
            return [3, *fours[1:], 3]
    return fours


def _sizes_2(n: int) -> list[int]:
    fours = [4] * (n // 4)
    match n % 4:
        case 3:
            return [*fours, 3]
        case 2:  # not published: an even count of beads is kept near four
            return [*fours[1:], 3, 3]
        case 1:
            fours[min(2, len(fours) - 1)] += 1
    return fours


def _sizes_sphingoid_2(n: int) -> list[int]:
    """One bead less than an acid of that length: part of the chain belongs to the linker."""
    count = max((n + 1) // 4 - 1, 1)
    return [n // count + (k < n % count) for k in range(count)]


def _letters_3(doubles: list[tuple[int, str]], bead_of: list[int], sizes: list[int]) -> str:
    """A cut double bond counts half in two beads that each hold another, else wholly in the one that holds none."""
    whole = {bead_of[p] for p, _ in doubles if bead_of[p] == bead_of[p + 1]}
    weight = [0.0] * len(sizes)
    trans = [True] * len(sizes)
    for position, side in doubles:
        one, two = bead_of[position], bead_of[position + 1]
        if one == two:
            shares = {one: 1.0}
        elif one in whole and two in whole:
            shares = {one: 0.5, two: 0.5}
        else:
            shares = {two if one in whole else one: 1.0}
        for bead, share in shares.items():
            weight[bead] += share
            trans[bead] &= side == "trans"
    letters = ["C" if w == 0 else "T" if t else "D" if w == 1 else "F" for w, t in zip(weight, trans)]
    return "".join(letter.lower() if size == 3 else letter for letter, size in zip(letters, sizes))


def _letters_2(doubles: list[tuple[int, str]], bead_of: list[int]) -> str:
    """A double bond belongs to the bead of its first carbon; F marks a cis bead beside another one."""
    kinds = ["C"] * (bead_of[-1] + 1)
    for position, side in doubles:
        bead = bead_of[position]
        kinds[bead] = "T" if side == "trans" and kinds[bead] != "D" else "D"
    padded = ["", *kinds, ""]
    return "".join("F" if kind == "D" and "D" in (padded[k], padded[k + 2]) else kind for k, kind in enumerate(kinds))
