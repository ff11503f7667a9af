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

from topdown.engine._arrays import first_row_of, total_of
from topdown.engine._jit import Part, call_part, helper, kernel, kind_of, part
from topdown.engine._lent import lent
from topdown.engine.barostats import kinetic_tensor
from topdown.engine.bead_order import REORDER_EVERY, renumber_beads
from topdown.engine.box_steps import Trial, box_as_before, box_distribution, judge_box, propose_box, stepped_box
from topdown.engine.constraints import constrain_some_positions, constrain_some_velocities
from topdown.engine.forces import (
    DONE,
    UNCONSTRAINED,
    ForceParts,
    add_pair_forces,
    force_parts,
    share_out,
    team_forces,
    team_place,
)
from topdown.engine.frame import Frame
from topdown.engine.neighbor_list import NeighborList, place
from topdown.engine.pair_forces import prefetch_slots
from topdown.engine.parameter_arrays import BondedParameters, ConstraintParameters, MoleculeParameters, PairParameters
from topdown.engine.soft_core import Lambda
from topdown.engine.team import BLOCK, Team, agreed, announce, announced, divide_beads, meet, team_size
from topdown.engine.virtual_sites import settle_sites

NO_THERMOSTAT, V_RESCALE, LANGEVIN = 0, 1, 2


@lent
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


@lent
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


@helper
def kinetic_energy(first: int, last: int, v: Any, masses: Any) -> float:
    """1/2 Σ m v² of beads ``first`` … ``last - 1``."""
    total = 0.0
    for i in range(first, last):
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
def _copy_constrained(pairs: Any, x: Any, copy: Any) -> None:
    for n in range(pairs.shape[0]):
        for end in range(2):
            for d in range(3):
                copy[pairs[n, end], d] = x[pairs[n, end], d]


@part
def _constrained_drift(first: int, last: int, frame: Any, constraints: Any, molecules: Any, settings: Any) -> int:
    """Half drift of some molecules with constraints, whose displacement enters the velocities; 0 if they cannot be met."""
    x, v, dt, n_pairs = frame.positions, frame.velocities, 0.5 * settings.time_step, constraints.pairs.shape[0]
    pairs = constraints.pairs[
        first_row_of(first, constraints.pairs, 0, n_pairs) : first_row_of(last, constraints.pairs, 0, n_pairs)
    ]
    reference, free = np.empty(x.shape), np.empty(x.shape)
    _copy_constrained(pairs, x, reference)
    for i in range(first, last):
        for d in range(3):
            x[i, d] += dt * v[i, d]
    _copy_constrained(pairs, x, free)
    if not constrain_some_positions(first, last, x, reference, constraints, molecules.inverse_masses):
        return 0
    for n in range(pairs.shape[0]):
        for end in range(2):
            i = pairs[n, end]
            for d in range(3):
                v[i, d] += (x[i, d] - free[i, d]) / dt
                free[i, d] = x[i, d]  # a bead of several constraints gets it once
    return int(constrain_some_velocities(first, last, v, x, constraints, molecules.inverse_masses))


@part
def _constrained_velocities(first: int, last: int, frame: Any, constraints: Any, molecules: Any) -> int:
    """Velocities of some molecules along constraints taken away; 0 if that does not work."""
    x, v = frame.positions, frame.velocities
    return int(constrain_some_velocities(first, last, v, x, constraints, molecules.inverse_masses))


@part
def _settled_sites(first: int, last: int, frame: Any, bonded: Any) -> int:
    settle_sites(first, last, frame.positions, frame.velocities, bonded.sites)
    return 0


@helper
def standard_gamma(shape: float, rng: Any) -> float:
    """A number with the density ∝ x^(shape-1) exp(-x) (Marsaglia & Tsang 2000, doi:10.1145/358407.358414)."""
    boost = 1.0
    if shape < 1.0:
        boost = (1.0 - rng.random()) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = rng.standard_normal()
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(1.0 - rng.random()) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return float(boost * d * v)


