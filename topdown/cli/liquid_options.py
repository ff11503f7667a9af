"""Options that ``topdown density`` and ``topdown surface-tension`` share, and how they and ``topdown melting`` print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from topdown.cli.printing import echo_json
from topdown.cli.progress import ProgressLine
from topdown.cli.shared_options import pressure_option, seed_option, store_option, table_option, workers_option

if TYPE_CHECKING:
    from topdown.workflows.liquids import LiquidOutcome, LiquidSettings
    from topdown.workflows.melting import MeltingOutcome

Command = Callable[..., Any]


def liquid_options(default_ns: str, unit: str) -> Callable[[Command], Command]:
    """The arguments and options of both commands, which measure in ``unit``."""

    def add(function: Command) -> Command:
        for option in reversed(
            [
                click.argument("liquids", metavar="SMILES|MODEL|NAME|MIXTURE…", nargs=-1, required=True),
                table_option,
                click.option(
                    "--temperature",
                    default="298.15",
                    show_default=True,
                    metavar="K[,K…]",
                    help="One or several temperatures.",
                ),
                pressure_option,
                click.option(
                    "--ns",
                    type=float,
                    metavar="ns",
                    help=f"Simulate this long, all runs together.  [default: {default_ns}]",
                ),
                click.option("--error", type=float, metavar=unit, help="Go on until the standard error is this small."),
                click.option("--budget", metavar="TIME", help="Wall time not to exceed: 90s, 5min, 1h."),
                click.option(
                    "--match-surface", is_flag=True, help="Longer bonds in mapped molecules, as map --match-surface."
                ),
                seed_option,
                workers_option,
                store_option,
                click.option(
                    "--json", "as_json", is_flag=True, help="Print one JSON object per liquid and temperature."
                ),
            ]
        ):
            function = option(function)
        return function

    return add


def liquid_settings(options: dict[str, Any]) -> LiquidSettings:
    """State and effort from the options of the command line."""
    from topdown.workflows.liquids import Effort, LiquidSettings, parse_wall_time

    return LiquidSettings(
        temperatures=listed_temperatures("--temperature", options["temperature"], "298.15 or 290,310"),
        pressure=options["pressure"],
        effort=Effort(
            nanoseconds=options["ns"],
            error=options["error"],
            wall_s=parse_wall_time(options["budget"]) if options["budget"] else None,
        ),
        seed=options["seed"],
        match_surface=options["match_surface"],
    )


def listed_temperatures(option: str, text: str, example: str) -> tuple[float, ...]:
    """The temperatures [K] that an option lists, separated by commas."""
    from topdown.errors import SettingsError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"{option} must be numbers, got {text!r}", hint=f"for instance {example}") from None


def print_liquids(
    find: Callable[..., Iterable[LiquidOutcome[Any]]],
    options: dict[str, Any],
    *,
    to_json: Callable[[Any], dict[str, Any]],
    to_lines: Callable[[str, Any], tuple[str, ...]],
) -> int:
    """Have ``find`` measure the liquids that the command line names, and print what it finds; the exit code."""
    outcomes = find(
        options["liquids"],
        options["table"],
        liquid_settings(options),
        store=options["store"],
        workers=options["workers"],
        progress=ProgressLine(),
    )
    return print_outcomes(outcomes, as_json=options["as_json"], to_json=to_json, to_lines=to_lines)


def print_outcomes(
    outcomes: Iterable[LiquidOutcome[Any] | MeltingOutcome],
    *,
    as_json: bool,
    to_json: Callable[[Any], dict[str, Any]],
    to_lines: Callable[[str, Any], tuple[str, ...]],
) -> int:
    """Print outcomes as they come; the exit code."""
    codes = []
    for outcome in outcomes:
        codes.append(outcome.error.exit_code if outcome.error else 0)
        if outcome.error:
            named = outcome.error.where == outcome.liquid or not outcome.liquid.strip()
            where = "" if named else f"{outcome.liquid}: "
            click.echo(f"error: {where}{outcome.error}", err=True)
        if as_json:
            echo_json(to_json(outcome))
        elif outcome.result is not None:
            notes = [f"  note: {remark}" for remark in outcome.remarks]
            for line in (*to_lines(outcome.liquid, outcome.result), *notes, f"  {outcome.wall_s:.1f} s"):
                click.echo(line)
    failed = sum(code != 0 for code in codes)
    return 0 if failed == 0 else 3 if failed < len(codes) else max(codes)
