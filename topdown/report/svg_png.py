"""The simple SVG of this package's plots as PNG, drawn by RDKit's Cairo drawer: rectangles, lines, circles and level text.

Its font holds plain Latin letters: others are spelt out, or shown as a question mark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

_SVG = "{http://www.w3.org/2000/svg}"
#: Pixels per unit of the SVG.
_SCALE = 2.0
_SPELT = {
    "→": "->", "±": "+-", "–": "-", "−": "-", "·": ".", "×": "x", "≤": "<=", "≥": ">=", "∂": "d", "°": "deg",
    "ε": "eps", "λ": "lambda", "σ": "sigma", "γ": "gamma", "ρ": "rho", "Δ": "Delta", "τ": "tau",
    "₂": "2", "²": "2", "³": "3", "⁰": "0", "½": "1/2",
}  # fmt: skip
_ALIGN = {"middle": 0, "start": 1, "end": 2}
_NAMED = {"white": "#ffffff", "black": "#000000"}


def spelt_out(text: str) -> str:
    """``text`` in the letters the drawer has."""
    plain = unicodedata.normalize("NFKD", "".join(_SPELT.get(c, c) for c in text))
    return "".join(c if " " <= c <= "~" else "" if unicodedata.combining(c) else "?" for c in plain)


def svg_png(svg: str) -> bytes:
    """A PNG of one of this package's own plots, at twice its size.

    Parameters
    ----------
    svg : str
        One ``<svg>`` element with width and height; groups pass on fill and stroke, titles are left out.
    """
    root = ElementTree.fromstring(svg)
    width, height = (max(1, round(_SCALE * float(root.attrib[name]))) for name in ("width", "height"))
    drawer = rdMolDraw2D.MolDraw2DCairo(width, height)
    drawer.drawOptions().clearBackground = True
    drawer.ClearDrawing()
    _draw(drawer, root, {"fill": "#000000", "stroke": "none"})
    drawer.FinishDrawing()
    return bytes(drawer.GetDrawingText())


def _draw(drawer: Any, element: ElementTree.Element, above: Mapping[str, str]) -> None:
    style = {name: element.attrib.get(name, above[name]) for name in above}
    style["opacity"] = element.attrib.get("fill-opacity", "1")
    tag = element.tag.removeprefix(_SVG)
    if tag == "text":
        _text(drawer, element, style["fill"])
    elif tag == "line":
        ends = [_point(element, f"x{k}", f"y{k}") for k in (1, 2)]
        if _colour(drawer, style["stroke"]):
            drawer.SetLineWidth(_SCALE)
            drawer.DrawLine(*ends, True)
    elif tag in ("rect", "circle"):
        corners = _corners(element, tag)
        shape = drawer.DrawRect if tag == "rect" else drawer.DrawEllipse
        if _colour(drawer, style["fill"], float(style["opacity"])):
            drawer.SetFillPolys(True)
            drawer.SetLineWidth(0)
            shape(*corners, True)
        if _colour(drawer, style["stroke"]):
            drawer.SetFillPolys(False)
            drawer.SetLineWidth(_SCALE)
            shape(*corners, True)
    else:
        for child in element:
            if child.tag != f"{_SVG}title":
                _draw(drawer, child, {"fill": style["fill"], "stroke": style["stroke"]})


def _number(element: ElementTree.Element, name: str) -> float:
    return _SCALE * float(element.attrib[name])


def _point(element: ElementTree.Element, x: str, y: str) -> Any:
    return Point2D(_number(element, x), _number(element, y))


def _corners(element: ElementTree.Element, tag: str) -> tuple[Any, Any]:
    if tag == "rect":
        x, y = _number(element, "x"), _number(element, "y")
        return Point2D(x, y), Point2D(x + _number(element, "width"), y + _number(element, "height"))
    x, y, r = (_number(element, name) for name in ("cx", "cy", "r"))
    return Point2D(x - r, y - r), Point2D(x + r, y + r)


def _colour(drawer: Any, text: str, opacity: float = 1.0) -> bool:
    """Take a colour on white; False for none."""
    if text == "none":
        return False
    if text.startswith("rgb("):
        parts = [int(v) for v in text[4:-1].split(",")]
    else:
        digits = _NAMED.get(text, text).lstrip("#")
        digits = "".join(2 * c for c in digits) if len(digits) == 3 else digits
        parts = [int(digits[k : k + 2], 16) for k in (0, 2, 4)]
    drawer.SetColour(tuple(1.0 - opacity * (1.0 - v / 255.0) for v in parts))
    return True


def _text(drawer: Any, element: ElementTree.Element, fill: str) -> None:
    words = spelt_out("".join(element.itertext()))
    if not words.strip():
        return
    _colour(drawer, fill)
    size = _number(element, "font-size")
    drawer.SetFontSize(size)
    at = Point2D(_number(element, "x"), _number(element, "y") - 0.36 * size)  # SVG means the line letters stand on
    drawer.DrawString(words, at, _ALIGN[element.attrib.get("text-anchor", "start")], True)
