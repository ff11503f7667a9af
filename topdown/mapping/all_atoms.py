"""The atoms behind the beads, hydrogens included, and where they are in the conformer the beads were placed by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rdkit import Chem, rdBase

from topdown.mapping.canonical_molecule import conformers_of
from topdown.mapping.fragmenting import output_order
from topdown.mapping.smiles import NO_LIMITS, parse_smiles
from topdown.model import CGMolecule
from topdown.model._arrays import FloatArray

#: Beads of the conformer may lie this far [nm] from those of the molecule, root mean square.
_SAME = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class AllAtoms:
    """All atoms of a molecule: heavy atoms in the order written, then the hydrogens of each in turn.

    Attributes
    ----------
    elements : tuple of str
    parents : tuple of int
        The heavy atom each atom belongs to: itself, or the one a hydrogen is bound to.
    places : tuple of int
        For each heavy atom its number as the beads count it.
    bonds : tuple of (int, int, float)
        Atoms, and the bond order.
    charges : tuple of int
        Formal charges.
    """

    elements: tuple[str, ...]
    parents: tuple[int, ...]
    places: tuple[int, ...]
    bonds: tuple[tuple[int, int, float], ...]
    charges: tuple[int, ...]


def all_atoms(molecule: CGMolecule) -> AllAtoms:
    """The atoms of a mapped molecule.

    Raises
    ------
    MoleculeError
        The molecule has no SMILES.
    """
    parsed = parse_smiles(molecule.smiles, largest_fragment=True, limits=NO_LIMITS)
    return _described(Chem.AddHs(parsed.mol), parsed.written)


def _described(full: Any, places: tuple[int, ...]) -> AllAtoms:
    parents = tuple(
        atom.GetNeighbors()[0].GetIdx() if atom.GetIdx() >= len(places) else atom.GetIdx() for atom in full.GetAtoms()
    )
    return AllAtoms(
        elements=tuple(atom.GetSymbol() for atom in full.GetAtoms()),
        parents=parents,
        places=places,
        bonds=tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b.GetBondTypeAsDouble()) for b in full.GetBonds()),
        charges=tuple(atom.GetFormalCharge() for atom in full.GetAtoms()),
    )


def placed_atoms(molecule: CGMolecule, *, seed: int) -> tuple[FloatArray, bool]:
    """Coordinates of all atoms in the conformer that the beads were placed by, moved onto the beads.

    Parameters
    ----------
    molecule : CGMolecule
        With positions.
    seed : int
        Seed that the molecule was mapped with.

    Returns
    -------
    (n_atoms, 3) float64 [nm], bool
        Coordinates in the order of :func:`all_atoms`, and whether it is the very conformer – otherwise one whose beads lie
        elsewhere (beads placed by other means). No rows when no conformer can be made.
    """
    parsed = parse_smiles(molecule.smiles, largest_fragment=True, limits=NO_LIMITS)
    made = conformers_of(parsed.canonical_smiles, seed)
    if made is None or molecule.positions is None:
        return np.zeros((0, 3)), False
    fresh, coordinates, weights = made
    with rdBase.BlockLogs():
        full = Chem.AddHs(parsed.mol)
        match = _same_atoms(parsed.mol, full, fresh)
    placed = np.asarray(coordinates[int(np.argmax(weights))])[list(match)]
    atoms = _described(full, parsed.written)
    with_mass = not molecule.table.startswith("martini3")
    centres = _centres(molecule, full, atoms, placed, with_mass)
    known = [k for k, bead in enumerate(molecule.beads) if bead.atoms]
    target = np.asarray(molecule.positions)[known]
    moved = _moved(placed, centres[known], target)
    rms = float(np.sqrt(np.mean(np.sum((_moved(centres[known], centres[known], target) - target) ** 2, axis=1))))
    return moved, rms < _SAME


def _same_atoms(mol: Any, full: Any, fresh: Any) -> tuple[int, ...]:
    """For each atom of ``full`` the atom of ``fresh``: both are the same molecule, numbered differently."""
    Chem.MolToSmiles(mol)
    heavy = {old: new for new, old in enumerate(output_order(mol))}
    hydrogens: dict[int, list[int]] = {}
    for atom in fresh.GetAtoms():
        if atom.GetAtomicNum() == 1:
            hydrogens.setdefault(atom.GetNeighbors()[0].GetIdx(), []).append(atom.GetIdx())
    match = []
    for atom in full.GetAtoms():
        if atom.GetIdx() < mol.GetNumAtoms():
            match.append(heavy[atom.GetIdx()])
        else:
            match.append(hydrogens[heavy[atom.GetNeighbors()[0].GetIdx()]].pop(0))
    return tuple(match)


def _centres(molecule: CGMolecule, full: Any, atoms: AllAtoms, placed: FloatArray, with_mass: bool) -> FloatArray:
    """Centre of each bead's atoms: of geometry with hydrogens, or of mass without; shared atoms count in part."""
    times: dict[int, int] = {}
    for bead in molecule.beads:
        for place in bead.atoms:
            times[place] = times.get(place, 0) + 1
    centres = np.zeros((molecule.n_beads, 3))
    for k, bead in enumerate(molecule.beads):
        weights = np.zeros(len(placed))
        for atom, parent in enumerate(atoms.parents):
            place = atoms.places[parent]
            if place in bead.atoms and (not with_mass or atom == parent):
                weights[atom] = (full.GetAtomWithIdx(atom).GetMass() if with_mass else 1.0) / times[place]
        if weights.sum():
            centres[k] = weights @ placed / weights.sum()
    return centres


def _moved(points: FloatArray, own: FloatArray, target: FloatArray) -> FloatArray:
    """``points`` after the rotation and shift that take the points ``own`` onto ``target``."""
    start, end = own.mean(axis=0), target.mean(axis=0)
    u, _, vt = np.linalg.svd((own - start).T @ (target - end))
    turn = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    return np.asarray((points - start) @ u @ turn @ vt + end)
