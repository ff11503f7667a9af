"""The picture of a mapping: the molecule with its beads as coloured patches, labelled, and a legend."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from topdown.errors import MoleculeError
from topdown.mapping.bead_graph import connectivity
from topdown.mapping.smiles import NO_LIMITS, parse_smiles
from topdown.model import Bond, CGMolecule
from topdown.report.bead_colors import CLASSES, bead_colors, classes_present

BOND_PX = 38.0
BLOB_PX = 34.0
LABEL_HEIGHT = 19.0
_CHARACTER_PX = 7.4
_LEGEND_WIDTH = 236.0
_LEGEND_ROW = 24.0
_MARGIN = 14.0
_FONT = 'font-family="Helvetica, Arial, sans-serif"'

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The molecule as RDKit draws it: body of its SVG, atom positions and bonds [px], atoms drawn as letters, size."""

    body: str
    atoms: tuple[Point, ...]
    bonds: tuple[tuple[int, int], ...]
    lettered: tuple[bool, ...]
    width: float
    height: float


def mapping_svg(molecule: CGMolecule) -> str:
    """An SVG of a mapped molecule with its beads.

    Parameters
    ----------
    molecule : CGMolecule
        With ``smiles`` and beads that know their atoms, as :func:`topdown.mapping.map_molecule` returns it.

    Returns
    -------
    str
        A stand-alone SVG document; names are escaped.

    Raises
    ------
    MoleculeError
        The molecule has no SMILES (a curated model).
    """
    molecule = drawn_atoms(molecule)
    drawing = _draw(parse_smiles(molecule.smiles, largest_fragment=True, limits=NO_LIMITS).mol)
    colors = bead_colors(molecule)
    labels, box = place_labels(molecule, drawing)
    left, top = min(0.0, box[0]) - _MARGIN, min(0.0, box[1]) - _MARGIN - 26
    right, bottom = max(drawing.width, box[2]) + _MARGIN, max(drawing.height, box[3]) + _MARGIN
    classes = classes_present(molecule.beads)
    legend_height = 34 + _LEGEND_ROW * (molecule.n_beads + len(classes) + 0.5)
    height = max(bottom - top, legend_height + 40)
    width = right - left + _LEGEND_WIDTH
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}">',
        f"<title>{_text(molecule.name)}</title>",
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#ffffff"/>',
        f'<text x="{left + _MARGIN:.1f}" y="{top + 22:.1f}" {_FONT} font-size="15" font-weight="bold" '
        f'fill="#222222">{_text(_shortened(molecule.name, 60))}</text>',
    ]
    parts += [_blob(bead.atoms, drawing, colors[i][0]) for i, bead in enumerate(molecule.beads)]
    parts.append(f"<g>{drawing.body}</g>")
    for i, bead in enumerate(molecule.beads):
        parts.append(_label(labels[i], f"{bead.name} {bead.bead_type}", colors[i], center_of(bead.atoms, drawing)))
    parts += _legend(molecule, colors, right + 4, top + 40)
    parts += _class_legend(classes, right + 4, top + 40 + 22 + _LEGEND_ROW * (molecule.n_beads + 0.5))
    return "\n".join([*parts, "</svg>"]) + "\n"


def drawn_atoms(molecule: CGMolecule) -> CGMolecule:
    """The molecule with atoms numbered as they are drawn, and without beads that have none."""
    parsed = parse_smiles(molecule.smiles, largest_fragment=True, limits=NO_LIMITS)
    place = parsed.atom_of_written()
    kept = [k for k, bead in enumerate(molecule.beads) if bead.atoms]
    if not kept:
        raise MoleculeError("E_EMPTY", "none of its beads stands for atoms", where=molecule.name)
    beads = tuple(replace(molecule.beads[k], atoms=tuple(place[a] for a in molecule.beads[k].atoms)) for k in kept)
    # Bonds only tell which beads are neighbours, for the choice of shades.
    edges = connectivity(parsed.mol, [bead.atoms for bead in beads]).edges
    bonds = tuple(Bond(atoms=pair, length=0.3, force_constant=1.0) for pair in edges)
    return CGMolecule(name=molecule.name, beads=beads, bonds=bonds, smiles=molecule.smiles, table=molecule.table)


