"""Options that mean the same in several commands, and are described in the same words."""

from __future__ import annotations

import click

from topdown.cli.output_folder import OutputFolder

seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="N", help="Same seed, same result."
)
store_option = click.option(
    "--store",
    type=OutputFolder(),
    metavar="DIR",
    help="Folder of finished runs, which are never repeated.  [default: in the user's cache]",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Processes.  [default: one per available processor]",
)
