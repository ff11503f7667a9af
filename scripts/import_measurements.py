"""The data half of ``import_reference_data.py``: measured values in, ``data/<property>/*.csv`` and ``SOURCES.md`` out."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import rdkit
from import_molecules import canonical
from liquid_facts import SELF_DIFFUSION, WATER_FIT_REFERENCE, water_rows
from rdkit.Chem import MolFromSmiles
from rdkit.Chem.Descriptors import MolWt
from source_notes import DATA_README, SOURCES

from topdown.properties.measurements import FILES, DataFile, read_measurements
from topdown.tables.writer import csv_text
from topdown.units import kj_mol_per_log_unit

SOLVATUM = "CC BY-SA 4.0 (Solv@TUM)"
#: Assumed accuracy of evaluated correlations, as a fraction of the value, where methods agree better than that.
DENSITY_FLOOR = 0.005
SURFACE_TENSION_FLOOR = 0.02
VAPORIZATION_FLOOR = 0.01
SANDER = "Henry constant, compilation of R. Sander (doi:10.5194/acp-15-4399-2015 and later versions), PyPI thermo 0.6.1"
LIQUID_REFERENCES = {
    "CoolProp-EOS(1atm)": "CoolProp 8.0.0 reference equation of state at 1 atm",
    "VDI-PPDS": "VDI Heat Atlas (PPDS equation), PyPI chemicals 1.5.2",
    "Perry8E/DIPPR105": "Perry's Handbook 8th ed. (DIPPR equation 105), PyPI chemicals 1.5.2",
    "COSTALD": "COSTALD correlation, PyPI chemicals 1.5.2",
    "Jasper-Lange": "Jasper 1972 and Lange's Handbook, PyPI chemicals 1.5.2",
    "Mulero-Cachadina2012": "Mulero and Cachadina 2012, doi:10.1063/1.4768782, PyPI chemicals 1.5.2",
    "VDI-PPDS11": "VDI Heat Atlas (PPDS equation 11), PyPI chemicals 1.5.2",
    "median of 3 (Mulero-Cachadina2012 rejected)": "median of three correlations, PyPI chemicals 1.5.2",
}
VAPORIZATION_REFERENCES = {
    "CRC-298": "CRC Handbook of Chemistry and Physics, PyPI chemicals 1.5.2",
    "Gharagheizi-298": "Gharagheizi and others 2012, PyPI chemicals 1.5.2",
    "Perry8E-150": "Perry's Handbook 8th ed. (table 2-150), PyPI chemicals 1.5.2",
    "VDI-PPDS4": "VDI Heat Atlas (PPDS equation 4), PyPI chemicals 1.5.2",
}
#: Least error of a solubility, and that of one that nothing else confirms [log10 mol/l].
SOLUBILITY_FLOOR, SOLUBILITY_ALONE = 0.1, 0.3
SOLUBILITY_FLAGS = dict.fromkeys(
    ("CCCCCCCCCCCC", "CCCCCCCCCCCCCCCC"),
    "higher alkanes: values of different laboratories are orders of magnitude apart",
)
THICKNESSES = {"DB": "DB_nm", "DHH": "DHH_nm", "2DC": "hydrocarbon_thickness_2DC_nm"}
HEADS = {
    "PC": "COP(=O)([O-])OCC[N+](C)(C)C",
    "PE": "COP(=O)([O-])OCC[NH3+]",
    "PG": "COP(=O)([O-])OC[C@@H](O)CO",
}
#: Fatty acids written towards the ester oxygen (sn-1) and away from it (sn-2); 18:1 is oleic acid.
ACYL_SN1 = {f"{n}:0": "C" * n + "(=O)" for n in (12, 14, 16, 18)} | {"18:1": r"CCCCCCCC/C=C\CCCCCCCC(=O)"}
ACYL_SN2 = {f"{n}:0": "C(=O)" + "C" * (n - 1) for n in (12, 14, 16, 18)} | {"18:1": r"C(=O)CCCCCCC/C=C\CCCCCCCC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a data file, every field as it will be written."""

    name: str
    smiles: str
    phase: str
    temperature: str
    value: str
    uncertainty: str
    reference: str
    licence: str
    split: str
    flag: str = ""


