"""Partition of atoms into beads: whole, connected, cheapest, and the same however the molecule is written."""

import itertools
import random

import pytest
from rdkit import Chem

from topdown.mapping import fragmenting
from topdown.mapping.fragmenting import (
    asymmetry,
    automorphisms,
    cheapest_covers,
    canonical_order,
    connected_groups,
    partition_agrees,
    partition_atoms,
)
from topdown.mapping.group_features import MoleculeGraph, group_features
from topdown.mapping.partition_costs import PARTITION_COSTS

MOLECULES = [
    "CCCCCCCC",
    "CCCCCCCCO",
    "CC(=O)O",
    "CN(C)C=O",
    "c1ccccc1",
    "Cc1ccccc1",
    "CCc1ccccc1",
    "Cc1ccccc1C",
    "c1ccc2ccccc2c1",
    "CC(=O)Nc1ccc(O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "OCC1OC(O)C(O)C(O)C1O",
    "C1CCCCC1",
    "C1COCCO1",
    "CCOC(=O)c1ccccc1N",
    "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)O",
    "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O",
    "CCN(CC)C(=O)C1CN(C)C2Cc3c[nH]c4cccc(C2=C1)c34",
    "O=C(O)c1ccccc1OC(C)=O",
    "FC(F)(F)c1ccc(Cl)cc1",
    "CCCC[N+](C)(C)C",
    "CS(=O)(=O)c1ccccc1",
    "C1CC2CCC1C2",
]


def canonical(smiles):
    mol = Chem.MolFromSmiles(smiles)
    return Chem.RenumberAtoms(mol, canonical_order(mol))


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


def test_toluene_shares_atoms_so_that_its_mirror_is_kept():
    mol = Chem.MolFromSmiles("Cc1ccccc1")
    groups = partition_atoms(canonical("Cc1ccccc1")).groups
    order = canonical_order(mol)
    assert sorted(sorted(order[a] for a in g) for g in groups) == [[0, 1, 2, 6], [2, 3, 4], [4, 5, 6]]


@pytest.mark.parametrize("smiles", ["CCCCCCCC", "Cc1ccccc1", "c1ccc2ccccc2c1", "CC(=O)CC(C)=O", "Cc1ccccc1C", "CCOCC"])
def test_symmetric_molecules_get_symmetric_beads(smiles):
    mol = canonical(smiles)
    graph = MoleculeGraph.of(mol)
    assert asymmetry(graph, partition_atoms(mol).groups) == 0


@pytest.mark.parametrize("smiles", ["CC(C)C(=O)OC", "Cc1ccccc1", "OC1CCCC1", "CCN(C)C=O"])
def test_dynamic_programming_finds_what_enumeration_finds(smiles):
    mol = canonical(smiles)
    graph = MoleculeGraph.of(mol)
    weights = PARTITION_COSTS["martini3"]
    groups = connected_groups(graph)
    price = {g: sum(weights.get(k, 0) * n for k, n in group_features(graph, g).items()) for g in groups}
    full = (1 << graph.n_atoms) - 1

    def every(covered):
        if covered == full:
            yield 0, ()
            return
        low = ~covered & (covered + 1)
        for g in groups:
            if g & low and not g & covered:
                for cost, rest in every(covered | g):
                    yield cost + price[g], (g, *rest)

    expected = sorted(cost for cost, _ in every(0))[:10]
    found, exact = cheapest_covers(graph, weights, keep=10)
    assert exact
    assert [cost for cost, _ in found] == expected


@pytest.mark.parametrize("smiles", ["CC(C)CO", "CC1CCC1O", "C1CC2CC12"])
def test_connected_groups_are_all_and_once(smiles):
    mol = canonical(smiles)
    graph = MoleculeGraph.of(mol)
    found = connected_groups(graph, 4)
    expected = {
        sum(1 << a for a in chosen)
        for n in range(1, 5)
        for chosen in itertools.combinations(range(graph.n_atoms), n)
        if len(graph.pieces(sum(1 << a for a in chosen))) == 1
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_terminal_oxygens_and_halogens_stay_with_their_atom():
    for smiles in ("CC(Cl)(Cl)CCCC(=O)CCC", "O=[N+]([O-])c1ccccc1", "CCCCC#N"):
        mol = canonical(smiles)
        groups = partition_atoms(mol).groups
        for atom in mol.GetAtoms():
            if atom.GetDegree() == 1 and atom.GetSymbol() != "C":
                neighbor = atom.GetNeighbors()[0].GetIdx()
                assert any({atom.GetIdx(), neighbor} <= set(group) for group in groups), smiles


def test_beam_search_takes_over_where_the_exact_search_is_too_long(monkeypatch):
    mol = canonical("CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    best = partition_atoms(mol)
    monkeypatch.setattr(fragmenting, "MAX_STATES", 3)
    fallback = partition_atoms(mol)
    assert best.exact
    assert not fallback.exact
    assert set().union(*fallback.groups) == set(range(mol.GetNumAtoms()))
    assert fallback.cost <= best.cost + 300


def test_agreement_counts_a_shared_atom_in_either_bead():
    shared = [[0, 1, 2, 6], [2, 3, 4], [4, 5, 6]]
    assert partition_agrees([[0, 1, 2], [3, 4], [5, 6]], shared)
    assert not partition_agrees([[0, 1], [2, 3, 4], [5, 6]], [[0, 1, 2], [3, 4], [5, 6]])
    assert not partition_agrees([[0, 1, 2], [3, 4, 5, 6]], shared)
