"""Bonded terms of the beads: what is rigid, what is a spring, and how long.

Beads are neighbours where a chemical bond or a shared atom joins them. The beads of one ring system form a
frame: a strip of triangles, 2N - 3 pairs for N beads in a plane, so that no pair is redundant, and improper dihedrals
over the hinges to keep its shape. The pairs are constraints in frames of up to four beads; in larger ones each bead
after the first triangle has one constraint and one stiff bond, since long strips of coupled constraints converge too
slowly in SHAKE and LINCS. Everything else is a bond, or a constraint where the spring would
be too stiff for the time step, and angles (G96) over bonds. Lengths are Boltzmann averages over conformers, force
constants follow from the fluctuation, kT/σ², within the range that Martini uses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from topdown.mapping.conformers import BeadEnsemble
from topdown.model import Angle, Bond, Constraint, Dihedral
from topdown.model._arrays import FloatArray
from topdown.units import kt

_KT = kt(300.0)
#: Range of bond [kJ/mol/nm²], angle [kJ/mol] and improper [kJ/mol/rad²] force constants.
_LARGEST_CONSTRAINED_FRAME = 4
BOND_RANGE = (1250.0, 25000.0)
ANGLE_RANGE = (25.0, 250.0)
IMPROPER_FORCE = 50.0
#: A bond's period must be at least this many time steps of 20 fs, all other springs on its beads included.
_MIN_PERIOD = 10 * 0.02
#: Rings with more atoms than this are not rigid.
_MAX_RIGID_RING = 8
#: Shortest and longest bond [nm] between two beads.
_LENGTHS = (0.16, 0.75)


@dataclass(frozen=True, kw_only=True)
class BondedTerms:
    """All bonded terms of a molecule, and its coordinates if conformers were made."""

    bonds: tuple[Bond, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    angles: tuple[Angle, ...] = ()
    dihedrals: tuple[Dihedral, ...] = ()
    exclusions: tuple[tuple[int, int], ...] = ()
    positions: FloatArray | None = None


@dataclass(frozen=True, kw_only=True)
class Connectivity:
    """Which beads are joined, and which move together.

    Attributes
    ----------
    edges : tuple of (int, int)
        Neighbouring beads, i < j, sorted.
    frames : tuple of tuple of int
        Beads of each rigid ring system, sorted; a bead may belong to two.
    """

    edges: tuple[tuple[int, int], ...]
    frames: tuple[tuple[int, ...], ...]


def connectivity(mol: Any, groups: Sequence[Sequence[int]]) -> Connectivity:
    """Neighbouring beads and rigid frames of a partition."""
    beads_of: dict[int, set[int]] = {}
    for bead, group in enumerate(groups):
        for atom in group:
            beads_of.setdefault(atom, set()).add(bead)
    edges = {tuple(sorted(pair)) for beads in beads_of.values() for pair in combinations(beads, 2)}
    for bond in mol.GetBonds():
        for i in beads_of[bond.GetBeginAtomIdx()]:
            for j in beads_of[bond.GetEndAtomIdx()]:
                if i != j and not beads_of[bond.GetBeginAtomIdx()] & beads_of[bond.GetEndAtomIdx()]:
                    edges.add((min(i, j), max(i, j)))
    frames = []
    for system in ring_systems(mol):
        beads = sorted({b for atom in system for b in beads_of[atom]})
        if len(beads) > 1:
            frames.append(tuple(beads))
    return Connectivity(edges=tuple(sorted(edges)), frames=tuple(sorted(set(frames))))  # type: ignore[arg-type]


def ring_systems(mol: Any) -> list[set[int]]:
    """Atoms of each set of fused small rings."""
    systems: list[set[int]] = []
    for ring in mol.GetRingInfo().AtomRings():
        if len(ring) > _MAX_RIGID_RING:
            continue
        joined = set(ring)
        for other in [s for s in systems if len(s & joined) >= 2]:
            systems.remove(other)
            joined |= other
        systems.append(joined)
    return systems


def bonded_terms(
    mol: Any, groups: Sequence[Sequence[int]], masses: Sequence[float], ensemble: BeadEnsemble | None
) -> BondedTerms:
    """Bonds, constraints, angles, impropers and exclusions of a partition.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
    groups : sequence of sequences of int
        Atoms of each bead.
    masses : sequence of float
        Bead masses [u].
    ensemble : BeadEnsemble or None
        Without one, lengths and angles are estimated from the molecular graph and no impropers are made.
    """
    if len(groups) == 1:
        return BondedTerms(positions=None if ensemble is None else np.zeros((1, 3)))
    graph = connectivity(mol, groups)
    measure = _Measure(mol, groups, ensemble)
    framed = {pair for frame in graph.frames for pair in combinations(frame, 2)}
    strips = [(frame, _triangulate(frame, graph.edges, measure)) for frame in graph.frames]
    pairs = {p for _, strip in strips for p in strip}
    # Beads in line get fewer constraints than a strip of triangles; angles keep those frames straight.
    solid = {p for frame, strip in strips if len(strip) == 2 * len(frame) - 3 for p in combinations(frame, 2)}
    braces = {p for frame, strip in strips if len(frame) > _LARGEST_CONSTRAINED_FRAME for p in _braces(strip)}
    constraints = [Constraint(atoms=p, length=measure.length(p)) for p in sorted(pairs - braces)]
    crowd = _crowd({*graph.edges, *pairs}, len(masses))
    bonds, stiff = _springs([e for e in graph.edges if e not in framed], masses, measure, graph, crowd)
    constraints = sorted([*constraints, *stiff], key=lambda c: c.atoms)
    bonds = sorted([*bonds, *(_stiff_bond(p, masses, measure, crowd) for p in braces)], key=lambda b: b.atoms)
    positions = None
    if ensemble is not None:
        positions = _satisfy(ensemble.best, constraints, masses)
    joined = [(b.atoms) for b in bonds] + [c.atoms for c in constraints]
    return BondedTerms(
        bonds=tuple(bonds),
        constraints=tuple(constraints),
        angles=tuple(_angles(joined, solid, measure)),
        dihedrals=tuple(_impropers(graph, pairs, joined, measure)),
        exclusions=tuple(sorted(framed - set(joined))),
        positions=positions,
    )


class _Measure:
    """Averages and fluctuations of distances, angles and dihedrals, from conformers or from the graph."""

    def __init__(self, mol: Any, groups: Sequence[Sequence[int]], ensemble: BeadEnsemble | None) -> None:
        self.ensemble = ensemble
        self._mol, self._groups = mol, groups
        self._lengths: dict[tuple[int, int], float] = {}

    def length(self, pair: tuple[int, int]) -> float:
        """Mean distance [nm]."""
        if pair not in self._lengths:
            if self.ensemble is None:
                raw = self._graph_length(pair)
            else:
                raw = float(self.ensemble.weights @ self._distances(pair))
            self._lengths[pair] = round(min(max(raw, _LENGTHS[0]), _LENGTHS[1]), 4)
        return self._lengths[pair]

    def length_variance(self, pair: tuple[int, int]) -> float:
        """Variance of the distance [nm²]; that of a typical Martini bond without conformers."""
        if self.ensemble is None:
            return _KT / 5000.0
        distances = self._distances(pair)
        mean = self.ensemble.weights @ distances
        return float(self.ensemble.weights @ (distances - mean) ** 2)

    def angle(self, triple: tuple[int, int, int]) -> tuple[float, float]:
        """(mean [degrees], variance of the cosine)."""
        if self.ensemble is None:
            return 150.0, _KT / 25.0
        x = self.ensemble.positions
        cosines = _cosine(x[:, triple[0]] - x[:, triple[1]], x[:, triple[2]] - x[:, triple[1]])
        mean = float(np.clip(self.ensemble.weights @ cosines, -1.0, 1.0))
        return math.degrees(math.acos(mean)), float(self.ensemble.weights @ (cosines - mean) ** 2)

    def dihedral(self, four: tuple[int, int, int, int]) -> tuple[float, float]:
        """(mean [degrees], length of the mean unit vector: 1 when all conformers agree)."""
        assert self.ensemble is not None
        angles = _dihedrals(self.ensemble.positions, four)
        mean = self.ensemble.weights @ np.exp(1j * angles)
        return float(np.degrees(np.angle(mean))), float(abs(mean))

    def rotatable_bonds(self, pair: tuple[int, int]) -> int:
        """Single bonds outside rings inside and between two beads, ends of chains excepted.

        A few minimised conformers understate how the distance fluctuates; each such bond softens it.
        """
        atoms = set(self._groups[pair[0]]) | set(self._groups[pair[1]])
        return sum(
            bond.GetBeginAtomIdx() in atoms
            and bond.GetEndAtomIdx() in atoms
            and not bond.IsInRing()
            and bond.GetBondTypeAsDouble() == 1.0
            and min(_inner_degree(end, atoms) for end in (bond.GetBeginAtom(), bond.GetEndAtom())) > 1
            for bond in self._mol.GetBonds()
        )

    def bend(self, triple: tuple[int, int, int]) -> float:
        """Mean angle [degrees] whether or not it is a term."""
        return self.angle(triple)[0]

    def _distances(self, pair: tuple[int, int]) -> FloatArray:
        assert self.ensemble is not None
        x = self.ensemble.positions
        return np.asarray(np.linalg.norm(x[:, pair[0]] - x[:, pair[1]], axis=1))

    def _graph_length(self, pair: tuple[int, int]) -> float:
        """0.118 nm per bond of the mean path between the beads (C1-C1: 0.47 nm), 0.14 nm inside rings (TC5-TC5: 0.28)."""
        from rdkit import Chem

        paths = Chem.GetDistanceMatrix(self._mol)
        block = paths[np.ix_(list(self._groups[pair[0]]), list(self._groups[pair[1]]))]
        in_ring = all(any(self._mol.GetAtomWithIdx(a).IsInRing() for a in self._groups[bead]) for bead in pair)
        return float(block.mean()) * (0.14 if in_ring else 0.118)


def _inner_degree(atom: Any, atoms: set[int]) -> int:
    return sum(neighbor.GetIdx() in atoms for neighbor in atom.GetNeighbors())


def _cosine(a: FloatArray, b: FloatArray) -> FloatArray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("ij,ij->i", a, b) / np.maximum(norms, 1e-12))


def _dihedrals(x: FloatArray, four: tuple[int, int, int, int]) -> FloatArray:
    """IUPAC dihedral angles [rad] of (n, beads, 3) coordinates."""
    b1, b2, b3 = (x[:, four[k + 1]] - x[:, four[k]] for k in range(3))
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    y = np.einsum("ij,ij->i", np.cross(n1, n2), b2) / np.maximum(np.linalg.norm(b2, axis=1), 1e-12)
    return np.asarray(np.arctan2(y, np.einsum("ij,ij->i", n1, n2)))


def _triangulate(
    frame: tuple[int, ...], edges: Iterable[tuple[int, int]], measure: _Measure
) -> dict[tuple[int, int], int]:
    """Pairs that hold a frame: each bead after the first two is held by two others, 2N - 3 in all.

    Beads are taken in the order of their distance to those already held, shortest first, and held by the two nearest
    that are not in line with them. The value is 2 for the farther of the two beyond the first triangle.
    """
    if len(frame) == 2:
        return {(frame[0], frame[1]): 1}
    joined = set(edges)

    def distance(i: int, j: int) -> tuple[bool, float]:
        pair = (min(i, j), max(i, j))
        return pair not in joined, measure.length(pair)

    first = min(combinations(frame, 2), key=lambda p: (*distance(*p), p))
    held, chosen = list(first), {first: 1}
    while len(held) < len(frame):
        options = []
        for bead in sorted(set(frame) - set(held)):
            for i, j in combinations(sorted(held), 2):
                if _is_triangle(i, j, bead, measure):
                    far = distance(bead, i)[0] + distance(bead, j)[0]
                    options.append((far, distance(bead, i)[1] + distance(bead, j)[1], bead, i, j))
        if not options:
            # All in one line: hold the next bead by its nearest neighbour; a second constraint would be redundant.
            bead, i = min(
                ((b, i) for b in sorted(set(frame) - set(held)) for i in held), key=lambda p: (*distance(*p), p)
            )
            chosen[min(bead, i), max(bead, i)] = 1
        else:
            _, _, bead, i, j = min(options)
            near, far_end = sorted((i, j), key=lambda k: (*distance(bead, k), k))
            chosen[min(bead, near), max(bead, near)] = 1
            chosen[min(bead, far_end), max(bead, far_end)] = 1 if len(held) == 2 else 2
        held.append(bead)
    return chosen


def _is_triangle(i: int, j: int, k: int, measure: _Measure) -> bool:
    """Whether three beads stand clearly off one line, by the lengths their constraints would have."""
    a, b, c = sorted(measure.length((min(p, q), max(p, q))) for p, q in ((i, j), (i, k), (j, k)))
    return a + b > 1.08 * c


def _springs(
    edges: list[tuple[int, int]], masses: Sequence[float], measure: _Measure, graph: Connectivity, crowd: list[int]
) -> tuple[list[Bond], list[Constraint]]:
    """Bonds, and constraints in place of bonds too stiff for 20 fs where they close no cycle."""
    in_cycle = _cycle_edges(graph.edges)
    bonds, constraints = [], []
    for i, j in edges:
        length = measure.length((i, j))
        turns = measure.rotatable_bonds((i, j))
        wanted = min(_KT / max(measure.length_variance((i, j)), 1e-9), 1.5 * BOND_RANGE[1] / (1 + turns))
        limit = _largest_force((i, j), masses, crowd)
        if wanted > BOND_RANGE[1] and (i, j) not in in_cycle:
            constraints.append(Constraint(atoms=(i, j), length=length))
            continue
        force = min(max(wanted, BOND_RANGE[0]), BOND_RANGE[1], limit)
        bonds.append(Bond(atoms=(i, j), length=length, force_constant=float(round(force, -1))))
    return bonds, constraints


def _crowd(pairs: Iterable[tuple[int, int]], n_beads: int) -> list[int]:
    """How many pairs each bead is in."""
    count = [0] * n_beads
    for i, j in pairs:
        count[i] += 1
        count[j] += 1
    return count


def _largest_force(pair: tuple[int, int], masses: Sequence[float], crowd: list[int]) -> float:
    """Largest force constant [kJ/mol/nm²] of a bond that the time step resolves.

    The highest frequency of a bead pair with n springs on it is at most sqrt(n k (1/m_i + 1/m_j)).
    """
    i, j = pair
    reduced = 1.0 / (1.0 / masses[i] + 1.0 / masses[j])
    return reduced * (2 * math.pi / _MIN_PERIOD) ** 2 / max(1.0, 0.5 * (crowd[i] + crowd[j]))


def _stiff_bond(pair: tuple[int, int], masses: Sequence[float], measure: _Measure, crowd: list[int]) -> Bond:
    force = min(BOND_RANGE[1], _largest_force(pair, masses, crowd))
    return Bond(atoms=pair, length=measure.length(pair), force_constant=float(round(force, -1)))


def _braces(strip: dict[tuple[int, int], int]) -> set[tuple[int, int]]:
    """The second pair by which each bead after the first triangle is held."""
    return {pair for pair, place in strip.items() if place == 2}


def _cycle_edges(edges: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Edges that lie on a cycle of the bead graph."""
    edges = list(edges)
    return {edge for edge in edges if _joined(edge[0], edge[1], [e for e in edges if e != edge])}


