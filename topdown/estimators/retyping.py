"""Stored samples of a solute, as samples for the same solute with other bead types.

The energy is linear in ε, and a sum over pairs of types does not ask what the types are called: with T_q the sum between the
solute's beads of type a and the solvent's of type s, the solute with beads of type a' has ε(a', s) T_q in its place. So a change
of type is a change of ε of the solute alone, and reweighting gives its free energies without a simulation, as long as a' has
the σ of a with everything it meets. The sums must tell the solute's beads from the solvent's: where both hold a type, and the
solute another one of the solvent's too, they do not, unless the solute's beads had names of their own when they were sampled
(:func:`own_names`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.errors import SamplingError
from topdown.estimators.reweighting import PooledSamples
from topdown.estimators.run_states import Pair, State, sorted_pair
from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule
from topdown.model.samples import PairSums, WindowSamples

FloatArray = npt.NDArray[np.float64]
#: Between a bead type and the number of a bead, in names of a solute's beads of their own.
_MARK = "~"


def own_name(bead_type: str, place: int) -> str:
    """What a solute's bead number ``place`` is called where its sums are to be its own."""
    return f"{bead_type}{_MARK}{place + 1}"


def real_type(name: str) -> str:
    """The bead type behind a name."""
    return name.split(_MARK)[0]


def own_names(solute: CGMolecule, table: BeadTable) -> tuple[CGMolecule, BeadTable]:
    """The solute with a bead type of its own for every bead, and the table with rows for them: the same physics."""
    names = [own_name(bead.bead_type, k) for k, bead in enumerate(solute.beads)]
    beads = tuple(replace(bead, bead_type=name) for bead, name in zip(solute.beads, names))
    rows = [*range(len(table.bead_types)), *(table.index(bead.bead_type) for bead in solute.beads)]
    kinds = [table.bead_types[row] for row in rows]
    labels = [*(kind.name for kind in table.bead_types), *names]
    grown = replace(
        table,
        bead_types=tuple(replace(kind, name=name) for kind, name in zip(kinds, labels)),
        epsilon=table.epsilon[np.ix_(rows, rows)],
        sigma=table.sigma[np.ix_(rows, rows)],
    )
    return replace(solute, beads=beads), grown


def under_real_names(run: WindowSamples) -> WindowSamples:
    """A run whose solute had names of its own as it would have been without: sums of equal types added up."""
    sums = run.sums
    pairs, of_pair = _merged(sums.pairs)
    solute_pairs, of_solute = _merged(sums.solute_pairs)
    arrays: dict[str, Any] = sums.arrays()
    for name in ("sums", "repulsion", "virials", "scaled_sums"):
        if name in arrays:
            arrays[name] = _added(arrays[name], of_pair, len(pairs), 2 if name.startswith("scaled") else 1)
    for name in ("solute_sums", "solute_repulsion", "solute_slopes", "solute_virials", "scaled_solute_sums"):
        if name in arrays:
            axis = 1 if name in ("solute_slopes", "solute_virials") else 2
            arrays[name] = _added(arrays[name], of_solute, len(solute_pairs), axis)
    epsilon = dict(zip((*sums.pairs, *sums.solute_pairs), run.epsilon))
    values = {sorted_pair(*(real_type(name) for name in pair)): value for pair, value in epsilon.items()}
    return replace(
        run,
        sums=PairSums(pairs=pairs, solute_pairs=solute_pairs, **arrays),
        epsilon=tuple(values[pair] for pair in (*pairs, *solute_pairs)),
    )


def _merged(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], list[int]]:
    """The pairs of real types, sorted, and the place of each pair's among them."""
    real = [sorted_pair(*(real_type(name) for name in pair)) for pair in pairs]
    kept = tuple(sorted(set(real)))
    return kept, [kept.index(pair) for pair in real]


def _added(values: FloatArray, place: list[int], n: int, axis: int) -> FloatArray:
    out = np.zeros((*values.shape[:axis], n, *values.shape[axis + 1 :]))
    for old, new in enumerate(place):
        out[(slice(None),) * axis + (new,)] += values[(slice(None),) * axis + (old,)]
    return out


def retyped(
    pooled: PooledSamples,
    renamed: Mapping[str, str],
    *,
    own: Collection[str],
    others: Collection[str],
    internal: bool,
    epsilon: Callable[[str, str], float],
) -> PooledSamples:
    """The samples as those of a solute with other bead types, at the ε of a table.

    Parameters
    ----------
    pooled : PooledSamples
        Of the solute in a solvent.
    renamed : mapping of str to str
        Names of the solute's beads in ``pooled`` and the bead types they become.
    own, others : collections of str
        Every name of the solute's beads, and every bead type of the solvent.
    internal : bool
        Whether beads of the solute meet each other.
    epsilon : function of (str, str)
        ε [kJ/mol] of two bead types, which may be names of their own.

    Returns
    -------
    PooledSamples
        What is not given to its methods is ``epsilon``.

    Raises
    ------
    SamplingError
        The sums do not tell the solute's beads from the solvent's.
    """

    def unresolved(pair: Pair) -> SamplingError:
        return SamplingError(f"the sums of {'-'.join(pair)} do not tell solute from solvent", where=pooled.system)

    def named(name: str) -> str:
        return renamed.get(name, name)

    coupled: dict[Pair, FloatArray] = {}
    path: dict[Pair, FloatArray] = {}
    for column, pair in enumerate(pooled.pairs):
        a, b = pair
        touched = a in renamed or b in renamed
        inside = internal and a in own and b in own
        if touched and inside and a in others and b in others:
            raise unresolved(pair)
        moved = inside and not (a in others and b in others)
        target = sorted_pair(named(a), named(b)) if moved else pair
        if pooled.coupled_sums[:, column].any():
            coupled[target] = coupled.get(target, 0.0) + pooled.coupled_sums[:, column]
        ways = {(p, q) for p, q in (pair, pair[::-1]) if p in own and q in others}
        targets = {sorted_pair(named(p), q) for p, q in ways}
        if touched and len(targets) > 1:
            raise unresolved(pair)
        target = next(iter(targets), pair)
        if pooled.solute_sums[:, :, column].any():
            path[target] = path.get(target, 0.0) + pooled.solute_sums[:, :, column]
    pairs = tuple(sorted({*coupled, *path}))
    n, n_lambda = pooled.n_frames, len(pooled.lambdas)
    last = pooled.reference
    return replace(
        pooled,
        pairs=pairs,
        coupled_sums=np.stack([coupled.get(p, np.zeros(n)) for p in pairs], axis=-1),
        solute_sums=np.stack([path.get(p, np.zeros((n_lambda, n))) for p in pairs], axis=-1),
        reference=State(last.lambda_index, last.temperature, last.pressure, tuple(epsilon(a, b) for a, b in pairs)),
    )
