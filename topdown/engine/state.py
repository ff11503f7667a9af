"""Everything about a run that moves: what a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.engine.frame import Frame
from topdown.engine.integrators import Scratch
from topdown.engine.neighbor_list import NeighborList

Floats = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """Positions (n_beads, 3) [nm], velocities [nm/ps], forces [kJ/mol/nm], box (3,) [nm], time [ps], and what kernels keep."""

    positions: Floats
    velocities: Floats
    forces: Floats
    box: Floats
    time: float
    scratch: Scratch
    neighbor_list: NeighborList

    def frame(self) -> Frame:
        """The same arrays as kernels take them."""
        scratch = self.scratch
        return Frame(self.positions, self.velocities, self.forces, self.box, scratch.energies, scratch.virial)
