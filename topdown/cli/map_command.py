"""``topdown map``: SMILES to beads, bead types, bonded terms, topology files and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from topdown.cli.bonded_options import BondedOptions, bonded_options, echo_check

if TYPE_CHECKING:
    from topdown.model import BeadTable, CGMolecule
    from topdown.workflows.map_molecules import MappingResult, MoleculeRequest


@click.command(name="map")
@click.argument("what", metavar="SMILES|FILE.smi|FILE.csv")
@click.option("--table", default="martini3", show_default=True, metavar="NAME|FOLDER", help="Bead table.")
@click.option("--name", default=None, help="Name of the molecule (SMILES only; a file brings its own).")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write NAME.itp, NAME.gro, NAME.svg and NAME.json of every molecule there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or for a file one per line.")
@click.option(
    "--alternatives", type=click.IntRange(0, 5), default=3, show_default=True, help="Next-best types listed per bead."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Seed of the conformers.")
@click.option(
    "--conformers/--no-conformers",
    default=None,
    help="Lengths and coordinates from conformers, or estimates from the graph.  [default: conformers for a SMILES and "
    "with -o, none for a file]",
)
@bonded_options
@click.pass_context
def command(
    ctx: click.Context,
    what: str,
    table: str,
    name: str | None,
    output: Path | None,
    as_json: bool,
    alternatives: int,
    seed: int,
    conformers: bool | None,
    bonded: BondedOptions,
) -> None:
    """Coarse-grain molecules: SMILES to beads with their types, the reasons, and bonded terms.

    Give one SMILES, a .smi file (SMILES and name per line) or a .csv file (columns smiles, name).

    Exit code 0: all mapped; 3: some refused; 2: none mapped.
    """
    from topdown.workflows.map_molecules import map_molecules, mapping_json, refusal_json

    requests, is_file = _requests(what, name)
    if output is not None and conformers is False:
        raise click.UsageError("-o writes coordinates, which --no-conformers leaves out; drop one of the two")
    with_conformers = conformers if conformers is not None else (output is not None or not is_file)
    bead_table = _load(table)
    refused, unstable = 0, 0
    refine = bonded.refine(seed=seed, with_conformers=with_conformers)
    for result in map_molecules(requests, table, conformers=with_conformers, seed=seed, folder=output, refine=refine):
        if result.error is not None:
            refused += 1
            _echo_refusal(result, is_file)
            if as_json:
                click.echo(json.dumps(refusal_json(result)))
            continue
        assert result.molecule is not None
        report = bonded.checked(result, bead_table, table, seed=seed)
        unstable += report is not None and not report["stable"]
        if as_json:
            found = mapping_json(result.molecule, bead_table, result.request, alternatives=alternatives)
            if report is not None:
                found["check"] = report
            click.echo(json.dumps(found, allow_nan=False))
        elif is_file:
            _echo_line(result.molecule, result.request)
        else:
            _echo_molecule(result.molecule, alternatives)
        if not as_json:
            if report is not None:
                echo_check(report, result.molecule)
            for path in result.files:
                click.echo(f"wrote {path}")
    if refused:
        ctx.exit(2 if refused == len(requests) else 3)
    if unstable:
        ctx.exit(1)


def _requests(what: str, name: str | None) -> tuple[tuple[MoleculeRequest, ...], bool]:
    """The molecules asked for, and whether they come from a file."""
    from topdown.workflows.map_molecules import LIST_SUFFIXES, MoleculeRequest, read_requests

    path = Path(what) if len(what) < 1000 and "\0" not in what else None
    if path is not None and path.suffix.lower() in LIST_SUFFIXES:
        if name is not None:
            raise click.UsageError("--name is for one SMILES; a file names its molecules itself")
        return read_requests(path), True
    return (MoleculeRequest(smiles=what, name=name or ""),), False


def _load(table: str) -> BeadTable:
    from topdown.tables import load_bead_table

    return load_bead_table(table)


def _echo_refusal(result: MappingResult, is_file: bool) -> None:
    """One line on stderr that starts with the code."""
    text = str(result.error)
    if not text.startswith("E_"):
        text = f"{result.error_code} {text}"
    click.echo(f"{text} [{result.request.name}]" if is_file and result.request.name else text, err=True)


def _echo_line(molecule: CGMolecule, request: MoleculeRequest) -> None:
    click.echo(f"{request.name or request.smiles}\t{request.smiles}\t{'-'.join(molecule.type_names)}")


def _echo_molecule(molecule: CGMolecule, alternatives: int) -> None:
    title = (
        molecule.name if molecule.name == molecule.canonical_smiles else f"{molecule.name}  {molecule.canonical_smiles}"
    )
    charge = f", charge {molecule.charge:+g} e" if molecule.charge else ""
    n = molecule.n_beads
    click.echo(f"{title}\n{molecule.table}, {n} bead{'s' if n > 1 else ''}{charge}, {molecule.molar_mass:.2f} g/mol\n")
    atoms = [",".join(str(a) for a in bead.atoms) for bead in molecule.beads]
    widths = (
        max(len(b.name) for b in molecule.beads),
        max(len(b.bead_type) for b in molecule.beads),
        max(map(len, atoms)),
    )
    header = f"{'bead':<{max(4, widths[0])}}  {'type':<{max(4, widths[1])}}  {'atoms':<{max(5, widths[2])}}  conf."
    click.echo(header + "  reason")
    for bead, indices in zip(molecule.beads, atoms):
        click.echo(
            f"{bead.name:<{max(4, widths[0])}}  {bead.bead_type:<{max(4, widths[1])}}  "
            f"{indices:<{max(5, widths[2])}}  {bead.confidence:4.0%}  {bead.reason}"
        )
        if alternatives and bead.alternatives:
            click.echo(f"{'':<{max(4, widths[0])}}  or {', '.join(bead.alternatives[:alternatives])}")
    _echo_terms(molecule)
    for warning in molecule.warnings:
        click.echo(f"note: {warning}")


def _echo_terms(molecule: CGMolecule) -> None:
    def label(indices: tuple[int, ...]) -> str:
        return "-".join(molecule.beads[i].name for i in indices)

    rows = [f"{label(b.atoms):<16s} {b.length:.3f} nm  {b.force_constant:.0f} kJ/mol/nm²" for b in molecule.bonds]
    rows += [f"{label(c.atoms):<16s} {c.length:.3f} nm  constraint" for c in molecule.constraints]
    rows += [f"{label(a.atoms):<16s} {a.angle:.1f}°  {a.force_constant:.0f} kJ/mol" for a in molecule.angles]
    rows += [
        f"{label(d.atoms):<16s} {d.angle:.1f}°  {d.force_constant:.0f} kJ/mol/rad²  improper"
        for d in molecule.dihedrals
    ]
    if rows:
        click.echo()
    for row in rows:
        click.echo(f"  {row}")
