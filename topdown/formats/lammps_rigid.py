"""How LAMMPS can hold the constraints and virtual sites of a molecule.

LAMMPS has no virtual sites, and its SHAKE takes clusters of a bead with up to three partners. Beads that constraints join
(a cluster) are therefore held in one of three ways:

- ``shake``: a bead with one to three constrained partners and nothing else: ``fix shake``;
- ``rigid``: as many independent constraints as it takes to leave no inner freedom, and the virtual sites that are built from
  its beads alone: ``fix rigid/small``; the same equations of motion, since such sites are at rest in the frame of the body;
- ``stiff``: anything between (hinges, chains): stiff bonds, which ask for a shorter time step.

A hinge that carries virtual sites and that an improper dihedral keeps in shape becomes a rigid body too (``closed``): its energy
is that of the model, but the hinge does not swing. Virtual sites on beads that move more freely against one another have no
counterpart in LAMMPS and are refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from topdown.errors import TopologyError
from topdown.model import CGMolecule
from topdown.model._arrays import FloatArray

#: Mass [u] of a virtual site inside a rigid body: LAMMPS wants a positive one.
SITE_MASS = 1e-6
#: An improper dihedral at least this stiff [kJ/mol/rad²] closes a hinge: it swings by less than 10 degrees at 300 K.
CLOSING_CONSTANT = 100.0
#: Relative tolerance to which beads of rigid bodies are moved onto their constraints.
TOLERANCE = 1e-10

Holding = Literal["shake", "rigid", "stiff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Beads of a molecule joined by constraints.

    Attributes
    ----------
    atoms : tuple of int
        Bead indices, sorted; virtual sites are not among them.
    constraints : tuple of int
        Indices into the molecule's constraints.
    sites : tuple of int
        Virtual sites that follow these beads.
    holding : {"shake", "rigid", "stiff"}
    closed : bool
        Rigid only because an improper dihedral is taken for one.
    """

    atoms: tuple[int, ...]
    constraints: tuple[int, ...]
    sites: tuple[int, ...]
    holding: Holding
    closed: bool = False


def constraint_clusters(molecule: CGMolecule) -> tuple[Cluster, ...]:
    """The clusters of ``molecule`` and how each is held.

    Raises
    ------
    TopologyError
        A virtual site built from beads that are not parts of one rigid cluster.
    """
    cluster_of = _joined(molecule)
    sites: dict[int, list[int]] = {}
    for site in molecule.construction_order():
        homes = {cluster_of.get(atom, -1) for atom in site.atoms}
        if len(homes) > 1 or -1 in homes:
            _refuse(molecule, site.site)
        home = homes.pop()
        cluster_of[site.site] = home
        sites.setdefault(home, []).append(site.site)
    found = []
    for root in sorted(set(cluster_of.values())):
        mine = tuple(sorted(sites.get(root, ())))
        atoms = tuple(sorted(atom for atom, home in cluster_of.items() if home == root and atom not in mine))
        numbers = tuple(n for n, c in enumerate(molecule.constraints) if c.atoms[0] in atoms)
        pairs = [molecule.constraints[n].atoms for n in numbers]
        holding = _holding(atoms, pairs, with_sites=bool(mine))
        closed = False
        if mine and holding != "rigid":
            # With the sides of its two triangles held, an improper angle is held where the distance of its ends is.
            impropers = [
                d.atoms
                for d in molecule.dihedrals
                if d.function == 2 and d.force_constant >= CLOSING_CONSTANT and set(d.atoms) <= set(atoms)
            ]
            closed = _is_rigid(atoms, [*pairs, *((ends[0], ends[3]) for ends in impropers)])
            if not closed:
                _refuse(molecule, mine[0])
            holding = "rigid"
        found.append(Cluster(atoms=atoms, constraints=numbers, sites=mine, holding=holding, closed=closed))
    return tuple(found)


def _refuse(molecule: CGMolecule, site: int) -> None:
    raise TopologyError(
        f"virtual site {site + 1} ({molecule.beads[site].name}) follows beads that are not held in one rigid group by "
        "constraints, which LAMMPS cannot express",
        where=molecule.name,
        hint="export to GROMACS or OpenMM",
    )


