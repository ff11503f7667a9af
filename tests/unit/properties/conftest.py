"""The table of Martini 3 and its water, for every test that asks for them."""

import pytest

from topdown.model import BeadTable, CGMolecule
from topdown.tables import load_bead_table, load_molecule


@pytest.fixture(scope="session")
def table() -> BeadTable:
    return load_bead_table("martini3")


@pytest.fixture(scope="session")
def water() -> CGMolecule:
    return load_molecule("martini3", "W")
