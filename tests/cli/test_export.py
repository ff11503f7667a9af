"""``topdown export`` as a user runs it: every kind of source, every format, and the same energy on the other side."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from topdown.building.liquid import build_liquid
from topdown.engine import potential_energy
from topdown.formats import read_gro, read_gromacs_topology, read_pdb, write_gromacs
from topdown.formats.registry import EXPORT_FORMATS
from topdown.model import Angle, Bead, Bond, CGMolecule, Constraint, PositionRestraint, System
from topdown.resources import bead_tables_folder
from topdown.tables import load_bead_table, load_molecule

#: A file that every export to the format writes, for a stem.
MAIN_FILE = {"gromacs": "{}.top", "openmm": "{}_openmm.xml", "lammps": "{}.data", "pdb": "{}.pdb"}


@pytest.fixture(scope="module")
def octanol(tmp_path_factory: pytest.TempPathFactory) -> tuple[System, dict[str, Path]]:
    model = load_molecule("martini3", "OCO")
    table = load_bead_table("martini3").subset(model.type_names)
    system = build_liquid(model, 75, table, rng=np.random.default_rng(1))
    files = write_gromacs(system, tmp_path_factory.mktemp("octanol"), name="octanol", decimals=5)
    return read_gromacs_topology(files["top"], files["gro"]), files


def test_every_format_is_tested() -> None:
    assert set(MAIN_FILE) == set(EXPORT_FORMATS)


@pytest.mark.parametrize("to", MAIN_FILE)
def test_a_topology_goes_to_every_format(topdown, octanol, tmp_path: Path, to: str) -> None:
    system, files = octanol
    folder = tmp_path / to
    code, out, err = topdown("export", files["top"], "--conf", files["gro"], "--to", to, "-o", folder, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["to"], result["n_beads"], result["molecules"]) == (to, 225, [["OCO", 75]])
    np.testing.assert_allclose(result["box_nm"], system.box)
    assert all(Path(path).is_file() for path in result["files"].values())
    main = folder / MAIN_FILE[to].format("octanol")
    assert main.is_file()
    if to == "gromacs":
        back = read_gromacs_topology(main, folder / "octanol.gro")
        rounded = system.with_coordinates(read_gro(folder / "octanol.gro").positions)
        assert potential_energy(back).potential == pytest.approx(potential_energy(rounded).potential, rel=1e-12)
    elif to == "openmm":
        assert len(ElementTree.parse(main).getroot().findall("./Particles/Particle")) == 225
    elif to == "lammps":
        assert "225 atoms" in main.read_text()
    else:
        np.testing.assert_allclose(read_pdb(main).box, system.box, atol=1e-4)


def test_temperature_and_coupling_reach_the_run_parameters(topdown, octanol, tmp_path: Path) -> None:
    _, files = octanol
    source = ("export", files["top"], "--conf", files["gro"], "--temperature", "323.5", "--coupling", "semiisotropic")
    for to, name, words in (
        ("gromacs", "md.mdp", ("323.5", "semiisotropic")),
        ("openmm", "run_openmm.py", ("323.5", "semiisotropic")),
        ("lammps", "in.run", ("323.5",)),
    ):
        assert topdown(*source, "--to", to, "-o", tmp_path / to)[0] == 0
        text = (tmp_path / to / name).read_text()
        assert all(word in text for word in words)
    code, _, err = topdown(*source, "--to", "pdb", "-o", tmp_path / "pdb")
    assert (code, "hold no temperature" in err) == (2, True)


def test_a_model_by_name_stands_alone_in_a_box(topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = topdown("export", "popc", "--to", "gromacs")
    assert (code, err) == (0, "")
    assert "POPC: 1 molecule, 12 beads" in out
    assert "note     coordinates are rounded to 0.001 nm" in out
    system = read_gromacs_topology("POPC-gromacs/POPC.top", "POPC-gromacs/POPC.gro")
    size = np.ptp(system.positions, axis=0).max()
    np.testing.assert_allclose(system.box, size + 2.2 * 1.1, atol=2e-3)
    model = load_molecule("martini3", "POPC")
    assert system.components[0][0].bonds == model.bonds
    assert potential_energy(system).bond < 5.0
    assert topdown("export", "W", "--to", "pdb", "--box", "4x5x6", "--table", "martini2", "-o", "w")[0] == 0
    np.testing.assert_allclose(read_pdb(Path("w/W.pdb")).box, [4, 5, 6])
    code, _, err = topdown("export", "W", "--to", "pdb", "--box", "2x5x6")
    assert (code, "shorter than twice the cut-off, 2.2 nm" in err) == (2, True)


def test_a_molecule_file_uses_the_table_around_it(topdown, tmp_path: Path) -> None:
    source = bead_tables_folder() / "martini2" / "molecules" / "DPPC.toml"
    code, _, err = topdown("export", source, "--to", "gromacs", "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    system = read_gromacs_topology(tmp_path / "out" / "DPPC.top", tmp_path / "out" / "DPPC.gro")
    model = load_molecule("martini2", "DPPC")
    assert system.components[0][0].type_names == model.type_names
    assert system.table.pair("Q0", "Qa") == load_bead_table("martini2").pair("Q0", "Qa")
    shutil.copy(source, tmp_path / "DPPC.toml")
    code, _, err = topdown("export", tmp_path / "DPPC.toml", "--to", "pdb", "-o", tmp_path / "no")
    assert (code, "DPPC.toml:" in err) == (2, True)  # martini3 has no such bead types
    code, *_ = topdown("export", tmp_path / "DPPC.toml", "--table", "martini2", "--to", "pdb", "-o", tmp_path / "yes")
    assert code == 0


def test_a_mapped_molecule(topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = tmp_path / "mapped"
    assert topdown("map", "CC(=O)Nc1ccc(O)cc1", "--name", "PARA", "--table", "martini2", "-o", mapped)[0] == 0
    code, _, err = topdown("export", mapped, "--to", "gromacs", "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    described = json.loads((mapped / "PARA.json").read_text())
    found = read_gromacs_topology(tmp_path / "out" / "PARA.top", tmp_path / "out" / "PARA.gro")
    molecule = found.components[0][0]
    assert [bead.bead_type for bead in molecule.beads] == [bead["type"] for bead in described["beads"]]
    assert [c.length for c in molecule.constraints] == [c["length"] for c in described["constraints"]]
    here, there = found.positions, read_gro(mapped / "PARA.gro").positions
    np.testing.assert_allclose(here - here.mean(axis=0), there - there.mean(axis=0), atol=2e-3)
    monkeypatch.chdir(tmp_path)
    assert topdown("export", mapped, "--to", "pdb")[0] == 0
    assert [path.name for path in Path("mapped-pdb").iterdir()] == ["PARA.pdb"]  # another folder's would not meet it
    assert topdown("map", "CCCCO", "--name", "BUOL", "-o", mapped)[0] == 0
    code, _, err = topdown("export", mapped, "--to", "gromacs", "-o", tmp_path / "both")
    assert (code, "several: BUOL.itp, PARA.itp" in err) == (2, True)
    assert topdown("export", mapped / "BUOL.itp", "--to", "lammps", "-o", tmp_path / "one")[0] == 0


def test_a_run_and_what_export_wrote(topdown, octanol, tmp_path: Path) -> None:
    _, files = octanol
    run = tmp_path / "run"
    assert topdown("run", files["top"], files["gro"], "--minimize", "-o", run)[0] == 0
    assert topdown("export", run, "--to", "gromacs", "-o", tmp_path / "out")[0] == 0
    final = read_gro(run / "final.gro")
    np.testing.assert_allclose(read_gro(tmp_path / "out" / "octanol.gro").positions, final.positions)
    code, out, _ = topdown("export", tmp_path / "out", "--to", "pdb", "-o", tmp_path / "pdb")
    assert (code, "225 beads" in out) == (0, True)
    (run / "final.gro").unlink()
    code, _, err = topdown("export", run, "--to", "pdb", "-o", tmp_path / "none")
    assert (code, "is the run finished?" in err) == (2, True)


def test_notes_name_what_is_not_exact() -> None:
    """One molecule with a hinge of constraints, restricted bending, a restraint."""
    beads = tuple(Bead(name=f"B{k}", bead_type="C1") for k in range(5))
    chain = CGMolecule(
        name="CHN",
        beads=beads,
        constraints=tuple(Constraint(atoms=(k, k + 1), length=0.4) for k in range(4)),
        angles=(Angle(atoms=(0, 1, 2), angle=120.0, force_constant=10.0, function=10),),
        position_restraints=(PositionRestraint(atom=0, force_constants=(100.0, 100.0, 100.0)),),
    )
    plain = CGMolecule(name="BND", beads=beads[:2], bonds=(Bond(atoms=(0, 1), length=0.4, force_constant=1000.0),))
    table = load_bead_table("martini3").subset(["C1"])

    def notes(to: str, molecule: CGMolecule) -> str:
        positions = np.arange(3 * molecule.n_beads).reshape(-1, 3) * 0.2
        system = System(table=table, components=((molecule, 1),), positions=positions, box=[5.0] * 3)
        return " ".join(EXPORT_FORMATS[to].notes(system))

    assert "constraints of CHN become stiff bonds" in notes("lammps", chain)
    assert notes("lammps", plain) == ""
    assert "reference points" in notes("openmm", chain)
    assert "reference points" not in notes("openmm", plain)
    for to in ("gromacs", "openmm", "lammps"):
        assert "restricted bending" in notes(to, chain)
        assert "restricted bending" not in notes(to, plain)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("POPC", "--to", "gromax"), "no format 'gromax' to export to (did you mean gromacs?)"),
        (("POPC", "--to", "xyz"), "there are gromacs, openmm, lammps, pdb"),
        (("POPC",), "Missing option '--to'"),
        (
            ("POPX", "--to", "pdb"),
            "POPX: no such file or folder; bead table martini3: no molecule 'POPX' (did you mean",
        ),
        (("POPC", "--to", "pdb", "--table", "martini9"), "martini9"),
        (("no.top", "--to", "pdb"), "no such file or folder"),
        (("no/where", "--to", "pdb"), "no such file or folder"),
        (("POPC", "--to", "pdb", "--conf", "a.gro"), "go with a .top file"),
        (("POPC", "--to", "pdb", "--box", "5"), "--box '5' is not three lengths"),
        (("POPC", "--to", "gromacs", "--coupling", "iso"), "coupling must be isotropic or semiisotropic"),
        ((".", "--to", "pdb"), "no topology"),
    ],
)
def test_mistakes_are_one_line(
    topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = topdown("export", *arguments, "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_source_is_never_overwritten(topdown, octanol, tmp_path: Path) -> None:
    _, files = octanol
    folder = files["top"].parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, _, err = topdown("export", folder, "--to", "gromacs", "-o", folder)
    assert (code, "holds what is to be exported" in err) == (2, True)
    code, _, err = topdown("export", files["top"], "--to", "gromacs", "-o", tmp_path)
    assert (code, "--conf CONF.gro" in err) == (2, True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "file").write_text("")
    code, _, err = topdown("export", folder, "--to", "pdb", "-o", tmp_path / "file" / "out")
    assert (code, "cannot write there" in err) == (2, True)
