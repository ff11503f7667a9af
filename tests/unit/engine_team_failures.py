"""Run as a script: systems that fail while several threads advance them; the messages as JSON.

Another process, because a team that does not meet again hangs where no signal reaches it.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from engine_systems import constrained, everything, water

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SimulationError


def overlapping(threads: int) -> Simulation:
    """Two beads in one place."""
    system = water(90)
    positions = np.array(system.positions)
    positions[1] = positions[0] + 0.012
    return Simulation(system.with_coordinates(positions), SimulationSettings(threads=threads))


def not_numbers(threads: int) -> Simulation:
    """A velocity that is not a number, of a bead that the last thread moves."""
    run = Simulation(everything(), SimulationSettings(threads=threads, thermostat=None))
    run.velocities[-1] = np.nan
    return run


def squeezed(threads: int) -> Simulation:
    """A box that a barostat makes too small."""
    settings = SimulationSettings(barostat="isotropic", pressure=30000.0, tau_p=0.5, threads=threads)
    return Simulation(water(92), settings)


def torn(threads: int) -> Simulation:
    """Constraints that no displacement keeps."""
    run = Simulation(constrained(), SimulationSettings(threads=threads, time_step=0.05))
    run.velocities[:] *= 300.0
    return run


def message(run: Simulation) -> str:
    """What stops it, twice: the threads must be ready for another call."""
    messages = []
    for _ in range(2):
        try:
            run.run(3000)
        except SimulationError as error:
            messages.append(str(error))
    return " and then ".join(messages)


if __name__ == "__main__":
    print(json.dumps({f.__name__: message(f(int(sys.argv[1]))) for f in (overlapping, not_numbers, squeezed, torn)}))
