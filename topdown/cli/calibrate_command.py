"""``topdown calibrate``: fit ε of a bead table to measured free energies, densities and surface tensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.progress import ProgressLine
from topdown.cli.shared_options import store_option, workers_option

_RUN = "run"


class _CampaignGroup(click.Group):
    """``calibrate CAMPAIGN.toml`` runs a campaign; ``calibrate plan …`` and ``calibrate status …`` are commands of their own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], ["plan", "status"], n=1, cutoff=0.7)
            if near and not Path(args[0]).exists():
                raise click.UsageError(f'no command "calibrate {args[0]}"; did you mean "calibrate {near[0]}"?')
            args = [_RUN, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "CAMPAIGN.toml [OPTIONS]")
        formatter.write_usage(ctx.command_path, "plan CAMPAIGN.toml [OPTIONS]")
        formatter.write_usage(ctx.command_path, "status FOLDER [OPTIONS]")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands[_RUN].format_options(ctx, formatter)


@click.group(cls=_CampaignGroup)
def command() -> None:
    """Fit the ε of a bead table to the measured values that CAMPAIGN.toml names, and write the new table.

    Runs are kept and found again: a campaign that was stopped goes on with --resume where it was. "plan" checks a campaign
    and says what it would simulate; "status" says how far one in FOLDER has come.
    """


def _as_json(function: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)


@command.command(_RUN, hidden=True)
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=OutputFolder(),
    help="Folder for table, report and journal.  [default: the campaign's name]",
)
@click.option("--resume", is_flag=True, help="Continue the campaign whose journal is in the folder.")
@workers_option
@click.option(
    "--executor",
    default="",
    metavar="NAME",
    help="Who runs the simulations: processes, threads, dask://HOST:PORT, or mpi.  [default: processes]",
)
@store_option
@click.option("--dry-run", "--plan", "plan_only", is_flag=True, help="As plan: check the campaign, simulate nothing.")
@_as_json
def run(
    campaign: Path,
    output: Path | None,
    resume: bool,
    workers: int,
    executor: str,
    store: Path | None,
    plan_only: bool,
    as_json: bool,
) -> None:
    """Run a campaign."""
    from topdown.calibration.campaign_file import read_campaign
    from topdown.calibration.class_campaign import is_class_campaign
    from topdown.calibration.journal import JOURNAL_FILE
    from topdown.report.calibration_text import calibration_json, calibration_text
    from topdown.workflows.calibrate import calibrate, engine_sampler

    if plan_only:
        _print_plan(campaign, workers, as_json)
        return
    if is_class_campaign(campaign):
        if executor not in ("", "processes"):
            raise click.UsageError("a campaign of classes runs in processes of this machine: --executor is not for it")
        _run_classes(campaign, output, store, workers, as_json)
        return
    folder = output or Path(read_campaign(campaign).name)
    try:
        outcome = calibrate(
            campaign,
            folder,
            sampler=engine_sampler(
                workers=workers, store=store, executor=executor, progress=_RoundProgress(), folder=folder
            ),
            resume=resume,
            progress=_say,
        )
    except KeyboardInterrupt:
        if (folder / JOURNAL_FILE).exists():
            _say(f"stopped; topdown calibrate {campaign} -o {folder} --resume goes on from here")
        raise
    if as_json:
        found = calibration_json(outcome.result, outcome.stickiness)
        echo_json({**found, "table_folder": str(outcome.table_folder)})
        return
    click.echo(calibration_text(outcome.result, outcome.stickiness), nl=False)
    click.echo(f"\nnew table: {outcome.table_folder}\nreports: {', '.join(str(f) for f in outcome.files)}")


def _run_classes(campaign: Path, output: Path | None, store: Path | None, workers: int, as_json: bool) -> None:
    """A campaign that makes a table of classes."""
    from topdown.workflows.calibrate_classes import calibrate_classes
    from topdown.workflows.class_report import class_report_text

    outcome = calibrate_classes(campaign, output, store=store, workers=workers, progress=_say)
    if as_json:
        echo_json(outcome.report)
    else:
        click.echo(class_report_text(outcome.report))


@command.command("plan")
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option(
    "--specs",
    type=OutputFolder(),
    help="Write what the next round simulates into this folder, a file for each system: topdown window run 1.json.",
)
@click.option(
    "-o",
    "--output",
    type=OutputFolder(),
    help="Folder of the campaign, whose journal says which round is next; for --specs.",
)
@workers_option
@_as_json
def plan(campaign: Path, specs: Path | None, output: Path | None, workers: int, as_json: bool) -> None:
    """Check CAMPAIGN and say what it would simulate, and about how long that takes."""
    if specs is not None:
        from topdown.workflows.windows import write_specs

        _say(f"{len(write_specs(campaign, specs, output))} systems: {specs}/1.json …")
    elif output is not None:
        raise click.UsageError("-o is for --specs")
    _print_plan(campaign, workers, as_json)


@command.command("status")
@click.argument("folder", type=click.Path(path_type=Path))
@_as_json
def status(folder: Path, as_json: bool) -> None:
    """How far the campaign in FOLDER has come."""
    from topdown.workflows.calibration_status import calibration_status, status_text

    found = calibration_status(folder)
    if as_json:
        echo_json(found)
    else:
        click.echo(status_text(found), nl=False)


class _RoundProgress:
    """A new progress line, with its own clock, for the simulations of each round."""

    def __init__(self) -> None:
        self._line = ProgressLine()

    def __call__(self, done: int, total: int, what: str) -> None:
        if done == 0:
            self._line = ProgressLine()
        self._line(done, total, what)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _print_plan(campaign: Path, workers: int, as_json: bool) -> None:
    from topdown.calibration.class_campaign import is_class_campaign
    from topdown.report.calibration_plan import plan_json, plan_text
    from topdown.resources import available_processors
    from topdown.workflows.calibrate import plan_calibration

    if is_class_campaign(campaign):
        from topdown.workflows.calibrate_classes import plan_classes

        plan = plan_classes(campaign)
        if as_json:
            echo_json(plan)
        else:
            legs = plan["to_sample"]
            told = f"{len(legs)}{f', from {legs[0]} to {legs[-1]}' if legs else ''}"
            shown = plan | {"phases": ", ".join(plan["phases"]), "to_sample": told}
            click.echo("\n".join(f"{key}: {value}" for key, value in shown.items()))
        return
    found = plan_calibration(campaign)
    n = workers or available_processors()
    if as_json:
        echo_json(plan_json(found, n))
    else:
        click.echo(plan_text(found, n), nl=False)
