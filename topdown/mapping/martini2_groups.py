"""Functional groups of Martini 2 and their classes, after Table 3 of Marrink et al., J. Phys. Chem. B 111, 7812 (2007)."""

from __future__ import annotations

from topdown.mapping.atom_roles import HALOGENS
from topdown.mapping.bead_chemistry import BeadChemistry, FunctionalGroup
from topdown.mapping.ions import ION_CLASSES


def martini2_group(bead: BeadChemistry) -> FunctionalGroup:
    """The most polar group of a bead."""
    if bead.is_gas:
        return FunctionalGroup("diatomic gas", "C5")
    return _charged(bead) or _polar(bead) or _apolar(bead)


def _charged(bead: BeadChemistry) -> FunctionalGroup | None:
    charge = bead.roles.charge(bead.group)
    if charge == 0:
        return FunctionalGroup("zwitterion", "P5") if bead.is_zwitterion else None
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


def _polar(bead: BeadChemistry) -> FunctionalGroup | None:
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


def _apolar(bead: BeadChemistry) -> FunctionalGroup:
    facts = bead.roles.facts
    if bead.has("S", "s", "SH", "S-S", "=S", "C=S", "P", "B"):
        return FunctionalGroup("sulfur, phosphine or borane", "C5")
    n_halogens = sum(facts[a].element in HALOGENS for a in bead.group)
    if n_halogens:
        return FunctionalGroup("halogen", "C3" if n_halogens == 1 else "C4")
    if bead.aromatic:
        return _arene(bead)
    n_vinyl = bead.count("C=C")
    if bead.has("C#C") or n_vinyl >= 4:
        return FunctionalGroup("alkyne or diene", "C4")
    if n_vinyl or bead.has("=C="):
        return FunctionalGroup("alkene", "C3")
    if bead.in_aliphatic_ring or bead.size >= 4:
        return FunctionalGroup("alkane", "C1")
    return FunctionalGroup("short alkane", "C2")


def _arene(bead: BeadChemistry) -> FunctionalGroup:
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
