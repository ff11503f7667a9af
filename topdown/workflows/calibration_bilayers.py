"""From a ``[[checks.bilayer]]`` section of a campaign to what is run: the lipid, its surroundings, and its measured area."""

from __future__ import annotations

from pathlib import Path

from topdown.calibration.bilayers import FRAME_EVERY
from topdown.calibration.campaign import Campaign
from topdown.calibration.campaign_checks import BilayerCheckEntry, DiffusionCheckEntry, MixtureCheckEntry
from topdown.calibration.planned_checks import BilayerPlan
from topdown.errors import InputFileError, TopdownError
from topdown.mapping import canonical_smiles
from topdown.model import CGMolecule
from topdown.properties.bilayer_runs import bilayer_request
from topdown.properties.measurements import FILES, MeasuredValue, load_measurements, measured_at
from topdown.tables import find_molecule, load_bead_table
from topdown.workflows.membrane_models import SOLVENT_NAMES, MembraneModels, membrane_models
from topdown.workflows.membrane_request import MembraneRequest

#: A run is stored in parts of so many steps: 1 ns. One that is shorter is a single part.
PART_STEPS = 50_000


def bilayer_plan(entry: BilayerCheckEntry, campaign: Campaign, place: Path | str, n_steps: int) -> BilayerPlan:
    """The bilayer of a section, built once to know that it can be.

    Parameters
    ----------
    entry : BilayerCheckEntry
    campaign : Campaign
    place : Path or str
        The start table.
    n_steps : int
        Of the run; rounded up to whole parts.

    Raises
    ------
    InputFileError
        An unknown lipid, SMILES that are refused, a bilayer that cannot be built, or no measured area.
    """
    where = f"{campaign.path}: bilayer of {entry.lipid}"
    temperature = entry.temperature or campaign.temperature
    try:
        lipid, models = _lipid(entry, campaign, place, temperature)
        request = bilayer_request(
            lipid,
            entry.n_lipids,
            models.solvent,
            load_bead_table(place),
            temperature=temperature,
            pressure=campaign.pressure,
            n_steps=min(n_steps, PART_STEPS),
            every=FRAME_EVERY,
            seed=campaign.sampling.seed,
        )
    except InputFileError:
        raise
    except TopdownError as error:
        hint = "" if "--" in error.hint else error.hint  # words of another command
        raise InputFileError(
            error.message, where=where, hint=hint or "give lipid, and smiles where it is no model"
        ) from None
    return BilayerPlan(
        lipid=entry.lipid,
        request=request,
        n_parts=-(-n_steps // PART_STEPS),
        measured=_measured(entry, lipid, temperature, where),
    )


def _lipid(
    entry: BilayerCheckEntry, campaign: Campaign, place: Path | str, temperature: float
) -> tuple[CGMolecule, MembraneModels]:
    """The model of a lipid – that of the table where it has one – and everything else a membrane is made of."""
    where = f"{campaign.path}: bilayer of {entry.lipid}"
    if entry.lipid.upper() in SOLVENT_NAMES:
        raise InputFileError(f"a lipid cannot be called {entry.lipid}", where=where, hint="choose another name")
    curated = find_molecule(place, canonical_smiles(entry.smiles)) if entry.smiles else None
    name = curated.name if curated else entry.lipid
    models = membrane_models(
        MembraneRequest(
            lipids=((name, 1.0),),
            own_lipids=((name, entry.smiles),) if entry.smiles and not curated else (),
            table=str(place),
            temperature=temperature,
            salt=0.0,
            seed=campaign.sampling.seed,
        )
    )
    return curated or models.lipids[name], models


def _measured(entry: BilayerCheckEntry, lipid: CGMolecule, temperature: float, where: str) -> MeasuredValue:
    found = checked_value(entry, "area_per_lipid", lipid.canonical_smiles, temperature, phase="bilayer")
    if found is None:
        at = [
            r.temperature for r in load_measurements("area_per_lipid") if r.canonical_smiles == lipid.canonical_smiles
        ]
        known = f"it is known from {min(at):g} to {max(at):g} K, or " if at else ""
        raise InputFileError(
            f"there is no measured area per lipid of {entry.lipid} near {temperature:g} K",
            where=where,
            hint=f"{known}give value and uncertainty",
        )
    return found


def checked_value(
    entry: DiffusionCheckEntry | MixtureCheckEntry | BilayerCheckEntry,
    quantity: str,
    canonical: str,
    temperature: float,
    *,
    phase: str = "liquid",
) -> MeasuredValue | None:
    """The value that a check is compared with: that of its section, else that of the data; None where nothing is known.

    Parameters
    ----------
    entry : one section of ``[checks]``
    quantity, phase : str
        As in :func:`topdown.properties.measurements.measured_at`.
    canonical : str
        Canonical SMILES.
    temperature : float
        [K]
    """
    if entry.value is None or entry.uncertainty is None:
        return measured_at(quantity, canonical, temperature, phase=phase)
    return MeasuredValue(
        value=entry.value,
        uncertainty=entry.uncertainty,
        temperature=temperature,
        how="measured",
        unit=FILES[quantity][0].unit,
        name=canonical,
        flag="",
        reference="the campaign file",
    )
