"""The reduced sums of a campaign of classes: those beside its file, and those that are sampled now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from topdown.calibration.class_campaign import CampaignPhase, ClassCampaign
from topdown.errors import InputFileError, TopdownError
from topdown.estimators.reduced_sums import ReducedSums
from topdown.model import BeadTable, CGMolecule
from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.shape_sums import read_shape_sums, reduce_shape, write_shape_sums
from topdown.properties.shapes import bead_sizes, shape_request
from topdown.properties.solvation import Effort, sample_solvation
from topdown.tables.folder import SUMS_FOLDER
from topdown.tables.molecules import read_molecule

Progress = Callable[[str], None]

SHAPES_FOLDER: Final = "shapes"


def shape_models(folder: Path, parent: BeadTable, first: int) -> dict[str, CGMolecule]:
    """The first shapes of a folder by name, in the order of their names."""
    files = sorted(folder.glob("*.toml"))[:first]
    if not files:
        raise InputFileError("no shapes beside the campaign", where=str(folder), hint="see scripts/choose_shapes.py")
    return {file.stem: read_molecule(file, parent.bead_types).model for file in files}


def check_names(campaign: ClassCampaign, parent: BeadTable) -> None:
    """Refuse bead types that the parent lacks, phases nobody knows, and contents that do not suit a phase.

    Raises
    ------
    InputFileError
    """
    where = str(campaign.path)
    try:
        parent.indices([*campaign.solvents, *campaign.kept])
        phases = {phase: find_phase(phase.name, campaign.parent) for phase in campaign.all_phases}
    except TopdownError as error:
        raise InputFileError(error.message, where=where, hint=error.hint) from None
    for phase, found in phases.items():
        if len(found.components) != len(phase.contents):
            raise InputFileError(
                f"contents of {phase.name} has {len(phase.contents)} numbers for {len(found.components)} kinds of molecules",
                where=where,
                hint="give how many of each: " + ", ".join(c.molecule.name for c in found.components),
            )


def sampled_sums(
    campaign: ClassCampaign,
    phases: Sequence[CampaignPhase],
    models: Mapping[str, CGMolecule],
    parent: BeadTable,
    sampler: EngineSampler,
    progress: Progress,
) -> dict[str, dict[str, ReducedSums]]:
    """Reduced sums of every shape in the phases: those beside the campaign, the others sampled now and kept there."""
    folder = campaign.path.parent
    effort = Effort(target_error=campaign.sampling_error)
    header = {"parent": parent.name, "temperature": campaign.temperature, "error": campaign.sampling_error}
    all_sums: dict[str, dict[str, ReducedSums]] = {}
    for phase in phases:
        file = sums_file(folder, phase.name)
        known = read_shape_sums(file)[0] if file.is_file() else {}
        found = find_phase(phase.name, campaign.parent)
        contents = tuple((c.molecule, n) for c, n in zip(found.components, phase.contents, strict=True))
        for name, model in list(models.items())[: phase.n_shapes]:
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
            known[name] = reduce_shape(sticky, weak, bead_sizes(model, parent), sorted(found.type_names()), parent)
            write_shape_sums(file, known, header)
            progress(f"{name} in {phase.name}: ± {known[name].path_error:.2f} kJ/mol")
        all_sums[phase.name] = known
    return all_sums


def sums_file(folder: Path, phase: str) -> Path:
    """Where a campaign in ``folder`` keeps the sums of a phase."""
    return folder / SUMS_FOLDER / f"{phase.replace(' ', '_')}.npz"
