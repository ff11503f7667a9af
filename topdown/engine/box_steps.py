"""A barostat's step of the box within a run: taken, judged by the forces it leads to, and undone where it is refused."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from topdown.engine._arrays import copy_numbers, copy_rows, total_of
from topdown.engine._jit import call_part, helper, part
from topdown.engine._lent import lent
from topdown.engine.barostats import (
    draw_step,
    edge_factors,
    expected_pressure,
    is_accepted,
    log_probability,
    scale_list,
    scale_molecules,
    step_distribution,
)
from topdown.engine.forces import BOX_TOO_SMALL, DONE


@lent
class Trial(NamedTuple):
    """What a refused step of the box goes back to, and what the judgement needs; filled by the first thread of a team."""

    positions: Any
    forces: Any
    box: Any
    energies: Any
    virial: Any
    drift: Any
    variance: Any
    changes: Any
    factors: Any
    log_forward: Any


def new_trial(n_beads: int, n_terms: int) -> Trial:
    """Room for a system of this size."""
    return Trial(
        positions=np.zeros((n_beads, 3)),
        forces=np.zeros((n_beads, 3)),
        box=np.zeros(3),
        energies=np.zeros(n_terms),
        virial=np.zeros((3, 3)),
        drift=np.zeros(3),
        variance=np.zeros(3),
        changes=np.zeros(3),
        factors=np.zeros(3),
        log_forward=np.zeros(1),
    )


@part
def box_distribution(frame: Any, molecules: Any, settings: Any, trial: Any) -> int:
    """Where the present frame would have its box go; forces, energies and virial must be those of its positions."""
    pressure = np.empty((3, 3))
    expected_pressure(frame.positions, frame.forces, frame.box, molecules, settings.kt, frame.virial, pressure)
    step_distribution(frame.box, settings, pressure, trial.drift, trial.variance)
    return 0


@part
def stepped_box(frame: Any, pair: Any, molecules: Any, near: Any, settings: Any, trial: Any) -> int:
    """Take the step drawn with molecules and lists; ``BOX_TOO_SMALL`` when an edge is shorter than twice the cut-off."""
    box = frame.box
    copy_rows(frame.positions, trial.positions)
    copy_rows(frame.forces, trial.forces)
    copy_numbers(box, trial.box)
    copy_numbers(frame.energies, trial.energies)
    copy_rows(frame.virial, trial.virial)
    trial.log_forward[0] = log_probability(trial.drift, trial.variance, trial.changes, 1.0)
    factors = edge_factors(settings, trial.changes)
    scale_molecules(frame.positions, molecules, factors)
    scale_list(near, factors)
    smallest = np.inf
    for d in range(3):
        trial.factors[d] = factors[d]
        box[d] *= factors[d]
        smallest = min(smallest, box[d])
    return BOX_TOO_SMALL if smallest < 2.0 * pair.cutoff else DONE


@part
def box_as_before(frame: Any, near: Any, trial: Any) -> int:
    """Undo the step."""
    factors = trial.factors
    scale_list(near, (1.0 / factors[0], 1.0 / factors[1], 1.0 / factors[2]))
    copy_rows(trial.positions, frame.positions)
    copy_rows(trial.forces, frame.forces)
    copy_numbers(trial.box, frame.box)
    copy_numbers(trial.energies, frame.energies)
    copy_rows(trial.virial, frame.virial)
    return 0


@helper
def propose_box(
    frame: Any, pair: Any, molecules: Any, near: Any, settings: Any, parts: Any, rng: Any, trial: Any
) -> int:  # fmt: skip
    """Step the box; a status."""
    call_part(parts.box_distribution, (frame, molecules, settings, trial))
    draw_step(trial.drift, trial.variance, rng, trial.changes)
    return int(call_part(parts.box_step, (frame, pair, molecules, near, settings, trial)))


@helper
def judge_box(
    fits: bool, frame: Any, molecules: Any, near: Any, settings: Any, scratch: Any, parts: Any, rng: Any, trial: Any
) -> None:  # fmt: skip
    """Keep the step proposed, or go back; ``fits`` is whether the lists could be made for it."""
    if fits:
        call_part(parts.box_distribution, (frame, molecules, settings, trial))
        if is_accepted(
            total_of(frame.energies) - total_of(trial.energies), molecules.start.shape[0] - 1, trial.box,
            (trial.factors[0], trial.factors[1], trial.factors[2]), settings,
            trial.log_forward[0], log_probability(trial.drift, trial.variance, trial.changes, -1.0), rng
        ):  # fmt: skip
            scratch.counters[2] += 1
            return
    call_part(parts.box_back, (frame, near, trial))
    if not fits:
        near.radii[0] = near.radii[1] = 0.0  # the next step builds it, with more room
