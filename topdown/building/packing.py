"""Placing molecules: random orientations, wrapping by whole molecules, and pushing overlapping beads apart.

Beads closer than a contact distance repel softly, ``k/2 (d - r)²`` with ``d`` = 0.95 σ of their pair, while the bonded
terms hold each molecule together; a descent takes the sum down until no pair is closer than 0.85 σ. A start without
overlaps is all that is wanted, not a minimum of the force field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from topdown.building.bonded_energy import BondedTerms, bonded_energy, bonded_terms, scatter_add
from topdown.building.descent import descend
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

#: Contact distance as a fraction of σ, and the fraction of the contact distance at which a pair counts as apart.
CONTACT_FRACTION: Final = 0.95
APART_FRACTION: Final = 0.9
#: No contact distance is shorter or longer than this [nm].
CONTACT_RANGE: Final = (0.33, 0.46)
_CONTACT_CONSTANT: Final = 2000.0
_SKIN: Final = 0.12
#: No bead moves farther along an axis in one step of the descent [nm].
_LONGEST_MOVE: Final = 0.1


def random_rotations(n: int, rng: np.random.Generator) -> Rotation:
    """``n`` rotations, uniform over all orientations."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(rng.normal(size=(n, 4)))


def rotated_copies(conformation: FloatArray, rotations: Rotation, centres: FloatArray) -> FloatArray:
    """Copies of a molecule, turned about its centre of geometry and put at ``centres``.

    Parameters
    ----------
    conformation : (n_beads, 3) float64 [nm]
    rotations : Rotation
        As many as there are centres.
    centres : (n, 3) float64 [nm]

    Returns
    -------
    (n * n_beads, 3) float64 [nm]
    """
    body = conformation - conformation.mean(axis=0)
    turned = np.einsum("nij,bj->nbi", rotations.as_matrix(), body)
    copies: FloatArray = (turned + centres[:, None, :]).reshape(-1, 3)
    return copies


def molecule_starts(components: Sequence[tuple[CGMolecule, int]]) -> IntArray:
    """Index of the first bead of every molecule, (n_molecules,) int64, for ``np.add.reduceat``."""
    sizes = np.concatenate([np.full(count, molecule.n_beads) for molecule, count in components] or [np.zeros(0, int)])
    starts: IntArray = (np.cumsum(sizes) - sizes).astype(np.int64)
    return starts


def wrap_molecules(positions: FloatArray, box: FloatArray, components: Sequence[tuple[CGMolecule, int]]) -> FloatArray:
    """Shift whole molecules by box edges so that each centre of geometry lies inside the box."""
    starts = molecule_starts(components)
    if not len(starts):
        return positions
    sizes = np.diff(np.append(starts, len(positions)))
    centres = np.add.reduceat(positions, starts, axis=0) / sizes[:, None]
    shifts = -np.floor(centres / box) * box
    wrapped: FloatArray = positions + np.repeat(shifts, sizes, axis=0)
    return wrapped


def contact_distances(components: Sequence[tuple[CGMolecule, int]], table: BeadTable) -> tuple[FloatArray, IntArray]:
    """Contact distance of each pair of the bead types in use, and the row of every bead.

    Returns
    -------
    contacts : (n_types, n_types) float64 [nm]
    rows : (n_beads,) int64
    """
    names = sorted({name for molecule, _ in components for name in molecule.type_names})
    row_of = {name: i for i, name in enumerate(names)}
    indices = table.indices(names)
    sigma = table.sigma[np.ix_(indices, indices)]
    contacts: FloatArray = np.clip(CONTACT_FRACTION * sigma, *CONTACT_RANGE)
    rows = [np.tile([row_of[name] for name in molecule.type_names], count) for molecule, count in components]
    return contacts, np.concatenate(rows).astype(np.int64) if rows else np.zeros(0, dtype=np.int64)


