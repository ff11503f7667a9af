"""Averages and fluctuations of the beads' distances, angles and dihedrals, from conformers, from dynamics or from the graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from topdown.mapping.atom_roles import known_bonds
from topdown.mapping.bit_masks import bits
from topdown.mapping.bonded_fit import fit_bond, fit_fourier, fit_g96_angle, fit_restricted_angle
from topdown.mapping.conformers import BeadEnsemble, flat_positions
from topdown.mapping.vectors import cosine, difference
from topdown.model import Dihedral
from topdown.model._arrays import FloatArray
from topdown.units import kt

_KT = kt(300.0)
#: Largest constant of a torsion between two ring systems [kJ/mol].
_LARGEST_TORSION = 5.0
#: Shortest and longest bond [nm] between two beads.
_LENGTHS = (0.16, 0.75)
#: A distance whose standard deviation over the conformers is below this is stiff [nm].
_STIFF_NM = 0.02


class BeadMeasure:
    """Averages and fluctuations of distances, angles and dihedrals, from conformers or from the graph."""

    def __init__(self, mol: Any, groups: Sequence[Sequence[int]], ensemble: BeadEnsemble | None) -> None:
        self.ensemble = ensemble
        self._mol, self._groups = mol, groups
        self.thermal = ensemble is not None and ensemble.thermal
        self.kt = _KT if ensemble is None else kt(ensemble.temperature)
        self._paths: list[list[float]] | None = None
        self._share: dict[int, float] = {}
        self.is_chiral = ensemble is not None and _has_stereo_centre(mol)

    @cached_property
    def flat(self) -> FloatArray:
        """Bead positions of the drawing, (n_beads, 3) [nm]."""
        return flat_positions(self._mol, self._groups)

    @cached_property
    def _places(self) -> list[list[float]]:
        """The same as plain numbers."""
        places: list[list[float]] = self.flat.tolist()
        return places

    def shape(self, beads: Sequence[int]) -> FloatArray:
        """Positions (n, 3) [nm] of beads that move as one."""
        return self.flat[list(beads)] if self.ensemble is None else self.ensemble.mean_shape(beads)

    def length(self, pair: tuple[int, int]) -> float:
        """Length of the bond [nm] that reproduces the mean distance."""
        raw = self._graph_length(pair) if self.ensemble is None else self._bond(pair)[0]
        return round(min(max(raw, _LENGTHS[0]), _LENGTHS[1]), 4)

    def stiffness(self, pair: tuple[int, int]) -> float:
        """kT over the variance of the distance [kJ/mol/nm²]; that of a typical Martini bond without conformers."""
        return 5000.0 if self.ensemble is None else self._bond(pair)[1]

    @property
    def stiff_below(self) -> float:
        """Standard deviation below which a distance is stiff [nm]: frames of dynamics vibrate as well."""
        return 1.5 * _STIFF_NM if self.thermal else _STIFF_NM

    def _bond(self, pair: tuple[int, int]) -> tuple[float, float]:
        assert self.ensemble is not None
        fit = fit_bond(self.distances(pair), self.kt, self.ensemble.weights)
        # Minimised conformers have no Jacobian to take out: their mean is where the energy is least.
        return fit.center if self.thermal else fit.mean, fit.force_constant

    def spread(self, pair: tuple[int, int]) -> float:
        """Standard deviation of the distance [nm]."""
        assert self.ensemble is not None
        distances = self.distances(pair)
        mean = float(self.ensemble.weights @ distances)
        return math.sqrt(float(self.ensemble.weights @ (distances - mean) ** 2))

    def angle(self, triple: tuple[int, int, int]) -> tuple[float, float]:
        """(θ0 [degrees], k [kJ/mol]) of a G96 angle."""
        if self.ensemble is None:
            return 150.0, 25.0
        x = self.ensemble.positions
        cosines = cosines_between(x[:, triple[0]] - x[:, triple[1]], x[:, triple[2]] - x[:, triple[1]])
        fit = fit_g96_angle(cosines, self.kt, self.ensemble.weights)
        return fit.center, fit.force_constant

    def bend(self, triple: tuple[int, int, int]) -> float:
        """Mean angle [degrees]; of the drawing without conformers."""
        if self.ensemble is None:
            a, b, c = (self._places[bead] for bead in triple)
            return math.degrees(math.acos(cosine(difference(a, b), difference(c, b))))
        x, weights = self.ensemble.positions, self.ensemble.weights
        cosines = cosines_between(x[:, triple[0]] - x[:, triple[1]], x[:, triple[2]] - x[:, triple[1]])
        return math.degrees(math.acos(float(np.clip(weights @ cosines, -1.0, 1.0))))

    def largest_angle(self, triple: tuple[int, int, int]) -> float:
        """The angle [degrees] that one sample in a thousand exceeds."""
        assert self.ensemble is not None
        x = self.ensemble.positions
        cosines = cosines_between(x[:, triple[0]] - x[:, triple[1]], x[:, triple[2]] - x[:, triple[1]])
        return math.degrees(math.acos(float(np.clip(np.quantile(cosines, 0.001), -1.0, 1.0))))

    def restricted_angle(self, triple: tuple[int, int, int]) -> tuple[float, float]:
        """(θ0 [degrees], k [kJ/mol]) of an angle that keeps away from a straight one."""
        assert self.ensemble is not None
        x = self.ensemble.positions
        cosines = cosines_between(x[:, triple[0]] - x[:, triple[1]], x[:, triple[2]] - x[:, triple[1]])
        fit = fit_restricted_angle(cosines, self.kt, self.ensemble.weights)
        return fit.center, fit.force_constant

    def dihedral(self, four: tuple[int, int, int, int]) -> tuple[float, float]:
        """(mean [degrees], length of the mean unit vector: 1 when all conformers agree).

        A molecule without stereocentres occurs with its mirror image, whether or not the conformers sampled it.
        """
        assert self.ensemble is not None
        angles = dihedral_angles(self.ensemble.positions, four)
        mean = complex(self.ensemble.weights @ np.exp(1j * angles))
        if not self.is_chiral:
            mean = complex(mean.real)
        return math.degrees(math.atan2(mean.imag, mean.real)), abs(mean)

    def torsion(self, four: tuple[int, int, int, int]) -> tuple[Dihedral, ...]:
        """The proper dihedral terms that describe how ``four`` turn: the best one of conformers, up to three of dynamics."""
        assert self.ensemble is not None
        angles, weights = dihedral_angles(self.ensemble.positions, four), self.ensemble.weights
        if not self.is_chiral:
            angles, weights = np.concatenate([angles, -angles]), np.concatenate([weights, weights]) / 2
        if self.thermal:
            terms = fit_fourier(angles, self.kt, weights, most=3)
        else:
            terms = fit_fourier(angles, self.kt, weights, most=1, least_gain=0.15)
        return tuple(
            Dihedral(
                atoms=four,
                angle=round(t.angle, 1),
                force_constant=round(
                    min(t.force_constant, 4 * _LARGEST_TORSION if self.thermal else _LARGEST_TORSION), 2
                ),
                multiplicity=t.multiplicity,
                function=1,
            )
            for t in terms
        )

    def n_atoms(self, pair: tuple[int, int]) -> int:
        """Heavy atoms of two beads, those they share counted twice; there are fewer bonds outside rings between them."""
        return len(self._groups[pair[0]]) + len(self._groups[pair[1]])

    def rotatable_bonds(self, pair: tuple[int, int]) -> int:
        """Single bonds outside rings inside and between two beads, ends of chains excepted.

        A few minimised conformers understate how the distance fluctuates; each such bond softens it.
        """
        near, single = self._bonded
        atoms = 0
        for atom in (*self._groups[pair[0]], *self._groups[pair[1]]):
            atoms |= 1 << atom
        inner = sum(1 << a for a in bits(atoms) if (near[a] & atoms).bit_count() > 1)
        return sum((single[a] & inner).bit_count() for a in bits(inner))

    @cached_property
    def _bonded(self) -> tuple[list[int], list[int]]:
        """Masks of the neighbours of each atom, and of those of higher number by single bonds outside rings."""
        near, single = [0] * self._mol.GetNumAtoms(), [0] * self._mol.GetNumAtoms()
        for i, j, order, _, in_ring in known_bonds(self._mol):
            near[i] |= 1 << j
            near[j] |= 1 << i
            if order == 1.0 and not in_ring:
                single[min(i, j)] |= 1 << max(i, j)
        return near, single

    def distances(self, pair: tuple[int, int]) -> FloatArray:
        """Of every conformer, (n_conformers,) [nm]."""
        assert self.ensemble is not None
        x = self.ensemble.positions
        return np.asarray(np.linalg.norm(x[:, pair[0]] - x[:, pair[1]], axis=1))

    def _graph_length(self, pair: tuple[int, int]) -> float:
        """0.118 nm per bond of the mean path between the beads (C1-C1: 0.47 nm), atoms in two beads counted half."""
        from rdkit import Chem

        if self._paths is None:
            self._paths = Chem.GetDistanceMatrix(self._mol).tolist()
            times = Counter(atom for group in self._groups for atom in group)
            self._share = {atom: 1.0 / count for atom, count in times.items()}
        total = length = 0.0
        for a in self._groups[pair[0]]:
            row = self._paths[a]
            for b in self._groups[pair[1]]:
                weight = self._share[a] * self._share[b]
                total += weight
                length += weight * row[b]
        return length / total * 0.118


def _has_stereo_centre(mol: Any) -> bool:
    from rdkit import Chem

    return any(atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED for atom in mol.GetAtoms())


def cosines_between(a: FloatArray, b: FloatArray) -> FloatArray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("ij,ij->i", a, b) / np.maximum(norms, 1e-12))


def dihedral_angles(x: FloatArray, four: tuple[int, int, int, int]) -> FloatArray:
    """IUPAC dihedral angles [rad] of (n, beads, 3) coordinates."""
    b1, b2, b3 = (x[:, four[k + 1]] - x[:, four[k]] for k in range(3))
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    y = np.einsum("ij,ij->i", np.cross(n1, n2), b2) / np.maximum(np.linalg.norm(b2, axis=1), 1e-12)
    return np.asarray(np.arctan2(y, np.einsum("ij,ij->i", n1, n2)))
