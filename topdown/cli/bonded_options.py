"""Options of ``topdown map`` about bonded terms: where beads sit, fits to a trajectory, the check at 20 fs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

if TYPE_CHECKING:
    from topdown.model import BeadTable, CGMolecule
    from topdown.workflows.map_molecules import MappingResult

_FILE = click.Path(path_type=Path, dir_okay=False)
_FIT_TEMPERATURE = 300.0


class BondedOptions(NamedTuple):
    """What was asked for; see the help texts below."""

    check: bool
    center: Literal["geometry", "mass", "charge"] | None
    match: bool
    fit: Path | None
    topology: Path | None
    groups: Path | None
    temperature: float | None

    def refine(self, *, seed: int, with_conformers: bool) -> Callable[[CGMolecule, BeadTable], CGMolecule] | None:
        """What changes each molecule's bonded terms before it is written, or nothing."""
        if self.match and not with_conformers:
            raise click.UsageError("--match-surface needs conformers, whose surface it is")
        if self.fit is not None:
            if self.match:
                raise click.UsageError("--match-surface and --fit-bonded both say how long bonds are: choose one")
            return self._fitted
        if (self.topology, self.groups, self.temperature) != (None, None, None):
            raise click.UsageError("--fit-topology, --fit-mapping and --fit-temperature go with --fit-bonded")
        if self.center is None:
            return None
        if not with_conformers:
            raise click.UsageError("--center needs conformers; without them lengths come from the graph")
        return functools.partial(self._centred, seed=seed)

    def _fitted(self, molecule: CGMolecule, table: BeadTable) -> CGMolecule:
        from topdown.workflows.fit_bonded import fit_bonded

        assert self.fit is not None
        return fit_bonded(
            molecule,
            table,
            self.fit,
            topology=self.topology,
            groups_file=self.groups,
            center=self.center,
            temperature=_FIT_TEMPERATURE if self.temperature is None else self.temperature,
        )

    def _centred(self, molecule: CGMolecule, table: BeadTable, *, seed: int) -> CGMolecule:
        from topdown.workflows.fit_bonded import with_center

        assert self.center is not None
        return with_center(molecule, table, self.center, seed=seed)

    def checked(
        self, result: MappingResult, table: BeadTable, table_name: str, *, seed: int
    ) -> tuple[dict[str, Any] | None, tuple[Path, ...]]:
        """The report of ``--check``, and its file beside the other files of the molecule if there are any."""
        if not self.check or result.molecule is None:
            return None, ()
        import json

        from topdown.cli.progress import StatusLine
        from topdown.resources import atomic_write_text
        from topdown.workflows.check_molecule import checked_molecule

        line = StatusLine()
        line.show("check: running it in water", "the first run on a machine compiles the engine")
        report = checked_molecule(result.molecule, table, table_name, seed=seed, center=self.center, matched=self.match)
        line.close()
        text = json.dumps(report, indent=1, allow_nan=False) + "\n"
        files = [path.with_suffix(".check.json") for path in result.files if path.suffix == ".itp"]
        return report, tuple(atomic_write_text(path, text) for path in files)


def bonded_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, handed on as one ``bonded`` argument."""

    @click.option(
        "--check", is_flag=True, help="Run it in water at 20 fs for 100 ps: stable, and of the shape asked for?"
    )
    @click.option(
        "--center",
        type=click.Choice(["geometry", "mass", "charge"]),
        help="Bead positions: centre of geometry, of mass, or of the partial charges.  [default: that of the table]",
    )
    @click.option(
        "--match-surface",
        "match",
        is_flag=True,
        help="Longer bonds, by one factor, until the beads have the surface of the atoms: nearer to measured densities.",
    )
    @click.option(
        "--fit-bonded", "fit", type=_FILE, metavar="TRAJECTORY", help="Bonded terms from an all-atom trajectory."
    )
    @click.option("--fit-topology", "topology", type=_FILE, metavar="FILE", help="Its structure: elements and bonds.")
    @click.option("--fit-mapping", "groups", type=_FILE, metavar="FILE.ndx", help="Atoms of each bead in it.")
    @click.option(
        "--fit-temperature",
        "temperature",
        type=float,
        metavar="K",
        help=f"Of that trajectory.  [default: {_FIT_TEMPERATURE:g}]",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        check: bool,
        center: Literal["geometry", "mass", "charge"] | None,
        match: bool,
        fit: Path | None,
        topology: Path | None,
        groups: Path | None,
        temperature: float | None,
        **kwargs: Any,
    ) -> Any:
        options = BondedOptions(
            check=check, center=center, match=match, fit=fit, topology=topology, groups=groups, temperature=temperature
        )
        return command(*args, bonded=options, **kwargs)

    return wrapped


def echo_check(report: dict[str, Any], molecule: CGMolecule) -> None:
    """The report as a few lines."""
    verdict = "stable" if report["stable"] else f"NOT stable: {report['reason']}"
    click.echo(f"check: {verdict}; {report['copies']} in {report['water']} W, {report['simulated_ps']:g} ps at 20 fs")
    if report["temperature_K"] is not None:
        click.echo(
            f"  temperature {report['temperature_K']:.1f} ± {report['temperature_error_K']:.1f} K, "
            f"constraints to {report['constraint_error']:.1e}"
            + (
                ""
                if report["energy_drift_kT_ns_dof"] is None
                else f", energy drift {report['energy_drift_kT_ns_dof']:+.3f} kT/ns per degree of freedom"
            )
        )
    for term in report["bonded"]:
        if term["off"]:
            names = "-".join(molecule.beads[a].name for a in term["atoms"])
            click.echo(f"  {term['kind']} {names} is {term['mean']:g} ± {term['sd']:g}, {term['expected']:g} expected")
    surface = report["surface"]
    if surface is not None:
        flag = "  more than 10 % off" if surface["off"] else ""
        click.echo(
            f"  beads over atoms: surface {surface['sasa_ratio']:.3f}, volume {surface['volume_ratio']:.3f}{flag}"
        )
    click.echo(f"  took {report['cpu_s']:.1f} s of processor time")
