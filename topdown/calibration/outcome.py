"""From the last round to the result: both tables compared on all targets, posterior, verdicts, and fits with parts left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.calibration.bilayers import BilayerCheck, bilayer_ledger, check_bilayers
from topdown.calibration.cost import PriorCost
from topdown.calibration.cross_validation import LeftOut, chemotype_parts, leave_out, molecule_folds
from topdown.calibration.dynamics import DiffusionCheck, check_diffusion, diffusion_ledger
from topdown.calibration.error_model import ErrorModel, TargetValues, calculate_targets, learn_errors
from topdown.calibration.failures import REPORT_ROUND, Progress, report_failures, report_losses
from topdown.calibration.fit import cost_parts, posterior_covariance
from topdown.calibration.liquid_records import liquid_records
from topdown.calibration.melting_checks import MeltingCheck, check_melting, melting_ledger, supercooling
from topdown.calibration.mixtures import MixtureCheck, check_mixtures
from topdown.calibration.parameters import Pair
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import (
    CalibrationResult,
    EpsilonResult,
    ParameterResult,
    RoundRecord,
    SigmaResult,
    StateOverlap,
    TargetResult,
)
from topdown.calibration.sample_pool import SamplePool
from topdown.calibration.targets import Target
from topdown.calibration.type_choice import TypeScorer, choose_types, runner_ups, with_chosen_types
from topdown.calibration.verdicts import verdicts
from topdown.estimators.mbar import weakest_link
from topdown.model.bead_table import BeadTable, Provenance
from topdown.model.measurement import Estimate

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Assessment:
    """The calibration targets at the end, and what follows from them."""

    values: TargetValues
    errors: ErrorModel
    prior: FloatArray
    covariance: FloatArray
    endless: FloatArray
    wanted: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class _Checks:
    """What both tables say of properties that are reported and never fitted."""

    diffusion: tuple[DiffusionCheck, ...]
    mixtures: tuple[MixtureCheck, ...]
    bilayers: tuple[BilayerCheck, ...]
    melting: tuple[MeltingCheck, ...]

    @classmethod
    def of(cls, problem: CalibrationProblem, samples: SamplePool, x: FloatArray, progress: Progress) -> _Checks:
        """All that the campaign asks for, run where the store does not have it."""
        return cls(
            diffusion=check_diffusion(problem, samples, x, progress),
            mixtures=check_mixtures(problem, samples, x, progress),
            bilayers=check_bilayers(problem, samples, x, progress),
            melting=check_melting(problem, samples, x, progress),
        )

    def runs(self) -> tuple[str, ...]:
        """Keys of their runs."""
        return (
            *(check.run for check in self.diffusion if check.run),
            *(run for check in self.bilayers for run in check.runs),
            *dict.fromkeys(run.key for check in self.melting for run in check.runs),
        )

    def ledger(self, problem: CalibrationProblem) -> tuple[tuple[str, int, int, int], ...]:
        """System, runs, frames, beads times steps."""
        return (
            *diffusion_ledger(problem, self.diffusion),
            *bilayer_ledger(problem.bilayers, self.bilayers),
            *melting_ledger(problem.melting, self.melting),
        )


def conclude(
    problem: CalibrationProblem,
    samples: SamplePool,
    records: Sequence[RoundRecord],
    *,
    progress: Progress = lambda _: None,
) -> CalibrationResult:
    """The result of a campaign whose rounds are over; ``problem`` is without the targets lost in them.

    Raises
    ------
    SamplingError, SimulationError
        Of runs for the comparison.
    """
    last = records[-1]
    space, x = problem.space, np.array(last.x_proposal)
    lost = dict(last.lost)
    problem = _sample_for_report(problem, samples, x, lost, progress)
    systems, targets = problem.systems_of("calibration"), problem.targets_of("calibration")
    pooled = samples.pool(systems)
    found = _assess(problem, samples, x, converged=last.converged)
    start = calculate_targets(targets, pooled, space, space.start(), error=False)
    trusted = samples.trusted(systems)
    folds = molecule_folds(targets, problem.validation.folds, problem.sampling.seed)
    kinds = chemotype_parts(targets) if problem.validation.chemotypes else ()
    left_out, chemotype_out = (leave_out(problem, pooled, x, parts, trusted) for parts in (folds, kinds))
    digest, everything = problem.digest(), problem.systems_in_use()
    effective = [samples.effective_samples(everything, point) for point in (space.start(), x)]
    epsilons, covariance = _epsilons(problem, x, found)
    compared = _compare(problem, samples, x, found.errors, left_out, chemotype_out)
    scorer = TypeScorer(problem, samples, x, found.errors, found.values.differences, compared)
    types = choose_types(scorer, problem.types.blocks, problem.types.least_gain) if problem.types else None
    table = _new_table(problem, x, digest)
    checks = _Checks.of(problem, samples, x, progress)
    cold = supercooling(problem, checks.melting)
    return CalibrationResult(
        name=problem.name,
        digest=digest,
        parent=problem.table.name,
        table=with_chosen_types(table, types, f"campaign {problem.name} ({digest})") if types else table,
        temperature=problem.temperature,
        pressure=problem.pressure,
        pairs=space.pairs,
        covariance=covariance,
        parameters=_parameters(problem, x, found),
        epsilons=epsilons,
        sigmas=_sigmas(problem, x, found),
        slopes=_slopes(problem, x),
        targets=tuple(replace(t, supercooled_by=cold.get(t.label)) for t in compared),
        rounds=tuple(records),
        converged=last.converged,
        runs=(*samples.keys(), *checks.runs()),
        seed=problem.sampling.seed,
        cost_start=cost_parts(space, targets, start, found.errors, space.start()),
        cost_end=cost_parts(space, targets, found.values, found.errors, x),
        model_errors=dict(sorted(found.errors.learnt.items())),
        bead_steps=samples.spent,
        ledger=(*_ledger(problem, samples), *checks.ledger(problem)),
        effective=tuple((s, effective[0][s], effective[1][s]) for s in sorted(everything)),
        overlaps=_overlaps(problem, samples),
        sensitivities=_sensitivities(problem, samples, x),
        types=types,
        runner_ups=runner_ups(scorer),
        failed=tuple((s, run.alarm) for s, runs in sorted(samples.runs.items()) for run in runs if run.alarm),
        diffusion=checks.diffusion,
        mixtures=checks.mixtures,
        bilayers=checks.bilayers,
        melting_points=checks.melting,
        n_folds=left_out.n_parts if left_out else 0,
        n_chemotypes=chemotype_out.n_parts if chemotype_out else 0,
        limited_parts=sum(part.limited for part in (left_out, chemotype_out) if part),
        failed_windows=tuple(samples.failures),
        lost_targets=_lost_targets(problem, lost),
        liquids=liquid_records(problem, samples.runs, samples.failures, samples.last_freezing),
        warnings=(*problem.warnings, *samples.alarms()),
    )


def _sample_for_report(
    problem: CalibrationProblem,
    samples: SamplePool,
    x: FloatArray,
    lost: dict[str, str],
    progress: Progress,
) -> CalibrationProblem:
    """Make every target, held-out ones too, calculable with the start table and with the new one; add to ``lost`` the systems
    where that failed, and return the problem without them."""
    least = problem.optimizer.ess_threshold

    def sample(systems: Sequence[str], point: FloatArray, round_index: int) -> CalibrationProblem:
        at_the_end = round_index != REPORT_ROUND + 1
        report_failures(samples.sample(systems, point, round_index, judged=at_the_end), progress)
        lost.update(samples.unusable([s for s in problem.systems_in_use() if s not in lost], point))
        # nobody asked for a check, so that one that cannot be made stops nothing
        wrong = {
            s: samples.what_is_wrong(s, point) for s in problem.check_systems() if s in samples.runs and s not in lost
        }
        lost.update({s: reason for s, reason in wrong.items() if reason})
        left, gone = problem.losing(lost)
        report_losses(gone, lost, progress)
        return left

    problem = sample([s for s in problem.systems_of("held-out") if s not in samples.runs], x, REPORT_ROUND)
    for offset, point in enumerate((problem.space.start(), x), start=1):
        left = samples.effective_samples(problem.systems_in_use(), point)
        problem = sample([s for s in left if left[s] < least], point, REPORT_ROUND + offset)
    return problem


def _lost_targets(problem: CalibrationProblem, lost: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Targets that are left out, and what happened to their systems."""
    by_label = {t.label: t for t in problem.targets}
    return tuple(
        (label, "; ".join(f"{s}: {lost[s]}" for s in by_label[label].systems if s in lost)) for label in problem.lost
    )


