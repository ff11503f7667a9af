"""Bead types: votes over estimates, from coarse to fine; never a type the table lacks, never another charge."""

import random

import numpy as np
import pytest
from rdkit import Chem

from topdown.errors import BeadTableError
from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.bead_typing import (
    CALIBRATION,
    BuildingBlockIndex,
    choose_type,
    choose_types,
)
from topdown.mapping.fragmenting import partition_atoms
from topdown.mapping.fragments import coarser, in_surroundings, surroundings_of
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
    ring = surroundings_of(Chem.MolFromSmiles("C1CCCCC1"), (0, 1, 2))
    chain = surroundings_of(Chem.MolFromSmiles("CCCCC"), (1, 2, 3))
    alcohol = surroundings_of(Chem.MolFromSmiles("CCO"), (0, 1, 2))
    ether = surroundings_of(Chem.MolFromSmiles("CCOC"), (0, 1, 2))
    aromatic = surroundings_of(Chem.MolFromSmiles("CCOc1ccccc1"), (0, 1, 2))
    toluene = Chem.MolFromSmiles("Cc1ccccc1")
    hard, soft = surroundings_of(toluene, (0, 1, 2)), surroundings_of(toluene, (0, 1, 2, 6), (2, 6))
    assert len({ring, chain, alcohol, ether, aromatic, hard, soft}) == 7
    assert coarser(ether)[2] == coarser(aromatic)[2] != coarser(alcohol)[2]
    assert coarser(ether)[3] != coarser(alcohol)[3]


def test_surroundings_tell_what_an_attached_carbon_is():
    ketone, nitrile, amine, alkene, alkane, ring = (
        surroundings_of(Chem.MolFromSmiles(smiles), (0, 1))
        for smiles in ("CCC(C)=O", "CCCC#N", "CCCN", "CCC=C", "CCCC", "CCc1ccccn1")
    )
    assert (ketone, amine, alkene, alkane) == ("CC[C:5]", "CC[C:6]", "CC[C:7]", "CC[C:1]")
    assert (nitrile, ring) == ("CC[C:1]", "CC[c:6]")
    assert {coarser(f)[1] for f in (ketone, nitrile, amine, alkene, alkane)} == {"CC[C:1]"}
    assert len({coarser(f)[2:] for f in (ketone, amine, alkene, alkane, ring)}) == 1


def test_votes_of_like_surroundings_come_before_those_of_all():
    rows = [("CC[C:1]", "C2", 6), ("CC[C:5]", "C3", 5), ("CC[C:6]", "C2", 1)]
    table = small_table(["C1", "C2", "C3"], rows)
    beside_carbonyl, beside_amine, plain = (choose(s, range(2), table) for s in ("CCC(C)=O", "CCCN", "CCCC"))
    assert (beside_carbonyl.bead_type, beside_amine.bead_type, plain.bead_type) == ("C3", "C2", "C2")
    assert beside_carbonyl.level == "surroundings"
    assert "5 times" in beside_carbonyl.reason
    # A table that does not say what its fragments were attached to is read as before.
    plainly = small_table(["C1", "C2", "C3"], rows[:1])
    assert choose("CCC(C)=O", range(2), plainly).level == choose("CCCC", range(2), plainly).level == "environment"


@pytest.mark.parametrize("smiles", ["CCCCO", "CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CCO", "O=C([O-])c1cc[nH]c1"])
def test_fragment_strings_do_not_depend_on_atom_order(smiles):
    mol = Chem.MolFromSmiles(smiles)
    group = (0, 1, 2)
    reverse = list(range(mol.GetNumAtoms()))[::-1]
    other = Chem.RenumberAtoms(mol, reverse)
    image = tuple(reverse.index(a) for a in group)
    assert coarser(surroundings_of(mol, group)) == coarser(surroundings_of(other, image))
    for key in coarser(surroundings_of(mol, group)):
        assert coarser(key)[0] == key


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
def test_keys_of_building_blocks_do_not_depend_on_how_the_fragment_is_written(table):
    """Aromatic and other carbons outside rings are alike to RDKit's canonical numbering, but not in its SMILES."""
    shuffler = random.Random(2)
    for block in table.building_blocks:
        mol = Chem.MolFromSmiles(block.fragment, sanitize=False)
        order = shuffler.sample(range(mol.GetNumAtoms()), mol.GetNumAtoms())
        text = Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False)
        assert coarser(text) == coarser(block.fragment), text


def test_beads_alike_within_a_molecule_have_one_name():
    """The two CH2-CH2 of a tetrahydroanthraquinone, one met from its aromatic side, the other from its aliphatic one."""
    facts = atom_roles(Chem.MolFromSmiles("C1CCCc2c1cc1c(c2)C(=O)c2ccccc2C1=O")).facts
    names = {in_surroundings(facts, group, frozenset()) for group in ((0, 1), (1, 0), (2, 3), (3, 2))}
    assert len(names) == 1


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
    # Both all but certain: the estimate, weighed again, may change the last digit.
    assert order[0] > order[1] - 0.002


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


