"""What kernels work on: a configuration and what acts on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._lent import lent
from topdown.engine.parameter_arrays import TERMS

Floats = npt.NDArray[np.float64]


@lent
class Frame(NamedTuple):
    """Arrays that kernels read and write.

    Attributes
    ----------
    positions, velocities, forces : (n_beads, 3) float64 [nm, nm/ps, kJ/mol/nm]
        No velocities, (0, 3), where only forces are asked for.
    box : (3,) float64 [nm]
    energies : (n_terms,) float64 [kJ/mol]
        In the order of ``parameter_arrays.TERMS``.
    virial : (3, 3) float64 [kJ/mol]
    """

    positions: Floats
    velocities: Floats
    forces: Floats
    box: Floats
    energies: Floats
    virial: Floats


def frame_of(positions: Floats, box: Floats) -> Frame:
    """A frame without velocities, everything that is to be found zero."""
    return Frame(positions, np.zeros((0, 3)), np.zeros(positions.shape), box, np.zeros(len(TERMS)), np.zeros((3, 3)))
