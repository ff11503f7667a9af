"""What a calibration found, with an error on every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from topdown.calibration.bilayers import BilayerCheck
from topdown.calibration.dynamics import DiffusionCheck
from topdown.calibration.failures import FailedWindow
from topdown.calibration.liquid_records import LiquidRecord
from topdown.calibration.melting_checks import MeltingCheck
from topdown.calibration.mixtures import MixtureCheck
from topdown.calibration.parameters import Pair, Parameter
from topdown.calibration.targets import Split
from topdown.calibration.type_results import RunnerUp, TypeOutcome
from topdown.model.bead_table import BeadTable
from topdown.model.measurement import Estimate

FloatArray = npt.NDArray[np.float64]


Verdict = Literal["determined", "data-limited", "MD-limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterResult:
    """One parameter before and after.

    Attributes
    ----------
    parameter : FreeParameter or SharedParameter
    value : float
        ε [kJ/mol] of a single pair, or z of a shared parameter or of one of σ.
    prior_width, posterior_width : float
        Standard deviations of prior and posterior (Gauss-Newton), as ``value``.
    shrinkage : float
        1 - posterior/prior width in x: 0 when the data said nothing about it, near 1 when they fixed it.
    verdict : {"determined", "data-limited", "MD-limited"}
        See :mod:`topdown.calibration.verdicts`.
    """

    parameter: Parameter
    value: float
    prior_width: float
    posterior_width: float
    shrinkage: float
    verdict: Verdict

    @property
    def at_bound(self) -> bool:
        """Whether a bound holds it."""
        return bool(np.isclose(self.value, [self.parameter.lower, self.parameter.upper], rtol=1e-9).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonResult:
    """One ε of the matrix before and after, whatever parameters move it.

    Attributes
    ----------
    pair : (str, str)
    start, value : float
        [kJ/mol]
    prior_width, posterior_width : float
        [kJ/mol]
    verdict : {"determined", "data-limited", "MD-limited"}
    """

    pair: Pair
    start: float
    value: float
    prior_width: float
    posterior_width: float
    verdict: Verdict

    @property
    def shrinkage(self) -> float:
        """1 - posterior/prior width."""
        return 1.0 - self.posterior_width / self.prior_width


@dataclass(frozen=True, slots=True, kw_only=True)
class SigmaResult:
    """One σ of the matrix before and after.

    Attributes
    ----------
    pair : (str, str)
    start, value : float
        [nm]
    prior_width, posterior_width : float
        Standard deviations [nm].
    """

    pair: Pair
    start: float
    value: float
    prior_width: float
    posterior_width: float

    @property
    def shrinkage(self) -> float:
        """1 - posterior/prior width."""
        return 1.0 - self.posterior_width / self.prior_width


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """One target with the start table and with the new one.

    Attributes
    ----------
    label, quantity, unit, reference : str
    split : {"calibration", "held-out"}
    measured, uncertainty, model_error : float
        The last learnt from the residuals, or given.
    before, after : Estimate
    left_out, chemotype_out : float or None
        As calculated by fits that had not seen its molecule, or its kind of molecule; None for held-out targets, which none has.
    chemotype, molecule_key : str
    weight : float
        Of its block in the fit: below 1 for an outlier.
    supercooled_by : float or None
        How far the liquid of a density or surface tension is below its melting point with the new table [K]; None where it is
        not, or no check of melting points says so.
    """

    label: str
    quantity: str
    unit: str
    split: Split
    measured: float
    uncertainty: float
    model_error: float
    reference: str
    before: Estimate
    after: Estimate
    left_out: float | None = None
    chemotype_out: float | None = None
    chemotype: str = ""
    molecule_key: str = ""
    weight: float = 1.0
    supercooled_by: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitScore:
    """Errors of the targets of one quantity and split.

    Attributes
    ----------
    quantity, unit : str
    split : {"calibration", "held-out"}
    n_targets : int
    rms_before, rms_after : float
        Root mean square of calculated - measured.
    error_before, error_after : float
        Statistical standard errors of the two, from those of the calculated values.
    rms_left_out, rms_chemotype_out : float or None
        Of fits without the molecule, and without its kind of molecule; None for held-out targets, or where too few molecules or
        kinds of them take part.
    """

    quantity: str
    unit: str
    split: Split
    n_targets: int
    rms_before: float
    rms_after: float
    error_before: float
    error_after: float
    rms_left_out: float | None = None
    rms_chemotype_out: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """One round: simulated at ``theta``, moved to ``proposal``.

    Attributes
    ----------
    x, x_proposal : tuple of float
        The parameters.
    theta, proposal : tuple of float
        ε of the free pairs [kJ/mol], in order.
    sampled : tuple of str
        Systems simulated in this round.
    cost_before, cost_after : float
        Cost at the two, with the error model of the second, from the samples of this and earlier rounds.
    cost_parts : tuple of (str, float)
        ``cost_after`` by quantity and prior.
    residual, residual_left_out : float
        Root mean square of the residuals in their total errors: of the fit, and of fits without the molecule in question, by
        linear algebra.
    model_errors : tuple of (str, float)
        Learnt model error of each class of target.
    n_effective : tuple of (str, float)
        Effective samples of each system at ``proposal``.
    limited : bool
        The step was cut back to where samples still support it.
    stale : tuple of str
        Systems that should be simulated again at ``proposal``.
    spent : int
        Beads × steps of this and earlier rounds.
    md_share : float
        By which part endless simulations would lower the variance of the parameters.
    next_systems : tuple of str
        What the next round simulates; empty after the last.
    ended : {"", "converged", "budget", "rounds"}
        Why there is no next round.
    lost : tuple of (str, str)
        Systems that failed runs have left without an answer so far, and why: no target that rests on them takes part.
    """

    x: tuple[float, ...]
    x_proposal: tuple[float, ...]
    theta: tuple[float, ...]
    proposal: tuple[float, ...]
    sampled: tuple[str, ...]
    cost_before: float
    cost_after: float
    cost_parts: tuple[tuple[str, float], ...]
    residual: float
    residual_left_out: float
    model_errors: tuple[tuple[str, float], ...]
    n_effective: tuple[tuple[str, float], ...]
    limited: bool
    stale: tuple[str, ...]
    spent: int
    md_share: float
    next_systems: tuple[str, ...]
    ended: str
    lost: tuple[tuple[str, str], ...] = ()

    @property
    def converged(self) -> bool:
        """The fit is at its minimum, and the samples are of there."""
        return not self.limited and not self.stale


@dataclass(frozen=True, kw_only=True, eq=False)
class StateOverlap:
    """How far the states of a path, as last sampled, overlap.

    Attributes
    ----------
    system : str
    states : tuple of str
        λ of each, with its charges where they are part of the path.
    matrix : (K, K) float64
        ∫ ρ_i ρ_j/(ρ_i + ρ_j): 0.5 for equal states.
    weakest : float
        The weakest link of the best chain from the first to the last.
    """

    system: str
    states: tuple[str, ...]
    matrix: FloatArray
    weakest: float


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationResult:
    """Outcome of a campaign.

    Attributes
    ----------
    name, digest : str
        Of the campaign.
    parent : str
        Name of the start table.
    table : BeadTable
        The new one.
    temperature, pressure : float
        [K], [bar]
    pairs : tuple of (str, str)
        Free pairs, in the order of ``covariance``.
    covariance : (P, P) float64
        Posterior covariance of their ε [(kJ/mol)²].
    parameters : tuple of ParameterResult
    epsilons : tuple of EpsilonResult
        At the campaign's temperature.
    sigmas : tuple of SigmaResult
    slopes : tuple of (pair, float)
        (1/ε) ∂ε/∂T [1/K] of pairs whose ε changes with temperature.
    targets : tuple of TargetResult
    rounds : tuple of RoundRecord
    converged : bool
    runs : tuple of str
        Keys of all runs used.
    seed : int
    cost_start, cost_end : mapping of str to float
        By quantity and prior, with the start table and with the new one.
    model_errors : mapping of str to float
        Learnt, of each class of target.
    bead_steps : int
        Everything that was asked for, the comparison of held-out targets too.
    ledger : tuple of (str, int, int, int)
        Each system with its windows, frames and beads × steps.
    effective : tuple of (str, float, float)
        Effective samples of each system with the start table and with the new one.
    overlaps : tuple of StateOverlap
        Of every system with a solute.
    sensitivities : (n_targets, n_parameters) float64
        ∂target/∂x at the end, in the target's unit: per kJ/mol of a single ε on the linear scale, else per unit of ln ε.
    types : TypeOutcome or None
        Where the campaign has ``[types]``.
    runner_ups : tuple of RunnerUp
        Of every bead for which the mapper knows a next-best type.
    failed : tuple of (str, str)
        Systems whose runs were cut short, and why.
    failed_windows : tuple of FailedWindow
        Runs that left nothing, every try.
    lost_targets : tuple of (str, str)
        Labels of targets that are left out because their simulations failed, and why.
    liquids : tuple of LiquidRecord
        Whether the liquids stayed liquid.
    diffusion : tuple of DiffusionCheck
        How fast molecules move, where the campaign asks for it.
    mixtures : tuple of MixtureCheck
        Pairs of liquids, where the campaign asks for them.
    bilayers : tuple of BilayerCheck
        Areas per lipid, where the campaign asks for them.
    melting_points : tuple of MeltingCheck
        And which liquids are supercooled, where the campaign asks for them.
    n_folds, n_chemotypes : int
        Parts that were left out in turn; 0 where there were not two.
    limited_parts : int
        Of these, parts whose fit was ended by its samples.
    warnings : tuple of str
    """

    name: str
    digest: str
    parent: str
    table: BeadTable
    temperature: float
    pressure: float
    pairs: tuple[Pair, ...]
    covariance: FloatArray
    parameters: tuple[ParameterResult, ...]
    epsilons: tuple[EpsilonResult, ...]
    slopes: tuple[tuple[Pair, float], ...]
    targets: tuple[TargetResult, ...]
    rounds: tuple[RoundRecord, ...]
    converged: bool
    runs: tuple[str, ...]
    seed: int
    sigmas: tuple[SigmaResult, ...] = ()
    cost_start: Mapping[str, float] = field(default_factory=dict)
    cost_end: Mapping[str, float] = field(default_factory=dict)
    model_errors: Mapping[str, float] = field(default_factory=dict)
    bead_steps: int = 0
    ledger: tuple[tuple[str, int, int, int], ...] = ()
    effective: tuple[tuple[str, float, float], ...] = ()
    overlaps: tuple[StateOverlap, ...] = ()
    sensitivities: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    types: TypeOutcome | None = None
    runner_ups: tuple[RunnerUp, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    failed_windows: tuple[FailedWindow, ...] = ()
    lost_targets: tuple[tuple[str, str], ...] = ()
    liquids: tuple[LiquidRecord, ...] = ()
    diffusion: tuple[DiffusionCheck, ...] = ()
    mixtures: tuple[MixtureCheck, ...] = ()
    bilayers: tuple[BilayerCheck, ...] = ()
    melting_points: tuple[MeltingCheck, ...] = ()
    n_folds: int = 0
    n_chemotypes: int = 0
    limited_parts: int = 0
    warnings: tuple[str, ...] = ()

    def scores(self) -> tuple[SplitScore, ...]:
        """Root-mean-square errors by quantity, calibration and held-out targets apart."""
        groups: dict[tuple[str, Split], list[TargetResult]] = {}
        for target in self.targets:
            groups.setdefault((target.quantity, target.split), []).append(target)
        return tuple(_score(group) for _, group in sorted(groups.items()))


def _score(group: list[TargetResult]) -> SplitScore:
    (rms_before, error_before), (rms_after, error_after) = (
        _root_mean_square([(getattr(t, when), t.measured) for t in group]) for when in ("before", "after")
    )
    return SplitScore(
        quantity=group[0].quantity,
        unit=group[0].unit,
        split=group[0].split,
        n_targets=len(group),
        rms_before=rms_before,
        rms_after=rms_after,
        error_before=error_before,
        error_after=error_after,
        rms_left_out=_left_out([(t.left_out, t.measured) for t in group]),
        rms_chemotype_out=_left_out([(t.chemotype_out, t.measured) for t in group]),
    )


def _left_out(values: list[tuple[float | None, float]]) -> float | None:
    """Root mean square of the values there are, None unless there are all."""
    found = np.array([v - measured for v, measured in values if v is not None and np.isfinite(v)])
    return float(np.sqrt(np.mean(found**2))) if len(found) == len(values) else None


def _root_mean_square(values: list[tuple[Estimate, float]]) -> tuple[float, float]:
    """√(Σd²/n) and its first-order statistical error √(Σ d² s²)/(n rms)."""
    difference = np.array([e.value - measured for e, measured in values])
    spread = np.array([e.standard_error for e, _ in values])
    rms = float(np.sqrt(np.mean(difference**2)))
    return rms, float(np.sqrt(np.sum((difference * spread) ** 2))) / (len(values) * rms) if rms > 0 else 0.0
