"""A mapping as a CGsmiles string: the graph of beads alone, or with the fragment that each bead stands for.

The notation is that of F. Grünewald et al., J. Chem. Inf. Model. 2025 (doi:10.1021/acs.jcim.5c00064): ``{[#A][#B]}`` is a graph
of beads, ``.{#A=CC[$1],#B=[$1]CO}`` says what they are made of. ``[$n]`` marks the two ends of one bond between beads, ``[!n]``
the two copies of one shared atom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rdkit import Chem, rdBase

from topdown.mapping.bead_graph import bead_edges
from topdown.mapping.smiles import read_before
from topdown.model import CGMolecule

_DUMMY = re.compile(r"\[(\d+)\*\]")
_BRANCHED = re.compile(r"\(([-=#:/\\]?)(\[\d+\*\])\)")
_SHARED_FROM = 5000
_ORDERS = {1: "", 2: "=", 3: "#", 4: "$"}
#: Elements that SMILES writes without brackets.
_BARE = frozenset({5, 6, 7, 8, 9, 15, 16, 17, 35, 53})


def cgsmiles(molecule: CGMolecule) -> str:
    """The bead graph, ``{[#C1][#C1]}``: nodes are bead types, edges join beads that share an atom or a chemical bond.

    Beads without atoms are left out, unless none has any (a curated model); edges are bonds and constraints then.
    """
    kept = [k for k, bead in enumerate(molecule.beads) if bead.atoms]
    if molecule.smiles and kept:
        mol, groups = _mol_and_groups(molecule)
        edges: Iterable[tuple[int, int]] = bead_edges(mol, groups)
    else:
        kept = list(range(molecule.n_beads))
        edges = [*(b.atoms for b in molecule.bonds), *(c.atoms for c in molecule.constraints)]
    return _graph([molecule.beads[k].bead_type for k in kept], dict.fromkeys(edges, 1))


def _mol_and_groups(molecule: CGMolecule) -> tuple[Any, list[tuple[int, ...]]]:
    """The heavy atoms, and which of them stand in each bead that has any."""
    parsed = read_before(molecule.smiles)
    place = parsed.atom_of_written()
    return parsed.mol, [tuple(place[a] for a in bead.atoms) for bead in molecule.beads if bead.atoms]


def _graph(names: Sequence[str], edges: Mapping[tuple[int, int], int]) -> str:
    """Nodes and edges as text; the order of an edge is how many bonds and shared atoms it stands for."""
    near: list[list[int]] = [[] for _ in names]
    for i, j in sorted({(i, j) if i < j else (j, i) for i, j in edges}):
        near[i].append(j)
        near[j].append(i)
    parent, children, closures = _spanning_tree(near)
    numbers: dict[tuple[int, int], str] = {}
    for number, edge in enumerate(closures, start=1):
        numbers[edge] = str(number) if number < 10 else f"%{number}" if number < 100 else f"%({number})"

    def order(i: int, j: int) -> str:
        return _ORDERS.get(edges.get((i, j)) or edges.get((j, i), 1), "$")

    def node(bead: int) -> str:
        rings = [f"{order(*edge) if bead == edge[0] else ''}{numbers[edge]}" for edge in closures if bead in edge]
        bond = "" if parent[bead] == bead else order(bead, parent[bead])
        return f"{bond}[#{names[bead]}]" + "".join(rings)

    parts = []
    for root in range(len(near)):
        if parent[root] != root:
            continue
        text: list[str] = []
        # A stack, not recursion: chains may be longer than Python's.
        stack: list[int | str] = [root]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                text.append(item)
                continue
            text.append(node(item))
            *branches, last = children[item] or [-1]
            if last >= 0:
                stack.append(last)
            for branch in reversed(branches):
                stack += [")", branch, "("]
        parts.append("".join(text))
    return "{" + ".".join(parts) + "}"


def cgsmiles_with_fragments(molecule: CGMolecule) -> str:
    """The bead graph followed by the definition of each bead's fragment.

    A bead is named by its type, and a second fragment of the same type by its type and a number, ``SC2_2``. Beads without
    atoms have no fragment and appear in neither part.

    Raises
    ------
    MoleculeError
        The molecule has no SMILES.
    """
    mol, groups = _mol_and_groups(molecule)
    beads = [bead for bead in molecule.beads if bead.atoms]
    texts, edges = _fragments(mol, groups)
    names: list[str] = []
    known: dict[tuple[str, str], str] = {}
    used: dict[str, int] = {}
    for bead, text in zip(beads, texts):
        key = (bead.bead_type, text)
        if key not in known:
            used[bead.bead_type] = used.get(bead.bead_type, 0) + 1
            count = used[bead.bead_type]
            known[key] = bead.bead_type if count == 1 else f"{bead.bead_type}_{count}"
        names.append(known[key])
    definitions = ",".join(f"#{name}={text}" for (_, text), name in known.items())
    return f"{_graph(names, edges)}.{{{definitions}}}"


def _fragments(mol: Any, groups: list[tuple[int, ...]]) -> tuple[list[str], dict[tuple[int, int], int]]:
    """The SMILES of each group with its bonding marks, and which groups are joined, by how many bonds and shared atoms."""
    if any(a.GetIsAromatic() and a.GetAtomicNum() != 6 and a.GetTotalNumHs() for a in mol.GetAtoms()):
        # The reference implementation loses the hydrogen of [nH] in a fragment; alternating double bonds keep it.
        mol = Chem.Mol(mol)
        Chem.Kekulize(mol, clearAromaticFlags=True)
    owners: dict[int, list[int]] = {}
    for bead, group in enumerate(groups):
        for atom in group:
            owners.setdefault(atom, []).append(bead)
    marks: list[list[tuple[int, int, Any]]] = [[] for _ in groups]  # atom, label, bond type
    edges: dict[tuple[int, int], int] = {}
    label = 0
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if set(owners[i]) & set(owners[j]):
            continue
        label += 1
        order = Chem.BondType.SINGLE if bond.GetIsAromatic() else bond.GetBondType()
        marks[owners[i][0]].append((i, label, order))
        marks[owners[j][0]].append((j, label, order))
        _count(edges, owners[i][0], owners[j][0])
    for number, atom in enumerate(sorted(a for a, beads in owners.items() if len(beads) > 1), start=1):
        for bead in owners[atom]:
            marks[bead].append((atom, _SHARED_FROM + number, Chem.BondType.SINGLE))
        _count(edges, *owners[atom][:2])
    simple = all(len(found) <= 1 for found in marks) and label == 1
    return [_fragment(mol, group, found, simple) for group, found in zip(groups, marks)], edges


def _count(edges: dict[tuple[int, int], int], i: int, j: int) -> None:
    pair = (min(i, j), max(i, j))
    edges[pair] = edges.get(pair, 0) + 1


def _fragment(mol: Any, group: tuple[int, ...], marks: list[tuple[int, int, Any]], simple: bool) -> str:
    piece = Chem.RWMol()
    new: dict[int, int] = {}
    for index in group:
        atom = mol.GetAtomWithIdx(index)
        copy = Chem.Atom(atom.GetAtomicNum())
        copy.SetFormalCharge(atom.GetFormalCharge())
        copy.SetIsAromatic(atom.GetIsAromatic())
        # Brackets only where SMILES needs them to keep the hydrogens.
        if atom.GetFormalCharge() or atom.GetAtomicNum() not in _BARE:
            copy.SetNoImplicit(True)
            copy.SetNumExplicitHs(atom.GetTotalNumHs())
        new[index] = piece.AddAtom(copy)
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if i in new and j in new:
            piece.AddBond(new[i], new[j], bond.GetBondType())
    for atom, label, order in marks:
        dummy = Chem.Atom(0)
        dummy.SetIsotope(label)
        piece.AddBond(new[atom], piece.AddAtom(dummy), order)
    with rdBase.BlockLogs():
        text = Chem.MolToSmiles(piece)
    # Marks stand behind their atom, not in branches.
    text = _BRANCHED.sub(r"\1\2", text)
    return _DUMMY.sub(lambda found: _mark(int(found[1]), simple), text)


def _mark(label: int, simple: bool) -> str:
    if label > _SHARED_FROM:
        return f"[!{label - _SHARED_FROM}]"
    return "[$]" if simple else f"[${label}]"


def _spanning_tree(near: list[list[int]]) -> tuple[list[int], list[list[int]], list[tuple[int, int]]]:
    """(parent of each node, its children, the edges that close rings) of a depth-first walk."""
    n = len(near)
    parent, children = [-1] * n, [[] for _ in range(n)]  # type: tuple[list[int], list[list[int]]]
    closures: list[tuple[int, int]] = []
    for root in range(n):
        if parent[root] >= 0:
            continue
        parent[root] = root
        stack = [root]
        while stack:
            node = stack[-1]
            new = next((other for other in near[node] if parent[other] < 0), None)
            if new is None:
                stack.pop()
                continue
            parent[new] = node
            children[node].append(new)
            stack.append(new)
    for i in range(n):
        closures += [(i, j) for j in near[i] if i < j and parent[j] != i and parent[i] != j]
    return parent, children, closures
