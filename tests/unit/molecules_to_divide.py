"""Molecules of many kinds, and how their atoms are numbered where they are divided into beads."""

from rdkit import Chem

from topdown.mapping.fragmenting import canonical_order

MOLECULES = [
    "CCCCCCCC",
    "CCCCCCCCO",
    "CC(=O)O",
    "CN(C)C=O",
    "c1ccccc1",
    "Cc1ccccc1",
    "CCc1ccccc1",
    "Cc1ccccc1C",
    "c1ccc2ccccc2c1",
    "CC(=O)Nc1ccc(O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "OCC1OC(O)C(O)C(O)C1O",
    "C1CCCCC1",
    "C1COCCO1",
    "CCOC(=O)c1ccccc1N",
    "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)O",
    "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O",
    "CCN(CC)C(=O)C1CN(C)C2Cc3c[nH]c4cccc(C2=C1)c34",
    "O=C(O)c1ccccc1OC(C)=O",
    "FC(F)(F)c1ccc(Cl)cc1",
    "CCCC[N+](C)(C)C",
    "CS(=O)(=O)c1ccccc1",
    "C1CC2CCC1C2",
]


def canonical(smiles):
    """The molecule with its atoms in canonical order."""
    mol = Chem.MolFromSmiles(smiles)
    return Chem.RenumberAtoms(mol, canonical_order(mol))
