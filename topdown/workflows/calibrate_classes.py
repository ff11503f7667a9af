"""The job behind a table of classes: sample the shapes, reduce, fit, write the table and its report.

Everything that was sampled is kept twice: as runs in the store of the user, and as reduced sums beside the campaign file, from
which a fresh clone fits again in minutes without a single run.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.calibration.class_campaign import CampaignPhase, ClassCampaign, read_class_campaign
from topdown.calibration.class_fit import (
    ClassFit,
    ClassMolecule,
    ClassProblem,
    ContinuousFit,
    Observation,
    assign_classes,
    class_metric,
    cluster,
    fit_continuous,
    refine_classes,
)
from topdown.calibration.class_table import (
    PairFactors,
    class_bead_table,
    class_names,
    class_volumes,
    largest_like_epsilon,
)
from topdown.errors import InputFileError
from topdown.estimators.reduced_sums import ReducedSums
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.class_typing import CLASSES_FILE, WEIGHTS_FILE, ClassModel, bead_sizes, class_model_rows
from topdown.mapping.environments import bead_features
from topdown.mapping.surface_match import surface_factor, with_longer_bonds
from topdown.model import BeadTable, CGMolecule, Measurement
from topdown.model.bead_table import BondLengths, Provenance
from topdown.model.type_volumes import TypeVolumes, with_volumes
from topdown.properties.measurements import load_measurements
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.shape_sums import read_shape_sums, reduce_shape, write_shape_sums
from topdown.properties.shapes import Shape, nearest_shape, shape_of, shape_request
from topdown.properties.shapes import bead_sizes as sizes_of
from topdown.properties.solvation import Effort, sample_solvation
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table
from topdown.tables.folder import SUMS_FOLDER
from topdown.tables.molecules import read_molecule
from topdown.tables.writer import csv_text, write_bead_table
from topdown.workflows.calibrate_liquids import fit_liquids, liquid_report, write_liquid_files
from topdown.workflows.class_report import scores
from topdown.workflows.start_files import ClassStart, read_class_start

Progress = Callable[[str], None]

SHAPES_FOLDER: Final = "shapes"
REPORT_FILE: Final = "fit.json"
_LARGEST_UNCERTAINTY: Final = 3.0
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
    models = _shape_models(folder / SHAPES_FOLDER, parent, campaign.n_shapes)
    sums = _sampled_sums(campaign, folder, parent, models, EngineSampler(store, workers=workers), progress)
    shapes = _complete_shapes(models, sums, parent)
    progress(f"{len(shapes)} shapes in {len(campaign.phases)} phases; mapping the molecules with measured values")
    problem = _problem(campaign, parent, shapes, sums)
    outcome = fit_classes(campaign, parent, problem, start, progress)
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
    folder = campaign.path.parent
    shapes = [file.stem for file in sorted((folder / SHAPES_FOLDER).glob("*.toml"))[: campaign.n_shapes]]
    missing = []
    for phase in campaign.phases:
        known = read_shape_sums(_sums_file(folder, phase.name))[0] if _sums_file(folder, phase.name).is_file() else {}
        missing += [f"{name} in {phase.name}" for name in shapes if name not in known]
    return {
        "campaign": campaign.name,
        "parent": campaign.parent,
        "shapes": len(shapes),
        "phases": [phase.name for phase in campaign.phases],
        "classes": campaign.n_classes,
        "to_sample": missing,
    }


def fit_classes(
    campaign: ClassCampaign,
    parent: BeadTable,
    problem: ClassProblem,
    start: ClassStart = None,
    progress: Progress = lambda _: None,
) -> ClassOutcome:
    """The fits of :mod:`topdown.calibration.class_fit` in a row, from the classes of ``start``, and the table of their result."""
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
        "table": scores(problem, classes.evaluation.calculated()),
    }
    in_volumes, limit = (
        campaign.liquids is not None and campaign.liquids.volumes,
        largest_like_epsilon(campaign.temperature),
    )
    usual = partial(
        class_bead_table,
        parent,
        names,
        classes.places,
        problem.solvents,
        _examples(problem, owner, len(names)),
        np.round(metric, _METRIC_DIGITS),
        name=campaign.name,
        version="1",
        provenance=_provenance(campaign, parent, len(problem.molecules)),
        bond_lengths=campaign.bond_lengths,
        like_limit=np.inf if in_volumes else limit,
        kept=campaign.kept,
    )

    def table_with(factors: PairFactors) -> RuledTable:
        return usual(factors), class_volumes(names, factors, limit) if in_volumes else None

    table, volumes = table_with(PairFactors.none(len(names)))
    return ClassOutcome(
        table=table,
        volumes=volumes,
        table_with=table_with,
        model=model,
        problem=problem,
        continuous=continuous,
        classes=classes,
        report=report,
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
        citation=parent.provenance.citation,
        parent=parent.name,
    )


def _shape_models(folder: Path, parent: BeadTable, first: int) -> dict[str, CGMolecule]:
    files = sorted(folder.glob("*.toml"))[:first]
    if not files:
        raise InputFileError("no shapes beside the campaign", where=str(folder), hint="see scripts/choose_shapes.py")
    return {file.stem: read_molecule(file, parent.bead_types).model for file in files}


def _sampled_sums(
    campaign: ClassCampaign,
    folder: Path,
    parent: BeadTable,
    models: Mapping[str, CGMolecule],
    sampler: EngineSampler,
    progress: Progress,
) -> dict[str, dict[str, ReducedSums]]:
    """Reduced sums of every shape in every phase: those beside the campaign, the others sampled now and kept there."""
    effort = Effort(target_error=campaign.sampling_error)
    header = {"parent": parent.name, "temperature": campaign.temperature, "error": campaign.sampling_error}
    all_sums: dict[str, dict[str, ReducedSums]] = {}
    for phase in campaign.phases:
        file = _sums_file(folder, phase.name)
        known = read_shape_sums(file)[0] if file.is_file() else {}
        found = find_phase(phase.name, campaign.parent)
        contents = tuple((c.molecule, n) for c, n in zip(found.components, phase.contents, strict=True))
        for name, model in models.items():
            if name in known:
                continue
            sticky, weak = (
                sample_solvation(
                    shape_request(
                        model, found, contents, parent, end, temperature=campaign.temperature, seed=campaign.seed
                    ),
                    sampler,
                    effort,
                )
                for end in ("sticky", "weak")
            )
            known[name] = reduce_shape(sticky, weak, sizes_of(model, parent), sorted(found.type_names()), parent)
            write_shape_sums(file, known, header)
            progress(f"{name} in {phase.name}: ± {known[name].path_error:.2f} kJ/mol")
        all_sums[phase.name] = known
    return all_sums


def _sums_file(folder: Path, phase: str) -> Path:
    return folder / SUMS_FOLDER / f"{phase.replace(' ', '_')}.npz"


def stored_problem(campaign: ClassCampaign, parent: BeadTable) -> ClassProblem:
    """The problem of a campaign from the reduced sums beside it alone, nothing sampled.

    Raises
    ------
    InputFileError
        No sums of a phase.
    """
    folder = campaign.path.parent
    models = _shape_models(folder / SHAPES_FOLDER, parent, campaign.n_shapes)
    sums = {phase.name: read_shape_sums(_sums_file(folder, phase.name))[0] for phase in campaign.phases}
    return _problem(campaign, parent, _complete_shapes(models, sums, parent), sums)


def _complete_shapes(
    models: Mapping[str, CGMolecule], sums: Mapping[str, Mapping[str, ReducedSums]], parent: BeadTable
) -> dict[str, Shape]:
    """Shapes that have sums in every phase."""
    known = [name for name in models if all(name in of_phase for of_phase in sums.values())]
    return {name: shape_of(models[name], parent) for name in known}


def _problem(
    campaign: ClassCampaign,
    parent: BeadTable,
    shapes: Mapping[str, Shape],
    sums: Mapping[str, Mapping[str, ReducedSums]],
) -> ClassProblem:
    molecules: list[ClassMolecule] = []
    observations: list[Observation] = []
    for smiles, rows in _measured(campaign):
        molecule = class_molecule(smiles, parent, shapes, campaign.tolerance, campaign.bond_lengths)
        if molecule is None:
            continue
        for phase, value, error, split in rows:
            observations.append(
                Observation(
                    molecule=len(molecules), phase=phase, value=value, error=error, calibration=split == "calibration"
                )
            )
        molecules.append(molecule)
    return ClassProblem(molecules, observations, sums, parent, campaign.solvents)


def class_molecule(
    smiles: str, parent: BeadTable, shapes: Mapping[str, Shape], tolerance: float, bond_lengths: BondLengths
) -> ClassMolecule | None:
    """A molecule as the fit sees it; None when no shape stands for it."""
    model = map_molecule(smiles, parent, name=smiles, seed=1)
    parsed = parse_smiles(smiles)
    place = parsed.atom_of_written()
    groups = [[place[a] for a in bead.atoms] for bead in model.beads]
    sizes = bead_sizes(parsed.mol, groups)
    if bond_lengths == "surface":
        # Any type will do that has the size the classes will give the bead.
        of_size: dict[str, str] = {t.size: t.name for t in parent.bead_types}
        sized = replace(model, beads=tuple(replace(b, bead_type=of_size[s]) for b, s in zip(model.beads, sizes)))
        model = with_longer_bonds(model, surface_factor(sized, parent))
    shape = shape_of(model, parent)
    shape = Shape(sizes=sizes, bonds=shape.bonds, distances=shape.distances)
    best = nearest_shape(shape, shapes)
    if best is None or best[2] > tolerance:
        return None
    features = bead_features(parsed.mol, groups)
    return ClassMolecule(smiles=smiles, sizes=sizes, features=features, shape=best[0], order=best[1])


def _measured(campaign: ClassCampaign) -> Iterator[tuple[str, list[tuple[str, float, float, str]]]]:
    """Canonical SMILES and (phase, ΔG(phase → water), error, split) of everything to fit or to judge by."""
    by_molecule: dict[str, dict[str, list[Measurement]]] = defaultdict(lambda: defaultdict(list))
    for row in load_measurements("transfer_free_energy"):
        by_molecule[row.canonical_smiles][row.phase.removesuffix("/water")].append(row)
    for row in load_measurements("hydration_free_energy"):
        if row.canonical_smiles in by_molecule:
            by_molecule[row.canonical_smiles]["gas"].append(row)
    for smiles in sorted(by_molecule):
        if smiles == "O":
            continue
        found = by_molecule[smiles]
        rows = []
        for phase in campaign.phases:
            rows += _row(phase, found)
        if "gas" in found:
            rows.append(_combined("gas", found["gas"], campaign.hydration_error, 0.0))
        if rows:
            yield smiles, rows


def _row(phase: CampaignPhase, found: Mapping[str, Sequence[Measurement]]) -> list[tuple[str, float, float, str]]:
    if phase.name in found:
        return [_combined(phase.name, found[phase.name], phase.model_error, 0.0)]
    relatives = [row for name in phase.family for row in found.get(name, ())]
    # A relative's value is good enough to fit, not to judge by.
    if relatives and relatives[0].split == "calibration":
        return [_combined(phase.name, relatives, phase.model_error, 1.0)]
    return []


def _combined(
    phase: str, rows: Sequence[Measurement], model_error: float, extra: float
) -> tuple[str, float, float, str]:
    value = float(np.mean([row.value for row in rows]))
    uncertainty = min(min(row.uncertainty for row in rows), _LARGEST_UNCERTAINTY)
    return phase, value, float(np.sqrt(uncertainty**2 + model_error**2 + extra**2)), rows[0].split


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
    header += [*(f"fitted {v}" for v in model.solvents), *(f"sd {v}" for v in model.solvents), "beads"]
    rows = []
    for k, name in enumerate(model.names):
        n_beads = int(((fit.owner == k) & outcome.problem.fitted_beads).sum())
        values = [f"{x:.4f}" for x in (*model.places[k], *fit.places[k], *fit.errors[k])]
        rows.append([name, str(n_beads), *values, outcome.table.bead_type(name).description])
    atomic_write_text(out / CLASSES_FILE, csv_text(header, rows))
    first, *weights = class_model_rows(model)
    atomic_write_text(out / WEIGHTS_FILE, csv_text(first, weights))
    atomic_write_text(out / REPORT_FILE, json.dumps(outcome.report, indent=1, ensure_ascii=False) + "\n")
