"""How the outer list is found: beads sorted into clusters, and for each cluster the beads around it, by all threads of a team.

Each thread sorts for itself, which costs little and spares them handing the work arrays around; then each searches around
the clusters of some columns, and writes what it finds to a stretch of the rows of its own. In the end the gaps between the
stretches are closed: a list is the same whoever made it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from topdown.engine._arrays import copy_some_rows, fill
from topdown.engine._jit import helper, inlined, kernel, uncounted
from topdown.engine._simd import (
    LANES,
    WIDTH,
    fma,
    get_bits,
    isub,
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
from topdown.engine.neighbor_list import (
    MIXED,
    TURN,
    column_grid,
    fill_clusters,
    margin,
    minimum_image,
    note_pruned,
    place,
    prune,
    scales,
    whole_number,
)
from topdown.engine.team import agreed, meet, share, team_size

#: All four pairs of a j bead with a cluster count.
_ALL = np.uint32(15)
#: All pairs of a pack.
_EVERY_BIT = np.uint32((1 << WIDTH) - 1)


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
def _sort_into_clusters(notes_it: bool, x: Any, box: Any, solute: Any, near: Any) -> Any:
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
        _join(n_clusters, occupied)
    return _Sorting((n_x, n_y, n_z), inside, bin_start, shift, column_start, u, v, w, occupied)


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
def _neighbor_columns(column: int, steps: Any, sorting: Any, columns: Any, middles_x: Any, middles_y: Any) -> int:
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
def _bins_within(
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


class _Notes(NamedTuple):
    """Room for what :func:`_list_pairs` notes on its way.

    ``marks``: of the pairs of each slot with the present cluster, a bit for each that is not excluded; ``marked``: whether a
    cluster has a mark. ``steps``: :func:`_column_offsets`, and ``wide``, how far they reach. ``columns``, ``middles_x`` and
    ``middles_y``: :func:`_neighbor_columns`. ``first``, ``last``: :func:`_bins_within`. ``begins``, ``ends``:
    :func:`_ranges_within`. ``odd``: a bit for each slot from a cluster on whose bead is not of the most frequent type, which is
    ``usual`` eighths.
    """

    marks: Any
    marked: Any
    steps: Any
    wide: float
    columns: Any
    middles_x: Any
    middles_y: Any
    first: Any
    last: Any
    begins: Any
    ends: Any
    odd: Any
    usual: Any


@helper
def _most_frequent(types: Any, n_types: int) -> int:
    """The number that occurs most often, the smallest of several."""
    times = np.empty(n_types, np.int64)
    fill(times, 0)
    for i in range(types.shape[0]):
        times[types[i]] += 1
    most = 0
    for kind in range(n_types):
        if times[kind] > times[most]:
            most = kind
    return most


@helper
def _new_notes(box: Any, wide: float, pair: Any, sorting: Any, near: Any) -> Any:
    steps = _column_offsets(box, sorting.grid, wide)
    usual = np.int32(8 * _most_frequent(pair.types, pair.lj.shape[0]))
    odd, marks = np.empty(near.charged.shape[0] + 4, np.uint32), np.empty(near.order.shape[0] + 16, np.uint32)
    marked = np.empty(near.charged.shape[0] + 4, np.bool_)
    fill(odd, np.uint32(0))
    fill(marks, _ALL)
    fill(marked, False)
    for q in range(near.counts[0]):
        for k in range(4):
            odd[q] |= np.uint32(near.slots[8 * (4 * q + k) + 3] != usual) << np.uint32(k)
    _join(near.counts[0], odd)
    room = steps.shape[0] + 4
    return _Notes(
        marks, marked, steps, wide, np.empty(room, np.int64), np.empty(room), np.empty(room), np.empty(room, np.int32),
        np.empty(room, np.int32), np.empty(2 * room, np.int64), np.empty(2 * room, np.int64), odd, usual
    )  # fmt: skip


@inlined
def _ranges_within(
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
def _bounds(q: int, sorting: Any) -> Any:
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


@helper
def _middle(low: float, high: float, edge: float) -> Any:
    """Middle (whole number) and half the length [nm] of what lies between two fractions of an edge."""
    return splat_whole(whole_number(0.5 * (low + high))), splat(np.float32(0.5 * (high - low) * edge))


@uncounted
def _list_pairs(box: Any, radius: float, pair: Any, sorting: Any, notes: Any, near: Any, stretch: Any) -> bool:
    """Fill the outer and the masked list of the clusters of a stretch (:class:`Team`); False when there is no room.

    Each pair of clusters is looked at once, from the one that comes first: its bounding box against the other's beads.
    """
    n_z = sorting.grid[2]
    u, v, w, occupied = sorting.x, sorting.y, sorting.z, sorting.occupied
    bin_start, shift, column_start = sorting.bin_start, sorting.shift, sorting.column_start
    outer, outer_start, masked_start, masked_rows = (
        near.outer_rows,
        near.outer_start,
        near.masked_start,
        near.masked_rows,
    )
    masks, order, slot_of, n_beads = near.masks, near.order, near.slot_of, near.slot_of.shape[0]
    exclusion_start, exclusions = pair.exclusion_start, pair.exclusions
    marks, marked, steps, wide, columns, middles_x, middles_y, first, last, begins, ends, odd, usual = notes
    scale_x, scale_y, scale_z = scales(box)
    limit, zero = splat(np.float32((radius + margin(box)) ** 2)), splat(np.float32(0.0))
    dummy, n_columns = 4 * (order.shape[0] - 1), column_start.shape[0] - 1
    plain, plain_end, masked, masked_end = stretch[2], stretch[3], stretch[4], stretch[5]
    for column in range(stretch[0], stretch[1]):
        around = _neighbor_columns(column, steps, sorting, columns, middles_x, middles_y)
        is_solute = column == n_columns - 1
        for q in range(column_start[column], column_start[column + 1]):
            if masked + 16 > masked_end or plain + 16 > plain_end:
                return False
            outer_start[q], masked_start[q] = plain // LANES, masked // LANES
            strange = np.uint32(0)
            has_exclusions = False
            for k in range(4):
                i = order[4 * q + k]
                if i < n_beads:
                    has_exclusions |= exclusion_start[i] != exclusion_start[i + 1]
            bounds = _bounds(q, sorting)
            if has_exclusions:
                _mark_exclusions(q, order, slot_of, exclusion_start, exclusions, marks, marked, True)
            for k in range(1, 4):
                if order[4 * q + k] < n_beads:
                    own = marks[4 * q + k] & np.uint32((1 << k) - 1)
                    masked = _set_masked(masked_rows, masks, masked, 4 * q + k, own)
            center_x, half_x = _middle(bounds[0], bounds[1], box[0])
            center_y, half_y = _middle(bounds[2], bounds[3], box[1])
            center_z, half_z = _middle(bounds[4], bounds[5], box[2])
            if is_solute:
                first[0], last[0] = 0, n_z - 1
            else:
                _bins_within(around, bounds, middles_x, middles_y, box, sorting.grid, wide, first, last)
            n_ranges = _ranges_within(
                q, around, columns, first, last, bin_start, shift, column_start, n_z, begins, ends
            )
            for n in range(np.uint64(n_ranges)):
                begin, end = begins[n], ends[n]
                if plain + 4 * (end - begin) + 2 * WIDTH > plain_end:
                    return False
                for r in range(np.uint64(begin), np.uint64(end), np.uint64(LANES)):
                    slot, left = 4 * np.int64(r), end - np.int64(r)
                    dx = maximum(sub(magnitude(mul(to_float(isub(load(u, slot), center_x)), scale_x)), half_x), zero)
                    dy = maximum(sub(magnitude(mul(to_float(isub(load(v, slot), center_y)), scale_y)), half_y), zero)
                    dz = maximum(sub(magnitude(mul(to_float(isub(load(w, slot), center_z)), scale_z)), half_z), zero)
                    bits = get_bits(less(fma(dx, dx, fma(dy, dy, mul(dz, dz))), limit)) & occupied[r]
                    bits &= _EVERY_BIT >> np.uint32(4 * max(LANES - left, 0))
                    if has_exclusions:
                        has_mark = False
                        for lane in range(LANES):
                            has_mark |= marked[r + np.uint64(lane)]
                        if has_mark:
                            bits, masked = _take_marked(bits, slot, marks, masked_rows, masks, masked)
                            if masked + 16 > masked_end:
                                return False
                    strange |= bits & odd[r]
                    plain = store_where(outer, plain, ramp(np.int32(4 * slot)), np.uint32(bits))
            if has_exclusions:
                _mark_exclusions(q, order, slot_of, exclusion_start, exclusions, marks, marked, False)
            # filled up with the dummy: to whole registers, as many as are pruned at a time
            store_where(outer, plain, splat_whole(np.int32(dummy)), _EVERY_BIT)
            plain = (plain + WIDTH - 1) // WIDTH * WIDTH
            for _ in range(LANES - 1):  # for what the inner list leaves over
                masked = _set_masked(masked_rows, masks, masked, order.shape[0] - 1, np.uint32(0))
            while masked % LANES:
                masked = _set_masked(masked_rows, masks, masked, order.shape[0] - 1, np.uint32(0))
            near.uniform[q] = usual if strange == 0 else MIXED
    stretch[3], stretch[5] = plain, masked
    return True


@uncounted
def _take_marked(bits: Any, slot: Any, marks: Any, rows: Any, masks: Any, masked: int) -> Any:
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
def _work_of_columns(n_stretches: int, sorting: Any, notes: Any) -> Any:
    """About how often each column's clusters will look at another (n_columns); unknown where there is nothing to divide."""
    starts = sorting.column_start
    work = np.empty(starts.shape[0] - 1, np.int64)
    if n_stretches == 1:
        return work
    for column in range(work.shape[0]):
        beside = 0
        around = _neighbor_columns(column, notes.steps, sorting, notes.columns, notes.middles_x, notes.middles_y)
        for n in range(around):
            beside += starts[notes.columns[n] + 1] - starts[notes.columns[n]]
        work[column] = (starts[column + 1] - starts[column]) * beside
    return work


