"""Pictures of a calibration as SVG: parity plots, the matrix before and after, residuals by chemistry, effective samples,
overlaps of states, sensitivities.

They keep to what :mod:`topdown.report.svg_png` can draw.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from topdown.calibration.result import CalibrationResult, EpsilonResult, StateOverlap, TargetResult

FloatArray = npt.NDArray[np.float64]
_FONT = 'font-family="sans-serif"'
_FITTED, _UNSEEN, _BEFORE = "#1f5fa8", "#c0531c", "#9a9a9a"


def plain(text: str) -> str:
    """Text fit for HTML and SVG: escaped, without what cannot be printed."""
    return html.escape("".join(c if c.isprintable() else " " for c in text))


def parity_svg(targets: Sequence[TargetResult], *, unseen: bool) -> str:
    """Calculated against measured for targets of one quantity.

    Parameters
    ----------
    targets : sequence of TargetResult
    unseen : bool
        Show what no fit had seen – values of fits without the molecule, and held-out targets – instead of the fit itself.
    """
    points = []
    for t in targets:
        held_out = t.split == "held-out"
        if unseen and not held_out and t.left_out is None:
            continue
        if not unseen and held_out:
            continue
        after = t.after.value if held_out or not unseen or t.left_out is None else t.left_out
        points.append((t, after))
    if not points:
        return "<p>No targets.</p>"
    values = [t.before.value for t, _ in points]
    for t, after in points:
        values += [t.measured - t.uncertainty, t.measured + t.uncertainty]
        values += [after - t.after.standard_error, after + t.after.standard_error]
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin
    left, top, side = 52.0, 26.0, 280.0

    def x(v: float) -> float:
        return left + (v - low) / (high - low) * side

    def y(v: float) -> float:
        return top + side - (v - low) / (high - low) * side

    unit = points[0][0].unit
    title = "not seen by the fit" if unseen else "fitted"
    parts = [
        _open(left + side + 12, top + side + 44),
        f'<text x="{left}" y="16" {_FONT} font-size="13" font-weight="bold">{plain(title)}</text>',
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#888"/>',
        f'<line x1="{x(low)}" y1="{y(low)}" x2="{x(high)}" y2="{y(high)}" stroke="#bbb"/>',
        *_axes(low, high, x, y, left, top, side, unit),
    ]
    for t, after in points:
        color = _UNSEEN if unseen else _FITTED
        error_x, error_y = t.uncertainty, t.after.standard_error
        parts += [
            f'<circle cx="{x(t.measured):.1f}" cy="{y(t.before.value):.1f}" r="2.5" fill="none" stroke="{_BEFORE}"/>',
            f'<g stroke="{color}" fill="{color if t.split == "calibration" else "#ffffff"}">'
            f"<title>{plain(t.label)}: measured {t.measured:.2f}, calculated {after:.2f} {plain(unit)}</title>"
            f"{_bar(x(t.measured - error_x), y(after), x(t.measured + error_x), y(after))}"
            f"{_bar(x(t.measured), y(after - error_y), x(t.measured), y(after + error_y))}"
            f'<circle cx="{x(t.measured):.1f}" cy="{y(after):.1f}" r="3.5"/></g>',
        ]
    return "\n".join([*parts, "</svg>"])


def _bar(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _open(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">'
    )


def _axes(
    low: float,
    high: float,
    x: Callable[[float], float],
    y: Callable[[float], float],
    left: float,
    top: float,
    side: float,
    unit: str,
) -> list[str]:
    parts = []
    for tick in _ticks(low, high):
        parts += [
            f'<text x="{x(tick):.1f}" y="{top + side + 14}" {_FONT} font-size="10" text-anchor="middle">{tick:g}</text>',
            f'<text x="{left - 5}" y="{y(tick) + 3:.1f}" {_FONT} font-size="10" text-anchor="end">{tick:g}</text>',
        ]
    middle = left + side / 2
    parts += [
        f'<text x="{middle}" y="{top + side + 32}" {_FONT} font-size="11" text-anchor="middle">measured [{plain(unit)}]</text>',
        f'<text x="{left + side}" y="{top - 8}" {_FONT} font-size="11" text-anchor="end">'
        f"up: calculated [{plain(unit)}]</text>",
    ]
    return parts


def _ticks(low: float, high: float) -> list[float]:
    step = 10.0 ** np.floor(np.log10((high - low) / 3.0))
    step *= next(m for m in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * m) <= 7.0)
    return [float(round(v, 10)) for v in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def matrix_svg(epsilons: Sequence[EpsilonResult]) -> str:
    """The ε that moved as a triangle of bead types: new value, change by colour, start and posterior σ as small print."""
    types = sorted({name for e in epsilons for name in e.pair})
    place = {name: i for i, name in enumerate(types)}
    cell, left, top = 72.0, 60.0, 24.0
    parts = [_open(left + cell * len(types) + 4, top + cell * len(types) + 4)]
    for name, i in place.items():
        parts += [
            f'<text x="{left + cell * (i + 0.5)}" y="16" {_FONT} font-size="11" text-anchor="middle">{plain(name)}</text>',
            f'<text x="{left - 6}" y="{top + cell * (i + 0.55)}" {_FONT} font-size="11" text-anchor="end">{plain(name)}</text>',
        ]
    for e in epsilons:
        column, row = sorted((place[e.pair[0]], place[e.pair[1]]))
        x, y = left + cell * column, top + cell * row
        change = e.value / e.start - 1.0
        middle = x + cell / 2
        parts += [
            f"<g><title>{plain('-'.join(e.pair))}: {e.start:.3f} ± {e.prior_width:.3f} to {e.value:.3f} ± "
            f"{e.posterior_width:.3f} kJ/mol, {plain(e.verdict)}</title>"
            f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{_diverging(change / 0.3)}" stroke="#fff"/>'
            f'<text x="{middle}" y="{y + 26}" {_FONT} font-size="13" text-anchor="middle">{e.value:.2f}</text>'
            f'<text x="{middle}" y="{y + 42}" {_FONT} font-size="9" text-anchor="middle" fill="#333">was {e.start:.2f}</text>'
            f'<text x="{middle}" y="{y + 56}" {_FONT} font-size="9" text-anchor="middle" fill="#333">± {e.posterior_width:.2f} '
            f"({100 * e.shrinkage:.0f} %)</text></g>"
        ]
    return "\n".join([*parts, "</svg>"])


def _diverging(value: float) -> str:
    """Blue for weaker, white for unchanged, red for stronger."""
    v = max(-1.0, min(1.0, value))
    fade = round(255 - 150 * abs(v))
    return f"rgb(255,{fade},{fade})" if v > 0 else f"rgb({fade},{fade},255)"


def effective_svg(result: CalibrationResult, least: float) -> str:
    """Effective samples of every system with the start table and with the new one; red below what is asked for."""
    rows = result.effective
    height, left = 17.0, 250.0
    parts = [
        _open(left + 190, 24 + height * len(rows)),
        f'<text x="{left + 45}" y="15" {_FONT} font-size="11" text-anchor="middle">start table</text>',
        f'<text x="{left + 135}" y="15" {_FONT} font-size="11" text-anchor="middle">new table</text>',
    ]
    for k, (system, *counts) in enumerate(rows):
        y = 22 + height * k
        parts.append(
            f'<text x="{left - 6}" y="{y + 12}" {_FONT} font-size="10" text-anchor="end">{plain(system[:44])}</text>'
        )
        for column, count in enumerate(counts):
            share = min(1.0, max(0.0, np.log10(max(count, 1.0)) / 4.0))
            color = "#e08a80" if count < least else f"rgb({round(235 - 150 * share)},{round(240 - 70 * share)},235)"
            x = left + 90 * column
            parts.append(
                f'<rect x="{x}" y="{y}" width="88" height="{height - 1}" fill="{color}"/>'
                f'<text x="{x + 44}" y="{y + 12}" {_FONT} font-size="10" text-anchor="middle">{count:.0f}</text>'
            )
    return "\n".join([*parts, "</svg>"])


def chemistry_svg(targets: Sequence[TargetResult]) -> str:
    """Residuals of transfer free energies, one row of points for each chemotype: fitted, and not seen by the fit."""
    chosen = [t for t in targets if t.quantity == "transfer_free_energy"]
    kinds = sorted({t.chemotype for t in chosen})
    if not kinds:
        return "<p>No transfer free energies.</p>"
    residuals = {id(t): (_unseen(t) - t.measured, t.after.value - t.measured) for t in chosen}
    reach = max(5.0, *(abs(v) for pair in residuals.values() for v in pair)) * 1.05
    left, width, height = 130.0, 420.0, 30.0

    def x(v: float) -> float:
        return left + (v + reach) / (2 * reach) * width

    bottom = 20 + height * len(kinds)
    parts = [
        _open(left + width + 10, bottom + 40),
        f'<line x1="{x(0)}" y1="14" x2="{x(0)}" y2="{bottom}" stroke="#999"/>',
        *(
            f'<text x="{x(v):.1f}" y="{bottom + 14}" {_FONT} font-size="10" text-anchor="middle">{v:g}</text>'
            for v in _ticks(-reach, reach)
        ),
        f'<text x="{x(0)}" y="{bottom + 32}" {_FONT} font-size="11" text-anchor="middle">calculated - measured '
        "[kJ/mol]</text>",
        f'<text x="{left}" y="11" {_FONT} font-size="11" fill="{_FITTED}">fitted</text>',
        f'<text x="{left + 60}" y="11" {_FONT} font-size="11" fill="{_UNSEEN}">not seen by the fit</text>',
    ]
    for row, kind in enumerate(kinds):
        y = 26 + height * row
        parts.append(
            f'<text x="{left - 8}" y="{y + 8}" {_FONT} font-size="11" text-anchor="end">{plain(kind or "unknown")}</text>'
        )
        for t in (t for t in chosen if t.chemotype == kind):
            unseen, fitted = residuals[id(t)]
            title = f"<title>{plain(t.label)}</title>"
            if t.split == "calibration":
                parts.append(
                    f'<circle cx="{x(fitted):.1f}" cy="{y}" r="3.2" fill="{_FITTED}" fill-opacity="0.7">{title}</circle>'
                )
            parts.append(
                f'<circle cx="{x(unseen):.1f}" cy="{y + 9}" r="3.2" fill="{_UNSEEN}" fill-opacity="0.7">{title}</circle>'
            )
    return "\n".join([*parts, "</svg>"])


def overlap_svg(found: StateOverlap) -> str:
    """Overlaps of the states of one system, every two: 0.5 (dark) for equal ones; numbers where a chain would be thin."""
    n, cell, left, top = len(found.states), 21.0, 52.0, 36.0
    width = max(left + cell * n + 8, 190.0)
    parts = [
        _open(width, top + cell * n + 6),
        f'<text x="4" y="12" {_FONT} font-size="10" font-weight="bold">{plain(found.system[:34])}</text>',
        f'<text x="4" y="25" {_FONT} font-size="10" fill="{"#a02010" if found.weakest < 0.03 else "#444444"}">'
        f"weakest link {found.weakest:.3f}</text>",
    ]
    for i, name in enumerate(found.states):
        y = top + cell * i
        parts.append(f'<text x="{left - 4}" y="{y + 14}" {_FONT} font-size="9" text-anchor="end">{plain(name)}</text>')
        for j in range(n):
            value = float(found.matrix[i, j])
            shade = round(255 - 190 * min(1.0, 2.0 * value))
            x = left + cell * j
            ink = "#ffffff" if value > 0.3 else "#333333"
            parts += [
                f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" fill="rgb({shade},{shade},255)"/>',
                f'<text x="{x + cell / 2 - 0.5}" y="{y + 13}" {_FONT} font-size="8" text-anchor="middle" fill="{ink}">'
                f"{_short(value)}</text>",
            ]
    return "\n".join([*parts, "</svg>"])


def _short(value: float) -> str:
    return "0" if value < 0.005 else f"{value:.2f}".lstrip("0")


#: Most parameters a picture of sensitivities has columns for.
MOST_COLUMNS = 30


def sensitivity_columns(result: CalibrationResult) -> list[int]:
    """The parameters that move the targets most, in their order."""
    strength = np.abs(_moves(result)).max(axis=0, initial=0.0)
    return sorted(sorted(range(len(strength)), key=lambda k: -strength[k])[:MOST_COLUMNS])


def _moves(result: CalibrationResult) -> FloatArray:
    """By how many of its total errors one prior width of a parameter moves a target, (targets, parameters)."""
    total = np.array([(t.uncertainty**2 + t.model_error**2 + t.after.standard_error**2) ** 0.5 for t in result.targets])
    widths = np.array([p.parameter.width_x for p in result.parameters])
    return np.asarray(result.sensitivities * widths / total[:, None], dtype=np.float64)


def sensitivity_svg(result: CalibrationResult) -> str:
    """∂target/∂parameter as a table of colours, in prior widths of the parameter and total errors of the target."""
    columns, moves = sensitivity_columns(result), _moves(result)
    cell, high, left, top = 34.0, 17.0, 250.0, 22.0
    parts = [_open(left + cell * len(columns) + 6, top + high * len(result.targets) + 6)]
    parts += [
        f'<text x="{left + cell * (place + 0.5)}" y="15" {_FONT} font-size="10" text-anchor="middle">{k + 1}</text>'
        for place, k in enumerate(columns)
    ]
    for i, t in enumerate(result.targets):
        y = top + high * i
        parts.append(
            f'<text x="{left - 6}" y="{y + 12}" {_FONT} font-size="10" text-anchor="end">{plain(t.label[:44])}</text>'
        )
        for place, k in enumerate(columns):
            ink = "#ffffff" if moves[i, k] < -1.2 else "#222222"
            x, label = left + cell * place, result.parameters[k].parameter.label
            parts.append(
                f"<g><title>{plain(t.label)} by {plain(label)}: {result.sensitivities[i, k]:.4g} {plain(t.unit)} per unit</title>"
                f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{high - 1}" fill="{_diverging(moves[i, k] / 2.0)}"/>'
                f'<text x="{x + cell / 2}" y="{y + 12}" {_FONT} font-size="9" text-anchor="middle" fill="{ink}">'
                f"{moves[i, k]:+.1f}</text></g>"
            )
    return "\n".join([*parts, "</svg>"])


def _unseen(t: TargetResult) -> float:
    """What a fit that had not seen the target says of it, where there is one."""
    return t.after.value if t.left_out is None else t.left_out
