"""Sections beyond the plain ones: virtual sites, restraints, tables, parameters by type, residues."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import TopologyError
from topdown.formats import read_gromacs_topology, read_topology
from topdown.model import (
    Angle,
    Bond,
    Constraint,
    Dihedral,
    FlatBottomRestraint,
    NonbondedScheme,
    PositionRestraint,
    VirtualSite,
)

HEAD = """[ defaults ]
1 2
[ atomtypes ]
A 72.0 0.0 A 0.47 3.5
B BB 7 36.0 0.5 V 0.34 1.5
[ moleculetype ]
MOL 1
[ atoms ]
1 A 1 ONE X 1 0 10
2 A 1 ONE Y 2 0 20
3 B 2 TWO X 3 0 30
4 B 2 TWO Y 4
5 A 3 MOL V 5 0 0
"""
TAIL = """[ system ]
trial
[ molecules ]
MOL 1
"""


def _molecule(tmp_path, body, **options):
    (tmp_path / "a.top").write_text(HEAD + body + TAIL)
    return read_topology(tmp_path / "a.top", **options).components[0][0]


SITE = "[ virtual_sites2 ]\n5 1 2 1 0.3\n"


@pytest.mark.parametrize(
    ("body", "construction", "atoms", "parameters"),
    [
        ("[ virtual_sites1 ]\n5 2 1\n", "n", (1,), (1.0,)),
        ("[ virtual_sites2 ]\n5 1 2 1 0.3\n", "2", (0, 1), (0.3,)),
        ("[ virtual_sites2 ]\n5 1 2 2 0.3\n", "2fd", (0, 1), (0.3,)),
        ("[ virtual_sites3 ]\n5 3 1 2 1 0.3 -0.4\n", "3", (2, 0, 1), (0.3, -0.4)),
        ("[ virtual_sites3 ]\n5 1 2 3 2 0.3 0.4\n", "3fd", (0, 1, 2), (0.3, 0.4)),
        ("[ virtual_sites3 ]\n5 1 2 3 3 120 0.4\n", "3fad", (0, 1, 2), (120.0, 0.4)),
        ("[ virtual_sites3 ]\n5 1 2 3 4 0.3 0.4 1.5\n", "3out", (0, 1, 2), (0.3, 0.4, 1.5)),
        ("[ dummies3 ]\n5 1 2 3 4 0.3 0.4 1.5\n", "3out", (0, 1, 2), (0.3, 0.4, 1.5)),
        ("[ virtual_sites4 ]\n5 1 2 3 4 2 0.3 0.4 0.1\n", "4fdn", (0, 1, 2, 3), (0.3, 0.4, 0.1)),
        ("[ virtual_sitesn ]\n5 1 4 2\n", "n", (3, 1), (1.0, 1.0)),
        ("[ virtual_sitesn ]\n5 2 1 2 4\n", "n", (0, 1, 3), (10.0, 20.0, 36.0)),
        ("[ virtual_sitesn ]\n5 3 1 0.5 2 0.0\n", "n", (0, 1), (0.5, 0.0)),
        ("[ dummiesn ]\n5 1 1 2\n", "n", (0, 1), (1.0, 1.0)),
    ],
)
def test_virtual_sites(tmp_path, body, construction, atoms, parameters):
    expected = VirtualSite(site=4, construction=construction, atoms=atoms, parameters=parameters)
    assert _molecule(tmp_path, body).virtual_sites == (expected,)


def test_a_bead_without_mass_needs_a_construction(tmp_path):
    with pytest.raises(TopologyError, match=r"bead 5 \(V\) has mass 0 and is no virtual site") as caught:
        _molecule(tmp_path, "")
    assert caught.value.where == f"{tmp_path / 'a.top'}:13"


def test_sites_in_a_circle_or_constrained_name_the_molecule(tmp_path):
    with pytest.raises(TopologyError, match="constrained") as caught:
        _molecule(tmp_path, SITE + "[ constraints ]\n1 5 1 0.3\n")
    assert caught.value.where == f"{tmp_path / 'a.top'}:7"
    with pytest.raises(TopologyError, match="placed twice") as caught:
        _molecule(tmp_path, SITE + "[ virtual_sitesn ]\n5 1 1\n")
    assert caught.value.where == f"{tmp_path / 'a.top'}:17"


def test_centre_of_mass_of_massless_beads_is_refused(tmp_path):
    (tmp_path / "a.top").write_text(HEAD + "6 A 3 MOL U 6 0 0\n" + SITE + "[ virtual_sitesn ]\n6 2 5\n" + TAIL)
    with pytest.raises(TopologyError, match="masses of the constructing beads"):
        read_topology(tmp_path / "a.top")


def test_restraints(tmp_path):
    body = "[ position_restraints ]\n1 1 1000 0 5.5\n2 2 1 0.8 100\n3 2 8 -0.5 200\n"
    molecule = _molecule(tmp_path, SITE + body)
    assert molecule.position_restraints == (PositionRestraint(atom=0, force_constants=(1000.0, 0.0, 5.5)),)
    assert molecule.flat_bottom_restraints == (
        FlatBottomRestraint(atom=1, geometry=1, radius=0.8, force_constant=100.0),
        FlatBottomRestraint(atom=2, geometry=8, radius=-0.5, force_constant=200.0),
    )


def test_functions_of_bonded_terms(tmp_path):
    body = (
        "[ constraints ]\n1 2 2 0.3\n[ bonds ]\n1 3 1 0.3 100 0.3 100\n[ angles ]\n1 2 3 10 120 50\n"
        "[ dihedrals ]\n1 2 3 4 3 1 2 3 4 5 6\n1 2 3 4 11 8 .1 .2 .3 .4 .5\n1 2 3 4 4 180 2 1\n"
    )
    molecule = _molecule(tmp_path, SITE + body)
    assert molecule.constraints == (Constraint(atoms=(0, 1), length=0.3, function=2),)
    assert molecule.bonds == (Bond(atoms=(0, 2), length=0.3, force_constant=100.0),)
    assert molecule.angles == (Angle(atoms=(0, 1, 2), angle=120.0, force_constant=50.0, function=10),)
    polynomial, torsion, periodic = molecule.dihedrals
    assert (polynomial.function, polynomial.coefficients) == (3, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    assert (torsion.force_constant, torsion.coefficients) == (8.0, (0.1, 0.2, 0.3, 0.4, 0.5))
    assert periodic == Dihedral(atoms=(0, 1, 2, 3), angle=180.0, force_constant=2.0, multiplicity=1, function=1)


def test_habits_of_published_files(tmp_path):
    body = (
        "#ifndef FLEXIBLE\n[ constraints ]\n#else\n[ bonds ]\n#endif\n1 2 1 0.49 1000000\n"
        "[ position_restraints ]\n2 1.0 0.0 0.0 FC\n5 2 2 -FC 10\n"
        "[ dihedral_restraints ]\n1 2 3 4 1 -120 0.0 4.9\n[ virtual_sites2 ]\n5 1 2 1 0.3\n"
    )
    rigid = _molecule(tmp_path, SITE + body, defines={"FC": "200"})
    assert rigid.constraints == (Constraint(atoms=(0, 1), length=0.49),)
    assert rigid.warnings == ("[ constraints ] the number after a length has no effect, as in GROMACS",)
    assert rigid.position_restraints == (PositionRestraint(atom=1, force_constants=(0.0, 0.0, 200.0)),)
    assert rigid.flat_bottom_restraints[0].radius == -200.0
    assert rigid.dihedrals == (Dihedral(atoms=(0, 1, 2, 3), angle=-120.0, force_constant=4.9),)
    assert len(rigid.virtual_sites) == 1
    soft = _molecule(tmp_path, SITE + body, defines={"FC": "200", "FLEXIBLE": ""})
    assert soft.bonds == (Bond(atoms=(0, 1), length=0.49, force_constant=1e6),)
    assert (soft.constraints, soft.warnings) == ((), ())


def test_parameters_by_type_go_either_way_and_the_fewest_wildcards_win(tmp_path):
    types = (
        "[ bondtypes ]\nBB A 1 0.4 100\nA BB 1 0.4 100\nA A 6 0.3 50\n[ constrainttypes ]\nA A 1 0.33\n"
        "[ angletypes ]\nA A BB 2 120 30\n"
        "[ dihedraltypes ]\nX A BB X 2 10 5\nA A BB BB 2 20 6\nX A BB BB 2 30 7\n"
        "X A BB X 9 0 1 1\nX A BB X 9 180 2 2\n[ moleculetype ]"
    )
    (tmp_path / "a.top").write_text(
        HEAD.replace("[ moleculetype ]", types)
        + SITE
        + "[ bonds ]\n2 3 1\n1 2 6\n[ constraints ]\n1 2 1\n[ angles ]\n3 2 1 2\n[ dihedrals ]\n4 3 2 1 2\n1 2 3 4 9\n"
        + TAIL
    )
    molecule = read_topology(tmp_path / "a.top").components[0][0]
    assert molecule.bonds == (
        Bond(atoms=(1, 2), length=0.4, force_constant=100.0),
        Bond(atoms=(0, 1), length=0.3, force_constant=50.0, function=6),
    )
    assert molecule.constraints == (Constraint(atoms=(0, 1), length=0.33),)
    assert molecule.angles == (Angle(atoms=(2, 1, 0), angle=120.0, force_constant=30.0),)
    assert [(d.function, d.angle, d.force_constant, d.multiplicity) for d in molecule.dihedrals] == [
        (2, 20.0, 6.0, 0),
        (9, 0.0, 1.0, 1),
        (9, 180.0, 2.0, 2),
    ]


def test_a_missing_type_is_named(tmp_path):
    with pytest.raises(TopologyError, match=r"none for A BB with function 1 in \[ bondtypes \]") as caught:
        _molecule(tmp_path, SITE + "[ bonds ]\n2 3 1\n")
    assert caught.value.where == f"{tmp_path / 'a.top'}:17"


def test_residues_columns_and_types_without_case(tmp_path):
    (tmp_path / "a.top").write_text(HEAD.replace("4 B 2 TWO Y 4\n", "4 b 2 TWO Y\n") + SITE + TAIL)
    beads = read_topology(tmp_path / "a.top").components[0][0].beads
    assert [(b.name, b.residue, b.residue_number) for b in beads] == [
        *(("X", "ONE", 1), ("Y", "ONE", 1), ("X", "TWO", 2), ("Y", "TWO", 2)),
        ("V", "", 3),
    ]
    assert (beads[3].bead_type, beads[3].charge, beads[3].mass) == ("B", 0.5, 36.0)


def test_the_same_type_line_twice_is_one(tmp_path):
    (tmp_path / "a.top").write_text(
        HEAD.replace("A 72.0 0.0 A 0.47 3.5\n", "A 72.0 0.0 A 0.47 3.5\nA 72 0 A 0.47 3.5\n") + SITE + TAIL
    )
    assert [t.name for t in read_topology(tmp_path / "a.top").table.bead_types] == ["A", "B"]


XVG = "# x f -f'\n@ title\n0 1.0 0.5\n90 0.5 0\n180 2 -1\n"


def test_tables_of_angles_stand_beside_the_topology(tmp_path):
    (tmp_path / "table_a7.xvg").write_text(XVG)
    first, second = _molecule(tmp_path, SITE + "[ angles ]\n1 2 3 8 7 2.5\n2 3 4 8 7 1\n").angles
    assert (first.function, first.force_constant, second.force_constant) == (8, 2.5, 1.0)
    assert first.table is second.table
    assert first.table.number == 7
    np.testing.assert_array_equal(first.table.x, [0, 90, 180])
    np.testing.assert_array_equal(first.table.energy, [1.0, 0.5, 2.0])
    np.testing.assert_array_equal(first.table.slope, [-0.5, 0.0, 1.0])


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (XVG.replace("90 0.5 0", "90 0.5"), "table_a7.xvg:4", "expected x, f"),
        (XVG.replace("90 0.5 0", "90 0.5 x"), "table_a7.xvg:4", "expected x, f"),
        (XVG.replace("90 0.5 0", "90 nan 0"), "table_a7.xvg:4", "expected x, f"),
        (XVG.replace("90 0.5", "80 0.5"), "table_a7.xvg", "equally spaced"),
        (XVG.replace("180 2", "180 2 3\n270 2"), "table_a7.xvg", "from 0 to 270"),
        ("0 1 1\n", "table_a7.xvg", "at least two rows"),
    ],
)
def test_malformed_tables(tmp_path, text, where, message):
    (tmp_path / "table_a7.xvg").write_text(text)
    with pytest.raises(TopologyError, match=message) as caught:
        _molecule(tmp_path, SITE + "[ angles ]\n1 2 3 8 7 2.5\n")
    assert caught.value.where == f"{tmp_path / 'a.top'}:17"
    assert str(tmp_path / where) in caught.value.message


def test_the_scheme_is_the_callers_and_the_name_that_of_the_force_field(tmp_path):
    scheme = NonbondedScheme(cutoff=1.2, epsilon_r=2.5)
    force_field, molecule = HEAD[: HEAD.index("[ moleculetype ]")], HEAD[HEAD.index("[ moleculetype ]") :]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "martini_v9.itp").write_text(force_field)
    (tmp_path / "a.top").write_text('#include "martini_v9.itp"\n' + molecule + SITE + TAIL)
    topology = read_topology(tmp_path / "a.top", include=[tmp_path / "lib"], scheme=scheme)
    assert (topology.table.name, topology.table.scheme) == ("martini_v9", scheme)
    with pytest.raises(TopologyError, match="not there") as caught:
        read_topology(tmp_path / "a.top")
    assert str(tmp_path) in caught.value.hint


def test_reference_points_come_from_their_own_file(tmp_path):
    (tmp_path / "a.top").write_text(HEAD + SITE + "[ position_restraints ]\n1 1 10 10 10\n" + TAIL)

    def gro(name, shift):
        rows = [
            f"    1MOL  {bead:>5s}{k + 1:5d}{0.1 * k + shift:8.3f}{1:8.3f}{1:8.3f}" for k, bead in enumerate("XYXYV")
        ]
        (tmp_path / name).write_text("\n".join(["t", "5", *rows, "4 4 4", ""]))
        return tmp_path / name

    system = read_gromacs_topology(tmp_path / "a.top", gro("c.gro", 1.0), reference=gro("r.gro", 1.5))
    np.testing.assert_allclose(system.reference_positions - system.positions, [[0.5, 0, 0]] * 5, atol=1e-12)
    assert read_gromacs_topology(tmp_path / "a.top", tmp_path / "c.gro").reference_positions is None
    short = (tmp_path / "r.gro").read_text().replace("X    1", "Z    1")
    (tmp_path / "r.gro").write_text(short)
    with pytest.raises(TopologyError, match="'Z', but the topology has 'X'") as caught:
        read_gromacs_topology(tmp_path / "a.top", tmp_path / "c.gro", reference=tmp_path / "r.gro")
    assert caught.value.where == f"{tmp_path / 'r.gro'}:3"
