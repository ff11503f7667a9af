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

from topdown.engine._arrays import copy_rows
from topdown.engine._jit import helper, kernel, shared, uncounted
from topdown.engine._lent import lent
from topdown.engine._simd import (
    LANES,
    WIDTH,
    cluster_positions,
    fma,
    gather,
    get_bits,
    isub,
    lane0,
    lane1,
    lane2,
    less,
    load,
    magnitude,
    maximum,
    mul,
    ramp,
    splat,
    splat_whole,
    store_where,
    sub,
    to_float,
)
from topdown.engine.parameters import PairParameters

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint32]
Wholes = npt.NDArray[np.int32]

#: Whole-number positions per box edge.
TURN = 4294967296.0
#: Rows past the last that may be read.
_AHEAD = 16
#: All four pairs of a j bead with a cluster count.
_ALL = np.uint32(15)
#: All pairs of a pack.
_EVERY_BIT = np.uint32((1 << WIDTH) - 1)
#: A mark of clusters whose beads are of several types, or have no list yet.
_MIXED = -1


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
    inner_end, inner_rows : the same of the inner list, each cluster's rows at the same place as in the outer one.
    near_solute : beads not of the solute that the outer list's radius reaches from it; ``counts[3]`` of them.
    reference, inner_reference : positions the two lists were made at; they follow a barostat's scaling,
    radii : and the radii [nm] they hold shrink with it.
    counts : clusters, outer lists built, inner lists pruned, beads near the solute.
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
    inner_end: Indices
    inner_rows: Indices
    near_solute: Indices
    reference: Floats
    inner_reference: Floats
    radii: Floats
    counts: npt.NDArray[np.int64]


