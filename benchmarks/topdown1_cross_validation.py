"""Cross-validation of a campaign of classes within its calibration rows: what the settings of the fit are chosen by.

    python benchmarks/topdown1_cross_validation.py bead_tables/topdown1/campaign.toml --classes 18,32,48

Molecules are divided at random; classes, weights and places come from the other folds alone. ``continuous`` gives every bead
its own estimated strengths. Nothing is simulated: reduced sums beside the campaign must hold every shape. Five minutes.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from topdown.calibration.class_campaign import read_class_campaign
from topdown.calibration.class_fit import (
    ClassProblem,
    assign_classes,
    class_metric,
    cluster,
    fit_continuous,
    refine_classes,
)
from topdown.tables import load_bead_table
from topdown.workflows.calibrate_classes import fit_further_phases
from topdown.workflows.class_problem import stored_problem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", type=Path)
    parser.add_argument("--classes", default="32")
    parser.add_argument("--width", type=float, help="prior of the weights; default that of the campaign")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    campaign = read_class_campaign(options.campaign)
    parent = load_bead_table(campaign.parent)
    whole, further = stored_problem(campaign, parent)
    fold = np.random.default_rng(options.seed).integers(0, options.folds, len(whole.molecules))
    index = {m.smiles: k for k, m in enumerate(whole.molecules)}
    phases = [p.name for p in campaign.phases if p.name != "water"]
    off: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for left_out in range(options.folds):
        observations = [
            replace(o, calibration=o.calibration and fold[o.molecule] != left_out) for o in whole.observations
        ]
        problem = whole.with_observations(observations)
        held_out = np.array([o.calibration and fold[o.molecule] == left_out for o in whole.observations])
        width = options.width or campaign.width
        continuous = fit_continuous(problem, np.array(campaign.base), width=width, correlated=campaign.correlated)
        collect(off, "continuous", problem, continuous.evaluation.calculated(), held_out)
        metric = class_metric(continuous.evaluation, phases)
        fitted = problem.fitted_beads
        for n_classes in map(int, options.classes.split(",")):
            rng = np.random.default_rng(campaign.seed)
            centres = cluster(continuous.places[fitted], problem.sizes[fitted], metric, n_classes, rng)
            owner = assign_classes(problem, continuous.places, centres, metric)
            fit = refine_classes(problem, owner, centres, width=campaign.class_width)
            collect(off, f"{n_classes} classes", problem, fit.evaluation.calculated(), held_out)
            if further is None:
                continue
            theirs = fold[[index[m.smiles] for m in further.molecules]] == left_out
            of_rows = theirs[[o.molecule for o in further.observations]]
            asked = [replace(o, calibration=o.calibration and not out) for o, out in zip(further.observations, of_rows)]
            more = fit_further_phases(campaign, parent, whole, further.with_observations(asked), fit)
            held = of_rows & further.fitted
            collect(off, f"{n_classes} classes", further, more.evaluation.calculated(), held)
        print(f"fold {left_out + 1} of {options.folds} done", flush=True)
    print("| | phase | rows | RMSE [kJ/mol] | MAE |\n|---|---|---|---|---|")
    for (name, phase), found in off.items():
        e = np.concatenate(found)
        print(f"| {name} | {phase} | {len(e)} | {np.sqrt(np.mean(e**2)):.2f} | {np.abs(e).mean():.2f} |")


def collect(
    off: dict[tuple[str, str], list[np.ndarray]],
    name: str,
    problem: ClassProblem,
    calculated: np.ndarray,
    held_out: np.ndarray,
) -> None:
    """Errors of the rows left out, by phase."""
    of_phase = np.array([o.phase for o in problem.observations])
    for phase in dict.fromkeys(of_phase):
        rows = held_out & (of_phase == phase)
        off[name, str(phase)].append((calculated - problem.measured)[rows])


if __name__ == "__main__":
    main()
