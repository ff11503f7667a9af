"""Bonded terms, virtual sites and restraints, with GROMACS's function numbers and units (nm, degrees, kJ/mol).

Indices are 0-based bead indices inside the molecule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from topdown.errors import TopologyError
from topdown.model._arrays import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """U = k/2 (r - length)². ``function`` 1 excludes the pair from non-bonded interactions, 6 does not.

    Attributes
    ----------
    atoms : (int, int)
    length : float
        [nm]
    force_constant : float
        [kJ/mol/nm²]
    """

    atoms: tuple[int, int]
    length: float
    force_constant: float
    function: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """|r_i - r_j| = length [nm]. ``function`` 1 excludes the pair from non-bonded interactions, 2 does not."""

    atoms: tuple[int, int]
    length: float
    function: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class TabulatedPotential:
    """A potential given at equally spaced points, cubic between them (Hermite, from values and slopes).

    Attributes
    ----------
    x : (n,) float64
        Equally spaced, increasing; [degrees] for angles.
    energy : (n,) float64
        To be scaled by the term's force constant [kJ/mol].
    slope : (n,) float64
        dU/dx (GROMACS files hold its negative).
    number : int
        The table's number in GROMACS (``table_a3.xvg``: 3).

    Raises
    ------
    TopologyError
        Fewer than two points, unequal spacing, or arrays of unequal length.
    """

    x: FloatArray
    energy: FloatArray
    slope: FloatArray
    number: int = 0

    def __post_init__(self) -> None:
        for name in ("x", "energy", "slope"):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), (len(self.x),)))
        steps = np.diff(self.x)
        if len(self.x) < 2 or not np.all(steps > 0) or np.ptp(steps) > 1e-3 * steps[0]:
            raise TopologyError(f"table {self.number} must have equally spaced, increasing points")


@dataclass(frozen=True, slots=True, kw_only=True)
class Angle:
    """An angle term, k [kJ/mol/rad²] for function 1 and [kJ/mol] for the others.

    ``function`` 1: U = k/2 (θ - θ0)²; 2 (G96): U = k/2 (cos θ - cos θ0)²; 10 (restricted bending, Bulacu 2013):
    U = k/2 (cos θ - cos θ0)² / sin² θ; 8 (tabulated): U = k f(θ), f from ``table``, ``angle`` unused.

    Attributes
    ----------
    atoms : (int, int, int)
        The middle one is the vertex.
    angle : float
        θ0 [degrees]
    force_constant : float
    """

    atoms: tuple[int, int, int]
    angle: float
    force_constant: float
    function: int = 2
    table: TabulatedPotential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dihedral:
    """A dihedral term.

    ``function`` 1 or 9 (proper): U = k (1 + cos(n φ - φ0)); 2 (improper): U = k/2 (φ - φ0)², k [kJ/mol/rad²];
    3 (Ryckaert-Bellemans): U = Σ_n C_n cos^n(φ - 180°), six ``coefficients`` C_0…C_5 [kJ/mol] and nothing else; 11 (combined
    bending-torsion, Bulacu 2013): U = k sin³ θ1 sin³ θ2 Σ_n a_n cos^n φ, five ``coefficients`` a_0…a_4 (GROMACS files hold
    k a_0 … a_4 in this order), θ1 and θ2 the angles i-j-k and j-k-l, ``angle`` unused.

    Attributes
    ----------
    atoms : (int, int, int, int)
    angle : float
        φ0 [degrees], IUPAC sign, trans = 180.
    force_constant : float
        [kJ/mol], or [kJ/mol/rad²] for function 2.
    multiplicity : int
        n; 0 for function 2.
    """

    atoms: tuple[int, int, int, int]
    angle: float
    force_constant: float
    multiplicity: int = 0
    function: int = 2
    coefficients: tuple[float, ...] = ()


Construction = Literal["2", "2fd", "3", "3fd", "3fad", "3out", "4fdn", "n"]

#: Beads a virtual site is built from, and its parameters, by construction; ``n`` takes any number of both.
CONSTRUCTIONS: dict[Construction, tuple[int, int]] = {
    "2": (2, 1), "2fd": (2, 1), "3": (3, 2), "3fd": (3, 2), "3fad": (3, 2), "3out": (3, 3), "4fdn": (4, 3), "n": (0, 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualSite:
    """A bead without mass whose position follows from others (GROMACS manual, "Virtual interaction sites").

    With r_ij = r_j - r_i and i, j, k, l the ``atoms``:

    - ``2``: r = (1-a) r_i + a r_j; ``2fd``: r_i + a r_ij/|r_ij|, a [nm];
    - ``3``: r = (1-a-b) r_i + a r_j + b r_k; ``3fd``: r_i + d u/|u|, u = (1-a) r_ij + a r_ik, parameters (a, d [nm]);
      ``3fad``: parameters (θ [degrees], d [nm]); ``3out``: r_i + a r_ij + b r_ik + c (r_ij × r_ik), c [1/nm];
    - ``4fdn``: parameters (a, b, c [nm]);
    - ``n``: weighted mean of all ``atoms``, parameters are the weights (sum not zero): geometric centre, centre of mass and
      free weights alike.

    Attributes
    ----------
    site : int
        The bead that is placed; its mass must be 0.
    construction : str
    atoms : tuple of int
        Beads it is built from; they may themselves be virtual sites, but not in a circle.
    parameters : tuple of float
    """

    site: int
    construction: Construction
    atoms: tuple[int, ...]
    parameters: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRestraint:
    """U = Σ_d k_d/2 (x_d - reference_d)²; ``force_constants`` along x, y, z [kJ/mol/nm²]."""

    atom: int
    force_constants: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatBottomRestraint:
    """U = k/2 (d - |radius|)² beyond the flat part (d: distance from the reference point, axis or plane).

    Attributes
    ----------
    atom : int
    geometry : int
        GROMACS's g: 1 sphere, 2 cylinder along z (as 8), 3-5 layer in x, y, z, 6-8 cylinder along x, y, z.
    radius : float
        [nm]; negative inverts: the bead is kept out of the region.
    force_constant : float
        [kJ/mol/nm²]
    """

    atom: int
    geometry: int
    radius: float
    force_constant: float
