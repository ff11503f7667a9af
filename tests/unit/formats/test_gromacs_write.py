from __future__ import annotations

import re
from dataclasses import replace

import pytest

from topdown.errors import BeadTableError, SettingsError, TopologyError
from topdown.formats import molecule_itp, write_gromacs
from topdown.formats.gromacs_write import force_field_itp, topology_texts
from topdown.model import Bead, CGMolecule


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
