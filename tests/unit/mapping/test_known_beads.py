"""What is remembered of beads: it is what would be found anew, whatever was met before, and it is bounded."""

import random

import pytest
from rdkit import Chem

from topdown.mapping import atom_roles as module_of_roles
from topdown.mapping import bead_typing, candidate_groups, type_estimate
from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.bead_typing import KNOWN_LEVELS, building_block_index, choose_type, choose_types
from topdown.mapping.fragmenting import canonical_order, partition_atoms
from topdown.mapping.fragments import in_surroundings
from topdown.mapping.remembered import Remembered
from topdown.mapping.surroundings import Surroundings
from topdown.mapping.type_estimate import atom_free_energies, free_energy
from topdown.mapping.type_features import bead_features, effective_atoms, size_rule
from topdown.tables import load_bead_table

M3 = load_bead_table("martini3")
M2 = load_bead_table("martini2")

#: Beads of one make in surroundings that differ: beside a carbonyl, a nitrogen two bonds on, an oxygen across the ring.
ALIKE = [
    "CCCCC(=O)O", "CCCCC(=O)N", "CCCCC(=O)OC", "CCCCC(=O)C", "CCCCCCN", "CCCCCCCl", "CCCC=CC", "CCCCc1ccccc1",
    "c1ccncc1", "c1cncnc1", "c1ccc2ncccc2c1", "Cc1cnccn1", "c1cnc[nH]1", "c1cc[nH]c1", "Cn1ccnc1", "O=c1cc[nH]cc1",
    "O=c1cccc[nH]1", "C1CCOCC1", "C1COCCO1", "C1CNCCO1", "C1CCNCC1", "CC(=O)Nc1ccc(O)cc1", "OCC(O)CO", "OCCOCCO",
    "FC(F)(F)CCO", "ClCCCl", "BrCCCCBr", "O=C(O)CN", "[O-]C(=O)C[NH3+]", "CS(=O)(=O)Nc1ccccc1", "CC(C)(C)O", "CP(C)C",
    "Oc1ccccn1", "n1cccnc1", "Cn1cccn1", "c1ccoc1", "c1cnoc1", "CCC(CF)CC", "CCC(CO)CC", "CCC(CN)CC", "CCC(CS)CC", "OCC1CCCO1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "CC(=O)Oc1ccccc1C(=O)O", "C1CC1N", "OC1CCCCC1", "N#CCCC", "C=CC(=O)OCC",
    "CCOCCCC", "CCOCCOC", "C1COCCN1", "CC(C)CC", "CC(C)c1ccccc1", "NCCCCCN", "CCCCCCCC",
]  # fmt: skip


@pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
def test_a_choice_remembered_is_the_choice_that_would_be_made(table):
    for smiles in [*ALIKE, *reversed(ALIKE)]:
        mol = Chem.MolFromSmiles(smiles)
        partition = partition_atoms(Chem.RenumberAtoms(mol, canonical_order(mol)), table.name)
        mol = Chem.RenumberAtoms(mol, canonical_order(mol))
        remembered = choose_types(mol, partition.groups, table, shared=partition.shared)
        made = choose_types(mol, partition.groups, table, shared=partition.shared, index=building_block_index(table))
        assert remembered == made, smiles


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(monkeypatch):
    def types():
        mols = [Chem.MolFromSmiles(smiles) for smiles in ALIKE]
        return [choose_types(mol, [tuple(range(mol.GetNumAtoms()))[:4]], M3) for mol in mols]

    wanted = types()
    known = bead_typing._Known(choices=Remembered(4), by_energy=Remembered(4))
    monkeypatch.setattr(bead_typing, "_known_choices", lambda _: known)
    monkeypatch.setattr(type_estimate, "_ATOM_ENERGIES", Remembered(4))
    assert types() == wanted
    assert types() == wanted
    assert 0 < len(known.choices) <= 4
    assert 0 < len(known.by_energy) <= 4
    assert 0 < len(type_estimate._ATOM_ENERGIES) <= 4


def test_kinds_of_atoms_are_bounded_and_forgetting_changes_nothing(monkeypatch):
    def roles():
        # A molecule read anew is not one whose facts are still at hand.
        found = [atom_roles(Chem.MolFromSmiles(smiles)) for smiles in ALIKE]
        return [(r.names, r.carbonyls, [kind.energy_key for kind in r.kinds]) for r in found]

    monkeypatch.setattr(module_of_roles, "_kinds", {})
    monkeypatch.setattr(module_of_roles, "_near", {})
    wanted = roles()
    assert len(module_of_roles._kinds) > 100
    monkeypatch.setattr(module_of_roles, "_MOST_KINDS", 20)
    assert roles() == wanted
    assert len(module_of_roles._kinds) <= 20 + max(map(len, ALIKE))


def test_an_atom_met_before_is_what_it_would_be_taken_for_alone():
    """Whatever was remembered of other molecules before: esters, acids and amides differ two bonds away."""
    for smiles in [*ALIKE, *reversed(ALIKE)]:
        mol = Chem.MolFromSmiles(smiles)
        roles = atom_roles(mol)
        facts = roles.facts
        carbonyls = tuple(module_of_roles._carbonyl(atom, facts) for atom in facts)
        assert roles.carbonyls == carbonyls, smiles
        assert roles.names == tuple(module_of_roles._role(a, facts, carbonyls, c) for a, c in zip(facts, carbonyls)), (
            smiles
        )


