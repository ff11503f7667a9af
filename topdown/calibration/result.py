"""What a calibration found, with an error on every number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.calibration.parameters import FreeParameter, Pair
from topdown.calibration.targets import Split
from topdown.model.bead_table import BeadTable
from topdown.model.measurement import Estimate

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterResult:
    """One ε before and after.

    Attributes
    ----------
    parameter : FreeParameter
    value : float
        [kJ/mol]
    posterior_width : float
        Standard deviation of the posterior [kJ/mol], Gauss-Newton.
    """

    parameter: FreeParameter
    value: float
    posterior_width: float

    @property
    def shrinkage(self) -> float:
        """1 - posterior/prior width: 0 when the data said nothing about this ε, near 1 when they fixed it."""
        return 1.0 - self.posterior_width / self.parameter.prior_width

    @property
    def at_bound(self) -> bool:
        """Whether a bound holds it."""
        return bool(np.isclose(self.value, [self.parameter.lower, self.parameter.upper], rtol=1e-9).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """One target with the start table and with the new one.

    Attributes
    ----------
    label, quantity, unit, reference : str
    split : {"calibration", "held-out"}
    measured, uncertainty, model_error : float
    before, after : Estimate
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
    """

    quantity: str
    unit: str
    split: Split
    n_targets: int
    rms_before: float
    rms_after: float
    error_before: float
    error_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """One round: simulated at ``theta``, moved to ``proposal``.

    Attributes
    ----------
    theta, proposal : tuple of float
        ε of the free pairs [kJ/mol], in order.
    sampled : tuple of str
        Systems simulated in this round.
    cost_before, cost_after : float
        ½ Σ r² at the two, from the samples of this and earlier rounds.
    n_effective : tuple of (str, float)
        Effective samples of each system at ``proposal``.
    limited : bool
        The step was cut back to where samples still support it.
    stale : tuple of str
        Systems that should be simulated again at ``proposal``.
    """

    theta: tuple[float, ...]
    proposal: tuple[float, ...]
    sampled: tuple[str, ...]
    cost_before: float
    cost_after: float
    n_effective: tuple[tuple[str, float], ...]
    limited: bool
    stale: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Nothing asks for another round."""
        return not self.limited and not self.stale


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
    targets : tuple of TargetResult
    rounds : tuple of RoundRecord
    converged : bool
    runs : tuple of str
        Keys of all runs used.
    seed : int
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
    targets: tuple[TargetResult, ...]
    rounds: tuple[RoundRecord, ...]
    converged: bool
    runs: tuple[str, ...]
    seed: int
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
    )


def _root_mean_square(values: list[tuple[Estimate, float]]) -> tuple[float, float]:
    """√(Σd²/n) and its first-order statistical error √(Σ d² s²)/(n rms)."""
    difference = np.array([e.value - measured for e, measured in values])
    spread = np.array([e.standard_error for e, _ in values])
    rms = float(np.sqrt(np.mean(difference**2)))
    return rms, float(np.sqrt(np.sum((difference * spread) ** 2))) / (len(values) * rms) if rms > 0 else 0.0