def _text(text: str) -> str:
    """Text fit for XML: escaped, without the control characters XML forbids."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def laid_out(mol: Any) -> Any:
    """A copy of the molecule with coordinates in the plane."""
    mol = Chem.Mol(mol)
    rdDepictor.SetPreferCoordGen(False)
    rdDepictor.Compute2DCoords(mol, canonOrient=True)
    return mol


def _draw(mol: Any) -> Drawing:
    with rdBase.BlockLogs():
        mol = laid_out(mol)
        drawer = rdMolDraw2D.MolDraw2DSVG(-1, -1)
        options = drawer.drawOptions()
        options.fixedBondLength = BOND_PX
        options.clearBackground = False
        options.padding = 0.1
        options.bondLineWidth = 2
        options.useBWAtomPalette()
        options.minFontSize = 12
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol, kekulize=True)
        drawer.FinishDrawing()
        svg = drawer.GetDrawingText()
        points = [drawer.GetDrawCoords(i) for i in range(mol.GetNumAtoms())]
    body = svg[svg.index("<!-- END OF HEADER -->") + len("<!-- END OF HEADER -->") : svg.rindex("</svg>")]
    return Drawing(
        body=body.strip(),
        atoms=tuple((p.x, p.y) for p in points),
        bonds=tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()),
        lettered=tuple(a.GetAtomicNum() != 6 for a in mol.GetAtoms()),
        width=float(drawer.Width()),
        height=float(drawer.Height()),
    )


def _blob(atoms: tuple[int, ...], drawing: Drawing, color: str) -> str:
    """Round strokes around the atoms of a bead and along the bonds between them, in one translucent layer."""
    inside = set(atoms)
    shapes = [
        f'<circle cx="{drawing.atoms[a][0]:.1f}" cy="{drawing.atoms[a][1]:.1f}" r="{BLOB_PX / 2:.1f}" stroke="none"/>'
        for a in atoms
    ]
    for i, j in drawing.bonds:
        if i in inside and j in inside:
            (x1, y1), (x2, y2) = drawing.atoms[i], drawing.atoms[j]
            shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    style = f'fill="{color}" stroke="{color}" stroke-width="{BLOB_PX:.0f}" stroke-linecap="round" opacity="0.5"'
    return f"<g {style}>{''.join(shapes)}</g>"


def center_of(atoms: tuple[int, ...], drawing: Drawing) -> Point:
    n = len(atoms)
    return sum(drawing.atoms[a][0] for a in atoms) / n, sum(drawing.atoms[a][1] for a in atoms) / n


def place_labels(molecule: CGMolecule, drawing: Drawing) -> tuple[list[Box], Box]:
    """A free box for each label near its bead, and the box around all of them."""
    obstacles = list(drawing.atoms)
    for i, j in drawing.bonds:
        (x1, y1), (x2, y2) = drawing.atoms[i], drawing.atoms[j]
        obstacles += [(x1 + f * (x2 - x1), y1 + f * (y2 - y1)) for f in (0.25, 0.5, 0.75)]
    obstacles += [(x + dx, y) for (x, y), big in zip(drawing.atoms, drawing.lettered) if big for dx in (-13.0, 13.0)]
    middle = (drawing.width / 2, drawing.height / 2)
    boxes: list[Box] = []
    for bead in molecule.beads:
        center = center_of(bead.atoms, drawing)
        width = _CHARACTER_PX * (len(bead.name) + len(bead.bead_type) + 1) + 12
        candidates = []
        for radius in (0.0, 26.0, 34.0, 42.0, 52.0, 64.0, 80.0, 100.0, 125.0):
            for step in range(24 if radius else 1):
                angle = 2 * math.pi * step / 24
                # Labels are wide: reach further sideways than up.
                x = (
                    center[0] + (radius + 0.35 * width * abs(math.cos(angle))) * math.cos(angle)
                    if radius
                    else center[0]
                )
                y = center[1] + radius * math.sin(angle)
                box = (x - width / 2, y - LABEL_HEIGHT / 2, x + width / 2, y + LABEL_HEIGHT / 2)
                candidates.append((_crowding(box, center, radius, obstacles, boxes, middle), step, radius, box))
        boxes.append(min(candidates)[3])
    return boxes, (
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    )


def _crowding(box: Box, center: Point, radius: float, obstacles: list[Point], boxes: list[Box], middle: Point) -> float:
    """How bad a place for a label is: on atoms and bonds, on other labels, far away, or inwards."""
    clear = 9.0
    hits = sum(box[0] - clear < x < box[2] + clear and box[1] - clear < y < box[3] + clear for x, y in obstacles)
    overlaps = sum(
        box[0] - 4 < other[2] and other[0] - 4 < box[2] and box[1] - 4 < other[3] and other[1] - 4 < box[3]
        for other in boxes
    )
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    inwards = math.hypot(center[0] - middle[0], center[1] - middle[1]) - math.hypot(x - middle[0], y - middle[1])
    return 30.0 * hits + 400.0 * overlaps + 0.5 * radius + 0.12 * inwards


def _label(box: Box, text: str, color: tuple[str, str], center: Point) -> str:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (
        f'<line x1="{center[0]:.1f}" y1="{center[1]:.1f}" x2="{x:.1f}" y2="{y:.1f}" stroke="{color[1]}" '
        'stroke-width="1" stroke-dasharray="2 2" opacity="0.7"/>'
        f'<rect x="{box[0]:.1f}" y="{box[1]:.1f}" width="{box[2] - box[0]:.1f}" height="{LABEL_HEIGHT:.1f}" rx="6" '
        f'fill="#ffffff" stroke="{color[1]}" stroke-width="1.2"/>'
        f'<text x="{x:.1f}" y="{y + 4.4:.1f}" {_FONT} font-size="12.5" font-weight="bold" text-anchor="middle" '
        f'fill="{color[1]}">{_text(text)}</text>'
    )


def _legend(molecule: CGMolecule, colors: list[tuple[str, str]], x: float, y: float) -> list[str]:
    charge = f", charge {molecule.charge:+g}" if molecule.charge else ""
    parts = [
        f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} font-size="12" fill="#555555">'
        f"{_text(f'{molecule.table}: {molecule.n_beads} bead' + ('s' if molecule.n_beads > 1 else '') + charge)}</text>"
    ]
    for i, bead in enumerate(molecule.beads):
        row = y + 22 + _LEGEND_ROW * i
        n = len(bead.atoms)
        note = f"{n} atom{'s' if n > 1 else ''}, confidence {bead.confidence:.0%}"
        parts.append(
            f'<rect x="{x:.1f}" y="{row - 11:.1f}" width="15" height="15" rx="4" fill="{colors[i][0]}" opacity="0.75"/>'
            f'<text x="{x + 23:.1f}" y="{row + 1.5:.1f}" {_FONT} font-size="12.5" fill="#222222">'
            f'<tspan font-weight="bold">{_text(bead.name)} {_text(bead.bead_type)}</tspan>'
            f'<tspan fill="#666666" dx="7" font-size="11">{_text(note)}</tspan></text>'
        )
    return parts


def _class_legend(classes: list[str], x: float, y: float) -> list[str]:
    return [
        f'<circle cx="{x + 7.5:.1f}" cy="{y + _LEGEND_ROW * k - 4:.1f}" r="6" fill="{CLASSES[name][1][0]}"/>'
        f'<text x="{x + 23:.1f}" y="{y + _LEGEND_ROW * k:.1f}" {_FONT} font-size="11" fill="#666666">'
        f"{_text(f'{name}: {CLASSES[name][0]}')}</text>"
        for k, name in enumerate(classes)
    ]
