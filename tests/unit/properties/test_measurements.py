"""Measured values: known facts, signs, provenance of every row, and damaged files."""

import csv
import math

import pytest

from topdown import resources
from topdown.errors import InputFileError, SettingsError
from topdown.properties import measurements
from topdown.properties.measurements import FILES, find_measurement, load_measurements, read_measurements
from topdown.units import NM2_PS_TO_1E9_M2_S, kj_mol_per_log_unit

#: Quantities that only judge models, with how many rows they have at least; the others are fitted.
FEWEST = {"self_diffusion": 20, "solubility": 25}


def octanol(smiles):
    return find_measurement("transfer_free_energy", smiles, "octanol/water")


def test_sign_of_transfer_free_energies():
    # logP: octane 5.18 and ethanol -0.31 (CRC Handbook); positive = prefers the oil
    assert octanol("CCCCCCCC").value == pytest.approx(5.18 * kj_mol_per_log_unit(298.15), abs=0.6)
    assert -2.0 < octanol("CCO").value < 0.0
    assert octanol("CCCCCCCC").unit == "kJ/mol"
    assert octanol("c1ccccc1").value == pytest.approx(2.13 * 5.708, abs=0.6)
    # cyclohexane is the poorer solvent for an alcohol
    assert find_measurement("transfer_free_energy", "CCO", "cyclohexane/water").value < -8.0


def test_sign_of_hydration_free_energies():
    # ethanol dissolves (-5.0 kcal/mol), octane does not (+2.9 kcal/mol)
    assert find_measurement("hydration_free_energy", "CCO", "gas/water").value == pytest.approx(-5.0 * 4.184, abs=1.0)
    assert find_measurement("hydration_free_energy", "CCCCCCCC", "gas/water").value == pytest.approx(
        2.9 * 4.184, abs=1.5
    )


@pytest.mark.parametrize(
    ("quantity", "smiles", "phase", "temperature", "value", "tolerance"),
    [
        ("density", "O", "liquid", 298.15, 997.05, 0.1),
        ("density", "CCCCCCCC", "liquid", 298.15, 698.6, 2.0),
        ("density", "ClC(Cl)Cl", "liquid", 298.15, 1479.0, 8.0),
        ("surface_tension", "O", "liquid", 298.15, 72.0, 0.2),
        # 2.299e-9 m²/s at 25 °C (Mills 1973) and 3.222e-9 at 40 °C: the fit is good to 1 %
        ("vaporization_enthalpy", "O", "liquid", 298.15, 43.98, 0.01),
        ("vaporization_enthalpy", "CCCCCCCC", "liquid", 298.15, 41.5, 0.1),
        ("self_diffusion", "O", "liquid", 298.15, 2.299, 0.003),
        ("self_diffusion", "O", "liquid", 313.15, 3.222, 0.033),
        ("self_diffusion", "C1CCCCC1", "liquid", 298.15, 1.424, 1e-9),
        # benzene in water 1.79 g/l = 0.0229 mol/l; water in octanol 2.3 mol/l
        ("solubility", "c1ccccc1", "O", 298.15, -1.640, 0.02),
        ("solubility", "O", "CCCCCCCCO", 298.15, 0.36, 0.02),
        ("surface_tension", "CCCCCCCC", "liquid", 298.15, 21.1, 0.4),
        (
            "area_per_lipid",
            "CCCCCCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCCCCCC",
            "bilayer",
            323.15,
            0.631,
            1e-9,
        ),
        (
            "thickness",
            "CCCCCCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCCCCCC",
            "DB",
            323.0,
            3.90,
            1e-9,
        ),
    ],
)
def test_known_values(quantity, smiles, phase, temperature, value, tolerance):
    found = find_measurement(quantity, smiles, phase, temperature)
    assert found.value == pytest.approx(value, abs=tolerance)
    assert found.quantity == quantity


