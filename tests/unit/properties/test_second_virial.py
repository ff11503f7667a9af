"""Second virial coefficients against closed forms, and the check of stickiness that rests on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_calibration import MIXED, SMALL, problem

from topdown.calibration.stickiness import VirialComparison, compare_second_virials
from topdown.errors import SettingsError
from topdown.model import Bead, BeadTable, BeadType, Bond, CGMolecule, Estimate, NonbondedScheme
from topdown.properties.second_virial import second_virial
from topdown.units import kt


def table(epsilon: float, cutoff: float = 1.1, modifier: str = "none") -> BeadTable:
    kind = BeadType(name="A", chemical_class="A", size="R", mass=72.0)
    scheme = NonbondedScheme(cutoff=cutoff, lj_modifier=modifier)  # type: ignore[arg-type]
    return BeadTable(
        name="t", bead_types=(kind,), epsilon=np.array([[epsilon]]), sigma=np.array([[0.47]]), scheme=scheme
    )


ONE = CGMolecule(name="one", beads=(Bead(name="A", bead_type="A"),), positions=np.zeros((1, 3)))


@pytest.mark.parametrize("reduced", [0.8, 1.0, 2.0])
def test_lennard_jones_without_a_cut_off(reduced: float) -> None:
    """B₂/(2πσ³/3) = -Σ_n 2ⁿ⁺¹ᐟ² /(4 n!) Γ(n/2 - 1/4) T*^-(2n+1)/4 (Hirschfelder, Curtiss and Bird, 1954, section 3.6)."""
    from scipy.special import gamma

    n = np.arange(60)
    factorial = np.concatenate([[1.0], np.cumprod(n[1:].astype(float))])
    series = -(2.0 ** (n + 0.5) / (4 * factorial)) * gamma(n / 2 - 0.25) * reduced ** (-(2 * n + 1) / 4)
    exact = 2 * np.pi * 0.47**3 / 3 * series.sum()
    epsilon = kt(300.0) / reduced
    found = second_virial(ONE, table(epsilon, cutoff=6.0), 300.0)
    assert found.standard_error == 0.0
    assert found.value == pytest.approx(exact, rel=2e-3)


def test_hard_repulsion_is_positive_and_attraction_negative() -> None:
    weak, strong = (second_virial(ONE, table(e, modifier="potential-shift"), 298.15).value for e in (0.01, 5.0))
    assert weak > 0 > strong


def test_molecules_of_several_beads_are_averaged_over_orientations() -> None:
    """Two beads in one place with half of ε each side are one bead: orientations must not matter; far apart they do."""
    pair = CGMolecule(
        name="pair",
        beads=(Bead(name="A1", bead_type="A"), Bead(name="A2", bead_type="A")),
        bonds=(Bond(atoms=(0, 1), length=0.3, force_constant=1000.0),),
        positions=np.zeros((2, 3)),
    )
    merged = second_virial(pair, table(0.5), 300.0)
    single = second_virial(ONE, table(2.0), 300.0)
    assert merged.value == pytest.approx(single.value, abs=1e-6 + 4 * merged.standard_error)
    apart = second_virial(replace(pair, positions=np.array([[0.0, 0, 0], [0.5, 0, 0]])), table(2.0), 300.0)
    other = second_virial(replace(pair, positions=np.array([[0.0, 0, 0], [0.5, 0, 0]])), table(2.0), 300.0, seed=2)
    assert apart.standard_error > 0
    assert apart.value != other.value
    assert abs(apart.value - other.value) < 5 * np.hypot(apart.standard_error, other.standard_error)


def test_conditions_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="temperature"):
        second_virial(ONE, table(1.0), 0.0)
    with pytest.raises(SettingsError, match="force-shifted"):
        second_virial(ONE, table(1.0, modifier="force-shift"), 300.0)


def test_a_stickier_table_is_noticed() -> None:
    task = problem({})
    stickier = task.table.with_epsilon({("A", "A"): 4.5})
    rows = {r.name: r for r in compare_second_virials(task.targets, task.table, stickier, 300.0)}
    assert set(rows) == {SMALL.name, MIXED.name, "other"}
    assert rows["small"].is_stickier
    assert rows["small"].after.value < rows["small"].before.value
    assert not rows["other"].is_stickier, "its beads did not change"

    def at(value: float, error: float) -> Estimate:
        return Estimate(value=value, standard_error=error, n_effective=8, provenance="")

    assert not VirialComparison(name="x", before=at(-1.0, 0.3), after=at(-1.3, 0.3)).is_stickier
    assert VirialComparison(name="x", before=at(-1.0, 0.01), after=at(-1.3, 0.01)).is_stickier
