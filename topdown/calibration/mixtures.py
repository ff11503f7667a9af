"""Whether the cross terms of a calibrated matrix mix liquids as nature does: γ∞ and solubilities, with both tables.

Each pair of liquids takes two solutes' paths, of A in A and of A in B, which are sampled like those of targets, at the end and
beyond the budget. They are pooled with what there is of them: a campaign that has A in B among its targets pays for A in A only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from topdown.calibration.failures import REPORT_ROUND, Progress, report_failures
from topdown.calibration.parameters import FloatArray
from topdown.calibration.planned_checks import MixturePlan
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SamplingError
from topdown.estimators.reweighting import ReweightedValue
from topdown.model.measurement import Estimate
from topdown.properties.measurements import MeasuredValue
from topdown.properties.mixing import LEAST_GAMMA, Mixing, mixing

#: Rounds of these runs: after those for the comparison of targets.
MIXTURE_ROUND = REPORT_ROUND + 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureCheck:
    """A liquid in another, with the start table and with the new one.

    Attributes
    ----------
    solute, solvent : str
    temperature : float
        [K]
    n_real : int
        Molecules that one of the solute's model stands for; γ∞ has no meaning for more than one.
    before, after : Mixing or None
        None where samples give no number, and ``reason`` says why.
    measured : MeasuredValue or None
        log10 of the saturated concentration [mol/l].
    reason : str
    """

    solute: str
    solvent: str
    temperature: float
    n_real: int
    before: Mixing | None = None
    after: Mixing | None = None
    measured: MeasuredValue | None = None
    reason: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known to read the numbers."""
        found = [self.reason] if self.reason else []
        if self.after is not None and not self.after.is_dilute:
            found.append(f"γ∞ below {LEAST_GAMMA:g}: no solubility, the liquids mix in all or large parts")
        if self.n_real > 1:
            found.append(f"{self.solute} dissolves in groups of {self.n_real}: no γ∞")
        if self.measured is not None and self.measured.flag:
            found.append(f"measured value suspect: {self.measured.flag}")
        return tuple(found)


def check_mixtures(
    problem: CalibrationProblem, samples: SamplePool, x: FloatArray, progress: Progress
) -> tuple[MixtureCheck, ...]:
    """Sample what the campaign's pairs of liquids need and do not have, and calculate them; what fails says why and stops
    nothing."""
    if not problem.mixtures:
        return ()
    progress(f"mixing {len(problem.mixtures)} pairs of liquids")
    systems = tuple(dict.fromkeys(s for plan in problem.mixtures for s in plan.systems))
    start, least = problem.space.start(), problem.optimizer.ess_threshold
    missing = [s for s in systems if s not in samples.runs]
    report_failures(samples.sample(missing, x, MIXTURE_ROUND), progress)
    for offset, point in enumerate((start, x), start=1):
        left = samples.effective_samples([s for s in systems if s in samples.runs], point)
        stale = [s for s in left if left[s] < least]
        report_failures(samples.sample(stale, point, MIXTURE_ROUND + offset, judged=point is x), progress)
    return tuple(_check(problem, samples, plan, x) for plan in problem.mixtures)


def _check(problem: CalibrationProblem, samples: SamplePool, plan: MixturePlan, x: FloatArray) -> MixtureCheck:
    found: list[Mixing | None] = []
    reasons: list[str] = []
    for point in (problem.space.start(), x):
        try:
            found.append(_mixing_at(problem, samples, plan, point))
        except SamplingError as error:
            found.append(None)
            reasons.append(f"{error.where}: {error.message}" if error.where else error.message)
    return MixtureCheck(
        solute=plan.solute,
        solvent=plan.solvent,
        temperature=plan.temperature,
        n_real=plan.n_real,
        before=found[0],
        after=found[1],
        measured=plan.measured,
        reason="; ".join(dict.fromkeys(reasons)),
    )


def _mixing_at(problem: CalibrationProblem, samples: SamplePool, plan: MixturePlan, point: FloatArray) -> Mixing:
    """γ∞ and solubility at some parameters; volumes of the pure liquids are those of their boxes while A is decoupled."""
    lost = [s for s in plan.systems if s not in samples.runs]
    if lost:
        raise SamplingError("every window failed", where=lost[0])
    pools = samples.pool(plan.systems)
    theta = problem.space.coefficients(point, plan.temperature)
    least = problem.optimizer.ess_threshold

    def each(function: Callable[[str], ReweightedValue]) -> list[Estimate]:
        return [
            Estimate(value=v.value, standard_error=v.standard_error, n_effective=v.n_effective)
            for v in map(function, plan.systems)
        ]

    pure, mixed = each(lambda s: pools[s].coupling_free_energy(theta, min_effective=least))
    volumes = each(lambda s: pools[s].average(lambda sums: sums.volume, theta, lambda_index=0, min_effective=least))
    of_a, of_b = [
        Estimate(value=v.value / n, standard_error=v.standard_error / n, n_effective=v.n_effective)
        for v, n in zip(volumes, plan.real_molecules)
    ]
    return mixing(pure, mixed, of_a, of_b, plan.temperature)