def _joined(start: int, end: int, edges: list[tuple[int, int]]) -> bool:
    reached, frontier = {start}, [start]
    while frontier:
        here = frontier.pop()
        for i, j in edges:
            for there in ({i, j} - {here}) if here in (i, j) else ():
                if there not in reached:
                    reached.add(there)
                    frontier.append(there)
    return end in reached


def _angles(joined: list[tuple[int, int]], solid: set[tuple[int, int]], measure: _Measure) -> list[Angle]:
    """An angle over every two neighbouring bonds that no rigid frame fixes already."""
    near: dict[int, set[int]] = {}
    for i, j in joined:
        near.setdefault(i, set()).add(j)
        near.setdefault(j, set()).add(i)
    angles = []
    for middle in sorted(near):
        for i, k in combinations(sorted(near[middle]), 2):
            sides = [(min(a, middle), max(a, middle)) for a in (i, k)]
            if k in near[i] or all(side in solid for side in sides):
                continue
            mean, variance = measure.angle((i, middle, k))
            force = min(max(_KT / max(variance, 1e-9), ANGLE_RANGE[0]), ANGLE_RANGE[1])
            angles.append(
                Angle(atoms=(i, middle, k), angle=round(mean, 1), force_constant=float(round(force)), function=2)
            )
    return angles


