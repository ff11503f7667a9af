"""Beads and bead types that the user decides on."""

import json

import pytest

from topdown.errors import InputFileError, MappingError
from topdown.mapping import parse_smiles
from topdown.mapping.mapper import UserChoices, map_molecule
from topdown.report.cgsmiles import cgsmiles_with_fragments
from topdown.tables import load_bead_table
from topdown.workflows.user_mapping import read_choices

M3 = load_bead_table("martini3")
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"


def mapped(smiles, mapping="", types=""):
    choices = read_choices(mapping, types, parse_smiles(smiles), M3)
    return map_molecule(smiles, M3, conformers=False, choices=choices)


def groups(molecule):
    return [bead.atoms for bead in molecule.beads]


def test_given_groups_are_kept_and_the_rest_divided_around_them():
    choices = UserChoices(groups=((4, 5, 6),))
    molecule = map_molecule(PARACETAMOL, M3, conformers=False, choices=choices)
    assert (4, 5, 6) in groups(molecule)
    assert {a for group in groups(molecule) for a in group} == set(range(11))

    other = map_molecule(PARACETAMOL, M3, conformers=False, choices=UserChoices(groups=((1, 2),)))
    assert (1, 2) in groups(other)
    assert (1, 2) not in groups(molecule)


def test_types_by_name_and_by_number():
    molecule = mapped(PARACETAMOL, types="1=SC3, B2=P4")
    assert molecule.type_names[:2] == ("SC3", "P4")
    assert molecule.beads[0].reason == "given by the user"
    assert molecule.beads[0].confidence == 1.0
    assert molecule.type_names[2:] == mapped(PARACETAMOL).type_names[2:]


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ("9=P4", "there is no bead '9'"),
        ("B0=P4", "there is no bead 'B0'"),
        ("x=P4", "there is no bead 'x'"),
        ("1=P9", r"'P9', given for bead 1, is no bead type of martini3 .*P"),
        ("1=P4,B1=P5", "two types are given for bead 1"),
        ("1=P4,1=P5", "two types are given for bead 1"),
        ("P4", "'P4' is not BEAD=TYPE"),
        ("1=", "'1=' is not BEAD=TYPE"),
        ("=P4", "'=P4' is not BEAD=TYPE"),
    ],
)
def test_wrong_types_say_what_is_possible(types, message):
    with pytest.raises(MappingError, match=message):
        mapped(PARACETAMOL, types=types)


@pytest.mark.parametrize(
    ("smiles", "text", "expected", "types"),
    [
        ("CCCO", "{[#A][#B]}.{#A=CC[$],#B=[$]CO}", [(0, 1), (2, 3)], None),
        ("OCCC", "{[#A][#B]}.{#A=CC[$],#B=[$]CO}", [(0, 1), (2, 3)], None),
        ("CCCO", "{[#TC3][#TP1]}.{#TC3=CC[$],#TP1=[$]CO}", [(0, 1), (2, 3)], ("TC3", "TP1")),
        ("CCCCCCCC", "{[#C1]|2}.{#C1=[$]CCCC[$]}", [(0, 1, 2, 3), (4, 5, 6, 7)], ("C1", "C1")),
        ("CCCCCCCCO", "{[#A]}.{#A=[$]CCO}", [(6, 7, 8)], None),
        ("CC(=O)OC", "{[#A]}.{#A=CC(=O)[$]}", [(0, 1, 2)], None),
        ("CC=CC", "{[#A][#B]}.{#A=CC=[$],#B=[$]=CC}", [(0, 1), (2, 3)], None),
        ("CC(C)CCO", "{[#A][#B]}.{#A=CC(C[$])C,#B=[$]CO}", [(0, 1, 2, 3), (4, 5)], None),
        ("Cc1ccccc1", "{[#SC4]1[#TC5][#TC5_2]1}.{#SC4=[!1]cc(C)c[!3],#TC5=[!1]ccc[!2],#TC5_2=[!2]ccc[!3]}",
         [(0, 1, 2, 6), (2, 3, 4), (4, 5, 6)], ("SC4", "TC5", "TC5")),
        ("C1CCCCC1", "{[#A]=[#A]}.{#A=[$1]CCC[$2]}", [(0, 1, 2), (3, 4, 5)], None),
    ],
)  # fmt: skip
def test_cgsmiles(smiles, text, expected, types):
    molecule = mapped(smiles, text)
    assert [group for group in groups(molecule) if group in expected] == expected
    if types:
        assert molecule.type_names == types


