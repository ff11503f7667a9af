"""``topdown window``: one system of a campaign by itself, for job arrays."""

from __future__ import annotations

from pathlib import Path

import click

from topdown.cli.printing import echo_json
from topdown.cli.progress import ProgressLine
from topdown.cli.shared_options import store_option


@click.group()
def command() -> None:
    """Run single simulations of a campaign, for job arrays: "topdown calibrate plan CAMPAIGN.toml --specs FOLDER" writes their
    SPEC.json files."""


@command.command("run", short_help="Simulate one system and keep its samples.")
@click.argument("spec", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes; 0 for one per available processor.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(spec: Path, store: Path | None, workers: int, as_json: bool) -> None:
    """Simulate the system that SPEC.json names, and keep its samples in the run store."""
    from topdown.report.counts import counted
    from topdown.workflows.windows import run_windows

    n = run_windows(spec, store=store, workers=workers, progress=ProgressLine())
    if as_json:
        echo_json({"spec": str(spec), "windows": n})
    else:
        click.echo(f"{counted(n, 'window')} stored")
