"""Kinds of molecules."""

import pytest

from topdown.errors import MoleculeError
from topdown.mapping.chemotypes import CHEMOTYPES, chemotype

EXAMPLES = {
    "CC(=O)[O-]": "ion",
    "CC(=O)O": "acid",
    "CC(=O)N(C)C": "amide",
    "CC(=O)OCC": "ester",
    "C[N+](=O)[O-]": "nitro",
    "CC#N": "nitrile",
    "CC(=O)C": "carbonyl",
    "Oc1ccccc1": "phenol",
    "OCCc1ccccc1": "alcohol",
    "c1ccncc1": "heteroaromatic",
    "CCN": "amine",
    "CCOCC": "ether",
    "CCS": "sulfur",
    "ClCCl": "halogenated",
    "Cc1ccccc1": "aromatic",
    "CC=CC": "unsaturated",
    "C1CCCCC1": "alkane",
}


@pytest.mark.parametrize(("smiles", "kind"), EXAMPLES.items())
def test_the_most_polar_group_decides(smiles: str, kind: str) -> None:
    assert chemotype(smiles) == kind


def test_every_kind_has_an_example_and_the_rest_a_name() -> None:
    assert [name for name, _ in CHEMOTYPES] == list(EXAMPLES.values())
    assert chemotype("O") == "water"
    assert chemotype("BrBr") == "halogenated"
    with pytest.raises(MoleculeError):
        chemotype("C(")
