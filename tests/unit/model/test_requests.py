"""What cannot be sampled is refused when it is asked for, alike for every kind of run."""

from __future__ import annotations

from typing import Any

import pytest
from small_world import single, small_table

from topdown.errors import SettingsError
from topdown.model.requests import CouplingRequest, GasRequest, LiquidRequest, SlabRequest

COMMON: dict[str, Any] = {
    "table": small_table(), "temperature": 300.0, "n_equilibration": 0, "n_steps": 10, "every": 5, "seed": 1,
}  # fmt: skip
LIQUID = {**COMMON, "molecule": single("A"), "n_molecules": 64, "pressure": 1.0}
KINDS: dict[type, dict[str, Any]] = {
    LiquidRequest: LIQUID,
    SlabRequest: {**LIQUID, "width": 2.0, "height": 6.0},
    GasRequest: {**COMMON, "molecule": single("A")},
    CouplingRequest: {
        **COMMON, "solute": single("B"), "solvent": single("A"), "n_solvent": 64, "pressure": 1.0, "lambdas": (0.0, 1.0),
    },
}  # fmt: skip
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 0.0}, "temperature must be positive"),
    ({"temperature": float("nan")}, "temperature must be positive"),
    ({"temperature": float("inf")}, "temperature must be positive"),
    ({"pressure": float("nan")}, "finite number"),
    ({"n_equilibration": -1}, "n_equilibration must not be negative"),
    ({"every": 0}, "would store nothing"),
    ({"every": 11}, "would store nothing"),
    ({"part": -1}, "part of a run must not be negative"),
    ({"n_molecules": 0}, "at least 1, got 0 A"),
    ({"n_solvent": 0}, "at least 1, got 0 A"),
    ({"cosolvents": ((single("B"), 0),)}, "at least 1, got 0 B"),
]


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.__name__)
def test_what_cannot_be_sampled_is_refused(kind: type) -> None:
    good = kind(**KINDS[kind])
    tried = 0
    for fault, words in FAULTS:
        if not set(fault) <= set(kind.__dataclass_fields__):
            continue
        tried += 1
        with pytest.raises(SettingsError, match=words) as refused:
            kind(**{**KINDS[kind], **fault})
        assert good.components[-1][0].name in str(refused.value) or "cosolvents" in fault, "it says of what"
    assert tried >= 6


def test_a_slab_is_taller_than_wide() -> None:
    with pytest.raises(SettingsError, match="taller than wide"):
        SlabRequest(**{**KINDS[SlabRequest], "height": 2.0})
