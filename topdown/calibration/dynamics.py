"""How fast the molecules of the calibrated liquids move, and how much faster than real ones.

Beads that stand for several atoms glide over a smoother landscape, so that their liquids diffuse faster than real ones, each by
its own factor. A campaign measures it for the liquids it is asked about, with the new table, and reports

    D_model/D_measured,

D_model being corrected for the size of the box (:mod:`topdown.properties.diffusion`). No time is divided by it anywhere.

A model that stands for n molecules is not one of them: the centre of n molecules that move independently diffuses n times more
slowly than each, so that n D_model/D_measured compares the bead with such a group. Both are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from topdown.calibration.check_runs import Attempt, attempt_runs, recorder_of
from topdown.calibration.failures import REPORT_ROUND, Progress
from topdown.calibration.planned_checks import DiffusionPlan
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SamplingError
from topdown.model._arrays import FloatArray
from topdown.model.measurement import Estimate
from topdown.model.requests import DiffusionRequest
from topdown.properties.diffusion import DiffusionResult, Trajectory, green_kubo_viscosity, self_diffusion
from topdown.properties.diffusion_runs import motion_of
from topdown.properties.measurements import MeasuredValue

#: Round of these runs: after the last for the comparison of targets.
DIFFUSION_ROUND = REPORT_ROUND + 10
#: Steps between frames of the molecules, and between samples of the stress.
FRAME_EVERY, STRESS_EVERY = 100, 10
#: Parts of a run: the slope of the square displacement is taken between the first two, the viscosity integrated to the third.
FIRST_LAG, LAST_LAG, LONGEST_CORRELATION = 1 / 100, 1 / 25, 1 / 200
#: Below this exponent of the square displacement the molecules have not left their cages.
LEAST_EXPONENT = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionCheck:
    """Self-diffusion of one liquid with the new table [10⁻⁹ m²/s].

    Attributes
    ----------
    liquid : str
    temperature : float
        [K]
    n_real : int
        Molecules that one of the model stands for.
    in_box, infinite : Estimate or None
        As simulated, and corrected for the size of the box; None where there is no number, and ``reason`` says why.
    viscosity : Estimate or None
        Of the model [mPa s].
    edge : float
        Of the box [nm].
    exponent : float
        Of the square displacement: 1 for diffusion.
    measured : MeasuredValue or None
    reason : str
        Why there is no number, or what is wrong with it.
    run : str
        Key of the run.
    """

    liquid: str
    temperature: float
    n_real: int
    in_box: Estimate | None = None
    infinite: Estimate | None = None
    viscosity: Estimate | None = None
    edge: float = 0.0
    exponent: float = 0.0
    measured: MeasuredValue | None = None
    reason: str = ""
    run: str = ""

    @property
    def speed_up(self) -> Estimate | None:
        """D_model/D_measured, with the errors of both; None without either."""
        if self.infinite is None or self.measured is None:
            return None
        measured = self.measured
        ratio = self.infinite.value / measured.value
        relative = math.hypot(self.infinite.standard_error / self.infinite.value, measured.uncertainty / measured.value)
        return Estimate(
            value=ratio,
            standard_error=abs(ratio) * relative,
            n_effective=self.infinite.n_effective,
            provenance="simulated over measured self-diffusion",
        )

    @property
    def group_speed_up(self) -> Estimate | None:
        """n D_model/D_measured of a model that stands for n > 1 molecules: against the centre of n independent ones."""
        found = self.speed_up
        if found is None or self.n_real < 2:
            return None
        return replace(
            found,
            value=self.n_real * found.value,
            standard_error=self.n_real * found.standard_error,
            provenance=f"centre of {self.n_real} molecules that move independently",
        )


def diffusion_request(
    problem: CalibrationProblem, plan: DiffusionPlan, x: FloatArray, attempt: Attempt
) -> DiffusionRequest:
    """The run of one check at the parameters ``x``."""
    return DiffusionRequest(
        molecule=plan.molecule,
        n_molecules=plan.n_molecules,
        table=problem.table_at(set(plan.molecule.type_names), x, plan.temperature),
        temperature=plan.temperature,
        pressure=problem.pressure,
        n_equilibration=problem.sampling.n_equilibration,
        n_steps=plan.n_steps,
        every=FRAME_EVERY,
        stress_every=0 if plan.viscosity is not None else STRESS_EVERY,
        seed=attempt.seed,
        time_step=attempt.time_step,
    )


def check_diffusion(
    problem: CalibrationProblem, pool: SamplePool, x: FloatArray, progress: Progress
) -> tuple[DiffusionCheck, ...]:
    """Run, or find, what the campaign asks to know about self-diffusion; what cannot be measured says why and stops nothing.

    Raises
    ------
    SettingsError
        A sampler that keeps no paths.
    """
    if not problem.diffusion:
        return ()
    recorder = recorder_of(pool, "diffusion")
    progress(f"following the molecules of {len(problem.diffusion)} liquids")
    plans = {plan.label: plan for plan in problem.diffusion}

    def ask(label: str, attempt: Attempt) -> tuple[DiffusionRequest]:
        pool.spent += plans[label].bead_steps(problem.sampling.n_equilibration)
        return (diffusion_request(problem, plans[label], x, attempt),)

    found, reasons = attempt_runs(pool, DIFFUSION_ROUND, list(plans), ask)
    checks = []
    for label, plan in plans.items():
        if label in reasons:
            checks.append(replace(_blank(plan), reason=reasons[label]))
            continue
        ((request, run),) = found[label]
        checks.append(replace(_measured(plan, motion_of(request, recorder.record(request))), run=run.key))
    return tuple(checks)


def diffusion_ledger(
    problem: CalibrationProblem, checks: Sequence[DiffusionCheck]
) -> tuple[tuple[str, int, int, int], ...]:
    """Each run that gave a number: its name, runs, frames and beads × steps."""
    return tuple(
        (plan.label, 1, plan.n_steps // FRAME_EVERY, plan.bead_steps(problem.sampling.n_equilibration))
        for plan, check in zip(problem.diffusion, checks)
        if check.run
    )


def _blank(plan: DiffusionPlan) -> DiffusionCheck:
    return DiffusionCheck(
        liquid=plan.liquid,
        temperature=plan.temperature,
        n_real=plan.n_real,
        measured=plan.measured,
    )


def _measured(plan: DiffusionPlan, motion: Trajectory) -> DiffusionCheck:
    """D, corrected where the model's viscosity is known or comes out of its run."""
    total = len(motion.centers) * motion.interval
    viscosity, reasons = _viscosity(plan, motion, total * LONGEST_CORRELATION)
    lags = (total * FIRST_LAG, total * LAST_LAG)
    try:
        result: DiffusionResult = self_diffusion(
            motion,
            lags=lags,
            viscosity=viscosity.value if viscosity else None,
            viscosity_error=viscosity.standard_error if viscosity else 0.0,
        )
    except SamplingError as error:
        return replace(_blank(plan), viscosity=viscosity, reason=error.message)
    if result.exponent < LEAST_EXPONENT:
        reasons = (
            *reasons,
            f"not yet diffusive: the square displacement grows as t^{result.exponent:.2f} up to {lags[1]:g} ps; "
            "raise checks.diffusion_steps",
        )
    return replace(
        _blank(plan),
        in_box=result.in_box,
        infinite=result.infinite,
        viscosity=viscosity,
        edge=result.edge,
        exponent=result.exponent,
        reason="; ".join(reasons),
    )


def _viscosity(plan: DiffusionPlan, motion: Trajectory, longest: float) -> tuple[Estimate | None, Sequence[str]]:
    """Given, or that of Green and Kubo; None, and why, where the run is too short for a number above its error."""
    if plan.viscosity is not None:
        return Estimate(
            value=plan.viscosity, standard_error=0.0, n_effective=0.0, provenance="given in the campaign"
        ), ()
    try:
        found = green_kubo_viscosity(motion, longest=longest)
    except SamplingError as error:
        return None, (f"not corrected for the box: {error.message}",)
    if found.value <= 2.0 * found.standard_error:
        return None, (
            f"not corrected for the box: the viscosity {found.value:.2g} ± {found.standard_error:.2g} mPa s is not known; "
            "raise checks.diffusion_steps",
        )
    return found, ()
