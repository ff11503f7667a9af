"""Sterols by template: the published models of cholesterol and its relatives, matched atom by atom.

A template is a molecule whose atoms are numbered by bead. It matches whole molecules, and sterols inside larger ones
(esters, glycosides): there the beads whose atoms are bonded to something the template does not have are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from rdkit import Chem, rdBase

from topdown.mapping.lipid_rules import sterol_models
from topdown.mapping.recognised import PublishedTerms, RecognisedBead, RecognisedBlocks
from topdown.model import Angle, Bond, Constraint, Dihedral, VirtualSite

#: Four fused rings are the least a sterol has.
_RINGS = 4
#: Factor on the confidence when the molecule leaves the stereo open.
_FLAT = 0.8


def find_sterol(mol: Any, style: str) -> RecognisedBlocks | None:
    """The published sterol model that ``mol`` is or contains; the largest template wins.

    Stereo that is drawn must be that of the template; stereo left open is taken for it, with less confidence.
    """
    if mol.GetRingInfo().NumRings() < _RINGS:
        return None
    for model in sorted(sterol_models(style), key=lambda m: -_template(m["template"])[0].GetNumAtoms()):
        template, bead_of = _template(model["template"])
        drawn = any(a.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED for a in mol.GetAtoms())
        match = mol.GetSubstructMatch(template, useChirality=drawn)
        if match and _same_chemistry(mol, template, match):
            return _blocks(mol, model, bead_of, match, template, drawn)
    return None


@lru_cache(maxsize=32)
def _template(smiles: str) -> tuple[Any, tuple[int, ...]]:
    """The template without its numbers, and the bead (from 0) of each of its atoms."""
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    bead_of = tuple(a.GetAtomMapNum() - 1 for a in mol.GetAtoms())
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return mol, bead_of


def _same_chemistry(mol: Any, template: Any, match: tuple[int, ...]) -> bool:
    """Matched carbons have no more bonds than the template, so that derivatives do not pass for the sterol itself."""
    for k, index in enumerate(match):
        atom, model = mol.GetAtomWithIdx(index), template.GetAtomWithIdx(k)
        if model.GetSymbol() == "C" and atom.GetTotalNumHs() != model.GetTotalNumHs():
            return False
        if atom.GetFormalCharge() != 0:
            return False
    return True


def _blocks(
    mol: Any, model: Mapping[str, Any], bead_of: tuple[int, ...], match: tuple[int, ...], template: Any, drawn: bool
) -> RecognisedBlocks:
    names = list(model["beads"])
    atoms: list[list[int]] = [[] for _ in names]
    changed = set()
    for k, name in model["also"]:
        atoms[names.index(name)].append(match[k])
    for k, index in enumerate(match):
        atoms[bead_of[k]].append(index)
        if mol.GetAtomWithIdx(index).GetDegree() != template.GetAtomWithIdx(k).GetDegree():
            changed.add(bead_of[k])
    whole = len(match) == mol.GetNumAtoms()
    confidence = model["confidence"] * (1.0 if drawn else _FLAT)
    beads = tuple(
        RecognisedBead(
            name=name,
            bead_type=bead_type,
            atoms=tuple(sorted(atoms[place])),
            charge=0,
            reason=f"{name} of {model['name']} -> {bead_type} [{model['source']}]",
            confidence=confidence,
        )
        for place, (name, bead_type) in enumerate(model["beads"].items())
        if whole or place not in changed
    )
    return RecognisedBlocks(
        beads=beads,
        model=model["name"] if whole else "",
        terms=_terms(model, names) if whole else None,
        n_atoms=mol.GetNumAtoms(),
    )


def _terms(model: Mapping[str, Any], names: list[str]) -> PublishedTerms:
    at = {name: place for place, name in enumerate(names)}

    def pair(one: str, two: str) -> tuple[int, int]:
        return (min(at[one], at[two]), max(at[one], at[two]))

    rigid = model["rigid"]
    return PublishedTerms(
        bonds=tuple(Bond(atoms=pair(a, b), length=r, force_constant=k) for a, b, r, k in model["bonds"]),
        constraints=tuple(Constraint(atoms=pair(a, b), length=r) for a, b, r in model["constraints"]),
        angles=tuple(
            Angle(atoms=(at[a], at[b], at[c]), angle=theta, force_constant=k, function=function)
            for a, b, c, theta, k, function in model["angles"]
        ),
        dihedrals=tuple(
            Dihedral(atoms=(at[a], at[b], at[c], at[d]), angle=phi, force_constant=k, function=function, multiplicity=n)
            for a, b, c, d, phi, k, function, n in model["dihedrals"]
        ),
        virtual_sites=tuple(
            VirtualSite(site=at[s], construction=how, atoms=tuple(at[a] for a in of), parameters=tuple(values))
            for s, how, of, values in model["sites"]
        ),
        exclusions=tuple(sorted({pair(a, b) for a in rigid for b in rigid if a != b})),
        masses={at[name]: mass for name, mass in model["masses"].items()},
        positions=np.array(model["positions"]),
    )
