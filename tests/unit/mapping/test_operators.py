"""Mapping matrices against hand-made sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import AllChem

from topdown.errors import SettingsError
from topdown.mapping.operators import atom_weights, bead_positions, mapping_operator, with_their_hydrogens


@pytest.fixture(scope="module")
def ethanol():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    return mol


def test_geometry_is_the_plain_mean_with_hydrogens(ethanol):
    x = ethanol.GetConformer().GetPositions()
    groups = with_their_hydrogens(ethanol, [(0,), (1, 2)])
    assert [len(g) for g in groups] == [4, 5]
    operator = mapping_operator(groups, atom_weights(ethanol, "geometry"))
    np.testing.assert_allclose(bead_positions(operator, x), [x[list(g)].mean(axis=0) for g in groups])


def test_mass_and_charge_weigh_atoms(ethanol):
    x = ethanol.GetConformer().GetPositions()
    groups = with_their_hydrogens(ethanol, [(0,), (1, 2)])
    masses = np.array([a.GetMass() for a in ethanol.GetAtoms()])
    AllChem.ComputeGasteigerCharges(ethanol)
    charges = np.abs([a.GetDoubleProp("_GasteigerCharge") for a in ethanol.GetAtoms()])
    for center, weights in (("mass", masses), ("charge", charges)):
        found = bead_positions(mapping_operator(groups, atom_weights(ethanol, center)), x)
        expected = [np.average(x[list(g)], axis=0, weights=weights[list(g)]) for g in groups]
        np.testing.assert_allclose(found, expected)


def test_hydrogens_can_be_left_out(ethanol):
    weights = atom_weights(ethanol, "mass", hydrogens=False)
    assert np.count_nonzero(weights) == 3


def test_a_shared_atom_is_divided():
    x = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]])
    found = bead_positions(mapping_operator([(0, 1), (1, 2)], np.ones(3)), x)
    np.testing.assert_allclose(found[:, 0], [0.5 / 1.5, 2.5 / 1.5])


def test_an_atom_written_twice_counts_twice():
    x = np.array([[0.0, 0, 0], [3.0, 0, 0]])
    operator = mapping_operator([(0, 1, 1), (1,)], np.ones(2), divide_shared=False)
    np.testing.assert_allclose(bead_positions(operator, x)[:, 0], [2.0, 3.0])


def test_a_bead_without_weight_sits_at_its_geometric_centre():
    operator = mapping_operator([(0, 1)], np.zeros(2))
    np.testing.assert_allclose(operator.toarray(), [[0.5, 0.5]])


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_rows_add_up_to_one_and_translations_pass_through(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 12))
    groups = [rng.choice(n, size=rng.integers(1, n), replace=False).tolist() for _ in range(3)]
    operator = mapping_operator(groups, rng.uniform(0, 2, n))
    np.testing.assert_allclose(operator.sum(axis=1), 1.0)
    stack = rng.normal(size=(4, n, 3))
    shift = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(bead_positions(operator, stack + shift), bead_positions(operator, stack) + shift)
    np.testing.assert_allclose(bead_positions(operator, stack)[2], bead_positions(operator, stack[2]))


@pytest.mark.parametrize("groups", [[()], [(0, 5)], [(-1,)]])
def test_groups_that_do_not_fit_are_refused(groups):
    with pytest.raises(SettingsError):
        mapping_operator(groups, np.ones(3))


def test_unknown_centers_and_negative_weights_are_refused(ethanol):
    with pytest.raises(SettingsError, match="no center"):
        atom_weights(ethanol, "volume")
    with pytest.raises(SettingsError, match="negative"):
        mapping_operator([(0,)], np.array([-1.0]))
