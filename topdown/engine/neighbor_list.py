"""Pair lists: clusters of four beads against single beads.

Beads are sorted into columns and along z, so that four in a row lie close together: an *i-cluster*. Each cluster has a list of
single *j beads*, of which the kernels treat as many at a time as a register has lanes. At Martini's density less than half
of that work is wasted; clusters against clusters would waste three quarters.

Positions are kept as fractions of the box in 32-bit whole numbers: their differences wrap around by themselves, which makes
each the minimum image, without shifts or rounding, and finer (2e-10 of the box) than float32 would be.

There are two lists. The *outer* one holds all pairs within the list radius; from it the *inner* one, of pairs hardly beyond the
cut-off, is pruned every few steps. Both are exact: as soon as some bead has moved half of what a list reaches too far, it is
made anew (:func:`place` tells when). Excluded pairs and (when a solute is coupled) solute-solvent pairs are in neither.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._jit import helper, inlined, shared, uncounted
from topdown.engine._lent import lent
from topdown.engine._registers import LANES, WIDTH
from topdown.engine._simd import (
    fma,
    get_bits,
    isub,
    lane0,
    lane1,
    lane2,
    lane3,
    less,
    load,
    minimum,
    mul,
    prefetch,
    splat,
    store_where,
    to_float,
)
from topdown.engine._slots import cluster_positions, row_positions
from topdown.engine.parameter_arrays import PairParameters

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint32]
Wholes = npt.NDArray[np.int32]

#: Whole-number positions per box edge.
TURN = 4294967296.0
#: Rows past the last that may be read.
_AHEAD = 16
#: A mark of clusters whose beads are of several types, or have no list yet.
MIXED = -1


@lent
class NeighborList(NamedTuple):
    """Slots, clusters and lists. A slot holds a bead or nothing; the last slot is a dummy that fills up packs of j beads.

    Attributes
    ----------
    order, slot_of : bead of each slot (``n_beads`` for none), slot of each bead.
    slots : eight words to a slot: x, y, z as fractions of the box, and 8 times the bead type (one more than there are for none);
        then room for the *negative* force (float32).
    forces : the same memory read as float32.
    charges, charged : charge of each slot; whether a cluster has any.
    uniform : 8 times the type of the j beads of a cluster's plain packs where all are of one, else -1.
    table : 6 C6 [4] and 12 C12 [4] of a cluster's beads with each type; all clusters, all types.
    masked_start, masked_rows, masks : first pack of each cluster, j beads as 4 times their slot, a bit for each pair of a pack
        that counts: packs with excluded pairs, or of the cluster's own beads, and last those left over when the inner list is
        cut into whole packs.
    outer_start, outer_rows : packs in which all pairs count; a cluster's last row is that before the next one's first. A
        whole number of registers to a cluster.
    inner_start, inner_end, inner_rows : the same of the inner list, one cluster's rows behind the other's.
    labels : the bead of each row of the arrays while a run has them in another order (``bead_order``); n, or none.
    near_solute : beads not of the solute that the outer list's radius reaches from it; ``counts[3]`` of them.
    reference, inner_reference : positions the two lists were made at; they follow a barostat's scaling,
    radii : and the radii [nm] they hold shrink with it.
    counts : clusters, outer lists built, inner lists pruned, beads near the solute, and how many clusters lie between one and
        the last it has pairs with, about.
    """

    order: Indices
    slot_of: Indices
    slots: Wholes
    forces: Singles
    charges: Singles
    charged: npt.NDArray[np.bool_]
    uniform: Wholes
    table: Singles
    masked_start: Indices
    masked_rows: Indices
    masks: Indices
    outer_start: Indices
    outer_rows: Indices
    inner_start: Indices
    inner_end: Indices
    inner_rows: Indices
    labels: Indices
    near_solute: Indices
    reference: Floats
    inner_reference: Floats
    radii: Floats
    counts: npt.NDArray[np.int64]


def empty_neighbor_list(pair: PairParameters, box: Floats, radius: float, *, room: float = 1.0) -> NeighborList:
    """A list without pairs; ``room`` multiplies the space a liquid of this density needs."""
    n = len(pair.types)
    n_clusters = int(room * (1.05 * n / 4 + 2 * int(np.prod(column_grid(box, n)[:2])) / 3 + 16))
    pairs = n * min(n, n / float(np.prod(box)) * 4.19 * radius**3) / 2.0
    n_rows = int(room * (0.6 * pairs + 0.75 * WIDTH * n_clusters)) + 64
    n_masked = 8 * int(room * (2 * n_clusters + len(pair.exclusions) // 4 + 16))
    return _allocated(pair, n_clusters, n_masked, n_rows)


def _allocated(pair: PairParameters, n_clusters: int, n_masked: int, n_rows: int) -> NeighborList:
    n, n_slots, kinds = len(pair.types), 4 * n_clusters, pair.lj.shape[0] + 1

    def indices(size: int) -> Indices:
        return np.zeros(size, np.uint32)

    slots = _aligned(8 * (n_slots + 1))
    return NeighborList(
        order=np.full(n_slots + 1, n, np.uint32),
        slot_of=indices(n),
        slots=slots,
        forces=slots.view(np.float32),
        charges=np.zeros(n_slots + 1, np.float32),
        charged=np.zeros(n_clusters, np.bool_),
        uniform=np.full(n_clusters, MIXED, np.int32),
        table=_aligned(8 * kinds * n_clusters).view(np.float32),
        masked_start=indices(n_clusters + 1),
        masked_rows=indices(n_masked + _AHEAD),
        masks=indices((n_masked + _AHEAD) // LANES),
        outer_start=indices(n_clusters + 1),
        outer_rows=indices(n_rows + _AHEAD),
        inner_start=indices(n_clusters),
        inner_end=indices(n_clusters),
        inner_rows=indices(n_rows + _AHEAD),
        labels=np.arange(len(pair.alike), dtype=np.uint32),
        near_solute=indices(n if pair.solute_block[0] < pair.solute_block[1] else 0),
        reference=np.zeros((n, 3)),
        inner_reference=np.zeros((n, 3)),
        radii=np.zeros(2),
        counts=np.zeros(5, np.int64),
    )


def _aligned(size: int) -> Wholes:
    """Zeros that begin on a line of the processor's cache: a slot is half of one, and no slot lies across two."""
    raw = np.zeros(4 * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 4 * size].view(np.int32)


