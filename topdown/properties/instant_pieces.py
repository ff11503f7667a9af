"""A molecule without a shape of its own, put together from overlapping shapes of parts of it.

Free energies of solvation are nearly sums over places of a molecule. With R the largest connected parts that have shapes, all
their intersections with them, and

    c_r = 1 - Σ_{s ⊃ r} c_s,        ΔG ≈ Σ_r c_r ΔG_r,

every bead and every bond counts once (the region expansion of Kikuchi, Phys. Rev. 81, 988, 1951): a chain A-B-C is AB + BC - B.
An intersection that is not connected counts as the sum of its connected parts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

#: Beads of a part at most.
LARGEST_PART: Final = 4

Part = frozenset[int]


def connected_parts(beads: Collection[int], bonds: Collection[tuple[int, int]]) -> list[Part]:
    """The connected parts of some beads, in the order of their first bead."""
    left, found = set(beads), []
    while left:
        part, todo = set(), [min(left)]
        while todo:
            bead = todo.pop()
            if bead in part:
                continue
            part.add(bead)
            todo += [b if a == bead else a for a, b in bonds if bead in (a, b) and {a, b} <= left]
        found.append(frozenset(part))
        left -= part
    return found


def parts_with_counts(
    n_beads: int, bonds: Collection[tuple[int, int]], known: Callable[[Part], bool]
) -> dict[Part, int] | None:
    """Connected parts whose values, times their counts, add up to the whole.

    Parameters
    ----------
    n_beads : int
    bonds : collection of (int, int)
    known : callable
        Whether a connected part has a shape.

    Returns
    -------
    dict of frozenset of int to int, or None
        Counts other than 0; None where a bond, a bead or an intersection has no shape. The whole molecule is no part of itself.
    """
    level = {frozenset({k}) for k in range(n_beads)}
    candidates: list[Part] = []
    for size in range(1, min(LARGEST_PART, n_beads - 1) + 1):
        candidates += level
        level = {
            part | {other}
            for part in level
            for a, b in bonds
            for inside, other in ((a, b), (b, a))
            if inside in part and other not in part and size < n_beads
        }
    largest: list[Part] = []
    for part in sorted(candidates, key=lambda p: (-len(p), sorted(p))):
        if not any(part <= other for other in largest) and known(part):
            largest.append(part)
    covered = [{*bond} for bond in bonds] + [{k} for k in range(n_beads)]
    if not all(any(what <= part for part in largest) for what in covered):
        return None
    regions = set(largest)
    new = regions
    while new:
        new = {a & b for a in regions for b in new} - regions - {frozenset()}
        regions |= new
    counts: dict[Part, int] = {}
    for region in sorted(regions, key=len, reverse=True):
        counts[region] = 1 - sum(count for other, count in counts.items() if region < other)
    total: dict[Part, int] = {}
    for region, count in counts.items():
        for part in connected_parts(region, bonds):
            total[part] = total.get(part, 0) + count
    used = {part: count for part, count in total.items() if count}
    return used if all(known(part) for part in used) else None
