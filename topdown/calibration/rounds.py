"""The loop of a calibration: simulate, pool, fit by reweighting as far as the samples reach, simulate again there.

One round
1. samples the systems that need it at the current ε (the sampler finds old runs by their hash),
2. pools them with every earlier run and solves MBAR for each system,
3. fits parameters and model errors by reweighting alone, inside the region where every calibration phase keeps enough
   effective samples,
4. names the systems that are *stale* at the new ε: those whose effective samples have fallen below half of what they
   are at the ε just simulated.
The fit is at its end when the step was not cut back and nothing is stale. What is left of a budget then goes to the runs that
lower the posterior variance most for their cost (:mod:`topdown.calibration.allocation`). Held-out targets take no part in any
of this: they are sampled at the end, and compared before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.calibration.allocation import Offer, choose_runs, md_share
from topdown.calibration.failures import Progress, report_failures, report_losses
from topdown.calibration.fit import Fit, cost_parts, fit_targets, left_out_residuals
from topdown.calibration.journal import Journal
from topdown.calibration.outcome import conclude
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import CalibrationResult, RoundRecord
from topdown.calibration.sample_pool import SamplePool
from topdown.calibration.sampler import Sampler
from topdown.errors import InputFileError, SamplingError, SimulationError

FloatArray = npt.NDArray[np.float64]

#: A system is sampled again when a step leaves it less than this part of its effective samples.
STALE_FRACTION = 0.5


def run_calibration(
    problem: CalibrationProblem, sampler: Sampler, journal: Journal, *, progress: Progress = lambda _: None
) -> CalibrationResult:
    """Run a campaign to its end, or on from where the journal stops.

    Parameters
    ----------
    problem : CalibrationProblem
        What to fit to what.
    sampler : Sampler
        Runs simulations.
    journal : Journal
        Opened for this problem's digest.
    progress : function of str
        Told one line about each step.

    Raises
    ------
    SamplingError
        Runs too short to support any step, or too little overlap along λ.
    SimulationError
        A run failed.
    InputFileError
        The journal does not fit.
    """
    samples = SamplePool(problem, sampler, journal)
    records = _run_rounds(problem, samples, journal, progress)
    problem, _ = problem.losing(dict(records[-1].lost))
    last = records[-1]
    if last.ended != "converged":
        more = "max_rounds or the number of steps" if last.ended == "rounds" else "budget.bead_steps"
        progress(f"not converged after {len(records)} rounds: raise {more}")
    progress("comparing before and after, held-out targets too, and fitting with molecules left out")
    result = conclude(problem, samples, records, progress=progress)
    journal.append_once(
        {"event": "finish", "x": list(last.x_proposal), "converged": last.converged, "ended": last.ended}
    )
    return result


def _run_rounds(
    problem: CalibrationProblem, samples: SamplePool, journal: Journal, progress: Progress
) -> list[RoundRecord]:
    space = problem.space
    x = space.start()
    recorded = journal.rounds()
    records: list[RoundRecord] = []
    lost: dict[str, str] = {}
    needed = problem.systems_of("calibration")
    while True:
        index = len(records)
        progress(f"round {index + 1}: simulating {len(needed)} systems at {_point(problem, x)}")
        journal.append_once(
            {
                "event": "sample",
                "round": index,
                "systems": list(needed),
                "windows": sum(problem.n_windows(s) for s in needed),
                "bead_steps": problem.bead_steps(needed),
            }
        )
        report_failures(samples.sample(needed, x, index), progress)
        if index < len(recorded):
            record = _recorded(recorded[index], x, index, journal)
            problem, _ = problem.losing(dict(record.lost))
        else:
            lost |= samples.unusable([s for s in problem.systems_of("calibration") if s not in lost], x)
            problem, gone = problem.losing(lost)
            report_losses(gone, lost, progress)
            if not problem.targets_of("calibration"):
                raise SimulationError(
                    "the runs of every calibration target failed: " + next(iter(lost.values())),
                    where=next(iter(lost)),
                )
            record = replace(_fit_round(problem, samples, x, needed, index), lost=tuple(lost.items()))
            journal.append({"event": "round", "round": index, **asdict(record)})
        records.append(record)
        lost = dict(record.lost)
        progress(_summary(record, index))
        if not record.next_systems:
            return records
        x, needed = np.array(record.x_proposal), record.next_systems


def _point(problem: CalibrationProblem, x: FloatArray) -> str:
    """The ε of a few parameters, or how far many have moved."""
    theta, start = problem.space.theta(x), problem.space.start_theta()
    sizes = "".join(f", {p.label} {np.exp(y):.4f}" for p, y in zip(problem.space.sizes, x[-len(problem.space.sizes) :]))
    if len(theta) <= 6:
        return ", ".join(f"{'-'.join(pair)} {value:.4f}" for pair, value in theta.items()) + sizes
    changes = {pair: theta[pair] / start[pair] - 1.0 for pair in theta}
    most = max(changes, key=lambda p: abs(changes[p]))
    return f"{len(theta)} ε, {'-'.join(most)} moved most, by {100 * changes[most]:+.1f} %{sizes}"


def _summary(record: RoundRecord, index: int) -> str:
    reason = "cut back by the trust region" if record.limited else "free"
    parts = " + ".join(f"{name} {value:.2f}" for name, value in record.cost_parts)
    after = {"converged": "done", "budget": "the budget is spent", "rounds": "no rounds are left"}
    then = after.get(record.ended, f"{len(record.next_systems)} systems to simulate again")
    return (
        f"round {index + 1}: cost {record.cost_before:.3f} to {record.cost_after:.3f} = {parts}; residuals "
        f"{record.residual:.2f} σ, of molecules left out {record.residual_left_out:.2f} σ; step {reason}, {then}"
    )


def _recorded(event: Mapping[str, Any], x: FloatArray, index: int, journal: Journal) -> RoundRecord:
    """A round as the journal has it; it must have started where this one does."""
    kinds: dict[str, Callable[[Any], Any]] = {
        "cost_before": float,
        "cost_after": float,
        "residual": float,
        "residual_left_out": float,
        "md_share": float,
        "limited": bool,
        "spent": int,
        "ended": str,
    }
    pairs = {"cost_parts": float, "model_errors": float, "n_effective": float, "lost": str}
    try:
        values: dict[str, Any] = {}
        for item in fields(RoundRecord):
            value = event[item.name] if item.default is MISSING else event.get(item.name, item.default)
            if item.name in pairs:
                values[item.name] = tuple((str(name), pairs[item.name](what)) for name, what in value)
            else:
                values[item.name] = kinds.get(item.name, tuple)(value)
        record = RoundRecord(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"round {index + 1} is damaged: {error}", where=str(journal.path), hint="choose another -o"
        ) from None
    if record.x != tuple(x):
        raise InputFileError(
            f"round {index + 1} did not start at the ε reached before it",
            where=str(journal.path),
            hint="choose another -o",
        )
    return record


def _fit_round(
    problem: CalibrationProblem, samples: SamplePool, x: FloatArray, sampled: Sequence[str], index: int
) -> RoundRecord:
    """Move to the minimum of the cost, as far as the samples of this and earlier rounds reach."""
    space, least = problem.space, problem.optimizer.ess_threshold
    systems, targets = problem.systems_of("calibration"), problem.targets_of("calibration")
    fresh = samples.effective_samples(systems, x)
    worst = min(fresh, key=lambda s: fresh[s])
    if fresh[worst] < least:  # with failed windows it would be among the lost
        raise SamplingError(
            f"only {fresh[worst]:.1f} effective samples at the ε just simulated, {least:g} are needed",
            where=worst,
            hint="raise sampling.steps, or lower optimizer.ess_threshold",
        )
    fit = fit_targets(
        space,
        targets,
        samples.pool(systems),
        x,
        samples.trusted(systems),
        problem.cost,
        tolerance=problem.optimizer.tolerance,
    )
    left = samples.effective_samples(systems, fit.x)
    stale = tuple(system for system in systems if left[system] < STALE_FRACTION * fresh[system])
    needed, ended = _next(problem, samples, fit, stale, fresh, left, index)
    parts = cost_parts(space, targets, fit.values, fit.errors, fit.x)
    residual, left_out = _residuals(problem, fit)
    return RoundRecord(
        x=tuple(float(v) for v in x),
        x_proposal=tuple(float(v) for v in fit.x),
        theta=tuple(space.theta(x).values()),
        proposal=tuple(space.theta(fit.x).values()),
        sampled=tuple(sampled),
        cost_before=sum(cost_parts(space, targets, fit.start_values, fit.errors, x).values()),
        cost_after=sum(parts.values()),
        cost_parts=tuple(parts.items()),
        residual=residual,
        residual_left_out=left_out,
        model_errors=tuple(sorted(fit.errors.learnt.items())),
        n_effective=tuple(left.items()),
        limited=fit.limited,
        stale=stale,
        spent=samples.spent,
        md_share=md_share(space, fit.values, fit.errors),
        next_systems=needed,
        ended=ended,
    )


def _residuals(problem: CalibrationProblem, fit: Fit) -> tuple[float, float]:
    """Root mean squares, in total errors, of the fit's residuals and of those of molecules left out of it."""
    whitener = fit.errors.whitener(weighted=False)
    left_out = left_out_residuals(problem.space, fit.values, fit.errors)
    here, out = (float(np.sqrt(np.mean((whitener @ d) ** 2))) for d in (fit.values.differences, left_out))
    return here, out


