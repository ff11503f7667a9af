"""All that the features of a group of atoms depend on, but for the kinds of bonds it cuts.

A *description* is made of counts that add up over atoms and bonds, flags that are joined by "or", and two numbers. Equal
descriptions have equal features, so that their cost is worked out once per table of costs and not once per group.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

HALOGENS = frozenset({9, 17, 35, 53})
#: Bits of one count in the packed counts of a group.
_WIDTH = 8
_FIELDS = (
    "n",
    "aromatic",
    "ring",
    "polar",
    "halogen",
    "fused",
    "ring_hetero",
    "cuts",
    "outside",
    "to_polar",
    "carbonyl",
)
_ONE = {name: 1 << _WIDTH * place for place, name in enumerate(_FIELDS)}
#: Flags: how the aromatic ring is substituted, the size of the smallest ring, the elements other than carbon.
SUBSTITUTION = ("f", "0", "1", "2", "2p", "3", "4")
RING_SIZE = ("3", "5", "6", "7")
_ELEMENTS = {7: "N", 8: "O", 16: "S", 15: "P"}
_FLAGS = (
    *(f"of {s}" for s in SUBSTITUTION),
    *(f"size {s}" for s in RING_SIZE),
    *"NOSPX",
    "terminal",
    "double",
    "flat",
)
_FLAG = {name: 1 << place for place, name in enumerate(_FLAGS)}
#: The flag of atoms of aromatic rings, quinones included.
FLAT = _FLAG["flat"]


def count_mask(name: str) -> int:
    """The bits of one of the counts in :data:`_FIELDS` within the packed counts of a description."""
    return ((1 << _WIDTH) - 1) * _ONE[name]


def packed(name: str, count: int) -> int:
    """A count in its place within the packed counts of a description."""
    return count * _ONE[name]


class Description(NamedTuple):
    """All that the features of a group depend on, but for the bonds it cuts (module docstring)."""

    counts: int
    flags: int
    clusters: int
    branching: int
    whole: bool

    def count(self, name: str) -> int:
        """One of the counts in :data:`_FIELDS`."""
        return self.counts >> _WIDTH * _FIELDS.index(name) & (1 << _WIDTH) - 1

    def has(self, flag: str) -> bool:
        """Whether an atom carries one of :data:`_FLAGS`."""
        return bool(self.flags & _FLAG[flag])


@lru_cache(maxsize=1 << 12)
def atom_share(
    element: int,
    ring_sizes: tuple[int, ...],
    substitution: str,
    flat: bool,
    polar: int,
    carbonyl: bool,
    double: bool,
    terminal: bool,
) -> tuple[int, int]:
    """(packed counts, flags) of one atom none of whose bonds is cut.

    Parameters
    ----------
    element : int
    ring_sizes : tuple of int
        Of the rings it is in.
    substitution : str
        One of :data:`SUBSTITUTION`, or empty outside flat six-rings.
    flat : bool
        Whether a ring of it is aromatic or a quinone.
    polar, carbonyl, double : bool or 0, 1
        Whether it belongs to a functional group, is the carbon of C=O and the like, or one of C=C outside rings.
    terminal : bool
        Whether it has one neighbour.
    """
    in_ring = bool(ring_sizes)
    counts = _ONE["n"]
    counts += _ONE["aromatic"] if flat else _ONE["ring"] if in_ring else 0
    counts += _ONE["polar"] * polar + _ONE["halogen"] * (element in HALOGENS)
    counts += _ONE["fused"] * (len(ring_sizes) > 1) + _ONE["ring_hetero"] * (in_ring and element != 6)
    counts += _ONE["carbonyl"] * carbonyl
    flags = _FLAG[f"of {substitution}"] if substitution else 0
    flags |= FLAT if flat else 0
    if in_ring:
        size = min(ring_sizes)
        flags |= _FLAG["size " + ("3" if size < 5 else str(size) if size < 7 else "7")]
    if element != 6:
        flags |= _FLAG[_ELEMENTS.get(element, "X")]
        flags |= _FLAG["terminal"] if terminal and element not in HALOGENS else 0
    flags |= _FLAG["double"] if double else 0
    return counts, flags


def cut_share(*, outside: bool, to_polar: bool) -> int:
    """Packed counts that a cut bond adds: whether it leads out of a flat ring, and to an atom of a functional group."""
    return _ONE["cuts"] + _ONE["outside"] * outside + _ONE["to_polar"] * to_polar
