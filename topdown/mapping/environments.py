"""What an atom is, in words of rising detail: the features that interaction strengths of beads are estimated from.

Every heavy atom has one feature of each level, and atoms that can accept or donate hydrogen bonds, or are halogens, one for
each other such atom within five bonds:

0. element, aromatic in lower case: ``C``, ``o``;
1. with hydrogens, multiple bonds and ring membership: ``CH3``, ``C2O`` (carbonyl), ``CH2r``;
2. with its neighbours that are not plain carbon: ``CH2(O)``, ``OH1(c)``;
3. for all but carbon, with all neighbours;
4. ``d3``: another polar atom three bonds away;
5. ``NH,O3``: which, and how far.

Features of a bead are the sums over its atoms; an atom in several beads counts in equal parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rdkit import Chem

from topdown.mapping.atom_roles import atoms_of

#: (level, what is found there).
Feature = tuple[int, str]

_HALOGENS: Final = ("F", "Cl", "Br", "I")
_POLAR: Final = ("N", "O", "S", *_HALOGENS)
#: Most bonds between two polar atoms that still feel each other.
REACH: Final = 5


def atom_features(mol: Any) -> tuple[tuple[Feature, ...], ...]:
    """The features of every atom of a molecule, in order."""
    features = [_own(atom) for atom in atoms_of(mol)]
    polar = [atom for atom in atoms_of(mol) if atom.GetSymbol() in _POLAR]
    steps = Chem.GetDistanceMatrix(mol) if len(polar) > 1 else None
    for i, a in enumerate(polar):
        for b in polar[:i]:
            assert steps is not None
            n = int(steps[a.GetIdx(), b.GetIdx()])
            if 1 < n <= REACH:
                kinds = ",".join(sorted((_kind(a), _kind(b))))
                for atom in (a, b):
                    features[atom.GetIdx()] += [(4, f"d{n}"), (5, f"{kinds}{n}")]
    return tuple(tuple(found) for found in features)


def bead_features(mol: Any, groups: Sequence[Sequence[int]]) -> tuple[dict[Feature, float], ...]:
    """The features of every bead.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
    groups : sequence of sequence of int
        Atoms of every bead.
    """
    of_atoms = atom_features(mol)
    shared = Counter(k for group in groups for k in group)
    found = []
    for group in groups:
        total: dict[Feature, float] = {}
        for k in group:
            for feature in of_atoms[k]:
                total[feature] = total.get(feature, 0.0) + 1.0 / shared[k]
        found.append(total)
    return tuple(found)


def _own(atom: Any) -> list[Feature]:
    symbol = atom.GetSymbol()
    plain = symbol.lower() if atom.GetIsAromatic() else symbol
    multiple = sorted(
        f"{bond.GetBondTypeAsDouble():.0f}{bond.GetOtherAtom(atom).GetSymbol()}"
        for bond in atom.GetBonds()
        if bond.GetBondTypeAsDouble() >= 2.0
    )
    hydrogens = atom.GetTotalNumHs()
    charge = f"{atom.GetFormalCharge():+d}" if atom.GetFormalCharge() else ""
    ring = "r" if atom.IsInRing() and not atom.GetIsAromatic() else ""
    first = f"{plain}H{hydrogens}{charge}{''.join(multiple)}{ring}"
    around = sorted(_neighbour(other) for other in atom.GetNeighbors())
    features: list[Feature] = [
        (0, plain),
        (1, first),
        (2, f"{first}({','.join(name for name in around if name != 'C')})"),
    ]
    if symbol != "C":
        features.append((3, f"{first}({','.join(around)})"))
    return features


def _neighbour(atom: Any) -> str:
    orders = [(bond.GetBondTypeAsDouble(), bond.GetOtherAtom(atom).GetSymbol()) for bond in atom.GetBonds()]
    name: str = atom.GetSymbol().lower() if atom.GetIsAromatic() else atom.GetSymbol()
    if any(order >= 2.0 and symbol in ("O", "S", "N") for order, symbol in orders):
        return f"{name}=O"
    if any(order == 3.0 for order, _ in orders):
        return f"{name}#"
    return f"{name}=" if any(order == 2.0 for order, _ in orders) else name


def _kind(atom: Any) -> str:
    symbol: str = atom.GetSymbol()
    if symbol in _HALOGENS:
        return "X"
    return f"{symbol}H" if atom.GetTotalNumHs() else symbol
