"""Curated models: rows of ``lipids/lipids.csv`` become ``bead_tables/<name>/molecules/*.toml``."""

from __future__ import annotations

import csv
from pathlib import Path

from rdkit import Chem, RDLogger
from rdkit.Chem.Descriptors import MolWt

from topdown.model import Angle, Bead, BeadType, Bond, CGMolecule, Constraint, Construction, Dihedral, VirtualSite
from topdown.tables.molecule_writer import molecule_toml, write_molecule
from topdown.tables.molecules import CuratedMolecule, read_molecule

RDLogger.DisableLog("rdApp.*")

#: Collections of the source: the table that takes their models, and what is added to their names there.
COLLECTIONS = {"M2": ("martini2", ""), "M3": ("martini3", ""), "M3-2021(v1)": ("martini3", "_2021")}
#: Collections that no table can take, and why.
REFUSED = {
    "M2P": "another force field: bead types POL and D, eps_r 2.5, particle-mesh Ewald; the record lacks its W-D constraints"
}
#: Second models of one molecule in one collection, by the file they come from: what is added to their names.
VARIANTS = {"maccallumlab/martini_openmm:cholesterol/openmm_CHOL.itp": "_RIGID"}
#: Columns that make the model: rows of one name must agree in them.
MODEL_COLUMNS = (
    "beads_idx_name_type_charge",
    "bonds_ij_funct_r0nm_k",
    "constraints_ij_funct_r0nm",
    "angles_ijk_funct_theta0deg_k",
    "dihedrals_ijkl",
    "virtual_sites",
    "exclusions",
    "nrexcl",
)
#: All columns this script knows; one more would be something it passes over.
COLUMNS = {
    *MODEL_COLUMNS,
    *("ff", "name", "group", "n_beads", "net_charge", "smiles", "source", "licence", "cite", "note"),
}
PUBLISHED = "published parameters (facts), see citation"
_MARRINK_2007 = "S. J. Marrink et al., J. Phys. Chem. B 111, 7812 (2007), doi:10.1021/jp071097f"
_SOUZA_2021 = "P. C. T. Souza et al., Nat. Methods 18, 382 (2021), doi:10.1038/s41592-021-01098-3"
_MELO_2015 = "M. N. Melo, H. I. Ingólfsson, S. J. Marrink, J. Chem. Phys. 143, 243152 (2015), doi:10.1063/1.4937783"
#: Full references of the short ones in the source.
CITATIONS = {
    "Marrink 2007": _MARRINK_2007,
    "Souza 2021": _SOUZA_2021,
    "Souza 2021 10.1038/s41592-021-01098-3": _SOUZA_2021,
    "Pedersen 2025 10.1021/acscentsci.5c00755": "K. B. Pedersen et al., ACS Cent. Sci. (2025), doi:10.1021/acscentsci.5c00755",
    "Marrink 2007 10.1021/jp071097f; Wassenaar 2015 10.1021/acs.jctc.5b00209": (
        f"{_MARRINK_2007}; T. A. Wassenaar et al., J. Chem. Theory Comput. 11, 2144 (2015), doi:10.1021/acs.jctc.5b00209"
    ),
    "Ingolfsson 2014 10.1021/ja507832e": (
        f"{_MELO_2015}; H. I. Ingólfsson et al., J. Am. Chem. Soc. 136, 14554 (2014), doi:10.1021/ja507832e"
    ),
    "martini_openmm paper PMC10398343": (
        f"{_MELO_2015}; J. L. MacCallum et al., Biophys. J. 122, 2864 (2023), doi:10.1016/j.bpj.2023.04.007"
    ),
    "Borges-Araujo 2023 chemrxiv-2023-lh7bq (as cited in the itp)": (
        "L. Borges-Araújo et al., J. Chem. Theory Comput. 19, 7387 (2023), doi:10.1021/acs.jctc.3c00547"
    ),
}
#: The molecule a shared model is named after comes first.
MAIN_CHEMISTRY = {("martini2", "DPPC"): "DPPC", ("martini2", "DLPC"): "DLPC(12:0/12:0)"}
#: Real molecules in one model.
WATERS_PER_BEAD = 4
#: Ions the source lists without SMILES although their name and charge say what they are.
KNOWN_IONS = {("martini2", "CA"): "[Ca+2]"}
#: Virtual sites built from three beads: GROMACS's function to the construction.
THREE_BEAD_SITES: dict[str, Construction] = {"1": "3", "2": "3fd", "3": "3fad", "4": "3out"}


