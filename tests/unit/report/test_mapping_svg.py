"""The picture of a mapping."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from topdown.errors import MoleculeError
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.bead_graph import connectivity
from topdown.report import mapping_png as mapping_png_module
from topdown.report import mapping_svg as mapping_svg_module
from topdown.report.mapping_svg import mapping_svg
from topdown.tables import load_bead_table, load_molecule

M3 = load_bead_table("martini3")
SVG = "{http://www.w3.org/2000/svg}"
MOLECULES = {
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "cholesterol": "C[C@H](CCCC(C)C)[C@H]1CC[C@@H]2[C@@]1(CC[C@H]3[C@H]2CC=C4[C@@]3(CC[C@@H](C4)O)C)C",
    "octanol": "CCCCCCCCO",
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "methane": "C",
    "water": "O",
}


def drawn(smiles, name="x"):
    molecule = map_molecule(smiles, M3, name=name, conformers=False)
    return molecule, ElementTree.fromstring(mapping_svg(molecule).encode())


def label_boxes(root):
    """The white boxes the labels stand in."""
    found = [r for r in root.iter(f"{SVG}rect") if r.get("rx") == "6"]
    return [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in found]


@pytest.mark.parametrize("name", MOLECULES)
def test_every_bead_is_labelled_and_in_the_legend(name):
    molecule, root = drawn(MOLECULES[name], name)
    texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    assert any(name in text for text in texts)
    for bead in molecule.beads:
        label = f"{bead.name} {bead.bead_type}"
        assert label in texts
        assert any(text.startswith(label) and "confidence" in text for text in texts)


@pytest.mark.parametrize("name", MOLECULES)
def test_labels_do_not_overlap_and_lie_inside(name):
    molecule, root = drawn(MOLECULES[name], name)
    boxes = label_boxes(root)
    assert len(boxes) == molecule.n_beads
    left, top, width, height = (float(v) for v in root.get("viewBox").split())
    for i, (x, y, w, h) in enumerate(boxes):
        assert left <= x
        assert x + w <= left + width
        assert top <= y
        assert y + h <= top + height
        for u, v, other_w, other_h in boxes[:i]:
            assert x + w <= u or u + other_w <= x or y + h <= v or v + other_h <= y


def test_neighbouring_beads_have_different_colours():
    molecule, root = drawn(MOLECULES["cholesterol"])
    swatches = [r.get("fill") for r in root.iter(f"{SVG}rect") if r.get("rx") == "4"]
    assert len(swatches) == molecule.n_beads
    mol = parse_smiles(molecule.smiles).mol
    for i, j in connectivity(mol, [bead.atoms for bead in molecule.beads]).edges:
        assert swatches[i] != swatches[j]


def test_every_atom_lies_in_the_patch_of_its_bead():
    molecule, root = drawn("Cc1ccccc1")
    patches = [g for g in root.iter(f"{SVG}g") if g.get("opacity") == "0.5"]
    assert [len(list(g.iter(f"{SVG}circle"))) for g in patches] == [len(bead.atoms) for bead in molecule.beads]
    assert sum(len(bead.atoms) for bead in molecule.beads) == 10


def test_names_are_escaped():
    text = mapping_svg(map_molecule("CCO", M3, name='<script>"&\x07\n', conformers=False))
    assert "<script>" not in text
    root = ElementTree.fromstring(text.encode())
    assert root.find(f"{SVG}title").text.startswith('<script>"&')


def test_same_molecule_same_bytes():
    molecule = map_molecule("CCO", M3, conformers=False)
    assert mapping_svg(molecule) == mapping_svg(molecule)
    assert not re.search(r"nan|inf", mapping_svg(molecule).replace("confidence", ""))


def test_a_model_without_smiles_has_no_picture():
    with pytest.raises(MoleculeError):
        mapping_svg(load_molecule("martini3", "NA"))


@pytest.mark.parametrize("name", ["octanol", "caffeine", "cholesterol"])
def test_the_png_is_drawn_at_its_scale_with_room_for_labels(name, monkeypatch):
    """RDKit fills the panel, whatever bond length it is told; small molecules came out so large that labels lay on atoms."""
    seen = []

    def place_labels(molecule, drawing):
        seen.append((drawing, placed := mapping_svg_module.place_labels(molecule, drawing)))
        return placed

    monkeypatch.setattr(mapping_png_module, "place_labels", place_labels)
    picture = mapping_png_module.mapping_png(map_molecule(MOLECULES[name], M3, name=name, conformers=False))
    assert picture.startswith(b"\x89PNG")
    ((drawing, (boxes, _)),) = seen
    for i, j in drawing.bonds:
        apart = math.dist(drawing.atoms[i], drawing.atoms[j])
        assert 0.75 * mapping_svg_module.BOND_PX < apart < 1.1 * mapping_svg_module.BOND_PX
    for left, top, right, bottom in boxes:
        assert not any(left < x < right and top < y < bottom for x, y in drawing.atoms)
