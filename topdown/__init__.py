"""topdown: MARTINI-style, top-down coarse-grained parameterisation.

SMILES to beads (:func:`map`), bead matrices fitted to experiment (:func:`calibrate`), free energies of transfer
(:func:`transfer`), and membranes ready to run (:func:`prepare_membrane`). Importing this module compiles nothing and loads
neither RDKit nor numba: the names below are fetched when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_FRONT_DOOR = {
    "BeadTable": "topdown.model",
    "CGMolecule": "topdown.model",
    "Estimate": "topdown.model",
    "System": "topdown.model",
    "TopdownError": "topdown.errors",
    "calibrate": "topdown.workflows.calibrate",
    "load_bead_table": "topdown.tables",
    "map": "topdown.workflows.map_view",
    "map_molecule": "topdown.mapping",
    "prepare_membrane": "topdown.workflows.membrane",
    "transfer": "topdown.workflows.transfer_view",
}

__all__ = ["__version__", *_FRONT_DOOR]


def __getattr__(name: str) -> Any:
    if name in _FRONT_DOOR:
        return getattr(import_module(_FRONT_DOOR[name]), name)
    raise AttributeError(f"module 'topdown' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
