"""Melting points that a campaign was asked for, and which of its liquids are supercooled, as rows and lines for its reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from topdown.calibration.melting_checks import LiquidState, MeltingCheck
from topdown.calibration.result import TargetResult
from topdown.model.measurement import Estimate
from topdown.properties.melting import MeltingPoint

#: Of :func:`melting_rows`.
MELTING_HEADER = ("melting point of", "before [K]", "after [K]", "measured [K]", "state with the new table", "remark")
#: Under that table.
MELTING_NOTE = (
    "A face-centred cubic crystal beside its melt, where it neither grows nor melts; nothing was fitted to it, and no target was "
    "refused for it. A supercooled liquid is good for averages as long as nothing gives it a nucleus."
)


def melting_rows(checks: Sequence[MeltingCheck]) -> list[tuple[str, ...]]:
    """One row for each liquid."""
    return [
        (
            c.liquid,
            *("–" if point is None else _number(point.temperature) for point in (c.before, c.after)),
            "not known" if c.measured is None else f"{c.measured.value:g} ± {c.measured.uncertainty:g}",
            "; ".join(f"{s.temperature:g} K: {_short(s)}" for s in c.states),
            "; ".join(c.remarks),
        )
        for c in checks
    ]


def melting_line(checks: Sequence[MeltingCheck]) -> str:
    """Which liquids are supercooled with the new table where the campaign uses them, and by how much."""
    told = [f"{c.liquid} {_sentence(c, s)}" for c in checks for s in c.states]
    return f"melting points: {'; '.join(told)}"


def _sentence(check: MeltingCheck, state: LiquidState) -> str:
    where = f"at {state.temperature:g} K ({', '.join(state.roles) or 'the temperature of the campaign, which does not use it'})"
    if state.below is None:
        return f"has no melting point with the new table, so that it is not known whether it is supercooled {where}"
    by = _distance(state.below)
    if state.kind == "unclear":
        return f"is within the errors of its melting point {where}: it is not told whether it is supercooled"
    if state.kind == "liquid":
        return f"is a liquid {where}, {by} above its melting point"
    assert check.after is not None
    part = state.temperature / check.after.temperature.value
    return (
        f"IS SUPERCOOLED {where}, {by} below its melting point (at {part:.2f} of it), and must not meet a crystal there"
    )


def _short(state: LiquidState) -> str:
    if state.below is None or state.kind == "unclear":
        return state.kind
    return f"{state.kind}, {_distance(state.below)} {'below' if state.below.value > 0.0 else 'above'}"


def _distance(below: Estimate) -> str:
    """How far, whichever way."""
    return f"{abs(below.value):.1f} ± {below.standard_error:.1f} K"


def _number(found: Estimate) -> str:
    return f"{found.value:.1f} ± {found.standard_error:.1f}"


def supercooled_text(target: TargetResult) -> str:
    """What stands beside a target whose liquid is supercooled; empty for others."""
    return "" if target.supercooled_by is None else f"supercooled by {target.supercooled_by:.0f} K"


def melting_json(checks: Sequence[MeltingCheck]) -> list[dict[str, Any]]:
    """The checks as plain data."""
    return [
        {
            "liquid": c.liquid,
            "n_real": c.n_real,
            "before": _point(c.before),
            "after": _point(c.after),
            "measured_K": None if c.measured is None else c.measured.value,
            "uncertainty_K": None if c.measured is None else c.measured.uncertainty,
            "reference": "" if c.measured is None else c.measured.reference,
            "states": [
                {
                    "temperature_K": s.temperature,
                    "used_as": list(s.roles),
                    "state": s.kind,
                    "below_melting_point_K": None if s.below is None else asdict(s.below),
                }
                for s in c.states
            ],
            "one_search": c.same,
            "remarks": list(c.remarks),
        }
        for c in checks
    ]


def _point(point: MeltingPoint | None) -> dict[str, Any] | None:
    if point is None:
        return None
    return {
        "melting_temperature_K": asdict(point.temperature),
        "slope_m_s_K": point.slope,
        "runs": [
            {"temperature_K": rate.temperature, "speed_m_s": rate.speed, "nanoseconds": rate.nanoseconds}
            for rate in point.rates
        ],
    }
