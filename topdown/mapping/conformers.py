"""Bead coordinates from RDKit conformers, with Boltzmann weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor, rdDistGeom, rdForceFieldHelpers, rdMolDescriptors

from topdown.mapping.atom_roles import known_facts
from topdown.mapping.operators import Center, atom_weights, bead_positions, mapping_operator, with_their_hydrogens
from topdown.model._arrays import FloatArray
from topdown.units import KCAL_TO_KJ, kt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_TEMPERATURE = 300.0
#: Embedding attempts per conformer, and force-field steps.
_MAX_ATTEMPTS = 30
_MAX_FORCE_FIELD_STEPS = 300
#: Hard limit [s] for all of it; only molecules that are hopeless ever meet it.
TIME_LIMIT_S = 10.0
_LARGE = 40
#: No conformers beyond this many heavy atoms: embedding alone takes most of a minute.
MAX_ATOMS = 100
_ANGSTROM = 0.1
#: Conformers whose frame differs more than this from the best one's are of another ring conformation [nm].
_SAME_SHAPE_NM = 0.03
#: Bond length of RDKit's drawings and of molecules [nm], and how far hydrogens stand out: one, and two or three.
_DRAWN_BOND, _REAL_BOND = 1.5, 0.143
_HYDROGEN_OUT = (0.0, 0.109, 0.065, 0.036)

#: A molecule with hydrogens, the positions of its atoms (n_conformers, n_atoms, 3) [nm], and weights (n_conformers,).
Conformers = tuple[Any, FloatArray, FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadEnsemble:
    """Bead coordinates of several conformers.

    Attributes
    ----------
    positions : (n_conformers, n_beads, 3) float64 [nm]
    weights : (n_conformers,) float64
        Boltzmann weights, tempered (see ``_weights``), sum 1.
    temperature : float
        [K]
    thermal : bool
        Whether these are frames of dynamics, whose fluctuations are real, or minimised conformers, which understate them.
    """

    positions: FloatArray
    weights: FloatArray
    temperature: float = _TEMPERATURE
    thermal: bool = False

    @property
    def best(self) -> FloatArray:
        """Coordinates of the conformer of largest weight, (n_beads, 3) [nm]."""
        return np.asarray(self.positions[int(np.argmax(self.weights))])

    def mean_shape(self, beads: Sequence[int]) -> FloatArray:
        """Average positions (n, 3) [nm] of some beads, laid over those of the best conformer.

        Conformers of another ring conformation are left out: between two chairs lies no ring.
        """
        chosen = list(beads)
        best = self.best[chosen]
        fitted = [superposed(x[chosen], best) for x in self.positions]
        alike = np.array([np.sqrt(np.mean(np.sum((x - best) ** 2, axis=1))) < _SAME_SHAPE_NM for x in fitted])
        weights = np.where(alike, self.weights, 0.0)
        return np.asarray(np.tensordot(weights / weights.sum(), np.array(fitted), axes=1))


def n_conformers(mol: Any) -> int:
    """How many conformers are made: more for flexible molecules, fewer for very large ones."""
    n_atoms = mol.GetNumAtoms()
    if n_atoms > _LARGE:
        return 5 if n_atoms <= 60 else 3
    rotatable = rdMolDescriptors.CalcNumRotatableBonds(mol)
    return int(min(16 if n_atoms <= 20 else 8, 4 + 2 * rotatable))


def superposed(x: FloatArray, target: FloatArray) -> FloatArray:
    """``x`` (n, 3) turned and moved onto ``target`` with the least squared distance (Kabsch 1976), never mirrored."""
    middle, centre = x.mean(axis=0), target.mean(axis=0)
    u, _, vt = np.linalg.svd((x - middle).T @ (target - centre))
    turn = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    return np.asarray((x - middle) @ u @ turn @ vt + centre)


def bead_ensemble(
    mol: Any,
    groups: tuple[tuple[int, ...], ...],
    *,
    seed: int,
    with_hydrogens: bool,
    center: Center | None = None,
) -> BeadEnsemble | None:
    """Conformers of a molecule seen as beads; ``None`` when none could be embedded within the time limit.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms only; stereo respected.
    groups : tuple of tuple of int
        Atoms of each bead; an atom in two beads counts half in each.
    seed : int
        Seeds the embedding (ETKDG version 3, Wang et al., J. Chem. Inf. Model. 60, 2044 (2020)).
    with_hydrogens : bool
        Whether hydrogens count for the position of a bead.
    center : {"geometry", "mass", "charge"}, optional
        Default: geometry with hydrogens (Martini 3), mass without (Martini 2).
    """
    made = conformers(mol, seed=seed)
    return None if made is None else seen_as_beads(made, groups, with_hydrogens=with_hydrogens, center=center)


def seen_as_beads(
    made: Conformers,
    groups: Sequence[Sequence[int]],
    *,
    with_hydrogens: bool,
    center: Center | None = None,
) -> BeadEnsemble:
    """What :func:`conformers` made as beads; see :func:`bead_ensemble`."""
    full, positions, weights = made
    matrix = bead_operator(full, groups, with_hydrogens=with_hydrogens, center=center)
    return BeadEnsemble(positions=bead_positions(matrix, positions), weights=weights)


def bead_operator(
    full: Any, groups: Sequence[Sequence[int]], *, with_hydrogens: bool, center: Center | None = None
) -> csr_array:
    """The mapping matrix of a molecule with explicit hydrogens and groups of its heavy atoms."""
    how = center or ("geometry" if with_hydrogens else "mass")
    return mapping_operator(with_their_hydrogens(full, groups), atom_weights(full, how, hydrogens=with_hydrogens))


def conformers(mol: Any, *, seed: int) -> Conformers | None:
    """Conformers of a molecule of heavy atoms, or ``None`` when none exist.

    Hydrogens follow the heavy atoms, which keep their numbers.
    """
    if mol.GetNumAtoms() > MAX_ATOMS:
        return None
    deadline = time.process_time() + TIME_LIMIT_S
    with rdBase.BlockLogs():
        full = Chem.AddHs(mol)
        parameters = rdDistGeom.ETKDGv3()
        parameters.randomSeed = seed & 0x7FFFFFFF
        parameters.maxIterations = _MAX_ATTEMPTS
        parameters.numThreads = 1
        # Long chains seldom embed from a distance matrix; random starting coordinates are far quicker there.
        parameters.useRandomCoords = mol.GetNumAtoms() > _LARGE
        ids = _embed(full, n_conformers(mol), parameters, deadline)
        if not ids and not parameters.useRandomCoords:
            parameters.useRandomCoords = True
            ids = _embed(full, n_conformers(mol), parameters, deadline)
        if not ids:
            return None
        ids, energies = _relax(full, ids, deadline)
    positions = np.array([full.GetConformer(i).GetPositions() for i in ids]) * _ANGSTROM
    return full, positions, _weights(energies)


def flat_positions(mol: Any, groups: Sequence[Sequence[int]]) -> FloatArray:
    """Bead positions (n_beads, 3) [nm] in the plane of RDKit's drawing, hydrogens counted.

    Right for flat ring systems; chains come out extended. Takes no conformers.
    """
    with rdBase.BlockLogs():
        # The molecule itself is drawn: the number of bonds between atoms, which lengths ask for later, stays with it, and
        # takes most of the time of a long chain.
        drawing = rdDepictor.Compute2DCoords(mol, canonOrient=True, clearConfs=False)
    at = (mol.GetConformer(drawing).GetPositions()[:, :2] * (_REAL_BOND / _DRAWN_BOND)).tolist()
    mol.RemoveConformer(drawing)
    beads_with = [0] * len(at)
    for group in groups:
        for atom in group:
            beads_with[atom] += 1
    centres: list[tuple[float, float, float]] = []
    for atom, ((x, y), facts) in enumerate(zip(at, known_facts(mol))):
        n_hydrogens = min(facts.hydrogens, 3)
        if n_hydrogens:
            away_x = away_y = 0.0
            for neighbour in facts.neighbours:
                other_x, other_y = at[neighbour[0]]
                away_x += x - other_x
                away_y += y - other_y
            norm = math.sqrt(away_x * away_x + away_y * away_y)
            if norm > 1e-3:
                out = n_hydrogens / (1 + n_hydrogens) * _HYDROGEN_OUT[n_hydrogens] / norm
                x += out * away_x
                y += out * away_y
        centres.append((x, y, (1.0 + n_hydrogens) / beads_with[atom] if beads_with[atom] else 0.0))
    beads = []
    for group in groups:
        members = [centres[atom] for atom in sorted(group)]
        total = sum(weight for _, _, weight in members)
        bead_x = bead_y = 0.0
        for x, y, weight in members:
            bead_x += weight / total * x
            bead_y += weight / total * y
        beads.append((bead_x, bead_y, 0.0))
    return np.array(beads)


def _embed(full: Any, count: int, parameters: Any, deadline: float) -> list[int]:
    """Ids of the conformers that exist afterwards; after a time-out the ids RDKit returns may not.

    RDKit looks at the clock; on a busy machine it is asked again, with more patience, until ``deadline`` of processor time.
    """
    patience = 1.0
    while (left := deadline - time.process_time()) > 0.5:
        parameters.timeout = max(1, round(patience * left))
        began = time.monotonic()
        rdDistGeom.EmbedMultipleConfs(full, count, parameters)
        ids = [conformer.GetId() for conformer in full.GetConformers()]
        if ids or time.monotonic() - began < 0.9 * parameters.timeout:
            return ids
        patience *= 3.0
    return []


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


def _relax(full: Any, ids: list[int], deadline: float) -> tuple[list[int], FloatArray]:
    """(ids of the conformers kept, energies [kJ/mol]) after a short minimisation.

    MMFF94, UFF where it has no parameters, no minimisation and equal energies where neither has. Conformers that the deadline
    leaves unminimised are dropped, except the first.
    """
    steps = _MAX_FORCE_FIELD_STEPS if full.GetNumAtoms() <= 120 else 60
    properties = (
        rdForceFieldHelpers.MMFFGetMoleculeProperties(full)
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(full)
        else None
    )
    if properties is None and not rdForceFieldHelpers.UFFHasAllMoleculeParams(full):
        return ids, np.zeros(len(ids))
    done: list[int] = []
    energies: list[float] = []
    for number in ids:
        if done and time.process_time() > deadline:
            break
        if properties is not None:
            field = rdForceFieldHelpers.MMFFGetMoleculeForceField(full, properties, confId=number)
        else:
            field = rdForceFieldHelpers.UFFGetMoleculeForceField(full, confId=number)
        field.Minimize(maxIts=steps)
        done.append(number)
        energies.append(field.CalcEnergy() * KCAL_TO_KJ)
    found = np.array(energies, dtype=np.float64)
    return done, np.where(np.isfinite(found), found, found[np.isfinite(found)].max(initial=0.0) + 1000.0)
