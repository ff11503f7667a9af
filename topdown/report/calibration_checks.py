"""What a campaign's ``[checks]`` found, as rows and lines for its reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from topdown.calibration.dynamics import DiffusionCheck
from topdown.model.measurement import Estimate

#: Of :func:`diffusion_rows`.
DIFFUSION_HEADER = (
    "self-diffusion [1e-9 m2/s]",
    "T [K]",
    "in the box",
    "viscosity [mPa s]",
    "corrected",
    "measured",
    "model/measured",
    "remark",
)
#: Under the table.
DIFFUSION_NOTE = (
    "Molecules of a coarse model move at another pace than real ones, each liquid by its own factor. Times in this report are "
    "simulated times: none is divided by a factor."
)


def _number(found: Estimate | None, digits: int = 3) -> str:
    if found is None:
        return "–"
    return (
        f"{found.value:.{digits}g} ± {found.standard_error:.2g}"
        if found.standard_error
        else f"{found.value:.3g} (given)"
    )


def diffusion_rows(checks: Sequence[DiffusionCheck]) -> list[tuple[str, ...]]:
    """One row for each liquid."""
    return [
        (
            c.liquid,
            f"{c.temperature:g}",
            _number(c.in_box),
            _number(c.viscosity),
            _number(c.infinite),
            "not known" if c.measured is None else f"{c.measured:.3g} ± {c.uncertainty:.2g}",
            _number(c.speed_up),
            "; ".join(_remarks(c)),
        )
        for c in checks
    ]


def _remarks(c: DiffusionCheck) -> list[str]:
    remarks = [c.reason] if c.reason else []
    if c.group_speed_up is not None:
        remarks.append(f"{_number(c.group_speed_up)} against the centre of {c.n_real} independent molecules")
    if c.how not in ("", "measured"):
        remarks.append(c.how)
    return remarks


def speed_up_line(checks: Sequence[DiffusionCheck]) -> str:
    """Between which factors the liquids are too fast."""
    found = [(c.speed_up.value, c.liquid) for c in checks if c.speed_up is not None]
    if not found:
        return "self-diffusion: no liquid has both a simulated and a measured value"
    (low, slow), (high, fast) = min(found), max(found)
    if len(found) == 1:
        return f"self-diffusion: {fast} moves {high:.2g} times as fast as measured"
    return (
        f"self-diffusion: {len(found)} liquids move {low:.2g} ({slow}) to {high:.2g} ({fast}) times as fast as measured; no one "
        "factor serves all"
    )


def diffusion_json(checks: Sequence[DiffusionCheck]) -> list[dict[str, Any]]:
    """The checks as plain data, with the factors that follow from them."""
    return [
        asdict(c)
        | {
            "unit": "1e-9 m2/s",
            "speed_up": None if c.speed_up is None else asdict(c.speed_up),
            "group_speed_up": None if c.group_speed_up is None else asdict(c.group_speed_up),
        }
        for c in checks
    ]
