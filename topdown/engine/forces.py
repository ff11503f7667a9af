"""All forces on a configuration: by one thread, or by a team of them in the course of a step.

Each kind of force is a part of its own, compiled when a system first needs it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._arrays import copy_some_rows, first_row_of
from topdown.engine._jit import Part, call_part, helper, kernel, kind_of, part
from topdown.engine._lent import lent
from topdown.engine.bonded_forces import angle_forces, bending_torsion_forces, bond_forces, dihedral_forces
from topdown.engine.centre_restraint import centre_forces
from topdown.engine.excluded_pairs import excluded_pair_forces
from topdown.engine.frame import Frame, frame_of
from topdown.engine.list_search import build_outer
from topdown.engine.neighbor_list import NeighborList, is_valid, note_pruned, place, prune
from topdown.engine.pair_forces import add_team_forces, add_vector_forces, pair_forces
from topdown.engine.parameter_arrays import TERMS, BondedParameters, PairParameters
from topdown.engine.restraints import restraint_forces
from topdown.engine.soft_core import Lambda, solute_forces
from topdown.engine.team import (
    Team,
    agreed,
    meet,
    new_team,
    share,
    share_rows,
    split_clusters,
    team_size,
)
from topdown.engine.vector_forces import (
    team_vector_forces,
    team_vector_forces_and_energies,
    vector_forces,
    vector_forces_and_energies,
)
from topdown.engine.virtual_sites import spread_molecule_forces

DONE, LIST_FULL, BLOWN_UP, UNCONSTRAINED, BOX_TOO_SMALL = 0, 1, 2, 3, 4

Floats = npt.NDArray[np.float64]


@part
def _vector_pairs(thread: int, frame: Any, pair: Any, near: Any, team: Any, measure: int) -> int:
    """Listed pairs, in mixed precision, by a single thread onto slots."""
    first, last = team.split[thread], team.split[thread + 1]
    energies, virial = team.energies[thread], team.virials[thread]
    if measure:
        vector_forces_and_energies(first, last, frame.box, pair, near, near.forces, energies, virial)
    else:
        vector_forces(first, last, frame.box, pair, near, near.forces)
    return 0


@part
def _team_pairs(thread: int, frame: Any, pair: Any, near: Any, team: Any, measure: int) -> int:
    """Listed pairs of the thread's clusters, in mixed precision, onto its own forces."""
    first, last = team.split[thread], team.split[thread + 1]
    own, energies, virial = team.forces[thread], team.energies[thread], team.virials[thread]
    if measure:
        team_vector_forces_and_energies(first, last, frame.box, pair, near, own, energies, virial)
    else:
        team_vector_forces(first, last, frame.box, pair, near, own)
    return 0


@part
def _double_pairs(thread: int, frame: Any, pair: Any, near: Any, team: Any, measure: int) -> int:
    """Listed pairs in double precision, by a single thread, onto beads."""
    pair_forces(
        frame.positions, frame.box, pair, near, frame.forces, team.energies[thread], team.virials[thread], measure != 0
    )
    return 0


@part
def _solute(thread: int, frame: Any, pair: Any, lam: Any, near: Any, team: Any, measure: int) -> int:
    solute_forces(
        frame.positions,
        frame.box,
        pair,
        lam,
        near,
        frame.forces,
        team.energies[thread],
        team.virials[thread],
        measure != 0,
    )
    return 0


@helper
def _own(thread: int, team: Any) -> tuple[int, int]:
    """The thread's beads."""
    return team.beads[thread], team.beads[thread + 1]


@part
def _excluded(thread: int, frame: Any, pair: Any, team: Any, measure: int) -> int:
    x, box, forces, energies, virial = (
        frame.positions, frame.box, frame.forces, team.energies[thread], team.virials[thread]
    )  # fmt: skip
    excluded_pair_forces(_own(thread, team), x, box, pair, forces, energies, virial, measure != 0)
    return 0


@part
def _bonds_and_angles(thread: int, frame: Any, bonded: Any, team: Any, measure: int) -> int:
    x, box, forces, energies, virial = (
        frame.positions, frame.box, frame.forces, team.energies[thread], team.virials[thread]
    )  # fmt: skip
    bond_forces(_own(thread, team), x, box, bonded, forces, energies, virial, measure != 0)
    angle_forces(_own(thread, team), x, box, bonded, forces, energies, virial, measure != 0)
    return 0


