"""``topdown doctor``: what is installed, and whether it works."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import click

from topdown.cli.printing import echo_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from topdown.workflows.doctor import Finding

_MARKS: Final = {"ok": "ok", "absent": "-", "failed": "FAILED"}


def _echoed(findings: Iterable[Finding]) -> list[Finding]:
    """Print findings as they come."""
    seen: list[Finding] = []
    for group, members in groupby(findings, key=lambda finding: finding.group):
        click.echo(group)
        for found in members:
            seen.append(found)
            took = f"  ({found.seconds:.1f} s)" if found.seconds else ""
            click.echo(f"  {_MARKS[found.state]:<7s} {found.name:<16s} {found.value}{took}")
            if found.hint:
                click.echo(f"  {'':<7s} {'':<16s} {found.hint}")
    return seen


@click.command(name="doctor")
@click.option("--no-tests", is_flag=True, help="Only look, try nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(no_tests: bool, as_json: bool) -> int:
    """Say what is installed here and test it, to begin with or when something is strange.

    Versions of topdown and of every package it uses, processor, cache folder, bead tables; then a molecule is mapped from two
    spellings, forces are compared with double precision and with NumPy, some picoseconds run, a log P is predicted and compared
    with its measured value, and GROMACS, OpenMM and LAMMPS, where installed, are asked for the energy of the same system.
    Nothing is fetched. What --json prints is worth sending with a question.

    Exit code 0: all well; 1: something failed.

    \b
    Examples:
      topdown doctor
      topdown doctor --json
    """
    from topdown.workflows.doctor import examine

    if not no_tests:
        click.echo("the tests take 5 s, and 20 s more where the engine has not been compiled yet", err=True)
    found = examine(tests=not no_tests)
    findings = list(found) if as_json else _echoed(found)
    failed = [finding.name for finding in findings if finding.state == "failed"]
    if as_json:
        echo_json({"ok": not failed, "findings": [f.as_json() for f in findings]})
    else:
        click.echo(f"failed: {', '.join(failed)}" if failed else "all well")
    return 1 if failed else 0
