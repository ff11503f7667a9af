"""``topdown membrane profile``: free energy of a molecule across a bilayer, and its partition coefficient."""

from __future__ import annotations

from pathlib import Path

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.progress import ProgressLine
from topdown.cli.shared_options import (
    salt_option,
    seed_option,
    size_option,
    store_option,
    table_option,
    temperature_option,
    workers_option,
)


@click.command(name="profile")
@click.argument("smiles")
@click.option("--lipids", required=True, metavar="NAME[:SHARE],…", help="Lipids and their shares: POPC:7,DOPE:3.")
@table_option
@size_option(default="4.8x4.8x8.4")
@salt_option(default=0.0)
@temperature_option(default=310.0)
@click.option(
    "--length", default="2ns", show_default=True, metavar="TIME", help="Of each run; every window is run twice."
)
@click.option(
    "--equilibrate", default="5ns", show_default=True, metavar="TIME", help="Of the bilayer, before anything else."
)
@click.option("--spacing", type=float, default=0.2, show_default=True, metavar="nm", help="Between windows.")
@click.option("--spring", type=float, default=200.0, show_default=True, metavar="kJ/mol/nm2", help="Of the umbrellas.")
@click.option("--depth", type=float, metavar="nm", help="d of K_V.  [default: reach of the lipids]")
@seed_option
@workers_option
@store_option
@click.option(
    "-o", "--output", type=OutputFolder(), default=Path("profile"), show_default=True,
    help="Folder for the results.",
)  # fmt: skip
@click.option("--plot/--no-plot", "plots", default=True, show_default=True, help="Write profile.png.")
@click.option("--json", "as_json", is_flag=True, help="Print profile.json.")
def command(
    smiles: str,
    lipids: str,
    table: str,
    size: str,
    salt: float,
    temperature: float,
    length: str,
    equilibrate: str,
    spacing: float,
    spring: float,
    depth: float | None,
    seed: int,
    workers: int,
    store: Path | None,
    output: Path,
    plots: bool,
    as_json: bool,
) -> None:
    """Free energy of a molecule along the normal of a bilayer, and log K(membrane/water), by umbrella sampling.

    Windows reach from the water of one side to that of the other. Each is run twice, from where the molecule came by on its way
    in and on its way out; that, both halves of time and both leaflets are compared. Finished runs are stored and never repeated:
    interrupt and repeat the command to go on, ask for a longer --length to go further.

    \b
    Examples:
      topdown membrane profile CCCO --lipids POPC --length 10ns
    """
    from topdown.report.membrane_profile_text import profile_lines
    from topdown.workflows.membrane_profile import ProfileSettings, membrane_profile
    from topdown.workflows.membrane_request import parse_duration, parse_lipids, parse_size

    settings = ProfileSettings(
        lipids=parse_lipids(lipids),
        table=table,
        size=parse_size(size),
        salt=salt,
        temperature=temperature,
        spacing=spacing,
        length_ns=parse_duration(length, option="--length"),
        membrane_ns=parse_duration(equilibrate, option="--equilibrate"),
        spring=spring,
        depth=depth,
        seed=seed,
    )
    result = membrane_profile(
        smiles, settings, output, store=store, workers=workers, plots=plots, progress=ProgressLine()
    )
    if as_json:
        echo_json(result.as_json())
        return
    for line in profile_lines(result.profile):
        click.echo(line)
    click.echo("written          " + ", ".join(str(path) for path in result.files.values()))
