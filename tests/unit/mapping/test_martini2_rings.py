"""Rings in Martini 2: small beads, and aromatic carbons as the published side chains and solvents have them.

Side chains: de Jong et al., J. Chem. Theory Comput. 9, 687 (2013), as in martini22 of vermouth; benzene and Table 3: Marrink et
al., J. Phys. Chem. B 111, 7812 (2007).
"""

from collections import Counter

import pytest
from rdkit import Chem

from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.bead_typing import BuildingBlockIndex, choose_type, choose_types
from topdown.mapping.fragmenting import partition_atoms
from topdown.mapping.functional_groups import functional_group
from topdown.mapping.mapper import map_molecule
from topdown.mapping.surroundings import Surroundings
from topdown.mapping.type_features import effective_atoms, size_rule
from topdown.model import BuildingBlock
from topdown.tables import load_bead_table

M2 = load_bead_table("martini2")
M3 = load_bead_table("martini3")
NOTHING = frozenset()

# Bead types of our own partition, in any order.
MOLECULES = {
    "c1ccccc1": "SC4 SC4 SC4",
    "Cc1ccccc1": "SC5 SC5 SC5",
    "Oc1ccccc1": "SP1 SC4 SC4",
    "Cc1ccc(O)cc1": "SC4 SC4 SC4 SP1",
    "CCc1ccccc1": "SC5 SC5 SC5",
    "Clc1ccccc1": "SC3 SC5 SC5",
    "c1ccncc1": "SC4 SC4 SNa",
    "c1ccc2ccccc2c1": "SC5 SC5 SC5 SC5 SC5",
    "c1ccc2[nH]ccc2c1": "SC4 SC5 SC5 SNd",
    "c1c[nH]cn1": "SP1 SP1",
    "Cc1c[nH]cn1": "SC4 SP1 SP1",
    "C=Cc1ccccc1": "SC4 SC5 SC5",
    "Nc1ccccc1": "SC4 SC4 SNd",
    "OC(=O)c1ccccc1": "P3 SC5 SC5",
    "Cc1ccc(C)cc1": "SC5 SC5 SC5 SC5",
    "COc1ccccc1": "SC4 SC4 SN0",
    "NC(=O)c1cccnc1": "P4 SC4 SNa",
}


def shared_atoms(groups):
    count = Counter(a for group in groups for a in group)
    return frozenset(a for a, n in count.items() if n > 1)


@pytest.mark.parametrize(("smiles", "expected"), MOLECULES.items())
def test_types_of_molecules_with_flat_rings(smiles, expected):
    molecule = map_molecule(smiles, M2, conformers=False)
    assert sorted(b.bead_type for b in molecule.beads) == sorted(expected.split())


@pytest.mark.parametrize("smiles", MOLECULES)
def test_ring_beads_are_small_and_unsubstituted_aromatic_carbons_c4_or_c5(smiles):
    mol = Chem.MolFromSmiles(smiles)
    molecule = map_molecule(smiles, M2, conformers=False)
    shared = shared_atoms(b.atoms for b in molecule.beads)
    roles = atom_roles(mol)
    for bead in molecule.beads:
        atoms = [mol.GetAtomWithIdx(a) for a in bead.atoms]
        in_ring = any(atom.IsInRing() for atom in atoms)
        if effective_atoms(roles, bead.atoms, shared) <= 4.0:
            assert bead.bead_type.startswith("S") == in_ring
        if all(atom.GetIsAromatic() and atom.GetAtomicNum() == 6 and atom.GetTotalNumHs() == 1 for atom in atoms):
            assert bead.bead_type in ("SC4", "SC5")


@pytest.mark.parametrize("smiles", MOLECULES)
def test_equivalent_atoms_stand_in_beads_of_one_type(smiles):
    mol = Chem.MolFromSmiles(smiles)
    kinds = list(Chem.CanonicalRankAtoms(mol, breakTies=False))
    molecule = map_molecule(smiles, M2, conformers=False)
    of_kind = {}
    for atom, kind in enumerate(kinds):
        types = tuple(sorted(b.bead_type for b in molecule.beads if atom in b.atoms))
        of_kind.setdefault(kind, set()).add(types)
    assert all(len(types) == 1 for types in of_kind.values())


@pytest.mark.parametrize(
    ("smiles", "groups", "types"),
    [
        ("Cc1ccccc1", ((0, 1, 2, 6), (2, 3, 4), (4, 5, 6)), "SC5 SC5 SC5"),
        ("Cc1ccc(O)cc1", ((0, 1, 2), (6, 7), (3, 4, 5)), "SC4 SC4 SP1"),
        ("Cc1c[nH]cn1", ((0, 1), (2, 3), (4, 5)), "SC4 SP1 SP1"),
        ("Cc1c[nH]c[nH+]1", ((0, 1), (2, 3), (4, 5)), "SC4 SP1 SQd"),
        ("Cc1c[nH]c2ccccc12", ((0, 1, 9), (2, 3, 4), (7, 8), (5, 6)), "SC4 SNd SC5 SC5"),
    ],
)
def test_published_side_chains_divided_as_published(smiles, groups, types):
    found = choose_types(Chem.MolFromSmiles(smiles), groups, M2, shared=shared_atoms(groups))
    assert [choice.bead_type for choice in found] == types.split()


