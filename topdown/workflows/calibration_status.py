"""``topdown calibrate status``: what the journal of a campaign says about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from topdown.calibration.failures import FailedWindow, failed_windows, window_table
from topdown.calibration.journal import JOURNAL_FILE, is_locked, read_events
from topdown.errors import InputFileError

PROGRESS_FILE = "progress.json"


def calibration_status(folder: Path | str) -> dict[str, Any]:
    """How far the campaign in a folder has come, as plain data.

    Raises
    ------
    InputFileError
        There is no campaign.
    """
    folder = Path(folder)
    events = read_events(folder / JOURNAL_FILE)
    if not events or events[0].get("event") != "start":
        raise InputFileError("the journal does not start as one", where=str(folder / JOURNAL_FILE))
    rounds = [e for e in events if e.get("event") == "round"]
    finish = next((e for e in reversed(events) if e.get("event") == "finish"), None)
    asked = [e for e in events if e.get("event") == "sample"]
    sampling = asked[-1] if asked and len(asked) > len(rounds) else None
    last = rounds[-1] if rounds else {}
    return {
        "folder": str(folder),
        "campaign": events[0].get("campaign"),
        "name": events[0].get("name", ""),
        "running": is_locked(folder),
        "finished": finish is not None,
        "converged": bool(finish and finish.get("converged")),
        "ended": finish.get("ended", "") if finish else "",
        "rounds": len(rounds),
        "bead_steps": last.get("spent", 0),
        "cost": {"before": last.get("cost_before"), "after": last.get("cost_after"), "parts": last.get("cost_parts")},
        "residual": last.get("residual"),
        "residual_left_out": last.get("residual_left_out"),
        "sampling": sampling and {k: sampling[k] for k in ("round", "windows", "bead_steps") if k in sampling},
        "failed_windows": [asdict(f) for f in failed_windows(events, folder / JOURNAL_FILE)],
        "lost_systems": dict(last.get("lost", ())),
        "progress": _progress(folder),
    }


def _progress(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def status_text(status: dict[str, Any]) -> str:
    """The status as lines."""
    name = f"campaign {status['name']} ({status['campaign']})" if status["name"] else f"campaign {status['campaign']}"
    if status["finished"]:
        state = "finished, converged" if status["converged"] else f"finished, not converged ({status['ended']})"
    else:
        state = "running" if status["running"] else "stopped: topdown calibrate CAMPAIGN.toml --resume goes on"
    lines = [f"{name}: {state}", f"rounds done: {status['rounds']}, {status['bead_steps']:.3g} beads × steps"]
    if status["cost"]["after"] is not None:
        parts = " + ".join(f"{name} {value:.2f}" for name, value in status["cost"]["parts"])
        lines.append(
            f"cost: {status['cost']['before']:.3f} to {status['cost']['after']:.3f} = {parts}; residuals "
            f"{status['residual']:.2f} σ, of molecules left out {status['residual_left_out']:.2f} σ"
        )
    if status["sampling"] and not status["finished"]:
        now, done = status["sampling"], status["progress"]
        counted = f", {done['done']} of {done['total']} runs not yet stored are done" if done else ""
        lines.append(
            f"round {now['round'] + 1}: {now['windows']} windows, {now['bead_steps']:.3g} beads × steps{counted}"
        )
    lines += [f"LOST, with every target that rests on it: {s}: {why}" for s, why in status["lost_systems"].items()]
    failures = window_table([FailedWindow(**f) for f in status["failed_windows"]], ended=status["finished"])
    if failures:
        lines.append("failed windows:")
        lines += [f"  {s}, window {w}, round {r}: {what}: {why}" for s, w, r, what, why in failures]
    return "\n".join(lines) + "\n"
