"""One step of dynamics, many times over.

The splitting is BAOAB (Leimkuhler & Matthews 2013): half kick, half drift, thermostat, half drift, forces, half kick. Without a
thermostat it is velocity Verlet; with the Langevin thermostat it samples positions with an error far below the time step's; with
v-rescale (Bussi, Donadio & Parrinello 2007) the thermostat sees the mid-step kinetic energy, as GROMACS' leap-frog does.
Constraints are kept by SHAKE after each drift and RATTLE after each change of velocity.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from topdown.engine._jit import kernel
from topdown.engine.barostats import (
    draw_step,
    edge_factors,
    expected_pressure,
    is_accepted,
    kinetic_tensor,
    log_probability,
    scale_list,
    scale_molecules,
    step_distribution,
)
from topdown.engine.bonded_forces import angle_forces, bending_torsion_forces, bond_forces, dihedral_forces
from topdown.engine.constraints import constrain_positions, constrain_velocities
from topdown.engine.excluded_pairs import excluded_pair_forces
from topdown.engine.neighbor_list import gather, list_is_valid, refresh_list
from topdown.engine.pair_forces import pair_forces
from topdown.engine.restraints import restraint_forces
from topdown.engine.soft_core import Lambda, solute_forces
from topdown.engine.virtual_sites import settle_sites, spread_forces

DONE, LIST_FULL, BLOWN_UP, UNCONSTRAINED, BOX_TOO_SMALL = 0, 1, 2, 3, 4
NO_THERMOSTAT, V_RESCALE, LANGEVIN = 0, 1, 2


class Dynamics(NamedTuple):
    """Settings of a run as plain numbers (kJ/mol, ps, nm; pressures in kJ/mol/nm³, tension of all surfaces in kJ/mol/nm²)."""

    time_step: float
    thermostat: int
    kt: float
    tau_t: float
    thermostat_every: int
    barostat: int
    pressure_xy: float
    pressure_z: float
    tension: float
    tau_p: float
    compressibility_xy: float
    compressibility_z: float
    barostat_every: int
    com_every: int
    degrees_of_freedom: float
    lam: Lambda
    list_radius: float


class Scratch(NamedTuple):
    """What one step leaves for the next, besides positions and velocities.

    ``counters``: phase of the step (0 whole, 1 drifted but forces still to be computed), step number, steps of the box accepted,
    list builds. ``kinetic``: mid-step kinetic energy; ``molecular_kinetic``: its tensor of whole molecules.
    """

    counters: Any
    kinetic: Any
    molecular_kinetic: Any
    energies: Any
    virial: Any


@kernel
def total_forces(
    x: Any, box: Any, pair: Any, bonded: Any, lam: Any, near: Any, forces: Any, energies: Any, virial: Any,
    measure: bool
) -> None:  # fmt: skip
    """All forces; energies (``parameters.TERMS``) and virial too when ``measure`` is set. Virtual sites must be in place."""
    if measure:
        energies[:] = 0.0
        virial[:, :] = 0.0
    gather(x, near)
    near.forces[:, :] = 0.0
    pair_forces(near.x, box, near.pair, near.start, near.neighbors, near.forces, energies, virial, measure)
    for a in range(x.shape[0]):
        i = near.order[a]
        forces[i, 0] = near.forces[a, 0]
        forces[i, 1] = near.forces[a, 1]
        forces[i, 2] = near.forces[a, 2]
    excluded_pair_forces(x, box, pair, forces, energies, virial, measure)
    solute_forces(x, box, pair, lam, forces, energies, virial, measure)
    bond_forces(x, box, bonded, forces, energies, virial, measure)
    angle_forces(x, box, bonded, forces, energies, virial, measure)
    dihedral_forces(x, box, bonded, forces, energies, virial, measure)
    bending_torsion_forces(x, box, bonded, forces, energies, virial, measure)
    restraint_forces(x, box, bonded.restraints, forces, energies, virial, measure)
    spread_forces(x, bonded.sites, forces, virial, measure)


@kernel
def kinetic_energy(v: Any, masses: Any) -> float:
    """1/2 Σ m v²."""
    total = 0.0
    for i in range(v.shape[0]):
        total += masses[i] * (v[i, 0] * v[i, 0] + v[i, 1] * v[i, 1] + v[i, 2] * v[i, 2])
    return 0.5 * total


@kernel
def _kick(v: Any, forces: Any, inverse_masses: Any, dt: float) -> None:
    for i in range(v.shape[0]):
        s = dt * inverse_masses[i]
        v[i, 0] += s * forces[i, 0]
        v[i, 1] += s * forces[i, 1]
        v[i, 2] += s * forces[i, 2]


@kernel
def _drift(x: Any, v: Any, dt: float, constraints: Any, inverse_masses: Any) -> bool:
    """Half drift with constraints; the constraint displacement enters the velocities."""
    if constraints.pairs.shape[0] == 0:
        for i in range(x.shape[0]):
            x[i, 0] += dt * v[i, 0]
            x[i, 1] += dt * v[i, 1]
            x[i, 2] += dt * v[i, 2]
        return True
    reference = x.copy()
    for i in range(x.shape[0]):
        for d in range(3):
            x[i, d] += dt * v[i, d]
    free = x.copy()
    if not constrain_positions(x, reference, constraints, inverse_masses):
        return False
    for i in range(x.shape[0]):
        for d in range(3):
            v[i, d] += (x[i, d] - free[i, d]) / dt
    return constrain_velocities(v, x, constraints, inverse_masses)


@kernel
def rescale_factor(kinetic: float, kt: float, n_dof: float, ratio: float, rng: Any) -> float:
    """Velocity scaling factor of the v-rescale thermostat (Bussi 2007, eq. A7); ``ratio`` = exp(-Δt/τ)."""
    mean = 0.5 * n_dof * kt
    r1 = rng.standard_normal()
    rest = 2.0 * rng.standard_gamma(0.5 * (n_dof - 1.0)) if n_dof > 1.0 else 0.0
    part = mean * (1.0 - ratio) / (n_dof * kinetic)
    squared = ratio + part * (r1 * r1 + rest) + 2.0 * r1 * math.sqrt(part * ratio)
    factor = math.sqrt(max(squared, 0.0))
    return -factor if r1 + math.sqrt(ratio / part) < 0.0 else factor


@kernel
def _thermostat(v: Any, masses: Any, settings: Any, rng: Any, step: int) -> None:
    if settings.thermostat == LANGEVIN:
        keep = math.exp(-settings.time_step / settings.tau_t)
        for i in range(v.shape[0]):
            noise = math.sqrt(settings.kt / masses[i] * (1.0 - keep * keep)) if masses[i] > 0.0 else 0.0
            for d in range(3):
                v[i, d] = keep * v[i, d] + noise * rng.standard_normal()
    elif settings.thermostat == V_RESCALE and step % settings.thermostat_every == 0:
        kinetic = kinetic_energy(v, masses)
        if kinetic > 0.0:
            ratio = math.exp(-settings.time_step * settings.thermostat_every / settings.tau_t)
            v *= rescale_factor(kinetic, settings.kt, settings.degrees_of_freedom, ratio, rng)


@kernel
def _remove_com_motion(v: Any, masses: Any) -> None:
    total = masses.sum()
    for d in range(3):
        momentum = 0.0
        for i in range(v.shape[0]):
            momentum += masses[i] * v[i, d]
        for i in range(v.shape[0]):
            v[i, d] -= momentum / total


@kernel
def _has_flown(x: Any, reference: Any, limit: float) -> bool:
    for i in range(x.shape[0]):
        d2 = 0.0
        for d in range(3):
            d2 += (x[i, d] - reference[i, d]) ** 2
        if not d2 < limit * limit:
            return True
    return False


@kernel
def _first_half(
    x: Any, v: Any, forces: Any, constraints: Any, molecules: Any, settings: Any, scratch: Any, rng: Any, last: bool
) -> bool:  # fmt: skip
    """Half kick, half drift, thermostat, half drift; the ``last`` of many leaves the kinetic tensor."""
    half = 0.5 * settings.time_step
    step = scratch.counters[1]
    inverse_masses = molecules.inverse_masses
    constrained = constraints.pairs.shape[0] > 0
    _kick(v, forces, inverse_masses, half)
    if constrained and not constrain_velocities(v, x, constraints, inverse_masses):
        return False
    if not _drift(x, v, half, constraints, inverse_masses):
        return False
    _thermostat(v, molecules.masses, settings, rng, step)
    if constrained and not constrain_velocities(v, x, constraints, inverse_masses):
        return False
    if settings.com_every > 0 and step % settings.com_every == 0:
        _remove_com_motion(v, molecules.masses)
    scratch.kinetic[0] = kinetic_energy(v, molecules.masses)
    if last:
        kinetic_tensor(v, molecules, scratch.molecular_kinetic)
    return bool(_drift(x, v, half, constraints, inverse_masses))


@kernel
def _step_box(
    x: Any, forces: Any, box: Any, pair: Any, bonded: Any, molecules: Any, near: Any, settings: Any, scratch: Any, rng: Any
) -> bool:  # fmt: skip
    """Propose a step of the box and keep it or not; False when it became smaller than twice the cut-off.

    ``forces`` and the energies and virial in ``scratch`` must be those of ``x``, and are afterwards.
    """
    pressure, drift, variance, changes = np.empty((3, 3)), np.empty(3), np.empty(3), np.empty(3)
    expected_pressure(x, forces, box, molecules, settings.kt, scratch.virial, pressure)
    step_distribution(box, settings, pressure, drift, variance)
    draw_step(drift, variance, rng, changes)
    factors = edge_factors(settings, changes)
    log_forward = log_probability(drift, variance, changes, 1.0)
    old_x, old_forces, old_box = x.copy(), forces.copy(), box.copy()
    old_energies, old_virial = scratch.energies.copy(), scratch.virial.copy()
    scale_molecules(x, molecules, factors)
    scale_list(near, factors)
    for d in range(3):
        box[d] *= factors[d]
    if np.min(box) < 2.0 * pair.cutoff:
        return False
    fits = True
    if not list_is_valid(x, near.reference, near.radius[0], pair.cutoff):
        fits = refresh_list(x, box, pair, settings.list_radius, near)
        scratch.counters[3] += 1
    if fits:
        total_forces(x, box, pair, bonded, settings.lam, near, forces, scratch.energies, scratch.virial, True)
        expected_pressure(x, forces, box, molecules, settings.kt, scratch.virial, pressure)
        step_distribution(box, settings, pressure, drift, variance)
        if is_accepted(
            scratch.energies.sum() - old_energies.sum(), molecules.start.shape[0] - 1, old_box, factors, settings,
            log_forward, log_probability(drift, variance, changes, -1.0), rng
        ):  # fmt: skip
            scratch.counters[2] += 1
            return True
    scale_list(near, (1.0 / factors[0], 1.0 / factors[1], 1.0 / factors[2]))
    x[:, :], forces[:, :], box[:] = old_x, old_forces, old_box
    scratch.energies[:], scratch.virial[:, :] = old_energies, old_virial
    if not fits:
        near.radius[0] = 0.0  # the next step builds it, with more room
    return True


@kernel
def advance(
    n_steps: int, x: Any, v: Any, forces: Any, box: Any, pair: Any, bonded: Any, constraints: Any, molecules: Any,
    neighbor_list: Any, settings: Any, scratch: Any, rng: Any
) -> tuple[int, int]:  # fmt: skip
    """Do up to ``n_steps`` steps; returns the steps done and a status. After ``LIST_FULL`` call again with a longer list."""
    half = 0.5 * settings.time_step
    counters = scratch.counters
    for done in range(n_steps):
        if counters[0] == 0:
            last = done == n_steps - 1
            if not _first_half(x, v, forces, constraints, molecules, settings, scratch, rng, last):
                return done, UNCONSTRAINED
            settle_sites(x, v, bonded.sites)
            counters[0] = 1
        if not list_is_valid(x, neighbor_list.reference, neighbor_list.radius[0], pair.cutoff):
            allowed = max(0.5 * (neighbor_list.radius[0] - pair.cutoff), 0.0)
            if _has_flown(x, neighbor_list.reference, pair.cutoff + allowed):
                return done, BLOWN_UP
            if np.min(box) < 2.0 * pair.cutoff:
                return done, BOX_TOO_SMALL
            if not refresh_list(x, box, pair, settings.list_radius, neighbor_list):
                return done, LIST_FULL
            counters[3] += 1
        measure = settings.barostat > 0 and (counters[1] + 1) % settings.barostat_every == 0
        total_forces(
            x, box, pair, bonded, settings.lam, neighbor_list, forces, scratch.energies, scratch.virial, measure
        )
        _kick(v, forces, molecules.inverse_masses, half)
        if constraints.pairs.shape[0] > 0 and not constrain_velocities(v, x, constraints, molecules.inverse_masses):
            return done, UNCONSTRAINED
        counters[0] = 0
        counters[1] += 1
        if measure and not _step_box(x, forces, box, pair, bonded, molecules, neighbor_list, settings, scratch, rng):
            return done + 1, BOX_TOO_SMALL
    return n_steps, DONE
