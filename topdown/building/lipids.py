"""One lipid: which beads are head and tail ends, and how it stands in a leaflet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from topdown.building.conformation import initial_conformation, links, path_lengths
from topdown.building.liquid import BEAD_VOLUME
from topdown.errors import TopologyError
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray

#: Starting areas per lipid [nm²] near 300-330 K, rounded from the scattering work of Kučerka et al. (BBA 2011,
#: 10.1016/j.bbamem.2011.07.022), Pan et al. (BBA 2014, 10.1016/j.bbamem.2014.08.009), and Kučerka et al. for the
#: ethanolamines (J. Phys. Chem. B 2015, 10.1021/jp511159q); cholesterol: condensed area in fluid mixtures. Names are
#: those of chemistry, see :func:`starting_area`.
AREA_PER_LIPID: Final[dict[str, float]] = {
    "DLPC": 0.61, "DMPC": 0.60, "DPPC": 0.63, "DSPC": 0.64, "POPC": 0.65, "SOPC": 0.66, "DOPC": 0.68, "DIPC": 0.70,
    "DLPE": 0.53, "DPPE": 0.58, "POPE": 0.59, "SOPE": 0.58, "DOPE": 0.64, "DPPG": 0.65, "POPG": 0.65, "DMPG": 0.63,
    "POPS": 0.62, "DPSM": 0.60, "PSM": 0.60, "CHOL": 0.40,
}  # fmt: skip
DEFAULT_AREA: Final = 0.64
#: What lipids of a table deviate from measured areas on average [nm²]: Martini 3 over the 66 state points of its benchmark (K. B.
#: Pedersen et al., ACS Cent. Sci. 2025, 10.1021/acscentsci.5c00755); cholesterol keeps its area. Areas of single models: from
#: 2 ns of 5.5 x 5.5 nm at 310 K, 0.600 ± 0.002 and 0.648 ± 0.003 nm².
MODEL_DEVIATION: Final[dict[str, float]] = {"martini3": -0.034}
MODEL_AREA: Final[dict[tuple[str, str], float]] = {("martini3", "POPC"): 0.60, ("martini3", "DOPC"): 0.648}
#: How much a leaflet with a share x of a sterol is condensed: the mean area [nm²] is smaller by this times x (1 - x). From POPC
#: with 30 % of cholesterol at 310 K, 0.468 ± 0.002 nm² (OpenMM, the last 11 of 18 ns of 178 lipids).
CONDENSING: Final[dict[tuple[str, str], float]] = {("martini3", "CHOL"): 0.34}
#: Names of the table above for lipids that a force field calls otherwise: 12:0 is DUPC and 18:2 DLPC in Martini 3.
_NAMES_BY_SMILES: Final = {
    "CCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCC": "DLPC",
    "CCCCC/C=C\\C/C=C\\CCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCC/C=C\\C/C=C\\CCCCC": "DIPC",
}
#: Half the gap between the tips of the tails of the two leaflets [nm].
HALF_GAP: Final = 0.24
#: Volume of a lipid bead relative to the same bead in a liquid (DPPC: 1.23 nm³ for 12 beads), and mean height of the
#: polar beads as a fraction of the leaflet's thickness.
LIPID_PACKING: Final = 0.85
_HEAD_LEVEL: Final = 0.92


def starting_area(lipid: CGMolecule) -> float:
    """Area [nm²] a lipid starts with: that of its model where it is known, else the measured one and what lipids of its table
    deviate by.

    Lipids are known by their SMILES where names mislead, else by the name up to ``_``. Models of an earlier release, such as
    ``POPC_2021``, are taken to have the area of experiment.
    """
    stem, _, release = lipid.name.partition("_")
    name = _NAMES_BY_SMILES.get(lipid.canonical_smiles, stem)
    area = AREA_PER_LIPID.get(name, DEFAULT_AREA)
    if release or name == "CHOL":
        return area
    return MODEL_AREA.get((lipid.table, name), area + MODEL_DEVIATION.get(lipid.table, 0.0))


def starting_areas(*leaflets: Sequence[tuple[CGMolecule, float]]) -> dict[str, float]:
    """Areas [nm²] of the lipids of some leaflets by name, made smaller where a sterol condenses the leaflet.

    Parameters
    ----------
    *leaflets : sequences of (CGMolecule, float)
        Lipids and their shares. A lipid of two leaflets has the mean of what it has in each.
    """
    found: dict[str, list[float]] = {}
    for lipids in leaflets:
        whole = sum(share for _, share in lipids)
        areas = [starting_area(lipid) for lipid, _ in lipids]
        mean = sum(area * share for area, (_, share) in zip(areas, lipids)) / whole
        condensed = sum(
            CONDENSING.get((lipid.table, lipid.name), 0.0) * share / whole * (1.0 - share / whole)
            for lipid, share in lipids
        )
        for area, (lipid, _) in zip(areas, lipids):
            found.setdefault(lipid.name, []).append(area * (1.0 - condensed / mean))
    return {name: sum(areas) / len(areas) for name, areas in found.items()}


def is_apolar(bead_type: str, table: BeadTable) -> bool:
    """Whether beads of this type belong into the hydrocarbon core: chemical class C… (X…: halo-alkanes)."""
    chemical_class = table.bead_type(bead_type).chemical_class
    return chemical_class[:1] in ("C", "X")


def head_bead(lipid: CGMolecule, table: BeadTable) -> int:
    """The polar bead farthest along the bonds from the tails: what points into the water.

    Raises
    ------
    TopologyError
        The molecule has no polar or no apolar bead, and so no place in a bilayer.
    """
    apolar = np.array([is_apolar(name, table) for name in lipid.type_names])
    if apolar.all() or not apolar.any():
        raise TopologyError(
            f"a lipid needs polar and apolar beads, {lipid.name} has only {'apolar' if apolar.all() else 'polar'} ones",
            where=lipid.name,
            hint="molecules of one kind are placed with --place",
        )
    reach = path_lengths(lipid)[:, apolar].mean(axis=1)
    reach[apolar] = -1.0
    return int(np.argmax(reach))


def tail_ends(lipid: CGMolecule, table: BeadTable) -> tuple[int, ...]:
    """Apolar beads that end a tail: bound to at most one other bead; the farthest from the head if there are none.

    A virtual site is bound to the beads it is built from.
    """
    degree = np.zeros(lipid.n_beads, dtype=int)
    for i, j, _ in links(lipid):
        degree[[i, j]] += 1
    ends = [i for i, name in enumerate(lipid.type_names) if is_apolar(name, table) and degree[i] <= 1]
    if ends:
        return tuple(ends)
    reach = path_lengths(lipid)[head_bead(lipid, table)]
    return (int(np.argmax(reach)),)


def hanging_lipid(lipid: CGMolecule, table: BeadTable, area: float) -> FloatArray:
    """A lipid as tall as its volume over its ``area`` [nm²] lets it be in a fluid leaflet, head on top.

    Stretched tails would make the start a third too thick, and the box would come out with too little water.

    Returns
    -------
    (n_beads, 3) float64 [nm]
        The tip of the longest tail at z = 0, centred in x and y.

    Raises
    ------
    TopologyError
        No conformation has all tails below the head.
    """
    head = head_bead(lipid, table)
    ends = list(tail_ends(lipid, table))
    polar = [not is_apolar(name, table) for name in lipid.type_names]
    volume = LIPID_PACKING * sum(BEAD_VOLUME[table.bead_type(name).size] for name in lipid.type_names)
    extended = initial_conformation(lipid, root=head)
    stature = float((extended[polar, 2] - extended[:, 2].min()).mean())
    rise = min(max((_HEAD_LEVEL * volume / area - HALF_GAP) / stature, 0.5), 1.0)
    shape = initial_conformation(lipid, root=head, rise=rise)
    if shape[ends, 2].max() > shape[head, 2]:
        raise TopologyError(
            f"no conformation of {lipid.name} has its tails below its head", hint="it cannot stand in a bilayer"
        )
    hanging: FloatArray = shape - [*shape[:, :2].mean(axis=0), shape[:, 2].min()]
    return hanging
