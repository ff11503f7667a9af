"""Partition of atoms into beads: whole, connected, cheapest, and the same however the molecule is written."""

import itertools
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from molecules_to_divide import MOLECULES, canonical
from rdkit import Chem

from topdown.errors import SettingsError
from topdown.mapping.fragmenting import best_partitions, canonical_order, partition_agrees, partition_atoms
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_costs import read_partition_costs
from topdown.mapping.partition_symmetry import asymmetry, automorphisms


@pytest.mark.parametrize("style", ["martini3", "martini2"])
@pytest.mark.parametrize("smiles", MOLECULES)
def test_beads_cover_the_molecule_and_are_connected(smiles, style):
    mol = canonical(smiles)
    partition = partition_atoms(mol, style)
    graph = MoleculeGraph.of(mol)
    assert set().union(*partition.groups) == set(range(mol.GetNumAtoms()))
    assert partition.exact
    for group in partition.groups:
        assert len(graph.pieces(sum(1 << a for a in group))) == 1
    owners = [sum(atom in group for group in partition.groups) for atom in range(mol.GetNumAtoms())]
    assert max(owners) <= 2
    assert partition.shared == {atom for atom, n in enumerate(owners) if n == 2}
    assert all(mol.GetAtomWithIdx(atom).GetSymbol() == "C" for atom in partition.shared)


@pytest.mark.parametrize("style", ["martini3", "martini2"])
@pytest.mark.parametrize("smiles", MOLECULES)
def test_partition_does_not_depend_on_how_the_molecule_is_written(smiles, style):
    mol = Chem.MolFromSmiles(smiles)
    reference = partition_atoms(canonical(smiles), style)
    order = canonical_order(mol)
    shuffler = random.Random(5)
    symmetries = automorphisms(mol)
    expected = [tuple(order[a] for a in group) for group in reference.groups]
    for _ in range(4):
        shuffled = list(range(mol.GetNumAtoms()))
        shuffler.shuffle(shuffled)
        other = Chem.RenumberAtoms(mol, shuffled)
        new_order = canonical_order(other)
        found = partition_atoms(Chem.RenumberAtoms(other, new_order), style)
        assert found.cost == reference.cost
        back = {frozenset(shuffled[new_order[a]] for a in group) for group in found.groups}
        images = [{frozenset(s[a] for a in g) for g in expected} for s in [range(mol.GetNumAtoms()), *symmetries]]
        assert back in images


@pytest.mark.parametrize(
    ("smiles", "published"),
    [
        ("CCCCCCCC", ["0,1,2,3", "4,5,6,7"]),
        ("CCCCCCCCCCCCCCCC", ["0,1,2,3", "4,5,6,7", "8,9,10,11", "12,13,14,15"]),
        ("C1CCCCC1", ["0,1,2", "3,4,5"]),
        ("c1ccccc1", ["0,1", "2,3", "4,5"]),
        ("CC(=O)O", ["0,1,2,3"]),
        ("CN(C)C=O", ["0,1,2,3,4"]),
        ("OCCCCCCCC", ["0,1,2", "3,4,5", "6,7,8"]),
        ("Cc1ccccc1C", ["0,1,2", "5,6,7", "3,4"]),
        ("c1ccc2ccccc2c1", ["1,2", "0,9", "3,8", "4,5", "6,7"]),
        ("Nc1ccccc1", ["0,1,2,6", "2,3,4", "4,5,6"]),
        ("CCc1ccccc1", ["0,1", "2,3,4", "4,5,6", "2,6,7"]),
        ("COC(=O)c1ccccc1", ["0,1,2,3", "4,8,9", "4,5,6", "6,7,8"]),
        ("c1ccc2[nH]ccc2c1", ["0,8", "1,2", "3,7", "5,6", "4"]),
        ("CC(=O)Nc1ccc(O)cc1", ["0,1,2,3", "4,5,6", "4,9,10", "6,7,8,9"]),
    ],
)
def test_published_martini3_partitions(smiles, published):
    mol = Chem.MolFromSmiles(smiles)
    order = canonical_order(mol)
    found = partition_atoms(Chem.RenumberAtoms(mol, order), "martini3").groups
    ours = [[order[a] for a in group] for group in found]
    theirs = [[int(a) for a in bead.split(",")] for bead in published]
    assert partition_agrees(ours, theirs, automorphisms(mol)), ours


