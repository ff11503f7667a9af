"""The loop of a calibration: simulate, pool, fit by reweighting as far as the samples reach, simulate again there.

One round
1. samples the systems that need it at the current ε (the sampler finds old runs by their hash),
2. pools them with every earlier run and solves MBAR for each system,
3. minimises the cost by reweighting alone, inside the region where every calibration phase keeps enough effective samples,
4. names the systems that are *stale* at the new ε: those whose effective samples have fallen below half of what they
   are at the ε just simulated.
The campaign has converged when the step was not cut back and nothing is stale. Held-out targets take no part in any of
this: they are sampled at the end, and compared before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.calibration.cost import PriorCost, SumCost, TargetCost, total_errors
from topdown.calibration.journal import Journal
from topdown.calibration.optimizer import minimize_least_squares
from topdown.calibration.parameters import Pair
from topdown.calibration.problem import CalibrationProblem, derived_seed
from topdown.calibration.result import CalibrationResult, ParameterResult, RoundRecord, TargetResult
from topdown.calibration.sampler import Sampler
from topdown.calibration.targets import Target
from topdown.errors import InputFileError, SamplingError, SimulationError
from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.model.bead_table import BeadTable, Provenance
from topdown.model.measurement import Estimate
from topdown.model.requests import CouplingRequest
from topdown.model.samples import WindowSamples

FloatArray = npt.NDArray[np.float64]
Theta = Mapping[Pair, float]
Progress = Callable[[str], None]

#: A system is sampled again when a step leaves it less than this part of its effective samples.
STALE_FRACTION = 0.5
#: Rounds are numbered from 0; the samples taken after the last one, for reporting, have seeds of their own.
_REPORT_ROUND = 1_000_000


class _Samples:
    """All runs so far by system, and their pooled samples, which are made when first asked for."""

    def __init__(self, problem: CalibrationProblem, sampler: Sampler) -> None:
        self.problem, self.sampler = problem, sampler
        self.runs: dict[str, list[WindowSamples]] = {}
        self.pooled: dict[str, PooledSamples] = {}

    def sample(self, systems: Sequence[str], theta: Theta, round_index: int) -> None:
        """Run, or find, every window of ``systems`` at ``theta``."""
        if not systems:
            return
        requests = [self.problem.request(system, theta, round_index) for system in systems]
        windows = [len(r.lambdas) if isinstance(r, CouplingRequest) else 1 for r in requests]
        samples = self.sampler.sample(requests)
        if len(samples) != sum(windows):
            raise SimulationError(f"{sum(windows)} windows were asked for and {len(samples)} came back")
        start = 0
        for system, n_windows in zip(systems, windows):
            found = [replace(run, system=system) for run in samples[start : start + n_windows]]
            self.runs.setdefault(system, []).extend(found)
            self.pooled.pop(system, None)
            start += n_windows

    def pool(self, systems: Sequence[str]) -> dict[str, PooledSamples]:
        """Pooled samples of ``systems``; those of unchanged systems are kept."""
        for system in systems:
            if system not in self.pooled:
                runs = self.runs[system]
                rng = np.random.default_rng(derived_seed(self.problem.sampling.seed, len(runs), f"bootstrap {system}"))
                self.pooled[system] = pool_samples(runs, rng)
        return {system: self.pooled[system] for system in systems}

    def keys(self) -> tuple[str, ...]:
        """Keys of all runs, by system and in order."""
        return tuple(run.key for _, runs in sorted(self.runs.items()) for run in runs)

    def alarms(self) -> tuple[str, ...]:
        """What became of runs that froze or evaporated and were cut short."""
        return tuple(run.alarm for _, runs in sorted(self.runs.items()) for run in runs if run.alarm)


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
    samples = _Samples(problem, sampler)
    records = _run_rounds(problem, samples, journal, progress)
    last = records[-1]
    if not last.converged:
        progress(f"not converged after {len(records)} rounds: raise max_rounds or the number of steps")
    final = dict(zip(problem.space.pairs, last.proposal))
    progress("comparing before and after, held-out targets too")
    _sample_for_report(problem, samples, final)
    x = problem.space.vector(final)
    covariance = _posterior_covariance(problem, samples.pool(problem.systems_of("calibration")), x)
    widths = np.sqrt(np.diag(covariance))
    parameters = tuple(
        ParameterResult(parameter=p, value=final[p.pair], posterior_width=float(w))
        for p, w in zip(problem.space.parameters, widths)
    )
    targets = _compare(problem, samples, final)
    digest = problem.digest()
    journal.append({"event": "finish", "epsilon": list(last.proposal), "converged": last.converged})
    return CalibrationResult(
        name=problem.name,
        digest=digest,
        parent=problem.table.name,
        table=_new_table(problem, final, digest),
        temperature=problem.temperature,
        pressure=problem.pressure,
        pairs=problem.space.pairs,
        covariance=covariance,
        parameters=parameters,
        targets=targets,
        rounds=tuple(records),
        converged=last.converged,
        runs=samples.keys(),
        seed=problem.sampling.seed,
        warnings=(*problem.warnings, *samples.alarms()),
    )


def _run_rounds(
    problem: CalibrationProblem, samples: _Samples, journal: Journal, progress: Progress
) -> list[RoundRecord]:
    theta = problem.space.start_theta()
    systems = problem.systems_of("calibration")
    recorded = journal.rounds()
    records: list[RoundRecord] = []
    needed = systems
    while True:
        index = len(records)
        text = ", ".join(f"{'-'.join(pair)} {value:.4f}" for pair, value in theta.items())
        progress(f"round {index + 1}: simulating {len(needed)} systems at {text}")
        samples.sample(needed, theta, index)
        if index < len(recorded):
            record = _recorded(recorded[index], theta, index, journal)
        else:
            record = _fit_round(problem, samples.pool(systems), theta, needed)
            journal.append({"event": "round", "round": index, **asdict(record)})
        records.append(record)
        reason = "cut back by the trust region" if record.limited else "free"
        progress(
            f"round {index + 1}: cost {record.cost_before:.3f} to {record.cost_after:.3f}, step {reason}, "
            f"{len(record.stale)} systems to simulate again"
        )
        if record.converged or len(records) == problem.optimizer.max_rounds:
            return records
        theta, needed = dict(zip(problem.space.pairs, record.proposal)), record.stale or systems


def _recorded(event: Mapping[str, Any], theta: Theta, index: int, journal: Journal) -> RoundRecord:
    """A round as the journal has it; it must have started where this one does."""
    try:
        record = RoundRecord(
            theta=tuple(event["theta"]),
            proposal=tuple(event["proposal"]),
            sampled=tuple(event["sampled"]),
            cost_before=float(event["cost_before"]),
            cost_after=float(event["cost_after"]),
            n_effective=tuple((str(s), float(n)) for s, n in event["n_effective"]),
            limited=bool(event["limited"]),
            stale=tuple(event["stale"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"round {index + 1} is damaged: {error}", where=str(journal.path), hint="choose another -o"
        ) from None
    if record.theta != tuple(theta.values()):
        raise InputFileError(
            f"round {index + 1} did not start at the ε reached before it",
            where=str(journal.path),
            hint="choose another -o",
        )
    return record


def _fit_round(
    problem: CalibrationProblem, pooled: Mapping[str, PooledSamples], theta: Theta, sampled: Sequence[str]
) -> RoundRecord:
    """Move to the minimum of the cost, as far as the samples of this and earlier rounds reach."""
    space, least = problem.space, problem.optimizer.ess_threshold
    targets = problem.targets_of("calibration")
    start = space.vector(theta)
    fresh = {system: pool.effective_samples(theta) for system, pool in pooled.items()}
    worst = min(fresh, key=lambda s: fresh[s])
    if fresh[worst] < least:
        raise SamplingError(
            f"only {fresh[worst]:.1f} effective samples at the ε just simulated, {least:g} are needed",
            where=worst,
            hint="raise sampling.steps, or lower optimizer.ess_threshold",
        )

    def trusted(x: FloatArray) -> bool:
        at = space.theta(x)
        return all(pool.effective_samples(at) >= least for pool in pooled.values())

    cost = SumCost((TargetCost(space, targets, pooled, total_errors(targets, pooled, space, start)), PriorCost(space)))
    lower, upper = space.bounds()
    fit = minimize_least_squares(cost, start, lower, upper, trusted, tolerance=problem.optimizer.tolerance)
    proposal = space.theta(fit.x)
    left = {system: pool.effective_samples(proposal) for system, pool in pooled.items()}
    return RoundRecord(
        theta=tuple(theta.values()),
        proposal=tuple(proposal.values()),
        sampled=tuple(sampled),
        cost_before=cost(start).cost,
        cost_after=fit.residuals.cost,
        n_effective=tuple(left.items()),
        limited=fit.limited,
        stale=tuple(system for system in pooled if left[system] < STALE_FRACTION * fresh[system]),
    )


def _sample_for_report(problem: CalibrationProblem, samples: _Samples, final: Theta) -> None:
    """Make every target, held-out ones too, calculable with the start table and with the new one."""
    least = problem.optimizer.ess_threshold
    held_out = [s for s in problem.systems_of("held-out") if s not in samples.runs]
    samples.sample(held_out, final, _REPORT_ROUND)
    start = problem.space.start_theta()
    for offset, theta in enumerate((start, final), start=1):
        pooled = samples.pool(tuple(problem.systems))
        poor = [system for system, pool in pooled.items() if pool.effective_samples(theta) < least]
        samples.sample(poor, theta, _REPORT_ROUND + offset)


def _posterior_covariance(
    problem: CalibrationProblem, pooled: Mapping[str, PooledSamples], x: FloatArray
) -> FloatArray:
    """(JᵀJ)⁻¹ of targets and prior at ``x``, as covariance of ε [(kJ/mol)²]."""
    space, targets = problem.space, problem.targets_of("calibration")
    sigmas = total_errors(targets, pooled, space, x)
    jacobian = SumCost((TargetCost(space, targets, pooled, sigmas), PriorCost(space)))(x).jacobian
    slopes = space.slopes(x)
    return np.asarray(np.linalg.inv(jacobian.T @ jacobian) * np.outer(slopes, slopes), dtype=np.float64)


def _compare(problem: CalibrationProblem, samples: _Samples, final: Theta) -> tuple[TargetResult, ...]:
    pooled = samples.pool(tuple(problem.systems))
    start = problem.space.start_theta()

    def estimate(target: Target, theta: Theta) -> Estimate:
        found = target.calculate(
            pooled, theta, problem.space.pairs, min_effective=problem.optimizer.ess_threshold, error=True
        )
        return Estimate(
            value=found.value,
            standard_error=found.standard_error,
            n_effective=found.n_effective,
            provenance="MBAR over all runs of the campaign, block bootstrap",
        )

    return tuple(
        TargetResult(
            label=t.label,
            quantity=t.quantity,
            unit=t.unit,
            split=t.split,
            measured=t.measured,
            uncertainty=t.uncertainty,
            model_error=t.model_error,
            reference=t.reference,
            before=estimate(t, start),
            after=estimate(t, final),
        )
        for t in problem.targets
    )


def _new_table(problem: CalibrationProblem, final: Theta, digest: str) -> BeadTable:
    """The start table with the new ε, and where they come from."""
    changed = ", ".join("-".join(pair) for pair in final)
    fitted_to = "; ".join(
        f"{t.label} {t.measured:g} ± {t.uncertainty:g} {t.unit}{f' ({t.reference})' if t.reference else ''}"
        for t in problem.targets_of("calibration")
    )
    parent = problem.table.provenance
    provenance = Provenance(
        source=(
            f"{problem.table.name} with ε of {changed} calibrated by campaign {problem.name} ({digest}, seed "
            f"{problem.sampling.seed}) at {problem.temperature:g} K and {problem.pressure:g} bar to: {fitted_to}. "
            f"Start table: {parent.source}"
        ),
        licence=parent.licence,
        citation=parent.citation,
        parent=problem.table.name,
    )
    return replace(problem.table.with_epsilon(final, name=problem.name), provenance=provenance, version=digest)
