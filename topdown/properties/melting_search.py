"""Where to look for melting points, one batch of runs after another: first in steps of some 20 K, one run each, then by several
runs at five temperatures about what that gives.

Which runs come next depends on what was seen, so that a search is a generator: it gives what it wants to know, and is sent how
fast crystals grew there. Several searches can be led by one sampler, side by side (:func:`melting_points`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from topdown.errors import SamplingError, SettingsError, SimulationError
from topdown.model import BeadTable, CGMolecule, WindowFailure, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import MeltingRequest, SampleRequest
from topdown.properties.melting import (
    MOST_COARSE,
    N_FINE,
    GrowthRate,
    MeltingPoint,
    fine_temperatures,
    first_temperature,
    fit_melting_point,
    growth_rate,
    melting_request,
    rough_search,
)
from topdown.properties.melting_runs import coexistence_of

#: Temperatures that are looked at [K].
LOWEST, HIGHEST = 50.0, 1000.0
#: Wants runs, is sent their rates, and returns what they tell.
Search = Generator[list[MeltingRequest], list[GrowthRate], MeltingPoint]


@dataclass(frozen=True, kw_only=True)
class MeltingSettings:
    """State and effort of one melting point.

    Attributes
    ----------
    temperatures : tuple of float
        [K]; empty to search.
    pressure : float
        [bar]
    nanoseconds : float
        Longest run at one temperature.
    n_runs : int
        At each temperature.
    n_across : int
        Unit cells of the crystal along each face; it is twice as long.
    seed : int

    Raises
    ------
    SettingsError
        A value out of range.
    """

    temperatures: tuple[float, ...] = ()
    pressure: float = 1.0
    nanoseconds: float = 0.4
    n_runs: int = 3
    n_across: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        for temperature in self.temperatures:
            if not LOWEST <= temperature <= HIGHEST:
                raise SettingsError(
                    f"a temperature of {temperature:g} K is out of range", hint=f"{LOWEST:g} to {HIGHEST:g} K"
                )
        if self.temperatures and len(set(self.temperatures)) < 2:
            raise SettingsError("a melting point lies between temperatures: give two or more", where="--temperatures")
        if not -1000.0 <= self.pressure <= 20_000.0:
            raise SettingsError(f"a pressure of {self.pressure:g} bar is out of range", hint="-1000 to 20000 bar")
        if not 0.02 <= self.nanoseconds <= 1000.0:
            raise SettingsError(f"{self.nanoseconds:g} ns are out of range", where="--ns", hint="0.02 to 1000")
        if not 1 <= self.n_runs <= 100:
            raise SettingsError(f"{self.n_runs} runs at each temperature are out of range", hint="1 to 100")
        if not 4 <= self.n_across <= 30:
            raise SettingsError(f"{self.n_across} unit cells are out of range", where="--cells", hint="4 to 30")
        if self.seed < 0:
            raise SettingsError(f"the seed must not be negative, got {self.seed}")

    @property
    def most_runs(self) -> int:
        """That a melting point may take."""
        return self.n_runs * len(self.temperatures) if self.temperatures else 1 + MOST_COARSE + self.n_runs * N_FINE

    def request(self, molecule: CGMolecule, table: BeadTable, temperature: float, run: int = 0) -> MeltingRequest:
        """One of the runs at a temperature [K]."""
        return melting_request(
            molecule,
            table,
            temperature=temperature,
            pressure=self.pressure,
            nanoseconds=self.nanoseconds,
            n_across=self.n_across,
            seed=self.seed + run,
        )


class MeltingSampler(Protocol):
    """Runs crystals beside their melt, and keeps what they did."""

    def sample(self, requests: Sequence[SampleRequest]) -> Sequence[WindowSamples | WindowFailure]:
        """As every sampler."""
        ...

    def record(self, request: MeltingRequest) -> Mapping[str, FloatArray]:
        """What a crystal did, see :func:`topdown.properties.melting_runs.run_coexistence`."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchOutcome:
    """What a search came to: a melting point, or why there is none.

    Attributes
    ----------
    requests : tuple of MeltingRequest
        Every run that was asked for, in order.
    point : MeltingPoint or None
    error : SamplingError, SimulationError or None
    """

    requests: tuple[MeltingRequest, ...]
    point: MeltingPoint | None = None
    error: SamplingError | SimulationError | None = None


