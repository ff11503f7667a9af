"""``topdown doctor`` as a user runs it, well and ill."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from topdown.engine import reference
from topdown.workflows import doctor


def by_name(output: str) -> dict[str, dict]:
    return {finding["name"]: finding for finding in json.loads(output)["findings"]}


def test_all_is_well_here(topdown):
    code, out, err = topdown("doctor")
    assert code == 0
    assert "5 s" in err
    assert out.splitlines()[-1] == "all well"
    assert "FAILED" not in out
    tests = out[out.index("\ntests\n") :]
    for words in ("from either end", "as in NumPy", "steps/s", "log P of CCCCO"):
        assert words in tests


def test_json_is_one_object(topdown):
    code, out, err = topdown("doctor", "--json", "--no-tests")
    assert (code, err) == (0, "")
    found = by_name(out)
    assert json.loads(out)["ok"] is True
    assert found["topdown1"]["group"] == "tables"
    assert found["numpy"]["state"] == "ok"
    assert not any(finding["group"] == "tests" for finding in found.values())


def test_wrong_forces_are_found(topdown, monkeypatch):
    honest = reference.pair_terms

    def too_strong(*arguments):
        terms = honest(*arguments)
        return replace(terms, forces=terms.forces * 1.001)

    monkeypatch.setattr(reference, "pair_terms", too_strong)
    monkeypatch.setattr(doctor, "_TESTS", {"forces": doctor._forces})
    code, out, _ = topdown("doctor", "--json")
    assert code == 1
    assert json.loads(out)["ok"] is False
    assert by_name(out)["forces"]["state"] == "failed"
    assert "NumPy" in by_name(out)["forces"]["value"]


def test_any_error_of_a_test_is_a_finding(topdown, monkeypatch):
    def broken() -> str:
        raise ZeroDivisionError("no reason")

    monkeypatch.setattr(doctor, "_TESTS", {"mapping": broken})
    code, out, _ = topdown("doctor")
    assert code == 1
    assert "FAILED  mapping          ZeroDivisionError: no reason" in out
    assert out.splitlines()[-1] == "failed: mapping"


@pytest.mark.parametrize(("release", "words"), [("0.1", "or newer"), ("", "pip install")])
def test_old_and_missing_packages_are_named(topdown, monkeypatch, release, words):
    monkeypatch.setattr(doctor, "installed_version", lambda name: release)
    monkeypatch.setattr(doctor, "requires", lambda name: ["numpy>=1.26", 'matplotlib>=3.8; extra == "plot"'])
    code, out, _ = topdown("doctor", "--json", "--no-tests")
    assert code == 1
    numpy = by_name(out)["numpy"]
    assert numpy["state"] == "failed"
    assert words in numpy["hint"]
    assert by_name(out)["matplotlib"]["state"] in ("ok", "absent")


def test_a_cache_that_cannot_be_written_is_found(topdown, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TOPDOWN_CACHE", str(tmp_path / "file" / "cache"))
    code, out, _ = topdown("doctor", "--json", "--no-tests")
    assert code == 1
    assert by_name(out)["cache"]["state"] == "failed"
    assert "TOPDOWN_CACHE" in by_name(out)["cache"]["hint"]
