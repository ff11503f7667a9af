"""Molecules with measured free energies as a campaign of classes sees them: beads with features, a shape each, and values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from topdown.calibration.class_campaign import CampaignPhase, ClassCampaign
from topdown.calibration.class_fit import ClassMolecule, ClassProblem, Observation
from topdown.estimators.reduced_sums import ReducedSums
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.class_typing import bead_sizes
from topdown.mapping.environments import bead_features
from topdown.mapping.surface_match import surface_factor, with_longer_bonds
from topdown.model import BeadTable, CGMolecule, Measurement
from topdown.model.bead_table import BondLengths
from topdown.properties.measurements import load_measurements
from topdown.properties.phases import find_phase
from topdown.properties.shape_sums import read_shape_sums
from topdown.properties.shapes import Shape, nearest_shape, shape_of
from topdown.workflows.class_sums import SHAPES_FOLDER, shape_models, sums_file

_LARGEST_UNCERTAINTY: Final = 3.0


def stored_problem(campaign: ClassCampaign, parent: BeadTable) -> tuple[ClassProblem, ClassProblem | None]:
    """The problem of a campaign and that of its further phases, from the reduced sums beside it alone, nothing sampled.

    Raises
    ------
    InputFileError
        No sums of a phase.
    """
    folder = campaign.path.parent
    models = shape_models(folder / SHAPES_FOLDER, parent, campaign.n_shapes)
    sums = {phase.name: read_shape_sums(sums_file(folder, phase.name))[0] for phase in campaign.all_phases}
    problem = class_problem(campaign, parent, models, sums)
    return problem, further_problem(campaign, parent, problem, sums)


def class_problem(
    campaign: ClassCampaign,
    parent: BeadTable,
    models: Mapping[str, CGMolecule],
    sums: Mapping[str, Mapping[str, ReducedSums]],
) -> ClassProblem:
    """Every molecule with measured values that a shape stands for: one of ``models`` with sums in all phases of the campaign."""
    of_phases = {phase.name: sums[phase.name] for phase in campaign.phases}
    known = [name for name in models if all(name in found for found in of_phases.values())]
    shapes = {name: shape_of(models[name], parent) for name in known}
    molecules: list[ClassMolecule] = []
    observations: list[Observation] = []
    for smiles, rows in _measured(campaign.phases, campaign.hydration_error):
        molecule = class_molecule(smiles, parent, shapes, campaign.tolerance, campaign.bond_lengths)
        if molecule is None:
            continue
        observations += _observations(len(molecules), rows)
        molecules.append(molecule)
    return ClassProblem(molecules, observations, of_phases, parent, campaign.solvents)


def further_problem(
    campaign: ClassCampaign,
    parent: BeadTable,
    problem: ClassProblem,
    sums: Mapping[str, Mapping[str, ReducedSums]],
) -> ClassProblem | None:
    """Those molecules of ``problem`` that have values in further phases and sums in all of these; None without such phases.

    The beads of these phases come after the campaign's solvents.
    """
    if not campaign.further:
        return None
    rows = dict(_measured(campaign.further, None))
    molecules = [
        m for m in problem.molecules if m.smiles in rows and all(m.shape in sums[p.name] for p in campaign.further)
    ]
    observations = [o for k, molecule in enumerate(molecules) for o in _observations(k, rows[molecule.smiles])]
    phases = {phase.name: find_phase(phase.name, campaign.parent) for phase in campaign.further}
    beads = {bead for phase in phases.values() for bead in phase.type_names()}
    solvents = (*campaign.solvents, *sorted(beads - set(campaign.solvents)))
    of_phases = {name: sums[name] for name in ("water", *phases)}
    return ClassProblem(molecules, observations, of_phases, parent, solvents)


def _observations(molecule: int, rows: Sequence[tuple[str, float, float, str]]) -> list[Observation]:
    return [
        Observation(molecule=molecule, phase=phase, value=value, error=error, calibration=split == "calibration")
        for phase, value, error, split in rows
    ]


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


def _measured(
    phases: Sequence[CampaignPhase], hydration_error: float | None
) -> Iterator[tuple[str, list[tuple[str, float, float, str]]]]:
    """Canonical SMILES and (phase, ΔG(phase → water), error, split) of what is to fit or to judge by.

    The gas is among the phases where hydration has an error.
    """
    by_molecule: dict[str, dict[str, list[Measurement]]] = defaultdict(lambda: defaultdict(list))
    for row in load_measurements("transfer_free_energy"):
        by_molecule[row.canonical_smiles][row.phase.removesuffix("/water")].append(row)
    for row in load_measurements("hydration_free_energy"):
        if hydration_error is not None and row.canonical_smiles in by_molecule:
            by_molecule[row.canonical_smiles]["gas"].append(row)
    for smiles in sorted(by_molecule):
        if smiles == "O":
            continue
        found = by_molecule[smiles]
        rows = []
        for phase in phases:
            rows += _row(phase, found)
        if hydration_error is not None and "gas" in found:
            rows.append(_combined("gas", found["gas"], hydration_error, 0.0))
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
