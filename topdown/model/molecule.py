"""A coarse-grained molecule: beads, bonded terms, and optionally one set of coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from topdown.errors import TopologyError
from topdown.model._arrays import FloatArray, frozen_array
from topdown.model.bead import Bead
from topdown.model.bonded import Angle, Bond, Constraint, Dihedral


@dataclass(frozen=True, kw_only=True, eq=False)
class CGMolecule:
    """A molecule as the engine and the writers see it.

    Attributes
    ----------
    name : str
        As given by the user, any text; writers shorten it.
    beads : tuple of Bead
    bonds, constraints, angles, dihedrals : tuples of bonded terms
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
        An index out of range, a term over repeated beads, or a force constant that is negative.
    """

    name: str
    beads: tuple[Bead, ...]
    bonds: tuple[Bond, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    angles: tuple[Angle, ...] = ()
    dihedrals: tuple[Dihedral, ...] = ()
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
            *(("exclusion", t) for t in self.exclusions),
        ]
        for kind, atoms in terms:
            if any(not 0 <= a < n for a in atoms) or len(set(atoms)) != len(atoms):
                one_based = "-".join(str(a + 1) for a in atoms)
                raise TopologyError(f"{kind} {one_based} does not fit a molecule of {n} beads", where=self.name)
        if self.positions is not None:
            object.__setattr__(self, "positions", frozen_array(f"positions of {self.name}", self.positions, (n, 3)))

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
        """All excluded pairs i < j: those within ``nrexcl`` bonds (function 1) or constraints, and the explicit ones."""
        neighbours: list[set[int]] = [set() for _ in self.beads]
        for i, j in [*(b.atoms for b in self.bonds if b.function == 1), *(c.atoms for c in self.constraints)]:
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

    def with_positions(self, positions: FloatArray) -> CGMolecule:
        """The same molecule with other coordinates, (n_beads, 3) [nm]."""
        return replace(self, positions=np.asarray(positions))
