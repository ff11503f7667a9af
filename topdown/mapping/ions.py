"""Ions of one atom: their beads are those of the published ion models, not of any fragment.

Nothing else knows them: :func:`published_ion` gives the bead of a whole molecule that is such an ion, :data:`ION_CLASSES` the
class that the rules of :mod:`topdown.mapping.functional_groups` give an ion whose bead type a table lacks.
"""

from __future__ import annotations

from collections.abc import Mapping

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


#: Atomic number of each.
_ELEMENTS = {"[Na+]": 11, "[K+]": 19, "[Ca+2]": 20, "[Cl-]": 17, "[Br-]": 35, "[I-]": 53}
_FLUORINE, _CHLORINE = 9, 17


def _classes() -> dict[int, str]:
    """The class of each Martini 3 ion: its type without the size. Fluoride, which has no model, follows chloride."""
    found = {_ELEMENTS[ion]: bead_type.lstrip("ST") for ion, (bead_type, _, _) in _IONS["martini3"].items()}
    return {**found, _FLUORINE: found[_CHLORINE]}


#: Atomic number → class in Martini 3; in Martini 2 the sign decides.
ION_CLASSES: Mapping[int, str] = _classes()


def published_ion(canonical_smiles: str, style: str) -> tuple[str, float, str] | None:
    """(bead type, confidence, reason) of a monatomic ion, or ``None`` when it is none, or none that has a model.

    Parameters
    ----------
    canonical_smiles : str
    style : {"martini3", "martini2"}
    """
    return _IONS.get(style, {}).get(canonical_smiles)
