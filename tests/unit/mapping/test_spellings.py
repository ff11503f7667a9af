"""How a SMILES is written does not matter to anything that is said about the molecule."""

import numpy as np
import pytest
from rdkit import Chem
from smiles_spellings import same_mapping, spellings, told

from topdown.mapping import map_molecule
from topdown.mapping.canonical_molecule import CanonicalMolecule
from topdown.mapping.smiles import parse_smiles
from topdown.tables import load_bead_table

TABLES = {name: load_bead_table(name) for name in ("martini3", "martini2")}
#: Molecules whose drawing, rings or symmetries RDKit finds in the order of the bonds.
HARD = {
    "quinuclidine": "C1CN2CCC1CC2",
    "imines": "C(=NC(N=Cc1ccccc1)c1ccccc1)c1ccccc1",
    "styryl pyridine": "CC(=Cc1ccccc1)c1ccccn1",
    "borneol ether": "CC(C)(N)COC1CC2CCC1(C)C2(C)C",
    "carbamate": "CC(C)=NOC(=O)N(c1ccccc1)c1cccc(C)c1",
    "diterpene": "CC(O)c1ccc2c(c1)C(O)CC1C(C)(CO)CCCC21C",
    "trityl": "CC1(C)OCC(COC(c2ccccc2)(c2ccccc2)c2ccccc2)O1",
    "cubane": "C12C3C4C1C5C2C3C45",
}
STEREO = {
    "stilbene": "C(=C/c1ccccc1)\\c1ccc(O)cc1",
    "naproxen": "COc1ccc2cc([C@H](C)C(=O)[O-])ccc2c1",
    "glucose": "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "estradiol": "C[C@]12CC[C@H]3[C@H]([C@@H]1CC[C@@H]2O)CCc1cc(O)ccc13",
    "imine with its hydrogen": "[H]/N=C(/N)c1ccccc1",
}
#: Published models.
KNOWN = {
    "cholesterol": "C[C@H](CCCC(C)C)[C@H]1CC[C@@H]2[C@@]1(CC[C@H]3[C@H]2CC=C4[C@@]3(CC[C@@H](C4)O)C)C",
    "DLPE": "CCCCCCCCCCCC(=O)OCC(COP(=O)([O-])OCC[NH3+])OC(=O)CCCCCCCCCCC",
}


def several(smiles, table, count, **options):
    return [map_molecule(text, table, **options) for text in spellings(smiles, count, 3)]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("smiles", [*HARD.values(), *STEREO.values(), *KNOWN.values()])
def test_from_the_graph(smiles, name):
    first, *others = several(smiles, TABLES[name], 6, conformers=False)
    assert all(same_mapping(first, other, TABLES[name]) for other in others)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("key", ["quinuclidine", "imine with its hydrogen", "cubane"])
def test_from_conformers(key, name):
    first, *others = several({**HARD, **STEREO}[key], TABLES[name], 4, conformers=True, seed=5)
    assert first.positions is not None
    assert all(same_mapping(first, other, TABLES[name]) for other in others)


def test_the_comparison_sees_a_length_and_an_atom():
    """Two mappings that differ in one number, or in one atom, are not the same."""
    table = TABLES["martini3"]
    one = map_molecule(HARD["quinuclidine"], table, conformers=True)
    other = map_molecule(HARD["quinuclidine"], table, conformers=True, seed=2)
    assert same_mapping(one, one, table)
    assert not same_mapping(one, other, table)
    assert not same_mapping(map_molecule("OCCCCCN", table), map_molecule("OCCCCCF", table), table)
    assert (0, 1) in [bead["atoms"] for bead in told(one, table)["beads"]]


def test_mirror_images_are_divided_alike():
    table = TABLES["martini3"]
    left, right = (
        map_molecule(f"CC(C)Cc1ccc(cc1)[C@{mark}H](C)C(=O)[O-]", table, conformers=False) for mark in ("", "@")
    )
    assert left.canonical_smiles != right.canonical_smiles
    assert [bead.atoms for bead in left.beads] == [bead.atoms for bead in right.beads]
    assert left.bonds == right.bonds
    assert left.constraints == right.constraints


@pytest.mark.parametrize("smiles", [*HARD.values(), *STEREO.values()])
def test_the_canonical_molecule_is_the_molecule_and_always_the_same(smiles):
    found = []
    for text in spellings(smiles, 8, 7):
        parsed = parse_smiles(text)
        canonical = CanonicalMolecule.of(parsed)
        assert sorted(canonical.order) == list(range(parsed.mol.GetNumAtoms()))
        # Bonds and atoms of the canonical molecule are those written, at the numbers that ``order`` gives.
        for bond in canonical.mol.GetBonds():
            i, j = (canonical.order[a] for a in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            assert parsed.mol.GetBondBetweenAtoms(i, j).GetBondType() == bond.GetBondType()
            assert canonical.as_read.GetBondBetweenAtoms(
                *(canonical.places[a] for a in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            )
        for atom in canonical.mol.GetAtoms():
            assert parsed.mol.GetAtomWithIdx(canonical.order[atom.GetIdx()]).GetSymbol() == atom.GetSymbol()
        found.append([Chem.MolToMolBlock(mol) for mol in (canonical.mol, canonical.as_read)])
    assert all(one == found[0] for one in found)


def test_a_molecule_that_rdkit_does_not_read_again_is_mapped_all_the_same(monkeypatch):
    """RDKit's own SMILES of odd aromatic systems may be refused by its reader."""
    reader = Chem.MolFromSmiles
    table = TABLES["martini3"]
    usual = map_molecule("CC(=O)Nc1ccc(O)cc1", table, conformers=True)
    parsed = parse_smiles("CC(=O)Nc1ccc(O)cc1")
    monkeypatch.setattr(Chem, "MolFromSmiles", lambda text, **k: reader(text, **k) if k else None)
    assert sorted(CanonicalMolecule.of(parsed).order) == list(range(parsed.mol.GetNumAtoms()))
    found = map_molecule("CC(=O)Nc1ccc(O)cc1", table, conformers=True)
    assert [bead.atoms for bead in found.beads] == [bead.atoms for bead in usual.beads]
    assert np.isfinite(found.positions).all()
