"""Phases a solute can be transferred between: names people use, and the solvent models behind them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from math import ceil

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.building.liquid import estimated_volume
from topdown.errors import BeadTableError, SettingsError
from topdown.model import BeadTable, CGMolecule
from topdown.tables import load_molecule

#: phase -> (curated solvent models to look for in a bead table, first found wins; remark for the user)
PHASES: dict[str, tuple[tuple[str, ...], str]] = {
    "gas": ((), "ideal gas, 1 mol/L"),
    "water": (("W",), ""),
    "octanol": (("OCO",), "dry octanol: measured values are for octanol saturated with water"),
    "hexadecane": (("HD",), ""),
    "dodecane": (("DOD",), ""),
    "octane": (("OCT",), ""),
    "hexane": (("HEX",), ""),
    "chloroform": (("CLF",), ""),
    "carbon tetrachloride": (("TCM",), ""),
    "benzene": (("BENZ",), ""),
    "cyclohexane": (("CHEX",), ""),
    "diethyl ether": (("ETH",), ""),
}
#: Smallest number of beads in a solvent box.
MIN_BEADS = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class Phase:
    """A phase of a bead table: its solvent model (None for the gas) and what the user must know about it."""

    name: str
    solvent: CGMolecule | None
    remark: str


def find_phase(name: str, table_name: str) -> Phase:
    """The phase called ``name`` for the solvent models of a bead table.

    Raises
    ------
    SettingsError
        An unknown phase, or one for which the table has no solvent model.
    """
    key = name.strip().lower()
    if key not in PHASES:
        near = get_close_matches(key, list(PHASES), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(PHASES)}"
        raise SettingsError(f"no phase {name!r}", hint=hint)
    models, remark = PHASES[key]
    if not models:
        return Phase(name=key, solvent=None, remark=remark)
    for model in models:
        try:
            return Phase(name=key, solvent=load_molecule(table_name, model), remark=remark)
        except BeadTableError:
            continue
    raise SettingsError(f"bead table {table_name} has no solvent model for {key}", hint="choose another phase")


def solvent_count(solute: CGMolecule, solvent: CGMolecule, table: BeadTable) -> int:
    """How many solvent molecules: at least 400 beads, and an edge of two cut-offs and the solute's length."""
    shape = conformation_of(solute)
    length = float(np.linalg.norm(shape[:, None] - shape[None, :], axis=-1).max())
    edge = 2.0 * table.scheme.cutoff + length + 0.35
    by_edge = edge**3 / estimated_volume(solvent, table)
    return ceil(max(by_edge, MIN_BEADS / solvent.n_beads))
