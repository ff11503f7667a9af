"""Bonded terms of the beads: what is rigid, what is a spring, how long and how stiff.

Beads are neighbours where a chemical bond or a shared atom joins them. The beads of one ring system are a rigid body of
constraints and virtual sites (:mod:`topdown.mapping.rigid_frames`). A bead that hangs stiffly on a body has two springs
to it, as in the published ring models; other neighbours have one, with angles (G96) over every two. Impropers keep what
hangs on a flat body in its plane, and a dihedral turns two bodies that are joined directly. Lengths, angles and force
constants are Boltzmann inversions of the conformers (:mod:`topdown.mapping.bonded_fit`), within the range that Martini
uses, and lowered until no vibration is faster than ten steps of 20 fs (:mod:`topdown.mapping.stability`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from operator import itemgetter
from typing import Any

import numpy as np

from topdown.mapping.bead_graph import Connectivity, Networks, connectivity, cycle_edges
from topdown.mapping.bead_measures import BeadMeasure
from topdown.mapping.conformers import BeadEnsemble, superposed
from topdown.mapping.rigid_frames import RigidBody, place_site, rigid_body, shared_masses
from topdown.mapping.stability import Skeleton, independent_constraints, softened
from topdown.mapping.vectors import cosine, difference, norm
from topdown.model import Angle, Bond, Constraint, Dihedral, VirtualSite
from topdown.model._arrays import FloatArray

#: Most symmetries looked at, and most images of conformers kept.
_MOST_SYMMETRIES, _MOST_IMAGES = 24, 20_000
#: Range of bond [kJ/mol/nm²] and angle [kJ/mol] force constants; of impropers of what hangs on a ring [kJ/mol/rad²].
BOND_RANGE = (1250.0, 25000.0)
ANGLE_RANGE = (25.0, 250.0)
IMPROPER_FORCE = 50.0
_LARGEST_IMPROPER = 200.0
#: Least length of the mean unit vector of a dihedral that is called an improper: 0.75 is a spread of about 40 degrees.
_LEAST_AGREEMENT = 0.75
#: Chains turn about a bond by a dihedral term only if their angles seldom exceed this [degrees].
_STRAIGHTEST = 155.0
#: Angles inside dihedrals keep this far from straight and folded [degrees]: in a rigid body, and where springs let them move.
_RIGID_MARGIN, _TORSION_MARGIN = 25.0, 40.0
#: A second bond of a bead to a body stands at this angle to the first [degrees]; nearer to a line the three could flip.
_ANCHOR_ANGLES = (40.0, 125.0)


@dataclass(frozen=True, kw_only=True)
class BondedTerms:
    """All bonded terms of a molecule, and its coordinates if conformers were made.

    Attributes
    ----------
    masses : tuple of float
        Of the beads [u]: virtual sites have none, the beads they are built from carry theirs.
    """

    masses: tuple[float, ...]
    bonds: tuple[Bond, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    angles: tuple[Angle, ...] = ()
    dihedrals: tuple[Dihedral, ...] = ()
    virtual_sites: tuple[VirtualSite, ...] = ()
    exclusions: tuple[tuple[int, int], ...] = ()
    positions: FloatArray | None = None

    def renumbered(self, sequence: Sequence[int]) -> BondedTerms:
        """The same terms with the beads in another order: bead ``sequence[k]`` becomes bead k."""
        new = {old: place for place, old in enumerate(sequence)}

        def moved(atoms: tuple[int, ...]) -> tuple[int, ...]:
            images = tuple(new[a] for a in atoms)
            return images if images[0] < images[-1] else images[::-1]

        def move(items: Any) -> Any:
            places = [(moved(t.atoms), t) for t in items]
            places.sort(key=itemgetter(0))
            return tuple(t if atoms == t.atoms else replace(t, atoms=atoms) for atoms, t in places)

        sites = (replace(v, site=new[v.site], atoms=tuple(new[a] for a in v.atoms)) for v in self.virtual_sites)
        return BondedTerms(
            masses=tuple(self.masses[old] for old in sequence),
            bonds=move(self.bonds),
            constraints=move(self.constraints),
            angles=move(self.angles),
            dihedrals=move(self.dihedrals),
            virtual_sites=tuple(sorted(sites, key=lambda v: v.site)),
            exclusions=tuple(sorted((min(p), max(p)) for p in ((new[i], new[j]) for i, j in self.exclusions))),
            positions=None if self.positions is None else self.positions[list(sequence)],
        )


def bonded_terms(
    mol: Any, groups: Sequence[Sequence[int]], masses: Sequence[float], ensemble: BeadEnsemble | None
) -> BondedTerms:
    """Bonds, constraints, angles, dihedrals, virtual sites and exclusions of a partition.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
    groups : sequence of sequences of int
        Atoms of each bead.
    masses : sequence of float
        Bead masses [u].
    ensemble : BeadEnsemble or None
        Without one, ring systems have the shape of a flat drawing, lengths and angles of chains are estimated from the
        molecular graph, and only hinges have impropers.
    """
    if len(groups) == 1:
        return BondedTerms(masses=tuple(masses), positions=None if ensemble is None else np.zeros((1, 3)))
    graph = connectivity(mol, groups)
    if ensemble is not None:
        ensemble = _symmetrised(mol, groups, ensemble)
    measure = BeadMeasure(mol, groups, ensemble)
    frames = _without_loose_beads(graph.frames, groups, measure)
    bodies = _bodies(frames, measure)
    carried = shared_masses(masses, bodies)
    builder = _Builder(graph, bodies, measure)
    positions = _reference(measure, bodies)
    constraints, redundant = independent_constraints(positions, carried, builder.constraints)
    positions = _satisfy(positions, constraints, carried, builder.sites)
    bonds = (*builder.bonds, *(_as_bond(c) for c in redundant))
    skeleton = Skeleton(positions=positions, masses=carried, constraints=constraints, sites=builder.sites)
    dihedrals = builder.dihedrals()
    angles = builder.angles(inside={t for d in dihedrals if d.function == 1 for t in (d.atoms[:3], d.atoms[1:])})
    bonds, angles, dihedrals = softened(skeleton, (bonds, angles, dihedrals))
    return BondedTerms(
        masses=carried,
        bonds=tuple(sorted(bonds, key=lambda b: b.atoms)),
        constraints=tuple(sorted(constraints, key=lambda c: c.atoms)),
        angles=angles,
        dihedrals=dihedrals,
        virtual_sites=builder.sites,
        exclusions=builder.exclusions(),
        positions=None if ensemble is None else positions - positions.mean(axis=0),
    )


def _symmetrised(mol: Any, groups: Sequence[Sequence[int]], ensemble: BeadEnsemble) -> BeadEnsemble:
    """The ensemble with its images under the symmetries of the molecule, so that equivalent terms get equal numbers."""
    from rdkit import rdBase

    n = len(ensemble.weights)
    place = {tuple(sorted(group)): bead for bead, group in enumerate(groups)}
    orders: list[list[int]] = []
    with rdBase.BlockLogs():
        images = mol.GetSubstructMatches(mol, uniquify=False, useChirality=True, maxMatches=_MOST_SYMMETRIES)
    for image in images:
        moved = [place.get(tuple(sorted(image[a] for a in group)), -1) for group in groups]
        if -1 not in moved and moved not in orders:
            orders.append(moved)
    if len(orders) < 2 or n * len(orders) > _MOST_IMAGES:
        return ensemble
    return replace(
        ensemble,
        positions=np.concatenate([ensemble.positions[:, order] for order in orders]),
        # The images of the best conformer follow it: it stays the best.
        weights=np.tile(ensemble.weights, len(orders)) / len(orders),
    )


def _without_loose_beads(
    frames: Mapping[tuple[int, ...], frozenset[int]], groups: Sequence[Sequence[int]], measure: BeadMeasure
) -> list[tuple[int, ...]]:
    """Frames without beads that hold few of the ring atoms and do not keep their distance to the rest."""
    result = set()
    for frame, atoms in frames.items():
        inside = {b: len(atoms.intersection(groups[b])) for b in frame}
        core = [b for b in frame if 2 * inside[b] >= len(groups[b])]
        kept = list(core)
        for bead in frame:
            if 2 * inside[bead] >= len(groups[bead]):
                continue
            if measure.ensemble is None:
                loose = 4 * inside[bead] <= len(groups[bead])
            else:
                loose = any(measure.spread((min(bead, c), max(bead, c))) > measure.stiff_below for c in core)
            if not loose:
                kept.append(bead)
        if len(kept) > 1:
            result.add(tuple(sorted(kept)))
    return sorted(result)


def _bodies(frames: Sequence[tuple[int, ...]], measure: BeadMeasure) -> list[RigidBody]:
    """Rigid bodies of the frames; a bead in two of them has mass in both."""
    times: dict[int, int] = {}
    for frame in frames:
        for bead in frame:
            times[bead] = times.get(bead, 0) + 1
    return [rigid_body(f, measure.shape(f), keep=(b for b in f if times[b] > 1)) for f in frames]


class _Builder:
    """Terms outside the rigid bodies."""

    def __init__(self, graph: Connectivity, bodies: list[RigidBody], measure: BeadMeasure) -> None:
        self.measure, self.bodies = measure, bodies
        self.sites = tuple(sorted((v for body in bodies for v in body.sites), key=lambda v: v.site))
        self._is_site = {v.site for v in self.sites}
        self._body_of: dict[int, list[RigidBody]] = {}
        for body in bodies:
            for bead in body.beads:
                self._body_of.setdefault(bead, []).append(body)
        inside = {pair for body in bodies for pair in combinations(body.beads, 2)}
        self.links = [edge for edge in graph.edges if edge not in inside]
        self._inside = inside
        self._near = _neighbours(self.links)
        held: dict[tuple[int, int], Constraint] = {}
        for body in bodies:
            for constraint in body.constraints:
                held.setdefault(constraint.atoms, constraint)
        self.bonds, stiff = self._springs(graph, held)
        self.constraints = tuple(sorted([*held.values(), *stiff], key=lambda c: c.atoms))
        self.anchors = self._anchors()
        self.bonds += tuple(self._capped(self._bond(pair)) for pair in sorted(set(self.anchors.values())))

    def _springs(
        self, graph: Connectivity, held: Iterable[tuple[int, int]]
    ) -> tuple[tuple[Bond, ...], list[Constraint]]:
        """Bonds, and constraints in place of the stiffest ones where they close no cycle and join no long network."""
        bonds = [self._bond(pair) for pair in self.links]
        if all(bond.force_constant <= BOND_RANGE[1] for bond in bonds):
            return tuple(bonds), []
        in_cycle, network = cycle_edges(graph.edges), Networks(held)
        springs, constraints = [], []
        for pair, bond in zip(self.links, bonds):
            sites = self._is_site & set(pair)
            if bond.force_constant > BOND_RANGE[1] and pair not in in_cycle and not sites and network.joins(pair):
                constraints.append(Constraint(atoms=pair, length=bond.length))
            else:
                springs.append(self._capped(bond))
        return tuple(springs), constraints

    @staticmethod
    def _capped(bond: Bond) -> Bond:
        return bond if bond.force_constant <= BOND_RANGE[1] else replace(bond, force_constant=BOND_RANGE[1])

    def _bond(self, pair: tuple[int, int]) -> Bond:
        """Its force constant is above the range where it could as well be a constraint."""
        force = self.measure.stiffness(pair)
        if self.measure.thermal:
            force = min(force, 2.0 * BOND_RANGE[1])
        else:
            # Mostly there are too few atoms for enough of them to matter.
            if force > 1.5 * BOND_RANGE[1] / self.measure.n_atoms(pair):
                force = min(force, 1.5 * BOND_RANGE[1] / (1 + self.measure.rotatable_bonds(pair)))
            force = max(force, BOND_RANGE[0])
        return Bond(atoms=pair, length=self.measure.length(pair), force_constant=float(round(force, -1)))

    def _anchors(self) -> dict[tuple[int, int], tuple[int, int]]:
        """A second bond for each link whose outer bead hangs stiffly on a body: (outer, inner) to the pair bonded as well."""
        found: dict[tuple[int, int], tuple[int, int]] = {}
        if self.measure.ensemble is None:
            return found
        for link in self.links:
            for outer, inner in (link, link[::-1]):
                body = next((b for b in self._body_of.get(inner, ()) if outer not in b.beads), None)
                # Bodies joined directly turn about their bond; two anchored ends of one bond would be redundant.
                if body is None or outer in self._body_of or len(body.beads) < 3:
                    continue
                if any(b in self._near[outer] for b in body.beads if b != inner):
                    continue
                if self.measure.spread(link) > self.measure.stiff_below:
                    continue
                options = []
                for bead in body.beads:
                    pair = (min(outer, bead), max(outer, bead))
                    bend = self.measure.bend((outer, inner, bead)) if bead != inner else 180.0
                    if (
                        bead != inner
                        and _ANCHOR_ANGLES[0] < bend < _ANCHOR_ANGLES[1]
                        and self.measure.spread(pair) < self.measure.stiff_below
                    ):
                        options.append((self.measure.length(pair), pair))
                if options:
                    found[outer, inner] = min(options)[1]
        return found

    def angles(self, *, inside: set[tuple[int, ...]]) -> tuple[Angle, ...]:
        """Over every two neighbouring links, over links and the bodies they hang on, and of bodies bent but nearly straight.

        Angles ``inside`` a proper dihedral are restricted ones, which never become straight (Bulacu et al., J. Chem. Theory
        Comput. 9, 3282 (2013)).
        """
        triples: list[tuple[int, int, int]] = [t for body in self.bodies for t in body.straight]
        for middle, outer in sorted(self._near.items()):
            triples += [
                (i, middle, k)
                for i, k in combinations(outer, 2)
                if (i, k) not in self._inside and k not in self._near[i]
            ]
            for body in self._body_of.get(middle, ()):
                for bead in outer:
                    if bead in body.beads:
                        continue
                    linked = self._linked(body, bead)
                    if len(linked) < 2:
                        triples += [(bead, middle, k) for k in self._corners(body, middle, linked)]
                    elif not self._holding(body, middle, bead):
                        # It hangs by two bonds and swings about the line between them: one angle is left.
                        triples += [(bead, middle, k) for k in self._corners(body, middle, linked)[:1]]
        angles = []
        for triple in dict.fromkeys(t if t[0] < t[2] else t[::-1] for t in triples):
            restricted = self.measure.ensemble is not None and (triple in inside or triple[::-1] in inside)
            center, force = self.measure.restricted_angle(triple) if restricted else self.measure.angle(triple)
            if self.measure.ensemble is None and triple[1] in self._body_of:
                center = self.measure.bend(triple)
            force = min(max(force, 0.0 if self.measure.thermal else ANGLE_RANGE[0]), ANGLE_RANGE[1])
            angles.append(
                Angle(
                    atoms=triple,
                    angle=round(center, 1),
                    force_constant=float(round(force, 1 if self.measure.thermal else 0)),
                    function=10 if restricted else 2,
                )
            )
        return tuple(sorted(angles, key=lambda a: a.atoms))

    def _linked(self, body: RigidBody, outer: int) -> list[int]:
        """Beads of a body that a bead outside has bonds to."""
        found = {b for b in self._near.get(outer, ()) if b in body.beads}
        for (bead, _), pair in self.anchors.items():
            if bead == outer:
                found |= set(pair) & set(body.beads)
        return sorted(found)

    def _corners(self, body: RigidBody, inner: int, linked: Sequence[int]) -> list[int]:
        """Up to two beads of a body over which the direction of a link is held: near ones, not in line with one another.

        None of those ``linked`` to the bead at the other end of the link are taken.
        """
        at = body.places
        others = [b for b in body.beads if b != inner and b not in linked]
        others.sort(key=lambda b: (round(math.dist(at[b], at[inner]), 3), b))
        for first, second in combinations(others[:3], 2):
            if abs(cosine(difference(at[first], at[inner]), difference(at[second], at[inner]))) < 0.94:
                return [first, second]
        return others[:1]

    def dihedrals(self) -> tuple[Dihedral, ...]:
        """Impropers of hinges and of what hangs on bodies, torsions between bodies."""
        found: dict[tuple[int, ...], Dihedral] = {d.atoms: d for body in self.bodies for d in body.impropers}
        if self.measure.ensemble is not None:
            for link in self.links:
                for outer, inner in (link, link[::-1]):
                    for body in self._body_of.get(inner, ()):
                        if outer not in body.beads:
                            for improper in self._holding(body, inner, outer):
                                found.setdefault(improper.atoms, improper)
                for torsion in self._torsions(link):
                    found.setdefault((*torsion.atoms, torsion.multiplicity), torsion)
            for torsion in self._chain_torsions() if self.measure.thermal else ():
                found[(*torsion.atoms, torsion.multiplicity)] = torsion
        return tuple(found.values())

    def _chain_torsions(self) -> tuple[Dihedral, ...]:
        """Of four beads in a row outside rings: only from dynamics, where all their angles stay clear of straight."""
        found: list[Dihedral] = []
        for j, k in self.links:
            for i in self._near[j]:
                for m in self._near[k]:
                    if len({i, j, k, m}) < 4 or any(a in self._body_of for a in (i, j, k, m)):
                        continue
                    if all(self.measure.largest_angle(t) < _STRAIGHTEST for t in ((i, j, k), (j, k, m))):
                        found += self.measure.torsion((i, j, k, m) if i < m else (m, k, j, i))
        return tuple(found)

    def _holding(self, body: RigidBody, inner: int, outer: int) -> list[Dihedral]:
        """The improper that keeps a bead on its side, or in the plane, of the body it hangs on."""
        if self.measure.ensemble is None:
            return []
        linked = self._linked(body, outer)
        corners = self._corners(body, inner, linked)
        if len(linked) == 2 and corners:
            four = (outer, linked[0], linked[1], corners[0])
        elif len(linked) < 2 and len(corners) == 2:
            four = (outer, corners[0], corners[1], inner)
        else:
            return []
        bends = (self.measure.bend(four[:3]), self.measure.bend(four[1:]))
        mean, agreement = self.measure.dihedral(four)
        margins = (_TORSION_MARGIN, _RIGID_MARGIN)
        clear = all(margin < b < 180.0 - margin for margin, b in zip(margins, bends))
        if not clear or agreement < _LEAST_AGREEMENT:
            return []
        if min(abs(mean), 180.0 - abs(mean)) < 8.0:
            mean = 0.0 if abs(mean) < 90.0 else 180.0
        # Narrow distributions about the mean have 1 - agreement = variance/2.
        force = self.measure.kt / max(2.0 * (1.0 - agreement), 1e-6)
        force = min(force, _LARGEST_IMPROPER if self.measure.thermal else IMPROPER_FORCE)
        force = max(force, 0.0 if self.measure.thermal else 0.2 * IMPROPER_FORCE)
        return [Dihedral(atoms=four, angle=round(mean, 1), force_constant=float(round(force)), function=2)]

    def _torsions(self, link: tuple[int, int]) -> tuple[Dihedral, ...]:
        """How two bodies joined by a bond turn: the dihedral over a pair of beads of each whose angles are nearest to square."""
        ends = [[b for b in self._body_of.get(link[k], ()) if link[1 - k] not in b.beads] for k in (0, 1)]
        if not (ends[0] and ends[1]):
            return ()
        one, two = ends[0][0], ends[1][0]
        best: tuple[float, tuple[int, int, int, int]] | None = None
        for b, c in ((b, c) for b in one.beads for c in two.beads if b != c):
            for a in one.beads:
                for d in two.beads:
                    if len({a, b, c, d}) < 4:
                        continue
                    worst = max(abs(self.measure.bend(t) - 90.0) for t in ((a, b, c), (b, c, d)))
                    key = (round(worst, 1), (a, b, c, d))
                    if best is None or key < best:
                        best = key
        if best is None or best[0] > 40.0:
            return ()
        return self.measure.torsion(best[1])

    def exclusions(self) -> tuple[tuple[int, int], ...]:
        """All pairs inside a body, of a bead with the body it hangs on, and of bodies joined directly, if not bonded."""
        pairs = set(self._inside)
        for i, j in self.links:
            left = {b for body in self._body_of.get(i, ()) for b in body.beads} | {i}
            right = {b for body in self._body_of.get(j, ()) for b in body.beads} | {j}
            pairs |= {(min(a, b), max(a, b)) for a in left for b in right if a != b}
        for one, two in combinations(self.bodies, 2):
            if set(one.beads) & set(two.beads):
                pairs |= {(min(a, b), max(a, b)) for a in one.beads for b in two.beads if a != b}
        return tuple(sorted(pairs - {b.atoms for b in self.bonds} - {c.atoms for c in self.constraints}))


def _neighbours(links: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Beads at the other ends of the links of each bead that has any, sorted."""
    near: dict[int, list[int]] = {}
    for i, j in links:
        near.setdefault(i, []).append(j)
        near.setdefault(j, []).append(i)
    return {bead: sorted(others) for bead, others in near.items()}


