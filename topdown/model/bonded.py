"""Bonded terms, with GROMACS's function numbers and units (nm, degrees, kJ/mol).

Indices are 0-based bead indices inside the molecule.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """|r_i - r_j| = length [nm]; the pair is excluded from non-bonded interactions."""

    atoms: tuple[int, int]
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Angle:
    """``function`` 1: U = k/2 (θ - θ0)², k [kJ/mol/rad²]; 2 (G96): U = k/2 (cos θ - cos θ0)², k [kJ/mol].

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dihedral:
    """``function`` 1 or 9 (proper): U = k (1 + cos(n φ - φ0)); 2 (improper): U = k/2 (φ - φ0)², k [kJ/mol/rad²].

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
