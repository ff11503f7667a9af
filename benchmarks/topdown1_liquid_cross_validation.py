"""How well densities and surface tensions of liquids that were left out of the fit are predicted.

    python benchmarks/topdown1_liquid_cross_validation.py [--folds 10] [--repeats 4]

From what the liquids of the campaign gave at its start, with derivatives, nothing is simulated: factors of pairs of classes are
fitted to nine tenths of the liquids, and the others follow from them to first order, density and surface tension of a liquid
always together. One line for each prior and model error: mean, median and mean signed error [%] of both over the liquids left
out, the mean for liquids of more beads and of one apart, and the mean error of those fitted when all are.
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
NO_LIMIT = (1e6, 1e6)
NONE = (1e-6, 1e-6)


def cases(prior: FactorPrior, of_density: float, of_tension: float) -> dict[str, tuple[FactorPrior, float, float]]:
    """What is compared: prior, and model errors of density and surface tension; first that of the campaign."""
    errors = (of_density, of_tension)
    (place_sigma, place_epsilon), (class_sigma, class_epsilon) = prior.places, prior.classes
    return {
        "the campaign's": (prior, *errors),
        "no volumes": (replace(prior, volumes=NONE), *errors),
        "volumes for σ alone": (replace(prior, volumes=(prior.volumes[0], 1e-6)), *errors),
        "volumes half as wide": (replace(prior, volumes=(0.5, 1.0)), *errors),
        "classes tied to nothing": (replace(prior, places=NONE, classes=(0.05, 0.25)), *errors),
        "places alone": (replace(prior, classes=NONE), *errors),
        "classes half as wide in ln σ": (replace(prior, classes=(0.5 * class_sigma, class_epsilon)), *errors),
        "classes twice as wide in ln σ": (replace(prior, classes=(2.0 * class_sigma, class_epsilon)), *errors),
        "classes half as wide in ln ε": (replace(prior, classes=(class_sigma, 0.5 * class_epsilon)), *errors),
        "classes twice as wide in ln ε": (replace(prior, classes=(class_sigma, 2.0 * class_epsilon)), *errors),
        "places twice as wide": (replace(prior, places=(2.0 * place_sigma, 2.0 * place_epsilon)), *errors),
        "sizes 0.15 in ln ε": (replace(prior, sizes=(prior.sizes[0], 0.15)), *errors),
        "model errors 0.03, 0.12": (prior, 0.03, 0.12),
        "model errors 0.05, 0.2": (prior, 0.05, 0.2),
    }


def class_places() -> tuple[tuple[str, ...], np.ndarray]:
    """Names and fitted places of the classes as they are written."""
    with (FOLDER / CLASSES_FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name.startswith("fitted ")]
    return tuple(row["class"] for row in rows), np.array([[float(row[c]) for c in columns] for row in rows])


def start_values(table: BeadTable) -> tuple[list[LiquidValue], np.ndarray, BeadTable]:
    """What the liquids gave at the start of the campaign, whether they are of one bead, and the table with ε as it was there."""
    values, alone, epsilon = [], [], {}
    for key, value in LiquidRuns(FOLDER / ROUNDS_FILE):
        names = [t.name for t in table.subset(key.types).bead_types]
        rows = zip(*np.triu_indices(len(names)))
        epsilon.update({(names[i], names[j]): e for (i, j), e in zip(rows, key.epsilon)})
        if value is not None:
            values.append(value)
            alone.append(len(key.types) == 1)
    return values, np.array(alone), table.with_epsilon(epsilon)


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


def mean_error(off: np.ndarray) -> float:
    """Mean of |calculated/measured - 1| in per cent."""
    return float(100.0 * np.abs(np.expm1(off)).mean())


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
    values, alone, table = start_values(load_bead_table("topdown1"))
    x = read_start(FOLDER / stage.start, FactorSpace(names, table, places))
    measured = measured_liquids()
    liquids = sorted({v.smiles for v in values})
    density = np.array([v.quantity == "density" for v in values])
    print(f"{len(liquids)} liquids, {density.sum()} densities, {(~density).sum()} surface tensions")
    print(f"of one bead: {(alone & density).sum()} and {(alone & ~density).sum()}")
    print("mean of |error|, median, mean error [%], left out: densities | surface tensions |")
    print("    mean of |error| of densities of more beads, of one, surface tensions of more, of one | fitted, both")
    for name, (prior, of_density, of_tension) in cases(stage.prior, stage.density_error, stage.tension_error).items():
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
        by_beads = [what & ~alone if more else what & alone for what in (density, ~density) for more in (True, False)]
        apart = " ".join(f"{mean_error(off[:, rows]):4.1f}" for rows in by_beads)
        within = " ".join(f"{mean_error(fitted[rows]):.1f}" for rows in (density, ~density))
        print(f"{name:42s} {told(off[:, density])} | {told(off[:, ~density])} | {apart} | {within}", flush=True)


if __name__ == "__main__":
    main()
