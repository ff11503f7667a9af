"""Volume and solvent-accessible surface of a molecule, all-atom and as beads: the check of Martini 3 for size and shape.

Both are seen by the same probe, as large as a tiny bead (0.191 nm); beads have the radii 0.264 (regular), 0.230 (small)
and 0.191 nm (tiny), atoms those of Bondi (J. Phys. Chem. 68, 441 (1964)) as RDKit lists them (Alessandri et al., Adv. Theory
Simul. 5, 2100391 (2022)). The surface is that of Shrake & Rupley (J. Mol. Biol. 79, 351 (1973)); the volume is the one
the probe cannot enter (Connolly 1983), counted on a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from topdown.mapping.canonical_molecule import CanonicalMolecule
from topdown.mapping.conformers import Conformers, bead_operator
from topdown.mapping.operators import Center, bead_positions
from topdown.mapping.smiles import parse_smiles
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray

PROBE = 0.191
BEAD_RADIUS = {"R": 0.264, "S": 0.230, "T": 0.191, "U": 0.0}
#: Relative differences above this are pointed out.
TOLERANCE = 0.10
#: By how much distances between beads may grow to show the surface of the atoms.
LARGEST_FACTOR = 1.6
_POINTS = 480
_FACTOR_ERROR = 2e-4
_MOST_CONFORMERS = 4
#: Spacing of the grid, and most cells of it [nm].
_SPACING, _MOST_CELLS = 0.025, 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceCheck:
    """Surface [nm²] and volume [nm³] of atoms and beads, averages over conformers."""

    sasa_atoms: float
    sasa_beads: float
    volume_atoms: float
    volume_beads: float

    @property
    def sasa_ratio(self) -> float:
        """Beads over atoms."""
        return self.sasa_beads / self.sasa_atoms

    @property
    def volume_ratio(self) -> float:
        """Beads over atoms."""
        return self.volume_beads / self.volume_atoms

    @property
    def is_off(self) -> bool:
        """Whether one of them differs by more than a tenth."""
        return max(abs(self.sasa_ratio - 1.0), abs(self.volume_ratio - 1.0)) > TOLERANCE

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "probe_nm": PROBE,
            "sasa_atoms_nm2": round(self.sasa_atoms, 4),
            "sasa_beads_nm2": round(self.sasa_beads, 4),
            "sasa_ratio": round(self.sasa_ratio, 4),
            "volume_atoms_nm3": round(self.volume_atoms, 5),
            "volume_beads_nm3": round(self.volume_beads, 5),
            "volume_ratio": round(self.volume_ratio, 4),
            "off": self.is_off,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedSurface:
    """Conformers of a molecule as atoms and as beads.

    Attributes
    ----------
    shares : (n_conformers,) float64
        Weights of the conformers; they add up to 1.
    atoms, beads : (n_conformers, n, 3) float64 [nm]
    atom_radii, bead_radii : (n,) float64 [nm]
    """

    shares: FloatArray
    atoms: FloatArray
    beads: FloatArray
    atom_radii: FloatArray
    bead_radii: FloatArray

    @classmethod
    def of(
        cls, molecule: CGMolecule, table: BeadTable, *, seed: int = 1, center: Center | None = None
    ) -> MappedSurface | None:
        """The likeliest conformers; ``None`` without conformers or atoms of beads."""
        mapped = [bead for bead in molecule.beads if bead.atoms]
        if not molecule.smiles or not mapped:
            return None
        parsed = parse_smiles(molecule.smiles, largest_fragment=True)
        canonical = CanonicalMolecule.of(parsed)
        made = canonical.conformers(seed)
        if made is None:
            return None
        written, place = parsed.atom_of_written(), dict(zip(canonical.order, canonical.places))
        return cls.of_conformers(
            made,
            [[place[written[a]] for a in bead.atoms] for bead in mapped],
            radii_of([bead.bead_type for bead in mapped], table),
            with_hydrogens="2" not in molecule.table,
            center=center,
        )

    @classmethod
    def of_conformers(
        cls,
        made: Conformers,
        groups: Sequence[Sequence[int]],
        radii: FloatArray,
        *,
        with_hydrogens: bool,
        center: Center | None = None,
    ) -> MappedSurface:
        """The likeliest of the conformers that :func:`topdown.mapping.conformers.conformers` made.

        Parameters
        ----------
        made : Conformers
        groups : sequence of sequence of int
            Heavy atoms of each bead.
        radii : (n_beads,) float64 [nm]
        with_hydrogens : bool
            Whether hydrogens count for the place of a bead.
        center : {"geometry", "mass", "charge"}, optional
        """
        from rdkit import Chem

        full, positions, weights = made
        chosen = np.argsort(-weights, kind="stable")[:_MOST_CONFORMERS]
        elements = Chem.GetPeriodicTable()
        operator = bead_operator(full, groups, with_hydrogens=with_hydrogens, center=center)
        return cls(
            shares=weights[chosen] / weights[chosen].sum(),
            atoms=positions[chosen],
            beads=np.array([bead_positions(operator, x) for x in positions[chosen]]),
            atom_radii=np.array([elements.GetRvdw(atom.GetAtomicNum()) for atom in full.GetAtoms()]) * 0.1,
            bead_radii=radii,
        )

    def of_atoms(self) -> float:
        """Surface of the atoms [nm²]."""
        return float(self.shares @ [accessible_surface(x, self.atom_radii) for x in self.atoms])

    def of_beads(self, factor: float = 1.0) -> float:
        """Surface of the beads [nm²], all distances between them times ``factor``."""
        return float(self.shares @ [accessible_surface(factor * x, self.bead_radii) for x in self.beads])

    def matching_factor(self, most: float = LARGEST_FACTOR) -> float:
        """By how much all distances between beads must grow for their surface to be that of the atoms, from 1 to
        ``most``; 1 for a single bead, and where the beads show enough already."""
        if self.beads.shape[1] < 2:
            return 1.0
        wanted, low, high = self.of_atoms(), 1.0, most
        if high <= low or self.of_beads(low) >= wanted:
            return low
        if self.of_beads(high) < wanted:
            return high
        from scipy.optimize import brentq

        return float(brentq(lambda factor: self.of_beads(factor) - wanted, low, high, xtol=_FACTOR_ERROR))


def surface_check(
    molecule: CGMolecule, table: BeadTable, *, seed: int = 1, center: Center | None = None, matched: bool = False
) -> SurfaceCheck | None:
    """Surface and volume of a mapped molecule beside those of its atoms; ``None`` without conformers or atoms of beads.

    Beads are seen where the centres of their atoms are; ``matched``, as far apart as
    :func:`topdown.mapping.surface_match.match_surface` puts them.
    """
    seen = MappedSurface.of(molecule, table, seed=seed, center=center)
    if seen is None:
        return None
    factor = seen.matching_factor(largest_factor(molecule, table)) if matched else 1.0
    return SurfaceCheck(
        sasa_atoms=seen.of_atoms(),
        sasa_beads=seen.of_beads(factor),
        volume_atoms=float(seen.shares @ [excluded_volume(x, seen.atom_radii) for x in seen.atoms]),
        volume_beads=float(seen.shares @ [excluded_volume(factor * x, seen.bead_radii) for x in seen.beads]),
    )


def radii_of(types: Sequence[str], table: BeadTable) -> FloatArray:
    """Radii (n,) of beads of these types [nm]."""
    return np.array([BEAD_RADIUS[table.bead_type(name).size] for name in types])


def largest_factor(molecule: CGMolecule, table: BeadTable) -> float:
    """How much lengths may grow at most: until the first two neighbours are as far apart as their radii together, where they
    would be separate spheres, and never more than ``LARGEST_FACTOR``; at least 1.

    Neighbours are beads with a bond, or with a constraint shorter than that: rigid frames also hold beads that do not touch.
    """
    radii = radii_of(molecule.type_names, table)
    room = [float(radii[i] + radii[j]) / bond.length for bond in molecule.bonds for i, j in (bond.atoms,)]
    frame = [float(radii[i] + radii[j]) / side.length for side in molecule.constraints for i, j in (side.atoms,)]
    return max(1.0, min([LARGEST_FACTOR, *room, *(one for one in frame if one > 1.0)]))


def accessible_surface(
    positions: FloatArray, radii: FloatArray, *, probe: float = PROBE, points: int = _POINTS
) -> float:
    """Area [nm²] of the union of spheres (n, 3) [nm] of ``radii`` + ``probe``, by ``points`` on each."""
    unit = _directions(points)
    reach = radii + probe
    away = positions[None, :] - positions[:, None]
    squares = np.einsum("ijk,ijk->ij", away, away)
    touch = squares < (reach + reach[:, None]) ** 2
    np.fill_diagonal(touch, False)
    # Point u of sphere k lies in sphere j where |R_k u - d|² < R_j², d from k to j.
    needed = (reach[:, None] ** 2 - reach**2 + squares) / (2.0 * reach[:, None])
    total = 0.0
    for k, near in enumerate(touch):
        buried = (unit @ away[k, near].T > needed[k, near]).any(axis=1)
        total += 4.0 * math.pi * reach[k] ** 2 * float(np.mean(~buried))
    return total


@cache
def _directions(points: int) -> FloatArray:
    """Unit vectors (points, 3) spread evenly over the sphere."""
    n = np.arange(points) + 0.5
    polar, turn = np.arccos(1.0 - 2.0 * n / points), math.pi * (1.0 + math.sqrt(5.0)) * n
    return np.column_stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)])


def excluded_volume(positions: FloatArray, radii: Sequence[float] | FloatArray, *, probe: float = PROBE) -> float:
    """Volume [nm³] that a probe rolling over the spheres cannot enter, on a grid of 0.025 nm (coarser for long molecules)."""
    from scipy.ndimage import distance_transform_edt

    reach = np.asarray(radii) + probe
    rim = float(reach.max()) + probe + 0.05
    low, high = positions.min(axis=0) - rim, positions.max(axis=0) + rim
    spacing = max(_SPACING, float(np.prod(high - low) / _MOST_CELLS) ** (1 / 3))
    axes = [np.arange(a, b, spacing) for a, b in zip(low, high)]
    inside = np.zeros([len(a) for a in axes], dtype=bool)
    for centre, r in zip(positions, reach):
        part = tuple(slice(*np.searchsorted(axis, (c - r, c + r))) for axis, c in zip(axes, centre))
        d = [(axis[s] - c) ** 2 for axis, s, c in zip(axes, part, centre)]
        inside[part] |= d[0][:, None, None] + d[1][None, :, None] + d[2][None, None, :] < r * r
    # Cells deeper inside the accessible surface than the probe's radius are those it cannot reach into.
    depth = distance_transform_edt(inside, sampling=spacing)
    return float(np.count_nonzero(depth > probe) * spacing**3)