def empty_neighbor_list(pair: PairParameters, box: Floats, radius: float, *, room: float = 1.0) -> NeighborList:
    """A list without pairs; ``room`` multiplies the space a liquid of this density needs."""
    n = len(pair.types)
    n_clusters = int(room * (1.05 * n / 4 + 2 * int(np.prod(_grid(box, n)[:2])) / 3 + 16))
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
        uniform=np.full(n_clusters, -1, np.int32),
        table=_aligned(8 * kinds * n_clusters).view(np.float32),
        masked_start=indices(n_clusters + 1),
        masked_rows=indices(n_masked + _AHEAD),
        masks=indices((n_masked + _AHEAD) // LANES),
        outer_start=indices(n_clusters + 1),
        outer_rows=indices(n_rows + _AHEAD),
        inner_end=indices(n_clusters),
        inner_rows=indices(n_rows + _AHEAD),
        near_solute=indices(n if pair.solute_block[0] < pair.solute_block[1] else 0),
        reference=np.zeros((n, 3)),
        inner_reference=np.zeros((n, 3)),
        radii=np.zeros(2),
        counts=np.zeros(4, np.int64),
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
    bigger.radii[:] = -1.0
    return bigger


#: What a checkpoint must hold of a list, the rows only as far as they are filled; :func:`restored` makes the rest again.
STORED = (
    "order", "masked_start", "masked_rows", "masks", "outer_start", "outer_rows", "inner_end", "inner_rows",
    "uniform", "near_solute", "reference", "inner_reference", "radii", "counts",
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
def _whole(fraction: float) -> Any:
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
        slots[k] = _whole(x[i, 0] * inverse_x)
        slots[k + 1] = _whole(x[i, 1] * inverse_y)
        slots[k + 2] = _whole(x[i, 2] * inverse_z)
        slots[k + 4] = slots[k + 5] = slots[k + 6] = slots[k + 7] = 0
        dx = x[i, 0] - reference[i, 0]
        dy = x[i, 1] - reference[i, 1]
        dz = x[i, 2] - reference[i, 2]
        ok &= dx * dx + dy * dy + dz * dz <= allowed2
    return bool(ok)


@helper
def _grid(box: Any, n: int) -> tuple[int, int, int]:
    """Columns along x and y, such that four beads fill about a cube as wide as a column, and bins along z, of one bead."""
    width = (4.0 * box[0] * box[1] * box[2] / max(n, 1)) ** (1.0 / 3.0)
    n_x, n_y = max(1, int(box[0] / width + 0.5)), max(1, int(box[1] / width + 0.5))
    while n_x * n_y > max(n, 1):
        n_x, n_y = max(1, n_x // 2), max(1, n_y // 2)
    return n_x, n_y, max(1, n // (n_x * n_y))


class _Sorting(NamedTuple):
    """Beads in columns and bins, while a list is built.

    ``inside`` (n, 3): fractions in [0, 1). ``bin_start``: first bead of each bin in sorted order. ``shift`` of each column: from
    there to the slot. ``column_start``: first cluster of each column. ``x``, ``y``, ``z``: whole-number positions by slot.
    ``occupied``: a bit for each slot of a cluster that holds a bead, and above them those of the next clusters of a register.
    """

    grid: tuple[int, int, int]
    inside: Any
    bin_start: Any
    shift: Any
    column_start: Any
    x: Any
    y: Any
    z: Any
    occupied: Any


@helper
def _join(n: int, bits: Any) -> None:
    """Above the four bits of each of ``n`` clusters put those of the next ones, as many as there are lanes."""
    for q in range(n):
        for lane in range(1, LANES):
            bits[q] |= (bits[q + lane] & _ALL) << np.uint32(4 * lane)


@helper
def _sort_into_clusters(x: Any, box: Any, solute: Any, near: Any) -> Any:
    """Fill ``order``, ``slot_of`` and ``counts[0]``, which is -1 when there are too many clusters.

    The solute gets a column of its own after all others: its clusters hold nothing else.
    """
    n = x.shape[0]
    n_x, n_y, n_z = _grid(box, n)
    n_columns = n_x * n_y + 1
    bin_start = np.zeros(n_columns * n_z + 1, np.int64)
    bin_of = np.empty(n, np.int64)
    inside = np.empty((n, 3))
    inverse_x, inverse_y, inverse_z = 1.0 / box[0], 1.0 / box[1], 1.0 / box[2]
    for i in range(n):
        a, b, c = x[i, 0] * inverse_x, x[i, 1] * inverse_y, x[i, 2] * inverse_z
        a, b, c = a - np.floor(a), b - np.floor(b), c - np.floor(c)
        inside[i, 0], inside[i, 1], inside[i, 2] = a, b, c
        column = min(int(a * n_x), n_x - 1) * n_y + min(int(b * n_y), n_y - 1)
        if solute[i]:
            column = n_columns - 1
        bin_of[i] = column * n_z + min(int(c * n_z), n_z - 1)
        bin_start[bin_of[i] + 1] += 1
    for k in range(n_columns * n_z):
        bin_start[k + 1] += bin_start[k]
    shift, column_start = np.empty(n_columns, np.int64), np.empty(n_columns + 1, np.int64)
    n_clusters = 0
    for c in range(n_columns):
        column_start[c] = n_clusters
        shift[c] = 4 * n_clusters - bin_start[c * n_z]
        n_clusters += (bin_start[(c + 1) * n_z] - bin_start[c * n_z] + 3) // 4
    column_start[n_columns] = n_clusters
    room = near.charged.shape[0]
    near.counts[0] = n_clusters if n_clusters <= room else -1
    u, v, w = np.empty(4 * room + 16, np.int32), np.empty(4 * room + 16, np.int32), np.empty(4 * room + 16, np.int32)
    occupied = np.zeros(room + 4, np.uint32)
    order, slot_of = near.order, near.slot_of
    if n_clusters <= room:
        order[:] = n
        fill = bin_start.copy()
        for i in range(n):
            slot = fill[bin_of[i]] + shift[bin_of[i] // n_z]
            fill[bin_of[i]] += 1
            order[slot] = i
            slot_of[i] = slot
            u[slot], v[slot], w[slot] = _whole(inside[i, 0]), _whole(inside[i, 1]), _whole(inside[i, 2])
            occupied[slot // 4] |= np.uint32(1) << np.uint32(slot % 4)
        _join(n_clusters, occupied)
    return _Sorting((n_x, n_y, n_z), inside, bin_start, shift, column_start, u, v, w, occupied)


@shared
def fill_tables(pair: Any, near: Any) -> None:
    """Types, charges and Lennard-Jones parameters in the order of the slots."""
    n, n_types = near.slot_of.shape[0], pair.lj.shape[0]
    slots, charges, table, order, lj = near.slots, near.charges, near.table, near.order, pair.lj
    for q in range(near.counts[0]):
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


@uncounted
def _mark_exclusions(
    q: int, order: Any, slot_of: Any, exclusion_start: Any, exclusions: Any, marks: Any, marked: Any, mark: bool
) -> None:
    """Clear the bits of pairs excluded with cluster q in the ``marks`` of their slots, or set them again."""
    for k in range(4):
        i = order[4 * q + k]
        if i >= slot_of.shape[0]:
            continue
        for e in range(exclusion_start[i], exclusion_start[i + 1]):
            slot = slot_of[exclusions[e]]
            marked[slot // np.uint32(4)] = mark
            if mark:
                marks[slot] &= _ALL ^ (np.uint32(1) << np.uint32(k))
            else:
                marks[slot] = _ALL


@uncounted
def _set_masked(rows: Any, masks: Any, entry: int, slot: Any, bits: Any) -> int:
    """A j bead of the masked list, and its four bits; the next entry."""
    rows[entry] = np.uint32(4) * np.uint32(slot)
    pack = entry // LANES
    if entry % LANES == 0:
        masks[pack] = np.uint32(0)
    masks[pack] |= np.uint32(bits) << np.uint32(4 * (entry % LANES))
    return entry + 1


@helper
def _column_offsets(box: Any, grid: tuple[int, int, int], wide: float) -> Any:
    """Steps (n, 2) from a column to those within ``wide`` of it, each once, and how far along z to look (fraction of the box)."""
    n_x, n_y, _ = grid
    width_x, width_y = box[0] / n_x, box[1] / n_y
    reach_x, reach_y = min(int(wide / width_x) + 1, n_x // 2), min(int(wide / width_y) + 1, n_y // 2)
    steps = np.empty(((2 * reach_x + 1) * (2 * reach_y + 1), 2), np.int64)
    along = np.empty(steps.shape[0])
    used = 0
    for a in range(-reach_x, reach_x + 1):
        for b in range(-reach_y, reach_y + 1):
            # halfway around a box of even columns both ways lead to the same one
            if (2 * a == n_x and a > 0) or (2 * b == n_y and b > 0):
                continue
            gap_x, gap_y = max(0, abs(a) - 1) * width_x, max(0, abs(b) - 1) * width_y
            left = wide * wide - gap_x * gap_x - gap_y * gap_y
            if left > 0.0:
                steps[used, 0], steps[used, 1] = a, b
                along[used] = np.sqrt(left) / box[2]
                used += 1
    return steps[:used], along[:used]


@uncounted
def _neighbor_columns(column: int, steps: Any, along: Any, sorting: Any, columns: Any, depths: Any) -> int:
    """Write the columns around ``column`` that hold clusters of its own or later number, and their depths; their number."""
    n_x, n_y, _ = sorting.grid
    starts = sorting.column_start
    if column == n_x * n_y:  # the solute
        columns[0], depths[0] = column, 1.0
        return 1
    a, b = column // n_y, column % n_y
    used = 0
    for k in range(steps.shape[0]):
        c, d = a + steps[k, 0], b + steps[k, 1]
        c += n_x if c < 0 else (-n_x if c >= n_x else 0)
        d += n_y if d < 0 else (-n_y if d >= n_y else 0)
        other = c * n_y + d
        columns[used], depths[used] = other, along[k]
        used += starts[other + 1] > starts[other] and other >= column
    return used


@uncounted
def _rows_of(
    other: int, low: float, high: float, depth: float, bin_start: Any, shift: Any, column_start: Any, n_z: int
) -> Any:
    """The clusters of a column within ``depth`` of low … high along z: first … last - 1, and a second range over the boundary."""
    begin, end = column_start[other], column_start[other + 1]
    first, last = int(np.floor((low - depth) * n_z)), int(np.floor((high + depth) * n_z))
    if last - first + 1 >= n_z:
        return begin, end, end, end
    base, move = other * n_z, shift[other]
    below, above = first < 0, last >= n_z
    first += n_z if below else (-n_z if first >= n_z else 0)
    last -= n_z if above else (-n_z if last < 0 else 0)
    upper, lower = (bin_start[base + first] + move) // 4, (bin_start[base + last + 1] + move + 3) // 4
    if first <= last:
        return upper, lower, end, end
    # over the boundary: two parts, which must not share a cluster
    return (begin, lower, upper, end) if lower < upper else (begin, end, end, end)


class _Notes(NamedTuple):
    """Room for what :func:`_list_pairs` notes on its way.

    ``marks``: of the pairs of each slot with the present cluster, a bit for each that is not excluded; ``marked``: whether a
    cluster has a mark. ``steps``, ``along``: :func:`_column_offsets`. ``columns``, ``depths``: :func:`_neighbor_columns`.
    ``looks``, ``wanted``: where registers of beads to look at begin, and a bit for each that is wanted. ``odd``: a bit for each
    slot from a cluster on whose bead is not of the most frequent type, which is ``usual`` eighths.
    """

    marks: Any
    marked: Any
    steps: Any
    along: Any
    columns: Any
    depths: Any
    looks: Any
    wanted: Any
    odd: Any
    usual: Any


@helper
def _new_notes(box: Any, wide: float, pair: Any, sorting: Any, near: Any) -> Any:
    steps, along = _column_offsets(box, sorting.grid, wide)
    usual = np.int32(8 * np.argmax(np.bincount(pair.types)))
    odd = np.zeros(near.charged.shape[0] + 4, np.uint32)
    for q in range(near.counts[0]):
        for k in range(4):
            odd[q] |= np.uint32(near.slots[8 * (4 * q + k) + 3] != usual) << np.uint32(k)
    _join(near.counts[0], odd)
    return _Notes(
        np.full(near.order.shape[0] + 16, _ALL), np.zeros(near.charged.shape[0] + 4, np.bool_), steps, along,
        np.empty(steps.shape[0] + 1, np.int64), np.empty(steps.shape[0] + 1), np.empty(near.charged.shape[0] + 8, np.int64),
        np.empty(near.charged.shape[0] + 8, np.uint32), odd, usual
    )  # fmt: skip


@uncounted
def _looks_of(
    q: int, around: int, columns: Any, depths: Any, low: float, high: float, bin_start: Any, shift: Any, column_start: Any,
    n_z: int, occupied: Any, looks: Any, wanted: Any
) -> int:  # fmt: skip
    """Where to look for j beads of cluster q, in ``looks`` and ``wanted``; how often.

    Apart from looking, so that of the two loops none has a length that nobody can guess and much work in it.
    """
    used = 0
    for n in range(around):
        begin, end, second, second_end = _rows_of(columns[n], low, high, depths[n], bin_start, shift, column_start, n_z)
        for part in range(2):
            if part == 1:
                begin, end = second, second_end
            for r in range(max(begin, q + 1), end, LANES):
                looks[used] = r
                wanted[used] = occupied[r] & (_EVERY_BIT >> np.uint32(4 * max(LANES - (end - r), 0)))
                used += 1
    return used


@helper
def _middle(low: float, high: float, edge: float) -> Any:
    """Middle (whole number) and half the length [nm] of what lies between two fractions of an edge."""
    return splat_whole(_whole(0.5 * (low + high))), splat(np.float32(0.5 * (high - low) * edge))


@uncounted
def _list_pairs(box: Any, radius: float, pair: Any, sorting: Any, notes: Any, near: Any) -> bool:
    """Fill the outer and the masked list; False when there is no room.

    Each pair of clusters is looked at once, from the one that comes first: its bounding box against the other's beads.
    """
    n_x, n_y, n_z = sorting.grid
    inside, u, v, w, occupied = sorting.inside, sorting.x, sorting.y, sorting.z, sorting.occupied
    bin_start, shift, column_start = sorting.bin_start, sorting.shift, sorting.column_start
    outer, outer_start, masked_start, masked_rows = (
        near.outer_rows,
        near.outer_start,
        near.masked_start,
        near.masked_rows,
    )
    masks, order, slot_of, n_beads = near.masks, near.order, near.slot_of, near.slot_of.shape[0]
    exclusion_start, exclusions = pair.exclusion_start, pair.exclusions
    marks, marked, steps, along, columns, depths, looks, wanted, odd, usual = notes
    scale_x, scale_y, scale_z = scales(box)
    limit, zero = splat(np.float32((radius + margin(box)) ** 2)), splat(np.float32(0.0))
    plain, masked = 0, 0
    for column in range(n_x * n_y + 1):
        around = _neighbor_columns(column, steps, along, sorting, columns, depths)
        for q in range(column_start[column], column_start[column + 1]):
            if masked + 16 > masked_rows.shape[0] or plain + 16 > outer.shape[0]:
                return False
            outer_start[q], masked_start[q] = plain // LANES, masked // LANES
            strange = np.uint32(0)
            has_exclusions = False
            low_x, low_y, low_z, high_x, high_y, high_z = 2.0, 2.0, 2.0, -1.0, -1.0, -1.0
            for k in range(4):
                i = order[4 * q + k]
                if i < n_beads:
                    has_exclusions |= exclusion_start[i] != exclusion_start[i + 1]
                    low_x, high_x = min(low_x, inside[i, 0]), max(high_x, inside[i, 0])
                    low_y, high_y = min(low_y, inside[i, 1]), max(high_y, inside[i, 1])
                    low_z, high_z = min(low_z, inside[i, 2]), max(high_z, inside[i, 2])
            if has_exclusions:
                _mark_exclusions(q, order, slot_of, exclusion_start, exclusions, marks, marked, True)
            for k in range(1, 4):
                if order[4 * q + k] < n_beads:
                    own = marks[4 * q + k] & np.uint32((1 << k) - 1)
                    masked = _set_masked(masked_rows, masks, masked, 4 * q + k, own)
            center_x, half_x = _middle(low_x, high_x, box[0])
            center_y, half_y = _middle(low_y, high_y, box[1])
            center_z, half_z = _middle(low_z, high_z, box[2])
            n_looks = _looks_of(
                q, around, columns, depths, low_z, high_z, bin_start, shift, column_start, n_z, occupied, looks, wanted
            )
            if plain + WIDTH * n_looks + 16 > outer.shape[0]:
                return False
            for n in range(n_looks):
                slot = 4 * looks[n]
                dx = maximum(sub(magnitude(mul(to_float(isub(load(u, slot), center_x)), scale_x)), half_x), zero)
                dy = maximum(sub(magnitude(mul(to_float(isub(load(v, slot), center_y)), scale_y)), half_y), zero)
                dz = maximum(sub(magnitude(mul(to_float(isub(load(w, slot), center_z)), scale_z)), half_z), zero)
                bits = get_bits(less(fma(dx, dx, fma(dy, dy, mul(dz, dz))), limit)) & wanted[n]
                if has_exclusions:
                    has_mark = False
                    for lane in range(LANES):
                        has_mark |= marked[looks[n] + lane]
                    if has_mark:
                        bits, masked = _take_marked(bits, slot, marks, masked_rows, masks, masked)
                        if masked + 16 > masked_rows.shape[0]:
                            return False
                strange |= bits & odd[looks[n]]
                plain = store_where(outer, plain, ramp(np.int32(4 * slot)), np.uint32(bits))
            if has_exclusions:
                _mark_exclusions(q, order, slot_of, exclusion_start, exclusions, marks, marked, False)
            # filled up with the dummy: to whole registers, as many as are pruned at a time
            while plain % WIDTH:
                outer[plain] = np.uint32(4 * (order.shape[0] - 1))
                plain += 1
            while masked % LANES:
                masked = _set_masked(masked_rows, masks, masked, order.shape[0] - 1, np.uint32(0))
            for _ in range(LANES):  # for what the inner list leaves over
                masked = _set_masked(masked_rows, masks, masked, order.shape[0] - 1, np.uint32(0))
            near.uniform[q] = usual if strange == 0 else _MIXED
            outer_start[q + 1], masked_start[q + 1] = plain // LANES, masked // LANES
    return True


@uncounted
def _take_marked(bits: Any, slot: int, marks: Any, rows: Any, masks: Any, masked: int) -> Any:
    """Move beads with excluded pairs from ``bits`` to the masked list."""
    for k in range(WIDTH):
        if (bits >> np.uint32(k)) & np.uint32(1) and marks[slot + k] != _ALL:
            bits ^= np.uint32(1) << np.uint32(k)
            if marks[slot + k] != 0:
                masked = _set_masked(rows, masks, masked, slot + k, marks[slot + k])
    return bits, masked


@helper
def _list_near_solute(x: Any, box: Any, radius: float, pair: Any, near: Any) -> None:
    """Fill ``near_solute``."""
    first, last = np.int64(pair.solute_block[0]), np.int64(pair.solute_block[1])
    used = 0
    if first < last:
        for j in range(x.shape[0]):
            nearest2 = np.inf
            for i in range(first, last):
                dx = minimum_image(x[i, 0] - x[j, 0], box[0])
                dy = minimum_image(x[i, 1] - x[j, 1], box[1])
                dz = minimum_image(x[i, 2] - x[j, 2], box[2])
                nearest2 = min(nearest2, dx * dx + dy * dy + dz * dz)
            if nearest2 < radius * radius and not first <= j < last:
                near.near_solute[used] = j
                used += 1
    near.counts[3] = used


@helper
def build_outer(x: Any, box: Any, radius: float, pair: Any, near: Any) -> bool:
    """Sort the beads and list all pairs within ``radius``; False when there is no room."""
    sorting = _sort_into_clusters(x, box, pair.solute, near)
    if near.counts[0] < 0:
        near.counts[0] = 0
        return False
    fill_tables(pair, near)
    if not _list_pairs(
        box, radius, pair, sorting, _new_notes(box, radius + 2.0 * margin(box), pair, sorting, near), near
    ):
        return False
    _list_near_solute(x, box, radius, pair, near)
    copy_rows(x, near.reference)
    near.radii[0] = radius
    near.counts[1] += 1
    return True


@uncounted
def _fill_up(q: int, order: Any, n_beads: int, slots: Any) -> None:
    """Put the empty slots of cluster q where its first bead is, so that nothing is near them that is not near a bead."""
    for k in range(1, 4):
        if order[4 * q + k] == n_beads:
            for d in range(3):
                slots[8 * (4 * q + k) + d] = slots[32 * q + d]


@uncounted
def prune(first_cluster: int, last_cluster: int, box: Any, radius: float, near: Any) -> None:
    """Copy from the outer to the inner list the j beads within ``radius`` of any bead of the cluster; positions are placed.

    For clusters ``first_cluster`` … ``last_cluster - 1``; :func:`note_pruned` must follow.
    """
    dummy = np.uint32(4 * (near.order.shape[0] - 1))
    outer, inner, slots = near.outer_rows, near.inner_rows, near.slots
    outer_start, inner_end, order, n_beads = near.outer_start, near.inner_end, near.order, near.slot_of.shape[0]
    masked_start, masked_rows, masks = near.masked_start, near.masked_rows, near.masks
    unit2 = (box[0] / TURN) ** 2  # squares of lengths in those of the first edge over 2^32
    ratio_y, ratio_z = splat(np.float32((box[1] / box[0]) ** 2)), splat(np.float32((box[2] / box[0]) ** 2))
    limit = splat(np.float32((radius + margin(box)) ** 2 / unit2))
    for q in range(first_cluster, last_cluster):
        begin, end = LANES * np.int64(outer_start[q]), LANES * np.int64(outer_start[q + 1])
        used: Any = begin
        if order[4 * q + 3] == n_beads:
            _fill_up(q, order, n_beads, slots)
        xi, yi, zi = cluster_positions(slots, q)
        for first in range(begin, end, WIDTH):
            bits = np.uint64(0)  # four for each of WIDTH rows
            for pack in range(4):
                j = gather(slots, outer, first + LANES * pack)
                dx, dy, dz = to_float(isub(xi, lane0(j))), to_float(isub(yi, lane1(j))), to_float(isub(zi, lane2(j)))
                r2 = fma(dz, mul(dz, ratio_z), fma(dy, mul(dy, ratio_y), mul(dx, dx)))
                near_bits = get_bits(less(r2, limit))
                bits |= np.uint64(near_bits) << np.uint64(WIDTH * pack)
            bits |= bits >> np.uint64(1)
            bits |= bits >> np.uint64(2)
            bits &= np.uint64(0x1111111111111111)  # one for each row, four places apart; then side by side
            bits = (bits | (bits >> np.uint64(3))) & np.uint64(0x0303030303030303)
            bits = (bits | (bits >> np.uint64(6))) & np.uint64(0x000F000F000F000F)
            bits = (bits | (bits >> np.uint64(12))) & np.uint64(0x000000FF000000FF)
            bits = (bits | (bits >> np.uint64(24))) & np.uint64(0xFFFF)
            used = store_where(inner, used, load(outer, first), np.uint32(bits))
        while used > begin and inner[used - 1] == dummy:
            used -= 1  # the dummies of the outer list came last
        whole = used - (used - begin) % LANES
        inner_end[q] = whole // LANES
        rest = np.int64(masked_start[q + 1]) - 1
        masks[rest] = np.uint32((1 << (4 * (used - whole))) - 1)
        for lane in range(LANES):
            masked_rows[LANES * rest + lane] = inner[whole + lane] if whole + lane < used else dummy


@helper
def note_pruned(x: Any, radius: float, near: Any) -> None:
    """What holds of the whole inner list once it is pruned at ``x``."""
    copy_rows(x, near.inner_reference)
    near.radii[1] = radius
    near.counts[2] += 1


@kernel
def refresh_list(frame: Any, pair: Any, radius: float, inner_radius: float, near: Any) -> bool:
    """Build both lists at the positions of a frame, and place these; False when they need more room."""
    x, box = frame.positions, frame.box
    if not build_outer(x, box, radius, pair, near):
        return False
    place(0, x.shape[0], x, box, near, 0.0)
    prune(0, near.counts[0], box, inner_radius, near)
    note_pruned(x, inner_radius, near)
    return True


def list_is_valid(x: Floats, reference: Floats, radius: float, needed: float) -> bool:
    """As :func:`is_valid`, for Python to call."""
    allowed = 0.5 * (radius - needed)
    away = x - reference
    return allowed >= 0.0 and bool(np.all(np.einsum("id,id->i", away, away) <= allowed * allowed))


@helper
def is_valid(x: Any, reference: Any, radius: float, needed: float) -> bool:
    """Whether a list of ``radius`` made at ``reference`` surely holds all pairs within ``needed``; false for NaN."""
    allowed = 0.5 * (radius - needed)
    allowed2 = allowed * allowed
    ok = allowed >= 0.0
    for i in range(x.shape[0]):
        dx = x[i, 0] - reference[i, 0]
        dy = x[i, 1] - reference[i, 1]
        dz = x[i, 2] - reference[i, 2]
        ok &= dx * dx + dy * dy + dz * dz <= allowed2
    return ok