def _assess(problem: CalibrationProblem, samples: SamplePool, x: FloatArray, *, converged: bool) -> _Assessment:
    """The error model that the residuals at ``x`` ask for, and the posterior with and without statistical errors."""
    space, targets = problem.space, problem.targets_of("calibration")
    values = calculate_targets(targets, samples.pool(problem.systems_of("calibration")), space, x)
    errors = learn_errors(targets, values, space, x, problem.cost)
    covariance = posterior_covariance(space, values, errors)
    whitener = errors.whitener()
    prior = PriorCost(space)(x)
    gradient = (whitener @ values.jacobian).T @ (whitener @ values.differences) + prior.jacobian.T @ prior.values
    return _Assessment(
        values=values,
        errors=errors,
        prior=space.prior_widths(),
        covariance=covariance,
        endless=np.sqrt(np.diag(posterior_covariance(space, values, errors, simulation=False))),
        wanted=np.zeros(len(space)) if converged else -covariance @ gradient,
    )


def _parameters(problem: CalibrationProblem, x: FloatArray, found: _Assessment) -> tuple[ParameterResult, ...]:
    space = problem.space
    posterior = np.sqrt(np.diag(found.covariance))
    judged = verdicts(found.prior, posterior, found.endless, found.wanted)
    slopes = np.array([*space.slopes(x), *(1.0 for _ in (*space.shared, *space.sizes))])
    theta = space.theta(x)
    singles = {p.pair: k for k, p in enumerate(space.parameters)}
    values = [*(_single_value(problem, x, theta, pair) for pair in singles), *x[len(singles) :]]
    return tuple(
        ParameterResult(
            parameter=p,
            value=float(values[k]),
            prior_width=p.prior_width,
            posterior_width=float(posterior[k] * slopes[k]),
            shrinkage=float(1.0 - posterior[k] / found.prior[k]),
            verdict=judged[k],
        )
        for k, p in enumerate(space.all)
    )