@part
def _dihedrals(thread: int, frame: Any, bonded: Any, team: Any, measure: int) -> int:
    x, box, forces, energies, virial = (
        frame.positions, frame.box, frame.forces, team.energies[thread], team.virials[thread]
    )  # fmt: skip
    dihedral_forces(_own(thread, team), x, box, bonded, forces, energies, virial, measure != 0)
    bending_torsion_forces(_own(thread, team), x, box, bonded, forces, energies, virial, measure != 0)
    return 0


@part
def _restraints(thread: int, frame: Any, bonded: Any, team: Any, measure: int) -> int:
    x, box, forces, energies, virial = (
        frame.positions, frame.box, frame.forces, team.energies[thread], team.virials[thread]
    )  # fmt: skip
    restraint_forces(_own(thread, team), x, box, bonded.restraints, forces, energies, virial, measure != 0)
    return 0


@part
def _centres(thread: int, frame: Any, bonded: Any, team: Any, measure: int) -> int:
    centre_forces(
        frame.positions, frame.box, bonded.centres, frame.forces, team.energies[thread], team.virials[thread],
        measure != 0
    )  # fmt: skip
    return 0


@part
def _spread(thread: int, frame: Any, bonded: Any, team: Any, measure: int) -> int:
    first, last = _own(thread, team)
    spread_molecule_forces(
        first, last, frame.positions, bonded.sites, frame.forces, team.virials[thread], measure != 0
    )  # fmt: skip
    return 0


@lent
class ForceParts(NamedTuple):
    """Addresses of the parts that find the forces of a system; 0 for what it has not got."""

    renew: int
    prune: int
    pairs: int
    team_pairs: int
    solute: int
    excluded: int
    bonds_and_angles: int
    dihedrals: int
    restraints: int
    centres: int
    spread: int


@helper
def _has_flown(first: int, last: int, x: Any, reference: Any, limit: float) -> bool:
    for i in range(first, last):
        d2 = 0.0
        for d in range(3):
            d2 += (x[i, d] - reference[i, d]) ** 2
        if not d2 < limit * limit:
            return True
    return False


@part
def _renew(thread: int, frame: Any, pair: Any, near: Any, settings: Any, team: Any) -> int:
    """Build the outer list anew if it is worn out; a status, the same for all threads."""
    x, box = frame.positions, frame.box
    if min(box[0], min(box[1], box[2])) < 2.0 * pair.cutoff:
        return BOX_TOO_SMALL
    first, last = share(thread, team, x.shape[0])
    if agreed(
        thread, is_valid(first, last, x, near.reference, near.radii[0], settings.inner_radius), True, team
    ):  # fmt: skip
        return DONE
    limit = pair.cutoff + max(0.5 * (near.radii[0] - pair.cutoff), 0.0)
    if not agreed(thread, not _has_flown(first, last, x, near.reference, limit), False, team):
        return BLOWN_UP
    if not build_outer(thread, x, box, settings.list_radius, pair, near, team):
        return LIST_FULL
    place(first, last, x, box, near, 0.0)
    meet(thread, team)
    return DONE


@part
def _prune(first: int, last: int, frame: Any, near: Any, settings: Any) -> int:
    prune(first, last, frame.box, settings.inner_radius, near)
    return DONE


def pairs_part(double: bool) -> Part:
    """The part for listed pairs."""
    return _double_pairs if double else _vector_pairs


