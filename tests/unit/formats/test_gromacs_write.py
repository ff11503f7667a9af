from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from topdown.errors import BeadTableError, SettingsError, TopologyError
from topdown.formats import gro_text, molecule_itp, read_gro, write_gromacs
from topdown.formats.gromacs_write import force_field_itp, topology_texts
from topdown.model import (
    Angle,
    Bead,
    CGMolecule,
    Constraint,
    FlatBottomRestraint,
    PositionRestraint,
    System,
    TabulatedPotential,
    VirtualSite,
)


def _sections(text: str) -> list[str]:
    return re.findall(r"^\[ (\w+) \]", text, flags=re.MULTILINE)


def _code(text: str) -> list[str]:
    return [line.split(";")[0].rstrip() for line in text.splitlines() if line.split(";")[0].strip()]


def test_itp_holds_every_section(molecule, table):
    text = molecule_itp(molecule, table)
    assert _sections(text) == [
        *("moleculetype", "atoms", "bonds", "constraints", "bonds", "angles", "dihedrals", "exclusions")
    ]
    code = _code(text)
    assert "surfa 2" in code
    assert "   5 Q5     1 surfa B4       5 -1.0 54.0" in code
    assert "   2    3 1 0.30000000000000004 5000.0" in code
    assert "   2    3    4    5 9 0.0 1.5 2" in code
    assert "   1    2    3    4 2 -70.0 50.0" in code
    assert code[-2:] == ["   1    3    4", "   2    5"]


def test_constraints_become_stiff_bonds_when_flexible(molecule):
    code = _code(molecule_itp(molecule))
    start = code.index("#ifndef FLEXIBLE")
    assert code[start : start + 9] == [
        "#ifndef FLEXIBLE",
        "[ constraints ]",
        "   3    4 1 0.29",
        "   4    5 1 0.31",
        "#else",
        "[ bonds ]",
        "   3    4 1 0.29 100000.0",
        "   4    5 1 0.31 100000.0",
        "#endif",
    ]


def test_free_text_stays_inside_comments(molecule):
    rogue = replace(molecule, name='evil\n#include "/etc/passwd"\n[ bonds ]\\', smiles="C\\\nC", warnings=("a\nb",))
    for line in molecule_itp(rogue).splitlines():
        assert not line.endswith("\\")
        assert "passwd" not in line.split(";")[0]
    assert _sections(molecule_itp(rogue)) == _sections(molecule_itp(molecule))


def test_a_type_the_table_lacks_is_refused(molecule, table):
    with pytest.raises(BeadTableError, match="SC3"):
        molecule_itp(molecule, table.subset(["C1", "Q5"]))


@pytest.mark.parametrize("bead", [Bead(name="A", bead_type="C 1"), Bead(name="A", bead_type="C1", mass=0.0)])
def test_beads_gromacs_could_not_read(bead):
    with pytest.raises(TopologyError, match=r"cannot be written|mass"):
        molecule_itp(CGMolecule(name="m", beads=(bead,)))


def test_exclusions_follow_a_section_gromacs_wants_before_them(molecule):
    lonely = replace(molecule, bonds=(), constraints=())
    assert _sections(molecule_itp(lonely))[2:] == ["bonds", "angles", "dihedrals", "exclusions"]
    assert _sections(molecule_itp(replace(lonely, exclusions=())))[2:] == ["angles", "dihedrals"]


def test_a_constraint_without_exclusion_becomes_a_bond_without(molecule):
    loose = replace(molecule, constraints=(Constraint(atoms=(2, 3), length=0.29, function=2),))
    code = _code(molecule_itp(loose))
    assert code[code.index("[ constraints ]") + 1] == "   3    4 2 0.29"
    assert code[code.index("#else") + 2] == "   3    4 6 0.29 100000.0"


def _with_site(molecule, site):
    beads = (*molecule.beads, Bead(name="V", bead_type="C1", mass=0.0, residue="RES-1234", residue_number=2))
    return replace(molecule, beads=beads, virtual_sites=(site,))


def test_virtual_sites_restraints_and_residues(molecule):
    site = VirtualSite(site=5, construction="3out", atoms=(0, 1, 2), parameters=(0.5, 0.25, -1.0))
    other = replace(
        _with_site(molecule, site),
        position_restraints=(PositionRestraint(atom=0, force_constants=(1000.0, 0.0, 500.0)),),
        flat_bottom_restraints=(FlatBottomRestraint(atom=1, geometry=5, radius=-0.5, force_constant=10.0),),
    )
    code = _code(molecule_itp(other))
    assert "   6 C1     2 RES12 V        6 0.0 0.0" in code
    assert code[code.index("[ virtual_sites3 ]") + 1] == "   6    1    2    3 4 0.5 0.25 -1.0"
    start = code.index("[ position_restraints ]")
    assert code[start + 1 : start + 3] == ["   1 1 1000.0 0.0 500.0", "   2 2 5 -0.5 10.0"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1.0, 1.0), "   6 1    1    2"),
        ((2.0, 2.0), "   6 3    1 2.0    2 2.0"),
        ((1.0, 0.0), "   6 3    1 1.0    2 0.0"),
    ],
)
def test_sites_with_weights(molecule, weights, expected):
    site = VirtualSite(site=5, construction="n", atoms=(0, 1), parameters=weights)
    code = _code(molecule_itp(_with_site(molecule, site)))
    assert code[code.index("[ virtual_sitesn ]") + 1] == expected


def test_negative_weights_are_refused(molecule):
    site = VirtualSite(site=5, construction="n", atoms=(0, 1), parameters=(2.0, -1.0))
    with pytest.raises(TopologyError, match="negative weight"):
        molecule_itp(_with_site(molecule, site))


