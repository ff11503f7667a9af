"""The fit behind a table of classes: strengths of beads from their atoms, classes of like strength, and classes refined.

Unknown are *places*: where the ε of a bead with each kind of solvent bead lies between the weakest (0) and the strongest
(1) of the parent table for its size. Calculated free energies follow from the reduced sums of shapes
(:class:`topdown.estimators.reduced_sums.ReducedSums`), exactly, with their gradient, so that three fits take minutes:

1. *continuous*: place = base + size + Σ weights of the bead's features, Gauss-Newton on all free energies at once, weights
   shrunk towards zero, more so the more special a feature is, and towards what they are with the other solvents as far as
   solvents go together;
2. *grouping*: beads are clustered (k-means, k-means++ starts) by what their places do to the free energies;
3. *refinement*: with every bead in its nearest class, the places of the classes themselves are fitted, near the centroids.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from topdown.estimators.reduced_sums import ReducedSums
from topdown.mapping.class_rounding import round_together
from topdown.model import BeadTable
from topdown.model.bead import SIZES
from topdown.properties.shapes import inner_epsilon, place_range

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Feature = tuple[int, str]

#: What a feature of each level is divided by before weights of all are shrunk alike: general ones are cheap.
PENALTIES: Final = {0: 0.3, 1: 0.6, 2: 1.0, 3: 1.5, 4: 2.0, 5: 2.0, 6: 0.3}
#: Size of the intercepts of base and sizes in the same measure: nearly free.
_INTERCEPT: Final = 10.0
#: Where strengths may lie.
PLACE_LIMITS: Final = (-0.25, 1.35)
#: Decimals of the places of classes: what is made of them does not depend on the last digits of a fit, in which processors,
#: libraries and numbers of threads differ. 0.0001 is 0.003 kJ/mol in a free energy.
PLACE_DIGITS: Final = 4
#: Largest change of a place in one iteration.
_LARGEST_STEP: Final = 0.6
#: Fits, of few iterations, that the correlations between solvents are taken from, and what of them is held back.
_PASSES: Final = 2
_FIRST_ITERATIONS: Final = 3
_UNCORRELATED: Final = 0.3
#: Weight of the hydration free energy among the coordinates in which classes are near each other.
_HYDRATION: Final = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassMolecule:
    """A molecule of the fit.

    Attributes
    ----------
    smiles : str
    sizes : tuple of {"R", "S", "T"}
    features : tuple of mapping
        Of every bead.
    shape : str
        Name of the shape that stands for it.
    order : tuple of int
        Which of its beads is bead k of the shape.
    """

    smiles: str
    sizes: tuple[str, ...]
    features: tuple[Mapping[Feature, float], ...]
    shape: str
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A measured free energy of one molecule.

    Attributes
    ----------
    molecule : int
    phase : str
        ΔG(phase → water); ``"gas"`` for hydration.
    value, error : float
        [kJ/mol]; the error is that of experiment and model together.
    calibration : bool
        Whether it may be fitted.
    """

    molecule: int
    phase: str
    value: float
    error: float
    calibration: bool


