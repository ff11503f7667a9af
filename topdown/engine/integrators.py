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

from topdown.engine._arrays import copy_numbers, copy_rows
from topdown.engine._jit import helper, kernel
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
from topdown.engine.constraints import constrain_positions, constrain_velocities
from topdown.engine.forces import BOX_TOO_SMALL, DONE, UNCONSTRAINED, team_forces, team_place
from topdown.engine.soft_core import Lambda
from topdown.engine.team import announce, announced, meet, share
from topdown.engine.virtual_sites import settle_sites

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
    inner_radius: float
    double: bool


class Scratch(NamedTuple):
    """What one step leaves for the next, besides positions and velocities.

    ``counters``: phase of the step (0 whole, 1 drifted but forces still to be computed), step number, steps of the box accepted.
    ``kinetic``: mid-step kinetic energy; ``molecular_kinetic``: its tensor of whole molecules; both of the last step asked for.
    """

    counters: Any
    kinetic: Any
    molecular_kinetic: Any
    energies: Any
    virial: Any


@kernel
def kinetic_energy(v: Any, masses: Any) -> float:
    """1/2 Σ m v²."""
    total = 0.0
    for i in range(v.shape[0]):
        total += masses[i] * (v[i, 0] * v[i, 0] + v[i, 1] * v[i, 1] + v[i, 2] * v[i, 2])
    return 0.5 * total


@helper
def _kick(first: int, last: int, v: Any, forces: Any, inverse_masses: Any, dt: float) -> None:
    for i in range(first, last):
        s = dt * inverse_masses[i]
        v[i, 0] += s * forces[i, 0]
        v[i, 1] += s * forces[i, 1]
        v[i, 2] += s * forces[i, 2]


@helper
def _copy_constrained(x: Any, pairs: Any, copy: Any) -> None:
    for n in range(pairs.shape[0]):
        for end in range(2):
            for d in range(3):
                copy[pairs[n, end], d] = x[pairs[n, end], d]


@helper
def _drift(x: Any, v: Any, dt: float, constraints: Any, inverse_masses: Any) -> bool:
    """Half drift with constraints; the constraint displacement enters the velocities."""
    if constraints.pairs.shape[0] == 0:
        for i in range(x.shape[0]):
            x[i, 0] += dt * v[i, 0]
            x[i, 1] += dt * v[i, 1]
            x[i, 2] += dt * v[i, 2]
        return True
    reference, free, pairs = np.empty_like(x), np.empty_like(x), constraints.pairs
    _copy_constrained(x, pairs, reference)
    for i in range(x.shape[0]):
        for d in range(3):
            x[i, d] += dt * v[i, d]
    _copy_constrained(x, pairs, free)
    if not constrain_positions(x, reference, constraints, inverse_masses):
        return False
    for n in range(pairs.shape[0]):
        for end in range(2):
            i = pairs[n, end]
            for d in range(3):
                v[i, d] += (x[i, d] - free[i, d]) / dt
                free[i, d] = x[i, d]  # a bead of several constraints gets it once
    return constrain_velocities(v, x, constraints, inverse_masses)


@helper
def rescale_factor(kinetic: float, kt: float, n_dof: float, ratio: float, rng: Any) -> float:
    """Velocity scaling factor of the v-rescale thermostat (Bussi 2007, eq. A7); ``ratio`` = exp(-Δt/τ)."""
    mean = 0.5 * n_dof * kt
    r1 = rng.standard_normal()
    rest = 2.0 * rng.standard_gamma(0.5 * (n_dof - 1.0)) if n_dof > 1.0 else 0.0
    part = mean * (1.0 - ratio) / (n_dof * kinetic)
    squared = ratio + part * (r1 * r1 + rest) + 2.0 * r1 * math.sqrt(part * ratio)
    factor = math.sqrt(max(squared, 0.0))
    return -factor if r1 + math.sqrt(ratio / part) < 0.0 else factor


@helper
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


@helper
def _remove_com_motion(v: Any, masses: Any) -> None:
    total = masses.sum()
    for d in range(3):
        momentum = 0.0
        for i in range(v.shape[0]):
            momentum += masses[i] * v[i, d]
        for i in range(v.shape[0]):
            v[i, d] -= momentum / total


