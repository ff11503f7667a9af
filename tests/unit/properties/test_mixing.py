"""Limiting activity coefficients and solubilities: a liquid in itself, measured hexane, grouped molecules, errors."""

from __future__ import annotations

import math

import pytest

from topdown.errors import SettingsError
from topdown.model import Estimate
from topdown.properties.measurements import find_measurement
from topdown.properties.mixing import Mixing, mixing
from topdown.units import NM3_TO_CM3_MOL, kt


def exactly(value: float, error: float = 0.0) -> Estimate:
    return Estimate(value=value, standard_error=error, n_effective=100.0)


def test_a_liquid_in_itself_is_ideal() -> None:
    """γ∞ = 1, and the "saturated" solution is the liquid: 1 mol in its molar volume. No solubility is claimed."""
    found = mixing(exactly(-17.0), exactly(-17.0), exactly(0.25), exactly(0.25), 298.15)
    assert found.ln_gamma.value == 0.0
    assert found.delta_g.value == 0.0
    assert 10.0**found.log10_c.value == pytest.approx(1000.0 / (0.25 * NM3_TO_CM3_MOL))
    assert not found.is_dilute


def test_measured_hexane_and_water() -> None:
    """Vapour pressure 20.2 kPa (handbook), densities and Henry constant of hexane at 298.15 K give its measured solubility in
    water within the errors of both; its γ∞ is some 10⁵."""
    temperature, rt = 298.15, kt(298.15)
    v_hexane, v_water = 86.18 / 654.85 / 1000.0, 18.015 / 997.05 / 1000.0
    itself = rt * math.log(20.2e3 * v_hexane / (rt * 1000.0))
    hydration = find_measurement("hydration_free_energy", "CCCCCC", "gas/water")
    measured = find_measurement("solubility", "CCCCCC", "O", temperature)
    assert hydration is not None
    assert measured is not None
    in_nm3 = 1e6 / NM3_TO_CM3_MOL
    found = mixing(
        exactly(itself),
        exactly(hydration.value, hydration.uncertainty),
        exactly(v_hexane * in_nm3),
        exactly(v_water * in_nm3),
        temperature,
    )
    assert 5.0 < found.ln_gamma.value / math.log(10.0) < 6.0
    assert found.is_dilute
    error = math.hypot(found.log10_c.standard_error, measured.uncertainty)
    assert 0.15 < error < 0.25
    assert abs(found.log10_c.value - measured.value) < 2.0 * error
    # x = 1/γ∞ of 55.3 mol/l
    assert found.log10_c.value == pytest.approx(math.log10(math.exp(-found.ln_gamma.value) / v_water / 1000.0))


def test_volumes_and_fractions_count_real_molecules() -> None:
    """Four waters in a bead: with V of the bead in place of V of a water γ∞ would be four times too small."""
    as_water = mixing(exactly(-10.0), exactly(15.0), exactly(0.2), exactly(0.12 / 4), 300.0)
    as_bead = mixing(exactly(-10.0), exactly(15.0), exactly(0.2), exactly(0.12), 300.0)
    assert as_water.ln_gamma.value - as_bead.ln_gamma.value == pytest.approx(math.log(4.0))
    assert as_water.log10_c.value == as_bead.log10_c.value, (
        "mol of solute per litre do not depend on how water is counted"
    )


def test_errors_are_those_of_small_changes() -> None:
    values, errors = (-10.0, 5.0, 0.2, 0.03), (0.03, 0.04, 0.004, 0.001)

    def at(changed: int | None = None) -> Mixing:
        shifted = [v + (e if k == changed else 0.0) for k, (v, e) in enumerate(zip(values, errors))]
        return mixing(*(exactly(v, e) for v, e in zip(shifted, errors)), 310.0)

    middle = at()
    for name in ("delta_g", "ln_gamma", "log10_c"):
        moves = [getattr(at(k), name).value - getattr(middle, name).value for k in range(4)]
        assert getattr(middle, name).standard_error == pytest.approx(math.sqrt(sum(m**2 for m in moves)), rel=0.02)


@pytest.mark.parametrize(("gamma", "dilute"), [(9.9, False), (10.1, True)])
def test_solubility_is_for_dilute_solutions_only(gamma: float, dilute: bool) -> None:
    found = mixing(exactly(0.0), exactly(kt(300.0) * math.log(gamma)), exactly(0.1), exactly(0.1), 300.0)
    assert math.exp(found.ln_gamma.value) == pytest.approx(gamma)
    assert found.is_dilute == dilute


@pytest.mark.parametrize(("volume", "temperature"), [(0.0, 300.0), (-0.1, 300.0), (0.1, 0.0)])
def test_no_volume_and_no_temperature_are_refused(volume: float, temperature: float) -> None:
    with pytest.raises(SettingsError, match="positive"):
        mixing(exactly(0.0), exactly(0.0), exactly(volume), exactly(0.1), temperature)
