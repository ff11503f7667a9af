"""The outcome of a campaign as one HTML file that needs no network; a content security policy keeps it from loading anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from topdown.calibration.failures import window_table
from topdown.calibration.result import CalibrationResult
from topdown.calibration.stickiness import VirialComparison
from topdown.errors import TopdownError
from topdown.model import CGMolecule
from topdown.report.calibration_checks import check_tables
from topdown.report.calibration_figures import total_error, unseen_value, worst_targets
from topdown.report.calibration_melting import supercooled_text
from topdown.report.calibration_plots import (
    chemistry_svg,
    effective_svg,
    matrix_svg,
    overlap_svg,
    parity_svg,
    plain,
    sensitivity_columns,
    sensitivity_svg,
)
from topdown.report.calibration_text import (
    SIGMA_HEADER,
    WINDOW_HEADER,
    cost_lines,
    ended_text,
    freezing_lines,
    lost_lines,
    score_table,
    sigma_rows,
    stickiness_line,
    verdict_line,
)
from topdown.report.calibration_types import (
    RUNNER_UP_HEADER,
    TYPE_HEADER,
    runner_up_line,
    runner_up_rows,
    type_rows,
    type_summary,
)
from topdown.report.counts import counted
from topdown.report.mapping_svg import mapping_svg

_STYLE = """
body { font: 14px/1.45 sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { padding: 2px 9px; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; } .row { display: flex; flex-wrap: wrap; gap: 1.2em; align-items: flex-start; }
figure { margin: 0; } figcaption { font-size: 12px; color: #444; max-width: 34em; } .bad { color: #a02010; }
.scroll { overflow-x: auto; } h2 { margin-top: 1.6em; border-bottom: 2px solid #eee; }
"""


def calibration_html(
    result: CalibrationResult,
    molecules: Mapping[str, CGMolecule],
    stickiness: Sequence[VirialComparison] = (),
    *,
    least: float = 50.0,
) -> str:
    """The report of a campaign.

    Parameters
    ----------
    result : CalibrationResult
    molecules : mapping of target label to CGMolecule
        For the pictures of the worst.
    stickiness : sequence of VirialComparison
    least : float
        Effective samples the campaign asks for.

    Returns
    -------
    str
        A stand-alone HTML document; every name in it is escaped.
    """
    title = f"{result.parent} → {result.table.name}"
    body = [
        *_head(result, title),
        *_fit(result),
        *_misses(result, molecules),
        *_types(result),
        *_simulations(result, least),
        *_virials(stickiness),
        *_checks(result),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{plain(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _head(result: CalibrationResult, title: str) -> list[str]:
    """What was run, what was lost, and how large the errors are."""
    return [
        f"<h1>{plain(title)}</h1>",
        f"<p>Campaign {plain(result.name)} ({plain(result.digest)}), {result.temperature:g} K, {result.pressure:g} bar; "
        f"{plain(ended_text(result))} after {counted(len(result.rounds), 'round')}, {counted(len(result.runs), 'run')} and "
        f"{result.bead_steps:.3g} beads × steps; seed {result.seed}.</p>",
        *(f'<p class="bad"><b>{plain(text)}</b></p>' for text in lost_lines(result)),
        *(f'<p class="bad">{plain(text)}</p>' for text in result.warnings),
        "<h2>Errors</h2>",
        _scores(result),
        *(f"<p>{plain(line)}</p>" for line in cost_lines(result)),
        _parity(result),
    ]


def _fit(result: CalibrationResult) -> list[str]:
    """Parameters and matrix."""
    return [
        "<h2>Parameters</h2>",
        f"<p>{plain(verdict_line(result))}. Determined: posterior at most half as wide as the prior; MD-limited: it would be "
        "with endless simulations; data-limited: the targets do not see it.</p>",
        _parameters(result),
        "<h2>Matrix</h2><p>ε [kJ/mol]: new value on the colour of its change (red stronger, blue weaker), then that of the start "
        "table, posterior standard deviation, and shrinkage from prior to posterior.</p>",
        f'<div class="scroll">{matrix_svg(result.epsilons)}</div>',
        *([_table(SIGMA_HEADER, sigma_rows(result))] if result.sigmas else []),
    ]


def _misses(result: CalibrationResult, molecules: Mapping[str, CGMolecule]) -> list[str]:
    """What the table misses, target by target, and what moves them."""
    return [
        "<h2>Residuals by chemistry</h2>",
        chemistry_svg(result.targets),
        _worst(result, molecules),
        "<h2>Targets</h2>",
        _targets(result),
        "<h2>Liquids that froze</h2>",
        *(f"<p>{plain(line)}</p>" for line in freezing_lines(result)),
        "<h2>Sensitivities</h2>",
        _sensitivities(result),
    ]


def _simulations(result: CalibrationResult, least: float) -> list[str]:
    """Rounds, samples, costs, and what failed."""
    ledger = [(system, windows, frames, f"{steps:.3g}") for system, windows, frames, steps in result.ledger]
    return [
        "<h2>Rounds and simulations</h2>",
        _rounds(result),
        "<h3>Effective samples</h3>",
        effective_svg(result, least),
        "<h3>Overlap of states</h3><p>How far the states of each path overlap, as last sampled: 0.5 for equal ones. A chain with "
        "a link below 0.03 gives no free energy.</p>",
        '<div class="row">' + "".join(f"<figure>{overlap_svg(o)}</figure>" for o in result.overlaps) + "</div>",
        "<h3>Ledger</h3>",
        _table(("system", "windows", "frames", "beads × steps"), ledger),
        "<h3>Failed windows</h3>",
        _table(WINDOW_HEADER, window_table(result.failed_windows)) if result.failed_windows else "<p>None.</p>",
        "<h3>Runs cut short</h3>",
        _table(("system", "why"), result.failed) if result.failed else "<p>None.</p>",
    ]


def _checks(result: CalibrationResult) -> list[str]:
    """What was simulated with the new table and not fitted."""
    parts: list[str] = []
    for check in check_tables(result):
        parts += [
            f"<h2>{plain(check.title)}</h2>",
            f"<p>{plain(check.summary)}. {plain(check.note)}</p>",
            _table(check.header, check.rows),
        ]
    return parts


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{plain(name)}</th>" for name in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{plain(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _scores(result: CalibrationResult) -> str:
    header, rows = score_table(result)
    return _table(header, [(quantity.replace("_", " "), *others) for quantity, *others in rows])


def _parity(result: CalibrationResult) -> str:
    parts = []
    for quantity in dict.fromkeys(t.quantity for t in result.targets):
        chosen = [t for t in result.targets if t.quantity == quantity]
        parts += [
            f"<h3>{plain(quantity.replace('_', ' '))}</h3>",
            f'<div class="row"><figure>{parity_svg(chosen, unseen=False)}</figure>'
            f"<figure>{parity_svg(chosen, unseen=True)}</figure></div>",
        ]
    parts.append(
        "<p>Grey rings: the start table. Filled: fitted targets, on the right from fits without the molecule; rings: targets "
        "held out of the campaign. Bars: one standard error of the measured and of the calculated value.</p>"
    )
    return "\n".join(parts)


def _parameters(result: CalibrationResult) -> str:
    rows = [
        (
            p.parameter.label,
            f"{p.value:.4g}",
            f"{p.prior_width:.3g}",
            f"{p.posterior_width:.3g}",
            f"{100 * p.shrinkage:.0f} %",
            p.verdict,
            "at its bound" if p.at_bound else "",
        )
        for p in result.parameters
    ]
    return _table(("parameter", "value", "prior σ", "posterior σ", "shrinkage", "verdict", ""), rows)


def _worst(result: CalibrationResult, molecules: Mapping[str, CGMolecule]) -> str:
    """The molecules that fits without them miss most, in their total errors."""
    drawn: list[str] = []
    for t in worst_targets(result, molecules):
        miss, beads = unseen_value(t) - t.measured, " ".join(molecules[t.label].type_names)
        caption = (
            f"{t.label}: measured {t.measured:.2f}, {'held' if t.split == 'held-out' else 'left'} out {unseen_value(t):.2f} "
            f"{t.unit}, {miss / total_error(t):+.1f} total errors off; beads {beads}"
        )
        drawn.append(f"<figure>{_drawn(molecules[t.label])}<figcaption>{plain(caption)}</figcaption></figure>")
    return f'<h3>Worst molecules, left out of the fit</h3><div class="row">{"".join(drawn)}</div>' if drawn else ""


def _drawn(molecule: CGMolecule) -> str:
    """The molecule with its beads, or nothing for a model that has no atoms."""
    try:
        picture = mapping_svg(molecule)
    except TopdownError:
        return ""
    return picture[picture.index("<svg") :]


def _targets(result: CalibrationResult) -> str:
    any_cold = any(supercooled_text(t) for t in result.targets)
    header = (
        "target",
        "unit",
        "measured",
        "model error",
        "before",
        "after",
        "left out",
        "chemotype left out",
        "weight",
        *(["liquid"] if any_cold else []),
        "source",
    )
    rows = [
        (
            t.label,
            t.unit,
            f"{t.measured:.2f} ± {t.uncertainty:.2f}",
            f"{t.model_error:.2f}",
            f"{t.before.value:.2f} ± {t.before.standard_error:.2f}",
            f"{t.after.value:.2f} ± {t.after.standard_error:.2f}",
            "held out" if t.split == "held-out" else "" if t.left_out is None else f"{t.left_out:.2f}",
            "" if t.chemotype_out is None else f"{t.chemotype_out:.2f}",
            f"{t.weight:.2f}",
            *([supercooled_text(t)] if any_cold else []),
            t.reference,
        )
        for t in result.targets
    ]
    return _table(header, rows)


def _sensitivities(result: CalibrationResult) -> str:
    columns = sensitivity_columns(result)
    names = ", ".join(f"{k + 1} {plain(result.parameters[k].parameter.label)}" for k in columns)
    less = (
        ""
        if len(columns) == len(result.parameters)
        else f", the {len(columns)} that move most of {len(result.parameters)}"
    )
    return (
        "<p>∂target/∂parameter: by how many of its total errors a target moves when a parameter moves by its prior width (red "
        f"up, blue down). Parameters{less}: {names}.</p>"
        f'<div class="scroll">{sensitivity_svg(result)}</div>'
    )


def _types(result: CalibrationResult) -> list[str]:
    """Bead types chosen, and what those of the runner-up mappings would do."""
    parts: list[str] = []
    if result.types is not None:
        parts += [
            "<h2>Bead types</h2>",
            f"<p>{plain(type_summary(result.types))}. Gains are falls of the cost; a type is kept only where it helps molecules "
            "it was not chosen on. Parameters are not fitted anew.</p>",
            _table(TYPE_HEADER, type_rows(result.types)),
        ]
    if result.runner_ups:
        parts += [
            "<h3>Runner-up mappings</h3>",
            f"<p>{plain(runner_up_line(result))}. Change of the score of the molecule's targets when one bead takes the mapper's "
            "next-best type; negative is better.</p>",
            _table(RUNNER_UP_HEADER, runner_up_rows(result)),
        ]
    return parts


def _rounds(result: CalibrationResult) -> str:
    header = (
        "round",
        "systems",
        "cost before",
        "after",
        "residual [σ]",
        "left out [σ]",
        "step",
        "beads × steps so far",
        "MD's share",
    )
    rows = [
        (
            k,
            len(r.sampled),
            f"{r.cost_before:.2f}",
            f"{r.cost_after:.2f}",
            f"{r.residual:.2f}",
            f"{r.residual_left_out:.2f}",
            "cut back" if r.limited else "free",
            f"{r.spent:.3g}",
            f"{100 * r.md_share:.0f} %",
        )
        for k, r in enumerate(result.rounds, start=1)
    ]
    return _table(header, rows)


def _virials(stickiness: Sequence[VirialComparison]) -> list[str]:
    """Second virial coefficients before and after."""
    if not stickiness:
        return []
    rows = [
        (
            row.name,
            f"{row.before.value:.3f} ± {row.before.standard_error:.3f}",
            f"{row.after.value:.3f} ± {row.after.standard_error:.3f}",
            "stickier" if row.is_stickier else "",
        )
        for row in stickiness
    ]
    return [
        "<h2>Second virial coefficients</h2>",
        f"<p>{plain(stickiness_line(stickiness))}.</p>",
        _table(("solute", "B₂ before [nm³]", "after", ""), rows),
    ]
