"""Runs of liquids, slabs and single molecules, in parts that go on where the one before ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SimulationError
from topdown.model import PairSums, System, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import GasRequest, LiquidRequest, SlabRequest
from topdown.model.samples import join_frames
from topdown.sampling.equilibrate import TIME_STEP, production_settings
from topdown.sampling.liquid_state import ALARM_HINT, Alarm, LiquidWatch
from topdown.sampling.slab_state import ProfileRecorder, SlabWatch

#: Steps between two checks that the liquid is still one.
CHECK_EVERY: Final = 5000
#: Relative change of the area of a slab's surfaces in the test-area method; its error is of second order.
TEST_AREA: Final = 5e-4
#: Factors of the box edges that widen and narrow the surfaces by ``TEST_AREA`` at constant volume.
TEST_AREA_SCALINGS: Final = tuple(
    ((1.0 + d) ** 0.5, (1.0 + d) ** 0.5, 1.0 / (1.0 + d)) for d in (TEST_AREA, -TEST_AREA)
)
_NAME_OF: Final = {LiquidRequest: "liquid", SlabRequest: "slab"}


class _Watch(Protocol):
    def look(self, simulation: Simulation) -> Alarm | None: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class RunPart:
    """What one part of a run leaves behind.

    Attributes
    ----------
    samples : WindowSamples
    end : System or None
        Where the next part starts; None after an alarm, which ends the run.
    extra : dict of str to arrays
        Of a slab: ``profile`` (n_blocks, n_components, n_bins) [u/nm³] over the parts between checks, and ``edges``
        (n_bins + 1,) [nm].
    """

    samples: WindowSamples
    end: System | None
    extra: dict[str, FloatArray] = field(default_factory=dict)


def run_liquid(request: LiquidRequest, start: System, *, key: str, seed: int) -> RunPart:
    """One part of a liquid at constant pressure.

    Parameters
    ----------
    request : LiquidRequest
    start : System
        The equilibrated box, or the end of the part before.
    key : str
        Of the samples.
    seed : int

    Raises
    ------
    SimulationError
        The run failed, or the liquid froze or evaporated before a frame could be stored.
    """
    simulation = Simulation(start, production_settings(request.temperature, request.pressure), seed=seed)
    if request.part == 0:
        simulation.run(request.n_equilibration)
    frames, alarm = _watched(simulation, request, LiquidWatch(simulation), lambda s: s.pair_sums())
    return _part(request, simulation, frames, alarm, key=key, pressure=request.pressure)


def run_slab(request: SlabRequest, start: System, *, key: str, seed: int) -> RunPart:
    """One part of a slab at constant volume; see :func:`run_liquid`. Part 0 starts from a slab that has been settled."""
    simulation = Simulation(start, _closed(request.temperature), seed=seed)
    if request.part == 0:
        simulation.run(request.n_equilibration)
    recorder, profiles = ProfileRecorder(start), []

    def measure(s: Simulation) -> PairSums:
        recorder.look(s)
        return s.pair_sums(virials=True, scalings=TEST_AREA_SCALINGS)

    def at_check() -> None:
        if recorder.n_frames == 0:
            return
        profiles.append(recorder.mean(float(start.box[0] * start.box[1])))
        recorder.reset()

    frames, alarm = _watched(simulation, request, SlabWatch(simulation), measure, at_check)
    kept = len(profiles) if alarm is None else alarm.last_good
    extra = {"profile": np.array(profiles[:kept]), "edges": recorder.edges}
    return _part(request, simulation, frames, alarm, key=key, pressure=None, extra=extra)


def run_gas(request: GasRequest, start: System, *, key: str, seed: int) -> WindowSamples:
    """One molecule alone; ``start`` must be so large that it cannot meet itself."""
    simulation = Simulation(start, _closed(request.temperature), seed=seed)
    simulation.minimize(max_steps=200)
    simulation.run(request.n_equilibration)
    frames: list[PairSums] = []
    simulation.run(request.n_steps, every=request.every, observe=lambda s: frames.append(s.pair_sums()))
    return _part(request, simulation, frames, None, key=key, pressure=None).samples


def _closed(temperature: float) -> SimulationSettings:
    """Constant volume, otherwise as every liquid is sampled."""
    return SimulationSettings(time_step=TIME_STEP, temperature=temperature, thermostat="langevin", tau_t=1.0)


def _watched(
    simulation: Simulation,
    request: LiquidRequest | SlabRequest,
    watch: _Watch,
    measure: Callable[[Simulation], PairSums],
    at_check: Callable[[], None] | None = None,
) -> tuple[list[PairSums], Alarm | None]:
    """The frames of a part up to its end, or to the last good check before an alarm."""
    frames: list[PairSums] = []
    stored = [0]
    between = max(CHECK_EVERY // request.every, 1) * request.every
    for first in range(0, request.n_steps, between):
        steps = min(between, request.n_steps - first)
        simulation.run(steps, every=request.every, observe=lambda s: frames.append(measure(s)))
        stored.append(len(frames))
        if at_check is not None:
            at_check()
        alarm = watch.look(simulation)
        if alarm is None:
            continue
        kept = stored[alarm.last_good] if alarm.last_good >= 0 else 0
        if kept == 0:
            raise SimulationError(
                f"the {_NAME_OF[type(request)]} {alarm.kind} before a frame of it could be stored: {alarm.message}",
                where=request.system,
                hint=ALARM_HINT,
            )
        return frames[:kept], alarm
    return frames, None


def _part(
    request: LiquidRequest | SlabRequest | GasRequest,
    simulation: Simulation,
    frames: list[PairSums],
    alarm: Alarm | None,
    *,
    key: str,
    pressure: float | None,
    extra: dict[str, FloatArray] | None = None,
) -> RunPart:
    sums = join_frames(frames)
    message = ""
    if alarm is not None:
        message = f"{request.system} {alarm.kind}: {alarm.message}; frames since the last good check are not used"
    samples = WindowSamples(
        key=key,
        system=request.system,
        sums=sums,
        epsilon=tuple(request.table.pair(a, b)[1] for a, b in sums.pairs),
        temperature=request.temperature,
        pressure=pressure,
        n_molecules=sum(count for _, count in request.components),
        alarm=message,
    )
    return RunPart(samples=samples, end=None if alarm is not None else simulation.system(), extra=extra or {})