def roomier(near: NeighborList, pair: PairParameters, box: Floats, radius: float) -> NeighborList:
    """An empty list with half as much room again as ``near`` has, or more."""
    least = empty_neighbor_list(pair, box, radius)
    room = max(
        len(near.outer_rows) / len(least.outer_rows),
        len(near.masked_rows) / len(least.masked_rows),
        len(near.charged) / len(least.charged),
    )
    bigger = empty_neighbor_list(pair, box, radius, room=1.5 * room)
    bigger.counts[1:3] = near.counts[1:3]
    bigger.reference[:] = near.reference
    bigger.labels[:] = near.labels
    bigger.radii[:] = -1.0
    return bigger


#: What a checkpoint must hold of a list, the rows only as far as they are filled; :func:`restored` makes the rest again.
STORED = (
    "order", "masked_start", "masked_rows", "masks", "outer_start", "outer_rows", "inner_start", "inner_end", "inner_rows",
    "uniform", "labels", "near_solute", "reference", "inner_reference", "radii", "counts",
)  # fmt: skip


def stored(near: NeighborList) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of ``STORED`` without their unused ends."""
    n = int(near.counts[0])
    masked, outer = int(near.masked_start[n]), int(near.outer_start[n])
    arrays = {name: getattr(near, name) for name in STORED}
    for name, packs in (("masked", masked), ("outer", outer), ("inner", outer)):
        arrays[f"{name}_rows"] = arrays[f"{name}_rows"][: packs * LANES]
    arrays["masks"] = arrays["masks"][:masked]
    arrays["room"] = np.array([len(near.charged), len(near.masked_rows) - _AHEAD, len(near.outer_rows) - _AHEAD])
    return arrays


def restored(arrays: dict[str, npt.NDArray[np.generic]], pair: PairParameters) -> NeighborList:
    """A list from what :func:`stored` gave."""
    empty = _allocated(pair, *(int(size) for size in arrays["room"]))
    for name in STORED:
        array = arrays[name]
        getattr(empty, name)[: len(array)] = array
    n = len(pair.types)
    beads = empty.order[:-1]
    empty.slot_of[beads[beads < n]] = np.flatnonzero(beads < n)
    fill_tables(pair, empty)
    return empty


@helper
def minimum_image(d: float, edge: float) -> float:
    """The periodic image of a coordinate difference that lies in [-edge/2, edge/2]."""
    image: float = d - edge * np.rint(d / edge)
    return image


@helper
def margin(box: Any) -> float:
    """How much further than asked lists reach [nm], so that single-precision distances lose no pair at the very radius."""
    further: float = 1e-6 + 3e-7 * max(box[0], max(box[1], box[2]))
    return further


@helper
def scales(box: Any) -> Any:
    """From whole numbers to nm along each edge."""
    return splat(np.float32(box[0] / TURN)), splat(np.float32(box[1] / TURN)), splat(np.float32(box[2] / TURN))


@helper
def whole_number(fraction: float) -> Any:
    """A fraction of the box, of any image, as a whole number."""
    return np.int32(np.int64((fraction - np.rint(fraction)) * TURN))


@uncounted
def place(first: int, last: int, x: Any, box: Any, near: Any, needed: float) -> bool:
    """Bring positions of beads ``first`` … ``last - 1`` into ``slots``, forces there to zero.

    Returns whether, as far as these beads go, the inner list surely holds all pairs within ``needed``; false for NaN.
    """
    slots, slot_of, reference = near.slots, near.slot_of, near.inner_reference
    inverse_x, inverse_y, inverse_z = 1.0 / box[0], 1.0 / box[1], 1.0 / box[2]
    allowed = 0.5 * (near.radii[1] - needed)
    allowed2 = allowed * allowed
    ok = allowed >= 0.0
    for i in range(first, last):
        k = np.int64(slot_of[i]) * 8
        slots[k] = whole_number(x[i, 0] * inverse_x)
        slots[k + 1] = whole_number(x[i, 1] * inverse_y)
        slots[k + 2] = whole_number(x[i, 2] * inverse_z)
        slots[k + 4] = slots[k + 5] = slots[k + 6] = slots[k + 7] = 0
        dx = x[i, 0] - reference[i, 0]
        dy = x[i, 1] - reference[i, 1]
        dz = x[i, 2] - reference[i, 2]
        ok &= dx * dx + dy * dy + dz * dz <= allowed2
    return bool(ok)


@helper
def column_grid(box: Any, n: int) -> tuple[int, int, int]:
    """Columns along x and y, such that four beads fill about a cube as wide as a column, and bins along z, of one bead."""
    width = (4.0 * box[0] * box[1] * box[2] / max(n, 1)) ** (1.0 / 3.0)
    n_x, n_y = max(1, int(box[0] / width + 0.5)), max(1, int(box[1] / width + 0.5))
    while n_x * n_y > max(n, 1):
        n_x, n_y = max(1, n_x // 2), max(1, n_y // 2)
    return n_x, n_y, max(1, n // (n_x * n_y))


@helper
def fill_clusters(first: int, last: int, pair: Any, near: Any) -> None:
    """Types, charges and Lennard-Jones parameters of the slots of clusters ``first`` … ``last - 1``, and of the dummy."""
    n, n_types = near.slot_of.shape[0], pair.lj.shape[0]
    slots, charges, table, order, lj = near.slots, near.charges, near.table, near.order, pair.lj
    for q in range(first, last):
        has_charge = False
        base = 8 * q * (n_types + 1)
        for k in range(4):
            slot = 4 * q + k
            i = np.int64(order[slot])
            if i < n:
                slots[8 * slot + 3] = 8 * pair.types[i]
                charges[slot] = pair.charges[i]
                has_charge |= pair.charges[i] != 0.0
                own = lj[pair.types[i]]
                for t in range(n_types):
                    table[base + 8 * t + k] = 6.0 * own[t, 0]
                    table[base + 8 * t + 4 + k] = 12.0 * own[t, 1]
            else:
                slots[8 * slot + 3] = 8 * n_types
                charges[slot] = 0.0
                for t in range(n_types):
                    table[base + 8 * t + k] = table[base + 8 * t + 4 + k] = 0.0
            table[base + 8 * n_types + k] = table[base + 8 * n_types + 4 + k] = 0.0
        near.charged[q] = has_charge
    slots[8 * (order.shape[0] - 1) + 3] = 8 * n_types


@shared
def fill_tables(pair: Any, near: Any) -> None:
    """Types, charges and Lennard-Jones parameters in the order of the slots."""
    fill_clusters(0, near.counts[0], pair, near)


@uncounted
def _fill_up(q: int, order: Any, n_beads: int, slots: Any) -> None:
    """Put the empty slots of cluster q where its first bead is, so that nothing is near them that is not near a bead."""
    for k in range(1, 4):
        if order[4 * q + k] == n_beads:
            for d in range(3):
                slots[8 * (4 * q + k) + d] = slots[32 * q + d]


@inlined
def _squared(a: Any, b: Any, ratio_y: Any, ratio_z: Any) -> Any:
    """Squared distances in the first edge's unit."""
    dx, dy, dz = to_float(isub(a[0], b[0])), to_float(isub(a[1], b[1])), to_float(isub(a[2], b[2]))
    return fma(dz, mul(dz, ratio_z), fma(dy, mul(dy, ratio_y), mul(dx, dx)))


