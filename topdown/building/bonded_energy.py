"""Bonded energy and gradient of many molecules at once, in NumPy: what puts a molecule without coordinates into shape.

Only for preparing coordinates: constraints count as stiff bonds, force constants are capped so that an optimiser converges in few
steps, restricted bending (10) is taken without its 1/sin², which moves no minimum, combined bending-torsion (11) without its
sines, and tabulated angles (8), which name no angle to start from, are left to the engine, as are the energies of a force field.
Virtual sites are placed by the engine's own kernels: they follow the beads they are built from, and hand their gradient on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.engine.bonded_parameters import site_parameters
from topdown.engine.parameter_arrays import SiteParameters
from topdown.engine.virtual_sites import place_sites, spread_forces
from topdown.model import Angle, Bond, CGMolecule, Constraint, Dihedral
from topdown.model._arrays import FloatArray, IntArray

#: Stiffness of a constraint, and the most a bond or dihedral may have [kJ/mol/nm², kJ/mol/rad²].
STIFFNESS_CAP: Final = 3.0e4
TORSION_CAP: Final = 200.0
#: Dihedral functions that are polynomials in cos φ.
_SERIES: Final = (3, 11)


@dataclass(frozen=True, kw_only=True, eq=False)
class BondedTerms:
    """Bonded terms of a set of molecules as arrays over terms.

    Attributes
    ----------
    n_beads : int
    pair_atoms : (n_pairs, 2) int64, pair_length : (n_pairs,) [nm], pair_constant : (n_pairs,) [kJ/mol/nm²]
        Bonds and constraints.
    angle_atoms : (n_angles, 3) int64, angle_value : (n_angles,) [rad], angle_constant : (n_angles,)
        ``angle_constant`` in kJ/mol/rad² where ``angle_harmonic``, else kJ/mol on the cosine.
    angle_harmonic : (n_angles,) bool
    torsion_atoms : (n_torsions, 4) int64, torsion_value : (n_torsions,) [rad], torsion_constant : (n_torsions,)
    torsion_multiplicity : (n_torsions,) int64
        0 for impropers.
    series_atoms : (n_series, 4) int64, series_coefficients : (n_series, 6)
        Torsions given as Σ_n c_n cos^n φ, trans = π [kJ/mol].
    excluded : (n_excluded,) int64
        Sorted codes ``i * n_beads + j`` (i < j) of pairs without non-bonded interaction.
    sites : SiteParameters
        Virtual sites in the order of their construction.
    """

    n_beads: int
    pair_atoms: IntArray
    pair_length: FloatArray
    pair_constant: FloatArray
    angle_atoms: IntArray
    angle_value: FloatArray
    angle_constant: FloatArray
    angle_harmonic: np.ndarray[tuple[int], np.dtype[np.bool_]]
    torsion_atoms: IntArray
    torsion_value: FloatArray
    torsion_constant: FloatArray
    torsion_multiplicity: IntArray
    series_atoms: IntArray
    series_coefficients: FloatArray
    excluded: IntArray
    sites: SiteParameters

    def place(self, positions: FloatArray) -> FloatArray:
        """``positions`` (n_beads, 3) [nm] of whole molecules with every virtual site where its construction says."""
        if not len(self.sites.beads):
            return positions
        placed: FloatArray = np.array(positions, dtype=float, order="C")
        place_sites(placed, self.sites)
        return placed

    def hand_on(self, positions: FloatArray, gradient: FloatArray) -> None:
        """Move the ``gradient`` on virtual sites to the beads they are built from, in place; sites keep none."""
        if len(self.sites.beads):
            spread_forces(positions, self.sites, gradient, np.zeros((3, 3)), False)


def distance_terms(molecule: CGMolecule) -> tuple[Bond | Constraint, ...]:
    """Bonds, then constraints: what holds a molecule together."""
    return (*molecule.bonds, *molecule.constraints)


def _angles(molecule: CGMolecule) -> list[Angle]:
    return [t for t in molecule.angles if t.function != 8]


def bonded_terms(components: Sequence[tuple[CGMolecule, int]]) -> BondedTerms:
    """All bonded terms of ``components`` (molecule, count), indices in the order of the coordinates."""
    offsets, start = [], 0
    for molecule, count in components:
        offsets.append(start + molecule.n_beads * np.arange(count, dtype=np.int64))
        start += molecule.n_beads * count

    def repeat(rows_of: list[list[tuple[int, ...]]], width: int) -> IntArray:
        blocks = [
            (np.asarray(rows, dtype=np.int64)[None, :, :] + shift[:, None, None]).reshape(-1, width)
            for rows, shift in zip(rows_of, offsets)
            if rows
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, width), dtype=np.int64)

    def values(rows_of: list[list[float]]) -> FloatArray:
        blocks = [np.tile(np.asarray(rows, dtype=float), len(shift)) for rows, shift in zip(rows_of, offsets)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    molecules = [molecule for molecule, _ in components]
    plain = [[d for d in m.dihedrals if d.function not in _SERIES] for m in molecules]
    series = [[d for d in m.dihedrals if d.function in _SERIES] for m in molecules]
    stiff = STIFFNESS_CAP
    excluded = repeat([list(m.excluded_pairs()) for m in molecules], 2)
    return BondedTerms(
        n_beads=start,
        pair_atoms=repeat([[t.atoms for t in distance_terms(m)] for m in molecules], 2),
        pair_length=values([[t.length for t in distance_terms(m)] for m in molecules]),
        pair_constant=values(
            [[*(min(t.force_constant, stiff) for t in m.bonds), *(stiff for _ in m.constraints)] for m in molecules]
        ),
        angle_atoms=repeat([[t.atoms for t in _angles(m)] for m in molecules], 3),
        angle_value=np.radians(values([[t.angle for t in _angles(m)] for m in molecules])),
        angle_constant=values([[t.force_constant for t in _angles(m)] for m in molecules]),
        angle_harmonic=values([[float(t.function == 1) for t in _angles(m)] for m in molecules]) > 0.5,
        torsion_atoms=repeat([[t.atoms for t in row] for row in plain], 4),
        torsion_value=np.radians(values([[t.angle for t in row] for row in plain])),
        torsion_constant=np.clip(values([[t.force_constant for t in row] for row in plain]), -TORSION_CAP, TORSION_CAP),
        torsion_multiplicity=values(
            [[0.0 if t.function == 2 else float(t.multiplicity) for t in row] for row in plain]
        ).astype(np.int64),
        series_atoms=repeat([[t.atoms for t in row] for row in series], 4),
        series_coefficients=values([[c for t in row for c in _coefficients(t)] for row in series]).reshape(-1, 6),
        excluded=np.unique(excluded[:, 0] * start + excluded[:, 1]),
        sites=site_parameters(components),
    )


def _coefficients(dihedral: Dihedral) -> list[float]:
    """c_0 … c_5 of Σ c_n cos^n φ; Ryckaert-Bellemans angles count from trans, so that odd powers change sign."""
    if dihedral.function == 3:
        return [c * (-1.0) ** n for n, c in enumerate(dihedral.coefficients)]
    return [*(dihedral.force_constant * c for c in dihedral.coefficients), 0.0]


def scatter_add(target: FloatArray, atoms: IntArray, vectors: FloatArray) -> None:
    """``target[atoms] += vectors`` with repeated atoms added up; ``vectors`` is (n, 3)."""
    for axis in range(3):
        target[:, axis] += np.bincount(atoms, weights=vectors[:, axis], minlength=len(target))


def bonded_energy(positions: FloatArray, terms: BondedTerms) -> tuple[float, FloatArray]:
    """Energy [kJ/mol] and gradient (n_beads, 3) [kJ/mol/nm] of whole molecules at ``positions`` (n_beads, 3) [nm].

    Virtual sites count as beads of their own here: :meth:`BondedTerms.place` before, :meth:`BondedTerms.hand_on` after.
    """
    gradient = np.zeros_like(positions)
    energy = _pair_terms(positions, terms, gradient)
    energy += _angle_terms(positions, terms, gradient)
    energy += _torsion_terms(positions, terms, gradient)
    energy += _series_terms(positions, terms, gradient)
    return energy, gradient


def _pair_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    if not len(terms.pair_atoms):
        return 0.0
    i, j = terms.pair_atoms.T
    separation = x[i] - x[j]
    distance = np.maximum(np.linalg.norm(separation, axis=1), 1e-9)
    stretch = distance - terms.pair_length
    pull = (terms.pair_constant * stretch / distance)[:, None] * separation
    scatter_add(gradient, i, pull)
    scatter_add(gradient, j, -pull)
    return float(0.5 * np.sum(terms.pair_constant * stretch**2))


def _angle_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    if not len(terms.angle_atoms):
        return 0.0
    i, j, k = terms.angle_atoms.T
    u, v = x[i] - x[j], x[k] - x[j]
    u_length = np.maximum(np.linalg.norm(u, axis=1), 1e-9)[:, None]
    v_length = np.maximum(np.linalg.norm(v, axis=1), 1e-9)[:, None]
    u, v = u / u_length, v / v_length
    cosine = np.clip(np.sum(u * v, axis=1), -1.0, 1.0)
    theta = np.arccos(cosine)
    bend = theta - terms.angle_value
    lag = cosine - np.cos(terms.angle_value)
    sine = np.maximum(np.sqrt(1.0 - cosine**2), 1e-6)
    constant = terms.angle_constant
    slope = np.where(terms.angle_harmonic, -constant * bend / sine, constant * lag)[:, None]
    on_i = slope * (v - cosine[:, None] * u) / u_length
    on_k = slope * (u - cosine[:, None] * v) / v_length
    scatter_add(gradient, i, on_i)
    scatter_add(gradient, k, on_k)
    scatter_add(gradient, j, -on_i - on_k)
    return float(0.5 * np.sum(constant * np.where(terms.angle_harmonic, bend**2, lag**2)))


def torsions(x: FloatArray, atoms: IntArray) -> FloatArray:
    """Dihedral angles [rad] of ``atoms`` (n, 4), IUPAC sign, trans = π."""
    b1, b2, b3 = (x[atoms[:, c + 1]] - x[atoms[:, c]] for c in range(3))
    m, n = np.cross(b1, b2), np.cross(b2, b3)
    angle: FloatArray = np.arctan2(np.linalg.norm(b2, axis=1) * np.sum(b1 * n, axis=1), np.sum(m * n, axis=1))
    return angle


def _torsion_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    if not len(terms.torsion_atoms):
        return 0.0
    phi = torsions(x, terms.torsion_atoms)
    improper = terms.torsion_multiplicity == 0
    away = phi - terms.torsion_value
    away -= 2 * np.pi * np.round(away / (2 * np.pi))
    phase = terms.torsion_multiplicity * phi - terms.torsion_value
    constant = terms.torsion_constant
    slope = np.where(improper, constant * away, -constant * terms.torsion_multiplicity * np.sin(phase))
    _turn(x, terms.torsion_atoms, slope, gradient)
    return float(np.sum(np.where(improper, 0.5 * constant * away**2, constant * (1.0 + np.cos(phase)))))


def _series_terms(x: FloatArray, terms: BondedTerms, gradient: FloatArray) -> float:
    if not len(terms.series_atoms):
        return 0.0
    phi = torsions(x, terms.series_atoms)
    powers = np.cos(phi)[:, None] ** np.arange(6)
    by_cosine = np.sum(np.arange(1, 6) * terms.series_coefficients[:, 1:] * powers[:, :5], axis=1)
    _turn(x, terms.series_atoms, -by_cosine * np.sin(phi), gradient)
    return float(np.sum(terms.series_coefficients * powers))


def _turn(x: FloatArray, atoms: IntArray, slope: FloatArray, gradient: FloatArray) -> None:
    """Add dU/dφ (n,) of torsions to the gradient, after Blondel and Karplus, J. Comput. Chem. 17, 1132 (1996)."""
    i, j, k, last = atoms.T
    b1, b2, b3 = x[j] - x[i], x[k] - x[j], x[last] - x[k]
    m, n = np.cross(b1, b2), np.cross(b2, b3)
    slope = slope[:, None]
    axis = np.maximum(np.linalg.norm(b2, axis=1), 1e-9)[:, None]
    # Nearly straight triples have no defined torsion: the floor keeps their gradient finite.
    on_i = -slope * axis * m / np.maximum(np.sum(m * m, axis=1), 1e-6)[:, None]
    on_l = slope * axis * n / np.maximum(np.sum(n * n, axis=1), 1e-6)[:, None]
    along_1 = np.sum(b1 * b2, axis=1)[:, None] / axis**2
    along_3 = np.sum(b3 * b2, axis=1)[:, None] / axis**2
    on_j = -(1.0 + along_1) * on_i + along_3 * on_l
    for beads, vectors in ((i, on_i), (j, on_j), (k, -on_i - on_j - on_l), (last, on_l)):
        scatter_add(gradient, beads, vectors)
