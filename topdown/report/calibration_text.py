"""The outcome of a campaign as text to read and as a JSON object.

An error of targets that were fitted is never shown without that of fits which had not seen the molecule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import compress
from typing import Any

from topdown import __version__
from topdown.calibration.failures import window_table
from topdown.calibration.parameters import FreeParameter
from topdown.calibration.result import CalibrationResult, ParameterResult, SplitScore, TargetResult
from topdown.calibration.stickiness import VirialComparison
from topdown.model.measurement import Estimate
from topdown.report.calibration_checks import bilayer_json, check_tables, diffusion_json, mixture_json
from topdown.report.calibration_melting import melting_json, supercooled_text
from topdown.report.calibration_types import TYPE_HEADER, runner_up_line, type_rows, type_summary
from topdown.report.counts import counted
from topdown.report.plain_json import without_nan

#: Longest list of ε in the text; the JSON holds all.
_MOST_EPSILONS = 40
#: Of :func:`sigma_rows`.
SIGMA_HEADER = ("sigma [nm]", "start ± prior", "new ± posterior", "shrinkage")
#: Of :func:`topdown.calibration.failures.window_table`.
WINDOW_HEADER = ("system", "window", "round", "", "why")


def calibration_text(result: CalibrationResult, stickiness: Sequence[VirialComparison] = ()) -> str:
    """Parameters, targets and errors before and after, as aligned tables."""
    lines = [
        f"campaign {result.name} ({result.digest}): {result.parent} -> {result.table.name}, "
        f"{result.temperature:g} K, {result.pressure:g} bar",
        f"{ended_text(result)} after {counted(len(result.rounds), 'round')}, {counted(len(result.runs), 'run')}, "
        f"{result.bead_steps:.3g} beads × steps, seed {result.seed}",
        *(f"WARNING: {text}" for text in lost_lines(result)),
        *(f"warning: {text}" for text in result.warnings),
        "",
        *_table(
            ("parameter", "start ± prior", "new ± posterior", "shrinkage", "", ""),
            [_parameter_row(p) for p in result.parameters],
        ),
    ]
    if any(not isinstance(p.parameter, FreeParameter) for p in result.parameters):
        lines += ["", *_epsilon_table(result)]
    if result.sigmas:
        lines += ["", *_table(SIGMA_HEADER, sigma_rows(result))]
    for split in ("calibration", "held-out"):
        chosen = [t for t in result.targets if t.split == split]
        if chosen:
            titles = (f"{split} targets", "unit", "measured", "model error", "before", "after", "left out")
            lines += ["", *_table(titles, [_target_row(t) for t in chosen])]
    lines += ["", *score_lines(result), "", *cost_lines(result), "", verdict_line(result)]
    if stickiness:
        lines.append(stickiness_line(stickiness))
    for check in check_tables(result):
        lines += ["", *_table(check.header, list(check.rows)), check.summary, check.note]
    lines += type_lines(result)
    if result.runner_ups:
        lines += ["", runner_up_line(result)]
    lines += ["", *freezing_lines(result)]
    if result.failed_windows:
        lines += ["", "failed windows", *_table(WINDOW_HEADER, window_table(result.failed_windows))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def ended_text(result: CalibrationResult) -> str:
    """Converged, or why not."""
    reason = {"budget": " (the budget was spent)", "rounds": " (no rounds were left)"}
    return "converged" if result.converged else f"NOT converged{reason.get(result.rounds[-1].ended, '')}"


def type_lines(result: CalibrationResult) -> list[str]:
    """The choice of bead types; nothing where the campaign has none."""
    if result.types is None:
        return []
    return ["", f"bead types: {type_summary(result.types)}", *_table(TYPE_HEADER, type_rows(result.types))]


def lost_lines(result: CalibrationResult) -> list[str]:
    """One line for each target that is left out because its simulations failed, or its liquid froze."""
    return [f"the target {label} is left out: {reason}" for label, reason in result.lost_targets]


def freezing_lines(result: CalibrationResult) -> list[str]:
    """Which liquids froze, or that none was seen to."""
    froze = [record for record in result.liquids if record.n_froze]
    n_runs = sum(record.n_runs for record in result.liquids)
    if not froze:
        return [
            f"freezing: none of {len(result.liquids)} liquids was seen to freeze in {n_runs} runs; a supercooled liquid without "
            "a nucleus, or a glass, is not recognised"
        ]
    ends = {True: "at the last parameters it was sampled at, too", False: "but not at the last parameters"}
    return [
        f"freezing: {r.name} at {r.temperature:g} K froze in {r.n_froze} of {r.n_runs} runs, {ends[r.at_the_end]} ({r.seen})"
        for r in froze
    ]


def score_table(result: CalibrationResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the root mean square errors, those of fits without the molecule, where there are any, beside those
    of the fit."""
    header = (
        "root mean square error",
        "targets",
        "n",
        "unit",
        "before",
        "after",
        f"molecule left out ({result.n_folds} parts)",
        f"chemotype left out ({result.n_chemotypes} parts)",
    )
    shown = [True] * 6 + [result.n_folds > 0, result.n_chemotypes > 0]
    return tuple(compress(header, shown)), [tuple(compress(_score_row(score), shown)) for score in result.scores()]