@pytest.mark.parametrize("quantity", list(FILES))
def test_every_row_has_reference_licence_split_and_a_sound_value(quantity):
    rows = load_measurements(quantity, include_flagged=True)
    assert len(rows) >= FEWEST.get(quantity, 40)
    for row in rows:
        assert row.reference.strip()
        assert row.licence.strip()
        assert row.split in ("calibration", "validation")
        assert row.uncertainty > 0
        assert math.isfinite(row.value)
        assert 270 < row.temperature < 370
        assert "recalled" not in row.reference + row.flag
        assert "FreeSolv" not in row.reference
    states = [(row.canonical_smiles, row.phase, row.temperature) for row in rows]
    assert len(set(states)) == len(states)


@pytest.mark.parametrize("quantity", list(FILES))
def test_a_molecule_is_on_one_side_of_the_split(quantity):
    side = {}
    for row in load_measurements(quantity, include_flagged=True):
        assert side.setdefault(row.canonical_smiles, row.split) == row.split
    assert set(side.values()) == ({"calibration"} if quantity in FEWEST else {"calibration", "validation"})


@pytest.mark.parametrize("quantity", list(FILES))
def test_stored_canonical_smiles_are_those_of_rdkit(quantity):
    from rdkit import Chem

    for smiles, canonical in {
        (r.smiles, r.canonical_smiles) for r in load_measurements(quantity, include_flagged=True)
    }:
        assert Chem.CanonSmiles(smiles) == canonical


def test_flagged_rows_are_left_out_unless_asked_for():
    all_rows = load_measurements("transfer_free_energy", include_flagged=True)
    clean = load_measurements("transfer_free_energy")
    assert set(clean) < set(all_rows)
    assert all(row.flag for row in set(all_rows) - set(clean))


def test_share_alike_rows_are_in_their_own_file_only():
    for quantity, files in FILES.items():
        for file in files:
            rows = read_measurements(resources.data_folder() / file.path, file)
            share_alike = {row.licence == "CC BY-SA 4.0" for row in rows}
            assert share_alike == {file.path == "partition/solvatum.csv"}, quantity
            assert any("Solv@TUM" in row.reference for row in rows) == (file.path == "partition/solvatum.csv")
    notes = (resources.data_folder() / "partition" / "SOURCES.md").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in notes


def test_everything_works_without_the_share_alike_file(tmp_path, monkeypatch):
    (tmp_path / "partition").mkdir()
    source = resources.data_folder() / "partition" / "partition.csv"
    (tmp_path / "partition" / "partition.csv").write_bytes(source.read_bytes())
    monkeypatch.setattr(measurements, "data_folder", lambda: tmp_path)
    rows = load_measurements("transfer_free_energy")
    assert {row.phase for row in rows} == {"octanol/water", "cyclohexane/water"}
    with pytest.raises(InputFileError, match=r"density\.csv"):
        load_measurements("density")


def test_rows_are_sorted():
    for files in FILES.values():
        for file in files:
            rows = read_measurements(resources.data_folder() / file.path, file)
            keys = [(row.phase, row.canonical_smiles, row.temperature) for row in rows]
            assert keys == sorted(keys)


def test_temperature_is_respected():
    at_300 = find_measurement("density", "O", "liquid", 300.0)
    assert at_300.temperature == 300.0
    assert find_measurement("density", "O", "liquid", 300.8).temperature == 300.0
    assert find_measurement("density", "O", "liquid", 200.0) is None
    assert find_measurement("density", "O", "liquid").temperature == 298.15
    assert find_measurement("density", "O", "solid") is None
    assert find_measurement("density", "[Xe]", "liquid") is None


def test_an_unknown_quantity_gets_a_hint():
    with pytest.raises(SettingsError, match="did you mean density"):
        load_measurements("densty")
    with pytest.raises(SettingsError, match="there are transfer_free_energy"):
        find_measurement("zzz", "O", "liquid")


DENSITY = FILES["density"][0]
GOOD = ("water", "O", "O", "liquid", "298.15", "997.0", "0.5", "kg/m3", "", "calibration", "somebody", "fact")


def write(path, row, columns=DENSITY.columns):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, GOOD, row])


