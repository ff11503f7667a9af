"""Entry point ``topdown``. Commands are loaded only when called, so that ``--help`` stays fast."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from topdown import __version__
from topdown.errors import TopdownError

#: command name -> (module with a ``command``, one-line help). Only commands that work are listed.
COMMANDS: dict[str, tuple[str, str]] = {
    "map": ("topdown.cli.map_command", "Coarse-grain molecules: SMILES to beads, topology files, picture."),
    "map-trajectory": (
        "topdown.cli.map_trajectory_command",
        "All-atom trajectory to beads, and distributions of bonds.",
    ),
    "transfer": ("topdown.cli.transfer_command", "Free energy of transfer and log P between two liquids."),
    "density": ("topdown.cli.density_command", "Density of a liquid or mixture, and its heat of vaporisation."),
    "surface-tension": ("topdown.cli.surface_tension_command", "Surface tension of a liquid from a slab, two ways."),
    "calibrate": ("topdown.cli.calibrate_command", "Fit the ε of a bead table to measured values."),
    "window": ("topdown.cli.window_command", "One system of a calibration by itself, for job arrays."),
    "membrane": ("topdown.cli.membrane_command", "A relaxed bilayer, ready to run, with or without a molecule in it."),
    "run": ("topdown.cli.run_command", "Dynamics of a Martini GROMACS system, with checkpoints."),
    "energy": ("topdown.cli.energy_command", "Single-point energy of a Martini GROMACS system, term by term."),
    "export": ("topdown.cli.export_command", "Write a model or a system for GROMACS, OpenMM, LAMMPS or as PDB."),
    "table": ("topdown.cli.table_command", "List, show, check and compare bead tables."),
}


class LazyGroup(click.Group):
    """A click group that knows its commands by name and imports one only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(COMMANDS), n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="topdown")
def topdown() -> None:
    """MARTINI-style top-down coarse-graining: from SMILES to beads, to bead matrices fitted to experiment, to
    membranes ready to run."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; user errors become one line on stderr and an exit code, bugs keep their traceback."""
    try:
        code = topdown.main(args=arguments, prog_name="topdown", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        where = f"{error.ctx.command_path}: " if error.ctx is not None else ""
        click.echo(f"error: {where}{error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except TopdownError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
