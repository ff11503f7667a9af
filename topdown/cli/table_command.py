"""``topdown table``: list, show, check and compare bead tables."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from topdown.cli.printing import echo_json

if TYPE_CHECKING:
    from topdown.report.table_text import Paint
    from topdown.tables import CuratedMolecule
    from topdown.tables.folder import TableHeader
    from topdown.workflows.tables import TableSummary, TableView

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """List, show, check and compare bead tables."""


@command.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List the tables that come with topdown."""
    from topdown.workflows.tables import list_tables

    tables = list_tables()
    if as_json:
        echo_json({"tables": [_summary_json(summary) for summary in tables]})
        return
    width = max(len(summary.header.name) for summary in tables)
    for summary in tables:
        header = summary.header
        click.echo(f"{header.name:<{width}}  {header.version:<6} {_counts(summary)}")
        click.echo(f"{'':<{width}}  {header.description}")
        click.echo(f"{'':<{width}}  {header.provenance.citation}")
        click.echo(f"{'':<{width}}  licence: {header.provenance.licence}")


@command.command(short_help="Draw the matrix of a table; print a pair of types, or curated models.")
@click.argument("table")
@click.argument("pair", nargs=-1, metavar="[TYPE TYPE]")
@click.option("--types", metavar="TYPE,…", help="Bead types to draw.  [default: regular types without labels]")
@click.option("--sigma", is_flag=True, help="Draw sigma [nm] in place of epsilon [kJ/mol].")
@click.option("--molecules", is_flag=True, help="List the curated models of the table.")
@click.option("--molecule", metavar="NAME", help="Print one curated model: beads, bonded terms, virtual sites.")
@_JSON
def show(
    table: str,
    pair: tuple[str, ...],
    types: str | None,
    sigma: bool,
    molecules: bool,
    molecule: str | None,
    as_json: bool,
) -> None:
    """Draw the interaction matrix of TABLE (a name or a folder), or print one pair of types, or its curated models."""
    from topdown.workflows.tables import show_table

    if molecules or molecule is not None:
        if pair or types is not None or sigma or (molecules and molecule is not None):
            raise click.UsageError("--molecules and --molecule stand alone")
        _show_molecules(table, molecule, as_json)
        return
    if len(pair) not in (0, 2) or (pair and types is not None):
        raise click.UsageError("give two bead types, or choose several with --types A,B,C")
    if pair:
        view = show_table(table, pair)
        length, depth = view.table.pair(*pair)
        if as_json:
            echo_json({"table": view.table.name, "pair": list(pair), "sigma": length, "epsilon": depth})
        else:
            click.echo(f"{pair[0]} {pair[1]}: sigma {length:g} nm, epsilon {depth:g} kJ/mol")
        return
    view = show_table(table, _split_types(types))
    if as_json:
        echo_json(_view_json(view))
    else:
        _draw(view, sigma)


@command.command(short_help="Read every file of a table and say what is wrong.")
@click.argument("table")
@_JSON
def check(table: str, as_json: bool) -> None:
    """Read every file of TABLE (a name or a folder); exit code 2 and one line if something is wrong."""
    from topdown.workflows.tables import check_table

    result = check_table(table)
    if as_json:
        echo_json({**_summary_json(result.summary), "ok": True, "remarks": list(result.remarks)})
        return
    click.echo(f"{result.summary.header.name} {result.summary.header.version}: ok, {_counts(result.summary)}")
    for remark in result.remarks:
        click.echo(f"  note: {remark}")


@command.command(short_help="List the pairs that differ between two tables.")
@click.argument("a")
@click.argument("b")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Print only this many pairs, those that changed most."
)
@_JSON
def diff(a: str, b: str, limit: int | None, as_json: bool) -> None:
    """List the pairs that changed from table A to table B, largest change of epsilon first."""
    from topdown.report.table_text import difference_text
    from topdown.workflows.tables import diff_tables

    difference = diff_tables(a, b)
    if not as_json:
        click.echo(difference_text(difference, limit=limit), nl=False)
        return
    changes = difference.changes if limit is None else difference.changes[:limit]
    echo_json(
        {
            "a": difference.name_a,
            "b": difference.name_b,
            "n_common_pairs": difference.n_common_pairs,
            "n_changed": len(difference.changes),
            "only_in_a": list(difference.only_in_a),
            "only_in_b": list(difference.only_in_b),
            "scheme_changes": list(difference.scheme_changes),
            "changes": [
                {
                    "types": [change.type_a, change.type_b],
                    "epsilon": [change.epsilon_a, change.epsilon_b],
                    "sigma": [change.sigma_a, change.sigma_b],
                }
                for change in changes
            ],
        }
    )


def _show_molecules(table: str, name: str | None, as_json: bool) -> None:
    from topdown.report.molecule_text import molecule_text, molecules_text
    from topdown.workflows.tables import show_molecules

    found = show_molecules(table, name)
    if as_json:
        echo_json({"table": table, "molecules": [_molecule_json(m) for m in found]})
    else:
        click.echo(molecules_text(found) if name is None else molecule_text(found[0]), nl=False)


