"""What can be read off one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.engine.integrators import total_forces
from topdown.engine.neighbor_list import NeighborList, empty_neighbor_list, refresh_list, with_longer_rows
from topdown.engine.parameters import Parameters, build_parameters
from topdown.errors import SimulationError
from topdown.model import System

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class EnergyTerms:
    """Energies of one frame [kJ/mol].

    Attributes
    ----------
    bond, angle, dihedral, lj, coulomb, potential : float
        ``coulomb`` holds the reaction field of excluded pairs and of each charge with itself, as GROMACS counts.
    virial : (3, 3) float64 [kJ/mol]
        Atomic virial Ξ = -1/2 Σ r ⊗ f without constraint forces.
    forces : (n_beads, 3) float64 [kJ/mol/nm]
    kinetic : float
        Kinetic energy [kJ/mol] of the mid-step velocities, 0 for a single point.
    temperature : float
        [K], 0 for a single point.
    pressure : (3, 3) float64 [bar]
        Molecular pressure tensor, its kinetic part from the mid-step velocities; NaN for a single point.
    """

    bond: float
    angle: float
    dihedral: float
    lj: float
    coulomb: float
    virial: Floats
    forces: Floats
    kinetic: float = 0.0
    temperature: float = 0.0
    pressure: Floats

    @property
    def potential(self) -> float:
        """Sum of all potential-energy terms."""
        return self.bond + self.angle + self.dihedral + self.lj + self.coulomb


def check_box(box: Floats, cutoff: float) -> None:
    """Refuse a box in which a bead would meet its own image.

    Raises
    ------
    SimulationError
        When an edge is shorter than twice the cut-off.
    """
    if min(box) < 2.0 * cutoff:
        edges = " x ".join(f"{edge:.3f}" for edge in box)
        raise SimulationError(
            f"the box {edges} nm is smaller than twice the cut-off of {cutoff} nm", hint="use a larger system"
        )


def fresh_list(
    parameters: Parameters, positions: Floats, box: Floats, radius: float, near: NeighborList | None = None
) -> NeighborList:
    """A neighbour list of ``positions``, in the arrays of ``near`` where they are long enough."""
    near = near or empty_neighbor_list(parameters.pair, box, radius)
    while not refresh_list(positions, box, parameters.pair, radius, near):
        near = with_longer_rows(near)
    return near


def measure(
    parameters: Parameters, positions: Floats, box: Floats, *, lam: float = 1.0
) -> tuple[Floats, Floats, Floats]:
    """Energies (lj, coulomb, bond, angle, dihedral), virial and forces of one frame, from a fresh neighbour list."""
    near = fresh_list(parameters, positions, box, parameters.pair.cutoff)
    forces = np.zeros_like(positions)
    energies, virial = np.zeros(5), np.zeros((3, 3))
    total_forces(positions, box, parameters.pair, parameters.bonded, lam, near, forces, energies, virial, True)
    return energies, virial, forces


def potential_energy(system: System, *, shifted: bool = True) -> EnergyTerms:
    """Single-point energy, term by term, in double precision; constraints are not applied.

    Parameters
    ----------
    system : System
    shifted : bool
        Shift Lennard-Jones to zero at the cut-off, as Martini does; False for a plain truncated potential.

    Raises
    ------
    SimulationError
        When the box is smaller than twice the cut-off.
    """
    check_box(system.box, system.table.scheme.cutoff)
    parameters = build_parameters(system, shifted=shifted)
    energies, virial, forces = measure(parameters, system.whole().positions, np.array(system.box))
    return EnergyTerms(
        lj=float(energies[0]),
        coulomb=float(energies[1]),
        bond=float(energies[2]),
        angle=float(energies[3]),
        dihedral=float(energies[4]),
        virial=virial,
        forces=forces,
        pressure=np.full((3, 3), np.nan),
    )
