"""Short runs that a wrong integrator, thermostat or constraint solver cannot pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import (
    FUSED_RINGS,
    NO_LENNARD_JONES,
    SQUARE,
    TRIANGLE,
    W,
    bead_table,
    constrained,
    gate,
    molecule,
    placed,
    sterols,
    water,
)

from topdown.engine import Simulation, SimulationSettings
from topdown.model import Angle, Bond, Dihedral, System
from topdown.units import GAS_CONSTANT

KT = 300.0 * GAS_CONSTANT
CLOSED = {"thermostat": None, "barostat": None, "remove_com_motion_every": 0}


def total_energy(run: Simulation) -> float:
    """Potential energy plus kinetic energy of the velocities at the same instant."""
    masses = run.parameters.molecules.masses
    return run.energies().potential + 0.5 * float((masses[:, None] * run.velocities**2).sum())


def bonded_chains() -> System:
    """Chains without non-bonded forces: everything about them is smooth."""
    chain = molecule(
        "CHN",
        "ABABAB",
        masses=[72.0, 54.0, 36.0, 72.0, 54.0, 36.0],
        bonds=tuple(Bond(atoms=(k, k + 1), length=0.38, force_constant=2000.0) for k in range(5)),
        angles=tuple(
            Angle(atoms=(k, k + 1, k + 2), angle=110.0, force_constant=40.0, function=1 + k % 2) for k in range(4)
        ),
        dihedrals=tuple(
            Dihedral(atoms=(k, k + 1, k + 2, k + 3), angle=60.0, force_constant=4.0, multiplicity=1) for k in range(3)
        ),
    )
    shape = np.cumsum([[0.36, (-1) ** k * 0.15, 0.06 * k] for k in range(6)], axis=0)
    positions = np.concatenate([shape + 0.5 * k for k in range(4)])
    return System(table=NO_LENNARD_JONES, components=((chain, 4),), positions=positions, box=[6.0] * 3)


def _relaxed(system: System, settings: SimulationSettings, *, n_steps: int) -> System:
    run = Simulation(system, SimulationSettings(time_step=min(settings.time_step, 0.01), tau_t=0.2), seed=6)
    run.minimize(max_steps=300)
    run.run(n_steps)
    return run.system()


def _energies(start: System, time_step: float, duration: float, *, every: int, precision: str = "mixed") -> list[float]:
    run = Simulation(start, SimulationSettings(time_step=time_step, precision=precision, **CLOSED))
    energies = [total_energy(run)]
    run.run(round(duration / time_step), every=every, observe=lambda s: energies.append(total_energy(s)))
    return energies


def smooth_sterols() -> System:
    """Rigid frames, sites and a liquid whose Lennard-Jones force goes to zero at the cut-off, as that of the charges does.

    Force-shifted pairs are computed in double precision whatever the settings say.
    """
    return sterols(lj_modifier="force-shift")


@pytest.mark.parametrize("build", [bonded_chains, smooth_sterols])
def test_energy_error_falls_with_the_square_of_the_time_step(build):
    start = _relaxed(build(), SimulationSettings(), n_steps=500)
    errors = [
        np.std(_energies(start, time_step, 4.0, every=round(0.016 / time_step))) for time_step in (0.008, 0.004, 0.002)
    ]
    for ratio in (errors[0] / errors[1], errors[1] / errors[2]):
        gate("error ratio per halving of the time step, minus 4", abs(ratio - 4.0), 0.4)


def cold_droplet() -> System:
    """An icosahedron of thirteen beads, smaller than the cut-off: Lennard-Jones without a jump, in either precision."""
    golden = 0.5 * (1.0 + 5.0**0.5)
    corners = [np.roll([0.0, a, b * golden], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    positions = 0.262 * np.array([[0.0, 0.0, 0.0], *corners]) + 2.0
    system = System(table=water(1).table, components=((W, 13),), positions=positions, box=[4.0] * 3)
    run = Simulation(system, SimulationSettings(time_step=0.01, temperature=30.0, tau_t=0.2), seed=6)
    run.run(500)
    return run.system()


@pytest.mark.parametrize("precision", ["mixed", "double"])
def test_energy_error_of_a_droplet_falls_with_the_square_of_the_time_step(precision):
    start = cold_droplet()
    errors = [
        np.std(_energies(start, time_step, 4.0, every=round(0.016 / time_step), precision=precision))
        for time_step in (0.008, 0.004, 0.002)
    ]
    assert errors[0] > 1e-4
    for ratio in (errors[0] / errors[1], errors[1] / errors[2]):
        gate(f"error ratio per halving of the time step, droplet, {precision}, minus 4", abs(ratio - 4.0), 0.02)


def test_path_error_falls_with_the_square_of_the_time_step_under_constraints():
    """Positions after a fixed time against a run with a much shorter step; ideal constrained molecules, smooth forces."""
    ring = molecule(
        "FUS",
        "ABABA",
        constraints=FUSED_RINGS.constraints,
        dihedrals=FUSED_RINGS.dihedrals,
        exclusions=FUSED_RINGS.exclusions,
    )
    start = _relaxed(placed(((ring, 4),), (4.0,) * 3, table=NO_LENNARD_JONES), SimulationSettings(), n_steps=200)
    for ratio in _path_error_ratios(start):
        gate("error ratio per halving of the time step, minus 4", abs(ratio - 4.0), 0.4)


def test_path_error_of_a_liquid_falls_with_the_square_of_the_time_step():
    """Force-shifted water: with the plain shift the force jumps at the cut-off, which spoils this even in correct code."""
    start = _relaxed(water(150), SimulationSettings(), n_steps=1000)
    table = bead_table([[4.65]], [[0.47]], lj_modifier="force-shift")
    for ratio in _path_error_ratios(replace(start, table=table)):
        gate("error ratio per halving of the time step, force-shifted liquid, minus 4", abs(ratio - 4.0), 0.4)


def _path_error_ratios(start: System) -> tuple[float, float]:
    """How the error of the positions after 0.8 ps falls from 8 to 4 and to 2 fs, against a run at 0.25 fs."""
    ends = []
    for time_step in (0.008, 0.004, 0.002, 0.00025):
        run = Simulation(start, SimulationSettings(time_step=time_step, **CLOSED))
        run.run(round(0.8 / time_step))
        ends.append(np.array(run.positions))
    errors = [float(np.sqrt(np.mean((end - ends[-1]) ** 2))) for end in ends[:-1]]
    assert errors[0] > 1e-6
    return errors[0] / errors[1], errors[1] / errors[2]


@pytest.mark.parametrize(
    ("build", "precision"),
    [
        (bonded_chains, "mixed"),
        (lambda: water(1000), "mixed"),
        (lambda: water(1000), "double"),
        (constrained, "mixed"),
        (constrained, "double"),
        (smooth_sterols, "mixed"),
    ],
    ids=["bonded", "water-mixed", "water-double", "constrained-mixed", "constrained-double", "sites"],
)
def test_energy_is_conserved(build, precision):
    """Drift by a straight line: 7.5e-5 kT per degree of freedom in 15 ps is 5e-3 kT/ns.

    Jumps at the cut-off let the energy of 150 W wander by 5e-5; that of 1,000 by 2e-5.
    """
    start = _relaxed(build(), SimulationSettings(), n_steps=1000)
    energies = _energies(start, 0.005, 15.0, every=10, precision=precision)
    massive = sum(bool(b.mass) for m, count in start.components for b in m.beads for _ in range(count))
    degrees = 3 * massive - sum(len(m.constraints) * count for m, count in start.components)
    slope = np.polyfit(np.arange(len(energies)), energies, 1)[0] * len(energies)
    gate("drift in 15 ps at 5 fs, kT per degree of freedom", abs(slope) / degrees / KT, 7.5e-5)
    gate("fluctuation in 15 ps at 5 fs, kT per degree of freedom", float(np.std(energies)) / degrees / KT, 3e-4)


@pytest.mark.parametrize(("precision", "limit"), [("mixed", 1e-7), ("double", 1e-10)])
def test_momentum_is_conserved_without_thermostat(precision, limit):
    run = Simulation(constrained(), SimulationSettings(time_step=0.01, precision=precision, **CLOSED), seed=4)
    run.minimize(max_steps=300)
    masses = run.parameters.molecules.masses[:, None]
    before = (masses * run.velocities).sum(axis=0)
    run.run(2000)
    after = (masses * run.velocities).sum(axis=0)
    gate(
        f"momentum after 2,000 steps, relative, {precision}",
        np.abs(after - before).max() / np.abs(masses * run.velocities).sum(),
        limit,
    )


@pytest.mark.parametrize("thermostat", ["v-rescale", "langevin"])
def test_every_kind_of_molecule_has_the_temperature(thermostat):
    """Centre-of-mass and inner kinetic energy per kind, constraints counted; errors from blocks."""
    system = placed(((FUSED_RINGS, 5), (SQUARE, 6), (TRIANGLE, 8), (W, 30)), (2.5,) * 3, closest=0.34)
    settings = SimulationSettings(time_step=0.01, thermostat=thermostat, tau_t=0.5)
    run = Simulation(system, settings, seed=11)
    run.minimize()
    run.run(1000)
    molecules = run.parameters.molecules
    owner = np.repeat(np.arange(49), np.diff(molecules.start.astype(int)))
    kind = np.repeat(np.arange(4), [5, 6, 8, 30])
    samples: list[np.ndarray] = []

    def measure(s: Simulation) -> None:
        momentum = np.zeros((49, 3))
        np.add.at(momentum, owner, molecules.masses[:, None] * s.velocities)
        centers = 0.5 * (momentum**2).sum(axis=1) / molecules.molecule_masses
        whole = np.bincount(owner, 0.5 * molecules.masses * (s.velocities**2).sum(axis=1))
        by_kind = [np.bincount(kind, values) for values in (centers, whole - centers)]
        samples.append(np.concatenate([by_kind[0], by_kind[1][:3]]))

    run.run(16000, every=10, observe=measure)
    inner = [5 * (12 - 7), 6 * (9 - 5), 8 * (6 - 3)]
    share = np.bincount(kind, molecules.molecule_masses) / molecules.masses.sum()  # of the 3 that removal takes
    centers = 3.0 * np.bincount(kind) - (0.0 if thermostat == "langevin" else 3.0 * share)
    degrees = np.concatenate([centers, inner])
    temperatures = 2.0 * np.array(samples) / degrees / GAS_CONSTANT
    blocks = temperatures.reshape(20, -1, 7).mean(axis=1)
    error = blocks.std(axis=0, ddof=1) / np.sqrt(20)
    assert error.max() < 9.0
    # whole-step velocities of a 10 fs step are up to 0.5 % colder than those the thermostat sees
    assert (np.abs(blocks.mean(axis=0) - 300.0) < 3.5 * error + 1.5).all(), (blocks.mean(axis=0), error)
