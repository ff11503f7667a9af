"""The command line as a user calls it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest

from topdown.cli.main import main


@pytest.fixture(scope="session")
def topdown() -> Callable[..., tuple[int, str, str]]:
    """Run the command line; returns exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return int(stop.value.code or 0), out.getvalue(), err.getvalue()

    return run
