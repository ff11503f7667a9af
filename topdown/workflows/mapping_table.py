"""Mapped and refused molecules as rows of a table, out of their JSON objects."""

from __future__ import annotations

from typing import Any

#: Columns of ``mappings.csv`` and ``rejects.csv``.
CSV_COLUMNS = (
    "smiles", "name", "canonical_smiles", "table", "beads", "types", "charge", "lowest_confidence", "cgsmiles", "warnings",
)  # fmt: skip
REJECT_COLUMNS = ("number", "smiles", "name", "code", "message")


def csv_row(found: dict[str, Any]) -> list[str]:
    """The values of :data:`CSV_COLUMNS` out of :func:`mapping_json`."""
    beads = found["beads"]
    return [
        found["smiles"],
        found["name"],
        found["canonical_smiles"],
        found["table"],
        str(len(beads)),
        "-".join(bead["type"] for bead in beads),
        f"{sum(bead['charge'] for bead in beads):g}",
        f"{min(bead['confidence'] for bead in beads):.2f}",
        found["cgsmiles"],
        "; ".join(found["warnings"]),
    ]


def reject_row(number: int, found: dict[str, Any]) -> list[str]:
    """The values of :data:`REJECT_COLUMNS` out of the JSON of a refusal; ``number`` is its place in the list, from 1."""
    error = found["error"]
    return [str(number), found["smiles"], found["name"], error["code"], error["message"]]


def refusal_line(found: dict[str, Any]) -> str:
    """A refusal on one line that starts with its code, fit for a terminal."""
    error = found["error"]
    message = error["message"].removeprefix(f"{found['smiles']}: ")
    where = "".join(c if c.isprintable() else " " for c in found["smiles"][:60])
    name = "".join(c if c.isprintable() else " " for c in found["name"][:60])
    text = f"{error['code']} {where}: {message}" if where.strip() else f"{error['code']} {message}"
    return f"{text} [{name}]" if name else text
