"""A harmonic restraint of the distance along z of two groups' centres of mass, as an umbrella needs it.

With ζ the height of one group's centre above the other's and d the distance wanted,

    U = k/2 (ζ - d)²,   f_i = -k (ζ - d) m_i/M  on the group,  +k (ζ - d) m_i/M  on the reference,

ζ - d to the nearest image: no force acts on the whole, and GROMACS's ``pull-coord-geometry = direction`` along z with
``umbrella`` is the same energy. Like there the restraint takes part in the virial, -1/2 ζ f along z: whole molecules move apart
with the box, ζ with them, and what a barostat samples is the ensemble of the energy with U. (GROMACS also adds the offsets of the
centres in x and y times f, off the diagonal, which nothing reads in a rectangular box.)

A bilayer spans half the box, so that the nearest images of its beads are no matter of course. Positions here never jump over a
face, so it is enough to choose once: every molecule that a group has beads of goes to the image nearest to the circular mean of
the group's heights, and stays in it. ζ is then smooth whatever moves how far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._jit import helper
from topdown.engine._lent import lent
from topdown.errors import SettingsError
from topdown.model import System

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]

#: Least length of the mean of e^(2πi z/L_z) over a group: below, it fills the box so evenly that it has no centre.
_LEAST_RESULTANT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreRestraint:
    """Holds the centre of mass of a group at a height above that of a reference group.

    Attributes
    ----------
    group, reference : tuple of int
        Beads of either. Beads without mass (virtual sites) count for nothing.
    distance : float
        d along z [nm]; negative below the reference. Beyond half the box the nearest image is meant.
    force_constant : float
        k [kJ/mol/nm²]

    Raises
    ------
    SettingsError
        Groups that are empty or share beads, or a force constant that is not positive.
    """

    group: tuple[int, ...]
    reference: tuple[int, ...]
    distance: float
    force_constant: float

    def __post_init__(self) -> None:
        if not self.group or not self.reference:
            raise SettingsError("a restraint of two centres needs beads in both groups")
        both = (*self.group, *self.reference)
        if len(set(both)) < len(both):
            raise SettingsError("a bead can be only once in the two groups of a restraint")
        if min(both) < 0:
            raise SettingsError(f"there is no bead {min(both)}")
        if not 0.0 < self.force_constant < np.inf or not np.isfinite(self.distance):
            raise SettingsError(
                f"a restraint needs a positive force constant and a distance, got {self.force_constant:g} and "
                f"{self.distance:g}"
            )


@lent
class CentreParameters(NamedTuple):
    """The restraint for the kernel; no beads where there is none.

    ``weights``: shares of the mass, those of the reference negative, so that ζ = Σ w (z + n L_z) with ``images`` n.
    """

    beads: Indices
    weights: Floats
    images: Floats
    distance: float
    force_constant: float


def centre_parameters(
    restraint: CentreRestraint | None, system: System, masses: Floats, start: Indices
) -> CentreParameters:
    """Flatten a restraint.

    Parameters
    ----------
    restraint : CentreRestraint, optional
    system : System
    masses : (n_beads,) float64 [u]
    start : (n_molecules + 1,) uint32
        First bead of every molecule.

    Raises
    ------
    SettingsError
        A bead the system has not got, a group without mass, or one that fills the height of the box evenly.
    """
    if restraint is None:
        return CentreParameters(np.zeros(0, np.uint32), np.zeros(0), np.zeros(0), 0.0, 0.0)
    z = system.whole().positions[:, 2]
    beads, weights, images = [], [], []
    for sign, group in ((1.0, restraint.group), (-1.0, restraint.reference)):
        row = np.array(group)
        if row.max() >= len(masses):
            raise SettingsError(f"there is no bead {row.max()} to restrain; the system has {len(masses)}")
        if masses[row].sum() <= 0.0:
            raise SettingsError("a group of virtual sites has no centre of mass to restrain")
        share = masses[row] / masses[row].sum()
        beads.append(row[share > 0.0])
        weights.append(sign * share[share > 0.0])
        images.append(_images(z[beads[-1]], float(system.box[2]), abs(weights[-1]), beads[-1], start))
    return CentreParameters(
        beads=np.concatenate(beads).astype(np.uint32),
        weights=np.concatenate(weights),
        images=np.concatenate(images),
        distance=float(restraint.distance),
        force_constant=float(restraint.force_constant),
    )


def _images(z: Floats, height: float, share: Floats, beads: npt.NDArray[np.int64], start: Indices) -> Floats:
    """Images, in boxes, in which the molecules at heights ``z`` (n,) lie round the circular mean of all."""
    turn = 2.0 * np.pi / height
    mean = complex((share * np.exp(1j * turn * z)).sum())
    if abs(mean) < _LEAST_RESULTANT:
        raise SettingsError("a group that fills the height of the box evenly has no centre to restrain")
    centre = np.angle(mean) / turn
    _, owner = np.unique(np.searchsorted(start, beads, side="right"), return_inverse=True)
    middle = np.bincount(owner, weights=z) / np.bincount(owner)
    return np.asarray(-np.round((middle - centre) / height)[owner])


def centre_heights(positions: Floats, box: Floats, centres: CentreParameters) -> tuple[float, float]:
    """Heights [nm] of the centres of the group and of the reference, each in its image, from ``positions`` (n_beads, 3)."""
    z = positions[centres.beads, 2] + centres.images * box[2]
    group = centres.weights > 0.0
    return float((centres.weights * z)[group].sum()), -float((centres.weights * z)[~group].sum())


@helper
def centre_forces(x: Any, box: Any, centres: Any, forces: Any, energies: Any, virial: Any, measure: bool) -> None:
    """U = k/2 (ζ - d)², to ``energies[5]`` with the other restraints."""
    zeta = 0.0
    for n in range(centres.beads.shape[0]):
        zeta += centres.weights[n] * (x[centres.beads[n], 2] + centres.images[n] * box[2])
    away = zeta - centres.distance
    away -= box[2] * np.rint(away / box[2])
    pull = -centres.force_constant * away
    for n in range(centres.beads.shape[0]):
        forces[centres.beads[n], 2] += centres.weights[n] * pull
    if measure:
        energies[5] += 0.5 * centres.force_constant * away * away
        virial[2, 2] -= 0.5 * (centres.distance + away) * pull
