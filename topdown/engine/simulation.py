"""A running system: the only thing in the house that changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.engine import checkpoint
from topdown.engine.barostats import pressure_tensor
from topdown.engine.basis import build_basis, measure_sums
from topdown.engine.centre_restraint import CentreRestraint, centre_heights
from topdown.engine.constraints import constrain_positions, constrain_velocities
from topdown.engine.forces import (
    BLOWN_UP,
    BOX_TOO_SMALL,
    DONE,
    LIST_FULL,
    UNCONSTRAINED,
    total_forces,
)
from topdown.engine.integrators import Scratch
from topdown.engine.minimizer import CONSTRAINT_STIFFNESS, MinimizationResult, fire
from topdown.engine.neighbor_list import NeighborList, empty_neighbor_list, list_is_valid, roomier
from topdown.engine.observables import EnergyTerms, check_box, fresh_list, measure
from topdown.engine.parameter_arrays import TERMS
from topdown.engine.parameters import build_parameters
from topdown.engine.settings import Coupling, SimulationSettings
from topdown.engine.state import State
from topdown.engine.stepping import Stepper
from topdown.engine.virtual_sites import place_sites
from topdown.errors import SettingsError, SimulationError
from topdown.model import PairSums, System
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR, kt

Floats = npt.NDArray[np.float64]


def _arrays(parts: tuple[Any, ...]) -> Iterator[npt.NDArray[Any]]:
    """The arrays and numbers of nested tuples, one after the other, all C-contiguous."""
    for part in parts:
        if isinstance(part, tuple):
            yield from _arrays(part)
        else:
            yield np.ascontiguousarray(part)


def _check_shifted(system: System) -> None:
    """Sums and soft-core paths are those of the shifted potential, nothing else."""
    if system.table.scheme.lj_modifier != "potential-shift":
        raise SettingsError(
            f"lj_modifier {system.table.scheme.lj_modifier!r} has no soft-core path and no sums", hint="potential-shift"
        )


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
    restraint : CentreRestraint, optional
        Holds the distance along z of two groups' centres.

    Raises
    ------
    SimulationError
        When the box is smaller than twice the cut-off, or constraints cannot be met.
    SettingsError
        When a charged solute is to be coupled along a path without charges, or a group to be restrained has no centre.
    """

    def __init__(
        self,
        system: System,
        settings: SimulationSettings,
        *,
        seed: int | np.random.Generator = 1,
        coupling: Coupling | None = None,
        restraint: CentreRestraint | None = None,
    ) -> None:
        check_box(system.box, system.table.scheme.cutoff)
        self.settings = settings
        self.coupling = coupling
        self.restraint = restraint
        self.rng = np.random.default_rng(seed)
        self._source = system
        component = -1 if coupling is None else coupling.component
        if coupling is not None and not 0 <= component < len(system.components):
            raise SettingsError(f"there is no component {component} to couple; the system has {len(system.components)}")
        if (
            coupling is not None
            and coupling.charge_lambdas is None
            and any(b.charge for b in system.components[component][0].beads)
        ):
            raise SettingsError(
                f"{system.components[component][0].name} is charged, and the path has no charge_lambdas",
                hint="make the path by Coupling.charges_last",
            )
        if coupling is not None:
            _check_shifted(system)
        if settings.threads > 1 and system.table.scheme.lj_modifier == "force-shift":
            raise SettingsError("force-shifted pairs are computed in double precision, by one thread", hint="threads=1")
        self.parameters = build_parameters(
            system, solute_component=component, refcoord_scaling=settings.refcoord_scaling, restraint=restraint
        )
        self._basis = build_basis(self.parameters, coupling)
        self._lambda = self._basis.lam
        self._dynamics = settings.dynamics(
            n_beads=int(np.count_nonzero(self.parameters.molecules.masses)),
            n_constraints=len(self.parameters.constraints.pairs),
            cutoff=system.table.scheme.cutoff,
            lam=self._lambda,
        )
        if self.parameters.pair.force_shift:  # which mixed precision has not got
            self._dynamics = self._dynamics._replace(double=True)
        self._stepper = Stepper(self.parameters, self._dynamics, settings.threads)
        self._state = self._initial_state(system)

    def _initial_state(self, system: System) -> State:
        positions = np.array(system.whole().positions)
        self._place_sites(positions)
        box = np.array(system.box)
        state = State(
            positions=positions,
            velocities=np.zeros_like(positions),
            forces=np.zeros_like(positions),
            box=box,
            time=0.0,
            scratch=Scratch(
                counters=np.zeros(3, np.int64),
                kinetic=np.zeros(1),
                molecular_kinetic=np.zeros((3, 3)),
                energies=np.zeros(len(TERMS)),
                virial=np.zeros((3, 3)),
            ),
            neighbor_list=empty_neighbor_list(self.parameters.pair, box, self._dynamics.list_radius),
        )
        self._state = state
        if system.velocities is None:
            self.draw_velocities()
        else:
            state.velocities[:] = system.velocities
            state.velocities[self.parameters.bonded.sites.beads] = 0.0
        self._renew_forces()
        return state

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Everything that moves, in the order of the system; to be asked for anew after every run."""
        self._stepper.restore_order(self._state)
        return self._state

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
        return self._state.box

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self._state.scratch.counters[1])

    @property
    def time(self) -> float:
        """Simulated time [ps]."""
        return self._state.time

    @property
    def volume(self) -> float:
        """[nm³]"""
        return float(np.prod(self._state.box))

    @property
    def temperature(self) -> float:
        """Kinetic temperature of the last mid-step velocities [K]."""
        return float(2.0 * self._state.scratch.kinetic[0] / (self._dynamics.degrees_of_freedom * GAS_CONSTANT))

    def centre_heights(self) -> tuple[float, float]:
        """Heights [nm] of the centres of the restrained group and of its reference, each in the image it began in.

        Raises
        ------
        SettingsError
            No two centres are restrained.
        """
        if self.restraint is None:
            raise SettingsError("no two centres are restrained in this simulation")
        return centre_heights(self.positions, self.box, self.parameters.bonded.centres)

    def energies(self) -> EnergyTerms:
        """Energy terms of the current frame."""
        energies, virial, forces = measure(self.parameters, self.positions, self.box, lam=self._lambda)
        pressure = np.zeros((3, 3))
        pressure_tensor(
            self.positions, forces, self.box, self.parameters.molecules, self.state.scratch.molecular_kinetic, virial, pressure
        )  # fmt: skip
        return EnergyTerms(
            **dict(zip(TERMS, energies.tolist())),
            virial=virial,
            forces=forces,
            kinetic=float(self.state.scratch.kinetic[0]),
            temperature=self.temperature,
            pressure=pressure * KJ_MOL_NM3_TO_BAR,
        )

    def system(self) -> System:
        """The system with the current coordinates, velocities and box; restraints keep their reference points."""
        source = self._source
        if any(m.position_restraints or m.flat_bottom_restraints for m, _ in source.components):
            points = source.positions if source.reference_positions is None else source.reference_positions
            scale = self.box / source.box if self.settings.refcoord_scaling == "all" else 1.0
            source = replace(source, reference_positions=points * scale)
        return source.with_coordinates(self.positions, self.box, self.velocities)

    def pair_sums(self, *, virials: bool = False, scalings: Sequence[tuple[float, float, float]] = ()) -> PairSums:
        """The sums the energy is linear in, of the current frame (n_frames = 1).

        Parameters
        ----------
        virials : bool
            Also the molecular virial of every type pair and of the rest, and the kinetic energy of the molecules' centres.
        scalings : sequence of (float, float, float)
            Also the sums with the three edges scaled by these factors, molecules moved whole by their centres of mass.

        Raises
        ------
        SettingsError, SimulationError
            Factors that are not positive, or that make the box smaller than twice the cut-off.
        """
        _check_shifted(self._source)
        self._ensure_list()
        return measure_sums(
            self.parameters,
            self.positions,
            self.box,
            self.state.neighbor_list,
            self._basis,
            kinetic=self.state.scratch.molecular_kinetic if virials else None,
            scalings=scalings,
        )

    # -- moving ------------------------------------------------------------------------------------------------------

    def draw_velocities(self) -> None:
        """Draw velocities at the set temperature, obeying constraints, without centre-of-mass motion if it is removed."""
        masses, inverse_masses = self.parameters.molecules.masses, self.parameters.molecules.inverse_masses
        v = self.state.velocities
        v[:] = self.rng.standard_normal(v.shape) * np.sqrt(kt(self.settings.temperature) * inverse_masses)[:, None]
        if self.settings.removes_com_motion and len(v) > 1:
            v -= (masses[:, None] * v).sum(axis=0) / masses.sum()
        self._project()

    def _project(self) -> None:
        """Put positions and velocities on the constraints."""
        constraints, inverse = self.parameters.constraints, self.parameters.molecules.inverse_masses
        x = self.state.positions
        if len(constraints.pairs) and not (
            constrain_positions(x, x.copy(), constraints, inverse)
            and constrain_velocities(self.state.velocities, x, constraints, inverse)
        ):
            self._fail("the starting coordinates cannot be brought onto the constraints; minimise first")
        self._place_sites(x)
        self.state.velocities[self.parameters.bonded.sites.beads] = 0.0

    def _place_sites(self, x: Floats) -> None:
        if len(self.parameters.bonded.sites.beads):
            place_sites(x, self.parameters.bonded.sites)

    def minimize(self, *, max_steps: int = 2000, force_tolerance: float = 10.0) -> MinimizationResult:
        """Go downhill in energy; velocities are drawn anew.

        Constraints are springs at first, which get stiffer until the constraints can be met, and then kept for the last steps.

        Parameters
        ----------
        max_steps : int
        force_tolerance : float
            Stop when no bead feels more than this [kJ/mol/nm] besides the forces of constraints.

        Raises
        ------
        SimulationError
            An energy that is not a number, or constraints that cannot be met.
        """
        if len(self.parameters.constraints.pairs):
            done = 0
            shares = (3 * max_steps // 4, max_steps // 8, max_steps // 8)
            for factor, n_steps in zip((1.0, 10.0, 100.0), shares):
                done += self._descend(factor * CONSTRAINT_STIFFNESS, n_steps, force_tolerance).n_steps
                x = self.positions.copy()
                if self._on_constraints(x, self.positions):
                    break
            else:
                self._fail("minimisation ended where the constraints cannot be met")
            self.state.positions[:] = x
            result = self._descend(0.0, max(max_steps - done, 0), force_tolerance)
            result = replace(result, n_steps=done + result.n_steps)
        else:
            result = self._descend(CONSTRAINT_STIFFNESS, max_steps, force_tolerance)
        self.draw_velocities()
        self._renew_forces()
        return result

    def _on_constraints(self, x: Floats, reference: Floats) -> bool:
        return bool(
            constrain_positions(x, reference, self.parameters.constraints, self.parameters.molecules.inverse_masses)
        )

    def _descend(self, stiffness: float, max_steps: int, force_tolerance: float) -> MinimizationResult:
        """Minimise from the present positions; constraints are springs of this stiffness, or kept when it is zero."""
        p = build_parameters(
            self._source,
            solute_component=-1 if self.coupling is None else self.coupling.component,
            constraint_stiffness=stiffness,
            refcoord_scaling=self.settings.refcoord_scaling,
            restraint=self.restraint,
        )
        near = self.state.neighbor_list
        before = self.positions.copy()

        def energy_and_forces(x: Floats) -> tuple[float, Floats]:
            nonlocal near
            if stiffness == 0.0 and not self._on_constraints(x, before):
                self._fail("constraints cannot be met in minimisation")
            before[:] = x
            self._place_sites(x)
            if not list_is_valid(x, near.inner_reference, float(near.radii[1]), p.pair.cutoff):
                near = self._build_list(x)
            found = total_forces(x, self.box, p.pair, p.bonded, self._lambda, near)
            forces = found.forces if stiffness > 0.0 else self._without_constraint_forces(x, found.forces)
            return float(found.energies.sum()), forces

        x, result = fire(self.positions, energy_and_forces, max_steps=max_steps, force_tolerance=force_tolerance)
        if not np.isfinite(result.potential):
            self._fail("minimisation met an energy that is not a number")
        self.state.positions[:] = x
        return result

    def _without_constraint_forces(self, x: Floats, forces: Floats) -> Floats:
        """The part of ``forces`` that accelerates beads along directions their constraints leave free."""
        molecules = self.parameters.molecules
        acceleration = forces * molecules.inverse_masses[:, None]
        largest = float(np.abs(acceleration).max(initial=0.0))
        if largest == 0.0 or not np.isfinite(largest):
            return forces.copy()
        acceleration /= largest
        constrain_velocities(acceleration, x, self.parameters.constraints, molecules.inverse_masses)
        return acceleration * largest * molecules.masses[:, None]

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
        state, p = self._state, self.parameters
        left = n_steps
        while left > 0:
            done, status = self._stepper.advance(state, left, self.rng)
            left -= done
            state.time = self.step * self.settings.time_step
            if status == LIST_FULL:
                self._find_room()
            elif status == BLOWN_UP:
                self._fail("the simulation blew up")
            elif status == UNCONSTRAINED:
                self._fail("constraints cannot be met")
            elif status == BOX_TOO_SMALL:
                check_box(self.box, p.pair.cutoff)
        if not np.isfinite(state.scratch.kinetic[0]):
            self._fail("the simulation blew up")

    def _find_room(self) -> None:
        state = self.state
        state.neighbor_list = roomier(state.neighbor_list, self.parameters.pair, state.box, self._dynamics.list_radius)

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
            terms = ", ".join(f"{name} {value:.4g}" for name, value in zip(TERMS, e)) + " kJ/mol"
        raise SimulationError(
            f"{message} at step {self.step}; fastest bead {worst + 1} ({name}); {terms}",
            hint="minimise longer or use a smaller time step",
        )

    # -- neighbour list ----------------------------------------------------------------------------------------------

    def _build_list(self, x: Floats) -> NeighborList:
        d = self._dynamics
        near = fresh_list(self.parameters, x, self.box, d.list_radius, d.inner_radius, self.state.neighbor_list)
        self.state.neighbor_list = near
        return near

    def _ensure_list(self) -> None:
        near = self.state.neighbor_list
        if not list_is_valid(self.positions, near.inner_reference, float(near.radii[1]), self.parameters.pair.cutoff):
            self._build_list(self.positions)

    def _renew_forces(self) -> None:
        """Lists, forces, energies and kinetic energy of the present frame."""
        state = self.state
        state.neighbor_list.radii[:] = 0.0  # whatever it holds is made anew
        state.neighbor_list.reference[:] = state.positions
        while (status := self._stepper.advance(state, 0, self.rng)[1]) == LIST_FULL:
            self._find_room()
        if status != DONE:
            self._fail("the simulation blew up")

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """Hash of everything that does not move: system parameters, settings, coupling."""
        digest = hashlib.sha256(repr((self.settings, self.coupling)).encode())
        for array in _arrays(self.parameters[:4]):
            digest.update(array.tobytes())
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
        self._state, self.rng = checkpoint.load(Path(path), self.fingerprint(), self.parameters.pair)
        self._stepper.forget_order()
