"""Water and ions around what is already in a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from topdown.building.lipids import LIPID_PACKING
from topdown.building.liquid import BEAD_VOLUME, lattice
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray

#: Water keeps this distance from every other bead when it is put on its lattice [nm].
_WATER_CLEARANCE: Final = 0.43
#: No lattice of water is finer than this [nm].
_DENSEST_WATER: Final = 0.42
#: One Martini water bead stands for four molecules of water; pure water is 55.5 mol/l.
_WATERS_PER_BEAD: Final = 4
_WATER_MOLARITY: Final = 55.51


@dataclass(frozen=True, slots=True, kw_only=True)
class Solvent:
    """What surrounds the bilayer.

    Attributes
    ----------
    water, cation, anion : CGMolecule
    salt_molarity : float
        Of cation-anion pairs [mol/l of water], on top of the ions that neutralise the system.
    """

    water: CGMolecule
    cation: CGMolecule
    anion: CGMolecule
    salt_molarity: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.salt_molarity) and 0 <= self.salt_molarity <= 6):
            raise SettingsError(f"the salt concentration must be 0 to 6 mol/l, got {self.salt_molarity}")
        for ion, sign, role in ((self.cation, 1, "cation"), (self.anion, -1, "anion")):
            if ion.n_beads != 1 or ion.charge * sign <= 0:
                raise SettingsError(f"{ion.name} cannot serve as the {role}: one bead of that charge is needed")
        if self.water.n_beads != 1:
            raise SettingsError(f"{self.water.name} cannot serve as water: a model of one bead is needed")


def water_count(components: Sequence[tuple[CGMolecule, int]], n_lipids: int, box: FloatArray, table: BeadTable) -> int:
    """Beads of water that fill what lipids (the first ``n_lipids`` components) and solutes leave of the box."""
    taken = 0.0
    for position, (molecule, count) in enumerate(components):
        packing = LIPID_PACKING if position < n_lipids else 1.0
        taken += packing * count * sum(BEAD_VOLUME[table.bead_type(name).size] for name in molecule.type_names)
    return max(int((float(np.prod(box)) - taken) / BEAD_VOLUME["R"]), 0)


def water_sites(
    around: FloatArray, n_wanted: int, border: float, box: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """``n_wanted`` lattice sites in random order, outside the core and clear of every other bead, (n, 3) [nm].

    Heads are not as tightly packed as they will be, so water that belongs among them starts a little too dense outside.
    """
    tree = cKDTree(np.mod(around, box), boxsize=box)
    spacing = BEAD_VOLUME["R"] ** (1.0 / 3.0)
    while True:
        sites = lattice(box, spacing)
        sites = sites[np.abs(sites[:, 2] - box[2] / 2) > border]
        sites = sites[tree.query(sites)[0] > min(_WATER_CLEARANCE, 0.9 * spacing)]
        if len(sites) >= n_wanted or spacing < _DENSEST_WATER:
            chosen: FloatArray = sites[rng.permutation(len(sites))[:n_wanted]]
            return chosen
        spacing *= 0.98


def ion_counts(charge: float, n_sites: int, solvent: Solvent) -> tuple[int, int]:
    """Cations and anions: enough to neutralise ``charge`` [e], and salt by the volume of the water.

    Raises
    ------
    SettingsError
        Ions of this solvent cannot make up for the charge.
    """
    cation, anion = solvent.cation.charge, -solvent.anion.charge
    spare = charge % 1.0
    if min(spare, 1.0 - spare) > 1e-4:
        raise SettingsError(f"the molecules add up to {charge:g} e: ions cannot neutralise a fraction")
    neutral_cations, neutral_anions = (0, charge / anion) if charge > 0 else (-charge / cation, 0)
    if abs(neutral_cations - round(neutral_cations)) > 1e-4 or abs(neutral_anions - round(neutral_anions)) > 1e-4:
        raise SettingsError(f"ions of {cation:g} and {-anion:g} e cannot neutralise {charge:g} e")
    pairs = round(solvent.salt_molarity * n_sites * _WATERS_PER_BEAD / _WATER_MOLARITY)
    return round(neutral_cations) + round(pairs * anion), round(neutral_anions) + round(pairs * cation)
