from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import SettingsError
from topdown.formats.pdb import pdb_text
from topdown.model import Bead, CGMolecule, System


def test_pdb_columns_bonds_and_box(system):
    lines = pdb_text(system).splitlines()
    assert lines[0] == "TITLE     trial system"
    assert lines[1] == "CRYST1   50.000   55.000   60.000  90.00  90.00  90.00 P 1           1"
    atoms = [line for line in lines if line.startswith("HETATM")]
    assert len(atoms) == 29
    assert atoms[4][:30] == "HETATM    5  B4  surf    1    "
    assert atoms[4][78:80] == "1-"
    assert all(len(line) == 80 for line in atoms)
    bonded = {tuple(map(int, line[6:].split())) for line in lines if line.startswith("CONECT")}
    assert (1, 2, 5) in bonded
    assert (9, 8, 10) in bonded
    assert len(bonded) == 25  # every bead of the five molecules, none of the waters


def test_pdb_molecules_are_whole(system):
    atoms = [line for line in pdb_text(system).splitlines() if line.startswith("HETATM")]
    places = np.array([[float(line[30 + 8 * k : 38 + 8 * k]) for k in range(3)] for line in atoms[:25]]).reshape(
        5, 5, 3
    )
    original = system.positions[:25].reshape(5, 5, 3) * 10
    np.testing.assert_allclose(places - places[:, :1], original - original[:, :1], atol=2e-3)


def test_pdb_names_of_four_characters_stay_unique(table):
    molecule = CGMolecule(name="long", beads=tuple(Bead(name=f"BEAD{k}", bead_type="C1") for k in range(3)))
    system = System(table=table, components=((molecule, 1),), positions=np.zeros((3, 3)), box=np.full(3, 5.0))
    names = [line[12:16] for line in pdb_text(system).splitlines() if line.startswith("HETATM")]
    assert names == ["BEAD", "BEA1", "BEA2"]


def test_a_box_beyond_the_columns_is_refused(table):
    molecule = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    system = System(table=table, components=((molecule, 1),), positions=[[1500.0, 0, 0]], box=[2000.0, 5.0, 5.0])
    with pytest.raises(SettingsError, match="columns"):
        pdb_text(system)
