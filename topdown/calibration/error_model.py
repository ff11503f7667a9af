"""How wrong each calculated value may be: the covariance of residuals, model errors learnt from them, and outliers.

The residuals d = calculated - measured of a block b (one molecule and quantity) have the covariance

    C_b = E + S + M,   E = diag(experiment²),   S_ij = Σ_legs sign_i sign_j s_leg²,   M_ij = τ_i τ_j c_ij.

S: two transfers of one solute out of water share the simulation of its hydration, and with it its error. M: how far the model
itself stays from the truth, τ_i being learnt for each class of target (transfer into alkanes, into octanol, density…) or given.
Half of τ² belongs to either end of a transfer. The end that two transfers share has one error, ends in two phases of one family
have errors correlated by 0.8, others none: c of water→hexadecane and water→octanol is 1/2, of water→hexadecane and
water→dodecane 0.9. Densities and surface tensions have τ in proportion to the measured value.

τ of the classes maximises the evidence (type-II maximum likelihood; MacKay, Neural Computation 4, 415, 1992) of the fit made
linear at x,

    d₀ = d - J (x - x₀) ~ N(0, C/u + J W Jᵀ),   W = diag(prior width²),

times a log-normal prior of ln τ with standard deviation 1 about 2 kJ/mol, 6 % (density) or 15 % (surface tension), so that a
class of few targets is not taken for perfect.

Outliers: with q_b = d_bᵀ C_b⁻¹ d_b the loss of a block of n values is q/2 up to q = n and
n/2 + (ν+n)/2 · ln[(ν+q)/(ν+n)] beyond, ν = 5: Gaussian in the middle with the tails of Student's t. It is minimised by
reweighting blocks with u_b = min(1, (ν+n)/(ν+q_b)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from topdown.calibration.parameters import ParameterSpace
from topdown.calibration.targets import Target, TransferTarget
from topdown.estimators.reweighting import PooledSamples

FloatArray = npt.NDArray[np.float64]
Loss = Literal["student", "gauss"]
Block = tuple[int, ...]

#: Degrees of freedom of the tails.
STUDENT = 5.0
#: Correlation of model errors of one solute in two phases of one family.
FAMILY_CORRELATION = 0.8
#: Prior median of τ: [kJ/mol], and in parts of the measured value; prior standard deviation of ln τ.
TYPICAL = {"transfer_free_energy": 2.0, "density": 0.06, "surface_tension": 0.15}
TYPICAL_SPREAD = 1.0
#: Most turns between model errors and weights; they end when neither changes by more than this part.
_PASSES, _SAME = 20, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSettings:
    """The ``[cost]`` section.

    Attributes
    ----------
    loss : {"student", "gauss"}
        Whether outliers are given less weight.
    correlated : bool
        Whether the residuals of one molecule are taken as correlated.
    """

    loss: Loss = "student"
    correlated: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetValues:
    """All targets at one x.

    Attributes
    ----------
    differences : (n,) float64
        Calculated - measured.
    jacobian : (n, P) float64
        ∂calculated/∂x.
    legs : mapping of system to (n,) float64
        Statistical error that each simulated system brings into each target, with its sign; nan where not asked for.
    n_effective : (n,) float64
    standard_errors : (n,) float64
    """

    differences: FloatArray
    jacobian: FloatArray
    legs: Mapping[str, FloatArray]
    n_effective: FloatArray
    standard_errors: FloatArray

    def simulation(self) -> FloatArray:
        """Covariance S (n, n) of the statistical errors."""
        table = np.zeros((len(self.differences), len(self.differences)))
        for _, leg in sorted(self.legs.items()):
            table += np.outer(leg, leg)
        return table


def calculate_targets(
    targets: Sequence[Target],
    samples: Mapping[str, PooledSamples],
    space: ParameterSpace,
    x: FloatArray,
    *,
    error: bool = True,
    min_effective: float = 0.0,
) -> TargetValues:
    """Every target at ``x``, with the covariance of their statistical errors (nan without ``error``).

    Raises
    ------
    SamplingError
        Too little overlap along λ, or fewer effective samples than ``min_effective``.
    """
    found, slopes = [], []
    for target in targets:
        theta = space.coefficients(x, target.temperature)
        one = target.calculate(samples, theta, space.terms, min_effective=min_effective, error=error)
        found.append(one)
        slopes.append(one.gradient @ space.coefficient_jacobian(x, target.temperature))
    legs: dict[str, FloatArray] = {}
    for i, one in enumerate(found):
        for system, sign, standard_error in one.legs:
            legs.setdefault(system, np.zeros(len(targets)))[i] = sign * standard_error
    return TargetValues(
        differences=np.array([f.value - t.measured for f, t in zip(found, targets)], dtype=np.float64),
        jacobian=np.array(slopes, dtype=np.float64).reshape(len(targets), len(space)),
        legs=legs,
        n_effective=np.array([f.n_effective for f in found], dtype=np.float64),
        standard_errors=np.array([f.standard_error for f in found], dtype=np.float64),
    )


def blocks_of(targets: Sequence[Target], *, correlated: bool = True) -> tuple[Block, ...]:
    """Targets whose residuals belong together: of one molecule and one quantity."""
    groups: dict[object, list[int]] = {}
    for i, target in enumerate(targets):
        groups.setdefault((target.quantity, target.molecule_key) if correlated else i, []).append(i)
    return tuple(tuple(group) for group in groups.values())


def model_correlation(targets: Sequence[Target], blocks: Sequence[Block]) -> FloatArray:
    """c (n, n): 1 on the diagonal, correlations within blocks, else 0."""
    table = np.eye(len(targets))
    for block in blocks:
        for i in block:
            for j in block:
                if i != j:
                    table[i, j] = _likeness(targets[i], targets[j])
    return table


def _likeness(a: Target, b: Target) -> float:
    if not (isinstance(a, TransferTarget) and isinstance(b, TransferTarget)):
        return FAMILY_CORRELATION  # one property of one liquid, at another temperature
    pairs = [(sa * sb, _end_likeness(pa, fa, pb, fb)) for pa, fa, sa in a.phase_legs() for pb, fb, sb in b.phase_legs()]
    norm = [sum(s * _end_likeness(*p, *q) for p, q, s in _self_legs(t)) for t in (a, b)]
    return float(sum(sign * like for sign, like in pairs) / np.sqrt(norm[0] * norm[1]))


def _self_legs(target: TransferTarget) -> list[tuple[tuple[str, str], tuple[str, str], float]]:
    legs = target.phase_legs()
    return [((p, f), (q, g), s * t) for p, f, s in legs for q, g, t in legs]


def _end_likeness(phase: str, family: str, other: str, other_family: str) -> float:
    return 1.0 if phase == other else FAMILY_CORRELATION if family == other_family else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorModel:
    """What residuals are measured in.

    Attributes
    ----------
    blocks : tuple of tuples of int
    parts : (n, n) float64 thrice
        E, S and M, zero between blocks.
    weights : (n_blocks,) float64
        u_b.
    learnt : mapping of class to float
        τ of the classes that were learnt: [kJ/mol], or in parts of the measured value.
    loss : {"student", "gauss"}
    """

    blocks: tuple[Block, ...]
    experiment: FloatArray
    simulation: FloatArray
    model: FloatArray
    weights: FloatArray
    learnt: Mapping[str, float]
    loss: Loss

    def covariance(self) -> FloatArray:
        """C (n, n), without the weights."""
        return self.experiment + self.simulation + self.model

    def whitener(self, *, simulation: bool = True, weighted: bool = True) -> FloatArray:
        """A (n, n) with AᵀA = the inverse of C/u: residuals are A d. Without ``simulation`` as if runs were endless."""
        total = self.covariance() if simulation else self.experiment + self.model
        table = np.zeros_like(total)
        for block, weight in zip(self.blocks, self.weights):
            at = np.ix_(block, block)
            inverse = np.linalg.inv(np.linalg.cholesky(total[at]))
            table[at] = inverse * np.sqrt(weight if weighted else 1.0)
        return table

    def distances(self, differences: FloatArray) -> FloatArray:
        """q_b of every block."""
        whitened = self.whitener(weighted=False) @ differences
        return np.array([whitened[list(block)] @ whitened[list(block)] for block in self.blocks])

    def costs(self, differences: FloatArray) -> FloatArray:
        """Loss of every block, (n_blocks,)."""
        q = self.distances(differences)
        n = np.array([len(block) for block in self.blocks], dtype=np.float64)
        tail = 0.5 * n + 0.5 * (STUDENT + n) * np.log((STUDENT + q) / (STUDENT + n))
        return np.where(q <= n, 0.5 * q, tail) if self.loss == "student" else 0.5 * q

    def resembles(self, other: ErrorModel, tolerance: float) -> bool:
        """Whether weights and learnt model errors are the same to a relative ``tolerance``."""
        taus = np.allclose(list(self.learnt.values()), list(other.learnt.values()), rtol=tolerance)
        return bool(taus and np.allclose(self.weights, other.weights, rtol=tolerance))

    def target_errors(self) -> FloatArray:
        """Square roots of the diagonal of C, (n,)."""
        return np.sqrt(np.diag(self.covariance()))


def learn_errors(
    targets: Sequence[Target],
    values: TargetValues,
    space: ParameterSpace,
    x: FloatArray,
    settings: CostSettings,
    *,
    start: ErrorModel | None = None,
) -> ErrorModel:
    """The error model that the residuals at ``x`` themselves ask for, ``x`` held.

    Parameters
    ----------
    targets, values : sequence of Target, TargetValues
        ``values`` with errors.
    space, x : ParameterSpace, (P,) float64
    settings : CostSettings
    start : ErrorModel, optional
        Where to start from.
    """
    blocks = blocks_of(targets, correlated=settings.correlated)
    inside = np.zeros((len(targets), len(targets)))
    for block in blocks:
        inside[np.ix_(block, block)] = 1.0
    experiment = np.diag([t.uncertainty**2 for t in targets])
    simulation = values.simulation() * inside
    correlation = model_correlation(targets, blocks)
    classes = sorted({t.error_class for t in targets if t.learn_model_error})
    tau = {c: (start.learnt.get(c) if start else None) or _typical(c) for c in classes}
    weights = np.ones(len(blocks))
    kept = start if start is not None and start.blocks == blocks else None
    if kept is not None:
        weights = kept.weights
    n = np.array([len(block) for block in blocks], dtype=np.float64)
    found = ErrorModel(
        blocks=blocks,
        experiment=experiment,
        simulation=simulation,
        model=_model_covariance(targets, correlation, tau),
        weights=weights,
        learnt=tau,
        loss=settings.loss,
    )
    for _ in range(_PASSES):
        before = found
        if classes:
            known = experiment + simulation
            tau = _most_likely(targets, values, space, x, known, correlation, blocks, found.weights, found.learnt)
            found = replace(found, learnt=tau, model=_model_covariance(targets, correlation, tau))
        if settings.loss == "gauss":
            break
        weights = np.minimum(1.0, (STUDENT + n) / (STUDENT + found.distances(values.differences)))
        found = replace(found, weights=weights)
        if found.resembles(before, _SAME):
            break
    return found


def _typical(error_class: str) -> float:
    return TYPICAL[error_class.split()[0]]


def _model_covariance(targets: Sequence[Target], correlation: FloatArray, tau: Mapping[str, float]) -> FloatArray:
    sizes = np.array(
        [tau[t.error_class] * t.error_scale if t.learn_model_error else t.model_error for t in targets],
        dtype=np.float64,
    )
    return correlation * np.outer(sizes, sizes)


def _most_likely(
    targets: Sequence[Target],
    values: TargetValues,
    space: ParameterSpace,
    x: FloatArray,
    known: FloatArray,
    correlation: FloatArray,
    blocks: Sequence[Block],
    weights: FloatArray,
    tau: Mapping[str, float],
) -> dict[str, float]:
    """τ of the learnt classes at the maximum of evidence times prior."""
    from scipy.optimize import minimize

    classes = list(tau)
    linear = values.differences - values.jacobian @ (x - space.start())
    spread = values.jacobian * space.prior_widths()
    free = spread @ spread.T
    scale = np.zeros(len(targets))
    for block, weight in zip(blocks, weights):
        scale[list(block)] = 1.0 / np.sqrt(weight)
    typical = np.log([_typical(c) for c in classes])

    def loss(log_tau: FloatArray) -> float:
        model = _model_covariance(targets, correlation, dict(zip(classes, np.exp(log_tau))))
        total = (known + model) * np.outer(scale, scale) + free
        lower = np.linalg.cholesky(total)
        whitened = np.linalg.solve(lower, linear)
        evidence = np.log(np.diag(lower)).sum() + 0.5 * whitened @ whitened
        return float(evidence + 0.5 * np.sum(((log_tau - typical) / TYPICAL_SPREAD) ** 2))

    start = np.log([tau[c] for c in classes])
    best = minimize(
        loss,
        start,
        method="L-BFGS-B",
        bounds=[(t - 5.0, t + 3.0) for t in typical],
        options={"ftol": 1e-6, "eps": 1e-4},
    )
    return {c: float(np.exp(v)) for c, v in zip(classes, best.x)}
