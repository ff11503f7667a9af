"""Which classes stand for the beads of one molecule: near to each bead's own strengths, and right for the molecule together.

A class is rarely just what a bead asks for. If every bead took the nearest, what is left over would add up; here beads may take
a class a little further away where that brings the sum over the molecule nearer to what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: How much further than the nearest class a bead may go [kJ/mol], and how many classes it may choose from.
SLACK: Final = 2.0
MOST_CANDIDATES: Final = 5
#: Weight of the beads' own squared deviations beside the square of their sum.
OWN_WEIGHT: Final = 0.1
#: Kinds of beads whose classes are chosen together; larger molecules are gone through in such pieces, this often at most.
_BLOCK: Final = 5
#: How much further each piece begins than the one before.
_STRIDE: Final = 2
_MOST_SWEEPS: Final = 6
#: Beads whose deviations differ by less are alike [kJ/mol].
_ALIKE: Final = 1e-6


def round_together(deviations: FloatArray) -> IntArray:
    """The class of every bead of a molecule.

    The sum over beads of what the classes change is made small, and a tenth as much what they change in each bead:
    |Σ_b δ_b|² + ``OWN_WEIGHT`` Σ_b |δ_b|². The least of all choices for up to five kinds of beads; beyond that, five kinds at
    a time are chosen again until nothing changes.

    Parameters
    ----------
    deviations : (n_beads, K, C) float64 [kJ/mol]
        What each class in place of the bead's own strengths changes in C free energies.

    Returns
    -------
    (n_beads,) int64
        Beads of equal deviations, as equivalent ones have, get the same class. A bead alone gets the nearest.
    """
    kinds = _kinds(deviations)
    counts = np.array([len(members) for members in kinds], dtype=np.float64)
    off = np.array([deviations[members[0]] for members in kinds])
    squared = (off**2).sum(axis=2)
    candidates = [_candidates(row) for row in squared]
    chosen = np.array([own[0] for own in candidates])
    for _ in range(_MOST_SWEEPS):
        before = chosen.copy()
        for first in range(0, max(len(kinds) - _BLOCK + _STRIDE, 1), _STRIDE):
            block = range(first, min(first + _BLOCK, len(kinds)))
            others = [k for k in range(len(kinds)) if k not in block]
            rest = (counts[others, None] * off[others, chosen[others]]).sum(axis=0)
            chosen[list(block)] = _best([candidates[k] for k in block], off[block], squared[block], counts[block], rest)
        if len(kinds) <= _BLOCK or np.array_equal(before, chosen):
            break
    found = np.empty(len(deviations), dtype=np.int64)
    for kind, members in enumerate(kinds):
        found[members] = chosen[kind]
    return found


def _kinds(deviations: FloatArray) -> list[list[int]]:
    """Beads that ask for the same."""
    kinds: list[list[int]] = []
    for bead, own in enumerate(deviations):
        same = next((k for k in kinds if np.abs(deviations[k[0]] - own).max() < _ALIKE), None)
        if same is None:
            kinds.append([bead])
        else:
            same.append(bead)
    return kinds


def _candidates(squared: FloatArray) -> IntArray:
    """Classes that a bead may take, the nearest first."""
    order = np.argsort(squared, kind="stable")[:MOST_CANDIDATES]
    distances = np.sqrt(squared[order])
    return np.asarray(order[distances <= distances[0] + SLACK], dtype=np.int64)


def _best(
    candidates: Sequence[IntArray], off: FloatArray, squared: FloatArray, counts: FloatArray, rest: FloatArray
) -> list[int]:
    """The best choice for some kinds, the others adding ``rest`` to the sum; of equal ones that nearest to the first."""
    sums, own = rest[None], np.zeros(1)
    for allowed, deviation, square, count in zip(candidates, off, squared, counts):
        sums = (sums[:, None] + count * deviation[allowed]).reshape(-1, len(rest))
        own = (own[:, None] + count * square[allowed]).ravel()
    place = int(np.argmin((sums**2).sum(axis=1) + OWN_WEIGHT * own))
    picked = np.unravel_index(place, [len(allowed) for allowed in candidates])
    return [int(allowed[k]) for allowed, k in zip(candidates, picked)]
