"""Roles of atoms and functional groups: known chemistry in, its class out, however the molecule is written."""

import random

import pytest
from rdkit import Chem

from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.functional_groups import functional_group
from topdown.mapping.type_features import bead_features, effective_atoms, size_rule

NOTHING = frozenset()


def roles_of(smiles):
    return atom_roles(Chem.MolFromSmiles(smiles))


def group_of(smiles, style="martini3", atoms=None, shared=()):
    roles = roles_of(smiles)
    atoms = tuple(range(len(roles.names))) if atoms is None else atoms
    return functional_group(roles, atoms, frozenset(shared), style)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CC(=O)OC", "C3 C(=O) ester|=O ester|ester O|C3p"),
        ("CC(=O)O", "C3|C(=O) acid|=O acid|OH acid"),
        ("CNC(C)=O", "C3p|amide N1|C(=O) amide|C3|=O amide"),
        ("COC(N)=O", "C3p|ester O|C(=O) carbamate|amide N2|=O carbamate"),
        ("CC#N", "C3|C#N|nitrile N"),
        ("C[N+](=O)[O-]", "C3p|nitro N|=O N|O- nitro"),
        ("CS(C)(=O)=O", "C3|SO2|C3|=O S|=O S"),
        ("C[S+](C)[O-]", "C3|SO|C3|=O S"),
        ("Nc1ccccc1", "aniline N2|c-N|cH|cH|cH|cH|cH"),
        ("c1cc[nH]c1", "cH|cH|cH|nH|cH"),
        ("C1COCO1", "C2rp|C2rp|acetal Or|C2rpp|acetal Or"),
        ("OC1CC1", "OH ring alcohol|C1rp|C2r|C2r"),
        ("FC(F)(F)c1ccccc1", "F|CF3|F|F|c-C|cH|cH|cH|cH|cH"),
        ("C[N+](C)(C)C", "C3p|N+q|C3p|C3p|C3p"),
        ("NC(N)=[NH2+]", "amidine N|C=N|amidine N|N+2"),
        ("c1ccc2ccccc2c1", "cH|cH|cH|c.fused|cH|cH|cH|cH|c.fused|cH"),
        ("C[Se]C", "C3|S|C3"),
        ("CB(O)O", "C3|B|OH other|OH other"),
        ("CN=[N+]=[N-]", "C3p|imine N|azide N|N-"),
        ("CN=C=O", "C3p|isocyanate N|C(=O) isocyanate|=O isocyanate"),
    ],
)
def test_roles(smiles, expected):
    assert list(roles_of(smiles).names) == expected.replace("C3 C(=O)", "C3|C(=O)").split("|")


@pytest.mark.parametrize(
    ("smiles", "core", "labels"),
    [
        ("CC(N)=O", "P5", ""),
        ("CNC(C)=O", "P3", "d"),
        ("CN(C)C=O", "P3", "a"),
        ("CC(=O)O", "P2", ""),
        ("CCCO", "P1", ""),
        ("OCCO", "P4", "r"),
        ("COC(C)=O", "N4", "a"),
        ("CC(C)=O", "N5", "a"),
        ("CCC#N", "N5", "a"),
        ("C[N+](=O)[O-]", "N3", "a"),
        ("CCCN", "N6", "d"),
        ("CN(C)C", "N3", "a"),
        ("COC", "N3", "r"),
        ("CS(C)=O", "P6", ""),
        ("CS(C)(=O)=O", "P5", ""),
        ("CSC", "C6", ""),
        ("CCCCl", "X3", ""),
        ("CI", "X1", ""),
        ("FC(F)F", "X4", "e"),
        ("CC#CC", "C6", ""),
        ("C=CC=C", "C5", ""),
        ("CC=CC", "C4", ""),
        ("CCCC", "C1", ""),
        ("C[N+](C)(C)C", "Q1", ""),
        ("CCC[NH3+]", "Q4", "p"),
        ("NC(N)=[NH2+]", "Q3", "p"),
        ("CC(=O)[O-]", "Q5", "n"),
        ("COP(=O)([O-])OC", "Q5", ""),
        ("COP(=O)([O-])[O-]", "D", ""),
        ("[NH3+]CC(=O)[O-]", "P6", ""),
        ("C[P+](C)(C)[CH2-]", "C6", ""),
        ("C[N+](C)(C)[O-]", "P6", "a"),
        ("[Na+]", "Q5", ""),
        ("[Br-]", "Q4", ""),
        ("[Ca+2]", "D", ""),
        ("N#N", "C6", ""),
        ("C[Si](C)(C)C", "C2", ""),
        ("C[Si](C)(C)O[Si](C)(C)C", "N1", ""),
        ("C[Si](C)(C)O", "N5", ""),
        ("CC(=O)NO", "P5", ""),
        ("CC(C)=NO", "N6", ""),
        ("CN=C=O", "N3", "a"),
        ("CN=C=S", "N1", ""),
        ("CSC#N", "N4", "a"),
        ("CCN=[N+]=[N-]", "N2", "a"),
        ("CON=O", "N3", "a"),
        ("NC(N)=S", "P2", ""),
        ("CC(N)=S", "N6", "d"),
        ("CCC=O", "N5", "a"),
        ("CC(C)C=O", "N4", "a"),
        ("CCC(C)=O", "N4", "a"),
        ("F[P-](F)(F)(F)(F)F", "Q1", ""),
        ("F[B-](F)(F)F", "Q2", ""),
        ("N#C[S-]", "Q1", ""),
        ("[O-][Cl+3]([O-])([O-])[O-]", "Q2", ""),
        ("O=[N+]([O-])[O-]", "Q3", "n"),
        ("CC[O-]", "Q4", "n"),
    ],
)
def test_classes_of_martini3(smiles, core, labels):
    found = group_of(smiles)
    assert (found.core, found.labels) == (core, labels)


