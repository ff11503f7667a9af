"""The jobs ``topdown density`` and ``topdown surface-tension``: liquids in, averages with errors out.

Runs are stored in parts and extended until they suffice. What decides when is counted in parts and errors, so that the same
command repeats the same decisions and finds everything done; only a budget in wall time looks at the clock, and then the
number of parts it allowed is kept beside the runs and used again.
"""

from __future__ import annotations

import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final, Generic, TypeVar

from topdown.errors import SettingsError, TopdownError
from topdown.model import BeadTable, Estimate, WindowSamples
from topdown.model.requests import LiquidRequest, SlabRequest
from topdown.properties import density as density_module
from topdown.properties import surface_tension as tension_module
from topdown.properties.density import DensityResult, gas_request, liquid_request, measure_density
from topdown.properties.measurements import MeasuredValue
from topdown.properties.phases import Phase, find_phase
from topdown.properties.sampler import EngineSampler, Progress
from topdown.properties.surface_tension import SurfaceTensionResult, measure_surface_tension, slab_request
from topdown.sampling.equilibrate import TIME_STEP
from topdown.sampling.fingerprints import hash_of
from topdown.tables import load_bead_table
from topdown.workflows.made_with import made_with
from topdown.workflows.refusals import refusal_object

#: What is simulated when nothing is said [ns], all runs of one liquid at one temperature together.
DENSITY_NS: Final = 4.0
TENSION_NS: Final = 8.0
#: A target error is given up beyond this [ns].
LONGEST_NS: Final = 400.0
_MOST_GROWTH: Final = 3.0
_SECONDS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}

Result = TypeVar("Result", DensityResult, SurfaceTensionResult)


def parse_wall_time(text: str, *, option: str = "--budget") -> float:
    """Seconds of ``"90s"``, ``"5min"``, ``"1.5h"``.

    Raises
    ------
    SettingsError
        Anything else.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]+)\s*", text.lower())
    try:
        seconds = float(match[1]) * _SECONDS[match[2]] if match else math.nan
    except (KeyError, ValueError):
        seconds = math.nan
    if not 0.0 < seconds < math.inf:
        raise SettingsError(f"{option} must be a time, got {text!r}", hint="for instance 90s, 5min or 1h")
    return seconds


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much to simulate for one liquid at one temperature.

    Attributes
    ----------
    nanoseconds : float, optional
        All runs together, equilibration apart.
    error : float, optional
        Standard error to reach, kg/m³ or mN/m.
    wall_s : float, optional
        Wall time not to exceed; at least one part of each run is simulated whatever it takes.
    """

    nanoseconds: float | None = None
    error: float | None = None
    wall_s: float | None = None

    def __post_init__(self) -> None:
        if self.nanoseconds is not None and not 0.1 <= self.nanoseconds <= 10_000.0:
            raise SettingsError(f"{self.nanoseconds:g} ns are out of range", where="--ns", hint="0.1 to 10000")
        if self.error is not None and not 0.0 < self.error < math.inf:
            raise SettingsError(f"the error to reach must be positive, got {self.error:g}", where="--error")


@dataclass(frozen=True, kw_only=True)
class LiquidSettings:
    """State and effort of one command.

    Attributes
    ----------
    temperatures : tuple of float
        [K]
    pressure : float
        [bar]
    effort : Effort
    seed : int
    match_surface : bool
        Bonds of mapped molecules as long as their surface asks for (:mod:`topdown.mapping.surface_match`).
    """

    temperatures: tuple[float, ...] = (298.15,)
    pressure: float = 1.0
    effort: Effort = Effort()
    seed: int = 1
    match_surface: bool = False

    def __post_init__(self) -> None:
        for temperature in self.temperatures:
            if not 150.0 <= temperature <= 700.0:
                raise SettingsError(f"a temperature of {temperature:g} K is out of range", hint="150 to 700 K")
        if len(set(self.temperatures)) < len(self.temperatures) or not self.temperatures:
            raise SettingsError("temperatures must differ, and there must be one")
        if not -1000.0 <= self.pressure <= 20_000.0:
            raise SettingsError(f"a pressure of {self.pressure:g} bar is out of range", hint="-1000 to 20000 bar")
        if self.seed < 0:
            raise SettingsError(f"the seed must not be negative, got {self.seed}")


