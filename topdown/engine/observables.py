"""What can be read off one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.engine.forces import total_forces
from topdown.engine.frame import frame_of
from topdown.engine.list_search import refresh_list
from topdown.engine.neighbor_list import NeighborList, empty_neighbor_list, roomier
from topdown.engine.parameter_arrays import TERMS
from topdown.engine.parameters import Parameters, build_parameters
from topdown.engine.soft_core import COUPLED, Lambda, as_lambda
from topdown.engine.team import new_team
from topdown.engine.virtual_sites import place_sites
from topdown.errors import SimulationError
from topdown.model import System

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class EnergyTerms:
    """Energies of one frame [kJ/mol].

    Attributes
    ----------
    bond, angle, dihedral, restraint, lj, coulomb, potential : float
        ``coulomb`` holds the reaction field of excluded pairs and of each charge with itself, as GROMACS counts;
        ``restraint`` position and flat-bottomed restraints, and those of two centres.
    virial : (3, 3) float64 [kJ/mol]
        Atomic virial Ξ = -1/2 Σ r ⊗ f without constraint forces, over beads with mass.
    forces : (n_beads, 3) float64 [kJ/mol/nm]
        Those on virtual sites are handed on to the beads they are built from, and zero.
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
    restraint: float
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
        return self.bond + self.angle + self.dihedral + self.restraint + self.lj + self.coulomb


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
    parameters: Parameters,
    positions: Floats,
    box: Floats,
    radius: float,
    inner_radius: float,
    near: NeighborList | None = None,
) -> NeighborList:
    """Both pair lists of ``positions``, in the arrays of ``near`` where they are long enough."""
    near = near or empty_neighbor_list(parameters.pair, box, radius)
    frame, alone = frame_of(positions, box), new_team(1, 0, 0)
    while not refresh_list(frame, parameters.pair, radius, inner_radius, near, alone):
        near = roomier(near, parameters.pair, box, radius)
    return near


def measure(
    parameters: Parameters, positions: Floats, box: Floats, *, lam: Lambda | float = COUPLED
) -> tuple[Floats, Floats, Floats]:
    """Energies (``parameter_arrays.TERMS``), virial and forces of one frame, from a fresh neighbour list; sites are placed anew.

    ``lam`` is the solute's point of the coupling path; a plain number stands for both its λ.
    """
    positions = np.array(positions)
    if len(parameters.bonded.sites.beads):
        place_sites(positions, parameters.bonded.sites)
    near = fresh_list(parameters, positions, box, parameters.pair.cutoff, parameters.pair.cutoff)
    found = total_forces(positions, box, parameters.pair, parameters.bonded, as_lambda(lam), near)
    return found.energies, found.virial, found.forces


def place_virtual_sites(system: System) -> System:
    """The same system, molecules whole, with every virtual site where its construction says; as it is without any."""
    if not any(molecule.virtual_sites for molecule, _ in system.components):
        return system
    positions = np.array(system.whole().positions)
    place_sites(positions, build_parameters(system).bonded.sites)
    return replace(system, positions=positions)


def potential_energy(system: System) -> EnergyTerms:
    """Single-point energy, term by term, in double precision; constraints are not applied.

    Virtual sites are placed by their construction, whatever ``system`` has there. Lennard-Jones is cut as the scheme of the bead
    table says.

    Raises
    ------
    SimulationError
        When the box is smaller than twice the cut-off.
    """
    check_box(system.box, system.table.scheme.cutoff)
    parameters = build_parameters(system)
    energies, virial, forces = measure(parameters, system.whole().positions, np.array(system.box))
    return EnergyTerms(
        **dict(zip(TERMS, energies.tolist())),
        virial=virial,
        forces=forces,
        pressure=np.full((3, 3), np.nan),
    )
