"""Bead types for fragments nobody has published: chemical class, and Crippen's atom contributions to logP.

A fragment's octanol/water free energy is the sum of the contributions of its atoms and their hydrogens (Wildman and
Crippen, J. Chem. Inf. Comput. Sci. 39, 868 (1999)); among the types of its class and size the one with the nearest
published bead free energy is taken first.
"""

from __future__ import annotations

from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from topdown.model import BeadTable
from topdown.units import kj_mol_per_log_unit

#: Octanol → water free energy of beads [kJ/mol] per size; Souza et al., Nat. Methods 18, 382 (2021), supporting
#: information, as tabulated in Automartini_M3.
_LEVELS_M3: dict[str, tuple[float, float, float]] = {
    "C1": (18.9, 14.2, 12.0), "C2": (14.8, 9.9, 7.8), "C3": (13.8, 9.2, 6.7), "C4": (13.4, 8.4, 6.4),
    "C5": (11.2, 6.3, 4.5), "C6": (10.1, 5.3, 3.6), "N1": (8.1, 3.6, 2.3), "N2": (5.6, 2.1, 0.3),
    "N3": (1.8, -1.8, -3.1), "N4": (2.2, -0.9, -2.9), "N5": (0.0, -3.6, -4.9), "N6": (-1.1, -4.2, -6.1),
    "P1": (-2.0, -5.2, -7.2), "P2": (-3.8, -6.9, -8.8), "P3": (-5.1, -7.7, -9.8), "P4": (-7.4, -9.8, -12.1),
    "P5": (-9.1, -11.8, -15.2), "P6": (-9.2, -12.0, -14.8),
}  # fmt: skip
#: The same for Martini 2: thermodynamic integration of Bereau and Kremer, J. Chem. Theory Comput. 11, 2783 (2015).
_LEVELS_M2 = {
    "P5": -8.9, "P4": -9.3, "P3": -8.8, "P2": -3.9, "P1": -2.3, "N": 2.5, "N0": 4.2,
    "C5": 6.9, "C4": 10.1, "C3": 12.3, "C2": 13.7, "C1": 14.2,
}  # fmt: skip
_TEMPERATURE = 298.15


def table_style(table: BeadTable) -> str:
    """``martini3`` for tables with tiny beads, ``martini2`` for those without."""
    return "martini3" if any(t.size == "T" for t in table.bead_types) else "martini2"


def estimate_types(mol: Any, group: tuple[int, ...], shared: frozenset[int], table: BeadTable) -> list[str]:
    """Candidate types that exist in ``table`` for a group of atoms, best guess first; empty when none fits."""
    atoms = [mol.GetAtomWithIdx(a) for a in group]
    style = table_style(table)
    prefix = _size_prefix(atoms, shared, style)
    classes = _classes_m3(mol, atoms, shared, prefix) if style == "martini3" else _classes_m2(mol, atoms, shared)
    names = [prefix + c for c in classes]
    # A class missing in this size may exist in another; the base class may exist where the label does not.
    for other in ("S", "", "T"):
        names += [other + c for c in classes]
    names += [prefix + c[:2] for c in classes]
    found = [n for n in dict.fromkeys(names) if n in table]
    if not found:
        ionic = sum(a.GetFormalCharge() for a in atoms) != 0
        found = [
            t.name
            for t in table.bead_types
            if (t.chemical_class[:1] in "QD") == ionic and t.chemical_class[:1] in "PNCXQD"
        ]
    return found


def _size_prefix(atoms: list[Any], shared: frozenset[int], style: str) -> str:
    weight = sum(0.5 if a.GetIdx() in shared else 1.0 for a in atoms)
    aromatic = any(a.GetIsAromatic() for a in atoms)
    ring = any(a.IsInRing() for a in atoms)
    if style == "martini2":
        return "S" if ring and weight <= 3 else ""
    if weight < 2.5 or (aromatic and weight < 2.75):
        return "T"
    quaternary = any(a.GetDegree() == 4 and not a.IsInRing() for a in atoms) and weight <= 4
    return "S" if weight < 3.5 or (ring and weight <= 4) or quaternary else ""


def _free_energy(mol: Any, atoms: list[Any], shared: frozenset[int]) -> float:
    """Crippen estimate of the octanol → water free energy of the atoms with their hydrogens [kJ/mol]."""
    with rdBase.BlockLogs():
        full = Chem.AddHs(mol)
        contributions = rdMolDescriptors._CalcCrippenContribs(full)
    total = 0.0
    for atom in atoms:
        weight = 0.5 if atom.GetIdx() in shared else 1.0
        here = full.GetAtomWithIdx(atom.GetIdx())
        hydrogens = (n.GetIdx() for n in here.GetNeighbors() if n.GetAtomicNum() == 1)
        total += weight * (contributions[atom.GetIdx()][0] + sum(contributions[h][0] for h in hydrogens))
    return total * kj_mol_per_log_unit(_TEMPERATURE)


