"""Numbers that a campaign of classes starts from, in CSV files beside it: a name and its numbers in every row."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from topdown.calibration.class_campaign import ClassCampaign
from topdown.calibration.class_liquids import FactorSpace
from topdown.errors import InputFileError
from topdown.model._arrays import FloatArray

#: Names and centroids (K, V) of classes, or none.
ClassStart = tuple[tuple[str, ...], FloatArray] | None
START_COLUMNS: Final = ("class or sizes", "ln sigma", "ln epsilon")


def read_class_start(campaign: ClassCampaign) -> ClassStart:
    """Names and centroids (K, V) that the classes of a campaign start from, if any.

    Columns of the file are ``class`` and one for each solvent bead, as in ``classes.csv``.

    Raises
    ------
    InputFileError
        No such file, or not as many classes as the campaign has.
    """
    if not campaign.class_start:
        return None
    path = campaign.path.parent / campaign.class_start
    rows = _named_numbers(path, ("class", *(f"place {solvent}" for solvent in campaign.solvents)), "no classes")
    if len(rows) != campaign.n_classes:
        raise InputFileError(f"fit.start has {len(rows)} classes, the campaign {campaign.n_classes}", where=str(path))
    if not np.isfinite(list(rows.values())).all():
        raise InputFileError("a place of a class to start from is no number", where=str(path))
    return tuple(rows), np.array(list(rows.values()))


def read_start(path: Path, space: FactorSpace) -> FloatArray:
    """Factors to start from, as a vector of ``space``: columns ``START_COLUMNS``, every class and pair of sizes once.

    Raises
    ------
    InputFileError
        No such file, or not such factors.
    """
    rows = _named_numbers(path, START_COLUMNS, "no factors")
    if set(rows) != set(space.labels) or not np.isfinite(list(rows.values())).all():
        wrong = ", ".join(sorted(set(rows) ^ set(space.labels))) or "a number that is none"
        raise InputFileError(f"factors of other classes than the campaign has: {wrong}", where=str(path))
    return np.array([rows[label] for label in space.labels]).T.ravel()


def _named_numbers(path: Path, columns: Sequence[str], missing: str) -> dict[str, list[float]]:
    """Rows of a CSV file by their name in the first of ``columns``."""
    name, *numbers = columns
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row[name]: [float(row[column]) for column in numbers] for row in csv.DictReader(file)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"{missing} to start from: {error!r}", where=str(path), hint=f"columns: {', '.join(columns)}"
        ) from None
