"""The page in 3D and the PNG."""

import json
import re
import struct
from dataclasses import replace

import numpy as np
import pytest

from topdown.mapping.all_atoms import all_atoms, placed_atoms
from topdown.mapping.mapper import map_molecule
from topdown.report.bead_colors import bead_class, bead_colors
from topdown.report.mapping_html import mapping_html
from topdown.report.mapping_png import mapping_png
from topdown.tables import load_bead_table, load_molecule

M3 = load_bead_table("martini3")
NAME = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202e"


@pytest.fixture(scope="module")
def molecule():
    return map_molecule("Cc1ccc(CCC(=O)[O-])cc1", M3, name=NAME, seed=3)


def own_part(page):
    """The page without the library that it carries."""
    return re.sub(r"<script>/\*!.*?</script>", "", page, flags=re.DOTALL)


def test_names_are_escaped_and_nothing_is_loaded(molecule):
    page = own_part(mapping_html(molecule, seed=3))
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page
    assert "\u202e" not in page
    assert page.count("<script>") == page.count("</script>") == 1
    assert not re.search(r"<\w[^<>]*\s(?:src|href)\s*=", page)
    assert "https://" not in page.replace("https://github.com/mrdoob/three.js", "")
    assert "default-src 'none'" in page


def test_the_scene_holds_all_atoms_and_beads(molecule):
    page = mapping_html(molecule, seed=3)
    scene = json.loads(re.search(r"const scene = (\{.*\});", page)[1])
    assert len(scene["atoms"]) == 12 + 11
    assert len(scene["beads"]) == molecule.n_beads
    assert [b["x"] / 10 for b in scene["beads"]] == pytest.approx(list(molecule.positions[:, 0]), abs=1e-3)
    degree = [len(atom["bonds"]) for atom in scene["atoms"]]
    assert sum(degree) == 2 * 23
    assert "Atoms: the conformer that" in page


def test_atoms_lie_where_the_beads_are(molecule):
    coordinates, same = placed_atoms(molecule, seed=3)
    assert same
    atoms = all_atoms(molecule)
    for bead, position in zip(molecule.beads, np.asarray(molecule.positions)):
        own = [k for k, parent in enumerate(atoms.parents) if atoms.places[parent] in bead.atoms]
        assert np.linalg.norm(coordinates[own].mean(axis=0) - position) < 0.08
    moved = replace(molecule, positions=np.asarray(molecule.positions) * 1.5)
    assert not placed_atoms(moved, seed=3)[1]


def test_png_is_a_picture_of_reasonable_size(molecule):
    data = mapping_png(molecule)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert 300 < width < 6100
    assert 300 < height < 6100
    assert mapping_png(molecule) == data
    long = mapping_png(map_molecule("C" * 300, M3, conformers=False))
    assert struct.unpack(">I", long[16:20])[0] <= 6100


def test_classes_decide_colours():
    molecule = map_molecule("CCCCCCCCOP(=O)([O-])OCC[N+](C)(C)C", M3, conformers=False)
    classes = [bead_class(bead) for bead in molecule.beads]
    assert classes[0] == "C"
    assert classes[-2:] == ["Q-", "Q+"]
    colors = bead_colors(molecule)
    assert len({fill for fill, _ in colors[:2]}) == 2  # neighbours of one class
    assert colors[0][1] == colors[1][1]
    assert [bead_class(bead) for bead in load_molecule("martini3", "W").beads] == ["W"]
