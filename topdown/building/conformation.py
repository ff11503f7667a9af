"""Coordinates for a molecule that has none, from its bonded terms alone.

Two deterministic starts – beads laid out by their path length from a root, and classical scaling of all path lengths
(Torgerson, Psychometrika 17, 401, 1952) – are relaxed in the bonded terms plus a soft repulsion; the lower energy wins.
The result is extended along z with the root on top, which is what a bilayer needs of a lipid: all tails point down.
Virtual sites follow the beads they are built from throughout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from topdown.building.bonded_energy import BondedTerms, bonded_energy, bonded_terms, distance_terms
from topdown.building.descent import descend
from topdown.errors import TopologyError
from topdown.model import CGMolecule
from topdown.model._arrays import FloatArray, IntArray

#: Beads of one molecule that are not bonded to each other stay this far apart [nm].
_REACH: Final = 0.42
_REPULSION: Final = 1000.0
#: Draws beads of a rooted molecule to their depth [kJ/mol/nm²].
_PULL: Final = 20.0
#: No bead moves farther along an axis in one step of the descent [nm].
_LONGEST_MOVE: Final = 0.1
_GOLDEN_ANGLE: Final = 2.399963229728653


def conformation_of(molecule: CGMolecule) -> FloatArray:
    """The molecule's own coordinates (n_beads, 3) [nm], virtual sites in place, or :func:`initial_conformation`."""
    if molecule.positions is None:
        return initial_conformation(molecule)
    return bonded_terms([(molecule, 1)]).place(molecule.positions)


def links(molecule: CGMolecule) -> tuple[tuple[int, int, float], ...]:
    """What holds a molecule together: (i, j, length [nm]) of bonds and constraints, and of every virtual site with the beads
    it is built from, as far away as in a rough shape that has the right bond lengths."""
    held = [(*t.atoms, t.length) for t in distance_terms(molecule)]
    if molecule.virtual_sites:
        bare = bonded_terms([(replace(molecule, angles=(), dihedrals=()), 1)])
        nothing = np.zeros(0, dtype=np.int64)
        spread_out = _hanging(0.1 * np.arange(molecule.n_beads, dtype=np.float64))
        _, x = _minimum(spread_out, bare, (nothing, nothing), None)
        sites = ((v.site, atom) for v in molecule.virtual_sites for atom in v.atoms)
        held += [(i, j, float(np.linalg.norm(x[i] - x[j]))) for i, j in sites]
    return tuple(held)


def path_lengths(molecule: CGMolecule) -> FloatArray:
    """Shortest path between any two beads along bonds, constraints and virtual sites, (n_beads, n_beads) [nm].

    Raises
    ------
    TopologyError
        Some bead is bonded to none of the others.
    """
    n = molecule.n_beads
    # A zero would be read as "no bond", and two links of one pair would be added up: the shorter one comes last and stays.
    by_length = sorted(links(molecule), key=lambda link: -link[2])
    shortest = {(min(i, j), max(i, j)): max(length, 1e-3) for i, j, length in by_length}
    rows, columns = ([pair[side] for pair in shortest] for side in (0, 1))
    # imported here: workers that run windows of molecules with coordinates need none of it
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    edges = coo_array((list(shortest.values()), (rows, columns)), shape=(n, n))
    lengths: FloatArray = dijkstra(edges.tocsr(), directed=False)
    if not np.all(np.isfinite(lengths)):
        alone = int(np.argmax(~np.isfinite(lengths).all(axis=1)))
        raise TopologyError(
            f"bead {molecule.beads[alone].name} is not connected to all others by bonds, constraints or virtual sites",
            where=molecule.name,
            hint="give the molecule coordinates",
        )
    return lengths


def initial_conformation(molecule: CGMolecule, *, root: int | None = None, rise: float = 1.0) -> FloatArray:
    """An extended conformation that satisfies bonds, constraints, virtual sites, angles and dihedrals.

    Parameters
    ----------
    molecule : CGMolecule
        Its ``positions`` are ignored.
    root : int, optional
        Bead to be on top; the others hang below it. Default: one end of the longest path.
    rise : float
        Height per path length, for a molecule with a root: below 1 the chains fold into a zigzag, as disordered tails
        do, at the price of strained angles.

    Returns
    -------
    (n_beads, 3) float64 [nm]
        Centre of geometry at the origin, long direction along z.

    Raises
    ------
    TopologyError
        A bead that no bond or constraint holds.
    """
    n = molecule.n_beads
    if n == 1:
        return np.zeros((1, 3))
    paths = path_lengths(molecule)
    rooted, squeezed = root is not None, rise < 1.0
    top = int(np.unravel_index(np.argmax(paths), paths.shape)[0]) if root is None else root
    depth = paths[top]
    terms = bonded_terms([(molecule, 1)])
    repelling = _repelling_pairs(terms)
    best: tuple[float, FloatArray] | None = None
    for start in (_hanging(depth), _scaled(paths, top)):
        field = (rise * depth, _PULL * (10.0 if squeezed else 1.0)) if rooted else None
        guided = _minimum(start, terms, repelling, field, energy_tolerance=1e-2)[1]
        if not squeezed:
            guided = _upright(_minimum(guided, terms, repelling, None, energy_tolerance=1e-2)[1], depth)
        energy, x = _minimum(guided, terms, repelling, field if squeezed else None)
        if best is None or energy < best[0] - 1e-9:
            best = energy, x
    assert best is not None
    centred: FloatArray = best[1] - best[1].mean(axis=0)
    return centred


