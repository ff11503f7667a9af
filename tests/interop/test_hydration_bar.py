"""Hydration free energies of single beads by GROMACS on input that we export, against published-style reference values."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
from gromacs_averages import gromacs_averages

from topdown.formats.mdp import CouplingSettings

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gromacs_bar.py"

#: (value, error) [kJ/mol] at 300 K and 1 bar from 400 W, same soft core, its own input files.
EXPECTED = gromacs_averages("hydration_free_energy")


@pytest.fixture(scope="module")
def bar():
    """The benchmark script as a module."""
    spec = importlib.util.spec_from_file_location("gromacs_bar", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.validate
@pytest.mark.skipif(shutil.which("gmx") is None, reason="gmx is not installed")
@pytest.mark.parametrize("bead", sorted(EXPECTED))
def test_one_bead_in_water(bar, bead, tmp_path):
    settings = CouplingSettings(molecule="SLT", length=1.0, seed=1)
    result = bar.solvation_free_energy(bar.bead_in_water(bead), tmp_path, settings=settings)
    # 11 ns in all leave 1.2 / sqrt(11) = 0.36 kJ/mol; gmx bar itself reports about half of it
    assert result.value == pytest.approx(EXPECTED[bead][0], abs=3 * 0.36)
    assert 0 < result.standard_error < 0.4


@pytest.mark.skipif(shutil.which("gmx") is None, reason="gmx is not installed")
def test_short_windows_run_and_have_the_right_sign(bar, tmp_path):
    settings = CouplingSettings(molecule="SLT", lambdas=(0.0, 0.25, 0.5, 1.0), length=0.02, seed=1)
    system = bar.bead_in_water("P4", n_water=200)
    result = bar.solvation_free_energy(system, tmp_path, settings=settings, discard=0.004)
    assert -40 < result.value < 0


def test_charged_or_several_solutes_are_refused(bar, tmp_path):
    system = bar.bead_in_water("Q5", n_water=10)
    charged = type(system.components[0][0].beads[0])(name="S", bead_type="Q5", charge=-1.0)
    from dataclasses import replace

    solute = replace(system.components[0][0], beads=(charged,))
    with pytest.raises(ValueError, match="uncharged"):
        bar.solvation_free_energy(
            replace(system, components=((solute, 1), system.components[1])), tmp_path, settings=None
        )
    with pytest.raises(ValueError, match="one uncharged"):
        bar.solvation_free_energy(replace(system, components=system.components[::-1]), tmp_path)
    assert not list(tmp_path.iterdir())
