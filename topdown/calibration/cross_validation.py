"""What a fit is worth for molecules it has not seen: fits made anew with some left out, by reweighting, without simulations.

Each part is left out of the targets in turn, with everything learnt from them – parameters, model errors, weights of
outliers – and calculated with what the others gave. Parts are made of molecules, a molecule's free energies, density and
surface tension together; and of chemotypes, whole kinds of molecule. What to simulate was decided with all targets in view.

A fit without some targets goes on from the fit with all, which is near its own minimum. But where samples end near there, it
may not be able to leave, and what it then says of the targets left out is what they themselves said: such a fit is made
again from the start table, which they have not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.calibration.error_model import calculate_targets
from topdown.calibration.fit import Fit, fit_targets
from topdown.calibration.problem import CalibrationProblem, derived_seed
from topdown.calibration.targets import Target
from topdown.errors import SamplingError
from topdown.estimators.reweighting import PooledSamples

FloatArray = npt.NDArray[np.float64]
Part = tuple[int, ...]

#: Turns between parameters and errors in the fits without some targets.
_TURNS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class LeftOut:
    """Targets as calculated by fits that had not seen them.

    Attributes
    ----------
    values : (n,) float64
        nan where no such fit could be made.
    limited : int
        Parts whose fit, made anew from the start table, was ended by its samples, not its cost.
    n_parts : int
    """

    values: FloatArray
    limited: int
    n_parts: int


def molecule_folds(targets: Sequence[Target], n_folds: int, seed: int) -> tuple[Part, ...]:
    """Targets divided by molecule into at most ``n_folds`` parts of nearly equal numbers of molecules."""
    molecules = sorted({t.molecule_key for t in targets})
    order = np.random.default_rng(derived_seed(seed, 0, "folds")).permutation(len(molecules))
    fold = {molecules[m]: place % n_folds for place, m in enumerate(order)}
    return _parts([fold[t.molecule_key] for t in targets])


def chemotype_parts(targets: Sequence[Target]) -> tuple[Part, ...]:
    """Targets by chemotype."""
    return _parts([t.chemotype for t in targets])


def _parts(keys: Sequence[object]) -> tuple[Part, ...]:
    groups: dict[object, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return tuple(tuple(groups[key]) for key in sorted(groups, key=str))


def leave_out(
    problem: CalibrationProblem,
    samples: Mapping[str, PooledSamples],
    x: FloatArray,
    parts: Sequence[Part],
    trusted: Callable[[FloatArray], bool],
) -> LeftOut | None:
    """Every calibration target from a fit without the part it is in; None when there are not two parts.

    Parameters
    ----------
    problem : CalibrationProblem
    samples : mapping of system to PooledSamples
        Of all calibration targets.
    x : (P,) float64
        Where the fit with all targets ended.
    parts : sequence of tuples of int
        Places among the calibration targets.
    trusted : function of (P,) array
        Whether samples support a point.
    """
    if len(parts) < 2:
        return None
    targets = problem.targets_of("calibration")
    values, limited = np.full(len(targets), np.nan), 0
    for part in parts:
        kept = [t for i, t in enumerate(targets) if i not in part]
        fit = _fit(problem, kept, samples, x, trusted)
        if fit is None or fit.limited:
            fit = _fit(problem, kept, samples, problem.space.start(), trusted)
            limited += fit is None or fit.limited
        if fit is None:
            continue
        out = [targets[i] for i in part]
        found = calculate_targets(out, samples, problem.space, fit.x, error=False)
        values[list(part)] = found.differences + np.array([t.measured for t in out])
    return LeftOut(values=values, limited=limited, n_parts=len(parts))


def _fit(
    problem: CalibrationProblem,
    targets: Sequence[Target],
    samples: Mapping[str, PooledSamples],
    start: FloatArray,
    trusted: Callable[[FloatArray], bool],
) -> Fit | None:
    """The fit to ``targets`` from ``start``; None when the samples do not even support that."""
    tolerance = max(problem.optimizer.tolerance, 0.05)
    try:
        return fit_targets(
            problem.space, targets, samples, start, trusted, problem.cost, tolerance=tolerance, most_turns=_TURNS
        )
    except SamplingError:
        return None