def melting_search(molecule: CGMolecule, table: BeadTable, settings: MeltingSettings) -> Search:
    """The search for the melting point of one liquid.

    Raises
    ------
    SettingsError
        A molecule of several beads.
    SamplingError
        On the way: no melting point in the range of temperatures, or runs that do not tell.
    """
    if molecule.n_beads != 1:
        raise SettingsError(
            f"melting points are measured of liquids of one bead, {molecule.name} has {molecule.n_beads}",
            hint="the crystals of larger molecules are not known beforehand",
        )
    return _search(molecule, table, settings)


def _search(molecule: CGMolecule, table: BeadTable, settings: MeltingSettings) -> Search:
    def runs_at(temperatures: Sequence[float], n_runs: int) -> list[MeltingRequest]:
        return [
            settings.request(molecule, table, temperature, run) for temperature in temperatures for run in range(n_runs)
        ]

    temperatures: Sequence[float] = settings.temperatures
    if not temperatures:
        rough = rough_search(first_temperature(molecule, table), lowest=LOWEST, highest=HIGHEST)
        here = next(rough)
        while not temperatures:
            (rate,) = yield runs_at([here], 1)
            try:
                here = rough.send(rate.speed)
            except StopIteration as found:
                temperatures = fine_temperatures(found.value)
    return fit_melting_point((yield runs_at(temperatures, settings.n_runs)), where=molecule.name)


def melting_points(searches: Mapping[str, Search], sampler: MeltingSampler) -> dict[str, SearchOutcome]:
    """Lead several searches at once, so that their runs go side by side; one that fails costs itself only.

    Parameters
    ----------
    searches : mapping of any name to Search
    sampler : MeltingSampler

    Raises
    ------
    SimulationError
        The sampler raised it, or what a crystal did has gone from the run store.
    """
    wanted = {name: next(search) for name, search in searches.items()}
    asked: dict[str, list[MeltingRequest]] = {name: [] for name in searches}
    found: dict[str, SearchOutcome] = {}
    while wanted:
        requests = [request for batch in wanted.values() for request in batch]
        samples = dict(zip(requests, sampler.sample(requests), strict=True))
        following: dict[str, list[MeltingRequest]] = {}
        for name, batch in wanted.items():
            asked[name] += batch
            failed = next((run for r in batch if isinstance(run := samples[r], WindowFailure)), None)
            point: MeltingPoint | None = None
            error: SamplingError | SimulationError | None = None
            if failed is not None:
                error = SimulationError(failed.reason, where=failed.system, hint=failed.hint)
            else:
                try:
                    rates = [
                        growth_rate(request, coexistence_of(request, sampler.record(request))) for request in batch
                    ]
                    following[name] = searches[name].send(rates)
                    continue
                except StopIteration as end:
                    point = end.value
                except SamplingError as reason:
                    error = reason
            found[name] = SearchOutcome(requests=tuple(asked[name]), point=point, error=error)
        wanted = following
    return {name: found[name] for name in searches}


def melting_point(
    molecule: CGMolecule, table: BeadTable, settings: MeltingSettings, sampler: MeltingSampler
) -> MeltingPoint:
    """Search for the melting point of one liquid and measure it.

    Raises
    ------
    SettingsError
        A molecule of several beads.
    SamplingError
        No melting point in the range of temperatures, or runs that do not tell.
    SimulationError
        A run failed.
    """
    (found,) = melting_points({molecule.name: melting_search(molecule, table, settings)}, sampler).values()
    if found.error is not None:
        raise found.error
    assert found.point is not None
    return found.point
