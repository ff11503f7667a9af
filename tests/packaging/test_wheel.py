"""The wheel works on its own: built, installed into a fresh environment, it maps a molecule from another directory."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None:
        pytest.skip("needs build and hatchling: pip install 'topdown[test]'")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert wheel.stat().st_size < 25e6
    assert max(sizes.values()) < 10e6
    for needed in (
        "topdown/bead_tables/martini2/pairs.csv",
        "topdown/bead_tables/martini3/pairs.csv.gz",
        "topdown/bead_tables/martini3/molecules/OCO.toml",
        "topdown/data/partition/partition.csv",
        "topdown/cli/main.py",
    ):
        assert needed in sizes
    share_alike = [name for name in sizes if "solvatum" in name.lower()]
    assert share_alike == []
    assert any(name.endswith("LICENSE") for name in sizes)


def test_installed_wheel_maps_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    """Dependencies come from the running environment; topdown itself only from the wheel."""
    home = tmp_path / "env"
    own_pip = importlib.util.find_spec("pip") is None
    venv.create(home, with_pip=own_pip, system_site_packages=False)
    python = home / "bin" / "python"
    # the pip at hand installs into the new environment; giving that one a pip of its own takes longer than all the rest
    pip = [str(python), "-m", "pip"] if own_pip else [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
    )
    site = next((home / "lib").glob("python*/site-packages"))
    here = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(here) + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # "-I" keeps the checkout off the path; the wheel's own copy must come first, before any editable install
    where = [str(python), "-I", "-c", "import topdown; print(topdown.__file__)"]
    found = subprocess.run(where, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(site)
    command = [str(python), "-I", "-m", "topdown.cli.main", "map", "CCCCCCCCO", "-o", "out", "--json"]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    molecule = json.loads(done.stdout)
    assert sum(len(bead["atoms"]) for bead in molecule["beads"]) == 9
    assert {path.suffix for path in (elsewhere / "out").iterdir()} >= {".itp", ".gro", ".svg", ".json"}
