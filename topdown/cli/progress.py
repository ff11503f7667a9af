"""One line on stderr that says how far long work has come."""

from __future__ import annotations

import sys
import time

import click


class ProgressLine:
    """Prints ``done/total what`` to stderr: rewritten in place on a terminal, else at most a line every ten seconds."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = float("-inf")
        self._width = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        rest = f", {(now - self._start) / done * (total - done):.0f} s left" if 0 < done < total else ""
        text = f"[{done}/{total}] {what}{rest}"
        if sys.stderr.isatty():
            click.echo("\r" + text.ljust(self._width), err=True, nl=done == total)
            self._width = len(text)
        elif done == total or now - self._last >= 10.0:
            click.echo(text, err=True)
            self._last = now
