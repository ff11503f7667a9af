"""Second virial coefficient of two molecules: whether a bead table makes molecules stick together.

    B₂(T) = -½ ∫ d³R ⟨exp(-βU(R, Ω₁, Ω₂)) - 1⟩_Ω = -2π ∫ R² dR ⟨…⟩_Ω

R joins the centres, Ω are orientations. Molecules are rigid, in their conformation of lowest bonded energy. Over R by the
trapezoidal rule; over orientations the mean of as many random ones at every R, none for single beads, whose integral is exact.
B₂ is negative where molecules attract each other more than they exclude; it compares tables, and is no property of a solution.
"""

from __future__ import annotations

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule, Estimate
from topdown.model._arrays import FloatArray
from topdown.units import COULOMB_CONSTANT, kt

#: Distance between two R [nm], and random orientations at each of them.
_STEP = 0.005
_ORIENTATIONS = 256
_GROUPS = 8


def second_virial(
    molecule: CGMolecule, table: BeadTable, temperature: float, *, other: CGMolecule | None = None, seed: int = 1
) -> Estimate:
    """B₂ of a molecule with itself, or with another one [nm³ per pair].

    Parameters
    ----------
    molecule : CGMolecule
    table : BeadTable
        With the plain or shifted Lennard-Jones potential.
    temperature : float
        [K]
    other : CGMolecule, optional
    seed : int
        Of the orientations, the same for every table.

    Raises
    ------
    SettingsError
        A temperature that is not positive, or a force-shifted potential.
    """
    if not temperature > 0.0:
        raise SettingsError(f"a temperature must be positive, got {temperature} K", where=molecule.name)
    if table.scheme.lj_modifier == "force-shift":
        raise SettingsError("second virial coefficients know no force-shifted potential", where=table.name)
    pair = (molecule, other or molecule)
    shapes = [_centred(conformation_of(m)) for m in pair]
    reach = sum(float(np.linalg.norm(shape, axis=1).max()) for shape in shapes)
    distances = np.arange(_STEP, table.scheme.cutoff + reach + _STEP, _STEP)
    single = all(len(shape) == 1 for shape in shapes)
    rng = np.random.default_rng(seed)
    groups = np.empty((_GROUPS if not single else 1, len(distances)))
    for k, distance in enumerate(distances):
        energy = _energies(shapes, pair, table, distance, 1 if single else _ORIENTATIONS, rng)
        factor = np.expm1(-np.minimum(np.maximum(energy / kt(temperature), -500.0), 700.0))
        groups[:, k] = factor.reshape(len(groups), -1).mean(axis=1)
    values = -2.0 * np.pi * np.trapezoid(groups * distances**2, distances, axis=1)
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return Estimate(
        value=float(values.mean()),
        standard_error=error,
        n_effective=float(len(values)),
        provenance="rigid molecules, random orientations" if not single else "one-dimensional integral",
    )


def _centred(positions: FloatArray) -> FloatArray:
    return np.asarray(positions - positions.mean(axis=0))


def _energies(
    shapes: list[FloatArray],
    pair: tuple[CGMolecule, CGMolecule],
    table: BeadTable,
    distance: float,
    n: int,
    rng: np.random.Generator,
) -> FloatArray:
    """U (n,) [kJ/mol] of ``n`` pairs of orientations at one distance of the centres."""
    from scipy.spatial.transform import Rotation

    if n == 1:
        here, there = (shape[None] for shape in shapes)
    else:
        turns = [Rotation.random(n, random_state=rng).as_matrix() for _ in shapes]
        here, there = (np.einsum("nij,kj->nki", turn, shape) for turn, shape in zip(turns, shapes))
    there = there + np.array([0.0, 0.0, distance])
    r = np.linalg.norm(here[:, :, None] - there[:, None, :], axis=-1)
    names = [m.type_names for m in pair]
    rows, columns = (table.indices(of) for of in names)
    sigma, epsilon = table.sigma[np.ix_(rows, columns)], table.epsilon[np.ix_(rows, columns)]
    charges = np.outer([b.charge for b in pair[0].beads], [b.charge for b in pair[1].beads])
    return np.asarray(
        np.where(r < table.scheme.cutoff, _pair_energy(r, sigma, epsilon, charges, table), 0.0).sum((1, 2))
    )


def _pair_energy(
    r: FloatArray, sigma: FloatArray, epsilon: FloatArray, charges: FloatArray, table: BeadTable
) -> FloatArray:
    scheme = table.scheme

    def lennard_jones(at: FloatArray) -> FloatArray:
        power = (sigma / np.maximum(at, 0.05)) ** 6
        return np.asarray(4.0 * epsilon * (power**2 - power))

    shift = lennard_jones(np.full_like(sigma, scheme.cutoff)) if scheme.lj_modifier == "potential-shift" else 0.0
    k_rf, c_rf = scheme.reaction_field
    coulomb = COULOMB_CONSTANT / scheme.epsilon_r * charges * (1.0 / np.maximum(r, 0.05) + k_rf * r**2 - c_rf)
    return np.asarray(lennard_jones(r) - shift + coulomb)
