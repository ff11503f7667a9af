"""Distributions of bonded coordinates as a page of small plots."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from topdown.mapping.distributions import Distribution
from topdown.model import CGMolecule

_WIDTH, _HEIGHT, _GAP, _COLUMNS = 220.0, 130.0, 26.0, 4
_COLORS = {"bond": "#4c9be8", "constraint": "#136a4b", "angle": "#f2a33a", "dihedral": "#d96bb0"}
#: Of the line that explains a plot; of the line where a model has its minimum.
_KEY_WIDTH, _MODEL = 440.0, "#b00020"
_FONT = 'font-family="Helvetica, Arial, sans-serif"'


def distributions_svg(molecule: CGMolecule, found: Sequence[Distribution]) -> str:
    """An SVG with one histogram per coordinate, its mean and standard deviation, and a line where the model has its minimum.

    Parameters
    ----------
    molecule : CGMolecule
    found : sequence of Distribution

    Returns
    -------
    str
        A stand-alone SVG document; names are escaped.
    """
    columns = max(1, min(_COLUMNS, len(found)))
    rows = max(1, -(-len(found) // columns))
    width = max(columns * (_WIDTH + _GAP) + _GAP, _KEY_WIDTH + 2 * _GAP)
    height = rows * (_HEIGHT + 2 * _GAP) + 2.6 * _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{_GAP}" y="24" {_FONT} font-size="15" fill="#222">{escape(molecule.name)}</text>',
        f'<text x="{_GAP}" y="42" {_FONT} font-size="11" fill="#555">probability density; mean ± standard deviation; '
        f'<tspan fill="{_MODEL}">dashed: minimum of the model</tspan></text>',
    ]
    for k, d in enumerate(found):
        x, y = _GAP + (k % columns) * (_WIDTH + _GAP), 2.8 * _GAP + (k // columns) * (_HEIGHT + 2 * _GAP)
        parts.append(_plot(molecule, d, x, y))
    return "\n".join([*parts, "</svg>\n"])


def _plot(molecule: CGMolecule, d: Distribution, left: float, top: float) -> str:
    low, high = float(d.edges[0]), float(d.edges[-1])
    highest = max(float(d.density.max()), 1e-12)

    def across(value: float) -> float:
        return left + _WIDTH * (value - low) / (high - low)

    floor = top + _HEIGHT
    points = [f"{across(low):.1f},{floor:.1f}"]
    for e0, e1, y in zip(d.edges[:-1], d.edges[1:], d.density):
        level = floor - _HEIGHT * float(y) / highest
        points += [f"{across(float(e0)):.1f},{level:.1f}", f"{across(float(e1)):.1f},{level:.1f}"]
    points.append(f"{across(high):.1f},{floor:.1f}")
    names = escape("-".join(molecule.beads[a].name for a in d.atoms))
    unit, digits = (" nm", 3) if d.unit == "nm" else ("°", 1)
    lines = [
        f'<polygon points="{" ".join(points)}" fill="{_COLORS[d.kind]}" fill-opacity="0.75"/>',
        f'<line x1="{left:.1f}" y1="{floor:.1f}" x2="{left + _WIDTH:.1f}" y2="{floor:.1f}" stroke="#444"/>',
        f'<text x="{left:.1f}" y="{top - 6:.1f}" {_FONT} font-size="11" fill="#222">{d.kind} {names}: '
        f"{d.mean:.{digits}f} ± {d.sd:.{digits}f}{unit}</text>",
        f'<text x="{left:.1f}" y="{floor + 13:.1f}" {_FONT} font-size="10" fill="#555">{low:.{digits}f}{unit}</text>',
        f'<text x="{left + _WIDTH:.1f}" y="{floor + 13:.1f}" {_FONT} font-size="10" fill="#555" '
        f'text-anchor="end">{high:.{digits}f}{unit}</text>',
    ]
    if d.target is not None and low <= d.target <= high:
        at = across(d.target)
        lines.append(
            f'<line x1="{at:.1f}" y1="{top:.1f}" x2="{at:.1f}" y2="{floor:.1f}" stroke="{_MODEL}" stroke-dasharray="4 3"/>'
        )
    return "\n".join(lines)