def test_one_vote_against_chemistry_does_not_decide_many_do():
    skeleton = "CCC(C)C"  # the group is cut elsewhere, so that only its skeleton is known
    few = choose("CCC(C)C", range(5), small_table(["C1", "C2", "P5"], [(skeleton, "P5", 1)]))
    many = choose("CCC(C)C", range(5), small_table(["C1", "C2", "P5"], [(skeleton, "P5", 50)]))
    assert many.bead_type == "P5"
    assert many.probabilities[0] > 0.9
    assert few.probabilities[0] < many.probabilities[0]
    one = choose("CCCCC", range(4), small_table(["C1", "P5"], [("CC(C)(C)[C:1]", "P5", 1)]))
    assert one.bead_type == "C1"
    assert "published as" not in one.reason
    against = choose("CC(C)CC", (0, 1, 2, 3), small_table(["C1", "P5"], [("CCC[CH2][C:1]", "P5", 1)]))
    assert against.bead_type in ("C1", "P5")


def test_where_votes_contradict_each_other_the_surroundings_decide():
    votes = BuildingBlockIndex(
        tuple(BuildingBlock(fragment="CCC[C:1]", bead_type=t, source="", n_seen=6) for t in ("SC2", "SN4a"))
    )
    mol = Chem.MolFromSmiles("CCCCCCC")
    split = choose_type(mol, (0, 1, 2), M3, index=votes)
    assert split.bead_type == "SC2"
    # Without the estimate both would be near one half.
    assert split.probabilities[0] > 0.8
    for_one = BuildingBlockIndex((BuildingBlock(fragment="CCC[C:1]", bead_type="SN4a", source="", n_seen=6),))
    assert choose_type(mol, (0, 1, 2), M3, index=for_one).bead_type == "SN4a"


def test_donor_of_trifluoroethanol_comes_before_votes_for_plain_alcohols():
    assert choose("OCC(F)(F)F", (0, 1), M3).bead_type == "TP1d"
    assert choose("OCC(C)(C)C", (0, 1), M3).bead_type == "TP1"
    assert choose("OCCC(F)(F)F", (0, 1, 2), M3).bead_type == "SP1"


def test_a_reason_says_when_chemistry_overrules_the_look_up():
    table = small_table(["C1", "P5"], [("C[CH]([CH3])[CH2][N:1]", "P5", 1)])
    choice = choose("CC(C)CCC", (0, 1, 2, 3), table)
    assert choice.level in ("fragment", "skeleton")
    assert choice.bead_type == "C1"
    assert "published as P5 (1 of 1)" in choice.reason
    assert "-> C1" in choice.reason


def test_probabilities_fall_from_the_winner_and_go_with_the_names():
    for table, smiles in ((M3, "CC(=O)NC"), (M2, "CCOCC"), (M3, "C[NH2+]C"), (M3, "CCCCC")):
        mol = Chem.MolFromSmiles(smiles)
        choice = choose_type(mol, tuple(range(mol.GetNumAtoms())), table)
        assert list(choice.probabilities) == sorted(choice.probabilities, reverse=True)
        assert len(choice.probabilities) == 1 + len(choice.alternatives)
        assert choice.bead_type not in choice.alternatives
        assert sum(choice.probabilities) <= 1.0 + 1e-9
        assert 0.0 < choice.confidence < 1.0


def test_confidence_grows_with_probability():
    assert all(b > 0 and c >= 0 and d >= 0 for _, b, c, d in CALIBRATION.values())
    sure = choose("c1ccccc1", (0, 1), M3)
    split = choose("CCCCC", (1, 2, 3), M3)
    unknown = choose("CCNC(=O)N(C)O", range(7), M3)
    assert sure.confidence > 0.95
    assert sure.confidence > split.confidence
    assert sure.confidence > unknown.confidence


def test_votes_against_chemistry_are_trusted_less_than_votes_for_it_and_many_more_than_few():
    mol, group = Chem.MolFromSmiles("CCCCC"), (0, 1, 2, 3)
    fragment = surroundings_of(mol, group)

    def voted(name, count):
        blocks = (BuildingBlock(fragment=fragment, bead_type=name, n_seen=count, source="a paper"),)
        return choose_type(mol, group, M3, index=BuildingBlockIndex(blocks))

    agreed, few, many = voted("C1", 8), voted("P1", 8), voted("P1", 80)
    assert [choice.bead_type for choice in (agreed, few, many)] == ["C1", "P1", "P1"]
    assert [choice.n_votes for choice in (agreed, few, many)] == [8, 8, 80]
    assert agreed.chemistry > 0.5 > few.chemistry == many.chemistry
    assert min(agreed.probabilities[0], few.probabilities[0]) > 0.9
    # Like with like: as many votes for chemistry as against it.
    assert agreed.confidence > few.confidence
    assert voted("C1", 80).confidence > many.confidence > few.confidence
    assert few.confidence < 0.6


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
def test_types_do_not_depend_on_atom_order(table):
    mol = Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1C(F)(F)F")
    groups = ((0, 1, 2, 3), (4, 5), (6, 7, 8), (9, 10), (11, 12, 13, 14))
    want = choose_types(mol, groups, table)
    for seed in range(3):
        order = list(range(mol.GetNumAtoms()))
        random.Random(seed).shuffle(order)
        place = {old: new for new, old in enumerate(order)}
        other = Chem.RenumberAtoms(mol, order)
        found = choose_types(other, [tuple(sorted(place[a] for a in g)) for g in groups], table)
        assert [(c.bead_type, c.confidence, c.alternatives) for c in found] == [
            (c.bead_type, c.confidence, c.alternatives) for c in want
        ]


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
