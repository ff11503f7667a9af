"""Bead types of published models come out as published; polar atoms make polar beads."""

import pytest
from fragment_typing import M2, M3, choose
from rdkit import Chem

from topdown.mapping.bead_typing import choose_type, choose_types
from topdown.mapping.fragmenting import partition_atoms
from topdown.mapping.type_estimate import table_style


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


def test_donor_of_trifluoroethanol_comes_before_votes_for_plain_alcohols():
    assert choose("OCC(F)(F)F", (0, 1), M3).bead_type == "TP1d"
    assert choose("OCC(C)(C)C", (0, 1), M3).bead_type == "TP1"
    assert choose("OCCC(F)(F)F", (0, 1, 2), M3).bead_type == "SP1"


#: Rows of the Martini 3 building-block table (Alessandri 2022) and of the solvent models (Souza 2021).
BLOCKS_M3 = [
    ("CCC(=O)O", (0, 1, 2, 3, 4), (), "P2"),
    ("CC(=O)O", (0, 1, 2, 3), (), "SP2"),
    ("CC(C)O", (0, 1, 2, 3), (), "P1"),
    ("CCO", (0, 1, 2), (), "SP1"),
    ("CN(C)C=O", (0, 1, 2, 3, 4), (), "P3a"),
    ("Oc1ccccc1", (0, 1, 2, 6), (2, 6), "SN6"),
    ("OC1CCCC1", (0, 1, 2), (), "SN6"),
    ("Nc1ccccc1", (0, 1, 2, 6), (2, 6), "SN6d"),
    ("c1cc[nH]c1", (2, 3, 4), (2, 4), "TN6d"),
    ("Cc1ccc(O)cc1", (4, 5), (), "TN6"),
    ("CCCCCCC=O", (4, 5, 6, 7), (), "N6a"),
    ("c1ccncc1", (2, 3), (), "TN6a"),
    ("O=C1C=CC(=O)C=C1", (0, 1), (), "TN6a"),
    ("C1COCO1", (2, 3, 4), (), "SN5a"),
    ("COC(=O)c1ccccc1", (0, 1, 2, 3), (), "N4a"),
    ("COC(C)=O", (0, 1, 2, 3, 4), (), "N4a"),
    ("C1CCOCC1", (2, 3, 4), (), "SN4a"),
    ("CC(=O)c1ccccc1", (0, 1, 2), (), "SN4a"),
    ("C1CCOC1", (2, 3, 4), (2, 4), "TN4a"),
    ("N#Cc1ccccc1", (0, 1), (), "TN4a"),
    ("O=Cc1ccccc1", (0, 1), (), "TN4a"),
    ("COC", (0, 1, 2), (), "SN3r"),
    ("C1COCCO1", (1, 2, 3), (), "SN3a"),
    ("O=[N+]([O-])c1ccccc1", (0, 1, 2), (), "SN3a"),
    ("COc1ccc(Br)cc1", (0, 1, 2), (), "SN2a"),
    ("c1ccoc1", (3,), (), "TN2a"),
    ("COc1ccccc1", (0, 1), (), "TN2a"),
    ("CN(C)c1ccccc1", (0, 1, 2, 3), (), "SN1"),
    ("Cn1ccnc1", (0, 1), (), "TN1"),
    ("Sc1ccccc1", (0, 1, 2, 6), (2, 6), "SC6"),
    ("C1CCSC1", (2, 3, 4), (), "SC6"),
    ("c1ccsc1", (3,), (), "TC6"),
    ("c1ccccc1", (0, 1), (), "TC5"),
    ("C=CCC", (0, 1, 2, 3), (), "C4"),
    ("Cc1ccccc1", (0, 1, 2, 6), (2, 6), "SC4"),
    ("Cc1ccc(C(C)C)cc1", (0, 1), (), "TC4"),
    ("FC(F)(F)c1ccccc1", (0, 1, 2, 3), (), "SX4e"),
    ("C1CCCCC1", (0, 1, 2), (), "SC3"),
    ("CCc1ccccc1", (0, 1), (), "TC3"),
    ("C1CCSC1", (0, 1), (), "TC3"),
    ("Clc1ccccc1", (0, 1, 2, 6), (2, 6), "SX3"),
    ("CCCc1ccccc1", (0, 1, 2), (), "SC2"),
    ("ClC(Cl)Cl", (0, 1, 2, 3), (), "X2"),
    ("Brc1ccccc1Br", (0, 1, 2), (), "SX2"),
    ("CCCC", (0, 1, 2, 3), (), "C1"),
    ("CCCCCCCC", (0, 1, 2, 3), (), "C1"),
    ("CCCCCCCCCCCCCCCC", (4, 5, 6, 7), (), "C1"),
    ("Ic1ccccc1", (0, 1, 2, 6), (2, 6), "X1"),
]


