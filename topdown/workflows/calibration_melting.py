"""From ``melting`` in a campaign's ``[checks]`` to what is run: liquids of single beads, and crystals that fit their cut-off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from topdown.building.coexistence import build_crystal
from topdown.calibration.campaign import Campaign
from topdown.calibration.campaign_checks import MeltingCheckEntry
from topdown.calibration.planned_checks import MeltingPlan
from topdown.calibration.targets import key_of
from topdown.errors import InputFileError, SettingsError
from topdown.model import BeadTable, CGMolecule
from topdown.properties.measurements import MeasuredValue
from topdown.properties.melting_search import MeltingSettings
from topdown.properties.phases import Phase
from topdown.sampling.equilibrate import TIME_STEP

#: By how much a crystal may shrink while it is relaxed.
_SHRINKS = 1.03


def melting_plans(
    campaign: Campaign, table: BeadTable, phase: Callable[[str], Phase], pure: Callable[[str, str], Phase]
) -> tuple[MeltingPlan, ...]:
    """The melting points that a campaign asks for: of the liquids it names, or of all its liquids of single beads.

    Parameters
    ----------
    campaign : Campaign
    table : BeadTable
        The start table.
    phase : callable
        The phase of a name.
    pure : callable
        The pure liquid of a name, or an error that says where.

    Raises
    ------
    InputFileError
        A liquid that is unknown, of several beads or charged, or named twice; settings out of range, or no liquid at all.
    """
    checks = campaign.checks
    if checks.melting_of_all:
        found = [
            _plan(MeltingCheckEntry(liquid=name, value=None, uncertainty=None), liquid, campaign, table)
            for name, liquid in _liquids_of_one_bead(campaign, phase)
        ]
        if not found:
            raise InputFileError(
                'melting = "all" does nothing: no liquid of the campaign is of single beads',
                where=f"{campaign.path}: checks",
                hint="drop it",
            )
        return tuple(found)
    plans: dict[str, MeltingPlan] = {}
    for entry in checks.melting:
        where = f"{campaign.path}: melting point of {entry.liquid}"
        plan = _plan(entry, pure(entry.liquid, where), campaign, table)
        known = plans.setdefault(key_of(plan.molecule), plan)
        if known is not plan:
            raise InputFileError(f"{known.liquid} is the same liquid", where=where, hint="keep one of them")
    return tuple(plans.values())


def _liquids_of_one_bead(campaign: Campaign, phase: Callable[[str], Phase]) -> Iterator[tuple[str, Phase]]:
    """Every liquid of uncharged single beads that the campaign simulates by itself, once each, in the order of the file."""
    checks = campaign.checks
    names = [
        *(name for entry in campaign.transfers for name in (entry.origin, entry.destination)),
        *(entry.liquid for entry in (*campaign.densities, *campaign.tensions)),
        *(entry.liquid for entry in checks.diffusion),
        *(name for pair in checks.mixtures for name in (pair.solute, pair.solvent)),
        *(["water"] if checks.bilayers else []),
    ]
    known: set[str] = set()
    for name in dict.fromkeys(names):
        found = phase(name)
        molecule = found.components[0].molecule
        if len(found.components) > 1 or molecule.n_beads > 1 or molecule.charge or key_of(molecule) in known:
            continue
        known.add(key_of(molecule))
        yield name, found


def _plan(entry: MeltingCheckEntry, liquid: Phase, campaign: Campaign, table: BeadTable) -> MeltingPlan:
    where = f"{campaign.path}: melting point of {entry.liquid}"
    molecule, checks = liquid.components[0].molecule, campaign.checks
    if molecule.n_beads != 1:
        raise InputFileError(
            f"melting points are those of liquids of one bead, {entry.liquid} has {molecule.n_beads}",
            where=where,
            hint="drop it: the crystals of larger molecules are not known beforehand",
        )
    if molecule.charge:
        raise InputFileError(f"{entry.liquid} carries a net charge", where=where, hint="choose a neutral liquid")
    try:
        settings = MeltingSettings(
            pressure=campaign.pressure,
            nanoseconds=checks.melting_steps * TIME_STEP / 1000.0,
            n_runs=checks.melting_runs,
            n_across=checks.melting_cells,
            seed=campaign.sampling.seed,
        )
    except SettingsError as error:
        raise InputFileError(error.message, where=where, hint=error.hint) from None
    _refuse_thin_crystals(molecule, table, settings.n_across, where)
    return MeltingPlan(
        liquid=entry.liquid,
        molecule=molecule,
        n_real=liquid.components[0].model.n_real,
        table=table,
        settings=settings,
        measured=_measured(entry),
    )


def _refuse_thin_crystals(molecule: CGMolecule, table: BeadTable, n_across: int, where: str) -> None:
    """A box must hold the cut-off twice."""
    cell, least = float(build_crystal(molecule, table, across=1, along=1).box[0]), 2.0 * table.scheme.cutoff * _SHRINKS
    if n_across * cell < least:
        raise InputFileError(
            f"{n_across} unit cells of its crystal are {n_across * cell:.2f} nm, too thin for twice the cut-off",
            where=where,
            hint=f"checks.melting_cells = {math.ceil(least / cell)}",
        )


def _measured(entry: MeltingCheckEntry) -> MeasuredValue | None:
    """That of the section: the data have no melting points."""
    if entry.value is None or entry.uncertainty is None:
        return None
    return MeasuredValue(
        value=entry.value,
        uncertainty=entry.uncertainty,
        temperature=entry.value,
        how="measured",
        unit="K",
        name=entry.liquid,
        flag="",
        reference="the campaign file",
    )
