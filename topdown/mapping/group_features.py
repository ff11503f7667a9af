"""What a group of atoms looks like to the partition: the names of its features, and how often each counts."""

from __future__ import annotations

from collections.abc import Iterable

from topdown.mapping.bit_masks import bits
from topdown.mapping.descriptions import RING_SIZE, SUBSTITUTION, Description
from topdown.mapping.molecule_graph import MoleculeGraph


def describe(graph: MoleculeGraph, atoms: int) -> Description:
    """The description of the group in the bit mask ``atoms``."""
    counts = flags = clusters = branching = 0
    for atom in bits(atoms):
        counts += graph.counts[atom]
        flags |= graph.flags[atom]
        if graph.cluster[atom] >= 0:
            clusters |= 1 << graph.cluster[atom]
        counts += sum(change for other, _, change in graph.bonds[atom] if not other & atoms)
        branching += max((graph.neighbors[atom] & atoms).bit_count() - 2, 0)
    return Description(counts, flags, clusters.bit_count(), branching, atoms.bit_count() == graph.n_atoms)


def group_features(graph: MoleculeGraph, atoms: int) -> dict[str, int]:
    """Counts of the features of one group.

    Parameters
    ----------
    graph : MoleculeGraph
    atoms : int
        Bit mask of the group.

    Returns
    -------
    dict of str to int
        A cut bond counts once in each of the two groups it parts.
    """
    features = dict.fromkeys(shape_features(describe(graph, atoms)), 1)
    for atom in bits(atoms):
        for other, name, _ in graph.bonds[atom]:
            if not other & atoms:
                features[name] = features.get(name, 0) + 1
    return features


def shape_features(group: Description) -> Iterable[str]:
    """Names of the features of a group other than the bonds it cuts; each counts once."""
    n, a, r = group.count("n"), group.count("aromatic"), group.count("ring")
    c = n - a - r
    polar, halogen, cuts = group.count("polar"), group.count("halogen"), group.count("cuts")
    if group.clusters > 1:
        yield f"several groups {min(group.clusters, 4)}"
    if group.branching and n > 3:
        yield f"branched {n} {min(group.branching, 3)}"
    if group.whole:
        yield f"whole {n}"
        yield f"whole {n} {'branched' if group.branching else 'straight'}"
        if group.has("terminal") and not group.branching:
            yield f"whole {n} polar end"
    if a == r == 0:
        kind = f"polar{min(polar, 5)}" if polar else "halogen" if halogen else "alkyl"
        yield f"chain {n}"
        yield f"{kind} {n}"
        if kind == "alkyl":
            yield f"alkyl {n} {('whole', 'end', 'inner')[min(cuts, 2)]} {min(group.count('to_polar'), 2)}"
            if group.has("double"):
                yield f"alkene {n}"
        elif group.has("double"):
            yield f"polar alkene {n}"
        if group.count("carbonyl"):
            yield f"carbonyl {n}"
    elif r == 0:
        words = [s for s in SUBSTITUTION if group.has(f"of {s}")]
        yield f"arom {a}+{c}"
        if words and a < 4 and c < 4:
            yield f"arom {a}+{c} of {words[-1]}"
        yield f"arom {a} fused {min(group.count('fused'), 3)}"
        yield f"arom {a}+{c} outside {min(group.count('outside'), 2)}"
        hetero = group.count("ring_hetero")
        if n == 1:
            element = next((e for e in "NOSPX" if group.has(e)), "C")
            yield f"arom one {element} {'5' if group.has('size 5') else '6'}"
        elif hetero:
            yield f"arom {a} hetero {min(hetero, 3)} {'5' if group.has('size 5') else '6'}"
    elif a == 0:
        size = next((s for s in RING_SIZE if group.has(f"size {s}")), "")
        yield f"ring {r}+{c}"
        yield f"ring {r} of {size}"
        yield f"ring {r} fused {min(group.count('fused'), 3)}"
        if group.count("ring_hetero"):
            yield f"ring {r} hetero {min(group.count('ring_hetero'), 2)}"
        yield f"ring {n} polar {min(polar, 4)}"
    else:
        yield f"mixed {a + r}+{c}"
    if polar and a:
        yield "arom polar"
