"""Runs of liquids, slabs and single molecules, in parts that go on where the one before ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np

from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.errors import PhaseChangeError, SettingsError, SimulationError
from topdown.model import PairSums, System, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import (
    CouplingRequest,
    GasRequest,
    LiquidRequest,
    RunRequest,
    SlabRequest,
)
from topdown.model.samples import join_frames
from topdown.sampling.equilibrate import TIME_STEP, production_settings
from topdown.sampling.held_core import HeldCoreSimulation
from topdown.sampling.liquid_state import ALARM_HINT, Alarm, LiquidWatch
from topdown.sampling.slab_state import ProfileRecorder, SlabWatch
from topdown.sampling.virial_halves import HalvedVirialSimulation

#: Steps between two checks that the liquid is still one.
CHECK_EVERY: Final = 5000
#: Relative change of the area of a slab's surfaces in the test-area method; its error is of second order.
TEST_AREA: Final = 5e-4
#: Factors of the box edges that widen and narrow the surfaces by ``TEST_AREA`` at constant volume.
TEST_AREA_SCALINGS: Final = tuple(
    ((1.0 + d) ** 0.5, (1.0 + d) ** 0.5, 1.0 / (1.0 + d)) for d in (TEST_AREA, -TEST_AREA)
)
_NO_ALARM: Final = ("", "")
_NAME_OF: Final = {CouplingRequest: "liquid", LiquidRequest: "liquid", SlabRequest: "slab"}


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
        (n_bins + 1,) [nm]. Of a liquid whose positions are kept: ``frame_positions`` (n_frames, n_beads, 3) float32 [nm] in
        any periodic image, and ``frame_boxes`` (n_frames, 3) [nm].
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
    settings = production_settings(request.temperature, request.pressure, request.time_step)
    simulation = Simulation(start, settings, seed=seed)
    if request.part == 0:
        simulation.run(request.n_equilibration)
    places = _Places()

    def measure(s: Simulation) -> PairSums:
        if request.keep_positions:
            places.keep(s)
        return s.pair_sums()

    frames, _, alarm = _watched(simulation, request, LiquidWatch(simulation), measure)
    extra = places.arrays(len(frames)) if request.keep_positions else {}
    return _part(request, simulation, frames, alarm, key=key, pressure=request.pressure, extra=extra)


def run_slab(request: SlabRequest, start: System, *, key: str, seed: int) -> RunPart:
    """One part of a slab at constant volume; see :func:`run_liquid`. Part 0 starts from a slab that has been settled."""
    kind = HalvedVirialSimulation if request.virial_halves else Simulation
    simulation = kind(start, _closed(request.temperature, request.time_step), seed=seed)
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

    frames, kept, alarm = _watched(simulation, request, SlabWatch(simulation), measure, at_check)
    extra = {"profile": np.array(profiles[:kept]), "edges": recorder.edges}
    return _part(request, simulation, frames, alarm, key=key, pressure=None, extra=extra)


def run_coupled(request: CouplingRequest, lambda_index: int, start: System, *, key: str, seed: int) -> RunPart:
    """One part of a solute's run at one state of its path, the solute being the first component; see :func:`run_liquid`."""
    coupling = Coupling(lambdas=request.lambdas, charge_lambdas=request.charge_lambdas, index=lambda_index)
    settings = production_settings(request.temperature, request.pressure, request.time_step)
    if request.core is None:
        simulation = Simulation(start, settings, seed=seed, coupling=coupling)
    else:
        simulation = HeldCoreSimulation(start, settings, coupling=coupling, core=request.core, seed=seed)
    if request.part == 0:
        simulation.minimize(max_steps=100, force_tolerance=500.0)
        simulation.run(request.n_equilibration)
    frames, _, alarm = _watched(simulation, request, LiquidWatch(simulation), lambda s: s.pair_sums())
    part = _part(request, simulation, frames, alarm, key=key, pressure=request.pressure)
    return replace(part, samples=replace(part.samples, lambda_index=lambda_index))


def run_gas(request: GasRequest, start: System, *, key: str, seed: int) -> RunPart:
    """One molecule alone, with the positions of its frames; ``start`` must be so large that it cannot meet itself."""
    simulation = Simulation(start, _closed(request.temperature), seed=seed)
    simulation.minimize(max_steps=200)
    simulation.run(request.n_equilibration)
    frames: list[PairSums] = []
    places = _Places()

    def measure(s: Simulation) -> None:
        frames.append(s.pair_sums())
        places.keep(s)

    simulation.run(request.n_steps, every=request.every, observe=measure)
    return _part(request, simulation, frames, _NO_ALARM, key=key, pressure=None, extra=places.arrays(len(frames)))


