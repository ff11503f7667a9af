"""The second half of the NumPy twin: contributions, bonded terms, restraints and virtual sites; see ``reference``.

Where forces are long to write by hand they come from the energy by complex steps, f(x + ih) = f(x) + ih f'(x): exact to the last
bits, and nothing like what the kernels do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.engine.centre_restraint import CentreParameters
from topdown.engine.parameter_arrays import (
    FIXED_ANGLE_3,
    FIXED_DISTANCE,
    FIXED_DISTANCE_3,
    LINEAR,
    OUT_OF_PLANE_3,
    TERMS,
    BondedParameters,
    RestraintParameters,
    SiteParameters,
)

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Complexes = npt.NDArray[np.complex128]

_STEP = 1e-30
_BOND, _ANGLE, _DIHEDRAL, _RESTRAINT = (TERMS.index(name) for name in ("bond", "angle", "dihedral", "restraint"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contribution:
    """What some terms add to the energies (6,) [kJ/mol], forces (n, 3) [kJ/mol/nm] and virial (3, 3) [kJ/mol]."""

    energies: Floats
    forces: Floats
    virial: Floats

    def __add__(self, other: Contribution) -> Contribution:
        return Contribution(
            energies=self.energies + other.energies,
            forces=self.forces + other.forces,
            virial=self.virial + other.virial,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """Forces (m, 3) on the beads ``head`` and their opposites on ``tail``; ``lever`` (m, 3) = x_head - x_tail."""

    head: Indices
    tail: Indices
    lever: Floats
    force: Floats


def gathered(n_beads: int, energies: dict[int, Floats], *arms: Arm) -> Contribution:
    """Sum per-term energies and arms; Ξ = -1/2 Σ lever ⊗ force."""
    sums, forces, virial = np.zeros(len(TERMS)), np.zeros((n_beads, 3)), np.zeros((3, 3))
    for term, values in energies.items():
        sums[term] = values.sum()
    for arm in arms:
        np.add.at(forces, arm.head, arm.force)
        np.add.at(forces, arm.tail, -arm.force)
        virial -= 0.5 * arm.lever.T @ arm.force
    return Contribution(energies=sums, forces=forces, virial=virial)


def minimum_image(d: Floats, box: Floats) -> Floats:
    """Coordinate differences (…, 3) [nm] in their shortest periodic image."""
    return np.asarray(d - box * np.rint(d / box))


def columns(rows: npt.NDArray[np.uint32]) -> tuple[Indices, ...]:
    return tuple(rows.astype(np.int64).T)


def dot(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray((a * b).sum(axis=-1))


# -- bonded --------------------------------------------------------------------------------------------------------------


def bond_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """U = k/2 (r - r0)²."""
    i, j = columns(bonded.bonds)
    length, k = bonded.bond_values.T
    d = minimum_image(x[i] - x[j], box)
    r = np.linalg.norm(d, axis=1)
    force = -k * (r - length)
    return gathered(
        len(x), {_BOND: 0.5 * k * (r - length) ** 2}, Arm(head=i, tail=j, lever=d, force=(force / r)[:, None] * d)
    )


def angle_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """Functions 1, 2, 8 and 10 as U(θ), from dθ/dx = ê/r with ê normal to the arm."""
    i, j, k = columns(bonded.angles)
    reference, strength = bonded.angle_values.T
    a, b = minimum_image(x[i] - x[j], box), minimum_image(x[k] - x[j], box)
    normal = np.cross(a, b)
    sine = np.linalg.norm(normal, axis=1)
    theta = np.arctan2(sine, dot(a, b))
    energy, slope = np.zeros(len(theta)), np.zeros(len(theta))
    for function, potential in ((1, _harmonic), (2, _cosine), (10, _restricted)):
        rows = bonded.angle_functions == function
        shape = potential(theta[rows] + 1j * _STEP, reference[rows])
        energy[rows], slope[rows] = strength[rows] * shape.real, strength[rows] * shape.imag / _STEP
    for row in np.flatnonzero(bonded.angle_functions == 8):
        value, gradient = _table(theta[row], bonded, int(reference[row]))
        energy[row], slope[row] = strength[row] * value, strength[row] * gradient
    forces = [
        (-slope / (dot(arm, arm) * sine))[:, None] * direction
        for arm, direction in ((a, np.cross(a, normal)), (b, np.cross(normal, b)))
    ]
    return gathered(
        len(x),
        {_ANGLE: energy},
        Arm(head=i, tail=j, lever=a, force=forces[0]),
        Arm(head=k, tail=j, lever=b, force=forces[1]),
    )


def _harmonic(theta: Complexes, theta0: Floats) -> Complexes:
    return np.asarray(0.5 * (theta - theta0) ** 2)


def _cosine(theta: Complexes, cosine0: Floats) -> Complexes:
    return np.asarray(0.5 * (np.cos(theta) - cosine0) ** 2)


def _restricted(theta: Complexes, cosine0: Floats) -> Complexes:
    return np.asarray(0.5 * (np.cos(theta) - cosine0) ** 2 / np.sin(theta) ** 2)


def _table(theta: float, bonded: BondedParameters, number: int) -> tuple[float, float]:
    """Value and slope of a table at ``theta`` by SciPy's Hermite spline."""
    from scipy.interpolate import CubicHermiteSpline

    tables = bonded.tables
    values, slopes = tables.points[tables.start[number] : tables.start[number + 1]].T
    first, spacing = tables.grid[number]
    spline = CubicHermiteSpline(first + spacing * np.arange(len(values)), values, slopes)
    return float(spline(theta)), float(spline(theta, 1))