@helper
def _is_velocity_changed(settings: Any, step: int) -> bool:
    """Whether something acts between the two half drifts of this step."""
    return bool(
        settings.thermostat == LANGEVIN
        or (settings.thermostat == V_RESCALE and step % settings.thermostat_every == 0)
        or (settings.com_every > 0 and step % settings.com_every == 0)
    )


@helper
def _kick_and_drift(first: int, last: int, x: Any, v: Any, forces: Any, inverse_masses: Any, half: float) -> None:
    """The three moves of beads ``first`` … ``last - 1`` in a step in which nothing acts between them, rounded one by one."""
    for i in range(first, last):
        s = half * inverse_masses[i]
        for d in range(3):
            v[i, d] += s * forces[i, d]
            x[i, d] += half * v[i, d]
            x[i, d] += half * v[i, d]


@helper
def _first_half(
    x: Any, v: Any, forces: Any, constraints: Any, molecules: Any, settings: Any, scratch: Any, rng: Any, step: int,
    last: bool
) -> bool:  # fmt: skip
    """Half kick, half drift, thermostat, half drift; the ``last`` of many leaves kinetic energy and tensor."""
    half = 0.5 * settings.time_step
    inverse_masses = molecules.inverse_masses
    constrained = constraints.pairs.shape[0] > 0
    _kick(0, v.shape[0], v, forces, inverse_masses, half)
    if constrained and not constrain_velocities(v, x, constraints, inverse_masses):
        return False
    if not _drift(x, v, half, constraints, inverse_masses):
        return False
    _thermostat(v, molecules.masses, settings, rng, step)
    if constrained and not constrain_velocities(v, x, constraints, inverse_masses):
        return False
    if settings.com_every > 0 and step % settings.com_every == 0:
        _remove_com_motion(v, molecules.masses)
    if last:
        scratch.kinetic[0] = kinetic_energy(v, molecules.masses)
        kinetic_tensor(v, molecules, scratch.molecular_kinetic)
    return bool(_drift(x, v, half, constraints, inverse_masses))


class _Trial(NamedTuple):
    """What a refused step of the box goes back to, and what the judgement needs; filled by the first thread of a team."""

    x: Any
    forces: Any
    box: Any
    energies: Any
    virial: Any
    changes: Any
    factors: Any
    log_forward: Any


@helper
def _propose_box(
    x: Any, forces: Any, box: Any, pair: Any, molecules: Any, near: Any, settings: Any, scratch: Any, rng: Any, trial: Any
) -> int:  # fmt: skip
    """Step the box and scale molecules and lists with it; ``BOX_TOO_SMALL`` when it is smaller than twice the cut-off.

    ``forces`` and the energies and virial in ``scratch`` must be those of ``x``.
    """
    pressure, drift, variance, changes = np.empty((3, 3)), np.empty(3), np.empty(3), trial.changes
    copy_rows(x, trial.x)
    copy_rows(forces, trial.forces)
    copy_numbers(box, trial.box)
    copy_numbers(scratch.energies, trial.energies)
    copy_rows(scratch.virial, trial.virial)
    expected_pressure(x, forces, box, molecules, settings.kt, scratch.virial, pressure)
    step_distribution(box, settings, pressure, drift, variance)
    draw_step(drift, variance, rng, changes)
    factors = edge_factors(settings, changes)
    trial.log_forward[0] = log_probability(drift, variance, changes, 1.0)
    scale_molecules(x, molecules, factors)
    scale_list(near, factors)
    smallest = np.inf
    for d in range(3):
        trial.factors[d] = factors[d]
        box[d] *= factors[d]
        smallest = min(smallest, box[d])
    return BOX_TOO_SMALL if smallest < 2.0 * pair.cutoff else DONE


