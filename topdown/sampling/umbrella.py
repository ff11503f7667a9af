"""Umbrella sampling of a solute along the normal of a bilayer, with position restraints alone.

One bead of the solute is held at height q by a spring k along z, and the n tail ends of the lipids are each held at height 0 by a
weak spring K/n. With z_s the height of that bead, z_b the mean height of the tail ends and ζ = z_s - z_b,

    Σ_i K/(2n) z_i² = K/2 z_b² + w,   w = K/(2n) Σ_i (z_i - z_b)².

Without restraints nothing depends on where the whole system is, so that z_b can be integrated out:

    ∫ exp(-β [K/2 z_b² + k/2 (ζ + z_b - q)²]) dz_b ∝ exp(-β κ/2 (ζ - q)²),   κ = k K/(k + K).

The runs therefore sample exactly the unrestrained system with the bias κ/2 (ζ - q)² + w. The first part is a harmonic umbrella
between solute and bilayer; w, a tenth of kT for each tail end, is recorded and taken back by reweighting. Points of reference
stay where they are when the box changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SamplingError
from topdown.model import PositionRestraint, System
from topdown.model._arrays import FloatArray, IntArray
from topdown.sampling.equilibrate import SETTLING_STAGES, TIME_STEP

#: Numbers kept of each frame.
COLUMNS: Final = ("zeta", "centre", "w", "area", "height")
#: Bins of the densities kept beside the frames [nm].
DENSITY_BIN: Final = 0.1
DENSITY_REACH: Final = 8.0
_N_BINS: Final = 2 * round(DENSITY_REACH / DENSITY_BIN)
#: Widest step of the spring when the solute is pulled [nm].
_PULL_STEP: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """What is held, and how.

    Attributes
    ----------
    solute : int
        Index of the solute's component, which holds one molecule.
    bead : int
        Its restrained bead.
    anchors : tuple of tuple of int
        For every component the beads that are anchored; empty for all but lipids.
    spring, anchor : float
        k of the solute, and K of all anchored beads together [kJ/mol/nm²].
    """

    solute: int
    bead: int
    anchors: tuple[tuple[int, ...], ...]
    spring: float
    anchor: float

    @property
    def stiffness(self) -> float:
        """κ of the umbrella between solute and bilayer [kJ/mol/nm²]."""
        return self.spring * self.anchor / (self.spring + self.anchor)

    def anchored_beads(self, system: System) -> IntArray:
        """All anchored beads of ``system``."""
        found: list[int] = []
        start = 0
        for (molecule, count), atoms in zip(system.components, self.anchors, strict=True):
            found += [start + k * molecule.n_beads + atom for k in range(count) for atom in atoms]
            start += molecule.n_beads * count
        return np.asarray(found, dtype=np.int64)

    def solute_beads(self, system: System) -> slice:
        """The solute's beads."""
        first = sum(molecule.n_beads * count for molecule, count in system.components[: self.solute])
        return slice(first, first + system.components[self.solute][0].n_beads)

    def damping_time(self, system: System) -> float:
        """Inverse friction [ps] that lets the system come to rest at its anchor fastest: √(M/K)/2, 1 to 20 ps.

        Water cannot pass the bilayer, so that the anchor moves the whole mass M. Friction of 1/ps, usual for liquids, would let
        that take M/K ps, hundreds of picoseconds, in which the bilayer stays where pulling has dragged it and the bias lies.
        """
        mass = sum(molecule.mass * count for molecule, count in system.components)
        return float(np.clip(0.5 * np.sqrt(mass / self.anchor), 1.0, 20.0))

    def held(self, system: System, target: float) -> System:
        """``system`` with the restraints, the solute's at height ``target`` [nm]."""
        n = len(self.anchored_beads(system))
        each = (0.0, 0.0, self.anchor / n)
        components = []
        for index, ((molecule, count), atoms) in enumerate(zip(system.components, self.anchors, strict=True)):
            restraints = [PositionRestraint(atom=atom, force_constants=each) for atom in atoms]
            if index == self.solute:
                restraints.append(PositionRestraint(atom=self.bead, force_constants=(0.0, 0.0, self.spring)))
            components.append((replace(molecule, position_restraints=tuple(restraints)), count))
        points = np.zeros_like(system.positions)
        points[self.solute_beads(system).start + self.bead, 2] = target
        return replace(system, components=tuple(components), reference_positions=points)


