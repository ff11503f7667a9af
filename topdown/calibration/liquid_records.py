"""Did the liquids of a campaign stay liquid?

What is watched is :mod:`topdown.sampling.liquid_state`: the crystalline part of the beads and the density, every 5000 steps of
every run. A liquid that froze is no liquid at its temperature, so that its density or surface tension is refused as a target,
whatever the frames before it froze would give. A liquid that is supercooled and has formed no nucleus in the time and the
box of its runs is not recognised, nor is a glass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from topdown.calibration.failures import FailedWindow
from topdown.calibration.problem import CalibrationProblem
from topdown.model.samples import WindowSamples

#: Kind of alarm.
FROZE = "froze"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidRecord:
    """All runs of a campaign in one liquid at one temperature.

    Attributes
    ----------
    name : str
        Its molecules, main one first.
    temperature : float
        [K]
    n_runs : int
        Of the liquid itself, of slabs of it, and of every λ of every solute in it, every try; runs that failed for another
        reason before a frame of them was stored are not counted.
    n_froze : int
    at_the_end : bool
        Whether runs at the last parameters that it was sampled at are among those that froze.
    seen : str
        What the first alarm saw; empty when there was none.
    """

    name: str
    temperature: float
    n_runs: int
    n_froze: int
    at_the_end: bool
    seen: str


def freezing_seen(runs: Sequence[WindowSamples], failures: Sequence[FailedWindow]) -> str:
    """What the first of some runs that froze saw, those that left nothing behind included; empty when none did."""
    alarms = [run.alarm for run in runs if run.alarm_kind == FROZE]
    return next(iter((*alarms, *(f.reason for f in failures if f.kind == FROZE))), "")


def liquid_records(
    problem: CalibrationProblem,
    runs: Mapping[str, Sequence[WindowSamples]],
    failures: Sequence[FailedWindow],
    last: Mapping[str, str],
) -> tuple[LiquidRecord, ...]:
    """What became of every liquid that was sampled, sorted by name and temperature.

    Parameters
    ----------
    problem : CalibrationProblem
    runs : mapping of system to sequence of WindowSamples
    failures : sequence of FailedWindow
    last : mapping of system to str
        What was seen of freezing at the last parameters of each system; empty where it did not freeze.
    """
    systems: dict[tuple[str, float], list[str]] = {}
    for name, box in problem.systems.items():
        liquid = " + ".join(molecule.name for molecule, _ in box.components())
        systems.setdefault((liquid, problem.temperature_of(name)), []).append(name)
    found = []
    for (liquid, temperature), names in sorted(systems.items()):
        own = [run for name in names for run in runs.get(name, ())]
        lost = [f for f in failures if f.system in names and f.kind]
        if not own and not lost:
            continue
        found.append(
            LiquidRecord(
                name=liquid,
                temperature=temperature,
                n_runs=len(own) + len(lost),
                n_froze=sum(run.alarm_kind == FROZE for run in own) + sum(f.kind == FROZE for f in lost),
                at_the_end=any(last.get(name) for name in names),
                seen=freezing_seen(own, lost),
            )
        )
    return tuple(found)
