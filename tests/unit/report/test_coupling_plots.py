"""Figures of a coupling free energy are drawn, from real diagnostics, and say what is missing where matplotlib is."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid

from topdown.errors import SettingsError
from topdown.estimators.coupling import CouplingDiagnostics, coupling_diagnostics
from topdown.estimators.reweighting import pool_samples
from topdown.report.coupling_plots import coupling_figure

EPSILON = {("W", "W"): 4.0, ("A", "W"): 6.0}


@pytest.fixture(scope="module")
def found() -> CouplingDiagnostics:
    rng = np.random.default_rng(1)
    liquid = HarmonicLiquid(solvent_type="W", solute_types=("A",))
    runs = liquid.sample(EPSILON, rng, lambdas=(0.0, 0.3, 1.0), n_frames=200)
    pooled = pool_samples(runs, rng, n_replicates=0, discard_transient=False)
    return coupling_diagnostics(runs, pooled, fractions=(0.5, 1.0))


def test_figure_is_a_picture_with_a_row_for_each_leg(found: CouplingDiagnostics) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    one = coupling_figure([("water", found)])
    two = coupling_figure([("water", found), ("$oil_1$", found)], title="a $ strange_name^")
    for png in (one, two):
        assert png.startswith(b"\x89PNG")
    height = [int.from_bytes(png[20:24], "big") for png in (one, two)]
    assert height[1] == pytest.approx(2 * height[0], abs=4)
    assert coupling_figure([("water", found)]) == one
    with pytest.raises(SettingsError, match="nothing to plot"):
        coupling_figure([])


def test_missing_matplotlib_is_an_error_that_says_what_to_install(
    found: CouplingDiagnostics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SettingsError, match="matplotlib") as caught:
        coupling_figure([("water", found)])
    assert "topdown[plot]" in str(caught.value)