def _hydrogen_bonding(atoms: list[Any]) -> tuple[bool, bool]:
    """(donor, acceptor)."""
    polar = [a for a in atoms if a.GetAtomicNum() in (7, 8)]
    donor = any(a.GetTotalNumHs() > 0 for a in polar)
    acceptor = any(
        a.GetAtomicNum() == 8 or (not a.GetIsAromatic() and a.GetTotalNumHs() == 0) or
        (a.GetIsAromatic() and a.GetTotalNumHs() == 0 and a.GetDegree() == 2)
        for a in polar
    )  # fmt: skip
    return donor, acceptor


def _carbon_class(atoms: list[Any], weight: float, style: str) -> list[str]:
    aromatic = any(a.GetIsAromatic() for a in atoms)
    orders = [b.GetBondTypeAsDouble() for a in atoms for b in a.GetBonds()]
    if any(a.GetAtomicNum() in (16, 34) for a in atoms):
        return ["C6", "C5"] if style == "martini3" else ["C5"]
    if aromatic:
        return ["C5", "C4", "C5e"] if style == "martini3" else ["C4", "C5"]
    if 3.0 in orders:
        return ["C6", "C5"] if style == "martini3" else ["C4", "C3"]
    if 2.0 in orders:
        return ["C4", "C4h", "C5"] if style == "martini3" else ["C3", "C4"]
    if any(a.IsInRing() for a in atoms):
        return ["C3", "C2"] if style == "martini3" else ["C1", "C2"]
    return ["C1", "C2"] if weight > 3.5 else ["C2", "C1", "C3"]


def _classes_m3(mol: Any, atoms: list[Any], shared: frozenset[int], prefix: str) -> list[str]:
    charge = sum(a.GetFormalCharge() for a in atoms)
    if abs(charge) >= 2:
        return ["D", "Q5"]
    if charge > 0:
        cation = next(a for a in atoms if a.GetFormalCharge() > 0)
        if cation.GetTotalNumHs() == 0:
            return ["Q1", "Q2", "Q3p"]
        return ["Q3p", "Q4p"] if any(b.GetBondTypeAsDouble() > 1 for b in cation.GetBonds()) else ["Q4p", "Q3p"]
    if charge < 0:
        phosphorus = any(a.GetAtomicNum() in (15, 16) for a in atoms)
        return ["Q5", "Q4n", "Q3n"] if phosphorus else ["Q5n", "Q4n", "Q3n"]
    halogens = [a.GetAtomicNum() for a in atoms if a.GetAtomicNum() in (9, 17, 35, 53)]
    if halogens:
        if halogens.count(9) >= 3:
            return ["X4e", "X4"]
        return [{9: "X4", 17: "X3", 35: "X2", 53: "X1"}[max(halogens)], "X3", "X2"]
    if not any(a.GetAtomicNum() in (5, 7, 8, 14, 15) for a in atoms):
        return _carbon_class(atoms, sum(0.5 if a.GetIdx() in shared else 1.0 for a in atoms), "martini3")
    column = {"": 0, "S": 1, "T": 2}[prefix]
    target = _free_energy(mol, atoms, shared)
    donor, acceptor = _hydrogen_bonding(atoms)
    label = "" if donor == acceptor else "d" if donor else "a"
    lowest = "P" if donor and acceptor else "N"
    polar = [c for c in _LEVELS_M3 if c[0] in "NP" and not (lowest == "P" and c in ("N1", "N2", "N3", "N4", "N5"))]
    # d and a raise N and P beads by about 2.3 kJ/mol.
    ranked = sorted(polar, key=lambda c: (abs(_LEVELS_M3[c][column] + (2.3 if label else 0.0) - target), c))
    return [name for c in ranked[:4] for name in ((c + label, c) if label else (c,))]


def _classes_m2(mol: Any, atoms: list[Any], shared: frozenset[int]) -> list[str]:
    charge = sum(a.GetFormalCharge() for a in atoms)
    donor, acceptor = _hydrogen_bonding(atoms)
    if charge > 0:
        return ["Qd" if any(a.GetFormalCharge() > 0 and a.GetTotalNumHs() for a in atoms) else "Q0", "Qda"]
    if charge < 0:
        return ["Qa", "Qda"]
    weight = sum(0.5 if a.GetIdx() in shared else 1.0 for a in atoms)
    halogens = sum(a.GetAtomicNum() in (9, 17, 35, 53) for a in atoms)
    if halogens:
        return ["C3", "C4"] if halogens == 1 else ["C4", "C3"]
    if not any(a.GetAtomicNum() in (5, 7, 8, 14, 15) for a in atoms):
        return _carbon_class(atoms, weight, "martini2")
    target = _free_energy(mol, atoms, shared)
    nitrogen_oxygen = "N" + ("da" if donor and acceptor else "d" if donor else "a" if acceptor else "0")
    levels = {(nitrogen_oxygen if c == "N" else c): g for c, g in _LEVELS_M2.items() if c[0] != "C"}
    return sorted(levels, key=lambda c: (abs(levels[c] - target), c))[:4]
