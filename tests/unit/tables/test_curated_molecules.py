"""Curated models: what they hold, how they are found, and every way a file can be wrong."""

from dataclasses import replace

import pytest

from topdown.errors import BeadTableError
from topdown.tables import (
    find_molecule,
    list_molecules,
    load_all_molecules,
    load_bead_table,
    load_bead_types,
    load_curated_molecule,
    load_molecule,
    write_bead_table,
)
from topdown.tables.molecules import read_molecule

DSPC = "CCCCCCCCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCCCCCCCC"


def test_dppc_of_martini2_is_the_published_one():
    dppc = load_molecule("martini2", "dppc")
    assert dppc.type_names == ("Q0", "Qa", "Na", "Na", *["C1"] * 8)
    assert [bead.charge for bead in dppc.beads] == [1.0, -1.0, *[0.0] * 10]
    assert dppc.mass == 12 * 72.0
    assert len(dppc.bonds) == 11
    assert {(b.length, b.force_constant) for b in dppc.bonds} == {(0.47, 1250.0), (0.37, 1250.0)}
    assert [b.atoms for b in dppc.bonds if b.length == 0.37] == [(2, 3)]
    assert len(dppc.angles) == 8
    assert [(a.angle, a.force_constant, a.function) for a in dppc.angles if a.atoms == (1, 2, 3)] == [(120.0, 25.0, 2)]
    assert dppc.molar_mass == pytest.approx(734.05, abs=0.01)  # C40H80NO8P
    assert dppc.table == "martini2"


def test_popc_of_martini3():
    popc = load_molecule("martini3", "POPC")
    assert popc.n_beads == 12
    assert popc.charge == 0.0
    assert popc.molar_mass == pytest.approx(760.09, abs=0.01)  # C42H82NO8P
    assert popc.beads[5].bead_type == "C4h"
    assert {angle.function for angle in popc.angles} == {1}


@pytest.mark.parametrize("table", ["martini2", "martini3"])
def test_a_water_bead_stands_for_four_waters(table):
    water = load_curated_molecule(table, "W")
    assert water.n_molecules == 4
    assert water.model.molar_mass == pytest.approx(4 * 18.015, abs=0.002)
    assert water.model.mass == 72.0


def test_rings_have_constraints_and_small_masses():
    benzene = load_molecule("martini2", "BENZ")
    assert benzene.type_names == ("SC4",) * 3
    assert benzene.mass == 3 * 45.0
    assert sorted(c.atoms for c in benzene.constraints) == [(0, 1), (0, 2), (1, 2)]
    assert {c.length for c in benzene.constraints} == {0.27}


def test_sodium_is_a_name_not_a_missing_value():
    for table in ("martini2", "martini3"):
        sodium = load_molecule(table, "na")
        assert sodium.charge == 1.0
        assert sodium.molar_mass == pytest.approx(22.99, abs=0.01)
    assert load_molecule("martini3", "CL").beads[0].mass == 35.453


def test_cholesterol_of_martini3_is_a_frame_of_three_beads_with_five_sites_and_a_tail():
    cholesterol = load_curated_molecule("martini3", "CHOL").model
    names = [bead.name for bead in cholesterol.beads]
    assert [b.mass for b in cholesterol.beads] == [0.0, 159.8, 157.0, 0.0, 0.0, 0.0, 0.0, 115.2, 72.0]
    assert {names[v.site] for v in cholesterol.virtual_sites} == {"ROH", "R3", "R4", "R5", "R6"}
    assert {tuple(names[i] for i in v.atoms) for v in cholesterol.virtual_sites} == {("C1", "R2", "R1")}
    assert cholesterol.virtual_sites[0].construction == "3out"
    assert cholesterol.virtual_sites[0].parameters == (1.08999, 0.35891, 0.22947)
    assert sorted(c.length for c in cholesterol.constraints) == [0.34797, 0.75012, 0.78504]
    assert len(cholesterol.excluded_pairs()) == 29  # all pairs of the eight ring beads, and the bond of the tail
    assert cholesterol.molar_mass == pytest.approx(386.66, abs=0.01)  # C27H46O


def test_cholesterol_of_martini2_comes_in_two_published_forms():
    sites = {name: load_molecule("martini2", name).virtual_sites for name in ("CHOL", "CHOL_RIGID")}
    assert [v.construction for v in sites["CHOL"]] == ["3", "3out", "3out"]
    assert [v.construction for v in sites["CHOL_RIGID"]] == ["3out", "3out", "3", "3out"]
    smiles = load_molecule("martini2", "CHOL_RIGID").canonical_smiles
    assert find_molecule("martini2", smiles).name == "CHOL"
    assert load_molecule("martini2", "CHOL").mass == pytest.approx(387.0)