def _next(
    problem: CalibrationProblem,
    samples: SamplePool,
    fit: Fit,
    stale: tuple[str, ...],
    fresh: Mapping[str, float],
    left: Mapping[str, float],
    index: int,
) -> tuple[tuple[str, ...], str]:
    """What to simulate next, and why nothing when that is nothing."""
    systems = problem.systems_of("calibration")
    converged = not fit.limited and not stale
    if index + 1 == problem.optimizer.max_rounds:
        return (), "converged" if converged else "rounds"
    budget = None if problem.budget is None else problem.budget - samples.spent
    offers = {
        s: Offer(cost=problem.bead_steps([s]), fresh=fresh[s] / max(left[s], 1.0) / max(_repeats(samples, s), 1))
        for s in systems
    }
    if not converged:
        must = stale or systems
        if budget is None or problem.bead_steps(must) <= budget:
            return must, ""
        chosen = choose_runs(problem.space, fit.values, fit.errors, offers, budget, only=must)
        return chosen, "" if chosen else "budget"
    if budget is None:
        return (), "converged"
    chosen = choose_runs(problem.space, fit.values, fit.errors, offers, budget)
    return chosen, "" if chosen else "converged"


def _repeats(samples: SamplePool, system: str) -> int:
    """How often a system has been sampled at the ε it was last sampled at."""
    runs = samples.runs[system]
    return sum(run.epsilon == runs[-1].epsilon and run.lambda_index == runs[-1].lambda_index for run in runs)
