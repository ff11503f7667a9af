"""Molecules of a membrane: lipids that the table has no model of are mapped from the SMILES of the table it was made from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from topdown.errors import SettingsError
from topdown.tables import load_molecule
from topdown.tables.molecules import load_curated_molecule
from topdown.workflows.membrane_models import membrane_models
from topdown.workflows.membrane_request import MembraneRequest

REQUEST = MembraneRequest(lipids=(("chol", 1.0),), table="topdown1", salt=0.0, temperature=300.0, relax_ns=0.0, seed=1)


def test_a_lipid_of_the_parent_is_mapped() -> None:
    models = membrane_models(REQUEST)
    smiles = load_curated_molecule("martini3", "CHOL").smiles[0]
    assert models.mapped == (("CHOL", smiles),)
    lipid = models.lipids["chol"]
    assert lipid.name == "CHOL"
    assert lipid.table == "topdown1"
    assert set(lipid.type_names) <= {bead_type.name for bead_type in models.table.bead_types}
    assert lipid.type_names != load_molecule("martini3", "CHOL").type_names


def test_the_model_of_the_table_and_the_users_own_come_first() -> None:
    published = membrane_models(replace(REQUEST, table="martini3"))
    assert published.mapped == ()
    assert published.lipids["chol"].type_names == load_molecule("martini3", "CHOL").type_names
    own = membrane_models(replace(REQUEST, own_lipids=(("CHOL", "CCCCCCCCCCCCO"),)))
    assert own.mapped == (("CHOL", "CCCCCCCCCCCCO"),)


def test_what_the_parent_does_not_know_is_an_error() -> None:
    with pytest.raises(SettingsError, match="no molecule 'POPX'"):
        membrane_models(replace(REQUEST, lipids=(("POPX", 1.0),)))
