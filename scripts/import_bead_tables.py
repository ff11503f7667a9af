"""The bead-table half of ``import_reference_data.py``: published values in, ``bead_tables/`` folders out."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
from import_molecules import write_molecules

from topdown.model import BeadTable, BeadType, NonbondedScheme, Provenance
from topdown.tables import load_bead_table, load_bead_types, write_bead_table
from topdown.tables.folder import BLOCKS_FILE
from topdown.tables.reader import read_building_blocks

SCHEME = NonbondedScheme(cutoff=1.1, epsilon_r=15.0, epsilon_rf=0.0)

MARTINI2_KINDS = {"Q": "charged", "P": "polar", "N": "intermediately polar", "C": "apolar"}
MARTINI2_BONDS = {
    "0": "no hydrogen bonds",
    "d": "hydrogen-bond donor",
    "a": "hydrogen-bond acceptor",
    "da": "hydrogen-bond donor and acceptor",
}
MARTINI2_SPECIAL = {
    "AC2": "apolar, as C2 but of ordinary size towards charged types (amino-acid side chains)",
    "AC1": "apolar, as C1 but of ordinary size towards charged types (amino-acid side chains)",
    "BP4": "antifreeze water: as P4 but larger towards P4",
}
MARTINI3_KINDS = {
    "P": "polar",
    "N": "intermediately polar",
    "C": "apolar",
    "X": "halogenated",
    "Q": "charged",
    "D": "divalent ion",
    "W": "water",
}
SIZE_WORDS = {"R": "regular", "S": "small", "T": "tiny"}

MARTINI3_NOTICE = """\
The Martini 3 bead types and their interactions in this folder are those of martini_v3.0.0.itp, published by the Martini
Force Field Initiative under the Apache License 2.0 with

    P. C. T. Souza et al., "Martini 3: a general purpose force field for coarse-grained molecular dynamics",
    Nature Methods 18, 382-388 (2021), doi:10.1038/s41592-021-01098-3

The values are unchanged. They were rearranged into bead_types.csv and pairs.csv.gz; the dummy type U, which interacts with
nothing, was left out. The molecules in molecules/ name their own sources.
"""


def rows(path: Path) -> list[dict[str, str]]:
    """All rows of a CSV file, gzipped or not. Nothing is guessed: ``NA`` stays the name of sodium."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def import_tables(source: Path, target: Path) -> list[str]:
    """Write ``martini2`` and ``martini3`` below ``target``; returns one line of report for each thing done."""
    report = []
    for table, description in (martini2(source), martini3(source)):
        folder = target / table.name
        write_bead_table(_with_blocks(table, folder), folder, description=description)
        back = load_bead_table(folder.resolve())
        same = np.array_equal(back.epsilon, table.epsilon) and np.array_equal(back.sigma, table.sigma)
        if not same or back.bead_types != table.bead_types:
            raise SystemExit(f"{folder} does not read back as written")
        report.append(
            f"{table.name}: {len(table.bead_types)} types, {len(table.bead_types) * (len(table.bead_types) + 1) // 2} pairs"
        )
        report += write_molecules(source, folder, load_bead_types(folder.resolve()))
    (target / "martini3" / "NOTICE").write_text(MARTINI3_NOTICE, encoding="utf-8")
    return report


def _with_blocks(table: BeadTable, folder: Path) -> BeadTable:
    """The table with the typing rules that already lie in its folder, which this script does not own."""
    from dataclasses import replace

    path = folder / BLOCKS_FILE
    if not path.is_file():
        return table
    return replace(table, building_blocks=read_building_blocks(path, {t.name for t in table.bead_types}))


def martini2(source: Path) -> tuple[BeadTable, str]:
    """The level matrix of Marrink et al. 2007, its ring (S) variants and the special types AC1, AC2 and BP4."""
    folder = source / "bead_tables"
    levels = {row["type"]: row for row in rows(folder / "martini2_levels.csv")}
    values = {
        row["level"]: {key: float(row[key]) for key in row if key.startswith(("epsilon", "sigma"))}
        for row in rows(folder / "martini2_level_values.csv")
    }
    published = rows(folder / "martini2_epsilon_sigma.csv")
    core = list(levels)
    names = [*core, *("S" + name for name in core), *MARTINI2_SPECIAL]
    index = {name: i for i, name in enumerate(names)}
    epsilon, sigma = np.full((len(names),) * 2, np.nan), np.full((len(names),) * 2, np.nan)
    for row in published:
        i, j = index[row["type_i"]], index[row["type_j"]]
        if not np.isnan(epsilon[i, j]):
            raise SystemExit(f"pair {row['type_i']} {row['type_j']} comes twice")
        epsilon[i, j], sigma[i, j] = _martini2_pair(row, levels, values)
        epsilon[j, i], sigma[j, i] = epsilon[i, j], sigma[i, j]
        for label, ours, theirs in (
            ("epsilon", epsilon[i, j], float(row["epsilon_kJ_mol"])),
            ("sigma", sigma[i, j], float(row["sigma_nm"])),
        ):
            if abs(ours - theirs) > 1e-3 * theirs:
                raise SystemExit(f"{row['type_i']} {row['type_j']}: {label} {ours} but C6/C12 give {theirs}")
    if np.isnan(epsilon).any():
        raise SystemExit("the published pairs do not cover all types")
    table = BeadTable(
        name="martini2",
        version="2.1",
        bead_types=tuple(_martini2_type(name) for name in names),
        epsilon=epsilon,
        sigma=sigma,
        scheme=SCHEME,
        provenance=Provenance(
            source="levels of Marrink et al. 2007, Table 1, as in martini_v2.1.itp",
            licence="published parameters (facts), see citation",
            citation="S. J. Marrink et al., J. Phys. Chem. B 111, 7812 (2007), doi:10.1021/jp071097f",
        ),
    )
    return table, "Martini 2: 18 bead types, their ring variants (S) and the special types AC1, AC2 and BP4"