def _single_value(problem: CalibrationProblem, x: FloatArray, theta: Mapping[Pair, float], pair: Pair) -> float:
    """ε of a single parameter, what shared ones do to its pair left aside."""
    names = problem.space.parameters_of(pair)
    if len(names) == 1:
        return theta[pair]
    only = x.copy()
    only[len(problem.space.parameters) :] = 0.0
    return problem.space.theta(only)[pair]


def _epsilons(
    problem: CalibrationProblem, x: FloatArray, found: _Assessment
) -> tuple[tuple[EpsilonResult, ...], FloatArray]:
    """Every ε that moves, and their posterior covariance [(kJ/mol)²]."""
    space = problem.space
    jacobian = space.jacobian(x)
    covariance = jacobian @ found.covariance @ jacobian.T
    prior = np.sqrt(np.sum((jacobian * found.prior) ** 2, axis=1))
    posterior = np.sqrt(np.diag(covariance))
    whole = posterior_covariance(space, found.values, found.errors, simulation=False)
    endless = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", jacobian, whole, jacobian), 0.0))
    judged = verdicts(prior, posterior, endless, jacobian @ found.wanted)
    start, final = space.start_theta(), space.theta(x)
    rows = tuple(
        EpsilonResult(
            pair=pair,
            start=start[pair],
            value=final[pair],
            prior_width=float(prior[k]),
            posterior_width=float(posterior[k]),
            verdict=judged[k],
        )
        for k, pair in enumerate(space.pairs)
    )
    return rows, np.asarray(covariance, dtype=np.float64)


def _sigmas(problem: CalibrationProblem, x: FloatArray, found: _Assessment) -> tuple[SigmaResult, ...]:
    """Every σ that moves."""
    space = problem.space
    start = np.array([problem.table.pair(*pair)[0] for pair in space.size_pairs])
    jacobian = start[:, None] * space.sigma_jacobian(x)
    prior = np.sqrt(np.sum((jacobian * found.prior) ** 2, axis=1))
    posterior = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, found.covariance, jacobian))
    return tuple(
        SigmaResult(
            pair=pair,
            start=float(start[k]),
            value=float(start[k] * ratio),
            prior_width=float(prior[k]),
            posterior_width=float(posterior[k]),
        )
        for k, (pair, ratio) in enumerate(space.sigma_ratios(x).items())
    )


