"""Half neighbour list in compressed rows, built from cells.

Pairs within the list radius at the time of building, each once, excluded pairs and (when a solute is coupled)
solute-solvent pairs left out. Beads are renumbered along the cells first, so that neighbours in space are neighbours in
memory: rows and everything the pair loop touches are in that *sorted* order. The list stays exact until some bead has
moved half of ``radius - cutoff``: :func:`list_is_valid`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._arrays import copy_rows
from topdown.engine._jit import helper, kernel
from topdown.engine.parameters import PairParameters

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]


class NeighborList(NamedTuple):
    """Rows ``start`` (n+1,) and ``neighbors`` (capacity,) in sorted order, and what belongs to them.

    ``order`` : the bead at each sorted place. ``pair`` : pair parameters whose types, charges and solute marks are sorted.
    ``x``, ``forces`` : room for sorted positions and forces. ``reference`` : positions (not sorted) the list was built at;
    they follow a barostat's scaling, and ``radius[0]`` shrinks with it.
    """

    start: Indices
    neighbors: Indices
    order: Indices
    pair: PairParameters
    x: Floats
    forces: Floats
    reference: Floats
    radius: Floats


def empty_neighbor_list(pair: PairParameters, box: Floats, radius: float) -> NeighborList:
    """A list without pairs, with room for the mean density and a third more."""
    n = len(pair.types)
    expected = n * min(n, n / float(np.prod(box)) * 4.19 * radius**3) / 2.0
    return NeighborList(
        start=np.zeros(n + 1, np.uint32),
        neighbors=np.zeros(int(1.3 * expected) + 64 + n, np.uint32),
        order=np.arange(n, dtype=np.uint32),
        pair=sorted_pair(pair, np.arange(n)),
        x=np.zeros((n, 3)),
        forces=np.zeros((n, 3)),
        reference=np.zeros((n, 3)),
        radius=np.zeros(1),
    )


def sorted_pair(pair: PairParameters, order: npt.NDArray[Any]) -> PairParameters:
    """Pair parameters with the properties of beads in sorted order."""
    return pair._replace(types=pair.types[order], charges=pair.charges[order], solute=pair.solute[order])


def with_longer_rows(near: NeighborList) -> NeighborList:
    """The same list with room for half as many pairs again."""
    return near._replace(neighbors=np.zeros(int(1.5 * len(near.neighbors)) + 64, np.uint32))


@helper
def minimum_image(d: float, edge: float) -> float:
    """The periodic image of a coordinate difference that lies in [-edge/2, edge/2]."""
    image: float = d - edge * np.rint(d / edge)
    return image


@helper
def _append_near(
    a: int, first: int, last: int, wrapped: Any, edges: Any, radius2: float, squares: Any, split: Any, neighbors: Any,
    used: int
) -> int:  # fmt: skip
    """Append the partners of sorted bead a among first..last-1; the new fill level, or -1 when there is no room.

    The first loop has no branches so that it compiles to vector instructions. ``split`` marks (in sorted order) the solute.
    """
    if used < 0 or used + last - first > neighbors.shape[0]:
        return -1
    x, y, z = wrapped[0, a], wrapped[1, a], wrapped[2, a]
    edge_x, edge_y, edge_z = edges
    for b in range(first, last):
        dx = abs(wrapped[0, b] - x)
        dy = abs(wrapped[1, b] - y)
        dz = abs(wrapped[2, b] - z)
        dx = min(dx, edge_x - dx)
        dy = min(dy, edge_y - dy)
        dz = min(dz, edge_z - dz)
        squares[b] = dx * dx + dy * dy + dz * dz
    own = split[a]
    for b in range(first, last):
        neighbors[used] = b
        used += (squares[b] <= radius2) & (split[b] == own)
    return used


@helper
def _drop_excluded(
    a: int, begin: int, used: int, order: Any, exclusion_start: Any, exclusions: Any, neighbors: Any
) -> int:
    """Take the excluded partners of sorted bead a out of its row ``begin..used-1``; the new fill level."""
    i = order[a]
    low, high = exclusion_start[i], exclusion_start[i + 1]
    if low == high:
        return used
    kept = begin
    for n in range(begin, used):
        j = order[neighbors[n]]
        excluded = False
        for k in range(low, high):
            excluded |= exclusions[k] == j
        if not excluded:
            neighbors[kept] = neighbors[n]
            kept += 1
    return kept


@helper
def _cell_grid(box: Any, radius: float, n_beads: int) -> Any:
    """Cells along each edge, and how many cells away a neighbour can be.

    Cells half a radius wide with a reach of two, or one radius wide with a reach of one; where not even three of those
    fit along every edge, a single cell and no reach: all pairs are searched.
    """
    count = np.empty(3, np.int64)
    most = int(n_beads ** (1.0 / 3.0)) + 2
    for reach in (2, 1):
        for d in range(3):
            count[d] = min(int(box[d] * reach / radius), max(most, 2 * reach + 1))
        if count.min() >= 2 * reach + 1:
            return count, reach
    count[:] = 1
    return count, 0


@helper
def _append_column(
    a: int, column: int, low: int, high: int, n_z: int, first: Any, wrapped: Any, edges: Any, radius2: float,
    squares: Any, split: Any, neighbors: Any, used: int
) -> int:  # fmt: skip
    """Search cells low..high of a column along z, which may reach over either end of the box."""
    inside_low, inside_high = max(low, 0), min(high, n_z - 1)
    if inside_low <= inside_high:
        begin, end = first[column + inside_low], first[column + inside_high + 1]
        used = _append_near(a, begin, end, wrapped, edges, radius2, squares, split, neighbors, used)
    if low < 0:
        begin, end = first[column + n_z + low], first[column + n_z]
        used = _append_near(a, begin, end, wrapped, edges, radius2, squares, split, neighbors, used)
    if high >= n_z:
        begin, end = first[column + max(low - n_z, 0)], first[column + high - n_z + 1]
        used = _append_near(a, begin, end, wrapped, edges, radius2, squares, split, neighbors, used)
    return used


@helper
def build_neighbor_list(x: Any, box: Any, radius: float, pair: Any, start: Any, neighbors: Any, order: Any) -> bool:
    """Fill ``start``, ``neighbors`` and ``order``; returns False when ``neighbors`` is too short and must grow.

    Each bead looks ahead only: along its own cell and column, and into the columns with a larger offset in x, or the same
    and a larger one in y.
    """
    n = x.shape[0]
    solute, exclusion_start, exclusions = pair.solute, pair.exclusion_start, pair.exclusions
    cells, reach = _cell_grid(box, radius, n)
    first, cell_of, wrapped = _sort_into_cells(x, box, cells, order)
    split = np.empty(n, np.bool_)
    for a in range(n):
        split[a] = solute[order[a]]
    squares = np.empty(n)
    radius2 = radius * radius
    edges = (box[0], box[1], box[2])
    n_x, n_y, n_z = cells[0], cells[1], cells[2]
    used = 0
    for a in range(n):
        start[a] = used
        begin = used
        c_x, c_y, c_z = cell_of[a] // (n_y * n_z), (cell_of[a] // n_z) % n_y, cell_of[a] % n_z
        used = _append_near(a, a + 1, first[cell_of[a] + 1], wrapped, edges, radius2, squares, split, neighbors, used)
        for o_x in range(reach + 1):
            for o_y in range(0 if o_x == 0 else -reach, reach + 1):
                column = (((c_x + o_x) % n_x) * n_y + (c_y + o_y) % n_y) * n_z
                low = c_z + 1 if o_x == 0 and o_y == 0 else c_z - reach
                used = _append_column(
                    a, column, low, c_z + reach, n_z, first, wrapped, edges, radius2, squares, split, neighbors, used
                )  # fmt: skip
        if used < 0:
            return False
        used = _drop_excluded(a, begin, used, order, exclusion_start, exclusions, neighbors)
    start[n] = used
    return True


@helper
def _sort_into_cells(x: Any, box: Any, cells: Any, order: Any) -> Any:
    """Counting sort of beads by cell into ``order``.

    Returns the first sorted place of each cell, and the cell and wrapped coordinates (3, n) in sorted order.
    """
    n = x.shape[0]
    n_cells = cells[0] * cells[1] * cells[2]
    inside = np.empty((n, 3))
    cell = np.empty(n, np.int64)
    first = np.zeros(n_cells + 1, np.int64)
    for i in range(n):
        index = 0
        for d in range(3):
            fraction = x[i, d] / box[d]
            fraction -= np.floor(fraction)
            inside[i, d] = fraction * box[d]
            index = index * cells[d] + min(int(fraction * cells[d]), cells[d] - 1)
        cell[i] = index
        first[index + 1] += 1
    for c in range(n_cells):
        first[c + 1] += first[c]
    fill = first[:-1].copy()
    cell_of = np.empty(n, np.int64)
    wrapped = np.empty((3, n))
    for i in range(n):
        place = fill[cell[i]]
        fill[cell[i]] += 1
        order[place] = i
        cell_of[place] = cell[i]
        for d in range(3):
            wrapped[d, place] = inside[i, d]
    return first, cell_of, wrapped


@kernel
def refresh_list(x: Any, box: Any, pair: Any, radius: float, near: Any) -> bool:
    """Build the list at ``x``; False when ``near.neighbors`` must grow."""
    if not build_neighbor_list(x, box, radius, pair, near.start, near.neighbors, near.order):
        return False
    for a in range(x.shape[0]):
        i = near.order[a]
        near.pair.types[a] = pair.types[i]
        near.pair.charges[a] = pair.charges[i]
        near.pair.solute[a] = pair.solute[i]
    copy_rows(x, near.reference)
    near.radius[0] = radius
    return True


@kernel
def gather(x: Any, near: Any) -> None:
    """Put positions into sorted order, in ``near.x``."""
    for a in range(x.shape[0]):
        i = near.order[a]
        near.x[a, 0] = x[i, 0]
        near.x[a, 1] = x[i, 1]
        near.x[a, 2] = x[i, 2]


@kernel
def list_is_valid(x: Any, reference: Any, radius: float, cutoff: float) -> bool:
    """Whether every pair inside the cut-off is surely still in the list; False for coordinates that are not numbers."""
    allowed = 0.5 * (radius - cutoff)
    allowed2 = allowed * allowed
    for i in range(x.shape[0]):
        dx = x[i, 0] - reference[i, 0]
        dy = x[i, 1] - reference[i, 1]
        dz = x[i, 2] - reference[i, 2]
        if not dx * dx + dy * dy + dz * dz <= allowed2:
            return False
    return allowed > 0.0
