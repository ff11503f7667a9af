"""A model liquid with the same linear sums as the real one, every answer of which is known in closed form.

n solvent modes x_i have the energy ε_ss x_i²/2; each solute bead b couples, in proportion to λ, to m modes of its own with
ε_bs x²/2; the volume is a mode of its own, ε_ss V + κ(V - V0)²/2. All are Gaussian, so frames are drawn from the exact
distribution, as a first-order autoregression when correlation is wanted. Then

    ΔG(λ: 0 → 1) = Σ_b (m/2) kT ln(1 + ε_bs/ε_ss),   ⟨V⟩ = V0 - (ε_ss + p)/κ,   ∂⟨V⟩/∂ε_ss = -1/κ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from topdown.model.samples import PairSums, WindowSamples
from topdown.units import KJ_MOL_NM3_TO_BAR, kt


@dataclass(frozen=True)
class HarmonicLiquid:
    solvent_type: str
    solute_types: tuple[str, ...] = ()
    n_modes: int = 24
    modes_per_bead: int = 4
    kappa: float = 40.0
    v_0: float = 12.0
    temperature: float = 300.0

    def solute_pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted({tuple(sorted((t, self.solvent_type))) for t in self.solute_types}))

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return ((self.solvent_type, self.solvent_type),)

    def delta_g(self, epsilon: Mapping[tuple[str, str], float]) -> float:
        ss = epsilon[self.pairs()[0]]
        strengths = [epsilon[tuple(sorted((t, self.solvent_type)))] for t in self.solute_types]
        return sum(0.5 * self.modes_per_bead * kt(self.temperature) * np.log1p(e / ss) for e in strengths)

    def mean_volume(self, epsilon: Mapping[tuple[str, str], float], pressure: float) -> float:
        return self.v_0 - (epsilon[self.pairs()[0]] + pressure / KJ_MOL_NM3_TO_BAR) / self.kappa

    def sample(
        self,
        epsilon: Mapping[tuple[str, str], float],
        rng: np.random.Generator,
        *,
        lambdas: tuple[float, ...] = (),
        n_frames: int = 800,
        pressure: float = 1.0,
        correlation: float = 0.0,
        system: str = "model",
    ) -> list[WindowSamples]:
        indices = range(len(lambdas)) if lambdas else (-1,)
        return [self._window(epsilon, rng, lambdas, k, n_frames, pressure, correlation, system) for k in indices]

    def _window(self, epsilon, rng, lambdas, k, n_frames, pressure, correlation, system):  # type: ignore[no-untyped-def]
        thermal, ss = kt(self.temperature), epsilon[self.pairs()[0]]
        stiffness = np.full(self.n_modes, ss)
        owner = np.repeat(np.arange(len(self.solute_types)), self.modes_per_bead)
        assert len(owner) <= self.n_modes
        for mode, bead in enumerate(owner):
            pair = tuple(sorted((self.solute_types[bead], self.solvent_type)))
            stiffness[mode] += (lambdas[k] if k >= 0 else 0.0) * epsilon[pair]
        x = _autoregression(rng, n_frames, self.n_modes, correlation) * np.sqrt(thermal / stiffness)
        v = (
            self.mean_volume(epsilon, pressure)
            + np.sqrt(thermal / self.kappa) * _autoregression(rng, n_frames, 1, correlation)[:, 0]
        )
        half = 0.5 * x**2
        slopes = np.zeros((n_frames, len(self.solute_pairs())))
        for mode, bead in enumerate(owner):
            column = self.solute_pairs().index(tuple(sorted((self.solute_types[bead], self.solvent_type))))
            slopes[:, column] += half[:, mode]
        solute = slopes[:, None, :] * np.array(lambdas)[:, None]
        sums = PairSums(
            pairs=self.pairs(),
            sums=(half.sum(axis=1) + v)[:, None],
            rest_energy=0.5 * self.kappa * (v - self.v_0) ** 2,
            volume=v,
            solute_pairs=self.solute_pairs(),
            solute_sums=solute,
            solute_slopes=slopes,
            lambdas=np.array(lambdas),
        )
        return WindowSamples(
            key=f"{system}-{k}-{rng.integers(1 << 30)}",
            system=system,
            sums=sums,
            epsilon=tuple(epsilon[p] for p in (*self.pairs(), *self.solute_pairs())),
            lambda_index=k,
            temperature=self.temperature,
            pressure=pressure,
            n_molecules=100,
        )


def _autoregression(rng: np.random.Generator, n: int, width: int, correlation: float) -> np.ndarray:
    """Stationary unit-variance series with C(t) = correlation^t.

    y_i = c y_(i-1) + e_i is a sum over the past in which c^k weighs e_(i-k): sums over 1, 2, 4, 8… frames, each from two of the
    last, until c^k is nothing beside 1.
    """
    series = rng.normal(size=(n, width))
    series[1:] *= np.sqrt(1 - correlation**2)
    reach = 1
    while reach < n and correlation**reach > 1e-20:
        series[reach:] += correlation**reach * series[:-reach]
        reach *= 2
    return series
