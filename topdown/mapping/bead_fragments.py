"""The fragment each bead of a mapped molecule stands for, as building blocks name it."""

from __future__ import annotations

from collections import Counter

from topdown.mapping.fragments import coarser, surroundings_of
from topdown.mapping.smiles import NO_LIMITS, parse_smiles
from topdown.model import CGMolecule


def bead_fragments(molecule: CGMolecule) -> tuple[str, ...]:
    """The fragment of every bead at the finest level of :mod:`topdown.mapping.fragments`; empty for beads without atoms.

    Raises
    ------
    MoleculeError
        A SMILES that cannot be read.
    """
    if not any(bead.atoms for bead in molecule.beads):
        return tuple("" for _ in molecule.beads)
    parsed = parse_smiles(molecule.smiles, largest_fragment=True, limits=NO_LIMITS)
    place = parsed.atom_of_written()
    groups = [tuple(place[a] for a in bead.atoms) for bead in molecule.beads]
    times = Counter(atom for group in groups for atom in group)
    shared = {atom for atom, n in times.items() if n > 1}
    return tuple(surroundings_of(parsed.mol, group, shared.intersection(group)) if group else "" for group in groups)


def fragment_alone(fragment: str) -> str:
    """The fragment without what it is attached to."""
    return coarser(fragment)[2]
