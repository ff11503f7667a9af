"""Numbers are printed to two digits of their error; notes and alarms are not lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from topdown.model import Bead, CGMolecule, Estimate
from topdown.properties.density import DensityResult
from topdown.properties.measurements import MeasuredValue
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import pure_phase
from topdown.report.liquid_text import density_lines, rounded


def estimate(value: float, error: float) -> Estimate:
    return Estimate(value=value, standard_error=error, n_effective=12.0)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (769.4321, 0.2449, "769.43 ± 0.24 u"),
        (769.4321, 3.06, "769.4 ± 3.1 u"),
        (769.4321, 31.0, "769 ± 31 u"),
        (0.583, 0.00112, "0.5830 ± 0.0011 u"),
        (1.0, 0.0, "1.000 ± 0.000 u"),
        (1.0, float("nan"), "1.000 ± nan u"),
    ],
)
def test_rounding(value: float, error: float, text: str) -> None:
    assert rounded(estimate(value, error), "u") == text


def test_everything_a_reader_must_know_is_there() -> None:
    molecule = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),), molar_mass=72.06)
    measured = MeasuredValue(
        value=997.0, uncertainty=5.0, temperature=299.0, how="nearest temperature measured", unit="kg/m3", name="water",
        flag="odd", reference="someone",
    )  # fmt: skip
    result = DensityResult(
        phase=pure_phase("water", MoleculeModel(molecule=molecule, origin="published model W: W", n_real=4)),
        temperature=300.0, pressure=1.0, density=estimate(990.0, 0.5), molar_volume=estimate(18.0, 0.01),
        energy=estimate(-24.6, 0.02), vaporization_enthalpy=None, runs=(estimate(990.0, 0.7),) * 2,
        components=((molecule, 400),), nanoseconds=2.0, experiment=measured, alarms=("it froze",), remarks=("short",),
    )  # fmt: skip
    text = "\n".join(density_lines("W", result))
    for part in (
        "W  at 300 K and 1 bar", "990.00 ± 0.50 kg/m³", "997 ± 5 kg/m³ at 299 K, nearest temperature measured", "z -1.4",
        "suspect: odd", "400 in the box", "for 4 molecules", "2 ns in 2 runs", "alarm: it froze", "note: short",
    ):  # fmt: skip
        assert part in text
    assert "vaporisation" not in text
    heat = replace(measured, value=43.98, uncertainty=0.44, how="measured", temperature=298.15, flag="")
    other = replace(result, vaporization_enthalpy=estimate(30.0, 0.1), vaporization_experiment=heat)
    lines = density_lines("W", other)
    place = next(k for k, line in enumerate(lines) if "ΔH of vaporisation" in line)
    assert "30.00 ± 0.10 kJ/mol" in lines[place]
    assert lines[place + 1].split(maxsplit=2) == ["ΔH", "measured", "43.98 ± 0.44 kJ/mol at 298.15 K   (someone)"]
