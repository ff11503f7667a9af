"""Measured values that ship with the package: partition, hydration, liquids, membranes.

Read with the csv module: a command that prints one measured value must not pay for loading a data-frame library.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from topdown.errors import InputFileError, SettingsError
from topdown.model.measurement import Measurement
from topdown.resources import data_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file of measured values.

    Attributes
    ----------
    path : str
        Below the data folder.
    quantity : str
        What :func:`load_measurements` calls it.
    value_column, unit : str
        Name of the column that holds the value, and the unit its ``unit`` column must declare.
    optional : bool
        Whether the file may be absent: share-alike data are not part of the wheel.
    signed : bool
        Whether a negative value makes sense.
    """

    path: str
    quantity: str
    value_column: str
    unit: str
    optional: bool = False
    signed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in order."""
        before = ("name", "smiles", "canonical_smiles", "phase", "temperature_K", self.value_column)
        return (*before, "uncertainty", "unit", "flag", "split", "reference", "licence")


def _transfer(name: str, optional: bool = False) -> DataFile:
    return DataFile(
        path=f"partition/{name}",
        quantity="transfer_free_energy",
        value_column="delta_g_oil_to_water_kJ_mol",
        unit="kJ/mol",
        optional=optional,
        signed=True,
    )


def _positive(path: str, quantity: str, column: str, unit: str) -> DataFile:
    return DataFile(path=path, quantity=quantity, value_column=column, unit=unit)


#: Files of each quantity.
FILES: Final[dict[str, tuple[DataFile, ...]]] = {
    "transfer_free_energy": (_transfer("partition.csv"), _transfer("solvatum.csv", optional=True)),
    "hydration_free_energy": (
        DataFile(
            path="partition/hydration.csv",
            quantity="hydration_free_energy",
            value_column="delta_g_gas_to_water_kJ_mol",
            unit="kJ/mol",
            signed=True,
        ),
    ),
    "density": (_positive("density/density.csv", "density", "density_kg_m3", "kg/m3"),),
    "surface_tension": (
        _positive("surface_tension/surface_tension.csv", "surface_tension", "surface_tension_mN_m", "mN/m"),
    ),
    "vaporization_enthalpy": (
        _positive(
            "vaporization_enthalpy/vaporization_enthalpy.csv",
            "vaporization_enthalpy",
            "vaporization_enthalpy_kJ_mol",
            "kJ/mol",
        ),
    ),
    "self_diffusion": (
        _positive("self_diffusion/self_diffusion.csv", "self_diffusion", "self_diffusion_1e9_m2_s", "1e-9 m2/s"),
    ),
    "solubility": (
        DataFile(
            path="solubility/solubility.csv",
            quantity="solubility",
            value_column="log10_solubility_mol_L",
            unit="log10 mol/L",
            signed=True,
        ),
    ),
    "area_per_lipid": (_positive("membranes/area_per_lipid.csv", "area_per_lipid", "area_per_lipid_nm2", "nm2"),),
    "thickness": (_positive("membranes/thickness.csv", "thickness", "thickness_nm", "nm"),),
}

_SPLITS = ("calibration", "validation")


def load_measurements(quantity: str, *, include_flagged: bool = False) -> tuple[Measurement, ...]:
    """All measured values of one quantity.

    Parameters
    ----------
    quantity : str
        ``"transfer_free_energy"``: ΔG(oil→water) = +RT ln10 · logP [kJ/mol], phase ``"octanol/water"``…, positive for a
        molecule that prefers the oil; ``"hydration_free_energy"``: ΔG(gas→water) [kJ/mol]; ``"density"`` [kg/m³];
        ``"surface_tension"`` [mN/m]; ``"vaporization_enthalpy"`` [kJ/mol]; ``"self_diffusion"`` [10⁻⁹ m²/s];
        ``"solubility"`` [log10 mol/l], the phase being the canonical SMILES of the solvent; ``"area_per_lipid"`` [nm²];
        ``"thickness"`` [nm], phase ``"DB"``, ``"DHH"`` or ``"2DC"``.
    include_flagged : bool
        Also return rows whose ``flag`` says they are suspect; such rows must stay out of fits.

    Returns
    -------
    tuple of Measurement
        Sorted by file, phase, canonical SMILES and temperature. Solv@TUM rows are among the transfer free energies only
        where their file is present (it is not part of the wheel).

    Raises
    ------
    SettingsError
        An unknown quantity.
    InputFileError
        A damaged data file, with ``file:line``.
    """
    rows = _all_measurements(_known(quantity))
    return rows if include_flagged else tuple(row for row in rows if not row.flag)


def find_measurement(
    quantity: str, canonical_smiles: str, phase: str, temperature: float | None = None, *, tolerance: float = 1.0
) -> Measurement | None:
    """The measured value of one molecule, flagged or not.

    Parameters
    ----------
    quantity : str
        As in :func:`load_measurements`.
    canonical_smiles : str
        RDKit's canonical SMILES; compared as text.
    phase : str
        ``"octanol/water"``, ``"liquid"``, ``"DHH"``…
    temperature : float, optional
        [K]; without it the row nearest to 298.15 K is returned.
    tolerance : float
        Largest distance from ``temperature`` [K].

    Returns
    -------
    Measurement or None
        The row nearest in temperature; the caller shows its ``flag``.
    """
    wanted = 298.15 if temperature is None else temperature
    rows = _by_state(_known(quantity)).get((canonical_smiles, phase), ())
    best = min(rows, key=lambda row: (abs(row.temperature - wanted), row.temperature), default=None)
    if best is None or (temperature is not None and abs(best.temperature - temperature) > tolerance):
        return None
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredValue:
    """A measured value brought to the temperature asked for.

    Attributes
    ----------
    value, uncertainty, temperature : float
        ``temperature`` is the one asked for, unless ``how`` says that the value is of the nearest one.
    how : str
        ``"measured"``, ``"interpolated between 300 and 310 K"``, or ``"nearest temperature measured"``.
    unit, name, flag, reference : str
        As in :class:`~topdown.model.Measurement`.
    """

    value: float
    uncertainty: float
    temperature: float
    how: str
    unit: str
    name: str
    flag: str
    reference: str

    def z_score(self, value: float, standard_error: float) -> float:
        """(``value`` - measured)/√(both errors squared)."""
        return (value - self.value) / math.hypot(standard_error, self.uncertainty)


def measured_at(
    quantity: str, canonical_smiles: str, temperature: float, *, phase: str = "liquid"
) -> MeasuredValue | None:
    """What was measured at a temperature: itself, or a straight line between its neighbours at most 25 K apart.

    Outside the range measured, the nearest row if it is within 5 K. Suspect rows are used, and their flag handed on.

    Parameters
    ----------
    quantity : str
        As in :func:`load_measurements`.
    canonical_smiles : str
    temperature : float
        [K]
    phase : str
    """
    rows = sorted(_by_state(_known(quantity)).get((canonical_smiles, phase), ()), key=lambda row: row.temperature)
    if not rows:
        return None
    exact = min(rows, key=lambda row: abs(row.temperature - temperature))
    below = [row for row in rows if row.temperature < temperature]
    above = [row for row in rows if row.temperature > temperature]
    if abs(exact.temperature - temperature) < 0.05:
        return _measured(exact, exact.value, exact.uncertainty, exact.temperature, "measured", exact.flag)
    if below and above and above[0].temperature - below[-1].temperature <= 25.0:
        low, high = below[-1], above[0]
        share = (temperature - low.temperature) / (high.temperature - low.temperature)
        how = f"interpolated between {low.temperature:g} and {high.temperature:g} K"
        value = low.value + share * (high.value - low.value)
        uncertainty = max(low.uncertainty, high.uncertainty)
        return _measured(low, value, uncertainty, temperature, how, low.flag or high.flag)
    if abs(exact.temperature - temperature) <= 5.0:
        how = "nearest temperature measured"
        return _measured(exact, exact.value, exact.uncertainty, exact.temperature, how, exact.flag)
    return None


def _measured(
    row: Measurement, value: float, uncertainty: float, temperature: float, how: str, flag: str
) -> MeasuredValue:
    return MeasuredValue(
        value=value,
        uncertainty=uncertainty,
        temperature=temperature,
        how=how,
        unit=row.unit,
        name=row.name,
        flag=flag,
        reference=row.reference,
    )


def _known(quantity: str) -> str:
    if quantity not in FILES:
        near = get_close_matches(quantity, list(FILES), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FILES)}"
        raise SettingsError(f"no measurements of {quantity!r}", hint=hint)
    return quantity


@cache
def _read_cached(path: Path, file: DataFile, stamp: tuple[int, int]) -> tuple[Measurement, ...]:
    return read_measurements(path, file)


def _all_measurements(quantity: str) -> tuple[Measurement, ...]:
    rows: list[Measurement] = []
    for file in FILES[quantity]:
        path = data_folder() / file.path
        if file.optional and not path.exists():
            continue
        try:
            found = path.stat()
        except OSError as error:
            raise InputFileError(
                f"cannot be read: {error.strerror}", where=str(path), hint="reinstall topdown"
            ) from None
        rows += _read_cached(path, file, (found.st_mtime_ns, found.st_size))
    return tuple(rows)


def _by_state(quantity: str) -> dict[tuple[str, str], list[Measurement]]:
    states: dict[tuple[str, str], list[Measurement]] = {}
    for row in _all_measurements(quantity):
        states.setdefault((row.canonical_smiles, row.phase), []).append(row)
    return states


def read_measurements(path: Path, file: DataFile) -> tuple[Measurement, ...]:
    """Read and check one data file.

    Parameters
    ----------
    path : Path
    file : DataFile
        Says what the file should hold.

    Raises
    ------
    InputFileError
        Missing columns or values, another unit, a number that is not one, with ``file:line``.
    """
    try:
        with path.open(newline="", encoding="utf-8") as opened:
            reader = csv.DictReader(opened, strict=True)
            missing = [column for column in file.columns if column not in (reader.fieldnames or ())]
            if missing:
                raise InputFileError(
                    f"column {missing[0]!r} is missing", where=f"{path}:1", hint="data/README.md lists them"
                )
            return tuple(_measurement(row, file, f"{path}:{reader.line_num}") for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(f"cannot be read: {error}", where=str(path)) from None


def _measurement(row: dict[str, str], file: DataFile, where: str) -> Measurement:
    if None in row or None in row.values():
        raise InputFileError("more or fewer values than columns", where=where, hint="correct this line")
    for column in ("name", "canonical_smiles", "phase", "reference", "licence"):
        if not row[column].strip():
            raise InputFileError(f"{column} is empty", where=where, hint="every row needs it")
    if row["unit"] != file.unit:
        raise InputFileError(f"unit {row['unit']!r}, expected {file.unit!r}", where=where, hint="convert the value")
    if row["split"] not in _SPLITS:
        raise InputFileError(f"split {row['split']!r} is none of {', '.join(_SPLITS)}", where=where)
    return Measurement(
        quantity=file.quantity,
        name=row["name"],
        smiles=row["smiles"],
        canonical_smiles=row["canonical_smiles"],
        value=_number(row[file.value_column], file.value_column, where, signed=file.signed),
        uncertainty=_number(row["uncertainty"], "uncertainty", where),
        unit=file.unit,
        temperature=_number(row["temperature_K"], "temperature_K", where),
        phase=row["phase"],
        reference=row["reference"],
        licence=row["licence"],
        split=row["split"],
        flag=row["flag"],
    )


def _number(text: str, column: str, where: str, *, signed: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputFileError(f"{column} {text!r} is not a number", where=where, hint="correct this line") from None
    if not math.isfinite(value) or (not signed and value <= 0):
        raise InputFileError(f"{column} {text} must be a positive number", where=where, hint="correct this line")
    return value