def _as_bond(constraint: Constraint) -> Bond:
    return Bond(atoms=constraint.atoms, length=constraint.length, force_constant=BOND_RANGE[1])


def _reference(measure: BeadMeasure, bodies: Sequence[RigidBody]) -> FloatArray:
    """One geometry (n_beads, 3) [nm] in which every body has its shape: the best conformer, or the drawing."""
    if measure.ensemble is None:
        return measure.flat
    x = np.array(measure.ensemble.best)
    for body in bodies:
        chosen = list(body.beads)
        x[chosen] = superposed(body.shape, x[chosen])
    return x


def _satisfy(
    positions: FloatArray,
    constraints: Sequence[Constraint],
    masses: Sequence[float],
    sites: Sequence[VirtualSite],
) -> FloatArray:
    """Move beads as little as needed until all constraints hold to 1e-6 nm (SHAKE), and place the sites."""
    x = positions.tolist()
    inverse = [1.0 / m if m > 0 else 0.0 for m in masses]
    for _ in range(2000):
        worst = 0.0
        for constraint in constraints:
            i, j = constraint.atoms
            one, two = x[i], x[j]
            d = difference(two, one)
            r = max(norm(d), 1e-9)
            error = r - constraint.length
            worst = max(worst, abs(error))
            step = error / r / (inverse[i] + inverse[j])
            for k in (0, 1, 2):
                one[k] += inverse[i] * (step * d[k])
                two[k] -= inverse[j] * (step * d[k])
        if worst < 1e-6:
            break
    for site in sites:
        x[site.site] = place_site(site, x)
    return np.array(x)
