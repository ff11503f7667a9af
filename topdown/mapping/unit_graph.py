"""The graph of units that beads are made of, and how it falls to pieces when a group is taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from topdown.mapping.bit_masks import bits


@dataclass(slots=True)
class UnitGraph:
    """Units and their connections, with what is needed to split remainders quickly.

    Attributes
    ----------
    neighbors : sequence of int
        Bit mask over units of the neighbours of each unit.
    side : dict of (int, int) to int
        For each bridge u–v (a connection that is in no cycle), the mask of the units on v's side.
    in_cycles : list of int
        Neighbours of each unit by connections that are no bridges.
    hanging : list of int
        The unit itself and all that hangs on it by bridges.
    """

    neighbors: Sequence[int]
    side: dict[tuple[int, int], int] = field(default_factory=dict)
    in_cycles: list[int] = field(default_factory=list)
    hanging: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.neighbors)
        order, parent, low, below = _depth_first(self.neighbors)
        place = [0] * n
        for number, u in enumerate(order):
            place[u] = number
        component = [0] * n
        for u in order:
            component[u] = below[u] if parent[u] < 0 else component[parent[u]]
        self.in_cycles = list(self.neighbors)
        self.hanging = [1 << u for u in range(n)]
        for v in order:
            u = parent[v]
            if u >= 0 and low[v] == place[v]:
                self.side[u, v] = below[v]
                self.side[v, u] = component[v] & ~below[v]
                self.in_cycles[u] &= ~(1 << v)
                self.in_cycles[v] &= ~(1 << u)
        for (u, _), units in self.side.items():
            self.hanging[u] |= units

    def pieces_without(self, rest: int, group: int, boundary: int) -> tuple[int, ...]:
        """Connected pieces of ``rest``, which together with ``group`` is connected; ``boundary``, neighbours of ``group``."""
        near = boundary & rest
        if near & (near - 1) == 0:
            return (rest,) if rest else ()
        pieces = []
        while near:
            one = near & -near
            v = one.bit_length() - 1
            inner = self.neighbors[v] & group
            side = self.side.get((inner.bit_length() - 1, v)) if inner & (inner - 1) == 0 else None
            if side is not None:
                piece = side & rest
            else:
                reached = frontier = one
                piece = self.hanging[v] & rest
                while frontier:
                    found = 0
                    for w in bits(frontier):
                        found |= self.in_cycles[w]
                        piece |= self.hanging[w]
                    frontier = found & rest & ~reached
                    reached |= frontier
                piece = (piece | reached) & rest & ~group
            pieces.append(piece)
            near &= ~piece
        return tuple(pieces)


def _depth_first(neighbors: Sequence[int]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Depth-first order, parents (-1 for none), low points and masks of descendants (Tarjan's bridges)."""
    n = len(neighbors)
    parent, place, low, below = [-1] * n, [-1] * n, [0] * n, [1 << u for u in range(n)]
    order: list[int] = []
    for root in range(n):
        if place[root] >= 0:
            continue
        stack = [(root, list(bits(neighbors[root])))]
        place[root] = low[root] = len(order)
        order.append(root)
        while stack:
            u, ahead = stack[-1]
            if ahead:
                v = ahead.pop()
                if place[v] < 0:
                    parent[v] = u
                    place[v] = low[v] = len(order)
                    order.append(v)
                    stack.append((v, list(bits(neighbors[v]))))
                elif v != parent[u]:
                    low[u] = min(low[u], place[v])
                continue
            stack.pop()
            if parent[u] >= 0:
                low[parent[u]] = min(low[parent[u]], low[u])
                below[parent[u]] |= below[u]
    return order, parent, low, below
