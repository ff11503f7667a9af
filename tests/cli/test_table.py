"""``topdown table`` as a user runs it."""

import json
import os
import subprocess
import sys

import pytest

from topdown.tables import load_bead_table, write_bead_table


@pytest.fixture
def fitted(tmp_path):
    """A martini2 with two changed pairs."""
    table = load_bead_table("martini2").with_epsilon({("C1", "P4"): 2.5, ("P4", "P4"): 4.0}, name="fitted")
    return write_bead_table(table, tmp_path / "fitted")


def test_list(topdown):
    code, out, _ = topdown("table", "list")
    assert code == 0
    assert "martini2" in out
    assert "355,746 pairs" in out
    code, out, _ = topdown("table", "list", "--json")
    listed = {table["name"]: table for table in json.loads(out)["tables"]}
    assert listed["martini3"]["n_types"] == 843
    assert listed["martini2"]["n_pairs"] == 780
    assert listed["martini2"]["scheme"] == {
        "cutoff": 1.1, "epsilon_r": 15.0, "epsilon_rf": 0.0, "lj_modifier": "potential-shift"
    }  # fmt: skip


def test_show_draws_18_types_within_100_columns(topdown):
    code, out, err = topdown("table", "show", "martini2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    start = lines.index("epsilon [kJ/mol]") + 1
    assert len(lines[start].split()) == 18
    assert max(len(line) for line in lines[start : start + 19]) <= 100
    assert lines[start + 18].split() == ["C1", *lines[start + 18].split()[1:]]
    assert "21 more types" in out
    assert "\x1b" not in out  # no colour into a pipe


def test_show_martini3_within_120_columns(topdown):
    code, out, _ = topdown("table", "show", "martini3")
    assert code == 0
    matrix = out.split("epsilon [kJ/mol]\n")[1].split("\n\n")[0].splitlines()
    assert len(matrix) == 24
    assert max(map(len, matrix)) <= 120
    assert "820 more types" in out


def test_show_a_pair_and_chosen_types(topdown):
    assert topdown("table", "show", "martini3", "C1", "P4")[1] == "C1 P4: sigma 0.47 nm, epsilon 2.44 kJ/mol\n"
    out = topdown("table", "show", "martini3", "SC3", "Q5", "--json")[1]
    assert json.loads(out) == {"table": "martini3", "pair": ["SC3", "Q5"], "sigma": 0.473, "epsilon": 1.463}
    data = json.loads(topdown("table", "show", "martini2", "--types", "Q0, C1,Q0", "--json")[1])
    assert data["types"] == ["Q0", "C1"]
    assert data["epsilon"] == [[3.5, 2.0], [2.0, 3.5]]
    assert data["sigma"] == [[0.47, 0.62], [0.62, 0.47]]
    out = topdown("table", "show", "martini2", "--types", "Q0,C1", "--sigma")[1]
    assert "sigma [nm]" in out
    assert out.split("sigma [nm]\n")[1].split()[:8] == ["Q0", "C1", "Q0", "0.470", "0.620", "C1", "0.620", "0.470"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_only_on_a_terminal(no_color):
    import pty

    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "topdown.cli.main", "table", "show", "martini2", "--types", "C1,P4"]
    environment = {**os.environ, "NO_COLOR": no_color, "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=follower, env=environment):
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 4096):
                shown += piece
        except OSError:  # Linux reports the end of a pseudo-terminal this way
            pass
    os.close(leader)
    assert b"2.00" in shown
    assert (b"\x1b[38;2;90;130;240m 2.00" in shown) is (no_color == "")


def test_check(topdown, fitted):
    code, out, _ = topdown("table", "check", str(fitted))
    assert code == 0
    assert out.startswith("fitted 2.1: ok, 39 types, 780 pairs")
    data = json.loads(topdown("table", "check", "martini3", "--json")[1])
    assert data["ok"] is True
    assert data["n_molecules"] == 45


def test_check_of_a_broken_folder_is_one_line_and_exit_code_2(topdown, fitted):
    pairs = fitted / "pairs.csv"
    pairs.write_text(pairs.read_text().replace("AC1,AC1,3.5", "AC1,AC1,-3.5"))
    code, out, err = topdown("table", "check", str(fitted))
    assert (code, out) == (2, "")
    assert err == f"error: {pairs}:2: epsilon -3.5 is negative (it must be 0 or more)\n"


def test_check_reads_curated_molecules_and_refuses_zero_sigma(topdown, fitted):
    (fitted / "molecules").mkdir()
    (fitted / "molecules" / "X.toml").write_text('name = "X"\nbeads = [\n  { name = "A", type = "Z9" },\n]\n')
    code, _, err = topdown("table", "check", str(fitted))
    assert code == 2
    assert "X.toml:3: unknown bead type 'Z9'" in err
    (fitted / "molecules" / "X.toml").unlink()
    pairs = fitted / "pairs.csv"
    pairs.write_text(pairs.read_text().replace("AC1,AC1,3.5,0.47", "AC1,AC1,3.5,0"))
    code, _, err = topdown("table", "check", str(fitted))
    assert code == 2
    assert "sigma of AC1 with some type is 0" in err


def test_diff(topdown, fitted):
    code, out, _ = topdown("table", "diff", "martini2", str(fitted))
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "martini2 -> fitted: 2 of 780 common pairs changed"
    assert [line.split()[:2] for line in lines[2:]] == [["P4", "P4"], ["C1", "P4"]]
    data = json.loads(topdown("table", "diff", "martini2", str(fitted), "--json", "--limit", "1")[1])
    assert data["n_changed"] == 2
    assert data["changes"] == [{"types": ["P4", "P4"], "epsilon": [5.0, 4.0], "sigma": [0.47, 0.47]}]
    assert (
        topdown("table", "diff", "martini2", "martini2")[1] == "martini2 -> martini2: 0 of 780 common pairs changed\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "martini4"), "did you mean martini3"),
        (("show", "martini2", "C9", "P4"), "unknown bead type 'C9'"),
        (("show", "martini2", "C1"), "give two bead types"),
        (("show", "martini2", "C1", "P4", "--types", "C1"), "give two bead types"),
        (("show", "martini2", "--types", " , "), "names no bead type"),
        (("show", "martini2", "--types", "C1,Сyrillic"), "unknown bead type"),
        (("check", "/"), "holds no table.toml"),
        (("diff", "martini2"), "Missing argument 'B'"),
        (("diff", "martini2", "nope"), "no bead table called 'nope'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(topdown, arguments, message):
    code, out, err = topdown("table", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_list_loads_neither_rdkit_nor_numba():
    program = (
        "import sys\nfrom topdown.cli.main import main\n"
        "try:\n    main(['table', 'list'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'rdkit', 'numba', 'pandas', 'scipy'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_show_lists_curated_models_and_prints_one_with_its_virtual_sites(topdown):
    code, out, _ = topdown("table", "show", "martini3", "--molecules")
    assert code == 0
    listed = {line.split()[0]: line.split() for line in out.splitlines()[1:]}
    assert listed["CHOL"][1:5] == ["sterol", "9", "5", "0"]
    assert listed["CL"][1:4] == ["ion", "1", "-1"]
    code, out, _ = topdown("table", "show", "martini3", "--molecule", "chol")
    assert code == 0
    assert "9 beads, 5 of them virtual sites" in out
    assert "virtual site 3out of C1, R2, R1 (1.08999, 0.35891, 0.22947)" in out
    assert "R6-R4-R3-C2  -70°  50  improper" in out
    data = json.loads(topdown("table", "show", "martini2", "--molecule", "CHOL", "--json")[1])["molecules"][0]
    assert data["virtual_sites"][0] == {
        "site": "R4", "construction": "3", "atoms": ["R3", "R2", "C1"], "parameters": [0.9613, 0.632]
    }  # fmt: skip
    assert len(data["constraints"]) == 5
    assert "molecule CHOL has 3 virtual sites" in topdown("table", "check", "martini2")[1]


def test_show_refuses_an_unknown_model_and_mixed_questions(topdown):
    code, _, err = topdown("table", "show", "martini3", "--molecule", "CHOX")
    assert code == 2
    assert "did you mean CHOL" in err
    assert topdown("table", "show", "martini3", "C1", "P4", "--molecules")[0] == 2
    assert topdown("table", "show", "martini3", "--molecule", "W", "--molecules")[0] == 2
