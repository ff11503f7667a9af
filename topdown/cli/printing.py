"""What goes to stdout: JSON that every program reads, and text that no terminal refuses."""

from __future__ import annotations

import os
import sys
from typing import Any

import click


def echo_json(data: Any) -> None:
    """Print ``data`` as one JSON object on one line, in plain ASCII: whatever the terminal's encoding, it can be read back.

    Raises
    ------
    ValueError
        A number that JSON does not have (NaN, infinity).
    """
    import json  # only what prints JSON needs it

    click.echo(json.dumps(data, allow_nan=False))


def accept_any_text() -> None:
    """Have stdout print what its encoding lacks (``ε``, ``→``) as ``?``, as stderr does in its own way."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # not where something else stands in for stdout
    if reconfigure is not None:
        reconfigure(errors="replace")


def drop_output() -> None:
    """Send what is still to be printed nowhere: whoever read stdout has gone away."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
