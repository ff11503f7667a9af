"""Run as a script: the engine used in every way, then the number of compiled versions of every kernel, as JSON."""

from __future__ import annotations

import importlib
import json
import pkgutil
import tempfile
from pathlib import Path

from engine_systems import CHOLESTEROL, LIPID, W, constrained, everything, placed, rare
from numba.core.dispatcher import Dispatcher

import topdown.engine
from topdown.building.conformation import initial_conformation
from topdown.engine import CentreRestraint, Coupling, Simulation, SimulationSettings, potential_energy
from topdown.engine.insertion import insertion_sums


def use_the_engine() -> None:
    """All kinds of terms, thermostats and barostats; minimising, sums, coupling, single points, a checkpoint."""
    plain = SimulationSettings(time_step=0.001)
    pressed = SimulationSettings(time_step=0.001, thermostat="langevin", barostat="semiisotropic", barostat_every=1)
    systems = (placed(((W, 60),), (2.7, 2.7, 2.7)), everything(), constrained(), rare())
    for system, settings in zip(systems, (plain, pressed, pressed, plain), strict=True):
        potential_energy(system)
        simulation = Simulation(system, settings)
        simulation.minimize(max_steps=8)
        simulation.run(3)
        simulation.energies()
        simulation.pair_sums(virials=True, scalings=[(1.001, 1.001, 1.0)])
        Simulation(simulation.system(), settings)
    restraint = CentreRestraint(group=(0, 1), reference=(2, 3, 4), distance=0.5, force_constant=100.0)
    Simulation(everything(), pressed, restraint=restraint).run(3)
    coupled = Simulation(everything(), plain, coupling=Coupling.charges_last((0.0, 0.5, 1.0), (0.5, 1.0), index=1))
    coupled.run(2)
    coupled.pair_sums(virials=True)
    with tempfile.TemporaryDirectory() as folder:
        coupled.save_checkpoint(Path(folder) / "state")
        coupled.load_checkpoint(Path(folder) / "state")
    coupled.run(2)
    put = placed(((LIPID, 1), (W, 40)), (2.7, 2.7, 2.7))
    n = LIPID.n_beads
    insertion_sums(
        put, Coupling.charges_last((0.0, 1.0), (1.0,), index=0), put.positions[None, n:], put.box[None],
        put.positions[None, None, :n],
    )  # fmt: skip
    initial_conformation(CHOLESTEROL)


def versions() -> dict[str, int]:
    """Compiled versions of every kernel in the engine's modules; what is written into its callers has none of its own."""
    found = {}
    for name in (module.name for module in pkgutil.iter_modules(topdown.engine.__path__)):
        values = vars(importlib.import_module(f"topdown.engine.{name}")).values()
        for value in (getattr(value, "kernel", value) for value in values):
            if isinstance(value, Dispatcher) and value.targetoptions.get("inline") != "always":
                found[f"{value.py_func.__module__}.{value.py_func.__qualname__}"] = len(value.signatures)
    return found


if __name__ == "__main__":
    use_the_engine()
    print(json.dumps(versions()))
