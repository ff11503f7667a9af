"""What a calibration needs from whoever runs its simulations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from topdown.model.requests import SampleRequest
from topdown.model.samples import WindowFailure, WindowSamples


class Sampler(Protocol):
    """Turns requests into samples, from a store of earlier runs where it can.

    ``sample`` returns the windows of all requests in order: of a coupling request one per λ that is to be sampled, in the order
    of its λ's; of a liquid request one. Each carries the ``system`` of its request, and equal requests give equal samples. In
    place of a run that failed stands why; the campaign tries it once more with another seed and goes on with the others.
    """

    def sample(self, requests: Sequence[SampleRequest]) -> Sequence[WindowSamples | WindowFailure]:
        """Run, or find, everything asked for; raises :class:`~topdown.errors.SimulationError` when nothing can go on."""
        ...