@pytest.mark.parametrize(("smiles", "group", "shared", "expected"), BLOCKS_M3)
def test_published_building_blocks_of_martini3(smiles, group, shared, expected):
    assert choose(smiles, group, M3, shared).bead_type == expected


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CC(N)=O", "P5"), ("OCCO", "P4"), ("CC(=O)O", "P3"), ("CNC=O", "P3"), ("CCO", "P2"), ("CCCO", "P1"), ("CC(C)O", "P1"),
        ("CCCCO", "Nda"), ("CCCN", "Nd"), ("CC(C)=O", "Na"), ("C[N+](=O)[O-]", "Na"), ("CCC#N", "Na"), ("COC=O", "Na"),
        ("CCC=O", "Na"), ("CCOC", "N0"), ("CCCS", "C5"), ("CCSC", "C5"), ("CC#CC", "C4"), ("C=CC=C", "C4"),
        ("ClC(Cl)Cl", "C4"), ("CC=CC", "C3"), ("CCCCl", "C3"), ("CC(C)Br", "C3"), ("CCC", "C2"), ("CCCC", "C1"),
        ("CC(C)C", "C1"), ("[NH3+]CCO", "Qda"), ("CCC[NH3+]", "Qd"), ("OP(=O)([O-])O", "Qa"), ("C[N+](C)(C)C", "Q0"),
    ],
)  # fmt: skip
def test_table_3_of_martini2(smiles, expected):
    mol = Chem.MolFromSmiles(smiles)
    assert choose_type(mol, tuple(range(mol.GetNumAtoms())), M2).bead_type == expected


@pytest.mark.parametrize(
    ("smiles", "group", "expected"),
    [
        ("C[N+](C)(C)CCO", (0, 1, 2, 3, 4), "Q1"),
        ("C[N+](C)(C)CCO", (0, 1, 2, 3), "Q1"),
        ("CCCCCC(=O)[O-]", (4, 5, 6, 7), "SQ5n"),
        ("CCCCC[NH3+]", (4, 5), "SQ4p"),
        ("CCNC(N)=[NH2+]", (2, 3, 4, 5), "SQ3p"),
        ("F[B-](F)(F)F", (0, 1, 2, 3, 4), "Q2"),
        ("F[P-](F)(F)(F)(F)F", (0, 1, 2, 3, 4, 5, 6), "Q1"),
        ("[S-]C#N", (0, 1, 2), "SQ1"),
        ("O=[N+]([O-])[O-]", (0, 1, 2, 3), "SQ3n"),
        ("CCOP(=O)([O-])[O-]", (2, 3, 4, 5, 6), "D"),
        ("[NH4+]", (0,), "TQ4p"),
        ("[Ca+2]", (0,), "SD"),
        ("[Br-]", (0,), "SQ4"),
    ],
)
def test_charged_beads_of_martini3(smiles, group, expected):
    assert choose(smiles, group, M3).bead_type == expected


DRUG_LIKE = [
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "CC(=O)Oc1ccccc1C(=O)O", "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc12",
    "CC(=O)N1CCOCC1", "O=C1CCCN1", "NS(=O)(=O)c1ccc(N)cc1", "O=c1cc[nH]c(=O)[nH]1", "CCOP(=O)(OCC)OCC",
    "CN(C)C(=N)NC(=N)N", "OCCN(CCO)CCO", "O=C1NC(=O)c2ccccc12", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(C)=NO",
]  # fmt: skip


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
@pytest.mark.parametrize("smiles", DRUG_LIKE)
def test_beads_with_oxygen_or_nitrogen_are_polar(smiles, table):

    mol = Chem.MolFromSmiles(smiles)
    partition = partition_atoms(mol, table_style(table))
    for group, choice in zip(partition.groups, choose_types(mol, partition.groups, table, shared=partition.shared)):
        polar = {mol.GetAtomWithIdx(a).GetAtomicNum() for a in group} & {7, 8}
        family = table.bead_type(choice.bead_type).chemical_class[0]
        assert (family in "PN") == bool(polar), (smiles, group, choice)