@helper
def rescale_factor(kinetic: float, kt: float, n_dof: float, ratio: float, rng: Any) -> float:
    """Velocity scaling factor of the v-rescale thermostat (Bussi 2007, eq. A7); ``ratio`` = exp(-Δt/τ)."""
    mean = 0.5 * n_dof * kt
    r1 = rng.standard_normal()
    rest = 2.0 * standard_gamma(0.5 * (n_dof - 1.0), rng) if n_dof > 1.0 else 0.0
    part = mean * (1.0 - ratio) / (n_dof * kinetic)
    squared = ratio + part * (r1 * r1 + rest) + 2.0 * r1 * math.sqrt(part * ratio)
    factor = math.sqrt(max(squared, 0.0))
    return -factor if r1 + math.sqrt(ratio / part) < 0.0 else factor


@helper
def _sum_of_partial(column: int, team: Any) -> float:
    """What all threads have added up, in their order."""
    total = team.partial[0, column]
    for thread in range(1, team_size(team)):
        total += team.partial[thread, column]
    return float(total)


@helper
def _thermostat(
    thread: int, first: int, last: int, v: Any, masses: Any, settings: Any, team: Any, rng: Any, step: int
) -> None:  # fmt: skip
    if settings.thermostat == LANGEVIN:
        meet(thread, team)
        if thread == 0:  # one after the other, as the numbers are drawn
            keep = math.exp(-settings.time_step / settings.tau_t)
            for i in range(v.shape[0]):
                noise = math.sqrt(settings.kt / masses[i] * (1.0 - keep * keep)) if masses[i] > 0.0 else 0.0
                for d in range(3):
                    v[i, d] = keep * v[i, d] + noise * rng.standard_normal()
        meet(thread, team)
    elif settings.thermostat == V_RESCALE and step % settings.thermostat_every == 0:
        team.partial[thread, 0] = kinetic_energy(first, last, v, masses)
        meet(thread, team)
        kinetic, drawn = _sum_of_partial(0, team), team_size(team)
        if kinetic > 0.0:
            if thread == 0:
                ratio = math.exp(-settings.time_step * settings.thermostat_every / settings.tau_t)
                team.partial[drawn, 0] = rescale_factor(
                    kinetic, settings.kt, settings.degrees_of_freedom, ratio, rng
                )  # fmt: skip
            meet(thread, team)
            factor = team.partial[drawn, 0]
            for i in range(first, last):
                for d in range(3):
                    v[i, d] *= factor


@helper
def _remove_com_motion(thread: int, first: int, last: int, v: Any, masses: Any, team: Any) -> None:
    for d in range(3):
        momentum = 0.0
        for i in range(first, last):
            momentum += masses[i] * v[i, d]
        team.partial[thread, 1 + d] = momentum
    meet(thread, team)
    total = total_of(masses)
    for d in range(3):
        momentum = _sum_of_partial(1 + d, team)
        for i in range(first, last):
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
    thread: int, frame: Any, bonded: Any, constraints: Any, molecules: Any, settings: Any, scratch: Any, team: Any,
    parts: Any, rng: Any, step: int, is_last: bool
) -> bool:  # fmt: skip
    """Half kick, half drift, thermostat, half drift of the thread's beads; whether their constraints were met.

    The last of many leaves kinetic energy and tensor.
    """
    half, v, masses = 0.5 * settings.time_step, frame.velocities, molecules.masses
    first, last = team.beads[thread], team.beads[thread + 1]
    constrained, fine = parts.drift != 0, True
    _kick(first, last, v, frame.forces, molecules.inverse_masses, half)
    if constrained:
        fine &= call_part(parts.velocities, (first, last, frame, constraints, molecules)) != 0
    fine &= _drift(first, last, frame, constraints, molecules, settings, parts)
    _thermostat(thread, first, last, v, masses, settings, team, rng, step)
    if constrained:
        fine &= call_part(parts.velocities, (first, last, frame, constraints, molecules)) != 0
    if settings.com_every > 0 and step % settings.com_every == 0:
        _remove_com_motion(thread, first, last, v, masses, team)
    if is_last:
        meet(thread, team)
        if thread == 0:
            scratch.kinetic[0] = kinetic_energy(0, v.shape[0], v, masses)
            kinetic_tensor(v, molecules, scratch.molecular_kinetic)
        meet(thread, team)
    fine &= _drift(first, last, frame, constraints, molecules, settings, parts)
    if parts.settle != 0:
        call_part(parts.settle, (first, last, frame, bonded))
    return bool(fine)


