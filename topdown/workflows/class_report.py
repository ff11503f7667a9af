"""How well a table of classes does, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from topdown.calibration.class_fit import ClassProblem


def class_report_text(report: Mapping[str, Any]) -> str:
    """Errors of the table by phase, calibration and validation side by side."""
    lines = [
        f"{report['campaign']}: {report['classes']} classes from {report['values']} measured values of "
        f"{report['molecules']} molecules",
        "ΔG(phase → water) [kJ/mol]   calibration: n, RMSE, MAE       validation: n, RMSE, MAE",
    ]
    for phase, splits in report["table"].items():
        found = [
            f"{s['n']:5d} {s['rmse']:6.2f} {s['mae']:6.2f}" if (s := splits.get(split)) else "    –"
            for split in ("calibration", "validation")
        ]
        lines.append(f"  {phase:24s}   {found[0]:28s}   {found[1]}")
    return "\n".join(lines)


def scores(problem: ClassProblem, calculated: np.ndarray) -> dict[str, Any]:
    """RMSE, MAE and bias [kJ/mol] of every phase, for calibration and validation rows apart."""
    found: dict[str, Any] = {}
    off = calculated - problem.measured
    for phase in dict.fromkeys(o.phase for o in problem.observations):
        for split, wanted in (("calibration", True), ("validation", False)):
            rows = np.array([o.phase == phase and o.calibration == wanted for o in problem.observations])
            if rows.any():
                e = off[rows]
                found.setdefault(phase, {})[split] = {
                    "n": int(rows.sum()),
                    "rmse": round(float(np.sqrt(np.mean(e**2))), 3),
                    "mae": round(float(np.abs(e).mean()), 3),
                    "bias": round(float(e.mean()), 3),
                }
    return found
