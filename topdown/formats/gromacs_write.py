"""GROMACS topologies: one ``.top`` that includes real ``.itp`` files, coordinates, index and run parameters.

Numbers are written with ``repr``, so that reading them back gives the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from topdown.errors import TopologyError
from topdown.formats.atomic import atomic_write_text
from topdown.formats.gro import gro_text
from topdown.formats.mdp import RunSettings, dynamics_mdp, minimization_mdp, single_point_mdp
from topdown.formats.naming import bead_names, component_names, one_line, plain, short_names
from topdown.formats.ndx import index_text
from topdown.model import BeadTable, CGMolecule, System

#: Force constant [kJ/mol/nm²] of the bonds that stand in for constraints while minimising.
STIFF_BOND = 1.0e5

_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,15}")


def _numbers(*values: float) -> str:
    return " ".join(repr(float(value)) for value in values)


def _row(atoms: Sequence[int], function: int, *rest: str) -> str:
    return " ".join(f"{atom + 1:4d}" for atom in atoms) + "".join(f" {word}" for word in (str(function), *rest))


def _section(name: str, columns: str, rows: Sequence[str]) -> Iterator[str]:
    if rows:
        yield from ("", f"[ {name} ]", f"; {columns}", *rows)


def molecule_itp(molecule: CGMolecule, table: BeadTable | None = None, *, name: str | None = None) -> str:
    """The ``.itp`` of one molecule.

    Constraints stand under ``#ifndef FLEXIBLE``, with stiff bonds under ``#else`` for minimisation. Bead reasons go
    along as comments.

    Parameters
    ----------
    molecule : CGMolecule
        Its positions play no part.
    table : BeadTable, optional
        When given, every bead type must be in it.
    name : str, optional
        Name of the molecule in the file; by default its own, shortened to five plain characters.

    Raises
    ------
    TopologyError
        A bead type whose name GROMACS could not read, or a bead without mass.
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
    lines += _constraints(molecule)
    angles = [_row(a.atoms, a.function, _numbers(a.angle, a.force_constant)) for a in molecule.angles]
    lines += _section("angles", "i j k funct angle force_constant", angles)
    dihedrals = [
        _row(
            d.atoms,
            d.function,
            _numbers(d.angle, d.force_constant),
            *([] if d.function == 2 else [str(d.multiplicity)]),
        )
        for d in molecule.dihedrals
    ]
    lines += _section("dihedrals", "i j k l funct angle force_constant multiplicity", dihedrals)
    lines += _section("exclusions", "i j…", _exclusions(molecule))
    return "\n".join(lines) + "\n"


def _check(molecule: CGMolecule, table: BeadTable | None) -> None:
    for bead in molecule.beads:
        if not _TYPE_NAME.fullmatch(bead.bead_type):
            raise TopologyError(
                f"bead type {bead.bead_type!r} cannot be written",
                where=molecule.name,
                hint="letters, digits, + - _ only",
            )
        if not bead.mass > 0:
            raise TopologyError(f"bead {bead.name} has mass {bead.mass}", where=molecule.name)
        if table is not None:
            table.index(bead.bead_type)


def _atoms(molecule: CGMolecule, label: str) -> list[str]:
    rows = []
    for number, (bead, name) in enumerate(zip(molecule.beads, bead_names(molecule)), start=1):
        row = (
            f"{number:4d} {bead.bead_type:<6s} 1 {label:<5s} {name:<5s} {number:4d} {_numbers(bead.charge, bead.mass)}"
        )
        rows.append(f"{row} ; {one_line(bead.reason)}" if bead.reason else row)
    return ["", "[ atoms ]", "; nr type resnr residue atom cgnr charge mass", *rows]


def _constraints(molecule: CGMolecule) -> list[str]:
    if not molecule.constraints:
        return []
    rigid = [_row(c.atoms, 1, _numbers(c.length)) for c in molecule.constraints]
    flexible = [_row(c.atoms, 1, _numbers(c.length, STIFF_BOND)) for c in molecule.constraints]
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


def topology_texts(system: System, *, name: str = "system") -> dict[str, str]:
    """All files of the topology, file name → text: ``NAME.top``, the force field, and one ``.itp`` per molecule.

    Raises
    ------
    TopologyError
        A name or mass that GROMACS could not read.
    """
    used = [(m, label) for (m, count), label in zip(system.components, component_names(system)) if count]
    table = system.table.subset(bead.bead_type for molecule, _ in used for bead in molecule.beads)
    force_field = f"{plain(table.name, default='table')}_forcefield.itp"
    files = {force_field: force_field_itp(table)}
    for molecule, label in used:
        if f"{label}.itp" not in files:
            files[f"{label}.itp"] = molecule_itp(molecule, table, name=label)
    title = one_line(system.title, limit=120) or "topdown"
    lines = [*(f'#include "{file}"' for file in files), "", "[ system ]", title.lstrip("[#; ") or "topdown", ""]
    lines += ["[ molecules ]", *(f"{label:<5s} {count}" for label, count in _merged_counts(system))]
    return {f"{plain(name, default='system')}.top": "\n".join(lines) + "\n", **files}


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
        Of the positions in the ``.gro`` file.
    groups : mapping of str to bead indices (from 0), optional
        Further index groups, for instance ``Solvent``.
    settings : RunSettings, optional
        Temperature, pressure coupling and lengths in the ``.mdp`` files.

    Returns
    -------
    dict
        ``top``, ``gro``, ``ndx``, ``em``, ``eq``, ``md``, ``single_point``, and each ``.itp`` by its file name → path.

    Raises
    ------
    TopologyError, SettingsError
        Names, masses, groups or coordinates that cannot be written.
    """
    folder, settings = Path(folder), settings or RunSettings()
    topology = topology_texts(system, name=name)
    stem = plain(name, default="system")
    texts = {file: (file, text) for file, text in topology.items() if file.endswith(".itp")}
    texts |= {
        "top": (f"{stem}.top", topology[f"{stem}.top"]),
        "gro": (f"{stem}.gro", gro_text(system, decimals=decimals)),
        "ndx": ("index.ndx", index_text(system, groups)),
        "em": ("em.mdp", minimization_mdp(system)),
        "eq": ("eq.mdp", dynamics_mdp(system, settings, length=settings.equilibration, first=True)),
        "md": ("md.mdp", dynamics_mdp(system, settings, length=settings.production, first=False)),
        "single_point": ("single_point.mdp", single_point_mdp(system)),
    }
    return {key: atomic_write_text(folder / file, text) for key, (file, text) in texts.items()}
