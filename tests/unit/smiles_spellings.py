"""Mappings of one molecule written in several ways, compared in everything but the way of writing."""

from rdkit import Chem

from topdown.mapping.smiles import parse_smiles
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.mapping_json import mapping_json


def spellings(smiles, count, seed):
    """``count`` random SMILES of a molecule."""
    return list(Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), count, randomSeed=seed))


def told(molecule, table, match=None):
    """What ``topdown map --json`` tells of a molecule, its beads named by their atoms.

    ``match`` gives for each atom of the molecule the one it is in another spelling. Left out are the text itself and what
    follows its order: names of beads, and CGsmiles.
    """
    found = mapping_json(molecule, table, MoleculeRequest(smiles=molecule.smiles), alternatives=99)
    for key in ("smiles", "name", "cgsmiles"):
        del found[key]
    place = (lambda atom: atom) if match is None else match.__getitem__
    # Virtual sites of published models have no atoms; they keep their place after those that have.
    named = [
        tuple(sorted(map(place, bead["atoms"]))) or (f"site {number}",) for number, bead in enumerate(found["beads"])
    ]
    for bead, atoms in zip(found["beads"], named):
        del bead["name"]
        bead["atoms"] = atoms
    found["beads"].sort(key=repr)
    for key in ("bonds", "constraints", "angles", "dihedrals", "virtual_sites"):
        for term in found[key]:
            atoms = tuple(named[a] for a in term["atoms"])
            if key == "virtual_sites":
                term["site"], term["atoms"] = named[term["site"]], atoms
            else:
                term["atoms"] = min(atoms, atoms[::-1])
        found[key].sort(key=repr)
    found["exclusions"] = sorted(sorted(named[a] for a in pair) for pair in found["exclusions"])
    if molecule.positions is not None:
        found["positions"] = sorted(zip(named, molecule.positions.tolist()))
    return found


def same_mapping(one, two, table):
    """Whether two spellings' mappings tell the same for one of the ways in which the molecule is the same."""
    wanted = told(two, table)
    first, second = (parse_smiles(molecule.smiles).mol for molecule in (one, two))
    matches = second.GetSubstructMatches(first, uniquify=False, useChirality=True, maxMatches=5000)
    return any(told(one, table, match) == wanted for match in matches)