@dataclass(frozen=True, kw_only=True)
class LiquidOutcome(Generic[Result]):
    """One liquid at one temperature: a result or the error that stopped it.

    Attributes
    ----------
    liquid : str
        As the user wrote it.
    temperature : float
        [K]
    table : str
        Bead table.
    seed : int
    result : DensityResult or SurfaceTensionResult, or None
    error : TopdownError or None
    remarks : tuple of str
        On how far it was taken, beside those of the result.
    wall_s : float
    """

    liquid: str
    temperature: float
    table: str
    seed: int
    result: Result | None = None
    error: TopdownError | None = None
    remarks: tuple[str, ...] = ()
    wall_s: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _State(ABC, Generic[Result]):
    """One liquid at one temperature, as the loop that extends it sees it."""

    phase: Phase
    table: BeadTable
    temperature: float
    pressure: float
    seed: int

    #: Where a part's length and the number of runs are.
    protocol: ClassVar[ModuleType]
    default_ns: ClassVar[float]

    @property
    def n_runs(self) -> int:
        return int(self.protocol.N_RUNS)

    @property
    def part_ns(self) -> float:
        return float(self.protocol.PART_STEPS) * TIME_STEP / 1000.0

    @property
    def _at(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "pressure": self.pressure, "seed": self.seed}

    @abstractmethod
    def request(self, run: int, part: int) -> LiquidRequest | SlabRequest: ...

    @abstractmethod
    def measure(self, sampler: EngineSampler, requests: list[list[Any]], runs: list[list[WindowSamples]]) -> Result: ...

    @abstractmethod
    def error(self, result: Result) -> float: ...


class _DensityState(_State[DensityResult]):
    protocol: ClassVar[ModuleType] = density_module
    default_ns: ClassVar[float] = DENSITY_NS

    def request(self, run: int, part: int) -> LiquidRequest:
        return liquid_request(self.phase, self.table, **self._at, run=run, part=part)

    def measure(
        self, sampler: EngineSampler, requests: list[list[LiquidRequest]], runs: list[list[WindowSamples]]
    ) -> DensityResult:
        gas = gas_request(self.phase, self.table, temperature=self.temperature, seed=self.seed)
        alone = sampler.sample([gas])[0] if gas is not None else None
        components = requests[0][0].components
        state = {"temperature": self.temperature, "pressure": self.pressure}
        return measure_density(self.phase, components, runs, **state, gas=alone)

    def error(self, result: DensityResult) -> float:
        return result.density.standard_error


class _SlabState(_State[SurfaceTensionResult]):
    protocol: ClassVar[ModuleType] = tension_module
    default_ns: ClassVar[float] = TENSION_NS

    def request(self, run: int, part: int) -> SlabRequest:
        return slab_request(self.phase, self.table, **self._at, run=run, part=part)

    def measure(
        self, sampler: EngineSampler, requests: list[list[SlabRequest]], runs: list[list[WindowSamples]]
    ) -> SurfaceTensionResult:
        records = [[sampler.record(request) for request in parts] for parts in requests]
        return measure_surface_tension(self.phase, requests[0][0], runs, records)

    def error(self, result: SurfaceTensionResult) -> float:
        return result.pressure_tensor.standard_error