def import_data(source: Path, target: Path) -> list[str]:
    """Write every data file and its notes below ``target``; returns one line of report for each file."""
    handbook, solvatum = partition_rows(source)
    tables = {
        "partition/partition.csv": handbook,
        "partition/solvatum.csv": solvatum,
        "partition/hydration.csv": hydration_rows(source),
        "density/density.csv": liquid_rows(source, "density"),
        "surface_tension/surface_tension.csv": liquid_rows(source, "surface_tension"),
        "vaporization_enthalpy/vaporization_enthalpy.csv": vaporization_rows(source),
        "self_diffusion/self_diffusion.csv": self_diffusion_rows(source),
        "solubility/solubility.csv": solubility_rows(source),
        **membrane_rows(source),
    }
    known = {file.path: file for files in FILES.values() for file in files}
    if set(tables) != set(known):
        raise SystemExit(f"the reader knows {sorted(known)}, but {sorted(tables)} are written")
    report, counts = [], {}
    for path, file in sorted(known.items()):
        text = file_text(file, tables[path])
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8", newline="")
        back = read_measurements(target / path, file)
        if len(back) != len(tables[path]):
            raise SystemExit(f"{path} has {len(back)} rows, expected {len(tables[path])}")
        flagged = sum(bool(row.flag) for row in back)
        splits = Counter(row.split for row in back if not row.flag)
        counts[path] = (
            f"{len(back)} rows, {flagged} of them flagged; of the others {splits['calibration']} calibration, "
            f"{splits['validation']} validation"
        )
        report.append(f"{path}: {counts[path]}")
    for folder, text in SOURCES.items():
        listed = "".join(f"- `{Path(p).name}`: {counts[p]}\n" for p in sorted(counts) if p.startswith(folder + "/"))
        body = text.strip() + f"\n\n## Files\n\n{listed}\nCanonical SMILES: RDKit {rdkit.__version__}.\n"
        (target / folder / "SOURCES.md").write_text(body, encoding="utf-8")
    (target / "README.md").write_text(DATA_README, encoding="utf-8")
    return report


