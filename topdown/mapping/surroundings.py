"""Keys of atoms and beads with what lies around them: what looks alike gets its type and free energy worked out once.

A key holds all that :mod:`topdown.mapping.bead_typing` reads of a bead, whose atoms are put in order by what they are, so that a
choice looked up is the choice that would have been made, down to the last bit.
"""

from __future__ import annotations

from topdown.mapping.atom_roles import HALOGENS, ORDER_BITS, AtomFacts, AtomRoles, numbered
from topdown.mapping.bead_chemistry import polar_two_carbons_away


class Surroundings:
    """The atoms of one molecule, numbered by kind.

    Parameters
    ----------
    roles : AtomRoles
    shared : frozenset of int
        Atoms that stand in more than one bead.
    """

    def __init__(self, roles: AtomRoles, shared: frozenset[int]) -> None:
        self._facts, self._kinds = roles.facts, roles.kinds
        self._inside = [
            numbered((kind.inside, arene, atom in shared))
            for atom, (kind, arene) in enumerate(zip(roles.kinds, roles.arenes))
        ]
        self._outside = [kind.outside for kind in roles.kinds]

    def in_order(self, group: tuple[int, ...]) -> tuple[int, ...]:
        """The atoms of a bead sorted by their kinds and those of their neighbours, whatever their numbers."""
        kinds, outside, inside = self._inside, self._outside, set(group)
        ranks = {}
        for atom in group:
            around = [
                kinds[other] << ORDER_BITS | int(2.0 * order)
                if other in inside
                else ~(outside[other] << ORDER_BITS | int(2.0 * order))
                for other, _, order, _ in self._facts[atom].neighbours
            ]
            around.sort()
            ranks[atom] = kinds[atom], around
        return tuple(sorted(group, key=ranks.__getitem__))

    def bead_key(self, group: tuple[int, ...]) -> tuple[int, ...]:
        """Of a bead in order: its atoms and bonds, what it is attached to, and the polar atoms and halogens two bonds away.

        Of its atoms also what their aromatic rings carry, which lies further off.
        The features of a bead, its functional group, size and fragment depend on nothing else.
        """
        facts, size = self._facts, len(group)
        inside = {atom: k for k, atom in enumerate(group)}
        beside: dict[int, int] = {}
        key = [self._inside[atom] for atom in group]
        for atom in group:
            own = facts[atom]
            bonds, attached = [], []
            for other, _, order, _ in own.neighbours:
                there = inside.get(other)
                if there is None:
                    attached.append((self._outside[other], int(2.0 * order), other))
                else:
                    bonds.append(there << ORDER_BITS | int(2.0 * order))
            bonds.sort()
            attached.sort()
            key += bonds
            key += [beside.setdefault(other, size + len(beside)) << ORDER_BITS | order for _, order, other in attached]
            key.append(-2 if own.element in (7, 8) and self._polar_atom_further_off(atom, own) else -1)
        beyond: set[int] = set()
        for atom in beside:
            polar = False
            for other, element, _, _ in facts[atom].neighbours:
                if other in inside:
                    continue
                polar = polar or element == 8 or element == 7
                if other not in beside:
                    beyond.add(other)
            key.append(self._outside[atom] << 1 | polar)
        elements = [facts[atom].element for atom in beyond]
        polar_atoms = min(sum(z in (7, 8) for z in elements), 3)
        halogens = min(sum(z in HALOGENS for z in (*elements, *(facts[a].element for a in beside))), 3)
        key.append(polar_atoms << 2 | halogens)
        return tuple(key)

    def _polar_atom_further_off(self, atom: int, own: AtomFacts) -> bool:
        """For an aromatic nitrogen another one two bonds away, for an ether oxygen one two carbons away."""
        if own.element == 8:
            return len(own.neighbours) == 2 and not own.aromatic and polar_two_carbons_away(self._facts, atom)
        return (
            own.element == 7
            and own.aromatic
            and any(
                z == 7 and aromatic and k != atom
                for j, _, _, _ in own.neighbours
                for k, z, _, aromatic in self._facts[j].neighbours
            )
        )

    def atom_key(self, atom: int) -> tuple[int | tuple[int, ...], ...]:
        """Of an atom and those near it, as far as the patterns of atomic free energies reach."""
        return self._kinds[atom].energy_key
