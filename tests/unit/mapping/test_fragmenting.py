"""Partition of atoms into beads: whole, connected, cheapest, and the same however the molecule is written."""

import itertools
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from topdown.errors import SettingsError
from topdown.mapping import partition_search
from topdown.mapping.bit_masks import bits
from topdown.mapping.candidate_groups import Candidates
from topdown.mapping.fragmenting import best_partitions, canonical_order, partition_agrees, partition_atoms
from topdown.mapping.group_features import group_features
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_costs import PARTITION_COSTS, read_partition_costs
from topdown.mapping.partition_symmetry import asymmetry, automorphisms
from topdown.mapping.unit_graph import UnitGraph

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


def priced_groups(smiles):
    """Graph, and {mask of atoms: cost} of the candidate groups."""
    graph = MoleculeGraph.of(canonical(smiles))
    candidates = Candidates.of(graph, PARTITION_COSTS["martini3"])
    groups = {sum(candidates.units[u] for u in bits(units)): cost for cost, units, _ in candidates.priced}
    assert len(groups) == len(candidates.priced)
    return graph, candidates, groups


@pytest.mark.parametrize("smiles", ["CC(C)C(=O)OC", "Cc1ccccc1", "OC1CCCC1", "CCN(C)C=O", "C1CC2CC12"])
def test_dynamic_programming_finds_what_enumeration_finds(smiles):
    graph, candidates, price = priced_groups(smiles)
    full = (1 << graph.n_atoms) - 1

    def every(covered):
        if covered == full:
            yield 0
            return
        low = ~covered & (covered + 1)
        for group, cost in price.items():
            if group & low and not group & covered:
                for rest in every(covered | group):
                    yield cost + rest

    expected = sorted(every(0))[:10]
    for count in (1, 10):
        found = candidates.cheapest(count)
        assert found.exact
        assert found.bound == expected[0]
        assert [cost for cost, _ in found.ranked] == expected[:count]


@pytest.mark.parametrize("smiles", MOLECULES)
def test_costs_that_grow_with_the_group_are_the_sum_of_its_features(smiles):
    graph, _, price = priced_groups(smiles)
    weights = PARTITION_COSTS["martini3"]
    for group, cost in price.items():
        assert cost == sum(weights.get(name, 0) * n for name, n in group_features(graph, group).items())


@pytest.mark.parametrize("smiles", ["CC(C)CO", "CC1CCC1O", "C1CC2CC12"])
def test_candidate_groups_are_all_connected_ones(smiles):
    graph, _, price = priced_groups(smiles)
    expected = {
        sum(1 << a for a in chosen)
        for n in range(1, 7)
        for chosen in itertools.combinations(range(graph.n_atoms), n)
        if len(graph.pieces(sum(1 << a for a in chosen))) == 1
    }
    assert set(price) == expected


def test_terminal_oxygens_and_halogens_stay_with_their_atom():
    for smiles in ("CC(Cl)(Cl)CCCC(=O)CCC", "O=[N+]([O-])c1ccccc1", "CCCCC#N"):
        mol = canonical(smiles)
        groups = partition_atoms(mol).groups
        for atom in mol.GetAtoms():
            if atom.GetDegree() == 1 and atom.GetSymbol() != "C":
                neighbor = atom.GetNeighbors()[0].GetIdx()
                assert any({atom.GetIdx(), neighbor} <= set(group) for group in groups), smiles


WIDE = {
    "C60": "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6c6c%11c2c2"
    "c7c3c3c8c4c4c9c5c1c1c6c2c3c41",
    "octacene": "c1ccc2cc3cc4cc5cc6cc7cc8ccccc8cc7cc6cc5cc4cc3cc2c1",
}