def canonical(smiles: str) -> str:
    """RDKit's canonical isomeric SMILES."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise SystemExit(f"RDKit cannot read {smiles!r}")
    return str(Chem.MolToSmiles(molecule))


def molar_mass(smiles: str, n_molecules: int = 1) -> float:
    """Molar mass [g/mol] from RDKit's standard atomic weights."""
    return round(n_molecules * float(MolWt(Chem.MolFromSmiles(smiles))), 3)


def sort_rows(source: Path) -> tuple[dict[tuple[str, str], list[dict[str, str]]], list[str]]:
    """Every row of the source: those that make models, by table and name, and those refused, with the reason."""
    with (source / "lipids" / "lipids.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    models: dict[tuple[str, str], list[dict[str, str]]] = {}
    refused = []
    for row in rows:
        if set(row) != COLUMNS:
            raise SystemExit(f"lipids.csv has other columns than expected: {sorted(set(row) ^ COLUMNS)}")
        if row["ff"] in REFUSED:
            refused.append(f"{row['ff']} {row['name']}: {REFUSED[row['ff']]}")
        else:
            table, suffix = COLLECTIONS[row["ff"]]
            name = row["name"] + suffix + VARIANTS.get(row["source"], "")
            models.setdefault((table, name), []).append(row)
    return models, refused


def write_molecules(source: Path, table_folder: Path, types: tuple[BeadType, ...]) -> list[str]:
    """Write the models of one table, drop those it no longer has, read all of them back; returns report lines."""
    table = table_folder.name
    models, refused = sort_rows(source)
    grouped = {name: same for (owner, name), same in models.items() if owner == table}
    folder = table_folder / "molecules"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.toml"):
        if stale.stem not in grouped:
            stale.unlink()
    for name, same in sorted(grouped.items()):
        path = write_molecule(curated_model(table, name, same, types), folder, bead_types=types)
        back = read_molecule(path, types, table=table)
        if molecule_toml(back, bead_types=types) != path.read_text(encoding="utf-8"):
            raise SystemExit(f"{path} does not read back as written")
        if back.model.n_beads != int(same[0]["n_beads"]) or back.model.charge != float(same[0]["net_charge"]):
            raise SystemExit(f"{path} has {back.model.n_beads} beads and charge {back.model.charge}")
    n_rows = sum(map(len, grouped.values()))
    report = [f"{table}: {len(grouped)} curated models from {n_rows} rows"]
    return report + [f"left out, {line}" for line in refused if table == "martini2"]


def split(text: str) -> list[str]:
    """Entries of a ``;``-separated list."""
    return [part.strip() for part in text.split(";") if part.strip()]


def curated_model(table: str, name: str, same: list[dict[str, str]], types: tuple[BeadType, ...]) -> CuratedMolecule:
    """The model of the row(s) of one name."""
    same = sorted(same, key=lambda row: chemistry(row) != MAIN_CHEMISTRY.get((table, name), chemistry(row)))
    first = same[0]
    if any(row[column] != first[column] for row in same for column in MODEL_COLUMNS):
        raise SystemExit(f"{table} {name}: rows of one name with different models")
    smiles = tuple(text for row in same if (text := row["smiles"] or KNOWN_IONS.get((table, name), "")))
    n_molecules = WATERS_PER_BEAD if smiles == ("O",) else 1
    masses = {bead_type.name: bead_type.mass for bead_type in types}
    model = CGMolecule(
        name=name,
        beads=beads_of(first, masses),
        bonds=tuple(bond(entry) for entry in split(first["bonds_ij_funct_r0nm_k"])),
        constraints=tuple(constraint(entry) for entry in split(first["constraints_ij_funct_r0nm"])),
        angles=tuple(angle(entry) for entry in split(first["angles_ijk_funct_theta0deg_k"])),
        dihedrals=tuple(dihedral(entry) for entry in split(first["dihedrals_ijkl"])),
        virtual_sites=tuple(virtual_site(entry) for entry in split(first["virtual_sites"])),
        exclusions=exclusions(first["exclusions"]),
        nrexcl=int(first["nrexcl"]),
        table=table,
    )
    return CuratedMolecule(
        model=model,
        group=first["group"],
        smiles=smiles,
        canonical_smiles=tuple(canonical(text) for text in smiles),
        molar_masses=tuple(molar_mass(text, n_molecules) for text in smiles),
        n_molecules=n_molecules,
        description=describe(table, name, same, n_molecules),
        source=first["source"],
        licence="Apache-2.0" if first["licence"] == "Apache-2.0" else PUBLISHED,
        citation=CITATIONS[first["cite"]],
        note=note(same),
        path=Path(),
    )


def chemistry(row: dict[str, str]) -> str:
    """``DPPC`` out of a note that ends in ``chemistry=DPPC``."""
    return row["note"].rpartition("chemistry=")[2].strip() if "chemistry=" in row["note"] else ""


def describe(table: str, name: str, same: list[dict[str, str]], n_molecules: int) -> str:
    """One line: what the model stands for."""
    if n_molecules > 1:
        return f"{n_molecules} water molecules in one bead" + (", antifreeze" if name == "WF" else "")
    stands_for = [text for row in same if (text := chemistry(row) or row["smiles"])]
    if same[0]["name"] == "CHOL":
        stands_for = ["cholesterol"]
    return " and ".join(stands_for) or f"{same[0]['group']} model of {table}"


def note(same: list[dict[str, str]]) -> str:
    """The remarks of all rows, without the chemistry."""
    parts = [row["note"].partition("| chemistry=")[0].strip(" |") for row in same]
    return "; ".join(dict.fromkeys(part for part in parts if part and not part.startswith("chemistry=")))


def beads_of(row: dict[str, str], masses: dict[str, float]) -> tuple[Bead, ...]:
    """The beads; a name used twice gets a number, as terms of a molecule file refer to names."""
    parsed = [entry.split(":") for entry in split(row["beads_idx_name_type_charge"])]
    if [int(fields[0]) for fields in parsed] != list(range(1, len(parsed) + 1)):
        raise SystemExit(f"{row['name']}: beads are not numbered from 1")
    given = [fields[1] for fields in parsed]
    names = [name if given.count(name) == 1 else f"{name}{given[: k + 1].count(name)}" for k, name in enumerate(given)]
    if len(set(names)) != len(names):
        raise SystemExit(f"{row['name']}: bead names {names} clash")
    beads = []
    for name, (_, _, kind, charge, *rest) in zip(names, parsed, strict=True):
        if len(rest) > 1 or any(not extra.startswith("m=") for extra in rest):
            raise SystemExit(f"{row['name']}: {rest!r} is not a mass")
        mass = float(rest[0][2:]) if rest else masses[kind]
        beads.append(Bead(name=name, bead_type=kind, charge=float(charge), mass=mass))
    return tuple(beads)


def _term(entry: str, n_values: tuple[int, ...]) -> tuple[tuple[int, ...], int, list[float]]:
    """Beads (0-based), function and parameters of ``1-2:1:0.47:1250``."""
    atoms, function, *values = entry.split(":")
    if len(values) not in n_values:
        raise SystemExit(f"{entry!r} has {len(values)} parameters, expected {n_values}")
    return tuple(int(k) - 1 for k in atoms.split("-")), int(function), [float(value) for value in values]


def bond(entry: str) -> Bond:
    """``i-j:function:length:constant``."""
    (i, j), function, (length, constant) = _term(entry, (2,))
    return Bond(atoms=(i, j), length=length, force_constant=constant, function=function)


def constraint(entry: str) -> Constraint:
    """``i-j:function:length``; a force constant behind it is for those who replace constraints by stiff bonds."""
    (i, j), function, (length, *_) = _term(entry, (1, 2))
    return Constraint(atoms=(i, j), length=length, function=function)


def angle(entry: str) -> Angle:
    """``i-j-k:function:angle:constant``."""
    (i, j, k), function, (value, constant) = _term(entry, (2,))
    return Angle(atoms=(i, j, k), angle=value, force_constant=constant, function=function)


def dihedral(entry: str) -> Dihedral:
    """``i-j-k-l:function:angle:constant``, for proper ones with a multiplicity."""
    proper = entry.split(":")[1] in ("1", "9")
    (i, j, k, last), function, (value, constant, *rest) = _term(entry, (3 if proper else 2,))
    if not proper and function != 2:
        raise SystemExit(f"{entry!r}: dihedrals of function {function} are not known here")
    multiplicity = int(rest[0]) if rest else 0
    return Dihedral(
        atoms=(i, j, k, last), angle=value, force_constant=constant, multiplicity=multiplicity, function=function
    )


def virtual_site(entry: str) -> VirtualSite:
    """``vs3 site i j k function parameters…``."""
    kind, site, i, j, k, function, *values = entry.split()
    if kind != "vs3":
        raise SystemExit(f"{entry!r}: only sites of three beads are known here")
    return VirtualSite(
        site=int(site) - 1,
        construction=THREE_BEAD_SITES[function],
        atoms=(int(i) - 1, int(j) - 1, int(k) - 1),
        parameters=tuple(float(value) for value in values),
    )


def exclusions(text: str) -> tuple[tuple[int, int], ...]:
    """Rows as in GROMACS: the first bead excludes all others of its row."""
    rows = [[int(word) - 1 for word in row.split()] for row in split(text)]
    return tuple(sorted({(min(row[0], other), max(row[0], other)) for row in rows for other in row[1:]}))
