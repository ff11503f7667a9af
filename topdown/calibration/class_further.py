"""Classes in further solvents: places with their beads, fitted when the classes are known already.

A class keeps its atoms and what it does in the solvents it was made with; asked for are its places with the beads of
others. Those follow from the places it has by a linear map, the same for all classes, near the one that the types of
the parent table show among themselves, and by a deviation of each class. Both are fitted to free energies of transfer from the
further solvents, as places are in :mod:`topdown.calibration.class_fit`: exactly, with gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topdown.calibration.class_fit import PLACE_DIGITS, PLACE_LIMITS, ClassProblem, Evaluation
from topdown.calibration.class_table import places_of
from topdown.model import BeadTable
from topdown.model._arrays import FloatArray, IntArray
from topdown.properties.shapes import neutral_types


@dataclass(frozen=True, kw_only=True, eq=False)
class FurtherFit:
    """Places of classes with further solvent beads.

    Attributes
    ----------
    solvents : tuple of str
        The E further solvent bead types.
    places, errors : (K, E) float64
        Fitted, and their posterior standard deviations.
    evaluation : Evaluation
        Of the problem at these places; its last E solvents are the further ones.
    """

    solvents: tuple[str, ...]
    places: FloatArray
    errors: FloatArray
    evaluation: Evaluation


def parent_map(table: BeadTable, known: tuple[str, ...], further: tuple[str, ...]) -> FloatArray:
    """Least-squares map (1 + V, E) from 1 and the places with ``known`` solvent beads to those with ``further`` ones.

    Over all neutral types of the parent table, in all sizes.
    """
    types = neutral_types(table)
    rows = np.column_stack([np.ones(len(types)), places_of(table, types, known)])
    return np.asarray(np.linalg.lstsq(rows, places_of(table, types, further), rcond=None)[0])


def fit_further(
    problem: ClassProblem,
    owner: IntArray,
    places: FloatArray,
    start: FloatArray,
    *,
    map_width: float,
    class_width: float,
    n_iterations: int = 5,
) -> FurtherFit:
    """Fit places of K classes with the last E solvents of ``problem``.

    Parameters
    ----------
    problem : ClassProblem
        Its solvents are the V that classes were made with, then the E further ones.
    owner : (n_beads,) int64
        Class of every bead.
    places : (K, V) float64
        Of the classes, held.
    start : (1 + V, E) float64
        The map before any data (:func:`parent_map`).
    map_width, class_width : float
        Prior standard deviations of the elements of the map, and of the deviations of classes from it.
    n_iterations : int
        Of Gauss-Newton.
    """
    n_classes, n_known = places.shape
    n_further = len(problem.solvents) - n_known
    # what a class's place is made of: the map's row, and a deviation of its own
    linear = np.column_stack([np.ones(n_classes), places])
    of_class = np.column_stack([linear, np.eye(n_classes)])
    widths = np.concatenate([np.full(linear.shape[1], map_width), np.full(n_classes, class_width)])
    precision = np.tile(widths**-2.0, n_further)
    x = np.zeros((n_further, of_class.shape[1]))
    found, covariance = _places(linear @ start, of_class, x), np.diag(1.0 / precision)
    fitted = problem.fitted
    for _ in range(n_iterations):
        evaluation = problem.evaluate(np.hstack([places, found])[owner])
        by_place = evaluation.jacobian(of_class[owner])[fitted].reshape(fitted.sum(), len(problem.solvents), -1)
        rows = by_place[:, n_known:].reshape(len(by_place), -1) / problem.errors[fitted, None]
        off = (evaluation.calculated() - problem.measured)[fitted] / problem.errors[fitted]
        covariance = np.linalg.inv(rows.T @ rows + np.diag(precision))
        x = (covariance @ rows.T @ (rows @ x.ravel() - off)).reshape(x.shape)
        found = _places(linear @ start, of_class, x)
    blocks = covariance.reshape(n_further, of_class.shape[1], n_further, of_class.shape[1])
    variance = np.stack([np.einsum("kf,fg,kg->k", of_class, blocks[e, :, e], of_class) for e in range(n_further)])
    found = np.round(found, PLACE_DIGITS)
    return FurtherFit(
        solvents=problem.solvents[n_known:],
        places=found,
        errors=np.sqrt(variance).T,
        evaluation=problem.evaluate(np.hstack([places, found])[owner]),
    )


def _places(start: FloatArray, of_class: FloatArray, x: FloatArray) -> FloatArray:
    return np.clip(start + of_class @ x.T, *PLACE_LIMITS)
