"""The job behind ``topdown map --check``: does a model stand 20 fs, and does it keep the shape it was given?

A few copies are put in the table's water, minimised, settled and run at 20 fs: first at constant temperature, from which
come temperature, constraint errors and the distribution of every bonded coordinate, then at constant energy, from which
comes the drift.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.building.liquid import build_mixture, estimated_volume
from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SettingsError, SimulationError
from topdown.mapping.distributions import coordinate_values
from topdown.mapping.operators import Center
from topdown.mapping.surface import surface_check
from topdown.model import Angle, BeadTable, Bond, CGMolecule, System
from topdown.model._arrays import FloatArray
from topdown.properties.phases import find_phase
from topdown.report.plain_json import without_nan
from topdown.sampling.equilibrate import TIME_STEP, settle
from topdown.units import GAS_CONSTANT, kt

#: Steps at constant temperature, and then at constant energy: 50 ps each.
NVT_STEPS: Final = 2500
NVE_STEPS: Final = 2500
TEMPERATURE: Final = 300.0
_EVERY: Final = 10
_SETTLING: Final = 0.1
#: Least water molecules, solute beads wanted, and most copies.
_LEAST_WATER, _SOLUTE_BEADS, _MOST_COPIES = 300, 24, 8
#: What counts as stable: constraints to the engine's promise, the molecules' own temperature to 5 % beyond four standard errors,
#: no bond ever longer than this many times its length plus a tenth of a nanometre.
CONSTRAINT_TOLERANCE: Final = 1e-5
TEMPERATURE_TOLERANCE: Final = 0.05
#: The energy of the box may not drift by more than this [kT/ns per degree of freedom]: a sound model drifts by about 0.05, what a
#: flipping or overstrung term does is several.
_LONGEST_STRETCH: Final = 1.5
DRIFT_TOLERANCE: Final = 0.3
#: Differences between expected and found that are pointed out [nm, degrees].
LENGTH_TOLERANCE: Final = 0.02
ANGLE_TOLERANCE: Final = 15.0
#: Frames between two independent temperatures of a molecule (0.8 ps at a coupling time of 1 ps).
_CORRELATION_FRAMES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BondedCheck:
    """One bonded coordinate: what was asked for and what came out.

    Attributes
    ----------
    kind : {"bond", "constraint", "angle", "dihedral"}
    atoms : tuple of int
        Bead indices.
    target : float
        Where its energy is least [nm] or [degrees].
    expected : float
        Mean of a bond or angle that feels nothing but its own term: soft angles are wider spread than their minimum says.
    mean, sd : float
        Of the run, on the circle for dihedrals.
    """

    kind: str
    atoms: tuple[int, ...]
    target: float
    expected: float
    mean: float
    sd: float

    @property
    def is_off(self) -> bool:
        """Whether a bond or angle ends clearly elsewhere than its own term would put it."""
        apart = abs(self.mean - self.expected)
        if self.kind in ("bond", "constraint"):
            return apart > LENGTH_TOLERANCE
        return self.kind == "angle" and apart > ANGLE_TOLERANCE


@dataclass(frozen=True, kw_only=True)
class StabilityReport:
    """What a check found.

    Attributes
    ----------
    stable : bool
    reason : str
        Why not; empty when stable.
    copies, n_water : int
    simulated_ps : float
        At 20 fs, as far as it came.
    constraint_error : float
        Largest relative error of a constraint.
    temperature : float
        Mean kinetic temperature of the checked molecules [K], asked for 300 K.
    temperature_error : float
        Its standard error [K].
    drift : float
        Of the total energy at constant energy [kT/ns per degree of freedom].
    drift_error : float
        Its standard error.
    terms : tuple of BondedCheck
    cpu_s : float
        Processor time [s].
    """

    stable: bool
    reason: str = ""
    copies: int
    n_water: int
    simulated_ps: float
    constraint_error: float = 0.0
    temperature: float = math.nan
    temperature_error: float = math.nan
    drift: float = math.nan
    drift_error: float = math.nan
    terms: tuple[BondedCheck, ...] = ()
    cpu_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values; numbers that were never reached are null."""
        found: dict[str, Any] = without_nan(
            {
                "stable": self.stable,
                "reason": self.reason,
                "time_step_fs": TIME_STEP * 1000,
                "copies": self.copies,
                "water": self.n_water,
                "simulated_ps": self.simulated_ps,
                "constraint_error": self.constraint_error,
                "temperature_K": self.temperature,
                "temperature_error_K": self.temperature_error,
                "energy_drift_kT_ns_dof": self.drift,
                "energy_drift_error_kT_ns_dof": self.drift_error,
                "bonded": [
                    {
                        "kind": t.kind,
                        "atoms": list(t.atoms),
                        "target": t.target,
                        "expected": t.expected,
                        "mean": t.mean,
                        "sd": t.sd,
                        "off": t.is_off,
                    }
                    for t in self.terms
                ],
                "cpu_s": self.cpu_s,
            }
        )
        return found