def close_pairs(positions: FloatArray, box: FloatArray, distance: float, excluded: IntArray) -> IntArray:
    """Pairs i < j within ``distance`` [nm] under periodic boundaries, without the ``excluded`` codes, (n, 2) int64."""
    wrapped = positions - np.floor(positions / box) * box
    # floor of a tiny negative number leaves exactly the edge, which the tree refuses.
    wrapped = np.where(wrapped >= box, 0.0, wrapped)
    from scipy.spatial import cKDTree

    pairs: IntArray = cKDTree(wrapped, boxsize=box).query_pairs(distance, output_type="ndarray").astype(np.int64)
    if len(excluded) and len(pairs):
        codes = pairs[:, 0] * len(positions) + pairs[:, 1]
        at = np.minimum(np.searchsorted(excluded, codes), len(excluded) - 1)
        pairs = pairs[excluded[at] != codes]
    return pairs


def separations(positions: FloatArray, box: FloatArray, pairs: IntArray) -> FloatArray:
    """Minimum-image vectors from the second to the first bead of each pair, (n, 3) [nm]."""
    vectors = positions[pairs[:, 0]] - positions[pairs[:, 1]]
    nearest: FloatArray = vectors - np.round(vectors / box) * box
    return nearest


def closest_distance(system: System) -> float:
    """Smallest distance [nm] between two beads that interact (exclusions left out); at most 0.6, infinite beyond."""
    terms = bonded_terms(system.components)
    pairs = close_pairs(system.positions, system.box, 0.6, terms.excluded)
    if not len(pairs):
        return float("inf")
    return float(np.linalg.norm(separations(system.positions, system.box, pairs), axis=1).min())


def push_apart(
    positions: FloatArray,
    box: FloatArray,
    components: Sequence[tuple[CGMolecule, int]],
    table: BeadTable,
    *,
    max_rounds: int = 12,
) -> FloatArray:
    """Move beads until none overlap, keeping the shape of every molecule.

    Parameters
    ----------
    positions : (n_beads, 3) float64 [nm]
        Whole molecules; no two beads at the very same place.
    box : (3,) float64 [nm]
    components : sequence of (CGMolecule, int)
    table : BeadTable
        Gives the contact distance of each pair.
    max_rounds : int
        Rebuilds of the contact list; each is followed by up to 25 steps downhill.

    Returns
    -------
    (n_beads, 3) float64 [nm]
        The best found; whether it is good enough is for the caller to check (:func:`closest_distance`).
    """
    terms = bonded_terms(components)
    contacts, rows = contact_distances(components, table)
    x = terms.place(np.array(positions, dtype=float))
    for _ in range(max_rounds):
        pairs = close_pairs(x, box, CONTACT_RANGE[1] + _SKIN, terms.excluded)
        contact = contacts[rows[pairs[:, 0]], rows[pairs[:, 1]]]
        if len(pairs):
            gaps = np.linalg.norm(separations(x, box, pairs), axis=1)
            if np.all(gaps >= APART_FRACTION * contact):
                break
        else:
            break
        x = _relax(x, box, terms, pairs, contact)
    return x


def _relax(x: FloatArray, box: FloatArray, terms: BondedTerms, pairs: IntArray, contact: FloatArray) -> FloatArray:
    def total(x: FloatArray) -> tuple[float, FloatArray]:
        at = terms.place(x)
        energy, gradient = bonded_energy(at, terms)
        vectors = separations(at, box, pairs)
        square = np.einsum("ij,ij->i", vectors, vectors)
        touching = np.flatnonzero(square < contact * contact)
        gaps = np.maximum(np.sqrt(square[touching]), 1e-6)
        overlap = contact[touching] - gaps
        push = (-_CONTACT_CONSTANT * overlap / gaps)[:, None] * vectors[touching]
        scatter_add(gradient, pairs[touching, 0], push)
        scatter_add(gradient, pairs[touching, 1], -push)
        energy += 0.5 * _CONTACT_CONSTANT * float((overlap * overlap).sum())
        terms.hand_on(at, gradient)
        return energy, gradient

    return terms.place(descend(x, total, max_steps=25, longest_move=_LONGEST_MOVE).positions)
