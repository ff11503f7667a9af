"""``topdown map``: SMILES to beads, bead types, bonded terms, topology files and pictures."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from topdown.cli.bonded_options import BondedOptions, bonded_options, echo_check
from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.shared_options import table_option

if TYPE_CHECKING:
    from topdown.workflows.map_batch import BatchLine
    from topdown.workflows.map_molecules import Refine
    from topdown.workflows.map_workers import BatchSettings

_GRAPH_LIMIT_S, _CONFORMER_LIMIT_S = 30.0, 120.0
#: Progress is shown for lists longer than this, after some seconds.
_SHORT_LIST = 16
_PROGRESS_AFTER_S = 5.0


def _number(ctx: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """``nan`` is in every range of click's."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number.", ctx, option)
    return value


@click.command(name="map")
@click.argument("what", metavar="SMILES|FILE.smi|FILE.csv")
@table_option
@click.option("--name", default=None, metavar="NAME", help="Name of the molecule (SMILES only; a file brings its own).")
@click.option(
    "-o",
    "--output",
    type=OutputFolder(),
    metavar="DIR",
    help="Write topology, coordinates, mapping files and pictures there; for a file also mappings.jsonl, mappings.csv and "
    "rejects.csv. A run that was cut short goes on when the command is repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or for a file one per line.")
@click.option(
    "--alternatives",
    type=click.IntRange(0, 20),
    default=None,
    metavar="K",
    help="The K next-best mappings, and at most K next-best types per bead.  [default: no mappings, 3 types]",
)
@click.option("--mapping", default="", metavar="FILE|CGSMILES", help="Beads to keep; the rest is divided around them.")
@click.option("--types", default="", metavar="BEAD=TYPE,…", help="Bead types to keep, as in 1=SC3,B2=P4.")
@click.option("--largest-fragment", is_flag=True, help="Of salts and mixtures map the largest component.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Seed of the conformers.",
)
@click.option(
    "--conformers/--no-conformers",
    default=None,
    help="Lengths and coordinates from conformers, or estimates from the graph.  [default: conformers for a SMILES and "
    "with -o, none for a file]",
)
@click.option(
    "--write",
    default="",
    metavar="ENDING,…",
    help="Which files -o writes per molecule, of cgsmiles, gro, html, itp, json, map, ndx, png and svg; or 'none'.  "
    "[default: all; for a file all but html and png]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    metavar="N",
    help="Processes for a file.  [default: all CPUs]",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0.01, 10_000_000),
    callback=_number,
    default=None,
    metavar="s",
    help="Processor time for one molecule.  [default: 30, with conformers 120]",
)
@click.option(
    "--max-atoms",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Largest molecule.",
)
@bonded_options
@click.pass_context
def command(ctx: click.Context, /, what: str, bonded: BondedOptions, **options: Any) -> None:
    """Coarse-grain molecules: SMILES to beads with their types, the reasons, and bonded terms.

    Give one SMILES, a .smi file (SMILES and name per line) or a .csv file (columns smiles, name); both may be gzipped.

    Exit code 0: all mapped; 3: some refused; 2: none mapped; 1: --check found it unstable.

    \b
    Examples:
      topdown map "CC(=O)Nc1ccc(O)cc1" --name paracetamol -o out
      topdown map molecules.smi -o mapped --workers 4
      topdown map CCCCO --types 1=SC2 --check
    """
    from topdown.workflows.map_lists import list_file

    path = list_file(what)
    listed = path is not None
    conformers, output = options["conformers"], options["output"]
    if conformers is None:
        conformers = output is not None or not listed
    settings = _settings(options, listed=listed, conformers=conformers)
    refine = bonded.refine(seed=options["seed"], with_conformers=conformers)
    if bonded.match:
        settings.mapping["match_surface"] = True
    if path is not None:
        if bonded.fit is not None or bonded.check:
            raise click.UsageError("--fit-bonded and --check are for one SMILES")
        if bonded.center is not None:
            settings.mapping["center"] = bonded.center
        code = _map_list(path, settings, options)
    else:
        code = _map_one(what, settings, options, bonded, refine)
    if code:
        ctx.exit(code)


def _settings(options: dict[str, Any], *, listed: bool, conformers: bool) -> BatchSettings:
    from topdown.workflows.map_workers import BatchSettings

    alternatives = options["alternatives"]
    limit = options["time_limit"] or (_CONFORMER_LIMIT_S if conformers else _GRAPH_LIMIT_S)
    max_atoms = options["max_atoms"]
    return BatchSettings(
        mapping={
            "table": options["table"],
            "conformers": conformers,
            "seed": options["seed"],
            "mappings": alternatives or 0,
            "largest_fragment": options["largest_fragment"],
        },
        max_atoms=max_atoms,
        max_length=max(4096, 4 * max_atoms),
        alternatives=3 if alternatives is None else alternatives,
        endings=_endings(options, listed=listed, conformers=conformers),
        time_limit=limit,
    )