def score_lines(result: CalibrationResult) -> list[str]:
    """The same as text."""
    lines = _table(*score_table(result))
    if result.limited_parts:
        lines.append(
            f"{result.limited_parts} of these fits ended where samples no longer support them, short of their minimum"
        )
    return lines


def cost_lines(result: CalibrationResult) -> list[str]:
    """The cost and its parts, and what the model itself is taken to miss."""
    lines = []
    for when, parts in (("before", result.cost_start), ("after", result.cost_end)):
        split = " + ".join(f"{name} {value:.2f}" for name, value in parts.items())
        lines.append(f"cost {when}: {sum(parts.values()):.2f} = {split}")
    for name, value in result.model_errors.items():
        size = f"{value:.2f} kJ/mol" if name.startswith("transfer") else f"{100 * value:.1f} % of the measured value"
        lines.append(f"model error learnt, {name}: {size}")
    return lines


def verdict_line(result: CalibrationResult) -> str:
    """How many parameters are determined, and what limits the others."""
    counts = Counter(p.verdict for p in result.parameters)
    parts = ", ".join(f"{counts[v]} {v}" for v in ("determined", "MD-limited", "data-limited") if counts[v])
    return f"parameters: {parts}"


def stickiness_line(rows: Sequence[VirialComparison]) -> str:
    """Whether solutes attract their own kind more than before."""
    worse = [row for row in rows if row.is_stickier]
    most = min(rows, key=lambda row: row.after.value - row.before.value)
    return (
        f"second virial coefficients: {len(worse)} of {len(rows)} solutes stick more to their own kind than with the start "
        f"table; {most.name} changed most, {most.before.value:.3f} to {most.after.value:.3f} nm³"
        + (f"; stickier: {', '.join(row.name for row in worse)}" if worse else "")
    )


def _parameter_row(p: ParameterResult) -> tuple[str, ...]:
    digits, unit = (4, " kJ/mol") if isinstance(p.parameter, FreeParameter) else (4, "")
    if not isinstance(p.parameter, FreeParameter) and p.parameter.per_kelvin:
        digits = 6
    start = p.parameter.start if isinstance(p.parameter, FreeParameter) else 0.0
    return (
        p.parameter.label + unit,
        f"{start:.{digits}f} ± {p.prior_width:.{digits}f}",
        f"{p.value:.{digits}f} ± {p.posterior_width:.{digits}f}",
        f"{100 * p.shrinkage:.0f} %",
        p.verdict,
        "at its bound" if p.at_bound else "",
    )


def _epsilon_table(result: CalibrationResult) -> list[str]:
    """ε of pairs that shared parameters move, those that moved most first."""
    rows = sorted(result.epsilons, key=lambda e: (-abs(e.value / e.start - 1.0), e.pair))
    shown = rows[:_MOST_EPSILONS]
    title = "epsilon [kJ/mol]" if len(shown) == len(rows) else f"epsilon [kJ/mol], {len(shown)} of {len(rows)}"
    return _table(
        (title, "start ± prior", "new ± posterior", "shrinkage", ""),
        [
            (
                "-".join(e.pair),
                f"{e.start:.3f} ± {e.prior_width:.3f}",
                f"{e.value:.3f} ± {e.posterior_width:.3f}",
                f"{100 * e.shrinkage:.0f} %",
                e.verdict,
            )
            for e in shown
        ],
    )


def sigma_rows(result: CalibrationResult) -> list[tuple[str, ...]]:
    """Every σ that moved, those that moved most first."""
    rows = sorted(result.sigmas, key=lambda s: (-abs(s.value / s.start - 1.0), s.pair))
    return [
        (
            "-".join(s.pair),
            f"{s.start:.4f} ± {s.prior_width:.4f}",
            f"{s.value:.4f} ± {s.posterior_width:.4f}",
            f"{100 * s.shrinkage:.0f} %",
        )
        for s in rows
    ]


def _target_row(target: TargetResult) -> tuple[str, ...]:
    outlier = f"  weight {target.weight:.2f}" if target.weight < 0.5 else ""
    cold = f"  {supercooled_text(target)}" if target.supercooled_by is not None else ""
    left_out = "" if target.split == "held-out" else "not known"
    return (
        target.label,
        target.unit,
        f"{target.measured:.2f} ± {target.uncertainty:.2f}",
        f"{target.model_error:.2f}",
        _estimate(target.before),
        _estimate(target.after),
        (left_out if target.left_out is None else f"{target.left_out:.2f}") + outlier + cold,
    )


