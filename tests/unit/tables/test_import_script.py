"""The import script, where the folder of published values is at hand (``TOPDOWN_REFERENCE_SOURCE``)."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from topdown.tables import load_bead_table

ROOT = Path(__file__).resolve().parents[3]
SOURCE = os.environ.get("TOPDOWN_REFERENCE_SOURCE", "")
needs_source = pytest.mark.skipif(
    not SOURCE, reason="set TOPDOWN_REFERENCE_SOURCE to the folder of published values to test the import script"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "import_reference_data.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, env=environment)


@needs_source
def test_the_script_writes_exactly_what_is_committed(tmp_path):
    result = run("--source", SOURCE, "--target", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "martini3: 843 types, 355746 pairs" in result.stdout
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 80
    for path in written:
        committed = ROOT / path.relative_to(tmp_path)
        assert committed.read_bytes() == path.read_bytes(), path.relative_to(tmp_path)


@needs_source
def test_martini2_is_within_rounding_of_the_published_c6_and_c12():
    table = load_bead_table("martini2")
    with (Path(SOURCE) / "bead_tables" / "martini2_epsilon_sigma.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 780
    for row in rows:
        sigma, epsilon = table.pair(row["type_i"], row["type_j"])
        assert sigma == pytest.approx(float(row["sigma_nm"]), rel=1e-3)
        assert epsilon == pytest.approx(float(row["epsilon_kJ_mol"]), rel=1e-4)


def test_a_source_that_is_not_there(tmp_path):
    result = run("--source", str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert "no folder" in result.stderr
