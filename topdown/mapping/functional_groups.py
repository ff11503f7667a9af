"""The functional group that decides a bead's class, and the class published models usually give it.

A class is a bead type without size and labels: ``P3``; a bead takes the class of its most polar group. Classes follow the
building-block tables of Souza et al., Nat. Methods 18, 382 (2021) and Alessandri et al., Adv. Theory Simul. 5, 2100391
(2022) for Martini 3, and Table 3 of Marrink et al., J. Phys. Chem. B 111, 7812 (2007) for Martini 2. They are where
estimates start from (:mod:`topdown.mapping.type_estimate`), not the last word.
"""

from __future__ import annotations

from dataclasses import dataclass

from topdown.mapping.atom_roles import HALOGENS, AtomRoles
from topdown.mapping.ions import ION_CLASSES


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
    instead_of : tuple of str
        Classes published models give the same fragment elsewhere, for reasons the fragment does not show: a vote for one
        of them speaks for ``core`` with its labels.
    """

    name: str
    core: str
    labels: str = ""
    instead_of: tuple[str, ...] = ()


#: N2, O2 and CO, which have no polar group.
_GASES = ((7, 7), (8, 8), (6, 8))


@dataclass(frozen=True, slots=True)
class _Bead:
    """What the rules ask of one bead."""

    roles: AtomRoles
    group: tuple[int, ...]
    shared: frozenset[int]
    names: tuple[str, ...]
    kinds: frozenset[str]

    def has(self, *wanted: str) -> bool:
        return not self.kinds.isdisjoint(wanted)

    def starts(self, *stems: str) -> bool:
        return any(name.startswith(stems) for name in self.kinds)

    def count(self, *wanted: str) -> int:
        return sum(name in wanted for name in self.names)

    def first(self, role: str) -> int:
        return next(a for a in self.group if self.roles.names[a] == role)

    @property
    def size(self) -> int:
        return len(self.group)

    @property
    def element(self) -> int:
        return self.roles.facts[self.group[0]].element

    @property
    def is_gas(self) -> bool:
        facts = [self.roles.facts[a] for a in self.group]
        bare = not any(f.hydrogens or len(f.neighbours) > 1 for f in facts)
        return bare and tuple(sorted(f.element for f in facts)) in _GASES

    @property
    def n_carbons(self) -> int:
        return sum(self.roles.facts[a].element == 6 for a in self.group)

    @property
    def in_aliphatic_ring(self) -> bool:
        return any(self.roles.facts[a].in_ring and not self.roles.facts[a].aromatic for a in self.group)

    @property
    def aromatic(self) -> bool:
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
        first = {j for a in self.group for j, _, _, _ in facts[a].neighbours if j not in inside}
        second = {k for j in first for k, _, _, _ in facts[j].neighbours if k not in inside}
        return sum(facts[a].element in HALOGENS for a in first | second)

    def oxygen_across_ring(self) -> bool:
        """An oxygen two bonds outside the bead: the other half of a diether ring."""
        facts, inside = self.roles.facts, set(self.group)
        return any(
            facts[k].element == 8 and facts[k].in_ring and k not in inside
            for a in self.group
            for j, _, _, _ in facts[a].neighbours
            if j not in inside
            for k, _, _, _ in facts[j].neighbours
        )


def functional_group(roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int], style: str) -> FunctionalGroup:
    """The most polar functional group of a bead.

    Parameters
    ----------
    roles : AtomRoles
    group : tuple of int
        Atoms of the bead.
    shared : frozenset of int
        Atoms that stand in more than one bead.
    style : {"martini3", "martini2"}
    """
    names = tuple(roles.names[a] for a in group)
    bead = _Bead(roles, group, shared, names, frozenset(names))
    if bead.is_gas:
        return FunctionalGroup("diatomic gas", "C6" if style == "martini3" else "C5")
    if style == "martini3":
        return _charged_m3(bead) or _polar_m3(bead) or _weakly_polar_m3(bead) or _apolar_m3(bead)
    return _charged_m2(bead) or _polar_m2(bead) or _apolar_m2(bead)


def _is_zwitterion(bead: _Bead) -> bool:
    """Opposite charges that are more than a nitro group, an N-oxide or another ylide drawn with charges."""
    facts = bead.roles.facts
    inside = set(bead.group)

    def apart(atom: int) -> bool:
        return not any(facts[j].charge * facts[atom].charge < 0 for j, _, _, _ in facts[atom].neighbours if j in inside)

    signs = {1 if facts[a].charge > 0 else -1 for a in bead.group if facts[a].charge and apart(a)}
    return len(signs) == 2


def _charged_m3(bead: _Bead) -> FunctionalGroup | None:
    """Hofmeister order of Martini 3: Q5 hard (phosphate, carboxylate) to Q1 soft (quaternary ammonium)."""
    charge = bead.roles.charge(bead.group)
    if charge == 0:
        return FunctionalGroup("zwitterion", "P6") if _is_zwitterion(bead) else None
    if bead.size == 1 and bead.element in ION_CLASSES:
        return FunctionalGroup("ion of one atom", ION_CLASSES[bead.element])
    if abs(charge) > 1:
        return FunctionalGroup("ion of charge two or more", "D")
    if charge > 0:
        if bead.starts("N+1", "N+2", "N+3"):
            if any("amidine N" in n or n in ("C=N", "imine NH", "imine N") for n in bead.names):
                return FunctionalGroup("guanidinium or amidinium", "Q3", "p")
            if bead.has("N+1"):
                return FunctionalGroup("tertiary ammonium", "Q2", "p")
            return FunctionalGroup("ammonium", "Q4" if bead.has("N+3") else "Q3", "p")
        if bead.has("n+"):
            protonated = bead.roles.facts[bead.first("n+")].hydrogens > 0
            return FunctionalGroup("aromatic cation", "Q2" if protonated else "Q1", "p" if protonated else "")
        return FunctionalGroup("cation without hydrogen on its charge", "Q1")
    if bead.starts("O- P") or bead.has("P"):
        return FunctionalGroup("phosphate", "Q5")
    if bead.starts("O- S"):
        return FunctionalGroup("sulfonate or sulfate", "Q4", "n")
    if bead.has("O- carboxylate"):
        return FunctionalGroup("carboxylate", "Q5", "n")
    if bead.starts("O-", "S-"):
        return FunctionalGroup("oxide or thiolate", "Q4", "n")
    return FunctionalGroup("soft anion", "Q2", "n")


def _polar_m3(bead: _Bead) -> FunctionalGroup | None:
    n_oh = bead.count("OH alcohol", "OH ring alcohol")
    if bead.has("SO2"):
        return FunctionalGroup("sulfonamide", "P4") if bead.has("sulfonamide N") else FunctionalGroup("sulfone", "P5")
    if bead.has("SO", "=O S"):
        return FunctionalGroup("sulfoxide", "P6")
    if bead.has("C(=O) isocyanate", "=O isocyanate"):
        return FunctionalGroup("isocyanate", "N3", "a")
    if bead.starts("amide N") and bead.has("=O amide", "C(=O) amide"):
        return _amide_m3(bead)
    if bead.has("C(=O) urea", "=O urea"):
        return FunctionalGroup("urea", "P5")
    if bead.has("C(=O) carbamate", "=O carbamate"):
        return FunctionalGroup("carbamate", "P2")
    if bead.has("C(=O) acid", "OH acid"):
        if bead.starts("amine N"):
            return FunctionalGroup("amino acid", "P6")
        return FunctionalGroup("carboxylic acid", "P2", "a" if bead.size <= 3 else "")
    if bead.has("C(=O) ester", "=O ester"):
        return FunctionalGroup("ester", "N4", "a")
    if bead.has("C(=O) carbonate", "=O carbonate"):
        return FunctionalGroup("carbonate", "N5", "a")
    if n_oh >= 2:
        return FunctionalGroup("diol", "P4", "r")
    if n_oh and bead.starts("acetal O", "ether O", "amine N"):
        return FunctionalGroup("alcohol with another polar atom", "P1", "r")
    if bead.has("OH alcohol") and bead.n_carbons == 1 and bead.halogens_near > 1:
        # CF3 takes from the oxygen's acceptor and adds to its donor.
        return FunctionalGroup("alcohol beside CF3", "P1", "d", instead_of=("P1", "N6"))
    if bead.has("OH alcohol"):
        return FunctionalGroup("alcohol", "P1")
    if bead.has("OH ring alcohol"):
        whole = bead.size > 3 and not bead.shared & set(bead.group)
        return FunctionalGroup("alcohol on a ring", "P1" if whole else "N6")
    if bead.has("OH phenol", "OH enol"):
        return FunctionalGroup("phenol", "N6")
    if bead.has("C=N") and bead.has("imine N") and bead.has("OH other"):
        return FunctionalGroup("oxime", "N6")
    if bead.has("Si") and bead.has("OH other"):
        return FunctionalGroup("silanol", "N5")
    if bead.has("OH other"):
        return FunctionalGroup("hydroxyl on a heteroatom", "P3")
    if bead.has("C=S") and bead.starts("amine N", "aniline N"):
        nitrogens = sum(name.startswith(("amine N", "aniline N")) for name in bead.names)
        return FunctionalGroup("thiourea", "P2") if nitrogens > 1 else FunctionalGroup("thioamide", "N6", "d")
    return None


def _amide_m3(bead: _Bead) -> FunctionalGroup:
    if not bead.holds_an_amide_bond:
        # N, CA, C and O of a peptide: halves of two amides.
        return FunctionalGroup("halves of two amides", "P2")
    if bead.has("OH other"):
        # Two donors and two acceptors: at least as polar as the primary amide.
        return FunctionalGroup("hydroxamic acid", "P5")
    hydrogens = max(int(name[-1]) for name in bead.names if name.startswith("amide N"))
    if hydrogens == 2:
        # C(=O)N alone is more polar than with a carbon beside it.
        bare = bead.n_carbons < 2
        return FunctionalGroup("primary amide", "P6" if bare else "P5", "a" if bare else "")
    if hydrogens == 1:
        return FunctionalGroup("secondary amide", "P3", "d")
    return FunctionalGroup("tertiary amide", "P3" if bead.n_carbons < 4 else "P2", "a")


def _weakly_polar_m3(bead: _Bead) -> FunctionalGroup | None:
    if bead.has("nitro N"):
        return FunctionalGroup("nitro", "N3", "a")
    if bead.has("=O N"):
        return FunctionalGroup("nitrite or nitroso", "N3", "a")
    if bead.has("azide N"):
        # Between nitro and chlorine by substituent constants π (-0.28, 0.46, 0.71; Hansch, J. Med. Chem. 16, 1207 (1973)).
        return FunctionalGroup("azide", "N2", "a")
    if bead.has("imine N") and bead.has("=C=") and bead.has("=S"):
        return FunctionalGroup("isothiocyanate", "N1")
    if bead.has("N-oxide N"):
        return FunctionalGroup("N-oxide", "P6", "a")
    if bead.has("C(=O) aldehyde", "=O aldehyde"):
        return FunctionalGroup("aldehyde", "N4" if bead.size == 2 else "N5" if bead.n_carbons <= 3 else "N6", "a")
    if bead.has("C(=O) ketone") and bead.on_aromatic("C(=O) ketone"):
        return FunctionalGroup("aryl ketone", "N4", "a")
    if bead.has("C(=O) ketone", "=O ketone"):
        return FunctionalGroup("ketone", "N6" if bead.size <= 2 or bead.in_aliphatic_ring else "N5", "a")
    if bead.has("c=O", "=O c"):
        return FunctionalGroup("carbonyl of an aromatic ring", *(("P1", "a") if bead.is_lactam else ("N6", "a")))
    # An amide that two beads divide between them: its carbonyl as in caffeine, its NH as in uracil.
    if bead.has("C(=O) amide", "=O amide"):
        return FunctionalGroup("carbonyl of an amide", "P1", "a")
    if bead.starts("amide N"):
        hydrogen = not bead.has("amide N0")
        return FunctionalGroup("nitrogen of an amide", *(("N5", "d") if hydrogen else ("N1", "")))
    if bead.starts("=O") and not bead.starts("=O P", "=O N", "=O other", "=O dioxide"):
        return FunctionalGroup("carbonyl", "N5", "a")
    if bead.has("nitrile N") and bead.has("S"):
        return FunctionalGroup("thiocyanate", "N4", "a")
    if bead.has("nitrile N", "N#+"):
        return FunctionalGroup("nitrile", "N4" if bead.size == 2 else "N5", "a")
    if bead.has("imine N", "imine NH", "amidine N"):
        return FunctionalGroup("imine", "N6", "d" if bead.has("imine NH") else "a")
    if bead.has("N-N"):
        return FunctionalGroup("hydrazine or hydroxylamine", "P5", "d")
    return _ring_nitrogen_m3(bead) or _amine_m3(bead) or _ether_m3(bead)


def _ring_nitrogen_m3(bead: _Bead) -> FunctionalGroup | None:
    if bead.has("nH"):
        if bead.is_lactam:
            return FunctionalGroup("NH of an aromatic lactam", "N5", "d")
        near = bead.nitrogen_within_two(bead.first("nH"), adjacent=True)
        return FunctionalGroup("aromatic NH", "N4" if near else "N6", "d")
    if bead.has("nR"):
        return FunctionalGroup("substituted aromatic nitrogen", "N1")
    if bead.count("n") > 1:
        return FunctionalGroup("two adjacent aromatic nitrogens", "N1", "a")
    if bead.has("n") and bead.nitrogen_beside(bead.first("n")):
        # Pyridazine and pyrazole take hydrogen bonds less than pyridine and imidazole.
        return FunctionalGroup("aromatic nitrogen beside another", "N4", "a")
    if bead.has("n"):
        near = bead.nitrogen_within_two(bead.first("n"), adjacent=False)
        return FunctionalGroup("aromatic nitrogen", "N5" if near else "N6", "a")
    return None


def _amine_m3(bead: _Bead) -> FunctionalGroup | None:
    if bead.has("aniline N2", "amine N2"):
        return FunctionalGroup("primary amine", "N6", "d")
    if bead.has("aniline N1"):
        return FunctionalGroup("N-alkylaniline", "N5")
    if bead.has("aniline N0"):
        return FunctionalGroup("N,N-dialkylaniline", "N1")
    if bead.has("amine N1"):
        ring = bead.in_aliphatic_ring
        return FunctionalGroup("secondary amine", "N6" if ring else "N3", "d" if ring else "")
    if bead.has("amine N0"):
        return FunctionalGroup("tertiary amine", "N3", "a")
    return None


def _ether_m3(bead: _Bead) -> FunctionalGroup | None:
    if bead.has("o", "aryl ether O", "aryl ether Or"):
        return FunctionalGroup("aryl ether", "N2", "a")
    if bead.starts("acetal O"):
        return FunctionalGroup("acetal", "N5", "a")
    if bead.has("ether O", "ether Or", "ester O", "ester Or"):
        if bead.in_aliphatic_ring:
            return FunctionalGroup("ring ether", "N3" if bead.oxygen_across_ring() else "N4", "a")
        return FunctionalGroup("ether", "N2") if bead.n_carbons >= 4 else FunctionalGroup("ether", "N3", "r")
    if bead.has("Si") and bead.starts("O other"):
        return FunctionalGroup("siloxane", "N1")
    if bead.starts("O ", "O-", "=O P", "=O N", "=O other"):
        return FunctionalGroup("polar group of phosphorus, boron or another element", "P2")
    return None


def _apolar_m3(bead: _Bead) -> FunctionalGroup:
    facts = bead.roles.facts
    if bead.has("S", "s", "SH", "S-S", "=S", "C=S", "P", "B"):
        return FunctionalGroup("sulfur, phosphine or borane", "C6")
    halogens = [facts[a].element for a in bead.group if facts[a].element in HALOGENS]
    if halogens:
        return _halogen_m3(bead, halogens)
    if bead.has("C(=O) dioxide", "C#C"):
        return FunctionalGroup("sp carbon", "C6")
    if bead.has("=C="):
        return FunctionalGroup("allene", "C4")
    if bead.aromatic:
        alkyl = any(not facts[a].aromatic for a in bead.group)
        return FunctionalGroup("alkylated arene", "C4") if alkyl else FunctionalGroup("arene", "C5")
    n_vinyl = bead.count("C=C")
    if n_vinyl:
        return FunctionalGroup("diene", "C5") if n_vinyl >= 4 else FunctionalGroup("alkene", "C4")
    if bead.has("Si"):
        return FunctionalGroup("silane", "C2")
    if bead.in_aliphatic_ring:
        return FunctionalGroup("cycloalkane", "C3")
    if bead.size >= 4:
        inside = set(bead.group)
        branched = any(sum(j in inside for j, _, _, _ in facts[a].neighbours) > 2 for a in bead.group)
        return FunctionalGroup("branched alkane", "C2") if branched else FunctionalGroup("alkane", "C1")
    return FunctionalGroup("short alkane", "C2")


def _halogen_m3(bead: _Bead, halogens: list[int]) -> FunctionalGroup:
    fluorine, chlorine = halogens.count(9), halogens.count(17)
    if fluorine:
        return FunctionalGroup("fluorine", "X4", "e" if fluorine > 2 else "")
    if 53 in halogens:
        return FunctionalGroup("iodine", "X1" if halogens.count(53) == 1 else "X2")
    if 35 in halogens:
        alone = halogens.count(35) == 1 and bead.n_carbons <= 1
        return FunctionalGroup("bromine", "X2" if bead.aromatic or alone else "X1")
    if chlorine > 3:
        return FunctionalGroup("chlorine", "X1")
    if chlorine > 1 and bead.n_carbons == 1:
        return FunctionalGroup("chlorine", "X2")
    return FunctionalGroup("chlorine", "X3", "h" if chlorine > 1 else "")


def _charged_m2(bead: _Bead) -> FunctionalGroup | None:
    charge = bead.roles.charge(bead.group)
    if charge == 0:
        return FunctionalGroup("zwitterion", "P5") if _is_zwitterion(bead) else None
    facts = bead.roles.facts
    if bead.size == 1 and bead.element in ION_CLASSES:
        return FunctionalGroup("ion of one atom", "Qd" if charge > 0 else "Qa")
    acceptor = bead.starts("OH", "O-", "=O")
    if charge < 0:
        donor = any(facts[a].hydrogens and facts[a].element in (7, 8) for a in bead.group) and not bead.has("P")
        return FunctionalGroup("anion", "Qda" if donor else "Qa")
    if any(facts[a].charge > 0 and facts[a].hydrogens for a in bead.group):
        return FunctionalGroup("cation with hydrogen on its charge", "Qda" if acceptor else "Qd")
    return FunctionalGroup("cation without hydrogen on its charge", "Q0")


def _polar_m2(bead: _Bead) -> FunctionalGroup | None:
    n_oh = bead.count("OH alcohol", "OH ring alcohol", "OH enol")
    if bead.has("SO2", "SO", "C(=O) urea", "=O urea", "N-oxide N"):
        return FunctionalGroup("sulfone, sulfoxide, urea or N-oxide", "P5")
    if bead.starts("amide N") and bead.has("=O amide", "C(=O) amide", "=O carbamate", "C(=O) carbamate"):
        hydrogens = max(int(name[-1]) for name in bead.names if name.startswith("amide N"))
        if hydrogens:
            return FunctionalGroup("amide", "P5" if hydrogens == 2 and bead.n_carbons < 3 else "P4")
        return FunctionalGroup("tertiary amide", "P3")
    if bead.has("C(=O) acid", "OH acid"):
        if bead.starts("amine N"):
            return FunctionalGroup("amino acid", "P5")
        return FunctionalGroup("carboxylic acid", "P3" if bead.n_carbons < 3 or bead.aromatic else "P1")
    if n_oh > 1:
        return FunctionalGroup("diol", "P4")
    if n_oh:
        longer = {0: "P3", 1: "P3", 2: "P2", 3: "P1"}.get(bead.n_carbons, "Nda")
        return FunctionalGroup("alcohol", "P2" if bead.n_carbons > 1 and bead.starts("ether", "acetal") else longer)
    if bead.starts("OH"):
        return FunctionalGroup("phenol or hydroxyl", "P1")
    if bead.starts("C(=O)", "=O ", "nitro N") or bead.has("nitrile N", "C#N", "c=O"):
        return FunctionalGroup("carbonyl, nitro or nitrile", "Na")
    if bead.has("n", "nH", "nR") and any(bead.roles.arenes[a] == "azole" for a in bead.group):
        # Both nitrogens of histidine; in the lactams and fused rings of nucleic bases the same fragments are N0 and Na.
        return FunctionalGroup("nitrogen of an azole", "P1", instead_of=("N0", "Na"))
    if bead.has("nH") and not bead.is_lactam and not bead.nitrogen_within_two(bead.first("nH"), adjacent=True):
        # As in tryptophan: it gives a hydrogen bond and takes none.
        return FunctionalGroup("NH of pyrrole or indole", "Nd", instead_of=("N0", "Na"))
    if bead.has("amine N2", "aniline N2", "amine N1", "aniline N1", "nH", "N-N", "amidine N", "imine NH"):
        return FunctionalGroup("amine or aromatic NH", "Nd")
    if bead.starts("amide N", "sulfonamide N"):
        return FunctionalGroup("nitrogen of an amide", "Nda")
    if bead.count("n") == 1 and not bead.is_lactam and not bead.nitrogen_within_two(bead.first("n"), adjacent=True):
        # Nucleic bases have N0 here; an only nitrogen takes hydrogen bonds.
        return FunctionalGroup("nitrogen of pyridine", "Na", instead_of=("N0",))
    if bead.has("n", "imine N", "o"):
        return FunctionalGroup("aromatic nitrogen or oxygen", "Na")
    if bead.starts("ester O"):
        return FunctionalGroup("ester", "Na")
    if bead.starts("ether O", "acetal O", "aryl ether O", "amine N", "aniline N", "nR", "O "):
        return FunctionalGroup("ether or tertiary amine", "N0")
    if bead.starts("=O P", "O-"):
        return FunctionalGroup("polar group of phosphorus or another element", "P2")
    return None


def _apolar_m2(bead: _Bead) -> FunctionalGroup:
    facts = bead.roles.facts
    if bead.has("S", "s", "SH", "S-S", "=S", "C=S", "P", "B"):
        return FunctionalGroup("sulfur, phosphine or borane", "C5")
    n_halogens = sum(facts[a].element in HALOGENS for a in bead.group)
    if n_halogens:
        return FunctionalGroup("halogen", "C3" if n_halogens == 1 else "C4")
    if bead.aromatic:
        return _arene_m2(bead)
    n_vinyl = bead.count("C=C")
    if bead.has("C#C") or n_vinyl >= 4:
        return FunctionalGroup("alkyne or diene", "C4")
    if n_vinyl or bead.has("=C="):
        return FunctionalGroup("alkene", "C3")
    if bead.in_aliphatic_ring or bead.size >= 4:
        return FunctionalGroup("alkane", "C1")
    return FunctionalGroup("short alkane", "C2")


def _arene_m2(bead: _Bead) -> FunctionalGroup:
    """C4 or C5, which published models both give aromatic carbons, by what the ring carries.

    Benzene is SC4 in the solvents of Martini 2.0, and so are the carbons of TYR and HIS, whose rings have an oxygen or
    nitrogen, and those of TRP in the ring with nitrogen; PHE and the ring of six of TRP are SC5 (de Jong et al., J. Chem.
    Theory Comput. 9, 687 (2013); side chains of martini22 in vermouth).
    """
    if bead.has("C=C", "C#C", "=C="):
        return FunctionalGroup("arene with an alkene or alkyne", "C4", instead_of=("C5",))
    kinds = {bead.roles.arenes[a] for a in bead.group}
    if not kinds.isdisjoint(("polar", "azole")):
        return FunctionalGroup("arene, its ring with a heteroatom", "C4", instead_of=("C5",))
    if "carbon" in kinds:
        return FunctionalGroup("arene, its ring of carbons", "C5", instead_of=("C4",))
    return FunctionalGroup("benzene", "C4", instead_of=("C5",))
