"""How the outer list is found: beads sorted into clusters, and for each cluster the beads around it, by all threads of a team.

Each thread sorts for itself, which costs little and spares them handing the work arrays around; then each searches around
the clusters of some columns, and writes what it finds to a stretch of the rows of its own. In the end the gaps between the
stretches are closed: a list is the same whoever made it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from topdown.engine._arrays import copy_some_rows, fill
from topdown.engine._jit import helper, kernel, uncounted
from topdown.engine._registers import LANES, WIDTH
from topdown.engine._simd import (
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
from topdown.engine.list_columns import (
    ALL_FOUR,
    bins_within,
    bounds_of,
    column_offsets,
    join_bits,
    neighbor_columns,
    ranges_within,
    sort_into_clusters,
)
from topdown.engine.neighbor_list import (
    MIXED,
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

#: All pairs of a pack.
_EVERY_BIT = np.uint32((1 << WIDTH) - 1)


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
                marks[slot] &= ALL_FOUR ^ (np.uint32(1) << np.uint32(k))
            else:
                marks[slot] = ALL_FOUR


@uncounted
def _set_masked(rows: Any, masks: Any, entry: int, slot: Any, bits: Any) -> int:
    """A j bead of the masked list, and its four bits; the next entry."""
    rows[entry] = np.uint32(4) * np.uint32(slot)
    pack = entry // LANES
    if entry % LANES == 0:
        masks[pack] = np.uint32(0)
    masks[pack] |= np.uint32(bits) << np.uint32(4 * (entry % LANES))
    return entry + 1


class _Notes(NamedTuple):
    """Room for what :func:`_list_pairs` notes on its way.

    ``marks``: of the pairs of each slot with the present cluster, a bit for each that is not excluded; ``marked``: whether a
    cluster has a mark. ``steps``: :func:`column_offsets`, and ``wide``, how far they reach. ``columns``, ``middles_x`` and
    ``middles_y``: :func:`neighbor_columns`. ``first``, ``last``: :func:`bins_within`. ``begins``, ``ends``:
    :func:`ranges_within`. ``odd``: a bit for each slot from a cluster on whose bead is not of the most frequent type, which is
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
    steps = column_offsets(box, sorting.grid, wide)
    usual = np.int32(8 * _most_frequent(pair.types, pair.lj.shape[0]))
    odd, marks = np.empty(near.charged.shape[0] + 4, np.uint32), np.empty(near.order.shape[0] + 16, np.uint32)
    marked = np.empty(near.charged.shape[0] + 4, np.bool_)
    fill(odd, np.uint32(0))
    fill(marks, ALL_FOUR)
    fill(marked, False)
    for q in range(near.counts[0]):
        for k in range(4):
            odd[q] |= np.uint32(near.slots[8 * (4 * q + k) + 3] != usual) << np.uint32(k)
    join_bits(near.counts[0], odd)
    room = steps.shape[0] + 4
    return _Notes(
        marks, marked, steps, wide, np.empty(room, np.int64), np.empty(room), np.empty(room), np.empty(room, np.int32),
        np.empty(room, np.int32), np.empty(2 * room, np.int64), np.empty(2 * room, np.int64), odd, usual
    )  # fmt: skip


@uncounted
def _has_exclusions(q: int, order: Any, n_beads: int, exclusion_start: Any) -> bool:
    """Whether some bead of cluster q is excluded from another."""
    some = False
    for k in range(4):
        i = order[4 * q + k]
        if i < n_beads:
            some |= exclusion_start[i] != exclusion_start[i + 1]
    return some


@uncounted
def _set_own(q: int, order: Any, n_beads: int, marks: Any, rows: Any, masks: Any, masked: int) -> int:
    """Put cluster q's beads into its masked list, each against those before it; the next entry."""
    for k in range(1, 4):
        if order[4 * q + k] < n_beads:
            masked = _set_masked(rows, masks, masked, 4 * q + k, marks[4 * q + k] & np.uint32((1 << k) - 1))
    return masked


@uncounted
def _fill_up_masked(order: Any, rows: Any, masks: Any, masked: int) -> int:
    """End a cluster's masked list with a whole pack, in which all lanes but the first are for what the inner list leaves over."""
    for _ in range(LANES - 1):
        masked = _set_masked(rows, masks, masked, order.shape[0] - 1, np.uint32(0))
    while masked % LANES:
        masked = _set_masked(rows, masks, masked, order.shape[0] - 1, np.uint32(0))
    return masked


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
        around = neighbor_columns(column, steps, sorting, columns, middles_x, middles_y)
        is_solute = column == n_columns - 1
        for q in range(column_start[column], column_start[column + 1]):
            if masked + 16 > masked_end or plain + 16 > plain_end:
                return False
            outer_start[q], masked_start[q] = plain // LANES, masked // LANES
            strange = np.uint32(0)
            has_exclusions = _has_exclusions(q, order, n_beads, exclusion_start)
            bounds = bounds_of(q, sorting)
            if has_exclusions:
                _mark_exclusions(q, order, slot_of, exclusion_start, exclusions, marks, marked, True)
            masked = _set_own(q, order, n_beads, marks, masked_rows, masks, masked)
            center_x, half_x = _middle(bounds[0], bounds[1], box[0])
            center_y, half_y = _middle(bounds[2], bounds[3], box[1])
            center_z, half_z = _middle(bounds[4], bounds[5], box[2])
            if is_solute:
                first[0], last[0] = 0, n_z - 1
            else:
                bins_within(around, bounds, middles_x, middles_y, box, sorting.grid, wide, first, last)
            n_ranges = ranges_within(q, around, columns, first, last, bin_start, shift, column_start, n_z, begins, ends)
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
            masked = _fill_up_masked(order, masked_rows, masks, masked)
            near.uniform[q] = usual if strange == 0 else MIXED
    stretch[3], stretch[5] = plain, masked
    return True


@uncounted
def _take_marked(bits: Any, slot: Any, marks: Any, rows: Any, masks: Any, masked: int) -> Any:
    """Move beads with excluded pairs from ``bits`` to the masked list."""
    for k in range(WIDTH):
        if (bits >> np.uint32(k)) & np.uint32(1) and marks[slot + k] != ALL_FOUR:
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
        around = neighbor_columns(column, notes.steps, sorting, notes.columns, notes.middles_x, notes.middles_y)
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
def _clusters_ahead(box: Any, cutoff: float, sorting: Any) -> int:
    """How many clusters are in the columns from one to the last it may have pairs with, and two more."""
    n_x, n_y, _ = sorting.grid
    reach_x, reach_y = int(cutoff * n_x / box[0]) + 1, int(cutoff * n_y / box[1]) + 1
    return int(sorting.column_start[min(reach_x * n_y + reach_y + 2, n_x * n_y)])


@helper
def build_outer(thread: int, x: Any, box: Any, radius: float, pair: Any, near: Any, team: Any) -> bool:
    """Sort the beads and list all pairs within ``radius``; False when there is no room.

    All threads of a team call it and get the same answer; positions may be placed afterwards.
    """
    sorting = sort_into_clusters(thread == 0, x, box, pair.solute, near)
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
        near.counts[4] = _clusters_ahead(box, pair.cutoff, sorting)
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
