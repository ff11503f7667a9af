"""The job ``topdown melting``: liquids of single beads in, melting points with errors out.

Without temperatures of the user's own the melting point is searched for (:mod:`topdown.properties.melting_search`). All runs are
stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdown.errors import SettingsError, TopdownError
from topdown.properties.melting import MeltingPoint
from topdown.properties.melting_search import MeltingSettings, melting_point
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler, Progress
from topdown.tables import load_bead_table
from topdown.workflows.made_with import made_with
from topdown.workflows.refusals import refusal_object


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
    table : str
        Bead table.
    seed : int
    result : MeltingResult or None
    error : TopdownError or None
    remarks : tuple of str
    wall_s : float
    """

    liquid: str
    table: str
    seed: int
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
    progress: Progress | None = None,
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
            yield MeltingOutcome(liquid=liquid, table=table.name, seed=settings.seed, error=error)
            continue
        yield MeltingOutcome(
            liquid=liquid,
            table=table.name,
            seed=settings.seed,
            result=MeltingResult(model=model.origin, n_real=model.n_real, point=point),
            wall_s=time.perf_counter() - began,
        )


def melting_json(outcome: MeltingOutcome) -> dict[str, Any]:
    """The object ``topdown melting --json`` prints for one liquid."""
    result = outcome.result
    if result is None:
        assert outcome.error is not None
        return {"liquid": outcome.liquid, "error": refusal_object(outcome.error)}
    return {
        "liquid": outcome.liquid,
        "table": outcome.table,
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
        "made_with": made_with(outcome.seed),
        "wall_s": outcome.wall_s,
    }
