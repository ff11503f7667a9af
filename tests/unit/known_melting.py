"""Crystals whose growth is known: each face moves with a slope times the distance from a melting point, and some noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from harmonic_liquid import HarmonicLiquid

from topdown.model import WindowFailure, WindowSamples
from topdown.model.requests import MeltingRequest
from topdown.sampling.equilibrate import TIME_STEP

#: Change of the speed of a face with temperature [m/s/K], and its noise from run to run [m/s].
SLOPE, NOISE = -0.8, 1.5
HEIGHT = 14.0


def crystal_record(request: MeltingRequest, melts_at: float) -> dict[str, np.ndarray]:
    """What a crystal that melts at ``melts_at`` [K] did in a run."""
    rng = np.random.default_rng([request.seed, round(1e6 * request.temperature)])
    speed = SLOPE * (request.temperature - melts_at) + NOISE * rng.normal()
    times = TIME_STEP * np.arange(0, request.n_steps, request.every)
    crystalline = 0.5 + 2.0 * speed * times / 1000.0 / HEIGHT
    alive = np.cumprod((crystalline > 0.1) & (crystalline < 0.9)).astype(bool)
    n = max(int(alive.sum()), 5)
    return {"times": times[:n], "crystalline": crystalline[:n], "heights": np.full(n, HEIGHT)}


def crystal_samples(request: MeltingRequest) -> WindowSamples:
    """A sample of the run; nobody looks at its sums."""
    model = HarmonicLiquid(request.molecule.type_names[0], kappa=8.0, temperature=request.temperature)
    epsilon = {p: request.table.pair(*p)[1] for p in model.pairs()}
    (window,) = model.sample(epsilon, np.random.default_rng(request.seed), n_frames=5, system=request.system)
    return window


class KnownCrystals:
    """A sampler of crystals that melt at ``melts_at(request)`` [K]; runs of which ``fails`` holds leave nothing."""

    def __init__(
        self,
        melts_at: Callable[[MeltingRequest], float],
        fails: Callable[[MeltingRequest], bool] = lambda request: False,
    ) -> None:
        self.melts_at, self.fails = melts_at, fails
        self.asked: list[list[MeltingRequest]] = []

    def sample(self, requests: Sequence[MeltingRequest]) -> list[WindowSamples | WindowFailure]:
        self.asked.append(list(requests))
        return [
            WindowFailure(system=r.system, lambda_index=-1, reason="it blew up")
            if self.fails(r)
            else crystal_samples(r)
            for r in requests
        ]

    def record(self, request: MeltingRequest) -> dict[str, np.ndarray]:
        return crystal_record(request, self.melts_at(request))