def _endings(options: dict[str, Any], *, listed: bool, conformers: bool) -> tuple[str, ...]:
    """Endings of the files written for each molecule."""
    from topdown.workflows.file_endings import ALL_FILES, LIST_FILES, NEED_COORDINATES

    text = options["write"]
    if options["output"] is None:
        if text:
            raise click.UsageError("--write chooses among the files of -o; give -o DIR too")
        return ()
    if not text:
        if not conformers and not listed:
            raise click.UsageError("-o writes coordinates, which --no-conformers leaves out; choose with --write")
        return (LIST_FILES if conformers else ()) if listed else ALL_FILES
    if text == "none":
        return ()
    endings = tuple(sorted({part.strip().lstrip(".") for part in text.split(",")}))
    for ending in endings:
        if ending not in ALL_FILES:
            raise click.UsageError(f"--write: no file {ending!r}; there are {', '.join(ALL_FILES)}, or none")
        if ending in NEED_COORDINATES and not conformers:
            raise click.UsageError(f"--write: {ending} needs coordinates, which --no-conformers leaves out")
    return endings


def _map_list(path: Path, settings: BatchSettings, options: dict[str, Any]) -> int:
    """Map a file; returns the exit code."""
    from topdown.workflows.map_batch import CSV_FILE, LINES_FILE, REJECTS_FILE, map_list

    if options["name"] is not None:
        raise click.UsageError("--name is for one SMILES; a file names its molecules itself")
    for option in ("mapping", "types"):
        if options[option]:
            raise click.UsageError(f"--{option} is for one SMILES: beads are numbered by molecule")
    refused = total = files = 0
    progress = _Progress()
    for line in map_list(path, settings, workers=options["workers"], folder=options["output"]):
        total += 1
        refused += bool(line.code)
        files += len(line.files)
        _echo_list_line(line, as_json=options["as_json"])
        progress(line, refused)
    if options["output"] is not None and not options["as_json"]:
        lists = ", ".join((LINES_FILE, CSV_FILE, REJECTS_FILE))
        click.echo(f"wrote into {options['output']}: {lists}" + (f", and {files} files of molecules" if files else ""))
    return 0 if not refused else 2 if refused == total else 3


class _Progress:
    """How far a long list has come, on stderr: in place on a terminal, else a line now and then."""

    def __init__(self) -> None:
        from topdown.cli.progress import ProgressLine

        self._line = ProgressLine()
        self._start = time.monotonic()
        self._shown = 0.0

    def __call__(self, line: BatchLine, refused: int) -> None:
        now = time.monotonic()
        last = line.number == line.total
        if (
            line.total <= _SHORT_LIST
            or now - self._start < _PROGRESS_AFTER_S
            or (now - self._shown < 0.5 and not (last and self._shown))
        ):
            return
        self._shown = now
        self._line(line.number, line.total, f"molecules, {refused} refused")


def _echo_list_line(line: BatchLine, *, as_json: bool) -> None:
    if as_json and not line.code:
        click.echo(line.text)
        return
    import json

    found = json.loads(line.text)
    if line.code:
        from topdown.workflows.mapping_table import refusal_line

        click.echo(refusal_line(found), err=True)
        if as_json:
            click.echo(line.text)
        return
    types = "-".join(bead["type"] for bead in found["beads"])
    click.echo(f"{found['name'] or found['smiles']}\t{found['smiles']}\t{types}")


def _map_one(
    smiles: str, settings: BatchSettings, options: dict[str, Any], bonded: BondedOptions, refine: Refine | None
) -> int:
    """Map one SMILES; returns the exit code."""
    from topdown.report.mapping_text import mapping_text
    from topdown.tables.folder import calibrated_phases
    from topdown.workflows.map_molecules import map_one, mapping_json, refusal_json

    result, table = map_one(
        smiles,
        settings,
        name=options["name"] or "",
        mapping=options["mapping"],
        types=options["types"],
        folder=options["output"],
        refine=refine,
    )
    if result.error is not None:
        text = str(result.error)
        click.echo(text if text.startswith("E_") else f"{result.error_code} {text}", err=True)
        if options["as_json"]:
            echo_json(refusal_json(result.request, result.error))
        return 2
    assert result.molecule is not None
    report, check_files = bonded.checked(result, table, options["table"], seed=options["seed"])
    code = 1 if report is not None and not report["stable"] else 0
    partition = None
    if calibrated_phases(options["table"]):
        from topdown.workflows.instant import instant_partition

        partition = instant_partition(result.molecule, options["table"])
    if options["as_json"]:
        found = mapping_json(
            result.molecule,
            table,
            result.request,
            alternatives=settings.alternatives,
            other_mappings=result.others,
            seed=options["seed"],
        )
        if report is not None:
            from topdown.workflows.made_with import made_with

            found["check"] = report
            found["made_with"] |= made_with(options["seed"])
        if partition is not None:
            found["instant"] = partition
        echo_json(found)
        return code
    click.echo(mapping_text(result.molecule, settings.alternatives, result.others or ()), nl=False)
    for line in partition or ():
        if "refused" in line:
            click.echo(f"  log P {line['to']:12s} –  {line['refused']}")
        else:
            click.echo(
                f"  log P {line['to']:12s} {line['log_p']:6.2f} ± {line['log_p_error']:.2f}  (stored sums, not simulated)"
            )
    if report is not None:
        echo_check(report, result.molecule)
    for path in (*result.files, *check_files):
        click.echo(f"wrote {path}")
    return code
