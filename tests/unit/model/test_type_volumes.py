"""Types in several volumes against the formula, written out pair by pair."""

import numpy as np
import pytest

from topdown.errors import BeadTableError
from topdown.model import BeadTable, BeadType
from topdown.model.type_volumes import TypeVolumes, types_in_volumes, with_volumes

RULE = TypeVolumes(
    classes=("C01", "P01"),
    steps={"b": 0.06, "c": -0.06, "c4": -0.24},
    sigma={"R": 0.7, "S": 0.8},
    epsilon={"R": 1.2, "S": 2.0},
    like_limit=4.2,
)


def usual() -> BeadTable:
    """Two classes in one or two sizes, and a solvent bead between them."""
    types = (("C01", "C01", "R"), ("W", "W", "R"), ("SC01", "C01", "S"), ("P01", "P01", "R"))
    epsilon = np.array([[3.5, 1.5, 2.9, 2.0], [1.5, 4.7, 1.1, 4.0], [2.9, 1.1, 2.4, 1.9], [2.0, 4.0, 1.9, 4.9]])
    sigma = np.array(
        [[0.47, 0.47, 0.43, 0.47], [0.47] * 2 + [0.43, 0.47], [0.43] * 2 + [0.41, 0.43], [0.47] * 2 + [0.43, 0.47]]
    )
    beads = tuple(BeadType(name=n, chemical_class=c, size=s, mass=72.0) for n, c, s in types)  # type: ignore[arg-type]
    return BeadTable(name="t", bead_types=beads, epsilon=epsilon, sigma=sigma)


def test_every_pair_follows_the_rule() -> None:
    table, whole = usual(), with_volumes(usual(), RULE)
    assert [t.name for t in whole.bead_types] == [
        *("C01c4", "C01c", "C01", "C01b", "W", "SC01c4", "SC01c", "SC01", "SC01b", "P01c4", "P01c", "P01", "P01b")
    ]
    steps = {"": 0.0, **RULE.steps}
    parts = {t.name + s: (t, x) for t in table.bead_types for s, x in steps.items() if s == "" or t.name != "W"}
    assert set(parts) == {t.name for t in whole.bead_types}
    for a, (one, x) in parts.items():
        for b, (other, y) in parts.items():
            sigma, epsilon = table.pair(one.name, other.name)
            if "W" not in (one.name, other.name):
                sigma *= np.exp(0.5 * (RULE.sigma[one.size] * x + RULE.sigma[other.size] * y))
                epsilon *= np.exp(0.5 * (RULE.epsilon[one.size] * x + RULE.epsilon[other.size] * y))
            if one.name == other.name != "W":
                epsilon = min(epsilon, RULE.like_limit)
            assert whole.pair(a, b) == pytest.approx((sigma, epsilon), abs=6e-5), (a, b)
    assert whole.pair("P01", "P01")[1] == 4.2
    assert whole.pair("W", "W")[1] == 4.7, "of no class"
    assert whole.pair("P01c4", "P01c4")[1] == pytest.approx(4.9 * np.exp(-0.24 * 1.2), abs=1e-4), "before the limit"
    assert types_in_volumes(table.bead_types, RULE) == whole.bead_types


def test_a_class_without_types_is_told() -> None:
    with pytest.raises(BeadTableError, match="no bead type has the class 'N07'"):
        types_in_volumes(
            usual().bead_types[1:2], TypeVolumes(classes=("N07",), steps={}, sigma={}, epsilon={}, like_limit=1.0)
        )
