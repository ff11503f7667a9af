"""Beads in the order of their places while a large system runs.

A step goes through the beads twice: by their numbers where they move, by their places where pairs act. Where these have nothing
to do with one another each bead costs a wait for memory. So within a run of many steps molecules of one bead that nothing tells
from one another, such as water's, change numbers every now and then: rows of positions, velocities and forces then lie nearly as
the slots of the pair lists do. ``labels`` says whose row each is; whoever looks at the state of a run finds it in the order of
the system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from topdown.engine._arrays import copy_numbers, copy_rows
from topdown.engine._jit import helper, part
from topdown.engine.centre_restraint import CentreRestraint
from topdown.model import System

if TYPE_CHECKING:
    from topdown.engine.frame import Frame
    from topdown.engine.neighbor_list import NeighborList

Indices = npt.NDArray[np.uint32]
#: Steps between two changes of the order: in 10 ps a bead of water goes 0.3 nm.
REORDER_EVERY = 500
#: Fewer beads fit the processor's nearest memory in any order.
FEWEST = 4096


def loose_beads(system: System, solute_component: int, restraint: CentreRestraint | None) -> tuple[Indices, Indices]:
    """The longest row of beads on which nothing but listed pairs acts, and which beads are alike (``PairParameters``).

    A solute that is coupled acts on all beads, and its neighbours are noted by number: there are none then.
    """
    rows, start = [], 0
    held = set() if restraint is None else {*restraint.group, *restraint.reference}
    for molecule, count in system.components:
        end = start + molecule.n_beads * count
        is_free = molecule.n_beads == 1 and not (molecule.position_restraints or molecule.flat_bottom_restraints)
        if is_free and solute_component < 0 and not any(start <= bead < end for bead in held):
            rows.append((start, end))
        start = end
    loose = max(rows, key=lambda row: row[1] - row[0], default=(0, 0))
    alike = np.arange(start, dtype=np.uint32)
    for first, last in rows:
        alike[first:last] = first
    is_useful = sum(last - first for first, last in rows) >= FEWEST
    return np.array(loose, np.uint32), alike if is_useful else alike[:0].copy()


def _per_bead(frame: Frame, near: NeighborList) -> tuple[npt.NDArray[Any], ...]:
    return (*frame[:3], near.reference, near.inner_reference, near.slot_of)


def into_rows(frame: Frame, near: NeighborList) -> None:
    """From the order of the system into that of ``labels``."""
    for array in _per_bead(frame, near):
        array[:] = array[near.labels]
    near.order[near.slot_of] = np.arange(len(near.labels))


def out_of_rows(frame: Frame, near: NeighborList) -> None:
    """What undoes :func:`into_rows`."""
    for array in _per_bead(frame, near):
        array[near.labels] = array.copy()
    near.order[near.slot_of] = np.arange(len(near.labels))


@helper
def _move(source: Any, array: Any) -> None:
    """``array[i] = array[source[i]]`` of before for all rows."""
    before = np.empty(array.shape)
    copy_rows(array, before)
    for i in range(array.shape[0]):
        k = np.int64(source[i])
        for d in range(3):
            array[i, d] = before[k, d]


@part
def renumber_beads(frame: Any, pair: Any, near: Any) -> int:
    """Bring rows into the order of the slots as far as beads are alike; positions must be in the slots, and no forces added."""
    labels, order, slot_of, alike = near.labels, near.order, near.slot_of, pair.alike
    n = alike.shape[0]
    source, label_before, next_row = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.int64)
    copy_numbers(labels, label_before)
    copy_numbers(alike, next_row)
    for slot in range(4 * near.counts[0]):
        i = np.int64(order[slot])
        if i < n:
            new = next_row[alike[i]]
            next_row[alike[i]] += 1
            source[new] = i
            order[slot] = new
            slot_of[new] = slot
    for row in range(n):
        labels[row] = label_before[source[row]]
    _move(source, frame.positions)
    _move(source, frame.velocities)
    _move(source, near.reference)
    _move(source, near.inner_reference)
    return 0
