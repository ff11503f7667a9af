"""The first start on a machine: two processes share the compilation where there are two processors.

numba compiles one function at a time in a process. So the first simulation starts a second process, which compiles the forces of
pairs and the step itself and leaves them in the cache of kernels, while this one compiles the rest and then finds them there.
A second process that fails costs time only: what it has not left is compiled here.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from topdown.engine._jit import kind_of
from topdown.engine.forces import ForceParts, pairs_part
from topdown.engine.integrators import StepParts, advance, step_parts
from topdown.resources import available_processors

_PROGRAM = """
import json, sys
job = json.loads(sys.stdin.read())
sys.path[:] = job["path"]
from topdown.engine.cold_start import do_share
do_share(job["double"], job["arguments"])
"""
_NUMBERS: dict[str, Any] = {"bool": False, "int": 0, "float": 0.0}
_asked = False


def described(value: Any) -> Any:
    """The type of an argument of a kernel, as JSON: array, number, random generator, or named tuple of these."""
    if isinstance(value, np.ndarray):
        return {"array": value.dtype.str, "axes": value.ndim}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        kind = type(value)
        return {"module": kind.__module__, "tuple": kind.__qualname__, "fields": [described(part) for part in value]}
    if isinstance(value, np.random.Generator):
        return {"number": "generator"}
    return {"number": next(name for name, zero in _NUMBERS.items() if isinstance(value, type(zero)))}


def example(description: Any) -> Any:
    """Some value of a type that was :func:`described`."""
    if "array" in description:
        return np.zeros((0,) * description["axes"], description["array"])
    if "tuple" in description:
        named_tuple = getattr(importlib.import_module(description["module"]), description["tuple"])
        return named_tuple(*map(example, description["fields"]))
    kind = description["number"]
    return np.random.default_rng(0) if kind == "generator" else _NUMBERS[kind]


def do_share(double: bool, arguments: list[Any]) -> None:
    """What the second process does: compile the forces of pairs, which the first needs first, and :func:`advance`."""
    values = tuple(example(description) for description in arguments)
    thread, _, frame, pair, _, _, _, near, _, _, team, _, _, _ = values
    pairs_part(double).address(tuple(kind_of(value) for value in (thread, frame, pair, near, team, thread)))
    advance.compile(tuple(kind_of(value) for value in values))  # type: ignore[attr-defined]


def _is_worth_it() -> bool:
    """Whether nothing is compiled yet, and there is a processor to spare and a way to use it."""
    stored = Path(advance.stats.cache_path).glob("integrators.advance-*.nbi")  # type: ignore[attr-defined]
    return bool(available_processors() > 1 and sys.executable and not getattr(sys, "frozen", False) and not any(stored))


def first_parts(
    frame: Any, pair: Any, bonded: Any, constraints: Any, molecules: Any, near: Any, settings: Any, scratch: Any, team: Any,
    trial: Any, rng: Any, teams: bool
) -> StepParts:  # fmt: skip
    """As :func:`step_parts`; the first time on a machine :func:`advance` is compiled as well, by a second process."""
    global _asked
    own = (frame, pair, bonded, constraints, molecules, near, settings, team, trial, teams)
    if _asked or not _is_worth_it():
        return step_parts(*own)
    _asked = True
    none = StepParts(ForceParts(*[0] * len(ForceParts._fields)), *[0] * (len(StepParts._fields) - 1))
    arguments = (
        0, 0, frame, pair, bonded, constraints, molecules, near, settings, scratch, team, trial, none, rng
    )  # fmt: skip
    job = {"path": sys.path, "double": settings.double, "arguments": [described(value) for value in arguments]}
    try:
        second = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return step_parts(*own)
    try:
        assert second.stdin is not None
        with suppress(OSError), second.stdin as stdin:  # it may have died
            stdin.write(json.dumps(job).encode())
            stdin.flush()
        parts = step_parts(*own)
        second.wait()
    except BaseException:
        second.kill()
        second.wait()
        raise
    return parts