def test_a_good_file_reads(tmp_path):
    write(tmp_path / "d.csv", GOOD)
    assert [row.value for row in read_measurements(tmp_path / "d.csv", DENSITY)] == [997.0, 997.0]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("density_kg_m3", "heavy", "density_kg_m3 'heavy' is not a number"),
        ("density_kg_m3", "-1", "must be a positive number"),
        ("density_kg_m3", "nan", "must be a positive number"),
        ("uncertainty", "0", "uncertainty 0 must be a positive number"),
        ("temperature_K", "", "temperature_K '' is not a number"),
        ("unit", "g/cm3", "unit 'g/cm3', expected 'kg/m3'"),
        ("split", "test", "split 'test' is none of"),
        ("reference", " ", "reference is empty"),
        ("licence", "", "licence is empty"),
        ("canonical_smiles", "", "canonical_smiles is empty"),
    ],
)
def test_a_damaged_row_is_named_with_its_line(tmp_path, column, value, message):
    row = list(GOOD)
    row[DENSITY.columns.index(column)] = value
    write(tmp_path / "d.csv", row)
    with pytest.raises(InputFileError) as caught:
        read_measurements(tmp_path / "d.csv", DENSITY)
    assert message in str(caught.value)
    assert caught.value.where == f"{tmp_path / 'd.csv'}:3"


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "d.csv"
    write(path, GOOD[:-1])
    with pytest.raises(InputFileError, match="more or fewer values"):
        read_measurements(path, DENSITY)
    write(path, GOOD, [*DENSITY.columns[:-1], "license"])
    with pytest.raises(InputFileError, match=r"d\.csv:1: column 'licence' is missing"):
        read_measurements(path, DENSITY)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputFileError, match="cannot be read"):
        read_measurements(path, DENSITY)
    with pytest.raises(InputFileError, match="cannot be read"):
        read_measurements(tmp_path / "none.csv", DENSITY)


def test_measured_at_a_temperature() -> None:
    """Rows as they are, straight lines between neighbours, the nearest within 5 K outside, else nothing."""
    from topdown.properties.measurements import measured_at

    exact = measured_at("density", "CCCCCC", 300.0)
    assert exact is not None
    assert (exact.value, exact.uncertainty, exact.how) == (653.17, 3.27, "measured")
    between = measured_at("density", "CCCCCC", 305.0)
    assert between is not None
    assert between.value == pytest.approx(0.5 * (653.17 + 643.97))
    assert between.how == "interpolated between 300 and 310 K"
    assert between.temperature == 305.0
    wide = measured_at("density", "CCCCCC", 325.0)
    assert wide is not None
    assert wide.value == pytest.approx(634.59 + 0.25 * (615.22 - 634.59))
    outside = measured_at("density", "CCCCCC", 344.0)
    assert outside is not None
    assert (outside.temperature, outside.how) == (340.0, "nearest temperature measured")
    assert measured_at("density", "CCCCCC", 350.0) is None
    assert measured_at("density", "no such thing", 300.0) is None
    tension = measured_at("surface_tension", "CC(C)=O", 315.0)
    assert tension is not None
    assert tension.flag, "a suspect neighbour makes the line suspect"
    assert exact.z_score(653.17 + 2 * 3.27, 0.0) == pytest.approx(2.0)
    assert exact.z_score(653.17 - 5.0, 4.0) == pytest.approx(-5.0 / (3.27**2 + 16.0) ** 0.5)


def test_units_of_self_diffusion_are_those_of_the_simulations():
    """2.299e-9 m²/s is 2.299e-3 nm²/ps: six times that is what a water molecule's square grows by in 1 ps."""
    found = find_measurement("self_diffusion", "O", "liquid", 298.15)
    assert found.unit == "1e-9 m2/s"
    in_si = found.value * 1e-9
    assert found.value / NM2_PS_TO_1E9_M2_S == pytest.approx(in_si * 1e18 / 1e12)


def test_solubilities_are_concentrations_below_those_of_the_pure_liquids():
    for row in load_measurements("solubility", include_flagged=True):
        density = find_measurement("density", row.canonical_smiles, "liquid")
        # no molecule here is lighter than water: mol/l of the pure liquid at most density/18
        assert 10.0**row.value < density.value / 18.0
        assert 0.1 <= row.uncertainty < 1.0
