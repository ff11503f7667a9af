"""The job behind a table of classes: sample the shapes, reduce, fit, write the table and its report.

Everything that was sampled is kept twice: as runs in the store of the user, and as reduced sums beside the campaign file, from
which a fresh clone fits again in minutes without a single run.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.calibration.class_campaign import ClassCampaign, read_class_campaign
from topdown.calibration.class_fit import (
    ClassFit,
    ClassProblem,
    ContinuousFit,
    assign_classes,
    class_metric,
    cluster,
    fit_continuous,
    refine_classes,
)
from topdown.calibration.class_further import FurtherFit, fit_further, parent_map
from topdown.calibration.class_table import (
    PairFactors,
    class_bead_table,
    class_names,
    class_volumes,
    largest_like_epsilon,
)
from topdown.mapping.class_typing import CLASSES_FILE, WEIGHTS_FILE, ClassModel, class_model_rows
from topdown.model import BeadTable
from topdown.model.bead_table import Provenance
from topdown.model.type_volumes import TypeVolumes, with_volumes
from topdown.properties.sampler import EngineSampler
from topdown.properties.shape_sums import read_shape_sums
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table
from topdown.tables.writer import csv_text, write_bead_table
from topdown.workflows.calibrate_liquids import fit_liquids, liquid_report, write_liquid_files
from topdown.workflows.class_problem import class_problem, further_problem
from topdown.workflows.class_report import scores
from topdown.workflows.class_sums import SHAPES_FOLDER, check_names, sampled_sums, shape_models, sums_file
from topdown.workflows.start_files import ClassStart, read_class_start

Progress = Callable[[str], None]

REPORT_FILE: Final = "fit.json"
#: Decimals of what a unit of place does to free energies [kJ/mol], for the table; see ``PLACE_DIGITS`` of the fit.
_METRIC_DIGITS: Final = 3

#: A table of usual types, and the rule of the others.
RuledTable = tuple[BeadTable, TypeVolumes | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassOutcome:
    """What a campaign gave.

    Attributes
    ----------
    table : BeadTable
        Types in their usual volumes.
    volumes : TypeVolumes, optional
        How the others follow from it.
    table_with : callable
        Both with given factors of pairs of classes.
    model : ClassModel
    problem : ClassProblem
    continuous : ContinuousFit
    classes : ClassFit
    further : FurtherFit, optional
        Their places with beads of further phases.
    report : dict
        Errors by phase and split, as JSON.
    """

    table: BeadTable
    volumes: TypeVolumes | None
    table_with: Callable[[PairFactors], RuledTable]
    model: ClassModel
    problem: ClassProblem
    continuous: ContinuousFit
    classes: ClassFit
    further: FurtherFit | None
    report: dict[str, Any]


def calibrate_classes(
    path: Path | str,
    out: Path | str | None = None,
    *,
    store: Path | None = None,
    workers: int = 0,
    progress: Progress = lambda _: None,
) -> ClassOutcome:
    """Run a campaign of classes from where its files stand.

    Parameters
    ----------
    path : Path or str
        The campaign file; shapes and reduced sums lie beside it.
    out : Path or str, optional
        Folder of the new table; default that of the campaign file.
    store : Path, optional
        Of the runs.
    workers : int
        Processes.
    progress : callable
        Told a line about each step.

    Raises
    ------
    InputFileError
        A damaged campaign, or no shapes beside it.
    """
    campaign = read_class_campaign(path)
    start = read_class_start(campaign)  # before anything is sampled
    folder = campaign.path.parent
    parent = load_bead_table(campaign.parent)
    check_names(campaign, parent)
    models = shape_models(folder / SHAPES_FOLDER, parent, campaign.n_shapes)
    sums = sampled_sums(campaign, campaign.all_phases, models, parent, EngineSampler(store, workers=workers), progress)
    progress(f"{len(models)} shapes in {len(campaign.all_phases)} phases; mapping the molecules with measured values")
    problem = class_problem(campaign, parent, models, sums)
    further = further_problem(campaign, parent, problem, sums)
    outcome = fit_classes(campaign, parent, problem, further, start, progress)
    description = f"{campaign.n_classes} classes in three sizes, calibrated on measured free energies of transfer"
    target = folder if out is None else Path(out)
    write_files(outcome, target, description)
    if campaign.liquids is None:
        return outcome
    found = fit_liquids(
        campaign.liquids,
        outcome.model.names,
        outcome.classes.places,
        load_bead_table(target),
        lambda factors: _whole(outcome.table_with(factors)),
        folder,
        store=store,
        workers=workers,
        progress=progress,
    )
    report = {**outcome.report, "liquids": liquid_report(found)}
    table, volumes = outcome.table_with(found.factors)
    outcome = replace(outcome, table=table, volumes=volumes, report=report)
    write_files(outcome, target, f"{description}, densities and surface tensions of liquids")
    write_liquid_files(found, target)
    return outcome


def _whole(ruled: RuledTable) -> BeadTable:
    table, volumes = ruled
    return table if volumes is None else with_volumes(table, volumes)


def plan_classes(path: Path | str) -> dict[str, Any]:
    """What a campaign of classes has still to sample: shapes, phases, and legs without reduced sums beside it."""
    campaign = read_class_campaign(path)
    read_class_start(campaign)
    check_names(campaign, load_bead_table(campaign.parent))
    folder = campaign.path.parent
    shapes = [file.stem for file in sorted((folder / SHAPES_FOLDER).glob("*.toml"))[: campaign.n_shapes]]
    missing = []
    for phase in campaign.all_phases:
        known = read_shape_sums(sums_file(folder, phase.name))[0] if sums_file(folder, phase.name).is_file() else {}
        missing += [f"{name} in {phase.name}" for name in shapes[: phase.n_shapes] if name not in known]
    return {
        "campaign": campaign.name,
        "parent": campaign.parent,
        "shapes": len(shapes),
        "phases": [phase.name for phase in campaign.all_phases],
        "classes": campaign.n_classes,
        "to_sample": missing,
    }


def fit_classes(
    campaign: ClassCampaign,
    parent: BeadTable,
    problem: ClassProblem,
    further: ClassProblem | None = None,
    start: ClassStart = None,
    progress: Progress = lambda _: None,
) -> ClassOutcome:
    """The fits of :mod:`topdown.calibration.class_fit` in a row, from the classes of ``start``, that of further phases, and the
    table of their result."""
    progress(
        f"{len(problem.molecules)} molecules, {problem.n_beads} beads, {len(problem.observations)} measured values"
    )
    continuous = fit_continuous(
        problem, np.array(campaign.base), width=campaign.width, correlated=campaign.correlated, report=progress
    )
    phases = [p.name for p in campaign.phases if p.name != "water"]
    metric = class_metric(continuous.evaluation, phases)
    labels = (*(f"{p}→water" for p in phases), "half hydration")
    judge = labels[phases.index("hexadecane")] if "hexadecane" in phases else labels[0]
    names, centres = _named_classes(campaign, problem, continuous, metric, labels, judge, start)
    owner = assign_classes(problem, continuous.places, centres, metric)
    classes = refine_classes(problem, owner, centres, width=campaign.class_width)
    more = None if further is None else fit_further_phases(campaign, parent, problem, further, classes)
    # Beads are given to classes by the centroids; what a class does is its refined place.
    model = ClassModel(
        names=names,
        solvents=problem.solvents,
        places=centres,
        base=continuous.base,
        sizes=continuous.sizes,
        weights=dict(zip(continuous.names, continuous.weights)),
        metric=metric,
        labels=labels,
    )
    report = {
        "campaign": campaign.name,
        "classes": campaign.n_classes,
        "molecules": len(problem.molecules),
        "values": len(problem.observations),
        "continuous": scores(problem, continuous.evaluation.calculated()),
        "table": scores(problem, classes.evaluation.calculated())
        | ({} if more is None else scores(more.evaluation.problem, more.evaluation.calculated())),
    }
    table_with = _table_maker(campaign, parent, problem, names, metric, classes, more)
    table, volumes = table_with(PairFactors.none(len(names)))
    return ClassOutcome(
        table=table,
        volumes=volumes,
        table_with=table_with,
        model=model,
        problem=problem,
        continuous=continuous,
        classes=classes,
        further=more,
        report=report,
    )


def _table_maker(
    campaign: ClassCampaign,
    parent: BeadTable,
    problem: ClassProblem,
    names: Sequence[str],
    metric: np.ndarray,
    classes: ClassFit,
    more: FurtherFit | None,
) -> Callable[[PairFactors], RuledTable]:
    """What makes the table of fitted classes out of factors of their pairs."""
    limit = largest_like_epsilon(campaign.temperature)
    in_volumes = campaign.liquids is not None and campaign.liquids.volumes
    usual = partial(
        class_bead_table,
        parent,
        names,
        classes.places,
        problem.solvents,
        _examples(problem, classes.owner, len(names)),
        np.round(metric, _METRIC_DIGITS),
        name=campaign.name,
        version="1",
        provenance=_provenance(campaign, parent, len(problem.molecules)),
        bond_lengths=campaign.bond_lengths,
        like_limit=np.inf if in_volumes else limit,
        kept=campaign.kept,
        further={} if more is None else dict(zip(more.solvents, more.places.T)),
    )

    def table_with(factors: PairFactors) -> RuledTable:
        return usual(factors), class_volumes(names, factors, limit) if in_volumes else None

    return table_with


def fit_further_phases(
    campaign: ClassCampaign, parent: BeadTable, problem: ClassProblem, further: ClassProblem, classes: ClassFit
) -> FurtherFit:
    """Places of the classes of ``problem`` with the beads of the further phases, from what the campaign says."""
    n_known = len(campaign.solvents)
    return fit_further(
        further,
        classes.owner[problem.beads_of(further)],
        classes.places,
        parent_map(parent, campaign.solvents, further.solvents[n_known:]),
        map_width=campaign.further_widths[0],
        class_width=campaign.further_widths[1],
    )


def _named_classes(
    campaign: ClassCampaign,
    problem: ClassProblem,
    continuous: ContinuousFit,
    metric: np.ndarray,
    labels: Sequence[str],
    judge: str,
    start: ClassStart,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes in their order, and their centroids; polar is what ``judge``, one of ``labels``, says.

    Those of ``start`` keep their names.
    """
    fitted = problem.fitted_beads
    centres = cluster(
        continuous.places[fitted],
        problem.sizes[fitted],
        metric,
        campaign.n_classes,
        np.random.default_rng(campaign.seed),
        start=None if start is None else start[1],
    )
    if start is not None:
        return start[0], centres
    names = class_names(centres, -metric, labels, judge)
    order = np.argsort(np.array(names), kind="stable")
    return tuple(names[k] for k in order), centres[order]


