"""Hydration free energies of single Martini 3 beads against GROMACS (run with --validate; some minutes)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from topdown.estimators.reweighting import pool_samples
from topdown.model import Bead, CGMolecule
from topdown.model.requests import CouplingRequest
from topdown.properties.sampler import EngineSampler
from topdown.properties.transfer import LAMBDAS
from topdown.tables import load_bead_table, load_molecule


@pytest.mark.validate
@pytest.mark.parametrize(
    ("bead", "expected", "error"),
    [
        # GROMACS 2022, one bead in 400 W, 300 K, 1 bar, sd, 11 windows of 3 ns, gmx bar
        ("C1", 8.76, 0.09),
        ("P4", -15.64, 0.06),
    ],
)
def test_hydration_free_energy_agrees_with_gromacs(tmp_path: Path, bead: str, expected: float, error: float) -> None:
    table = load_bead_table("martini3")
    request = CouplingRequest(
        solute=CGMolecule(name=bead, beads=(Bead(name=bead, bead_type=bead),)),
        solvent=load_molecule("martini3", "W"),
        n_solvent=400,
        table=table.subset({bead, "W"}),
        temperature=300.0,
        pressure=1.0,
        lambdas=LAMBDAS,
        n_equilibration=5000,
        n_steps=150_000,
        every=25,
        seed=1,
    )
    windows = EngineSampler(tmp_path).sample([request])
    result = pool_samples(windows, np.random.default_rng(1)).coupling_free_energy()
    assert result.standard_error < 0.35
    assert abs(result.value - expected) < 2.0 * math.hypot(result.standard_error, error)
