"""A mapped molecule in three dimensions: one HTML file that needs no network, drawn by 3Dmol.js.

3Dmol.js (N. Rego and D. Koes, Bioinformatics 31, 1322 (2015), doi:10.1093/bioinformatics/btu829; BSD-3-Clause) travels with the
package and is copied into every page. A content security policy keeps the page from loading anything.
"""

from __future__ import annotations

from string import Template
from typing import Any

import numpy as np

from topdown.mapping.all_atoms import all_atoms, placed_atoms
from topdown.model import CGMolecule
from topdown.report.bead_colors import CLASSES, bead_colors, classes_present
from topdown.report.page_parts import library_parts, page_asset, page_text, script_data

#: Radii [Å] of the spheres of R, S and T beads: half of the smallest σ of each size, so that beads can be told apart.
_RADII = {"R": 1.9, "S": 1.65, "T": 1.4}
_ANGSTROM_PER_NM = 10.0


def mapping_html(molecule: CGMolecule, *, seed: int = 1) -> str:
    """The page of a mapped molecule.

    Parameters
    ----------
    molecule : CGMolecule
        With positions.
    seed : int
        Seed it was mapped with: the atoms are those of the same conformer.

    Returns
    -------
    str
        A stand-alone HTML document.
    """
    coordinates, same = placed_atoms(molecule, seed=seed)
    scene = _scene(molecule, coordinates)
    if not len(coordinates):
        note = "No conformer of the atoms could be made; the beads are shown alone."
    elif same:
        note = "Atoms: the conformer that the bead coordinates come from."
    else:
        note = "Atoms: a conformer near the bead coordinates, which were made another way."
    return Template(page_asset("mapping.html")).substitute(
        title=page_text(molecule.name),
        smiles=page_text(molecule.canonical_smiles),
        summary=page_text(
            f"{molecule.table}, {molecule.n_beads} bead{'s' if molecule.n_beads > 1 else ''}, "
            f"charge {_charge(molecule.charge)} e, {molecule.molar_mass:.2f} g/mol"
        ),
        note=page_text(note),
        legend="".join(
            f'<span><i style="background:{CLASSES[c][1][0]}"></i>{c} {CLASSES[c][0]}</span>'
            for c in classes_present(molecule.beads)
        ),
        rows="\n".join(_row(molecule, k, color) for k, (color, _) in enumerate(bead_colors(molecule))),
        warnings="".join(f"<p>{page_text(warning)}</p>" for warning in molecule.warnings),
        scene=script_data(scene),
        **library_parts(),
    )


def _charge(value: float) -> str:
    return f"{value:+g}" if value else "0"


def _row(molecule: CGMolecule, k: int, color: str) -> str:
    bead = molecule.beads[k]
    atoms = ", ".join(map(str, bead.atoms)) or "none"
    return (
        f'<tr data-bead="{k}"><td><i style="background:{color}"></i>{page_text(bead.name)}</td>'
        f"<td><b>{page_text(bead.bead_type)}</b></td><td>{atoms}</td><td>{_charge(bead.charge)}</td>"
        f"<td>{bead.confidence:.0%}</td><td>{page_text(bead.reason)}</td></tr>"
    )


def _scene(molecule: CGMolecule, coordinates: Any) -> dict[str, Any]:
    """Atoms, bonds and beads in Å, as the script of the page reads them."""
    assert molecule.positions is not None
    atoms: list[dict[str, Any]] = []
    if len(coordinates):
        described = all_atoms(molecule)
        near: list[list[int]] = [[] for _ in described.elements]
        orders: list[list[float]] = [[] for _ in described.elements]
        for i, j, order in described.bonds:
            near[i].append(j)
            near[j].append(i)
            orders[i].append(order)
            orders[j].append(order)
        for k, element in enumerate(described.elements):
            x, y, z = (round(float(v) * _ANGSTROM_PER_NM, 3) for v in coordinates[k])
            atoms.append(
                {"elem": element, "x": x, "y": y, "z": z, "bonds": near[k], "bondOrder": [round(o) for o in orders[k]]}
            )
    colors = bead_colors(molecule)
    beads = []
    for k, bead in enumerate(molecule.beads):
        x, y, z = (round(float(v) * _ANGSTROM_PER_NM, 3) for v in np.asarray(molecule.positions)[k])
        size = bead.bead_type[:1] if bead.bead_type[:1] in ("S", "T") and len(bead.bead_type) > 2 else "R"
        beads.append(
            {"x": x, "y": y, "z": z, "radius": _RADII[size], "color": colors[k][0], "text": colors[k][1],
             "label": f"{bead.name} {bead.bead_type}"}
        )  # fmt: skip
    links = [
        {"atoms": list(pair), "kind": kind}
        for kind, terms in (("bond", molecule.bonds), ("constraint", molecule.constraints))
        for pair in (term.atoms for term in terms)
    ]
    links += [{"atoms": [v.site, other], "kind": "site"} for v in molecule.virtual_sites for other in v.atoms]
    return {"atoms": atoms, "beads": beads, "links": links}