def test_programme_and_beam_take_over_where_the_exact_search_is_too_long():
    _, candidates, _ = priced_groups("CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    best = candidates.cheapest(1)
    arguments = (candidates.neighbors, candidates.priced)
    programme = partition_search.cheapest_divisions(*arguments, max_steps=3)
    assert programme.exact
    assert programme.ranked[0][0] == programme.bound == best.ranked[0][0]
    whole = (1 << len(candidates.neighbors)) - 1
    cost, groups = partition_search._by_beam(whole, candidates.priced)
    assert sorted(u for g in groups for u in bits(g)) == list(range(len(candidates.neighbors)))
    assert best.ranked[0][0] <= cost <= best.ranked[0][0] + 300


@pytest.mark.parametrize("relevant", [-1, 0b00111])
def test_the_cheapest_are_those_of_a_full_sort(relevant):
    shuffler = random.Random(7)
    for _ in range(50):
        # Few costs and few groups: many are equal, many differ only away from the relevant units.
        divisions = [(shuffler.randrange(4), tuple(shuffler.sample(range(1, 32), 3))) for _ in range(40)]
        first_of = {}
        for cost, groups in sorted(divisions, key=lambda division: (division[0], sorted(division[1]))):
            first_of.setdefault(frozenset(g for g in groups if g & relevant), (cost, groups))
        for count in (1, 10, 100):
            found = partition_search._cheapest(marked(divisions, relevant), count)
            assert [division[:2] for division in found] == list(first_of.values())[:count]


def marked(divisions, relevant=-1):
    """Divisions with the mark of their relevant groups; masks of five or ten units are their own numbers."""
    return [(cost, groups, sum(1 << g for g in groups if g & relevant)) for cost, groups in divisions]


@pytest.mark.parametrize("count", [1, 7, 30, 400])
def test_the_cheapest_of_two_remainders_are_made_of_the_cheapest_of_each(count):
    shuffler = random.Random(11)
    for _ in range(20):
        # Ways to divide units 0 to 4 and units 5 to 9; few costs, so that many are equal.
        ones, others = (
            partition_search._cheapest(
                marked([(shuffler.randrange(5), tuple(g << shift for g in groups)) for groups in every_division(31)]),
                400,
            )
            for shift in (0, 5)
        )
        both = [(c1 + c2, g1 + g2, m1 | m2) for c1, g1, m1 in ones for c2, g2, m2 in others]
        found = partition_search._cheapest(partition_search._joined(ones, others, count), count)
        assert found == partition_search._cheapest(both, count)


@pytest.mark.parametrize("smiles", MOLECULES)
@pytest.mark.parametrize("relevant", [-1, 0b1011])
def test_a_list_up_to_a_ceiling_is_the_beginning_of_the_whole_list(smiles, relevant):
    _, candidates, _ = priced_groups(smiles)
    every = candidates.cheapest(60, relevant=relevant)
    if not every.exact:
        pytest.skip("the whole list is too long to be made")
    # The lists that follow start from what the search for the cheapest has found out.
    candidates.cheapest(1)
    for place in sorted({0, len(every.ranked) // 3, len(every.ranked) - 1}):
        ceiling = every.ranked[place][0]
        for count in (3, 60):
            found = candidates.cheapest(count, relevant=relevant, ceiling=ceiling)
            assert found.exact
            assert found.bound == every.ranked[0][0]
            assert [d for d in found.ranked if d[0] <= ceiling] == [d for d in every.ranked if d[0] <= ceiling][:count]


def every_division(mask):
    """All ways to divide the units of a mask into groups."""
    if not mask:
        return [()]
    first = mask & -mask
    rest, divisions, more = mask ^ first, [], mask ^ first
    while True:
        divisions += [(first | more, *others) for others in every_division(rest & ~more)]
        if not more:
            return divisions
        more = (more - 1) & rest


@pytest.mark.parametrize("smiles", MOLECULES)
def test_leaving_out_hopeless_groups_changes_nothing(smiles, monkeypatch):
    _, candidates, _ = priced_groups(smiles)
    among_all = candidates.cheapest(1)
    monkeypatch.setattr(partition_search, "FEW_CANDIDATES", 0)
    assert candidates.cheapest(1) == among_all


@pytest.mark.parametrize("smiles", MOLECULES)
def test_no_group_costs_less_than_the_prices_of_its_units(smiles):
    _, candidates, _ = priced_groups(smiles)
    whole = (1 << len(candidates.neighbors)) - 1
    prices = partition_search._unit_prices(whole, candidates.priced)
    assert all(cost >= sum(prices[u] for u in bits(units)) for cost, units, _ in candidates.priced)
    assert sum(prices.values()) <= candidates.cheapest(1).bound
    kept = partition_search._worth_it(whole, candidates.priced)
    assert set(candidates.cheapest(1).ranked[0][1]) <= {units for _, units, _ in kept}


def test_the_answer_of_the_beam_says_that_it_is_not_proven(monkeypatch):
    monkeypatch.setattr(partition_search, "MAX_STEPS", 3)
    monkeypatch.setattr(partition_search, "MAX_COLUMNS", 3)
    partition = partition_atoms(canonical("CC(C)Cc1ccc(cc1)C(C)C(=O)O"))
    assert not partition.exact
    assert partition.bound < partition.cost
    assert set().union(*partition.groups) == set(range(15))


@pytest.mark.parametrize("name", WIDE)
def test_wide_fused_rings_end_with_a_bound(name):
    mol = canonical(WIDE[name])
    partition = partition_atoms(mol)
    assert set().union(*partition.groups) == set(range(mol.GetNumAtoms()))
    assert partition.bound <= partition.cost <= partition.bound + 400
    assert all(len(group) <= 3 for group in partition.groups)


@pytest.mark.parametrize(
    "smiles", ["C" + "OCC" * 333, "C" + "CC(c1ccccc1)" * 125, "C(=O)NCC" * 200, "C1" + "CCOCC" * 60 + "1"]
)
def test_steps_grow_with_the_size_of_long_molecules_only_in_proportion(smiles, monkeypatch):
    mol = Chem.MolFromSmiles(smiles)
    monkeypatch.setattr(partition_search, "MAX_STEPS", 60 * mol.GetNumAtoms())
    found = Candidates.of(MoleculeGraph.of(mol), PARTITION_COSTS["martini3"]).cheapest(1)
    assert found.exact
    assert sum(group.bit_count() for group in found.ranked[0][1]) == len(MoleculeGraph.of(mol).units)


def test_pieces_of_a_remainder_are_what_a_flood_finds():
    shuffler = random.Random(3)
    for smiles in MOLECULES:
        graph = MoleculeGraph.of(canonical(smiles))
        candidates = Candidates.of(graph, {})
        split = UnitGraph(candidates.neighbors)
        for _ in range(20):
            mask = group = 0
            for _, units, _ in shuffler.sample(candidates.priced, min(6, len(candidates.priced))):
                mask |= units
            for whole in flooded(mask, candidates.neighbors):
                group = shuffler.choice([units for _, units, _ in candidates.priced if not units & ~whole])
                boundary = 0
                for u in bits(group):
                    boundary |= candidates.neighbors[u]
                found = split.pieces_without(whole & ~group, group, boundary & ~group)
                assert sorted(found) == sorted(flooded(whole & ~group, candidates.neighbors))


def flooded(mask, neighbors):
    pieces = []
    for u in bits(mask):
        touching = [p for p in pieces if p & neighbors[u]]
        pieces = [p for p in pieces if p not in touching] + [sum(touching) | 1 << u]
    return pieces


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