def _score_row(score: SplitScore) -> tuple[str, ...]:
    def other(value: float | None) -> str:
        return f"{value:.2f}" if value is not None else "" if score.split == "held-out" else "not known"

    return (
        score.quantity,
        score.split,
        str(score.n_targets),
        score.unit,
        f"{score.rms_before:.2f} ± {score.error_before:.2f}",
        f"{score.rms_after:.2f} ± {score.error_after:.2f}",
        other(score.rms_left_out),
        other(score.rms_chemotype_out),
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


def calibration_json(result: CalibrationResult, stickiness: Sequence[VirialComparison] = ()) -> dict[str, Any]:
    """Everything in ``result`` but the table, as plain data; null for numbers there are none of."""
    found = {
        "topdown_version": __version__,
        "campaign": result.name,
        "digest": result.digest,
        "parent": result.parent,
        "table": result.table.name,
        "temperature_K": result.temperature,
        "pressure_bar": result.pressure,
        "seed": result.seed,
        "converged": result.converged,
        "ended": result.rounds[-1].ended,
        "warnings": list(result.warnings),
        **_fitted_json(result),
        **_judged_json(result),
        "second_virials_nm3": [asdict(row) | {"stickier": row.is_stickier} for row in stickiness],
        "self_diffusion": diffusion_json(result.diffusion),
        "mixtures": mixture_json(result.mixtures),
        "bilayers": bilayer_json(result.bilayers),
        "melting_points": melting_json(result.melting_points),
        **_simulated_json(result),
        "types": None if result.types is None else asdict(result.types),
        "runner_ups": [asdict(r) for r in result.runner_ups],
        "failed": [{"system": system, "reason": reason} for system, reason in result.failed],
        "failed_windows": [asdict(f) for f in result.failed_windows],
        "liquids": [asdict(record) for record in result.liquids],
        "lost_targets": [{"target": label, "reason": reason} for label, reason in result.lost_targets],
        "rounds": [asdict(r) for r in result.rounds],
        "runs": list(result.runs),
    }
    return {key: without_nan(value) for key, value in found.items()}


def _fitted_json(result: CalibrationResult) -> dict[str, Any]:
    """Parameters, and the ε and σ that they make."""
    return {
        "parameters": [_parameter_json(p) for p in result.parameters],
        "pairs": ["-".join(pair) for pair in result.pairs],
        "covariance_kJ2_mol2": result.covariance.tolist(),
        "epsilons": [
            {
                "pair": list(e.pair),
                "start_kJ_mol": e.start,
                "prior_width_kJ_mol": e.prior_width,
                "value_kJ_mol": e.value,
                "posterior_width_kJ_mol": e.posterior_width,
                "shrinkage": e.shrinkage,
                "verdict": e.verdict,
            }
            for e in result.epsilons
        ],
        "sigmas": [
            {
                "pair": list(s.pair),
                "start_nm": s.start,
                "prior_width_nm": s.prior_width,
                "value_nm": s.value,
                "posterior_width_nm": s.posterior_width,
                "shrinkage": s.shrinkage,
            }
            for s in result.sigmas
        ],
        "relative_slopes_per_K": {"-".join(pair): slope for pair, slope in result.slopes},
    }


def _judged_json(result: CalibrationResult) -> dict[str, Any]:
    """Targets, what was left out, and what misses are made of."""
    return {
        "targets": [asdict(t) for t in result.targets],
        "scores": [asdict(s) for s in result.scores()],
        "left_out_parts": {
            "molecules": result.n_folds,
            "chemotypes": result.n_chemotypes,
            "ended_by_samples": result.limited_parts,
        },
        "cost": {"before": dict(result.cost_start), "after": dict(result.cost_end)},
        "model_errors": dict(result.model_errors),
    }


def _simulated_json(result: CalibrationResult) -> dict[str, Any]:
    """What was run, how far it supports the fit, and what moves what."""
    return {
        "bead_steps": result.bead_steps,
        "ledger": [
            {"system": system, "windows": windows, "frames": frames, "bead_steps": steps}
            for system, windows, frames, steps in result.ledger
        ],
        "effective_samples": [
            {"system": system, "start": start, "new": new} for system, start, new in result.effective
        ],
        "overlaps": [
            {"system": o.system, "states": list(o.states), "matrix": o.matrix.tolist(), "weakest": o.weakest}
            for o in result.overlaps
        ],
        "sensitivities": {
            "targets": [t.label for t in result.targets],
            "parameters": [p.parameter.label for p in result.parameters],
            "d_target_d_parameter": result.sensitivities.tolist(),
        },
    }


def _parameter_json(p: ParameterResult) -> dict[str, Any]:
    shared = {
        "label": p.parameter.label,
        "shrinkage": p.shrinkage,
        "verdict": p.verdict,
        "at_bound": p.at_bound,
    }
    if isinstance(p.parameter, FreeParameter):
        return {
            "pair": list(p.parameter.pair),
            "start_kJ_mol": p.parameter.start,
            "prior_width_kJ_mol": p.prior_width,
            "value_kJ_mol": p.value,
            "posterior_width_kJ_mol": p.posterior_width,
            "bounds_kJ_mol": [p.parameter.lower, p.parameter.upper],
            **shared,
        }
    return {
        "pairs": [list(pair) for pair, _ in p.parameter.rows],
        "per_kelvin": p.parameter.per_kelvin,
        "of": "sigma" if p.parameter.of_sigma else "epsilon",
        "prior_width": p.prior_width,
        "value": p.value,
        "posterior_width": p.posterior_width,
        "bounds": [p.parameter.lower, p.parameter.upper],
        **shared,
    }
