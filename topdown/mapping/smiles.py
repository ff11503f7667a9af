"""The gate: what a user typed becomes a clean RDKit molecule, or one refusal with a code and advice.

RDKit alone is no gate: it reads ``'CC O'`` as ethane, an empty string as a molecule without atoms, and does not return
from some strings of 100,000 characters. So characters, length and nesting are checked before it, and what it parsed is
checked after.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from rdkit import Chem, rdBase

from topdown.errors import MoleculeError

#: Longest SMILES read [characters], deepest nesting of branches, most heavy atoms.
MAX_LENGTH = 2000
MAX_DEPTH = 100
MAX_HEAVY_ATOMS = 200

#: Elements that Martini models exist for; everything else is refused.
ELEMENTS = frozenset({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I"})

_FOREIGN_MARKS = (
    (">", "a reaction"),
    ("*", "a wildcard atom"),
    ("~", "a query bond"),
    ("$(", "a query"),
    ("[#", "a query"),
)
_SALT_HINT = "map the components one by one; the largest is {largest!r}"


@dataclass(frozen=True, kw_only=True, eq=False)
class ParsedMolecule:
    """A molecule that passed the gate.

    Attributes
    ----------
    smiles : str
        As written.
    canonical_smiles : str
        RDKit's canonical isomeric SMILES.
    mol : rdkit.Chem.Mol
        Heavy atoms only, numbered in the order written.
    """

    smiles: str
    canonical_smiles: str
    mol: Any


def canonical_smiles(smiles: str) -> str:
    """RDKit's canonical isomeric SMILES of a molecule that may be mapped.

    Raises
    ------
    MoleculeError
        As :func:`parse_smiles`.
    """
    return parse_smiles(smiles).canonical_smiles


def parse_smiles(smiles: str) -> ParsedMolecule:
    """Read one SMILES of one closed-shell molecule.

    Parameters
    ----------
    smiles : str
        Exactly as the user wrote it.

    Returns
    -------
    ParsedMolecule

    Raises
    ------
    MoleculeError
        With code E_EMPTY, E_SYNTAX, E_CHEM, E_MIXTURE, E_ELEMENT, E_RADICAL, E_DUMMY or E_LIMIT.
    """
    _check_characters(smiles)
    _check_brackets(smiles)
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        if mol is None:
            raise MoleculeError("E_SYNTAX", f"not a SMILES: {_syntax_reason(smiles)}", where=_shown(smiles))
        _check_atoms(mol, smiles)
        problems = Chem.DetectChemistryProblems(mol)
        if problems:
            raise MoleculeError(
                "E_CHEM",
                _chemistry_reason(problems[0].Message()),
                where=_shown(smiles),
                hint="check valences, charges and aromatic (lower-case) atoms",
            )
        Chem.SanitizeMol(mol)
        Chem.AssignStereochemistry(mol, cleanIt=True)
        mol = Chem.RemoveAllHs(mol)
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
    radical = next((a for a in mol.GetAtoms() if a.GetNumRadicalElectrons()), None)
    if radical is not None:
        raise MoleculeError(
            "E_RADICAL",
            f"heavy atom {radical.GetIdx()} ({radical.GetSymbol()}) has unpaired electrons",
            where=_shown(smiles),
            hint="atoms in square brackets carry only the hydrogens written: [CH3] is a radical, C is not",
        )
    if mol.GetNumAtoms() == 0:
        raise MoleculeError(
            "E_EMPTY", "there is no heavy atom", where=_shown(smiles), hint="hydrogen alone has no bead"
        )
    return ParsedMolecule(smiles=smiles, canonical_smiles=Chem.MolToSmiles(mol), mol=mol)


def _shown(smiles: str) -> str:
    """The SMILES as it may stand in a message: printable ASCII and short."""
    text = smiles.encode("unicode_escape").decode("ascii") if not smiles.isprintable() else smiles
    return f"{text[:57]}..." if len(text) > 60 else text


def _check_characters(smiles: str) -> None:
    if not smiles.strip():
        raise MoleculeError("E_EMPTY", "the SMILES is empty", hint="give a molecule, for instance CCO")
    if len(smiles) > MAX_LENGTH:
        raise MoleculeError(
            "E_LIMIT",
            f"{len(smiles)} characters, at most {MAX_LENGTH} are read",
            where=_shown(smiles[:80]),
            hint=f"molecules of up to {MAX_HEAVY_ATOMS} heavy atoms are mapped",
        )
    for position, character in enumerate(smiles, start=1):
        if "!" <= character <= "~":
            continue
        code = f"U+{ord(character):04X}"
        if character.isspace() or not character.isprintable():
            name = "a blank" if character == " " else f"the character {code}"
            hint = "a SMILES has no blanks or control characters; in a .smi file the name follows after one"
        else:
            name = f"{character!r} ({code}, {unicodedata.name(character, 'unnamed')})"
            hint = "SMILES are plain ASCII; this character may only look like a Latin letter"
        raise MoleculeError("E_SYNTAX", f"{name} at position {position}", where=_shown(smiles), hint=hint)


def _check_brackets(smiles: str) -> None:
    """Nesting, and the marks of reactions, wildcards and queries, before RDKit sees the string."""
    depth = 0
    for position, character in enumerate(smiles, start=1):
        depth += (character == "(") - (character == ")")
        if depth > MAX_DEPTH:
            raise MoleculeError("E_LIMIT", f"branches nested deeper than {MAX_DEPTH}", where=_shown(smiles))
        if depth < 0:
            raise MoleculeError("E_SYNTAX", f"')' at position {position} closes nothing", where=_shown(smiles))
    for mark, meaning in _FOREIGN_MARKS:
        if mark in smiles:
            raise MoleculeError(
                "E_DUMMY", f"{mark!r} marks {meaning}", where=_shown(smiles), hint="give one complete molecule"
            )


def _check_atoms(mol: Any, smiles: str) -> None:
    """Limits, components and elements of the parsed but not yet sanitised molecule."""
    heavy = sum(atom.GetAtomicNum() > 1 for atom in mol.GetAtoms())
    if heavy > MAX_HEAVY_ATOMS:
        raise MoleculeError(
            "E_LIMIT", f"{heavy} heavy atoms, at most {MAX_HEAVY_ATOMS} are mapped", where=_shown(smiles)
        )
    if any(atom.GetAtomicNum() == 0 or atom.HasQuery() for atom in mol.GetAtoms()):
        raise MoleculeError(
            "E_DUMMY", "a wildcard or query atom", where=_shown(smiles), hint="give one complete molecule"
        )
    parts = smiles.split(".")
    if len(Chem.GetMolFrags(mol)) > 1:
        largest = max(parts, key=lambda part: sum(c.isalpha() for c in part))
        raise MoleculeError(
            "E_MIXTURE",
            f"{len(Chem.GetMolFrags(mol))} separate molecules",
            where=_shown(smiles),
            hint=_SALT_HINT.format(largest=_shown(largest)),
        )
    for atom in mol.GetAtoms():
        if atom.GetSymbol() not in ELEMENTS:
            raise MoleculeError(
                "E_ELEMENT",
                f"no bead is known for {atom.GetSymbol()}",
                where=_shown(smiles),
                hint="elements that can be mapped: " + " ".join(sorted(ELEMENTS)),
            )


def _syntax_reason(smiles: str) -> str:
    """The most likely reason why RDKit's parser refused ``smiles``."""
    if smiles.count("[") != smiles.count("]"):
        return "square brackets do not match"
    if smiles.count("(") != smiles.count(")"):
        return f"{smiles.count('(') - smiles.count(')')} branch '(' never closed"
    open_ring = _open_rings(smiles)
    if open_ring:
        return f"ring {', '.join(open_ring)} is opened but never closed"
    if smiles[-1] in "-=#:/\\.(":
        return f"it ends with {smiles[-1]!r}"
    # The longest readable start tells where to look.
    end = next((n for n in range(len(smiles) - 1, 0, -1) if _readable(smiles[:n])), 0)
    return f"cannot be read from position {end + 1}: {smiles[end : end + 10]!r}"


