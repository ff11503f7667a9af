"""Energies and virials of NIST's Lennard-Jones sample configurations (doi:10.18434/T4M88Q)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from engine_precision import evaluated, prepared
from engine_systems import REFERENCE_DATA, bead_table, gate, molecule

from topdown.engine import EnergyTerms, potential_energy
from topdown.engine.reference import minimum_image
from topdown.model import System

FOLDER = REFERENCE_DATA / "nist_lj"
EXPECTED = json.loads((FOLDER / "lj_reference_recomputed.json").read_text())


def _system(number: int, cutoff: float, lj_modifier: str) -> System:
    lines = (FOLDER / f"lj_sample_config_periodic{number}.txt").read_text().split("\n")
    box = np.array([float(word) for word in lines[0].split()])
    positions = np.array([[float(word) for word in line.split()[1:]] for line in lines[2:] if line.strip()])
    assert len(positions) == int(lines[1])
    return System(
        table=bead_table([[1.0]], [[1.0]], cutoff=cutoff, lj_modifier=lj_modifier),
        components=((molecule("LJ", "A", masses=[1.0]), len(positions)),),
        positions=positions,
        box=box,
    )


def _virial(terms: EnergyTerms) -> float:
    """NIST's W = Σ r·f from Ξ = -1/2 Σ r ⊗ f."""
    return -2.0 * float(np.trace(terms.virial))


def _published(value: float, printed: float) -> bool:
    """Whether ``value`` rounds to the five digits printed."""
    return abs(value - printed) <= 0.5000001 * 10 ** (np.floor(np.log10(abs(printed))) - 4)


@pytest.mark.parametrize("cutoff", [3, 4])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_truncated_potential(number, cutoff):
    expected = EXPECTED[f"config{number} LRC rc={cutoff}"]
    terms = potential_energy(_system(number, cutoff, "none"))
    gate("NIST energy, relative", abs(terms.potential / expected["U_pair"] - 1.0), 1e-9)
    gate("NIST virial, relative", abs(_virial(terms) / expected["W_pair"] - 1.0), 1e-9)
    energy, virial, _ = expected["published"]
    assert _published(terms.potential, energy)
    assert _published(_virial(terms), virial)


@pytest.mark.parametrize("cutoff", [3, 4])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_truncated_potential_in_mixed_precision(number, cutoff):
    """What runs use; a cubic box, so that the trace of the virial is all NIST gives.

    Coefficients are rounded to single precision in units of the box, one way for all pairs, so the error of the virial is
    measured against the repulsion and the attraction, of which it is the small difference: U = R - D, W = 12 R - 6 D.
    """
    expected = EXPECTED[f"config{number} LRC rc={cutoff}"]
    parameters, x, box, near = prepared(_system(number, cutoff, "none"))
    _, energies, virial = evaluated(parameters, x, box, near, double=False)
    energy, work = expected["U_pair"], expected["W_pair"]
    repulsion = work / 6.0 - energy
    parts = 12.0 * repulsion + 6.0 * (repulsion - energy)
    gate("NIST energy in mixed precision, relative", abs(energies.sum() / expected["U_pair"] - 1.0), 1e-6)
    gate("NIST virial in mixed precision, of its parts", abs(-2.0 * np.trace(virial) - work) / abs(parts), 1e-7)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_force_shifted_potential(number):
    """NIST's "LFS": U(r) - U(r_c) - (r - r_c) U'(r_c)."""
    expected = EXPECTED[f"config{number} LFS rc=3"]
    terms = potential_energy(_system(number, 3.0, "force-shift"))
    gate("NIST force-shifted energy, relative", abs(terms.potential / expected["U_pair"] - 1.0), 1e-9)
    gate("NIST force-shifted virial, relative", abs(_virial(terms) / expected["W_pair"] - 1.0), 1e-9)
    assert _published(terms.potential, expected["published"][0])
    assert _published(_virial(terms), expected["published"][1])


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_three_ways_to_cut_differ_by_what_they_say(number):
    plain, shifted, smooth = (
        potential_energy(_system(number, 3.0, modifier)) for modifier in ("none", "potential-shift", "force-shift")
    )
    system = _system(number, 3.0, "none")
    i, j = np.triu_indices(system.n_beads, 1)
    r = np.linalg.norm(minimum_image(system.positions[i] - system.positions[j], system.box), axis=1)
    r = r[r < 3.0]
    at_cutoff = 4.0 * (3.0**-12 - 3.0**-6)
    slope = -24.0 * (2.0 * 3.0**-13 - 3.0**-7)
    assert shifted.potential == pytest.approx(plain.potential - len(r) * at_cutoff, rel=1e-12)
    assert _virial(shifted) == _virial(plain)
    assert smooth.potential == pytest.approx(shifted.potential - slope * (r - 3.0).sum(), rel=1e-11)
    assert _virial(smooth) == pytest.approx(_virial(shifted) + slope * r.sum(), rel=1e-11)
