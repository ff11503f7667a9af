"""Stored samples with σ free: one more sum for each pair of types, so that the energy is linear in its coefficients again.

With S the sum of a pair of types at the σ of a start table and R its repulsive half (:class:`topdown.model.samples.PairSums`),
the energy at σ' = ρ σ is

    ε [ρ^12 R - ρ^6 (R - S)] = ε ρ^6 · S + ε (ρ^12 - ρ^6) · R,

cut-off and shift included, and its virial likewise. So a pair whose σ may move has two columns, S under its own name and R under
:func:`repulsion_of`, with these coefficients in place of ε: all that :mod:`topdown.estimators.reweighting` does with ε – free
energies, averages, surface tensions, derivatives, errors, effective samples – then holds for σ too, and is as exact. Along a
soft-core path this takes runs whose core has the radius of the start table (``CouplingRequest.core``): ρ scales C6 and C12, never
the radius.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from topdown.errors import SettingsError
from topdown.estimators.retyping import real_type
from topdown.estimators.reweighting import PooledSamples
from topdown.estimators.run_states import Pair, sorted_pair
from topdown.model._arrays import FloatArray
from topdown.model.samples import PairSums, WindowSamples

#: Ends the names in a column of repulsion; with a blank in it, it ends no bead type that a topology could name.
_MARK: Final = " r^-12"


def repulsion_of(pair: Pair) -> Pair:
    """What the column of repulsion of a pair of bead types is called."""
    a, b = pair
    return sorted_pair(a + _MARK, b + _MARK)


def coefficients(epsilon: float, ratio: float) -> tuple[float, float]:
    """Those of S and R [kJ/mol] at ``epsilon`` [kJ/mol] and σ'/σ = ``ratio``."""
    sixth = ratio**6
    return epsilon * sixth, epsilon * (sixth * sixth - sixth)


def with_size_terms(run: WindowSamples, free: Iterable[Pair], ratios: Mapping[Pair, float]) -> WindowSamples:
    """A run as one over S and R at the σ of the start table.

    Parameters
    ----------
    run : WindowSamples
        Its solute's beads may have names of their own (:mod:`topdown.estimators.retyping`).
    free : iterable of (str, str)
        Pairs of bead types whose σ may move.
    ratios : mapping of (str, str) to float
        σ of the run over σ of the start table; 1 for pairs that are not given.

    Raises
    ------
    SettingsError
        Samples that do not hold repulsion, or that hold virials without their repulsive half, or those of a solute.
    """
    moving = {sorted_pair(*pair) for pair in free}
    sums = run.sums
    own = [_real(pair) in moving for pair in (*sums.pairs, *sums.solute_pairs)]
    if not any(own):
        return run
    if sums.virials is not None and (sums.virial_repulsion is None or sums.solute_pairs):
        raise SettingsError(
            "virials of these samples cannot be taken to another σ", where=run.system, hint="hold the σ of its pairs"
        )
    there = {pair: ratios.get(_real(pair), 1.0) for pair in (*sums.pairs, *sums.solute_pairs)}
    at_start = sums.with_sigma({pair: 1.0 / ratio for pair, ratio in there.items()})
    assert at_start.repulsion is not None
    assert at_start.solute_sums is not None
    assert at_start.solute_repulsion is not None
    n = len(sums.pairs)
    inside, crossing = np.flatnonzero(own[:n]), np.flatnonzero(own[n:])
    pairs = (*sums.pairs, *(repulsion_of(sums.pairs[k]) for k in inside))
    solute_pairs = (*sums.solute_pairs, *(repulsion_of(sums.solute_pairs[k]) for k in crossing))
    both = [
        coefficients(epsilon, there[pair])
        for pair, epsilon in zip((*sums.pairs, *sums.solute_pairs), run.epsilon, strict=True)
    ]
    first, second = [a for a, _ in both], [b for _, b in both]
    virials: dict[str, Any] = {}
    if at_start.virials is not None and at_start.virial_repulsion is not None:
        # the virial of a pair has the coefficients of its energy
        virials = {"virials": np.concatenate([at_start.virials, at_start.virial_repulsion[:, inside]], axis=1)}
        virials |= {name: getattr(sums, name) for name in ("solute_virials", "rest_virial", "kinetic")}
    return replace(
        run,
        sums=PairSums(
            pairs=pairs,
            sums=np.concatenate([at_start.sums, at_start.repulsion[:, inside]], axis=1),
            solute_pairs=solute_pairs,
            solute_sums=np.concatenate([at_start.solute_sums, at_start.solute_repulsion[:, :, crossing]], axis=2),
            rest_energy=sums.rest_energy,
            volume=sums.volume,
            solute_coulomb=sums.solute_coulomb,
            lambdas=sums.lambdas,
            charge_lambdas=sums.charge_lambdas,
            **virials,
        ),
        epsilon=(
            *first[:n],
            *(second[k] for k in inside),
            *first[n:],
            *(second[n + k] for k in crossing),
        ),
    )


def at_sizes(pooled: PooledSamples, ratios: Mapping[Pair, float]) -> PooledSamples:
    """Samples with :func:`with_size_terms` as ordinary ones, of which ε alone can change.

    Parameters
    ----------
    pooled : PooledSamples
    ratios : mapping of (str, str) to float
        σ'/σ of pairs of real bead types; 1 for those not given.
    """
    place = {pair: k for k, pair in enumerate(pooled.pairs)}
    kept = [pair for pair in pooled.pairs if not pair[0].endswith(_MARK)]

    def folded(values: FloatArray) -> FloatArray:
        columns = []
        for pair in kept:
            column, repulsion = values[..., place[pair]], place.get(repulsion_of(pair))
            if repulsion is not None:
                by_sum, by_repulsion = coefficients(1.0, ratios.get(_real(pair), 1.0))
                column = by_sum * column + by_repulsion * values[..., repulsion]
            columns.append(column)
        return np.stack(columns, axis=-1)

    if len(kept) == len(pooled.pairs):
        return pooled
    epsilon = tuple(
        pooled.reference.epsilon[place[pair]] / coefficients(1.0, ratios.get(_real(pair), 1.0))[0] for pair in kept
    )
    return replace(
        pooled,
        pairs=tuple(kept),
        coupled_sums=folded(pooled.coupled_sums),
        solute_sums=folded(pooled.solute_sums),
        reference=replace(pooled.reference, epsilon=epsilon),
    )


def _real(pair: Pair) -> Pair:
    return sorted_pair(*(real_type(name) for name in pair))
