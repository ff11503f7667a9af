"""Numbers of things in sentences."""

from __future__ import annotations


def counted(n: int, thing: str, things: str = "") -> str:
    """``"1 bead"``, ``"4 beads"``; ``things`` is the plural where it is not made by an s."""
    return f"{n} {thing if n == 1 else things or thing + 's'}"