def _readable(smiles: str) -> bool:
    closed = smiles + ")" * max(0, smiles.count("(") - smiles.count(")"))
    return not _open_rings(smiles) and Chem.MolFromSmiles(closed, sanitize=False) is not None


def _open_rings(smiles: str) -> list[str]:
    """Ring-closure labels that occur an odd number of times outside square brackets."""
    is_open: dict[str, bool] = {}
    i, inside = 0, False
    while i < len(smiles):
        character = smiles[i]
        if character in "[]":
            inside = character == "["
        elif not inside and character == "%":
            label = smiles[i + 2 : smiles.find(")", i)] if smiles[i + 1 : i + 2] == "(" else smiles[i + 1 : i + 3]
            i += len(label) + 2 * (smiles[i + 1 : i + 2] == "(")
            is_open[label] = not is_open.get(label, False)
        elif not inside and character.isdigit():
            is_open[character] = not is_open.get(character, False)
        i += 1
    return sorted(label for label, opened in is_open.items() if opened)


def _chemistry_reason(message: str) -> str:
    """RDKit's complaint without its line breaks and jargon."""
    text = " ".join(message.split())
    if "kekulize" in text.lower():
        return "the aromatic atoms admit no alternating double bonds (a pyrrole-like nitrogen is written [nH])"
    if "non-ring atom" in text:
        return "an aromatic (lower-case) atom stands outside any ring"
    return text.removeprefix("Explicit valence for ").strip() or "impossible chemistry"
