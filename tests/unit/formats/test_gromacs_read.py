from __future__ import annotations

import math

import numpy as np
import pytest

from topdown.errors import TopologyError
from topdown.formats import read_gromacs_topology, read_topology
from topdown.formats.pair_parameters import combined, converted, sigma_epsilon
from topdown.model import Angle, Bond, Constraint, Dihedral, PositionRestraint

TOP = """#define b_aa 0.47 1250
[ defaults ]
1 2
[ atomtypes ]
A 72.0 0.0 A 0.0 0.0
SC3 B 54.0 0.0 A 0.41 2.0
Q5 Q 0 36.0 -1.0 A 0.34 1.5
[ nonbond_params ]
A A 1 0.47 3.5
SC3 A 1 0.43 2.5
[ moleculetype ]
MOL 1
[ atoms ]
1 A 1 MOL X1 1
2 SC3 1 MOL X2 2 0.25
3 Q5 1 MOL X3 3 -1 45.0
4 A 1 MOL X4 4 0 72
[ bonds ]
1 2 1 b_aa
2 3 6 0.5 100
[ constraints ]
3 4 1 0.3
[ angles ]
1 2 3 2 120 50
2 3 4 1 180 25
[ dihedrals ]
1 2 3 4 9 180 1.5 2
1 2 3 4 2 -70 50
[ exclusions ]
1 3 4
[ pairs ]
[ system ]
a trial
[ molecules ]
MOL 2
MOL 1
"""


def _read(tmp_path, text=TOP, defines=None):
    (tmp_path / "a.top").write_text(text)
    return read_topology(tmp_path / "a.top", defines)


def test_everything_is_read(tmp_path):
    topology = _read(tmp_path)
    assert topology.title == "a trial"
    assert [(m.name, count) for m, count in topology.components] == [("MOL", 2), ("MOL", 1)]
    molecule = topology.components[0][0]
    assert topology.components[1][0] is molecule
    assert [(b.name, b.bead_type, b.charge, b.mass) for b in molecule.beads] == [
        ("X1", "A", 0.0, 72.0),
        ("X2", "SC3", 0.25, 54.0),
        ("X3", "Q5", -1.0, 45.0),
        ("X4", "A", 0.0, 72.0),
    ]
    assert molecule.bonds == (
        Bond(atoms=(0, 1), length=0.47, force_constant=1250.0),
        Bond(atoms=(1, 2), length=0.5, force_constant=100.0, function=6),
    )
    assert molecule.constraints == (Constraint(atoms=(2, 3), length=0.3),)
    assert molecule.angles == (
        Angle(atoms=(0, 1, 2), angle=120.0, force_constant=50.0, function=2),
        Angle(atoms=(1, 2, 3), angle=180.0, force_constant=25.0, function=1),
    )
    assert molecule.dihedrals == (
        Dihedral(atoms=(0, 1, 2, 3), angle=180.0, force_constant=1.5, multiplicity=2, function=9),
        Dihedral(atoms=(0, 1, 2, 3), angle=-70.0, force_constant=50.0, multiplicity=0, function=2),
    )
    assert molecule.exclusions == ((0, 2), (0, 3))


def test_listed_pairs_win_and_others_are_combined_as_in_gromacs(tmp_path):
    table = _read(tmp_path).table
    assert [t.name for t in table.bead_types] == ["A", "SC3", "Q5"]
    assert [(t.size, t.chemical_class) for t in table.bead_types] == [("R", "A"), ("S", "C3"), ("R", "Q5")]
    assert table.pair("A", "SC3") == (0.43, 2.5)
    assert table.pair("SC3", "Q5") == (pytest.approx(0.375), pytest.approx(math.sqrt(3.0)))
    assert table.pair("A", "Q5") == (pytest.approx(0.17), 0.0)


def test_rule_three_has_geometric_sigma(tmp_path):
    table = _read(tmp_path, TOP.replace("1 2\n", "1 3 no 1.0 1.0\n", 1)).table
    assert table.pair("SC3", "Q5") == (pytest.approx(math.sqrt(0.41 * 0.34)), pytest.approx(math.sqrt(3.0)))


