"""Forces, energies and virial of one frame in the precision wanted: single points of the package itself are always double."""

from __future__ import annotations

import numpy as np

from topdown.engine.forces import total_forces
from topdown.engine.neighbor_list import NeighborList, place_all
from topdown.engine.observables import fresh_list
from topdown.engine.parameters import TERMS, Parameters, build_parameters
from topdown.engine.soft_core import as_lambda
from topdown.engine.virtual_sites import place_sites
from topdown.model import System


def prepared(
    system: System, component: int = -1, longer: float = 0.3
) -> tuple[Parameters, np.ndarray, np.ndarray, NeighborList]:
    """Parameters, positions, box and lists reaching ``longer`` than the cut-off, the inner one half of that."""
    parameters = build_parameters(system, solute_component=component)
    x, box = np.array(system.whole().positions), np.array(system.box)
    place_sites(x, parameters.bonded.sites)
    cutoff = parameters.pair.cutoff
    return parameters, x, box, fresh_list(parameters, x, box, cutoff + longer, cutoff + 0.5 * longer)


def evaluated(
    parameters: Parameters,
    x: np.ndarray,
    box: np.ndarray,
    near: NeighborList,
    lam: float = 1.0,
    *,
    double: bool,
    measure: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forces, energies (``TERMS``) and virial."""
    forces, energies, virial = np.zeros_like(x), np.zeros(len(TERMS)), np.zeros((3, 3))
    assert place_all(x, box, near, parameters.pair.cutoff)
    total_forces(
        x, box, parameters.pair, parameters.bonded, as_lambda(lam), near, double, forces, energies, virial, measure
    )
    return forces, energies, virial
