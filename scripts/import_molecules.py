"""Curated models: rows of ``lipids/lipids.csv`` become ``bead_tables/<name>/molecules/*.toml``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rdkit import Chem, RDLogger
from rdkit.Chem.Descriptors import MolWt

from topdown.model import BeadType
from topdown.tables.molecules import read_molecule
from topdown.tables.writer import toml_value

RDLogger.DisableLog("rdApp.*")

FORCE_FIELDS = {"martini2": "M2", "martini3": "M3"}
PUBLISHED = "published parameters (facts), see citation"
#: Full references of the short ones in the source.
CITATIONS = {
    "Marrink 2007": "S. J. Marrink et al., J. Phys. Chem. B 111, 7812 (2007), doi:10.1021/jp071097f",
    "Souza 2021": "P. C. T. Souza et al., Nat. Methods 18, 382 (2021), doi:10.1038/s41592-021-01098-3",
    "Pedersen 2025 10.1021/acscentsci.5c00755": "K. B. Pedersen et al., ACS Cent. Sci. (2025), doi:10.1021/acscentsci.5c00755",
    "Marrink 2007 10.1021/jp071097f; Wassenaar 2015 10.1021/acs.jctc.5b00209": (
        "S. J. Marrink et al., J. Phys. Chem. B 111, 7812 (2007), doi:10.1021/jp071097f; "
        "T. A. Wassenaar et al., J. Chem. Theory Comput. 11, 2144 (2015), doi:10.1021/acs.jctc.5b00209"
    ),
}
#: The molecule a shared model is named after comes first.
MAIN_CHEMISTRY = {("martini2", "DPPC"): "DPPC", ("martini2", "DLPC"): "DLPC(12:0/12:0)"}
#: Real molecules in one model.
WATERS_PER_BEAD = 4
#: Ions the source lists without SMILES although their name and charge say what they are.
KNOWN_IONS = {("martini2", "CA"): "[Ca+2]"}


def canonical(smiles: str) -> str:
    """RDKit's canonical isomeric SMILES."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise SystemExit(f"RDKit cannot read {smiles!r}")
    return str(Chem.MolToSmiles(molecule))


def molar_mass(smiles: str, n_molecules: int = 1) -> float:
    """Molar mass [g/mol] from RDKit's standard atomic weights."""
    return round(n_molecules * float(MolWt(Chem.MolFromSmiles(smiles))), 3)


def write_molecules(source: Path, table_folder: Path, types: tuple[BeadType, ...]) -> list[str]:
    """Write the models of one table, drop those it no longer has, read all of them back; returns report lines."""
    table = table_folder.name
    with (source / "lipids" / "lipids.csv").open(newline="", encoding="utf-8") as file:
        wanted = [row for row in csv.DictReader(file) if row["ff"] == FORCE_FIELDS[table]]
    left_out = sorted({row["name"] for row in wanted if not expressible(row)})
    grouped: dict[str, list[dict[str, str]]] = {}
    for row in wanted:
        if expressible(row):
            grouped.setdefault(row["name"], []).append(row)
    folder = table_folder / "molecules"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.toml"):
        if stale.stem not in grouped:
            stale.unlink()
    for name, same in sorted(grouped.items()):
        path = folder / f"{name}.toml"
        path.write_text(molecule_toml(table, name, same), encoding="utf-8")
        model = read_molecule(path, types, table=table).model
        if model.n_beads != int(same[0]["n_beads"]) or model.charge != float(same[0]["net_charge"]):
            raise SystemExit(f"{path} has {model.n_beads} beads and charge {model.charge}")
    return [f"{table}: {len(grouped)} curated models; left out, with virtual sites: {', '.join(left_out) or 'none'}"]


def expressible(row: dict[str, str]) -> bool:
    """Whether the bonded terms of :mod:`topdown.model.bonded` can hold the model (no virtual sites yet)."""
    functions = {entry.split(":")[1] for entry in split(row["dihedrals_ijkl"])}
    return not row["virtual_sites"] and functions <= {"1", "2", "9"} and row["nrexcl"] == "1"


def split(text: str) -> list[str]:
    """Entries of a ``;``-separated list."""
    return [part.strip() for part in text.split(";") if part.strip()]