def test_c6_and_c12_become_sigma_and_epsilon(tmp_path):
    text = (
        TOP.replace("1 2\n", "1 1\n", 1)
        .replace("A A 1 0.47 3.5", "A A 1 0.15091 0.0016267")
        .replace("A 0.41 2.0", "A 0.1 0.001")
        .replace("A 0.34 1.5", "A 0.4 0.004")
        .replace("SC3 A 1 0.43 2.5\n", "")
    )
    table = _read(tmp_path, text).table
    assert table.pair("A", "A") == (pytest.approx(0.47, rel=1e-5), pytest.approx(3.5, rel=1e-5))
    assert table.pair("SC3", "Q5") == pytest.approx(sigma_epsilon(0.2, 0.002))
    assert table.pair("A", "SC3") == (0.0, 0.0)


def test_sigma_epsilon_inverts_the_definition():
    sigma, epsilon = 0.43, 2.7
    assert sigma_epsilon(4 * epsilon * sigma**6, 4 * epsilon * sigma**12) == pytest.approx((sigma, epsilon), rel=1e-13)
    assert combined(1, (0.0, 0.0), (1.0, 1.0)) == (0.0, 0.0)
    with pytest.raises(TopologyError, match="negative"):
        converted(2, (-0.4, 1.0), pair="A B", where="x:1")
    with pytest.raises(TopologyError, match="only one of C6"):
        converted(1, (0.0, 1.0), pair="A B", where="x:1")


def test_conditionals_switch_constraints(tmp_path):
    text = TOP.replace(
        "[ constraints ]\n3 4 1 0.3\n",
        "#ifndef FLEXIBLE\n[ constraints ]\n3 4 1 0.3\n#else\n[ bonds ]\n3 4 1 0.3 1e5\n#endif\n"
        "#ifdef POSRES\n[ position_restraints ]\n1 1 1000 1000 1000\n#endif\n",
    )
    rigid = _read(tmp_path, text).components[0][0]
    soft = _read(tmp_path, text, {"FLEXIBLE": ""}).components[0][0]
    assert (len(rigid.bonds), len(rigid.constraints)) == (2, 1)
    assert (len(soft.bonds), len(soft.constraints)) == (3, 0)
    assert rigid.position_restraints == ()
    held = _read(tmp_path, text, {"POSRES": ""}).components[0][0]
    assert held.position_restraints == (PositionRestraint(atom=0, force_constants=(1000.0, 1000.0, 1000.0)),)


def test_molecule_names_match_without_case_when_unambiguous(tmp_path):
    assert _read(tmp_path, TOP.replace("MOL 2\n", "mol 2\n")).components[0][0].name == "MOL"


