"""``topdown export``: a model or a system as the files of another program."""

from __future__ import annotations

from pathlib import Path

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.topology_options import macros, topology_options


@click.command(name="export")
@click.argument("source", metavar="SOURCE")
@click.option("--to", required=True, metavar="FORMAT", help="gromacs, openmm, lammps or pdb.")
@click.option("--conf", type=click.Path(path_type=Path), metavar="CONF.gro", help="Coordinates of SYSTEM.top.")
@click.option(
    "--table", default="", metavar="NAME|FOLDER", help="Bead table of a single molecule.  [default: martini3]"
)
@click.option("--box", metavar="XxYxZ", help="Box of a single molecule in nm.  [default: its size and 2.2 cut-offs]")
@click.option("--temperature", type=float, metavar="K", help="In the run parameters.  [default: 300]")
@click.option("--coupling", metavar="KIND", help="isotropic or semiisotropic pressure.  [default: isotropic]")
@topology_options
@click.option("-o", "--output", type=OutputFolder(), help="Folder.  [default: SOURCE-FORMAT]")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON object.")
def command(
    source: str,
    to: str,
    conf: Path | None,
    table: str,
    box: str | None,
    temperature: float | None,
    coupling: str | None,
    define: tuple[str, ...],
    include: tuple[Path, ...],
    reference: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write a model or a system for GROMACS, OpenMM or LAMMPS, or as PDB.

    SOURCE is SYSTEM.top (with --conf CONF.gro), a folder that topdown membrane, map, run or export wrote, an .itp file or a
    molecule .toml, or the name of a curated model such as POPC. Says what the other program cannot hold exactly.

    \b
    Examples:
      topdown export bilayer --to lammps
      topdown export system.top --conf system.gro --to openmm -o out
    """
    from topdown.formats.mdp import RunSettings
    from topdown.report.counts import counted
    from topdown.workflows.export import ExportSource, export
    from topdown.workflows.membrane_request import parse_size

    chosen = {"temperature": temperature, "coupling": coupling}
    given = {name: value for name, value in chosen.items() if value is not None}
    result = export(
        ExportSource(
            source=source,
            coordinates=conf,
            table=table,
            box=None if box is None else parse_size(box, option="--box"),
            defines=macros(define),
            include=include,
            reference=reference,
        ),
        to,
        output,
        settings=RunSettings(**given) if given else None,  # type: ignore[arg-type]
    )
    if as_json:
        echo_json(result.as_json())
        return
    system = result.system
    edges = " x ".join(f"{edge:.4g}" for edge in system.box)
    click.echo(
        f"{system.title}: {counted(system.n_molecules, 'molecule')}, {counted(system.n_beads, 'bead')}, box {edges} nm"
    )
    click.echo(f"written  {result.folder}: {', '.join(path.name for path in result.files.values())}")
    for note in result.notes:
        click.echo(f"note     {note}")