def test_superseded_lipids_are_kept_under_their_year_and_never_found_by_smiles():
    new, old = (load_molecule("martini3", name) for name in ("POPC", "POPC_2021"))
    assert new.canonical_smiles == old.canonical_smiles
    assert find_molecule("martini3", new.canonical_smiles).name == "POPC"
    assert {a.function for a in old.angles} == {2}
    assert old.type_names[3] == "N4a"


def test_a_shared_model_answers_for_the_lipid_asked_for():
    curated = load_curated_molecule("martini2", "DPPC")
    assert curated.model.smiles.count("C") < DSPC.count("C")
    dspc = find_molecule("martini2", DSPC)
    assert dspc is not None
    assert dspc.name == "DPPC"
    assert dspc.canonical_smiles == DSPC
    assert dspc.molar_mass == pytest.approx(790.16, abs=0.01)
    assert find_molecule("martini3", DSPC).name == "DSPC"
    assert find_molecule("martini3", "CCCCCCCCO").name == "OCO"
    assert find_molecule("martini3", "C[Si](C)(C)C") is None


def test_the_name_trap_is_kept_apart_by_smiles():
    laurate = load_molecule("martini2", "DLPC").canonical_smiles
    assert find_molecule("martini3", laurate).name == "DUPC"
    assert load_molecule("martini3", "DLPC").canonical_smiles != laurate


@pytest.mark.parametrize("table", ["martini2", "martini3"])
def test_every_model_is_sound(table):
    molecules = load_all_molecules(table)
    assert [m.model.name for m in molecules] == list(list_molecules(table))
    for m in molecules:
        assert m.source
        assert m.licence
        assert m.citation
        assert m.group
        assert "GPL" not in m.licence
        assert all(0.1 < bond.length < 0.8 for bond in m.model.bonds)
        bonded = {i for term in (*m.model.bonds, *m.model.constraints) for i in term.atoms}
        bonded |= {v.site for v in m.model.virtual_sites}
        assert m.model.n_beads == 1 or bonded == set(range(m.model.n_beads))
        assert all(mass > 0 for mass in m.molar_masses)
    assert "CHOL" in list_molecules(table)


@pytest.mark.parametrize("table", ["martini2", "martini3"])
def test_stored_canonical_smiles_and_molar_masses_are_those_of_rdkit(table):
    from rdkit import Chem
    from rdkit.Chem.Descriptors import MolWt

    for m in load_all_molecules(table):
        for smiles, canonical, mass in zip(m.smiles, m.canonical_smiles, m.molar_masses, strict=True):
            molecule = Chem.MolFromSmiles(smiles)
            assert Chem.MolToSmiles(molecule) == canonical
            assert m.n_molecules * MolWt(molecule) == pytest.approx(mass, abs=1e-3)
            charge = sum(atom.GetFormalCharge() for atom in molecule.GetAtoms())
            assert m.model.charge == charge


def test_an_unknown_molecule_gets_a_hint():
    with pytest.raises(BeadTableError, match=r"no molecule 'dopx' \(did you mean .*DOP[CE]") as caught:
        load_molecule("martini3", "dopx")
    assert caught.value.exit_code == 2
    with pytest.raises(BeadTableError, match="no molecule"):
        load_molecule("martini3", "../martini2/molecules/DPPC")


def test_a_derived_table_has_the_models_of_its_parent(tmp_path):
    parent = load_bead_table("martini2")
    provenance = replace(parent.provenance, parent="martini2")
    folder = write_bead_table(replace(parent, name="fitted", provenance=provenance), tmp_path / "fitted")
    assert list_molecules(folder) == list_molecules("martini2")
    assert load_molecule(folder, "OCT").table == "fitted"
    orphan = replace(provenance, parent="unknown")
    lonely = write_bead_table(replace(parent, provenance=orphan), tmp_path / "lonely")
    assert list_molecules(lonely) == ()
    with pytest.raises(BeadTableError, match="there are none"):
        load_molecule(lonely, "OCT")


MODEL = """\
name = "MOL"
group = "solvent"
smiles = ["CCO"]
canonical_smiles = ["CCO"]
molar_mass = [46.069]
beads = [
  { name = "A", type = "P4", charge = 0.0 },
  { name = "B", type = "C1", charge = 0.0, mass = 50.0 },
  { name = "C", type = "C1", charge = 0.0 },
  { name = "D", type = "C1", charge = 0.0 },
]
bonds = [
  { atoms = ["A", "B"], length = 0.47, force_constant = 1250.0, function = 1 },
]
constraints = [
  { atoms = ["B", "C"], length = 0.3 },
]
angles = [
  { atoms = ["A", "B", "C"], angle = 180.0, force_constant = 25.0 },
]
dihedrals = [
  { atoms = ["A", "B", "C", "D"], angle = 60.0, force_constant = 5.0, multiplicity = 2, function = 9 },
]
exclusions = [["D", "A"], ["A", "D"], ["B", "D"]]
"""