def force_parts(
    frame: Frame, pair: PairParameters, bonded: BondedParameters, lam: Lambda, near: NeighborList, team: Team, *,
    double: bool, listed: bool = True, settings: Any = None, teams: bool = False
) -> ForceParts:  # fmt: skip
    """The parts for a system, compiled where they have not been.

    Pairs in ``double`` precision, or none at all unless ``listed``; those that renew the lists when there are ``settings``
    (``integrators.Dynamics``) to do it by. Those of ``teams`` too if asked for.
    """
    types = {
        "n": kind_of(0), "frame": kind_of(frame), "pair": kind_of(pair), "bonded": kind_of(bonded), "lam": kind_of(lam),
        "near": kind_of(near), "team": kind_of(team), "settings": kind_of(0 if settings is None else settings),
    }  # fmt: skip

    def address(which: Part, names: str, wanted: bool) -> int:
        return which.address(tuple(types[name] for name in names.split())) if wanted else 0

    restraints = bonded.restraints
    return ForceParts(
        renew=address(_renew, "n frame pair near settings team", settings is not None),
        prune=address(_prune, "n n frame near settings", settings is not None),
        pairs=address(pairs_part(double), "n frame pair near team n", listed),
        team_pairs=address(_team_pairs, "n frame pair near team n", teams and not double),
        solute=address(_solute, "n frame pair lam near team n", pair.solute_block[0] < pair.solute_block[1]),
        excluded=address(_excluded, "n frame pair team n", len(pair.charged) > 0),
        bonds_and_angles=address(
            _bonds_and_angles, "n frame bonded team n", len(bonded.lone_bonds) + len(bonded.angles) > 0
        ),
        dihedrals=address(
            _dihedrals, "n frame bonded team n", len(bonded.dihedrals) + len(bonded.bending_torsions) > 0
        ),
        restraints=address(
            _restraints, "n frame bonded team n", len(restraints.beads) + len(restraints.flat_beads) > 0
        ),
        centres=address(_centres, "n frame bonded team n", len(bonded.centres.beads) > 0),
        spread=address(_spread, "n frame bonded team n", len(bonded.sites.beads) > 0),
    )


@helper
def other_forces(
    thread: int, frame: Any, pair: Any, bonded: Any, lam: Any, near: Any, team: Any, parts: Any, measure: int
) -> None:
    """Add all forces on the thread's beads but those of listed pairs; energies and virial to its own.

    What is not of one molecule the last thread does, on whichever beads, once the others have theirs.
    """
    if parts.excluded != 0:
        call_part(parts.excluded, (thread, frame, pair, team, measure))
    if parts.bonds_and_angles != 0:
        call_part(parts.bonds_and_angles, (thread, frame, bonded, team, measure))
    if parts.dihedrals != 0:
        call_part(parts.dihedrals, (thread, frame, bonded, team, measure))
    if parts.restraints != 0:
        call_part(parts.restraints, (thread, frame, bonded, team, measure))
    if parts.solute != 0 or parts.centres != 0:
        meet(thread, team)
        if thread == team_size(team) - 1:
            if parts.solute != 0:
                call_part(parts.solute, (thread, frame, pair, lam, near, team, measure))
            if parts.centres != 0:
                call_part(parts.centres, (thread, frame, bonded, team, measure))


@kernel
def _single_point(frame: Any, pair: Any, bonded: Any, lam: Any, near: Any, team: Any, parts: Any) -> None:
    other_forces(0, frame, pair, bonded, lam, near, team, parts, 1)
    if parts.pairs != 0:
        call_part(parts.pairs, (0, frame, pair, near, team, 1))
    if parts.spread != 0:
        call_part(parts.spread, (0, frame, bonded, team, 1))
    _sum_parts(team, frame.energies, frame.virial)


def total_forces(
    x: Floats, box: Floats, pair: PairParameters, bonded: BondedParameters, lam: Lambda, near: NeighborList, *,
    listed: bool = True
) -> Frame:  # fmt: skip
    """All forces, energies and virial in double precision, without the pairs of ``near`` unless ``listed``.

    Virtual sites must be in place.
    """
    frame, team = frame_of(x, box), new_team(1, 0, len(TERMS), len(x))
    parts = force_parts(frame, pair, bonded, lam, near, team, double=True, listed=listed)
    _single_point(frame, pair, bonded, lam, near, team, parts)
    return frame


@helper
def share_out(pair: Any, bonded: Any, near: Any, team: Any) -> None:
    """Divide the clusters among the threads, whose beads and so whose other work are settled."""
    n = team_size(team)
    for thread in range(n):
        first, last = _own(thread, team)
        team.elsewhere[thread] = (
            0.5 * _rows_between(first, last, pair.charged_exclusions)
            + 0.8 * _rows_between(first, last, bonded.lone_bonds)
            + 8.0 * _rows_between(first, last, bonded.bending_torsions)
        )
        for kind in range(bonded.angle_kinds.shape[0] - 1):
            begin, end = np.int64(bonded.angle_kinds[kind]), np.int64(bonded.angle_kinds[kind + 1])
            n_angles = first_row_of(last, bonded.angles, begin, end) - first_row_of(first, bonded.angles, begin, end)
            team.elsewhere[thread] += 2.0 * n_angles
        for k in range(bonded.dihedrals.shape[0]):
            team.elsewhere[thread] += 8.0 * (first <= bonded.dihedrals[k, 0] < last)
    solute = np.int64(pair.solute_block[1]) - np.int64(pair.solute_block[0])
    team.elsewhere[n - 1] += 0.3 * solute * near.counts[3]
    split_clusters(near, team)


