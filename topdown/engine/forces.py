"""All forces on a configuration: by one thread, or by a team of them in the course of a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine._jit import helper, kernel
from topdown.engine.bonded_forces import angle_forces, bending_torsion_forces, bond_forces, dihedral_forces
from topdown.engine.excluded_pairs import excluded_pair_forces
from topdown.engine.neighbor_list import build_outer, list_is_valid, note_pruned, place, prune
from topdown.engine.pair_forces import add_vector_forces, pair_forces
from topdown.engine.restraints import restraint_forces
from topdown.engine.soft_core import solute_forces
from topdown.engine.team import all_up, announce, announced, meet, raise_flag, share, split_clusters, team_size
from topdown.engine.vector_forces import vector_forces, vector_forces_and_energies
from topdown.engine.virtual_sites import spread_forces

DONE, LIST_FULL, BLOWN_UP, UNCONSTRAINED, BOX_TOO_SMALL = 0, 1, 2, 3, 4


@helper
def other_forces(
    x: Any, box: Any, pair: Any, bonded: Any, lam: Any, near: Any, forces: Any, energies: Any, virial: Any, measure: bool
) -> None:  # fmt: skip
    """Add all forces but those of listed pairs."""
    excluded_pair_forces(x, box, pair, forces, energies, virial, measure)
    solute_forces(x, box, pair, lam, near, forces, energies, virial, measure)
    bond_forces(x, box, bonded, forces, energies, virial, measure)
    angle_forces(x, box, bonded, forces, energies, virial, measure)
    dihedral_forces(x, box, bonded, forces, energies, virial, measure)
    bending_torsion_forces(x, box, bonded, forces, energies, virial, measure)
    restraint_forces(x, box, bonded.restraints, forces, energies, virial, measure)


@kernel
def total_forces(
    x: Any, box: Any, pair: Any, bonded: Any, lam: Any, near: Any, double: bool, forces: Any, energies: Any,
    virial: Any, measure: bool
) -> None:  # fmt: skip
    """All forces; energies (``parameters.TERMS``) and virial too when ``measure`` is set.

    Virtual sites must be in place, and positions placed in ``near`` since the last call unless pairs are computed in ``double``.
    """
    if measure:
        energies[:] = 0.0
        virial[:] = 0.0
    forces[:] = 0.0
    other_forces(x, box, pair, bonded, lam, near, forces, energies, virial, measure)
    pair_forces(x, box, pair, near, double, forces, energies, virial, measure)
    spread_forces(x, bonded.sites, forces, virial, measure)


@helper
def _has_flown(x: Any, reference: Any, limit: float) -> bool:
    for i in range(x.shape[0]):
        d2 = 0.0
        for d in range(3):
            d2 += (x[i, d] - reference[i, d]) ** 2
        if not d2 < limit * limit:
            return True
    return False


@helper
def _renew_outer(x: Any, box: Any, pair: Any, near: Any, settings: Any) -> int:
    """Build the outer list anew if it is worn out; a status."""
    allowed = max(0.5 * (near.radii[0] - pair.cutoff), 0.0)
    if _has_flown(x, near.reference, pair.cutoff + allowed):
        return BLOWN_UP
    if min(box[0], min(box[1], box[2])) < 2.0 * pair.cutoff:
        return BOX_TOO_SMALL
    if not list_is_valid(x, near.reference, near.radii[0], settings.inner_radius):
        if not build_outer(x, box, settings.list_radius, pair, near):
            return LIST_FULL
        place(0, x.shape[0], x, box, near, 0.0)
    return DONE


@helper
def _share_out(pair: Any, bonded: Any, near: Any, team: Any) -> None:
    solute = np.int64(pair.solute_block[1]) - np.int64(pair.solute_block[0])
    elsewhere = (
        0.5 * pair.charged_exclusions.shape[0] + 0.8 * bonded.lone_bonds.shape[0] + 1.5 * bonded.angles.shape[0]
        + 8.0 * (bonded.dihedrals.shape[0] + bonded.bending_torsions.shape[0]) + 0.3 * solute * near.counts[3]
    )  # fmt: skip
    split_clusters(near, elsewhere, team)


@kernel
def share_out(pair: Any, bonded: Any, near: Any, team: Any) -> None:
    """Divide the clusters among the threads; the last one does all but pairs besides."""
    _share_out(pair, bonded, near, team)


@helper
def team_place(
    thread: int, x: Any, box: Any, pair: Any, bonded: Any, near: Any, settings: Any, team: Any, forces: Any
) -> int:
    """Bring positions into the lists, which are made anew where they must be, and set forces to zero; a status.

    Every thread of a team calls it, and has its own part of ``x`` ready.
    """
    n_beads = x.shape[0]
    first, last = share(thread, team, n_beads)
    raise_flag(thread, place(first, last, x, box, near, pair.cutoff), team)
    forces[first:last] = 0.0
    meet(thread, team)
    if all_up(team):
        return DONE
    if thread == 0:
        announce(_renew_outer(x, box, pair, near, settings), team)
    meet(thread, team)
    status = announced(team)
    if status == DONE:
        first, last = share(thread, team, near.counts[0])
        prune(first, last, box, settings.inner_radius, near)
        meet(thread, team)
        if thread == 0:
            note_pruned(x, settings.inner_radius, near)
            _share_out(pair, bonded, near, team)
        meet(thread, team)
    return status


@helper
def _sum_parts(team: Any, energies: Any, virial: Any) -> None:
    energies[:] = 0.0
    virial[:] = 0.0
    for k in range(team.energies.shape[0]):
        for e in range(energies.shape[0]):
            energies[e] += team.energies[k, e]
        for a in range(3):
            for b in range(3):
                virial[a, b] += team.virials[k, a, b]


@helper
def team_forces(
    thread: int, x: Any, box: Any, pair: Any, bonded: Any, near: Any, settings: Any, team: Any, forces: Any,
    energies: Any, virial: Any, measure: bool
) -> None:  # fmt: skip
    """As :func:`total_forces`, by all threads of a team, after :func:`team_place`; each has its own part of ``forces`` then."""
    n = team_size(team)
    own_energies, own_virial = team.energies[thread], team.virials[thread]
    own = near.forces if n == 1 else team.forces[thread]
    if n > 1:
        own[:] = np.float32(0.0)  # not before: the others have read it only now
    if measure:
        own_energies[:] = 0.0
        own_virial[:] = 0.0
    if thread == n - 1:
        other_forces(x, box, pair, bonded, settings.lam, near, forces, own_energies, own_virial, measure)
    first_cluster, last_cluster = team.split[thread], team.split[thread + 1]
    first, last = share(thread, team, x.shape[0])
    if settings.double or pair.force_shift:
        pair_forces(x, box, pair, near, True, forces, own_energies, own_virial, measure)
    elif measure:
        vector_forces_and_energies(first_cluster, last_cluster, box, pair, near, own, own_energies, own_virial)
    else:
        vector_forces(first_cluster, last_cluster, box, pair, near, own)
    meet(thread, team)
    if n > 1:
        for k in range(n):
            add_vector_forces(first, last, team.forces[k], box, near.slot_of, forces)
    elif not (settings.double or pair.force_shift):
        add_vector_forces(first, last, own, box, near.slot_of, forces)
    if measure or bonded.sites.beads.shape[0] > 0:
        meet(thread, team)
        if thread == 0:
            if measure:
                _sum_parts(team, energies, virial)
            spread_forces(x, bonded.sites, forces, virial, measure)
        meet(thread, team)
