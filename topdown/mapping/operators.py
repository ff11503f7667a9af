"""The linear operators of coarse-graining: bead positions as weighted means of atom positions.

A mapping and a choice of weights make one sparse matrix ``W`` (n_beads, n_atoms) whose rows add up to one; ``W @ x`` are
the bead positions of one conformer, of one frame of a trajectory, or of a stack of them. Where an atom stands in several
beads, its weight is divided between them.

=========== ==============================================================================================
center      weight of an atom in its bead
=========== ==============================================================================================
geometry    1: centre of geometry, hydrogens with their heavy atom (Martini 3)
mass        its mass: centre of mass (Martini 2, there of the heavy atoms alone)
charge      \\|q\\|, its partial charge after Gasteiger & Marsili, Tetrahedron 36, 3219 (1980): centre of polarity
=========== ==============================================================================================

The charge-weighted centre uses absolute charges, since the sum of signed ones may vanish or put a bead outside its atoms; a
bead without partial charges falls back to its centre of geometry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from topdown.errors import SettingsError
from topdown.model._arrays import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Center = Literal["geometry", "mass", "charge"]

#: Partial charges [e] of a bead that add up to less than this in absolute terms say nothing.
_NO_CHARGE = 1e-6


def atom_weights(mol: Any, center: Center, *, hydrogens: bool = True) -> FloatArray:
    """What each atom of ``mol`` weighs.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        With explicit hydrogens where they are to count.
    center : {"geometry", "mass", "charge"}
    hydrogens : bool
        False leaves hydrogens out.

    Returns
    -------
    (n_atoms,) float64

    Raises
    ------
    SettingsError
        Another ``center``.
    """
    if center not in get_args(Center):
        raise SettingsError(f"no center {center!r}", hint="geometry, mass or charge")
    if center == "geometry":
        weights = np.ones(mol.GetNumAtoms())
    elif center == "mass":
        weights = np.array([atom.GetMass() for atom in mol.GetAtoms()])
    else:
        from rdkit.Chem import AllChem

        AllChem.ComputeGasteigerCharges(mol)
        weights = np.abs([atom.GetDoubleProp("_GasteigerCharge") for atom in mol.GetAtoms()])
        # Elements without parameters (boron, selenium) come out as NaN.
        weights = np.where(np.isfinite(weights), weights, 0.0)
    if not hydrogens:
        weights = np.where([atom.GetAtomicNum() == 1 for atom in mol.GetAtoms()], 0.0, weights)
    return np.asarray(weights, dtype=np.float64)


def with_their_hydrogens(mol: Any, groups: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """``groups`` of heavy atoms, each with the hydrogens bonded to its atoms; those of shared atoms are shared too."""

    def hydrogens(index: int) -> tuple[int, ...]:
        return tuple(n.GetIdx() for n in mol.GetAtomWithIdx(index).GetNeighbors() if n.GetAtomicNum() == 1)

    return tuple(tuple(k for index in group for k in (index, *hydrogens(index))) for group in groups)


def mapping_operator(groups: Sequence[Sequence[int]], weights: FloatArray, *, divide_shared: bool = True) -> csr_array:
    """The sparse matrix that turns atom into bead positions.

    Parameters
    ----------
    groups : sequence of sequences of int
        Atoms of each bead; one that is written twice in a bead counts twice.
    weights : (n_atoms,) float64
        Not negative. A bead whose atoms weigh nothing gets the mean of their positions.
    divide_shared : bool
        Divide an atom that stands in several beads between them; otherwise each takes it as written.

    Returns
    -------
    (n_beads, n_atoms) csr_array of float64
        Rows add up to one.

    Raises
    ------
    SettingsError
        A bead without atoms, an atom that is not there, or a negative weight.
    """
    from scipy.sparse import csr_array

    n_atoms = len(weights)
    if np.any(np.asarray(weights) < 0):
        raise SettingsError("the weights of a mapping must not be negative")
    counted = [Counter(group) for group in groups]
    times = np.zeros(n_atoms)
    for bead, count in enumerate(counted):
        if not count or min(count) < 0 or max(count) >= n_atoms:
            raise SettingsError(
                f"bead {bead + 1} names an atom outside 1…{n_atoms}" if count else f"bead {bead + 1} has no atoms"
            )
        times[list(count)] += 1.0
    if not divide_shared:
        times[:] = 1.0
    rows, columns, values = [], [], []
    for bead, count in enumerate(counted):
        members = sorted(count)
        often = np.array([count[k] for k in members]) / times[members]
        share = weights[members] * often
        if share.sum() <= _NO_CHARGE:
            share = often
        rows += [bead] * len(members)
        columns += members
        values += list(share / share.sum())
    return csr_array((values, (rows, columns)), shape=(len(groups), n_atoms))


def bead_positions(operator: csr_array, positions: FloatArray) -> FloatArray:
    """Bead positions (…, n_beads, 3) of atom positions (…, n_atoms, 3)."""
    x = np.asarray(positions, dtype=np.float64)
    if x.ndim == 2:
        return np.asarray(operator @ x)
    flat = np.moveaxis(x, -2, 0).reshape(x.shape[-2], -1)
    mapped = np.asarray(operator @ flat).reshape(operator.shape[0], *x.shape[:-2], 3)
    return np.moveaxis(mapped, 0, -2)
