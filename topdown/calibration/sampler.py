"""What a calibration needs from whoever runs its simulations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from topdown.model.requests import SampleRequest
from topdown.model.samples import WindowSamples


class Sampler(Protocol):
    """Turns requests into samples, from a store of earlier runs where it can.

    ``sample`` returns the windows of all requests in order: of a coupling request one per λ, in the order of its
    λ's; of a liquid request one. Each carries the ``system`` of its request, and equal requests give equal samples.
    """

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        """Run, or find, everything asked for; raises :class:`~topdown.errors.SimulationError` when a run fails."""
        ...
