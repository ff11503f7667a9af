"""Bead types by votes over estimates, from coarse to fine, and how sure that is."""

import random

import pytest
from fragment_typing import M2, M3, choose, small_table
from rdkit import Chem

from topdown.errors import BeadTableError
from topdown.mapping.bead_typing import CALIBRATION, BuildingBlockIndex, choose_type, choose_types
from topdown.mapping.fragments import surroundings_of
from topdown.model import BuildingBlock


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


def test_a_vote_never_changes_the_charge():
    table = small_table(["Q1", "P1"], [("CCO", "Q1", 5), ("CCO", "P1", 1), ("CC[NH3+]", "P1", 4)])
    assert choose("CCO", range(3), table).bead_type == "P1"
    assert choose("CC[NH3+]", range(3), table).bead_type == "Q1"


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
