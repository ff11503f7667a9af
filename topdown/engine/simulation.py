"""A running system: the only thing in the house that changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from topdown.engine import checkpoint
from topdown.engine.barostats import kinetic_tensor, pressure_tensor
from topdown.engine.basis import pair_sums, solute_sums, unit_lennard_jones, used_pairs
from topdown.engine.constraints import constrain_positions, constrain_velocities
from topdown.engine.integrators import (
    BLOWN_UP,
    BOX_TOO_SMALL,
    LIST_FULL,
    UNCONSTRAINED,
    Scratch,
    advance,
    kinetic_energy,
    total_forces,
)
from topdown.engine.minimizer import CONSTRAINT_STIFFNESS, MinimizationResult, fire
from topdown.engine.neighbor_list import NeighborList, gather, list_is_valid, with_longer_rows
from topdown.engine.observables import EnergyTerms, check_box, fresh_list, measure
from topdown.engine.parameters import build_parameters
from topdown.engine.settings import Coupling, SimulationSettings
from topdown.errors import SettingsError, SimulationError
from topdown.model import PairSums, System
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR, kt

Floats = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """Everything that moves: what a checkpoint holds."""

    positions: Floats
    velocities: Floats
    forces: Floats
    box: Floats
    time: float
    scratch: Scratch
    neighbor_list: NeighborList


class Simulation:
    """Dynamics of one system.

    Parameters
    ----------
    system : System
        Starting coordinates; molecules broken over the boundary are made whole. Velocities are drawn from the
        Maxwell-Boltzmann distribution unless the system has them.
    settings : SimulationSettings
    seed : int or numpy.random.Generator
        Source of velocities and thermostat noise: same seed, same bytes.
    coupling : Coupling, optional
        Couples one component to the rest along a soft-core path.

    Raises
    ------
    SimulationError
        When the box is smaller than twice the cut-off, or constraints cannot be met.
    SettingsError
        When a charged solute is to be coupled: charges have no soft-core path here.
    """

    def __init__(
        self,
        system: System,
        settings: SimulationSettings,
        *,
        seed: int | np.random.Generator = 1,
        coupling: Coupling | None = None,
    ) -> None:
        check_box(system.box, system.table.scheme.cutoff)
        self.settings = settings
        self.coupling = coupling
        self.rng = np.random.default_rng(seed)
        self._source = system
        component = -1 if coupling is None else coupling.component
        if coupling is not None and not 0 <= component < len(system.components):
            raise SettingsError(f"there is no component {component} to couple; the system has {len(system.components)}")
        if coupling is not None and any(b.charge for b in system.components[component][0].beads):
            raise SettingsError(
                f"{system.components[component][0].name} is charged; only neutral solutes can be coupled",
                hint="map a neutral form",
            )
        self.parameters = build_parameters(system, solute_component=component)
        pair = self.parameters.pair
        self._basis = (unit_lennard_jones(pair), *used_pairs(pair.types, pair.solute))
        self._lambda = 1.0 if coupling is None else coupling.lambdas[coupling.index]
        self._dynamics = settings.dynamics(
            n_beads=system.n_beads,
            n_constraints=len(self.parameters.constraints.pairs),
            cutoff=system.table.scheme.cutoff,
            lam=self._lambda,
        )
        self.state = self._initial_state(system)

    def _initial_state(self, system: System) -> State:
        positions = np.array(system.whole().positions)
        box = np.array(system.box)
        state = State(
            positions=positions,
            velocities=np.zeros_like(positions),
            forces=np.zeros_like(positions),
            box=box,
            time=0.0,
            scratch=Scratch(
                counters=np.zeros(4, np.int64),
                kinetic=np.zeros(1),
                molecular_kinetic=np.zeros((3, 3)),
                pressure=np.zeros((3, 3)),
                energies=np.zeros(5),
                virial=np.zeros((3, 3)),
            ),
            neighbor_list=fresh_list(self.parameters, positions, box, self._dynamics.list_radius),
        )
        self.state = state
        if system.velocities is None:
            self.draw_velocities()
        else:
            state.velocities[:] = system.velocities
        self._renew_forces()
        return state

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def positions(self) -> Floats:
        """(n_beads, 3) [nm]; molecules whole, not wrapped into the box."""
        return self.state.positions

    @property
    def velocities(self) -> Floats:
        """(n_beads, 3) [nm/ps]."""
        return self.state.velocities

    @property
    def box(self) -> Floats:
        """(3,) edges [nm]."""
        return self.state.box

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.scratch.counters[1])

    @property
    def time(self) -> float:
        """Simulated time [ps]."""
        return self.state.time

    @property
    def volume(self) -> float:
        """[nm³]"""
        return float(np.prod(self.state.box))

    @property
    def temperature(self) -> float:
        """Kinetic temperature of the last mid-step velocities [K]."""
        return float(2.0 * self.state.scratch.kinetic[0] / (self._dynamics.degrees_of_freedom * GAS_CONSTANT))

    def energies(self) -> EnergyTerms:
        """Energy terms of the current frame."""
        energies, virial, forces = measure(self.parameters, self.positions, self.box, lam=self._lambda)
        pressure = np.zeros((3, 3))
        pressure_tensor(
            self.positions, forces, self.box, self.parameters.molecules, self.state.scratch.molecular_kinetic, virial, pressure
        )  # fmt: skip
        return EnergyTerms(
            lj=float(energies[0]),
            coulomb=float(energies[1]),
            bond=float(energies[2]),
            angle=float(energies[3]),
            dihedral=float(energies[4]),
            virial=virial,
            forces=forces,
            kinetic=float(self.state.scratch.kinetic[0]),
            temperature=self.temperature,
            pressure=pressure * KJ_MOL_NM3_TO_BAR,
        )

    def system(self) -> System:
        """The system with the current coordinates, velocities and box."""
        return self._source.with_coordinates(self.positions, self.box, self.velocities)

    def pair_sums(self) -> PairSums:
        """The sums the energy is linear in, of the current frame (n_frames = 1)."""
        pair = self.parameters.pair
        n = len(self.parameters.type_names)
        unit, coupled, crossing = self._basis
        self._ensure_list()
        near = self.state.neighbor_list
        gather(self.positions, near)
        sums = np.zeros((n, n))
        pair_sums(near.x, self.box, near.pair, unit, near.start, near.neighbors, sums)
        lambdas = np.array(() if self.coupling is None else self.coupling.lambdas)
        crossed = np.zeros((len(lambdas), n, n))
        if self.coupling is not None:
            solute_sums(self.positions, self.box, pair, unit, lambdas, crossed)
        forces, energies, virial = np.zeros_like(self.positions), np.zeros(5), np.zeros((3, 3))
        total_forces(
            self.positions, self.box, pair, self.parameters.bonded, self._lambda, near, forces, energies, virial, True
        )
        names = self.parameters.type_names
        return PairSums(
            pairs=tuple((names[a], names[b]) for a, b in coupled),
            sums=np.array([[sums[a, b] for a, b in coupled]]),
            rest_energy=np.array([energies[1:].sum()]),
            volume=np.array([self.volume]),
            solute_pairs=tuple((names[a], names[b]) for a, b in crossing) if self.coupling is not None else (),
            solute_sums=np.array([[[row[a, b] for a, b in crossing] for row in crossed]]).reshape(
                1, len(lambdas), len(crossing) if self.coupling is not None else 0
            ),
            lambdas=lambdas,
        )

    # -- moving ------------------------------------------------------------------------------------------------------

    def draw_velocities(self) -> None:
        """Draw velocities at the set temperature, obeying constraints, without centre-of-mass motion if it is removed."""
        masses = self.parameters.molecules.masses
        v = self.state.velocities
        v[:] = self.rng.standard_normal(v.shape) * np.sqrt(kt(self.settings.temperature) / masses)[:, None]
        if self.settings.removes_com_motion and len(v) > 1:
            v -= (masses[:, None] * v).sum(axis=0) / masses.sum()
        self._project()

    def _project(self) -> None:
        """Put positions and velocities on the constraints."""
        constraints, inverse = self.parameters.constraints, self.parameters.molecules.inverse_masses
        x = self.state.positions
        if not (
            constrain_positions(x, x.copy(), constraints, inverse)
            and constrain_velocities(self.state.velocities, x, constraints, inverse)
        ):
            self._fail("the starting coordinates cannot be brought onto the constraints; minimise first")

    def minimize(self, *, max_steps: int = 2000, force_tolerance: float = 10.0) -> MinimizationResult:
        """Go downhill in energy; velocities are drawn anew.

        Parameters
        ----------
        max_steps : int
        force_tolerance : float
            Stop when no bead feels more than this [kJ/mol/nm].
        """
        stiff = build_parameters(
            self._source,
            solute_component=-1 if self.coupling is None else self.coupling.component,
            constraint_stiffness=CONSTRAINT_STIFFNESS,
        )
        near = self.state.neighbor_list
        forces, energies, virial = np.zeros_like(self.positions), np.zeros(5), np.zeros((3, 3))
        cutoff = self.parameters.pair.cutoff

        def energy_and_forces(x: Floats) -> tuple[float, Floats]:
            nonlocal near
            if not list_is_valid(x, near.reference, float(near.radius[0]), cutoff):
                near = self._build_list(x)
            total_forces(x, self.box, stiff.pair, stiff.bonded, self._lambda, near, forces, energies, virial, True)
            return float(energies.sum()), forces.copy()

        x, result = fire(self.positions, energy_and_forces, max_steps=max_steps, force_tolerance=force_tolerance)
        if not np.isfinite(result.potential):
            self._fail("minimisation met an energy that is not a number")
        self.state.positions[:] = x
        self.draw_velocities()
        self._renew_forces()
        return result

    def run(
        self,
        n_steps: int,
        *,
        every: int = 0,
        observe: Callable[[Simulation], None] | None = None,
    ) -> None:
        """Do ``n_steps`` steps, calling ``observe(self)`` after each ``every``.

        Raises
        ------
        SimulationError
            Blow-up, constraints that do not converge, or a box that shrank below twice the cut-off.
        """
        if n_steps < 0 or every < 0:
            raise SettingsError(f"steps must not be negative, got {n_steps} and {every}")
        chunk = every if observe is not None and every > 0 else 0
        left = n_steps
        while left > 0:
            now = min(left, chunk or 1000)
            self._advance(now)
            left -= now
            if observe is not None and chunk and now == chunk:
                observe(self)

    def _advance(self, n_steps: int) -> None:
        state, p = self.state, self.parameters
        left = n_steps
        while left > 0:
            done, status = advance(
                left, state.positions, state.velocities, state.forces, state.box, p.pair, p.bonded, p.constraints,
                p.molecules, state.neighbor_list, self._dynamics, state.scratch, self.rng
            )  # fmt: skip
            left -= done
            state.time = self.step * self.settings.time_step
            if status == LIST_FULL:
                state.neighbor_list = with_longer_rows(state.neighbor_list)
            elif status == BLOWN_UP:
                self._fail("the simulation blew up")
            elif status == UNCONSTRAINED:
                self._fail("constraints cannot be met")
            elif status == BOX_TOO_SMALL:
                check_box(self.box, p.pair.cutoff)
        if not np.isfinite(state.scratch.kinetic[0]):
            self._fail("the simulation blew up")

    def _fail(self, message: str) -> None:
        """Raise with step, the fastest bead and the energy terms."""
        speed = np.where(np.isfinite(self.velocities), np.abs(self.velocities), np.inf).max(axis=1)
        worst = int(np.argmax(speed))
        name = next(
            f"{m.beads[worst - start].name} of {m.name}"
            for m, start in self._source.molecules()
            if start <= worst < start + m.n_beads
        )
        terms = "energies are not numbers"
        if np.isfinite(self.positions).all():
            e, _, _ = measure(self.parameters, self.positions, self.box, lam=self._lambda)
            terms = f"lj {e[0]:.4g}, coulomb {e[1]:.4g}, bond {e[2]:.4g}, angle {e[3]:.4g}, dihedral {e[4]:.4g} kJ/mol"
        raise SimulationError(
            f"{message} at step {self.step}; fastest bead {worst + 1} ({name}); {terms}",
            hint="minimise longer or use a smaller time step",
        )

    # -- neighbour list ----------------------------------------------------------------------------------------------

    def _build_list(self, x: Floats) -> NeighborList:
        near = fresh_list(self.parameters, x, self.box, self._dynamics.list_radius, self.state.neighbor_list)
        self.state.neighbor_list = near
        return near

    def _ensure_list(self) -> None:
        near = self.state.neighbor_list
        if not list_is_valid(self.positions, near.reference, float(near.radius[0]), self.parameters.pair.cutoff):
            self._build_list(self.positions)

    def _renew_forces(self) -> None:
        near = self._build_list(self.positions)
        scratch = self.state.scratch
        p = self.parameters
        total_forces(
            self.positions, self.box, p.pair, p.bonded, self._lambda, near, self.state.forces, scratch.energies,
            scratch.virial, True
        )  # fmt: skip
        scratch.counters[0] = scratch.counters[2] = 0
        molecules = self.parameters.molecules
        scratch.kinetic[0] = kinetic_energy(self.velocities, molecules.masses)
        kinetic_tensor(self.velocities, molecules, scratch.molecular_kinetic)

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """Hash of everything that does not move: system parameters, settings, coupling."""
        digest = hashlib.sha256(repr((self.settings, self.coupling)).encode())
        for part in self.parameters[:4]:
            for array in part:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def save_checkpoint(self, path: Path | str) -> None:
        """Write the state atomically; an older checkpoint at ``path`` is kept as ``path`` + ``.previous``."""
        checkpoint.save(Path(path), self.state, self.rng, self.fingerprint())

    def load_checkpoint(self, path: Path | str) -> None:
        """Continue from a checkpoint of the same system and settings, bit-identically.

        Raises
        ------
        SimulationError
            When the file is damaged or belongs to another system, other settings or another engine version.
        """
        self.state, self.rng = checkpoint.load(Path(path), self.fingerprint(), self.parameters.pair)
