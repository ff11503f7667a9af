"""Lines on stderr that say how far long work has come."""

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


class StatusLine:
    """What is going on now: one line on stderr, rewritten on a terminal, and in a log a line now and then."""

    def __init__(self, *, log_every: float = 30.0) -> None:
        self._terminal = sys.stderr.isatty()
        self._log_every = log_every
        self._last, self._stage, self._open = 0.0, "", False

    def show(self, stage: str, details: str = "") -> None:
        """Print ``stage`` and ``details``; a new stage is printed at once."""
        now, new_stage = time.monotonic(), stage != self._stage
        if not new_stage and now - self._last < (0.5 if self._terminal else self._log_every):
            return
        self._last, self._stage = now, stage
        text = f"{stage}  {details}" if details else stage
        if self._terminal:
            click.echo(f"\r\033[K{text}", err=True, nl=False)
            self._open = True
        else:
            click.echo(text, err=True)

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self.close()
        click.echo(text, err=True)

    def close(self) -> None:
        """End the line, so that what follows starts on its own."""
        if self._open:
            click.echo("", err=True)
            self._open = False
