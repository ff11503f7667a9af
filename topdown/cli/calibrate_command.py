"""``topdown calibrate``: fit ε of a bead table to measured free energies and densities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from topdown.cli.progress import ProgressLine


@click.command()
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for table, report and journal; default: the campaign's name.",
)
@click.option("--resume", is_flag=True, help="Continue the campaign whose journal is in the folder.")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes; default: one per processor.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run store; default: the user's cache.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Check the campaign and say what it would simulate, no more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    campaign: Path, output: Path | None, resume: bool, workers: int, store: Path | None, plan_only: bool, as_json: bool
) -> None:
    """Fit the ε of a bead table to the measured values that CAMPAIGN.toml names, and write the new table.

    Runs are kept and found again: a campaign that was stopped goes on with --resume where it was.
    """
    from topdown.report.calibration_text import calibration_json, calibration_text
    from topdown.workflows.calibrate import calibrate, engine_sampler, plan_calibration

    if plan_only:
        plan = plan_calibration(campaign)
        click.echo(json.dumps(_plan_json(plan), ensure_ascii=False) if as_json else _plan_text(plan), nl=as_json)
        return
    folder = output or Path(plan_calibration(campaign).problem.name)
    try:
        outcome = calibrate(
            campaign,
            folder,
            sampler=engine_sampler(workers=workers, store=store, progress=_RoundProgress()),
            resume=resume,
            progress=_say,
        )
    except KeyboardInterrupt:
        _say(f"stopped; topdown calibrate {campaign} -o {folder} --resume goes on from here")
        raise
    if as_json:
        found = {**calibration_json(outcome.result), "table_folder": str(outcome.table_folder)}
        click.echo(json.dumps(found, allow_nan=False, ensure_ascii=False))
        return
    click.echo(calibration_text(outcome.result), nl=False)
    click.echo(f"\nnew table: {outcome.table_folder}\nreports: {', '.join(str(f) for f in outcome.files)}")


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


def _plan_json(plan: Any) -> dict[str, Any]:
    problem = plan.problem
    return {
        "campaign": problem.name,
        "digest": problem.digest(),
        "table": problem.table.name,
        "parameters": [
            {"pair": list(p.pair), "start_kJ_mol": p.start, "bounds_kJ_mol": [p.lower, p.upper]}
            for p in problem.space.parameters
        ],
        "targets": [
            {"label": t.label, "split": t.split, "measured": t.measured, "uncertainty": t.uncertainty, "unit": t.unit}
            for t in problem.targets
        ],
        "systems": [{"name": name, "beads": box.n_beads()} for name, box in sorted(problem.systems.items())],
        "windows_per_round": plan.n_windows,
        "bead_steps_per_round": plan.bead_steps,
        "bead_steps_held_out": plan.held_out_bead_steps,
        "max_rounds": problem.optimizer.max_rounds,
        "warnings": list(problem.warnings),
    }


def _plan_text(plan: Any) -> str:
    problem = plan.problem
    lines = [f"campaign {problem.name} ({problem.digest()}) from table {problem.table.name}"]
    lines += [f"warning: {text}" for text in problem.warnings]
    lines += [
        f"free:   {p.label}  {p.start:.4f} ± {p.prior_width:g} kJ/mol, {p.lower:g} to {p.upper:g}"
        for p in problem.space.parameters
    ]
    lines += [f"target: {t.label}  {t.measured:g} ± {t.uncertainty:g} {t.unit} ({t.split})" for t in problem.targets]
    lines += [f"system: {name}  {box.n_beads()} beads" for name, box in sorted(problem.systems.items())]
    lines += [
        f"a round: {plan.n_windows} windows, {plan.bead_steps:.2e} beads × steps; at most {problem.optimizer.max_rounds}",
        f"held-out targets, once: {plan.held_out_bead_steps:.2e} beads × steps",
    ]
    return "\n".join(lines) + "\n"
