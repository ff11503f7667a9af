"""Plain-data descriptions of nouns, so that a run can be named by the hash of everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from topdown.model import BeadTable, CGMolecule


def describe_molecule(molecule: CGMolecule) -> dict[str, Any]:
    """What of a molecule decides its dynamics and starting shape; not its name."""
    kinds = (
        "bonds",
        "constraints",
        "angles",
        "dihedrals",
        "virtual_sites",
        "position_restraints",
        "flat_bottom_restraints",
    )
    terms = {kind: [asdict(term) for term in getattr(molecule, kind)] for kind in kinds}
    return {
        "beads": [[b.bead_type, b.charge, b.mass] for b in molecule.beads],
        **{kind: of_kind for kind, of_kind in terms.items() if of_kind},
        "excluded": [list(pair) for pair in molecule.excluded_pairs()],
        "positions": molecule.positions,
    }


def describe_table(table: BeadTable, molecules: Sequence[CGMolecule]) -> dict[str, Any]:
    """The Lennard-Jones parameters between the types in use, and the cut-off scheme."""
    names = sorted({name for molecule in molecules for name in molecule.type_names})
    return {
        "pairs": [[a, b, *table.pair(a, b)] for i, a in enumerate(names) for b in names[i:]],
        "scheme": asdict(table.scheme),
    }


def hash_of(description: dict[str, Any]) -> str:
    """Forty hexadecimal digits of the description's canonical JSON; floats count to the last bit."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _plain(value: object) -> Any:
    """Arrays as nested lists; anything else is not plain data."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be described")