def umbrella_settings(
    temperature: float, pressure: float | None, *, time_step: float = TIME_STEP, tau_t: float = 1.0
) -> SimulationSettings:
    """Langevin, which no restraint disturbs, and semi-isotropic pressure; constant volume where ``pressure`` is None."""
    return SimulationSettings(
        time_step=time_step,
        temperature=temperature,
        thermostat="langevin",
        tau_t=tau_t,
        pressure=1.0 if pressure is None else pressure,
        barostat=None if pressure is None else "semiisotropic",
    )


def centred(system: System, beads: IntArray) -> System:
    """``system`` moved along z until the mean height of ``beads`` is 0; all of them must be in one image."""
    shift = np.array([0.0, 0.0, float(system.positions[beads, 2].mean())])
    return system.with_coordinates(system.positions - shift, system.box, system.velocities)


def equilibrated(
    system: System, anchoring: Anchoring, target: float, *, temperature: float, pressure: float, n_steps: int, seed: int
) -> System:
    """A built bilayer with the solute held at ``target``: minimised, settled, and run for ``n_steps`` of 20 fs.

    Raises
    ------
    SimulationError
        The run failed.
    """
    streams = np.random.SeedSequence([seed, 1]).spawn(len(SETTLING_STAGES) + 3)
    held = anchoring.held(centred(system, anchoring.anchored_beads(system)), target)
    simulation = Simulation(held, umbrella_settings(temperature, None), seed=np.random.default_rng(streams[0]))
    simulation.minimize(max_steps=3000, force_tolerance=200.0)
    for (time_step, tau_t, steps), stream in zip(SETTLING_STAGES, streams[1:]):
        settings = umbrella_settings(temperature, None, time_step=time_step, tau_t=tau_t)
        simulation = Simulation(simulation.system(), settings, seed=np.random.default_rng(stream))
        simulation.run(steps)
    expand = umbrella_settings(temperature, pressure, time_step=0.01)
    simulation = Simulation(simulation.system(), expand, seed=np.random.default_rng(streams[-2]))
    simulation.run(2500)
    settings = umbrella_settings(temperature, pressure, tau_t=anchoring.damping_time(system))
    simulation = Simulation(simulation.system(), settings, seed=np.random.default_rng(streams[-1]))
    simulation.run(n_steps)
    return simulation.system()


def pulled(
    system: System,
    anchoring: Anchoring,
    targets: Sequence[float],
    *,
    temperature: float,
    pressure: float,
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
    settings = umbrella_settings(temperature, pressure, tau_t=anchoring.damping_time(system))
    reached: list[System] = []
    at = float(targets[0])
    for target in targets:
        n = max(1, int(np.ceil(abs(target - at) / _PULL_STEP - 1e-9)))
        for height in np.linspace(at, target, n + 1)[1:]:
            simulation = Simulation(anchoring.held(system, float(height)), settings, seed=rng)
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
    frames : (n_frames, 5) float64
        :data:`COLUMNS`: ζ of the restrained bead [nm], height of the solute's centre above the tail ends [nm], w [kJ/mol], area
        of the box [nm²] and its height [nm].
    densities : (n_groups, n_bins) float64
        Counts of beads in bins of :data:`DENSITY_BIN` from -:data:`DENSITY_REACH` on, summed over the frames.
    end : System
    """

    frames: FloatArray
    densities: FloatArray
    end: System


def run_umbrella(
    system: System,
    anchoring: Anchoring,
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
        Positions with the bilayer around z = 0, in one image.
    anchoring : Anchoring
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
    simulation = Simulation(anchoring.held(system, target), settings, seed=seed)
    simulation.run(n_equilibration)
    anchors, solute = anchoring.anchored_beads(system), anchoring.solute_beads(system)
    weight = 0.5 * anchoring.anchor / len(anchors)
    rows: list[tuple[float, ...]] = []
    densities = np.zeros((len(groups), _N_BINS))

    def look(s: Simulation) -> None:
        z, height = s.positions[:, 2], float(s.box[2])
        middle = float(z[anchors].mean())
        away = float(z[solute.start + anchoring.bead]) - middle
        zeta = target + _nearest(away - target, height)
        centre = zeta + float(z[solute].mean() - z[solute.start + anchoring.bead])
        w = weight * float(((z[anchors] - middle) ** 2).sum())
        rows.append((zeta, centre, w, float(s.box[0] * s.box[1]), height))
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
