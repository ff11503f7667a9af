"""Runs that self-diffusion and viscosity are measured in, and what is kept of them.

A box equilibrated at constant pressure is run on until its volume is the mean one, then at that volume with Newton's dynamics
under a weak thermostat (:mod:`topdown.properties.diffusion`). Like every liquid it is watched: a crystal does not diffuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import PhaseChangeError, SimulationError
from topdown.model import PairSums, System
from topdown.model._arrays import FloatArray
from topdown.model.requests import DiffusionRequest
from topdown.model.samples import join_frames
from topdown.properties.diffusion import Trajectory, molecule_masses, run_diffusion
from topdown.sampling.equilibrate import TIME_STEP, production_settings
from topdown.sampling.liquid_runs import CHECK_EVERY, RunPart, samples_of
from topdown.sampling.liquid_state import ALARM_HINT, LiquidWatch

#: Coupling time of the thermostat [ps].
COUPLING: Final = 2.0
#: Steps between two looks at the volume, and how near to the mean it must be.
_VOLUME_EVERY, _VOLUME_TOLERANCE, _MOST_LOOKS = 50, 0.002, 2000
#: Steps at constant volume before the first frame.
_SETTLING_STEPS = 2500


def run_motion(request: DiffusionRequest, start: System, *, key: str, seed: int) -> RunPart:
    """Follow the molecules of a liquid.

    Returns
    -------
    RunPart
        ``extra`` holds ``centers`` (n_frames, n_molecules, 3) float32 [nm], never wrapped, ``stress`` (n_samples, 3) float32
        [bar] and ``box`` (3,) [nm].

    Raises
    ------
    SimulationError
        The run failed; a :class:`~topdown.errors.PhaseChangeError` when the liquid froze or evaporated.
    """
    time_step = request.time_step or TIME_STEP
    settings = SimulationSettings(
        time_step=time_step, temperature=request.temperature, thermostat="v-rescale", tau_t=COUPLING
    )
    simulation = Simulation(_at_mean_volume(request, start, seed), settings, seed=seed + 1)
    simulation.run(_SETTLING_STEPS)
    watch = LiquidWatch(simulation)
    paths: list[Trajectory] = []
    frames: list[PairSums] = []
    between = max(CHECK_EVERY // request.every, 2) * request.every
    n_steps = request.n_steps // request.every * request.every
    while n_steps > 0:
        # the last stretch takes what would be too short for one of its own
        steps = between if n_steps >= between + 2 * request.every else n_steps
        paths.append(run_diffusion(simulation, steps, every=request.every, stress_every=request.stress_every))
        frames.append(simulation.pair_sums())
        alarm = watch.look(simulation)
        if alarm is not None:
            raise PhaseChangeError(
                f"the liquid {alarm.kind} while its molecules were followed: {alarm.message}",
                kind=alarm.kind,
                where=request.system,
                hint=ALARM_HINT,
            )
        n_steps -= steps
    samples = samples_of(request, join_frames(frames), key=key, pressure=None)
    extra = {
        "centers": _single([path.centers for path in paths]),
        "stress": _single([path.shear_stress for path in paths]),
        "box": paths[0].box,
    }
    return RunPart(samples=samples, end=None, extra=extra)


def _single(arrays: Sequence[FloatArray]) -> FloatArray:
    """One after the other, in single precision: 1e-6 nm after a path of 10 nm."""
    joined: Any = np.concatenate(arrays).astype(np.float32)
    return joined  # type: ignore[no-any-return]


def _at_mean_volume(request: DiffusionRequest, start: System, seed: int) -> System:
    """The liquid at the mean volume of its equilibration at constant pressure, its last half counted."""
    settings = production_settings(request.temperature, request.pressure, request.time_step)
    simulation = Simulation(start, settings, seed=seed)
    volumes: list[float] = []
    every = min(_VOLUME_EVERY, max(request.n_equilibration, 1))
    simulation.run(
        max(request.n_equilibration, every), every=every, observe=lambda s: volumes.append(float(np.prod(s.box)))
    )
    mean = float(np.mean(volumes[len(volumes) // 2 :]))
    for _ in range(_MOST_LOOKS):
        if abs(float(np.prod(simulation.box)) / mean - 1.0) < _VOLUME_TOLERANCE:
            return simulation.system()
        simulation.run(every)
    raise SimulationError(
        "its volume drifts away from the mean of its equilibration", where=request.system, hint="equilibrate longer"
    )


def motion_of(request: DiffusionRequest, record: Mapping[str, FloatArray]) -> Trajectory:
    """The paths that :func:`run_motion` left beside its samples.

    Raises
    ------
    SimulationError
        They have gone from the run store.
    """
    if not {"centers", "stress", "box"} <= set(record):
        raise SimulationError("the paths of the molecules have gone from the run store", where=request.system)
    time_step = request.time_step or TIME_STEP
    return Trajectory(
        centers=np.asarray(record["centers"], dtype=np.float64),
        masses=molecule_masses(request.components),
        interval=request.every * time_step,
        box=np.asarray(record["box"], dtype=np.float64),
        temperature=request.temperature,
        shear_stress=np.asarray(record["stress"], dtype=np.float64).reshape(-1, 3),
        stress_interval=request.stress_every * time_step,
    )
