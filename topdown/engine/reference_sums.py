"""NumPy twins of the sums in ``basis.py``: all pairs, no lists, written the other way round where there is one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topdown.engine.parameter_arrays import PairParameters
from topdown.engine.parameters import Parameters
from topdown.engine.potentials import SMALLEST_R2, SOFT_CORE_ALPHA
from topdown.engine.reference import centers_of_mass, crossing_pairs, minimum_image, pairs_within

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def _per_type_pair(pair: PairParameters, pairs: Indices, values: Floats) -> Floats:
    """(n_types, n_types, …) sums of ``values`` (m, …) over the pairs of beads of each type pair; upper triangle."""
    types = np.sort(pair.types[pairs].astype(np.int64), axis=1)
    sums = np.zeros((*pair.lj.shape[:2], *values.shape[1:]))
    np.add.at(sums, (types[:, 0], types[:, 1]), values)
    return sums


def _near(x: Floats, box: Floats, pairs: Indices, cutoff: float) -> tuple[Indices, Floats, Floats]:
    """The pairs inside the cut-off, their separations and distances."""
    d = minimum_image(x[pairs[:, 0]] - x[pairs[:, 1]], box)
    r = np.linalg.norm(d, axis=1)
    near = r < cutoff
    return pairs[near], d[near], np.maximum(r[near], SMALLEST_R2**0.5)


def _sigma(pair: PairParameters, pairs: Indices) -> Floats:
    return np.asarray(pair.lj[pair.types[pairs[:, 0]], pair.types[pairs[:, 1]], 3] ** (1.0 / 6.0))


def pair_sums(x: Floats, box: Floats, pair: PairParameters) -> tuple[Floats, Floats]:
    """Repulsion 4Σ[(σ/r)^12 - (σ/r_c)^12] and dispersion 4Σ[(σ/r)^6 - (σ/r_c)^6] of listed pairs, (n_types, n_types) each."""
    pairs, _, r = _near(x, box, pairs_within(x, box, pair.cutoff, pair), pair.cutoff)
    sigma = _sigma(pair, pairs)
    powers = (4.0 * ((sigma / r) ** n - (sigma / pair.cutoff) ** n) for n in (12, 6))
    repulsion, dispersion = (_per_type_pair(pair, pairs, values) for values in powers)
    return repulsion, dispersion


def solute_sums(x: Floats, box: Floats, pair: PairParameters, lambdas: Floats) -> tuple[Floats, Floats]:
    """Soft-core repulsion and dispersion of solute-solvent pairs at each λ, (n_lambda, n_types, n_types) each."""
    pairs, _, r = _near(x, box, crossing_pairs(x, box, pair), pair.cutoff)
    sigma = _sigma(pair, pairs)
    found: list[list[Floats]] = [[], []]
    for lam in lambdas:
        near, far = ((SOFT_CORE_ALPHA * (1.0 - lam) + (at / sigma) ** 6) for at in (r, pair.cutoff))
        for row, power in zip(found, (2, 1)):
            row.append(_per_type_pair(pair, pairs, 4.0 * lam * (near**-power - far**-power)))
    shape = (len(lambdas), *pair.lj.shape[:2])
    return np.array(found[0]).reshape(shape), np.array(found[1]).reshape(shape)


def solute_slopes(x: Floats, box: Floats, pair: PairParameters, lam: float) -> Floats:
    """∂/∂λ of the shifted soft-core energy per ε of solute-solvent pairs, (n_types, n_types)."""
    pairs, _, r = _near(x, box, crossing_pairs(x, box, pair), pair.cutoff)
    sigma = _sigma(pair, pairs)

    def slope(at: Floats | float) -> Floats:
        s = SOFT_CORE_ALPHA * (1.0 - lam) + (at / sigma) ** 6
        explicit = s**-2 - 1.0 / s
        through_s = -SOFT_CORE_ALPHA * (-2.0 * s**-3 + s**-2)
        return np.asarray(4.0 * (explicit + lam * through_s))

    return _per_type_pair(pair, pairs, slope(r) - slope(pair.cutoff))


def solute_coulomb(x: Floats, box: Floats, pair: PairParameters) -> float:
    """Reaction-field energy between solute and solvent at full charges [kJ/mol]."""
    pairs, _, r = _near(x, box, crossing_pairs(x, box, pair), pair.cutoff)
    scale, k_rf, c_rf = pair.coulomb
    return float(scale * (pair.charges[pairs].prod(axis=1) * (1.0 / r + k_rf * r**2 - c_rf)).sum())


def virials(parameters: Parameters, x: Floats, box: Floats, lam: float) -> tuple[Floats, Floats]:
    """Molecular virials Σ f_k D_k per ε of listed and of solute-solvent pairs, (n_types, n_types, 3) each."""
    pair, molecules = parameters.pair, parameters.molecules
    owner = np.searchsorted(molecules.start, np.arange(len(x)), side="right") - 1
    centers = centers_of_mass(x, molecules)
    found = []
    for listed, at in ((pairs_within(x, box, pair.cutoff, pair), 1.0), (crossing_pairs(x, box, pair), lam)):
        pairs, d, r = _near(x, box, listed, pair.cutoff)
        sigma = _sigma(pair, pairs)
        s = SOFT_CORE_ALPHA * (1.0 - at) + (r / sigma) ** 6
        force = 4.0 * at * (2.0 * s**-3 - s**-2) * 6.0 * r**4 / sigma**6
        image = d - (x[pairs[:, 0]] - x[pairs[:, 1]])
        lever = centers[owner[pairs[:, 0]]] - centers[owner[pairs[:, 1]]] + image
        found.append(_per_type_pair(pair, pairs, force[:, None] * d * lever))
    return found[0], found[1]
