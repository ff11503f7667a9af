"""Bead coordinates from RDKit conformers, with Boltzmann weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem, rdMolDescriptors

from topdown.model._arrays import FloatArray
from topdown.units import KCAL_TO_KJ, kt

_TEMPERATURE = 300.0
#: Embedding attempts per conformer, seconds for all of them, and force-field steps.
_MAX_ATTEMPTS = 30
_TIMEOUT_S = 10
_MAX_FORCE_FIELD_STEPS = 300
_LARGE = 40
#: No conformers beyond this many heavy atoms: embedding alone takes most of a minute.
MAX_ATOMS = 100
_ANGSTROM = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadEnsemble:
    """Bead coordinates of several conformers.

    Attributes
    ----------
    positions : (n_conformers, n_beads, 3) float64 [nm]
    weights : (n_conformers,) float64
        Boltzmann weights, tempered (see ``_weights``), sum 1.
    """

    positions: FloatArray
    weights: FloatArray

    @property
    def best(self) -> FloatArray:
        """Coordinates of the conformer of largest weight, (n_beads, 3) [nm]."""
        return np.asarray(self.positions[int(np.argmax(self.weights))])


def n_conformers(mol: Any) -> int:
    """How many conformers are made: more for flexible molecules, fewer for very large ones."""
    n_atoms = mol.GetNumAtoms()
    if n_atoms > _LARGE:
        return 5 if n_atoms <= 60 else 3
    rotatable = rdMolDescriptors.CalcNumRotatableBonds(mol)
    return int(min(16 if n_atoms <= 20 else 8, 4 + 2 * rotatable))


def bead_ensemble(
    mol: Any, groups: tuple[tuple[int, ...], ...], *, seed: int, with_hydrogens: bool
) -> BeadEnsemble | None:
    """Conformers of a molecule seen as beads; ``None`` when none could be embedded.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only; stereo respected.
    groups : tuple of tuple of int
        Atoms of each bead; an atom in two beads counts half in each.
    seed : int
        Seeds the embedding (ETKDG version 3, Wang et al., J. Chem. Inf. Model. 60, 2044 (2020)).
    with_hydrogens : bool
        Centre of geometry with hydrogens (Martini 3) or centre of mass of the heavy atoms (Martini 2).
    """
    if mol.GetNumAtoms() > MAX_ATOMS:
        return None
    with rdBase.BlockLogs():
        full = Chem.AddHs(mol)
        parameters = AllChem.ETKDGv3()
        parameters.randomSeed = seed & 0x7FFFFFFF
        parameters.maxIterations = _MAX_ATTEMPTS
        parameters.timeout = _TIMEOUT_S
        parameters.numThreads = 1
        # Long chains seldom embed from a distance matrix; random starting coordinates are far quicker there.
        parameters.useRandomCoords = mol.GetNumAtoms() > _LARGE
        ids = _embed(full, n_conformers(mol), parameters)
        if not ids and not parameters.useRandomCoords:
            parameters.useRandomCoords = True
            ids = _embed(full, n_conformers(mol), parameters)
        if not ids:
            return None
        energies = _relax(full, ids)
    weights = _weights(energies)
    matrix = _centre_matrix(full, groups, with_hydrogens)
    positions = np.array([matrix @ full.GetConformer(i).GetPositions() for i in ids]) * _ANGSTROM
    return BeadEnsemble(positions=positions, weights=weights)


def _embed(full: Any, count: int, parameters: Any) -> list[int]:
    """Ids of the conformers that exist afterwards; after a time-out the ids RDKit returns may not."""
    AllChem.EmbedMultipleConfs(full, count, parameters)
    return [conformer.GetId() for conformer in full.GetConformers()]


def _weights(energies: FloatArray) -> FloatArray:
    """Boltzmann weights at 300 K, tempered until they count at least a third of the conformers.

    Energies in vacuo overrate contacts inside the molecule that a solvent would screen; one collapsed conformer must
    not decide all lengths.
    """
    temperature = _TEMPERATURE
    while True:
        weights = np.exp(-(energies - energies.min()) / kt(temperature))
        weights /= weights.sum()
        if 1.0 / float(np.sum(weights**2)) >= len(energies) / 3 or temperature > 1e6:
            return np.asarray(weights)
        temperature *= 1.25


def _relax(full: Any, ids: list[int]) -> FloatArray:
    """Energies [kJ/mol] after a short minimisation: MMFF94, UFF where it has no parameters, zeros where neither has."""
    steps = _MAX_FORCE_FIELD_STEPS if full.GetNumAtoms() <= 120 else 60
    if AllChem.MMFFHasAllMoleculeParams(full):
        results = AllChem.MMFFOptimizeMoleculeConfs(full, numThreads=1, maxIters=steps)
    elif AllChem.UFFHasAllMoleculeParams(full):
        results = AllChem.UFFOptimizeMoleculeConfs(full, numThreads=1, maxIters=steps)
    else:
        return np.zeros(len(ids))
    energies = np.array([energy for _, energy in results], dtype=np.float64) * KCAL_TO_KJ
    return np.where(np.isfinite(energies), energies, energies[np.isfinite(energies)].max(initial=0.0) + 1000.0)


def _centre_matrix(full: Any, groups: tuple[tuple[int, ...], ...], with_hydrogens: bool) -> FloatArray:
    """(n_beads, n_atoms) weights that turn atom into bead coordinates."""
    times: dict[int, int] = {}
    for group in groups:
        for atom in group:
            times[atom] = times.get(atom, 0) + 1
    matrix = np.zeros((len(groups), full.GetNumAtoms()))
    for bead, group in enumerate(groups):
        for index in group:
            atom = full.GetAtomWithIdx(index)
            matrix[bead, index] = (1.0 if with_hydrogens else atom.GetMass()) / times[index]
            if with_hydrogens:
                for neighbor in atom.GetNeighbors():
                    if neighbor.GetAtomicNum() == 1:
                        matrix[bead, neighbor.GetIdx()] = 1.0 / times[index]
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))