@pytest.mark.parametrize("smiles", ["CCC(CC)CC", "CCC(O)(CC)CC", "CCc1cccc(O)c1", "CCc1ccccc1C", "CCS(=O)(=O)CC"])
def test_the_end_of_an_ethyl_group_is_no_bead_of_its_own(smiles):
    """Single methyl beads belong to the published sterols, which go by rules of their own."""
    assert all(len(group) > 1 for group in partition_atoms(canonical(smiles)).groups)


def test_large_rings_are_divided_like_chains():
    lactone = Chem.MolFromSmiles("O=C1CCCCCCCCCCCCCCO1")
    groups = partition_atoms(lactone, "martini3").groups
    (ester,) = [g for g in groups if 0 in g]
    assert {0, 1, 16} <= set(ester)
    assert max(map(len, groups)) == 4
    assert len(groups) <= 5
    cyclooctane = partition_atoms(Chem.MolFromSmiles("C1CCCCCCC1"), "martini3").groups
    assert max(map(len, cyclooctane)) == 3


def test_toluene_shares_atoms_so_that_its_mirror_is_kept():
    mol = Chem.MolFromSmiles("Cc1ccccc1")
    groups = partition_atoms(canonical("Cc1ccccc1")).groups
    order = canonical_order(mol)
    assert sorted(sorted(order[a] for a in g) for g in groups) == [[0, 1, 2, 6], [2, 3, 4], [4, 5, 6]]


@pytest.mark.parametrize(
    ("smiles", "beads"),
    [
        ("CC(C)OC(C)C", ["CCC", "CCC", "COC"]),
        ("CC(C)SC(C)C", ["CCC", "CCC", "CSC"]),
        ("CCC(C)NC(C)CC", ["CCCC", "CCCC", "CNC"]),
        ("CCCOCCC", ["CC", "CC", "COC"]),  # room for a bead of its own
        ("CC(C)OCC(C)C", ["CC(C)C", "CC(C)O"]),  # no mirror
    ],
)
def test_a_heteroatom_on_a_mirror_shares_the_branched_carbons_beside_it(smiles, beads):
    mol = canonical(smiles)
    found = partition_atoms(mol)
    assert sorted(Chem.MolFragmentToSmiles(mol, list(g)) for g in found.groups) == beads
    assert found.exact
    assert len(found.shared) == (2 if smiles in ("CC(C)OC(C)C", "CC(C)SC(C)C", "CCC(C)NC(C)CC") else 0)


@pytest.mark.parametrize("smiles", ["CCCCCCCC", "Cc1ccccc1", "c1ccc2ccccc2c1", "CC(=O)CC(C)=O", "Cc1ccccc1C", "CCOCC"])
def test_symmetric_molecules_get_symmetric_beads(smiles):
    mol = canonical(smiles)
    graph = MoleculeGraph.of(mol)
    assert asymmetry(graph, partition_atoms(mol).groups) == 0


def test_terminal_oxygens_and_halogens_stay_with_their_atom():
    for smiles in ("CC(Cl)(Cl)CCCC(=O)CCC", "O=[N+]([O-])c1ccccc1", "CCCCC#N"):
        mol = canonical(smiles)
        groups = partition_atoms(mol).groups
        for atom in mol.GetAtoms():
            if atom.GetDegree() == 1 and atom.GetSymbol() != "C":
                neighbor = atom.GetNeighbors()[0].GetIdx()
                assert any({atom.GetIdx(), neighbor} <= set(group) for group in groups), smiles