@helper
def _drift(first: int, last: int, frame: Any, constraints: Any, molecules: Any, settings: Any, parts: Any) -> bool:
    """Half drift; whether constraints were met."""
    if parts.drift != 0:
        return bool(call_part(parts.drift, (first, last, frame, constraints, molecules, settings)) != 0)
    x, v, dt = frame.positions, frame.velocities, 0.5 * settings.time_step
    for i in range(first, last):
        x[i, 0] += dt * v[i, 0]
        x[i, 1] += dt * v[i, 1]
        x[i, 2] += dt * v[i, 2]
    return True


@helper
def _on_to_next(
    thread: int, frame: Any, pair: Any, inverse_masses: Any, near: Any, team: Any, half: float
) -> bool:  # fmt: skip
    """The end of one step and the beginning of the next, a few beads at a time, so that all that is theirs is fetched once.

    As :func:`add_pair_forces`, :func:`_kick`, :func:`_kick_and_drift` and what :func:`team_place` does to begin with, one kick
    after the other at once; whether all beads are near where the lists were made. Forces of beads on which nothing but pairs
    acts are zero before and after, and never looked at.
    """
    x, v, forces, box, own = frame.positions, frame.velocities, frame.forces, frame.box, team.block[thread]
    first, last = team.beads[thread], team.beads[thread + 1]
    is_near = True
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        prefetch_slots(end, min(end + BLOCK, last), near, team)
        if begin >= pair.loose[0] and end <= pair.loose[1]:
            for k in range(end - begin):
                for d in range(3):
                    own[k, d] = 0.0
        else:
            for k in range(end - begin):
                for d in range(3):
                    own[k, d] = forces[begin + k, d]
                    forces[begin + k, d] = 0.0
        add_pair_forces(begin, end, own, 0, box, near, team)
        for i in range(begin, end):
            s = half * inverse_masses[i]
            for d in range(3):
                v[i, d] += s * own[i - begin, d]
                v[i, d] += s * own[i - begin, d]
                x[i, d] += half * v[i, d]
                x[i, d] += half * v[i, d]
        is_near &= place(begin, end, x, box, near, pair.cutoff)
    return is_near


@lent
class StepParts(NamedTuple):
    """Addresses of the parts of a step; 0 for what a system has no use for."""

    forces: ForceParts
    renumber: int
    drift: int
    velocities: int
    settle: int
    box_distribution: int
    box_step: int
    box_back: int


def step_parts(
    frame: Frame, pair: PairParameters, bonded: BondedParameters, constraints: ConstraintParameters,
    molecules: MoleculeParameters, near: NeighborList, settings: Dynamics, team: Team, trial: Trial, teams: bool
) -> StepParts:  # fmt: skip
    """The parts for a system and its settings, compiled where they have not been; those of several threads for ``teams``."""
    types = {
        "n": kind_of(0), "frame": kind_of(frame), "pair": kind_of(pair), "bonded": kind_of(bonded),
        "constraints": kind_of(constraints),
        "molecules": kind_of(molecules), "near": kind_of(near), "settings": kind_of(settings), "trial": kind_of(trial),
    }  # fmt: skip

    def address(which: Part, names: str, wanted: bool) -> int:
        return which.address(tuple(types[name] for name in names.split())) if wanted else 0

    constrained, coupled = len(constraints.pairs) > 0, settings.barostat > 0
    return StepParts(
        forces=force_parts(
            frame, pair, bonded, settings.lam, near, team, double=settings.double, settings=settings, teams=teams
        ),
        renumber=address(renumber_beads, "frame pair near", len(pair.alike) > 0),
        drift=address(_constrained_drift, "n n frame constraints molecules settings", constrained),
        velocities=address(_constrained_velocities, "n n frame constraints molecules", constrained),
        settle=address(_settled_sites, "n n frame bonded", len(bonded.sites.beads) > 0),
        box_distribution=address(box_distribution, "frame molecules settings trial", coupled),
        box_step=address(stepped_box, "frame pair molecules near settings trial", coupled),
        box_back=address(box_as_before, "frame near trial", coupled),
    )


