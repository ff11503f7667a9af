"""What an atom is, in words of rising detail: the features that interaction strengths of beads are estimated from.

Every heavy atom has one feature of each level, and atoms that can accept or donate hydrogen bonds, or are halogens, one for
each other such atom within five bonds:

0. element, aromatic in lower case: ``C``, ``o``;
1. with hydrogens, multiple bonds and ring membership: ``CH3``, ``C2O`` (carbonyl), ``CH2r``;
2. with its neighbours that are not plain carbon: ``CH2(O)``, ``OH1(c)``;
3. for all but carbon, with all neighbours;
4. ``d3``: another polar atom three bonds away;
5. ``NH,O3``: which, and how far;
6. numbers that methods trained elsewhere give each atom (:func:`atom_descriptors`), so that what was never measured here is
   not all guesswork.

Features of a bead are the sums over its atoms; an atom in several beads counts in equal parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors, rdPartialCharges

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
    seen: set[tuple[int, tuple[str, int]]] = set()
    for i, a in enumerate(polar):
        for b in polar[:i]:
            assert steps is not None
            n = int(steps[a.GetIdx(), b.GetIdx()])
            if 1 < n <= REACH:
                kinds = ",".join(sorted((_kind(a), _kind(b))))
                for atom, other in ((a, b), (b, a)):
                    group = (atom.GetIdx(), _group(other))
                    if group not in seen:
                        seen.add(group)
                        features[atom.GetIdx()] += [(4, f"d{n}"), (5, f"{kinds}{n}")]
    return tuple(tuple(found) for found in features)


#: Numbers of level 6, and what they are divided by so that those of a bead are about one.
DESCRIPTORS: Final = {"logP": 1.0, "MR": 5.0, "TPSA": 20.0, "ASA": 10.0, "q": 0.5, "qH": 0.25}


def atom_descriptors(mol: Any) -> tuple[tuple[float, ...], ...]:
    """For every atom the numbers of ``DESCRIPTORS``, hydrogens with the atom that carries them.

    Contributions to log P and molar refractivity (Wildman & Crippen 1999, doi:10.1021/ci990307l), to the topological polar
    surface (Ertl et al. 2000, doi:10.1021/jm000942e; N and O), to the surface (Labute 2000,
    doi:10.1016/S1093-3263(00)00068-1); the size of the partial charge without hydrogens, and the charge of the hydrogens
    where it is positive (Gasteiger & Marsili 1980, doi:10.1016/0040-4020(80)80168-2), both 0 for elements without parameters.
    """
    whole = Chem.AddHs(mol)
    n = mol.GetNumAtoms()
    log_p, refractivity = [0.0] * n, [0.0] * n
    for atom, (own_log_p, own_refractivity) in zip(atoms_of(whole), rdMolDescriptors._CalcCrippenContribs(whole)):
        carrier = atom.GetIdx() if atom.GetIdx() < n else atom.GetNeighbors()[0].GetIdx()
        log_p[carrier] += own_log_p
        refractivity[carrier] += own_refractivity
    polar = rdMolDescriptors._CalcTPSAContribs(mol)
    surface = rdMolDescriptors._CalcLabuteASAContribs(mol)[0]
    charged = Chem.Mol(mol)
    rdPartialCharges.ComputeGasteigerCharges(charged)
    charges = [abs(_number(atom, "_GasteigerCharge")) for atom in atoms_of(charged)]
    hydrogens = [max(_number(atom, "_GasteigerHCharge"), 0.0) for atom in atoms_of(charged)]
    scales = DESCRIPTORS.values()
    return tuple(
        tuple(float(value) / scale for value, scale in zip(of_atom, scales, strict=True))
        for of_atom in zip(log_p, refractivity, polar, surface, charges, hydrogens, strict=True)
    )


def _number(atom: Any, name: str) -> float:
    value = float(atom.GetDoubleProp(name))
    return value if math.isfinite(value) else 0.0


def bead_features(mol: Any, groups: Sequence[Sequence[int]]) -> tuple[dict[Feature, float], ...]:
    """The features of every bead.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
    groups : sequence of sequence of int
        Atoms of every bead.
    """
    of_atoms, numbers = atom_features(mol), atom_descriptors(mol)
    shared = Counter(k for group in groups for k in group)
    found = []
    for group in groups:
        total: dict[Feature, float] = {}
        for k in group:
            for feature in of_atoms[k]:
                total[feature] = total.get(feature, 0.0) + 1.0 / shared[k]
        for place, name in enumerate(DESCRIPTORS):
            total[6, name] = sum(numbers[k][place] / shared[k] for k in group)
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


def _group(atom: Any) -> tuple[str, int]:
    """What counts once as a neighbour: the halogens of one carbon together, every other polar atom."""
    halogen = atom.GetSymbol() in _HALOGENS and atom.GetDegree() == 1
    return ("X", atom.GetNeighbors()[0].GetIdx()) if halogen else (atom.GetSymbol(), atom.GetIdx())


def _kind(atom: Any) -> str:
    symbol: str = atom.GetSymbol()
    if symbol in _HALOGENS:
        return "X"
    return f"{symbol}H" if atom.GetTotalNumHs() else symbol
