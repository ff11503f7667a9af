"""A molecule becomes beads: SMILES → partition of the heavy atoms → bead types → bonded terms."""

from topdown.mapping.mapper import map_molecule
from topdown.mapping.smiles import ParsedMolecule, canonical_smiles, parse_smiles

__all__ = ["ParsedMolecule", "canonical_smiles", "map_molecule", "parse_smiles"]
