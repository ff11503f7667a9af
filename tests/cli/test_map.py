"""``topdown map`` as a user runs it."""

import json
import re

import pytest

from topdown.formats import read_gro
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.geometry import connectivity
from topdown.tables import load_bead_table, write_bead_table
from topdown.workflows.map_molecules import MoleculeRequest, cgsmiles, map_molecules

KEYS = {
    "smiles", "name", "canonical_smiles", "table", "beads", "bonds", "constraints", "angles", "dihedrals",
    "virtual_sites", "exclusions", "cgsmiles", "warnings",
}  # fmt: skip
BEAD_KEYS = {"name", "type", "size", "charge", "mass", "atoms", "reason", "confidence", "alternatives"}


@pytest.fixture
def molecules(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("CCO ethanol\nC1CC bad ring\n\nO water\n[Na+].[Cl-]\tsalt\nOCC\n")
    return path


def test_table_of_beads_with_reasons(topdown):
    code, out, err = topdown("map", "CC(=O)Nc1ccc(O)cc1", "--name", "paracetamol")
    assert code == 0
    assert err == ""
    assert "paracetamol  CC(=O)Nc1ccc(O)cc1" in out
    assert "4 beads" in out
    assert re.search(r"B2\s+TC5\s+4,5,6\s+\d+%\s+fragment", out)
    assert "constraint" in out


def test_json_contract(topdown):
    code, out, _ = topdown("map", "OC(=O)CCc1ccccc1", "--json", "--name", "näme")
    found = json.loads(out)
    assert code == 0
    assert set(found) == KEYS
    assert found["smiles"] == "OC(=O)CCc1ccccc1"
    assert found["name"] == "näme"
    assert found["canonical_smiles"] == "O=C(O)CCc1ccccc1"
    assert found["table"] == "martini3"
    assert found["virtual_sites"] == []
    assert all(set(bead) == BEAD_KEYS for bead in found["beads"])
    assert {a for bead in found["beads"] for a in bead["atoms"]} == set(range(11))
    assert found["beads"][0]["atoms"][0] == 0
    for term in found["bonds"]:
        assert set(term) == {"atoms", "length", "force_constant", "function"}


def test_alternatives_are_as_many_as_asked_for(topdown):
    for count in (0, 2, 5):
        _, out, _ = topdown("map", "CCCCCCCC", "--json", "--alternatives", str(count))
        assert all(len(bead["alternatives"]) == count for bead in json.loads(out)["beads"])
    assert topdown("map", "CC", "--alternatives", "21")[0] == 2


@pytest.mark.parametrize(
    ("smiles", "code"),
    [("", "E_EMPTY"), ("C1CC", "E_SYNTAX"), ("CC\u041e", "E_SYNTAX"), ("C(C)(C)(C)(C)C", "E_CHEM"),
     ("CC.[Na+]", "E_MIXTURE"), ("[Fe]", "E_ELEMENT"), ("[CH3]", "E_RADICAL"), ("C*", "E_DUMMY"), ("C" * 2000, "E_LIMIT")],
)  # fmt: skip
def test_a_refused_smiles(topdown, smiles, code):
    status, out, err = topdown("map", smiles)
    assert status == 2
    assert out == ""
    assert err.startswith(code)
    assert err.count("\n") == 1
    status, out, err = topdown("map", smiles, "--json")
    refused = json.loads(out)
    assert status == 2
    assert refused["smiles"] == smiles
    assert refused["error"]["code"] == code
    assert refused["error"]["message"]
    assert err.startswith(code)


def test_a_file_gives_json_lines_in_order(topdown, molecules):
    code, out, err = topdown("map", str(molecules), "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 3
    assert [line["name"] for line in lines] == ["ethanol", "bad ring", "water", "salt", ""]
    assert [line.get("error", {}).get("code") for line in lines] == [None, "E_SYNTAX", None, "E_MIXTURE", None]
    assert len(err.splitlines()) == 2
    assert all(line.startswith("E_") for line in err.splitlines())


def test_exit_codes_of_files(topdown, tmp_path):
    path = tmp_path / "x.smi"
    path.write_text("CCO a\nCC b\n")
    assert topdown("map", str(path))[0] == 0
    path.write_text("C1C a\nC* b\n")
    assert topdown("map", str(path))[0] == 2
    path.write_text("C1C a\nCC b\n")
    assert topdown("map", str(path))[0] == 3


def test_csv_with_columns_anywhere(topdown, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('\ufeffid,Name,SMILES\n1,"a, b",CCO\n2,,\n3,c,CC O\n', encoding="utf-8")
    code, out, _ = topdown("map", str(path), "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 3
    assert [line["name"] for line in lines] == ["a, b", "", "c"]
    assert [line.get("error", {}).get("code") for line in lines] == [None, "E_EMPTY", "E_SYNTAX"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("a.csv", b"id,name\n1,x\n", "smiles"), ("a.csv", b"", "smiles"), ("a.csv", b"smiles\n", "no molecule"),
     ("a.smi", b"\n \n", "no molecule"), ("a.smi", b"CC\xff\n", "UTF-8"), ("missing.smi", None, "No such file")],
)  # fmt: skip
def test_unreadable_files(topdown, tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    code, _, err = topdown("map", str(path))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_files_are_graph_only_unless_asked(topdown, tmp_path, monkeypatch):
    import topdown.mapping.mapper as mapper

    called = []
    real = mapper.bead_ensemble
    monkeypatch.setattr(mapper, "bead_ensemble", lambda *a, **k: called.append(1) or real(*a, **k))
    path = tmp_path / "x.smi"
    path.write_text("CCCCCCCC octane\n")
    topdown("map", str(path), "--json")
    topdown("map", "CCCCCCCC", "--no-conformers", "--json")
    assert called == []
    topdown("map", str(path), "--json", "--conformers")
    topdown("map", "CCCCCCCC", "--json")
    topdown("map", str(path), "-o", str(tmp_path / "out"))
    assert len(called) == 3


def test_written_files(topdown, tmp_path):
    out = tmp_path / "out"
    code, text, _ = topdown("map", "CC(=O)Nc1ccc(O)cc1", "--name", "para/../cetamol", "-o", str(out))
    assert code == 0
    endings = ("cgsmiles", "gro", "html", "itp", "json", "map", "ndx", "png", "svg")
    assert sorted(p.name for p in out.iterdir()) == [f"paracetamol.{e}" for e in endings]
    assert text.count("wrote") == 9
    itp = (out / "paracetamol.itp").read_text()
    assert "SP3d" in itp
    assert "[ constraints ]" in itp
    gro = read_gro(out / "paracetamol.gro")
    assert len(gro.positions) == 4
    assert gro.residue_names[0] == itp.split("[ moleculetype ]")[1].split()[3]
    assert json.loads((out / "paracetamol.json").read_text())["name"] == "para/../cetamol"
    assert (out / "paracetamol.svg").read_text().startswith("<?xml")


def test_names_of_files_and_of_molecules_inside_are_unique(topdown, tmp_path):
    path, out = tmp_path / "x.smi", tmp_path / "out"
    path.write_text("CCO paracetamol\nCC parathion\nCCC PARACETAMOL\nCCCC ../../x\nCCCCC\nCCCO \u03b1\n")
    assert topdown("map", str(path), "-o", str(out))[0] == 0
    files = sorted(p.stem.lower() for p in out.glob("*.itp"))
    assert len(files) == len(set(files)) == 6
    labels = [re.search(r"\[ moleculetype \]\n;.*\n(\S+)", p.read_text())[1] for p in out.glob("*.itp")]
    assert len({label.lower() for label in labels}) == 6
    assert max(map(len, labels)) <= 5
    assert not (tmp_path.parent / "x.itp").exists()


def test_same_seed_same_bytes(topdown, tmp_path):
    for folder in ("a", "b"):
        topdown("map", "CCCCCCCCO", "-o", str(tmp_path / folder), "--name", "octanol", "--seed", "5")
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes()


def test_wrong_options(topdown, tmp_path, molecules):
    assert topdown("map", "CCO", "--no-conformers", "-o", str(tmp_path))[0] == 2
    assert topdown("map", str(molecules), "--name", "x")[0] == 2
    assert topdown("map", "CCO", "--seed", "-1")[0] == 2
    code, _, err = topdown("map", "CCO", "--table", "martini9")
    assert code == 2
    assert "martini9" in err
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert topdown("map", "CCO", "-o", str(blocked / "sub"))[0] == 2


def test_published_models_are_pointed_out(topdown):
    _, out, _ = topdown("map", "CCCCCCCCO", "--json")
    assert json.loads(out)["warnings"] == ["a published model exists: OCO (SC2-SC2-SP1)"]


def test_own_table(topdown, tmp_path):
    folder = write_bead_table(
        load_bead_table("martini2").with_epsilon({("C1", "P4"): 2.5}, name="fitted"), tmp_path / "t"
    )
    code, out, _ = topdown("map", "CCCCCCCC", "--table", str(folder), "--json", "--no-conformers")
    assert code == 0
    assert json.loads(out)["table"] == "fitted"
    assert [bead["type"] for bead in json.loads(out)["beads"]] == ["C1", "C1"]


def test_a_refusal_does_not_stop_the_rest():
    results = list(
        map_molecules([MoleculeRequest(smiles=s) for s in ("CC", "C1", "CCC")], "martini3", conformers=False)
    )
    assert [r.error_code for r in results] == ["", "E_SYNTAX", ""]
    assert results[2].molecule.n_beads == 1


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CCCCCCCC", "{[#C1][#C1]}"),
        ("CC(=O)O", "{[#SP2]}"),
        ("c1ccccc1", "{[#TC5]1[#TC5][#TC5]1}"),
    ],
)
def test_cgsmiles(smiles, expected):
    assert cgsmiles(map_molecule(smiles, load_bead_table("martini3"), conformers=False)) == expected


@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc(O)cc1", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "CCCCC(CCCC)OC(=O)CCCCCCC"])
def test_cgsmiles_reads_back_as_the_same_graph(smiles):
    molecule = map_molecule(smiles, load_bead_table("martini3"), conformers=False)
    edges, types, stack, opened, last = set(), [], [], {}, None
    for token in re.findall(r"\[#(\w+)\]|(\()|(\))|%(\d\d)|(\d)", cgsmiles(molecule)[1:-1]):
        name, opening, closing, *digits = token
        if name:
            types.append(name)
            if last is not None:
                edges.add((last, len(types) - 1))
            last = len(types) - 1
        elif opening:
            stack.append(last)
        elif closing:
            last = stack.pop()
        else:
            ring = digits[0] or digits[1]
            if ring in opened:
                edges.add((opened.pop(ring), last))
            else:
                opened[ring] = last
    joined = connectivity(parse_smiles(smiles).mol, [bead.atoms for bead in molecule.beads]).edges
    assert not opened
    assert sorted(types) == sorted(molecule.type_names)
    assert sorted(tuple(sorted((types[i], types[j]))) for i, j in edges) == sorted(
        tuple(sorted(molecule.type_names[i] for i in pair)) for pair in joined
    )
