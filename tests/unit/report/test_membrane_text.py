"""The lines a user reads after a membrane run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from topdown.model import Bead, BeadTable, BeadType, CGMolecule, Estimate, System
from topdown.properties.membrane import MembraneObservables
from topdown.report.membrane_text import membrane_lines


def box() -> System:
    table = BeadTable(
        name="t",
        bead_types=(BeadType(name="W", chemical_class="W", size="R", mass=72.0),),
        epsilon=np.ones((1, 1)),
        sigma=np.full((1, 1), 0.47),
    )
    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    return System(table=table, components=((water, 1),), positions=np.zeros((1, 3)), box=np.array([6.0, 6.0, 8.0]))


def observables(left_out_ps: float) -> MembraneObservables:
    estimate = Estimate(value=0.63, standard_error=0.002, n_effective=20.0)
    values: dict[str, object] = {
        "area_per_lipid": estimate,
        "thickness": estimate,
        "luzzati": None,
        "equilibration_ps": left_out_ps,
        "problems": (),
    }
    fields = {field.name: values.get(field.name) for field in dataclasses.fields(MembraneObservables)}
    return MembraneObservables(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("simulated", "left_out", "noted"), [(0.04, 20.0, True), (20.0, 5000.0, False), (6.0, 2000.0, True)]
)
def test_a_short_run_says_that_its_errors_are_lower_bounds(simulated: float, left_out: float, noted: bool) -> None:
    text = "\n".join(membrane_lines(box(), observables(left_out), simulated))
    assert "0.630 ± 0.002 nm²" in text
    assert ("lower bounds" in text) is noted


def test_an_unsimulated_membrane_says_so() -> None:
    assert membrane_lines(box(), None, 0.0)[-1] == "built and minimised, not simulated"
