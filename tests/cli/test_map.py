"""``topdown map`` as a user runs it."""

import json
import re

import pytest

from topdown.formats import read_gro
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.bead_graph import connectivity
from topdown.tables import load_bead_table, write_bead_table
from topdown.workflows.map_molecules import MoleculeRequest, cgsmiles, map_molecules

KEYS = {
    "smiles", "name", "canonical_smiles", "table", "beads", "bonds", "constraints", "angles", "dihedrals",
    "virtual_sites", "exclusions", "cgsmiles", "warnings", "made_with",
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


def test_json_says_what_it_was_made_with(topdown, tmp_path, molecules):
    import rdkit

    import topdown as package

    expected = {"topdown": package.__version__, "rdkit": rdkit.__version__, "seed": 7}
    code, out, _ = topdown("map", "CCO", "--json", "--seed", "7", "-o", tmp_path / "one", "--name", "x")
    assert code == 0
    assert json.loads(out)["made_with"] == expected
    assert json.loads((tmp_path / "one" / "x.json").read_text())["made_with"] == expected
    topdown("map", str(molecules), "-o", tmp_path / "list", "--seed", "7", "--write", "json")
    records = [json.loads(line) for line in (tmp_path / "list" / "mappings.jsonl").read_text().splitlines()]
    assert [r["made_with"] for r in records if "error" not in r] == [expected] * 3
    assert json.loads((tmp_path / "list" / "ethanol.json").read_text())["made_with"] == expected
    assert package.map("CCO", seed=7, conformers=False).to_json()["made_with"] == expected


def test_alternatives_are_as_many_as_asked_for(topdown):
    for count in (0, 2, 5):
        _, out, _ = topdown("map", "CCCCCCCC", "--json", "--alternatives", str(count))
        numbers = [len(bead["alternatives"]) for bead in json.loads(out)["beads"]]
        assert max(numbers) <= count
        assert min(numbers) >= min(count, 1)
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
    from topdown.mapping.canonical_molecule import CanonicalMolecule

    called = []
    real = CanonicalMolecule.conformers
    monkeypatch.setattr(CanonicalMolecule, "conformers", lambda self, seed: called.append(1) or real(self, seed))
    path = tmp_path / "x.smi"
    path.write_text("CCCCCCCC octane\n")
    topdown("map", str(path), "--json")
    topdown("map", "CCCCCCCC", "--no-conformers", "--json")
    assert called == []
    for asked in (
        (str(path), "--json", "--conformers"),
        ("CCCCCCCC", "--json"),
        (str(path), "-o", str(tmp_path / "out")),
    ):
        called.clear()
        topdown("map", *asked)
        assert called


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


SALT = "[Na+].CCCC(=O)[O-]"


def test_largest_fragment(topdown):
    code, _, err = topdown("map", SALT)
    assert code == 2
    assert err.startswith("E_MIXTURE")
    assert "--largest-fragment" in err
    code, out, _ = topdown("map", SALT, "--largest-fragment", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["smiles"] == SALT
    assert found["canonical_smiles"] == "CCCC(=O)[O-]"
    assert {a for bead in found["beads"] for a in bead["atoms"]} == set(range(1, 7))
    assert found["warnings"][0] == "largest component mapped; left out: [Na+]"


@pytest.mark.parametrize(
    ("smiles", "kind", "charge"), [("[Na+]", "TQ5", 1), ("[K+]", "TQ5", 1), ("[Cl-]", "TQ5", -1), ("[Ca+2]", "SD", 2)]
)
def test_ions_of_the_table(topdown, smiles, kind, charge):
    code, out, _ = topdown("map", smiles, "--json")
    beads = json.loads(out)["beads"]
    assert code == 0
    assert [(bead["type"], bead["charge"], bead["atoms"]) for bead in beads] == [(kind, charge, [0])]


def test_alternative_mappings(topdown):
    _, out, _ = topdown("map", "CCCCCCCCO", "--json", "--no-conformers")
    assert "alternative_mappings" not in json.loads(out)
    _, out, _ = topdown("map", "CCCCCCCCO", "--json", "--no-conformers", "--alternatives", "4")
    found = json.loads(out)
    others = found["alternative_mappings"]
    assert len(others) == 4
    divisions = [tuple(sorted(tuple(b["atoms"]) for b in m["beads"])) for m in (found, *others)]
    assert len(set(divisions)) == 5
    assert all({a for group in division for a in group} == set(range(9)) for division in divisions)
    assert all(set(other) == {"beads", "cgsmiles", "warnings"} for other in others)
    _, text, _ = topdown("map", "CCCCCCCCO", "--no-conformers", "--alternatives", "2")
    assert "alternative 1: " in text
    assert "alternative 2: " in text


def test_own_beads_and_types(topdown, tmp_path):
    own = "{[#A][#B]}.{#A=CC[$],#B=[$]CO}"
    code, out, _ = topdown("map", "CCCO", "--mapping", own, "--types", "2=P4", "--json")
    beads = json.loads(out)["beads"]
    assert code == 0
    assert [bead["atoms"] for bead in beads] == [[0, 1], [2, 3]]
    assert beads[1]["type"] == "P4"
    for arguments in (
        ["--mapping", "{[#A]}.{#A=N}"],
        ["--types", "7=P4"],
        ["--types", "1=XX"],
        ["--mapping", str(tmp_path / "no.ndx")],
    ):
        code, out, err = topdown("map", "CCCO", *arguments)
        assert code == 2
        assert out == ""
        assert err.count("\n") == 1
    topdown("map", "CCCO", "-o", str(tmp_path), "--name", "propanol", "--write", "ndx,json,map,cgsmiles")
    for ending in ("ndx", "json", "map", "cgsmiles"):
        assert topdown("map", "CCCO", "--mapping", str(tmp_path / f"propanol.{ending}"))[0] == 0


def test_a_list_into_a_folder_goes_on(topdown, molecules, tmp_path):
    out = tmp_path / "out"
    code, first, err = topdown("map", str(molecules), "-o", str(out), "--no-conformers", "--json")
    assert code == 3
    assert len(err.splitlines()) == 2
    assert sorted(p.name for p in out.iterdir()) == ["mappings.csv", "mappings.jsonl", "rejects.csv", "run.json"]
    assert (out / "mappings.jsonl").read_text() == first
    assert "E_MIXTURE" in (out / "rejects.csv").read_text()
    code, second, _ = topdown("map", str(molecules), "-o", str(out), "--no-conformers", "--json")
    assert (code, second) == (3, first)
    code, _, err = topdown("map", str(molecules), "-o", str(out), "--no-conformers", "--alternatives", "1")
    assert code == 2
    assert "made otherwise" in err


def test_which_files_are_written(topdown, molecules, tmp_path):
    code, out, _ = topdown("map", str(molecules), "-o", str(tmp_path / "a"), "--write", "itp,png", "--no-conformers")
    assert code == 3
    tables = "mappings.jsonl, mappings.csv, rejects.csv"
    assert out.splitlines()[-1] == f"wrote into {tmp_path / 'a'}: {tables}, and 6 files of molecules"
    assert out.count("wrote") == 1
    assert {p.suffix for p in (tmp_path / "a").iterdir()} == {".itp", ".png", ".csv", ".jsonl", ".json"}
    for arguments in (["--write", "doc"], ["--write", "gro", "--no-conformers"]):
        assert topdown("map", "CCO", "-o", str(tmp_path / "b"), *arguments)[0] == 2
    assert topdown("map", "CCO", "--write", "itp")[0] == 2
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "arguments", [["--mapping", "{[#A]}.{#A=C}"], ["--types", "1=C1"], ["--check"], ["--name", "x"]]
)
def test_options_that_lists_do_not_take(topdown, molecules, arguments):
    assert topdown("map", str(molecules), *arguments)[0] == 2


def test_interrupted(topdown, molecules, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("topdown.workflows.map_batch.map_list", interrupted)
    assert topdown("map", str(molecules))[0] == 130


def test_a_limit_of_time_and_of_atoms(topdown):
    code, _, err = topdown("map", "C" * 900, "--no-conformers", "--time-limit", "0.02")
    assert code == 2
    assert err.startswith("E_LIMIT")
    assert "processor time" in err
    assert topdown("map", "CCCCCC", "--max-atoms", "5")[2].startswith("E_LIMIT")


def test_control_characters_do_not_reach_the_terminal(topdown, tmp_path):
    path = tmp_path / "x.smi"
    path.write_text("C\x1b[31mC bad\x1b[2J\nCC good\n")
    _, _, err = topdown("map", str(path))
    assert "\x1b" not in err
    _, out, err = topdown("map", "CC", "--name", "a\x1b[2Jb")
    assert "\x1b" not in out
