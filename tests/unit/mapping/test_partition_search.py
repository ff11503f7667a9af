"""The cheapest division: found by enumeration too, never missed where groups are left out, bounded where it is not proven."""

import itertools
import random

import pytest
from molecules_to_divide import MOLECULES, canonical
from rdkit import Chem

from topdown.mapping import partition_search
from topdown.mapping.bit_masks import bits
from topdown.mapping.candidate_groups import Candidates
from topdown.mapping.fragmenting import partition_atoms
from topdown.mapping.group_features import group_features
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_costs import PARTITION_COSTS
from topdown.mapping.unit_graph import UnitGraph


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