class ClassProblem:
    """Molecules, sums and observations, ready to be evaluated at any places.

    Parameters
    ----------
    molecules : sequence of ClassMolecule
    observations : sequence of Observation
    sums : mapping of phase to mapping of shape to ReducedSums
        ``"water"`` and every phase of the observations but the gas.
    table : BeadTable
        The parent, whose range of ε places refer to.
    solvents : sequence of str
        The V solvent bead types.
    """

    def __init__(
        self,
        molecules: Sequence[ClassMolecule],
        observations: Sequence[Observation],
        sums: Mapping[str, Mapping[str, ReducedSums]],
        table: BeadTable,
        solvents: Sequence[str],
    ) -> None:
        self.molecules, self.observations = tuple(molecules), tuple(observations)
        self.phases, self.solvents, self._sums, self._table = tuple(sums), tuple(solvents), sums, table
        self.first = np.concatenate([[0], np.cumsum([len(m.sizes) for m in molecules])]).astype(np.int64)
        self.sizes = np.array([size for m in molecules for size in m.sizes])
        self.features = tuple(found for m in molecules for found in m.features)
        ranges = np.array([[place_range(table, size, v) for v in solvents] for size in self.sizes])
        self._low, self._span = ranges[..., 0], ranges[..., 1]
        self._of_shape: dict[str, list[int]] = defaultdict(list)
        for k, molecule in enumerate(molecules):
            self._of_shape[molecule.shape].append(k)
        self._water = self.phases.index("water")
        self._molecule = np.array([o.molecule for o in observations], dtype=np.int64)
        # the phase of the gas is none
        self._phase = np.array([-1 if o.phase == "gas" else self.phases.index(o.phase) for o in observations])
        self.measured = np.array([o.value for o in observations])
        self.errors = np.array([o.error for o in observations])
        self.fitted = np.array([o.calibration for o in observations])
        beads = np.zeros(self.n_beads, dtype=bool)
        for o in observations:
            if o.calibration:
                beads[self.first[o.molecule] : self.first[o.molecule + 1]] = True
        self.fitted_beads = beads

    @property
    def n_beads(self) -> int:
        """Beads of all molecules."""
        return len(self.sizes)

    def beads_of(self, part: ClassProblem) -> IntArray:
        """Numbers that the beads of another problem, of some of the same molecules, have here."""
        place = {m.smiles: k for k, m in enumerate(self.molecules)}
        theirs = [place[m.smiles] for m in part.molecules]
        return np.concatenate([np.arange(self.first[k], self.first[k + 1]) for k in theirs])

    def with_observations(self, observations: Sequence[Observation]) -> ClassProblem:
        """The same molecules with other observations, or others of them to be fitted."""
        return ClassProblem(self.molecules, observations, self._sums, self._table, self.solvents)

    def transfers(self, of_phases: FloatArray) -> FloatArray:
        """Phase → water for every observation, from something (n_phases, n_molecules, …) of gas → phase."""
        found: FloatArray = of_phases[self._water, self._molecule]
        liquid = self._phase >= 0
        found[liquid] -= of_phases[self._phase[liquid], self._molecule[liquid]]
        return found

    def evaluate(self, places: FloatArray) -> Evaluation:
        """Everything calculated at ``places`` (n_beads, V)."""
        epsilon = np.maximum(self._low + places * self._span, 0.02)
        n_phases, n_solvents = len(self.phases), len(self.solvents)
        values, effective = np.zeros((n_phases, len(self.molecules))), np.zeros((n_phases, len(self.molecules)))
        slopes = np.zeros((n_phases, self.n_beads, n_solvents))
        for p, phase in enumerate(self.phases):
            for shape, members in self._of_shape.items():
                reduced = self._sums[phase][shape]
                kinds = np.array([self.solvents.index(other) for _, other in reduced.pairs])
                own = [int(name.partition("#")[2]) for name, _ in reduced.pairs]
                beads = np.array([[self.first[k] + self.molecules[k].order[b] for b in own] for k in members])
                inner = [inner_epsilon(self._table, a[0], b[0]) for a, b in reduced.inner_pairs]
                asked = np.concatenate([epsilon[beads, kinds], np.tile(inner, (len(members), 1))], axis=1)
                found, gradients, n_effective = reduced.couplings(asked)
                values[p, members], effective[p, members] = found, n_effective
                np.add.at(slopes[p], (beads, kinds), gradients[:, : len(kinds)] * self._span[beads, kinds])
        return Evaluation(problem=self, values=values, slopes=slopes, n_effective=effective)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What :meth:`ClassProblem.evaluate` found.

    Attributes
    ----------
    problem : ClassProblem
    values : (n_phases, n_molecules) float64 [kJ/mol]
        ΔG(gas → phase).
    slopes : (n_phases, n_beads, V) float64 [kJ/mol]
        Its derivative by each place.
    n_effective : (n_phases, n_molecules) float64
    """

    problem: ClassProblem
    values: FloatArray
    slopes: FloatArray
    n_effective: FloatArray

    def calculated(self) -> FloatArray:
        """Of every observation [kJ/mol]."""
        return self.problem.transfers(self.values)

    def jacobian(self, design: FloatArray) -> FloatArray:
        """∂calculated/∂x of places = design · x, x being (V, F) flattened; design is (n_beads, F)."""
        problem = self.problem
        per_bead = self.slopes[..., None] * design[:, None, :]
        flat = per_bead.reshape(len(problem.phases), problem.n_beads, -1)
        return problem.transfers(np.add.reduceat(flat, problem.first[:-1], axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class ContinuousFit:
    """Strengths as sums over features.

    Attributes
    ----------
    names : tuple of Feature
    base : (V,) float64
    sizes : (3, V) float64
    weights : (n_features, V) float64
    places : (n_beads, V) float64
    evaluation : Evaluation
    """

    names: tuple[Feature, ...]
    base: FloatArray
    sizes: FloatArray
    weights: FloatArray
    places: FloatArray
    evaluation: Evaluation


def fit_continuous(
    problem: ClassProblem,
    base: FloatArray,
    *,
    width: float,
    correlated: bool = False,
    n_iterations: int = 8,
    report: Callable[[str], None] | None = None,
) -> ContinuousFit:
    """Fit weights of features to the calibration observations.

    Parameters
    ----------
    problem : ClassProblem
    base : (V,) float64
        Place that a bead without features has.
    width : float
        Standard deviation of a weight before any data.
    correlated : bool
        Whether the weights of a feature with the several solvents are correlated before any data. How much, is found by
        empirical Bayes: from the weights of a fit without, and once more of one with, a share of :data:`_UNCORRELATED` held
        back. A solvent with few data so learns from the others.
    n_iterations : int
    report : callable, optional
        Told a line after every iteration.
    """
    names, design = _design(problem)
    n_solvents, n_columns = len(problem.solvents), design.shape[1]
    correlations = np.eye(n_solvents)
    for _ in range(_PASSES if correlated else 0):
        x, _ = _fitted_weights(
            problem, base, design, _precision(correlations, len(names), n_columns) / width**2, _FIRST_ITERATIONS
        )
        correlations = _UNCORRELATED * np.eye(n_solvents) + (1 - _UNCORRELATED) * _cosines(x[:, : len(names)])
    precision = _precision(correlations, len(names), n_columns) / width**2
    x, evaluation = _fitted_weights(problem, base, design, precision, n_iterations, report)
    scale = np.array([PENALTIES[level] for level, _ in names])
    return ContinuousFit(
        names=names,
        base=base,
        sizes=_INTERCEPT * x[:, len(names) :].T,
        weights=x[:, : len(names)].T / scale[:, None],
        places=_clipped(base + design @ x.T),
        evaluation=evaluation,
    )


def _cosines(x: FloatArray) -> FloatArray:
    """Correlations (V, V) about zero of the rows of ``x`` (V, n)."""
    second = x @ x.T
    size = np.sqrt(np.maximum(np.diag(second), 1e-300))
    found: FloatArray = second / np.outer(size, size)
    np.fill_diagonal(found, 1.0)
    return found


def _precision(correlations: FloatArray, n_features: int, n_columns: int) -> FloatArray:
    """Inverse prior covariance of x (V, n_columns) flattened, of unit width; intercepts are not correlated."""
    is_feature = (np.arange(n_columns) < n_features).astype(float)
    features = np.kron(np.linalg.inv(correlations), np.diag(is_feature))
    intercepts = np.kron(np.eye(len(correlations)), np.diag(1.0 - is_feature))
    return np.asarray(features + intercepts, dtype=np.float64)


def _fitted_weights(
    problem: ClassProblem,
    base: FloatArray,
    design: FloatArray,
    precision: FloatArray,
    n_iterations: int,
    report: Callable[[str], None] | None = None,
) -> tuple[FloatArray, Evaluation]:
    """Weights (V, n_columns) of the lowest cost that Gauss-Newton meets, and what they give."""
    fitted = problem.fitted
    measured, errors = problem.measured[fitted], problem.errors[fitted]
    x = np.zeros((len(problem.solvents), design.shape[1]))
    best: tuple[float, FloatArray, Evaluation] | None = None
    evaluation = problem.evaluate(_clipped(base + design @ x.T))
    off = (evaluation.calculated()[fitted] - measured) / errors
    for iteration in range(n_iterations):
        rows = evaluation.jacobian(design)[fitted] / errors[:, None]
        step = np.linalg.solve(rows.T @ rows + precision, rows.T @ (rows @ x.ravel() - off)).reshape(x.shape) - x
        largest = float(np.abs(design @ step.T).max())
        x = x + min(1.0, _LARGEST_STEP / largest) * step
        evaluation = problem.evaluate(_clipped(base + design @ x.T))
        off = (evaluation.calculated()[fitted] - measured) / errors
        cost = float(off @ off + x.ravel() @ precision @ x.ravel())
        if report is not None:
            report(f"continuous fit, iteration {iteration + 1}: cost {cost:.1f}, largest step {largest:.3f}")
        if best is None or cost < best[0]:
            best = (cost, x, evaluation)
        if largest < 0.03:
            break
    assert best is not None
    return best[1:]


def _design(problem: ClassProblem) -> tuple[tuple[Feature, ...], FloatArray]:
    """Features of fitted beads, and what a unit of the weight of each, and of the three sizes, adds to every bead's place."""
    counted = Counter(f for found, fitted in zip(problem.features, problem.fitted_beads) if fitted for f in found)
    names = tuple(sorted(counted))
    index = {name: k for k, name in enumerate(names)}
    design = np.zeros((problem.n_beads, len(names) + 3))
    for row, (found, size) in enumerate(zip(problem.features, problem.sizes)):
        for feature, count in found.items():
            if feature in index:
                design[row, index[feature]] = count / PENALTIES[feature[0]]
        design[row, len(names) + SIZES.index(size)] = _INTERCEPT
    return names, design


