"""Simulations of a campaign that failed: what is kept of them, and what is said about them while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from topdown.errors import InputFileError

Progress = Callable[[str], None]
#: Rounds are numbered from 0; the samples taken after the last one, for reporting, have rounds of their own from here on.
REPORT_ROUND = 1_000_000
#: Fields of an event by their annotation.
_KINDS: dict[Any, Callable[[Any], Any]] = {"str": str, "int": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedWindow:
    """A run that failed, as the journal has it.

    Attributes
    ----------
    system : str
    window : int
        λ index; -1 without a solute.
    round, attempt : int
        Counted from 0; the runs for the comparison at the end have rounds of their own.
    reason, hint : str
    kind : str
        ``"froze"``, ``"evaporated"`` or ``"broke"`` where that is why, else empty.
    """

    system: str
    window: int
    round: int
    attempt: int
    reason: str
    hint: str = ""
    kind: str = ""

    def event(self) -> dict[str, Any]:
        """Itself as an event of the journal."""
        found = {name: value for name, value in asdict(self).items() if name != "kind" or value}
        return {"event": "failed", **found}


def failed_windows(events: Sequence[Mapping[str, Any]], path: Path) -> tuple[FailedWindow, ...]:
    """The failed windows among the events of the journal at ``path``.

    Raises
    ------
    InputFileError
        One is damaged.
    """
    try:
        return tuple(
            FailedWindow(**{item.name: _KINDS[item.type](_of(event, item)) for item in fields(FailedWindow)})
            for event in events
            if event.get("event") == "failed"
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"a failed window is damaged: {error}", where=str(path), hint="choose another -o"
        ) from None


def _of(event: Mapping[str, Any], item: Field[Any]) -> Any:
    """A field of an event; journals of older versions lack those with a default."""
    return event[item.name] if item.default is MISSING else event.get(item.name, item.default)


def window_table(failures: Sequence[FailedWindow], *, ended: bool = True) -> list[tuple[str, str, str, str, str]]:
    """Rows of system, window, round, what came of it, and why; a window that failed twice is one row.

    Until the campaign has ``ended`` it is not known what came of the second try of the last windows.
    """
    second = "done at the second try" if ended else "tried again"
    last = {(f.round, f.system, f.window): f for f in failures}
    return [
        (
            f.system,
            "–" if f.window < 0 else str(f.window + 1),
            "report" if f.round >= REPORT_ROUND else str(f.round + 1),
            "lost" if f.attempt else second,
            f.reason,
        )
        for f in last.values()
    ]


def report_failures(failed: Sequence[FailedWindow], progress: Progress) -> None:
    """Say which windows could not be run at any try."""
    for f in failed:
        which = "its run" if f.window < 0 else f"window {f.window + 1}"
        progress(f"warning: {f.system}, {which}: failed {f.attempt + 1} times, at last because {f.reason}")


def report_losses(labels: Sequence[str], systems: Mapping[str, str], progress: Progress) -> None:
    """Say loudly which targets are left out."""
    for label in labels:
        progress(f"WARNING: the target {label} is LEFT OUT: its simulations failed, or its liquid is none")
    if labels:
        for system, reason in systems.items():
            progress(f"WARNING: {system}: {reason}")