@pytest.mark.parametrize(
    ("smiles", "atoms", "core"),
    [
        ("O=C1C=CC(=O)C=C1", (2, 3), "C5"),
        ("O=C1C=CC(=O)C(C)=C1", (6, 7, 8), "C4"),
        ("C1CC=CCC1", (2, 3), "C4"),
        ("CC(C)C=CC", (0, 1, 2, 3), "C2"),
        ("CC(C)C=CC", (3, 4, 5), "C4"),
        ("C1CCCC=C1", (2, 3, 4), "C3"),
        ("CCCCCCC=O", (4, 5, 6, 7), "N6"),
        ("CCCCCC(C)=O", (4, 5, 6, 7), "N6"),
        # Ethers: N3 where an O or N is two carbons away, also outside the bead, and N4 elsewhere, in chains and rings.
        ("CCCCCCCCCOC", (8, 9, 10), "N4"),
        ("CCCOCCC", (2, 3, 4), "N4"),
        ("CCOCC(CN(C)C)OCC", (0, 1, 2), "N3"),
        ("COCCOC", (0, 1, 2), "N3"),
        ("C1COCCO1", (1, 2, 3), "N3"),
        ("C1COCCN1", (1, 2, 3), "N3"),
        ("C1CCOCC1", (2, 3, 4), "N4"),
        ("CCOCC", (0, 1, 2, 3, 4), "N2"),
        # Small alkyl groups, beside what can be polarised and in saturated surroundings.
        ("CCc1ccccc1", (0, 1), "C3"),
        ("CCC(=O)OC", (0, 1), "C3"),
        ("CCOC(C)=O", (0, 1), "C3"),
        ("CC(C)c1ccccc1", (0, 1, 2), "C3"),
        ("CC(C)C(N)C(=O)O", (0, 1, 2), "C3"),
        ("CCCCN", (0, 1), "C2"),
        ("CC(C)CCCC", (0, 1, 2), "C2"),
        ("CCCc1ccccc1", (0, 1, 2), "C2"),
        # Between polar groups alkyl beads are one level more polar.
        ("NCCCCC(N)C(=O)O", (2, 3, 4), "C3"),
        ("COCCCCCCOC", (3, 4, 5, 6), "C2"),
        ("CCCCCCCCO", (0, 1, 2, 3), "C1"),
        # Conjugation with a ring makes a sulfone less polar.
        ("CS(=O)(=O)c1ccccc1", (0, 1, 2, 3), "P4"),
        ("CCS(=O)(=O)CC", (1, 2, 3, 4, 5), "P5"),
    ],
)
def test_classes_of_parts_of_molecules(smiles, atoms, core):
    assert group_of(smiles, atoms=atoms).core == core


def test_a_nitrogen_beside_another_takes_the_votes_for_pyridine():
    found = group_of("c1ccnnc1", atoms=(2, 3))
    assert (found.core, found.labels, found.instead_of) == ("N4", "a", ("N5", "N6"))


