"""A bead table out of fitted classes: every class in three sizes, beside the solvent beads and charged beads of its parent.

Three kinds of pairs:

- class with solvent bead: fitted; place → ε by :func:`topdown.properties.shapes.place_range`;
- class with class, and with charged bead: not seen by free energies of transfer. The rule that, in the parent table, gives the
  ε of two types from their places with the solvent beads – a symmetric bilinear form for each pair of sizes, by least
  squares over all its types – is applied to the places of the classes;
- beads of the parent among themselves: unchanged.

σ depends on the sizes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topdown.mapping.class_typing import type_name
from topdown.model import BeadTable
from topdown.model.bead import BeadType
from topdown.model.bead_table import Provenance
from topdown.properties.shapes import MASSES, SIGMA, SIZES, neutral_types, place_range, size_pair

FloatArray = npt.NDArray[np.float64]
#: ε of pairs that follow from the rule stay between these parts of the weakest and the strongest of the parent.
_MARGIN = (0.8, 1.1)


def places_of(table: BeadTable, types: Sequence[BeadType], solvents: Sequence[str]) -> FloatArray:
    """Places (n, V) of bead types of the parent table itself."""
    rows = []
    for t in types:
        ranges = [place_range(table, t.size, v) for v in solvents]
        rows.append([(table.pair(t.name, v)[1] - low) / span for v, (low, span) in zip(solvents, ranges)])
    return np.array(rows)


def class_names(places: FloatArray, metric: FloatArray, labels: Sequence[str], phase: str) -> tuple[str, ...]:
    """Names of classes, apolar to polar: C, N and P by the free energy of transfer of a small bead from ``phase`` to water,
    above 5, between, and below -5 kJ/mol from the middle, numbered in that order."""
    small = metric[SIZES.index("S"), labels.index(phase)]
    ranked = places @ small
    ranked = ranked - np.median(ranked)
    order = np.argsort(-ranked, kind="stable")
    names = [""] * len(places)
    counts = {"C": 0, "N": 0, "P": 0}
    for k in order:
        letter = "C" if ranked[k] > 5.0 else "P" if ranked[k] < -5.0 else "N"
        counts[letter] += 1
        names[k] = f"{letter}{counts[letter]:02d}"
    return tuple(names)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairRule:
    """ε of two beads from their places, for one pair of sizes: x·c with x the symmetric products of (1, places).

    Attributes
    ----------
    coefficients : (n,) float64
    lower, upper : float
        What it is kept between [kJ/mol].
    residual : float
        Root mean square error over the parent's own pairs [kJ/mol].
    """

    coefficients: FloatArray
    lower: float
    upper: float
    residual: float

    def epsilon(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """(n, m) of beads at places ``a`` (n, V) with beads at ``b`` (m, V)."""
        found = _products(a, b) @ self.coefficients
        return np.asarray(np.clip(found, self.lower, self.upper))


def _products(a: FloatArray, b: FloatArray) -> FloatArray:
    left, right = (np.concatenate([np.ones((len(x), 1)), x], axis=1) for x in (a, b))
    outer = left[:, None, :, None] * right[None, :, None, :]
    upper = np.triu_indices(left.shape[1])
    symmetric = 0.5 * (outer + np.swapaxes(outer, 2, 3))
    return np.asarray(symmetric[..., upper[0], upper[1]])


def pair_rule(table: BeadTable, a: Sequence[BeadType], b: Sequence[BeadType], solvents: Sequence[str]) -> PairRule:
    """The rule behind ε of types ``a`` with types ``b`` of one table."""
    rows, columns = table.indices([t.name for t in a]), table.indices([t.name for t in b])
    epsilon = table.epsilon[np.ix_(rows, columns)]
    products = _products(places_of(table, a, solvents), places_of(table, b, solvents))
    flat = products.reshape(-1, products.shape[-1])
    normal = flat.T @ flat + 1e-6 * len(flat) * np.eye(flat.shape[1])
    coefficients: FloatArray = np.asarray(np.linalg.solve(normal, flat.T @ epsilon.ravel()), dtype=np.float64)
    residual = float(np.sqrt(np.mean((flat @ coefficients - epsilon.ravel()) ** 2)))
    return PairRule(
        coefficients=coefficients,
        lower=_MARGIN[0] * float(epsilon.min()),
        upper=_MARGIN[1] * float(epsilon.max()),
        residual=residual,
    )


def class_bead_table(
    parent: BeadTable,
    names: Sequence[str],
    places: FloatArray,
    solvents: Sequence[str],
    descriptions: Sequence[str],
    *,
    name: str,
    version: str,
    provenance: Provenance,
) -> BeadTable:
    """The table of fitted classes.

    Parameters
    ----------
    parent : BeadTable
    names : sequence of str
        Of the K classes.
    places : (K, V) float64
    solvents : sequence of str
        The V solvent bead types, kept from the parent with their names.
    descriptions : sequence of str
        Of the classes.
    name, version : str
    provenance : Provenance
    """
    charged = [t for t in parent.bead_types if t.chemical_class[:1] in "QD" and t.size in SIZES]
    kept = [*(parent.bead_type(v) for v in solvents), *charged]
    own = [
        BeadType(name=type_name(c, s), chemical_class=c, size=s, mass=MASSES[s], description=text)  # type: ignore[arg-type]
        for s in SIZES
        for c, text in zip(names, descriptions)
    ]
    types = [*own, *kept]
    n, n_own, n_classes = len(types), len(own), len(names)
    epsilon, sigma = np.zeros((n, n)), np.zeros((n, n))
    rows = parent.indices([t.name for t in kept])
    epsilon[n_own:, n_own:], sigma[n_own:, n_own:] = (
        parent.epsilon[np.ix_(rows, rows)],
        parent.sigma[np.ix_(rows, rows)],
    )
    of_size = {s: [t for t in neutral_types(parent) if t.size == s] for s in SIZES}
    for i, s in enumerate(SIZES):
        block = slice(i * n_classes, (i + 1) * n_classes)
        for j, other in enumerate(SIZES[: i + 1]):
            rule = pair_rule(parent, of_size[s], of_size[other], solvents)
            found = rule.epsilon(places, places)
            epsilon[block, j * n_classes : (j + 1) * n_classes] = 0.5 * (found + found.T) if i == j else found
        for k, v in enumerate(solvents):
            low, span = place_range(parent, s, v)
            epsilon[n_own + k, block] = np.maximum(low + places[:, k] * span, 0.05)
        for size in SIZES:
            ions = [t for t in charged if t.size == size]
            places_of_ions = n_own + len(solvents) + np.array([charged.index(t) for t in ions])
            rule = pair_rule(parent, of_size[s], ions, solvents)
            epsilon[places_of_ions, block] = rule.epsilon(places, places_of(parent, ions, solvents)).T
    for i, a in enumerate(types):
        for j in range(min(i + 1, n_own)):
            sigma[i, j] = SIGMA[size_pair(a.size, types[j].size)]
    lower = np.tril_indices(n, -1)
    for matrix in (epsilon, sigma):
        matrix[lower[1], lower[0]] = matrix[lower]
    return BeadTable(
        name=name,
        version=version,
        bead_types=tuple(types),
        epsilon=np.round(epsilon, 4),
        sigma=sigma,
        scheme=parent.scheme,
        provenance=provenance,
    )
