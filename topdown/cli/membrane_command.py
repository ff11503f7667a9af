"""``topdown membrane``: a relaxed bilayer, ready to run, with or without a molecule in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from topdown.cli.commands import CommandWithOthers
from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.progress import StatusLine
from topdown.cli.shared_options import salt_option, seed_option, size_option, table_option, temperature_option

if TYPE_CHECKING:
    from topdown.workflows.membrane import MembraneResult
    from topdown.workflows.membrane_relaxation import Progress
    from topdown.workflows.membrane_request import MembraneRequest, Shares


def _show(line: StatusLine, progress: Progress) -> None:
    details = ""
    if progress.ns_per_day > 0:
        details = f"{progress.done_ns:.2f} of {progress.total_ns:g} ns  {progress.ns_per_day:.0f} ns/day"
        details += f"  area per lipid {progress.area:.3f} nm²"
        if progress.drift is not None:
            details += f"  drift {100 * progress.drift:+.1f} %"
    line.show(progress.stage, details)


@click.command(name="membrane", cls=CommandWithOthers)
@click.argument("smiles", nargs=-1, metavar="[SMILES|FILE.itp]…")
@click.option("--lipids", metavar="NAME[:SHARE],…", help="Lipids of both leaflets and their shares: POPC:7,CHOL:3.")
@click.option("--upper", metavar="NAME[:SHARE],…", help="Upper leaflet, where it differs.")
@click.option("--lower", metavar="NAME[:SHARE],…", help="Lower leaflet, where it differs.")
@click.option(
    "--lipid", "own_lipids", multiple=True, metavar="NAME=…", help="A lipid of yours: NAME=SMILES or NAME=FILE.itp."
)
@click.option(
    "--area",
    "areas",
    default="",
    metavar="NAME=nm2,…",
    help="Areas per lipid to start with, beside the built-in table.",
)
@table_option
@size_option(default="6x6x8")
@salt_option(default=0.15)
@click.option(
    "--place",
    default="interface",
    show_default=True,
    metavar="WHERE[,WHERE…]",
    help="Molecules at interface, water, core or depth=…nm from the middle; one for all or one for each: core,water.",
)
@click.option("--count", default="1", show_default=True, metavar="N[,N…]", help="How many of each molecule: 4 or 4,2.")
@click.option(
    "--name",
    "names",
    default="",
    metavar="NAME[,NAME…]",
    help="Names of the molecules in the files: CAF,IBU.  [default: MOL, or MOL1, MOL2…]",
)
@temperature_option(default=310.0)
@click.option(
    "--relax",
    default="steady",
    show_default=True,
    metavar="TIME|steady[:TIME]",
    help="Run at 20 fs steps: 5ns, steady (until the area is, 10 ns at most), steady:20ns, or 0 to stop after minimisation.",
)
@seed_option
@click.option(
    "-o",
    "--output",
    default="membrane",
    show_default=True,
    type=OutputFolder(),
    help="Folder for all files.",
)
@click.option("--continue", "resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--overwrite", is_flag=True, help="Start anew although the output folder holds a run.")
@click.option(
    "--compare/--no-compare",
    default=True,
    show_default=True,
    help="Ask GROMACS, OpenMM and LAMMPS, where installed, for the energy of the files.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(output: Path, resume: bool, overwrite: bool, compare: bool, as_json: bool, **asked: Any) -> None:
    """Build a bilayer in water, relax it on the bundled engine, measure it, and write it for GROMACS, OpenMM and LAMMPS.

    Each SMILES is mapped to beads and placed in it. The output folder gets system.top with its includes, system.gro,
    system.pdb, index.ndx, em.mdp, eq.mdp, md.mdp, run_gromacs.sh, viewer.html, report.json, and the folders openmm, lammps
    and mapping. Ctrl-C leaves a checkpoint; --continue goes on.

    \b
    Examples:
      topdown membrane CCCCCCCCO --lipids POPC:7,CHOL:3 --size 7x7x9 -o bilayer
      topdown membrane --upper POPC:1 --lower POPE:3,POPG:1 --relax 20ns
    """
    from topdown.workflows.membrane import prepare_membrane, report_data

    if resume and overwrite:
        raise click.UsageError("--continue and --overwrite exclude each other")
    request = _request(**asked)
    line = StatusLine()
    try:
        result = prepare_membrane(
            request, output, resume=resume, overwrite=overwrite, compare=compare, progress=partial(_show, line)
        )
    finally:
        line.close()
    if as_json:
        echo_json(report_data(result, output))
        return
    for text in _summary(result):
        click.echo(text)
    click.echo(
        f"written          {output}{'/' if str(output)[-1:] != '/' else ''}: {', '.join(report_files(result.files, output))}"
    )


def _request(
    *,
    smiles: tuple[str, ...],
    lipids: str | None,
    upper: str | None,
    lower: str | None,
    own_lipids: tuple[str, ...],
    areas: str,
    table: str,
    size: str,
    salt: float,
    place: str,
    count: str,
    names: str,
    temperature: float,
    relax: str,
    seed: int,
) -> MembraneRequest:
    """What is asked for, out of the texts of the options."""
    from topdown.workflows.membrane_request import (
        MembraneRequest,
        parse_areas,
        parse_own_lipids,
        parse_relaxation,
        parse_size,
        parse_solutes,
    )

    above, below = _leaflets(lipids, upper, lower)
    relax_ns, until_steady = parse_relaxation(relax)
    return MembraneRequest(
        lipids=above,
        lower_lipids=below,
        own_lipids=parse_own_lipids(own_lipids),
        areas=parse_areas(areas),
        solutes=parse_solutes(smiles, names=names, counts=count, places=place),
        table=table,
        size=parse_size(size),
        salt=salt,
        temperature=temperature,
        relax_ns=relax_ns,
        until_steady=until_steady,
        seed=seed,
    )


def _leaflets(lipids: str | None, upper: str | None, lower: str | None) -> tuple[Shares, Shares]:
    """Lipids of the upper leaflet, and of the lower one where it differs."""
    from topdown.workflows.membrane_request import parse_lipids

    if lipids is None and (upper is None or lower is None):
        raise click.UsageError("no lipids: give --lipids POPC:7,CHOL:3, or both --upper and --lower")
    if lipids is not None and upper is not None and lower is not None:
        raise click.UsageError("--upper and --lower leave nothing to --lipids: leave one of the three out")
    above, below = (
        parse_lipids(own or lipids or "", option=option if own else "--lipids")
        for own, option in ((upper, "--upper"), (lower, "--lower"))
    )
    return above, below if upper or lower else ()


def _summary(result: MembraneResult) -> tuple[str, ...]:
    """What was built and measured, line by line."""
    from topdown.report.membrane_text import comparison_lines, membrane_lines, stage_line, start_line

    first, *others = membrane_lines(
        result.system,
        result.observables,
        result.simulated_ns,
        area=result.measured_area,
        thickness=result.measured_thickness,
        steady=result.relaxation.steadiness.steady,
    )
    return (
        first,
        start_line(result.start_distance, result.start_force, result.relaxation.minimized_force),
        *others,
        *comparison_lines([(c.program, c.largest) for c in result.comparisons], result.notes),
        stage_line(result.seconds),
    )


def report_files(files: dict[str, Path], folder: Path) -> list[str]:
    """Names of the written files, the main ones first, and folders with the number of theirs."""
    first = ["top", "gro", "pdb", "ndx", "em", "eq", "md", "run_script", "viewer", "report", "provenance"]
    here = {key: path for key, path in files.items() if path.parent == folder}
    keys = [key for key in first if key in here] + sorted(key for key in here if key not in first)
    below: dict[str, int] = {}
    for path in files.values():
        if path.parent != folder:
            below[path.parent.name] = below.get(path.parent.name, 0) + 1
    return [here[key].name for key in keys] + [f"{name}/ ({count} files)" for name, count in below.items()]
