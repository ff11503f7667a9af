from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import SettingsError, TopologyError
from topdown.formats.gro import gro_text, read_gro, wrapped_positions

GOOD = """two waters
    2
    1W        W    1   0.100   0.200   0.300
    2W        W    2   1.100  -1.200   1.300
   3.00000   3.00000   3.00000
"""


def _read(tmp_path, text):
    path = tmp_path / "conf.gro"
    path.write_text(text)
    return read_gro(path)


def test_columns_are_those_of_the_format(system):
    lines = gro_text(system).splitlines()
    assert lines[0] == "trial system"
    assert lines[1] == "   29"
    assert len(lines) == 29 + 3
    assert lines[2][:20] == "    1surfa   B0    1"
    assert len(lines[2]) == 20 + 3 * 8 + 3 * 8
    assert lines[27][:20] == "    6W        W   26"
    assert lines[-1].split() == ["5.00000", "5.50000", "6.00000"]


@pytest.mark.parametrize("decimals", [3, 6, 12])
def test_what_is_written_is_read_back(system, tmp_path, decimals):
    gro = _read(tmp_path, gro_text(system, decimals=decimals))
    np.testing.assert_allclose(gro.positions, wrapped_positions(system), atol=0.51 * 10.0**-decimals)
    np.testing.assert_allclose(gro.velocities, system.velocities, atol=0.051 * 10.0**-decimals)
    assert gro.box.tolist() == [5.0, 5.5, 6.0]
    assert gro.names[:6] == ("B0", "B1", "B2", "B3", "B4", "B0")
    assert gro.residue_names[-1] == "W"
    assert gro.residue_numbers[5] == 2


def test_molecules_are_wrapped_whole(system):
    wrapped = wrapped_positions(system)
    block, original = wrapped[:25].reshape(5, 5, 3), system.positions[:25].reshape(5, 5, 3)
    centres = block.mean(axis=1)
    assert np.all((centres >= 0) & (centres < system.box))
    np.testing.assert_allclose(block - block[:, :1], original - original[:, :1], atol=1e-12)
    shift = (wrapped - system.positions) / system.box
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-12)
    assert np.any(np.round(shift) != 0)


def test_the_centre_decides_which_image_is_written(table):
    from topdown.model import Bead, CGMolecule, System

    pair = CGMolecule(name="AB", beads=(Bead(name="A", bead_type="C1"), Bead(name="B", bead_type="C1")))
    positions = np.array([[-0.1, 0.5, 0.5], [0.3, 0.5, 0.5], [2.8, 0.5, 0.5], [3.3, 0.5, 0.5]])
    system = System(table=table, components=((pair, 2),), positions=positions, box=[3.0, 3.0, 3.0])
    np.testing.assert_allclose(wrapped_positions(system)[:, 0], [-0.1, 0.3, -0.2, 0.3], atol=1e-12)


def test_numbers_wrap_after_five_digits(table, tmp_path):
    from topdown.model import Bead, CGMolecule, System

    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    positions = np.zeros((100001, 3))
    gro = _read(
        tmp_path, gro_text(System(table=table, components=((water, 100001),), positions=positions, box=[9.0] * 3))
    )
    assert len(gro.names) == 100001
    assert gro.residue_numbers[99999] == 0
    assert gro.velocities is None


@pytest.mark.parametrize("decimals", [2, 13])
def test_decimals_out_of_range(system, decimals):
    with pytest.raises(SettingsError, match="decimals"):
        gro_text(system, decimals=decimals)


def test_a_box_beyond_the_columns_is_refused(table):
    from topdown.model import Bead, CGMolecule, System

    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    system = System(table=table, components=((water, 1),), positions=[[2e4, 0, 0]], box=[3e4, 5.0, 5.0])
    with pytest.raises(SettingsError, match="columns"):
        gro_text(system)


def test_reads_no_velocities_and_a_rectangular_nine_number_box(tmp_path):
    gro = _read(tmp_path, GOOD.replace("3.00000\n", "3.00000 0 0 0 0 0 0\n"))
    assert gro.velocities is None
    assert gro.positions[1].tolist() == [1.1, -1.2, 1.3]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("    2\n", "two\n", 2, "number of beads"),
        ("    2\n", "    3\n", 2, "3 beads announced, but 2"),
        ("    2\n", "    1\n", 4, "the box"),
        ("-1.200", "-1.2x0", 4, "not a bead line"),
        ("-1.200", "   nan", 4, "finite"),
        ("1.300\n", "1.300  0.1000  0.1000  0.1000\n", 4, "velocities for some"),
        ("   3.00000\n", "\n", 5, "the box"),
        ("3.00000\n", "3.00000 0 0 1.5 0 0 0\n", 5, "not rectangular"),
        ("   3.00000   3.00000   3.00000", "   3.00000   0.00000   3.00000", 5, "positive"),
        ("3.00000\n", "3.00000\nnext frame\n", 6, "one frame"),
        ("   0.100   0.200   0.300", "", 3, "not a bead line"),
    ],
)
def test_errors_name_file_and_line(tmp_path, old, new, line, message):
    assert old in GOOD
    with pytest.raises(TopologyError, match=message) as caught:
        _read(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.where == f"{tmp_path / 'conf.gro'}:{line}"


def test_a_missing_or_binary_file(tmp_path):
    with pytest.raises(TopologyError, match="No such file"):
        read_gro(tmp_path / "nothing.gro")
    (tmp_path / "binary.gro").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(TopologyError, match="not a text file"):
        read_gro(tmp_path / "binary.gro")
