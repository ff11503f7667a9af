"""A solute grown in at one σ, its soft core having the radius of another.

Along s = α(1-λ)σ₀^6 + r^6 the energy is linear in C6 = 4εσ^6 and C12 = 4εσ^12 as long as σ₀ is held. So runs at several σ
lie on one path, and can be pooled, when all have the σ₀ of one table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.engine.basis import build_basis
from topdown.errors import SettingsError
from topdown.model import BeadTable, PairSums, System


class HeldCoreSimulation(Simulation):
    """A simulation along a soft-core path with the radii of another table; everything else is of the system's own.

    Parameters
    ----------
    system : System
    settings : SimulationSettings
    coupling : Coupling
    core : BeadTable
        Whose σ are the radii σ₀.
    seed : int

    Raises
    ------
    SettingsError
        A radius of 0 where σ is not.
    """

    def __init__(
        self, system: System, settings: SimulationSettings, *, coupling: Coupling, core: BeadTable, seed: int
    ) -> None:
        self._core = core
        self._ratios: dict[tuple[str, str], float] = {}
        super().__init__(system, settings, seed=seed, coupling=coupling)

    def _initial_state(self, system: System) -> Any:
        names = self.parameters.type_names
        rows, own = self._core.indices(names), system.table.indices(names)
        radii, sigma = self._core.sigma[np.ix_(rows, rows)], system.table.sigma[np.ix_(own, own)]
        if np.any((radii <= 0.0) & (sigma > 0.0)):
            raise SettingsError("a soft core without a radius", where=system.title)
        self._ratios = {
            (a, b): float(sigma[i, j] / radii[i, j])
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if sigma[i, j] > 0.0
        }
        lj = self.parameters.pair.lj.copy()
        lj[..., 3] = radii**6
        self.parameters = self.parameters._replace(pair=self.parameters.pair._replace(lj=lj))
        self._basis = build_basis(self.parameters, self.coupling)
        return super()._initial_state(system)

    def pair_sums(self, *, virials: bool = False, scalings: Any = ()) -> PairSums:
        """The sums at the system's own σ, the soft-core radius held; the engine takes them at σ₀.

        Raises
        ------
        SettingsError
            Virials or scaled boxes are asked for: they do not tell repulsion from dispersion.
        """
        if virials or scalings:
            raise SettingsError("virials and scaled boxes cannot be taken to another σ")
        return super().pair_sums().with_sigma(self._ratios)
