"""Kept runs of liquids: exact, found for tables that differ in their last digits only, named where damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from two_classes import SPACE, liquids

from topdown.calibration.class_liquids import alarm_value
from topdown.errors import InputFileError
from topdown.workflows.liquid_runs import EPSILON_TOLERANCE, LiquidRuns, RunKey


def run_key(**changes: object) -> RunKey:
    key = RunKey(
        quantity="density",
        smiles="CC",
        types=("C01", "C01"),
        steps=1000,
        seed=1,
        epsilon=(3.0, 2.5, 3.5),
        sigma=(0.45, 0.43, 0.41),
    )
    return replace(key, **changes)  # type: ignore[arg-type]


def test_runs_are_kept_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rounds.json"
    runs = LiquidRuns(path)
    value = replace(liquids(np.zeros(2 * SPACE.n_half))[0], smiles="CC", value=1.0 / 3.0)
    frozen = alarm_value("X", "density", "froze", [("P01", "P01")], [1.0])
    keys = [run_key(), run_key(smiles="X"), run_key(seed=2)]
    for key, found in zip(keys, (value, frozen, None)):
        runs.add(key, found)
    runs.save()
    again = LiquidRuns(path)
    assert again[keys[0]] == value, "to the last digit"
    assert again[keys[1]].alarm == "froze"  # type: ignore[union-attr]
    assert again[keys[2]] is None
    assert run_key(seed=3) not in again
    with pytest.raises(KeyError):
        again[run_key(seed=3)]
    path.write_text('[{"smiles": 1}]')
    with pytest.raises(InputFileError, match="damaged results of liquids"):
        LiquidRuns(path)


def test_a_run_stands_for_a_table_that_differs_in_its_last_digits(tmp_path: Path) -> None:
    """The nearest within the tolerance; every other difference asks for a run of its own."""
    runs = LiquidRuns(tmp_path / "rounds.json")
    first, second = (replace(liquids(np.zeros(2 * SPACE.n_half))[0], value=v) for v in (1.0, 2.0))
    runs.add(run_key(), first)
    runs.add(run_key(epsilon=(3.0, 2.5 + 1.5 * EPSILON_TOLERANCE, 3.5)), second)
    assert runs[run_key(epsilon=(3.0, 2.5 + 0.4 * EPSILON_TOLERANCE, 3.5))] == first
    assert runs[run_key(epsilon=(3.0, 2.5 + 1.1 * EPSILON_TOLERANCE, 3.5))] == second
    others = [
        {"epsilon": (3.0, 2.5, 3.5 + 1.1 * EPSILON_TOLERANCE)},
        {"sigma": (0.45, 0.4301, 0.41)},
        {"types": ("C01", "SC01")},
        {"quantity": "surface_tension"},
        {"steps": 2000},
        {"smiles": "CCC"},
    ]
    assert not any(run_key(**other) in runs for other in others)
