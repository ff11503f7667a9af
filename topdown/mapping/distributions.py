"""Distributions of the bonded coordinates of beads: bonds, angles, dihedrals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from topdown.model import CGMolecule
from topdown.model._arrays import FloatArray

Kind = Literal["bond", "constraint", "angle", "dihedral"]
#: Bins of a histogram; bonds over their own range, angles over 0 to 180, dihedrals over -180 to 180 degrees.
N_BINS = 72


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution:
    """Samples of one coordinate, summed up.

    Attributes
    ----------
    kind : {"bond", "constraint", "angle", "dihedral"}
    atoms : tuple of int
        Beads, counted from 0.
    target : float or None
        Where the model has its minimum [nm] or [degrees]; ``None`` for a coordinate without one.
    mean, sd : float
        On the circle for dihedrals.
    n_samples : int
    edges : (n_bins + 1,) float64
    density : (n_bins,) float64
        Integrates to one over the edges.
    """

    kind: Kind
    atoms: tuple[int, ...]
    target: float | None
    mean: float
    sd: float
    n_samples: int
    edges: FloatArray
    density: FloatArray

    @property
    def unit(self) -> str:
        """nm or degrees."""
        return "nm" if self.kind in ("bond", "constraint") else "degrees"

    def as_json(self, molecule: CGMolecule) -> dict[str, Any]:
        """Plain values, with the beads' names."""
        return {
            "kind": self.kind,
            "atoms": list(self.atoms),
            "names": [molecule.beads[a].name for a in self.atoms],
            "unit": self.unit,
            "target": self.target,
            "mean": self.mean,
            "sd": self.sd,
            "n_samples": self.n_samples,
            "edges": [float(f"{e:.9g}") for e in self.edges],
            "density": [float(f"{d:.7g}") for d in self.density],
        }


def coordinates_of(molecule: CGMolecule) -> tuple[tuple[Kind, tuple[int, ...], float | None], ...]:
    """(kind, beads, target) of every bonded coordinate of a model; one over the same beads comes once."""
    found: dict[tuple[Kind, tuple[int, ...]], float | None] = {}
    for bond in molecule.bonds:
        found.setdefault(("bond", bond.atoms), bond.length)
    for constraint in molecule.constraints:
        found.setdefault(("constraint", constraint.atoms), constraint.length)
    for angle in molecule.angles:
        found.setdefault(("angle", angle.atoms), angle.angle if angle.function != 8 else None)
    for dihedral in molecule.dihedrals:
        found.setdefault(("dihedral", dihedral.atoms), dihedral.angle if dihedral.function == 2 else None)
    return tuple((kind, atoms, target) for (kind, atoms), target in found.items())


def coordinate_values(x: FloatArray, atoms: Sequence[int]) -> FloatArray:
    """Distance [nm], angle or dihedral [degrees] over two, three or four beads of (n, n_beads, 3) positions."""
    if len(atoms) == 2:
        return np.asarray(np.linalg.norm(x[:, atoms[0]] - x[:, atoms[1]], axis=1))
    if len(atoms) == 3:
        u, v = x[:, atoms[0]] - x[:, atoms[1]], x[:, atoms[2]] - x[:, atoms[1]]
        norms = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
        cosine = np.einsum("ij,ij->i", u, v) / np.maximum(norms, 1e-12)
        return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    b1, b2, b3 = (x[:, atoms[k + 1]] - x[:, atoms[k]] for k in range(3))
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    y = np.einsum("ij,ij->i", np.cross(n1, n2), b2) / np.maximum(np.linalg.norm(b2, axis=1), 1e-12)
    return np.asarray(np.degrees(np.arctan2(y, np.einsum("ij,ij->i", n1, n2))))


def distribution(kind: Kind, atoms: tuple[int, ...], target: float | None, values: FloatArray) -> Distribution:
    """Mean, standard deviation and histogram of samples [nm] or [degrees]."""
    if kind == "dihedral":
        turned = np.exp(1j * np.radians(values))
        mean = math.degrees(math.atan2(float(turned.imag.mean()), float(turned.real.mean())))
        away = (values - mean + 180.0) % 360.0 - 180.0
        # Samples on both sides of ±180 have a mean of their own about the circular one.
        sd, limits = float(np.sqrt(np.mean(away**2))), (-180.0, 180.0)
    else:
        mean, sd = float(values.mean()), float(values.std())
        if kind == "angle":
            limits = (0.0, 180.0)
        else:
            rim = max(0.1 * sd, 1e-3)
            limits = (float(values.min()) - rim, float(values.max()) + rim)
    density, edges = np.histogram(values, bins=N_BINS, range=limits, density=True)
    digits = 5 if kind in ("bond", "constraint") else 3
    return Distribution(
        kind=kind,
        atoms=atoms,
        target=target,
        mean=round(mean, digits),
        sd=round(sd, digits),
        n_samples=len(values),
        edges=np.asarray(edges),
        density=np.asarray(density),
    )


def distributions(molecule: CGMolecule, x: FloatArray) -> tuple[Distribution, ...]:
    """Of every bonded coordinate of ``molecule`` over samples ``x`` (n_samples, n_beads, 3) [nm], whole molecules."""
    return tuple(
        distribution(kind, atoms, target, coordinate_values(x, atoms))
        for kind, atoms, target in coordinates_of(molecule)
    )


def csv_text(molecule: CGMolecule, found: Iterable[Distribution]) -> str:
    """One line per bin: kind, beads, mean, sd, target, centre of the bin, density."""
    lines = ["kind,beads,unit,mean,sd,target,x,density"]
    for d in found:
        names = "-".join(molecule.beads[a].name for a in d.atoms)
        centres = 0.5 * (d.edges[1:] + d.edges[:-1])
        target = "" if d.target is None else f"{d.target:g}"
        lines += [
            f"{d.kind},{names},{d.unit},{d.mean:g},{d.sd:g},{target},{x:.5g},{y:.6g}"
            for x, y in zip(centres, d.density)
        ]
    return "\n".join(lines) + "\n"
