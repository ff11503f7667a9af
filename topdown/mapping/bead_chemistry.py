"""What the rules of functional groups ask of one bead, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topdown.mapping.atom_roles import HALOGENS, AtomFacts, AtomRoles, Neighbour


@dataclass(frozen=True, slots=True)
class FunctionalGroup:
    """A group of chemistry, with its usual class and labels.

    Attributes
    ----------
    name : str
    core : str
        ``C1`` … ``X4`` or a Q class; for Martini 2 with the hydrogen-bond letters: ``Nda``.
    labels : str
        Martini 3 labels that follow the class, as in ``N4a``.
    size : str
        Where published models give the group another size than the general rule: that size.
    instead_of : tuple of str
        Classes published models give the same fragment elsewhere, for reasons the fragment does not show: a vote for one
        of them speaks for ``core`` with its labels.
    """

    name: str
    core: str
    labels: str = ""
    instead_of: tuple[str, ...] = ()
    size: str = ""


#: N2, O2 and CO, which have no polar group.
_GASES = ((7, 7), (8, 8), (6, 8))


def polar_two_carbons_away(facts: Sequence[AtomFacts], atom: int) -> bool:
    """Whether ``atom`` and another N or O are bonded to neighbouring carbons, as in O-C-C-O."""
    return any(
        z in (7, 8) and j != atom
        for a, first, _, _ in facts[atom].neighbours
        if first == 6
        for b, second, _, _ in facts[a].neighbours
        if second == 6
        for j, z, _, _ in facts[b].neighbours
    )


@dataclass(frozen=True, slots=True)
class BeadChemistry:
    """One bead in the chemist's terms.

    Attributes
    ----------
    roles : AtomRoles
        Of the whole molecule.
    group : tuple of int
        Atoms of the bead.
    shared : frozenset of int
        Atoms that stand in more than one bead.
    names : tuple of str
        Role of each of its atoms.
    kinds : frozenset of str
        The distinct ones.
    """

    roles: AtomRoles
    group: tuple[int, ...]
    shared: frozenset[int]
    names: tuple[str, ...]
    kinds: frozenset[str]

    def has(self, *wanted: str) -> bool:
        """Whether an atom has one of these roles."""
        return not self.kinds.isdisjoint(wanted)

    def starts(self, *stems: str) -> bool:
        """Whether the role of an atom begins with one of these texts."""
        return any(name.startswith(stems) for name in self.kinds)

    def count(self, *wanted: str) -> int:
        """How many atoms have one of these roles."""
        return sum(name in wanted for name in self.names)

    def first(self, role: str) -> int:
        """The first atom of a role that there is."""
        return next(a for a in self.group if self.roles.names[a] == role)

    def all_of(self, *wanted: str) -> list[int]:
        """The atoms of these roles."""
        return [a for a in self.group if self.roles.names[a] in wanted]

    @property
    def size(self) -> int:
        """Number of heavy atoms."""
        return len(self.group)

    @property
    def element(self) -> int:
        """Atomic number of the first atom."""
        return self.roles.facts[self.group[0]].element

    @property
    def is_gas(self) -> bool:
        """Whether the bead is N2, O2 or CO."""
        facts = [self.roles.facts[a] for a in self.group]
        bare = not any(f.hydrogens or len(f.neighbours) > 1 for f in facts)
        return bare and tuple(sorted(f.element for f in facts)) in _GASES

    @property
    def n_carbons(self) -> int:
        """Number of carbons."""
        return sum(self.roles.facts[a].element == 6 for a in self.group)

    @property
    def attached(self) -> int:
        """Number of bonds to atoms outside the bead."""
        return len(self._outside)

    @property
    def _outside(self) -> list[Neighbour]:
        """The neighbours outside the bead, one for each bond to them."""
        inside = set(self.group)
        return [near for a in self.group for near in self.roles.facts[a].neighbours if near[0] not in inside]

    def _has_polar_neighbour(self, atom: int) -> bool:
        """Whether ``atom``, outside the bead, is bonded to an N or O that is not in it."""
        return any(z in (7, 8) for k, z, _, _ in self.roles.facts[atom].neighbours if k not in self.group)

    @property
    def polar_ends(self) -> int:
        """Bonds out of the bead to an N or O or to a carbon that is bonded to one."""
        return sum(z in (7, 8) or (z == 6 and self._has_polar_neighbour(j)) for j, z, _, _ in self._outside)

    @property
    def beside_carbonyl(self) -> bool:
        """Whether the bead is bonded to the carbon of a C=O."""
        return any(self.roles.carbonyls[j] for j, _, _, _ in self._outside)

    @property
    def is_isopropyl(self) -> bool:
        """Whether two methyl groups are all that one other carbon of the bead has beside its bond out."""
        methyls = sum(self.roles.facts[a].hydrogens == 3 for a in self.group)
        return self.size == self.n_carbons == 3 and methyls == 2 and bool(self.attached)

    def beside_polarisable(self, *elements: int) -> bool:
        """Whether the bead is bonded to an aromatic atom, one of these elements, or a carbon that has a double bond, N or O."""
        facts = self.roles.facts
        return any(
            aromatic or z in elements or (z == 6 and (facts[j].has_double_bond or self._has_polar_neighbour(j)))
            for j, z, _, aromatic in self._outside
        )

    @property
    def is_quinone_edge(self) -> bool:
        """Whether the bead is a double bond of a ring between two carbonyls, and nothing else."""
        facts, inside = self.roles.facts, set(self.group)
        return self.size == 2 and all(
            facts[a].in_ring and any(self.roles.carbonyls[j] for j, _, _, _ in facts[a].neighbours if j not in inside)
            for a in self.group
        )

    @property
    def in_aliphatic_ring(self) -> bool:
        """Whether an atom is in a ring and not aromatic."""
        return any(self.roles.facts[a].in_ring and not self.roles.facts[a].aromatic for a in self.group)

    @property
    def aromatic(self) -> bool:
        """Whether an atom is aromatic."""
        return any(self.roles.facts[a].aromatic for a in self.group)

    @property
    def is_lactam(self) -> bool:
        """Whether a carbonyl of the bead's aromatic ring has a ring nitrogen beside it, or a nitrogen such a carbonyl."""
        facts, names = self.roles.facts, self.roles.names
        return any(
            (names[a] == "c=O" and facts[j].element == 7) or (facts[a].element == 7 and names[j] == "c=O")
            for a in self.group
            for j, _, _, _ in facts[a].neighbours
        )

    def nitrogen_beside(self, atom: int) -> bool:
        """Whether ``atom`` is bonded to an aromatic nitrogen."""
        return any(z == 7 and aromatic for _, z, _, aromatic in self.roles.facts[atom].neighbours)

    def nitrogen_within_two(self, atom: int, *, adjacent: bool) -> bool:
        """Another ring nitrogen two bonds away from ``atom``, or also next to it."""
        facts = self.roles.facts
        near = [j for j, _, _, _ in facts[atom].neighbours]
        if adjacent and any(facts[j].element == 7 for j in near):
            return True
        return any(
            facts[k].element == 7 and facts[k].aromatic and k != atom
            for j in near
            for k, _, _, _ in facts[j].neighbours
        )

    @property
    def holds_an_amide_bond(self) -> bool:
        """Whether the nitrogen of an amide and its carbonyl carbon are both in the bead."""
        facts, names, inside = self.roles.facts, self.roles.names, set(self.group)
        return any(
            names[a].startswith("amide N") and self.roles.carbonyls[j] and j in inside
            for a in self.group
            for j, _, _, _ in facts[a].neighbours
        )

    def on_aromatic(self, role: str) -> bool:
        """Whether the first atom of this role is bonded to an aromatic one."""
        return any(aromatic for _, _, _, aromatic in self.roles.facts[self.first(role)].neighbours)

    @property
    def halogens_near(self) -> int:
        """Halogens one or two bonds outside the bead."""
        facts, inside = self.roles.facts, set(self.group)
        first = {j for j, _, _, _ in self._outside}
        second = {k for j in first for k, _, _, _ in facts[j].neighbours if k not in inside}
        return sum(facts[a].element in HALOGENS for a in first | second)

    def polar_two_carbons_away(self, *roles: str) -> bool:
        """Whether one of the atoms with these roles has another N or O two carbons away, as in 1,2-dimethoxyethane."""
        return any(polar_two_carbons_away(self.roles.facts, a) for a in self.all_of(*roles))

    @property
    def is_zwitterion(self) -> bool:
        """Opposite charges that are more than a nitro group, an N-oxide or another ylide drawn with charges."""
        facts, inside = self.roles.facts, set(self.group)

        def apart(atom: int) -> bool:
            near = (j for j, _, _, _ in facts[atom].neighbours if j in inside)
            return not any(facts[j].charge * facts[atom].charge < 0 for j in near)

        signs = {1 if facts[a].charge > 0 else -1 for a in self.group if facts[a].charge and apart(a)}
        return len(signs) == 2
