"""Runs, stops and restarts one of a few couplings; also the program other processes run.

    python engine_restart.py CASE CHECKPOINT N_STEPS EVERY

continues from CHECKPOINT if it exists, runs to step N_STEPS, and writes the checkpoint after every EVERY steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine_systems import constrained, everything, rare, water

from topdown.engine import Coupling, Simulation, SimulationSettings

CASES = {
    "v-rescale c-rescale constraints": (constrained, {"thermostat": "v-rescale", "barostat": "isotropic"}),
    "langevin constraints": (constrained, {"thermostat": "langevin", "barostat": None}),
    "langevin c-rescale bonded": (everything, {"thermostat": "langevin", "barostat": "isotropic", "time_step": 0.01}),
    "v-rescale semiisotropic": (water, {"thermostat": "v-rescale", "barostat": "semiisotropic"}),
    "nve": (water, {"thermostat": None, "barostat": None, "time_step": 0.01}),
    "sites and restraints": (
        rare,
        {"thermostat": "v-rescale", "barostat": "semiisotropic", "refcoord_scaling": "all", "time_step": 0.01},
    ),
    "coupled": (water, {"thermostat": "v-rescale", "barostat": "isotropic"}),
    "two threads": (everything, {"thermostat": "v-rescale", "barostat": "isotropic", "time_step": 0.01, "threads": 2}),
    "three threads, constraints": (constrained, {"thermostat": "langevin", "barostat": "isotropic", "threads": 3}),
}


def simulation(case: str, *, seed: int = 5) -> Simulation:
    """The case, minimised a little; the same bytes at every call."""
    build, settings = CASES[case]
    system = build()
    coupling = None
    if case == "coupled":
        molecule, count = system.components[0]
        components = ((molecule, 1), (molecule, count - 1))
        system = type(system)(table=system.table, components=components, positions=system.positions, box=system.box)
        coupling = Coupling(lambdas=(0.0, 0.4, 1.0), index=1)
    result = Simulation(system, SimulationSettings(**settings, pressure=100.0), seed=seed, coupling=coupling)
    result.minimize(max_steps=60)
    return result


def main(case: str, checkpoint: str, n_steps: str, every: str) -> None:
    running = simulation(case)
    path = Path(checkpoint)
    if path.exists():
        running.load_checkpoint(path)
    running.run(int(n_steps) - running.step, every=int(every), observe=lambda s: s.save_checkpoint(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