def test_an_unused_molecule_may_hold_what_is_not_simulated(tmp_path):
    other = "[ moleculetype ]\nDIS 1\n[ atoms ]\n1 A 1 DIS V 1 0 0\n2 A 1 DIS W 2\n[ pairs ]\n1 2 1\n[ system ]\n"
    text = TOP.replace("[ system ]\n", other)
    assert len(_read(tmp_path, text).components) == 2
    with pytest.raises(TopologyError, match=r"\[ pairs \] is not supported") as caught:
        _read(tmp_path, text + "DIS 1\n")
    assert caught.value.where == f"{tmp_path / 'a.top'}:38"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 2\n", "2 2\n", "only Lennard-Jones"),
        ("1 2\n", "1 4\n", "combination rule"),
        ("1 2\n", "1 2\n1 2\n", "stands twice"),
        ("1 2\n", "1\n", "2 to 5 columns"),
        ("A 72.0 0.0 A 0.0 0.0", "A 72.0 0.0 X 0.0 0.0", "particle type"),
        ("A 72.0 0.0 A 0.0 0.0", "A 72.0 0.0 A 0.0", "columns"),
        ("SC3 B 54.0", "A B 54.0", "stands twice"),
        ("SC3 A 1 0.43 2.5", "SC3 Z 1 0.43 2.5", "unknown atom type 'Z'"),
        ("SC3 A 1 0.43 2.5", "SC3 A 2 0.43 2.5", "only function 1"),
        ("SC3 A 1 0.43 2.5", "A A 1 0.47 3.6", "other parameters"),
        ("SC3 A 1 0.43 2.5", "SC3 A 1 0.43 nan", "finite"),
        ("SC3 A 1 0.43 2.5", "SC3 A 1 -0.43 2.5", "negative"),
        ("SC3 A 1 0.43 2.5", "SC3 A 1 1_0 2.5", "must be a number"),
        ("MOL 1\n[ atoms", "MOL\n[ atoms", "2 columns"),
        ("MOL 1\n[ atoms", "MOL -1\n[ atoms", "nrexcl"),
        ("MOL 1\n[ atoms", "MOL 1.5\n[ atoms", "whole number"),
        ("[ atoms ]", "[ moleculetype ]\nMOL 1\n[ atoms ]", "stands twice"),
        ("2 SC3 1 MOL X2 2 0.25", "3 SC3 1 MOL X2 2 0.25", "number 2 must follow"),
        ("2 SC3 1 MOL", "2 SC9 1 MOL", "unknown atom type"),
        ("X4 4 0 72", "X4 4 0 0", "mass 0"),
        ("X4 4 0 72", "X4 4 0 -72", "mass -72"),
        ("X4 4 0 72", "X4 4 0 72 A 1 72", "second state"),
        ("X4 4 0 72", "X4 4 0 72 B 0 72", "unknown atom type"),
        ("4 A 1 MOL X4", "4 A 1B MOL X4", "insertion codes"),
        ("X4 4 0 72", "X4 4a 0 72", "whole number"),
        ("1 2 1 b_aa", "1 9 1 b_aa", "do not fit"),
        ("1 2 1 b_aa", "1 1 1 b_aa", "do not fit"),
        ("1 2 1 b_aa", "1 2 7 b_aa", "function 7 is not supported"),
        ("1 2 1 b_aa", "1 2 1", "has no parameters"),
        ("1 2 1 b_aa", "1 2 1 b_bb", "5 columns"),
        ("1 2 1 b_aa", "1 2 1 0.4 b_bb", "must be a number"),
        ("1 2 1 b_aa", "1 2 1 0.47 1250 0.5 1250", "second state"),
        ("1 2 1 b_aa", "1 2 1 0.47 1250 0.5", "columns"),
        ("1 2 1 b_aa", "1 2", "needs 2 atoms"),
        ("1 2 1 b_aa", "1 2 1 0 1250", "length must be positive"),
        ("3 4 1 0.3", "3 4 3 0.3", "function 3 is not supported"),
        ("2 3 4 1 180 25", "2 3 4 5 180 25 0.1 4", "function 5 is not supported"),
        ("2 3 4 1 180 25", "2 3 4 8 1.5 25", "number of the table"),
        ("2 3 4 1 180 25", "2 3 4 8 3 25", "table_a3.xvg: cannot read the table: No such file"),
        ("1 2 3 4 9 180 1.5 2", "1 2 3 4 9 180 1.5 2.5", "multiplicity"),
        ("1 2 3 4 9 180 1.5 2", "1 2 3 4 5 1 2 3 4", "function 5 is not supported"),
        ("1 2 3 4 9 180 1.5 2", "1 2 3 4 3 1 2 3 4 5", "columns"),
        ("1 2 3 4 9 180 1.5 2", "1 2 3 4 11 1 2 3 4", "columns"),
        ("1 3 4\n[ pairs", "1\n[ pairs", "needs a bead"),
        ("[ pairs ]\n", "[ pairs ]\n1 4 1\n", "pairs ] is not supported"),
        ("[ pairs ]\n", "[ virtual_sites3 ]\n1 2 3 4 1 0.5 0.5\n", "virtual site and has mass 72"),
        ("[ pairs ]\n", "[ virtual_sites3 ]\n1 2 3 4 1 0.5\n", "columns"),
        ("[ pairs ]\n", "[ virtual_sites3 ]\n1 2 3 4 5 0.5 0.5\n", "function 5 is not supported"),
        ("[ pairs ]\n", "[ virtual_sites4 ]\n1 2 3 4 1 0.5 0.5\n", "do not fit"),
        ("[ pairs ]\n", "[ virtual_sitesn ]\n1 1\n", "constructing beads"),
        ("[ pairs ]\n", "[ virtual_sitesn ]\n1 4 2 3\n", "function 4 is not supported"),
        ("[ pairs ]\n", "[ virtual_sitesn ]\n1 3 2 0.5 3\n", "weight after each bead"),
        ("[ pairs ]\n", "[ virtual_sitesn ]\n1 3 2 0.5 3 -0.1\n", "must not be negative"),
        ("[ pairs ]\n", "[ position_restraints ]\n1 1 100 100\n", "columns"),
        ("[ pairs ]\n", "[ position_restraints ]\n9 1 100 100 100\n", "do not fit"),
        ("[ pairs ]\n", "[ position_restraints ]\n1 2 9 1 100\n", "geometry must be 1 to 8"),
        ("[ pairs ]\n", "[ position_restraints ]\n1 3 100 100 100\n", "function 3 is not supported"),
        ("[ pairs ]\n", "[ dihedral_restraints ]\n1 2 3 4 1 0 5 100\n", "without a free range only"),
        ("[ pairs ]\n", "[ dihedral_restraints ]\n1 2 3 4 1 0 100\n", "8 columns"),
        ("[ pairs ]\n", "[ parts ]\n", r"did you mean \[ pairs \]"),
        ("[ pairs ]\n", "[ xyzzy ]\n", "no such section"),
        ("[ pairs ]\n", "[ pairs\n", "unknown section"),
        ("[ pairs ]\n", "[ bondtypes ]\nA A\n", "2 types and a function"),
        ("[ pairs ]\n", "[ bondtypes ]\nA A 1 0.4 100\nA A 1 0.4 200\n", "other parameters before"),
        ("[ pairs ]\n", "[ angletypes ]\nA A A 1 0.4\n", "columns"),
        ("MOL 2\n", "MOL x\n", "whole number"),
        ("MOL 2\n", "MOL -2\n", "negative"),
        ("MOL 2\n", "NOPE 2\n", "no moleculetype 'NOPE'"),
    ],
)
def test_errors_name_file_and_line(tmp_path, old, new, message):
    assert TOP.count(old) >= 1
    text = TOP.replace(old, new, 1)
    with pytest.raises(TopologyError, match=message) as caught:
        _read(tmp_path, text)
    place, _, number = caught.value.where.rpartition(":")
    assert place == str(tmp_path / "a.top")
    # the line named is one of those that changed
    before = TOP[: TOP.index(old)].count("\n")
    assert before < int(number) <= before + 1 + new.count("\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no \\[ defaults \\]"),
        ("A B\n", "text before the first section"),
        ("[ defaults ]\n1 2\n", "no \\[ molecules \\]"),
        ("[ atomtypes ]\nA 72 0 A 0 0\n", "needs \\[ defaults \\]"),
        ("[ atoms ]\n1 A 1 M A 1\n", "needs \\[ moleculetype \\]"),
        ("[ defaults ]\n1 2\n[ moleculetype ]\nM 1\n[ system ]\nx\n[ molecules ]\nM 1\n", "no \\[ atoms \\]"),
    ],
)
def test_incomplete_topologies(tmp_path, text, message):
    with pytest.raises(TopologyError, match=message) as caught:
        _read(tmp_path, text)
    assert str(tmp_path / "a.top") in caught.value.where


