"""Umbrella sampling of a solute along the normal of a bilayer.

The centre of mass of the solute is held at height q above that of all lipids by the spring k of
:class:`topdown.engine.CentreRestraint`, so that a run samples the free system with the bias k/2 (ζ - q)², ζ the height of the
one above the other. The force on the lipids is minus that on the solute: nothing holds the bilayer where it is, it may drift
and undulate, and its area is free.

The thermostat is Langevin's: each bead has its own bath, also a solute that hardly meets the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.engine import CentreRestraint, Simulation, SimulationSettings
from topdown.errors import SamplingError
from topdown.model import System
from topdown.model._arrays import FloatArray, IntArray
from topdown.sampling.equilibrate import SETTLING_STAGES, TIME_STEP

#: Numbers kept of each frame.
COLUMNS: Final = ("zeta", "area", "height")
#: Bins of the densities kept beside the frames [nm].
DENSITY_BIN: Final = 0.1
DENSITY_REACH: Final = 8.0
_N_BINS: Final = 2 * round(DENSITY_REACH / DENSITY_BIN)
#: Widest step of the spring when the solute is pulled [nm].
_PULL_STEP: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Umbrella:
    """What is held, and how.

    Attributes
    ----------
    solute : tuple of int
        Beads of the solute.
    lipids : tuple of int
        Beads whose centre of mass is the middle of the bilayer.
    spring : float
        k [kJ/mol/nm²]
    """

    solute: tuple[int, ...]
    lipids: tuple[int, ...]
    spring: float

    def at(self, target: float) -> CentreRestraint:
        """The restraint with the solute at height ``target`` [nm]."""
        return CentreRestraint(group=self.solute, reference=self.lipids, distance=target, force_constant=self.spring)


def umbrella_settings(
    temperature: float, pressure: float | None, *, time_step: float = TIME_STEP, tau_t: float = 1.0
) -> SimulationSettings:
    """Langevin dynamics and semi-isotropic pressure; constant volume where ``pressure`` is None."""
    return SimulationSettings(
        time_step=time_step,
        temperature=temperature,
        thermostat="langevin",
        tau_t=tau_t,
        pressure=1.0 if pressure is None else pressure,
        barostat=None if pressure is None else "semiisotropic",
    )


def equilibrated(
    system: System, umbrella: Umbrella, target: float, *, temperature: float, pressure: float, n_steps: int, seed: int
) -> System:
    """A built bilayer with the solute held at ``target``: minimised, settled, and run for ``n_steps`` of 20 fs.

    Raises
    ------
    SimulationError
        The run failed.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 1]).spawn(len(SETTLING_STAGES) + 3)]
    held = umbrella.at(target)
    fixed = umbrella_settings(temperature, None)
    simulation = Simulation(system, fixed, seed=streams[0], restraint=held)
    simulation.minimize(max_steps=3000, force_tolerance=200.0)
    for (time_step, tau_t, steps), stream in zip(SETTLING_STAGES, streams[1:]):
        settings = umbrella_settings(temperature, None, time_step=time_step, tau_t=tau_t)
        simulation = Simulation(simulation.system(), settings, seed=stream, restraint=held)
        simulation.run(steps)
    expand = umbrella_settings(temperature, pressure, time_step=0.01)
    simulation = Simulation(simulation.system(), expand, seed=streams[-2], restraint=held)
    simulation.run(2500)
    free = umbrella_settings(temperature, pressure)
    simulation = Simulation(simulation.system(), free, seed=streams[-1], restraint=held)
    simulation.run(n_steps)
    return simulation.system()


def pulled(
    system: System,
    umbrella: Umbrella,
    targets: Sequence[float],
    *,
    temperature: float,
    pressure: float | None,
    steps: int,
    seed: int,
) -> list[System]:
    """Pull the solute from target to target, in steps of 0.1 nm at most, each of ``steps`` steps; the system at each.

    Raises
    ------
    SimulationError
        The run failed.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    settings = umbrella_settings(temperature, pressure)
    reached: list[System] = []
    at = float(targets[0])
    for target in targets:
        n = max(1, int(np.ceil(abs(target - at) / _PULL_STEP - 1e-9)))
        for height in np.linspace(at, target, n + 1)[1:]:
            simulation = Simulation(system, settings, seed=rng, restraint=umbrella.at(float(height)))
            simulation.run(steps)
            system = simulation.system()
        at = float(target)
        reached.append(system)
    return reached


@dataclass(frozen=True, kw_only=True, eq=False)
class UmbrellaSamples:
    """One part of a window's run.

    Attributes
    ----------
    frames : (n_frames, 3) float64
        :data:`COLUMNS`: ζ [nm], area of the box [nm²] and its height [nm].
    densities : (n_groups, n_bins) float64
        Counts of beads in bins of :data:`DENSITY_BIN` from -:data:`DENSITY_REACH` on, summed over the frames.
    end : System
    """

    frames: FloatArray
    densities: FloatArray
    end: System


def run_umbrella(
    system: System,
    umbrella: Umbrella,
    target: float,
    *,
    settings: SimulationSettings,
    n_equilibration: int,
    n_steps: int,
    every: int,
    groups: Sequence[IntArray] = (),
    seed: int,
) -> UmbrellaSamples:
    """Sample one window.

    Parameters
    ----------
    system : System
    umbrella : Umbrella
    target : float
        q [nm].
    settings : SimulationSettings
        See :func:`umbrella_settings`.
    n_equilibration, n_steps, every : int
        Steps before the first frame, of the run, and between frames.
    groups : sequence of (n,) int64
        Beads whose densities are kept.
    seed : int

    Raises
    ------
    SimulationError
        The run failed.
    SamplingError
        The solute left the reach of its umbrella.
    """
    simulation = Simulation(system, settings, seed=seed, restraint=umbrella.at(target))
    simulation.run(n_equilibration)
    rows: list[tuple[float, ...]] = []
    densities = np.zeros((len(groups), _N_BINS))

    def look(s: Simulation) -> None:
        z, height = s.positions[:, 2], float(s.box[2])
        centre, middle = s.centre_heights()
        rows.append((target + _nearest(centre - middle - target, height), float(s.box[0] * s.box[1]), height))
        for k, beads in enumerate(groups):
            offsets = z[beads] - middle
            offsets = offsets - height * np.round(offsets / height)
            densities[k] += np.histogram(offsets, bins=_N_BINS, range=(-DENSITY_REACH, DENSITY_REACH))[0]

    simulation.run(n_steps, every=every, observe=look)
    frames = np.array(rows).reshape(-1, len(COLUMNS))
    if len(frames) and abs(float(frames[:, 0].mean()) - target) > 0.25 * float(simulation.box[2]):
        raise SamplingError(f"the solute held at {target:.2f} nm left its umbrella", hint="a stiffer --spring")
    return UmbrellaSamples(frames=frames, densities=densities, end=simulation.system())


def _nearest(distance: float, height: float) -> float:
    return distance - height * round(distance / height)
