"""Characteristic volumes of beads, and the volume of a type that suits them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from topdown.mapping import map_molecule
from topdown.mapping.bead_volume import USUAL_VOLUME, VOLUME_LEVELS, VOLUME_STEP, bead_volumes, volume_levels
from topdown.mapping.class_typing import type_name, volume_level
from topdown.model.bead import BeadType
from topdown.tables import load_bead_table


def whole(smiles: str) -> Any:
    return Chem.MolFromSmiles(smiles)


@pytest.mark.parametrize(
    ("smiles", "volume"),
    # published: Abraham & McGowan 1987; Abraham's V in cm³/mol
    [("O", 16.73), ("C", 24.95), ("CO", 30.82), ("c1ccccc1", 71.64), ("ClC(Cl)Cl", 61.67), ("CCCCCCCC", 123.58)],
)
def test_volumes_of_molecules_are_the_published_ones(smiles: str, volume: float) -> None:
    mol = whole(smiles)
    assert bead_volumes(mol, [range(mol.GetNumAtoms())])[0] == pytest.approx(volume, abs=0.03)


def test_volumes_add_up_however_atoms_are_divided_and_shared() -> None:
    mol = whole("CC(=O)Nc1ccc(O)cc1")
    everything = bead_volumes(mol, [range(11)])[0]
    for groups in ([[0, 1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8], [9, 10, 8]]):
        assert bead_volumes(mol, groups).sum() == pytest.approx(everything)
    assert rdMolDescriptors.CalcNumHeavyAtoms(mol) == 11


def test_each_bead_alone_gets_the_nearest_volume() -> None:
    steps = np.exp(3.0 * VOLUME_STEP * np.array([-9.0, -3.51, -3.49, -0.51, -0.49, 0.0, 0.49, 0.51, 1.51, 9.0]))
    for size in "RST":
        found = [int(volume_levels(np.array([USUAL_VOLUME[size] * s]), [size])[0]) for s in steps]
        assert found == [-4, -4, -3, -1, 0, 0, 0, 1, 2, 2]


def test_beads_together_have_the_volume_of_the_molecule() -> None:
    """Three alike beads, each a little too large to be usual, keep alike; of three that differ one makes up for the others."""
    volumes = USUAL_VOLUME["S"] * np.exp(3.0 * VOLUME_STEP * np.array([0.40, 0.41, 0.42]))
    assert list(volume_levels(volumes, "SSS", together=False)) == [0, 0, 0]
    together = volume_levels(volumes, "SSS")
    assert sorted(together) == [0, 0, 1]
    same = volume_levels(np.full(3, volumes[0]), "SSS")
    assert len(set(same)) == 1, "equivalent beads stay alike"


@pytest.mark.parametrize("level", VOLUME_LEVELS)
def test_names_say_the_volume(level: int) -> None:
    for size in "RST":
        name = type_name("N07", size, level)
        assert volume_level(BeadType(name=name, chemical_class="N07", size=size, mass=72.0)) == level  # type: ignore[arg-type]
    assert volume_level(BeadType(name="Nb", chemical_class="Nb", size="R", mass=72.0)) == 0


def test_bulky_molecules_get_bulky_beads_and_alternatives() -> None:
    table = load_bead_table("topdown1")
    tetrachloromethane = map_molecule("ClC(Cl)(Cl)Cl", table, conformers=False).beads[0]
    acetone = map_molecule("CC(C)=O", table, conformers=False).beads[0]
    assert volume_level(table.bead_type(tetrachloromethane.bead_type)) == 1
    assert volume_level(table.bead_type(acetone.bead_type)) == 0
    assert "bulky by the volume of its atoms" in tetrachloromethane.reason
    assert {volume_level(table.bead_type(name)) for name in tetrachloromethane.alternatives} == {1}
