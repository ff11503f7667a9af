"""Options of every command that reads a GROMACS topology."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

_OPTIONS = (
    click.option("-D", "--define", multiple=True, metavar="NAME[=VALUE]", help="Set a macro, for instance FLEXIBLE."),
    click.option(
        "-I",
        "--include",
        multiple=True,
        metavar="DIR",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Search this folder for #include too; may be repeated.",
    ),
    click.option(
        "-r",
        "--reference",
        metavar="GRO",
        type=click.Path(path_type=Path),
        help="Reference points of position restraints.  [default: CONF.gro]",
    ),
)


def topology_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--define``, ``--include`` and ``--reference``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def macros(values: Iterable[str]) -> dict[str, str]:
    """``"NAME=VALUE"`` or ``"NAME"`` → name and value."""
    pairs = [value.partition("=") for value in values]
    for name, _, _ in pairs:
        if not re.fullmatch(r"\w+", name.strip(), flags=re.ASCII):
            raise click.UsageError(f"--define needs NAME or NAME=VALUE, got {name!r}", click.get_current_context())
    return {name.strip(): text.strip() for name, _, text in pairs}
