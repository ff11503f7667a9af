"""Molecules, how many of each, where they are, and the table that rules them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from topdown.errors import TopologyError
from topdown.model._arrays import FloatArray, frozen_array
from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """A box of molecules: all the engine and the writers need.

    Attributes
    ----------
    table : BeadTable
        Holds at least the bead types in use.
    components : tuple of (CGMolecule, int)
        Molecules and their counts, in the order of the coordinates; the same molecule may come again.
    positions : (n_beads, 3) float64 [nm]
        Molecules need not be wrapped; they must be whole.
    box : (3,) float64 [nm]
        Edges of the rectangular periodic box.
    velocities : (n_beads, 3) float64 [nm/ps] or None
    reference_positions : (n_beads, 3) float64 [nm] or None
        Reference points of position restraints; ``None`` for the starting positions themselves.
    title : str
    """

    table: BeadTable
    components: tuple[tuple[CGMolecule, int], ...]
    positions: FloatArray
    box: FloatArray
    velocities: FloatArray | None = None
    reference_positions: FloatArray | None = None
    title: str = "topdown"

    def __post_init__(self) -> None:
        n = self.n_beads
        object.__setattr__(self, "positions", frozen_array("positions", self.positions, (n, 3)))
        object.__setattr__(self, "box", frozen_array("box", self.box, (3,)))
        for name in ("velocities", "reference_positions"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen_array(name, getattr(self, name), (n, 3)))
        if min(self.box) <= 0:
            raise TopologyError(f"box edges must be positive, got {self.box.tolist()}")
        for molecule, count in self.components:
            if count < 0:
                raise TopologyError(f"count of {molecule.name} is negative")
            for bead in molecule.beads:
                self.table.index(bead.bead_type)

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return sum(molecule.n_beads * count for molecule, count in self.components)

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return sum(count for _, count in self.components)

    def molecules(self) -> Iterator[tuple[CGMolecule, int]]:
        """Each molecule instance with the index of its first bead."""
        start = 0
        for molecule, count in self.components:
            for _ in range(count):
                yield molecule, start
                start += molecule.n_beads

    def whole(self) -> System:
        """The same system with every molecule in one piece.

        Each bead goes to the image nearest to its neighbour in :meth:`CGMolecule.spanning_tree`; beads that are in place
        already keep their bits. Right for molecules whose bonds are shorter than half the box.
        """
        result = np.array(self.positions)
        start = 0
        for molecule, count in self.components:
            stop = start + molecule.n_beads * count
            block = result[start:stop].reshape(count, molecule.n_beads, 3)
            for parent, child in molecule.spanning_tree():
                block[:, child] -= self.box * np.round((block[:, child] - block[:, parent]) / self.box)
            start = stop
        return replace(self, positions=result)

    def with_coordinates(
        self, positions: FloatArray, box: FloatArray | None = None, velocities: FloatArray | None = None
    ) -> System:
        """The same molecules elsewhere; velocities are dropped unless given, reference positions stay."""
        return replace(self, positions=positions, box=self.box if box is None else box, velocities=velocities)
