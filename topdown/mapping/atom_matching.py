"""Which atoms of an all-atom system are which atoms of a molecule given as SMILES: by order, or by substructure match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rdkit import Chem, rdBase

from topdown.errors import InputFileError
from topdown.mapping.operators import with_their_hydrogens
from topdown.mapping.smiles import parse_smiles
from topdown.model._arrays import IntArray

#: Most matches looked at per molecule.
_MOST_MATCHES = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedCopies:
    """Copies of a molecule in a system.

    Attributes
    ----------
    mol : rdkit.Chem.Mol
        The molecule as it occurs: with hydrogens, or without where the system has none. Heavy atoms first, as written.
    atoms : (n_copies, n_atoms) int64
        System indices of its atoms.
    tree : tuple of (int, int)
        (parent, child) of a walk along its bonds, to make molecules whole.
    note : str
        How they were found.
    """

    mol: Any
    atoms: IntArray
    tree: tuple[tuple[int, int], ...]
    note: str

    def groups(self, heavy_groups: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
        """Atoms of ``mol`` of each bead, hydrogens with their heavy atom."""
        return with_their_hydrogens(self.mol, heavy_groups)


def match_copies(smiles: str, elements: IntArray, bonds: IntArray, *, where: str = "") -> MatchedCopies:
    """Find all copies of a molecule.

    The atoms are taken in the order of the SMILES, hydrogens after the heavy atoms, where the whole system is a
    repetition of that. Otherwise every set of bonded atoms that has the same elements is compared with the molecule by
    its graph of bonds (orders, charges and stereochemistry play no part). A system without any hydrogen is compared with
    the heavy atoms alone.

    Parameters
    ----------
    smiles : str
    elements : (n_atoms,) int64
        Atomic numbers of the system.
    bonds : (n_bonds, 2) int64
    where : str
        For errors.

    Raises
    ------
    MoleculeError
        The SMILES is refused.
    InputFileError
        There is no copy of the molecule.
    """
    heavy = parse_smiles(smiles).mol
    with rdBase.BlockLogs():
        full = Chem.AddHs(heavy)
    mol = full if np.any(elements == 1) or full.GetNumAtoms() == heavy.GetNumAtoms() else heavy
    wanted = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    n = len(wanted)
    tree = spanning_walk(n, [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()])
    count = len(elements) // n
    if count and count * n == len(elements) and np.array_equal(elements, np.tile(wanted, count)):
        ordered = np.arange(len(elements), dtype=np.int64).reshape(count, n)
        if _agrees(mol, ordered, bonds):
            return MatchedCopies(mol=mol, atoms=ordered, tree=tree, note="atoms in the order of the SMILES")
    found = _by_graph(mol, wanted, elements, bonds)
    if not found:
        raise InputFileError(
            f"no molecule like {smiles[:60]} among {len(elements)} atoms",
            where=where,
            hint="name the atoms of each bead with --mapping FILE.ndx, or give a structure with bonds as --topology",
        )
    return MatchedCopies(mol=mol, atoms=np.array(found, dtype=np.int64), tree=tree, note="atoms matched by their bonds")


def _agrees(mol: Any, atoms: IntArray, bonds: IntArray) -> bool:
    """Whether the bonds listed for the first copy, if any, are those of the molecule."""
    n = atoms.shape[1]
    listed = {tuple(sorted(map(int, pair))) for pair in bonds if max(pair) < n}
    known = {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in mol.GetBonds()}
    return not listed or listed == known


def spanning_walk(n_atoms: int, bonds: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(parent, child) pairs that reach every atom from the first; atoms without bonds hang on the one before them."""
    near: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in bonds:
        near[i].append(j)
        near[j].append(i)
    reached = [False] * n_atoms
    walk: list[tuple[int, int]] = []
    for root in range(n_atoms):
        if reached[root]:
            continue
        if root:
            walk.append((root - 1, root))
        reached[root] = True
        frontier = [root]
        for parent in frontier:
            for child in near[parent]:
                if not reached[child]:
                    reached[child] = True
                    walk.append((parent, child))
                    frontier.append(child)
    return tuple(walk)


def _by_graph(mol: Any, wanted: IntArray, elements: IntArray, bonds: IntArray) -> list[list[int]]:
    """System indices, in the order of ``mol``, of every bonded set of atoms that is this molecule."""
    query = _bare(wanted, [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()])
    composition = sorted(wanted.tolist())
    known: dict[tuple[Any, ...], tuple[int, ...] | None] = {}
    found = []
    for members, links in _components(len(elements), bonds):
        if len(members) != len(wanted) or sorted(elements[members].tolist()) != composition:
            continue
        place = {atom: k for k, atom in enumerate(members)}
        local = sorted((min(place[i], place[j]), max(place[i], place[j])) for i, j in links)
        key = (tuple(elements[members].tolist()), tuple(local))
        if key not in known:
            with rdBase.BlockLogs():
                matches = _bare(elements[members], local).GetSubstructMatches(query, maxMatches=_MOST_MATCHES)
            same_size = len(local) == mol.GetNumBonds()
            known[key] = tuple(matches[0]) if matches and same_size else None
        match = known[key]
        if match is not None:
            found.append([members[k] for k in match])
    return found


def _components(n_atoms: int, bonds: IntArray) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """(atoms, bonds) of every bonded set, in the order of their first atoms."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    i, j = bonds.T if len(bonds) else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(n_atoms, n_atoms))
    _, labels = connected_components(graph, directed=False)
    atoms: dict[int, list[int]] = {}
    links: dict[int, list[tuple[int, int]]] = {}
    for atom, label in enumerate(labels.tolist()):
        atoms.setdefault(label, []).append(atom)
    for a, b in zip(i.tolist(), j.tolist()):
        links.setdefault(int(labels[a]), []).append((a, b))
    return [(members, links.get(label, [])) for label, members in atoms.items()]


def _bare(elements: IntArray, bonds: Sequence[tuple[int, int]]) -> Any:
    """A molecule of elements and single bonds, without anything RDKit would perceive."""
    mol = Chem.RWMol()
    for number in elements.tolist():
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j in bonds:
        mol.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    return mol.GetMol()
