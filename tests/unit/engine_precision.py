"""Forces, energies and virial of one frame in the precision wanted: single points of the package itself are always double."""

from __future__ import annotations

import numpy as np
from engine_systems import of_this_width

from topdown.engine._jit import kernel
from topdown.engine.forces import force_parts, share_out, team_forces, total_forces
from topdown.engine.frame import frame_of
from topdown.engine.neighbor_list import NeighborList, place
from topdown.engine.observables import fresh_list
from topdown.engine.parameter_arrays import TERMS
from topdown.engine.parameters import Parameters, build_parameters
from topdown.engine.settings import SimulationSettings
from topdown.engine.soft_core import as_lambda
from topdown.engine.team import new_team
from topdown.engine.virtual_sites import place_sites
from topdown.model import System


def prepared(
    system: System, component: int = -1, longer: float = 0.3
) -> tuple[Parameters, np.ndarray, np.ndarray, NeighborList]:
    """Parameters, positions, box and lists reaching ``longer`` than the cut-off, the inner one half of that."""
    system = of_this_width(system)
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
    assert place_all(x, box, near, parameters.pair.cutoff)
    pair, bonded, lam = parameters.pair, parameters.bonded, as_lambda(lam)
    if double and measure:
        frame = total_forces(x, box, pair, bonded, lam, near)
    else:
        frame, team = frame_of(x, box), new_team(1, 0, len(TERMS), len(x))
        settings = SimulationSettings(precision="double" if double else "mixed").dynamics(
            n_beads=len(x), n_constraints=0, cutoff=pair.cutoff, lam=lam
        )
        settings = settings._replace(double=double or pair.force_shift)
        parts = force_parts(frame, pair, bonded, lam, near, team, double=settings.double)
        _forces_of_a_step(frame, pair, bonded, near, settings, team, parts, int(measure))
    return frame.forces, frame.energies, frame.virial


@kernel
def place_all(x, box, near, needed):
    """:func:`place` of all beads."""
    return place(0, x.shape[0], x, box, near, needed)


@kernel
def _forces_of_a_step(frame, pair, bonded, near, settings, team, parts, measure):
    share_out(pair, bonded, near, team)
    team_forces(0, frame, pair, bonded, near, settings, team, parts, measure, True)