def dihedral_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """Functions 1 (and 9), 2 and 3 as U(φ); forces by Bekker's scheme along the three bonds."""
    i, j, k, m = columns(bonded.dihedrals)
    phi0, strength, multiplicity = bonded.dihedral_values[:, :3].T
    first, axis, last = (minimum_image(x[q] - x[p], box) for p, q in ((i, j), (j, k), (k, m)))
    n1, n2 = np.cross(first, axis), np.cross(axis, last)
    length2 = dot(axis, axis)
    length = np.sqrt(length2)
    phi = np.arctan2(length * dot(first, n2), dot(n1, n2))
    improper = bonded.dihedral_functions == 2
    turn = np.mod(phi - phi0 + np.pi, 2.0 * np.pi) - np.pi
    argument = multiplicity * phi - phi0
    energy = np.where(improper, 0.5 * strength * turn**2, strength * (1.0 + np.cos(argument)))
    slope = np.where(improper, strength * turn, -strength * multiplicity * np.sin(argument))
    rows = bonded.dihedral_functions == 3
    powers = np.cos(phi[rows] - np.pi)[:, None] ** np.arange(6)
    energy[rows] = dot(bonded.dihedral_values[rows], powers)
    by_cosine = dot(bonded.dihedral_values[rows, 1:] * np.arange(1, 6), powers[:, :5])
    slope[rows] = -by_cosine * np.sin(phi[rows] - np.pi)
    on_i = (slope * length / dot(n1, n1))[:, None] * n1
    on_m = (-slope * length / dot(n2, n2))[:, None] * n2
    before, after = (dot(first, axis) / length2)[:, None], (dot(last, axis) / length2)[:, None]
    on_k = before * on_i - (1.0 + after) * on_m
    return gathered(
        len(x),
        {_DIHEDRAL: energy},
        Arm(head=i, tail=j, lever=-first, force=on_i),
        Arm(head=m, tail=k, lever=last, force=on_m),
        Arm(head=k, tail=j, lever=axis, force=on_k + on_m),
    )


def _bending_torsion(bonds: Sequence[npt.NDArray[Any]], coefficients: Floats) -> npt.NDArray[Any]:
    """U = sin³ θ1 sin³ θ2 Σ_n a_n cos^n φ of bonds i→j, j→k and k→l."""
    first, axis, last = bonds
    n1, n2 = np.cross(first, axis), np.cross(axis, last)
    area1, area2 = np.sqrt(dot(n1, n1)), np.sqrt(dot(n2, n2))
    sines = area1 * area2 / (dot(axis, axis) * np.sqrt(dot(first, first) * dot(last, last)))
    cosine = dot(n1, n2) / (area1 * area2)
    return np.asarray(sines**3 * dot(coefficients, cosine[:, None] ** np.arange(5)))


def bending_torsion_terms(x: Floats, box: Floats, bonded: BondedParameters) -> Contribution:
    """Function 11; the force on each of the three bonds by complex steps."""
    atoms = columns(bonded.bending_torsions)
    bonds = [minimum_image(x[q] - x[p], box) for p, q in pairwise(atoms)]
    energy = _bending_torsion(bonds, bonded.bending_torsion_values)
    arms = []
    for n, bond in enumerate(bonds):
        force = np.zeros_like(bond)
        for d in range(3):
            moved = [b.astype(complex) for b in bonds]
            moved[n][:, d] += 1j * _STEP
            force[:, d] = -_bending_torsion(moved, bonded.bending_torsion_values).imag / _STEP
        arms.append(Arm(head=atoms[n + 1], tail=atoms[n], lever=bond, force=force))
    return gathered(len(x), {_DIHEDRAL: energy}, *arms)


# -- restraints ----------------------------------------------------------------------------------------------------------


