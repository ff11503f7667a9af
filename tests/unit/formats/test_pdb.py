from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import SettingsError, TopologyError
from topdown.formats.gro import wrapped_positions
from topdown.formats.pdb import pdb_text, read_pdb
from topdown.model import Bead, CGMolecule, System


def test_pdb_columns_bonds_and_box(system):
    lines = pdb_text(system).splitlines()
    assert lines[0] == "TITLE     trial system"
    assert lines[1] == "CRYST1   50.000   55.000   60.000  90.00  90.00  90.00 P 1           1"
    atoms = [line for line in lines if line.startswith("HETATM")]
    assert len(atoms) == 29
    assert atoms[4][:30] == "HETATM    5  B4  surf    1    "
    assert atoms[4][78:80] == "1-"
    assert all(len(line) == 80 for line in atoms)
    bonded = {tuple(map(int, line[6:].split())) for line in lines if line.startswith("CONECT")}
    assert (1, 2, 5) in bonded
    assert (9, 8, 10) in bonded
    assert len(bonded) == 25  # every bead of the five molecules, none of the waters


def test_pdb_molecules_are_whole(system):
    atoms = [line for line in pdb_text(system).splitlines() if line.startswith("HETATM")]
    places = np.array([[float(line[30 + 8 * k : 38 + 8 * k]) for k in range(3)] for line in atoms[:25]]).reshape(
        5, 5, 3
    )
    original = system.positions[:25].reshape(5, 5, 3) * 10
    np.testing.assert_allclose(places - places[:, :1], original - original[:, :1], atol=2e-3)


def test_pdb_names_of_four_characters_stay_unique(table):
    molecule = CGMolecule(name="long", beads=tuple(Bead(name=f"BEAD{k}", bead_type="C1") for k in range(3)))
    system = System(table=table, components=((molecule, 1),), positions=np.zeros((3, 3)), box=np.full(3, 5.0))
    names = [line[12:16] for line in pdb_text(system).splitlines() if line.startswith("HETATM")]
    assert names == ["BEAD", "BEA1", "BEA2"]


def test_a_box_beyond_the_columns_is_refused(table):
    molecule = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    system = System(table=table, components=((molecule, 1),), positions=[[1500.0, 0, 0]], box=[2000.0, 5.0, 5.0])
    with pytest.raises(SettingsError, match="columns"):
        pdb_text(system)


def test_what_is_written_is_read_back(system, tmp_path):
    (tmp_path / "a.pdb").write_text(pdb_text(system))
    found = read_pdb(tmp_path / "a.pdb")
    assert found.title == "trial system"
    assert found.names[:6] == ("B0", "B1", "B2", "B3", "B4", "B0")
    assert (found.residue_names[0], found.residue_names[-1]) == ("surf", "W")
    assert (found.residue_numbers[0], found.residue_numbers[-1]) == (1, 9)
    np.testing.assert_allclose(found.box, system.box)
    np.testing.assert_allclose(found.positions, wrapped_positions(system), atol=5.1e-5)
    bonded = {(0, 1), (1, 2), (0, 4), (2, 3), (3, 4)}
    assert set(found.bonds) == {(5 * k + i, 5 * k + j) for k in range(5) for i, j in bonded}


ATOM = "ATOM      1  CA  GLY A   7      10.000  20.000  30.000  1.00  0.00           C\n"


def test_records_of_other_programs(tmp_path):
    (tmp_path / "a.pdb").write_text(
        "HEADER    X\nCRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1\nMODEL        1\n"
        + ATOM
        + ATOM.replace("    1  CA", "    2  CB")
        + "CONECT    1    2\nCONECT    2    1\nENDMDL\nEND\n"
    )
    found = read_pdb(tmp_path / "a.pdb")
    assert (found.box, found.names, found.residue_names[0], found.residue_numbers[0]) == (None, ("CA", "CB"), "GLY", 7)
    assert found.bonds == ((0, 1),)
    np.testing.assert_allclose(found.positions[0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (ATOM.replace("20.000", "20.0x0"), 1, "not a bead record"),
        (ATOM.replace("20.000", "   nan"), 1, "finite"),
        ("CRYST1   50.000   50.000   50.000  90.00  60.00  90.00\n" + ATOM, 1, "not rectangular"),
        ("CRYST1   50.000    0.000   50.000  90.00  90.00  90.00\n" + ATOM, 1, "must be positive"),
        ("CRYST1   50.000\n" + ATOM, 1, "not a CRYST1"),
        ("MODEL        1\n" + ATOM + "ENDMDL\nMODEL        2\n" + ATOM, 4, "second model"),
        (ATOM + "CONECT    1    9\n", 2, "no bead has the number 9"),
        (ATOM + ATOM + "CONECT    1\n", 3, "several beads have the number 1"),
    ],
)
def test_malformed_records_name_file_and_line(tmp_path, text, line, message):
    (tmp_path / "a.pdb").write_text(text)
    with pytest.raises(TopologyError, match=message) as caught:
        read_pdb(tmp_path / "a.pdb")
    assert caught.value.where == f"{tmp_path / 'a.pdb'}:{line}"


def test_files_without_beads(tmp_path):
    (tmp_path / "a.pdb").write_text("END\n")
    with pytest.raises(TopologyError, match="no ATOM"):
        read_pdb(tmp_path / "a.pdb")
    with pytest.raises(TopologyError, match="No such file"):
        read_pdb(tmp_path / "nothing.pdb")