def test_costs_of_descriptions_are_bounded_and_forgetting_changes_nothing(monkeypatch):
    def partitions():
        return [partition_atoms(Chem.MolFromSmiles(smiles), "martini3").groups for smiles in ALIKE]

    # other styles and tables, which other tests have filled, are not looked at
    monkeypatch.setattr(candidate_groups, "_SHAPE_COSTS", {})
    wanted = partitions()
    assert all(len(costs) > 20 for _, costs in candidate_groups._SHAPE_COSTS.values())
    monkeypatch.setattr(candidate_groups, "_MOST_SHAPES", 20)
    assert partitions() == wanted
    partition_atoms(Chem.MolFromSmiles("C"), "martini3")
    assert all(len(costs) <= 20 for _, costs in candidate_groups._SHAPE_COSTS.values())


def test_ethers_with_and_without_a_polar_atom_two_carbons_away_are_told_apart():
    """It lies three bonds from the bead's end, further than anything else that counts."""
    keys, types = set(), []
    for smiles in ("CCOCCC", "CCOCCO", "CCOCCN", "CCOCCC"):
        mol = Chem.MolFromSmiles(smiles)
        keys.add(Surroundings(atom_roles(mol), frozenset()).bead_key((0, 1, 2)))
        types.append(choose_type(mol, (0, 1, 2), M3).bead_type)
    assert len(keys) == 2
    assert types[0] == types[3] != types[1] == types[2]


@pytest.mark.parametrize("smiles", ["FC(F)(F)C1CC1(Br)C#N", "CCCCCC"])
def test_a_bead_met_before_is_looked_up(smiles, monkeypatch):
    mol = Chem.MolFromSmiles(smiles)
    group = [tuple(range(mol.GetNumAtoms()))[-4:]]
    choice = choose_types(mol, group, M3)
    assert (choice[0].level in KNOWN_LEVELS) == (smiles == "CCCCCC")
    monkeypatch.setattr(bead_typing, "_evidence", lambda *_: pytest.fail("worked out again"))
    assert choose_types(mol, group, M3) == choice


@pytest.mark.parametrize("style", ["martini3", "martini2"])
def test_beads_of_one_key_have_all_in_common_that_decides_their_type(style):
    """Every connected group of up to four atoms of every molecule."""
    known = {}
    n_met = 0
    for smiles in ALIKE:
        mol = Chem.MolFromSmiles(smiles)
        roles = atom_roles(mol)
        surroundings = Surroundings(roles, frozenset())
        near = [[n.GetIdx() for n in atom.GetNeighbors()] for atom in mol.GetAtoms()]
        groups = {frozenset([a]) for a in range(len(near))}
        for _ in range(3):
            groups |= {group | {b} for group in groups for a in group for b in near[a]}
        for group in map(tuple, map(sorted, groups)):
            features, chemistry = bead_features(roles, group, frozenset(), style)
            decides = (
                features,
                chemistry,
                in_surroundings(roles.facts, group, frozenset()),
                size_rule(roles, group, frozenset(), style),
                effective_atoms(roles, group, frozenset()),
                roles.charge(group),
            )
            before = known.setdefault(surroundings.bead_key(surroundings.in_order(group)), (decides, smiles))
            n_met += before[1] != smiles
            assert before[0] == decides, (group, smiles, before[1])
    assert n_met > 200


@pytest.mark.parametrize("smiles", ["O=C1C2=C(C=CC=C2)C(=O)C3=C1C=C4CCCCC4=C3", *ALIKE[:3]])
def test_what_is_known_of_a_bead_does_not_depend_on_what_was_met_before(smiles):
    """The same bead in another order of atoms: one key, and to the last bit what the first order gave."""
    mol = Chem.MolFromSmiles(smiles)
    near = [[n.GetIdx() for n in atom.GetNeighbors()] for atom in mol.GetAtoms()]
    groups = {tuple(sorted({a, b, c})) for a, b in enumerate(map(min, near)) for c in near[b]}
    shuffler = random.Random(5)
    order = shuffler.sample(range(len(near)), len(near))
    place = {old: new for new, old in enumerate(order)}
    other = Chem.RenumberAtoms(mol, order)
    one, two = (Surroundings(atom_roles(m), frozenset()) for m in (mol, other))
    keys = [one.bead_key(one.in_order(group)) for group in groups]
    moved = [tuple(sorted(place[a] for a in group)) for group in groups]
    assert keys == [two.bead_key(two.in_order(group)) for group in moved]
    index = building_block_index(M3)
    for group, image in zip(groups, moved):
        assert choose_type(mol, group, M3, index=index) == choose_type(other, image, M3, index=index)


def test_free_energies_of_atoms_are_looked_up_by_all_that_decides_them():
    for smiles in ALIKE:
        mol = Chem.MolFromSmiles(smiles)
        surroundings = Surroundings(atom_roles(mol), frozenset())
        wanted = atom_free_energies(mol)
        found = [free_energy(mol, (atom,), frozenset(), surroundings) for atom in range(mol.GetNumAtoms())]
        assert found == pytest.approx(wanted, abs=1e-12), smiles
