"""Accuracy beside speed: errors of forces, of neighbour lists, and of energy conservation, the engine's and GROMACS's.

*Forces*: root mean square over components of the difference from the engine in double precision, on the stored frame.
*Lists*: forces during dynamics, on every step so that the oldest list is among them, against forces of the same positions from a
fresh list; what is counted are components further off than ``LIST_LIMIT``, far above any rounding.
*Drift*: slope of the conserved energy without thermostat and barostat, per degree of freedom.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from engine_cases import TIME_STEP, Case
from engine_gromacs import Build, GromacsCase, trr_forces
from engine_peers import Unavailable, has_field
from engine_worker import coupling, settings

from topdown.engine import Simulation
from topdown.model import System

Floats = npt.NDArray[np.float64]
#: [kJ/mol/nm]
LIST_LIMIT = 0.5
#: Larger boxes than this are left out: they hold the same liquid as smaller ones.
MOST_BEADS = 20_000
#: Steps between two energies of a drift.
_ENERGY_EVERY = 50


@dataclass(frozen=True)
class Accuracy:
    """What was measured of one engine in one case; None for what was not.

    Attributes
    ----------
    force_rms : float
        [kJ/mol/nm]
    list_misses, list_components : int
        Components further off than ``LIST_LIMIT``, and how many were looked at.
    list_worst : float
        Largest error of a component [kJ/mol/nm].
    drift, drift_error : float
        Slope and its standard error [kJ/mol/ns per degree of freedom].
    """

    case: str
    label: str
    force_rms: float | None = None
    list_misses: int | None = None
    list_components: int | None = None
    list_worst: float | None = None
    drift: float | None = None
    drift_error: float | None = None


def rms(difference: Floats) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def slope(times: Floats, values: Floats) -> tuple[float, float]:
    """Least-squares slope and its standard error for independent scatter."""
    t, y = times - times.mean(), values - values.mean()
    b = float(t @ y / (t @ t))
    scatter = float(((y - b * t) ** 2).sum()) / (len(t) - 2)
    return b, float(np.sqrt(scatter / (t @ t)))


def misses(pairs: Iterable[tuple[Floats, Floats]]) -> tuple[int, int, float]:
    """Components of (forces, fresh forces) further off than ``LIST_LIMIT``, components seen, and the largest error."""
    off, seen, worst = 0, 0, 0.0
    for forces, fresh in pairs:
        error = np.abs(forces - fresh)
        off, seen, worst = off + int((error > LIST_LIMIT).sum()), seen + error.size, max(worst, float(error.max()))
    return off, seen, worst


def exact_forces(case: Case, system: System) -> Floats:
    """In double precision, from a fresh list."""
    simulation = Simulation(system, settings(None, precision="double"), coupling=coupling(case))
    return simulation.energies().forces


def engine_list_error(case: Case, system: System, precision: str, n_steps: int) -> tuple[int, int, float]:
    """Forces after every one of ``n_steps``, and after longer runs, against fresh ones of the same positions."""
    simulation = Simulation(system, settings(None, precision=precision), coupling=coupling(case))
    simulation.run(100)

    def pairs() -> Iterable[tuple[Floats, Floats]]:
        for length in (1,) * n_steps + (17,) * (n_steps // 3):
            simulation.run(length)
            yield np.array(simulation.state.forces), exact_forces(case, simulation.system())

    return misses(pairs())


def engine_drift(case: Case, system: System, precision: str, n_steps: int) -> tuple[float, float]:
    """Potential energy and kinetic energy at whole steps; the first tenth is left out."""
    chosen = settings(None, precision=precision, thermostat=None)
    simulation = Simulation(system, chosen, coupling=coupling(case))
    masses = np.array([bead.mass for molecule, _ in system.molecules() for bead in molecule.beads])
    times, energies = [], []

    def record(s: Simulation) -> None:
        times.append(s.time / 1000.0)
        kinetic = 0.5 * float((masses[:, None] * s.velocities**2).sum())
        energies.append(s.energies().potential + kinetic)

    simulation.run(n_steps, every=_ENERGY_EVERY, observe=record)
    return _per_freedom(times, energies, system)


def _per_freedom(times: list[float], energies: list[float], system: System) -> tuple[float, float]:
    first = len(times) // 10
    value, error = slope(np.array(times[first:]), np.array(energies[first:]))
    degrees = 3 * system.n_beads - 3
    return value / degrees, error / degrees


def engine_accuracy(
    case: Case, system: System, exact: Floats, *, precision: str, list_steps: int, drift_steps: int
) -> Accuracy:
    """All of it for the bundled engine."""
    simulation = Simulation(system, settings(None, precision=precision), coupling=coupling(case))
    return Accuracy(
        case.name,
        f"topdown {precision}" if has_field("precision") else "topdown",
        rms(simulation.state.forces - exact),
        *engine_list_error(case, system, precision, list_steps),
        *engine_drift(case, system, precision, drift_steps),
    )


def gromacs_forces(prepared: GromacsCase) -> Floats:
    """Of the written frame, in the build's own precision."""
    prepared.prepare("point", ensemble="nve", nsteps=0, nstfout=1, nstxout=1, continuation="yes", gen_vel="no")
    prepared.run("point")
    return next(trr_forces(prepared.folder / "point.trr"))


