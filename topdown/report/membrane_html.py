"""A membrane system in three dimensions: one HTML file that needs no network, drawn by 3Dmol.js as the page of a mapping is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from string import Template
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from topdown.formats.gro import wrapped_positions
from topdown.formats.naming import bead_names, component_names
from topdown.model import CGMolecule, System
from topdown.report.bead_colors import CLASSES, bead_class, bead_colors
from topdown.report.page_parts import library_parts, page_asset, page_text, script_data

FloatArray = npt.NDArray[np.float64]

#: Radii [Å] of the spheres of R, S and T beads: half of the smallest σ of each size.
_RADII: Final = {"R": 2.3, "S": 2.0, "T": 1.7}
#: Colours of solutes, so that they stand out from lipids; one each, then again.
_SOLUTE_COLORS: Final = ("#d81b8c", "#1b9e3e", "#e07b00", "#2456d6", "#8c3fc4", "#0f8f8f")
#: Beads that a page can show at a bearable speed; water is left out beyond.
MOST_BEADS: Final = 40000


def membrane_html(system: System, lipids: Collection[str], solvent: Collection[str], *, note: str = "") -> str:
    """The page of a membrane.

    Parameters
    ----------
    system : System
    lipids, solvent : collection of str
        Names of the lipids, and of water and ions; everything else is a solute.
    note : str
        A sentence below the title.

    Returns
    -------
    str
        A stand-alone HTML document.
    """
    left_out = system.n_beads > MOST_BEADS
    scene, rows = _scene(system, lipids, solvent, without_water=left_out)
    edges = " × ".join(f"{edge:.2f}" for edge in system.box)
    remark = f" Water is left out of this page: {system.n_beads} beads are too many to draw." if left_out else ""
    return Template(page_asset("membrane.html")).substitute(
        title=page_text(_composition(system)),
        summary=page_text(f"{system.table.name}, {system.n_beads} beads in {edges} nm"),
        note=page_text(note + remark),
        rows="\n".join(rows),
        scene=script_data(scene),
        **library_parts(),
    )


def _scene(
    system: System, lipids: Collection[str], solvent: Collection[str], *, without_water: bool
) -> tuple[dict[str, Any], list[str]]:
    """Kinds of molecule with their beads and bonds, and whole coordinates in pm, as the script of the page reads them."""
    positions = wrapped_positions(system)
    middle = _middle(system, positions, lipids)
    kinds: list[dict[str, Any]] = []
    rows: list[str] = []
    start = n_solutes = 0
    for (molecule, count), label in zip(system.components, component_names(system)):
        stop = start + molecule.n_beads * count
        role = "lipid" if molecule.name in lipids else "solvent" if molecule.name in solvent else "solute"
        color = ""
        if role == "solute":
            color = _SOLUTE_COLORS[n_solutes % len(_SOLUTE_COLORS)]
            n_solutes += 1
        if not (without_water and role == "solvent"):
            kinds.append(
                {
                    "name": label,
                    "role": role,
                    "count": count,
                    "beads": _beads(molecule, color),
                    "links": [list(pair) for pair in _links(molecule)],
                    "at": [round(v) for v in (positions[start:stop] * 1000.0).ravel().tolist()],
                }
            )
        swatch = color or bead_colors(molecule)[0][0]
        place = _leaflet(positions[start:stop], middle) if role == "lipid" else ""
        rows.append(
            f'<tr><td><i style="background:{swatch}"></i>{page_text(label)}</td><td>{page_text(molecule.name)}</td>'
            f"<td>{role}{place}</td><td>{count}</td><td>{page_text(molecule.canonical_smiles)}</td></tr>"
        )
        start = stop
    return {"kinds": kinds, "box": [round(float(edge) * 10.0, 3) for edge in system.box]}, rows


def _composition(system: System) -> str:
    """``104 POPC, 44 CHOL, 1376 W``: every kind of molecule once."""
    counts: Counter[str] = Counter()
    for molecule, count in system.components:
        counts[molecule.name] += count
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _middle(system: System, positions: FloatArray, lipids: Collection[str]) -> float:
    """Mean height of the beads of lipids [nm]."""
    sizes = [molecule.n_beads * count for molecule, count in system.components]
    heights = positions[np.repeat([molecule.name in lipids for molecule, _ in system.components], sizes), 2]
    return float(heights.mean()) if len(heights) else 0.0


def _leaflet(positions: FloatArray, middle: float) -> str:
    """Where beads of lipids are, or nothing where they are in both leaflets."""
    above = float(np.mean(positions[:, 2] > middle)) if len(positions) else 0.5
    return ", upper leaflet" if above > 0.9 else ", lower leaflet" if above < 0.1 else ""


def _beads(molecule: CGMolecule, color: str) -> list[dict[str, Any]]:
    beads = []
    for bead, name, (fill, _) in zip(molecule.beads, bead_names(molecule), bead_colors(molecule)):
        size = bead.bead_type[:1] if bead.bead_type[:1] in ("S", "T") and len(bead.bead_type) > 2 else "R"
        kind = bead_class(bead)
        beads.append(
            {
                "name": name,
                "type": bead.bead_type,
                "class": CLASSES[kind][0],
                "radius": _RADII[size],
                "color": color or fill,
                "tail": kind in ("C", "X"),
            }
        )
    return beads


def _links(molecule: CGMolecule) -> list[tuple[int, int]]:
    """Pairs of beads that a stick is drawn between: bonds and constraints, and each virtual site with its first bead."""
    held = [*(bond.atoms for bond in molecule.bonds), *(constraint.atoms for constraint in molecule.constraints)]
    pairs = {(min(pair), max(pair)) for pair in held}
    linked = {k for pair in pairs for k in pair}
    pairs |= {
        (min(v.site, v.atoms[0]), max(v.site, v.atoms[0])) for v in molecule.virtual_sites if v.site not in linked
    }
    return sorted((int(i), int(j)) for i, j in pairs)
