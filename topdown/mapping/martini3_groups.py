"""Functional groups of Martini 3 and the classes published models give them.

After the building-block tables of Souza et al., Nat. Methods 18, 382 (2021) and Alessandri et al., Adv. Theory Simul. 5,
2100391 (2022).
"""

from __future__ import annotations

from topdown.mapping.atom_roles import HALOGENS
from topdown.mapping.bead_chemistry import BeadChemistry, FunctionalGroup
from topdown.mapping.ions import ION_CLASSES


def martini3_group(bead: BeadChemistry) -> FunctionalGroup:
    """The most polar group of a bead."""
    if bead.is_gas:
        return FunctionalGroup("diatomic gas", "C6")
    return _charged(bead) or _polar(bead) or _weakly_polar(bead) or _apolar(bead)


def _charged(bead: BeadChemistry) -> FunctionalGroup | None:
    """Hofmeister order of Martini 3: Q5 hard (phosphate, carboxylate) to Q1 soft (quaternary ammonium)."""
    charge = bead.roles.charge(bead.group)
    if charge == 0:
        return FunctionalGroup("zwitterion", "P6") if bead.is_zwitterion else None
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
            # Hydration makes R-NH3+ one size larger: two atoms small, three regular.
            size = "R" if bead.has("N+3") and bead.size == 3 else ""
            return FunctionalGroup("ammonium", "Q4" if bead.has("N+3") else "Q3", "p", size=size)
        if bead.has("n+"):
            protonated = bead.roles.facts[bead.first("n+")].hydrogens > 0
            return FunctionalGroup("aromatic cation", "Q2" if protonated else "Q1", "p" if protonated else "")
        return FunctionalGroup("cation without hydrogen on its charge", "Q1")
    if not bead.starts("O", "=O") and any(bead.roles.facts[a].charge < 0 for a in bead.all_of("P", "B")):
        return FunctionalGroup("complex anion", "Q1" if bead.has("P") else "Q2")
    if bead.starts("O- P") or bead.has("P"):
        return FunctionalGroup("phosphate", "Q5")
    if bead.starts("O- S"):
        return FunctionalGroup("sulfonate or sulfate", "Q4", "n")
    if bead.has("O- carboxylate"):
        return FunctionalGroup("carboxylate", "Q5", "n")
    if bead.has("nitrile N") and bead.size > 2:
        return FunctionalGroup("pseudohalide", "Q1")
    if bead.has("Cl", "Br", "I") and bead.count("O- other") > 3:
        return FunctionalGroup("perhalate", "Q2")
    if bead.count("O- nitro") > 1:
        return FunctionalGroup("nitrate", "Q3", "n")
    if bead.starts("O-", "S-"):
        return FunctionalGroup("oxide or thiolate", "Q4", "n")
    return FunctionalGroup("soft anion", "Q2", "n")


def _polar(bead: BeadChemistry) -> FunctionalGroup | None:
    n_oh = bead.count("OH alcohol", "OH ring alcohol")
    if bead.has("SO2"):
        return (
            FunctionalGroup("sulfonamide", "P4")
            if bead.has("sulfonamide N")
            else FunctionalGroup("aryl sulfone", "P4")
            if bead.on_aromatic("SO2")
            else FunctionalGroup("sulfone", "P5")
        )
    if bead.has("SO", "=O S"):
        return FunctionalGroup("sulfoxide", "P6")
    if bead.has("C(=O) isocyanate", "=O isocyanate"):
        return FunctionalGroup("isocyanate", "N3", "a")
    if bead.starts("amide N") and bead.has("=O amide", "C(=O) amide"):
        return _amide(bead)
    if bead.has("C(=O) urea", "=O urea"):
        return FunctionalGroup("urea", "P5")
    if bead.has("C(=O) carbamate", "=O carbamate"):
        return FunctionalGroup("carbamate", "P2")
    if bead.has("C(=O) acid", "OH acid"):
        if bead.starts("amine N"):
            return FunctionalGroup("amino acid", "P6")
        return FunctionalGroup("carboxylic acid", "P2", "a" if bead.size <= 3 else "")
    if bead.has("C(=O) ester") and bead.on_aromatic("C(=O) ester"):
        return FunctionalGroup("ester of an aromatic acid", "N4", "a")
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
        return FunctionalGroup("alcohol", "P1", instead_of=("N6",))
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


def _amide(bead: BeadChemistry) -> FunctionalGroup:
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


def _weakly_polar(bead: BeadChemistry) -> FunctionalGroup | None:
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
        if bead.size == 2:
            return FunctionalGroup("aldehyde", "N4", "a")
        return FunctionalGroup("aldehyde", "N6" if bead.attached else "N5" if bead.n_carbons <= 3 else "N4", "a")
    if bead.has("C(=O) ketone") and bead.on_aromatic("C(=O) ketone"):
        return FunctionalGroup("aryl ketone", "N4", "a")
    if bead.has("C(=O) ketone", "=O ketone"):
        if bead.size <= 2 or bead.in_aliphatic_ring:
            return FunctionalGroup("ketone", "N6", "a")
        return FunctionalGroup("ketone", "N6" if bead.attached else "N5" if bead.n_carbons <= 3 else "N4", "a")
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
    return _ring_nitrogen(bead) or _amine(bead) or _ether(bead)


