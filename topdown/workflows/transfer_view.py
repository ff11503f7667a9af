"""``topdown.transfer("CCO", to="octanol")``: one free energy of transfer, from stored sums or by simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from topdown.errors import SettingsError
from topdown.properties.sampler import Progress
from topdown.properties.transfer import TransferResult
from topdown.workflows.instant import instant_transfer, stored_solvation
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.transfer import (
    CALIBRATED_TABLE,
    TransferOutcome,
    TransferSettings,
    default_table,
    simulated_transfer,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class MoleculeTransfer:
    """A free energy of transfer with how it was found; printed, it is what ``topdown transfer`` prints.

    Attributes
    ----------
    smiles : str
        As given.
    table, model : str
        Bead table, and how the molecule is represented in it.
    result : TransferResult
    """

    smiles: str
    table: str
    model: str
    result: TransferResult

    @property
    def log_p(self) -> float:
        """log10(c_to/c_from)."""
        return self.result.log_p

    @property
    def log_p_error(self) -> float:
        """Standard error of :attr:`log_p`."""
        return self.result.log_p_error

    def __repr__(self) -> str:
        found = self.result
        return (
            f"<MoleculeTransfer {self.smiles!r}, {found.from_phase} → {found.to_phase}: "
            f"ΔG {found.delta_g.value:.2f} ± {found.delta_g.standard_error:.2f} kJ/mol, "
            f"log P {found.log_p:.2f} ± {found.log_p_error:.2f}>"
        )

    def __str__(self) -> str:
        from topdown.report.transfer_text import transfer_lines

        return "\n".join(transfer_lines(self.smiles, f"{self.table}, {self.model}", self.result))


def transfer(
    smiles: str,
    *,
    to: str = "octanol",
    from_phase: str = "water",
    table: str | Path = "",
    temperature: float = 298.15,
    error: float | None = None,
    instant: bool = False,
    simulate: bool = False,
    seed: int = 1,
    workers: int = 0,
    store: Path | None = None,
    progress: Progress | None = None,
) -> MoleculeTransfer:
    """Free energy of transfer and log P of one molecule between two liquids.

    Parameters
    ----------
    smiles : str
    to, from_phase : str
        As ``--to`` and ``--from`` of ``topdown transfer`` have them: octanol, heptane, gas, a SMILES, ``ethanol:0.4,water:0.6``.
    table : str or Path
        Name of a bead table, or its folder; default topdown1 where it was calibrated on both phases, else martini3.
    temperature : float
        [K]
    error : float, optional
        Standard error to reach [kJ/mol]; default 0.5 where simulated, any from stored sums.
    instant, simulate : bool
        Only from stored sums; only by simulation. Without either: stored sums where they suffice, simulation elsewhere.
    seed : int
    workers : int
        Processes; 0 for one per available processor.
    store : Path, optional
        Folder of finished runs; default the user cache.
    progress : callable, optional
        Called with (runs done, runs to do, what).

    Returns
    -------
    MoleculeTransfer

    Raises
    ------
    TopdownError
        The molecule, a phase or a setting is refused, or a run failed.
    """
    settings = TransferSettings(
        from_phase=from_phase, to_phases=(to,), temperature=temperature, target_error=error, seed=seed
    )
    (outcome,) = transfers(
        [MoleculeRequest(smiles=smiles, name=smiles)],
        settings,
        table=table,
        instant=instant,
        simulate=simulate,
        store=store,
        workers=workers,
        progress=progress,
    )
    if outcome.error is not None:
        raise outcome.error
    assert outcome.result is not None
    return MoleculeTransfer(smiles=smiles, table=outcome.table, model=outcome.model, result=outcome.result)


def transfers(
    requests: Sequence[MoleculeRequest],
    settings: TransferSettings,
    *,
    table: str | Path = "",
    instant: bool = False,
    simulate: bool = False,
    store: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Iterator[TransferOutcome]:
    """Free energies of transfer of several molecules; the parameters are those of :func:`transfer`.

    Raises
    ------
    SettingsError
        Both ``instant`` and ``simulate``, or phases or a table that do not exist. Errors of single molecules, and of single
        phases of a molecule, are part of their outcome.
    """
    if instant and simulate:
        raise SettingsError("--instant and --simulate exclude each other")
    if instant:
        return instant_transfer(requests, table or CALIBRATED_TABLE, settings)
    table = table or default_table([settings.from_phase, *settings.to_phases])
    stored = None if simulate else stored_solvation(table, settings)
    return simulated_transfer(requests, table, settings, store=store, workers=workers, progress=progress, stored=stored)
