"""A bilayer with cholesterol from names of lipids to files: built, relaxed for a moment, written with its virtual sites."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from topdown.building.bonded_energy import bonded_terms
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.tables import load_molecule
from topdown.workflows.membrane import MembraneResult, prepare_membrane
from topdown.workflows.membrane_request import MembraneRequest, parse_lipids

REQUEST = MembraneRequest(lipids=parse_lipids("POPC:7,CHOL:3"), size=(4.0, 4.0, 7.0), relax_ns=0.006, seed=2)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> MembraneResult:
    """Six picoseconds at 20 fs."""
    return prepare_membrane(REQUEST, tmp_path_factory.mktemp("sterols") / "popc_chol", compare=False)


def test_bilayer_with_cholesterol_is_intact_and_its_frames_are_rigid(result: MembraneResult) -> None:
    counts = [(molecule.name, count) for molecule, count in result.system.components][:4]
    assert counts == [("POPC", 24), ("CHOL", 10), ("POPC", 24), ("CHOL", 10)]  # 0.47 nm² each: condensed
    report = json.loads(result.files["report"].read_text())
    assert report["intact"], report["problems"]
    assert report["measured"]["area_per_lipid"] is None
    assert 0.4 < report["area_per_lipid_nm2"] < 0.65
    x = np.asarray(result.system.positions)
    np.testing.assert_allclose(bonded_terms(result.system.components).place(x), x, atol=1e-9)
    for molecule, start in result.system.molecules():
        for c in molecule.constraints:
            have = np.linalg.norm(x[start + c.atoms[0]] - x[start + c.atoms[1]])
            assert have == pytest.approx(c.length, rel=1e-5)


def test_written_files_hold_the_virtual_sites(result: MembraneResult) -> None:
    back = read_gromacs_topology(result.files["top"], result.files["gro"])
    sterol = next(molecule for molecule, _ in back.components if molecule.name == "CHOL")
    assert sterol.virtual_sites == load_molecule("martini3", "CHOL").virtual_sites
    assert back.n_beads == result.system.n_beads


@pytest.mark.skipif(shutil.which("gmx") is None, reason="needs GROMACS")
def test_grompp_takes_virtual_sites_without_a_warning(result: MembraneResult, tmp_path: Path) -> None:
    done = subprocess.run(
        ["gmx", "-nobackup", "grompp", "-f", "md.mdp", "-c", "system.gro", "-p", "system.top", "-n", "index.ndx",
         "-o", str(tmp_path / "a.tpr"), "-po", str(tmp_path / "out.mdp")],
        cwd=result.files["top"].parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert not re.findall(r"^\s*(?:WARNING|NOTE|ERROR).*", said, re.MULTILINE), said