def check_molecule(
    molecule: CGMolecule,
    table: BeadTable,
    table_name: str | Path,
    *,
    nvt_steps: int = NVT_STEPS,
    nve_steps: int = NVE_STEPS,
    temperature: float = TEMPERATURE,
    seed: int = 1,
) -> StabilityReport:
    """Simulate a molecule in water at 20 fs.

    Parameters
    ----------
    molecule : CGMolecule
    table : BeadTable
    table_name : str or Path
        Where its water is found.
    nvt_steps, nve_steps : int
        Of 20 fs, at constant temperature and at constant energy.
    temperature : float
        [K]
    seed : int

    Raises
    ------
    SettingsError
        The table has no water, or less than a hundred steps are asked for.
    """
    if nvt_steps < 100 or nve_steps < 0:
        raise SettingsError(f"a check of {nvt_steps} and {nve_steps} steps says nothing", hint="100 steps at least")
    began = time.process_time()
    system, copies = _box(molecule, table, table_name, seed)
    watch = _Watch(molecule, copies, temperature)
    course = _followed(system, watch, temperature, (nvt_steps, nve_steps), seed)
    heat, heat_error = watch.temperature()
    return StabilityReport(
        stable=not course.reason,
        reason=course.reason,
        copies=copies,
        n_water=system.n_molecules - copies,
        simulated_ps=round(course.steps * TIME_STEP, 3),
        constraint_error=watch.constraint_error,
        temperature=heat,
        temperature_error=heat_error,
        drift=course.drift,
        drift_error=course.drift_error,
        terms=watch.terms(),
        cpu_s=round(time.process_time() - began, 3),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """How the runs of a check went: why the molecule is not stable, if it is not, and how far they came."""

    reason: str
    steps: int
    drift: float = math.nan
    drift_error: float = math.nan


def _followed(system: System, watch: _Watch, temperature: float, n_steps: tuple[int, int], seed: int) -> _Course:
    """Settle ``system``, then run it at constant temperature and at constant energy for so many steps each."""
    nvt_steps, nve_steps = n_steps
    try:
        start = settle(system, temperature=temperature, seed=seed)
    except SimulationError as failure:
        return _Course(reason=f"cannot be settled: {failure.message}", steps=0)
    run = Simulation(start, SimulationSettings(temperature=temperature, time_step=TIME_STEP), seed=seed + 1)
    try:
        run.run(nvt_steps, every=_EVERY, observe=watch)
    except SimulationError as failure:
        return _Course(reason=failure.message, steps=run.step)
    drift, error = math.nan, 0.0
    if nve_steps:
        try:
            drift, error = _drift(run.system(), temperature, nve_steps, seed)
        except SimulationError as failure:
            return _Course(reason=f"at constant energy: {failure.message}", steps=nvt_steps)
    reason = watch.complaint(temperature)
    if not reason and abs(drift) > DRIFT_TOLERANCE + 4 * error:
        reason = f"the energy drifts by {drift:+.2f} kT/ns per degree of freedom"
    return _Course(reason=reason, steps=nvt_steps + nve_steps, drift=drift, drift_error=error)


def checked_molecule(
    molecule: CGMolecule,
    table: BeadTable,
    table_name: str | Path,
    *,
    seed: int = 1,
    center: Center | None = None,
    matched: bool = False,
) -> dict[str, Any]:
    """:func:`check_molecule` as JSON, with surface and volume beside those of the atoms under ``surface``.

    ``matched`` says that the bonds are as long as :func:`topdown.mapping.surface_match.match_surface` makes them.
    """
    report = check_molecule(molecule, table, table_name, seed=seed).as_json()
    matched = matched or table.bond_lengths == "surface"
    surface = surface_check(molecule, table, seed=seed, center=center, matched=matched)
    return {**report, "surface": None if surface is None else surface.as_json()}


def _box(molecule: CGMolecule, table: BeadTable, table_name: str | Path, seed: int) -> tuple[System, int]:
    """Copies of the molecule in water: some two dozen of its beads, in a box that none of them spans."""
    water = find_phase("water", str(table_name)).solvent
    if water is None:
        raise SettingsError(f"bead table {table_name} has no water to check in")
    copies = max(1, min(_MOST_COPIES, _SOLUTE_BEADS // molecule.n_beads))
    shape = conformation_of(molecule)
    length = float(np.linalg.norm(shape[:, None] - shape[None, :], axis=-1).max())
    edge = max(2.0 * table.scheme.cutoff + 0.5, length + table.scheme.cutoff + 0.5)
    volume = estimated_volume(water, table)
    n_water = max(_LEAST_WATER, math.ceil((edge**3 - copies * estimated_volume(molecule, table)) / volume))
    small = table.subset({*molecule.type_names, *water.type_names})
    components = ((molecule, copies), (water, n_water))
    return build_mixture(components, small, rng=np.random.default_rng(seed)), copies


def _drift(system: System, temperature: float, n_steps: int, seed: int) -> tuple[float, float]:
    """Slope of the total energy over time at constant energy and its standard error [kT/ns per degree of freedom]."""
    settings = SimulationSettings(temperature=temperature, time_step=TIME_STEP, thermostat=None, precision="double")
    run = Simulation(system, settings, seed=seed + 2)
    times, totals = [], []

    def observe(simulation: Simulation) -> None:
        energies = simulation.energies()
        times.append(simulation.time * 1e-3)
        totals.append(energies.potential + energies.kinetic)

    run.run(n_steps, every=_EVERY, observe=observe)
    freedom = sum(
        count * (3 * sum(bead.mass > 0 for bead in m.beads) - len(m.constraints)) for m, count in system.components
    )
    slope, error = _slope(np.array(times), np.array(totals))
    unit = freedom * kt(temperature)
    return slope / unit, error / unit


def _slope(times: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Slope of a straight line through correlated values, and its standard error."""
    slope, offset = np.polyfit(times, values, 1)
    rest = values - slope * times - offset
    variance = float(rest @ rest) / max(len(rest) - 2, 1)
    inefficiency = 1.0
    for lag in range(1, len(rest) // 2):
        correlation = float(rest[:-lag] @ rest[lag:]) / max(float(rest @ rest), 1e-30)
        if correlation <= 0.0:
            break
        inefficiency += 2.0 * correlation
    spread = float(np.sum((times - times.mean()) ** 2))
    return float(slope), math.sqrt(inefficiency * variance / spread)


class _Watch:
    """Collects frames of the checked molecules."""

    def __init__(self, molecule: CGMolecule, copies: int, temperature: float) -> None:
        self.molecule, self.copies = molecule, copies
        self._kt = kt(temperature)
        self.frames: list[FloatArray] = []
        self.constraint_error = 0.0
        self._kinetic: list[float] = []
        self._masses = np.tile([bead.mass for bead in molecule.beads], copies)

    def __call__(self, simulation: Simulation) -> None:
        n = self.molecule.n_beads * self.copies
        x = np.array(simulation.positions[:n]).reshape(self.copies, self.molecule.n_beads, 3)
        self.frames.append(x)
        for constraint in self.molecule.constraints:
            i, j = constraint.atoms
            error = np.abs(np.linalg.norm(x[:, i] - x[:, j], axis=1) / constraint.length - 1.0).max()
            self.constraint_error = max(self.constraint_error, float(error))
        self._kinetic.append(float(0.5 * np.sum(self._masses[:, None] * simulation.velocities[:n] ** 2)))

    def _settled(self) -> list[FloatArray]:
        return self.frames[int(_SETTLING * len(self.frames)) :]

    def temperature(self) -> tuple[float, float]:
        """(mean, standard error) [K]; not a number before the first frame."""
        kinetic = self._kinetic[int(_SETTLING * len(self._kinetic)) :]
        if not kinetic:
            return math.nan, math.nan
        massive = sum(bead.mass > 0 for bead in self.molecule.beads)
        freedom = self.copies * (3 * massive - len(self.molecule.constraints))
        mean = 2.0 * float(np.mean(kinetic)) / (freedom * GAS_CONSTANT)
        independent = max(len(kinetic) / _CORRELATION_FRAMES, 1.0)
        return mean, mean * math.sqrt(2.0 / (freedom * independent))

    def terms(self) -> tuple[BondedCheck, ...]:
        """Every bonded coordinate of the frames so far."""
        frames = self._settled()
        if not frames:
            return ()
        x = np.concatenate(frames)
        m = self.molecule
        found = [_check("bond", b.atoms, b.length, self._expected(b), x) for b in m.bonds]
        found += [_check("constraint", c.atoms, c.length, c.length, x) for c in m.constraints]
        found += [_check("angle", a.atoms, a.angle, self._expected(a), x) for a in m.angles if a.function != 8]
        found += [_check("dihedral", d.atoms, d.angle, d.angle, x) for d in m.dihedrals if d.function == 2]
        return tuple(found)

    def _expected(self, term: Bond | Angle) -> float:
        """Mean [nm] or [degrees] of a bond or angle that feels nothing but its own term."""
        if isinstance(term, Bond):
            spread = math.sqrt(self._kt / term.force_constant)
            q = np.linspace(max(term.length - 6 * spread, 1e-4), term.length + 6 * spread, 1001)
            energy, volume = 0.5 * term.force_constant * (q - term.length) ** 2, q**2
        else:
            q = np.linspace(0.001, math.pi - 0.001, 2001)
            away = np.cos(q) - math.cos(math.radians(term.angle))
            if term.function == 1:
                away = q - math.radians(term.angle)
            elif term.function == 10:
                away = away / np.sin(q)
            energy, volume = 0.5 * term.force_constant * away**2, np.sin(q)
        p = volume * np.exp(-(energy - energy.min()) / self._kt)
        mean = float(p @ q / p.sum())
        return mean if isinstance(term, Bond) else math.degrees(mean)

    def complaint(self, temperature: float) -> str:
        """Why the run was not a stable one, or nothing."""
        if self.constraint_error > CONSTRAINT_TOLERANCE:
            return f"a constraint is off by {self.constraint_error:.1e}"
        mean, error = self.temperature()
        if abs(mean - temperature) > TEMPERATURE_TOLERANCE * temperature + 4 * error:
            return f"the molecules are at {mean:.0f} K in water of {temperature:.0f} K"
        x = np.concatenate(self.frames)
        for bond in self.molecule.bonds:
            longest = float(coordinate_values(x, bond.atoms).max())
            if longest > _LONGEST_STRETCH * bond.length + 0.1:
                return f"bond {bond.atoms[0] + 1}-{bond.atoms[1] + 1} stretched to {longest:.2f} nm"
        return ""


def _check(kind: str, atoms: tuple[int, ...], target: float, expected: float, x: FloatArray) -> BondedCheck:
    values = coordinate_values(x, atoms)
    if kind == "dihedral":
        mean = float(np.degrees(np.angle(np.mean(np.exp(1j * np.radians(values))))))
        sd = float(np.std((values - mean + 180.0) % 360.0 - 180.0))
    else:
        mean, sd = float(values.mean()), float(values.std())
    digits = 4 if kind in ("bond", "constraint") else 2
    return BondedCheck(
        kind=kind,
        atoms=atoms,
        target=target,
        expected=round(expected, digits),
        mean=round(mean, digits),
        sd=round(sd, digits),
    )
