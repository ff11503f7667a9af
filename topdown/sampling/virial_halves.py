"""Slabs whose virials are kept as repulsion and dispersion, so that they can be taken to another σ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from topdown.engine import Simulation
from topdown.model import PairSums


class HalvedVirialSimulation(Simulation):
    """A simulation without a solute that keeps the repulsive half of its virials beside the whole.

    With repulsion R and dispersion D a virial per ε is W = R - D, and with σ^6 twice as large 4 R - 2 D: measured at both, it
    gives R = (W(2σ^6) - 2 W(σ^6))/2 exactly, since positions and cut-off are the same.
    """

    def pair_sums(self, *, virials: bool = False, scalings: Sequence[tuple[float, float, float]] = ()) -> PairSums:
        """As every simulation's; virials with their repulsive half."""
        sums = super().pair_sums(virials=virials, scalings=scalings)
        if not virials:
            return sums
        own = self._basis
        self._basis = own._replace(sigma6=2.0 * own.sigma6)
        try:
            larger = super().pair_sums(virials=True)
        finally:
            self._basis = own
        assert sums.virials is not None
        assert larger.virials is not None
        return replace(sums, virial_repulsion=0.5 * larger.virials - sums.virials)
