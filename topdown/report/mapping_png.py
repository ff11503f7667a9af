"""The picture of a mapping as PNG, drawn by RDKit's Cairo drawer: atoms in the colours of their beads, with labels."""

from __future__ import annotations

from typing import Any

from rdkit import rdBase
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

from topdown.mapping.smiles import NO_LIMITS, parse_smiles
from topdown.model import CGMolecule
from topdown.report.bead_colors import CLASSES, bead_colors, classes_present
from topdown.report.mapping_svg import BOND_PX, Box, Drawing, drawn_atoms, laid_out, place_labels

#: Pixels per unit of the SVG; room [px] around the molecule for labels, and for the row of classes; largest side [px].
_SCALE = 2.0
_ROOM = 190
_LEGEND = 56
_LARGEST = 6000
_Color = tuple[float, float, float]


def mapping_png(molecule: CGMolecule) -> bytes:
    """A PNG of a mapped molecule with its beads: like :func:`topdown.report.mapping_svg.mapping_svg`.

    Raises
    ------
    MoleculeError
        The molecule has no SMILES (a curated model).
    """
    molecule = drawn_atoms(molecule)
    colors = bead_colors(molecule)
    with rdBase.BlockLogs():
        mol = laid_out(parse_smiles(molecule.smiles, largest_fragment=True, limits=NO_LIMITS).mol)
        width, height, bond = _size(mol)
        drawer = rdMolDraw2D.MolDraw2DCairo(width, height + _LEGEND, width, height)
        _set_options(drawer.drawOptions(), bond)
        atoms, bonds = _highlights(molecule, mol, [_light(fill) for fill, _ in colors])
        drawer.DrawMoleculeWithHighlights(
            rdMolDraw2D.PrepareMolForDrawing(mol, kekulize=True), "", atoms, bonds, dict.fromkeys(atoms, 0.42), {}
        )
        points = [drawer.GetDrawCoords(k) for k in range(mol.GetNumAtoms())]
        boxes, _ = place_labels(molecule, _drawing(mol, points, width, height))
        for k, bead in enumerate(molecule.beads):
            _label(drawer, _inside(boxes[k], width, height), f"{bead.name} {bead.bead_type}", _rgb(colors[k][1]))
        _legend(drawer, classes_present(molecule.beads), height)
        drawer.FinishDrawing()
        return bytes(drawer.GetDrawingText())


def _size(mol: Any) -> tuple[int, int, float]:
    """Width and height of the panel [px] and the bond length it is drawn with [px]."""
    places = mol.GetConformer().GetPositions()
    span = (places.max(axis=0) - places.min(axis=0)) / 1.5
    bond = min(_SCALE * BOND_PX, (_LARGEST - 2 * _ROOM) / max(1.0, float(span.max())))
    return int(span[0] * bond) + 2 * _ROOM, int(span[1] * bond) + 2 * _ROOM, bond


def _set_options(options: Any, bond: float) -> None:
    options.fixedBondLength = bond
    options.fixedFontSize = max(12, int(0.42 * bond))
    options.bondLineWidth = 3
    options.padding = 0.08
    options.useBWAtomPalette()
    options.fillHighlights = True
    options.atomHighlightsAreCircles = True
    options.highlightBondWidthMultiplier = 16


def _highlights(
    molecule: CGMolecule, mol: Any, fills: list[_Color]
) -> tuple[dict[int, list[_Color]], dict[int, list[_Color]]]:
    """Colours of atoms and of the bonds inside beads; a shared atom has those of both its beads."""
    atoms: dict[int, list[_Color]] = {}
    bonds: dict[int, list[_Color]] = {}
    for bead, fill in zip(molecule.beads, fills):
        for atom in bead.atoms:
            atoms.setdefault(atom, []).append(fill)
        for bond in mol.GetBonds():
            if bond.GetBeginAtomIdx() in bead.atoms and bond.GetEndAtomIdx() in bead.atoms:
                bonds.setdefault(bond.GetIdx(), []).append(fill)
    return atoms, bonds


def _drawing(mol: Any, points: list[Any], width: int, height: int) -> Drawing:
    """The drawing in the units of the SVG, for the placing of labels."""
    return Drawing(
        body="",
        atoms=tuple((p.x / _SCALE, p.y / _SCALE) for p in points),
        bonds=tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()),
        lettered=tuple(atom.GetAtomicNum() != 6 for atom in mol.GetAtoms()),
        width=width / _SCALE,
        height=height / _SCALE,
    )


def _inside(box: Box, width: int, height: int) -> Box:
    """The box in pixels, moved into the picture."""
    left, top, right, bottom = (_SCALE * value for value in box)
    dx = max(4 - left, 0.0) or min(width - 4 - right, 0.0)
    dy = max(4 - top, 0.0) or min(height - 4 - bottom, 0.0)
    return left + dx, top + dy, right + dx, bottom + dy


def _label(drawer: Any, box: Box, text: str, ink: _Color) -> None:
    left, top, right, bottom = box
    corners = [Point2D(left, top), Point2D(right, top), Point2D(right, bottom), Point2D(left, bottom)]
    drawer.SetFillPolys(True)
    drawer.SetColour((1.0, 1.0, 1.0))
    drawer.DrawPolygon(corners, True)
    drawer.SetFillPolys(False)
    drawer.SetColour(ink)
    drawer.SetLineWidth(2)
    drawer.DrawPolygon([*corners, corners[0]], True)
    drawer.SetFontSize(25)
    drawer.DrawString(text, Point2D((left + right) / 2, (top + bottom) / 2), 0, True)


def _legend(drawer: Any, classes: list[str], height: int) -> None:
    x, y = 24.0, height + _LEGEND / 2
    for name in classes:
        text = f"{name} {CLASSES[name][0]}"
        drawer.SetFillPolys(True)
        drawer.SetColour(_rgb(CLASSES[name][1][0]))
        drawer.DrawEllipse(Point2D(x, y - 9), Point2D(x + 18, y + 9), True)
        drawer.SetColour((0.25, 0.25, 0.25))
        drawer.SetFontSize(21)
        drawer.DrawString(text, Point2D(x + 40, y), 1, True)
        x += 84 + 12.5 * len(text)


def _light(color: str) -> _Color:
    """The colour mixed with white, so that atoms stay legible on it."""
    r, g, b = (0.35 + 0.65 * value for value in _rgb(color))
    return r, g, b


def _rgb(color: str) -> _Color:
    return tuple(int(color[k : k + 2], 16) / 255 for k in (1, 3, 5))  # type: ignore[return-value]
