"""Types that nobody published: charge and polarity of the fragment, and only what the table holds."""

import numpy as np
import pytest
from fragment_typing import M2, M3, choose, small_table
from rdkit import Chem

from topdown.errors import BeadTableError
from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.bead_typing import BuildingBlockIndex, choose_type
from topdown.mapping.type_estimate import (
    CLASSES,
    LABELS,
    SIZES,
    atom_free_energies,
    bead_free_energy,
    candidates,
    table_style,
    type_model,
    type_parts,
    type_probabilities,
    weighted_by_free_energy,
)
from topdown.mapping.type_features import bead_features


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
@pytest.mark.parametrize(
    ("smiles", "ionic"),
    [
        ("CC[S+](C)C", True),
        ("[O-]c1ccccc1", True),
        ("NC(=[NH2+])N", True),
        ("[O-]P([O-])(=O)OC", True),
        ("C[N+](=O)[O-]", False),
        ("C[N+](C)(C)[O-]", False),
        ("FC(F)(F)F", False),
        ("C[Si](C)(C)C", False),
        ("CB(O)O", False),
        ("C[Se]C", False),
    ],
)
def test_charge_and_type_agree_for_fragments_nobody_published(smiles, ionic, table):
    mol = Chem.MolFromSmiles(smiles)
    index = BuildingBlockIndex(())
    choice = choose_type(mol, tuple(range(mol.GetNumAtoms())), table, index=index)
    assert choice.level == "estimate"
    assert (table.bead_type(choice.bead_type).chemical_class[0] in "QD") == ionic


def test_estimates_follow_polarity():
    table, index = M3, BuildingBlockIndex(())

    def estimate(smiles):
        mol = Chem.MolFromSmiles(smiles)
        return choose_type(mol, tuple(range(mol.GetNumAtoms())), table, index=index).bead_type

    assert estimate("CCCC").endswith("C1")
    assert estimate("CC=C").lstrip("S").startswith("C4")
    assert estimate("CCCl") == "SX3"
    assert estimate("OCC(O)CO").lstrip("S").startswith("P")
    assert estimate("CCOC").startswith("N")
    assert estimate("CS").startswith("TC6")


def test_only_types_the_table_holds():
    table = small_table(["C1"], [])
    assert choose("CCO", range(3), table).bead_type == "C1"
    with pytest.raises(BeadTableError, match="no bead type for the fragment"):
        choose("C[NH3+]", range(2), table)


def test_water_and_dummy_types_are_no_estimates():
    with pytest.raises(BeadTableError):
        choose("CCO", range(3), small_table(["W", "U"]))


def test_style_follows_the_tiny_beads():
    assert table_style(M3) == "martini3"
    assert table_style(M2) == "martini2"


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
def test_the_model_gives_probabilities_of_types_of_the_right_charge(table):
    style = table_style(table)
    for smiles, ionic in (("CCO", False), ("CC[NH3+]", True), ("[O-]S(=O)(=O)[O-]", True), ("[NH3+]CC(=O)[O-]", False)):
        roles = atom_roles(Chem.MolFromSmiles(smiles))
        group = tuple(range(len(roles.names)))
        features, chemistry = bead_features(roles, group, frozenset(), style)
        found = type_probabilities(type_model(style), features, chemistry, roles.charge(group), table)
        assert found.sum() == pytest.approx(1.0)
        families = {table.bead_types[i].chemical_class[0] for i in np.flatnonzero(found)}
        assert families <= (set("QD") if ionic else set("PNCX"))


@pytest.mark.parametrize(
    ("name", "style", "parts"),
    [
        ("SN4ah", "martini3", ("S", "N4", "ah")),
        ("TC5e", "martini3", ("T", "C5", "e")),
        ("P1", "martini3", ("R", "P1", "")),
        ("SQ5n", "martini3", ("S", "Q5", "n")),
        ("TD", "martini3", ("T", "D", "")),
        ("SNda", "martini2", ("S", "Nda", "")),
        ("Qa", "martini2", ("R", "Qa", "")),
    ],
)
def test_types_are_taken_apart(name, style, parts):
    found = type_parts(name, style)
    assert (found.size, found.core, found.labels) == parts


def test_all_known_parts_are_types_of_the_shipped_tables():
    for table in (M3, M2):
        style = table_style(table)
        there = candidates(table)
        names = {table.bead_types[i].name for i in there.places}
        plain = {("" if s == "R" else s) + c for s in SIZES[style] for c in CLASSES[style]}
        assert plain <= names
        assert {type_parts(n, style).labels for n in names} == set(LABELS[style])


def test_free_energies_are_those_of_crippen_and_of_the_beads():
    from rdkit.Chem import Crippen

    mol = Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1")
    assert atom_free_energies(mol).sum() == pytest.approx(5.708 * Crippen.MolLogP(mol), rel=1e-3)
    assert bead_free_energy(type_parts("C1", "martini3"), "martini3") == 18.9
    assert bead_free_energy(type_parts("SN3a", "martini3"), "martini3") == pytest.approx(-1.8 + 2.3)
    assert bead_free_energy(type_parts("SP5", "martini2"), "martini2") == -8.9


def test_types_far_from_the_free_energy_of_the_fragment_lose():
    flat = np.full(len(M3.bead_types), 1.0 / len(M3.bead_types))
    moved = weighted_by_free_energy(flat, 15.0, M3)
    assert moved.sum() == pytest.approx(1.0)
    assert moved[M3.index("C2")] > moved[M3.index("N5")] > moved[M3.index("P6")]
