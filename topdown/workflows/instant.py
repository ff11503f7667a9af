"""Free energies of transfer in milliseconds, from the sums that ship with a table.

Alone (``topdown transfer --instant``), or where they suffice, with simulations where they do not (``topdown transfer``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from topdown.errors import SamplingError, SettingsError, TopdownError
from topdown.model import CGMolecule
from topdown.properties.instant import InstantSums, has_instant_sums, load_instant_sums
from topdown.properties.phases import Phase, find_phase
from topdown.properties.transfer import SolvationResult, transfer_free_energy
from topdown.workflows.map_molecules import MoleculeRequest
from topdown.workflows.transfer import (
    TransferOutcome,
    TransferSettings,
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
        return sums.solvation(solute, phase.name, temperature=settings.temperature, pieces=True)

    for request in requests:
        yield from transfer_outcomes(request, sums.table, table_name, start, ends, settings, solvation)


def stored_solvation(
    table_name: str | Path, settings: TransferSettings
) -> Callable[[CGMolecule, Phase], SolvationResult | None] | None:
    """What the sums of a table know of molecules in its phases; None for a table without sums.

    Returns
    -------
    callable
        ΔG(gas → phase), or None where it must be simulated: there is no shape for the molecule, there are too few effective
        samples (:data:`topdown.properties.instant.FEWEST`), or the error is above that asked for; any will do where
        ``settings.target_error`` is None.
    """
    if not has_instant_sums(table_name):
        return None
    sums = load_instant_sums(table_name)
    worst = math.inf if settings.target_error is None else settings.effort(2).target_error
    against_gas = "gas" in (name.strip().lower() for name in (settings.from_phase, *settings.to_phases))

    def solvation(solute: CGMolecule, phase: Phase) -> SolvationResult | None:
        try:
            found = sums.solvation(solute, phase.name, temperature=settings.temperature)
        except (SettingsError, SamplingError):
            return None
        error = math.hypot(found.delta_g.standard_error, found.shared_error if against_gas else 0.0)
        return found if error <= worst else None

    return solvation


def _phase(name: str, sums: InstantSums, table_name: str | Path) -> Phase:
    phase = find_phase(name, str(table_name))
    if phase.components and phase.name not in sums.phases:
        raise SettingsError(
            f"there are no instant free energies in {phase.name}",
            hint=f"only in {', '.join(sums.phases)}; leave --instant out to simulate",
        )
    return phase


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
            legs = {name: sums.solvation(molecule, name, pieces=True) for name in ("water", phase)}
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
