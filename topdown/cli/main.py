"""Entry point ``topdown``. Commands are loaded only when called, so that ``--help`` stays fast."""

from __future__ import annotations

import errno
import sys
from collections.abc import Collection
from importlib import import_module
from typing import Any

import click

from topdown import __version__
from topdown.cli.commands import COMMANDS, SUBCOMMANDS
from topdown.cli.printing import accept_any_text, drop_output
from topdown.errors import TopdownError

#: What click raises for a group that is called alone; earlier releases print the help themselves.
_ASKS_FOR_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
#: What a disk may say of any file at any moment; other errors of the system are ours.
_NO_BUG = {
    getattr(errno, name, None)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EFBIG", "EIO", "ENAMETOOLONG")
} - {None}


class _ReaderGone(Exception):
    """Nobody reads stdout any more, as after ``| head``: no fault of the command."""


class LazyGroup(click.Group):
    """A click group that knows its commands by name and imports one only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return _loaded(COMMANDS[cmd_name][0])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(COMMANDS), n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}{hint}")
        beside = SUBCOMMANDS.get(args[0], {}) if args else {}
        if len(args) > 1 and args[1] in beside:
            return " ".join(args[:2]), _loaded(beside[args[1]][0]), args[2:]
        if len(args) > 1 and (meant := _nearly(args[1], beside)):
            raise click.UsageError(f'no command "{args[0]} {args[1]}"; did you mean "{args[0]} {meant}"?')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would end with the exit code of a failed run
            raise _ReaderGone from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _loaded(module: str) -> click.Command:
    command = import_module(module).command
    assert isinstance(command, click.Command)
    return command


def _nearly(word: str, names: Collection[str]) -> str:
    """The name that ``word`` was meant to be, or nothing: words of small letters only, which few SMILES are."""
    if not (word.isalpha() and word.islower() and names):
        return ""
    from difflib import get_close_matches

    near = get_close_matches(word, names, n=1, cutoff=0.75)
    return near[0] if near else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="topdown")
def topdown() -> None:
    """MARTINI-style top-down coarse-graining: from SMILES to beads, to bead matrices fitted to experiment, to
    membranes ready to run."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; user errors become one line on stderr and an exit code, bugs keep their traceback."""
    accept_any_text()
    try:
        code = topdown.main(args=arguments, prog_name="topdown", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        if isinstance(error, _ASKS_FOR_HELP):  # a group without a command: its help, not an error of many lines
            click.echo(error.format_message(), err=True)
            sys.exit(2)
        where = f"{error.ctx.command_path}: " if error.ctx is not None else ""
        click.echo(f"error: {where}{error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except TopdownError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except _ReaderGone:
        drop_output()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _NO_BUG:
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