def _impropers(
    graph: Connectivity, held: set[tuple[int, int]], joined: list[tuple[int, int]], measure: _Measure
) -> list[Dihedral]:
    """Impropers over the hinges of frames of four beads or more, and for beads that hang on a frame."""
    if measure.ensemble is None:
        return []
    fours: list[tuple[int, int, int, int]] = []
    for frame in graph.frames:
        inside = set(frame)
        triangles = [t for t in combinations(frame, 3) if all(p in held for p in combinations(t, 2))]
        for one, two in combinations(triangles, 2):
            hinge = sorted(set(one) & set(two))
            if len(hinge) == 2:
                (first,), (last,) = set(one) - set(hinge), set(two) - set(hinge)
                fours.append((first, hinge[0], hinge[1], last))
        for i, j in joined:
            inner, outer = (i, j) if i in inside else (j, i)
            if inner in inside and outer not in inside:
                corner = next((t for t in triangles if inner in t), None)
                if corner is not None:
                    a, b = sorted(set(corner) - {inner})
                    fours.append((outer, a, b, inner))
    terms = []
    for four in dict.fromkeys(fours):
        bends = (measure.bend(four[:3]), measure.bend(four[1:]))
        mean, agreement = measure.dihedral(four)
        if all(25.0 < b < 155.0 for b in bends) and agreement > 0.97:
            terms.append(Dihedral(atoms=four, angle=round(mean, 1), force_constant=IMPROPER_FORCE, function=2))
    return terms


def _satisfy(positions: FloatArray, constraints: Sequence[Constraint], masses: Sequence[float]) -> FloatArray:
    """Move beads as little as needed until all constraints hold to 1e-6 nm (SHAKE), and centre them."""
    x = np.array(positions, dtype=np.float64)
    inverse = 1.0 / np.asarray(masses, dtype=np.float64)
    for _ in range(2000):
        worst = 0.0
        for constraint in constraints:
            i, j = constraint.atoms
            d = x[j] - x[i]
            r = max(float(np.linalg.norm(d)), 1e-9)
            error = r - constraint.length
            worst = max(worst, abs(error))
            step = error / r / (inverse[i] + inverse[j]) * d
            x[i] += inverse[i] * step
            x[j] -= inverse[j] * step
        if worst < 1e-6:
            break
    return np.asarray(x - x.mean(axis=0))
