"""A free-energy profile across a small bilayer on the bundled engine. Slow: run with ``--validate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.model import Bead, BeadTable, BeadType, CGMolecule
from topdown.properties.membrane_profile import partition_profile
from topdown.properties.membrane_umbrella import ProfileRequest, sample_profile
from topdown.report.membrane_profile_text import profile_lines
from topdown.tables import load_bead_table, load_molecule

pytestmark = pytest.mark.validate


def with_ideal(table: BeadTable) -> BeadTable:
    """``table`` and a type, ``ideal``, that meets no other."""
    n = len(table.bead_types)
    epsilon, sigma = np.zeros((n + 1, n + 1)), np.full((n + 1, n + 1), 0.47)
    epsilon[:n, :n], sigma[:n, :n] = table.epsilon, table.sigma
    ideal = BeadType(name="ideal", chemical_class="ideal", size="R", mass=72.0)
    return replace(table, bead_types=(*table.bead_types, ideal), epsilon=epsilon, sigma=sigma)


def request(bead_type: str) -> ProfileRequest:
    lipid, water, sodium, chloride = (load_molecule("martini3", name) for name in ("DMPC", "W", "NA", "CL"))
    solute = CGMolecule(name="MOL", beads=(Bead(name=bead_type, bead_type=bead_type, mass=72.0),))
    types = {name for molecule in (lipid, water, sodium, chloride) for name in molecule.type_names}
    table = load_bead_table("martini3").subset(types | ({bead_type} - {"ideal"}))
    return ProfileRequest(
        solute=solute, lipids=((lipid, 1.0),), water=water, cation=sodium, anion=chloride,
        table=with_ideal(table), size=(3.7, 3.7, 8.0), temperature=303.15,
        targets=tuple(np.round(np.arange(-3.9, 3.91, 0.3), 6).tolist()), membrane_steps=100_000, settling_steps=10_000,
        part_steps=25_000, parts=2, spring=100.0,
    )  # fmt: skip


def test_a_bead_that_meets_nothing_is_everywhere_alike(tmp_path: Path) -> None:
    """ΔG is 0 and K_V is 1, whatever umbrellas, barostat and images do on the way."""
    short = {
        "membrane_steps": 20_000,
        "pull_steps": 200,
        "settling_steps": 2000,
        "part_steps": 5000,
        "every": 25,
        "parts": 1,
    }
    asked = replace(request("ideal"), size=(3.4, 3.4, 8.0), **short)
    found = partition_profile(sample_profile(asked, tmp_path), temperature=303.15, molar_mass=0.0)
    print("\n".join(profile_lines(found)), found.profile.delta_g.round(2), found.standard_error.round(2))
    scores = found.profile.delta_g / found.standard_error
    assert 0.3 < np.sqrt(np.mean(scores**2)) < 1.8
    assert np.abs(found.profile.delta_g).max() < 4.0
    assert found.log_k_v.standard_error < 0.2
    assert abs(found.log_k_v.value) < 3.5 * found.log_k_v.standard_error


@pytest.mark.parametrize(("bead_type", "least", "most"), [("C1", -24.0, -12.0), ("P4", 12.0, 40.0)])
def test_core_takes_up_oil_and_not_what_likes_water(tmp_path: Path, bead_type: str, least: float, most: float) -> None:
    """C1 goes from water into the tails as into hexadecane (about -18 kJ/mol in Martini 3); P4 is kept out."""
    found = partition_profile(sample_profile(request(bead_type), tmp_path), temperature=303.15, molar_mass=677.9)
    assert least < found.delta_g_centre.value < most
    assert found.delta_g_centre.standard_error < 2.0
    assert found.overlap > 0.05
    assert 0.55 < found.area_per_lipid.value < 0.65
    for comparison in found.comparisons:
        assert comparison.agrees, comparison
    if bead_type == "C1":
        assert abs(found.minimum) < 1.2
        assert found.log_k_v.value > 1.5
    else:
        assert found.log_k_v.value < 0.3
