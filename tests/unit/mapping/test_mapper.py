"""From SMILES to a coarse-grained molecule."""

import random

import numpy as np
import pytest
from rdkit import Chem

from topdown.errors import MoleculeError, SettingsError
from topdown.mapping import map_molecule
from topdown.mapping.geometry import ANGLE_RANGE, BOND_RANGE
from topdown.tables import load_bead_table

M3 = load_bead_table("martini3")
M2 = load_bead_table("martini2")
TABLES = pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])

MOLECULES = [
    "CCCCCCCC",
    "CCCCCCCCO",
    "CC(=O)Nc1ccc(O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "c1ccc2cc3ccccc3cc2c1",
    "c1ccc(-c2ccccc2)cc1",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)[O-]",
    "C[N+](C)(C)CCOP(=O)([O-])OCC",
    "C1CCC2CCCCC2C1",
    "CC(C)(C)c1ccccc1",
    "OCC(O)C(O)C(O)C(O)CO",
    "C1CCCCCCCCCCC1",
    "CC#CC",
    "FC(F)(F)C(F)(F)F",
    "C12C3C4C1C5C2C3C45",
]


def by_atoms(molecule):
    return {bead.atoms: (bead.bead_type, bead.charge) for bead in molecule.beads}


@TABLES
@pytest.mark.parametrize("smiles", MOLECULES)
def test_a_mapped_molecule_is_sound(smiles, table):
    molecule = map_molecule(smiles, table, conformers=False)
    mol = Chem.MolFromSmiles(smiles)
    assert set().union(*(bead.atoms for bead in molecule.beads)) == set(range(mol.GetNumAtoms()))
    assert molecule.charge == Chem.GetFormalCharge(mol)
    assert len({bead.name for bead in molecule.beads}) == molecule.n_beads
    for bead in molecule.beads:
        assert bead.bead_type in table
        assert 0 < bead.confidence <= 1
        assert bead.reason
        assert bead.bead_type not in bead.alternatives
        assert all(other in table for other in bead.alternatives)
    # Virtual sites hand their mass to the beads they are built from.
    sites = {v.site for v in molecule.virtual_sites}
    assert molecule.mass == pytest.approx(sum(table.bead_type(b.bead_type).mass for b in molecule.beads), abs=1e-3)
    assert {k for k, bead in enumerate(molecule.beads) if bead.mass == 0} == sites
    joined = {b.atoms for b in molecule.bonds} | {c.atoms for c in molecule.constraints}
    assert len(joined) == len(molecule.bonds) + len(molecule.constraints)
    joined |= {(a, v.site) for v in molecule.virtual_sites for a in v.atoms}
    reached = {0}
    for _ in molecule.beads:
        reached |= {j for pair in joined for j in pair if set(pair) & reached}
    assert reached == set(range(molecule.n_beads))
    assert molecule.table == table.name


def test_beads_follow_the_written_order():
    molecule = map_molecule("OCCCCCCCC", M3, conformers=False)
    assert [bead.atoms[0] for bead in molecule.beads] == sorted(bead.atoms[0] for bead in molecule.beads)
    assert molecule.beads[0].bead_type == "SP1"
    assert map_molecule("CCCCCCCCO", M3, conformers=False).beads[-1].bead_type == "SP1"


@pytest.mark.parametrize("smiles", MOLECULES)
def test_every_way_of_writing_gives_the_same_beads(smiles):
    mol = Chem.MolFromSmiles(smiles)
    reference = sorted(by_atoms(map_molecule(smiles, M3, conformers=False)).values())
    shuffler = random.Random(3)
    for _ in range(3):
        order = list(range(mol.GetNumAtoms()))
        shuffler.shuffle(order)
        other = Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False)
        assert sorted(by_atoms(map_molecule(other, M3, conformers=False)).values()) == reference


def test_same_seed_same_coordinates_whatever_the_order():
    one = map_molecule("CC(=O)Nc1ccc(O)cc1", M3, seed=7)
    again = map_molecule("CC(=O)Nc1ccc(O)cc1", M3, seed=7)
    other = map_molecule("Oc1ccc(NC(C)=O)cc1", M3, seed=7)
    assert np.array_equal(one.positions, again.positions)
    assert one.bonds == again.bonds
    assert sorted(c.length for c in one.constraints) == sorted(c.length for c in other.constraints)
    assert not np.array_equal(one.positions, map_molecule("CC(=O)Nc1ccc(O)cc1", M3, seed=8).positions)