def restraint_terms(x: Floats, box: Floats, restraints: RestraintParameters) -> Contribution:
    """Position restraints, U = Σ_d k_d/2 d_d², and flat-bottomed ones, U = k/2 (d - |r|)² outside, or inside for r < 0."""
    beads, flat_beads = restraints.beads.astype(np.int64), restraints.flat_beads.astype(np.int64)
    unit = box if restraints.scaled else np.ones(3)
    away = minimum_image(x[beads] - restraints.points * unit, box)
    force = -restraints.constants * away
    energy = 0.5 * (restraints.constants * away**2).sum(axis=1)

    flat_away = minimum_image(x[flat_beads] - restraints.flat_points * unit, box)
    radius, k = restraints.flat_values.T
    inside_plane = restraints.flat_axes * flat_away
    distance = np.linalg.norm(inside_plane, axis=1)
    acts = np.where(radius < 0.0, distance < -radius, distance > radius) & (distance > 0.0)
    beyond = np.where(acts, distance - np.abs(radius), 0.0)
    flat_force = -(k * beyond / np.where(distance > 0.0, distance, 1.0))[:, None] * inside_plane

    points = np.concatenate([restraints.points, restraints.flat_points]) * unit
    lever = np.concatenate([away, flat_away]) + (0.0 if restraints.scaled else points)
    forces = np.zeros_like(x)
    every = np.concatenate([force, flat_force])
    np.add.at(forces, np.concatenate([beads, flat_beads]), every)
    sums = np.zeros(len(TERMS))
    sums[_RESTRAINT] = energy.sum() + (0.5 * k * beyond**2).sum()
    return Contribution(energies=sums, forces=forces, virial=-0.5 * lever.T @ every)


def centre_terms(x: Floats, box: Floats, centres: CentreParameters) -> Contribution:
    """U = k/2 (ζ - d)² of the height ζ of one group's centre above another's."""
    beads = centres.beads.astype(np.int64)
    images = np.zeros((len(beads), 3))
    images[:, 2] = centres.images
    lever = x[beads] + images * box
    away = minimum_image(np.array([0.0, 0.0, centres.weights @ lever[:, 2] - centres.distance]), box)[2]
    every = np.zeros((len(beads), 3))
    every[:, 2] = -centres.force_constant * away * centres.weights
    forces = np.zeros_like(x)
    np.add.at(forces, beads, every)
    sums = np.zeros(len(TERMS))
    sums[_RESTRAINT] = 0.5 * centres.force_constant * away**2
    virial = np.zeros((3, 3))
    virial[2, 2] = 0.5 * centres.force_constant * away * (centres.distance + away)
    return Contribution(energies=sums, forces=forces, virial=virial)


# -- virtual sites -------------------------------------------------------------------------------------------------------


def _unit(a: Complexes) -> Complexes:
    return np.asarray(a / np.sqrt(dot(a, a)))


def _site(kind: int, r: Complexes, weights: Floats, p: Floats) -> Complexes:
    """Where a site lies that is built from beads at ``r`` (m, 3)."""
    if kind == LINEAR:
        return np.asarray(weights @ r)
    r_ij = r[1] - r[0]
    if kind == FIXED_DISTANCE:
        return np.asarray(r[0] + p[0] * _unit(r_ij))
    r_jk = r[2] - r[1]
    if kind == FIXED_DISTANCE_3:
        return np.asarray(r[0] + p[1] * _unit(r_ij + p[0] * r_jk))
    if kind == FIXED_ANGLE_3:
        return np.asarray(r[0] + p[0] * _unit(r_ij) + p[1] * _unit(r_jk - r_ij * dot(r_ij, r_jk) / dot(r_ij, r_ij)))
    r_ik = r[2] - r[0]
    if kind == OUT_OF_PLANE_3:
        return np.asarray(r[0] + p[0] * r_ij + p[1] * r_ik + p[2] * np.cross(r_ij, r_ik))
    return np.asarray(r[0] + p[2] * _unit(np.cross(p[0] * r_ik - r_ij, p[1] * (r[3] - r[0]) - r_ij)))


def _constructions(sites: SiteParameters) -> Sequence[tuple[int, Indices, Callable[[Complexes], Complexes]]]:
    """Site, beads it is built from and the function that places it, in order."""
    rows = []
    for n, site in enumerate(sites.beads.tolist()):
        span = slice(sites.start[n], sites.start[n + 1])
        place = partial(_site, int(sites.kinds[n]), weights=sites.weights[span], p=sites.values[n])
        rows.append((site, sites.atoms[span].astype(np.int64), place))
    return rows


def place_sites(x: Floats, sites: SiteParameters) -> Floats:
    """``x`` (n, 3) with every virtual site in its place; molecules whole."""
    x = x.copy()
    for site, atoms, place in _constructions(sites):
        x[site] = place(x[atoms].astype(complex)).real
    return x


def spread_forces(x: Floats, sites: SiteParameters, terms: Contribution) -> Contribution:
    """Forces on sites to the beads they are built from, through the Jacobian of the construction by complex steps."""
    forces, virial = terms.forces.copy(), terms.virial.copy()
    for site, atoms, place in reversed(_constructions(sites)):
        shares = np.zeros((len(atoms), 3))
        for k, d in np.ndindex(shares.shape):
            r = x[atoms].astype(complex)
            r[k, d] += 1j * _STEP
            shares[k, d] = dot(place(r).imag / _STEP, forces[site])
        virial -= 0.5 * ((x[atoms] - x[site]).T @ shares)
        forces[site] = 0.0
        np.add.at(forces, atoms, shares)
    return Contribution(energies=terms.energies, forces=forces, virial=virial)
