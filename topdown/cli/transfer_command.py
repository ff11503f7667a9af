"""``topdown transfer``: free energies of transfer and partition coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.progress import ProgressLine
from topdown.cli.shared_options import seed_option, store_option, temperature_option, workers_option

if TYPE_CHECKING:
    from topdown.errors import TopdownError
    from topdown.workflows.map_lists import MoleculeRequest
    from topdown.workflows.transfer import TransferOutcome, TransferPlots


@click.command(name="transfer")
@click.argument("what", metavar="SMILES|FILE")
@click.option(
    "--from", "from_phase", default="water", show_default=True, metavar="PHASE", help="Phase to start from; 'gas' too."
)
@click.option(
    "--to", "to_phases", default="octanol", show_default=True, metavar="PHASE[,PHASE…]", help="Phases to end in."
)
@click.option(
    "--table",
    default="",
    metavar="NAME|FOLDER",
    help="Bead table.  [default: topdown1 between phases it was fitted to (gas, water, octanol, hexadecane, chloroform, carbon "
    "tetrachloride, toluene), else martini3]",
)
@temperature_option(default=298.15)
@click.option(
    "--error",
    "target_error",
    type=float,
    metavar="kJ/mol",
    help="Standard error to reach.  [default: 0.5 where simulated, any from stored sums]",
)
@click.option(
    "--instant",
    is_flag=True,
    help="Only from the sums that ship with topdown1 (water, octanol, hexadecane, chloroform, carbon tetrachloride, toluene), "
    "put together from parts of the molecule, with larger errors, where its own shape is not among them.",
)
@click.option(
    "--simulate",
    is_flag=True,
    help="Only by simulation; without either: stored sums where they suffice, simulation elsewhere.",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Processor time per molecule not to exceed, 90s, 5min, 1h: counted as work, 4 million bead steps a second.",
)
@click.option(
    "--plot",
    "plots",
    type=OutputFolder(),
    help="Folder for figures: overlap, ∂U/∂λ, convergence in time; simulates.",
)
@seed_option
@workers_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per molecule and phase.")
def command(
    what: str,
    from_phase: str,
    to_phases: str,
    table: str,
    temperature: float,
    target_error: float | None,
    instant: bool,
    simulate: bool,
    budget: str | None,
    plots: Path | None,
    seed: int,
    workers: int,
    store: Path | None,
    as_json: bool,
) -> int:
    """Free energy of transfer of a molecule between two liquids, by coupling it to each along a soft-core path.

    A phase is a name (octanol is wet, 'dry octanol' is not; heptane, chloroform, …), a SMILES, a model of the bead table, or a
    mixture with mole fractions, ethanol:0.4,water:0.6. Free energies in water, octanol, hexadecane, chloroform, carbon
    tetrachloride and toluene are reweighted from the sums that ship with topdown1, in milliseconds, where those suffice;
    --simulate simulates all the same, and so does --plot. Sampling goes on until the error asked for, where it helps most. A
    finished run is stored and never repeated: interrupt and repeat the command to go on, ask for a smaller error to go further.

    FILE is a .smi (SMILES and name per line) or a .csv (columns smiles, name), plain or gzipped. Results come molecule by
    molecule in its order, a molecule or a phase that is refused does not stop the others.

    Exit code 0: all computed; 3: some refused or failed; 2: none computed; 1: none computed, all failed while running.

    \b
    Examples:
      topdown transfer CCCCO
      topdown transfer solutes.csv --to octanol,hexadecane,chloroform --json
      topdown transfer CCCCO --to heptane --error 0.3 --plot figures
    """
    from topdown.properties.phases import split_phases
    from topdown.workflows.liquids import parse_wall_time
    from topdown.workflows.transfer import TransferPlots, TransferSettings
    from topdown.workflows.transfer_view import transfers

    for option, text in (("--from", from_phase), ("--to", to_phases)):
        if not all(split_phases(text)):
            raise click.UsageError(f"{option} names no phase in {text!r}; for instance octanol or octanol,hexadecane")
    if instant and plots is not None:
        raise click.UsageError("--plot draws what was simulated, and --instant simulates nothing")
    settings = TransferSettings(
        from_phase=from_phase,
        to_phases=split_phases(to_phases),
        temperature=temperature,
        target_error=target_error,
        budget_s=None if budget is None else parse_wall_time(budget),
        seed=seed,
    )
    requests = _requests(what)
    figures = None if plots is None else TransferPlots(plots)
    outcomes = transfers(
        requests,
        settings,
        table=table,
        instant=instant,
        simulate=simulate or figures is not None,
        store=store,
        workers=workers,
        progress=ProgressLine(),
    )
    return _told(outcomes, figures, as_json=as_json)


def _requests(what: str) -> Sequence[MoleculeRequest]:
    """The molecules of a file, or the one of a SMILES."""
    from topdown.workflows.map_lists import MoleculeRequest, list_file, read_requests

    path = list_file(what)
    if path is not None:
        return read_requests(path)
    return (MoleculeRequest(smiles=what, name=what),)


def _told(outcomes: Iterable[TransferOutcome], figures: TransferPlots | None, *, as_json: bool) -> int:
    """Print what is found, one after the other; the exit code."""
    from topdown.report.transfer_text import transfer_lines
    from topdown.workflows.transfer import transfer_json

    codes = []
    said: TopdownError | None = None
    for outcome in outcomes:
        codes.append(outcome.error.exit_code if outcome.error else 0)
        if outcome.error and outcome.error is not said:  # a molecule refused altogether has one error for all phases
            said = outcome.error
            click.echo(_refusal_text(outcome), err=True)
        if figures is not None and outcome.result is not None:
            figures.add(outcome)
        if as_json:
            echo_json(transfer_json(outcome))
        elif outcome.result is not None:
            name = outcome.request.name or outcome.request.smiles
            for line in transfer_lines(name, f"{outcome.table}, {outcome.model}", outcome.result):
                click.echo(line)
            click.echo(f"  {outcome.wall_s:.1f} s")
    failed = sum(code != 0 for code in codes)
    return 0 if failed == 0 else 3 if failed < len(codes) else max(codes)


def _refusal_text(outcome: TransferOutcome) -> str:
    """One line that starts with the code, as ``map`` has it; the phase where the molecule itself was not refused."""
    from topdown.workflows.mapping_table import refusal_line
    from topdown.workflows.transfer import transfer_json

    found = transfer_json(outcome)
    name = found["name"] if found["name"] != found["smiles"] else ""
    if outcome.canonical_smiles:
        name = f"{name + ', ' if name else ''}to {outcome.to_phase}"
    return refusal_line({**found, "name": name})
