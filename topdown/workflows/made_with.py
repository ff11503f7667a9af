"""What a number depends on beside its inputs, for the JSON that holds it."""

from __future__ import annotations

from typing import Any

from topdown import __version__
from topdown.engine import SimulationSettings, engine_hash, engine_version

#: Stored runs are made with the precision and the threads that settings have when nothing is said.
_RUNS = SimulationSettings()


def made_with(seed: int) -> dict[str, Any]:
    """Version, engine, precision, threads and seed: where all of these are the same, so are the bytes of a result.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict
        ``topdown`` (version), ``engine`` (hash of its sources), ``build`` (a hash that also changes with numba, llvmlite,
        processor and width of its vectors), ``precision`` and ``threads`` of each run, ``seed``.
    """
    return {
        "topdown": __version__,
        "engine": engine_version(),
        "build": engine_hash(),
        "precision": _RUNS.precision,
        "threads": _RUNS.threads,
        "seed": seed,
    }
