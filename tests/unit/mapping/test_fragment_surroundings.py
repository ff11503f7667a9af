"""Names of fragments in their surroundings: what they tell apart, and that they depend on nothing else."""

import random

import pytest
from fragment_typing import M2, M3
from rdkit import Chem

from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.fragments import coarser, in_surroundings, surroundings_of


def test_environment_distinguishes_what_matters():
    ring = surroundings_of(Chem.MolFromSmiles("C1CCCCC1"), (0, 1, 2))
    chain = surroundings_of(Chem.MolFromSmiles("CCCCC"), (1, 2, 3))
    alcohol = surroundings_of(Chem.MolFromSmiles("CCO"), (0, 1, 2))
    ether = surroundings_of(Chem.MolFromSmiles("CCOC"), (0, 1, 2))
    aromatic = surroundings_of(Chem.MolFromSmiles("CCOc1ccccc1"), (0, 1, 2))
    toluene = Chem.MolFromSmiles("Cc1ccccc1")
    hard, soft = surroundings_of(toluene, (0, 1, 2)), surroundings_of(toluene, (0, 1, 2, 6), (2, 6))
    assert len({ring, chain, alcohol, ether, aromatic, hard, soft}) == 7
    assert coarser(ether)[2] == coarser(aromatic)[2] != coarser(alcohol)[2]
    assert coarser(ether)[3] != coarser(alcohol)[3]


def test_surroundings_tell_what_an_attached_carbon_is():
    ketone, nitrile, amine, alkene, alkane, ring = (
        surroundings_of(Chem.MolFromSmiles(smiles), (0, 1))
        for smiles in ("CCC(C)=O", "CCCC#N", "CCCN", "CCC=C", "CCCC", "CCc1ccccn1")
    )
    assert (ketone, amine, alkene, alkane) == ("CC[C:5]", "CC[C:6]", "CC[C:7]", "CC[C:1]")
    assert (nitrile, ring) == ("CC[C:1]", "CC[c:6]")
    assert {coarser(f)[1] for f in (ketone, nitrile, amine, alkene, alkane)} == {"CC[C:1]"}
    assert len({coarser(f)[2:] for f in (ketone, amine, alkene, alkane, ring)}) == 1


@pytest.mark.parametrize("smiles", ["CCCCO", "CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CCO", "O=C([O-])c1cc[nH]c1"])
def test_fragment_strings_do_not_depend_on_atom_order(smiles):
    mol = Chem.MolFromSmiles(smiles)
    group = (0, 1, 2)
    reverse = list(range(mol.GetNumAtoms()))[::-1]
    other = Chem.RenumberAtoms(mol, reverse)
    image = tuple(reverse.index(a) for a in group)
    assert coarser(surroundings_of(mol, group)) == coarser(surroundings_of(other, image))
    for key in coarser(surroundings_of(mol, group)):
        assert coarser(key)[0] == key


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
def test_keys_of_building_blocks_do_not_depend_on_how_the_fragment_is_written(table):
    """Aromatic and other carbons outside rings are alike to RDKit's canonical numbering, but not in its SMILES."""
    shuffler = random.Random(2)
    for block in table.building_blocks:
        mol = Chem.MolFromSmiles(block.fragment, sanitize=False)
        order = shuffler.sample(range(mol.GetNumAtoms()), mol.GetNumAtoms())
        text = Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False)
        assert coarser(text) == coarser(block.fragment), text


def test_beads_alike_within_a_molecule_have_one_name():
    """The two CH2-CH2 of a tetrahydroanthraquinone, one met from its aromatic side, the other from its aliphatic one."""
    facts = atom_roles(Chem.MolFromSmiles("C1CCCc2c1cc1c(c2)C(=O)c2ccccc2C1=O")).facts
    names = {in_surroundings(facts, group, frozenset()) for group in ((0, 1), (1, 0), (2, 3), (3, 2))}
    assert len(names) == 1


def test_shipped_building_blocks_are_canonical_and_of_the_table():
    for table in (M3, M2):
        assert len(table.building_blocks) > 150
        for block in table.building_blocks:
            assert coarser(block.fragment)[0] == block.fragment
            assert block.bead_type in table
            assert block.source
