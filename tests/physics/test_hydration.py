"""Hydration free energies of single Martini 3 beads against GROMACS (run with --validate; some minutes)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from gromacs_averages import gromacs_averages
from statistical_checks import check

from topdown.estimators.reweighting import pool_samples
from topdown.model import Bead, CGMolecule
from topdown.model.requests import CouplingRequest
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, measure_solvation, solvation_request
from topdown.properties.transfer import LAMBDAS
from topdown.tables import load_bead_table, load_molecule

pytestmark = pytest.mark.validate

GROMACS = gromacs_averages("hydration_free_energy")


@pytest.fixture
def sampler(tmp_path: Path) -> EngineSampler:
    folder = os.environ.get("TOPDOWN_VALIDATION_STORE")
    return EngineSampler(
        Path(folder) if folder else tmp_path, workers=int(os.environ.get("TOPDOWN_VALIDATION_WORKERS", "2"))
    )


def one_bead(bead: str) -> CGMolecule:
    return CGMolecule(name=bead, beads=(Bead(name=bead, bead_type=bead),))


@pytest.mark.parametrize("bead", sorted(GROMACS))
def test_hydration_free_energy_agrees_with_gromacs(sampler: EngineSampler, bead: str) -> None:
    """Windows of one length at fixed λ, as a calibration runs them."""
    table = load_bead_table("martini3")
    request = CouplingRequest(
        solute=one_bead(bead),
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
    windows = sampler.sample([request])
    result = pool_samples(windows, np.random.default_rng(1)).coupling_free_energy()
    assert result.standard_error < 0.35
    check(f"hydration of {bead}", (result.value, result.standard_error), *GROMACS[bead], limit=2.0)


@pytest.mark.parametrize("bead", sorted(GROMACS))
def test_hydration_to_a_wanted_error_agrees_with_gromacs(sampler: EngineSampler, bead: str) -> None:
    """States and lengths chosen on the way, the decoupled end from insertions, as ``topdown transfer`` does it."""
    table, water = load_bead_table("martini3"), find_phase("water", "martini3")
    request = solvation_request(one_bead(bead), water, table, temperature=300.0, seed=1)
    result = measure_solvation(request, "water", sampler, Effort(target_error=0.2)).delta_g
    assert result.standard_error <= 0.2
    check(f"hydration of {bead} to 0.2", (result.value, result.standard_error), *GROMACS[bead], limit=2.0)
