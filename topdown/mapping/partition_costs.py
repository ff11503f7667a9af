"""Costs of the features of a group, in 1/100 of log-likelihood: ``partition_costs.csv`` beside each bead table.

The files are written by ``scripts/fit_partition_costs.py``, which says how they are fitted and to what.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from topdown.resources import bead_tables_folder

COSTS_FILE = "partition_costs.csv"
STYLES = ("martini2", "martini3")


def read_partition_costs(path: Path) -> dict[str, int]:
    """Cost by feature."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        if next(reader, []) != ["feature", "cost"]:
            raise ValueError(f"{path}: unexpected columns")
        return {feature: int(cost) for feature, cost in reader}


PARTITION_COSTS: Mapping[str, Mapping[str, int]] = {
    style: read_partition_costs(bead_tables_folder() / style / COSTS_FILE) for style in STYLES
}