def molecule_toml(table: str, name: str, same: list[dict[str, str]]) -> str:
    """The text of one molecule file out of the row(s) of that name."""
    same = sorted(same, key=lambda row: chemistry(row) != MAIN_CHEMISTRY.get((table, name), chemistry(row)))
    first = same[0]
    shape = (
        "beads_idx_name_type_charge",
        "bonds_ij_funct_r0nm_k",
        "constraints_ij_funct_r0nm",
        "angles_ijk_funct_theta0deg_k",
    )
    if any(row[column] != first[column] for row in same for column in (*shape, "dihedrals_ijkl", "exclusions")):
        raise SystemExit(f"{table} {name}: rows of one name with different models")
    smiles = [text for row in same if (text := row["smiles"] or KNOWN_IONS.get((table, name), ""))]
    n_molecules = WATERS_PER_BEAD if smiles == ["O"] else 1
    names, beads = bead_lines(first)
    lines = [
        f"name = {toml_value(name)}",
        f"group = {toml_value(first['group'])}",
        f"description = {toml_value(describe(table, name, same, n_molecules))}",
        f"smiles = {text_list(smiles)}",
        f"canonical_smiles = {text_list([canonical(s) for s in smiles])}",
        f"molar_mass = [{', '.join(repr(molar_mass(s, n_molecules)) for s in smiles)}]  # g/mol",
        f"n_molecules = {n_molecules}",
        f"source = {toml_value(first['source'])}",
        f"licence = {toml_value('Apache-2.0' if first['licence'] == 'Apache-2.0' else PUBLISHED)}",
        f"cite = {toml_value(CITATIONS.get(first['cite'], first['cite']))}",
        f"note = {toml_value(note(same))}",
        "",
        *block("beads", beads),
        *block("bonds", [bond_line(entry, names) for entry in split(first["bonds_ij_funct_r0nm_k"])]),
        *block("constraints", [constraint_line(entry, names) for entry in split(first["constraints_ij_funct_r0nm"])]),
        *block("angles", [angle_line(entry, names) for entry in split(first["angles_ijk_funct_theta0deg_k"])]),
        *block("dihedrals", [dihedral_line(entry, names) for entry in split(first["dihedrals_ijkl"])]),
        *exclusion_lines(first["exclusions"], names),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def chemistry(row: dict[str, str]) -> str:
    """``DPPC`` out of a note that ends in ``chemistry=DPPC``."""
    return row["note"].rpartition("chemistry=")[2].strip() if "chemistry=" in row["note"] else ""


def describe(table: str, name: str, same: list[dict[str, str]], n_molecules: int) -> str:
    """One line: what the model stands for."""
    if n_molecules > 1:
        return f"{n_molecules} water molecules in one bead" + (", antifreeze" if name == "WF" else "")
    stands_for = [text for row in same if (text := chemistry(row) or row["smiles"])]
    return f"{same[0]['group']} model of {table}" + (f" standing for {' and '.join(stands_for)}" if stands_for else "")


def note(same: list[dict[str, str]]) -> str:
    """The remarks of all rows, without the chemistry."""
    parts = [row["note"].partition("| chemistry=")[0].strip(" |") for row in same]
    return "; ".join(dict.fromkeys(part for part in parts if part and not part.startswith("chemistry=")))


def text_list(values: list[str]) -> str:
    """A TOML list of texts, on one line for one value."""
    if len(values) <= 1:
        return f"[{', '.join(map(toml_value, values))}]"
    return "[\n" + "".join(f"  {toml_value(value)},\n" for value in values) + "]"


def block(key: str, entries: list[str]) -> list[str]:
    """A TOML list of inline tables, one to a line, followed by an empty line; nothing when there are none."""
    return [f"{key} = [", *(f"  {{ {entry} }}," for entry in entries), "]", ""] if entries else []


def bead_lines(row: dict[str, str]) -> tuple[list[str], list[str]]:
    """Unique bead names, and the lines of ``beads``. A name used twice gets a number, as terms refer to names."""
    parsed = [entry.split(":") for entry in split(row["beads_idx_name_type_charge"])]
    if [int(fields[0]) for fields in parsed] != list(range(1, len(parsed) + 1)):
        raise SystemExit(f"{row['name']}: beads are not numbered from 1")
    given = [fields[1] for fields in parsed]
    names = [name if given.count(name) == 1 else f"{name}{given[: k + 1].count(name)}" for k, name in enumerate(given)]
    if len(set(names)) != len(names):
        raise SystemExit(f"{row['name']}: bead names {names} clash")
    lines = []
    for name, (_, _, kind, charge, *rest) in zip(names, parsed, strict=True):
        line = f"name = {toml_value(name)}, type = {toml_value(kind)}, charge = {float(charge)!r}"
        for extra in rest:
            if not extra.startswith("m="):
                raise SystemExit(f"{row['name']}: {extra!r} is not a mass")
            line += f", mass = {float(extra[2:])!r}"
        lines.append(line)
    return names, lines


def _term(entry: str, names: list[str], n_values: int) -> tuple[str, list[Any]]:
    atoms, function, *values = entry.split(":")
    if len(values) != n_values:
        raise SystemExit(f"{entry!r} has {len(values)} parameters, expected {n_values}")
    involved = ", ".join(toml_value(names[int(k) - 1]) for k in atoms.split("-"))
    return f"atoms = [{involved}]", [int(function), *map(float, values)]


def bond_line(entry: str, names: list[str]) -> str:
    atoms, (function, length, constant) = _term(entry, names, 2)
    return f"{atoms}, length = {length!r}, force_constant = {constant!r}, function = {function}"


def constraint_line(entry: str, names: list[str]) -> str:
    atoms, (_, length) = _term(entry, names, 1)
    return f"{atoms}, length = {length!r}"


def angle_line(entry: str, names: list[str]) -> str:
    atoms, (function, angle, constant) = _term(entry, names, 2)
    return f"{atoms}, angle = {angle!r}, force_constant = {constant!r}, function = {function}"


def dihedral_line(entry: str, names: list[str]) -> str:
    periodic = entry.split(":")[1] != "2"
    atoms, (function, angle, constant, *rest) = _term(entry, names, 3 if periodic else 2)
    multiplicity = f", multiplicity = {int(rest[0])}" if periodic else ""
    return f"{atoms}, angle = {angle!r}, force_constant = {constant!r}{multiplicity}, function = {function}"


def exclusion_lines(text: str, names: list[str]) -> list[str]:
    """GROMACS rows (first bead excludes all others of its row) as pairs of names."""
    pairs = [(row.split()[0], other) for row in split(text) for other in row.split()[1:]]
    lines = [f"  [{toml_value(names[int(a) - 1])}, {toml_value(names[int(b) - 1])}]," for a, b in pairs]
    return ["exclusions = [", *lines, "]", ""] if lines else []
