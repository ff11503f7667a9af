"""Tasks that workers of the pool tests import."""

from __future__ import annotations

import os
from pathlib import Path

from topdown.errors import SimulationError


def square_and_process(x: int) -> tuple[int, int]:
    return x * x, os.getpid()


def die_once(task: tuple[int, str]) -> int:
    number, mark = task
    if number == 2 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return number


def die(_: int) -> int:
    os._exit(1)


def die_if_two(number: int) -> int:
    if number == 2:
        os._exit(1)
    return number


def blow_up(_: int) -> int:
    raise SimulationError("it blew up", where="step 3", hint="smaller step")