def densities(
    liquids: Sequence[str],
    table_name: str | Path,
    settings: LiquidSettings,
    *,
    store: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Iterator[LiquidOutcome[DensityResult]]:
    """Densities of several liquids at several temperatures, one outcome each, in order.

    Parameters
    ----------
    liquids : sequence of str
        Names, SMILES, models or mixtures, see :mod:`topdown.properties.phases`.
    table_name : str or Path
        Bead table.
    settings : LiquidSettings
    store : Path, optional
        Folder of the run store; parts found there are not repeated.
    workers : int
        Processes; 0 for one per available processor.
    progress : callable, optional
        Called with (runs done, runs to do, what).

    Raises
    ------
    BeadTableError
        A table that does not exist. Errors of single liquids are part of their outcome.
    """
    sampler = EngineSampler(store, workers=workers, progress=progress)
    yield from _outcomes(_DensityState, liquids, table_name, settings, sampler)


def surface_tensions(
    liquids: Sequence[str],
    table_name: str | Path,
    settings: LiquidSettings,
    *,
    store: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Iterator[LiquidOutcome[SurfaceTensionResult]]:
    """Surface tensions of several liquids at several temperatures; see :func:`densities`."""
    sampler = EngineSampler(store, workers=workers, progress=progress)
    yield from _outcomes(_SlabState, liquids, table_name, settings, sampler)


def _outcomes(
    kind: Callable[..., _State[Result]],
    liquids: Sequence[str],
    table_name: str | Path,
    settings: LiquidSettings,
    sampler: EngineSampler,
) -> Iterator[LiquidOutcome[Result]]:
    table = load_bead_table(table_name)
    for liquid in liquids:
        outcome: Callable[..., LiquidOutcome[Result]] = partial(
            LiquidOutcome, liquid=liquid, table=table.name, seed=settings.seed
        )
        try:
            phase = find_phase(liquid, table_name, seed=settings.seed, longer_bonds=settings.match_surface)
        except TopdownError as error:
            for temperature in settings.temperatures:
                yield outcome(temperature=temperature, error=error)
            continue
        for temperature in settings.temperatures:
            began = time.perf_counter()
            state = kind(
                phase=phase, table=table, temperature=temperature, pressure=settings.pressure, seed=settings.seed
            )
            try:
                result, remarks = _extend(state, settings.effort, sampler)
            except TopdownError as error:
                yield outcome(temperature=temperature, error=error)
                continue
            spent = time.perf_counter() - began
            yield outcome(temperature=temperature, result=result, remarks=remarks, wall_s=spent)


def _extend(state: _State[Result], effort: Effort, sampler: EngineSampler) -> tuple[Result, tuple[str, ...]]:
    """Simulate until the effort is spent or the error reached."""
    per_part = state.n_runs * state.part_ns
    wanted = effort.nanoseconds
    if wanted is None and effort.error is None and effort.wall_s is None:
        wanted = state.default_ns
    most = max(math.ceil((LONGEST_NS if wanted is None else wanted) / per_part - 1e-9), 1)
    parts = most if effort.error is None and effort.wall_s is None else 1
    clock = _Clock(state, effort, sampler)
    if clock.remembered:
        most = min(most, clock.remembered)
    while True:
        result = _measure(state, sampler, min(parts, most))
        if result.alarms:
            return result, ("the run ended at the alarm and is not extended",)
        reached = effort.error is not None and state.error(result) <= effort.error
        if reached or parts >= most:
            break
        further = _more_parts(parts, state.error(result), effort)
        allowed = clock.allowed(parts, min(further, most))
        if allowed <= parts:
            break
        parts = allowed
    clock.remember(min(parts, most))
    if effort.error is not None and state.error(result) > effort.error:
        limit = "the budget" if effort.wall_s is not None else f"{min(parts, most) * per_part:g} ns"
        return result, (f"an error of {effort.error:g} was not reached within {limit}",)
    return result, ()


def _more_parts(parts: int, error: float, effort: Effort) -> int:
    """Parts after which the target error is expected, at most three times as many; twice as many without a target."""
    if effort.error is None:
        return 2 * parts
    expected = 1.1 * parts * (error / effort.error) ** 2
    return max(parts + 1, math.ceil(min(expected, _MOST_GROWTH * parts)))


def _measure(state: _State[Result], sampler: EngineSampler, parts: int) -> Result:
    requests = [[state.request(run, part) for part in range(parts)] for run in range(state.n_runs)]
    flat = sampler.sample([request for of_run in requests for request in of_run])
    runs = [flat[k * parts : (k + 1) * parts] for k in range(state.n_runs)]
    return state.measure(sampler, requests, runs)


class _Clock:
    """How many parts a budget of wall time allows; what it allowed once is allowed again, in a store that has it."""

    def __init__(self, state: _State[Result], effort: Effort, sampler: EngineSampler) -> None:
        self._wall_s, self._sampler, self._began = effort.wall_s, sampler, time.perf_counter()
        self._key = ""
        self.remembered = 0
        if effort.wall_s is None:
            return
        first = [sampler.key(state.request(run, 0)) for run in range(state.n_runs)]
        self._key = hash_of({"budget": effort.wall_s, "error": effort.error, "runs": first})
        found = sampler.store.load(self._key)
        if found is not None:
            self.remembered = int(found[1]["parts"])

    def allowed(self, parts: int, wanted: int) -> int:
        """Of ``wanted`` parts, as many as the time left is likely to do, judged by the ``parts`` done."""
        if self._wall_s is None or self.remembered:
            return wanted
        spent = time.perf_counter() - self._began
        return min(wanted, parts + math.floor((self._wall_s - spent) / (spent / parts)))

    def remember(self, parts: int) -> None:
        """Keep what the budget came to."""
        if self._wall_s is not None and not self.remembered:
            self._sampler.store.save(self._key, {}, {"parts": parts})


def _estimate_json(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_error": estimate.standard_error}


def _experiment_json(name: str, experiment: MeasuredValue | None) -> dict[str, Any] | None:
    if experiment is None:
        return None
    return {
        name: experiment.value,
        "uncertainty": experiment.uncertainty,
        "temperature_K": experiment.temperature,
        "how": experiment.how,
        "flag": experiment.flag,
        "reference": experiment.reference,
    }


def _head(outcome: LiquidOutcome[Any]) -> dict[str, Any]:
    head: dict[str, Any] = {"liquid": outcome.liquid, "temperature_K": outcome.temperature, "table": outcome.table}
    if outcome.error is not None:
        return {**head, "error": refusal_object(outcome.error)}
    phase, components = outcome.result.phase, outcome.result.components  # type: ignore[union-attr]
    head["phase"] = phase.name
    head["components"] = [
        {
            "name": component.molecule.name,
            "canonical_smiles": component.molecule.canonical_smiles,
            "model": component.model.origin,
            "mole_fraction": component.fraction,
            "molar_mass_g_mol": component.molecule.molar_mass,
            "n_molecules": count,
        }
        for component, (_, count) in zip(phase.components, components, strict=True)
    ]
    return head


def density_json(outcome: LiquidOutcome[DensityResult]) -> dict[str, Any]:
    """The object ``topdown density --json`` prints for one outcome."""
    head, result = _head(outcome), outcome.result
    if result is None:
        return head
    gas = result.vaporization_enthalpy
    return {
        **head,
        "pressure_bar": result.pressure,
        "density_kg_m3": result.density.value,
        "standard_error": result.density.standard_error,
        "n_effective": result.density.n_effective,
        **_estimate_json("molar_volume_cm3_mol", result.molar_volume),
        **_estimate_json("energy_kJ_mol", result.energy),
        "vaporization_enthalpy_kJ_mol": None if gas is None else gas.value,
        "vaporization_enthalpy_error": None if gas is None else gas.standard_error,
        "vaporization_enthalpy_experiment": _experiment_json(
            "vaporization_enthalpy_kJ_mol", result.vaporization_experiment
        ),
        "runs": [_estimate_json("density_kg_m3", run) for run in result.runs],
        "nanoseconds": result.nanoseconds,
        "experiment": _experiment_json("density_kg_m3", result.experiment),
        "z_score": result.z_score,
        "alarms": list(result.alarms),
        "remarks": [*result.remarks, *outcome.remarks],
        "made_with": made_with(outcome.seed),
        "wall_s": round(outcome.wall_s, 2),
    }


def surface_tension_json(outcome: LiquidOutcome[SurfaceTensionResult]) -> dict[str, Any]:
    """The object ``topdown surface-tension --json`` prints for one outcome."""
    head, result = _head(outcome), outcome.result
    if result is None:
        return head
    profile = result.profile
    return {
        **head,
        "surface_tension_mN_m": result.pressure_tensor.value,
        "standard_error": result.pressure_tensor.standard_error,
        "n_effective": result.pressure_tensor.n_effective,
        "pressure_tensor": _estimate_json("surface_tension_mN_m", result.pressure_tensor),
        "test_area": _estimate_json("surface_tension_mN_m", result.test_area),
        "method_difference_mN_m": result.difference.value,
        "method_difference_z": result.method_z,
        **_estimate_json("liquid_density_kg_m3", profile.liquid),
        **_estimate_json("vapour_density_kg_m3", profile.vapour),
        **_estimate_json("interface_width_nm", profile.width),
        **_estimate_json("slab_thickness_nm", _doubled(profile.half_thickness)),
        "profile": {
            "z_nm": [round(float(z), 4) for z in profile.heights],
            "density_kg_m3": [round(float(rho), 3) for rho in profile.density],
        },
        "box_nm": [result.width, result.width, result.height],
        "runs": [_estimate_json("surface_tension_mN_m", run) for run in result.runs],
        "nanoseconds": result.nanoseconds,
        "experiment": _experiment_json("surface_tension_mN_m", result.experiment),
        "z_score": result.z_score,
        "alarms": list(result.alarms),
        "remarks": [*result.remarks, *outcome.remarks],
        "made_with": made_with(outcome.seed),
        "wall_s": round(outcome.wall_s, 2),
    }


def _doubled(estimate: Estimate) -> Estimate:
    return Estimate(
        value=2.0 * estimate.value,
        standard_error=2.0 * estimate.standard_error,
        n_effective=estimate.n_effective,
        provenance=estimate.provenance,
    )
