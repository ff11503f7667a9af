"""The outcome of a campaign as text to read and as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from topdown import __version__
from topdown.calibration.result import CalibrationResult, SplitScore, TargetResult
from topdown.model.measurement import Estimate


def calibration_text(result: CalibrationResult) -> str:
    """Parameters, targets and errors before and after, as aligned tables."""
    end = "converged" if result.converged else "NOT converged"
    lines = [
        f"campaign {result.name} ({result.digest}): {result.parent} -> {result.table.name}, "
        f"{result.temperature:g} K, {result.pressure:g} bar",
        f"{end} after {len(result.rounds)} rounds, {len(result.runs)} runs, seed {result.seed}",
        *(f"warning: {text}" for text in result.warnings),
        "",
        *_table(
            ("epsilon [kJ/mol]", "start ± prior", "new ± posterior", "shrinkage", ""),
            [
                (
                    p.parameter.label,
                    f"{p.parameter.start:.4f} ± {p.parameter.prior_width:.4f}",
                    f"{p.value:.4f} ± {p.posterior_width:.4f}",
                    f"{100 * p.shrinkage:.0f} %",
                    "at its bound" if p.at_bound else "",
                )
                for p in result.parameters
            ],
        ),
    ]
    for split in ("calibration", "held-out"):
        chosen = [t for t in result.targets if t.split == split]
        if chosen:
            titles = (f"{split} targets", "unit", "measured", "before", "after")
            lines += ["", *_table(titles, [_target_row(t) for t in chosen])]
    header = ("root mean square error", "targets", "n", "unit", "before", "after")
    lines += ["", *_table(header, [_score_row(s) for s in result.scores()])]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _target_row(target: TargetResult) -> tuple[str, ...]:
    return (
        target.label,
        target.unit,
        f"{target.measured:.2f} ± {target.uncertainty:.2f}",
        _estimate(target.before),
        _estimate(target.after),
    )


def _score_row(score: SplitScore) -> tuple[str, ...]:
    return (
        score.quantity,
        score.split,
        str(score.n_targets),
        score.unit,
        f"{score.rms_before:.2f} ± {score.error_before:.2f}",
        f"{score.rms_after:.2f} ± {score.error_after:.2f}",
    )


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ± {estimate.standard_error:.2f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, the first flush left and the others flush right."""
    cells = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    return [
        "  ".join(
            f"{cell:<{width}}" if k == 0 else f"{cell:>{width}}" for k, (cell, width) in enumerate(zip(row, widths))
        )
        for row in cells
    ]


def calibration_json(result: CalibrationResult) -> dict[str, Any]:
    """Everything in ``result`` but the table, as plain data."""
    return {
        "topdown_version": __version__,
        "campaign": result.name,
        "digest": result.digest,
        "parent": result.parent,
        "table": result.table.name,
        "temperature_K": result.temperature,
        "pressure_bar": result.pressure,
        "seed": result.seed,
        "converged": result.converged,
        "warnings": list(result.warnings),
        "parameters": [
            {
                "pair": list(p.parameter.pair),
                "start_kJ_mol": p.parameter.start,
                "prior_width_kJ_mol": p.parameter.prior_width,
                "value_kJ_mol": p.value,
                "posterior_width_kJ_mol": p.posterior_width,
                "shrinkage": p.shrinkage,
                "bounds_kJ_mol": [p.parameter.lower, p.parameter.upper],
                "at_bound": p.at_bound,
            }
            for p in result.parameters
        ],
        "covariance_kJ2_mol2": result.covariance.tolist(),
        "targets": [asdict(t) for t in result.targets],
        "scores": [asdict(s) for s in result.scores()],
        "rounds": [asdict(r) for r in result.rounds],
        "runs": list(result.runs),
    }