def test_all_kinds_of_terms(tmp_path):
    path = tmp_path / "MOL.toml"
    path.write_text(MODEL)
    model = read_molecule(path, load_bead_types("martini2")).model
    assert [bead.mass for bead in model.beads] == [72.0, 50.0, 72.0, 72.0]
    assert model.dihedrals[0].atoms == (0, 1, 2, 3)
    assert (model.dihedrals[0].multiplicity, model.dihedrals[0].function) == (2, 9)
    assert model.angles[0].function == 2
    assert model.exclusions == ((0, 3), (1, 3))
    assert model.excluded_pairs() == ((0, 1), (0, 3), (1, 2), (1, 3))


def check_refusal(path, text, old, new, message, line):
    """A file with ``new`` in place of ``old`` is refused with this message, which names the line."""
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BeadTableError) as caught:
        read_molecule(path, load_bead_types("martini2"))
    assert message in str(caught.value)
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ('name = "MOL"', 'name = "LOM"', "name is 'LOM' but the file is MOL.toml", 1),
        ('name = "MOL"', "name = 5", "name is missing or not text", 1),
        ('name = "MOL"', "name = ", "broken TOML", 1),
        ("[46.069]", "[46.069, 1.0]", "must be of the same length", 3),
        ("[46.069]", "[-1]", "molar_mass must be a list of numbers", 5),
        ('smiles = ["CCO"]', "smiles = [5]", "smiles must be a list of texts", 3),
        ('type = "P4"', 'type = "P9"', "unknown bead type 'P9'", 7),
        ('"B", type', '"A", type', "bead name 'A' must be unique", 8),
        ('"B", type', '"TOOLONG", type', "bead name 'TOOLONG'", 8),
        ("mass = 50.0", "mass = 0", "mass of bead B must be positive", 8),
        ("mass = 50.0", "weight = 50.0", "beads[2] has an unknown key 'weight'", 8),
        ('group = "solvent"', 'grup = "solvent"', "'grup' is no key of a molecule", 2),
        ('smiles = ["CCO"]', 'smiles = ["CCO"]\nnrexcl = -1', "nrexcl must be a whole number of 0 or more", 4),
        ("multiplicity = 2, ", "", "multiplicity of dihedrals[1] is missing", 22),
        ("multiplicity = 2", "multiplicity = 2.5", "multiplicity of dihedrals[1] is not a whole number", 22),
        ("function = 9", "function = 2", "dihedrals[1] of function 2 has no multiplicity", 22),
        (
            "angle = 60.0, force_constant = 5.0, multiplicity = 2, function = 9",
            "coefficients = [1.0], function = 3",
            "coefficients of dihedrals[1] must be a list of 6 numbers",
            22,
        ),
        ('type = "P4", charge = 0.0', 'type = "P4", charge = "x"', "charge of beads[1] is missing or not a number", 7),
        ("length = 0.47", "length = -0.47", "length of bonds[1] must be positive", 13),
        ("force_constant = 1250.0, ", "", "force_constant of bonds[1] is missing", 13),
        ("function = 1 }", "function = 7 }", "function 7 of bonds[1] is none of 1, 6", 13),
        ('atoms = ["B", "C"]', 'atoms = ["B", "X"]', "constraints names a bead 'X'", 16),
        ('atoms = ["B", "C"]', 'atoms = ["B", "B"]', "constraints needs 2 different bead names", 16),
        ("angle = 180.0", "angle = nan", "angle of angles[1] is missing or not a number", 19),
        ("function = 9", "function = 4", "function 4 of dihedrals[1] is none of 1, 2, 3, 9, 11", 22),
        ('exclusions = [["D", "A"]', 'exclusions = [["D"]', "exclusions needs 2", 24),
        ('exclusions = [["D", "A"]', 'exclusions = ["DA"', "exclusions needs 2", 24),
    ],
)
def test_a_broken_model_is_named_with_its_line(tmp_path, old, new, message, line):
    check_refusal(tmp_path / "MOL.toml", MODEL, old, new, message, line)


