"""Bead types: look-up from fine to coarse, likeness, estimate; never a type the table lacks, never another charge."""

import numpy as np
import pytest
from rdkit import Chem

from topdown.errors import BeadTableError
from topdown.mapping.bead_typing import BuildingBlockIndex, choose_type, choose_types
from topdown.mapping.fragments import coarser, environment_of
from topdown.mapping.type_estimate import table_style
from topdown.model import BeadTable, BeadType, BuildingBlock
from topdown.tables import load_bead_table

M3 = load_bead_table("martini3")
M2 = load_bead_table("martini2")


def small_table(names, blocks=()):
    types = tuple(
        BeadType(
            name=n,
            chemical_class=n.lstrip("ST"),
            size="S" if n[0] == "S" else "T" if n[0] == "T" else "R",
            mass=72.0,
        )
        for n in names
    )
    flat = np.ones((len(types), len(types)))
    rows = tuple(BuildingBlock(fragment=f, bead_type=t, n_seen=n, source="a paper") for f, t, n in blocks)
    return BeadTable(name="own", bead_types=types, epsilon=flat, sigma=flat * 0.47, building_blocks=rows)


def choose(smiles, group, table, shared=()):
    return choose_type(Chem.MolFromSmiles(smiles), tuple(group), table, shared=frozenset(shared))


def test_environment_distinguishes_what_matters():
    ring = environment_of(Chem.MolFromSmiles("C1CCCCC1"), (0, 1, 2))
    chain = environment_of(Chem.MolFromSmiles("CCCCC"), (1, 2, 3))
    alcohol = environment_of(Chem.MolFromSmiles("CCO"), (0, 1, 2))
    ether = environment_of(Chem.MolFromSmiles("CCOC"), (0, 1, 2))
    aromatic = environment_of(Chem.MolFromSmiles("CCOc1ccccc1"), (0, 1, 2))
    toluene = Chem.MolFromSmiles("Cc1ccccc1")
    hard, soft = environment_of(toluene, (0, 1, 2)), environment_of(toluene, (0, 1, 2, 6), (2, 6))
    assert len({ring, chain, alcohol, ether, aromatic, hard, soft}) == 7
    assert coarser(ether)[1] == coarser(aromatic)[1] != coarser(alcohol)[1]
    assert coarser(ether)[2] != coarser(alcohol)[2]


@pytest.mark.parametrize("smiles", ["CCCCO", "CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CCO", "O=C([O-])c1cc[nH]c1"])
def test_fragment_strings_do_not_depend_on_atom_order(smiles):
    mol = Chem.MolFromSmiles(smiles)
    group = (0, 1, 2)
    reverse = list(range(mol.GetNumAtoms()))[::-1]
    other = Chem.RenumberAtoms(mol, reverse)
    image = tuple(reverse.index(a) for a in group)
    assert coarser(environment_of(mol, group)) == coarser(environment_of(other, image))
    for key in coarser(environment_of(mol, group)):
        assert coarser(key)[0] == key


def test_majority_of_votes_decides_and_runners_up_are_named():
    table = small_table(["C1", "C2", "SC2"], [("CCCC[C:1]", "C1", 5), ("CCCC[C:1]", "C2", 3), ("CCC[C:1]", "SC2", 1)])
    choice = choose("CCCCCCCC", range(4), table)
    assert choice.bead_type == "C1"
    assert choice.alternatives[0] == "C2"
    assert choice.level == "environment"
    assert choice.support == "split"
    assert "5 of 8" in choice.reason
    assert "a paper" in choice.reason


def test_look_up_goes_from_fine_to_coarse():
    table = small_table(["C1", "SC2", "P1"], [("CCCC[O:1]", "C1", 2)])
    assert choose("CCCCOC", range(4), table).level == "environment"
    assert choose("CCCCN", range(4), table).level == "fragment"
    assert choose("CC(C)CCC", (0, 1, 3, 4), table).level == "skeleton"
    assert choose("CCCC=O", range(4), table).level == "skeleton"
    assert choose("CCC", range(3), table).level == "estimate"
    order = [choose(*case, table).confidence for case in (("CCCCOC", range(4)), ("CC(C)CCC", (0, 1, 3, 4)))]
    assert order == sorted(order, reverse=True)


def test_a_row_added_by_hand_is_found_however_it_is_written():
    blocks = [("[OH][CH2][CH3]", "SP1", 1)]
    choice = choose("CCO", range(3), small_table(["SP1", "C1"], blocks))
    assert choice.bead_type == "SP1"
    assert choice.level == "environment"


@pytest.mark.parametrize(
    ("smiles", "group", "table", "expected"),
    [
        ("CCCCCCCC", range(4), M3, "C1"),
        ("CCO", range(3), M3, "SP1"),
        ("CC(=O)O", range(4), M3, "SP2"),
        ("CN(C)C=O", range(5), M3, "P3a"),
        ("c1ccccc1", (0, 1), M3, "TC5"),
        ("Oc1ccccc1", (0, 1, 2), M3, "SN6"),
        ("Nc1ccccc1", (0, 1, 2), M3, "SN6d"),
        ("C1CCCCC1", (0, 1, 2), M3, "SC3"),
        ("C[N+](C)(C)C", range(5), M3, "Q2"),
        ("CCCC", range(4), M2, "C1"),
        ("CCC", range(3), M2, "C2"),
        ("CCCO", range(4), M2, "P1"),
        ("CC(N)=O", range(4), M2, "P5"),
        ("CC(=O)[O-]", range(4), M2, "Qa"),
        ("CCC[NH3+]", range(4), M2, "Qd"),
    ],
)
def test_published_types(smiles, group, table, expected):
    assert choose(smiles, group, table).bead_type == expected


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


def test_a_vote_never_changes_the_charge():
    table = small_table(["Q1", "P1"], [("CCO", "Q1", 5), ("CCO", "P1", 1), ("CC[NH3+]", "P1", 4)])
    assert choose("CCO", range(3), table).bead_type == "P1"
    assert choose("CC[NH3+]", range(3), table).bead_type == "Q1"


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


def test_shipped_building_blocks_are_canonical_and_of_the_table():
    for table in (M3, M2):
        assert len(table.building_blocks) > 150
        for block in table.building_blocks:
            assert coarser(block.fragment)[0] == block.fragment
            assert block.bead_type in table
            assert block.source


def test_types_of_a_molecule_keep_what_the_user_gave():
    mol = Chem.MolFromSmiles("CCCCCCCCO")
    groups = ((0, 1, 2, 3), (4, 5, 6, 7, 8))
    free = choose_types(mol, groups, M3)
    assert [c.bead_type for c in free] == [choose_type(mol, g, M3).bead_type for g in groups]
    given_first = choose_types(mol, groups, M3, fixed={0: "X1"})
    assert (given_first[0].bead_type, given_first[0].confidence, given_first[0].level) == ("X1", 1.0, "given")
    assert given_first[1] == free[1]
    with pytest.raises(BeadTableError, match="unknown bead type"):
        choose_types(mol, groups, M3, fixed={0: "Z9"})
    with pytest.raises(BeadTableError, match="only 2 beads"):
        choose_types(mol, groups, M3, fixed={2: "C1"})
