"""Averages of Martini 3 liquids and hydration free energies by GROMACS, ``reference_data/gromacs/averages.csv``."""

from __future__ import annotations

import csv
from pathlib import Path

_FILE = Path(__file__).parents[1] / "reference_data" / "gromacs" / "averages.csv"


def gromacs_averages(quantity: str) -> dict[str, tuple[float, float]]:
    """(value, standard error) by system."""
    with _FILE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quantity"] == quantity]
    return {row["system"]: (float(row["value"]), float(row["standard_error"])) for row in rows}
