from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topdown.formats.naming import bead_names, component_names, one_line, plain, short_names
from topdown.model import Bead, CGMolecule, System


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POPC", "POPC"),
        ("../../etc/passwd", "etcpasswd"),
        ("Ölsäure", "Olsaure"),
        ("水", "none"),
        ("", "none"),
        ("a b\nc", "abc"),
        ("__x__", "x"),
    ],
)
def test_plain_leaves_only_safe_characters(text, expected):
    assert plain(text, default="none") == expected


def test_short_names_keep_good_names_and_number_collisions_without_case():
    assert short_names(["NA", "Na", "na", "caffeine", "caffeic acid"]) == ("NA", "Na1", "na2", "caffe", "caff1")


def test_hundreds_of_equal_names_stay_unique():
    assert len({name.lower() for name in short_names(["lipid", "LIPID"] * 600)}) == 1200


def test_a_leading_digit_gets_a_letter():
    assert short_names(["1-octanol"]) == ("M1oct",)


@given(st.lists(st.text(max_size=8), max_size=40))
def test_short_names_are_unique_plain_and_short(names):
    result = short_names(names)
    assert len({name.lower() for name in result}) == len(names)
    assert all(name.isascii() and name.isidentifier() and len(name) <= 5 for name in result)


@given(st.text(max_size=80))
def test_one_line_can_stand_in_a_comment(text):
    line = one_line(text, limit=40)
    assert "\n" not in line
    assert "\r" not in line
    assert len(line.splitlines()) <= 1
    assert len(line) <= 42
    assert not line.endswith("\\")


def test_equal_molecules_share_a_name_and_others_with_it_do_not(table):
    def oil(charge: float) -> CGMolecule:
        return CGMolecule(name="OIL", beads=(Bead(name="A", bead_type="C1", charge=charge),))

    components = ((oil(0.0), 1), (oil(1.0), 1), (oil(0.0), 2))
    system = System(table=table, components=components, positions=[[0.0, 0.0, 0.0]] * 4, box=[3.0, 3.0, 3.0])
    assert component_names(system) == ("OIL", "OIL1", "OIL")


def test_bead_names_become_unique():
    molecule = CGMolecule(name="m", beads=tuple(Bead(name="BB", bead_type="C1") for _ in range(3)))
    assert bead_names(molecule) == ("BB", "BB1", "BB2")


def test_a_name_cut_at_an_underscore_does_not_become_another_name_when_it_is_made_plain_again():
    names = short_names(["DOPC", "DOPC_2021", "CHOL_RIGID"])
    assert names == ("DOPC", "DOPC1", "CHOL")
    assert [plain(name, default="") for name in names] == list(names)