@pytest.mark.parametrize(
    ("smiles", "group"),
    [
        ("CCCC(=O)NCCC", "3,4,5"),
        ("CCCC(=O)OCCC", "3,4,5"),
        ("CCCS(=O)(=O)NCCC", "3,4,5,6"),
        ("CCCOP(=O)([O-])OCCC", "3,4,5,6,7"),
        ("CCCN=C(N)NCCC", "3,4,5,6"),
        ("CCCC(F)(F)F", "3,4,5,6"),
        ("CCCC[N+](=O)[O-]", "4,5,6"),
        ("CCCCC(=O)[O-]", "4,5,6"),
        ("CCCNC(=O)OCCC", "3,4,5,6"),
        ("CCC[Si](F)(F)F", "3,4,5,6"),
        ("CCCCOS(=O)(=O)[O-]", "4,5,6,7,8"),
    ],
)
@pytest.mark.parametrize("style", ["martini3", "martini2"])
def test_functional_groups_are_never_cut(smiles, group, style):
    mol = Chem.MolFromSmiles(smiles)
    members = {int(a) for a in group.split(",")}
    partitions = best_partitions(mol, style, 6)
    assert len(partitions) > 2
    assert all(any(members <= set(bead) for bead in p.groups) for p in partitions)


FRAGMENTS = [
    "C",
    "CC",
    "O",
    "N",
    "C(=O)",
    "C(=O)O",
    "C(=O)N",
    "S(=O)(=O)",
    "C(C)",
    "C(O)",
    "C(F)(F)",
    "C=C",
    "OC",
    "C(Cl)",
]
RINGS = ["c1ccc(cc1)", "C1CCC(CC1)", "c1cnc(cc1)", "C1CN(CC1)", "c1sc(cc1)", "c1cc2ccccc2c(c1)"]
chains = st.lists(st.sampled_from(FRAGMENTS + RINGS), min_size=1, max_size=6).map("".join)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(text=chains, seed=st.integers(0, 1000))
def test_any_molecule_is_divided_whole_and_in_one_way(text, seed):
    mol = Chem.MolFromSmiles(text)
    assume(mol is not None)
    found = []
    for smiles in (Chem.MolToSmiles(mol), *Chem.MolToRandomSmilesVect(mol, 2, randomSeed=seed + 1)):
        other = canonical(smiles)
        partition = partition_atoms(other)
        graph = MoleculeGraph.of(other)
        assert set().union(*partition.groups) == set(range(other.GetNumAtoms()))
        assert all(len(graph.pieces(sum(1 << a for a in group))) == 1 for group in partition.groups)
        assert partition.bound <= partition.cost
        # Beads drawn into the molecule as extra atoms: equal drawings are equal up to symmetry.
        drawn = Chem.RWMol(other)
        for group in partition.groups:
            bead = drawn.AddAtom(Chem.Atom(54))
            for atom in group:
                drawn.AddBond(bead, atom, Chem.BondType.ZERO)
        found.append((partition.cost, Chem.MolToSmiles(drawn)))
    assert len(set(found)) == 1


def test_alternatives_come_in_order_and_no_two_are_alike():
    mol = canonical("CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    symmetries = [tuple(range(15)), *automorphisms(mol)]
    found = best_partitions(mol, "martini3", 5)
    assert len(found) == 5
    assert found[0] == partition_atoms(mol)
    assert [p.cost for p in found] == sorted(p.cost for p in found)
    images = [{tuple(sorted(tuple(sorted(s[a] for a in g)) for g in p.groups)) for s in symmetries} for p in found]
    assert all(not one & other for one, other in itertools.combinations(images, 2))


def test_given_groups_are_kept_and_the_rest_is_best_around_them():
    mol = Chem.MolFromSmiles("CCCCCCCCCCO")
    given = [(2, 3, 4, 5, 6)]
    found = partition_atoms(mol, fixed=given)
    assert (2, 3, 4, 5, 6) in found.groups
    assert sorted(a for g in found.groups for a in g) == list(range(11))
    # The two ends have their best beads, whatever they were without the given one.
    assert {(0, 1), (7, 8, 9, 10)} <= set(found.groups)
    assert partition_atoms(mol, fixed=found.groups).groups == found.groups


def test_atoms_left_alone_become_beads_of_their_own():
    mol = Chem.MolFromSmiles("CC(=O)NCC")
    assert partition_atoms(mol, fixed=[(0, 1, 3)]).groups == ((0, 1, 3), (2,), (4, 5))


def test_given_groups_may_share_an_atom():
    mol = Chem.MolFromSmiles("CC(=O)CC(C)=O")
    found = partition_atoms(mol, fixed=[(0, 1, 2, 3), (3, 4, 5, 6)])
    assert found.shared == {3}
    assert found.cost == 0


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ([(0, 99)], "7 heavy atoms"),
        ([(-1, 0)], "7 heavy atoms"),
        ([(0, 4)], "not bonded"),
        ([()], "at least one atom"),
        ([(0, 0, 1)], "each atom once"),
        ([(0, 1), (0, 1)], "shares all its atoms"),
        ([(1, 3), (0, 1), (1, 2)], "not more"),
    ],
)
def test_impossible_groups_are_refused(fixed, message):
    mol = Chem.MolFromSmiles("CC(=O)CC(C)=O")
    with pytest.raises(SettingsError, match=message):
        partition_atoms(mol, fixed=fixed)


