"""Folders that commands write to, looked at before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from topdown.resources import check_writable


class OutputFolder(click.Path):
    """A folder that is there and may be written to, or can be made."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)
        self.name = "dir"  # what helps call it, in capitals

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):
            self.fail(
                "an empty text names no folder: is a variable of the shell not set? ('.' is the present one)",
                param,
                ctx,
            )
        folder = Path(os.fsdecode(super().convert(value, param, ctx)))
        check_writable(folder)
        return folder