@pytest.mark.parametrize(
    "smiles",
    ["CCO", "CCCCCCCC", PARACETAMOL, "Cc1ccccc1", "C1CCCCC1", "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
     "CCCCCCCCOP(=O)([O-])OCC[N+](C)(C)C", "c1ccc2[nH]ccc2c1", "C[Si](C)(C)CCCCO", "CCCCC/C=C/CCCC"],
)  # fmt: skip
def test_what_is_written_reads_back_as_the_same_beads(smiles):
    molecule = map_molecule(smiles, M3, conformers=False)
    again = mapped(smiles, cgsmiles_with_fragments(molecule))
    from topdown.mapping.fragmenting import automorphisms, partition_agrees

    mol = parse_smiles(smiles).mol
    assert partition_agrees(groups(again), groups(molecule), automorphisms(mol))
    assert sorted(again.type_names) == sorted(molecule.type_names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{[#A][#B]}", "not a CGsmiles string with definitions"),
        ("{[#A][#B]}.{#A=CC[$]}", "the fragment 'B' is not defined"),
        ("{[#A][#B]}.{#A=CC,#B=CO}", "no open ends of theirs belong together"),
        ("{[#A][#B]}.{#A=CC[$1],#B=[$2]CO}", "no open ends"),
        ("{[#A]}.{#A=N#N}", "are not part of the molecule"),
        ("{[#A}.{#A=CC}", "cannot be read"),
        ("{[#A](}.{#A=CC}", "cannot be read"),
        ("{[#A]1[#A]}.{#A=CC}", "cannot be read"),
        ("{}.{#A=CC}", "cannot be read"),
        ("{[#A]}.{#A=C(C}", "is not a SMILES"),
        ("{[#A]}.{#A=C*}", "wildcard"),
        ("{[#A]}.{#A=*C}", "has no atom"),
        ("{[#A]}.{#A=}", "definitions"),
        ("{[#A]|9999}.{#A=C}", "cannot be read"),
    ],
)
def test_wrong_cgsmiles(text, message):
    with pytest.raises(MappingError, match=message):
        mapped("CCCO", text)


def test_files_of_the_command_read_back(tmp_path):
    from topdown.formats.mapping_files import all_atom_groups, backward_map_text, mapping_index_text
    from topdown.mapping.all_atoms import all_atoms

    smiles = "Cc1ccc(O)cc1"
    molecule = map_molecule(smiles, M3, conformers=False)
    atoms = all_atoms(molecule)
    every = all_atom_groups(molecule, atoms.parents, atoms.places)
    assert sorted({a for group in every for a in group}) == list(range(len(atoms.elements)))
    (tmp_path / "x.ndx").write_text(mapping_index_text(molecule, every))
    (tmp_path / "x.map").write_text(backward_map_text(molecule, "CRES", atoms.elements, every))
    beads = [{"atoms": list(bead.atoms), "type": bead.bead_type} for bead in molecule.beads]
    (tmp_path / "x.json").write_text(json.dumps({"beads": beads}))
    (tmp_path / "x.cgsmiles").write_text(cgsmiles_with_fragments(molecule))
    for ending in ("ndx", "map", "json", "cgsmiles"):
        again = mapped(smiles, str(tmp_path / f"x.{ending}"))
        assert sorted(map(len, groups(again))) == sorted(map(len, groups(molecule)))
        if ending != "cgsmiles":
            assert groups(again) == groups(molecule)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.ndx", "[ A ]\n99\n", "atom 99 of bead A does not exist"),
        ("x.ndx", "[ A ]\n6\n", "bead A holds hydrogens only"),
        ("x.ndx", "[ A ]\n1 4\n", "not joined by bonds"),
        ("x.map", "[ atoms ]\n1 C1 A\n1 C1 B\n", "shares all its atoms|hold the same"),
        ("x.map", "[ molecule ]\nX\n", "no bead in it"),
        ("x.map", "[ atoms ]\nC1 1 A\n", "expected NUMBER NAME BEAD"),
        ("x.json", "[1, 2]", "not a mapping"),
        ("x.json", '{"beads": [{"atoms": ["0"]}]}', "not a mapping"),
        ("x.json", '{"beads": [{"atoms": [7]}]}', "does not exist"),
        ("x.json", '{"beads": [{"atoms": [-1]}]}', "does not exist"),
        ("x.json", '{"beads": [{"atoms": [0], "type": "Zz"}]}', "no bead type"),
        ("x.json", '{"beads": [{"atoms": [0, 2]}]}', "not joined by bonds"),
        ("x.txt", "hello", "not a mapping"),
        ("missing.ndx", None, "No such file"),
        ("missing.txt", None, "No such file"),
    ],
)
def test_wrong_files(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises((MappingError, InputFileError), match=message):
        mapped("CCCO", str(tmp_path / name))


def test_a_mapping_of_the_largest_component_counts_atoms_as_written():
    smiles = "[Na+].CCCC(=O)[O-]"
    parsed = parse_smiles(smiles, largest_fragment=True)
    choices = read_choices("{[#A]}.{#A=C(=O)[O-]}", "", parsed, M3)
    assert choices.groups == ((4, 5, 6),)
    molecule = map_molecule(smiles, M3, conformers=False, choices=choices, largest_fragment=True)
    assert groups(molecule)[-1] == (4, 5, 6)
    assert molecule.charge == -1.0
    assert "left out: [Na+]" in molecule.warnings[0]
