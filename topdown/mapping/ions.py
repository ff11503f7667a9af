"""Ions of one atom: their beads are those of the published ion models, not of any fragment."""

from __future__ import annotations

from collections.abc import Mapping

from topdown.mapping.bead_typing import TypeChoice
from topdown.model import BeadTable

_M3 = "Souza 2021, doi:10.1038/s41592-021-01098-3, martini_v3.0.0_ions_v1"
_M2 = "Marrink 2007, doi:10.1021/jp071097f, martini_v2.0_ions"
#: Style of table -> canonical SMILES -> (bead type, confidence, reason).
_IONS: Mapping[str, Mapping[str, tuple[str, float, str]]] = {
    "martini3": {
        "[Na+]": ("TQ5", 1.0, f"published sodium ion [{_M3}]"),
        "[K+]": ("TQ5", 0.8, f"as the published sodium ion [{_M3}]"),
        "[Ca+2]": ("SD", 1.0, f"published calcium ion [{_M3}]"),
        "[Cl-]": ("TQ5", 1.0, f"published chloride ion [{_M3}]"),
        "[Br-]": ("SQ4", 1.0, f"published bromide ion [{_M3}]"),
        "[I-]": ("SQ2", 1.0, f"published iodide ion [{_M3}]"),
    },
    "martini2": {
        "[Na+]": ("Qd", 1.0, f"published sodium ion with its hydration shell [{_M2}]"),
        "[K+]": ("Qd", 0.8, f"as the published sodium ion [{_M2}]"),
        "[Ca+2]": ("Qd", 1.0, f"published calcium ion [{_M2}]"),
        "[Cl-]": ("Qa", 1.0, f"published chloride ion with its hydration shell [{_M2}]"),
    },
}


def ion_choice(canonical_smiles: str, style: str, table: BeadTable) -> TypeChoice | None:
    """The bead of a monatomic ion, or ``None`` when it is none, or none that ``table`` has the type of.

    Parameters
    ----------
    canonical_smiles : str
    style : {"martini3", "martini2"}
    table : BeadTable
    """
    bead_type, confidence, reason = _IONS.get(style, {}).get(canonical_smiles, ("", 0.0, ""))
    if not bead_type or bead_type not in table:
        return None
    return TypeChoice(
        bead_type=bead_type, reason=reason, confidence=confidence, alternatives=(), level="ion", support=""
    )
