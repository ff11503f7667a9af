"""``topdown melting``: melting points of liquids of single beads."""

from __future__ import annotations

from pathlib import Path

import click

from topdown.cli.liquid_options import listed_temperatures, print_outcomes
from topdown.cli.progress import ProgressLine
from topdown.cli.shared_options import pressure_option, seed_option, store_option, table_option, workers_option


@click.command(name="melting")
@click.argument("liquids", metavar="SMILES|MODEL|NAME…", nargs=-1, required=True)
@table_option
@click.option("--temperatures", metavar="K,K[,K…]", help="Where to look.  [default: searched for]")
@pressure_option
@click.option("--ns", type=float, default=0.4, show_default=True, metavar="ns", help="Longest run at one temperature.")
@click.option("--runs", type=int, default=3, show_default=True, metavar="N", help="Runs at each temperature.")
@click.option(
    "--cells", type=int, default=5, show_default=True, metavar="N", help="Unit cells of the crystal along its face."
)
@seed_option
@workers_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per liquid.")
def command(
    liquids: tuple[str, ...],
    table: str,
    temperatures: str | None,
    pressure: float,
    ns: float,
    runs: int,
    cells: int,
    seed: int,
    workers: int,
    store: Path | None,
    as_json: bool,
) -> int:
    """Melting point of liquids of single beads (water, chloroform, a one-bead SMILES), from a crystal beside its melt.

    Many liquids of beads are supercooled at room temperature, Martini water among them, and freeze when something gives them a
    nucleus. A face-centred cubic crystal and its melt share a box at constant pressure; the melting point is where neither
    grows. About four minutes on one core for one liquid.

    \b
    Examples:
      topdown melting water --table martini2
    """
    from topdown.properties.melting_search import MeltingSettings
    from topdown.report.melting_text import melting_lines
    from topdown.workflows.melting import melting_json, melting_points

    chosen: tuple[float, ...] = ()
    if temperatures is not None:
        chosen = listed_temperatures("--temperatures", temperatures, "330,335,340,345,350")
    settings = MeltingSettings(
        temperatures=chosen, pressure=pressure, nanoseconds=ns, n_runs=runs, n_across=cells, seed=seed
    )
    outcomes = melting_points(liquids, table, settings, store=store, workers=workers, progress=ProgressLine())
    return print_outcomes(outcomes, as_json=as_json, to_json=melting_json, to_lines=melting_lines)
