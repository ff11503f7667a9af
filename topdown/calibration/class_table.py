"""A bead table out of fitted classes: every class in three sizes, beside the solvent beads and charged beads of its parent.

Three kinds of pairs:

- class with solvent bead: fitted; place → ε by :func:`topdown.properties.shapes.place_range`;
- class with class, with charged bead, and with beads of other solvents: not seen by free energies of transfer. A class
  interacts as those types of the parent do that are like it in free energies (:func:`likeness`); measured densities and
  surface tensions then change pairs of classes by factors (:class:`PairFactors`), and no type attracts its own kind so much
  that its liquid freezes (:func:`largest_like_epsilon`);
- beads of the parent among themselves: unchanged.

σ with beads of the parent depends on the sizes alone. Where types come in several volumes (:func:`class_volumes`),
those differ in pairs of classes alone: free energies of transfer do not know of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from topdown.mapping.bead_volume import VOLUME_STEP, VOLUME_SUFFIXES
from topdown.mapping.class_typing import type_name
from topdown.model import BeadTable
from topdown.model.bead import SIZES, BeadType
from topdown.model.bead_table import BondLengths, Provenance
from topdown.model.type_volumes import TypeVolumes
from topdown.properties.shapes import MASSES, SIGMA, neutral_types, place_range, size_pair
from topdown.units import GAS_CONSTANT

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
#: How far in free energy two beads may be and still be alike [kJ/mol]. Types of martini3 left out one at a time are found again
#: to 0.19 (R), 0.22 (S) and 0.33 (T) kJ/mol in ε with 1, and hardly worse with 0.5 or 2.
LIKENESS: Final = 1.0
#: Where a liquid of single beads melts, in ε/R: `topdown melting` gives 0.608 for W of martini3, 0.608 for that of martini2,
#: and 0.606 for chloroform's X2.
MELTS_AT: Final = 0.607
#: How far below that, as a part of it, liquids of this many beads and nanoseconds stay liquid: W of martini3 does at 298 K.
COLDEST_LIQUID: Final = 0.877
#: Decimals of the slopes and the limit [kJ/mol] of a rule of volumes.
SLOPE_DIGITS: Final = 5


def largest_like_epsilon(temperature: float) -> float:
    """ε [kJ/mol] between beads of one type above which a liquid of such beads would freeze at a temperature [K]."""
    return GAS_CONSTANT * temperature / (MELTS_AT * COLDEST_LIQUID)


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


def likeness(places: FloatArray, known: FloatArray, metric: FloatArray) -> FloatArray:
    """How much each bead at ``places`` (n, V) is like each type at ``known`` (m, V): weights (n, m), each row adding up to 1.

    A Gaussian of the distance in free energies, ``LIKENESS`` wide; far from all, the nearest count.

    Parameters
    ----------
    places, known : (n, V), (m, V) float64
    metric : (C, V) float64 [kJ/mol]
        What a unit of place does to each free energy (:func:`topdown.calibration.class_fit.class_metric`).
    """
    squared = (((places[:, None] - known[None]) @ metric.T) ** 2).sum(axis=2) / LIKENESS**2
    weights = np.exp(-0.5 * (squared - squared.min(axis=1, keepdims=True)))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class PairFactors:
    """What fits to liquids change in pairs of classes, as natural logarithms.

    ln σ = ln σ(sizes) + s(sizes) + (s_i + s_j)/2, and so for ε from what the parent's rule gives. s_i is that of the class and,
    where types come in several volumes, the slope of the bead's size times what its volume is above the usual, in ln of the
    diameter.

    Attributes
    ----------
    sigma, epsilon : (K,) float64
        s_i of every class.
    sigma_sizes, epsilon_sizes : mapping of str to float
        s of every pair of sizes, ``"RS"``.
    sigma_volumes, epsilon_volumes : mapping of str to float
        Slopes of every size, ``"R"``; empty where types come in one volume.
    """

    sigma: FloatArray
    epsilon: FloatArray
    sigma_sizes: Mapping[str, float]
    epsilon_sizes: Mapping[str, float]
    sigma_volumes: Mapping[str, float]
    epsilon_volumes: Mapping[str, float]

    @classmethod
    def none(cls, n_classes: int) -> PairFactors:
        """No change."""
        nothing = dict.fromkeys(SIGMA, 0.0)
        return cls(
            sigma=np.zeros(n_classes),
            epsilon=np.zeros(n_classes),
            sigma_sizes=nothing,
            epsilon_sizes=dict(nothing),
            sigma_volumes={},
            epsilon_volumes={},
        )


def class_bead_table(
    parent: BeadTable,
    names: Sequence[str],
    places: FloatArray,
    solvents: Sequence[str],
    descriptions: Sequence[str],
    metric: FloatArray,
    factors: PairFactors | None = None,
    *,
    name: str,
    version: str,
    provenance: Provenance,
    bond_lengths: BondLengths = "centres",
    like_limit: float = np.inf,
    kept: Sequence[str] = (),
    further: Mapping[str, FloatArray] | None = None,
) -> BeadTable:
    """The table of fitted classes, in their usual volumes.

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
    metric : (3, C, V) float64 [kJ/mol]
        In which classes are like types of the parent.
    factors : PairFactors, optional
        Of pairs of classes.
    name, version : str
    provenance : Provenance
    bond_lengths : {"centres", "surface"}
        Of molecules mapped with the table.
    like_limit : float
        Largest ε [kJ/mol] between two beads of one class and size, whatever the factors say.
    kept : sequence of str
        Further types of the parent, of which other solvents are made. A class interacts with them as with charged ones.
    further : mapping of bead type to (K,) float64
        Places with further solvent bead types (:mod:`topdown.calibration.class_further`).
    """
    charged = [t for t in parent.bead_types if t.chemical_class[:1] in "QD" and t.size in SIZES]
    further = {} if further is None else further
    fitted = (*solvents, *further)
    by_likeness = [*charged, *(parent.bead_type(name) for name in kept if name not in fitted)]
    theirs = [*(parent.bead_type(v) for v in fitted), *by_likeness]
    own = [
        BeadType(name=type_name(c, s), chemical_class=c, size=s, mass=MASSES[s], description=text)  # type: ignore[arg-type]
        for s in SIZES
        for c, text in zip(names, descriptions)
    ]
    of_size = {s: [t for t in neutral_types(parent) if t.size == s] for s in SIZES}
    alike = {s: likeness(places, places_of(parent, of_size[s], solvents), metric[k]) for k, s in enumerate(SIZES)}
    rows_of = {s: parent.indices([t.name for t in types]) for s, types in of_size.items()}
    factors = PairFactors.none(len(names)) if factors is None else factors
    n, n_own = len(own) + len(theirs), len(own)
    epsilon, sigma = np.zeros((n, n)), np.zeros((n, n))
    rows = parent.indices([t.name for t in theirs])
    epsilon[n_own:, n_own:], sigma[n_own:, n_own:] = (
        parent.epsilon[np.ix_(rows, rows)],
        parent.sigma[np.ix_(rows, rows)],
    )
    epsilon[:n_own, :n_own], sigma[:n_own, :n_own] = _between_classes(parent, rows_of, alike, factors)
    like = np.arange(n_own)
    epsilon[like, like] = np.minimum(epsilon[like, like], like_limit)
    others = parent.indices([t.name for t in by_likeness])
    all_places = np.column_stack([places, *further.values()])
    of_sizes = [
        _with_kept(parent, s, all_places, fitted, alike[s], parent.epsilon[np.ix_(others, rows_of[s])]) for s in SIZES
    ]
    epsilon[n_own:, :n_own] = np.hstack(of_sizes)
    sigma[n_own:, :n_own] = [[SIGMA[size_pair(a.size, b.size)] for b in own] for a in theirs]
    lower = np.tril_indices(n, -1)
    for matrix in (epsilon, sigma):
        matrix[lower[1], lower[0]] = matrix[lower]
    return BeadTable(
        name=name,
        version=version,
        bead_types=(*own, *theirs),
        epsilon=np.round(epsilon, 4),
        sigma=np.round(sigma, 5),
        scheme=parent.scheme,
        provenance=provenance,
        bond_lengths=bond_lengths,
    )


def class_volumes(names: Sequence[str], factors: PairFactors, like_limit: float) -> TypeVolumes:
    """The rule by which every class and size comes in several volumes (:mod:`topdown.mapping.bead_volume`).

    The table it is for has no limit of its own: compact types have less than what their usual one would have without.
    """
    return TypeVolumes(
        classes=tuple(names),
        steps={suffix: round(VOLUME_STEP * k, 4) for k, suffix in VOLUME_SUFFIXES.items() if k},
        sigma={size: round(slope, SLOPE_DIGITS) for size, slope in factors.sigma_volumes.items()},
        epsilon={size: round(slope, SLOPE_DIGITS) for size, slope in factors.epsilon_volumes.items()},
        like_limit=round(like_limit, SLOPE_DIGITS),
    )


def _between_classes(
    parent: BeadTable, rows_of: Mapping[str, IntArray], alike: Mapping[str, FloatArray], factors: PairFactors
) -> tuple[FloatArray, FloatArray]:
    """ε and σ of pairs of classes, (3 K, 3 K), on and below the diagonal of sizes; ``rows_of`` are the types of each size."""
    n_classes = len(factors.epsilon)
    epsilon, sigma = np.zeros((2, len(SIZES) * n_classes, len(SIZES) * n_classes))
    for i, s in enumerate(SIZES):
        block = slice(i * n_classes, (i + 1) * n_classes)
        for j, other in enumerate(SIZES[: i + 1]):
            columns = slice(j * n_classes, (j + 1) * n_classes)
            both = size_pair(s, other)
            found = alike[s] @ parent.epsilon[np.ix_(rows_of[s], rows_of[other])] @ alike[other].T
            epsilon[block, columns] = found * _factor(factors.epsilon, factors.epsilon_sizes[both])
            sigma[block, columns] = SIGMA[both] * _factor(factors.sigma, factors.sigma_sizes[both])
    return epsilon, sigma


def _with_kept(
    parent: BeadTable, size: str, places: FloatArray, solvents: Sequence[str], alike: FloatArray, others: FloatArray
) -> FloatArray:
    """ε of solvent beads and n other beads with the classes in one size, (V + n, K); ``others`` with types of the parent."""
    rows = []
    for k, v in enumerate(solvents):
        low, span = place_range(parent, size, v)
        rows.append(np.maximum(low + places[:, k] * span, 0.05))
    return np.array([*rows, *(alike @ of_one for of_one in others)])


def _factor(of_class: FloatArray, of_sizes: float) -> FloatArray:
    return np.asarray(np.exp(of_sizes + 0.5 * (of_class[:, None] + of_class[None, :])))
