"""A crystal and a melt in one periodic box, touching at two faces."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule, System

#: Nearest neighbours of the crystal before it is relaxed, in units of where the pair potential is lowest: 2^(1/6) σ.
_NEIGHBOR: Final = 2.0 ** (1.0 / 6.0)
#: Places of a face-centred cubic unit cell.
_PLACES: Final = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
#: Room left at each face between crystal and melt [σ]; the box closes it.
_FACE_GAP: Final = 0.3


def build_crystal(molecule: CGMolecule, table: BeadTable, *, across: int, along: int) -> System:
    """A face-centred cubic crystal of single beads, {100} faces, nearest neighbours 2^(1/6) σ apart.

    Parameters
    ----------
    molecule : CGMolecule
        Of one bead.
    table : BeadTable
    across, along : int
        Unit cells of four beads in x and y, and in z.

    Returns
    -------
    System
        4 ``across``² ``along`` molecules without velocities, every bead inside the box.

    Raises
    ------
    SettingsError
        More than one bead, or less than one cell.
    """
    if molecule.n_beads != 1:
        raise SettingsError(f"a crystal is built of single beads, {molecule.name} has {molecule.n_beads}")
    if min(across, along) < 1:
        raise SettingsError(f"a crystal needs at least one unit cell each way, got {across} and {along}")
    (bead_type,) = molecule.type_names
    edge = _NEIGHBOR * table.pair(bead_type, bead_type)[0] * np.sqrt(2.0)
    cells = np.stack(np.meshgrid(*(np.arange(n) for n in (across, across, along)), indexing="ij"), axis=-1)
    positions = (cells.reshape(-1, 1, 3) + _PLACES + 0.25).reshape(-1, 3) * edge
    return System(
        table=table,
        components=((molecule, len(positions)),),
        positions=positions,
        box=np.array([across, across, along]) * edge,
        title=f"crystal of {len(positions)} {molecule.name}",
    )


def stack_phases(crystal: System, melt: System) -> System:
    """``melt`` on top of ``crystal``, in z, in one box that is periodic across both faces.

    Parameters
    ----------
    crystal, melt : System
        Of the same single-bead molecule, in boxes of the same x and y.

    Returns
    -------
    System
        The crystal's molecules first, without velocities.

    Raises
    ------
    SettingsError
        Boxes or molecules that do not fit.
    """
    (molecule, n_crystal), (other, n_melt) = crystal.components[0], melt.components[0]
    if molecule is not other or not np.allclose(crystal.box[:2], melt.box[:2], rtol=0.0, atol=1e-9):
        raise SettingsError("a crystal and a melt must be of one molecule and equally wide")
    (bead_type,) = molecule.type_names
    gap = _FACE_GAP * crystal.table.pair(bead_type, bead_type)[0]
    below, above = (np.mod(s.positions, s.box) for s in (crystal, melt))
    above[:, 2] += crystal.box[2] + gap
    return replace(
        crystal,
        components=((molecule, n_crystal + n_melt),),
        positions=np.concatenate([below, above]),
        velocities=None,
        box=np.array([*crystal.box[:2], crystal.box[2] + melt.box[2] + 2.0 * gap]),
        title=f"crystal beside melt of {n_crystal + n_melt} {molecule.name}",
    )