@pytest.mark.parametrize(
    ("smiles", "core"),
    [
        ("CC(N)=O", "P5"),
        ("OCCO", "P4"),
        ("CC(=O)O", "P3"),
        ("CCO", "P2"),
        ("CCCO", "P1"),
        ("CCCCO", "Nda"),
        ("CCCN", "Nd"),
        ("CC(C)=O", "Na"),
        ("C[N+](=O)[O-]", "Na"),
        ("CCC#N", "Na"),
        ("COC=O", "Na"),
        ("CCOC", "N0"),
        ("CCCS", "C5"),
        ("CC#CC", "C4"),
        ("ClC(Cl)Cl", "C4"),
        ("CC=CC", "C3"),
        ("CCCCl", "C3"),
        ("CCC", "C2"),
        ("CCCC", "C1"),
        ("[NH3+]CCO", "Qda"),
        ("CCC[NH3+]", "Qd"),
        ("COP(=O)([O-])OC", "Qa"),
        ("C[N+](C)(C)C", "Q0"),
        ("[Na+]", "Qd"),
        ("[Cl-]", "Qa"),
    ],
)
def test_table_3_of_martini2_follows_from_its_rules(smiles, core):
    assert group_of(smiles, "martini2").core == core


def test_groups_that_two_beads_divide_are_still_known():
    lactam = "O=C1CCCN1"
    assert group_of(lactam, atoms=(0, 1, 2)).core == "P1"
    assert group_of(lactam, atoms=(3, 4, 5)).labels == "d"
    assert group_of("CN1C(=O)NC=C1", atoms=(2, 3)).core[0] in "PN"
    uracil = "O=c1cc[nH]c(=O)[nH]1"
    assert group_of(uracil, atoms=(0, 1)).core == "P1"
    assert group_of(uracil, atoms=(4,)).labels == "d"


def test_a_bead_of_two_half_amides_is_no_amide():
    dipeptide = "CC(=O)NCC(=O)NC"
    assert group_of(dipeptide, atoms=(3, 4, 5, 6)).name == "halves of two amides"
    assert group_of(dipeptide, atoms=(0, 1, 2, 3)).name == "secondary amide"


def test_a_ketone_on_an_aromatic_ring_is_less_polar():
    assert group_of("CC(=O)c1ccccc1", atoms=(0, 1, 2)).core == "N4"
    assert group_of("CC(=O)C1CCCCC1", atoms=(0, 1, 2)).core == "N6"


@pytest.mark.parametrize(
    ("smiles", "atoms", "size"),
    [
        ("CC(C)COC(C)=O", (0, 1, 2, 3), "S"),
        ("CCCCOC(C)=O", (0, 1, 2, 3), ""),
        ("CC(C)CC(C)C", tuple(range(7)), ""),
        ("[NH3+]CCO", (0, 1, 2), "R"),
        ("[NH3+]CCCC", (0, 1), ""),
        ("C[NH2+]C", (0, 1, 2), ""),
    ],
)
def test_groups_of_another_size_than_the_general_rule(smiles, atoms, size):
    assert group_of(smiles, atoms=atoms).size == size


@pytest.mark.parametrize(
    ("smiles", "atoms", "others"),
    [
        ("COCCOC", (0, 1, 2), ("N4",)),
        ("CCCOCCC", (2, 3, 4), ("N3",)),
        ("CCc1ccccc1", (0, 1), ("C2",)),
        ("CCCCN", (0, 1), ("C3",)),
        ("CCCCN", (0, 1, 2), ("C1",)),
        ("CCCC(=O)OC", (0, 1, 2), ()),
        ("CCCCO", (2, 3, 4), ("N6",)),
    ],
)
def test_votes_from_other_surroundings_speak_for_the_class_of_these(smiles, atoms, others):
    assert group_of(smiles, atoms=atoms).instead_of == others


def test_nitrogen_beside_nitrogen_takes_hydrogen_bonds_less():
    assert group_of("c1ccnnc1", atoms=(2, 3)).core == "N4"
    assert group_of("c1cncnc1", atoms=(1, 2)).core == "N5"
    assert group_of("c1ccncc1", atoms=(2, 3)).core == "N6"


def test_trifluoromethyl_makes_a_donor_of_an_alcohol():
    assert group_of("OCC(F)(F)F", atoms=(0, 1)).labels == "d"
    assert group_of("OCC(F)(F)F", atoms=(0, 1)).instead_of
    assert group_of("OCCF", atoms=(0, 1)).labels == ""
    assert group_of("OCC(C)(C)C", atoms=(0, 1)).labels == ""


