"""Plain-data descriptions of nouns, so that a run can be named by the hash of everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from topdown.model import BeadTable, CGMolecule


def describe_molecule(molecule: CGMolecule) -> dict[str, Any]:
    """What of a molecule decides its dynamics and starting shape; not its name."""
    return {
        "beads": [[b.bead_type, b.charge, b.mass] for b in molecule.beads],
        "bonds": [[*b.atoms, b.length, b.force_constant, b.function] for b in molecule.bonds],
        "constraints": [[*c.atoms, c.length] for c in molecule.constraints],
        "angles": [[*a.atoms, a.angle, a.force_constant, a.function] for a in molecule.angles],
        "dihedrals": [[*d.atoms, d.angle, d.force_constant, d.multiplicity, d.function] for d in molecule.dihedrals],
        "excluded": [list(pair) for pair in molecule.excluded_pairs()],
        "positions": None if molecule.positions is None else molecule.positions.tolist(),
    }


def describe_table(table: BeadTable, molecules: Sequence[CGMolecule]) -> dict[str, Any]:
    """The Lennard-Jones parameters between the types in use, and the cut-off scheme."""
    names = sorted({name for molecule in molecules for name in molecule.type_names})
    return {
        "pairs": [[a, b, *table.pair(a, b)] for i, a in enumerate(names) for b in names[i:]],
        "scheme": [table.scheme.cutoff, table.scheme.epsilon_r, table.scheme.epsilon_rf],
    }


def hash_of(description: dict[str, Any]) -> str:
    """Forty hexadecimal digits of the description's canonical JSON; floats count to the last bit."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
