"""The job ``topdown melting``: liquids of single beads in, melting points with errors out.

Without temperatures of the user's own the melting point is first searched for in steps of some 20 K, one run each, and then
measured by several runs at five temperatures about it. All runs are stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdown.errors import SettingsError, TopdownError
from topdown.model import BeadTable, CGMolecule
from topdown.properties.melting import (
    GrowthRate,
    MeltingPoint,
    fine_temperatures,
    first_temperature,
    fit_melting_point,
    growth_rate,
    melting_request,
    rough_melting_point,
)
from topdown.properties.melting_runs import coexistence_of
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.tables import load_bead_table
from topdown.workflows.refusals import refusal_object

#: Temperatures that are looked at [K].
LOWEST, HIGHEST = 50.0, 1000.0


@dataclass(frozen=True, kw_only=True)
class MeltingSettings:
    """State and effort of one command.

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


@dataclass(frozen=True, kw_only=True)
class MeltingResult:
    """The melting point of a model.

    Attributes
    ----------
    model : str
        Where it is from.
    n_real : int
        Molecules that one of it stands for.
    point : MeltingPoint
    """

    model: str
    n_real: int
    point: MeltingPoint


@dataclass(frozen=True, kw_only=True)
class MeltingOutcome:
    """One liquid: a melting point or the error that stopped it.

    Attributes
    ----------
    liquid : str
        As the user wrote it.
    result : MeltingResult or None
    error : TopdownError or None
    remarks : tuple of str
    wall_s : float
    """

    liquid: str
    result: MeltingResult | None = None
    error: TopdownError | None = None
    remarks: tuple[str, ...] = ()
    wall_s: float = 0.0


def melting_points(
    liquids: Sequence[str],
    table_name: str | Path,
    settings: MeltingSettings,
    *,
    store: Path | None = None,
    workers: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Iterator[MeltingOutcome]:
    """Melting points of several liquids, one outcome each, in order.

    Parameters
    ----------
    liquids : sequence of str
        Names, SMILES or models of one bead, see :mod:`topdown.properties.phases`.
    table_name : str or Path
        Bead table.
    settings : MeltingSettings
    store : Path, optional
        Folder of the run store; runs found there are not repeated.
    workers : int
        Processes; 0 for one per available processor.
    progress : callable, optional
        Called with (runs done, runs to do, what).

    Raises
    ------
    BeadTableError
        A table that does not exist. Errors of single liquids are part of their outcome.
    """
    table = load_bead_table(table_name)
    sampler = EngineSampler(store, workers=workers, progress=progress)
    for liquid in liquids:
        began = time.perf_counter()
        try:
            phase = find_phase(liquid, table_name, seed=settings.seed)
            if len(phase.components) != 1:
                raise SettingsError("a melting point is that of a pure liquid", where=phase.name)
            model = phase.components[0].model
            point = melting_point(phase.components[0].molecule, table, settings, sampler)
        except TopdownError as error:
            yield MeltingOutcome(liquid=liquid, error=error)
            continue
        yield MeltingOutcome(
            liquid=liquid,
            result=MeltingResult(model=model.origin, n_real=model.n_real, point=point),
            wall_s=time.perf_counter() - began,
        )


def melting_point(
    molecule: CGMolecule, table: BeadTable, settings: MeltingSettings, sampler: EngineSampler
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
    if molecule.n_beads != 1:
        raise SettingsError(
            f"melting points are measured of liquids of one bead, {molecule.name} has {molecule.n_beads}",
            hint="the crystals of larger molecules are not known beforehand",
        )

    def rates_at(temperatures: Sequence[float], n_runs: int) -> list[GrowthRate]:
        requests = [
            melting_request(
                molecule,
                table,
                temperature=temperature,
                pressure=settings.pressure,
                nanoseconds=settings.nanoseconds,
                n_across=settings.n_across,
                seed=settings.seed + run,
            )
            for temperature in temperatures
            for run in range(n_runs)
        ]
        sampler.sample(requests)
        return [growth_rate(request, coexistence_of(request, sampler.record(request))) for request in requests]

    temperatures: Sequence[float] = settings.temperatures
    if not temperatures:
        rough = rough_melting_point(
            first_temperature(molecule, table), lambda t: rates_at([t], 1)[0].speed, lowest=LOWEST, highest=HIGHEST
        )
        temperatures = fine_temperatures(rough)
    return fit_melting_point(rates_at(temperatures, settings.n_runs), where=molecule.name)


def melting_json(outcome: MeltingOutcome) -> dict[str, Any]:
    """The object ``topdown melting --json`` prints for one liquid."""
    result = outcome.result
    if result is None:
        assert outcome.error is not None
        return {"liquid": outcome.liquid, "error": refusal_object(outcome.error)}
    return {
        "liquid": outcome.liquid,
        "model": result.model,
        "n_real": result.n_real,
        "melting_temperature_K": result.point.temperature.value,
        "standard_error": result.point.temperature.standard_error,
        "slope_m_s_K": result.point.slope,
        "runs": [
            {
                "temperature_K": rate.temperature,
                "seed": rate.seed,
                "speed_m_s": rate.speed,
                "crystalline_first": rate.first,
                "crystalline_last": rate.last,
                "nanoseconds": rate.nanoseconds,
            }
            for rate in result.point.rates
        ],
        "wall_s": outcome.wall_s,
    }
