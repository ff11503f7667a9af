"""A free-energy profile across a small bilayer on the bundled engine. Slow: run with ``--validate``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from topdown.model import Bead, CGMolecule
from topdown.properties.membrane_profile import partition_profile
from topdown.properties.membrane_umbrella import ProfileRequest, sample_profile
from topdown.tables import load_bead_table, load_molecule

pytestmark = pytest.mark.validate


def request(bead_type: str) -> ProfileRequest:
    lipid, water, sodium, chloride = (load_molecule("martini3", name) for name in ("DMPC", "W", "NA", "CL"))
    solute = CGMolecule(name="MOL", beads=(Bead(name=bead_type, bead_type=bead_type, mass=72.0),))
    types = {bead_type, *(name for molecule in (lipid, water, sodium, chloride) for name in molecule.type_names)}
    return ProfileRequest(
        solute=solute, lipids=((lipid, 1.0),), water=water, cation=sodium, anion=chloride,
        table=load_bead_table("martini3").subset(types), size=(3.7, 3.7, 8.0), temperature=303.15,
        targets=tuple(np.round(np.arange(-3.6, 3.61, 0.3), 6).tolist()), membrane_steps=100_000, settling_steps=10_000,
        part_steps=25_000, parts=2,
    )  # fmt: skip


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
