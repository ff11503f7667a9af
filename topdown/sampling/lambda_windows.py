"""Sampling one window: the sums of the energy on stored frames."""

from __future__ import annotations

from topdown.engine import Coupling, Simulation
from topdown.errors import SettingsError, SimulationError
from topdown.model import PairSums, System, WindowSamples
from topdown.model.samples import join_frames
from topdown.sampling.equilibrate import production_settings
from topdown.sampling.liquid_state import ALARM_HINT, LiquidWatch

#: Steps between two checks that the liquid is still one; a check costs about what 40 steps do.
CHECK_EVERY = 5000


def sample_window(
    system: System,
    *,
    key: str,
    name: str,
    temperature: float,
    pressure: float,
    n_equilibration: int,
    n_steps: int,
    every: int,
    seed: int,
    coupling: Coupling | None = None,
) -> WindowSamples:
    """Equilibrate and sample ``system`` at constant pressure, storing the sums every ``every`` steps.

    Parameters
    ----------
    system : System
        An equilibrated liquid, with the solute as component ``coupling.component`` where there is one.
    key, name : str
        Of the samples made.
    temperature, pressure : float
        [K], [bar]
    n_equilibration, n_steps, every : int
        Steps of 20 fs.
    seed : int
    coupling : Coupling, optional

    Raises
    ------
    SettingsError
        When no frame would be stored.
    SimulationError
        When the run fails, or the liquid froze or evaporated before its first frame.

    Notes
    -----
    The liquid is checked every ``CHECK_EVERY`` steps and at the end (:mod:`topdown.sampling.liquid_state`). After an alarm
    the run stops, frames after the last good check are dropped, and ``WindowSamples.alarm`` says what happened.
    """
    if every < 1 or n_steps < every:
        raise SettingsError(f"{n_steps} steps with a frame every {every} store nothing")
    settings = production_settings(temperature, pressure)
    simulation = Simulation(system, settings, seed=seed, coupling=coupling)
    if coupling is not None:
        simulation.minimize(max_steps=100, force_tolerance=500.0)
    simulation.run(n_equilibration)
    frames, alarm = _watched_frames(simulation, n_steps=n_steps, every=every, name=name)
    sums = join_frames(frames)
    table = system.table
    epsilon = tuple(table.pair(a, b)[1] for a, b in (*sums.pairs, *sums.solute_pairs))
    component = -1 if coupling is None else coupling.component
    return WindowSamples(
        key=key,
        system=name,
        sums=sums,
        epsilon=epsilon,
        lambda_index=-1 if coupling is None else coupling.index,
        temperature=temperature,
        pressure=pressure,
        n_molecules=sum(count for k, (_, count) in enumerate(system.components) if k != component),
        alarm=alarm,
    )


def _watched_frames(simulation: Simulation, *, n_steps: int, every: int, name: str) -> tuple[list[PairSums], str]:
    """The frames of a run up to its end or to the last good check before an alarm, and the alarm's message."""
    frames: list[PairSums] = []
    watch, stored = LiquidWatch(simulation), [0]
    between = max(CHECK_EVERY // every, 1) * every
    for first in range(0, n_steps, between):
        steps = min(between, n_steps - first)
        simulation.run(steps, every=every, observe=lambda s: frames.append(s.pair_sums()))
        stored.append(len(frames))
        alarm = watch.look(simulation)
        if alarm is None:
            continue
        kept = stored[alarm.last_good] if alarm.last_good >= 0 else 0
        if kept == 0:
            raise SimulationError(
                f"the liquid {alarm.kind} before a frame of it could be stored: {alarm.message}",
                where=name,
                hint=ALARM_HINT,
            )
        lost = len(frames) - kept
        message = f"{name} {alarm.kind}: {alarm.message}; {lost} frames since the last good check are not used"
        return frames[:kept], message
    return frames, ""
