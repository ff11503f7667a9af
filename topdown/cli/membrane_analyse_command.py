"""``topdown membrane analyse``: areas, thicknesses, order, densities, diffusion and solutes of a trajectory."""

from __future__ import annotations

from pathlib import Path

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.shared_options import frame_options

_PATH = click.Path(path_type=Path)


@click.command(name="analyse")
@click.argument("target", metavar="FOLDER|SYSTEM.top", type=_PATH)
@click.argument("trajectory", metavar="[TRAJECTORY]", type=_PATH, required=False)
@click.option("--lipids", metavar="NAME,…", help="Molecules of the bilayer.  [default: those that look like lipids]")
@frame_options
@click.option("-o", "--output", type=OutputFolder(), help="Folder for the results.")
@click.option("--plots/--no-plots", default=True, show_default=True, help="Write density.png, order.png and time.png.")
@click.option("--json", "as_json", is_flag=True, help="Print analysis.json.")
def command(
    target: Path,
    trajectory: Path | None,
    lipids: str | None,
    start: int,
    stop: int | None,
    stride: int,
    output: Path | None,
    plots: bool,
    as_json: bool,
) -> None:
    """Analyse the trajectory of a bilayer whose normal is z.

    Give a topology and an .xtc, .trr, .dcd or many-frame .gro of it, or a folder that holds both. Every number has an error from
    blocks and correlation times of what is left after equilibration. Results go to analysis.json, profiles.csv and plots.

    \b
    Examples:
      topdown membrane analyse bilayer/system.top md.xtc -o analysis
    """
    from topdown.report.membrane_analysis_text import analysis_lines
    from topdown.workflows.membrane_analysis import analyse_membrane_run, parse_names

    result = analyse_membrane_run(
        target,
        trajectory,
        lipids=parse_names(lipids) if lipids is not None else (),
        start=start,
        stop=stop,
        stride=stride,
        output=output,
        plots=plots,
    )
    if as_json:
        echo_json(result.as_json())
        return
    for line in analysis_lines(result.structure):
        click.echo(line)
    click.echo("written          " + ", ".join(str(path) for path in result.files.values()))