def _gro(tmp_path, names, positions, box=4.0):
    lines = ["t", str(len(names))]
    lines += [
        f"{1:5d}{'MOL':<5s}{name:>5s}{k + 1:5d}" + "".join(f"{x:8.3f}" for x in row)
        for k, (name, row) in enumerate(zip(names, positions))
    ]
    path = tmp_path / "conf.gro"
    path.write_text("\n".join([*lines, f"{box} {box} {box}", ""]))
    return path


def test_molecules_are_made_whole_along_their_bonds(tmp_path):
    (tmp_path / "a.top").write_text(TOP)
    one = [(3.9, 0.1, 2.0), (0.3, 3.9, 2.0), (0.7, 3.7, 2.0), (1.0, 3.7, 2.0)]
    gro = _gro(tmp_path, ["X1", "X2", "X3", "X4"] * 3, one * 3)
    system = read_gromacs_topology(tmp_path / "a.top", gro)
    expected = [(3.9, 0.1, 2.0), (4.3, -0.1, 2.0), (4.7, -0.3, 2.0), (5.0, -0.3, 2.0)]
    np.testing.assert_allclose(system.positions, expected * 3, atol=1e-12)


def test_coordinates_must_fit_the_topology(tmp_path):
    (tmp_path / "a.top").write_text(TOP)
    names, rows = ["X1", "X2", "X3", "X4"] * 3, [(0.1, 0.1, 0.1)] * 12
    with pytest.raises(TopologyError, match="11 beads, but the topology has 12"):
        read_gromacs_topology(tmp_path / "a.top", _gro(tmp_path, names[:11], rows[:11]))
    names[5] = "X9"
    with pytest.raises(TopologyError, match="'X9', but the topology has 'X2' of MOL") as caught:
        read_gromacs_topology(tmp_path / "a.top", _gro(tmp_path, names, rows))
    assert caught.value.where.endswith("conf.gro:8")
