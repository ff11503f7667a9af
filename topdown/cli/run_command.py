"""``topdown run``: dynamics of a Martini system in GROMACS files."""

from __future__ import annotations

import re
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from topdown.cli.output_folder import OutputFolder
from topdown.cli.printing import echo_json
from topdown.cli.progress import StatusLine
from topdown.cli.topology_options import macros, topology_options

if TYPE_CHECKING:
    from topdown.workflows.run import RunProgress, RunResult


def _show(line: StatusLine, progress: RunProgress) -> None:
    if progress.note:
        line.note(f"note: {progress.note}")
        return
    details = ""
    if progress.ns_per_day > 0:
        details = f"{progress.done_ns:.4g} of {progress.total_ns:.4g} ns  {progress.ns_per_day:.4g} ns/day"
        details += f"  {_clock(progress.seconds_left)} left"
    line.show(progress.stage, details)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds, as ``1:05:09``."""
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}"


def _checkpoint_options(text: str) -> dict[str, Any]:
    """``"15min"`` or a number of steps."""
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*(s|min|h)?\s*", text)
    if match is None or (match[2] is None and "." in match[1]):
        raise click.UsageError(f"--checkpoint {text!r} is neither a time (15min, 30s, 1h) nor a number of steps")
    if match[2] is None:
        return {"checkpoint_steps": int(match[1])}
    return {"checkpoint_minutes": float(match[1]) * {"s": 1 / 60, "min": 1.0, "h": 60.0}[match[2]]}


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Options as given on the command line → names and values of a request."""
    from topdown.workflows.membrane_request import parse_duration
    from topdown.workflows.run_request import parse_setting

    plain = (
        "temperature",
        "tau_t",
        "pressure",
        "tau_p",
        "compressibility",
        "time_step",
        "n_steps",
        "seed",
        "trajectory",
    )
    options = {name: given[name] for name in plain if given[name] is not None}
    for name in ("thermostat", "barostat"):
        if given[name] is not None:
            options[name] = None if given[name] == "none" else given[name]
    if given["length"] is not None:
        if given["n_steps"] is not None:
            raise click.UsageError("--time and --steps exclude each other")
        options["length_ns"] = parse_duration(given["length"], option="--time")
    for name, option in (("frame_ps", "--frames-every"), ("energy_ps", "--energies-every")):
        if given[name] is not None:
            options[name] = 1000.0 * parse_duration(given[name], option=option)
    for name in ("minimize", "new_velocities"):
        if given[name]:
            options[name] = True
    if given["checkpoint"] is not None:
        options |= _checkpoint_options(given["checkpoint"])
    if given["define"]:
        options["defines"] = tuple(macros(given["define"]).items())
    if given["reference"] is not None:
        options["reference"] = given["reference"].absolute()
    if given["include"]:
        options["include"] = tuple(folder.absolute() for folder in given["include"])
    return options | dict(parse_setting(text) for text in given["settings"])


def _echo_result(result: RunResult) -> None:
    done = result.minimization
    if done is not None:
        state = "" if done.converged else " (not converged)"
        click.echo(
            f"minimised        {done.n_steps} steps, {done.potential:.6g} kJ/mol, "
            f"largest force {done.max_force:.4g} kJ/mol/nm{state}"
        )
    time_step = result.request.settings.time_step
    click.echo(
        f"{'stopped at' if result.stopped else 'finished'}".ljust(17)
        + f"step {result.step} of {result.request.n_steps}, {result.step * time_step / 1000.0:.6g} ns"
    )
    for name, label in (
        ("potential_kJ_mol", "potential"),
        ("temperature_K", "temperature"),
        ("pressure_bar", "pressure"),
        ("density_kg_m3", "density"),
    ):
        if name in result.energies:
            unit = {"potential": "kJ/mol", "temperature": "K", "pressure": "bar", "density": "kg/m³"}[label]
            click.echo(f"{label:<17s}{result.energies[name]:.6g} {unit}")
    if result.ns_per_day:
        click.echo(f"{'speed':<17s}{result.ns_per_day:.4g} ns/day")
    click.echo(f"{'written':<17s}{result.folder}: {', '.join(path.name for path in result.files.values())}")


