"""topdown melting: what it prints, what it stores, and what it refuses."""

from __future__ import annotations

import json

import pytest


def test_water_between_two_temperatures(topdown, tmp_path):
    words = ("melting", "W", "--temperatures", "310,375", "--runs", 2, "--ns", 0.03, "--cells", 4)
    words = (*words, "--store", tmp_path, "--workers", 1)
    code, out, err = topdown(*words)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "W  crystal beside melt"
    assert "for 4 molecules" in lines[1]
    assert any("310.0 K  grows" in line for line in lines)
    assert any("375.0 K  melts" in line for line in lines)
    stored = sorted(path.name for path in tmp_path.rglob("*.npz"))
    code, out, _ = topdown(*words, "--json")
    found = json.loads(out)
    assert 310.0 < found["melting_temperature_K"] < 375.0
    assert 0.0 < found["standard_error"] < 30.0
    assert f"{found['melting_temperature_K']:.0f}"[:2] in lines[2]
    assert [run["temperature_K"] for run in found["runs"]] == [310.0, 310.0, 375.0, 375.0]
    assert stored
    assert sorted(path.name for path in tmp_path.rglob("*.npz")) == stored, "nothing was run again"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("W", "--temperatures", "300"), "give two or more"),
        (("W", "--temperatures", "cold"), "--temperatures must be numbers"),
        (("W", "--temperatures", "300,nan"), "out of range"),
        (("W", "--cells", 2), "--cells"),
        (("W", "--ns", -1), "--ns"),
        (("W", "--runs", 0), "out of range"),
        (("W", "--pressure", "inf"), "out of range"),
        (("W", "--table", "martini9"), "martini9"),
        (("octane",), "liquids of one bead, OCT has 2"),
        (("wate",), "wate"),
        (("ethanol:0.5,water:0.5",), "that of a pure liquid"),
    ],
)
def test_what_is_refused_says_why(topdown, tmp_path, words, message):
    code, out, err = topdown("melting", *words, "--store", tmp_path)
    assert code not in (0, 1)
    assert message in err
    assert out == ""


def test_one_liquid_that_fails_costs_itself(topdown, tmp_path):
    code, out, err = topdown("melting", "octane", "hexadecane", "--store", tmp_path, "--json")
    assert code not in (0, 3)
    assert err.count("error:") == 2
    assert all("error" in json.loads(line) for line in out.splitlines())
