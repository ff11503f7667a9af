"""Ions of one atom: one table for the published beads and for the class by rule."""

import pytest

from topdown.mapping import map_molecule
from topdown.mapping.ions import ION_CLASSES, published_ion
from topdown.mapping.type_estimate import type_parts
from topdown.tables import load_bead_table

IONS = {"[Na+]": 11, "[K+]": 19, "[Ca+2]": 20, "[Cl-]": 17, "[Br-]": 35, "[I-]": 53}


@pytest.mark.parametrize("smiles", IONS)
def test_ions_get_their_published_bead_and_the_rule_its_class(smiles):
    bead_type, confidence, reason = published_ion(smiles, "martini3")
    (bead,) = map_molecule(smiles, load_bead_table("martini3"), conformers=False).beads
    assert (bead.bead_type, bead.confidence, bead.reason) == (bead_type, confidence, reason)
    assert ION_CLASSES[IONS[smiles]] == type_parts(bead_type, "martini3").core


def test_what_has_no_model_follows_the_rule():
    assert published_ion("[F-]", "martini3") is None
    assert published_ion("CC", "martini3") is None
    (bead,) = map_molecule("[F-]", load_bead_table("martini3"), conformers=False).beads
    assert type_parts(bead.bead_type, "martini3").core == ION_CLASSES[9] == "Q5"
