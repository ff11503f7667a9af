"""The sums the energy is linear in, measured on one frame: U = Σ_p ε_p S_p + Σ_q ε_q T_{k,q} + λ_q C + U_rest.

Both kinds are matrices over bead types (upper triangle used), made dimensionless by ε = 1: S is the Lennard-Jones energy per ε
of the listed pairs, T the soft-core energy per ε of solute-solvent pairs at each λ_k. Each is the difference of a repulsion and a
dispersion, which scale with σ^12 and σ^6. C is the full solute-solvent Coulomb energy. The virials that go with them are
molecular: W_k = Σ f_k D_k, f the force on a pair of beads per ε and D between the centres of mass of their molecules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topdown.engine._arrays import zero_matrix
from topdown.engine._jit import kernel
from topdown.engine._lent import lent
from topdown.engine.barostats import molecular_offsets, molecular_virial, scale_molecules
from topdown.engine.forces import total_forces
from topdown.engine.neighbor_list import NeighborList, list_is_valid
from topdown.engine.observables import check_box, fresh_list
from topdown.engine.pair_forces import most_partners, partners_of
from topdown.engine.parameters import Parameters
from topdown.engine.potentials import SMALLEST_R2, lennard_jones, reaction_field, soft_core
from topdown.engine.settings import Coupling
from topdown.engine.soft_core import Lambda, near_solvent, soft_core_powers, soft_core_slope
from topdown.errors import SettingsError
from topdown.model import PairSums

Floats = npt.NDArray[np.float64]
TypePairs = list[tuple[int, int]]


class Basis(NamedTuple):
    """What is summed: type pairs among the coupled beads and between solute and solvent, the path, and where it is sampled."""

    coupled: TypePairs
    crossing: TypePairs
    sigma6: Floats
    lambdas: Floats
    charge_lambdas: Floats
    lam: Lambda


@lent
class _Sums(NamedTuple):
    """Sums of one configuration over type pairs; ``energy`` (1,) holds C, virials have a last axis of 3."""

    repulsion: Floats
    dispersion: Floats
    virials: Floats
    solute_repulsion: Floats
    solute_dispersion: Floats
    solute_slopes: Floats
    solute_virials: Floats
    energy: Floats


@kernel
def pair_sums(x: Any, box: Any, pair: Any, sigma6: Any, near: Any, offset: Any, sums: Any) -> None:
    """Add repulsion and dispersion per ε of listed pairs, row ≤ column; virials too if ``offset`` (n, 3) has rows.

    Inverse powers of distances are summed by types first, and σ multiplied in at the end.
    """
    cutoff2 = pair.cutoff * pair.cutoff
    virials, types, with_virials = sums.virials, pair.types, offset.shape[0] > 0
    bx, by, bz = box[0], box[1], box[2]
    inv_x, inv_y, inv_z = 1.0 / bx, 1.0 / by, 1.0 / bz
    room = most_partners(near)
    listed, partner, apart = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty((4, room))
    n_types = sigma6.shape[0]
    sixth, twelfth = zero_matrix(n_types, n_types), zero_matrix(n_types, n_types)
    number = zero_matrix(n_types, n_types)
    for slot in range(4 * near.counts[0]):
        i = near.order[slot]
        if i >= x.shape[0]:
            continue
        inside = 0
        for n in range(partners_of(slot, near, listed)):
            j = listed[n]
            dx, dy, dz = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
            dx -= bx * np.rint(dx * inv_x)
            dy -= by * np.rint(dy * inv_y)
            dz -= bz * np.rint(dz * inv_z)
            r2 = dx * dx + dy * dy + dz * dz
            partner[inside] = j
            apart[0, inside], apart[1, inside], apart[2, inside] = dx, dy, dz
            apart[3, inside] = max(r2, SMALLEST_R2)
            inside += r2 < cutoff2
        for k in range(inside):
            a, b = types[i], types[partner[k]]
            inverse6 = 1.0 / (apart[3, k] * apart[3, k] * apart[3, k])
            sixth[a, b] += inverse6
            twelfth[a, b] += inverse6 * inverse6
            number[a, b] += 1.0
        if with_virials:
            for k in range(inside):
                j = partner[k]
                a, b = min(types[i], types[j]), max(types[i], types[j])
                s6 = sigma6[a, b]
                _, force = lennard_jones(apart[3, k], 4.0 * s6, 4.0 * s6 * s6)
                for d in range(3):
                    virials[a, b, d] += force * apart[d, k] * (apart[d, k] - offset[i, d] + offset[j, d])
    inverse_cutoff6 = 1.0 / cutoff2**3
    for i in range(n_types):
        for j in range(n_types):
            a, b = min(i, j), max(i, j)
            s6 = sigma6[a, b]
            sums.repulsion[a, b] += 4.0 * s6 * s6 * (twelfth[i, j] - number[i, j] * inverse_cutoff6 * inverse_cutoff6)
            sums.dispersion[a, b] += 4.0 * s6 * (sixth[i, j] - number[i, j] * inverse_cutoff6)


@kernel
def solute_sums(
    x: Any, box: Any, pair: Any, sigma6: Any, lambdas: Any, lam: float, near: Any, offset: Any, sums: Any
) -> None:
    """Add the soft-core sums of solute-solvent pairs at each of ``lambdas``, their λ-derivative and virial at ``lam``, and C."""
    block, types, room = pair.solute_block, pair.types, near.counts[3] + 1
    cutoff2 = pair.cutoff * pair.cutoff
    scale, k_rf, c_rf = pair.coulomb[0], pair.coulomb[1], pair.coulomb[2]
    partner, apart = np.empty(room, np.uint32), np.empty((4, room))
    for i in range(np.int64(block[0]), np.int64(block[1])):
        inside = near_solvent(x, box, near, i, pair.cutoff, partner, apart)
        for k in range(inside):
            j, r2 = partner[k], apart[3, k]
            a, b = min(types[i], types[j]), max(types[i], types[j])
            s6 = sigma6[a, b]
            for m in range(lambdas.shape[0]):
                repulsion, dispersion = soft_core_powers(r2, s6, lambdas[m])
                far_repulsion, far_dispersion = soft_core_powers(cutoff2, s6, lambdas[m])
                sums.solute_repulsion[m, a, b] += repulsion - far_repulsion
                sums.solute_dispersion[m, a, b] += dispersion - far_dispersion
            sums.solute_slopes[a, b] += soft_core_slope(r2, s6, lam) - soft_core_slope(cutoff2, s6, lam)
            qq = scale * pair.charges[i] * pair.charges[j]
            if qq != 0.0:
                coulomb, _ = reaction_field(r2, qq, k_rf, c_rf)
                sums.energy[0] += coulomb
            if offset.shape[0] > 0:
                _, force = soft_core(r2, 4.0 * s6, 4.0 * s6 * s6, s6, lam)
                for d in range(3):
                    sums.solute_virials[a, b, d] += force * apart[d, k] * (apart[d, k] - offset[i, d] + offset[j, d])


def build_basis(parameters: Parameters, coupling: Coupling | None) -> Basis:
    """What to sum in a system of these parameters."""
    pair = parameters.pair
    inside = sorted({int(t) for t in pair.types[pair.solute]})
    outside = sorted({int(t) for t in pair.types[~pair.solute]})
    coupled = {(a, b) for group in (inside, outside) for a in group for b in group if a <= b}
    crossing = {(min(a, b), max(a, b)) for a in inside for b in outside} if coupling is not None else set()
    states = () if coupling is None else coupling.states
    return Basis(
        coupled=sorted(coupled),
        crossing=sorted(crossing),
        sigma6=np.ascontiguousarray(pair.lj[..., 3]),
        lambdas=np.array([state.lj for state in states]),
        charge_lambdas=np.array([state.charge for state in states]),
        lam=Lambda(1.0, 1.0) if coupling is None else states[coupling.index],
    )


def _sum_up(
    parameters: Parameters, x: Floats, box: Floats, near: NeighborList, basis: Basis, lambdas: Floats, offset: Floats
) -> _Sums:
    """All sums of one configuration; ``near`` must be valid for it, ``offset`` (n, 3) is empty where no virials are wanted."""
    n = len(parameters.type_names)
    shape = (n, n)
    sums = _Sums(
        repulsion=np.zeros(shape),
        dispersion=np.zeros(shape),
        virials=np.zeros((*shape, 3)),
        solute_repulsion=np.zeros((len(lambdas), *shape)),
        solute_dispersion=np.zeros((len(lambdas), *shape)),
        solute_slopes=np.zeros(shape),
        solute_virials=np.zeros((*shape, 3)),
        energy=np.zeros(1),
    )
    pair_sums(x, box, parameters.pair, basis.sigma6, near, offset, sums)
    solute_sums(x, box, parameters.pair, basis.sigma6, lambdas, basis.lam.lj, near, offset, sums)
    return sums


def _rest(
    parameters: Parameters, x: Floats, box: Floats, near: NeighborList, basis: Basis, coulomb: float, *,
    with_virial: bool = False
) -> tuple[float, Floats]:  # fmt: skip
    """Energy that no ε changes, without the solute-solvent ``coulomb``, and the diagonal (3,) of its virial with it."""
    lj = np.zeros_like(parameters.pair.lj)
    lj[..., 3] = parameters.pair.lj[..., 3]
    pair = parameters.pair._replace(lj=lj)
    # without charges no pair has an energy left
    found = total_forces(x, box, pair, parameters.bonded, basis.lam, near, listed=bool(pair.charges.any()))
    molecular = np.zeros((3, 3))
    if with_virial:
        molecular_virial(x, found.forces, parameters.molecules, found.virial, molecular)
    return float(found.energies.sum()) - basis.lam.charge * coulomb, -2.0 * np.diag(molecular)


def _columns(matrix: Floats, pairs: TypePairs, axis: int = 0) -> Floats:
    """Entries of (…, n_types, n_types, …), the type axes from ``axis`` on, as one axis over ``pairs``."""
    a, b = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return np.asarray(matrix[(slice(None),) * axis + (a, b)])


def measure_sums(
    parameters: Parameters,
    x: Floats,
    box: Floats,
    near: NeighborList,
    basis: Basis,
    *,
    kinetic: Floats | None = None,
    scalings: Sequence[tuple[float, float, float]] = (),
) -> PairSums:
    """All that :class:`PairSums` holds of one frame.

    Parameters
    ----------
    parameters : Parameters
    x : (n_beads, 3) float64 [nm]
        Molecules whole.
    box : (3,) float64 [nm]
    near : NeighborList
        Valid at ``x``.
    basis : Basis
    kinetic : (3, 3) float64 [kJ/mol], optional
        Kinetic tensor of the molecules' centres; virials are measured when it is given.
    scalings : sequence of (float, float, float)
        Factors of the three edges at which the sums are wanted as well.

    Raises
    ------
    SettingsError
        Factors that are not positive numbers.
    SimulationError
        When a scaled box is smaller than twice the cut-off.
    """
    with_virials = kinetic is not None
    offset = np.zeros((len(x) if with_virials else 0, 3))
    if with_virials:
        molecular_offsets(x, parameters.molecules, offset)
    sums = _sum_up(parameters, x, box, near, basis, basis.lambdas, offset)
    coulomb = float(sums.energy[0])
    rest_energy, rest_virial = _rest(parameters, x, box, near, basis, coulomb, with_virial=with_virials)
    repulsion = _columns(sums.repulsion, basis.coupled)
    solute_repulsion = _columns(sums.solute_repulsion, basis.crossing, 1)
    names = parameters.type_names
    optional: dict[str, Floats] = {}
    if kinetic is not None:
        optional |= {
            "virials": _columns(sums.virials, basis.coupled)[None],
            "solute_virials": _columns(sums.solute_virials, basis.crossing)[None],
            "rest_virial": rest_virial[None],
            "kinetic": np.diag(kinetic)[None],
        }
    if scalings:
        optional |= _scaled_sums(parameters, x, box, near, basis, scalings)
    return PairSums(
        pairs=tuple((names[a], names[b]) for a, b in basis.coupled),
        sums=(repulsion - _columns(sums.dispersion, basis.coupled))[None],
        repulsion=repulsion[None],
        rest_energy=np.array([rest_energy]),
        volume=np.array([np.prod(box)]),
        solute_pairs=tuple((names[a], names[b]) for a, b in basis.crossing),
        solute_sums=(solute_repulsion - _columns(sums.solute_dispersion, basis.crossing, 1))[None],
        solute_repulsion=solute_repulsion[None],
        solute_slopes=_columns(sums.solute_slopes, basis.crossing)[None],
        solute_coulomb=np.array([coulomb]),
        lambdas=basis.lambdas,
        charge_lambdas=basis.charge_lambdas,
        **optional,
    )


def _scaled_sums(
    parameters: Parameters,
    x: Floats,
    box: Floats,
    near: NeighborList,
    basis: Basis,
    scalings: Sequence[tuple[float, float, float]],
) -> dict[str, Floats]:
    """The sums of the frame with its box scaled and its molecules moved whole, at the sampled λ."""
    cutoff = parameters.pair.cutoff
    here, none = np.array([basis.lam.lj]), np.zeros((0, 3))
    rows: list[tuple[Floats, Floats, float, float]] = []
    for scaling in scalings:
        factors = tuple(float(f) for f in scaling)
        if len(factors) != 3 or not all(0.0 < f < np.inf for f in factors):
            raise SettingsError(f"a box is scaled by three positive factors, got {tuple(scaling)}")
        edges, moved = box * factors, x.copy()
        check_box(edges, cutoff)
        scale_molecules(moved, parameters.molecules, factors)
        listed = near
        if not list_is_valid(moved, near.inner_reference * factors, float(near.radii[1]) * min(factors), cutoff):
            listed = fresh_list(parameters, moved, edges, cutoff, cutoff)
        sums = _sum_up(parameters, moved, edges, listed, basis, here, none)
        coulomb = float(sums.energy[0])
        crossing = sums.solute_repulsion[0] - sums.solute_dispersion[0]
        rest, _ = _rest(parameters, moved, edges, listed, basis, coulomb)
        coupled = sums.repulsion - sums.dispersion
        rows.append((_columns(coupled, basis.coupled), _columns(crossing, basis.crossing), coulomb, rest))
    coupled_rows, crossing_rows, coulombs, rests = zip(*rows)
    return {
        "scalings": np.array(scalings, dtype=np.float64),
        "scaled_sums": np.array(coupled_rows)[None],
        "scaled_solute_sums": np.array(crossing_rows)[None],
        "scaled_solute_coulomb": np.array(coulombs)[None],
        "scaled_rest_energy": np.array(rests)[None],
    }
