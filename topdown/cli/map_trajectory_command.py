"""``topdown map-trajectory``: an all-atom trajectory to beads, with the distributions of bonds, angles and dihedrals."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.shared_options import frame_options

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="map-trajectory")
@click.argument("model", metavar="MODEL.json|MODEL.itp", type=_FILE)
@click.argument("trajectory", metavar="TRAJECTORY", type=_FILE)
@click.option("--topology", type=_FILE, metavar="FILE", help="Structure of the same system: elements and bonds.")
@click.option("--mapping", "groups", type=_FILE, metavar="FILE.ndx", help="Atoms of each bead of one molecule.")
@click.option(
    "--center",
    type=click.Choice(["geometry", "mass", "charge"]),
    help="Weights of the atoms in a bead.  [default: geometry, mass for a martini2 model]",
)
@click.option("--table", default="", metavar="NAME|FOLDER", help="Bead table of an .itp.  [default: martini3]")
@frame_options
@click.option(
    "--to", "output", type=click.Choice(["xtc", "trr", "dcd"]), default="xtc", show_default=True, help="Format written."
)
@click.option(
    "-o", "--output", "folder", type=OutputFolder(), default=Path("mapped"), show_default=True,
    help="Folder for the results.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the distributions as one JSON object.")
def command(
    model: Path,
    trajectory: Path,
    topology: Path | None,
    groups: Path | None,
    center: Literal["geometry", "mass", "charge"] | None,
    table: str,
    start: int,
    stop: int | None,
    stride: int,
    output: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Map an all-atom trajectory to the beads of a model and report the distributions of its bonded coordinates.

    MODEL is the .json that topdown map wrote, or an .itp with --mapping. TRAJECTORY is any file chemfiles reads; several
    copies of the molecule, other molecules and broken periodic images are no obstacle.

    \b
    Examples:
      topdown map-trajectory out/paracetamol.json md.xtc --topology md.gro
    """
    from topdown.report.counts import counted
    from topdown.workflows.map_trajectory import map_trajectory, read_model

    result = map_trajectory(
        read_model(model, table),
        trajectory,
        folder,
        topology=topology,
        groups_file=groups,
        center=center,
        start=start,
        stop=stop,
        stride=stride,
        output=output,
    )
    if as_json:
        echo_json(result.as_json())
        return
    copies, frames = counted(result.n_copies, "copy", "copies"), counted(result.n_frames, "frame")
    click.echo(f"{result.molecule.name}: {copies}, {frames}, centre of {result.center}\n")
    click.echo(f"{'term':<11} {'beads':<20} {'mean':>9} {'sd':>8} {'model':>9}")
    for d in result.found:
        names = "-".join(result.molecule.beads[a].name for a in d.atoms)
        digits = 4 if d.unit == "nm" else 1
        target = "" if d.target is None else f"{d.target:.{digits}f}"
        click.echo(f"{d.kind:<11} {names:<20} {d.mean:>9.{digits}f} {d.sd:>8.{digits}f} {target:>9} {d.unit}")
    for note in result.notes:
        click.echo(f"note: {note}")
    for path in result.files.values():
        click.echo(f"wrote {path}")
