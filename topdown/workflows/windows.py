"""Simulations of a campaign as files of their own, for job arrays: one file is one system, its box and all its windows.

A file names the campaign and the point in it, no more; whoever runs it reads the campaign and finds the same requests, and the
run store brings the samples back.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topdown.calibration.journal import JOURNAL_FILE, read_events
from topdown.calibration.problem import CalibrationProblem
from topdown.errors import InputFileError, SimulationError
from topdown.model import WindowFailure
from topdown.properties.sampler import Progress
from topdown.resources import atomic_write_text
from topdown.workflows import calibrate as calibration
from topdown.workflows.calibration_problem import read_problem

_KEYS = {"campaign", "digest", "round", "x", "system"}


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """One system to be simulated.

    Attributes
    ----------
    campaign : Path
        The campaign file.
    digest : str
        Hash of the campaign it was written for.
    round_index : int
    x : tuple of float
        Parameters.
    system : str
    """

    campaign: Path
    digest: str
    round_index: int
    x: tuple[float, ...]
    system: str


def write_specs(path: Path | str, specs: Path | str, folder: Path | str | None = None) -> tuple[Path, ...]:
    """Write what the next round of a campaign simulates into ``specs``, a numbered file for each system.

    Parameters
    ----------
    path : Path or str
        The campaign file.
    specs : Path or str
        Folder for the files.
    folder : Path or str, optional
        Of the campaign: its journal says which round is next; without one it is the first.

    Raises
    ------
    TopdownError
        A wrong campaign, or one whose rounds are over.
    """
    path = Path(path).resolve()
    problem = read_problem(path)
    index, x, systems = _next_round(problem, None if folder is None else Path(folder))
    written = []
    for number, system in enumerate(systems, start=1):
        spec = {"campaign": str(path), "digest": problem.digest(), "round": index, "x": list(x), "system": system}
        text = json.dumps(spec, ensure_ascii=False, indent=1) + "\n"
        written.append(atomic_write_text(Path(specs) / f"{number}.json", text))
    return tuple(written)


def _next_round(problem: CalibrationProblem, folder: Path | None) -> tuple[int, tuple[float, ...], tuple[str, ...]]:
    first = (0, tuple(float(v) for v in problem.space.start()), problem.systems_of("calibration"))
    if folder is None or not (folder / JOURNAL_FILE).exists():
        return first
    events = read_events(folder / JOURNAL_FILE)
    where = str(folder / JOURNAL_FILE)
    if not events or events[0].get("campaign") != problem.digest():
        raise InputFileError("the journal is of another campaign", where=where, hint="name the folder given with -o")
    rounds = [event for event in events if event.get("event") == "round"]
    if not rounds:
        return first
    systems = tuple(rounds[-1]["next_systems"])
    if not systems:
        raise InputFileError(
            "the rounds of this campaign are over", where=where, hint="topdown calibrate --resume writes its reports"
        )
    return len(rounds), tuple(rounds[-1]["x_proposal"]), systems


def read_spec(path: Path | str) -> WindowSpec:
    """Read and check a file written by :func:`write_specs`.

    Raises
    ------
    InputFileError
        Missing, no JSON, an unknown or missing key, or a value of the wrong kind.
    """
    where, hint = str(path), "topdown calibrate plan CAMPAIGN.toml --specs FOLDER writes such files"
    try:
        data: Any = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputFileError(f"cannot be read: {error.strerror}", where=where) from None
    except ValueError:
        raise InputFileError("no JSON", where=where, hint=hint) from None
    if not isinstance(data, dict) or set(data) != _KEYS:
        found = sorted(set(data) ^ _KEYS) if isinstance(data, dict) else ["not an object"]
        raise InputFileError(f"unknown or missing keys: {', '.join(map(str, found))}", where=where, hint=hint)
    numbers = data["x"]
    good = (
        all(isinstance(data[key], str) for key in ("campaign", "digest", "system"))
        and isinstance(data["round"], int)
        and data["round"] >= 0
        and isinstance(numbers, list)
        and all(isinstance(v, int | float) and math.isfinite(v) for v in numbers)
    )
    if not good:
        raise InputFileError("a value is of the wrong kind", where=where, hint=hint)
    return WindowSpec(
        campaign=Path(data["campaign"]),
        digest=data["digest"],
        round_index=data["round"],
        x=tuple(float(v) for v in numbers),
        system=data["system"],
    )


def run_windows(
    path: Path | str,
    *,
    store: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Run, or find, every window of a file written by :func:`write_specs`; returns how many there are.

    Raises
    ------
    TopdownError
        A wrong file, a campaign that changed since it was written, or a run that failed.
    """
    spec = read_spec(path)
    problem = read_problem(spec.campaign)
    if problem.digest() != spec.digest:
        raise InputFileError(
            "the campaign or its data changed since this file was written", where=str(path), hint="write the files anew"
        )
    if spec.system not in problem.systems or len(spec.x) != len(problem.space):
        raise InputFileError("it does not fit its campaign", where=str(path), hint="write the files anew")
    request = problem.request_at(spec.system, np.array(spec.x), spec.round_index)
    sampler = calibration.engine_sampler(workers=workers, store=store, progress=progress)
    found = sampler.sample([request])
    failed = [window for window in found if isinstance(window, WindowFailure)]
    if failed:
        raise SimulationError(
            f"{len(failed)} of {len(found)} windows failed: {failed[0].reason}",
            where=spec.system,
            hint="the others are stored; the campaign tries these once more with another seed",
        )
    return len(found)