class _Places:
    """Coordinates and boxes of frames."""

    def __init__(self) -> None:
        self._positions: list[FloatArray] = []
        self._boxes: list[FloatArray] = []

    def keep(self, simulation: Simulation) -> None:
        self._positions.append(np.array(simulation.positions, dtype=np.float32))
        self._boxes.append(np.array(simulation.box))

    def arrays(self, n_frames: int) -> dict[str, FloatArray]:
        """Of the first ``n_frames``, as :class:`RunPart` holds them."""
        return {
            "frame_positions": np.stack(self._positions[:n_frames]),
            "frame_boxes": np.stack(self._boxes[:n_frames]),
        }


def _closed(temperature: float, time_step: float | None = None) -> SimulationSettings:
    """Constant volume, otherwise as every liquid is sampled."""
    return SimulationSettings(
        time_step=time_step or TIME_STEP, temperature=temperature, thermostat="langevin", tau_t=1.0
    )


def _watched(
    simulation: Simulation,
    request: CouplingRequest | LiquidRequest | SlabRequest,
    watch: _Watch,
    measure: Callable[[Simulation], PairSums],
    at_check: Callable[[], None] | None = None,
) -> tuple[list[PairSums], int, tuple[str, str]]:
    """The frames of a part up to its end or to the last good check before an alarm, how many checks that is, and the alarm: its
    kind and what is to be said about it."""
    frames: list[PairSums] = []
    stored = [0]

    def keep(s: Simulation) -> None:
        try:
            frames.append(measure(s))
        except SettingsError as error:
            raise SimulationError(f"it blew up: {error.message}", where=request.system) from None

    between = max(CHECK_EVERY // request.every, 1) * request.every
    for first in range(0, request.n_steps, between):
        steps = min(between, request.n_steps - first)
        simulation.run(steps, every=request.every, observe=keep)
        stored.append(len(frames))
        if at_check is not None:
            at_check()
        alarm = watch.look(simulation)
        if alarm is None:
            continue
        kept = stored[alarm.last_good] if alarm.last_good >= 0 else 0
        if kept == 0:
            raise PhaseChangeError(
                f"the {_NAME_OF[type(request)]} {alarm.kind} before a frame of it could be stored: {alarm.message}",
                kind=alarm.kind,
                where=request.system,
                hint=ALARM_HINT,
            )
        lost = len(frames) - kept
        message = (
            f"{request.system} {alarm.kind}: {alarm.message}; {lost} frames since the last good check are not used"
        )
        return frames[:kept], alarm.last_good, (alarm.kind, message)
    return frames, len(stored) - 1, _NO_ALARM


def _part(
    request: CouplingRequest | LiquidRequest | SlabRequest | GasRequest,
    simulation: Simulation,
    frames: list[PairSums],
    alarm: tuple[str, str],
    *,
    key: str,
    pressure: float | None,
    extra: dict[str, FloatArray] | None = None,
) -> RunPart:
    samples = samples_of(request, join_frames(frames), key=key, pressure=pressure, alarm=alarm)
    return RunPart(samples=samples, end=None if alarm[0] else simulation.system(), extra=extra or {})


def samples_of(
    request: RunRequest,
    sums: PairSums,
    *,
    key: str,
    pressure: float | None,
    alarm: tuple[str, str] = _NO_ALARM,
) -> WindowSamples:
    """The sums of a run with what is needed to pool them.

    Parameters
    ----------
    request : any but an insertion
    sums : PairSums
    key : str
    pressure : float or None
        [bar]; None at constant volume.
    alarm : (str, str)
        Its kind and what is to be said about it.
    """
    return WindowSamples(
        key=key,
        system=request.system,
        sums=sums,
        epsilon=tuple(request.table.pair(a, b)[1] for a, b in (*sums.pairs, *sums.solute_pairs)),
        temperature=request.temperature,
        pressure=pressure,
        n_molecules=sum(count for _, count in request.components),
        alarm=alarm[1],
        alarm_kind=alarm[0],
    )