def test_large_rings_are_chains_and_aromatic_ones_are_rings():
    assert not any(atom.in_ring for atom in roles_of("C1CCCCCCCC1").facts)
    assert all(atom.in_ring for atom in roles_of("C1CCCCCCC1").facts)
    annulene = roles_of("c1ccccccccccccc1")
    assert all(atom.in_ring for atom in annulene.facts if atom.aromatic)


@pytest.mark.parametrize(
    ("smiles", "atoms", "shared", "size"),
    [
        ("CCCCCCCC", (0, 1, 2, 3), (), "R"),
        ("CCCCCCCC", (0, 1, 2), (), "S"),
        ("CCCCCCCC", (0, 1), (), "T"),
        ("c1ccccc1", (0, 1), (), "T"),
        ("c1ccccc1", (0, 1, 2), (0, 2), "T"),
        ("Oc1ccccc1", (0, 1, 2, 6), (2, 6), "S"),
        ("C1CCCCC1", (0, 1, 2), (), "S"),
        ("CC(=O)O", (0, 1, 2, 3), (), "S"),
        ("CC(C)O", (0, 1, 2, 3), (), "R"),
        ("CC(C)(C)CCC", (0, 1, 2, 3), (), "S"),
        ("CC(C)(C)C", (0, 1, 2, 3, 4), (), "R"),
        ("NS(=O)(=O)CC", (0, 1, 2, 3), (), "R"),
        ("CI", (0, 1), (), "S"),
        ("CCI", (0, 1, 2), (), "R"),
        ("NC(N)=[NH2+]", (0, 1, 2, 3), (), "S"),
        ("CC[NH3+]", (1, 2), (), "S"),
        ("[Na+]", (0,), (), "T"),
        ("[I-]", (0,), (), "S"),
        ("ClC(Cl)Cl", (0, 1, 2, 3), (), "R"),
        ("CN(C)CCO", (0, 1, 2), (), "S"),
        ("C[N+](C)(C)CCO", (0, 1, 2, 3), (), "R"),
        ("CN(C)CCCC", (0, 1, 2, 3), (), "S"),
    ],
)
def test_size_follows_atoms_rings_branching_and_sharing(smiles, atoms, shared, size):
    assert size_rule(roles_of(smiles), atoms, frozenset(shared), "martini3") == size


def test_martini2_has_small_beads_in_rings_only():
    assert size_rule(roles_of("C1CCCCC1"), (0, 1), NOTHING, "martini2") == "S"
    assert size_rule(roles_of("CCCC"), (0, 1), NOTHING, "martini2") == "R"


def test_shared_atoms_count_half_and_iodine_twice():
    assert effective_atoms(roles_of("Ic1ccccc1"), (0, 1, 2, 6), frozenset({2, 6})) == 4.0


@pytest.mark.parametrize("style", ["martini3", "martini2"])
@pytest.mark.parametrize(
    "smiles", ["CC(=O)Nc1ccc(O)cc1", "O=C1CCCN1C(F)(F)F", "CS(=O)(=O)N1CCOCC1", "Cn1cnc2c1nc[nH]2"]
)
def test_features_do_not_depend_on_how_the_molecule_is_written(smiles, style):
    mol = Chem.MolFromSmiles(smiles)
    group, shared = (1, 2, 3, 4), frozenset({3})
    want = bead_features(atom_roles(mol), group, shared, style)
    for seed in range(4):
        order = list(range(mol.GetNumAtoms()))
        random.Random(seed).shuffle(order)
        place = {old: new for new, old in enumerate(order)}
        other = atom_roles(Chem.RenumberAtoms(mol, order))
        found = bead_features(other, tuple(sorted(place[a] for a in group)), frozenset(place[a] for a in shared), style)
        assert found[0] == pytest.approx(want[0])
        assert found[1] == want[1]


def test_neighbours_are_seen_two_bonds_away():
    def features(smiles, group):
        return bead_features(roles_of(smiles), group, NOTHING, "martini3")[0]

    assert "apolar, polar at 1" in features("CCCCO", (0, 1, 2, 3))
    assert "apolar, polar at 2" in features("CCCCCO", (0, 1, 2, 3))
    assert "apolar, polar at 3" in features("CCCCCCO", (0, 1, 2, 3))
    assert "apolar, polar at 2" not in features("CCCO", (0, 1, 2, 3))


def test_groups_on_aromatic_rings_are_told_from_others():
    def features(smiles):
        return bead_features(roles_of(smiles), (0, 1, 2), NOTHING, "martini3")[0]

    assert "group carboxylic acid on an aromatic ring" in features("O=C(O)c1ccccc1")
    assert "group carboxylic acid on an aromatic ring" not in features("O=C(O)C1CCCCC1")
