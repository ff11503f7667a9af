"""The benchmark that checks many models: it goes on where it stopped, and says what is not stable."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "mapping_check.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mapping_check_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_log_is_continued_and_summed_up(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def checked(smiles: str, table: str) -> dict[str, object]:
        asked.append(smiles)
        if len(asked) == 3:
            return {"smiles": smiles, "error": "no such thing", "cpu_s": 0.1}
        return {
            "smiles": smiles,
            "stable": len(asked) != 2,
            "reason": "" if len(asked) != 2 else "a bond broke",
            "energy_drift_kT_ns_dof": -0.02 * len(asked),
            "constraint_error": 1e-7,
            "cpu_s": 2.0,
        }

    monkeypatch.setattr(script, "checked", checked)
    log = tmp_path / "log.jsonl"
    for count in (2, 4):
        monkeypatch.setattr(sys, "argv", ["mapping_check.py", str(log), "--count", str(count)])
        script.main()
    assert len(set(asked)) == len(asked) == 4
    assert [json.loads(line)["smiles"] for line in log.read_text().splitlines()] == asked
    said = capsys.readouterr().out
    assert "2 of 3 stable, 1 refused or failed" in said
    assert f"not stable: {asked[1]}: a bond broke" in said
    assert "largest drift 0.080" in said