def _slopes(problem: CalibrationProblem, x: FloatArray) -> tuple[tuple[Pair, float], ...]:
    space = problem.space
    one, none = space.theta(x, space.temperature + 1.0), space.theta(x)
    found = [(pair, float(np.log(one[pair] / none[pair]))) for pair in space.pairs if none[pair] > 0]
    return tuple((pair, slope) for pair, slope in found if slope != 0.0)


def _compare(
    problem: CalibrationProblem,
    samples: SamplePool,
    x: FloatArray,
    errors: ErrorModel,
    left_out: LeftOut | None,
    chemotype_out: LeftOut | None,
) -> tuple[TargetResult, ...]:
    pooled = samples.pool(problem.systems_in_use())
    space, least = problem.space, problem.optimizer.ess_threshold
    model = dict(zip((t.label for t in problem.targets_of("calibration")), np.sqrt(np.diag(errors.model))))
    weight = {
        problem.targets_of("calibration")[i].label: float(u)
        for block, u in zip(errors.blocks, errors.weights)
        for i in block
    }
    places = {t.label: i for i, t in enumerate(problem.targets_of("calibration"))}

    def estimate(target: Target, point: FloatArray) -> Estimate:
        theta = space.coefficients(point, target.temperature)
        found = target.calculate(pooled, theta, space.terms, min_effective=least, error=True)
        return Estimate(
            value=found.value,
            standard_error=found.standard_error,
            n_effective=found.n_effective,
            provenance="MBAR over all runs of the campaign, block bootstrap",
        )

    def without(target: Target, part: LeftOut | None) -> float | None:
        if part is None or target.label not in places:
            return None
        value = float(part.values[places[target.label]])
        return value if np.isfinite(value) else None

    results = []
    for t in (t for t in problem.targets if t.label not in problem.lost):
        learnt = errors.learnt.get(t.error_class, 0.0) * t.error_scale if t.learn_model_error else t.model_error
        results.append(
            TargetResult(
                label=t.label,
                quantity=t.quantity,
                unit=t.unit,
                split=t.split,
                measured=t.measured,
                uncertainty=t.uncertainty,
                model_error=float(model.get(t.label, learnt)),
                reference=t.reference,
                before=estimate(t, space.start()),
                after=estimate(t, x),
                left_out=without(t, left_out),
                chemotype_out=without(t, chemotype_out),
                chemotype=t.chemotype,
                molecule_key=t.molecule_key,
                weight=weight.get(t.label, 1.0),
            )
        )
    return tuple(results)


def _overlaps(problem: CalibrationProblem, samples: SamplePool) -> tuple[StateOverlap, ...]:
    """Of the states every path was last sampled at."""
    found = []
    for system, pooled in sorted(samples.pool(problem.systems_in_use()).items()):
        if not len(pooled.lambdas):
            continue
        indices, matrix = pooled.last_overlaps()
        charges = np.asarray(pooled.frames[0].charge_lambdas)
        states = tuple(f"{pooled.lambdas[k]:g}" + (f" q {charges[k]:g}" if charges[k] else "") for k in indices)
        found.append(StateOverlap(system=system, states=states, matrix=matrix, weakest=weakest_link(matrix)))
    return tuple(found)


def _sensitivities(problem: CalibrationProblem, samples: SamplePool, x: FloatArray) -> FloatArray:
    """Of every target that is not lost, in their order."""
    targets = [t for t in problem.targets if t.label not in problem.lost]
    return calculate_targets(targets, samples.pool(problem.systems_in_use()), problem.space, x, error=False).jacobian


def _ledger(problem: CalibrationProblem, samples: SamplePool) -> tuple[tuple[str, int, int, int], ...]:
    rows = []
    for system, runs in sorted(samples.runs.items()):
        frames = sum(run.sums.n_frames for run in runs)
        rows.append((system, len(runs), frames, len(runs) * problem.window_bead_steps(system)))
    return tuple(rows)


def _new_table(problem: CalibrationProblem, x: FloatArray, digest: str) -> BeadTable:
    """The start table with the new ε and σ, and where they come from."""
    final, ratios = problem.space.theta(x), problem.space.sigma_ratios(x)
    changed = ", ".join("-".join(pair) for pair in final)
    if ratios:
        changed += " and σ of " + ", ".join("-".join(pair) for pair in ratios)
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
    moved = problem.table.with_epsilon(final, name=problem.name).with_scaled_sigma(ratios)
    return replace(moved, provenance=provenance, version=digest)