def test_side_chains_of_tyrosine_and_phenylalanine_without_their_own_votes():
    # The rules alone, so that they hold for molecules nobody has published.
    nothing = BuildingBlockIndex(())
    for smiles, group, expected in (
        ("Oc1ccccc1", (3, 4), "SC4"),
        ("CCc1ccccc1", (4, 5), "SC5"),
        ("CC(=O)c1ccccc1", (4, 5), "SC5"),
        ("c1cc2cc[nH]c2cc1", (0, 1), "SC5"),
    ):
        choice = choose_type(Chem.MolFromSmiles(smiles), group, M2, index=nothing)
        assert choice.bead_type == expected


def test_a_vote_for_a_class_the_rule_stands_instead_of_counts_for_the_rule():
    block = BuildingBlock(fragment="c(c[c:1])[c:1]", bead_type="SC4", source="x", n_seen=1000)
    index = BuildingBlockIndex((block,))
    ring_of_carbons = choose_type(Chem.MolFromSmiles("CCc1ccccc1"), (4, 5), M2, index=index)
    assert ring_of_carbons.bead_type == "SC5"
    assert "published as SC4 (1000 of 1000)" in ring_of_carbons.reason
    assert "its ring of carbons" in ring_of_carbons.reason
    with_oxygen = choose_type(Chem.MolFromSmiles("COc1ccccc1"), (4, 5), M2, index=index)
    assert with_oxygen.bead_type == "SC4"
    # Other classes keep their votes.
    other = BuildingBlockIndex((BuildingBlock(fragment="c(c[c:1])[c:1]", bead_type="SC3", source="x", n_seen=1000),))
    assert choose_type(Chem.MolFromSmiles("CCc1ccccc1"), (4, 5), M2, index=other).bead_type == "SC3"


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("c1ccccc1", ["bare"] * 6),
        ("Cc1ccccc1", ["", *["carbon"] * 6]),
        ("Clc1ccccc1", ["", *["carbon"] * 6]),
        ("Oc1ccccc1", ["", *["polar"] * 6]),
        ("c1ccncc1", ["polar"] * 6),
        ("c1c[nH]cn1", ["azole"] * 5),
        ("c1cc[nH]c1", ["polar"] * 5),
        # The ring of six of indole is one of carbons but for the two atoms it shares with the other.
        ("c1ccc2[nH]ccc2c1", ["carbon", "carbon", "carbon", *["polar"] * 5, "carbon"]),
        # Not an azole, since it is fused.
        ("c1ccc2[nH]cnc2c1", ["carbon", "carbon", "carbon", *["polar"] * 5, "carbon"]),
        ("C1CCCCC1", [""] * 6),
    ],
)
def test_what_flat_rings_carry(smiles, expected):
    assert list(atom_roles(Chem.MolFromSmiles(smiles)).arenes) == expected


@pytest.mark.parametrize(
    ("smiles", "group", "shared", "size"),
    [
        ("Cc1ccccc1", (0, 1, 2, 6), (2, 6), "S"),
        ("Cc1c[nH]cn1", (0, 1), (), "S"),
        ("c1ccsc1", (3,), (), "S"),
        ("COc1ccccc1", (0, 1, 2, 3), (), "S"),
        ("OC(=O)c1ccccc1", (0, 1, 2, 3, 4), (), "R"),
        ("OC1CCCCC1", (0, 1, 2), (), "S"),
        ("OCC1OCCCC1", (0, 1, 2, 3), (), "R"),
        ("CCc1ccccc1", (0, 1), (), "R"),
    ],
)
def test_ring_beads_of_martini2_are_small_by_their_effective_atoms(smiles, group, shared, size):
    assert size_rule(atom_roles(Chem.MolFromSmiles(smiles)), group, frozenset(shared), "martini2") == size


@pytest.mark.parametrize(
    ("smiles", "group", "core"),
    [
        ("c1cc[nH]c1", (2, 3, 4), "Nd"),
        ("c1ccncc1", (2, 3), "Na"),
        ("c1c[nH]cn1", (3, 4), "P1"),
        ("NCC(=O)O", (0, 1, 2, 3, 4), "P5"),
        ("CC(=O)O", (0, 1, 2, 3), "P3"),
        ("C=CC=C", (0, 1, 2, 3), "C4"),
    ],
)
def test_classes_of_martini2(smiles, group, core):
    assert functional_group(atom_roles(Chem.MolFromSmiles(smiles)), group, NOTHING, "martini2").core == core


def test_beads_of_unlike_rings_are_not_taken_for_one_another():
    """The choice of one ring must not be remembered for another that differs only out of the bead's reach."""
    para = Chem.MolFromSmiles("CCCCc1ccc(O)cc1"), (5, 6)
    plain = Chem.MolFromSmiles("CCCCc1ccc(CC)cc1"), (5, 6)
    keys = {Surroundings(atom_roles(mol), NOTHING).bead_key(group) for mol, group in (para, plain)}
    assert len(keys) == 2
    assert [choose_type(mol, group, M2).bead_type for mol, group in (para, plain, para)] == ["SC4", "SC5", "SC4"]


@pytest.mark.parametrize("smiles", MOLECULES)
def test_arene_rules_of_martini2_do_not_reach_martini3(smiles):
    mol = Chem.MolFromSmiles(smiles)
    groups = partition_atoms(mol, "martini3").groups
    roles, shared = atom_roles(mol), shared_atoms(groups)
    flat = [g for g in groups if any(mol.GetAtomWithIdx(a).GetIsAromatic() for a in g)]
    assert flat
    assert all(not functional_group(roles, g, shared, "martini3").instead_of for g in flat)
    assert all(choice.bead_type in M3 for choice in choose_types(mol, groups, M3, shared=shared))