@helper
def _judge_box(
    fits: bool, x: Any, forces: Any, box: Any, molecules: Any, near: Any, settings: Any, scratch: Any, rng: Any, trial: Any
) -> None:  # fmt: skip
    """Keep the step proposed, or go back; ``fits`` is whether the lists could be made for it."""
    pressure, drift, variance = np.empty((3, 3)), np.empty(3), np.empty(3)
    factors = (trial.factors[0], trial.factors[1], trial.factors[2])
    if fits:
        expected_pressure(x, forces, box, molecules, settings.kt, scratch.virial, pressure)
        step_distribution(box, settings, pressure, drift, variance)
        if is_accepted(
            scratch.energies.sum() - trial.energies.sum(), molecules.start.shape[0] - 1, trial.box, factors, settings,
            trial.log_forward[0], log_probability(drift, variance, trial.changes, -1.0), rng
        ):  # fmt: skip
            scratch.counters[2] += 1
            return
    scale_list(near, (1.0 / factors[0], 1.0 / factors[1], 1.0 / factors[2]))
    copy_rows(trial.x, x)
    copy_rows(trial.forces, forces)
    copy_numbers(trial.box, box)
    copy_numbers(trial.energies, scratch.energies)
    copy_rows(trial.virial, scratch.virial)
    if not fits:
        near.radii[:] = 0.0  # the next step builds it, with more room


@kernel
def advance(
    thread: int, n_steps: int, x: Any, v: Any, forces: Any, box: Any, pair: Any, bonded: Any, constraints: Any,
    molecules: Any, near: Any, settings: Any, scratch: Any, team: Any, rng: Any
) -> tuple[int, int]:  # fmt: skip
    """Do up to ``n_steps`` steps; returns the steps done and a status. After ``LIST_FULL`` call again with a longer list.

    All threads of a team call it at once, and return the same.
    """
    half, counters, inverse_masses = 0.5 * settings.time_step, scratch.counters, molecules.inverse_masses
    constrained = constraints.pairs.shape[0] > 0
    together = constrained or bonded.sites.beads.shape[0] > 0
    first, last = share(thread, team, x.shape[0])
    phase, step = counters[0], counters[1]
    kept = x.shape[0] if thread == 0 and settings.barostat > 0 else 0
    trial = _Trial(
        np.empty((kept, 3)), np.empty((kept, 3)), np.empty(3), np.empty_like(scratch.energies), np.empty((3, 3)), np.empty(3),
        np.empty(3), np.empty(1)
    )  # fmt: skip
    status, done, tries_box = DONE, 0, False
    meet(thread, team)  # all have read the counters
    while done < n_steps or tries_box:
        if phase == 0 and not tries_box:
            if together or done == n_steps - 1 or _is_velocity_changed(settings, step):
                meet(thread, team)
                if thread == 0:
                    fine = _first_half(
                        x, v, forces, constraints, molecules, settings, scratch, rng, step, done == n_steps - 1
                    )
                    settle_sites(x, v, bonded.sites)
                    announce(DONE if fine else UNCONSTRAINED, team)
                meet(thread, team)
                status = announced(team)
                if status != DONE:
                    break
            else:
                _kick_and_drift(first, last, x, v, forces, inverse_masses, half)
            phase = 1
        status = team_place(thread, x, box, pair, bonded, near, settings, team, forces)
        if status != DONE and not tries_box:
            break
        measure = settings.barostat > 0 and (tries_box or (step + 1) % settings.barostat_every == 0)
        if status == DONE:
            team_forces(
                thread, x, box, pair, bonded, near, settings, team, forces, scratch.energies, scratch.virial, measure
            )
        if tries_box:
            if thread == 0:
                _judge_box(status == DONE, x, forces, box, molecules, near, settings, scratch, rng, trial)
            meet(thread, team)
            tries_box, status = False, DONE
            continue
        _kick(first, last, v, forces, inverse_masses, half)
        if constrained:
            meet(thread, team)
            if thread == 0:
                announce(DONE if constrain_velocities(v, x, constraints, inverse_masses) else UNCONSTRAINED, team)
            meet(thread, team)
            status = announced(team)
            if status != DONE:
                break
        phase = 0
        step += 1
        done += 1
        if measure:
            meet(thread, team)
            if thread == 0:
                announce(_propose_box(x, forces, box, pair, molecules, near, settings, scratch, rng, trial), team)
            meet(thread, team)
            status = announced(team)
            if status != DONE:
                break
            tries_box = True
    if thread == 0:
        counters[0], counters[1] = phase, step
    return done, status