def file_text(file: DataFile, table: list[Row]) -> str:
    """CSV text of one file, sorted by phase, canonical SMILES and temperature; two rows for one state are an error."""
    keyed = sorted(
        ((row.phase, canonical(row.smiles), float(row.temperature), row) for row in table), key=lambda entry: entry[:3]
    )
    repeated = [key for key, n in Counter(entry[:3] for entry in keyed).items() if n > 1]
    if repeated:
        raise SystemExit(f"{file.path}: {len(repeated)} states come twice, for instance {repeated[0]}")
    rows = []
    for phase, canonical_smiles, _, row in keyed:
        if not row.reference or not row.licence or row.split not in ("calibration", "validation"):
            raise SystemExit(f"{file.path}: {row.name} lacks reference, licence or split")
        rows.append(
            (
                *(row.name, row.smiles, canonical_smiles, phase, row.temperature, row.value, row.uncertainty),
                *(file.unit, row.flag, row.split, row.reference, row.licence),
            )
        )
    return csv_text(file.columns, rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def partition_rows(source: Path) -> tuple[list[Row], list[Row]]:
    """Handbook rows and Solv@TUM rows, ΔG(oil→water) [kJ/mol] = +RT ln10 · logP.

    Values given from memory have no reference and are left out. Solv@TUM rows were combined with a hydration free
    energy; only the combination with Sander's Henry constants is used, so a row without it is left out too.
    """
    handbook, solvatum = [], []
    for row in read_rows(source / "partition" / "partition.csv"):
        if row["kind"] == "recalled":
            continue
        temperature = float(row["T_K"])
        per_log = kj_mol_per_log_unit(temperature)
        from_solvatum = row["licence"] == SOLVATUM
        if from_solvatum and not row["logP_alt_sander"]:
            continue
        log_p = float(row["logP_alt_sander"] or row["logP"])
        if abs(float(row["dG_transfer_kJ_mol"]) - per_log * float(row["logP"])) > 0.01:
            raise SystemExit(f"{row['name']}: ΔG and logP disagree in sign or size")
        made = Row(
            name=row["name"],
            smiles=row["smiles"],
            phase=row["solvent_pair"],
            temperature=row["T_K"],
            value=f"{per_log * log_p:.3f}",
            uncertainty=row["uncertainty_kJ_mol"],
            reference=partition_reference(row),
            licence="CC BY-SA 4.0" if from_solvatum else row["licence"],
            split=row["split"],
            flag=row["flag"],
        )
        (solvatum if from_solvatum else handbook).append(made)
    return handbook, solvatum


def partition_reference(row: dict[str, str]) -> str:
    """Where the number is published; for Solv@TUM rows the water side is Sander's compilation."""
    if row["licence"] != SOLVATUM:
        return row["source"]
    solvent_side, water, _ = re.split(r"(; water: )", row["source"], maxsplit=1)
    return f"{solvent_side}{water}Henry constant, Sander compilation (PyPI thermo 0.6.1)"


def hydration_rows(source: Path) -> list[Row]:
    """ΔG(gas→water) [kJ/mol] from Henry constants; one constant listed for two entries of the same SMILES is taken once."""
    made: dict[str, Row] = {}
    for row in read_rows(source / "partition" / "hydration.csv"):
        if not row["dG_hyd_sander_kJ_mol"]:
            continue
        # without / or \ in the SMILES the constant is that of the mixture of isomers
        mixture = not set("/\\") & set(row["smiles"])
        made_row = Row(
            name=re.sub(r"^\([EZ]\)-", "", row["name"]) if mixture else row["name"],
            smiles=row["smiles"],
            phase="gas/water",
            temperature=row["T_K"],
            value=row["dG_hyd_sander_kJ_mol"],
            uncertainty="1.0" if row["sander_kind"] == "Tdep" else "2.0",
            reference=SANDER,
            licence="published number (fact); package MIT",
            split=row["split"],
            flag=hydration_flag(row),
        )
        before = made.setdefault(canonical(row["smiles"]), made_row)
        if (before.value, before.split) != (made_row.value, made_row.split):
            raise SystemExit(f"{row['name']}: two hydration free energies")
    return list(made.values())


def hydration_flag(row: dict[str, str]) -> str:
    """A second compilation that differs by more than 4 kJ/mol makes a row suspect."""
    apart = abs(float(row["dG_hyd_sander_kJ_mol"]) - float(row["dG_hyd_kJ_mol"]))
    return "differs from a second compilation by more than 4 kJ/mol" if apart > 4.0 else ""


def liquid_rows(source: Path, quantity: str) -> list[Row]:
    """Density [kg/m³] or surface tension [mN/m] of the pure liquids; each flag goes to the quantity it speaks of."""
    prefix, column, floor = {
        "density": ("density", "density_kg_m3", DENSITY_FLOOR),
        "surface_tension": ("sigma", "surface_tension_mN_m", SURFACE_TENSION_FLOOR),
    }[quantity]
    unit = column.removeprefix("density_").removeprefix("surface_tension_")
    made = []
    for row in read_rows(source / "liquids" / "density_surface_tension.csv"):
        if row[column]:
            reference = LIQUID_REFERENCES[row[f"{prefix}_method"]]
            flag = row["flag"] if row["flag"].startswith(prefix) else ""
            made.append(evaluated_row(row, row[column], row[f"{prefix}_spread_{unit}"], floor, reference, flag))
    return made


def vaporization_rows(source: Path) -> list[Row]:
    """Enthalpies of vaporization [kJ/mol] at 298.15 K; suspect where methods differ by more than a twentieth."""
    made = []
    for row in read_rows(source / "liquids" / "enthalpy_vaporization.csv"):
        value, spread = row["dHvap_kJ_mol"], row["spread_kJ_mol"]
        flag = "methods disagree by more than 5 %" if float(spread) > 0.05 * float(value) else ""
        made.append(evaluated_row(row, value, spread, VAPORIZATION_FLOOR, VAPORIZATION_REFERENCES[row["method"]], flag))
    return made


def evaluated_row(row: dict[str, str], value: str, spread: str, floor: float, reference: str, flag: str) -> Row:
    """What several methods say of a pure liquid; uncertain by half their spread, at least by ``floor`` of the value."""
    return Row(
        name=row["name"],
        smiles=row["smiles"],
        phase="liquid",
        temperature=row["T_K"],
        value=value,
        uncertainty=f"{max(float(spread) / 2, floor * float(value)):.3g}",
        reference=reference,
        licence="evaluated value (fact); package MIT",
        split=row["split"],
        flag=flag,
    )


def pure_liquids(source: Path) -> dict[str, dict[str, str]]:
    """The row nearest to 298.15 K of every liquid with a density, by canonical SMILES."""
    nearest: dict[str, dict[str, str]] = {}
    for row in read_rows(source / "liquids" / "density_surface_tension.csv"):
        known = nearest.get(row["smiles"], row)
        nearest[row["smiles"]] = min(known, row, key=lambda r: abs(float(r["T_K"]) - 298.15))
    return {canonical(smiles): row for smiles, row in nearest.items()}


def self_diffusion_rows(source: Path) -> list[Row]:
    """Self-diffusion coefficients [10⁻⁹ m²/s] of the pure liquids, from ``liquid_facts.py``."""
    liquids = pure_liquids(source)
    states = [("water", "O", t, d, error, WATER_FIT_REFERENCE) for t, d, error in water_rows()]
    states += [(name, smiles, 298.15, d, error, reference) for name, smiles, d, error, reference in SELF_DIFFUSION]
    return [
        Row(
            name=name,
            smiles=smiles,
            phase="liquid",
            temperature=f"{temperature:g}",
            value=f"{d:.4g}",
            uncertainty=f"{error:.2g}",
            reference=reference,
            licence="published number (fact)",
            split=liquids[canonical(smiles)]["split"],
        )
        for name, smiles, temperature, d, error, reference in states
    ]


def solubility_rows(source: Path) -> list[Row]:
    """log10 of the saturated concentration [mol/l]; the phase is the canonical SMILES of the solvent.

    Liquids without a measured density are left out. Of the solubilities of water in oils only that with a reference is taken, a
    mole fraction, with volumes taken to be additive.
    """
    liquids, made = pure_liquids(source), []
    for row in read_rows(source / "liquids" / "mutual_solubility.csv"):
        if row["source"] == "recalled":
            continue
        oil, value, spread = canonical(row["smiles"]), float(row["value"]), float(row["unc"])
        in_water = row["quantity"] == "solute=oil in water"
        if not in_water:
            if row["unit"] != "mole fraction":
                raise SystemExit(f"{row['name']}: {row['unit']} of water in an oil")
            volume = value * molar_volume(liquids["O"]) + (1.0 - value) * molar_volume(liquids[oil])
            value, spread = math.log10(value / volume), spread / value / math.log(10.0)
        solute = oil if in_water else "O"
        if solute not in liquids:
            continue
        made.append(
            Row(
                name=liquids[solute]["name"],
                smiles=solute,
                phase="O" if in_water else oil,
                temperature=row["T_K"],
                value=f"{value:.4f}",
                uncertainty=f"{max(spread, SOLUBILITY_FLOOR if spread else SOLUBILITY_ALONE):.3f}",
                reference=row["source"].partition(" - as quoted")[0],
                licence="published number (fact); compilation MIT" if in_water else "published number (fact)",
                split=liquids[solute]["split"],
                flag=SOLUBILITY_FLAGS.get(oil, "") if in_water else "",
            )
        )
    return made


def molar_volume(row: dict[str, str]) -> float:
    """Of a pure liquid [l/mol]."""
    return float(MolWt(MolFromSmiles(row["smiles"]))) / float(row["density_kg_m3"])


def membrane_rows(source: Path) -> dict[str, list[Row]]:
    """Area per lipid [nm²] and the three thicknesses [nm] of one-component bilayers."""
    area, thickness = [], []
    smiles_of = lipid_smiles(source)
    for row in read_rows(source / "membranes" / "membranes.csv"):
        made = {
            "name": row["lipid"],
            "smiles": smiles_of[row["lipid"]],
            "temperature": row["T_K"],
            "reference": "doi:" + row["source_doi"].removeprefix("https://doi.org/"),
            "licence": "published number (fact), see reference; collection Apache-2.0",
            "split": row["split"],
        }
        area.append(
            Row(value=row["area_per_lipid_nm2"], uncertainty=row["area_per_lipid_nm2_unc"], phase="bilayer", **made)
        )
        for phase, column in THICKNESSES.items():
            thickness.append(Row(value=row[column], uncertainty=row[column + "_unc"], phase=phase, **made))
    return {"membranes/area_per_lipid.csv": area, "membranes/thickness.csv": thickness}


def lipid_smiles(source: Path) -> dict[str, str]:
    """SMILES of every lipid measured, built from its tails and head and checked against those of the curated models."""
    published = {}
    for row in read_rows(source / "lipids" / "lipids.csv"):
        chemistry = row["note"].rpartition("chemistry=")[2].split("(")[0].strip()
        if "chemistry=" in row["note"]:
            published.setdefault(chemistry, canonical(row["smiles"]))
    built, checked = {}, 0
    for row in read_rows(source / "membranes" / "membranes.csv"):
        name, tails = row["lipid"], row["tails"].split("/")
        if tails[0].startswith("d"):
            built[name] = published[name]
            continue
        built[name] = f"{ACYL_SN1[tails[0]]}OC[C@H]({HEADS[name[-2:]]})O{ACYL_SN2[tails[1]]}"
        if name in published:
            if canonical(built[name]) != published[name]:
                raise SystemExit(f"{name}: {built[name]} is not {published[name]}")
            checked += 1
    if checked < 10:
        raise SystemExit(f"only {checked} lipid SMILES could be checked")
    return {name: canonical(smiles) for name, smiles in built.items()}
