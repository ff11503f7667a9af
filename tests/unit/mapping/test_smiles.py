"""The gate in front of RDKit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdown.errors import MoleculeError
from topdown.mapping import canonical_smiles, parse_smiles

REFUSED = [
    ("", "E_EMPTY"),
    ("   ", "E_EMPTY"),
    ("[H][H]", "E_EMPTY"),
    ("CC\u041e", "E_SYNTAX"),
    ("CC O", "E_SYNTAX"),
    ("C\tC", "E_SYNTAX"),
    ("C\x00C", "E_SYNTAX"),
    ("C1CC", "E_SYNTAX"),
    ("C%12CC", "E_SYNTAX"),
    ("C(C", "E_SYNTAX"),
    ("CC)", "E_SYNTAX"),
    ("C=", "E_SYNTAX"),
    ("CC[", "E_SYNTAX"),
    ("CCX", "E_SYNTAX"),
    ("hello", "E_SYNTAX"),
    ("CC(C)(C)(C)C", "E_CHEM"),
    ("c1cccc1", "E_CHEM"),
    ("cC", "E_CHEM"),
    ("[Na+].[Cl-]", "E_MIXTURE"),
    ("CC(=O)[O-].[Na+]", "E_MIXTURE"),
    ("CCO.CCO", "E_MIXTURE"),
    ("[Fe]", "E_ELEMENT"),
    ("Cl[Pt](Cl)(N)N", "E_ELEMENT"),
    ("[He]", "E_ELEMENT"),
    ("[CH3]", "E_RADICAL"),
    ("C[O]", "E_RADICAL"),
    ("C*", "E_DUMMY"),
    ("CC>>CCO", "E_DUMMY"),
    ("C~C", "E_DUMMY"),
    ("[#6]", "E_DUMMY"),
    ("C" * 1001, "E_LIMIT"),
    ("C" * 2000, "E_LIMIT"),
    ("C" * 100_000, "E_LIMIT"),
    ("C" + "(C" * 501 + ")" * 501, "E_LIMIT"),
]


@pytest.mark.parametrize(("smiles", "code"), REFUSED)
def test_refused_with_code(smiles, code):
    with pytest.raises(MoleculeError) as caught:
        parse_smiles(smiles)
    assert caught.value.code == code
    assert str(caught.value).startswith(code)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_names_the_character_and_its_place():
    with pytest.raises(MoleculeError) as caught:
        parse_smiles("CC\u041e")
    assert "U+041E" in str(caught.value)
    assert "position 3" in str(caught.value)
    assert "CYRILLIC" in str(caught.value)


def test_hint_names_the_component_to_map():
    with pytest.raises(MoleculeError) as caught:
        parse_smiles("[Na+].CCCCCCCCCCCCOS(=O)(=O)[O-]")
    assert "CCCCCCCCCCCCOS(=O)(=O)[O-]" in caught.value.hint


def test_unclosed_ring_is_named():
    with pytest.raises(MoleculeError, match="ring 2 is opened but never closed"):
        parse_smiles("C1CCC1C2CC")


@pytest.mark.parametrize(
    ("smiles", "canonical", "n_atoms"),
    [
        ("OCC", "CCO", 3),
        ("[H]OC([H])([H])C", "CCO", 3),
        ("[2H]C([2H])O", "CO", 2),
        ("[CH3:7][CH2:2][OH:1]", "CCO", 3),
        ("C1=CC=CC=C1", "c1ccccc1", 6),
        ("F/C=C/F", "F/C=C/F", 4),
        ("C[C@H](O)F", "C[C@H](O)F", 4),
    ],
)
def test_accepted(smiles, canonical, n_atoms):
    parsed = parse_smiles(smiles)
    assert parsed.canonical_smiles == canonical == canonical_smiles(smiles)
    assert parsed.mol.GetNumAtoms() == n_atoms
    assert parsed.smiles == smiles


def test_heavy_atoms_keep_the_written_order():
    symbols = [atom.GetSymbol() for atom in parse_smiles("[H]OC([H])(F)N").mol.GetAtoms()]
    assert symbols == ["O", "C", "F", "N"]


def test_largest_molecule_is_accepted():
    assert parse_smiles("C" * 1000).mol.GetNumAtoms() == 1000


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="CNOcno()[]=#123+-@/\\H.%*> \u041e\n", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        parsed = parse_smiles(text)
    except MoleculeError as error:
        code = error.code
    else:
        code = "read"
        assert parsed.mol.GetNumAtoms() > 0
        assert canonical_smiles(parsed.canonical_smiles) == parsed.canonical_smiles
    assert code == "read" or code in {code for _, code in REFUSED}