def _split_types(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise click.UsageError("--types names no bead type; write --types C1,P4,Q0")
    return names


def _draw(view: TableView, sigma: bool) -> None:
    from topdown.report.table_text import matrix_text

    header, scheme = view.header, view.header.scheme
    field = "infinite" if scheme.epsilon_rf == 0 else f"{scheme.epsilon_rf:g}"
    click.echo(f"{header.name} {header.version}: {header.description or 'no description'}")
    click.echo(
        f"cut-off {scheme.cutoff:g} nm, Lennard-Jones modifier {scheme.lj_modifier}, reaction field, "
        f"eps_r {scheme.epsilon_r:g}, eps_rf {field}"
    )
    click.echo(f"{header.provenance.citation or 'no citation'}; licence: {header.provenance.licence or 'not given'}")
    click.echo("\nsigma [nm]" if sigma else "\nepsilon [kJ/mol]")
    import shutil

    terminal = sys.stdout.isatty()
    text = matrix_text(
        view.table,
        view.types,
        quantity="sigma" if sigma else "epsilon",
        width=shutil.get_terminal_size((120, 24)).columns if terminal else 120,
        paint=_heat(view, sigma) if terminal and not os.environ.get("NO_COLOR") else None,
    )
    click.echo(text, nl=False)
    if view.n_hidden:
        shown = set(view.types)
        hidden = [t.name for t in view.table.bead_types if t.name not in shown]
        names = ", ".join(hidden[:12]) + (", …" if len(hidden) > 12 else "")
        click.echo(f"\n{view.n_hidden} more types ({names}): choose with --types A,B,C")


def _heat(view: TableView, sigma: bool) -> Paint:
    """Blue for the least, red for the largest value drawn."""
    rows = view.table.indices(view.types)
    matrix = view.table.sigma if sigma else view.table.epsilon
    low, high = float(matrix[rows][:, rows].min()), float(matrix[rows][:, rows].max())

    def paint(text: str, value: float) -> str:
        fraction = (value - low) / (high - low) if high > low else 0.5
        colour = (round(90 + 150 * fraction), 130, round(240 - 150 * fraction))
        return click.style(text, fg=colour)

    return paint


def _counts(summary: TableSummary) -> str:
    return (
        f"{summary.n_types} types, {summary.n_pairs:,} pairs, {summary.n_building_blocks} building blocks, "
        f"{summary.n_molecules} curated molecules"
    )


def _header_json(header: TableHeader) -> dict[str, Any]:
    from dataclasses import asdict

    scheme, origin = header.scheme, header.provenance
    return {
        "name": header.name,
        "version": header.version,
        "description": header.description,
        "scheme": asdict(scheme),
        "source": origin.source,
        "licence": origin.licence,
        "citation": origin.citation,
        "parent": origin.parent,
        "folder": str(header.folder),
    }


def _molecule_json(molecule: CuratedMolecule) -> dict[str, Any]:
    from dataclasses import asdict

    model = molecule.model
    names = [bead.name for bead in model.beads]

    def entry(term: Any) -> dict[str, Any]:
        values = {key: value for key, value in asdict(term).items() if key != "table" and value != ()}
        return {**values, "atoms": [names[i] for i in term.atoms]}

    return {
        "name": model.name,
        "group": molecule.group,
        "description": molecule.description,
        "smiles": list(molecule.smiles),
        "canonical_smiles": list(molecule.canonical_smiles),
        "molar_mass": list(molecule.molar_masses),
        "n_molecules": molecule.n_molecules,
        "source": molecule.source,
        "licence": molecule.licence,
        "citation": molecule.citation,
        "note": molecule.note,
        "charge": model.charge,
        "nrexcl": model.nrexcl,
        "beads": [{"name": b.name, "type": b.bead_type, "charge": b.charge, "mass": b.mass} for b in model.beads],
        "bonds": [entry(t) for t in model.bonds],
        "constraints": [entry(t) for t in model.constraints],
        "virtual_sites": [{**entry(t), "site": names[t.site]} for t in model.virtual_sites],
        "angles": [entry(t) for t in model.angles],
        "dihedrals": [entry(t) for t in model.dihedrals],
        "exclusions": [[names[i], names[j]] for i, j in model.exclusions],
    }


def _summary_json(summary: TableSummary) -> dict[str, Any]:
    return {
        **_header_json(summary.header),
        "n_types": summary.n_types,
        "n_pairs": summary.n_pairs,
        "n_building_blocks": summary.n_building_blocks,
        "n_molecules": summary.n_molecules,
    }


def _view_json(view: TableView) -> dict[str, Any]:
    part, rows = view.table, view.table.indices(view.types)
    return {
        **_header_json(view.header),
        "types": list(view.types),
        "epsilon": part.epsilon[rows][:, rows].tolist(),
        "sigma": part.sigma[rows][:, rows].tolist(),
        "n_hidden": view.n_hidden,
    }
