"""The part of a campaign of classes that fits pairs of classes to pure liquids.

Rounds: simulate the liquids with the table as it is, step (:mod:`topdown.calibration.class_liquids`), repeat; the table of the
round with the least cost is kept, or where the campaign says so that of the last step. What every round gave is kept beside
the campaign file, so that a fresh clone repeats the fit without a run as long as the table it starts from is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.calibration.class_campaign import LiquidStage
from topdown.calibration.class_liquids import (
    ALARM_STEP,
    FactorSpace,
    LiquidStep,
    LiquidValue,
    Quantity,
    alarm_value,
    density_value,
    next_factors,
    tension_value,
)
from topdown.calibration.class_table import PairFactors
from topdown.errors import InputFileError, PhaseChangeError, SimulationError, TopdownError
from topdown.mapping import map_molecule
from topdown.model import BeadTable, Measurement
from topdown.model._arrays import FloatArray
from topdown.properties.averages import series_estimate, stationary_start
from topdown.properties.density import box_mass, liquid_request
from topdown.properties.measurements import load_measurements
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import Phase, pure_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.shapes import MOST_BEADS
from topdown.properties.surface_tension import slab_request, tension_of_frames
from topdown.resources import atomic_write_text
from topdown.sampling.executors import run_tasks
from topdown.tables.writer import csv_text
from topdown.units import U_NM3_TO_KG_M3
from topdown.workflows.liquid_runs import LiquidRuns, RunKey
from topdown.workflows.start_files import read_start

ROUNDS_FILE: Final = "liquid_rounds.json"
FACTORS_FILE: Final = "liquid_factors.csv"
VALUES_FILE: Final = "liquids.csv"
FACTOR_COLUMNS: Final = ("class or sizes", "ln sigma", "sd of ln sigma", "ln epsilon", "sd of ln epsilon")
_TEMPERATURE: Final = 298.15
_DIGITS: Final = 5

Progress = Callable[[str], None]
Measured = Mapping[tuple[str, Quantity], tuple[float, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidFit:
    """What the rounds came to.

    Attributes
    ----------
    factors : PairFactors
    x : (2 n_half,) float64
        The same as a vector (:class:`topdown.calibration.class_liquids.FactorSpace`).
    labels : tuple of str
        Of either half of it.
    step : LiquidStep
        Taken from the best round, or the last: posterior errors, and its cost.
    values : tuple of LiquidValue
        Of that round.
    costs : tuple of float
        Of every round.
    measured : mapping of (smiles, quantity) to (value, uncertainty)
        What the values were fitted to.
    """

    factors: PairFactors
    x: FloatArray
    labels: tuple[str, ...]
    step: LiquidStep
    values: tuple[LiquidValue, ...]
    costs: tuple[float, ...]
    measured: Measured


def measured_liquids() -> dict[tuple[str, Quantity], tuple[float, float]]:
    """Calibration rows of densities and surface tensions at 298.15 K."""
    quantities: tuple[Quantity, ...] = ("density", "surface_tension")
    found: dict[tuple[str, Quantity], tuple[float, float]] = {}
    for quantity in quantities:
        for row in load_measurements(quantity):
            if _wanted(row):
                found[row.canonical_smiles, quantity] = (row.value, row.uncertainty)
    return found


def _wanted(row: Measurement) -> bool:
    at = row.temperature is not None and abs(row.temperature - _TEMPERATURE) < 0.01
    return at and row.split == "calibration" and row.canonical_smiles != "O"


def choose_liquids(phases: Mapping[str, Phase], table: BeadTable, count: int) -> list[str]:
    """Liquids that between them hold every class as evenly as may be: again and again the one whose classes were seen least.

    Parameters
    ----------
    phases : mapping of SMILES to Phase
    table : BeadTable
    count : int
        The first of a longer list are the shorter list.
    """
    classes = {s: {table.bead_type(name).chemical_class for name in phase.type_names()} for s, phase in phases.items()}
    seen: Counter[str] = Counter()
    chosen: list[str] = []
    left = sorted(phases)
    while left and len(chosen) < count:
        best = min(left, key=lambda s: (sum(seen[c] for c in classes[s]) / len(classes[s]), s))
        left.remove(best)
        chosen.append(best)
        seen.update(classes[best])
    return chosen


def liquid_phases(smiles: Sequence[str], table: BeadTable, space: FactorSpace) -> dict[str, Phase]:
    """The liquids that are made of classes alone, mapped with the table."""
    found = {}
    for one in smiles:
        try:
            molecule = map_molecule(one, table, name=one, seed=1)
        except TopdownError:
            continue
        types = set(molecule.type_names)
        if molecule.n_beads <= MOST_BEADS and all(space.knows((name, name)) for name in types):
            origin = f"mapped: {' '.join(molecule.type_names)}"
            found[one] = pure_phase(one, MoleculeModel(molecule=molecule, origin=origin))
    return found


def fit_liquids(
    stage: LiquidStage,
    names: Sequence[str],
    places: FloatArray,
    mapping: BeadTable,
    table_with: Callable[[PairFactors], BeadTable],
    folder: Path,
    *,
    store: Path | None,
    workers: int,
    progress: Progress,
) -> LiquidFit:
    """All rounds.

    Parameters
    ----------
    stage : LiquidStage
    names : sequence of str
        Of the classes.
    places : (K, V) float64
        Of the classes.
    mapping : BeadTable
        The table as written to a folder, for mapping.
    table_with : callable
        The table with given factors.
    folder : Path
        Of the campaign, where the rounds are kept.
    store : Path, optional
    workers : int
    progress : callable
    """
    space = FactorSpace(names, mapping, places, stage.prior)
    measured = measured_liquids()
    phases = liquid_phases(sorted({s for s, _ in measured}), mapping, space)
    wanted = wanted_values(stage, phases, mapping, measured)
    rounds = LiquidRuns(folder / ROUNDS_FILE)
    x = read_start(folder / stage.start, space) if stage.start else np.zeros(2 * space.n_half)
    best: tuple[LiquidStep, FloatArray, tuple[LiquidValue, ...]] | None = None
    costs = []
    for number in range(stage.rounds):
        table = table_with(space.factors(x))
        tasks = [
            _Task(
                quantity=quantity, phase=phases[s], table=table.subset(phases[s].type_names()), stage=stage, store=store
            )
            for s, quantity in wanted
        ]
        values = _evaluate(tasks, rounds, workers, partial(_say, progress, f"liquids, round {number + 1}: "))
        step = next_factors(space, x, values, measured, table, _TEMPERATURE, stage.model_error)
        costs.append(step.cost)
        progress(f"liquids, round {number + 1}: {round_text(values, measured)}, cost {step.cost:.1f}")
        if best is None or step.cost < best[0].cost:
            best = (step, x, tuple(values))
        x = np.round(step.x, _DIGITS)
    assert best is not None
    if stage.last_step:
        best = (step, x, tuple(values))
    return LiquidFit(
        factors=space.factors(best[1]),
        x=best[1],
        labels=space.labels,
        step=best[0],
        values=best[2],
        costs=tuple(costs),
        measured=measured,
    )


def wanted_values(
    stage: LiquidStage, phases: Mapping[str, Phase], table: BeadTable, measured: Measured
) -> list[tuple[str, Quantity]]:
    """What a round simulates: of the liquids in the order chosen the first with each property, and both of those always wanted.

    Raises
    ------
    InputFileError
        One that is always wanted has not both measured, or is not made of classes.
    """
    counts: dict[Quantity, int] = {"density": stage.densities, "surface_tension": stage.tensions}
    for smiles in stage.always:
        if smiles not in phases or any((smiles, quantity) not in measured for quantity in counts):
            raise InputFileError(
                f"liquids.always: {smiles!r} cannot be fitted",
                hint="canonical SMILES of a liquid of classes that has calibration rows of density and surface tension",
            )
    ordered = choose_liquids(phases, table, len(phases))
    wanted = []
    for quantity, count in counts.items():
        known = [smiles for smiles in ordered if (smiles, quantity) in measured]
        wanted += [(smiles, quantity) for smiles in dict.fromkeys([*known[:count], *stage.always])]
    return wanted


def _say(progress: Progress, head: str, text: str) -> None:
    progress(head + text)


def round_text(values: Sequence[LiquidValue], measured: Measured) -> str:
    """Mean errors of one round, in words."""
    texts = []
    named: tuple[tuple[Quantity, str], ...] = (("density", "density"), ("surface_tension", "surface tension"))
    for quantity, name in named:
        off = 100.0 * _relative_errors(values, measured, quantity)
        if len(off):
            texts.append(f"{name} {np.abs(off).mean():.1f} % off ({len(off)} liquids, mean {off.mean():+.1f} %)")
    lost = Counter(value.alarm for value in values if value.alarm)
    return ", ".join([*texts, *(f"{n} {kind}" for kind, n in sorted(lost.items()))])


def liquid_report(fit: LiquidFit) -> dict[str, Any]:
    """Costs of the rounds and mean errors of the best, as JSON."""
    found: dict[str, Any] = {"costs": [round(cost, 2) for cost in fit.costs]}
    quantities: tuple[Quantity, ...] = ("density", "surface_tension")
    for quantity in quantities:
        off = _relative_errors(fit.values, fit.measured, quantity)
        found[quantity] = {
            "n": len(off),
            "mean_absolute_percent": round(100 * float(np.abs(off).mean()), 2) if len(off) else None,
            "alarms": sum(bool(value.alarm) for value in fit.values if value.quantity == quantity),
        }
    return found


def _relative_errors(values: Sequence[LiquidValue], measured: Measured, quantity: Quantity) -> FloatArray:
    return np.array(
        [
            value.value / measured[value.smiles, quantity][0] - 1.0
            for value in values
            if value.quantity == quantity and not value.alarm
        ]
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """One property of one liquid with one table."""

    quantity: Quantity
    phase: Phase
    table: BeadTable
    stage: LiquidStage
    store: Path | None

    def key(self) -> RunKey:
        """What the result depends on."""
        molecule = self.phase.components[0].molecule
        upper = np.triu_indices(len(self.table.epsilon))
        return RunKey(
            quantity=self.quantity,
            smiles=molecule.canonical_smiles,
            types=molecule.type_names,
            steps=self.stage.steps,
            seed=self.stage.seed,
            epsilon=tuple(round(float(x), 4) for x in self.table.epsilon[upper]),
            sigma=tuple(round(float(x), 5) for x in self.table.sigma[upper]),
        )


def _measure(task: _Task) -> LiquidValue | None:
    """Run one liquid; None when it gave nothing to learn from."""
    smiles, at = task.phase.name, {"temperature": _TEMPERATURE, "pressure": 1.0, "seed": task.stage.seed}
    sampler = EngineSampler(task.store, workers=1)
    try:
        if task.quantity == "density":
            request = replace(liquid_request(task.phase, task.table, run=0, part=0, **at), n_steps=task.stage.steps)  # type: ignore[arg-type]
            samples = sampler.sample([request])[0]
            if samples.alarm:
                return _alarmed(task, samples.alarm_kind)
            series = box_mass(request.components) * U_NM3_TO_KG_M3 / samples.sums.volume
            start = stationary_start(series)
            kept = replace(samples, sums=samples.sums.frames(slice(start, None)))
            return density_value(smiles, kept, series_estimate(series[start:]))
        slab = replace(slab_request(task.phase, task.table, run=0, part=0, **at), n_steps=2 * task.stage.steps)  # type: ignore[arg-type]
        samples = sampler.sample([slab])[0]
        if samples.alarm:
            return _alarmed(task, samples.alarm_kind)
        return tension_value(
            smiles, samples, series_estimate(tension_of_frames(samples.sums, np.array(samples.epsilon), slab.width**2))
        )
    except PhaseChangeError as error:
        return _alarmed(task, error.kind)
    except SimulationError:
        return None


def _alarmed(task: _Task, kind: str) -> LiquidValue | None:
    """What an alarm teaches; nothing where it does not say whether the beads attract each other too much or too little."""
    if kind not in ALARM_STEP:
        return None
    names = Counter(task.phase.components[0].molecule.type_names)
    pairs = [(a, b) for a in sorted(names) for b in sorted(names) if a <= b]
    shares = np.array([names[a] * names[b] * (1.0 if a == b else 2.0) for a, b in pairs])
    return alarm_value(task.phase.name, task.quantity, kind, pairs, [float(s) for s in shares / shares.sum()])


def _evaluate(tasks: Sequence[_Task], rounds: LiquidRuns, workers: int, progress: Progress) -> list[LiquidValue]:
    keys = [task.key() for task in tasks]
    missing = [k for k, key in enumerate(keys) if key not in rounds]
    for done, (index, value) in enumerate(run_tasks(_measure, [tasks[k] for k in missing], workers=workers), start=1):
        rounds.add(keys[missing[index]], value)
        if done % 10 == 0 or done == len(missing):
            rounds.save()
            progress(f"{done} of {len(missing)} runs")
    return [value for key in keys if (value := rounds[key]) is not None]


def write_liquid_files(fit: LiquidFit, out: Path) -> None:
    """Factors with posterior standard deviations, and every liquid of the best round."""
    numbers = np.stack([fit.x, fit.step.errors]).reshape(2, 2, -1)  # values and errors, of ln σ and of ln ε
    rows = [
        [label, *(f"{numbers[of, half, k]:.4f}" for half in (0, 1) for of in (0, 1))]
        for k, label in enumerate(fit.labels)
    ]
    atomic_write_text(out / FACTORS_FILE, csv_text(FACTOR_COLUMNS, rows))
    lines = [
        [
            v.smiles,
            v.quantity,
            f"{fit.measured[v.smiles, v.quantity][0]:.2f}",
            "" if v.alarm else f"{v.value:.2f}",
            "" if v.alarm else f"{v.error:.2f}",
            v.alarm,
        ]
        for v in fit.values
    ]
    atomic_write_text(
        out / VALUES_FILE, csv_text(["canonical_smiles", "quantity", "measured", "calculated", "error", "alarm"], lines)
    )