@helper
def _rows_between(first: int, last: int, beads: Any) -> int:
    """How many rows are of the molecules of beads ``first`` … ``last - 1``."""
    n = beads.shape[0]
    return first_row_of(last, beads, 0, n) - first_row_of(first, beads, 0, n)


@helper
def team_place(
    thread: int, frame: Any, pair: Any, bonded: Any, near: Any, settings: Any, team: Any, parts: Any, is_placed: bool,
    is_near: bool
) -> int:  # fmt: skip
    """Bring positions into the lists, which are made anew where they must be, and set forces to zero; a status.

    Every thread of a team calls it, and has its own part of the positions ready; one that has placed them already
    (``is_placed``) says whether all of them are near where the lists were made.
    """
    x, box, forces = frame.positions, frame.box, frame.forces
    first, last = _own(thread, team)
    if not is_placed:
        is_near = place(first, last, x, box, near, pair.cutoff)
        for i in range(first, last):
            forces[i, 0] = forces[i, 1] = forces[i, 2] = 0.0
    if agreed(thread, is_near, False, team):
        return DONE
    status = int(call_part(parts.renew, (thread, frame, pair, near, settings, team)))
    if status == DONE:
        own, past = share_rows(thread, near, team)
        call_part(parts.prune, (own, past, frame, near, settings))
        copy_some_rows(first, last, x, near.inner_reference)
        meet(thread, team)
        if thread == 0:
            note_pruned(settings.inner_radius, near)
            share_out(pair, bonded, near, team)
    meet(thread, team)
    return status


@helper
def _sum_parts(team: Any, energies: Any, virial: Any) -> None:
    for e in range(energies.shape[0]):
        energies[e] = 0.0
    for a in range(3):
        for b in range(3):
            virial[a, b] = 0.0
    for k in range(team.energies.shape[0]):
        for e in range(energies.shape[0]):
            energies[e] += team.energies[k, e]
        for a in range(3):
            for b in range(3):
                virial[a, b] += team.virials[k, a, b]


@helper
def team_forces(
    thread: int, frame: Any, pair: Any, bonded: Any, near: Any, settings: Any, team: Any, parts: Any, measure: int,
    adds: bool
) -> None:  # fmt: skip
    """As :func:`total_forces`, by all threads of a team, after :func:`team_place`; each has its own part of the forces then.

    Energies and virial only when ``measure`` is 1; without the forces of pairs unless it ``adds`` them
    (:func:`add_pair_forces`).
    """
    if measure:
        for e in range(team.energies.shape[1]):
            team.energies[thread, e] = 0.0
        for a in range(3):
            for b in range(3):
                team.virials[thread, a, b] = 0.0
    other_forces(thread, frame, pair, bonded, settings.lam, near, team, parts, measure)
    pairs = parts.pairs if team_size(team) == 1 else parts.team_pairs
    call_part(pairs, (thread, frame, pair, near, team, measure))
    meet(thread, team)
    if adds:
        first, last = _own(thread, team)
        if not settings.double:
            add_pair_forces(first, last, frame.forces, first, frame.box, near, team)
        if parts.spread != 0:
            call_part(parts.spread, (thread, frame, bonded, team, measure))
    if measure:
        meet(thread, team)
        if thread == 0:
            _sum_parts(team, frame.energies, frame.virial)
        meet(thread, team)


@helper
def add_pair_forces(first: int, last: int, forces: Any, row: int, box: Any, near: Any, team: Any) -> None:
    """Add what all threads have found for beads ``first`` … ``last - 1`` to ``forces``, whose rows begin with ``row``."""
    if team_size(team) == 1:
        add_vector_forces(first, last, near.forces, box, near.slot_of, forces, row)
    else:
        add_team_forces(first, last, team, box, near.slot_of, forces, row)
