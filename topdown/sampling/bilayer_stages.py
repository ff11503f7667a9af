"""From a bilayer as built to one that runs at 20 fs: minimised, then short runs under strong friction, then under pressure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.sampling.equilibrate import TIME_STEP

#: Steps between two calls of the watch of a stage.
_WATCH_EVERY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A short run that takes the edge off before the real time step."""

    name: str
    settings: SimulationSettings
    n_steps: int


def stages(temperature: float, pressure: float = 1.0) -> tuple[Stage, ...]:
    """Strong friction and short steps first, then pressure: what is left of the lattice melts before 20 fs steps."""
    base = SimulationSettings(temperature=temperature, pressure=pressure)
    soft = replace(base, thermostat="langevin", tau_t=0.1, time_step=0.002)
    warm = replace(base, thermostat="langevin", tau_t=0.5, time_step=0.005)
    expand = replace(base, barostat="semiisotropic", time_step=0.01)
    return (
        Stage(name="settle, 2 fs", settings=soft, n_steps=500),
        Stage(name="warm, 5 fs", settings=warm, n_steps=1000),
        Stage(name="expand, 10 fs", settings=expand, n_steps=2500),
    )


def stream(seed: int, purpose: int) -> np.random.Generator:
    """An independent stream of random numbers: 0 builds, 1, 2… are the stages, then comes the run and what it goes on with."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(purpose,)))


def bilayer_run(
    system: System,
    *,
    temperature: float,
    seed: int,
    pressure: float = 1.0,
    time_step: float | None = None,
    part: int = 0,
) -> Simulation:
    """The run that is measured: v-rescale and semi-isotropic pressure at 20 fs, or at ``time_step`` [ps].

    Parameters
    ----------
    system : System
        Where the stages, or the part of the run before this one, ended.
    temperature, pressure : float
        [K], [bar]
    seed : int
    part : int
        Each part of a run has random numbers of its own.
    """
    settings = SimulationSettings(
        temperature=temperature, pressure=pressure, barostat="semiisotropic", time_step=time_step or TIME_STEP
    )
    return Simulation(system, settings, seed=stream(seed, len(stages(temperature)) + 1 + part))


def minimised(system: System, *, temperature: float, seed: int) -> tuple[Simulation, float]:
    """A bilayer as built without its overlaps, and the largest force left on a bead [kJ/mol/nm]."""
    simulation = Simulation(system, stages(temperature)[0].settings, seed=stream(seed, 1))
    return simulation, simulation.minimize(max_steps=3000, force_tolerance=200.0).max_force


def softened(
    system: System,
    *,
    temperature: float,
    seed: int,
    pressure: float = 1.0,
    entering: Callable[[str], None] = lambda _: None,
    watch: Callable[[], None] = lambda: None,
) -> System:
    """A minimised bilayer after all stages.

    Parameters
    ----------
    system : System
    temperature, pressure : float
        [K], [bar]
    seed : int
    entering : function of str
        Told the name of each stage.
    watch : function
        Called now and then; what it raises ends the run.

    Raises
    ------
    SimulationError
        A run failed.
    """
    for number, stage in enumerate(stages(temperature, pressure), start=1):
        entering(stage.name)
        simulation = Simulation(system, stage.settings, seed=stream(seed, number))
        simulation.run(stage.n_steps, every=_WATCH_EVERY, observe=lambda _: watch())
        system = simulation.system()
    return system
