"""A coarse-grained molecule: beads, bonded terms, and optionally one set of coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from topdown.errors import TopologyError
from topdown.model._arrays import FloatArray, frozen_array
from topdown.model.bead import Bead
from topdown.model.bonded import (
    CONSTRUCTIONS,
    Angle,
    Bond,
    Constraint,
    Dihedral,
    FlatBottomRestraint,
    PositionRestraint,
    VirtualSite,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class CGMolecule:
    """A molecule as the engine and the writers see it.

    Attributes
    ----------
    name : str
        As given by the user, any text; writers shorten it.
    beads : tuple of Bead
    bonds, constraints, angles, dihedrals : tuples of bonded terms
    virtual_sites : tuple of VirtualSite
    position_restraints, flat_bottom_restraints : tuples of restraints
        Their reference points are :attr:`System.reference_positions`.
    exclusions : tuple of (int, int)
        Extra non-bonded exclusions, i < j, beyond those of bonds and constraints.
    nrexcl : int
        Pairs up to this many bonds apart are excluded; 1 in Martini.
    positions : (n_beads, 3) float64 [nm] or None
        One representative conformation.
    smiles, canonical_smiles : str
        As written by the user, and RDKit's canonical form; empty when unknown.
    table : str
        Name of the bead table its types belong to.
    molar_mass : float
        Real molar mass [g/mol] of what one such molecule stands for (a W bead: four waters); 0 when unknown.
    warnings : tuple of str

    Raises
    ------
    TopologyError
        An index out of range, a term over repeated beads, or virtual sites that have mass, are placed twice, in a circle,
        or with the wrong number of parameters.
    """

    name: str
    beads: tuple[Bead, ...]
    bonds: tuple[Bond, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    angles: tuple[Angle, ...] = ()
    dihedrals: tuple[Dihedral, ...] = ()
    virtual_sites: tuple[VirtualSite, ...] = ()
    position_restraints: tuple[PositionRestraint, ...] = ()
    flat_bottom_restraints: tuple[FlatBottomRestraint, ...] = ()
    exclusions: tuple[tuple[int, int], ...] = ()
    nrexcl: int = 1
    positions: FloatArray | None = None
    smiles: str = ""
    canonical_smiles: str = ""
    table: str = ""
    molar_mass: float = 0.0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.beads)
        terms: list[tuple[str, tuple[int, ...]]] = [
            *(("bond", t.atoms) for t in self.bonds),
            *(("constraint", t.atoms) for t in self.constraints),
            *(("angle", t.atoms) for t in self.angles),
            *(("dihedral", t.atoms) for t in self.dihedrals),
            *(("virtual site", (t.site, *t.atoms)) for t in self.virtual_sites),
            *(("restraint", (t.atom,)) for t in self.position_restraints),
            *(("restraint", (t.atom,)) for t in self.flat_bottom_restraints),
            *(("exclusion", t) for t in self.exclusions),
        ]
        for kind, atoms in terms:
            if min(atoms) < 0 or max(atoms) >= n or len(set(atoms)) != len(atoms):
                one_based = "-".join(str(a + 1) for a in atoms)
                raise TopologyError(f"{kind} {one_based} does not fit a molecule of {n} beads", where=self.name)
        self._check_virtual_sites()
        if self.positions is not None:
            object.__setattr__(self, "positions", frozen_array(f"positions of {self.name}", self.positions, (n, 3)))

    def _check_virtual_sites(self) -> None:
        if not self.virtual_sites:
            return
        sites = {v.site for v in self.virtual_sites}
        if len(sites) < len(self.virtual_sites):
            raise TopologyError("a virtual site is placed twice", where=self.name)
        for v in self.virtual_sites:
            what = f"virtual site {v.site + 1}"
            n_atoms, n_parameters = CONSTRUCTIONS[v.construction]
            if v.construction == "n":
                n_atoms, n_parameters = max(len(v.atoms), 1), len(v.atoms)
            if len(v.atoms) != n_atoms or len(v.parameters) != n_parameters:
                raise TopologyError(
                    f"{what} of construction {v.construction} needs {n_atoms} beads and {n_parameters} parameters",
                    where=self.name,
                )
            if v.construction == "n" and sum(v.parameters) == 0.0:
                raise TopologyError(f"the weights of {what} add up to zero", where=self.name)
            if self.beads[v.site].mass != 0.0:
                raise TopologyError(f"{what} has mass {self.beads[v.site].mass:g}", where=self.name, hint="give it 0")
        placed = set(range(len(self.beads))) - sites
        for v in self.construction_order():
            placed.add(v.site)
        if len(placed) < len(self.beads):
            lost = ", ".join(str(k + 1) for k in sorted(set(range(len(self.beads))) - placed))
            raise TopologyError(f"virtual sites {lost} are built from one another", where=self.name)
        if any(a in sites for c in self.constraints for a in c.atoms):
            raise TopologyError("a virtual site is constrained", where=self.name, hint="constrain the beads it follows")

    def construction_order(self) -> tuple[VirtualSite, ...]:
        """The virtual sites in an order in which each is built from beads already placed; those in circles are left out."""
        waiting = list(self.virtual_sites)
        placed = set(range(len(self.beads))) - {v.site for v in waiting}
        order: list[VirtualSite] = []
        while ready := [v for v in waiting if placed.issuperset(v.atoms)]:
            order += ready
            placed |= {v.site for v in ready}
            waiting = [v for v in waiting if v.site not in placed]
        return tuple(order)

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.beads)

    @property
    def charge(self) -> float:
        """Net charge [e]."""
        return float(sum(bead.charge for bead in self.beads))

    @property
    def mass(self) -> float:
        """Sum of the bead masses [u] (Martini convention, not the molar mass)."""
        return float(sum(bead.mass for bead in self.beads))

    @property
    def type_names(self) -> tuple[str, ...]:
        """Bead type of each bead."""
        return tuple(bead.bead_type for bead in self.beads)

    def excluded_pairs(self) -> tuple[tuple[int, int], ...]:
        """All excluded pairs i < j: those within ``nrexcl`` bonds or constraints (function 1), and the explicit ones."""
        neighbours: list[set[int]] = [set() for _ in self.beads]
        linked = [b.atoms for b in self.bonds if b.function == 1] + [
            c.atoms for c in self.constraints if c.function == 1
        ]
        for i, j in linked:
            neighbours[i].add(j)
            neighbours[j].add(i)
        pairs = {(min(i, j), max(i, j)) for i, j in self.exclusions}
        for start in range(len(self.beads)):
            reached, frontier = {start}, {start}
            for _ in range(self.nrexcl):
                frontier = {k for i in frontier for k in neighbours[i]} - reached
                reached |= frontier
            pairs |= {(start, k) for k in reached if k > start}
        return tuple(sorted(pairs))

    def spanning_tree(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs that reach every bead from the first.

        Links are bonds, constraints and virtual sites to what they are built from, then the other terms; beads that no term
        connects hang on the first one.
        """
        neighbours: list[list[int]] = [[] for _ in self.beads]
        links: list[tuple[int, ...]] = [
            *(bond.atoms for bond in self.bonds),
            *(constraint.atoms for constraint in self.constraints),
            *((atom, v.site) for v in self.virtual_sites for atom in v.atoms),
            *(angle.atoms for angle in self.angles),
            *(dihedral.atoms for dihedral in self.dihedrals),
        ]
        for atoms in links:
            for i, j in pairwise(atoms):
                neighbours[i].append(j)
                neighbours[j].append(i)
        tree: list[tuple[int, int]] = []
        reached: set[int] = set()
        for root in range(self.n_beads):
            if root in reached:
                continue
            if root:
                tree.append((0, root))
            reached.add(root)
            frontier = [root]
            for parent in frontier:
                for child in neighbours[parent]:
                    if child not in reached:
                        reached.add(child)
                        tree.append((parent, child))
                        frontier.append(child)
        return tuple(tree)

    def with_positions(self, positions: FloatArray) -> CGMolecule:
        """The same molecule with other coordinates, (n_beads, 3) [nm]."""
        return replace(self, positions=np.asarray(positions))
