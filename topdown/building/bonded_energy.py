"""Bonded energy and gradient of many molecules at once, in NumPy: what puts a molecule without coordinates into shape.

Only for preparing coordinates: constraints count as stiff bonds, and force constants are capped so that an optimiser
converges in few steps. Energies of a force field come from the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.model import Bond, CGMolecule, Constraint
from topdown.model._arrays import FloatArray, IntArray

#: Stiffness of a constraint, and the most a bond or dihedral may have [kJ/mol/nm², kJ/mol/rad²].
STIFFNESS_CAP: Final = 3.0e4
TORSION_CAP: Final = 200.0


@dataclass(frozen=True, kw_only=True, eq=False)
class BondedTerms:
    """Bonded terms of a set of molecules as arrays over terms.

    Attributes
    ----------
    n_beads : int
    pair_atoms : (n_pairs, 2) int64, pair_length : (n_pairs,) [nm], pair_constant : (n_pairs,) [kJ/mol/nm²]
        Bonds and constraints.
    angle_atoms : (n_angles, 3) int64, angle_value : (n_angles,) [rad], angle_constant : (n_angles,)
        ``angle_constant`` in kJ/mol/rad² where ``angle_harmonic``, else kJ/mol on the cosine.
    angle_harmonic : (n_angles,) bool
    torsion_atoms : (n_torsions, 4) int64, torsion_value : (n_torsions,) [rad], torsion_constant : (n_torsions,)
    torsion_multiplicity : (n_torsions,) int64
        0 for impropers.
    excluded : (n_excluded,) int64
        Sorted codes ``i * n_beads + j`` (i < j) of pairs without non-bonded interaction.
    """

    n_beads: int
    pair_atoms: IntArray
    pair_length: FloatArray
    pair_constant: FloatArray
    angle_atoms: IntArray
    angle_value: FloatArray
    angle_constant: FloatArray
    angle_harmonic: np.ndarray[tuple[int], np.dtype[np.bool_]]
    torsion_atoms: IntArray
    torsion_value: FloatArray
    torsion_constant: FloatArray
    torsion_multiplicity: IntArray
    excluded: IntArray


def distance_terms(molecule: CGMolecule) -> tuple[Bond | Constraint, ...]:
    """Bonds, then constraints: what holds a molecule together."""
    return (*molecule.bonds, *molecule.constraints)


def bonded_terms(components: Sequence[tuple[CGMolecule, int]]) -> BondedTerms:
    """All bonded terms of ``components`` (molecule, count), indices in the order of the coordinates."""
    offsets, start = [], 0
    for molecule, count in components:
        offsets.append(start + molecule.n_beads * np.arange(count, dtype=np.int64))
        start += molecule.n_beads * count

    def repeat(rows_of: list[list[tuple[int, ...]]], width: int) -> IntArray:
        blocks = [
            (np.asarray(rows, dtype=np.int64)[None, :, :] + shift[:, None, None]).reshape(-1, width)
            for rows, shift in zip(rows_of, offsets)
            if rows
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, width), dtype=np.int64)

    def values(rows_of: list[list[float]]) -> FloatArray:
        blocks = [np.tile(np.asarray(rows, dtype=float), len(shift)) for rows, shift in zip(rows_of, offsets)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    molecules = [molecule for molecule, _ in components]
    stiff = STIFFNESS_CAP
    excluded = repeat([list(m.excluded_pairs()) for m in molecules], 2)
    return BondedTerms(
        n_beads=start,
        pair_atoms=repeat([[t.atoms for t in distance_terms(m)] for m in molecules], 2),
        pair_length=values([[t.length for t in distance_terms(m)] for m in molecules]),
        pair_constant=values(
            [[*(min(t.force_constant, stiff) for t in m.bonds), *(stiff for _ in m.constraints)] for m in molecules]
        ),
        angle_atoms=repeat([[t.atoms for t in m.angles] for m in molecules], 3),
        angle_value=np.radians(values([[t.angle for t in m.angles] for m in molecules])),
        angle_constant=values([[t.force_constant for t in m.angles] for m in molecules]),
        angle_harmonic=values([[float(t.function == 1) for t in m.angles] for m in molecules]) > 0.5,
        torsion_atoms=repeat([[t.atoms for t in m.dihedrals] for m in molecules], 4),
        torsion_value=np.radians(values([[t.angle for t in m.dihedrals] for m in molecules])),
        torsion_constant=np.clip(
            values([[t.force_constant for t in m.dihedrals] for m in molecules]), -TORSION_CAP, TORSION_CAP
        ),
        torsion_multiplicity=values(
            [[0.0 if t.function == 2 else float(t.multiplicity) for t in m.dihedrals] for m in molecules]
        ).astype(np.int64),
        excluded=np.unique(excluded[:, 0] * start + excluded[:, 1]),
    )


def scatter_add(target: FloatArray, atoms: IntArray, vectors: FloatArray) -> None:
    """``target[atoms] += vectors`` with repeated atoms added up; ``vectors`` is (n, 3)."""
    for axis in range(3):
        target[:, axis] += np.bincount(atoms, weights=vectors[:, axis], minlength=len(target))


def bonded_energy(positions: FloatArray, terms: BondedTerms) -> tuple[float, FloatArray]:
    """Energy [kJ/mol] and gradient (n_beads, 3) [kJ/mol/nm] of whole molecules at ``positions`` (n_beads, 3) [nm]."""
    gradient = np.zeros_like(positions)
    energy = _pair_terms(positions, terms, gradient)
    energy += _angle_terms(positions, terms, gradient)
    energy += _torsion_terms(positions, terms, gradient)
    return energy, gradient


def _pair_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    if not len(terms.pair_atoms):
        return 0.0
    i, j = terms.pair_atoms.T
    separation = x[i] - x[j]
    distance = np.maximum(np.linalg.norm(separation, axis=1), 1e-9)
    stretch = distance - terms.pair_length
    pull = (terms.pair_constant * stretch / distance)[:, None] * separation
    scatter_add(gradient, i, pull)
    scatter_add(gradient, j, -pull)
    return float(0.5 * np.sum(terms.pair_constant * stretch**2))


def _angle_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    if not len(terms.angle_atoms):
        return 0.0
    i, j, k = terms.angle_atoms.T
    u, v = x[i] - x[j], x[k] - x[j]
    u_length = np.maximum(np.linalg.norm(u, axis=1), 1e-9)[:, None]
    v_length = np.maximum(np.linalg.norm(v, axis=1), 1e-9)[:, None]
    u, v = u / u_length, v / v_length
    cosine = np.clip(np.sum(u * v, axis=1), -1.0, 1.0)
    theta = np.arccos(cosine)
    bend = theta - terms.angle_value
    lag = cosine - np.cos(terms.angle_value)
    sine = np.maximum(np.sqrt(1.0 - cosine**2), 1e-6)
    constant = terms.angle_constant
    slope = np.where(terms.angle_harmonic, -constant * bend / sine, constant * lag)[:, None]
    on_i = slope * (v - cosine[:, None] * u) / u_length
    on_k = slope * (u - cosine[:, None] * v) / v_length
    scatter_add(gradient, i, on_i)
    scatter_add(gradient, k, on_k)
    scatter_add(gradient, j, -on_i - on_k)
    return float(0.5 * np.sum(constant * np.where(terms.angle_harmonic, bend**2, lag**2)))


def torsions(x: FloatArray, atoms: IntArray) -> FloatArray:
    """Dihedral angles [rad] of ``atoms`` (n, 4), IUPAC sign, trans = π."""
    b1, b2, b3 = (x[atoms[:, c + 1]] - x[atoms[:, c]] for c in range(3))
    m, n = np.cross(b1, b2), np.cross(b2, b3)
    angle: FloatArray = np.arctan2(np.linalg.norm(b2, axis=1) * np.sum(b1 * n, axis=1), np.sum(m * n, axis=1))
    return angle


def _torsion_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    """Gradient after Blondel and Karplus, J. Comput. Chem. 17, 1132 (1996)."""
    if not len(terms.torsion_atoms):
        return 0.0
    i, j, k, last = terms.torsion_atoms.T
    b1, b2, b3 = x[j] - x[i], x[k] - x[j], x[last] - x[k]
    m, n = np.cross(b1, b2), np.cross(b2, b3)
    phi = torsions(x, terms.torsion_atoms)
    improper = terms.torsion_multiplicity == 0
    away = phi - terms.torsion_value
    away -= 2 * np.pi * np.round(away / (2 * np.pi))
    phase = terms.torsion_multiplicity * phi - terms.torsion_value
    constant = terms.torsion_constant
    slope = np.where(improper, constant * away, -constant * terms.torsion_multiplicity * np.sin(phase))[:, None]
    axis = np.maximum(np.linalg.norm(b2, axis=1), 1e-9)[:, None]
    # Nearly straight triples have no defined torsion: the floor keeps their gradient finite.
    on_i = -slope * axis * m / np.maximum(np.sum(m * m, axis=1), 1e-6)[:, None]
    on_l = slope * axis * n / np.maximum(np.sum(n * n, axis=1), 1e-6)[:, None]
    along_1 = np.sum(b1 * b2, axis=1)[:, None] / axis**2
    along_3 = np.sum(b3 * b2, axis=1)[:, None] / axis**2
    on_j = -(1.0 + along_1) * on_i + along_3 * on_l
    for atoms, vectors in ((i, on_i), (j, on_j), (k, -on_i - on_j - on_l), (last, on_l)):
        scatter_add(gradient, atoms, vectors)
    return float(np.sum(np.where(improper, 0.5 * constant * away**2, constant * (1.0 + np.cos(phase)))))
