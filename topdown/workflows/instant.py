"""The job ``topdown transfer --instant``: free energies of transfer in milliseconds, from the sums that ship with a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import hypot
from pathlib import Path
from typing import Any, Final

from topdown.errors import SettingsError, TopdownError
from topdown.estimators.reweighting import MIN_EFFECTIVE
from topdown.mapping import canonical_smiles, map_molecule
from topdown.model import CGMolecule
from topdown.properties.instant import InstantSums, load_instant_sums
from topdown.properties.phases import Phase, find_phase
from topdown.properties.transfer import TransferResult, transfer_free_energy
from topdown.units import kj_mol_per_log_unit
from topdown.workflows.map_molecules import MoleculeRequest
from topdown.workflows.transfer import TransferOutcome, TransferSettings

#: What a prediction without a temperature is for [K].
_TEMPERATURE: Final = 298.15


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
    phases = [_phase(name, sums, table_name) for name in (settings.from_phase, *settings.to_phases)]
    for request in requests:
        yield from _one(request, sums, phases[0], phases[1:], settings.temperature)


def _phase(name: str, sums: InstantSums, table_name: str | Path) -> Phase:
    phase = find_phase(name, str(table_name))
    if phase.components and phase.name not in sums.phases:
        raise SettingsError(
            f"there are no instant free energies in {phase.name}",
            hint=f"only in {', '.join(sums.phases)}; leave --instant out to simulate",
        )
    return phase


def _one(
    request: MoleculeRequest, sums: InstantSums, start: Phase, ends: Sequence[Phase], temperature: float
) -> Iterator[TransferOutcome]:
    began = time.perf_counter()
    try:
        canonical = canonical_smiles(request.smiles)
        if canonical == "O":
            raise SettingsError("a W bead stands for four waters, so one water has no free energy of transfer here")
        model = map_molecule(request.smiles, sums.table, name=canonical)
    except TopdownError as error:
        for end in ends:
            yield TransferOutcome(request=request, from_phase=start.name, to_phase=end.name, error=error)
        return
    for end in ends:
        try:
            legs = {
                phase.name: sums.solvation(model, phase.name, temperature=temperature)
                for phase in (start, end)
                if phase.components
            }
        except TopdownError as error:
            yield TransferOutcome(request=request, from_phase=start.name, to_phase=end.name, error=error)
            continue
        result = transfer_free_energy(start, end, legs, temperature=temperature, canonical_smiles=canonical)
        yield TransferOutcome(
            request=request,
            from_phase=start.name,
            to_phase=end.name,
            table=sums.table.name,
            canonical_smiles=canonical,
            model=f"mapped: {' '.join(model.type_names)}",
            result=_remarked(result),
            wall_s=time.perf_counter() - began,
        )


def _remarked(result: TransferResult) -> TransferResult:
    """With a remark where fewer effective samples than usual support it."""
    remarks = ("reweighted from stored sums, not simulated", *result.remarks)
    if result.delta_g.n_effective < MIN_EFFECTIVE:
        remarks = (*remarks, f"only {result.delta_g.n_effective:.0f} effective samples: simulate to be sure")
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
    decade = kj_mol_per_log_unit(_TEMPERATURE)
    found: list[dict[str, Any]] = []
    for phase in sums.phases:
        if phase == "water":
            continue
        try:
            start, end = (sums.solvation(molecule, name).delta_g for name in ("water", phase))
        except TopdownError as error:
            found.append({"to": phase, "refused": str(error)})
            continue
        change, error_of_change = end.value - start.value, hypot(end.standard_error, start.standard_error)
        found.append(
            {
                "to": phase,
                "delta_g_kJ_mol": change,
                "standard_error": error_of_change,
                "log_p": -change / decade,
                "log_p_error": error_of_change / decade,
                "n_effective": min(start.n_effective, end.n_effective),
            }
        )
    return found
