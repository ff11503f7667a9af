"""A solute put into frames of a pure solvent: what the soft-core path needs to know of its decoupled end.

Decoupled, a solute does not feel the solvent: wherever it is put, and in whatever shape it takes alone, the frame is one of
the state λ = 0. One run of the pure solvent therefore serves every solute, and its frames at λ = 1 are Widom's test-particle
insertion (J. Chem. Phys. 39, 2808, 1963, doi:10.1063/1.1734110).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.engine._jit import kernel
from topdown.engine.basis import build_basis
from topdown.engine.observables import check_box
from topdown.engine.parameters import build_parameters
from topdown.engine.potentials import SMALLEST_R2, reaction_field
from topdown.engine.settings import Coupling
from topdown.engine.soft_core import soft_core_powers, soft_core_slope
from topdown.errors import SettingsError
from topdown.model import System

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class InsertionSums:
    """Sums between solute and solvent of n frames with m poses each, pose by pose: (n m, …).

    Attributes
    ----------
    solute_pairs : tuple of (str, str)
        Type pairs q, as in :class:`topdown.model.PairSums`.
    solute_sums, solute_repulsion : (n m, n_lambda, n_solute_pairs) float64
    solute_slopes : (n m, n_solute_pairs) float64
        ∂T_q/∂λ at the first λ.
    solute_coulomb : (n m,) float64 [kJ/mol]
    """

    solute_pairs: tuple[tuple[str, str], ...]
    solute_sums: Floats
    solute_repulsion: Floats
    solute_slopes: Floats
    solute_coulomb: Floats


@kernel
def _insertion_sums(
    solvent: Any, box: Any, poses: Any, pair: Any, columns: Any, sigma6: Any, lambdas: Any, repulsion: Any, dispersion: Any,
    slopes: Any, coulomb: Any
) -> None:  # fmt: skip
    """Add the sums of every pose (m, n_solute, 3) in one frame (n_solvent, 3); the solute comes first in ``pair``."""
    n_solute, cutoff2 = poses.shape[1], pair.cutoff * pair.cutoff
    scale, k_rf, c_rf = pair.coulomb[0], pair.coulomb[1], pair.coulomb[2]
    bx, by, bz = box[0], box[1], box[2]
    inverse_x, inverse_y, inverse_z = 1.0 / bx, 1.0 / by, 1.0 / bz
    for m in range(poses.shape[0]):
        for i in range(n_solute):
            x, y, z = poses[m, i, 0], poses[m, i, 1], poses[m, i, 2]
            for j in range(solvent.shape[0]):
                dx, dy, dz = x - solvent[j, 0], y - solvent[j, 1], z - solvent[j, 2]
                dx -= bx * np.rint(dx * inverse_x)
                dy -= by * np.rint(dy * inverse_y)
                dz -= bz * np.rint(dz * inverse_z)
                r2 = dx * dx + dy * dy + dz * dz
                if r2 >= cutoff2:
                    continue
                r2 = max(r2, SMALLEST_R2)
                a, b = pair.types[i], pair.types[n_solute + j]
                q, s6 = columns[a, b], sigma6[a, b]
                for k in range(lambdas.shape[0]):
                    near_repulsion, near_dispersion = soft_core_powers(r2, s6, lambdas[k])
                    far_repulsion, far_dispersion = soft_core_powers(cutoff2, s6, lambdas[k])
                    repulsion[m, k, q] += near_repulsion - far_repulsion
                    dispersion[m, k, q] += near_dispersion - far_dispersion
                slopes[m, q] += soft_core_slope(r2, s6, lambdas[0]) - soft_core_slope(cutoff2, s6, lambdas[0])
                qq = scale * pair.charges[i] * pair.charges[n_solute + j]
                if qq != 0.0:
                    energy, _ = reaction_field(r2, qq, k_rf, c_rf)
                    coulomb[m] += energy


def insertion_sums(
    system: System, coupling: Coupling, solvent: npt.ArrayLike, boxes: npt.ArrayLike, poses: npt.ArrayLike
) -> InsertionSums:
    """Sums between a solute and frames of the solvent it is put into, at every state of the path.

    Parameters
    ----------
    system : System
        One solute as component 0, then the solvent; its own coordinates do not count.
    coupling : Coupling
        The path; component 0 is coupled.
    solvent : (n_frames, n_solvent, 3) array [nm]
        Frames of the pure solvent, in any periodic image.
    boxes : (n_frames, 3) array [nm]
    poses : (n_frames, n_poses, n_solute, 3) array [nm]
        Where the solute's beads are put.

    Raises
    ------
    SettingsError
        Arrays that do not fit the system.
    SimulationError
        A box smaller than twice the cut-off.
    """
    frames = np.asarray(solvent, dtype=np.float64)
    edges, placed = np.ascontiguousarray(boxes, dtype=np.float64), np.ascontiguousarray(poses, dtype=np.float64)
    parameters = build_parameters(system, solute_component=0)
    basis = build_basis(parameters, coupling)
    n_solute = int(np.count_nonzero(parameters.pair.solute))
    n_frames, n_solvent = len(edges), len(parameters.pair.types) - n_solute
    fits = placed.ndim == 4 and placed.shape[0] == n_frames and placed.shape[2:] == (n_solute, 3)
    if frames.shape != (n_frames, n_solvent, 3) or edges.shape != (n_frames, 3) or not fits:
        raise SettingsError(
            f"frames {frames.shape}, boxes {edges.shape} and poses {placed.shape} do not fit {n_solute} solute and "
            f"{n_solvent} solvent beads"
        )
    n_poses, n_lambda, n_pairs = placed.shape[1], len(basis.lambdas), len(basis.crossing)
    columns = np.zeros((len(parameters.type_names),) * 2, dtype=np.int64)
    for q, (a, b) in enumerate(basis.crossing):
        columns[a, b] = columns[b, a] = q
    repulsion = np.zeros((n_frames, n_poses, n_lambda, n_pairs))
    dispersion, slopes = np.zeros_like(repulsion), np.zeros((n_frames, n_poses, n_pairs))
    coulomb = np.zeros((n_frames, n_poses))
    for n in range(n_frames):
        check_box(edges[n], parameters.pair.cutoff)
        _insertion_sums(
            np.ascontiguousarray(frames[n]), edges[n], placed[n], parameters.pair, columns, basis.sigma6, basis.lambdas,
            repulsion[n], dispersion[n], slopes[n], coulomb[n]
        )  # fmt: skip
    names, rows = parameters.type_names, n_frames * n_poses
    return InsertionSums(
        solute_pairs=tuple((names[a], names[b]) for a, b in basis.crossing),
        solute_sums=(repulsion - dispersion).reshape(rows, n_lambda, n_pairs),
        solute_repulsion=repulsion.reshape(rows, n_lambda, n_pairs),
        solute_slopes=slopes.reshape(rows, n_pairs),
        solute_coulomb=coulomb.reshape(rows),
    )
