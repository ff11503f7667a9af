"""``topdown energy``: single point of a GROMACS topology, term by term."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from topdown.cli.printing import echo_json
from topdown.cli.topology_options import macros, topology_options

if TYPE_CHECKING:
    from topdown.workflows.energy import SinglePoint


def _echo_terms(result: SinglePoint, forces: bool) -> None:
    from topdown.report.counts import counted

    system = result.system
    click.echo(f"{system.title}: {counted(system.n_molecules, 'molecule')}, {counted(system.n_beads, 'bead')}")
    for name, value in result.energies().items():
        click.echo(f"  {name:<10s} {value:20.9f} kJ/mol")
    click.echo("virial [kJ/mol]")
    for row in result.terms.virial:
        click.echo("  " + " ".join(f"{value:18.9f}" for value in row))
    if not forces:
        return
    click.echo("forces [kJ/mol/nm]")
    number = 0
    for molecule, _ in system.molecules():
        for bead in molecule.beads:
            row = " ".join(f"{value:18.9f}" for value in result.terms.forces[number])
            number += 1
            click.echo(f"  {number:7d} {molecule.name:<5s} {bead.name:<5s} {row}")


@click.command(name="energy")
@click.argument("topology", metavar="SYSTEM.top", type=click.Path(path_type=Path))
@click.argument("coordinates", metavar="CONF.gro", type=click.Path(path_type=Path))
@topology_options
@click.option("--forces", is_flag=True, help="List the force on every bead as well (--json always has them).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: terms, virial, forces.")
def command(
    topology: Path,
    coordinates: Path,
    define: tuple[str, ...],
    include: tuple[Path, ...],
    reference: Path | None,
    forces: bool,
    as_json: bool,
) -> None:
    """Energy of a Martini system in GROMACS files, term by term, in double precision.

    Lennard-Jones is cut and shifted at 1.1 nm and charges see a reaction field, as in Martini; constraints are not
    applied. Whatever the topology holds beyond that is refused by file and line.

    \b
    Examples:
      topdown energy bilayer/system.top bilayer/system.gro
    """
    from topdown.workflows.energy import single_point

    result = single_point(topology, coordinates, defines=macros(define), include=include, reference=reference)
    for molecule in dict.fromkeys(molecule for molecule, _ in result.system.components):
        for warning in molecule.warnings:
            click.echo(f"note: {molecule.name}: {warning}", err=True)
    if as_json:
        echo_json(result.as_json())
    else:
        _echo_terms(result, forces)