@uncounted
def prefetch_cluster(slots: Any, q: int) -> None:
    """Have the slots of cluster q fetched.

    Pairs look at beads of some twenty columns at once, too many streams for a processor to foresee the next line of each.
    """
    prefetch(slots, 32 * q)
    prefetch(slots, 32 * q + 16)


@uncounted
def prune(first_cluster: int, last_cluster: int, box: Any, radius: float, near: Any) -> None:
    """Copy from the outer to the inner list the j beads within ``radius`` of any bead of the cluster; positions are placed.

    For clusters ``first_cluster`` … ``last_cluster - 1``; :func:`note_pruned` must follow.
    """
    dummy = np.uint32(4 * (near.order.shape[0] - 1))
    outer, inner, slots = near.outer_rows, near.inner_rows, near.slots
    outer_start, inner_start, inner_end, order = near.outer_start, near.inner_start, near.inner_end, near.order
    n_beads, ahead = near.slot_of.shape[0], near.counts[4]
    masked_start, masked_rows, masks = near.masked_start, near.masked_rows, near.masks
    unit2 = (box[0] / TURN) ** 2  # squares of lengths in those of the first edge over 2^32
    ratio_y, ratio_z = splat(np.float32((box[1] / box[0]) ** 2)), splat(np.float32((box[2] / box[0]) ** 2))
    limit = splat(np.float32((radius + margin(box)) ** 2 / unit2))
    whole = LANES * np.int64(outer_start[first_cluster])
    for q in range(first_cluster, last_cluster):
        prefetch_cluster(slots, min(q + ahead, last_cluster - 1))
        begin, used = whole, whole
        inner_start[q] = whole // LANES
        if order[4 * q + 3] == n_beads:
            _fill_up(q, order, n_beads, slots)
        x, y, z = cluster_positions(slots, q)
        one, two, three, four = (
            (lane0(x), lane0(y), lane0(z)), (lane1(x), lane1(y), lane1(z)),
            (lane2(x), lane2(y), lane2(z)), (lane3(x), lane3(y), lane3(z))
        )  # fmt: skip
        for first in range(LANES * np.int64(outer_start[q]), LANES * np.int64(outer_start[q + 1]), WIDTH):
            j = row_positions(slots, outer, first)
            nearest = minimum(
                minimum(_squared(j, one, ratio_y, ratio_z), _squared(j, two, ratio_y, ratio_z)),
                minimum(_squared(j, three, ratio_y, ratio_z), _squared(j, four, ratio_y, ratio_z)),
            )
            used = store_where(inner, used, load(outer, first), get_bits(less(nearest, limit)))
        while used > begin and inner[used - 1] == dummy:
            used -= 1  # the dummies of the outer list came last
        whole = used - (used - begin) % LANES
        inner_end[q] = whole // LANES
        if LANES > 1:  # what is left over goes to the masked pack whose lanes but the first are kept for it
            rest = np.int64(masked_start[q + 1]) - 1
            left = np.uint32((1 << (4 * (used - whole))) - 1)
            masks[rest] = (masks[rest] & np.uint32(15)) | (left << np.uint32(4))
            for lane in range(1, LANES):
                entry = whole + lane - 1
                masked_rows[LANES * rest + lane] = inner[entry] if entry < used else dummy


@helper
def note_pruned(radius: float, near: Any) -> None:
    """What holds of the whole inner list once it is pruned, and the positions it was pruned at noted."""
    near.radii[1] = radius
    near.counts[2] += 1


def list_is_valid(x: Floats, reference: Floats, radius: float, needed: float) -> bool:
    """As :func:`is_valid`, for Python to call."""
    allowed = 0.5 * (radius - needed)
    away = x - reference
    return allowed >= 0.0 and bool(np.all(np.einsum("id,id->i", away, away) <= allowed * allowed))


@helper
def is_valid(first: int, last: int, x: Any, reference: Any, radius: float, needed: float) -> bool:
    """Whether a list of ``radius`` made at ``reference`` surely holds all pairs within ``needed``; false for NaN.

    As far as beads ``first`` … ``last - 1`` go.
    """
    allowed = 0.5 * (radius - needed)
    allowed2 = allowed * allowed
    ok = allowed >= 0.0
    for i in range(first, last):
        dx = x[i, 0] - reference[i, 0]
        dy = x[i, 1] - reference[i, 1]
        dz = x[i, 2] - reference[i, 2]
        ok &= dx * dx + dy * dy + dz * dz <= allowed2
    return ok