@kernel
def advance(
    thread: int, n_steps: int, frame: Any, pair: Any, bonded: Any, constraints: Any, molecules: Any, near: Any,
    settings: Any, scratch: Any, team: Any, trial: Any, parts: Any, rng: Any
) -> tuple[int, int]:  # fmt: skip
    """Do up to ``n_steps`` steps; returns the steps done and a status. After ``LIST_FULL`` call again with a longer list.

    With ``n_steps`` 0 everything else is found for the frame as it is: lists, forces, energies, virial, kinetic energy.
    All threads of a team call it at once, and return the same.
    """
    x, v, forces = frame.positions, frame.velocities, frame.forces
    half, counters, inverse_masses = 0.5 * settings.time_step, scratch.counters, molecules.inverse_masses
    constrained = parts.drift != 0
    together = constrained or parts.settle != 0
    if thread == 0:
        divide_beads(molecules.start, team)
        share_out(pair, bonded, near, team)
    meet(thread, team)
    first, last = team.beads[thread], team.beads[thread + 1]
    phase, step = counters[0], counters[1]
    status, done, tries_box, measure = DONE, 0, False, 1
    is_placed = is_near = False
    meet(thread, team)  # all have read the counters
    while done < n_steps or tries_box or n_steps == 0:
        if phase == 0 and not tries_box and n_steps > 0:
            if together or done == n_steps - 1 or _is_velocity_changed(settings, step):
                fine = _first_half(
                    thread, frame, bonded, constraints, molecules, settings, scratch, team, parts, rng, step,
                    done == n_steps - 1
                )  # fmt: skip
                if constrained and not agreed(thread, fine, True, team):
                    status = UNCONSTRAINED
                    break
            elif not is_placed:
                _kick_and_drift(first, last, x, v, forces, inverse_masses, half)
            phase = 1
        status = team_place(thread, frame, pair, bonded, near, settings, team, parts.forces, is_placed, is_near)
        is_placed = False
        if status != DONE and not tries_box:
            break
        if parts.renumber != 0 and step % REORDER_EVERY == 0 and n_steps > 0 and not tries_box:
            if thread == 0:
                call_part(parts.renumber, (frame, pair, near))
            meet(thread, team)
        if n_steps > 0:
            measure = 1 if settings.barostat > 0 and (tries_box or (step + 1) % settings.barostat_every == 0) else 0
        # nothing comes between this step and the next
        flows = done + 2 < n_steps and not (
            together or measure or settings.double or _is_velocity_changed(settings, step + 1)
        )
        if status == DONE:
            team_forces(
                thread, frame, pair, bonded, near, settings, team, parts.forces, measure, not flows
            )  # fmt: skip
        if n_steps == 0:
            phase = 0
            if thread == 0:
                scratch.kinetic[0] = kinetic_energy(0, v.shape[0], v, molecules.masses)
                kinetic_tensor(v, molecules, scratch.molecular_kinetic)
            break
        if tries_box:
            if thread == 0:
                judge_box(status == DONE, frame, molecules, near, settings, scratch, parts, rng, trial)
            meet(thread, team)
            tries_box, status = False, DONE
            continue
        if flows:
            is_near = _on_to_next(thread, frame, pair, inverse_masses, near, team, half)
            is_placed = True
        else:
            _kick(first, last, v, forces, inverse_masses, half)
        if constrained:
            fine = call_part(parts.velocities, (first, last, frame, constraints, molecules)) != 0
            if not agreed(thread, fine, False, team):
                status = UNCONSTRAINED
                break
        phase = 0
        step += 1
        done += 1
        if measure:
            meet(thread, team)
            if thread == 0:
                announce(propose_box(frame, pair, molecules, near, settings, parts, rng, trial), team)
            meet(thread, team)
            status = announced(team)
            if status != DONE:
                break
            tries_box = True
    if thread == 0:
        counters[0], counters[1] = phase, step
    return done, status