def _joined(molecule: CGMolecule) -> dict[int, int]:
    """Constrained bead → smallest bead it is connected to by constraints."""
    root = {atom: atom for c in molecule.constraints for atom in c.atoms}
    changed = True
    while changed:
        changed = False
        for c in molecule.constraints:
            low = min(root[c.atoms[0]], root[c.atoms[1]])
            for atom in c.atoms:
                changed |= root[atom] != low
                root[atom] = low
    return root


def _holding(atoms: tuple[int, ...], pairs: list[tuple[int, int]], *, with_sites: bool) -> Holding:
    degree = Counter(atom for pair in pairs for atom in pair)
    star = len(atoms) <= 4 and len(pairs) == len(atoms) - 1 and max(degree.values()) == len(pairs)
    if star and not (with_sites and len(atoms) == 2):
        return "shake"
    return "rigid" if _is_rigid(atoms, pairs) else "stiff"


def _is_rigid(atoms: tuple[int, ...], pairs: list[tuple[int, int]]) -> bool:
    """Whether the constraints leave six degrees of freedom (five for two beads) at a general arrangement of the beads.

    The arrangement is drawn at random, so that flat rings, which are rigid although their constraints are not independent
    to first order, are seen as what they are.
    """
    place = {atom: k for k, atom in enumerate(atoms)}
    points = np.random.default_rng(1).normal(size=(len(atoms), 3))
    matrix = np.zeros((len(pairs), len(atoms), 3))
    for row, (i, j) in enumerate(pairs):
        apart = points[place[i]] - points[place[j]]
        matrix[row, place[i]], matrix[row, place[j]] = apart, -apart
    needed = 1 if len(atoms) == 2 else 3 * len(atoms) - 6
    return int(np.linalg.matrix_rank(matrix.reshape(len(pairs), -1))) >= needed


def onto_constraints(
    positions: FloatArray, molecule: CGMolecule, clusters: tuple[Cluster, ...], *, sweeps: int = 1000
) -> FloatArray:
    """Positions of many copies of a molecule with the beads of rigid clusters moved onto their constraints.

    Each constraint in turn is met by moving its two beads along their connection, the lighter one further, until all hold.

    Parameters
    ----------
    positions : (n_copies, n_beads, 3) float64 [nm]
        Whole molecules.

    Raises
    ------
    TopologyError
        Constraints that contradict one another, or beads on top of each other.
    """
    result = np.array(positions)
    mine = [molecule.constraints[n] for c in clusters if c.holding == "rigid" for n in c.constraints]
    for _ in range(sweeps):
        worst = 0.0
        for c in mine:
            i, j = c.atoms
            apart = result[:, i] - result[:, j]
            length = np.linalg.norm(apart, axis=1, keepdims=True)
            error = (length - c.length) / np.where(length > 0.0, length, np.nan)
            worst = max(worst, float(np.max(np.abs(error)))) if np.all(np.isfinite(error)) else np.inf
            wi, wj = 1.0 / molecule.beads[i].mass, 1.0 / molecule.beads[j].mass
            result[:, i] -= wi / (wi + wj) * error * apart
            result[:, j] += wj / (wi + wj) * error * apart
        if worst < TOLERANCE:
            return result
        if not np.isfinite(worst):
            break
    raise TopologyError("constraints cannot be met from these positions", where=molecule.name, hint="minimise first")


def stiff_time_step(molecule: CGMolecule, cluster: Cluster, force_constant: float) -> float:
    """A time step [ps] that resolves ``cluster`` with its constraints as bonds of ``force_constant`` [kJ/mol/nm²].

    A twelfth of the period of a frequency no vibration of the cluster can exceed: ω² ≤ k max_a Σ_b |G_ab|, the largest row sum of
    the inverse mass matrix of its bonds.
    """
    pairs = [molecule.constraints[n].atoms for n in cluster.constraints]
    weight = [1.0 / bead.mass if bead.mass > 0 else 0.0 for bead in molecule.beads]
    rows = [sum(weight[atom] for other in pairs for atom in other if atom in pair) for pair in pairs]
    return 2.0 * np.pi / (12.0 * float(np.sqrt(force_constant * max(rows))))