@uncounted
def _where_stretch_begins(k: int, n_stretches: int, work: Any, sorting: Any, near: Any) -> tuple[int, int, int]:
    """First column, first entry of the outer and of the masked rows of stretch ``k``; of the end for ``k = n_stretches``."""
    starts, plain_room, masked_room = sorting.column_start, near.outer_rows.shape[0], near.masked_rows.shape[0]
    n_columns = work.shape[0]
    if k == 0:
        return 0, 0, 0
    if k == n_stretches:
        return n_columns, plain_room, masked_room
    total = 0
    for column in range(n_columns):
        total += work[column]
    done, column = 0, 0
    while column < n_columns and done * n_stretches < total * k:
        done += work[column]
        column += 1
    plain = WIDTH * int(plain_room * (done / max(total, 1)) / WIDTH)
    masked = LANES * int(masked_room * (starts[column] / max(starts[n_columns], 1)) / LANES)
    return column, plain, masked


@helper
def _close_gaps(sorting: Any, near: Any, team: Any) -> None:
    """Move what every thread but the first has listed to where the one before ends."""
    stretches, starts = team.stretches, sorting.column_start
    plain, masked = 0, 0
    for k in range(team_size(team)):
        first, last, plain_from, plain_end, masked_from, masked_end = (
            stretches[k, 0], stretches[k, 1], stretches[k, 2], stretches[k, 3], stretches[k, 4], stretches[k, 5]
        )  # fmt: skip
        if plain_from > plain:
            for n in range(0, plain_end - plain_from, WIDTH):  # both begin with whole registers
                store_where(near.outer_rows, plain + n, load(near.outer_rows, plain_from + n), _EVERY_BIT)
        if masked_from > masked:
            for n in range(masked_end - masked_from):
                near.masked_rows[masked + n] = near.masked_rows[masked_from + n]
            for n in range((masked_end - masked_from) // LANES):
                near.masks[masked // LANES + n] = near.masks[masked_from // LANES + n]
        for q in range(starts[first], starts[last]):
            near.outer_start[q] -= (plain_from - plain) // LANES
            near.masked_start[q] -= (masked_from - masked) // LANES
        plain += plain_end - plain_from
        masked += masked_end - masked_from
    n_clusters = starts[starts.shape[0] - 1]
    near.outer_start[n_clusters], near.masked_start[n_clusters] = plain // LANES, masked // LANES


@helper
def build_outer(thread: int, x: Any, box: Any, radius: float, pair: Any, near: Any, team: Any) -> bool:
    """Sort the beads and list all pairs within ``radius``; False when there is no room.

    All threads of a team call it and get the same answer; positions may be placed afterwards.
    """
    sorting = _sort_into_clusters(thread == 0, x, box, pair.solute, near)
    n_clusters = sorting.column_start[sorting.column_start.shape[0] - 1]
    if n_clusters > near.charged.shape[0]:
        return False
    meet(thread, team)  # now every bead has its slot
    first, last = share(thread, team, n_clusters)
    fill_clusters(first, last, pair, near)
    meet(thread, team)  # and its type
    notes = _new_notes(box, radius + 2.0 * margin(box), pair, sorting, near)
    work, stretch = _work_of_columns(team_size(team), sorting, notes), team.stretches[thread]
    stretch[0], stretch[2], stretch[4] = _where_stretch_begins(thread, team_size(team), work, sorting, near)
    stretch[1], stretch[3], stretch[5] = _where_stretch_begins(thread + 1, team_size(team), work, sorting, near)
    fits = _list_pairs(box, radius, pair, sorting, notes, near, stretch)
    first, last = share(thread, team, x.shape[0])
    copy_some_rows(first, last, x, near.reference)
    if thread == 0:
        _list_near_solute(x, box, radius, pair, near)
    fits = agreed(thread, fits, False, team)
    if fits and thread == 0:
        _close_gaps(sorting, near, team)
        near.radii[0] = radius
        near.counts[1] += 1
    meet(thread, team)
    return fits


@kernel
def refresh_list(frame: Any, pair: Any, radius: float, inner_radius: float, near: Any, team: Any) -> bool:
    """Build both lists at the positions of a frame, and place these, by a single thread; False when they need more room."""
    x, box = frame.positions, frame.box
    if not build_outer(0, x, box, radius, pair, near, team):
        return False
    place(0, x.shape[0], x, box, near, 0.0)
    prune(0, near.counts[0], box, inner_radius, near)
    copy_some_rows(0, x.shape[0], x, near.inner_reference)
    note_pruned(inner_radius, near)
    return True
