"""GROMACS topologies: one ``.top`` that includes real ``.itp`` files, coordinates, index and run parameters.

Numbers are written with ``repr``, so that reading them back gives the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from topdown.errors import TopologyError
from topdown.formats.angle_tables import same_table, table_name, table_text
from topdown.formats.gro import gro_text, reference_gro_text
from topdown.formats.mdp import RunSettings, dynamics_mdp, minimization_mdp, single_point_mdp
from topdown.formats.naming import bead_names, component_names, one_line, plain, residue_names, short_names
from topdown.formats.ndx import index_text
from topdown.model import BeadTable, CGMolecule, Construction, Dihedral, System, TabulatedPotential, VirtualSite
from topdown.resources import atomic_write_text

#: Force constant [kJ/mol/nm²] of the bonds that stand in for constraints while minimising.
STIFF_BOND = 1.0e5

_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}")


def _numbers(*values: float) -> str:
    return " ".join(repr(float(value)) for value in values)


def _row(atoms: Sequence[int], function: int, *rest: str) -> str:
    return " ".join(f"{atom + 1:4d}" for atom in atoms) + "".join(f" {word}" for word in (str(function), *rest))


def _section(name: str, columns: str, rows: Sequence[str]) -> Iterator[str]:
    if rows:
        yield from ("", f"[ {name} ]", f"; {columns}", *rows)


def molecule_itp(
    molecule: CGMolecule,
    table: BeadTable | None = None,
    *,
    name: str | None = None,
    tables: Sequence[TabulatedPotential] = (),
) -> str:
    """The ``.itp`` of one molecule.

    Constraints stand under ``#ifndef FLEXIBLE``, with stiff bonds under ``#else`` for minimisation; restraints stand
    unconditionally. Bead reasons go along as comments.

    Parameters
    ----------
    molecule : CGMolecule
        Its positions play no part.
    table : BeadTable, optional
        When given, every bead type must be in it.
    name : str, optional
        Name of the molecule in the file; by default its own, shortened to five plain characters.
    tables : TabulatedPotentials, optional
        Tables of the whole system, already numbered; those of the molecule have their own numbers otherwise.

    Raises
    ------
    TopologyError
        A bead type whose name GROMACS could not read, a bead without mass that is no virtual site, or a virtual site with
        negative weights.
    BeadTableError
        A bead type that ``table`` does not hold.
    """
    _check(molecule, table)
    label = short_names([name or molecule.name])[0]
    lines = [f"; {one_line(molecule.name) or label}"]
    if molecule.smiles:
        lines.append(f"; SMILES {one_line(molecule.smiles, limit=2000)}")
    if molecule.table:
        lines.append(f"; bead table {one_line(molecule.table)}")
    lines += [f"; warning: {one_line(warning)}" for warning in molecule.warnings]
    lines += ["", "[ moleculetype ]", "; name nrexcl", f"{label} {molecule.nrexcl}"]
    lines += _atoms(molecule, label)
    bonds = [_row(b.atoms, b.function, _numbers(b.length, b.force_constant)) for b in molecule.bonds]
    lines += _section("bonds", "i j funct length force_constant", bonds)
    if molecule.exclusions and not bonds and not molecule.constraints:
        lines += ["", "[ bonds ]"]  # GROMACS takes [ exclusions ] only after such a section
    lines += _constraints(molecule)
    lines += _section("angles", "i j k funct angle force_constant", _angles(molecule, tables))
    dihedrals = [_row(d.atoms, d.function, *_dihedral_parameters(d)) for d in molecule.dihedrals]
    lines += _section("dihedrals", "i j k l funct angle force_constant multiplicity", dihedrals)
    lines += _virtual_sites(molecule)
    lines += _section("position_restraints", "i funct k_x k_y k_z, or g r k", _restraints(molecule))
    lines += _section("exclusions", "i j…", _exclusions(molecule))
    return "\n".join(lines) + "\n"


def _angles(molecule: CGMolecule, tables: Sequence[TabulatedPotential]) -> list[str]:
    rows = []
    for angle in molecule.angles:
        first = _numbers(angle.angle)
        if angle.table is not None:
            numbered = next((t for t in tables if same_table(t, angle.table)), angle.table)
            first = str(numbered.number)
        rows.append(_row(angle.atoms, angle.function, first, _numbers(angle.force_constant)))
    return rows


def _dihedral_parameters(dihedral: Dihedral) -> tuple[str, ...]:
    if dihedral.function == 3:
        return (_numbers(*dihedral.coefficients),)
    if dihedral.function == 11:
        return (_numbers(dihedral.force_constant, *dihedral.coefficients),)
    multiplicity = () if dihedral.function == 2 else (str(dihedral.multiplicity),)
    return (_numbers(dihedral.angle, dihedral.force_constant), *multiplicity)


#: Construction → section and function; ``n`` is written apart.
_SITES: Mapping[Construction, tuple[str, int]] = {
    "2": ("virtual_sites2", 1),
    "2fd": ("virtual_sites2", 2),
    "3": ("virtual_sites3", 1),
    "3fd": ("virtual_sites3", 2),
    "3fad": ("virtual_sites3", 3),
    "3out": ("virtual_sites3", 4),
    "4fdn": ("virtual_sites4", 2),
    "n": ("virtual_sitesn", 3),
}


def _site_row(site: VirtualSite) -> str:
    if site.construction != "n":
        return _row((site.site, *site.atoms), _SITES[site.construction][1], _numbers(*site.parameters))
    if all(weight == 1.0 for weight in site.parameters):
        return f"{site.site + 1:4d} 1 " + " ".join(f"{atom + 1:4d}" for atom in site.atoms)
    pairs = (f"{atom + 1:4d} {_numbers(weight)}" for atom, weight in zip(site.atoms, site.parameters))
    return f"{site.site + 1:4d} 3 " + " ".join(pairs)


def _virtual_sites(molecule: CGMolecule) -> Iterator[str]:
    sections: dict[str, list[str]] = {}
    for site in molecule.virtual_sites:
        if site.construction == "n" and min(site.parameters) < 0:
            raise TopologyError(
                f"virtual site {site.site + 1} has a negative weight", where=molecule.name, hint="GROMACS refuses it"
            )
        sections.setdefault(_SITES[site.construction][0], []).append(_site_row(site))
    for name in sorted(sections):
        columns = "site funct i j…, weights in between" if name == "virtual_sitesn" else "site i j… funct parameters"
        yield from _section(name, columns, sections[name])


def _restraints(molecule: CGMolecule) -> list[str]:
    harmonic = [_row((r.atom,), 1, _numbers(*r.force_constants)) for r in molecule.position_restraints]
    flat = [
        _row((r.atom,), 2, str(r.geometry), _numbers(r.radius, r.force_constant))
        for r in molecule.flat_bottom_restraints
    ]
    return harmonic + flat


def _check(molecule: CGMolecule, table: BeadTable | None) -> None:
    sites = {site.site for site in molecule.virtual_sites}
    for k, bead in enumerate(molecule.beads):
        if not _TYPE_NAME.fullmatch(bead.bead_type):
            raise TopologyError(
                f"bead type {bead.bead_type!r} cannot be written",
                where=molecule.name,
                hint="letters, digits, + - _ only",
            )
        if not bead.mass > 0 and k not in sites:
            raise TopologyError(f"bead {bead.name} has mass {bead.mass}", where=molecule.name)
        if table is not None:
            table.index(bead.bead_type)


def _atoms(molecule: CGMolecule, label: str) -> list[str]:
    rows = []
    named = zip(molecule.beads, bead_names(molecule), residue_names(molecule, label))
    for number, (bead, name, residue) in enumerate(named, start=1):
        place = f"{bead.residue_number} {residue:<5s} {name:<5s}"
        row = f"{number:4d} {bead.bead_type:<6s} {place} {number:4d} {_numbers(bead.charge, bead.mass)}"
        rows.append(f"{row} ; {one_line(bead.reason)}" if bead.reason else row)
    return ["", "[ atoms ]", "; nr type resnr residue atom cgnr charge mass", *rows]


def _constraints(molecule: CGMolecule) -> list[str]:
    if not molecule.constraints:
        return []
    rigid = [_row(c.atoms, c.function, _numbers(c.length)) for c in molecule.constraints]
    bond = {1: 1, 2: 6}  # a constraint without exclusion becomes a bond without exclusion
    flexible = [_row(c.atoms, bond[c.function], _numbers(c.length, STIFF_BOND)) for c in molecule.constraints]
    return [
        "",
        "#ifndef FLEXIBLE",
        "[ constraints ]",
        "; i j funct length",
        *rigid,
        "#else",
        "[ bonds ]",
        "; i j funct length force_constant",
        *flexible,
        "#endif",
    ]


def _exclusions(molecule: CGMolecule) -> list[str]:
    partners: dict[int, set[int]] = {}
    for i, j in molecule.exclusions:
        partners.setdefault(min(i, j), set()).add(max(i, j))
    return [" ".join(f"{k + 1:4d}" for k in (i, *sorted(partners[i]))) for i in sorted(partners)]


def force_field_itp(table: BeadTable) -> str:
    """The ``.itp`` of a bead table: five-field ``[ defaults ]`` and every pair of types spelled out as σ and ε.

    Combination rule 2 is named only because GROMACS then reads σ and ε: no pair is left to be combined.
    """
    lines = [f"; bead table {one_line(table.name)} version {one_line(table.version)}"]
    provenance = table.provenance
    for word, text in (("source", provenance.source), ("licence", provenance.licence), ("cite", provenance.citation)):
        if text:
            lines.append(f"; {word}: {one_line(text)}")
    lines += ["", "[ defaults ]", "; nbfunc comb-rule gen-pairs fudgeLJ fudgeQQ", "1 2 no 1.0 1.0"]
    types = table.bead_types
    for bead_type in types:
        if not _TYPE_NAME.fullmatch(bead_type.name):
            raise TopologyError(f"bead type {bead_type.name!r} cannot be written", where=table.name)
    rows = [f"{t.name:<6s} {_numbers(t.mass, t.charge)} A {_numbers(*table.pair(t.name, t.name))}" for t in types]
    lines += ["", "[ atomtypes ]", "; name mass charge ptype sigma epsilon", *rows]
    lines += ["", "[ nonbond_params ]", "; i j funct sigma epsilon"]
    for i, a in enumerate(types):
        lines += [
            f"{a.name:<6s} {b.name:<6s} 1 {_numbers(table.sigma[i, j], table.epsilon[i, j])}"
            for j, b in enumerate(types[: i + 1])
        ]
    return "\n".join(lines) + "\n"


def _merged_counts(system: System) -> list[tuple[str, int]]:
    """Names and counts of the components, neighbours of the same name added up, empty ones left out."""
    merged: list[tuple[str, int]] = []
    for (_, count), name in zip(system.components, component_names(system)):
        if count and merged and merged[-1][0] == name:
            merged[-1] = (name, merged[-1][1] + count)
        elif count:
            merged.append((name, count))
    return merged


def _numbered_tables(system: System) -> tuple[TabulatedPotential, ...]:
    """Each distinct angle table once, with its own number where that is free, else the next free one."""
    numbered: list[TabulatedPotential] = []
    for molecule, count in system.components:
        for table in (angle.table for angle in molecule.angles if count and angle.table is not None):
            if any(same_table(table, other) for other in numbered):
                continue
            taken, number = {other.number for other in numbered}, table.number
            while number in taken:
                number += 1
            numbered.append(replace(table, number=number))
    return tuple(numbered)


def has_restraints(system: System) -> bool:
    """Whether any molecule of the system is restrained to a place."""
    return any(count and (m.position_restraints or m.flat_bottom_restraints) for m, count in system.components)


def topology_texts(system: System, *, name: str = "system") -> dict[str, str]:
    """All files of the topology, file name → text: ``NAME.top``, the force field, one ``.itp`` per molecule, angle tables.

    Raises
    ------
    TopologyError
        A name, mass, virtual site or table that GROMACS could not read.
    """
    used = [(m, label) for (m, count), label in zip(system.components, component_names(system)) if count]
    table = system.table.subset(bead.bead_type for molecule, _ in used for bead in molecule.beads)
    tables = _numbered_tables(system)
    stem = plain(name, default="system")
    force_field = f"{plain(table.name, default='table')}_forcefield.itp"
    files = {force_field: force_field_itp(table)}
    for molecule, label in used:
        if f"{label}.itp" not in files:
            files[f"{label}.itp"] = molecule_itp(molecule, table, name=label, tables=tables)
    title = one_line(system.title, limit=120) or "topdown"
    lines = [f'#include "{file}"' for file in files]
    if has_restraints(system):
        lines.append(f"; position restraints: gmx grompp -r {stem}_reference.gro")
    if tables:
        lines.append("; tabulated angles: gmx mdrun -tableb " + " ".join(table_name(t.number) for t in tables))
    lines += ["", "[ system ]", title.lstrip("[#; ") or "topdown", ""]
    lines += ["[ molecules ]", *(f"{label:<5s} {count}" for label, count in _merged_counts(system))]
    texts = {table_name(t.number): table_text(t) for t in tables}
    return {f"{stem}.top": "\n".join(lines) + "\n", **files, **texts}


def write_gromacs(
    system: System,
    folder: Path | str,
    *,
    name: str = "system",
    decimals: int = 3,
    groups: Mapping[str, Sequence[int]] | None = None,
    settings: RunSettings | None = None,
) -> dict[str, Path]:
    """Write everything GROMACS needs to run ``system``; every text is made before the first file is written.

    Parameters
    ----------
    system : System
        Only bead types in use are written.
    folder : path
        Made when missing; files of the same name are replaced, each in one step.
    name : str
        Stem of the ``.top`` and ``.gro`` file, reduced to plain characters.
    decimals : int
        Of the positions in the ``.gro`` files.
    groups : mapping of str to bead indices (from 0), optional
        Further index groups, for instance ``Solvent``.
    settings : RunSettings, optional
        Temperature, pressure coupling and lengths in the ``.mdp`` files.

    Returns
    -------
    dict
        ``top``, ``gro``, ``ndx``, ``em``, ``eq``, ``md``, ``single_point``, ``reference`` where there are restraints, and each
        ``.itp`` and ``.xvg`` by its file name → path.

    Raises
    ------
    TopologyError, SettingsError
        Names, masses, groups or coordinates that cannot be written.
    """
    folder, settings = Path(folder), settings or RunSettings()
    topology = topology_texts(system, name=name)
    stem = plain(name, default="system")
    texts = {file: (file, text) for file, text in topology.items() if not file.endswith(".top")}
    texts |= {
        "top": (f"{stem}.top", topology[f"{stem}.top"]),
        "gro": (f"{stem}.gro", gro_text(system, decimals=decimals)),
        "ndx": ("index.ndx", index_text(system, groups)),
        "em": ("em.mdp", minimization_mdp(system)),
        "eq": ("eq.mdp", dynamics_mdp(system, settings, length=settings.equilibration, first=True)),
        "md": ("md.mdp", dynamics_mdp(system, settings, length=settings.production, first=False)),
        "single_point": ("single_point.mdp", single_point_mdp(system)),
    }
    if has_restraints(system):
        texts["reference"] = (f"{stem}_reference.gro", reference_gro_text(system, decimals=decimals))
    return {key: atomic_write_text(folder / file, text) for key, (file, text) in texts.items()}
