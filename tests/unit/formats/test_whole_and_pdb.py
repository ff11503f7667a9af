from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import SettingsError
from topdown.formats.pdb import pdb_text
from topdown.formats.whole import spanning_tree, whole_positions
from topdown.model import Bead, Bond, CGMolecule, System


def _chain(n: int, bonds: list[tuple[int, int]]) -> CGMolecule:
    return CGMolecule(
        name="chain",
        beads=tuple(Bead(name=f"B{k}", bead_type="C1") for k in range(n)),
        bonds=tuple(Bond(atoms=pair, length=0.4, force_constant=100.0) for pair in bonds),
    )


def test_the_tree_follows_bonds_and_hangs_strays_on_the_first_bead():
    assert spanning_tree(_chain(5, [(0, 2), (2, 1), (3, 4)])) == ((0, 2), (2, 1), (0, 3), (3, 4))
    assert spanning_tree(_chain(1, [])) == ()


def test_a_chain_longer_than_half_the_box_is_put_together():
    chain, box = _chain(8, [(k, k + 1) for k in range(7)]), np.array([2.0, 2.0, 2.0])
    straight = np.zeros((8, 3))
    straight[:, 0] = 0.4 * np.arange(8)
    broken = straight % box
    both = np.concatenate([broken, broken + 0.25])
    whole = whole_positions([(chain, 2)], both, box)
    np.testing.assert_allclose(whole[:8], straight, atol=1e-12)
    np.testing.assert_allclose(whole[8:], straight + 0.25, atol=1e-12)


def test_beads_in_place_keep_their_bits(system):
    same = whole_positions(system.components, system.positions, system.box)
    assert np.array_equal(same, system.positions)


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
