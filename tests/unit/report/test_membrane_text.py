"""The lines a user reads after a membrane run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from topdown.model import Bead, BeadTable, BeadType, CGMolecule, Estimate, System
from topdown.properties.membrane import MembraneObservables
from topdown.report.membrane_text import comparison_lines, membrane_lines, stage_line, start_line


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


def test_a_long_run_that_is_not_steady_is_told() -> None:
    restless = membrane_lines(box(), observables(5000.0), 20.0, steady=False)
    assert "the area is not steady yet" in "\n".join(restless)
    assert "steady" not in "\n".join(membrane_lines(box(), observables(5000.0), 20.0, steady=True))


def test_start_programs_notes_and_stages() -> None:
    assert start_line(0.3273, 5962.9, 171.3).endswith(
        "0.327 nm apart, largest force 6e+03 kJ/mol/nm, 1.7e+02 after minimisation"
    )
    assert start_line(0.3273, 5962.9, float("nan")).endswith("largest force 6e+03 kJ/mol/nm")
    lines = comparison_lines([("GROMACS 1", 3.2e-13), ("OpenMM 2", 1e-15)], ["no files for lammps"])
    assert lines == (
        "same energy in   GROMACS 1 to 3e-13, OpenMM 2 to 1e-15",
        "note             no files for lammps",
    )
    assert comparison_lines([], []) == ()
    assert stage_line({"build": 2.04, "relax, 20 fs": 70.0}) == "took             build 2.0 s, relax 70.0 s"