def _ring_nitrogen(bead: BeadChemistry) -> FunctionalGroup | None:
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
        return FunctionalGroup("aromatic nitrogen beside another", "N4", "a", instead_of=("N5", "N6"))
    if bead.has("n"):
        near = bead.nitrogen_within_two(bead.first("n"), adjacent=False)
        return FunctionalGroup("aromatic nitrogen", "N5" if near else "N6", "a")
    return None


def _amine(bead: BeadChemistry) -> FunctionalGroup | None:
    if bead.has("aniline N2", "amine N2"):
        return FunctionalGroup("primary amine", "N6", "d")
    if bead.has("aniline N1"):
        return FunctionalGroup("N-alkylaniline", "N5")
    if bead.has("aniline N0"):
        return FunctionalGroup("N,N-dialkylaniline", "N1", instead_of=("N3",))
    if bead.has("amine N1"):
        ring = bead.in_aliphatic_ring
        return FunctionalGroup("secondary amine", "N6" if ring else "N3", "d" if ring else "")
    if bead.has("amine N0"):
        return FunctionalGroup("tertiary amine", "N3", "a")
    return None


def _ether(bead: BeadChemistry) -> FunctionalGroup | None:
    if bead.has("o", "aryl ether O", "aryl ether Or"):
        return FunctionalGroup("aryl ether", "N2", "a")
    if bead.starts("acetal O"):
        return FunctionalGroup("acetal", "N5", "a")
    if bead.has("ether O", "ether Or", "ester O", "ester Or"):
        return _aliphatic_ether(bead)
    if bead.has("Si") and bead.starts("O other"):
        return FunctionalGroup("siloxane", "N1")
    if bead.starts("O ", "O-", "=O P", "=O N", "=O other"):
        return FunctionalGroup("polar group of phosphorus, boron or another element", "P2")
    return None


def _aliphatic_ether(bead: BeadChemistry) -> FunctionalGroup:
    """In rings and chains alike N4, and N3 where another N or O stands two carbons away (dioxane, glymes)."""
    if bead.n_carbons >= 4 and not bead.in_aliphatic_ring:
        return FunctionalGroup("ether", "N2")
    vicinal = bead.polar_two_carbons_away("ether O", "ether Or", "ester O", "ester Or")
    if bead.in_aliphatic_ring:
        if vicinal:
            return FunctionalGroup("ring ether beside a polar atom", "N3", "a", instead_of=("N4",))
        return FunctionalGroup("ring ether", "N4", "a", instead_of=("N3",))
    if vicinal or not bead.attached:
        return FunctionalGroup("ether", "N3", "r", instead_of=("N4",))
    return FunctionalGroup("ether in a hydrocarbon chain", "N4", "ah", instead_of=("N3",))


def _apolar(bead: BeadChemistry) -> FunctionalGroup:
    facts = bead.roles.facts
    if bead.has("S", "s", "SH", "S-S", "=S", "C=S", "P", "B"):
        return FunctionalGroup("sulfur, phosphine or borane", "C6")
    halogens = [facts[a].element for a in bead.group if facts[a].element in HALOGENS]
    if halogens:
        return _halogen(bead, halogens)
    if bead.has("C(=O) dioxide", "C#C"):
        return FunctionalGroup("sp carbon", "C6")
    if bead.has("=C="):
        return FunctionalGroup("allene", "C4")
    if bead.aromatic:
        alkyl = any(not facts[a].aromatic for a in bead.group)
        return FunctionalGroup("alkylated arene", "C4") if alkyl else FunctionalGroup("arene", "C5")
    n_vinyl = bead.count("C=C")
    if n_vinyl > 1:
        if bead.is_quinone_edge:
            return FunctionalGroup("edge of a quinone", "C5")
        return FunctionalGroup("diene", "C5") if n_vinyl >= 4 else FunctionalGroup("alkene", "C4")
    # Half a double bond is no alkene: its bead is as apolar as its other atoms.
    if bead.has("Si"):
        return FunctionalGroup("silane", "C2")
    if bead.in_aliphatic_ring:
        return FunctionalGroup("cycloalkane", "C3")
    return _alkyl(bead)


def _alkyl(bead: BeadChemistry) -> FunctionalGroup:
    """Saturated chains: C1 from four carbons on, C2 for fewer, one level more polar where branched or beside polar groups."""
    if bead.size >= 3 and bead.polar_ends > 1:
        core, others = ("C2", ("C1",)) if bead.size > 3 else ("C3", ("C1", "C2"))
        return FunctionalGroup("alkyl between polar groups", core, instead_of=others)
    if bead.size >= 4:
        facts, inside = bead.roles.facts, set(bead.group)
        if any(sum(j in inside for j, _, _, _ in facts[a].neighbours) > 2 for a in bead.group):
            return FunctionalGroup("branched alkane", "C2", size="S" if bead.size == 4 else "")
        return FunctionalGroup("alkane", "C1")
    if bead.is_isopropyl or bead.size < 3:
        if bead.beside_polarisable(8, 16):
            return FunctionalGroup("small alkyl beside a polarisable group", "C3", instead_of=("C2",))
        if bead.attached:
            return FunctionalGroup("small alkyl", "C2", instead_of=("C3",))
    elif bead.attached and not bead.beside_carbonyl:
        return FunctionalGroup("propyl", "C2", instead_of=("C1",))
    return FunctionalGroup("short alkane", "C2")


def _halogen(bead: BeadChemistry, halogens: list[int]) -> FunctionalGroup:
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
