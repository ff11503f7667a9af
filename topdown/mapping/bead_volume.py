"""How much room the atoms of a bead take, and which of the volumes of a type suits them.

A bead of four heavy atoms may stand for C₄H₈ or CCl₄; their liquids differ in volume by a fifth. The characteristic volume of
Abraham & McGowan (Chromatographia 23, 243 (1987)) adds up over atoms less 6.56 cm³/mol for every bond, hydrogens included, so
that a bead has one without a conformation. Tables whose types come in several volumes – compact, usual, bulky – give every bead
the one that suits it, so that the volumes of a molecule's beads add up to that of its atoms as nearly as may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from topdown.mapping.class_rounding import round_together
from topdown.model._arrays import FloatArray, IntArray

#: What stands behind the name of a type whose volume is that many steps from the usual one: c compact, b bulky.
VOLUME_SUFFIXES: Final[Mapping[int, str]] = {-4: "c4", -3: "c3", -2: "c2", -1: "c", 0: "", 1: "b", 2: "b2"}
VOLUME_LEVELS: Final = tuple(VOLUME_SUFFIXES)
#: One step, in ln of the diameter: a third of ln of the volume.
VOLUME_STEP: Final = 0.06
#: Volume of a usual bead [cm³/mol]: the geometric mean over the beads of the 316 calibration liquids of topdown1.
USUAL_VOLUME: Final[Mapping[str, float]] = {"R": 58.6, "S": 41.3, "T": 24.0}
#: Of atoms [cm³/mol] (Abraham & McGowan 1987, Table II), and of a bond less.
_ATOMS: Final[Mapping[str, float]] = {
    "H": 8.71,
    "B": 18.32,
    "C": 16.35,
    "N": 14.39,
    "O": 12.43,
    "F": 10.48,
    "Si": 26.83,
    "P": 24.87,
    "S": 22.91,
    "Cl": 20.95,
    "Ge": 31.02,
    "As": 29.42,
    "Se": 27.81,
    "Br": 26.21,
    "Sn": 39.35,
    "Te": 36.14,
    "I": 34.53,
}
_BOND: Final = 6.56
#: Of volumes that count like a kJ/mol where classes are chosen together [cm³/mol].
_ROUNDING_UNIT: Final = 5.0


def bead_volumes(mol: Any, groups: Sequence[Sequence[int]]) -> FloatArray:
    """Characteristic volume (n_groups,) of the atoms of each group and their hydrogens [cm³/mol].

    An atom in several groups gives each its share, a bond half of itself to either atom. Of an element without a value (none
    of those that the mapper takes) the volume is that of carbon.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        With implicit hydrogens.
    groups : sequence of sequence of int
    """
    shared = Counter(k for group in groups for k in group)
    return np.array([sum(_atom_volume(mol.GetAtomWithIdx(k)) / shared[k] for k in group) for group in groups])


def _atom_volume(atom: Any) -> float:
    hydrogens = atom.GetTotalNumHs()
    own = _ATOMS.get(atom.GetSymbol(), _ATOMS["C"])
    return float(own + hydrogens * _ATOMS["H"] - _BOND * (hydrogens + 0.5 * atom.GetDegree()))


def volume_levels(volumes: FloatArray, sizes: Sequence[str], *, together: bool = True) -> IntArray:
    """Which volume suits each bead, (n_beads,): one of ``VOLUME_LEVELS``, below 0 compact, above bulky.

    Parameters
    ----------
    volumes : (n_beads,) float64 [cm³/mol]
    sizes : sequence of str
        R, S or T of every bead.
    together : bool
        So that the sum over the molecule is right (:mod:`topdown.mapping.class_rounding`, with 5 cm³/mol in place of a kJ/mol);
        else each bead gets the nearest.
    """
    usual = np.array([USUAL_VOLUME[size] for size in sizes])
    steps = 3.0 * VOLUME_STEP * np.array(VOLUME_LEVELS)
    # what each level is off by, to first order in the logarithm
    off = (steps - np.log(volumes / usual)[:, None]) * volumes[:, None] / _ROUNDING_UNIT
    chosen = round_together(off[:, :, None]) if together else np.abs(off).argmin(axis=1)
    return np.asarray(chosen, dtype=np.int64) + VOLUME_LEVELS[0]
