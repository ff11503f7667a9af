"""What every atom is in the chemist's terms: ``ester O``, ``amine N2``, ``c-N``.

Roles are given from the whole molecule, so that a group which two beads divide between them is still known for what it
is. They are the vocabulary of :mod:`topdown.mapping.functional_groups` and :mod:`topdown.mapping.type_features`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

HALOGENS = {9: "F", 17: "Cl", 35: "Br", 53: "I"}

#: An aromatic ring of carbons with nothing on it but hydrogen; one of carbons that carries or is fused to carbons and
#: halogens alone; one with another element in the ring or on it; and of these a ring of five that is not fused and has two
#: nitrogens or more. Of the rings through an atom the last of these counts.
ARENES = ("bare", "carbon", "polar", "azole")

#: Atoms of the largest ring that counts as one, and is rigid; larger rings bend like chains.
LARGEST_RING = 8

#: (other atom, its element, bond order with 1.5 for aromatic bonds, whether the other atom is aromatic).
Neighbour = tuple[int, int, float, bool]


class AtomFacts(NamedTuple):
    """One atom as the rules see it.

    Attributes
    ----------
    element : int
        Atomic number.
    aromatic : bool
    in_ring : bool
        Whether it is aromatic or in a ring of up to :data:`LARGEST_RING` atoms.
    hydrogens : int
    charge : int
        Formal charge [e].
    neighbours : tuple of Neighbour
    has_double_bond, has_triple_bond : bool
    """

    element: int
    aromatic: bool
    in_ring: bool
    hydrogens: int
    charge: int
    neighbours: tuple[Neighbour, ...]
    has_double_bond: bool
    has_triple_bond: bool

    def doubly_bonded(self, element: int) -> list[int]:
        """Atoms of ``element`` at the other end of double bonds."""
        return [j for j, z, order, _ in self.neighbours if order == 2.0 and z == element]


@dataclass(frozen=True, slots=True)
class AtomKind:
    """What an atom is, by itself and all that lies within two bonds of it.

    Attributes
    ----------
    carbonyl, role : str
        As in :class:`AtomRoles`.
    inside, outside : int
        Number of what counts of the atom in a bead, but for its rings, and beside a bead.
    energy_key : tuple
        What its contribution to atomic free energies depends on: the atom, the elements it is bonded to and how, and around
        an oxygen, because of its hydrogen and of carbonyl groups, the atoms two bonds away.
    """

    carbonyl: str
    role: str
    inside: int
    outside: int
    energy_key: tuple[int | tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class AtomRoles:
    """Facts and roles of all atoms of a molecule.

    Attributes
    ----------
    facts : tuple of AtomFacts
    carbonyls : tuple of str
        Kind of carbonyl of each carbon (``ester``, ``amide`` …), empty for other atoms.
    names : tuple of str
        Role of each atom.
    arenes : tuple of str
        What the aromatic rings through each atom carry, one of :data:`ARENES`; empty for atoms of no such ring.
    kinds : tuple of AtomKind
        All of this but for the rings, and what else is remembered of such atoms.
    """

    facts: tuple[AtomFacts, ...]
    carbonyls: tuple[str, ...]
    names: tuple[str, ...]
    arenes: tuple[str, ...]
    kinds: tuple[AtomKind, ...]

    def charge(self, group: Iterable[int]) -> int:
        """Sum of formal charges [e]."""
        return sum(self.facts[a].charge for a in group)


def atoms_of(mol: Any) -> list[Any]:
    """The atoms of an RDKit molecule; much quicker than its own iterator, which asks for the length at every step."""
    return list(map(mol.GetAtomWithIdx, range(mol.GetNumAtoms())))


def bonds_of(mol: Any) -> list[Any]:
    """The bonds of an RDKit molecule."""
    return list(map(mol.GetBondWithIdx, range(mol.GetNumBonds())))


class BondFacts(NamedTuple):
    """One bond: its ends, its order with 1.5 for aromatic ones, whether it is aromatic and whether it is in a ring."""

    i: int
    j: int
    order: float
    aromatic: bool
    in_ring: bool


def bond_facts(mol: Any) -> tuple[BondFacts, ...]:
    """Facts of the bonds, in the order of the molecule."""
    return tuple(
        [
            BondFacts(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b.GetBondTypeAsDouble(), b.GetIsAromatic(), b.IsInRing())
            for b in bonds_of(mol)
        ]
    )


def atom_facts(mol: Any) -> tuple[AtomFacts, ...]:
    """Facts of the atoms of a molecule of heavy atoms."""
    atoms = atoms_of(mol)
    aromatic = [atom.GetIsAromatic() for atom in atoms]
    elements = [atom.GetAtomicNum() for atom in atoms]
    neighbours: list[list[Neighbour]] = [[] for _ in elements]
    double, triple = set(), set()
    for i, j, order, _, _ in known_bonds(mol):
        neighbours[i].append((j, elements[j], order, aromatic[j]))
        neighbours[j].append((i, elements[i], order, aromatic[i]))
        if order == 2.0:
            double |= {i, j}
        elif order == 3.0:
            triple |= {i, j}
    in_small_ring = {i for ring in known_rings(mol) if len(ring) <= LARGEST_RING for i in ring}
    return tuple(
        [
            AtomFacts(
                elements[i],
                aromatic[i],
                aromatic[i] or i in in_small_ring,
                atom.GetTotalNumHs(),
                atom.GetFormalCharge(),
                tuple(neighbours[i]),
                i in double,
                i in triple,
            )
            for i, atom in enumerate(atoms)
        ]
    )


#: The facts of the molecule at hand, which several steps of its mapping ask for; for molecules that no longer change.
known_facts = lru_cache(maxsize=2)(atom_facts)
known_bonds = lru_cache(maxsize=2)(bond_facts)


@lru_cache(maxsize=2)
def known_rings(mol: Any) -> tuple[tuple[int, ...], ...]:
    """Atoms of the smallest rings, in turn, of a molecule that no longer changes.

    RDKit has found them while it read the molecule, symmetrised, so that equivalent rings of cages are all there.
    """
    rings: tuple[tuple[int, ...], ...] = mol.GetRingInfo().AtomRings()
    return rings


def atom_roles(mol: Any) -> AtomRoles:
    """Roles of the atoms of a molecule of heavy atoms."""
    facts = known_facts(mol)
    kinds = _atom_kinds(facts)
    carbonyls, names = tuple([kind.carbonyl for kind in kinds]), tuple([kind.role for kind in kinds])
    return AtomRoles(facts, carbonyls, names, _arenes(mol, facts), kinds)


#: Number of each thing met so far that atoms may be; there are some hundreds.
_numbers: dict[tuple[object, ...], int] = {}
#: Bond orders are 1, 1.5, 2 and 3: twice that fits three bits.
ORDER_BITS = 3
#: Number and carbonyl of atoms met before, by what they are and what they are bonded to.
_near: dict[tuple[int, ...], tuple[int, str]] = {}
#: Atoms met before, by these numbers of theirs and of their neighbours, in the order of the molecule: a new order is worked
#: out anew. A kind takes some 700 bytes.
_kinds: dict[tuple[int, ...], AtomKind] = {}
_MOST_KINDS = 20_000


def numbered(thing: tuple[object, ...]) -> int:
    """The number of what an atom may be, the same for equal ones."""
    return _numbers.setdefault(thing, len(_numbers))


def _atom_kinds(facts: Sequence[AtomFacts]) -> tuple[AtomKind, ...]:
    """The kinds of the atoms of a molecule; most of them have been met in others."""
    if len(_kinds) > _MOST_KINDS:
        _kinds.clear()
        _near.clear()
    own = [numbered(atom[:5]) for atom in facts]
    near: list[int] = []
    carbonyls: list[str] = []
    for number, atom in zip(own, facts):
        beside = (number, *[own[j] << ORDER_BITS | int(2.0 * order) for j, _, order, _ in atom.neighbours])
        found = _near.get(beside)
        if found is None:
            found = _near[beside] = len(_near), _carbonyl(atom, facts)
        near.append(found[0])
        carbonyls.append(found[1])
    kinds = []
    for place, atom in enumerate(facts):
        around = (near[place], *[near[j] for j, _, _, _ in atom.neighbours])
        kind = _kinds.get(around)
        if kind is None:
            kind = _kinds[around] = _new_kind(place, facts, carbonyls)
        kinds.append(kind)
    return tuple(kinds)


def _new_kind(place: int, facts: Sequence[AtomFacts], carbonyls: Sequence[str]) -> AtomKind:
    atom, carbonyl = facts[place], carbonyls[place]
    role = _role(atom, facts, carbonyls, carbonyl)
    return AtomKind(
        carbonyl=carbonyl,
        role=role,
        inside=numbered((*_plain(atom), carbonyl, role)),
        outside=numbered((atom.element, atom.aromatic, atom.has_double_bond, bool(carbonyl), role == "c=O")),
        energy_key=_energy_key(place, facts),
    )


def _plain(atom: AtomFacts) -> tuple[object, ...]:
    return *atom[:5], len(atom.neighbours), atom.has_double_bond


def _energy_key(place: int, facts: Sequence[AtomFacts]) -> tuple[int | tuple[int, ...], ...]:
    """See :class:`AtomKind`."""

    def ends(atom: int, but: int = -1) -> list[int]:
        return sorted(
            numbered((z, aromatic, facts[j].charge)) << ORDER_BITS | int(2.0 * order)
            for j, z, order, aromatic in facts[atom].neighbours
            if j != but
        )

    own = numbered(_plain(facts[place]))
    if facts[place].element != 8:
        return own, *ends(place)
    around = [
        (numbered(_plain(facts[j])) << ORDER_BITS | int(2.0 * order), *ends(j, place))
        for j, _, order, _ in facts[place].neighbours
    ]
    return own, *sorted(around)


def _arenes(mol: Any, facts: Sequence[AtomFacts]) -> tuple[str, ...]:
    """What the aromatic rings through each atom carry.

    An atom that is bonded to the ring as part of another ring of a fused system is not on it: the nitrogen of indole is
    in the ring of five, not on the ring of six.
    """
    found = [""] * len(facts)
    if not any(atom.aromatic for atom in facts):
        return tuple(found)
    for ring in known_rings(mol):
        if not all(facts[a].aromatic for a in ring):
            continue
        inside = set(ring)
        on = [(z, order) for a in ring for j, z, order, _ in facts[a].neighbours if j not in inside]
        polar = any(facts[a].element != 6 for a in ring) or any(
            z != 6 and z not in HALOGENS for z, order in on if order != 1.5
        )
        kind = "polar" if polar else "carbon" if on else "bare"
        fused = any(order == 1.5 for _, order in on)
        if len(ring) == 5 and not fused and sum(facts[a].element == 7 for a in ring) > 1:
            kind = "azole"
        for a in ring:
            if not found[a] or ARENES.index(found[a]) < ARENES.index(kind):
                found[a] = kind
    return tuple(found)


def _carbonyl(atom: AtomFacts, facts: Sequence[AtomFacts]) -> str:
    """Which kind of carbonyl carbon an atom is; empty when none."""
    if atom.element != 6 or not atom.has_double_bond:
        return ""
    oxo = atom.doubly_bonded(8)
    if not oxo:
        return ""
    if len(oxo) > 1:
        return "dioxide"
    others = [(j, z) for j, z, _, _ in atom.neighbours if j != oxo[0]]
    if any(order == 2.0 for j, _, order, _ in atom.neighbours if j != oxo[0]):
        return "isocyanate" if others[0][1] == 7 else "ketene"
    oxygens = [j for j, z in others if z == 8]
    nitrogens = sum(z == 7 for _, z in others)
    if oxygens and nitrogens:
        return "carbamate"
    if len(oxygens) > 1:
        return "carbonate"
    if nitrogens > 1:
        return "urea"
    if oxygens:
        single = facts[oxygens[0]]
        return "carboxylate" if single.charge < 0 else "acid" if single.hydrogens else "ester"
    if nitrogens:
        return "amide"
    if any(z in HALOGENS for _, z in others):
        return "acyl halide"
    return "aldehyde" if atom.hydrogens else "ketone"


def _role(atom: AtomFacts, facts: Sequence[AtomFacts], carbonyls: Sequence[str], carbonyl: str) -> str:
    element = atom.element
    if element == 6:
        return _carbon_role(atom, carbonyl)
    if element == 7:
        return _nitrogen_role(atom, facts, carbonyls)
    if element == 8:
        return _oxygen_role(atom, facts, carbonyls)
    if element in (16, 34):
        return _sulfur_role(atom, facts)
    if element in HALOGENS:
        return HALOGENS[element] + ("a" if atom.neighbours and atom.neighbours[0][3] else "")
    return {5: "B", 14: "Si", 15: "P"}.get(element, "other")


def _carbon_role(atom: AtomFacts, kind: str) -> str:
    """Role of a carbon that is a carbonyl of ``kind``, or none."""
    if atom.aromatic:
        outside = [(z, order) for _, z, order, _ in atom.neighbours if order != 1.5]
        if sum(order == 1.5 for _, _, order, _ in atom.neighbours) == 3:
            return "c.fused"
        if kind or (outside and outside[0][1] == 2.0):
            return "c=O"
        if not outside:
            return "cH"
        z = outside[0][0]
        return "c-" + ({6: "C", 7: "N", 8: "O", 16: "S", 34: "S"}.get(z) or ("X" if z in HALOGENS else "other"))
    if kind:
        return f"C(=O) {kind}"
    if atom.has_triple_bond:
        return "C#N" if any(z == 7 and order == 3.0 for _, z, order, _ in atom.neighbours) else "C#C"
    double = [z for _, z, order, _ in atom.neighbours if order == 2.0]
    if len(double) == 2:
        return "=C="
    if double:
        return {6: "C=C", 7: "C=N", 16: "C=S"}.get(double[0], "C=other")
    if sum(z == 9 for _, z, _, _ in atom.neighbours) >= 3:
        return "CF3"
    polar = min(sum(z in (7, 8) for _, z, _, _ in atom.neighbours), 2)
    return f"C{min(atom.hydrogens, 3)}{'r' if atom.in_ring else ''}{'p' * polar}"


def _nitrogen_role(atom: AtomFacts, facts: Sequence[AtomFacts], carbonyls: Sequence[str]) -> str:
    h = min(atom.hydrogens, 2)
    near = atom.neighbours
    if atom.aromatic:
        if atom.charge > 0 and any(z == 8 and facts[j].charge < 0 for j, z, _, _ in near):
            return "N-oxide N"
        return "n+" if atom.charge > 0 else "nH" if h else "nR" if len(near) == 3 else "n"
    if atom.charge > 0:
        if sum(z == 8 for _, z, _, _ in near) >= 2 and atom.has_double_bond:
            return "nitro N"
        if any(z == 8 and facts[j].charge < 0 for j, z, _, _ in near):
            return "N-oxide N"
        if sum(z == 7 for _, z, _, _ in near) == 2 and (atom.has_double_bond or atom.has_triple_bond):
            return "azide N"
        return "N#+" if atom.has_triple_bond else f"N+{min(atom.hydrogens, 3) or 'q'}"
    if atom.charge < 0:
        return "N-"
    if atom.has_triple_bond:
        return "nitrile N"
    if any(carbonyls[j] == "isocyanate" and order == 2.0 for j, _, order, _ in near):
        return "isocyanate N"
    if any(carbonyls[j] for j, _, _, _ in near):
        return f"amide N{h}"
    if any(z == 16 and len(facts[j].doubly_bonded(8)) >= 2 for j, z, _, _ in near):
        return "sulfonamide N"
    if atom.has_double_bond:
        return "imine NH" if h else "imine N"
    if any(z in (7, 8) for _, z, _, _ in near):
        return "N-N"
    if any(z == 6 and facts[j].doubly_bonded(7) for j, z, _, _ in near):
        return "amidine N"
    return f"aniline N{h}" if any(aromatic for _, _, _, aromatic in near) else f"amine N{h}"


def _oxygen_role(atom: AtomFacts, facts: Sequence[AtomFacts], carbonyls: Sequence[str]) -> str:
    near = atom.neighbours
    if atom.aromatic:
        return "o"
    if not near:
        return "OH other"
    other, z = near[0][0], near[0][1]
    if atom.has_double_bond:
        if z == 6:
            return "=O c" if facts[other].aromatic else f"=O {carbonyls[other]}"
        return f"=O {({7: 'N', 15: 'P', 16: 'S'}).get(z, 'other')}"
    if atom.charge < 0:
        if z == 6:
            return "O- carboxylate" if carbonyls[other] else "O- C"
        if z == 7 and facts[other].has_double_bond:
            return "O- nitro"
        if z == 16 and facts[other].charge > 0:
            return "=O S"
        return f"O- {({7: 'N', 15: 'P', 16: 'S'}).get(z, 'other')}"
    if atom.hydrogens:
        if z != 6:
            return "OH other"
        if carbonyls[other]:
            return "OH acid"
        if facts[other].aromatic:
            return "OH phenol"
        if facts[other].has_double_bond:
            return "OH enol"
        return "OH ring alcohol" if facts[other].in_ring else "OH alcohol"
    return _bridging_oxygen(atom, facts, carbonyls) + ("r" if atom.in_ring else "")


def _bridging_oxygen(atom: AtomFacts, facts: Sequence[AtomFacts], carbonyls: Sequence[str]) -> str:
    elements = [z for _, z, _, _ in atom.neighbours]
    ends = [j for j, _, _, _ in atom.neighbours]
    if any(z != 6 for z in elements):
        return f"O {'P' if 15 in elements else 'S' if 16 in elements else 'other'}"
    if any(carbonyls[j] for j in ends):
        return "ester O"
    if any(facts[j].aromatic for j in ends):
        return "aryl ether O"
    if any(sum(z == 8 for _, z, _, _ in facts[j].neighbours) > 1 for j in ends):
        return "acetal O"
    return "ether O"


def _sulfur_role(atom: AtomFacts, facts: Sequence[AtomFacts]) -> str:
    # S=O may be drawn with charges.
    drawn = sum(z == 8 and facts[j].charge < 0 for j, z, _, _ in atom.neighbours) if atom.charge > 0 else 0
    oxo = len(atom.doubly_bonded(8)) + drawn
    if atom.aromatic:
        return "s"
    if atom.charge and not drawn:
        return "S+" if atom.charge > 0 else "S-"
    if oxo:
        return "SO2" if oxo > 1 else "SO"
    if atom.has_double_bond:
        return "=S"
    if atom.hydrogens:
        return "SH"
    return "S-S" if any(z == 16 for _, z, _, _ in atom.neighbours) else "S"
