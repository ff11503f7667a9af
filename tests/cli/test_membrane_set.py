"""A membrane with everything at once: several solutes, leaflets that differ, lipids from SMILES and from a file, all formats."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.errors import SimulationError
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.formats.gromacs_write import molecule_itp
from topdown.formats.ndx import read_ndx
from topdown.formats.pdb import read_pdb
from topdown.report.membrane_html import membrane_html
from topdown.tables import load_molecule
from topdown.workflows import engine_comparison
from topdown.workflows.engine_comparison import compare_engines, lammps_command
from topdown.workflows.membrane_request import request_from_json

CAFFEINE = "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"
DLPC_12 = "CCCCCCCCCCCC(=O)OCC(COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCC"


@pytest.fixture(scope="module")
def built(topdown, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, str]:
    """Not simulated: the whole set in a small box."""
    folder = tmp_path_factory.mktemp("set")
    lipid = folder / "their_lipid.itp"
    lipid.write_text(molecule_itp(load_molecule("martini3", "POPG"), name="XYZ"), encoding="utf-8")
    code, out, err = topdown(
        "membrane", CAFFEINE, "CCCCCCCCO", "--name", "CAF,octanol", "--count", "2,3", "--place", "depth=1.2nm,interface",
        "--upper", "POPC:3,MINE:1", "--lower", "POPC:2,THEIRS:1", "--lipid", f"MINE={DLPC_12}", "--lipid", f"THEIRS={lipid}",
        "--area", "MINE=0.58", "--size", "3.6x3.6x8", "--relax", "0", "--salt", "0.1", "-o", folder / "out", "--json",
    )  # fmt: skip
    assert code == 0, err
    return folder / "out", json.loads(out), err


def test_composition_is_what_was_asked_for(built: tuple[Path, dict, str]) -> None:
    _, report, _ = built
    counts = [(name, count) for name, count in report["molecules"]]
    names = [name for name, _ in counts]
    assert names == ["POPC", "MINE", "POPC", "THEIRS", "CAF", "octanol", "W", "NA", "CL"]
    by_part = dict(zip(names[3:], [count for _, count in counts[3:]]))
    assert (by_part["CAF"], by_part["octanol"]) == (2, 3)
    assert counts[0][1] == pytest.approx(3 * counts[1][1], abs=1)
    assert counts[2][1] == pytest.approx(2 * by_part["THEIRS"], abs=1)
    # Each of theirs has a charge of -1.
    assert by_part["NA"] - by_part["CL"] == by_part["THEIRS"]
    assert report["start_min_distance_nm"] >= 0.30
    assert report["request"]["own_lipids"][0] == ["MINE", DLPC_12]


def test_solutes_are_where_they_were_put(built: tuple[Path, dict, str]) -> None:
    folder, _, _ = built
    request = request_from_json(folder / "request.json")
    from topdown.workflows.membrane import build_membrane

    system = build_membrane(request)
    start = sum(m.n_beads * count for m, count in system.components[:4])
    caffeine, octanol = system.components[4][0], system.components[5][0]
    z = system.positions[start:, 2] - system.box[2] / 2
    n = caffeine.n_beads
    np.testing.assert_allclose(z[: 2 * n].reshape(2, n).mean(axis=1), [1.2, -1.2], atol=0.25)
    heights = z[2 * n : 2 * n + 3 * octanol.n_beads].reshape(3, -1).mean(axis=1)
    np.testing.assert_array_equal(np.sign(heights), [1, -1, 1])
    assert np.all((np.abs(heights) > 0.9) & (np.abs(heights) < 2.2))


def test_every_promised_file_is_there_and_its_hash_is_known(built: tuple[Path, dict, str]) -> None:
    folder, report, _ = built
    promised = [
        "system.top",
        "system.gro",
        "system.pdb",
        "index.ndx",
        "em.mdp",
        "eq.mdp",
        "md.mdp",
        "viewer.html",
        "report.json",
        "run_gromacs.sh",
    ]
    promised += ["openmm/system_openmm.xml", "openmm/run_openmm.py", "lammps/system.data", "lammps/in.run"]
    promised += ["mapping/CAF.itp", "mapping/octanol.json", "mapping/MINE.map", "provenance.json"]
    for name in promised:
        assert (folder / name).is_file(), name
    assert set(promised) <= set(report["files"])
    provenance = json.loads((folder / "provenance.json").read_text())
    assert set(provenance["sha256"]) == set(report["files"]) - {"provenance.json"}
    for name, digest in provenance["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    origin = {molecule["name"]: molecule for molecule in provenance["molecules"]}
    assert origin["POPC"]["licence"] == "Apache-2.0"
    assert origin["CAF"]["mapped from"] == CAFFEINE
    assert origin["THEIRS"]["read from"].endswith("their_lipid.itp")
    assert provenance["bead_table"]["name"] == "martini3"


def test_groups_share_out_the_system_and_bonds_are_in_the_pdb(built: tuple[Path, dict, str]) -> None:
    folder, report, _ = built
    groups = read_ndx(folder / "index.ndx")
    beads = {"CAF": 7, "octanol": 3}
    solute = sum(beads[name] * count for name, count in report["molecules"] if name in beads)
    assert len(groups["Solute"]) == solute
    assert len(groups["Membrane"]) + len(groups["Solvent"]) + solute == report["n_beads"]
    pdb = read_pdb(folder / "system.pdb")
    system = read_gromacs_topology(folder / "system.top", folder / "system.gro")
    expected = sum((len(m.bonds) + len(m.constraints)) * count for m, count in system.components)
    assert len(pdb.bonds) == expected


@pytest.mark.skipif(shutil.which("gmx_d") is None, reason="needs GROMACS in double precision")
def test_installed_programs_find_the_same_energy(built: tuple[Path, dict, str]) -> None:
    _, report, err = built
    assert err.splitlines()[-1] == "compare"
    asked = [engine["program"].split()[0] for engine in report["gates"]["engines"]]
    expected = ["GROMACS"] + ["OpenMM"] * (importlib.util.find_spec("openmm") is not None)
    expected += ["LAMMPS"] * (lammps_command() is not None)
    assert asked == expected
    for engine in report["gates"]["engines"]:
        assert engine["largest_relative_difference"] < 1e-6
        assert engine["theirs"]["angle"] > 0
        assert engine["theirs"]["lj"] < 0


def test_another_energy_or_a_refusal_is_an_error(built: tuple[Path, dict, str], tmp_path: Path, monkeypatch) -> None:
    folder = built[0]
    system = read_gromacs_topology(folder / "system.top", folder / "system.gro")
    gromacs = {"top": folder / "system.top", "gro": folder / "system.gro"}
    exact = engine_comparison._ours(system)
    shifted = {**exact, "lj": exact["lj"] * 1.001}
    monkeypatch.setattr(engine_comparison, "_ask_gromacs", lambda _: ("GROMACS 1 double precision", exact))
    monkeypatch.setattr(engine_comparison, "_ask_openmm", lambda _: ("OpenMM 1", shifted))
    found, notes = compare_engines(system, gromacs, {}, {})
    assert [c.program for c in found] == ["GROMACS 1 double precision"]
    assert notes == ()
    with pytest.raises(SimulationError, match=r"OpenMM 1 finds .* for lj, we find"):
        compare_engines(system, {}, {"system": folder}, {})
    monkeypatch.undo()
    if shutil.which("gmx_d") or shutil.which("gmx"):
        copy = shutil.copytree(folder, tmp_path / "copy")
        files = {path.stem: path for path in copy.iterdir() if path.is_file() and path.suffix in (".mdp", ".itp")}
        files |= {"top": copy / "system.top", "gro": copy / "system.gro", "ndx": copy / "index.ndx"}
        assert engine_comparison._ask_gromacs(files) is not None
        files["top"].write_text(files["top"].read_text() + "CL 1\n", encoding="utf-8")
        with pytest.raises(
            SimulationError, match=r"GROMACS does not take em\.mdp with system\.top: .*number of coordinates"
        ):
            engine_comparison._ask_gromacs(files)


@pytest.mark.skipif(shutil.which("gmx") is None, reason="needs GROMACS")
def test_the_run_script_prepares_and_runs(built: tuple[Path, dict, str], tmp_path: Path) -> None:
    folder = shutil.copytree(built[0], tmp_path / "run")
    for name in ("em", "eq", "md"):
        text = (folder / f"{name}.mdp").read_text()
        lines = ["nsteps = 20" if line.split("=")[0].strip() == "nsteps" else line for line in text.splitlines()]
        (folder / f"{name}.mdp").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        ["sh", str(folder / "run_gromacs.sh")], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "MDRUN": "-nt 1 -pin off", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert (folder / "md.gro").is_file()


def test_the_viewer_holds_every_bead_and_cannot_be_broken_out_of(built: tuple[Path, dict, str]) -> None:
    folder, report, _ = built
    page = (folder / "viewer.html").read_text(encoding="utf-8")
    scene = json.loads(page.split("const scene = ", 1)[1].split(";\n", 1)[0])
    assert sum(kind["count"] * len(kind["beads"]) for kind in scene["kinds"]) == report["n_beads"]
    assert all(len(kind["at"]) == 3 * kind["count"] * len(kind["beads"]) for kind in scene["kinds"])
    assert {kind["role"] for kind in scene["kinds"]} == {"lipid", "solute", "solvent"}
    assert "<td>lipid, upper leaflet</td>" in page
    assert "<td>lipid, lower leaflet</td>" in page
    assert "default-src 'none'" in page
    assert "http-equiv" in page
    assert 'src="http' not in page
    system = read_gromacs_topology(folder / "system.top", folder / "system.gro")
    first, count = system.components[0]
    evil = replace(system, title="<script>alert(1)</script>",
                   components=((replace(first, name="</script><b>x"), count), *system.components[1:]))  # fmt: skip
    page = membrane_html(evil, {"POPC"}, {"W"})
    assert "<script>alert" not in page
    assert "</script><b>" not in page