def gromacs_list_error(prepared: GromacsCase, n_steps: int) -> tuple[int, int, float]:
    """Forces of every step against those of ``mdrun -rerun``, which makes a list for every frame."""
    thermostat = {"tcoupl": "v-rescale", "tc-grps": "System", "tau-t": 1.0, "ref-t": 300}
    prepared.prepare("steps", ensemble="nve", nsteps=n_steps, nstfout=1, nstxout=1, **thermostat)
    prepared.run("steps")
    prepared.run("again", "-rerun", "steps.trr", tpr="steps")
    frames = (trr_forces(prepared.folder / f"{name}.trr") for name in ("steps", "again"))
    return misses(zip(*frames, strict=True))


def gromacs_drift(prepared: GromacsCase, system: System, n_steps: int) -> tuple[float, float]:
    """Slope of the total energy, conserved without coupling; the first tenth is left out."""
    every = _ENERGY_EVERY
    prepared.prepare("drift", ensemble="nve", nsteps=n_steps, nstcalcenergy=every, nstenergy=every)
    prepared.run("drift")
    prepared.call("energy", "-f", "drift.edr", "-o", "drift.xvg", "-xvg", "none", "-dp", answer="Total-Energy\n0\n")
    rows = np.loadtxt(prepared.folder / "drift.xvg")
    return _per_freedom((rows[1:, 0] / 1000.0).tolist(), rows[1:, 1].tolist(), system)


def gromacs_accuracy(
    build: Build, case: Case, system: System, exact: Floats, *, list_steps: int, drift_steps: int
) -> Accuracy:
    """All of it for one GROMACS build; with steps of 0 the forces only."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = GromacsCase.write(build, case, system, Path(folder))
        error = rms(gromacs_forces(prepared) - exact)
        if not list_steps:
            return Accuracy(case.name, f"GROMACS {build.name}", error)
        lists = gromacs_list_error(prepared, list_steps)
        return Accuracy(
            case.name, f"GROMACS {build.name}", error, *lists, *gromacs_drift(prepared, system, drift_steps)
        )


def accuracies(
    case: Case, precisions: Iterable[str], builds: Iterable[Build], double: Build | None, *, drift_ps: float
) -> list[Accuracy]:
    """Every engine that can be asked; the double-precision GROMACS, where there is one, checks the yardstick itself."""
    system = case.system()
    if system.n_beads > MOST_BEADS:
        return []
    exact, steps = exact_forces(case, system), max(20 * _ENERGY_EVERY, round(drift_ps / TIME_STEP))
    list_steps = 60
    found = [
        engine_accuracy(case, system, exact, precision=precision, list_steps=list_steps, drift_steps=steps)
        for precision in precisions
    ]
    asked = [(build, list_steps, steps) for build in builds] + ([(double, 0, 0)] if double else [])
    for build, lists, drift in asked:
        try:
            found.append(gromacs_accuracy(build, case, system, exact, list_steps=lists, drift_steps=drift))
        except Unavailable as error:
            print(f"    accuracy of GROMACS {build.name} is not measured: {error}")
    return found