def _provenance(campaign: ClassCampaign, parent: BeadTable, n_molecules: int) -> Provenance:
    return Provenance(
        source=(
            f"{campaign.n_classes} classes in three sizes, fitted to free energies of transfer and hydration of "
            f"{n_molecules} molecules (calibration rows of data/partition) by campaign {campaign.name}; solvent "
            f"and charged beads of {parent.name}"
        ),
        licence="Apache-2.0",
        citation=f"topdown, campaign {campaign.name}; of the beads of {parent.name}: {parent.provenance.citation}",
        parent=parent.name,
    )


def _examples(problem: ClassProblem, owner: np.ndarray, n_classes: int) -> list[str]:
    """A description of each class: its commonest beads, by their most telling features."""
    described = []
    for k in range(n_classes):
        seen: dict[str, int] = defaultdict(int)
        for row in np.flatnonzero((owner == k) & problem.fitted_beads):
            texts = sorted(
                text
                for (level, text), count in problem.features[row].items()
                if level == 1
                for _ in range(round(count))
            )
            seen[" ".join(texts)] += 1
        top = sorted(seen, key=lambda text: (-seen[text], text))[:3]
        described.append("; ".join(top))
    return described


def write_files(outcome: ClassOutcome, out: Path, description: str) -> None:
    """The table, its class model, the posterior of every class, and the report."""
    write_bead_table(outcome.table, out, description=description, among_others=True, volumes=outcome.volumes)
    fit, model = outcome.classes, outcome.model
    header = ["class", "n_beads", *(f"place {v}" for v in model.solvents)]
    solvents, places, errors = model.solvents, fit.places, fit.errors
    if outcome.further is not None:
        solvents = (*solvents, *outcome.further.solvents)
        places, errors = np.hstack([places, outcome.further.places]), np.hstack([errors, outcome.further.errors])
    header += [*(f"fitted {v}" for v in solvents), *(f"sd {v}" for v in solvents), "beads"]
    rows = []
    for k, name in enumerate(model.names):
        n_beads = int(((fit.owner == k) & outcome.problem.fitted_beads).sum())
        values = [f"{x:.4f}" for x in (*model.places[k], *places[k], *errors[k])]
        rows.append([name, str(n_beads), *values, outcome.table.bead_type(name).description])
    atomic_write_text(out / CLASSES_FILE, csv_text(header, rows))
    first, *weights = class_model_rows(model)
    atomic_write_text(out / WEIGHTS_FILE, csv_text(first, weights))
    atomic_write_text(out / REPORT_FILE, json.dumps(outcome.report, indent=1, ensure_ascii=False) + "\n")