@click.command(name="run")
@click.argument("topology", metavar="[SYSTEM.top", type=click.Path(path_type=Path), required=False)
@click.argument("coordinates", metavar="CONF.gro]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--mdp",
    type=click.Path(path_type=Path),
    metavar="FILE.mdp",
    help="GROMACS run parameters; other options go before them.",
)
@click.option("--time", "length", metavar="TIME", help="Length of the run: 10ns, 500ps.")
@click.option("--steps", "n_steps", type=int, metavar="N", help="Length of the run in steps.")
@click.option("--dt", "time_step", type=float, metavar="ps", help="Time step.  [default: 0.02]")
@click.option("--minimize", is_flag=True, help="Minimise the energy first.")
@click.option(
    "--temperature", type=float, metavar="K", help="Of the thermostat and of drawn velocities.  [default: 300]"
)
@click.option("--thermostat", metavar="NAME", help="v-rescale, langevin or none.  [default: v-rescale]")
@click.option("--tau-t", type=float, metavar="ps", help="Its coupling time.  [default: 1]")
@click.option("--barostat", metavar="NAME", help="isotropic, semiisotropic, … or none.  [default: none]")
@click.option("--pressure", type=float, metavar="bar", help="Of the barostat.  [default: 1]")
@click.option("--tau-p", type=float, metavar="ps", help="Coupling time of the barostat.  [default: 4]")
@click.option("--compressibility", type=float, metavar="1/bar", help="How far the box answers.  [default: 3e-4]")
@click.option(
    "--threads", type=click.IntRange(1, 256), metavar="N", help="Threads that advance this one system.  [default: 1]"
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting of the dynamics.")
@click.option("--seed", type=int, metavar="N", help="Same seed, same bytes.  [default: 1]")
@click.option("--new-velocities", is_flag=True, help="Draw velocities although CONF.gro has some.")
@topology_options
@click.option("--trajectory", metavar="KIND", help="xtc, trr, dcd or none.  [default: xtc]")
@click.option("--frames-every", "frame_ps", metavar="TIME", help="Between frames.  [default: 5000 steps]")
@click.option("--energies-every", "energy_ps", metavar="TIME", help="Between rows.  [default: 500 steps]")
@click.option(
    "--checkpoint", metavar="TIME|STEPS", help="15min by the clock, or every so many steps.  [default: 15min]"
)
@click.option(
    "-o",
    "--output",
    default="run",
    show_default=True,
    type=OutputFolder(),
    help="Folder for all files.",
)
@click.option("--continue", "resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--overwrite", "--force", "overwrite", is_flag=True, help="Replace the run in the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print how the run ended as one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    /,
    topology: Path | None,
    coordinates: Path | None,
    mdp: Path | None,
    output: Path,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Run a Martini system in GROMACS files on the bundled engine.

    The output folder gets energies.csv, trajectory.xtc, final.gro, checkpoints, run.json (what ran, on what) and run.log.
    Ctrl-C, SIGTERM and SIGUSR1 finish the step and write a checkpoint; `topdown run --continue -o FOLDER` goes on, with a
    longer --time if you like, and leaves the same bytes as a run that was never stopped.

    \b
    Examples:
      topdown run bilayer/system.top bilayer/system.gro --mdp bilayer/md.mdp -o run
      topdown run --continue -o run --time 200ns
    """
    from topdown.workflows.run import earlier_request, run
    from topdown.workflows.run_request import continued_request, make_request

    if resume and overwrite:
        raise click.UsageError("--continue and --overwrite exclude each other")
    options = _options(given)
    if resume:
        request = continued_request(
            earlier_request(output), options, topology=topology, coordinates=coordinates, mdp=mdp
        )
    elif topology is None or coordinates is None:
        raise click.UsageError("SYSTEM.top and CONF.gro are needed", ctx=context)
    else:
        request = make_request(topology, coordinates, options, mdp=mdp)
    line = StatusLine()
    try:
        result = run(request, output, resume=resume, overwrite=overwrite, progress=partial(_show, line))
    finally:
        line.close()
    if as_json:
        echo_json(result.as_json())
    else:
        _echo_result(result)
    if result.stopped:
        click.echo(f"stopped by {result.stopped}; go on with: topdown run --continue -o {output}", err=True)
        context.exit(128 + signal.Signals[result.stopped])
