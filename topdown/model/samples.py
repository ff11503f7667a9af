"""What a sampled window leaves behind: a few numbers per frame from which every energy at any epsilon follows.

The Lennard-Jones energy is linear in the parameters. With σ and the soft-core radius of the run held,

    U(ε; λ_k) = Σ_p ε_p S_p + Σ_q ε_q T_{k,q} + U_rest,

p over pairs of bead types among the fully coupled beads (solvent, and the solute with itself), q over (solute type,
solvent type) pairs along the soft-core path. See ``docs/theory.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topdown.model._arrays import FloatArray, frozen_array


@dataclass(frozen=True, kw_only=True, eq=False)
class PairSums:
    """Per-type-pair sums of n_frames stored frames, in units where U = Σ ε S.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Type pairs p of the coupled beads, each sorted alphabetically.
    sums : (n_frames, n_pairs) float64
        S_p = 4 Σ [(σ/r)^12 - (σ/r)^6 - shift] over pairs inside the cut-off (dimensionless: energy per ε).
    solute_pairs : tuple of (str, str)
        Sorted type pairs q between solute and solvent; empty when there is no solute.
    solute_sums : (n_frames, n_lambda, n_solute_pairs) float64
        T_{k,q} of the soft-core potential at every λ_k.
    lambdas : (n_lambda,) float64
        0 decoupled … 1 coupled; empty when there is no solute.
    rest_energy : (n_frames,) float64 [kJ/mol]
        Bonded and Coulomb energy: what no ε changes.
    volume : (n_frames,) float64 [nm³]
    """

    pairs: tuple[tuple[str, str], ...]
    sums: FloatArray
    rest_energy: FloatArray
    volume: FloatArray
    solute_pairs: tuple[tuple[str, str], ...] = ()
    solute_sums: FloatArray | None = None
    lambdas: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.volume)
        lambdas = np.zeros(0) if self.lambdas is None else self.lambdas
        object.__setattr__(self, "lambdas", frozen_array("lambdas", lambdas, (None,)))
        k, q = len(lambdas), len(self.solute_pairs)
        solute = np.zeros((n, k, q)) if self.solute_sums is None else self.solute_sums
        object.__setattr__(self, "sums", frozen_array("sums", self.sums, (n, len(self.pairs))))
        object.__setattr__(self, "solute_sums", frozen_array("solute_sums", solute, (n, k, q)))
        object.__setattr__(self, "rest_energy", frozen_array("rest_energy", self.rest_energy, (n,)))
        object.__setattr__(self, "volume", frozen_array("volume", self.volume, (n,)))

    @property
    def n_frames(self) -> int:
        """Number of stored frames."""
        return len(self.volume)


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowSamples:
    """The stored frames of one run and the state they were sampled in.

    Attributes
    ----------
    key : str
        Hash that identifies the run in the store.
    system : str
        Identifies what was simulated (solute and solvent), so that only like is pooled with like.
    sums : PairSums
    epsilon : tuple of float [kJ/mol]
        ε of ``sums.pairs`` then of ``sums.solute_pairs`` in the run itself.
    lambda_index : int
        Row of ``sums.lambdas`` sampled; -1 without a solute.
    temperature : float
        [K]
    pressure : float or None
        [bar]; None when the run was at constant volume.
    n_molecules : int
        Number of solvent molecules.
    """

    key: str
    system: str
    sums: PairSums
    epsilon: tuple[float, ...]
    temperature: float
    pressure: float | None
    n_molecules: int
    lambda_index: int = -1
