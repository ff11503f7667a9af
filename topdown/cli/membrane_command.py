"""``topdown membrane``: a relaxed bilayer, ready to run, with or without a molecule in it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from topdown.cli.commands import CommandWithOthers
from topdown.cli.progress import StatusLine

if TYPE_CHECKING:
    from topdown.workflows.membrane_relaxation import Progress


def _show(line: StatusLine, progress: Progress) -> None:
    details = ""
    if progress.ns_per_day > 0:
        details = f"{progress.done_ns:.2f} of {progress.total_ns:g} ns  {progress.ns_per_day:.0f} ns/day"
        details += f"  area per lipid {progress.area:.3f} nm²"
    line.show(progress.stage, details)


@click.command(name="membrane", cls=CommandWithOthers)
@click.argument("smiles", required=False, default="")
@click.option("--lipids", required=True, metavar="NAME[:SHARE],…", help="Lipids and their shares: POPC:7,DOPE:3.")
@click.option("--lower-lipids", metavar="NAME[:SHARE],…", help="Lower leaflet; default: like the upper one.")
@click.option("--table", default="martini3", show_default=True, help="Bead table, by name or folder.")
@click.option("--size", default="6x6x8", show_default=True, help="Edges of the box in nm; z is the normal.")
@click.option("--salt", default=0.15, show_default=True, help="NaCl in mol/l, beside ions that neutralise.")
@click.option(
    "--place", default="interface", show_default=True, help="Molecule at interface, water, core or |z| in nm."
)
@click.option("--count", default=1, show_default=True, help="How many molecules of SMILES.")
@click.option("--name", "solute_name", default="MOL", show_default=True, help="Name of the molecule in the files.")
@click.option("--temperature", default=310.0, show_default=True, help="In K.")
@click.option("--relax", default="2ns", show_default=True, help="Run at 20 fs steps; 0 to stop after minimisation.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same membrane.")
@click.option(
    "-o",
    "--output",
    default="membrane",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for all files.",
)
@click.option("--continue", "resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--overwrite", is_flag=True, help="Start anew although the output folder holds a run.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    smiles: str,
    lipids: str,
    lower_lipids: str | None,
    table: str,
    size: str,
    salt: float,
    place: str,
    count: int,
    solute_name: str,
    temperature: float,
    relax: str,
    seed: int,
    output: Path,
    resume: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Build a bilayer in water, relax it on the bundled engine, measure it, and write a GROMACS set.

    With SMILES the molecule is mapped to beads and placed in it. The output folder gets system.top with its includes,
    system.gro, system.pdb, index.ndx, em.mdp, eq.mdp, md.mdp and report.json. Ctrl-C leaves a checkpoint; --continue goes on.
    """
    from topdown.report.membrane_text import membrane_lines
    from topdown.workflows.membrane import prepare_membrane, report_data
    from topdown.workflows.membrane_request import MembraneRequest, parse_duration, parse_lipids, parse_size

    if resume and overwrite:
        raise click.UsageError("--continue and --overwrite exclude each other")
    request = MembraneRequest(
        lipids=parse_lipids(lipids),
        lower_lipids=parse_lipids(lower_lipids, option="--lower-lipids") if lower_lipids else (),
        table=table,
        size=parse_size(size),
        smiles=smiles,
        solute_name=solute_name,
        count=count,
        place=place,
        salt=salt,
        temperature=temperature,
        relax_ns=parse_duration(relax),
        seed=seed,
    )
    line = StatusLine()
    try:
        result = prepare_membrane(request, output, resume=resume, overwrite=overwrite, progress=partial(_show, line))
    finally:
        line.close()
    if as_json:
        click.echo(json.dumps(report_data(result), allow_nan=False))
        return
    for text in membrane_lines(
        result.system,
        result.observables,
        result.simulated_ns,
        area=result.measured_area,
        thickness=result.measured_thickness,
    ):
        click.echo(text)
    click.echo(
        f"written          {output}{'/' if str(output)[-1:] != '/' else ''}: {', '.join(report_files(result.files))}"
    )


def report_files(files: dict[str, Path]) -> list[str]:
    """Names of the written files, the main ones first."""
    first = ["top", "gro", "pdb", "ndx", "em", "eq", "md", "report"]
    keys = [key for key in first if key in files] + sorted(key for key in files if key not in first)
    return [files[key].name for key in keys]
