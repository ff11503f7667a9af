"""Free energies of transfer in milliseconds, from the sums that ship with a table.

Alone (``topdown transfer --instant``), or where they suffice, with simulations where they do not (``topdown transfer``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from topdown.errors import SettingsError, TopdownError
from topdown.estimators.reweighting import MIN_EFFECTIVE
from topdown.model import CGMolecule
from topdown.properties.instant import InstantSums, has_instant_sums, load_instant_sums
from topdown.properties.phases import Phase, find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.transfer import SolvationResult, TransferResult, transfer_free_energy
from topdown.workflows.map_molecules import MoleculeRequest
from topdown.workflows.transfer import (
    TransferOutcome,
    TransferSettings,
    simulated_solvation,
    transfer,
    transfer_outcomes,
)

#: What a prediction without a temperature is for [K].
_TEMPERATURE: Final = 298.15
#: Of the conformers, so that the same molecule has the same numbers whatever seed was asked for.
_SEED: Final = 1


def instant_transfer(
    requests: Sequence[MoleculeRequest], table_name: str | Path, settings: TransferSettings
) -> Iterator[TransferOutcome]:
    """Free energies of transfer of several molecules, one outcome per molecule and target phase, in order.

    Molecules are always mapped: a table of classes has been fitted to mapped molecules.

    Parameters
    ----------
    requests : sequence of MoleculeRequest
    table_name : str or Path
        A table with sums (:func:`topdown.properties.instant.load_instant_sums`).
    settings : TransferSettings
        Phases and temperature; errors, budgets and seeds do not matter here.

    Raises
    ------
    SettingsError
        No sums in the table, or none of a phase asked for. Errors of single molecules are part of their outcome.
    """
    sums = load_instant_sums(table_name)
    start, *ends = (_phase(name, sums, table_name) for name in (settings.from_phase, *settings.to_phases))
    settings = replace(settings, seed=_SEED)

    def solvation(solute: CGMolecule, phase: Phase) -> SolvationResult:
        return sums.solvation(solute, phase.name, temperature=settings.temperature)

    for request in requests:
        for outcome in transfer_outcomes(request, sums.table, table_name, start, ends, settings, solvation):
            yield outcome if outcome.result is None else replace(outcome, result=_remarked(outcome.result))


def stored_transfer(
    requests: Sequence[MoleculeRequest],
    table_name: str | Path,
    settings: TransferSettings,
    *,
    store: Path | None = None,
    workers: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Iterator[TransferOutcome]:
    """Free energies of transfer of several molecules, each liquid from the sums of the table where those suffice, else simulated.

    They suffice when they have a shape for the molecule, enough effective samples
    (:data:`topdown.properties.instant.FEWEST`), and the error asked for: any, where ``settings.target_error`` is None.

    Parameters
    ----------
    requests, table_name, settings, store, workers, progress
        As for :func:`topdown.workflows.transfer.transfer`, which is what is done for a table without sums.

    Raises
    ------
    SettingsError, BeadTableError
        Phases or table that do not exist. Errors of single molecules are part of their outcome.
    """
    if not has_instant_sums(table_name):
        yield from transfer(requests, table_name, settings, store=store, workers=workers, progress=progress)
        return
    sums = load_instant_sums(table_name)
    start, *ends = (find_phase(name, str(table_name)) for name in (settings.from_phase, *settings.to_phases))
    sampler = EngineSampler(store, workers=workers, progress=progress)
    simulated = simulated_solvation(sums.table, settings, (start, *ends), sampler)
    worst = math.inf if settings.target_error is None else settings.effort(2).target_error

    def solvation(solute: CGMolecule, phase: Phase) -> SolvationResult:
        try:
            found = sums.solvation(solute, phase.name, temperature=settings.temperature)
        except TopdownError:
            return simulated(solute, phase)
        return found if found.delta_g.standard_error <= worst else simulated(solute, phase)

    for request in requests:
        for outcome in transfer_outcomes(request, sums.table, table_name, start, ends, settings, solvation):
            yield outcome if outcome.result is None else replace(outcome, result=_remarked(outcome.result))


def _phase(name: str, sums: InstantSums, table_name: str | Path) -> Phase:
    phase = find_phase(name, str(table_name))
    if phase.components and phase.name not in sums.phases:
        raise SettingsError(
            f"there are no instant free energies in {phase.name}",
            hint=f"only in {', '.join(sums.phases)}; leave --instant out to simulate",
        )
    return phase


def _remarked(result: TransferResult) -> TransferResult:
    """With a remark where stored sums gave it, and where fewer effective samples than usual support it."""
    stored = [leg.phase for leg in result.legs if leg.n_windows == 0]
    if not stored:
        return result
    which = "" if len(stored) == len(result.legs) else f" in {stored[0]}"
    remarks = (f"reweighted from stored sums{which}, not simulated", *result.remarks)
    if result.delta_g.n_effective < MIN_EFFECTIVE:
        remarks = (*remarks, f"only {result.delta_g.n_effective:.0f} effective samples: --simulate to be sure")
    return replace(result, remarks=remarks)


def instant_partition(molecule: CGMolecule, table_name: str | Path) -> list[dict[str, Any]]:
    """Transfer from water to every other phase a table has sums of, for a molecule just mapped with it, as JSON.

    Returns
    -------
    list of dict
        ``to, delta_g_kJ_mol, standard_error, log_p, log_p_error, n_effective``, or ``to, refused``.

    Raises
    ------
    SettingsError
        The table has no sums.
    """
    sums = load_instant_sums(table_name)
    found: list[dict[str, Any]] = []
    for phase in sums.phases:
        if phase == "water":
            continue
        try:
            legs = {name: sums.solvation(molecule, name) for name in ("water", phase)}
        except TopdownError as error:
            found.append({"to": phase, "refused": str(error)})
            continue
        result = transfer_free_energy(
            Phase(name="water"),
            Phase(name=phase),
            legs,
            temperature=_TEMPERATURE,
            canonical_smiles=molecule.canonical_smiles,
        )
        found.append(
            {
                "to": phase,
                "delta_g_kJ_mol": result.delta_g.value,
                "standard_error": result.delta_g.standard_error,
                "log_p": result.log_p,
                "log_p_error": result.log_p_error,
                "n_effective": result.delta_g.n_effective,
            }
        )
    return found
