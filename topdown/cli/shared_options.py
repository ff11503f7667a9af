"""Options that mean the same in several commands, and are described in the same words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from topdown.cli.output_folder import OutputFolder

table_option = click.option("--table", default="martini3", show_default=True, metavar="NAME|FOLDER", help="Bead table.")
size_option = partial(
    click.option, "--size", show_default=True, metavar="XxYxZ", help="Edges of the box [nm]; z is the normal."
)
salt_option = partial(
    click.option, "--salt", type=float, show_default=True, metavar="mol/l", help="NaCl, beside ions that neutralise."
)
temperature_option = partial(
    click.option, "--temperature", type=float, show_default=True, metavar="K", help="Temperature."
)
pressure_option = click.option(
    "--pressure", type=float, default=1.0, show_default=True, metavar="bar", help="Pressure."
)
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


def frame_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which frames of a trajectory are read."""
    for option in (
        click.option(
            "--stride", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Every N-th frame."
        ),
        click.option("--stop", type=click.IntRange(0), metavar="N", help="Frame to stop before.  [default: none]"),
        click.option("--start", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="First frame."),
    ):
        command = option(command)
    return command
