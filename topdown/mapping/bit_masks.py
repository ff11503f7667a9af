"""Sets of atoms or units as the bits of one integer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=1 << 15)
def bits(mask: int) -> tuple[int, ...]:
    """Places of the bits set in ``mask``, lowest first; remembered, since the same masks come back again and again."""
    out = []
    while mask:
        low = mask & -mask
        out.append(low.bit_length() - 1)
        mask ^= low
    return tuple(out)


def pieces_of(mask: int, neighbors: Sequence[int]) -> list[int]:
    """Connected components of the atoms in ``mask``, given the bit mask of the neighbours of each atom."""
    pieces = []
    while mask:
        piece = frontier = mask & -mask
        while frontier:
            reached = 0
            for atom in bits(frontier):
                reached |= neighbors[atom]
            frontier = reached & mask & ~piece
            piece |= frontier
        pieces.append(piece)
        mask &= ~piece
    return pieces
