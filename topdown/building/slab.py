"""A slab of liquid between two vapours, cut from an equilibrated liquid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from topdown.building.packing import wrap_molecules
from topdown.errors import SettingsError
from topdown.model import System
from topdown.model._arrays import FloatArray


def build_slab(liquid: System, *, width: float, height: float) -> System:
    """The liquid of ``liquid`` as a slab in the middle of a taller box, its surfaces parallel to xy.

    Molecules move whole: their centres are scaled to the new width in x and y, and in z so that the volume of the liquid
    stays. Velocities are dropped.

    Parameters
    ----------
    liquid : System
        A box full of liquid, molecules whole.
    width, height : float
        L_x = L_y and L_z of the new box [nm].

    Raises
    ------
    SettingsError
        When the slab would leave less than a third of the box to the vapour.
    """
    thickness = float(np.prod(liquid.box)) / width**2
    if not thickness < 2.0 * height / 3.0:
        raise SettingsError(
            f"a slab {thickness:.1f} nm thick leaves no room for vapour in a box {height:.1f} nm tall",
            where=liquid.title,
            hint="a taller box, or fewer molecules",
        )
    slab = reshape_liquid(liquid, np.array([width, width, thickness]))
    positions = np.array(slab.positions)
    positions[:, 2] += 0.5 * (height - thickness)
    return replace(slab, positions=positions, box=np.array([width, width, height]), title=f"slab of {liquid.title}")


def reshape_liquid(liquid: System, box: FloatArray) -> System:
    """A liquid in a box of other edges: molecules move whole, by their centres. Velocities are dropped.

    Parameters
    ----------
    liquid : System
        A box full of liquid, molecules whole.
    box : (3,) float64 [nm]
    """
    factors = box / liquid.box
    wrapped = wrap_molecules(np.array(liquid.positions), liquid.box, liquid.components)
    blocks, start = [], 0
    for molecule, count in liquid.components:
        stop = start + molecule.n_beads * count
        block = wrapped[start:stop].reshape(count, molecule.n_beads, 3)
        centres = block.mean(axis=1, keepdims=True)
        blocks.append((block + centres * (factors - 1.0)).reshape(-1, 3))
        start = stop
    return replace(liquid, positions=np.concatenate(blocks), velocities=None, box=box)
