"""Sampling one window, or a piece of one: the sums of the energy on stored frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.engine import Coupling, Simulation
from topdown.errors import SettingsError, SimulationError
from topdown.model import PairSums, System, WindowSamples
from topdown.model.samples import join_frames
from topdown.sampling.equilibrate import production_settings
from topdown.sampling.liquid_state import ALARM_HINT, LiquidWatch

#: Steps between two checks that the liquid is still one; a check costs about what 40 steps do.
CHECK_EVERY = 5000


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledRun:
    """A piece of a run, and where it ended.

    Attributes
    ----------
    samples : WindowSamples
    end : System
        Coordinates and velocities after the last step: the next piece starts there.
    positions : (n_frames, n_beads, 3) float32 [nm] or None
        Of the frames, in no particular periodic image.
    boxes : (n_frames, 3) float64 [nm] or None
    """

    samples: WindowSamples
    end: System
    positions: npt.NDArray[np.float32] | None = None
    boxes: npt.NDArray[np.float64] | None = None


def sample_run(
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
    goes_on: bool = False,
    keep_positions: bool = False,
) -> SampledRun:
    """Sample ``system`` at constant pressure, storing the sums every ``every`` steps.

    Parameters
    ----------
    system : System
        An equilibrated liquid, with the solute as component ``coupling.component`` where there is one; or the end of the piece
        before.
    key, name : str
        Of the samples made.
    temperature, pressure : float
        [K], [bar]
    n_equilibration, n_steps, every : int
        Steps of 20 fs.
    seed : int
    coupling : Coupling, optional
    goes_on : bool
        ``system`` is the end of another piece: a solute is not relaxed first.
    keep_positions : bool
        Store the coordinates of the frames too.

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
    if coupling is not None and not goes_on:
        simulation.minimize(max_steps=100, force_tolerance=500.0)
    simulation.run(n_equilibration)
    places: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]] = []
    frames, alarm = _watched_frames(
        simulation, n_steps=n_steps, every=every, name=name, places=places if keep_positions else None
    )
    sums = join_frames(frames)
    table = system.table
    epsilon = tuple(table.pair(a, b)[1] for a, b in (*sums.pairs, *sums.solute_pairs))
    component = -1 if coupling is None else coupling.component
    samples = WindowSamples(
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
    kept = places[: sums.n_frames]
    return SampledRun(
        samples=samples,
        end=simulation.system(),
        positions=np.stack([x for x, _ in kept]) if keep_positions else None,
        boxes=np.stack([box for _, box in kept]) if keep_positions else None,
    )


def sample_window(system: System, **settings: Any) -> WindowSamples:
    """The samples of :func:`sample_run`, whose parameters it takes."""
    return sample_run(system, **settings).samples


def _watched_frames(
    simulation: Simulation,
    *,
    n_steps: int,
    every: int,
    name: str,
    places: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]] | None,
) -> tuple[list[PairSums], str]:
    """The frames of a run up to its end or to the last good check before an alarm, and the alarm's message.

    Coordinates and boxes are appended to ``places`` if there is such a list.
    """

    def keep(running: Simulation) -> None:
        frames.append(running.pair_sums())
        if places is not None:
            places.append((np.float32(running.positions), np.array(running.box)))

    frames: list[PairSums] = []
    watch, stored = LiquidWatch(simulation), [0]
    between = max(CHECK_EVERY // every, 1) * every
    for first in range(0, n_steps, between):
        steps = min(between, n_steps - first)
        simulation.run(steps, every=every, observe=keep)
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
