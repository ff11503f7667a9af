"""What a number depends on beside its inputs, for the JSON that holds it."""

from __future__ import annotations

from typing import Any

from topdown import __version__


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
    # The engine takes longer to load than to map a molecule, which needs none.
    from topdown.engine import SimulationSettings, engine_hash, engine_version

    runs = SimulationSettings()  # stored runs are made with what holds when nothing is said
    return {
        "topdown": __version__,
        "engine": engine_version(),
        "build": engine_hash(),
        "precision": runs.precision,
        "threads": runs.threads,
        "seed": seed,
    }


def mapped_with(seed: int) -> dict[str, Any]:
    """The same of a mapping, in which no engine takes part: rings, conformers and drawings are RDKit's.

    Parameters
    ----------
    seed : int
        Of the conformers.

    Returns
    -------
    dict
        ``topdown`` and ``rdkit`` (versions), ``seed``.
    """
    from topdown.mapping.smiles import RDKIT_VERSION

    return {"topdown": __version__, "rdkit": RDKIT_VERSION, "seed": seed}