def _hanging(depth: FloatArray) -> FloatArray:
    """Beads at their path length below the root, spread sideways along a sunflower spiral."""
    order = np.arange(len(depth))
    radius = 0.08 * np.sqrt(order + 0.5)
    return np.column_stack([radius * np.cos(_GOLDEN_ANGLE * order), radius * np.sin(_GOLDEN_ANGLE * order), -depth])


def _scaled(paths: FloatArray, top: int) -> FloatArray:
    """Classical scaling of the path lengths to three dimensions, root up."""
    n = len(paths)
    centring = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ paths**2 @ centring)
    axes = np.zeros((n, 3))
    for column, which in enumerate(np.argsort(values)[::-1][:3]):
        vector = vectors[:, which] * np.sqrt(max(values[which], 0.0))
        axes[:, 2 - column] = vector * (1.0 if vector[np.argmax(np.abs(vector))] >= 0 else -1.0)
    if axes[top, 2] < 0:
        axes[:, [0, 2]] *= -1.0
    order = np.arange(n)
    # A chain scales onto a line, where gradients of angles vanish: leave it slightly.
    axes[:, 0] += 0.03 * np.cos(_GOLDEN_ANGLE * order)
    axes[:, 1] += 0.03 * np.sin(_GOLDEN_ANGLE * order)
    return axes


def _repelling_pairs(terms: BondedTerms) -> tuple[IntArray, IntArray]:
    """Pairs that repel when closer than ``_REACH``: neither excluded nor the two ends of an angle."""
    n = terms.n_beads
    i, j = np.triu_indices(n, 1)
    ends = np.sort(terms.angle_atoms[:, [0, 2]], axis=1)
    held = np.concatenate([terms.excluded, ends[:, 0] * n + ends[:, 1]])
    free = ~np.isin(i * n + j, held)
    return i[free], j[free]


def _minimum(
    start: FloatArray,
    terms: BondedTerms,
    repelling: tuple[IntArray, IntArray],
    field: tuple[FloatArray, float] | None,
    *,
    energy_tolerance: float = 1e-6,
) -> tuple[float, FloatArray]:
    i, j = repelling

    def total(x: FloatArray) -> tuple[float, FloatArray]:
        x = terms.place(x)
        energy, gradient = bonded_energy(x, terms)
        vectors = x[i] - x[j]
        gaps = np.maximum(np.linalg.norm(vectors, axis=1), 1e-6)
        overlap = np.maximum(_REACH - gaps, 0.0)
        push = (-_REPULSION * overlap / gaps)[:, None] * vectors
        np.add.at(gradient, i, push)
        np.add.at(gradient, j, -push)
        energy += 0.5 * _REPULSION * float(overlap @ overlap)
        if field is not None:
            depth, pull = field
            lag = x[:, 2] + depth
            gradient[:, 2] += pull * lag
            energy += 0.5 * pull * float(lag @ lag)
        terms.hand_on(x, gradient)
        return energy, gradient

    found = descend(
        start,
        total,
        max_steps=2000,
        longest_move=_LONGEST_MOVE,
        energy_tolerance=energy_tolerance,
        gradient_tolerance=1e-2,
    )
    return found.energy, terms.place(found.positions)


def _upright(x: FloatArray, depth: FloatArray) -> FloatArray:
    """Turn the direction along which depth grows fastest to -z (a proper rotation, so impropers keep their sign)."""
    centred: FloatArray = x - x.mean(axis=0)
    down = centred.T @ (depth - depth.mean())
    length = float(np.linalg.norm(down))
    if length < 1e-9:
        return centred
    down /= length
    target = np.array([0.0, 0.0, -1.0])
    axis = np.cross(down, target)
    sine, cosine = float(np.linalg.norm(axis)), float(down @ target)
    if sine < 1e-12:
        flip = np.array([1.0, -1.0, -1.0]) if cosine < 0 else np.ones(3)
        flipped: FloatArray = centred * flip
        return flipped
    axis /= sine
    across = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    turn = np.eye(3) + sine * across + (1.0 - cosine) * across @ across
    turned: FloatArray = centred @ turn.T
    return turned
