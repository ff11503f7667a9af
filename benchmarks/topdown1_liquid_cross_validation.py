"""How well densities and surface tensions of liquids that were left out of the fit are predicted.

    python benchmarks/topdown1_liquid_cross_validation.py [--folds 10] [--repeats 4]

From what the liquids of the campaign gave at its start, with derivatives, nothing is simulated: factors of pairs of classes are
fitted to nine tenths of the liquids, and the others follow from them to first order, density and surface tension of a liquid
always together. One line for each prior and model error: mean, median and mean signed error [%] of both over the liquids left
out, and the mean error of those fitted when all are.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from topdown.calibration import class_liquids
from topdown.calibration.class_campaign import read_class_campaign
from topdown.calibration.class_liquids import (
    MODEL_ERROR,
    USUAL_PRIOR,
    FactorPrior,
    FactorSpace,
    LiquidValue,
    next_factors,
)
from topdown.mapping.class_typing import CLASSES_FILE
from topdown.model import BeadTable
from topdown.resources import bead_tables_folder
from topdown.tables import load_bead_table
from topdown.workflows.calibrate_liquids import ROUNDS_FILE, Measured, measured_liquids
from topdown.workflows.liquid_runs import LiquidRuns
from topdown.workflows.start_files import read_start

FOLDER = bead_tables_folder() / "topdown1"
TEMPERATURE = 298.15
NOT_TIED = FactorPrior(places=(1e-6, 1e-6), classes=(0.05, 0.25), sizes=(0.03, 0.15))
NO_LIMIT = (1e6, 1e6)
USUAL_ERRORS = (MODEL_ERROR["density"], MODEL_ERROR["surface_tension"])

#: What is compared: prior, and model errors of density and surface tension.
CASES: dict[str, tuple[FactorPrior, float, float]] = {
    "classes tied to nothing, 0.05 and 0.25": (NOT_TIED, 0.03, 0.12),
    "the same, half as wide": (
        FactorPrior(places=(1e-6, 1e-6), classes=(0.025, 0.125), sizes=(0.015, 0.075)),
        0.03,
        0.12,
    ),
    "places alone": (replace(USUAL_PRIOR, classes=(1e-3, 1e-3)), *USUAL_ERRORS),
    "places and classes": (USUAL_PRIOR, *USUAL_ERRORS),
    "the same, classes 0.15 in ln ε": (replace(USUAL_PRIOR, classes=(0.03, 0.15)), *USUAL_ERRORS),
    "the same, classes 0.25 in ln ε": (replace(USUAL_PRIOR, classes=(0.03, 0.25)), *USUAL_ERRORS),
    "the same, classes 0.05 in ln σ": (replace(USUAL_PRIOR, classes=(0.05, 0.10)), *USUAL_ERRORS),
    "the same, places 0.5 in ln ε": (replace(USUAL_PRIOR, places=(0.05, 0.5)), *USUAL_ERRORS),
    "the same, sizes 0.15 in ln ε": (replace(USUAL_PRIOR, sizes=(0.03, 0.15)), *USUAL_ERRORS),
    "the same, model errors 0.03, 0.12": (USUAL_PRIOR, 0.03, 0.12),
    "the same, model errors 0.05, 0.2": (USUAL_PRIOR, 0.05, 0.2),
}


def class_places() -> tuple[tuple[str, ...], np.ndarray]:
    """Names and fitted places of the classes as they are written."""
    with (FOLDER / CLASSES_FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name.startswith("fitted ")]
    return tuple(row["class"] for row in rows), np.array([[float(row[c]) for c in columns] for row in rows])


def start_values(table: BeadTable) -> tuple[list[LiquidValue], BeadTable]:
    """What the liquids gave at the start of the campaign, and the table with ε between beads of one type as it was there."""
    values, epsilon = [], {}
    for key, value in LiquidRuns(FOLDER / ROUNDS_FILE):
        names = [t.name for t in table.subset(key.types).bead_types]
        rows = zip(*np.triu_indices(len(names)))
        epsilon.update({(names[i], names[j]): e for (i, j), e in zip(rows, key.epsilon)})
        if value is not None:
            values.append(value)
    return values, table.with_epsilon(epsilon)


def predictions(
    space: FactorSpace,
    x: np.ndarray,
    table: BeadTable,
    values: Sequence[LiquidValue],
    fitted: Sequence[bool],
    measured: Measured,
    errors: tuple[float, float],
) -> np.ndarray:
    """ln(calculated/measured) of every value with the factors that suit those that are fitted."""
    model_error = dict(zip(MODEL_ERROR, errors))
    chosen = [v for v, wanted in zip(values, fitted) if wanted]
    step = next_factors(space, x, chosen, measured, table, TEMPERATURE, model_error)
    rows = class_liquids.linear_rows(space, values, measured, table, TEMPERATURE, model_error)
    n = len(values)
    return np.asarray(rows.off[-n:] + rows.jacobian[-n:] @ (step.x - x))


def told(off: np.ndarray) -> str:
    percent = 100.0 * np.expm1(off)
    return f"{np.abs(percent).mean():5.1f} {np.median(np.abs(percent)):5.1f} {percent.mean():+5.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=4)
    options = parser.parse_args()
    class_liquids.LARGEST_STEP = NO_LIMIT  # type: ignore[misc]
    stage = read_class_campaign(FOLDER / "campaign.toml").liquids
    assert stage is not None
    names, places = class_places()
    values, table = start_values(load_bead_table("topdown1"))
    x = read_start(FOLDER / stage.start, FactorSpace(names, table, places))
    measured = measured_liquids()
    liquids = sorted({v.smiles for v in values})
    density = np.array([v.quantity == "density" for v in values])
    print(f"{len(liquids)} liquids, {density.sum()} densities, {(~density).sum()} surface tensions")
    print("mean of |error|, median, mean error [%]:  densities left out | surface tensions left out | fitted, both")
    for name, (prior, of_density, of_tension) in CASES.items():
        both = (of_density, of_tension)
        space = FactorSpace(names, table, places, prior)
        found = []
        for repeat in range(options.repeats):
            fold = dict(zip(liquids, np.random.default_rng(repeat).permutation(len(liquids)) % options.folds))
            of_value = np.array([fold[v.smiles] for v in values])
            off = np.zeros(len(values))
            for k in range(options.folds):
                left = of_value == k
                off[left] = predictions(space, x, table, values, list(~left), measured, both)[left]
            found.append(off)
        off = np.array(found)
        fitted = predictions(space, x, table, values, [True] * len(values), measured, both)
        within = " ".join(f"{100 * np.abs(np.expm1(fitted[rows])).mean():.1f}" for rows in (density, ~density))
        print(f"{name:42s} {told(off[:, density])} | {told(off[:, ~density])} | {within}", flush=True)


if __name__ == "__main__":
    main()