SITES = """\
name = "RING"
nrexcl = 2
beads = [
  { name = "A", type = "SC1", residue = "ONE", residue_number = 4 },
  { name = "B", type = "SC1" },
  { name = "C", type = "SC1" },
  { name = "D", type = "SC1" },
  { name = "V", type = "SC1" },
  { name = "X", type = "SC1", mass = 0.0 },
]
bonds = [
  { atoms = ["A", "B"], length = 0.3, force_constant = 5000.0, function = 6 },
]
constraints = [
  { atoms = ["B", "C"], length = 0.3, function = 2 },
]
virtual_sites = [
  { site = "V", construction = "3fd", atoms = ["A", "B", "C"], parameters = [0.5, 0.27] },
  { site = "X", construction = "n", atoms = ["A", "B", "V"], parameters = [1.0, 2.0, 3.0] },
]
angles = [
  { atoms = ["A", "B", "C"], angle = 100.0, force_constant = 25.0, function = 10 },
]
dihedrals = [
  { atoms = ["A", "B", "C", "D"], coefficients = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], function = 3 },
  { atoms = ["A", "B", "C", "V"], force_constant = 2.0, coefficients = [0.1, 0.2, 0.3, 0.4, 0.5], function = 11 },
]
positions = [
  [0.0, 0.0, 0.0],
  [0.1, 0.0, 0.0],
  [0.2, 0.1, 0.0],
  [0.2, 0.1, 0.3],
  [0.2, 0.1, 0.4],
  [0.2, 0.1, 0.5],
]
"""


def test_virtual_sites_and_all_functions(tmp_path):
    path = tmp_path / "RING.toml"
    path.write_text(SITES)
    model = read_molecule(path, load_bead_types("martini2")).model
    assert [bead.mass for bead in model.beads] == [45.0, 45.0, 45.0, 45.0, 0.0, 0.0]
    assert (model.beads[0].residue, model.beads[0].residue_number, model.nrexcl) == ("ONE", 4, 2)
    assert [(v.site, v.construction, v.atoms, v.parameters) for v in model.virtual_sites] == [
        (4, "3fd", (0, 1, 2), (0.5, 0.27)),
        (5, "n", (0, 1, 4), (1.0, 2.0, 3.0)),
    ]
    assert (model.constraints[0].function, model.angles[0].function) == (2, 10)
    assert [(d.function, len(d.coefficients), d.force_constant) for d in model.dihedrals] == [(3, 6, 0.0), (11, 5, 2.0)]
    assert model.positions[3].tolist() == [0.2, 0.1, 0.3]


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        (
            '"X", type = "SC1", mass = 0.0',
            '"X", type = "SC1", mass = 45.0',
            "X is a virtual site and cannot have mass",
            9,
        ),
        ('"D", type = "SC1"', '"D", type = "SC1", mass = 0.0', "mass of bead D must be positive", 7),
        ('construction = "3fd"', 'construction = "3fdn"', "'3fdn' of virtual_sites[1] is none of 2, 2fd", 18),
        ('site = "V"', 'site = "W"', "virtual_sites names a bead 'W'", 18),
        ('["A", "B", "C"], parameters', '["A", "B"], parameters', "virtual_sites needs 3 different bead names", 18),
        ('["A", "B", "C"], parameters', '["A", "B", "V"], parameters', "virtual_sites[1] is built from itself", 18),
        ("[0.5, 0.27]", "[0.5]", "parameters of virtual_sites[1] must be a list of 2 numbers", 18),
        ("[1.0, 2.0, 3.0] }", "[1.0, 2.0] }", "parameters of virtual_sites[2] must be a list of 3 numbers", 19),
        ("[1.0, 2.0, 3.0] }", "[1.0, -1.0, 0.0] }", "weights of virtual site 6 add up to zero", 17),
        ('["A", "B", "C"], parameters', '["A", "B", "X"], parameters', "built from one another", 17),
        ('atoms = ["B", "C"]', 'atoms = ["B", "V"]', "a virtual site is constrained", 17),
        ("function = 10", "function = 8", "function 8 of angles[1] is none of 1, 2, 10", 22),
        ("function = 2 }", "function = 3 }", "function 3 of constraints[1] is none of 1, 2", 15),
        ("5.0, 6.0]", "5.0, nan]", "coefficients of dihedrals[1] must be a list of 6 numbers", 25),
        ("force_constant = 2.0, ", "", "force_constant of dihedrals[2] is missing", 26),
        ("  [0.0, 0.0, 0.0],\n", "", "positions must be 6 lists of three numbers", 28),
        ("residue_number = 4", 'residue_number = "x"', "A needs a text as residue", 4),
    ],
)
def test_a_broken_site_or_function_is_named_with_its_line(tmp_path, old, new, message, line):
    check_refusal(tmp_path / "RING.toml", SITES, old, new, message, line)
