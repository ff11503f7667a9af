"""What holds for every mapped molecule, on molecules made at random."""

import json
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors
from smiles_spellings import same_mapping, spellings

from topdown.errors import MoleculeError
from topdown.mapping.mapper import map_molecule
from topdown.mapping.smiles import parse_smiles
from topdown.report.cgsmiles import cgsmiles_with_fragments
from topdown.tables import load_bead_table
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.mapping_json import mapping_json

TABLES = {name: load_bead_table(name) for name in ("martini3", "martini2")}
#: Pieces that end in an open valence at both sides, and caps; every join is a molecule.
LINKS = [
    "C", "CC", "CCC", "C(C)", "C(=O)", "O", "N", "S", "C(=O)N", "C(=O)O", "c1ccc(cc1)", "C1CCC(CC1)", "c1cc(ncc1)",
    "C=C", "C#C", "S(=O)(=O)", "C(F)(F)", "[N+](C)(C)", "P(=O)([O-])", "C(O)", "C(C(=O)[O-])", "c1cc2ccccc2cc1",
    "[Si](C)(C)", "N1CCN(CC1)", "C1CC1", "B(O)",
]  # fmt: skip
CAPS = [
    "C",
    "O",
    "N",
    "F",
    "Cl",
    "Br",
    "I",
    "C#N",
    "[NH3+]",
    "C(=O)[O-]",
    "c1ccccc1",
    "S",
    "S(=O)(=O)[O-]",
    "[N+](=O)[O-]",
    "C(C)(C)C",
    "OC",
    "c1ccco1",
]


@st.composite
def molecules(draw):
    """SMILES of one to eight linked pieces, some with a side chain."""
    pieces = draw(st.lists(st.sampled_from(LINKS), min_size=1, max_size=4))
    text = draw(st.sampled_from(["C", "N", "O", "Cl", "[O-]C(=O)", "c1ccccc1"]))
    for piece in pieces:
        text += piece
    text += draw(st.sampled_from(CAPS))
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(text)
    assume(mol is not None)
    return text


quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.mark.parametrize("name", list(TABLES))
@quick
@given(data=st.data())
def test_atoms_charge_mass_and_connection(name, data):
    smiles = data.draw(molecules())
    table = TABLES[name]
    mol = parse_smiles(smiles).mol
    molecule = map_molecule(smiles, table, conformers=False)
    covered = [atom for bead in molecule.beads for atom in bead.atoms]
    assert set(covered) == set(range(mol.GetNumAtoms()))
    assert max(covered.count(atom) for atom in set(covered)) <= 2
    assert molecule.charge == Chem.GetFormalCharge(mol)
    assert all(bead.charge == int(bead.charge) for bead in molecule.beads)
    assert molecule.molar_mass == pytest.approx(Descriptors.MolWt(Chem.MolFromSmiles(smiles)), rel=1e-9)
    assert molecule.mass > 0
    assert all(bead.bead_type in table for bead in molecule.beads)
    assert all(0 <= bead.confidence <= 1 for bead in molecule.beads)
    for bead in molecule.beads:
        assert len(Chem.GetMolFrags(Chem.MolFromSmiles(Chem.MolFragmentToSmiles(mol, bead.atoms), sanitize=False))) == 1
    assert connected(molecule)


def connected(molecule):
    """Whether bonds, constraints and virtual sites join all beads."""
    pairs = [t.atoms for t in (*molecule.bonds, *molecule.constraints)]
    pairs += [(v.site, other) for v in molecule.virtual_sites for other in v.atoms]
    reached = {0}
    while new := {b for pair in pairs if reached & set(pair) for b in pair} - reached:
        reached |= new
    return len(reached) == molecule.n_beads


@quick
@given(smiles=molecules(), seed=st.integers(1, 10**6), name=st.sampled_from(list(TABLES)))
def test_another_way_of_writing_gives_the_same_mapping(smiles, seed, name):
    (other,) = spellings(smiles, 1, seed)
    one, two = (map_molecule(text, TABLES[name], conformers=False) for text in (smiles, other))
    assert same_mapping(one, two, TABLES[name])


@quick
@given(smiles=molecules(), name=st.text(max_size=30))
def test_json_round_trip(smiles, name):
    table = TABLES["martini3"]
    molecule = map_molecule(smiles, table, name=name, conformers=False)
    found = mapping_json(molecule, table, MoleculeRequest(smiles=smiles, name=name))
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert (again["smiles"], again["name"]) == (smiles, name)
    assert [tuple(bead["atoms"]) for bead in again["beads"]] == [bead.atoms for bead in molecule.beads]
    assert sum(bead["charge"] for bead in again["beads"]) == molecule.charge
    n = len(again["beads"])
    terms = [t for key in ("bonds", "constraints", "angles", "dihedrals", "virtual_sites") for t in again[key]]
    assert all(0 <= a < n for term in terms for a in term["atoms"])


@quick
@given(smiles=molecules())
def test_cgsmiles_names_every_heavy_atom(smiles):
    molecule = map_molecule(smiles, TABLES["martini3"], conformers=False)
    graph, fragments = cgsmiles_with_fragments(molecule)[1:-1].split("}.{")
    assert graph.count("[#") == sum(bool(bead.atoms) for bead in molecule.beads)
    sizes = {}
    for part in fragments.split(",#"):
        label, _, text = part.lstrip("#").partition("=")
        shared = text.count("[!")
        mol = Chem.MolFromSmarts(strip_marks(text))
        sizes[label] = mol.GetNumAtoms() - shared / 2
    total = sum(sizes[node.split("]")[0].split(";")[0]] for node in graph.split("[#")[1:])
    assert total == parse_smiles(smiles).mol.GetNumAtoms()


def strip_marks(text):
    return re.sub(r"[-=#:]?\[[$!]\w*\]", "", re.sub(r"^(?:\[[$!]\w*\][-=#:]?)+", "", text))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_mapped_or_refused(text):
    try:
        molecule = map_molecule(text, TABLES["martini3"], conformers=False)
    except MoleculeError:
        return
    assert molecule.n_beads > 0


def test_lengths_halfway_between_two_digits_do_not_hang_on_the_writing():
    # 0.29625 nm in a drawn naphthalene, give or take the last bit.
    mol = Chem.MolFromSmiles("CC(C(=O)[O-])c1cc2ccccc2cc1CC")
    writings = Chem.MolToRandomSmilesVect(mol, 6, randomSeed=1)
    molecules = [map_molecule(text, TABLES["martini3"], conformers=False) for text in writings]
    lengths = {tuple(sorted(c.length for c in molecule.constraints)) for molecule in molecules}
    assert len(lengths) == 1
