"""The area per lipid of bilayers with the start table and with the new one: another property than any that is fitted.

A bilayer is built, run and averaged as ``topdown membrane`` does it, free of tension and in water without salt: what equilibrates
is left out, errors are from blocks or from the correlation time. Where no parameter of the bilayer has moved, the run with the
start table is that with the new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topdown.calibration.check_runs import Attempt, Recorder, attempt_runs, recorder_of
from topdown.calibration.failures import REPORT_ROUND, Progress
from topdown.calibration.parameters import FloatArray
from topdown.calibration.planned_checks import BilayerPlan
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SamplingError
from topdown.model.bead_table import BeadTable
from topdown.model.measurement import Estimate
from topdown.model.requests import BilayerRequest
from topdown.model.samples import WindowSamples
from topdown.properties.bilayer_runs import frames_of
from topdown.properties.measurements import MeasuredValue
from topdown.properties.membrane import analyse_membrane
from topdown.properties.membrane_steadiness import Steadiness, steadiness
from topdown.sampling.equilibrate import TIME_STEP

#: Rounds of these runs: after those of mixtures, with the start table and with the new one.
BILAYER_ROUND = REPORT_ROUND + 30
#: Steps between frames.
FRAME_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BilayerState:
    """A bilayer with one table.

    Attributes
    ----------
    area : Estimate
        Per lipid [nm²].
    thickness : Estimate
        D_HH [nm].
    left_out : float
        Part of the run that it took to equilibrate.
    steadiness : Steadiness
    problems : tuple of str
        What speaks against an intact bilayer.
    """

    area: Estimate
    thickness: Estimate
    left_out: float
    steadiness: Steadiness
    problems: tuple[str, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known to read the area."""
        seen = self.steadiness
        found = list(self.problems)
        if not seen.steady:
            drift = f", it drifts by {100 * seen.drift:+.1f} ± {100 * seen.drift_error:.1f} %"
            found.append(f"the area is not steady{drift if np.isfinite(seen.drift_error) else ''}")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilayerCheck:
    """The area per lipid of one bilayer, with the start table and with the new one.

    Attributes
    ----------
    lipid : str
    temperature : float
        [K]
    n_lipids : int
        In both leaflets together.
    nanoseconds : float
        Length of each run.
    measured : MeasuredValue
        [nm²]
    before, after : BilayerState or None
        None where there is no number, and ``reasons`` says why.
    same : bool
        Nothing that the bilayer is made of has moved, and both are one run.
    reasons : tuple of str
        What went wrong.
    runs : tuple of str
        Keys of the parts of the runs.
    """

    lipid: str
    temperature: float
    n_lipids: int
    nanoseconds: float
    measured: MeasuredValue
    before: BilayerState | None = None
    after: BilayerState | None = None
    same: bool = False
    reasons: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known to read the numbers."""
        found = [f"start table: {reason}" for reason in (self.before.remarks if self.before and not self.same else ())]
        found += self.after.remarks if self.after else ()
        if self.same:
            found.append("no ε or σ of this bilayer has moved")
        if self.measured.flag:
            found.append(f"measured value suspect: {self.measured.flag}")
        if self.measured.how != "measured":
            found.append(f"measured value {self.measured.how}")
        return (*self.reasons, *found)


def check_bilayers(
    problem: CalibrationProblem, pool: SamplePool, x: FloatArray, progress: Progress
) -> tuple[BilayerCheck, ...]:
    """Run, or find, the bilayers that the campaign asks to know about; what fails says why and stops nothing.

    Raises
    ------
    SettingsError
        A sampler that keeps no frames.
    """
    if not problem.bilayers:
        return ()
    recorder = recorder_of(pool, "bilayer")
    progress(f"running {len(problem.bilayers)} bilayers with the start table and with the new one")
    wanted: dict[str, tuple[BilayerPlan, BeadTable]] = {}
    for plan in problem.bilayers:
        start, new = (_table(problem, plan, point) for point in (problem.space.start(), x))
        wanted[_label(plan, "start")] = (plan, start)
        if not _same(start, new):
            wanted[_label(plan, "new")] = (plan, new)

    def ask(label: str, attempt: Attempt) -> tuple[BilayerRequest, ...]:
        plan, table = wanted[label]
        pool.spent += plan.bead_steps
        return plan.parts(table, attempt.seed, attempt.time_step)

    found, reasons = attempt_runs(pool, BILAYER_ROUND, list(wanted), ask)
    states: dict[str, BilayerState] = {}
    for label, runs in found.items():
        try:
            states[label] = _state([request for request, _ in runs], recorder)
        except SamplingError as error:
            reasons[label] = error.message
    return tuple(_check(plan, wanted, states, reasons, found) for plan in problem.bilayers)


def bilayer_ledger(
    plans: Sequence[BilayerPlan], checks: Sequence[BilayerCheck]
) -> tuple[tuple[str, int, int, int], ...]:
    """Each bilayer's runs that gave frames: their name, runs, frames and beads × steps."""
    found = []
    for plan, check in zip(plans, checks):
        n_runs = len(check.runs) // plan.n_parts
        frames = n_runs * (plan.n_steps // plan.request.every)
        found.append((plan.label, n_runs, frames, n_runs * plan.bead_steps))
    return tuple(row for row in found if row[1])


def _table(problem: CalibrationProblem, plan: BilayerPlan, x: FloatArray) -> BeadTable:
    types = {name for molecule in plan.request.molecules for name in molecule.type_names}
    return problem.table_at(types, x, plan.request.temperature)


def _label(plan: BilayerPlan, which: str) -> str:
    return f"{plan.label}, {which} table"


def _same(start: BeadTable, new: BeadTable) -> bool:
    return np.array_equal(start.epsilon, new.epsilon) and np.array_equal(start.sigma, new.sigma)


def _state(parts: Sequence[BilayerRequest], recorder: Recorder) -> BilayerState:
    """The averages over all parts of a run.

    Raises
    ------
    SamplingError
        It is no bilayer any more.
    """
    series, index = frames_of(parts[0], [recorder.record(part) for part in parts])
    seen = analyse_membrane(series, index)
    whole = float(series.time[-1] - series.time[0])
    return BilayerState(
        area=seen.area_per_lipid,
        thickness=seen.thickness,
        left_out=seen.equilibration_ps / whole,
        steadiness=steadiness(series.box[:, 0] * series.box[:, 1]),
        problems=seen.problems,
    )


def _check(
    plan: BilayerPlan,
    wanted: Collection[str],
    states: Mapping[str, BilayerState],
    reasons: Mapping[str, str],
    found: Mapping[str, Sequence[tuple[BilayerRequest, WindowSamples]]],
) -> BilayerCheck:
    labels = [_label(plan, which) for which in ("start", "new")]
    same = labels[1] not in wanted
    return BilayerCheck(
        lipid=plan.lipid,
        temperature=plan.request.temperature,
        n_lipids=plan.request.n_lipids,
        nanoseconds=plan.n_steps * TIME_STEP / 1000.0,
        measured=plan.measured,
        before=states.get(labels[0]),
        after=states.get(labels[0 if same else 1]),
        same=same,
        reasons=tuple(f"{label.rpartition(', ')[2]}: {reasons[label]}" for label in labels if label in reasons),
        runs=tuple(run.key for label in labels for _, run in found.get(label, ())),
    )