@pytest.mark.parametrize(
    ("smiles", "whole"),
    [
        ("CCCCCCCCOP(=O)([O-])OCC[N+](C)(C)C", True),
        ("C[N+](C)(C)CCOP(=O)([O-])OCC(O)CO", True),
        ("CC(=O)OCC[N+](C)(C)C", False),
    ],
)
def test_the_choline_of_a_phosphocholine_is_one_bead_as_in_lipids(smiles, whole):
    mol = Chem.MolFromSmiles(smiles)
    choline = set(mol.GetSubstructMatch(Chem.MolFromSmarts("[CH3][N+]([CH3])([CH3])[CH2][CH2]")))
    assert (choline in [set(group) for group in partition_atoms(mol).groups]) == whole


def test_no_partitions_are_refused():
    with pytest.raises(SettingsError, match="at least one"):
        best_partitions(Chem.MolFromSmiles("CCO"), "martini3", 0)


def test_agreement_counts_a_shared_atom_in_either_bead():
    shared = [[0, 1, 2, 6], [2, 3, 4], [4, 5, 6]]
    assert partition_agrees([[0, 1, 2], [3, 4], [5, 6]], shared)
    assert not partition_agrees([[0, 1], [2, 3, 4], [5, 6]], [[0, 1, 2], [3, 4], [5, 6]])
    assert not partition_agrees([[0, 1, 2], [3, 4, 5, 6]], shared)


def test_a_file_of_costs_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "partition_costs.csv"
    path.write_text("feature,cost\nchain 4,-12\n")
    assert read_partition_costs(path) == {"chain 4": -12}
    path.write_text("name,weight\nchain 4,-12\n")
    with pytest.raises(ValueError, match="unexpected columns"):
        read_partition_costs(path)


@pytest.mark.parametrize(
    ("smiles", "head", "rest"),
    [
        ("CCCCCCCCCCCCCCCC[N+](C)(C)C", 4, [4, 4, 4, 4]),
        ("CCCCCCCCCCCC[N+](C)(C)C", 4, [4, 4, 4]),
        ("C[N+](C)(C)CCO", 4, [3]),
        ("C[N+](C)(C)CC(=O)[O-]", 4, [4]),
        ("CC(=O)OCC[N+](C)(C)C", 5, [5]),
    ],
)
def test_trimethylammonium_is_a_bead_with_or_without_its_methylene(smiles, head, rest):
    """Alone where the others make whole beads, as in published cetyltrimethylammonium; never two methyls of three."""
    mol = canonical(smiles)
    nitrogen = mol.GetSubstructMatch(Chem.MolFromSmarts("[CH3][N+]([CH3])[CH3]"))
    groups = partition_atoms(mol).groups
    (found,) = [group for group in groups if set(nitrogen) <= set(group)]
    assert len(found) == head
    assert sorted(len(group) for group in groups if group != found) == rest
