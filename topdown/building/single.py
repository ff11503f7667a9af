"""One molecule in a box of its own."""

from __future__ import annotations

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.model import BeadTable, CGMolecule, System


def single_molecule(
    molecule: CGMolecule, table: BeadTable, *, rim: float, box: tuple[float, float, float] | None = None
) -> System:
    """The molecule in the middle of a box.

    Parameters
    ----------
    molecule : CGMolecule
        With its own coordinates, or extended when it has none.
    table : BeadTable
    rim : float
        Empty space on every side of it in a cubic box [nm].
    box : (float, float, float), optional
        Edges of the box [nm] instead.
    """
    positions = conformation_of(molecule)
    low, high = positions.min(axis=0), positions.max(axis=0)
    edges = np.full(3, float((high - low).max()) + 2 * rim) if box is None else np.array(box)
    return System(
        table=table.subset(molecule.type_names),
        components=((molecule, 1),),
        positions=positions - (low + high) / 2 + edges / 2,
        box=edges,
        title=molecule.name,
    )