@TABLES
@pytest.mark.parametrize("smiles", MOLECULES)
def test_bonded_terms_stand_20_fs(smiles, table):
    molecule = map_molecule(smiles, table, seed=2)
    assert molecule.positions is not None
    assert abs(molecule.positions.mean(axis=0)).max() < 1e-9
    for constraint in molecule.constraints:
        i, j = constraint.atoms
        assert np.linalg.norm(molecule.positions[i] - molecule.positions[j]) == pytest.approx(
            constraint.length, abs=2e-5
        )
    assert len(molecule.constraints) <= max(1, 3 * molecule.n_beads - 6)
    for bond in molecule.bonds:
        assert 0 < bond.force_constant <= BOND_RANGE[1]
        assert 0.1 < bond.length < 0.8
    for angle in molecule.angles:
        assert 0 < angle.force_constant <= ANGLE_RANGE[1]
        assert 0 < angle.angle <= 180
    excluded = set(molecule.excluded_pairs())
    assert {tuple(sorted(b.atoms)) for b in molecule.bonds} <= excluded


def test_lengths_are_those_of_martini():
    octane = map_molecule("CCCCCCCC", M3)
    assert octane.bonds[0].length == pytest.approx(0.47, abs=0.06)
    benzene = map_molecule("c1ccccc1", M3)
    assert len(benzene.constraints) == 3
    assert np.mean([c.length for c in benzene.constraints]) == pytest.approx(0.29, abs=0.02)
    # Centre of mass without hydrogens lies further in than centre of geometry with them.
    outer = map_molecule("c1ccccc1", M3).constraints[0].length
    inner = map_molecule("c1ccccc1", M2).constraints[0].length
    assert inner < outer


def test_graph_only_estimates_are_near_those_of_conformers():
    for smiles in ("CCCCCCCC", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1"):
        graph, full = (map_molecule(smiles, M3, conformers=c) for c in (False, True))
        assert graph.positions is None
        lengths = {t.atoms: t.length for t in (*graph.bonds, *graph.constraints)}
        for term in (*full.bonds, *full.constraints):
            assert lengths[term.atoms] == pytest.approx(term.length, rel=0.25)


@pytest.mark.parametrize(("table", "water"), [(M3, "W"), (M2, "P4")])
def test_water_is_four_molecules(table, water):
    molecule = map_molecule("O", table)
    assert molecule.type_names == (water,)
    assert molecule.molar_mass == pytest.approx(4 * 18.015, abs=0.01)
    assert "four water" in molecule.warnings[0]
    assert map_molecule("[H]O[H]", table).type_names == (water,)


def test_name_smiles_and_mass_are_kept():
    molecule = map_molecule("OCC", M3, name="Ethanol é <1>")
    assert molecule.name == "Ethanol é <1>"
    assert molecule.smiles == "OCC"
    assert molecule.canonical_smiles == "CCO"
    assert molecule.molar_mass == pytest.approx(46.07, abs=0.01)
    assert map_molecule("OCC", M3).name == "CCO"


def test_shared_atoms_stand_in_both_beads_and_charge_counts_once():
    molecule = map_molecule("[O-]c1ccccc1", M3, conformers=False)
    atoms = [a for bead in molecule.beads for a in bead.atoms]
    assert len(atoms) > len(set(atoms))
    assert molecule.charge == -1
    assert sum(bead.charge != 0 for bead in molecule.beads) == 1


def test_estimated_types_are_announced():
    molecule = map_molecule("C[Se](=O)C", M3, conformers=False)
    assert molecule.warnings or all(b.confidence > 0.3 for b in molecule.beads)


def test_without_conformers_a_huge_molecule_still_maps_and_says_so():
    molecule = map_molecule("C" * 120, M3)
    assert molecule.n_beads == 30
    assert molecule.positions is None
    assert "no conformer" in molecule.warnings[0]


def test_cages_map_too():
    dodecahedrane = "C12C3C4C5C1C6C7C2C8C3C9C4C1C5C6C2C7C8C9C12"
    molecule = map_molecule(dodecahedrane, M3, conformers=False)
    assert {a for bead in molecule.beads for a in bead.atoms} == set(range(20))


def test_refusals_pass_through():
    with pytest.raises(MoleculeError, match="E_MIXTURE"):
        map_molecule("CC.CC", M3)
    with pytest.raises(SettingsError):
        map_molecule("CC", M3, seed=-1)
