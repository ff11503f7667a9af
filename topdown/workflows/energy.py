"""Single-point energy of a GROMACS topology and its coordinates, term by term."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from topdown.engine import EnergyTerms, place_virtual_sites, potential_energy
from topdown.engine.potentials import SMALLEST_R2
from topdown.errors import SimulationError
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.model import System


@dataclass(frozen=True, kw_only=True, eq=False)
class SinglePoint:
    """A system as read, and its energy.

    Attributes
    ----------
    system : System
        Its virtual sites placed by their construction.
    terms : EnergyTerms
        Energies and virial [kJ/mol] and forces [kJ/mol/nm], all finite.
    """

    system: System
    terms: EnergyTerms

    def energies(self) -> dict[str, float]:
        """The terms by name [kJ/mol], their sum ``potential`` last."""
        terms = self.terms
        return {
            "bond": terms.bond,
            "angle": terms.angle,
            "dihedral": terms.dihedral,
            "restraint": terms.restraint,
            "lj": terms.lj,
            "coulomb": terms.coulomb,
            "potential": terms.potential,
        }

    def as_json(self) -> dict[str, object]:
        """``bond, angle, dihedral, restraint, lj, coulomb, potential, virial, forces`` with plain numbers and lists."""
        return {
            **self.energies(),
            "virial": self.terms.virial.tolist(),
            "forces": self.terms.forces.tolist(),
        }


def single_point(
    top: Path | str,
    gro: Path | str,
    *,
    defines: Mapping[str, str] | None = None,
    include: Sequence[Path | str] = (),
    reference: Path | str | None = None,
) -> SinglePoint:
    """Read a system and compute its energy in double precision; constraints are not applied.

    Parameters
    ----------
    top, gro : path
        GROMACS topology and coordinates.
    defines : mapping, optional
        Macros such as ``{"FLEXIBLE": ""}``.
    include : paths, optional
        Further folders searched for ``#include``.
    reference : path, optional
        ``.gro`` file with the reference points of position restraints; ``gro`` itself by default.

    Raises
    ------
    TopologyError
        Files that cannot be read or use what the engine does not simulate.
    SimulationError
        A box smaller than twice the cut-off, or beads so close (0.01 nm) that the engine caps their
        repulsion.
    """
    system = read_gromacs_topology(top, gro, defines=defines, include=include, reference=reference)
    system = place_virtual_sites(system)
    _check_overlap(system, str(gro))
    terms = potential_energy(system)
    if not (np.isfinite(terms.potential) and np.all(np.isfinite(terms.forces))):
        raise SimulationError("the energy or a force is not a finite number", where=str(gro))
    return SinglePoint(system=system, terms=terms)


def _check_overlap(system: System, where: str) -> None:
    """Refuse interacting beads so close that the engine caps their repulsion: the energy would mean nothing."""
    nearest = math.sqrt(SMALLEST_R2)
    wrapped = np.mod(np.mod(system.positions, system.box), system.box)
    close = cKDTree(wrapped, boxsize=system.box).query_pairs(nearest)
    if not close:
        return
    owners = [(m, start, k) for m, start in system.molecules() for k in range(m.n_beads)]
    for i, j in sorted(close):
        (first, start, a), (second, other, b) = owners[i], owners[j]
        one, two = first.beads[a], second.beads[b]
        bonded = start == other and (a, b) in first.excluded_pairs()
        interacting = system.table.pair(one.bead_type, two.bead_type)[1] > 0 or one.charge * two.charge != 0
        if interacting and not bonded:
            raise SimulationError(
                f"beads {i + 1} ({first.name} {one.name}) and {j + 1} ({second.name} {two.name}) are less than "
                f"{nearest:g} nm apart",
                where=where,
                hint="minimise the energy first",
            )
