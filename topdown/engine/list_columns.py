"""Beads sorted into columns, bins and clusters of four, and which of them to look at around a cluster."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from topdown.engine._arrays import fill
from topdown.engine._jit import helper, inlined, uncounted
from topdown.engine._registers import LANES
from topdown.engine.neighbor_list import TURN, column_grid, whole_number

#: All four pairs of a j bead with a cluster, or all four beads of a cluster.
ALL_FOUR = np.uint32(15)


class Sorting(NamedTuple):
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
def join_bits(n: int, bits: Any) -> None:
    """Above the four bits of each of ``n`` clusters put those of the next ones, as many as there are lanes."""
    for q in range(n):
        for lane in range(1, LANES):
            bits[q] |= (bits[q + lane] & ALL_FOUR) << np.uint32(4 * lane)


@helper
def sort_into_clusters(notes_it: bool, x: Any, box: Any, solute: Any, near: Any) -> Any:
    """Clusters of the beads. Who ``notes_it`` fills ``order``, ``slot_of`` and ``counts[0]``, unless there are too many.

    The solute gets a column of its own after all others: its clusters hold nothing else.
    """
    n = x.shape[0]
    n_x, n_y, n_z = column_grid(box, n)
    n_columns = n_x * n_y + 1
    bin_start = np.empty(n_columns * n_z + 1, np.int64)
    fill(bin_start, 0)
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
    if notes_it:
        near.counts[0] = n_clusters if n_clusters <= room else 0
    u, v, w = np.empty(4 * room + 16, np.int32), np.empty(4 * room + 16, np.int32), np.empty(4 * room + 16, np.int32)
    occupied = np.empty(room + 4, np.uint32)
    fill(occupied, np.uint32(0))
    order, slot_of = near.order, near.slot_of
    if n_clusters <= room:
        if notes_it:
            fill(order, n)
        next_in_bin = bin_start.copy()
        for i in range(n):
            slot = next_in_bin[bin_of[i]] + shift[bin_of[i] // n_z]
            next_in_bin[bin_of[i]] += 1
            if notes_it:
                order[slot] = i
                slot_of[i] = slot
            u[slot], v[slot], w[slot] = (
                whole_number(inside[i, 0]),
                whole_number(inside[i, 1]),
                whole_number(inside[i, 2]),
            )
            occupied[slot // 4] |= np.uint32(1) << np.uint32(slot % 4)
        join_bits(n_clusters, occupied)
    return Sorting((n_x, n_y, n_z), inside, bin_start, shift, column_start, u, v, w, occupied)


@helper
def column_offsets(box: Any, grid: tuple[int, int, int], wide: float) -> Any:
    """Steps (n, 2) from a column to those that may be within ``wide`` of it, each once."""
    n_x, n_y, _ = grid
    width_x, width_y = box[0] / n_x, box[1] / n_y
    reach_x, reach_y = min(int(wide / width_x) + 1, n_x // 2), min(int(wide / width_y) + 1, n_y // 2)
    steps = np.empty(((2 * reach_x + 1) * (2 * reach_y + 1), 2), np.int64)
    used = 0
    for a in range(-reach_x, reach_x + 1):
        for b in range(-reach_y, reach_y + 1):
            # halfway around a box of even columns both ways lead to the same one
            if (2 * a == n_x and a > 0) or (2 * b == n_y and b > 0):
                continue
            gap_x, gap_y = max(0, abs(a) - 1) * width_x, max(0, abs(b) - 1) * width_y
            if gap_x * gap_x + gap_y * gap_y < wide * wide:
                steps[used, 0], steps[used, 1] = a, b
                used += 1
    return steps[:used]


@uncounted
def neighbor_columns(column: int, steps: Any, sorting: Any, columns: Any, middles_x: Any, middles_y: Any) -> int:
    """Write the columns around ``column`` that hold clusters of its own or later number, and their middles; their number."""
    n_x, n_y, _ = sorting.grid
    starts = sorting.column_start
    if column == n_x * n_y:  # the solute
        columns[0] = column
        return 1
    a, b = column // n_y, column % n_y
    used = 0
    for k in range(steps.shape[0]):
        c, d = a + steps[k, 0], b + steps[k, 1]
        c += n_x if c < 0 else (-n_x if c >= n_x else 0)
        d += n_y if d < 0 else (-n_y if d >= n_y else 0)
        other = c * n_y + d
        columns[used], middles_x[used], middles_y[used] = other, (c + 0.5) / n_x, (d + 0.5) / n_y
        used += starts[other + 1] > starts[other] and other >= column
    return used


@inlined
def bins_within(
    around: int, bounds: Any, middles_x: Any, middles_y: Any, box: Any, grid: Any, wide: float, first: Any, last: Any
) -> None:
    """First and last bin of each column around a cluster within ``wide`` of its ``bounds``, unwrapped; none: last before first.

    Without branches: it compiles to vector instructions.
    """
    n_x, n_y, n_z = grid
    low_x, high_x, low_y, high_y, low_z, high_z = bounds
    at_x, at_y = 0.5 * (low_x + high_x), 0.5 * (low_y + high_y)
    covered_x, covered_y = 0.5 * (high_x - low_x) + 0.5 / n_x, 0.5 * (high_y - low_y) + 0.5 / n_y
    edge_x, edge_y, per_z, wide2 = box[0], box[1], 1.0 / box[2], wide * wide
    low, high, bins = low_z, high_z, 1.0 * n_z
    for n in range((around + 3) // 4 * 4):  # whole registers; what lies past the end is never read
        gap_x, gap_y = at_x - middles_x[n], at_y - middles_y[n]
        gap_x = max(abs(gap_x - np.rint(gap_x)) - covered_x, 0.0) * edge_x
        gap_y = max(abs(gap_y - np.rint(gap_y)) - covered_y, 0.0) * edge_y
        left = wide2 - gap_x * gap_x - gap_y * gap_y
        depth = math.sqrt(max(left, 0.0)) * per_z
        bottom, top = np.floor((low - depth) * bins), np.floor((high + depth) * bins)
        first[n] = np.int32(bottom)
        last[n] = np.int32(top if left > 0.0 else bottom - 1.0)


@inlined
def ranges_within(
    q: int, around: int, columns: Any, first: Any, last: Any, bin_start: Any, shift: Any, column_start: Any, n_z: int,
    begins: Any, ends: Any
) -> int:  # fmt: skip
    """The clusters after q in the bins of each column, ``begins`` … ``ends`` - 1 of some ranges; how many ranges."""
    used, one = np.uint64(0), np.uint64(1)  # unsigned: nobody asks whether an index counts from the end
    for n in range(np.uint64(around)):
        bottom, top, other = np.int64(first[n]), np.int64(last[n]), np.uint64(columns[n])
        base, move, is_any = np.int64(other) * n_z, shift[other] + 3, top >= bottom
        if bottom >= 0 and top < n_z:
            begin = (bin_start[np.uint64(base + bottom)] + move - 3) >> 2
            end = (bin_start[np.uint64(base + top + 1)] + move) >> 2
        else:
            begin, end = column_start[other], column_start[other + one]
            if is_any and top < bottom + n_z - 1:  # over the boundary: two parts, which must not share a cluster
                bottom += n_z if bottom < 0 else 0
                top -= n_z if top >= n_z else 0
                below = (bin_start[np.uint64(base + top + 1)] + move) >> 2
                above = max((bin_start[np.uint64(base + bottom)] + move - 3) >> 2, q + 1)
                if below < above:
                    begins[used], ends[used] = above, end
                    used += np.uint64(above < end)
                    end = below
        begin = max(begin, q + 1)
        begins[used], ends[used] = begin, end
        used += np.uint64(is_any and begin < end)
    return int(np.int64(used))


@inlined
def bounds_of(q: int, sorting: Any) -> Any:
    """Least and largest fraction of the box along x, y and z of the beads of cluster q."""
    low_x = low_y = low_z = np.uint32(0xFFFFFFFF)
    high_x = high_y = high_z = np.uint32(0)
    for k in range(4):
        if (sorting.occupied[q] >> np.uint32(k)) & np.uint32(1):
            x, y, z = np.uint32(sorting.x[4 * q + k]), np.uint32(sorting.y[4 * q + k]), np.uint32(sorting.z[4 * q + k])
            low_x, high_x = min(low_x, x), max(high_x, x)
            low_y, high_y = min(low_y, y), max(high_y, y)
            low_z, high_z = min(low_z, z), max(high_z, z)
    return low_x / TURN, high_x / TURN, low_y / TURN, high_y / TURN, low_z / TURN, high_z / TURN