def _tabulated(molecule, *tables):
    angles = (Angle(atoms=(0, 1, 2), angle=0.0, force_constant=k, function=8, table=t) for k, t in enumerate(tables))
    return replace(molecule, angles=tuple(angles))


def _table(number, *, top=1.0, end=180.0):
    return TabulatedPotential(x=[0.0, end / 2, end], energy=[top, 0.0, top], slope=[0.0, 0.0, 0.1], number=number)


def test_tables_are_written_once_under_free_numbers(system, molecule):
    first = _tabulated(molecule, _table(3), _table(3, top=2.0), _table(0))
    texts = topology_texts(replace(system, components=((first, 5), system.components[-1])))
    assert [name for name in texts if name.endswith(".xvg")] == ["table_a3.xvg", "table_a4.xvg"]
    assert _code(texts["surfa.itp"])[-7:][0] == "[ dihedrals ]"
    rows = [line for line in _code(texts["surfa.itp"]) if re.match(r" +\d+ +\d+ +\d+ 8 ", line)]
    assert [row.split()[4:] for row in rows] == [["3", "0.0"], ["4", "1.0"], ["3", "2.0"]]
    assert texts["table_a4.xvg"].splitlines()[1:] == ["0.0 2.0 -0.0", "90.0 0.0 -0.0", "180.0 2.0 -0.1"]
    assert "; tabulated angles: gmx mdrun -tableb table_a3.xvg table_a4.xvg" in texts["system.top"]
    with pytest.raises(TopologyError, match="0 to 180"):
        topology_texts(
            replace(system, components=((_tabulated(molecule, _table(1, end=90.0)), 5), system.components[-1]))
        )


def test_reference_points_go_along_in_the_images_of_the_beads(system, molecule, tmp_path):
    held = replace(molecule, position_restraints=(PositionRestraint(atom=0, force_constants=(1.0, 1.0, 1.0)),))
    other = replace(
        system,
        components=((held, 5), system.components[-1]),
        reference_positions=system.positions + np.array([0.1, -0.2, 0.3]),
    )
    files = write_gromacs(other, tmp_path, decimals=6)
    assert files["reference"].name == "system_reference.gro"
    assert "gmx grompp -r system_reference.gro" in files["top"].read_text()
    apart = read_gro(files["reference"]).positions - read_gro(files["gro"]).positions
    np.testing.assert_allclose(apart, np.tile([0.1, -0.2, 0.3], (29, 1)), atol=2e-6)
    assert "reference" not in write_gromacs(system, tmp_path / "free")
    resting = write_gromacs(replace(other, reference_positions=None), tmp_path / "rest")
    np.testing.assert_array_equal(read_gro(resting["reference"]).positions, read_gro(resting["gro"]).positions)


def test_residue_numbers_of_chains_stay_and_single_molecules_count_on(table):
    chain = CGMolecule(
        name="chain",
        beads=tuple(
            Bead(name="BB", bead_type="P4", residue=name, residue_number=n) for n, name in ((7, "GLY"), (8, "ALA"))
        ),
    )
    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W", residue_number=5),))
    system = System(
        table=table, components=((water, 1), (chain, 1), (water, 2)), positions=np.zeros((5, 3)), box=[5.0, 5.0, 5.0]
    )
    labels = [line[:15] for line in gro_text(system).splitlines()[2:-1]]
    assert labels == ["    9W        W", "    7GLY     BB", "    8ALA     BB", "   10W        W", "   11W        W"]


def test_force_field_names_every_pair_once(table):
    code = _code(force_field_itp(table))
    pairs = code[code.index("[ nonbond_params ]") + 1 :]
    assert len(pairs) == 5 * 6 // 2
    assert len({frozenset(line.split()[:2]) for line in pairs}) == 15
    assert code[code.index("[ defaults ]") + 1] == "1 2 no 1.0 1.0"
    sigma, epsilon = table.pair("SC3", "W")
    assert f"SC3    W      1 {sigma!r} {epsilon!r}" in pairs


def test_top_includes_real_files_and_merges_counts(system):
    files = topology_texts(system, name="my/../top")
    assert list(files) == ["mytop.top", "trial_forcefield.itp", "surfa.itp", "W.itp"]
    code = _code(files["mytop.top"])
    assert code[:3] == [f'#include "{file}"' for file in list(files)[1:]]
    assert code[code.index("[ molecules ]") + 1 :] == ["surfa 5", "W     4"]
    assert "P4" not in files["trial_forcefield.itp"]


def test_write_gromacs_writes_all_and_nothing_else(system, tmp_path):
    files = write_gromacs(system, tmp_path / "new" / "folder", name="box")
    written = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    expected = {"box.top", "box.gro", "index.ndx", "em.mdp", "eq.mdp", "md.mdp", "single_point.mdp"}
    assert set(written) == expected | {"trial_forcefield.itp", "surfa.itp", "W.itp"}
    assert {path.name for path in files.values()} == set(written)
    assert files["top"].name == "box.top"


def test_nothing_is_written_when_anything_is_wrong(system, tmp_path):
    with pytest.raises(SettingsError):
        write_gromacs(system, tmp_path / "out", groups={"Solute": []})
    assert not (tmp_path / "out").exists()


def test_same_system_same_bytes(system, tmp_path):
    first, second = write_gromacs(system, tmp_path / "a"), write_gromacs(system, tmp_path / "b")
    assert all(first[key].read_bytes() == second[key].read_bytes() for key in first)
