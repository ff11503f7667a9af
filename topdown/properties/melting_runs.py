"""A crystal beside its melt, and how much of the box is crystalline as time goes on.

A face-centred cubic crystal is relaxed at the temperature and pressure asked for. A copy of it is melted at twice the
temperature in a box of the same width and cooled, the two are put together, and the box runs on at constant pressure, the
edge across the faces apart from the two along them, until one phase has nearly eaten the other or time is up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from topdown.building.coexistence import build_crystal, stack_phases
from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SimulationError
from topdown.model import PairSums, System
from topdown.model._arrays import FloatArray
from topdown.model.requests import MeltingRequest
from topdown.model.samples import join_frames
from topdown.sampling.equilibrate import TIME_STEP, production_settings
from topdown.sampling.liquid_runs import RunPart, samples_of
from topdown.sampling.liquid_state import crystalline_fraction

#: The melt is made at this many times the temperature, in a box this much taller than the crystal.
_HOT, _TALLER = 2.0, 1.12
#: Steps of melting, of cooling, and of both phases together before the first look.
_MELTING_STEPS, _COOLING_STEPS, _JOINING_STEPS = 2_500, 1_500, 250
#: Most of the crystal that the melt may hold when it is put beside it, and least of the crystal that must have stayed.
_MOLTEN, _WHOLE = 0.02, 0.9
#: A run ends when less than this part of the box is crystal, or melt.
ENDED: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Coexistence:
    """What a crystal beside its melt did.

    Attributes
    ----------
    times : (n,) float64
        Since both phases met [ps].
    crystalline : (n,) float64
        Part of the beads that sit in a crystal.
    heights : (n,) float64
        Edge of the box across both faces [nm].
    """

    times: FloatArray
    crystalline: FloatArray
    heights: FloatArray


def run_coexistence(request: MeltingRequest, *, key: str, seed: int) -> RunPart:
    """Build both phases, put them together and watch.

    Returns
    -------
    RunPart
        ``extra`` holds ``times`` [ps], ``crystalline`` and ``heights`` [nm], each (n_frames,).

    Raises
    ------
    SimulationError
        The crystal does not last through its own relaxation, the melt does not melt, or a run failed.
    """
    crystal = _relaxed_crystal(request, seed)
    start = stack_phases(crystal, _melt_of(crystal, request, seed + 1))
    settings = replace(production_settings(request.temperature, request.pressure), barostat="semiisotropic")
    simulation = Simulation(start, settings, seed=seed + 3)
    simulation.minimize(max_steps=200, force_tolerance=500.0)
    simulation.run(_JOINING_STEPS)
    frames: list[PairSums] = []
    seen: list[tuple[float, float, float]] = []
    for step in range(0, request.n_steps, request.every):
        frames.append(simulation.pair_sums())
        seen.append(
            (step * TIME_STEP, crystalline_fraction(simulation.positions, simulation.box), float(simulation.box[2]))
        )
        if not ENDED < seen[-1][1] < 1.0 - ENDED:
            break
        simulation.run(request.every)
    samples = samples_of(request, join_frames(frames), key=key, pressure=request.pressure)
    times, crystalline, heights = np.array(seen).T
    return RunPart(samples=samples, end=None, extra={"times": times, "crystalline": crystalline, "heights": heights})


def bead_steps(request: MeltingRequest) -> int:
    """Cost of a run that lasts until time is up, in beads × steps; crystal and melt, half of the beads each, are made apart."""
    ((_, n_beads),) = request.components
    apart = request.n_equilibration + _MELTING_STEPS + _COOLING_STEPS
    return n_beads // 2 * apart + n_beads * (_JOINING_STEPS + request.n_steps)


def _relaxed_crystal(request: MeltingRequest, seed: int) -> System:
    """The crystal at its temperature and pressure, still one."""
    table = request.table.subset(set(request.molecule.type_names))
    built = build_crystal(request.molecule, table, across=request.n_across, along=2 * request.n_across)
    simulation = Simulation(built, production_settings(request.temperature, request.pressure), seed=seed)
    simulation.run(request.n_equilibration)
    whole = crystalline_fraction(simulation.positions, simulation.box)
    if whole < _WHOLE:
        raise SimulationError(
            f"the crystal does not last: {100 * whole:.0f} % of it were left after its relaxation",
            where=request.system,
            hint="lower temperatures",
        )
    return simulation.system()


def _melt_of(crystal: System, request: MeltingRequest, seed: int) -> System:
    """A melt of as many molecules in a box of the crystal's width."""
    taller = np.array([1.0, 1.0, _TALLER])
    system = replace(crystal, positions=crystal.positions * taller, box=crystal.box * taller, velocities=None)
    for number, (temperature, n_steps) in enumerate(
        ((_HOT * request.temperature, _MELTING_STEPS), (request.temperature, _COOLING_STEPS))
    ):
        settings = SimulationSettings(time_step=TIME_STEP, temperature=temperature, thermostat="langevin", tau_t=0.5)
        simulation = Simulation(system, settings, seed=seed + number)
        simulation.run(n_steps)
        system = simulation.system()
    left = crystalline_fraction(simulation.positions, simulation.box)
    if left > _MOLTEN:
        raise SimulationError(
            f"the melt is none: {100 * left:.0f} % of it sit in a crystal",
            where=request.system,
            hint="at this temperature the liquid freezes by itself: try higher ones",
        )
    return system


def coexistence_of(request: MeltingRequest, record: Mapping[str, FloatArray]) -> Coexistence:
    """What :func:`run_coexistence` left beside its samples.

    Raises
    ------
    SimulationError
        It has gone from the run store.
    """
    if not {"times", "crystalline", "heights"} <= set(record):
        raise SimulationError("what was seen of crystal and melt has gone from the run store", where=request.system)
    return Coexistence(
        times=np.asarray(record["times"]),
        crystalline=np.asarray(record["crystalline"]),
        heights=np.asarray(record["heights"]),
    )