def _martini2_pair(
    row: dict[str, str], levels: dict[str, dict[str, str]], values: dict[str, dict[str, float]]
) -> tuple[float, float]:
    """ε and σ of a pair from its level; the exceptions to the rule of levels are the ones the published file makes."""
    a, b = row["type_i"], row["type_j"]
    if {a, b} == {"P4", "BP4"}:
        return values["O"]["epsilon_kJ_mol"], 0.57
    core_a, core_b = (name if name in levels else name.removeprefix("S") for name in (a, b))
    if core_a not in levels or core_b not in levels:
        level = values[row["level"]]
        return level["epsilon_kJ_mol"], level["sigma_nm"]
    name = levels[core_a][core_b]
    if levels[core_b][core_a] != name:
        raise SystemExit(f"the level matrix is not symmetric for {core_a} {core_b}")
    level = values[name]
    both_ring = a not in levels and b not in levels
    # level IX between two ring types keeps sigma 0.62 and the full depth in the published file: the scaling of ring
    # pairs is not applied to the super-repulsive level
    if both_ring and name != "IX":
        return level["epsilon_ring_kJ_mol"], level["sigma_ring_nm"]
    return level["epsilon_kJ_mol"], level["sigma_nm"]


def _martini2_type(name: str) -> BeadType:
    if name in MARTINI2_SPECIAL:
        return BeadType(name=name, chemical_class=name[1:], size="R", mass=72.0, description=MARTINI2_SPECIAL[name])
    small = name.startswith("S")
    core = name.removeprefix("S")
    words = MARTINI2_KINDS[core[0]]
    subtype = core[1:]
    detail = MARTINI2_BONDS.get(subtype, f"polarity {subtype} of 5")
    ring = ", for rings" if small else ""
    return BeadType(
        name=name,
        chemical_class=core,
        size="S" if small else "R",
        mass=45.0 if small else 72.0,
        description=f"{words}, {detail}{ring}",
    )


def martini3(source: Path) -> tuple[BeadTable, str]:
    """All bead types of martini_v3.0.0 that interact, and all pairs of them."""
    folder = source / "bead_tables"
    listed = rows(folder / "martini3_types.csv")
    pairs = rows(folder / "martini3_nonbonded.csv.gz")
    paired = {row["type_i"] for row in pairs} | {row["type_j"] for row in pairs}
    left_out = [row["type"] for row in listed if row["type"] not in paired]
    if left_out != ["U"]:
        raise SystemExit(f"types without pairs: {left_out}, expected only the dummy U")
    types = tuple(_martini3_type(row) for row in listed if row["type"] in paired)
    index = {bead_type.name: i for i, bead_type in enumerate(types)}
    epsilon, sigma = np.full((len(types),) * 2, np.nan), np.full((len(types),) * 2, np.nan)
    for row in pairs:
        i, j = index[row["type_i"]], index[row["type_j"]]
        if not np.isnan(epsilon[i, j]):
            raise SystemExit(f"pair {row['type_i']} {row['type_j']} comes twice")
        epsilon[i, j] = epsilon[j, i] = float(row["epsilon_kJ_mol"])
        sigma[i, j] = sigma[j, i] = float(row["sigma_nm"])
    if np.isnan(epsilon).any() or len(types) != 843 or len(pairs) != 355746:
        raise SystemExit(f"{len(types)} types and {len(pairs)} pairs, expected 843 and 355746")
    table = BeadTable(
        name="martini3",
        version="3.0.0",
        bead_types=types,
        epsilon=epsilon,
        sigma=sigma,
        scheme=SCHEME,
        provenance=Provenance(
            source="martini_v3.0.0.itp, Martini Force Field Initiative",
            licence="Apache-2.0, see NOTICE",
            citation="P. C. T. Souza et al., Nat. Methods 18, 382 (2021), doi:10.1038/s41592-021-01098-3",
        ),
    )
    return table, "Martini 3: all 843 interacting bead types of version 3.0.0"


def _martini3_type(row: dict[str, str]) -> BeadType:
    size, core, label = row["size"], row["chem_type"], row["label"]
    if size not in SIZE_WORDS or float(row["charge_in_itp"]) != 0.0:
        raise SystemExit(f"unexpected size or charge of {row['type']}")
    expected = ("" if size == "R" else size) + core + label
    if row["type"] != expected:
        raise SystemExit(f"{row['type']} is not size {size}, type {core}, label {label}")
    labelled = f", label {label}" if label else ""
    return BeadType(
        name=row["type"],
        chemical_class=core + label,
        size=size,  # type: ignore[arg-type]
        mass=float(row["mass_amu"]),
        description=f"{SIZE_WORDS[size]}, {MARTINI3_KINDS[core[0]]} {core}{labelled}",
    )
