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

#: Pixels per unit of the SVG; room [px] for labels beside the molecule, and above and below it, of which a rim stays free, and
#: for the row of classes; largest side [px].
_SCALE = 2.0
_ROOM = (190, 120)
_RIM = 10
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
        width, height, bond, free = _size(mol)
        drawer = rdMolDraw2D.MolDraw2DCairo(width, height + _LEGEND, width, height)
        _set_options(drawer.drawOptions(), bond, free)
        atoms, bonds = _highlights(molecule, mol, [_light(fill) for fill, _ in colors])
        drawer.DrawMoleculeWithHighlights(
            rdMolDraw2D.PrepareMolForDrawing(mol, kekulize=True), "", atoms, bonds, dict.fromkeys(atoms, 0.42), {}
        )
        points = [drawer.GetDrawCoords(k) for k in range(mol.GetNumAtoms())]
        boxes, _ = place_labels(molecule, _drawing(mol, points, width, height))
        placed = [_inside(box, width, height) for box in boxes]
        for k, bead in enumerate(molecule.beads):
            _leader(drawer, placed[k], [points[atom] for atom in bead.atoms], _light(colors[k][1]))
        for k, bead in enumerate(molecule.beads):
            _label(drawer, placed[k], f"{bead.name} {bead.bead_type}", _rgb(colors[k][1]))
        _legend(drawer, classes_present(molecule.beads), height)
        drawer.FinishDrawing()
        return bytes(drawer.GetDrawingText())


def _size(mol: Any) -> tuple[int, int, float, float]:
    """Width and height of the panel [px], its bond length [px], and the part of it that stays free at either end."""
    places = mol.GetConformer().GetPositions()
    span = (places.max(axis=0) - places.min(axis=0)) / 1.5
    bond = min(_SCALE * BOND_PX, (_LARGEST - 2 * max(_ROOM)) / max(1.0, float(span.max())))
    width, height = (int(span[k] * bond) + 2 * _ROOM[k] for k in (0, 1))
    filled = max(span[0] * bond / width, span[1] * bond / height, 0.1)
    return width, height, bond, float(1.0 - filled) / 2.0


def _set_options(options: Any, bond: float, free: float) -> None:
    options.fixedBondLength = bond
    options.fixedFontSize = max(12, int(0.42 * bond))
    options.bondLineWidth = 3
    options.padding = free  # the rest is filled, whatever fixedBondLength says
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
    dx = max(_RIM - left, 0.0) or min(width - _RIM - right, 0.0)
    dy = max(_RIM - top, 0.0) or min(height - _RIM - bottom, 0.0)
    return left + dx, top + dy, right + dx, bottom + dy


def _leader(drawer: Any, box: Box, atoms: list[Any], ink: _Color) -> None:
    """A thin line from the middle of a bead to its label, which is drawn over its end."""
    middle = Point2D(sum(p.x for p in atoms) / len(atoms), sum(p.y for p in atoms) / len(atoms))
    drawer.SetColour(ink)
    drawer.SetLineWidth(1)
    drawer.DrawLine(middle, Point2D((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), True)


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