def _clipped(places: FloatArray) -> FloatArray:
    return np.clip(places, *PLACE_LIMITS)


def class_metric(evaluation: Evaluation, phases: Sequence[str]) -> FloatArray:
    """What a unit of place does to each free energy of transfer and to hydration, (3 sizes, C, V) [kJ/mol], mean of fitted beads.

    Parameters
    ----------
    evaluation : Evaluation
    phases : sequence of str
        Other than water; C is one more than their number.
    """
    problem = evaluation.problem
    rows = []
    for size in SIZES:
        rows_of_size = (problem.sizes == size) & problem.fitted_beads
        mean = evaluation.slopes[:, rows_of_size if rows_of_size.any() else problem.fitted_beads].mean(axis=1)
        water = mean[problem.phases.index("water")]
        rows.append([*(mean[problem.phases.index(p)] - water for p in phases), _HYDRATION * water])
    return np.array(rows)


def cluster(
    places: FloatArray,
    sizes: npt.NDArray[np.str_],
    metric: FloatArray,
    n_classes: int,
    rng: np.random.Generator,
    start: FloatArray | None = None,
) -> FloatArray:
    """Places (K, V) of classes: k-means in the free energies, the distance taken with the metric of each bead's own size.

    From ``start`` (K, V) where it is given, so that classes stay what they were; else of eight k-means++ starts (Arthur and
    Vassilvitskii 2007) the best.
    """
    of_bead = metric[[SIZES.index(s) for s in sizes]]

    def squared(centres: FloatArray) -> FloatArray:
        return np.asarray((np.einsum("ncv,nkv->nkc", of_bead, places[:, None] - centres[None]) ** 2).sum(axis=2))

    def settled(centres: FloatArray) -> FloatArray:
        for _ in range(60):
            owner = squared(centres).argmin(axis=1)
            centres = np.stack(
                [places[owner == k].mean(axis=0) if np.any(owner == k) else centres[k] for k in range(n_classes)]
            )
        return centres

    if start is not None:
        return settled(start)
    best: tuple[float, FloatArray] | None = None
    for _ in range(8):
        centres = places[rng.integers(len(places))][None]
        while len(centres) < n_classes:
            nearest = squared(centres).min(axis=1)
            centres = np.concatenate([centres, places[rng.choice(len(places), p=nearest / nearest.sum())][None]])
        centres = settled(centres)
        total = float(squared(centres).min(axis=1).sum())
        if best is None or total < best[0]:
            best = (total, centres)
    assert best is not None
    return best[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassFit:
    """Classes and what they give.

    Attributes
    ----------
    places : (K, V) float64
    errors : (K, V) float64
        Posterior standard deviations of the places.
    prior : (K, V) float64
        Centroids, from which the refinement started.
    width : float
        Standard deviation of a place about its centroid before refinement.
    owner : (n_beads,) int64
        Class of every bead.
    evaluation : Evaluation
    """

    places: FloatArray
    errors: FloatArray
    prior: FloatArray
    width: float
    owner: IntArray
    evaluation: Evaluation


def assign_classes(problem: ClassProblem, places: FloatArray, classes: FloatArray, metric: FloatArray) -> IntArray:
    """The class of every bead, chosen for each molecule together (:func:`topdown.mapping.class_rounding.round_together`).

    Parameters
    ----------
    problem : ClassProblem
    places : (n_beads, V) float64
    classes : (K, V) float64
    metric : (3, C, V) float64 [kJ/mol]
    """
    of_bead = metric[[SIZES.index(s) for s in problem.sizes]]
    off = np.einsum("ncv,nkv->nkc", of_bead, classes[None] - places[:, None])
    return np.concatenate([round_together(off[a:b]) for a, b in zip(problem.first[:-1], problem.first[1:])])


def refine_classes(
    problem: ClassProblem, owner: IntArray, start: FloatArray, *, width: float, n_iterations: int = 4
) -> ClassFit:
    """Fit the places of classes with the beads in them held.

    Parameters
    ----------
    problem : ClassProblem
    owner : (n_beads,) int64
    start : (K, V) float64
        Prior mean.
    width : float
        Prior standard deviation of every place.
    n_iterations : int
        Of Gauss-Newton.
    """
    n_classes, n_solvents = start.shape
    design = np.zeros((problem.n_beads, n_classes))
    design[np.arange(problem.n_beads), owner] = 1.0
    places, fitted = start.copy(), problem.fitted
    normal = np.eye(n_classes * n_solvents)
    for _ in range(n_iterations):
        evaluation = problem.evaluate(places[owner])
        rows = evaluation.jacobian(design)[fitted] / problem.errors[fitted, None]
        off = (evaluation.calculated() - problem.measured)[fitted] / problem.errors[fitted]
        moved = (places - start).T.ravel()
        normal = rows.T @ rows + np.eye(rows.shape[1]) / width**2
        places = _clipped(
            start + np.linalg.solve(normal, rows.T @ (rows @ moved - off)).reshape(n_solvents, n_classes).T
        )
    errors = np.sqrt(np.diag(np.linalg.inv(normal))).reshape(n_solvents, n_classes).T
    places = np.round(places, PLACE_DIGITS)
    return ClassFit(
        places=places,
        errors=errors,
        prior=start,
        width=width,
        owner=owner,
        evaluation=problem.evaluate(places[owner]),
    )
