"""What the HTML pages share: assets that travel with the package, and text and data that are safe inside a page."""

from __future__ import annotations

import html
import json
from functools import lru_cache
from importlib.resources import files
from typing import Any


def page_text(text: str) -> str:
    """``text`` as HTML shows it, control characters as spaces."""
    return html.escape("".join(c if c.isprintable() else " " for c in text))


def script_data(data: Any) -> str:
    """Plain values as a literal inside a script element, which they cannot end."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache(maxsize=8)
def page_asset(name: str) -> str:
    """A file of ``topdown/report/assets`` as text."""
    return (files("topdown.report") / "assets" / name).read_text(encoding="utf-8")


def library_parts() -> dict[str, str]:
    """3Dmol.js and its licence, as the templates take them."""
    return {"library": page_asset("3Dmol-min.js"), "licence": page_asset("3Dmol-LICENSE.txt").replace("--", "- -")}
