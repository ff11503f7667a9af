"""Beads whose type a campaign may choose."""

from __future__ import annotations

from dataclasses import dataclass

#: A bead: key of its molecule, and its place in it.
BeadPlace = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeBlock:
    """Beads of solutes that stand for one building block and are of one type, now and after.

    Attributes
    ----------
    name : str
        The fragment they stand for, or what the campaign file calls them.
    environments : tuple of str
        The fragments with what they are attached to, as in ``building_blocks.csv``; empty where beads stand for no atoms.
    beads : tuple of (str, int)
    labels : tuple of str
        ``"butanol:B2"`` for each.
    bead_type : str
        The present one.
    candidates : tuple of str
    """

    name: str
    environments: tuple[str, ...]
    beads: tuple[BeadPlace, ...]
    labels: tuple[str, ...]
    bead_type: str
    candidates: tuple[str, ...]

    def of(self, molecule_key: str) -> tuple[int, ...]:
        """Places of its beads in one molecule."""
        return tuple(place for key, place in self.beads if key == molecule_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSettings:
    """The ``[types]`` section with its blocks found.

    Attributes
    ----------
    least_gain : float
        By how much a change must lower the cost.
    blocks : tuple of TypeBlock
    """

    least_gain: float
    blocks: tuple[TypeBlock, ...]
