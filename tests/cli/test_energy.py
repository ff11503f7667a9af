"""``topdown energy`` as a user runs it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from topdown.formats import read_gro, write_gromacs
from topdown.model import Bead, CGMolecule, System
from topdown.tables import load_bead_table, load_molecule

STORED = Path(__file__).parents[1] / "reference_data" / "gromacs"


@pytest.fixture(scope="module")
def octanol(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The octanol box of the reference data, written by our own writer."""
    folder = tmp_path_factory.mktemp("octanol")
    (folder / "conf.gro").write_bytes(gzip.decompress((STORED / "oco2000" / "conf.gro.gz").read_bytes()))
    gro = read_gro(folder / "conf.gro")
    model = load_molecule("martini3", "OCO")
    table = load_bead_table("martini3").subset(model.type_names)
    system = System(table=table, components=((model, 2000),), positions=gro.positions, box=gro.box)
    return write_gromacs(system, folder / "out", decimals=5)  # the box has five


def test_json_is_one_object_with_gromacs_numbers(topdown, octanol):
    code, out, err = topdown("energy", octanol["top"], octanol["gro"], "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    expected = json.loads((STORED / "oco2000" / "energies.json").read_text())
    assert list(result) == [
        *("bond", "angle", "dihedral", "restraint", "lj", "coulomb", "potential", "virial", "forces")
    ]
    assert result["bond"] == pytest.approx(expected["Bond"], rel=1e-8)
    assert result["angle"] == pytest.approx(expected["G96Angle"], rel=1e-8)
    assert result["lj"] == pytest.approx(expected["LJ (SR)"], rel=1e-8)
    assert result["potential"] == pytest.approx(expected["Potential"], rel=1e-8)
    assert result["virial"][0][2] == pytest.approx(expected["Vir-XZ"], rel=1e-6)
    forces = np.load(STORED / "oco2000" / "forces.npz")["forces"]
    np.testing.assert_allclose(result["forces"], forces, atol=1e-4)


def test_text_lists_terms_and_on_request_forces(topdown, octanol):
    code, short, _ = topdown("energy", octanol["top"], octanol["gro"])
    assert code == 0
    potential = next(line.split() for line in short.splitlines() if line.split()[0] == "potential")
    assert float(potential[1]) == pytest.approx(-51752.236586966, rel=1e-11)
    assert potential[2] == "kJ/mol"
    assert "forces" not in short
    _, long, _ = topdown("energy", octanol["top"], octanol["gro"], "--forces")
    assert long.startswith(short)
    rows = long[len(short) :].splitlines()
    assert len(rows) == 6001
    assert rows[3].split()[:3] == ["3", "OCO", "PC"]


def test_macros_can_be_set(topdown, tmp_path):
    (tmp_path / "a.top").write_text(
        "[ defaults ]\n1 2\n[ atomtypes ]\nA 72 0 A 0 0\n[ moleculetype ]\nM 1\n[ atoms ]\n1 A 1 M A 1\n2 A 1 M B 2\n"
        "#ifdef SOFT\n[ bonds ]\n1 2 1 0.5 K\n#endif\n[ system ]\nx\n[ molecules ]\nM 1\n"
    )
    (tmp_path / "a.gro").write_text(
        "x\n2\n    1M        A    1   1.000   1.000   1.000\n    1M        B    2   1.300   1.000   1.000\n 3 3 3\n"
    )
    files = (tmp_path / "a.top", tmp_path / "a.gro")
    _, plain, _ = topdown("energy", *files, "--json")
    _, bonded, _ = topdown("energy", *files, "--json", "-D", "SOFT", "--define", "K=1000")
    assert json.loads(plain)["bond"] == 0
    assert json.loads(bonded)["bond"] == pytest.approx(0.5 * 1000 * 0.2**2)
    code, _, err = topdown("energy", *files, "-D", "SOFT")
    assert code == 2
    assert "a.top:12" in err


def test_includes_reference_points_and_notes(topdown, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ff.itp").write_text("[ defaults ]\n1 2\n[ atomtypes ]\nA 72 0 A 0 0\n")
    (tmp_path / "a.top").write_text(
        '#include "ff.itp"\n[ moleculetype ]\nM 1\n[ atoms ]\n1 A 1 M A 1\n2 A 1 M B 2\n[ constraints ]\n1 2 1 0.3 500\n'
        "[ position_restraints ]\n1 1 100 0 0\n[ system ]\nx\n[ molecules ]\nM 1\n"
    )
    rows = "    1M        A    1{:8.3f}   1.000   1.000\n    1M        B    2   1.300   1.000   1.000\n"
    for name, x in (("a.gro", 1.0), ("r.gro", 1.2)):
        (tmp_path / name).write_text("x\n2\n" + rows.format(x) + " 3 3 3\n")
    files = (tmp_path / "a.top", tmp_path / "a.gro", "-I", tmp_path / "lib", "--json")
    _, free, err = topdown("energy", *files)
    assert err == "note: M: [ constraints ] the number after a length has no effect, as in GROMACS\n"
    assert json.loads(free)["restraint"] == 0
    _, held, _ = topdown("energy", *files, "--reference", tmp_path / "r.gro")
    assert json.loads(held)["restraint"] == pytest.approx(0.5 * 100 * 0.2**2)
    code, _, err = topdown("energy", *files[:2])
    assert code == 2
    assert "the included file 'ff.itp' is not there" in err
    for wrong in (("-D", "1+1"), ("-D", "=5"), ("--include", tmp_path / "none"), ("--referense", "x")):
        code, _, err = topdown("energy", *files, *wrong)
        assert (code, err.count("\n")) == (2, 1)


def test_bad_input_is_one_line_and_exit_code_2(topdown, octanol, tmp_path):
    for arguments in (
        (tmp_path / "no.top", octanol["gro"]),
        (octanol["top"], tmp_path / "no.gro"),
        (tmp_path, tmp_path),
    ):
        code, out, err = topdown("energy", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    assert topdown("energy", octanol["top"])[0] == 2


def _pair(table, separation: float, box: float) -> System:
    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    positions = [[1.0, 1.0, 1.0], [1.0 + separation, 1.0, 1.0]]
    return System(table=table, components=((water, 2),), positions=positions, box=[box] * 3)


def test_coincident_beads_and_small_boxes_fail_with_a_reason(topdown, tmp_path):
    table = load_bead_table("martini3").subset(["W"])
    overlapping = write_gromacs(_pair(table, 0.0, 4.0), tmp_path / "overlap")
    code, out, err = topdown("energy", overlapping["top"], overlapping["gro"], "--json")
    assert (code, out) == (1, "")
    assert "beads 1 (W W) and 2 (W W) are less than 0.01 nm apart" in err
    small = write_gromacs(_pair(table, 0.5, 2.1), tmp_path / "small")
    code, _, err = topdown("energy", small["top"], small["gro"])
    assert code == 1
    assert "cut-off" in err
